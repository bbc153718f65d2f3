// SPDX-License-Identifier: Apache-2.0
/* Synthetic timers: start, take, show that nothing comes. See conform_timer.h. */
#include "tests/conformance/conform_timer.h"

bool conform_timer_begin(struct conform_target *t, uint32_t vp)
{
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++)
		if (!conform_timer_set(t, vp, n, 0, 0))
			return false;
	if (winhv_synic_enable(t->hv, vp, TIMER_SINT, TIMER_VECTOR))
		return conform_no(t, "the SynIC of VP %u cannot be enabled", vp);
	__atomic_store_n(&conform_timer_slot(t, vp)->type, HV_MESSAGE_TYPE_NONE, __ATOMIC_SEQ_CST);
	return conform_write(t, vp, HV_X64_MSR_EOM, 0) || conform_no(t, "EOM faults");
}

void conform_timer_end(struct conform_target *t)
{
	if (!conform_has(t, HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS))
		return;
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
			(void)conform_write(t, vp, TIMER_COUNT(n), 0);
			(void)conform_write(t, vp, TIMER_CONFIG(n), 0);
		}
}

uint64_t conform_reference(struct conform_target *t)
{
	uint64_t time = 0;

	(void)conform_read(t, 0, HV_X64_MSR_TIME_REF_COUNT, &time);
	return time;
}

bool conform_timer_set(
	struct conform_target *t, uint32_t vp, uint32_t n, uint64_t count, uint64_t config)
{
	if (!conform_write(t, vp, TIMER_COUNT(n), count))
		return conform_no(t, "STIMER%u_COUNT of VP %u takes no %llu", n, vp,
			(unsigned long long)count);
	return conform_write(t, vp, TIMER_CONFIG(n), config) ||
	       conform_no(t, "STIMER%u_CONFIG of VP %u takes no 0x%llx", n, vp,
		       (unsigned long long)config);
}

bool conform_timer_config(struct conform_target *t, uint32_t vp, uint32_t n, uint64_t *config)
{
	return conform_read(t, vp, TIMER_CONFIG(n), config) ||
	       conform_no(t, "STIMER%u_CONFIG of VP %u faults", n, vp);
}

struct hv_message_wire *conform_timer_slot(struct conform_target *t, uint32_t vp)
{
	return (struct hv_message_wire *)(void *)(t->hv->synic[vp].messages.va +
						  TIMER_SINT * HV_MESSAGE_BYTES);
}

bool conform_timer_await(struct conform_target *t, uint32_t vp)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	while (__atomic_load_n(&conform_timer_slot(t, vp)->type, __ATOMIC_ACQUIRE) ==
		HV_MESSAGE_TYPE_NONE) {
		if (conform_now(t) >= deadline)
			return conform_no(t, "no timer of VP %u had a message within 3 s", vp);
		(void)winhv_wait(t->hv, t->hv->vp, TIMER_MS / 2, &sints);
	}
	return true;
}

bool conform_timer_next(struct conform_target *t, uint32_t vp, struct hv_timer_message_wire *out)
{
	struct winhv_message message;

	if (!conform_timer_await(t, vp))
		return false;
	if (!winhv_message_take(t->hv, vp, TIMER_SINT, &message))
		return conform_no(t, "the message went out of the slot");
	if (message.type != HV_MESSAGE_TYPE_TIMER_EXPIRED || message.bytes != sizeof *out ||
		message.sender != 0)
		return conform_no(t, "a message of type 0x%x, %u bytes, origin 0x%llx",
			message.type, message.bytes, (unsigned long long)message.sender);
	__builtin_memcpy(out, message.payload, sizeof *out);
	return out->timer_index < HV_STIMER_COUNT ||
	       conform_no(t, "a message of timer %u", out->timer_index);
}

bool conform_timer_expect(
	struct conform_target *t, uint32_t vp, uint32_t n, struct hv_timer_message_wire *out)
{
	return conform_timer_next(t, vp, out) &&
	       (out->timer_index == n ||
		       conform_no(t, "timer %u has a message, not timer %u", out->timer_index, n));
}

bool conform_timer_quiet(struct conform_target *t, uint32_t vp, uint64_t until, const char *what)
{
	struct hv_timer_message_wire message;

	if (!conform_timer_set(
		    t, vp, TIMER_FENCE, until + TIMER_MS, HV_STIMER_ENABLED | TIMER_TO_SINT) ||
		!conform_timer_next(t, vp, &message))
		return false;
	return message.timer_index == TIMER_FENCE ||
	       conform_no(t, "%s: timer %u has a message, due at %llu", what, message.timer_index,
		       (unsigned long long)message.expiration_time);
}
