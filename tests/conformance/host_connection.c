// SPDX-License-Identifier: Apache-2.0
/* Contact, versions, features, what is allowed when, unload. */
#include "tests/conformance/conform_areas.h"

static bool respond(struct conform_target *t, const struct vmbus_initiate_contact_wire *contact,
	size_t bytes, struct winhv_message *message, struct vmbus_version_response_wire *response)
{
	t->bus.version = 0;
	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	if (!conform_bus_post(t, contact, bytes) || !conform_bus_receive(t, message))
		return false;
	*response = (struct vmbus_version_response_wire){0};
	__builtin_memcpy(response, message->payload,
		message->bytes < sizeof *response ? message->bytes : sizeof *response);
	return response->header.type == VMBUS_MESSAGE_VERSION_RESPONSE ||
	       conform_no(t, "%s came, not VERSION_RESPONSE",
		       vmbus_message_name(response->header.type));
}
#define CONTACT_BYTES VMBUS_INITIATE_CONTACT_BYTES

/* The highest version that the host takes, 0 if a test has failed. */
static uint32_t highest(struct conform_target *t)
{
	return conform_bus_connect(t) ? t->bus.version : 0;
}

static enum conform_verdict all_versions(struct conform_target *t)
{
	const uint32_t top = highest(t);

	EXPECT(top != 0, "no version is taken");
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++)
		if (vmbus_version_table[i].version <= top)
			TRY(conform_bus_contact(t, vmbus_version_table[i].version, 0));
	return CONFORM_PASS;
}

static enum conform_verdict other_versions(struct conform_target *t)
{
	static const uint32_t versions[] = {0, 0xc, 0xe, 0x10000, 0x10002, 0x20003, 0x20005,
		0x40002, 0x50004, 0x60001, 0x70000, 0x80000000, 0xffffffff};
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	for (unsigned i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		contact.version = versions[i];
		TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
		EXPECT(message.bytes == VMBUS_VERSION_RESPONSE_BYTES, "version 0x%x: %u bytes",
			versions[i], message.bytes);
		for (unsigned at = VMBUS_HEADER_BYTES; at < message.bytes; at++)
			EXPECT(message.payload[at] == 0, "version 0x%x: byte %u is 0x%x",
				versions[i], at, message.payload[at]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict response_form(struct conform_target *t)
{
	const uint32_t top = highest(t);
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	EXPECT(top != 0, "no version is taken");
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++) {
		const uint32_t version = vmbus_version_table[i].version;
		const unsigned bytes = vmbus_version_has(version, VMBUS_CAP_FEATURES)
					       ? VMBUS_VERSION_RESPONSE_FEATURES_BYTES
					       : VMBUS_VERSION_RESPONSE_BYTES;
		if (version > top)
			continue;
		const struct vmbus_initiate_contact_wire contact = conform_contact(t, version, 0);
		TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
		EXPECT(message.bytes == bytes, "version 0x%x: %u bytes, not %u", version,
			message.bytes, bytes);
	}
	return CONFORM_PASS;
}

static enum conform_verdict selected(struct conform_target *t)
{
	const uint32_t top = highest(t);
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	EXPECT(top != 0, "no version is taken");
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++) {
		const uint32_t version = vmbus_version_table[i].version;
		if (version > top)
			continue;
		const struct vmbus_initiate_contact_wire contact = conform_contact(t, version, 0);
		TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
		if (vmbus_version_has(version, VMBUS_CAP_MULTI_CLIENT))
			EXPECT(response.selected != 0, "version 0x%x: connection id 0", version);
		else
			EXPECT(response.selected == version, "version 0x%x: offset 12 is 0x%x",
				version, response.selected);
	}
	return CONFORM_PASS;
}

static enum conform_verdict features_asked(struct conform_target *t)
{
	static const uint32_t asked[] = {
		0, 0x01, 0x02, 0x04, 0x08, 0x20, 0xffffff00, 0xffffffff & ~0x40u};
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	NEED(highest(t) >= VMBUS_VERSION_6_0, "the host does not take version 6.0");
	for (unsigned i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		const struct vmbus_initiate_contact_wire contact = conform_contact(
			t, VMBUS_VERSION_6_0, asked[i]);
		TRY(respond(t, &contact, sizeof contact, &message, &response));
		EXPECT(response.supported && response.connection_state == 0,
			"features 0x%x are refused", asked[i]);
		EXPECT((response.features & ~asked[i]) == 0, "0x%x were asked for, 0x%x granted",
			asked[i], response.features);
	}
	return CONFORM_PASS;
}

static enum conform_verdict features_below(struct conform_target *t)
{
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_5_3, 0);
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	NEED(highest(t) >= VMBUS_VERSION_5_3, "the host does not take version 5.3");
	contact.target.features = 0xffffffff;
	TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
	EXPECT(response.supported && response.connection_state == 0 &&
			message.bytes == VMBUS_VERSION_RESPONSE_BYTES,
		"supported %u, state %u, %u bytes", response.supported, response.connection_state,
		message.bytes);
	return CONFORM_PASS;
}

