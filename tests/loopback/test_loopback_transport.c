// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback transport, both ends over real sockets, pipes and memfds: guests in
 * other processes and in threads, that behave, die, flood and talk garbage.
 *
 * The host's loop here is poll(2) over whatever the backend asks to watch.
 */
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

static uint64_t now_ns(void)
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

static int host_watch(void *ctx, int fd)
{
	struct host *host = ctx;

	if (host->watched_count == WATCH_MAX)
		return -ENOSPC;
	host->watched[host->watched_count++] = fd;
	return 0;
}

static void host_unwatch(void *ctx, int fd)
{
	struct host *host = ctx;

	for (unsigned i = 0; i < host->watched_count; i++)
		if (host->watched[i] == fd) {
			host->watched[i] = host->watched[--host->watched_count];
			return;
		}
	CU_FAIL("unwatch of a descriptor that is not watched");
}

static void host_attached(void *ctx)
{
	struct host *host = ctx;

	host->attached++;
}

static void host_gone(void *ctx, enum loopback_gone_reason reason)
{
	struct host *host = ctx;

	host->gone++;
	host->last_reason = reason;
	if (!host->holds_memory)
		backend_loopback_release(host->backend);
}

static uint16_t host_message(
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

static void host_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	struct host *host = ctx;

	(void)flag;
	host->events++;
	if (host->answers_signals)
		synic_event_set(host->partition, 0, SINT, connection_id - LOOPBACK_SIGNAL_BASE);
}

static void host_open(struct host *host, uint32_t vp_count)
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

static void host_listen(struct host *host)
{
	snprintf(path, sizeof path, "/tmp/viridian-test-%d", (int)getpid());
	CU_ASSERT_EQUAL_FATAL(backend_loopback_listen(host->backend, path), 0);
}

static void host_close(struct host *host)
{
	backend_loopback_destroy(host->backend);
	partition_destroy(host->partition);
	CU_ASSERT_EQUAL(host->watched_count, 0);
}

/* One turn: poll until there is nothing, then arm and sleep up to `timeout_ms`. */
static void host_turn(struct host *host, int timeout_ms)
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
}

static void host_run_until(struct host *host, const unsigned *counter, unsigned value)
{
	const uint64_t deadline = now_ns() + TOO_LONG_NS;

	while (*counter < value && now_ns() < deadline)
		host_turn(host, 1000);
	CU_ASSERT_TRUE(*counter >= value);
}

/* Run the host until the child has ended; its exit status. */
static int host_run_until_exit(struct host *host, pid_t child)
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

static void guest_join(struct guest *guest)
{
	CHECK(platform_loopback_connect(path, 5 * SECOND_NS, &guest->loopback) == 0);
}

static void guest_start(struct guest *guest)
{
	guest_join(guest);
	CHECK(winhv_init(&guest->hv, &platform_loopback_ops, guest->loopback,
		      platform_loopback_vp_count(guest->loopback)) == 0);
	CHECK(winhv_hypercall_enable(&guest->hv, OS_ID) == 0);
	CHECK(winhv_synic_enable(&guest->hv, 0, SINT, VECTOR) == 0);
}

static void guest_end(struct guest *guest)
{
	winhv_shutdown(&guest->hv);
	CHECK(guest->hv.pages_abandoned == 0);
	platform_loopback_destroy(guest->loopback);
}

/* Wait for SINT 2; false after ten seconds. */
static bool guest_wait(struct guest *guest)
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
static pid_t guest_fork(void (*body)(void))
{
	const pid_t child = fork();

	if (child == 0) {
		body();
		_exit(0);
	}
	return child;
}

/* ---- a guest that behaves ------------------------------------------------------------------ */

static void body_everything(void)
{
	struct guest guest;
	struct winhv_message message;
	uint16_t status = 0xffff;
	uint64_t value;

	guest_start(&guest);
	struct winhv *hv = &guest.hv;
	CHECK(hv->identity.is_present);
	CHECK(memcmp(hv->identity.vendor, "Microsoft Hv", 13) == 0);
	CHECK(hv->identity.privileges & HV_PRIVILEGE_ACCESS_SYNIC);

	/* MSRs, good and bad. */
	CHECK(hv->ops->msr_read(hv->ctx, 1, HV_X64_MSR_VP_INDEX, &value) == 0 && value == 1);
	CHECK(hv->ops->msr_read(hv->ctx, 0, 0x400001ff, &value) == -VIRIDIAN_EINVAL);
	CHECK(hv->ops->msr_write(hv->ctx, 0, HV_X64_MSR_VP_INDEX, 0) == -VIRIDIAN_EINVAL);
	CHECK(hv->ops->msr_read(hv->ctx, 2, HV_X64_MSR_VP_INDEX, &value) == -VIRIDIAN_EINVAL);

	/* Host and guest have one clock. */
	const uint64_t before = winhv_time_100ns(hv);
	CHECK(hv->ops->msr_read(hv->ctx, 0, HV_X64_MSR_TIME_REF_COUNT, &value) == 0);
	const uint64_t after = winhv_time_100ns(hv);
	CHECK(before <= value + 10 && value <= after + 10);

	/* Hypercalls: fast, slow, rep, unknown. */
	CHECK(winhv_hypercall_fast(hv, HV_CALL_NOTIFY_LONG_SPIN_WAIT, 1, 0, &status) == 0);
	CHECK(status == HV_STATUS_SUCCESS);
	CHECK(winhv_hypercall_fast(hv, 0xbeef, 0, 0, &status) == 0 && status == 2);
	const struct hv_vp_registers_header_wire header = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = 1,
	};
	uint32_t names[600];
	struct hv_register_value_wire values[600];
	uint16_t done;
	for (unsigned i = 0; i < 600; i++)
		names[i] = i % 2 ? HV_REGISTER_VP_INDEX : HV_REGISTER_GUEST_OS_ID;
	CHECK(winhv_hypercall_rep(hv, HV_CALL_GET_VP_REGISTERS, &header, sizeof header, names,
		      sizeof names[0], 600, values, sizeof values[0], &done, &status) == 0);
	CHECK(status == 0 && done == 600); /* three pages of output */
	CHECK(values[598].low == OS_ID && values[599].low == 1);

	/* XMM, in and out. */
	struct winhv_xmm xmm = {.word = {HV_REGISTER_GUEST_OS_ID}};
	CHECK(hv->ops->hypercall(hv->ctx, 0,
		      hv_hypercall_input(HV_CALL_GET_VP_REGISTERS, 0, 1) | HV_HYPERCALL_FAST,
		      UINT64_MAX, HV_VP_INDEX_SELF, &xmm, &value) == 0);
	CHECK(hv_hypercall_result_status(value) == 0 && xmm.word[2] == OS_ID);

	/* Messages, both ways. */
	for (unsigned i = 0; i < 20; i++) {
		CHECK(winhv_post_message(hv, CONNECTION, 1 + i, &i, sizeof i, &status) == 0);
		CHECK(status == 0);
	}
	for (unsigned i = 0; i < 20; i++) {
		unsigned number;
		while (!winhv_message_take(hv, 0, SINT, &message))
			CHECK(guest_wait(&guest));
		memcpy(&number, message.payload, sizeof number);
		CHECK(message.type == 2 + i && number == i && message.bytes == sizeof number);
		CHECK(message.sender == CONNECTION);
	}

	/* Signals: bitmap, mailbox, unknown. */
	CHECK(winhv_signal_event(hv, CHANNEL, 0) == 0);
	while (!(value = winhv_events_take(hv, 0, SINT, 0)))
		CHECK(guest_wait(&guest));
	CHECK(value == 1u << 5);
	CHECK(winhv_signal_event(hv, 7, 1) == 0);
	CHECK(winhv_signal_event(hv, 7, 2) == 5);
	CHECK(winhv_signal_event(hv, 8, 0) == 0x12);
	guest_end(&guest);
}

