// SPDX-License-Identifier: Apache-2.0
/* The storage client's handshake and channels: storage.md 3, 4. */
#include "tests/conformance/guest_storage.h"

#include <string.h>

/* ---- handshake ------------------------------------------------------------------------------ */

/* The operations so far, in order, are these. */
static bool asked_in_order(struct storage_stage *stage, const uint8_t *operations, unsigned count)
{
	for (unsigned i = 0; i < count && i < stage->packet_count; i++)
		if (!stage_is(&stage->packets[i], operations[i]))
			return conform_no(stage->t, "packet %u asks for operation %u", i,
				get32(stage->packets[i].payload));
	return stage->packet_count == count ||
	       conform_no(stage->t, "there are %u packets, not %u", stage->packet_count, count);
}

static enum conform_verdict handshake_order(struct conform_target *t)
{
	static const uint8_t order[] = {7, 9, 10, 8};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	const int error = storage_stage_open(stage, 0);
	EXPECT(error == 0, "opening fails: %d", error);
	TRY(asked_in_order(stage, order, 4));
	EXPECT(stage->controller.vsc.max_transfer_bytes == STAGE_TRANSFER, "requests of %u bytes",
		stage->controller.vsc.max_transfer_bytes);
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static uint32_t status_of_step;

static void refuse_step(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	if (stage_is(packet, stage->turn))
		put32(answer->payload + VSTOR_STATUS, status_of_step);
}

static enum conform_verdict handshake_refused(struct conform_target *t)
{
	static const uint8_t steps[] = {7, 10, 8};
	static const uint32_t statuses[] = {1, 0x80000005, 0xc0000001, 0xc0000184, 0xffffffff};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned n = 0; n < sizeof statuses / sizeof statuses[0]; n++) {
			stage->turn = steps[i];
			status_of_step = statuses[n];
			stage->hook = refuse_step;
			const int error = storage_stage_open(stage, 0);
			EXPECT(error == -VIRIDIAN_EIO, "operation %u with status 0x%x: %d",
				steps[i], statuses[n], error);
			EXPECT(stage_is(stage_last(stage, 0), steps[i]),
				"operation %u with status 0x%x: it goes on", steps[i], statuses[n]);
		}
	stage->hook = NULL;
	EXPECT(storage_stage_open(stage, 0) == 0, "it does not open any more");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict versions_downward(struct conform_target *t)
{
	static const uint16_t versions[] = {0x0602, 0x0600, 0x0501, 0x0402, 0x0200, 0x0100};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < 6; i++) {
		stage->version = versions[i];
		stage->packet_count = 0;
		const int error = storage_stage_open(stage, 0);
		EXPECT(error == (i < 5 ? 0 : -VIRIDIAN_ENOTSUP), "at most 0x%x: %d", versions[i],
			error);
		for (unsigned n = 0; n <= i && n < 5; n++) {
			const struct stage_packet *asked = &stage->packets[1 + n];
			EXPECT(stage_is(asked, 9) &&
					get16(asked->payload + VSTOR_BODY) == versions[n],
				"at most 0x%x: question %u is for 0x%x", versions[i], n,
				get16(asked->payload + VSTOR_BODY));
			EXPECT(asked->bytes == (versions[n] < 0x0501 ? 48 : 64),
				"0x%x is asked for in %u bytes", versions[n], asked->bytes);
		}
		if (error == 0)
			EXPECT(storage_controller_close(
				       &stage->controller, guest_deadline(stage->h)) == 0,
				"closing fails");
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static void silence_from(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)packet;
	answer->is_held = stage->packet_count > stage->turn;
}

static enum conform_verdict handshake_silence(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	for (stage->turn = 0; stage->turn < 4; stage->turn++) {
		stage->hook = silence_from;
		stage->packet_count = 0;
		const uint64_t began = stage->h->script.now_100ns;
		const int error = storage_stage_open(stage, 0);
		const uint64_t took = stage->h->script.now_100ns - began;
		EXPECT(error == -VIRIDIAN_ETIMEDOUT, "silence from packet %u on: %d", stage->turn,
			error);
		EXPECT(took >= 10 * SECOND && took < 11 * SECOND, "it takes %llu ms",
			(unsigned long long)took / 10000);
	}
	stage->hook = NULL;
	EXPECT(storage_stage_open(stage, 0) == 0, "it does not open any more");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static unsigned lie_operation, lie_bytes;

static void answer_otherwise(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	if (!stage_is(packet, stage->turn))
		return;
	put32(answer->payload, lie_operation);
	answer->bytes = lie_bytes;
}

/* Other operations than COMPLETE_IO, and answers cut short. */
static enum conform_verdict handshake_nonsense(struct conform_target *t)
{
	static const struct {
		unsigned operation, bytes;
	} rows[] = {{0, 64}, {2, 64}, {3, 64}, {7, 64}, {0xffffffff, 64}, {1, 0}, {1, 8}, {1, 24},
		{1, 56}};
	static const uint8_t steps[] = {7, 9, 10, 8};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned n = 0; n < sizeof rows / sizeof rows[0]; n++) {
			stage->turn = steps[i];
			lie_operation = rows[n].operation;
			lie_bytes = rows[n].bytes;
			stage->hook = answer_otherwise;
			const int error = storage_stage_open(stage, 0);
			EXPECT(error == -VIRIDIAN_EPROTO,
				"step %u is answered by operation %u in %u bytes: %d", steps[i],
				rows[n].operation, rows[n].bytes, error);
		}
	stage->hook = NULL;
	EXPECT(storage_stage_open(stage, 0) == 0, "it does not open any more");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Most bytes of a request: 0 and less than a page is nothing, more than can be is cut. */
static enum conform_verdict transfer_sizes(struct conform_target *t)
{
	static const struct {
		uint32_t said, taken;
	} rows[] = {{0, 0}, {1, 0}, {4095, 0}, {4096, 4096}, {8191, 4096}, {65536, 65536}};
	static const uint32_t huge[] = {0x01000000, 0x7fffffff, 0x80000000, 0xffffffff};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		stage->max_transfer = rows[i].said;
		const int error = storage_stage_open(stage, 0);
		EXPECT(error == (rows[i].taken > 0 ? 0 : -VIRIDIAN_EPROTO), "%u bytes: %d",
			rows[i].said, error);
		if (error != 0)
			continue;
		EXPECT(stage->controller.vsc.max_transfer_bytes == rows[i].taken,
			"%u bytes are taken for %u", rows[i].said,
			stage->controller.vsc.max_transfer_bytes);
		(void)storage_controller_close(&stage->controller, guest_deadline(stage->h));
	}
	for (unsigned i = 0; i < sizeof huge / sizeof huge[0]; i++) {
		stage->max_transfer = huge[i];
		EXPECT(storage_stage_open(stage, 0) == 0, "0x%x bytes: it does not open", huge[i]);
		/* a page number for each 4096 bytes, in a ring of 12288 */
		EXPECT(stage->controller.vsc.max_transfer_bytes < 1536 * 4096,
			"0x%x bytes: requests of %u", huge[i],
			stage->controller.vsc.max_transfer_bytes);
		(void)storage_controller_close(&stage->controller, guest_deadline(stage->h));
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Everything else that the guest may be told, before it has asked. */
static enum conform_verdict handshake_unasked(struct conform_target *t)
{
	static const uint8_t done[64] = {1};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	stage->hook = stage_silence;
	EXPECT(storage_stage_open(stage, 0) == -VIRIDIAN_ETIMEDOUT, "it opens without answers");
	const uint64_t id = stage_last(stage, 0)->id;
	stage->hook = NULL;
	EXPECT(storage_stage_open(stage, 0) == 0, "it does not open again");
	const unsigned packets = stage->packet_count;
	/* late, and once more for the last step */
	const uint64_t ids[] = {id, stage_last(stage, 0)->id, stage_last(stage, 1)->id, 0};
	for (unsigned i = 0; i < 4; i++) {
		EXPECT(storage_stage_send(stage, 1, PACKET_TYPE_COMPLETION, ids[i], done, 64),
			"there is no room");
		storage_stage_serve(stage);
		EXPECT(stage->packet_count == packets, "answer %u makes it ask for more", i);
		EXPECT(stage->controller.vsc.state == STORAGE_VSC_READY, "answer %u ends it", i);
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Each answer comes twice: the second is not that of the next step. */
static void twice(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)storage_stage_give(stage, packet, answer);
}

static enum conform_verdict handshake_twice(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	stage->version = 0x0501;
	stage->hook = twice;
	const int error = storage_stage_open(stage, 0);
	EXPECT(error == 0, "opening fails: %d", error);
	EXPECT(stage->controller.vsc.version->version == 0x0501, "version 0x%x",
		stage->controller.vsc.version->version);
	EXPECT(storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0 &&
			stage_lun(stage, 0) != NULL,
		"it finds no disk");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* ---- subchannels ---------------------------------------------------------------------------- */

/* The controller with so many channels in all. */
static bool opens_with(struct storage_stage *stage, uint16_t wanted, unsigned channels)
{
	struct conform_target *t = stage->t;
	const int error = storage_stage_open(stage, wanted);

	if (error != 0)
		return conform_no(t, "it does not open: %d", error);
	storage_stage_serve(stage);
	const unsigned open = 1 + stage->controller.sub_channels_open;
	if (open != channels)
		return conform_no(t, "there are %u channels, not %u", open, channels);
	const int scanned = storage_controller_scan(&stage->controller, guest_deadline(stage->h));
	if (scanned != 0 || stage_lun(stage, 0) == NULL)
		return conform_no(t, "it finds no disk: %d", scanned);
	return true;
}

static enum conform_verdict sub_channels(struct conform_target *t)
{
	static const struct {
		uint16_t said, offered, wanted, channels;
	} rows[] = {{0, 0, 2, 1}, {4, 2, 2, 3}, {4, 4, 2, 3}, {1, 3, 2, 2}, {4, 0, 2, 1},
		{4, 1, 2, 2}, {0xffff, 2, 2, 3}, {4, 2, 0, 1}};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct storage_stage *stage = storage_stage(t);
		TRY(stage != NULL);
		stage->sub_channels = rows[i].said;
		stage->sub_channels_offered = rows[i].offered;
		stage->operations[13] = 0;
		if (!opens_with(stage, rows[i].wanted, rows[i].channels)) {
			char said[CONFORM_EVIDENCE_BYTES];
			memcpy(said, t->evidence, sizeof said);
			return conform_fail(t, "case %u: %s", i, said);
		}
		EXPECT(stage->operations[13] == (rows[i].said > 0 && rows[i].wanted > 0),
			"case %u: it asks for subchannels %u times", i, stage->operations[13]);
		EXPECT(stage->operations[13] == 0 ||
				stage->sub_channels_asked == (rows[i].said < rows[i].wanted
									     ? rows[i].said
									     : rows[i].wanted),
			"case %u: it asks for %u", i, stage->sub_channels_asked);
		for (unsigned lba = 0; lba < 60; lba++) {
			EXPECT(stage_read_now(stage, lba) == 0, "case %u: a read fails", i);
			TRY(stage_data_is(stage, 0, lba, 512));
		}
		TRY(storage_stage_ends(stage, 0));
		EXPECT(vmbus_unload(stage->h->bus, guest_deadline(stage->h)) == 0, "unload fails");
	}
	return CONFORM_PASS;
}

/* Before 5.1 those fields may hold anything. */
static enum conform_verdict sub_channels_of_old(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	stage->version = 0x0402;
	stage->sub_channels = 4;
	stage->sub_channels_offered = 2;
	TRY(opens_with(stage, 2, 1));
	EXPECT(stage->operations[13] == 0, "it asks for subchannels at 4.2");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict sub_channels_refused(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	stage->sub_channels = 4;
	stage->turn = 13;
	status_of_step = 0xc0000001;
	stage->hook = refuse_step;
	TRY(opens_with(stage, 2, 1));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* A subchannel goes while requests are on it: they go out again, on another. */
static enum conform_verdict sub_channel_rescinded(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);
	struct storage_vsc_request requests[STAGE_SLOTS];
	unsigned on_sub = 0;

	TRY(stage != NULL);
	stage->sub_channels = stage->sub_channels_offered = 1;
	TRY(opens_with(stage, 1, 2));
	stage->hook = stage_hold;
	for (unsigned i = 0; i < STAGE_SLOTS; i++) {
		requests[i] = stage_read(stage, i, 1);
		requests[i].data = storage_vsc_data_at(&stage->data, 512u * i, 512);
		EXPECT(storage_vsc_submit(&stage->controller.vsc, &requests[i]) == 0,
			"request %u is not taken", i);
	}
	storage_vsc_flush(&stage->controller.vsc);
	storage_stage_serve(stage);
	for (unsigned i = 0; i < STAGE_SLOTS; i++)
		on_sub += stage_last(stage, i)->relid == 4;
	EXPECT(on_sub > 0 && on_sub < STAGE_SLOTS, "%u of 16 requests are on the subchannel",
		on_sub);
	/* those of the primary are answered, the subchannel is gone */
	stage->hook = NULL;
	for (unsigned i = 0; i < STAGE_SLOTS; i++) {
		static struct stage_answer answer;
		const struct stage_packet packet = *stage_last(stage, i);
		storage_stage_answer(stage, &packet, &answer);
		if (packet.relid == 1)
			EXPECT(storage_stage_give(stage, &packet, &answer), "there is no room");
	}
	host_rescind(stage->h, 4);
	storage_stage_serve(stage);
	for (unsigned i = 0; i < STAGE_SLOTS; i++) {
		EXPECT(storage_vsc_is_idle(&requests[i]), "request %u has not ended", i);
		EXPECT(requests[i].result == 0, "request %u ends with %d", i, requests[i].result);
		TRY(stage_data_is(stage, 512u * i, i, 512));
	}
	EXPECT(stage->controller.sub_channels_open == 0, "the subchannel is still open");
	EXPECT(get32(host_last(stage->h, 13)->payload + 8) == 4, "the relid is not released");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Offers of a subchannel that was not asked for, and of numbers that are none. */
static enum conform_verdict sub_channels_unasked(struct conform_target *t)
{
	static const uint16_t numbers[] = {1, 2, 65, 0x7fff, 0xffff};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	TRY(opens_with(stage, 2, 1));
	const unsigned opens = host_posts(stage->h, 5);
	for (unsigned i = 0; i < 5; i++) {
		stage->h->subchannel[4 + i] = numbers[i];
		stage->h->interface[4 + i] = stage->h->interface[1];
		host_offer(stage->h, 4 + i);
		storage_stage_serve(stage);
	}
	EXPECT(host_posts(stage->h, 5) == opens, "it opens a subchannel that it did not ask for");
	EXPECT(stage_read_now(stage, 7) == 0, "a read fails");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict controller_again(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < 10; i++) {
		EXPECT(storage_controller_close(&stage->controller, guest_deadline(stage->h)) == 0,
			"time %u: closing fails", i);
		EXPECT(stage_lun(stage, 0) == NULL, "time %u: the disk stays", i);
		stage->packet_count = 0;
		EXPECT(storage_stage_open(stage, 0) == 0, "time %u: it does not open", i);
		EXPECT(stage_is(&stage->packets[0], 7), "time %u: it begins with operation %u", i,
			get32(stage->packets[0].payload));
		EXPECT(storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0 &&
				stage_read_now(stage, i) == 0,
			"time %u: a read fails", i);
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

const struct conform_test guest_storage_tests[] = {
	{"R-STOR-049", "the handshake has its order", handshake_order, 0, 0, 0},
	{"R-STOR-049", "any status but 0 ends it", handshake_refused, 0, 0, 0},
	{"R-STOR-049", "after a refused version the next lower one is asked for", versions_downward,
		0, 0, 0},
	{"R-STOR-049", "every controller begins anew", controller_again, 0, 0, 0},
	{"R-STOR-051", "the size of requests is the host's, within reason", transfer_sizes, 0, 0,
		0},
	{"R-STOR-053", "answers of before, and second ones, are no steps", handshake_unasked, 0, 0,
		0},
	{"R-STOR-053", "an answer that comes twice is not that of two steps", handshake_twice, 0, 0,
		0},
	{"R-STOR-097", "a step without an answer ends by its deadline", handshake_silence, 0, 0, 0},
	{"R-STOR-098", "answers that are none end the handshake", handshake_nonsense, 0, 0, 0},
	{"R-STOR-094", "subchannels are as many as granted, offered and wanted", sub_channels, 0, 0,
		0},
	{"R-STOR-093", "no more subchannels are asked for than there are", sub_channels, 0, 0, 0},
	{"R-STOR-093", "below 5.1 there are no subchannels", sub_channels_of_old, 0, 0, 0},
	{"R-STOR-094", "without subchannels one channel will do", sub_channels_refused, 0, 0, 0},
	{"R-STOR-096", "what was on a subchannel that goes is sent again", sub_channel_rescinded, 0,
		0, 0},
	{"R-STOR-095", "subchannels that were not asked for are left alone", sub_channels_unasked,
		0, 0, 0},
};
const size_t guest_storage_test_count = sizeof guest_storage_tests / sizeof guest_storage_tests[0];
