// SPDX-License-Identifier: Apache-2.0
/*
 * Control requests: JSON in, JSON out, by a table; every mistake named. Then the worker's
 * own table, and the printing of answers for people.
 */
#include "host/vmwp/control.h"
#include "host/vmwp/control_print.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a table of its own ------------------------------------------------------------------- */

static unsigned handled;
static void *handled_ctx;

static json_t *handle_echo(void *ctx, const json_t *arguments, struct control_error *error)
{
	(void)error;
	handled++;
	handled_ctx = ctx;
	return json_deep_copy(arguments);
}

static json_t *handle_fail(void *ctx, const json_t *arguments, struct control_error *error)
{
	(void)ctx;
	(void)arguments;
	control_error_set(error, "disk '%s': cannot: do otherwise", "x.img");
	return NULL;
}

static json_t *handle_mute(void *ctx, const json_t *arguments, struct control_error *error)
{
	(void)ctx;
	(void)arguments;
	(void)error;
	return NULL;
}

static json_t *handle_long(void *ctx, const json_t *arguments, struct control_error *error)
{
	(void)ctx;
	(void)arguments;
	char text[2 * CONTROL_ERROR_BYTES];
	/* Two bytes a character, so that the cut falls inside one. */
	for (size_t i = 0; i + 1 < sizeof text; i += 2)
		memcpy(text + i, "\xC3\xA9", 2);
	text[sizeof text - 2] = '\0';
	control_error_set(error, "%s", text);
	return NULL;
}

/* Answers later if it is told to by its first argument. */
static struct control_ticket kept;
static json_t *begin_later(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	(void)ctx;
	const char *text = json_string_value(json_object_get(arguments, "text"));
	if (strcmp(text, "now") == 0)
		return json_string("at once");
	if (strcmp(text, "later") == 0)
		kept = control_ticket_take(ticket);
	else
		control_error_set(error, "say now or later");
	return NULL;
}

static const char *const colours[] = {"red", "green", NULL};
static const struct control_argument echo_arguments[] = {
	{.name = "text", .type = CONTROL_STRING, .is_required = true, .maximum = 5, .help = "t"},
	{.name = "count", .type = CONTROL_INTEGER, .minimum = -2, .maximum = 9, .help = "c"},
	{.name = "flag", .type = CONTROL_BOOLEAN, .help = "f"},
	{.name = "colour", .type = CONTROL_STRING, .maximum = 16, .choices = colours, .help = "o"},
};
static const struct control_command table[] = {
	{"echo", "say it again", echo_arguments, 4, handle_echo, NULL},
	{"fail", "say no", NULL, 0, handle_fail, NULL},
	{"later", "say it when it is known", echo_arguments, 1, NULL, begin_later},
	{"long", "say too much", NULL, 0, handle_long, NULL},
	{"mute", "say nothing", NULL, 0, handle_mute, NULL},
};

static char *ask_bytes(const char *line, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, line, len);
	struct control_ticket ticket = {0};
	char *answer = control_handle_line(table, 5, &handled, copy, len, &ticket);
	free(copy);
	if (answer == NULL)
		abort();
	CU_ASSERT_FALSE(ticket.is_taken);
	CU_ASSERT_PTR_NULL(ticket.id);
	CU_ASSERT_PTR_NULL(strchr(answer, '\n'));
	return answer;
}

/* The answer to `line` must be exactly `want`. */
static void expect(const char *line, const char *want)
{
	char *answer = ask_bytes(line, strlen(line));
	if (strcmp(answer, want) != 0)
		printf("    asked %s\n    want  %s\n    got   %s\n", line, want, answer);
	CU_ASSERT_STRING_EQUAL(answer, want);
	free(answer);
}

/* The answer must be an error that contains `part`; the handler must not have run. */
static void expect_error(const char *line, const char *part)
{
	unsigned before = handled;
	char *answer = ask_bytes(line, strlen(line));
	json_t *root = json_loads(answer, 0, NULL);
	const char *error = json_string_value(json_object_get(root, "error"));
	CU_ASSERT_TRUE(json_is_false(json_object_get(root, "ok")));
	bool is_expected = error != NULL && strstr(error, part) != NULL;
	if (!is_expected)
		printf("    asked %s\n    want  %s\n    got   %s\n", line, part, answer);
	CU_ASSERT_TRUE(is_expected);
	CU_ASSERT_EQUAL(handled, before);
	json_decref(root);
	free(answer);
}

