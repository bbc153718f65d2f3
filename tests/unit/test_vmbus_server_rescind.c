// SPDX-License-Identifier: Apache-2.0
/* VMBus server: rescind, the same offer again, release. */
#include "tests/unit/vmbus_server_rig.h"

static uint32_t offered_relid(const struct rig_message *m)
{
	return rig_message_u16(m, 184);
}

/* R-RESC-001 */
static void an_offer_that_waits_is_followed_by_its_rescind(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x50003, 0);
	r->is_full = true;
	struct rig_device *d = rig_device(r, 1, 0);
	rig_remove(r, d);
	CU_ASSERT_EQUAL(d->gone, 1);
	rig_remove(r, d);
	r->is_full = false;
	vmbus_server_drained(r->server);
	CU_ASSERT_EQUAL(rig_next(r)->bytes, 196);
	RIG_HEAR(r, "0200000000000000 01000000");
	RIG_DEAD(r);
	RIG_STATE(r, d, "revoked");
	rig_destroy(r);
}

static void an_offer_that_nobody_has_seen_goes_silently(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	rig_remove(r, d);
	CU_ASSERT_EQUAL(d->gone, 1);
	rig_contact(r, 0x50003, 0);
	d = rig_device(r, 2, 0);
	rig_remove(r, d);
	CU_ASSERT_EQUAL(d->gone, 1);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	RIG_HEAR(r, "0400000000000000");
	rig_destroy(r);
}

/* R-RESC-002 */
static void subchannels_are_rescinded_before_their_primary(void)
{
	struct rig *r = rig_make();
	struct rig_device *primary = rig_device(r, 1, 0);
	struct rig_device *subs[8];
	for (uint16_t i = 0; i < 8; i++)
		subs[i] = rig_device(r, 1, (uint16_t)(i + 1));
	rig_connect(r, 0x50003, 0);
	rig_gpadl(r, subs[3]->relid, 1, 4, 0x100);
	rig_open(r, subs[3]->relid, 1);
	subs[3]->waits_close = true;
	rig_forget(r);
	rig_remove(r, primary);
	/* all but the open one, and so not the primary */
	for (unsigned i = 0; i < 7; i++) {
		const struct rig_message *m = rig_next(r);
		CU_ASSERT_EQUAL(m->payload[0], 2);
		CU_ASSERT_NOT_EQUAL(m->payload[8], primary->relid);
	}
	RIG_DEAD(r);
	RIG_STATE(r, primary, "revoking");
	CU_ASSERT_EQUAL(primary->gone, 1);
	vmbus_server_close_done(r->server, subs[3]->id);
	RIG_HEAR1(r, 2, 5);
	RIG_HEAR1(r, 2, 1);
	RIG_DEAD(r);
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(subs[i]->gone, 1);
	for (unsigned i = 1; i <= 9; i++)
		RIG_RELEASE(r, i);
	CU_ASSERT_EQUAL(rig_status(r).relids, 0);
	rig_destroy(r);
}

/* R-RESC-003, R-RESC-015 */
static void teardowns_are_answered_before_the_rescind(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	struct vmbus_server_gpadl held;
	d->waits_close = true;
	rig_gpadl(r, 1, 2, 3, 0x200);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, d->id, 2, 0, &held), 0);
	RIG_TEARDOWN(r, 1, 1);
	RIG_TEARDOWN(r, 1, 2);
	rig_forget(r);
	rig_remove(r, d);
	RIG_STATE(r, d, "revoking");
	RIG_DEAD(r); /* the device may still use both */
	CU_ASSERT_EQUAL(d->gone, 0);
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR1(r, 12, 2);
	RIG_HEAR1(r, 12, 1);
	RIG_HEAR1(r, 2, 1);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->gone, 1);
	CU_ASSERT_EQUAL(r->allocated, 0);
	rig_destroy(r);
}

/* R-RESC-004, R-ROB-007 */
static void an_open_that_is_overtaken_by_removal_is_never_answered(void)
{
	for (int status = 0; status >= -1; status--) {
		struct rig *r = rig_make();
		struct rig_device *d = rig_device(r, 1, 0);
		d->waits_open = true;
		rig_connect(r, 0x50003, 0);
		rig_gpadl(r, 1, 1, 4, 0x100);
		rig_open(r, 1, 1);
		rig_forget(r);
		rig_remove(r, d);
		RIG_STATE(r, d, "revoking");
		CU_ASSERT_EQUAL(d->closes, 0);
		CU_ASSERT_TRUE(vmbus_server_open_done(r->server, d->id, status));
		CU_ASSERT_EQUAL(d->closes, status == 0 ? 1 : 0);
		CU_ASSERT_EQUAL(d->gone, 1);
		RIG_HEAR(r, "0200000000000000 01000000");
		RIG_DEAD(r);
		CU_ASSERT_FALSE(vmbus_server_open_done(r->server, d->id, 0));
		CU_ASSERT_FALSE(vmbus_server_close_done(r->server, d->id));
		rig_destroy(r);
	}
}

