// SPDX-License-Identifier: Apache-2.0
/*
 * Records of /dev/vmbus/hv_kvp: laid out as the kernel's own header says, and the operations
 * that they reach.
 */
/* The kernel's header has some of our names, for the same. */
#define KVP_POOL_EXTERNAL      LINUX_KVP_POOL_EXTERNAL
#define KVP_POOL_GUEST	       LINUX_KVP_POOL_GUEST
#define KVP_POOL_AUTO	       LINUX_KVP_POOL_AUTO
#define KVP_POOL_AUTO_EXTERNAL LINUX_KVP_POOL_AUTO_EXTERNAL
#define KVP_POOL_COUNT	       LINUX_KVP_POOL_COUNT
#include <linux/hyperv.h>
#undef KVP_POOL_EXTERNAL
#undef KVP_POOL_GUEST
#undef KVP_POOL_AUTO
#undef KVP_POOL_AUTO_EXTERNAL
#undef KVP_POOL_COUNT

#include "guest/ic_daemons/kvp_device_linux.h"
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

_Static_assert(
	sizeof(struct hv_kvp_msg) == sizeof(struct kvp_device_record_wire) &&
		sizeof(struct hv_kvp_exchg_msg_value) == sizeof(struct kvp_device_value_wire) &&
		sizeof(struct hv_kvp_ipaddr_value) == sizeof(struct kvp_device_ip_wire) &&
		offsetof(struct hv_kvp_msg, body) ==
			offsetof(struct kvp_device_record_wire, body) &&
		offsetof(struct hv_kvp_ipaddr_value, dns_addr) ==
			offsetof(struct kvp_device_ip_wire, dns) &&
		KVP_OP_REGISTER1 == KVP_DEVICE_REGISTER &&
		(int)KVP_OP_SET_IP_INFO == (int)KVP_OPERATION_SET_IP &&
		(int)KVP_OP_COUNT == (int)KVP_OPERATION_COUNT,
	"as in linux/hyperv.h");

struct stand_in {
	struct kvp_device device;
	struct hv_kvp_msg in, out;
	unsigned calls;
	uint8_t pool;
	uint32_t index;
	uint32_t status;
	struct kvp_item item;
	struct kvp_item answer;
	struct kvp_ip ip;
	struct kvp_ip ip_answer;
};

static void text_put(void *field, const char *text)
{
	memcpy(field, text, strlen(text) + 1);
}

static uint32_t get(void *ctx, uint8_t pool, const char *key, struct kvp_item *out)
{
	struct stand_in *rig = ctx;
	rig->calls++;
	rig->pool = pool;
	snprintf(rig->item.key, sizeof rig->item.key, "%s", key);
	*out = rig->answer;
	return rig->status;
}

static uint32_t set(void *ctx, uint8_t pool, const struct kvp_item *item)
{
	struct stand_in *rig = ctx;
	rig->calls++;
	rig->pool = pool;
	rig->item = *item;
	return rig->status;
}

static uint32_t remove_key(void *ctx, uint8_t pool, const char *key)
{
	struct stand_in *rig = ctx;
	rig->calls++;
	rig->pool = pool;
	snprintf(rig->item.key, sizeof rig->item.key, "%s", key);
	return rig->status;
}

static uint32_t enumerate(void *ctx, uint8_t pool, uint32_t index, struct kvp_item *out)
{
	struct stand_in *rig = ctx;
	rig->calls++;
	rig->pool = pool;
	rig->index = index;
	*out = rig->answer;
	return rig->status;
}

static uint32_t ip_get(void *ctx, struct kvp_ip *ip)
{
	struct stand_in *rig = ctx;
	struct kvp_ip answer = rig->ip_answer;
	rig->calls++;
	rig->ip = *ip;
	snprintf(answer.adapter, sizeof answer.adapter, "%s", ip->adapter);
	*ip = answer;
	return rig->status;
}

static uint32_t ip_set(void *ctx, const struct kvp_ip *ip)
{
	struct stand_in *rig = ctx;
	rig->calls++;
	rig->ip = *ip;
	return rig->status;
}

