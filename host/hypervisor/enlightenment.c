// SPDX-License-Identifier: Apache-2.0
/*
 * Enlightenments by name. See enlightenment.h.
 */
#include "host/hypervisor/enlightenment.h"

#include "protocol/hypervisor.h"

#include <errno.h>
#include <string.h>

#define P(name) HV_PRIVILEGE_##name
#define F(name) HV_FEATURE_##name
#define R(name) HV_RECOMMEND_##name

/*
 * In "fast" is what Linux needs or what saves it exits, and nothing that it would use and
 * that costs an exit to the worker where the kernel's local APIC costs none: timers, IPIs
 * and flushes by hypercall, ends of interrupts by register.
 */
/* clang-format off */
static const struct row {
	const char *name;
	const char *what;
	bool is_fast;
	struct enlightenments bits;
} table[] = {
	{"apic", "APIC registers as MSRs, VP assist page", true,
		{.privileges = P(ACCESS_INTERRUPT_CONTROL)}},
	{"apic-recommend", "recommend the APIC's MSRs", false,
		{.recommendations = R(APIC_MSRS)}},
	{"cluster-ipi", "inter-processor interrupts by hypercall, recommended", false,
		{.recommendations = R(CLUSTER_IPI)}},
	{"crash", "crash MSRs: the guest says why it ends", true,
		{.features = F(GUEST_CRASH_MSRS)}},
	{"debug", "text output by HvCallPostDebugData", true,
		{.privileges = P(DEBUGGING), .features = F(GUEST_DEBUGGING)}},
	{"ex-masks", "hypercalls that name processors by sets", false,
		{.recommendations = R(EX_PROCESSOR_MASKS)}},
	{"extended-gva-ranges", "long ranges in flush lists", false,
		{.privileges = P(EXTENDED_GVA_RANGES), .features = F(EXTENDED_GVA_RANGES)}},
	{"extended-hypercalls", "call codes from 0x8001", false,
		{.privileges = P(ENABLE_EXTENDED_HYPERCALLS)}},
	{"frequencies", "frequency MSRs of TSC and APIC timer", true,
		{.privileges = P(ACCESS_FREQUENCIES), .features = F(FREQUENCIES)}},
	{"guest-idle", "idle until an interrupt by MSR", false,
		{.privileges = P(ACCESS_GUEST_IDLE), .features = F(GUEST_IDLE)}},
	{"hypercall-lock", "lock of the hypercall MSR", true,
		{.features = F(HYPERCALL_MSR_LOCK)}},
	{"reference-tsc", "reference TSC page", true,
		{.privileges = P(ACCESS_REFERENCE_TSC)}},
	{"relaxed-timing", "advice to do without watchdogs", true,
		{.recommendations = R(RELAXED_TIMING)}},
	{"reset", "reset MSR", true,
		{.privileges = P(ACCESS_RESET)}},
	{"reset-recommend", "recommend the reset MSR", false,
		{.recommendations = R(RESET_MSR)}},
	{"sint-polling", "SINTs without interrupt", true,
		{.features = F(SINT_POLLING)}},
	{"spin-wait", "advice to tell of long waits for a lock", false,
		{.spin_attempts = 0xfff}},
	{"stimer", "synthetic timers", false,
		{.privileges = P(ACCESS_SYNTHETIC_TIMERS)}},
	{"stimer-direct", "synthetic timers in direct mode", false,
		{.features = F(DIRECT_SYNTHETIC_TIMERS)}},
	{"synic", "synthetic interrupt controller, messages and signals", true,
		{.privileges = P(ACCESS_SYNIC) | P(POST_MESSAGES) | P(SIGNAL_EVENTS)}},
	{"time-ref-count", "reference time by MSR", true,
		{.privileges = P(ACCESS_REFERENCE_COUNTER)}},
	{"tlb-flush", "flushes of other processors by hypercall, recommended", false,
		{.recommendations = R(REMOTE_FLUSH)}},
	{"vp-registers", "hypercalls to read and write registers", false,
		{.privileges = P(ACCESS_VP_REGISTERS)}},
	{"vp-runtime", "run time MSR", false,
		{.privileges = P(ACCESS_VP_RUNTIME)}},
	{"xmm-input", "fast hypercalls with XMM registers", false,
		{.features = F(XMM_HYPERCALL_INPUT)}},
	{"xmm-output", "output of fast hypercalls in registers", false,
		{.privileges = P(FAST_HYPERCALL_OUTPUT), .features = F(XMM_HYPERCALL_OUTPUT)}},
};
/* clang-format on */
#undef P
#undef F
#undef R

#define ROWS (sizeof table / sizeof table[0])

/* While a list is read, spin_attempts 0 stands for never. */
static void add(struct enlightenments *to, const struct enlightenments *bits)
{
	to->privileges |= bits->privileges;
	to->features |= bits->features;
	to->recommendations |= bits->recommendations;
	to->spin_attempts |= bits->spin_attempts;
}

static void take(struct enlightenments *from, const struct enlightenments *bits)
{
	from->privileges &= ~bits->privileges;
	from->features &= ~bits->features;
	from->recommendations &= ~bits->recommendations;
	from->spin_attempts &= ~bits->spin_attempts;
}

static bool is_word(const char *name, const char *word, size_t bytes)
{
	return strlen(name) == bytes && memcmp(name, word, bytes) == 0;
}

/* What a word stands for. False: nothing. */
static bool word_find(const char *word, size_t bytes, struct enlightenments *out)
{
	const bool is_all = is_word("all", word, bytes);
	const bool is_fast = is_word("fast", word, bytes);
	bool is_known = is_all || is_fast;

	*out = (struct enlightenments){0};
	for (size_t i = 0; i < ROWS; i++) {
		const bool is_it = is_word(table[i].name, word, bytes);
		if (is_it || is_all || (is_fast && table[i].is_fast))
			add(out, &table[i].bits);
		is_known |= is_it;
	}
	return is_known;
}

int enlightenments_parse(
	const char *text, struct enlightenments *out, const char **unknown, size_t *unknown_bytes)
{
	*out = (struct enlightenments){0};
	for (const char *word = text;;) {
		const size_t bytes = strcspn(word, ",");
		const bool is_taken = bytes > 0 && word[0] == '-';
		struct enlightenments bits;
		if (!word_find(word + is_taken, bytes - is_taken, &bits)) {
			*unknown = word;
			*unknown_bytes = bytes;
			return -EINVAL;
		}
		if (is_taken)
			take(out, &bits);
		else
			add(out, &bits);
		if (word[bytes] == '\0')
			break;
		word += bytes + 1;
	}
	if (out->spin_attempts == 0)
		out->spin_attempts = HV_SPIN_NEVER_NOTIFY;
	return 0;
}

const char *enlightenment_name(size_t i, const char **what)
{
	if (i >= ROWS)
		return NULL;
	*what = table[i].what;
	return table[i].name;
}
