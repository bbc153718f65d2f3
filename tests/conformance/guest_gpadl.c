// SPDX-License-Identifier: Apache-2.0
/* Pages lent to a host: vmbus.md, sections 7 and 15; and unload, section 11. */
#include "tests/conformance/guest_areas.h"

#include <string.h>

static struct vmbus_gpadl *lend(struct conform_target *t, uint32_t pages)
{
	static struct vmbus_gpadl gpadls[16];
	static unsigned next;
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = &gpadls[next++ % 16];

	memset(gpadl, 0, sizeof *gpadl);
	if (winhv_pages_alloc(&h->hv, (size_t)pages * 4096, &gpadl->pages) != 0) {
		conform_note(t, "there are no %u pages", pages);
		return NULL;
	}
	return gpadl;
}

static int create(struct scripted_host *h, struct vmbus_gpadl *gpadl)
{
	return vmbus_gpadl_create(h->bus, 1, &gpadl->pages, gpadl, guest_deadline(h));
}

static int teardown(struct scripted_host *h, struct vmbus_gpadl *gpadl)
{
	return vmbus_gpadl_teardown(h->bus, gpadl, guest_deadline(h));
}

/* ---- messages ------------------------------------------------------------------------------- */

/* Every split: the words of each message, and all of them. */
static enum conform_verdict splits(struct conform_target *t)
{
	static const uint32_t counts[] = {1, 2, 26, 27, 28, 53, 54, 55, 82, 83, 500};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct vmbus_gpadl *gpadl = lend(t, counts[i]);
		TRY(gpadl != NULL);
		h->script.post_count = 0;
		EXPECT(create(h, gpadl) == 0, "%u pages: it fails", counts[i]);
		const struct scripted_post *header = &h->script.posts[0];
		EXPECT(get16(header->payload + 16) == (counts[i] + 1) * 8 &&
				get16(header->payload + 18) == 1,
			"%u pages: %u bytes in %u ranges are announced", counts[i],
			get16(header->payload + 16), get16(header->payload + 18));
		EXPECT(get64(header->payload + 20) == (uint64_t)counts[i] * 4096,
			"%u pages: the range is 0x%llx", counts[i],
			(unsigned long long)get64(header->payload + 20));
		EXPECT(header->bytes <= 20 + 27 * 8, "%u pages: the header has %u bytes", counts[i],
			header->bytes);
		uint64_t pfn = gpadl->pages.gpa / 4096, words = 0;
		for (unsigned n = 0; n < h->script.post_count; n++) {
			const struct scripted_post *post = &h->script.posts[n];
			EXPECT(n == 0 || (get32(post->payload) == 9 &&
						 get32(post->payload + 12) == gpadl->id),
				"message %u is no GPADL_BODY of it", n);
			for (uint32_t at = n == 0 ? 28 : 16; at < post->bytes; at += 8, words++)
				EXPECT(get64(post->payload + at) == pfn++,
					"%u pages: a page number is wrong", counts[i]);
		}
		EXPECT(words == counts[i], "%u pages: %u numbers are sent", counts[i],
			(unsigned)words);
		EXPECT(teardown(h, gpadl) == 0, "teardown fails");
		winhv_pages_free(&h->hv, &gpadl->pages);
	}
	return CONFORM_PASS;
}

static enum conform_verdict unique_ids(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	/* as after four thousand million of them, and just before one that is alive */
	const uint32_t starts[] = {0xfffffffe, h->guest[1].gpadl_id - 2};
	struct vmbus_gpadl *gpadls[8];

	for (unsigned i = 0; i < 8; i++) {
		if (i % 4 == 0)
			h->bus->client.gpadl_id_next = starts[i / 4];
		gpadls[i] = lend(t, 1);
		TRY(gpadls[i] != NULL);
		EXPECT(create(h, gpadls[i]) == 0, "it fails");
		EXPECT(gpadls[i]->id != 0, "id 0");
		EXPECT(gpadls[i]->id != h->guest[1].gpadl_id, "the id of the rings");
		for (unsigned k = 0; k < i; k++)
			EXPECT(gpadls[k]->id != gpadls[i]->id, "id 0x%x twice", gpadls[i]->id);
	}
	for (unsigned i = 0; i < 8; i++) {
		EXPECT(teardown(h, gpadls[i]) == 0, "teardown fails");
		winhv_pages_free(&h->hv, &gpadls[i]->pages);
	}
	return CONFORM_PASS;
}

