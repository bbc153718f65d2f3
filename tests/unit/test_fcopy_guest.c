// SPDX-License-Identifier: Apache-2.0
/*
 * File copy: the guest's machine against the bytes of the document and hostile hosts.
 */
#include "tests/unit/fcopy_rig.h"

static void guest_takes_the_bytes_of_the_document(void)
{
	static uint8_t request[6224];
	static uint8_t reply[6224];
	struct fixture f;
	size_t len;
	agreed(&f);
	f.is_zero = true;
	for (unsigned i = 0; i < 3; i++) {
		size_t reply_len = 0;
		golden(i, request, &len);
		CU_ASSERT_EQUAL(ic_guest_on_packet(
					&f.guest.ic, request, len, reply, sizeof reply, &reply_len),
			IC_OK);
		CU_ASSERT_EQUAL(reply_len, len);
		request[AT_FLAGS] = 5;
		CU_ASSERT_EQUAL(memcmp(reply, request, len), 0);
	}
	CU_ASSERT_STRING_EQUAL(f.name, "a.txt");
	CU_ASSERT_STRING_EQUAL(f.path, "/data/");
	CU_ASSERT_TRUE(f.overwrites && f.creates_path);
	CU_ASSERT_EQUAL(f.size, 3);
	CU_ASSERT_EQUAL(f.end_of_data, 3);
	CU_ASSERT_EQUAL(f.completes, 1);
	CU_ASSERT_FALSE(f.is_wrong);
}

/* --- guest --------------------------------------------------------------------------------- */

/* One request to the guest; its status. */
static uint32_t give(struct fixture *f, const void *body, size_t bytes)
{
	static uint8_t packet[IC_PAYLOAD_MAX_BYTES];
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	const struct ic_header_wire header = {
		.framework = {3, 0},
		.type = IC_TYPE_FCOPY,
		.message = {1, 1},
		.body_bytes = (uint16_t)bytes,
		.flags = IC_FLAGS_REQUEST,
	};
	size_t reply_len = 0;
	memcpy(packet + AT_BODY, body, bytes);
	const size_t len = ic_message_frame(packet, sizeof packet, &header);
	uint8_t *exact = malloc(len);
	memcpy(exact, packet, len);
	(void)ic_guest_on_packet(&f->guest.ic, exact, len, reply, sizeof reply, &reply_len);
	free(exact);
	return reply_len == 0 ? UINT32_MAX : get32(reply + AT_STATUS);
}

static struct fcopy_start_wire good_start(uint64_t size)
{
	struct fcopy_start_wire start_body = {.size_bytes = size};
	uint16_t name[] = {'n', 0};
	uint16_t path[] = {'/', 'p', 0};
	memcpy(start_body.name, name, sizeof name);
	memcpy(start_body.path, path, sizeof path);
	return start_body;
}

static uint32_t give_start(struct fixture *f, uint64_t size)
{
	const struct fcopy_start_wire body = good_start(size);
	return give(f, &body, sizeof body);
}

static uint32_t give_write(struct fixture *f, uint64_t offset, uint32_t bytes)
{
	static struct fcopy_write_wire body;
	body.header.operation = FCOPY_WRITE;
	body.offset = offset;
	body.bytes = bytes;
	return give(f, &body, sizeof body);
}

static uint32_t give_plain(struct fixture *f, uint32_t operation)
{
	const struct fcopy_header_wire body = {.operation = operation};
	return give(f, &body, sizeof body);
}

/* R-FCOPY-001, R-FCOPY-018. */
static void guest_keeps_the_order(void)
{
	struct fixture f;
	agreed(&f);
	f.is_zero = true;
	CU_ASSERT_EQUAL(give_write(&f, 0, 1), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_CANCEL), 0);
	CU_ASSERT_EQUAL(f.writes + f.completes, 0);
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	CU_ASSERT_EQUAL(give_plain(&f, 4), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give_plain(&f, UINT32_MAX), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give_write(&f, 0, 10), 0);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), 0);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give_write(&f, 0, 10), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.completes, 1);
	CU_ASSERT_EQUAL(f.drops, 0);
	CU_ASSERT_FALSE(f.is_wrong);
}

