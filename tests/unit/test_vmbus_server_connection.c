// SPDX-License-Identifier: Apache-2.0
/* VMBus server: contact, versions, features, unload, reset, pause, monitor pages. */
#include "tests/unit/vmbus_server_rig.h"

#define UNSUPPORTED "0f000000000000000000000000000000"

/* R-CONN-001, R-CONN-003, R-CONN-004 */
static void every_version_is_accepted_with_its_own_response(void)
{
	static const char *const responses[RIG_VERSIONS] = {
		"0f00000000000000 01 00 0000 0d000000",
		"0f00000000000000 01 00 0000 01000100",
		"0f00000000000000 01 00 0000 04000200",
		"0f00000000000000 01 00 0000 00000300",
		"0f00000000000000 01 00 0000 00000400",
		"0f00000000000000 01 00 0000 01000400",
		"0f00000000000000 01 00 0000 04000000",
		"0f00000000000000 01 00 0000 04000000",
		"0f00000000000000 01 00 0000 04000000",
		"0f00000000000000 01 00 0000 04000000",
		"0f00000000000000 01 00 0000 04000000 00000000",
	};
	struct rig *r = rig_make();
	for (unsigned i = 0; i < RIG_VERSIONS; i++) {
		rig_contact(r, rig_versions[i], 0);
		RIG_HEAR(r, responses[i]);
		CU_ASSERT_EQUAL(rig_status(r).version, rig_versions[i]);
		RIG_UNLOAD(r);
		if (rig_versions[i] >= 0x10001)
			RIG_HEAR(r, "1100000000000000");
		RIG_DEAD(r);
	}
	rig_destroy(r);
}

/* R-CONN-002 */
static void other_versions_are_refused_with_sixteen_bytes(void)
{
	static const uint32_t wrong[] = {0, 0x0000000c, 0x0000000e, 0x00020005, 0x00050004,
		0x00060001, 0x00070000, 0xffffffff};
	struct rig *r = rig_make();
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const struct rig_bytes b = rig_contact_bytes(wrong[i], 0, 2, 0, 0);
		RIG_REJECTS(r, UNSUPPORTED_VERSION, rig_say(r, &b));
		RIG_HEAR(r, UNSUPPORTED);
		CU_ASSERT_STRING_EQUAL(rig_status(r).connection_state, "disconnected");
	}
	rig_destroy(r);
}

static void golden_contacts_get_golden_responses(void)
{
	struct rig *r = rig_make();
	rig_say_hex(r, RIG_CONTACT_5_3);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	rig_say_hex(r, "0e00000000000000000006000100000002000000270000000010100000000000"
		       "0020100000000000");
	RIG_HEAR(r, "0f00000000000000010000000400000027000000");
	CU_ASSERT_EQUAL(r->log[1].vp, 1);
	CU_ASSERT_EQUAL(r->pages.parent_to_child_gpa, 0x101000);
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0x102000);
	rig_say_hex(r, "0e00000000000000040002000000000000001000000000000010100000000000"
		       "0020100000000000");
	RIG_HEAR(r, "0f000000000000000100000004000200");
	CU_ASSERT_EQUAL(r->pages.interrupt_gpa, 0); /* 2.4 has no use for it */
	rig_destroy(r);
}

static void versions_above_the_configured_highest_are_refused(void)
{
	struct rig *r = rig_make_with(
		&(struct vmbus_server_config){.vp_count = 1, .version_max = 0x00040001});
	rig_contact(r, 0x50003, 0);
	rig_contact(r, 0x50000, 0);
	RIG_HEAR(r, UNSUPPORTED);
	RIG_HEAR(r, UNSUPPORTED);
	rig_contact(r, 0x40001, 0);
	RIG_HEAR(r, "0f000000000000000100000001000400");
	rig_destroy(r);
}

