// SPDX-License-Identifier: Apache-2.0
/*
 * What must hold: of each message when it is posted and when it is taken, in each state,
 * and in each state in which the machinery rests. See model_channel.h.
 */
#include "tests/model/model_channel.h"

#include <string.h>

static struct model_monitor *const monitor = &world.monitor;

unsigned model_range_of(uint64_t pfn)
{
	return (unsigned)(pfn / MODEL_RANGE_PAGES) - 1;
}

bool model_range_is_lost(unsigned range)
{
	return range < world.ranges[range % MODEL_LOANS];
}

/* ---- messages ---- */

static unsigned id_index(uint32_t gpadl_id)
{
	const uint32_t index = gpadl_id - VMBUS_CLIENT_GPADL_ID_FIRST;
	if (index >= MODEL_GPADL_IDS)
		model_wrong("a GPADL id that nobody made");
	return index % MODEL_GPADL_IDS;
}

void model_monitor_to_host(const struct model_message *m)
{
	const uint32_t type = model_u32(m, 0);
	if (type == VMBUS_MESSAGE_INITIATE_CONTACT)
		monitor->guest_epoch++;
	if (type == VMBUS_MESSAGE_REL_ID_RELEASED &&
		monitor->guest[model_u32(m, 8)] != MODEL_RELID_RESCINDED)
		model_wrong("the guest releases a relid that is not rescinded");
}

/* Nothing of the connection is owed any more. */
static void connection_forget(void)
{
	memset(monitor->host, 0, sizeof monitor->host);
	memset(monitor->indices, 0, sizeof monitor->indices);
	memset(monitor->creating, 0, sizeof monitor->creating);
	memset(monitor->tearing, 0, sizeof monitor->tearing);
	monitor->opens = 0;
	monitor->modifies = 0;
	monitor->is_contact_due = false;
	monitor->is_unload_due = false;
	monitor->is_silent = true;
}

static void relid_forget(uint32_t relid)
{
	if (monitor->host[relid] != MODEL_RELID_RESCINDED)
		model_wrong("REL_ID_RELEASED for a relid that is not rescinded");
	monitor->host[relid] = MODEL_RELID_UNKNOWN;
	monitor->indices[relid] = 0;
	for (unsigned i = 0; i < MODEL_GPADL_IDS; i++) {
		if (monitor->creating[i] == relid)
			monitor->creating[i] = 0;
		if (monitor->tearing[i] == relid)
			monitor->tearing[i] = 0;
	}
}

void model_monitor_taken(const struct model_message *m)
{
	const uint32_t type = model_u32(m, 0);
	const uint32_t relid = m->bytes > 8 ? model_u32(m, 8) : 0;
	switch (type) {
	case VMBUS_MESSAGE_INITIATE_CONTACT:
		connection_forget();
		monitor->is_contact_due = true;
		monitor->host_epoch++;
		break;
	case VMBUS_MESSAGE_UNLOAD:
		if (monitor->is_contact_due) /* dropped: a contact is being made (5.1) */
			break;
		connection_forget();
		monitor->is_unload_due = vmbus_version_has(
			world.server.version, VMBUS_CAP_UNLOAD_RESPONSE);
		break;
	case VMBUS_MESSAGE_OPEN_CHANNEL:
		if (monitor->host[relid] == MODEL_RELID_OFFERED)
			monitor->opens |= (uint8_t)(1u << relid);
		break;
	case VMBUS_MESSAGE_MODIFY_CHANNEL:
		monitor->modifies |= (uint8_t)(1u << relid);
		break;
	case VMBUS_MESSAGE_GPADL_HEADER:
		monitor->creating[id_index(model_u32(m, 12))] = (uint8_t)relid;
		break;
	case VMBUS_MESSAGE_GPADL_TEARDOWN:
		monitor->tearing[id_index(model_u32(m, 12))] = (uint8_t)relid;
		break;
	case VMBUS_MESSAGE_REL_ID_RELEASED:
		relid_forget(relid);
		break;
	default:
		break;
	}
}

/* The host has let go of all memory of the guest. */
static void all_let_go(const char *fault)
{
	const struct vmbus_server *s = &world.server;
	if (s->gpadl_count != 0 || s->gpadl_words != 0 || world.arena_used != 0)
		model_wrong(fault);
	for (unsigned i = 0; i < MODEL_DEVICES; i++)
		if (world.devices[i].state != SERVER_DEVICE_IDLE)
			model_wrong(fault);
}