/* R-RESC-005, R-RESC-006 */
static void gpadls_are_served_until_the_release(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	/* header before, body after */
	struct rig_bytes b = rig_gpadl_header(1, 2, 16, 1);
	rig_range(&b, 0x1000, 0);
	rig_say(r, &b);
	rig_remove(r, d);
	RIG_HEAR1(r, 2, 1);
	b = rig_hex("0900000000000000 00000000 02000000 3412000000000000");
	rig_say(r, &b);
	RIG_HEAR3(r, 10, 1, 2, 0);
	rig_gpadl(r, 1, 3, 60, 0x200);
	RIG_HEAR3(r, 10, 1, 3, 0);
	RIG_TEARDOWN(r, 1, 1);
	RIG_HEAR1(r, 12, 1);
	RIG_TEARDOWN(r, 1, 3);
	RIG_HEAR1(r, 12, 3);
	RIG_DEAD(r);
	RIG_RELEASE(r, 1); /* R-RESC-008 */
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	CU_ASSERT_EQUAL(rig_status(r).relids, 0);
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-RESC-007 */
static void opens_and_closes_after_the_rescind_have_no_effect(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	rig_remove(r, d);
	rig_forget(r);
	rig_open(r, 1, 1);
	RIG_CLOSE(r, 1);
	rig_open_reserved(r, 1, 0, 2, 1);
	RIG_CLOSE_RESERVED(r, 1, 0, 2);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(d->opens, 1);
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0); /* a guest may not know yet */
	RIG_REJECTS(r, CHANNEL_REVOKED, RIG_MODIFY(r, 1, 1));
	RIG_HEAR2(r, 24, 1, RIG_FAILURE);
	rig_destroy(r);
}

/* R-RESC-009 */
static void a_relid_is_not_reused_before_its_release(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	rig_remove(r, d);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(rig_device(r, 10 + i, 0)->relid, i + 2);
	RIG_RELEASE(r, 1);
	CU_ASSERT_EQUAL(rig_device(r, 30, 0)->relid, 1);
	rig_destroy(r);
}

/* R-RESC-010 */
static void the_same_offer_again_waits_for_the_release(void)
{
	struct rig *r = rig_make();
	struct rig_device *lower = rig_device(r, 0, 0);
	struct rig_device *d = rig_device(r, 1, 0);
	rig_connect(r, 0x50003, 0);
	rig_remove(r, lower);
	rig_remove(r, d);
	RIG_RELEASE(r, 1); /* a lower relid is free */
	rig_forget(r);
	struct rig_device *again = rig_device(r, 1, 0);
	RIG_STATE(r, d, "reoffered");
	RIG_STATE(r, again, "unoffered");
	RIG_DEAD(r);
	RIG_RELEASE(r, 2);
	RIG_STATE(r, d, "gone");
	CU_ASSERT_EQUAL(offered_relid(rig_next(r)), 2);
	RIG_STATE(r, again, "closed");
	rig_gpadl(r, 2, 1, 4, 0x100);
	rig_open(r, 2, 1);
	CU_ASSERT_EQUAL(again->opens, 1);
	CU_ASSERT_EQUAL(d->opens, 0);
	rig_destroy(r);
}

/* while the first device is still closing, too */
static void the_same_offer_again_waits_for_the_old_device(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	d->waits_close = true;
	rig_remove(r, d);
	struct rig_device *again = rig_device(r, 1, 0);
	RIG_DEAD(r);
	RIG_CLOSE(r, 1);
	RIG_RELEASE(r, 1); /* the guest goes on its own: no RESCIND any more */
	RIG_STATE(r, d, "released");
	vmbus_server_close_done(r->server, d->id);
	CU_ASSERT_EQUAL(d->gone, 1);
	CU_ASSERT_EQUAL(offered_relid(rig_next(r)), 1);
	RIG_DEAD(r);
	RIG_STATE(r, again, "closed");
	rig_destroy(r);
}

