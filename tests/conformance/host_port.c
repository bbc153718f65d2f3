// SPDX-License-Identifier: Apache-2.0
/*
 * Ports in both directions: posts in bursts, and from all VPs; events of a channel, and the
 * flags that they set. The VMBus is at the other end.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

#define NO_CHANNEL 0x7f3u
#define FIRST_ID   0x00f10000u
#define ROUNDS	   30u
#define BURST	   12u
#define ORDERED	   60u
#define EVENTS	   30u

/* ---- messages ------------------------------------------------------------------------------ */

/*
 * GPADLs of no channel: most hosts refuse them, QEMU 7.2 makes them, and each is answered. Nothing
 * is taken out of our slot here.
 */
static bool post_gpadl(struct conform_target *t, uint64_t gpa, uint32_t id, uint16_t *status)
{
	struct {
		struct vmbus_gpadl_header_wire fixed;
		uint64_t words[2];
	} PROTOCOL_PACKED const message = {
		.fixed = {.header.type = VMBUS_MESSAGE_GPADL_HEADER,
			.relid = NO_CHANNEL,
			.gpadl_id = id,
			.range_bytes = sizeof message.words,
			.range_count = 1},
		.words = {VMBUS_PAGE_BYTES, gpa / VMBUS_PAGE_BYTES},
	};

	return winhv_post_message(t->hv, t->bus.connection_id, VMBUS_SYNIC_MESSAGE_TYPE, &message,
		       sizeof message, status) == 0 ||
	       conform_no(t, "HvCallPostMessage faults");
}

/* Lengths are judged elsewhere: those of QEMU 7.2 are longer. */
static bool taken_back(struct conform_target *t, uint32_t id)
{
	struct vmbus_gpadl_torndown_wire torndown = {0};
	struct winhv_message message;

	if (!conform_gpadl_teardown(t, NO_CHANNEL, id) || !conform_bus_receive(t, &message))
		return false;
	__builtin_memcpy(&torndown, message.payload,
		message.bytes < sizeof torndown ? message.bytes : sizeof torndown);
	return (torndown.header.type == VMBUS_MESSAGE_GPADL_TORNDOWN && torndown.gpadl_id == id) ||
	       conform_no(t, "%s, 0x%x came, not GPADL_TORNDOWN, 0x%x",
		       vmbus_message_name(torndown.header.type), torndown.gpadl_id, id);
}

static bool is_created(struct conform_target *t, const struct winhv_message *message, uint32_t id,
	uint32_t *status)
{
	struct vmbus_gpadl_created_wire created = {0};

	__builtin_memcpy(&created, message->payload,
		message->bytes < sizeof created ? message->bytes : sizeof created);
	*status = created.status;
	return (created.header.type == VMBUS_MESSAGE_GPADL_CREATED && created.gpadl_id == id) ||
	       conform_no(t, "%s, 0x%x came, not GPADL_CREATED, 0x%x",
		       vmbus_message_name(created.header.type), created.gpadl_id, id);
}

/* Answers for `count` ids, in order; GPADLs that were made are taken back. */
static bool answers(struct conform_target *t, uint32_t first, unsigned count)
{
	uint32_t status = VMBUS_STATUS_SUCCESS + 1;

	for (uint32_t id = first; id < first + count; id++) {
		struct winhv_message message;
		if (!conform_bus_receive(t, &message))
			return conform_no(t, "GPADL 0x%x was not answered", id);
		if (!is_created(t, &message, id, &status))
			return false;
	}
	for (uint32_t id = first; status == VMBUS_STATUS_SUCCESS && id < first + count; id++)
		if (!taken_back(t, id))
			return false;
	return true;
}

/* Connected, to a host that answers GPADLs of no channel: one has been asked for, and is gone. */
static enum conform_verdict connected(struct conform_target *t, uint64_t gpa)
{
	const uint64_t words[2] = {VMBUS_PAGE_BYTES, gpa / VMBUS_PAGE_BYTES};
	const uint32_t id = FIRST_ID - 1;
	struct winhv_message message;
	uint32_t status;

