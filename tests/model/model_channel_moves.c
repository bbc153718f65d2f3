// SPDX-License-Identifier: Apache-2.0
/* The moves of the model: doing one, and saying what it does. See model_channel.h. */
#include "tests/model/model_channel.h"

#include <stdio.h>
#include <string.h>

struct world world;
const struct model_scenario *model_scenario;
enum model_defect model_defect;
const char *model_fault;

/* ---- queues ---- */

/* Take the first of `*count` messages. */
static struct model_message queue_take(struct model_message *queue, uint8_t *count)
{
	const struct model_message first = queue[0];
	(*count)--;
	memmove(&queue[0], &queue[1], *count * sizeof queue[0]);
	memset(&queue[*count], 0, sizeof queue[0]);
	return first;
}

static bool to_guest_next(void)
{
	if (world.to_guest_count == 0)
		return false;
	/* copied out of the slot, the slot emptied, then looked at (R-MSG-007, R-MSG-009) */
	const struct model_message m = queue_take(world.to_guest, &world.to_guest_count);
	model_host_drained();
	model_guest_message(&m);
	return true;
}

static bool to_host_next(void)
{
	if (world.to_host_count == 0 || !model_host_message(&world.to_host[0]))
		return false;
	(void)queue_take(world.to_host, &world.to_host_count);
	return true;
}

/* ---- the world ---- */

/*
 * A guest empties the slot before it makes contact, and looks for an answer that it still has to
 * expect; what comes later is on its way still.
 */
static bool connect(bool is_hasty)
{
	if (world.client.state != VMBUS_CLIENT_DISCONNECTED)
		return false;
	while (world.to_guest_count > 0) {
		const struct model_message m = queue_take(world.to_guest, &world.to_guest_count);
		if (world.client.unanswered != NULL)
			model_guest_message(&m);
		model_host_drained();
	}
	return model_guest_connect(is_hasty);
}

static bool crash(void)
{
	world.monitor.is_crashed = true;
	world.monitor.is_contact_abandoned |= world.client.state == VMBUS_CLIENT_CONTACTING;
	model_guest_start();
	return true;
}

/* The machine is reset: what was on its way is gone, and so is the guest. */
static bool reset(void)
{
	memset(world.to_guest, 0, sizeof world.to_guest);
	memset(world.to_host, 0, sizeof world.to_host);
	world.to_guest_count = 0;
	world.to_host_count = 0;
	const uint8_t epoch = world.monitor.guest_epoch;
	world.monitor = (struct model_monitor){
		.guest_epoch = epoch,
		.host_epoch = epoch,
		.is_silent = true,
		.is_crashed = true,
	};
	model_host_reset();
	model_guest_start();
	return true;
}

static bool offer_remove(struct model_device *d)
{
	if (!d->is_used || d->is_removed)
		return false;
	model_host_remove(d);
	return true;
}

/* What a move costs; MODEL_BUDGET_COUNT: nothing. */
static enum model_budget cost_of(enum model_move kind)
{
	switch (kind) {
	case MODEL_HOLD:
		return MODEL_HOLDS;
	case MODEL_REFUSED:
		return MODEL_REFUSALS;
	case MODEL_OFFER:
		return MODEL_OFFERS;
	case MODEL_REMOVE:
		return MODEL_REMOVES;
	case MODEL_RESET:
		return MODEL_RESETS;
	case MODEL_TIME:
		return MODEL_TIMES;
	case MODEL_CONNECT:
		return MODEL_CONNECTS;
	case MODEL_OPEN:
		return MODEL_OPENS;
	case MODEL_CREATE:
		return MODEL_CREATES;
	case MODEL_MODIFY:
		return MODEL_MODIFIES;
	case MODEL_UNLOAD:
		return MODEL_UNLOADS;
	case MODEL_CRASH:
		return MODEL_CRASHES;
	default:
		return MODEL_BUDGET_COUNT;
	}
}

static bool is_request(enum model_move kind)
{
	return kind >= MODEL_CONNECT && kind <= MODEL_UNLOAD;
}