static void rescind_check(uint32_t relid)
{
	if (monitor->host[relid] == MODEL_RELID_RESCINDED)
		model_wrong("RESCIND_CHANNEL_OFFER twice");
	if (monitor->host[relid] == MODEL_RELID_UNKNOWN)
		model_wrong("RESCIND_CHANNEL_OFFER for what was not offered");
	for (unsigned i = 0; monitor->indices[relid] == 0 && i < VMBUS_RELID_COUNT; i++)
		if (monitor->host[i] == MODEL_RELID_OFFERED && monitor->indices[i] != 0)
			model_wrong("a primary is rescinded before its subchannel");
	for (unsigned i = 0; i < MODEL_GPADL_IDS; i++)
		if (monitor->tearing[i] == relid)
			model_wrong("RESCIND_CHANNEL_OFFER before a GPADL_TORNDOWN that is due");
	monitor->host[relid] = MODEL_RELID_RESCINDED;
	monitor->opens &= (uint8_t) ~(1u << relid);
}

static void open_result_check(uint32_t relid)
{
	if (monitor->host[relid] == MODEL_RELID_RESCINDED)
		model_wrong("OPEN_CHANNEL_RESULT after RESCIND_CHANNEL_OFFER");
	if ((monitor->opens & 1u << relid) == 0)
		model_wrong("OPEN_CHANNEL_RESULT that nobody waits for");
	monitor->opens &= (uint8_t) ~(1u << relid);
}

/* The end of a silence. */
static void connection_answer_check(uint32_t type)
{
	const bool is_contact = type == VMBUS_MESSAGE_VERSION_RESPONSE;
	if (is_contact ? !monitor->is_contact_due : !monitor->is_unload_due)
		model_wrong("VERSION_RESPONSE or UNLOAD_COMPLETE that nobody waits for");
	all_let_go(is_contact ? "a new connection while memory of the old one is in use"
			      : "UNLOAD_COMPLETE while memory of the guest is in use");
	monitor->is_contact_due = false;
	monitor->is_unload_due = false;
	monitor->is_silent = !is_contact;
}

void model_monitor_to_guest(const struct model_message *m)
{
	const uint32_t type = model_u32(m, 0);
	const uint32_t relid = type == VMBUS_MESSAGE_OFFER_CHANNEL ? model_u32(m, 184)
			       : m->bytes > 8			   ? model_u32(m, 8)
								   : 0;
	if (type == VMBUS_MESSAGE_VERSION_RESPONSE || type == VMBUS_MESSAGE_UNLOAD_COMPLETE) {
		connection_answer_check(type);
		return;
	}
	if (monitor->is_silent)
		model_wrong("the host speaks without a connection");
	switch (type) {
	case VMBUS_MESSAGE_OFFER_CHANNEL:
		if (monitor->host[relid] != MODEL_RELID_UNKNOWN)
			model_wrong("a relid is offered that was not released");
		monitor->host[relid] = MODEL_RELID_OFFERED;
		monitor->indices[relid] = m->payload[180];
		break;
	case VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER:
		rescind_check(relid);
		break;
	case VMBUS_MESSAGE_OPEN_CHANNEL_RESULT:
		open_result_check(relid);
		break;
	case VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE:
		if ((monitor->modifies & 1u << relid) == 0)
			model_wrong("MODIFY_CHANNEL_RESPONSE that nobody waits for");
		monitor->modifies &= (uint8_t) ~(1u << relid);
		break;
	case VMBUS_MESSAGE_GPADL_CREATED:
		if (monitor->creating[id_index(model_u32(m, 12))] != relid)
			model_wrong("GPADL_CREATED that nobody waits for");
		monitor->creating[id_index(model_u32(m, 12))] = 0;
		break;
	case VMBUS_MESSAGE_GPADL_TORNDOWN: /* names no channel: the id is where relids are */
		if (monitor->tearing[id_index(relid)] == 0)
			model_wrong("GPADL_TORNDOWN that nobody waits for");
		monitor->tearing[id_index(relid)] = 0;
		break;
	default:
		break;
	}
}

/* What an honest guest may send and the host rejects. */
static bool host_may_reject(uint32_t type, enum vmbus_rejection reason)
{
	/* a guest tries its versions from the highest down */
	if (reason == VMBUS_REJECTION_UNSUPPORTED_VERSION)
		return true;
	/* it has crossed with RESCIND_CHANNEL_OFFER, and is answered (R-MOD-003) */
	if (type == VMBUS_MESSAGE_MODIFY_CHANNEL)
		return reason == VMBUS_REJECTION_CHANNEL_REVOKED;
	/* it looks for the end of a contact that was refused, or is still being made (R-CONN-040)
	 */
	return monitor->is_contact_abandoned && reason == VMBUS_REJECTION_NOT_NEGOTIATED &&
	       type == VMBUS_MESSAGE_UNLOAD;
}

