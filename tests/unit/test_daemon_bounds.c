// SPDX-License-Identifier: Apache-2.0
/*
 * What the frame of the guest's daemons bounds: lines of the log, lines held back while a file
 * system is frozen, the pause before a device is looked for again, timers. Standard error is a file
 * of this program's while a test looks at it.
 */
#include "guest/ic_daemons/daemon.h"

#include "guest/ic_daemons/daemon_internal.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BURST_LINES 200u /* daemon_log.c */
#define EARN_MS	    200u
#define HELD_LINES  64u
#define LINES_MANY  1000u
#define WAIT_MS	    10000u

/* ---- what is written to standard error ----------------------------------------------------- */

struct capture {
	int fd;
	int saved;
	char text[1u << 20];
};

static struct capture capture;

static void capture_begin(void)
{
	fflush(stderr);
	capture.fd = memfd_create("stderr", MFD_CLOEXEC);
	capture.saved = dup(STDERR_FILENO);
	CU_ASSERT_TRUE_FATAL(capture.fd >= 0 && capture.saved >= 0);
	CU_ASSERT_EQUAL_FATAL(dup2(capture.fd, STDERR_FILENO), STDERR_FILENO);
}

/* The text so far, ended by a NUL. */
static const char *captured(void)
{
	const ssize_t len = pread(capture.fd, capture.text, sizeof capture.text - 1, 0);
	capture.text[len > 0 ? len : 0] = '\0';
	return capture.text;
}

static void capture_end(void)
{
	(void)captured();
	(void)dup2(capture.saved, STDERR_FILENO);
	close(capture.saved);
	close(capture.fd);
}

