// SPDX-License-Identifier: Apache-2.0
/* The SCSI controller: handshake, versions, addressing, and a few commands. */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

#define OPENED                                                                                     \
	struct conform_storage storage;                                                            \
	uint32_t status;                                                                           \
	TRY(conform_bus_offers(t));                                                                \
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");       \
	TRY(conform_storage_open(t, &storage))
#define READY                                                                                      \
	OPENED;                                                                                    \
	TRY(conform_storage_handshake(t, &storage))
#define OPERATION(operation, version, wanted)                                                      \
	do {                                                                                       \
		TRY(conform_storage_operation(                                                     \
			t, &storage, STORAGE_OP_##operation, version, &status));                   \
		EXPECT(status == (wanted), #operation " gave 0x%x, not 0x%x", status, wanted);     \
	} while (0)
#define ILLEGAL STORAGE_STATUS_INVALID_DEVICE_STATE

static enum conform_verdict begin(struct conform_target *t)
{
	OPENED;
	OPERATION(BEGIN_INITIALIZATION, 0, STORAGE_STATUS_SUCCESS);
	return CONFORM_PASS;
}

static enum conform_verdict out_of_order(struct conform_target *t)
{
	OPENED;
	OPERATION(QUERY_PROPERTIES, 0, ILLEGAL);
	OPERATION(END_INITIALIZATION, 0, ILLEGAL);
	OPERATION(RESET_BUS, 0, ILLEGAL);
	OPERATION(BEGIN_INITIALIZATION, 0, STORAGE_STATUS_SUCCESS);
	OPERATION(END_INITIALIZATION, 0, ILLEGAL);
	OPERATION(QUERY_PROTOCOL_VERSION, STORAGE_VERSION_6_0, STORAGE_STATUS_SUCCESS);
	OPERATION(QUERY_PROPERTIES, 0, STORAGE_STATUS_SUCCESS);
	OPERATION(END_INITIALIZATION, 0, STORAGE_STATUS_SUCCESS);
	return CONFORM_PASS;
}

static bool version_asked(struct conform_target *t, struct conform_storage *storage,
	uint16_t version, uint32_t *status)
{
	union conform_packet packet = {.header = {.operation = STORAGE_OP_QUERY_PROTOCOL_VERSION,
					       .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	uint16_t echo;
	uint32_t got;

	__builtin_memcpy(packet.bytes + STORAGE_HEADER_BYTES, &version, sizeof version);
	if (!conform_storage_exchange(t, storage, &packet, sizeof packet, NULL, 0, 0, &got))
		return false;
	__builtin_memcpy(&echo, packet.bytes + STORAGE_HEADER_BYTES, sizeof echo);
	*status = packet.header.status;
	return echo == version || conform_no(t, "0x%x was echoed as 0x%x", version, echo);
}

static enum conform_verdict versions(struct conform_target *t)
{
	static const uint16_t wanted[] = {0x0200, 0x0402, 0x0501, 0x0600};

	for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		OPENED;
		OPERATION(BEGIN_INITIALIZATION, 0, STORAGE_STATUS_SUCCESS);
		TRY(version_asked(t, &storage, wanted[i], &status));
		EXPECT(status == 0, "version 0x%x gave 0x%x", wanted[i], status);
		TRY(conform_channel_close(t, &storage.channel));
	}
	return CONFORM_PASS;
}

static enum conform_verdict other_versions(struct conform_target *t)
{
	static const uint16_t others[] = {0x0000, 0x0100, 0x0300, 0x0403, 0x0700, 0xffff};
	OPENED;
	OPERATION(BEGIN_INITIALIZATION, 0, STORAGE_STATUS_SUCCESS);
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
		TRY(version_asked(t, &storage, others[i], &status));
		EXPECT(status == STORAGE_STATUS_REVISION_MISMATCH, "version 0x%x gave 0x%x",
			others[i], status);
	}
	TRY(version_asked(t, &storage, STORAGE_VERSION_5_1, &status));
	EXPECT(status == 0, "0x501 after them gave 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict properties(struct conform_target *t)
{
	READY;
	(void)status;
	const uint32_t most = storage.properties.max_transfer_bytes;
	EXPECT(most > 0 && most % 4096 == 0 && most <= STORAGE_TRANSFER_BYTES_MAX,
		"max_transfer_bytes is %u", most);
	return CONFORM_PASS;
}

static enum conform_verdict multi_channel(struct conform_target *t)
{
	OPENED;
	OPERATION(BEGIN_INITIALIZATION, 0, STORAGE_STATUS_SUCCESS);
	OPERATION(QUERY_PROTOCOL_VERSION, STORAGE_VERSION_4_2, STORAGE_STATUS_SUCCESS);
	OPERATION(QUERY_PROPERTIES, 0, STORAGE_STATUS_SUCCESS);
	EXPECT(!(storage.properties.flags & STORAGE_PROPERTIES_MULTI_CHANNEL) &&
			storage.properties.max_sub_channels == 0,
		"4.2: flags 0x%x, %u subchannels", storage.properties.flags,
		storage.properties.max_sub_channels);
	OPERATION(CREATE_SUB_CHANNELS, 1, ILLEGAL);
	return CONFORM_PASS;
}

static enum conform_verdict sub_channels(struct conform_target *t)
{
	struct vmbus_offer_channel_wire offer;
	READY;
	NEED(storage.properties.flags & STORAGE_PROPERTIES_MULTI_CHANNEL &&
			storage.properties.max_sub_channels >= 2,
		"the controller has no two subchannels");
	OPERATION(CREATE_SUB_CHANNELS, 2, STORAGE_STATUS_SUCCESS);
	for (uint16_t i = 1; i <= 2; i++) {
		TRY(conform_bus_expect(t, VMBUS_MESSAGE_OFFER_CHANNEL, &offer, sizeof offer));
		EXPECT(offer.subchannel_index == i &&
				guid_equal(&offer.interface_id, &guid_storage) &&
				guid_equal(&offer.instance_id,
					&conform_offer(t, &guid_storage)->instance_id),
			"an offer with index %u came, not %u", offer.subchannel_index, i);
	}
	OPERATION(CREATE_SUB_CHANNELS, 0, STORAGE_STATUS_SUCCESS);
	TRY(conform_bus_quiet(t, "CREATE_SUB_CHANNELS of 0"));
	return CONFORM_PASS;
}

static enum conform_verdict sub_channel_use(struct conform_target *t)
{
	struct vmbus_offer_channel_wire offer;
	struct conform_storage sub;
	READY;
	NEED(storage.properties.max_sub_channels >= 1, "the controller has no subchannels");
	OPERATION(CREATE_SUB_CHANNELS, 1, STORAGE_STATUS_SUCCESS);
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OFFER_CHANNEL, &offer, sizeof offer));
	TRY(conform_channel_open(t, &sub.channel, &offer, 2));
	TRY(conform_storage_operation(t, &sub, STORAGE_OP_BEGIN_INITIALIZATION, 0, &status));
	EXPECT(status == ILLEGAL, "BEGIN_INITIALIZATION on a subchannel gave 0x%x", status);
	TRY(conform_storage_operation(t, &sub, STORAGE_OP_RESET_BUS, 0, &status));
	EXPECT(status == ILLEGAL, "RESET_BUS on a subchannel gave 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict primary_closes(struct conform_target *t)
{
	struct vmbus_offer_channel_wire offer;
	struct vmbus_rescind_channel_offer_wire rescind;
	READY;
	NEED(storage.properties.max_sub_channels >= 1, "the controller has no subchannels");
	OPERATION(CREATE_SUB_CHANNELS, 1, STORAGE_STATUS_SUCCESS);
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OFFER_CHANNEL, &offer, sizeof offer));
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, storage.channel.relid));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER, &rescind, sizeof rescind));
	EXPECT(rescind.relid == offer.relid, "relid %u was rescinded, not %u", rescind.relid,
		offer.relid);
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_REL_ID_RELEASED, offer.relid));
	TRY(conform_bus_quiet(t, "the release of a rescinded subchannel"));
	return CONFORM_PASS;
}

