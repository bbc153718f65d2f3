// SPDX-License-Identifier: Apache-2.0
/* Key-value pairs, guest side: kvp.md. */
#include "tests/conformance/guest_ic.h"
#include "tests/unit/kvp_guest.h"

#include <string.h>

static struct kvp_guest kvp_world;

static struct ic_stage *kvp_stage(struct conform_target *t)
{
	kvp_guest_init(&kvp_world);
	return ic_stage_agreed(t, &kvp_world.ic.ic, &guid_kvp, 3, 4, 0);
}

/* SET and GET: operation, pool, type at 4, sizes at 8 and 12, key at 16, value at 528. */
static void pair_body(
	uint8_t body[2580], uint8_t operation, uint8_t pool, const char *key, const char *value)
{
	memset(body, 0, 2580);
	body[0] = operation;
	body[1] = pool;
	put32(body + 4, 1); /* a string */
	put32(body + 8, (uint32_t)(2 * strlen(key) + 2));
	put32(body + 12, (uint32_t)(2 * strlen(value) + 2));
	ic_text_put(body + 16, 512, key);
	for (unsigned i = 0; value[i] != '\0'; i++)
		put16(body + 528 + 2 * i, (uint8_t)value[i]);
}

#define KVP_MAC	 "00:15:5D:01:02:03"
#define KVP_GUID "{00000000-0000-0000-0000-00000000000a}"

static void ip_body(
	uint8_t body[7428], const char *adapter, const char *addresses, const char *subnets)
{
	memset(body, 0, 7428);
	body[0] = 5;
	body[1] = 1; /* a pool, which means nothing */
	ic_text_put(body + 2, 256, adapter);
	body[258] = 3;
	ic_text_put(body + 260, 2048, addresses);
	ic_text_put(body + 2308, 2048, subnets);
}

static bool is_refused(struct conform_target *t, struct ic_stage *stage, const uint8_t *body)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint32_t length = ic_request(stage, 2, 2580);

	memcpy(stage->message + IC_AT_BODY, body, 2580);
	if (ic_say(h, stage, length) != 1)
		return conform_no(t, "it is not answered");
	return ic_status(stage) >= 0x80000000 || conform_no(t, "it is taken");
}

static enum conform_verdict kvp_round_trip(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	pair_body(body, 1, 0, "key", "value");
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
	pair_body(body, 0, 0, "key", "");
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
	const uint8_t *answer = stage->answer + IC_AT_BODY;
	EXPECT(get32(answer + 12) == 12 && get16(answer + 528) == 'v' && get16(answer + 536) == 'e',
		"the value that was set is not got");
	pair_body(body, 0, 3, "key", "");
	TRY(is_refused(t, stage, body)); /* another pool */
	memset(body, 0, sizeof body);
	body[0] = 3; /* enumerate: index at 4 */
	put32(body + 4, 1);
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_NO_MORE));
	put32(body + 4, 0xffffffff);
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_NO_MORE));
	return CONFORM_PASS;
}

static enum conform_verdict kvp_numbers(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (unsigned operation = 6; operation < 256; operation += 7) {
		pair_body(body, (uint8_t)operation, 0, "key", "value");
		TRY(is_refused(t, stage, body));
	}
	for (unsigned pool = 4; pool < 256; pool += 7)
		for (uint8_t operation = 0; operation < 4; operation++) {
			pair_body(body, operation, (uint8_t)pool, "key", "value");
			TRY(is_refused(t, stage, body));
		}
	return CONFORM_PASS;
}