static const struct kvp_ops ops = {get, set, remove_key, enumerate, ip_get, ip_set};

/* Hand over `in`. False: no answer. */
static bool exchange(struct stand_in *rig)
{
	bool is_due = kvp_device_on_record(&rig->device, &rig->in, sizeof rig->in);
	memcpy(&rig->out, &rig->device.record, sizeof rig->out);
	return is_due;
}

static void request(struct stand_in *rig, unsigned operation, unsigned pool)
{
	memset(&rig->in, 0, sizeof rig->in);
	rig->in.kvp_hdr.operation = (uint8_t)operation;
	rig->in.kvp_hdr.pool = (uint8_t)pool;
}

static void rig_up(struct stand_in *rig)
{
	memset(rig, 0, sizeof *rig);
	kvp_device_init(&rig->device, &ops, rig);
	request(rig, KVP_OP_REGISTER1, 0);
	text_put(rig->in.body.kvp_register.version, "3.1");
	CU_ASSERT_FALSE(exchange(rig));
}

static void greeting_registers_and_the_version_is_kept(void)
{
	struct stand_in rig;
	struct hv_kvp_msg greeting;
	memcpy(&greeting, &kvp_device_greeting, sizeof greeting);
	CU_ASSERT_EQUAL(greeting.kvp_hdr.operation, 100);
	rig_up(&rig);
	CU_ASSERT_TRUE(rig.device.is_registered);
	CU_ASSERT_STRING_EQUAL(rig.device.version, "3.1");
	/* A second time it is no such thing, but an operation that there is not. */
	request(&rig, KVP_OP_REGISTER1, 0);
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_ERROR_NOT_SUPPORTED);
}

static void set_delete_get(void)
{
	struct stand_in rig;
	rig_up(&rig);
	request(&rig, KVP_OP_SET, KVP_POOL_EXTERNAL);
	struct hv_kvp_exchg_msg_value *data = &rig.in.body.kvp_set.data;
	data->value_type = REG_SZ;
	data->key_size = 4;
	data->value_size = 6;
	text_put(data->key, "key");
	text_put(data->value, "value");
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL(rig.out.error, HV_S_OK);
	CU_ASSERT_STRING_EQUAL(rig.item.key, "key");
	CU_ASSERT_STRING_EQUAL(rig.item.value, "value");
	CU_ASSERT_EQUAL(rig.item.type, KVP_TYPE_STRING);

	request(&rig, KVP_OP_DELETE, KVP_POOL_AUTO_EXTERNAL);
	rig.in.body.kvp_delete.key_size = 5;
	text_put(rig.in.body.kvp_delete.key, "gone");
	rig.status = IC_STATUS_NO_MORE_ITEMS;
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_S_CONT);
	CU_ASSERT_STRING_EQUAL(rig.item.key, "gone");
	CU_ASSERT_EQUAL(rig.pool, 3);

	request(&rig, KVP_OP_GET, KVP_POOL_GUEST);
	text_put(rig.in.body.kvp_get.data.key, "key");
	strcpy(rig.answer.key, "key");
	strcpy(rig.answer.value, "its value");
	rig.status = IC_STATUS_SUCCESS;
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL(rig.out.error, HV_S_OK);
	data = &rig.out.body.kvp_enum_data.data; /* where Linux looks for the value */
	CU_ASSERT_STRING_EQUAL((char *)data->value, "its value");
	CU_ASSERT_EQUAL(data->value_size, 10);
	CU_ASSERT_EQUAL(data->key_size, 4);
	CU_ASSERT_EQUAL(data->value_type, REG_SZ);
}

