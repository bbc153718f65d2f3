// SPDX-License-Identifier: Apache-2.0
/*
 * A request to change an interface before anything is done: its values are judged, its text is
 * taken only as the writer writes it, and the texts of files that name interfaces and servers
 * change in the lines that they must and no others.
 */
#include "guest/ic_daemons/net_config_linux.h"
#include "guest/ic_daemons/net_stanza_linux.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "viridian-net-config 1\nadapter mac 00:15:5D:01:02:03\n"

static const char *judge(const char *body)
{
	static struct net_request request;
	char text[NET_CONFIG_TEXT_MAX];
	int len = snprintf(text, sizeof text, HEAD "%send\n", body);
	const char *wrong = net_config_read(text, (size_t)len, &request);
	return wrong ? "(unreadable)" : net_config_check(&request);
}

#define IS_FINE(body)	   CU_ASSERT_PTR_NULL(judge(body))
#define IS_BAD(body, text) CU_ASSERT_STRING_EQUAL(judge(body) ? judge(body) : "(fine)", text)

static void a_good_request_is_taken(void)
{
	IS_FINE("ipv4 dhcp\n");
	IS_FINE("ipv4 dhcp\ndns 192.0.2.53\n");
	IS_FINE("ipv4 static\naddress 192.0.2.5/24\ngateway 192.0.2.1\ndns 198.51.100.1\n");
	IS_FINE("ipv4 static\naddress 192.0.2.0/31\ngateway 192.0.2.1\n");
	IS_FINE("ipv4 static\naddress 192.0.2.9/32\n");
	IS_FINE("ipv6 static\naddress 2001:db8::5/64\ngateway fe80::1\ndns 2001:db8::53\n");
	IS_FINE("ipv4 static\naddress 192.0.2.5/24\naddress 198.51.100.7/25\n"
		"gateway 198.51.100.1\nipv6 dhcp\n");
}

static void addresses_that_no_host_has_are_refused(void)
{
	static const char *const bad4[] = {"0.0.0.0/8", "0.1.2.3/8", "127.0.0.1/8", "224.0.0.1/24",
		"239.255.0.1/24", "240.0.0.1/24", "255.255.255.255/32"};
	static const char *const bad6[] = {
		"::/64", "::1/128", "ff02::1/64", "::ffff:192.0.2.1/96", "::192.0.2.1/96"};
	char body[128];
	for (size_t i = 0; i < sizeof bad4 / sizeof bad4[0]; i++) {
		snprintf(body, sizeof body, "ipv4 static\naddress %s\n", bad4[i]);
		IS_BAD(body, "an address is not that of one host");
	}
	for (size_t i = 0; i < sizeof bad6 / sizeof bad6[0]; i++) {
		snprintf(body, sizeof body, "ipv6 static\naddress %s\n", bad6[i]);
		IS_BAD(body, "an address is not that of one host");
	}
	IS_BAD("ipv4 static\naddress 192.0.2.0/24\n",
		"an address is that of its network or of all its hosts");
	IS_BAD("ipv4 static\naddress 192.0.2.255/24\n",
		"an address is that of its network or of all its hosts");
	IS_BAD("ipv4 static\naddress 192.0.2.5/0\n", "a prefix length is out of range");
	IS_BAD("ipv4 static\naddress 192.0.2.5/24\naddress 192.0.2.5/25\n",
		"an address is given twice");
}

static void a_gateway_must_be_on_link(void)
{
	IS_BAD("ipv4 static\naddress 192.0.2.5/24\ngateway 192.0.3.1\n",
		"a gateway is on the network of none of the addresses");
	IS_BAD("ipv4 static\naddress 192.0.2.5/32\ngateway 192.0.2.1\n",
		"a gateway is on the network of none of the addresses");
	IS_BAD("ipv6 static\naddress 2001:db8::5/64\ngateway 2001:db8:1::1\n",
		"a gateway is on the network of none of the addresses");
	IS_BAD("ipv4 static\naddress 192.0.2.5/24\ngateway 192.0.2.5\n",
		"a gateway is one of the interface's own addresses");
	IS_BAD("ipv4 static\naddress 192.0.2.5/24\ngateway 224.0.0.1\n",
		"a gateway is not the address of one host");
	IS_BAD("ipv4 static\naddress 192.0.2.5/24\ngateway 192.0.2.1\ngateway 192.0.2.1\n",
		"a gateway is given twice");
}

