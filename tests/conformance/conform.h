// SPDX-License-Identifier: Apache-2.0
/*
 * What a conformance test sees. A test judges one rule of the host's side from inside a
 * partition: it asks winhv, never a host, so the same object file runs as a process in a
 * loopback partition and in a bare-metal image on any hypervisor.
 *
 *	host_<area>.c: const table of struct conform_test
 *	   |  conform_bus.h (control messages), conform_channel.h (rings)
 *	struct conform_target (this file)
 *	   |  winhv		^ format: text for people, the only thing of an OS
 *	runner: target_loopback_linux.c, or the main() of an image
 *
 * Tests of guests have the same rows, verdicts and target; what they see is in scripted_host.h
 * (our guest library) and linux/guest.h (a Linux guest).
 *
 * The runner gives each test a partition that nobody has used since its last reset, or at
 * least one that conform_end() has left. A test returns a verdict; failing and skipping
 * leave one line of evidence or reason in the target. It never waits without a deadline
 * (CONFORM_PATIENCE), and shows that nothing comes by a fence (conform_bus_quiet()), not
 * by a pause. What the target does not promise (CPUID, VPs, offers) is a skip; what it
 * promises and does not keep is a failure.
 *
 * Threads: one. Freestanding: no libc, no globals; tables are constant.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_H
#define TESTS_CONFORMANCE_CONFORM_H

#include "guest/winhv/winhv.h"
#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "protocol/vmbus.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFORM_OS_ID	       (1ull << 63 | 0x7full << 56) /* open source, of no listed kind */
#define CONFORM_VECTOR	       0xf3u
#define CONFORM_PATIENCE       30000000ull /* 3 s, in 100 ns: what must come has come by then */
#define CONFORM_EVIDENCE_BYTES 240u
#define CONFORM_INBOX_MESSAGES 96u
#define CONFORM_OFFERS_MAX     64u

enum conform_verdict {
	CONFORM_PASS,
	CONFORM_FAIL,
	CONFORM_SKIP,
};

/* What conform_run() sets up, and checks that the target promises it. */
enum conform_need {
	CONFORM_HYPERCALLS = 0x1, /* the hypercall page is enabled */
	CONFORM_SYNIC = 0x3,	  /* and SINT 2 of VP 0 */
	CONFORM_BUS = 0x7,	  /* and a host answers on connection 1; not connected yet */
	CONFORM_VP_1 = 0x8,	  /* a second VP */
	CONFORM_LAST = 0x10,	  /* only a reset undoes what it does: others run before it */
};

/* Control messages that came and were not looked at yet, and what is known of the host. */
struct conform_bus {
	uint32_t version;	/* of the contact in force; 0: none */
	uint32_t features;	/* granted */
	uint32_t connection_id; /* that conform_bus_post() uses */
	uint32_t vp;		/* that messages come to */
	uint32_t gpadl_next;
	struct winhv_pages interrupt_page; /* for versions below 2.4, made when first needed */
	struct winhv_pages fence_page;	   /* for conform_bus_quiet(), likewise */
	bool is_renewed; /* by conform_bus_quiet(), which found no other way: see there */
	uint32_t offer_count;
	struct vmbus_offer_channel_wire offers[CONFORM_OFFERS_MAX];
	uint32_t inbox_first, inbox_count;
	struct winhv_message inbox[CONFORM_INBOX_MESSAGES];
};

/* General registers, for calls that look at all of them. RSP and RBP are kept. */
struct conform_registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

/*
 * What an image on bare metal can do and a process cannot. VPs are numbered as winhv's are.
 * "This VP" is the one that calls. Vectors of exceptions: 3 #BP, 6 #UD, 13 #GP, 14 #PF; 0: none.
 */
struct conform_machine {
	/* From now on interrupts at `vector` (32.., no SINT's) are counted, on all VPs. */
	void (*count)(unsigned vector);
	/* How many VP `vp` has taken. */
	uint32_t (*interrupts)(uint32_t vp);
	/* Call fn(ctx) on this VP, and return when it is done. */
	void (*run_on)(uint32_t vp, void (*fn)(void *ctx), void *ctx);
	/* Begin that, and wait for its end: this VP does something meanwhile. Not for its own. */
	void (*begin)(uint32_t vp, void (*fn)(void *ctx), void *ctx);
	void (*end)(uint32_t vp);
	/* Map the page `gpa` for reading at the address that this returns, the same each time. */
	const volatile uint8_t *(*window)(uint64_t gpa);
	/* Now let it be another: the entry alone, translations of it stay. */
	void (*window_change)(uint64_t gpa);
	/* Call the hypercall page with these registers; what they are then. The exception, or 0. */
	unsigned (*call)(struct conform_registers *registers);
	/* A hypercall at CPL 3. The exception; #BP if it returned. */
	unsigned (*call_user)(uint64_t control, uint64_t input, uint64_t output);
	/* Write a byte. The exception, or 0. */
	unsigned (*store)(volatile uint8_t *at, uint8_t value);
	/* A fixed interrupt at `vector` to VP `vp`, by the APIC. */
	void (*raise)(uint32_t vp, unsigned vector);
	/*
	 * With interrupts off: raise `vector`, unless it is 0, on this VP, and read GUEST_IDLE.
	 * False if that faults; *early: how many of count()'s this VP has taken when it returns.
	 */
	bool (*idle)(unsigned vector, uint32_t *early);
	/* Was `vector` delivered to this VP, and not ended? Then it is, now. */
	bool (*in_service)(unsigned vector);
};