static enum conform_verdict features_never(struct conform_target *t)
{
	const uint32_t never = VMBUS_FEATURE_CONFIDENTIAL_CHANNELS | VMBUS_FEATURE_GPA_PINNING;

	NEED(highest(t) >= VMBUS_VERSION_6_0, "the host does not take version 6.0");
	TRY(conform_bus_contact(t, VMBUS_VERSION_6_0, never));
	EXPECT(!(t->bus.features & VMBUS_FEATURE_CONFIDENTIAL_CHANNELS), "0x10 was granted");
	return CONFORM_PASS;
}

static enum conform_verdict client_id_short(struct conform_target *t)
{
	NEED(highest(t) >= VMBUS_VERSION_6_0, "the host does not take version 6.0");
	TRY(conform_bus_unload(t));
	const struct vmbus_initiate_contact_wire contact = conform_contact(
		t, VMBUS_VERSION_6_0, VMBUS_FEATURE_CLIENT_ID);
	TRY(conform_bus_post(t, &contact, sizeof contact - 1));
	TRY(conform_bus_quiet(t, "a contact with feature 0x08 and 55 bytes"));
	return CONFORM_PASS;
}

static enum conform_verdict contact_short(struct conform_target *t)
{
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);

	for (unsigned bytes = VMBUS_HEADER_BYTES; bytes < CONTACT_BYTES; bytes++)
		TRY(conform_bus_post(t, &contact, bytes));
	TRY(conform_bus_quiet(t, "a contact shorter than 40 bytes"));
	return CONFORM_PASS;
}

static enum conform_verdict long_messages(struct conform_target *t)
{
	uint8_t message[VMBUS_MESSAGE_BYTES_MAX];
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	struct vmbus_version_response_wire response = {0};
	struct vmbus_header_wire complete;

	__builtin_memset(message, 0xee, sizeof message);
	__builtin_memcpy(message, &contact, CONTACT_BYTES);
	TRY(conform_bus_post(t, message, sizeof message));
	TRY(conform_bus_expect(
		t, VMBUS_MESSAGE_VERSION_RESPONSE, &response, VMBUS_VERSION_RESPONSE_BYTES));
	EXPECT(response.supported == 1 && response.connection_state == 0,
		"INITIATE_CONTACT of 240 bytes was refused");
	t->bus.version = VMBUS_VERSION_3_0;
	__builtin_memset(message, 0xee, sizeof message);
	message[0] = VMBUS_MESSAGE_UNLOAD;
	message[1] = message[2] = message[3] = 0;
	TRY(conform_bus_post(t, message, sizeof message));
	t->bus.version = 0;
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_UNLOAD_COMPLETE, &complete, sizeof complete));
	return CONFORM_PASS;
}

static enum conform_verdict monitor_pages(
	struct conform_target *t, uint64_t first, uint64_t second, const char *what)
{
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	contact.parent_to_child_page_gpa = first;
	contact.child_to_parent_page_gpa = second;
	TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
	EXPECT(response.supported == 1 && response.connection_state == VMBUS_CONNECTION_FAILED,
		"%s: supported %u, state %u", what, response.supported, response.connection_state);
	return CONFORM_PASS;
}

static enum conform_verdict one_monitor_page(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const enum conform_verdict first = monitor_pages(t, page.gpa, 0, "the first page alone");

	return first != CONFORM_PASS ? first
				     : monitor_pages(t, 0, page.gpa, "the second page alone");
}

