// SPDX-License-Identifier: Apache-2.0
/* VMBus server: open, close, reopen, reserved channels, modify. */
#include "tests/unit/vmbus_server_rig.h"

/* A device, connected at 5.3, with GPADL 1 of 4 pages; not open. */
static struct rig *ready(struct rig_device **d)
{
	struct rig *r = rig_make();
	*d = rig_device(r, 1, 0);
	rig_connect(r, 0x50003, 0);
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_forget(r);
	return r;
}

/* R-OPEN-001, R-OPEN-021, R-OPEN-009 */
static void an_open_reaches_the_device_and_is_answered_once(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	struct rig_bytes b = rig_open_bytes(1, 0xdeadbeef, 1, 3, 2);
	for (unsigned i = 0; i < 120; i++)
		b.at[28 + i] = (uint8_t)(200 - i);
	CU_ASSERT_EQUAL(b.count, 148);
	rig_say(r, &b);
	RIG_HEAR(r, "0600000000000000 01000000 efbeadde 00000000");
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->opens, 1);
	CU_ASSERT_EQUAL(memcmp(d->user_data, b.at + 28, 120), 0);
	CU_ASSERT_EQUAL(d->open.relid, 1);
	CU_ASSERT_EQUAL(d->open.target_vp, 3);
	CU_ASSERT_EQUAL(d->open.connection_id, 0x2001);
	CU_ASSERT_EQUAL(d->open.event_flag, 1);
	CU_ASSERT_EQUAL(d->open.page_count, 4);
	CU_ASSERT_EQUAL(d->open.downstream_page, 2);
	CU_ASSERT_FALSE(d->open.is_reserved);
	rig_destroy(r);
}

/* R-OPEN-002 */
static void an_open_channel_cannot_be_opened(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_open = true;
	rig_open(r, 1, 1);
	RIG_REJECTS(r, CHANNEL_ALREADY_OPEN, rig_open(r, 1, 1));
	RIG_DEAD(r);
	vmbus_server_open_done(r->server, d->id, 0);
	RIG_HEAR3(r, 6, 1, 1, 0);
	RIG_REJECTS(r, CHANNEL_ALREADY_OPEN, rig_open(r, 1, 1));
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->opens, 1);
	rig_destroy(r);
}

/* R-OPEN-003, R-OPEN-004 */
static void an_open_while_closing_is_remembered(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_close = true;
	rig_open(r, 1, 1);
	RIG_CLOSE(r, 1);
	rig_forget(r);
	struct rig_bytes b = rig_open_bytes(1, 111, 1, 0, 2);
	rig_say(r, &b);
	RIG_STATE(r, d, "closing-reopen");
	b = rig_open_bytes(1, 222, 1, 0, 2);
	RIG_REJECTS(r, CHANNEL_ALREADY_OPEN, rig_say(r, &b));
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->opens, 1);
	CU_ASSERT_TRUE(vmbus_server_close_done(r->server, d->id));
	RIG_HEAR3(r, 6, 1, 111, 0);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->opens, 2);
	RIG_STATE(r, d, "open");
	rig_destroy(r);
}

static void a_remembered_open_whose_rings_are_gone_fails(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_close = true;
	rig_open(r, 1, 1);
	RIG_CLOSE(r, 1);
	rig_open(r, 1, 1);
	RIG_TEARDOWN(r, 1, 1);
	rig_forget(r);
	RIG_REJECTS(r, RING_GPADL, vmbus_server_close_done(r->server, d->id));
	RIG_HEAR1(r, 12, 1);
	RIG_HEAR3(r, 6, 1, 1, 0xc0000225);
	RIG_DEAD(r);
	RIG_STATE(r, d, "closed");
	rig_destroy(r);
}

