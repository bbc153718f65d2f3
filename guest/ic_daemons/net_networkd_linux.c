// SPDX-License-Identifier: Apache-2.0
/*
 * Back end for systemd-networkd: one .network file for the interface, before all others, and a
 * reload. What other files say of the interface then counts no more; they are left as they are.
 * Where /etc cannot be written, the file goes to /run and lasts until the next boot.
 *
 * Sources: systemd.network(5), org.freedesktop.network1(5).
 */
#ifdef VIRIDIAN_HAVE_SYSTEMD

#include "guest/ic_daemons/net_backend_linux.h"

#include "guest/ic_daemons/net_bus_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE	  "org.freedesktop.network1"
#define OBJECT	  "/org/freedesktop/network1"
#define INTERFACE "org.freedesktop.network1.Manager"

/* What networkd itself says of the link, if it runs. */
static bool is_in_charge(struct net_change *change)
{
	char path[64];
	size_t len;
	snprintf(path, sizeof path, "/run/systemd/netif/links/%d", change->nic->index);
	char *text = net_file_read(change->root, path, &len);
	bool is_managed = text && strstr(text, "ADMIN_STATE=") &&
			  !strstr(text, "ADMIN_STATE=unmanaged\n");
	free(text);
	return is_managed && net_bus_has(change->bus, SERVICE);
}

/* The name of a link can change with the next boot, a VF has its synthetic adapter's MAC. */
static void print_match(FILE *out, const struct net_change *change)
{
	char mac[NET_MAC_TEXT_BYTES];
	fprintf(out, "[Match]\n");
	if (change->nic->has_mac)
		fprintf(out, "MACAddress=%s\n", net_mac_format(change->nic->mac, mac));
	if (change->nic->has_guid && change->nic->has_mac)
		fprintf(out, "Driver=hv_netvsc\n");
	else
		fprintf(out, "Name=%s\n", change->nic->name);
}

static void print_family(FILE *out, const struct net_change *change, enum net_family family)
{
	const struct net_family_settings *wanted = &change->wanted[family];
	char text[NET_PREFIX_TEXT_BYTES];
	for (uint32_t i = 0; i < wanted->address_count; i++)
		fprintf(out, "Address=%s\n",
			net_prefix_format(family, &wanted->addresses[i], text));
	for (uint32_t i = 0; i < wanted->gateway_count; i++)
		fprintf(out, "Gateway=%s\n",
			net_address_format(family, &wanted->gateways[i], text));
	for (uint32_t i = 0; i < wanted->dns_count; i++)
		fprintf(out, "DNS=%s\n", net_address_format(family, &wanted->dns[i], text));
}

static void print_file(FILE *out, const struct net_change *change)
{
	static const char *const dhcp_words[] = {"no", "ipv4", "ipv6", "yes"};
	bool dhcp4 = change->modes[NET_IPV4] == NET_MODE_DHCP;
	bool dhcp6 = change->modes[NET_IPV6] == NET_MODE_DHCP;

	fprintf(out, "%s", NET_FILE_MARK);
	print_match(out, change);
	fprintf(out, "\n[Network]\nDHCP=%s\n", dhcp_words[dhcp4 | dhcp6 << 1]);
	if (change->modes[NET_IPV6] != NET_MODE_AUTO)
		fprintf(out, "IPv6AcceptRA=%s\n", dhcp6 ? "yes" : "no");
	print_family(out, change, NET_IPV4);
	print_family(out, change, NET_IPV6);
	if (dhcp4 && change->wanted[NET_IPV4].dns_count > 0)
		fprintf(out, "\n[DHCPv4]\nUseDNS=no\n");
	if (dhcp6 && change->wanted[NET_IPV6].dns_count > 0)
		fprintf(out, "\n[DHCPv6]\nUseDNS=no\n\n[IPv6AcceptRA]\nUseDNS=no\n");
}

/* Read the files anew, and apply the one that matches the link now. */
static int reload(struct net_change *change)
{
	char why[NET_CONFIG_ANSWER_MAX];
	int error = net_bus_call(
		change->bus, why, sizeof why, SERVICE, OBJECT, INTERFACE, "Reload", "");
	if (error == 0)
		error = net_bus_call(change->bus, why, sizeof why, SERVICE, OBJECT, INTERFACE,
			"ReconfigureLink", "i", change->nic->index);
	return error == 0 ? 0
			  : net_change_failed(change, error,
				    "systemd-networkd does not take the new settings: %.120s", why);
}

static int apply(struct net_change *change)
{
	char *text = NULL;
	size_t len = 0;
	char path[128];
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return net_change_failed(change, -ENOMEM, "out of memory");
	print_file(out, change);
	if (fclose(out) != 0) {
		free(text);
		return net_change_failed(change, -ENOMEM, "out of memory");
	}
	snprintf(path, sizeof path, "/etc/systemd/network/00-viridian-%s.network",
		change->nic->name);
	int error = net_files_write(&change->files, path, text, len);
	if (error == -EROFS) {
		change->is_volatile = true;
		snprintf(path, sizeof path, "/run/systemd/network/00-viridian-%s.network",
			change->nic->name);
		error = net_files_write(&change->files, path, text, len);
	}
	free(text);
	if (error != 0)
		return net_change_failed(
			change, error, "cannot write %s: %s", path, strerror(-error));
	return reload(change);
}

static void undo(struct net_change *change)
{
	char why[NET_CONFIG_ANSWER_MAX];
	memcpy(why, change->error, sizeof why);
	if (net_files_undo(&change->files) == 0)
		reload(change);
	memcpy(change->error, why, sizeof why);
}

const struct net_backend net_backend_networkd = {
	.name = "systemd-networkd",
	.is_persistent = true,
	.is_in_charge = is_in_charge,
	.apply = apply,
	.undo = undo,
};

#endif
