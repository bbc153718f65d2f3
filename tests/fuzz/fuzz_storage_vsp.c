// SPDX-License-Identifier: Apache-2.0
/*
 * Storage VSP against a guest and a host that do what the input says: packets of raw
 * bytes, SRBs with any CDB, channels opened and closed, devices attached and
 * detached, media changed, I/O that is late or fails.
 *
 * Whatever comes: each packet that can be answered is answered exactly once, by no
 * more bytes than it had itself; nothing is written beyond the data buffer, and no
 * more is said to have moved than fits; a closed channel hears nothing and goes idle;
 * detached devices come back.
 */
#include "host/vsp/storage_vsp.h"
#include "tests/unit/store_script.h"

#include <errno.h>

#define ACTIONS_MAX 400u
#define CHANNELS    3u
#define PACKETS_MAX 512u
#define DATA_MAX    16384u
#define GUARD_BYTES 64u
#define GUARD	    0xC5u
#define DISK_BYTES  (256u * 512u)
#define DISC_BYTES  (64u * 2048u)
#define SPARE_LUNS  3u
#define REQUESTS    6u

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

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* One packet sent. */
struct packet {
	bool is_answerable; /* long enough, and its channel is still open */
	unsigned channel;
	size_t bytes;
	uint32_t data_bytes;
	unsigned answers;
	uint8_t *data; /* data_bytes and a guard */
};

struct world;

struct channel {
	struct world *world;
	unsigned index;
	struct storage_channel *core;
	bool is_closing;
};

struct world {
	struct storage_vsp *vsp;
	struct channel channels[CHANNELS];
	struct packet packets[PACKETS_MAX];
	unsigned packet_count;
	struct store_script *disk_store;
	struct scsi_device *disk; /* at 0:0:0 and 0:0:1: two ports of one disk */
	struct scsi_device *dvd;  /* at 0:1:0 */
	unsigned attached;	  /* of the spare LUNs */
	unsigned returned;
};

/* ---- outputs ------------------------------------------------------------------------------- */

static void on_complete(void *ctx, uint64_t id, const void *reply, size_t bytes)
{
	struct channel *channel = ctx;
	struct world *world = channel->world;
	const uint8_t *r = reply;
	uint32_t moved;
	REQUIRE(id < world->packet_count);
	struct packet *packet = &world->packets[id];
	REQUIRE(channel->core && packet->is_answerable && packet->answers == 0);
	REQUIRE(packet->channel == channel->index);
	packet->answers++;
	REQUIRE(bytes == (packet->bytes < 64 ? packet->bytes : 64));
	REQUIRE(r[0] == 1 && r[1] == 0 && r[4] == 0);
	if (bytes < 48 || r[12] == 0)
		return;
	if (r[12] != 52 && r[12] != 36)
		return; /* no SRB, but a version or properties */
	memcpy(&moved, r + 24, 4);
	REQUIRE(r[20] != 16 || moved <= packet->data_bytes);
	REQUIRE(r[20] != 16 || r[21] <= 20);
}

static void on_wake(void *ctx)
{
	(void)ctx;
}

static int on_sub_channels(void *ctx, unsigned count)
{
	(void)ctx;
	REQUIRE(count >= 1 && count < CHANNELS);
	return 0;
}

static void on_idle(void *ctx)
{
	struct channel *channel = ctx;
	REQUIRE(channel->is_closing);
	channel->is_closing = false;
}

static const struct storage_vsp_ops ops = {
	.complete = on_complete,
	.notify = on_wake,
	.resume = on_wake,
	.sub_channels = on_sub_channels,
	.idle = on_idle,
};

/* ---- the guest's actions ------------------------------------------------------------------- */

