// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs of a real worker, asked for by its control socket, and a guest in this process
 * that answers by the real guest machine: each version, each ending.
 */
#include "guest/ic_daemons/ic_channel.h"
#include "tests/harness.h"
#include "tests/loopback/stack_guest.h"
#include "tests/loopback/stack_host.h"
#include "tests/unit/kvp_guest.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SECOND_100NS 10000000ull

struct pair {
	struct stack_host host;
	struct stack_guest guest;
	struct kvp_guest kvp;
	struct ic_guest_service service;
	struct ic_channel channel;
	char answer[16384];
};

static struct pair pair;

static void start(struct pair *p, unsigned versions)
{
	memset(p, 0, sizeof *p);
	kvp_guest_init(&p->kvp);
	p->service = kvp_ic_service;
	p->service.messages.count = (uint16_t)versions;
	p->kvp.ic.ic.service = &p->service;
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&p->host), 0);
	CU_ASSERT_EQUAL_FATAL(
		stack_host_start(
			&p->host, (const char *[]){"--services", "kvp", "--name", "Größe 1", "--id",
					  "5a1c3e0f-9d6b-4c58-8f27-0b9f1e6d4a32", NULL}),
		0);
	CU_ASSERT_EQUAL_FATAL(stack_guest_connect(&p->guest, p->host.guest_socket), 0);
	CU_ASSERT_EQUAL_FATAL(ic_channel_open(&p->channel, p->guest.bus, &p->kvp.ic.ic, &guid_kvp,
				      stack_guest_deadline(&p->guest)),
		0);
}

/* Serve until the host has said who it is: the last of its pairs. */
static void serve_host_pairs(struct pair *p)
{
	const uint64_t deadline = stack_guest_deadline(&p->guest);
	while (kvp_guest_find(&p->kvp, KVP_POOL_AUTO_EXTERNAL, "VirtualMachineName") == NULL &&
		winhv_time_100ns(&p->guest.hv) < deadline)
		(void)vmbus_poll(p->guest.bus, SECOND_100NS / 10);
}

static void finish(struct pair *p)
{
	CU_ASSERT_EQUAL(ic_channel_close(&p->channel, stack_guest_deadline(&p->guest)), 0);
	CU_ASSERT_EQUAL(stack_guest_leave(&p->guest), 0);
	CU_ASSERT_EQUAL(stack_host_stop(&p->host), 0);
}

struct command {
	struct pair *pair;
	char line[512];
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

/* A command with arguments, the guest serving meanwhile or not. The answer holds `part`. */
static void expect(struct pair *p, const char *command, const char *arguments, bool is_serving,
	const char *part)
{
	struct command what = {.pair = p};
	pthread_t thread;
	snprintf(what.line, sizeof what.line, "{\"command\":\"%s\",\"arguments\":{%s}}", command,
		arguments);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, command_main, &what), 0);
	while (is_serving && !atomic_load(&what.is_done))
		(void)vmbus_poll(p->guest.bus, SECOND_100NS / 100);
	pthread_join(thread, NULL);
	if (strstr(p->answer, part) == NULL)
		printf("    asked %s\n    want  %s\n    got   %s\n", what.line, part, p->answer);
	CU_ASSERT_PTR_NOT_NULL(strstr(p->answer, part));
}

