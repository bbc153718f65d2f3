// SPDX-License-Identifier: Apache-2.0
/* VMBus server: GPADLs in one piece and in many, malformed ones, limits, teardown. */
#include "host/limits.h"
#include "tests/unit/vmbus_server_rig.h"

static struct rig *connected(unsigned devices)
{
	struct rig *r = rig_make();
	for (unsigned i = 0; i < devices; i++)
		rig_device(r, i, 0);
	rig_connect(r, 0x50003, 0);
	return r;
}

static struct rig_bytes body(uint32_t id)
{
	struct rig_bytes b = rig_header(9);
	rig_u32(&b, 0);
	rig_u32(&b, id);
	return b;
}

static void say_body(struct rig *r, uint32_t id, unsigned words, uint64_t first)
{
	struct rig_bytes b = body(id);
	for (unsigned i = 0; i < words; i++)
		rig_u64(&b, first + i);
	rig_say(r, &b);
}

/* A GPADL that needs `rest` words more. */
static void say_header(struct rig *r, uint32_t relid, uint32_t id, unsigned rest)
{
	struct rig_bytes b = rig_gpadl_header(relid, id, 8 + 8 * rest, 1);
	rig_range(&b, rest * 4096, 0);
	rig_say(r, &b);
}

/* R-GPADL-001 */
static void the_golden_gpadl_is_created_and_torn_down(void)
{
	struct rig *r = connected(5);
	rig_say_hex(r, "08000000000000000500 0000 101e0e00 18000100 0020000000000000"
		       "4523010000000000 4623010000000000");
	RIG_HEAR(r, "0a0000000000000005000000101e0e0000000000");
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).gpadl_words, 3);
	rig_say_hex(r, "0b0000000000000005000000101e0e00");
	RIG_HEAR(r, "0c00000000000000101e0e00");
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(r->allocations, 0);
	rig_destroy(r);
}

/* R-GPADL-002 */
static void a_header_holds_twenty_six_pages(void)
{
	struct rig *r = connected(1);
	rig_gpadl(r, 1, 1, 26, 0x100);
	RIG_HEAR3(r, 10, 1, 1, 0);
	struct rig_bytes b = rig_gpadl_header(1, 2, 8 + 8 * 27, 1);
	rig_range(&b, 27 * 4096, 0);
	for (unsigned i = 0; i < 26; i++)
		rig_u64(&b, 0x100 + i);
	CU_ASSERT_EQUAL(b.count, 236);
	rig_say(r, &b);
	RIG_DEAD(r);
	say_body(r, 2, 1, 0x1);
	RIG_HEAR3(r, 10, 1, 2, 0);
	rig_destroy(r);
}

/* R-GPADL-003, R-GPADL-004 */
static void bodies_may_be_of_any_size(void)
{
	struct rig *r = connected(1);
	for (unsigned size = 1; size <= 28; size++) {
		const unsigned total = 3 * 28;
		say_header(r, 1, size, total);
		for (unsigned done = 0; done < total;) {
			const unsigned now = total - done < size ? total - done : size;
			RIG_DEAD(r);
			say_body(r, size, now, 0x100 + done);
			done += now;
		}
		RIG_HEAR3(r, 10, 1, size, 0);
	}
	/* one without words changes nothing; ranges may straddle messages */
	struct rig_bytes b = rig_gpadl_header(1, 99, 16, 1);
	rig_say(r, &b);
	say_body(r, 99, 0, 0);
	RIG_DEAD(r);
	b = body(99);
	rig_range(&b, 4096, 0);
	rig_say(r, &b);
	RIG_DEAD(r);
	say_body(r, 99, 1, 0x55);
	RIG_HEAR3(r, 10, 1, 99, 0);
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	rig_destroy(r);
}

