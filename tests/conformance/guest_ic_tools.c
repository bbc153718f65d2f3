// SPDX-License-Identifier: Apache-2.0
/* See guest_ic.h. */
#include "tests/conformance/guest_ic.h"

#include <string.h>

static void on_packet(struct scripted_host *h, uint32_t relid, const struct packet_view *view)
{
	struct ic_stage *stage = h->ctx;

	if (relid != 1)
		return;
	stage->answers++;
	stage->id = view->transaction_id;
	stage->type = view->type;
	stage->bytes = view->payload_bytes;
	memset(stage->answer, 0, sizeof stage->answer);
	memcpy(stage->answer, view->payload,
		view->payload_bytes < IC_STAGE_BYTES ? view->payload_bytes : IC_STAGE_BYTES);
}

struct ic_stage *ic_stage_open(
	struct conform_target *t, struct ic_guest *ic, const struct guid *interface_id)
{
	static struct ic_stage stage;
	struct scripted_host *h = scripted_host_of(t);

	h->interface[1] = interface_id->bytes;
	if (!guest_connect(t, VMBUS_VERSION_6_0))
		return NULL;
	const int error = ic_channel_open(
		&stage.channel, h->bus, ic, interface_id, guest_deadline(h));
	if (error != 0) {
		conform_note(t, "the component does not open: %d", error);
		return NULL;
	}
	h->ctx = &stage;
	h->on_packet = on_packet;
	return &stage;
}

uint32_t ic_request(struct ic_stage *stage, uint16_t type, uint16_t body_bytes)
{
	uint8_t *m = stage->message;

	memset(m, 0, IC_STAGE_BYTES);
	m[IC_AT_PIPE_TYPE] = 1;
	put32(m + IC_AT_PIPE_LENGTH, 20u + body_bytes);
	m[8] = 3; /* framework 3.0 */
	put16(m + IC_AT_TYPE, type);
	m[14] = 3; /* message 3.0 */
	put16(m + IC_AT_BODY_BYTES, body_bytes);
	m[IC_AT_TRANSACTION] = 0x5c;
	m[IC_AT_FLAGS] = 3;
	return (uint32_t)IC_AT_BODY + body_bytes;
}

static uint8_t *versions_put(uint8_t *at, const uint32_t *versions, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++, at += 4) {
		put16(at, versions[i] >> 16);
		put16(at + 2, versions[i]);
	}
	return at;
}

uint32_t ic_negotiation(struct ic_stage *stage, const uint32_t *frameworks,
	uint16_t framework_count, const uint32_t *messages, uint16_t message_count)
{
	uint8_t *m = stage->message;
	const uint32_t bytes = ic_request(
		stage, 0, (uint16_t)(8 + 4 * (framework_count + message_count)));

	memset(m + 8, 0, 4);
	memset(m + 14, 0, 4);
	put16(m + IC_AT_BODY, framework_count);
	put16(m + IC_AT_BODY + 2, message_count);
	(void)versions_put(versions_put(m + IC_AT_BODY + 8, frameworks, framework_count), messages,
		message_count);
	return bytes;
}

unsigned ic_say(struct scripted_host *h, struct ic_stage *stage, uint32_t bytes)
{
	const unsigned before = stage->answers;

	if (!host_send(h, 1, PACKET_TYPE_INBAND, 0, 0x1000 + stage->sent++, stage->message, bytes))
		return 0;
	guest_serve(h);
	host_serve(h, 1);
	return stage->answers - before;
}

struct ic_stage *ic_stage_agreed(struct conform_target *t, struct ic_guest *ic,
	const struct guid *interface_id, uint16_t framework, uint16_t message, uint16_t minor)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = ic_stage_open(t, ic, interface_id);
	const uint32_t frameworks[] = {(uint32_t)framework << 16};
	const uint32_t messages[] = {(uint32_t)message << 16 | minor};

	if (stage == NULL)
		return NULL;
	if (ic_say(h, stage, ic_negotiation(stage, frameworks, 1, messages, 1)) != 1 ||
		get16(stage->answer + IC_AT_BODY) != 1) {
		conform_note(
			t, "versions %u.0 and %u.%u are not agreed on", framework, message, minor);
		return NULL;
	}
	return stage;
}

bool ic_answered(struct conform_target *t, struct ic_stage *stage, uint16_t type,
	const uint8_t *body, uint16_t bytes, uint32_t status)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint32_t length = ic_request(stage, type, bytes);

	memcpy(stage->message + IC_AT_BODY, body, bytes);
	if (ic_say(h, stage, length) != 1)
		return conform_no(t, "it is not answered");
	return ic_status(stage) == status ||
	       conform_no(t, "it is answered with status 0x%x", ic_status(stage));
}

void ic_text_put(uint8_t *at, unsigned bytes, const char *text)
{
	memset(at, 0, bytes);
	for (unsigned i = 0; text[i] != '\0'; i++)
		put16(at + 2 * i, (uint8_t)text[i]);
}
