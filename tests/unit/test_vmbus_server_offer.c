// SPDX-License-Identifier: Apache-2.0
/* VMBus server: offers, relids, hot add, rescind, re-offer, release. */
#include "tests/unit/vmbus_server_rig.h"

static uint32_t offered_relid(const struct rig_message *m)
{
	return rig_message_u16(m, 184);
}

/* R-OFFER-001, R-OFFER-002 */
static void offers_come_once_when_asked_for(void)
{
	static const unsigned counts[] = {0, 1, 50};
	for (unsigned i = 0; i < 3; i++) {
		struct rig *r = rig_make();
		for (unsigned n = 0; n < counts[i]; n++)
			rig_device(r, n, 0);
		rig_contact(r, 0x50003, 0);
		RIG_HEAR(r, "0f000000000000000100000004000000");
		RIG_DEAD(r);
		RIG_REQUEST_OFFERS(r);
		for (unsigned n = 0; n < counts[i]; n++) {
			const struct rig_message *m = rig_next(r);
			CU_ASSERT_EQUAL(m->bytes, 196);
			CU_ASSERT_EQUAL(m->payload[0], 1);
			CU_ASSERT_EQUAL(offered_relid(m), n + 1);
		}
		RIG_HEAR(r, "0400000000000000");
		/* R-OFFER-006 */
		RIG_REJECTS(r, OFFERS_ALREADY_SENT, RIG_REQUEST_OFFERS(r));
		RIG_DEAD(r);
		rig_destroy(r);
	}
}

/* R-OFFER-003, R-OFFER-014 */
static void an_offer_has_every_field_in_its_place(void)
{
	struct rig *r = rig_make();
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	for (unsigned i = 0; i < sizeof user_data; i++)
		user_data[i] = (uint8_t)(i + 1);
	struct vmbus_server_offer offer = rig_offer(0x55bf, 3);
	offer.subchannel_index = 0;
	offer.flags = 0xffff;
	offer.mmio_megabytes = 0x1234;
	offer.user_data = user_data;
	struct rig_device *d = NULL;
	CU_ASSERT_EQUAL(rig_add(r, &offer, &d), 0);
	rig_contact(r, 0x50003, 0);
	RIG_REQUEST_OFFERS(r);
	rig_next(r);
	RIG_HEAR(r, "0100000000000000"
		    "d96361baa104294db60572e2ffb1dc7f" /* interface */
		    "67254bd3b6b9b94287780000000055bf" /* instance */
		    "00000000000000000000000000000000" /* reserved */
		    "1120 3412"			       /* flags, MMIO */
		    "0102030405060708090a0b0c0d0e0f10 1112131415161718191a1b1c1d1e1f20"
		    "2122232425262728292a2b2c2d2e2f30 3132333435363738393a3b3c3d3e3f40"
		    "4142434445464748494a4b4c4d4e4f50 5152535455565758595a5b5c5d5e5f60"
		    "6162636465666768696a6b6c6d6e6f70 7172737475767778"
		    "0000 0000"	 /* subchannel, optional MMIO */
		    "01000000"	 /* relid */
		    "ff 00 0100" /* no monitor; dedicated interrupt */
		    "01200000"); /* connection id */
	rig_destroy(r);
}

/* R-OFFER-004, R-OFFER-005 */
static void two_thousand_and_forty_seven_channels_and_no_more(void)
{
	struct rig *r = rig_make();
	rig_contact(r, 0x50003, 0);
	for (unsigned i = 0; i < 2047; i++)
		rig_device(r, i, 0);
	struct vmbus_server_offer offer = rig_offer(5000, 0);
	struct rig_device *extra = NULL;
	CU_ASSERT_EQUAL(rig_add(r, &offer, &extra), -ENOSPC);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	for (unsigned i = 0; i < 2047; i++)
		CU_ASSERT_EQUAL(offered_relid(rig_next(r)), i + 1);
	RIG_HEAR(r, "0400000000000000");
	CU_ASSERT_EQUAL(rig_add(r, &offer, &extra), -ENOSPC);
	/* one taken back is not free before the guest releases it (R-RESC-009) */
	rig_remove(r, &r->devices[1000]);
	RIG_HEAR(r, "0200000000000000 e9030000");
	CU_ASSERT_EQUAL(rig_add(r, &offer, &extra), -ENOSPC);
	RIG_RELEASE(r, 1001);
	CU_ASSERT_EQUAL(rig_add(r, &offer, &extra), 0);
	CU_ASSERT_EQUAL(extra->relid, 1001);
	/* the last one works like any other */
	rig_gpadl(r, 2047, 1, 4, 0x100);
	rig_open(r, 2047, 1);
	RIG_STATE(r, &r->devices[2046], "open");
	CU_ASSERT_EQUAL(r->devices[2046].open.connection_id, 0x27ff);
	rig_forget(r);
	RIG_UNLOAD(r);
	RIG_HEAR(r, "1100000000000000");
	rig_destroy(r);
}

