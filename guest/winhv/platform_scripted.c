// SPDX-License-Identifier: Apache-2.0
/*
 * The scripted platform. See platform_scripted.h.
 */
#include "guest/winhv/platform_scripted.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"

#define SLOT_FLAGS   offsetof(struct hv_message_wire, flags)
#define SLOT_SIZE    offsetof(struct hv_message_wire, payload_size)
#define SLOT_PAYLOAD offsetof(struct hv_message_wire, payload)

#define PRIVILEGES_ALL                                                                             \
	(HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER | HV_PRIVILEGE_ACCESS_SYNIC |                       \
		HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS | HV_PRIVILEGE_ACCESS_VP_INDEX |                \
		HV_PRIVILEGE_POST_MESSAGES | HV_PRIVILEGE_SIGNAL_EVENTS)

int platform_scripted_init(
	struct platform_scripted *script, void *memory, size_t memory_bytes, uint32_t vp_count)
{
	if (!memory || (uintptr_t)memory % WINHV_PAGE_BYTES != 0 ||
		memory_bytes % WINHV_PAGE_BYTES != 0 || memory_bytes < 8 * WINHV_PAGE_BYTES ||
		memory_bytes > (size_t)SCRIPTED_PAGES_MAX * WINHV_PAGE_BYTES || vp_count == 0 ||
		vp_count > SCRIPTED_VPS_MAX)
		return -VIRIDIAN_EINVAL;

	__builtin_memset(script, 0, sizeof *script);
	__builtin_memset(memory, 0, memory_bytes);
	script->memory = memory;
	script->memory_bytes = memory_bytes;
	script->page_used[0] = true;
	script->vp_count = vp_count;
	script->allocs_left = UINT32_MAX;
	script->privileges = PRIVILEGES_ALL;
	for (uint32_t vp = 0; vp < vp_count; vp++) {
		script->vps[vp].scontrol = HV_SCONTROL_ENABLE;
		for (unsigned sint = 0; sint < HV_SINT_COUNT; sint++)
			script->vps[vp].sint[sint] = HV_SINT_RESET;
	}
	return 0;
}

void *platform_scripted_at(struct platform_scripted *script, uint64_t gpa, uint64_t bytes)
{
	if (gpa > script->memory_bytes || bytes > script->memory_bytes - gpa)
		return NULL;
	return script->memory + gpa;
}

/* ---- the host's side of the SynIC ---------------------------------------------------------- */

static uint8_t *sint_area(struct platform_scripted *script, uint64_t page_msr, uint32_t sint)
{
	if (!(page_msr & HV_MSR_PAGE_ENABLE) || sint >= HV_SINT_COUNT)
		return NULL;
	uint8_t *page = platform_scripted_at(
		script, page_msr & HV_MSR_PAGE_ADDRESS_MASK, HV_PAGE_BYTES);
	return page ? page + sint * HV_MESSAGE_BYTES : NULL;
}

uint8_t *platform_scripted_slot(struct platform_scripted *script, uint32_t vp, uint32_t sint)
{
	return vp < script->vp_count ? sint_area(script, script->vps[vp].simp, sint) : NULL;
}

uint8_t *platform_scripted_flags(struct platform_scripted *script, uint32_t vp, uint32_t sint)
{
	return vp < script->vp_count ? sint_area(script, script->vps[vp].siefp, sint) : NULL;
}

void platform_scripted_interrupt(struct platform_scripted *script, uint32_t vp, uint32_t sint)
{
	if (vp < script->vp_count && sint < HV_SINT_COUNT &&
		!(script->vps[vp].sint[sint] & (HV_SINT_MASKED | HV_SINT_POLLING)))
		script->vps[vp].pending |= 1u << sint;
}

/* Put the oldest waiting message of (vp, sint) into its slot, if that is free. */
static void slot_fill(struct platform_scripted *script, uint32_t vp, uint32_t sint)
{
	unsigned oldest = script->queue_count;
	unsigned waiting = 0;

	for (unsigned i = script->queue_count; i-- > 0;)
		if (script->queue[i].vp == vp && script->queue[i].sint == sint) {
			oldest = i;
			waiting++;
		}
	uint8_t *slot = platform_scripted_slot(script, vp, sint);
	if (waiting == 0 || !slot || !(script->vps[vp].scontrol & HV_SCONTROL_ENABLE))
		return;
	if (__atomic_load_n((uint32_t *)(void *)slot, __ATOMIC_ACQUIRE) != HV_MESSAGE_TYPE_NONE) {
		slot[SLOT_FLAGS] |= HV_MESSAGE_FLAG_PENDING;
		return;
	}

	const struct scripted_message *message = &script->queue[oldest];
	__builtin_memcpy(slot + SLOT_PAYLOAD, message->payload, message->bytes);
	slot[SLOT_SIZE] = (uint8_t)message->bytes;
	slot[SLOT_FLAGS] = waiting > 1 ? HV_MESSAGE_FLAG_PENDING : 0;
	__atomic_store_n((uint32_t *)(void *)slot, message->type, __ATOMIC_RELEASE);

	script->queue_count--;
	for (unsigned i = oldest; i < script->queue_count; i++)
		script->queue[i] = script->queue[i + 1];
	platform_scripted_interrupt(script, vp, sint);
}