static enum conform_verdict bad_monitor_pages(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);
	const uint64_t good = page.gpa, other = page.gpa + WINHV_PAGE_BYTES;
	const struct {
		uint64_t first, second;
		const char *what;
	} pairs[] = {
		{good + 8, other, "an unaligned first page"},
		{good, other + 1, "an unaligned second page"},
		{1ull << 46, other, "a first page that is not memory"},
		{good, 0xfffffffffffff000, "a second page that is not memory"},
	};

	for (unsigned i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		const enum conform_verdict verdict = monitor_pages(
			t, pairs[i].first, pairs[i].second, pairs[i].what);
		if (verdict != CONFORM_PASS)
			return verdict;
	}
	return CONFORM_PASS;
}

static enum conform_verdict interrupt_page(struct conform_target *t)
{
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_1_1, 0);
	struct vmbus_version_response_wire response;
	struct winhv_message message;
	const uint64_t good = contact.interrupt_page_gpa;
	const uint64_t bad[] = {good + 4, 1ull << 47};

	for (unsigned i = 0; i < 2; i++) {
		contact.interrupt_page_gpa = bad[i];
		TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
		EXPECT(response.supported == 0, "1.1 takes an interrupt page at 0x%llx",
			(unsigned long long)bad[i]);
	}
	contact.version = VMBUS_VERSION_2_4;
	TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
	EXPECT(response.supported == 1 && response.connection_state == 0,
		"2.4 looks at the interrupt page");
	return CONFORM_PASS;
}

static enum conform_verdict message_vp(struct conform_target *t)
{
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	struct vmbus_version_response_wire response = {0};

	EXPECT(winhv_synic_enable(t->hv, 1, VMBUS_SINT, CONFORM_VECTOR) == 0, "no SynIC on VP 1");
	contact.target_vp = 1;
	TRY(conform_bus_post(t, &contact, CONTACT_BYTES));
	t->bus.vp = 1;
	TRY(conform_bus_expect(
		t, VMBUS_MESSAGE_VERSION_RESPONSE, &response, VMBUS_VERSION_RESPONSE_BYTES));
	EXPECT(response.supported == 1 && response.connection_state == 0, "it was refused");
	t->bus.version = VMBUS_VERSION_3_0;
	TRY(conform_bus_request_offers(t));
	return CONFORM_PASS;
}

static enum conform_verdict unload_to_vp(struct conform_target *t)
{
	const enum conform_verdict verdict = message_vp(t);

	if (verdict != CONFORM_PASS)
		return verdict;
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

static enum conform_verdict contact_for(struct conform_target *t, uint32_t vp)
{
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	struct winhv_message message;
	struct vmbus_version_response_wire response = {0};

	contact.target_vp = vp;
	TRY(conform_bus_post(t, &contact, CONTACT_BYTES));
	/* Not at all, or a failure on VP 0: the next contact tells. */
	const struct vmbus_initiate_contact_wire next = conform_contact(t, VMBUS_VERSION_3_0, 0);
	TRY(conform_bus_post(t, &next, CONTACT_BYTES));
	TRY(conform_bus_receive(t, &message));
	__builtin_memcpy(&response, message.payload, VMBUS_VERSION_RESPONSE_BYTES);
	if (response.connection_state != 0 || !response.supported) {
		TRY(conform_bus_receive(t, &message));
		__builtin_memcpy(&response, message.payload, VMBUS_VERSION_RESPONSE_BYTES);
	}
	EXPECT(response.supported && response.connection_state == 0,
		"the contact after it: supported %u, state %u", response.supported,
		response.connection_state);
	t->bus.version = VMBUS_VERSION_3_0;
	TRY(conform_bus_quiet(t, "a contact for a VP that does not exist"));
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

static enum conform_verdict no_such_vp(struct conform_target *t)
{
	const uint32_t vps[] = {t->hv->vp_count, 0x7fffffff, 0xffffffff};

