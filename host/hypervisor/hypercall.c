// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls: the checks of a call and its way to the handler. See hypercall.h.
 */
#include "host/hypervisor/hypercall.h"

#include "host/hypervisor/partition_internal.h"

#include <string.h>

#define REGISTER_BLOCK_BYTES HV_HYPERCALL_XMM_FAST_INPUT_BYTES

/* ---- checks -------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	uint16_t status;
} refusals[HYPERCALL_REFUSAL_COUNT] = {
#define HYPERCALL_REFUSAL_ROW(NAME, status_, text_)                                                \
	[HYPERCALL_REFUSED_##NAME] = {.text = (text_), .status = HV_STATUS_##status_},
	HYPERCALL_REFUSALS(HYPERCALL_REFUSAL_ROW)
#undef HYPERCALL_REFUSAL_ROW
};

const char *hypercall_refusal_text(enum hypercall_refusal refusal)
{
	return refusal < HYPERCALL_REFUSAL_COUNT ? refusals[refusal].text : "unknown";
}

uint64_t hypercall_refusals(const struct partition *partition, enum hypercall_refusal refusal)
{
	return refusal < HYPERCALL_REFUSAL_COUNT ? partition->refusals[refusal] : 0;
}

/* A call while it is checked and carried out. */
struct call {
	const struct hypercall_row *row;
	uint64_t control;
	bool is_fast;
	uint16_t reps, start, variable_words;
	size_t input_bytes, output_bytes; /* whole lists */
	size_t output_at;		  /* fast: where in the register block output starts */
};

static enum hypercall_refusal check_shape(const struct partition *partition, struct call *call)
{
	const struct hypercall_row *row = call->row;

	if (row->flags & HYPERCALL_VARIABLE)
		call->variable_words = (uint16_t)((call->control & HV_HYPERCALL_VARHEAD_MASK) >>
						  HV_HYPERCALL_VARHEAD_SHIFT);
	call->input_bytes = row->input_bytes + (size_t)call->variable_words * 8 +
			    (size_t)call->reps * row->element_bytes;
	call->output_bytes = row->output_bytes + (size_t)call->reps * row->output_element_bytes;
	call->output_at = (call->input_bytes + 15) & ~(size_t)15;
	if (call->is_fast) {
		const bool needs_xmm = call->input_bytes > HV_HYPERCALL_FAST_INPUT_BYTES ||
				       call->output_bytes > 0;
		if (needs_xmm && !(partition->promises.features & HV_FEATURE_XMM_HYPERCALL_INPUT))
			return HYPERCALL_REFUSED_XMM_UNAVAILABLE;
		if (!(row->flags & HYPERCALL_FAST))
			return HYPERCALL_REFUSED_NOT_FAST;
		if ((needs_xmm && !(row->flags & HYPERCALL_XMM)) ||
			call->input_bytes > REGISTER_BLOCK_BYTES ||
			(call->output_bytes > 0 &&
				call->output_at + call->output_bytes > REGISTER_BLOCK_BYTES))
			return HYPERCALL_REFUSED_FAST_TOO_LONG;
	}
	if ((call->control & HV_HYPERCALL_VARHEAD_MASK) && !(row->flags & HYPERCALL_VARIABLE))
		return HYPERCALL_REFUSED_VARIABLE_HEADER;
	if (row->simple && (call->reps != 0 || call->start != 0))
		return HYPERCALL_REFUSED_SIMPLE_WITH_REPS;
	if (!row->simple && call->reps == 0)
		return HYPERCALL_REFUSED_NO_REPS;
	if (!row->simple && call->start >= call->reps)
		return HYPERCALL_REFUSED_START_PAST_COUNT;
	return HYPERCALL_REFUSAL_COUNT;
}

static enum hypercall_refusal check_control(const struct partition *partition, struct call *call)
{
	const uint16_t code = (uint16_t)(call->control & HV_HYPERCALL_CODE_MASK);

