// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's bus against the host's bus, through the loopback partition: two threads,
 * real sockets, pipes and shared memory. The host offers devices that echo; each test is
 * the guest, and commands the host through a one-entry mailbox.
 */
#include "guest/vmbus/synic_bus.h"
#include "guest/winhv/platform_loopback_linux.h"
#include "host/hypervisor/backend_loopback.h"
#include "host/vmbus/bus.h"
#include "protocol/errors.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY	  (64ull << 20)
#define OS_ID	  0x8100000000000001ull
#define DEVICES	  4u
#define WATCH_MAX 16u
#define SECOND	  10000000ull

static const struct guid interface_id = GUID_INIT(
	0x12345678, 0x1111, 0x2222, 0x3333, 0x444455556666);

/* ---- the host ------------------------------------------------------------------------------- */

enum command {
	COMMAND_NONE,
	COMMAND_ADD,	    /* device `argument` */
	COMMAND_REMOVE,	    /* device `argument` */
	COMMAND_ADD_SUB,    /* subchannel `argument` of device 0 */
	COMMAND_DISCONNECT, /* part with the guest */
	COMMAND_COUNT,	    /* calls */
	COMMAND_STOP,
};

struct device {
	struct bus_channel *channel; /* while offered */
	struct bus_channel *open;
	uint64_t echoed;
	uint8_t user_data[120];
};

struct host {
	struct partition *partition;
	struct backend_loopback *backend;
	struct vmbus_bus *bus;
	struct device devices[DEVICES];
	struct device subchannels[DEVICES];
	int watched[WATCH_MAX];
	unsigned watched_count;
	pthread_t thread;
	int wake[2]; /* a pipe that wakes the loop for a command */
	atomic_int command;
	unsigned argument;
	uint64_t calls; /* hypercalls and signals of the guest, at COMMAND_COUNT */
	bool is_stopped;
};

static void echo_open(void *ctx, struct bus_channel *channel, const uint8_t *user_data)
{
	struct device *device = ctx;
	memcpy(device->user_data, user_data, sizeof device->user_data);
	device->open = channel;
	bus_channel_open_done(channel, 0);
}

static void echo_close(void *ctx, struct bus_channel *channel)
{
	((struct device *)ctx)->open = NULL;
	bus_channel_close_done(channel);
}

static bool echo_ready(void *ctx, struct bus_channel *channel)
{
	struct device *device = ctx;
	struct ring_reader *in = bus_channel_reader(channel);
	struct ring_writer *out = bus_channel_writer(channel);
	struct packet_view view;
	bool any = false;

	for (unsigned i = 0; i < 64 && ring_peek(in, &view) == RING_OK; i++) {
		const struct packet_header header = {.type = PACKET_TYPE_COMPLETION,
			.payload_bytes = view.payload_bytes,
			.transaction_id = view.transaction_id};
		enum ring_status status = ring_send(out, &header, NULL, view.payload);
		if (status == RING_FULL && ring_writer_want(out, &header) == RING_OK)
			status = ring_send(out, &header, NULL, view.payload);
		if (status != RING_OK)
			break;
		ring_release(in, &view);
		device->echoed++;
		any = true;
	}
	bus_channel_flush(channel);
	return any;
}

static const struct bus_provider_ops echo_ops = {
	.name = "echo",
	.open = echo_open,
	.close = echo_close,
	.ready = echo_ready,
};