struct conform_target {
	struct winhv *hv;		       /* initialised; hypercalls not enabled */
	uint64_t memory_bytes;		       /* guest-physical memory ends here; 0: not known */
	const struct conform_machine *machine; /* NULL: a process */
	/* vsnprintf() of the runner: %s %c %d %u %x %lx %llx %zu with width and 0 are used. */
	int (*format)(char *buffer, size_t bytes, const char *text, va_list arguments);
	struct conform_bus bus;
	char evidence[CONFORM_EVIDENCE_BYTES]; /* of a failure, reason of a skip; one line */
};

struct conform_test {
	const char *rule; /* "R-HCALL-002" */
	const char *name; /* what the host does, in a few words; unique under its rule */
	enum conform_verdict (*run)(struct conform_target *t);
	uint32_t needs;	     /* enum conform_need */
	uint64_t privileges; /* HV_PRIVILEGE_*: all of them, or the test is skipped */
	uint32_t features;   /* HV_FEATURE_* likewise */
} PROTOCOL_PACKED;	     /* there are hundreds, and the image is small */

struct conform_area {
	const char *name; /* "hypercall" */
	const struct conform_test *tests;
	const size_t *count; /* beside the table, in its file */
};

/* All areas of the host's side, in the order in which they run. */
extern const struct conform_area conform_host_areas[];
extern const size_t conform_host_area_count;

/* Prepare, run, and leave the partition as conform_end() does. */
enum conform_verdict conform_run(struct conform_target *t, const struct conform_test *test);
/* End the connection, turn SynIC and hypercalls off: for targets that stay for the next test. */
void conform_end(struct conform_target *t);

/* Set the evidence. */
void conform_note(struct conform_target *t, const char *text, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, as a verdict, or as the false that a helper returns. */
#define conform_fail(t, ...) (conform_note(t, __VA_ARGS__), CONFORM_FAIL)
#define conform_skip(t, ...) (conform_note(t, __VA_ARGS__), CONFORM_SKIP)
#define conform_no(t, ...)   (conform_note(t, __VA_ARGS__), false)

/* The condition holds, or the test fails with this evidence. */
#define EXPECT(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return conform_fail(t, __VA_ARGS__);                                       \
	} while (0)
/* A helper that has set the evidence when it returns false. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		if (!(call))                                                                       \
			return CONFORM_FAIL;                                                       \
	} while (0)
/* The target promises it, or the test is skipped. */
#define NEED(condition, ...)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return conform_skip(t, __VA_ARGS__);                                       \
	} while (0)

/* ---- hypercalls and registers, as they are -------------------------------------------------- */

#define CONFORM_FAULT 0xffffu /* instead of a status: #UD or #GP */

static inline bool conform_has(const struct conform_target *t, uint64_t privileges)
{
	return (t->hv->identity.privileges & privileges) == privileges;
}

static inline bool conform_has_feature(const struct conform_target *t, uint32_t features)
{
	return (t->hv->identity.features & features) == features;
}

static inline bool conform_is_recommended(const struct conform_target *t, uint32_t hints)
{
	return (t->hv->identity.hints & hints) == hints;
}

/* Exactly this control word and these parameters on VP 0: the result value; status CONFORM_FAULT
 * if it faulted. `xmm` may be NULL. */
uint64_t conform_call(struct conform_target *t, uint64_t control, uint64_t input, uint64_t output,
	struct winhv_xmm *xmm);
static inline uint16_t conform_status(
	struct conform_target *t, uint64_t control, uint64_t input, uint64_t output)
{
	return hv_hypercall_result_status(conform_call(t, control, input, output, NULL));
}

/* RDMSR and WRMSR on a VP: false if they fault. */
bool conform_read(struct conform_target *t, uint32_t vp, uint32_t msr, uint64_t *value);
bool conform_write(struct conform_target *t, uint32_t vp, uint32_t msr, uint64_t value);

/* Zeroed pages that both sides see; freed with the partition. NULL va: none left. */
struct winhv_pages conform_pages(struct conform_target *t, size_t bytes);

static inline uint64_t conform_now(const struct conform_target *t)
{
	return winhv_time_100ns(t->hv);
}

#endif
