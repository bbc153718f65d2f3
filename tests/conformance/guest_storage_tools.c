// SPDX-License-Identifier: Apache-2.0
/* See guest_storage.h. */
#include "tests/conformance/guest_storage.h"

#include <string.h>

static struct storage_stage the_stage; /* one test, one process */

/* ---- the disk ------------------------------------------------------------------------------- */

static void put_be32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint64_t get_be(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static uint8_t disk_byte(uint64_t at)
{
	return (uint8_t)(at / 512 * 31 + at % 512 + 1);
}

static void disk_read(const struct storage_stage *stage, const uint8_t *cdb, uint32_t bytes,
	struct stage_answer *answer)
{
	const uint64_t lba = cdb[0] == 0x28 ? get_be(cdb + 2, 4) : get_be(cdb + 2, 8);

	(void)stage;
	answer->data_bytes = bytes;
	for (uint32_t i = 0; i < bytes && i < sizeof answer->data; i++)
		answer->data[i] = disk_byte(lba * 512 + i);
}

static void disk_luns(const struct storage_stage *stage, struct stage_answer *answer)
{
	answer->data_bytes = 8;
	for (uint8_t lun = 0; lun < 8; lun++)
		if (stage->has_lun >> lun & 1) {
			answer->data[answer->data_bytes + 1] = lun;
			answer->data_bytes += 8;
		}
	put_be32(answer->data, answer->data_bytes - 8);
}

static void data_set(struct stage_answer *answer, const uint8_t *bytes, uint32_t count)
{
	answer->data_bytes = count;
	memcpy(answer->data, bytes, count);
}

static void disk_inquiry(const struct storage_stage *stage, const uint8_t *cdb, bool is_there,
	struct stage_answer *answer)
{
	static const uint8_t standard[36] = "\0\0\5\2\x1F\0\0\2Msft    Virtual Disk    1.0 ";
	static const uint8_t pages[6] = {0, 0, 0, 2, 0, 0x80};
	static const uint8_t serial[12] = {0, 0x80, 0, 8, 'S', 'E', 'R', 'I', 'A', 'L', '0', '0'};

	if (!(cdb[1] & 1))
		data_set(answer, standard, sizeof standard);
	else if (cdb[2] != 0x80)
		data_set(answer, pages, sizeof pages);
	else
		data_set(answer, serial, sizeof serial);
	if (cdb[1] & 1 && cdb[2] == 0x80)
		answer->data[11] = (uint8_t)('0' + stage->serial);
	if (!is_there)
		answer->data[0] = 0x7f;
}

static void disk_capacity(
	const struct storage_stage *stage, bool is_long, struct stage_answer *answer)
{
	answer->data_bytes = is_long ? 32 : 8;
	put_be32(answer->data + (is_long ? 4 : 0), (uint32_t)stage->blocks - 1);
	put_be32(answer->data + (is_long ? 8 : 4), 512);
}

static void disk_mode(struct stage_answer *answer)
{
	static const uint8_t mode[24] = {23, 0, 0x10, 0, 0x08, 0x12, 0x04};

	data_set(answer, mode, sizeof mode);
}

static void srb_answer(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	const uint8_t *cdb = packet->payload + VSTOR_CDB;
	const uint32_t asked = get32(packet->payload + VSTOR_DATA_LENGTH);
	const unsigned lun = packet->payload[VSTOR_LUN];
	const bool is_there = packet->payload[18] == 0 && lun < 8 && (stage->has_lun >> lun & 1);

	answer->payload[VSTOR_SRB_STATUS] = 1;
	memset(answer->payload + VSTOR_CDB, 0, 20);
	if (cdb[0] == 0xa0 && packet->payload[18] == 0) {
		disk_luns(stage, answer);
	} else if (cdb[0] == 0xa0) {
		answer->data_bytes = 8;
	} else if (cdb[0] == 0x12) {
		disk_inquiry(stage, cdb, is_there, answer);
	} else if (!is_there) {
		answer->payload[VSTOR_SRB_STATUS] = 0x20;
		answer->payload[VSTOR_SCSI_STATUS] = 2;
	} else if (cdb[0] == 0x9e || cdb[0] == 0x25) {
		disk_capacity(stage, cdb[0] == 0x9e, answer);
	} else if (cdb[0] == 0x1a) {
		disk_mode(answer);
	} else if (cdb[0] == 0x28 || cdb[0] == 0x88) {
		disk_read(stage, cdb, asked, answer);
	} else {
		return; /* of a write as much as was asked has moved */
	}
	if (answer->data_bytes > asked)
		answer->data_bytes = asked;
	put32(answer->payload + VSTOR_DATA_LENGTH, answer->data_bytes);
}

void stage_check(struct stage_answer *answer, uint8_t key, uint8_t code, uint8_t qualifier)
{
	uint8_t *p = answer->payload;

	put32(p + VSTOR_STATUS, 0xc0000185);
	p[VSTOR_SRB_STATUS] = 0x84;
	p[VSTOR_SCSI_STATUS] = 2;
	p[VSTOR_SENSE_LENGTH] = 18;
	put32(p + VSTOR_DATA_LENGTH, 0);
	memset(p + VSTOR_CDB, 0, 20);
	p[VSTOR_CDB] = 0x70;
	p[VSTOR_CDB + 2] = key;
	p[VSTOR_CDB + 7] = 10;
	p[VSTOR_CDB + 12] = code;
	p[VSTOR_CDB + 13] = qualifier;
	answer->data_bytes = 0;
}

/* ---- the controller ------------------------------------------------------------------------- */

void storage_stage_answer(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	const uint32_t operation = get32(packet->payload);

	memset(answer, 0, sizeof *answer);
	answer->type = PACKET_TYPE_COMPLETION;
	answer->relid = packet->relid;
	answer->id = packet->id;
	answer->bytes = packet->bytes;
	memcpy(answer->payload, packet->payload, packet->bytes);
	put32(answer->payload + VSTOR_OPERATION, 1);
	put32(answer->payload + VSTOR_FLAGS, 0);
	if (operation == 9 && get16(packet->payload + VSTOR_BODY) > stage->version) {
		put32(answer->payload + VSTOR_STATUS, 0xc0000059);
	} else if (operation == 10) {
		put16(answer->payload + 16, stage->sub_channels);
		put32(answer->payload + 20, stage->sub_channels > 0);
		put32(answer->payload + 24, stage->max_transfer);
	} else if (operation == 3) {
		srb_answer(stage, packet, answer);
	}
}

/* Where the one range of the packet says. */
static void data_put(struct storage_stage *stage, const struct stage_packet *packet,
	const struct stage_answer *answer)
{
	const uint32_t offset = get32(packet->range + 12);

	if (packet->range_bytes < 24)
		return;
	for (uint32_t i = 0; i < answer->data_bytes; i++) {
		const uint32_t at = offset + i;
		const uint32_t entry = 16 + at / 4096 * 8;
		uint8_t *byte = entry + 8 > packet->range_bytes
					? NULL
					: platform_scripted_at(&stage->h->script,
						  get64(packet->range + entry) * 4096 + at % 4096,
						  1);
		if (byte != NULL)
			*byte = answer->data[i];
	}
}

bool storage_stage_send(struct storage_stage *stage, uint32_t relid, uint16_t type, uint64_t id,
	const uint8_t *payload, uint32_t bytes)
{
	return host_send(stage->h, relid, type, 0, id, payload, bytes);
}

bool storage_stage_give(struct storage_stage *stage, const struct stage_packet *packet,
	const struct stage_answer *answer)
{
	if (answer->data_bytes > 0)
		data_put(stage, packet, answer);
	return storage_stage_send(
		stage, answer->relid, answer->type, answer->id, answer->payload, answer->bytes);
}

static void on_packet(struct scripted_host *h, uint32_t relid, const struct packet_view *view)
{
	static struct stage_answer answer;
	struct storage_stage *stage = h->ctx;
	struct stage_packet *packet = &stage->packets[stage->packet_count % STAGE_PACKETS];

	if (relid != 1 && relid < 4)
		return;
	stage->packet_count++;
	packet->relid = relid;
	packet->type = view->type;
	packet->flags = view->flags;
	packet->id = view->transaction_id;
	packet->range_bytes = view->extended_bytes;
	packet->bytes = view->payload_bytes;
	memset(packet->payload, 0, sizeof packet->payload);
	memcpy(packet->range, view->extended,
		view->extended_bytes < STAGE_RANGE_BYTES ? view->extended_bytes
							 : STAGE_RANGE_BYTES);
	memcpy(packet->payload, view->payload, view->payload_bytes < 64 ? view->payload_bytes : 64);
	stage->operations[get32(packet->payload) & 15]++;
	if (stage_is(packet, 13))
		stage->sub_channels_asked = (uint16_t)get16(packet->payload + VSTOR_BODY);
	storage_stage_answer(stage, packet, &answer);
	if (stage->hook != NULL)
		stage->hook(stage, packet, &answer);
	if (answer.is_held)
		return;
	(void)storage_stage_give(stage, packet, &answer);
	/* subchannels are offered when they were asked for */
	if (stage_is(packet, 13) && get32(answer.payload + VSTOR_STATUS) == 0)
		for (uint16_t i = 1; i <= stage->sub_channels_offered; i++) {
			h->subchannel[3 + i] = i;
			h->interface[3 + i] = h->interface[1];
			host_offer(h, 3u + i);
		}
}

static void on_lun(void *ctx, struct storage_controller *controller, enum storage_vsc_event event,
	struct storage_vsc_lun *lun)
{
	struct storage_stage *stage = ctx;

	stage->added += event == STORAGE_VSC_LUN_ADDED;
	stage->changed += event == STORAGE_VSC_LUN_CHANGED;
	stage->removed += event == STORAGE_VSC_LUN_REMOVED;
	if (event == STORAGE_VSC_LUN_REMOVED)
		storage_vsc_lun_release(&controller->vsc, lun);
}

static void on_scan(void *ctx, struct storage_controller *controller, int error)
{
	(void)controller;
	(void)error;
	((struct storage_stage *)ctx)->scans++;
}

/* ---- the guest ------------------------------------------------------------------------------ */

struct storage_stage *storage_stage(struct conform_target *t)
{
	struct storage_stage *stage = &the_stage;

	stage->t = t;
	stage->h = scripted_host_of(t);
	stage->version = 0x0602;
	stage->max_transfer = STAGE_TRANSFER;
	stage->has_lun = 1;
	stage->blocks = STAGE_BLOCKS;
	stage->h->offers = 2;
	stage->h->interface[1] = guid_storage.bytes;
	stage->h->ctx = stage;
	stage->h->on_packet = on_packet;
	if (!guest_connect(t, VMBUS_VERSION_6_0))
		return NULL;
	if (winhv_pages_alloc(&stage->h->hv, STAGE_DATA_BYTES, &stage->data) != 0) {
		conform_note(t, "there are no pages for data");
		return NULL;
	}
	return stage;
}

int storage_stage_open(struct storage_stage *stage, uint16_t sub_channels)
{
	const struct storage_controller_config config = {
		.sub_channels = sub_channels,
		.target_count = 2,
		.ring_out_bytes = 16384,
		.ring_in_bytes = SCRIPTED_HOST_RING_BYTES,
		.slots = stage->slots,
		.slot_count = STAGE_SLOTS,
		.luns = stage->luns,
		.lun_count = STAGE_LUNS,
		.on_lun = on_lun,
		.on_scan = on_scan,
		.ctx = stage,
	};

	return storage_controller_open(&stage->controller, stage->h->bus, &stage->h->hv, 1, &config,
		guest_deadline(stage->h));
}

struct storage_stage *storage_stage_ready(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);

	if (stage == NULL)
		return NULL;
	int error = storage_stage_open(stage, 0);
	if (error == 0)
		error = storage_controller_scan(&stage->controller, guest_deadline(stage->h));
	if (error == 0 && stage_lun(stage, 0) != NULL)
		return stage;
	conform_note(t, "the controller does not come up: %d", error);
	return NULL;
}