static enum conform_verdict too_many(struct conform_target *t)
{
	READY;
	NEED(storage.properties.flags & STORAGE_PROPERTIES_MULTI_CHANNEL,
		"the controller has no subchannels");
	OPERATION(CREATE_SUB_CHANNELS, (uint16_t)(storage.properties.max_sub_channels + 1),
		STORAGE_STATUS_INVALID_PARAMETER);
	TRY(conform_bus_quiet(t, "CREATE_SUB_CHANNELS of too many"));
	return CONFORM_PASS;
}

static enum conform_verdict again(struct conform_target *t)
{
	READY;
	(void)status;
	for (unsigned i = 0; i < 3; i++) {
		TRY(conform_channel_close(t, &storage.channel));
		TRY(conform_channel_open(t, &storage.channel, conform_offer(t, &guid_storage), 4));
		TRY(conform_storage_handshake(t, &storage));
	}
	return CONFORM_PASS;
}

static enum conform_verdict short_packets(struct conform_target *t)
{
	union conform_packet packet = {.header = {.operation = STORAGE_OP_BEGIN_INITIALIZATION,
					       .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	uint32_t got;
	OPENED;
	(void)status;
	TRY(conform_storage_exchange(
		t, &storage, &packet, STORAGE_PACKET_BYTES_WIN7, NULL, 0, 0, &got));
	EXPECT(packet.header.status == 0, "48 bytes gave 0x%x", packet.header.status);
	return CONFORM_PASS;
}

static enum conform_verdict reply_size(struct conform_target *t)
{
	static const uint32_t sizes[] = {16, 32, 48, 56, 64};
	READY;
	(void)status;
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		union conform_packet packet = {
			.header = {.operation = STORAGE_OP_RESET_BUS,
				.flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
		uint32_t got;
		TRY(conform_storage_exchange(t, &storage, &packet, sizes[i], NULL, 0, 0, &got));
		EXPECT(got == sizes[i], "%u bytes were answered with %u", sizes[i], got);
	}
	return CONFORM_PASS;
}

static enum conform_verdict reply_header(struct conform_target *t)
{
	union conform_packet packet = {.header = {.operation = STORAGE_OP_BEGIN_INITIALIZATION,
					       .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	uint32_t got;
	OPENED;
	(void)status;
	TRY(conform_storage_exchange(t, &storage, &packet, sizeof packet, NULL, 0, 0, &got));
	EXPECT(packet.header.operation == STORAGE_OP_COMPLETE_IO && packet.header.flags == 0,
		"operation %u, flags 0x%x", packet.header.operation, packet.header.flags);
	return CONFORM_PASS;
}

static enum conform_verdict srb_early(struct conform_target *t)
{
	OPENED;
	OPERATION(EXECUTE_SRB, 0, ILLEGAL);
	OPERATION(BEGIN_INITIALIZATION, 0, STORAGE_STATUS_SUCCESS);
	OPERATION(EXECUTE_SRB, 0, ILLEGAL);
	return CONFORM_PASS;
}

static enum conform_verdict resets(struct conform_target *t)
{
	READY;
	OPERATION(RESET_LUN, 0, STORAGE_STATUS_SUCCESS);
	OPERATION(RESET_BUS, 0, STORAGE_STATUS_SUCCESS);
	OPERATION(RESET_ADAPTER, 0, STORAGE_STATUS_SUCCESS);
	return CONFORM_PASS;
}

static enum conform_verdict user_data(struct conform_target *t)
{
	struct conform_storage storage;
	uint32_t status;
	TRY(conform_bus_offers(t));
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");
	TRY(conform_channel_lend(t, &storage.channel, conform_offer(t, &guid_storage), 4));
	struct vmbus_open_channel_wire open = conform_channel_request(&storage.channel);
	__builtin_memset(open.user_data, 0xab, sizeof open.user_data);
	TRY(conform_channel_ask(t, &open, &status));
	EXPECT(status == 0, "status 0x%x", status);
	TRY(conform_storage_handshake(t, &storage));
	return CONFORM_PASS;
}

static enum conform_verdict unknown_operation(struct conform_target *t)
{
	union conform_packet packet;
	uint32_t got;
	READY;
	for (uint32_t operation = 15; operation < 0x80000000; operation = operation * 16 + 1) {
		packet = (union conform_packet){
			.header = {.operation = operation,
				.flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
		TRY(conform_storage_exchange(
			t, &storage, &packet, sizeof packet, NULL, 0, 0, &got));
		EXPECT(packet.header.status == STORAGE_STATUS_INVALID_REQUEST,
			"operation %u gave 0x%x", operation, packet.header.status);
	}
	OPERATION(RESET_BUS, 0, STORAGE_STATUS_SUCCESS);
	return CONFORM_PASS;
}

static enum conform_verdict short_srb(struct conform_target *t)
{
	union conform_packet packet = {.header = {.operation = STORAGE_OP_EXECUTE_SRB,
					       .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	uint32_t got;
	READY;
	(void)status;
	TRY(conform_storage_exchange(t, &storage, &packet, 40, NULL, 0, 0, &got));
	EXPECT(packet.header.status == STORAGE_STATUS_INVALID_PARAMETER, "40 bytes gave 0x%x",
		packet.header.status);
	return CONFORM_PASS;
}

/* ---- commands -------------------------------------------------------------------------------- */

#define COMMAND                                                                                    \
	READY;                                                                                     \
	(void)status;                                                                              \
	struct storage_srb_wire reply;                                                             \
	const struct winhv_pages data = conform_pages(t, (size_t)8 * WINHV_PAGE_BYTES);            \
	(void)data
#define EXECUTE(...)                                                                               \
	do {                                                                                       \
		const struct conform_command command = {__VA_ARGS__};                              \
		TRY(conform_storage_execute(t, &storage, &command, &reply, &status));              \
	} while (0)
#define SRB_STATUS (reply.srb_status & STORAGE_SRB_STATUS_MASK)
#define EXPECT_SENSE(key, asc, ascq, what)                                                         \
	EXPECT(reply.srb_status &STORAGE_SRB_AUTOSENSE_VALID &&reply.scsi_status == 2 &&           \
			(reply.cdb_or_sense[2] & 0xf) == (key) &&                                  \
			reply.cdb_or_sense[12] == (asc) && reply.cdb_or_sense[13] == (ascq),       \
		what ": SRB 0x%x, SCSI 0x%x, sense %x/%x/%x", reply.srb_status, reply.scsi_status, \
		reply.cdb_or_sense[2] & 0xf, reply.cdb_or_sense[12], reply.cdb_or_sense[13])

/* Target 0, LUN 0, unit attentions over; a skip if there is no disk. */
static enum conform_verdict disk(struct conform_target *t, struct conform_storage *storage,
	const struct winhv_pages *data, uint64_t *blocks, uint32_t *block_bytes)
{
	struct storage_srb_wire reply = {0};
	uint32_t status;
	const struct conform_command capacity = {.cdb = {0x9e, 0x10, [13] = 32},
		.cdb_bytes = 16,
		.direction = STORAGE_DATA_IN,
		.pages = data,
		.data_bytes = 32};

	for (unsigned i = 0; i < 6 && SRB_STATUS != STORAGE_SRB_SUCCESS; i++)
		TRY(conform_storage_execute(t, storage, &capacity, &reply, &status));
	NEED(SRB_STATUS == STORAGE_SRB_SUCCESS, "there is no disk at target 0, LUN 0");
	*blocks = 0;
	*block_bytes = 0;
	for (unsigned i = 0; i < 8; i++)
		*blocks = *blocks << 8 | data->va[i];
	(*blocks)++;
	for (unsigned i = 8; i < 12; i++)
		*block_bytes = *block_bytes << 8 | data->va[i];
	return CONFORM_PASS;
}
#define DISK                                                                                       \
	COMMAND;                                                                                   \
	uint64_t blocks;                                                                           \
	uint32_t block;                                                                            \
	const enum conform_verdict found = disk(t, &storage, &data, &blocks, &block);              \
	if (found != CONFORM_PASS)                                                                 \
		return found;                                                                      \
	(void)blocks, (void)block

static enum conform_verdict inquiry_absent(struct conform_target *t)
{
	COMMAND;
	EXECUTE(.target = 63, .lun = 7, .cdb = {0x12, [4] = 36}, .cdb_bytes = 6,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 36);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && reply.scsi_status == 0 && data.va[0] == 0x7f,
		"SRB 0x%x, SCSI 0x%x, byte 0 is 0x%x", reply.srb_status, reply.scsi_status,
		data.va[0]);
	return CONFORM_PASS;
}

static enum conform_verdict other_absent(struct conform_target *t)
{
	COMMAND;
	EXECUTE(.target = 63, .lun = 7, .cdb = {0x00}, .cdb_bytes = 6,
		.direction = STORAGE_DATA_NONE);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_LUN && reply.scsi_status == 2 &&
			!(reply.srb_status & STORAGE_SRB_AUTOSENSE_VALID),
		"TEST UNIT READY: SRB 0x%x, SCSI 0x%x", reply.srb_status, reply.scsi_status);
	EXPECT(status == STORAGE_STATUS_NO_SUCH_DEVICE, "NTSTATUS 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict report_luns(struct conform_target *t)
{
	COMMAND;
	EXECUTE(.target = 62, .cdb = {0xa0, [8] = 1}, .cdb_bytes = 12, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 256);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && reply.scsi_status == 0, "SRB 0x%x, SCSI 0x%x",
		reply.srb_status, reply.scsi_status);
	EXPECT((data.va[0] | data.va[1] | data.va[2] | data.va[3]) == 0, "the list has %u bytes",
		data.va[3]);
	return CONFORM_PASS;
}

static enum conform_verdict report_luns_there(struct conform_target *t)
{
	DISK;
	__builtin_memset(data.va, 0xff, 512);
	EXECUTE(.cdb = {0xa0, [8] = 1}, .cdb_bytes = 12, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 256);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "SRB 0x%x", reply.srb_status);
	EXPECT(data.va[3] >= 8 && data.va[3] % 8 == 0 && data.va[9] == 0,
		"the list has %u bytes and begins with LUN %u", data.va[3], data.va[9]);
	for (unsigned i = 1; i < data.va[3] / 8u; i++)
		EXPECT(data.va[9 + 8 * i] > data.va[1 + 8 * i], "the list is not ascending");
	return CONFORM_PASS;
}

static enum conform_verdict contradicting(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x12, [4] = 36}, .cdb_bytes = 0, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 36);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "a CDB of 0 bytes: SRB 0x%x",
		reply.srb_status);
	EXECUTE(.cdb = {0x12, [4] = 36}, .cdb_bytes = 17, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 36);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "a CDB of 17 bytes: SRB 0x%x",
		reply.srb_status);
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 6, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "READ(10) in 6 bytes: SRB 0x%x",
		reply.srb_status);
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 10, .direction = STORAGE_DATA_OUT,
		.pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "READ(10) as a write: SRB 0x%x",
		reply.srb_status);
	return CONFORM_PASS;
}

static enum conform_verdict no_wrapping(struct conform_target *t)
{
	DISK;
	__builtin_memset(data.va, 0x3c, data.bytes);
	EXECUTE(.cdb = {0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [13] = 2},
		.cdb_bytes = 16, .direction = STORAGE_DATA_IN, .pages = &data,
		.data_bytes = 2 * block);
	EXPECT_SENSE(5, 0x21, 0, "READ(16) of block 2^64 - 1");
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block);
	EXPECT_SENSE(5, 0x21, 0, "READ(10) of block 2^32 - 1");
	EXPECT(data.va[0] == 0x3c && data.va[block] == 0x3c, "data were written");
	return CONFORM_PASS;
}