static void request_runs_and_echoes_its_id(void)
{
	handled = 0;
	expect("{\"id\":7,\"command\":\"echo\",\"arguments\":{\"text\":\"hi\"}}",
		"{\"id\":7,\"ok\":true,\"result\":{\"text\":\"hi\"}}");
	CU_ASSERT_EQUAL(handled, 1);
	CU_ASSERT_PTR_EQUAL(handled_ctx, &handled);
	expect("{\"command\":\"echo\",\"arguments\":{\"text\":\"hi\",\"count\":-2}}",
		"{\"id\":null,\"ok\":true,\"result\":{\"text\":\"hi\",\"count\":-2}}");
	expect(" { \"arguments\" : {\"text\":\"\\n\"} , \"id\":\"a\\nb\" , \"command\":\"echo\" } ",
		"{\"id\":\"a\\nb\",\"ok\":true,\"result\":{\"text\":\"\\n\"}}");
	expect("{\"id\":null,\"command\":\"fail\"}",
		"{\"id\":null,\"ok\":false,\"error\":\"disk 'x.img': cannot: do otherwise\"}");
	expect("{\"id\":1,\"command\":\"fail\",\"arguments\":{}}",
		"{\"id\":1,\"ok\":false,\"error\":\"disk 'x.img': cannot: do otherwise\"}");
}

static void request_that_is_no_object_is_named(void)
{
	expect_error("", "not JSON");
	expect_error("hello", "not JSON");
	expect_error("[1]", "not a JSON object");
	expect_error("{\"command\":\"fail\"} trailing", "not JSON");
	expect_error("{\"command\":\"fail\"", "not JSON");
	expect_error("{\"command\":\"fail\",\"command\":\"fail\"}", "not JSON");
	expect_error("{\"command\":\"\xFF\"}", "not JSON");
	expect_error("{\"command\":\"a\\u0000b\"}", "not JSON");
}

static void request_members_are_checked(void)
{
	expect_error("{}", "no \"command\"");
	expect_error("{\"command\":5}", "no \"command\"");
	expect_error("{\"command\":\"fial\"}", "'fial' is not known");
	expect_error("{\"command\":\"fail\",\"args\":{}}", "unknown member 'args'");
	expect_error("{\"command\":\"fail\",\"id\":1.5}", "\"id\" is not good");
	expect_error("{\"command\":\"fail\",\"id\":{}}", "\"id\" is not good");
	expect_error("{\"command\":\"fail\",\"arguments\":[]}", "\"arguments\" is not an object");
	expect_error("{\"command\":\"fail\",\"arguments\":{\"x\":1}}", "fail: argument 'x'");
}

static void request_arguments_follow_the_schema(void)
{
	static const struct {
		const char *arguments;
		const char *want;
	} cases[] = {
		{"{}", "echo: argument 'text' is missing"},
		{"{\"text\":1}", "echo: argument 'text' has the wrong type: give a string"},
		{"{\"text\":null}", "argument 'text' has the wrong type"},
		{"{\"text\":\"\"}", "argument 'text' has 0 bytes: give 1 to 5"},
		{"{\"text\":\"123456\"}", "argument 'text' has 6 bytes"},
		{"{\"text\":\"a\",\"count\":10}", "argument 'count' is 10: give -2 to 9"},
		{"{\"text\":\"a\",\"count\":-3}", "argument 'count' is -3"},
		{"{\"text\":\"a\",\"count\":9223372036854775807}", "argument 'count' is 92233720"},
		{"{\"text\":\"a\",\"count\":1.0}", "give an integer"},
		{"{\"text\":\"a\",\"count\":\"1\"}", "give an integer"},
		{"{\"text\":\"a\",\"flag\":1}", "give true or false"},
		{"{\"text\":\"a\",\"colour\":\"blue\"}", "'blue': give one of: red, green"},
		{"{\"text\":\"a\",\"size\":1}", "argument 'size' is not known"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char line[256];
		snprintf(line, sizeof line, "{\"command\":\"echo\",\"arguments\":%s}",
			cases[i].arguments);
		expect_error(line, cases[i].want);
	}
	expect("{\"id\":1,\"command\":\"echo\",\"arguments\":{\"text\":\"12345\",\"count\":9,"
	       "\"flag\":false,\"colour\":\"green\"}}",
		"{\"id\":1,\"ok\":true,\"result\":{\"text\":\"12345\",\"count\":9,"
		"\"flag\":false,\"colour\":\"green\"}}");
}

static void request_line_is_bounded_at_64_kib(void)
{
	static char line[CONTROL_LINE_MAX_BYTES + 2];
	static const char request[] = "{\"id\":1,\"command\":\"fail\"}";
	memset(line, ' ', sizeof line);
	memcpy(line, request, sizeof request - 1);
	char *answer = ask_bytes(line, CONTROL_LINE_MAX_BYTES);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "do otherwise"));
	free(answer);
	answer = ask_bytes(line, CONTROL_LINE_MAX_BYTES + 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "longer than 65536 bytes"));
	free(answer);
}

