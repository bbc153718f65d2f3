// SPDX-License-Identifier: Apache-2.0
/*
 * What a network interface has, as plain typed values: the words that reading
 * (net_info_linux.h), changing (net_config_linux.h) and the key-value component share.
 *
 * Counts are those of the protocol's IP messages: 64 addresses, 5 gateways and 64 name
 * servers of each family. Everything is a plain value without pointers; copy it freely.
 *
 * Threads: everything here is pure; call from anywhere.
 * Sources: protocol/kvp.md (IP messages); RFC 4291 and RFC 5952 for IPv6 text.
 */
#ifndef GUEST_IC_DAEMONS_NET_ADDRESS_H
#define GUEST_IC_DAEMONS_NET_ADDRESS_H

#include "protocol/guid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_ADDRESSES_MAX 64u /* of one family and interface */
#define NET_GATEWAYS_MAX  5u
#define NET_DNS_MAX	  64u

#define NET_NAME_BYTES	       16u /* of an interface, with its NUL */
#define NET_MAC_BYTES	       6u
#define NET_MAC_TEXT_BYTES     18u /* "00:15:5D:01:02:03" and a NUL */
#define NET_ADDRESS_TEXT_BYTES 46u /* the longest IPv6 address and a NUL */
#define NET_PREFIX_TEXT_BYTES  50u /* with "/128" */

enum net_family { NET_IPV4, NET_IPV6, NET_FAMILY_COUNT };

/* Bits of an address: 32 or 128. */
#define NET_FAMILY_BITS(family)	 ((family) == NET_IPV4 ? 32u : 128u)
#define NET_FAMILY_BYTES(family) (NET_FAMILY_BITS(family) / 8)

/* An address in network order. An IPv4 address is the first four bytes, the others 0. */
struct net_address {
	uint8_t bytes[16];
};

/* Where an address is from. */
enum net_origin {
	NET_ORIGIN_UNKNOWN,
	NET_ORIGIN_OTHER, /* link-local, router advertisement, … */
	NET_ORIGIN_DHCP,
	NET_ORIGIN_STATIC,
};

/* An address and the length of its network's prefix. */
struct net_prefix {
	struct net_address address;
	uint8_t bits;	/* 0 … NET_FAMILY_BITS */
	uint8_t origin; /* enum net_origin */
};

/* All that an interface has, or is to have, of one family. */
struct net_family_settings {
	bool dhcp; /* addresses come from DHCP */
	uint32_t address_count;
	uint32_t gateway_count;
	uint32_t dns_count;
	struct net_prefix addresses[NET_ADDRESSES_MAX];
	struct net_address gateways[NET_GATEWAYS_MAX]; /* of default routes, the preferred first */
	struct net_address dns[NET_DNS_MAX];
};

/* True if both are the same bytes. */
bool net_address_equal(const struct net_address *a, const struct net_address *b);

/* True if the first `bits` bits of both are the same: both on one link. */
bool net_address_same_prefix(
	const struct net_address *a, const struct net_address *b, unsigned bits);

/* True if all bytes are 0. */
bool net_address_is_zero(const struct net_address *address);

/* True for fe80::/10 or 169.254.0.0/16. */
bool net_address_is_link_local(enum net_family family, const struct net_address *address);

/*
 * The prefix length that an IPv4 netmask says ("255.255.255.0" as bytes), or -1 if its ones
 * are not all at its beginning.
 */
int net_mask_bits(const struct net_address *mask);

/* The IPv4 netmask of a prefix length of at most 32. */
struct net_address net_mask_from_bits(unsigned bits);

/*
 * Read the text of an address: dotted decimal of four parts without leading zeros, or IPv6
 * text without a zone; nothing before or after it. Returns 0, or -VIRIDIAN_EINVAL with
 * *address untouched.
 */
int net_address_parse(enum net_family family, const char *text, struct net_address *address);

/* Write the text of an address (RFC 5952 for IPv6); returns `text`. */
char *net_address_format(enum net_family family, const struct net_address *address,
	char text[NET_ADDRESS_TEXT_BYTES]);

/*
 * Read "ADDRESS/BITS", the bits in decimal without leading zeros and in range. The origin is
 * NET_ORIGIN_STATIC. Returns 0, or -VIRIDIAN_EINVAL with *prefix untouched.
 */
int net_prefix_parse(enum net_family family, const char *text, struct net_prefix *prefix);

/* Write "ADDRESS/BITS"; returns `text`. */
char *net_prefix_format(
	enum net_family family, const struct net_prefix *prefix, char text[NET_PREFIX_TEXT_BYTES]);

/*
 * Read "00:15:5D:01:02:03", either case, all six pairs separated by ':' (or all by '-').
 * Returns 0, or -VIRIDIAN_EINVAL with `mac` untouched.
 */
int net_mac_parse(const char *text, uint8_t mac[NET_MAC_BYTES]);

/* Write the upper-case form with ':' that hosts send; returns `text`. */
char *net_mac_format(const uint8_t mac[NET_MAC_BYTES], char text[NET_MAC_TEXT_BYTES]);

/*
 * True if `name` is an interface's that may go into files: 1 to 15 letters, digits, '.', '_'
 * and '-', the first a letter or digit. The kernel allows more; this does not.
 */
bool net_name_is_valid(const char *name);

#endif
