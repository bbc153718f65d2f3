// SPDX-License-Identifier: Apache-2.0
/*
 * The frame of the guest's daemons: a component of this file, on a device that is one end of a
 * socket pair, whose other end is the test, playing the kernel.
 */
#include "guest/ic_daemons/daemon.h"

#include "guest/ic_daemons/daemon_internal.h"
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_BYTES 12u
#define WAIT_MS	     5000

/* ---- a component ---------------------------------------------------------- */

struct thing {
	struct ic_guest ic;
	struct daemon *daemon;
	int start_result;
	bool answers_later;
	bool has_order; /* from the host: to end */
	unsigned opens, closes, stops, turns, ups, downs;
	unsigned records;
	uint8_t record[RECORD_BYTES];
};

static uint32_t handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	(void)ctx;
	(void)agreement;
	(void)body;
	(void)body_bytes;
	return IC_STATUS_SUCCESS;
}

static const struct ic_version_wire versions[] = {{1, 0}};
static const struct ic_guest_service service = {
	.name = "thing",
	.type = IC_TYPE_HEARTBEAT,
	.frameworks = {versions, 1},
	.messages = {versions, 1},
	.handle = handle,
};

static void on_record(void *ctx, struct daemon *daemon, const uint8_t *record, size_t len)
{
	struct thing *thing = ctx;
	thing->records++;
	memcpy(thing->record, record, len);
	if (!thing->answers_later)
		CU_ASSERT_EQUAL(daemon_reply(daemon, record, len), 0);
}

static void on_open(void *ctx)
{
	((struct thing *)ctx)->opens++;
}

static void on_close(void *ctx)
{
	((struct thing *)ctx)->closes++;
}

static int start(void *ctx, struct daemon *daemon)
{
	struct thing *thing = ctx;
	thing->daemon = daemon;
	return thing->start_result;
}

static void stop(void *ctx, struct daemon *daemon)
{
	struct thing *thing = ctx;
	CU_ASSERT_EQUAL(daemon_transport_now(daemon), DAEMON_TRANSPORT_NONE);
	thing->stops++;
}

static void on_turn(void *ctx, struct daemon *daemon)
{
	struct thing *thing = ctx;
	thing->turns++;
	if (thing->has_order)
		daemon_quit(daemon, 0);
}

static void on_transport(void *ctx, enum daemon_transport transport)
{
	struct thing *thing = ctx;
	if (transport == DAEMON_TRANSPORT_NONE)
		thing->downs++;
	else
		thing->ups++;
}

static void status(void *ctx, json_t *object)
{
	json_object_set_new(object, "records", json_integer(((struct thing *)ctx)->records));
}

static const struct daemon_device device = {
	.path = "/nonexistent/hv_thing",
	.record_bytes_max = RECORD_BYTES,
	.greeting = "hello",
	.greeting_bytes = 5,
	.on_record = on_record,
	.on_open = on_open,
	.on_close = on_close,
};

/* ---- fixture -------------------------------------------------------------- */

struct fixture {
	struct thing thing;
	struct daemon_component component;
	struct daemon *daemon;
	int kernel; /* the other end of the device */
};

static void component_init(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->kernel = -1;
	ic_guest_init(&f->thing.ic, &service, &f->thing);
	f->component = (struct daemon_component){
		.stem = "thing",
		.description = "A thing.",
		.interface_id = &guid_heartbeat,
		.ctx = &f->thing,
		.ic = &f->thing.ic,
		.device = &device,
		.start = start,
		.on_turn = on_turn,
		.on_transport = on_transport,
		.stop = stop,
		.status = status,
	};
}

static void attach(struct fixture *f)
{
	int pair[2];
	char greeting[16] = {0};
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	f->kernel = pair[0];
	CU_ASSERT_EQUAL_FATAL(daemon_device_attach(f->daemon, pair[1]), 0);
	CU_ASSERT_EQUAL(read(f->kernel, greeting, sizeof greeting), 5);
	CU_ASSERT_STRING_EQUAL(greeting, "hello");
}

static void begin(struct fixture *f)
{
	component_init(f);
	f->daemon = daemon_create(&f->component);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->daemon);
	attach(f);
}