static enum conform_verdict kvp_sizes(struct conform_target *t)
{
	static const uint32_t key_sizes[] = {0, 1, 3, 7, 513, 514, 0x10000, 0x80000000, 0xffffffff};
	static const uint32_t value_sizes[] = {1, 3, 2049, 2050, 0x10000, 0x80000000, 0xffffffff};
	static const uint32_t types[] = {0, 3, 5, 6, 7, 9, 10, 12, 0x101, 0xffffffff};
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof key_sizes / sizeof key_sizes[0]; i++) {
		pair_body(body, 1, 0, "key", "value");
		put32(body + 8, key_sizes[i]);
		TRY(is_refused(t, stage, body));
	}
	for (unsigned i = 0; i < sizeof value_sizes / sizeof value_sizes[0]; i++) {
		pair_body(body, 1, 0, "key", "value");
		put32(body + 12, value_sizes[i]);
		TRY(is_refused(t, stage, body));
	}
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		pair_body(body, 1, 0, "key", "value");
		put32(body + 4, types[i]);
		TRY(is_refused(t, stage, body));
	}
	EXPECT(kvp_world.counts[0] == 0, "one of them is set");
	return CONFORM_PASS;
}

static enum conform_verdict kvp_endless_texts(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	pair_body(body, 1, 0, "key", "value");
	memset(body + 16, 'a', 512);
	put32(body + 8, 512);
	TRY(is_refused(t, stage, body));
	pair_body(body, 1, 0, "key", "value");
	memset(body + 528, 'a', 2048);
	put32(body + 12, 2048);
	TRY(is_refused(t, stage, body));
	pair_body(body, 1, 0, "key", "value");
	put32(body + 8, 6); /* the NUL is behind the size */
	TRY(is_refused(t, stage, body));
	EXPECT(kvp_world.counts[0] == 0, "one of them is set");
	return CONFORM_PASS;
}

static enum conform_verdict kvp_widths(struct conform_target *t)
{
	static const uint32_t rows[][2] = {{4, 0}, {4, 2}, {4, 8}, {11, 4}, {11, 0}, {11, 16}};
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 6; i++) {
		pair_body(body, 1, 0, "key", "");
		put32(body + 4, rows[i][0]);
		put32(body + 12, rows[i][1]);
		TRY(is_refused(t, stage, body));
	}
	put32(body + 12, 8);
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
	return CONFORM_PASS;
}

/* Bodies that would do, but for their last byte and more. */
static enum conform_verdict kvp_short(struct conform_target *t)
{
	static const struct {
		uint8_t operation;
		uint16_t least;
	} rows[] = {{0, 2576}, {1, 2576}, {2, 520}, {3, 2580}, {4, 7428}, {5, 7428}};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[7428];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (uint16_t missing = 1; missing < rows[i].least - 1;
			missing = (uint16_t)(missing * 2 + 1)) {
			const uint16_t bytes = (uint16_t)(rows[i].least - missing);
			pair_body(body, rows[i].operation, 0, "key", "value");
			if (rows[i].operation == 2) {
				put32(body + 4, 8);
				ic_text_put(body + 8, 512, "key");
			} else if (rows[i].operation == 3) {
				memset(body + 1, 0, 20);
				body[1] = 2; /* the pool that has pairs */
			} else if (rows[i].operation >= 4) {
				ip_body(body, rows[i].operation == 4 ? KVP_MAC : KVP_GUID, "", "");
				body[0] = rows[i].operation;
			}
			const uint32_t length = ic_request(stage, 2, bytes);
			memcpy(stage->message + IC_AT_BODY, body, bytes);
			EXPECT(ic_say(h, stage, length) == 1 && ic_status(stage) == STATUS_INVALID,
				"operation %u with %u bytes is answered with 0x%x",
				rows[i].operation, bytes, ic_status(stage));
		}
	EXPECT(kvp_world.counts[0] == 0, "something is set");
	return CONFORM_PASS;
}

