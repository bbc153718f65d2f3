// SPDX-License-Identifier: Apache-2.0
/* GPADLs: streams, however they are cut, ids, ranges, teardown. On the first offer. */
#include "tests/conformance/conform_areas.h"

#define PAGES(bytes) (((bytes) + VMBUS_PAGE_BYTES - 1) / VMBUS_PAGE_BYTES)
#define BEGIN                                                                                      \
	TRY(conform_bus_offers(t));                                                                \
	NEED(t->bus.offer_count > 0, "there are no offers");                                       \
	const uint32_t relid = t->bus.offers[0].relid;                                             \
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);                        \
	const uint64_t pfn = page.gpa / WINHV_PAGE_BYTES;                                          \
	const uint32_t id = conform_gpadl_id(t);                                                   \
	uint32_t status;                                                                           \
	(void)relid, (void)pfn, (void)id, (void)status

/* Send these words as one whole stream; it must be answered so. */
static bool answered(struct conform_target *t, uint32_t relid, uint32_t id, const uint64_t *words,
	unsigned count, uint16_t ranges, bool is_good, const char *what)
{
	uint32_t status;

	if (!conform_gpadl_send(t, relid, id, (uint16_t)(8 * count), ranges, words, count,
		    VMBUS_GPADL_BODY_U64_MAX) ||
		!conform_gpadl_created(t, relid, id, &status))
		return false;
	return (status == VMBUS_STATUS_SUCCESS) == is_good ||
	       conform_no(t, "%s: status 0x%x", what, status);
}

static enum conform_verdict created(struct conform_target *t)
{
	BEGIN;
	TRY(conform_gpadl_make(t, relid, id, &page));
	TRY(conform_bus_quiet(t, "a GPADL that was answered"));
	return CONFORM_PASS;
}

