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

static enum conform_verdict kvp_short(struct conform_target *t)
{
	static const struct {
		uint8_t operation;
		uint16_t least;
	} rows[] = {{0, 2576}, {1, 2576}, {2, 520}, {3, 2580}, {4, 7428}, {5, 7428}};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = kvp_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (uint16_t bytes = 2; bytes < rows[i].least; bytes = (uint16_t)(bytes * 2 + 1)) {
			const uint32_t length = ic_request(stage, 2, bytes);
			stage->message[IC_AT_BODY] = rows[i].operation;
			EXPECT(ic_say(h, stage, length) == 1 && ic_status(stage) >= 0x80000000,
				"operation %u with %u bytes is taken", rows[i].operation, bytes);
		}
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
	ROW("R-KVP-034", "a short body is answered by a failure", kvp_short),
};
const size_t guest_kvp_test_count = sizeof guest_kvp_tests / sizeof guest_kvp_tests[0];
