// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination as a daemon's component: over the kernel's device (its records, from the
 * other end of a socket) and over a channel, with a real keeper over file systems that do not
 * exist.
 */
#include "guest/ic_daemons/vss_agent_linux.h"
#include "guest/ic_daemons/vss_device_linux.h"
#include "tests/unit/ic_bytes.h"
#include "tests/unit/vss_world.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct fixture {
	struct vss_agent agent;
	struct daemon_component component;
	struct daemon *daemon;
	int kernel;
	uint8_t late[256];
	size_t late_len;
};

static struct fixture f;

static void start(const char *config)
{
	memset(&f, 0, sizeof f);
	world_make(config);
	vss_agent_init(&f.agent);
	f.agent.options = world_options;
	f.agent.ops = &world_ops;
	f.component = (struct daemon_component){
		.stem = "vss",
		.description = "test",
		.interface_id = &guid_vss,
		.ctx = &f.agent,
		.ic = &f.agent.ic.ic,
		.device = &vss_agent_device,
		.start = vss_agent_start,
		.ready = vss_agent_ready,
		.on_transport = vss_agent_on_transport,
		.stop = vss_agent_stop,
		.status = vss_agent_status,
	};
	f.daemon = daemon_create(&f.component);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f.daemon);
	f.kernel = -1;
}

static int stop(void)
{
	const int status = daemon_destroy(f.daemon);
	if (f.kernel >= 0)
		close(f.kernel);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	waitpid(f.agent.keeper_pid, NULL, 0);
	world_drop();
	return status;
}

/* --- the kernel ------------------------------------------------------------------------------ */

/* The next record of the daemon's; its length. */
static size_t kernel_hears(uint8_t record[64])
{
	for (unsigned i = 0; i < 2000; i++) {
		const ssize_t n = recv(f.kernel, record, 64, MSG_DONTWAIT);
		if (n >= 0)
			return (size_t)n;
		(void)daemon_turn(f.daemon, 10);
	}
	CU_FAIL("the daemon writes nothing");
	return 0;
}

static void kernel_says(uint8_t operation, size_t len)
{
	uint8_t record[64] = {operation};
	CU_ASSERT_EQUAL(send(f.kernel, record, len, 0), (ssize_t)len);
}

/* As the driver does it: 12 bytes of greeting, 4 bytes back. */
static void kernel_opens(void)
{
	static const uint8_t greeting[12] = {129};
	uint8_t record[64];
	int pair[2];
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	f.kernel = pair[0];
	CU_ASSERT_EQUAL_FATAL(daemon_device_attach(f.daemon, pair[1]), 0);
	CU_ASSERT_EQUAL(kernel_hears(record), 12);
	CU_ASSERT_EQUAL(memcmp(record, greeting, 12), 0);
	kernel_says(129, 4);
}