/* R-CONN-005, R-CONN-007, R-CONN-008 */
static void features_are_those_asked_for_and_supported(void)
{
	struct rig *r = rig_make();
	for (unsigned bit = 0; bit <= 33; bit++) {
		const uint32_t asked = bit < 32 ? 1u << bit : bit == 32 ? 0 : 0xffffffff;
		rig_contact(r, 0x60000, asked);
		CU_ASSERT_EQUAL(rig_status(r).features, asked & 0x2f);
		const struct rig_message *m = rig_next(r);
		CU_ASSERT_EQUAL(m->bytes, 20);
		CU_ASSERT_EQUAL(m->payload[16], asked & 0x2f);
	}
	rig_destroy(r);
	/* 0x80 only if configured; 0x10 not even then */
	r = rig_make_with(&(struct vmbus_server_config){.vp_count = 1, .features = 0x90});
	rig_contact(r, 0x60000, 0x90);
	RIG_HEAR(r, "0f00000000000000 01000000 04000000 80000000");
	rig_destroy(r);
}

/* R-CONN-008 */
static void server_monitor_pages_are_given_when_asked_for(void)
{
	struct rig *r = rig_make_with(
		&(struct vmbus_server_config){.vp_count = 1, .child_to_parent_page_gpa = 0xff000});
	rig_contact(r, 0x60000, 0x47);
	RIG_HEAR(r, "0f00000000000000 01000000 04000000 47000000 00000000"
		    "0000000000000000 00f00f0000000000");
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0xff000);
	rig_contact(r, 0x60000, 0x07);
	RIG_HEAR(r, "0f00000000000000 01000000 04000000 07000000");
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0);
	rig_destroy(r);
}

/* R-CONN-006 */
static void features_of_a_version_without_them_are_ignored(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	const struct rig_bytes b = rig_contact_bytes(0x50003, 0, 2 | UINT64_C(0x3) << 32, 0, 0);
	rig_say(r, &b);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	CU_ASSERT_EQUAL(rig_status(r).features, 0);
	RIG_REQUEST_OFFERS(r);
	rig_gpadl(r, d->relid, 1, 4, 0x100);
	rig_open(r, d->relid, 1); /* 148 bytes */
	RIG_STATE(r, d, "open");
	rig_destroy(r);
}

/* R-CONN-009 */
static void a_client_id_that_is_announced_must_be_there(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x50003, 0);
	struct rig_bytes b = rig_contact_bytes(0x60000, 0, 2 | UINT64_C(0x8) << 32, 0, 0);
	for (b.count = 40; b.count < 56; b.count++)
		RIG_REJECTS(r, TOO_SMALL, rig_say(r, &b));
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).version, 0x50003);
	b.count = 56;
	rig_say(r, &b);
	RIG_HEAR(r, "0f00000000000000 01000000 04000000 08000000");
	rig_destroy(r);
}

/* R-CONN-010, R-MSG-005 */
static void a_short_contact_is_dropped(void)
{
	struct rig *r = rig_make();
	struct rig_bytes b = rig_hex(RIG_CONTACT_5_3);
	for (b.count = 0; b.count < 40; b.count++)
		RIG_REJECTS(r, TOO_SMALL, rig_say(r, &b));
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-CONN-012, R-MNF-006 */
static void monitor_pages_come_in_pairs_of_memory(void)
{
	static const struct {
		uint64_t to_guest, to_host;
		bool is_right;
	} cases[] = {
		{0, 0, true},
		{0x101000, 0x102000, true},
		{0x101000, 0, false},
		{0, 0x102000, false},
		{0x101001, 0x102000, false},
		{0x101000, 0x102008, false},
		{RIG_RAM_GPNS << 12, 0x102000, false},
		{0x101000, UINT64_C(0xfffffffffffff000), false},
	};
	struct rig *r = rig_make();
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig_bytes b = rig_contact_bytes(
			0x40000, 0, 0, cases[i].to_guest, cases[i].to_host);
		rig_say(r, &b);
		RIG_HEAR(r, cases[i].is_right ? "0f00000000000000 0100000000000400"
					      : "0f00000000000000 0102000000000400");
		CU_ASSERT_EQUAL(rig_status(r).version, cases[i].is_right ? 0x40000 : 0);
		/* before 2.4 there is no failure state */
		b = rig_contact_bytes(0x10001, 0, 0x100000, cases[i].to_guest, cases[i].to_host);
		rig_say(r, &b);
		RIG_HEAR(r, cases[i].is_right ? "0f00000000000000 0100000001000100" : UNSUPPORTED);
	}
	CU_ASSERT_EQUAL(vmbus_server_rejections(r->server, VMBUS_REJECTION_MONITOR_PAGES), 12);
	rig_destroy(r);
}

