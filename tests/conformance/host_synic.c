// SPDX-License-Identifier: Apache-2.0
/*
 * Message slots and events, with the VMBus as the one who sends: slots, EOM, waiting
 * messages, masks, order, and what becomes of posts meanwhile.
 */
#include "tests/conformance/conform_areas.h"

#define POSTS_MAX 4096u	   /* a host that takes more than these bounds nothing */
#define A_WHILE	  1000000u /* 100 ms: time for a host to do what it should not */

static struct hv_message_wire *slot(struct conform_target *t, uint32_t vp)
{
	return (struct hv_message_wire *)(void *)(t->hv->synic[vp].messages.va +
						  VMBUS_SINT * HV_MESSAGE_BYTES);
}

static uint32_t slot_type(struct conform_target *t)
{
	return __atomic_load_n((uint32_t *)(void *)slot(t, 0), __ATOMIC_ACQUIRE);
}

static uint8_t slot_flags(struct conform_target *t)
{
	return __atomic_load_n((uint8_t *)slot(t, 0) + 5, __ATOMIC_SEQ_CST);
}

static bool await_slot(struct conform_target *t)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	while (slot_type(t) == 0) {
		if (conform_now(t) >= deadline)
			return conform_no(t, "no message came into the slot within 3 s");
		(void)winhv_wait(t->hv, 0, 1000000, &sints);
	}
	return true;
}

/* A host that has no room yet is asked again; what waits for us stays where it is. */
static bool post_only(
	struct conform_target *t, uint32_t connection, const void *message, size_t bytes)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint16_t status;

	do {
		if (winhv_post_message(
			    t->hv, connection, VMBUS_SYNIC_MESSAGE_TYPE, message, bytes, &status))
			return conform_no(t, "HvCallPostMessage faults");
	} while (status == HV_STATUS_INSUFFICIENT_BUFFERS && conform_now(t) < deadline);
	return status == HV_STATUS_SUCCESS ||
	       conform_no(t, "a post on connection %u gave status 0x%x", connection, status);
}

/*
 * Post without taking what comes: REQUEST_OFFERS makes many messages for one slot. Where nothing is
 * offered it makes one, and a contact makes the next.
 */
static bool fill(struct conform_target *t)
{
	const struct vmbus_header_wire request = {.type = VMBUS_MESSAGE_REQUEST_OFFERS};

	if (!conform_bus_connect(t) ||
		!post_only(t, t->bus.connection_id, &request, sizeof request) || !await_slot(t))
		return false;
	if (slot(t, 0)->payload[0] != VMBUS_MESSAGE_ALL_OFFERS_DELIVERED)
		return true;
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, t->bus.version, 0);
	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	return post_only(t, VMBUS_CONNECTION_MESSAGE, &contact, sizeof contact);
}

/* Until the host has said that more waits, or the patience is over. */
static bool await_pending(struct conform_target *t)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	while (!(slot_flags(t) & HV_MESSAGE_FLAG_PENDING)) {
		if (conform_now(t) >= deadline)
			return conform_no(t, "the pending flag was not set");
		(void)winhv_wait(t->hv, 0, 10000, &sints);
	}
	return true;
}

static enum conform_verdict header(struct conform_target *t)
{
	TRY(fill(t));
	const struct hv_message_wire *message = slot(t, 0);
	EXPECT(message->type == VMBUS_SYNIC_MESSAGE_TYPE, "type 0x%x", message->type);
	EXPECT(message->origin == VMBUS_PORT_MESSAGE, "port 0x%llx",
		(unsigned long long)message->origin);
	EXPECT(message->payload_size == VMBUS_OFFER_CHANNEL_BYTES, "size %u",
		message->payload_size);
	return CONFORM_PASS;
}

static enum conform_verdict full_slot(struct conform_target *t)
{
	struct hv_message_wire before, after;

	TRY(fill(t));
	TRY(await_pending(t));
	__builtin_memcpy(&before, slot(t, 0), sizeof before);
	/* A post makes the host look at its queue again; the slot is still ours. */
	const uint64_t nothing = 0;
	uint16_t status;
	(void)winhv_post_message(t->hv, t->bus.connection_id, VMBUS_SYNIC_MESSAGE_TYPE, &nothing,
		sizeof nothing, &status);
	(void)conform_write(t, 0, HV_X64_MSR_EOM, 0);
	__builtin_memcpy(&after, slot(t, 0), sizeof after);
	before.flags = after.flags = 0;
	EXPECT(__builtin_memcmp(&before, &after, sizeof before) == 0, "a full slot was written");
	return CONFORM_PASS;
}