/* Half of a character in key or value. */
static enum conform_verdict kvp_halves(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (unsigned field = 16; field <= 528; field += 512)
		for (unsigned unit = 0xd800; unit < 0xe000; unit += 0xff) {
			pair_body(body, 1, 0, "key", "value");
			put16(body + field + 2, unit);
			TRY(is_refused(t, stage, body));
			put16(body + field + 4, 0xd900); /* two halves of the same kind */
			TRY(is_refused(t, stage, body));
		}
	EXPECT(kvp_world.counts[0] == 0, "one of them is set");
	pair_body(body, 1, 0, "key", "value");
	put16(body + 528 + 2, 0xd83d); /* and a whole one */
	put16(body + 528 + 4, 0xde00);
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
	EXPECT(strcmp(kvp_world.pairs[0][0].value, "v\xf0\x9f\x98\x80ue") == 0,
		"it is set as \"%s\"", kvp_world.pairs[0][0].value);
	pair_body(body, 0, 0, "key", "");
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
	const uint8_t *value = stage->answer + IC_AT_BODY + 528;
	EXPECT(get16(value + 2) == 0xd83d && get16(value + 4) == 0xde00, "it is got as 0x%x 0x%x",
		get16(value + 2), get16(value + 4));
	return CONFORM_PASS;
}

static enum conform_verdict kvp_pools(struct conform_target *t)
{
	static const char *const values[] = {"one", "two", NULL, "four"};
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (uint8_t pool = 0; pool < 4; pool++) {
		if (values[pool] == NULL)
			continue;
		pair_body(body, 1, pool, "key", "old");
		TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
		pair_body(body, 1, pool, "key", values[pool]);
		TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
	}
	for (uint8_t pool = 0; pool < 4; pool++) {
		if (values[pool] == NULL)
			continue;
		memset(body, 0, sizeof body);
		body[0] = 3;
		body[1] = pool;
		TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
		const uint8_t *answer = stage->answer + IC_AT_BODY;
		EXPECT(get32(answer + 12) == 8 &&
				get32(answer + 16) == 2 * strlen(values[pool]) + 2,
			"pool %u: sizes %u and %u", pool, get32(answer + 12), get32(answer + 16));
		EXPECT(get16(answer + 20) == 'k' && get16(answer + 532) == (uint8_t)values[pool][0],
			"pool %u has another pair", pool);
		put32(body + 4, 1);
		TRY(ic_answered(t, stage, 2, body, 2580, STATUS_NO_MORE));
	}
	return CONFORM_PASS;
}

/* DELETE: size of the key at 4, key at 8. */
static enum conform_verdict kvp_delete(struct conform_target *t)
{
	static const uint32_t sizes[] = {0, 1, 7, 6, 513, 514, 0x80000000, 0xffffffff};
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	pair_body(body, 1, 0, "key", "value");
	TRY(ic_answered(t, stage, 2, body, 2580, STATUS_OK));
	memset(body, 0, sizeof body);
	body[0] = 2;
	ic_text_put(body + 8, 512, "key");
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		put32(body + 4, sizes[i]);
		TRY(is_refused(t, stage, body));
	}
	EXPECT(kvp_world.counts[0] == 1, "the pair is gone");
	put32(body + 4, 8);
	TRY(ic_answered(t, stage, 2, body, 520, STATUS_OK));
	EXPECT(kvp_world.counts[0] == 0, "the pair is still there");
	TRY(ic_answered(t, stage, 2, body, 520, STATUS_NO_MORE));
	return CONFORM_PASS;
}

static enum conform_verdict kvp_behind(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[4000];

	TRY(stage != NULL);
	memset(body, 0xff, sizeof body);
	pair_body(body, 1, 0, "key", "value");
	TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_OK));
	pair_body(body, 0, 0, "key", "");
	TRY(ic_answered(t, stage, 2, body, 2576, STATUS_OK));
	EXPECT(get32(stage->answer + IC_AT_BODY + 12) == 12, "the value is not got");
	TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_OK));
	EXPECT(memcmp(stage->answer + IC_AT_BODY + 2580, body + 2580, sizeof body - 2580) == 0,
		"what is behind has changed");
	return CONFORM_PASS;
}

/* ---- addresses, as text and in binary ------------------------------------------------------- */

