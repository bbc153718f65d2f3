// SPDX-License-Identifier: Apache-2.0
/* VMBus server: unload, reset, pause, and a guest that does not read its messages. */
#include "tests/unit/vmbus_server_rig.h"

/* R-CONN-032 */
static void nothing_is_said_between_pause_and_resume(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x60000, 0x20);
	RIG_SAY0(r, 27);
	RIG_HEAR(r, "1c00000000000000");
	rig_device(r, 1, 0);
	struct rig_device *second = rig_device(r, 2, 0);
	rig_remove(r, second);
	vmbus_server_drained(r->server);
	RIG_DEAD(r);
	RIG_SAY0(r, 29);
	CU_ASSERT_EQUAL(rig_next(r)->bytes, 196);
	CU_ASSERT_EQUAL(rig_next(r)->bytes, 196);
	RIG_HEAR(r, "0200000000000000 02000000");
	RIG_SAY0(r, 29); /* not paused: nothing */
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	rig_destroy(r);
}

/* R-CONN-033 */
static void requests_while_paused_are_dropped(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	rig_connect(r, 0x60000, 0x20);
	rig_gpadl(r, 1, 1, 4, 0x100);
	RIG_SAY0(r, 27);
	rig_forget(r);
	RIG_REJECTS(r, PAUSED, rig_open(r, 1, 1));
	RIG_REJECTS(r, PAUSED, RIG_REQUEST_OFFERS(r));
	RIG_REJECTS(r, PAUSED, RIG_SAY0(r, 27));
	RIG_SAY0(r, 29);
	RIG_DEAD(r);
	RIG_STATE(r, d, "closed");
	/* UNLOAD and INITIATE_CONTACT end a pause, and what it held back */
	RIG_SAY0(r, 27);
	RIG_HEAR(r, "1c00000000000000");
	rig_device(r, 2, 0);
	RIG_UNLOAD(r);
	RIG_HEAR(r, "1100000000000000");
	rig_connect(r, 0x60000, 0x20);
	RIG_SAY0(r, 27);
	RIG_HEAR(r, "1c00000000000000");
	rig_contact(r, 0x60000, 0x20);
	RIG_HEAR(r, "0f00000000000000 0100000004000000 20000000");
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-UNL-001, R-UNL-013 */
static void unload_closes_everything_and_is_answered_once(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	struct rig_device *other = rig_device(r, 2, 0);
	const struct rig_bytes b = rig_contact_bytes(0x50003, 0, 2, 0x101000, 0x102000);
	rig_say(r, &b);
	RIG_REQUEST_OFFERS(r);
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_gpadl(r, 2, 2, 4, 0x200);
	rig_gpadl(r, 2, 3, 100, 0x300);
	rig_open(r, 1, 1);
	rig_open(r, 2, 2);
	rig_forget(r);
	d->waits_close = true;
	RIG_UNLOAD(r);
	CU_ASSERT_EQUAL(d->closes, 1);
	CU_ASSERT_EQUAL(other->closes, 1);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0x102000);
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR(r, "1100000000000000");
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(r->pages.child_to_parent_gpa, 0);
	CU_ASSERT_EQUAL(r->allocated, 0);
	CU_ASSERT_EQUAL(rig_status(r).relids, 0);
	rig_contact(r, 0x40000, 0);
	RIG_HEAR(r, "0f000000000000000100000000000400");
	rig_destroy(r);
}