static void request_nesting_is_bounded(void)
{
	/* The request itself is one level, so seven arrays make eight. */
	expect_error("{\"command\":\"fail\",\"id\":[[[[[[[]]]]]]]}", "\"id\" is not good");
	expect_error("{\"command\":\"fail\",\"id\":[[[[[[[[]]]]]]]]}", "nested deeper than 8");
	static char deep[CONTROL_LINE_MAX_BYTES];
	memset(deep, '[', sizeof deep);
	char *answer = ask_bytes(deep, sizeof deep);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "nested deeper"));
	free(answer);
	/* Brackets inside strings are text. */
	expect_error("{\"command\":\"[[[[[[[[[[\\\"[[[[[[[[{{\"}", "is not known");
}

static void request_id_is_bounded(void)
{
	for (unsigned len = CONTROL_ID_MAX_BYTES; len <= CONTROL_ID_MAX_BYTES + 1; len++) {
		char line[256];
		snprintf(line, sizeof line, "{\"command\":\"fail\",\"id\":\"%0*d\"}", (int)len, 0);
		expect_error(
			line, len <= CONTROL_ID_MAX_BYTES ? "do otherwise" : "\"id\" is not good");
	}
}

static void answer_quotes_little_of_what_it_got(void)
{
	char line[2000];
	snprintf(line, sizeof line, "{\"command\":\"%01900d\"}", 0);
	char *answer = ask_bytes(line, strlen(line));
	CU_ASSERT_TRUE(strlen(answer) < 300);
	free(answer);
}

