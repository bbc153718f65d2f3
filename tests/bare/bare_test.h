// SPDX-License-Identifier: Apache-2.0
/*
 * What the bare-metal test kernels share: checks that print one line each, the closing
 * total, and the discovery of what the hypervisor promises. Lines:
 *
 *	ok NAME
 *	not ok NAME: evidence
 *	skip NAME: reason
 *	N passed, N failed, N skipped
 *
 * A kernel is one file with test_main(). Of its groups of checks (test_group), the words
 * only=NAME,... and skip=NAME,... of the command line choose some. With the word "hold"
 * it halts at the end and leaves the machine as it is.
 *
 * Threads: checks are made on the boot VP.
 */
#ifndef TESTS_BARE_BARE_TEST_H
#define TESTS_BARE_BARE_TEST_H

#include "guest/winhv/bare/bare.h"
#include "guest/winhv/calls.h"
#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "protocol/spin.h"

#define TEST_OS_ID (HV_OS_ID_OPEN_SOURCE | 0x0fffull << 48 | 0x0001ull)

#define TEST_MS	    10000ull /* 100 ns units */
#define TEST_SECOND 10000000ull
/* Long enough for anything that must happen, on a machine that is emulated and busy. */
#define TEST_PATIENCE (15 * TEST_SECOND)
/* What must not happen would have happened by then. */
#define TEST_SETTLE (10 * TEST_MS)

/* The kernel's tests. Counted here; bare_main() prints the total and is the exit status. */
void test_main(void);

/* Returns the condition. */
bool check(bool condition, const char *name, const char *evidence, ...)
	__attribute__((format(printf, 3, 4)));
void skip(const char *name, const char *reason);
/* Should this group run? Prints "# name"; counts a skip if the command line leaves it out. */
bool test_group(const char *name);

static inline bool test_has(uint64_t privilege)
{
	return (bare.vps[0].hv.identity.privileges & privilege) == privilege;
}

static inline bool test_has_feature(uint32_t feature)
{
	return (bare.vps[0].hv.identity.features & feature) == feature;
}

static inline bool test_is_recommended(uint32_t hint)
{
	return (bare.vps[0].hv.identity.hints & hint) == hint;
}

/* Enable the hypercall page; false, after a skip or a failed check of `name`, if it cannot be. */
bool test_hypercalls(const char *name);

/* Exactly this control word, on the VP that runs this. -1: it faulted (vector in *fault). */
#define TEST_FAULTED 0xffffffffffffffffull
uint64_t test_call(
	uint64_t control, uint64_t input, uint64_t output, struct winhv_xmm *xmm, uint8_t *fault);
/* The same with parameters in memory or fast: the status alone, 0xffff if it faulted. */
uint16_t test_status(uint64_t control, uint64_t input, uint64_t output);

/* Are all bytes of the page `with`? */
bool test_is_filled(const volatile uint8_t *page, uint8_t with);

/* RDMSR and WRMSR on the VP that runs this; true if it did not fault. */
bool test_read(uint32_t msr, uint64_t *value);
bool test_write(uint32_t msr, uint64_t value);

/* The test device of the SynIC (port 0x3000). */
#define TEST_DEVICE_ROUTE_CREATE   1u
#define TEST_DEVICE_ROUTE_DESTROY  2u
#define TEST_DEVICE_ROUTE_SET_SINT 3u
#define TEST_DEVICE_MSG_CREATE	   4u
#define TEST_DEVICE_MSG_DESTROY	   5u
#define TEST_DEVICE_EVT_CREATE	   6u
#define TEST_DEVICE_EVT_DESTROY	   7u
void test_device(uint32_t command, uint32_t vp, uint32_t sint, uint32_t connection);
/*
 * Is it there? Tried with an event connection to SINT 15 of this VP, once hypercalls work;
 * leaves the SynIC enabled and the SINT masked.
 */
bool test_device_exists(void);

/* Counts interrupts of vectors, on each VP; acknowledges them unless told not to. */
extern volatile uint32_t test_interrupts[BARE_VPS_MAX][256];
void test_count_vector(unsigned vector, bool is_acknowledged);
/* Wait until VP `vp` has had at least `count` interrupts at `vector`. */
bool test_interrupts_reach(uint32_t vp, unsigned vector, uint32_t count);

#endif