void storage_stage_serve(struct storage_stage *stage)
{
	for (unsigned i = 0; i < 8; i++) {
		for (uint32_t relid = 1; relid < SCRIPTED_HOST_RELIDS; relid++)
			host_serve(stage->h, relid);
		guest_serve(stage->h);
		if (stage->controller.is_open)
			(void)storage_controller_service(&stage->controller, NULL);
	}
}

void storage_stage_later(struct storage_stage *stage, unsigned ms)
{
	storage_stage_serve(stage);
	stage->h->script.now_100ns += ms * 10000ull;
	storage_stage_serve(stage);
}

bool storage_stage_ends(struct storage_stage *stage, int error)
{
	struct conform_target *t = stage->t;
	const int result = storage_controller_close(&stage->controller, guest_deadline(stage->h));

	if (result != error)
		return conform_no(t, "closing the controller gives %d", result);
	if (stage->data.va != NULL)
		winhv_pages_free(&stage->h->hv, &stage->data);
	stage->data = (struct winhv_pages){0};
	return guest_goes_on(t, 2);
}

struct storage_vsc_request stage_read(struct storage_stage *stage, uint64_t lba, uint32_t blocks)
{
	return (struct storage_vsc_request){
		.lun = stage_lun(stage, 0),
		.op = STORAGE_VSC_READ,
		.lba = lba,
		.blocks = blocks,
		.data = storage_vsc_data_at(&stage->data, 0, blocks * 512),
		.done = stage_done,
	};
}

