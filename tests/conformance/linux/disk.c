// SPDX-License-Identifier: Apache-2.0
/* A SCSI controller with one disk. See disk.h. */
#include "tests/conformance/linux/disk.h"

#include "protocol/scsi.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES  512u
#define MAX_TRANSFER 0x40000u

static void fault(struct linux_disk *disk, const char *what)
{
	if (disk->faults++ == 0)
		disk->fault = what;
}

/* ---- data of a request: one range of pages --------------------------------------------------- */

/* Copy `bytes` bytes into the request's pages, from `offset` of its buffer on. */
static void data_put(struct linux_disk *disk, const struct linux_disk_packet *packet,
	uint32_t offset, const void *data, uint32_t bytes)
{
	struct packet_gpa_range_wire range;

	if (packet->range_count != 1)
		return;
	memcpy(&range, packet->extended + PACKET_GPA_DIRECT_HEADER_BYTES, sizeof range);
	for (uint32_t done = 0; done < bytes && offset + done < range.byte_count;) {
		const uint32_t at = range.byte_offset + offset + done;
		const uint32_t pfn_at = 16 + at / PACKET_PAGE_BYTES * 8;
		uint32_t piece = PACKET_PAGE_BYTES - at % PACKET_PAGE_BYTES;
		uint64_t pfn;
		if (pfn_at + sizeof pfn > packet->extended_bytes)
			return;
		memcpy(&pfn, packet->extended + pfn_at, sizeof pfn);
		if (piece > bytes - done)
			piece = bytes - done;
		if (piece > range.byte_count - offset - done)
			piece = range.byte_count - offset - done;
		(void)guest_memory_write(disk->channel->guest->memory,
			pfn * PACKET_PAGE_BYTES + at % PACKET_PAGE_BYTES,
			(const uint8_t *)data + done, piece);
		done += piece;
	}
}

/* Each byte of a block of 4096 is the block's number, modulo 256, + 1. */
static void blocks_put(
	struct linux_disk *disk, struct linux_disk_packet *packet, uint64_t lba, uint32_t count)
{
	uint8_t block[BLOCK_BYTES];

	for (uint32_t i = 0; i < count; i++) {
		memset(block, (int)((lba + i) / 8 % 256 + 1) & 0xff, sizeof block);
		data_put(disk, packet, i * BLOCK_BYTES, block, sizeof block);
	}
}

/* ---- commands -------------------------------------------------------------------------------- */

static void succeed(struct linux_disk_packet *packet, uint32_t moved)
{
	packet->wire.srb.srb_status = STORAGE_SRB_SUCCESS;
	packet->wire.srb.scsi_status = 0;
	packet->wire.srb.data_length = moved;
	packet->wire.srb.sense_length = 0;
}

static void refuse(struct linux_disk_packet *packet)
{
	/* illegal request, invalid command operation code */
	static const uint8_t sense[18] = {0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20};
	packet->wire.srb.srb_status = STORAGE_SRB_ERROR | 0x80;
	packet->wire.srb.scsi_status = 2;
	packet->wire.srb.data_length = 0;
	packet->wire.srb.sense_length = sizeof sense;
	memcpy(packet->wire.srb.cdb_or_sense, sense, sizeof sense);
}

static void inquiry(struct linux_disk *disk, struct linux_disk_packet *packet, const uint8_t *cdb)
{
	uint8_t data[36] = {0, 0, 5, 2, 31, 0, 0, 2, 'M', 's', 'f', 't', ' ', ' ', ' ', ' ', 'V',
		'i', 'r', 't', 'u', 'a', 'l', ' ', 'D', 'i', 's', 'k', ' ', ' ', ' ', ' ', '1', '.',
		'0', ' '};
	const struct storage_srb_wire *srb = &packet->wire.srb;

	if (cdb[1] & 1) {
		refuse(packet);
		return;
	}
	if (srb->path != 0 || srb->target != 0 || srb->lun != 0)
		data[0] = 0x7f;
	data_put(disk, packet, 0, data, sizeof data);
	succeed(packet, srb->data_length < sizeof data ? srb->data_length : (uint32_t)sizeof data);
}

static void small_data(
	struct linux_disk *disk, struct linux_disk_packet *packet, const void *data, uint32_t bytes)
{
	const uint32_t asked = packet->wire.srb.data_length;

	data_put(disk, packet, 0, data, bytes);
	succeed(packet, asked < bytes ? asked : bytes);
}

static uint64_t big_endian(const uint8_t *from, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | from[i];
	return value;
}

