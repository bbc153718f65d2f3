// SPDX-License-Identifier: Apache-2.0
/* File copy, guest side: fcopy.md. */
#include "tests/conformance/guest_ic.h"

#include "guest/ic_daemons/fcopy_ic.h"

#include <stdio.h>
#include <string.h>

static struct fcopy_ic fcopy_guest;
static unsigned fcopy_starts, fcopy_writes, fcopy_completes, fcopy_drops;
static struct fcopy_start fcopy_asked; /* without its texts, which are copied */
static char fcopy_name[64], fcopy_path[64];
static uint8_t fcopy_file[20000];

static uint32_t fcopy_start(void *ctx, const struct fcopy_start *start)
{
	(void)ctx;
	fcopy_asked = *start;
	snprintf(fcopy_name, sizeof fcopy_name, "%s", start->name);
	snprintf(fcopy_path, sizeof fcopy_path, "%s", start->path);
	fcopy_starts++;
	return STATUS_OK;
}

static uint32_t fcopy_write(void *ctx, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
	(void)ctx;
	fcopy_writes += bytes > 0;
	if (offset < sizeof fcopy_file && bytes <= sizeof fcopy_file - offset)
		memcpy(fcopy_file + offset, data, bytes);
	return STATUS_OK;
}

static uint32_t fcopy_complete(void *ctx)
{
	(void)ctx;
	fcopy_completes++;
	return STATUS_OK;
}

static uint32_t fcopy_cancel(void *ctx)
{
	(void)ctx;
	return STATUS_OK;
}

static void fcopy_drop(void *ctx)
{
	(void)ctx;
	fcopy_drops++;
}

static struct ic_stage *fcopy_stage(struct conform_target *t)
{
	static const struct fcopy_ic_ops ops = {.start = fcopy_start,
		.write = fcopy_write,
		.complete = fcopy_complete,
		.cancel = fcopy_cancel,
		.drop = fcopy_drop};

	fcopy_ic_init(&fcopy_guest, &ops, NULL);
	return ic_stage_agreed(t, &fcopy_guest.ic, &guid_fcopy, 3, 1, 1);
}

/* START: name at 36, path at 556, flags at 1076, size at 1080. */
static void start_body(uint8_t body[1088], const char *name, const char *path, uint64_t size)
{
	memset(body, 0, 1088);
	ic_text_put(body + 36, 520, name);
	ic_text_put(body + 556, 520, path);
	put64(body + 1080, size);
}

/* WRITE: offset at 40, bytes at 48, data at 52. */
static bool write_of(struct conform_target *t, struct ic_stage *stage, uint64_t offset,
	uint32_t bytes, uint32_t status)
{
	static uint8_t body[6196];

	put32(body, 1);
	put64(body + 40, offset);
	put32(body + 48, bytes);
	return ic_answered(t, stage, 7, body, sizeof body, status);
}