/* R-FCOPY-008, R-FCOPY-013: each ends the copy. */
static void guest_refuses_fragments_out_of_bounds(void)
{
	static const struct {
		uint64_t offset;
		uint32_t bytes;
	} cases[] = {
		{0, 6145},
		{0, UINT32_MAX},
		{100, 1},
		{6144, 6144},
		{UINT64_MAX, 1},
		{UINT64_MAX - 5, 6144},
		{1ull << 63, 1},
		{10001, 0},
		{9000, 1001},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		agreed(&f);
		f.is_zero = true;
		CU_ASSERT_EQUAL(give_start(&f, 10000), 0);
		if (cases[i].offset == 9000) {
			CU_ASSERT_EQUAL(give_write(&f, 0, 6144), 0);
			CU_ASSERT_EQUAL(give_write(&f, 6144, 3000), 0);
		}
		const unsigned writes = f.writes;
		CU_ASSERT_EQUAL(give_write(&f, cases[i].offset, cases[i].bytes), IC_STATUS_FAIL);
		CU_ASSERT_EQUAL(f.writes, writes);
		CU_ASSERT_EQUAL(f.drops, 1);
		CU_ASSERT_EQUAL(give_write(&f, 0, 1), IC_STATUS_FAIL);
		CU_ASSERT_EQUAL(f.drops, 1);
	}
}

/* R-FCOPY-017, R-FCOPY-013. */
static void guest_takes_a_fragment_again_and_wants_all_of_them(void)
{
	struct fixture f;
	agreed(&f);
	f.is_zero = true;
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	CU_ASSERT_EQUAL(give_write(&f, 0, 6), 0);
	CU_ASSERT_EQUAL(give_write(&f, 0, 6), 0);
	CU_ASSERT_EQUAL(give_write(&f, 3, 6), 0);
	CU_ASSERT_EQUAL(give_write(&f, 9, 0), 0);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.drops, 1);
	CU_ASSERT_EQUAL(f.completes, 0);
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	CU_ASSERT_EQUAL(give_write(&f, 0, 9), 0);
	CU_ASSERT_EQUAL(give_write(&f, 9, 1), 0);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), 0);
	/* half of it twice is not all of it */
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	CU_ASSERT_EQUAL(give_write(&f, 0, 5), 0);
	CU_ASSERT_EQUAL(give_write(&f, 0, 5), 0);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), IC_STATUS_FAIL);
}

/* R-FCOPY-015: short bodies, at the limit and one below. */
static void guest_refuses_short_bodies(void)
{
	static uint8_t body[FCOPY_WRITE_BYTES];
	struct fixture f;
	agreed(&f);
	f.is_zero = true;
	const struct fcopy_start_wire wire = good_start(100);
	memcpy(body, &wire, sizeof wire);
	CU_ASSERT_EQUAL(give(&f, body, 1087), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give(&f, body, 4), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give(&f, body, 3), UINT32_MAX); /* too short for any answer */
	CU_ASSERT_EQUAL(f.starts, 0);
	CU_ASSERT_EQUAL(give(&f, body, 1088), 0);
	memset(body, 0, sizeof body);
	body[0] = FCOPY_WRITE;
	body[48] = 7;
	CU_ASSERT_EQUAL(give(&f, body, 52 + 7), 0);
	CU_ASSERT_EQUAL(give(&f, body, 52 + 6), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.drops, 1);
	CU_ASSERT_EQUAL(give_start(&f, 100), 0);
	CU_ASSERT_EQUAL(give(&f, body, 51), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.drops, 2);
	CU_ASSERT_EQUAL(f.writes, 1);
}

static uint32_t give_text(struct fixture *f, const char *name, const char *path)
{
	struct fcopy_start_wire body = {.size_bytes = 1};
	const size_t name_bytes = strlen(name);
	const size_t path_bytes = strlen(path);
	for (size_t i = 0; i < name_bytes; i++)
		body.name[i] = (uint8_t)name[i];
	for (size_t i = 0; i < path_bytes; i++)
		body.path[i] = (uint8_t)path[i];
	return give(f, &body, sizeof body);
}

/* R-FCOPY-009. The bytes above 0x7F are Latin-1: C1 controls. */
static void guest_refuses_names_that_lead_elsewhere(void)
{
	static const char *const names[] = {"", ".", "..", "/", "a/b", "../a", "a\\b", "..\\a",
		"a\n", "\x01", "\x7f", "a\x85", "a\x80", "a\x9f", "\x1b[2J"};
	static const char *const paths[] = {"", "a", "./", "..", "/..", "/../", "/a/../b", "/a/..",
		"a/../..", "\\a", "/a\\b", "/a\n", "/\x9b", "//.."};
	static const char *const good[] = {
		"/", "//", "/.", "/./a/", "/...", "/..a", "/a..", "/a b"};
	struct fixture f;
	agreed(&f);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		CU_ASSERT_EQUAL(give_text(&f, names[i], "/p"), IC_STATUS_FAIL);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		CU_ASSERT_EQUAL(give_text(&f, "n", paths[i]), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.starts, 0);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CU_ASSERT_EQUAL(give_text(&f, "n", good[i]), 0);
	CU_ASSERT_EQUAL(f.starts, sizeof good / sizeof good[0]);
}

