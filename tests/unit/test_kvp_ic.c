// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange, guest side: the bytes of requests and answers, what is refused, and
 * answers that come later. Expected bytes are those of linux/hyperv.h and of recordings.
 */
#include "guest/ic_daemons/kvp_ic.h"
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#define BODY 28 /* pipe header and IC header */

struct stand_in {
	struct kvp_ic kvp;
	unsigned calls;
	uint8_t pool;
	uint32_t index;
	struct kvp_item item; /* of SET, and key of GET and DELETE */
	struct kvp_ip ip;     /* of SET_IP; adapter of GET_IP */
	uint32_t status;
	struct kvp_item answer;
	struct kvp_ip ip_answer;
	uint8_t bytes[IC_PAYLOAD_MAX_BYTES];
	uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	size_t reply_len;
	uint8_t sent[IC_PAYLOAD_MAX_BYTES];
	size_t sent_len;
};

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
	rig->calls++;
	rig->ip = *ip;
	if (rig->status == IC_STATUS_SUCCESS) {
		struct kvp_ip answer = rig->ip_answer;
		snprintf(answer.adapter, sizeof answer.adapter, "%s", ip->adapter);
		*ip = answer;
	}
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

static void later_sent(void *transport, const void *reply, size_t len)
{
	struct stand_in *rig = transport;
	memcpy(rig->sent, reply, len);
	rig->sent_len = len;
}

static void u16_put(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void u32_put(uint8_t *at, uint32_t value)
{
	u16_put(at, value & 0xffff);
	u16_put(at + 2, value >> 16);
}

static uint32_t u32_get(const uint8_t *at)
{
	return (uint32_t)(at[0] | at[1] << 8 | at[2] << 16) | (uint32_t)at[3] << 24;
}

/* ASCII as UTF-16LE with a NUL. Returns its bytes. */
static unsigned wide(uint8_t *at, const char *text)
{
	unsigned i = 0;
	for (; text[i] != '\0'; i++)
		u16_put(at + 2 * i, (unsigned char)text[i]);
	u16_put(at + 2 * i, 0);
	return 2 * i + 2;
}

static bool is_wide(const uint8_t *at, const char *text)
{
	uint8_t expected[8192];
	unsigned bytes = wide(expected, text);
	return memcmp(at, expected, bytes) == 0;
}

static void hand_over(struct stand_in *rig, size_t len)
{
	(void)ic_guest_on_packet(
		&rig->kvp.ic, rig->bytes, len, rig->reply, sizeof rig->reply, &rig->reply_len);
}

/* The host offers one message version; framework 3.0. */
static void negotiate(struct stand_in *rig, unsigned major)
{
	static const uint8_t packet[] = {
		1, 0, 0, 0, 0x24, 0, 0, 0,	 /* pipe: 36 bytes */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0,	 /* framework, type 0, message */
		0x10, 0, 0, 0, 0, 0, 0, 3, 0, 0, /* 16 bytes, status, transaction 0, flags 3 */
		1, 0, 1, 0, 0, 0, 0, 0,		 /* one and one */
		3, 0, 0, 0, 0xff, 0, 0, 0,	 /* 3.0, and the message version */
	};
	memcpy(rig->bytes, packet, sizeof packet);
	rig->bytes[40] = (uint8_t)major;
	hand_over(rig, sizeof packet);
}

static void rig_up(struct stand_in *rig, unsigned major)
{
	memset(rig, 0, sizeof *rig);
	kvp_ic_init(&rig->kvp, &ops, rig);
	ic_guest_attach(&rig->kvp.ic, later_sent, rig);
	negotiate(rig, major);
	CU_ASSERT_TRUE(rig->kvp.ic.is_negotiated);
	rig->answer.type = KVP_TYPE_STRING;
}

/* A request around a body of `bytes`, zeros but for operation and pool. Returns the body. */
static uint8_t *request(struct stand_in *rig, unsigned bytes, unsigned operation, unsigned pool)
{
	memset(rig->bytes, 0, sizeof rig->bytes);
	u32_put(rig->bytes, 1);
	u32_put(rig->bytes + 4, 20 + bytes);
	u16_put(rig->bytes + 8, 3);
	u16_put(rig->bytes + 12, 2); /* KVP */
	u16_put(rig->bytes + 14, 4);
	u16_put(rig->bytes + 18, bytes);
	rig->bytes[25] = 3;
	rig->bytes[BODY] = (uint8_t)operation;
	rig->bytes[BODY + 1] = (uint8_t)pool;
	return rig->bytes + BODY;
}

static uint32_t status_of(struct stand_in *rig, unsigned bytes)
{
	rig->reply_len = 0;
	hand_over(rig, BODY + bytes);
	if (rig->reply_len != BODY + bytes || rig->reply[25] != 5)
		return 0xdead;
	return u32_get(rig->reply + 20);
}

static void each_version_is_agreed(void)
{
	static const unsigned majors[] = {1, 3, 4, 5};
	struct stand_in rig;
	for (size_t i = 0; i < 4; i++) {
		rig_up(&rig, majors[i]);
		CU_ASSERT_EQUAL(rig.reply[28], 1); /* counts 1/1 */
		CU_ASSERT_EQUAL(rig.reply[30], 1);
		CU_ASSERT_EQUAL(rig.reply[40], majors[i]);
	}
	memset(&rig, 0, sizeof rig);
	kvp_ic_init(&rig.kvp, &ops, &rig);
	negotiate(&rig, 2);
	CU_ASSERT_FALSE(rig.kvp.ic.is_negotiated);
}

/* devices: enumerate index 5 of the auto pool, and its answer. */
static void enumerate_answers_as_a_recorded_guest(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	strcpy(rig.answer.key, "OSName");
	strcpy(rig.answer.value, "Linux");
	uint8_t *body = request(&rig, 2580, 3, 2);
	u32_put(body + 4, 5);
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_EQUAL(rig.pool, 2);
	CU_ASSERT_EQUAL(rig.index, 5);
	static const uint8_t start[] = {3, 2, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0x0e, 0, 0, 0, 0x0c, 0,
		0, 0, 'O', 0, 'S', 0, 'N', 0, 'a', 0, 'm', 0, 'e', 0, 0, 0};
	static const uint8_t value[] = {'L', 0, 'i', 0, 'n', 0, 'u', 0, 'x', 0, 0, 0};
	static const uint8_t zeros[2048];
	CU_ASSERT_EQUAL(memcmp(rig.reply + BODY, start, sizeof start), 0);
	CU_ASSERT_EQUAL(memcmp(rig.reply + BODY + sizeof start, zeros, 498), 0);
	CU_ASSERT_EQUAL(memcmp(rig.reply + BODY + 532, value, sizeof value), 0);
	CU_ASSERT_EQUAL(memcmp(rig.reply + BODY + 544, zeros, 2036), 0);

	rig.status = IC_STATUS_NO_MORE_ITEMS;
	(void)request(&rig, 2580, 3, 2);
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0x80070103);
}