static void slots_fill(struct platform_scripted *script, uint32_t vp)
{
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		slot_fill(script, vp, sint);
}

int platform_scripted_message(struct platform_scripted *script, uint32_t vp, uint32_t sint,
	uint32_t type, const void *payload, size_t bytes)
{
	if (vp >= script->vp_count || sint >= HV_SINT_COUNT || bytes > HV_MESSAGE_PAYLOAD_MAX)
		return -VIRIDIAN_EINVAL;
	if (script->queue_count == SCRIPTED_QUEUE_MAX)
		return -VIRIDIAN_ENOMEM;

	struct scripted_message *message = &script->queue[script->queue_count++];
	message->vp = vp;
	message->sint = sint;
	message->type = type;
	message->bytes = (uint32_t)bytes;
	if (bytes)
		__builtin_memcpy(message->payload, payload, bytes);
	slot_fill(script, vp, sint);
	return 0;
}

int platform_scripted_event(
	struct platform_scripted *script, uint32_t vp, uint32_t sint, uint32_t flag)
{
	uint8_t *flags = platform_scripted_flags(script, vp, sint);

	if (!flags || flag >= HV_EVENT_FLAG_COUNT ||
		!(script->vps[vp].scontrol & HV_SCONTROL_ENABLE) ||
		(script->vps[vp].sint[sint] & HV_SINT_MASKED))
		return -VIRIDIAN_ENODEV;

	uint64_t *word = (uint64_t *)(void *)flags + flag / 64;
	const uint64_t bit = 1ull << flag % 64;
	if (!(__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) & bit))
		platform_scripted_interrupt(script, vp, sint);
	return 0;
}

void platform_scripted_post_status(
	struct platform_scripted *script, uint16_t status, unsigned times)
{
	for (; times > 0 && script->status_count < SCRIPTED_STATUSES_MAX; times--) {
		const unsigned at = (script->status_next + script->status_count++);
		script->statuses[at % SCRIPTED_STATUSES_MAX] = status;
	}
}

const struct scripted_post *platform_scripted_post(
	const struct platform_scripted *script, unsigned back)
{
	if (back >= script->post_count || back >= SCRIPTED_POSTS_MAX)
		return NULL;
	return &script->posts[(script->post_count - 1 - back) % SCRIPTED_POSTS_MAX];
}

/* ---- platform operations ------------------------------------------------------------------- */

static void scripted_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	const struct platform_scripted *script = ctx;

	(void)subleaf;
	__builtin_memset(out, 0, 4 * sizeof *out);
	if (script->is_absent)
		return;
	switch (leaf) {
	case 1:
		out[2] = HV_CPUID_1_ECX_HYPERVISOR_PRESENT;
		break;
	case HV_CPUID_VENDOR_AND_MAX:
		out[0] = HV_CPUID_LIMITS;
		__builtin_memcpy(&out[1], "Scripted Hv ", 12);
		break;
	case HV_CPUID_INTERFACE:
		out[0] = HV_CPUID_INTERFACE_HV1;
		break;
	case HV_CPUID_FEATURES:
		out[0] = (uint32_t)script->privileges;
		out[1] = (uint32_t)(script->privileges >> 32);
		break;
	case HV_CPUID_LIMITS:
		out[0] = script->vp_count;
		break;
	default:
		break;
	}
}

static uint64_t *synic_register(struct scripted_vp *vp, uint32_t msr)
{
	if (msr >= HV_X64_MSR_SINT0 && msr <= HV_X64_MSR_SINT15)
		return &vp->sint[msr - HV_X64_MSR_SINT0];
	switch (msr) {
	case HV_X64_MSR_SCONTROL:
		return &vp->scontrol;
	case HV_X64_MSR_SIEFP:
		return &vp->siefp;
	case HV_X64_MSR_SIMP:
		return &vp->simp;
	default:
		return NULL;
	}
}

