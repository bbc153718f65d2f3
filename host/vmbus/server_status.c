// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: what it says of itself. Names of states, a status, a description
 * as text, and a check of all invariants for tests and fuzzers.
 */
#include "host/vmbus/server_internal.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- names ---- */

#define NAME(CONSTANT, text) text,
static const char *const connection_states[] = {SERVER_CONNECTION_STATES(NAME)};
static const char *const channel_states[] = {SERVER_CHANNEL_STATES(NAME)};
static const char *const device_states[] = {SERVER_DEVICE_STATES(NAME)};
static const char *const gpadl_states[] = {SERVER_GPADL_STATES(NAME)};
#undef NAME

static const char *channel_state_name(const struct server_channel *c)
{
	if (c->state == SERVER_CHANNEL_REVOKED && c->successor != 0)
		return "reoffered";
	return channel_states[c->state];
}

const char *vmbus_server_channel_state(const struct vmbus_server *s, vmbus_server_id id)
{
	const struct server_channel *c = server_channel_by_id((struct vmbus_server *)s, id);
	return c == NULL ? channel_states[SERVER_CHANNEL_FREE] : channel_state_name(c);
}

uint32_t vmbus_server_channel_relid(const struct vmbus_server *s, vmbus_server_id id)
{
	const struct server_channel *c = server_channel_by_id((struct vmbus_server *)s, id);
	return c == NULL ? 0 : c->relid;
}

/* ---- status ---- */

static unsigned monitor_id_count(const struct vmbus_server *s)
{
	return (unsigned)(__builtin_popcountll(s->monitor_ids[0]) +
			  __builtin_popcountll(s->monitor_ids[1]));
}

void vmbus_server_status_get(const struct vmbus_server *s, struct vmbus_server_status *out)
{
	*out = (struct vmbus_server_status){
		.connection_state = connection_states[s->state],
		.version = s->version,
		.features = s->features,
		.is_paused = s->is_paused,
		.message_vp = s->message_vp,
		.offers = s->offer_count,
		.relids = s->relid_count,
		.gpadls = s->gpadl_count,
		.gpadl_words = s->gpadl_words,
		.monitor_ids = monitor_id_count(s),
		.devices_busy = s->busy_count,
		.queued_bytes = s->queue_used,
		.messages_in = s->messages_in,
		.messages_out = s->messages_out,
		.messages_lost = s->messages_lost,
		.rejected = s->rejected,
		.last_rejection = s->last_rejection,
	};
}

uint64_t vmbus_server_rejections(const struct vmbus_server *s, enum vmbus_rejection reason)
{
	return (unsigned)reason < VMBUS_REJECTION_COUNT ? s->rejections[reason] : 0;
}

/* ---- description ---- */

struct writer {
	char *text;
	size_t bytes;
	size_t used; /* of all that was written, also what did not fit */
};

__attribute__((format(printf, 2, 3))) static void say(struct writer *w, const char *format, ...)
{
	char *at = w->used < w->bytes ? w->text + w->used : NULL;
	va_list arguments;
	va_start(arguments, format);
	const int length = vsnprintf(at, at != NULL ? w->bytes - w->used : 0, format, arguments);
	va_end(arguments);
	if (length > 0)
		w->used += (size_t)length;
}

static void channel_describe(
	const struct vmbus_server *s, const struct server_channel *c, struct writer *w)
{
	char interface[GUID_TEXT_BYTES];
	char instance[GUID_TEXT_BYTES];
	say(w, "channel %s %s %u relid %u %s device %s", guid_format(&c->interface_id, interface),
		guid_format(&c->instance_id, instance), c->subchannel_index, c->relid,
		channel_state_name(c), device_states[c->device]);
	if (c->device != SERVER_DEVICE_IDLE)
		say(w, " vp %u flag %u connection 0x%x%s", c->request.target_vp,
			c->request.event_flag, c->request.connection_id,
			c->request.is_reserved ? " reserved" : "");
	if (c->is_removed)
		say(w, " removed");
	if (c->is_waiting)
		say(w, " waiting");
	say(w, "\n");
	for (uint16_t i = c->gpadls; i != 0; i = s->gpadls[i].next_in_channel) {
		const struct server_gpadl *g = &s->gpadls[i];
		say(w, "  gpadl 0x%x %s ranges %u words %u/%u%s%s\n", g->id, gpadl_states[g->state],
			g->range_count, g->words_received, g->word_count,
			i == c->ring_gpadl ? " ring" : "", g->is_held ? " held" : "");
	}
}

size_t vmbus_server_describe(const struct vmbus_server *s, char *text, size_t bytes)
{
	struct writer w = {.text = text, .bytes = bytes};
	if (bytes > 0)
		text[0] = '\0';
	const struct vmbus_version_info *info = vmbus_version_find(s->version);
	say(&w, "connection %s version %s features 0x%x vp %u%s relids %u gpadls %u queued %u\n",
		connection_states[s->state], info != NULL ? info->text : "none", s->features,
		s->message_vp, s->is_paused ? " paused" : "", s->relid_count, s->gpadl_count,
		s->queue_used);
	for (uint16_t i = s->channel_sorted; i != 0; i = s->channels[i].next)
		channel_describe(s, &s->channels[i], &w);
	return w.used;
}