	for (unsigned i = 0; i < sizeof vps / sizeof vps[0]; i++) {
		const enum conform_verdict verdict = contact_for(t, vps[i]);
		if (verdict != CONFORM_PASS)
			return verdict;
	}
	return CONFORM_PASS;
}

static enum conform_verdict contact_again(struct conform_target *t)
{
	TRY(conform_bus_offers(t));
	NEED(t->bus.offer_count > 0, "there are no offers");
	const uint32_t relid = t->bus.offers[0].relid;
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint32_t id = conform_gpadl_id(t);
	TRY(conform_gpadl_make(t, relid, id, &page));
	/* The id that it returned may go with the connection; contacts go to connection 1. */
	TRY(conform_bus_contact(t, t->bus.version, 0));
	TRY(conform_gpadl_teardown(t, relid, id));
	TRY(conform_bus_quiet(t, "a teardown of a GPADL of the old connection"));
	return CONFORM_PASS;
}

static enum conform_verdict refused_ends(struct conform_target *t)
{
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	TRY(conform_bus_offers(t));
	const uint32_t connection = t->bus.connection_id;
	const uint32_t relid = t->bus.offer_count > 0 ? t->bus.offers[0].relid : 1;
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint64_t words[2] = {WINHV_PAGE_BYTES, page.gpa / WINHV_PAGE_BYTES};
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	contact.version = 0x90009; /* above all that there are: some take any below their own */
	TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
	EXPECT(!response.supported, "version 0x%x is supported", contact.version);
	const struct vmbus_header_wire request = {.type = VMBUS_MESSAGE_REQUEST_OFFERS};
	(void)conform_bus_post_to(t, connection, &request, sizeof request);
	/* the GPADL would be made, where the old connection goes on */
	t->bus.connection_id = connection;
	(void)conform_gpadl_send(
		t, relid, conform_gpadl_id(t), sizeof words, 1, words, 2, VMBUS_GPADL_BODY_U64_MAX);
	TRY(conform_bus_quiet(t, "REQUEST_OFFERS and a GPADL after a contact that was refused"));
	return CONFORM_PASS;
}

static enum conform_verdict disconnected(struct conform_target *t)
{
	uint8_t message[VMBUS_MESSAGE_BYTES_MAX] = {0};

	for (unsigned type = 0; type < 40; type++) {
		if (type == VMBUS_MESSAGE_INITIATE_CONTACT ||
			type == VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL)
			continue;
		message[0] = (uint8_t)type;
		(void)conform_bus_post_to(t, VMBUS_CONNECTION_MESSAGE, message, sizeof message);
		TRY(conform_bus_quiet(t, vmbus_message_name(type)));
	}
	return CONFORM_PASS;
}

static enum conform_verdict host_only(struct conform_target *t)
{
	static const uint8_t types[] = {1, 2, 4, 6, 10, 12, 15, 17, 20, 23, 24, 26, 28};
	uint8_t message[VMBUS_MESSAGE_BYTES_MAX] = {0};

	TRY(conform_bus_connect(t));
	for (unsigned i = 0; i < sizeof types; i++) {
		message[0] = types[i]; /* a post that is refused is dropped, too */
		(void)conform_bus_post_to(t, t->bus.connection_id, message, sizeof message);
		TRY(conform_bus_quiet(t, vmbus_message_name(types[i])));
	}
	return CONFORM_PASS;
}

static enum conform_verdict sint_ignored(struct conform_target *t)
{
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_5_3, 0);
	struct vmbus_version_response_wire response;
	struct winhv_message message;

	NEED(highest(t) >= VMBUS_VERSION_5_3, "the host does not take version 5.3");
	contact.target.sint = 9;
	contact.target.vtl = 2;
	TRY(respond(t, &contact, CONTACT_BYTES, &message, &response));
	EXPECT(response.supported && response.connection_state == 0,
		"SINT 9 and VTL 2 on connection 1: supported %u, state %u", response.supported,
		response.connection_state);
	return CONFORM_PASS;
}

static enum conform_verdict returned_id(struct conform_target *t)
{
	NEED(highest(t) >= VMBUS_VERSION_5_0, "the host does not take version 5.0");
	TRY(conform_bus_request_offers(t));
	return CONFORM_PASS;
}

static enum conform_verdict connection_1(struct conform_target *t)
{
	EXPECT(highest(t) != 0, "no version is taken");
	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	TRY(conform_bus_request_offers(t));
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

static enum conform_verdict connection_4(struct conform_target *t)
{
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_5_3, 0);
	struct vmbus_version_response_wire response = {0};

