// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client against a host driven by the input: answers that are right but for some
 * bytes, packets made of input, damaged rings, silence. Whatever comes, each request that
 * was submitted must be completed exactly once, and nothing may be touched out of bounds.
 */
#include "tests/unit/storage_vsc_rig.h"

#define REQUESTS 12u

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static void take_bytes(struct input *input, uint8_t *to, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = take(input);
}

struct job {
	struct storage_vsc_request request;
	unsigned submitted, completed;
};

static struct input *source;
static struct job jobs[REQUESTS];

static void on_done(struct storage_vsc_request *request)
{
	struct job *job = request->ctx;
	job->completed++;
	if (job->completed > job->submitted || request->transferred > request->data.bytes)
		abort();
}

/* Damage an answer: up to four bytes, its length, its data. */
static void damage(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	const uint8_t what = take(source);
	for (unsigned i = 0; i < (what & 3u); i++)
		answer->payload[take(source) % sizeof answer->payload] = take(source);
	if (what & 4)
		answer->bytes = take(source) % (sizeof answer->payload + 1);
	if (what & 8)
		answer->is_held = true;
	if (what & 16)
		answer->id ^= 1ull << (take(source) % 64);
	if ((what & 32) && answer->has_data)
		take_bytes(source, answer->data, 64);
	if (what & 64)
		answer->type = take(source) & 1 ? PACKET_TYPE_INBAND : PACKET_TYPE_COMPLETION;
}

static void submit(struct rig *rig)
{
	const unsigned which = take(source) % REQUESTS;
	struct job *job = &jobs[which];
	if (job->submitted != job->completed)
		return;
	struct storage_vsc_request *request = &job->request;
	memset(request, 0, sizeof *request);
	request->lun = &rig->luns[take(source) % RIG_LUNS];
	request->op = take(source) % 7;
	request->flags = take(source);
	request->direction = take(source) % 3;
	request->cdb_length = take(source) % 17;
	request->blocks = take(source);
	request->lba = take(source);
	request->data = (struct storage_vsc_data){.first_gpn = 16,
		.offset = (uint32_t)take(source) * 16,
		.bytes = request->blocks * request->lun->properties.block_bytes};
	if (request->op == STORAGE_VSC_UNMAP)
		request->data.bytes = STORAGE_UNMAP_LIST_BYTES;
	if (request->op == STORAGE_VSC_WRITE_SAME)
		request->data.bytes = request->lun->properties.block_bytes;
	if (request->op == STORAGE_VSC_FLUSH)
		request->data.bytes = 0;
	request->done = on_done;
	request->ctx = job;
	job->submitted++;
	if (storage_vsc_submit(&rig->vsc, request) != 0)
		job->submitted--;
}

static void raw_packet(struct rig *rig)
{
	uint8_t payload[96];
	const unsigned channel = take(source) % rig->channel_count;
	const uint32_t bytes = take(source) % sizeof payload;
	const uint16_t type = take(source) & 1 ? PACKET_TYPE_INBAND : PACKET_TYPE_COMPLETION;
	uint64_t id;
	take_bytes(source, (uint8_t *)&id, sizeof id);
	if (rig->sent_count > 0 && (id & 1))
		id = rig_sent(rig, (unsigned)(id >> 1) % RIG_SENT_MAX)->id;
	take_bytes(source, payload, bytes);
	rig_send(rig, channel, type, id, payload, bytes);
}

static void ring_damage(struct rig *rig)
{
	struct rig_ring *ring = &rig->channels[take(source) % rig->channel_count].to_guest;
	const uint8_t where = take(source);
	if (where & 1)
		ring->control[(where >> 1) % 68] = take(source);
	else
		ring->data[(unsigned)where * 32 + take(source) % 32] = take(source);
}

static void restart(struct rig *rig, int error)
{
	storage_vsc_stop(&rig->vsc, error, (take(source) & 1) != 0);
	for (unsigned i = 0; i < REQUESTS; i++)
		if (jobs[i].submitted != jobs[i].completed)
			abort();
	rig_start(rig);
}

static void turn(struct rig *rig)
{
	switch (take(source) % 10) {
	case 0:
		rig_run(rig);
		break;
	case 1:
		raw_packet(rig);
		break;
	case 2:
		ring_damage(rig);
		break;
	case 3:
		rig_later(rig, (unsigned)take(source) * 200);
		break;
	case 4:
		(void)storage_vsc_rescan(&rig->vsc);
		break;
	case 5:
		(void)storage_vsc_reset(
			&rig->vsc, take(source) & 1 ? &rig->luns[take(source) % RIG_LUNS] : NULL);
		break;
	case 6:
		if (rig->vsc.state == STORAGE_VSC_READY && rig->channel_count < RIG_CHANNELS)
			rig_sub_channel_add(rig);
		break;
	case 7:
		if (rig->channel_count > 1)
			storage_vsc_channel_remove(&rig->vsc,
				rig->channels[--rig->channel_count].index, take(source) & 1);
		break;
	case 8:
		if ((take(source) & 7) == 0)
			restart(rig, -VIRIDIAN_ECANCELED);
		break;
	default:
		submit(rig);
		storage_vsc_flush(&rig->vsc);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size < 4096 ? size : 4096};
	struct rig *rig = rig_new();
	source = &input;
	memset(jobs, 0, sizeof jobs);
	rig->accepts = (uint16_t)(STORAGE_VERSION_2_0 + (take(source) % 5) * 0x100 + 2);
	rig->sub_channels = take(source) % 4;
	rig->vsc.config.sub_channels = 3;
	rig_start(rig);
	if (take(source) & 1) {
		/* past the handshake, so that what follows is about requests */
		rig_run(rig);
		(void)storage_vsc_rescan(&rig->vsc);
		rig_run(rig);
	}
	rig->hook = damage;
	while (input.left > 0)
		turn(rig);
	restart(rig, -VIRIDIAN_ENODEV);
	free(rig);
	return 0;
}
