// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl kvp and ip: pairs in the guest's pools, and the addresses of its adapters. See
 * vmwpctl_internal.h.
 *
 * A pool comes in pages, one request each. To watch one is to read it again and again, and to
 * say what is another than before; the guest decides how much that is, so it has a bound.
 */
#include "host/limits.h"
#include "host/vmwp/vmwpctl_internal.h"
#include "protocol/guid.h"
#include "protocol/kvp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERIOD_DEFAULT_S 5
#define KEY_COLUMN_MAX	 40

static long guest_s(const struct arguments *arguments)
{
	return arguments->timeout_s != NUMBER_NOT_GIVEN ? arguments->timeout_s : KVP_DEFAULT_S;
}

static json_t *ask(const struct arguments *arguments, const char *command, json_t *details)
{
	json_object_set_new(details, "timeout", json_integer(guest_s(arguments)));
	return vmwpctl_ask(arguments, guest_s(arguments) + TIMEOUT_DEFAULT_S, command, details);
}

/* --- for people --------------------------------------------------------------------------- */

/* Text of a guest's on a terminal: no control characters (C0, DEL, C1). */
static size_t text_print(const char *text)
{
	size_t columns = 0;
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		bool is_c1 = c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0;
		c += is_c1 ? 1 : 0;
		putchar(is_c1 || *c < 0x20 || *c == 0x7F ? '?' : *c);
		columns += (*c & 0xC0) != 0x80 || is_c1 ? 1 : 0;
	}
	return columns;
}

static void pad(size_t from, size_t to)
{
	for (; from < to; from++)
		putchar(' ');
}

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

/* What stands for the value of a pair: itself, or why it cannot be shown. */
static void value_print(const json_t *item)
{
	const char *error = json_string_value(json_object_get(item, "error"));
	if (error != NULL)
		printf("(%s)", error);
	else
		text_print(member(item, "value"));
}

static void items_print(const json_t *items)
{
	size_t width = 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		size_t length = strlen(member(json_array_get(items, i), "key"));
		if (length > width)
			width = length;
	}
	width = width < KEY_COLUMN_MAX ? width : KEY_COLUMN_MAX;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		pad(text_print(member(item, "key")), width);
		fputs("  ", stdout);
		value_print(item);
		putchar('\n');
	}
}

static int json_show(const json_t *value, size_t flags)
{
	json_dumpf(value, stdout, flags | JSON_ENCODE_ANY);
	putchar('\n');
	return vmwpctl_flush();
}

/* --- kvp ---------------------------------------------------------------------------------- */

/* All pairs of the pool, page by page: a new array, or NULL after a message. */
static json_t *pool_read(const struct arguments *arguments)
{
	json_t *items = json_array();
	json_int_t next = 0;
	bool is_more = items != NULL;
	while (is_more) {
		json_t *details = json_pack("{s:s, s:I}", "pool", arguments->pool, "index", next);
		json_t *page = ask(arguments, "kvp-list", details);
		const json_t *after = json_object_get(page, "next");
		is_more = json_is_integer(after) && json_integer_value(after) > next;
		next = json_integer_value(after);
		if (json_is_true(json_object_get(page, "is_cut")))
			fprintf(stderr,
				"vmwpctl: kvp: the pool has more than %u pairs: the others are "
				"not asked for\n",
				LIMIT_KVP_ITEMS);
		if (page == NULL || json_array_extend(items, json_object_get(page, "items")) != 0) {
			json_decref(items);
			items = NULL;
			is_more = false;
		}
		json_decref(page);
	}
	return items;
}

static int list_run(const struct arguments *arguments)
{
	json_t *items = pool_read(arguments);
	if (items == NULL)
		return EXIT_FAILURE;
	int status;
	if (arguments->is_json) {
		status = json_show(items, JSON_INDENT(2));
	} else {
		items_print(items);
		status = vmwpctl_flush();
	}
	json_decref(items);
	return status;
}