	NEED(highest(t) >= VMBUS_VERSION_5_3, "the host does not take version 5.3");
	TRY(conform_bus_unload(t));
	EXPECT(conform_bus_post_to(t, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT, &contact,
		       CONTACT_BYTES) == HV_STATUS_SUCCESS,
		"connection 4 takes no contact");
	TRY(conform_bus_expect(
		t, VMBUS_MESSAGE_VERSION_RESPONSE, &response, VMBUS_VERSION_RESPONSE_BYTES));
	EXPECT(response.supported && response.connection_state == 0, "supported %u, state %u",
		response.supported, response.connection_state);
	t->bus.version = VMBUS_VERSION_5_3;
	t->bus.connection_id = response.selected;
	TRY(conform_bus_quiet(t, "a contact on connection 4"));
	return CONFORM_PASS;
}

static enum conform_verdict other_sint(struct conform_target *t)
{
	struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_5_3, 0);
	struct winhv_message message;
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	NEED(highest(t) >= VMBUS_VERSION_5_3, "the host does not take version 5.3");
	EXPECT(winhv_synic_enable(t->hv, 0, 5, CONFORM_VECTOR) == 0, "SINT5 cannot be enabled");
	contact.target.sint = 5;
	EXPECT(conform_bus_post_to(t, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT, &contact,
		       CONTACT_BYTES) == HV_STATUS_SUCCESS,
		"connection 4 takes no contact");
	while (!winhv_message_take(t->hv, 0, 5, &message)) {
		EXPECT(conform_now(t) < deadline, "no answer came to SINT 5");
		(void)winhv_wait(t->hv, 0, 1000000, &sints);
	}
	EXPECT(message.payload[0] == VMBUS_MESSAGE_VERSION_RESPONSE && message.payload[8] == 0,
		"message %u, supported %u", message.payload[0], message.payload[8]);
	TRY(conform_bus_request_offers(t));
	return CONFORM_PASS;
}

static enum conform_verdict feature_messages(struct conform_target *t)
{
	uint8_t message[24] = {0};

	TRY(conform_bus_connect(t));
	for (unsigned type = VMBUS_MESSAGE_MODIFY_CONNECTION; type <= VMBUS_MESSAGE_RESUME;
		type++) {
		message[0] = (uint8_t)type;
		(void)conform_bus_post_to(t, t->bus.connection_id, message, sizeof message);
		TRY(conform_bus_quiet(t, vmbus_message_name(type)));
	}
	return CONFORM_PASS;
}

static bool pause(struct conform_target *t)
{
	struct vmbus_header_wire paused;

	return conform_bus_post_type(t, VMBUS_MESSAGE_PAUSE) &&
	       conform_bus_expect(t, VMBUS_MESSAGE_PAUSE_RESPONSE, &paused, sizeof paused);
}
#define NEED_FEATURE(feature)                                                                      \
	do {                                                                                       \
		NEED(highest(t) >= VMBUS_VERSION_6_0, "the host does not take version 6.0");       \
		TRY(conform_bus_contact(t, VMBUS_VERSION_6_0, feature));                           \
		NEED(t->bus.features &(feature), "feature 0x%x is not granted", feature);          \
	} while (0)

static enum conform_verdict paused(struct conform_target *t)
{
	NEED_FEATURE(VMBUS_FEATURE_PAUSE_RESUME);
	TRY(pause(t));
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_REQUEST_OFFERS));
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_RESUME));
	TRY(conform_bus_quiet(t, "REQUEST_OFFERS while paused"));
	TRY(conform_bus_request_offers(t));
	return CONFORM_PASS;
}

static enum conform_verdict resumed(struct conform_target *t)
{
	NEED_FEATURE(VMBUS_FEATURE_PAUSE_RESUME);
	TRY(pause(t));
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_RESUME));
	TRY(conform_bus_request_offers(t));
	TRY(pause(t));
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

static bool modify(struct conform_target *t, uint64_t first, uint64_t second, unsigned *state)
{
	const struct vmbus_modify_connection_wire message = {
		.header.type = VMBUS_MESSAGE_MODIFY_CONNECTION,
		.parent_to_child_page_gpa = first,
		.child_to_parent_page_gpa = second};
	struct vmbus_modify_connection_response_wire response;

	if (!conform_bus_post(t, &message, sizeof message) ||
		!conform_bus_expect(
			t, VMBUS_MESSAGE_MODIFY_CONNECTION_RESPONSE, &response, sizeof response))
		return false;
	*state = response.connection_state;
	return true;
}