static enum conform_verdict count_too_large(struct conform_target *t)
{
	DISK;
	__builtin_memset(data.va, 0x3c, data.bytes);
	EXECUTE(.cdb = {0x28, [8] = 2}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = block);
	EXPECT_SENSE(5, 0x21, 0, "two blocks into the room of one");
	EXPECT(data.va[0] == 0x3c, "data were written");
	return CONFORM_PASS;
}

static enum conform_verdict sense_format(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block);
	EXPECT(reply.srb_status & STORAGE_SRB_AUTOSENSE_VALID, "SRB 0x%x", reply.srb_status);
	EXPECT(reply.cdb_or_sense[0] == 0x70 && reply.cdb_or_sense[7] == 0x0a &&
			reply.sense_length >= 18 && reply.sense_length <= STORAGE_SENSE_BYTES_MAX,
		"sense begins with 0x%x, says 0x%x more, of %u bytes", reply.cdb_or_sense[0],
		reply.cdb_or_sense[7], reply.sense_length);
	return CONFORM_PASS;
}

static enum conform_verdict sense_valid(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block,
		.wants_no_sense = true);
	EXPECT(!(reply.srb_status & STORAGE_SRB_AUTOSENSE_VALID) && reply.scsi_status == 2,
		"without room: SRB 0x%x, SCSI 0x%x", reply.srb_status, reply.scsi_status);
	EXECUTE(.cdb = {0x03, [4] = 18}, .cdb_bytes = 6, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 18);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && (data.va[2] & 0xf) == 5 && data.va[12] == 0x21,
		"REQUEST SENSE after it: SRB 0x%x, sense %x/%x", reply.srb_status, data.va[2] & 0xf,
		data.va[12]);
	return CONFORM_PASS;
}

