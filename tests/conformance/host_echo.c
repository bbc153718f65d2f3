// SPDX-License-Identifier: Apache-2.0
/*
 * Packets to the last byte, against the echo of protocol/testdevice.md: payloads of all sizes at
 * all offsets, page lists, pieces, ids. Hosts without it skip it.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_device.h"

/* Send a packet without extended header; the same bytes come back. */
static bool echoed(struct conform_target *t, struct conform_channel *channel, uint16_t flags,
	uint64_t id, const uint8_t *bytes, uint32_t count)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = flags,
		.payload_bytes = count,
		.transaction_id = id};

	return conform_channel_send(t, channel, &header, NULL, bytes) &&
	       conform_comes(t, channel, flags ? PACKET_TYPE_COMPLETION : PACKET_TYPE_INBAND, id,
		       bytes, count);
}

/* ---- payloads -------------------------------------------------------------------------------- */

static enum conform_verdict empty(struct conform_target *t)
{
	OPENED(echo, 1);
	for (uint32_t i = 0; i < 200; i++)
		TRY(echoed(t, channel, i % 2 ? WANTED : 0, i, (const uint8_t *)"", 0));
	return CONFORM_PASS;
}

/* Totals that are odd numbers of units: 512 of them start at each offset of a page. */
static enum conform_verdict every_offset(struct conform_target *t)
{
	static const uint16_t sizes[] = {0, 16, 1008, 3008};
	OPENED(echo, 1);
	BUFFER(bytes);
	for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (uint32_t i = 0; i < 512; i++) {
			conform_fill(bytes, sizes[s], i);
			TRY(echoed(t, channel, i % 2 ? WANTED : 0, i, bytes, sizes[s]));
		}
	return CONFORM_PASS;
}

static enum conform_verdict every_size(struct conform_target *t)
{
	OPENED(echo, 1);
	BUFFER(bytes);
	for (uint32_t size = 0; size <= 4064; size += 8) {
		conform_fill(bytes, size, size / 8);
		TRY(echoed(t, channel, size % 16 ? WANTED : 0, size, bytes, size));
	}
	return CONFORM_PASS;
}

static enum conform_verdict largest(struct conform_target *t)
{
	static const uint8_t pages[] = {1, 2, 13};
	BUFFER(bytes);
	for (unsigned p = 0; p < sizeof pages; p++) {
		OPENED(echo, pages[p]);
		const uint32_t size = (uint32_t)pages[p] * RING_PAGE_BYTES - 8 - 24;
		for (uint32_t i = 0; i < 8; i++) {
			conform_fill(bytes, size, i);
			TRY(echoed(t, channel, WANTED, i, bytes, size));
		}
		TRY(conform_channel_close(t, channel));
	}
	return CONFORM_PASS;
}

static enum conform_verdict ids(struct conform_target *t)
{
	static const uint64_t all[] = {0, 1, 0x7fffffff, 0xffffffff, 1ull << 32, 1ull << 63,
		0x0123456789abcdef, ~0ull, ~0ull};
	OPENED(echo, 1);
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		TRY(echoed(t, channel, WANTED, all[i], (const uint8_t *)"the same", 8));
	return CONFORM_PASS;
}

/* ---- extended headers ------------------------------------------------------------------------ */

/* A packet with this extended header and payload; the echo's answer has these bytes. */
static bool answered(struct conform_target *t, struct conform_channel *channel, uint16_t type,
	const void *extended, uint32_t extended_bytes, const uint8_t *wanted, uint32_t count)
{
	const struct packet_header header = {.type = type,
		.flags = WANTED,
		.extended_bytes = extended_bytes,
		.payload_bytes = 8,
		.transaction_id = ++channel->next_id};

	return conform_channel_send(t, channel, &header, extended, "01234567") &&
	       conform_comes(t, channel, PACKET_TYPE_COMPLETION, channel->next_id, wanted, count);
}

