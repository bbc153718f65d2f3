// SPDX-License-Identifier: Apache-2.0
/*
 * What the key-value operations do in a Linux guest: pools, what the system says of itself,
 * texts that a message cannot hold, and addresses between the protocol and this system.
 */
#include "guest/ic_daemons/kvp_service_linux.h"
#include "packaging/version.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

struct rig {
	char root[64];
	char pools[96];
	struct kvp_service service;
	struct kvp_item item;
	char complaint[200];
};

static uint64_t clock_ms;

static uint64_t now_ms(void)
{
	return clock_ms;
}

static void complain(void *ctx, const char *text)
{
	struct rig *rig = ctx;
	snprintf(rig->complaint, sizeof rig->complaint, "%s", text);
}

static void file_write(const struct rig *rig, const char *name, const char *text)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", rig->root, name);
	FILE *file = fopen(path, "w");
	CU_ASSERT_FATAL(file != NULL);
	fputs(text, file);
	fclose(file);
}

static void rig_up(struct rig *rig)
{
	char etc[96];
	memset(rig, 0, sizeof *rig);
	snprintf(rig->root, sizeof rig->root, "/tmp/viridian-kvp-service.XXXXXX");
	if (mkdtemp(rig->root) == NULL)
		abort();
	snprintf(etc, sizeof etc, "%s/etc", rig->root);
	CU_ASSERT_EQUAL(mkdir(etc, 0755), 0);
	snprintf(rig->pools, sizeof rig->pools, "%s/hyperv", rig->root);
	CU_ASSERT_EQUAL_FATAL(kvp_service_open(&rig->service, rig->pools, rig->root), 0);
	rig->service.now_ms = now_ms;
	rig->service.complain = complain;
	rig->service.ctx = rig;
}

static void rig_down(struct rig *rig)
{
	char command[128];
	kvp_service_close(&rig->service);
	snprintf(command, sizeof command, "rm -r %s", rig->root);
	CU_ASSERT_EQUAL(system(command), 0);
}

static uint32_t set(struct rig *rig, uint8_t pool, const char *key, const char *value)
{
	memset(&rig->item, 0, sizeof rig->item);
	rig->item.type = KVP_TYPE_STRING;
	snprintf(rig->item.key, sizeof rig->item.key, "%s", key);
	snprintf(rig->item.value, sizeof rig->item.value, "%s", value);
	return kvp_service_ops.set(&rig->service, pool, &rig->item);
}

static uint32_t get(struct rig *rig, uint8_t pool, const char *key)
{
	memset(&rig->item, 0, sizeof rig->item);
	return kvp_service_ops.get(&rig->service, pool, key, &rig->item);
}

static uint32_t enumerate(struct rig *rig, uint8_t pool, uint32_t index)
{
	memset(&rig->item, 0, sizeof rig->item);
	return kvp_service_ops.enumerate(&rig->service, pool, index, &rig->item);
}

static void pools_are_separate_files(void)
{
	struct rig rig;
	rig_up(&rig);
	static const uint8_t pools[] = {0, 1, 3};
	for (size_t i = 0; i < 3; i++) {
		char value[8];
		char path[160];
		struct stat state;
		snprintf(value, sizeof value, "%u", pools[i]);
		CU_ASSERT_EQUAL(set(&rig, pools[i], "key", value), IC_STATUS_SUCCESS);
		snprintf(path, sizeof path, "%s/.kvp_pool_%u", rig.pools, pools[i]);
		CU_ASSERT_EQUAL(stat(path, &state), 0);
		CU_ASSERT_EQUAL(state.st_size, 2560);
	}
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(get(&rig, pools[i], "key"), IC_STATUS_SUCCESS);
		CU_ASSERT_EQUAL(atoi(rig.item.value), pools[i]);
		CU_ASSERT_EQUAL(rig.item.type, KVP_TYPE_STRING);
	}
	CU_ASSERT_EQUAL(kvp_service_ops.remove(&rig.service, 1, "key"), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(kvp_service_ops.remove(&rig.service, 1, "key"), IC_STATUS_NO_MORE_ITEMS);
	CU_ASSERT_EQUAL(get(&rig, 1, "key"), IC_STATUS_NO_MORE_ITEMS);
	CU_ASSERT_EQUAL(enumerate(&rig, 0, 0), IC_STATUS_SUCCESS);
	CU_ASSERT_STRING_EQUAL(rig.item.key, "key");
	CU_ASSERT_EQUAL(enumerate(&rig, 0, 1), IC_STATUS_NO_MORE_ITEMS);
	rig_down(&rig);
}

