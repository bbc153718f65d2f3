// SPDX-License-Identifier: Apache-2.0
/*
 * Carries out one change with privileges: finds the adapter, fills in what the request leaves
 * open, lets the manager in charge do it, looks whether it has come true, and else has it undone.
 * See net_config_linux.h and net_backend_linux.h.
 */
#include "guest/ic_daemons/net_backend_linux.h"

#include "guest/ic_daemons/net_stanza_linux.h"

#ifdef VIRIDIAN_HAVE_SYSTEMD
#include "guest/ic_daemons/net_bus_linux.h"
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SETTLE_MS      10000
#define SETTLE_STEP_MS 100

/* In the order in which they are asked whether the interface is theirs. */
static const struct net_backend *const backends[] = {
	&net_backend_script,
#ifdef VIRIDIAN_HAVE_SYSTEMD
	&net_backend_networkd,
	&net_backend_nm,
#endif
	&net_backend_ifupdown,
	&net_backend_kernel,
};

int net_change_failed(struct net_change *change, int error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(change->error, sizeof change->error, format, arguments);
	va_end(arguments);
	return error;
}

int net_change_resolv_conf(struct net_change *change)
{
	static const char path[] = "/etc/resolv.conf";
	bool is_replaced[NET_FAMILY_COUNT];
	size_t len = 0;
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++)
		is_replaced[family] = change->request->sets[family] &&
				      change->wanted[family].dns_count > 0;
	if (!is_replaced[NET_IPV4] && !is_replaced[NET_IPV6])
		return 0;
	char *text = net_file_read(change->root, path, &len);
	if (!text && errno != ENOENT)
		return -errno;
	char *replaced = net_stanza_resolv_conf(
		text ? text : "", len, is_replaced, change->wanted, &len);
	int error = replaced ? net_files_write(&change->files, path, replaced, len) : -ENOMEM;
	free(replaced);
	free(text);
	return error;
}

static void answer_error(
	struct net_config_answer *answer, enum net_config_result result, const char *text)
{
	answer->result = result;
	snprintf(answer->text, sizeof answer->text, "%s", text);
}

static const struct net_interface *find_adapter(
	const struct net_request *request, const struct net_interface *list, size_t count)
{
	const struct net_interface *nic = request->has_guid
						  ? net_info_find_guid(list, count, &request->guid)
						  : net_info_find_mac(list, count, request->mac);
	return nic && !nic->is_loopback && net_name_is_valid(nic->name) ? nic : NULL;
}

/* What the interface has of a family that the request does not set, as settings. */
static void keep_family(struct net_change *change, enum net_family family)
{
	const struct net_family_settings *now = &change->nic->families[family];
	struct net_family_settings *wanted = &change->wanted[family];
	*wanted = (struct net_family_settings){.dhcp = now->dhcp};
	if (now->dhcp) {
		change->modes[family] = NET_MODE_DHCP;
		return;
	}
	for (uint32_t i = 0; i < now->address_count; i++)
		if (now->addresses[i].origin == NET_ORIGIN_STATIC)
			wanted->addresses[wanted->address_count++] = now->addresses[i];
	if (wanted->address_count == 0)
		return;
	change->modes[family] = NET_MODE_STATIC;
	wanted->gateway_count = now->gateway_count;
	memcpy(wanted->gateways, now->gateways, sizeof wanted->gateways);
	wanted->dns_count = now->dns_count;
	memcpy(wanted->dns, now->dns, sizeof wanted->dns);
}

static void fill_in(struct net_change *change)
{
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		const struct net_request *request = change->request;
		change->modes[family] = NET_MODE_AUTO;
		if (!request->sets[family]) {
			keep_family(change, family);
			continue;
		}
		change->wanted[family] = request->families[family];
		change->modes[family] = request->families[family].dhcp ? NET_MODE_DHCP
								       : NET_MODE_STATIC;
	}
}

static bool has_address(const struct net_family_settings *have, const struct net_prefix *prefix)
{
	for (uint32_t i = 0; i < have->address_count; i++)
		if (have->addresses[i].bits == prefix->bits &&
			net_address_equal(&have->addresses[i].address, &prefix->address))
			return true;
	return false;
}