static unsigned lines_of(const char *text)
{
	unsigned count = 0;
	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* R-ROB-005. The first test: nothing has been spent yet. */
static void lines_of_the_log_are_limited_in_rate_and_those_left_out_counted(void)
{
	capture_begin();
	const uint64_t begin_ms = daemon_now_ms();
	for (unsigned i = 0; i < LINES_MANY; i++)
		daemon_log(LOG_WARNING, "line %u", i);
	const uint64_t earned = (daemon_now_ms() - begin_ms) / EARN_MS + 1;
	const unsigned written = lines_of(captured());
	unsigned more = 0;
	while (strstr(captured(), "lines left out") == NULL &&
		daemon_now_ms() - begin_ms < WAIT_MS) {
		(void)poll(NULL, 0, 5);
		daemon_log(LOG_WARNING, "more");
		more++;
	}
	capture_end();
	CU_ASSERT_TRUE(written >= BURST_LINES);
	CU_ASSERT_TRUE(written <= BURST_LINES + 2 * earned);
	const char *note = strstr(capture.text, "lines left out");
	CU_ASSERT_PTR_NOT_NULL_FATAL(note);
	/* Each line is there or counted; the last of `more` is there, behind the note. */
	const char *number = note;
	while (number > capture.text && number[-1] != ':')
		number--;
	unsigned counted = 0;
	for (const char *at = capture.text; (at = strstr(at, "lines left out")) != NULL; at++)
		counted++;
	if (counted == 1)
		CU_ASSERT_EQUAL(strtoul(number, NULL, 10), LINES_MANY + more - written - 1);
}

/* R-ROB-005. */
static void text_of_the_host_controls_no_terminal(void)
{
	capture_begin();
	daemon_log_hold(true);
	daemon_log(LOG_NOTICE, "a%sb", "\x1b[2J\x07\n\x7f");
	daemon_log_hold(false);
	capture_end();
	CU_ASSERT_PTR_NOT_NULL(strstr(capture.text, "a?[2J???b\n"));
}

/* R-VSS-020. */
static void lines_are_held_back_while_frozen_and_those_lost_counted(void)
{
	capture_begin();
	daemon_log_hold(true);
	for (unsigned i = 0; i < HELD_LINES + 6; i++)
		daemon_log(LOG_NOTICE, "held %u.", i);
	const unsigned frozen = lines_of(captured());
	daemon_log_hold(false);
	const unsigned thawed = lines_of(captured());
	daemon_log_hold(true);
	daemon_log_hold(false);
	const unsigned again = lines_of(captured());
	capture_end();
	CU_ASSERT_EQUAL(frozen, 0);
	CU_ASSERT_EQUAL(thawed, HELD_LINES + 1);
	CU_ASSERT_EQUAL(again, thawed);
	CU_ASSERT_PTR_NOT_NULL(strstr(capture.text, "held 0.\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(capture.text, "held 63.\n"));
	CU_ASSERT_PTR_NULL(strstr(capture.text, "held 64.\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(capture.text, "6 lines lost"));
}

/* ---- a daemon without a device --------------------------------------------------------------- */

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

struct fixture {
	struct ic_guest ic;
	struct daemon_component component;
	struct daemon *daemon;
};

static void begin(struct fixture *f)
{
	struct daemon_options options;
	memset(f, 0, sizeof *f);
	ic_guest_init(&f->ic, &service, f);
	f->component = (struct daemon_component){.stem = "thing",
		.description = "A thing.",
		.interface_id = &guid_heartbeat,
		.ctx = f,
		.ic = &f->ic};
	daemon_options_default(&options);
	options.status_dir = "";
	f->daemon = daemon_new(&f->component, &options);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->daemon);
}

static void end(struct fixture *f)
{
	CU_ASSERT_EQUAL(daemon_destroy(f->daemon), 0);
}

static void pause_before_the_next_look_doubles_up_to_its_bound(void)
{
	struct fixture f;
	uint32_t expected = DAEMON_RETRY_FIRST_MS;
	begin(&f);
	for (unsigned i = 0; i < 40; i++) {	  /* past any shift of 32 bits */
		daemon_transport_begin(f.daemon); /* there is none: later */
		CU_ASSERT_EQUAL(f.daemon->retry_ms, expected);
		CU_ASSERT_TRUE(f.daemon->retry.is_set);
		expected = 2 * expected < DAEMON_RETRY_MOST_MS ? 2 * expected
							       : DAEMON_RETRY_MOST_MS;
	}
	end(&f);
}

/* A new file each time: its number says how often. */
static ino_t status_file(const struct daemon *daemon)
{
	struct stat st = {0};
	CU_ASSERT_EQUAL(fstatat(daemon->status.dir_fd, "thing.json", &st, 0), 0);
	return st.st_ino;
}

/* The path is one that every request takes. */
static void requests_do_not_have_the_status_written_each(void)
{
	const struct daemon_identity same = {0};
	char folder[] = "/tmp/viridian-test.XXXXXX";
	struct fixture f;
	unsigned changes = 0;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	begin(&f);
	f.daemon->options.status_dir = folder;
	daemon_status_open(f.daemon, &same);
	daemon_status_write(f.daemon);
	const uint64_t began_ms = daemon_now_ms();
	ino_t last = status_file(f.daemon);
	for (unsigned i = 0; i < 50; i++) {
		f.ic.requests++;
		daemon_status_contact(f.daemon);
		daemon_turn(f.daemon, 0);
		changes += status_file(f.daemon) != last;
		last = status_file(f.daemon);
	}
	CU_ASSERT_TRUE(changes <= 1 + (daemon_now_ms() - began_ms) / 1000);
	CU_ASSERT_EQUAL(f.daemon->status.contacts, 50);
	unlinkat(f.daemon->status.dir_fd, "thing.json", 0);
	daemon_status_disown(f.daemon);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
	end(&f);
}

static unsigned order[8];
static unsigned fired;

static void fire(void *ctx)
{
	if (fired < 8)
		order[fired] = *(const unsigned *)ctx;
	fired++;
}

static void timer_that_is_set_again_is_due_once_and_in_its_place(void)
{
	static unsigned names[] = {0, 1, 2};
	struct daemon_timer timers[3] = {0};
	struct fixture f;
	begin(&f);
	fired = 0;
	daemon_timer_set(f.daemon, &timers[0], 5, fire, &names[0]);
	daemon_timer_set(f.daemon, &timers[1], 60000, fire, &names[1]);
	daemon_timer_set(f.daemon, &timers[2], 10, fire, &names[2]);
	daemon_timer_set(f.daemon, &timers[0], 20, fire, &names[0]);
	unsigned listed = 0;
	for (const struct daemon_timer *at = f.daemon->timers; at != NULL && listed < 8;
		at = at->next)
		listed++;
	CU_ASSERT_EQUAL(listed, 3);
	for (unsigned i = 0; fired < 2 && i < 1000; i++)
		daemon_turn(f.daemon, 100);
	CU_ASSERT_EQUAL(fired, 2);
	CU_ASSERT_EQUAL(order[0], 2);
	CU_ASSERT_EQUAL(order[1], 0);
	CU_ASSERT_TRUE(timers[1].is_set);
	daemon_timer_clear(f.daemon, &timers[1]);
	end(&f);
}

static struct fixture *again_of;
static struct daemon_timer again_timer;

static void fire_again(void *ctx)
{
	(void)ctx;
	if (++fired < 100000)
		daemon_timer_set(again_of->daemon, &again_timer, 0, fire_again, NULL);
}

static void timer_that_sets_itself_leaves_the_loop_its_turn(void)
{
	struct fixture f;
	begin(&f);
	again_of = &f;
	fired = 0;
	daemon_timer_set(f.daemon, &again_timer, 0, fire_again, NULL);
	daemon_turn(f.daemon, 0);
	CU_ASSERT_TRUE(fired > 0 && fired <= 64);
	daemon_timer_clear(f.daemon, &again_timer);
	end(&f);
}

static const struct test tests[] = {
	TEST(lines_of_the_log_are_limited_in_rate_and_those_left_out_counted),
	TEST(text_of_the_host_controls_no_terminal),
	TEST(lines_are_held_back_while_frozen_and_those_lost_counted),
	TEST(pause_before_the_next_look_doubles_up_to_its_bound),
	TEST(requests_do_not_have_the_status_written_each),
	TEST(timer_that_is_set_again_is_due_once_and_in_its_place),
	TEST(timer_that_sets_itself_leaves_the_loop_its_turn),
};

TEST_MAIN("daemon_bounds", tests)