/* R-CONN-013 */
static void the_interrupt_page_matters_before_2_4_alone(void)
{
	static const uint64_t wrong[] = {0, 0x1001, RIG_RAM_GPNS << 12, UINT64_MAX & ~0xfffull};
	struct rig *r = rig_make();
	for (unsigned i = 0; i < 4; i++) {
		struct rig_bytes b = rig_contact_bytes(0x10001, 0, wrong[i], 0, 0);
		RIG_REJECTS(r, INTERRUPT_PAGE, rig_say(r, &b));
		RIG_HEAR(r, UNSUPPORTED);
		b = rig_contact_bytes(0x20004, 0, wrong[i], 0, 0);
		rig_say(r, &b);
		RIG_HEAR(r, "0f00000000000000 0100000004000200");
		RIG_UNLOAD(r);
		RIG_HEAR(r, "1100000000000000");
	}
	const struct rig_bytes b = rig_contact_bytes(0x0000d, 0, 0x7000, 0, 0);
	rig_say(r, &b);
	CU_ASSERT_EQUAL(r->pages.interrupt_gpa, 0x7000);
	rig_destroy(r);
}

/* R-CONN-014, R-UNL-005 */
static void messages_go_to_the_vp_that_contact_named(void)
{
	struct rig *r = rig_make();
	struct rig_bytes b = rig_contact_bytes(0x20004, 1, 0, 0, 0);
	rig_say(r, &b);
	CU_ASSERT_EQUAL(rig_next(r)->vp, 0);
	b = rig_contact_bytes(0x30000, 1, 0, 0, 0);
	rig_say(r, &b);
	CU_ASSERT_EQUAL(rig_next(r)->vp, 1);
	RIG_REQUEST_OFFERS(r);
	CU_ASSERT_EQUAL(rig_next(r)->vp, 1);
	RIG_UNLOAD(r);
	const struct rig_message *m = rig_next(r);
	CU_ASSERT_EQUAL(m->vp, 1);
	CU_ASSERT_EQUAL(m->sint, 2);
	CU_ASSERT_EQUAL(m->payload[0], 17);
	rig_destroy(r);
}

/* R-CONN-015 */
static void contact_from_a_vp_that_does_not_exist_fails(void)
{
	struct rig *r = rig_make();
	struct rig_bytes b = rig_contact_bytes(0x50003, RIG_VPS, 2, 0, 0);
	RIG_REJECTS(r, TARGET_VP, rig_say(r, &b));
	RIG_HEAR(r, "0f00000000000000 0102000004000000");
	b = rig_contact_bytes(0x50003, 0xffff, 2, 0, 0);
	RIG_REJECTS(r, TARGET_VP, rig_say(r, &b));
	CU_ASSERT_STRING_EQUAL(rig_status(r).connection_state, "disconnected");
	b = rig_contact_bytes(0x50003, RIG_VPS - 1, 2, 0, 0);
	rig_say(r, &b);
	CU_ASSERT_STRING_EQUAL(rig_status(r).connection_state, "negotiated");
	rig_destroy(r);
}

/* R-CONN-016, R-ROB-012 */
static void contact_while_connected_starts_over(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	const struct rig_bytes b = rig_contact_bytes(0x50003, 1, 2, 0, 0);
	rig_say(r, &b);
	CU_ASSERT_EQUAL(d->closes, 1);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	RIG_STATE(r, d, "unoffered");
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	RIG_REJECTS(r, UNKNOWN_CHANNEL, RIG_CLOSE(r, 1));
	RIG_REQUEST_OFFERS(r);
	RIG_HEAR1(r, 1, 0xba6163d9);
	RIG_HEAR(r, "0400000000000000");
	RIG_STATE(r, d, "closed");
	rig_destroy(r);
}

/* R-CONN-017, R-GPADL-021 */
static void the_answer_to_a_new_contact_waits_for_the_devices(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	d->waits_close = true;
	rig_say_hex(r, RIG_CONTACT_5_3);
	CU_ASSERT_EQUAL(d->closes, 1);
	CU_ASSERT_STRING_EQUAL(rig_status(r).connection_state, "disconnecting");
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 1);
	RIG_DEAD(r);
	CU_ASSERT_TRUE(vmbus_server_close_done(r->server, d->id));
	CU_ASSERT_EQUAL(rig_status(r).gpadls, 0);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	rig_destroy(r);
}

