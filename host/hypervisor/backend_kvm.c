// SPDX-License-Identifier: Apache-2.0
/*
 * Life of the KVM backend. See backend_kvm.h, and backend_kvm_internal.h for its parts.
 */
#include "host/hypervisor/backend_kvm_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PARK_SECONDS  2
#define PARK_ROUND_MS 100u
#define NS_OF_MS      1000000
#define NS_OF_SECOND  1000000000

static void reset_request(void *ctx, uint32_t vp)
{
	backend_kvm_stop(ctx, vp, BACKEND_KVM_STOP_RESET, 0);
}

static const struct partition_backend_ops ops = {
	.name = "kvm",
	.has_vp_threads = true,
	.has_xmm = true,
	.interrupt_assert = kvm_interrupt_assert,
	.sint_changed = kvm_sint_changed,
	.vector_assert = kvm_vector_assert,
	.tlb_flush = kvm_tlb_flush,
	.tsc_read = kvm_tsc_read,
	.apic_read = kvm_apic_read,
	.apic_write = kvm_apic_write,
	.apic_id = kvm_apic_id,
	.run_time_100ns = kvm_run_time_100ns,
	.vp_idle = kvm_vp_idle,
	.register_read = kvm_register_read,
	.register_write = kvm_register_write,
	.event_port_changed = kvm_event_port_changed,
	.reset_request = reset_request,
};

/* ---- texts --------------------------------------------------------------------------------- */

const char *backend_kvm_stop_text(enum backend_kvm_stop stop)
{
	static const char *const texts[BACKEND_KVM_STOP_COUNT] = {
#define STOP_TEXT(NAME, text) [BACKEND_KVM_STOP_##NAME] = (text),
		BACKEND_KVM_STOPS(STOP_TEXT)
#undef STOP_TEXT
	};

	return stop < BACKEND_KVM_STOP_COUNT ? texts[stop] : "unknown";
}

const char *backend_kvm_exit_text(enum backend_kvm_exit exit)
{
	static const char *const texts[BACKEND_KVM_EXIT_COUNT] = {
#define EXIT_TEXT(NAME, text) [BACKEND_KVM_EXIT_##NAME] = (text),
		BACKEND_KVM_EXITS(EXIT_TEXT)
#undef EXIT_TEXT
	};

	return exit < BACKEND_KVM_EXIT_COUNT ? texts[exit] : "unknown";
}

/* ---- start, park, stop --------------------------------------------------------------------- */

int backend_kvm_start(struct backend_kvm *kvm)
{
	pthread_mutex_lock(&kvm->mutex);
	kvm->report = (struct kvm_stop_report){0};
	__atomic_store_n(&kvm->is_parking, 0, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&kvm->changed);
	pthread_mutex_unlock(&kvm->mutex);
	return 0;
}

/* With the mutex held. */
static void parking_begin(struct backend_kvm *kvm)
{
	__atomic_store_n(&kvm->is_parking, 1, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < kvm->thread_count; i++)
		kvm_vp_kick(&kvm->vps[i]);
}

int backend_kvm_park(struct backend_kvm *kvm)
{
	struct timespec until;
	int error = 0;

	pthread_mutex_lock(&kvm->mutex);
	for (unsigned round = 0; round < PARK_SECONDS * 1000u / PARK_ROUND_MS; round++) {
		parking_begin(kvm);
		/* From now: when the process was stopped, nobody has had the time that passed. */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += PARK_ROUND_MS * NS_OF_MS;
		if (until.tv_nsec >= NS_OF_SECOND) {
			until.tv_sec++;
			until.tv_nsec -= NS_OF_SECOND;
		}
		error = 0;
		while (kvm->parked < kvm->thread_count && error == 0)
			error = pthread_cond_timedwait(&kvm->changed, &kvm->mutex, &until);
		if (kvm->parked == kvm->thread_count)
			break;
	}
	error = kvm->parked == kvm->thread_count ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&kvm->mutex);
	return error;
}

void backend_kvm_stop(
	struct backend_kvm *kvm, uint32_t vp, enum backend_kvm_stop stop, uint64_t detail)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&kvm->mutex);
	if (!kvm->report.is_set) {
		kvm->report = (struct kvm_stop_report){
			.is_set = true, .stop = stop, .vp = vp, .detail = detail};
		/* It can only fail because it is readable already. */
		(void)!write(kvm->stop_fd, &one, sizeof one);
	}
	parking_begin(kvm);
	pthread_mutex_unlock(&kvm->mutex);
}

static void stop_tell(struct backend_kvm *kvm)
{
	uint64_t rung;

	if (read(kvm->stop_fd, &rung, sizeof rung) < 0)
		return;
	pthread_mutex_lock(&kvm->mutex);
	const struct kvm_stop_report report = kvm->report;
	kvm->report.is_told = true;
	pthread_mutex_unlock(&kvm->mutex);
	if (report.is_set && !report.is_told)
		kvm->callbacks.on_stop(kvm->callbacks.ctx, report.stop, report.vp, report.detail);
}