static void guest_process_uses_everything(void)
{
	struct host host;

	host_open(&host, 2);
	host_listen(&host);
	host.echoes_messages = true;
	host.answers_signals = true;
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_everything)), 0);
	host_run_until(&host, &host.gone, 1);
	CU_ASSERT_EQUAL(host.attached, 1);
	CU_ASSERT_EQUAL(host.last_reason, LOOPBACK_GONE_CLOSED);
	CU_ASSERT_EQUAL(host.messages, 20);
	CU_ASSERT_EQUAL(host.events, 2);
	host_close(&host);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void body_waits(void)
{
	struct guest guest;
	uint32_t sints;

	guest_start(&guest);
	struct winhv *hv = &guest.hv;

	/* Time-out. */
	const uint64_t start = winhv_time_100ns(hv);
	CHECK(winhv_wait(hv, 0, HV_TIME_PER_SECOND / 50, &sints) == 0 && sints == 0);
	CHECK(winhv_time_100ns(hv) - start >= HV_TIME_PER_SECOND / 50);

	/* A loop of one's own: arm, poll() the descriptors, collect. */
	for (unsigned i = 0; i < 100; i++) {
		struct pollfd polls[] = {
			{.fd = platform_loopback_interrupt_fd(guest.loopback, 0), .events = POLLIN},
			{.fd = platform_loopback_host_fd(guest.loopback), .events = POLLIN},
		};
		winhv_wait_arm(hv, 0);
		CHECK(winhv_signal_event(hv, CHANNEL, 0) == 0);
		CHECK(poll(polls, 2, 10000) == 1 && polls[0].revents == POLLIN);
		CHECK(winhv_wait(hv, 0, 0, &sints) == 0);
		CHECK(winhv_events_take(hv, 0, SINT, 0) == 1u << 5);
		/* The pipe was emptied, at the latest by one more turn. */
		winhv_wait_arm(hv, 0);
		winhv_wait_disarm(hv, 0);
		CHECK(poll(polls, 1, 0) == 0);
	}
	/* Armed, then taken back: the interrupt is not lost. */
	winhv_wait_arm(hv, 0);
	winhv_wait_disarm(hv, 0);
	CHECK(winhv_signal_event(hv, CHANNEL, 0) == 0);
	CHECK(guest_wait(&guest));
	CHECK(winhv_events_take(hv, 0, SINT, 0) == 1u << 5);
	guest_end(&guest);
}

static void guest_waits_by_itself_or_in_a_loop_of_its_own(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	host.answers_signals = true;
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_waits)), 0);
	host_close(&host);
}

/* ---- guests that come and go --------------------------------------------------------------- */

/* Post and signal without end, to be killed in the middle of it. */
static void body_runs_for_ever(void)
{
	struct guest guest;
	struct winhv_message message;
	uint16_t status;

	guest_start(&guest);
	for (;;) {
		CHECK(winhv_post_message(&guest.hv, CONNECTION, 1, "x", 1, &status) == 0);
		(void)winhv_signal_event(&guest.hv, CHANNEL, 0);
		winhv_message_take(&guest.hv, 0, SINT, &message);
	}
}

static void killed_guests_make_room_for_the_next(void)
{
	struct host host;
	uint64_t value;

	host_open(&host, 1);
	host_listen(&host);
	host.echoes_messages = true;
	for (unsigned round = 1; round <= 5; round++) {
		const unsigned messages = host.messages;
		const pid_t child = guest_fork(body_runs_for_ever);
		host_run_until(&host, &host.messages, messages + 100 * round);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		host_run_until(&host, &host.gone, round);
		/* The partition is as new. */
		partition_msr_read(host.partition, 0, HV_X64_MSR_GUEST_OS_ID, &value);
		CU_ASSERT_EQUAL(value, 0);
		CU_ASSERT_FALSE(backend_loopback_has_guest(host.backend));
		const uint64_t *memory = guest_memory_at(
			partition_memory(host.partition), 0, MEMORY);
		uint64_t any = 0;
		for (size_t i = 0; i < MEMORY / sizeof *memory; i++)
			any |= memory[i];
		CU_ASSERT_EQUAL(any, 0);
	}
	host.echoes_messages = true;
	host.answers_signals = true;
	CU_ASSERT_EQUAL(host.attached, 5);
	host_close(&host);
}

