// SPDX-License-Identifier: Apache-2.0
/*
 * Backups of a real worker, asked for by its control socket, with a guest in this process that
 * answers by the real guest machine: each version, each ending, and what the images hold.
 */
#include "guest/ic_daemons/ic_channel.h"
#include "guest/ic_daemons/vss_ic.h"
#include "guest/vsc/storage_controller.h"
#include "tests/harness.h"
#include "tests/loopback/stack_guest.h"
#include "tests/loopback/stack_host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND_100NS 10000000ull

struct pair {
	struct stack_host host;
	struct stack_guest guest;
	struct vss_ic vss;
	struct ic_guest_service service;
	struct ic_channel channel;
	uint8_t begun[64];
	unsigned begins;
	bool is_frozen;
	uint32_t freeze_status;
	uint32_t thaw_status; /* once, then success */
	char answer[16384];
};

/* ---- the guest ------------------------------------------------------------------------------ */

static uint32_t on_begin(void *ctx, uint8_t operation)
{
	struct pair *pair = ctx;
	pair->begun[pair->begins++ % sizeof pair->begun] = operation;
	if (operation == VSS_FREEZE) {
		pair->is_frozen = pair->freeze_status == IC_STATUS_SUCCESS;
		return pair->freeze_status;
	}
	if (operation == VSS_THAW) {
		const uint32_t status = pair->thaw_status;
		pair->is_frozen = false;
		pair->thaw_status = IC_STATUS_SUCCESS;
		return status;
	}
	return IC_STATUS_SUCCESS;
}

static const struct vss_ic_ops guest_ops = {.begin = on_begin};

static void serve(struct pair *pair)
{
	(void)vmbus_poll(pair->guest.bus, SECOND_100NS / 100);
}

static void prepare(struct pair *pair, const char *const *options)
{
	memset(pair, 0, sizeof *pair);
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&pair->host), 0);
	CU_ASSERT_EQUAL_FATAL(stack_host_start(&pair->host, options), 0);
	vss_ic_init(&pair->vss, &guest_ops, pair);
}

static void open_service(struct pair *pair)
{
	CU_ASSERT_EQUAL_FATAL(stack_guest_connect(&pair->guest, pair->host.guest_socket), 0);
	const uint64_t deadline = stack_guest_deadline(&pair->guest);
	CU_ASSERT_EQUAL_FATAL(ic_channel_open(&pair->channel, pair->guest.bus, &pair->vss.ic,
				      &guid_vss, deadline),
		0);
	while (!pair->vss.ic.is_negotiated && winhv_time_100ns(&pair->guest.hv) < deadline)
		serve(pair);
	CU_ASSERT_TRUE_FATAL(pair->vss.ic.is_negotiated);
}

static void start(struct pair *pair)
{
	prepare(pair, (const char *[]){"--ram-disk", "1M", NULL});
	open_service(pair);
}

static void leave(struct pair *pair)
{
	CU_ASSERT_EQUAL(ic_channel_close(&pair->channel, stack_guest_deadline(&pair->guest)), 0);
	CU_ASSERT_EQUAL(stack_guest_leave(&pair->guest), 0);
}

static void stop(struct pair *pair)
{
	leave(pair);
	CU_ASSERT_EQUAL(stack_host_stop(&pair->host), 0);
}

/* ---- commands -------------------------------------------------------------------------------- */

struct command {
	struct pair *pair;
	const char *line;
	atomic_bool is_done;
};

static void *command_main(void *ctx)
{
	struct command *command = ctx;
	const char *answer = stack_host_control(&command->pair->host, command->line);
	snprintf(command->pair->answer, sizeof command->pair->answer, "%s",
		answer != NULL ? answer : "none");
	atomic_store(&command->is_done, true);
	return NULL;
}

/* Have a command carried out while the guest serves. The answer holds `part`. */
static void expect(struct pair *pair, const char *line, const char *part)
{
	struct command command = {.pair = pair, .line = line};
	pthread_t thread;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, command_main, &command), 0);
	while (!atomic_load(&command.is_done))
		serve(pair);
	pthread_join(thread, NULL);
	if (strstr(pair->answer, part) == NULL)
		printf("    asked %s\n    want  %s\n    got   %s\n", line, part, pair->answer);
	CU_ASSERT_PTR_NOT_NULL(strstr(pair->answer, part));
}

static const char freeze_line[] =
	"{\"command\":\"backup\",\"arguments\":{\"action\":\"freeze\",\"limit\":60}}";
static const char thaw_line[] = "{\"command\":\"backup\",\"arguments\":{\"action\":\"thaw\"}}";
static const char status_line[] = "{\"command\":\"backup\",\"arguments\":{\"action\":\"status\"}}";

/* A client that stays: its connection. */
static int client_connect(const struct pair *pair)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(name.sun_path, sizeof name.sun_path, "%.90s", pair->host.control_socket);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

