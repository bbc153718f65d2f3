// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench storage, connect: from the connection to a worker that sleeps to the first
 * sector of its disk, without an enumeration: join, find the hypervisor, set up SynIC,
 * negotiate VMBus, take the offers, lend the rings, open the channel, negotiate storage,
 * read.
 *
 * The reference is what no implementation over this transport can do without: one
 * connection to another process that sleeps, as many descriptors passed and as much
 * memory mapped by both, and then, through two eventfds, as many round trips as
 * there were requests that had to be answered before the next step: those made through
 * mailboxes, and the packets of the storage handshake and the read. A message of the
 * host that answers a posted one counts no trip of its own.
 */
#include "tests/performance/bench_storage.h"

#include "protocol/loopback.h"
#include "tests/performance/measure.h"
#include "tests/performance/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_BYTES  (16ull << 20) /* as given to vmwp */
#define MEMORY_OPTION "16M"
#define CONTROL_BYTES LOOPBACK_CONTROL_BYTES(1)
#define FDS	      4u /* memory, control, a bell each way */
#define STORAGE_TRIPS 5u /* begin, version, properties, end; read */
#define SETTLE_NS     20000000

struct connect_bench {
	struct guest_worker worker;
	struct guest guest;
	pid_t echo;
	char echo_socket[SANDBOX_PATH_BYTES];
	uint64_t trips;
};

static void settle(void)
{
	const struct timespec pause = {.tv_nsec = SETTLE_NS};
	nanosleep(&pause, NULL);
}

/* ---- the subject -------------------------------------------------------------------------------
 */

static bool first_read(struct guest *guest)
{
	const struct storage_properties properties = {
		.type = SCSI_TYPE_DISK,
		.has_medium = true,
		.block_bytes = 512,
		.blocks = 8,
	};
	struct storage_vsc_lun *lun;
	struct storage_controller *controller = &guest->controllers[0]->controller;
	struct winhv_pages page;
	if (storage_vsc_lun_attach(&controller->vsc, 0, 0, 0, &properties, &lun) != 0 ||
		winhv_pages_alloc(&guest->hv, WINHV_PAGE_BYTES, &page) != 0)
		return false;
	return storage_controller_read(controller, lun, 0, 1, &page, 0, 0) == 0;
}

static double connect_to_first_read(void *ctx)
{
	struct connect_bench *bench = ctx;
	struct platform_loopback_statistics statistics;
	settle();
	const uint64_t start = measure_now_ns();
	if (guest_connect(&bench->guest, &bench->worker) != 0)
		return -1;
	const bool is_read = guest_controller_open(&bench->guest, 0, 1, 0) == 0 &&
			     first_read(&bench->guest);
	const uint64_t end = measure_now_ns();
	platform_loopback_statistics_get(bench->guest.loopback, &statistics);
	bench->trips = statistics.requests + STORAGE_TRIPS;
	guest_disconnect(&bench->guest);
	return is_read ? (double)(end - start) / 1e3 : -1;
}

/* ---- the reference -----------------------------------------------------------------------------
 */

static int socket_make(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof address->sun_path, "%.100s", path);
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static void *memory_map(int fd, size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static bool fds_make(int fds[FDS])
{
	fds[0] = memfd_create("hvbench", MFD_CLOEXEC);
	fds[1] = memfd_create("hvbench", MFD_CLOEXEC);
	fds[2] = eventfd(0, EFD_CLOEXEC);
	fds[3] = eventfd(0, EFD_CLOEXEC);
	return fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0 && fds[3] >= 0 &&
	       ftruncate(fds[0], (off_t)MEMORY_BYTES) == 0 &&
	       ftruncate(fds[1], (off_t)CONTROL_BYTES) == 0;
}

static void fds_close(const int fds[FDS])
{
	for (unsigned i = 0; i < FDS; i++)
		close(fds[i]);
}

static ssize_t fds_send(int socket, const int fds[FDS])
{
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_SPACE(FDS * sizeof(int))];
	} control = {0};
	uint8_t welcome[sizeof(struct loopback_welcome_wire)] = {0};
	struct iovec iov = {welcome, sizeof welcome};
	const struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	control.header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(FDS * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(&control.header), fds, FDS * sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

static bool fds_receive(int socket, int fds[FDS])
{
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_SPACE(FDS * sizeof(int))];
	} control = {0};
	uint8_t welcome[sizeof(struct loopback_welcome_wire)];
	struct iovec iov = {welcome, sizeof welcome};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0 ||
		control.header.cmsg_len != CMSG_LEN(FDS * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(&control.header), FDS * sizeof(int));
	return true;
}

