// SPDX-License-Identifier: Apache-2.0
/*
 * A storage controller that the host takes back while it has requests: the guest's
 * controller over the guest's bus, the host's provider over the host's bus, two threads,
 * a loopback partition between them. The disk holds requests for as long as a test likes.
 */
#include "guest/vsc/storage_controller.h"
#include "guest/winhv/platform_loopback_linux.h"
#include "host/hypervisor/backend_loopback.h"
#include "host/vmbus/bus.h"
#include "host/vsp/storage_provider.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY	    (32ull << 20)
#define OS_ID	    0x8100000000000001ull
#define SECOND	    10000000ull
#define MILLISECOND 10000ull
#define WATCH_MAX   16u
#define REQUESTS    40u
#define HELD_MAX    256u
#define DISK_BLOCKS 8192u

/* ---- a disk that can hold its requests ------------------------------------- */

struct slow_store {
	struct store store;
	struct store_request *held[HELD_MAX];
	unsigned held_count;
	atomic_bool holds;
};

static void slow_submit(struct store *store, struct store_request *request)
{
	struct slow_store *slow = (struct slow_store *)store;
	if (atomic_load(&slow->holds) && slow->held_count < HELD_MAX) {
		slow->held[slow->held_count++] = request;
		return;
	}
	request->done(request, 0);
}

static void slow_close(struct store *store)
{
	(void)store; /* part of struct host */
}

static const struct store_ops slow_ops = {
	.name = "slow",
	.submit = slow_submit,
	.close = slow_close,
};

static void slow_release(struct slow_store *slow)
{
	atomic_store(&slow->holds, false);
	while (slow->held_count > 0) {
		struct store_request *request = slow->held[--slow->held_count];
		request->done(request, 0);
	}
}

/* ---- the host ---------------------------------------------------------------- */

enum command {
	COMMAND_NONE,
	COMMAND_OFFER,	 /* make the controller */
	COMMAND_TAKE,	 /* take it back; what the disk holds stays there */
	COMMAND_RELEASE, /* the disk lets go */
	COMMAND_STOP,
};

struct host {
	struct partition *partition;
	struct backend_loopback *backend;
	struct vmbus_bus *bus;
	struct storage_provider *provider;
	struct slow_store slow;
	bool is_taken;
	unsigned release_in; /* turns of 1 ms until the disk lets go by itself; 0: never */
	int watched[WATCH_MAX];
	unsigned watched_count;
	pthread_t thread;
	int wake[2];
	atomic_int command;
	unsigned argument;
	bool is_stopped;
};

static void host_offer(struct host *host)
{
	const struct storage_provider_config config = {
		.vsp = {.max_sub_channels = 2},
		.instance_id = GUID_INIT(1, 2, 3, 4, 5),
	};
	const struct scsi_device_config device_config = {.type = SCSI_DEVICE_DISK, .id = {1}};
	struct scsi_device *device;
	host->slow.store = (struct store){
		.ops = &slow_ops,
		.name = "slow",
		.capacity_bytes = (uint64_t)DISK_BLOCKS * 512,
		.block_bytes = 512,
		.physical_bytes = 512,
	};
	host->is_taken = false;
	if (storage_provider_create(host->bus, &config, &host->provider) != 0 ||
		scsi_device_create(&device_config, &host->slow.store, &device) != 0 ||
		storage_vsp_attach(storage_provider_vsp(host->provider),
			(struct storage_address){0, 0, 0}, device) != 0)
		abort();
}

static void on_detached(void *ctx, struct scsi_device *device)
{
	(void)ctx;
	scsi_device_destroy(device);
}

/* A controller that was taken back goes once nobody uses it. */
static void host_bury(struct host *host)
{
	if (!host->is_taken || !storage_provider_is_idle(host->provider))
		return;
	(void)storage_vsp_detach(storage_provider_vsp(host->provider),
		(struct storage_address){0, 0, 0}, on_detached, host);
	storage_provider_destroy(host->provider);
	host->provider = NULL;
	host->is_taken = false;
}

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
}