static void device_add(struct host *host, unsigned device, unsigned subchannel)
{
	struct device *d = subchannel ? &host->subchannels[subchannel] : &host->devices[device];
	const struct bus_offer offer = {
		.interface_id = interface_id,
		.instance_id = GUID_INIT(device, 1, 2, 3, 4),
		.subchannel_index = (uint16_t)subchannel,
		.wants_monitor = device == 1,
		.ops = &echo_ops,
		.ctx = d,
	};
	if (bus_offer_add(host->bus, &offer, &d->channel) != 0)
		abort();
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
	struct backend_loopback_statistics statistics;
	switch (atomic_load(&host->command)) {
	case COMMAND_NONE:
		return;
	case COMMAND_ADD:
		device_add(host, host->argument, 0);
		break;
	case COMMAND_ADD_SUB:
		device_add(host, 0, host->argument);
		break;
	case COMMAND_REMOVE:
		bus_offer_remove(host->devices[host->argument].channel);
		break;
	case COMMAND_DISCONNECT:
		backend_loopback_disconnect(host->backend);
		break;
	case COMMAND_COUNT:
		backend_loopback_statistics_get(host->backend, &statistics);
		host->calls = statistics.requests + statistics.signals;
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
	/* Nobody tells of a bit in a monitor page: look at least every millisecond. */
	if (poll(fds, count + 1, vmbus_bus_poll_interval_ns(host->bus) ? 1 : 1000) <= 0)
		return;
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
	if (command == COMMAND_STOP)
		return;
	while (atomic_load(&host->command) != COMMAND_NONE)
		sched_yield();
}

static int host_start(struct host *host, uint32_t version)
{
	const struct partition_config config = {.memory_bytes = MEMORY, .vp_count = 2};
	const struct backend_loopback_callbacks callbacks = {
		.watch = host_watch, .unwatch = host_unwatch, .ctx = host};
	const struct vmbus_bus_config bus_config = {.version_max = version};
	int pair[2];

	memset(host, 0, sizeof *host);
	if (pipe(host->wake) != 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
		partition_create(&config, &host->partition) != 0 ||
		vmbus_bus_create(host->partition, &bus_config, &host->bus) != 0 ||
		backend_loopback_create(host->partition, &callbacks, &host->backend) != 0 ||
		backend_loopback_attach(host->backend, pair[0]) != 0)
		abort();
	for (unsigned i = 0; i < 2; i++)
		device_add(host, i, 0);
	if (pthread_create(&host->thread, NULL, host_main, host) != 0)
		abort();
	return pair[1];
}

static void host_end(struct host *host)
{
	host_command(host, COMMAND_STOP, 0);
	pthread_join(host->thread, NULL);
	vmbus_bus_destroy(host->bus);
	backend_loopback_destroy(host->backend);
	partition_destroy(host->partition);
	close(host->wake[0]);
	close(host->wake[1]);
}

/* ---- the guest ------------------------------------------------------------------------------ */

struct guest {
	struct platform_loopback *platform;
	struct winhv hv;
	struct vmbus *bus;
	unsigned rescinds;
};

/* The index-th device, waited for. */
static const struct vmbus_offer *device_find(struct guest *guest, unsigned index)
{
	const uint64_t until = winhv_time_100ns(&guest->hv) + 10 * SECOND;

	for (;;) {
		const struct vmbus_offer *offer = vmbus_offer_find(
			guest->bus, &interface_id, index);
		if (offer)
			return offer;
		if (vmbus_poll(guest->bus, SECOND) < 0 || winhv_time_100ns(&guest->hv) > until)
			abort();
	}
}

/* Per channel: what was sent and came back. */
struct echo {
	struct vmbus_channel channel;
	uint64_t sent, received, wrong;
};

static uint64_t deadline(const struct guest *guest)
{
	return winhv_time_100ns(&guest->hv) + 10 * SECOND;
}

static void guest_start(struct guest *guest, int fd, const struct vmbus_config *config)
{
	const struct vmbus_config plain = {0};

	memset(guest, 0, sizeof *guest);
	guest->bus = malloc(vmbus_bytes());
	if (platform_loopback_attach(fd, PLATFORM_LOOPBACK_TIMEOUT_NS, &guest->platform) != 0 ||
		winhv_init(&guest->hv, &platform_loopback_ops, guest->platform, 2) != 0 ||
		winhv_hypercall_enable(&guest->hv, OS_ID) != 0 ||
		vmbus_init(guest->bus, &guest->hv, config ? config : &plain) != 0)
		abort();
}

static void guest_end(struct guest *guest)
{
	winhv_shutdown(&guest->hv);
	platform_loopback_destroy(guest->platform);
	free(guest->bus);
}

static void on_ready(void *ctx, struct vmbus_channel *channel)
{
	struct echo *echo = ctx;
	struct packet_view view;

	while (ring_peek(&channel->in, &view) == RING_OK) {
		uint64_t value;
		memcpy(&value, view.payload, sizeof value);
		echo->wrong += view.type != PACKET_TYPE_COMPLETION ||
			       view.transaction_id != echo->received + 1 ||
			       value != (echo->received + 1) * 0x9e3779b97f4a7c15ull;
		echo->received++;
		ring_release(&channel->in, &view);
	}
	vmbus_channel_flush(channel);
}

static void on_rescind(void *ctx, struct vmbus_channel *channel)
{
	(void)channel;
	((struct echo *)ctx)->wrong |= 1ull << 63;
}

static int echo_start(struct guest *guest, struct echo *echo, uint32_t relid, uint32_t vp)
{
	struct vmbus_open_config config = {
		.ring_out_bytes = 4096 * 3,
		.ring_in_bytes = 4096 * 2,
		.target_vp = vp,
		.on_ready = on_ready,
		.on_rescind = on_rescind,
		.ctx = echo,
	};
	memset(echo, 0, sizeof *echo);
	memset(config.user_data, 0x5c, sizeof config.user_data);
	return vmbus_channel_open(guest->bus, relid, &echo->channel, &config, deadline(guest));
}

/* Send until the ring is full. */
static void echo_push(struct echo *echo, uint64_t total)
{
	while (echo->sent < total) {
		const uint64_t payload[3] = {(echo->sent + 1) * 0x9e3779b97f4a7c15ull};
		const struct packet_header header = {
			.type = PACKET_TYPE_INBAND,
			.flags = PACKET_FLAG_COMPLETION_REQUESTED,
			.payload_bytes = 8 + (uint32_t)(echo->sent % 17),
			.transaction_id = echo->sent + 1,
		};
		enum ring_status status = ring_send(&echo->channel.out, &header, NULL, payload);
		if (status == RING_FULL) {
			vmbus_channel_flush(&echo->channel);
			status = ring_writer_want(&echo->channel.out, &header);
			if (status == RING_FULL)
				return;
			continue;
		}
		CU_ASSERT_EQUAL_FATAL(status, RING_OK);
		echo->sent++;
	}
	vmbus_channel_flush(&echo->channel);
}

static void echo_run(struct guest *guest, struct echo *echo, uint64_t count)
{
	const uint64_t total = echo->sent + count, until = deadline(guest);

	while (echo->received < total && winhv_time_100ns(&guest->hv) < until) {
		echo_push(echo, total);
		CU_ASSERT_TRUE_FATAL(vmbus_poll(guest->bus, SECOND) >= 0);
	}
	CU_ASSERT_EQUAL(echo->received, total);
	CU_ASSERT_EQUAL(echo->wrong, 0);
}

static void books_balance(struct guest *guest)
{
	struct vmbus_statistics statistics;

	vmbus_statistics_get(guest->bus, &statistics);
	CU_ASSERT_EQUAL(statistics.pages_lent, 0);
	CU_ASSERT_EQUAL(statistics.pages_abandoned, 0);
	CU_ASSERT_EQUAL(statistics.messages_rejected, 0);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void every_version_connects_opens_and_moves_data(void)
{
	static const uint32_t versions[] = {0x60000, 0x50003, 0x50002, 0x50001, 0x50000, 0x40001,
		0x40000, 0x30000, 0x20004, 0x10001, 0x0000d};

	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		struct host host;
		struct guest guest;
		struct echo echo;
		guest_start(&guest, host_start(&host, versions[i]), NULL);
		CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
		CU_ASSERT_EQUAL(vmbus_version(guest.bus), versions[i]);
		const struct vmbus_offer *offer = device_find(&guest, 1);
		CU_ASSERT_EQUAL(echo_start(&guest, &echo, offer->relid, 0), 0);
		CU_ASSERT_TRUE(echo.channel.is_double_mapped);
		echo_run(&guest, &echo, 3000);
		CU_ASSERT_EQUAL(vmbus_channel_close(guest.bus, &echo.channel, deadline(&guest)), 0);
		CU_ASSERT_EQUAL(host.devices[1].user_data[119], 0x5c);
		CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), 0);
		/* the first version confirms nothing about the interrupt page */
		if (versions[i] != 0x0d)
			books_balance(&guest);
		guest_end(&guest);
		host_end(&host);
	}
}

