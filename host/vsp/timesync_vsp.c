// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation, host side. See timesync_vsp.h.
 */
#include "host/vsp/timesync_vsp.h"

#include <errno.h>
#include <string.h>

#define NS_PER_MS 1000000ull

static const char *const result_names[] = {
	[TIMESYNC_TAKEN] = "taken",
	[TIMESYNC_REFUSED] = "refused",
	[TIMESYNC_NO_ANSWER] = "no answer",
	[TIMESYNC_CLOSED] = "channel closed",
};

const char *timesync_result_name(enum timesync_result result)
{
	return result_names[result];
}

/* Read the clocks; a host's clock that was set since the last time wants a SYNC. */
static struct timesync_reading reading(struct timesync_vsp *vsp)
{
	struct timesync_reading now = {0};
	vsp->ops->read(vsp->ctx, &now);
	uint64_t base = now.utc_100ns - now.reference_100ns;
	uint64_t moved = base - vsp->base_100ns;
	if (moved > UINT64_MAX / 2)
		moved = 0 - moved;
	if (vsp->has_base && moved > TIMESYNC_VSP_STEP_100NS) {
		vsp->steps++;
		vsp->is_sync_wanted = true;
	}
	vsp->has_base = true;
	vsp->base_100ns = base;
	return now;
}

static uint16_t body_write(
	const struct timesync_vsp *vsp, const struct timesync_reading *now, bool is_sync, void *out)
{
	const uint8_t flags = is_sync ? TIMESYNC_FLAG_SYNC : TIMESYNC_FLAG_SAMPLE;
	if (timesync_has_reference(vsp->session.ic.agreement.message)) {
		const struct timesync_v4_wire body = {
			.parent_100ns = now->utc_100ns,
			.reference_100ns = now->reference_100ns,
			.flags = flags,
			.leap = now->leap,
			.stratum = now->stratum,
		};
		memcpy(out, &body, sizeof body);
		return sizeof body;
	}
	const struct timesync_v1_wire body = {.parent_100ns = now->utc_100ns, .flags = flags};
	memcpy(out, &body, sizeof body);
	return sizeof body;
}

/* Send what is wanted. 0 or an error of ic_session_request(). */
static int tell(struct timesync_vsp *vsp, uint64_t now_ns)
{
	uint8_t bytes[TIMESYNC_BODY_BYTES];
	const struct timesync_reading now = reading(vsp);
	bool is_sync = vsp->is_sync_wanted || (vsp->is_asked && vsp->is_asked_sync);
	uint16_t len = body_write(vsp, &now, is_sync, bytes);
	int error = ic_session_request(&vsp->session, bytes, len,
		ic_session_after(now_ns, TIMESYNC_VSP_ANSWER_NS), now_ns);
	if (error != 0)
		return error;
	vsp->is_sync_owed = vsp->is_sync_wanted;
	vsp->is_sync_wanted = false;
	vsp->is_asked_sent = vsp->is_asked;
	if (is_sync)
		vsp->syncs++;
	else
		vsp->samples++;
	return 0;
}

static void finish(struct timesync_vsp *vsp, enum timesync_result result, uint32_t status)
{
	vsp->is_asked = false;
	vsp->is_asked_sent = false;
	vsp->ops->done(vsp->ctx, result, status);
}

static void tick_set(struct timesync_vsp *vsp, uint64_t when_ns)
{
	vsp->tick_ns = when_ns;
	ic_session_wake(&vsp->session, when_ns);
}

static void ready(void *component, uint64_t now_ns)
{
	struct timesync_vsp *vsp = component;
	vsp->is_sync_wanted = true; /* R-IC-023 */
	tick_set(vsp, ic_session_after(now_ns, vsp->config.period_ns));
	(void)tell(vsp, now_ns);
}

/*
 * The outstanding message is over. If the owner asked for it, it is told; if the owner asked
 * for one meanwhile, that is next.
 */
static void over(
	struct timesync_vsp *vsp, enum timesync_result result, uint32_t status, uint64_t now_ns)
{
	if (vsp->is_asked && vsp->is_asked_sent)
		finish(vsp, result, status);
	else if (vsp->is_asked && tell(vsp, now_ns) != 0)
		finish(vsp, TIMESYNC_NO_ANSWER, 0);
}

static void answered(void *component, const struct ic_message *response, uint64_t now_ns)
{
	struct timesync_vsp *vsp = component;
	vsp->last_status = response->header.status;
	bool is_taken = vsp->last_status == IC_STATUS_SUCCESS;
	if (is_taken)
		vsp->taken++;
	else
		vsp->refused++;
	if (!is_taken && vsp->is_sync_owed)
		vsp->is_sync_wanted = true;
	over(vsp, is_taken ? TIMESYNC_TAKEN : TIMESYNC_REFUSED, vsp->last_status, now_ns);
}

static void silent(void *component, uint64_t now_ns)
{
	struct timesync_vsp *vsp = component;
	if (vsp->is_sync_owed)
		vsp->is_sync_wanted = true;
	over(vsp, TIMESYNC_NO_ANSWER, 0, now_ns);
}

static void closed(void *component, uint64_t now_ns)
{
	struct timesync_vsp *vsp = component;
	(void)now_ns;
	if (vsp->is_asked)
		finish(vsp, TIMESYNC_CLOSED, 0);
}

/* A period has passed, or much more. */
static void woken(void *component, uint64_t now_ns)
{
	struct timesync_vsp *vsp = component;
	uint64_t next_ns = ic_session_after(vsp->tick_ns, vsp->config.period_ns);
	if (now_ns - vsp->tick_ns > TIMESYNC_VSP_LATE_NS) {
		vsp->pauses++;
		vsp->is_sync_wanted = true;
	}
	tick_set(vsp, next_ns > now_ns ? next_ns : ic_session_after(now_ns, vsp->config.period_ns));
	if (!vsp->session.ic.is_outstanding)
		(void)tell(vsp, now_ns);
}

static const struct ic_session_component component_ops = {
	.ready = ready,
	.answered = answered,
	.silent = silent,
	.closed = closed,
	.woken = woken,
};

void timesync_vsp_init(struct timesync_vsp *vsp, const struct timesync_vsp_config *config,
	const struct timesync_vsp_ops *ops, void *ctx)
{
	memset(vsp, 0, sizeof *vsp);
	if (config != NULL)
		vsp->config = *config;
	if (vsp->config.period_ns == 0)
		vsp->config.period_ns = TIMESYNC_PERIOD_MS * NS_PER_MS;
	vsp->ops = ops;
	vsp->ctx = ctx;
	ic_session_init(&vsp->session, IC_TYPE_TIMESYNC, &component_ops, vsp, &ops->session, ctx);
}

int timesync_vsp_request(struct timesync_vsp *vsp, bool is_sync, uint64_t now_ns)
{
	if (vsp->session.ic.state != IC_HOST_READY)
		return -ENOTCONN;
	if (vsp->is_asked)
		return -EBUSY;
	vsp->is_asked = true;
	vsp->is_asked_sync = is_sync;
	vsp->is_asked_sent = false;
	if (vsp->session.ic.is_outstanding)
		return 0; /* after that: over() */
	int error = tell(vsp, now_ns);
	if (error != 0)
		vsp->is_asked = false;
	return error;
}
