// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes, MACs and interface names as text and values.
 */
#include "guest/ic_daemons/net_address.h"
#include "tests/harness.h"

#include <arpa/inet.h>
#include <string.h>

static bool reads(enum net_family family, const char *text)
{
	struct net_address address;
	return net_address_parse(family, text, &address) == 0;
}

static void ipv4_text_is_four_decimal_parts_and_no_more(void)
{
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5",
		"1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1..3.4", "0x1.2.3.4", "1.2.3.-4",
		"1.2.3.4\n", "1.2.3.4;reboot", "1.2.3.99999999999", "::1"};
	struct net_address address;
	CU_ASSERT_EQUAL(net_address_parse(NET_IPV4, "192.0.2.255", &address), 0);
	static const uint8_t bytes[16] = {192, 0, 2, 255};
	CU_ASSERT_EQUAL(memcmp(address.bytes, bytes, 16), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_FALSE(reads(NET_IPV4, bad[i]));
	CU_ASSERT_EQUAL(memcmp(address.bytes, bytes, 16), 0);
}

static void ipv6_text_is_read_and_written_as_rfc_5952_says(void)
{
	static const struct {
		const char *in;
		const char *out;
	} good[] = {
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
		{"fe80::00ab", "fe80::ab"},
	};
	static const char *const bad[] = {"", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1::2::3", "12345::", "::g", "fe80::1%eth0", "::1 ", ":1::2", "1::2:", "::1.2.3",
		"1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "2001:db8::1/64",
		"1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::8"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct net_address address;
		char text[NET_ADDRESS_TEXT_BYTES];
		CU_ASSERT_EQUAL(net_address_parse(NET_IPV6, good[i].in, &address), 0);
		CU_ASSERT_STRING_EQUAL(net_address_format(NET_IPV6, &address, text), good[i].out);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_FALSE(reads(NET_IPV6, bad[i]));
}

/* The C library judges many texts of the characters that matter. */
static void ipv6_text_is_judged_as_the_c_library_does(void)
{
	static const char alphabet[] = "0123abF:::.";
	uint32_t seed = 1;
	unsigned good = 0;
	for (int i = 0; i < 200000; i++) {
		char text[16];
		uint8_t bytes[16];
		struct net_address address;
		size_t len = (seed = seed * 1664525 + 1013904223) >> 28;
		for (size_t j = 0; j < len; j++)
			text[j] = alphabet[((seed = seed * 1664525 + 1013904223) >> 16) %
					   (sizeof alphabet - 1)];
		text[len] = '\0';
		bool theirs = inet_pton(AF_INET6, text, bytes) == 1;
		bool ours = net_address_parse(NET_IPV6, text, &address) == 0;
		good += ours;
		if (theirs != ours || (ours && memcmp(bytes, address.bytes, 16) != 0))
			CU_FAIL("a text is judged otherwise");
	}
	CU_ASSERT(good > 1000);
}

static void the_longest_texts_fit(void)
{
	struct net_prefix prefix = {.bits = 128};
	char text[NET_PREFIX_TEXT_BYTES];
	memset(prefix.address.bytes, 0xff, 16);
	CU_ASSERT_STRING_EQUAL(net_prefix_format(NET_IPV6, &prefix, text),
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
	prefix.bits = 32;
	CU_ASSERT_STRING_EQUAL(net_prefix_format(NET_IPV4, &prefix, text), "255.255.255.255/32");
}

static void prefix_text_has_bits_in_range(void)
{
	static const char *const bad[] = {"192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/-1",
		"192.0.2.1/024", "192.0.2.1/24/", "192.0.2.1/24 ", "/24", "192.0.2.1/255.255.255.0",
		"1111111111111111111111111111111111111111111111111111/1"};
	struct net_prefix prefix;
	CU_ASSERT_EQUAL(net_prefix_parse(NET_IPV4, "192.0.2.1/32", &prefix), 0);
	CU_ASSERT_EQUAL(prefix.bits, 32);
	CU_ASSERT_EQUAL(net_prefix_parse(NET_IPV6, "2001:db8::1/128", &prefix), 0);
	CU_ASSERT_EQUAL(prefix.bits, 128);
	CU_ASSERT_NOT_EQUAL(net_prefix_parse(NET_IPV6, "2001:db8::1/129", &prefix), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_NOT_EQUAL(net_prefix_parse(NET_IPV4, bad[i], &prefix), 0);
}

static void masks_and_prefixes_are_the_same_thing(void)
{
	struct net_address mask = {{255, 255, 240, 0}};
	CU_ASSERT_EQUAL(net_mask_bits(&mask), 20);
	for (unsigned bits = 0; bits <= 32; bits++) {
		mask = net_mask_from_bits(bits);
		CU_ASSERT_EQUAL(net_mask_bits(&mask), (int)bits);
	}
	mask = (struct net_address){{255, 0, 255, 0}};
	CU_ASSERT_EQUAL(net_mask_bits(&mask), -1);

	struct net_address a = {{10, 0, 0x0f, 1}};
	struct net_address b = {{10, 0, 0x08, 1}};
	CU_ASSERT_TRUE(net_address_same_prefix(&a, &b, 21));
	CU_ASSERT_FALSE(net_address_same_prefix(&a, &b, 22));
	CU_ASSERT_TRUE(net_address_same_prefix(&a, &a, 128));
	CU_ASSERT_FALSE(net_address_same_prefix(&a, &a, 129));
}

static void a_mac_is_six_pairs_with_one_kind_of_separator(void)
{
	static const char *const bad[] = {"", "00:15:5d:01:02", "00:15:5d:01:02:03:04",
		"00:15-5d:01:02:03", "00155d010203", "0:15:5d:01:02:03", "00:15:5d:01:02:0g",
		"00:15:5d:01:02:03 ", "00:15:5d:01:02:03\n"};
	uint8_t mac[NET_MAC_BYTES];
	char text[NET_MAC_TEXT_BYTES];
	CU_ASSERT_EQUAL(net_mac_parse("00-15-5d-aB-02-03", mac), 0);
	CU_ASSERT_STRING_EQUAL(net_mac_format(mac, text), "00:15:5D:AB:02:03");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_NOT_EQUAL(net_mac_parse(bad[i], mac), 0);
}

static void a_name_that_could_mean_more_is_no_name(void)
{
	static const char *const bad[] = {"", ".", "..", "-f", "_a", "a/b", "a b", "a\nb", "$(id)",
		"a;b", "a`b", "a'b", "a\"b", "a=b", "a:1", "a%b", "a*", "\xc3\xa4",
		"abcdefghijklmnop"};
	CU_ASSERT_TRUE(net_name_is_valid("eth0"));
	CU_ASSERT_TRUE(net_name_is_valid("enP1_s2-v.100"));
	CU_ASSERT_TRUE(net_name_is_valid("abcdefghijklmno"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_FALSE(net_name_is_valid(bad[i]));
}

static const struct test tests[] = {
	TEST(ipv4_text_is_four_decimal_parts_and_no_more),
	TEST(ipv6_text_is_read_and_written_as_rfc_5952_says),
	TEST(ipv6_text_is_judged_as_the_c_library_does),
	TEST(the_longest_texts_fit),
	TEST(prefix_text_has_bits_in_range),
	TEST(masks_and_prefixes_are_the_same_thing),
	TEST(a_mac_is_six_pairs_with_one_kind_of_separator),
	TEST(a_name_that_could_mean_more_is_no_name),
};
TEST_MAIN("net_address", tests)