/* R-OFFER-007, R-OFFER-008 */
static void devices_added_later_are_offered_at_once(void)
{
	struct rig *r = rig_make();
	rig_contact(r, 0x50003, 0);
	rig_device(r, 1, 0);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	CU_ASSERT_EQUAL(rig_next(r)->bytes, 196);
	RIG_HEAR(r, "0400000000000000");
	rig_device(r, 2, 0);
	CU_ASSERT_EQUAL(offered_relid(rig_next(r)), 2);
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-OFFER-009 */
static void relids_are_the_same_at_each_contact(void)
{
	static const unsigned orders[2][5] = {{3, 1, 5, 2, 4}, {5, 4, 3, 2, 1}};
	for (unsigned order = 0; order < 2; order++) {
		struct rig *r = rig_make();
		struct rig_device *d[6];
		for (unsigned i = 0; i < 5; i++)
			d[orders[order][i]] = rig_device(r, orders[order][i], 0);
		for (unsigned session = 0; session < 3; session++) {
			rig_connect(r, 0x50003, 0);
			for (unsigned n = 1; n <= 5; n++)
				CU_ASSERT_EQUAL(d[n]->relid, n);
		}
		rig_destroy(r);
	}
}

/* R-OFFER-010 */
static void a_primary_is_offered_before_its_subchannels(void)
{
	struct rig *r = rig_make();
	struct vmbus_server_offer orphan = rig_offer(9, 1);
	struct rig_device *sub = NULL;
	CU_ASSERT_EQUAL(rig_add(r, &orphan, &sub), -ENOENT);
	struct rig_device *primary = rig_device(r, 1, 0);
	for (uint16_t i = 4; i >= 1; i--)
		rig_device(r, 1, i);
	rig_contact(r, 0x50003, 0);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	for (unsigned i = 0; i <= 4; i++)
		CU_ASSERT_EQUAL(rig_next(r)->payload[180], i);
	RIG_HEAR(r, "0400000000000000");
	/* released by the guest, then a new subchannel: it waits with its primary */
	RIG_RELEASE(r, primary->relid);
	rig_device(r, 1, 5);
	RIG_DEAD(r);
	rig_destroy(r);
}

static void versions_without_subchannels_do_not_see_them(void)
{
	struct rig *r = rig_make();
	rig_device(r, 1, 0);
	rig_device(r, 1, 1);
	rig_contact(r, 0x10001, 0);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	CU_ASSERT_EQUAL(rig_next(r)->bytes, 196);
	RIG_HEAR(r, "0400000000000000");
	rig_destroy(r);
}

/* R-OFFER-011 */
static void flags_are_those_that_the_guest_knows(void)
{
	static const struct {
		uint32_t version, features;
		uint16_t flags;
	} cases[] = {
		{0x0000d, 0, 0x0011},
		{0x30000, 0, 0x0011},
		{0x40000, 0, 0x2011},
		{0x50003, 0, 0x2011},
		{0x60000, 0x10, 0x2011}, /* no paravisor: never granted */
		{0x60000, 0x80, 0x2019},
		{0x60000, 0xff, 0x2019},
	};
	struct rig *r = rig_make_with(
		&(struct vmbus_server_config){.vp_count = 1, .features = VMBUS_FEATURES_KNOWN});
	struct vmbus_server_offer offer = rig_offer(1, 0);
	struct rig_device *d = NULL;
	offer.flags = 0xffff;
	rig_add(r, &offer, &d);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		rig_contact(r, cases[i].version, cases[i].features);
		rig_forget(r);
		RIG_REQUEST_OFFERS(r);
		const struct rig_message *m = rig_next(r);
		CU_ASSERT_EQUAL(rig_message_u16(m, 56), cases[i].flags);
	}
	rig_destroy(r);
}

