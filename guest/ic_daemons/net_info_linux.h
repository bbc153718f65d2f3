// SPDX-License-Identifier: Apache-2.0
/*
 * The network interfaces of the Linux system that this runs in:
 *
 *	rtnetlink			names, MACs, addresses, default routes
 *	sysfs				the VMBus instance of a synthetic adapter
 *	systemd-networkd, -resolved,
 *	resolv.conf			name servers; who speaks DHCP
 *
 *	static struct net_interface list[NET_INTERFACES_MAX];
 *	size_t count;
 *	if (net_info_read(NULL, list, NET_INTERFACES_MAX, &count) == 0)
 *		nic = net_info_find_guid(list, count, &guid);
 *
 * Needs no privilege: AF_NETLINK, and reading below /sys, /etc and /run. No process is started.
 * What the kernel or a manager's file says beyond the bounds of net_address.h is left out.
 *
 * An interface counts as configured by DHCP if the kernel has an IPv4 address with a lifetime,
 * an IPv6 address of full length with one, a route whose protocol is DHCP, or a manager's lease
 * or client (systemd-networkd, dhclient, dhcpcd) is there. Name servers are those that a manager
 * has for the interface; if there are none, the system's.
 *
 * Threads: none of its own; a list belongs to its caller.
 * Sources: rtnetlink(7), Documentation/ABI/stable/sysfs-bus-vmbus, resolv.conf(5).
 */
#ifndef GUEST_IC_DAEMONS_NET_INFO_LINUX_H
#define GUEST_IC_DAEMONS_NET_INFO_LINUX_H

#include "guest/ic_daemons/net_address.h"

#define NET_INTERFACES_MAX 64u

struct net_interface {
	char name[NET_NAME_BYTES];
	int index; /* the kernel's */
	bool is_loopback;
	bool is_up;
	bool has_carrier;
	bool has_mac;
	uint8_t mac[NET_MAC_BYTES];
	bool has_guid;	  /* a synthetic adapter */
	struct guid guid; /* its VMBus instance */
	struct net_family_settings families[NET_FAMILY_COUNT];
	uint32_t metrics[NET_FAMILY_COUNT][NET_GATEWAYS_MAX]; /* of the gateways */
};

/* Where files are read; NULL in either is the system's own. */
struct net_info_roots {
	const char *sysfs; /* in place of "/sys" */
	const char *root;  /* before "/etc/…" and "/run/…" */
};

/*
 * Read all interfaces of this network namespace, loopback included, in the kernel's order, at
 * most `capacity` of them. `roots` may be NULL. Returns 0 and *count, or a negative errno of
 * the netlink socket. Missing or strange files are no error.
 */
int net_info_read(const struct net_info_roots *roots, struct net_interface *list, size_t capacity,
	size_t *count);

/* The interface of this VMBus instance, MAC or name, or NULL. */
const struct net_interface *net_info_find_guid(
	const struct net_interface *list, size_t count, const struct guid *guid);
const struct net_interface *net_info_find_mac(
	const struct net_interface *list, size_t count, const uint8_t mac[NET_MAC_BYTES]);
const struct net_interface *net_info_find_name(
	const struct net_interface *list, size_t count, const char *name);

#endif