/* R-OPEN-005, R-OPEN-006, R-OPEN-007 */
static void rings_must_fit_their_gpadl(void)
{
	static const struct {
		uint32_t gpadl, page;
		enum vmbus_rejection reason;
	} cases[] = {
		{99, 2, VMBUS_REJECTION_RING_GPADL}, /* never made */
		{2, 2, VMBUS_REJECTION_RING_GPADL},  /* of another channel */
		{3, 2, VMBUS_REJECTION_RING_GPADL},  /* in progress */
		{4, 2, VMBUS_REJECTION_RING_GPADL},  /* two ranges */
		{5, 2, VMBUS_REJECTION_RING_GPADL},  /* offset */
		{6, 2, VMBUS_REJECTION_RING_GPADL},  /* not whole pages */
		{7, 2, VMBUS_REJECTION_RING_GPADL},  /* three pages */
		{1, 0, VMBUS_REJECTION_RING_GPADL},
		{1, 1, VMBUS_REJECTION_RING_GPADL},
		{1, 3, VMBUS_REJECTION_RING_GPADL},
		{1, 4, VMBUS_REJECTION_RING_GPADL},
		{1, 5, VMBUS_REJECTION_RING_GPADL},
		{1, 0xffffffff, VMBUS_REJECTION_RING_GPADL},
	};
	struct rig_device *d;
	struct rig *r = ready(&d);
	rig_device(r, 2, 0);
	rig_gpadl(r, 2, 2, 4, 0x200);
	struct rig_bytes b = rig_gpadl_header(1, 3, 40, 1);
	rig_say(r, &b);
	b = rig_gpadl_header(1, 4, 8 * 6, 2);
	for (unsigned i = 0; i < 2; i++) {
		rig_range(&b, 8192, 0);
		rig_u64(&b, 0x300);
		rig_u64(&b, 0x301);
	}
	rig_say(r, &b);
	for (uint32_t id = 5; id <= 6; id++) {
		b = rig_gpadl_header(1, id, 8 * 6, 1);
		rig_range(&b, id == 5 ? 0x4000 : 0x4800, id == 5 ? 0x800 : 0);
		for (unsigned i = 0; i < 5; i++)
			rig_u64(&b, 0x400 + i);
		rig_say(r, &b);
	}
	rig_gpadl(r, 1, 7, 3, 0x500);
	rig_forget(r);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		b = rig_open_bytes(1, 50 + i, cases[i].gpadl, 0, cases[i].page);
		rig_say(r, &b);
		CU_ASSERT_EQUAL(rig_status(r).last_rejection, cases[i].reason);
		const struct rig_message *m = rig_next(r);
		CU_ASSERT_EQUAL(m->payload[0], 6);
		CU_ASSERT_EQUAL(m->payload[12], 50 + i);
		CU_ASSERT_TRUE(m->payload[19] & 0x80); /* negative */
		RIG_STATE(r, d, "closed");
	}
	CU_ASSERT_EQUAL(rig_status(r).rejected, sizeof cases / sizeof *cases);
	CU_ASSERT_EQUAL(d->opens, 0);
	rig_open(r, 1, 1);
	RIG_HEAR3(r, 6, 1, 1, 0);
	rig_destroy(r);
}

/* R-OPEN-007, R-OPEN-031 */
static void the_device_decides_and_success_is_exactly_zero(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->open_status = -EBUSY;
	rig_open(r, 1, 1);
	RIG_HEAR3(r, 6, 1, 1, RIG_FAILURE);
	RIG_STATE(r, d, "closed");
	r->open_refusal = VMBUS_REJECTION_SIGNAL_PARAMETERS;
	RIG_REJECTS(r, SIGNAL_PARAMETERS, rig_open(r, 1, 1));
	RIG_HEAR3(r, 6, 1, 1, RIG_FAILURE);
	RIG_STATE(r, d, "closed");
	d->open_status = 0x103;
	rig_open(r, 1, 1);
	RIG_HEAR3(r, 6, 1, 1, 0);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->opens, 2);
	CU_ASSERT_EQUAL(d->closes, 0);
	rig_destroy(r);
}