static void body_second_guest(void)
{
	struct platform_loopback *loopback;

	CHECK(platform_loopback_connect(path, 5 * SECOND_NS, &loopback) == -EBUSY);
}

static void body_holds(void)
{
	struct guest guest;

	guest_start(&guest);
	for (;;)
		pause();
}

static void second_guest_is_told_that_it_is_busy(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	const pid_t first = guest_fork(body_holds);
	host_run_until(&host, &host.attached, 1);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_second_guest)), 0);
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	host_run_until(&host, &host.gone, 1);
	struct backend_loopback_statistics statistics;
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.refused_busy, 1);
	host_close(&host);
}

static void body_joins(void)
{
	struct guest guest;

	guest_start(&guest);
	guest_end(&guest);
}

static void next_guest_waits_until_the_host_has_let_go(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	host.holds_memory = true;
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_joins)), 0);
	host_run_until(&host, &host.gone, 1);

	const pid_t next = guest_fork(body_joins);
	for (unsigned i = 0; i < 20; i++)
		host_turn(&host, 10);
	CU_ASSERT_EQUAL(host.attached, 1);
	CU_ASSERT_EQUAL(waitpid(next, NULL, WNOHANG), 0);
	backend_loopback_release(host.backend);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, next), 0);
	CU_ASSERT_EQUAL(host.attached, 2);
	host_close(&host);
}

/* A guest that closed its socket but kept all mappings and descriptors of its life. */
static void stale_guest_cannot_touch_the_next(void)
{
	struct host host;
	int ends[2];
	struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};
	uint8_t control_bytes[1024];
	uint8_t packet[64];
	struct iovec iov = {packet, sizeof packet};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control_bytes,
		.msg_controllen = sizeof control_bytes,
	};
	int fds[4];

	host_open(&host, 1);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CU_ASSERT_EQUAL(backend_loopback_attach(host.backend, ends[0]), 0);
	CU_ASSERT_EQUAL(send(ends[1], &hello, sizeof hello, 0), (ssize_t)sizeof hello);
	host_run_until(&host, &host.attached, 1);
	CU_ASSERT_EQUAL_FATAL(recvmsg(ends[1], &message, 0), 48);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fds);
	char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	uint8_t *control = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	CU_ASSERT_TRUE_FATAL(memory != MAP_FAILED && control != MAP_FAILED);
	strcpy(guest_memory_at(partition_memory(host.partition), 0x8000, 16), "shared");
	CU_ASSERT_STRING_EQUAL(memory + 0x8000, "shared");
	close(ends[1]);
	host_run_until(&host, &host.gone, 1);

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CU_ASSERT_EQUAL(backend_loopback_attach(host.backend, ends[0]), 0);
	CU_ASSERT_EQUAL(send(ends[1], &hello, sizeof hello, 0), (ssize_t)sizeof hello);
	host_run_until(&host, &host.attached, 2);
	const char *now = guest_memory_at(partition_memory(host.partition), 0x8000, 16);
	CU_ASSERT_STRING_EQUAL(now, "");
	strcpy(memory + 0x8000, "stale");
	CU_ASSERT_STRING_EQUAL(now, "");
	/* A signal in the old control region, and the old doorbell. */
	control[offsetof(struct loopback_host_wire, signal)] = 1u << 5;
	control[offsetof(struct loopback_host_wire, signal_summary)] = 1;
	signal(SIGPIPE, SIG_IGN);
	CU_ASSERT_EQUAL(write(fds[2], "", 1), -1);
	CU_ASSERT_EQUAL(errno, EPIPE);
	signal(SIGPIPE, SIG_DFL);
	CU_ASSERT_TRUE(backend_loopback_arm(host.backend));
	host_turn(&host, 0);
	CU_ASSERT_EQUAL(host.events, 0);
	munmap(memory, MEMORY);
	munmap(control, 2 * 4096);
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
	close(ends[1]);
	host_close(&host);
}

/* ---- hostile guests ------------------------------------------------------------------------ */

static int raw_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Send one packet to a fresh connection; what the host answers (bytes, or 0 for hang-up). */
static ssize_t raw_exchange(
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

static void garbage_instead_of_hello_is_dropped(void)
{
	struct host host;
	struct loopback_welcome_wire welcome;
	struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};
	uint8_t longer[100] = {0};
	struct backend_loopback_statistics statistics;

	host_open(&host, 1);
	host_listen(&host);
	CU_ASSERT_EQUAL(raw_exchange(&host, "GET / HTTP/1.0\r\n\r\n", 18, &welcome), 0);
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, 15, &welcome), 0);
	memcpy(longer, &hello, sizeof hello);
	CU_ASSERT_EQUAL(raw_exchange(&host, longer, 17, &welcome), 0);
	CU_ASSERT_EQUAL(raw_exchange(&host, longer, sizeof longer, &welcome), 0);
	hello.magic++;
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, sizeof hello, &welcome), 0);
	hello.magic--;
	hello.version++;
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, sizeof hello, &welcome), 48);
	CU_ASSERT_EQUAL(welcome.status, LOOPBACK_WELCOME_BAD_VERSION);
	CU_ASSERT_EQUAL(welcome.version, LOOPBACK_VERSION);
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.refused_garbage, 5);
	CU_ASSERT_EQUAL(statistics.refused_version, 1);
	CU_ASSERT_EQUAL(host.attached, 0);
	/* And a good guest is still welcome. */
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_joins)), 0);
	host_close(&host);
}

static void guest_that_speaks_after_hello_is_dropped(void)
{
	struct host host;
	int ends[2];
	const struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};

	host_open(&host, 1);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	backend_loopback_attach(host.backend, ends[0]);
	CU_ASSERT_EQUAL(send(ends[1], &hello, sizeof hello, 0), (ssize_t)sizeof hello);
	host_run_until(&host, &host.attached, 1);
	CU_ASSERT_EQUAL(send(ends[1], "more", 4, 0), 4);
	host_run_until(&host, &host.gone, 1);
	CU_ASSERT_EQUAL(host.last_reason, LOOPBACK_GONE_SPOKE);
	close(ends[1]);
	host_close(&host);
}

