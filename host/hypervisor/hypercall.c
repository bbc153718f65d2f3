// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls: the table, the checks, the handlers. See hypercall.h.
 */
#include "host/hypervisor/hypercall.h"

#include "host/hypervisor/partition_internal.h"

#include <string.h>

#define REGISTER_BLOCK_BYTES HV_HYPERCALL_XMM_FAST_INPUT_BYTES

/* ---- handlers ------------------------------------------------------------------------------ */

static uint16_t notify_long_spin_wait(
	struct partition *partition, uint32_t vp, const uint8_t *input, uint8_t *output)
{
	(void)partition;
	(void)vp;
	(void)input;
	(void)output;
	return HV_STATUS_SUCCESS; /* by definition: the guest spins on, whatever we think of it */
}

static uint16_t post_message(
	struct partition *partition, uint32_t vp, const uint8_t *input, uint8_t *output)
{
	struct hv_post_message_wire wire;

	(void)vp;
	(void)output;
	memcpy(&wire, input, sizeof wire);
	const struct port *port = port_table_find(&partition->message_ports, wire.connection_id);
	if (!port)
		return port_table_find(&partition->event_ports, wire.connection_id)
			       ? HV_STATUS_INVALID_PORT_ID
			       : HV_STATUS_INVALID_CONNECTION_ID;
	if (wire.reserved != 0 || wire.message_type == HV_MESSAGE_TYPE_NONE ||
		(wire.message_type & HV_MESSAGE_TYPE_HYPERVISOR) ||
		wire.payload_size > HV_MESSAGE_PAYLOAD_MAX)
		return HV_STATUS_INVALID_PARAMETER;

	const uint16_t status = port->fn.message(
		port->ctx, wire.connection_id, wire.message_type, wire.payload, wire.payload_size);
	if (status == HV_STATUS_SUCCESS)
		partition->statistics.messages_posted++;
	return status;
}

static uint16_t signal_event(
	struct partition *partition, uint32_t vp, const uint8_t *input, uint8_t *output)
{
	struct hv_signal_event_wire wire;

	(void)vp;
	(void)output;
	memcpy(&wire, input, sizeof wire);
	if (wire.reserved != 0)
		return HV_STATUS_INVALID_PARAMETER;
	return partition_signal(partition, wire.connection_id, wire.flag_number);
}

/* The VP that a register call names. */
static uint16_t registers_target(
	const struct partition *partition, uint32_t caller, const uint8_t *header, uint32_t *target)
{
	static const uint8_t zeros[3];
	struct hv_vp_registers_header_wire wire;

	memcpy(&wire, header, sizeof wire);
	if (wire.partition_id != HV_PARTITION_ID_SELF)
		return HV_STATUS_ACCESS_DENIED; /* does not tell which other ids there are */
	if ((wire.vtl & ~HV_VTL_USE_TARGET) != 0 || memcmp(wire.reserved, zeros, sizeof zeros) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	*target = wire.vp_index == HV_VP_INDEX_SELF ? caller : wire.vp_index;
	return *target < partition->vp_count ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_VP_INDEX;
}

static uint16_t get_vp_registers(struct partition *partition, uint32_t vp, const uint8_t *header,
	const uint8_t *element, uint8_t *output)
{
	uint32_t target;
	uint32_t name;
	uint64_t value[2] = {0, 0};
	uint16_t status = registers_target(partition, vp, header, &target);

	memcpy(&name, element, sizeof name);
	if (status == HV_STATUS_SUCCESS)
		status = partition_register_read(partition, target, name, value);
	memcpy(output, value, sizeof value);
	return status;
}

static uint16_t set_vp_registers(struct partition *partition, uint32_t vp, const uint8_t *header,
	const uint8_t *element, uint8_t *output)
{
	static const uint8_t zeros[12];
	uint32_t target;
	struct hv_set_register_wire wire;
	const uint16_t status = registers_target(partition, vp, header, &target);

	(void)output;
	memcpy(&wire, element, sizeof wire);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (memcmp(wire.reserved, zeros, sizeof zeros) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	const uint64_t value[2] = {wire.value.low, wire.value.high};
	return partition_register_write(partition, target, wire.name, value);
}

static uint16_t ext_query_capabilities(
	struct partition *partition, uint32_t vp, const uint8_t *input, uint8_t *output)
{
	const uint64_t capabilities = 0; /* no extended call but this one */

	(void)partition;
	(void)vp;
	(void)input;
	memcpy(output, &capabilities, sizeof capabilities);
	return HV_STATUS_SUCCESS;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct hypercall_row table[] = {
	{
		.code = HV_CALL_NOTIFY_LONG_SPIN_WAIT,
		.flags = HYPERCALL_FAST,
		.input_bytes = sizeof(struct hv_notify_long_spin_wait_wire),
		.simple = notify_long_spin_wait,
	},
	{
		.code = HV_CALL_GET_VP_REGISTERS,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.privilege = HV_PRIVILEGE_ACCESS_VP_REGISTERS,
		.input_bytes = sizeof(struct hv_vp_registers_header_wire),
		.element_bytes = sizeof(uint32_t),
		.output_element_bytes = sizeof(struct hv_register_value_wire),
		.rep = get_vp_registers,
	},
	{
		.code = HV_CALL_SET_VP_REGISTERS,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.privilege = HV_PRIVILEGE_ACCESS_VP_REGISTERS,
		.input_bytes = sizeof(struct hv_vp_registers_header_wire),
		.element_bytes = sizeof(struct hv_set_register_wire),
		.rep = set_vp_registers,
	},
	{
		.code = HV_CALL_POST_MESSAGE,
		.privilege = HV_PRIVILEGE_POST_MESSAGES,
		.input_bytes = sizeof(struct hv_post_message_wire),
		.simple = post_message,
	},
	{
		.code = HV_CALL_SIGNAL_EVENT,
		.flags = HYPERCALL_FAST,
		.privilege = HV_PRIVILEGE_SIGNAL_EVENTS,
		.input_bytes = sizeof(struct hv_signal_event_wire),
		.simple = signal_event,
	},
	{
		.code = HV_CALL_EXT_QUERY_CAPABILITIES,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.privilege = HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS,
		.output_bytes = sizeof(uint64_t),
		.simple = ext_query_capabilities,
	},
};

const struct hypercall_row *hypercall_table(size_t *count)
{
	*count = sizeof table / sizeof table[0];
	return table;
}

static const struct hypercall_row *row_find(uint16_t code)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].code == code)
			return &table[i];
	return NULL;
}

