// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback platform: life, requests through mailboxes, doorbell, waiting. See
 * platform_loopback_linux.h.
 */
#include "guest/winhv/platform_loopback_linux.h"

#include "guest/winhv/loopback_internal_linux.h"
#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "protocol/spin.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A request is answered in a few microseconds by a host that is awake. */
#define REQUEST_SPINS 256u
/* How often a sleeper looks whether the host is still there. */
#define REQUEST_SLICE_NS 50000000u
/* How often to try again while the host is starting. */
#define CONNECT_RETRY_NS 10000000u

#define HOST_OFFSET(field) offsetof(struct loopback_host_wire, field)
#define VP_OFFSET(field)   offsetof(struct loopback_vp_wire, field)

static uint32_t *word32(const struct platform_loopback *loopback, size_t offset)
{
	return (uint32_t *)(void *)(loopback->control + offset);
}

static uint64_t *word64(const struct platform_loopback *loopback, size_t offset)
{
	return (uint64_t *)(void *)(loopback->control + offset);
}

static size_t vp_page(uint32_t vp)
{
	return (1u + (size_t)vp) * LOOPBACK_PAGE_BYTES;
}

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};
}

/* ---- is the host there? -------------------------------------------------------------------- */

bool platform_loopback_is_gone(const struct platform_loopback *loopback)
{
	return __atomic_load_n(&loopback->is_gone, __ATOMIC_RELAXED);
}

/*
 * Whatever the host sends after its welcome is a good-bye, and so is a hang-up of an interrupt
 * pipe: one that is hung up would end every sleep at once.
 */
static bool host_look(struct platform_loopback *loopback, uint32_t vp)
{
	struct pollfd polls[2] = {
		{.fd = loopback->socket, .events = POLLIN},
		{.fd = loopback->vps[vp].interrupt_fd},
	};

	if (poll(polls, 2, 0) > 0)
		__atomic_store_n(&loopback->is_gone, true, __ATOMIC_RELAXED);
	return !platform_loopback_is_gone(loopback);
}

/* ---- the host's bell ----------------------------------------------------------------------- */

static void bell_ring(struct platform_loopback *loopback)
{
	uint32_t *sleeping = word32(loopback, HOST_OFFSET(bell));

	if (__atomic_load_n(sleeping, __ATOMIC_SEQ_CST) == 0 ||
		__atomic_exchange_n(sleeping, 0, __ATOMIC_SEQ_CST) == 0)
		return;
	count(&loopback->statistics.doorbells);
	(void)!write(loopback->bell_fd, "", 1);
}

/* ---- requests ------------------------------------------------------------------------------ */

struct request {
	uint32_t kind;
	uint32_t fault;
	uint64_t rax, rcx, rdx, r8;
	uint64_t xmm[12];
};

static void request_write(
	const struct platform_loopback *loopback, size_t page, const struct request *request)
{
	uint8_t *mailbox = loopback->control + page;

	memcpy(mailbox + VP_OFFSET(kind), &request->kind, sizeof request->kind);
	memcpy(mailbox + VP_OFFSET(rcx), &request->rcx, sizeof(uint64_t));
	memcpy(mailbox + VP_OFFSET(rdx), &request->rdx, sizeof(uint64_t));
	memcpy(mailbox + VP_OFFSET(r8), &request->r8, sizeof(uint64_t));
	memcpy(mailbox + VP_OFFSET(xmm), request->xmm, sizeof request->xmm);
}

static void answer_read(
	const struct platform_loopback *loopback, size_t page, struct request *request)
{
	const uint8_t *mailbox = loopback->control + page;

	memcpy(&request->fault, mailbox + VP_OFFSET(fault), sizeof request->fault);
	memcpy(&request->rax, mailbox + VP_OFFSET(rax), sizeof(uint64_t));
	memcpy(request->xmm, mailbox + VP_OFFSET(xmm), sizeof request->xmm);
}