/* Has the interface all addresses that the request gives it? */
static bool has_come_true(const struct net_change *change, const struct net_interface *now)
{
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		const struct net_family_settings *wanted = &change->wanted[family];
		if (!change->request->sets[family])
			continue;
		for (uint32_t i = 0; i < wanted->address_count; i++)
			if (!has_address(&now->families[family], &wanted->addresses[i]))
				return false;
	}
	return true;
}

/* Managers answer before they have done it. Without a carrier some wait for one, rightly. */
static int settle(struct net_change *change)
{
	static struct net_interface list[NET_INTERFACES_MAX];
	struct net_info_roots roots = {change->options->sysfs, change->options->root};
	const struct timespec step = {.tv_nsec = SETTLE_STEP_MS * 1000000L};
	int left_ms = change->options->settle_ms == 0 ? SETTLE_MS : change->options->settle_ms;

	for (; left_ms >= 0; left_ms -= SETTLE_STEP_MS) {
		size_t count;
		int error = net_info_read(&roots, list, NET_INTERFACES_MAX, &count);
		if (error != 0)
			return net_change_failed(change, error,
				"cannot read the interface's addresses: %s", strerror(-error));
		const struct net_interface *now = net_info_find_name(
			list, count, change->nic->name);
		if (now && (!now->has_carrier || has_come_true(change, now)))
			return 0;
		nanosleep(&step, NULL);
	}
	return change->options->settle_ms < 0
		       ? 0
		       : net_change_failed(change, -ETIMEDOUT,
				 "the addresses did not appear; the old settings are back");
}

static const struct net_backend *choose(struct net_change *change)
{
	const char *forced = change->options->back_end;
	for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
		if (forced ? strcmp(backends[i]->name, forced) == 0
			   : backends[i]->is_in_charge(change))
			return backends[i];
	return NULL;
}

static void carry_out(struct net_change *change, struct net_config_answer *answer)
{
	fill_in(change);
#ifdef VIRIDIAN_HAVE_SYSTEMD
	change->bus = net_bus_open(change->options->bus_address);
#endif
	const struct net_backend *backend = choose(change);
	if (!backend) {
		answer_error(answer, NET_CONFIG_FAILED, "there is no back end of that name");
	} else {
		int error = backend->apply(change);
		if (error == 0)
			error = settle(change);
		if (error != 0) {
			backend->undo(change);
			answer_error(answer, NET_CONFIG_FAILED, change->error);
		} else {
			answer->is_persistent = backend->is_persistent && !change->is_volatile;
			answer_error(answer, NET_CONFIG_OK, backend->name);
		}
		if (backend->finish)
			backend->finish(change);
	}
	net_files_free(&change->files);
#ifdef VIRIDIAN_HAVE_SYSTEMD
	net_bus_close(change->bus);
#endif
}

void net_config_apply(const struct net_config_options *options, const struct net_request *request,
	struct net_config_answer *answer)
{
	static const struct net_config_options none;
	static struct net_interface list[NET_INTERFACES_MAX];
	size_t count;

	memset(answer, 0, sizeof *answer);
	options = options ? options : &none;
	const char *wrong = net_config_check(request);
	if (wrong) {
		answer_error(answer, NET_CONFIG_INVALID, wrong);
		return;
	}
	struct net_info_roots roots = {options->sysfs, options->root};
	int error = net_info_read(&roots, list, NET_INTERFACES_MAX, &count);
	const struct net_interface *nic = error == 0 ? find_adapter(request, list, count) : NULL;
	struct net_change *change = calloc(1, sizeof *change);
	if (error != 0 || !change) {
		answer_error(answer, NET_CONFIG_FAILED, "cannot read the system's interfaces");
	} else if (!nic) {
		answer_error(answer, NET_CONFIG_NO_ADAPTER, "no interface has that GUID or MAC");
	} else {
		change->options = options;
		change->root = options->root ? options->root : "";
		change->request = request;
		change->nic = nic;
		change->files.root = change->root;
		carry_out(change, answer);
	}
	free(change);
}

size_t net_config_serve(const struct net_config_options *options, const char *text, size_t len,
	char line[NET_CONFIG_LINE_MAX])
{
	struct net_config_answer answer = {.result = NET_CONFIG_INVALID};
	struct net_request request;
	const char *wrong = net_config_read(text, len, &request);
	if (wrong)
		answer_error(&answer, NET_CONFIG_INVALID, wrong);
	else
		net_config_apply(options, &request, &answer);
	return net_config_answer_write(&answer, line);
}