static void set_takes_each_type(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	uint8_t *body = request(&rig, 2580, 1, 0);
	u32_put(body + 4, 1);
	u32_put(body + 8, wide(body + 16, "key"));
	u32_put(body + 12, wide(body + 528, "text"));
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_EQUAL(rig.pool, 0);
	CU_ASSERT_STRING_EQUAL(rig.item.key, "key");
	CU_ASSERT_STRING_EQUAL(rig.item.value, "text");
	CU_ASSERT_EQUAL(memcmp(rig.reply + BODY, rig.bytes + BODY, 2580), 0); /* echoed */

	static const uint8_t number[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	memset(body + 528, 0, 64);
	memcpy(body + 528, number, 8);
	u32_put(body + 4, 4);
	u32_put(body + 12, 4);
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_STRING_EQUAL(rig.item.value, "4294967295");
	u32_put(body + 4, 11);
	u32_put(body + 12, 8);
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_STRING_EQUAL(rig.item.value, "18446744073709551615");
	CU_ASSERT_EQUAL(rig.calls, 3);
}

/* R-KVP-006. */
static void get_and_delete_by_key(void)
{
	struct stand_in rig;
	rig_up(&rig, 3);
	strcpy(rig.answer.key, "a");
	strcpy(rig.answer.value, "\xc3\xa9"); /* U+00E9 */
	uint8_t *body = request(&rig, 2580, 0, 1);
	u32_put(body + 8, wide(body + 16, "a"));
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_EQUAL(rig.pool, 1);
	CU_ASSERT_STRING_EQUAL(rig.item.key, "a");
	CU_ASSERT_EQUAL(u32_get(rig.reply + BODY + 4), 1);
	CU_ASSERT_EQUAL(u32_get(rig.reply + BODY + 12), 4);
	CU_ASSERT_EQUAL(u32_get(rig.reply + BODY + 528), 0xe9);

	body = request(&rig, 2580, 2, 3);
	u32_put(body + 4, wide(body + 8, "gone"));
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_EQUAL(rig.pool, 3);
	CU_ASSERT_STRING_EQUAL(rig.item.key, "gone");
	rig.status = IC_STATUS_NO_MORE_ITEMS;
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0x80070103);
}