static void end(struct fixture *f, int exit_status)
{
	CU_ASSERT_EQUAL(daemon_destroy(f->daemon), exit_status);
	CU_ASSERT_EQUAL(f->thing.stops, 1);
	if (f->kernel >= 0)
		close(f->kernel);
}

/* ---- device --------------------------------------------------------------- */

static void records_reach_the_component_and_replies_the_kernel(void)
{
	struct fixture f;
	uint8_t reply[RECORD_BYTES];
	begin(&f);
	CU_ASSERT_EQUAL(f.thing.opens, 1);
	CU_ASSERT_EQUAL(f.thing.ups, 1);
	CU_ASSERT_EQUAL(write(f.kernel, "record", 6), 6);
	CU_ASSERT_TRUE(daemon_turn(f.daemon, WAIT_MS));
	CU_ASSERT_EQUAL(f.thing.records, 1);
	CU_ASSERT_EQUAL(f.thing.turns, 1);
	CU_ASSERT_EQUAL(read(f.kernel, reply, sizeof reply), 6);
	CU_ASSERT_EQUAL(memcmp(reply, "record", 6), 0);
	CU_ASSERT_EQUAL(daemon_transport_now(f.daemon), DAEMON_TRANSPORT_DEVICE);
	end(&f, 0);
	CU_ASSERT_EQUAL(f.thing.closes, 1);
	CU_ASSERT_EQUAL(f.thing.downs, 1);
}

static void reply_may_come_later_and_not_after_the_device_is_gone(void)
{
	struct fixture f;
	uint8_t reply[RECORD_BYTES];
	begin(&f);
	f.thing.answers_later = true;
	CU_ASSERT_EQUAL(write(f.kernel, "q", 1), 1);
	daemon_turn(f.daemon, WAIT_MS);
	CU_ASSERT_EQUAL(read(f.kernel, reply, sizeof reply), -1);
	CU_ASSERT_EQUAL(daemon_reply(f.daemon, "a", 1), 0);
	CU_ASSERT_EQUAL(read(f.kernel, reply, sizeof reply), 1);
	close(f.kernel);
	f.kernel = -1;
	daemon_turn(f.daemon, WAIT_MS);
	CU_ASSERT_EQUAL(daemon_transport_now(f.daemon), DAEMON_TRANSPORT_NONE);
	CU_ASSERT_EQUAL(f.thing.closes, 1);
	CU_ASSERT_EQUAL(daemon_reply(f.daemon, "a", 1), -ENOTCONN);
	/* It is not the end: a device may come back. */
	CU_ASSERT_TRUE(f.daemon->retry.is_set);
	attach(&f);
	CU_ASSERT_FALSE(f.daemon->retry.is_set);
	CU_ASSERT_EQUAL(f.thing.opens, 2);
	end(&f, 0);
}

static void record_that_is_too_long_ends_the_connection(void)
{
	struct fixture f;
	uint8_t bytes[RECORD_BYTES + 1] = {0};
	begin(&f);
	CU_ASSERT_EQUAL(write(f.kernel, bytes, sizeof bytes), (ssize_t)sizeof bytes);
	daemon_turn(f.daemon, WAIT_MS);
	CU_ASSERT_EQUAL(f.thing.records, 0);
	CU_ASSERT_EQUAL(daemon_transport_now(f.daemon), DAEMON_TRANSPORT_NONE);
	end(&f, 0);
}

static void component_that_cannot_start_makes_no_daemon(void)
{
	struct fixture f;
	component_init(&f);
	f.thing.start_result = -EINVAL;
	CU_ASSERT_PTR_NULL(daemon_create(&f.component));
}

/* ---- choice of the transport ---------------------------------------------- */

struct choice {
	struct fixture f;
	struct daemon_options options;
	char root[64];
};

static void choice_begin(struct choice *c)
{
	component_init(&c->f);
	daemon_options_default(&c->options);
	snprintf(c->root, sizeof c->root, "/tmp/test_daemon.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(c->root));
	c->options.sysfs_root = c->root;
	c->options.dev_root = c->root;
	c->options.status_dir = c->root;
}

static int choice_open(struct choice *c)
{
	c->f.daemon = daemon_new(&c->f.component, &c->options);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->f.daemon);
	return daemon_transport_open(c->f.daemon);
}

