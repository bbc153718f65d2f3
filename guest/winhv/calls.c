// SPDX-License-Identifier: Apache-2.0
/*
 * Typed hypercalls. See calls.h.
 */
#include "guest/winhv/calls.h"

#include "protocol/errors.h"

#define FAST_BYTES 16u /* in two registers */

/* ---- forms: the column "kind" of protocol/hypervisor.md, 5 ---------------------------------- */

static const struct {
	uint16_t code;
	uint8_t forms;
} forms[] = {
	{HV_CALL_SWITCH_VIRTUAL_ADDRESS_SPACE, WINHV_FORM_FAST},
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, WINHV_FORM_FAST | WINHV_FORM_XMM},
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST, WINHV_FORM_REP | WINHV_FORM_FAST | WINHV_FORM_XMM},
	{HV_CALL_NOTIFY_LONG_SPIN_WAIT, WINHV_FORM_FAST},
	{HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, WINHV_FORM_FAST},
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, WINHV_FORM_FAST | WINHV_FORM_XMM},
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX, WINHV_FORM_REP | WINHV_FORM_FAST | WINHV_FORM_XMM},
	{HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, WINHV_FORM_FAST | WINHV_FORM_XMM},
	{HV_CALL_GET_PARTITION_ID, 0},
	{HV_CALL_GET_VP_REGISTERS, WINHV_FORM_REP},
	{HV_CALL_SET_VP_REGISTERS, WINHV_FORM_REP},
	{HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, 0},
	{HV_CALL_DELETE_PORT, 0},
	{HV_CALL_DISCONNECT_PORT, 0},
	{HV_CALL_POST_MESSAGE, 0},
	{HV_CALL_SIGNAL_EVENT, WINHV_FORM_FAST},
	{HV_CALL_POST_DEBUG_DATA, 0},
	{HV_CALL_RETRIEVE_DEBUG_DATA, 0},
	{HV_CALL_RESET_DEBUG_SESSION, WINHV_FORM_FAST},
	{HV_CALL_RETARGET_DEVICE_INTERRUPT, 0},
	{HV_CALL_CREATE_PORT, 0},
	{HV_CALL_CONNECT_PORT, 0},
	{HV_CALL_START_VIRTUAL_PROCESSOR, 0},
	{HV_CALL_GET_VP_INDEX_FROM_APIC_ID, WINHV_FORM_REP},
	{HV_CALL_EXT_QUERY_CAPABILITIES, 0},
	{HV_CALL_EXT_GET_BOOT_ZEROED_MEMORY, 0},
};

uint32_t winhv_call_forms(uint16_t code)
{
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (forms[i].code == code)
			return forms[i].forms | WINHV_FORM_KNOWN;
	return 0;
}

bool winhv_call_may_be_fast(const struct winhv *hv, const struct winhv_call *call)
{
	const uint32_t may = winhv_call_forms(call->code);
	const size_t bytes = call->header_bytes + call->reps * call->element_bytes;

	if (!(may & WINHV_FORM_FAST) || call->output_bytes > 0)
		return false;
	if (bytes <= FAST_BYTES)
		return true;
	return (may & WINHV_FORM_XMM) && bytes <= HV_HYPERCALL_XMM_FAST_INPUT_BYTES &&
	       (hv->identity.features & HV_FEATURE_XMM_HYPERCALL_INPUT);
}

int winhv_call_best(
	struct winhv *hv, const struct winhv_call *call, uint16_t *reps_done, uint16_t *status)
{
	struct winhv_call best = *call;

	best.is_fast = winhv_call_may_be_fast(hv, call);
	return winhv_call(hv, &best, reps_done, status);
}

/* A simple call; output NULL: none. */
static int simple(struct winhv *hv, uint16_t code, const void *input, size_t input_bytes,
	void *output, size_t output_bytes, uint16_t *status)
{
	const struct winhv_call call = {.code = code,
		.header = input,
		.header_bytes = input_bytes,
		.output = output,
		.output_bytes = output_bytes};

	return winhv_call_best(hv, &call, NULL, status);
}

/* ---- interrupts and TLB flushes ------------------------------------------------------------ */