static enum conform_verdict nothing_moved(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block);
	EXPECT(reply.data_length == 0, "after a failure data_length is %u", reply.data_length);
	EXPECT(status == STORAGE_STATUS_IO_DEVICE_ERROR, "NTSTATUS 0x%x", status);
	EXECUTE(.cdb = {0x28, [8] = 2}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 4 * block);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && reply.data_length == 2 * block,
		"SRB 0x%x, data_length %u", reply.srb_status, reply.data_length);
	return CONFORM_PASS;
}

/* Write a pattern at an odd offset, read it back in another form at another offset. */
static enum conform_verdict write_and_read(struct conform_target *t)
{
	DISK;
	const uint32_t bytes = 4 * block;
	NEED(bytes <= 4 * WINHV_PAGE_BYTES, "blocks of %u bytes are too large here", block);
	NEED(blocks > 64, "the disk is too small");
	for (uint32_t i = 0; i < bytes; i++)
		data.va[8 + i] = (uint8_t)(i * 7 + i / 251);
	EXECUTE(.cdb = {0x2a, [5] = 40, [8] = 4}, .cdb_bytes = 10, .direction = STORAGE_DATA_OUT,
		.pages = &data, .offset = 8, .data_bytes = bytes);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "WRITE(10): SRB 0x%x", reply.srb_status);
	const struct winhv_pages back = conform_pages(t, (size_t)8 * WINHV_PAGE_BYTES);
	__builtin_memset(back.va, 0xcc, back.bytes);
	EXECUTE(.cdb = {0x88, [9] = 40, [13] = 4}, .cdb_bytes = 16, .direction = STORAGE_DATA_IN,
		.pages = &back, .offset = 4088, .data_bytes = bytes);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "READ(16): SRB 0x%x", reply.srb_status);
	EXPECT(__builtin_memcmp(back.va + 4088, data.va + 8, bytes) == 0,
		"READ(16) finds other bytes than WRITE(10) has written");
	EXPECT(back.va[4087] == 0xcc && back.va[4088 + bytes] == 0xcc,
		"bytes beside the range were written");
	return CONFORM_PASS;
}