static int get_run(const struct arguments *arguments)
{
	json_t *details = json_pack("{s:s, s:s, s:b}", "pool", arguments->pool, "key",
		arguments->operands[1], "direct", arguments->is_direct);
	json_t *item = ask(arguments, "kvp-get", details);
	int status = EXIT_FAILURE;
	if (item != NULL && arguments->is_json) {
		status = json_show(item, JSON_INDENT(2));
	} else if (item != NULL) {
		value_print(item);
		putchar('\n');
		status = vmwpctl_flush();
	}
	json_decref(item);
	return status;
}

static int done_show(const struct arguments *arguments, json_t *result)
{
	if (result == NULL)
		return EXIT_FAILURE;
	int status = vmwpctl_show_result(arguments, result);
	json_decref(result);
	return status;
}

static int set_run(const struct arguments *arguments)
{
	const char *value = arguments->operands[2];
	json_t *details = json_pack(
		"{s:s, s:s}", "pool", arguments->pool, "key", arguments->operands[1]);
	if (value[0] != '\0')
		json_object_set_new(details, "value", json_string(value));
	if (arguments->type != NULL)
		json_object_set_new(details, "type", json_string(arguments->type));
	return done_show(arguments, ask(arguments, "kvp-set", details));
}

static int delete_run(const struct arguments *arguments)
{
	json_t *details = json_pack(
		"{s:s, s:s}", "pool", arguments->pool, "key", arguments->operands[1]);
	return done_show(arguments, ask(arguments, "kvp-delete", details));
}

/* --- watch -------------------------------------------------------------------------------- */

static int change_print(
	const struct arguments *arguments, const char *what, const char *key, const json_t *item)
{
	if (arguments->is_json) {
		json_t *line = json_pack("{s:s, s:s}", "change", what, "key", key);
		const json_t *error = json_object_get(item, "error");
		if (error != NULL)
			json_object_set(line, "error", (json_t *)error);
		else if (item != NULL)
			json_object_set(line, "value", json_object_get(item, "value"));
		int status = json_show(line, JSON_COMPACT);
		json_decref(line);
		return status;
	}
	printf("%-7s  ", what);
	text_print(key);
	if (item != NULL) {
		fputs("  ", stdout);
		value_print(item);
	}
	putchar('\n');
	return vmwpctl_flush();
}

/* Pairs by their keys; of keys that are there twice the first counts. */
static json_t *by_key(const json_t *items)
{
	json_t *pairs = json_object();
	for (size_t i = 0; i < json_array_size(items); i++) {
		json_t *item = json_array_get(items, i);
		if (json_object_get(pairs, member(item, "key")) == NULL)
			json_object_set(pairs, member(item, "key"), item);
	}
	return pairs;
}

/* Their types count too, their places in the pool do not. */
static bool is_same(const json_t *a, const json_t *b)
{
	return strcmp(member(a, "value"), member(b, "value")) == 0 &&
	       strcmp(member(a, "type"), member(b, "type")) == 0 &&
	       strcmp(member(a, "error"), member(b, "error")) == 0;
}

static int changes_print(const struct arguments *arguments, json_t *before, json_t *now)
{
	const char *key;
	json_t *item;
	int status = EXIT_SUCCESS;
	json_object_foreach(now, key, item)
	{
		const json_t *old = json_object_get(before, key);
		if (status == EXIT_SUCCESS && (old == NULL || !is_same(old, item)))
			status = change_print(
				arguments, old == NULL ? "added" : "changed", key, item);
	}
	json_object_foreach(before, key, item)
	{
		if (status == EXIT_SUCCESS && json_object_get(now, key) == NULL)
			status = change_print(arguments, "removed", key, NULL);
	}
	return status;
}