/* Refused with an error, counted, and no operation called. */
static void expect_refused(
	struct stand_in *rig, unsigned bytes, uint32_t status, enum kvp_reason reason)
{
	uint64_t before = rig->kvp.refused[reason];
	rig->calls = 0;
	CU_ASSERT_EQUAL(status_of(rig, bytes), status);
	CU_ASSERT_EQUAL(rig->calls, 0);
	CU_ASSERT_EQUAL(rig->kvp.refused[reason], before + 1);
}

/* R-KVP-019. */
static void what_breaks_a_rule_reaches_no_operation(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	for (unsigned operation = 6; operation < 256; operation++) {
		(void)request(&rig, 2580, operation, 0);
		expect_refused(&rig, 2580, 0x80070032, KVP_BAD_OPERATION);
	}
	for (unsigned pool = 4; pool < 256; pool++) {
		(void)request(&rig, 2580, pool % 4, pool);
		expect_refused(&rig, 2580, 0x80070057, KVP_BAD_POOL);
	}
	static const unsigned needs[] = {2576, 2576, 520, 2580, 7428, 7428};
	for (unsigned operation = 0; operation < 6; operation++) {
		(void)request(&rig, needs[operation] - 1, operation, 0);
		expect_refused(&rig, needs[operation] - 1, 0x80070057, KVP_BAD_SIZE);
	}
	static const struct {
		uint32_t type, key_bytes, value_bytes;
		enum kvp_reason reason;
	} bad[] = {
		{1, 0, 4, KVP_BAD_KEY_SIZE},
		{1, 3, 4, KVP_BAD_KEY_SIZE},
		{1, 514, 4, KVP_BAD_KEY_SIZE},
		{1, 0xffffffff, 4, KVP_BAD_KEY_SIZE},
		{1, 4, 2050, KVP_BAD_VALUE_SIZE},
		{1, 4, 5, KVP_BAD_VALUE_SIZE},
		{4, 4, 8, KVP_BAD_VALUE_SIZE},
		{11, 4, 4, KVP_BAD_VALUE_SIZE},
		{3, 4, 4, KVP_BAD_TYPE},
		{1, 2, 4, KVP_BAD_END},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t *body = request(&rig, 2580, 1, 0);
		u32_put(body + 4, bad[i].type);
		u32_put(body + 8, bad[i].key_bytes);
		u32_put(body + 12, bad[i].value_bytes);
		(void)wide(body + 16, "k");
		(void)wide(body + 528, "v");
		expect_refused(&rig, 2580, 0x80070057, bad[i].reason);
	}
}

static void strings_without_end_or_sense_are_refused(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	/* A key of 256 units without a NUL: what follows it is the value. */
	uint8_t *body = request(&rig, 2580, 1, 0);
	memset(body + 16, 'k', 512);
	u32_put(body + 4, 1);
	u32_put(body + 8, 512);
	u32_put(body + 12, 2);
	expect_refused(&rig, 2580, 0x80070057, KVP_BAD_END);
	/* Half of a pair. */
	body = request(&rig, 2580, 2, 0);
	u32_put(body + 4, 4);
	u16_put(body + 8, 0xd800);
	expect_refused(&rig, 2580, 0x80070057, KVP_BAD_TEXT);
	body = request(&rig, 2580, 0, 0);
	u32_put(body + 8, 2);
	expect_refused(&rig, 2580, 0x80070057, KVP_EMPTY_KEY);
}

