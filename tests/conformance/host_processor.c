// SPDX-License-Identifier: Apache-2.0
/*
 * What only a processor of its own shows: modes in which no call may be made, general
 * registers, the hypercall page as code, idling, interrupts that end by themselves, input
 * that another VP changes.
 */
#include "guest/winhv/calls.h"
#include "tests/conformance/conform_areas.h"

#define BP	   3u
#define UD	   6u
#define GP	   13u
#define NOBODY	   0xddddu /* no connection has this id */
#define VECTOR	   0xd9u
#define SIGNAL	   (hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST)
#define SIGNAL_TO  hv_signal_event_fast(NOBODY, 0)
#define POST	   hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 0)
#define RACES	   2000u
#define BARE_METAL NEED(t->machine != NULL, "a process has no processor of its own")

/* ---- modes and registers ------------------------------------------------------------------- */

static enum conform_verdict user(struct conform_target *t)
{
	static const uint64_t wrong[] = {0, UINT64_MAX, 0x7fff};

	BARE_METAL;
	unsigned vector = t->machine->call_user(SIGNAL, SIGNAL_TO, 0);
	EXPECT(vector == UD, "at CPL 3, %s (%u)",
		vector == BP ? "the call returned" : "there was another exception", vector);
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		vector = t->machine->call_user(wrong[i], 0, 0);
		EXPECT(vector == UD, "at CPL 3, control 0x%llx gave exception %u, not #UD",
			(unsigned long long)wrong[i], vector);
	}
	/* And it goes on at CPL 0. */
	const uint16_t status = conform_status(t, SIGNAL, SIGNAL_TO, 0);
	EXPECT(status == HV_STATUS_INVALID_CONNECTION_ID, "then, at CPL 0, status 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict registers_kept(
	struct conform_target *t, uint64_t control, uint64_t rdx, uint64_t r8, uint16_t wanted)
{
	const struct conform_registers before = {.rax = 0xbbbb,
		.rbx = 0x1111111111111111,
		.rcx = control,
		.rdx = rdx,
		.rsi = 0x2222222222222222,
		.rdi = 0x3333333333333333,
		.r8 = r8,
		.r9 = 0x4444444444444444,
		.r10 = 0x5555555555555555,
		.r11 = 0x6666666666666666,
		.r12 = 0x7777777777777777,
		.r13 = 0x8888888888888888,
		.r14 = 0x9999999999999999,
		.r15 = 0xaaaaaaaaaaaaaaaa};
	struct conform_registers after = before;

	const unsigned vector = t->machine->call(&after);
	EXPECT(vector == 0, "exception %u", vector);
	EXPECT(hv_hypercall_result_status(after.rax) == wanted, "status 0x%x",
		hv_hypercall_result_status(after.rax));
	after.rax = before.rax;
	for (unsigned i = 0; i < sizeof after / sizeof(uint64_t); i++) {
		uint64_t was, is;
		__builtin_memcpy(&was, (const uint8_t *)&before + 8 * i, sizeof was);
		__builtin_memcpy(&is, (const uint8_t *)&after + 8 * i, sizeof is);
		EXPECT(was == is, "register %u (RAX, RBX, RCX, RDX, RSI, RDI, R8, …) is 0x%llx", i,
			(unsigned long long)is);
	}
	return CONFORM_PASS;
}

static enum conform_verdict kept_by_fast(struct conform_target *t)
{
	BARE_METAL;
	return registers_kept(
		t, SIGNAL, SIGNAL_TO, 0xcccccccccccccccc, HV_STATUS_INVALID_CONNECTION_ID);
}

static enum conform_verdict kept_by_slow(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const struct hv_post_message_wire post = {
		.connection_id = NOBODY, .message_type = 1, .payload_size = 8};

	BARE_METAL;
	__builtin_memcpy(page.va, &post, sizeof post);
	return registers_kept(
		t, POST, page.gpa, 0xcccccccccccccccc, HV_STATUS_INVALID_CONNECTION_ID);
}

static enum conform_verdict kept_by_refused(struct conform_target *t)
{
	BARE_METAL;
	return registers_kept(t, 0x7abc, 0xeeeeeeeeeeeeeeee, 0xcccccccccccccccc,
		HV_STATUS_INVALID_HYPERCALL_CODE);
}

/* ---- the page ------------------------------------------------------------------------------ */

static enum conform_verdict code_at_once(struct conform_target *t)
{
	const uint64_t place = t->hv->code.gpa;

	BARE_METAL;
	for (unsigned i = 0; i < 4; i++) {
		const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
		__builtin_memset(page.va, 0xcc, WINHV_PAGE_BYTES);
		EXPECT(conform_write(t, 0, HV_X64_MSR_HYPERCALL, page.gpa | HV_MSR_PAGE_ENABLE),
			"HYPERCALL faults");
		EXPECT(((volatile uint8_t *)page.va)[0] != 0xcc, "no code can be read");
		t->hv->ops->hypercall_page_set(t->hv->ctx, &page);
		const uint16_t status = conform_status(t, SIGNAL, SIGNAL_TO, 0);
		EXPECT(status == HV_STATUS_INVALID_CONNECTION_ID, "a call there gave status 0x%x",
			status);
	}
	EXPECT(conform_write(t, 0, HV_X64_MSR_HYPERCALL, place | HV_MSR_PAGE_ENABLE),
		"HYPERCALL faults");
	t->hv->ops->hypercall_page_set(t->hv->ctx, &t->hv->code);
	return CONFORM_PASS;
}