/* R-FCOPY-010, R-FCOPY-015, R-FCOPY-019. */
static void guest_refuses_texts_without_end_and_other_hostile_starts(void)
{
	struct fixture f;
	struct fcopy_start_wire body;
	agreed(&f);
	body = good_start(1);
	for (size_t i = 0; i < FCOPY_NAME_UNITS; i++)
		body.name[i] = 'x';
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), IC_STATUS_FAIL);
	body.name[259] = 0;
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), 0);
	CU_ASSERT_EQUAL(strlen(f.name), 259);
	for (size_t i = 1; i < FCOPY_NAME_UNITS; i++)
		body.path[i] = 0x4e00; /* three bytes of UTF-8 */
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), IC_STATUS_FAIL);
	body.path[259] = 0;
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), 0);
	CU_ASSERT_EQUAL(strlen(f.path), 1 + 258 * 3);
	body = good_start(1);
	body.name[0] = 0xd800; /* half a character */
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), IC_STATUS_FAIL);
	body = good_start(1);
	body.flags = 4;
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), IC_STATUS_FAIL);
	body = good_start(1ull << 63);
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), IC_STATUS_FAIL);
	body = good_start((1ull << 63) - 1);
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), 0);
}

/* R-FCOPY-011, also by a start that is refused. */
static void guest_drops_the_first_copy_at_a_second_start(void)
{
	struct fixture f;
	agreed(&f);
	f.is_zero = true;
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	CU_ASSERT_EQUAL(give_write(&f, 0, 5), 0);
	CU_ASSERT_EQUAL(give_start(&f, 20), 0);
	CU_ASSERT_EQUAL(f.drops, 1);
	CU_ASSERT_EQUAL(give_write(&f, 5, 5), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	CU_ASSERT_EQUAL(give_text(&f, "..", "/"), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.drops, 3);
	CU_ASSERT_EQUAL(give_write(&f, 0, 5), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	struct fcopy_start_wire body = good_start(10);
	body.flags = FCOPY_FLAG_OVERWRITE;
	CU_ASSERT_EQUAL(give(&f, &body, sizeof body), 0);
	CU_ASSERT_EQUAL(f.drops, 4);
}

/* R-FCOPY-003, R-FCOPY-004: 1 replaces, 2 makes directories. */
static void guest_tells_the_flags_apart(void)
{
	for (uint32_t flags = 0; flags < 4; flags++) {
		struct fixture f;
		struct fcopy_start_wire body = good_start(10);
		agreed(&f);
		body.flags = flags;
		CU_ASSERT_EQUAL(give(&f, &body, sizeof body), 0);
		CU_ASSERT_EQUAL(f.overwrites, (flags & 1) != 0);
		CU_ASSERT_EQUAL(f.creates_path, (flags & 2) != 0);
	}
}

/* R-FCOPY-005: what an operation refuses ends the copy; its status is the answer. */
static void guest_passes_on_the_status_of_each_operation(void)
{
	struct fixture f;
	agreed(&f);
	f.is_zero = true;
	f.answer_start = IC_STATUS_ALREADY_EXISTS;
	CU_ASSERT_EQUAL(give_start(&f, 1), 0x80070050);
	CU_ASSERT_EQUAL(give_write(&f, 0, 1), IC_STATUS_FAIL);
	f.answer_start = 0;
	f.answer_write = IC_STATUS_DISK_FULL;
	CU_ASSERT_EQUAL(give_start(&f, 1), 0);
	CU_ASSERT_EQUAL(give_write(&f, 0, 1), 0x80070070);
	CU_ASSERT_EQUAL(give_write(&f, 0, 1), IC_STATUS_FAIL);
	f.answer_write = 0;
	f.answer_complete = FCOPY_STATUS_ACCESS_DENIED;
	CU_ASSERT_EQUAL(give_start(&f, 0), 0);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), 0x80070005);
	CU_ASSERT_EQUAL(give_plain(&f, FCOPY_COMPLETE), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.drops, 0); /* they have cleaned up themselves */
	CU_ASSERT_EQUAL(f.guest.last_status, IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.guest.failed, 6);
}