/* The VP set as it is sent: fixed part at `fixed`, banks behind it. Returns how many. */
static uint16_t vp_set_encode(
	const struct winhv_vp_set *set, struct hv_vp_set_wire *fixed, uint64_t *banks)
{
	uint16_t count = 0;

	*fixed = (struct hv_vp_set_wire){
		.format = set->is_all ? HV_VP_SET_FORMAT_ALL : HV_VP_SET_FORMAT_SPARSE,
		.bank_mask = set->is_all ? 0 : set->bank_mask,
	};
	for (unsigned b = 0; b < HV_VP_SET_BANK_COUNT; b++)
		if (fixed->bank_mask >> b & 1)
			banks[count++] = set->banks[b];
	return count;
}

int winhv_send_ipi(struct winhv *hv, bool is_fast, uint32_t vector, uint64_t mask, uint16_t *status)
{
	const struct hv_send_ipi_wire wire = {.vector = vector, .processor_mask = mask};
	const struct winhv_call call = {.code = HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI,
		.is_fast = is_fast,
		.header = &wire,
		.header_bytes = sizeof wire};

	return winhv_call(hv, &call, NULL, status);
}

int winhv_send_ipi_ex(struct winhv *hv, bool is_fast, uint32_t vector,
	const struct winhv_vp_set *set, uint16_t *status)
{
	struct {
		struct hv_send_ipi_ex_wire fixed;
		uint64_t banks[HV_VP_SET_BANK_COUNT];
	} input = {.fixed = {.vector = vector}};
	const uint16_t banks = vp_set_encode(set, &input.fixed.processors, input.banks);
	const struct winhv_call call = {.code = HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX,
		.is_fast = is_fast,
		.varhead_u64 = banks,
		.header = &input,
		.header_bytes = sizeof input.fixed + banks * sizeof input.banks[0]};

	return winhv_call(hv, &call, NULL, status);
}

int winhv_flush_list(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	uint64_t mask, const uint64_t *ranges, uint16_t count, uint16_t *done, uint16_t *status)
{
	const struct hv_flush_wire wire = {
		.address_space = address_space, .flags = flags, .processor_mask = mask};
	const struct winhv_call call = {
		.code = count > 0 ? HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST
				  : HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
		.is_fast = is_fast,
		.reps = count,
		.header = &wire,
		.header_bytes = sizeof wire,
		.elements = ranges,
		.element_bytes = count > 0 ? sizeof *ranges : 0,
	};

	return winhv_call(hv, &call, done, status);
}

int winhv_flush(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	uint64_t mask, uint16_t *status)
{
	return winhv_flush_list(hv, is_fast, address_space, flags, mask, NULL, 0, NULL, status);
}

int winhv_flush_list_ex(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	const struct winhv_vp_set *set, const uint64_t *ranges, uint16_t count, uint16_t *done,
	uint16_t *status)
{
	struct {
		struct hv_flush_ex_wire fixed;
		uint64_t banks[HV_VP_SET_BANK_COUNT];
	} input = {.fixed = {.address_space = address_space, .flags = flags}};
	const uint16_t banks = vp_set_encode(set, &input.fixed.processors, input.banks);
	const struct winhv_call call = {
		.code = count > 0 ? HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX
				  : HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,
		.is_fast = is_fast,
		.varhead_u64 = banks,
		.reps = count,
		.header = &input,
		.header_bytes = sizeof input.fixed + banks * sizeof input.banks[0],
		.elements = ranges,
		.element_bytes = count > 0 ? sizeof *ranges : 0,
	};

	return winhv_call(hv, &call, done, status);
}

int winhv_flush_ex(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	const struct winhv_vp_set *set, uint16_t *status)
{
	return winhv_flush_list_ex(hv, is_fast, address_space, flags, set, NULL, 0, NULL, status);
}

int winhv_notify_long_spin_wait(struct winhv *hv, uint32_t spins, uint16_t *status)
{
	const struct hv_notify_long_spin_wait_wire wire = {.spin_count = spins};

	return simple(hv, HV_CALL_NOTIFY_LONG_SPIN_WAIT, &wire, sizeof wire, NULL, 0, status);
}