static void all_features_are_spoken(void)
{
	const struct vmbus_config config = {.features = 0xff, .client_id = {{1, 2, 3}}};
	struct host host;
	struct guest guest;
	struct echo echo;

	guest_start(&guest, host_start(&host, 0), &config);
	CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
	CU_ASSERT_EQUAL(vmbus_version(guest.bus), 0x60000);
	CU_ASSERT_TRUE(vmbus_features(guest.bus) & 0x01);
	CU_ASSERT_EQUAL(echo_start(&guest, &echo, device_find(&guest, 0)->relid, 1), 0);
	echo_run(&guest, &echo, 3000);
	CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), 0);
	books_balance(&guest);
	guest_end(&guest);
	host_end(&host);
}

/* Hypercalls and SignalEvents that the guest has made. */
static uint64_t host_calls(struct host *host)
{
	host_command(host, COMMAND_COUNT, 0);
	return host->calls;
}

/*
 * R-MNF-001, R-MNF-002, R-MNF-010: at every version the monitor page alone carries the guest's
 * signals: not one hypercall is made, and every packet is answered.
 */
static void monitored_signals_reach_the_host(void)
{
	const struct vmbus_config config = {.wants_monitor_pages = true};
	static const uint32_t versions[] = {0x60000, 0x50003, 0x40001, 0x20004, 0x10001};

	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		struct host host;
		struct guest guest;
		struct echo echo;
		uint16_t latency;

		guest_start(&guest, host_start(&host, versions[i]), &config);
		CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
		CU_ASSERT_EQUAL(echo_start(&guest, &echo, device_find(&guest, 1)->relid, 0), 0);
		const uint8_t id = echo.channel.monitor_id;
		CU_ASSERT_TRUE_FATAL(id < VMBUS_MONITOR_ID_COUNT);
		memcpy(&latency, guest.bus->monitor_page + 0x240 + 2 * id, sizeof latency);
		CU_ASSERT_EQUAL(latency, 1000);
		const uint64_t calls = host_calls(&host);
		for (unsigned j = 0; j < 20; j++)
			echo_run(&guest, &echo, 5);
		CU_ASSERT_TRUE(echo.channel.signals_sent > 0);
		CU_ASSERT_EQUAL(host_calls(&host), calls);
		CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), 0);
		books_balance(&guest);
		guest_end(&guest);
		host_end(&host);
	}
}

