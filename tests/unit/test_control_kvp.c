// SPDX-License-Identifier: Apache-2.0
/*
 * Control commands of key-value pairs and addresses: what of a line reaches the worker, and
 * what is refused.
 */
#include "host/limits.h"
#include "host/vmwp/control.h"
#include "protocol/kvp.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recorder {
	unsigned calls;
	struct control_kvp kvp;
	struct control_ip ip;
	char key[KVP_KEY_TEXT_BYTES];
	char value[KVP_VALUE_TEXT_BYTES];
	char adapter[64];
	char lists[3][64];
};

static void keep(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text != NULL ? text : "(none)");
}

static json_t *on_kvp(void *ctx, const struct control_kvp *what, struct control_ticket *ticket,
	struct control_error *error)
{
	struct recorder *r = ctx;
	(void)ticket;
	(void)error;
	r->calls++;
	r->kvp = *what;
	keep(r->key, sizeof r->key, what->key);
	keep(r->value, sizeof r->value, what->value);
	return json_object();
}

static json_t *on_ip(void *ctx, const struct control_ip *what, struct control_ticket *ticket,
	struct control_error *error)
{
	struct recorder *r = ctx;
	(void)ticket;
	(void)error;
	r->calls++;
	r->ip = *what;
	keep(r->adapter, sizeof r->adapter, what->adapter);
	keep(r->lists[0], sizeof r->lists[0], what->addresses);
	keep(r->lists[1], sizeof r->lists[1], what->gateways);
	keep(r->lists[2], sizeof r->lists[2], what->dns);
	return json_object();
}

static const struct control_ops ops = {.kvp = on_kvp, .ip = on_ip};

/* A command with its arguments in JSON; the answer must contain `part`. */
static void expect(
	struct recorder *recorder, const char *command, const char *arguments, const char *part)
{
	struct control_worker worker = {.ops = &ops, .ctx = recorder};
	struct control_ticket ticket = {0};
	char line[8192];
	snprintf(line, sizeof line, "{\"command\":\"%s\",\"arguments\":{%s}}", command, arguments);
	char *answer = control_worker_handle_line(&worker, line, strlen(line), &ticket);
	bool is_expected = answer != NULL && strstr(answer, part) != NULL;
	if (!is_expected)
		printf("    asked %s\n    want  %s\n    got   %s\n", line, part, answer);
	CU_ASSERT_TRUE(is_expected);
	free(answer);
}

static void kvp_commands_pass_every_argument(void)
{
	struct recorder r = {0};
	expect(&r, "kvp-set",
		"\"pool\":\"external\",\"key\":\"k\",\"value\":\"5\",\"type\":\"u64\",\"timeout\":"
		"7",
		"\"ok\":true");
	CU_ASSERT_EQUAL(r.kvp.action, CONTROL_KVP_SET);
	CU_ASSERT_EQUAL(r.kvp.pool, KVP_POOL_EXTERNAL);
	CU_ASSERT_EQUAL(r.kvp.type, KVP_TYPE_U64);
	CU_ASSERT_EQUAL(r.kvp.timeout_s, 7);
	CU_ASSERT_STRING_EQUAL(r.key, "k");
	CU_ASSERT_STRING_EQUAL(r.value, "5");
	expect(&r, "kvp-set", "\"pool\":\"auto-external\",\"key\":\"k\"", "\"ok\":true");
	CU_ASSERT_EQUAL(r.kvp.pool, KVP_POOL_AUTO_EXTERNAL);
	CU_ASSERT_EQUAL(r.kvp.type, KVP_TYPE_STRING);
	CU_ASSERT_STRING_EQUAL(r.value, "(none)");
	expect(&r, "kvp-get", "\"pool\":\"auto\",\"key\":\"k\",\"direct\":true", "\"ok\":true");
	CU_ASSERT_EQUAL(r.kvp.action, CONTROL_KVP_GET);
	CU_ASSERT_EQUAL(r.kvp.pool, KVP_POOL_AUTO);
	CU_ASSERT_TRUE(r.kvp.is_direct);
	expect(&r, "kvp-delete", "\"pool\":\"guest\",\"key\":\"k\"", "\"ok\":true");
	CU_ASSERT_EQUAL(r.kvp.action, CONTROL_KVP_DELETE);
	CU_ASSERT_EQUAL(r.kvp.pool, KVP_POOL_GUEST);
	expect(&r, "kvp-list", "\"pool\":\"guest\",\"index\":9,\"count\":32", "\"ok\":true");
	CU_ASSERT_EQUAL(r.kvp.action, CONTROL_KVP_LIST);
	CU_ASSERT_EQUAL(r.kvp.index, 9);
	CU_ASSERT_EQUAL(r.kvp.count, 32);
	CU_ASSERT_EQUAL(r.calls, 5);
}