static void silent_strangers_are_pushed_out_by_later_ones(void)
{
	struct host host;
	int silent[LIMIT_LOOPBACK_STRANGERS + 1];
	struct backend_loopback_statistics statistics;
	uint8_t byte;

	host_open(&host, 1);
	host_listen(&host);
	for (unsigned i = 0; i < LIMIT_LOOPBACK_STRANGERS; i++)
		silent[i] = raw_connect();
	for (unsigned i = 0; i < 10; i++)
		host_turn(&host, 0);
	CU_ASSERT_EQUAL(recv(silent[0], &byte, 1, MSG_DONTWAIT), -1); /* at the bound: stays */
	silent[LIMIT_LOOPBACK_STRANGERS] = raw_connect();
	for (unsigned i = 0; i < 10; i++)
		host_turn(&host, 0);
	CU_ASSERT_EQUAL(recv(silent[0], &byte, 1, MSG_DONTWAIT), 0); /* one past: the oldest */
	CU_ASSERT_EQUAL(recv(silent[1], &byte, 1, MSG_DONTWAIT), -1);
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.refused_crowd, 1);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_joins)), 0);
	for (unsigned i = 0; i <= LIMIT_LOOPBACK_STRANGERS; i++)
		close(silent[i]);
	host_close(&host);
}

/* Control region and descriptors of a guest, by hand. */
struct raw_guest {
	int socket;
	int fds[4]; /* memory, control, doorbell, interrupt of VP 0 */
	uint8_t *control;
};

static void raw_guest_join(struct host *host, struct raw_guest *guest)
{
	int ends[2];
	const struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};
	uint8_t control_bytes[1024];
	uint8_t packet[64];
	struct iovec iov = {packet, sizeof packet};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control_bytes,
		.msg_controllen = sizeof control_bytes,
	};

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	backend_loopback_attach(host->backend, ends[0]);
	guest->socket = ends[1];
	CU_ASSERT_EQUAL(send(ends[1], &hello, sizeof hello, 0), (ssize_t)sizeof hello);
	host_run_until(host, &host->attached, 1);
	CU_ASSERT_EQUAL_FATAL(recvmsg(ends[1], &message, 0), 48);
	memcpy(guest->fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof guest->fds);
	guest->control = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fds[1], 0);
	CU_ASSERT_TRUE_FATAL(guest->control != MAP_FAILED);
}

static void raw_guest_part(struct raw_guest *guest)
{
	munmap(guest->control, 2 * 4096);
	for (unsigned i = 0; i < 4; i++)
		close(guest->fds[i]);
	close(guest->socket);
}

static void memory_of_a_guest_is_sealed(void)
{
	struct host host;
	struct raw_guest guest;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	CU_ASSERT_EQUAL(ftruncate(guest.fds[0], 0), -1);
	CU_ASSERT_EQUAL(ftruncate(guest.fds[1], 0), -1);
	CU_ASSERT_EQUAL(fcntl(guest.fds[0], F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	raw_guest_part(&guest);
	host_close(&host);
}

static void scribbled_control_region_harms_no_one(void)
{
	struct host host;
	struct raw_guest guest;
	struct backend_loopback_statistics statistics;
	uint8_t *mailbox;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	memset(guest.control, 0xff, 2 * 4096);
	/* All signals at once: each is taken once, and none has a port but ours. */
	CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
	CU_ASSERT_EQUAL(host.events, 1);
	CU_ASSERT_FALSE(backend_loopback_poll(host.backend));
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.signals, LOOPBACK_SIGNAL_COUNT);
	CU_ASSERT_EQUAL(statistics.requests_invalid, 1); /* state was no REQUESTED; one VP */

	/* A request of an unknown kind is answered by a fault. */
	mailbox = guest.control + 4096;
	memset(mailbox + offsetof(struct loopback_vp_wire, state), 0, 200);
	mailbox[offsetof(struct loopback_vp_wire, state)] = LOOPBACK_STATE_REQUESTED;
	mailbox[offsetof(struct loopback_vp_wire, kind)] = 99;
	guest.control[offsetof(struct loopback_host_wire, mailbox_pending)] = 1;
	CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
	CU_ASSERT_EQUAL(mailbox[offsetof(struct loopback_vp_wire, state)], LOOPBACK_STATE_DONE);
	CU_ASSERT_EQUAL(mailbox[offsetof(struct loopback_vp_wire, fault)], LOOPBACK_FAULT_UD);
	raw_guest_part(&guest);
	host_close(&host);
}

static void guest_cannot_make_the_host_block_in_an_interrupt(void)
{
	struct host host;
	struct raw_guest guest;
	uint32_t *sleeping;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	partition_msr_write(host.partition, 0, HV_X64_MSR_SINT0 + SINT, VECTOR);
	partition_msr_write(host.partition, 0, HV_X64_MSR_SIEFP, 0x10001);
	/* Clear O_NONBLOCK of what we hold, never read, and ask to be woken each time. */
	CU_ASSERT_EQUAL(fcntl(guest.fds[3], F_SETFL, 0), 0);
	CU_ASSERT_EQUAL(fcntl(guest.fds[2], F_SETFL, 0), 0);
	sleeping = (uint32_t *)(void *)(guest.control + 4096);
	for (uint32_t i = 0; i < 100000; i++) {
		*sleeping = 1;
		uint64_t *flags = guest_memory_at(partition_memory(host.partition), 0x10200, 8);
		*flags = 0;
		CU_ASSERT_EQUAL_FATAL(synic_event_set(host.partition, 0, SINT, 1), 0);
	}
	/* And the host's own bell: full, and it still is emptied without blocking. */
	CU_ASSERT_EQUAL(write(guest.fds[2], guest.control, 4096), 4096);
	host_turn(&host, 0);
	raw_guest_part(&guest);
	host_run_until(&host, &host.gone, 1);
	host_close(&host);
}

static void flood_of_signals_is_bounded_work(void)
{
	struct host host;
	struct raw_guest guest;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	/* However often the guest sets the bit, a poll calls the port once. */
	for (unsigned i = 1; i <= 1000; i++) {
		guest.control[offsetof(struct loopback_host_wire, signal)] |= 1u << 5;
		guest.control[offsetof(struct loopback_host_wire, signal_summary)] |= 1;
		CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
		CU_ASSERT_EQUAL(host.events, i);
	}
	raw_guest_part(&guest);
	host_close(&host);
}

/* ---- the end of the host ------------------------------------------------------------------- */

static void body_sees_the_host_go(void)
{
	struct guest guest;
	uint32_t sints;
	uint16_t status;
	int error;

	guest_start(&guest);
	CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0);
	do {
		error = winhv_wait(&guest.hv, 0, UINT64_MAX, &sints);
	} while (error == 0);
	CHECK(error == -VIRIDIAN_ENODEV);
	CHECK(platform_loopback_is_gone(guest.loopback));
	CHECK(winhv_post_message(&guest.hv, CONNECTION, 1, "x", 1, &status) == -VIRIDIAN_ENODEV);
	CHECK(winhv_signal_event(&guest.hv, 7, 0) == -VIRIDIAN_ENODEV);
	CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0); /* and no SIGPIPE */
	winhv_shutdown(&guest.hv);
	CHECK(guest.hv.pages_abandoned == 3); /* SIMP, SIEFP, hypercall page */
	platform_loopback_destroy(guest.loopback);
}