int winhv_switch_address_space(struct winhv *hv, uint64_t address_space, uint16_t *status)
{
	return simple(hv, HV_CALL_SWITCH_VIRTUAL_ADDRESS_SPACE, &address_space,
		sizeof address_space, NULL, 0, status);
}

/* The set's format stands where the mask would; its bank mask begins the variable header. */
int winhv_retarget_interrupt(struct winhv *hv,
	const struct hv_retarget_device_interrupt_wire *target, const struct winhv_vp_set *set,
	uint16_t *status)
{
	struct {
		struct hv_retarget_device_interrupt_wire fixed;
		uint64_t bank_mask;
		uint64_t banks[HV_VP_SET_BANK_COUNT];
	} input = {.fixed = *target};
	struct winhv_call call = {.code = HV_CALL_RETARGET_DEVICE_INTERRUPT,
		.header = &input,
		.header_bytes = sizeof input.fixed};

	if (set) {
		struct hv_vp_set_wire wire;
		const uint16_t banks = vp_set_encode(set, &wire, input.banks);
		input.fixed.flags |= HV_RETARGET_PROCESSOR_SET;
		input.fixed.processor_mask = wire.format;
		input.bank_mask = wire.bank_mask;
		call.varhead_u64 = (uint16_t)(1 + banks);
		call.header_bytes += call.varhead_u64 * sizeof input.bank_mask;
	}
	return winhv_call_best(hv, &call, NULL, status);
}

/* ---- virtual processors -------------------------------------------------------------------- */

int winhv_start_vp(struct winhv *hv, uint32_t vp, uint8_t vtl,
	const struct hv_x64_vp_context_wire *context, uint16_t *status)
{
	const struct hv_start_virtual_processor_wire wire = {
		.header = {.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp, .vtl = vtl},
		.context = *context};

	return simple(hv, HV_CALL_START_VIRTUAL_PROCESSOR, &wire, sizeof wire, NULL, 0, status);
}

int winhv_translate(struct winhv *hv, uint32_t vp, uint64_t flags, uint64_t gva_page,
	struct hv_translate_output_wire *output, uint16_t *status)
{
	const struct hv_translate_wire wire = {.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = vp,
		.control_flags = flags,
		.gva_page = gva_page};

	return simple(hv, HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, &wire, sizeof wire, output,
		sizeof *output, status);
}

int winhv_registers_get(struct winhv *hv, uint32_t vp, const uint32_t *names, uint16_t count,
	struct hv_register_value_wire *values, uint16_t *done, uint16_t *status)
{
	const struct hv_vp_registers_header_wire header = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp};

	return winhv_hypercall_rep(hv, HV_CALL_GET_VP_REGISTERS, &header, sizeof header, names,
		sizeof *names, count, values, sizeof *values, done, status);
}

int winhv_registers_set(struct winhv *hv, uint32_t vp, const struct hv_set_register_wire *registers,
	uint16_t count, uint16_t *done, uint16_t *status)
{
	const struct hv_vp_registers_header_wire header = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp};

	return winhv_hypercall_rep(hv, HV_CALL_SET_VP_REGISTERS, &header, sizeof header, registers,
		sizeof *registers, count, NULL, 0, done, status);
}

int winhv_vp_index_from_apic_id(struct winhv *hv, const uint32_t *apic_ids, uint16_t count,
	uint32_t *vps, uint16_t *done, uint16_t *status)
{
	const struct hv_get_vp_index_header_wire header = {.partition_id = HV_PARTITION_ID_SELF};

	return winhv_hypercall_rep(hv, HV_CALL_GET_VP_INDEX_FROM_APIC_ID, &header, sizeof header,
		apic_ids, sizeof *apic_ids, count, vps, sizeof *vps, done, status);
}

int winhv_partition_id(struct winhv *hv, uint64_t *id, uint16_t *status)
{
	return simple(hv, HV_CALL_GET_PARTITION_ID, NULL, 0, id, sizeof *id, status);
}

/* ---- ports --------------------------------------------------------------------------------- */

int winhv_create_port(struct winhv *hv, const struct hv_create_port_wire *port, uint16_t *status)
{
	return simple(hv, HV_CALL_CREATE_PORT, port, sizeof *port, NULL, 0, status);
}