static void devices_come_and_go_under_traffic(void)
{
	struct host host;
	struct guest guest;
	struct echo stays, goes;

	guest_start(&guest, host_start(&host, 0), NULL);
	CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
	const uint32_t first = device_find(&guest, 0)->relid;
	CU_ASSERT_EQUAL(echo_start(&guest, &stays, first, 0), 0);
	for (unsigned round = 0; round < 50; round++) {
		host_command(&host, COMMAND_ADD, 2);
		const uint32_t relid = device_find(&guest, 2)->relid;
		CU_ASSERT_EQUAL(echo_start(&guest, &goes, relid, round & 1), 0);
		echo_run(&guest, &goes, 20);
		echo_push(&goes, goes.sent + 50); /* on its way when the device goes */
		host_command(&host, COMMAND_REMOVE, 2);
		for (const uint64_t until = deadline(&guest);
			!goes.channel.is_rescinded && winhv_time_100ns(&guest.hv) < until;)
			CU_ASSERT_TRUE(vmbus_poll(guest.bus, SECOND) >= 0);
		CU_ASSERT_TRUE(goes.wrong == 1ull << 63);
		echo_run(&guest, &stays, 20);
		CU_ASSERT_EQUAL(vmbus_channel_close(guest.bus, &goes.channel, deadline(&guest)), 0);
		CU_ASSERT_PTR_NULL(vmbus_offer_find(guest.bus, &interface_id, 2));
	}
	CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), 0);
	books_balance(&guest);
	guest_end(&guest);
	host_end(&host);
}

