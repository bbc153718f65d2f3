// SPDX-License-Identifier: Apache-2.0
/*
 * A storage controller on the bus, and vsc-disk with several of them, against a host that
 * offers and grants more than it will open, breaks the ring of one channel, or does not
 * answer at the end.
 */
#include "tests/harness.h"
#include "tests/unit/storage_vsc_rig.h"
#include "tests/unit/vmbus_bus_peer.h"

#include "guest/vsc/vsc_disk_guest.h"

#define SUB_CHANNELS 5u
#define RING_BYTES   8192u
#define READS	     40u

struct host_rings {
	struct ring_reader in;
	struct ring_writer out;
	uint8_t scratch[2][STORAGE_CONTROLLER_RING_OUT_BYTES];
};

struct stage {
	struct peer *peer;
	struct rig *model; /* of the disks, and what is answered */
	struct host_rings rings[PEER_CHANNELS];
	struct storage_controller controller;
	struct storage_vsc_slot slots[64];
	struct storage_vsc_lun luns[4];
	uint32_t silent_from; /* relids from here on: their GPADLs are not answered; 0: none */
};

static struct stage *stage;

static struct ring_area area_of(uint8_t *at, uint32_t bytes, uint8_t *scratch)
{
	return (struct ring_area){
		.control = at,
		.data = at + RING_CONTROL_BYTES,
		.data_bytes = bytes - RING_CONTROL_BYTES,
		.scratch = scratch,
		.scratch_bytes = STORAGE_CONTROLLER_RING_OUT_BYTES,
	};
}

static void rings_take(struct peer *p, uint32_t relid, uint32_t out_bytes, uint32_t in_bytes)
{
	const struct peer_channel *channel = &p->channels[relid];
	struct host_rings *rings = &stage->rings[relid];
	uint8_t *at = platform_scripted_at(
		&p->script, channel->first_pfn * 4096, (uint64_t)out_bytes + in_bytes);
	const struct ring_area in = area_of(at, out_bytes, rings->scratch[0]);
	const struct ring_area out = area_of(at + out_bytes, in_bytes, rings->scratch[1]);
	CU_ASSERT_EQUAL(ring_open(&rings->out, &out, &rings->in, &in, RING_FLAGS_STRICT), RING_OK);
}

static void on_open(struct peer *p, uint32_t relid)
{
	rings_take(p, relid, RING_BYTES, RING_BYTES);
}

static void on_open_large(struct peer *p, uint32_t relid)
{
	rings_take(p, relid, STORAGE_CONTROLLER_RING_OUT_BYTES, STORAGE_CONTROLLER_RING_IN_BYTES);
}

static void host_answer(uint32_t relid, const struct packet_view *view)
{
	static struct rig_packet packet;
	static struct rig_answer answer;
	struct host_rings *rings = &stage->rings[relid];
	packet.type = view->type;
	packet.id = view->transaction_id;
	packet.extended_bytes = view->extended_bytes;
	packet.payload_bytes = view->payload_bytes;
	memcpy(packet.extended, view->extended, view->extended_bytes);
	memcpy(packet.payload, view->payload, view->payload_bytes);
	rig_answer_make(stage->model, &packet, &answer);
	if (answer.is_held)
		return;
	uint64_t gpn;
	memcpy(&gpn, packet.extended + 16, sizeof gpn);
	if (answer.has_data) /* replies of a scan: one page */
		memcpy(platform_scripted_at(&stage->peer->script, gpn * 4096, 4096), answer.data,
			answer.data_bytes);
	const struct packet_header header = {
		.type = answer.type,
		.payload_bytes = answer.bytes,
		.transaction_id = answer.id,
	};
	(void)ring_send(&rings->out, &header, NULL, answer.payload);
}

