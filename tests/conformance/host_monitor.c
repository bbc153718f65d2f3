// SPDX-License-Identifier: Apache-2.0
/*
 * Monitored notification: which offers get a monitor id, what becomes of pending bits, and of
 * connections whose pages change. Against the echo of protocol/testdevice.md, which signals so.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_device.h"

/* A connection with monitor pages: both, zeroed, are the test's. */
struct monitored {
	uint8_t *to_child, *to_parent; /* the host's and the guest's */
	uint64_t to_child_gpa, to_parent_gpa;
	struct conform_channel channel; /* the echo, when opened */
	uint8_t id;			/* its monitor id */
};

static bool pages_make(struct conform_target *t, struct monitored *m)
{
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);

	if (pages.va == NULL)
		return conform_no(t, "there is no memory for monitor pages");
	m->to_child = pages.va;
	m->to_parent = pages.va + WINHV_PAGE_BYTES;
	m->to_child_gpa = pages.gpa;
	m->to_parent_gpa = pages.gpa + WINHV_PAGE_BYTES;
	return true;
}

/* Contact with these pages, which must succeed, and all offers. */
static bool contact(
	struct conform_target *t, const struct monitored *m, uint32_t version, uint32_t features)
{
	struct vmbus_initiate_contact_wire message = conform_contact(t, version, features);
	struct vmbus_version_response_wire response = {0};
	struct winhv_message answer;

	message.parent_to_child_page_gpa = m->to_child_gpa;
	message.child_to_parent_page_gpa = m->to_parent_gpa;
	t->bus.version = 0;
	t->bus.connection_id = VMBUS_CONNECTION_MESSAGE;
	if (!conform_bus_post(t, &message, sizeof message) || !conform_bus_receive(t, &answer))
		return false;
	__builtin_memcpy(&response, answer.payload,
		answer.bytes < sizeof response ? answer.bytes : sizeof response);
	if (response.header.type != VMBUS_MESSAGE_VERSION_RESPONSE || !response.supported ||
		response.connection_state != VMBUS_CONNECTION_SUCCESSFUL)
		return conform_no(t,
			"a contact with monitor pages: message %u, supported %u, state %u",
			response.header.type, response.supported, response.connection_state);
	t->bus.version = version;
	t->bus.features = response.features;
	if (vmbus_version_has(version, VMBUS_CAP_MULTI_CLIENT))
		t->bus.connection_id = response.selected;
	return conform_bus_request_offers(t);
}

#define HIGHEST                                                                                    \
	struct monitored monitored = {0};                                                          \
	struct monitored *m = &monitored;                                                          \
	TRY(conform_bus_connect(t));                                                               \
	TRY(pages_make(t, m));                                                                     \
	TRY(contact(t, m, t->bus.version, 0))
#define ECHO_OFFERED                                                                               \
	const struct vmbus_offer_channel_wire *offer = conform_offer(                              \
		t, &testdevice_echo_interface);                                                    \
	NEED(offer != NULL, CONFORM_NO_DEVICE);                                                    \
	NEED(offer->monitor_id < VMBUS_MONITOR_ID_COUNT, "the echo has no monitor id");            \
	m->id = offer->monitor_id
#define ECHO_OPENED                                                                                \
	ECHO_OFFERED;                                                                              \
	TRY(conform_channel_open(t, &m->channel, offer, 1))
#define MODIFIABLE                                                                                 \
	struct monitored monitored = {0}, other = {0};                                             \
	struct monitored *m = &monitored;                                                          \
	TRY(conform_bus_connect(t));                                                               \
	NEED(t->bus.version >= VMBUS_VERSION_6_0, "the host does not take version 6.0");           \
	TRY(pages_make(t, m));                                                                     \
	TRY(pages_make(t, &other));                                                                \
	TRY(contact(t, m, VMBUS_VERSION_6_0, VMBUS_FEATURE_MODIFY_CONNECTION));                    \
	NEED(t->bus.features &VMBUS_FEATURE_MODIFY_CONNECTION, "feature 0x04 is not granted")

static uint32_t *pending(const struct monitored *m)
{
	return (uint32_t *)(void *)(m->to_parent + vmbus_monitor_pending_offset(m->id));
}

enum way {
	BY_NOTHING,
	BY_PAGE,
	BY_HYPERCALL,
};

/*
 * A packet, for which the host is told so. It sleeps before, and would not find it by itself: the
 * mask of the ring that it reads is clear.
 */