static void choice_end(struct choice *c)
{
	char command[128];
	daemon_destroy(c->f.daemon);
	snprintf(command, sizeof command, "rm -rf %s", c->root);
	CU_ASSERT_EQUAL(system(command), 0);
}

static const char *why(const struct choice *c, enum daemon_transport kind)
{
	return c->f.daemon->why[kind];
}

static void file_make(const char *root, const char *path, const char *text)
{
	char whole[512];
	snprintf(whole, sizeof whole, "mkdir -p $(dirname %s/%s) && printf '%%s\\n' '%s' >%s/%s",
		root, path, text, root, path);
	CU_ASSERT_EQUAL_FATAL(system(whole), 0);
}

static void machine_without_vmbus_is_said_to_be_no_guest(void)
{
	struct choice c;
	choice_begin(&c);
	CU_ASSERT_EQUAL(choice_open(&c), -ENODEV);
	CU_ASSERT_STRING_EQUAL(
		why(&c, DAEMON_TRANSPORT_DEVICE), "there is no /nonexistent/hv_thing");
	CU_ASSERT_PTR_NOT_NULL(strstr(why(&c, DAEMON_TRANSPORT_UIO), "no guest of Hyper-V"));
	CU_ASSERT_STRING_EQUAL(why(&c, DAEMON_TRANSPORT_LOOPBACK), "not asked for");
	choice_end(&c);
}

static void device_that_the_host_does_not_offer_is_said_so(void)
{
	struct choice c;
	choice_begin(&c);
	file_make(c.root, "bus/vmbus/devices/a/class_id", "{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}");
	CU_ASSERT_EQUAL(choice_open(&c), -ENODEV);
	CU_ASSERT_STRING_EQUAL(why(&c, DAEMON_TRANSPORT_UIO), "the host does not offer thing");
	choice_end(&c);
}

static void device_of_the_kernels_driver_is_left_to_it(void)
{
	struct choice c;
	char command[256];
	choice_begin(&c);
	file_make(c.root, "bus/vmbus/devices/a/class_id", "{57164f39-9115-4e78-ab55-382f3bd5422d}");
	snprintf(command, sizeof command,
		"ln -s ../../drivers/hv_utils %s/bus/vmbus/devices/a/driver", c.root);
	CU_ASSERT_EQUAL(system(command), 0);
	CU_ASSERT_EQUAL(choice_open(&c), -ENODEV);
	CU_ASSERT_STRING_EQUAL(
		why(&c, DAEMON_TRANSPORT_UIO), "the kernel's driver hv_utils has the device");
	choice_end(&c);
}

static void device_file_is_tried_first_and_must_be_a_device(void)
{
	struct choice c;
	choice_begin(&c);
	c.options.device = "/dev/null"; /* one that can be opened, and that epoll does not take */
	CU_ASSERT_EQUAL(choice_open(&c), 0);
	CU_ASSERT_STRING_EQUAL(why(&c, DAEMON_TRANSPORT_DEVICE), "chosen");
	CU_ASSERT_STRING_EQUAL(why(&c, DAEMON_TRANSPORT_UIO), "not needed");
	daemon_transport_begin(c.f.daemon);
	CU_ASSERT_EQUAL(daemon_transport_now(c.f.daemon), DAEMON_TRANSPORT_NONE);
	CU_ASSERT_TRUE(c.f.daemon->retry.is_set);
	choice_end(&c);

	choice_begin(&c);
	c.options.device = c.root; /* no device at all */
	CU_ASSERT_NOT_EQUAL(choice_open(&c), 0);
	choice_end(&c);
}

static void forced_transport_is_the_only_one_tried(void)
{
	struct choice c;
	choice_begin(&c);
	c.options.forced = DAEMON_TRANSPORT_UIO;
	c.options.device = "/dev/null";
	CU_ASSERT_EQUAL(choice_open(&c), -ENODEV);
	CU_ASSERT_STRING_EQUAL(why(&c, DAEMON_TRANSPORT_DEVICE), "not asked for");
	choice_end(&c);
}

