// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-shutdown's component, with everything real but the act: hooks are run by its helper
 * process, and the programs are those of a root directory of this file's. And vmic-heartbeat's.
 */
#include "guest/ic_daemons/heartbeat_daemon_linux.h"
#include "guest/ic_daemons/shutdown_daemon_linux.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURNS_MAX 40u
#define WAIT_MS	  500

struct fixture {
	struct shutdown_daemon shutdown;
	struct daemon_component component;
	struct daemon *daemon;
	char root[40];
	char hook[64];
};

/* Each @ of the command is the root. */
static void shell(const char *command, const char *root)
{
	char whole[512];
	size_t len = 0;
	for (; *command != '\0'; command++) {
		const int added = snprintf(whole + len, sizeof whole - len, "%.*s",
			*command == '@' ? (int)strlen(root) : 1, *command == '@' ? root : command);
		len += (size_t)added;
		CU_ASSERT_FATAL(len < sizeof whole);
	}
	CU_ASSERT_EQUAL_FATAL(system(whole), 0);
}

static void prepare(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	snprintf(f->root, sizeof f->root, "/tmp/test_shutdown.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->root));
	shutdown_daemon_init(&f->shutdown, &f->component);
	f->shutdown.act.root = f->root;
	f->shutdown.act.has_no_logind = true;
	f->shutdown.act.is_dry_run = true;
}

static void begin(struct fixture *f)
{
	uint8_t reply[128];
	size_t len = 0;
	f->daemon = daemon_create(&f->component);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->daemon);
	CU_ASSERT_EQUAL(ic_guest_on_packet(&f->shutdown.ic.ic, shutdown_negotiation,
				sizeof shutdown_negotiation, reply, sizeof reply, &len),
		IC_OK);
}

static void end(struct fixture *f)
{
	if (f->daemon != NULL)
		CU_ASSERT_EQUAL(daemon_destroy(f->daemon), 0);
	shell("rm -rf @", f->root);
}

/* The host's request. Returns the status of the answer. */
static uint32_t ask(struct fixture *f, uint32_t flags, const char *text)
{
	static uint8_t bytes[IC_OVERHEAD_BYTES + SHUTDOWN_BODY_BYTES];
	static uint8_t reply[sizeof bytes];
	size_t len = 0;
	uint32_t status;
	struct shutdown_wire body = {.reason = SHUTDOWN_REASON_PLANNED, .flags = flags};
	const struct ic_header_wire header = {
		.framework = {3, 0},
		.type = IC_TYPE_SHUTDOWN,
		.message = {3, 2},
		.body_bytes = SHUTDOWN_BODY_BYTES,
		.flags = IC_FLAGS_REQUEST,
	};
	snprintf((char *)body.text, sizeof body.text, "%s", text);
	CU_ASSERT_EQUAL(ic_message_frame(bytes, sizeof bytes, &header), sizeof bytes);
	memcpy(bytes + IC_OVERHEAD_BYTES, &body, sizeof body);
	CU_ASSERT_EQUAL(ic_guest_on_packet(
				&f->shutdown.ic.ic, bytes, sizeof bytes, reply, sizeof reply, &len),
		IC_OK);
	memcpy(&status, reply + AT_STATUS, sizeof status);
	return status;
}

static void wait_for(struct fixture *f, uint64_t ended)
{
	for (unsigned i = 0; f->shutdown.done + f->shutdown.failed < ended && i < TURNS_MAX; i++)
		daemon_turn(f->daemon, WAIT_MS);
	CU_ASSERT_EQUAL_FATAL(f->shutdown.done + f->shutdown.failed, ended);
}

static void program_is_made(const struct fixture *f, const char *path)
{
	char command[256];
	snprintf(command, sizeof command,
		"mkdir -p $(dirname %s/%s) && : >%s/%s && chmod 755 %s/%s", f->root, path, f->root,
		path, f->root, path);
	CU_ASSERT_EQUAL(system(command), 0);
}

/* ---- shutdown --------------------------------------------------------------- */

