// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls from the guest's side. See winhv.h. Parameters travel through two
 * pages that the guest and the hypervisor share; results are copied out once, and
 * the hypervisor's count of repetitions is checked before it is used.
 */
#include "guest/winhv/winhv.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"

static uint8_t *input_page(const struct winhv *hv)
{
	return hv->hypercall.va;
}

static uint8_t *output_page(const struct winhv *hv)
{
	return hv->hypercall.va + WINHV_PAGE_BYTES;
}

static int issue(
	struct winhv *hv, uint64_t control, bool has_input, bool has_output, uint64_t *result)
{
	const int error = hv->ops->hypercall(hv->ctx, hv->vp, control,
		has_input ? hv->hypercall.gpa : 0,
		has_output ? hv->hypercall.gpa + WINHV_PAGE_BYTES : 0, NULL, result);

	/* Given up here, but perhaps not by the hypervisor. */
	if (error == -VIRIDIAN_ETIMEDOUT)
		hv->is_hypercall_lost = true;
	return error;
}

int winhv_hypercall_fast(
	struct winhv *hv, uint16_t code, uint64_t param1, uint64_t param2, uint16_t *status)
{
	uint64_t result;
	const int error = hv->ops->hypercall(hv->ctx, hv->vp,
		hv_hypercall_input(code, 0, 0) | HV_HYPERCALL_FAST, param1, param2, NULL, &result);

	if (error)
		return error;
	*status = hv_hypercall_result_status(result);
	return 0;
}

/* Repeat one page of elements until all `reps` are done. Input is in place. */
static int rep_page(struct winhv *hv, const struct winhv_call *call, uint16_t reps, uint16_t *done,
	uint16_t *status)
{
	*done = 0;
	do {
		uint64_t result;
		const uint64_t control = hv_hypercall_input(call->code, call->varhead_u64, reps) |
					 (uint64_t)*done << HV_HYPERCALL_REP_START_SHIFT;
		const int error = issue(hv, control, true, call->output_bytes > 0, &result);
		if (error)
			return error;
		const uint16_t completed = hv_hypercall_result_reps(result);
		*status = hv_hypercall_result_status(result);
		if (completed < *done || completed > reps)
			return -VIRIDIAN_EPROTO;
		const bool is_progress = completed > *done;
		*done = completed;
		if (*status != HV_STATUS_SUCCESS && *status != HV_STATUS_TIMEOUT)
			return 0;
		if (!is_progress)
			return -VIRIDIAN_EPROTO;
	} while (*done < reps);
	*status = HV_STATUS_SUCCESS;
	return 0;
}

static int rep_call(
	struct winhv *hv, const struct winhv_call *call, uint16_t *reps_done, uint16_t *status)
{
	const size_t room = WINHV_PAGE_BYTES;

	*reps_done = 0;
	if (call->reps == 0 || call->header_bytes % HV_HYPERCALL_PARAMETER_ALIGN != 0 ||
		call->header_bytes > room || call->element_bytes > room - call->header_bytes ||
		call->output_bytes > room)
		return -VIRIDIAN_EINVAL;
	if (!hv->hypercall.va)
		return -VIRIDIAN_ENODEV;

	size_t page_max = HV_HYPERCALL_REP_MAX;
	if (call->element_bytes > 0 && (room - call->header_bytes) / call->element_bytes < page_max)
		page_max = (room - call->header_bytes) / call->element_bytes;
	if (call->output_bytes > 0 && room / call->output_bytes < page_max)
		page_max = room / call->output_bytes;

	do {
		const size_t left = (size_t)call->reps - *reps_done;
		const uint16_t count = (uint16_t)(left < page_max ? left : page_max);
		uint16_t done;
		if (call->header_bytes > 0)
			__builtin_memcpy(input_page(hv), call->header, call->header_bytes);
		if (call->element_bytes > 0)
			__builtin_memcpy(input_page(hv) + call->header_bytes,
				(const uint8_t *)call->elements + *reps_done * call->element_bytes,
				count * call->element_bytes);
		const int error = rep_page(hv, call, count, &done, status);
		if (call->output_bytes > 0 && done > 0)
			__builtin_memcpy((uint8_t *)call->output + *reps_done * call->output_bytes,
				output_page(hv), done * call->output_bytes);
		*reps_done = (uint16_t)(*reps_done + done);
		if (error || *status != HV_STATUS_SUCCESS)
			return error;
	} while (*reps_done < call->reps);
	return 0;
}