/* What an honest host may send and the guest rejects. */
static bool guest_may_reject(uint32_t type, uint8_t epoch, enum vmbus_rejection reason)
{
	/* what an earlier connection left behind, and what crosses with an unload */
	if (epoch < monitor->guest_epoch || world.client.state == VMBUS_CLIENT_DISCONNECTED ||
		world.client.state == VMBUS_CLIENT_CONTACTING ||
		world.client.state == VMBUS_CLIENT_UNLOADING)
		return true;
	/* answers that were not waited for any more: of a contact, ... */
	if (type == VMBUS_MESSAGE_VERSION_RESPONSE)
		return monitor->is_contact_abandoned;
	/* ... about pages that were given up, or a channel that was then closed and released */
	if (type == VMBUS_MESSAGE_GPADL_CREATED || type == VMBUS_MESSAGE_GPADL_TORNDOWN)
		return monitor->is_expired && reason == VMBUS_REJECTION_UNKNOWN_GPADL;
	return monitor->is_expired && type == VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE &&
	       reason == VMBUS_REJECTION_UNKNOWN_CHANNEL;
}

void model_monitor_rejected(
	bool is_host, const struct model_message *m, enum vmbus_rejection reason)
{
	const uint32_t type = model_u32(m, 0);
	if (is_host && !host_may_reject(type, reason))
		model_wrong("the host rejects a message of the guest");
	if (!is_host && !guest_may_reject(type, m->tag, reason))
		model_wrong("the guest rejects a message of the host");
}

/* ---- every state ---- */

static bool is_given_back(const struct vmbus_client_gpadl *loan)
{
	return loan->state == VMBUS_CLIENT_GPADL_FREE;
}

/* The user may have these pages, so nobody else may. */
static void range_check(unsigned range)
{
	const struct vmbus_server *s = &world.server;
	for (unsigned i = 1; i < s->gpadl_limit; i++)
		if (s->gpadls[i].state != SERVER_GPADL_FREE &&
			model_range_of(s->gpadls[i].words[1]) == range)
			model_wrong("the guest has pages back that are in a GPADL of the host");
	for (unsigned i = 0; i < MODEL_DEVICES; i++)
		if (world.devices[i].state != SERVER_DEVICE_IDLE && world.devices[i].range == range)
			model_wrong("the guest has pages back that a device uses");
	for (unsigned i = 0; i < world.to_host_count; i++) {
		uint64_t pfn;
		memcpy(&pfn, world.to_host[i].payload + 28, sizeof pfn);
		if (model_u32(&world.to_host[i], 0) == VMBUS_MESSAGE_GPADL_HEADER &&
			model_range_of(pfn) == range)
			model_wrong("the guest has pages back that it has just lent");
	}
}

void model_check(void)
{
	const char *fault = vmbus_server_check(&world.server);
	if (fault != NULL)
		model_wrong(fault);
	uint64_t lent = 0;
	for (unsigned i = 0; i < MODEL_LOANS; i++) {
		const struct vmbus_client_gpadl *loan = model_loan(i);
		if (is_given_back(loan))
			range_check(world.ranges[i]);
		else if (loan->state != VMBUS_CLIENT_GPADL_LOST)
			lent += loan->page_count;
	}
	if (lent != world.client.statistics.pages_lent)
		model_wrong("the guest miscounts the pages that it has lent");
	if ((unsigned)__builtin_popcount(world.arena_used) != world.server.gpadl_count)
		model_wrong("the host has lost a GPADL's page list");
}

/* ---- states of rest ---- */

static const struct server_channel *server_channel_of(uint32_t relid)
{
	const uint16_t slot = world.server.relid_slot[relid];
	return slot != 0 ? &world.server.channels[slot] : NULL;
}

/* Both ends think the same of a relid. */
static void relid_check(uint32_t relid)
{
	const struct vmbus_client_offer *row = &world.client.offers[relid];
	const struct server_channel *c = server_channel_of(relid);
	const bool is_open = row->channel != NULL &&
			     row->channel->state == VMBUS_CLIENT_CHANNEL_OPEN;
	if (row->state != VMBUS_CLIENT_OFFER_FREE && (row->is_open_late || row->is_modify_late))
		model_wrong("the guest waits for an answer that it has given up");
	switch (row->state) {
	case VMBUS_CLIENT_OFFER_FREE:
		if (c != NULL)
			model_wrong("the host has a relid that the guest does not know");
		break;
	case VMBUS_CLIENT_OFFER_LIVE:
		if (c == NULL ||
			c->state != (is_open ? SERVER_CHANNEL_OPEN : SERVER_CHANNEL_CLOSED))
			model_wrong("the ends do not agree on whether a channel is open");
		break;
	case VMBUS_CLIENT_OFFER_RESCINDED:
		if (c == NULL || c->state != SERVER_CHANNEL_REVOKED)
			model_wrong("the host does not know of a rescind");
		if (row->channel == NULL && row->gpadl_count == 0)
			model_wrong("a rescinded relid that nobody uses is not released");
		break;
	default:
		model_wrong("the guest does not come to a relid's release");
	}
	if (c != NULL && c->subchannel_index != row->offer.subchannel_index)
		model_wrong("the ends do not agree on what a relid is");
}

