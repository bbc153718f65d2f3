// SPDX-License-Identifier: Apache-2.0
/*
 * Interfaces, addresses and default routes by rtnetlink: see net_info_linux.h. What files say
 * (the VMBus instance, name servers, DHCP) is net_info_files_linux.c's.
 */
#include "guest/ic_daemons/net_info_linux.h"

#include "guest/ic_daemons/net_info_internal_linux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <time.h>

#define DUMP_TRIES 4 /* one that changed meanwhile is repeated */
#define DUMP_BYTES 32768

/* One reading of the system. */
struct net_reading {
	struct net_interface *list; /* borrowed */
	size_t capacity;
	size_t count;
};

/* Addresses and numbers of a message, by attribute. */
struct net_attributes {
	const struct nlattr *at[RTA_MAX + 1 > IFLA_MAX + 1 ? RTA_MAX + 1 : IFLA_MAX + 1];
};

static int keep_attribute(const struct nlattr *attribute, void *data)
{
	struct net_attributes *all = data;
	uint16_t type = mnl_attr_get_type(attribute);
	if (type < sizeof all->at / sizeof all->at[0])
		all->at[type] = attribute;
	return MNL_CB_OK;
}

/* A number, or `otherwise` where it is missing or short. */
static uint32_t attribute_u32(const struct net_attributes *all, int type, uint32_t otherwise)
{
	const struct nlattr *a = all->at[type];
	return a && mnl_attr_get_payload_len(a) >= sizeof(uint32_t) ? mnl_attr_get_u32(a)
								    : otherwise;
}

static bool attribute_address(
	const struct nlattr *a, enum net_family family, struct net_address *out)
{
	if (!a || mnl_attr_get_payload_len(a) != NET_FAMILY_BYTES(family))
		return false;
	memset(out, 0, sizeof *out);
	memcpy(out->bytes, mnl_attr_get_payload(a), NET_FAMILY_BYTES(family));
	return true;
}

static bool family_of(uint8_t linux_family, enum net_family *family)
{
	*family = linux_family == AF_INET ? NET_IPV4 : NET_IPV6;
	return linux_family == AF_INET || linux_family == AF_INET6;
}

static struct net_interface *by_index(struct net_reading *reading, uint32_t index)
{
	for (size_t i = 0; i < reading->count; i++)
		if ((uint32_t)reading->list[i].index == index)
			return &reading->list[i];
	return NULL;
}

static int on_link(const struct nlmsghdr *message, void *data)
{
	struct net_reading *reading = data;
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	struct net_attributes all = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof *link ||
		message->nlmsg_type != RTM_NEWLINK || reading->count == reading->capacity)
		return MNL_CB_OK;
	mnl_attr_parse(message, sizeof *link, keep_attribute, &all);
	const struct nlattr *name = all.at[IFLA_IFNAME];
	const struct nlattr *mac = all.at[IFLA_ADDRESS];
	if (!name || mnl_attr_validate(name, MNL_TYPE_NUL_STRING) < 0 ||
		mnl_attr_get_payload_len(name) > NET_NAME_BYTES)
		return MNL_CB_OK;

	struct net_interface *nic = &reading->list[reading->count++];
	memset(nic, 0, sizeof *nic);
	memcpy(nic->name, mnl_attr_get_str(name), strlen(mnl_attr_get_str(name)));
	nic->index = link->ifi_index;
	nic->is_loopback = link->ifi_flags & IFF_LOOPBACK;
	nic->is_up = link->ifi_flags & IFF_UP;
	nic->has_carrier = link->ifi_flags & IFF_RUNNING;
	if (mac && link->ifi_type == ARPHRD_ETHER &&
		mnl_attr_get_payload_len(mac) == NET_MAC_BYTES) {
		memcpy(nic->mac, mnl_attr_get_payload(mac), NET_MAC_BYTES);
		nic->has_mac = true;
	}
	return MNL_CB_OK;
}

