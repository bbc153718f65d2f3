// SPDX-License-Identifier: Apache-2.0
/*
 * The addresses of an adapter on the wire, as text and in binary: against the packets of a real
 * guest and the bytes of the notes, what is no address, and bounds. The text of addresses is
 * compared with that of the C library.
 */
#include "protocol/kvp.h"
#include "tests/harness.h"
#include "tests/unit/kvp_golden.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* UTF-16LE of ASCII text, without a NUL. */
static void put_ascii(uint8_t *to, const char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		to[2 * i] = (uint8_t)text[i];
		to[2 * i + 1] = 0;
	}
}

/* --- one address --------------------------------------------------------------------------- */

static void addresses_are_those_of_the_c_library(void)
{
	static const char *const texts[] = {"0.0.0.0", "255.255.255.255", "10.0.0.2", "1.2.3",
		"1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "", ".", "1..2.3",
		"1.2.3.", "a.b.c.d", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1::2::3", ":1", "1:", ":::", "fe80::215:5dff:fe01:203",
		"12345::", "g::", "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
		"1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8", "FE80::ABCD", "fe80::1%eth0", "1.2.3.4::", "0:0:0:0:0:0:0:0",
		"1:0:0:2:0:0:0:3", "1:0:0:2:2:0:0:3", "0:1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct kvp_address address;
		uint8_t v4[4];
		uint8_t v6[16];
		char text[KVP_ADDRESS_TEXT_BYTES];
		char expected[INET6_ADDRSTRLEN];
		bool is_v4 = inet_pton(AF_INET, texts[i], v4) == 1;
		bool is_v6 = inet_pton(AF_INET6, texts[i], v6) == 1;
		size_t len = strlen(texts[i]);
		char *copy = malloc(len > 0 ? len : 1);
		memcpy(copy, texts[i], len);
		CU_ASSERT_EQUAL(kvp_address_parse(copy, len, &address), is_v4 || is_v6);
		free(copy);
		if (!is_v4 && !is_v6)
			continue;
		CU_ASSERT_EQUAL(address.family, is_v4 ? KVP_FAMILY_IPV4 : KVP_FAMILY_IPV6);
		CU_ASSERT_EQUAL(memcmp(address.bytes, is_v4 ? v4 : v6, is_v4 ? 4 : 16), 0);
		CU_ASSERT_EQUAL(address.prefix, KVP_PREFIX_UNKNOWN);
		inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? v4 : v6, expected, sizeof expected);
		len = kvp_address_format(&address, text);
		CU_ASSERT_EQUAL(len, strlen(text));
		/* RFC 5952 does not mix where it does. */
		bool is_mixed = strcmp(texts[i], "::1.2.3.4") == 0;
		CU_ASSERT_STRING_EQUAL(text, is_mixed ? "::102:304" : expected);
	}
}

/* Groups that are often zero, so that "::" is everywhere; formatted, then read again. */
static void any_address_comes_back(void)
{
	uint32_t seed = 1;
	for (unsigned round = 0; round < 20000; round++) {
		struct kvp_address address = {.family = KVP_FAMILY_IPV6};
		struct kvp_address again;
		char text[KVP_ADDRESS_TEXT_BYTES];
		for (unsigned i = 0; i < 16; i += 2) {
			seed = seed * 1664525 + 1013904223;
			uint32_t group = seed >> 31 != 0 ? 0 : seed >> 15;
			address.bytes[i] = (uint8_t)(group >> 8);
			address.bytes[i + 1] = (uint8_t)group;
		}
		uint8_t oracle[16];
		size_t len = kvp_address_format(&address, text);
		CU_ASSERT_TRUE_FATAL(kvp_address_parse(text, len, &again));
		CU_ASSERT_EQUAL_FATAL(memcmp(again.bytes, address.bytes, 16), 0);
		CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, oracle), 1);
		CU_ASSERT_EQUAL_FATAL(memcmp(oracle, address.bytes, 16), 0);
	}
}

