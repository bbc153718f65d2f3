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
	const int error = hv->ops->hypercall(hv->ctx, 0, control, has_input ? hv->hypercall.gpa : 0,
		has_output ? hv->hypercall.gpa + WINHV_PAGE_BYTES : 0, NULL, result);

	/* Given up here, but perhaps not by the hypervisor. */
	if (error == -VIRIDIAN_ETIMEDOUT)
		hv->is_hypercall_lost = true;
	return error;
}

int winhv_hypercall(struct winhv *hv, uint16_t code, const void *input, size_t input_bytes,
	void *output, size_t output_bytes, uint16_t *status)
{
	uint64_t result;

	if (input_bytes > WINHV_PAGE_BYTES || output_bytes > WINHV_PAGE_BYTES)
		return -VIRIDIAN_EINVAL;
	if (!hv->hypercall.va)
		return -VIRIDIAN_ENODEV;
	if (input_bytes > 0)
		__builtin_memcpy(input_page(hv), input, input_bytes);
	const int error = issue(
		hv, hv_hypercall_input(code, 0, 0), input_bytes > 0, output_bytes > 0, &result);
	if (error)
		return error;
	*status = hv_hypercall_result_status(result);
	if (*status == HV_STATUS_SUCCESS && output_bytes > 0)
		__builtin_memcpy(output, output_page(hv), output_bytes);
	return 0;
}

int winhv_hypercall_fast(
	struct winhv *hv, uint16_t code, uint64_t param1, uint64_t param2, uint16_t *status)
{
	uint64_t result;
	const int error = hv->ops->hypercall(hv->ctx, 0,
		hv_hypercall_input(code, 0, 0) | HV_HYPERCALL_FAST, param1, param2, NULL, &result);

	if (error)
		return error;
	*status = hv_hypercall_result_status(result);
	return 0;
}

/* Repeat one page of elements until all `reps` are done. Input is in place. */
static int rep_page(struct winhv *hv, uint16_t code, uint16_t reps, bool has_output, uint16_t *done,
	uint16_t *status)
{
	*done = 0;
	do {
		uint64_t result;
		const uint64_t control = hv_hypercall_input(code, 0, reps) |
					 (uint64_t)*done << HV_HYPERCALL_REP_START_SHIFT;
		const int error = issue(hv, control, true, has_output, &result);
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

int winhv_hypercall_rep(struct winhv *hv, uint16_t code, const void *header, size_t header_bytes,
	const void *elements, size_t element_bytes, uint16_t reps, void *output,
	size_t output_element_bytes, uint16_t *reps_done, uint16_t *status)
{
	const size_t room = WINHV_PAGE_BYTES;

	*reps_done = 0;
	if (reps == 0 || header_bytes % HV_HYPERCALL_PARAMETER_ALIGN != 0 || header_bytes > room ||
		element_bytes > room - header_bytes || output_element_bytes > room)
		return -VIRIDIAN_EINVAL;
	if (!hv->hypercall.va)
		return -VIRIDIAN_ENODEV;

	size_t page_max = HV_HYPERCALL_REP_MAX;
	if (element_bytes > 0 && (room - header_bytes) / element_bytes < page_max)
		page_max = (room - header_bytes) / element_bytes;
	if (output_element_bytes > 0 && room / output_element_bytes < page_max)
		page_max = room / output_element_bytes;

	do {
		const size_t left = (size_t)reps - *reps_done;
		const uint16_t count = (uint16_t)(left < page_max ? left : page_max);
		uint16_t done;
		__builtin_memcpy(input_page(hv), header, header_bytes);
		if (element_bytes > 0)
			__builtin_memcpy(input_page(hv) + header_bytes,
				(const uint8_t *)elements + *reps_done * element_bytes,
				count * element_bytes);
		const int error = rep_page(
			hv, code, count, output_element_bytes > 0, &done, status);
		if (output_element_bytes > 0 && done > 0)
			__builtin_memcpy((uint8_t *)output + *reps_done * output_element_bytes,
				output_page(hv), done * output_element_bytes);
		*reps_done = (uint16_t)(*reps_done + done);
		if (error || *status != HV_STATUS_SUCCESS)
			return error;
	} while (*reps_done < reps);
	return 0;
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