/* The host's turn, while the guest sleeps. */
static void host_run(void *ctx, struct platform_scripted *script, uint32_t vp)
{
	struct peer *p = ctx;
	(void)script;
	(void)vp;
	for (uint32_t relid = 1; relid < PEER_CHANNELS; relid++) {
		struct host_rings *rings = &stage->rings[relid];
		struct packet_view view;
		if (!p->channels[relid].is_open || rings->in.data == NULL ||
			(stage->silent_from != 0 && relid >= stage->silent_from))
			continue;
		while (ring_peek(&rings->in, &view) == RING_OK) {
			host_answer(relid, &view);
			ring_release(&rings->in, &view);
		}
		(void)ring_read_flush(&rings->in);
		if (ring_flush(&rings->out))
			peer_event(p, 0, relid);
	}
}

static uint16_t on_post(
	void *ctx, struct platform_scripted *script, const struct scripted_post *post)
{
	struct peer *p = ctx;
	const uint8_t *m = post->payload;
	if ((get32(m) == 8 || get32(m) == 9) && stage->silent_from != 0)
		p->is_silent[8] = get32(m) == 8 ? get32(m + 8) >= stage->silent_from
						: p->is_silent[8];
	return peer_on_post(ctx, script, post);
}

static void stage_open(unsigned sub_channels, uint32_t silent_from)
{
	stage = calloc(1, sizeof *stage);
	if (stage == NULL)
		abort();
	stage->model = rig_new();
	stage->model->sub_channels = (uint16_t)sub_channels;
	stage->silent_from = silent_from;
	stage->peer = peer_create(VMBUS_VERSION_5_3, NULL);
	struct peer *p = stage->peer;
	p->offers = 1 + sub_channels;
	for (uint32_t relid = 2; relid <= p->offers; relid++)
		p->subchannel[relid] = relid - 1;
	p->on_open = on_open;
	p->script.on_post = on_post;
	p->script.on_wait = host_run;
	CU_ASSERT_EQUAL_FATAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	const struct storage_controller_config config = {
		.sub_channels = (uint16_t)sub_channels,
		.target_count = 3,
		.ring_out_bytes = RING_BYTES,
		.ring_in_bytes = RING_BYTES,
		.slots = stage->slots,
		.slot_count = 64,
		.luns = stage->luns,
		.lun_count = 4,
	};
	CU_ASSERT_EQUAL_FATAL(storage_controller_open(&stage->controller, p->bus, &p->hv, 1,
				      &config, peer_deadline(p)),
		0);
}

static void stage_close(void)
{
	(void)storage_controller_close(&stage->controller, peer_deadline(stage->peer));
	(void)vmbus_unload(stage->peer->bus, peer_deadline(stage->peer));
	peer_destroy(stage->peer);
	free(stage->model);
	free(stage);
}

