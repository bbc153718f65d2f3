// SPDX-License-Identifier: Apache-2.0
/*
 * The SynIC's host side: message slots and queues, MessagePending and EOM, event
 * flags, masks. Rule ids are those of protocol/hypervisor.md. A second thread plays
 * a guest that empties slots while the host fills them.
 */
#include "tests/unit/partition_rig.h"

#include "host/limits.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static struct rig rig;

static int post(const char *text)
{
	return synic_message_post(rig.partition, 0, 2, 1, 0x77, text, strlen(text) + 1);
}

static uint8_t *slot(uint32_t sint)
{
	return (uint8_t *)rig_at(&rig, RIG_SIMP) + sint * 256;
}

static uint32_t slot_type(uint32_t sint)
{
	uint32_t type;

	memcpy(&type, slot(sint), sizeof type);
	return type;
}

/* What a guest does: empty the slot, and EOM if more is pending. True if it was. */
static bool slot_empty(uint32_t sint)
{
	memset(slot(sint), 0, 4);
	const bool is_pending = slot(sint)[5] & 1;
	if (is_pending)
		rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	return is_pending;
}

static void open_with_synic(void)
{
	rig_open(&rig, 2);
	rig_synic_on(&rig);
}

/* ---- messages ------------------------------------------------------------------------------ */

static void message_lands_in_the_slot_of_its_sint(void)
{
	static const uint8_t expected[] = {
		0x01, 0x00, 0x00, 0x00,				/* type 1 */
		0x06,						/* size */
		0x00,						/* nothing pending */
		0x00, 0x00,					/* reserved */
		0x77, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* port */
		'h', 'e', 'l', 'l', 'o', 0,			/* payload */
	};

	open_with_synic();
	CU_ASSERT_EQUAL(post("hello"), 0);
	CU_ASSERT_EQUAL(memcmp(slot(2), expected, sizeof expected), 0);
	CU_ASSERT_EQUAL(slot_type(1), 0);
	CU_ASSERT_EQUAL(slot_type(3), 0);
	CU_ASSERT_EQUAL(rig.interrupts, 1);
	CU_ASSERT_EQUAL(rig.last_vp, 0);
	CU_ASSERT_EQUAL(rig.last_sint, 2);
	CU_ASSERT_EQUAL(rig.last_vector, RIG_VECTOR);
	CU_ASSERT_FALSE(synic_message_is_backlogged(rig.partition, 0, 2));
	rig_close(&rig);
}

/* R-SYNIC-001. */
static void full_slot_keeps_its_message_and_says_pending(void)
{
	open_with_synic();
	post("first");
	CU_ASSERT_EQUAL(post("second"), 0); /* R-SYNIC-014 */
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "first");
	CU_ASSERT_EQUAL(slot(2)[5] & 1, 1);
	CU_ASSERT_EQUAL(rig.interrupts, 1); /* R-SYNIC-002 */
	CU_ASSERT_TRUE(synic_message_is_backlogged(rig.partition, 0, 2));

	CU_ASSERT_TRUE(slot_empty(2));
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "second");
	CU_ASSERT_EQUAL(slot(2)[5] & 1, 0);
	CU_ASSERT_EQUAL(rig.interrupts, 2);
	CU_ASSERT_FALSE(synic_message_is_backlogged(rig.partition, 0, 2));
	rig_close(&rig);
}

/* R-SYNIC-004, R-SYNIC-005. */
static void messages_come_in_order_with_pending_until_the_last(void)
{
	char text[8];

	open_with_synic();
	for (unsigned i = 0; i < 10; i++) {
		snprintf(text, sizeof text, "m%u", i);
		CU_ASSERT_EQUAL(post(text), 0);
	}
	for (unsigned i = 0; i < 10; i++) {
		snprintf(text, sizeof text, "m%u", i);
		CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, text);
		CU_ASSERT_EQUAL(slot_empty(2), i < 9);
	}
	CU_ASSERT_EQUAL(slot_type(2), 0);
	CU_ASSERT_EQUAL(rig.interrupts, 10);
	rig_close(&rig);
}

