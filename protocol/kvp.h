// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange (KVP) integration component: the host reads and writes named values that
 * are kept in the guest, in pools, and asks for and sets the addresses of its network adapters.
 * Rules: kvp.md. Framing, negotiation and status: protocol/ic.h.
 *
 *	bytes of a body  <-- codec here -->  struct kvp_item, struct kvp_ip (UTF-8, addresses)
 *
 * Pure functions over private bytes: no allocation, no state, no OS; thread-safe as far as the
 * caller's buffers are its own. The same codec serves both ends.
 */
#ifndef PROTOCOL_KVP_H
#define PROTOCOL_KVP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/ic.h"
#include "protocol/utf16.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- numbers ------------------------------------------------------------------------------ */

#define KVP_KEY_BYTES	  512u /* of the field, UTF-16, NUL included */
#define KVP_VALUE_BYTES	  2048u
#define KVP_ADAPTER_BYTES 256u

#define KVP_BODY_BYTES	  2580u /* of operations on values (R-KVP-001) */
#define KVP_IP_BODY_BYTES 7428u /* of operations on addresses */

/* Buffers for the same as UTF-8, NUL included. */
#define KVP_KEY_TEXT_BYTES     UTF16_UTF8_BYTES(KVP_KEY_BYTES / 2u - 1u)     /* 766 */
#define KVP_VALUE_TEXT_BYTES   UTF16_UTF8_BYTES(KVP_VALUE_BYTES / 2u - 1u)   /* 3070 */
#define KVP_ADAPTER_TEXT_BYTES UTF16_UTF8_BYTES(KVP_ADAPTER_BYTES / 2u - 1u) /* 382 */

#define KVP_ADDRESSES_MAX 64u /* of a family, likewise DNS servers */
#define KVP_GATEWAYS_MAX  5u  /* of a family */

/* How long a guest may take for a request, and for its daemon to come up. */
#define KVP_ANSWER_MS 30000u
#define KVP_DAEMON_MS 55000u

enum kvp_operation {
	KVP_OPERATION_GET = 0,
	KVP_OPERATION_SET = 1,
	KVP_OPERATION_DELETE = 2,
	KVP_OPERATION_ENUMERATE = 3,
	KVP_OPERATION_GET_IP = 4,
	KVP_OPERATION_SET_IP = 5,
};
#define KVP_OPERATION_COUNT 6u

enum kvp_pool {
	KVP_POOL_EXTERNAL = 0,	    /* the host's, for the guest to read */
	KVP_POOL_GUEST = 1,	    /* the guest's, for the host to read */
	KVP_POOL_AUTO = 2,	    /* what the guest says of itself: enum kvp_auto */
	KVP_POOL_AUTO_EXTERNAL = 3, /* what the host says of itself */
	KVP_POOL_INTERNAL = 4,	    /* of the guest alone: never on the wire */
};
#define KVP_POOL_COUNT 5u

/* Type of a value. */
enum kvp_type {
	KVP_TYPE_NONE = 0,	    /* in a request that carries no value */
	KVP_TYPE_STRING = 1,	    /* REG_SZ */
	KVP_TYPE_EXPAND_STRING = 2, /* REG_EXPAND_SZ */
	KVP_TYPE_U32 = 4,	    /* REG_DWORD */
	KVP_TYPE_U64 = 11,	    /* REG_QWORD */
};
#define KVP_TYPE_U64_LINUX 8u /* QUIRK: what Linux takes for a u64; no host sends it */

/* Pool 2: the keys in the order of their indices (R-KVP-007). */
enum kvp_auto {
	KVP_AUTO_DOMAIN_NAME = 0, /* FullyQualifiedDomainName */
	KVP_AUTO_SERVICES_VERSION = 1,
	KVP_AUTO_ADDRESS_IPV4 = 2,
	KVP_AUTO_ADDRESS_IPV6 = 3,
	KVP_AUTO_OS_BUILD = 4,
	KVP_AUTO_OS_NAME = 5,
	KVP_AUTO_OS_MAJOR = 6,
	KVP_AUTO_OS_MINOR = 7,
	KVP_AUTO_OS_VERSION = 8,
	KVP_AUTO_PROCESSOR = 9,
};
#define KVP_AUTO_COUNT 10u

/* Protocols that an address message is about. */
enum kvp_family {
	KVP_FAMILY_NONE = 0,
	KVP_FAMILY_IPV4 = 1,
	KVP_FAMILY_IPV6 = 2,
	KVP_FAMILY_BOTH = 3,
};

