// SPDX-License-Identifier: Apache-2.0
/*
 * Back end for NetworkManager: the ipv4 and ipv6 sections of the profile that is active on the
 * device are replaced and the device takes them over without losing its link. All else in the
 * profile stays, as do keys of those sections that do not say the addresses. A device without
 * an active profile gets one.
 *
 * Sources: NetworkManager's D-Bus reference (org.freedesktop.NetworkManager.Device,
 * .Settings.Connection, .Connection.Active), nm-settings-dbus(5).
 */
#ifdef VIRIDIAN_HAVE_SYSTEMD

#include "guest/ic_daemons/net_backend_linux.h"

#include "guest/ic_daemons/net_bus_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE	   "org.freedesktop.NetworkManager"
#define OBJECT	   "/org/freedesktop/NetworkManager"
#define DEVICE	   SERVICE ".Device"
#define ACTIVE	   SERVICE ".Connection.Active"
#define CONNECTION SERVICE ".Settings.Connection"
#define PATH_BYTES 256

/* Keys of a family's section that are replaced; all others stay. */
static const char *const replaced_keys[] = {
	"method", "addresses", "address-data", "gateway", "dns", "dns-data", "ignore-auto-dns"};

static const char *const section_words[NET_FAMILY_COUNT] = {"ipv4", "ipv6"};

struct nm_state {
	char device[PATH_BYTES];
	char profile[PATH_BYTES]; /* "": none is active */
	char added[PATH_BYTES];	  /* the profile that we made, or "" */
	sd_bus_message *before;	  /* owned: what GetSettings answered */
};

/* A path that is too long is none. */
static void path_copy(const char *from, char path[PATH_BYTES])
{
	size_t len = strlen(from);
	if (len < PATH_BYTES)
		memcpy(path, from, len + 1);
}

/* A property that is a string or a path; empty if there is none or it is too long. */
static void read_path(sd_bus *bus, const char *object, const char *interface, const char *property,
	const char *type, char path[PATH_BYTES])
{
	sd_bus_message *answer = NULL;
	const char *value = NULL;
	path[0] = '\0';
	if (sd_bus_get_property(bus, SERVICE, object, interface, property, NULL, &answer, type) >=
			0 &&
		sd_bus_message_read(answer, type, &value) >= 0)
		path_copy(value, path);
	sd_bus_message_unref(answer);
}

/* The device's object, into `path`. */
static bool find_device(struct net_change *change, char path[PATH_BYTES])
{
	sd_bus_message *answer = NULL;
	const char *value = NULL;
	path[0] = '\0';
	if (sd_bus_call_method(change->bus, SERVICE, OBJECT, SERVICE, "GetDeviceByIpIface", NULL,
		    &answer, "s", change->nic->name) >= 0 &&
		sd_bus_message_read(answer, "o", &value) >= 0)
		path_copy(value, path);
	sd_bus_message_unref(answer);
	return path[0] != '\0';
}

static bool is_in_charge(struct net_change *change)
{
	char device[PATH_BYTES];
	int is_managed = 0;
	if (!net_bus_has(change->bus, SERVICE) || !find_device(change, device))
		return false;
	sd_bus_get_property_trivial(
		change->bus, SERVICE, device, DEVICE, "Managed", NULL, 'b', &is_managed);
	return is_managed != 0;
}

/* ---- building settings: each returns a negative errno as sd-bus does ---------------------- */

static int put_addresses(
	sd_bus_message *out, enum net_family family, const struct net_family_settings *wanted)
{
	char text[NET_ADDRESS_TEXT_BYTES];
	int error = sd_bus_message_open_container(out, 'e', "sv");
	if (error >= 0)
		error = sd_bus_message_append(out, "s", "address-data");
	if (error >= 0)
		error = sd_bus_message_open_container(out, 'v', "aa{sv}");
	if (error >= 0)
		error = sd_bus_message_open_container(out, 'a', "a{sv}");
	for (uint32_t i = 0; error >= 0 && i < wanted->address_count; i++) {
		const struct net_prefix *prefix = &wanted->addresses[i];
		error = sd_bus_message_append(out, "a{sv}", 2, "address", "s",
			net_address_format(family, &prefix->address, text), "prefix", "u",
			(uint32_t)prefix->bits);
	}
	for (int i = 0; error >= 0 && i < 3; i++)
		error = sd_bus_message_close_container(out);
	return error;
}

