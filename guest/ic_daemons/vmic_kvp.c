// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-kvp: the guest's service for key-value pairs and addresses.
 *
 *	daemon.h (packets)	daemon.h (records)
 *	     |			     |
 *	kvp_ic			kvp_device_linux
 *	     \		     /
 *	      kvp_service_linux -> pools, facts, addresses
 *	      |
 *	      net_config_call(), in a thread -> viridian-net-config
 *
 * It keeps no privilege: it has the pools' files open, and reads the network as anybody may.
 * Addresses are set by another program, through its socket.
 *
 * Threads: the loop's, and one at a time for a request to viridian-net-config.
 */
#include "guest/ic_daemons/daemon.h"
#include "guest/ic_daemons/kvp_device_linux.h"
#include "guest/ic_daemons/kvp_service_linux.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The kernel gives up after 30 seconds. */
#define SET_IP_MS 25000

/* The same complaint again, so soon, is not logged. */
#define COMPLAINT_MS 60000u

struct kvp_daemon {
	struct daemon *daemon;
	struct kvp_service service;
	struct kvp_ic ic;
	struct kvp_device device;
	const char *pools;
	const char *net_config;
	const char *root;
	/* Addresses that are being set. The thread has the first three. */
	struct net_request request;
	struct net_config_answer answer;
	const char *socket_path;
	bool is_setting;
	char interface[NET_NAME_BYTES];
	/* For people. */
	char complaint[160];
	uint64_t complaint_ms;
	uint64_t addresses_set;
	uint64_t addresses_refused;
	char last_set[NET_CONFIG_ANSWER_MAX + 64]; /* how it ended */
};

static void complain(void *ctx, const char *text)
{
	struct kvp_daemon *kvp = ctx;
	uint64_t now_ms = daemon_now_ms();
	if (strcmp(text, kvp->complaint) == 0 && now_ms - kvp->complaint_ms < COMPLAINT_MS)
		return;
	snprintf(kvp->complaint, sizeof kvp->complaint, "%s", text);
	kvp->complaint_ms = now_ms;
	daemon_log(LOG_WARNING, "%s", text);
}

/* ---- addresses ----------------------------------------------------------- */

static void set_ip_work(void *arg)
{
	struct kvp_daemon *kvp = arg;
	net_config_call(kvp->socket_path, SET_IP_MS, &kvp->request, &kvp->answer);
}

static uint32_t answer_status(enum net_config_result result)
{
	switch (result) {
	case NET_CONFIG_OK:
		return IC_STATUS_SUCCESS;
	case NET_CONFIG_INVALID:
		return IC_STATUS_INVALID_ARGUMENT;
	case NET_CONFIG_NO_ADAPTER:
		return IC_STATUS_NOT_FOUND;
	default:
		return IC_STATUS_FAIL;
	}
}

static void set_ip_done(void *arg)
{
	struct kvp_daemon *kvp = arg;
	const struct net_config_answer *answer = &kvp->answer;
	uint32_t status = answer_status(answer->result);
	kvp->is_setting = false;
	if (status == IC_STATUS_SUCCESS) {
		kvp->addresses_set++;
		snprintf(kvp->last_set, sizeof kvp->last_set, "%.15s: by %.100s%s", kvp->interface,
			answer->text, answer->is_persistent ? "" : ", until the next boot");
		daemon_log(LOG_NOTICE, "the host has set the addresses of %s", kvp->last_set);
	} else {
		kvp->addresses_refused++;
		snprintf(kvp->last_set, sizeof kvp->last_set, "%.15s: %.150s", kvp->interface,
			answer->text);
		daemon_log(LOG_ERR, "the addresses are not set: %s", kvp->last_set);
	}
	daemon_status_touch(kvp->daemon);
	kvp_ic_finish(&kvp->ic, status);
	if (kvp_device_finish(&kvp->device, status))
		(void)daemon_reply(kvp->daemon, &kvp->device.record, sizeof kvp->device.record);
}

/* A host that does not wait for the end of the one before is told to. */
static uint32_t set_ip(
	void *ctx, const struct net_interface *interface, const struct net_request *request)
{
	struct kvp_daemon *kvp = ctx;
	if (kvp->is_setting)
		return IC_STATUS_FAIL;
	kvp->request = *request;
	kvp->socket_path = kvp->net_config;
	memcpy(kvp->interface, interface->name, sizeof kvp->interface);
	const int error = daemon_work(kvp->daemon, set_ip_work, set_ip_done, kvp);
	if (error != 0) {
		complain(kvp, "the addresses are not set: no thread for it");
		return IC_STATUS_FAIL;
	}
	kvp->is_setting = true;
	return IC_GUEST_LATER;
}

/* ---- the kernel's device ------------------------------------------------- */

static void on_record(void *ctx, struct daemon *daemon, const uint8_t *record, size_t len)
{
	struct kvp_daemon *kvp = ctx;
	bool was_registered = kvp->device.is_registered;
	if (kvp_device_on_record(&kvp->device, record, len))
		(void)daemon_reply(daemon, &kvp->device.record, sizeof kvp->device.record);
	if (!was_registered && kvp->device.is_registered)
		daemon_log(LOG_INFO, "the kernel hands out requests; its version is %s",
			kvp->device.version);
	daemon_status_touch(daemon);
}

