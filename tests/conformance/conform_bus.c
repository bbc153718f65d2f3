// SPDX-License-Identifier: Apache-2.0
/* Control messages for conformance tests. See conform_bus.h. */
#include "tests/conformance/conform_bus.h"

#define FENCE_RELID 0x7f5u /* within range, never offered: relids are given lowest first */
#define FENCE_ID    0x00fe4ce0u
#define NO_VERSION  0x00090009u

static void receive_all(struct conform_target *t)
{
	struct conform_bus *bus = &t->bus;
	struct winhv_message message;

	while (bus->inbox_count < CONFORM_INBOX_MESSAGES &&
		winhv_message_take(t->hv, bus->vp, VMBUS_SINT, &message)) {
		const uint32_t at = (bus->inbox_first + bus->inbox_count) % CONFORM_INBOX_MESSAGES;
		bus->inbox[at] = message;
		bus->inbox_count++;
	}
}

void conform_bus_begin(struct conform_target *t)
{
	t->bus.version = t->bus.features = t->bus.vp = 0;
	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	t->bus.gpadl_next = 0x100;
	t->bus.offer_count = 0;
	t->bus.inbox_first = t->bus.inbox_count = 0;
	t->bus.is_renewed = false;
}

void conform_bus_end(struct conform_target *t)
{
	if (!(t->hv->synic_enabled & 1) || t->bus.version == 0)
		return;
	const struct vmbus_header_wire unload = {.type = VMBUS_MESSAGE_UNLOAD};
	struct winhv_message message;
	char evidence[CONFORM_EVIDENCE_BYTES];

	__builtin_memcpy(evidence, t->evidence, sizeof evidence);
	if (conform_bus_post_to(t, VMBUS_CONNECTION_MESSAGE, &unload, sizeof unload) ==
			HV_STATUS_SUCCESS &&
		vmbus_version_has(t->bus.version, VMBUS_CAP_UNLOAD_RESPONSE))
		while (conform_bus_receive(t, &message) &&
			message.payload[0] != VMBUS_MESSAGE_UNLOAD_COMPLETE)
			;
	/* A host may answer below 1.1, too: that is not for the next test. Refusals come in order.
	 */
	const struct vmbus_initiate_contact_wire refused = conform_contact(t, NO_VERSION, 0);
	if (conform_bus_post_to(t, VMBUS_CONNECTION_MESSAGE, &refused,
		    VMBUS_INITIATE_CONTACT_BYTES) == HV_STATUS_SUCCESS)
		while (conform_bus_receive(t, &message) &&
			message.payload[0] != VMBUS_MESSAGE_VERSION_RESPONSE)
			;
	t->bus.version = 0;
	__builtin_memcpy(t->evidence, evidence, sizeof evidence);
}

bool conform_bus_exists(struct conform_target *t)
{
	/* Of a type that is no control message's: whoever listens drops it. */
	uint16_t status = 0;
	const uint64_t nothing = 0;

	return winhv_post_message(t->hv, VMBUS_CONNECTION_MESSAGE, VMBUS_SYNIC_MESSAGE_TYPE,
		       &nothing, sizeof nothing, &status) == 0 &&
	       status != HV_STATUS_INVALID_CONNECTION_ID;
}

uint16_t conform_bus_post_to(
	struct conform_target *t, uint32_t connection, const void *message, size_t bytes)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint16_t status;

	do {
		receive_all(t);
		if (winhv_post_message(
			    t->hv, connection, VMBUS_SYNIC_MESSAGE_TYPE, message, bytes, &status))
			return CONFORM_FAULT;
	} while ((status == HV_STATUS_INSUFFICIENT_BUFFERS ||
			 status == HV_STATUS_INSUFFICIENT_MEMORY) &&
		 conform_now(t) < deadline);
	return status;
}

bool conform_bus_post(struct conform_target *t, const void *message, size_t bytes)
{
	const uint16_t status = conform_bus_post_to(t, t->bus.connection_id, message, bytes);
	uint32_t type;

	if (status == HV_STATUS_SUCCESS)
		return true;
	__builtin_memcpy(&type, message, sizeof type);
	return conform_no(t, "posting %s on connection %u gave status 0x%x",
		vmbus_message_name(type), t->bus.connection_id, status);
}