	call->row = hypercall_find(code);
	const uint64_t privilege = call->row ? call->row->privilege : hypercall_privilege(code);
	if ((partition->promises.privileges & privilege) != privilege)
		return HYPERCALL_REFUSED_ACCESS_DENIED;
	if (call->row && call->row->is_offered && !call->row->is_offered(partition))
		return HYPERCALL_REFUSED_ACCESS_DENIED;
	if (!call->row)
		return HYPERCALL_REFUSED_UNKNOWN_CODE;
	if (call->control & HV_HYPERCALL_RESERVED_MASK)
		return HYPERCALL_REFUSED_RESERVED_BITS;
	if (call->control & HV_HYPERCALL_NESTED)
		return HYPERCALL_REFUSED_NESTED;
	return check_shape(partition, call);
}

static bool crosses_page(uint64_t gpa, size_t bytes)
{
	return gpa % GUEST_PAGE_BYTES + bytes > GUEST_PAGE_BYTES;
}

/* The addresses of a slow call. On success *input and *output are set where there are any. */
static enum hypercall_refusal check_addresses(const struct partition *partition,
	const struct call *call, uint64_t input_gpa, uint64_t output_gpa, const uint8_t **input,
	uint8_t **output)
{
	if (call->input_bytes > 0) {
		if (input_gpa % HV_HYPERCALL_PARAMETER_ALIGN != 0)
			return HYPERCALL_REFUSED_INPUT_UNALIGNED;
		if (crosses_page(input_gpa, call->input_bytes))
			return HYPERCALL_REFUSED_INPUT_CROSSES_PAGE;
		*input = guest_memory_at(&partition->memory, input_gpa, call->input_bytes);
		if (!*input)
			return HYPERCALL_REFUSED_INPUT_NOT_RAM;
	}
	if (call->output_bytes > 0) {
		if (output_gpa % HV_HYPERCALL_PARAMETER_ALIGN != 0)
			return HYPERCALL_REFUSED_OUTPUT_UNALIGNED;
		if (crosses_page(output_gpa, call->output_bytes))
			return HYPERCALL_REFUSED_OUTPUT_CROSSES_PAGE;
		*output = guest_memory_at(&partition->memory, output_gpa, call->output_bytes);
		if (!*output)
			return HYPERCALL_REFUSED_OUTPUT_NOT_RAM;
	}
	if (call->input_bytes > 0 && call->output_bytes > 0 &&
		input_gpa < output_gpa + call->output_bytes &&
		output_gpa < input_gpa + call->input_bytes)
		return HYPERCALL_REFUSED_OVERLAP;
	return HYPERCALL_REFUSAL_COUNT;
}

/* ---- a call -------------------------------------------------------------------------------- */

/* Run the handler over private copies. Returns the result value. */
static uint64_t run(const struct call *call, struct hypercall_context *context,
	const uint8_t *input, uint8_t *output)
{
	const struct hypercall_row *row = call->row;

	context->header = input;
	context->variable = input + row->input_bytes;
	context->variable_words = call->variable_words;
	if (row->simple)
		return hv_hypercall_result(row->simple(context, output), 0);
	if (row->list) {
		const uint16_t status = row->list(context);
		return hv_hypercall_result(
			status, status == HV_STATUS_SUCCESS ? call->reps : call->start);
	}

	const uint8_t *elements = context->variable + (size_t)call->variable_words * 8;
	for (uint16_t i = call->start; i < call->reps; i++) {
		const uint16_t status = row->rep(context, elements + (size_t)i * row->element_bytes,
			output + (size_t)i * row->output_element_bytes);
		if (status != HV_STATUS_SUCCESS)
			return hv_hypercall_result(status, i);
	}
	return hv_hypercall_result(HV_STATUS_SUCCESS, call->reps);
}

/* How much of the output, from where, the result makes valid. */
static size_t output_range(const struct call *call, uint64_t result, size_t *first)
{
	const size_t element = call->row->output_element_bytes;

	*first = call->start * element;
	if (!call->row->simple)
		return (size_t)(hv_hypercall_result_reps(result) - call->start) * element;
	return hv_hypercall_result_status(result) == HV_STATUS_SUCCESS ? call->output_bytes : 0;
}

static void run_fast(struct partition *partition, uint32_t vp, const struct call *call,
	struct hypercall_registers *registers)
{
	uint8_t block[REGISTER_BLOCK_BYTES];
	uint8_t output[REGISTER_BLOCK_BYTES] = {0};
	struct hypercall_context context = {.partition = partition, .vp = vp};
	size_t first;