/* R-RESC-011 */
static void an_offer_taken_back_while_it_waits_is_never_seen(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	rig_remove(r, d);
	RIG_HEAR1(r, 2, 1);
	struct rig_device *again = rig_device(r, 1, 0);
	rig_remove(r, again);
	CU_ASSERT_EQUAL(again->gone, 1);
	RIG_STATE(r, d, "revoked");
	again = rig_device(r, 1, 0);
	rig_remove(r, again);
	RIG_RELEASE(r, 1);
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-RESC-012, R-RESC-013 */
static void a_guest_may_release_a_closed_channel_only(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	rig_connect(r, 0x50003, 0);
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_forget(r);
	d->waits_open = true;
	d->waits_close = true;
	rig_open(r, 1, 1);
	RIG_REJECTS(r, CHANNEL_STATE, RIG_RELEASE(r, 1));
	vmbus_server_open_done(r->server, d->id, 0);
	RIG_REJECTS(r, CHANNEL_STATE, RIG_RELEASE(r, 1));
	RIG_CLOSE(r, 1);
	rig_open(r, 1, 1);
	RIG_REJECTS(r, CHANNEL_STATE, RIG_RELEASE(r, 1));
	vmbus_server_close_done(r->server, d->id);
	vmbus_server_open_done(r->server, d->id, 0);
	RIG_STATE(r, d, "open");
	/* closing: released, and free when the device has closed */
	RIG_CLOSE(r, 1);
	RIG_RELEASE(r, 1);
	RIG_STATE(r, d, "released");
	CU_ASSERT_EQUAL(rig_status(r).relids, 1);
	CU_ASSERT_EQUAL(rig_device(r, 2, 0)->relid, 2);
	vmbus_server_close_done(r->server, d->id);
	RIG_STATE(r, d, "unoffered");
	rig_forget(r);
	RIG_REJECTS(r, UNKNOWN_CHANNEL, RIG_RELEASE(r, 1));
	RIG_DEAD(r);
	/* offered again at the next contact, not before */
	RIG_RELEASE(r, 2);
	RIG_DEAD(r);
	rig_connect(r, 0x50003, 0);
	RIG_STATE(r, d, "closed");
	CU_ASSERT_EQUAL(d->relid, 1);
	rig_destroy(r);
}

/* R-RESC-014 */
static void a_second_release_is_ignored(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	rig_remove(r, d);
	RIG_RELEASE(r, 1);
	RIG_REJECTS(r, UNKNOWN_CHANNEL, RIG_RELEASE(r, 1));
	struct rig_device *reused = rig_device(r, 2, 0);
	CU_ASSERT_EQUAL(reused->relid, 1);
	RIG_RELEASE(r, 1); /* legally releases the new one */
	RIG_STATE(r, reused, "unoffered");
	rig_destroy(r);
}

/* R-RESC-022 */
static void a_guest_that_ignores_a_rescind_blocks_nothing(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	rig_remove(r, d);
	struct rig_device *other = rig_device(r, 2, 0);
	rig_gpadl(r, 2, 7, 4, 0x300);
	rig_open(r, 2, 7);
	RIG_STATE(r, other, "open");
	rig_forget(r);
	RIG_UNLOAD(r);
	RIG_HEAR(r, "1100000000000000");
	RIG_STATE(r, d, "gone");
	rig_connect(r, 0x50003, 0);
	CU_ASSERT_EQUAL(other->relid, 1);
	rig_destroy(r);
}

static void a_waiting_offer_is_new_at_the_next_contact(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	d->waits_close = true;
	rig_remove(r, d);
	struct rig_device *again = rig_device(r, 1, 0);
	rig_contact(r, 0x50003, 0);
	RIG_DEAD(r);
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	RIG_REQUEST_OFFERS(r);
	CU_ASSERT_EQUAL(offered_relid(rig_next(r)), 1);
	RIG_STATE(r, again, "closed");
	rig_destroy(r);
}

/* Offers and rescinds for ever, released or not: slots and relids come back. */
static void ten_thousand_offers_come_and_go(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x50003, 0);
	for (unsigned i = 0; i < 10000; i++) {
		r->device_count = 0;
		struct rig_device *d = rig_device(r, i & 7, 0);
		CU_ASSERT_EQUAL(d->relid, 1);
		rig_remove(r, d);
		CU_ASSERT_EQUAL(d->gone, 1);
		RIG_RELEASE(r, 1);
		rig_forget(r);
	}
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	rig_destroy(r);
}

static void subchannels_made_too_early_follow_their_primary(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	rig_remove(r, d);
	rig_forget(r);
	struct rig_device *again = rig_device(r, 1, 0); /* waits for the release */
	struct rig_device *subs[2] = {rig_device(r, 1, 1), rig_device(r, 1, 2)};
	RIG_DEAD(r);
	RIG_RELEASE(r, 1);
	CU_ASSERT_EQUAL(offered_relid(rig_next(r)), 1);
	CU_ASSERT_EQUAL(offered_relid(rig_next(r)), 2);
	CU_ASSERT_EQUAL(offered_relid(rig_next(r)), 3);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(again->relid, 1);
	CU_ASSERT_EQUAL(subs[1]->relid, 3);
	rig_destroy(r);
}