/* Where an address comes from (binary form). */
enum kvp_origin {
	KVP_ORIGIN_UNKNOWN = 0,
	KVP_ORIGIN_OTHER = 1, /* DHCP, router advertisement */
	KVP_ORIGIN_STATIC = 2,
};

/* --- wire --------------------------------------------------------------------------------- */

/* Start of every body. */
struct kvp_header_wire {
	uint8_t operation; /* enum kvp_operation */
	uint8_t pool;	   /* enum kvp_pool */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_header_wire, 2);
PROTOCOL_ASSERT_OFFSET(struct kvp_header_wire, pool, 1);

struct kvp_value_wire {
	uint32_t type;			/* enum kvp_type */
	uint32_t key_bytes;		/* even, NUL included */
	uint32_t value_bytes;		/* of a string: even, NUL included; 4 and 8 for numbers */
	uint8_t key[KVP_KEY_BYTES];	/* UTF-16LE */
	uint8_t value[KVP_VALUE_BYTES]; /* UTF-16LE, or a little-endian number */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_value_wire, 2572);
PROTOCOL_ASSERT_OFFSET(struct kvp_value_wire, key_bytes, 4);
PROTOCOL_ASSERT_OFFSET(struct kvp_value_wire, value_bytes, 8);
PROTOCOL_ASSERT_OFFSET(struct kvp_value_wire, key, 12);
PROTOCOL_ASSERT_OFFSET(struct kvp_value_wire, value, 524);

/* GET (the value is of the response) and SET. */
struct kvp_exchange_wire {
	struct kvp_header_wire header;
	uint16_t reserved; /* 0 */
	struct kvp_value_wire value;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_exchange_wire, 2576);
PROTOCOL_ASSERT_OFFSET(struct kvp_exchange_wire, value, 4);

struct kvp_delete_wire {
	struct kvp_header_wire header;
	uint16_t reserved;  /* 0 */
	uint32_t key_bytes; /* even, NUL included */
	uint8_t key[KVP_KEY_BYTES];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_delete_wire, 520);
PROTOCOL_ASSERT_OFFSET(struct kvp_delete_wire, key_bytes, 4);
PROTOCOL_ASSERT_OFFSET(struct kvp_delete_wire, key, 8);

struct kvp_enumerate_wire {
	struct kvp_header_wire header;
	uint16_t reserved;	     /* 0 */
	uint32_t index;		     /* from 0 */
	struct kvp_value_wire value; /* of the response */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_enumerate_wire, 2580);
PROTOCOL_ASSERT_OFFSET(struct kvp_enumerate_wire, index, 4);
PROTOCOL_ASSERT_OFFSET(struct kvp_enumerate_wire, value, 8);

/* Addresses as text, message versions below 5.0: UTF-16LE lists separated by ';'. */
struct kvp_ip_text_wire {
	struct kvp_header_wire header;
	uint8_t adapter[KVP_ADAPTER_BYTES]; /* R-KVP-010, R-KVP-028 */
	uint8_t family;			    /* enum kvp_family */
	uint8_t dhcp;			    /* 1: addresses come from DHCP */
	uint8_t addresses[2048];
	uint8_t subnets[2048]; /* of the addresses, in their order */
	uint8_t gateways[1024];
	uint8_t dns[2048];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_ip_text_wire, KVP_IP_BODY_BYTES);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_text_wire, adapter, 2);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_text_wire, family, 258);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_text_wire, dhcp, 259);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_text_wire, addresses, 260);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_text_wire, subnets, 2308);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_text_wire, gateways, 4356);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_text_wire, dns, 5380);