static void what_no_file_can_hold_is_an_invalid_argument(void)
{
	struct rig rig;
	char key[KVP_KEY_TEXT_BYTES];
	rig_up(&rig);
	/* 255 characters, each three bytes of UTF-8: a message has room, a record has not. */
	for (size_t i = 0; i < 255; i++)
		memcpy(key + 3 * i, "\xe2\x82\xac", 4);
	CU_ASSERT_EQUAL(set(&rig, 0, key, "x"), IC_STATUS_INVALID_ARGUMENT);
	CU_ASSERT_EQUAL(kvp_service_ops.remove(&rig.service, 0, key), IC_STATUS_NO_MORE_ITEMS);
	CU_ASSERT_EQUAL(rig.service.failures, 0);
	rig_down(&rig);
}

static void failures_of_files_are_told(void)
{
	struct rig rig;
	rig_up(&rig);
	rig.service.pools[0].file.lock_wait_ms = 0;
	char path[160];
	snprintf(path, sizeof path, "%s/.kvp_pool_0", rig.pools);
	int fd = open(path, O_RDWR);
	struct flock lock = {.l_type = F_WRLCK};
	CU_ASSERT_EQUAL(fcntl(fd, F_OFD_SETLK, &lock), 0);
	CU_ASSERT_EQUAL(set(&rig, 0, "key", "x"), IC_STATUS_FAIL);
	CU_ASSERT_STRING_EQUAL(rig.complaint, "pool 0: another program keeps the file locked");
	CU_ASSERT_EQUAL(rig.service.failures, 1);
	close(fd);
	CU_ASSERT_EQUAL(set(&rig, 0, "key", "x"), IC_STATUS_SUCCESS);
	rig_down(&rig);
}

static void the_system_says_ten_things_of_itself(void)
{
	static const char *const keys[] = {"FullyQualifiedDomainName", "IntegrationServicesVersion",
		"NetworkAddressIPv4", "NetworkAddressIPv6", "OSBuildNumber", "OSName",
		"OSMajorVersion", "OSMinorVersion", "OSVersion", "ProcessorArchitecture"};
	struct rig rig;
	struct utsname kernel;
	char hosts[300];
	uname(&kernel);
	rig_up(&rig);
	file_write(&rig, "etc/os-release",
		"# NAME=wrong\nNAME=\"Linux \\\"Try\\\"\"\nVERSION_ID='22.04.1'\nNAMESPACE=x\n");
	snprintf(hosts, sizeof hosts,
		"127.0.0.1\tlocalhost.localdomain localhost\n"
		"# 192.0.2.1 wrong.example %s\n127.0.1.1 %s right.example.org other.example\n",
		kernel.nodename, kernel.nodename);
	file_write(&rig, "etc/hosts", hosts);
	clock_ms += 2 * KVP_FACTS_AGE_MS;
	for (uint32_t i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(enumerate(&rig, 2, i), IC_STATUS_SUCCESS);
		CU_ASSERT_STRING_EQUAL(rig.item.key, keys[i]);
	}
	CU_ASSERT_EQUAL(enumerate(&rig, 2, 10), IC_STATUS_NO_MORE_ITEMS);
	CU_ASSERT_EQUAL(enumerate(&rig, 2, UINT32_MAX), IC_STATUS_NO_MORE_ITEMS);
	const struct {
		uint32_t index;
		const char *value;
	} expected[] = {
		{0, strchr(kernel.nodename, '.') != NULL ? kernel.nodename : "right.example.org"},
		{1, viridian_version}, {4, kernel.release}, {5, "Linux \"Try\""}, {6, "22"},
		{7, "04"}, {9, kernel.machine}};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		CU_ASSERT_EQUAL(get(&rig, 2, keys[expected[i].index]), IC_STATUS_SUCCESS);
		CU_ASSERT_STRING_EQUAL(rig.item.value, expected[i].value);
	}
	CU_ASSERT_EQUAL(get(&rig, 2, "osname"), IC_STATUS_NO_MORE_ITEMS);
	CU_ASSERT_EQUAL(set(&rig, 2, "OSName", "x"), IC_STATUS_INVALID_ARGUMENT);
	CU_ASSERT_EQUAL(
		kvp_service_ops.remove(&rig.service, 2, "OSName"), IC_STATUS_INVALID_ARGUMENT);
	rig_down(&rig);
}