static void command_run(struct host *host)
{
	switch (atomic_load(&host->command)) {
	case COMMAND_NONE:
		return;
	case COMMAND_OFFER:
		host_offer(host);
		break;
	case COMMAND_TAKE:
		host->release_in = host->argument;
		storage_provider_remove(host->provider);
		host->is_taken = true;
		break;
	case COMMAND_RELEASE:
		slow_release(&host->slow);
		break;
	default:
		host->is_stopped = true;
		break;
	}
	atomic_store(&host->command, COMMAND_NONE);
}

static void host_sleep(struct host *host)
{
	struct pollfd fds[WATCH_MAX + 1] = {{.fd = host->wake[0], .events = POLLIN}};
	int copies[WATCH_MAX];
	const unsigned count = host->watched_count;
	char byte;
	for (unsigned i = 0; i < count; i++) {
		copies[i] = host->watched[i];
		fds[i + 1] = (struct pollfd){.fd = copies[i], .events = POLLIN};
	}
	if (poll(fds, count + 1, host->release_in > 0 ? 1 : 1000) <= 0) {
		if (host->release_in > 0 && --host->release_in == 0)
			slow_release(&host->slow);
		return;
	}
	if (fds[0].revents && read(host->wake[0], &byte, 1) != 1)
		abort();
	for (unsigned i = 0; i < count; i++)
		if (fds[i + 1].revents)
			backend_loopback_on_readable(host->backend, copies[i]);
}

static void *host_main(void *ctx)
{
	struct host *host = ctx;
	for (;;) {
		command_run(host);
		if (host->is_stopped)
			return NULL;
		bool any = backend_loopback_poll(host->backend);
		any |= vmbus_bus_poll(host->bus);
		host_bury(host);
		if (any)
			continue;
		const bool is_armed = backend_loopback_arm(host->backend);
		if (vmbus_bus_arm(host->bus) && is_armed)
			host_sleep(host);
		backend_loopback_disarm(host->backend);
	}
}

static void host_command(struct host *host, enum command command, unsigned argument)
{
	host->argument = argument;
	atomic_store(&host->command, (int)command);
	if (write(host->wake[1], "", 1) != 1)
		abort();
	while (command != COMMAND_STOP && atomic_load(&host->command) != COMMAND_NONE)
		sched_yield();
}

static int host_start(struct host *host)
{
	const struct partition_config config = {.memory_bytes = MEMORY, .vp_count = 1};
	const struct backend_loopback_callbacks callbacks = {
		.watch = host_watch, .unwatch = host_unwatch, .ctx = host};
	const struct vmbus_bus_config bus_config = {0};
	int pair[2];
	memset(host, 0, sizeof *host);
	if (pipe(host->wake) != 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
		partition_create(&config, &host->partition) != 0 ||
		vmbus_bus_create(host->partition, &bus_config, &host->bus) != 0 ||
		backend_loopback_create(host->partition, &callbacks, &host->backend) != 0 ||
		backend_loopback_attach(host->backend, pair[0]) != 0)
		abort();
	host_offer(host);
	if (pthread_create(&host->thread, NULL, host_main, host) != 0)
		abort();
	return pair[1];
}

static void host_end(struct host *host)
{
	host_command(host, COMMAND_STOP, 0);
	pthread_join(host->thread, NULL);
	slow_release(&host->slow);
	if (host->provider != NULL) {
		if (!host->is_taken)
			storage_provider_remove(host->provider);
		host->is_taken = true;
		host_bury(host);
		CU_ASSERT_PTR_NULL(host->provider);
	}
	vmbus_bus_destroy(host->bus);
	backend_loopback_destroy(host->backend);
	partition_destroy(host->partition);
	close(host->wake[0]);
	close(host->wake[1]);
}

/* ---- the guest ------------------------------------------------------------------ */

