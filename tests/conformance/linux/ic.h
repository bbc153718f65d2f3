// SPDX-License-Identifier: Apache-2.0
/* The host's half of the integration components, right or wrong. See guest.h. */
#ifndef TESTS_CONFORMANCE_LINUX_IC_H
#define TESTS_CONFORMANCE_LINUX_IC_H

#include "protocol/ic.h"
#include "tests/conformance/linux/guest.h"

#define LINUX_IC_BYTES 4096u

/* A message of ours, to be changed before it is sent. */
struct linux_ic {
	uint8_t payload[LINUX_IC_BYTES]; /* pipe header, IC header, body */
	uint32_t bytes;			 /* of the payload */
	uint64_t id;			 /* of the packet */
};

struct linux_ic_answer {
	struct packet_view view;
	uint8_t payload[LINUX_IC_BYTES];
	struct ic_header_wire header;
	const uint8_t *body;
};

/* A request of `type` in the versions given, with this body; its transaction id is new. */
void linux_ic_request(struct linux_guest *guest, struct linux_ic *ic, uint16_t type,
	const void *body, uint16_t body_bytes);
/* A negotiation that names these versions (framework, then message), highest first or not. */
void linux_ic_negotiation(struct linux_guest *guest, struct linux_ic *ic,
	const struct ic_version_wire *frameworks, uint16_t framework_count,
	const struct ic_version_wire *messages, uint16_t message_count);

bool linux_ic_send(struct linux_channel *channel, const struct linux_ic *ic);
/* The next message of the guest; false with evidence. */
bool linux_ic_receive(struct linux_channel *channel, struct linux_ic_answer *answer);
/* Both; the answer must be to this request. */
bool linux_ic_ask(
	struct linux_channel *channel, const struct linux_ic *ic, struct linux_ic_answer *answer);
/* Send it; it is not answered, and what follows it is. */
bool linux_ic_is_dropped(struct linux_channel *channel, const struct linux_ic *ic);

/* Offer the service of `type`, see it opened and negotiated in its highest versions. */
struct linux_channel *linux_ic_open(struct linux_guest *guest, uint16_t type);
/* The versions that Linux knows, of messages; the framework's are 3.0 and 1.0. */
const struct guid *linux_ic_interface(uint16_t type);
bool linux_ic_agree(struct linux_channel *channel, uint16_t type, struct linux_ic_answer *answer);
/* One heartbeat there and back. */
bool linux_ic_beat(struct linux_channel *channel, uint64_t sequence);

/*
 * The bus works: a new service, of a kind that is not offered, is opened, negotiates, is taken
 * back, and is released.
 */
bool linux_ic_works(struct linux_guest *guest);

static inline struct ic_header_wire *linux_ic_header(struct linux_ic *ic)
{
	return (void *)(ic->payload + PACKET_PIPE_HEADER_BYTES);
}

#endif