/* All in registers: RDX and R8, then XMM0..5. */
static int fast_call(
	struct winhv *hv, const struct winhv_call *call, uint16_t *reps_done, uint16_t *status)
{
	const size_t list = call->reps * call->element_bytes;
	const size_t rounded = (call->header_bytes + list + 15) & ~(size_t)15;
	const size_t output = call->output_bytes * (call->reps > 0 ? call->reps : 1);
	struct {
		uint64_t parameter[2];
		struct winhv_xmm xmm;
	} block = {0};
	uint64_t result;

	if (call->header_bytes > sizeof block || list > sizeof block - call->header_bytes ||
		output > sizeof block - rounded || (output > 0 && rounded == 0))
		return -VIRIDIAN_EINVAL;
	if (call->header_bytes > 0)
		__builtin_memcpy(&block, call->header, call->header_bytes);
	if (list > 0)
		__builtin_memcpy((uint8_t *)&block + call->header_bytes, call->elements, list);
	const bool is_xmm = rounded > sizeof block.parameter || output > 0;
	const int error = hv->ops->hypercall(hv->ctx, hv->vp,
		hv_hypercall_input(call->code, call->varhead_u64, call->reps) | HV_HYPERCALL_FAST,
		block.parameter[0], block.parameter[1], is_xmm ? &block.xmm : NULL, &result);
	if (error)
		return error;
	*status = hv_hypercall_result_status(result);
	if (reps_done)
		*reps_done = hv_hypercall_result_reps(result);
	if (output > 0 && *status == HV_STATUS_SUCCESS)
		__builtin_memcpy(call->output, (uint8_t *)&block + rounded, output);
	return hv_hypercall_result_reps(result) > call->reps ? -VIRIDIAN_EPROTO : 0;
}

int winhv_call(
	struct winhv *hv, const struct winhv_call *call, uint16_t *reps_done, uint16_t *status)
{
	if (call->is_fast)
		return fast_call(hv, call, reps_done, status);
	if (call->reps > 0)
		return rep_call(hv, call, reps_done, status);

	uint64_t result;
	if (call->header_bytes > WINHV_PAGE_BYTES || call->output_bytes > WINHV_PAGE_BYTES)
		return -VIRIDIAN_EINVAL;
	if (!hv->hypercall.va)
		return -VIRIDIAN_ENODEV;
	if (call->header_bytes > 0)
		__builtin_memcpy(input_page(hv), call->header, call->header_bytes);
	const int error = issue(hv, hv_hypercall_input(call->code, call->varhead_u64, 0),
		call->header_bytes > 0, call->output_bytes > 0, &result);
	if (error)
		return error;
	*status = hv_hypercall_result_status(result);
	if (reps_done)
		*reps_done = hv_hypercall_result_reps(result);
	if (*status == HV_STATUS_SUCCESS && call->output_bytes > 0)
		__builtin_memcpy(call->output, output_page(hv), call->output_bytes);
	return 0;
}

int winhv_hypercall(struct winhv *hv, uint16_t code, const void *input, size_t input_bytes,
	void *output, size_t output_bytes, uint16_t *status)
{
	const struct winhv_call call = {.code = code,
		.header = input,
		.header_bytes = input_bytes,
		.output = output,
		.output_bytes = output_bytes};

	return winhv_call(hv, &call, NULL, status);
}

int winhv_hypercall_rep(struct winhv *hv, uint16_t code, const void *header, size_t header_bytes,
	const void *elements, size_t element_bytes, uint16_t reps, void *output,
	size_t output_element_bytes, uint16_t *reps_done, uint16_t *status)
{
	const struct winhv_call call = {.code = code,
		.reps = reps,
		.header = header,
		.header_bytes = header_bytes,
		.elements = elements,
		.element_bytes = element_bytes,
		.output = output,
		.output_bytes = output_element_bytes};

	return rep_call(hv, &call, reps_done, status);
}

int winhv_post_message(struct winhv *hv, uint32_t connection_id, uint32_t type, const void *payload,
	size_t bytes, uint16_t *status)
{
	struct hv_post_message_wire wire = {
		.connection_id = connection_id,
		.message_type = type,
		.payload_size = (uint32_t)bytes,
	};

	if (bytes > HV_MESSAGE_PAYLOAD_MAX)
		return -VIRIDIAN_EINVAL;
	if (bytes > 0)
		__builtin_memcpy(wire.payload, payload, bytes);
	return winhv_hypercall(hv, HV_CALL_POST_MESSAGE, &wire, sizeof wire, NULL, 0, status);
}

int winhv_signal_event(struct winhv *hv, uint32_t connection_id, uint16_t flag_number)
{
	return hv->ops->signal_event(hv->ctx, connection_id, flag_number);
}
