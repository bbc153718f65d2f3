// SPDX-License-Identifier: Apache-2.0
/*
 * Control commands of key-value pairs and addresses. See control_kvp.h.
 */
#include "host/vmwp/control_kvp.h"

#include "host/limits.h"
#include "protocol/kvp.h"

#include <string.h>

static const char *const pools[] = {"external", "guest", "auto", "auto-external", NULL};

/* What can be written; the guest alone speaks of itself. */
static const char *const pools_writable[] = {"external", "guest", "auto-external", NULL};

static const char *const types[] = {"string", "expand", "u32", "u64", NULL};
static const uint32_t type_numbers[] = {
	KVP_TYPE_STRING, KVP_TYPE_EXPAND_STRING, KVP_TYPE_U32, KVP_TYPE_U64};

#define POOL_ARGUMENT(which)                                                                       \
	{                                                                                          \
		.name = "pool", .type = CONTROL_STRING, .is_required = true, .maximum = 16,        \
		.choices = (which), .help = "pool of pairs",                                       \
	}

#define KEY_ARGUMENT                                                                               \
	{                                                                                          \
		.name = "key", .type = CONTROL_STRING, .is_required = true,                        \
		.maximum = KVP_KEY_TEXT_BYTES - 1, .help = "name of the pair",                     \
	}

#define TIMEOUT_ARGUMENT                                                                           \
	{                                                                                          \
		.name = "timeout", .type = CONTROL_INTEGER, .minimum = 1,                          \
		.maximum = CONTROL_TIMEOUT_MAX_S,                                                  \
		.help = "seconds to wait for the guest's answer; 35 if not given",                 \
	}

#define ADDRESSES_ARGUMENT(which, what)                                                            \
	{                                                                                          \
		.name = (which), .type = CONTROL_STRING, .maximum = CONTROL_ADDRESSES_MAX_BYTES,   \
		.help = (what),                                                                    \
	}

const struct control_argument control_kvp_delete_arguments[3] = {
	POOL_ARGUMENT(pools_writable),
	KEY_ARGUMENT,
	TIMEOUT_ARGUMENT,
};

const struct control_argument control_kvp_get_arguments[4] = {
	POOL_ARGUMENT(pools),
	KEY_ARGUMENT,
	{
		.name = "direct",
		.type = CONTROL_BOOLEAN,
		.help = "by one GET, to which Linux gives an empty value, and not by going "
			"through the pool; false if not given",
	},
	TIMEOUT_ARGUMENT,
};

const struct control_argument control_kvp_list_arguments[4] = {
	POOL_ARGUMENT(pools),
	{
		.name = "index",
		.type = CONTROL_INTEGER,
		.maximum = LIMIT_KVP_ITEMS - 1,
		.help = "the first to get, \"next\" of the page before; 0 if not given",
	},
	{
		.name = "count",
		.type = CONTROL_INTEGER,
		.minimum = 1,
		.maximum = CONTROL_KVP_PAGE_MAX,
		.help = "pairs of one page; as many as can be if not given",
	},
	TIMEOUT_ARGUMENT,
};

const struct control_argument control_kvp_set_arguments[5] = {
	POOL_ARGUMENT(pools_writable),
	KEY_ARGUMENT,
	{
		.name = "value",
		.type = CONTROL_STRING,
		.maximum = KVP_VALUE_TEXT_BYTES - 1,
		.help = "text, or decimal digits; empty if not given",
	},
	{
		.name = "type",
		.type = CONTROL_STRING,
		.maximum = 16,
		.choices = types,
		.help = "string if not given",
	},
	TIMEOUT_ARGUMENT,
};

const struct control_argument control_ip_get_arguments[2] = {
	{
		.name = "adapter",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = KVP_ADAPTER_BYTES / 2 - 1,
		.help = "its MAC address, upper case with colons",
	},
	TIMEOUT_ARGUMENT,
};

const struct control_argument control_ip_set_arguments[6] = {
	{
		.name = "adapter",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = 38,
		.help = "its instance GUID",
	},
	ADDRESSES_ARGUMENT("address", "ADDRESS/BITS, joined by commas; none if not given"),
	ADDRESSES_ARGUMENT("gateway", "addresses, joined by commas"),
	ADDRESSES_ARGUMENT("dns", "addresses, joined by commas"),
	{
		.name = "dhcp",
		.type = CONTROL_BOOLEAN,
		.help = "addresses come from DHCP; false if not given",
	},
	TIMEOUT_ARGUMENT,
};

static const char *text(const json_t *arguments, const char *name)
{
	return json_string_value(json_object_get(arguments, name));
}

static unsigned number(const json_t *arguments, const char *name)
{
	return (unsigned)json_integer_value(json_object_get(arguments, name));
}

/* Its place among the choices; it is one of them, or NULL, which is the first. */
static unsigned choice(const char *const *choices, const char *name)
{
	unsigned i = 0;
	while (name != NULL && strcmp(choices[i], name) != 0)
		i++;
	return i;
}

static json_t *begin_kvp(void *ctx, enum control_kvp_action action, const json_t *arguments,
	struct control_ticket *ticket, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	const struct control_kvp what = {
		.action = action,
		.pool = (uint8_t)choice(pools, text(arguments, "pool")),
		.key = text(arguments, "key"),
		.value = text(arguments, "value"),
		.type = type_numbers[choice(types, text(arguments, "type"))],
		.is_direct = json_is_true(json_object_get(arguments, "direct")),
		.index = number(arguments, "index"),
		.count = number(arguments, "count"),
		.timeout_s = number(arguments, "timeout"),
	};
	/* cppcheck-suppress returnDanglingLifetime ; `what` is lent for the call only */
	return worker->ops->kvp(worker->ctx, &what, ticket, error);
}

json_t *control_kvp_delete(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_kvp(ctx, CONTROL_KVP_DELETE, arguments, ticket, error);
}

json_t *control_kvp_get(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_kvp(ctx, CONTROL_KVP_GET, arguments, ticket, error);
}

json_t *control_kvp_list(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_kvp(ctx, CONTROL_KVP_LIST, arguments, ticket, error);
}

json_t *control_kvp_set(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_kvp(ctx, CONTROL_KVP_SET, arguments, ticket, error);
}

static json_t *begin_ip(void *ctx, bool is_set, const json_t *arguments,
	struct control_ticket *ticket, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	const struct control_ip what = {
		.is_set = is_set,
		.adapter = text(arguments, "adapter"),
		.addresses = text(arguments, "address"),
		.gateways = text(arguments, "gateway"),
		.dns = text(arguments, "dns"),
		.is_dhcp = json_is_true(json_object_get(arguments, "dhcp")),
		.timeout_s = number(arguments, "timeout"),
	};
	/* cppcheck-suppress returnDanglingLifetime ; `what` is lent for the call only */
	return worker->ops->ip(worker->ctx, &what, ticket, error);
}

json_t *control_ip_get(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_ip(ctx, false, arguments, ticket, error);
}

json_t *control_ip_set(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_ip(ctx, true, arguments, ticket, error);
}