struct guest {
	struct platform_loopback *platform;
	struct winhv hv;
	struct vmbus *bus;
	struct winhv_pages data;
	struct storage_controller controller;
	struct storage_vsc_slot slots[64];
	struct storage_vsc_lun luns[4];
	struct storage_vsc_request requests[REQUESTS];
	unsigned ended[REQUESTS], lost;
	int results[REQUESTS];
};

static struct host host;
static struct guest guest;

static uint64_t in(uint64_t time_100ns)
{
	return winhv_time_100ns(&guest.hv) + time_100ns;
}

static void guest_start(int fd)
{
	const struct vmbus_config config = {0};
	memset(&guest, 0, sizeof guest);
	guest.bus = malloc(vmbus_bytes());
	if (guest.bus == NULL ||
		platform_loopback_attach(fd, PLATFORM_LOOPBACK_TIMEOUT_NS, &guest.platform) != 0 ||
		winhv_init(&guest.hv, &platform_loopback_ops, guest.platform, 1) != 0 ||
		winhv_hypercall_enable(&guest.hv, OS_ID) != 0 ||
		vmbus_init(guest.bus, &guest.hv, &config) != 0 ||
		vmbus_connect(guest.bus, in(10 * SECOND)) != 0 ||
		winhv_pages_alloc(&guest.hv, 65536, &guest.data) != 0)
		abort();
}

static void guest_end(void)
{
	CU_ASSERT_EQUAL(vmbus_unload(guest.bus, in(10 * SECOND)), 0);
	winhv_pages_free(&guest.hv, &guest.data);
	winhv_shutdown(&guest.hv);
	platform_loopback_destroy(guest.platform);
	free(guest.bus);
}

/* Open the controller that is offered (waiting for the offer) with its subchannels, and scan. */
static void controller_open(void)
{
	const struct storage_controller_config config = {
		.sub_channels = 2,
		.target_count = 1,
		.slots = guest.slots,
		.slot_count = 64,
		.luns = guest.luns,
		.lun_count = 4,
	};
	const uint64_t until = in(10 * SECOND);
	const struct vmbus_offer *offer;
	while ((offer = vmbus_offer_find(guest.bus, &guid_storage, 0)) == NULL ||
		offer->is_rescinded)
		if (vmbus_poll(guest.bus, SECOND) < 0 || in(0) > until)
			abort();
	CU_ASSERT_EQUAL_FATAL(storage_controller_open(&guest.controller, guest.bus, &guest.hv,
				      offer->relid, &config, in(10 * SECOND)),
		0);
	CU_ASSERT_EQUAL(storage_controller_scan(&guest.controller, in(10 * SECOND)), 0);
	while (guest.controller.sub_channels_open < 2 && in(0) < until)
		(void)storage_controller_poll(&guest.controller, SECOND / 100);
	CU_ASSERT_EQUAL(guest.controller.sub_channels_open, 2);
}

static struct storage_vsc_lun *lun_find(void)
{
	struct storage_vsc_lun *lun = storage_vsc_lun_find(&guest.controller.vsc, 0, 0, 0);
	if (lun == NULL)
		abort();
	return lun;
}

static void on_done(struct storage_vsc_request *request)
{
	const size_t index = (size_t)(request - guest.requests);
	guest.ended[index]++;
	guest.results[index] = request->result;
	guest.lost += request->is_memory_lost;
}

/* Submit reads that the disk holds, and see that it has some on each channel. */
static void reads_start(void)
{
	atomic_store(&host.slow.holds, true);
	guest.lost = 0;
	for (unsigned i = 0; i < REQUESTS; i++) {
		guest.ended[i] = 0;
		guest.requests[i] = (struct storage_vsc_request){
			.lun = lun_find(),
			.op = STORAGE_VSC_READ,
			.lba = i * 8,
			.blocks = 8,
			.data = storage_vsc_data_at(&guest.data, 0, 4096),
			.done = on_done,
		};
		CU_ASSERT_EQUAL(storage_vsc_submit(&guest.controller.vsc, &guest.requests[i]), 0);
	}
	storage_vsc_flush(&guest.controller.vsc);
	CU_ASSERT_EQUAL(storage_controller_poll(&guest.controller, SECOND / 20), 0);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT(guest.controller.vsc.channels[i].in_flight > 0);
}