static void enumerate_fills_the_record(void)
{
	struct stand_in rig;
	rig_up(&rig);
	request(&rig, KVP_OP_ENUMERATE, KVP_POOL_AUTO);
	rig.in.body.kvp_enum_data.index = 5;
	strcpy(rig.answer.key, "OSName");
	strcpy(rig.answer.value, "Debian GNU/Linux");
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL(rig.out.error, HV_S_OK);
	CU_ASSERT_EQUAL(rig.index, 5);
	CU_ASSERT_EQUAL(rig.out.body.kvp_enum_data.index, 5);
	const struct hv_kvp_exchg_msg_value *data = &rig.out.body.kvp_enum_data.data;
	CU_ASSERT_STRING_EQUAL((const char *)data->key, "OSName");
	CU_ASSERT_STRING_EQUAL((const char *)data->value, "Debian GNU/Linux");
	CU_ASSERT_EQUAL(data->key_size, 7);
}

static void text_past_the_record_is_cut_at_a_character(void)
{
	struct stand_in rig;
	rig_up(&rig);
	request(&rig, KVP_OP_ENUMERATE, KVP_POOL_GUEST);
	/* 255 characters of three bytes: 765. 511 / 3 is 170, and a byte. */
	for (unsigned i = 0; i < 255; i++)
		memcpy(rig.answer.key + 3 * i, "\xef\xbf\xbd", 4);
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL(strlen((const char *)rig.out.body.kvp_enum_data.data.key), 510);
	CU_ASSERT_EQUAL(rig.out.body.kvp_enum_data.data.key_size, 511);
}

static void bad_records_reach_no_operation(void)
{
	struct stand_in rig;
	rig_up(&rig);
	CU_ASSERT_FALSE(kvp_device_on_record(&rig.device, &rig.in, sizeof rig.in - 1));
	CU_ASSERT_FALSE(kvp_device_on_record(&rig.device, &rig.in, 0));
	for (unsigned operation = KVP_OP_COUNT; operation < 256; operation++) {
		request(&rig, operation, 0);
		CU_ASSERT_TRUE(exchange(&rig));
		CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_ERROR_NOT_SUPPORTED);
	}
	for (unsigned pool = 4; pool < 256; pool++) {
		request(&rig, pool % 4, pool);
		CU_ASSERT_TRUE(exchange(&rig));
		CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_INVALIDARG);
	}
	static const unsigned by_key[] = {KVP_OP_GET, KVP_OP_SET, KVP_OP_DELETE};
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *key = by_key[i] == KVP_OP_DELETE ? rig.in.body.kvp_delete.key
							  : rig.in.body.kvp_set.data.key;
		request(&rig, by_key[i], 0); /* no key */
		CU_ASSERT_TRUE(exchange(&rig));
		CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_INVALIDARG);
		request(&rig, by_key[i], 0);
		memset(key, 'k', 512); /* no end */
		CU_ASSERT_TRUE(exchange(&rig));
		CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_INVALIDARG);
		request(&rig, by_key[i], 0);
		memset(key, 0xff, 2); /* no UTF-8 */
		CU_ASSERT_TRUE(exchange(&rig));
		CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_INVALIDARG);
	}
	CU_ASSERT_EQUAL(rig.calls, 0);
}

