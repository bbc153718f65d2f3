// SPDX-License-Identifier: Apache-2.0
/*
 * What VP threads leave for the loop thread. See deferral.h.
 */
#include "host/hypervisor/deferral.h"

#include "host/hypervisor/partition_internal.h"

#include <string.h>

/* ---- VP threads: the lock is held ---------------------------------------------------------- */

void deferral_wake(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;

	if (deferral->is_woken || !partition->is_threaded)
		return;
	deferral->is_woken = true;
	if (partition->config.wake)
		partition->config.wake(partition->config.driver_ctx);
}

void deferral_clear(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;

	while (deferral->signal_count > 0) {
		const uint32_t id = deferral->signals[deferral->signal_head].connection_id;
		struct port *port = port_table_find(&partition->event_ports, id);
		if (port) {
			port->is_signalled = false;
			memset(port->pending, 0,
				(port->flag_count + 63u) / 64 * sizeof *port->pending);
		}
		deferral->signal_head = (deferral->signal_head + 1) % LIMIT_PORTS;
		deferral->signal_count--;
	}
	deferral->is_reset_due = false;
	deferral->post_count = 0;
	deferral->crash_count = 0;
	deferral->debug_count = 0;
}

uint16_t deferral_post(struct partition *partition, uint32_t connection_id, uint32_t type,
	const uint8_t *payload, uint32_t bytes)
{
	struct deferral *deferral = &partition->deferral;

	if (deferral->post_count == LIMIT_DEFERRED_POSTS) {
		partition->statistics.posts_refused++;
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	}
	struct deferred_post *post =
		&deferral->posts[(deferral->post_head + deferral->post_count++) %
				 LIMIT_DEFERRED_POSTS];
	post->sequence = deferral->sequence++;
	post->connection_id = connection_id;
	post->type = type;
	post->bytes = bytes;
	memcpy(post->payload, payload, bytes);
	deferral_wake(partition);
	return HV_STATUS_SUCCESS;
}

void deferral_signal(struct partition *partition, struct port *port, uint16_t flag)
{
	struct deferral *deferral = &partition->deferral;

	port->pending[flag / 64] |= 1ull << flag % 64;
	if (port->is_signalled)
		return;
	port->is_signalled = true;
	/* Each port is in the queue at most once: it cannot overflow. */
	deferral->signals[(deferral->signal_head + deferral->signal_count++) % LIMIT_PORTS] =
		(struct deferred_signal){
			.sequence = deferral->sequence++,
			.connection_id = port->key - 1,
		};
	deferral_wake(partition);
}

void deferral_port_gone(struct partition *partition, uint32_t connection_id)
{
	struct deferral *deferral = &partition->deferral;
	const struct port *port = port_table_find(&partition->event_ports, connection_id);
	uint32_t kept = 0;

	if (!port || !port->is_signalled)
		return;
	for (uint32_t i = 0; i < deferral->signal_count; i++) {
		const struct deferred_signal signal =
			deferral->signals[(deferral->signal_head + i) % LIMIT_PORTS];
		if (signal.connection_id != connection_id)
			deferral->signals[(deferral->signal_head + kept++) % LIMIT_PORTS] = signal;
	}
	deferral->signal_count = kept;
}

void deferral_crash(struct partition *partition, const struct partition_crash *crash)
{
	struct deferral *deferral = &partition->deferral;

	if (deferral->crash_count == LIMIT_DEFERRED_CRASHES)
		return;
	struct deferred_crash *copy =
		&deferral->crashes[(deferral->crash_head + deferral->crash_count++) %
				   LIMIT_DEFERRED_CRASHES];
	memcpy(copy->parameters, crash->parameters, sizeof copy->parameters);
	copy->control = crash->control;
	copy->has_text = crash->message != NULL;
	copy->text_bytes = (uint32_t)crash->message_bytes;
	if (crash->message)
		memcpy(copy->text, crash->message, crash->message_bytes);
	deferral_wake(partition);
}

uint32_t deferral_debug(struct partition *partition, const uint8_t *data, uint32_t bytes)
{
	struct deferral *deferral = &partition->deferral;
	const uint32_t room = LIMIT_DEFERRED_DEBUG_BYTES - deferral->debug_count;
	const uint32_t taken = bytes < room ? bytes : room;

	for (uint32_t i = 0; i < taken; i++)
		deferral->debug[(deferral->debug_head + deferral->debug_count++) %
				LIMIT_DEFERRED_DEBUG_BYTES] = data[i];
	if (taken > 0)
		deferral_wake(partition);
	return taken;
}

void deferral_reset(struct partition *partition)
{
	partition->deferral.is_reset_due = true;
	deferral_wake(partition);
}

/* ---- the loop thread: the lock is held, but not while others are told ---------------------- */