/* R-GPADL-005 */
static void bytes_behind_the_stream_are_ignored(void)
{
	struct rig *r = connected(1);
	struct rig_bytes b = rig_gpadl_header(1, 1, 16, 1);
	rig_range(&b, 4096, 0);
	rig_u64(&b, 0x77);
	memset(b.at + b.count, 0xff, 240 - b.count);
	b.count = 240;
	rig_say(r, &b);
	RIG_HEAR3(r, 10, 1, 1, 0);
	CU_ASSERT_EQUAL(rig_status(r).gpadl_words, 2);
	say_header(r, 1, 2, 1);
	b = body(2);
	rig_u64(&b, 0x78);
	memset(b.at + b.count, 0xff, 240 - b.count);
	b.count = 240;
	rig_say(r, &b);
	RIG_HEAR3(r, 10, 1, 2, 0);
	/* words of the stream behind the last range, too */
	b = rig_gpadl_header(1, 3, 24, 1);
	rig_range(&b, 4096, 0);
	rig_u64(&b, 0x79);
	rig_u64(&b, UINT64_MAX);
	rig_say(r, &b);
	RIG_HEAR3(r, 10, 1, 3, 0);
	rig_destroy(r);
}

/* R-GPADL-006, R-GPADL-008, R-GPADL-015 */
static void malformed_ranges_are_refused(void)
{
	static const struct {
		unsigned stream_bytes, ranges;
		uint32_t bytes, offset;
		uint64_t page;
		bool is_right;
		enum vmbus_rejection reason;
	} cases[] = {
		{16, 1, 4096, 0, 0x77, true, 0},
		{16, 1, 1, 4095, 0x77, true, 0},
		{16, 1, 0, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 1, 1, 4096, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 1, 1, 0xffffffff, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 1, 4097, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 1, 4096, 1, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 1, 0xffffffff, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 1, 0xffffffff, 4095, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 2, 4096, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{16, 0xffff, 4096, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{8, 1, 4096, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{7, 1, 4096, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{0, 1, 4096, 0, 0x77, false, VMBUS_REJECTION_GPADL_RANGE},
		{17, 1, 4096, 0, 0x77, true, 0}, /* truncated to 16 */
		{23, 1, 4096, 0, 0x77, true, 0},
		{16, 1, 4096, 0, RIG_RAM_GPNS - 1, true, 0},
		{16, 1, 4096, 0, RIG_RAM_GPNS, false, VMBUS_REJECTION_GPADL_MEMORY},
		{16, 1, 4096, 0, (UINT64_C(1) << 52) - 1, false, VMBUS_REJECTION_GPADL_MEMORY},
		{16, 1, 4096, 0, UINT64_MAX, false, VMBUS_REJECTION_GPADL_MEMORY},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig *r = connected(1);
		struct rig_bytes b = rig_gpadl_header(1, 5, cases[i].stream_bytes, cases[i].ranges);
		rig_range(&b, cases[i].bytes, cases[i].offset);
		rig_u64(&b, cases[i].page);
		rig_say(r, &b);
		RIG_HEAR3(r, 10, 1, 5, cases[i].is_right ? 0 : RIG_FAILURE);
		RIG_DEAD(r);
		if (!cases[i].is_right) {
			CU_ASSERT_EQUAL(rig_status(r).last_rejection, cases[i].reason);
			CU_ASSERT_EQUAL(r->allocations, 0);
			rig_gpadl(r, 1, 5, 1, 0x100);
			RIG_HEAR3(r, 10, 1, 5, 0);
		}
		/* the same in pieces */
		b = rig_gpadl_header(1, 6, cases[i].stream_bytes, cases[i].ranges);
		rig_range(&b, cases[i].bytes, cases[i].offset);
		if (cases[i].stream_bytes >= 16) {
			rig_say(r, &b);
			RIG_DEAD(r);
			say_body(r, 6, 1, cases[i].page);
			RIG_HEAR3(r, 10, 1, 6, cases[i].is_right ? 0 : RIG_FAILURE);
		}
		rig_destroy(r);
	}
}

/* R-GPADL-015: each page of a range, not the first alone. */
static void every_page_of_a_range_is_looked_at(void)
{
	struct rig *r = connected(1);
	rig_gpadl(r, 1, 5, 4, RIG_RAM_GPNS - 3);
	RIG_HEAR3(r, 10, 1, 5, RIG_FAILURE);
	CU_ASSERT_EQUAL(rig_status(r).last_rejection, VMBUS_REJECTION_GPADL_MEMORY);
	rig_gpadl(r, 1, 5, 4, RIG_RAM_GPNS - 4);
	RIG_HEAR3(r, 10, 1, 5, 0);
	rig_destroy(r);
}

/* R-GPADL-007 */
static void the_largest_gpadl_has_8190_pages(void)
{
	struct rig *r = connected(1);
	struct rig_device *d = &r->devices[0];
	rig_gpadl(r, 1, 1, 8190, 0x1000);
	RIG_HEAR3(r, 10, 1, 1, 0);
	RIG_DEAD(r);
	rig_open(r, 1, 1);
	CU_ASSERT_EQUAL(d->open.page_count, 8190);
	CU_ASSERT_EQUAL(d->open.gpns[0], 0x1000);
	CU_ASSERT_EQUAL(d->open.gpns[8189], 0x1000 + 8189);
	/* one more cannot be said: the stream is 65528 bytes at most */
	struct rig_bytes b = rig_gpadl_header(1, 2, 65535, 1);
	rig_range(&b, 8191 * 4096, 0);
	rig_say(r, &b);
	rig_forget(r);
	for (unsigned i = 0; i < 8190 / 26; i++) {
		RIG_DEAD(r);
		say_body(r, 2, 26, 0x1000);
	}
	RIG_HEAR3(r, 10, 1, 2, RIG_FAILURE);
	rig_destroy(r);
}

/* R-GPADL-009 */
static void a_gpadl_of_an_unknown_channel_is_refused_by_its_own_ids(void)
{
	struct rig *r = connected(1);
	static const uint32_t relids[] = {0, 2, 2047, 2048, 0x80000001, 0xffffffff};
	for (unsigned i = 0; i < sizeof relids / sizeof *relids; i++) {
		const struct rig_bytes b = rig_gpadl_header(relids[i], 0xe1e10 + i, 0, 0);
		RIG_REJECTS(r, UNKNOWN_CHANNEL, rig_say(r, &b));
		RIG_HEAR3(r, 10, relids[i], 0xe1e10 + i, RIG_FAILURE);
	}
	rig_say_hex(r, "0d00000000000000 01000000");
	rig_say_hex(r, "0800000000000000 01000000 101e0e00 0000 0000");
	RIG_HEAR(r, "0a00000000000000 01000000 101e0e00 ffff0080");
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-GPADL-010 */
static void a_duplicate_is_refused_and_the_first_stays(void)
{
	struct rig *r = connected(1);
	rig_gpadl(r, 1, 1, 4, 0x100);
	RIG_HEAR3(r, 10, 1, 1, 0);
	struct rig_bytes b = rig_gpadl_header(1, 1, 16, 1);
	rig_range(&b, 4096, 0);
	rig_u64(&b, 0x999);
	RIG_REJECTS(r, DUPLICATE_GPADL, rig_say(r, &b));
	RIG_HEAR3(r, 10, 1, 1, RIG_FAILURE);
	rig_open(r, 1, 1);
	CU_ASSERT_EQUAL(r->devices[0].open.gpns[0], 0x100);
	rig_destroy(r);
}

/* R-GPADL-011 */
static void ids_in_progress_are_unique(void)
{
	struct rig *r = connected(2);
	say_header(r, 1, 7, 2);
	RIG_DEAD(r);
	RIG_REJECTS(r, DUPLICATE_GPADL, say_header(r, 2, 7, 2));
	RIG_HEAR3(r, 10, 2, 7, RIG_FAILURE);
	RIG_REJECTS(r, DUPLICATE_GPADL, say_header(r, 1, 7, 2));
	RIG_HEAR3(r, 10, 1, 7, RIG_FAILURE);
	/* also one that needs no bodies */
	RIG_REJECTS(r, DUPLICATE_GPADL, rig_gpadl(r, 2, 7, 3, 0x300));
	RIG_HEAR3(r, 10, 2, 7, RIG_FAILURE);
	say_body(r, 7, 2, 0x100);
	RIG_HEAR3(r, 10, 1, 7, 0);
	RIG_DEAD(r);
	/* complete ones are named by channel and id */
	rig_gpadl(r, 2, 7, 3, 0x300);
	RIG_HEAR3(r, 10, 2, 7, 0);
	RIG_TEARDOWN(r, 2, 7);
	RIG_HEAR1(r, 12, 7);
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 1);
	rig_destroy(r);
}

/* R-GPADL-012, R-GPADL-013 */
static void a_body_without_its_header_is_ignored(void)
{
	struct rig *r = connected(1);
	RIG_REJECTS(r, UNKNOWN_GPADL, say_body(r, 1, 1, 0x1));
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_open(r, 1, 1);
	rig_forget(r);
	RIG_REJECTS(r, GPADL_STATE, say_body(r, 1, 28, 0x999));
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(r->devices[0].open.gpns[3], 0x103);
	rig_destroy(r);
}

/* R-GPADL-014 */
static void bodies_of_several_may_interleave(void)
{
	struct rig *r = connected(3);
	for (uint32_t i = 1; i <= 3; i++)
		say_header(r, i, 10 + i, 4);
	for (unsigned round = 0; round < 4; round++)
		for (uint32_t i = 1; i <= 3; i++)
			say_body(r, 10 + i, 1, 0x100 * i + round);
	for (uint32_t i = 1; i <= 3; i++) {
		RIG_HEAR3(r, 10, i, 10 + i, 0);
		rig_open(r, i, 10 + i);
		for (unsigned round = 0; round < 4; round++)
			CU_ASSERT_EQUAL(r->devices[i - 1].open.gpns[round], 0x100 * i + round);
	}
	rig_destroy(r);
}

/* R-GPADL-016 */
static void a_teardown_waits_for_who_uses_it(void)
{
	struct rig *r = connected(1);
	struct rig_device *d = &r->devices[0];
	struct vmbus_server_gpadl held;
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_gpadl(r, 1, 2, 3, 0x200);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 0, &held), -ENOENT);
	rig_open(r, 1, 1);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 0, &held), 0);
	CU_ASSERT_EQUAL(held.page_count, 3);
	CU_ASSERT_EQUAL(held.gpns[2], 0x202);
	CU_ASSERT_EQUAL(held.offset_bytes, 0);
	CU_ASSERT_EQUAL(held.bytes, 3 * 4096);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 1, &held), -ERANGE);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 3, 0, &held), -ENOENT);
	rig_forget(r);
	RIG_TEARDOWN(r, 1, 2);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 0, &held), -ENOENT);
	/* R-GPADL-017: not twice */
	RIG_REJECTS(r, GPADL_STATE, RIG_TEARDOWN(r, 1, 2));
	RIG_DEAD(r);
	vmbus_server_gpadl_release(r->server, d->id, 2);
	RIG_HEAR(r, "0c00000000000000 02000000");
	vmbus_server_gpadl_release(r->server, d->id, 2);
	RIG_DEAD(r);
	/* the rings: when the device has closed */
	d->waits_close = true;
	RIG_TEARDOWN(r, 1, 1);
	RIG_CLOSE(r, 1);
	RIG_DEAD(r);
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR(r, "0c00000000000000 01000000");
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-GPADL-017, R-GPADL-018 */
static void a_teardown_of_something_else_is_ignored(void)
{
	struct rig *r = connected(2);
	rig_gpadl(r, 1, 1, 4, 0x100);
	say_header(r, 1, 2, 4);
	rig_forget(r);
	RIG_REJECTS(r, UNKNOWN_GPADL, RIG_TEARDOWN(r, 1, 3));
	RIG_REJECTS(r, UNKNOWN_GPADL, RIG_TEARDOWN(r, 2, 1));
	RIG_REJECTS(r, UNKNOWN_CHANNEL, RIG_TEARDOWN(r, 3, 1));
	RIG_REJECTS(r, GPADL_STATE, RIG_TEARDOWN(r, 1, 2));
	RIG_DEAD(r);
	rig_open(r, 1, 1);
	RIG_STATE(r, &r->devices[0], "open");
	rig_destroy(r);
}

