// SPDX-License-Identifier: Apache-2.0
/*
 * Requests to a storage controller for conformance tests: packets as bytes, one at a time.
 *
 * Functions that return false have set the evidence.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_STORAGE_H
#define TESTS_CONFORMANCE_CONFORM_STORAGE_H

#include "protocol/storage.h"
#include "tests/conformance/conform_channel.h"

struct conform_storage {
	struct conform_channel channel;
	struct storage_properties_wire properties;
};

/* A packet of 64 bytes, as requests and replies are. */
union conform_packet {
	struct storage_header_wire header;
	struct storage_srb_packet_wire srb;
	uint8_t bytes[STORAGE_PACKET_BYTES_WIN8];
};

/* Connect, collect offers, open the first controller; no handshake yet. */
bool conform_storage_open(struct conform_target *t, struct conform_storage *storage);
/*
 * Send `bytes` of a packet with a completion requested, and wait for its completion, whose
 * payload replaces it (*got bytes). `pages`, if given, go with it as one GPA-direct range of
 * `data_bytes` at `offset`.
 */
bool conform_storage_exchange(struct conform_target *t, struct conform_storage *storage,
	union conform_packet *packet, uint32_t bytes, const struct winhv_pages *pages,
	uint32_t offset, uint32_t data_bytes, uint32_t *got);
/* One operation with nothing behind its header, or a version: its status. */
bool conform_storage_operation(struct conform_target *t, struct conform_storage *storage,
	enum storage_operation operation, uint16_t version, uint32_t *status);
/* The whole handshake with the highest version that is taken. */
bool conform_storage_handshake(struct conform_target *t, struct conform_storage *storage);
/* Open and handshake. */
bool conform_storage_ready(struct conform_target *t, struct conform_storage *storage);

/* A command for target and LUN of path 0. */
struct conform_command {
	uint8_t target, lun;
	uint8_t cdb[16];
	uint8_t cdb_bytes;
	enum storage_direction direction;
	const struct winhv_pages *pages; /* NULL: no data */
	uint32_t offset, data_bytes;
	bool wants_no_sense; /* there is no room for it */
};
/* Execute it; the reply's SRB goes to *reply, its NTSTATUS to *status. */
bool conform_storage_execute(struct conform_target *t, struct conform_storage *storage,
	const struct conform_command *command, struct storage_srb_wire *reply, uint32_t *status);

#endif