static void answer_is_json_even_if_an_error_is_cut_in_a_character(void)
{
	char *answer = ask_bytes("{\"command\":\"long\"}", 18);
	json_t *root = json_loads(answer, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(root);
	CU_ASSERT_EQUAL(
		json_string_length(json_object_get(root, "error")), CONTROL_ERROR_BYTES - 1);
	json_decref(root);
	free(answer);
}

static void answer_may_come_later_and_has_its_id(void)
{
	expect("{\"id\":1,\"command\":\"later\",\"arguments\":{\"text\":\"now\"}}",
		"{\"id\":1,\"ok\":true,\"result\":\"at once\"}");
	expect_error("{\"command\":\"later\",\"arguments\":{\"text\":\"never\"}}", "now or later");
	expect_error("{\"command\":\"later\"}", "argument 'text' is missing");
	static const char line[] =
		"{\"id\":\"x\",\"command\":\"later\",\"arguments\":{\"text\":\"later\"}}";
	static const char *const want[] = {"{\"id\":\"x\",\"ok\":true,\"result\":5}",
		"{\"id\":\"x\",\"ok\":false,\"error\":\"too late\"}"};
	for (unsigned i = 0; i < 2; i++) {
		struct control_ticket ticket = {.client = 3, .serial = 77 + i};
		struct control_error error = {.text = "too late"};
		CU_ASSERT_PTR_NULL(
			control_handle_line(table, 5, &handled, line, sizeof line - 1, &ticket));
		CU_ASSERT_TRUE(ticket.is_taken);
		CU_ASSERT_EQUAL(kept.client, 3);
		CU_ASSERT_EQUAL(kept.serial, 77 + i);
		char *answer = control_ticket_answer(
			&kept, i == 0 ? json_integer(5) : NULL, &error);
		CU_ASSERT_STRING_EQUAL(answer, want[i]);
		CU_ASSERT_PTR_NULL(kept.id);
		free(answer);
	}
}

static void answer_of_a_mute_handler_says_why(void)
{
	expect_error("{\"command\":\"mute\"}", "want of memory");
}

/* --- the worker's table ------------------------------------------------------------------- */

struct recorder {
	const char *called;
	struct control_attach attach;
	struct control_detach detach;
	struct control_power power;
	struct control_backup backup;
	bool is_sync;
	char path[64];
};

static json_t *record(void *ctx, const char *name)
{
	struct recorder *recorder = ctx;
	recorder->called = name;
	return json_object();
}

static json_t *on_status(void *ctx, struct control_error *error)
{
	(void)error;
	return record(ctx, "status");
}

static json_t *on_statistics(void *ctx, struct control_error *error)
{
	(void)error;
	return record(ctx, "statistics");
}

static json_t *on_heartbeat(void *ctx, struct control_error *error)
{
	(void)error;
	return record(ctx, "heartbeat");
}

static json_t *on_stop(void *ctx, struct control_error *error)
{
	(void)error;
	return record(ctx, "stop");
}

static json_t *on_services(void *ctx, struct control_error *error)
{
	(void)error;
	return record(ctx, "services");
}

static json_t *on_power(void *ctx, const struct control_power *what, struct control_ticket *ticket,
	struct control_error *error)
{
	(void)ticket;
	(void)error;
	struct recorder *recorder = ctx;
	recorder->power = *what;
	snprintf(recorder->path, sizeof recorder->path, "%s",
		what->reason != NULL ? what->reason : "none");
	return record(ctx, "power");
}

static json_t *on_time(
	void *ctx, bool is_sync, struct control_ticket *ticket, struct control_error *error)
{
	(void)ticket;
	(void)error;
	((struct recorder *)ctx)->is_sync = is_sync;
	return record(ctx, "time");
}

static json_t *on_backup(void *ctx, const struct control_backup *what,
	struct control_ticket *ticket, struct control_error *error)
{
	(void)ticket;
	(void)error;
	((struct recorder *)ctx)->backup = *what;
	return record(ctx, "backup");
}

static json_t *on_attach(void *ctx, const struct control_attach *what, struct control_error *error)
{
	(void)error;
	struct recorder *recorder = ctx;
	recorder->attach = *what;
	snprintf(recorder->path, sizeof recorder->path, "%s", what->path);
	return record(ctx, "attach");
}

static json_t *on_detach(void *ctx, const struct control_detach *what, struct control_error *error)
{
	(void)error;
	((struct recorder *)ctx)->detach = *what;
	return record(ctx, "detach");
}

static const struct control_ops ops = {
	.status = on_status,
	.statistics = on_statistics,
	.heartbeat = on_heartbeat,
	.attach = on_attach,
	.detach = on_detach,
	.stop = on_stop,
	.services = on_services,
	.power = on_power,
	.time = on_time,
	.backup = on_backup,
};

/* Ask the worker's table; the answer must contain `part`. */
static void worker_expect(struct recorder *recorder, const char *line, const char *part)
{
	struct control_worker worker = {.ops = &ops, .ctx = recorder};
	struct control_ticket ticket = {0};
	char *answer = control_worker_handle_line(&worker, line, strlen(line), &ticket);
	bool is_expected = answer != NULL && strstr(answer, part) != NULL;
	if (!is_expected)
		printf("    asked %s\n    want  %s\n    got   %s\n", line, part, answer);
	CU_ASSERT_TRUE(is_expected);
	free(answer);
}

static void worker_table_is_sorted_and_whole(void)
{
	size_t count;
	const struct control_command *rows = control_worker_table(&count);
	CU_ASSERT_EQUAL(count, 22);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_TRUE(i == 0 || strcmp(rows[i - 1].name, rows[i].name) < 0);
		CU_ASSERT_TRUE((rows[i].handle == NULL) != (rows[i].begin == NULL));
		CU_ASSERT_TRUE(strlen(rows[i].help) > 0);
		for (size_t a = 0; a < rows[i].argument_count; a++) {
			const struct control_argument *argument = &rows[i].arguments[a];
			CU_ASSERT_TRUE(strlen(argument->name) > 0);
			CU_ASSERT_TRUE(strlen(argument->help) > 0);
			CU_ASSERT_TRUE(argument->type == CONTROL_BOOLEAN || argument->maximum > 0);
		}
	}
}

