// SPDX-License-Identifier: Apache-2.0
/*
 * Typed hypercalls: every call of protocol/hypervisor.md over winhv_call(); posting and
 * signalling are in winhv.h.
 *
 *	client, test, unikernel -> calls.h -> winhv_call() -> platform
 *
 * Each returns 0 and the HV_STATUS_* in *status, or a negative VIRIDIAN_E* as winhv_call()
 * does. The form, registers or memory, is chosen by the table of winhv_call_forms(); where a
 * function has `is_fast`, the caller asks for the form in registers (with XMM where it takes
 * more than two).
 *
 * Threads: as winhv.h. Freestanding.
 * Sources: TLFS, "Virtual processors", "Virtual MMU", "Virtual interrupts", "Inter-partition
 * communication"; protocol/hypervisor.md, 5 and 6.
 */
#ifndef GUEST_WINHV_CALLS_H
#define GUEST_WINHV_CALLS_H

#include "guest/winhv/winhv.h"
#include "protocol/hypervisor.h"

/* A set of VPs, by index; or of all. */
struct winhv_vp_set {
	bool is_all;
	uint64_t bank_mask;
	uint64_t banks[HV_VP_SET_BANK_COUNT]; /* by number: bank b is VPs 64b..64b+63 */
};

static inline void winhv_vp_set_add(struct winhv_vp_set *set, uint32_t vp)
{
	set->bank_mask |= 1ull << vp / 64 % HV_VP_SET_BANK_COUNT;
	set->banks[vp / 64 % HV_VP_SET_BANK_COUNT] |= 1ull << vp % 64;
}

/* HvCallSendSyntheticClusterIpi: `vector` to the VPs 0..63 of `mask`. */
int winhv_send_ipi(
	struct winhv *hv, bool is_fast, uint32_t vector, uint64_t mask, uint16_t *status);
int winhv_send_ipi_ex(struct winhv *hv, bool is_fast, uint32_t vector,
	const struct winhv_vp_set *set, uint16_t *status);

/* HvCallFlushVirtualAddressSpace: flags HV_FLUSH_*; `address_space` is a CR3. */
int winhv_flush(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	uint64_t mask, uint16_t *status);
int winhv_flush_ex(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	const struct winhv_vp_set *set, uint16_t *status);
/* HvCallFlushVirtualAddressList: `count` ranges: page address | further pages (0..4095). */
int winhv_flush_list(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	uint64_t mask, const uint64_t *ranges, uint16_t count, uint16_t *done, uint16_t *status);
int winhv_flush_list_ex(struct winhv *hv, bool is_fast, uint64_t address_space, uint64_t flags,
	const struct winhv_vp_set *set, const uint64_t *ranges, uint16_t count, uint16_t *done,
	uint16_t *status);

/* HvCallNotifyLongSpinWait: after `spins` attempts on a lock. Fast. */
int winhv_notify_long_spin_wait(struct winhv *hv, uint32_t spins, uint16_t *status);

/*
 * HvCallGetVpRegisters, HvCallSetVpRegisters of this partition: names HV_REGISTER_*,
 * HV_X64_REGISTER_*. vp: an index, or HV_VP_INDEX_SELF. *done of them were read or set.
 */
int winhv_registers_get(struct winhv *hv, uint32_t vp, const uint32_t *names, uint16_t count,
	struct hv_register_value_wire *values, uint16_t *done, uint16_t *status);
int winhv_registers_set(struct winhv *hv, uint32_t vp, const struct hv_set_register_wire *registers,
	uint16_t count, uint16_t *done, uint16_t *status);

/* HvCallGetVpIndexFromApicId. */
int winhv_vp_index_from_apic_id(struct winhv *hv, const uint32_t *apic_ids, uint16_t count,
	uint32_t *vps, uint16_t *done, uint16_t *status);

/* HvExtCallQueryCapabilities: HV_EXT_CAPABILITY_* */
int winhv_query_capabilities(struct winhv *hv, uint64_t *capabilities, uint16_t *status);

/* HvCallPostDebugData: up to WINHV_DEBUG_DATA_MAX bytes; *pending: what was not taken. */
#define WINHV_DEBUG_DATA_MAX 4088u
int winhv_post_debug_data(
	struct winhv *hv, const void *data, size_t bytes, uint32_t *pending, uint16_t *status);

/* HvCallRetrieveDebugData, HvCallResetDebugSession. *bytes: room; then what came. */
int winhv_retrieve_debug_data(struct winhv *hv, uint64_t timeout, void *data, size_t *bytes,
	uint32_t *remaining, uint16_t *status);
int winhv_reset_debug_session(struct winhv *hv, uint16_t *status);

/* HvCallSwitchVirtualAddressSpace: `address_space` is a CR3. */
int winhv_switch_address_space(struct winhv *hv, uint64_t address_space, uint16_t *status);

/* HvCallGetPartitionId. */
int winhv_partition_id(struct winhv *hv, uint64_t *id, uint16_t *status);

/* HvCallTranslateVirtualAddress: `gva_page` is a page number, `flags` the TLFS's control flags. */
int winhv_translate(struct winhv *hv, uint32_t vp, uint64_t flags, uint64_t gva_page,
	struct hv_translate_output_wire *output, uint16_t *status);

/* HvCallStartVirtualProcessor: VP `vp` of this partition begins with `context` at that VTL. */
int winhv_start_vp(struct winhv *hv, uint32_t vp, uint8_t vtl,
	const struct hv_x64_vp_context_wire *context, uint16_t *status);

/*
 * HvCallRetargetDeviceInterrupt. With `set` the interrupt goes to these VPs (its flag is set
 * here); without, to those of target->processor_mask.
 */
int winhv_retarget_interrupt(struct winhv *hv,
	const struct hv_retarget_device_interrupt_wire *target, const struct winhv_vp_set *set,
	uint16_t *status);

/* HvExtCallGetBootZeroedMemory: at most HV_EXT_BOOT_ZEROED_RANGES_MAX ranges; *count of them. */
int winhv_boot_zeroed_memory(struct winhv *hv, struct hv_ext_zeroed_range_wire *ranges,
	uint16_t *count, uint16_t *status);

/* Ports, for partitions that may create them. The ids of a port and of a connection differ. */
int winhv_create_port(struct winhv *hv, const struct hv_create_port_wire *port, uint16_t *status);
int winhv_delete_port(struct winhv *hv, uint64_t partition, uint32_t port_id, uint16_t *status);
int winhv_connect_port(
	struct winhv *hv, const struct hv_connect_port_wire *connection, uint16_t *status);
int winhv_disconnect_port(
	struct winhv *hv, uint64_t partition, uint32_t connection_id, uint16_t *status);

/* ---- forms --------------------------------------------------------------------------------- */

#define WINHV_FORM_KNOWN 0x1u /* the contract has this call */
#define WINHV_FORM_REP	 0x2u
#define WINHV_FORM_FAST	 0x4u /* input of up to 16 bytes may travel in registers */
#define WINHV_FORM_XMM	 0x8u /* and of up to 112 with XMM, where that is offered */

/* WINHV_FORM_* of a call; 0: the contract has none with this code. */
uint32_t winhv_call_forms(uint16_t code);

/*
 * May this call go in registers here: by its forms, by the size of its input, and by what the
 * hypervisor offers? A call with output may not: its output then comes back in memory.
 */
bool winhv_call_may_be_fast(const struct winhv *hv, const struct winhv_call *call);

/* winhv_call() in the better form; call->is_fast is not looked at. */
int winhv_call_best(
	struct winhv *hv, const struct winhv_call *call, uint16_t *reps_done, uint16_t *status);

#endif
