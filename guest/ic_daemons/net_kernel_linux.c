// SPDX-License-Identifier: Apache-2.0
/*
 * Back end for a system without a manager that we know: addresses and default routes go straight
 * into the kernel by rtnetlink, until the next boot or until something else changes them. DHCP
 * needs a client and is refused. Router advertisements stay as they are; name servers go into
 * /etc/resolv.conf.
 *
 * Sources: rtnetlink(7), netlink(7).
 */
#include "guest/ic_daemons/net_backend_linux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#define MESSAGE_BYTES 8192
#define FIRST_METRIC  100u /* of the first gateway; the others follow */

/* One series of changes; the first failure is kept, nothing is sent after it. */
struct changes {
	struct mnl_socket *socket;
	uint32_t seq;
	uint32_t index; /* of the interface */
	int error;
};

static struct nlmsghdr *begin(struct changes *changes, char *bytes, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	message->nlmsg_seq = ++changes->seq;
	return message;
}

/* Send and wait for the kernel's verdict; `fine` is an error that is none. */
static void send_message(struct changes *changes, const struct nlmsghdr *message, int fine)
{
	char bytes[MESSAGE_BYTES];
	if (changes->error != 0)
		return;
	if (mnl_socket_sendto(changes->socket, message, message->nlmsg_len) < 0) {
		changes->error = -errno;
		return;
	}
	int verdict = MNL_CB_OK;
	while (verdict > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(changes->socket, bytes, sizeof bytes);
		verdict = got < 0 ? -1
				  : mnl_cb_run(bytes, (size_t)got, changes->seq,
					    mnl_socket_get_portid(changes->socket), NULL, NULL);
	}
	if (verdict < 0 && errno != fine)
		changes->error = -errno;
}

static void put_address(struct nlmsghdr *message, uint16_t type, enum net_family family,
	const struct net_address *address)
{
	mnl_attr_put(message, type, NET_FAMILY_BYTES(family), address->bytes);
}