/* R-OPEN-010, R-OPEN-011, R-OPEN-012, R-OPEN-013 */
static void signal_parameters_are_the_guests_if_negotiated(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	rig_connect(r, 0x60000, 0x3);
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_forget(r);
	struct rig_bytes b = rig_open_bytes(1, 1, 1, 0, 2);
	RIG_REJECTS(r, TOO_SMALL, rig_say(r, &b));
	RIG_DEAD(r);
	rig_u32(&b, 0x4321);
	rig_u16(&b, 77);
	rig_u16(&b, 0xfffe);
	rig_say(r, &b);
	RIG_HEAR3(r, 6, 1, 1, 0);
	CU_ASSERT_EQUAL(d->open.connection_id, 0x4321);
	CU_ASSERT_EQUAL(d->open.event_flag, 77);
	RIG_CLOSE(r, 1);
	static const uint16_t wrong[] = {0, 2048, 0xffff};
	for (unsigned i = 0; i < 3; i++) {
		b.count = 152;
		rig_u16(&b, wrong[i]);
		rig_u16(&b, 0);
		RIG_REJECTS(r, SIGNAL_PARAMETERS, rig_say(r, &b));
		RIG_HEAR3(r, 6, 1, 1, RIG_FAILURE);
	}
	static const uint32_t reserved[] = {0, 1, 2, 3, 4, 0x800074};
	for (unsigned i = 0; i < 6; i++) {
		b.count = 148;
		rig_u32(&b, reserved[i]);
		rig_u16(&b, 77);
		rig_u16(&b, 0);
		RIG_REJECTS(r, SIGNAL_PARAMETERS, rig_say(r, &b));
		RIG_HEAR3(r, 6, 1, 1, RIG_FAILURE);
	}
	b.count = 148;
	rig_u32(&b, 5);
	rig_u16(&b, 2047);
	rig_u16(&b, 1);
	rig_say(r, &b);
	RIG_HEAR3(r, 6, 1, 1, 0);
	rig_destroy(r);
}

/* R-OPEN-032 */
static void the_tail_of_an_open_is_ignored_at_every_version(void)
{
	static const uint32_t versions[] = {0x0000d, 0x10001, 0x30000, 0x50003, 0x60000};
	for (unsigned i = 0; i < 5; i++) {
		struct rig *r = rig_make();
		struct rig_device *d = rig_device(r, 1, 0);
		rig_connect(r, versions[i], 0);
		rig_gpadl(r, 1, 1, 4, 0x100);
		rig_forget(r);
		struct rig_bytes b = rig_open_bytes(1, 0, 1, 2, 2);
		memset(b.at + b.count, 0xff, 240 - b.count);
		b.count = i % 2 ? 156 : 240;
		rig_say(r, &b);
		RIG_HEAR3(r, 6, 1, 0, 0);
		CU_ASSERT_EQUAL(d->open.event_flag, 1);
		/* before 2.4 interrupts go to VP 0 whatever was asked for */
		CU_ASSERT_EQUAL(d->open.target_vp, versions[i] < 0x20004 ? 0 : 2);
		rig_destroy(r);
	}
}

/* R-OPEN-014, R-OPEN-015 */
static void the_target_vp_exists_or_is_none(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	static const uint32_t wrong[] = {RIG_VPS, 5000, 0xfffffffe};
	for (unsigned i = 0; i < 3; i++) {
		const struct rig_bytes b = rig_open_bytes(1, 1, 1, wrong[i], 2);
		RIG_REJECTS(r, TARGET_VP, rig_say(r, &b));
		RIG_HEAR3(r, 6, 1, 1, RIG_FAILURE);
	}
	struct rig_bytes b = rig_open_bytes(1, 1, 1, RIG_VPS - 1, 2);
	rig_say(r, &b);
	RIG_HEAR3(r, 6, 1, 1, 0);
	RIG_CLOSE(r, 1);
	b = rig_open_bytes(1, 1, 1, 0xffffffff, 2);
	rig_say(r, &b);
	RIG_HEAR3(r, 6, 1, 1, 0);
	CU_ASSERT_EQUAL(d->open.target_vp, VMBUS_TARGET_VP_NONE);
	rig_destroy(r);
}

/* R-OPEN-018, R-OPEN-019 */
static void a_close_is_never_answered(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_open = true;
	d->waits_close = true;
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_CLOSE(r, 1));
	rig_open(r, 1, 1);
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_CLOSE(r, 1));
	vmbus_server_open_done(r->server, d->id, 0);
	rig_forget(r);
	RIG_CLOSE(r, 1);
	CU_ASSERT_EQUAL(d->closes, 1);
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_CLOSE(r, 1));
	rig_open(r, 1, 1);
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_CLOSE(r, 1));
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->closes, 1);
	rig_destroy(r);
}

/* R-OPEN-026 */
static void ten_thousand_opens_and_closes(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	for (unsigned i = 0; i < 10000; i++) {
		rig_open(r, 1, 1);
		RIG_CLOSE(r, 1);
		rig_forget(r);
	}
	CU_ASSERT_EQUAL(d->opens, 10000);
	CU_ASSERT_EQUAL(d->closes, 10000);
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	RIG_TEARDOWN(r, 1, 1);
	RIG_HEAR1(r, 12, 1);
	rig_destroy(r);
}

