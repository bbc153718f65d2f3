// SPDX-License-Identifier: Apache-2.0
/*
 * The scripted platform: a test plays the host. Memory is an array, time is a
 * number, hypercalls are logged, and the test decides what each post returns,
 * which messages arrive, which event bits are set, and when the host is gone.
 *
 *	struct platform_scripted script;
 *	platform_scripted_init(&script, memory, sizeof memory, 1);
 *	script.on_post = my_host;			// may answer at once
 *	winhv_init(&hv, &platform_scripted_ops, &script, 1);
 *	...
 *	platform_scripted_message(&script, 0, 2, 1, bytes, sizeof bytes);
 *
 * The SynIC of the script is that of the specification: one message in a slot,
 * the rest queued behind it with MessagePending set, the next one on EOM; an
 * event flag interrupts on 0 -> 1 only; a masked SINT never interrupts. Slots can
 * also be written raw, to play a hostile host.
 *
 * wait() never sleeps. With nothing pending it first runs on_wait (the host's
 * turn to do something); if there is still nothing, the clock moves forward to
 * the end of the time-out. A wait without time-out that nothing can end would
 * hang the test: after SCRIPTED_IDLE_WAITS_MAX of these in a row the host is
 * gone.
 *
 * No allocation, no libc but memcpy and memset, no threads.
 */
#ifndef GUEST_WINHV_PLATFORM_SCRIPTED_H
#define GUEST_WINHV_PLATFORM_SCRIPTED_H

#include "guest/winhv/winhv.h"

#define SCRIPTED_VPS_MAX	4u
#define SCRIPTED_POSTS_MAX	128u
#define SCRIPTED_SIGNALS_MAX	256u
#define SCRIPTED_QUEUE_MAX	256u
#define SCRIPTED_STATUSES_MAX	64u
#define SCRIPTED_PAGES_MAX	4096u
#define SCRIPTED_IDLE_WAITS_MAX 1000u

struct scripted_post {
	uint32_t vp;
	uint32_t connection_id;
	uint32_t type;
	uint32_t bytes;	 /* as posted; at most 240 are kept in payload */
	uint16_t status; /* what was answered */
	uint8_t payload[240];
};

struct scripted_signal {
	uint32_t connection_id;
	uint16_t flag_number;
};

struct scripted_message {
	uint32_t vp;
	uint32_t sint;
	uint32_t type;
	uint32_t bytes;
	uint8_t payload[240];
};

struct scripted_vp {
	uint64_t scontrol, siefp, simp;
	uint64_t sint[16];
	uint32_t pending; /* SINTs asserted since the last wait() */
	uint64_t eom_writes;
	bool is_armed;
};

/* Fields are the test's to read at any time, and to write where it says "set". */
struct platform_scripted {
	/* set: the host's answers. NULL: success, nothing happens. */
	void *ctx;
	/* A message was posted (already logged). Returns the HV_STATUS_* of the post. */
	uint16_t (*on_post)(
		void *ctx, struct platform_scripted *script, const struct scripted_post *post);
	void (*on_signal)(void *ctx, struct platform_scripted *script, uint32_t connection_id,
		uint16_t flag_number);
	/* The guest is about to sleep. */
	void (*on_wait)(void *ctx, struct platform_scripted *script, uint32_t vp);
	/* Hypercalls other than PostMessage and SignalEvent. NULL: status 2 (unknown). */
	uint64_t (*on_hypercall)(void *ctx, struct platform_scripted *script, uint64_t control,
		uint64_t input, uint64_t output, struct winhv_xmm *xmm);

	bool is_absent;		/* set: CPUID shows no hypervisor */
	bool is_gone;		/* set: everything fails with -VIRIDIAN_ENODEV */
	uint32_t faulting_msr;	/* set: this MSR faults (0: none) */
	uint32_t allocs_left;	/* set: pages_alloc fails when it reaches 0; starts at UINT32_MAX */
	uint16_t signal_status; /* set: what signal_event returns */
	uint64_t now_100ns;	/* set: the clock */

	uint64_t privileges; /* set: CPUID leaf 3; starts with all that winhv can use */
	uint64_t guest_os_id, hypercall_msr;
	uint32_t vp_count;
	struct scripted_vp vps[SCRIPTED_VPS_MAX];

	uint16_t statuses[SCRIPTED_STATUSES_MAX]; /* forced answers of the next posts, in order */
	unsigned status_count, status_next;

	uint64_t post_count; /* all of them; post n is in posts[n % SCRIPTED_POSTS_MAX] */
	struct scripted_post posts[SCRIPTED_POSTS_MAX];
	uint64_t signal_count; /* all of them; likewise */
	struct scripted_signal signals[SCRIPTED_SIGNALS_MAX];
	uint64_t hypercall_count;

	struct scripted_message queue[SCRIPTED_QUEUE_MAX]; /* waiting behind slots, oldest first */
	unsigned queue_count;

	uint8_t *memory; /* borrowed from the test for the life of the script; page aligned */
	size_t memory_bytes;
	bool page_used[SCRIPTED_PAGES_MAX];
	unsigned pages_used; /* 0 after winhv_shutdown(): nothing leaked */
	unsigned idle_waits;
};

extern const struct winhv_platform_ops platform_scripted_ops;

/*
 * Start afresh over `memory` (page aligned, a page multiple, ≥ 8 pages, ≤ 16 MiB),
 * which gets zeroed. vp_count 1..SCRIPTED_VPS_MAX. GPA = offset in memory; page 0
 * is never given out. Returns 0 or -VIRIDIAN_EINVAL.
 */
int platform_scripted_init(
	struct platform_scripted *script, void *memory, size_t memory_bytes, uint32_t vp_count);

/* Answer the next `times` posts with `status` instead of asking on_post. */
void platform_scripted_post_status(
	struct platform_scripted *script, uint16_t status, unsigned times);

/* The last post, or the one `back` before it; NULL if there was none. */
const struct scripted_post *platform_scripted_post(
	const struct platform_scripted *script, unsigned back);

/*
 * Send a message from the host. 0; -VIRIDIAN_ENOMEM if SCRIPTED_QUEUE_MAX wait already;
 * -VIRIDIAN_EINVAL for a bad VP, SINT or more than 240 bytes.
 */
int platform_scripted_message(struct platform_scripted *script, uint32_t vp, uint32_t sint,
	uint32_t type, const void *payload, size_t bytes);

/* Set an event flag (0..2047) and interrupt. -VIRIDIAN_ENODEV if SynIC or SINT are off. */
int platform_scripted_event(
	struct platform_scripted *script, uint32_t vp, uint32_t sint, uint32_t flag);

/* Raw bytes of the message slot (256) or event flags (256) of a SINT; NULL if the page is off. */
uint8_t *platform_scripted_slot(struct platform_scripted *script, uint32_t vp, uint32_t sint);
uint8_t *platform_scripted_flags(struct platform_scripted *script, uint32_t vp, uint32_t sint);

/* Assert a SINT with nothing behind it (a spurious interrupt). */
void platform_scripted_interrupt(struct platform_scripted *script, uint32_t vp, uint32_t sint);

/* Host pointer to guest-physical memory (to follow a GPADL), or NULL if out of range. */
void *platform_scripted_at(struct platform_scripted *script, uint64_t gpa, uint64_t bytes);

#endif
