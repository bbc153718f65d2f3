// SPDX-License-Identifier: Apache-2.0
/*
 * Both ends of the loopback transport on a bench: a host whose loop is poll(2) over
 * whatever the backend asks to watch, guests in processes of their own, and guests by
 * hand, who need not keep to the rules.
 */
#ifndef TESTS_LOOPBACK_LOOPBACK_RIG_H
#define TESTS_LOOPBACK_LOOPBACK_RIG_H

#include "guest/winhv/platform_loopback_linux.h"
#include "host/hypervisor/backend_loopback.h"
#include "host/limits.h"
#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "protocol/loopback.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEMORY	   (4ull << 20)
#define OS_ID	   0x8100000000000001ull
#define CONNECTION 1u
#define CHANNEL	   (LOOPBACK_SIGNAL_BASE + 5)
#define SINT	   2u
#define VECTOR	   0x41u
#define WATCH_MAX  16u
#define SECOND_NS  1000000000ull
/* Nothing here takes this long; a test that hangs fails instead. */
#define TOO_LONG_NS (60 * SECOND_NS)

/* Children cannot use CUnit: a check that fails ends them with its line. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: guest: %s\n", __FILE__, __LINE__, #condition);     \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* The compiler does not know that two addresses are one byte of memory. */
static inline void aliases_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* ---- the host ------------------------------------------------------------------------------ */

struct host {
	struct partition *partition;
	struct backend_loopback *backend;
	int watched[WATCH_MAX];
	unsigned watched_count;
	bool holds_memory; /* do not release at once */
	unsigned attached, gone;
	enum loopback_gone_reason last_reason;
	unsigned messages, events;
	uint64_t events_total; /* signals of the channel */
	bool echoes_messages;
	bool answers_signals; /* with an event flag and its interrupt */
};

static char path[64];

static inline int host_watch(void *ctx, int fd)
{
	struct host *host = ctx;

	if (host->watched_count == WATCH_MAX)
		return -ENOSPC;
	host->watched[host->watched_count++] = fd;
	return 0;
}

static inline void host_unwatch(void *ctx, int fd)
{
	struct host *host = ctx;

	for (unsigned i = 0; i < host->watched_count; i++)
		if (host->watched[i] == fd) {
			host->watched[i] = host->watched[--host->watched_count];
			return;
		}
	CU_FAIL("unwatch of a descriptor that is not watched");
}

static inline void host_attached(void *ctx)
{
	struct host *host = ctx;

	host->attached++;
}

static inline void host_gone(void *ctx, enum loopback_gone_reason reason)
{
	struct host *host = ctx;

	host->gone++;
	host->last_reason = reason;
	if (!host->holds_memory)
		backend_loopback_release(host->backend);
}

static inline uint16_t host_message(
	void *ctx, uint32_t connection_id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	struct host *host = ctx;

	(void)connection_id;
	host->messages++;
	if (host->echoes_messages && synic_message_post(host->partition, 0, SINT, type + 1,
					     CONNECTION, payload, bytes) != 0)
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	return HV_STATUS_SUCCESS;
}

static inline void host_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	struct host *host = ctx;

	(void)flag;
	host->events++;
	if (host->answers_signals)
		synic_event_set(host->partition, 0, SINT, connection_id - LOOPBACK_SIGNAL_BASE);
}

static inline void host_open(struct host *host, uint32_t vp_count)
{
	const struct partition_config config = {.memory_bytes = MEMORY, .vp_count = vp_count};
	const struct backend_loopback_callbacks callbacks = {
		.watch = host_watch,
		.unwatch = host_unwatch,
		.on_guest_attached = host_attached,
		.on_guest_gone = host_gone,
		.ctx = host,
	};

	memset(host, 0, sizeof *host);
	if (partition_create(&config, &host->partition) != 0 ||
		backend_loopback_create(host->partition, &callbacks, &host->backend) != 0)
		abort();
	partition_message_port_add(host->partition, CONNECTION, host_message, host);
	partition_event_port_add(host->partition, CHANNEL, 1, host_event, host);
	partition_event_port_add(host->partition, 7, 2, host_event, host);
}

static inline void host_listen(struct host *host)
{
	snprintf(path, sizeof path, "/tmp/viridian-test-%d", (int)getpid());
	CU_ASSERT_EQUAL_FATAL(backend_loopback_listen(host->backend, path), 0);
}

static inline void host_close(struct host *host)
{
	backend_loopback_destroy(host->backend);
	partition_destroy(host->partition);
	CU_ASSERT_EQUAL(host->watched_count, 0);
}

/*
 * One turn: poll until there is nothing, then arm and sleep up to `timeout_ms`. False if
 * it slept all that time.
 */
static inline bool host_turn(struct host *host, int timeout_ms)
{
	struct pollfd polls[WATCH_MAX];

	while (backend_loopback_poll(host->backend))
		;
	const unsigned count = host->watched_count;
	for (unsigned i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = host->watched[i], .events = POLLIN};
	const bool may_sleep = backend_loopback_arm(host->backend);
	const int ready = poll(polls, count, may_sleep ? timeout_ms : 0);
	backend_loopback_disarm(host->backend);
	for (unsigned i = 0; i < count && ready > 0; i++)
		if (polls[i].revents)
			backend_loopback_on_readable(host->backend, polls[i].fd);
	return ready != 0 || !may_sleep;
}