/* R-CONN-018 */
static void an_unknown_version_ends_the_connection_all_the_same(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	const struct rig_bytes b = rig_contact_bytes(0x90009, 0, 2, 0, 0);
	rig_say(r, &b);
	RIG_HEAR(r, UNSUPPORTED);
	CU_ASSERT_EQUAL(d->closes, 1);
	RIG_REJECTS(r, NOT_NEGOTIATED, rig_open(r, 1, 1));
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-CONN-019 */
static void only_the_last_contact_is_answered(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	d->waits_close = true;
	rig_contact(r, 0x50002, 0);
	rig_contact(r, 0x40001, 0);
	rig_contact(r, 0x30000, 0);
	RIG_DEAD(r);
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR(r, "0f00000000000000 0100000000000300");
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-CONN-020 */
static void nothing_but_contact_is_heard_before_contact(void)
{
	struct rig *r = rig_make();
	rig_device(r, 1, 0);
	for (uint32_t type = 0; type <= 40; type++) {
		struct rig_bytes b = rig_header(type);
		b.count = 240;
		if (type != 14)
			rig_say(r, &b);
	}
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).rejected, 40);
	CU_ASSERT_STRING_EQUAL(rig_status(r).connection_state, "disconnected");
	rig_destroy(r);
}

/* R-CONN-021, R-CONN-022 */
static void another_sint_is_refused_there_and_harms_nothing(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	const struct rig_bytes b = rig_contact_bytes(0x50003, 2, 5, 0, 0);
	RIG_REJECTS(r, WRONG_SINT, rig_say(r, &b));
	CU_ASSERT_EQUAL(r->log[0].vp, 2);
	CU_ASSERT_EQUAL(r->log[0].sint, 5);
	RIG_HEAR(r, UNSUPPORTED);
	RIG_STATE(r, d, "open");
	CU_ASSERT_EQUAL(rig_status(r).version, 0x50003);
	/* another VTL is not ours to answer */
	struct rig_bytes vtl = rig_contact_bytes(0x50003, 0, 2 | 2 << 8, 0, 0);
	RIG_REJECTS(r, WRONG_SINT, rig_say(r, &vtl));
	RIG_DEAD(r);
	/* a VP that is not there, or a full slot: lost, not queued */
	vtl = rig_contact_bytes(0x50003, 99, 5, 0, 0);
	rig_say(r, &vtl);
	r->is_full = true;
	rig_say(r, &b);
	r->is_full = false;
	vmbus_server_drained(r->server);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).messages_lost, 2);
	/* on the legacy connection the bytes mean nothing */
	CU_ASSERT_EQUAL(rig_post_on(r, 1, &b), 0);
	CU_ASSERT_EQUAL(r->log[1].vp, 2);
	CU_ASSERT_EQUAL(r->log[1].sint, 2);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	rig_destroy(r);
}

/* R-CONN-023, R-CONN-036 */
static void a_whole_session_works_on_the_legacy_connection(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	struct rig_bytes b = rig_hex("0e00000000000000 00000600 00000000 0000 0000 08000000"
				     "0000000000000000 0000000000000000"
				     "6439dd188a3eda4286fac8e6b191ee0e");
	CU_ASSERT_EQUAL(b.count, 56);
	CU_ASSERT_EQUAL(rig_post_on(r, 1, &b), 0);
	RIG_HEAR(r, "0f00000000000000 0100000004000000 08000000");
	b = rig_hex("0300000000000000");
	CU_ASSERT_EQUAL(rig_post_on(r, 1, &b), 0);
	CU_ASSERT_EQUAL(rig_next(r)->bytes, 196);
	RIG_HEAR(r, "0400000000000000");
	/* GPADL messages are always 240 bytes, OPEN 156, ids from 1 */
	b = rig_gpadl_header(d->relid, 1, 40, 1);
	rig_range(&b, 0x4000, 0);
	for (unsigned i = 0; i < 4; i++)
		rig_u64(&b, 0x200 + i);
	b.count = 240;
	CU_ASSERT_EQUAL(rig_post_on(r, 1, &b), 0);
	RIG_HEAR(r, "0a00000000000000 01000000 01000000 00000000");
	b = rig_open_bytes(d->relid, 0, 1, 0, 2);
	b.count = 156;
	CU_ASSERT_EQUAL(rig_post_on(r, 1, &b), 0);
	RIG_HEAR(r, "0600000000000000 01000000 00000000 00000000");
	b = rig_hex("1000000000000000");
	CU_ASSERT_EQUAL(rig_post_on(r, 1, &b), 0);
	RIG_HEAR(r, "1100000000000000");
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	CU_ASSERT_EQUAL(d->closes, 1);
	rig_destroy(r);
}