static void what_contradicts_itself_is_refused(void)
{
	IS_BAD("", "neither IPv4 nor IPv6 is to be set");
	IS_BAD("ipv4 static\n", "neither DHCP nor an address");
	IS_BAD("ipv4 dhcp\naddress 192.0.2.5/24\n", "addresses or gateways together with DHCP");
	IS_BAD("ipv4 dhcp\ngateway 192.0.2.1\n", "addresses or gateways together with DHCP");
	IS_BAD("ipv4 dhcp\ndns 127.0.0.53\n", "a name server's address is not that of one host");
	IS_BAD("ipv6 dhcp\ndns fe80::1\n", "a name server's address is not that of one host");
	IS_BAD("ipv4 dhcp\ndns 192.0.2.1\ndns 192.0.2.1\n", "a name server is given twice");
}

/* R-KVP-018: what is not exactly a request is none. */
static void hostile_text_is_no_request(void)
{
	static const char *const bad[] = {
		"",
		"end\n",
		"viridian-net-config 2\nadapter mac 00:15:5D:01:02:03\nipv4 dhcp\nend\n",
		HEAD "ipv4 dhcp\nend",
		HEAD "ipv4 dhcp\n",
		HEAD "ipv4 dhcp\nend\n\n",
		HEAD "ipv4 dhcp\nend\nipv6 dhcp\n",
		HEAD "ipv4 dhcp\r\nend\n",
		HEAD "ipv6 dhcp\nipv4 dhcp\nend\n",
		HEAD "ipv4 dhcp\nipv4 dhcp\nend\n",
		HEAD "ipv4\nend\n",
		HEAD "ipv4 bootp\nend\n",
		HEAD "ipv4  dhcp\nend\n",
		HEAD "ipv4 static\naddress 192.0.2.5/33\nend\n",
		HEAD "ipv4 static\naddress 192.0.2.5\nend\n",
		HEAD "ipv4 static\naddress 192.0.2.5/24;reboot\nend\n",
		HEAD "ipv4 static\naddress $(reboot)\nend\n",
		HEAD "ipv4 static\naddress 192.0.2.5/24 \nend\n",
		HEAD "ipv4 static\n\taddress 192.0.2.5/24\nend\n",
		HEAD "ipv4 static\naddress 2001:db8::1/64\nend\n",
		HEAD "ipv4 static\naddress 192.0.2.5/24\ndns 192.0.2.1\ngateway 192.0.2.1\nend\n",
		HEAD "ipv4 static\naddress 192.0.2.5/24\nsearch `id`\nend\n",
		HEAD "ipv4 static\naddress 192.0.2.5/24\n[Match]\nend\n",
		"viridian-net-config 1\nadapter eth0\nipv4 dhcp\nend\n",
		"viridian-net-config 1\nadapter mac 00:15:5D:01:02\nipv4 dhcp\nend\n",
		"viridian-net-config 1\nadapter guid ../../etc\nipv4 dhcp\nend\n",
		HEAD
		"ipv4 dhcp\ndns 1234567890123456789012345678901234567890123456789012345678901234"
		"567890\nend\n",
	};
	static struct net_request request;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_PTR_NOT_NULL(net_config_read(bad[i], strlen(bad[i]), &request));
	static const char with_nul[] = HEAD "ipv4 dhcp\0\nend\n";
	CU_ASSERT_PTR_NOT_NULL(net_config_read(with_nul, sizeof with_nul - 1, &request));
	static const char good[] = HEAD "ipv4 dhcp\nend\n";
	for (size_t len = 0; len < sizeof good - 1; len++)
		CU_ASSERT_PTR_NOT_NULL(net_config_read(good, len, &request));
	CU_ASSERT_PTR_NULL(net_config_read(good, sizeof good - 1, &request));
}

/* A request with everything at its bound: `extra` more of one kind. */
static size_t write_full(char *text, size_t bytes, int addresses, int gateways, int servers)
{
	size_t len = (size_t)snprintf(text, bytes, HEAD "ipv4 static\n");
	for (int i = 0; i < addresses; i++)
		len += (size_t)snprintf(text + len, bytes - len, "address 10.0.%d.100/16\n", i);
	for (int i = 0; i < gateways; i++)
		len += (size_t)snprintf(text + len, bytes - len, "gateway 10.0.%d.1\n", i);
	for (int i = 0; i < servers; i++)
		len += (size_t)snprintf(text + len, bytes - len, "dns 192.0.2.%d\n", i + 1);
	return len + (size_t)snprintf(text + len, bytes - len, "end\n");
}