static inline void host_run_until(struct host *host, const unsigned *counter, unsigned value)
{
	const uint64_t deadline = now_ns() + TOO_LONG_NS;

	while (*counter < value && now_ns() < deadline)
		host_turn(host, 1000);
	CU_ASSERT_TRUE(*counter >= value);
}

/* Run the host until the child has ended; its exit status. */
static inline int host_run_until_exit(struct host *host, pid_t child)
{
	const uint64_t deadline = now_ns() + TOO_LONG_NS;
	int status;

	while (now_ns() < deadline) {
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		host_turn(host, 10);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return -1;
}

/* ---- the guest ----------------------------------------------------------------------------- */

struct guest {
	struct platform_loopback *loopback;
	struct winhv hv;
};

static inline void guest_join(struct guest *guest)
{
	CHECK(platform_loopback_connect(path, 5 * SECOND_NS, &guest->loopback) == 0);
}

static inline void guest_start(struct guest *guest)
{
	guest_join(guest);
	CHECK(winhv_init(&guest->hv, &platform_loopback_ops, guest->loopback,
		      platform_loopback_vp_count(guest->loopback)) == 0);
	CHECK(winhv_hypercall_enable(&guest->hv, OS_ID) == 0);
	CHECK(winhv_synic_enable(&guest->hv, 0, SINT, VECTOR) == 0);
}

static inline void guest_end(struct guest *guest)
{
	winhv_shutdown(&guest->hv);
	CHECK(guest->hv.pages_abandoned == 0);
	platform_loopback_destroy(guest->loopback);
}

/* Wait for SINT 2; false after ten seconds. */
static inline bool guest_wait(struct guest *guest)
{
	uint32_t sints = 0;
	const uint64_t deadline = winhv_time_100ns(&guest->hv) + 10 * HV_TIME_PER_SECOND;

	while (winhv_time_100ns(&guest->hv) < deadline) {
		if (winhv_wait(&guest->hv, 0, HV_TIME_PER_SECOND, &sints) != 0)
			return false;
		if (sints & 1u << SINT)
			return true;
	}
	return false;
}

/* Run `body` as a guest in a process of its own. */
static inline pid_t guest_fork(void (*body)(void))
{
	const pid_t child = fork();

	if (child == 0) {
		body();
		_exit(0);
	}
	return child;
}

/* Control region and descriptors of a guest, by hand. */
struct raw_guest {
	int socket;
	int fds[4]; /* memory, control, doorbell, interrupt of VP 0 */
	uint8_t *control;
	char *memory;
};

static inline void raw_guest_join(struct host *host, struct raw_guest *guest)
{
	int ends[2];
	const struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};
	_Alignas(struct cmsghdr) uint8_t control_bytes[CMSG_SPACE(sizeof guest->fds)];
	uint8_t packet[64];
	struct iovec iov = {packet, sizeof packet};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control_bytes,
		.msg_controllen = sizeof control_bytes,
	};

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CU_ASSERT_EQUAL(backend_loopback_attach(host->backend, ends[0]), 0);
	guest->socket = ends[1];
	CU_ASSERT_EQUAL(send(ends[1], &hello, sizeof hello, 0), (ssize_t)sizeof hello);
	host_run_until(host, &host->attached, host->attached + 1);
	if (recvmsg(ends[1], &message, MSG_DONTWAIT) != 48 || !CMSG_FIRSTHDR(&message) ||
		CMSG_FIRSTHDR(&message)->cmsg_len != CMSG_LEN(sizeof guest->fds))
		abort();
	memcpy(guest->fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof guest->fds);
	guest->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fds[0], 0);
	guest->control = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fds[1], 0);
	if (guest->memory == MAP_FAILED || guest->control == MAP_FAILED)
		abort();
}

static inline void raw_guest_unmap(struct raw_guest *guest)
{
	munmap(guest->memory, MEMORY);
	munmap(guest->control, 2 * 4096);
	for (unsigned i = 0; i < 4; i++)
		close(guest->fds[i]);
}

static inline void raw_guest_part(struct raw_guest *guest)
{
	raw_guest_unmap(guest);
	close(guest->socket);
}

static inline int raw_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Send one packet to a fresh connection; what the host answers (bytes, or 0 for hang-up). */
static inline ssize_t raw_exchange(
	struct host *host, const void *packet, size_t bytes, struct loopback_welcome_wire *answer)
{
	const int fd = raw_connect();
	ssize_t received = -1;

	CU_ASSERT_EQUAL(send(fd, packet, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
	for (unsigned i = 0; i < 1000 && received < 0; i++) {
		host_turn(host, 1);
		received = recv(fd, answer, sizeof *answer, MSG_DONTWAIT);
	}
	close(fd);
	return received;
}

static inline void body_joins(void)
{
	struct guest guest;

	guest_start(&guest);
	guest_end(&guest);
}

#endif
