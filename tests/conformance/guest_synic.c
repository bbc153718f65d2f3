// SPDX-License-Identifier: Apache-2.0
/* What a guest does with hypercalls, message slots and event flags: hypervisor.md, vmbus.md 3. */
#include "tests/conformance/guest_areas.h"

#include "protocol/hypervisor.h"

#include <string.h>

#define SLOT_FLAGS 5u
#define SLOT_BYTES 4u

static uint8_t *slot_of(struct scripted_host *h)
{
	return platform_scripted_slot(&h->script, 0, VMBUS_SINT);
}

/* A message whose slot says more or other than what is there. */
static void say_raw(struct scripted_host *h, uint32_t type, uint8_t bytes, uint8_t flags)
{
	uint8_t *slot = slot_of(h);

	memset(slot + 16, 0xff, 240);
	slot[SLOT_BYTES] = bytes;
	slot[SLOT_FLAGS] = flags;
	put32(slot, type);
	platform_scripted_interrupt(&h->script, 0, VMBUS_SINT);
}

/* ---- messages ------------------------------------------------------------------------------- */

/* The slot is free when EOM is written, or the next message would not get into it. */
static void look_at_slot(struct scripted_host *h)
{
	h->turn += get32(slot_of(h)) != 0;
}

static enum conform_verdict frees_slot_first(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t before = h->script.vps[0].eom_writes;

	h->on_eom = look_at_slot;
	for (unsigned i = 0; i < 4; i++)
		host_say_words(h, 17, 0, 0, 0, 0); /* UNLOAD_COMPLETE that nobody asked for */
	guest_serve(h);
	EXPECT(h->script.vps[0].eom_writes > before, "no EOM is written");
	EXPECT(h->turn == 0, "EOM is written %u times with the slot full", h->turn);
	return CONFORM_PASS;
}

static enum conform_verdict writes_eom_if_pending(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint64_t before = h->script.vps[0].eom_writes;

	host_say_words(h, 17, 0, 0, 0, 0);
	guest_serve(h);
	EXPECT(h->script.vps[0].eom_writes == before, "EOM is written with nothing pending");
	for (unsigned i = 0; i < 3; i++)
		host_say_words(h, 17, 0, 0, 0, 0);
	before = h->script.vps[0].eom_writes;
	guest_serve(h);
	EXPECT(h->script.vps[0].eom_writes == before + 2, "%u EOM for 3 messages",
		(unsigned)(h->script.vps[0].eom_writes - before));
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE) == 4,
		"of 4 messages %u were looked at",
		(unsigned)guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE));
	return CONFORM_PASS;
}

static enum conform_verdict empties_each(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (uint32_t relid = 5; relid < 45; relid++)
		host_offer(h, relid);
	guest_serve(h);
	EXPECT(h->offered == 3 + 40, "of 40 offers in a row %u came", h->offered - 3);
	EXPECT(get32(slot_of(h)) == 0, "the slot is left full");
	return CONFORM_PASS;
}