static void queue_refuses_at_its_bound_and_recovers(void)
{
	struct partition_statistics statistics;

	open_with_synic();
	post("in the slot");
	for (unsigned i = 0; i < LIMIT_SYNIC_QUEUE; i++)
		CU_ASSERT_EQUAL(post("queued"), 0);
	CU_ASSERT_EQUAL(post("one too many"), -EAGAIN);
	partition_statistics_get(rig.partition, &statistics);
	CU_ASSERT_EQUAL(statistics.messages_lost, 1);
	CU_ASSERT_EQUAL(statistics.messages_queued, LIMIT_SYNIC_QUEUE);
	/* Another SINT has a queue of its own. */
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 3, 0x50);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 3, 1, 0, "x", 1), 0);
	CU_ASSERT_EQUAL(slot_type(3), 1);
	slot_empty(2);
	CU_ASSERT_EQUAL(post("fits again"), 0);
	CU_ASSERT_EQUAL(post("and full again"), -EAGAIN);
	unsigned taken = 0;
	while (slot_type(2)) {
		taken++;
		slot_empty(2);
	}
	CU_ASSERT_EQUAL(taken, LIMIT_SYNIC_QUEUE + 1);
	rig_close(&rig);
}

static void bad_arguments_are_refused(void)
{
	uint8_t payload[241] = {0};

	open_with_synic();
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 2, 2, 1, 0, payload, 1), -EINVAL);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 16, 1, 0, payload, 1), -EINVAL);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 2, 0, 0, payload, 1), -EINVAL);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 2, 1, 0, payload, 241), -EINVAL);
	CU_ASSERT_EQUAL(slot_type(2), 0);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 2, 1, 0, payload, 240), 0);
	CU_ASSERT_EQUAL(slot(2)[4], 240);
	slot_empty(2);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 2, 1, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL(slot(2)[4], 0);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 2, 2, 0), -EINVAL);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 16, 0), -EINVAL);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 2048), -EINVAL);
	rig_close(&rig);
}

static void longest_message_leaves_the_next_slot_alone(void)
{
	uint8_t payload[240];

	open_with_synic();
	memset(payload, 0xff, sizeof payload);
	memset(slot(3), 0, 256);
	synic_message_post(rig.partition, 0, 2, 1, UINT64_MAX, payload, sizeof payload);
	CU_ASSERT_EQUAL(slot(2)[255], 0xff);
	CU_ASSERT_EQUAL(slot(3)[0], 0);
	rig_close(&rig);
}

static void masked_sint_gets_its_message_without_interrupt(void)
{
	open_with_synic();
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 2, 0x10000 | RIG_VECTOR);
	post("silent"); /* R-SYNIC-007 */
	CU_ASSERT_EQUAL(slot_type(2), 1);
	CU_ASSERT_EQUAL(rig.interrupts, 0);
	post("next");
	slot_empty(2); /* EOM serves masked SINTs too */
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "next");
	CU_ASSERT_EQUAL(rig.interrupts, 0);
	rig_close(&rig);
}

static void polled_sint_gets_message_and_flag_without_interrupt(void)
{
	open_with_synic();
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 2, 0x40000 | RIG_VECTOR);
	post("polled"); /* R-CPUID-021 */
	CU_ASSERT_EQUAL(slot_type(2), 1);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 5), 0);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_SIEFP) + 512), 0x20);
	CU_ASSERT_EQUAL(rig.interrupts, 0);
	rig_close(&rig);
}

static void message_waits_for_page_and_scontrol(void)
{
	rig_open(&rig, 1);
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 2, RIG_VECTOR);
	rig_write(&rig, 0, HV_X64_MSR_SCONTROL, 0);
	CU_ASSERT_EQUAL(post("patient"), 0);
	CU_ASSERT_TRUE(synic_message_is_backlogged(rig.partition, 0, 2));
	rig_write(&rig, 0, HV_X64_MSR_SIMP, RIG_SIMP | 1);
	CU_ASSERT_EQUAL(slot_type(2), 0);
	rig_write(&rig, 0, HV_X64_MSR_SCONTROL, 1); /* R-SYNIC-008 */
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "patient");
	CU_ASSERT_EQUAL(rig.interrupts, 1);

	rig_write(&rig, 0, HV_X64_MSR_SIMP, RIG_SIMP);
	CU_ASSERT_EQUAL(slot_type(2), 0); /* the page has gone, with the message in it */
	post("second");
	rig_write(&rig, 0, HV_X64_MSR_SIMP, (RIG_SIMP + 0x4000) | 1);
	/* R-REG-013: the contents move with the page; the slot is still full. */
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 0x4000 + 16, "patient");
	CU_ASSERT_EQUAL(slot(2)[0x4000 + 5] & 1, 1);
	rig_close(&rig);
}