int winhv_connect_port(
	struct winhv *hv, const struct hv_connect_port_wire *connection, uint16_t *status)
{
	return simple(hv, HV_CALL_CONNECT_PORT, connection, sizeof *connection, NULL, 0, status);
}

int winhv_delete_port(struct winhv *hv, uint64_t partition, uint32_t port_id, uint16_t *status)
{
	const struct hv_delete_port_wire wire = {.partition = partition, .id = port_id};

	return simple(hv, HV_CALL_DELETE_PORT, &wire, sizeof wire, NULL, 0, status);
}

int winhv_disconnect_port(
	struct winhv *hv, uint64_t partition, uint32_t connection_id, uint16_t *status)
{
	const struct hv_delete_port_wire wire = {.partition = partition, .id = connection_id};

	return simple(hv, HV_CALL_DISCONNECT_PORT, &wire, sizeof wire, NULL, 0, status);
}

/* ---- extended calls, debugging ------------------------------------------------------------- */

int winhv_query_capabilities(struct winhv *hv, uint64_t *capabilities, uint16_t *status)
{
	return simple(hv, HV_CALL_EXT_QUERY_CAPABILITIES, NULL, 0, capabilities,
		sizeof *capabilities, status);
}

int winhv_boot_zeroed_memory(struct winhv *hv, struct hv_ext_zeroed_range_wire *ranges,
	uint16_t *count, uint16_t *status)
{
	struct {
		uint64_t count;
		struct hv_ext_zeroed_range_wire ranges[HV_EXT_BOOT_ZEROED_RANGES_MAX];
	} output = {0};

	*count = 0;
	const int error = simple(
		hv, HV_CALL_EXT_GET_BOOT_ZEROED_MEMORY, NULL, 0, &output, sizeof output, status);
	if (error || *status != HV_STATUS_SUCCESS)
		return error;
	if (output.count > HV_EXT_BOOT_ZEROED_RANGES_MAX)
		return -VIRIDIAN_EPROTO;
	*count = (uint16_t)output.count;
	__builtin_memcpy(ranges, output.ranges, *count * sizeof *ranges);
	return 0;
}

int winhv_reset_debug_session(struct winhv *hv, uint16_t *status)
{
	const struct hv_reset_debug_session_wire wire = {0};

	return simple(hv, HV_CALL_RESET_DEBUG_SESSION, &wire, sizeof wire, NULL, 0, status);
}

int winhv_retrieve_debug_data(struct winhv *hv, uint64_t timeout, void *data, size_t *bytes,
	uint32_t *remaining, uint16_t *status)
{
	struct {
		struct hv_retrieve_debug_data_output_wire fixed;
		uint8_t data[WINHV_DEBUG_DATA_MAX];
	} output;
	const size_t room = *bytes < sizeof output.data ? *bytes : sizeof output.data;
	const struct hv_retrieve_debug_data_wire wire = {
		.count = (uint32_t)room, .timeout = timeout};

	*bytes = 0;
	*remaining = 0;
	const int error = simple(hv, HV_CALL_RETRIEVE_DEBUG_DATA, &wire, sizeof wire, &output,
		sizeof output, status);
	if (error || *status != HV_STATUS_SUCCESS)
		return error;
	if (output.fixed.retrieved_count > room)
		return -VIRIDIAN_EPROTO;
	*bytes = output.fixed.retrieved_count;
	*remaining = output.fixed.remaining_count;
	__builtin_memcpy(data, output.data, *bytes);
	return 0;
}

int winhv_post_debug_data(
	struct winhv *hv, const void *data, size_t bytes, uint32_t *pending, uint16_t *status)
{
	struct {
		uint32_t count, options;
		uint8_t data[WINHV_DEBUG_DATA_MAX];
	} input;

	if (bytes > sizeof input.data)
		return -VIRIDIAN_EINVAL;
	input.count = (uint32_t)bytes;
	input.options = 0;
	if (bytes > 0)
		__builtin_memcpy(input.data, data, bytes);
	*pending = 0;
	return winhv_hypercall(hv, HV_CALL_POST_DEBUG_DATA, &input,
		sizeof input - sizeof input.data + bytes, pending, sizeof *pending, status);
}
