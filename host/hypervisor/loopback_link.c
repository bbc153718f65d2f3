// SPDX-License-Identifier: Apache-2.0
/*
 * The link to one loopback guest. See loopback_link.h.
 */
#include "host/hypervisor/loopback_link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX (3u + LOOPBACK_VP_MAX)

#define HOST_OFFSET(field) offsetof(struct loopback_host_wire, field)
#define VP_OFFSET(field)   offsetof(struct loopback_vp_wire, field)

/* Words of the control region; all of them are naturally aligned. */
static uint32_t *word32(const struct loopback_link *link, size_t offset)
{
	return (uint32_t *)(void *)(link->control + offset);
}

static uint64_t *word64(const struct loopback_link *link, size_t offset)
{
	return (uint64_t *)(void *)(link->control + offset);
}

static size_t vp_page(uint32_t vp)
{
	return (1u + (size_t)vp) * LOOPBACK_PAGE_BYTES;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static int pipe_open(struct loopback_pipe *pipe)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	pipe->read_fd = ends[0];
	pipe->write_fd = ends[1];
	return 0;
}

static void pipe_close(struct loopback_pipe *pipe)
{
	if (pipe->read_fd >= 0)
		close(pipe->read_fd);
	if (pipe->write_fd >= 0)
		close(pipe->write_fd);
	pipe->read_fd = -1;
	pipe->write_fd = -1;
}

void loopback_link_close(struct loopback_link *link)
{
	pipe_close(&link->bell);
	for (uint32_t vp = 0; vp < link->vp_count; vp++)
		pipe_close(&link->interrupts[vp]);
	if (link->control)
		munmap(link->control, link->control_bytes);
	if (link->control_fd >= 0)
		close(link->control_fd);
	link->control = NULL;
	link->control_fd = -1;
}

int loopback_link_open(struct loopback_link *link, struct partition *partition,
	struct backend_loopback_statistics *statistics)
{
	*link = (struct loopback_link){.generation = link->generation + 1};
	link->partition = partition;
	link->statistics = statistics;
	link->vp_count = partition_vp_count(partition);
	link->control_bytes = LOOPBACK_CONTROL_BYTES(link->vp_count);
	link->bell = (struct loopback_pipe){-1, -1};
	for (uint32_t vp = 0; vp < link->vp_count; vp++)
		link->interrupts[vp] = (struct loopback_pipe){-1, -1};

	link->control_fd = guest_memfd_create("viridian-control", link->control_bytes);
	int error = link->control_fd < 0 ? link->control_fd : pipe_open(&link->bell);
	for (uint32_t vp = 0; vp < link->vp_count && !error; vp++)
		error = pipe_open(&link->interrupts[vp]);
	if (!error) {
		void *control = mmap(NULL, link->control_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			link->control_fd, 0);
		if (control == MAP_FAILED)
			error = -errno;
		else
			link->control = control;
	}
	if (error)
		loopback_link_close(link);
	return error;
}

/* CLOCK_MONOTONIC when reference time was 0. */
static uint64_t time_base_ns(const struct loopback_link *link)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	const uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	const uint64_t age_ns = partition_time_100ns(link->partition) * 100;
	return age_ns < now_ns ? now_ns - age_ns : 0;
}

int loopback_link_welcome(const struct loopback_link *link, int fd)
{
	const struct guest_memory *memory = partition_memory(link->partition);
	struct loopback_welcome_wire wire = {
		.magic = LOOPBACK_MAGIC,
		.version = LOOPBACK_VERSION,
		.status = LOOPBACK_WELCOME_OK,
		.memory_bytes = memory->regions[0].bytes,
		.control_bytes = link->control_bytes,
		.vp_count = link->vp_count,
		.time_base_ns = time_base_ns(link),
	};
	int fds[FDS_MAX] = {memory->fd, link->control_fd, link->bell.write_fd};
	const size_t fds_bytes = (3u + link->vp_count) * sizeof fds[0];
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof fds)] = {0};
	struct iovec iov = {.iov_base = &wire, .iov_len = sizeof wire};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(fds_bytes),
	};

	for (uint32_t vp = 0; vp < link->vp_count; vp++)
		fds[3 + vp] = link->interrupts[vp].read_fd;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(fds_bytes);
	memcpy(CMSG_DATA(header), fds, fds_bytes);
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ---- interrupts, host to guest ------------------------------------------------------------- */