/* R-UNL-002 */
static void nothing_follows_an_unload(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	d->waits_close = true;
	RIG_UNLOAD(r);
	struct rig_device *added = rig_device(r, 2, 0);
	rig_remove(r, added);
	rig_device(r, 3, 0);
	rig_remove(r, d);
	RIG_REJECTS(r, NOT_NEGOTIATED, RIG_UNLOAD(r));
	RIG_DEAD(r);
	vmbus_server_close_done(r->server, d->id);
	CU_ASSERT_EQUAL(d->gone, 1);
	RIG_HEAR(r, "1100000000000000");
	rig_device(r, 4, 0);
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-UNL-003: our choice */
static void unload_while_disconnected_is_ignored(void)
{
	struct rig *r = rig_make();
	RIG_REJECTS(r, NOT_NEGOTIATED, RIG_UNLOAD(r));
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-UNL-004 */
static void contact_during_an_unload_replaces_its_answer(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_opened(r, 0x50003, 0);
	d->waits_close = true;
	RIG_UNLOAD(r);
	rig_say_hex(r, RIG_CONTACT_5_3);
	vmbus_server_close_done(r->server, d->id);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	RIG_DEAD(r);
	rig_destroy(r);
}

/* R-UNL-006, R-OPEN-026 */
static void a_thousand_sessions_leave_nothing_behind(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	for (unsigned i = 0; i < 1000; i++) {
		rig_connect(r, rig_versions[i % RIG_VERSIONS], 0);
		rig_gpadl(r, 1, i + 1, 40, 0x100);
		rig_open(r, 1, i + 1);
		RIG_UNLOAD(r);
		rig_forget(r);
		CU_ASSERT_EQUAL(r->allocations, 0);
	}
	CU_ASSERT_EQUAL(d->opens, 1000);
	CU_ASSERT_EQUAL(d->closes, 1000);
	rig_destroy(r);
}

/* R-UNL-007, R-ROB-007 */
static void reset_ends_a_channel_in_every_state(void)
{
	static const char *const states[] = {
		"closed", "opening", "open", "closing", "closing-reopen", "revoking", "revoked"};
	for (unsigned i = 0; i < 7; i++) {
		struct rig *r = rig_make();
		struct rig_device *d = rig_device(r, 1, 0);
		rig_connect(r, 0x50003, 0);
		rig_gpadl(r, 1, 1, 4, 0x100);
		d->waits_open = i == 1;
		d->waits_close = true;
		if (i >= 1 && i <= 5)
			rig_open(r, 1, 1);
		if (i == 3 || i == 4)
			RIG_CLOSE(r, 1);
		if (i == 4)
			rig_open(r, 1, 1);
		if (i >= 5)
			rig_remove(r, d);
		RIG_STATE(r, d, states[i]);
		rig_forget(r);
		vmbus_server_reset(r->server);
		rig_check(r);
		const bool is_busy = i >= 1 && i <= 5;
		CU_ASSERT_EQUAL(r->resets, is_busy ? 0 : 1);
		if (i == 1) {
			CU_ASSERT_EQUAL(d->closes, 0);
			CU_ASSERT_TRUE(vmbus_server_open_done(r->server, d->id, 0));
			CU_ASSERT_EQUAL(d->closes, 1);
		}
		if (is_busy)
			CU_ASSERT_TRUE(vmbus_server_close_done(r->server, d->id));
		CU_ASSERT_EQUAL(r->resets, 1);
		CU_ASSERT_EQUAL(r->allocations, 0);
		CU_ASSERT_EQUAL(d->gone, i >= 5 ? 1 : 0);
		RIG_STATE(r, d, i >= 5 ? "gone" : "unoffered");
		RIG_DEAD(r);
		rig_destroy(r);
	}
}

static void reset_forgets_waiting_messages_and_the_target(void)
{
	struct rig *r = rig_make();
	const struct rig_bytes b = rig_contact_bytes(0x50003, 3, 2, 0, 0);
	rig_say(r, &b);
	RIG_REQUEST_OFFERS(r);
	r->is_full = true;
	rig_device(r, 1, 0);
	CU_ASSERT_EQUAL(rig_status(r).queued_bytes, 197);
	rig_forget(r);
	vmbus_server_reset(r->server);
	r->is_full = false;
	vmbus_server_drained(r->server);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).message_vp, 0);
	CU_ASSERT_EQUAL(r->resets, 1);
	rig_destroy(r);
}