/* Sleep until the mailbox is answered. */
static int answer_wait(struct platform_loopback *loopback, uint32_t vp)
{
	const size_t page = vp_page(vp);
	uint32_t *state = word32(loopback, page + VP_OFFSET(state));
	uint32_t *waiting = word32(loopback, page + VP_OFFSET(futex_waiting));

	for (unsigned i = 0; i < REQUEST_SPINS; i++) {
		if (__atomic_load_n(state, __ATOMIC_ACQUIRE) == LOOPBACK_STATE_DONE)
			return 0;
		spin_pause();
	}

	const uint64_t deadline = loopback_now_ns() + loopback->request_timeout_ns;
	int error = 0;
	__atomic_store_n(waiting, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(state, __ATOMIC_SEQ_CST) != LOOPBACK_STATE_DONE) {
		const uint64_t now = loopback_now_ns();
		if (now >= deadline) {
			error = -VIRIDIAN_ETIMEDOUT;
			break;
		}
		const uint64_t left = deadline - now;
		const struct timespec slice = timespec_of(
			left < REQUEST_SLICE_NS ? left : REQUEST_SLICE_NS);
		if (syscall(SYS_futex, state, FUTEX_WAIT, LOOPBACK_STATE_REQUESTED, &slice, NULL,
			    0) < 0 &&
			errno == ETIMEDOUT && !host_look(loopback, vp)) {
			error = -VIRIDIAN_ENODEV;
			break;
		}
	}
	__atomic_store_n(waiting, 0, __ATOMIC_RELAXED);
	return error;
}

/* One request in the mailbox of `vp`. 0 or a negative VIRIDIAN_E*. Any thread. */
static int request_make(struct platform_loopback *loopback, uint32_t vp, struct request *request)
{
	if (vp >= loopback->vp_count)
		return -VIRIDIAN_EINVAL;

	const size_t page = vp_page(vp);
	struct loopback_vp *state = &loopback->vps[vp];
	pthread_mutex_lock(&state->lock);
	int error = state->is_dead || platform_loopback_is_gone(loopback) ? -VIRIDIAN_ENODEV : 0;
	if (!error) {
		request_write(loopback, page, request);
		__atomic_store_n(word32(loopback, page + VP_OFFSET(state)),
			LOOPBACK_STATE_REQUESTED, __ATOMIC_RELEASE);
		__atomic_fetch_or(word64(loopback, HOST_OFFSET(mailbox_pending)), 1ull << vp,
			__ATOMIC_SEQ_CST);
		count(&loopback->statistics.requests);
		bell_ring(loopback);
		error = answer_wait(loopback, vp);
		if (error)
			state->is_dead = true;
	}
	if (!error) {
		answer_read(loopback, page, request);
		__atomic_store_n(word32(loopback, page + VP_OFFSET(state)), LOOPBACK_STATE_IDLE,
			__ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&state->lock);
	return error;
}

static void loopback_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	struct request request = {.kind = LOOPBACK_REQUEST_CPUID, .rcx = leaf, .rdx = subleaf};

	memset(out, 0, 4 * sizeof *out);
	if (request_make(ctx, 0, &request))
		return; /* no hypervisor answers: none is there */
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint32_t)(request.xmm[i / 2] >> 32 * (i % 2));
}

static int loopback_msr_read(void *ctx, uint32_t vp, uint32_t msr, uint64_t *value)
{
	struct request request = {.kind = LOOPBACK_REQUEST_RDMSR, .rcx = msr};
	const int error = request_make(ctx, vp, &request);

	if (error)
		return error;
	*value = request.rax;
	return request.fault == LOOPBACK_FAULT_NONE ? 0 : -VIRIDIAN_EINVAL;
}

static int loopback_msr_write(void *ctx, uint32_t vp, uint32_t msr, uint64_t value)
{
	struct request request = {.kind = LOOPBACK_REQUEST_WRMSR, .rcx = msr, .rdx = value};
	const int error = request_make(ctx, vp, &request);

	if (error)
		return error;
	return request.fault == LOOPBACK_FAULT_NONE ? 0 : -VIRIDIAN_EINVAL;
}

static int loopback_hypercall(void *ctx, uint32_t vp, uint64_t control, uint64_t input,
	uint64_t output, struct winhv_xmm *xmm, uint64_t *result)
{
	struct request request = {
		.kind = LOOPBACK_REQUEST_HYPERCALL,
		.rcx = control,
		.rdx = input,
		.r8 = output,
	};

	if (xmm)
		memcpy(request.xmm, xmm->word, sizeof request.xmm);
	const int error = request_make(ctx, vp, &request);
	if (error)
		return error;
	if (request.fault != LOOPBACK_FAULT_NONE)
		return -VIRIDIAN_ENOTSUP;
	if (xmm)
		memcpy(xmm->word, request.xmm, sizeof request.xmm);
	*result = request.rax;
	return 0;
}

