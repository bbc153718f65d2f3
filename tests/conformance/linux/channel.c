// SPDX-License-Identifier: Apache-2.0
/* GPADLs, opening and closing, rescinding, moving to another processor; and answers nobody asked
 * for. */
#include "tests/conformance/linux/disk.h"
#include "tests/conformance/linux/ic.h"

#include <stdlib.h>
#include <string.h>

#define CYCLES	12u
#define HVUTILS "/sys/bus/vmbus/drivers/hv_utils/"

/* ---- GPADLs ---------------------------------------------------------------------------------- */

/* R-GPADL-002: 26 pages in the header, 28 words in a body, no more than there are. */
static enum conform_verdict gpadl_form(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);
	const size_t from = g->post_count;
	uint32_t bytes = 0;
	uint32_t wanted = 0;

	TRY(linux_disk_is_up(g, disk));
	for (size_t i = from; i < g->post_count; i++) {
		const struct linux_post *post = &g->posts[i];
		if (post->type == VMBUS_MESSAGE_GPADL_HEADER) {
			EXPECT(linux_word(post, 8) == disk->channel->offer.relid,
				"a GPADL of another channel");
			EXPECT(bytes == wanted, "a GPADL begins before the last is complete");
			wanted = linux_word(post, 16) & 0xffff;
			bytes = (uint32_t)post->bytes - 20;
			EXPECT(bytes <= 8 * VMBUS_GPADL_HEADER_U64_MAX, "a header of %zu bytes",
				post->bytes);
		} else if (post->type == VMBUS_MESSAGE_GPADL_BODY) {
			EXPECT(bytes < wanted && linux_word(post, 8) == 0,
				"a GPADL_BODY that nothing needs, or with a message number");
			bytes += (uint32_t)post->bytes - 16;
			EXPECT(post->bytes <= 16 + 8 * VMBUS_GPADL_BODY_U64_MAX,
				"a body of %zu bytes", post->bytes);
		}
	}
	EXPECT(wanted > 0 && bytes == wanted, "%u bytes of a GPADL of %u", bytes, wanted);
	return CONFORM_PASS;
}

/* R-GPADL-030 */
static enum conform_verdict gpadl_ids(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	const size_t from = g->post_count;
	static const uint16_t types[] = {
		IC_TYPE_HEARTBEAT, IC_TYPE_SHUTDOWN, IC_TYPE_TIMESYNC, IC_TYPE_VSS};

	for (unsigned i = 0; i < 4; i++)
		TRY(linux_ic_open(g, types[i]) != NULL);
	for (size_t i = from; i < g->post_count; i++) {
		if (g->posts[i].type != VMBUS_MESSAGE_GPADL_HEADER)
			continue;
		const uint32_t id = linux_word(&g->posts[i], 12);
		EXPECT(id != 0, "GPADL id 0");
		for (size_t j = from; j < i; j++)
			EXPECT(g->posts[j].type != VMBUS_MESSAGE_GPADL_HEADER ||
					linux_word(&g->posts[j], 12) != id,
				"GPADL id 0x%x twice", id);
	}
	return CONFORM_PASS;
}

static bool gpadl_fails(struct linux_guest *g, const struct linux_post *post)
{
	if (post->type != VMBUS_MESSAGE_GPADL_HEADER)
		return false;
	linux_send_created(g, linux_word(post, 8), linux_word(post, 12), VMBUS_STATUS_FAILURE);
	return true;
}

/* R-GPADL-027 */
static enum conform_verdict gpadl_refused(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = gpadl_fails;
	struct linux_channel *channel = linux_offer(g, &guid_heartbeat);
	TRY(linux_await(g, VMBUS_MESSAGE_GPADL_HEADER) != NULL);
	TRY(linux_drained(g));
	g->on_post = NULL;
	TRY(linux_ic_works(g));
	EXPECT(channel->opens == 0, "it opens a channel over a GPADL that was refused");
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	return CONFORM_PASS;
}