/* R-CONN-034 */
static void messages_of_features_not_negotiated_are_dropped(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x60000, 0);
	for (uint32_t type = 25; type <= 29; type++) {
		struct rig_bytes b = rig_header(type);
		b.count = 240;
		rig_say(r, &b);
	}
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(vmbus_server_rejections(r->server, VMBUS_REJECTION_NOT_NEGOTIATED), 3);
	CU_ASSERT_EQUAL(vmbus_server_rejections(r->server, VMBUS_REJECTION_WRONG_DIRECTION), 2);
	rig_destroy(r);
}

static void modify_connection(struct rig *r, uint64_t to_guest, uint64_t to_host)
{
	struct rig_bytes b = rig_header(25);
	rig_u64(&b, to_guest);
	rig_u64(&b, to_host);
	rig_say(r, &b);
}

/* R-CONN-035, R-MNF-005, R-MNF-009 */
static void monitor_pages_change_when_no_channel_uses_them(void)
{
	struct rig *r = rig_make();
	struct vmbus_server_offer offer = rig_offer(1, 0);
	offer.wants_monitor = true;
	const struct rig_device *d = rig_device_of(r, &offer);
	struct rig_bytes b = rig_contact_bytes(
		0x60000, 0, 2 | UINT64_C(0x4) << 32, 0x101000, 0x102000);
	rig_say(r, &b);
	RIG_REQUEST_OFFERS(r);
	rig_forget(r);
	modify_connection(r, 0x201000, 0x202000);
	RIG_HEAR(r, "1a00000000000000 00");
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0x202000);
	RIG_REJECTS(r, MONITOR_PAGES, modify_connection(r, 0x201000, 0));
	RIG_HEAR(r, "1a00000000000000 02");
	RIG_REJECTS(r, MONITOR_PAGES, modify_connection(r, 0x201000, 0x202001));
	RIG_HEAR(r, "1a00000000000000 02");

	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_open(r, 1, 1);
	CU_ASSERT_EQUAL(d->open.monitor_id, 0);
	rig_forget(r);
	RIG_REJECTS(r, MONITOR_PAGES, modify_connection(r, 0x301000, 0x302000));
	RIG_HEAR(r, "1a00000000000000 02");
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0x202000);
	RIG_CLOSE(r, 1);
	/* without interrupts a channel does not signal that way */
	b = rig_open_bytes(1, 1, 1, 0xffffffff, 2);
	rig_say(r, &b);
	CU_ASSERT_EQUAL(d->open.monitor_id, 0xff);
	rig_forget(r);
	modify_connection(r, 0, 0);
	RIG_HEAR(r, "1a00000000000000 00");
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0);
	rig_destroy(r);

	r = rig_make_with(
		&(struct vmbus_server_config){.vp_count = 1, .child_to_parent_page_gpa = 0xff000});
	rig_connect(r, 0x60000, 0x44);
	modify_connection(r, 0x201000, 0x202000);
	RIG_HEAR(r, "1a00000000000000 02");
	rig_destroy(r);
}

