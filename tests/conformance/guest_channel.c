// SPDX-License-Identifier: Apache-2.0
/* Channels, as a guest opens, moves and closes them: vmbus.md, sections 8 to 10 and 12. */
#include "tests/conformance/guest_areas.h"

#include "protocol/hypervisor.h"

#include <string.h>

static int close_of(struct scripted_host *h, uint32_t relid)
{
	return vmbus_channel_close(h->bus, &h->guest[relid], guest_deadline(h));
}

/* ---- open ----------------------------------------------------------------------------------- */

/* What the host sees at OPEN. */
static void look_at_rings(struct scripted_host *h, uint32_t relid)
{
	for (unsigned ring = 0; ring < 2; ring++)
		for (unsigned word = 0; word < 1024; word++) {
			const uint32_t value = *host_word(h, relid, ring, word);
			const bool is_own = ring == 0 && word == RING_WORD_FEATURES;
			h->turn += is_own ? value != 1 : value != 0;
		}
}

/* The host's ring_open() sets its feature word after on_open: see answer_open(). */
static bool look_before(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	if (get32(m) != 5)
		return false;
	const struct scripted_gpadl *gpadl = &h->gpadls[h->gpadl_count - 1];
	struct scripted_channel *channel = &h->channels[get32(m + 8)];
	(void)bytes;
	channel->out_bytes = get32(m + 24) * 4096;
	channel->rings = platform_scripted_at(
		&h->script, gpadl->first_pfn * 4096, (uint64_t)gpadl->pages * 4096);
	look_at_rings(h, get32(m + 8));
	return false;
}

static enum conform_verdict rings_are_clear(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->on_message = look_before;
	for (unsigned i = 0; i < 3; i++) {
		h->is_copying = i == 1;
		TRY(guest_opens(t, 2));
		EXPECT(h->turn == 0, "%u words of the control pages are wrong at OPEN", h->turn);
		memset(h->channels[2].rings, 0xaa, 4 * 4096); /* and the next time? */
		(void)close_of(h, 2);
	}
	return CONFORM_PASS;
}

static enum conform_verdict open_fields(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_open_config config = {
		.ring_out_bytes = 8192, .ring_in_bytes = 3 * 4096, .target_vp = 1};

	memset(config.user_data, 0x77, sizeof config.user_data);
	EXPECT(vmbus_channel_open(h->bus, 2, &h->guest[2], &config, guest_deadline(h)) == 0,
		"it does not open");
	const struct scripted_post *post = host_last(h, 5);
	EXPECT(post->bytes == 148, "OPEN has %u bytes", post->bytes);
	EXPECT(get32(post->payload + 16) == h->guest[2].gpadl_id, "another GPADL is named");
	EXPECT(get32(post->payload + 20) == 1, "VP %u is named", get32(post->payload + 20));
	EXPECT(get32(post->payload + 24) == 2, "the second ring is at page %u",
		get32(post->payload + 24));
	for (unsigned i = 0; i < 120; i++)
		EXPECT(post->payload[28 + i] == 0x77, "byte %u of the user's data is wrong", i);
	EXPECT(h->hv.synic_enabled & 2, "the SynIC of VP 1 is off");
	return CONFORM_PASS;
}

static void write_early(struct scripted_host *h, uint32_t relid)
{
	const uint64_t word = 0x1122334455667788;

	(void)host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, &word, 8);
	host_event(h, relid);
}

static enum conform_verdict data_before_result(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct packet_view view;

	h->on_open = write_early;
	TRY(guest_opens(t, 2));
	(void)vmbus_poll(h->bus, 0);
	EXPECT(h->ready[2] > 0, "the channel is not told of data that came before the result");
	EXPECT(ring_peek(&h->guest[2].in, &view) == RING_OK && view.transaction_id == 9,
		"the packet is lost");
	return CONFORM_PASS;
}