void loopback_link_interrupt(struct loopback_link *link, uint32_t vp, uint32_t sint)
{
	uint32_t *pending = word32(link, vp_page(vp) + VP_OFFSET(sint_pending));
	uint32_t *sleeping = word32(link, vp_page(vp) + VP_OFFSET(bell));

	link->statistics->interrupts++;
	__atomic_fetch_or(pending, 1u << sint, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(sleeping, __ATOMIC_SEQ_CST) == 0 ||
		__atomic_exchange_n(sleeping, 0, __ATOMIC_SEQ_CST) == 0)
		return;
	link->statistics->wakeups++;
	(void)!write(link->interrupts[vp].write_fd, "", 1);
}

/* ---- mailboxes ----------------------------------------------------------------------------- */

/* The fields of a request and its answer, in private memory. */
struct request {
	uint32_t kind;
	uint32_t fault;
	struct hypercall_registers registers;
};

static void request_take(const struct loopback_link *link, size_t page, struct request *request)
{
	struct loopback_vp_wire wire;
	const size_t first = VP_OFFSET(kind);
	const size_t end = VP_OFFSET(xmm) + sizeof wire.xmm;

	memcpy((uint8_t *)&wire + first, link->control + page + first, end - first);
	request->kind = wire.kind;
	request->fault = LOOPBACK_FAULT_NONE;
	request->registers.rax = 0;
	request->registers.rcx = wire.rcx;
	request->registers.rdx = wire.rdx;
	request->registers.r8 = wire.r8;
	memcpy(request->registers.xmm, wire.xmm, sizeof wire.xmm);
}

static void request_serve(struct loopback_link *link, uint32_t vp, struct request *request)
{
	struct hypercall_registers *registers = &request->registers;
	enum partition_fault fault = PARTITION_FAULT_NONE;
	uint32_t cpuid[4];

	switch (request->kind) {
	case LOOPBACK_REQUEST_HYPERCALL:
		fault = partition_hypercall(link->partition, vp, registers);
		break;
	case LOOPBACK_REQUEST_RDMSR:
		fault = partition_msr_read(
			link->partition, vp, (uint32_t)registers->rcx, &registers->rax);
		break;
	case LOOPBACK_REQUEST_WRMSR:
		fault = partition_msr_write(
			link->partition, vp, (uint32_t)registers->rcx, registers->rdx);
		break;
	case LOOPBACK_REQUEST_CPUID:
		partition_cpuid(link->partition, vp, (uint32_t)registers->rcx,
			(uint32_t)registers->rdx, cpuid);
		registers->xmm[0] = (uint64_t)cpuid[0] | (uint64_t)cpuid[1] << 32;
		registers->xmm[1] = (uint64_t)cpuid[2] | (uint64_t)cpuid[3] << 32;
		break;
	default:
		link->statistics->requests_invalid++;
		fault = PARTITION_FAULT_UD;
		break;
	}
	request->fault = fault == PARTITION_FAULT_GP   ? LOOPBACK_FAULT_GP
			 : fault == PARTITION_FAULT_UD ? LOOPBACK_FAULT_UD
						       : LOOPBACK_FAULT_NONE;
}