/* R-GPADL-019, R-GPADL-032 */
static void an_id_is_reusable_after_its_teardown(void)
{
	struct rig *r = connected(1);
	for (unsigned i = 0; i < 10000; i++) {
		rig_gpadl(r, 1, 1, 1 + i % 60, 0x100);
		RIG_TEARDOWN(r, 1, 1);
		RIG_HEAR3(r, 10, 1, 1, 0);
		RIG_HEAR1(r, 12, 1);
		RIG_DEAD(r);
		rig_forget(r);
	}
	CU_ASSERT_EQUAL(r->allocations, 0);
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	rig_destroy(r);
}

/* R-GPADL-020 */
static void a_release_forgets_what_was_in_progress(void)
{
	struct rig *r = connected(1);
	say_header(r, 1, 1, 100);
	RIG_RELEASE(r, 1);
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	RIG_REJECTS(r, UNKNOWN_GPADL, say_body(r, 1, 1, 0x1));
	rig_connect(r, 0x50003, 0);
	rig_gpadl(r, 1, 1, 4, 0x100);
	RIG_HEAR3(r, 10, 1, 1, 0);
	/* also while the device closes */
	rig_open(r, 1, 1);
	say_header(r, 1, 2, 100);
	r->devices[0].waits_close = true;
	RIG_CLOSE(r, 1);
	RIG_RELEASE(r, 1);
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 1); /* the rings, in use */
	rig_forget(r);
	RIG_REJECTS(r, UNKNOWN_GPADL, say_body(r, 2, 1, 0x1));
	vmbus_server_close_done(r->server, r->devices[0].id);
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-GPADL-023: the number, at the bound and one past it */
static void the_number_of_gpadls_is_bounded(void)
{
	struct rig *r = connected(2);
	for (unsigned i = 0; i < LIMIT_GPADLS; i++) {
		const struct rig_bytes b = rig_gpadl_header(1 + i % 2, i, 0, 0);
		rig_say(r, &b);
		RIG_HEAR3(r, 10, 1 + i % 2, i, 0);
		rig_forget(r);
	}
	CU_ASSERT_EQUAL(rig_status(r).gpadls, LIMIT_GPADLS);
	const struct rig_bytes b = rig_gpadl_header(1, LIMIT_GPADLS, 0, 0);
	RIG_REJECTS(r, GPADL_QUOTA, rig_say(r, &b));
	RIG_HEAR3(r, 10, 1, LIMIT_GPADLS, 0xc0000044);
	RIG_TEARDOWN(r, 1, 0);
	RIG_HEAR1(r, 12, 0);
	rig_say(r, &b);
	RIG_HEAR3(r, 10, 1, LIMIT_GPADLS, 0);
	RIG_UNLOAD(r);
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	rig_destroy(r);
}

