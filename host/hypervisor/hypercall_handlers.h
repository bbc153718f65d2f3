// SPDX-License-Identifier: Apache-2.0
/*
 * The handlers of hypercalls, for the table in hypercall_table.c alone. What each call does
 * and which statuses it gives: TLFS, and protocol/hypervisor.md, sections 5 and 6.
 *
 * Threads: the partition's lock is held. (Those of registers let go of it while the backend
 * reads or writes one.)
 */
#ifndef HOST_HYPERVISOR_HYPERCALL_HANDLERS_H
#define HOST_HYPERVISOR_HYPERCALL_HANDLERS_H

#include "host/hypervisor/hypercall.h"

/* hypercall_message.c */
uint16_t hypercall_post_message(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_signal_event(const struct hypercall_context *call, uint8_t *output);

/* hypercall_vp.c */
bool hypercall_spin_wait_is_offered(const struct partition *partition);
uint16_t hypercall_notify_long_spin_wait(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_get_vp_registers(
	const struct hypercall_context *call, const uint8_t *element, uint8_t *output);
uint16_t hypercall_set_vp_registers(
	const struct hypercall_context *call, const uint8_t *element, uint8_t *output);
bool hypercall_apic_ids_are_offered(const struct partition *partition);
uint16_t hypercall_get_vp_index_from_apic_id(
	const struct hypercall_context *call, const uint8_t *element, uint8_t *output);
uint16_t hypercall_ext_query_capabilities(const struct hypercall_context *call, uint8_t *output);

/* hypercall_ipi.c */
bool hypercall_ipi_is_offered(const struct partition *partition);
bool hypercall_ipi_ex_is_offered(const struct partition *partition);
bool hypercall_flush_is_offered(const struct partition *partition);
bool hypercall_flush_ex_is_offered(const struct partition *partition);
uint16_t hypercall_send_ipi(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_send_ipi_ex(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_flush_space(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_flush_space_ex(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_flush_list(const struct hypercall_context *call);
uint16_t hypercall_flush_list_ex(const struct hypercall_context *call);

/* hypercall_debug.c */
uint16_t hypercall_post_debug_data(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_retrieve_debug_data(const struct hypercall_context *call, uint8_t *output);
uint16_t hypercall_reset_debug_session(const struct hypercall_context *call, uint8_t *output);

#endif