static enum conform_verdict modify_connection(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);
	const uint64_t good = page.gpa, other = page.gpa + WINHV_PAGE_BYTES;
	unsigned state;

	NEED_FEATURE(VMBUS_FEATURE_MODIFY_CONNECTION);
	TRY(modify(t, good, other, &state));
	EXPECT(state == 0, "two pages: state %u", state);
	TRY(modify(t, good, 0, &state));
	EXPECT(state == VMBUS_CONNECTION_FAILED, "one page: state %u", state);
	TRY(modify(t, good + 16, other, &state));
	EXPECT(state == VMBUS_CONNECTION_FAILED, "an unaligned page: state %u", state);
	TRY(modify(t, good, 1ull << 45, &state));
	EXPECT(state == VMBUS_CONNECTION_FAILED, "a page that is not memory: state %u", state);
	TRY(modify(t, 0, 0, &state));
	EXPECT(state == 0, "no pages: state %u", state);
	return CONFORM_PASS;
}

/* To a service that nobody has: a number of this test's own. */
static bool ask_service(struct conform_target *t, size_t bytes)
{
	struct vmbus_tl_connect_request_wire request = {
		.header.type = VMBUS_MESSAGE_TL_CONNECT_REQUEST};

	__builtin_memset(&request.endpoint_id, 0x61, sizeof request.endpoint_id);
	__builtin_memset(&request.service_id, 0x62, sizeof request.service_id);
	return conform_bus_post(t, &request, bytes);
}

static bool not_there(struct conform_target *t)
{
	struct vmbus_tl_connect_result_wire result;
	struct guid endpoint, service;

	__builtin_memset(&endpoint, 0x61, sizeof endpoint);
	__builtin_memset(&service, 0x62, sizeof service);
	if (!conform_bus_expect(t, VMBUS_MESSAGE_TL_CONNECT_RESULT, &result, sizeof result))
		return false;
	return (result.status == VMBUS_STATUS_CONNECTION_REFUSED &&
		       guid_equal(&result.endpoint_id, &endpoint) &&
		       guid_equal(&result.service_id, &service)) ||
	       conform_no(t, "status 0x%x, or other ids than were asked for", result.status);
}

static enum conform_verdict nobody_listens(struct conform_target *t)
{
	const uint32_t top = highest(t);

	NEED(top >= VMBUS_VERSION_4_0, "the host does not take version 4.0");
	TRY(conform_bus_contact(t, VMBUS_VERSION_4_0, 0));
	TRY(ask_service(t, VMBUS_TL_CONNECT_REQUEST_BYTES));
	TRY(conform_bus_quiet(t, "TL_CONNECT_REQUEST at 4.0"));
	NEED(top >= VMBUS_VERSION_4_1, "the host does not take version 4.1");
	TRY(conform_bus_contact(t, VMBUS_VERSION_4_1, 0));
	TRY(ask_service(t, VMBUS_TL_CONNECT_REQUEST_BYTES));
	TRY(not_there(t));
	TRY(conform_bus_quiet(t, "TL_CONNECT_RESULT"));
	return CONFORM_PASS;
}

static enum conform_verdict no_silo(struct conform_target *t)
{
	const uint32_t top = highest(t);

	NEED(top >= VMBUS_VERSION_4_1, "the host does not take version 4.1");
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++) {
		const uint32_t version = vmbus_version_table[i].version;
		if (version < VMBUS_VERSION_4_1 || version > top)
			continue;
		TRY(conform_bus_contact(t, version, 0));
		TRY(ask_service(t, VMBUS_TL_CONNECT_REQUEST_BYTES));
		TRY(not_there(t));
		TRY(ask_service(t, sizeof(struct vmbus_tl_connect_request_wire)));
		TRY(not_there(t));
	}
	return CONFORM_PASS;
}

static enum conform_verdict not_throttled(struct conform_target *t)
{
	TRY(conform_bus_connect(t));
	for (unsigned i = 0; i < 64; i++) {
		const uint64_t nothing = 0;
		const uint16_t status = conform_bus_post_to(
			t, VMBUS_CONNECTION_MESSAGE, &nothing, sizeof nothing);
		EXPECT(status != HV_STATUS_INVALID_CONNECTION_ID, "post %u gave status 0x12", i);
	}
	return CONFORM_PASS;
}