static void worker_commands_reach_their_operation(void)
{
	static const char *const names[] = {
		"status", "statistics", "heartbeat", "services", "stop"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct recorder recorder = {0};
		char line[64];
		snprintf(line, sizeof line, "{\"id\":1,\"command\":\"%s\"}", names[i]);
		worker_expect(&recorder, line, "\"ok\":true");
		CU_ASSERT_TRUE(recorder.called != NULL && strcmp(recorder.called, names[i]) == 0);
	}
}

static void worker_attach_passes_every_argument(void)
{
	struct recorder r = {0};
	worker_expect(&r,
		"{\"command\":\"attach\",\"arguments\":{\"kind\":\"disk\",\"path\":\"/a b.img\","
		"\"controller\":3,\"target\":63,\"lun\":254,\"read_only\":true}}",
		"\"ok\":true");
	CU_ASSERT_FALSE(r.attach.is_dvd);
	CU_ASSERT_STRING_EQUAL(r.path, "/a b.img");
	CU_ASSERT_EQUAL(r.attach.controller, 3);
	CU_ASSERT_TRUE(r.attach.has_target);
	CU_ASSERT_EQUAL(r.attach.target, 63);
	CU_ASSERT_EQUAL(r.attach.lun, 254);
	CU_ASSERT_TRUE(r.attach.is_read_only);

	worker_expect(&r,
		"{\"command\":\"attach\",\"arguments\":{\"kind\":\"dvd\",\"path\":\"x.iso\"}}",
		"\"ok\":true");
	CU_ASSERT_TRUE(r.attach.is_dvd);
	CU_ASSERT_FALSE(r.attach.has_target);
	CU_ASSERT_EQUAL(r.attach.controller, 0);
	CU_ASSERT_EQUAL(r.attach.lun, 0);
	CU_ASSERT_FALSE(r.attach.is_read_only);
}

static void worker_power_passes_every_argument(void)
{
	static const struct {
		const char *name;
		enum control_power_action action;
	} rows[] = {{"shutdown", CONTROL_POWER_OFF}, {"reboot", CONTROL_POWER_REBOOT},
		{"hibernate", CONTROL_POWER_HIBERNATE}};
	for (size_t i = 0; i < 3; i++) {
		struct recorder r = {0};
		char line[256];
		snprintf(line, sizeof line, "{\"command\":\"%s\"}", rows[i].name);
		worker_expect(&r, line, "\"ok\":true");
		CU_ASSERT_EQUAL(r.power.action, rows[i].action);
		CU_ASSERT_FALSE(r.power.is_forced);
		CU_ASSERT_EQUAL(r.power.timeout_s, 0);
		CU_ASSERT_STRING_EQUAL(r.path, "none");
		snprintf(line, sizeof line,
			"{\"command\":\"%s\",\"arguments\":{\"force\":true,\"reason\":\"new disk\","
			"\"timeout\":3600}}",
			rows[i].name);
		worker_expect(&r, line, "\"ok\":true");
		CU_ASSERT_TRUE(r.power.is_forced);
		CU_ASSERT_EQUAL(r.power.timeout_s, 3600);
		CU_ASSERT_STRING_EQUAL(r.path, "new disk");
	}
	struct recorder r = {0};
	worker_expect(&r, "{\"command\":\"reboot\",\"arguments\":{\"timeout\":0}}",
		"'timeout' is 0: give 1 to 3600");
	char line[CONTROL_REASON_MAX_BYTES + 128];
	for (int len = CONTROL_REASON_MAX_BYTES; len <= (int)CONTROL_REASON_MAX_BYTES + 1; len++) {
		snprintf(line, sizeof line,
			"{\"command\":\"shutdown\",\"arguments\":{\"reason\":\"%0*d\"}}", len, 0);
		worker_expect(&r, line,
			len > (int)CONTROL_REASON_MAX_BYTES ? "has 2048 bytes" : "\"ok\":true");
	}
}