static void subchannels_and_other_vps_work(void)
{
	struct host host;
	struct guest guest;
	struct echo primary, sub;

	guest_start(&guest, host_start(&host, 0x50003), NULL);
	CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
	const struct vmbus_offer *offer = device_find(&guest, 0);
	CU_ASSERT_EQUAL(echo_start(&guest, &primary, offer->relid, 0), 0);
	host_command(&host, COMMAND_ADD_SUB, 1);
	const struct vmbus_offer *sub_offer = NULL;
	for (const uint64_t until = deadline(&guest);
		!sub_offer && winhv_time_100ns(&guest.hv) < until;
		sub_offer = vmbus_offer_subchannel(guest.bus, offer, 1))
		CU_ASSERT_TRUE(vmbus_poll(guest.bus, SECOND) >= 0);
	if (sub_offer == NULL)
		abort();
	CU_ASSERT_EQUAL(echo_start(&guest, &sub, sub_offer->relid, 1), 0);
	for (unsigned i = 0; i < 10; i++) {
		echo_run(&guest, &primary, 100);
		echo_run(&guest, &sub, 100);
		CU_ASSERT_EQUAL(vmbus_channel_retarget(
					guest.bus, &primary.channel, ~i & 1, deadline(&guest)),
			0);
	}
	CU_ASSERT_EQUAL(vmbus_channel_close(guest.bus, &primary.channel, deadline(&guest)), 0);
	CU_ASSERT_FALSE(sub.channel.is_open);
	CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), 0);
	books_balance(&guest);
	guest_end(&guest);
	host_end(&host);
}

static void large_buffers_and_many_rounds_leave_nothing(void)
{
	struct host host;
	struct guest guest;
	struct echo echo;
	struct winhv_pages pages;
	static const size_t sizes[] = {1, 26, 27, 55, 8190};

	guest_start(&guest, host_start(&host, 0), NULL);
	CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
	for (unsigned i = 0; i < 5; i++) {
		struct vmbus_gpadl gpadl = {0};
		CU_ASSERT_EQUAL_FATAL(winhv_pages_alloc(&guest.hv, sizes[i] * 4096, &pages), 0);
		CU_ASSERT_EQUAL(
			vmbus_gpadl_create(guest.bus, 1, &pages, &gpadl, deadline(&guest)), 0);
		CU_ASSERT_EQUAL(vmbus_gpadl_teardown(guest.bus, &gpadl, deadline(&guest)), 0);
		CU_ASSERT_FALSE(vmbus_gpadl_is_lent(&gpadl));
		winhv_pages_free(&guest.hv, &pages);
	}
	for (unsigned i = 0; i < 300; i++) {
		CU_ASSERT_EQUAL(echo_start(&guest, &echo, 1, i & 1), 0);
		CU_ASSERT_EQUAL(vmbus_channel_close(guest.bus, &echo.channel, deadline(&guest)), 0);
	}
	for (unsigned i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(echo_start(&guest, &echo, 1, 0), 0);
		echo_run(&guest, &echo, 10);
		CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), 0);
		CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
	}
	CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), 0);
	books_balance(&guest);
	guest_end(&guest);
	host_end(&host);
}

static void a_host_that_hangs_up_ends_every_wait(void)
{
	struct host host;
	struct guest guest;
	struct echo echo;

	guest_start(&guest, host_start(&host, 0), NULL);
	CU_ASSERT_EQUAL(vmbus_connect(guest.bus, deadline(&guest)), 0);
	CU_ASSERT_EQUAL(echo_start(&guest, &echo, 1, 0), 0);
	echo_run(&guest, &echo, 10);
	host_command(&host, COMMAND_DISCONNECT, 0);
	int result = 0;
	for (const uint64_t until = deadline(&guest);
		result >= 0 && winhv_time_100ns(&guest.hv) < until;)
		result = vmbus_poll(guest.bus, SECOND);
	CU_ASSERT_EQUAL(result, -VIRIDIAN_ENODEV);
	CU_ASSERT_TRUE(echo.channel.is_rescinded);
	CU_ASSERT_EQUAL(
		vmbus_channel_close(guest.bus, &echo.channel, deadline(&guest)), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(vmbus_unload(guest.bus, deadline(&guest)), -VIRIDIAN_ENODEV);
	guest_end(&guest);
	host_end(&host);
}

static const struct test tests[] = {
	TEST(every_version_connects_opens_and_moves_data),
	TEST(all_features_are_spoken),
	TEST(monitored_signals_reach_the_host),
	TEST(devices_come_and_go_under_traffic),
	TEST(subchannels_and_other_vps_work),
	TEST(large_buffers_and_many_rounds_leave_nothing),
	TEST(a_host_that_hangs_up_ends_every_wait),
};
TEST_MAIN("bus_pair", tests)