/* R-ROB-006 */
static void a_stuck_device_holds_up_nobody_else(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	struct rig_device *other = rig_device(r, 2, 0);
	d->waits_open = true;
	rig_open(r, 1, 1);
	rig_gpadl(r, 2, 2, 4, 0x200);
	rig_open(r, 2, 2);
	RIG_STATE(r, other, "open");
	RIG_CLOSE(r, 2);
	rig_remove(r, other);
	RIG_STATE(r, other, "revoked");
	RIG_RELEASE(r, 2);
	RIG_STATE(r, d, "opening");
	rig_destroy(r);
}

/* ---- reserved channels ---- */

/* R-OPEN-027, R-OPEN-028 */
static void a_reserved_channel_is_answered_where_it_asks(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	rig_open_reserved(r, 1, 1, 5, 1);
	CU_ASSERT_EQUAL(r->log[0].vp, 1);
	CU_ASSERT_EQUAL(r->log[0].sint, 5);
	RIG_HEAR(r, "0600000000000000 01000000 00000000 00000000");
	CU_ASSERT_EQUAL(d->open.target_vp, VMBUS_TARGET_VP_NONE);
	CU_ASSERT_TRUE(d->open.is_reserved);
	/* R-OPEN-029, R-GPADL-022, R-MOD-003 */
	RIG_REJECTS(r, CHANNEL_RESERVED, RIG_CLOSE(r, 1));
	const struct rig_bytes b = rig_gpadl_header(1, 9, 0, 0);
	RIG_REJECTS(r, CHANNEL_RESERVED, rig_say(r, &b));
	RIG_HEAR3(r, 10, 1, 9, RIG_FAILURE);
	RIG_REJECTS(r, CHANNEL_RESERVED, RIG_TEARDOWN(r, 1, 1));
	RIG_REJECTS(r, CHANNEL_RESERVED, RIG_MODIFY(r, 1, 0));
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	RIG_STATE(r, d, "open");
	RIG_CLOSE_RESERVED(r, 1, 3, 7);
	const struct rig_message *m = &r->log[r->seen];
	CU_ASSERT_EQUAL(m->vp, 3);
	CU_ASSERT_EQUAL(m->sint, 7);
	RIG_HEAR(r, "1400000000000000 01000000");
	RIG_STATE(r, d, "closed");
	/* and back to an ordinary channel */
	rig_open(r, 1, 1);
	RIG_HEAR3(r, 6, 1, 1, 0);
	RIG_REJECTS(r, CHANNEL_NOT_RESERVED, RIG_CLOSE_RESERVED(r, 1, 0, 2));
	RIG_STATE(r, d, "open");
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-OPEN-030, R-OPEN-028 */
static void a_reserved_channel_survives_unload_but_not_reset(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	rig_device(r, 2, 0);
	rig_open_reserved(r, 1, 0, 2, 1);
	rig_forget(r);
	RIG_UNLOAD(r);
	RIG_HEAR(r, "1100000000000000");
	RIG_STATE(r, d, "open");
	CU_ASSERT_EQUAL(d->closes, 0);
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 1);
	/* not offered again, and its relid is not given away */
	rig_contact(r, 0x50003, 0);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	const struct rig_message *m = rig_next(r);
	CU_ASSERT_EQUAL(m->payload[39], 2); /* the other device */
	CU_ASSERT_EQUAL(m->payload[184], 2);
	RIG_HEAR(r, "0400000000000000");
	RIG_UNLOAD(r);
	rig_forget(r);
	RIG_CLOSE_RESERVED(r, 1, 1, 4);
	CU_ASSERT_EQUAL(r->log[0].vp, 1);
	RIG_HEAR(r, "1400000000000000 01000000");
	RIG_STATE(r, d, "unoffered");
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	RIG_REJECTS(r, UNKNOWN_CHANNEL, RIG_CLOSE_RESERVED(r, 1, 1, 4));

	rig_connect(r, 0x50003, 0);
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_open_reserved(r, 1, 0, 2, 1);
	vmbus_server_reset(r->server);
	RIG_STATE(r, d, "unoffered");
	CU_ASSERT_EQUAL(r->resets, 1);
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	rig_destroy(r);
}

