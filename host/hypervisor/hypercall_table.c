// SPDX-License-Identifier: Apache-2.0
/*
 * The table of hypercalls. See hypercall.h.
 */
#include "host/hypervisor/hypercall.h"

#include "host/hypervisor/hypercall_handlers.h"
#include "protocol/hypervisor.h"

static const struct hypercall_row table[] = {
	{
		.code = HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.input_bytes = sizeof(struct hv_flush_wire),
		.is_offered = hypercall_flush_is_offered,
		.simple = hypercall_flush_space,
	},
	{
		.code = HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.input_bytes = sizeof(struct hv_flush_wire),
		.element_bytes = sizeof(uint64_t),
		.is_offered = hypercall_flush_is_offered,
		.list = hypercall_flush_list,
	},
	{
		.code = HV_CALL_NOTIFY_LONG_SPIN_WAIT,
		.flags = HYPERCALL_FAST,
		.input_bytes = sizeof(struct hv_notify_long_spin_wait_wire),
		.is_offered = hypercall_spin_wait_is_offered,
		.simple = hypercall_notify_long_spin_wait,
	},
	{
		.code = HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI,
		.flags = HYPERCALL_FAST,
		.input_bytes = sizeof(struct hv_send_ipi_wire),
		.is_offered = hypercall_ipi_is_offered,
		.simple = hypercall_send_ipi,
	},
	{
		.code = HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM | HYPERCALL_VARIABLE,
		.input_bytes = sizeof(struct hv_flush_ex_wire),
		.is_offered = hypercall_flush_ex_is_offered,
		.simple = hypercall_flush_space_ex,
	},
	{
		.code = HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM | HYPERCALL_VARIABLE,
		.input_bytes = sizeof(struct hv_flush_ex_wire),
		.element_bytes = sizeof(uint64_t),
		.is_offered = hypercall_flush_ex_is_offered,
		.list = hypercall_flush_list_ex,
	},
	{
		.code = HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM | HYPERCALL_VARIABLE,
		.input_bytes = sizeof(struct hv_send_ipi_ex_wire),
		.is_offered = hypercall_ipi_ex_is_offered,
		.simple = hypercall_send_ipi_ex,
	},
	{
		.code = HV_CALL_GET_VP_REGISTERS,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.privilege = HV_PRIVILEGE_ACCESS_VP_REGISTERS,
		.input_bytes = sizeof(struct hv_vp_registers_header_wire),
		.element_bytes = sizeof(uint32_t),
		.output_element_bytes = sizeof(struct hv_register_value_wire),
		.rep = hypercall_get_vp_registers,
	},
	{
		.code = HV_CALL_SET_VP_REGISTERS,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.privilege = HV_PRIVILEGE_ACCESS_VP_REGISTERS,
		.input_bytes = sizeof(struct hv_vp_registers_header_wire),
		.element_bytes = sizeof(struct hv_set_register_wire),
		.rep = hypercall_set_vp_registers,
	},
	{
		.code = HV_CALL_POST_MESSAGE,
		.privilege = HV_PRIVILEGE_POST_MESSAGES,
		.input_bytes = sizeof(struct hv_post_message_wire),
		.simple = hypercall_post_message,
	},
	{
		.code = HV_CALL_SIGNAL_EVENT,
		.flags = HYPERCALL_FAST,
		.privilege = HV_PRIVILEGE_SIGNAL_EVENTS,
		.input_bytes = sizeof(struct hv_signal_event_wire),
		.simple = hypercall_signal_event,
	},
	{
		.code = HV_CALL_POST_DEBUG_DATA,
		.flags = HYPERCALL_DATA,
		.privilege = HV_PRIVILEGE_DEBUGGING,
		.input_bytes = sizeof(struct hv_post_debug_data_wire),
		.output_bytes = sizeof(struct hv_post_debug_data_output_wire),
		.simple = hypercall_post_debug_data,
	},
	{
		.code = HV_CALL_RETRIEVE_DEBUG_DATA,
		.privilege = HV_PRIVILEGE_DEBUGGING,
		.input_bytes = sizeof(struct hv_retrieve_debug_data_wire),
		.output_bytes = sizeof(struct hv_retrieve_debug_data_output_wire),
		.simple = hypercall_retrieve_debug_data,
	},
	{
		.code = HV_CALL_RESET_DEBUG_SESSION,
		.flags = HYPERCALL_FAST,
		.privilege = HV_PRIVILEGE_DEBUGGING,
		.input_bytes = sizeof(struct hv_reset_debug_session_wire),
		.simple = hypercall_reset_debug_session,
	},
	{
		.code = HV_CALL_GET_VP_INDEX_FROM_APIC_ID,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.input_bytes = sizeof(struct hv_get_vp_index_header_wire),
		.element_bytes = sizeof(uint32_t),
		.output_element_bytes = sizeof(uint32_t),
		.is_offered = hypercall_apic_ids_are_offered,
		.rep = hypercall_get_vp_index_from_apic_id,
	},
	{
		.code = HV_CALL_EXT_QUERY_CAPABILITIES,
		.flags = HYPERCALL_FAST | HYPERCALL_XMM,
		.privilege = HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS,
		.output_bytes = sizeof(uint64_t),
		.simple = hypercall_ext_query_capabilities,
	},
};

#define ROWS (sizeof table / sizeof table[0])

const struct hypercall_row *hypercall_table(size_t *count)
{
	*count = ROWS;
	return table;
}

const struct hypercall_row *hypercall_find(uint16_t code)
{
	size_t first = 0, end = ROWS;

	while (first < end) {
		const size_t middle = (first + end) / 2;
		if (table[middle].code == code)
			return &table[middle];
		if (table[middle].code < code)
			first = middle + 1;
		else
			end = middle;
	}
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
	{HV_CALL_MAP_STATS_PAGE, HV_PRIVILEGE_ACCESS_STATS},
	{HV_CALL_UNMAP_STATS_PAGE, HV_PRIVILEGE_ACCESS_STATS},
	{HV_CALL_CREATE_PORT, HV_PRIVILEGE_CREATE_PORT},
	{HV_CALL_CONNECT_PORT, HV_PRIVILEGE_CONNECT_PORT},
	{HV_CALL_START_VIRTUAL_PROCESSOR, HV_PRIVILEGE_START_VIRTUAL_PROCESSOR},
};

uint64_t hypercall_privilege(uint16_t code)
{
	if (code >= HV_CALL_EXT_FIRST)
		return HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS;
	for (size_t i = 0; i < sizeof not_provided / sizeof not_provided[0]; i++)
		if (not_provided[i].code == code)
			return not_provided[i].privilege;
	return 0;
}