/* Rule R-KVP-026. */
static void prefixes_are_numbers_or_masks_without_gaps(void)
{
	static const struct {
		const char *text;
		uint8_t family;
		uint8_t prefix;
	} rows[] = {
		{"24", KVP_FAMILY_IPV4, 24},
		{"/24", KVP_FAMILY_IPV4, 24},
		{"0", KVP_FAMILY_IPV4, 0},
		{"32", KVP_FAMILY_IPV4, 32},
		{"33", KVP_FAMILY_IPV4, KVP_PREFIX_UNKNOWN},
		{"255.255.255.0", KVP_FAMILY_IPV4, 24},
		{"255.255.255.255", KVP_FAMILY_IPV4, 32},
		{"0.0.0.0", KVP_FAMILY_IPV4, 0},
		{"255.0.255.0", KVP_FAMILY_IPV4, KVP_PREFIX_UNKNOWN},
		{"/255.255.255.0", KVP_FAMILY_IPV4, KVP_PREFIX_UNKNOWN},
		{"64", KVP_FAMILY_IPV6, 64},
		{"/64", KVP_FAMILY_IPV6, 64},
		{"128", KVP_FAMILY_IPV6, 128},
		{"129", KVP_FAMILY_IPV6, KVP_PREFIX_UNKNOWN},
		{"ffff:ffff:ffff:ffff::", KVP_FAMILY_IPV6, 64},
		{"255.255.255.0", KVP_FAMILY_IPV6, KVP_PREFIX_UNKNOWN},
		{"", KVP_FAMILY_IPV6, KVP_PREFIX_UNKNOWN},
		{"/", KVP_FAMILY_IPV4, KVP_PREFIX_UNKNOWN},
		{"024", KVP_FAMILY_IPV4, KVP_PREFIX_UNKNOWN},
		{"-1", KVP_FAMILY_IPV4, KVP_PREFIX_UNKNOWN},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CU_ASSERT_EQUAL(
			kvp_prefix_parse(rows[i].text, strlen(rows[i].text), rows[i].family),
			rows[i].prefix);
	char text[KVP_ADDRESS_TEXT_BYTES];
	kvp_prefix_format(20, KVP_FAMILY_IPV4, text);
	CU_ASSERT_STRING_EQUAL(text, "255.255.240.0");
	kvp_prefix_format(64, KVP_FAMILY_IPV6, text);
	CU_ASSERT_STRING_EQUAL(text, "64");
	for (unsigned bits = 0; bits <= 32; bits++) {
		uint8_t mask[4];
		uint32_t expected = htonl(bits == 0 ? 0 : 0xFFFFFFFFu << (32 - bits));
		kvp_mask_from_prefix(bits, mask);
		CU_ASSERT_EQUAL(memcmp(mask, &expected, 4), 0);
		CU_ASSERT_EQUAL(kvp_mask_prefix(mask, 4), bits);
	}
}

/* --- addresses of an adapter, as text ------------------------------------------------------ */

static void address_is(const struct kvp_address *address, const char *text, uint8_t prefix)
{
	char got[KVP_ADDRESS_TEXT_BYTES];
	kvp_address_format(address, got);
	CU_ASSERT_STRING_EQUAL(got, text);
	CU_ASSERT_EQUAL(address->prefix, prefix);
}

static void addresses_of_linux_are_read(void)
{
	static struct kvp_golden packet;
	static struct kvp_ip_text_wire body;
	static struct kvp_ip ip;
	kvp_golden("get_ip", "g2h", &packet);
	memcpy(&body, packet.bytes + KVP_GOLDEN_BODY_AT, sizeof body);
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&body, &ip), KVP_OK);
	CU_ASSERT_STRING_EQUAL(ip.adapter, "00:15:5D:01:02:03");
	CU_ASSERT_EQUAL(ip.family, KVP_FAMILY_BOTH);
	CU_ASSERT_FALSE(ip.is_dhcp);
	CU_ASSERT_EQUAL_FATAL(ip.address_count, 2);
	address_is(&ip.addresses[0], "10.0.0.2", 24);
	address_is(&ip.addresses[1], "fe80::215:5dff:fe01:203", 64);
	CU_ASSERT_EQUAL(ip.gateway_count, 0);
	CU_ASSERT_EQUAL(ip.dns_count, 0);
	CU_ASSERT_EQUAL(ip.unreadable, 0);
}

static struct kvp_ip_text_wire text_wire(
	const char *addresses, const char *subnets, const char *gateways, const char *dns)
{
	struct kvp_ip_text_wire wire = {.family = KVP_FAMILY_BOTH, .dhcp = 1};
	put_ascii(wire.addresses, addresses);
	put_ascii(wire.subnets, subnets);
	put_ascii(wire.gateways, gateways);
	put_ascii(wire.dns, dns);
	return wire;
}

