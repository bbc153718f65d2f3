// SPDX-License-Identifier: Apache-2.0
/*
 * VPs after power-on: what KVM made of them is saved once and put back at each reset, then
 * VP 0 is set to where a boot loader wants it. VPs must be parked.
 *
 * Sources: Intel SDM volume 3, "Processor state after reset"; Documentation/virt/kvm/api.rst.
 */
#include "host/hypervisor/backend_kvm_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define CR0_PE	    (1ull << 0)
#define CR0_MP	    (1ull << 1)
#define CR0_ET	    (1ull << 4)
#define CR0_NE	    (1ull << 5)
#define CR0_WP	    (1ull << 16)
#define CR0_PG	    (1ull << 31)
#define CR4_PAE	    (1ull << 5)
#define CR4_OSFXSR  (1ull << 9)
#define CR4_OSXMMEX (1ull << 10)
#define EFER_LME    (1ull << 8)
#define EFER_LMA    (1ull << 10)

#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define TYPE_CODE     11 /* readable, accessed */
#define TYPE_DATA     3	 /* writable, accessed */

#define MSR_TSC		  0x10u
#define MSR_MTRR_DEFAULT  0x2ffu
#define MSR_MTRR_VARIABLE 0x200u
#define MTRR_ON_WB	  0x806u /* enabled, write-back by default */

#define MSRS_MAX     512u
#define IRQCHIPS     3u
#define INDICES_MAX  512u
#define VMX_MSR_LOW  0x480u
#define VMX_MSR_HIGH 0x4ffu

struct kvm_vp_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs debugregs;
	struct kvm_xcrs xcrs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	bool has_xcrs;
	uint32_t msr_count;
	struct kvm_msr_entry msrs[MSRS_MAX];
	struct kvm_xsave xsave; /* last: its size is open */
};

/* ---- saving -------------------------------------------------------------------------------- */

/* The TSC counts on; capabilities of VT-x are constants; synthetic MSRs are the partition's. */
static bool is_reset_msr(uint32_t index)
{
	return index != MSR_TSC && (index < VMX_MSR_LOW || index > VMX_MSR_HIGH) &&
	       (index < HV_X64_MSR_FIRST || index > HV_X64_MSR_LAST);
}

static void msr_save(const struct kvm_vp *vp, uint32_t index)
{
	struct kvm_vp_state *state = vp->power_on;
	uint64_t value;

	if (state->msr_count < MSRS_MAX && is_reset_msr(index) &&
		kvm_msr_get(vp->fd, index, &value))
		state->msrs[state->msr_count++] = (struct kvm_msr_entry){
			.index = index, .data = value};
}

static void msrs_save(const struct backend_kvm *kvm, const struct kvm_vp *vp)
{
	/* Memory type ranges, which not every KVM has in its list: variable, fixed, default. */
	static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c,
		0x26d, 0x26e, 0x26f, MSR_MTRR_DEFAULT};
	union {
		struct kvm_msr_list list;
		uint8_t bytes[sizeof(struct kvm_msr_list) + INDICES_MAX * sizeof(uint32_t)];
	} all;

	for (uint32_t i = 0; i < 16; i++)
		msr_save(vp, MSR_MTRR_VARIABLE + i);
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		msr_save(vp, fixed[i]);
	all.list.nmsrs = INDICES_MAX;
	if (ioctl(kvm->device_fd, KVM_GET_MSR_INDEX_LIST, &all) < 0)
		return;
	for (uint32_t i = 0; i < all.list.nmsrs && i < INDICES_MAX; i++)
		msr_save(vp, all.list.indices[i]);
}

static int vp_save(const struct backend_kvm *kvm, struct kvm_vp *vp)
{
	struct kvm_vp_state *state = calloc(1, sizeof *state);

	if (!state)
		return -ENOMEM;
	vp->power_on = state;
	if (ioctl(vp->fd, KVM_GET_REGS, &state->regs) < 0 ||
		ioctl(vp->fd, KVM_GET_SREGS, &state->sregs) < 0 ||
		ioctl(vp->fd, KVM_GET_DEBUGREGS, &state->debugregs) < 0 ||
		ioctl(vp->fd, KVM_GET_XSAVE, &state->xsave) < 0 ||
		ioctl(vp->fd, KVM_GET_LAPIC, &state->lapic) < 0 ||
		ioctl(vp->fd, KVM_GET_VCPU_EVENTS, &state->events) < 0 ||
		ioctl(vp->fd, KVM_GET_MP_STATE, &state->mp_state) < 0)
		return -errno;
	state->has_xcrs = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) > 0 &&
			  ioctl(vp->fd, KVM_GET_XCRS, &state->xcrs) == 0;
	msrs_save(kvm, vp);
	return 0;
}

