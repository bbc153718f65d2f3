// SPDX-License-Identifier: Apache-2.0
/*
 * Integration services of a real worker, asked for by its control socket, and a guest in this
 * process that answers by the real guest machines: each version, each ending.
 */
#include "guest/ic_daemons/ic_channel.h"
#include "guest/ic_daemons/shutdown_ic.h"
#include "guest/ic_daemons/timesync_ic.h"
#include "protocol/errors.h"
#include "tests/harness.h"
#include "tests/loopback/stack_guest.h"
#include "tests/loopback/stack_host.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define SECOND_100NS 10000000ull

struct pair {
	struct stack_host host;
	struct stack_guest guest;
	struct shutdown_ic shutdown;
	struct timesync_ic timesync;
	struct ic_guest_service shutdown_service, timesync_service;
	struct ic_channel shutdown_channel, timesync_channel;
	unsigned handed;
	struct timesync_sample sample;
	int64_t offset_100ns; /* host's clock less ours: it is the same clock */
	char answer[4096];
};

/* --- the guest ----------------------------------------------------------------------------- */

static uint64_t on_reference(void *ctx)
{
	const struct pair *pair = ctx;
	return winhv_time_100ns(&pair->guest.hv);
}

static void on_sample(void *ctx, const struct timesync_sample *sample)
{
	struct pair *pair = ctx;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	pair->offset_100ns = (int64_t)sample->utc_100ns -
			     (int64_t)(TIMESYNC_UNIX_EPOCH_100NS + (uint64_t)now.tv_sec * 10000000 +
				       (uint64_t)now.tv_nsec / 100);
	pair->sample = *sample;
	pair->handed++;
}

static const struct timesync_ic_ops timesync_ops = {
	.reference_100ns = on_reference, .sample = on_sample};

/* Serve the bus until `flag` is set, twenty seconds at most. */
static bool serve_until(struct pair *pair, const bool *flag)
{
	const uint64_t deadline = stack_guest_deadline(&pair->guest);
	while (!*flag && winhv_time_100ns(&pair->guest.hv) < deadline)
		if (vmbus_poll(pair->guest.bus, SECOND_100NS / 10) < 0)
			return false;
	return *flag;
}

static void prepare(struct pair *pair, const char *const *options)
{
	memset(pair, 0, sizeof *pair);
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&pair->host), 0);
	CU_ASSERT_EQUAL_FATAL(stack_host_start(&pair->host, options), 0);
	shutdown_ic_init(&pair->shutdown, SHUTDOWN_IC_CAN(SHUTDOWN_POWER_OFF));
	timesync_ic_init(&pair->timesync, &timesync_ops, pair);
}

static void join_guest(struct pair *pair)
{
	CU_ASSERT_EQUAL_FATAL(stack_guest_connect(&pair->guest, pair->host.guest_socket), 0);
}

static void open_services(struct pair *pair)
{
	CU_ASSERT_EQUAL_FATAL(
		ic_channel_open(&pair->shutdown_channel, pair->guest.bus, &pair->shutdown.ic,
			&guid_shutdown, stack_guest_deadline(&pair->guest)),
		0);
	CU_ASSERT_EQUAL_FATAL(
		ic_channel_open(&pair->timesync_channel, pair->guest.bus, &pair->timesync.ic,
			&guid_timesync, stack_guest_deadline(&pair->guest)),
		0);
	CU_ASSERT_TRUE_FATAL(serve_until(pair, &pair->shutdown.ic.is_negotiated));
	CU_ASSERT_TRUE_FATAL(serve_until(pair, &pair->timesync.ic.is_negotiated));
	while (pair->handed == 0 && vmbus_poll(pair->guest.bus, SECOND_100NS) >= 0)
		;
}

static void close_services(struct pair *pair)
{
	const uint64_t deadline = stack_guest_deadline(&pair->guest);
	CU_ASSERT_EQUAL(ic_channel_close(&pair->shutdown_channel, deadline), 0);
	CU_ASSERT_EQUAL(ic_channel_close(&pair->timesync_channel, deadline), 0);
}

static void start(struct pair *pair)
{
	prepare(pair, (const char *[]){"--ram-disk", "1M", NULL});
	join_guest(pair);
	open_services(pair);
}

/* The worker ends by itself, in order. */
static void worker_ends(struct pair *pair)
{
	int status = -1;
	CU_ASSERT_EQUAL(waitpid(pair->host.pid, &status, 0), pair->host.pid);
	CU_ASSERT_EQUAL(status, 0);
	pair->host.pid = 0;
	CU_ASSERT_EQUAL(stack_host_stop(&pair->host), 0);
}