/* ---- answers -------------------------------------------------------------------------------- */

static enum conform_verdict refused(struct conform_target *t)
{
	static const uint32_t statuses[] = {1, 0xc0000001, 0x80000000, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 4; i++) {
		struct vmbus_gpadl *gpadl = lend(t, 1);
		TRY(gpadl != NULL);
		h->status[8] = statuses[i];
		const int error = create(h, gpadl);
		EXPECT(error == -VIRIDIAN_EIO, "status 0x%x: it ends with %d", statuses[i], error);
		EXPECT(!vmbus_gpadl_is_lent(gpadl), "the pages stay lent");
		winhv_pages_free(&h->hv, &gpadl->pages);
		const int open_error = guest_open(h, 2);
		EXPECT(open_error == -VIRIDIAN_EIO, "opening ends with %d", open_error);
	}
	EXPECT(get32(host_last(h, 5)->payload + 8) != 2, "OPEN follows a refused GPADL");
	EXPECT(host_posts(h, 11) == 0, "what was refused is torn down");
	h->status[8] = 0;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict never_created(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = lend(t, 3);
	const uint64_t start = h->script.now_100ns;

	TRY(gpadl != NULL);
	h->is_silent[8] = true;
	const int error = create(h, gpadl);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "it ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 11 * SECOND, "it takes %u ms",
		(unsigned)((h->script.now_100ns - start) / 10000));
	EXPECT(vmbus_gpadl_is_lent(gpadl), "the pages are taken for free");
	EXPECT(host_posts(h, 11) == 0, "it is torn down before GPADL_CREATED");
	h->is_silent[8] = false;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict never_torn_down(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = lend(t, 3);
	const uint64_t start = h->script.now_100ns;

	TRY(gpadl != NULL);
	EXPECT(create(h, gpadl) == 0, "it fails");
	h->is_silent[11] = true;
	const int error = teardown(h, gpadl);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "it ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 11 * SECOND, "it takes too long");
	EXPECT(vmbus_gpadl_is_lent(gpadl), "the pages are taken for free");
	EXPECT(teardown(h, gpadl) < 0 && host_posts(h, 11) == 1, "it is torn down twice");
	h->is_silent[11] = false;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* Answers for ids and relids that are not those of a request. */
static bool wrong_answers(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	if (get32(m) == 8) {
		const uint32_t id = get32(m + 12);
		(void)bytes;
		host_say_words(h, 10, 3, 2, id, 0);	     /* of another channel */
		host_say_words(h, 10, 3, 0xffffffff, id, 0); /* of none */
		host_say_words(h, 10, 3, 1, id + 1, 0);	     /* not asked for yet */
		host_say_words(h, 10, 3, 1, 0, 0);
		host_say_words(h, 12, 1, id, 0, 0); /* not torn down */
		return h->turn++ == 0;
	}
	if (get32(m) == 11) {
		const uint32_t id = get32(m + 12);
		host_say_words(h, 12, 1, id + 1, 0, 0);
		host_say_words(h, 12, 1, 0, 0, 0);
		host_say_words(h, 10, 3, 1, id, 0); /* created again */
		host_say_words(h, 10, 3, 1, id, 1);
		return true;
	}
	return false;
}

static enum conform_verdict unmatched_answers(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = lend(t, 1);

	TRY(gpadl != NULL);
	h->on_message = wrong_answers;
	int error = create(h, gpadl);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "a wrong GPADL_CREATED is taken: %d", error);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNKNOWN_GPADL) == 4 &&
			guest_refused(h, VMBUS_REJECTION_GPADL_STATE) == 1,
		"of 5 wrong answers %u + %u are dropped",
		(unsigned)guest_refused(h, VMBUS_REJECTION_UNKNOWN_GPADL),
		(unsigned)guest_refused(h, VMBUS_REJECTION_GPADL_STATE));
	struct vmbus_gpadl *second = lend(t, 1);
	TRY(second != NULL);
	EXPECT(create(h, second) == 0, "the right one behind wrong ones is not taken");
	error = teardown(h, second);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "a wrong GPADL_TORNDOWN is taken: %d", error);
	EXPECT(vmbus_gpadl_is_lent(second), "the pages are taken for free");
	h->on_message = NULL;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* Everything twice: the second answer is of no request. */