bool conform_bus_post_type(struct conform_target *t, uint32_t type)
{
	const struct vmbus_header_wire message = {.type = type};

	return conform_bus_post(t, &message, sizeof message);
}

bool conform_bus_post_relid(struct conform_target *t, uint32_t type, uint32_t relid)
{
	const struct vmbus_close_channel_wire message = {.header.type = type, .relid = relid};

	return conform_bus_post(t, &message, sizeof message);
}

bool conform_bus_receive(struct conform_target *t, struct winhv_message *out)
{
	struct conform_bus *bus = &t->bus;
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;

	for (;;) {
		uint32_t sints;
		receive_all(t);
		if (bus->inbox_count > 0)
			break;
		const uint64_t now = conform_now(t);
		if (now >= deadline)
			return conform_no(t, "no message came within 3 s");
		if (winhv_wait(t->hv, bus->vp, deadline - now, &sints))
			return conform_no(t, "the host is gone");
	}
	*out = bus->inbox[bus->inbox_first];
	bus->inbox_first = (bus->inbox_first + 1) % CONFORM_INBOX_MESSAGES;
	bus->inbox_count--;
	return true;
}

bool conform_bus_expect(struct conform_target *t, uint32_t type, void *out, size_t bytes)
{
	struct winhv_message message;
	uint32_t got = 0;

	if (!conform_bus_receive(t, &message)) {
		const char *name = vmbus_message_name(type);
		return conform_no(t, "%s did not come: no message within 3 s, or no host", name);
	}
	__builtin_memcpy(&got, message.payload, sizeof got);
	if (message.type != VMBUS_SYNIC_MESSAGE_TYPE)
		return conform_no(t, "a message of SynIC type 0x%x came", message.type);
	if (got != type)
		return conform_no(t, "%s (%u) came, not %s", vmbus_message_name(got), got,
			vmbus_message_name(type));
	if (message.bytes != bytes)
		return conform_no(t, "%s has %u bytes, not %zu", vmbus_message_name(type),
			message.bytes, bytes);
	__builtin_memcpy(out, message.payload, bytes);
	return true;
}

/* What came must be of this type, and of the fence's GPADL. */
static bool fence_is(
	struct conform_target *t, uint32_t type, const char *after, struct winhv_message *message)
{
	uint32_t words[4] = {0};

	__builtin_memcpy(words, message->payload,
		message->bytes < sizeof words ? message->bytes : sizeof words);
	const uint32_t id = words[0] == VMBUS_MESSAGE_GPADL_CREATED ? words[3] : words[2];
	const bool is_gpadl = type == VMBUS_MESSAGE_GPADL_CREATED ||
			      type == VMBUS_MESSAGE_GPADL_TORNDOWN;
	return (words[0] == type && (!is_gpadl || id == FENCE_ID)) ||
	       conform_no(t, "%s was answered with %s (%u)", after, vmbus_message_name(words[0]),
		       words[0]);
}

/* The next message is VERSION_RESPONSE, which takes the version or does not. */
static bool contact_is(struct conform_target *t, const char *after, bool is_taken)
{
	struct vmbus_version_response_wire response = {0};
	struct winhv_message message;

	if (!conform_bus_receive(t, &message))
		return conform_no(t, "after %s the host answers nothing any more", after);
	__builtin_memcpy(&response, message.payload,
		message.bytes < sizeof response ? message.bytes : sizeof response);
	if (!fence_is(t, VMBUS_MESSAGE_VERSION_RESPONSE, after, &message))
		return false;
	return (response.supported != 0) == is_taken ||
	       conform_no(t, "%s was answered with VERSION_RESPONSE", after);
}

/*
 * While disconnected: a contact that is refused, then one that is taken and ended. Answers to
 * contacts look all alike, and one too many would put the two out of step.
 */
static bool quiet_disconnected(struct conform_target *t, const char *after)
{
	const struct vmbus_initiate_contact_wire refused = conform_contact(t, NO_VERSION, 0);
	const struct vmbus_initiate_contact_wire taken = conform_contact(t, VMBUS_VERSION_3_0, 0);
	struct winhv_message message;

	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	if (!conform_bus_post(t, &refused, VMBUS_INITIATE_CONTACT_BYTES) ||
		!contact_is(t, after, false) ||
		!conform_bus_post(t, &taken, VMBUS_INITIATE_CONTACT_BYTES) ||
		!contact_is(t, after, true))
		return false;
	return conform_bus_post_type(t, VMBUS_MESSAGE_UNLOAD) && conform_bus_receive(t, &message) &&
	       fence_is(t, VMBUS_MESSAGE_UNLOAD_COMPLETE, after, &message);
}