/* R-MSG-004, R-MSG-001 */
static void requests_wait_while_answers_wait(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x50003, 0);
	r->is_full = true;
	for (unsigned i = 0; i < 600; i++)
		rig_device(r, i, 0);
	const size_t queued = rig_status(r).queued_bytes;
	CU_ASSERT_EQUAL(queued, 600 * 197);
	const struct rig_bytes b = rig_gpadl_header(1999, 1, 0, 0);
	for (unsigned i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(rig_post_on(r, 4, &b), -EAGAIN);
	CU_ASSERT_EQUAL(rig_status(r).queued_bytes, queued);
	r->is_full = false;
	vmbus_server_drained(r->server);
	for (unsigned i = 0; i < 600; i++) {
		const struct rig_message *m = rig_next(r);
		CU_ASSERT_EQUAL(m->bytes, 196);
		CU_ASSERT_EQUAL(rig_message_u16(m, 184), i + 1);
	}
	CU_ASSERT_EQUAL(rig_status(r).queued_bytes, 0);
	CU_ASSERT_EQUAL(rig_post_on(r, 4, &b), 0);
	RIG_HEAR3(r, 10, 1999, 1, RIG_FAILURE);
	rig_destroy(r);
}

/* R-MSG-001: what is refused for want of memory stays the first. */
static void a_message_that_is_refused_is_sent_again(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x50003, 0);
	r->refuses = true;
	rig_device(r, 1, 0);
	rig_device(r, 2, 0);
	vmbus_server_drained(r->server);
	RIG_DEAD(r);
	r->refuses = false;
	vmbus_server_drained(r->server);
	CU_ASSERT_EQUAL(rig_message_u16(rig_next(r), 184), 1);
	CU_ASSERT_EQUAL(rig_message_u16(rig_next(r), 184), 2);
	RIG_DEAD(r);
	CU_ASSERT_EQUAL(rig_status(r).messages_lost, 0);
	rig_destroy(r);
}

/* R-UNL-008, R-ROB-012 */
static void unload_and_contact_are_heard_from_a_guest_that_reads_nothing(void)
{
	struct rig *r = rig_make();
	rig_connect(r, 0x50003, 0);
	r->is_full = true;
	rig_device(r, 1, 0);
	rig_device(r, 2, 0);
	RIG_UNLOAD(r);
	CU_ASSERT_TRUE(r->discards > 0);
	r->is_full = false;
	vmbus_server_drained(r->server);
	RIG_HEAR(r, "1100000000000000"); /* and none of the offers before it */
	RIG_DEAD(r);
	rig_connect(r, 0x50003, 0);
	r->is_full = true;
	rig_device(r, 3, 0);
	for (unsigned i = 0; i < 100; i++)
		rig_say_hex(r, RIG_CONTACT_5_3);
	CU_ASSERT_EQUAL(rig_status(r).queued_bytes, 17);
	r->is_full = false;
	vmbus_server_drained(r->server);
	RIG_HEAR(r, "0f000000000000000100000004000000");
	RIG_DEAD(r);
	rig_destroy(r);
}

static const struct test tests[] = {
	TEST(nothing_is_said_between_pause_and_resume),
	TEST(requests_while_paused_are_dropped),
	TEST(unload_closes_everything_and_is_answered_once),
	TEST(nothing_follows_an_unload),
	TEST(unload_while_disconnected_is_ignored),
	TEST(contact_during_an_unload_replaces_its_answer),
	TEST(a_thousand_sessions_leave_nothing_behind),
	TEST(reset_ends_a_channel_in_every_state),
	TEST(reset_forgets_waiting_messages_and_the_target),
	TEST(requests_wait_while_answers_wait),
	TEST(a_message_that_is_refused_is_sent_again),
	TEST(unload_and_contact_are_heard_from_a_guest_that_reads_nothing),
};
TEST_MAIN("vmbus_server_unload", tests)