/* ---- loop ----------------------------------------------------------------- */

static unsigned fired;
static void fire(void *ctx)
{
	const unsigned *expected = ctx;
	CU_ASSERT_EQUAL(fired, *expected);
	fired++;
}

static void timers_fire_in_order_and_once(void)
{
	struct fixture f;
	struct daemon_timer timers[3] = {0};
	static unsigned order[3] = {0, 1, 2};
	begin(&f);
	fired = 0;
	daemon_timer_set(f.daemon, &timers[2], 30, fire, &order[1]);
	daemon_timer_set(f.daemon, &timers[0], 0, fire, &order[0]);
	daemon_timer_set(f.daemon, &timers[1], 0, fire, &order[2]);
	daemon_timer_clear(f.daemon, &timers[1]);
	daemon_timer_clear(f.daemon, &timers[1]);
	for (unsigned i = 0; fired < 2 && i < 1000; i++)
		daemon_turn(f.daemon, WAIT_MS);
	CU_ASSERT_EQUAL(fired, 2);
	CU_ASSERT_FALSE(timers[0].is_set || timers[1].is_set || timers[2].is_set);
	end(&f, 0);
}

struct pair_watch {
	struct daemon *daemon;
	struct daemon_watch mine, other;
	unsigned calls;
};

static void remove_both(void *ctx, uint32_t events)
{
	struct pair_watch *pair = ctx;
	CU_ASSERT_EQUAL(events & EPOLLIN, EPOLLIN);
	pair->calls++;
	daemon_watch_remove(pair->daemon, &pair->mine);
	daemon_watch_remove(pair->daemon, &pair->other);
}

static void watch_that_is_removed_is_not_called(void)
{
	struct fixture f;
	struct pair_watch pair = {0};
	int ends[2];
	begin(&f);
	pair.daemon = f.daemon;
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	const int second = dup(ends[0]);
	CU_ASSERT_EQUAL(write(ends[1], "x", 1), 1);
	CU_ASSERT_EQUAL(
		daemon_watch_add(f.daemon, &pair.mine, ends[0], EPOLLIN, remove_both, &pair), 0);
	CU_ASSERT_EQUAL(
		daemon_watch_add(f.daemon, &pair.other, second, EPOLLIN, remove_both, &pair), 0);
	daemon_turn(f.daemon, WAIT_MS);
	daemon_turn(f.daemon, 0);
	CU_ASSERT_EQUAL(pair.calls, 1);
	close(ends[0]);
	close(ends[1]);
	close(second);
	end(&f, 0);
}

/* A transport that looks for requests before each sleep, and finds one. */
static int order_taken(struct daemon *daemon)
{
	((struct thing *)daemon->component->ctx)->has_order = true;
	return -1;
}

static void nothing_closed(struct daemon *daemon)
{
	(void)daemon;
}

static void order_is_carried_out_before_the_loop_sleeps(void)
{
	static const struct daemon_transport_ops ops = {
		.name = "test", .prepare = order_taken, .close = nothing_closed};
	struct fixture f;
	begin(&f);
	daemon_transport_close(f.daemon);
	f.daemon->transport = &ops;
	f.daemon->is_begun = true;
	const uint64_t before = daemon_now_ms();
	CU_ASSERT_FALSE(daemon_turn(f.daemon, WAIT_MS));
	CU_ASSERT_TRUE(daemon_now_ms() - before < WAIT_MS / 2);
	f.daemon->transport = NULL;
	f.daemon->is_begun = false;
	CU_ASSERT_EQUAL(daemon_destroy(f.daemon), 0);
	close(f.kernel);
}

static void quit_ends_the_loop_with_the_first_status(void)
{
	struct fixture f;
	begin(&f);
	daemon_quit(f.daemon, 3);
	daemon_quit(f.daemon, 0);
	CU_ASSERT_FALSE(daemon_turn(f.daemon, WAIT_MS));
	end(&f, 3);
}

/* ---- status --------------------------------------------------------------- */