static void guest_drops_the_copy_when_the_channel_closes(void)
{
	struct fixture f;
	agreed(&f);
	f.is_zero = true;
	fcopy_ic_reset(&f.guest);
	CU_ASSERT_EQUAL(f.drops, 0);
	CU_ASSERT_EQUAL(give_start(&f, 10), 0);
	fcopy_ic_reset(&f.guest);
	CU_ASSERT_EQUAL(f.drops, 1);
	CU_ASSERT_EQUAL(give_write(&f, 0, 1), IC_STATUS_FAIL);
}

/* --- answers that come later --------------------------------------------------------------- */

struct late {
	uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	size_t len;
};

static void late_send(void *transport, const void *reply, size_t len)
{
	struct late *late = transport;
	memcpy(late->reply, reply, len);
	late->len = len;
}

static void guest_answers_later_when_the_disk_takes_time(void)
{
	static struct late late;
	struct fixture f;
	agreed(&f);
	late.len = 0;
	ic_guest_attach(&f.guest.ic, late_send, &late);
	f.answer_start = f.answer_write = f.answer_complete = IC_GUEST_LATER;
	CU_ASSERT_EQUAL(start_sized(&f, 6), 0);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_FALSE(rig_guest_answers(&f.rig, &f.guest.ic));
		late.len = 0;
		fcopy_ic_finish(&f.guest, 0);
		CU_ASSERT_TRUE_FATAL(late.len > 0);
		rig_give(&f.rig, late.reply, late.len);
	}
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	CU_ASSERT_EQUAL(f.guest.written_bytes, 6);
	CU_ASSERT_EQUAL(f.replies, 0);
	late.len = 0;
	fcopy_ic_finish(&f.guest, 0); /* there is nothing to finish */
	CU_ASSERT_EQUAL(late.len, 0);
	CU_ASSERT_EQUAL(f.guest.completed, 1);
}

/* The channel goes while a start is under way: its end must not begin a copy. */
static void guest_ignores_what_nobody_waits_for(void)
{
	struct fixture f;
	agreed(&f);
	f.answer_start = IC_GUEST_LATER;
	CU_ASSERT_EQUAL(give_start(&f, 10), UINT32_MAX);
	ic_guest_reset(&f.guest.ic);
	CU_ASSERT_EQUAL(f.drops, 1);
	fcopy_ic_finish(&f.guest, 0);
	CU_ASSERT_FALSE(f.guest.progress.is_open);
}

static void guest_answers_the_kernels_device(void)
{
	struct fixture f;
	agreed(&f);
	const struct fcopy_request request = {
		.operation = FCOPY_START, .start = {.name = "n", .path = "/p", .size_bytes = 1}};
	const struct fcopy_request complete = {.operation = FCOPY_COMPLETE};
	f.answer_start = IC_GUEST_LATER;
	CU_ASSERT_EQUAL(fcopy_ic_request(&f.guest, &request), IC_GUEST_LATER);
	CU_ASSERT_EQUAL(fcopy_ic_request(&f.guest, &complete), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.replies, 0);
	fcopy_ic_finish(&f.guest, IC_STATUS_DISK_FULL);
	CU_ASSERT_EQUAL(f.replies, 1);
	CU_ASSERT_EQUAL(f.reply, IC_STATUS_DISK_FULL);
	f.answer_start = 0;
	CU_ASSERT_EQUAL(fcopy_ic_request(&f.guest, &request), 0);
	CU_ASSERT_EQUAL(fcopy_ic_request(&f.guest, &complete), IC_STATUS_FAIL);
}

static const struct test tests[] = {
	TEST(guest_takes_the_bytes_of_the_document),
	TEST(guest_keeps_the_order),
	TEST(guest_refuses_fragments_out_of_bounds),
	TEST(guest_takes_a_fragment_again_and_wants_all_of_them),
	TEST(guest_refuses_short_bodies),
	TEST(guest_refuses_names_that_lead_elsewhere),
	TEST(guest_refuses_texts_without_end_and_other_hostile_starts),
	TEST(guest_drops_the_first_copy_at_a_second_start),
	TEST(guest_tells_the_flags_apart),
	TEST(guest_passes_on_the_status_of_each_operation),
	TEST(guest_drops_the_copy_when_the_channel_closes),
	TEST(guest_answers_later_when_the_disk_takes_time),
	TEST(guest_ignores_what_nobody_waits_for),
	TEST(guest_answers_the_kernels_device),
};
TEST_MAIN("fcopy guest", tests)