static void a_reserved_channel_of_an_earlier_connection_comes_back_when_closed(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	rig_open_reserved(r, 1, 0, 2, 1);
	rig_connect(r, 0x50003, 0);
	RIG_STATE(r, d, "open");
	RIG_CLOSE_RESERVED(r, 1, 0, 2);
	RIG_HEAR(r, "1400000000000000 01000000");
	CU_ASSERT_EQUAL(rig_next(r)->bytes, 196);
	RIG_STATE(r, d, "closed");
	/* removed instead: this guest was never told of it, so nothing is rescinded */
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_open_reserved(r, 1, 0, 2, 1);
	rig_connect(r, 0x50003, 0);
	rig_remove(r, d);
	RIG_STATE(r, d, "gone");
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->gone, 1);
	rig_destroy(r);
}

static void answers_of_reserved_channels_are_not_queued(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_open = true;
	rig_open_reserved(r, 1, 99, 2, 1); /* no such VP */
	vmbus_server_open_done(r->server, d->id, 0);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).messages_lost, 1);
	d->waits_close = true;
	RIG_CLOSE_RESERVED(r, 1, 0, 2);
	r->is_full = true;
	vmbus_server_close_done(r->server, d->id);
	r->is_full = false;
	vmbus_server_drained(r->server);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).messages_lost, 2);
	RIG_STATE(r, d, "closed");
	rig_destroy(r);
}

/* R-MSG-004: a guest that names a place and never looks there has nothing waiting for it. */
static void answers_of_reserved_channels_do_not_pile_up_behind_a_full_slot(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	rig_open_reserved(r, 1, 0, 2, 1);
	d->waits_close = true;
	RIG_CLOSE_RESERVED(r, 1, 3, 5);
	rig_forget(r);
	r->is_full = true;
	r->queues = true;
	vmbus_server_close_done(r->server, d->id);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).messages_lost, 1);
	rig_destroy(r);
}

static void a_reserved_close_is_answered_though_the_guest_unloads(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_close = true;
	rig_open_reserved(r, 1, 0, 2, 1);
	RIG_CLOSE_RESERVED(r, 1, 1, 6);
	rig_forget(r);
	RIG_UNLOAD(r);
	RIG_HEAR(r, "1100000000000000"); /* does not wait for it */
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR(r, "1400000000000000 01000000");
	RIG_STATE(r, d, "unoffered");
	rig_destroy(r);
}

/* ---- modify ---- */

/* R-MOD-001, R-MOD-007 */
static void modify_moves_interrupts(void)
{
	static const struct {
		uint32_t version;
		bool is_known, is_answered;
	} cases[] = {
		{0x40000, false, false},
		{0x40001, true, false},
		{0x50002, true, false},
		{0x50003, true, true},
		{0x60000, true, true},
	};
	for (unsigned i = 0; i < 5; i++) {
		struct rig *r = rig_make();
		struct rig_device *d = rig_opened(r, cases[i].version, 0);
		RIG_MODIFY(r, 1, 3);
		CU_ASSERT_EQUAL(d->target_vp, cases[i].is_known ? 3 : 0);
		if (cases[i].is_answered)
			RIG_HEAR(r, "1800000000000000 01000000 00000000");
		/* R-MOD-006: it takes effect at once, so that none overlap */
		RIG_MODIFY(r, 1, 1);
		RIG_MODIFY(r, 1, 2);
		CU_ASSERT_EQUAL(d->target_vp, cases[i].is_known ? 2 : 0);
		char text[1024];
		vmbus_server_describe(r->server, text, sizeof text);
		CU_ASSERT_PTR_NOT_NULL(
			strstr(text, cases[i].is_known ? "open vp 2 flag" : "open vp 0 flag"));
		if (cases[i].is_answered) {
			RIG_HEAR2(r, 24, 1, 0);
			RIG_HEAR2(r, 24, 1, 0);
		}
		RIG_DEAD(r);
		CU_ASSERT_EQUAL(vmbus_server_rejections(r->server, VMBUS_REJECTION_NOT_NEGOTIATED),
			cases[i].is_known ? 0 : 3);
		rig_destroy(r);
	}
}