/* One client, until it writes the last round trip: a value above 1. */
static void echo_serve(int client)
{
	struct loopback_hello_wire hello;
	eventfd_t value = 0;
	int fds[FDS];
	if (recv(client, &hello, sizeof hello, 0) != sizeof hello || !fds_make(fds))
		return;
	void *memory = memory_map(fds[0], MEMORY_BYTES);
	void *control = memory_map(fds[1], CONTROL_BYTES);
	fds_send(client, fds);
	while (value <= 1 && eventfd_read(fds[2], &value) == 0)
		eventfd_write(fds[3], 1);
	munmap(memory, MEMORY_BYTES);
	munmap(control, CONTROL_BYTES);
	fds_close(fds);
}

/* The other process, on processor 1; ended by a signal. */
static pid_t echo_start(const char *path)
{
	struct sockaddr_un address;
	const int listener = socket_make(path, &address);
	if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
		listen(listener, 1) != 0) {
		close(listener);
		return -1;
	}
	const pid_t child = process_fork(1);
	while (child == 0) {
		const int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0)
			_exit(1);
		echo_serve(client);
		close(client);
	}
	close(listener);
	return child;
}

static bool trips_make(const int fds[FDS], uint64_t trips)
{
	eventfd_t value;
	for (uint64_t i = 1; i <= trips; i++) {
		if (eventfd_write(fds[2], i == trips ? 2 : 1) != 0 ||
			eventfd_read(fds[3], &value) != 0)
			return false;
	}
	return true;
}

static double bare_round_trips(void *ctx)
{
	const struct connect_bench *bench = ctx;
	const struct loopback_hello_wire hello = {0};
	struct sockaddr_un address;
	int fds[FDS];
	settle();
	const uint64_t start = measure_now_ns();
	const int client = socket_make(bench->echo_socket, &address);
	if (connect(client, (const struct sockaddr *)&address, sizeof address) != 0 ||
		send(client, &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello ||
		!fds_receive(client, fds)) {
		close(client);
		return -1;
	}
	void *memory = memory_map(fds[0], MEMORY_BYTES);
	void *control = memory_map(fds[1], CONTROL_BYTES);
	const bool is_done = trips_make(fds, bench->trips);
	const uint64_t end = measure_now_ns();
	munmap(memory, MEMORY_BYTES);
	munmap(control, CONTROL_BYTES);
	fds_close(fds);
	close(client);
	return is_done ? (double)(end - start) / 1e3 : -1;
}

void bench_storage_connect(struct report *report, const struct sandbox *sandbox)
{
	static struct connect_bench bench;
	static char reference[64];
	static struct measure_case c = {"storage/connect/first-read", "us", reference,
		MEASURE_AT_MOST, 1.5, connect_to_first_read, bare_round_trips, &bench};
	static const char *const options[] = {
		"--memory", MEMORY_OPTION, "--ram-disk", "4K", "--heartbeat", "0", NULL};
	snprintf(bench.echo_socket, sizeof bench.echo_socket, "%.100s/echo", sandbox->work);
	/* Once without the clock, which counts the round trips. */
	const bool is_ready = guest_worker_start(&bench.worker, sandbox, 300, options) == 0 &&
			      connect_to_first_read(&bench) > 0;
	bench.echo = echo_start(bench.echo_socket);
	snprintf(reference, sizeof reference, "%llu bare eventfd round trips, %u descriptors",
		(unsigned long long)bench.trips, FDS);
	if (is_ready && bench.echo > 0)
		report_case(report, &c);
	else
		report_without(report, &c, VERDICT_FAILED, "it could not be set up (see above)");
	if (bench.echo > 0)
		process_stop(bench.echo, 1000);
	guest_worker_stop(&bench.worker);
}