static void stale_memory_is_no_full_slot(void)
{
	rig_open(&rig, 1);
	memset(rig_at(&rig, RIG_SIMP), 0xff, 4096);
	rig_synic_on(&rig);
	CU_ASSERT_EQUAL(slot_type(2), 0); /* R-SYNIC-009 */
	CU_ASSERT_EQUAL(post("seen"), 0);
	CU_ASSERT_EQUAL(slot_type(2), 1);
	rig_close(&rig);
}

/* R-SYNIC-005. */
static void eom_with_nothing_waiting_does_nothing(void)
{
	open_with_synic();
	rig_write(&rig, 0, HV_X64_MSR_EOM, 0xffffffff);
	post("only");
	rig_write(&rig, 0, HV_X64_MSR_EOM, 0); /* slot is full, nothing behind it */
	CU_ASSERT_EQUAL(slot(2)[5] & 1, 0);
	CU_ASSERT_EQUAL(rig.interrupts, 1);
	rig_close(&rig);
}

static void discard_forgets_what_is_queued_but_not_what_is_delivered(void)
{
	open_with_synic();
	post("delivered");
	post("queued");
	synic_message_discard(rig.partition, 0, 2);
	CU_ASSERT_FALSE(synic_message_is_backlogged(rig.partition, 0, 2));
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "delivered");
	slot_empty(2);
	CU_ASSERT_EQUAL(slot_type(2), 0);
	synic_message_discard(rig.partition, 99, 99);
	CU_ASSERT_EQUAL(post("after"), 0);
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "after");
	rig_close(&rig);
}

static void reset_forgets_messages(void)
{
	open_with_synic();
	post("delivered");
	post("queued");
	partition_reset(rig.partition);
	CU_ASSERT_FALSE(synic_message_is_backlogged(rig.partition, 0, 2));
	rig_synic_on(&rig);
	CU_ASSERT_EQUAL(slot_type(2), 0);
	rig_close(&rig);
}

/* ---- the observer of drained queues -------------------------------------------------------- */

struct observer {
	unsigned calls, nested, depth;
	uint32_t vp, sint;
	unsigned repost;
};

static void on_drained(void *ctx, uint32_t vp, uint32_t sint)
{
	struct observer *observer = ctx;

	observer->calls++;
	observer->vp = vp;
	observer->sint = sint;
	observer->nested += observer->depth++ > 0;
	/* Post until there is a backlog again, as a server with much to say does. */
	while (observer->repost > 0) {
		observer->repost--;
		post("more");
	}
	observer->depth--;
}

static void observer_hears_once_of_each_drained_backlog(void)
{
	struct observer observer = {0};

	open_with_synic();
	synic_drained_observer_set(rig.partition, on_drained, &observer);
	post("a");
	slot_empty(2);
	CU_ASSERT_EQUAL(observer.calls, 0); /* there was no backlog */
	post("a");
	post("b");
	post("c");
	slot_empty(2);
	CU_ASSERT_EQUAL(observer.calls, 0); /* c still waits */
	slot_empty(2);
	CU_ASSERT_EQUAL(observer.calls, 1);
	CU_ASSERT_EQUAL(observer.sint, 2);
	rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	CU_ASSERT_EQUAL(observer.calls, 1);
	rig_close(&rig);
}

static void observer_may_post_and_is_not_nested(void)
{
	struct observer observer = {.repost = 5};

	open_with_synic();
	synic_drained_observer_set(rig.partition, on_drained, &observer);
	post("a");
	post("b");
	unsigned taken = 0;
	while (slot_type(2)) {
		taken++;
		slot_empty(2);
	}
	CU_ASSERT_EQUAL(taken, 7);
	CU_ASSERT_EQUAL(observer.calls, 2);
	CU_ASSERT_EQUAL(observer.nested, 0);
	rig_close(&rig);
}

static void observer_hears_of_a_backlog_that_drains_in_post(void)
{
	struct observer observer = {0};

	open_with_synic();
	synic_drained_observer_set(rig.partition, on_drained, &observer);
	post("a");
	post("b");
	/* The guest empties the slot, but its EOM is still to come. */
	memset(slot(2), 0, 4);
	post("c"); /* delivers b, leaves c */
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "b");
	CU_ASSERT_EQUAL(observer.calls, 0);
	memset(slot(2), 0, 4);
	rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	CU_ASSERT_STRING_EQUAL((char *)slot(2) + 16, "c");
	CU_ASSERT_EQUAL(observer.calls, 1);
	rig_close(&rig);
}