static bool told(struct conform_target *t, struct monitored *m, enum way way)
{
	struct conform_channel *channel = &m->channel;
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.payload_bytes = 8,
		.transaction_id = ++channel->next_id};
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;

	while (conform_word(channel->out_control, RING_WORD_MASK) != 0)
		if (conform_now(t) >= deadline)
			return conform_no(t, "the host does not come to rest");
	if (ring_send(&channel->out, &header, NULL, "by page?") != RING_OK)
		return conform_no(t, "the ring is full");
	(void)ring_flush(&channel->out);
	if (way == BY_PAGE)
		(void)__atomic_fetch_or(pending(m), 1u << m->id % 32, __ATOMIC_SEQ_CST);
	if (way == BY_HYPERCALL && conform_channel_signal(t, channel) != HV_STATUS_SUCCESS)
		return conform_no(
			t, "a channel with a monitor id cannot be signalled by hypercall");
	return true;
}

static bool by_page(struct conform_target *t, struct monitored *m)
{
	return told(t, m, BY_PAGE) && conform_channel_answered(t, &m->channel, "a pending bit");
}

static bool is_zero(struct conform_target *t, const uint8_t *page, const char *what)
{
	for (unsigned i = 0; i < WINHV_PAGE_BYTES; i++)
		if (page[i] != 0)
			return conform_no(t, "%s: byte 0x%x is 0x%02x", what, i, page[i]);
	return true;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static enum conform_verdict no_pages(struct conform_target *t)
{
	TRY(conform_bus_offers(t));
	NEED(t->bus.offer_count != 0, "the host offers nothing");
	for (uint32_t i = 0; i < t->bus.offer_count; i++) {
		const struct vmbus_offer_channel_wire *offer = &t->bus.offers[i];
		EXPECT(offer->monitor_id == VMBUS_MONITOR_ID_NONE &&
				!(offer->monitor_flags & VMBUS_OFFER_MONITOR_ALLOCATED),
			"relid %u has monitor id %u, flags 0x%x, and the connection has no pages",
			offer->relid, offer->monitor_id, offer->monitor_flags);
	}
	return CONFORM_PASS;
}

static enum conform_verdict ids_offered(struct conform_target *t)
{
	HIGHEST;
	NEED(conform_offer(t, &testdevice_echo_interface) != NULL, CONFORM_NO_DEVICE);
	for (uint32_t i = 0; i < t->bus.offer_count; i++) {
		const struct vmbus_offer_channel_wire *offer = &t->bus.offers[i];
		const bool has_one = guid_equal(&offer->interface_id, &testdevice_echo_interface) ||
				     guid_equal(&offer->interface_id, &testdevice_sink_interface);
		const bool may_not = guid_equal(&offer->interface_id, &testdevice_source_interface);
		EXPECT(!has_one || offer->monitor_id < VMBUS_MONITOR_ID_COUNT,
			"relid %u has monitor id %u", offer->relid, offer->monitor_id);
		EXPECT(!may_not || offer->monitor_id == VMBUS_MONITOR_ID_NONE,
			"the source has monitor id %u", offer->monitor_id);
		EXPECT((offer->monitor_flags & VMBUS_OFFER_MONITOR_ALLOCATED) ==
				(offer->monitor_id != VMBUS_MONITOR_ID_NONE),
			"relid %u: monitor id %u with flags 0x%x", offer->relid, offer->monitor_id,
			offer->monitor_flags);
	}
	return CONFORM_PASS;
}

static enum conform_verdict ids_unique(struct conform_target *t)
{
	uint64_t used[2] = {0};
	HIGHEST;
	ECHO_OFFERED;
	for (uint32_t i = 0; i < t->bus.offer_count; i++) {
		const uint8_t id = t->bus.offers[i].monitor_id;
		if (id >= VMBUS_MONITOR_ID_COUNT)
			continue;
		EXPECT(!(used[id / 64] & 1ull << id % 64), "monitor id %u was offered twice", id);
		used[id / 64] |= 1ull << id % 64;
	}
	return CONFORM_PASS;
}

/* More often than there are ids. */
static enum conform_verdict ids_freed(struct conform_target *t)
{
	HIGHEST;
	ECHO_OFFERED;
	const uint32_t version = t->bus.version;
	for (unsigned i = 0; i <= VMBUS_MONITOR_ID_COUNT; i++) {
		TRY(contact(t, m, version, 0));
		offer = conform_offer(t, &testdevice_echo_interface);
		EXPECT(offer != NULL && offer->monitor_id < VMBUS_MONITOR_ID_COUNT,
			"connection %u: there is no monitor id any more", i);
	}
	return CONFORM_PASS;
}

/* ---- signals --------------------------------------------------------------------------------- */

static enum conform_verdict bit_signals(struct conform_target *t)
{
	HIGHEST;
	ECHO_OPENED;
	for (unsigned i = 0; i < 50; i++)
		TRY(by_page(t, m));
	return CONFORM_PASS;
}

static enum conform_verdict bit_cleared(struct conform_target *t)
{
	HIGHEST;
	ECHO_OPENED;
	for (unsigned i = 0; i < 10; i++) {
		TRY(by_page(t, m));
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		while (__atomic_load_n(pending(m), __ATOMIC_SEQ_CST) & 1u << m->id % 32)
			EXPECT(conform_now(t) < deadline, "the pending bit of id %u stays set",
				m->id);
	}
	return CONFORM_PASS;
}

static enum conform_verdict others_ignored(struct conform_target *t)
{
	HIGHEST;
	ECHO_OPENED;
	for (unsigned i = 0; i < 10; i++) {
		for (uint32_t group = 0; group < VMBUS_MONITOR_ID_COUNT; group += 32)
			__atomic_store_n((uint32_t *)(void *)(m->to_parent +
							      vmbus_monitor_pending_offset(group)),
				group / 32 == m->id / 32u ? ~(1u << m->id % 32) : ~0u,
				__ATOMIC_SEQ_CST);
		TRY(conform_bus_quiet(t, "a pending bit of no channel"));
		TRY(by_page(t, m));
	}
	/* Its own, when it is closed, and nobody is there to be told. */
	TRY(conform_channel_close(t, &m->channel));
	(void)__atomic_fetch_or(pending(m), 1u << m->id % 32, __ATOMIC_SEQ_CST);
	TRY(conform_bus_quiet(t, "a pending bit of a closed channel"));
	TRY(conform_channel_open(t, &m->channel, offer, 1));
	TRY(by_page(t, m));
	return CONFORM_PASS;
}

static enum conform_verdict hypercall_works(struct conform_target *t)
{
	HIGHEST;
	ECHO_OPENED;
	for (unsigned i = 0; i < 20; i++) {
		TRY(told(t, m, BY_HYPERCALL));
		TRY(conform_channel_answered(t, &m->channel, "a hypercall"));
	}
	return CONFORM_PASS;
}

/* The guest says that its signals are the sink's, which is open as well. */
static enum conform_verdict not_redirected(struct conform_target *t)
{
	struct conform_channel sink;
	HIGHEST;
	ECHO_OPENED;
	struct vmbus_monitor_page_wire *page = (void *)m->to_parent;
	NEED(conform_offer(t, &testdevice_sink_interface) != NULL, CONFORM_NO_DEVICE);
	TRY(conform_channel_open(t, &sink, conform_offer(t, &testdevice_sink_interface), 1));
	for (unsigned id = 0; id < VMBUS_MONITOR_ID_COUNT; id++) {
		page->parameter[id / 32][id % 32].connection_id = sink.connection_id;
		page->parameter[id / 32][id % 32].flag_number = 0xffff;
		page->latency_100ns[id / 32][id % 32] = 0xffff;
	}
	for (unsigned i = 0; i < 10; i++)
		TRY(by_page(t, m));
	return CONFORM_PASS;
}

static bool described(struct conform_target *t, const struct monitored *m,
	const struct vmbus_offer_channel_wire *offer)
{
	const struct vmbus_monitor_page_wire *page = (const void *)m->to_parent;
	const unsigned group = m->id / 32u, bit = m->id % 32u;
	const struct vmbus_monitor_parameter_wire *parameter = &page->parameter[group][bit];

	if (page->latency_100ns[group][bit] == 0)
		return conform_no(t, "the page has no latency for id %u", m->id);
	if (parameter->connection_id != offer->connection_id || parameter->flag_number != 0)
		return conform_no(t, "the page has connection id 0x%x, flag %u for id %u of 0x%x",
			parameter->connection_id, parameter->flag_number, m->id,
			offer->connection_id);
	return (page->trigger_state & 1u << group && page->trigger_state < 16) ||
	       conform_no(t, "the trigger state is 0x%x, with id %u", page->trigger_state, m->id);
}

static enum conform_verdict page_described(struct conform_target *t)
{
	HIGHEST;
	ECHO_OFFERED;
	TRY(described(t, m, offer));
	return CONFORM_PASS;
}

static enum conform_verdict events_come(struct conform_target *t)
{
	HIGHEST;
	ECHO_OPENED;
	(void)winhv_events_take(t->hv, 0, VMBUS_SINT, m->channel.relid / 64);
	EXPECT(!ring_reader_arm(&m->channel.in), "data is there already");
	TRY(told(t, m, BY_PAGE));
	TRY(conform_event(t, 0, m->channel.relid));
	TRY(is_zero(t, m->to_child, "the page parent to child was written"));
	return CONFORM_PASS;
}

static enum conform_verdict one_page(struct conform_target *t)
{
	struct monitored monitored = {0};
	struct monitored *m = &monitored;
	TRY(conform_bus_connect(t));
	TRY(pages_make(t, m));
	m->to_child_gpa = m->to_parent_gpa;
	TRY(contact(t, m, t->bus.version, 0));
	ECHO_OPENED;
	TRY(by_page(t, m));
	return CONFORM_PASS;
}

/* The interrupt page has no bit of the channel. */
static enum conform_verdict bit_alone(struct conform_target *t)
{
	static const uint32_t versions[] = {VMBUS_VERSION_1_1, VMBUS_VERSION_0_13};
	for (unsigned i = 0; i < 2; i++) {
		struct monitored monitored = {0};
		struct monitored *m = &monitored;
		TRY(pages_make(t, m));
		TRY(contact(t, m, versions[i], 0));
		ECHO_OPENED;
		for (unsigned n = 0; n < 10; n++)
			TRY(by_page(t, m));
	}
	return CONFORM_PASS;
}

/* ---- other pages ----------------------------------------------------------------------------- */

static bool modify(
	struct conform_target *t, uint64_t first, uint64_t second, uint8_t state, const char *what)
{
	const struct vmbus_modify_connection_wire message = {
		.header.type = VMBUS_MESSAGE_MODIFY_CONNECTION,
		.parent_to_child_page_gpa = first,
		.child_to_parent_page_gpa = second,
	};
	struct vmbus_modify_connection_response_wire response;

	if (!conform_bus_post(t, &message, sizeof message) ||
		!conform_bus_expect(
			t, VMBUS_MESSAGE_MODIFY_CONNECTION_RESPONSE, &response, sizeof response))
		return false;
	if (response.connection_state != state)
		return conform_no(t, "MODIFY_CONNECTION %s gave state %u, not %u", what,
			response.connection_state, state);
	return conform_bus_quiet(t, "MODIFY_CONNECTION");
}

static enum conform_verdict modify_in_use(struct conform_target *t)
{
	MODIFIABLE;
	ECHO_OPENED;
	TRY(modify(t, other.to_child_gpa, other.to_parent_gpa, 2, "while the echo is open"));
	TRY(modify(t, 0, 0, 2, "to no pages while the echo is open"));
	TRY(is_zero(t, other.to_parent, "the refused page was written"));
	for (unsigned i = 0; i < 5; i++)
		TRY(by_page(t, m));
	return CONFORM_PASS;
}

static enum conform_verdict modify_refused(struct conform_target *t)
{
	MODIFIABLE;
	ECHO_OFFERED;
	TRY(modify(t, 0, other.to_parent_gpa, 2, "to one page"));
	TRY(modify(t, other.to_child_gpa, 0, 2, "to the other page"));
	TRY(modify(t, other.to_child_gpa, other.to_parent_gpa + 8, 2, "to an unaligned page"));
	TRY(modify(t, other.to_child_gpa, 1ull << 46, 2, "to a page that is not memory"));
	TRY(conform_channel_open(t, &m->channel, offer, 1));
	TRY(by_page(t, m));
	return CONFORM_PASS;
}

/* The new page says what the old one did, and is the one that counts. */
static enum conform_verdict modify_pages(struct conform_target *t)
{
	MODIFIABLE;
	ECHO_OFFERED;
	other.id = m->id;
	TRY(modify(t, other.to_child_gpa, other.to_parent_gpa, 0, "to other pages"));
	TRY(described(t, &other, offer));
	__builtin_memset(m->to_parent, 0, WINHV_PAGE_BYTES);
	TRY(conform_channel_open(t, &other.channel, offer, 1));
	TRY(by_page(t, &other));
	TRY(is_zero(t, m->to_parent, "the page of before was written"));
	return CONFORM_PASS;
}

static enum conform_verdict modify_to_none(struct conform_target *t)
{
	MODIFIABLE;
	ECHO_OFFERED;
	TRY(modify(t, 0, 0, 0, "to no pages"));
	__builtin_memset(m->to_parent, 0, WINHV_PAGE_BYTES);
	TRY(conform_channel_open(t, &m->channel, offer, 1));
	TRY(told(t, m, BY_HYPERCALL));
	TRY(conform_channel_answered(t, &m->channel, "a hypercall"));
	TRY(is_zero(t, m->to_parent, "the page of before was written"));
	return CONFORM_PASS;
}

static enum conform_verdict without_events(struct conform_target *t)
{
	uint32_t status;
	MODIFIABLE;
	ECHO_OFFERED;
	TRY(conform_channel_lend(t, &m->channel, offer, 1));
	struct vmbus_open_channel_wire open = conform_channel_request(&m->channel);
	open.target_vp = VMBUS_TARGET_VP_NONE;
	TRY(conform_channel_ask(t, &open, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "OPEN_CHANNEL gave 0x%x", status);
	TRY(modify(t, other.to_child_gpa, other.to_parent_gpa, 0, "with a channel without events"));
	return CONFORM_PASS;
}

static enum conform_verdict let_go(struct conform_target *t)
{
	HIGHEST;
	ECHO_OPENED;
	const uint32_t version = t->bus.version;
	TRY(by_page(t, m));
	TRY(conform_bus_unload(t));
	__builtin_memset(m->to_parent, 0, WINHV_PAGE_BYTES);
	TRY(conform_bus_contact(t, version, 0));
	TRY(conform_bus_request_offers(t));
	offer = conform_offer(t, &testdevice_echo_interface);
	EXPECT(offer != NULL, "the echo is not offered again");
	TRY(conform_channel_open(t, &m->channel, offer, 1));
	*pending(m) = ~0u;
	TRY(told(t, m, BY_HYPERCALL));
	TRY(conform_channel_answered(t, &m->channel, "a hypercall"));
	TRY(conform_bus_quiet(t, "a pending bit"));
	EXPECT(*pending(m) == ~0u, "pending bits of a page that was given up are cleared");
	*pending(m) = 0;
	TRY(is_zero(t, m->to_parent, "the page of before was written"));
	return CONFORM_PASS;
}

#define ROW(rule, name, run)                                                                       \
	{                                                                                          \
		rule, name, run, CONFORM_BUS, 0, 0                                                 \
	}
const struct conform_test conform_monitor_tests[] = {
	ROW("R-OFFER-012", "without monitor pages there are no monitor ids", no_pages),
	ROW("R-TDEV-001", "with them, echo and sink have one, and the source none", ids_offered),
	ROW("R-OFFER-013", "monitor ids are unique", ids_unique),
	ROW("R-OFFER-013", "monitor ids are free again in the next connection", ids_freed),
	ROW("R-MNF-002", "a pending bit signals the channel", bit_signals),
	ROW("R-MNF-002", "... and is cleared", bit_cleared),
	ROW("R-MNF-003", "pending bits of no open channel are ignored", others_ignored),
	ROW("R-MNF-004", "the hypercall works with a monitor id", hypercall_works),
	ROW("R-MNF-008", "what the guest writes there redirects nothing", not_redirected),
	ROW("R-MNF-009", "a channel without events does not hold the pages", without_events),
	ROW("R-MNF-010", "the page says what holds for an id", page_described),
	ROW("R-MNF-011", "the host signals by events", events_come),
	ROW("R-MNF-012", "both fields may name one page", one_page),
	ROW("R-MNF-013", "the page is left alone after UNLOAD", let_go),
	ROW("R-MNF-013", "after MODIFY_CONNECTION, the new page counts", modify_pages),
	ROW("R-MNF-013", "after MODIFY_CONNECTION to no pages, none does", modify_to_none),
	ROW("R-MNF-014", "below 2.4 a pending bit alone is taken", bit_alone),
	ROW("R-CONN-035", "no other pages while a monitored channel is open", modify_in_use),
	ROW("R-CONN-035", "bad pages are refused, and those of before stay", modify_refused),
};
#undef ROW
const size_t conform_monitor_test_count = sizeof conform_monitor_tests /
					  sizeof conform_monitor_tests[0];