static void guest_notices_that_the_host_has_gone(void)
{
	struct host host;
	int status;

	host_open(&host, 1);
	host_listen(&host);
	const pid_t child = guest_fork(body_sees_the_host_go);
	host_run_until(&host, &host.events, 1);
	host_close(&host);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(access(path, F_OK), -1); /* the socket was unlinked */
}

static void host_can_disconnect_a_guest(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	const pid_t child = guest_fork(body_sees_the_host_go);
	host_run_until(&host, &host.events, 1);
	backend_loopback_stop(host.backend);
	backend_loopback_disconnect(host.backend);
	CU_ASSERT_EQUAL(host.last_reason, LOOPBACK_GONE_DISCONNECTED);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, child), 0);
	struct loopback_welcome_wire welcome;
	const struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, sizeof hello, &welcome), 48);
	CU_ASSERT_EQUAL(welcome.status, LOOPBACK_WELCOME_STOPPING);
	host_close(&host);
}

static void body_request_times_out(void)
{
	struct guest guest;
	uint64_t value;

	guest_start(&guest);
	platform_loopback_request_timeout_set(guest.loopback, 50000000);
	CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0);
	/* The host serves nothing any more. */
	uint64_t start = now_ns();
	int error;
	do {
		error = guest.hv.ops->msr_read(guest.hv.ctx, 0, HV_X64_MSR_TIME_REF_COUNT, &value);
	} while (error == 0 && now_ns() - start < 10 * SECOND_NS);
	CHECK(error == -VIRIDIAN_ETIMEDOUT);
	/* The mailbox is dead, at once and for ever. */
	CHECK(guest.hv.ops->msr_read(guest.hv.ctx, 0, HV_X64_MSR_TIME_REF_COUNT, &value) ==
		-VIRIDIAN_ENODEV);
	/* That of the other VP would still work. */
	CHECK(guest.hv.ops->msr_read(guest.hv.ctx, 1, HV_X64_MSR_TIME_REF_COUNT, &value) ==
		-VIRIDIAN_ETIMEDOUT);
}

static void host_that_hangs_makes_the_vp_dead_not_the_guest(void)
{
	struct host host;
	int status;

	host_open(&host, 2);
	host_listen(&host);
	const pid_t child = guest_fork(body_request_times_out);
	host_run_until(&host, &host.events, 1);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	host_run_until(&host, &host.gone, 1);
	host_close(&host);
}

/* ---- hostile hosts ------------------------------------------------------------------------- */

/* What a hostile host may send as its welcome; all refused without harm. */
struct welcome_case {
	const char *name;
	struct loopback_welcome_wire wire;
	size_t wire_bytes;
	unsigned fd_count;
	bool has_plain_file; /* memory is a file that could be cut off */
	bool has_wrong_pipe; /* doorbell is no pipe */
	int expected;
};

static struct loopback_welcome_wire good_welcome(void)
{
	return (struct loopback_welcome_wire){
		.magic = LOOPBACK_MAGIC,
		.version = LOOPBACK_VERSION,
		.memory_bytes = 16 * 4096,
		.control_bytes = 2 * 4096,
		.vp_count = 1,
	};
}