static enum conform_verdict fcopy_names(struct conform_target *t)
{
	static const char *const names[] = {"", ".", "..", "a/b", "/", "a\\b", "a\nb", "a\x7f"};
	static const char *const paths[] = {
		"", "tmp", "../tmp", "/tmp/..", "/../etc", "/a\\b", "/tmp/../etc", "/a\tb"};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 8; i++) {
		start_body(body, names[i], "/tmp", 10);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
		start_body(body, "file", paths[i], 10);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
	}
	for (unsigned c = 0x80; c < 0xa0; c++) { /* control characters that are not ASCII */
		start_body(body, "file", "/tmp", 10);
		put16(body + 36 + 2, c);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
		start_body(body, "file", "/tmp", 10);
		put16(body + 556 + 4, c);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
	}
	EXPECT(fcopy_starts == 0, "one of them is begun");
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_texts(struct conform_target *t)
{
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned field = 36; field <= 556; field += 520) {
		start_body(body, "file", "/tmp", 10);
		for (unsigned i = 0; i < 260; i++)
			put16(body + field + 2 * i, i == 0 && field != 36 ? '/' : 'a'); /* no NUL */
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
		start_body(body, "file", "/tmp", 10);
		put16(body + field + 2, 0xd800); /* half of a character */
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
	}
	EXPECT(fcopy_starts == 0, "one of them is begun");
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_sizes(struct conform_target *t)
{
	static const uint64_t sizes[] = {1ull << 63, (1ull << 63) + 1, UINT64_MAX};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 3; i++) {
		start_body(body, "file", "/tmp", sizes[i]);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
	}
	EXPECT(fcopy_starts == 0, "one of them is begun");
	start_body(body, "file", "/tmp", (1ull << 63) - 1);
	TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_bounds(struct conform_target *t)
{
	static const struct {
		uint64_t offset;
		uint32_t bytes;
	} rows[] = {{0, 6145}, {0, 0xffffffff}, {UINT64_MAX, 1}, {UINT64_MAX - 100, 200}, {101, 1},
		{1, 6144}, {10000, 1}, {0, 0x80000000}, {0, 5001}, {100, 4901}};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start_body(body, "file", "/tmp", 5000);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
		TRY(write_of(t, stage, 0, 100, STATUS_OK));
		fcopy_writes = 0;
		TRY(write_of(t, stage, rows[i].offset, rows[i].bytes, STATUS_FAIL));
		EXPECT(fcopy_writes == 0, "case %u is written", i);
		EXPECT(fcopy_drops == i + 1, "case %u: what there is of the file stays", i);
	}
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_order(struct conform_target *t)
{
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];
	static const uint8_t complete[36] = {2}, cancel[36] = {3}, unknown[36] = {4};

	TRY(stage != NULL);
	TRY(write_of(t, stage, 0, 10, STATUS_FAIL));
	TRY(ic_answered(t, stage, 7, complete, 36, STATUS_FAIL));
	TRY(ic_answered(t, stage, 7, cancel, 36, STATUS_OK));
	TRY(ic_answered(t, stage, 7, unknown, 36, STATUS_FAIL));
	EXPECT(fcopy_writes == 0 && fcopy_completes == 0, "it acts without a start");
	start_body(body, "file", "/tmp", 20);
	TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
	TRY(write_of(t, stage, 0, 10, STATUS_OK));
	TRY(write_of(t, stage, 0, 10, STATUS_OK)); /* again: the later counts */
	for (unsigned flags = 0; flags < 4; flags++) {
		put32(body + 1076, flags);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
		EXPECT(fcopy_drops == 1 + flags, "a second start does not end the first copy");
	}
	TRY(write_of(t, stage, 0, 10, STATUS_OK));
	TRY(ic_answered(t, stage, 7, complete, 36, STATUS_FAIL)); /* 10 of 20 */
	EXPECT(fcopy_completes == 0, "a file that is not whole is completed");
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_short(struct conform_target *t)
{
	static const uint16_t starts[] = {4, 36, 556, 1076, 1087}, writes[] = {4, 36, 51, 52, 61};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 5; i++) {
		start_body(body, "file", "/tmp", 20);
		TRY(ic_answered(t, stage, 7, body, starts[i], STATUS_FAIL));
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
		memset(body, 0, 64);
		put32(body, 1);
		put32(body + 48, 10);
		TRY(ic_answered(t, stage, 7, body, writes[i], STATUS_FAIL));
	}
	EXPECT(fcopy_writes == 0, "data that is not there is written");
	start_body(body, "file", "/tmp", 20);
	put32(body + 1076, 4); /* an unknown flag */
	TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_FAIL));
	return CONFORM_PASS;
}

/* 6144 + 6144 + 3 bytes, as a host sends them. */
static enum conform_verdict fcopy_whole(struct conform_target *t)
{
	static const uint8_t complete[36] = {2};
	static const uint32_t size = 12291;
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[6196];

