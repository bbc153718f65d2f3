// SPDX-License-Identifier: Apache-2.0
/*
 * Monitored notification at the host: what its bus says in the guest's page, when it looks
 * there, and when it leaves the page alone (R-MNF). Offsets are those of the document.
 */
#include "tests/unit/vmbus_bus_rig.h"

#define MANY 40u /* offers, so that the second trigger group is in use */

/* Two other pages to move to. */
#define OTHER_OUT 0x34000ull
#define OTHER_IN  0x35000ull

static uint32_t word_at(struct bench *b, uint64_t page, unsigned offset)
{
	uint32_t word;
	memcpy(&word, rig_at(&b->rig, page + offset), sizeof word);
	return word;
}

static uint16_t latency_at(struct bench *b, uint64_t page, unsigned id)
{
	uint16_t latency;
	memcpy(&latency, rig_at(&b->rig, page + 0x240 + 2 * id), sizeof latency);
	return latency;
}

static void pending_set(struct bench *b, uint64_t page, unsigned id)
{
	uint32_t word = word_at(b, page, 8 + 8 * (id / 32)) | 1u << id % 32;
	memcpy(rig_at(&b->rig, page + 8 + 8 * (id / 32)), &word, sizeof word);
}

static void page_fill(struct bench *b, uint64_t page, uint8_t byte)
{
	memset(rig_at(&b->rig, page), byte, 4096);
}

static bool page_is_all(struct bench *b, uint64_t page, uint8_t byte)
{
	const uint8_t *bytes = rig_at(&b->rig, page);
	for (unsigned i = 0; i < 4096; i++) {
		if (bytes[i] != byte)
			return false;
	}
	return true;
}

static void add_with(struct bench *b, unsigned number, uint16_t latency_100ns)
{
	struct bus_offer offer = bench_offer(b, number);
	offer.wants_monitor = true;
	offer.monitor_latency_100ns = latency_100ns;
	CU_ASSERT_EQUAL_FATAL(bus_offer_add(b->bus, &offer, &b->providers[number].channel), 0);
}

/* Contact at a version, with monitor pages and (below 2.4) the interrupt page. */
static void contact(struct bench *b, uint32_t version, uint64_t out, uint64_t in)
{
	const uint32_t at16 = version >= 0x50000 ? 2 : (uint32_t)BENCH_INTERRUPTS;
	const uint32_t features = version >= 0x60000 ? 4 : 0;
	BENCH_SAY(b, 40, 14, 0, version, 0, at16, features, (uint32_t)out, 0, (uint32_t)in, 0);
	CU_ASSERT_NOT_EQUAL(bench_hear(b), 0);
	CU_ASSERT_EQUAL(bench_word(b, 0), 15);
	CU_ASSERT_EQUAL(bench_word(b, 2), 1);
}

/* All offers; the monitor id of each, by relid. Returns how many there were. */
static unsigned offers_hear(struct bench *b, uint8_t ids[MANY + 1])
{
	unsigned count = 0;
	BENCH_SAY(b, 8, 3);
	while (bench_hear(b) == 196) {
		const uint32_t relid = bench_word(b, 46);
		CU_ASSERT_TRUE_FATAL(relid >= 1 && relid <= MANY);
		CU_ASSERT_EQUAL(b->message[189], b->message[188] == 0xff ? 0 : 1);
		ids[relid] = b->message[188];
		count++;
	}
	CU_ASSERT_EQUAL(bench_word(b, 0), 4);
	return count;
}

static void connect(struct bench *b, uint32_t version, uint64_t out, uint64_t in)
{
	uint8_t ids[MANY + 1];
	contact(b, version, out, in);
	(void)offers_hear(b, ids);
}

/* The guest writes a packet and signals only by its bit; it is answered. */
static void bit_serves(struct bench *b, struct bench_channel *c, uint64_t page, unsigned id)
{
	static uint64_t transaction;
	bench_run(b); /* the host sleeps */
	bench_write(c, ++transaction);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), 0);
	pending_set(b, page, id);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), transaction);
	CU_ASSERT_EQUAL(word_at(b, page, 8 + 8 * (id / 32)), 0);
}

/* R-MNF-010 */
static void an_offer_with_a_monitor_id_is_described_in_the_page(void)
{
	struct bench *b = bench_make();
	uint8_t ids[MANY + 1] = {0};
	bench_add(b, 1); /* not monitored: none of the ids */
	add_with(b, 2, 0);
	add_with(b, 3, 250);
	page_fill(b, BENCH_MONITOR_IN, 0);
	page_fill(b, BENCH_MONITOR_OUT, 0);
	contact(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0), 0);
	CU_ASSERT_EQUAL(offers_hear(b, ids), 3);
	CU_ASSERT_EQUAL(ids[1], 0xff);
	CU_ASSERT_EQUAL(ids[2], 0);
	CU_ASSERT_EQUAL(ids[3], 1);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0), 1); /* group 0 */
	CU_ASSERT_EQUAL(latency_at(b, BENCH_MONITOR_IN, 0), 1000);
	CU_ASSERT_EQUAL(latency_at(b, BENCH_MONITOR_IN, 1), 250);
	CU_ASSERT_EQUAL(latency_at(b, BENCH_MONITOR_IN, 2), 0);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0x440), 0x2002);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0x444), 0);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0x448), 0x2003);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0x44c), 0);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0x450), 0);
	bench_destroy(b);
}