/* Until interrupted, or the worker can no longer be asked. */
static int watch_run(const struct arguments *arguments)
{
	unsigned period_s = arguments->period_s != NUMBER_NOT_GIVEN ? (unsigned)arguments->period_s
								    : PERIOD_DEFAULT_S;
	json_t *before = json_object();
	int status = EXIT_SUCCESS;
	while (status == EXIT_SUCCESS) {
		json_t *items = pool_read(arguments);
		if (items == NULL) {
			status = EXIT_FAILURE;
			break;
		}
		json_t *now = by_key(items);
		json_decref(items);
		status = changes_print(arguments, before, now);
		json_decref(before);
		before = now;
		if (status == EXIT_SUCCESS)
			sleep(period_s);
	}
	json_decref(before);
	return status;
}

/* --- the actions of kvp ------------------------------------------------------------------- */

static const struct action {
	const char *name;
	const char *operands;
	int operand_count;
	bool is_writing;
	int options;
	int (*run)(const struct arguments *arguments);
} kvp_actions[] = {
	{"delete", " KEY", 1, true, 0, delete_run},
	{"get", " KEY", 1, false, TAKES_DIRECT, get_run},
	{"list", "", 0, false, 0, list_run},
	{"set", " KEY VALUE", 2, true, TAKES_TYPE, set_run},
	{"watch", "", 0, false, TAKES_PERIOD, watch_run},
};

static const struct action *action_find(const char *name)
{
	for (size_t i = 0; i < sizeof kvp_actions / sizeof *kvp_actions; i++)
		if (strcmp(kvp_actions[i].name, name) == 0)
			return &kvp_actions[i];
	return NULL;
}

static int pool_check(const struct arguments *arguments, bool is_writing)
{
	if (arguments->pool == NULL)
		return vmwpctl_usage_error("kvp: which pool? give --pool external, guest, auto or "
					   "auto-external");
	uint8_t pool = 0;
	while (pool <= KVP_POOL_AUTO_EXTERNAL && strcmp(kvp_pool_name(pool), arguments->pool) != 0)
		pool++;
	if (pool > KVP_POOL_AUTO_EXTERNAL)
		return vmwpctl_usage_error(
			"--pool: '%s' is not a pool: say external, guest, auto or "
			"auto-external",
			arguments->pool);
	if (is_writing && pool == KVP_POOL_AUTO)
		return vmwpctl_usage_error(
			"--pool: in auto the guest speaks of itself, and nobody else "
			"can write it");
	return 0;
}

/* One text of a pair: valid UTF-8 that fits its field. */
static int text_check(const char *what, const char *text, size_t field_bytes)
{
	uint8_t field[KVP_VALUE_BYTES];
	switch (utf16_from_utf8(text, strlen(text), UTF16_REFUSE, field, field_bytes, NULL)) {
	case UTF16_OK:
		return 0;
	case UTF16_NO_ROOM:
		return vmwpctl_usage_error(
			"kvp: the %s is longer than %zu UTF-16 units", what, field_bytes / 2 - 1);
	default:
		return vmwpctl_usage_error("kvp: the %s is not UTF-8", what);
	}
}

static int number_check(const char *type, const char *text)
{
	bool is_u64 = strcmp(type, "u64") == 0;
	if (!is_u64 && strcmp(type, "u32") != 0 && strcmp(type, "string") != 0 &&
		strcmp(type, "expand") != 0)
		return vmwpctl_usage_error(
			"--type: '%s' is not a type: say string, expand, u32 or u64", type);
	if (type[0] != 'u')
		return 0;
	uint64_t number;
	if (!kvp_number_parse(text, is_u64 ? UINT64_MAX : UINT32_MAX, &number))
		return vmwpctl_usage_error(
			"kvp set: '%s' is not a number that fits in a %s", text, type);
	return 0;
}

