// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a request to change an interface makes sense: see net_config_linux.h. Freestanding.
 */
#include "guest/ic_daemons/net_config_linux.h"

#include <string.h>

/* Can one host have this address, whatever the prefix? */
static bool is_unicast(enum net_family family, const struct net_address *address)
{
	static const uint8_t low[10];
	const uint8_t *b = address->bytes;
	if (family == NET_IPV4)
		return b[0] != 0 && b[0] != 127 && b[0] < 224;
	/* Below 0.0.0.0.0.0.0.1: unspecified, loopback, and what embeds an IPv4 address. */
	return b[0] != 0xff && memcmp(b, low, sizeof low) != 0;
}

/* The first or the last address of an IPv4 network of more than two. */
static bool is_network_or_broadcast(const struct net_prefix *prefix)
{
	if (prefix->bits > 30)
		return false;
	struct net_address mask = net_mask_from_bits(prefix->bits);
	bool zeros = true;
	bool ones = true;
	for (int i = 0; i < 4; i++) {
		uint8_t free = mask.bytes[i] ^ 0xff;
		uint8_t host = prefix->address.bytes[i] & free;
		zeros = zeros && host == 0;
		ones = ones && host == free;
	}
	return zeros || ones;
}

/* An IPv4 address has nothing after its four bytes. */
static bool is_tidy(enum net_family family, const struct net_address *address)
{
	static const uint8_t zero[12];
	return family == NET_IPV6 || memcmp(address->bytes + 4, zero, sizeof zero) == 0;
}

static const char *check_address(
	enum net_family family, const struct net_family_settings *settings, uint32_t which)
{
	const struct net_prefix *prefix = &settings->addresses[which];
	if (!is_tidy(family, &prefix->address) || !is_unicast(family, &prefix->address))
		return "an address is not that of one host";
	if (prefix->bits == 0 || prefix->bits > NET_FAMILY_BITS(family))
		return "a prefix length is out of range";
	if (family == NET_IPV4 && is_network_or_broadcast(prefix))
		return "an address is that of its network or of all its hosts";
	for (uint32_t i = 0; i < which; i++)
		if (net_address_equal(&settings->addresses[i].address, &prefix->address))
			return "an address is given twice";
	return NULL;
}

static const char *check_gateway(
	enum net_family family, const struct net_family_settings *settings, uint32_t which)
{
	const struct net_address *gateway = &settings->gateways[which];
	if (!is_tidy(family, gateway) || !is_unicast(family, gateway))
		return "a gateway is not the address of one host";
	for (uint32_t i = 0; i < which; i++)
		if (net_address_equal(&settings->gateways[i], gateway))
			return "a gateway is given twice";
	bool is_near = family == NET_IPV6 && net_address_is_link_local(family, gateway);
	for (uint32_t i = 0; i < settings->address_count; i++) {
		const struct net_prefix *own = &settings->addresses[i];
		if (net_address_equal(&own->address, gateway))
			return "a gateway is one of the interface's own addresses";
		is_near = is_near || net_address_same_prefix(&own->address, gateway, own->bits);
	}
	return is_near ? NULL : "a gateway is on the network of none of the addresses";
}

static const char *check_dns(
	enum net_family family, const struct net_family_settings *settings, uint32_t which)
{
	const struct net_address *server = &settings->dns[which];
	if (!is_tidy(family, server) || !is_unicast(family, server) ||
		net_address_is_link_local(family, server))
		return "a name server's address is not that of one host";
	for (uint32_t i = 0; i < which; i++)
		if (net_address_equal(&settings->dns[i], server))
			return "a name server is given twice";
	return NULL;
}

static const char *check_family(enum net_family family, const struct net_family_settings *settings)
{
	const char *wrong = NULL;
	if (settings->address_count > NET_ADDRESSES_MAX)
		return "more than 64 addresses of a family";
	if (settings->gateway_count > NET_GATEWAYS_MAX)
		return "more than 5 gateways of a family";
	if (settings->dns_count > NET_DNS_MAX)
		return "more than 64 name servers of a family";
	if (settings->dhcp && settings->address_count + settings->gateway_count > 0)
		return "addresses or gateways together with DHCP";
	if (!settings->dhcp && settings->address_count == 0)
		return "neither DHCP nor an address";
	for (uint32_t i = 0; !wrong && i < settings->address_count; i++)
		wrong = check_address(family, settings, i);
	for (uint32_t i = 0; !wrong && i < settings->gateway_count; i++)
		wrong = check_gateway(family, settings, i);
	for (uint32_t i = 0; !wrong && i < settings->dns_count; i++)
		wrong = check_dns(family, settings, i);
	return wrong;
}

const char *net_config_check(const struct net_request *request)
{
	const char *wrong = NULL;
	if (!request->sets[NET_IPV4] && !request->sets[NET_IPV6])
		return "neither IPv4 nor IPv6 is to be set";
	for (enum net_family family = NET_IPV4; !wrong && family < NET_FAMILY_COUNT; family++)
		if (request->sets[family])
			wrong = check_family(family, &request->families[family]);
	return wrong;
}