static void what_has_changed_is_said_a_second_later(void)
{
	struct rig rig;
	rig_up(&rig);
	clock_ms += 2 * KVP_FACTS_AGE_MS;
	file_write(&rig, "etc/os-release", "VERSION_ID=12\n");
	CU_ASSERT_EQUAL(get(&rig, 2, "OSMajorVersion"), IC_STATUS_SUCCESS);
	CU_ASSERT_STRING_EQUAL(rig.item.value, "12");
	CU_ASSERT_EQUAL(get(&rig, 2, "OSMinorVersion"), IC_STATUS_SUCCESS);
	CU_ASSERT_STRING_EQUAL(rig.item.value, "");
	CU_ASSERT_EQUAL(get(&rig, 2, "OSName"), IC_STATUS_SUCCESS);
	CU_ASSERT_STRING_EQUAL(rig.item.value, "Linux");
	file_write(&rig, "etc/os-release", "VERSION_ID=13\n");
	clock_ms += KVP_FACTS_AGE_MS;
	CU_ASSERT_EQUAL(get(&rig, 2, "OSMajorVersion"), IC_STATUS_SUCCESS);
	CU_ASSERT_STRING_EQUAL(rig.item.value, "13");
	/* No such file: the kernel's version. */
	char path[160];
	snprintf(path, sizeof path, "%s/etc/os-release", rig.root);
	CU_ASSERT_EQUAL(unlink(path), 0);
	clock_ms += KVP_FACTS_AGE_MS;
	CU_ASSERT_EQUAL(get(&rig, 2, "OSMajorVersion"), IC_STATUS_SUCCESS);
	struct utsname kernel;
	uname(&kernel);
	CU_ASSERT_EQUAL(strtol(rig.item.value, NULL, 10), strtol(kernel.release, NULL, 10));
	/* Hosts of Hyper-V find the kernel's numbers there, without what distributions add. */
	CU_ASSERT_EQUAL(get(&rig, 2, "OSVersion"), IC_STATUS_SUCCESS);
	const size_t bytes = strlen(rig.item.value);
	CU_ASSERT_TRUE(bytes >= 3 && strspn(rig.item.value, "0123456789.") == bytes);
	CU_ASSERT_EQUAL(strncmp(kernel.release, rig.item.value, bytes), 0);
	rig_down(&rig);
}

static void texts_are_fitted_at_characters(void)
{
	char to[KVP_VALUE_TEXT_BYTES];
	CU_ASSERT_TRUE(kvp_text_fit("abc", 4, 3, to, sizeof to));
	CU_ASSERT_STRING_EQUAL(to, "abc");
	CU_ASSERT_FALSE(kvp_text_fit("abcd", 5, 3, to, sizeof to));
	CU_ASSERT_STRING_EQUAL(to, "abc");
	/* U+1F600 is two units. */
	CU_ASSERT_FALSE(kvp_text_fit("ab\xf0\x9f\x98\x80", 8, 3, to, sizeof to));
	CU_ASSERT_STRING_EQUAL(to, "ab");
	CU_ASSERT_TRUE(kvp_text_fit("ab\xf0\x9f\x98\x80", 8, 4, to, sizeof to));
	CU_ASSERT_STRING_EQUAL(to, "ab\xf0\x9f\x98\x80");
	/* Latin-1. */
	CU_ASSERT_TRUE(kvp_text_fit("caf\xe9", 5, 10, to, sizeof to));
	CU_ASSERT_STRING_EQUAL(to, "caf\xef\xbf\xbd");
	/* No NUL within the field. */
	CU_ASSERT_TRUE(kvp_text_fit("xyz", 2, 10, to, sizeof to));
	CU_ASSERT_STRING_EQUAL(to, "xy");
}