static enum conform_verdict code_is_kept(struct conform_target *t)
{
	static const unsigned at[] = {0, 1, 2048, WINHV_PAGE_BYTES - 1};

	BARE_METAL;
	for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
		volatile uint8_t *byte = t->hv->code.va + at[i];
		const uint8_t before = *byte;
		const unsigned vector = t->machine->store(byte, (uint8_t)(before ^ 0xff));
		const uint8_t after = *byte;
		if (after != before)
			*byte = before; /* so that calls can still be made */
		NEED(vector != 0 || after == before,
			"this hypervisor keeps the code in the guest's memory");
		EXPECT(vector == GP && after == before,
			"writing byte %u gave exception %u, and it "
			"was %s",
			at[i], vector, after == before ? "kept" : "changed");
	}
	return CONFORM_PASS;
}

/* ---- idle and AutoEOI ---------------------------------------------------------------------- */

static bool taken(struct conform_target *t, uint32_t vp, uint32_t count)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;

	while (t->machine->interrupts(vp) < count)
		if (conform_now(t) >= deadline)
			return conform_no(t, "VP %u took %u interrupts, not %u", vp,
				t->machine->interrupts(vp), count);
	return true;
}

static enum conform_verdict idle_held_off(struct conform_target *t)
{
	BARE_METAL;
	t->machine->count(VECTOR);
	for (uint32_t i = 1; i <= 10; i++) {
		uint32_t early;
		EXPECT(t->machine->idle(VECTOR, &early), "GUEST_IDLE faults");
		EXPECT(early == i - 1, "an interrupt was taken with interrupts off");
		TRY(taken(t, 0, i));
	}
	return CONFORM_PASS;
}

struct idler {
	const struct conform_machine *machine;
	bool is_read, is_over;
};

static void idle_there(void *ctx)
{
	struct idler *idler = ctx;
	uint32_t early;

	idler->is_read = idler->machine->idle(0, &early);
	__atomic_store_n(&idler->is_over, true, __ATOMIC_RELEASE);
}

/* One that comes before the VP turns interrupts off is taken, and wakes nobody: they go on. */
static enum conform_verdict idle_woken(struct conform_target *t)
{
	BARE_METAL;
	t->machine->count(VECTOR);
	for (uint32_t i = 0; i < 10; i++) {
		struct idler idler = {.machine = t->machine};
		const uint32_t before = t->machine->interrupts(1);
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		t->machine->begin(1, idle_there, &idler);
		while (!__atomic_load_n(&idler.is_over, __ATOMIC_ACQUIRE) &&
			conform_now(t) < deadline) {
			const uint64_t until = conform_now(t) + 10000;
			while (conform_now(t) < until)
				;
			t->machine->raise(1, VECTOR);
		}
		t->machine->end(1);
		EXPECT(idler.is_read, "GUEST_IDLE faults");
		TRY(taken(t, 1, before + 1));
	}
	return CONFORM_PASS;
}

/* Three messages: each interrupt must have ended for the next to come. */
static enum conform_verdict auto_eoi(struct conform_target *t)
{
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	bool is_left = false;

	BARE_METAL;
	EXPECT(conform_write(
		       t, 0, HV_X64_MSR_SINT0 + VMBUS_SINT, HV_SINT_AUTO_EOI | CONFORM_VECTOR),
		"SINT2 faults");
	for (unsigned i = 0; i < 3 && !is_left; i++) {
		struct winhv_message message;
		uint32_t sints;
		EXPECT(conform_bus_post_to(t, VMBUS_CONNECTION_MESSAGE, &contact,
			       VMBUS_INITIATE_CONTACT_BYTES) == HV_STATUS_SUCCESS,
			"the contact could not be posted");
		EXPECT(winhv_wait(t->hv, 0, CONFORM_PATIENCE, &sints) == 0 &&
				(sints & 1u << VMBUS_SINT),
			"message %u raised no interrupt", i + 1);
		TRY(conform_bus_receive(t, &message));
		is_left = t->machine->in_service(CONFORM_VECTOR);
	}
	t->bus.version = VMBUS_VERSION_3_0;
	EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + VMBUS_SINT, CONFORM_VECTOR), "SINT2 faults");
	NEED(!is_left || !conform_is_recommended(t, HV_RECOMMEND_NO_AUTO_EOI),
		"an interrupt with bit 17 stays in service, which its documentation must say");
	EXPECT(!is_left, "an interrupt with bit 17 stays in service");
	return CONFORM_PASS;
}

/* ---- input that changes -------------------------------------------------------------------- */

struct changer {
	uint64_t *word;
	uint64_t one, other;
	bool is_over;
};