static void change_address(
	struct changes *changes, bool adds, enum net_family family, const struct net_prefix *prefix)
{
	char bytes[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message = begin(changes, bytes, adds ? RTM_NEWADDR : RTM_DELADDR,
		adds ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);
	header->ifa_family = family == NET_IPV4 ? AF_INET : AF_INET6;
	header->ifa_prefixlen = prefix->bits;
	header->ifa_index = changes->index;
	put_address(message, IFA_LOCAL, family, &prefix->address);
	put_address(message, IFA_ADDRESS, family, &prefix->address);
	if (adds && family == NET_IPV4 && prefix->bits <= 30) {
		struct net_address broadcast = prefix->address;
		struct net_address mask = net_mask_from_bits(prefix->bits);
		for (int i = 0; i < 4; i++)
			broadcast.bytes[i] |= mask.bytes[i] ^ 0xff;
		put_address(message, IFA_BROADCAST, family, &broadcast);
	}
	send_message(changes, message, adds ? EEXIST : EADDRNOTAVAIL);
}

static void change_gateway(struct changes *changes, bool adds, enum net_family family,
	const struct net_address *gateway, uint32_t metric)
{
	char bytes[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message = begin(changes, bytes, adds ? RTM_NEWROUTE : RTM_DELROUTE,
		adds ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);
	header->rtm_family = family == NET_IPV4 ? AF_INET : AF_INET6;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = adds ? RTPROT_STATIC : RTPROT_UNSPEC;
	header->rtm_scope = adds ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
	header->rtm_type = adds ? RTN_UNICAST : RTN_UNSPEC;
	put_address(message, RTA_GATEWAY, family, gateway);
	mnl_attr_put_u32(message, RTA_OIF, changes->index);
	if (adds)
		mnl_attr_put_u32(message, RTA_PRIORITY, metric);
	send_message(changes, message, adds ? EEXIST : ESRCH);
}

static void bring_up(struct changes *changes)
{
	char bytes[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message = begin(changes, bytes, RTM_NEWLINK, 0);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);
	header->ifi_family = AF_UNSPEC;
	header->ifi_index = (int)changes->index;
	header->ifi_flags = IFF_UP;
	header->ifi_change = IFF_UP;
	send_message(changes, message, 0);
}

/* True if this very address is among those that shall be. */
static bool is_wanted(const struct net_family_settings *wanted, const struct net_prefix *prefix)
{
	for (uint32_t i = 0; i < wanted->address_count; i++)
		if (wanted->addresses[i].bits == prefix->bits &&
			net_address_equal(&wanted->addresses[i].address, &prefix->address))
			return true;
	return false;
}

/*
 * From what is to what shall be, with these metrics or (NULL) ours. Link-local IPv6 addresses are
 * the kernel's own.
 */
static void set_family(struct changes *changes, enum net_family family,
	const struct net_family_settings *have, const struct net_family_settings *wanted,
	const uint32_t metrics[NET_GATEWAYS_MAX])
{
	for (uint32_t i = 0; i < have->gateway_count; i++)
		change_gateway(changes, false, family, &have->gateways[i], 0);
	for (uint32_t i = 0; i < have->address_count; i++) {
		const struct net_prefix *prefix = &have->addresses[i];
		bool is_kernels = family == NET_IPV6 &&
				  net_address_is_link_local(family, &prefix->address);
		if (!is_kernels && !is_wanted(wanted, prefix))
			change_address(changes, false, family, prefix);
	}
	/* All of them: an address may have gone together with another of its network. */
	for (uint32_t i = 0; i < wanted->address_count; i++)
		change_address(changes, true, family, &wanted->addresses[i]);
	for (uint32_t i = 0; i < wanted->gateway_count; i++)
		change_gateway(changes, true, family, &wanted->gateways[i],
			metrics ? metrics[i] : FIRST_METRIC + i);
}

/* The families that the request sets become as in `wanted`. */
static int set_all(struct net_change *change, const struct net_family_settings *wanted,
	const uint32_t metrics[][NET_GATEWAYS_MAX])
{
	static struct net_interface list[NET_INTERFACES_MAX];
	size_t count;
	struct changes changes = {
		.index = (uint32_t)change->nic->index, .seq = (uint32_t)time(NULL)};
	struct net_info_roots roots = {change->options->sysfs, change->options->root};
	int error = net_info_read(&roots, list, NET_INTERFACES_MAX, &count);
	const struct net_interface *now = net_info_find_name(list, count, change->nic->name);
	if (error != 0 || !now)
		return error != 0 ? error : -ENODEV;
	changes.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!changes.socket)
		return -errno;
	if (mnl_socket_bind(changes.socket, 0, MNL_SOCKET_AUTOPID) < 0)
		changes.error = -errno;
	bring_up(&changes);
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++)
		if (change->request->sets[family])
			set_family(&changes, family, &now->families[family], &wanted[family],
				metrics ? metrics[family] : NULL);
	mnl_socket_close(changes.socket);
	return changes.error;
}

static bool is_in_charge(struct net_change *change)
{
	(void)change;
	return true;
}

static int apply(struct net_change *change)
{
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		if (!change->request->sets[family])
			continue;
		if (change->modes[family] == NET_MODE_DHCP)
			return net_change_failed(
				change, -ENOTSUP, "no manager of networks runs that could do DHCP");
	}
	change->has_begun = true;
	int error = net_change_resolv_conf(change);
	if (error != 0)
		return net_change_failed(change, error, "cannot write /etc/resolv.conf: %s",
			error == -ELOOP ? "it is a link, another program's" : strerror(-error));
	error = set_all(change, change->wanted, NULL);
	if (error != 0)
		net_change_failed(change, error, "the kernel refused: %s", strerror(-error));
	return error;
}

static void undo(struct net_change *change)
{
	if (!change->has_begun)
		return;
	net_files_undo(&change->files);
	set_all(change, change->nic->families, change->nic->metrics);
}

const struct net_backend net_backend_kernel = {
	.name = "kernel",
	.is_persistent = false,
	.is_in_charge = is_in_charge,
	.apply = apply,
	.undo = undo,
};