static bool twice(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	if (get32(m) != 8 && get32(m) != 11)
		return false;
	host_answer(h, m, bytes);
	host_answer(h, m, bytes);
	return true;
}

static enum conform_verdict answered_twice(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = lend(t, 1);

	TRY(gpadl != NULL);
	h->on_message = twice;
	EXPECT(create(h, gpadl) == 0, "it fails");
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_GPADL_STATE) == 1, "a second CREATED is taken");
	EXPECT(teardown(h, gpadl) == 0, "teardown fails");
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNKNOWN_GPADL) == 1, "a second TORNDOWN is taken");
	winhv_pages_free(&h->hv, &gpadl->pages);
	h->on_message = NULL;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* The list is accepted before all of it has been sent. */
static bool accept_early(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 8)
		return get32(m) == 9;
	h->turn = get32(m + 12);
	host_say_words(h, 10, 3, 1, h->turn, 0);
	platform_scripted_post_status(&h->script, 0x13, 3);
	return true;
}

static enum conform_verdict accepted_early(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = lend(t, 60);

	TRY(gpadl != NULL);
	h->on_message = accept_early;
	const int error = create(h, gpadl);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "it is taken: %d", error);
	EXPECT(guest_refused(h, VMBUS_REJECTION_GPADL_STATE) == 1, "it is not refused");
	h->on_message = NULL;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict body_not_posted(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = lend(t, 60);

	TRY(gpadl != NULL);
	h->pending_words = 0;
	platform_scripted_post_status(&h->script, 0, 1); /* GPADL_HEADER */
	platform_scripted_post_status(&h->script, 5, 1); /* GPADL_BODY: refused for good */
	const int error = create(h, gpadl);
	EXPECT(error == -VIRIDIAN_EIO, "it ends with %d", error);
	EXPECT(vmbus_gpadl_is_lent(gpadl), "the pages are taken for free");
	struct vmbus_gpadl *second = lend(t, 1);
	TRY(second != NULL);
	EXPECT(create(h, second) == 0, "the next one fails");
	platform_scripted_post_status(&h->script, 5, 1); /* GPADL_TEARDOWN */
	EXPECT(teardown(h, second) == -VIRIDIAN_EIO, "teardown does not fail");
	EXPECT(vmbus_gpadl_is_lent(second), "the pages are taken for free");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* The host says TORNDOWN of the rings of a channel that is open. */
static enum conform_verdict rings_torn_down(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	host_say_words(h, 12, 1, h->guest[1].gpadl_id, 0, 0);
	host_say_words(h, 10, 3, 1, h->guest[1].gpadl_id, 1);
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_GPADL_STATE) == 2, "it is not dropped");
	const uint64_t word = 5;
	EXPECT(host_send(h, 1, PACKET_TYPE_INBAND, 0, 1, &word, 8), "the ring is full");
	guest_serve(h);
	EXPECT(h->ready[1] > 0, "the channel is dead");
	return CONFORM_PASS;
}

/* ---- unload --------------------------------------------------------------------------------- */

static enum conform_verdict unload_unasked(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 50; i++)
		host_say_words(h, 17, 0, 0, 0, 0);
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE) == 50, "of 50 %u are dropped",
		(unsigned)guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE));
	EXPECT(h->bus->client.statistics.pages_lent > 0, "the rings are taken back");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict unload_returns_all(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl *gpadl = lend(t, 30);

	TRY(gpadl != NULL);
	EXPECT(create(h, gpadl) == 0, "it fails");
	TRY(guest_opens(t, 2));
	EXPECT(vmbus_unload(h->bus, guest_deadline(h)) == 0, "unloading fails");
	EXPECT(!vmbus_gpadl_is_lent(gpadl), "a GPADL is left");
	EXPECT(h->gone == h->offered, "of %u offers %u are ended", h->offered, h->gone);
	EXPECT(get32(platform_scripted_post(&h->script, 0)->payload) == 16,
		"message %u comes behind UNLOAD",
		get32(platform_scripted_post(&h->script, 0)->payload));
	winhv_pages_free(&h->hv, &gpadl->pages);
	return CONFORM_PASS;
}