static void packet_send(struct world *world, struct input *input, unsigned channel_index,
	const uint8_t *bytes, size_t count, uint32_t data_bytes)
{
	struct channel *channel = &world->channels[channel_index];
	if (world->packet_count == PACKETS_MAX || !channel->core)
		return;
	struct storage_request *request = storage_request_begin(channel->core);
	if (!request)
		return;
	const unsigned id = world->packet_count++;
	struct packet *packet = &world->packets[id];
	*packet = (struct packet){
		.is_answerable = count >= 12,
		.channel = channel_index,
		.bytes = count,
		.data_bytes = data_bytes,
		.data = malloc(data_bytes + GUARD_BYTES),
	};
	REQUIRE(packet->data);
	take_bytes(input, packet->data, data_bytes < 64 ? data_bytes : 64);
	if (data_bytes > 64)
		memset(packet->data + 64, take(input), data_bytes - 64);
	memset(packet->data + data_bytes, GUARD, GUARD_BYTES);
	request->data = STORAGE_DATA_ABSENT;
	if (data_bytes) {
		const uint32_t first = 1 + take(input) * 64u % data_bytes;
		request->data = STORAGE_DATA_MAPPED;
		request->iov_bytes = data_bytes;
		request->iov[request->iov_count++] = (struct iovec){
			packet->data, first < data_bytes ? first : data_bytes};
		if (first < data_bytes)
			request->iov[request->iov_count++] = (struct iovec){
				packet->data + first, data_bytes - first};
	}
	const uint8_t flaw = take(input);
	if (flaw > 0xF0)
		request->data = flaw & 1 ? STORAGE_DATA_INVALID : STORAGE_DATA_OUTSIDE;
	uint8_t *copy = malloc(count ? count : 1);
	REQUIRE(copy);
	memcpy(copy, bytes, count);
	storage_channel_hint(channel->core, copy, count);
	storage_request_submit(request, id, copy, count);
	free(copy);
}

static uint32_t take_data_bytes(struct input *input)
{
	static const uint32_t sizes[] = {0, 1, 7, 8, 24, 36, 255, 512, 513, 2048, 4096, DATA_MAX};
	const uint8_t which = take(input);
	return which < 12 * 16 ? sizes[which / 16] : which * 16u;
}

static void act_raw(struct world *world, struct input *input)
{
	uint8_t bytes[96];
	const size_t count = take(input) % sizeof bytes;
	const unsigned channel = take(input) % CHANNELS;
	take_bytes(input, bytes, count);
	packet_send(world, input, channel, bytes, count, take_data_bytes(input));
}

static void act_srb(struct world *world, struct input *input)
{
	static const uint8_t addresses[][2] = {
		{0, 0}, {0, 1}, {1, 0}, {0, 2}, {0, 3}, {0, 4}, {2, 0}};
	uint8_t bytes[64] = {3, 0, 0, 0, 1};
	const uint8_t what = take(input);
	const uint8_t *address = addresses[(what & 7) % 7];
	const uint32_t data_bytes = take_data_bytes(input);
	uint32_t length = data_bytes;
	bytes[18] = address[0];
	bytes[19] = address[1];
	bytes[21] = what & 8 ? 20 : take(input);
	bytes[22] = what & 16 ? 1 : what & 32 ? 0 : 2;
	if (what & 64)
		length = take(input) * 17u;
	memcpy(bytes + 24, &length, 4);
	take_bytes(input, bytes + 28, 16);
	bytes[20] = what & 128 ? take(input) : (uint8_t)scsi_cdb_bytes(bytes[28]);
	packet_send(world, input, take(input) % CHANNELS, bytes, 64, data_bytes);
}

/* Write a length or a count where the command's group has it. */
static void length_put(uint8_t *cdb, uint32_t value)
{
	switch (scsi_cdb_bytes(cdb[0])) {
	case 6:
		cdb[4] = (uint8_t)value;
		return;
	case 10:
		scsi_put16(cdb + 7, (uint16_t)value);
		return;
	case 12:
		scsi_put32(cdb + 6, value);
		return;
	default:
		scsi_put32(cdb + 10, value);
	}
}