/* R-GPADL-023, R-ROB-004: the memory; a header alone claims all that its stream needs */
static void the_words_of_gpadls_are_bounded(void)
{
	struct rig *r = connected(1);
	const unsigned whole = LIMIT_GPADL_WORDS / 8191;
	const unsigned rest = LIMIT_GPADL_WORDS % 8191;
	for (unsigned i = 0; i < whole; i++)
		say_header(r, 1, i, 8190);
	say_header(r, 1, whole, rest - 1);
	CU_ASSERT_EQUAL(rig_status(r).gpadl_words, LIMIT_GPADL_WORDS);
	CU_ASSERT_EQUAL(r->allocated, LIMIT_GPADL_WORDS * 8);
	RIG_DEAD(r);
	struct rig_bytes b = rig_gpadl_header(1, 1000, 8, 1);
	rig_range(&b, 4096, 0);
	RIG_REJECTS(r, GPADL_QUOTA, rig_say(r, &b));
	RIG_HEAR3(r, 10, 1, 1000, 0xc0000044);
	CU_ASSERT_EQUAL(rig_status(r).gpadl_words, LIMIT_GPADL_WORDS);
	rig_destroy(r);
}

static void no_memory_is_a_refusal(void)
{
	struct rig *r = connected(1);
	r->has_no_memory = true;
	RIG_REJECTS(r, GPADL_QUOTA, rig_gpadl(r, 1, 1, 4, 0x100));
	RIG_HEAR3(r, 10, 1, 1, 0xc0000044);
	r->has_no_memory = false;
	rig_gpadl(r, 1, 1, 4, 0x100);
	RIG_HEAR3(r, 10, 1, 1, 0);
	rig_destroy(r);
}