	TRY(stage != NULL);
	start_body(body, "a.txt", "/data/", size);
	put32(body + 1076, 3);
	put16(body + 36 + 10, 0x20ac); /* a euro behind the name */
	TRY(ic_answered(t, stage, 7, body, 1088, STATUS_OK));
	EXPECT(strcmp(fcopy_name, "a.txt\xe2\x82\xac") == 0 && strcmp(fcopy_path, "/data/") == 0,
		"it is to be \"%s\" in \"%s\"", fcopy_name, fcopy_path);
	EXPECT(fcopy_asked.overwrites && fcopy_asked.creates_path && fcopy_asked.size_bytes == size,
		"flags or size are not those of the host");
	memset(body, 0, sizeof body);
	put32(body, 1);
	for (uint32_t at = 0; at < size; at += 6144) {
		const uint32_t bytes = size - at < 6144 ? size - at : 6144;
		put64(body + 40, at);
		put32(body + 48, bytes);
		for (uint32_t i = 0; i < bytes; i++)
			body[52 + i] = (uint8_t)((at + i) * 7 % 251);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
	}
	TRY(ic_answered(t, stage, 7, complete, 36, STATUS_OK));
	EXPECT(fcopy_completes == 1, "it is completed %u times", fcopy_completes);
	for (uint32_t i = 0; i < size; i++)
		EXPECT(fcopy_file[i] == i * 7 % 251, "byte %u is 0x%x", i, fcopy_file[i]);
	EXPECT(fcopy_file[size] == 0, "bytes that do not count are written");
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_gap(struct conform_target *t)
{
	static const uint64_t offsets[] = {11, 15, 1ull << 32, (1ull << 32) + 10};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
		start_body(body, "file", "/tmp", 1ull << 40);
		TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
		TRY(write_of(t, stage, 0, 10, STATUS_OK));
		TRY(write_of(t, stage, 5, 5, STATUS_OK)); /* what is there already */
		TRY(write_of(t, stage, offsets[i], 5, STATUS_FAIL));
		TRY(write_of(t, stage, 10, 5, STATUS_FAIL)); /* there is no copy any more */
	}
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_channel_ends(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	start_body(body, "file", "/tmp", 20);
	TRY(ic_answered(t, stage, 7, body, sizeof body, STATUS_OK));
	TRY(write_of(t, stage, 0, 10, STATUS_OK));
	host_rescind(h, 1);
	guest_serve(h);
	EXPECT(stage->channel.link.is_gone, "the component goes on");
	EXPECT(ic_channel_close(&stage->channel, guest_deadline(h)) == 0, "closing fails");
	fcopy_ic_reset(&fcopy_guest); /* its owner's word, as fcopy_ic.h says */
	EXPECT(fcopy_drops == 1, "what there is of the file is removed %u times", fcopy_drops);
	fcopy_ic_reset(&fcopy_guest);
	EXPECT(fcopy_drops == 1, "it is removed again");
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, 0, 0, 0                                                          \
	}

const struct conform_test guest_fcopy_tests[] = {
	ROW("R-FCOPY-007", "what the host sends is what is written, and no more", fcopy_whole),
	ROW("R-FCOPY-009", "names and paths that lead elsewhere are refused", fcopy_names),
	ROW("R-FCOPY-010", "texts without an end, or that are none, are refused", fcopy_texts),
	ROW("R-FCOPY-019", "a size over 2^63 - 1 is refused", fcopy_sizes),
	ROW("R-FCOPY-008", "writes too long or past the end are refused", fcopy_bounds),
	ROW("R-FCOPY-005", "a write that fails removes the file", fcopy_bounds),
	ROW("R-FCOPY-013", "a write that leaves a gap ends the copy", fcopy_gap),
	ROW("R-FCOPY-005", "the end of the channel removes the file", fcopy_channel_ends),
	ROW("R-FCOPY-001", "without a start nothing is written or completed", fcopy_order),
	ROW("R-FCOPY-011", "a second start ends the copy before it", fcopy_order),
	ROW("R-FCOPY-013", "a file that is not whole is not completed", fcopy_order),
	ROW("R-FCOPY-017", "bytes that it has already are taken again", fcopy_order),
	ROW("R-FCOPY-018", "cancel succeeds without a copy", fcopy_order),
	ROW("R-FCOPY-015", "short bodies and unknown flags are refused", fcopy_short),
};
const size_t guest_fcopy_test_count = sizeof guest_fcopy_tests / sizeof guest_fcopy_tests[0];
