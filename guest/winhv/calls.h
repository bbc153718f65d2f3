// SPDX-License-Identifier: Apache-2.0
/*
 * Typed hypercalls: interrupts, TLB flushes, registers and the rest that an ordinary guest
 * may call, over winhv_call(). Those of the SynIC are in winhv.h.
 *
 *	client, test, unikernel -> calls.h -> winhv_call() -> platform
 *
 * Each returns 0 and the HV_STATUS_* in *status, or a negative VIRIDIAN_E* as winhv_call()
 * does. `is_fast` asks for the form in registers (with XMM where it takes more than two).
 *
 * Threads: as winhv.h. Freestanding.
 * Sources: TLFS, "Virtual processors", "Virtual MMU", "Virtual interrupts".
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

#endif