/* R-HVS-002, R-HVS-003 */
static void nobody_listens_for_guest_connections(void)
{
#define ENDPOINT "6a332804cbfae611bd5864006a7986d3"
#define SERVICE	 "88130000cbfae611bd5864006a7986d3"
	struct rig *r = rig_make();
	rig_connect(r, 0x40000, 0);
	rig_say_hex(r, "1500000000000000" ENDPOINT SERVICE);
	RIG_DEAD(r);
	rig_connect(r, 0x40001, 0);
	rig_say_hex(r, "1500000000000000" ENDPOINT SERVICE);
	RIG_HEAR(r, "1700000000000000" ENDPOINT SERVICE "360200c0");
	rig_connect(r, 0x50003, 0);
	rig_say_hex(r, "1500000000000000" ENDPOINT SERVICE);
	RIG_HEAR(r, "1700000000000000" ENDPOINT SERVICE "360200c0");
	rig_say_hex(r, "1500000000000000" ENDPOINT SERVICE "00000000000000000000000000000000");
	RIG_HEAR(r, "1700000000000000" ENDPOINT SERVICE "360200c0");
	r->takes_connects = true;
	rig_say_hex(r, "1500000000000000" ENDPOINT SERVICE);
	RIG_DEAD(r);
	rig_destroy(r);
}

static void a_server_needs_a_vp_and_aligned_pages(void)
{
	struct vmbus_server *s = NULL;
	CU_ASSERT_EQUAL(
		vmbus_server_create(&(struct vmbus_server_config){0}, &rig_server_ops, NULL, &s),
		-EINVAL);
	CU_ASSERT_EQUAL(vmbus_server_create(&(struct vmbus_server_config){.vp_count = 1,
						    .child_to_parent_page_gpa = 0x800},
				&rig_server_ops, NULL, &s),
		-EINVAL);
	CU_ASSERT_PTR_NULL(s);
	vmbus_server_destroy(NULL);
}

static void the_server_describes_itself(void)
{
	struct rig *r = rig_make();
	char text[1024];
	CU_ASSERT_TRUE(vmbus_server_describe(r->server, text, sizeof text) < sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "connection disconnected version none features 0x0 vp 0 "
				     "relids 0 gpadls 0 queued 0\n");
	rig_opened(r, 0x50003, 0);
	const size_t needed = vmbus_server_describe(r->server, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text,
		"connection connected version 5.3 features 0x0 vp 0 relids 1 gpadls 1 queued 0\n"
		"channel ba6163d9-04a1-4d29-b605-72e2ffb1dc7f d34b2567-b9b6-42b9-8778-000000000001"
		" 0 relid 1 open device open vp 0 flag 1 connection 0x2001\n"
		"  gpadl 0x1 accepted ranges 1 words 5/5 ring\n");
	CU_ASSERT_EQUAL(vmbus_server_describe(r->server, text, 20), needed);
	CU_ASSERT_EQUAL(strlen(text), 19);
	rig_destroy(r);
}

static const struct test tests[] = {
	TEST(every_version_is_accepted_with_its_own_response),
	TEST(other_versions_are_refused_with_sixteen_bytes),
	TEST(golden_contacts_get_golden_responses),
	TEST(versions_above_the_configured_highest_are_refused),
	TEST(features_are_those_asked_for_and_supported),
	TEST(server_monitor_pages_are_given_when_asked_for),
	TEST(features_of_a_version_without_them_are_ignored),
	TEST(a_client_id_that_is_announced_must_be_there),
	TEST(a_short_contact_is_dropped),
	TEST(monitor_pages_come_in_pairs_of_memory),
	TEST(the_interrupt_page_matters_before_2_4_alone),
	TEST(messages_go_to_the_vp_that_contact_named),
	TEST(contact_from_a_vp_that_does_not_exist_fails),
	TEST(contact_while_connected_starts_over),
	TEST(the_answer_to_a_new_contact_waits_for_the_devices),
	TEST(an_unknown_version_ends_the_connection_all_the_same),
	TEST(only_the_last_contact_is_answered),
	TEST(nothing_but_contact_is_heard_before_contact),
	TEST(another_sint_is_refused_there_and_harms_nothing),
	TEST(a_whole_session_works_on_the_legacy_connection),
	TEST(messages_of_features_not_negotiated_are_dropped),
	TEST(monitor_pages_change_when_no_channel_uses_them),
	TEST(nobody_listens_for_guest_connections),
	TEST(a_server_needs_a_vp_and_aligned_pages),
	TEST(the_server_describes_itself),
};
TEST_MAIN("vmbus_server_connection", tests)