/* The kernel's flags and lifetimes tell who made an address. */
static enum net_origin origin_of(enum net_family family, const struct net_prefix *prefix,
	const struct net_attributes *all, uint32_t flags)
{
	const struct nlattr *proto = all->at[IFA_PROTO];
	bool by_kernel = proto && mnl_attr_get_payload_len(proto) == 1 &&
			 mnl_attr_get_u8(proto) <= IFAPROT_KERNEL_LL &&
			 mnl_attr_get_u8(proto) >= IFAPROT_KERNEL_LO;

	if (by_kernel || net_address_is_link_local(family, &prefix->address) ||
		(flags & (IFA_F_MANAGETEMPADDR | IFA_F_STABLE_PRIVACY)))
		return NET_ORIGIN_OTHER;
	if (flags & IFA_F_PERMANENT)
		return NET_ORIGIN_STATIC;
	return family == NET_IPV4 || prefix->bits == 128 ? NET_ORIGIN_DHCP : NET_ORIGIN_OTHER;
}

static int on_address(const struct nlmsghdr *message, void *data)
{
	struct net_reading *reading = data;
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
	struct net_attributes all = {0};
	enum net_family family;

	if (mnl_nlmsg_get_payload_len(message) < sizeof *address ||
		message->nlmsg_type != RTM_NEWADDR || !family_of(address->ifa_family, &family))
		return MNL_CB_OK;
	struct net_interface *nic = by_index(reading, address->ifa_index);
	mnl_attr_parse(message, sizeof *address, keep_attribute, &all);
	uint32_t flags = attribute_u32(&all, IFA_FLAGS, address->ifa_flags);
	struct net_prefix prefix = {.bits = address->ifa_prefixlen};
	/* With a peer, IFA_LOCAL is ours and IFA_ADDRESS is the peer's. */
	const struct nlattr *own = all.at[IFA_LOCAL] ? all.at[IFA_LOCAL] : all.at[IFA_ADDRESS];
	if (!nic || (flags & IFA_F_DADFAILED) || prefix.bits > NET_FAMILY_BITS(family) ||
		!attribute_address(own, family, &prefix.address))
		return MNL_CB_OK;
	prefix.origin = (uint8_t)(nic->is_loopback ? NET_ORIGIN_OTHER
						   : origin_of(family, &prefix, &all, flags));
	struct net_family_settings *settings = &nic->families[family];
	if (settings->address_count < NET_ADDRESSES_MAX)
		settings->addresses[settings->address_count++] = prefix;
	settings->dhcp |= prefix.origin == NET_ORIGIN_DHCP;
	return MNL_CB_OK;
}

/* Gateways are kept by metric, equal ones in the kernel's order; the last falls out. */
static void add_gateway(struct net_interface *nic, enum net_family family,
	const struct net_address *gateway, uint32_t metric)
{
	struct net_family_settings *settings = &nic->families[family];
	uint32_t *metrics = nic->metrics[family];
	uint32_t at = 0;

	for (uint32_t i = 0; i < settings->gateway_count; i++)
		if (net_address_equal(&settings->gateways[i], gateway))
			return;
	while (at < settings->gateway_count && metrics[at] <= metric)
		at++;
	if (at == NET_GATEWAYS_MAX)
		return;
	if (settings->gateway_count < NET_GATEWAYS_MAX)
		settings->gateway_count++;
	for (uint32_t i = settings->gateway_count - 1; i > at; i--) {
		settings->gateways[i] = settings->gateways[i - 1];
		metrics[i] = metrics[i - 1];
	}
	settings->gateways[at] = *gateway;
	metrics[at] = metric;
}

/* A default route over several links has its hops in one attribute. */
static void add_hops(struct net_reading *reading, enum net_family family,
	const struct nlattr *multipath, uint32_t metric)
{
	const uint8_t *at = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);

	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop hop;
		memcpy(&hop, at, sizeof hop);
		if (hop.rtnh_len < sizeof hop || hop.rtnh_len > left)
			return;
		struct net_attributes all = {0};
		mnl_attr_parse_payload(
			at + sizeof hop, hop.rtnh_len - sizeof hop, keep_attribute, &all);
		struct net_interface *nic = by_index(reading, (uint32_t)hop.rtnh_ifindex);
		struct net_address gateway;
		if (nic && attribute_address(all.at[RTA_GATEWAY], family, &gateway))
			add_gateway(nic, family, &gateway, metric);
		size_t step = MNL_ALIGN(hop.rtnh_len);
		if (step >= left)
			return;
		at += step;
		left -= step;
	}
}