static void change(void *ctx)
{
	const struct changer *changer = ctx;

	while (!__atomic_load_n(&changer->is_over, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(changer->word, changer->one, __ATOMIC_RELEASE);
		__atomic_store_n(changer->word, changer->other, __ATOMIC_RELEASE);
	}
}

/* The call gives what one of the two would, whenever it looks; all else is a mixture. */
static enum conform_verdict changed(struct conform_target *t, struct changer *changer,
	uint64_t control, uint64_t gpa, uint16_t one, uint16_t other)
{
	uint16_t status = one;

	__atomic_store_n(changer->word, changer->one, __ATOMIC_RELEASE);
	t->machine->begin(1, change, changer);
	for (unsigned i = 0; i < RACES && (status == one || status == other); i++)
		status = conform_status(t, control, gpa, 0);
	__atomic_store_n(&changer->is_over, true, __ATOMIC_RELEASE);
	t->machine->end(1);
	EXPECT(status == one || status == other, "status 0x%x came, not 0x%x or 0x%x", status, one,
		other);
	return CONFORM_PASS;
}

/* Size and type are one word: {0, 8} or {1, 241} are refused, {1, 8} would be taken. */
static enum conform_verdict post_changes(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const struct hv_post_message_wire post = {.connection_id = VMBUS_CONNECTION_MESSAGE};
	struct changer changer = {.word = (uint64_t *)(void *)(page.va + 8),
		.one = 8ull << 32,
		.other = 241ull << 32 | VMBUS_SYNIC_MESSAGE_TYPE};

	BARE_METAL;
	__builtin_memcpy(page.va, &post, sizeof post);
	__atomic_store_n(changer.word, changer.one, __ATOMIC_RELEASE);
	const uint16_t one = conform_status(t, POST, page.gpa, 0);
	__atomic_store_n(changer.word, changer.other, __ATOMIC_RELEASE);
	const uint16_t other = conform_status(t, POST, page.gpa, 0);
	NEED(one != 0 && other != 0, "this host takes messages without a type, or of 241 bytes");
	return changed(t, &changer, POST, page.gpa, one, other);
}

/* Bank mask and words: 1 bit and 1 word are right, 3 bits are not. */
static enum conform_verdict set_changes(struct conform_target *t)
{
	const uint64_t control = hv_hypercall_input(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, 1, 0);
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const struct hv_send_ipi_ex_wire ipi = {.vector = VECTOR, .processors.bank_mask = 1};
	struct changer changer = {
		.word = (uint64_t *)(void *)(page.va + 16), .one = 1, .other = 0xff};

	BARE_METAL;
	NEED(conform_is_recommended(t, HV_RECOMMEND_CLUSTER_IPI | HV_RECOMMEND_EX_PROCESSOR_MASKS),
		"recommendations 10 and 11 are not on");
	t->machine->count(VECTOR);
	__builtin_memcpy(page.va, &ipi, sizeof ipi); /* the only bank is empty */
	TRY(changed(t, &changer, control, page.gpa, HV_STATUS_SUCCESS,
		    HV_STATUS_INVALID_HYPERCALL_INPUT) == CONFORM_PASS);
	EXPECT(t->machine->interrupts(0) == 0 && t->machine->interrupts(1) == 0,
		"a VP that was not named was interrupted");
	return CONFORM_PASS;
}

/* ---- the rows ------------------------------------------------------------------------------ */

/* clang-format off */
#define H	CONFORM_HYPERCALLS
#define SIGNALS HV_PRIVILEGE_SIGNAL_EVENTS
#define POSTS	HV_PRIVILEGE_POST_MESSAGES
#define IDLE	HV_PRIVILEGE_ACCESS_GUEST_IDLE

const struct conform_test conform_processor_tests[] = {
	{"R-HCALL-001", "a call at CPL 3 faults with #UD", user, H, SIGNALS, 0},
	{"R-HCALL-006", "a fast call keeps all registers", kept_by_fast, H, SIGNALS, 0},
	{"R-HCALL-006", "a call in memory keeps all registers", kept_by_slow, H, POSTS, 0},
	{"R-HCALL-006", "a call that is refused keeps all registers", kept_by_refused, H, 0, 0},
	{"R-REG-012", "the code is there when the write returns", code_at_once, H, SIGNALS, 0},
	{"R-REG-025", "the code cannot be written", code_is_kept, H, 0, 0},
	{"R-REG-016", "GUEST_IDLE ends by an interrupt that is held off", idle_held_off, 0, IDLE, 0},
	{"R-REG-016", "GUEST_IDLE ends by another VP's interrupt", idle_woken, CONFORM_VP_1, IDLE, 0},
	{"R-CPUID-031", "interrupts of a SINT with bit 17 end by themselves", auto_eoi, CONFORM_BUS,
		0, 0},
	{"R-HYP-002", "a post that changes meanwhile is one or the other", post_changes,
		CONFORM_BUS | CONFORM_VP_1, POSTS, 0},
	{"R-HYP-002", "a set that changes meanwhile is one or the other", set_changes,
		H | CONFORM_VP_1, 0, 0},
};
/* clang-format on */
const size_t conform_processor_test_count = sizeof conform_processor_tests /
					    sizeof conform_processor_tests[0];