	memcpy(block, &registers->rdx, 8);
	memcpy(block + 8, &registers->r8, 8);
	memcpy(block + 16, registers->xmm, sizeof registers->xmm);
	registers->rax = run(call, &context, block, output);
	const size_t bytes = output_range(call, registers->rax, &first);
	if (bytes == 0)
		return;
	memcpy(block + call->output_at + first, output + first, bytes);
	memcpy(&registers->rdx, block, 8);
	memcpy(&registers->r8, block + 8, 8);
	memcpy(registers->xmm, block + 16, sizeof registers->xmm);
}

static enum hypercall_refusal run_slow(struct partition *partition, uint32_t vp,
	const struct call *call, struct hypercall_registers *registers)
{
	const uint8_t *guest_input = NULL;
	uint8_t *guest_output = NULL;
	uint8_t input[GUEST_PAGE_BYTES];
	uint8_t output[GUEST_PAGE_BYTES];
	struct hypercall_context context = {.partition = partition, .vp = vp};
	size_t first;

	const enum hypercall_refusal refusal = check_addresses(
		partition, call, registers->rdx, registers->r8, &guest_input, &guest_output);
	if (refusal != HYPERCALL_REFUSAL_COUNT)
		return refusal;
	size_t bytes_in = call->input_bytes;
	if (call->row->flags & HYPERCALL_DATA) {
		/* Memory is there by the page. */
		bytes_in = GUEST_PAGE_BYTES - registers->rdx % GUEST_PAGE_BYTES;
		context.data = input + call->input_bytes;
		context.data_bytes = bytes_in - call->input_bytes;
	}
	if (guest_input)
		memcpy(input, guest_input, bytes_in);
	registers->rax = run(call, &context, input, output);
	const size_t bytes = output_range(call, registers->rax, &first);
	if (bytes > 0 && guest_output)
		memcpy(guest_output + first, output + first, bytes);
	return HYPERCALL_REFUSAL_COUNT;
}

static enum partition_fault refuse(struct partition *partition, enum hypercall_refusal refusal,
	struct hypercall_registers *registers)
{
	partition->statistics.hypercalls_refused++;
	partition->refusals[refusal]++;
	if (refusal == HYPERCALL_REFUSED_INTERFACE_OFF ||
		refusal == HYPERCALL_REFUSED_XMM_UNAVAILABLE)
		return PARTITION_FAULT_UD;
	registers->rax = hv_hypercall_result(refusals[refusal].status, 0);
	return PARTITION_FAULT_NONE;
}

static enum partition_fault hypercall_locked(
	struct partition *partition, uint32_t vp, struct hypercall_registers *registers)
{
	struct call call = {
		.control = registers->rcx,
		.is_fast = registers->rcx & HV_HYPERCALL_FAST,
		.reps = (uint16_t)((registers->rcx & HV_HYPERCALL_REP_COUNT_MASK) >>
				   HV_HYPERCALL_REP_COUNT_SHIFT),
		.start = (uint16_t)((registers->rcx & HV_HYPERCALL_REP_START_MASK) >>
				    HV_HYPERCALL_REP_START_SHIFT),
	};

	partition->statistics.hypercalls++;
	if (vp >= partition->vp_count || !(partition->hypercall & HV_MSR_PAGE_ENABLE))
		return refuse(partition, HYPERCALL_REFUSED_INTERFACE_OFF, registers);
	enum hypercall_refusal refusal = check_control(partition, &call);
	if (refusal == HYPERCALL_REFUSAL_COUNT) {
		if (call.is_fast)
			run_fast(partition, vp, &call, registers);
		else
			refusal = run_slow(partition, vp, &call, registers);
	}
	if (refusal != HYPERCALL_REFUSAL_COUNT)
		return refuse(partition, refusal, registers);
	return PARTITION_FAULT_NONE;
}

enum partition_fault partition_hypercall(
	struct partition *partition, uint32_t vp, struct hypercall_registers *registers)
{
	partition_lock(partition);
	const enum partition_fault fault = hypercall_locked(partition, vp, registers);
	partition_unlock(partition);
	return fault;
}