static void program_of_the_machine_is_chosen_without_a_shell(void)
{
	static struct fixture f;
	const char *argv[SHUTDOWN_ACT_WORDS + 1];
	const char *text = "$(reboot)";
	prepare(&f);
	CU_ASSERT_FALSE(shutdown_act_program(f.root, SHUTDOWN_POWER_OFF, text, argv));
	program_is_made(&f, "/sbin/poweroff");
	CU_ASSERT_TRUE(shutdown_act_program(f.root, SHUTDOWN_POWER_OFF, text, argv));
	CU_ASSERT_STRING_EQUAL(argv[0], "/sbin/poweroff");
	CU_ASSERT_PTR_NULL(argv[1]);
	program_is_made(&f, "/sbin/shutdown");
	CU_ASSERT_TRUE(shutdown_act_program(f.root, SHUTDOWN_RESTART, text, argv));
	CU_ASSERT_STRING_EQUAL(argv[0], "/sbin/shutdown");
	CU_ASSERT_STRING_EQUAL(argv[1], "-r");
	CU_ASSERT_STRING_EQUAL(argv[2], "now");
	CU_ASSERT_PTR_EQUAL(argv[3], text); /* one word, whatever is in it */
	CU_ASSERT_PTR_NULL(argv[4]);
	CU_ASSERT_FALSE(shutdown_act_program(f.root, SHUTDOWN_HIBERNATE, text, argv));
	end(&f);
}

/* R-IC-017: first the answer, then the act. */
static void order_is_carried_out_after_it_was_answered(void)
{
	static struct fixture f;
	prepare(&f);
	program_is_made(&f, "/sbin/shutdown");
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, SHUTDOWN_FLAG_RESTART, "new kernel"), IC_STATUS_SUCCESS);
	CU_ASSERT_FALSE(f.shutdown.is_acting);
	wait_for(&f, 1);
	CU_ASSERT_EQUAL(f.shutdown.done, 1);
	CU_ASSERT_STRING_EQUAL(f.shutdown.last, "would be done by /sbin/shutdown");
	end(&f);
}

/* R-SHUT-003. */
static void hooks_run_first_with_the_action(void)
{
	static struct fixture f;
	char path[64];
	char line[128] = {0};
	prepare(&f);
	program_is_made(&f, "/sbin/shutdown");
	snprintf(f.hook, sizeof f.hook, "%s/hook", f.root);
	shell("printf '#!/bin/sh\\necho \"$1 $VIRIDIAN_ACTION $VIRIDIAN_FORCED $#\" "
	      ">@/said\\nexit 1\\n' "
	      ">@/hook && chmod 755 @/hook",
		f.root);
	f.shutdown.hooks[f.shutdown.hook_count++] = f.hook;
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, SHUTDOWN_FLAG_FORCE, ""), IC_STATUS_SUCCESS);
	wait_for(&f, 1);
	CU_ASSERT_EQUAL(f.shutdown.done, 1); /* a hook that fails does not stop it */
	snprintf(path, sizeof path, "%s/said", f.root);
	FILE *file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_PTR_NOT_NULL(fgets(line, sizeof line, file));
	fclose(file);
	CU_ASSERT_STRING_EQUAL(line, "power off power off 1 1\n");
	end(&f);
}

static void act_that_fails_is_said_so(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, 0, ""), IC_STATUS_SUCCESS);
	wait_for(&f, 1);
	CU_ASSERT_EQUAL(f.shutdown.failed, 1);
	end(&f);
}

static void what_cannot_be_done_is_refused(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, SHUTDOWN_FLAG_HIBERNATE, ""), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(daemon_destroy(f.daemon), 0);
	shell("mkdir -p @/sys/power && echo 'freeze mem disk' >@/sys/power/state", f.root);
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, SHUTDOWN_FLAG_HIBERNATE, ""), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(daemon_destroy(f.daemon), 0);
	f.shutdown.allowed = SHUTDOWN_IC_CAN(SHUTDOWN_RESTART);
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, 0, ""), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(ask(&f, SHUTDOWN_FLAG_RESTART, ""), IC_STATUS_SUCCESS);
	end(&f);
}

static void hook_must_be_there_and_named_in_full(void)
{
	static struct fixture f;
	prepare(&f);
	f.shutdown.hooks[f.shutdown.hook_count++] = "hook";
	CU_ASSERT_PTR_NULL(daemon_create(&f.component));
	f.shutdown.hooks[0] = "/nonexistent/hook";
	CU_ASSERT_PTR_NULL(daemon_create(&f.component));
	end(&f);
}

static void text_of_the_host_is_made_harmless(void)
{
	char text[128];
	struct shutdown_order order = {
		.action = SHUTDOWN_RESTART,
		.is_forced = true,
		.reason = SHUTDOWN_REASON_PLANNED,
		.text = "a\x1b[2Jb\n\xc3\xa4",
	};
	shutdown_order_describe(&order, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "the host asks for restart, forced (planned): a?[2Jb???");
	memset(order.text, 'x', sizeof order.text); /* no NUL at all but the last */
	order.text[SHUTDOWN_TEXT_BYTES] = '\0';
	shutdown_order_describe(&order, text, sizeof text);
	CU_ASSERT_EQUAL(strlen(text), sizeof text - 1);
}