static enum conform_verdict durable(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x2a, 0x08, [5] = 50, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_OUT, .pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "WRITE(10) with FUA: SRB 0x%x", reply.srb_status);
	return CONFORM_PASS;
}

static enum conform_verdict flush(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x35}, .cdb_bytes = 10, .direction = STORAGE_DATA_NONE);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "SYNCHRONIZE CACHE(10): SRB 0x%x",
		reply.srb_status);
	return CONFORM_PASS;
}

static enum conform_verdict read_only(struct conform_target *t)
{
	DISK;
	for (unsigned i = 0; i < 4; i++) /* unit attentions */
		EXECUTE(.target = 1, .lun = 2, .cdb = {0x00}, .cdb_bytes = 6,
			.direction = STORAGE_DATA_NONE);
	EXECUTE(.target = 1, .lun = 2, .cdb = {0x1a, 0, 0x3f, 0, 192}, .cdb_bytes = 6,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 192);
	NEED(SRB_STATUS == STORAGE_SRB_SUCCESS && data.va[2] & 0x80,
		"there is no write-protected disk at target 1, LUN 2");
	EXECUTE(.target = 1, .lun = 2, .cdb = {0x2a, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_OUT, .pages = &data, .data_bytes = block);
	EXPECT_SENSE(7, 0x27, 0, "a write");
	return CONFORM_PASS;
}

static enum conform_verdict vital_pages(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x12, 1, 0, [4] = 255}, .cdb_bytes = 6, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 255);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && data.va[1] == 0, "page 00: SRB 0x%x",
		reply.srb_status);
	const unsigned count = data.va[3];
	uint8_t pages[256];
	__builtin_memcpy(pages, data.va + 4, count < 252 ? count : 252);
	for (unsigned page = 0, at = 0; page < 256; page++) {
		const bool is_listed = at < count && pages[at] == page;
		EXECUTE(.cdb = {0x12, 1, (uint8_t)page, [4] = 255}, .cdb_bytes = 6,
			.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 255);
		EXPECT((SRB_STATUS == STORAGE_SRB_SUCCESS) == is_listed,
			"page 0x%x is %slisted: SRB 0x%x", page, is_listed ? "" : "not ",
			reply.srb_status);
		at += is_listed;
	}
	return CONFORM_PASS;
}