static enum conform_verdict kvp_ip_text(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[7428];

	TRY(stage != NULL);
	for (unsigned form = 0; form < 2; form++)
		for (unsigned pool = 0; pool < 256; pool += 51) {
			ip_body(body, KVP_GUID, "10.0.0.2;fe80::1",
				form ? "/24;/64" : "255.255.255.0;64");
			body[1] = (uint8_t)pool;
			memset(&kvp_world.ip, 0, sizeof kvp_world.ip);
			TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_OK));
			EXPECT(kvp_world.ip.address_count == 2 &&
					kvp_world.ip.addresses[0].prefix == 24 &&
					kvp_world.ip.addresses[1].prefix == 64,
				"form %u: %u addresses, prefixes %u and %u", form,
				kvp_world.ip.address_count, kvp_world.ip.addresses[0].prefix,
				kvp_world.ip.addresses[1].prefix);
		}
	memset(body, 0, sizeof body);
	body[0] = 4;
	ic_text_put(body + 2, 256, KVP_MAC);
	TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_OK));
	const uint8_t *answer = stage->answer + IC_AT_BODY;
	EXPECT(memcmp(answer + 2, body + 2, 256) == 0, "the answer has another adapter");
	EXPECT(get16(answer + 260) == '1' && get16(answer + 2308) == '2',
		"the addresses that were set are not got");
	return CONFORM_PASS;
}

static enum conform_verdict kvp_ip_refused(struct conform_target *t)
{
	static const char *const rows[][2] = {{"$(reboot)", "24"}, {"10.0.0.2;x", "24;24"},
		{"10.0.0.256", "24"}, {"010.0.0.2", "24"}, {"10.0.0.2\n", "24"},
		{"10.0.0.2", "255.0.255.0"}, {"10.0.0.2", "33"}, {"fe80::1", "129"},
		{"10.0.0.2;10.0.0.3", "24"}, {"10.0.0.2", "24;24"}, {"fe80::1%eth0", "64"}};
	static const uint16_t lists[][2] = {{260, 2048}, {2308, 2048}, {4356, 1024}, {5380, 2048}};
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[7428];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ip_body(body, KVP_GUID, rows[i][0], rows[i][1]);
		kvp_world.ip.address_count = 77;
		TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_INVALID));
		EXPECT(kvp_world.ip.address_count == 77, "case %u is set", i);
	}
	for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		ip_body(body, KVP_GUID, "", "");
		memset(body + lists[i][0], 'a', lists[i][1]); /* no NUL */
		TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_INVALID));
	}
	ip_body(body, KVP_GUID, "", "");
	memset(body + 2, '{', 256);
	TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_INVALID));
	EXPECT(kvp_world.ip.address_count == 77, "something is set");
	return CONFORM_PASS;
}

/* More than 64 addresses of a family, and than 5 gateways. */
static enum conform_verdict kvp_ip_lists(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[7428];
	static char list[2048];

	TRY(stage != NULL);
	for (unsigned count = 64; count <= 65; count++) {
		unsigned at = 0;
		for (unsigned i = 0; i < count; i++)
			at += (unsigned)snprintf(list + at, sizeof list - at, "10.0.0.%u;", i);
		ip_body(body, KVP_GUID, "", "");
		ic_text_put(body + 5380, 2048, list); /* DNS */
		kvp_world.ip.dns_count = 0;
		TRY(ic_answered(
			t, stage, 2, body, sizeof body, count == 64 ? STATUS_OK : STATUS_INVALID));
		EXPECT(kvp_world.ip.dns_count == (count == 64 ? 64 : 0), "of %u servers %u are set",
			count, kvp_world.ip.dns_count);
	}
	ip_body(body, KVP_GUID, "", "");
	ic_text_put(body + 4356, 1024, "10.0.0.1;10.0.0.2;10.0.0.3;10.0.0.4;10.0.0.5;10.0.0.6");
	TRY(ic_answered(t, stage, 2, body, sizeof body, STATUS_INVALID));
	return CONFORM_PASS;
}