static enum conform_verdict interrupt_without_message(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t before = h->script.vps[0].eom_writes;

	for (unsigned i = 0; i < 10; i++) {
		platform_scripted_interrupt(&h->script, 0, VMBUS_SINT);
		guest_serve(h);
	}
	EXPECT(h->script.vps[0].eom_writes == before, "EOM is written without a message");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict size_past_slot(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t before = h->bus->client.statistics.messages_rejected;
	unsigned tries = 0;

	for (unsigned bytes = 241; bytes < 256; bytes++, tries++) {
		say_raw(h, 1, (uint8_t)bytes, 0);
		guest_serve(h);
		EXPECT(get32(slot_of(h)) == 0, "size %u: the slot is left full", bytes);
	}
	EXPECT(h->bus->client.statistics.messages_rejected == before + tries,
		"messages with sizes past 240 were taken");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* Every length below the least of each type that a host sends. */
static enum conform_verdict shorter_than_type(struct conform_target *t)
{
	static const struct {
		uint8_t type, least;
	} rows[] = {{1, 196}, {2, 12}, {4, 8}, {6, 20}, {10, 20}, {12, 12}, {15, 10}, {17, 8},
		{23, 44}, {24, 16}};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (uint8_t bytes = 0; bytes < rows[i].least; bytes++) {
			const uint64_t before = h->bus->client.statistics.messages_rejected;
			uint8_t *slot = slot_of(h);
			memset(slot + 16, 0, 240);
			put32(slot + 16, rows[i].type);
			put32(slot + 24, 1);
			slot[SLOT_BYTES] = bytes;
			put32(slot, 1);
			platform_scripted_interrupt(&h->script, 0, VMBUS_SINT);
			guest_serve(h);
			EXPECT(h->bus->client.statistics.messages_rejected == before + 1,
				"type %u with %u bytes is taken", rows[i].type, bytes);
		}
	}
	EXPECT(guest_refused(h, VMBUS_REJECTION_TOO_SMALL) > 300, "they are not called too small");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict unknown_types(struct conform_target *t)
{
	static const uint32_t types[] = {
		0, 30, 31, 32, 255, 256, 65535, 65536 + 1, 0x80000001, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
		host_say_words(h, types[i], 3, 1, 1, 0);
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNKNOWN_TYPE) == 10, "of 10 unknown types %u",
		(unsigned)guest_refused(h, VMBUS_REJECTION_UNKNOWN_TYPE));
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict types_of_guests(struct conform_target *t)
{
	static const uint32_t types[] = {3, 5, 7, 8, 9, 11, 13, 14, 16, 18, 19, 21, 22};
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t posts = h->script.post_count;
	uint8_t m[240] = {0};

	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		put32(m, types[i]);
		put32(m + 8, 1);
		host_say(h, m, sizeof m);
	}
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_WRONG_DIRECTION) == 13, "of 13 such types %u",
		(unsigned)guest_refused(h, VMBUS_REJECTION_WRONG_DIRECTION));
	EXPECT(h->script.post_count == posts, "the guest answers one");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* SynIC message types that are not the bus's: timers, intercepts, with a good message inside. */
static enum conform_verdict other_synic_types(struct conform_target *t)
{
	static const uint32_t types[] = {2, 0x80000010, 0x80000000, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	host_offer_bytes(h, 5, m);
	for (unsigned i = 0; i < 4; i++)
		(void)platform_scripted_message(&h->script, 0, VMBUS_SINT, types[i], m, sizeof m);
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_NOT_CONTROL) == 4, "of 4 other types %u",
		(unsigned)guest_refused(h, VMBUS_REJECTION_NOT_CONTROL));
	EXPECT(h->offered == 3, "an offer inside was taken");
	return CONFORM_PASS;
}

/* Pending is always set, and the slot always full again. */
static void refill(struct scripted_host *h)
{
	h->turn++;
	h->script.now_100ns += 10000; /* 1 ms */
	host_say_words(h, 99, 0, 0, 0, 0);
	host_say_words(h, 99, 0, 0, 0, 0);
}

static enum conform_verdict flood_ends_by_deadline(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->is_silent[8] = true;
	h->on_eom = refill;
	refill(h);
	const uint64_t start = h->script.now_100ns;
	const int error = guest_open(h, 2);
	const uint64_t took = h->script.now_100ns - start;
	h->on_eom = NULL;
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "opening ends with %d", error);
	EXPECT(h->turn > 1000, "the flood had %u messages", h->turn);
	EXPECT(took <= 10 * SECOND + 2 * VMBUS_CLIENT_GRACE_100NS, "it takes %u ms",
		(unsigned)(took / 10000));
	h->is_silent[8] = false;
	guest_serve(h);
	TRY(guest_goes_on(t, 3));
	return CONFORM_PASS;
}

/* A flood must not keep the open channel from being served either. */
static enum conform_verdict flood_serves_channels(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t word = 5;

	guest_serve(h);
	h->ready[1] = 0;
	h->on_eom = refill;
	refill(h);
	EXPECT(host_send(h, 1, PACKET_TYPE_INBAND, 0, 1, &word, 8), "the ring is full");
	for (unsigned i = 0; i < 10 && h->ready[1] == 0; i++)
		(void)vmbus_poll(h->bus, 0);
	h->on_eom = NULL;
	EXPECT(h->ready[1] > 0, "in 10 turns of a flood the channel is never served");
	h->script.queue_count = 0;
	return CONFORM_PASS;
}