/* ---- invariants ---- */

/* What the state of the channel says about its device. */
static const char *device_check(const struct server_channel *c)
{
	const bool is_idle = c->device == SERVER_DEVICE_IDLE;
	switch (c->state) {
	case SERVER_CHANNEL_UNOFFERED:
	case SERVER_CHANNEL_CLOSED:
	case SERVER_CHANNEL_REVOKED:
		return is_idle ? NULL : "a closed channel has a busy device";
	case SERVER_CHANNEL_OPENING:
		return c->device == SERVER_DEVICE_OPENING ? NULL : "nobody is opening";
	case SERVER_CHANNEL_OPEN:
		return c->device == SERVER_DEVICE_OPEN ? NULL : "an open channel has no device";
	case SERVER_CHANNEL_CLOSING:
	case SERVER_CHANNEL_CLOSING_REOPEN:
		return c->device == SERVER_DEVICE_CLOSING ? NULL : "nobody is closing";
	case SERVER_CHANNEL_RELEASED:
		return c->device == SERVER_DEVICE_OPENING || c->device == SERVER_DEVICE_CLOSING
			       ? NULL
			       : "a released channel waits for nothing";
	default:
		return c->device != SERVER_DEVICE_OPEN ? NULL : "a revoked channel is open";
	}
}

static const char *channel_check(const struct vmbus_server *s, uint16_t slot)
{
	const struct server_channel *c = &s->channels[slot];
	const bool is_known = c->state != SERVER_CHANNEL_UNOFFERED;
	if (c->state == SERVER_CHANNEL_FREE)
		return "a free channel is listed";
	if (is_known != (c->relid != 0) || (c->relid != 0 && s->relid_slot[c->relid] != slot))
		return "a relid has not one owner";
	if (c->is_removed && c->device == SERVER_DEVICE_IDLE && c->context != NULL)
		return "a removed offer keeps an idle device";
	if (c->device != SERVER_DEVICE_IDLE && c->context == NULL)
		return "a busy device is gone";
	if (!is_known && (c->gpadls != 0 || c->monitor_id != VMBUS_MONITOR_ID_NONE))
		return "an unoffered channel owns something";
	if (c->is_offered && s->state != SERVER_CONNECTION_CONNECTED)
		return "a channel is offered to nobody";
	if (c->successor != 0 && !s->channels[c->successor].is_waiting)
		return "a successor does not wait";
	if (c->next != 0 && s->channels[c->next].state == SERVER_CHANNEL_FREE)
		return "the sorted list is broken";
	return device_check(c);
}

static const char *gpadls_check(const struct vmbus_server *s)
{
	unsigned count = 0;
	unsigned words = 0;
	for (unsigned i = 1; i < s->gpadl_limit; i++) {
		const struct server_gpadl *g = &s->gpadls[i];
		if (g->state == SERVER_GPADL_FREE)
			continue;
		count++;
		words += g->word_count;
		const struct server_channel *c = &s->channels[g->channel];
		if (c->state == SERVER_CHANNEL_FREE || c->state == SERVER_CHANNEL_UNOFFERED)
			return "a GPADL has no channel";
		if ((g->state == SERVER_GPADL_IN_PROGRESS) != (g->words_received < g->word_count))
			return "a GPADL is not what its words say";
		if (g->state == SERVER_GPADL_TEARING_DOWN && !g->is_held && c->ring_gpadl != i)
			return "a teardown waits for nobody";
	}
	if (count != s->gpadl_count || words != s->gpadl_words)
		return "GPADL accounting is wrong";
	return NULL;
}

const char *vmbus_server_check(const struct vmbus_server *s)
{
	unsigned listed = 0;
	unsigned relids = 0;
	unsigned offers = 0;
	unsigned busy = 0;
	unsigned monitors = 0;
	for (uint16_t i = s->channel_sorted; i != 0; i = s->channels[i].next) {
		const struct server_channel *c = &s->channels[i];
		const char *wrong = channel_check(s, i);
		if (wrong != NULL)
			return wrong;
		if (++listed > LIMIT_SERVER_CHANNELS)
			return "the sorted list has no end";
		relids += c->relid != 0;
		offers += !c->is_removed;
		busy += c->state == SERVER_CHANNEL_RELEASED;
		monitors += c->monitor_id != VMBUS_MONITOR_ID_NONE;
	}
	for (unsigned relid = 0; relid < VMBUS_RELID_COUNT; relid++) {
		if (s->relid_slot[relid] != 0 && s->channels[s->relid_slot[relid]].relid != relid)
			return "a relid names another's channel";
	}
	if (relids != s->relid_count || offers != s->offer_count || busy != s->busy_count ||
		monitors != monitor_id_count(s))
		return "channel accounting is wrong";
	if (s->state == SERVER_CONNECTION_DISCONNECTING && busy == 0)
		return "a disconnect waits for nobody";
	return gpadls_check(s);
}