/* Addresses in binary, message version 5.0; bytes in network order. */
struct kvp_ip_binary_wire {
	struct kvp_header_wire header;
	uint16_t reserved0;  /* 0 */
	uint32_t address_v4; /* counts, each at most what the array holds */
	uint32_t address_v6;
	uint32_t gateway_v4;
	uint32_t gateway_v6;
	uint32_t dns_v4;
	uint32_t dns_v6;
	uint8_t adapter[KVP_ADAPTER_BYTES];
	uint8_t family;	    /* enum kvp_family */
	uint8_t dhcp;	    /* 1: addresses come from DHCP */
	uint16_t reserved1; /* 0 */
	uint8_t addresses_v4[KVP_ADDRESSES_MAX][4];
	uint8_t addresses_v6[KVP_ADDRESSES_MAX][16];
	uint8_t masks_v4[KVP_ADDRESSES_MAX][4];
	uint32_t prefixes_v6[KVP_ADDRESSES_MAX];
	uint8_t gateways_v4[KVP_GATEWAYS_MAX][4];
	uint8_t gateways_v6[KVP_GATEWAYS_MAX][16];
	uint8_t dns_servers_v4[KVP_ADDRESSES_MAX][4];
	uint8_t dns_servers_v6[KVP_ADDRESSES_MAX][16];
	uint16_t origins[2u * KVP_ADDRESSES_MAX]; /* enum kvp_origin; v4's, then v6's at once */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_ip_binary_wire, 3716);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, address_v4, 4);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, address_v6, 8);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, gateway_v4, 12);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, gateway_v6, 16);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, dns_v4, 20);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, dns_v6, 24);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, adapter, 28);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, family, 284);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, dhcp, 285);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, addresses_v4, 288);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, addresses_v6, 544);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, masks_v4, 1568);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, prefixes_v6, 1824);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, gateways_v4, 2080);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, gateways_v6, 2100);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, dns_servers_v4, 2180);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, dns_servers_v6, 2436);
PROTOCOL_ASSERT_OFFSET(struct kvp_ip_binary_wire, origins, 3460);

/* --- plain values ------------------------------------------------------------------------- */

/*
 * Why a body was not taken, or what could not be written. kvp_reason_name() names them.
 * X(symbol, name)
 */
#define KVP_REASONS(X)                                                                             \
	X(KVP_OK, "accepted")                                                                      \
	X(KVP_BAD_SIZE, "body shorter than its operation needs")                                   \
	X(KVP_BAD_OPERATION, "no such operation")                                                  \
	X(KVP_BAD_POOL, "no such pool")                                                            \
	X(KVP_BAD_TYPE, "no such type of value")                                                   \
	X(KVP_BAD_KEY_SIZE, "key size is zero, odd or past its field")                             \
	X(KVP_BAD_VALUE_SIZE, "value size is odd, past its field, or not its type's")              \
	X(KVP_BAD_END, "text without its NUL")                                                     \
	X(KVP_BAD_TEXT, "text is not Unicode")                                                     \
	X(KVP_EMPTY_KEY, "empty key")                                                              \
	X(KVP_BAD_KEY, "another key than was asked for")                                           \
	X(KVP_BAD_INDEX, "another index than was asked for")                                       \
	X(KVP_BAD_COUNT, "more addresses than there is room for")                                  \
	X(KVP_BAD_SUBNETS, "subnets do not match the addresses")                                   \
	X(KVP_BAD_ADDRESS, "not an address")                                                       \
	X(KVP_BAD_FAMILY, "no such address family")                                                \
	X(KVP_NO_ROOM, "text longer than its field")

enum kvp_reason {
#define KVP_REASON_ENUM(symbol, name) symbol,
	KVP_REASONS(KVP_REASON_ENUM)
#undef KVP_REASON_ENUM
		KVP_REASON_COUNT
};

/* A pair. Text is valid UTF-8 with a NUL. */
struct kvp_item {
	uint32_t type;	 /* enum kvp_type */
	uint64_t number; /* of KVP_TYPE_U32, KVP_TYPE_U64 */
	char key[KVP_KEY_TEXT_BYTES];
	char value[KVP_VALUE_TEXT_BYTES]; /* of strings; of numbers the same in decimal digits */
};

#define KVP_PREFIX_UNKNOWN 255u

struct kvp_address {
	uint8_t family;	   /* KVP_FAMILY_IPV4 or KVP_FAMILY_IPV6 */
	uint8_t prefix;	   /* bits, 0..32 or 0..128, or KVP_PREFIX_UNKNOWN */
	uint8_t origin;	   /* enum kvp_origin */
	uint8_t bytes[16]; /* network order; IPv4: the first 4, the rest 0 */
};
#define KVP_ADDRESS_TEXT_BYTES 46u /* buffer for kvp_address_format() */