struct range {
	uint16_t offset, bytes;
	uint8_t pages[8]; /* of the sixteen that the test has */
};

static enum conform_verdict page_lists(struct conform_target *t)
{
	static const struct {
		unsigned count;
		struct range ranges[4];
	} lists[] = {
		{1, {{0, 1, {3}}}},
		{1, {{4095, 1, {3}}}},
		{1, {{4095, 2, {3, 9}}}},
		{1, {{0, 4096, {5}}}},
		{1, {{1, 4096, {7, 6}}}},
		{1, {{256, 12032, {2, 3, 4}}}},	      /* neighbours */
		{1, {{17, 20000, {9, 1, 15, 0, 8}}}}, /* none */
		{1, {{8, 8184, {4, 4}}}},	      /* the same twice */
		{2, {{0, 4096, {1}}, {0, 4096, {2}}}},
		{2, {{4000, 300, {12, 11}}, {5, 3, {11}}}},
		{4, {{1, 1, {1}}, {2, 2, {2}}, {4090, 4097, {3, 13, 0}}, {9, 8, {1}}}},
	};
	OPENED(echo, 13);
	BUFFER(wanted);
	const struct winhv_pages data = conform_pages(t, CONFORM_BUFFER_BYTES);
	EXPECT(data.va != NULL, "there is no memory");
	for (uint32_t page = 0; page < 16; page++)
		conform_fill(data.va + page * 4096, 4096, page * 5 + 1);
	for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		uint64_t gpns[4][8];
		struct packet_gpa_range ranges[4];
		uint8_t extended[256];
		uint32_t count = 0;
		for (unsigned r = 0; r < lists[i].count; r++) {
			const struct range *range = &lists[i].ranges[r];
			for (unsigned p = 0; p < 8; p++)
				gpns[r][p] = data.gpa / 4096 + range->pages[p];
			ranges[r] = (struct packet_gpa_range){.byte_count = range->bytes,
				.byte_offset = range->offset,
				.gpns = gpns[r]};
			for (uint32_t at = range->offset; at < range->offset + range->bytes; at++)
				wanted[count++] =
					data.va[range->pages[at / 4096] * 4096u + at % 4096];
		}
		const uint32_t bytes = packet_gpa_direct_bytes(ranges, lists[i].count);
		EXPECT(packet_gpa_direct_put(extended, bytes, ranges, lists[i].count) == 0,
			"list %u is none", i);
		TRY(answered(t, channel, PACKET_TYPE_GPA_DIRECT, extended, bytes, wanted, count));
	}
	return CONFORM_PASS;
}

/* An extended header in words of 4 bytes; `gpn` stands for a page of the test. */
struct list {
	const char *what;
	uint8_t words, has_page; /* the word that the page's number is added to; 0: none */
	uint32_t word[8];
};

/* Each gets no bytes, and the echo goes on. */
static enum conform_verdict refused(
	struct conform_target *t, uint16_t type, const struct list *lists, unsigned count)
{
	OPENED(echo, 1);
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	EXPECT(page.va != NULL, "there is no memory");
	for (unsigned i = 0; i < count; i++) {
		struct list list = lists[i];
		if (list.has_page)
			list.word[list.has_page] += (uint32_t)(page.gpa / 4096);
		if (!answered(
			    t, channel, type, list.word, list.words * 4u, (const uint8_t *)"", 0)) {
			char evidence[CONFORM_EVIDENCE_BYTES];
			__builtin_memcpy(evidence, t->evidence, sizeof evidence);
			return conform_fail(t, "%s: %s", list.what, evidence);
		}
		TRY(echoed(t, channel, WANTED, i, (const uint8_t *)"and then", 8));
	}
	return CONFORM_PASS;
}