static int texts_check(const struct arguments *arguments, const struct action *action)
{
	int status = 0;
	if (action->operand_count >= 1 && arguments->operands[1][0] == '\0')
		status = vmwpctl_usage_error("kvp: the key is empty: name one");
	if (status == 0 && action->operand_count >= 1)
		status = text_check("key", arguments->operands[1], KVP_KEY_BYTES);
	if (status == 0 && action->operand_count >= 2)
		status = text_check("value", arguments->operands[2], KVP_VALUE_BYTES);
	if (status == 0 && arguments->type != NULL)
		status = number_check(arguments->type, arguments->operands[2]);
	return status;
}

int vmwpctl_kvp(const struct arguments *arguments)
{
	if (arguments->operand_count == 0)
		return vmwpctl_usage_error("kvp: what to do? say get, set, delete, list or watch");
	const struct action *action = action_find(arguments->operands[0]);
	if (action == NULL)
		return vmwpctl_usage_error(
			"kvp: '%s' is not known: say get, set, delete, list or watch",
			arguments->operands[0]);
	if (arguments->operand_count != 1 + action->operand_count)
		return vmwpctl_usage_error("kvp %s takes %d operands, not %d: kvp %s%s",
			action->name, action->operand_count, arguments->operand_count - 1,
			action->name, action->operands);
	if (arguments->type != NULL && (action->options & TAKES_TYPE) == 0)
		return vmwpctl_usage_error("kvp %s takes no --type", action->name);
	if (arguments->is_direct && (action->options & TAKES_DIRECT) == 0)
		return vmwpctl_usage_error("kvp %s takes no --direct", action->name);
	if (arguments->period_s != NUMBER_NOT_GIVEN && (action->options & TAKES_PERIOD) == 0)
		return vmwpctl_usage_error("kvp %s takes no --period", action->name);
	if (pool_check(arguments, action->is_writing) != 0 || texts_check(arguments, action) != 0)
		return EXIT_USAGE;
	return action->run(arguments);
}

/* --- ip ----------------------------------------------------------------------------------- */

/* A MAC address as the guest compares it: upper case, with colons. */
static bool mac_parse(const char *text, char mac[18])
{
	if (strlen(text) != 17)
		return false;
	for (unsigned i = 0; i < 17; i++) {
		char c = text[i];
		if (i % 3 == 2) {
			if (c != ':' && c != '-')
				return false;
			mac[i] = ':';
			continue;
		}
		if (c >= 'a' && c <= 'f')
			c = (char)(c - 'a' + 'A');
		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F')))
			return false;
		mac[i] = c;
	}
	mac[17] = '\0';
	return true;
}

static void list_print(const char *name, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		printf("%-8s  ", name);
		if (json_is_object(entry)) {
			text_print(member(entry, "address"));
			if (json_is_integer(json_object_get(entry, "prefix")))
				printf("/%d",
					(int)json_integer_value(json_object_get(entry, "prefix")));
			if (json_is_string(json_object_get(entry, "origin")))
				printf("  %s", member(entry, "origin"));
		} else {
			text_print(
				json_string_value(entry) != NULL ? json_string_value(entry) : "");
		}
		putchar('\n');
	}
}

static int ip_get(const struct arguments *arguments)
{
	char mac[18];
	if (!mac_parse(arguments->operands[1], mac))
		return vmwpctl_usage_error(
			"ip get: '%s' is not a MAC address: say it as 00:15:5D:01:02:03",
			arguments->operands[1]);
	if (arguments->addresses.count + arguments->gateways.count + arguments->dns.count > 0 ||
		arguments->dhcp != NULL)
		return vmwpctl_usage_error("ip get takes no --address, --gateway, --dns or --dhcp");
	json_t *ip = ask(arguments, "ip-get", json_pack("{s:s}", "adapter", mac));
	if (ip == NULL || arguments->is_json)
		return done_show(arguments, ip);
	printf("%-8s  ", "adapter");
	text_print(member(ip, "adapter"));
	printf("\n%-8s  %s\n", "dhcp", json_is_true(json_object_get(ip, "dhcp")) ? "on" : "off");
	list_print("address", json_object_get(ip, "addresses"));
	list_print("gateway", json_object_get(ip, "gateways"));
	list_print("dns", json_object_get(ip, "dns"));
	json_int_t unreadable = json_integer_value(json_object_get(ip, "unreadable"));
	if (unreadable > 0)
		printf("%-8s  %d that the guest gave are no addresses\n", "left out",
			(int)unreadable);
	json_decref(ip);
	return vmwpctl_flush();
}