static enum conform_verdict refused(struct conform_target *t)
{
	static const uint32_t statuses[] = {1, 0xc0000001, 0x80000000, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 4; i++) {
		h->status[5] = statuses[i];
		const int error = guest_open(h, 2);
		EXPECT(error == -VIRIDIAN_EIO, "status 0x%x: opening ends with %d", statuses[i],
			error);
		EXPECT(h->gpadls[h->gpadl_count - 1].was_torn_down,
			"status 0x%x: the rings are not torn down", statuses[i]);
		EXPECT(host_posts(h, 7) == 0, "what did not open is closed");
	}
	h->status[5] = 0;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* Results of other relids and ids come first. */
static bool wrong_results(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	const uint32_t relid = get32(m + 8), id = get32(m + 12);

	(void)bytes;
	if (get32(m) != 5)
		return false;
	host_say_words(h, 6, 3, relid + 1, id, 0);
	host_say_words(h, 6, 3, relid, id + 1, 0);
	host_say_words(h, 6, 3, relid, ~id, 1);
	host_say_words(h, 6, 3, 0, id, 0);
	host_say_words(h, 6, 3, 2048, id, 0);
	host_say_words(h, 6, 3, 0xffffffff, id, 1);
	return h->turn != 0;
}

static enum conform_verdict unmatched_results(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->on_message = wrong_results;
	TRY(guest_opens(t, 2));
	EXPECT(h->bus->client.statistics.messages_rejected == 6, "of 6 wrong results %u dropped",
		(unsigned)h->bus->client.statistics.messages_rejected);
	h->turn = 1; /* no right one behind them */
	const int error = guest_open(h, 3);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "a wrong result is taken: %d", error);
	return CONFORM_PASS;
}

static enum conform_verdict never_opened(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t start = h->script.now_100ns;

	h->is_silent[5] = true;
	const int error = guest_open(h, 2);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "opening ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 12 * SECOND, "it takes %u ms",
		(unsigned)((h->script.now_100ns - start) / 10000));
	h->is_silent[5] = false;
	TRY(guest_goes_on(t, 3));
	/* the result comes after all: the channel is closed, nobody uses it */
	host_say_words(h, 6, 3, 2, h->channels[2].open_id, 0);
	guest_serve(h);
	EXPECT(host_posts(h, 7) == 2, "what opened late is not closed: %u CLOSE_CHANNEL",
		host_posts(h, 7));
	return CONFORM_PASS;
}

static enum conform_verdict result_again(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 10; i++)
		host_say_words(h, 6, 3, 1, h->channels[1].open_id, i % 2);
	guest_serve(h);
	EXPECT(h->bus->client.statistics.messages_rejected == 10, "of 10 results %u are dropped",
		(unsigned)h->bus->client.statistics.messages_rejected);
	const uint64_t word = 5;
	EXPECT(host_send(h, 1, PACKET_TYPE_INBAND, 0, 1, &word, 8), "the ring is full");
	h->ready[1] = 0;
	guest_serve(h);
	EXPECT(h->ready[1] > 0, "the channel is dead");
	return CONFORM_PASS;
}

static enum conform_verdict again_and_again(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const unsigned pages = h->script.pages_used;

	for (unsigned i = 0; i < 300; i++)
		TRY(guest_goes_on(t, 2));
	EXPECT(h->script.pages_used == pages, "%u pages are lost", h->script.pages_used - pages);
	EXPECT(h->bus->client.statistics.pages_lent == 0, "pages stay lent");
	return CONFORM_PASS;
}

/* ---- close ---------------------------------------------------------------------------------- */

static enum conform_verdict close_in_order(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->script.post_count = 0;
	EXPECT(close_of(h, 1) == 0, "closing fails");
	EXPECT(host_first(h, 7) == 0 && host_first(h, 11) == 1, "CLOSE is post %u, TEARDOWN %u",
		host_first(h, 7), host_first(h, 11));
	return CONFORM_PASS;
}