static void counts_are_bounded(void)
{
	char text[NET_CONFIG_TEXT_MAX];
	static struct net_request request;
	size_t len = write_full(text, sizeof text, 64, 5, 64);
	CU_ASSERT_PTR_NULL(net_config_read(text, len, &request));
	CU_ASSERT_PTR_NULL(net_config_check(&request));
	len = write_full(text, sizeof text, 65, 5, 64);
	CU_ASSERT_PTR_NOT_NULL(net_config_read(text, len, &request));
	len = write_full(text, sizeof text, 64, 6, 64);
	CU_ASSERT_PTR_NOT_NULL(net_config_read(text, len, &request));
	len = write_full(text, sizeof text, 64, 5, 65);
	CU_ASSERT_PTR_NOT_NULL(net_config_read(text, len, &request));

	request = (struct net_request){.sets = {true}};
	request.families[NET_IPV4].address_count = 65;
	CU_ASSERT_STRING_EQUAL(net_config_check(&request), "more than 64 addresses of a family");
	request.families[NET_IPV4].address_count = 0;
	request.families[NET_IPV4].dns_count = UINT32_MAX;
	CU_ASSERT_STRING_EQUAL(net_config_check(&request), "more than 64 name servers of a family");
}

static void a_request_is_written_as_the_header_says(void)
{
	static const char expected[] = "viridian-net-config 1\n"
				       "adapter guid f8615163-df3e-46c5-913f-f2d2f965ed0e\n"
				       "ipv4 static\n"
				       "address 192.0.2.5/24\n"
				       "gateway 192.0.2.1\n"
				       "dns 192.0.2.53\n"
				       "ipv6 dhcp\n"
				       "end\n";
	static struct net_request request;
	char text[NET_CONFIG_TEXT_MAX];
	CU_ASSERT_PTR_NULL(net_config_read(expected, strlen(expected), &request));
	CU_ASSERT_TRUE(request.has_guid && guid_equal(&request.guid, &guid_network));
	CU_ASSERT_EQUAL(net_config_write(&request, text), strlen(expected));
	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void the_longest_request_fits(void)
{
	static struct net_request request = {.has_guid = true, .sets = {true, true}};
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		struct net_family_settings *all = &request.families[family];
		*all = (struct net_family_settings){
			.address_count = 64, .gateway_count = 5, .dns_count = 64};
		memset(all->addresses, 0xff, sizeof all->addresses);
		memset(all->gateways, 0xff, sizeof all->gateways);
		memset(all->dns, 0xff, sizeof all->dns);
		for (int i = 0; i < 64; i++)
			all->addresses[i].bits = (uint8_t)NET_FAMILY_BITS(family);
	}
	char text[NET_CONFIG_TEXT_MAX];
	size_t len = net_config_write(&request, text);
	CU_ASSERT(len < sizeof text);
	CU_ASSERT_STRING_EQUAL(text + len - 5, "\nend\n");
}

static void answers_come_back_as_they_were(void)
{
	struct net_config_answer answer = {
		.result = NET_CONFIG_OK, .is_persistent = true, .text = "ifupdown"};
	struct net_config_answer back;
	char line[NET_CONFIG_LINE_MAX];
	size_t len = net_config_answer_write(&answer, line);
	CU_ASSERT_STRING_EQUAL(line, "ok ifupdown persistent\n");
	net_config_answer_read(line, len, &back);
	CU_ASSERT_EQUAL(back.result, NET_CONFIG_OK);
	CU_ASSERT_TRUE(back.is_persistent);
	CU_ASSERT_STRING_EQUAL(back.text, "ifupdown");

	answer = (struct net_config_answer){.result = NET_CONFIG_FAILED, .text = "a\nb\x1b[c"};
	len = net_config_answer_write(&answer, line);
	CU_ASSERT_STRING_EQUAL(line, "error failed a?b?[c\n");
	net_config_answer_read(line, len, &back);
	CU_ASSERT_EQUAL(back.result, NET_CONFIG_FAILED);
	CU_ASSERT_STRING_EQUAL(back.text, "a?b?[c");
}

static void what_is_no_answer_is_none(void)
{
	static const char *const bad[] = {"", "\n", "ok", "ok\n", "ok a\n", "ok a maybe\n",
		"error\n", "error failed\n", "yes a persistent\n", "ok a persistent",
		"ok a\x1b persistent\n", "error odd text\n"};
	struct net_config_answer answer;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		net_config_answer_read(bad[i], strlen(bad[i]), &answer);
		CU_ASSERT_EQUAL(answer.result, NET_CONFIG_UNAVAILABLE);
	}
	char lengthy[400];
	int len = snprintf(lengthy, sizeof lengthy, "error failed %0300d\n", 0);
	net_config_answer_read(lengthy, (size_t)len, &answer);
	CU_ASSERT_EQUAL(answer.result, NET_CONFIG_UNAVAILABLE);
}