static int loopback_signal_event(void *ctx, uint32_t connection_id, uint16_t flag_number)
{
	struct platform_loopback *loopback = ctx;
	const uint32_t number = connection_id - LOOPBACK_SIGNAL_BASE;

	if (connection_id < LOOPBACK_SIGNAL_BASE || number >= LOOPBACK_SIGNAL_COUNT ||
		flag_number != 0) {
		uint64_t result;
		const int error = loopback_hypercall(loopback, 0,
			hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST,
			hv_signal_event_fast(connection_id, flag_number), 0, NULL, &result);
		return error ? error : hv_hypercall_result_status(result);
	}

	/*
	 * The bit first, then its word in the summary: the host takes them the other way
	 * round. A summary bit that is still set after ours has not been taken yet.
	 */
	uint64_t *summary = word64(loopback, HOST_OFFSET(signal_summary));
	const uint64_t summary_bit = 1ull << number / 64;
	__atomic_fetch_or(word64(loopback, HOST_OFFSET(signal) + number / 64 * sizeof(uint64_t)),
		1ull << number % 64, __ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(summary, __ATOMIC_SEQ_CST) & summary_bit))
		__atomic_fetch_or(summary, summary_bit, __ATOMIC_SEQ_CST);
	bell_ring(loopback);
	return HV_STATUS_SUCCESS;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static uint32_t sints_take(struct platform_loopback *loopback, uint32_t vp)
{
	uint32_t *pending = word32(loopback, vp_page(vp) + VP_OFFSET(sint_pending));

	if (__atomic_load_n(pending, __ATOMIC_SEQ_CST) == 0)
		return 0;
	return __atomic_exchange_n(pending, 0, __ATOMIC_SEQ_CST) & 0xffffu;
}

static void loopback_wait_arm(void *ctx, uint32_t vp)
{
	struct platform_loopback *loopback = ctx;

	if (vp >= loopback->vp_count)
		return;
	loopback->vps[vp].is_armed = true;
	__atomic_store_n(word32(loopback, vp_page(vp) + VP_OFFSET(bell)), 1, __ATOMIC_SEQ_CST);
}

static void loopback_wait_disarm(void *ctx, uint32_t vp)
{
	struct platform_loopback *loopback = ctx;
	uint8_t bytes[64];

	if (vp >= loopback->vp_count)
		return;
	struct loopback_vp *state = &loopback->vps[vp];
	if (state->is_armed) {
		state->is_armed = false;
		if (__atomic_exchange_n(word32(loopback, vp_page(vp) + VP_OFFSET(bell)), 0,
			    __ATOMIC_SEQ_CST) == 0)
			state->is_rung = true;
	}
	/* If the byte is not there yet, it will be there the next time: a spurious wake-up. */
	if (state->is_rung && read(state->interrupt_fd, bytes, sizeof bytes) > 0)
		state->is_rung = false;
}

/* Sleep until the VP's bell rings, the host hangs up, or the time is over. */
static void sleep_until_rung(
	struct platform_loopback *loopback, uint32_t vp, uint64_t timeout_100ns)
{
	struct pollfd polls[2] = {
		{.fd = loopback->vps[vp].interrupt_fd, .events = POLLIN},
		{.fd = loopback->socket, .events = POLLIN},
	};
	const bool is_limited = timeout_100ns < INT64_MAX / 100;
	const struct timespec timeout = timespec_of(is_limited ? timeout_100ns * 100 : 0);

	count(&loopback->statistics.sleeps);
	if (ppoll(polls, 2, is_limited ? &timeout : NULL, NULL) <= 0)
		return;
	if (polls[0].revents & POLLIN)
		loopback->vps[vp].is_rung = true;
	if (polls[1].revents || (polls[0].revents & ~POLLIN))
		__atomic_store_n(&loopback->is_gone, true, __ATOMIC_RELAXED);
}

static int loopback_wait(void *ctx, uint32_t vp, uint64_t timeout_100ns, uint32_t *sints)
{
	struct platform_loopback *loopback = ctx;

	*sints = 0;
	if (vp >= loopback->vp_count)
		return -VIRIDIAN_EINVAL;

	struct loopback_vp *state = &loopback->vps[vp];
	const bool was_armed = state->is_armed;
	*sints = sints_take(loopback, vp);
	if (*sints == 0 && timeout_100ns > 0 && !platform_loopback_is_gone(loopback)) {
		if (!was_armed) {
			loopback_wait_arm(loopback, vp);
			*sints = sints_take(loopback, vp);
		}
		if (*sints == 0)
			sleep_until_rung(loopback, vp, timeout_100ns);
	} else if (*sints == 0 && was_armed) {
		host_look(loopback, vp);
	}
	loopback_wait_disarm(loopback, vp);
	*sints |= sints_take(loopback, vp);
	return *sints == 0 && platform_loopback_is_gone(loopback) ? -VIRIDIAN_ENODEV : 0;
}

static uint64_t loopback_time_100ns(void *ctx)
{
	const struct platform_loopback *loopback = ctx;

	return (loopback_now_ns() - loopback->time_base_ns) / 100;
}