static void text_lists_may_have_blanks_and_empty_entries(void)
{
	static struct kvp_ip ip;
	struct kvp_ip_text_wire wire = text_wire(
		";10.0.0.2; fe80::1 ;;", "255.0.0.0;/10;", "10.0.0.1;", ";;1.1.1.1");
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_OK);
	CU_ASSERT_TRUE(ip.is_dhcp);
	CU_ASSERT_EQUAL_FATAL(ip.address_count, 2);
	address_is(&ip.addresses[0], "10.0.0.2", 8);
	address_is(&ip.addresses[1], "fe80::1", 10);
	CU_ASSERT_EQUAL_FATAL(ip.gateway_count, 1);
	address_is(&ip.gateways[0], "10.0.0.1", KVP_PREFIX_UNKNOWN);
	CU_ASSERT_EQUAL(ip.dns_count, 1);
	CU_ASSERT_EQUAL(ip.unreadable, 0);
}

/* Shell words, zones, names, other scripts: none is an address. Rule R-KVP-018. */
static void entries_that_are_no_addresses_are_counted_and_left_out(void)
{
	static struct kvp_ip ip;
	struct kvp_ip_text_wire wire = text_wire("$(reboot);10.0.0.2;fe80::1%eth0",
		"255.0.0.0;255.0.255.0;64", "`id`;10.0.0.1 10.0.0.3",
		"name;1.1.1.1;11111111111111111111111111111111111111111111111.1.1.1");
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_OK);
	CU_ASSERT_EQUAL_FATAL(ip.address_count, 1);
	address_is(&ip.addresses[0], "10.0.0.2", KVP_PREFIX_UNKNOWN);
	CU_ASSERT_EQUAL(ip.gateway_count, 0);
	CU_ASSERT_EQUAL(ip.dns_count, 1);
	/* Two addresses, a mask with a gap, two gateways (a blank does not part), two servers. */
	CU_ASSERT_EQUAL(ip.unreadable, 7);
	wire = text_wire("", "", "", "");
	wire.dns[0] = '1';
	wire.dns[1] = 0x01; /* U+0131 */
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_OK);
	CU_ASSERT_EQUAL(ip.unreadable, 1);
}

static void subnets_are_as_many_as_addresses_or_none(void)
{
	static struct kvp_ip ip;
	struct kvp_ip_text_wire wire = text_wire("10.0.0.2;10.0.0.3", "", "", "");
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_OK);
	address_is(&ip.addresses[1], "10.0.0.3", KVP_PREFIX_UNKNOWN);
	wire = text_wire("10.0.0.2;10.0.0.3", "24", "", "");
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_SUBNETS);
	wire = text_wire("10.0.0.2", "24;24", "", "");
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_SUBNETS);
}

/* `count` times "1.1.1.1;" into a field. */
static void repeat(uint8_t *field, const char *entry, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		put_ascii(field + 2 * i * strlen(entry), entry);
}

/* Rule R-KVP-017. */
static void text_lists_are_bounded_by_family(void)
{
	static struct kvp_ip ip;
	static const struct {
		unsigned addresses;
		unsigned gateways;
		unsigned dns;
		enum kvp_reason reason;
	} rows[] = {{64, 5, 64, KVP_OK}, {65, 0, 0, KVP_BAD_COUNT}, {0, 6, 0, KVP_BAD_COUNT},
		{0, 0, 65, KVP_BAD_COUNT}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kvp_ip_text_wire wire = text_wire("", "", "", "");
		repeat(wire.addresses, "1.1.1.1;", rows[i].addresses);
		repeat(wire.gateways, "1.1.1.1;", rows[i].gateways);
		repeat(wire.dns, "1.1.1.1;", rows[i].dns);
		CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), rows[i].reason);
	}
	/* The other family has its own. */
	struct kvp_ip_text_wire wire = text_wire("", "", "", "");
	repeat(wire.gateways, "1.1.1.1;", 5);
	repeat(wire.gateways + 80, "::1;", 5);
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_OK);
	CU_ASSERT_EQUAL(ip.gateway_count, 10);
}