static void every_version_does_what_it_is_told(void)
{
	for (unsigned versions = 1; versions <= 4; versions++) {
		struct pair *p = &pair;
		char part[128];
		start(p, versions);
		serve_host_pairs(p);
		expect(p, "kvp-set", "\"pool\":\"external\",\"key\":\"k\",\"value\":\"v\"", true,
			"\"ok\":true");
		expect(p, "kvp-get", "\"pool\":\"external\",\"key\":\"k\"", true,
			"{\"key\":\"k\",\"value\":\"v\",\"type\":\"string\"}");
		expect(p, "kvp-get", "\"pool\":\"external\",\"key\":\"k\",\"direct\":true", true,
			"\"value\":\"v\"");
		expect(p, "kvp-set",
			"\"pool\":\"external\",\"key\":\"n\",\"value\":\"18446744073709551615\","
			"\"type\":\"u64\"",
			true, "\"ok\":true");
		expect(p, "kvp-set",
			"\"pool\":\"external\",\"key\":\"n\",\"value\":\"x\",\"type\":\"u32\"",
			true, "not a number that fits in a u32");
		expect(p, "kvp-list", "\"pool\":\"external\"", true,
			"\"value\":\"18446744073709551615\",\"type\":\"u64\",\"index\":1}],"
			"\"next\":null");
		expect(p, "kvp-list", "\"pool\":\"auto\",\"index\":3,\"count\":2", true,
			"\"key\":\"OSBuildNumber\",\"value\":\"value 4\",\"type\":\"string\","
			"\"index\":4}],\"next\":5");
		expect(p, "kvp-delete", "\"pool\":\"external\",\"key\":\"k\"", true, "\"ok\":true");
		expect(p, "kvp-delete", "\"pool\":\"external\",\"key\":\"k\"", true,
			"kvp delete: pool external has no pair of that key");
		expect(p, "ip-set",
			"\"adapter\":\"0000000B-0000-0000-0000-00000000000A\","
			"\"address\":\"192.0.2.5/24,fd00::5/64\",\"gateway\":\"192.0.2.1\","
			"\"dns\":\"fd00::53\"",
			true, "with status 0x80041002: has it an adapter of that GUID");
		expect(p, "ip-set",
			"\"adapter\":\"00000000-0000-0000-0000-00000000000A\","
			"\"address\":\"192.0.2.5/24,fd00::5/64\",\"gateway\":\"192.0.2.1\","
			"\"dns\":\"fd00::53\"",
			true, "\"ok\":true");
		expect(p, "ip-get", "\"adapter\":\"00:15:5D:01:02:03\"", true,
			"\"addresses\":[{\"address\":\"192.0.2.5\",\"prefix\":24,\"origin\":");
		expect(p, "ip-get", "\"adapter\":\"00:15:5D:01:02:03\"", true,
			"\"gateways\":[\"192.0.2.1\"],\"dns\":[\"fd00::53\"],\"unreadable\":0}");
		snprintf(part, sizeof part,
			"\"state\":\"ready\",\"framework\":\"3.0\",\"version\":\"%u.0\"",
			kvp_ic_service.messages.at[versions - 1].major);
		expect(p, "services", "", true, part);
		CU_ASSERT_EQUAL(ic_guest_rejections(&p->kvp.ic.ic), 0);
		finish(p);
	}
}

/* Rule R-KVP-025. */
static void host_says_what_it_is(void)
{
	struct pair *p = &pair;
	start(p, 4);
	serve_host_pairs(p);
	const struct kvp_item *item = kvp_guest_find(
		&p->kvp, KVP_POOL_AUTO_EXTERNAL, "HostingSystemProcessorArchitecture");
	CU_ASSERT_PTR_NOT_NULL_FATAL(item);
	CU_ASSERT_STRING_EQUAL(item->value, "9");
	item = kvp_guest_find(&p->kvp, KVP_POOL_AUTO_EXTERNAL, "HostingSystemOsMajor");
	CU_ASSERT_TRUE(item != NULL && item->value[0] >= '1' && item->value[0] <= '9');
	item = kvp_guest_find(&p->kvp, KVP_POOL_AUTO_EXTERNAL, "VirtualMachineId");
	CU_ASSERT_TRUE(
		item != NULL && strcmp(item->value, "5A1C3E0F-9D6B-4C58-8F27-0B9F1E6D4A32") == 0);
	item = kvp_guest_find(&p->kvp, KVP_POOL_AUTO_EXTERNAL, "VirtualMachineName");
	CU_ASSERT_TRUE(item != NULL && strcmp(item->value, "Größe 1") == 0);
	finish(p);
}

static void wrong_addresses_are_refused_by_the_worker(void)
{
	struct pair *p = &pair;
	start(p, 4);
	serve_host_pairs(p);
	const char *const guid = "\"adapter\":\"00000000-0000-0000-0000-00000000000a\"";
	char arguments[256];
	expect(p, "ip-set", "\"adapter\":\"eth0\"", true, "'eth0' is not the GUID of an adapter");
	snprintf(arguments, sizeof arguments, "%s,\"address\":\"192.0.2.5\"", guid);
	expect(p, "ip-set", arguments, true, "'192.0.2.5' is not an address and its prefix");
	snprintf(arguments, sizeof arguments, "%s,\"address\":\"192.0.2.5/33\"", guid);
	expect(p, "ip-set", arguments, true, "'192.0.2.5/33' is not an address and its prefix");
	snprintf(arguments, sizeof arguments, "%s,\"gateway\":\"192.0.2.1,$(reboot)\"", guid);
	expect(p, "ip-set", arguments, true, "'$(reboot)' is not an address");
	snprintf(arguments, sizeof arguments,
		"%s,\"gateway\":\"::1,::1,::1,::1,::1,::1,::1,::1,"
		"::1,::1,::1\"",
		guid);
	expect(p, "ip-set", arguments, true, "more than 10 addresses of a kind");
	snprintf(arguments, sizeof arguments, "%s,\"gateway\":\"::1,::1,::1,::1,::1,::1\"", guid);
	expect(p, "ip-set", arguments, true, "ip set: more addresses than there is room for");
	finish(p);
}