static enum conform_verdict pending(struct conform_target *t)
{
	TRY(fill(t));
	TRY(await_pending(t));
	__atomic_store_n((uint32_t *)(void *)slot(t, 0), 0, __ATOMIC_SEQ_CST);
	EXPECT(conform_write(t, 0, HV_X64_MSR_EOM, 0), "EOM faults");
	TRY(await_slot(t));
	return CONFORM_PASS;
}

/* One message lies in the slot, and its interrupt is over, before others come behind it. */
static enum conform_verdict no_interrupt_when_full(struct conform_target *t)
{
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	const struct vmbus_header_wire request = {.type = VMBUS_MESSAGE_REQUEST_OFFERS};
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints, seen = 0;

	TRY(post_only(t, VMBUS_CONNECTION_MESSAGE, &contact, VMBUS_INITIATE_CONTACT_BYTES));
	t->bus.version = VMBUS_VERSION_3_0;
	while (slot_type(t) == 0 || !(seen & 1u << VMBUS_SINT)) {
		EXPECT(conform_now(t) < deadline, "no message came, or none of its SINT");
		EXPECT(winhv_wait(t->hv, 0, 1000000, &sints) == 0, "the host is gone");
		seen |= sints;
	}
	TRY(post_only(t, VMBUS_CONNECTION_MESSAGE, &request, sizeof request));
	TRY(await_pending(t));
	EXPECT(winhv_wait(t->hv, 0, 0, &sints) == 0 && sints == 0,
		"SINTs 0x%x were raised for what waits", sints);
	EXPECT(conform_write(t, 0, HV_X64_MSR_EOM, 0), "EOM faults");
	EXPECT(winhv_wait(t->hv, 0, 0, &sints) == 0 && sints == 0,
		"SINTs 0x%x were raised behind a full slot", sints);
	return CONFORM_PASS;
}

static enum conform_verdict eom_for_nothing(struct conform_target *t)
{
	for (unsigned i = 0; i < 8; i++)
		EXPECT(conform_write(t, 0, HV_X64_MSR_EOM, i), "EOM faults");
	EXPECT(slot_type(t) == 0, "a message has come");
	TRY(conform_bus_connect(t));
	return CONFORM_PASS;
}

static enum conform_verdict in_order(struct conform_target *t)
{
	struct winhv_message message;
	uint32_t type = 0, relid = 0, last = 0, count = 0;

	TRY(fill(t));
	do {
		TRY(conform_bus_receive(t, &message));
		__builtin_memcpy(&type, message.payload, sizeof type);
		if (type != VMBUS_MESSAGE_OFFER_CHANNEL)
			break;
		__builtin_memcpy(&relid,
			message.payload + offsetof(struct vmbus_offer_channel_wire, relid),
			sizeof relid);
		EXPECT(relid > last, "relid %u was offered after %u", relid, last);
		last = relid;
		count++;
	} while (true);
	EXPECT(type == VMBUS_MESSAGE_ALL_OFFERS_DELIVERED, "%s came", vmbus_message_name(type));
	NEED(count > 0, "there are no offers: one message has no order");
	return CONFORM_PASS;
}

/* With this bit in SINT2 a message comes to its slot, and no interrupt. */
static enum conform_verdict silent_with(struct conform_target *t, uint64_t bit, const char *what)
{
	uint32_t sints;
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	uint16_t status;

	EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + VMBUS_SINT, bit | CONFORM_VECTOR),
		"SINT2 faults");
	EXPECT(winhv_wait(t->hv, 0, 0, &sints) == 0, "the host is gone");
	EXPECT(winhv_post_message(t->hv, VMBUS_CONNECTION_MESSAGE, VMBUS_SYNIC_MESSAGE_TYPE,
		       &contact, VMBUS_INITIATE_CONTACT_BYTES, &status) == 0 &&
			status == HV_STATUS_SUCCESS,
		"the contact could not be posted");
	t->bus.version = VMBUS_VERSION_3_0;
	TRY(await_slot(t));
	EXPECT(winhv_wait(t->hv, 0, 0, &sints) == 0 && !(sints & 1u << VMBUS_SINT),
		"SINT2 was raised although it is %s", what);
	EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + VMBUS_SINT, CONFORM_VECTOR), "SINT2 faults");
	return CONFORM_PASS;
}