	TRY(conform_bus_connect(t));
	TRY(conform_gpadl_send(
		t, NO_CHANNEL, id, sizeof words, 1, words, 2, VMBUS_GPADL_BODY_U64_MAX));
	NEED(conform_bus_receive(t, &message), "the host does not answer a GPADL of no channel");
	TRY(is_created(t, &message, id, &status));
	if (status == VMBUS_STATUS_SUCCESS)
		TRY(taken_back(t, id));
	return CONFORM_PASS;
}

/*
 * Posts until one is refused, `most` at most; every one that was accepted has its answer, which
 * is taken while others come.
 */
static bool burst(
	struct conform_target *t, uint64_t gpa, uint32_t first, unsigned most, unsigned *accepted)
{
	uint16_t status = 0;

	for (*accepted = 0; *accepted < most; (*accepted)++) {
		if (!post_gpadl(t, gpa, first + *accepted, &status))
			return false;
		if (status != HV_STATUS_SUCCESS)
			break;
	}
	if (status != HV_STATUS_SUCCESS && status != HV_STATUS_INSUFFICIENT_BUFFERS)
		return conform_no(t, "post %u of a burst gave status 0x%x", *accepted + 1, status);
	return answers(t, first, *accepted);
}

static enum conform_verdict emptied_meanwhile(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const enum conform_verdict verdict = connected(t, page.gpa);
	unsigned accepted;

	if (verdict != CONFORM_PASS)
		return verdict;
	for (unsigned i = 0; i < ROUNDS; i++)
		TRY(burst(t, page.gpa, FIRST_ID + i * BURST, BURST, &accepted));
	return CONFORM_PASS;
}

/* Nothing waits at first, so that there is a buffer. */
static enum conform_verdict one_at_least(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const enum conform_verdict verdict = connected(t, page.gpa);
	unsigned accepted;

	if (verdict != CONFORM_PASS)
		return verdict;
	for (unsigned i = 0; i < ROUNDS; i++) {
		TRY(burst(t, page.gpa, FIRST_ID + i * BURST, 1 + i % BURST, &accepted));
		EXPECT(accepted >= 1, "nothing waited, and a post was refused");
	}
	return CONFORM_PASS;
}

static enum conform_verdict in_order(struct conform_target *t, bool by_all)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint64_t words[2] = {VMBUS_PAGE_BYTES, page.gpa / VMBUS_PAGE_BYTES};
	const enum conform_verdict verdict = connected(t, page.gpa);

	if (verdict != CONFORM_PASS)
		return verdict;
	for (uint32_t i = 0; i < ORDERED; i++) {
		t->hv->vp = by_all ? i % t->hv->vp_count : 0;
		const bool is_sent = conform_gpadl_send(t, NO_CHANNEL, FIRST_ID + i, sizeof words,
			1, words, 2, VMBUS_GPADL_BODY_U64_MAX);
		t->hv->vp = 0;
		TRY(is_sent);
	}
	TRY(answers(t, FIRST_ID, ORDERED));
	return CONFORM_PASS;
}

static enum conform_verdict in_order_of_one(struct conform_target *t)
{
	return in_order(t, false);
}

static enum conform_verdict in_order_of_all(struct conform_target *t)
{
	return in_order(t, true);
}

/* On every VP, whatever lay in the page. */
static enum conform_verdict slots_empty(struct conform_target *t)
{
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
		__builtin_memset(page.va, 0xe5, WINHV_PAGE_BYTES);
		EXPECT(conform_write(t, vp, HV_X64_MSR_SIMP, page.gpa | HV_MSR_PAGE_ENABLE),
			"SIMP of VP %u faults", vp);
		for (unsigned sint = 0; sint < HV_SINT_COUNT; sint++) {
			const uint8_t *slot = page.va + sint * HV_MESSAGE_BYTES;
			const uint32_t type = __atomic_load_n(
				(const uint32_t *)(const void *)slot, __ATOMIC_ACQUIRE);
			EXPECT(type == 0, "slot %u of VP %u has a message of type 0x%x", sint, vp,
				type);
		}
	}
	return CONFORM_PASS;
}

/* ---- events -------------------------------------------------------------------------------- */

#define OPENED                                                                                     \
	struct conform_storage storage;                                                            \
	TRY(conform_bus_offers(t));                                                                \
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");       \
	TRY(conform_storage_open(t, &storage));                                                    \
	struct conform_channel *channel = &storage.channel