/* A request of 12 bytes; the status in its answer. */
static uint32_t kernel_asks(uint8_t operation)
{
	uint8_t record[64];
	uint32_t status;
	kernel_says(operation, 12);
	CU_ASSERT_EQUAL(kernel_hears(record), 12);
	memcpy(&status, record, sizeof status);
	for (size_t i = 4; i < 12; i++)
		CU_ASSERT_EQUAL(record[i], 0);
	return status;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void records_have_the_layout_of_the_kernel(void)
{
	uint8_t operation = 0;
	static const uint8_t record[13] = {5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0};
	static const uint8_t welcome[4] = {129, 0, 0, 0};
	CU_ASSERT_EQUAL(vss_device_read(record, 12, &operation), VSS_DEVICE_REQUEST);
	CU_ASSERT_EQUAL(operation, 5);
	CU_ASSERT_EQUAL(vss_device_read(welcome, 4, &operation), VSS_DEVICE_WELCOME);
	CU_ASSERT_EQUAL(vss_device_read(record, 4, &operation), VSS_DEVICE_BAD);
	for (size_t len = 0; len < 14; len++) {
		if (len != 4 && len != 12)
			CU_ASSERT_EQUAL(vss_device_read(record, len, &operation), VSS_DEVICE_BAD);
	}
	const struct vss_device_record_wire answer = vss_device_answer(IC_STATUS_FAIL);
	static const uint8_t wanted[12] = {0x05, 0x40, 0x00, 0x80};
	CU_ASSERT_EQUAL(memcmp(&answer, wanted, 12), 0);
}

/* The sequence of the recordings: check, freeze, thaw. */
static void the_kernel_makes_a_backup(void)
{
	start("");
	kernel_opens();
	CU_ASSERT_EQUAL(kernel_asks(VSS_HOT_BACKUP), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_EQUAL(kernel_asks(VSS_FREEZE), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 4);
	CU_ASSERT_TRUE(f.agent.is_quiet);
	CU_ASSERT_EQUAL(kernel_asks(VSS_THAW), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	while (f.agent.is_quiet)
		CU_ASSERT_TRUE_FATAL(daemon_turn(f.daemon, 1000));
	CU_ASSERT_EQUAL(f.agent.freezes, 1);
	CU_ASSERT_EQUAL(f.agent.thaws, 1);
	json_t *status = daemon_status_object(f.daemon);
	char *text = json_dumps(status, JSON_COMPACT);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"file_systems\":4"));
	free(text);
	json_decref(status);
	CU_ASSERT_EQUAL(stop(), 0);
}

static void the_kernel_is_told_of_a_failure(void)
{
	start("");
	kernel_opens();
	world->freeze_error[1] = EIO;
	CU_ASSERT_EQUAL(kernel_asks(VSS_FREEZE), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(f.agent.problem, "/: cannot be frozen"));
	while (f.agent.is_quiet)
		CU_ASSERT_TRUE_FATAL(daemon_turn(f.daemon, 1000));
	CU_ASSERT_EQUAL(kernel_asks(VSS_AUTO_RECOVER), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(kernel_asks(99), IC_STATUS_FAIL);
	kernel_says(VSS_FREEZE, 11); /* no record that it has: nothing is done */
	CU_ASSERT_EQUAL(kernel_asks(VSS_THAW), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	stop();
}

/* R-VSS-010: the module is unloaded, or the device is gone. */
static void the_end_of_the_device_thaws(void)
{
	start("");
	kernel_opens();
	CU_ASSERT_EQUAL(kernel_asks(VSS_FREEZE), IC_STATUS_SUCCESS);
	close(f.kernel);
	f.kernel = -1;
	while (f.agent.is_quiet)
		CU_ASSERT_TRUE_FATAL(daemon_turn(f.daemon, 1000));
	CU_ASSERT_EQUAL(f.agent.expired, 0); /* the watchdog would have, in the end */
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_EQUAL(f.agent.question_count, 0);
	stop();
}

static void the_end_of_the_daemon_thaws(void)
{
	start("");
	kernel_opens();
	CU_ASSERT_EQUAL(kernel_asks(VSS_FREEZE), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 4);
	stop();
}

static void the_watchdog_ends_the_quiet(void)
{
	start("watchdog-seconds 1\n");
	kernel_opens();
	CU_ASSERT_EQUAL(kernel_asks(VSS_FREEZE), IC_STATUS_SUCCESS);
	while (f.agent.is_quiet)
		CU_ASSERT_TRUE_FATAL(daemon_turn(f.daemon, 1000));
	CU_ASSERT_EQUAL(f.agent.expired, 1);
	CU_ASSERT_FALSE(f.agent.is_frozen);
	CU_ASSERT_EQUAL(kernel_asks(VSS_THAW), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(kernel_asks(VSS_THAW), IC_STATUS_SUCCESS);
	stop();
}

/* Whoever waits is answered, and the daemon ends to be started again. */
static void the_death_of_the_keeper_fails_what_is_asked(void)
{
	uint8_t record[64];
	uint32_t status;
	start("");
	kernel_opens();
	world->waits_at = 2;
	kernel_says(VSS_FREEZE, 12);
	while (sem_trywait(&world->waiting) != 0)
		(void)daemon_turn(f.daemon, 10);
	CU_ASSERT_EQUAL(kill(f.agent.keeper_pid, SIGKILL), 0);
	CU_ASSERT_EQUAL(kernel_hears(record), 12);
	memcpy(&status, record, sizeof status);
	CU_ASSERT_EQUAL(status, IC_STATUS_FAIL);
	sem_post(&world->go);
	CU_ASSERT_TRUE(world_comes_to(0));
	CU_ASSERT_FALSE(daemon_turn(f.daemon, 0));
	CU_ASSERT_EQUAL(stop(), 1);
}

static void a_mistake_in_the_configuration_keeps_it_from_starting(void)
{
	memset(&f, 0, sizeof f);
	world_make("skip\n");
	vss_agent_init(&f.agent);
	f.agent.options = world_options;
	f.component = (struct daemon_component){.stem = "vss",
		.interface_id = &guid_vss,
		.ctx = &f.agent,
		.ic = &f.agent.ic.ic,
		.start = vss_agent_start};
	CU_ASSERT_PTR_NULL(daemon_create(&f.component));
	world_drop();
}

/* ---- the channel -------------------------------------------------------------------------------
 */

static void on_late(void *transport, const void *reply, size_t len)
{
	(void)transport;
	f.late_len = len < sizeof f.late ? len : sizeof f.late;
	memcpy(f.late, reply, f.late_len);
}

static void give(const uint8_t *bytes, size_t len)
{
	uint8_t reply[256];
	size_t reply_len = 0;
	CU_ASSERT_EQUAL(
		ic_guest_on_packet(&f.agent.ic.ic, bytes, len, reply, sizeof reply, &reply_len),
		IC_OK);
}

static const uint8_t negotiation[52] = {1, 0, 0, 0, 0x2C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x18, 0, 0, 0, 0, 0, 0, 3, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0};

static void channel_asks(uint8_t operation)
{
	uint8_t packet[40] = {1, 0, 0, 0, 0x20, 0, 0, 0, 3, 0, 0, 0, 5, 0, 5, 0, 0, 0, 0x0C, 0, 0,
		0, 0, 0, 9, 3, 0, 0, operation};
	f.late_len = 0;
	give(packet, sizeof packet);
}

static void channel_hears(uint8_t operation, uint32_t status)
{
	for (unsigned i = 0; i < 2000 && f.late_len == 0; i++)
		(void)daemon_turn(f.daemon, 10);
	CU_ASSERT_EQUAL_FATAL(f.late_len, 40);
	CU_ASSERT_EQUAL(f.late[AT_BODY], operation);
	CU_ASSERT_EQUAL(f.late[AT_FLAGS], 5);
	CU_ASSERT_EQUAL(f.late[AT_TRANSACTION], 9);
	CU_ASSERT_EQUAL(memcmp(f.late + AT_STATUS, &status, 4), 0);
}

/* R-VSS-011: whatever the body has. */
static void operations_that_are_not_known_are_refused(void)
{
	static const uint8_t operations[] = {VSS_AUTO_RECOVER, VSS_CLUSTER_INFO, 9, 255};
	start("");
	give(negotiation, sizeof negotiation);
	for (size_t i = 0; i < sizeof operations; i++) {
		uint8_t packet[92] = {1, 0, 0, 0, 0x54, 0, 0, 0, 3, 0, 0, 0, 5, 0, 5, 0, 0, 0, 0x40,
			0, 0, 0, 0, 0, 9, 3, 0, 0, operations[i]};
		uint8_t reply[256];
		size_t len = 0;
		uint32_t answer_status = 0;
		(void)ic_guest_on_packet(
			&f.agent.ic.ic, packet, sizeof packet, reply, sizeof reply, &len);
		CU_ASSERT_EQUAL_FATAL(len, sizeof packet);
		memcpy(&answer_status, reply + AT_STATUS, 4);
		CU_ASSERT_EQUAL(answer_status, IC_STATUS_FAIL);
	}
	CU_ASSERT_EQUAL(f.agent.ic.refused, sizeof operations);
	stop();
}

/* R-IC-043. */
static void the_death_of_the_keeper_answers_the_channel(void)
{
	start("");
	ic_guest_attach(&f.agent.ic.ic, on_late, NULL);
	give(negotiation, sizeof negotiation);
	world->waits_at = 2;
	channel_asks(VSS_FREEZE);
	while (sem_trywait(&world->waiting) != 0)
		(void)daemon_turn(f.daemon, 10);
	CU_ASSERT_EQUAL(kill(f.agent.keeper_pid, SIGKILL), 0);
	channel_hears(VSS_FREEZE, IC_STATUS_FAIL);
	sem_post(&world->go);
	CU_ASSERT_TRUE(world_comes_to(0));
	CU_ASSERT_FALSE(daemon_turn(f.daemon, 0));
	CU_ASSERT_EQUAL(stop(), 1);
}

static void a_channel_makes_a_backup(void)
{
	start("");
	ic_guest_attach(&f.agent.ic.ic, on_late, NULL);
	give(negotiation, sizeof negotiation);
	channel_asks(VSS_HOT_BACKUP);
	channel_hears(VSS_HOT_BACKUP, IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(f.late[AT_BODY + 8], 5);
	channel_asks(VSS_FREEZE);
	channel_hears(VSS_FREEZE, IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 4);
	channel_asks(VSS_THAW);
	channel_hears(VSS_THAW, IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	stop();
}

/* A negotiation voids what is asked: the answer is nobody's, and the next is asked anew. */
static void a_new_negotiation_forgets_what_was_asked(void)
{
	start("");
	ic_guest_attach(&f.agent.ic.ic, on_late, NULL);
	give(negotiation, sizeof negotiation);
	channel_asks(VSS_FREEZE);
	give(negotiation, sizeof negotiation);
	f.late_len = 0;
	while (f.agent.question_count > 0)
		(void)daemon_turn(f.daemon, 10);
	CU_ASSERT_EQUAL(f.late_len, 0);
	CU_ASSERT_EQUAL(world_frozen(), 4);
	channel_asks(VSS_THAW);
	channel_hears(VSS_THAW, IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	stop();
}

static const struct test tests[] = {
	TEST(records_have_the_layout_of_the_kernel),
	TEST(the_kernel_makes_a_backup),
	TEST(the_kernel_is_told_of_a_failure),
	TEST(the_end_of_the_device_thaws),
	TEST(the_end_of_the_daemon_thaws),
	TEST(the_watchdog_ends_the_quiet),
	TEST(the_death_of_the_keeper_fails_what_is_asked),
	TEST(a_mistake_in_the_configuration_keeps_it_from_starting),
	TEST(operations_that_are_not_known_are_refused),
	TEST(the_death_of_the_keeper_answers_the_channel),
	TEST(a_channel_makes_a_backup),
	TEST(a_new_negotiation_forgets_what_was_asked),
};
TEST_MAIN("vss_agent", tests)