static void nobody_at_the_socket_is_an_answer(void)
{
	static struct net_request request = {.sets = {true}};
	struct net_config_answer answer;
	request.families[NET_IPV4].dhcp = true;
	net_config_call("/nonexistent/socket", 100, &request, &answer);
	CU_ASSERT_EQUAL(answer.result, NET_CONFIG_UNAVAILABLE);
	request.families[NET_IPV4].dhcp = false;
	net_config_call("/nonexistent/socket", 100, &request, &answer);
	CU_ASSERT_EQUAL(answer.result, NET_CONFIG_INVALID);
}

/* ---- texts of files ---- */

static void removes(const char *text, bool ipv4, bool ipv6, bool needs_source, const char *expected)
{
	size_t len;
	char *out = net_stanza_remove(text, strlen(text), "eth0", ipv4, ipv6, needs_source, &len);
	CU_ASSERT_STRING_EQUAL(out, expected);
	CU_ASSERT_EQUAL(len, strlen(expected));
	free(out);
}

static void only_the_stanzas_of_interface_and_family_go(void)
{
	static const char text[] = "# loopback\n"
				   "auto lo\n"
				   "iface lo inet loopback\n"
				   "\n"
				   "allow-hotplug eth0\n"
				   "iface eth0 inet static\n"
				   "\taddress 192.0.2.5/24\n"
				   "\t# why\n"
				   "\tup echo \\\n"
				   "\t\tiface eth0 inet6 auto\n"
				   "\n"
				   "iface eth0 inet6 auto\n"
				   "    accept_ra 2\n"
				   "iface eth01 inet dhcp\n"
				   "iface eth0:1 inet dhcp\n";
	removes(text, true, false, false,
		"# loopback\nauto lo\niface lo inet loopback\n\nallow-hotplug eth0\n\t# why\n\n"
		"iface eth0 inet6 auto\n    accept_ra 2\niface eth01 inet dhcp\n"
		"iface eth0:1 inet dhcp\n");
	removes(text, true, true, false,
		"# loopback\nauto lo\niface lo inet loopback\n\nallow-hotplug eth0\n\t# why\n\n"
		"iface eth01 inet dhcp\niface eth0:1 inet dhcp\n");
	removes(text, false, false, false, text);
	removes("iface \\\n eth0 inet dhcp", true, true, false, "");
}

static void the_directory_is_read_from_then_on(void)
{
	removes("auto lo\n", true, false, true, "auto lo\n\nsource /etc/network/interfaces.d/*\n");
	removes("source /etc/network/interfaces.d/*\n", true, false, true,
		"source /etc/network/interfaces.d/*\n");
	removes("source-directory interfaces.d\n", true, false, true,
		"source-directory interfaces.d\n");
	removes("#source interfaces.d\n", true, false, true,
		"#source interfaces.d\n\nsource /etc/network/interfaces.d/*\n");
}

static void name_servers_of_one_family_are_replaced(void)
{
	static const char text[] = "search example.org\n"
				   "nameserver 203.0.113.1\n"
				   "nameserver 2001:db8::1\n"
				   "options edns0\n";
	static const char mark[] =
		"# Written by viridian-net-config; replaced when the host asks for a change.\n";
	static const bool only_ipv4[] = {true, false};
	static struct net_family_settings wanted[NET_FAMILY_COUNT];
	char expected[512];
	size_t len;
	wanted[NET_IPV4].dns_count = 2;
	wanted[NET_IPV4].dns[0] = (struct net_address){{192, 0, 2, 53}};
	wanted[NET_IPV4].dns[1] = (struct net_address){{192, 0, 2, 54}};
	char *once = net_stanza_resolv_conf(text, strlen(text), only_ipv4, wanted, &len);
	snprintf(expected, sizeof expected,
		"%snameserver 192.0.2.53\nnameserver 192.0.2.54\nsearch example.org\n"
		"nameserver 2001:db8::1\noptions edns0\n",
		mark);
	CU_ASSERT_STRING_EQUAL(once, expected);
	char *twice = net_stanza_resolv_conf(once, len, only_ipv4, wanted, &len);
	CU_ASSERT_STRING_EQUAL(twice, expected);
	free(once);
	free(twice);
}

static const struct test tests[] = {
	TEST(a_good_request_is_taken),
	TEST(addresses_that_no_host_has_are_refused),
	TEST(a_gateway_must_be_on_link),
	TEST(what_contradicts_itself_is_refused),
	TEST(hostile_text_is_no_request),
	TEST(counts_are_bounded),
	TEST(a_request_is_written_as_the_header_says),
	TEST(the_longest_request_fits),
	TEST(answers_come_back_as_they_were),
	TEST(what_is_no_answer_is_none),
	TEST(nobody_at_the_socket_is_an_answer),
	TEST(only_the_stanzas_of_interface_and_family_go),
	TEST(the_directory_is_read_from_then_on),
	TEST(name_servers_of_one_family_are_replaced),
};
TEST_MAIN("net_config", tests)