/* Check and join with commas what --address and the like gave; an empty list adds nothing. */
static int addresses_put(
	json_t *details, const char *name, const struct text_list *list, bool has_prefix)
{
	char joined[CONTROL_ADDRESSES_MAX_BYTES + 1];
	size_t used = 0;
	for (unsigned i = 0; i < list->count; i++) {
		const char *text = list->at[i];
		struct kvp_address address;
		size_t length = strcspn(text, "/");
		bool is_good = kvp_address_parse(text, length, &address) &&
			       (text[length] == '/') == has_prefix;
		if (is_good && has_prefix)
			is_good = kvp_prefix_parse(text + length + 1, strlen(text + length + 1),
					  address.family) != KVP_PREFIX_UNKNOWN;
		if (!is_good)
			return vmwpctl_usage_error("--%s: '%s' is not %s", name, text,
				has_prefix ? "an address and its prefix, as 192.0.2.5/24"
					   : "an address, as 192.0.2.1");
		int n = snprintf(
			joined + used, sizeof joined - used, "%s%s", used > 0 ? "," : "", text);
		if (n < 0 || (size_t)n >= sizeof joined - used)
			return vmwpctl_usage_error("--%s: too many of them", name);
		used += (size_t)n;
	}
	if (used > 0)
		json_object_set_new(details, name, json_string(joined));
	return 0;
}

static int ip_set(const struct arguments *arguments)
{
	struct guid id;
	char text[GUID_TEXT_BYTES];
	if (guid_parse(arguments->operands[1], &id) != 0)
		return vmwpctl_usage_error("ip set: '%s' is not the instance GUID of an adapter",
			arguments->operands[1]);
	bool is_dhcp = arguments->dhcp != NULL && strcmp(arguments->dhcp, "on") == 0;
	if (arguments->dhcp != NULL && !is_dhcp && strcmp(arguments->dhcp, "off") != 0)
		return vmwpctl_usage_error("--dhcp: '%s' is neither on nor off", arguments->dhcp);
	if (!is_dhcp && arguments->addresses.count == 0)
		return vmwpctl_usage_error("ip set: give --address, or --dhcp on");
	json_t *details = json_pack(
		"{s:s, s:b}", "adapter", guid_format(&id, text), "dhcp", is_dhcp);
	if (addresses_put(details, "address", &arguments->addresses, true) != 0 ||
		addresses_put(details, "gateway", &arguments->gateways, false) != 0 ||
		addresses_put(details, "dns", &arguments->dns, false) != 0) {
		json_decref(details);
		return EXIT_USAGE;
	}
	return done_show(arguments, ask(arguments, "ip-set", details));
}

int vmwpctl_ip(const struct arguments *arguments)
{
	if (arguments->operand_count == 0)
		return vmwpctl_usage_error("ip: what to do? say get MAC or set GUID");
	const char *action = arguments->operands[0];
	bool is_get = strcmp(action, "get") == 0;
	if (!is_get && strcmp(action, "set") != 0)
		return vmwpctl_usage_error("ip: '%s' is not known: say get or set", action);
	if (arguments->operand_count != 2)
		return vmwpctl_usage_error("ip %s takes 1 operand, not %d: ip %s %s", action,
			arguments->operand_count - 1, action, is_get ? "MAC" : "GUID");
	return is_get ? ip_get(arguments) : ip_set(arguments);
}