/* R-MOD-003 */
static void modify_fails_unless_open(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_open = true;
	d->waits_close = true;
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_MODIFY(r, 1, 1)); /* closed */
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	rig_open(r, 1, 1);
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_MODIFY(r, 1, 1)); /* opening */
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	vmbus_server_open_done(r->server, d->id, 0);
	RIG_CLOSE(r, 1);
	rig_forget(r);
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_MODIFY(r, 1, 1)); /* closing */
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	rig_open(r, 1, 1);
	RIG_REJECTS(r, CHANNEL_NOT_OPEN, RIG_MODIFY(r, 1, 1)); /* closing-reopen */
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	rig_remove(r, d);
	RIG_REJECTS(r, CHANNEL_REVOKED, RIG_MODIFY(r, 1, 1)); /* revoking */
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	RIG_REJECTS(r, UNKNOWN_CHANNEL, RIG_MODIFY(r, 1999, 1));
	RIG_HEAR2(r, 24, 1999, RIG_FAILURE);
	CU_ASSERT_EQUAL(d->target_vp, 0);
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-MOD-004, R-MOD-005 */
static void modify_needs_a_vp_and_interrupts(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	rig_open(r, 1, 1);
	rig_forget(r);
	RIG_REJECTS(r, TARGET_VP, RIG_MODIFY(r, 1, 0xffffffff));
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	RIG_REJECTS(r, TARGET_VP, RIG_MODIFY(r, 1, 5000));
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	CU_ASSERT_EQUAL(d->target_vp, 0);
	RIG_CLOSE(r, 1);
	const struct rig_bytes b = rig_open_bytes(1, 1, 1, 0xffffffff, 2);
	rig_say(r, &b);
	rig_forget(r);
	RIG_REJECTS(r, INTERRUPTS_DISABLED, RIG_MODIFY(r, 1, 0));
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	CU_ASSERT_EQUAL(d->target_vp, VMBUS_TARGET_VP_NONE);
	rig_destroy(r);
}

static void a_reserved_open_is_answered_though_the_guest_unloads(void)
{
	for (int status = 0; status >= -1; status--) {
		struct rig_device *d;
		struct rig *r = ready(&d);
		d->waits_open = true;
		rig_open_reserved(r, 1, 2, 3, 1);
		RIG_UNLOAD(r);
		RIG_HEAR(r, "1100000000000000");
		CU_ASSERT_TRUE(vmbus_server_open_done(r->server, d->id, status));
		CU_ASSERT_EQUAL(r->log[r->seen].vp, 2);
		RIG_HEAR3(r, 6, 1, 0, status == 0 ? 0 : RIG_FAILURE);
		RIG_STATE(r, d, status == 0 ? "open" : "unoffered");
		CU_ASSERT_EQUAL(rig_status(r).gpadls, status == 0 ? 1 : 0);
		rig_destroy(r);
	}
}

static void a_reserved_channel_that_is_taken_back_does_not_survive(void)
{
	struct rig_device *d;
	struct rig *r = ready(&d);
	d->waits_close = true;
	rig_open_reserved(r, 1, 0, 2, 1);
	rig_remove(r, d);
	RIG_STATE(r, d, "revoking");
	rig_forget(r);
	RIG_UNLOAD(r);
	RIG_DEAD(r); /* its memory is still in use */
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR(r, "1100000000000000");
	RIG_STATE(r, d, "gone");
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	rig_destroy(r);
}

static const struct test tests[] = {
	TEST(an_open_reaches_the_device_and_is_answered_once),
	TEST(an_open_channel_cannot_be_opened),
	TEST(an_open_while_closing_is_remembered),
	TEST(a_remembered_open_whose_rings_are_gone_fails),
	TEST(rings_must_fit_their_gpadl),
	TEST(the_device_decides_and_success_is_exactly_zero),
	TEST(signal_parameters_are_the_guests_if_negotiated),
	TEST(the_tail_of_an_open_is_ignored_at_every_version),
	TEST(the_target_vp_exists_or_is_none),
	TEST(a_close_is_never_answered),
	TEST(ten_thousand_opens_and_closes),
	TEST(a_stuck_device_holds_up_nobody_else),
	TEST(a_reserved_channel_is_answered_where_it_asks),
	TEST(a_reserved_channel_survives_unload_but_not_reset),
	TEST(a_reserved_channel_of_an_earlier_connection_comes_back_when_closed),
	TEST(answers_of_reserved_channels_are_not_queued),
	TEST(answers_of_reserved_channels_do_not_pile_up_behind_a_full_slot),
	TEST(a_reserved_close_is_answered_though_the_guest_unloads),
	TEST(modify_moves_interrupts),
	TEST(modify_fails_unless_open),
	TEST(modify_needs_a_vp_and_interrupts),
	TEST(a_reserved_open_is_answered_though_the_guest_unloads),
	TEST(a_reserved_channel_that_is_taken_back_does_not_survive),
};
TEST_MAIN("vmbus_server_channel", tests)
