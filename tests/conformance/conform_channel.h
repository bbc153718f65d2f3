// SPDX-License-Identifier: Apache-2.0
/*
 * A channel for conformance tests: lent, opened and closed by messages that a test can
 * bend, then ring.h. Rings are mapped once; packets that wrap go through scratch memory.
 *
 * Functions that return false have set the evidence.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_CHANNEL_H
#define TESTS_CONFORMANCE_CONFORM_CHANNEL_H

#include "protocol/packet.h"
#include "protocol/ring.h"
#include "tests/conformance/conform_bus.h"

#define CONFORM_ANSWER_SINT 5u /* to which tests have answers about reserved channels sent */

struct conform_channel {
	uint32_t relid;
	uint32_t connection_id;
	uint32_t gpadl_id;
	uint32_t open_id;
	uint32_t ring_bytes; /* of each ring, control page included */
	struct winhv_pages pages;
	struct winhv_pages scratch;
	struct ring_writer out;
	struct ring_reader in;
	uint8_t *out_control, *out_data, *in_control, *in_data;
	uint64_t next_id; /* of transactions */
};

/* Memory for two rings with `data_pages` each, made empty; GPADL_CREATED with success. */
bool conform_channel_lend(struct conform_target *t, struct conform_channel *channel,
	const struct vmbus_offer_channel_wire *offer, uint32_t data_pages);
/* OPEN_CHANNEL of what was lent: target VP 0, no user data. To be changed, and posted. */
struct vmbus_open_channel_wire conform_channel_request(struct conform_channel *channel);
/* Post it with 148 bytes; OPEN_CHANNEL_RESULT is next, its status goes to *status. */
bool conform_channel_ask(
	struct conform_target *t, const struct vmbus_open_channel_wire *open, uint32_t *status);
/* Lend, open, success; the rings are ready. */
bool conform_channel_open(struct conform_target *t, struct conform_channel *channel,
	const struct vmbus_offer_channel_wire *offer, uint32_t data_pages);
/* Take the rings as they are now. */
bool conform_channel_rings(struct conform_target *t, struct conform_channel *channel);
/* CLOSE_CHANNEL, GPADL_TEARDOWN, GPADL_TORNDOWN. */
bool conform_channel_close(struct conform_target *t, struct conform_channel *channel);

/* Signal the host by the id of the offer: the status. */
uint16_t conform_channel_signal(struct conform_target *t, const struct conform_channel *channel);
/* Write one packet and signal if the ring says so. */
bool conform_channel_send(struct conform_target *t, struct conform_channel *channel,
	const struct packet_header *header, const void *extended, const void *payload);
/* The next packet within CONFORM_PATIENCE; conform_channel_done() ends its life. */
bool conform_channel_receive(
	struct conform_target *t, struct conform_channel *channel, struct packet_view *view);
void conform_channel_done(
	struct conform_target *t, struct conform_channel *channel, const struct packet_view *view);
/*
 * The next packet is the answer to the channel's last transaction, and is done with. It is looked
 * for and not waited for: no event is needed for it. `what` has asked for it.
 */
bool conform_channel_answered(
	struct conform_target *t, struct conform_channel *channel, const char *what);
/* Wait until the event of a flag has come to a VP. Takes all flags of its word. */
bool conform_event(struct conform_target *t, uint32_t vp, uint32_t flag);

#endif