void backend_kvm_on_readable(struct backend_kvm *kvm, int fd)
{
	if (fd == kvm->stop_fd)
		stop_tell(kvm);
	else
		kvm_doorbell_ring(kvm, fd);
}

/* ---- creation ------------------------------------------------------------------------------ */

struct io_space *backend_kvm_ports(struct backend_kvm *kvm)
{
	return &kvm->ports;
}

struct io_space *backend_kvm_mmio(struct backend_kvm *kvm)
{
	return &kvm->mmio;
}

static struct backend_kvm *backend_new(
	struct partition *partition, const struct backend_kvm_callbacks *callbacks)
{
	const uint32_t vp_count = partition_vp_count(partition);
	struct backend_kvm *kvm = calloc(1, sizeof *kvm + vp_count * sizeof kvm->vps[0]);
	pthread_condattr_t attributes;

	if (!kvm)
		return NULL;
	kvm->partition = partition;
	kvm->callbacks = *callbacks;
	kvm->ops = ops;
	kvm->ops.hypercall_code = kvm_hypercall_code;
	kvm->ops.hypercall_code_bytes = kvm_hypercall_code_bytes;
	kvm->device_fd = kvm->vm_fd = kvm->stop_fd = -1;
	kvm->vp_count = vp_count;
	kvm->is_parking = 1;
	pthread_mutex_init(&kvm->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&kvm->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	for (uint32_t vp = 0; vp < vp_count; vp++) {
		kvm->vps[vp].kvm = kvm;
		kvm->vps[vp].index = vp;
		kvm->vps[vp].fd = -1;
	}
	for (uint32_t vp = 0; vp < LIMIT_VPS; vp++)
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
			kvm->routes[vp][sint].fd = -1;
	return kvm;
}

static int stop_fd_make(struct backend_kvm *kvm)
{
	kvm->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (kvm->stop_fd < 0)
		return -errno;
	const int error = kvm->callbacks.watch(kvm->callbacks.ctx, kvm->stop_fd);
	if (error) {
		close(kvm->stop_fd);
		kvm->stop_fd = -1;
	}
	return error;
}

/* CPUID says what the partition offers on this very backend: after it has been set. */
static int guest_view_set(struct backend_kvm *kvm)
{
	int error = 0;

	partition_backend_set(kvm->partition, &kvm->ops, kvm);
	for (uint32_t vp = 0; vp < kvm->vp_count && !error; vp++)
		error = kvm_cpuid_set(kvm, vp);
	if (!error)
		error = kvm_state_save(kvm);
	return error;
}

int backend_kvm_create(struct partition *partition, const struct backend_kvm_callbacks *callbacks,
	struct backend_kvm **out, char *error, size_t error_bytes)
{
	struct backend_kvm *kvm = backend_new(partition, callbacks);

	if (!kvm) {
		snprintf(error, error_bytes, "KVM: out of memory");
		return -ENOMEM;
	}
	int result = kvm_vm_create(kvm, error, error_bytes);
	if (result == 0) {
		result = guest_view_set(kvm);
		if (result == 0)
			result = stop_fd_make(kvm);
		if (result == 0)
			result = kvm_vp_threads_create(kvm);
		if (result < 0)
			snprintf(error, error_bytes, "KVM: cannot set up virtual processors: %s",
				strerror(-result));
	}
	if (result < 0) {
		backend_kvm_destroy(kvm);
		return result;
	}
	*out = kvm;
	return 0;
}

void backend_kvm_destroy(struct backend_kvm *kvm)
{
	if (!kvm)
		return;
	if (backend_kvm_park(kvm) < 0)
		return; /* a VP that cannot be stopped keeps what it may still use */
	kvm_vp_threads_join(kvm);
	partition_backend_set(kvm->partition, NULL, NULL);
	kvm_interrupts_destroy(kvm);
	if (kvm->stop_fd >= 0) {
		kvm->callbacks.unwatch(kvm->callbacks.ctx, kvm->stop_fd);
		close(kvm->stop_fd);
	}
	kvm_state_destroy(kvm);
	kvm_vm_destroy(kvm);
	pthread_cond_destroy(&kvm->changed);
	pthread_mutex_destroy(&kvm->mutex);
	free(kvm);
}

/* ---- statistics ---------------------------------------------------------------------------- */

void backend_kvm_statistics_get(struct backend_kvm *kvm, struct backend_kvm_statistics *out)
{
	*out = (struct backend_kvm_statistics){
		.doorbells = kvm->doorbells_rung,
		.interrupts_fd = __atomic_load_n(&kvm->interrupts_fd, __ATOMIC_RELAXED),
		.interrupts_ioctl = __atomic_load_n(&kvm->interrupts_ioctl, __ATOMIC_RELAXED),
	};
	for (uint32_t vp = 0; vp < kvm->vp_count; vp++)
		for (unsigned i = 0; i < BACKEND_KVM_EXIT_COUNT; i++)
			out->exits[i] += __atomic_load_n(&kvm->vps[vp].exits[i], __ATOMIC_RELAXED);
}
