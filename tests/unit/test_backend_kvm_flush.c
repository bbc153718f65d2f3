// SPDX-License-Identifier: Apache-2.0
/*
 * Flushes of other VPs' translations, with a KVM that is a few lines of this file: what the
 * processors of a machine (or of an emulator that forgets translations at each exit) do not
 * show. A flush is over when each VP that it names has left the guest, and none of them enters
 * it again before KVM has been made to forget. Source: TLFS, "HvCallFlushVirtualAddressSpace".
 */
#include "host/hypervisor/backend_kvm_internal.h"
#include "tests/harness.h"

#include <errno.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define VPS	 3u
#define FIRST_FD 1000
#define CR4	 0x6a0ull
#define CR4_PGE	 0x080ull

static struct fake {
	struct kvm_run *run;
	uint64_t cr4, cr4_flipped;
	unsigned cr4_sets, entries;
	bool is_slow, is_to_be_flushed;
	unsigned stale_entries;
	sem_t entered, kicked, may_leave;
} fakes[VPS];
static struct backend_kvm *kvm;

/* ---- KVM ----------------------------------------------------------------------------------- */

static int fake_run(struct fake *fake)
{
	const struct timespec moment = {.tv_nsec = 100000};

	__atomic_fetch_add(&fake->entries, 1, __ATOMIC_SEQ_CST);
	if (fake->is_to_be_flushed && fake->cr4_sets == 0)
		fake->stale_entries++;
	sem_post(&fake->entered);
	while (!__atomic_load_n(&fake->run->immediate_exit, __ATOMIC_SEQ_CST))
		nanosleep(&moment, NULL);
	if (fake->is_slow) {
		fake->is_slow = false;
		fake->is_to_be_flushed = true;
		sem_post(&fake->kicked);
		while (sem_wait(&fake->may_leave) != 0)
			;
	}
	errno = EINTR;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct fake *fake = &fakes[fd - FIRST_FD];
	va_list args;

	va_start(args, request);
	struct kvm_sregs *sregs = va_arg(args, struct kvm_sregs *);
	va_end(args);
	switch (request) {
	case KVM_RUN:
		return fake_run(fake);
	case KVM_GET_SREGS:
		*sregs = (struct kvm_sregs){.cr4 = fake->cr4};
		return 0;
	case KVM_SET_SREGS:
		fake->cr4_flipped |= fake->cr4 ^ sregs->cr4;
		fake->cr4 = sregs->cr4;
		fake->cr4_sets++;
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

/* ---- life ---------------------------------------------------------------------------------- */

static void open(void)
{
	pthread_condattr_t attributes;

	kvm = calloc(1, sizeof *kvm + VPS * sizeof kvm->vps[0]);
	if (kvm == NULL)
		abort(); /* before anything that could be told of it */
	memset(fakes, 0, sizeof fakes);
	pthread_mutex_init(&kvm->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&kvm->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	kvm->vp_count = VPS;
	kvm->is_parking = 1;
	for (uint32_t i = 0; i < VPS; i++) {
		struct fake *fake = &fakes[i];
		fake->run = calloc(1, sizeof *fake->run);
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake->run);
		fake->cr4 = CR4;
		sem_init(&fake->entered, 0, 0);
		sem_init(&fake->kicked, 0, 0);
		sem_init(&fake->may_leave, 0, 0);
		kvm->vps[i].kvm = kvm;
		kvm->vps[i].index = i;
		kvm->vps[i].fd = FIRST_FD + (int)i;
		kvm->vps[i].run = fake->run;
	}
	CU_ASSERT_EQUAL_FATAL(kvm_vp_threads_create(kvm), 0);
	CU_ASSERT_EQUAL(backend_kvm_start(kvm), 0);
	for (uint32_t i = 0; i < VPS; i++)
		while (sem_wait(&fakes[i].entered) != 0)
			;
}

static void close(void)
{
	CU_ASSERT_EQUAL(backend_kvm_park(kvm), 0);
	kvm_vp_threads_join(kvm);
	for (uint32_t i = 0; i < VPS; i++)
		free(fakes[i].run);
	free(kvm);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void *flush_1_and_2(void *ctx)
{
	(void)ctx;
	kvm_tlb_flush(kvm, 0, 0x6);
	return NULL;
}

static bool is_over(pthread_t flusher, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return pthread_timedjoin_np(flusher, NULL, &until) == 0;
}

static void flush_waits_for_those_in_the_guest_and_they_forget(void)
{
	pthread_t flusher;

	open();
	fakes[2].is_slow = true;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&flusher, NULL, flush_1_and_2, NULL), 0);
	while (sem_wait(&fakes[2].kicked) != 0)
		;
	/* VP 2 is still in the guest, with what it knows. */
	CU_ASSERT_FALSE_FATAL(is_over(flusher, 200));
	sem_post(&fakes[2].may_leave);
	CU_ASSERT_TRUE(is_over(flusher, 10000));
	for (uint32_t i = 1; i < 3; i++) {
		while (sem_wait(&fakes[i].entered) != 0)
			;
		/* In the guest again, and KVM has been told before. */
		CU_ASSERT_EQUAL(fakes[i].cr4_sets, 2);
		CU_ASSERT_EQUAL(fakes[i].cr4_flipped, CR4_PGE);
		CU_ASSERT_EQUAL(fakes[i].cr4, CR4);
	}
	CU_ASSERT_EQUAL(fakes[2].stale_entries, 0);
	CU_ASSERT_EQUAL(fakes[0].cr4_sets, 0); /* was not named */
	CU_ASSERT_EQUAL(__atomic_load_n(&fakes[0].entries, __ATOMIC_SEQ_CST), 1);
	close();
}

static const struct test tests[] = {
	TEST(flush_waits_for_those_in_the_guest_and_they_forget),
};
TEST_MAIN("backend_kvm_flush", tests)