static enum conform_verdict bad_pages(struct conform_target *t)
{
	static const struct list lists[] = {
		{"no range", 6, 4, {0, 0, 8, 0, 0, 0}},
		{"an empty range", 6, 4, {0, 1, 0, 0, 0, 0}},
		{"an empty second range", 8, 4, {0, 2, 8, 0, 0, 0, 0, 0}},
		{"an offset of 4096", 6, 4, {0, 1, 8, 4096, 0, 0}},
		{"an offset of 0x80000000", 6, 4, {0, 1, 8, 0x80000000, 0, 0}},
		{"a list without its second page", 6, 4, {0, 1, 8, 4092, 0, 0}},
		{"a list without its second range", 6, 4, {0, 2, 8, 0, 0, 0}},
		{"half a range", 4, 0, {0, 1, 8, 0}},
		{"0x10000000 ranges", 6, 4, {0, 0x10000000, 8, 0, 0, 0}},
		{"4 GiB", 6, 4, {0, 1, 0xffffffff, 0, 0, 0}},
		{"page number 2^40", 6, 0, {0, 1, 8, 0, 0, 256}},
		{"page number 2^52", 6, 0, {0, 1, 8, 0, 0, 1u << 20}},
		{"page number 2^64 - 1", 6, 0, {0, 1, 8, 0, 0xffffffff, 0xffffffff}},
	};

	return refused(t, PACKET_TYPE_GPA_DIRECT, lists, sizeof lists / sizeof lists[0]);
}

static enum conform_verdict bad_pieces(struct conform_target *t)
{
	static const struct list lists[] = {
		{"no range", 2, 0, {TESTDEVICE_SET_ID, 0}},
		{"a range less than it has", 6, 0, {TESTDEVICE_SET_ID, 1, 4, 0, 4, 4}},
		{"a range more than it has", 4, 0, {TESTDEVICE_SET_ID, 2, 8, 0}},
		{"0x20000001 ranges", 4, 0, {TESTDEVICE_SET_ID, 0x20000001, 8, 0}},
	};

	return refused(t, PACKET_TYPE_TRANSFER_PAGES, lists, sizeof lists / sizeof lists[0]);
}

static enum conform_verdict pieces(struct conform_target *t)
{
	static const uint32_t list[] = {0xff000000u | TESTDEVICE_SET_ID, 4, 2, 6, 3, 0, 0, 8, 3, 3};
	OPENED(echo, 1);
	TRY(answered(t, channel, PACKET_TYPE_TRANSFER_PAGES, list, sizeof list,
		(const uint8_t *)"67012345", 8));
	return CONFORM_PASS;
}

/* The reserved word may be anything, and so may words behind the ranges. */
static enum conform_verdict reserved(struct conform_target *t)
{
	OPENED(echo, 1);
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	EXPECT(page.va != NULL, "there is no memory");
	conform_fill(page.va, 64, 3);
	const uint32_t list[] = {
		0xffffffff, 1, 64, 0, (uint32_t)(page.gpa / 4096), 0, 0xffffffff, 0xffffffff};
	TRY(answered(t, channel, PACKET_TYPE_GPA_DIRECT, list, sizeof list, page.va, 64));
	return CONFORM_PASS;
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/*
 * Requests whose answers nobody takes: the host stops to read when its ring is full. All are
 * answered once, in order, when the guest takes them.
 */
static enum conform_verdict bounded(struct conform_target *t)
{
	OPENED(echo, 1);
	BUFFER(bytes);
	struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .flags = WANTED, .payload_bytes = 1000};
	uint32_t sent = 0;
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	for (;;) {
		header.transaction_id = sent;
		conform_fill(bytes, 1000, sent);
		const enum ring_status status = ring_send(&channel->out, &header, NULL, bytes);
		if (status == RING_OK)
			sent++;
		(void)ring_flush(&channel->out);
		(void)conform_channel_signal(t, channel);
		EXPECT(sent < 100,
			"the host has taken %u requests of 1000 bytes, and its ring has "
			"room for 3 answers",
			sent);
		EXPECT(conform_now(t) < deadline, "the host neither reads nor wishes for room");
		if (status == RING_FULL &&
			conform_word(channel->in_control, RING_WORD_PENDING) != 0 &&
			ring_writer_want(&channel->out, &header) == RING_FULL)
			break;
	}
	for (uint32_t i = 0; i < sent; i++) {
		conform_fill(bytes, 1000, i);
		TRY(conform_comes(t, channel, PACKET_TYPE_COMPLETION, i, bytes, 1000));
	}
	return CONFORM_PASS;
}