static void command(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	uint8_t cdb[16];
	const uint32_t last = LINUX_DISK_BLOCKS - 1;
	const uint8_t capacity[32] = {
		0, 0, 0, 0, 0, 0, (uint8_t)(last >> 8), (uint8_t)last, 0, 0, BLOCK_BYTES >> 8, 0};
	const uint8_t luns[16] = {0, 0, 0, 8};
	const uint8_t mode[4] = {3, 0, 0x80, 0};

	memcpy(cdb, packet->wire.srb.cdb_or_sense, sizeof cdb);
	disk->commands[cdb[0]]++;
	if (packet->wire.srb.lun != 0 && cdb[0] != 0x12) {
		packet->wire.srb.srb_status = STORAGE_SRB_INVALID_LUN;
		packet->wire.srb.data_length = 0;
		return;
	}
	switch (cdb[0]) {
	case 0x00: /* TEST UNIT READY */
	case 0x35: /* SYNCHRONIZE CACHE */
		succeed(packet, 0);
		break;
	case 0x12:
		inquiry(disk, packet, cdb);
		break;
	case 0xa0: /* REPORT LUNS */
		small_data(disk, packet, luns, sizeof luns);
		break;
	case 0x25: /* READ CAPACITY */
		small_data(disk, packet, capacity + 4, 8);
		break;
	case 0x9e:
		small_data(disk, packet, capacity, sizeof capacity);
		break;
	case 0x1a: /* MODE SENSE: write-protected */
		small_data(disk, packet, mode, sizeof mode);
		break;
	case 0x28: /* READ(10) */
		blocks_put(disk, packet, big_endian(cdb + 2, 4), (uint32_t)big_endian(cdb + 7, 2));
		succeed(packet, packet->wire.srb.data_length);
		break;
	case 0x88: /* READ(16) */
		blocks_put(disk, packet, big_endian(cdb + 2, 8), (uint32_t)big_endian(cdb + 10, 4));
		succeed(packet, packet->wire.srb.data_length);
		break;
	default:
		refuse(packet);
	}
}

/* ---- operations ------------------------------------------------------------------------------ */

static void sub_channels_offer(struct linux_disk *disk, uint16_t count)
{
	struct linux_guest *g = disk->channel->guest;

	for (uint16_t i = 1; i <= count && i <= disk->max_sub_channels; i++) {
		struct linux_channel *sub = linux_offer_make(g, &disk->channel->offer.interface_id);
		if (sub == NULL)
			return;
		sub->offer.instance_id = disk->channel->offer.instance_id;
		sub->offer.subchannel_index = i;
		sub->ready = disk->channel->ready;
		sub->device = disk;
		linux_offer_tell(g, sub);
	}
}

void linux_disk_serve(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	struct storage_version_wire version;
	uint16_t sub_channels = 0;

	packet->wire.header.status = 0;
	switch (packet->wire.header.operation) {
	case STORAGE_OP_QUERY_PROTOCOL_VERSION:
		memcpy(&version, packet->payload + STORAGE_HEADER_BYTES, sizeof version);
		if (version.major_minor > disk->version_max)
			packet->wire.header.status = STORAGE_STATUS_REVISION_MISMATCH;
		else
			disk->version = version.major_minor;
		break;
	case STORAGE_OP_QUERY_PROPERTIES: {
		const struct storage_properties_wire properties = {
			.max_sub_channels = disk->max_sub_channels,
			.flags = disk->max_sub_channels > 0 ? STORAGE_PROPERTIES_MULTI_CHANNEL : 0,
			.max_transfer_bytes = MAX_TRANSFER,
		};
		memcpy(packet->payload + STORAGE_HEADER_BYTES, &properties, sizeof properties);
		break;
	}
	case STORAGE_OP_CREATE_SUB_CHANNELS:
		memcpy(&sub_channels, packet->payload + STORAGE_HEADER_BYTES, sizeof sub_channels);
		break;
	case STORAGE_OP_EXECUTE_SRB:
		command(disk, packet);
		break;
	default:
		break;
	}
	packet->wire.header.operation = STORAGE_OP_COMPLETE_IO;
	packet->wire.header.flags = 0;
	linux_disk_complete(disk, packet->id, packet->payload, STORAGE_PACKET_BYTES_WIN8);
	if (sub_channels > 0)
		sub_channels_offer(disk, sub_channels);
}

void linux_disk_complete(struct linux_disk *disk, uint64_t id, const void *payload, uint32_t bytes)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_COMPLETION,
		.payload_bytes = bytes,
		.transaction_id = id,
	};
	(void)linux_packet(disk->channel, &header, payload);
}

