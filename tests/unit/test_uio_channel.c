// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus channels through /dev/uioN: a plain file stands for the device's mapping, a socket pair
 * for its events; the test is the host at the other end of the rings, and the kernel.
 */
#include "guest/ic_daemons/heartbeat_ic.h"
#include "guest/ic_daemons/ic_link.h"
#include "guest/vmbus/uio_channel_linux.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_BYTES (20u << 10) /* as Linux 6.12 makes those of file copy */
#define DATA_BYTES (RING_BYTES - RING_CONTROL_BYTES)

/* ---- the machine ------------------------------------------------------------ */

struct machine {
	char root[32];
	struct uio_channel_config config;
	struct uio_channel_place place;
	struct uio_channel channel;
	int events; /* the kernel's end */
	int monitor;
	uint32_t *monitor_page;
	uint8_t *memory; /* the host's mapping of both rings */
	uint8_t scratch[2][DATA_BYTES];
	struct ring_reader host_in;
	struct ring_writer host_out;
};

static void path_of(const struct machine *m, const char *path, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s", m->root, path);
}

static void file_put(const struct machine *m, const char *path, const char *text)
{
	char whole[PATH_MAX];
	path_of(m, path, whole);
	for (char *c = whole + 1; *c != '\0'; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		(void)mkdir(whole, 0700);
		*c = '/';
	}
	FILE *file = fopen(whole, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static void machine_make(struct machine *m, bool is_monitored)
{
	char path[PATH_MAX];
	int pair[2];
	memset(m, 0, sizeof *m);
	snprintf(m->root, sizeof m->root, "/tmp/test_uio.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(m->root));
	file_put(m, "bus/vmbus/devices/first/class_id", "{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}");
	file_put(m, "bus/vmbus/devices/dev/class_id", "{57164f39-9115-4e78-ab55-382f3bd5422d}");
	file_put(m, "bus/vmbus/devices/dev/id", "14");
	file_put(m, "bus/vmbus/devices/dev/monitor_id", "37"); /* there with and without */
	if (is_monitored)
		file_put(m, "bus/vmbus/devices/dev/channels/14/monitor_id", "37");
	file_put(m, "bus/vmbus/devices/dev/uio/uio3/maps/map0/size", "0xa000");
	path_of(m, "bus/vmbus/devices/dev/driver", path);
	CU_ASSERT_EQUAL(symlink("../../../../bus/vmbus/drivers/uio_hv_generic", path), 0);
	path_of(m, "uio3", path);
	const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL_FATAL(ftruncate(file, 2 * RING_BYTES), 0);
	m->memory = mmap(NULL, 2 * RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	m->monitor = memfd_create("monitor", MFD_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(ftruncate(m->monitor, 4096), 0);
	m->monitor_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->monitor, 0);
	m->events = pair[0];
	m->config = (struct uio_channel_config){
		.sysfs_root = m->root,
		.dev_root = m->root,
		.event_fd = pair[1],
		.monitor_fd = m->monitor,
	};
}

static void machine_open(struct machine *m)
{
	CU_ASSERT_EQUAL_FATAL(uio_channel_find(m->root, &guid_heartbeat, &m->place), 0);
	CU_ASSERT_EQUAL_FATAL(uio_channel_open(&m->channel, &m->config, &m->place), 0);
	/* The host: what the guest sends in is what it reads. */
	const struct ring_area in = {
		.control = m->memory,
		.data = m->memory + RING_CONTROL_BYTES,
		.data_bytes = DATA_BYTES,
		.scratch = m->scratch[0],
		.scratch_bytes = DATA_BYTES,
	};
	const struct ring_area out = {
		.control = m->memory + RING_BYTES,
		.data = m->memory + RING_BYTES + RING_CONTROL_BYTES,
		.data_bytes = DATA_BYTES,
		.scratch = m->scratch[1],
		.scratch_bytes = DATA_BYTES,
	};
	CU_ASSERT_EQUAL_FATAL(
		ring_open(&m->host_out, &out, &m->host_in, &in, RING_FLAGS_STRICT), RING_OK);
}

static void machine_end(struct machine *m)
{
	char command[64];
	uio_channel_close(&m->channel);
	uio_channel_close(&m->channel); /* again is nothing */
	close(m->config.event_fd);
	if (m->events >= 0)
		close(m->events);
	close(m->monitor);
	munmap(m->monitor_page, 4096);
	munmap(m->memory, 2 * RING_BYTES);
	snprintf(command, sizeof command, "rm -rf %s", m->root);
	CU_ASSERT_EQUAL(system(command), 0);
}

static enum ring_status host_send(struct machine *m, const void *bytes, size_t len)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = (uint32_t)len,
		.transaction_id = 7,
	};
	const enum ring_status status = ring_send(&m->host_out, &header, NULL, bytes);
	(void)ring_flush(&m->host_out);
	return status;
}

static bool host_receive(struct machine *m, void *buffer, size_t bytes, struct packet_view *view)
{
	const bool has = ring_receive(&m->host_in, buffer, bytes, view) == RING_OK;
	(void)ring_read_flush(&m->host_in);
	return has;
}

static void flush(void *ctx)
{
	uio_channel_flush(ctx);
}

/* ---- tests ------------------------------------------------------------------ */

static void device_is_found_by_its_interface(void)
{
	static struct machine m;
	machine_make(&m, false);
	CU_ASSERT_EQUAL(uio_channel_find(m.root, &guid_heartbeat, &m.place), 0);
	CU_ASSERT_STRING_EQUAL(m.place.device, "dev");
	CU_ASSERT_STRING_EQUAL(m.place.driver, "uio_hv_generic");
	CU_ASSERT_STRING_EQUAL(m.place.uio, "uio3");
	CU_ASSERT_EQUAL(uio_channel_find(m.root, &guid_storage, &m.place), 0);
	CU_ASSERT_STRING_EQUAL(m.place.driver, "");
	CU_ASSERT_STRING_EQUAL(m.place.uio, "");
	CU_ASSERT_EQUAL(uio_channel_open(&m.channel, &m.config, &m.place), -ENODEV);
	CU_ASSERT_EQUAL(uio_channel_find(m.root, &guid_kvp, &m.place), -ENOENT);
	CU_ASSERT_EQUAL(uio_channel_find("/nonexistent", &guid_kvp, &m.place), -ENOSYS);
	machine_end(&m);
}

static void a_plain_file_is_not_taken_for_a_device(void)
{
	static struct machine m;
	machine_make(&m, false);
	struct uio_channel_config config = m.config;
	config.event_fd = -1;
	CU_ASSERT_EQUAL(uio_channel_find(m.root, &guid_heartbeat, &m.place), 0);
	CU_ASSERT_EQUAL(uio_channel_open(&m.channel, &config, &m.place), -ENODEV);
	machine_end(&m);
}

static void sizes_that_make_no_sense_are_refused(void)
{
	static const char *const sizes[] = {"0x0", "0x2000", "0xa001", "0x9000", "nonsense",
		"0xffffffffffffffff", "0x100000000"};
	static struct machine m;
	machine_make(&m, false);
	CU_ASSERT_EQUAL(uio_channel_find(m.root, &guid_heartbeat, &m.place), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		file_put(&m, "bus/vmbus/devices/dev/uio/uio3/maps/map0/size", sizes[i]);
		CU_ASSERT_EQUAL(uio_channel_open(&m.channel, &m.config, &m.place), -EPROTO);
	}
	machine_end(&m);
}

static void rings_are_mapped_twice_so_that_packets_never_wrap(void)
{
	static struct machine m;
	static uint8_t bytes[5000];
	static uint64_t buffer[1000];
	struct packet_view view = {0};
	machine_make(&m, false);
	machine_open(&m);
	CU_ASSERT_TRUE(m.channel.is_double_mapped);
	/* Around the ring several times, both ways: a packet that is torn would show. */
	for (unsigned i = 0; i < 40; i++) {
		memset(bytes, (int)i + 1, sizeof bytes);
		CU_ASSERT_EQUAL_FATAL(host_send(&m, bytes, sizeof bytes), RING_OK);
		CU_ASSERT_EQUAL_FATAL(
			ring_receive(&m.channel.in, buffer, sizeof buffer, &view), RING_OK);
		CU_ASSERT_EQUAL(memcmp(buffer, bytes, sizeof bytes), 0);
		const struct packet_header header = {
			.type = PACKET_TYPE_INBAND, .payload_bytes = sizeof bytes};
		CU_ASSERT_EQUAL_FATAL(ring_send(&m.channel.out, &header, NULL, bytes), RING_OK);
		uio_channel_flush(&m.channel);
		CU_ASSERT_TRUE_FATAL(host_receive(&m, buffer, sizeof buffer, &view));
		CU_ASSERT_EQUAL(memcmp(buffer, bytes, sizeof bytes), 0);
	}
	machine_end(&m);
}

static void component_answers_through_the_device(void)
{
	static struct machine m;
	static struct heartbeat_ic heartbeat;
	static struct ic_link link;
	static uint64_t buffer[64];
	struct packet_view view = {0};
	int32_t written = 0;
	machine_make(&m, false);
	machine_open(&m);
	heartbeat_ic_init(&heartbeat);
	ic_link_open(&link, &heartbeat.ic, &m.channel.in, &m.channel.out, flush, &m.channel);
	host_send(&m, heartbeat_negotiation, sizeof heartbeat_negotiation);
	CU_ASSERT_FALSE(ic_link_serve(&link));
	CU_ASSERT_TRUE(heartbeat.ic.is_negotiated);
	/* The host was waiting: it is told, by a write to the device. */
	CU_ASSERT_EQUAL(read(m.events, &written, sizeof written), 4);
	CU_ASSERT_EQUAL(written, 1);
	CU_ASSERT_TRUE(host_receive(&m, buffer, sizeof buffer, &view));
	CU_ASSERT_EQUAL(view.transaction_id, 7);
	CU_ASSERT_FALSE(uio_channel_arm(&m.channel));
	/* Data that is there before the interrupt is unmasked is not slept over. */
	host_send(&m, heartbeat_request, sizeof heartbeat_request);
	CU_ASSERT_TRUE(uio_channel_arm(&m.channel));
	CU_ASSERT_FALSE(ic_link_serve(&link));
	CU_ASSERT_EQUAL(heartbeat.beats, 1);
	ic_link_close(&link);
	machine_end(&m);
}

/* R-MON: id 37 is bit 5 of group 1, whose pending word is at byte 16. */
static void monitored_channel_is_signalled_by_its_bit(void)
{
	static struct machine m;
	int32_t written;
	machine_make(&m, true);
	machine_open(&m);
	CU_ASSERT_TRUE(m.channel.is_monitored);
	m.monitor_page[4] = 1;
	uio_channel_signal(&m.channel);
	CU_ASSERT_EQUAL(m.monitor_page[4], 1 | 1u << 5);
	CU_ASSERT_EQUAL(read(m.events, &written, sizeof written), -1);
	CU_ASSERT_EQUAL(m.channel.signals, 1);
	machine_end(&m);
}

/* Without a page of the test's it is the third mapping of the device (uio_hv_generic). */
static void monitor_page_of_the_device_is_its_third_mapping(void)
{
	static struct machine m;
	machine_make(&m, true);
	m.config.monitor_fd = -1;
	machine_open(&m);
	uint32_t *third = (uint32_t *)(void *)(m.memory + 2 * 4096);
	const uint32_t before = third[4];
	uio_channel_signal(&m.channel);
	CU_ASSERT_EQUAL(third[4], before | 1u << 5);
	machine_end(&m);
}

/* R-RING-036: reading alone makes the room that the host waits for. */
static void room_that_is_made_is_told_to_a_host_that_waits_for_it(void)
{
	static struct machine m;
	static uint64_t buffer[512];
	struct packet_view view = {0};
	int32_t written = 0;
	machine_make(&m, false);
	machine_open(&m);
	while (host_send(&m, buffer, 2048) == RING_OK)
		;
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .payload_bytes = 2048, .transaction_id = 7};
	CU_ASSERT_EQUAL(ring_writer_want(&m.host_out, &header), RING_FULL);
	uio_channel_flush(&m.channel);
	CU_ASSERT_EQUAL(read(m.events, &written, sizeof written), -1);
	while (ring_receive(&m.channel.in, buffer, sizeof buffer, &view) == RING_OK)
		;
	uio_channel_flush(&m.channel);
	CU_ASSERT_EQUAL(read(m.events, &written, sizeof written), 4);
	CU_ASSERT_EQUAL(m.channel.signals, 1);
	machine_end(&m);
}

/* How often the file of the rings is mapped here. */
static unsigned mappings(const struct machine *m)
{
	char line[PATH_MAX + 128];
	unsigned count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	while (fgets(line, sizeof line, maps) != NULL)
		count += strstr(line, m->root) != NULL;
	fclose(maps);
	return count;
}

/* R-OPEN-026. */
static void nothing_stays_mapped_behind_a_close(void)
{
	static struct machine m;
	machine_make(&m, true);
	m.config.monitor_fd = -1;
	const unsigned before = mappings(&m);
	machine_open(&m);
	CU_ASSERT_TRUE(mappings(&m) > before);
	uio_channel_close(&m.channel);
	CU_ASSERT_EQUAL(mappings(&m), before);
	machine_end(&m);
}

/* It becomes a part of a path below /dev. */
static void name_that_is_no_uio_devices_is_passed_over(void)
{
	static const char *const names[] = {
		"uio3x", "uio", "uio3.old", "uio12345678901234", "xuio3"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		static struct machine m;
		char path[PATH_MAX], to[PATH_MAX], name[64];
		machine_make(&m, false);
		path_of(&m, "bus/vmbus/devices/dev/uio/uio3", path);
		snprintf(name, sizeof name, "bus/vmbus/devices/dev/uio/%s", names[i]);
		path_of(&m, name, to);
		CU_ASSERT_EQUAL(rename(path, to), 0);
		CU_ASSERT_EQUAL(uio_channel_find(m.root, &guid_heartbeat, &m.place), 0);
		CU_ASSERT_STRING_EQUAL(m.place.uio, "");
		CU_ASSERT_EQUAL(uio_channel_open(&m.channel, &m.config, &m.place), -ENODEV);
		machine_end(&m);
	}
}

static void interrupt_is_unmasked_though_the_kernel_masked_it(void)
{
	static struct machine m;
	machine_make(&m, false);
	machine_open(&m);
	uint32_t *mask = (uint32_t *)(void *)(m.memory + RING_BYTES) + RING_WORD_MASK;
	*mask = 1;
	CU_ASSERT_FALSE(uio_channel_arm(&m.channel));
	CU_ASSERT_EQUAL(*mask, 0);
	machine_end(&m);
}

static void interrupts_are_counted_and_the_end_is_noticed(void)
{
	static struct machine m;
	uint32_t count = 100;
	machine_make(&m, false);
	machine_open(&m);
	uio_channel_collect(&m.channel); /* nothing there: not the end */
	CU_ASSERT_FALSE(m.channel.is_gone);
	CU_ASSERT_EQUAL(write(m.events, &count, sizeof count), 4);
	uio_channel_collect(&m.channel);
	count = 103;
	CU_ASSERT_EQUAL(write(m.events, &count, sizeof count), 4);
	uio_channel_collect(&m.channel);
	CU_ASSERT_EQUAL(m.channel.interrupts, 4);
	close(m.events);
	m.events = -1;
	uio_channel_collect(&m.channel);
	CU_ASSERT_TRUE(m.channel.is_gone);
	CU_ASSERT_FALSE(uio_channel_arm(&m.channel));
	machine_end(&m);
}

/* EIO, of a device that was unbound; here of a folder. R-RESC-016. */
static void error_of_the_device_is_its_end(void)
{
	static struct machine m;
	machine_make(&m, false);
	machine_open(&m);
	const int events = m.channel.fd;
	m.channel.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uio_channel_collect(&m.channel);
	CU_ASSERT_TRUE(m.channel.is_gone);
	close(m.channel.fd);
	m.channel.fd = events;
	machine_end(&m);
}

static const struct test tests[] = {
	TEST(device_is_found_by_its_interface),
	TEST(a_plain_file_is_not_taken_for_a_device),
	TEST(sizes_that_make_no_sense_are_refused),
	TEST(rings_are_mapped_twice_so_that_packets_never_wrap),
	TEST(component_answers_through_the_device),
	TEST(monitored_channel_is_signalled_by_its_bit),
	TEST(monitor_page_of_the_device_is_its_third_mapping),
	TEST(room_that_is_made_is_told_to_a_host_that_waits_for_it),
	TEST(nothing_stays_mapped_behind_a_close),
	TEST(name_that_is_no_uio_devices_is_passed_over),
	TEST(interrupt_is_unmasked_though_the_kernel_masked_it),
	TEST(interrupts_are_counted_and_the_end_is_noticed),
	TEST(error_of_the_device_is_its_end),
};
TEST_MAIN("uio_channel", tests)