static enum conform_verdict masked(struct conform_target *t)
{
	return silent_with(t, HV_SINT_MASKED, "masked");
}

static enum conform_verdict polling(struct conform_target *t)
{
	return silent_with(t, HV_SINT_POLLING, "polled");
}

static bool comes_within(struct conform_target *t, uint64_t time)
{
	const uint64_t deadline = conform_now(t) + time;
	uint32_t sints;

	while (slot_type(t) == 0 && conform_now(t) < deadline)
		(void)winhv_wait(t->hv, 0, time, &sints);
	return slot_type(t) != 0;
}

/* Turn what delivers messages off, make the host send, turn it on: the message is there. */
static enum conform_verdict waits_for(
	struct conform_target *t, uint32_t msr, uint64_t off, const char *name)
{
	uint64_t on;
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	uint16_t status;

	EXPECT(conform_read(t, 0, msr, &on) && conform_write(t, 0, msr, off), "%s faults", name);
	EXPECT(winhv_post_message(t->hv, VMBUS_CONNECTION_MESSAGE, VMBUS_SYNIC_MESSAGE_TYPE,
		       &contact, VMBUS_INITIATE_CONTACT_BYTES, &status) == 0 &&
			status == HV_STATUS_SUCCESS,
		"the contact could not be posted");
	t->bus.version = VMBUS_VERSION_3_0; /* what came of it is not for the next test */
	const bool has_come = comes_within(t, A_WHILE);
	EXPECT(conform_write(t, 0, msr, on), "%s faults", name);
	EXPECT(!has_come, "a message was delivered with %s off", name);
	if (!await_slot(t))
		return conform_fail(t, "the message that came while %s was off is lost", name);
	return CONFORM_PASS;
}

static enum conform_verdict waits_for_page(struct conform_target *t)
{
	return waits_for(t, HV_X64_MSR_SIMP, 0, "SIMP");
}

static enum conform_verdict waits_for_scontrol(struct conform_target *t)
{
	return waits_for(t, HV_X64_MSR_SCONTROL, 0, "SCONTROL");
}

static enum conform_verdict backlog(struct conform_target *t)
{
	uint16_t status = 0;
	const struct vmbus_gpadl_teardown_wire message = {
		.header.type = VMBUS_MESSAGE_GPADL_TEARDOWN, .relid = 9, .gpadl_id = 77};

	TRY(fill(t));
	TRY(await_pending(t));
	for (unsigned i = 0; i < POSTS_MAX && status == HV_STATUS_SUCCESS; i++)
		EXPECT(winhv_post_message(t->hv, t->bus.connection_id, VMBUS_SYNIC_MESSAGE_TYPE,
			       &message, sizeof message, &status) == 0,
			"the host is gone");
	EXPECT(status == HV_STATUS_INSUFFICIENT_BUFFERS,
		"with messages waiting, posts end with status 0x%x", status);
	/* And none of the offers was lost by that. */
	for (;;) {
		struct winhv_message offer;
		uint32_t type = 0;
		TRY(conform_bus_receive(t, &offer));
		__builtin_memcpy(&type, offer.payload, sizeof type);
		if (type == VMBUS_MESSAGE_ALL_OFFERS_DELIVERED)
			break;
		EXPECT(type == VMBUS_MESSAGE_OFFER_CHANNEL, "%s came among the offers",
			vmbus_message_name(type));
	}
	return CONFORM_PASS;
}

static enum conform_verdict unload_in_backlog(struct conform_target *t)
{
	TRY(fill(t));
	TRY(await_pending(t));
	const struct vmbus_header_wire unload = {.type = VMBUS_MESSAGE_UNLOAD};
	uint16_t status;
	const uint32_t version = t->bus.version;
	NEED(vmbus_version_has(version, VMBUS_CAP_UNLOAD_RESPONSE), "the version has no answer");
	EXPECT(winhv_post_message(t->hv, t->bus.connection_id, VMBUS_SYNIC_MESSAGE_TYPE, &unload,
		       sizeof unload, &status) == 0,
		"the host is gone");
	NEED(status == HV_STATUS_SUCCESS, "UNLOAD is refused while messages wait (status 0x%x)",
		status);
	struct winhv_message message;
	uint32_t type = 0;
	/* Offers may come until the host has looked at UNLOAD. */
	for (unsigned i = 0; i <= CONFORM_OFFERS_MAX && type != VMBUS_MESSAGE_UNLOAD_COMPLETE;
		i++) {
		TRY(conform_bus_receive(t, &message));
		__builtin_memcpy(&type, message.payload, sizeof type);
	}
	EXPECT(type == VMBUS_MESSAGE_UNLOAD_COMPLETE, "UNLOAD_COMPLETE was lost");
	t->bus.version = 0;
	return CONFORM_PASS;
}