/* Calls of the guest's user. */
static bool request_do(enum model_move kind, unsigned argument)
{
	const bool is_hasty = argument & 1;
	const unsigned channel = argument / 2;
	switch (kind) {
	case MODEL_OPEN:
		return channel < MODEL_CHANNELS && model_guest_open(channel, is_hasty);
	case MODEL_CLOSE:
		return channel < MODEL_CHANNELS && model_guest_close(channel, is_hasty);
	case MODEL_MODIFY:
		return channel < MODEL_CHANNELS && model_guest_modify(channel, is_hasty);
	default:
		break;
	}
	if (argument > 1)
		return false;
	switch (kind) {
	case MODEL_CONNECT:
		return connect(is_hasty);
	case MODEL_CREATE:
		return model_guest_create(is_hasty);
	case MODEL_TEARDOWN:
		return model_guest_teardown(is_hasty);
	default:
		return model_guest_unload(is_hasty);
	}
}

/* Moves that are about a device. */
static bool device_do(enum model_move kind, struct model_device *d)
{
	switch (kind) {
	case MODEL_OPENED:
		return model_device_opened(d, 0);
	case MODEL_REFUSED:
		return model_device_opened(d, -1);
	case MODEL_CLOSED:
		return model_device_closed(d);
	case MODEL_LET_GO:
		return model_device_let_go(d);
	case MODEL_HOLD:
		return model_device_hold(d);
	default:
		return offer_remove(d);
	}
}

static bool move_do(enum model_move kind, unsigned argument)
{
	switch (kind) {
	case MODEL_OPENED:
	case MODEL_CLOSED:
	case MODEL_LET_GO:
	case MODEL_HOLD:
	case MODEL_REFUSED:
	case MODEL_REMOVE:
		return device_do(kind, &world.devices[argument]);
	case MODEL_OFFER:
		return argument < MODEL_CHANNELS && model_host_offer(argument);
	default:
		break;
	}
	if (is_request(kind))
		return request_do(kind, argument);
	if (argument != 0)
		return false;
	switch (kind) {
	case MODEL_TO_GUEST_NEXT:
		return to_guest_next();
	case MODEL_TO_HOST_NEXT:
		return to_host_next();
	case MODEL_RETRY:
		return model_guest_retry();
	case MODEL_TIME:
		return model_guest_time();
	case MODEL_RESET:
		return reset();
	default:
		return crash();
	}
}

static void counters_clear(void)
{
	struct vmbus_server *s = &world.server;
	const uint64_t lent = world.client.statistics.pages_lent;
	s->messages_in = 0;
	s->messages_out = 0;
	if (s->messages_lost != 0)
		model_wrong("the host loses a message");
	s->rejected = 0;
	memset(s->rejections, 0, sizeof s->rejections);
	s->last_rejection = VMBUS_REJECTION_NONE;
	world.client.statistics = (struct vmbus_client_statistics){.pages_lent = lent};
}

bool model_move(unsigned move)
{
	const enum model_move kind = (enum model_move)(move / MODEL_MOVE_ARGUMENTS);
	const unsigned argument = move % MODEL_MOVE_ARGUMENTS;
	const enum model_budget cost = cost_of(kind);
	const bool is_hasty = is_request(kind) && (argument & 1);
	if (cost != MODEL_BUDGET_COUNT && world.budgets[cost] == 0)
		return false;
	if (is_hasty && world.budgets[MODEL_HASTY] == 0)
		return false;
	if (!move_do(kind, argument))
		return false;
	if (cost != MODEL_BUDGET_COUNT)
		world.budgets[cost]--;
	if (is_hasty)
		world.budgets[MODEL_HASTY]--;
	counters_clear();
	return true;
}

void model_start(void)
{
	memset(&world, 0, sizeof world);
	world.monitor.is_silent = true;
	model_host_start();
	model_guest_start();
	memcpy(world.budgets, model_scenario->budgets, sizeof world.budgets);
	if (!model_scenario->is_connected)
		return;
	(void)model_guest_connect(false);
	while (to_host_next() || to_guest_next())
		counters_clear();
}