static void longest_key_and_value_pass(void)
{
	struct stand_in rig;
	char key[256], value[1024];
	rig_up(&rig, 4);
	memset(key, 'k', 255);
	memset(value, 'v', 1023);
	key[255] = value[1023] = '\0';
	uint8_t *body = request(&rig, 2580, 1, 0);
	u32_put(body + 4, 1);
	u32_put(body + 8, wide(body + 16, key));
	u32_put(body + 12, wide(body + 528, value));
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_STRING_EQUAL(rig.item.key, key);
	CU_ASSERT_STRING_EQUAL(rig.item.value, value);
	snprintf(rig.answer.key, sizeof rig.answer.key, "%s", key);
	snprintf(rig.answer.value, sizeof rig.answer.value, "%s", value);
	(void)request(&rig, 2580, 3, 0);
	CU_ASSERT_EQUAL(status_of(&rig, 2580), 0);
	CU_ASSERT_EQUAL(u32_get(rig.reply + BODY + 12), 512);
	CU_ASSERT_EQUAL(u32_get(rig.reply + BODY + 16), 2048);
}

static const struct kvp_address v4 = {.family = KVP_FAMILY_IPV4,
	.prefix = 24,
	.origin = KVP_ORIGIN_STATIC,
	.bytes = {192, 0, 2, 5}};
static const struct kvp_address v6 = {.family = KVP_FAMILY_IPV6,
	.prefix = 64,
	.origin = KVP_ORIGIN_OTHER,
	.bytes = {0xfe, 0x80, [15] = 1}};

static void addresses_as_text(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	rig.ip_answer = (struct kvp_ip){.family = KVP_FAMILY_BOTH,
		.is_dhcp = true,
		.address_count = 2,
		.gateway_count = 1,
		.dns_count = 1,
		.addresses = {v4, v6},
		.gateways = {v4},
		.dns = {v4}};
	uint8_t *body = request(&rig, 7428, 4, 0);
	(void)wide(body + 2, "00:15:5D:01:02:03");
	CU_ASSERT_EQUAL(status_of(&rig, 7428), 0);
	CU_ASSERT_STRING_EQUAL(rig.ip.adapter, "00:15:5D:01:02:03");
	const uint8_t *answer = rig.reply + BODY;
	CU_ASSERT_EQUAL(answer[0], 4);
	CU_ASSERT_TRUE(is_wide(answer + 2, "00:15:5D:01:02:03"));
	CU_ASSERT_EQUAL(answer[258], 3);
	CU_ASSERT_EQUAL(answer[259], 1);
	CU_ASSERT_TRUE(is_wide(answer + 260, "192.0.2.5;fe80::1"));
	CU_ASSERT_TRUE(is_wide(answer + 2308, "255.255.255.0;/64"));
	CU_ASSERT_TRUE(is_wide(answer + 4356, "192.0.2.5"));
	CU_ASSERT_TRUE(is_wide(answer + 5380, "192.0.2.5"));
	rig.status = IC_STATUS_NOT_FOUND;
	CU_ASSERT_EQUAL(status_of(&rig, 7428), 0x80041002);
}

static void more_addresses_than_the_text_holds_are_left_out(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	rig.ip_answer.family = KVP_FAMILY_IPV6;
	rig.ip_answer.address_count = 64;
	for (unsigned i = 0; i < 64; i++) {
		rig.ip_answer.addresses[i] = v6;
		memset(rig.ip_answer.addresses[i].bytes, 0xab, 16);
		rig.ip_answer.addresses[i].bytes[15] = (uint8_t)i;
	}
	(void)request(&rig, 7428, 4, 0);
	CU_ASSERT_EQUAL(status_of(&rig, 7428), 0);
	/* 39 characters and a separator each: 25 fit into 1,023. */
	CU_ASSERT_TRUE(is_wide(
		rig.reply + BODY + 260 + 24 * 80, "abab:abab:abab:abab:abab:abab:abab:ab18"));
}

static void addresses_in_binary(void)
{
	struct stand_in rig;
	rig_up(&rig, 5);
	rig.ip_answer = (struct kvp_ip){
		.family = KVP_FAMILY_BOTH, .address_count = 2, .addresses = {v4, v6}};
	uint8_t *body = request(&rig, 7428, 4, 0);
	(void)wide(body + 28, "{f8615163-df3e-46c5-913f-f2d2f965ed0e}");
	CU_ASSERT_EQUAL(status_of(&rig, 7428), 0);
	CU_ASSERT_STRING_EQUAL(rig.ip.adapter, "{f8615163-df3e-46c5-913f-f2d2f965ed0e}");
	const uint8_t *answer = rig.reply + BODY;
	CU_ASSERT_EQUAL(u32_get(answer + 4), 1);
	CU_ASSERT_EQUAL(u32_get(answer + 8), 1);
	CU_ASSERT_EQUAL(answer[284], 3);
	CU_ASSERT_EQUAL(memcmp(answer + 288, v4.bytes, 4), 0);
	CU_ASSERT_EQUAL(memcmp(answer + 544, v6.bytes, 16), 0);
	CU_ASSERT_EQUAL(u32_get(answer + 1568), 0x00ffffff);
	CU_ASSERT_EQUAL(u32_get(answer + 1824), 64);

	/* SET, and one address more than there is room for. */
	body = request(&rig, 7428, 5, 0);
	memcpy(body, answer, 3716);
	body[0] = 5;
	CU_ASSERT_EQUAL(status_of(&rig, 7428), 0);
	CU_ASSERT_EQUAL(rig.ip.address_count, 2);
	u32_put(body + 8, 65);
	expect_refused(&rig, 7428, 0x80070057, KVP_BAD_COUNT);
}