/* Those there are now; what comes meanwhile, later: the guest must not keep the loop here. */
static void crashes_tell(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;
	struct deferred_crash copy;

	for (uint32_t budget = deferral->crash_count; budget > 0 && deferral->crash_count > 0;
		budget--) {
		copy = deferral->crashes[deferral->crash_head];
		deferral->crash_head = (deferral->crash_head + 1) % LIMIT_DEFERRED_CRASHES;
		deferral->crash_count--;
		if (!partition->crash_fn)
			continue;
		struct partition_crash crash = {
			.control = copy.control,
			.message = copy.has_text ? copy.text : NULL,
			.message_bytes = copy.has_text ? copy.text_bytes : 0,
		};
		memcpy(crash.parameters, copy.parameters, sizeof crash.parameters);
		partition_unlock(partition);
		partition->crash_fn(partition->crash_ctx, &crash);
		partition_lock(partition);
	}
}

static void debug_tell(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;
	uint8_t chunk[GUEST_PAGE_BYTES];
	uint32_t left = deferral->debug_count;

	while (left > 0 && deferral->debug_count > 0) {
		uint32_t bytes = 0;
		while (bytes < sizeof chunk && left > 0 && deferral->debug_count > 0) {
			chunk[bytes++] = deferral->debug[deferral->debug_head];
			deferral->debug_head = (deferral->debug_head + 1) %
					       LIMIT_DEFERRED_DEBUG_BYTES;
			deferral->debug_count--;
			left--;
		}
		partition_unlock(partition);
		if (partition->config.debug_data)
			partition->config.debug_data(partition->config.debug_ctx, chunk, bytes);
		partition_lock(partition);
	}
}

/* Tell the first post. False: its port refused it, and it stays the first. */
static bool post_tell(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;
	const struct deferred_post post = deferral->posts[deferral->post_head];
	const struct port *found = port_table_find(&partition->message_ports, post.connection_id);
	uint16_t status = HV_STATUS_INVALID_CONNECTION_ID; /* the port has gone meanwhile */

	if (found) {
		const struct port port = *found;
		partition_unlock(partition);
		status = port.fn.message(
			port.ctx, post.connection_id, post.type, post.payload, post.bytes);
		partition_lock(partition);
	}
	/* A reset while it was told has emptied the queue. */
	const bool is_there = deferral->post_count > 0 &&
			      deferral->posts[deferral->post_head].sequence == post.sequence;
	if (status == HV_STATUS_INSUFFICIENT_BUFFERS)
		return !is_there;
	if (is_there) {
		deferral->post_head = (deferral->post_head + 1) % LIMIT_DEFERRED_POSTS;
		deferral->post_count--;
	}
	return true;
}

/* Tell all flags that wait in the port of the first signal. */
static void signal_tell(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;
	const uint32_t id = deferral->signals[deferral->signal_head].connection_id;
	struct port *port = port_table_find(&partition->event_ports, id);

	deferral->signal_head = (deferral->signal_head + 1) % LIMIT_PORTS;
	deferral->signal_count--;
	if (port)
		port->is_signalled = false;
	/* Whoever is told may take the port away, or make the table move. */
	for (uint32_t word = 0; port && word < (port->flag_count + 63u) / 64; word++) {
		uint64_t flags = port->pending[word];
		port->pending[word] = 0;
		for (; port && flags != 0; flags &= flags - 1) {
			const struct port copy = *port;
			const uint16_t flag =
				(uint16_t)(word * 64 + (uint32_t)__builtin_ctzll(flags));
			partition_unlock(partition);
			copy.fn.event(copy.ctx, id, flag);
			partition_lock(partition);
			port = port_table_find(&partition->event_ports, id);
		}
	}
}

/* Posts and signals, oldest first: those there are now, and what comes meanwhile later. */
static void queues_tell(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;
	uint32_t budget = deferral->post_count + deferral->signal_count;
	bool is_refused = false;

	for (; budget > 0; budget--) {
		const bool has_post = deferral->post_count > 0 && !is_refused;
		const bool has_signal = deferral->signal_count > 0;
		if (!has_post && !has_signal)
			return;
		if (has_post &&
			(!has_signal || deferral->posts[deferral->post_head].sequence <
						deferral->signals[deferral->signal_head].sequence))
			is_refused = !post_tell(partition);
		else
			signal_tell(partition);
	}
	if ((deferral->post_count > 0 && !is_refused) || deferral->signal_count > 0)
		deferral_wake(partition);
}

void partition_dispatch(struct partition *partition)
{
	struct deferral *deferral = &partition->deferral;

	if (!partition->is_threaded || deferral->is_telling)
		return;
	deferral->is_telling = true;
	partition_lock(partition);
	deferral->is_woken = false;
	crashes_tell(partition);
	debug_tell(partition);
	if (deferral->is_reset_due) {
		partition_unlock(partition);
		partition_reset(partition);
		partition_lock(partition);
	}
	synic_drained_tell(partition);
	queues_tell(partition);
	partition_unlock(partition);
	deferral->is_telling = false;
}