/* Counts at 4 to 24; adapter at 28, family at 284, addresses at 288, masks at 1568. */
static enum conform_verdict kvp_ip_binary(struct conform_target *t)
{
	static const uint32_t most[] = {64, 64, 5, 5, 64, 64};
	static const uint32_t wrong[] = {0x80000000, 0xffffffff, 0x10000, 256};
	static uint8_t body[7428];
	struct scripted_host *h = scripted_host_of(t);

	kvp_guest_init(&kvp_world);
	struct ic_stage *stage = ic_stage_agreed(t, &kvp_world.ic.ic, &guid_kvp, 3, 5, 0);
	TRY(stage != NULL);
	body[0] = 5;
	ic_text_put(body + 28, 256, KVP_GUID);
	body[284] = 1;
	put32(body + 4, 1);
	memcpy(body + 288, (const uint8_t[]){10, 0, 0, 2}, 4);
	memcpy(body + 1568, (const uint8_t[]){255, 255, 255, 0}, 4);
	TRY(ic_answered(t, stage, 2, body, 3716, STATUS_OK));
	EXPECT(kvp_world.ip.address_count == 1 && kvp_world.ip.addresses[0].prefix == 24,
		"%u addresses, prefix %u", kvp_world.ip.address_count,
		kvp_world.ip.addresses[0].prefix);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned n = 0; n < 5; n++) {
			put32(body + 4 + 4 * i, n == 0 ? most[i] + 1 : wrong[n - 1]);
			kvp_world.ip.address_count = 77;
			TRY(ic_answered(t, stage, 2, body, 3716, STATUS_INVALID));
			EXPECT(kvp_world.ip.address_count == 77, "list %u with 0x%x is set", i,
				get32(body + 4 + 4 * i));
			put32(body + 4 + 4 * i, i == 0);
		}
	EXPECT(ic_say(h, stage, ic_request(stage, 2, 3715)) == 1 && ic_status(stage) >= 0x80000000,
		"3715 bytes are taken");
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, 0, 0, 0                                                          \
	}

const struct conform_test guest_kvp_tests[] = {
	ROW("R-KVP-022", "what was set is got, in its pool", kvp_round_trip),
	ROW("R-KVP-003", "an index past the last is answered by no more items", kvp_round_trip),
	ROW("R-KVP-019", "unknown operations and pools are refused", kvp_numbers),
	ROW("R-KVP-014", "impossible sizes and types are refused", kvp_sizes),
	ROW("R-KVP-015", "texts without an end are refused", kvp_endless_texts),
	ROW("R-KVP-008", "numbers have their width", kvp_widths),
	ROW("R-KVP-016", "halves of characters are refused", kvp_halves),
	ROW("R-KVP-009", "the same key in two pools is two pairs", kvp_pools),
	ROW("R-KVP-032", "a set gives the key its new value", kvp_pools),
	ROW("R-KVP-005", "what was set is enumerated in its pool", kvp_pools),
	ROW("R-KVP-014", "a delete with an impossible size is refused", kvp_delete),
	ROW("R-KVP-006", "a delete of what is not there is answered by no more items", kvp_delete),
	ROW("R-KVP-034", "a short body is answered by a failure", kvp_short),
	ROW("R-KVP-034", "what is behind a body is ignored", kvp_behind),
	ROW("R-KVP-026", "a prefix may be a mask, or a length, with or without a slash",
		kvp_ip_text),
	ROW("R-KVP-027", "a pool means nothing where addresses are", kvp_ip_text),
	ROW("R-KVP-028", "addresses are answered with the same adapter", kvp_ip_text),
	ROW("R-KVP-018", "what is no address is not set", kvp_ip_refused),
	ROW("R-KVP-017", "lists that are too long are refused", kvp_ip_lists),
	ROW("R-KVP-017", "counts that are too high are refused", kvp_ip_binary),
};
const size_t guest_kvp_test_count = sizeof guest_kvp_tests / sizeof guest_kvp_tests[0];
