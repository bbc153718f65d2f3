// SPDX-License-Identifier: Apache-2.0
/*
 * The program vmwpctl against a control socket: what it sends, what it prints, and how it
 * names each mistake. The server runs in the test, the program is a child.
 */
#include "tests/unit/vmwpctl_program.h"

static char *on_program_line(void *ctx, const char *line, size_t len, struct control_ticket *ticket)
{
	(void)ctx;
	(void)ticket;
	json_t *request = json_loadb(line, len, 0, NULL);
	const char *command = json_string_value(json_object_get(request, "command"));
	char *answer;
	if (command != NULL && strcmp(command, "detach") == 0)
		answer = strdup("{\"id\":1,\"ok\":false,\"error\":\"detach: no such device\"}");
	else if (command != NULL && strcmp(command, "stop") == 0)
		answer = strdup("no JSON");
	else {
		json_t *root = json_pack("{s:i, s:b, s:O}", "id", 1, "ok", 1, "result", request);
		answer = json_dumps(root, JSON_COMPACT);
		json_decref(root);
	}
	json_decref(request);
	return answer;
}

static void program_sends_what_it_was_told(void)
{
	if (program_path() == NULL) {
		test_skip("build/bin/vmwpctl is not built");
		return;
	}
	static const struct program_case cases[] = {
		{{"@", "status"}, 0, "command    status\n"},
		{{"--json", "@", "status"}, 0, "\"command\": \"status\""},
		{{"@", "statistics"}, 0, "statistics"},
		{{"@", "heartbeat"}, 0, "heartbeat"},
		{{"@", "attach", "disk", "/a.img", "--target", "5", "--read-only", "--json"}, 0,
			"\"kind\": \"disk\",\n    \"path\": \"/a.img\",\n    \"target\": 5,\n"
			"    \"read_only\": true\n"},
		{{"--lun=3", "--controller=1", "@", "attach", "dvd", "b.iso", "--json"}, 0,
			"/b.iso\",\n    \"controller\": 1,\n    \"lun\": 3\n"},
		{{"@", "detach", "--target=1"}, 1, "vmwpctl: detach: no such device\n"},
		{{"@", "stop"}, 1, "does not answer like a worker"},
		{{"@", "services"}, 0, "services"},
		{{"@", "shutdown", "--json"}, 0,
			"\"command\": \"shutdown\",\n  \"arguments\": {\n    \"timeout\": 10\n"},
		{{"@", "reboot", "--force", "--reason", "new kernel", "--timeout=3", "--json"}, 0,
			"\"force\": true,\n    \"timeout\": 3,\n    \"reason\": \"new kernel\"\n"},
		{{"@", "hibernate", "--json"}, 0, "\"command\": \"hibernate\""},
		{{"@", "time", "sync", "--json"}, 0, "\"kind\": \"sync\"\n"},
		{{"@", "time", "sample", "--json"}, 0, "\"kind\": \"sample\"\n"},
	};
	struct server server;
	server_start(&server, on_program_line);
	run_cases(&server, cases, sizeof cases / sizeof cases[0]);
	server_stop(&server);
}

static void program_names_each_usage_mistake(void)
{
	if (program_path() == NULL) {
		test_skip("build/bin/vmwpctl is not built");
		return;
	}
	static const struct program_case cases[] = {
		{{NULL}, 2, "which worker?"},
		{{"@"}, 2, "give a verb"},
		{{"@", "frobnicate"}, 2, "'frobnicate' is not a verb"},
		{{"@", "status", "now"}, 2, "status takes no operands: 'now'"},
		{{"@", "status", "--target", "1"}, 2, "status takes no --target"},
		{{"@", "detach"}, 2, "give --target"},
		{{"@", "detach", "--target", "64"}, 2, "'64' is not a number from 0 to 63"},
		{{"@", "detach", "--target", "1x"}, 2, "'1x' is not a number"},
		{{"@", "detach", "--target", ""}, 2, "'' is not a number"},
		{{"@", "detach", "--target", "1", "--read-only"}, 2, "takes no --read-only"},
		{{"@", "attach", "disk"}, 2, "attach takes 2 operands, not 1"},
		{{"@", "attach", "tape", "x"}, 2, "'tape' is not a kind"},
		{{"@", "attach", "disk", ""}, 2, "the path is empty"},
		{{"@", "time"}, 2, "time takes 1 operands, not 0: time sync|sample"},
		{{"@", "time", "set"}, 2, "'set' is not a kind: say sync or sample"},
		{{"@", "time", "sync", "--force"}, 2, "time takes no --force"},
		{{"@", "stop", "--reason", "x"}, 2, "stop takes no --reason"},
		{{"@", "shutdown", "--reason", ""}, 2, "--reason: give 1 to 2047 bytes"},
		{{"@", "shutdown", "--reason", "\xff"}, 2, "the text is not UTF-8"},
		{{"@", "shutdown", "now"}, 2, "shutdown takes no operands: 'now'"},
		{{"@", "status", "--timeout", "0"}, 2, "'0' is not a number from 1"},
		{{"@", "status", "--colour"}, 2, "'--colour' is not an option"},
		{{"--help"}, 0, "Example:\n  vmwpctl "},
	};
	struct server server;
	server_start(&server, on_program_line);
	run_cases(&server, cases, sizeof cases / sizeof cases[0]);
	CU_ASSERT_EQUAL(statistics_of(&server).accepted, 0);
	server_stop(&server);
}

static void program_says_why_a_worker_is_not_reached(void)
{
	if (program_path() == NULL) {
		test_skip("build/bin/vmwpctl is not built");
		return;
	}
	static const struct program_case missing[] = {
		{{"/tmp/no/such/socket", "status"}, 1, "is the worker running"},
		{{"/dev/null", "status"}, 1, "it is not a worker's control socket"},
	};
	struct server server;
	server_start(&server, on_program_line);
	run_cases(&server, missing, 2);
	/* A socket that accepts and stays silent: the listener is not served. */
	struct poll_loop served = server.loop;
	server.loop.count = 0;
	static const struct program_case silent[] = {
		{{"@", "status", "--timeout", "1"}, 1, "timed out (the worker does not answer"},
	};
	run_cases(&server, silent, 1);
	server.loop = served;
	server_stop(&server);
}

static const struct test tests[] = {
	TEST(program_sends_what_it_was_told),
	TEST(program_names_each_usage_mistake),
	TEST(program_says_why_a_worker_is_not_reached),
};
TEST_MAIN("vmwpctl", tests)
