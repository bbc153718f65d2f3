// SPDX-License-Identifier: Apache-2.0
/*
 * Can a processor go on with this register value? What VT-x (and, of less, AMD-V) demands of a
 * guest's state when it enters the guest: a value that fails there ends the VP, so it is refused
 * where it would be set. The stricter of the two counts on both.
 *
 * For 64-bit code of privilege level 0, which is what makes hypercalls.
 *
 * Threads: any; no state.
 *
 * Sources: Intel SDM volume 3, "Checks on the guest state area"; AMD APM volume 2, "VMRUN".
 */
#ifndef HOST_HYPERVISOR_VP_STATE_X86_H
#define HOST_HYPERVISOR_VP_STATE_X86_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/* What of the attributes of a segment means nothing and must be 0. */
#define VP_STATE_SEGMENT_RESERVED 0x0f00u

/* `name`: HV_X64_REGISTER_ES..TR; `rest`: all segments, of which others limit this one. */
bool vp_state_segment_is_valid(
	uint32_t name, const struct kvm_segment *segment, const struct kvm_sregs *rest);
/* Of IDTR and GDTR. */
bool vp_state_table_is_valid(const struct kvm_dtable *table);
bool vp_state_cr0_is_valid(uint64_t value);
bool vp_state_rip_is_valid(uint64_t value, const struct kvm_sregs *rest);
bool vp_state_rflags_are_valid(uint64_t value);

#endif