static void client_says(int fd, const char *line)
{
	CU_ASSERT_EQUAL(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	CU_ASSERT_EQUAL(write(fd, "\n", 1), 1);
}

/* Its answer's line, while the guest serves. */
static const char *client_hears(struct pair *pair, int fd)
{
	size_t used = 0;
	while (used < sizeof pair->answer - 1) {
		const ssize_t n = recv(
			fd, pair->answer + used, sizeof pair->answer - 1 - used, MSG_DONTWAIT);
		if (n == 0)
			break;
		if (n < 0) {
			serve(pair);
			continue;
		}
		used += (size_t)n;
		if (pair->answer[used - 1] == '\n')
			break;
	}
	pair->answer[used] = '\0';
	return pair->answer;
}

static bool thaws_by_itself(struct pair *pair)
{
	const uint64_t deadline = stack_guest_deadline(&pair->guest);
	while (pair->is_frozen && winhv_time_100ns(&pair->guest.hv) < deadline)
		serve(pair);
	return !pair->is_frozen;
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void every_version_is_backed_up_or_says_that_it_cannot_be(void)
{
	static struct pair pair;
	static const unsigned versions[] = {4, 5, 6, 7};
	char part[128];
	prepare(&pair, (const char *[]){"--ram-disk", "1M", NULL});
	for (unsigned i = 0; i < 8; i++) {
		pair.service = vss_ic_service;
		pair.service.frameworks.count = (uint16_t)((i & 1) + 1);
		pair.service.messages.count = (uint16_t)(i / 2 + 1);
		pair.vss.ic.service = &pair.service;
		open_service(&pair);
		snprintf(part, sizeof part,
			"\"service\":\"backup\",\"offered\":true,\"state\":\"ready\","
			"\"framework\":\"%u.0\",\"version\":\"%u.0\"",
			(i & 1) != 0 ? 3u : 1u, versions[i / 2]);
		expect(&pair, "{\"command\":\"services\"}", part);
		if (i < 2) {
			expect(&pair, freeze_line, "version of the service has no such request");
		} else {
			expect(&pair, freeze_line, "\"frozen\":true,\"freezing_seconds\":");
			CU_ASSERT_TRUE(pair.is_frozen);
			CU_ASSERT_PTR_NOT_NULL(strstr(pair.answer, "\"check_flags\":5"));
			CU_ASSERT_PTR_NOT_NULL(strstr(pair.answer, "\"kind\":\"memory\""));
			expect(&pair, status_line, "\"state\":\"frozen\"");
			expect(&pair, freeze_line, "frozen already");
			expect(&pair, thaw_line, "\"frozen\":true,\"consistent\":true");
			CU_ASSERT_FALSE(pair.is_frozen);
		}
		leave(&pair);
	}
	CU_ASSERT_EQUAL(stack_host_stop(&pair.host), 0);
}

/* R-VSS-024: what the guest has written is in the file when the freeze is answered. */
static void the_images_hold_what_was_written_before(void)
{
	static struct pair pair;
	static const char text[512] = "written before the freeze";
	char disk[160];
	char found[512] = "";
	memset(&pair, 0, sizeof pair);
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&pair.host), 0);
	int fd = open(pair.host.image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, 1 << 20), 0);
	snprintf(disk, sizeof disk, "%s", pair.host.image);
	CU_ASSERT_EQUAL_FATAL(
		stack_host_start(&pair.host, (const char *[]){"--disk", disk, NULL}), 0);
	vss_ic_init(&pair.vss, &guest_ops, &pair);
	open_service(&pair);
	CU_ASSERT_EQUAL_FATAL(stack_guest_open(&pair.guest, 0), 0);
	memcpy(pair.guest.pages.va, text, sizeof text);
	struct storage_vsc_lun *lun = stack_guest_lun(&pair.guest, 0, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lun);
	CU_ASSERT_EQUAL(storage_controller_write(
				&pair.guest.controller, lun, 8, 1, &pair.guest.pages, 0, 20000),
		0);
	expect(&pair, freeze_line, "\"frozen\":true");
	CU_ASSERT_PTR_NOT_NULL(strstr(pair.answer, disk));
	CU_ASSERT_EQUAL(pread(fd, found, sizeof found, 4096), 512);
	CU_ASSERT_EQUAL(memcmp(found, text, sizeof text), 0);
	expect(&pair, thaw_line, "\"consistent\":true");
	close(fd);
	stop(&pair);
}

static void a_guest_that_refuses_is_thawed_and_named(void)
{
	static struct pair pair;
	start(&pair);
	pair.freeze_status = IC_STATUS_FAIL;
	expect(&pair, freeze_line, "it refuses the freeze with status 0x80004005");
	CU_ASSERT_EQUAL(pair.begun[pair.begins - 1], VSS_THAW);
	pair.freeze_status = IC_STATUS_SUCCESS;
	expect(&pair, freeze_line, "\"ok\":true");
	pair.thaw_status = IC_STATUS_FAIL;
	expect(&pair, thaw_line, "thawed before it was told to (status 0x80004005)");
	expect(&pair, status_line, "\"state\":\"idle\"");
	CU_ASSERT_PTR_NOT_NULL(strstr(pair.answer, "\"consistent\":false"));
	expect(&pair, thaw_line, "\"ok\":true"); /* of nothing, in an emergency */
	stop(&pair);
}