/* What every packet of the guest owes. */
static void packet_judge(struct linux_disk *disk, const struct linux_disk_packet *packet)
{
	if (!(packet->flags & PACKET_FLAG_COMPLETION_REQUESTED))
		fault(disk, "R-STOR-050: a packet asks for no completion");
	if (packet->id == 0)
		fault(disk, "R-STOR-052: transaction id 0");
	if (packet->type == PACKET_TYPE_GPA_DIRECT && packet->range_count != 1)
		fault(disk, "R-STOR-051: not one range");
	if (packet->range_bytes > MAX_TRANSFER)
		fault(disk, "R-STOR-051: more than max_transfer_bytes");
	if (packet->payload_bytes != STORAGE_PACKET_BYTES_WIN8)
		fault(disk, "a payload that is not of 64 bytes");
}

static void packet_copy(const struct packet_view *view, struct linux_disk_packet *packet)
{
	*packet = (struct linux_disk_packet){
		.id = view->transaction_id,
		.type = view->type,
		.flags = view->flags,
		.extended_bytes = view->extended_bytes < sizeof packet->extended
					  ? view->extended_bytes
					  : (uint32_t)sizeof packet->extended,
		.payload_bytes = view->payload_bytes,
	};
	memcpy(packet->extended, view->extended, packet->extended_bytes);
	memcpy(packet->payload, view->payload,
		view->payload_bytes < sizeof packet->payload ? view->payload_bytes
							     : sizeof packet->payload);
	if (view->type == PACKET_TYPE_GPA_DIRECT && packet->extended_bytes >= 16) {
		memcpy(&packet->range_count, packet->extended + 4, 4);
		memcpy(&packet->range_bytes, packet->extended + 8, 4);
	}
}

static void on_ready(struct linux_channel *channel)
{
	struct linux_disk *disk = channel->device;
	struct linux_disk_packet packet;
	struct packet_view view;

	while (channel->is_open && ring_peek(&channel->reader, &view) == RING_OK) {
		packet_copy(&view, &packet);
		ring_release(&channel->reader, &view);
		disk->packets++;
		packet_judge(disk, &packet);
		if (disk->on_packet == NULL || !disk->on_packet(disk, &packet)) {
			/* answers go where the question came from */
			struct linux_channel *primary = disk->channel;
			disk->channel = channel;
			linux_disk_serve(disk, &packet);
			disk->channel = primary;
		}
	}
	if (channel->is_open && ring_read_flush(&channel->reader))
		linux_event(channel);
}

/* ---- as a test sees it ----------------------------------------------------------------------- */

struct linux_disk *linux_disk_offer(struct linux_guest *g)
{
	static struct linux_disk disks[64]; /* a process plays few of them */
	static size_t used;
	struct linux_disk *disk = &disks[used++ % 64];

	free(disk->kept);
	*disk = (struct linux_disk){.version_max = STORAGE_VERSION_6_2};
	disk->kept = calloc(LINUX_DISK_PACKETS, sizeof *disk->kept);
	disk->channel = linux_offer_make(g, &guid_storage);
	if (disk->channel == NULL || disk->kept == NULL)
		return NULL;
	disk->channel->ready = on_ready;
	disk->channel->device = disk;
	return disk;
}

bool linux_disk_is_up(struct linux_guest *g, struct linux_disk *disk)
{
	linux_offer_tell(g, disk->channel);
	if (!linux_opened(g, disk->channel))
		return false;
	const int status = linux_do(g,
		"i=0; until [ -b /dev/sda ] || [ $i = 60 ]; do usleep 100000; i=$((i+1)); "
		"done; [ -b /dev/sda ]");
	if (status > 0)
		return conform_no(&g->target, "no disk comes up: %u packets", disk->packets);
	return status == 0;
}

bool linux_disk_remove(struct linux_guest *g)
{
	const int status = linux_do(g, "for d in /sys/block/sd*/device/delete; do [ ! -e $d ] || "
				       "echo 1 >$d; done");
	return status == 0;
}

bool linux_disk_reads(struct linux_guest *g, unsigned block)
{
	char output[LINUX_OUTPUT_BYTES];
	char wanted[3] = "00";
	const unsigned value = (block % 256 + 1) & 0xff;

	if (linux_say(g, output,
		    "dd if=/dev/sda bs=4096 skip=%u count=1 2>/dev/null | "
		    "hexdump -v -e '1/1 \"%%02x\\n\"' | uniq | head -n 2; "
		    "echo 1 >/proc/sys/vm/drop_caches",
		    block) < 0)
		return false;
	wanted[0] = "0123456789abcdef"[value >> 4];
	wanted[1] = "0123456789abcdef"[value & 15];
	if (strncmp(output, wanted, 2) == 0)
		return true;
	return conform_no(&g->target, "block %u reads as \"%.20s\", not %s", block, output, wanted);
}