static void setting_refuses_what_is_no_address(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	uint8_t *body = request(&rig, 7428, 5, 0);
	body[258] = 1;
	(void)wide(body + 260, "192.0.2.5;$(reboot)");
	(void)wide(body + 2308, "255.255.255.0;255.255.255.0");
	expect_refused(&rig, 7428, 0x80070057, KVP_BAD_ADDRESS);
}

static uint32_t set_ip_begin(struct stand_in *rig)
{
	uint8_t *body = request(rig, 7428, 5, 0);
	body[258] = 1;
	(void)wide(body + 260, "192.0.2.5");
	(void)wide(body + 2308, "255.255.255.0");
	rig->status = IC_GUEST_LATER;
	return status_of(rig, 7428);
}

static void setting_is_answered_when_it_is_done(void)
{
	struct stand_in rig;
	rig_up(&rig, 4);
	CU_ASSERT_EQUAL(set_ip_begin(&rig), 0xdead);
	CU_ASSERT_EQUAL(rig.reply_len, 0);
	kvp_ic_finish(&rig.kvp, IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(rig.sent_len, BODY + 7428);
	CU_ASSERT_EQUAL(u32_get(rig.sent + 20), 0x80004005);
	CU_ASSERT_EQUAL(rig.sent[25], 5);
	rig.sent_len = 0;
	kvp_ic_finish(&rig.kvp, IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(rig.sent_len, 0);

	/* The host negotiates anew: what is done then concerns nobody. */
	CU_ASSERT_EQUAL(set_ip_begin(&rig), 0xdead);
	negotiate(&rig, 4);
	kvp_ic_finish(&rig.kvp, IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(rig.sent_len, 0);
}

/* R-KVP-027. */
static void pool_of_addresses_means_nothing(void)
{
	static const uint8_t pools[] = {0, 1, 2, 3, 4, 255};
	struct stand_in rig;
	rig_up(&rig, 4);
	rig.ip_answer = (struct kvp_ip){
		.family = KVP_FAMILY_IPV4, .address_count = 1, .addresses = {v4}};
	for (size_t i = 0; i < sizeof pools; i++) {
		uint8_t *body = request(&rig, 7428, 4, pools[i]);
		(void)wide(body + 2, "00:15:5D:01:02:03");
		CU_ASSERT_EQUAL(status_of(&rig, 7428), 0);
		CU_ASSERT_TRUE(is_wide(rig.reply + BODY + 260, "192.0.2.5"));
		body = request(&rig, 7428, 5, pools[i]);
		body[258] = 1;
		(void)wide(body + 260, "192.0.2.5");
		(void)wide(body + 2308, "255.255.255.0");
		CU_ASSERT_EQUAL(status_of(&rig, 7428), 0);
		CU_ASSERT_EQUAL(rig.ip.address_count, 1);
	}
}

static const struct test tests[] = {
	TEST(each_version_is_agreed),
	TEST(enumerate_answers_as_a_recorded_guest),
	TEST(set_takes_each_type),
	TEST(get_and_delete_by_key),
	TEST(what_breaks_a_rule_reaches_no_operation),
	TEST(strings_without_end_or_sense_are_refused),
	TEST(longest_key_and_value_pass),
	TEST(addresses_as_text),
	TEST(more_addresses_than_the_text_holds_are_left_out),
	TEST(addresses_in_binary),
	TEST(setting_refuses_what_is_no_address),
	TEST(setting_is_answered_when_it_is_done),
	TEST(pool_of_addresses_means_nothing),
};

TEST_MAIN("kvp_ic", tests)