static uint64_t *flags_word(struct conform_target *t, const struct conform_channel *channel)
{
	uint64_t *flags = (uint64_t *)(void *)(t->hv->synic[0].events.va +
					       VMBUS_SINT * (HV_EVENT_FLAG_COUNT / 8));

	return flags + channel->relid / 64;
}

/* A request, and the end of its wait: the host may signal, and is not waited for by an event. */
static bool ask(struct conform_target *t, struct conform_channel *channel)
{
	const union conform_packet packet = {
		.header = {.operation = STORAGE_OP_BEGIN_INITIALIZATION,
			.flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = sizeof packet,
		.transaction_id = ++channel->next_id + 0x7000,
	};

	(void)ring_reader_arm(&channel->in);
	return conform_channel_send(t, channel, &header, NULL, &packet);
}

static bool answered(struct conform_target *t, struct conform_channel *channel)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	struct packet_view view;
	enum ring_status status;

	while ((status = ring_peek(&channel->in, &view)) == RING_EMPTY)
		if (conform_now(t) >= deadline)
			return conform_no(
				t, "request %u was not answered", (unsigned)channel->next_id);
	if (status != RING_OK)
		return conform_no(t, "the ring is broken: %s", ring_status_name(status));
	if (view.transaction_id != channel->next_id + 0x7000)
		return conform_no(t, "transaction 0x%llx came, not 0x%llx",
			(unsigned long long)view.transaction_id,
			(unsigned long long)channel->next_id + 0x7000);
	conform_channel_done(t, channel, &view);
	return true;
}

/* All interrupts that have come; true if the SINT of the bus was among them. */
static bool interrupted(struct conform_target *t)
{
	uint32_t sints = 0, all = 0;

	do {
		if (winhv_wait(t->hv, 0, 0, &sints) != 0)
			break;
		all |= sints;
	} while (sints != 0);
	return all & 1u << VMBUS_SINT;
}

/* The flag comes first, then its interrupt. */
static bool flag_and_interrupt(struct conform_target *t, const uint64_t *word, uint64_t bit)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	while (!(__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit))
		if (conform_now(t) >= deadline)
			return conform_no(t, "no flag was set");
	(void)winhv_wait(t->hv, 0, CONFORM_PATIENCE, &sints);
	return (sints & 1u << VMBUS_SINT) ||
	       conform_no(t, "the flag was set, and no interrupt came");
}

/*
 * The interrupt of the last message, and that of the flag, may be late, and come one by one: so
 * many are no second ones.
 */
static enum conform_verdict flag_is_set(struct conform_target *t)
{
	OPENED;
	const uint64_t bit = 1ull << channel->relid % 64;
	uint64_t *word = flags_word(t, channel);
	unsigned interrupts = 0;

	TRY(ask(t, channel));
	TRY(answered(t, channel));
	TRY(flag_and_interrupt(t, word, bit));
	for (unsigned i = 0; i < EVENTS; i++) {
		TRY(ask(t, channel));
		TRY(answered(t, channel));
		interrupts += interrupted(t);
		EXPECT(__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit, "the flag was cleared");
	}
	EXPECT(interrupts <= 2, "%u interrupts for %u requests, although the flag is set",
		interrupts, EVENTS);
	(void)__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
	TRY(ask(t, channel));
	TRY(flag_and_interrupt(t, word, bit));
	TRY(answered(t, channel));
	return CONFORM_PASS;
}

/* The guest changes another flag of the word all the time: no change is lost. */
static enum conform_verdict flag_atomic(struct conform_target *t)
{
	OPENED;
	const uint64_t bit = 1ull << channel->relid % 64, other = bit << 1 | bit >> 1;
	const uint64_t mine = other & -other; /* one of its neighbours */
	uint64_t *word = flags_word(t, channel);
	uint64_t wanted = __atomic_load_n(word, __ATOMIC_SEQ_CST) & mine;