/* ---- events --------------------------------------------------------------------------------- */

static void look_at_flag(void *ctx, struct vmbus_channel *channel)
{
	struct scripted_host *h = ctx;

	h->turn += (platform_scripted_flags(&h->script, 0, VMBUS_SINT)[channel->relid / 8] >>
			   channel->relid % 8) &
		   1;
	h->ready[channel->relid]++;
}

static enum conform_verdict clears_flag_first(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t word = 5;

	guest_serve(h);
	h->guest[1].config.on_ready = look_at_flag;
	EXPECT(vmbus_arm(h->bus), "the bus cannot sleep");
	h->ready[1] = 0;
	EXPECT(host_send(h, 1, PACKET_TYPE_INBAND, 0, 1, &word, 8), "the ring is full");
	(void)vmbus_poll(h->bus, 0);
	EXPECT(h->ready[1] > 0, "the channel is not served");
	EXPECT(h->turn == 0, "the flag is still set when the ring is looked at");
	return CONFORM_PASS;
}

static enum conform_verdict all_flags(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 5; i++) {
		memset(platform_scripted_flags(&h->script, 0, VMBUS_SINT), 0xff, 256);
		platform_scripted_interrupt(&h->script, 0, VMBUS_SINT);
		guest_serve(h);
	}
	EXPECT(h->ready[1] > 0, "the channel is not served");
	EXPECT(h->ready[2] == 0 && h->ready[3] == 0, "a closed channel is served");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict flags_without_channel(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	guest_serve(h);
	h->ready[1] = 0;
	(void)platform_scripted_event(&h->script, 0, VMBUS_SINT, 0);
	(void)platform_scripted_event(&h->script, 0, VMBUS_SINT, 2);
	(void)platform_scripted_event(&h->script, 0, VMBUS_SINT, 7);
	(void)platform_scripted_event(&h->script, 0, VMBUS_SINT, 2047);
	guest_serve(h);
	EXPECT(h->ready[1] == 0, "a flag of another relid serves relid 1");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* ---- hypercalls ----------------------------------------------------------------------------- */

static enum conform_verdict zeroes_the_rest(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t payload[240];
	uint16_t status;

	memset(payload, 0xff, sizeof payload);
	for (size_t bytes = sizeof payload;; bytes -= 8) {
		EXPECT(winhv_post_message(&h->hv, 1, 1, payload, bytes, &status) == 0,
			"%zu bytes cannot be posted", bytes);
		EXPECT(h->tails == 0, "with %zu bytes of payload, %u behind them are not 0", bytes,
			h->tails);
		if (bytes == 0)
			return CONFORM_PASS;
	}
}

static uint64_t lying_reps(void *ctx, struct platform_scripted *script, uint64_t control,
	uint64_t input, uint64_t output, struct winhv_xmm *xmm)
{
	static const uint16_t counts[] = {6, 0xfff, 4, 0, 0};
	static const uint16_t statuses[] = {0, 0, HV_STATUS_TIMEOUT, HV_STATUS_TIMEOUT, 0};
	const struct scripted_host *h = ctx;

	(void)script;
	(void)control;
	(void)input;
	(void)output;
	(void)xmm;
	return (uint64_t)counts[h->turn] << 32 | statuses[h->turn];
}

/* Of 5 repetitions: 6 are done, 4095 are, 4 for ever, none for ever with and without a reason. */
static enum conform_verdict counts_of_reps(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint64_t elements[5] = {0}, output[5];
	uint16_t done, status;

	h->script.on_hypercall = lying_reps;
	for (h->turn = 0; h->turn < 5; h->turn++) {
		const uint64_t calls = h->script.hypercall_count;
		const int error = winhv_hypercall_rep(
			&h->hv, 0x50, elements, 8, elements, 8, 5, output, 8, &done, &status);
		EXPECT(error == -VIRIDIAN_EPROTO, "case %u ends with %d", h->turn, error);
		EXPECT(done <= 5, "case %u: %u repetitions are done", h->turn, done);
		EXPECT(h->script.hypercall_count - calls < 10, "case %u: %u hypercalls", h->turn,
			(unsigned)(h->script.hypercall_count - calls));
	}
	return CONFORM_PASS;
}

/* ---- posts that the host has no room for ---------------------------------------------------- */

static enum conform_verdict tries_again(struct conform_target *t)
{
	static const uint16_t statuses[] = {
		HV_STATUS_INSUFFICIENT_MEMORY, HV_STATUS_INSUFFICIENT_BUFFERS};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 2; i++) {
		const uint64_t first = h->script.post_count;
		platform_scripted_post_status(&h->script, statuses[i], 8);
		TRY(guest_opens(t, 2));
		uint64_t last_pause = 0;
		for (uint64_t post = first; post < first + 8; post++) {
			const uint64_t pause = h->post_times[post + 1] - h->post_times[post];
			EXPECT(pause >= last_pause && pause > 0,
				"status 0x%x: pause %u has %u us, the one before %u", statuses[i],
				(unsigned)(post - first), (unsigned)(pause / 10),
				(unsigned)(last_pause / 10));
			last_pause = pause;
		}
		EXPECT(last_pause >= 8 * (h->post_times[first + 1] - h->post_times[first]),
			"the pauses do not grow");
		EXPECT(vmbus_channel_close(h->bus, &h->guest[2], guest_deadline(h)) == 0,
			"it cannot be closed");
	}
	return CONFORM_PASS;
}

