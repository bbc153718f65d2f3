// SPDX-License-Identifier: Apache-2.0
/*
 * Back end: the script hv_set_ifconfig that an administrator has put where the kernel's
 * key-value daemon looks for it. Whoever has one relies on it: it comes before every manager.
 *
 *	hv_set_ifconfig …/ifcfg-NAME …/NAME.nmconnection	in /var/lib/viridian-net-config
 *
 * The two files are of that daemon's formats, initscripts' and NetworkManager's. They hold numbers
 * and checked names alone, and stay, as that daemon leaves them. No shell runs but what the script
 * itself is. It must belong to root, and be for nobody else to change.
 *
 * Sources: the comments of hv_set_ifconfig.sh and of hv_kvp_daemon in Linux; files as Debian's
 * hyperv-daemons writes them.
 */
#include "guest/ic_daemons/net_backend_linux.h"

#include "guest/ic_daemons/net_run_linux.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_S 20u
/* Of root alone: the pools' folder is the key-value daemon's, which has no business here. */
#define FILES_DIR  "/var/lib/viridian-net-config"
#define TEXT_BYTES 32768u

/* Debian's and the kernel's; Ubuntu's. */
static const char *const places[] = {
	"/usr/libexec/hypervkvpd/hv_set_ifconfig",
	"/usr/sbin/hv_set_ifconfig",
};

/* A text in the making. What does not fit sets is_full. */
struct text {
	char *bytes;
	size_t len;
	bool is_full;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(text->bytes + text->len, TEXT_BYTES - text->len, format, arguments);
	va_end(arguments);
	if (len < 0 || (size_t)len >= TEXT_BYTES - text->len)
		text->is_full = true;
	else
		text->len += (size_t)len;
}