/* A command that exists, nearly right: its lengths agree, up to a few bytes of the CDB. */
static void act_command(struct world *world, struct input *input)
{
#define OPCODE(name, opcode, bytes) opcode,
	static const uint8_t opcodes[] = {SCSI_OPCODES(OPCODE)};
#undef OPCODE
	static const uint8_t addresses[][2] = {{0, 0}, {1, 0}, {0, 1}, {0, 2}};
	uint8_t bytes[64] = {3, 0, 0, 0, 1};
	uint8_t *cdb = bytes + 28;
	const uint8_t what = take(input);
	uint32_t data_bytes = take_data_bytes(input);
	bytes[18] = addresses[what & 3][0];
	bytes[19] = addresses[what & 3][1];
	bytes[21] = 20;
	bytes[22] = 2; /* contradicts nothing */
	cdb[0] = opcodes[take(input) % sizeof opcodes];
	bytes[20] = (uint8_t)scsi_cdb_bytes(cdb[0]);
	length_put(cdb, what & 4 ? data_bytes / 512 : data_bytes);
	if (what & 8)
		cdb[1] = take(input);
	if (what & 16)
		cdb[2] = take(input);
	if (what & 32)
		cdb[5] = take(input);
	if (what & 64)
		cdb[1 + take(input) % 15] = take(input);
	memcpy(bytes + 24, &data_bytes, 4);
	packet_send(world, input, what & 128 ? 1 : 0, bytes, 64, data_bytes);
}

/* Bring the primary to READY, if nothing is in the way. */
static void act_handshake(struct world *world, struct input *input)
{
	static const uint8_t operations[] = {7, 9, 10, 8};
	const struct storage_version *version =
		&storage_versions[take(input) % STORAGE_VERSION_COUNT];
	for (unsigned i = 0; i < 4; i++) {
		uint8_t bytes[64] = {operations[i], 0, 0, 0, 1};
		memcpy(bytes + 12, &version->version, 2);
		packet_send(world, input, 0, bytes, 12u + version->payload_bytes, 0);
	}
}

static void channel_close(struct world *world, unsigned index)
{
	struct channel *channel = &world->channels[index];
	for (unsigned i = 0; i < world->packet_count; i++)
		if (world->packets[i].channel == index && world->packets[i].answers == 0)
			world->packets[i].is_answerable = false;
	struct storage_channel *core = channel->core;
	channel->core = NULL;
	channel->is_closing = true;
	storage_channel_close(core);
}

static void act_channel(struct world *world, struct input *input)
{
	const unsigned index = take(input) % CHANNELS;
	struct channel *channel = &world->channels[index];
	if (channel->core)
		channel_close(world, index);
	else if (!channel->is_closing)
		channel->core = storage_channel_open(world->vsp, (uint16_t)index, channel);
	else
		REQUIRE(!storage_channel_open(world->vsp, (uint16_t)index, channel));
}

/* ---- the host's actions -------------------------------------------------------------------- */

static void act_store(struct world *world, struct input *input)
{
	struct store_script *store = world->disk_store;
	const uint8_t what = take(input);
	if (what < 64)
		store->holds = what & 1;
	else if (what < 128)
		store->fail_at = what & 7;
	else if (store->held_count)
		store_script_release(store, what % store->held_count);
	static const int errors[] = {-EIO, -ENOSPC, -EBUSY, -ECANCELED, -EFAULT, -ENXIO};
	store->fail_with = errors[take(input) % 6];
}

static void device_returned(void *ctx, struct scsi_device *device)
{
	struct world *world = ctx;
	world->returned++;
	scsi_device_destroy(device);
}

static void act_attach(struct world *world, struct input *input)
{
	const uint8_t which = take(input);
	const struct storage_address address = {0, 0, (uint8_t)(2 + which % SPARE_LUNS)};
	if (storage_vsp_device(world->vsp, address)) {
		REQUIRE(storage_vsp_detach(world->vsp, address, device_returned, world) == 0);
		return;
	}
	const struct scsi_device_config config = {.type = SCSI_DEVICE_DISK, .serial = "SPARE"};
	struct scsi_device *device;
	struct store_script *store = store_script_create(16 * 512, 512);
	store->base.is_read_only = which & 128;
	REQUIRE(scsi_device_create(&config, &store->base, &device) == 0);
	REQUIRE(storage_vsp_attach(world->vsp, address, device) == 0);
	world->attached++;
}

static void act_medium(struct world *world, struct input *input)
{
	const uint8_t what = take(input);
	if (what & 1)
		(void)scsi_dvd_insert(world->dvd, &store_script_create(DISC_BYTES, 2048)->base);
	else
		(void)scsi_dvd_eject(world->dvd, what & 2);
}