/* A primary waits for subchannels until they are rescinded, released, or the guest is gone. */
static void a_primary_does_not_wait_for_a_subchannel_that_the_guest_gives_up(void)
{
	for (unsigned way = 0; way < 3; way++) {
		struct rig *r = rig_make();
		struct rig_device *primary = rig_device(r, 1, 0);
		struct rig_device *sub = rig_device(r, 1, 1);
		rig_connect(r, 0x50003, 0);
		rig_gpadl(r, 2, 1, 4, 0x100);
		rig_open(r, 2, 1);
		sub->waits_close = true;
		rig_remove(r, primary);
		RIG_STATE(r, primary, "revoking");
		rig_forget(r);
		if (way == 0) {
			RIG_RELEASE(r, 2);
			RIG_HEAR(r, "0200000000000000 01000000");
			RIG_STATE(r, primary, "revoked");
		} else if (way == 1) {
			RIG_RELEASE(r, 1);
			RIG_STATE(r, primary, "gone");
		} else {
			RIG_UNLOAD(r);
			RIG_STATE(r, primary, "gone");
		}
		RIG_DEAD(r);
		vmbus_server_close_done(r->server, sub->id);
		CU_ASSERT_EQUAL(sub->gone, 1);
		rig_destroy(r);
	}
}

/* What names a channel that has gone does not reach the one that has its place. */
static void an_id_of_the_past_names_nothing(void)
{
	struct rig *r = rig_make();
	const struct rig_device *old = rig_device(r, 1, 0);
	rig_remove(r, old);
	CU_ASSERT_EQUAL(old->gone, 1);
	const struct rig_device *new = rig_device(r, 2, 0);
	CU_ASSERT_NOT_EQUAL(old->id, new->id);
	rig_remove(r, old);
	CU_ASSERT_EQUAL(new->gone, 0);
	rig_connect(r, 0x50003, 0);
	RIG_STATE(r, new, "closed");
	rig_destroy(r);
}

/* R-RESC-002: a primary waits for its own subchannels, not for those of who had its place. */
static void subchannels_of_a_released_primary_are_nobodys(void)
{
	struct rig *r = rig_make();
	struct rig_device *old = rig_device(r, 1, 0);
	struct rig_device *sub = rig_device(r, 1, 1);
	rig_connect(r, 0x50003, 0);
	rig_gpadl(r, sub->relid, 1, 4, 0x100);
	rig_open(r, sub->relid, 1);
	sub->waits_close = true;
	rig_remove(r, old);
	RIG_STATE(r, old, "revoking");
	RIG_RELEASE(r, old->relid);
	struct rig_device *new = rig_device(r, 2, 0);
	rig_forget(r);
	const uint32_t relid = new->relid;
	rig_remove(r, new);
	RIG_HEAR1(r, 2, relid);
	RIG_DEAD(r);
	CU_ASSERT_TRUE(vmbus_server_close_done(r->server, sub->id));
	RIG_HEAR1(r, 2, 2);
	rig_destroy(r);
}

static const struct test tests[] = {
	TEST(an_id_of_the_past_names_nothing),
	TEST(subchannels_of_a_released_primary_are_nobodys),
	TEST(an_offer_that_waits_is_followed_by_its_rescind),
	TEST(an_offer_that_nobody_has_seen_goes_silently),
	TEST(subchannels_are_rescinded_before_their_primary),
	TEST(teardowns_are_answered_before_the_rescind),
	TEST(an_open_that_is_overtaken_by_removal_is_never_answered),
	TEST(gpadls_are_served_until_the_release),
	TEST(opens_and_closes_after_the_rescind_have_no_effect),
	TEST(a_relid_is_not_reused_before_its_release),
	TEST(the_same_offer_again_waits_for_the_release),
	TEST(the_same_offer_again_waits_for_the_old_device),
	TEST(an_offer_taken_back_while_it_waits_is_never_seen),
	TEST(a_guest_may_release_a_closed_channel_only),
	TEST(a_second_release_is_ignored),
	TEST(a_guest_that_ignores_a_rescind_blocks_nothing),
	TEST(a_waiting_offer_is_new_at_the_next_contact),
	TEST(ten_thousand_offers_come_and_go),
	TEST(subchannels_made_too_early_follow_their_primary),
	TEST(a_primary_does_not_wait_for_a_subchannel_that_the_guest_gives_up),
};
TEST_MAIN("vmbus_server_rescind", tests)