/* Addresses of an adapter. Of each list at most the family's bound of each family. */
struct kvp_ip {
	char adapter[KVP_ADAPTER_TEXT_BYTES];
	uint8_t family; /* enum kvp_family */
	bool is_dhcp;
	uint16_t unreadable; /* entries of text lists that are no addresses: left out */
	uint16_t address_count;
	uint16_t gateway_count;
	uint16_t dns_count;
	struct kvp_address addresses[2u * KVP_ADDRESSES_MAX];
	struct kvp_address gateways[2u * KVP_GATEWAYS_MAX]; /* prefix and origin: unknown */
	struct kvp_address dns[2u * KVP_ADDRESSES_MAX];	    /* likewise */
};

/* Does that message version carry addresses in binary? (R-KVP-011) */
static inline bool kvp_has_binary_ip(struct ic_version_wire message)
{
	return message.major >= 5;
}

/* Bytes that a receiver needs of a request or response of that operation; 0: none such. */
size_t kvp_body_needs(uint8_t operation, struct ic_version_wire message);

/* Names: constant; "unknown" for numbers outside. Pools as in `vmwpctl`: external, guest, auto, …
 */
const char *kvp_reason_name(enum kvp_reason reason);
const char *kvp_operation_name(uint8_t operation);
const char *kvp_pool_name(uint8_t pool);

/* Key of an index of pool 2, constant; NULL from KVP_AUTO_COUNT on. */
const char *kvp_auto_key(uint32_t index);

/* --- codec -------------------------------------------------------------------------------- */

/*
 * Keys alone, as GET, DELETE and ENUMERATE have them. `policy` is for text that is not UTF-16;
 * a guest refuses, a host that only shows it replaces. On failure the output is empty.
 */
enum kvp_reason kvp_key_decode(const uint8_t field[KVP_KEY_BYTES], uint32_t key_bytes,
	enum utf16_policy policy, char key[KVP_KEY_TEXT_BYTES]);

/* The field is filled up with zeros. KVP_NO_ROOM, KVP_BAD_TEXT, KVP_EMPTY_KEY. */
enum kvp_reason kvp_key_encode(const char *key, uint8_t field[KVP_KEY_BYTES], uint32_t *key_bytes);

/* A pair (R-KVP-008, R-KVP-014 to R-KVP-016). A string of size 0 is the empty string. */
enum kvp_reason kvp_value_decode(
	const struct kvp_value_wire *wire, enum utf16_policy policy, struct kvp_item *out);
enum kvp_reason kvp_value_encode(const struct kvp_item *item, struct kvp_value_wire *wire);

/* Decimal digits of a number of at most `max`, nothing else. False: they are none. */
bool kvp_number_parse(const char *text, uint64_t max, uint64_t *out);

/*
 * Addresses, whole bodies; the header is the caller's to write and to judge. Decoding the text
 * form counts in `unreadable` what is no address; what is over a bound fails.
 */
enum kvp_reason kvp_ip_text_decode(const struct kvp_ip_text_wire *wire, struct kvp_ip *out);
enum kvp_reason kvp_ip_text_encode(const struct kvp_ip *ip, struct kvp_ip_text_wire *wire);
enum kvp_reason kvp_ip_binary_decode(const struct kvp_ip_binary_wire *wire, struct kvp_ip *out);
enum kvp_reason kvp_ip_binary_encode(const struct kvp_ip *ip, struct kvp_ip_binary_wire *wire);

/* --- addresses ---------------------------------------------------------------------------- */

/*
 * An address of `length` characters, nothing else around it (RFC 4291, section 2.2; dotted decimal
 * without leading zeros); prefix and origin of *out are unknown. False: it is none.
 */
bool kvp_address_parse(const char *text, size_t length, struct kvp_address *out);

/* As RFC 5952 writes it, without prefix. Returns the characters written, without the NUL. */
size_t kvp_address_format(const struct kvp_address *address, char text[KVP_ADDRESS_TEXT_BYTES]);

/* Prefix of a mask of 4 or 16 bytes in network order; KVP_PREFIX_UNKNOWN: it has gaps. */
uint8_t kvp_mask_prefix(const uint8_t *mask, size_t bytes);

/* The IPv4 mask of a prefix of at most 32. */
void kvp_mask_from_prefix(unsigned prefix, uint8_t mask[4]);

/* A subnet as text lists have it: "24", "/24", or a mask. KVP_PREFIX_UNKNOWN: none of these. */
uint8_t kvp_prefix_parse(const char *text, size_t length, uint8_t family);

/* The same as this project sends it: IPv4 as a mask, IPv6 as a number. Returns characters. */
size_t kvp_prefix_format(unsigned prefix, uint8_t family, char text[KVP_ADDRESS_TEXT_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