int kvm_state_save(struct backend_kvm *kvm)
{
	kvm->irqchips = calloc(IRQCHIPS, sizeof *kvm->irqchips);
	if (!kvm->irqchips)
		return -ENOMEM;
	for (uint32_t i = 0; i < IRQCHIPS; i++) {
		kvm->irqchips[i].chip_id = i;
		if (ioctl(kvm->vm_fd, KVM_GET_IRQCHIP, &kvm->irqchips[i]) < 0)
			return -errno;
	}
	for (uint32_t i = 0; i < kvm->vp_count; i++) {
		const int error = vp_save(kvm, &kvm->vps[i]);
		if (error)
			return error;
	}
	return 0;
}

void kvm_state_destroy(struct backend_kvm *kvm)
{
	free(kvm->irqchips);
	for (uint32_t i = 0; i < kvm->vp_count; i++)
		free(kvm->vps[i].power_on);
}

/* ---- putting back -------------------------------------------------------------------------- */

/* Order: what SREGS check against comes first; the APIC after the mode that SREGS put it in. */
static int vp_restore(struct kvm_vp *vp)
{
	const struct kvm_vp_state *state = vp->power_on;

	vp->run->kvm_dirty_regs = 0;
	vp->is_incomplete = false;
	__atomic_store_n(&vp->requests, 0, __ATOMIC_SEQ_CST);
	if (ioctl(vp->fd, KVM_SET_SREGS, &state->sregs) < 0 ||
		ioctl(vp->fd, KVM_SET_REGS, &state->regs) < 0 ||
		ioctl(vp->fd, KVM_SET_XSAVE, &state->xsave) < 0 ||
		(state->has_xcrs && ioctl(vp->fd, KVM_SET_XCRS, &state->xcrs) < 0) ||
		ioctl(vp->fd, KVM_SET_DEBUGREGS, &state->debugregs) < 0 ||
		ioctl(vp->fd, KVM_SET_LAPIC, &state->lapic) < 0)
		return -errno;
	for (uint32_t i = 0; i < state->msr_count; i++)
		/* One that a guest cannot have changed may refuse even its own value. */
		(void)kvm_msr_set(vp->fd, state->msrs[i].index, state->msrs[i].data);
	/* As firmware leaves it, for guests that trust it to have been there. */
	(void)kvm_msr_set(vp->fd, MSR_MTRR_DEFAULT, MTRR_ON_WB);
	if (ioctl(vp->fd, KVM_SET_VCPU_EVENTS, &state->events) < 0 ||
		ioctl(vp->fd, KVM_SET_MP_STATE, &state->mp_state) < 0)
		return -errno;
	if (vp->has_auto_eoi)
		kvm_vp_request(vp, KVM_VP_REQUEST_AUTO_EOI);
	memset(vp->sints, 0, sizeof vp->sints);
	return 0;
}

/* ---- entry --------------------------------------------------------------------------------- */

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_long)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = is_long,
		.db = !is_long,
	};
}

static int entry_set(struct kvm_vp *vp, const struct vp_entry *entry)
{
	struct kvm_sregs sregs = vp->power_on->sregs;
	const struct kvm_regs regs = {
		.rip = entry->rip,
		.rsp = entry->rsp,
		.rsi = entry->rsi,
		.rax = entry->rax,
		.rbx = entry->rbx,
		.rflags = 2,
	};

	sregs.cs = segment(SELECTOR_CODE, TYPE_CODE, entry->is_long_mode);
	sregs.ds = segment(SELECTOR_DATA, TYPE_DATA, false);
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.gdt.base = entry->gdt;
	sregs.gdt.limit = entry->gdt ? 31 : 0;
	sregs.idt.limit = 0;
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
	if (entry->is_long_mode) {
		sregs.cr0 |= CR0_WP | CR0_PG;
		sregs.cr3 = entry->cr3;
		sregs.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEX;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	if (ioctl(vp->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vp->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

int backend_kvm_vps_reset(struct backend_kvm *kvm, const struct vp_entry *entry)
{
	for (uint32_t i = 0; i < IRQCHIPS; i++)
		if (ioctl(kvm->vm_fd, KVM_SET_IRQCHIP, &kvm->irqchips[i]) < 0)
			return -errno;
	for (uint32_t i = 0; i < kvm->vp_count; i++) {
		const int error = vp_restore(&kvm->vps[i]);
		if (error)
			return error;
	}
	/* A guest may have written its TSC. */
	(void)kvm_tsc_align(kvm);
	return entry_set(&kvm->vps[0], entry);
}