/* Only root can have put it there, or can change it. */
static bool is_roots(const char *path, mode_t type)
{
	struct stat state;
	return lstat(path, &state) == 0 && (state.st_mode & S_IFMT) == type && state.st_uid == 0 &&
	       (state.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool script_find(const struct net_change *change, char path[PATH_MAX])
{
	char dir[PATH_MAX];
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		int len = snprintf(path, PATH_MAX, "%s%s", change->root, places[i]);
		if (len < 0 || len >= PATH_MAX)
			continue;
		memcpy(dir, path, (size_t)len + 1);
		*strrchr(dir, '/') = '\0';
		if (is_roots(dir, S_IFDIR) && is_roots(path, S_IFREG) && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static bool is_in_charge(struct net_change *change)
{
	char path[PATH_MAX];
	return script_find(change, path);
}

/* ---- initscripts' format. */

/* All eight groups of four digits, as that daemon has them. */
static void full_ipv6(const struct net_address *address, char text[NET_ADDRESS_TEXT_BYTES])
{
	char *to = text;
	for (unsigned i = 0; i < 16; i += 2)
		to += sprintf(to, "%s%02x%02x", i > 0 ? ":" : "", address->bytes[i],
			address->bytes[i + 1]);
}

static void ifcfg_ipv4(struct text *text, const struct net_family_settings *settings)
{
	char address[NET_ADDRESS_TEXT_BYTES];
	for (uint32_t i = 0; i < settings->address_count; i++)
		put(text, "IPADDR%u=%s\n", i,
			net_address_format(NET_IPV4, &settings->addresses[i].address, address));
	for (uint32_t i = 0; i < settings->address_count; i++) {
		struct net_address mask = net_mask_from_bits(settings->addresses[i].bits);
		put(text, "NETMASK%u=%s\n", i, net_address_format(NET_IPV4, &mask, address));
	}
	for (uint32_t i = 0; i < settings->gateway_count; i++) {
		net_address_format(NET_IPV4, &settings->gateways[i], address);
		if (i == 0)
			put(text, "GATEWAY=%s\n", address);
		else
			put(text, "GATEWAY%u=%s\n", i, address);
	}
}

/* The first of a list has no number, the second number 1. */
static void numbered(struct text *text, const char *name, uint32_t i, const char *value)
{
	if (i == 0)
		put(text, "%s=%s\n", name, value);
	else
		put(text, "%s_%u=%s\n", name, i, value);
}

static void ifcfg_ipv6(struct text *text, const struct net_family_settings *settings)
{
	char value[NET_ADDRESS_TEXT_BYTES];
	for (uint32_t i = 0; i < settings->address_count; i++) {
		full_ipv6(&settings->addresses[i].address, value);
		numbered(text, "IPV6ADDR", i, value);
	}
	for (uint32_t i = 0; i < settings->address_count; i++) {
		snprintf(value, sizeof value, "%u", settings->addresses[i].bits);
		numbered(text, "IPV6NETMASK", i, value);
	}
	for (uint32_t i = 0; i < settings->gateway_count; i++) {
		full_ipv6(&settings->gateways[i], value);
		numbered(text, "IPV6_DEFAULTGW", i, value);
	}
}

static void ifcfg_make(const struct net_change *change, struct text *text)
{
	char value[NET_ADDRESS_TEXT_BYTES];
	unsigned dns = 1;
	put(text, NET_FILE_MARK);
	put(text, "HWADDR=%s\n", net_mac_format(change->nic->mac, value));
	put(text, "DEVICE=%s\n", change->nic->name);
	put(text, "BOOTPROTO=%s\n", change->wanted[NET_IPV4].dhcp ? "dhcp" : "none");
	ifcfg_ipv4(text, &change->wanted[NET_IPV4]);
	ifcfg_ipv6(text, &change->wanted[NET_IPV6]);
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		const struct net_family_settings *settings = &change->wanted[family];
		for (uint32_t i = 0; i < settings->dns_count; i++) {
			net_address_format(family, &settings->dns[i], value);
			put(text, "DNS%u=%s\n", dns++, value);
		}
	}
}

/* ---- NetworkManager's format. */

static void list_put(struct text *text, const char *name, enum net_family family,
	const struct net_address *list, uint32_t count)
{
	char value[NET_ADDRESS_TEXT_BYTES];
	for (uint32_t i = 0; i < count; i++)
		put(text, "%s%s%s", i == 0 ? name : "", i == 0 ? "=" : ",",
			net_address_format(family, &list[i], value));
	if (count > 0)
		put(text, "\n");
}

static const char *method_of(const struct net_change *change, enum net_family family)
{
	if (change->wanted[family].address_count > 0)
		return "manual";
	if (family == NET_IPV4)
		return change->wanted[family].dhcp ? "auto" : "disabled";
	return "auto";
}

static void profile_make(const struct net_change *change, struct text *text)
{
	char value[NET_PREFIX_TEXT_BYTES];
	put(text, NET_FILE_MARK);
	put(text, "\n[connection]\ninterface-name=%s\n", change->nic->name);
	put(text, "\n[ethernet]\nmac-address=%s\n", net_mac_format(change->nic->mac, value));
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		const struct net_family_settings *settings = &change->wanted[family];
		put(text, "\n[%s]\n", family == NET_IPV4 ? "ipv4" : "ipv6");
		for (uint32_t i = 0; i < settings->address_count; i++)
			put(text, "address%u=%s\n", i + 1,
				net_prefix_format(family, &settings->addresses[i], value));
		put(text, "method=%s\n", method_of(change, family));
		list_put(text, "gateway", family, settings->gateways, settings->gateway_count);
		list_put(text, "dns", family, settings->dns, settings->dns_count);
	}
}

/* ---- Both files, and the script. */

static int file_write(struct net_change *change, const char *path,
	void (*make)(const struct net_change *change, struct text *text))
{
	struct text text = {.bytes = malloc(TEXT_BYTES)};
	if (text.bytes == NULL)
		return -ENOMEM;
	make(change, &text);
	int error = text.is_full ? -EFBIG
				 : net_files_write(&change->files, path, text.bytes, text.len);
	free(text.bytes);
	return error;
}

static int apply(struct net_change *change)
{
	char script[PATH_MAX];
	char ifcfg[64], profile[64];
	char full_ifcfg[PATH_MAX], full_profile[PATH_MAX];
	char output[128] = "";
	if (!script_find(change, script))
		return net_change_failed(change, -ENOENT, "there is no script hv_set_ifconfig");
	snprintf(ifcfg, sizeof ifcfg, FILES_DIR "/ifcfg-%.15s", change->nic->name);
	snprintf(profile, sizeof profile, FILES_DIR "/%.15s.nmconnection", change->nic->name);
	int error = file_write(change, ifcfg, ifcfg_make);
	if (error == 0)
		error = file_write(change, profile, profile_make);
	if (error != 0)
		return net_change_failed(change, error, "cannot write what %s reads: %s", places[0],
			strerror(-error));
	int len = snprintf(full_ifcfg, sizeof full_ifcfg, "%s%s", change->root, ifcfg);
	int profile_len = snprintf(
		full_profile, sizeof full_profile, "%s%s", change->root, profile);
	if (len >= PATH_MAX || profile_len >= PATH_MAX)
		return net_change_failed(change, -ENAMETOOLONG, "the paths are too long");
	const char *const argv[] = {script, full_ifcfg, full_profile, NULL};
	int status = net_run(
		change->options->systemd_run, argv, SCRIPT_S, false, output, sizeof output);
	if (status != 0)
		return net_change_failed(
			change, -EIO, "hv_set_ifconfig failed (%d): %.100s", status, output);
	return 0;
}

static void undo(struct net_change *change)
{
	(void)net_files_undo(&change->files);
}

const struct net_backend net_backend_script = {
	.name = "hv_set_ifconfig",
	.is_persistent = true,
	.is_in_charge = is_in_charge,
	.apply = apply,
	.undo = undo,
};