static void act_other(struct world *world, struct input *input)
{
	uint8_t packet[STORAGE_PACKET_BYTES_MAX];
	char text[64];
	const uint8_t what = take(input);
	if (what & 1) {
		/* Within what the store has, or its data could not be there. */
		world->disk_store->refreshed_bytes = (1u + what) % 256u * 512u + 512;
		REQUIRE(scsi_device_refresh(world->disk) >= 0);
	}
	REQUIRE(storage_vsp_notification(world->vsp, packet) <= sizeof packet);
	(void)storage_vsp_describe(world->vsp, text, sizeof text);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void world_make(struct world *world)
{
	const struct storage_vsp_config config = {.requests = REQUESTS,
		.max_sub_channels = CHANNELS - 1,
		.max_transfer_bytes = 65536};
	const struct scsi_device_config disk = {.type = SCSI_DEVICE_DISK, .serial = "FUZZ"};
	const struct scsi_device_config dvd = {.type = SCSI_DEVICE_DVD};
	REQUIRE(storage_vsp_create(&config, &ops, world, &world->vsp) == 0);
	world->disk_store = store_script_create(DISK_BYTES + 512, 512);
	REQUIRE(scsi_device_create(&disk, &world->disk_store->base, &world->disk) == 0);
	REQUIRE(scsi_device_create(
			&dvd, &store_script_create(DISC_BYTES, 2048)->base, &world->dvd) == 0);
	REQUIRE(storage_vsp_attach(world->vsp, (struct storage_address){0, 0, 0}, world->disk) ==
		0);
	REQUIRE(storage_vsp_attach(world->vsp, (struct storage_address){0, 0, 1}, world->disk) ==
		0);
	REQUIRE(storage_vsp_attach(world->vsp, (struct storage_address){0, 1, 0}, world->dvd) == 0);
	for (unsigned i = 0; i < CHANNELS; i++)
		world->channels[i] = (struct channel){.world = world, .index = i};
	world->channels[0].core = storage_channel_open(world->vsp, 0, &world->channels[0]);
	REQUIRE(world->channels[0].core);
}

static void port_returned(void *ctx, struct scsi_device *device)
{
	(void)device;
	(*(unsigned *)ctx)++;
}

static void packets_check(struct world *world)
{
	for (unsigned i = 0; i < world->packet_count; i++) {
		struct packet *packet = &world->packets[i];
		REQUIRE(packet->answers == (packet->is_answerable ? 1 : 0) ||
			(!packet->is_answerable && packet->answers <= 1));
		for (unsigned g = 0; g < GUARD_BYTES; g++)
			REQUIRE(packet->data[packet->data_bytes + g] == GUARD);
		free(packet->data);
	}
}

static void world_end(struct world *world)
{
	unsigned ports = 0;
	world->disk_store->holds = false;
	while (world->disk_store->held_count)
		store_script_release(world->disk_store, 0);
	packets_check(world);
	for (unsigned i = 0; i < CHANNELS; i++) {
		if (world->channels[i].core)
			channel_close(world, i);
		REQUIRE(!world->channels[i].is_closing);
	}
	for (uint8_t lun = 0; lun < 2 + SPARE_LUNS; lun++)
		(void)storage_vsp_detach(world->vsp, (struct storage_address){0, 0, lun},
			lun < 2 ? port_returned : device_returned,
			lun < 2 ? (void *)&ports : (void *)world);
	(void)storage_vsp_detach(
		world->vsp, (struct storage_address){0, 1, 0}, port_returned, &ports);
	REQUIRE(ports == 3 && world->returned == world->attached);
	storage_vsp_destroy(world->vsp);
	scsi_device_destroy(world->disk);
	scsi_device_destroy(world->dvd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* R-ROB-002. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const actions[])(struct world * world, struct input * input) = {act_command,
		act_command, act_command, act_srb, act_raw, act_handshake, act_channel, act_store,
		act_store, act_attach, act_medium, act_other};
	struct input input = {data, size};
	struct world *world = calloc(1, sizeof *world);
	REQUIRE(world);
	world_make(world);
	const uint8_t start = take(&input);
	if (start & 1)
		act_handshake(world, &input);
	for (unsigned i = 0; i < ACTIONS_MAX && input.left; i++)
		actions[take(&input) % (sizeof actions / sizeof actions[0])](world, &input);
	world_end(world);
	free(world);
	return 0;
}
