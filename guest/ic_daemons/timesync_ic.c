// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation, guest side. See timesync_ic.h.
 */
#include "guest/ic_daemons/timesync_ic.h"

#include <string.h>

#define STALE_100NS (TIMESYNC_STALE_S * 10000000ull)

static const struct ic_version_wire framework_versions[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire message_versions[] = {{1, 0}, {3, 0}, {4, 0}};

/* What a message says, of either version. */
struct message {
	uint64_t parent_100ns;
	uint64_t reference_100ns; /* 0: none */
	uint8_t flags, leap, stratum;
};

/* False: too short for its version. */
static bool message_read(const struct ic_agreement *agreement, const uint8_t *body,
	size_t body_bytes, struct message *out)
{
	struct timesync_v4_wire v4 = {0};
	struct timesync_v1_wire v1 = {0};
	if (timesync_has_reference(agreement->message)) {
		if (body_bytes < TIMESYNC_V4_BODY_MIN_BYTES)
			return false;
		memcpy(&v4, body, TIMESYNC_V4_BODY_MIN_BYTES);
		*out = (struct message){
			v4.parent_100ns, v4.reference_100ns, v4.flags, v4.leap, v4.stratum};
		return true;
	}
	if (body_bytes < TIMESYNC_V1_BODY_MIN_BYTES)
		return false;
	memcpy(&v1, body, TIMESYNC_V1_BODY_MIN_BYTES);
	*out = (struct message){.parent_100ns = v1.parent_100ns, .flags = v1.flags};
	return true;
}

/*
 * Bring the message's time to now. A reference time of 0 or in the future says nothing: then
 * the time is taken as it stands (R-IC-026). False: the message is too old to be of use.
 */
static bool sample_make(
	struct timesync_ic *timesync, const struct message *message, struct timesync_sample *out)
{
	const struct timesync_ic_ops *ops = timesync->ops;
	uint64_t at = message->reference_100ns;
	uint64_t now = at != 0 && ops->reference_since != NULL
			       ? ops->reference_since(timesync->ctx, at)
			       : ops->reference_100ns(timesync->ctx);
	*out = (struct timesync_sample){
		.utc_100ns = message->parent_100ns,
		.reference_100ns = now,
		.is_sync = (message->flags & TIMESYNC_FLAG_SYNC) != 0,
		.is_exact = at != 0 && at <= now,
		.leap = message->leap < TIMESYNC_LEAP_COUNT ? message->leap
							    : (uint8_t)TIMESYNC_LEAP_NONE,
		.stratum = message->stratum,
	};
	if (!out->is_exact) {
		timesync->inexact++;
		return true;
	}
	if (now - at > STALE_100NS) {
		timesync->stale++;
		return false;
	}
	out->utc_100ns += now - at;
	return true;
}

static uint32_t handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	struct timesync_ic *timesync = ctx;
	struct message message;
	struct timesync_sample sample;
	if (!message_read(agreement, body, body_bytes, &message)) {
		timesync->refused++;
		return IC_STATUS_INVALID_ARGUMENT;
	}
	if ((message.flags & (TIMESYNC_FLAG_SYNC | TIMESYNC_FLAG_SAMPLE)) == 0) {
		timesync->probes++;
		return IC_STATUS_SUCCESS;
	}
	if (message.parent_100ns < TIMESYNC_UNIX_EPOCH_100NS ||
		message.parent_100ns > TIMESYNC_TIME_MAX_100NS) {
		timesync->refused++;
		return IC_STATUS_INVALID_ARGUMENT;
	}
	if (!sample_make(timesync, &message, &sample))
		return IC_STATUS_SUCCESS;
	if (sample.is_sync)
		timesync->syncs++;
	else
		timesync->samples++;
	timesync->ops->sample(timesync->ctx, &sample);
	return IC_STATUS_SUCCESS;
}

const struct ic_guest_service timesync_ic_service = {
	.name = "timesync",
	.type = IC_TYPE_TIMESYNC,
	.body_min_bytes = TIMESYNC_V4_BODY_MIN_BYTES,
	.frameworks = {framework_versions, 2},
	.messages = {message_versions, 3},
	.handle = handle,
};

void timesync_ic_init(struct timesync_ic *timesync, const struct timesync_ic_ops *ops, void *ctx)
{
	memset(timesync, 0, sizeof *timesync);
	timesync->ops = ops;
	timesync->ctx = ctx;
	ic_guest_init(&timesync->ic, &timesync_ic_service, timesync);
}
