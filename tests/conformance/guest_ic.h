// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component of the guest library on the scripted host: relid 1 is its channel,
 * relid 2 another one. Messages are bytes by offset, from ic.md.
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_GUEST_IC_H
#define TESTS_CONFORMANCE_GUEST_IC_H

#include "guest/ic_daemons/ic_channel.h"
#include "tests/conformance/guest_areas.h"

/* Offsets in a payload. */
enum {
	IC_AT_PIPE_TYPE = 0,
	IC_AT_PIPE_LENGTH = 4,
	IC_AT_TYPE = 12,
	IC_AT_BODY_BYTES = 18,
	IC_AT_STATUS = 20,
	IC_AT_TRANSACTION = 24,
	IC_AT_FLAGS = 25,
	IC_AT_BODY = 28,
};

/* Statuses: ic.md 6. */
#define STATUS_OK      0u
#define STATUS_FAIL    0x80004005u
#define STATUS_INVALID 0x80070057u
#define STATUS_NO_MORE 0x80070103u

#define IC_STAGE_BYTES 8192u

struct ic_stage {
	struct ic_channel channel;
	unsigned sent; /* packets so far; the id of each is its number, from 0x1000 on */
	/* of the last answer */
	unsigned answers;
	uint64_t id;
	uint16_t type;
	uint32_t bytes;
	uint8_t answer[IC_STAGE_BYTES];
	/* the host's message in the making */
	uint8_t message[IC_STAGE_BYTES];
};

/* Connect, offer the interface, open the component. h->ctx is the stage from then on. */
struct ic_stage *ic_stage_open(
	struct conform_target *t, struct ic_guest *ic, const struct guid *interface_id);
/* The same, and agreed on these versions. NULL: the evidence says why. */
struct ic_stage *ic_stage_agreed(struct conform_target *t, struct ic_guest *ic,
	const struct guid *interface_id, uint16_t framework, uint16_t message, uint16_t minor);

/* A request into stage->message: its length. */
uint32_t ic_request(struct ic_stage *stage, uint16_t type, uint16_t body_bytes);
/* A negotiation of these versions (major.minor as major << 16 | minor). */
uint32_t ic_negotiation(struct ic_stage *stage, const uint32_t *frameworks,
	uint16_t framework_count, const uint32_t *messages, uint16_t message_count);
/* Send so many bytes of it, let the guest act; how many answers came. */
unsigned ic_say(struct scripted_host *h, struct ic_stage *stage, uint32_t bytes);
/* Send a request of this body; true if it is answered with the status. */
bool ic_answered(struct conform_target *t, struct ic_stage *stage, uint16_t type,
	const uint8_t *body, uint16_t bytes, uint32_t status);
/* A field of UTF-16LE: ASCII, and zeros behind it. */
void ic_text_put(uint8_t *at, unsigned bytes, const char *text);
/* Status of the last answer. */
static inline uint32_t ic_status(const struct ic_stage *stage)
{
	return get32(stage->answer + IC_AT_STATUS);
}

#endif