static enum conform_verdict allocation(struct conform_target *t)
{
	DISK;
	for (unsigned bytes = 0; bytes < 40; bytes++) {
		__builtin_memset(data.va, 0xcc, 256);
		EXECUTE(.cdb = {0x12, [4] = (uint8_t)bytes}, .cdb_bytes = 6,
			.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 255);
		EXPECT(data.va[bytes] == 0xcc, "INQUIRY with allocation %u wrote byte %u", bytes,
			bytes);
	}
	return CONFORM_PASS;
}

static enum conform_verdict not_memory(struct conform_target *t)
{
	DISK;
	const struct winhv_pages outside = {.gpa = 1ull << 45, .bytes = WINHV_PAGE_BYTES};
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &outside, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "SRB 0x%x", reply.srb_status);
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "the next one: SRB 0x%x", reply.srb_status);
	return CONFORM_PASS;
}

const struct conform_test conform_storage_tests[] = {
	{"R-STOR-001", "BEGIN_INITIALIZATION succeeds", begin, CONFORM_BUS, 0, 0},
	{"R-STOR-002", "operations out of order are refused, and it goes on", out_of_order,
		CONFORM_BUS, 0, 0},
	{"R-STOR-003", "four versions are taken, and echoed", versions, CONFORM_BUS, 0, 0},
	{"R-STOR-004", "other versions are refused, then a lower one taken", other_versions,
		CONFORM_BUS, 0, 0},
	{"R-STOR-005", "max_transfer_bytes is in range", properties, CONFORM_BUS, 0, 0},
	{"R-STOR-006", "no multi-channel below 5.1", multi_channel, CONFORM_BUS, 0, 0},
	{"R-STOR-007", "a reply is as long as its request", reply_size, CONFORM_BUS, 0, 0},
	{"R-STOR-008", "48 bytes are accepted before a version", short_packets, CONFORM_BUS, 0, 0},
	{"R-STOR-009", "EXECUTE_SRB before ready is refused", srb_early, CONFORM_BUS, 0, 0},
	{"R-STOR-013", "subchannels are offered", sub_channels, CONFORM_BUS, 0, 0},
	{"R-STOR-014", "too many subchannels are refused", too_many, CONFORM_BUS, 0, 0},
	{"R-STOR-016", "a subchannel has no handshake", sub_channel_use, CONFORM_BUS, 0, 0},
	{"R-STOR-017", "a closed controller begins anew", again, CONFORM_BUS, 0, 0},
	{"R-STOR-019", "resets succeed", resets, CONFORM_BUS, 0, 0},
	{"R-STOR-025", "bit 0x80 says that there is sense; else it is kept", sense_valid,
		CONFORM_BUS, 0, 0},
	{"R-STOR-026", "sense has the fixed format", sense_format, CONFORM_BUS, 0, 0},
	{"R-STOR-027", "data_length is what was moved", nothing_moved, CONFORM_BUS, 0, 0},
	{"R-STOR-028", "INQUIRY to an absent LUN says so", inquiry_absent, CONFORM_BUS, 0, 0},
	{"R-STOR-029", "other commands to an absent LUN fail", other_absent, CONFORM_BUS, 0, 0},
	{"R-STOR-030", "REPORT LUNS lists a target's LUNs", report_luns_there, CONFORM_BUS, 0, 0},
	{"R-STOR-031", "ranges do not wrap", no_wrapping, CONFORM_BUS, 0, 0},
	{"R-STOR-032", "a count beyond the buffer moves nothing", count_too_large, CONFORM_BUS, 0,
		0},
	{"R-STOR-033", "a write-protected disk refuses writes", read_only, CONFORM_BUS, 0, 0},
	{"R-STOR-034", "what one form wrote, another reads", write_and_read, CONFORM_BUS, 0, 0},
	{"R-STOR-035", "SYNCHRONIZE CACHE succeeds", flush, CONFORM_BUS, 0, 0},
	{"R-STOR-036", "FUA is accepted", durable, CONFORM_BUS, 0, 0},
	{"R-STOR-038", "page 00 lists all pages, and no other", vital_pages, CONFORM_BUS, 0, 0},
	{"R-STOR-045", "a range outside of memory ends its command only", not_memory, CONFORM_BUS,
		0, 0},
	{"R-STOR-047", "unknown operations are refused, and it goes on", unknown_operation,
		CONFORM_BUS, 0, 0},
	{"R-STOR-060", "no more is written than was asked for", allocation, CONFORM_BUS, 0, 0},
	{"R-STOR-063", "REPORT LUNS of an empty target is empty", report_luns, CONFORM_BUS, 0, 0},
	{"R-STOR-064", "the guest's user data are ignored", user_data, CONFORM_BUS, 0, 0},
	{"R-STOR-065", "a reply has operation 1 and no flags", reply_header, CONFORM_BUS, 0, 0},
	{"R-STOR-068", "no subchannels without multi-channel", multi_channel, CONFORM_BUS, 0, 0},
	{"R-STOR-069", "closing the primary withdraws its subchannels", primary_closes, CONFORM_BUS,
		0, 0},
	{"R-STOR-071", "requests that contradict themselves are refused", contradicting,
		CONFORM_BUS, 0, 0},
	{"R-STOR-072", "an EXECUTE_SRB that is too short is refused", short_srb, CONFORM_BUS, 0, 0},
	{"R-STOR-080", "data move exactly as the range says", write_and_read, CONFORM_BUS, 0, 0},
};
const size_t conform_storage_test_count = sizeof conform_storage_tests /
					  sizeof conform_storage_tests[0];