/* ---- a descriptor that changes --------------------------------------------------------------- */

/*
 * Two packets, or one with both: the length of the first changes while the host looks. Whichever
 * it takes, it takes once: what follows is where it says.
 */
static enum conform_verdict loaded_once(struct conform_target *t)
{
	struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .flags = WANTED, .payload_bytes = 16};
	struct packet_view view;
	OPENED(echo, 2);
	for (uint32_t i = 0; i < 300; i++) {
		/* Not across the end, where the descriptor is not at `next`. */
		uint16_t *length8 = (void *)(channel->out.next +
					     offsetof(struct packet_descriptor_wire, length8));
		const bool is_split = (uint32_t)(channel->out.next - channel->out.data) > 8192 - 80;
		header.transaction_id = 2 * i;
		TRY(ring_send(&channel->out, &header, NULL, "first, 16 bytes.") == RING_OK);
		header.transaction_id = 2 * i + 1;
		TRY(ring_send(&channel->out, &header, NULL, "second 16 bytes.") == RING_OK);
		(void)ring_flush(&channel->out);
		(void)conform_channel_signal(t, channel);
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		enum ring_status status;
		for (uint32_t n = 0; (status = ring_peek(&channel->in, &view)) == RING_EMPTY; n++) {
			if (!is_split)
				__atomic_store_n(length8, n % 2 ? 4 : 9, __ATOMIC_RELAXED);
			EXPECT(n % 256 || conform_now(t) < deadline, "no answer came within 3 s");
		}
		EXPECT(status == RING_OK, "round %u: the host's ring: %s", i,
			ring_status_name(status));
		EXPECT(view.transaction_id == 2 * i &&
				(view.payload_bytes == 16 || view.payload_bytes == 56),
			"round %u: answer 0x%llx with %u bytes came first", i,
			(unsigned long long)view.transaction_id, view.payload_bytes);
		const bool is_one = view.payload_bytes == 56;
		conform_channel_done(t, channel, &view);
		if (!is_one)
			TRY(conform_comes(t, channel, PACKET_TYPE_COMPLETION, 2 * i + 1,
				(const uint8_t *)"second 16 bytes.", 16));
	}
	return CONFORM_PASS;
}

#define ROW(rule, name, run)                                                                       \
	{                                                                                          \
		rule, name, run, CONFORM_BUS, 0, 0                                                 \
	}
const struct conform_test conform_echo_tests[] = {
	ROW("R-TDEV-004", "payloads of each size come back", every_size),
	ROW("R-PKT-002", "the transaction id comes back, all 64 bits", ids),
	ROW("R-PKT-006", "bad page lists are rejected", bad_pages),
	ROW("R-PKT-007", "the bytes of page lists, in their order", page_lists),
	ROW("R-PKT-009", "reserved words of page lists are ignored", reserved),
	ROW("R-PKT-012", "an empty payload is taken", empty),
	ROW("R-PKT-014", "requests that are not completed are bounded", bounded),
	ROW("R-PKT-015", "another number of ranges is rejected", bad_pieces),
	ROW("R-PKT-015", "the right number of ranges is not", pieces),
	ROW("R-RING-002", "the largest packet passes, both ways", largest),
	ROW("R-RING-003", "bytes are exact at every offset", every_offset),
	ROW("R-RING-025", "a descriptor that changes is loaded once", loaded_once),
};
#undef ROW
const size_t conform_echo_test_count = sizeof conform_echo_tests / sizeof conform_echo_tests[0];