/* R-MNF-001: id 39 is bit 7 of group 1 */
static void the_second_group_is_served_too(void)
{
	struct bench *b = bench_make();
	struct bus_channel *offered[MANY + 1];
	uint8_t ids[MANY + 1] = {0};
	for (unsigned i = 1; i <= MANY; i++) {
		struct bus_offer offer = bench_offer(b, 1);
		offer.instance_id.bytes[15] = (uint8_t)i;
		offer.wants_monitor = true;
		CU_ASSERT_EQUAL_FATAL(bus_offer_add(b->bus, &offer, &offered[i]), 0);
	}
	contact(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	CU_ASSERT_EQUAL(offers_hear(b, ids), MANY);
	CU_ASSERT_EQUAL(ids[MANY], MANY - 1);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0), 3);
	CU_ASSERT_EQUAL(latency_at(b, BENCH_MONITOR_IN, 39), 1000);
	CU_ASSERT_EQUAL(word_at(b, BENCH_MONITOR_IN, 0x440 + 8 * 39), 0x2000 + MANY);
	/* the memory of channel 1, under the relid of the last */
	struct bench_channel *c = &b->channels[1];
	const struct ring_area out = bench_area(b, 1, 0, c->scratch[0]);
	const struct ring_area in = bench_area(b, 1, 1, c->scratch[1]);
	ring_clear(&out);
	ring_clear(&in);
	CU_ASSERT_EQUAL(ring_open(&c->out, &out, &c->in, &in, RING_FLAGS_STRICT), RING_OK);
	bench_gpadl(b, MANY, (BENCH_RINGS + BENCH_RING_STRIDE) >> 12);
	bench_say_open(b, MANY, 0);
	BENCH_HEAR(b, 20, 6);
	bit_serves(b, c, BENCH_MONITOR_IN, 39);
	bench_destroy(b);
}

/* R-MNF-002 */
static void the_bus_is_looked_at_as_often_as_the_keenest_open_channel_wants(void)
{
	struct bench *b = bench_make();
	add_with(b, 1, 0);
	add_with(b, 2, 30);
	add_with(b, 3, 0xffff);
	bench_add(b, 4);
	connect(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	bench_opened(b, 4);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_opened(b, 3);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 6553500);
	bench_opened(b, 2);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 3000);
	bench_opened(b, 1);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 3000);
	BENCH_SAY(b, 12, 7, 0, 2);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 100000);
	BENCH_SAY(b, 12, 7, 0, 1);
	BENCH_SAY(b, 12, 7, 0, 3);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_destroy(b);
}

/* R-MNF-008 */
static void what_the_guest_writes_there_redirects_and_slows_nothing(void)
{
	struct bench *b = bench_make();
	add_with(b, 1, 0);
	add_with(b, 2, 0);
	connect(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	struct bench_channel *c = bench_opened(b, 1);
	bench_opened(b, 2);
	bench_run(b);
	const uint64_t others = b->providers[2].readies;
	uint32_t *page = rig_at(&b->rig, BENCH_MONITOR_IN);
	page[0] = 0;				    /* no group enabled */
	page[3] = 0xffffffff;			    /* armed */
	memset(&page[0x40 / 4], 0xff, 4096 - 0x40); /* latencies, times, reserved */
	page[0x440 / 4] = 0x2002;		    /* the other's connection */
	page[0x444 / 4] = 5;
	bit_serves(b, c, BENCH_MONITOR_IN, 0);
	CU_ASSERT_EQUAL(b->providers[2].readies, others);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 100000);
	CU_ASSERT_EQUAL(page[3], 0xffffffff);
	bench_destroy(b);
}