/* R-GPADL-024 */
static void several_ranges_make_one_gpadl(void)
{
	struct rig *r = connected(1);
	struct rig_device *d = &r->devices[0];
	struct vmbus_server_gpadl range;
	struct rig_bytes b = rig_gpadl_header(1, 2, 3 * 8 + 6 * 8, 3);
	rig_range(&b, 8192, 100); /* three pages */
	for (unsigned i = 0; i < 3; i++)
		rig_u64(&b, 0x200 + i);
	rig_range(&b, 1, 4095); /* one */
	rig_u64(&b, 0x300);
	rig_range(&b, 4096, 1); /* two */
	rig_u64(&b, 0x400);
	rig_u64(&b, 0x401);
	rig_say(r, &b);
	RIG_HEAR3(r, 10, 1, 2, 0);
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_open(r, 1, 1);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 0, &range), 0);
	CU_ASSERT_EQUAL(range.page_count, 3);
	CU_ASSERT_EQUAL(range.offset_bytes, 100);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 1, &range), 0);
	CU_ASSERT_EQUAL(range.gpns[0], 0x300);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 2, &range), 0);
	CU_ASSERT_EQUAL(range.page_count, 2);
	CU_ASSERT_EQUAL(range.gpns[1], 0x401);
	CU_ASSERT_EQUAL(range.bytes, 4096);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 3, &range), -ERANGE);
	/* closing lets go */
	RIG_TEARDOWN(r, 1, 2);
	rig_forget(r);
	RIG_CLOSE(r, 1);
	RIG_HEAR1(r, 12, 2);
	rig_destroy(r);
}

