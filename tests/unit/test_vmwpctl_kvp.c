// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl kvp and ip against a control socket: what they send, and what they print of the
 * answers. What a guest put into them must not reach a terminal as it is.
 */
#include "tests/unit/vmwpctl_program.h"

struct script {
	unsigned rounds; /* lists that were begun */
};

static struct script script;

/* Pages of a pool, which changes from one list to the next. */
static const char *list_answer(json_int_t index)
{
	if (index == 0)
		script.rounds++;
	if (script.rounds == 3)
		return NULL;
	if (index == 2)
		return script.rounds == 1
			       ? "{\"items\":[{\"key\":\"c\",\"value\":\"3\",\"type\":\"string\"}],"
				 "\"next\":null}"
			       : "{\"items\":[{\"key\":\"d\",\"error\":\"bad\"}],\"next\":null}";
	return script.rounds == 1
		       ? "{\"items\":[{\"key\":\"a\",\"value\":\"1\",\"type\":\"string\"},"
			 "{\"key\":\"bb\",\"value\":\"2\",\"type\":\"string\"}],\"next\":2}"
		       : "{\"items\":[{\"key\":\"a\",\"value\":\"9\",\"type\":\"string\"},"
			 "{\"key\":\"bb\",\"value\":\"2\",\"type\":\"string\"}],\"next\":2}";
}

static char *on_line(void *ctx, const char *line, size_t len, struct control_ticket *ticket)
{
	(void)ctx;
	(void)ticket;
	char answer[1024];
	json_t *request = json_loadb(line, len, 0, NULL);
	const char *command = json_string_value(json_object_get(request, "command"));
	const json_t *arguments = json_object_get(request, "arguments");
	const char *result = NULL;
	if (strcmp(command, "kvp-list") == 0)
		result = list_answer(json_integer_value(json_object_get(arguments, "index")));
	else if (strcmp(command, "kvp-get") == 0)
		result = "{\"key\":\"k\",\"value\":\"x\\u001b[2J\\u009b\\u20ac\\ny\","
			 "\"type\":\"string\"}";
	else if (strcmp(command, "ip-get") == 0)
		result = "{\"adapter\":\"00:15:5D:01:02:03\",\"dhcp\":true,\"addresses\":[{"
			 "\"address\":\"192.0.2.5\",\"prefix\":24,\"origin\":\"static\"},{"
			 "\"address\":\"fe80::1\",\"prefix\":null,\"origin\":\"other\"}],"
			 "\"gateways\":[\"192.0.2.1\"],\"dns\":[],\"unreadable\":2}";
	if (result != NULL) {
		snprintf(answer, sizeof answer, "{\"id\":1,\"ok\":true,\"result\":%s}", result);
	} else if (strcmp(command, "kvp-list") == 0) {
		snprintf(answer, sizeof answer, "{\"id\":1,\"ok\":false,\"error\":\"the end\"}");
	} else {
		char *text = json_dumps(request, JSON_COMPACT);
		snprintf(answer, sizeof answer, "{\"id\":1,\"ok\":true,\"result\":%s}", text);
		free(text);
	}
	json_decref(request);
	return strdup(answer);
}

static void cases_run(const struct program_case *cases, size_t count)
{
	struct server server;
	if (program_path() == NULL) {
		test_skip("build/bin/vmwpctl is not built");
		return;
	}
	memset(&script, 0, sizeof script);
	server_start(&server, on_line);
	run_cases(&server, cases, count);
	server_stop(&server);
}