static const struct vmbus_client_gpadl *loan_find(uint32_t id)
{
	for (unsigned i = 0; i < MODEL_LOANS; i++)
		if (model_loan(i)->state == VMBUS_CLIENT_GPADL_LIVE && model_loan(i)->id == id)
			return model_loan(i);
	return NULL;
}

/* What the guest lends, the host has, and it has nothing else but what is lost. */
static void gpadls_check(void)
{
	const struct vmbus_server *s = &world.server;
	unsigned live = 0;
	for (unsigned i = 1; i < s->gpadl_limit; i++) {
		const struct server_gpadl *g = &s->gpadls[i];
		if (g->state == SERVER_GPADL_FREE)
			continue;
		const struct vmbus_client_gpadl *loan = loan_find(g->id);
		const unsigned range = model_range_of(g->words[1]);
		if (g->state == SERVER_GPADL_TEARING_DOWN)
			model_wrong("a teardown is never answered");
		if (loan != NULL && loan->relid == s->channels[g->channel].relid &&
			g->state == SERVER_GPADL_ACCEPTED &&
			model_range_of(loan->first_pfn) == range)
			live++;
		else if (!model_range_is_lost(range) &&
			 model_loan(range % MODEL_LOANS)->state != VMBUS_CLIENT_GPADL_LOST)
			model_wrong("the host has a GPADL that the guest does not know");
	}
	for (unsigned i = 0; i < MODEL_LOANS; i++)
		live -= model_loan(i)->state == VMBUS_CLIENT_GPADL_LIVE;
	if (live != 0)
		model_wrong("the guest has a GPADL that the host does not know");
}

/* Nobody waits, or is on the way somewhere. */
static void waits_check(void)
{
	const struct vmbus_client *client = &world.client;
	/* an unload that follows from the answer to an abandoned contact ends by its deadline */
	const bool is_ending = monitor->is_contact_abandoned &&
			       client->state == VMBUS_CLIENT_UNLOADING &&
			       client->request.deadline != UINT64_MAX;
	if (client->requests.first != NULL && !is_ending)
		model_wrong("the guest waits for ever");
	if (client->state != VMBUS_CLIENT_DISCONNECTED && client->state != VMBUS_CLIENT_CONNECTED &&
		!is_ending)
		model_wrong("the guest's connection is stuck");
	for (unsigned i = 0; i < MODEL_CHANNELS; i++)
		if (world.channels[i].state != VMBUS_CLIENT_CHANNEL_CLOSED &&
			world.channels[i].state != VMBUS_CLIENT_CHANNEL_OPEN)
			model_wrong("a channel of the guest is stuck");
	for (unsigned i = 0; i < MODEL_LOANS; i++)
		if (model_loan(i)->state != VMBUS_CLIENT_GPADL_FREE &&
			model_loan(i)->state != VMBUS_CLIENT_GPADL_LIVE &&
			model_loan(i)->state != VMBUS_CLIENT_GPADL_LOST)
			model_wrong("a GPADL of the guest is stuck");
	if (world.server.state == SERVER_CONNECTION_DISCONNECTING || world.server.queue_used != 0)
		model_wrong("the host's connection is stuck");
	if (monitor->opens != 0 || monitor->is_contact_due || monitor->is_unload_due)
		model_wrong("the host owes an answer");
}

void model_check_rest(void)
{
	const struct vmbus_client *client = &world.client;
	const struct vmbus_server *s = &world.server;
	waits_check();
	if (client->state != VMBUS_CLIENT_CONNECTED) {
		const bool is_left = monitor->is_crashed || monitor->is_expired ||
				     monitor->is_contact_abandoned;
		if (s->state != SERVER_CONNECTION_DISCONNECTED && !is_left)
			model_wrong("the host has a connection that the guest does not know");
		return;
	}
	if (s->state != SERVER_CONNECTION_CONNECTED)
		model_wrong("the guest has a connection that the host does not know");
	if (vmbus_client_version(client) != s->version || client->features != s->features)
		model_wrong("the ends do not agree on version and features");
	for (uint32_t relid = 1; relid < VMBUS_RELID_COUNT; relid++)
		relid_check(relid);
	gpadls_check();
}