static void guest_without_the_service_is_said_to_be_so(void)
{
	struct pair *p = &pair;
	memset(p, 0, sizeof *p);
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&p->host), 0);
	CU_ASSERT_EQUAL_FATAL(
		stack_host_start(&p->host, (const char *[]){"--services", "kvp", NULL}), 0);
	expect(p, "kvp-list", "\"pool\":\"auto\"", false, "the guest does not run this service");
	CU_ASSERT_EQUAL(stack_host_stop(&p->host), 0);
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&p->host), 0);
	CU_ASSERT_EQUAL_FATAL(
		stack_host_start(&p->host, (const char *[]){"--services", "none", NULL}), 0);
	expect(p, "ip-get", "\"adapter\":\"x\"", false, "the worker does not offer the service");
	CU_ASSERT_EQUAL(stack_host_stop(&p->host), 0);
}

/* It has opened the channel, and leaves the lists in the ring. */
static void guest_without_its_daemon_is_said_to_be_so(void)
{
	struct pair *p = &pair;
	start(p, 4);
	expect(p, "kvp-list", "\"pool\":\"auto\"", false, "its daemon may not run");
	serve_host_pairs(p);
	expect(p, "kvp-list", "\"pool\":\"guest\"", true, "{\"items\":[],\"next\":null}");
	finish(p);
}

static void guest_that_says_nothing_is_not_waited_for_for_ever(void)
{
	struct pair *p = &pair;
	start(p, 4);
	serve_host_pairs(p);
	expect(p, "kvp-get", "\"pool\":\"guest\",\"key\":\"k\",\"timeout\":1", false,
		"the guest gave no answer");
	expect(p, "kvp-set", "\"pool\":\"external\",\"key\":\"k\",\"timeout\":5", true,
		"\"ok\":true");
	finish(p);
}

/* Serve until a request of that operation lies in the ring; the host may have others before it. */
static void wait_for(struct pair *p, uint8_t operation)
{
	struct packet_view view;
	for (;;) {
		if (ring_peek(&p->channel.channel.in, &view) != RING_OK)
			sched_yield();
		else if (((const uint8_t *)view.payload)[IC_OVERHEAD_BYTES] == operation)
			return;
		else
			(void)vmbus_poll(p->guest.bus, SECOND_100NS / 100);
	}
}

static void guest_that_dies_while_it_is_asked_ends_the_request(void)
{
	struct pair *p = &pair;
	start(p, 4);
	serve_host_pairs(p);
	struct command command = {.pair = p,
		.line = "{\"command\":\"kvp-list\",\"arguments\":{\"pool\":\"auto\",\"timeout\":"
			"3600}}"};
	pthread_t thread;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, command_main, &command), 0);
	wait_for(p, KVP_OPERATION_ENUMERATE);
	CU_ASSERT_FALSE(atomic_load(&command.is_done));
	stack_guest_vanish(&p->guest);
	pthread_join(thread, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(p->answer, "the guest left before it answered"));
	CU_ASSERT_EQUAL(stack_host_stop(&p->host), 0);
}

static const struct test tests[] = {
	TEST(every_version_does_what_it_is_told),
	TEST(host_says_what_it_is),
	TEST(wrong_addresses_are_refused_by_the_worker),
	TEST(guest_without_the_service_is_said_to_be_so),
	TEST(guest_without_its_daemon_is_said_to_be_so),
	TEST(guest_that_says_nothing_is_not_waited_for_for_ever),
	TEST(guest_that_dies_while_it_is_asked_ends_the_request),
};
TEST_MAIN("stack_kvp", tests)