/* Calls of the specification that are not here, and the privileges that guard them. */
static const struct {
	uint16_t code;
	uint64_t privilege;
} not_provided[] = {
	{HV_CALL_GET_LOGICAL_PROCESSOR_RUN_TIME, HV_PRIVILEGE_CPU_MANAGEMENT},
	{HV_CALL_PARK_LOGICAL_PROCESSORS, HV_PRIVILEGE_CPU_MANAGEMENT},
	{HV_CALL_MODIFY_VTL_PROTECTION_MASK, HV_PRIVILEGE_ACCESS_VSM},
	{HV_CALL_ENABLE_PARTITION_VTL, HV_PRIVILEGE_ACCESS_VSM},
	{HV_CALL_DISABLE_PARTITION_VTL, HV_PRIVILEGE_ACCESS_VSM},
	{HV_CALL_ENABLE_VP_VTL, HV_PRIVILEGE_ACCESS_VSM},
	{HV_CALL_DISABLE_VP_VTL, HV_PRIVILEGE_ACCESS_VSM},
	{HV_CALL_VTL_CALL, HV_PRIVILEGE_ACCESS_VSM},
	{HV_CALL_VTL_RETURN, HV_PRIVILEGE_ACCESS_VSM},
	{HV_CALL_CREATE_PARTITION, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_INITIALIZE_PARTITION, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_FINALIZE_PARTITION, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_DELETE_PARTITION, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_GET_PARTITION_PROPERTY, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_SET_PARTITION_PROPERTY, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_GET_PARTITION_ID, HV_PRIVILEGE_ACCESS_PARTITION_ID},
	{HV_CALL_GET_NEXT_CHILD_PARTITION, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_DEPOSIT_MEMORY, HV_PRIVILEGE_ACCESS_MEMORY_POOL},
	{HV_CALL_WITHDRAW_MEMORY, HV_PRIVILEGE_ACCESS_MEMORY_POOL},
	{HV_CALL_GET_MEMORY_BALANCE, HV_PRIVILEGE_ACCESS_MEMORY_POOL},
	{HV_CALL_MAP_GPA_PAGES, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_UNMAP_GPA_PAGES, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_INSTALL_INTERCEPT, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_CREATE_VP, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_DELETE_VP, HV_PRIVILEGE_CREATE_PARTITIONS},
	{HV_CALL_DELETE_PORT, HV_PRIVILEGE_CREATE_PORT},
	{HV_CALL_DISCONNECT_PORT, HV_PRIVILEGE_CONNECT_PORT},
	{HV_CALL_POST_DEBUG_DATA, HV_PRIVILEGE_DEBUGGING},
	{HV_CALL_RETRIEVE_DEBUG_DATA, HV_PRIVILEGE_DEBUGGING},
	{HV_CALL_RESET_DEBUG_SESSION, HV_PRIVILEGE_DEBUGGING},
	{HV_CALL_MAP_STATS_PAGE, HV_PRIVILEGE_ACCESS_STATS},
	{HV_CALL_UNMAP_STATS_PAGE, HV_PRIVILEGE_ACCESS_STATS},
	{HV_CALL_CREATE_PORT, HV_PRIVILEGE_CREATE_PORT},
	{HV_CALL_CONNECT_PORT, HV_PRIVILEGE_CONNECT_PORT},
	{HV_CALL_START_VIRTUAL_PROCESSOR, HV_PRIVILEGE_START_VIRTUAL_PROCESSOR},
	{HV_CALL_GET_VP_INDEX_FROM_APIC_ID, HV_PRIVILEGE_START_VIRTUAL_PROCESSOR},
};

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
	uint16_t reps, start;
	size_t input_bytes, output_bytes; /* whole lists */
	size_t output_at;		  /* fast: where in the register block output starts */
};