/* A contact of the version in force, which begins a new connection. */
static bool quiet_by_contact(struct conform_target *t, const char *after)
{
	struct conform_bus *bus = &t->bus;
	const struct vmbus_initiate_contact_wire contact = conform_contact(
		t, bus->version, bus->features);
	struct winhv_message message;

	bus->connection_id = VMBUS_CONNECTION_MESSAGE;
	if (!conform_bus_post(t, &contact, sizeof contact) || !conform_bus_receive(t, &message))
		return conform_no(t, "after %s the host answers nothing any more", after);
	if (fence_is(t, VMBUS_MESSAGE_VERSION_RESPONSE, after, &message)) {
		bus->is_renewed = true;
		return true;
	}
	/* The answer is still to come: it is not for the next test. */
	char evidence[CONFORM_EVIDENCE_BYTES];
	__builtin_memcpy(evidence, t->evidence, sizeof evidence);
	while (conform_bus_receive(t, &message) &&
		message.payload[0] != VMBUS_MESSAGE_VERSION_RESPONSE)
		;
	__builtin_memcpy(t->evidence, evidence, sizeof evidence);
	return false;
}

/*
 * Most hosts refuse a GPADL of a channel that does not exist. QEMU 7.2 makes it, and answers none
 * that is malformed: so it is one page, as it should be, and is taken back.
 */
bool conform_bus_quiet(struct conform_target *t, const char *after)
{
	struct conform_bus *bus = &t->bus;
	struct winhv_message message;
	struct vmbus_gpadl_created_wire created = {0};

	if (bus->version == 0)
		return quiet_disconnected(t, after);
	if (bus->is_renewed)
		return quiet_by_contact(t, after);
	if (bus->fence_page.va == NULL)
		bus->fence_page = conform_pages(t, VMBUS_PAGE_BYTES);
	const uint64_t words[2] = {VMBUS_PAGE_BYTES, bus->fence_page.gpa / VMBUS_PAGE_BYTES};
	if (!conform_gpadl_send(
		    t, FENCE_RELID, FENCE_ID, sizeof words, 1, words, 2, VMBUS_GPADL_BODY_U64_MAX))
		return false;
	if (!conform_bus_receive(t, &message))
		return quiet_by_contact(t, after);
	if (!fence_is(t, VMBUS_MESSAGE_GPADL_CREATED, after, &message))
		return false;
	__builtin_memcpy(&created, message.payload,
		message.bytes < sizeof created ? message.bytes : sizeof created);
	if (created.status != VMBUS_STATUS_SUCCESS)
		return true;
	return conform_gpadl_teardown(t, FENCE_RELID, FENCE_ID) &&
	       conform_bus_receive(t, &message) &&
	       fence_is(t, VMBUS_MESSAGE_GPADL_TORNDOWN, after, &message);
}

/* ---- connection ------------------------------------------------------------------------------ */

struct vmbus_initiate_contact_wire conform_contact(
	struct conform_target *t, uint32_t version, uint32_t features)
{
	struct vmbus_initiate_contact_wire contact = {
		.header.type = VMBUS_MESSAGE_INITIATE_CONTACT, .version = version};

	if (vmbus_version_has(version, VMBUS_CAP_MULTI_CLIENT))
		contact.target.sint = VMBUS_SINT;
	if (vmbus_version_has(version, VMBUS_CAP_FEATURES))
		contact.target.features = features;
	if (!vmbus_version_has(version, VMBUS_CAP_EVENT_FLAGS)) {
		if (t->bus.interrupt_page.va == NULL)
			t->bus.interrupt_page = conform_pages(t, VMBUS_PAGE_BYTES);
		contact.interrupt_page_gpa = t->bus.interrupt_page.gpa;
	}
	return contact;
}