static int welcome_try(const struct welcome_case *c)
{
	int ends[2];
	int pipe_fds[2];
	int plain_pipe[2];
	const int memory = guest_memfd_create("test", 16 * 4096);
	const int control = guest_memfd_create("test", 2 * 4096);
	const int plain = memfd_create("test", MFD_CLOEXEC);
	struct platform_loopback *loopback = NULL;
	struct loopback_welcome_wire wire = c->wire;
	_Alignas(struct cmsghdr) uint8_t control_bytes[CMSG_SPACE(8 * sizeof(int))] = {0};
	struct iovec iov = {&wire, c->wire_bytes};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CU_ASSERT_EQUAL(pipe(pipe_fds), 0);
	CU_ASSERT_EQUAL(pipe(plain_pipe), 0);
	CU_ASSERT_EQUAL(ftruncate(plain, 16 * 4096), 0);
	const int fds[8] = {c->has_plain_file ? plain : memory, control,
		c->has_wrong_pipe ? control : pipe_fds[1], plain_pipe[0], memory, memory, memory,
		memory};
	if (c->fd_count > 0) {
		message.msg_control = control_bytes;
		message.msg_controllen = CMSG_SPACE(c->fd_count * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(c->fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, c->fd_count * sizeof(int));
	}
	CU_ASSERT_EQUAL(sendmsg(ends[0], &message, 0), (ssize_t)c->wire_bytes);
	const int error = platform_loopback_attach(ends[1], SECOND_NS, &loopback);
	if (error == 0)
		platform_loopback_destroy(loopback);
	const int ours[] = {memory, control, plain, pipe_fds[0], pipe_fds[1], plain_pipe[0],
		plain_pipe[1], ends[0]};
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		close(ours[i]);
	return error;
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void invalid_welcomes_are_refused(void)
{
	struct welcome_case cases[] = {
		{.name = "good", .fd_count = 4, .expected = 0},
		{.name = "magic", .fd_count = 4, .expected = -EPROTO},
		{.name = "version", .fd_count = 4, .expected = -ENOTSUP},
		{.name = "busy", .expected = -EBUSY},
		{.name = "bad version", .expected = -ENOTSUP},
		{.name = "stopping", .expected = -ENODEV},
		{.name = "no resources", .expected = -ENOMEM},
		{.name = "status", .fd_count = 4, .expected = -EPROTO},
		{.name = "short", .fd_count = 4, .wire_bytes = 47, .expected = -EPROTO},
		{.name = "no descriptors", .expected = -EPROTO},
		{.name = "too few", .fd_count = 3, .expected = -EPROTO},
		{.name = "too many", .fd_count = 8, .expected = -EPROTO},
		{.name = "no VP", .fd_count = 3, .expected = -EPROTO},
		{.name = "65 VPs", .fd_count = 4, .expected = -EPROTO},
		{.name = "no memory", .fd_count = 4, .expected = -EPROTO},
		{.name = "odd memory", .fd_count = 4, .expected = -EPROTO},
		{.name = "more memory than there is", .fd_count = 4, .expected = -EPROTO},
		{.name = "huge memory", .fd_count = 4, .expected = -EPROTO},
		{.name = "control size", .fd_count = 4, .expected = -EPROTO},
		{.name = "plain file", .fd_count = 4, .has_plain_file = true, .expected = -EPROTO},
		{.name = "no pipe", .fd_count = 4, .has_wrong_pipe = true, .expected = -EPROTO},
	};
	const unsigned before = open_descriptors();

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cases[i].wire = good_welcome();
		if (cases[i].wire_bytes == 0)
			cases[i].wire_bytes = sizeof cases[i].wire;
	}
	cases[1].wire.magic ^= 1;
	cases[2].wire.version = 2;
	cases[3].wire.status = LOOPBACK_WELCOME_BUSY;
	cases[4].wire.status = LOOPBACK_WELCOME_BAD_VERSION;
	cases[5].wire.status = LOOPBACK_WELCOME_STOPPING;
	cases[6].wire.status = LOOPBACK_WELCOME_NO_RESOURCES;
	cases[7].wire.status = 77;
	cases[12].wire.vp_count = 0;
	cases[13].wire.vp_count = 65;
	cases[14].wire.memory_bytes = 0;
	cases[15].wire.memory_bytes = 4097;
	cases[16].wire.memory_bytes = 17 * 4096;
	cases[17].wire.memory_bytes = UINT64_MAX & ~4095ull;
	cases[18].wire.control_bytes = 3 * 4096;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const int error = welcome_try(&cases[i]);
		if (error != cases[i].expected)
			printf("    welcome \"%s\" gave %d\n", cases[i].name, error);
		CU_ASSERT_EQUAL(error, cases[i].expected);
	}
	CU_ASSERT_EQUAL(open_descriptors(), before);
}

static void silent_host_is_given_up(void)
{
	int ends[2];
	struct platform_loopback *loopback;

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CU_ASSERT_EQUAL(platform_loopback_attach(ends[1], 20000000, &loopback), -ETIMEDOUT);
	close(ends[0]);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	close(ends[0]);
	CU_ASSERT_EQUAL(platform_loopback_attach(ends[1], 20000000, &loopback), -ENODEV);
	CU_ASSERT_EQUAL(
		platform_loopback_connect("/nonexistent/socket", 20000000, &loopback), -ENOENT);
}

/* ---- the socket's path --------------------------------------------------------------------- */

static void stale_socket_is_replaced_and_a_live_one_is_not(void)
{
	struct host first, second;
	struct stat status;
	char too_long[200];

	host_open(&first, 1);
	host_open(&second, 1);
	host_listen(&first);
	CU_ASSERT_EQUAL(stat(path, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, path), -EADDRINUSE);
	CU_ASSERT_EQUAL(backend_loopback_listen(first.backend, path), -EALREADY);

	/* A server that died leaves its socket behind. */
	const int dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s-stale", path);
	CU_ASSERT_EQUAL(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
	close(dead);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, address.sun_path), 0);

	/* What is no socket is left alone. */
	host_close(&second);
	CU_ASSERT_EQUAL(access(address.sun_path, F_OK), -1);
	const int file = open(address.sun_path, O_CREAT | O_WRONLY, 0600);
	host_open(&second, 1);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, address.sun_path), -EEXIST);
	close(file);
	unlink(address.sun_path);
	memset(too_long, 'x', sizeof too_long - 1);
	too_long[sizeof too_long - 1] = 0;
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, too_long), -ENAMETOOLONG);

	/* The socket of someone else at our path is not unlinked. */
	unlink(path);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, path), 0);
	host_close(&first);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	host_close(&second);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
}

/* ---- no wake-up is lost -------------------------------------------------------------------- */

#define PINGS 1000000u

struct ping {
	int socket;
	unsigned pings;
	uint64_t last_ns; /* atomic: when the last answer came; 0: failed */
	unsigned sleeps, doorbells;
	bool is_done; /* atomic */
};