/* IPv4 servers are numbers in network order, IPv6 ones arrays of bytes. */
static int put_dns(
	sd_bus_message *out, enum net_family family, const struct net_family_settings *wanted)
{
	const char *type = family == NET_IPV4 ? "u" : "ay";
	int error = sd_bus_message_open_container(out, 'e', "sv");
	if (error >= 0)
		error = sd_bus_message_append(out, "s", "dns");
	if (error >= 0)
		error = sd_bus_message_open_container(out, 'v', family == NET_IPV4 ? "au" : "aay");
	if (error >= 0)
		error = sd_bus_message_open_container(out, 'a', type);
	for (uint32_t i = 0; error >= 0 && i < wanted->dns_count; i++) {
		uint32_t number;
		memcpy(&number, wanted->dns[i].bytes, sizeof number);
		error = family == NET_IPV4
				? sd_bus_message_append_basic(out, 'u', &number)
				: sd_bus_message_append_array(out, 'y', wanted->dns[i].bytes, 16);
	}
	for (int i = 0; error >= 0 && i < 3; i++)
		error = sd_bus_message_close_container(out);
	return error;
}

/* The keys that we set of a section. */
static int put_keys(sd_bus_message *out, const struct net_change *change, enum net_family family)
{
	const struct net_family_settings *wanted = &change->wanted[family];
	char text[NET_ADDRESS_TEXT_BYTES];
	bool is_static = change->modes[family] == NET_MODE_STATIC;
	int error = sd_bus_message_append(
		out, "{sv}", "method", "s", is_static ? "manual" : "auto");
	if (error >= 0 && is_static)
		error = put_addresses(out, family, wanted);
	if (error >= 0 && wanted->gateway_count > 0)
		error = sd_bus_message_append(out, "{sv}", "gateway", "s",
			net_address_format(family, &wanted->gateways[0], text));
	if (error >= 0 && wanted->dns_count > 0)
		error = put_dns(out, family, wanted);
	if (error >= 0 && wanted->dns_count > 0 && !is_static)
		error = sd_bus_message_append(out, "{sv}", "ignore-auto-dns", "b", 1);
	return error;
}

static bool is_replaced_key(const char *key)
{
	for (size_t i = 0; i < sizeof replaced_keys / sizeof replaced_keys[0]; i++)
		if (strcmp(replaced_keys[i], key) == 0)
			return true;
	return false;
}

/* Copy one {sv} unless it is replaced. `in` stands before it. 0 at the end of the section. */
static int copy_key(sd_bus_message *out, sd_bus_message *in)
{
	const char *key;
	int error = sd_bus_message_enter_container(in, 'e', "sv");
	if (error <= 0)
		return error;
	error = sd_bus_message_read(in, "s", &key);
	if (error >= 0 && is_replaced_key(key)) {
		error = sd_bus_message_skip(in, "v");
	} else if (error >= 0) {
		error = sd_bus_message_open_container(out, 'e', "sv");
		if (error >= 0)
			error = sd_bus_message_append(out, "s", key);
		if (error >= 0)
			error = sd_bus_message_copy(out, in, 0);
		if (error >= 0)
			error = sd_bus_message_close_container(out);
	}
	if (error >= 0)
		error = sd_bus_message_exit_container(in);
	return error < 0 ? error : 1;
}

/* A family's section; with `in`, which stands before its keys, the others are taken from there. */
static int put_section(sd_bus_message *out, const struct net_change *change, enum net_family family,
	sd_bus_message *in)
{
	int error = sd_bus_message_open_container(out, 'e', "sa{sv}");
	if (error >= 0)
		error = sd_bus_message_append(out, "s", section_words[family]);
	if (error >= 0)
		error = sd_bus_message_open_container(out, 'a', "{sv}");
	if (in && error >= 0) {
		error = sd_bus_message_enter_container(in, 'a', "{sv}");
		while (error > 0)
			error = copy_key(out, in);
		if (error >= 0)
			error = sd_bus_message_exit_container(in);
	}
	if (error >= 0)
		error = put_keys(out, change, family);
	for (int i = 0; error >= 0 && i < 2; i++)
		error = sd_bus_message_close_container(out);
	return error;
}