	for (unsigned i = 0; i < EVENTS; i++) {
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		(void)__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
		TRY(ask(t, channel));
		do {
			const uint64_t was = __atomic_fetch_xor(word, mine, __ATOMIC_SEQ_CST);
			EXPECT((was & mine) == wanted, "round %u: another flag of the word changed",
				i + 1);
			wanted ^= mine;
			EXPECT(conform_now(t) < deadline, "round %u: no flag was set", i + 1);
		} while (!(__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit));
		TRY(answered(t, channel));
	}
	return CONFORM_PASS;
}

/* All flags but the channel's are set, and stay; no other is set. */
static enum conform_verdict one_flag(struct conform_target *t)
{
	OPENED;
	uint8_t *page = t->hv->synic[0].events.va;
	const unsigned at = VMBUS_SINT * (HV_EVENT_FLAG_COUNT / 8) + channel->relid / 8;
	const uint8_t bit = (uint8_t)(1u << channel->relid % 8);

	for (unsigned fill = 0; fill <= 0xff; fill += 0xff) {
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		__builtin_memset(page, (int)fill, WINHV_PAGE_BYTES);
		page[at] &= (uint8_t)~bit;
		TRY(ask(t, channel));
		TRY(answered(t, channel));
		while (!(__atomic_load_n(page + at, __ATOMIC_SEQ_CST) & bit))
			EXPECT(conform_now(t) < deadline, "no flag was set");
		for (unsigned i = 0; i < WINHV_PAGE_BYTES; i++)
			EXPECT(page[i] == (i == at ? (fill | bit) : fill),
				"byte %u of the page of flags became 0x%x", i, page[i]);
	}
	__builtin_memset(page, 0, WINHV_PAGE_BYTES);
	return CONFORM_PASS;
}

static enum conform_verdict signalled_twice(struct conform_target *t)
{
	OPENED;
	for (unsigned i = 0; i < 200; i++) {
		const uint16_t status = conform_channel_signal(t, channel);
		EXPECT(status == HV_STATUS_SUCCESS, "signal %u gave status 0x%x", i + 1, status);
	}
	TRY(ask(t, channel));
	TRY(answered(t, channel));
	return CONFORM_PASS;
}

/* The host is told of each packet by the last of many signals. */
static enum conform_verdict told_once_more(struct conform_target *t)
{
	OPENED;
	for (unsigned i = 0; i < EVENTS; i++) {
		for (unsigned n = 0; n < i % 4; n++)
			(void)conform_channel_signal(t, channel);
		TRY(ask(t, channel));
		EXPECT(conform_channel_signal(t, channel) == HV_STATUS_SUCCESS, "a signal failed");
		TRY(answered(t, channel));
	}
	return CONFORM_PASS;
}

/* ---- the rows ------------------------------------------------------------------------------ */

/* clang-format off */
const struct conform_test conform_port_tests[] = {
	{"R-SYNIC-003", "a slot that is emptied meanwhile loses nothing", emptied_meanwhile,
		CONFORM_BUS, 0, 0},
	{"R-SYNIC-009", "slots are empty when a VP's page is enabled", slots_empty, 0,
		HV_PRIVILEGE_ACCESS_SYNIC, 0},
	{"R-SYNIC-012", "a flag that is set raises no second interrupt", flag_is_set, CONFORM_BUS,
		0, 0},
	{"R-SYNIC-012", "flags are set atomically", flag_atomic, CONFORM_BUS, 0, 0},
	{"R-SYNIC-012", "no other flag is touched", one_flag, CONFORM_BUS, 0, 0},
	{"R-SYNIC-014", "posts are taken while there is a buffer", one_at_least, CONFORM_BUS, 0, 0},
	{"R-SYNIC-016", "a signal while one waits succeeds", signalled_twice, CONFORM_BUS, 0, 0},
	{"R-SYNIC-018", "posts of one VP arrive in order", in_order_of_one, CONFORM_BUS, 0, 0},
	{"R-SYNIC-018", "posts of all VPs arrive in order", in_order_of_all,
		CONFORM_BUS | CONFORM_VP_1, 0, 0},
	{"R-SYNIC-019", "the last of many signals is heard", told_once_more, CONFORM_BUS, 0, 0},
};
/* clang-format on */
const size_t conform_port_test_count = sizeof conform_port_tests / sizeof conform_port_tests[0];