static int on_route(const struct nlmsghdr *message, void *data)
{
	struct net_reading *reading = data;
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	struct net_attributes all = {0};
	enum net_family family;

	if (mnl_nlmsg_get_payload_len(message) < sizeof *route ||
		message->nlmsg_type != RTM_NEWROUTE || !family_of(route->rtm_family, &family) ||
		route->rtm_type != RTN_UNICAST || (route->rtm_flags & RTM_F_CLONED))
		return MNL_CB_OK;
	mnl_attr_parse(message, sizeof *route, keep_attribute, &all);
	if (attribute_u32(&all, RTA_TABLE, route->rtm_table) != RT_TABLE_MAIN)
		return MNL_CB_OK;
	struct net_interface *nic = by_index(reading, attribute_u32(&all, RTA_OIF, 0));
	if (nic && route->rtm_protocol == RTPROT_DHCP)
		nic->families[family].dhcp = true;
	if (route->rtm_dst_len != 0)
		return MNL_CB_OK;
	uint32_t metric = attribute_u32(&all, RTA_PRIORITY, 0);
	struct net_address gateway;
	if (nic && attribute_address(all.at[RTA_GATEWAY], family, &gateway))
		add_gateway(nic, family, &gateway, metric);
	else if (all.at[RTA_MULTIPATH])
		add_hops(reading, family, all.at[RTA_MULTIPATH], metric);
	return MNL_CB_OK;
}

/* Ask for all of one kind; 0, -EINTR if it changed meanwhile, or another negative errno. */
static int dump(struct mnl_socket *socket, uint16_t type, uint8_t family, uint32_t seq,
	mnl_cb_t on_message, struct net_reading *reading)
{
	char bytes[DUMP_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = seq;
	/* The longest of the three headers; all begin with the family. */
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
	header->ifi_family = family;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;

	for (;;) {
		ssize_t got = mnl_socket_recvfrom(socket, bytes, sizeof bytes);
		if (got < 0)
			return -errno;
		int verdict = mnl_cb_run(bytes, (size_t)got, seq, mnl_socket_get_portid(socket),
			on_message, reading);
		if (verdict < 0)
			return -errno;
		if (verdict == MNL_CB_STOP)
			return 0;
	}
}

static int read_once(struct mnl_socket *socket, uint32_t *seq, struct net_reading *reading)
{
	reading->count = 0;
	int error = dump(socket, RTM_GETLINK, AF_UNSPEC, ++*seq, on_link, reading);
	if (error == 0)
		error = dump(socket, RTM_GETADDR, AF_UNSPEC, ++*seq, on_address, reading);
	if (error == 0)
		error = dump(socket, RTM_GETROUTE, AF_INET, ++*seq, on_route, reading);
	if (error == 0)
		error = dump(socket, RTM_GETROUTE, AF_INET6, ++*seq, on_route, reading);
	return error;
}

int net_info_read(const struct net_info_roots *roots, struct net_interface *list, size_t capacity,
	size_t *count)
{
	struct net_reading reading = {.list = list, .capacity = capacity};
	*count = 0;
	if (reading.capacity > NET_INTERFACES_MAX)
		reading.capacity = NET_INTERFACES_MAX;
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket)
		return -errno;

	int error = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : -EINTR;
	uint32_t seq = (uint32_t)time(NULL);
	for (int i = 0; i < DUMP_TRIES && error == -EINTR; i++)
		error = read_once(socket, &seq, &reading);
	mnl_socket_close(socket);
	if (error != 0)
		return error;
	for (size_t i = 0; i < reading.count; i++)
		net_info_read_files(roots, &list[i]);
	*count = reading.count;
	return 0;
}

const struct net_interface *net_info_find_guid(
	const struct net_interface *list, size_t count, const struct guid *guid)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].has_guid && guid_equal(&list[i].guid, guid))
			return &list[i];
	return NULL;
}

const struct net_interface *net_info_find_mac(
	const struct net_interface *list, size_t count, const uint8_t mac[NET_MAC_BYTES])
{
	const struct net_interface *found = NULL;
	for (size_t i = 0; i < count; i++) {
		if (!list[i].has_mac || memcmp(list[i].mac, mac, NET_MAC_BYTES) != 0)
			continue;
		if (list[i].has_guid)
			return &list[i];
		if (!found)
			found = &list[i];
	}
	return found;
}

const struct net_interface *net_info_find_name(
	const struct net_interface *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}