/* ---- event flags --------------------------------------------------------------------------- */

static void flag_is_bit_f_of_its_sints_area(void)
{
	const uint8_t *page;

	open_with_synic();
	page = rig_at(&rig, RIG_SIEFP);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 0), 0);
	CU_ASSERT_EQUAL(page[2 * 256], 0x01);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 77), 0);
	CU_ASSERT_EQUAL(page[2 * 256 + 9], 0x20);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 2047), 0);
	CU_ASSERT_EQUAL(page[2 * 256 + 255], 0x80);
	CU_ASSERT_EQUAL(page[3 * 256], 0);
	CU_ASSERT_EQUAL(rig.interrupts, 3);
	rig_close(&rig);
}

/* R-SYNIC-012. */
static void flag_interrupts_on_its_first_set_alone(void)
{
	open_with_synic();
	synic_event_set(rig.partition, 0, 2, 9);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 9), 0); /* R-SYNIC-016 */
	CU_ASSERT_EQUAL(rig.interrupts, 1);
	memset(rig_at(&rig, RIG_SIEFP), 0, 4096);
	synic_event_set(rig.partition, 0, 2, 9);
	CU_ASSERT_EQUAL(rig.interrupts, 2);
	rig_close(&rig);
}

static void flag_needs_synic_page_and_unmasked_sint(void)
{
	rig_open(&rig, 1);
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 2, RIG_VECTOR);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 1), -ENXIO); /* no page */
	rig_synic_on(&rig);
	rig_write(&rig, 0, HV_X64_MSR_SCONTROL, 0);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 1), -ENXIO);
	rig_write(&rig, 0, HV_X64_MSR_SCONTROL, 1);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 3, 1), -ENXIO); /* masked at reset */
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_SIEFP) + 768), 0);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 0, 2, 1), 0);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 1, 2, 1), -EINVAL);
	rig_close(&rig);
}

static void vps_have_separate_pages(void)
{
	open_with_synic();
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 1, 2, 1), -ENXIO);
	rig_write(&rig, 1, HV_X64_MSR_SIMP, 0x50001);
	rig_write(&rig, 1, HV_X64_MSR_SIEFP, 0x51001);
	rig_write(&rig, 1, HV_X64_MSR_SINT0 + 2, 0x99);
	CU_ASSERT_EQUAL(synic_event_set(rig.partition, 1, 2, 1), 0);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, 0x51000) + 512), 2);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_SIEFP) + 512), 0);
	CU_ASSERT_EQUAL(rig.last_vp, 1);
	CU_ASSERT_EQUAL(rig.last_vector, 0x99);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 1, 2, 1, 0, "x", 1), 0);
	CU_ASSERT_EQUAL(slot_type(2), 0);
	CU_ASSERT_EQUAL(*(uint8_t *)rig_at(&rig, 0x50200), 1);
	rig_close(&rig);
}

/* ---- against a guest on another processor -------------------------------------------------- */

#define RACE_ROUNDS   30000u
#define RACE_MESSAGES (2 * RACE_ROUNDS)

struct race {
	uint8_t *slot;
	uint32_t eom;	       /* atomic: EOM writes that the host has to serve */
	unsigned received;     /* atomic */
	unsigned out_of_order; /* read after the guest has ended */
	bool is_over;	       /* atomic */
};