/* 60 pages: the same page over and over, which is legal. */
static enum conform_verdict split(struct conform_target *t)
{
	uint64_t words[61];
	BEGIN;
	words[0] = (uint64_t)60 * VMBUS_PAGE_BYTES;
	for (unsigned i = 1; i < 61; i++)
		words[i] = pfn;
	for (unsigned per_body = 1; per_body <= VMBUS_GPADL_BODY_U64_MAX; per_body += 9) {
		const uint32_t one = conform_gpadl_id(t);
		TRY(conform_gpadl_send(t, relid, one, sizeof words, 1, words, 61, per_body));
		TRY(conform_gpadl_created(t, relid, one, &status));
		EXPECT(status == VMBUS_STATUS_SUCCESS, "bodies of %u words: status 0x%x", per_body,
			status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict no_early_answer(struct conform_target *t)
{
	uint64_t words[41];
	BEGIN;
	words[0] = (uint64_t)40 * VMBUS_PAGE_BYTES;
	for (unsigned i = 1; i < 41; i++)
		words[i] = pfn;
	TRY(conform_gpadl_send(t, relid, id, sizeof words, 1, words, 27, 28));
	TRY(conform_bus_quiet(t, "the begin of a GPADL"));
	TRY(conform_gpadl_body(t, id, words + 27, 13));
	TRY(conform_bus_quiet(t, "all words of a GPADL but one"));
	TRY(conform_gpadl_body(t, id, words + 40, 1));
	TRY(conform_gpadl_created(t, relid, id, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "status 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict beyond_length(struct conform_target *t)
{
	BEGIN;
	const uint64_t words[6] = {page.bytes, pfn, 0xdead, 0xbeef, 0xffffffffffffffff, 7};
	TRY(conform_gpadl_send(t, relid, id, 16, 1, words, 6, 28));
	TRY(conform_gpadl_created(t, relid, id, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "status 0x%x", status);
	return CONFORM_PASS;
}

#define RANGE(bytes, offset) ((uint64_t)(bytes) | (uint64_t)(offset) << 32)

static enum conform_verdict bad_ranges(struct conform_target *t)
{
	BEGIN;
	const struct {
		uint64_t words[3];
		unsigned count;
		uint16_t ranges;
		const char *what;
	} streams[] = {
		{{RANGE(0, 0), pfn}, 2, 1, "a range without bytes"},
		{{RANGE(16, 4096), pfn, pfn}, 3, 1, "an offset of 4096"},
		{{RANGE(16, 0xffffffff), pfn}, 2, 1, "an offset of 2^32 - 1"},
		{{RANGE(8192, 0), pfn}, 2, 1, "fewer pages than needed"},
		{{RANGE(4096, 1), pfn}, 2, 1, "an offset that needs another page"},
		{{RANGE(0xffffffff, 4095), pfn, pfn}, 3, 1, "a sum that overflows"},
		{{RANGE(4096, 0), pfn}, 2, 2, "fewer ranges than announced"},
		{{RANGE(4096, 0)}, 1, 1, "no page at all"},
	};
	for (unsigned i = 0; i < sizeof streams / sizeof streams[0]; i++)
		TRY(answered(t, relid, conform_gpadl_id(t), streams[i].words, streams[i].count,
			streams[i].ranges, false, streams[i].what));
	return CONFORM_PASS;
}

static enum conform_verdict words_behind(struct conform_target *t)
{
	BEGIN;
	const uint64_t words[4] = {page.bytes, pfn, 1, 2};
	TRY(answered(t, relid, id, words, 4, 1, true, "words behind the last range"));
	return CONFORM_PASS;
}

static enum conform_verdict largest(struct conform_target *t)
{
	static const unsigned pages = VMBUS_GPADL_PAGES_MAX;
	BEGIN;
	const struct winhv_pages list = conform_pages(t, PAGES((pages + 1) * 8) * VMBUS_PAGE_BYTES);
	uint64_t *words = (uint64_t *)(void *)list.va;
	NEED(words != NULL, "there is no memory for the list");
	words[0] = (uint64_t)pages * VMBUS_PAGE_BYTES;
	for (unsigned i = 0; i < pages; i++)
		words[1 + i] = pfn;
	TRY(conform_gpadl_send(t, relid, id, VMBUS_GPADL_BYTES_MAX, 1, words, pages + 1, 28));
	TRY(conform_gpadl_created(t, relid, id, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "8190 pages: status 0x%x", status);
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_gpadl_torndown(t, id));
	return CONFORM_PASS;
}

static enum conform_verdict odd_length(struct conform_target *t)
{
	BEGIN;
	const uint64_t words[3] = {page.bytes, pfn, 0};
	TRY(conform_gpadl_send(t, relid, id, 20, 1, words, 3, 28));
	TRY(conform_gpadl_created(t, relid, id, &status)); /* either status */
	return CONFORM_PASS;
}

static enum conform_verdict no_relid(struct conform_target *t)
{
	static const uint32_t relids[] = {0, 2046, 2047, 2048, 0x10000, 0xffffffff};
	BEGIN;
	const uint64_t words[2] = {page.bytes, pfn};
	for (unsigned i = 0; i < sizeof relids / sizeof relids[0]; i++)
		TRY(answered(t, relids[i], conform_gpadl_id(t), words, 2, 1, false,
			"a relid that is not offered"));
	return CONFORM_PASS;
}

static enum conform_verdict same_id(struct conform_target *t)
{
	BEGIN;
	const uint64_t words[2] = {page.bytes, pfn};
	TRY(conform_gpadl_make(t, relid, id, &page));
	TRY(answered(t, relid, id, words, 2, 1, false, "an id that exists"));
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_gpadl_torndown(t, id));
	return CONFORM_PASS;
}

static enum conform_verdict same_id_in_progress(struct conform_target *t)
{
	uint64_t words[41];
	BEGIN;
	const uint64_t other[2] = {page.bytes, pfn};
	words[0] = (uint64_t)40 * VMBUS_PAGE_BYTES;
	for (unsigned i = 1; i < 41; i++)
		words[i] = pfn;
	TRY(conform_gpadl_send(t, relid, id, sizeof words, 1, words, 27, 28));
	TRY(answered(t, relid, id, other, 2, 1, false, "an id in progress"));
	if (t->bus.offer_count > 1) /* bodies name no channel */
		TRY(answered(t, t->bus.offers[1].relid, id, other, 2, 1, false,
			"an id in progress, on another channel"));
	TRY(conform_gpadl_body(t, id, words + 27, 14));
	TRY(conform_gpadl_created(t, relid, id, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "the first one: status 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict stray_body(struct conform_target *t)
{
	BEGIN;
	TRY(conform_gpadl_body(t, id, &pfn, 1));
	TRY(conform_bus_quiet(t, "GPADL_BODY of an unknown id"));
	return CONFORM_PASS;
}

static enum conform_verdict late_body(struct conform_target *t)
{
	BEGIN;
	TRY(conform_gpadl_make(t, relid, id, &page));
	TRY(conform_gpadl_body(t, id, &pfn, 1));
	TRY(conform_bus_quiet(t, "GPADL_BODY of a complete GPADL"));
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_gpadl_torndown(t, id));
	return CONFORM_PASS;
}

static enum conform_verdict interleaved(struct conform_target *t)
{
	uint64_t words[41];
	BEGIN;
	const uint32_t other = conform_gpadl_id(t);
	words[0] = (uint64_t)40 * VMBUS_PAGE_BYTES;
	for (unsigned i = 1; i < 41; i++)
		words[i] = pfn;
	TRY(conform_gpadl_send(t, relid, id, sizeof words, 1, words, 27, 28));
	TRY(conform_gpadl_send(t, relid, other, sizeof words, 1, words, 27, 28));
	TRY(conform_gpadl_body(t, id, words + 27, 7));
	TRY(conform_gpadl_body(t, other, words + 27, 14));
	TRY(conform_gpadl_created(t, relid, other, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "the second one: status 0x%x", status);
	TRY(conform_gpadl_body(t, id, words + 34, 7));
	TRY(conform_gpadl_created(t, relid, id, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "the first one: status 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict torndown_once(struct conform_target *t)
{
	BEGIN;
	TRY(conform_gpadl_make(t, relid, id, &page));
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_gpadl_torndown(t, id));
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_bus_quiet(t, "a second teardown"));
	return CONFORM_PASS;
}

static enum conform_verdict stray_teardown(struct conform_target *t)
{
	const uint64_t word = 8192;
	BEGIN;
	TRY(conform_gpadl_teardown(t, relid, 0xabcdef));
	TRY(conform_bus_quiet(t, "GPADL_TEARDOWN of an unknown id"));
	TRY(conform_gpadl_send(t, relid, id, 24, 1, &word, 1, 28));
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_bus_quiet(t, "GPADL_TEARDOWN of a GPADL in progress"));
	return CONFORM_PASS;
}

static enum conform_verdict other_channel(struct conform_target *t)
{
	BEGIN;
	NEED(t->bus.offer_count > 1, "there is one offer only");
	TRY(conform_gpadl_make(t, relid, id, &page));
	TRY(conform_gpadl_teardown(t, t->bus.offers[1].relid, id));
	TRY(conform_bus_quiet(t, "GPADL_TEARDOWN with another channel's relid"));
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_gpadl_torndown(t, id));
	return CONFORM_PASS;
}

static enum conform_verdict id_free(struct conform_target *t)
{
	BEGIN;
	for (unsigned i = 0; i < 4; i++) {
		TRY(conform_gpadl_make(t, relid, id, &page));
		TRY(conform_gpadl_teardown(t, relid, id));
		TRY(conform_gpadl_torndown(t, id));
	}
	return CONFORM_PASS;
}

static enum conform_verdict forgotten(struct conform_target *t)
{
	const uint64_t words[3] = {8192, 1, 1};
	BEGIN;
	TRY(conform_gpadl_send(t, relid, id, 24, 1, words, 2, 28));
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_REL_ID_RELEASED, relid));
	TRY(conform_gpadl_body(t, id, words + 2, 1));
	TRY(conform_bus_quiet(t, "GPADL_BODY behind the release of its relid"));
	return CONFORM_PASS;
}

static enum conform_verdict bounded(struct conform_target *t)
{
	unsigned made = 0;
	BEGIN;
	status = VMBUS_STATUS_SUCCESS;
	const uint64_t words[2] = {page.bytes, pfn};
	for (; made < 20000 && status == VMBUS_STATUS_SUCCESS; made++) {
		const uint32_t one = conform_gpadl_id(t);
		TRY(conform_gpadl_send(t, relid, one, 16, 1, words, 2, 28));
		TRY(conform_gpadl_created(t, relid, one, &status));
	}
	EXPECT(status == VMBUS_STATUS_QUOTA_EXCEEDED, "after %u GPADLs: status 0x%x", made, status);
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

/* Headers alone, each of the largest GPADL; what behind it is answered first shows that it waits.
 */
static enum conform_verdict pages_bounded(struct conform_target *t)
{
	uint64_t words[VMBUS_GPADL_HEADER_U64_MAX];
	struct vmbus_gpadl_created_wire answer = {.status = VMBUS_STATUS_SUCCESS};
	unsigned begun = 0;
	BEGIN;
	const uint64_t small[2] = {page.bytes, pfn};
	words[0] = (uint64_t)VMBUS_GPADL_PAGES_MAX * VMBUS_PAGE_BYTES;
	for (unsigned i = 1; i < VMBUS_GPADL_HEADER_U64_MAX; i++)
		words[i] = pfn;
	for (; begun < 4000 && answer.status == VMBUS_STATUS_SUCCESS; begun++) {
		const uint32_t large = conform_gpadl_id(t), other = conform_gpadl_id(t);
		TRY(conform_gpadl_send(t, relid, large, VMBUS_GPADL_BYTES_MAX, 1, words,
			VMBUS_GPADL_HEADER_U64_MAX, 28));
		TRY(conform_gpadl_send(t, relid, other, 16, 1, small, 2, 28));
		TRY(conform_bus_expect(t, VMBUS_MESSAGE_GPADL_CREATED, &answer, sizeof answer));
		if (answer.gpadl_id == large) { /* and that of the other is still to come */
			TRY(conform_gpadl_created(t, relid, other, &status));
			break;
		}
		EXPECT(answer.status == VMBUS_STATUS_SUCCESS ||
				answer.status == VMBUS_STATUS_QUOTA_EXCEEDED,
			"after %u of 8190 pages one of 1 page: status 0x%x", begun, answer.status);
		if (answer.status == VMBUS_STATUS_SUCCESS) {
			TRY(conform_gpadl_teardown(t, relid, other));
			TRY(conform_gpadl_torndown(t, other));
		}
	}
	EXPECT(answer.status == VMBUS_STATUS_QUOTA_EXCEEDED,
		"after %u GPADLs of 8190 pages: status 0x%x", begun, answer.status);
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

static enum conform_verdict several_ranges(struct conform_target *t)
{
	BEGIN;
	const uint64_t words[7] = {
		RANGE(100, 4000), pfn, pfn, RANGE(4096, 0), pfn, RANGE(1, 4095), pfn};
	TRY(answered(t, relid, id, words, 7, 3, true, "three ranges"));
	return CONFORM_PASS;
}

static enum conform_verdict no_ranges(struct conform_target *t)
{
	struct vmbus_open_channel_result_wire result;
	const uint64_t nothing = 0;
	BEGIN;
	TRY(conform_gpadl_send(t, relid, id, 0, 0, &nothing, 0, 28));
	TRY(conform_gpadl_created(t, relid, id, &status)); /* either status */
	const struct vmbus_open_channel_wire open = {.header.type = VMBUS_MESSAGE_OPEN_CHANNEL,
		.relid = relid,
		.ring_gpadl_id = id,
		.downstream_page_offset = 2};
	TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_BYTES));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
	EXPECT(result.status != VMBUS_STATUS_SUCCESS, "a channel without rings was opened");
	TRY(conform_gpadl_make(t, relid, conform_gpadl_id(t), &page));
	return CONFORM_PASS;
}

static enum conform_verdict not_memory(struct conform_target *t)
{
	BEGIN;
	const uint64_t words[2] = {page.bytes, 1ull << 40};
	TRY(conform_gpadl_send(t, relid, id, 16, 1, words, 2, 28));
	TRY(conform_gpadl_created(t, relid, id, &status)); /* either status */
	TRY(conform_bus_quiet(t, "a GPADL outside of memory"));
	return CONFORM_PASS;
}

const struct conform_test conform_gpadl_tests[] = {
	{"R-GPADL-001", "a GPADL is answered once", created, CONFORM_BUS, 0, 0},
	{"R-GPADL-003", "bodies may have 1 to 28 words", split, CONFORM_BUS, 0, 0},
	{"R-GPADL-004", "no answer comes before the last word", no_early_answer, CONFORM_BUS, 0, 0},
	{"R-GPADL-005", "bytes beyond the length are ignored", beyond_length, CONFORM_BUS, 0, 0},
	{"R-GPADL-006", "malformed ranges are refused", bad_ranges, CONFORM_BUS, 0, 0},
	{"R-GPADL-006", "words behind the last range are ignored", words_behind, CONFORM_BUS, 0, 0},
	{"R-GPADL-007", "a range may have 8190 pages", largest, CONFORM_BUS, 0, 0},
	{"R-GPADL-008", "a length that is no multiple of 8 is answered", odd_length, CONFORM_BUS, 0,
		0},
	{"R-GPADL-009", "a relid that is not offered is refused", no_relid, CONFORM_BUS, 0, 0},
	{"R-GPADL-010", "an id that exists is refused, and stays", same_id, CONFORM_BUS, 0, 0},
	{"R-GPADL-011", "an id in progress is refused, and goes on", same_id_in_progress,
		CONFORM_BUS, 0, 0},
	{"R-GPADL-012", "a body of an unknown id is dropped", stray_body, CONFORM_BUS, 0, 0},
	{"R-GPADL-013", "a body of a complete GPADL is dropped", late_body, CONFORM_BUS, 0, 0},
	{"R-GPADL-014", "bodies may interleave", interleaved, CONFORM_BUS, 0, 0},
	{"R-GPADL-016", "a teardown is answered once", torndown_once, CONFORM_BUS, 0, 0},
	{"R-GPADL-017", "other teardowns are dropped", stray_teardown, CONFORM_BUS, 0, 0},
	{"R-GPADL-018", "a teardown with another relid does nothing", other_channel, CONFORM_BUS, 0,
		0},
	{"R-GPADL-019", "the id is free after TORNDOWN", id_free, CONFORM_BUS, 0, 0},
	{"R-GPADL-020", "the release of a relid forgets its GPADLs in progress", forgotten,
		CONFORM_BUS, 0, 0},
	{"R-GPADL-023", "GPADLs are bounded", bounded, CONFORM_BUS, 0, 0},
	{"R-GPADL-023", "their pages are, too", pages_bounded, CONFORM_BUS, 0, 0},
	{"R-GPADL-024", "several ranges are accepted", several_ranges, CONFORM_BUS, 0, 0},
	{"R-GPADL-025", "no ranges do no harm, and are no rings", no_ranges, CONFORM_BUS, 0, 0},
	{"R-GPADL-032", "each answer has its request", not_memory, CONFORM_BUS, 0, 0},
};
const size_t conform_gpadl_test_count = sizeof conform_gpadl_tests / sizeof conform_gpadl_tests[0];