static void kvp_commands_refuse_what_is_out_of_range(void)
{
	struct recorder r = {0};
	char arguments[4096];
	expect(&r, "kvp-set", "\"pool\":\"auto\",\"key\":\"k\"", "give one of: external, guest");
	expect(&r, "kvp-delete", "\"pool\":\"auto\",\"key\":\"k\"", "give one of: external");
	expect(&r, "kvp-list", "\"pool\":\"internal\"", "give one of: external, guest, auto");
	expect(&r, "kvp-get", "\"pool\":\"guest\"", "'key' is missing");
	expect(&r, "kvp-get", "\"key\":\"k\"", "'pool' is missing");
	expect(&r, "kvp-get", "\"pool\":\"guest\",\"key\":\"\"", "has 0 bytes");
	expect(&r, "kvp-set", "\"pool\":\"guest\",\"key\":\"k\",\"type\":\"u16\"", "give one of");
	expect(&r, "kvp-list", "\"pool\":\"guest\",\"count\":0", "give 1 to 32");
	expect(&r, "kvp-list", "\"pool\":\"guest\",\"count\":33", "give 1 to 32");
	expect(&r, "kvp-list", "\"pool\":\"guest\",\"index\":-1", "give 0 to 16383");
	expect(&r, "kvp-list", "\"pool\":\"guest\",\"index\":16384", "give 0 to 16383");
	expect(&r, "kvp-list", "\"pool\":\"guest\",\"key\":\"k\"", "'key' is not known");
	expect(&r, "kvp-get", "\"pool\":\"guest\",\"key\":\"k\",\"timeout\":0", "give 1 to 3600");
	CU_ASSERT_EQUAL(r.calls, 0);
	CU_ASSERT_EQUAL(LIMIT_KVP_ITEMS, 16384);
	/* The longest key and value, and one byte more. */
	for (int more = 0; more < 2; more++) {
		snprintf(arguments, sizeof arguments, "\"pool\":\"guest\",\"key\":\"%0*d\"",
			(int)KVP_KEY_TEXT_BYTES - 1 + more, 0);
		expect(&r, "kvp-get", arguments, more == 0 ? "\"ok\":true" : "give 1 to 765");
		snprintf(arguments, sizeof arguments,
			"\"pool\":\"guest\",\"key\":\"k\",\"value\":\"%0*d\"",
			(int)KVP_VALUE_TEXT_BYTES - 1 + more, 0);
		expect(&r, "kvp-set", arguments, more == 0 ? "\"ok\":true" : "give 1 to 3069");
	}
	CU_ASSERT_EQUAL(r.calls, 2);
}

static void ip_commands_pass_every_argument(void)
{
	struct recorder r = {0};
	expect(&r, "ip-set",
		"\"adapter\":\"g\",\"address\":\"a\",\"gateway\":\"b\",\"dns\":\"c\","
		"\"dhcp\":true,\"timeout\":3600",
		"\"ok\":true");
	CU_ASSERT_TRUE(r.ip.is_set);
	CU_ASSERT_TRUE(r.ip.is_dhcp);
	CU_ASSERT_EQUAL(r.ip.timeout_s, 3600);
	CU_ASSERT_STRING_EQUAL(r.adapter, "g");
	CU_ASSERT_STRING_EQUAL(r.lists[0], "a");
	CU_ASSERT_STRING_EQUAL(r.lists[1], "b");
	CU_ASSERT_STRING_EQUAL(r.lists[2], "c");
	expect(&r, "ip-get", "\"adapter\":\"00:15:5D:01:02:03\"", "\"ok\":true");
	CU_ASSERT_FALSE(r.ip.is_set);
	CU_ASSERT_STRING_EQUAL(r.adapter, "00:15:5D:01:02:03");
	CU_ASSERT_STRING_EQUAL(r.lists[0], "(none)");
	expect(&r, "ip-get", "", "'adapter' is missing");
	expect(&r, "ip-set", "\"adapter\":\"{00000000-0000-0000-0000-000000000001}x\"",
		"give 1 to 38");
	CU_ASSERT_EQUAL(r.calls, 2);
}

static const struct test tests[] = {
	TEST(kvp_commands_pass_every_argument),
	TEST(kvp_commands_refuse_what_is_out_of_range),
	TEST(ip_commands_pass_every_argument),
};

TEST_MAIN("control_kvp", tests)