/* A guest in a thread: signal, wait for the event flag, and again. */
static void *ping_guest(void *arg)
{
	struct ping *ping = arg;
	struct guest guest;
	struct platform_loopback_statistics statistics;

	CHECK(platform_loopback_attach(ping->socket, 5 * SECOND_NS, &guest.loopback) == 0);
	CHECK(winhv_init(&guest.hv, &platform_loopback_ops, guest.loopback, 1) == 0);
	CHECK(winhv_hypercall_enable(&guest.hv, OS_ID) == 0);
	CHECK(winhv_synic_enable(&guest.hv, 0, SINT, VECTOR) == 0);
	for (unsigned i = 0; i < PINGS; i++) {
		CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0);
		unsigned spins = i % 3 == 0 ? 0 : i % 64;
		while (!winhv_events_take(&guest.hv, 0, SINT, 0)) {
			uint32_t sints;
			if (spins > 0) {
				spins--;
				continue;
			}
			/* Ten seconds without an answer: a wake-up was lost. */
			const uint64_t start = now_ns();
			CHECK(winhv_wait(&guest.hv, 0, 10 * HV_TIME_PER_SECOND, &sints) == 0);
			CHECK(now_ns() - start < 10 * SECOND_NS);
		}
		__atomic_store_n(&ping->pings, i + 1, __ATOMIC_RELAXED);
	}
	platform_loopback_statistics_get(guest.loopback, &statistics);
	ping->sleeps = (unsigned)statistics.sleeps;
	ping->doorbells = (unsigned)statistics.doorbells;
	guest_end(&guest);
	__atomic_store_n(&ping->is_done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void a_million_ping_pongs_lose_no_wake_up(void)
{
	struct host host;
	struct ping ping = {0};
	int ends[2];
	pthread_t guest;
	struct backend_loopback_statistics statistics;

	host_open(&host, 1);
	host.answers_signals = true;
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	CU_ASSERT_EQUAL(backend_loopback_attach(host.backend, ends[0]), 0);
	ping.socket = ends[1];
	const uint64_t start = now_ns();
	CU_ASSERT_EQUAL_FATAL(pthread_create(&guest, NULL, ping_guest, &ping), 0);
	/* The host spins a varying little, so that sleep and signal meet at all offsets. */
	for (unsigned turn = 0; !__atomic_load_n(&ping.is_done, __ATOMIC_ACQUIRE); turn++) {
		for (unsigned i = 0; i < turn % 61; i++)
			backend_loopback_poll(host.backend);
		host_turn(&host, 1000);
	}
	pthread_join(guest, NULL);
	CU_ASSERT_EQUAL(ping.pings, PINGS);
	CU_ASSERT_EQUAL(host.events, PINGS);
	backend_loopback_statistics_get(host.backend, &statistics);
	printf("    %.0f ns a round trip; guest slept %u times and rang %u times; host was rung "
	       "%llu times and rang %llu times\n",
		(double)(now_ns() - start) / PINGS, ping.sleeps, ping.doorbells,
		(unsigned long long)statistics.doorbells, (unsigned long long)statistics.wakeups);
	host_close(&host);
}

/* Several threads of a guest signal at once: no bit is lost. */
#define SIGNALLERS 3u
#define SIGNALS	   100000u

struct signaller {
	struct platform_loopback *loopback;
	uint32_t connection_id;
	const unsigned *served; /* by the host, atomic */
};

static void *signaller_run(void *arg)
{
	const struct signaller *signaller = arg;

	for (unsigned i = 1; i <= SIGNALS; i++) {
		CHECK(platform_loopback_ops.signal_event(
			      signaller->loopback, signaller->connection_id, 0) == 0);
		/* The next one only when this one was seen: each must be. */
		const uint64_t start = now_ns();
		while (__atomic_load_n(signaller->served, __ATOMIC_ACQUIRE) < i)
			CHECK(now_ns() - start < TOO_LONG_NS);
	}
	return NULL;
}

static void count_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	unsigned *counter = ctx;

	(void)connection_id;
	(void)flag;
	__atomic_fetch_add(counter, 1, __ATOMIC_RELEASE);
}

struct joiner {
	int socket;
	struct platform_loopback *loopback;
};

static void *joiner_run(void *arg)
{
	struct joiner *joiner = arg;

	CHECK(platform_loopback_attach(joiner->socket, 5 * SECOND_NS, &joiner->loopback) == 0);
	return NULL;
}

static void concurrent_signals_all_arrive(void)
{
	struct host host;
	struct joiner joiner = {0};
	struct signaller signallers[SIGNALLERS];
	unsigned served[SIGNALLERS] = {0};
	pthread_t threads[SIGNALLERS], join;
	int ends[2];

	host_open(&host, 1);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	backend_loopback_attach(host.backend, ends[0]);
	joiner.socket = ends[1];
	pthread_create(&join, NULL, joiner_run, &joiner);
	host_run_until(&host, &host.attached, 1);
	pthread_join(join, NULL);
	for (unsigned i = 0; i < SIGNALLERS; i++) {
		/* Two in one word of the bitmap, one in another. */
		const uint32_t id = LOOPBACK_SIGNAL_BASE + 64 + (i == 2 ? 1000 : i);
		CU_ASSERT_EQUAL(
			partition_event_port_add(host.partition, id, 1, count_event, &served[i]),
			0);
		signallers[i] = (struct signaller){joiner.loopback, id, &served[i]};
		pthread_create(&threads[i], NULL, signaller_run, &signallers[i]);
	}
	const uint64_t deadline = now_ns() + TOO_LONG_NS;
	for (bool is_done = false; !is_done && now_ns() < deadline;) {
		host_turn(&host, 100);
		is_done = true;
		for (unsigned i = 0; i < SIGNALLERS; i++)
			is_done &= served[i] == SIGNALS;
	}
	for (unsigned i = 0; i < SIGNALLERS; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(served[i], SIGNALS);
	}
	platform_loopback_destroy(joiner.loopback);
	host_close(&host);
}

/* ---- guest memory -------------------------------------------------------------------------- */