static void on_device(void *ctx)
{
	struct kvp_daemon *kvp = ctx;
	kvp_device_reset(&kvp->device);
}

static const struct daemon_device device = {
	.path = KVP_DEVICE_PATH,
	.record_bytes_max = KVP_DEVICE_RECORD_BYTES,
	.greeting = &kvp_device_greeting,
	.greeting_bytes = sizeof kvp_device_greeting,
	.on_record = on_record,
	.on_open = on_device,
	.on_close = on_device,
};

/* ---- life ---------------------------------------------------------------- */

static int start(void *ctx, struct daemon *daemon)
{
	struct kvp_daemon *kvp = ctx;
	kvp->daemon = daemon;
	const int error = kvp_service_open(&kvp->service, kvp->pools, kvp->root);
	kvp->service.now_ms = daemon_now_ms;
	kvp->service.set_ip = set_ip;
	kvp->service.complain = complain;
	kvp->service.ctx = kvp;
	if (error != 0)
		daemon_log(LOG_ERR, "%s: cannot open the pools: %s; see --pools", kvp->pools,
			strerror(-error));
	return error;
}

static int ready(void *ctx, struct daemon *daemon)
{
	struct kvp_daemon *kvp = ctx;
	(void)daemon;
	kvp_facts_refresh(&kvp->service.facts, daemon_now_ms());
	daemon_log(LOG_INFO, "this is %s, with %s",
		kvp_facts_value(&kvp->service.facts, KVP_AUTO_DOMAIN_NAME),
		kvp_facts_value(&kvp->service.facts, KVP_AUTO_ADDRESS_IPV4));
	return 0;
}

static void stop(void *ctx, struct daemon *daemon)
{
	struct kvp_daemon *kvp = ctx;
	(void)daemon;
	kvp_service_close(&kvp->service);
}

static void status(void *ctx, json_t *object)
{
	struct kvp_daemon *kvp = ctx;
	const struct kvp_service *service = &kvp->service;
	json_t *pools = json_object();
	for (unsigned pool = 0; pool <= KVP_POOL_AUTO_EXTERNAL; pool++) {
		const struct kvp_pool_store *store = &service->pools[pool];
		if (store->is_read)
			json_object_set_new(pools, kvp_pool_name((uint8_t)pool),
				json_integer((json_int_t)(store->records - store->empty)));
	}
	json_object_set_new(object, "pools", pools);
	json_object_set_new(object, "reads", json_integer((json_int_t)service->reads));
	json_object_set_new(object, "changes", json_integer((json_int_t)service->changes));
	json_object_set_new(object, "failures", json_integer((json_int_t)service->failures));
	json_object_set_new(object, "texts_cut", json_integer((json_int_t)service->cut));
	json_object_set_new(object, "addresses_set", json_integer((json_int_t)kvp->addresses_set));
	json_object_set_new(
		object, "addresses_refused", json_integer((json_int_t)kvp->addresses_refused));
	if (kvp->last_set[0] != '\0')
		json_object_set_new(object, "last_addresses", json_string(kvp->last_set));
}

enum {
	OPTION_POOLS = 0x800,
	OPTION_NET_CONFIG,
	OPTION_ROOT,
};

static const struct argp_option option_table[] = {
	{"pools", OPTION_POOLS, "DIR", 0, "the folder of the pools (" KVP_POOL_DIR ")", 0},
	{"net-config", OPTION_NET_CONFIG, "SOCKET", 0,
		"where addresses are set (" NET_CONFIG_SOCKET ")", 0},
	{"root", OPTION_ROOT, "DIR", OPTION_HIDDEN, NULL, 0},
	{0},
};

static error_t option_take(int key, char *text, struct argp_state *state)
{
	struct kvp_daemon *kvp = state->input;
	switch (key) {
	case OPTION_POOLS:
		kvp->pools = text;
		return 0;
	case OPTION_NET_CONFIG:
		kvp->net_config = text;
		return 0;
	case OPTION_ROOT:
		kvp->root = text;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp options = {.options = option_table, .parser = option_take};

/* Locks of the pools, and the kernel's word on interfaces (netlink). */
static const char *const system_calls[] = {"bind", "flock", "socket", "utimensat", NULL};

int main(int argc, char **argv)
{
	static struct kvp_daemon kvp = {.pools = KVP_POOL_DIR, .net_config = NET_CONFIG_SOCKET};
	kvp_ic_init(&kvp.ic, &kvp_service_ops, &kvp.service);
	kvp_device_init(&kvp.device, &kvp_service_ops, &kvp.service);
	const struct daemon_component component = {
		.stem = "kvp",
		.description = "the guest's service for key-value pairs and addresses",
		.documentation =
			"Pairs are kept in the files of the kernel's daemon; kvpfs shows them as "
			"files. Addresses are set by viridian-net-config.",
		.interface_id = &guid_kvp,
		.ctx = &kvp,
		.ic = &kvp.ic.ic,
		.device = &device,
		.options = &options,
		.start = start,
		.ready = ready,
		.stop = stop,
		.status = status,
		.system_calls = system_calls,
	};
	return daemon_main(argc, argv, &component);
}