/* ---- heartbeat -------------------------------------------------------------- */

static void states_have_names_and_numbers(void)
{
	uint32_t state = 9;
	CU_ASSERT_TRUE(heartbeat_state_parse("critical", &state));
	CU_ASSERT_EQUAL(state, 2);
	CU_ASSERT_TRUE(heartbeat_state_parse("3", &state));
	CU_ASSERT_EQUAL(state, 3);
	CU_ASSERT_FALSE(heartbeat_state_parse("4", &state));
	CU_ASSERT_FALSE(heartbeat_state_parse("", &state));
	CU_ASSERT_FALSE(heartbeat_state_parse("healthy ", &state));
	CU_ASSERT_EQUAL(state, 3);
}

static void state_becomes(
	struct daemon *daemon, const struct heartbeat_daemon *heartbeat, uint32_t state)
{
	for (unsigned i = 0; heartbeat->ic.application_state != state && i < 20; i++)
		daemon_turn(daemon, 250);
	CU_ASSERT_EQUAL(heartbeat->ic.application_state, state);
}

/* R-HB-004 */
static void state_file_is_followed(void)
{
	static struct heartbeat_daemon heartbeat;
	struct daemon_component component;
	char root[40] = "/tmp/test_heartbeat.XXXXXX";
	static char path[64];
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	snprintf(path, sizeof path, "%s/state", root);
	heartbeat_daemon_init(&heartbeat, &component);
	heartbeat.file = path;
	heartbeat.state = HEARTBEAT_APPLICATION_STOPPED;
	struct daemon *daemon = daemon_create(&component);
	CU_ASSERT_PTR_NOT_NULL_FATAL(daemon);
	CU_ASSERT_EQUAL(heartbeat.ic.application_state, 3);
	shell("echo healthy and more >@/state", root);
	state_becomes(daemon, &heartbeat, 1);
	shell("echo critical >@/new && mv @/new @/state", root);
	state_becomes(daemon, &heartbeat, 2);
	shell("rm @/state", root);
	state_becomes(daemon, &heartbeat, 3);
	shell("echo healthy >@/else && ln -s else @/state && touch @/x", root);
	for (unsigned i = 0; i < 3; i++)
		daemon_turn(daemon, 50);
	CU_ASSERT_EQUAL(heartbeat.ic.application_state, 3); /* a link is not followed */
	CU_ASSERT_EQUAL(daemon_destroy(daemon), 0);
	shell("rm -rf @", root);
}

/*
 * The helper's other end is a process that a host may have taken over: it is held to what the
 * command line allows, and to text that is safe on every terminal.
 */
static void helper_does_not_take_the_daemons_word(void)
{
	static struct fixture f;
	static char reply[4096];
	struct {
		uint32_t action, is_forced, is_process;
		char message[352];
	} request = {.is_process = 1, .message = "the host asks for restart"};
	int fd = -1;
	prepare(&f);
	f.shutdown.allowed = SHUTDOWN_IC_CAN(SHUTDOWN_RESTART);
	for (uint32_t action = 0; action <= SHUTDOWN_ACTION_COUNT; action++) {
		request.action = action;
		const ssize_t result = f.component.helper->serve(
			f.component.ctx, &request, sizeof request, reply, sizeof reply, &fd);
		CU_ASSERT_EQUAL(result > 0, action == SHUTDOWN_RESTART);
	}
	request.action = SHUTDOWN_RESTART;
	static const char *const bad[] = {"\x1b[2J", "a\nb", "\x7f", "\xc2\x9b"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(request.message, sizeof request.message, "%s", bad[i]);
		CU_ASSERT_EQUAL(f.component.helper->serve(f.component.ctx, &request, sizeof request,
					reply, sizeof reply, &fd),
			-EINVAL);
	}
	memset(request.message, 'x', sizeof request.message); /* no end */
	CU_ASSERT_EQUAL(f.component.helper->serve(f.component.ctx, &request, sizeof request, reply,
				sizeof reply, &fd),
		-EINVAL);
	end(&f);
}

static const struct test tests[] = {
	TEST(helper_does_not_take_the_daemons_word),
	TEST(program_of_the_machine_is_chosen_without_a_shell),
	TEST(order_is_carried_out_after_it_was_answered),
	TEST(hooks_run_first_with_the_action),
	TEST(act_that_fails_is_said_so),
	TEST(what_cannot_be_done_is_refused),
	TEST(hook_must_be_there_and_named_in_full),
	TEST(text_of_the_host_is_made_harmless),
	TEST(states_have_names_and_numbers),
	TEST(state_file_is_followed),
};
TEST_MAIN("shutdown_daemon", tests)
