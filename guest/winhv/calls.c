// SPDX-License-Identifier: Apache-2.0
/*
 * Typed hypercalls. See calls.h.
 */
#include "guest/winhv/calls.h"

#include "protocol/errors.h"

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
	return winhv_hypercall_fast(hv, HV_CALL_NOTIFY_LONG_SPIN_WAIT, spins, 0, status);
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

int winhv_query_capabilities(struct winhv *hv, uint64_t *capabilities, uint16_t *status)
{
	return winhv_hypercall(hv, HV_CALL_EXT_QUERY_CAPABILITIES, NULL, 0, capabilities,
		sizeof *capabilities, status);
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