static void worker_time_has_two_kinds(void)
{
	struct recorder r = {0};
	worker_expect(
		&r, "{\"command\":\"time\",\"arguments\":{\"kind\":\"sync\"}}", "\"ok\":true");
	CU_ASSERT_TRUE(r.is_sync);
	worker_expect(
		&r, "{\"command\":\"time\",\"arguments\":{\"kind\":\"sample\"}}", "\"ok\":true");
	CU_ASSERT_FALSE(r.is_sync);
	worker_expect(&r, "{\"command\":\"time\",\"arguments\":{\"kind\":\"set\"}}",
		"give one of: sync, sample");
	worker_expect(&r, "{\"command\":\"time\"}", "argument 'kind' is missing");
}

static void worker_addresses_are_bounded(void)
{
	static const struct {
		const char *argument;
		int bound;
	} cases[] = {{"controller", CONTROL_CONTROLLER_MAX}, {"target", CONTROL_TARGET_MAX},
		{"lun", CONTROL_LUN_MAX}};
	for (size_t i = 0; i < 3; i++) {
		for (int number = -1; number <= cases[i].bound + 1; number++) {
			struct recorder r = {0};
			char line[256];
			bool is_good = number >= 0 && number <= cases[i].bound;
			snprintf(line, sizeof line,
				"{\"command\":\"attach\",\"arguments\":{\"kind\":\"disk\","
				"\"path\":\"x\",\"%s\":%d}}",
				cases[i].argument, number);
			worker_expect(&r, line, is_good ? "\"ok\":true" : "\"ok\":false");
			CU_ASSERT_EQUAL(r.called != NULL, is_good);
		}
	}
	struct recorder r = {0};
	worker_expect(&r, "{\"command\":\"detach\"}", "detach: argument 'target' is missing");
	worker_expect(&r,
		"{\"command\":\"detach\",\"arguments\":{\"target\":2,\"lun\":1,\"controller\":1}}",
		"\"ok\":true");
	CU_ASSERT_EQUAL(r.detach.controller, 1);
	CU_ASSERT_EQUAL(r.detach.target, 2);
	CU_ASSERT_EQUAL(r.detach.lun, 1);
	worker_expect(&r,
		"{\"command\":\"attach\",\"arguments\":{\"kind\":\"floppy\",\"path\":\"x\"}}",
		"'floppy': give one of: disk, dvd");
}

static void worker_help_lists_commands_and_arguments(void)
{
	struct recorder r = {0};
	worker_expect(&r, "{\"command\":\"help\"}", "{\"command\":\"attach\",\"help\":");
	worker_expect(&r, "{\"command\":\"help\"}", "\"choices\":[\"disk\",\"dvd\"]");
	worker_expect(&r, "{\"command\":\"help\"}",
		"\"name\":\"lun\",\"type\":\"an integer\",\"required\":false");
}

static void worker_backup_hands_over_what_was_said(void)
{
	struct recorder r = {0};
	worker_expect(&r,
		"{\"command\":\"backup\",\"arguments\":{\"action\":\"freeze\",\"hold\":true,"
		"\"limit\":3600,\"timeout\":1}}",
		"\"ok\":true");
	CU_ASSERT_STRING_EQUAL(r.called, "backup");
	CU_ASSERT_EQUAL(r.backup.action, CONTROL_BACKUP_FREEZE);
	CU_ASSERT_TRUE(r.backup.is_held);
	CU_ASSERT_EQUAL(r.backup.limit_s, 3600);
	CU_ASSERT_EQUAL(r.backup.timeout_s, 1);
	worker_expect(
		&r, "{\"command\":\"backup\",\"arguments\":{\"action\":\"thaw\"}}", "\"ok\":true");
	CU_ASSERT_EQUAL(r.backup.action, CONTROL_BACKUP_THAW);
	CU_ASSERT_FALSE(r.backup.is_held);
	worker_expect(&r, "{\"command\":\"backup\",\"arguments\":{\"action\":\"status\"}}",
		"\"ok\":true");
	CU_ASSERT_EQUAL(r.backup.action, CONTROL_BACKUP_STATUS);
	worker_expect(&r, "{\"command\":\"backup\",\"arguments\":{\"action\":\"run\"}}", "freeze");
	worker_expect(&r, "{\"command\":\"backup\"}", "action");
	worker_expect(&r,
		"{\"command\":\"backup\",\"arguments\":{\"action\":\"freeze\",\"limit\":0}}",
		"limit");
}