/* Rule R-KVP-015. */
static void text_fields_without_a_nul_are_refused(void)
{
	static struct kvp_ip ip;
	const struct kvp_ip_text_wire none = text_wire("", "", "", "");
	struct kvp_ip_text_wire wire = none;
	memset(wire.adapter, 'x', sizeof wire.adapter);
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_END);
	wire = none;
	repeat(wire.addresses, ";", 1024);
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_END);
	wire = none;
	repeat(wire.subnets, ";", 1024);
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_END);
	wire = none;
	repeat(wire.gateways, ";", 512);
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_END);
	wire = none;
	repeat(wire.dns, ";", 1024);
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_END);
	repeat(wire.dns, ";", 1023);
	wire.dns[2046] = 0;
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_OK);
	wire = none;
	wire.family = 4;
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_FAMILY);
	wire = none;
	wire.adapter[1] = 0xDC;
	CU_ASSERT_EQUAL(kvp_ip_text_decode(&wire, &ip), KVP_BAD_TEXT);
}

static struct kvp_address address_of(const char *text, uint8_t prefix)
{
	struct kvp_address address = {0};
	CU_ASSERT_TRUE(kvp_address_parse(text, strlen(text), &address));
	address.prefix = prefix;
	return address;
}

static struct kvp_ip some_ip(void)
{
	struct kvp_ip ip = {.adapter = "{00000000-0000-0000-0000-00000000000a}",
		.family = KVP_FAMILY_BOTH,
		.is_dhcp = true,
		.address_count = 3,
		.gateway_count = 2,
		.dns_count = 2};
	ip.addresses[0] = address_of("fe80::1", 64);
	ip.addresses[1] = address_of("10.0.0.2", 20);
	ip.addresses[2] = address_of("10.0.0.3", 32);
	ip.addresses[0].origin = KVP_ORIGIN_OTHER;
	ip.addresses[1].origin = KVP_ORIGIN_STATIC;
	ip.gateways[0] = address_of("10.0.0.1", KVP_PREFIX_UNKNOWN);
	ip.gateways[1] = address_of("fe80::ff", KVP_PREFIX_UNKNOWN);
	ip.dns[0] = address_of("2001:db8::53", KVP_PREFIX_UNKNOWN);
	ip.dns[1] = address_of("10.0.0.53", KVP_PREFIX_UNKNOWN);
	return ip;
}

static bool holds_ascii(const uint8_t *field, const char *text)
{
	size_t i = 0;
	for (; text[i] != '\0'; i++)
		if (field[2 * i] != (uint8_t)text[i] || field[2 * i + 1] != 0)
			return false;
	return field[2 * i] == 0 && field[2 * i + 1] == 0;
}

static void addresses_are_written_as_text_lists(void)
{
	static struct kvp_ip_text_wire wire;
	const struct kvp_ip ip = some_ip();
	memset(&wire, 0xEE, sizeof wire);
	wire.header = (struct kvp_header_wire){KVP_OPERATION_SET_IP, KVP_POOL_GUEST};
	CU_ASSERT_EQUAL(kvp_ip_text_encode(&ip, &wire), KVP_OK);
	CU_ASSERT_EQUAL(wire.header.operation, KVP_OPERATION_SET_IP);
	CU_ASSERT_EQUAL(wire.family, 3);
	CU_ASSERT_EQUAL(wire.dhcp, 1);
	CU_ASSERT_TRUE(holds_ascii(wire.adapter, "{00000000-0000-0000-0000-00000000000a}"));
	CU_ASSERT_TRUE(holds_ascii(wire.addresses, "fe80::1;10.0.0.2;10.0.0.3"));
	CU_ASSERT_TRUE(holds_ascii(wire.subnets, "64;255.255.240.0;255.255.255.255"));
	CU_ASSERT_TRUE(holds_ascii(wire.gateways, "10.0.0.1;fe80::ff"));
	CU_ASSERT_TRUE(holds_ascii(wire.dns, "2001:db8::53;10.0.0.53"));
	static const uint8_t zero[2048];
	CU_ASSERT_EQUAL(memcmp(wire.dns + 46, zero, 2002), 0);
}