static bool contact_answer(
	struct conform_target *t, uint32_t version, struct vmbus_version_response_wire *response)
{
	struct winhv_message message;
	uint32_t type = 0;

	if (!conform_bus_receive(t, &message))
		return false;
	__builtin_memcpy(&type, message.payload, sizeof type);
	if (type != VMBUS_MESSAGE_VERSION_RESPONSE)
		return conform_no(
			t, "%s (%u) came, not VERSION_RESPONSE", vmbus_message_name(type), type);
	*response = (struct vmbus_version_response_wire){0};
	__builtin_memcpy(response, message.payload,
		message.bytes < sizeof *response ? message.bytes : sizeof *response);
	if (!response->supported || response->connection_state != VMBUS_CONNECTION_SUCCESSFUL)
		return true;
	t->bus.version = version;
	t->bus.features = response->features;
	if (vmbus_version_has(version, VMBUS_CAP_MULTI_CLIENT))
		t->bus.connection_id = response->selected;
	return true;
}

bool conform_bus_contact(struct conform_target *t, uint32_t version, uint32_t features)
{
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, version, features);
	struct vmbus_version_response_wire response;

	t->bus.version = 0;
	t->bus.offer_count = 0;
	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	if (!conform_bus_post(t, &contact, sizeof contact) ||
		!contact_answer(t, version, &response))
		return false;
	return t->bus.version == version ||
	       conform_no(t, "version 0x%x: supported %u, state %u", version, response.supported,
		       response.connection_state);
}

bool conform_bus_connect(struct conform_target *t)
{
	struct vmbus_version_response_wire response;

	conform_bus_begin(t);
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++) {
		const uint32_t version = vmbus_version_table[i].version;
		const struct vmbus_initiate_contact_wire contact = conform_contact(t, version, 0);
		if (!conform_bus_post(t, &contact, VMBUS_INITIATE_CONTACT_BYTES) ||
			!contact_answer(t, version, &response))
			return false;
		if (t->bus.version)
			return true;
	}
	return conform_no(t, "the host takes no version");
}

bool conform_bus_request_offers(struct conform_target *t)
{
	struct winhv_message message;
	uint32_t type = 0;

	t->bus.offer_count = 0;
	if (!conform_bus_post_type(t, VMBUS_MESSAGE_REQUEST_OFFERS))
		return false;
	for (;;) {
		if (!conform_bus_receive(t, &message))
			return conform_no(t, "ALL_OFFERS_DELIVERED did not come");
		__builtin_memcpy(&type, message.payload, sizeof type);
		if (type == VMBUS_MESSAGE_ALL_OFFERS_DELIVERED)
			return true;
		if (type != VMBUS_MESSAGE_OFFER_CHANNEL)
			return conform_no(t, "%s came among the offers", vmbus_message_name(type));
		if (message.bytes != VMBUS_OFFER_CHANNEL_BYTES)
			return conform_no(t, "OFFER_CHANNEL has %u bytes", message.bytes);
		if (t->bus.offer_count < CONFORM_OFFERS_MAX)
			__builtin_memcpy(&t->bus.offers[t->bus.offer_count++], message.payload,
				VMBUS_OFFER_CHANNEL_BYTES);
	}
}

bool conform_bus_offers(struct conform_target *t)
{
	return conform_bus_connect(t) && conform_bus_request_offers(t);
}

const struct vmbus_offer_channel_wire *conform_offer(
	const struct conform_target *t, const struct guid *interface_id)
{
	for (uint32_t i = 0; i < t->bus.offer_count; i++)
		if (guid_equal(&t->bus.offers[i].interface_id, interface_id) &&
			t->bus.offers[i].subchannel_index == 0)
			return &t->bus.offers[i];
	return NULL;
}

bool conform_bus_unload(struct conform_target *t)
{
	const uint32_t version = t->bus.version;
	struct vmbus_header_wire complete;

	if (!conform_bus_post_type(t, VMBUS_MESSAGE_UNLOAD))
		return false;
	t->bus.version = 0;
	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	return !vmbus_version_has(version, VMBUS_CAP_UNLOAD_RESPONSE) ||
	       conform_bus_expect(t, VMBUS_MESSAGE_UNLOAD_COMPLETE, &complete, sizeof complete);
}

/* ---- GPADLs ---------------------------------------------------------------------------------- */