/* Copy one section, or put ours in its place. 0 after the last. */
static int copy_section(sd_bus_message *out, const struct net_change *change, sd_bus_message *in,
	bool has_put[NET_FAMILY_COUNT])
{
	const char *name;
	int error = sd_bus_message_enter_container(in, 'e', "sa{sv}");
	if (error <= 0)
		return error;
	error = sd_bus_message_read(in, "s", &name);
	enum net_family family = NET_IPV4;
	while (error >= 0 && family < NET_FAMILY_COUNT &&
		!(change->request->sets[family] && strcmp(name, section_words[family]) == 0))
		family++;
	if (error >= 0 && family < NET_FAMILY_COUNT) {
		error = put_section(out, change, family, in);
		has_put[family] = true;
	} else if (error >= 0) {
		error = sd_bus_message_open_container(out, 'e', "sa{sv}");
		if (error >= 0)
			error = sd_bus_message_append(out, "s", name);
		if (error >= 0)
			error = sd_bus_message_copy(out, in, 0);
		if (error >= 0)
			error = sd_bus_message_close_container(out);
	}
	if (error >= 0)
		error = sd_bus_message_exit_container(in);
	return error < 0 ? error : 1;
}

/* The whole profile, with the sections that the request sets replaced. */
static int put_profile(sd_bus_message *out, const struct net_change *change, sd_bus_message *in)
{
	bool has_put[NET_FAMILY_COUNT] = {0};
	int error = sd_bus_message_rewind(in, 1);
	if (error >= 0)
		error = sd_bus_message_enter_container(in, 'a', "{sa{sv}}");
	if (error >= 0)
		error = sd_bus_message_open_container(out, 'a', "{sa{sv}}");
	while (error > 0 || (error == 0 && !sd_bus_message_at_end(in, 0))) {
		error = copy_section(out, change, in, has_put);
		if (error == 0)
			break;
	}
	for (enum net_family family = NET_IPV4; error >= 0 && family < NET_FAMILY_COUNT; family++)
		if (change->request->sets[family] && !has_put[family])
			error = put_section(out, change, family, NULL);
	return error < 0 ? error : sd_bus_message_close_container(out);
}

/* ---- calls ------------------------------------------------------------------------------- */

static int refused(struct net_change *change, int error, const char *why)
{
	return net_change_failed(
		change, error, "NetworkManager does not take the new settings: %.120s", why);
}

static int reapply(struct net_change *change, const struct nm_state *state)
{
	char why[NET_CONFIG_ANSWER_MAX];
	int error = net_bus_call(change->bus, why, sizeof why, SERVICE, state->device, DEVICE,
		"Reapply", "a{sa{sv}}tu", 0, (uint64_t)0, 0u);
	return error == 0 ? 0 : refused(change, error, why);
}

static int update(struct net_change *change, const struct nm_state *state, bool is_undo)
{
	char why[NET_CONFIG_ANSWER_MAX] = "out of memory";
	sd_bus_message *message = NULL;
	int error = sd_bus_message_new_method_call(
		change->bus, &message, SERVICE, state->profile, CONNECTION, "Update");
	if (error >= 0 && is_undo) {
		error = sd_bus_message_rewind(state->before, 1);
		if (error >= 0)
			error = sd_bus_message_copy(message, state->before, 1);
	} else if (error >= 0) {
		error = put_profile(message, change, state->before);
	}
	if (error >= 0)
		error = net_bus_send(change->bus, why, sizeof why, message, NULL);
	sd_bus_message_unref(message);
	return error < 0 ? refused(change, error, why) : reapply(change, state);
}