static void request_answer(
	const struct loopback_link *link, size_t page, const struct request *request)
{
	uint8_t *mailbox = link->control + page;
	uint32_t *state = word32(link, page + VP_OFFSET(state));

	memcpy(mailbox + VP_OFFSET(fault), &request->fault, sizeof request->fault);
	memcpy(mailbox + VP_OFFSET(rax), &request->registers.rax, sizeof(uint64_t));
	memcpy(mailbox + VP_OFFSET(rdx), &request->registers.rdx, sizeof(uint64_t));
	memcpy(mailbox + VP_OFFSET(r8), &request->registers.r8, sizeof(uint64_t));
	memcpy(mailbox + VP_OFFSET(xmm), request->registers.xmm, sizeof request->registers.xmm);
	__atomic_store_n(state, LOOPBACK_STATE_DONE, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(word32(link, page + VP_OFFSET(futex_waiting)), __ATOMIC_SEQ_CST) != 0)
		syscall(SYS_futex, state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* False if a callback has ended the link since `generation`. */
static bool is_alive(const struct loopback_link *link, uint64_t generation)
{
	return link->control && link->generation == generation;
}

static void mailbox_serve(struct loopback_link *link, uint32_t vp)
{
	const uint64_t generation = link->generation;
	struct request request;
	const size_t page = vp_page(vp);

	if (__atomic_load_n(word32(link, page + VP_OFFSET(state)), __ATOMIC_ACQUIRE) !=
		LOOPBACK_STATE_REQUESTED) {
		link->statistics->requests_invalid++;
		return;
	}
	link->statistics->requests++;
	request_take(link, page, &request);
	request_serve(link, vp, &request);
	if (is_alive(link, generation)) /* the request may have ended it */
		request_answer(link, page, &request);
}

/* ---- doorbell ------------------------------------------------------------------------------ */

/* Take all bits of a word; without a locked instruction if there are none. */
static uint64_t take(uint64_t *word)
{
	if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0)
		return 0;
	return __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
}

static bool signals_serve(struct loopback_link *link)
{
	const uint64_t generation = link->generation;
	uint64_t words = take(word64(link, HOST_OFFSET(signal_summary)));
	bool did = words != 0;

	for (; words && is_alive(link, generation); words &= words - 1) {
		const uint32_t word = (uint32_t)__builtin_ctzll(words);
		uint64_t bits = take(word64(link, HOST_OFFSET(signal) + word * sizeof(uint64_t)));
		for (; bits && is_alive(link, generation); bits &= bits - 1) {
			const uint32_t bit = word * 64 + (uint32_t)__builtin_ctzll(bits);
			link->statistics->signals++;
			partition_signal(link->partition, LOOPBACK_SIGNAL_BASE + bit, 0);
		}
	}
	return did;
}

bool loopback_link_poll(struct loopback_link *link)
{
	const uint64_t generation = link->generation;
	uint64_t vps = take(word64(link, HOST_OFFSET(mailbox_pending)));
	bool did = vps != 0;

	if (link->vp_count < 64)
		vps &= (1ull << link->vp_count) - 1;
	for (; vps && is_alive(link, generation); vps &= vps - 1)
		mailbox_serve(link, (uint32_t)__builtin_ctzll(vps));
	if (is_alive(link, generation))
		did |= signals_serve(link);
	return did;
}

bool loopback_link_arm(struct loopback_link *link)
{
	__atomic_store_n(word32(link, HOST_OFFSET(bell)), 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(word64(link, HOST_OFFSET(mailbox_pending)), __ATOMIC_SEQ_CST) == 0 &&
		__atomic_load_n(word64(link, HOST_OFFSET(signal_summary)), __ATOMIC_SEQ_CST) == 0)
		return true;
	loopback_link_disarm(link);
	return false;
}

void loopback_link_disarm(struct loopback_link *link)
{
	/* If it is 0 already, a byte is in the pipe or on its way: on_bell will take it out. */
	__atomic_store_n(word32(link, HOST_OFFSET(bell)), 0, __ATOMIC_RELAXED);
}

int loopback_link_bell_fd(const struct loopback_link *link)
{
	return link->bell.read_fd;
}

void loopback_link_on_bell(struct loopback_link *link)
{
	uint8_t bytes[512]; /* one, from a guest that keeps to the rules */

	link->statistics->doorbells++;
	(void)!read(link->bell.read_fd, bytes, sizeof bytes);
}
