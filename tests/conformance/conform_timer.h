// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic timers for conformance tests: start them, and take what comes, in order. Messages
 * are looked for in the slot of a SINT of their own, so that a test needs no interrupts.
 * That nothing comes is shown by timer 3, whose message must be the next.
 *
 * Functions that return false have set the evidence.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_TIMER_H
#define TESTS_CONFORMANCE_CONFORM_TIMER_H

#include "tests/conformance/conform.h"

#define TIMER_PRIVILEGES                                                                           \
	(HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS | HV_PRIVILEGE_ACCESS_SYNIC |                        \
		HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER)
#define TIMER_SINT	4u
#define TIMER_VECTOR	0xd4u
#define TIMER_TO_SINT	((uint64_t)TIMER_SINT << HV_STIMER_SINT_SHIFT)
#define TIMER_FENCE	3u
#define TIMER_CONFIG(n) (HV_X64_MSR_STIMER0_CONFIG + 2 * (n))
#define TIMER_COUNT(n)	(HV_X64_MSR_STIMER0_COUNT + 2 * (n))
#define TIMER_MS	10000ull /* 100 ns units */
/* Long enough to write a few registers before it, on a machine that is emulated and busy. */
#define TIMER_SOON (50 * TIMER_MS)

/* SINT 4 of the VP is unmasked, its slot empty, its timers off. */
bool conform_timer_begin(struct conform_target *t, uint32_t vp);
/* Off, all timers of all VPs: a target that stays is left so. */
void conform_timer_end(struct conform_target *t);

/* Partition reference time, by the register. */
uint64_t conform_reference(struct conform_target *t);

/* Count and configuration of a timer, in this order. */
bool conform_timer_set(
	struct conform_target *t, uint32_t vp, uint32_t n, uint64_t count, uint64_t config);
/* Its configuration, as it reads. */
bool conform_timer_config(struct conform_target *t, uint32_t vp, uint32_t n, uint64_t *config);

struct hv_message_wire *conform_timer_slot(struct conform_target *t, uint32_t vp);
/* Until a message is in the slot. */
bool conform_timer_await(struct conform_target *t, uint32_t vp);
/* The next message of any timer: checked, taken out of the slot, copied to *out. */
bool conform_timer_next(struct conform_target *t, uint32_t vp, struct hv_timer_message_wire *out);
/* The next message is timer n's. */
bool conform_timer_expect(
	struct conform_target *t, uint32_t vp, uint32_t n, struct hv_timer_message_wire *out);
/* No timer but the fence has a message until `until`. */
bool conform_timer_quiet(struct conform_target *t, uint32_t vp, uint64_t until, const char *what);

#endif