static int scripted_msr_read(void *ctx, uint32_t vp, uint32_t msr, uint64_t *value)
{
	struct platform_scripted *script = ctx;

	if (script->is_gone)
		return -VIRIDIAN_ENODEV;
	if (vp >= script->vp_count || (msr == script->faulting_msr && msr != 0))
		return -VIRIDIAN_EINVAL;

	const uint64_t *shared = synic_register(&script->vps[vp], msr);
	if (shared) {
		*value = *shared;
		return 0;
	}
	switch (msr) {
	case HV_X64_MSR_GUEST_OS_ID:
		*value = script->guest_os_id;
		return 0;
	case HV_X64_MSR_HYPERCALL:
		*value = script->hypercall_msr;
		return 0;
	case HV_X64_MSR_VP_INDEX:
		*value = vp;
		return 0;
	case HV_X64_MSR_TIME_REF_COUNT:
		*value = script->now_100ns;
		return 0;
	case HV_X64_MSR_SVERSION:
		*value = HV_SVERSION_VALUE;
		return 0;
	case HV_X64_MSR_EOM:
		*value = 0;
		return 0;
	default:
		return -VIRIDIAN_EINVAL;
	}
}

static int scripted_msr_write(void *ctx, uint32_t vp, uint32_t msr, uint64_t value)
{
	struct platform_scripted *script = ctx;

	if (script->is_gone)
		return -VIRIDIAN_ENODEV;
	if (vp >= script->vp_count || (msr == script->faulting_msr && msr != 0))
		return -VIRIDIAN_EINVAL;

	uint64_t *shared = synic_register(&script->vps[vp], msr);
	if (shared) {
		*shared = value;
		slots_fill(script, vp);
		return 0;
	}
	switch (msr) {
	case HV_X64_MSR_GUEST_OS_ID:
		script->guest_os_id = value;
		return 0;
	case HV_X64_MSR_HYPERCALL:
		script->hypercall_msr = script->guest_os_id ? value : value & ~HV_MSR_PAGE_ENABLE;
		return 0;
	case HV_X64_MSR_EOM:
		script->vps[vp].eom_writes++;
		slots_fill(script, vp);
		return 0;
	default:
		return -VIRIDIAN_EINVAL;
	}
}

static uint16_t post_answer(struct platform_scripted *script, const struct scripted_post *post)
{
	if (script->status_count > 0) {
		const uint16_t status = script->statuses[script->status_next];
		script->status_next = (script->status_next + 1) % SCRIPTED_STATUSES_MAX;
		script->status_count--;
		return status;
	}
	return script->on_post ? script->on_post(script->ctx, script, post) : HV_STATUS_SUCCESS;
}

static uint16_t post_message(struct platform_scripted *script, uint32_t vp, uint64_t input)
{
	struct hv_post_message_wire wire;
	const void *from = platform_scripted_at(script, input, sizeof wire);

	if (!from || input % HV_HYPERCALL_PARAMETER_ALIGN != 0)
		return HV_STATUS_INVALID_ALIGNMENT;
	__builtin_memcpy(&wire, from, sizeof wire);

	struct scripted_post *post = &script->posts[script->post_count++ % SCRIPTED_POSTS_MAX];
	post->vp = vp;
	post->connection_id = wire.connection_id;
	post->type = wire.message_type;
	post->bytes = wire.payload_size;
	__builtin_memcpy(post->payload, wire.payload, sizeof post->payload);
	const struct scripted_post copy = *post;
	const uint16_t status = copy.bytes > HV_MESSAGE_PAYLOAD_MAX ? HV_STATUS_INVALID_PARAMETER
								    : post_answer(script, &copy);
	post->status = status;
	return status;
}

static uint16_t signal_log(struct platform_scripted *script, uint32_t connection_id, uint16_t flag)
{
	struct scripted_signal *entry =
		&script->signals[script->signal_count++ % SCRIPTED_SIGNALS_MAX];

	entry->connection_id = connection_id;
	entry->flag_number = flag;
	if (script->on_signal)
		script->on_signal(script->ctx, script, connection_id, flag);
	return script->signal_status;
}