static void body_memory(void)
{
	struct guest guest;
	struct winhv_pages pages, rest, ring;
	void *control;
	uint8_t *data;

	guest_join(&guest);
	void *ctx = guest.loopback;
	const struct winhv_platform_ops *ops = &platform_loopback_ops;
	CHECK(ops->pages_alloc(ctx, 0, &pages) == -VIRIDIAN_EINVAL);
	CHECK(ops->pages_alloc(ctx, 4097, &pages) == -VIRIDIAN_EINVAL);
	CHECK(ops->pages_alloc(ctx, MEMORY, &pages) == -VIRIDIAN_ENOMEM);
	CHECK(ops->pages_alloc(ctx, MEMORY - 4096, &pages) == 0); /* all but page 0 */
	CHECK(pages.gpa == 4096);
	CHECK(ops->pages_alloc(ctx, 4096, &rest) == -VIRIDIAN_ENOMEM);
	memset(pages.va, 0xaa, pages.bytes);
	ops->pages_free(ctx, &pages);
	for (unsigned i = 0; i < 100; i++) { /* free in the middle, find again */
		CHECK(ops->pages_alloc(ctx, 3 * 4096, &pages) == 0);
		CHECK(pages.va[0] == 0 && pages.va[3 * 4096 - 1] == 0); /* zeroed */
		CHECK(ops->pages_alloc(ctx, 2 * 4096, &rest) == 0);
		CHECK(rest.gpa != pages.gpa);
		ops->pages_free(ctx, &pages);
		ops->pages_free(ctx, &rest);
	}
	const struct winhv_pages wild = {.gpa = 0, .bytes = 4096};
	const struct winhv_pages beyond = {.gpa = MEMORY - 4096, .bytes = 2 * 4096};
	ops->pages_free(ctx, &wild);
	ops->pages_free(ctx, &beyond);

	CHECK(ops->pages_alloc(ctx, 8 * 4096, &ring) == 0);
	CHECK(ops->ring_map(ctx, &ring, 4 * 4096, 4 * 4096, &control, &data) == 0);
	memcpy(data + 3 * 4096 - 3, "around", 6);
	CHECK(memcmp(data, "und", 3) == 0);
	CHECK(memcmp(ring.va + 5 * 4096, "und", 3) == 0);
	CHECK(memcmp(ring.va + 8 * 4096 - 3, "aro", 3) == 0);
	memcpy(control, "index", 5);
	CHECK(memcmp(ring.va + 4 * 4096, "index", 5) == 0);
	ops->ring_unmap(ctx, control, data, 3 * 4096);
	CHECK(ops->ring_map(ctx, &ring, 0, 4096, &control, &data) == -VIRIDIAN_EINVAL);
	CHECK(ops->ring_map(ctx, &ring, 4096, 8 * 4096, &control, &data) == -VIRIDIAN_EINVAL);
	CHECK(ops->ring_map(ctx, &ring, 1, 2 * 4096, &control, &data) == -VIRIDIAN_EINVAL);
	ops->pages_free(ctx, &ring);
	platform_loopback_destroy(guest.loopback);
}

static void guest_allocates_pages_and_maps_rings(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_memory)), 0);
	host_close(&host);
}

static void body_resets(void)
{
	struct guest guest;
	uint64_t value = 1;

	guest_start(&guest);
	CHECK(guest.hv.ops->msr_write(guest.hv.ctx, 0, HV_X64_MSR_RESET, 1) == 0);
	CHECK(guest.hv.ops->msr_read(guest.hv.ctx, 0, HV_X64_MSR_SIMP, &value) == 0 && value == 0);
	uint16_t status;
	CHECK(winhv_hypercall_fast(&guest.hv, HV_CALL_NOTIFY_LONG_SPIN_WAIT, 0, 0, &status) ==
		-VIRIDIAN_ENOTSUP); /* #UD */
	platform_loopback_destroy(guest.loopback);
}

static void guest_can_reset_its_partition_and_go_on(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_resets)), 0);
	host_close(&host);
}

static uint64_t private_kib(void)
{
	char line[256];
	uint64_t total = 0;
	FILE *file = fopen("/proc/self/smaps_rollup", "r");

	while (file && fgets(line, sizeof line, file)) {
		unsigned long long kib;
		if (sscanf(line, "Private_Dirty: %llu", &kib) == 1 ||
			sscanf(line, "Private_Clean: %llu", &kib) == 1)
			total += kib;
	}
	if (file)
		fclose(file);
	return total;
}

static void idle_partition_costs_little_private_memory(void)
{
	struct host host;
	const uint64_t before = private_kib();

	if (before == 0) {
		test_skip("no /proc/self/smaps_rollup");
		return;
	}
	host_open(&host, 1);
	host_listen(&host);
	const pid_t child = guest_fork(body_holds);
	host_run_until(&host, &host.attached, 1);
	for (unsigned i = 0; i < 20; i++)
		host_turn(&host, 5);
	const uint64_t after = private_kib();
	CU_ASSERT_TRUE(after < before + 512);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	host_close(&host);
}

static const struct test tests[] = {
	TEST(guest_process_uses_everything),
	TEST(guest_waits_by_itself_or_in_a_loop_of_its_own),
	TEST(killed_guests_make_room_for_the_next),
	TEST(second_guest_is_told_that_it_is_busy),
	TEST(next_guest_waits_until_the_host_has_let_go),
	TEST(stale_guest_cannot_touch_the_next),
	TEST(garbage_instead_of_hello_is_dropped),
	TEST(guest_that_speaks_after_hello_is_dropped),
	TEST(silent_strangers_are_pushed_out_by_later_ones),
	TEST(memory_of_a_guest_is_sealed),
	TEST(scribbled_control_region_harms_no_one),
	TEST(guest_cannot_make_the_host_block_in_an_interrupt),
	TEST(flood_of_signals_is_bounded_work),
	TEST(guest_notices_that_the_host_has_gone),
	TEST(host_can_disconnect_a_guest),
	TEST(host_that_hangs_makes_the_vp_dead_not_the_guest),
	TEST(invalid_welcomes_are_refused),
	TEST(silent_host_is_given_up),
	TEST(stale_socket_is_replaced_and_a_live_one_is_not),
	TEST(a_million_ping_pongs_lose_no_wake_up),
	TEST(concurrent_signals_all_arrive),
	TEST(guest_allocates_pages_and_maps_rings),
	TEST(guest_can_reset_its_partition_and_go_on),
	TEST(idle_partition_costs_little_private_memory),
};

TEST_MAIN("loopback_transport", tests)