const struct winhv_platform_ops platform_loopback_ops = {
	.name = "loopback",
	.cpuid = loopback_cpuid,
	.msr_read = loopback_msr_read,
	.msr_write = loopback_msr_write,
	.hypercall = loopback_hypercall,
	.signal_event = loopback_signal_event,
	.pages_alloc = loopback_pages_alloc,
	.pages_free = loopback_pages_free,
	.ring_map = loopback_ring_map,
	.ring_unmap = loopback_ring_unmap,
	.wait = loopback_wait,
	.wait_arm = loopback_wait_arm,
	.wait_disarm = loopback_wait_disarm,
	.time_100ns = loopback_time_100ns,
};

/* ---- life ---------------------------------------------------------------------------------- */

void platform_loopback_destroy(struct platform_loopback *loopback)
{
	if (!loopback)
		return;
	if (loopback->socket >= 0)
		close(loopback->socket);
	if (loopback->memory)
		munmap(loopback->memory, loopback->memory_bytes);
	if (loopback->control)
		munmap(loopback->control, loopback->control_bytes);
	if (loopback->memory_fd >= 0)
		close(loopback->memory_fd);
	if (loopback->bell_fd >= 0)
		close(loopback->bell_fd);
	for (uint32_t vp = 0; vp < LOOPBACK_VP_MAX; vp++) {
		if (loopback->vps[vp].interrupt_fd >= 0)
			close(loopback->vps[vp].interrupt_fd);
		pthread_mutex_destroy(&loopback->vps[vp].lock);
	}
	pthread_mutex_destroy(&loopback->pages_lock);
	free(loopback->pages_used);
	free(loopback);
}

static int attach_until(int fd, uint64_t deadline_ns, struct platform_loopback **out)
{
	struct platform_loopback *loopback = calloc(1, sizeof *loopback);

	if (!loopback) {
		close(fd);
		return -ENOMEM;
	}
	loopback->socket = fd;
	loopback->memory_fd = -1;
	loopback->bell_fd = -1;
	loopback->request_timeout_ns = PLATFORM_LOOPBACK_TIMEOUT_NS;
	pthread_mutex_init(&loopback->pages_lock, NULL);
	for (uint32_t vp = 0; vp < LOOPBACK_VP_MAX; vp++) {
		loopback->vps[vp].interrupt_fd = -1;
		pthread_mutex_init(&loopback->vps[vp].lock, NULL);
	}

	int error = loopback_join(loopback, fd, deadline_ns);
	if (!error)
		error = loopback_pages_init(loopback);
	if (error) {
		platform_loopback_destroy(loopback);
		return error;
	}
	*out = loopback;
	return 0;
}

static uint64_t deadline_of(uint64_t timeout_ns)
{
	const uint64_t now = loopback_now_ns();

	return timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
}

int platform_loopback_attach(int fd, uint64_t timeout_ns, struct platform_loopback **out)
{
	return attach_until(fd, deadline_of(timeout_ns), out);
}

int platform_loopback_connect(const char *path, uint64_t timeout_ns, struct platform_loopback **out)
{
	const uint64_t deadline = deadline_of(timeout_ns);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	for (;;) {
		const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
			return attach_until(fd, deadline, out);
		const int error = errno;
		close(fd);
		/* No socket yet, no one listening yet, or too many waiting. */
		if (error != ENOENT && error != ECONNREFUSED && error != EAGAIN && error != EINTR)
			return -error;
		if (loopback_now_ns() + CONNECT_RETRY_NS >= deadline)
			return error == EAGAIN ? -ETIMEDOUT : -error;
		const struct timespec pause = timespec_of(CONNECT_RETRY_NS);
		nanosleep(&pause, NULL);
	}
}

uint32_t platform_loopback_vp_count(const struct platform_loopback *loopback)
{
	return loopback->vp_count;
}

void platform_loopback_request_timeout_set(struct platform_loopback *loopback, uint64_t timeout_ns)
{
	loopback->request_timeout_ns = timeout_ns;
}

int platform_loopback_interrupt_fd(const struct platform_loopback *loopback, uint32_t vp)
{
	return vp < loopback->vp_count ? loopback->vps[vp].interrupt_fd : -1;
}

int platform_loopback_host_fd(const struct platform_loopback *loopback)
{
	return loopback->socket;
}

void platform_loopback_statistics_get(
	const struct platform_loopback *loopback, struct platform_loopback_statistics *out)
{
	out->requests = __atomic_load_n(&loopback->statistics.requests, __ATOMIC_RELAXED);
	out->doorbells = __atomic_load_n(&loopback->statistics.doorbells, __ATOMIC_RELAXED);
	out->sleeps = __atomic_load_n(&loopback->statistics.sleeps, __ATOMIC_RELAXED);
}
