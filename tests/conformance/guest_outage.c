// SPDX-License-Identifier: Apache-2.0
/* A storage client whose host falls silent, goes away, or breaks a ring, under I/O: storage.md 9.
 */
#include "tests/conformance/guest_storage.h"

static enum conform_verdict silent_scan(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	stage->hook = stage_hold;
	const uint64_t began = stage->h->script.now_100ns;
	const int error = storage_controller_scan(&stage->controller, guest_deadline(stage->h));
	const uint64_t took = stage->h->script.now_100ns - began;
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "it ends with %d", error);
	EXPECT(took >= 10 * SECOND && took < 11 * SECOND, "it takes %llu ms",
		(unsigned long long)took / 10000);
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict never_answered(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, 3);
	const unsigned first = 2; /* of the last packets: the first request's */

	TRY(stage != NULL);
	const struct stage_packet packet = *stage_last(stage, first);
	storage_stage_later(stage, 29000);
	EXPECT(!storage_vsc_is_idle(&stage->requests[0]) && stage->operations[4] == 0,
		"it is given up early");
	storage_stage_later(stage, 1100);
	EXPECT(stage->operations[4] == 1, "after 30 s there are %u resets", stage->operations[4]);
	EXPECT(!storage_vsc_is_idle(&stage->requests[0]), "the reset ends it");
	storage_stage_later(stage, 10100);
	for (unsigned i = 0; i < 3; i++) {
		TRY(stage_ended(stage, i, -VIRIDIAN_ETIMEDOUT));
		EXPECT(stage->requests[i].is_memory_lost, "its memory is said to be free");
	}
	static struct stage_answer answer;
	storage_stage_answer(stage, &packet, &answer);
	stage->requests[0].result = 77;
	EXPECT(storage_stage_give(stage, &packet, &answer), "there is no room");
	storage_stage_serve(stage);
	EXPECT(stage->requests[0].result == 77, "the late answer ends it again");
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* A request with a time of its own, beside one without. */
static enum conform_verdict own_time(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, 1);

	TRY(stage != NULL);
	stage->requests[1] = stage_read(stage, 1, 1);
	stage->requests[1].timeout_ms = 5000;
	EXPECT(storage_vsc_submit(&stage->controller.vsc, &stage->requests[1]) == 0,
		"it is not taken");
	storage_vsc_flush(&stage->controller.vsc);
	storage_stage_later(stage, 4900);
	EXPECT(stage->operations[4] == 0, "it is given up early");
	storage_stage_later(stage, 200);
	EXPECT(stage->operations[4] == 1, "after 5 s there are %u resets", stage->operations[4]);
	storage_stage_later(stage, 10100);
	TRY(stage_ended(stage, 1, -VIRIDIAN_ETIMEDOUT));
	EXPECT(!storage_vsc_is_idle(&stage->requests[0]), "the other one ends with it");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* The channel is closed, but its memory is not given back. */
