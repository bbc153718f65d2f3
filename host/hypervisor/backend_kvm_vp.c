// SPDX-License-Identifier: Apache-2.0
/*
 * VP threads: each runs one VP, and waits while the VPs are parked.
 *
 * How a thread is told something while its VP runs: a flag is set, then immediate_exit, then
 * a signal is sent. The signal ends KVM_RUN; if it comes before KVM_RUN, immediate_exit does.
 * The thread clears immediate_exit first and looks at the flags afterwards, and it looks once
 * more after saying that it is in the guest: no flag is overlooked, and a thread that is not
 * in the guest need not be kicked.
 *
 *	thread: is_in_guest = 1; look at flags	  other: set flag; look at is_in_guest
 */
#include "host/hypervisor/backend_kvm_internal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

/*
 * Translations must be gone by then. It is time that the waiting thread has spent: a process that
 * was stopped for a while, or has few processors to run on, is none that hangs.
 */
#define FLUSH_NS 2000000000u
/* Between two looks at the pending interrupts of a VP that halts with interrupts off. */
#define IDLE_NS_MIN 20000
#define IDLE_NS_MAX 1000000

#define CR4_PGE	  (1u << 7)
#define RFLAGS_IF (1u << 9)

static int kick_signal(void)
{
	return SIGRTMIN;
}

static void on_kick(int number)
{
	(void)number; /* KVM_RUN has been interrupted, which is all that it is for */
}

static uint64_t own_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- from other threads -------------------------------------------------------------------- */

void kvm_vp_kick(struct kvm_vp *vp)
{
	if (!__atomic_load_n(&vp->is_in_guest, __ATOMIC_SEQ_CST))
		return;
	__atomic_store_n(&vp->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vp->thread, kick_signal());
}

void kvm_vp_request(struct kvm_vp *vp, uint32_t request)
{
	__atomic_fetch_or(&vp->requests, request, __ATOMIC_SEQ_CST);
	kvm_vp_kick(vp);
}

static bool is_parking(const struct backend_kvm *kvm)
{
	return __atomic_load_n(&kvm->is_parking, __ATOMIC_SEQ_CST);
}

static bool has_stale_translations(const struct kvm_vp *vp)
{
	return __atomic_load_n(&vp->is_in_guest, __ATOMIC_SEQ_CST) &&
	       (__atomic_load_n(&vp->requests, __ATOMIC_SEQ_CST) & KVM_VP_REQUEST_FLUSH);
}

void kvm_tlb_flush(void *ctx, uint32_t caller, uint64_t vps)
{
	struct backend_kvm *kvm = ctx;
	uint64_t start = 0;

	(void)caller; /* is not in the guest now */
	for (uint32_t vp = 0; vp < kvm->vp_count; vp++)
		if (vps >> vp & 1)
			kvm_vp_request(&kvm->vps[vp], KVM_VP_REQUEST_FLUSH);
	/* Whoever is out of the guest flushes before going in again. */
	for (uint32_t vp = 0; vp < kvm->vp_count; vp++) {
		while ((vps >> vp & 1) && has_stale_translations(&kvm->vps[vp])) {
			if (start == 0)
				start = own_time_ns();
			if (own_time_ns() - start > FLUSH_NS) {
				backend_kvm_stop(kvm, vp, BACKEND_KVM_STOP_FAILED, KVM_EXIT_INTR);
				return;
			}
			sched_yield();
		}
	}
}

void kvm_vp_idle(void *ctx, uint32_t vp)
{
	struct backend_kvm *kvm = ctx;

	__atomic_fetch_or(&kvm->vps[vp].requests, KVM_VP_REQUEST_IDLE, __ATOMIC_SEQ_CST);
}

uint64_t kvm_run_time_100ns(void *ctx, uint32_t vp)
{
	struct backend_kvm *kvm = ctx;
	struct timespec spent;
	clockid_t clock;

	if (pthread_getcpuclockid(kvm->vps[vp].thread, &clock) != 0 ||
		clock_gettime(clock, &spent) < 0)
		return 0;
	return (uint64_t)spent.tv_sec * 10000000u + (uint64_t)spent.tv_nsec / 100u;
}

/* ---- requests, on the VP's thread ---------------------------------------------------------- */

/* KVM drops all translations of a VP whose CR4 is set to something else. */
static void translations_forget(struct kvm_vp *vp)
{
	struct kvm_sregs sregs;

	if (ioctl(vp->fd, KVM_GET_SREGS, &sregs) < 0)
		return;
	sregs.cr4 ^= CR4_PGE;
	ioctl(vp->fd, KVM_SET_SREGS, &sregs);
	sregs.cr4 ^= CR4_PGE;
	ioctl(vp->fd, KVM_SET_SREGS, &sregs);
}

/* Interrupts, and what goes on in spite of them being off: NMI, INIT. */
static bool has_reason_to_wake(struct kvm_vp *vp)
{
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state state;
	uint32_t word;

	if (ioctl(vp->fd, KVM_GET_LAPIC, &lapic) < 0 ||
		ioctl(vp->fd, KVM_GET_VCPU_EVENTS, &events) < 0 ||
		ioctl(vp->fd, KVM_GET_MP_STATE, &state) < 0)
		return true;
	if (events.nmi.pending || events.nmi.injected || state.mp_state != KVM_MP_STATE_RUNNABLE)
		return true;
	for (size_t at = 0x200; at < 0x280; at += 0x10) { /* IRR */
		memcpy(&word, lapic.regs + at, sizeof word);
		if (word)
			return true;
	}
	return false;
}