static enum conform_verdict unload_unanswered(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t start = h->script.now_100ns;
	const unsigned pages = h->script.pages_used;

	h->is_silent[16] = true;
	h->is_silent[11] = true;
	const int error = vmbus_unload(h->bus, guest_deadline(h));
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "it ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 12 * SECOND, "it takes %u ms",
		(unsigned)((h->script.now_100ns - start) / 10000));
	EXPECT(h->script.pages_used >= pages - 4, "the rings are free: %u pages, %u before",
		h->script.pages_used, pages);
	EXPECT(h->bus->client.statistics.pages_abandoned == 4, "%u pages are called lost",
		(unsigned)h->bus->client.statistics.pages_abandoned);
	h->is_silent[16] = false;
	h->is_silent[11] = false;
	TRY(guest_connect(t, 0x60000));
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* Everything that a host can say, between UNLOAD and its answer. */
static bool chatter(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 16)
		return false;
	host_offer(h, 4);
	host_rescind(h, 1);
	host_say_words(h, 4, 0, 0, 0, 0);
	host_say_words(h, 6, 3, 1, 1, 0);
	host_say_words(h, 10, 3, 1, h->guest[1].gpadl_id, 0);
	host_say_words(h, 12, 1, h->guest[1].gpadl_id, 0, 0);
	host_version(h, 20, 1, 0, 4, 0);
	host_say_words(h, 24, 2, 1, 0, 0);
	return false;
}

static enum conform_verdict chatter_in_unload(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->on_message = chatter;
	const int error = vmbus_unload(h->bus, guest_deadline(h));
	EXPECT(error == 0, "unloading ends with %d", error);
	EXPECT(h->offered == 3 && h->gone == 3, "%u offers came, %u went", h->offered, h->gone);
	EXPECT(get32(platform_scripted_post(&h->script, 0)->payload) == 16,
		"message %u comes behind UNLOAD",
		get32(platform_scripted_post(&h->script, 0)->payload));
	h->on_message = NULL;
	TRY(guest_connect(t, 0x60000));
	return CONFORM_PASS;
}

const struct conform_test guest_gpadl_tests[] = {
	{"R-GPADL-002", "a list is split over messages of the right size", splits, GUEST_CONNECTED,
		0, 0},
	{"R-GPADL-030", "ids are unique and never 0", unique_ids, GUEST_CHANNEL, 0, 0},
	{"R-GPADL-027", "a refused list is not used", refused, GUEST_CHANNEL, 0, 0},
	{"R-GPADL-028", "without GPADL_CREATED it ends, and is not torn down", never_created,
		GUEST_CONNECTED, 0, 0},
	{"R-GPADL-026", "without GPADL_TORNDOWN the pages are lost", never_torn_down,
		GUEST_CONNECTED, 0, 0},
	{"R-GPADL-031", "answers of other ids, relids and states are dropped", unmatched_answers,
		GUEST_CONNECTED, 0, 0},
	{"R-GPADL-031", "second answers are dropped", answered_twice, GUEST_CONNECTED, 0, 0},
	{"R-GPADL-031", "acceptance before the end of the list is dropped", accepted_early,
		GUEST_CONNECTED, 0, 0},
	{"R-GPADL-029", "what cannot be posted costs its pages", body_not_posted, GUEST_CONNECTED,
		0, 0},
	{"R-GPADL-031", "the rings of an open channel are not taken back unasked", rings_torn_down,
		GUEST_CHANNEL, 0, 0},
};
const size_t guest_gpadl_test_count = sizeof guest_gpadl_tests / sizeof guest_gpadl_tests[0];

const struct conform_test guest_unload_tests[] = {
	{"R-UNL-012", "UNLOAD_COMPLETE without UNLOAD is dropped", unload_unasked, GUEST_CHANNEL, 0,
		0},
	{"R-UNL-010", "UNLOAD_COMPLETE gives all pages back", unload_returns_all, GUEST_CHANNEL, 0,
		0},
	{"R-UNL-010", "without UNLOAD_COMPLETE lent pages are lost", unload_unanswered,
		GUEST_CHANNEL, 0, 0},
	{"R-UNL-010", "messages during the unload change nothing", chatter_in_unload, GUEST_CHANNEL,
		0, 0},
};
const size_t guest_unload_test_count = sizeof guest_unload_tests / sizeof guest_unload_tests[0];