static enum hypercall_refusal check_shape(const struct partition *partition, struct call *call)
{
	const struct hypercall_row *row = call->row;

	call->input_bytes = row->input_bytes + (size_t)call->reps * row->element_bytes;
	call->output_bytes = row->output_bytes + (size_t)call->reps * row->output_element_bytes;
	call->output_at = (call->input_bytes + 15) & ~(size_t)15;
	if (call->is_fast) {
		const bool needs_xmm = call->input_bytes > HV_HYPERCALL_FAST_INPUT_BYTES ||
				       call->output_bytes > 0;
		if (needs_xmm && !(partition->features & HV_FEATURE_XMM_HYPERCALL_INPUT))
			return HYPERCALL_REFUSED_XMM_UNAVAILABLE;
		if (!(row->flags & HYPERCALL_FAST))
			return HYPERCALL_REFUSED_NOT_FAST;
		if ((needs_xmm && !(row->flags & HYPERCALL_XMM)) ||
			call->input_bytes > REGISTER_BLOCK_BYTES ||
			(call->output_bytes > 0 &&
				call->output_at + call->output_bytes > REGISTER_BLOCK_BYTES))
			return HYPERCALL_REFUSED_FAST_TOO_LONG;
	}
	if (call->control & HV_HYPERCALL_VARHEAD_MASK)
		return HYPERCALL_REFUSED_VARIABLE_HEADER;
	if (row->simple && (call->reps != 0 || call->start != 0))
		return HYPERCALL_REFUSED_SIMPLE_WITH_REPS;
	if (row->rep && call->reps == 0)
		return HYPERCALL_REFUSED_NO_REPS;
	if (row->rep && call->start >= call->reps)
		return HYPERCALL_REFUSED_START_PAST_COUNT;
	return HYPERCALL_REFUSAL_COUNT;
}

/* The privilege that a call needs, provided or not: whoever lacks it is told no more. */
static uint64_t privilege_of(uint16_t code, const struct hypercall_row *row)
{
	if (row)
		return row->privilege;
	if (code >= HV_CALL_EXT_FIRST)
		return HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS;
	for (size_t i = 0; i < sizeof not_provided / sizeof not_provided[0]; i++)
		if (not_provided[i].code == code)
			return not_provided[i].privilege;
	return 0;
}

static enum hypercall_refusal check_control(const struct partition *partition, struct call *call)
{
	const uint16_t code = (uint16_t)(call->control & HV_HYPERCALL_CODE_MASK);

	call->row = row_find(code);
	const uint64_t privilege = privilege_of(code, call->row);
	if ((partition->privileges & privilege) != privilege)
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
static uint64_t run(struct partition *partition, uint32_t vp, const struct call *call,
	const uint8_t *input, uint8_t *output)
{
	const struct hypercall_row *row = call->row;

	if (row->simple)
		return hv_hypercall_result(row->simple(partition, vp, input, output), 0);

	/* A page of elements at most: short enough to need no continuation. */
	for (uint16_t i = call->start; i < call->reps; i++) {
		const uint16_t status = row->rep(partition, vp, input,
			input + row->input_bytes + (size_t)i * row->element_bytes,
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
	if (call->row->rep)
		return (size_t)(hv_hypercall_result_reps(result) - call->start) * element;
	return hv_hypercall_result_status(result) == HV_STATUS_SUCCESS ? call->output_bytes : 0;
}

static void run_fast(struct partition *partition, uint32_t vp, const struct call *call,
	struct hypercall_registers *registers)
{
	uint8_t block[REGISTER_BLOCK_BYTES];
	uint8_t output[REGISTER_BLOCK_BYTES] = {0};
	size_t first;

	memcpy(block, &registers->rdx, 8);
	memcpy(block + 8, &registers->r8, 8);
	memcpy(block + 16, registers->xmm, sizeof registers->xmm);
	registers->rax = run(partition, vp, call, block, output);
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
	size_t first;

	const enum hypercall_refusal refusal = check_addresses(
		partition, call, registers->rdx, registers->r8, &guest_input, &guest_output);
	if (refusal != HYPERCALL_REFUSAL_COUNT)
		return refusal;
	if (guest_input)
		memcpy(input, guest_input, call->input_bytes);
	registers->rax = run(partition, vp, call, input, output);
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

enum partition_fault partition_hypercall(
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