/* --- printing ----------------------------------------------------------------------------- */

static void print_expect(const char *json, const char *want)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	control_print(out, value);
	fclose(out);
	json_decref(value);
	if (strcmp(text, want) != 0)
		printf("    want <<%s>>\n    got  <<%s>>\n", want, text);
	CU_ASSERT_STRING_EQUAL(text, want);
	free(text);
}

static void print_aligns_members_and_tables(void)
{
	print_expect("{\"state\":\"running\",\"uptime_ms\":12,\"vmbus\":{\"version\":\"5.3\"},"
		     "\"devices\":[{\"target\":0,\"path\":\"/a\"},{\"target\":10,\"path\":\"\","
		     "\"note\":true}]}",
		"state      running\n"
		"uptime ms  12\n"
		"vmbus:\n"
		"  version  5.3\n"
		"devices:\n"
		"  target  path  note\n"
		"       0  /a    -\n"
		"      10  -     yes\n");
	print_expect("{}", "done\n");
	print_expect("[]", "-\n");
	print_expect("{\"a\":[1,2,\"x\"],\"b\":null,\"c\":[],\"d\":1.5}",
		"a  1, 2, x\nb  -\nc  -\nd  1.500\n");
}

static void print_shows_no_control_characters(void)
{
	print_expect("{\"name\\u001b[2J\":\"\\u001b]0;x\\u0007\\n\\u009b1m\\u007f\"}",
		"name?[2J  ?]0;x??"
		"?1m?\n");
	print_expect("\"na\\u00efve\"", "na\xC3\xAFve\n");
}

static void print_cuts_long_text_between_characters(void)
{
	/* One byte and 200 euro signs: 84 of them fit in 255 bytes, the next would be cut. */
	static const char euro[] = "\xE2\x82\xAC";
	char json[800] = "\"x";
	char want[800] = "x";
	for (size_t i = 0; i < 3 * 200; i++)
		json[2 + i] = euro[i % 3];
	json[2 + 3 * 200] = '"';
	for (size_t i = 0; i < 3 * 84; i++)
		want[1 + i] = euro[i % 3];
	want[1 + 3 * 84] = '\n';
	print_expect(json, want);
}

static const struct test tests[] = {
	TEST(request_runs_and_echoes_its_id),
	TEST(request_that_is_no_object_is_named),
	TEST(request_members_are_checked),
	TEST(request_arguments_follow_the_schema),
	TEST(request_line_is_bounded_at_64_kib),
	TEST(request_nesting_is_bounded),
	TEST(request_id_is_bounded),
	TEST(answer_quotes_little_of_what_it_got),
	TEST(answer_is_json_even_if_an_error_is_cut_in_a_character),
	TEST(answer_may_come_later_and_has_its_id),
	TEST(answer_of_a_mute_handler_says_why),
	TEST(worker_table_is_sorted_and_whole),
	TEST(worker_commands_reach_their_operation),
	TEST(worker_attach_passes_every_argument),
	TEST(worker_power_passes_every_argument),
	TEST(worker_time_has_two_kinds),
	TEST(worker_addresses_are_bounded),
	TEST(worker_help_lists_commands_and_arguments),
	TEST(worker_backup_hands_over_what_was_said),
	TEST(print_aligns_members_and_tables),
	TEST(print_shows_no_control_characters),
	TEST(print_cuts_long_text_between_characters),
};
TEST_MAIN("control", tests)