static void text_that_does_not_fit_its_field_is_refused(void)
{
	static struct kvp_ip_text_wire wire;
	static struct kvp_ip ip;
	const char longest[] = "1111:1111:1111:1111:1111:1111:1111:1111";
	/* 25 of 39 characters and 24 semicolons are 999 of 1023 units; one more is too much. */
	ip.dns_count = 25;
	for (unsigned i = 0; i < 64; i++)
		ip.dns[i] = address_of(longest, KVP_PREFIX_UNKNOWN);
	CU_ASSERT_EQUAL(kvp_ip_text_encode(&ip, &wire), KVP_OK);
	ip.dns_count = 26;
	CU_ASSERT_EQUAL(kvp_ip_text_encode(&ip, &wire), KVP_NO_ROOM);
	/* Exactly 1023 units: 25, a semicolon and 23 characters. */
	ip.dns[25] = address_of("1111:1111:1111:1111::11", KVP_PREFIX_UNKNOWN);
	CU_ASSERT_EQUAL(kvp_ip_text_encode(&ip, &wire), KVP_OK);
	ip.dns[25] = address_of("1111:1111:1111:1111::111", KVP_PREFIX_UNKNOWN);
	CU_ASSERT_EQUAL(kvp_ip_text_encode(&ip, &wire), KVP_NO_ROOM);
	ip.dns_count = 0;
	memset(ip.adapter, 'a', 127);
	CU_ASSERT_EQUAL(kvp_ip_text_encode(&ip, &wire), KVP_OK);
	ip.adapter[127] = 'a';
	CU_ASSERT_EQUAL(kvp_ip_text_encode(&ip, &wire), KVP_NO_ROOM);
}

/* --- in binary ----------------------------------------------------------------------------- */

/* Offsets from the body, as the notes have them (4 for the header there). */
static void addresses_are_written_in_binary_where_the_notes_have_them(void)
{
	static uint8_t bytes[3716];
	const struct kvp_ip ip = some_ip();
	static const uint8_t counts[24] = {
		2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
	static const uint8_t v6[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
	memset(bytes, 0xEE, sizeof bytes);
	CU_ASSERT_EQUAL(kvp_ip_binary_encode(&ip, (struct kvp_ip_binary_wire *)bytes), KVP_OK);
	CU_ASSERT_EQUAL(memcmp(bytes + 4, counts, sizeof counts), 0);
	CU_ASSERT_TRUE(holds_ascii(bytes + 4 + 24, "{00000000-0000-0000-0000-00000000000a}"));
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 280, "\x03\x01\0\0", 4), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 284, "\x0a\0\0\x02\x0a\0\0\x03\0", 9), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 540, v6, 16), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 1564, "\xff\xff\xf0\0\xff\xff\xff\xff\0", 9), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 1820, "\x40\0\0\0\0", 5), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 2076, "\x0a\0\0\x01\0", 5), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 2096, "\xfe\x80", 2), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 2176, "\x0a\0\0\x35\0", 5), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 2432, "\x20\x01\x0d\xb8", 4), 0);
	/* Origins: both of IPv4, then that of IPv6 without a gap. */
	CU_ASSERT_EQUAL(memcmp(bytes + 4 + 3456, "\x02\0\0\0\x01\0\0\0", 8), 0);
	static struct kvp_ip again;
	CU_ASSERT_EQUAL(
		kvp_ip_binary_decode((const struct kvp_ip_binary_wire *)bytes, &again), KVP_OK);
	CU_ASSERT_EQUAL_FATAL(again.address_count, 3);
	address_is(&again.addresses[0], "10.0.0.2", 20);
	address_is(&again.addresses[1], "10.0.0.3", 32);
	address_is(&again.addresses[2], "fe80::1", 64);
	CU_ASSERT_EQUAL(again.addresses[0].origin, KVP_ORIGIN_STATIC);
	CU_ASSERT_EQUAL(again.addresses[2].origin, KVP_ORIGIN_OTHER);
	CU_ASSERT_EQUAL(again.gateway_count, 2);
	CU_ASSERT_EQUAL(again.dns_count, 2);
	CU_ASSERT_TRUE(again.is_dhcp);
	CU_ASSERT_STRING_EQUAL(again.adapter, ip.adapter);
}