/*
 * With interrupts on, KVM halts the VP. It would never wake one that has them off, but
 * GUEST_IDLE is also for those: they are watched from here.
 */
static void halt(struct kvm_vp *vp)
{
	struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_HALTED};
	struct timespec pause = {.tv_nsec = IDLE_NS_MIN};

	kvm_vp_complete(vp);
	if (vp->run->s.regs.regs.rflags & RFLAGS_IF) {
		ioctl(vp->fd, KVM_SET_MP_STATE, &state);
		return;
	}
	while (!is_parking(vp->kvm) && !has_reason_to_wake(vp)) {
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < IDLE_NS_MAX)
			pause.tv_nsec *= 2;
	}
}

static void auto_eoi_tell(struct kvm_vp *vp)
{
	const struct kvm_enable_cap synic = {.cap = KVM_CAP_HYPERV_SYNIC2};

	/* Not before it is needed: some KVMs do without hardware's APIC once it is on. */
	if (ioctl(vp->fd, KVM_ENABLE_CAP, &synic) < 0)
		return;
	vp->has_auto_eoi = true;
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++) {
		const uint64_t value = __atomic_load_n(&vp->sints[sint], __ATOMIC_SEQ_CST);
		kvm_msr_set(vp->fd, HV_X64_MSR_SINT0 + sint,
			value & HV_SINT_AUTO_EOI ? value : HV_SINT_MASKED);
	}
}

static void requests_serve(struct kvm_vp *vp)
{
	const uint32_t requests = __atomic_exchange_n(&vp->requests, 0, __ATOMIC_SEQ_CST);

	if (requests & KVM_VP_REQUEST_FLUSH)
		translations_forget(vp);
	if (requests & KVM_VP_REQUEST_AUTO_EOI)
		auto_eoi_tell(vp);
	if (requests & KVM_VP_REQUEST_IDLE)
		halt(vp);
}

/* ---- running ------------------------------------------------------------------------------- */

static void count(struct kvm_vp *vp, enum backend_kvm_exit exit)
{
	__atomic_fetch_add(&vp->exits[exit], 1, __ATOMIC_RELAXED);
}

void kvm_vp_complete(struct kvm_vp *vp)
{
	if (!vp->is_incomplete)
		return;
	__atomic_store_n(&vp->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	ioctl(vp->fd, KVM_RUN, NULL);
	__atomic_store_n(&vp->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	vp->is_incomplete = false;
}

/* One stay in the guest, and what it ended for. */
static void run_once(struct kvm_vp *vp)
{
	__atomic_store_n(&vp->is_in_guest, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vp->requests, __ATOMIC_SEQ_CST) || is_parking(vp->kvm)) {
		__atomic_store_n(&vp->is_in_guest, 0, __ATOMIC_SEQ_CST);
		return;
	}
	const int error = ioctl(vp->fd, KVM_RUN, NULL) < 0 ? errno : 0;
	__atomic_store_n(&vp->is_in_guest, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vp->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	vp->is_incomplete = false;

	if (error == EINTR) {
		count(vp, BACKEND_KVM_EXIT_INTERRUPTED);
	} else if (error == 0) {
		kvm_exit_dispatch(vp);
	} else if (error != EAGAIN) { /* EAGAIN: INIT has come, the VP waits for SIPI */
		backend_kvm_stop(vp->kvm, vp->index, BACKEND_KVM_STOP_FAILED,
			(uint64_t)error << 32 | KVM_EXIT_UNKNOWN);
	}
}

static void run_until_parked(struct kvm_vp *vp)
{
	while (!is_parking(vp->kvm)) {
		if (__atomic_load_n(&vp->requests, __ATOMIC_SEQ_CST))
			requests_serve(vp);
		run_once(vp);
	}
	kvm_vp_complete(vp);
}

static void *vp_main(void *ctx)
{
	struct kvm_vp *vp = ctx;
	struct backend_kvm *kvm = vp->kvm;

	pthread_mutex_lock(&kvm->mutex);
	while (!kvm->is_quitting) {
		kvm->parked++;
		pthread_cond_broadcast(&kvm->changed);
		while (is_parking(kvm) && !kvm->is_quitting)
			pthread_cond_wait(&kvm->changed, &kvm->mutex);
		kvm->parked--;
		pthread_mutex_unlock(&kvm->mutex);
		run_until_parked(vp);
		pthread_mutex_lock(&kvm->mutex);
	}
	pthread_mutex_unlock(&kvm->mutex);
	return NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

int kvm_vp_threads_create(struct backend_kvm *kvm)
{
	const struct sigaction action = {.sa_handler = on_kick};
	sigset_t all;
	sigset_t before;
	int error = 0;

	if (sigaction(kick_signal(), &action, NULL) < 0)
		return -errno;
	/* Signals of the process are for its other threads. */
	sigfillset(&all);
	sigdelset(&all, kick_signal());
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (kvm->thread_count < kvm->vp_count && !error) {
		struct kvm_vp *vp = &kvm->vps[kvm->thread_count];
		char name[16];
		error = pthread_create(&vp->thread, NULL, vp_main, vp);
		if (error)
			break;
		snprintf(name, sizeof name, "vp %u", kvm->thread_count);
		pthread_setname_np(vp->thread, name);
		kvm->thread_count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

void kvm_vp_threads_join(struct backend_kvm *kvm)
{
	pthread_mutex_lock(&kvm->mutex);
	kvm->is_quitting = true;
	pthread_cond_broadcast(&kvm->changed);
	pthread_mutex_unlock(&kvm->mutex);
	for (uint32_t i = 0; i < kvm->thread_count; i++)
		pthread_join(kvm->vps[i].thread, NULL);
}