/* R-MNF-011: interrupts to the guest are events, whatever the pages */
static void the_page_parent_to_child_is_left_alone(void)
{
	struct bench *b = bench_make();
	add_with(b, 1, 0);
	page_fill(b, BENCH_MONITOR_OUT, 0xa5);
	connect(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	struct bench_channel *c = bench_opened(b, 1);
	for (unsigned i = 0; i < 3; i++) {
		bit_serves(b, c, BENCH_MONITOR_IN, 0);
		CU_ASSERT_EQUAL(bench_flag(b, 0), 1);
	}
	BENCH_SAY(b, 8, 16);
	BENCH_HEAR(b, 8, 17);
	CU_ASSERT_TRUE(page_is_all(b, BENCH_MONITOR_OUT, 0xa5));
	bench_destroy(b);
}

/* R-MNF-012 */
static void both_pages_may_be_one(void)
{
	struct bench *b = bench_make();
	add_with(b, 1, 0);
	connect(b, 0x50003, BENCH_MONITOR_IN, BENCH_MONITOR_IN);
	bit_serves(b, bench_opened(b, 1), BENCH_MONITOR_IN, 0);
	bench_destroy(b);
}

/* R-MNF-013, R-UNL-001 */
static void after_unload_the_page_is_the_guests(void)
{
	struct bench *b = bench_make();
	add_with(b, 1, 0);
	connect(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	bit_serves(b, bench_opened(b, 1), BENCH_MONITOR_IN, 0);
	BENCH_SAY(b, 8, 16);
	BENCH_HEAR(b, 8, 17);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	page_fill(b, BENCH_MONITOR_IN, 0xff);
	bench_run(b);
	connect(b, 0x50003, OTHER_OUT, OTHER_IN);
	CU_ASSERT_EQUAL(word_at(b, OTHER_IN, 0), 1);
	bit_serves(b, bench_opened(b, 1), OTHER_IN, 0);
	CU_ASSERT_TRUE(page_is_all(b, BENCH_MONITOR_IN, 0xff));
	/* and without pages */
	BENCH_SAY(b, 8, 16);
	BENCH_HEAR(b, 8, 17);
	page_fill(b, OTHER_IN, 0xff);
	uint8_t ids[MANY + 1] = {0};
	contact(b, 0x50003, 0, 0);
	CU_ASSERT_EQUAL(offers_hear(b, ids), 1);
	CU_ASSERT_EQUAL(ids[1], 0xff);
	bench_opened(b, 1);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_run(b);
	CU_ASSERT_TRUE(page_is_all(b, OTHER_IN, 0xff));
	bench_destroy(b);
}

/* R-MNF-013, R-CONN-016: a kernel that crashed, and the next one */
static void a_new_contact_takes_new_pages_and_leaves_the_old(void)
{
	struct bench *b = bench_make();
	add_with(b, 1, 0);
	connect(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	bit_serves(b, bench_opened(b, 1), BENCH_MONITOR_IN, 0);
	contact(b, 0x40001, OTHER_OUT, OTHER_IN);
	page_fill(b, BENCH_MONITOR_IN, 0xff);
	uint8_t ids[MANY + 1] = {0};
	CU_ASSERT_EQUAL(offers_hear(b, ids), 1);
	CU_ASSERT_EQUAL(ids[1], 0);
	bit_serves(b, bench_opened(b, 1), OTHER_IN, 0);
	CU_ASSERT_TRUE(page_is_all(b, BENCH_MONITOR_IN, 0xff));
	/* the same page again: what the last connection said there counts no more */
	page_fill(b, OTHER_IN, 0xff);
	contact(b, 0x50003, OTHER_OUT, OTHER_IN);
	CU_ASSERT_EQUAL(word_at(b, OTHER_IN, 0), 0);
	bench_destroy(b);
}

/* R-MNF-014: bytes 8 of a group, with the interrupt page of old versions beside it */
static void monitor_pages_work_below_version_2_4(void)
{
	static const uint32_t versions[] = {0x0000d, 0x10001};
	for (unsigned i = 0; i < 2; i++) {
		struct bench *b = bench_make();
		uint64_t *interrupts = rig_at(&b->rig, BENCH_INTERRUPTS);
		add_with(b, 1, 0);
		add_with(b, 2, 0);
		connect(b, versions[i], BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
		struct bench_channel *c = bench_opened(b, 2);
		bit_serves(b, c, BENCH_MONITOR_IN, 1);
		/* the answer is told by the interrupt page and flag 0 */
		CU_ASSERT_EQUAL(interrupts[0], 4);
		CU_ASSERT_EQUAL(bench_flag(b, 0), 0);
		/* Linux sets its bit in the second half too; it stays, and does no harm */
		interrupts[256] = 4;
		bit_serves(b, c, BENCH_MONITOR_IN, 1);
		CU_ASSERT_EQUAL(interrupts[256], 4);
		bench_signal(b, 2);
		CU_ASSERT_EQUAL(interrupts[256], 0);
		bench_run(b);
		CU_ASSERT_EQUAL(bench_read(c), 0);
		bench_destroy(b);
	}
}

/* R-CONN-035, R-MNF-013: MODIFY_CONNECTION, at 6.0 with its feature */
static void pages_that_are_modified_carry_everything_over(void)
{
	struct bench *b = bench_make();
	add_with(b, 1, 77);
	connect(b, 0x60000, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	BENCH_SAY(b, 24, 25, 0, (uint32_t)OTHER_OUT, 0, (uint32_t)OTHER_IN, 0);
	BENCH_HEAR(b, 9, 26);
	CU_ASSERT_EQUAL(b->message[8], 0);
	CU_ASSERT_EQUAL(word_at(b, OTHER_IN, 0), 1);
	CU_ASSERT_EQUAL(latency_at(b, OTHER_IN, 0), 77);
	CU_ASSERT_EQUAL(word_at(b, OTHER_IN, 0x440), 0x2001);
	page_fill(b, BENCH_MONITOR_IN, 0xff);
	bit_serves(b, bench_opened(b, 1), OTHER_IN, 0);
	CU_ASSERT_TRUE(page_is_all(b, BENCH_MONITOR_IN, 0xff));
	/* not while the channel uses it */
	BENCH_SAY(b, 24, 25, 0, 0, 0, 0, 0);
	BENCH_HEAR(b, 9, 26);
	CU_ASSERT_EQUAL(b->message[8], 2);
	/* no pages at all: the id that was offered means nothing then, the hypercall works */
	BENCH_SAY(b, 12, 7, 0, 1);
	BENCH_SAY(b, 16, 11, 0, 1, 1);
	BENCH_HEAR(b, 12, 12);
	BENCH_SAY(b, 24, 25, 0, 0, 0, 0, 0);
	BENCH_HEAR(b, 9, 26);
	CU_ASSERT_EQUAL(b->message[8], 0);
	struct bench_channel *c = bench_opened(b, 1);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_run(b);
	bench_write(c, 500);
	bench_signal(b, 0x2001);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), 500);
	bench_destroy(b);
}

/* R-MNF-007 */
static void the_hosts_own_page_is_used_when_it_grants_it(void)
{
	const struct vmbus_bus_config config = {
		.feature_mask = 0x40, .child_to_parent_page_gpa = OTHER_IN};
	struct bench *b = bench_make_with(&config);
	uint8_t ids[MANY + 1] = {0};
	add_with(b, 1, 0);
	page_fill(b, OTHER_IN, 0xff);
	BENCH_SAY(b, 40, 14, 0, 0x60000, 0, 2, 0x40);
	BENCH_HEAR(b, 40, 15);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0x40);
	CU_ASSERT_EQUAL(bench_word(b, 8), OTHER_IN);
	CU_ASSERT_EQUAL(word_at(b, OTHER_IN, 0), 0);
	memset(rig_at(&b->rig, OTHER_IN), 0, 4096);
	CU_ASSERT_EQUAL(offers_hear(b, ids), 1);
	CU_ASSERT_EQUAL(ids[1], 0);
	bit_serves(b, bench_opened(b, 1), OTHER_IN, 0);
	bench_destroy(b);
}

struct seen {
	unsigned count;
	uint8_t ids[8]; /* by relid */
};

static void on_visit(void *ctx, const struct bus_channel_statistics *statistics)
{
	struct seen *seen = ctx;
	seen->count++;
	seen->ids[statistics->relid] = statistics->monitor_id;
}

static void statistics_show_the_monitor_id(void)
{
	struct bench *b = bench_make();
	struct seen seen = {0};
	bench_add(b, 1);
	add_with(b, 2, 0);
	vmbus_bus_channels_visit(b->bus, on_visit, &seen);
	CU_ASSERT_EQUAL(seen.ids[0], 0xff);
	connect(b, 0x50003, BENCH_MONITOR_OUT, BENCH_MONITOR_IN);
	vmbus_bus_channels_visit(b->bus, on_visit, &seen);
	CU_ASSERT_EQUAL(seen.count, 4);
	CU_ASSERT_EQUAL(seen.ids[1], 0xff);
	CU_ASSERT_EQUAL(seen.ids[2], 0);
	bench_destroy(b);
}

static const struct test tests[] = {
	TEST(an_offer_with_a_monitor_id_is_described_in_the_page),
	TEST(the_second_group_is_served_too),
	TEST(the_bus_is_looked_at_as_often_as_the_keenest_open_channel_wants),
	TEST(what_the_guest_writes_there_redirects_and_slows_nothing),
	TEST(the_page_parent_to_child_is_left_alone),
	TEST(both_pages_may_be_one),
	TEST(after_unload_the_page_is_the_guests),
	TEST(a_new_contact_takes_new_pages_and_leaves_the_old),
	TEST(monitor_pages_work_below_version_2_4),
	TEST(pages_that_are_modified_carry_everything_over),
	TEST(the_hosts_own_page_is_used_when_it_grants_it),
	TEST(statistics_show_the_monitor_id),
};
TEST_MAIN("vmbus_bus_monitor", tests)