static void status_file_is_replaced_and_tells_the_state(void)
{
	struct choice c;
	char path[128];
	choice_begin(&c);
	(void)choice_open(&c);
	const struct daemon_identity same = {0};
	daemon_status_open(c.f.daemon, &same);
	snprintf(path, sizeof path, "%s/thing.json", c.root);
	CU_ASSERT_EQUAL(symlink("/nonexistent/elsewhere", path), 0); /* is replaced, not followed */
	daemon_status_write(c.f.daemon);
	json_t *object = json_load_file(path, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "state")), "waiting");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "stem")), "thing");
	CU_ASSERT_TRUE(json_is_null(json_object_get(object, "message_version")));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(object, "pid")), getpid());
	CU_ASSERT_EQUAL(
		json_integer_value(json_object_get(json_object_get(object, "service"), "records")),
		0);
	json_decref(object);
	/* Quiet: nothing is written, and what changed is once it is over. */
	CU_ASSERT_EQUAL(unlink(path), 0);
	daemon_quiet(c.f.daemon, true);
	daemon_log(LOG_INFO, "held back");
	daemon_status_write(c.f.daemon);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	daemon_quiet(c.f.daemon, false);
	for (unsigned i = 0; access(path, F_OK) != 0 && i < 100; i++)
		daemon_turn(c.f.daemon, 100);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	choice_end(&c);
}

/* The folder is shared: another daemon's user may have taken the name of the file in the making. */
static void status_file_of_the_service_is_left_to_it_on_a_loopback(void)
{
	char program[] = "vmic-thing", loopback[] = "--loopback=a", dir[] = "--status-dir=/d";
	char *argv[] = {program, loopback, dir, NULL};
	struct fixture f;
	struct daemon_options options;
	component_init(&f);
	CU_ASSERT_EQUAL(daemon_options_parse(&options, &f.component, 1, argv), 0);
	CU_ASSERT_STRING_EQUAL(options.status_dir, "/run/viridian");
	CU_ASSERT_EQUAL(daemon_options_parse(&options, &f.component, 2, argv), 0);
	CU_ASSERT_STRING_EQUAL(options.status_dir, "");
	CU_ASSERT_EQUAL(daemon_options_parse(&options, &f.component, 3, argv), 0);
	CU_ASSERT_STRING_EQUAL(options.status_dir, "/d");
}

static void status_file_is_written_though_its_first_name_is_taken(void)
{
	struct choice c;
	char path[128];
	char taken[128];
	choice_begin(&c);
	(void)choice_open(&c);
	const struct daemon_identity same = {0};
	daemon_status_open(c.f.daemon, &same);
	snprintf(path, sizeof path, "%s/thing.json", c.root);
	snprintf(taken, sizeof taken, "%s/.thing.json.new", c.root);
	CU_ASSERT_EQUAL(mkdir(taken, 0700), 0); /* for whoever it is, it cannot be unlinked */
	daemon_status_write(c.f.daemon);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	CU_ASSERT_EQUAL(access(taken, F_OK), 0);
	unsigned entries = 0;
	DIR *dir = opendir(c.root);
	while (readdir(dir) != NULL)
		entries++;
	closedir(dir);
	CU_ASSERT_EQUAL(entries, 4); /* with . and .. */
	choice_end(&c);
}

static const struct test tests[] = {
	TEST(records_reach_the_component_and_replies_the_kernel),
	TEST(reply_may_come_later_and_not_after_the_device_is_gone),
	TEST(record_that_is_too_long_ends_the_connection),
	TEST(component_that_cannot_start_makes_no_daemon),
	TEST(machine_without_vmbus_is_said_to_be_no_guest),
	TEST(device_that_the_host_does_not_offer_is_said_so),
	TEST(device_of_the_kernels_driver_is_left_to_it),
	TEST(device_file_is_tried_first_and_must_be_a_device),
	TEST(forced_transport_is_the_only_one_tried),
	TEST(timers_fire_in_order_and_once),
	TEST(watch_that_is_removed_is_not_called),
	TEST(order_is_carried_out_before_the_loop_sleeps),
	TEST(quit_ends_the_loop_with_the_first_status),
	TEST(status_file_is_replaced_and_tells_the_state),
	TEST(status_file_of_the_service_is_left_to_it_on_a_loopback),
	TEST(status_file_is_written_though_its_first_name_is_taken),
};
TEST_MAIN("daemon", tests)