static enum conform_verdict page_gone(struct conform_target *t)
{
	uint64_t simp;

	TRY(fill(t));
	EXPECT(conform_read(t, 0, HV_X64_MSR_SIMP, &simp) &&
			conform_write(t, 0, HV_X64_MSR_SIMP, 0),
		"SIMP faults");
	(void)conform_write(t, 0, HV_X64_MSR_EOM, 0);
	EXPECT(conform_write(t, 0, HV_X64_MSR_SIMP, simp), "SIMP faults");
	t->bus.inbox_count = 0;
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, VMBUS_VERSION_3_0, 0);
	EXPECT(conform_bus_post_to(t, VMBUS_CONNECTION_MESSAGE, &contact,
		       VMBUS_INITIATE_CONTACT_BYTES) == HV_STATUS_SUCCESS,
		"no contact can be posted any more");
	struct winhv_message message;
	uint32_t type = 0;
	for (unsigned i = 0; i < CONFORM_INBOX_MESSAGES && type != VMBUS_MESSAGE_VERSION_RESPONSE;
		i++) {
		TRY(conform_bus_receive(t, &message));
		__builtin_memcpy(&type, message.payload, sizeof type);
	}
	EXPECT(type == VMBUS_MESSAGE_VERSION_RESPONSE, "the host answers no more");
	t->bus.version = VMBUS_VERSION_3_0;
	return CONFORM_PASS;
}

const struct conform_test conform_synic_tests[] = {
	{"R-SYNIC-001", "a full slot is not written but for its flag", full_slot, CONFORM_BUS, 0,
		0},
	{"R-SYNIC-002", "a message behind a full slot raises no interrupt", no_interrupt_when_full,
		CONFORM_BUS, 0, 0},
	{"R-SYNIC-004", "messages come in order", in_order, CONFORM_BUS, 0, 0},
	{"R-SYNIC-005", "EOM delivers what waits", pending, CONFORM_BUS, 0, 0},
	{"R-SYNIC-005", "EOM with nothing waiting has no effect", eom_for_nothing, CONFORM_BUS, 0,
		0},
	{"R-SYNIC-007", "a masked SINT gets its messages, and no interrupt", masked, CONFORM_BUS, 0,
		0},
	{"R-SYNIC-008", "messages wait for the message page", waits_for_page, CONFORM_BUS, 0, 0},
	{"R-SYNIC-008", "messages wait for SCONTROL", waits_for_scontrol, CONFORM_BUS, 0, 0},
	{"R-SYNIC-015", "a post without buffer gives 0x13 and changes nothing", backlog,
		CONFORM_BUS, 0, 0},
	{"R-CPUID-021", "a polled SINT gets its messages, and no interrupt", polling, CONFORM_BUS,
		0, HV_FEATURE_SINT_POLLING},
	{"R-MSG-001", "offers and their end come in order", in_order, CONFORM_BUS, 0, 0},
	{"R-MSG-002", "a waiting message is flagged, and comes after EOM", pending, CONFORM_BUS, 0,
		0},
	{"R-MSG-003", "a slot that is full is not written", full_slot, CONFORM_BUS, 0, 0},
	{"R-MSG-003", "a message has its type, size and port", header, CONFORM_BUS, 0, 0},
	{"R-MSG-004", "posts are refused while messages wait", backlog, CONFORM_BUS, 0, 0},
	{"R-UNL-008", "a full slot does not lose UNLOAD_COMPLETE", unload_in_backlog, CONFORM_BUS,
		0, 0},
	{"R-UNL-009", "a message page that is gone does no harm", page_gone, CONFORM_BUS, 0, 0},
};
const size_t conform_synic_test_count = sizeof conform_synic_tests / sizeof conform_synic_tests[0];