static void commands_carry_what_was_told(void)
{
	static const struct program_case cases[] = {
		{{"@", "kvp", "set", "k", "v", "--pool", "external", "--json"}, 0,
			"\"command\": \"kvp-set\",\n  \"arguments\": {\n    \"pool\": "
			"\"external\",\n    \"key\": \"k\",\n    \"value\": \"v\",\n    "
			"\"timeout\": 40\n"},
		{{"@", "kvp", "set", "k", "", "--pool=guest", "--json"}, 0,
			"\"key\": \"k\",\n    \"timeout\": 40\n"},
		{{"@", "kvp", "set", "k", "7", "--pool=guest", "--type=u64", "--json"}, 0,
			"\"type\": \"u64\""},
		{{"@", "kvp", "delete", "k", "--pool=guest", "--timeout=3", "--json"}, 0,
			"\"command\": \"kvp-delete\",\n  \"arguments\": {\n    \"pool\": "
			"\"guest\",\n"
			"    \"key\": \"k\",\n    \"timeout\": 3\n"},
		{{"@", "ip", "set", "{AAAAAAAA-0000-0000-0000-000000000001}", "--dhcp=on",
			 "--json"},
			0,
			"\"command\": \"ip-set\",\n  \"arguments\": {\n    \"adapter\": "
			"\"aaaaaaaa-0000-0000-0000-000000000001\",\n    \"dhcp\": true,\n"},
		{{"@", "ip", "set", "aaaaaaaa-0000-0000-0000-000000000001", "--json",
			 "--address=192.0.2.5/24", "--address=fd00::5/64", "--gateway=192.0.2.1",
			 "--dns=fd00::53"},
			0,
			"\"dhcp\": false,\n    \"address\": \"192.0.2.5/24,fd00::5/64\",\n    "
			"\"gateway\": \"192.0.2.1\",\n    \"dns\": \"fd00::53\",\n"},
	};
	cases_run(cases, sizeof cases / sizeof *cases);
}

static void a_pool_is_printed_from_all_its_pages(void)
{
	static const struct program_case cases[] = {
		{{"@", "kvp", "list", "--pool", "guest"}, 0, "a   1\nbb  2\nc   3\n"},
		{{"@", "kvp", "list", "--pool", "guest"}, 0, "a   9\nbb  2\nd   (bad)\n"},
		{{"@", "kvp", "list", "--pool", "guest"}, 1, "vmwpctl: the end\n"},
	};
	cases_run(cases, sizeof cases / sizeof *cases);
}

static void control_characters_do_not_reach_the_terminal(void)
{
	static const struct program_case cases[] = {
		{{"@", "kvp", "get", "k", "--pool", "guest"}, 0, "x?[2J?\xe2\x82\xac?y\n"},
		{{"@", "kvp", "get", "k", "--pool", "guest", "--json"}, 0, "\"x\\u001B[2J\xc2\x9b"},
	};
	cases_run(cases, sizeof cases / sizeof *cases);
}

/* It ends when the worker can no longer be asked. */
static void watch_says_what_is_another_than_before(void)
{
	static const struct program_case cases[] = {
		{{"@", "kvp", "watch", "--pool", "guest", "--period", "1"}, 1,
			"added    a  1\nadded    bb  2\nadded    c  3\n"
			"changed  a  9\nadded    d  (bad)\nremoved  c\nvmwpctl: the end\n"},
	};
	cases_run(cases, 1);
	static const struct program_case json[] = {
		{{"@", "kvp", "watch", "--pool", "guest", "--period", "1", "--json"}, 1,
			"{\"change\":\"changed\",\"key\":\"a\",\"value\":\"9\"}\n"
			"{\"change\":\"added\",\"key\":\"d\",\"error\":\"bad\"}\n"
			"{\"change\":\"removed\",\"key\":\"c\"}\n"},
	};
	cases_run(json, 1);
}

static void addresses_are_printed_one_a_line(void)
{
	static const struct program_case cases[] = {
		{{"@", "ip", "get", "00-15-5d-01-02-03"}, 0,
			"adapter   00:15:5D:01:02:03\ndhcp      on\n"
			"address   192.0.2.5/24  static\naddress   fe80::1  other\n"
			"gateway   192.0.2.1\nleft out  2 that the guest gave are no addresses\n"},
		{{"@", "ip", "get", "00:15:5D:01:02:03", "--json"}, 0, "\"prefix\": null"},
	};
	cases_run(cases, sizeof cases / sizeof *cases);
}

static const struct test tests[] = {
	TEST(commands_carry_what_was_told),
	TEST(a_pool_is_printed_from_all_its_pages),
	TEST(control_characters_do_not_reach_the_terminal),
	TEST(watch_says_what_is_another_than_before),
	TEST(addresses_are_printed_one_a_line),
};
TEST_MAIN("vmwpctl_kvp", tests)