/* R-OFFER-012, R-OFFER-013 */
static void monitor_ids_are_given_while_there_are_any(void)
{
	struct rig *r = rig_make();
	for (unsigned i = 0; i < 130; i++) {
		struct vmbus_server_offer offer = rig_offer(i, 0);
		struct rig_device *d = NULL;
		offer.wants_monitor = true;
		CU_ASSERT_EQUAL(rig_add(r, &offer, &d), 0);
	}
	rig_device(r, 1000, 0); /* does not want one */
	rig_contact(r, 0x50003, 0);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	for (unsigned i = 0; i < 131; i++) {
		const struct rig_message *m = rig_next(r);
		CU_ASSERT_EQUAL(rig_message_u16(m, 188), 0x00ff);
	}
	const struct rig_bytes b = rig_contact_bytes(0x50003, 0, 2, 0x101000, 0x102000);
	rig_say(r, &b);
	rig_forget(r);
	RIG_REQUEST_OFFERS(r);
	for (unsigned i = 0; i < 131; i++) {
		const struct rig_message *m = rig_next(r);
		const unsigned expected = i < 128 ? (i | 0x100) : 0x00ff;
		CU_ASSERT_EQUAL(rig_message_u16(m, 188), expected);
	}
	/* reusable after release */
	rig_remove(r, &r->devices[5]);
	RIG_RELEASE(r, 6);
	rig_forget(r);
	struct vmbus_server_offer offer = rig_offer(2000, 0);
	struct rig_device *d = NULL;
	offer.wants_monitor = true;
	rig_add(r, &offer, &d);
	CU_ASSERT_EQUAL(rig_next(r)->payload[188], 5);
	CU_ASSERT_EQUAL(rig_status(r).monitor_ids, 128);
	RIG_UNLOAD(r);
	CU_ASSERT_EQUAL(rig_status(r).monitor_ids, 0);
	rig_destroy(r);
}

/* R-OFFER-015 */
static void the_same_offer_twice_is_refused(void)
{
	struct rig *r = rig_make();
	struct vmbus_server_offer offer = rig_offer(1, 0);
	struct rig_device *d = rig_device(r, 1, 0);
	CU_ASSERT_EQUAL(rig_add(r, &offer, &d), -EEXIST);
	rig_device(r, 1, 1);
	offer.subchannel_index = 1;
	CU_ASSERT_EQUAL(rig_add(r, &offer, &d), -EEXIST);
	rig_connect(r, 0x50003, 0);
	CU_ASSERT_EQUAL(rig_add(r, &offer, &d), -EEXIST);
	rig_destroy(r);
}

static void stale_ids_are_harmless(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	const vmbus_server_id stale = d->id;
	struct vmbus_server_gpadl gpadl;
	rig_remove(r, d);
	struct rig_device *reused = rig_device(r, 1, 0);
	CU_ASSERT_NOT_EQUAL(reused->id, stale);
	rig_connect(r, 0x50003, 0);
	reused->waits_open = true;
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_open(r, 1, 1);
	CU_ASSERT_FALSE(vmbus_server_open_done(r->server, stale, 0));
	CU_ASSERT_FALSE(vmbus_server_close_done(r->server, stale));
	CU_ASSERT_FALSE(vmbus_server_open_done(r->server, 0, 0));
	CU_ASSERT_FALSE(vmbus_server_open_done(r->server, 0xffffffff, 0));
	vmbus_server_offer_remove(r->server, stale);
	vmbus_server_gpadl_release(r->server, stale, 1);
	CU_ASSERT_EQUAL(vmbus_server_gpadl_hold(r->server, stale, 1, 0, &gpadl), -ENOENT);
	CU_ASSERT_STRING_EQUAL(vmbus_server_channel_state(r->server, stale), "gone");
	CU_ASSERT_EQUAL(vmbus_server_channel_relid(r->server, stale), 0);
	RIG_STATE(r, reused, "opening");
	CU_ASSERT_EQUAL(vmbus_server_channel_relid(r->server, reused->id), 1);
	rig_destroy(r);
}

static const struct test tests[] = {
	TEST(offers_come_once_when_asked_for),
	TEST(an_offer_has_every_field_in_its_place),
	TEST(two_thousand_and_forty_seven_channels_and_no_more),
	TEST(devices_added_later_are_offered_at_once),
	TEST(relids_are_the_same_at_each_contact),
	TEST(a_primary_is_offered_before_its_subchannels),
	TEST(versions_without_subchannels_do_not_see_them),
	TEST(flags_are_those_that_the_guest_knows),
	TEST(monitor_ids_are_given_while_there_are_any),
	TEST(the_same_offer_twice_is_refused),
	TEST(stale_ids_are_harmless),
};
TEST_MAIN("vmbus_server_offer", tests)