static void longest_texts_of_a_file_are_cut_for_a_message(void)
{
	struct rig rig;
	char key[512], value[2048];
	rig_up(&rig);
	memset(key, 'k', 511);
	memset(value, 'v', 2047);
	key[511] = value[2047] = '\0';
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.service.pools[1], key, value), 0);
	CU_ASSERT_EQUAL(enumerate(&rig, 1, 0), IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(strlen(rig.item.key), 255);
	CU_ASSERT_EQUAL(strlen(rig.item.value), 1023);
	CU_ASSERT_EQUAL(rig.service.cut, 1);
	rig_down(&rig);
}

/* ---- addresses ---- */

static const struct guid nic_guid = GUID_INIT(0xf8615163, 0xdf3e, 0x46c5, 0x913f, 0xf2d2f965ed0e);

static struct net_interface list[3];

static void interfaces_make(void)
{
	static const uint8_t mac[] = {0, 0x15, 0x5d, 1, 2, 3};
	memset(list, 0, sizeof list);
	strcpy(list[0].name, "lo");
	list[0].is_loopback = true;
	list[0].families[NET_IPV4] = (struct net_family_settings){
		.address_count = 1, .addresses = {{.address = {{127, 0, 0, 1}}, .bits = 8}}};
	strcpy(list[1].name, "vf0"); /* carries the traffic, has no address */
	list[1].has_mac = list[2].has_mac = true;
	memcpy(list[1].mac, mac, 6);
	memcpy(list[2].mac, mac, 6);
	strcpy(list[2].name, "eth0");
	list[2].has_guid = true;
	list[2].guid = nic_guid;
	list[2].families[NET_IPV4] = (struct net_family_settings){.dhcp = true,
		.address_count = 1,
		.gateway_count = 1,
		.dns_count = 1,
		.addresses = {{.address = {{192, 0, 2, 5}}, .bits = 24, .origin = NET_ORIGIN_DHCP}},
		.gateways = {{{192, 0, 2, 1}}},
		.dns = {{{192, 0, 2, 53}}}};
	list[2].families[NET_IPV6] = (struct net_family_settings){.address_count = 1,
		.addresses = {{.address = {{0x20, 1, 0x0d, 0xb8, [15] = 5}},
			.bits = 64,
			.origin = NET_ORIGIN_STATIC}}};
}

/* R-KVP-010. */
static void adapters_are_found_by_mac_and_guid(void)
{
	interfaces_make();
	CU_ASSERT_PTR_EQUAL(kvp_net_find(list, 3, "00:15:5D:01:02:03"), &list[2]);
	CU_ASSERT_PTR_EQUAL(kvp_net_find(list, 3, "00:15:5d:01:02:03"), &list[2]);
	CU_ASSERT_PTR_EQUAL(kvp_net_find(list, 2, "00:15:5D:01:02:03"), &list[1]);
	CU_ASSERT_PTR_EQUAL(
		kvp_net_find(list, 3, "{f8615163-df3e-46c5-913f-f2d2f965ed0e}"), &list[2]);
	CU_ASSERT_PTR_EQUAL(
		kvp_net_find(list, 3, "F8615163-DF3E-46C5-913F-F2D2F965ED0E"), &list[2]);
	CU_ASSERT_PTR_NULL(kvp_net_find(list, 3, "{f8615163-df3e-46c5-913f-f2d2f965ed0f}"));
	CU_ASSERT_PTR_NULL(kvp_net_find(list, 3, "00:15:5D:01:02:04"));
	CU_ASSERT_PTR_NULL(kvp_net_find(list, 3, "eth0"));
	CU_ASSERT_PTR_NULL(kvp_net_find(list, 3, ""));
}