static enum conform_verdict never_torn_down(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, 3);

	TRY(stage != NULL);
	stage->h->is_silent[11] = true;
	const uint64_t began = stage->h->script.now_100ns;
	const int error = storage_controller_close(&stage->controller, guest_deadline(stage->h));
	const uint64_t took = stage->h->script.now_100ns - began;
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "closing gives %d", error);
	EXPECT(took < 11 * SECOND, "it takes %llu ms", (unsigned long long)took / 10000);
	for (unsigned i = 0; i < 3; i++) {
		TRY(stage_ended(stage, i, -VIRIDIAN_ECANCELED));
		EXPECT(stage->requests[i].is_memory_lost,
			"the memory of request %u is said to be free", i);
	}
	stage->h->is_silent[11] = false;
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict closed_under_io(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, STAGE_SLOTS);

	TRY(stage != NULL);
	EXPECT(storage_controller_close(&stage->controller, guest_deadline(stage->h)) == 0,
		"closing fails");
	for (unsigned i = 0; i < STAGE_SLOTS; i++) {
		TRY(stage_ended(stage, i, -VIRIDIAN_ECANCELED));
		EXPECT(!stage->requests[i].is_memory_lost, "the memory of request %u is lost", i);
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict rescinded_under_io(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, STAGE_SLOTS);

	TRY(stage != NULL);
	host_rescind(stage->h, 1);
	storage_stage_serve(stage);
	EXPECT(storage_controller_service(&stage->controller, NULL) == -VIRIDIAN_ENODEV,
		"the controller is not said to be gone");
	const unsigned packets = stage->packet_count;
	EXPECT(stage_read_now(stage, 1) < 0, "a read succeeds");
	EXPECT(storage_controller_close(&stage->controller, guest_deadline(stage->h)) == 0,
		"closing fails");
	EXPECT(stage->packet_count == packets, "it still sends");
	for (unsigned i = 0; i < STAGE_SLOTS; i++)
		TRY(stage_ended(stage, i, -VIRIDIAN_ENODEV));
	storage_stage_serve(stage);
	EXPECT(host_posts(stage->h, 13) == 1, "the relid is released %u times",
		host_posts(stage->h, 13));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict corrupt_under_io(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, 4);

	TRY(stage != NULL);
	*host_word(stage->h, 1, true, RING_WORD_IN) = 0x80000000;
	host_event(stage->h, 1);
	guest_serve(stage->h);
	EXPECT(storage_controller_service(&stage->controller, NULL) == -VIRIDIAN_EPROTO,
		"the controller is not said to have failed");
	EXPECT(storage_controller_close(&stage->controller, guest_deadline(stage->h)) == 0,
		"closing fails");
	for (unsigned i = 0; i < 4; i++)
		TRY(stage_ended(stage, i, -VIRIDIAN_ECANCELED));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Nobody reads the ring: all that is submitted ends, what was not sent without loss. */
static enum conform_verdict nobody_reads(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	stage->h->channels[1].is_open = false;
	for (unsigned round = 0; round < 3; round++) {
		TRY(stage_submit(stage, 40));
		storage_stage_later(stage, 31000);
		storage_stage_later(stage, 11000);
		for (unsigned i = 0; i < 40; i++)
			TRY(stage_ended(stage, i, -VIRIDIAN_ETIMEDOUT));
	}
	stage->h->channels[1].is_open = true;
	storage_stage_serve(stage);
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static void absent(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	if (!stage_is_cdb(packet, 0x28))
		return;
	stage->turn++;
	answer->payload[VSTOR_SRB_STATUS] = 0x20;
	answer->payload[VSTOR_SCSI_STATUS] = 2;
	put32(answer->payload + VSTOR_DATA_LENGTH, 0);
}

static enum conform_verdict gone_under_io(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	stage->hook = absent;
	stage->has_lun = 0;
	EXPECT(stage_read_now(stage, 1) == -VIRIDIAN_ENODEV, "a disk that is gone reads");
	EXPECT(stage->turn == 1, "it is asked %u times", stage->turn);
	storage_stage_later(stage, 1000);
	EXPECT(stage_lun(stage, 0) == NULL && stage->removed == 1, "the disk is still there");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

const struct conform_test guest_outage_tests[] = {
	{"R-STOR-097", "a search without answers ends by its deadline", silent_scan, 0, 0, 0},
	{"R-STOR-089", "without an answer the memory of a request is lost", never_answered, 0, 0,
		0},
	{"R-STOR-097", "a request may have a time of its own", own_time, 0, 0, 0},
	{"R-STOR-089", "without a teardown the memory of requests is lost", never_torn_down, 0, 0,
		0},
	{"R-STOR-089", "with one it is not", closed_under_io, 0, 0, 0},
	{"R-STOR-102", "a controller that is rescinded ends its requests", rescinded_under_io, 0, 0,
		0},
	{"R-STOR-102", "a controller with a broken ring ends its requests", corrupt_under_io, 0, 0,
		0},
	{"R-STOR-097", "requests that nobody reads end by their deadline", nobody_reads, 0, 0, 0},
	{"R-STOR-056", "a disk that says that it is gone is looked for", gone_under_io, 0, 0, 0},
};
const size_t guest_outage_test_count = sizeof guest_outage_tests / sizeof guest_outage_tests[0];