/* Rule R-KVP-017: each count at its bound, and one past it. */
static void binary_counts_are_bounded(void)
{
	static const uint32_t bounds[6] = {64, 64, 5, 5, 64, 64};
	static struct kvp_ip ip;
	struct kvp_ip_binary_wire wire = {0};
	for (unsigned i = 0; i < 6; i++)
		memcpy((uint8_t *)&wire + 4 + 4 * i, &bounds[i], 4);
	CU_ASSERT_EQUAL(kvp_ip_binary_decode(&wire, &ip), KVP_OK);
	CU_ASSERT_EQUAL(ip.address_count, 128);
	CU_ASSERT_EQUAL(ip.gateway_count, 10);
	CU_ASSERT_EQUAL(ip.dns_count, 128);
	CU_ASSERT_EQUAL(kvp_ip_binary_encode(&ip, &wire), KVP_OK);
	for (unsigned i = 0; i < 6; i++) {
		static const uint32_t past[] = {1, 0x7FFFFFFF, 0xFFFFFFFF};
		for (unsigned k = 0; k < 3; k++) {
			struct kvp_ip_binary_wire bad = {0};
			uint32_t count = past[k] == 1 ? bounds[i] + 1 : past[k];
			memcpy((uint8_t *)&bad + 4 + 4 * i, &count, 4);
			CU_ASSERT_EQUAL(kvp_ip_binary_decode(&bad, &ip), KVP_BAD_COUNT);
		}
	}
}

static void binary_masks_prefixes_and_origins_are_checked(void)
{
	static struct kvp_ip ip;
	struct kvp_ip_binary_wire wire = {.address_v4 = 1};
	wire.masks_v4[0][1] = 1;
	CU_ASSERT_EQUAL(kvp_ip_binary_decode(&wire, &ip), KVP_BAD_SUBNETS);
	wire = (struct kvp_ip_binary_wire){.address_v6 = 1};
	wire.prefixes_v6[0] = 128;
	wire.origins[0] = 3;
	CU_ASSERT_EQUAL(kvp_ip_binary_decode(&wire, &ip), KVP_OK);
	CU_ASSERT_EQUAL(ip.addresses[0].origin, KVP_ORIGIN_UNKNOWN);
	wire.prefixes_v6[0] = 129;
	CU_ASSERT_EQUAL(kvp_ip_binary_decode(&wire, &ip), KVP_BAD_SUBNETS);
	wire.prefixes_v6[0] = 0x101; /* 1 in eight bits */
	CU_ASSERT_EQUAL(kvp_ip_binary_decode(&wire, &ip), KVP_BAD_SUBNETS);
	wire.prefixes_v6[0] = 64;
	wire.family = 4;
	CU_ASSERT_EQUAL(kvp_ip_binary_decode(&wire, &ip), KVP_BAD_FAMILY);
	wire.family = 0;
	memset(wire.adapter, 'x', sizeof wire.adapter);
	CU_ASSERT_EQUAL(kvp_ip_binary_decode(&wire, &ip), KVP_BAD_END);
	ip = some_ip();
	ip.addresses[1].prefix = 33;
	CU_ASSERT_EQUAL(kvp_ip_binary_encode(&ip, &wire), KVP_BAD_SUBNETS);
	ip.addresses[1].prefix = KVP_PREFIX_UNKNOWN;
	CU_ASSERT_EQUAL(kvp_ip_binary_encode(&ip, &wire), KVP_BAD_SUBNETS);
	ip = some_ip();
	ip.gateway_count = 6;
	for (unsigned i = 0; i < 6; i++)
		ip.gateways[i] = address_of("10.0.0.1", KVP_PREFIX_UNKNOWN);
	CU_ASSERT_EQUAL(kvp_ip_binary_encode(&ip, &wire), KVP_BAD_COUNT);
}

static const struct test tests[] = {
	TEST(addresses_are_those_of_the_c_library),
	TEST(any_address_comes_back),
	TEST(prefixes_are_numbers_or_masks_without_gaps),
	TEST(addresses_of_linux_are_read),
	TEST(text_lists_may_have_blanks_and_empty_entries),
	TEST(entries_that_are_no_addresses_are_counted_and_left_out),
	TEST(subnets_are_as_many_as_addresses_or_none),
	TEST(text_lists_are_bounded_by_family),
	TEST(text_fields_without_a_nul_are_refused),
	TEST(addresses_are_written_as_text_lists),
	TEST(text_that_does_not_fit_its_field_is_refused),
	TEST(addresses_are_written_in_binary_where_the_notes_have_them),
	TEST(binary_counts_are_bounded),
	TEST(binary_masks_prefixes_and_origins_are_checked),
};

TEST_MAIN("kvp_ip", tests)
