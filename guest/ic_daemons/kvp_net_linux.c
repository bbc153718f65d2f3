// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses of the protocol and of this system. See kvp_net_linux.h.
 */
#include "guest/ic_daemons/kvp_net_linux.h"

#include <string.h>

static const uint8_t family_of[NET_FAMILY_COUNT] = {
	[NET_IPV4] = KVP_FAMILY_IPV4,
	[NET_IPV6] = KVP_FAMILY_IPV6,
};

/* "{f8615163-df3e-46c5-913f-f2d2f965ed0e}", or without the braces. */
static bool adapter_guid(const char *adapter, struct guid *guid)
{
	char text[GUID_TEXT_BYTES];
	size_t length = strlen(adapter);
	if (length == GUID_TEXT_BYTES + 1 && adapter[0] == '{' && adapter[length - 1] == '}') {
		adapter++;
		length -= 2;
	}
	if (length != GUID_TEXT_BYTES - 1)
		return false;
	memcpy(text, adapter, length);
	text[length] = '\0';
	return guid_parse(text, guid) == 0;
}

static bool has_addresses(const struct net_interface *interface)
{
	return interface->families[NET_IPV4].address_count > 0 ||
	       interface->families[NET_IPV6].address_count > 0;
}

const struct net_interface *kvp_net_find(
	const struct net_interface *list, size_t count, const char *adapter)
{
	struct guid guid;
	uint8_t mac[NET_MAC_BYTES];
	if (adapter_guid(adapter, &guid))
		return net_info_find_guid(list, count, &guid);
	if (net_mac_parse(adapter, mac) != 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (list[i].has_mac && memcmp(list[i].mac, mac, sizeof mac) == 0 &&
			has_addresses(&list[i]))
			return &list[i];
	return net_info_find_mac(list, count, mac);
}

/* ---- Telling. */

static struct kvp_address address_make(enum net_family family, const struct net_address *from)
{
	struct kvp_address address = {
		.family = family_of[family],
		.prefix = KVP_PREFIX_UNKNOWN,
		.origin = KVP_ORIGIN_UNKNOWN,
	};
	memcpy(address.bytes, from->bytes, NET_FAMILY_BYTES(family));
	return address;
}

static uint8_t origin_make(uint8_t origin)
{
	switch (origin) {
	case NET_ORIGIN_STATIC:
		return KVP_ORIGIN_STATIC;
	case NET_ORIGIN_DHCP:
	case NET_ORIGIN_OTHER:
		return KVP_ORIGIN_OTHER;
	default:
		return KVP_ORIGIN_UNKNOWN;
	}
}

_Static_assert(NET_ADDRESSES_MAX <= KVP_ADDRESSES_MAX && NET_GATEWAYS_MAX <= KVP_GATEWAYS_MAX &&
		       NET_DNS_MAX <= KVP_ADDRESSES_MAX,
	"what an interface can have fits into a message");

void kvp_net_describe(const struct net_interface *interface, struct kvp_ip *ip)
{
	ip->family = KVP_FAMILY_NONE;
	ip->is_dhcp = interface->families[NET_IPV4].dhcp;
	ip->unreadable = 0;
	ip->address_count = 0;
	ip->gateway_count = 0;
	ip->dns_count = 0;
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		const struct net_family_settings *from = &interface->families[family];
		if (from->address_count > 0)
			ip->family = (uint8_t)(ip->family | family_of[family]);
		for (uint32_t i = 0; i < from->address_count; i++) {
			struct kvp_address *to = &ip->addresses[ip->address_count++];
			*to = address_make(family, &from->addresses[i].address);
			to->prefix = from->addresses[i].bits;
			to->origin = origin_make(from->addresses[i].origin);
		}
		for (uint32_t i = 0; i < from->gateway_count; i++)
			ip->gateways[ip->gateway_count++] = address_make(
				family, &from->gateways[i]);
		for (uint32_t i = 0; i < from->dns_count; i++)
			ip->dns[ip->dns_count++] = address_make(family, &from->dns[i]);
	}
}

/* ---- Asking. */

static struct net_address address_take(const struct kvp_address *from)
{
	struct net_address address = {{0}};
	memcpy(address.bytes, from->bytes, from->family == KVP_FAMILY_IPV4 ? 4 : 16);
	return address;
}

static const char *addresses_take(
	const struct kvp_ip *ip, uint8_t family, struct net_family_settings *settings)
{
	for (uint16_t i = 0; i < ip->address_count; i++) {
		const struct kvp_address *from = &ip->addresses[i];
		if (from->family != family)
			continue;
		if (from->prefix == KVP_PREFIX_UNKNOWN)
			return "an address has no subnet";
		if (settings->address_count == NET_ADDRESSES_MAX)
			return "too many addresses";
		settings->addresses[settings->address_count++] = (struct net_prefix){
			.address = address_take(from),
			.bits = from->prefix,
			.origin = NET_ORIGIN_STATIC,
		};
	}
	return NULL;
}

/* Addresses of one family of a list. False: more than there is room for. */
static bool list_take(const struct kvp_address *from, uint16_t from_count, uint8_t family,
	struct net_address *to, uint32_t *to_count, uint32_t max)
{
	for (uint16_t i = 0; i < from_count; i++) {
		if (from[i].family != family)
			continue;
		if (*to_count == max)
			return false;
		to[(*to_count)++] = address_take(&from[i]);
	}
	return true;
}

static const char *family_take(
	const struct kvp_ip *ip, enum net_family family, struct net_request *request)
{
	struct net_family_settings *settings = &request->families[family];
	uint8_t wire_family = family_of[family];
	const char *wrong = NULL;
	settings->dhcp = family == NET_IPV4 && ip->is_dhcp && ip->family != KVP_FAMILY_IPV6;
	if (!settings->dhcp)
		wrong = addresses_take(ip, wire_family, settings);
	if (wrong != NULL)
		return wrong;
	if (!settings->dhcp &&
		!list_take(ip->gateways, ip->gateway_count, wire_family, settings->gateways,
			&settings->gateway_count, NET_GATEWAYS_MAX))
		return "too many gateways";
	if (!list_take(ip->dns, ip->dns_count, wire_family, settings->dns, &settings->dns_count,
		    NET_DNS_MAX))
		return "too many name servers";
	request->sets[family] = settings->dhcp || settings->address_count > 0;
	if (!request->sets[family] && settings->gateway_count + settings->dns_count > 0)
		return "gateways or name servers of a family without an address";
	return NULL;
}

const char *kvp_net_request(const struct kvp_ip *ip, struct net_request *request)
{
	memset(request, 0, sizeof *request);
	request->has_guid = adapter_guid(ip->adapter, &request->guid);
	if (!request->has_guid && net_mac_parse(ip->adapter, request->mac) != 0)
		return "the adapter is neither a GUID nor a MAC";
	if (ip->unreadable > 0)
		return "something in the lists is no address";
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		const char *wrong = family_take(ip, family, request);
		if (wrong != NULL)
			return wrong;
	}
	if (!request->sets[NET_IPV4] && !request->sets[NET_IPV6])
		return "neither an address nor DHCP";
	return net_config_check(request);
}