static void sub_channels_that_do_not_open_cost_one_deadline(void)
{
	stage_open(SUB_CHANNELS, 2);
	struct peer *p = stage->peer;
	const uint64_t start = p->script.now_100ns;
	/* the host grants them all, and the guest tries to open them */
	CU_ASSERT_EQUAL(storage_controller_scan(&stage->controller, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(stage->controller.vsc.sub_channels_granted, SUB_CHANNELS);
	CU_ASSERT_EQUAL(stage->controller.sub_channels_open, 0);
	CU_ASSERT(p->script.now_100ns - start <=
		  STORAGE_CONTROLLER_OPEN_100NS + VMBUS_CLIENT_GRACE_100NS);
	stage_close();
}

static void hold_reads(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	answer->is_held = packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
			  packet->payload[28] == SCSI_OP_READ_10;
}

static unsigned reads_done;

static void on_read(struct storage_vsc_request *request)
{
	reads_done += request->result == 0;
}

static void a_broken_sub_channel_is_closed_and_its_requests_go_elsewhere(void)
{
	struct storage_vsc_request requests[READS] = {0};
	stage_open(1, 0);
	struct peer *p = stage->peer;
	struct storage_vsc *vsc = &stage->controller.vsc;
	CU_ASSERT_EQUAL(storage_controller_scan(&stage->controller, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL_FATAL(stage->controller.sub_channels_open, 1);
	reads_done = 0;
	stage->model->hook = hold_reads;
	for (unsigned i = 0; i < READS; i++) {
		requests[i] = (struct storage_vsc_request){
			.lun = &stage->luns[0],
			.op = STORAGE_VSC_READ,
			.blocks = 8,
			.data = {.first_gpn = 16, .bytes = 4096},
			.done = on_read,
		};
		CU_ASSERT_EQUAL(storage_vsc_submit(vsc, &requests[i]), 0);
		storage_vsc_flush(vsc);
		if (i != READS / 2)
			continue;
		host_run(p, &p->script, 0); /* takes them, answers none */
		CU_ASSERT(vsc->channels[1].in_flight > 0);
		stage->model->hook = NULL;
		/* the read index of the ring to the host, as a reader never leaves it */
		*peer_control(p, 2, false, RING_WORD_OUT) = 4;
	}
	for (unsigned i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(storage_controller_poll(&stage->controller, SECOND / 100), 0);
	CU_ASSERT_EQUAL(stage->controller.sub_channels_open, 0);
	CU_ASSERT_FALSE(p->channels[2].is_open);
	/* what the host had held on the primary is left */
	CU_ASSERT_EQUAL(reads_done + vsc->channels[0].in_flight, READS);
	CU_ASSERT(vsc->channels[0].in_flight <= READS / 2);
	stage_close();
}

static uint32_t torn_id; /* a teardown that is answered at the guest's next sleep */

static uint16_t on_post_later(
	void *ctx, struct platform_scripted *script, const struct scripted_post *post)
{
	if (get32(post->payload) == 11)
		torn_id = get32(post->payload + 12);
	return peer_on_post(ctx, script, post);
}

static void on_wait_later(void *ctx, struct platform_scripted *script, uint32_t vp)
{
	(void)script;
	(void)vp;
	if (torn_id != 0)
		peer_words(ctx, 12, 1, torn_id, 0, 0);
	torn_id = 0;
}

static void memory_comes_back_from_a_device_that_does_not_answer(void)
{
	static struct storage_controller controller;
	static struct storage_vsc_slot slots[4];
	static struct storage_vsc_lun luns[1];
	struct vmbus_statistics statistics;
	const struct storage_controller_config config = {
		.slots = slots, .slot_count = 4, .luns = luns, .lun_count = 1};
	struct peer *p = peer_connected(VMBUS_VERSION_5_3, NULL, 1);
	p->script.on_post = on_post_later;
	p->script.on_wait = on_wait_later;
	p->is_silent[11] = true;
	/* the bus answers, if not at once; the device never does */
	CU_ASSERT_EQUAL(
		storage_controller_open(&controller, p->bus, &p->hv, 1, &config, peer_deadline(p)),
		-VIRIDIAN_ETIMEDOUT);
	vmbus_statistics_get(p->bus, &statistics);
	CU_ASSERT_EQUAL(statistics.pages_lent, 0);
	CU_ASSERT_EQUAL(statistics.pages_abandoned, 0);
	(void)vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void memory_that_a_host_keeps_is_counted(void)
{
	stage_open(0, 0);
	struct peer *p = stage->peer;
	p->is_silent[11] = true;
	CU_ASSERT_EQUAL(storage_controller_close(&stage->controller, peer_deadline(p)),
		-VIRIDIAN_ETIMEDOUT);
	/* What the search lent; the rings are counted by the bus. */
	CU_ASSERT_EQUAL(p->hv.pages_abandoned, STORAGE_VSC_SCAN_BYTES / WINHV_PAGE_BYTES);
	stage_close();
}

/* ---- vsc-disk ------------------------------------------------------------------------------ */

static unsigned luns_added;

static void on_lun(void *ctx, struct disk_controller *controller, enum storage_vsc_event event,
	struct storage_vsc_lun *lun)
{
	(void)ctx;
	(void)controller;
	(void)lun;
	luns_added += event == STORAGE_VSC_LUN_ADDED;
}

static const struct disk_options disk_options = {
	.connect = "test",
	.channels = 1,
	.queue_depth = 16,
	.timeout_s = 30,
};

static unsigned controllers_offered;

static void storage_offer(struct peer *p, uint32_t relid)
{
	uint8_t m[196];
	offer_bytes(m, relid, (uint8_t)relid, 0);
	memcpy(m + 8, &guid_storage, 16);
	peer_say(p, m, sizeof m);
}

/* Offers of storage controllers come before what the peer has to say. */
static uint16_t on_post_offering(
	void *ctx, struct platform_scripted *script, const struct scripted_post *post)
{
	struct peer *p = ctx;
	if (get32(post->payload) == 3)
		for (uint32_t relid = 1; relid <= controllers_offered; relid++)
			storage_offer(p, relid);
	return peer_on_post(ctx, script, post);
}

/* A guest as disk_guest_connect() leaves it, but that controllers are still to be opened. */
static struct disk_guest *guest_connected(unsigned controllers)
{
	struct disk_guest *guest = calloc(1, sizeof *guest);
	stage = calloc(1, sizeof *stage);
	if (stage == NULL || guest == NULL)
		abort();
	stage->model = rig_new();
	stage->peer = peer_create(VMBUS_VERSION_5_3, NULL);
	struct peer *p = stage->peer;
	controllers_offered = controllers;
	p->on_open = on_open_large;
	p->script.on_post = on_post_offering;
	p->script.on_wait = host_run;
	CU_ASSERT_EQUAL_FATAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	guest->options = &disk_options;
	guest->hv = p->hv;
	guest->bus = p->bus; /* the guest's from here on */
	guest->is_bus_up = true;
	guest->are_offers_new = true;
	guest->on_lun = on_lun;
	return guest;
}

static void guest_close(struct disk_guest *guest)
{
	if (guest->is_bus_up)
		(void)disk_guest_disconnect(guest, false);
	stage->peer->bus = NULL;
	peer_destroy(stage->peer);
	free(stage->model);
	free(stage);
	free(guest);
}

static void controllers_that_do_not_answer_are_tried_one_at_a_time(void)
{
	struct disk_guest *guest = guest_connected(3);
	struct peer *p = stage->peer;
	stage->silent_from = 1; /* channels open, but nobody reads the rings */
	for (unsigned i = 0; i < 3; i++) {
		const uint64_t start = p->script.now_100ns;
		CU_ASSERT(guest->are_offers_new);
		disk_guest_service(guest);
		CU_ASSERT_EQUAL(guest->controllers[i].failed_relid, i + 1);
		CU_ASSERT(p->script.now_100ns - start <= 16 * SECOND); /* 10 to open, 5 to close */
	}
	disk_guest_service(guest);
	CU_ASSERT_FALSE(guest->are_offers_new);
	guest_close(guest);
}

static void hold_flushes(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	answer->is_held = packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
			  packet->payload[28] == SCSI_OP_SYNCHRONIZE_CACHE_10;
}

static void flushes_at_the_end_that_are_not_answered_cost_one_deadline(void)
{
	struct disk_guest *guest = guest_connected(1);
	struct peer *p = stage->peer;
	for (unsigned i = 0; i < 4; i++) {
		stage->model->units[i] = stage->model->units[0];
		stage->model->units[i].lun = (uint8_t)i;
	}
	luns_added = 0;
	for (unsigned i = 0; i < 2000 && luns_added < 4; i++) {
		disk_guest_service(guest);
		(void)vmbus_poll(guest->bus, SECOND / 100);
	}
	CU_ASSERT_EQUAL(luns_added, 4);
	stage->model->hook = hold_flushes;
	const uint64_t start = p->script.now_100ns;
	CU_ASSERT_EQUAL(disk_guest_disconnect(guest, true), -VIRIDIAN_ETIMEDOUT);
	/* 30 and 10 of grace for all disks together, 5 to close, 5 to unload */
	CU_ASSERT(p->script.now_100ns - start <= 52 * SECOND);
	guest_close(guest);
}

static const struct test tests[] = {
	TEST(sub_channels_that_do_not_open_cost_one_deadline),
	TEST(a_broken_sub_channel_is_closed_and_its_requests_go_elsewhere),
	TEST(memory_comes_back_from_a_device_that_does_not_answer),
	TEST(memory_that_a_host_keeps_is_counted),
	TEST(controllers_that_do_not_answer_are_tried_one_at_a_time),
	TEST(flushes_at_the_end_that_are_not_answered_cost_one_deadline),
};
TEST_MAIN("hostile_host_controller", tests)