static void all_ended_once(int result)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		CU_ASSERT_EQUAL(guest.ended[i], 1);
		CU_ASSERT_EQUAL(guest.results[i], result);
	}
}

static int gone_wait(void)
{
	const uint64_t until = in(10 * SECOND);
	int error = 0;
	while (error == 0 && in(0) < until)
		error = storage_controller_poll(&guest.controller, SECOND / 10);
	return error;
}

/* ---- tests -------------------------------------------------------------------------- */

static void a_rescind_under_io_ends_every_request_once_and_the_next_offer_works(void)
{
	guest_start(host_start(&host));
	for (unsigned round = 0; round < 5; round++) {
		controller_open();
		reads_start();
		host_command(&host, COMMAND_TAKE, 20);
		CU_ASSERT_EQUAL(gone_wait(), -VIRIDIAN_ENODEV);
		/* the host confirms the close only when its disk has let go of the memory */
		CU_ASSERT_EQUAL(storage_controller_close(&guest.controller, in(10 * SECOND)), 0);
		all_ended_once(-VIRIDIAN_ENODEV);
		CU_ASSERT_EQUAL(guest.lost, 0);
		host_command(&host, COMMAND_OFFER, 0);
	}
	controller_open();
	CU_ASSERT_EQUAL(
		storage_controller_read(&guest.controller, lun_find(), 0, 8, &guest.data, 0, 5000),
		0);
	CU_ASSERT_EQUAL(storage_controller_close(&guest.controller, in(10 * SECOND)), 0);
	guest_end();
	host_end(&host);
}

static void memory_that_the_host_keeps_is_reported_lost(void)
{
	guest_start(host_start(&host));
	controller_open();
	reads_start();
	/* the disk holds on for longer than the guest wants to wait */
	CU_ASSERT_NOT_EQUAL(storage_controller_close(&guest.controller, in(100 * MILLISECOND)), 0);
	all_ended_once(-VIRIDIAN_ECANCELED);
	CU_ASSERT_EQUAL(guest.lost, REQUESTS);
	host_command(&host, COMMAND_RELEASE, 0);
	guest_end();
	host_end(&host);
}

static void a_waiting_call_ends_when_the_controller_is_taken_away(void)
{
	guest_start(host_start(&host));
	controller_open();
	struct storage_vsc_lun *lun = lun_find();
	atomic_store(&host.slow.holds, true);
	host_command(&host, COMMAND_TAKE, 20);
	const int error = storage_controller_read(
		&guest.controller, lun, 0, 8, &guest.data, 0, 5000);
	CU_ASSERT(error == -VIRIDIAN_ENODEV || error == 0);
	if (guest.controller.is_open)
		CU_ASSERT_EQUAL(storage_controller_close(&guest.controller, in(10 * SECOND)), 0);
	CU_ASSERT_EQUAL(storage_controller_close(&guest.controller, in(SECOND)), 0);
	guest_end();
	host_end(&host);
}

static void a_controller_that_is_not_there_is_an_error(void)
{
	guest_start(host_start(&host));
	const struct storage_controller_config config = {
		.slots = guest.slots, .slot_count = 64, .luns = guest.luns, .lun_count = 4};
	CU_ASSERT_EQUAL(storage_controller_open(
				&guest.controller, guest.bus, &guest.hv, 999, &config, in(SECOND)),
		-VIRIDIAN_ENOENT);
	CU_ASSERT(!guest.controller.is_open);
	guest_end();
	host_end(&host);
}

static const struct test tests[] = {
	TEST(a_rescind_under_io_ends_every_request_once_and_the_next_offer_works),
	TEST(memory_that_the_host_keeps_is_reported_lost),
	TEST(a_waiting_call_ends_when_the_controller_is_taken_away),
	TEST(a_controller_that_is_not_there_is_an_error),
};
TEST_MAIN("storage_rescind", tests)
