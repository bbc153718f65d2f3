// SPDX-License-Identifier: Apache-2.0
/* Requests to a storage controller for conformance tests. See conform_storage.h. */
#include "tests/conformance/conform_storage.h"

#define PAGES_MAX 64u

bool conform_storage_open(struct conform_target *t, struct conform_storage *storage)
{
	if (!conform_bus_offers(t))
		return false;
	const struct vmbus_offer_channel_wire *offer = conform_offer(t, &guid_storage);
	if (offer == NULL)
		return conform_no(t, "the host offers no SCSI controller");
	return conform_channel_open(t, &storage->channel, offer, 4);
}

bool conform_storage_exchange(struct conform_target *t, struct conform_storage *storage,
	union conform_packet *packet, uint32_t bytes, const struct winhv_pages *pages,
	uint32_t offset, uint32_t data_bytes, uint32_t *got)
{
	struct {
		struct packet_gpa_direct_wire fixed;
		struct packet_gpa_range_wire range;
		uint64_t gpns[PAGES_MAX];
	} PROTOCOL_PACKED list = {.fixed.range_count = 1};
	struct conform_channel *channel = &storage->channel;
	struct packet_header header = {
		.type = pages ? PACKET_TYPE_GPA_DIRECT : PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = bytes,
		.transaction_id = ++channel->next_id + 0x5000,
	};
	struct packet_view view;

	if (pages) {
		const uint32_t count = packet_gpa_pages(offset, data_bytes);
		if (count > PAGES_MAX)
			return conform_no(t, "a test moves too much");
		list.range.byte_count = data_bytes;
		list.range.byte_offset = offset;
		for (uint32_t i = 0; i < count; i++)
			list.gpns[i] = pages->gpa / WINHV_PAGE_BYTES + i;
		header.extended_bytes = (uint32_t)(sizeof list.fixed + sizeof list.range) +
					8 * count;
	}
	if (!conform_channel_send(t, channel, &header, &list, packet) ||
		!conform_channel_receive(t, channel, &view))
		return false;
	if (view.type != PACKET_TYPE_COMPLETION || view.transaction_id != header.transaction_id)
		return conform_no(t,
			"packet type %u, transaction 0x%llx came, not completion 0x%llx", view.type,
			(unsigned long long)view.transaction_id,
			(unsigned long long)header.transaction_id);
	*got = view.payload_bytes;
	__builtin_memcpy(packet, view.payload,
		view.payload_bytes < sizeof *packet ? view.payload_bytes : sizeof *packet);
	conform_channel_done(t, channel, &view);
	return true;
}

bool conform_storage_operation(struct conform_target *t, struct conform_storage *storage,
	enum storage_operation operation, uint16_t version, uint32_t *status)
{
	union conform_packet packet = {
		.header = {.operation = operation, .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	uint32_t got;

	__builtin_memcpy(packet.bytes + STORAGE_HEADER_BYTES, &version, sizeof version);
	if (!conform_storage_exchange(t, storage, &packet, sizeof packet, NULL, 0, 0, &got))
		return false;
	if (got != sizeof packet)
		return conform_no(t, "the reply has %u bytes, not 64", got);
	*status = packet.header.status;
	if (operation == STORAGE_OP_QUERY_PROPERTIES)
		__builtin_memcpy(&storage->properties, packet.bytes + STORAGE_HEADER_BYTES,
			sizeof storage->properties);
	return true;
}

bool conform_storage_handshake(struct conform_target *t, struct conform_storage *storage)
{
	uint32_t status;

	if (!conform_storage_operation(t, storage, STORAGE_OP_BEGIN_INITIALIZATION, 0, &status))
		return false;
	if (status != 0)
		return conform_no(t, "BEGIN_INITIALIZATION: status 0x%x", status);
	status = STORAGE_STATUS_REVISION_MISMATCH;
	for (unsigned i = 0; i < STORAGE_VERSION_COUNT && status != 0; i++)
		if (!conform_storage_operation(t, storage, STORAGE_OP_QUERY_PROTOCOL_VERSION,
			    storage_versions[i].version, &status))
			return false;
	if (status != 0)
		return conform_no(t, "no version is taken: status 0x%x", status);
	if (!conform_storage_operation(t, storage, STORAGE_OP_QUERY_PROPERTIES, 0, &status))
		return false;
	if (status != 0)
		return conform_no(t, "QUERY_PROPERTIES: status 0x%x", status);
	if (!conform_storage_operation(t, storage, STORAGE_OP_END_INITIALIZATION, 0, &status))
		return false;
	return status == 0 || conform_no(t, "END_INITIALIZATION: status 0x%x", status);
}

bool conform_storage_ready(struct conform_target *t, struct conform_storage *storage)
{
	return conform_storage_open(t, storage) && conform_storage_handshake(t, storage);
}

bool conform_storage_execute(struct conform_target *t, struct conform_storage *storage,
	const struct conform_command *command, struct storage_srb_wire *reply, uint32_t *status)
{
	union conform_packet packet = {
		.srb = {.header = {.operation = STORAGE_OP_EXECUTE_SRB,
				.flags = STORAGE_PACKET_COMPLETION_REQUESTED},
			.srb = {.length = STORAGE_SRB_BYTES_WIN8,
				.target = command->target,
				.lun = command->lun,
				.cdb_length = command->cdb_bytes,
				.sense_length = command->wants_no_sense ? 0
									: STORAGE_SENSE_BYTES_MAX,
				.direction = (uint8_t)command->direction,
				.data_length = command->pages ? command->data_bytes : 0}}};
	uint32_t got;

	__builtin_memcpy(packet.srb.srb.cdb_or_sense, command->cdb, sizeof command->cdb);
	if (!conform_storage_exchange(t, storage, &packet, sizeof packet, command->pages,
		    command->offset, command->data_bytes, &got))
		return false;
	*reply = packet.srb.srb;
	*status = packet.header.status;
	return true;
}