/* R-VSS-017: nobody thaws. Whoever comes too late is told. */
static void the_limit_thaws(void)
{
	static struct pair pair;
	start(&pair);
	expect(&pair, "{\"command\":\"backup\",\"arguments\":{\"action\":\"freeze\",\"limit\":1}}",
		"\"limit_seconds\":1");
	CU_ASSERT_TRUE(pair.is_frozen);
	CU_ASSERT_TRUE(thaws_by_itself(&pair));
	expect(&pair, status_line, "\"limits\":1");
	expect(&pair, thaw_line, "thawed after its limit of 1 seconds");
	expect(&pair, thaw_line, "\"ok\":true");
	stop(&pair);
}

/* R-VSS-008: the client dies while it holds the freeze, and while it waits for it. */
static void the_end_of_a_client_thaws(void)
{
	static struct pair pair;
	start(&pair);
	int fd = client_connect(&pair);
	client_says(
		fd, "{\"command\":\"backup\",\"arguments\":{\"action\":\"freeze\",\"hold\":true}}");
	CU_ASSERT_PTR_NOT_NULL(strstr(client_hears(&pair, fd), "\"frozen\":true"));
	expect(&pair, status_line, "\"held\":true");
	close(fd);
	CU_ASSERT_TRUE(thaws_by_itself(&pair));
	expect(&pair, status_line, "\"held\":false");

	/* Waiting: the guest answers when the client has gone. */
	pair.freeze_status = IC_GUEST_LATER;
	pair.begins = 0;
	fd = client_connect(&pair);
	client_says(fd, freeze_line);
	while (pair.begins < 2)
		serve(&pair);
	close(fd);
	while (strstr(stack_host_control(&pair.host, status_line), "\"given_up\":true") == NULL)
		serve(&pair);
	pair.is_frozen = true;
	pair.freeze_status = IC_STATUS_SUCCESS;
	vss_ic_finish(&pair.vss, true);
	CU_ASSERT_TRUE(thaws_by_itself(&pair));
	while (strstr(stack_host_control(&pair.host, status_line), "\"state\":\"idle\"") == NULL)
		serve(&pair);

	/* One that does not hold may go. */
	fd = client_connect(&pair);
	client_says(fd, freeze_line);
	CU_ASSERT_PTR_NOT_NULL(strstr(client_hears(&pair, fd), "\"frozen\":true"));
	close(fd);
	for (unsigned i = 0; i < 3; i++)
		expect(&pair, status_line, "\"state\":\"frozen\"");
	CU_ASSERT_TRUE(pair.is_frozen);
	expect(&pair, thaw_line, "\"consistent\":true");
	stop(&pair);
}

static void a_guest_that_leaves_is_said_to_have_left_and_is_owed_a_thaw(void)
{
	static struct pair pair;
	start(&pair);
	expect(&pair, freeze_line, "\"ok\":true");
	leave(&pair);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(stack_host_control(&pair.host, status_line), "\"owes_thaw\":true"));
	pair.begins = 0;
	open_service(&pair);
	while (pair.begins == 0)
		serve(&pair);
	CU_ASSERT_EQUAL(pair.begun[0], VSS_THAW);
	expect(&pair, thaw_line, "it closed the service at the thaw");
	expect(&pair, freeze_line, "\"ok\":true");
	stack_guest_vanish(&pair.guest);
	CU_ASSERT_EQUAL(stack_host_stop(&pair.host), 0);
}

static void a_worker_without_the_service_says_so(void)
{
	static struct pair pair;
	prepare(&pair, (const char *[]){"--services", "time", NULL});
	const char *answer = stack_host_control(&pair.host, freeze_line);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "does not offer the service"));
	CU_ASSERT_EQUAL(stack_host_stop(&pair.host), 0);
	prepare(&pair, (const char *[]){"--services", "backup", NULL});
	answer = stack_host_control(&pair.host, freeze_line);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "does not run this service"));
	CU_ASSERT_EQUAL(stack_host_stop(&pair.host), 0);
}

static const struct test tests[] = {
	TEST(every_version_is_backed_up_or_says_that_it_cannot_be),
	TEST(the_images_hold_what_was_written_before),
	TEST(a_guest_that_refuses_is_thawed_and_named),
	TEST(the_limit_thaws),
	TEST(the_end_of_a_client_thaws),
	TEST(a_guest_that_leaves_is_said_to_have_left_and_is_owed_a_thaw),
	TEST(a_worker_without_the_service_says_so),
};
TEST_MAIN("stack_backup", tests)