/* --- commands ------------------------------------------------------------------------------ */

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

/* Have a command carried out, with the guest serving meanwhile, or not. The answer holds `part`. */
static void command_expect(struct pair *pair, const char *line, bool is_serving, const char *part)
{
	struct command command = {.pair = pair, .line = line};
	pthread_t thread;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, command_main, &command), 0);
	while (is_serving && !atomic_load(&command.is_done))
		(void)vmbus_poll(pair->guest.bus, SECOND_100NS / 100);
	pthread_join(thread, NULL);
	if (strstr(pair->answer, part) == NULL)
		printf("    asked %s\n    want  %s\n    got   %s\n", line, part, pair->answer);
	CU_ASSERT_PTR_NOT_NULL(strstr(pair->answer, part));
}

/* --- tests --------------------------------------------------------------------------------- */

static const struct ic_version_wire frameworks[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire shutdown_versions[] = {{1, 0}, {3, 0}, {3, 1}, {3, 2}};
static const struct ic_version_wire timesync_versions[] = {{1, 0}, {3, 0}, {4, 0}};

static const char time_sample[] = "{\"command\":\"time\",\"arguments\":{\"kind\":\"sample\"}}";

/* Within a millisecond, when it was last told the time. */
static bool is_right(const struct pair *pair)
{
	return pair->offset_100ns < 10000 && pair->offset_100ns > -10000;
}

/* The guest knows the versions up to one; one worker sees them all come and go. */
static void every_version_is_spoken_and_shown(void)
{
	static struct pair pair;
	char part[128];
	prepare(&pair, (const char *[]){"--ram-disk", "1M", NULL});
	for (unsigned i = 0; i < 8; i++) {
		const unsigned framework = i & 1;
		const unsigned message = i / 2;
		const unsigned time = message < 3 ? message : 2;
		join_guest(&pair);
		pair.handed = 0;
		pair.shutdown_service = shutdown_ic_service;
		pair.shutdown_service.frameworks.count = (uint16_t)(framework + 1);
		pair.shutdown_service.messages.count = (uint16_t)(message + 1);
		pair.timesync_service = timesync_ic_service;
		pair.timesync_service.frameworks.count = (uint16_t)(framework + 1);
		pair.timesync_service.messages.count = (uint16_t)(time + 1);
		pair.shutdown.ic.service = &pair.shutdown_service;
		pair.timesync.ic.service = &pair.timesync_service;
		open_services(&pair);
		CU_ASSERT_TRUE(pair.sample.is_sync);
		CU_ASSERT_EQUAL(pair.sample.is_exact, time == 2);
		/*
		 * By reference time a message may take as long as it likes. What is left is that
		 * we may be interrupted between two readings of clocks: not each time.
		 */
		for (unsigned tries = 0; time == 2 && tries < 50 && !is_right(&pair); tries++)
			command_expect(&pair, time_sample, true, "\"answer\":\"taken\"");
		CU_ASSERT_TRUE(time < 2 || is_right(&pair));
		snprintf(part, sizeof part,
			"\"service\":\"shutdown\",\"offered\":true,\"state\":\"ready\","
			"\"framework\":\"%u.0\",\"version\":\"%u.%u\"",
			frameworks[framework].major, shutdown_versions[message].major,
			shutdown_versions[message].minor);
		command_expect(&pair, "{\"command\":\"services\"}", true, part);
		snprintf(part, sizeof part,
			"\"service\":\"time\",\"offered\":true,\"state\":\"ready\","
			"\"framework\":\"%u.0\",\"version\":\"%u.0\"",
			frameworks[framework].major, timesync_versions[time].major);
		command_expect(&pair, "{\"command\":\"services\"}", true, part);
		/* Asked for only where the version has it; then refused, for the guest cannot. */
		command_expect(&pair, "{\"command\":\"reboot\"}", true,
			message < 2 ? "version of the service has no such request" : "0x80004005");
		command_expect(&pair, "{\"command\":\"hibernate\"}", true,
			message < 3 ? "version of the service has no such request" : "0x80004005");
		command_expect(&pair, "{\"command\":\"time\",\"arguments\":{\"kind\":\"sync\"}}",
			true, "\"answer\":\"taken\"");
		close_services(&pair);
		CU_ASSERT_EQUAL(stack_guest_leave(&pair.guest), 0);
	}
	CU_ASSERT_EQUAL(ic_guest_rejections(&pair.shutdown.ic), 0);
	CU_ASSERT_EQUAL(ic_guest_rejections(&pair.timesync.ic), 0);
	CU_ASSERT_EQUAL(stack_host_stop(&pair.host), 0);
}

/* The answer comes first; when the guest has gone, so does the worker. */
static void guest_that_powers_off_ends_the_worker(void)
{
	static struct pair pair;
	struct shutdown_order order;
	start(&pair);
	command_expect(&pair,
		"{\"command\":\"shutdown\",\"arguments\":{\"force\":true,\"reason\":\"new disk\"}}",
		true, "{\"asked\":\"power off\",\"answer\":\"accepted\",\"milliseconds\":");
	CU_ASSERT_TRUE(shutdown_ic_take(&pair.shutdown, &order));
	CU_ASSERT_EQUAL(order.action, SHUTDOWN_POWER_OFF);
	CU_ASSERT_TRUE(order.is_forced);
	CU_ASSERT_EQUAL(order.reason, SHUTDOWN_REASON_PLANNED);
	CU_ASSERT_STRING_EQUAL(order.text, "new disk");
	command_expect(&pair, "{\"command\":\"status\"}", true, "\"ok\":true");
	close_services(&pair);
	CU_ASSERT_EQUAL(stack_guest_leave(&pair.guest), 0);
	worker_ends(&pair);
}

static void guest_without_the_services_is_said_to_be_so(void)
{
	static struct pair pair;
	prepare(&pair, (const char *[]){"--services", "shutdown", NULL});
	command_expect(&pair, "{\"command\":\"shutdown\"}", false,
		"the guest does not run this service: load hv_utils");
	command_expect(&pair, "{\"command\":\"time\",\"arguments\":{\"kind\":\"sync\"}}", false,
		"the worker does not offer the service");
	command_expect(&pair, "{\"command\":\"services\"}", false,
		"{\"service\":\"heartbeat\",\"offered\":false}");
	join_guest(&pair);
	CU_ASSERT_EQUAL(ic_channel_open(&pair.timesync_channel, pair.guest.bus, &pair.timesync.ic,
				&guid_timesync, stack_guest_deadline(&pair.guest)),
		-VIRIDIAN_ENOENT);
	command_expect(&pair, "{\"command\":\"shutdown\"}", true, "does not run this service");
	CU_ASSERT_EQUAL(stack_guest_leave(&pair.guest), 0);
	command_expect(&pair, "{\"command\":\"stop\"}", false, "\"ok\":true");
	worker_ends(&pair);
}

/* A guest that is stopped: the answer comes at the deadline. One that dies: at once. */
static void guest_that_says_nothing_is_not_waited_for_for_ever(void)
{
	static struct pair pair;
	start(&pair);
	command_expect(&pair, "{\"command\":\"shutdown\",\"arguments\":{\"timeout\":1}}", false,
		"power off: the guest gave no answer; it may do it yet");
	CU_ASSERT_FALSE(pair.shutdown.has_order);
	/* It runs again and finds the request: what comes of it is late, and no harm. */
	CU_ASSERT_TRUE(serve_until(&pair, &pair.shutdown.has_order));
	command_expect(&pair, "{\"command\":\"shutdown\"}", true, "\"answer\":\"accepted\"");
	close_services(&pair);
	stack_guest_vanish(&pair.guest);
	worker_ends(&pair);
}

static void guest_that_dies_while_it_is_asked_ends_the_request(void)
{
	static struct pair pair;
	start(&pair);
	struct command command = {.pair = &pair,
		.line = "{\"command\":\"shutdown\",\"arguments\":{\"timeout\":3600}}"};
	pthread_t thread;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, command_main, &command), 0);
	struct packet_view view;
	while (ring_peek(&pair.shutdown_channel.channel.in, &view) != RING_OK)
		sched_yield();
	CU_ASSERT_FALSE(atomic_load(&command.is_done));
	stack_guest_vanish(&pair.guest);
	pthread_join(thread, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(pair.answer, "the guest left before it answered"));
	CU_ASSERT_EQUAL(stack_host_stop(&pair.host), 0);
}

static const struct test tests[] = {
	TEST(every_version_is_spoken_and_shown),
	TEST(guest_that_powers_off_ends_the_worker),
	TEST(guest_without_the_services_is_said_to_be_so),
	TEST(guest_that_says_nothing_is_not_waited_for_for_ever),
	TEST(guest_that_dies_while_it_is_asked_ends_the_request),
};
TEST_MAIN("stack_services", tests)