static enum conform_verdict subchannels_first(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->subchannel[4] = 1;
	h->subchannel[5] = 2;
	host_offer(h, 4);
	host_offer(h, 5);
	guest_serve(h);
	TRY(guest_opens(t, 4));
	TRY(guest_opens(t, 5));
	h->script.post_count = 0;
	for (unsigned way = 0; way < 2; way++) {
		const int error = way == 0 ? close_of(h, 1)
					   : vmbus_unload(h->bus, guest_deadline(h));
		EXPECT(error == 0, "it fails: %d", error);
		EXPECT(host_posts(h, 7) == 3, "%u channels are closed", host_posts(h, 7));
		EXPECT(get32(host_last(h, 7)->payload + 8) == 1, "relid %u is closed last",
			get32(host_last(h, 7)->payload + 8));
		if (way == 1)
			break;
		TRY(guest_opens(t, 4));
		TRY(guest_opens(t, 1));
		TRY(guest_opens(t, 5));
		h->script.post_count = 0;
	}
	return CONFORM_PASS;
}

static enum conform_verdict close_without_answer(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t start = h->script.now_100ns;
	const unsigned pages = h->script.pages_used;

	h->is_silent[11] = true;
	const int error = close_of(h, 1);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "closing ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 11 * SECOND, "it takes too long");
	EXPECT(h->script.pages_used == pages, "pages that are lent are free");
	/* the host writes into them yet */
	memset(h->channels[1].rings, 0xaa, 4 * 4096);
	h->is_silent[11] = false;
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict close_not_posted(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const unsigned pages = h->script.pages_used;

	platform_scripted_post_status(&h->script, 5, 1);
	const int error = close_of(h, 1);
	EXPECT(error < 0, "closing succeeds");
	EXPECT(h->script.pages_used == pages, "pages that are lent are free");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* ---- modify --------------------------------------------------------------------------------- */

static enum conform_verdict moves(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	EXPECT(vmbus_channel_retarget(h->bus, &h->guest[1], 1, guest_deadline(h)) == 0,
		"moving fails");
	EXPECT(get32(host_last(h, 22)->payload + 12) == 1, "VP %u is named",
		get32(host_last(h, 22)->payload + 12));
	guest_serve(h);
	h->ready[1] = 0;
	EXPECT(platform_scripted_event(&h->script, 1, VMBUS_SINT, 1) == 0,
		"VP 1 takes no events after the move");
	guest_serve(h);
	EXPECT(h->ready[1] > 0, "an event of VP 1 is not served");
	h->status[22] = 0xc0000001;
	const int error = vmbus_channel_retarget(h->bus, &h->guest[1], 0, guest_deadline(h));
	EXPECT(error == -VIRIDIAN_EIO, "a refused move ends with %d", error);
	return CONFORM_PASS;
}

static enum conform_verdict one_modify(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->is_silent[22] = true;
	int error = vmbus_channel_retarget(h->bus, &h->guest[1], 1, guest_deadline(h));
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "without an answer it ends with %d", error);
	error = vmbus_channel_retarget(h->bus, &h->guest[1], 1, guest_deadline(h));
	EXPECT(error == -VIRIDIAN_EBUSY, "a second one while the first is due: %d", error);
	EXPECT(host_posts(h, 22) == 1, "%u are posted", host_posts(h, 22));
	host_say_words(h, 24, 2, 1, 0, 0); /* late */
	guest_serve(h);
	h->is_silent[22] = false;
	EXPECT(vmbus_channel_retarget(h->bus, &h->guest[1], 1, guest_deadline(h)) == 0,
		"after the late answer it cannot move");
	return CONFORM_PASS;
}

static enum conform_verdict unasked_modify_responses(struct conform_target *t)
{
	static const uint32_t relids[] = {0, 1, 2, 7, 2047, 2048, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 7; i++)
		host_say_words(h, 24, 2, relids[i], 0, 0);
	guest_serve(h);
	EXPECT(h->bus->client.statistics.messages_rejected == 7, "of 7 responses %u are dropped",
		(unsigned)h->bus->client.statistics.messages_rejected);
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* ---- rescind while the guest waits ---------------------------------------------------------- */

/* RESCIND in place of the answer to message `turn`. */
static bool rescind_instead(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != h->turn)
		return false;
	host_rescind(h, get32(m + 8));
	h->turn = 0;
	return true;
}

static enum conform_verdict rescind_in_wait(struct conform_target *t, uint32_t type)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t start = h->script.now_100ns;
	int error;

	h->on_message = rescind_instead;
	h->turn = type;
	if (type == 22)
		error = vmbus_channel_retarget(h->bus, &h->guest[1], 1, start + 1000 * SECOND);
	else if (type == 11)
		error = vmbus_channel_close(h->bus, &h->guest[1], start + 1000 * SECOND);
	else
		error = vmbus_channel_open(h->bus, 2, &h->guest[2],
			&(struct vmbus_open_config){.ring_out_bytes = 8192, .ring_in_bytes = 8192},
			start + 1000 * SECOND);
	const uint64_t took = h->script.now_100ns - start;
	EXPECT(error == -VIRIDIAN_ENODEV || error == -VIRIDIAN_ETIMEDOUT, "the wait ends with %d",
		error);
	EXPECT(took <= 3 * SECOND, "it takes %u ms", (unsigned)(took / 10000));
	if (type == 22)
		(void)close_of(h, 1);
	guest_serve(h);
	EXPECT(host_posts(h, 13) <= 1, "the relid is released %u times", host_posts(h, 13));
	if (type != 11 && type != 8)
		EXPECT(host_posts(h, 13) == 1, "the relid is not released");
	TRY(guest_goes_on(t, 3));
	return CONFORM_PASS;
}

