// SPDX-License-Identifier: Apache-2.0
/*
 * The SCSI controller: handshake, versions, subchannels, and what is checked before a command
 * is looked at. Commands are in host_scsi.c.
 */
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
	OPERATION(QUERY_PROTOCOL_VERSION, STORAGE_VERSION_6_0, STORAGE_STATUS_SUCCESS);
	OPERATION(EXECUTE_SRB, 0, ILLEGAL);
	OPERATION(QUERY_PROPERTIES, 0, STORAGE_STATUS_SUCCESS);
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
	{"R-STOR-047", "unknown operations are refused, and it goes on", unknown_operation,
		CONFORM_BUS, 0, 0},
	{"R-STOR-064", "the guest's user data are ignored", user_data, CONFORM_BUS, 0, 0},
	{"R-STOR-065", "a reply has operation 1 and no flags", reply_header, CONFORM_BUS, 0, 0},
	{"R-STOR-068", "no subchannels without multi-channel", multi_channel, CONFORM_BUS, 0, 0},
	{"R-STOR-069", "closing the primary withdraws its subchannels", primary_closes, CONFORM_BUS,
		0, 0},
	{"R-STOR-072", "an EXECUTE_SRB that is too short is refused", short_srb, CONFORM_BUS, 0, 0},
};
const size_t conform_storage_test_count = sizeof conform_storage_tests /
					  sizeof conform_storage_tests[0];