static void interface_is_described(void)
{
	struct kvp_ip ip;
	char text[64];
	interfaces_make();
	memset(&ip, 0xaa, sizeof ip);
	kvp_net_describe(&list[2], &ip);
	CU_ASSERT_EQUAL(ip.family, KVP_FAMILY_BOTH);
	CU_ASSERT_TRUE(ip.is_dhcp);
	CU_ASSERT_EQUAL(ip.address_count, 2);
	CU_ASSERT_EQUAL(ip.addresses[0].prefix, 24);
	CU_ASSERT_EQUAL(ip.addresses[0].origin, KVP_ORIGIN_OTHER);
	CU_ASSERT_EQUAL(ip.addresses[1].family, KVP_FAMILY_IPV6);
	CU_ASSERT_EQUAL(ip.addresses[1].bytes[15], 5);
	CU_ASSERT_EQUAL(ip.addresses[1].origin, KVP_ORIGIN_STATIC);
	CU_ASSERT_EQUAL(ip.gateway_count, 1);
	CU_ASSERT_EQUAL(ip.dns_count, 1);
	CU_ASSERT_EQUAL(ip.dns[0].bytes[3], 53);

	kvp_facts_addresses(list, 3, NET_IPV4, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "192.0.2.5");
	list[0].is_loopback = false;
	kvp_facts_addresses(list, 3, NET_IPV4, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "127.0.0.1;192.0.2.5");
	kvp_facts_addresses(list, 3, NET_IPV4, text, 19); /* one byte short */
	CU_ASSERT_STRING_EQUAL(text, "127.0.0.1");
	kvp_facts_addresses(list, 3, NET_IPV6, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "2001:db8::5");
}

static struct kvp_ip static_ip(void)
{
	return (struct kvp_ip){.adapter = "{f8615163-df3e-46c5-913f-f2d2f965ed0e}",
		.family = KVP_FAMILY_IPV4,
		.address_count = 1,
		.gateway_count = 1,
		.dns_count = 1,
		.addresses = {{.family = KVP_FAMILY_IPV4, .prefix = 24, .bytes = {192, 0, 2, 7}}},
		.gateways = {{.family = KVP_FAMILY_IPV4, .prefix = 255, .bytes = {192, 0, 2, 1}}},
		.dns = {{.family = KVP_FAMILY_IPV4, .prefix = 255, .bytes = {192, 0, 2, 53}}}};
}

static void request_is_what_the_host_asks_for(void)
{
	struct net_request request;
	struct kvp_ip ip = static_ip();
	CU_ASSERT_PTR_NULL(kvp_net_request(&ip, &request));
	CU_ASSERT_TRUE(request.has_guid);
	CU_ASSERT_TRUE(guid_equal(&request.guid, &nic_guid));
	CU_ASSERT_TRUE(request.sets[NET_IPV4]);
	CU_ASSERT_FALSE(request.sets[NET_IPV6]);
	CU_ASSERT_FALSE(request.families[NET_IPV4].dhcp);
	CU_ASSERT_EQUAL(request.families[NET_IPV4].addresses[0].bits, 24);
	CU_ASSERT_EQUAL(request.families[NET_IPV4].gateways[0].bytes[3], 1);
	CU_ASSERT_EQUAL(request.families[NET_IPV4].dns[0].bytes[3], 53);

	ip.is_dhcp = true; /* the addresses are those of before */
	CU_ASSERT_PTR_NULL(kvp_net_request(&ip, &request));
	CU_ASSERT_TRUE(request.families[NET_IPV4].dhcp);
	CU_ASSERT_EQUAL(request.families[NET_IPV4].address_count, 0);

	/* IPv6 alone: the flag concerns the family that is not set. */
	ip.family = KVP_FAMILY_IPV6;
	ip.gateway_count = ip.dns_count = 0;
	ip.addresses[0] = (struct kvp_address){
		.family = KVP_FAMILY_IPV6, .prefix = 64, .bytes = {0x20, 1, 0x0d, 0xb8, [15] = 7}};
	CU_ASSERT_PTR_NULL(kvp_net_request(&ip, &request));
	CU_ASSERT_FALSE(request.sets[NET_IPV4]);
	CU_ASSERT_TRUE(request.sets[NET_IPV6]);
	strcpy(ip.adapter, "00:15:5D:01:02:03");
	CU_ASSERT_PTR_NULL(kvp_net_request(&ip, &request));
	CU_ASSERT_FALSE(request.has_guid);
	CU_ASSERT_EQUAL(request.mac[5], 3);
}