/* R-GPADL-031: answers that match no request. */
static enum conform_verdict gpadl_answers(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	linux_send_created(g, 1999, 0xe1e10, 0);
	linux_send_created(g, channel->offer.relid, 0xdead, VMBUS_STATUS_FAILURE);
	linux_send_created(g, channel->offer.relid, channel->request.ring_gpadl_id, 0);
	linux_send_words(g, VMBUS_MESSAGE_GPADL_TORNDOWN, (const uint32_t[]){0xdead}, 1);
	linux_send_words(g, VMBUS_MESSAGE_GPADL_TORNDOWN,
		(const uint32_t[]){channel->request.ring_gpadl_id}, 1);
	TRY(linux_drained(g));
	TRY(linux_ic_beat(channel, 3));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* ---- open ------------------------------------------------------------------------------------ */

static bool open_fails(struct linux_guest *g, const struct linux_post *post)
{
	if (post->type != VMBUS_MESSAGE_OPEN_CHANNEL)
		return false;
	linux_send_result(g, linux_word(post, 8), linux_word(post, 12), VMBUS_STATUS_FAILURE);
	return true;
}

/* R-OPEN-023 */
static enum conform_verdict open_refused(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = open_fails;
	struct linux_channel *channel = linux_offer(g, &guid_heartbeat);
	const struct linux_post *open = linux_await(g, VMBUS_MESSAGE_OPEN_CHANNEL);
	TRY(open != NULL);
	const struct linux_post *teardown = linux_await(g, VMBUS_MESSAGE_GPADL_TEARDOWN);
	TRY(teardown != NULL);
	EXPECT(linux_word(teardown, 12) == linux_word(open, 16),
		"it tears down GPADL 0x%x, not 0x%x of the ring", linux_word(teardown, 12),
		linux_word(open, 16));
	g->on_post = NULL;
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	return CONFORM_PASS;
}

static bool other_open_first(struct linux_guest *g, const struct linux_post *post)
{
	if (post->type != VMBUS_MESSAGE_OPEN_CHANNEL)
		return false;
	const uint32_t relid = linux_word(post, 8);
	linux_send_result(g, relid, linux_word(post, 12) + 77, VMBUS_STATUS_FAILURE);
	linux_send_result(g, relid + 500, linux_word(post, 12), VMBUS_STATUS_FAILURE);
	return false; /* the right one follows */
}

/*
 * R-OPEN-022. A result that comes again while the guest has not yet taken in the first one takes
 * the first one's place, in Linux: there the heartbeat's rings are freed under an interrupt in
 * every second run. What is asked here is of an open that is over, so the end of the driver's probe
 * is waited for: it holds the device's lock, and so does a write to driver_override.
 */
static enum conform_verdict open_matched(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	char id[GUID_TEXT_BYTES];

	g->on_post = other_open_first;
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	TRY(channel != NULL && linux_ic_beat(channel, 4));
	EXPECT(linux_do(g, "echo >/sys/bus/vmbus/devices/%s/driver_override",
		       linux_instance(channel, id)) == 0,
		"its device cannot be found after the open");
	linux_send_result(g, channel->offer.relid, channel->request.open_id, VMBUS_STATUS_FAILURE);
	TRY(linux_drained(g));
	TRY(linux_ic_beat(channel, 5));
	return CONFORM_PASS;
}

static struct linux_gpadl *gpadl_of(struct linux_guest *g, uint32_t id)
{
	for (size_t i = 0; i < LINUX_GPADLS_MAX; i++)
		if (g->gpadls[i].id == id)
			return &g->gpadls[i];
	return NULL;
}

/* A host that writes into the memory as soon as it has it; and what is there at OPEN. */
static bool dirty_rings(struct linux_guest *g, const struct linux_post *post)
{
	if (post->type == VMBUS_MESSAGE_GPADL_HEADER) {
		const uint32_t pages = (linux_word(post, 16) & 0xffff) / 8 - 1;
		for (unsigned ring = 0; ring < 2 && pages <= 26; ring++) {
			const uint32_t at = 28 + 8 * (ring ? pages / 2 : 0);
			const uint64_t page = linux_word(post, at) |
					      (uint64_t)linux_word(post, at + 4) << 32;
			static const uint32_t dirt[] = {8, 16};
			(void)guest_memory_write(
				g->memory, page * GUEST_PAGE_BYTES, dirt, sizeof dirt);
		}
	}
	if (post->type == VMBUS_MESSAGE_OPEN_CHANNEL) {
		const struct linux_gpadl *gpadl = gpadl_of(g, linux_word(post, 16));
		const uint32_t split = linux_word(post, 24);
		for (unsigned ring = 0; gpadl != NULL && ring < 2; ring++) {
			const uint32_t *control = guest_memory_at(g->memory,
				gpadl->words[1 + (ring ? split : 0)] * GUEST_PAGE_BYTES,
				GUEST_PAGE_BYTES);
			if (control == NULL)
				continue;
			g->count += control[RING_WORD_IN] == 0 && control[RING_WORD_OUT] == 0;
			g->count += ring == 0 && (control[RING_WORD_FEATURES] & 1) ? 16 : 0;
		}
	}
	return false;
}

/* R-OPEN-024, R-RING-019 */
static enum conform_verdict control_pages(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = dirty_rings;
	TRY(linux_ic_open(g, IC_TYPE_HEARTBEAT) != NULL);
	EXPECT((g->count & 15) == 2, "%u of 2 rings are empty at OPEN_CHANNEL", g->count & 15);
	EXPECT(g->count >= 16, "feature bit 0 of its outgoing ring is clear at OPEN_CHANNEL");
	return CONFORM_PASS;
}

static bool data_first(struct linux_guest *g, const struct linux_post *post)
{
	struct linux_ic ic;
	static const struct ic_version_wire three[] = {{3, 0}};
	struct linux_channel *channel = linux_channel_find(g, linux_word(post, 8));
	const struct linux_gpadl *gpadl = gpadl_of(g, linux_word(post, 16));

	if (post->type != VMBUS_MESSAGE_OPEN_CHANNEL || channel == NULL || gpadl == NULL)
		return false;
	memcpy(&channel->request, post->payload, 148);
	if (!linux_rings_map(channel, gpadl))
		return true;
	linux_ic_negotiation(g, &ic, three, 1, three, 1);
	(void)linux_ic_send(channel, &ic);
	linux_send_result(g, channel->offer.relid, channel->request.open_id, 0);
	return true;
}

/* R-OPEN-017: data and event before OPEN_CHANNEL_RESULT. */
static enum conform_verdict data_before_result(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_ic_answer answer;

	g->on_post = data_first;
	struct linux_channel *channel = linux_offer(g, &guid_heartbeat);
	TRY(linux_opened(g, channel));
	TRY(linux_ic_receive(channel, &answer));
	return CONFORM_PASS;
}

/* R-OPEN-026, R-GPADL-028: a driver is taken away and put back, again and again. */
static enum conform_verdict open_and_close(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	const size_t from = g->post_count;
	char id[GUID_TEXT_BYTES];

	TRY(channel != NULL);
	linux_instance(channel, id);
	for (unsigned i = 0; i < CYCLES; i++)
		EXPECT(linux_do(g, "echo %s >" HVUTILS "unbind && echo %s >" HVUTILS "bind", id,
			       id) == 0,
			"cycle %u: the driver cannot be bound again", i);
	EXPECT(channel->opens == CYCLES + 1, "opened %u times in %u cycles", channel->opens - 1,
		CYCLES);
	const unsigned made = linux_posts(g, from, VMBUS_MESSAGE_GPADL_HEADER, UINT32_MAX);
	const unsigned gone = linux_posts(g, from, VMBUS_MESSAGE_GPADL_TEARDOWN, UINT32_MAX);
	EXPECT(made == CYCLES && gone == CYCLES, "%u GPADLs made, %u torn down in %u cycles", made,
		gone, CYCLES);
	struct linux_ic_answer answer;
	TRY(linux_ic_agree(channel, IC_TYPE_HEARTBEAT, &answer));
	TRY(linux_ic_beat(channel, 6));
	return CONFORM_PASS;
}

/* ---- rescind --------------------------------------------------------------------------------- */

/* R-RESC-017, R-RESC-014 */
static enum conform_verdict released_once(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	const uint32_t relid = channel->offer.relid;
	const size_t from = g->post_count;
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	TRY(linux_ic_works(g));
	EXPECT(linux_posts(g, from, VMBUS_MESSAGE_REL_ID_RELEASED, relid) == 1,
		"the relid is released %u times",
		linux_posts(g, from, VMBUS_MESSAGE_REL_ID_RELEASED, relid));
	bool is_over = false;
	for (size_t i = from; i < g->post_count; i++) {
		if (linux_word(&g->posts[i], 8) != relid ||
			g->posts[i].type == VMBUS_MESSAGE_GPADL_BODY)
			continue;
		EXPECT(!is_over, "%s names the relid after it was released",
			vmbus_message_name(g->posts[i].type));
		is_over = g->posts[i].type == VMBUS_MESSAGE_REL_ID_RELEASED;
	}
	return CONFORM_PASS;
}

static bool withhold(struct linux_guest *g, const struct linux_post *post)
{
	return post->type == g->count;
}

/* Answer nothing to a message of this type, take the channel back, see it released. */
static enum conform_verdict rescinded_at(struct conform_target *t, uint32_t type)
{
	struct linux_guest *g = linux_guest_of(t);

	g->count = type;
	g->on_post = withhold;
	struct linux_channel *channel = linux_offer(g, &guid_heartbeat);
	TRY(linux_await(g, type) != NULL);
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	g->on_post = NULL;
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-RESC-018, R-RESC-016 */
static enum conform_verdict rescinded_at_open(struct conform_target *t)
{
	return rescinded_at(t, VMBUS_MESSAGE_OPEN_CHANNEL);
}
/* R-RESC-016 */
static enum conform_verdict rescinded_at_gpadl(struct conform_target *t)
{
	return rescinded_at(t, VMBUS_MESSAGE_GPADL_HEADER);
}

/* R-RESC-016: the wait for GPADL_TORNDOWN. */
static enum conform_verdict rescinded_at_teardown(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	char id[GUID_TEXT_BYTES];

	TRY(channel != NULL);
	g->count = VMBUS_MESSAGE_GPADL_TEARDOWN;
	g->on_post = withhold;
	TRY(linux_do(g, "echo %s >" HVUTILS "unbind &", linux_instance(channel, id)) == 0);
	TRY(linux_await(g, VMBUS_MESSAGE_GPADL_TEARDOWN) != NULL);
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	g->on_post = NULL;
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-RESC-020 */
static enum conform_verdict back_to_back(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	for (unsigned i = 0; i < CYCLES; i++) {
		struct linux_channel *channel = linux_offer(g, &guid_heartbeat);
		linux_rescind(g, channel);
		TRY(linux_released(g, channel));
	}
	TRY(linux_ic_works(g));
	EXPECT(linux_do(g, "[ -z \"$(ls /sys/bus/vmbus/devices)\" ]") == 0,
		"a device is left of offers that were taken back at once");
	return CONFORM_PASS;
}

/* R-RESC-019 */
static enum conform_verdict rescind_unknown(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	static const uint32_t relids[] = {0, 1777, 2047, 2048, 0x10000, UINT32_MAX};

	for (size_t i = 0; i < sizeof relids / sizeof *relids; i++)
		linux_send_words(g, VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER, &relids[i], 1);
	TRY(linux_ic_works(g));
	for (size_t i = 0; i < sizeof relids / sizeof *relids; i++)
		EXPECT(linux_posts(g, g->from, VMBUS_MESSAGE_REL_ID_RELEASED, relids[i]) == 0,
			"relid 0x%x, never offered, is released", relids[i]);
	return CONFORM_PASS;
}

/* R-RESC-019, R-RESC-014 */
static enum conform_verdict rescind_twice(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	const size_t from = g->post_count;
	for (unsigned i = 0; i < 4; i++)
		linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	linux_rescind(g, channel);
	TRY(linux_ic_works(g));
	EXPECT(linux_posts(g, from, VMBUS_MESSAGE_REL_ID_RELEASED, channel->offer.relid) == 1,
		"five rescinds, and %u releases",
		linux_posts(g, from, VMBUS_MESSAGE_REL_ID_RELEASED, channel->offer.relid));
	return CONFORM_PASS;
}

/* ---- another processor ----------------------------------------------------------------------- */

static int move(struct linux_guest *g, struct linux_channel *channel, unsigned vp, const char *how)
{
	char id[GUID_TEXT_BYTES];
	return linux_do(g, "echo %u >/sys/bus/vmbus/devices/%s/channels/%u/cpu %s", vp,
		linux_instance(channel, id), channel->offer.relid, how);
}

/* R-MOD-008: it asks, waits, and takes the channel's events where it has asked for them. */
static enum conform_verdict moved(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);

	TRY(linux_disk_is_up(g, disk));
	struct linux_channel *channel = disk->channel;
	const uint32_t other = 1 - channel->target_vp;
	const size_t from = g->post_count;
	const int status = move(g, channel, other, "");
	EXPECT(status == 0, "moving the channel fails");
	EXPECT(linux_posts(g, from, VMBUS_MESSAGE_MODIFY_CHANNEL, channel->offer.relid) == 1,
		"%u MODIFY_CHANNEL for one move",
		linux_posts(g, from, VMBUS_MESSAGE_MODIFY_CHANNEL, channel->offer.relid));
	EXPECT(channel->target_vp == other, "it asks for VP %u, not %u", channel->target_vp, other);
	TRY(linux_disk_reads(g, 21));
	return CONFORM_PASS;
}

/* R-MOD-009: the answer never comes; then the channel goes. And an answer that nobody waits for. */
static enum conform_verdict moved_and_rescinded(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	const uint32_t relid = channel->offer.relid;
	linux_send_words(g, VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, (const uint32_t[]){relid, 0}, 2);
	linux_send_words(g, VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, (const uint32_t[]){1888, 0}, 2);
	TRY(linux_ic_beat(channel, 8));
	g->count = VMBUS_MESSAGE_MODIFY_CHANNEL;
	g->on_post = withhold;
	TRY(move(g, channel, 1 - channel->target_vp, "&") == 0);
	TRY(linux_await(g, VMBUS_MESSAGE_MODIFY_CHANNEL) != NULL);
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	linux_send_words(g, VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, (const uint32_t[]){relid, 0}, 2);
	g->on_post = NULL;
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* ---- subchannels ----------------------------------------------------------------------------- */

struct subs {
	unsigned opened, count;
};

static bool are_open(struct linux_guest *g, void *ctx)
{
	struct subs *subs = ctx;
	subs->opened = 0;
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++)
		subs->opened += g->channels[i].is_open &&
				g->channels[i].offer.subchannel_index != 0;
	return subs->opened == subs->count;
}

/* R-OPEN-025: and it asks for no more than there are processors beside the first. */
static enum conform_verdict subchannels(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);
	struct subs subs = {.count = LINUX_VP_COUNT - 1};
	char id[GUID_TEXT_BYTES];

	disk->max_sub_channels = 4;
	TRY(linux_disk_is_up(g, disk));
	EXPECT(linux_until(g, are_open, &subs), "%u subchannels are opened, with %u processors",
		subs.opened, LINUX_VP_COUNT);
	TRY(linux_disk_reads(g, 5));
	TRY(linux_disk_remove(g));
	const size_t from = g->post_count;
	EXPECT(linux_do(g, "echo %s >/sys/bus/vmbus/drivers/hv_storvsc/unbind",
		       linux_instance(disk->channel, id)) == 0,
		"the driver cannot be taken away");
	for (size_t i = from; i < g->post_count; i++) {
		if (g->posts[i].type != VMBUS_MESSAGE_CLOSE_CHANNEL ||
			linux_word(&g->posts[i], 8) != disk->channel->offer.relid)
			continue;
		EXPECT(linux_posts(g, i, VMBUS_MESSAGE_CLOSE_CHANNEL, UINT32_MAX) == 1,
			"the primary channel is closed before a subchannel");
	}
	EXPECT(linux_posts(g, from, VMBUS_MESSAGE_CLOSE_CHANNEL, UINT32_MAX) == subs.count + 1,
		"%u channels are closed, not %u",
		linux_posts(g, from, VMBUS_MESSAGE_CLOSE_CHANNEL, UINT32_MAX), subs.count + 1);
	return CONFORM_PASS;
}

/* R-RESC-021 */
static enum conform_verdict primary_first(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);
	struct subs subs = {.count = LINUX_VP_COUNT - 1};

	disk->max_sub_channels = 1;
	TRY(linux_disk_is_up(g, disk));
	EXPECT(linux_until(g, are_open, &subs), "no subchannel is opened");
	TRY(linux_disk_remove(g));
	linux_rescind(g, disk->channel);
	TRY(linux_drained(g));
	TRY(linux_clear(g));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* ---- answers to nothing ---------------------------------------------------------------------- */

/* R-UNL-012 */
static enum conform_verdict unload_unasked(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	linux_send_words(g, VMBUS_MESSAGE_UNLOAD_COMPLETE, NULL, 0);
	linux_send_words(g, VMBUS_MESSAGE_UNLOAD_COMPLETE, NULL, 0);
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-CONN-028 */
static enum conform_verdict version_unasked(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	linux_send_version(g, 0, 0, 0);
	linux_send_version(g, 1, 0, 0xffffff);
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

const struct conform_test linux_channel_tests[] = {
	{"R-GPADL-002", "a long GPADL comes in a header and bodies", gpadl_form, LINUX_BUS, 0, 0},
	{"R-GPADL-030", "GPADL ids are unique, and not 0", gpadl_ids, LINUX_BUS, 0, 0},
	{"R-GPADL-027", "a refused GPADL is not opened", gpadl_refused, LINUX_BUS, 0, 0},
	{"R-GPADL-031", "answers about other GPADLs are dropped", gpadl_answers, LINUX_BUS, 0, 0},
	{"R-OPEN-023", "a refused open gives its GPADL back", open_refused, LINUX_BUS, 0, 0},
	{"R-OPEN-022", "results of other opens are dropped", open_matched, LINUX_BUS, 0, 0},
	{"R-OPEN-024", "rings that the host has written into are empty at the open", control_pages,
		LINUX_BUS, 0, 0},
	{"R-OPEN-017", "data before the result is found", data_before_result, LINUX_BUS, 0, 0},
	{"R-OPEN-026", "12 times open and closed", open_and_close, LINUX_BUS, 0, 0},
	{"R-RESC-017", "a rescinded relid is released once, and last", released_once, LINUX_BUS, 0,
		0},
	{"R-RESC-018", "rescinded while it waits for the open's result", rescinded_at_open,
		LINUX_BUS, 0, 0},
	{"R-RESC-016", "rescinded while it waits for a GPADL", rescinded_at_gpadl, LINUX_BUS, 0, 0},
	{"R-RESC-016", "rescinded while it waits for a teardown", rescinded_at_teardown, LINUX_BUS,
		0, 0},
	{"R-RESC-020", "offer and rescind back to back leave nothing", back_to_back, LINUX_BUS, 0,
		0},
	{"R-RESC-019", "rescinds of relids that were never offered", rescind_unknown, LINUX_BUS, 0,
		0},
	{"R-RESC-019", "rescinded five times", rescind_twice, LINUX_BUS, 0, 0},
	{"R-MOD-008", "a channel moves to another processor", moved, LINUX_BUS, 0, 0},
	{"R-MOD-009", "rescinded while it waits to be moved", moved_and_rescinded, LINUX_BUS, 0, 0},
	{"R-OPEN-025", "subchannels are closed before the primary", subchannels, LINUX_BUS, 0, 0},
	{"R-RESC-021", "the primary is rescinded before its subchannels", primary_first, LINUX_BUS,
		0, 0},
	{"R-UNL-012", "UNLOAD_COMPLETE that it did not ask for", unload_unasked, LINUX_BUS, 0, 0},
	{"R-CONN-028", "VERSION_RESPONSE that it did not ask for", version_unasked, LINUX_BUS, 0,
		0},
};
const size_t linux_channel_test_count = sizeof linux_channel_tests / sizeof *linux_channel_tests;