/* R-GPADL-025 */
static void an_empty_gpadl_is_useless_but_harmless(void)
{
	struct rig *r = connected(1);
	const struct rig_bytes b = rig_gpadl_header(1, 1, 0, 0);
	rig_say(r, &b);
	RIG_HEAR3(r, 10, 1, 1, 0);
	RIG_REJECTS(r, RING_GPADL, rig_open(r, 1, 1));
	RIG_HEAR3(r, 6, 1, 1, RIG_FAILURE);
	RIG_TEARDOWN(r, 1, 1);
	RIG_HEAR1(r, 12, 1);
	rig_destroy(r);
}

static void an_offset_past_the_first_page_is_refused(void)
{
	struct rig *r = connected(1);
	for (uint32_t offset = 4095; offset <= 4096; offset++) {
		struct rig_bytes b = rig_gpadl_header(1, offset, 24, 1);
		rig_range(&b, 2, offset);
		rig_u64(&b, 0x77);
		rig_u64(&b, 0x78);
		rig_say(r, &b);
		RIG_HEAR3(r, 10, 1, offset, offset == 4095 ? 0 : RIG_FAILURE);
	}
	rig_destroy(r);
}

static const struct test tests[] = {
	TEST(the_golden_gpadl_is_created_and_torn_down),
	TEST(a_header_holds_twenty_six_pages),
	TEST(bodies_may_be_of_any_size),
	TEST(bytes_behind_the_stream_are_ignored),
	TEST(malformed_ranges_are_refused),
	TEST(every_page_of_a_range_is_looked_at),
	TEST(the_largest_gpadl_has_8190_pages),
	TEST(a_gpadl_of_an_unknown_channel_is_refused_by_its_own_ids),
	TEST(a_duplicate_is_refused_and_the_first_stays),
	TEST(ids_in_progress_are_unique),
	TEST(a_body_without_its_header_is_ignored),
	TEST(bodies_of_several_may_interleave),
	TEST(a_teardown_waits_for_who_uses_it),
	TEST(a_teardown_of_something_else_is_ignored),
	TEST(an_id_is_reusable_after_its_teardown),
	TEST(a_release_forgets_what_was_in_progress),
	TEST(the_number_of_gpadls_is_bounded),
	TEST(the_words_of_gpadls_are_bounded),
	TEST(no_memory_is_a_refusal),
	TEST(several_ranges_make_one_gpadl),
	TEST(an_empty_gpadl_is_useless_but_harmless),
	TEST(an_offset_past_the_first_page_is_refused),
};
TEST_MAIN("vmbus_server_gpadl", tests)