static void request_that_makes_no_sense_is_refused(void)
{
	struct net_request request;
	struct kvp_ip ip = static_ip();
	strcpy(ip.adapter, "eth0; reboot");
	CU_ASSERT_PTR_NOT_NULL(kvp_net_request(&ip, &request));
	ip = static_ip();
	ip.address_count = 0;
	ip.gateway_count = ip.dns_count = 0;
	CU_ASSERT_PTR_NOT_NULL(kvp_net_request(&ip, &request));
	ip = static_ip();
	ip.addresses[0].prefix = KVP_PREFIX_UNKNOWN;
	CU_ASSERT_PTR_NOT_NULL(kvp_net_request(&ip, &request));
	ip = static_ip();
	ip.unreadable = 1;
	CU_ASSERT_PTR_NOT_NULL(kvp_net_request(&ip, &request));
	ip = static_ip();
	ip.dns[0].family = KVP_FAMILY_IPV6;
	CU_ASSERT_PTR_NOT_NULL(kvp_net_request(&ip, &request));
	ip = static_ip();
	ip.addresses[0].bytes[0] = 127;
	CU_ASSERT_PTR_NOT_NULL(kvp_net_request(&ip, &request));
	ip = static_ip();
	ip.gateway_count = KVP_GATEWAYS_MAX + 1;
	for (unsigned i = 0; i < ip.gateway_count; i++)
		ip.gateways[i] = ip.gateways[0];
	CU_ASSERT_PTR_NOT_NULL(kvp_net_request(&ip, &request));
}

static unsigned set_calls;

static uint32_t set_ip(
	void *ctx, const struct net_interface *interface, const struct net_request *request)
{
	(void)ctx;
	(void)interface;
	(void)request;
	set_calls++;
	return IC_GUEST_LATER;
}

static void setting_needs_an_adapter_that_is_there(void)
{
	struct rig rig;
	struct kvp_ip ip = static_ip();
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_service_ops.ip_set(&rig.service, &ip), IC_STATUS_NOT_SUPPORTED);
	rig.service.set_ip = set_ip;
	CU_ASSERT_EQUAL(kvp_service_ops.ip_set(&rig.service, &ip), IC_STATUS_NOT_FOUND);
	CU_ASSERT_EQUAL(kvp_service_ops.ip_get(&rig.service, &ip), IC_STATUS_NOT_FOUND);
	ip.address_count = 0;
	CU_ASSERT_EQUAL(kvp_service_ops.ip_set(&rig.service, &ip), IC_STATUS_INVALID_ARGUMENT);
	CU_ASSERT_TRUE(strncmp(rig.complaint, "addresses are not set: ", 23) == 0);
	CU_ASSERT_EQUAL(set_calls, 0);
	rig_down(&rig);
}

static const struct test tests[] = {
	TEST(pools_are_separate_files),
	TEST(what_no_file_can_hold_is_an_invalid_argument),
	TEST(failures_of_files_are_told),
	TEST(the_system_says_ten_things_of_itself),
	TEST(what_has_changed_is_said_a_second_later),
	TEST(texts_are_fitted_at_characters),
	TEST(longest_texts_of_a_file_are_cut_for_a_message),
	TEST(adapters_are_found_by_mac_and_guid),
	TEST(interface_is_described),
	TEST(request_is_what_the_host_asks_for),
	TEST(request_that_makes_no_sense_is_refused),
	TEST(setting_needs_an_adapter_that_is_there),
};

TEST_MAIN("kvp_service", tests)