/* A profile for a device that has none active. */
static int add(struct net_change *change, struct nm_state *state)
{
	char why[NET_CONFIG_ANSWER_MAX] = "out of memory";
	char id[64];
	const char *added = NULL;
	sd_bus_message *message = NULL;
	sd_bus_message *answer = NULL;

	snprintf(id, sizeof id, "viridian-%s", change->nic->name);
	int error = sd_bus_message_new_method_call(
		change->bus, &message, SERVICE, OBJECT, SERVICE, "AddAndActivateConnection");
	if (error >= 0)
		error = sd_bus_message_open_container(message, 'a', "{sa{sv}}");
	if (error >= 0)
		error = sd_bus_message_append(message, "{sa{sv}}", "connection", 3, "id", "s", id,
			"type", "s", "802-3-ethernet", "interface-name", "s", change->nic->name);
	for (enum net_family family = NET_IPV4; error >= 0 && family < NET_FAMILY_COUNT; family++)
		error = put_section(message, change, family, NULL);
	if (error >= 0)
		error = sd_bus_message_close_container(message);
	if (error >= 0)
		error = sd_bus_message_append(message, "oo", state->device, "/");
	if (error >= 0)
		error = net_bus_send(change->bus, why, sizeof why, message, &answer);
	if (error >= 0 && sd_bus_message_read(answer, "oo", &added, NULL) >= 0)
		path_copy(added, state->added);
	sd_bus_message_unref(answer);
	sd_bus_message_unref(message);
	return error < 0 ? refused(change, error, why) : 0;
}

/* Find the profile and how it is; keep its file, if it has one. */
static int read_profile(struct net_change *change, struct nm_state *state)
{
	char active[PATH_BYTES];
	char file[PATH_BYTES];
	if (!find_device(change, state->device))
		return refused(change, -ENODEV, "it does not know the device");
	read_path(change->bus, state->device, DEVICE, "ActiveConnection", "o", active);
	if (active[0] == '\0' || strcmp(active, "/") == 0)
		return 0;
	read_path(change->bus, active, ACTIVE, "Connection", "o", state->profile);
	if (state->profile[0] == '\0')
		return refused(change, -ENOENT, "its active connection has no profile");
	int error = sd_bus_call_method(change->bus, SERVICE, state->profile, CONNECTION,
		"GetSettings", NULL, &state->before, "");
	if (error < 0)
		return refused(change, error, "it does not tell the profile's settings");
	read_path(change->bus, state->profile, CONNECTION, "Filename", "s", file);
	error = file[0] == '/' ? net_file_keep(change->root, file) : 0;
	return error == 0 || error == -ENOENT
		       ? 0
		       : net_change_failed(change, error, "cannot keep a copy of %.100s: %s", file,
				 strerror(-error));
}

static int apply(struct net_change *change)
{
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++)
		if (change->request->sets[family] && change->wanted[family].gateway_count > 1)
			return net_change_failed(
				change, -ENOTSUP, "NetworkManager takes one gateway of a family");
	struct nm_state *state = calloc(1, sizeof *state);
	change->state = state;
	if (!state)
		return net_change_failed(change, -ENOMEM, "out of memory");
	int error = read_profile(change, state);
	if (error != 0)
		return error;
	return state->profile[0] != '\0' ? update(change, state, false) : add(change, state);
}

static void undo(struct net_change *change)
{
	const struct nm_state *state = change->state;
	char why[NET_CONFIG_ANSWER_MAX];
	char ignored[NET_CONFIG_ANSWER_MAX];
	memcpy(why, change->error, sizeof why);
	if (state && state->before)
		update(change, state, true);
	else if (state && state->added[0] != '\0')
		net_bus_call(change->bus, ignored, sizeof ignored, SERVICE, state->added,
			CONNECTION, "Delete", "");
	memcpy(change->error, why, sizeof why);
}

static void finish(struct net_change *change)
{
	struct nm_state *state = change->state;
	if (state)
		sd_bus_message_unref(state->before);
	free(state);
}

const struct net_backend net_backend_nm = {
	.name = "NetworkManager",
	.is_persistent = true,
	.is_in_charge = is_in_charge,
	.apply = apply,
	.undo = undo,
	.finish = finish,
};

#endif