static int scripted_hypercall(void *ctx, uint32_t vp, uint64_t control, uint64_t input,
	uint64_t output, struct winhv_xmm *xmm, uint64_t *result)
{
	struct platform_scripted *script = ctx;

	if (script->is_gone)
		return -VIRIDIAN_ENODEV;
	if (vp >= script->vp_count)
		return -VIRIDIAN_EINVAL;
	script->hypercall_count++;
	switch (control & (HV_HYPERCALL_CODE_MASK | HV_HYPERCALL_FAST)) {
	case HV_CALL_POST_MESSAGE:
		*result = post_message(script, vp, input);
		return 0;
	case HV_CALL_SIGNAL_EVENT | HV_HYPERCALL_FAST:
		*result = signal_log(script, (uint32_t)input, (uint16_t)(input >> 32));
		return 0;
	default:
		*result = script->on_hypercall ? script->on_hypercall(script->ctx, script, control,
							 input, output, xmm)
					       : HV_STATUS_INVALID_HYPERCALL_CODE;
		return 0;
	}
}

static int scripted_signal_event(void *ctx, uint32_t connection_id, uint16_t flag_number)
{
	struct platform_scripted *script = ctx;

	return script->is_gone ? -VIRIDIAN_ENODEV : signal_log(script, connection_id, flag_number);
}

static int scripted_pages_alloc(void *ctx, size_t bytes, struct winhv_pages *out)
{
	struct platform_scripted *script = ctx;
	const size_t total = script->memory_bytes / WINHV_PAGE_BYTES;
	const size_t count = bytes / WINHV_PAGE_BYTES;

	if (bytes == 0 || bytes % WINHV_PAGE_BYTES != 0)
		return -VIRIDIAN_EINVAL;
	if (script->allocs_left == 0)
		return -VIRIDIAN_ENOMEM;
	if (script->allocs_left != UINT32_MAX)
		script->allocs_left--;

	size_t run = 0;
	for (size_t page = 1; page < total; page++) {
		run = script->page_used[page] ? 0 : run + 1;
		if (run < count)
			continue;
		const size_t first = page + 1 - count;
		__builtin_memset(&script->page_used[first], true, count);
		script->pages_used += (unsigned)count;
		out->gpa = first * WINHV_PAGE_BYTES;
		out->va = script->memory + out->gpa;
		out->bytes = bytes;
		__builtin_memset(out->va, 0, bytes);
		return 0;
	}
	return -VIRIDIAN_ENOMEM;
}

static void scripted_pages_free(void *ctx, const struct winhv_pages *pages)
{
	struct platform_scripted *script = ctx;
	const size_t first = pages->gpa / WINHV_PAGE_BYTES;
	const size_t count = pages->bytes / WINHV_PAGE_BYTES;

	if (!platform_scripted_at(script, pages->gpa, pages->bytes))
		return;
	for (size_t page = first; page < first + count; page++)
		if (page != 0 && script->page_used[page]) {
			script->page_used[page] = false;
			script->pages_used--;
		}
}

static int scripted_wait(void *ctx, uint32_t vp, uint64_t timeout_100ns, uint32_t *sints)
{
	struct platform_scripted *script = ctx;

	*sints = 0;
	if (vp >= script->vp_count)
		return -VIRIDIAN_EINVAL;

	struct scripted_vp *state = &script->vps[vp];
	if (!state->pending && timeout_100ns > 0 && !script->is_gone) {
		if (script->on_wait)
			script->on_wait(script->ctx, script, vp);
		if (state->pending)
			script->idle_waits = 0;
		else if (timeout_100ns != UINT64_MAX)
			script->now_100ns += timeout_100ns;
		else if (++script->idle_waits == SCRIPTED_IDLE_WAITS_MAX)
			script->is_gone = true;
	}
	state->is_armed = false;
	if (script->is_gone)
		return -VIRIDIAN_ENODEV;
	*sints = state->pending;
	state->pending = 0;
	return 0;
}

static void scripted_wait_arm(void *ctx, uint32_t vp)
{
	struct platform_scripted *script = ctx;

	if (vp < script->vp_count)
		script->vps[vp].is_armed = true;
}

static void scripted_wait_disarm(void *ctx, uint32_t vp)
{
	struct platform_scripted *script = ctx;

	if (vp < script->vp_count)
		script->vps[vp].is_armed = false;
}

static uint64_t scripted_time_100ns(void *ctx)
{
	const struct platform_scripted *script = ctx;

	return script->now_100ns;
}

const struct winhv_platform_ops platform_scripted_ops = {
	.name = "scripted",
	.cpuid = scripted_cpuid,
	.msr_read = scripted_msr_read,
	.msr_write = scripted_msr_write,
	.hypercall = scripted_hypercall,
	.signal_event = scripted_signal_event,
	.pages_alloc = scripted_pages_alloc,
	.pages_free = scripted_pages_free,
	.wait = scripted_wait,
	.wait_arm = scripted_wait_arm,
	.wait_disarm = scripted_wait_disarm,
	.time_100ns = scripted_time_100ns,
};