static enum conform_verdict rescind_for_open(struct conform_target *t)
{
	return rescind_in_wait(t, 5);
}

static enum conform_verdict rescind_for_gpadl(struct conform_target *t)
{
	return rescind_in_wait(t, 8);
}

static enum conform_verdict rescind_for_teardown(struct conform_target *t)
{
	return rescind_in_wait(t, 11);
}

static enum conform_verdict rescind_for_modify(struct conform_target *t)
{
	return rescind_in_wait(t, 22);
}

/* The result, and in the same turn the rescind. */
static bool open_and_rescind(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	if (get32(m) != 5)
		return false;
	host_answer(h, m, bytes);
	host_rescind(h, get32(m + 8));
	return true;
}

static enum conform_verdict opened_and_rescinded(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->on_message = open_and_rescind;
	const int error = guest_open(h, 2);
	EXPECT(error == -VIRIDIAN_ENODEV, "opening ends with %d", error);
	guest_serve(h);
	EXPECT(host_posts(h, 13) == 1, "%u releases", host_posts(h, 13));
	h->on_message = NULL;
	TRY(guest_goes_on(t, 3));
	return CONFORM_PASS;
}

/* The host tears the rings down, unmaps nothing, and writes into them. */
static enum conform_verdict rings_after_rescind(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_channel *channel = &h->guest[1];
	struct packet_view view;

	host_rescind(h, 1);
	guest_serve(h);
	memset(h->channels[1].rings, 0xff, 4 * 4096);
	host_event(h, 1);
	guest_serve(h);
	(void)ring_peek(&channel->in, &view); /* mapped until the close */
	vmbus_channel_flush(channel);
	const uint64_t signals = h->script.signal_count;
	vmbus_channel_signal(channel);
	EXPECT(h->script.signal_count == signals, "a rescinded channel is signalled");
	EXPECT(close_of(h, 1) == 0, "closing fails");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* ---- signals -------------------------------------------------------------------------------- */

static enum conform_verdict signals_by_id(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->script.signal_count = 0;
	vmbus_channel_signal(&h->guest[1]);
	EXPECT(h->script.signal_count == 1, "%u signals", (unsigned)h->script.signal_count);
	EXPECT(h->script.signals[0].connection_id == (0x2000 | 1), "to connection 0x%x",
		h->script.signals[0].connection_id);
	EXPECT(h->script.signals[0].flag_number == 0, "with flag %u",
		h->script.signals[0].flag_number);
	return CONFORM_PASS;
}

static enum conform_verdict signals_by_monitor(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_config config = {.wants_monitor_pages = true};
	static const uint8_t ids[] = {0, 31, 32, 127};

	for (unsigned i = 0; i < 4; i++)
		h->monitor_id[1 + i] = ids[i];
	h->offers = 4;
	TRY(guest_bus(t, &config));
	EXPECT(vmbus_connect(h->bus, guest_deadline(h)) == 0, "connecting fails");
	uint8_t *page = platform_scripted_at(&h->script, h->monitor_page, 4096);
	for (unsigned i = 0; i < 4; i++) {
		TRY(guest_opens(t, 1 + i));
		h->script.signal_count = 0;
		memset(page, 0, 4096);
		vmbus_channel_signal(&h->guest[1 + i]);
		EXPECT(h->script.signal_count == 0, "the hypercall is used as well");
		/* trigger group of 8 bytes from offset 8: pending first */
		EXPECT(get32(page + 8 + ids[i] / 32 * 8) == 1u << ids[i] % 32,
			"monitor id %u: the pending word is 0x%x", ids[i],
			get32(page + 8 + ids[i] / 32 * 8));
		/* and those of other channels stay */
		put32(page + 8 + ids[i] / 32 * 8, 0x00010080);
		vmbus_channel_signal(&h->guest[1 + i]);
		EXPECT(get32(page + 8 + ids[i] / 32 * 8) == (0x00010080 | 1u << ids[i] % 32),
			"monitor id %u: the pending word, of others, has become 0x%x", ids[i],
			get32(page + 8 + ids[i] / 32 * 8));
	}
	return CONFORM_PASS;
}

/* An id without the bit that says that it is one. */
static enum conform_verdict signals_without_monitor(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_config config = {.wants_monitor_pages = true};
	uint8_t offer[196];

	h->offers = 1;
	TRY(guest_bus(t, &config));
	EXPECT(vmbus_connect(h->bus, guest_deadline(h)) == 0, "connecting fails");
	h->monitor_id[2] = 5;
	host_offer_bytes(h, 2, offer);
	offer[offsetof(struct vmbus_offer_channel_wire, monitor_flags)] = 0;
	host_say(h, offer, sizeof offer);
	guest_serve(h);
	TRY(guest_opens(t, 2));
	const uint8_t *page = platform_scripted_at(&h->script, h->monitor_page, 4096);
	h->script.signal_count = 0;
	vmbus_channel_signal(&h->guest[2]);
	EXPECT(h->script.signal_count == 1, "%u signals", (unsigned)h->script.signal_count);
	EXPECT(get32(page + 8) == 0, "the pending word is 0x%x", get32(page + 8));
	return CONFORM_PASS;
}

/* Below 2.4 events go by the interrupt page and flag 0. */
static enum conform_verdict interrupt_page(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	TRY(guest_connect(t, 0x10001));
	h->is_shared[1] = true;
	TRY(guest_opens(t, 1));
	TRY(guest_opens(t, 2));
	guest_serve(h);
	memset(h->ready, 0, sizeof h->ready);
	EXPECT(h->interrupt_page != 0, "no interrupt page is named");
	uint8_t *page = platform_scripted_at(&h->script, h->interrupt_page, 4096);
	page[0] = 1 << 2;
	(void)platform_scripted_event(&h->script, 0, VMBUS_SINT, 0);
	guest_serve(h);
	EXPECT(h->ready[2] > 0 && h->ready[1] == 0, "relids 1 and 2 are served %u and %u times",
		h->ready[1], h->ready[2]);
	memset(page, 0xff, 4096); /* every relid, and what is none */
	(void)platform_scripted_event(&h->script, 0, VMBUS_SINT, 0);
	guest_serve(h);
	EXPECT(h->ready[1] > 0, "relid 1 is not served");
	return CONFORM_PASS;
}

const struct conform_test guest_channel_tests[] = {
	{"R-OPEN-024", "both control pages are clear at OPEN", rings_are_clear, GUEST_CONNECTED, 0,
		0},
	{"R-OPEN-024", "OPEN names the rings as they are", open_fields, GUEST_CONNECTED, 0, 0},
	{"R-OPEN-017", "an event and data may come before the result", data_before_result,
		GUEST_CONNECTED, 0, 0},
	{"R-OPEN-023", "any other status is a failure, and the rings are torn down", refused,
		GUEST_CONNECTED, 0, 0},
	{"R-OPEN-022", "results of other relids and ids are dropped", unmatched_results,
		GUEST_CONNECTED, 0, 0},
	{"R-OPEN-022", "without a result it ends, and a late one is closed", never_opened,
		GUEST_CONNECTED, 0, 0},
	{"R-OPEN-022", "a second result changes nothing", result_again, GUEST_CHANNEL, 0, 0},
	{"R-OPEN-026", "300 times open and closed, nothing is used up", again_and_again,
		GUEST_CONNECTED, 0, 0},
	{"R-OPEN-023", "the rings are torn down after the close", close_in_order, GUEST_CHANNEL, 0,
		0},
	{"R-OPEN-025", "subchannels are closed before their primary", subchannels_first,
		GUEST_CHANNEL, 0, 0},
	{"R-GPADL-026", "a close without GPADL_TORNDOWN costs the rings", close_without_answer,
		GUEST_CHANNEL, 0, 0},
	{"R-GPADL-029", "a CLOSE that cannot be posted costs the rings", close_not_posted,
		GUEST_CHANNEL, 0, 0},
	{"R-MOD-008", "a channel moves, or stays if that is refused", moves, GUEST_CHANNEL, 0, 0},
	{"R-MOD-008", "one MODIFY_CHANNEL is outstanding", one_modify, GUEST_CHANNEL, 0, 0},
	{"R-MOD-009", "responses that nobody waits for are dropped", unasked_modify_responses,
		GUEST_CHANNEL, 0, 0},
	{"R-RESC-018", "a rescind ends the wait for the result", rescind_for_open, GUEST_CHANNEL, 0,
		0},
	{"R-RESC-016", "a rescind ends the wait for GPADL_CREATED", rescind_for_gpadl,
		GUEST_CHANNEL, 0, 0},
	{"R-RESC-016", "a rescind ends the wait for GPADL_TORNDOWN", rescind_for_teardown,
		GUEST_CHANNEL, 0, 0},
	{"R-MOD-009", "a rescind ends the wait for MODIFY_CHANNEL_RESPONSE", rescind_for_modify,
		GUEST_CHANNEL, 0, 0},
	{"R-RESC-016", "opened and rescinded at once it is closed and released",
		opened_and_rescinded, GUEST_CONNECTED, 0, 0},
	{"R-RING-028", "rings stay mapped after a rescind, and are not signalled",
		rings_after_rescind, GUEST_CHANNEL, 0, 0},
	{"R-MNF-001", "without a monitor id it signals by the offer's connection id", signals_by_id,
		GUEST_CHANNEL, 0, 0},
	{"R-MNF-001", "with a monitor id it sets that pending bit alone", signals_by_monitor,
		GUEST_BUS, 0, 0},
	{"R-MNF-001", "a monitor id that is not allocated is none", signals_without_monitor,
		GUEST_BUS, 0, 0},
	{"R-MSG-010", "below 2.4 the interrupt page says which channel", interrupt_page, GUEST_BUS,
		0, 0},
};
const size_t guest_channel_test_count = sizeof guest_channel_tests / sizeof guest_channel_tests[0];