static void addresses_are_text_in_both_directions(void)
{
	struct stand_in rig;
	rig_up(&rig);
	request(&rig, KVP_OP_GET_IP_INFO, 0);
	text_put(rig.in.body.kvp_ip_val.adapter_id, "00:15:5D:01:02:03");
	rig.ip_answer = (struct kvp_ip){.family = KVP_FAMILY_BOTH,
		.is_dhcp = true,
		.address_count = 2,
		.gateway_count = 1,
		.addresses = {{.family = KVP_FAMILY_IPV4, .prefix = 24, .bytes = {192, 0, 2, 5}},
			{.family = KVP_FAMILY_IPV6, .prefix = 64, .bytes = {0xfe, 0x80, [15] = 1}}},
		.gateways = {{.family = KVP_FAMILY_IPV4, .prefix = 255, .bytes = {192, 0, 2, 1}}}};
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL(rig.out.error, HV_S_OK);
	CU_ASSERT_STRING_EQUAL(rig.ip.adapter, "00:15:5D:01:02:03");
	const struct hv_kvp_ipaddr_value *ip = &rig.out.body.kvp_ip_val;
	CU_ASSERT_STRING_EQUAL((const char *)ip->adapter_id, "00:15:5D:01:02:03");
	CU_ASSERT_EQUAL(ip->addr_family, 3);
	CU_ASSERT_EQUAL(ip->dhcp_enabled, 1);
	CU_ASSERT_STRING_EQUAL((const char *)ip->ip_addr, "192.0.2.5;fe80::1");
	CU_ASSERT_STRING_EQUAL((const char *)ip->sub_net, "255.255.255.0;/64");
	CU_ASSERT_STRING_EQUAL((const char *)ip->gate_way, "192.0.2.1");

	request(&rig, KVP_OP_SET_IP_INFO, 0);
	struct hv_kvp_ipaddr_value *set = &rig.in.body.kvp_ip_val;
	text_put(set->adapter_id, "{f8615163-df3e-46c5-913f-f2d2f965ed0e}");
	set->addr_family = ADDR_FAMILY_IPV4;
	text_put(set->ip_addr, "192.0.2.7;2001:db8::7");
	text_put(set->sub_net, "255.255.0.0;48");
	text_put(set->dns_addr, "192.0.2.53");
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL(rig.ip.address_count, 2);
	CU_ASSERT_EQUAL(rig.ip.addresses[0].prefix, 16);
	CU_ASSERT_EQUAL(rig.ip.addresses[1].prefix, 48);
	CU_ASSERT_EQUAL(rig.ip.dns_count, 1);

	rig.calls = 0;
	text_put(set->ip_addr, "192.0.2.7;`reboot`");
	text_put(set->sub_net, "255.255.0.0;255.255.0.0");
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_INVALIDARG);
	memset(set->gate_way, '1', sizeof set->gate_way);
	CU_ASSERT_TRUE(exchange(&rig));
	CU_ASSERT_EQUAL((uint32_t)rig.out.error, HV_INVALIDARG);
	CU_ASSERT_EQUAL(rig.calls, 0);
}

static void setting_is_answered_later_unless_the_kernel_has_given_up(void)
{
	struct stand_in rig;
	rig_up(&rig);
	request(&rig, KVP_OP_SET_IP_INFO, 0);
	rig.in.body.kvp_ip_val.dhcp_enabled = 1;
	rig.status = IC_GUEST_LATER;
	CU_ASSERT_FALSE(exchange(&rig));
	CU_ASSERT_TRUE(kvp_device_finish(&rig.device, IC_STATUS_NOT_FOUND));
	CU_ASSERT_EQUAL(rig.device.record.start.status, HV_GUID_NOTFOUND);
	CU_ASSERT_FALSE(kvp_device_finish(&rig.device, IC_STATUS_SUCCESS));

	CU_ASSERT_FALSE(exchange(&rig));
	rig.status = IC_STATUS_SUCCESS;
	request(&rig, KVP_OP_ENUMERATE, 2);
	CU_ASSERT_TRUE(exchange(&rig)); /* the next request */
	CU_ASSERT_FALSE(kvp_device_finish(&rig.device, IC_STATUS_SUCCESS));

	request(&rig, KVP_OP_SET_IP_INFO, 0);
	rig.status = IC_GUEST_LATER;
	CU_ASSERT_FALSE(exchange(&rig));
	kvp_device_reset(&rig.device);
	CU_ASSERT_FALSE(kvp_device_finish(&rig.device, IC_STATUS_SUCCESS));
}

static const struct test tests[] = {
	TEST(greeting_registers_and_the_version_is_kept),
	TEST(set_delete_get),
	TEST(enumerate_fills_the_record),
	TEST(text_past_the_record_is_cut_at_a_character),
	TEST(bad_records_reach_no_operation),
	TEST(addresses_are_text_in_both_directions),
	TEST(setting_is_answered_later_unless_the_kernel_has_given_up),
};

TEST_MAIN("kvp_device", tests)