uint32_t conform_gpadl_id(struct conform_target *t)
{
	return ++t->bus.gpadl_next;
}

bool conform_gpadl_body(
	struct conform_target *t, uint32_t id, const uint64_t *words, unsigned count)
{
	struct {
		struct vmbus_gpadl_body_wire fixed;
		uint64_t words[VMBUS_GPADL_BODY_U64_MAX];
	} PROTOCOL_PACKED message = {
		.fixed = {.header.type = VMBUS_MESSAGE_GPADL_BODY, .gpadl_id = id}};

	__builtin_memcpy(message.words, words, count * sizeof *words);
	return conform_bus_post(t, &message, sizeof message.fixed + count * sizeof *words);
}

bool conform_gpadl_send(struct conform_target *t, uint32_t relid, uint32_t id, uint16_t range_bytes,
	uint16_t ranges, const uint64_t *words, unsigned count, unsigned per_body)
{
	struct {
		struct vmbus_gpadl_header_wire fixed;
		uint64_t words[VMBUS_GPADL_HEADER_U64_MAX];
	} PROTOCOL_PACKED message = {
		.fixed = {.header.type = VMBUS_MESSAGE_GPADL_HEADER,
			.relid = relid,
			.gpadl_id = id,
			.range_bytes = range_bytes,
			.range_count = ranges},
	};
	unsigned sent = count < VMBUS_GPADL_HEADER_U64_MAX ? count : VMBUS_GPADL_HEADER_U64_MAX;

	__builtin_memcpy(message.words, words, sent * sizeof *words);
	if (!conform_bus_post(t, &message, sizeof message.fixed + sent * sizeof *words))
		return false;
	while (sent < count) {
		const unsigned now = count - sent < per_body ? count - sent : per_body;
		if (!conform_gpadl_body(t, id, words + sent, now))
			return false;
		sent += now;
	}
	return true;
}

bool conform_gpadl_created(struct conform_target *t, uint32_t relid, uint32_t id, uint32_t *status)
{
	struct vmbus_gpadl_created_wire created;

	if (!conform_bus_expect(t, VMBUS_MESSAGE_GPADL_CREATED, &created, sizeof created))
		return false;
	if (created.relid != relid || created.gpadl_id != id)
		return conform_no(t, "GPADL_CREATED names relid %u, GPADL 0x%x, not %u, 0x%x",
			created.relid, created.gpadl_id, relid, id);
	*status = created.status;
	return true;
}

bool conform_gpadl_make(
	struct conform_target *t, uint32_t relid, uint32_t id, const struct winhv_pages *pages)
{
	uint64_t words[1 + 30];
	const unsigned count = (unsigned)(pages->bytes / VMBUS_PAGE_BYTES);
	uint32_t status;

	if (count > 30)
		return conform_no(t, "a test lends too many pages");
	words[0] = pages->bytes;
	for (unsigned i = 0; i < count; i++)
		words[1 + i] = pages->gpa / VMBUS_PAGE_BYTES + i;
	if (!conform_gpadl_send(t, relid, id, (uint16_t)(8 * (1 + count)), 1, words, 1 + count,
		    VMBUS_GPADL_BODY_U64_MAX) ||
		!conform_gpadl_created(t, relid, id, &status))
		return false;
	return status == VMBUS_STATUS_SUCCESS ||
	       conform_no(t, "a GPADL of %u pages was answered with 0x%x", count, status);
}

bool conform_gpadl_teardown(struct conform_target *t, uint32_t relid, uint32_t id)
{
	const struct vmbus_gpadl_teardown_wire message = {
		.header.type = VMBUS_MESSAGE_GPADL_TEARDOWN, .relid = relid, .gpadl_id = id};

	return conform_bus_post(t, &message, sizeof message);
}

bool conform_gpadl_torndown(struct conform_target *t, uint32_t id)
{
	struct vmbus_gpadl_torndown_wire torndown;

	if (!conform_bus_expect(t, VMBUS_MESSAGE_GPADL_TORNDOWN, &torndown, sizeof torndown))
		return false;
	return torndown.gpadl_id == id ||
	       conform_no(t, "GPADL_TORNDOWN names 0x%x, not 0x%x", torndown.gpadl_id, id);
}