/* A guest that takes messages as fast as it can, by R-SYNIC-010. */
static void *race_guest(void *arg)
{
	struct race *race = arg;
	uint32_t *type = (uint32_t *)(void *)race->slot;
	unsigned received = 0;

	while (!__atomic_load_n(&race->is_over, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(type, __ATOMIC_ACQUIRE) == 0)
			continue;
		uint32_t number;
		memcpy(&number, race->slot + 16, sizeof number);
		race->out_of_order += number != received;
		received++;
		__atomic_store_n(type, 0, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(race->slot + 5, __ATOMIC_SEQ_CST) & 1)
			__atomic_fetch_add(&race->eom, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&race->received, received, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * Two messages a round, the second queued behind the first or not, just as it happens;
 * then nothing but EOM may be needed to get both across.
 * R-SYNIC-001, R-SYNIC-003.
 */
static void no_message_is_lost_or_stuck_against_a_concurrent_guest(void)
{
	struct race race = {0};
	pthread_t guest;
	uint32_t number = 0;
	bool is_stuck = false;

	open_with_synic();
	race.slot = slot(2);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&guest, NULL, race_guest, &race), 0);
	for (unsigned round = 0; round < RACE_ROUNDS && !is_stuck; round++) {
		for (unsigned i = 0; i < 2; i++, number++) {
			/* Let the second come at any moment of the guest's taking the first. */
			for (unsigned pause = i * (round * 2654435761u >> 22); pause > 0; pause--)
				__asm__ volatile("");
			CU_ASSERT_EQUAL_FATAL(synic_message_post(rig.partition, 0, 2, 1, 0, &number,
						      sizeof number),
				0);
		}
		const time_t start = time(NULL);
		while (__atomic_load_n(&race.received, __ATOMIC_ACQUIRE) < number && !is_stuck) {
			if (__atomic_exchange_n(&race.eom, 0, __ATOMIC_SEQ_CST))
				rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
			is_stuck = time(NULL) - start > 10;
		}
	}
	__atomic_store_n(&race.is_over, true, __ATOMIC_RELAXED);
	pthread_join(guest, NULL);
	CU_ASSERT_FALSE(is_stuck);
	CU_ASSERT_EQUAL(race.received, RACE_MESSAGES);
	CU_ASSERT_EQUAL(race.out_of_order, 0);
	rig_close(&rig);
}

/* R-HYP-003: whatever the guest has written there. */
static void nothing_is_written_beside_the_pages(void)
{
	uint8_t payload[240];
	uint8_t *before, *behind;
	bool is_whole = true;

	open_with_synic();
	memset(payload, 0xff, sizeof payload);
	before = rig_at(&rig, RIG_SIMP - 4096);
	behind = rig_at(&rig, RIG_SIEFP + 4096);
	memset(before, 0x77, 4096);
	memset(behind, 0x77, 4096);
	for (uint32_t sint = 0; sint < 16; sint++)
		rig_write(&rig, 0, HV_X64_MSR_SINT0 + sint, 0x40 + sint);
	for (unsigned contents = 0; contents < 256; contents += 51) {
		memset(rig_at(&rig, RIG_SIMP), (int)contents, 4096);
		memset(rig_at(&rig, RIG_SIEFP), (int)contents, 4096);
		for (uint32_t sint = 0; sint < 16; sint++) {
			(void)synic_message_post(
				rig.partition, 0, sint, 1, UINT64_MAX, payload, sizeof payload);
			(void)synic_event_set(rig.partition, 0, sint, 0);
			(void)synic_event_set(rig.partition, 0, sint, 2047);
		}
		rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	}
	for (unsigned i = 0; i < 4096; i++)
		is_whole = is_whole && before[i] == 0x77 && behind[i] == 0x77;
	CU_ASSERT_TRUE(is_whole);
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(message_lands_in_the_slot_of_its_sint),
	TEST(full_slot_keeps_its_message_and_says_pending),
	TEST(messages_come_in_order_with_pending_until_the_last),
	TEST(queue_refuses_at_its_bound_and_recovers),
	TEST(bad_arguments_are_refused),
	TEST(longest_message_leaves_the_next_slot_alone),
	TEST(masked_sint_gets_its_message_without_interrupt),
	TEST(polled_sint_gets_message_and_flag_without_interrupt),
	TEST(message_waits_for_page_and_scontrol),
	TEST(stale_memory_is_no_full_slot),
	TEST(eom_with_nothing_waiting_does_nothing),
	TEST(discard_forgets_what_is_queued_but_not_what_is_delivered),
	TEST(reset_forgets_messages),
	TEST(observer_hears_once_of_each_drained_backlog),
	TEST(observer_may_post_and_is_not_nested),
	TEST(observer_hears_of_a_backlog_that_drains_in_post),
	TEST(flag_is_bit_f_of_its_sints_area),
	TEST(flag_interrupts_on_its_first_set_alone),
	TEST(flag_needs_synic_page_and_unmasked_sint),
	TEST(vps_have_separate_pages),
	TEST(no_message_is_lost_or_stuck_against_a_concurrent_guest),
	TEST(nothing_is_written_beside_the_pages),
};

TEST_MAIN("synic", tests)