/* ---- in words ---- */

static void message_print(const char *who, const struct model_message *m)
{
	const uint32_t type = model_u32(m, 0);
	printf("    %-22s %s", who, vmbus_message_name(type));
	switch (type) {
	case VMBUS_MESSAGE_OFFER_CHANNEL:
		printf(" relid %u, subchannel %u", model_u32(m, 184), m->payload[180]);
		break;
	case VMBUS_MESSAGE_GPADL_HEADER:
	case VMBUS_MESSAGE_GPADL_TEARDOWN:
		printf(" relid %u, GPADL 0x%x", model_u32(m, 8), model_u32(m, 12));
		break;
	case VMBUS_MESSAGE_GPADL_CREATED:
		printf(" relid %u, GPADL 0x%x, status 0x%x", model_u32(m, 8), model_u32(m, 12),
			model_u32(m, 16));
		break;
	case VMBUS_MESSAGE_GPADL_BODY:
		printf(" GPADL 0x%x", model_u32(m, 12));
		break;
	case VMBUS_MESSAGE_GPADL_TORNDOWN:
		printf(" GPADL 0x%x", model_u32(m, 8));
		break;
	case VMBUS_MESSAGE_OPEN_CHANNEL_RESULT:
		printf(" relid %u, status 0x%x", model_u32(m, 8), model_u32(m, 16));
		break;
	case VMBUS_MESSAGE_INITIATE_CONTACT:
		printf(" version 0x%x", model_u32(m, 8));
		break;
	case VMBUS_MESSAGE_VERSION_RESPONSE:
		printf(" supported %u", m->payload[8]);
		break;
	default:
		if (m->bytes > VMBUS_HEADER_BYTES)
			printf(" relid %u", model_u32(m, 8));
	}
	printf("\n");
}

static const char *const move_texts[MODEL_MOVE_COUNT] = {
	[MODEL_RETRY] = "guest posts again",
	[MODEL_OPENED] = "device opens",
	[MODEL_CLOSED] = "device has closed",
	[MODEL_LET_GO] = "device lets go of a GPADL",
	[MODEL_HOLD] = "device takes hold of a GPADL",
	[MODEL_REFUSED] = "device refuses to open",
	[MODEL_OFFER] = "host offers",
	[MODEL_REMOVE] = "host takes back",
	[MODEL_RESET] = "machine is reset",
	[MODEL_TIME] = "deadline passes",
	[MODEL_CONNECT] = "user connects",
	[MODEL_OPEN] = "user opens",
	[MODEL_CLOSE] = "user closes",
	[MODEL_CREATE] = "user lends a buffer",
	[MODEL_TEARDOWN] = "user takes it back",
	[MODEL_MODIFY] = "user moves interrupts",
	[MODEL_UNLOAD] = "user unloads",
	[MODEL_CRASH] = "guest starts anew",
};

void model_move_print(unsigned move)
{
	const enum model_move kind = (enum model_move)(move / MODEL_MOVE_ARGUMENTS);
	const unsigned argument = move % MODEL_MOVE_ARGUMENTS;
	if (kind == MODEL_TO_GUEST_NEXT) {
		message_print("guest takes", &world.to_guest[0]);
	} else if (kind == MODEL_TO_HOST_NEXT) {
		message_print("host takes", &world.to_host[0]);
	} else if (is_request(kind)) {
		printf("    %-22s", move_texts[kind]);
		if (kind == MODEL_OPEN || kind == MODEL_CLOSE || kind == MODEL_MODIFY)
			printf(" channel %u", argument / 2);
		printf("%s\n", argument & 1 ? " with a deadline" : "");
	} else if (kind == MODEL_OFFER) {
		printf("    %-22s channel %u\n", move_texts[kind], argument);
	} else if (kind >= MODEL_OPENED && kind <= MODEL_REMOVE) {
		printf("    %-22s of channel %u\n", move_texts[kind],
			world.devices[argument].index);
	} else {
		printf("    %s\n", move_texts[kind]);
	}
}