const struct conform_test conform_connection_tests[] = {
	{"R-CONN-001", "each version up to the highest is taken", all_versions, CONFORM_BUS, 0, 0},
	{"R-CONN-002", "other versions are refused with 16 bytes of 0", other_versions, CONFORM_BUS,
		0, 0},
	{"R-CONN-003", "offset 12 is the version, or the connection id", selected, CONFORM_BUS, 0,
		0},
	{"R-CONN-004", "the response has the size of its version", response_form, CONFORM_BUS, 0,
		0},
	{"R-CONN-005", "only features that were asked for are granted", features_asked, CONFORM_BUS,
		0, 0},
	{"R-CONN-006", "features are ignored below 6.0", features_below, CONFORM_BUS, 0, 0},
	{"R-CONN-007", "confidential channels are not granted", features_never, CONFORM_BUS, 0, 0},
	{"R-CONN-009", "a client id that is too short is dropped", client_id_short, CONFORM_BUS, 0,
		0},
	{"R-CONN-010", "a contact shorter than 40 bytes is dropped", contact_short, CONFORM_BUS, 0,
		0},
	{"R-CONN-011", "messages of 240 bytes are taken", long_messages, CONFORM_BUS, 0, 0},
	{"R-CONN-012", "one monitor page fails the contact", one_monitor_page, CONFORM_BUS, 0, 0},
	{"R-CONN-013", "the interrupt page counts below 2.4, and not from it on", interrupt_page,
		CONFORM_BUS, 0, 0},
	{"R-CONN-014", "messages go to the VP of the contact", message_vp,
		CONFORM_BUS | CONFORM_VP_1, 0, 0},
	{"R-CONN-015", "a message VP that does not exist fails the contact", no_such_vp,
		CONFORM_BUS, 0, 0},
	{"R-CONN-016", "a new contact ends the old connection", contact_again, CONFORM_BUS, 0, 0},
	{"R-CONN-018", "a contact that is refused ends the old one, too", refused_ends, CONFORM_BUS,
		0, 0},
	{"R-CONN-020", "while disconnected all else is dropped", disconnected, CONFORM_BUS, 0, 0},
	{"R-CONN-021", "SINT and VTL are ignored on connection 1", sint_ignored, CONFORM_BUS, 0, 0},
	{"R-CONN-022", "another SINT is refused there, and the connection goes on", other_sint,
		CONFORM_BUS, 0, 0},
	{"R-CONN-023", "messages are taken on the id that was returned", returned_id, CONFORM_BUS,
		0, 0},
	{"R-CONN-023", "connection 4 takes a contact", connection_4, CONFORM_BUS, 0, 0},
	{"R-CONN-032", "PAUSE is answered, RESUME goes on", resumed, CONFORM_BUS, 0, 0},
	{"R-CONN-033", "while paused messages are dropped", paused, CONFORM_BUS, 0, 0},
	{"R-CONN-034", "messages of a feature that is not negotiated are dropped", feature_messages,
		CONFORM_BUS, 0, 0},
	{"R-CONN-035", "MODIFY_CONNECTION is answered once", modify_connection, CONFORM_BUS, 0, 0},
	{"R-CONN-036", "everything is taken on connection 1", connection_1, CONFORM_BUS, 0, 0},
	{"R-CONN-038", "posts on connection 1 do not give 0x12", not_throttled, CONFORM_BUS, 0, 0},
	{"R-HVS-002", "a service that is not there is refused from 4.1 on", nobody_listens,
		CONFORM_BUS, 0, 0},
	{"R-HVS-003", "a request of 40 bytes is taken at every version", no_silo, CONFORM_BUS, 0,
		0},
	{"R-MSG-006", "messages that only a host sends are dropped", host_only, CONFORM_BUS, 0, 0},
	{"R-MNF-006", "bad monitor pages fail the contact", bad_monitor_pages, CONFORM_BUS, 0, 0},
	{"R-UNL-005", "UNLOAD_COMPLETE goes to the message VP", unload_to_vp,
		CONFORM_BUS | CONFORM_VP_1, 0, 0},
};
const size_t conform_connection_test_count = sizeof conform_connection_tests /
					     sizeof conform_connection_tests[0];