static uint16_t never_room(
	void *ctx, struct platform_scripted *script, const struct scripted_post *post)
{
	(void)ctx;
	(void)script;
	(void)post;
	return HV_STATUS_INSUFFICIENT_BUFFERS;
}

static enum conform_verdict gives_up(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint16_t (*const answer)(void *, struct platform_scripted *, const struct scripted_post *) =
		h->script.on_post;
	const uint64_t start = h->script.now_100ns, posts = h->script.post_count;

	h->script.on_post = never_room;
	const int error = vmbus_channel_open(h->bus, 2, &h->guest[2],
		&(struct vmbus_open_config){.ring_out_bytes = 8192, .ring_in_bytes = 8192},
		UINT64_MAX);
	const uint64_t took = h->script.now_100ns - start;
	h->script.on_post = answer;
	EXPECT(error < 0, "opening succeeds");
	EXPECT(took <= 2 * VMBUS_CLIENT_POST_LIMIT_100NS, "it takes %u s",
		(unsigned)(took / SECOND));
	EXPECT(h->script.post_count - posts < 1000, "it tries %u times",
		(unsigned)(h->script.post_count - posts));
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* The status of a post can be anything. */
static enum conform_verdict odd_statuses(struct conform_target *t)
{
	static const uint16_t statuses[] = {2, 5, 6, 0x11, 0x78, 0xfffe, 0xffff};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		platform_scripted_post_status(&h->script, statuses[i], 1);
		const int error = guest_open(h, 2);
		EXPECT(error == -VIRIDIAN_EIO, "status 0x%x: opening ends with %d", statuses[i],
			error);
	}
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* ---- a guest after a guest that crashed ----------------------------------------------------- */

static enum conform_verdict after_crash(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_config config = {.contact_vp = 1};

	/* messages of the old connection wait in the slots of VP 0, and events */
	for (uint32_t relid = 5; relid < 20; relid++)
		host_offer(h, relid);
	host_version(h, 20, 1, 0, 4, 0);
	host_say_words(h, 4, 0, 0, 0, 0);
	memset(platform_scripted_flags(&h->script, 0, VMBUS_SINT), 0xff, 256);
	h->pages_of_dead = h->script.pages_used;
	memset(h->channels, 0, sizeof h->channels);
	EXPECT(winhv_init(&h->hv, &h->ops, &h->script, 2) == 0, "winhv cannot be set up");
	h->offered = 0;
	h->vp = 0;
	EXPECT(winhv_hypercall_enable(&h->hv, CONFORM_OS_ID) == 0, "no hypercalls");
	TRY(guest_bus(t, &config));
	const int error = vmbus_connect(h->bus, guest_deadline(h));
	EXPECT(error == 0, "connecting ends with %d", error);
	EXPECT(h->offered == 3, "%u offers, of which 3 are of this connection", h->offered);
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* The hypervisor stops answering in the middle. */
static enum conform_verdict hypervisor_gone(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->script.is_gone = true;
	const int error = guest_open(h, 2);
	EXPECT(error == -VIRIDIAN_ENODEV, "opening ends with %d", error);
	EXPECT(vmbus_poll(h->bus, SECOND) == -VIRIDIAN_ENODEV, "polling goes on");
	EXPECT(h->rescinded[1] == 1, "the open channel is not told");
	(void)vmbus_channel_close(h->bus, &h->guest[1], guest_deadline(h));
	(void)vmbus_unload(h->bus, guest_deadline(h));
	/* pages that the host was lent stay where they are */
	for (uint32_t vp = 0; vp < 2; vp++)
		h->script.vps[vp].simp = h->script.vps[vp].siefp = 0;
	return CONFORM_PASS;
}

const struct conform_test guest_synic_tests[] = {
	{"R-SYNIC-010", "the slot is freed before EOM is written", frees_slot_first,
		GUEST_CONNECTED, 0, 0},
	{"R-SYNIC-010", "EOM is written only if a message waits", writes_eom_if_pending,
		GUEST_CONNECTED, 0, 0},
	{"R-MSG-009", "the slot is emptied after each of many messages", empties_each,
		GUEST_CONNECTED, 0, 0},
	{"R-SYNIC-011", "interrupts without a message are endured", interrupt_without_message,
		GUEST_CONNECTED, 0, 0},
	{"R-SYNIC-013", "a flag is cleared before the ring is looked at", clears_flag_first,
		GUEST_CHANNEL, 0, 0},
	{"R-MSG-007", "a size over 240 is refused", size_past_slot, GUEST_CONNECTED, 0, 0},
	{"R-MSG-007", "each type with fewer bytes than it needs is refused", shorter_than_type,
		GUEST_CONNECTED, 0, 0},
	{"R-MSG-008", "unknown types are dropped", unknown_types, GUEST_CONNECTED, 0, 0},
	{"R-MSG-008", "types that only guests send are dropped", types_of_guests, GUEST_CONNECTED,
		0, 0},
	{"R-MSG-008", "messages that are not the bus's are dropped", other_synic_types,
		GUEST_CONNECTED, 0, 0},
	{"R-MSG-010", "flags of relids without a channel are ignored", flags_without_channel,
		GUEST_CHANNEL, 0, 0},
	{"R-HYP-004", "all 2048 flags at once are endured", all_flags, GUEST_CHANNEL, 0, 0},
	{"R-HYP-004", "a count of repetitions is not believed", counts_of_reps, GUEST_BUS, 0, 0},
	{"R-HYP-005", "what a message does not fill is 0", zeroes_the_rest, GUEST_BUS, 0, 0},
	{"R-CONN-031", "a post is tried again, each time later", tries_again, GUEST_CONNECTED, 0,
		0},
	{"R-CONN-031", "a post that never succeeds is given up", gives_up, GUEST_CONNECTED, 0, 0},
	{"R-CONN-031", "any other status fails the request alone", odd_statuses, GUEST_CONNECTED, 0,
		0},
	{"R-ROB-003", "a flood of messages does not outlast a deadline", flood_ends_by_deadline,
		GUEST_CONNECTED, 0, 0},
	{"R-ROB-003", "a flood of messages does not starve a channel", flood_serves_channels,
		GUEST_CHANNEL, 0, 0},
	{"R-ROB-003", "a hypervisor that is gone ends what runs", hypervisor_gone, GUEST_CHANNEL, 0,
		0},
	{"R-ROB-012", "contact succeeds after a guest that crashed on another VP", after_crash,
		GUEST_CHANNEL, 0, 0},
};
const size_t guest_synic_test_count = sizeof guest_synic_tests / sizeof guest_synic_tests[0];