void stage_done(struct storage_vsc_request *request)
{
	(void)request; /* tests look at its state */
}

int stage_read_now(struct storage_stage *stage, uint64_t lba)
{
	return storage_controller_read(
		&stage->controller, stage_lun(stage, 0), lba, 1, &stage->data, 0, 0);
}

bool stage_data_is(const struct storage_stage *stage, size_t offset, uint64_t lba, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		if (stage->data.va[offset + i] != disk_byte(lba * 512 + i))
			return conform_no(
				stage->t, "byte %u of block %u is another one", i, (unsigned)lba);
	return true;
}

void stage_hold(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)stage;
	answer->is_held = stage_is(packet, 3);
}

void stage_silence(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)stage;
	(void)packet;
	answer->is_held = true;
}

bool stage_submit(struct storage_stage *stage, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		stage->requests[i] = stage_read(stage, i, 1);
		stage->requests[i].data = storage_vsc_data_at(&stage->data, 512u * i, 512);
		const int error = storage_vsc_submit(&stage->controller.vsc, &stage->requests[i]);
		if (error != 0)
			return conform_no(stage->t, "request %u is refused: %d", i, error);
	}
	storage_vsc_flush(&stage->controller.vsc);
	storage_stage_serve(stage);
	return true;
}

struct storage_stage *stage_held(struct conform_target *t, unsigned count)
{
	struct storage_stage *stage = storage_stage_ready(t);

	if (stage == NULL)
		return NULL;
	stage->hook = stage_hold;
	return stage_submit(stage, count) ? stage : NULL;
}

bool stage_answer_well(struct storage_stage *stage, unsigned back)
{
	static struct stage_answer answer;
	const struct stage_packet packet = *stage_last(stage, back);

	storage_stage_answer(stage, &packet, &answer);
	if (!storage_stage_give(stage, &packet, &answer))
		return conform_no(stage->t, "there is no room for an answer");
	storage_stage_serve(stage);
	return true;
}

bool stage_ended(struct storage_stage *stage, unsigned i, int result)
{
	struct conform_target *t = stage->t;

	if (!storage_vsc_is_idle(&stage->requests[i]))
		return conform_no(t, "request %u has not ended", i);
	return stage->requests[i].result == result ||
	       conform_no(t, "request %u ends with %d", i, stage->requests[i].result);
}

bool stage_reads(struct storage_stage *stage)
{
	stage->hook = NULL;
	const int error = stage_read_now(stage, 99);
	if (error != 0)
		return conform_no(stage->t, "a read fails afterwards: %d", error);
	return stage_data_is(stage, 0, 99, 512);
}
