// SPDX-License-Identifier: Apache-2.0
/*
 * Registers of a VP that waits in an exit, on its own thread: by HV_X64_REGISTER_* name, the
 * XMM registers of fast hypercalls, and the local APIC.
 *
 * The local APIC is KVM's, and takes interrupts from other threads at any time, so it cannot
 * be read, changed and written back. KVM's handlers of the MSRs EOI, ICR and TPR do what is
 * wanted in one step, when they are written from here.
 *
 * Sources: TLFS, "Virtual processors: registers"; Documentation/virt/kvm/api.rst.
 */
#include "host/hypervisor/backend_kvm_internal.h"
#include "host/hypervisor/vp_state_x86.h"

#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#define FXSAVE_XMM_AT	   160u
#define XSAVE_XSTATE_BV_AT 512u
#define XSTATE_SSE	   2u

#define CR8_MAX 15u

#define MSR_EFER 0xc0000080u
/* SCE, LME, LMA, NXE, FFXSR: a guest cannot be a hypervisor itself (SVME). */
#define EFER_KNOWN 0x4d01ull

union one_msr {
	struct kvm_msrs msrs;
	uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

bool kvm_msr_get(int vp_fd, uint32_t index, uint64_t *value)
{
	union one_msr msr = {.bytes = {0}};

	msr.msrs.nmsrs = 1;
	msr.msrs.entries[0].index = index;
	if (ioctl(vp_fd, KVM_GET_MSRS, &msr) != 1)
		return false;
	*value = msr.msrs.entries[0].data;
	return true;
}

bool kvm_msr_set(int vp_fd, uint32_t index, uint64_t value)
{
	union one_msr msr = {.bytes = {0}};

	msr.msrs.nmsrs = 1;
	msr.msrs.entries[0].index = index;
	msr.msrs.entries[0].data = value;
	return ioctl(vp_fd, KVM_SET_MSRS, &msr) == 1;
}

/* ---- local APIC ---------------------------------------------------------------------------- */

static const uint32_t apic_msrs[] = {
	[PARTITION_APIC_EOI] = HV_X64_MSR_EOI,
	[PARTITION_APIC_ICR] = HV_X64_MSR_ICR,
	[PARTITION_APIC_TPR] = HV_X64_MSR_TPR,
};

uint64_t kvm_apic_read(void *ctx, uint32_t vp, enum partition_apic_register which)
{
	const struct backend_kvm *kvm = ctx;
	uint64_t value = 0;

	(void)kvm_msr_get(kvm->vps[vp].fd, apic_msrs[which], &value);
	return value;
}

void kvm_apic_write(void *ctx, uint32_t vp, enum partition_apic_register which, uint64_t value)
{
	const struct backend_kvm *kvm = ctx;

	(void)kvm_msr_set(kvm->vps[vp].fd, apic_msrs[which], value);
}

/* ---- XMM ----------------------------------------------------------------------------------- */

static uint8_t *xsave_bytes(struct kvm_xsave *xsave)
{
	return (uint8_t *)xsave->region;
}

bool kvm_xmm_read(struct kvm_vp *vp, uint64_t xmm[12])
{
	struct kvm_xsave xsave;

	if (ioctl(vp->fd, KVM_GET_XSAVE, &xsave) < 0)
		return false;
	memcpy(xmm, xsave_bytes(&xsave) + FXSAVE_XMM_AT, 12 * sizeof xmm[0]);
	return true;
}

/* Write `count` quadwords of XMM registers, from quadword `first` on. */
static bool xmm_write(struct kvm_vp *vp, const uint64_t *values, size_t first, size_t count)
{
	struct kvm_xsave xsave;
	uint64_t parts;

	if (ioctl(vp->fd, KVM_GET_XSAVE, &xsave) < 0)
		return false;
	memcpy(xsave_bytes(&xsave) + FXSAVE_XMM_AT + first * 8, values, count * 8);
	/* Without this bit the processor would take them to be zero. */
	memcpy(&parts, xsave_bytes(&xsave) + XSAVE_XSTATE_BV_AT, sizeof parts);
	parts |= XSTATE_SSE;
	memcpy(xsave_bytes(&xsave) + XSAVE_XSTATE_BV_AT, &parts, sizeof parts);
	return ioctl(vp->fd, KVM_SET_XSAVE, &xsave) == 0;
}

bool kvm_xmm_write(struct kvm_vp *vp, const uint64_t xmm[12])
{
	return xmm_write(vp, xmm, 0, 12);
}

/* ---- by name: tables ----------------------------------------------------------------------- */

struct place {
	uint32_t name;
	uint16_t at; /* offset of 64 bits in KVM's structure */
};

#define REGS(NAME, field)                                                                          \
	{                                                                                          \
		HV_X64_REGISTER_##NAME, offsetof(struct kvm_regs, field)                           \
	}
#define SREGS(NAME, field)                                                                         \
	{                                                                                          \
		HV_X64_REGISTER_##NAME, offsetof(struct kvm_sregs, field)                          \
	}

static const struct place regs_places[] = {
	{HV_X64_REGISTER_RAX + 0, offsetof(struct kvm_regs, rax)},
	{HV_X64_REGISTER_RAX + 1, offsetof(struct kvm_regs, rcx)},
	{HV_X64_REGISTER_RAX + 2, offsetof(struct kvm_regs, rdx)},
	{HV_X64_REGISTER_RAX + 3, offsetof(struct kvm_regs, rbx)},
	{HV_X64_REGISTER_RAX + 4, offsetof(struct kvm_regs, rsp)},
	{HV_X64_REGISTER_RAX + 5, offsetof(struct kvm_regs, rbp)},
	{HV_X64_REGISTER_RAX + 6, offsetof(struct kvm_regs, rsi)},
	{HV_X64_REGISTER_RAX + 7, offsetof(struct kvm_regs, rdi)},
	{HV_X64_REGISTER_RAX + 8, offsetof(struct kvm_regs, r8)},
	{HV_X64_REGISTER_RAX + 9, offsetof(struct kvm_regs, r9)},
	{HV_X64_REGISTER_RAX + 10, offsetof(struct kvm_regs, r10)},
	{HV_X64_REGISTER_RAX + 11, offsetof(struct kvm_regs, r11)},
	{HV_X64_REGISTER_RAX + 12, offsetof(struct kvm_regs, r12)},
	{HV_X64_REGISTER_RAX + 13, offsetof(struct kvm_regs, r13)},
	{HV_X64_REGISTER_RAX + 14, offsetof(struct kvm_regs, r14)},
	REGS(R15, r15),
	REGS(RIP, rip),
	REGS(RFLAGS, rflags),
};

static const struct place sregs_places[] = {
	SREGS(CR0, cr0),
	SREGS(CR2, cr2),
	SREGS(CR3, cr3),
	SREGS(CR4, cr4),
	SREGS(CR8, cr8),
	SREGS(EFER, efer),
	SREGS(APIC_BASE, apic_base),
};

static const struct place segment_places[] = {
	SREGS(ES, es),
	SREGS(CS, cs),
	SREGS(SS, ss),
	SREGS(DS, ds),
	SREGS(FS, fs),
	SREGS(GS, gs),
	SREGS(LDTR, ldt),
	SREGS(TR, tr),
};

static const struct place table_places[] = {
	SREGS(IDTR, idt),
	SREGS(GDTR, gdt),
};

static const struct {
	uint32_t name;
	uint32_t msr;
} msr_names[] = {
	{HV_X64_REGISTER_TSC, 0x10},
	{HV_X64_REGISTER_KERNEL_GS_BASE, 0xc0000102},
	{HV_X64_REGISTER_PAT, 0x277},
	{HV_X64_REGISTER_SYSENTER_CS, 0x174},
	{HV_X64_REGISTER_SYSENTER_EIP, 0x176},
	{HV_X64_REGISTER_SYSENTER_ESP, 0x175},
	{HV_X64_REGISTER_STAR, 0xc0000081},
	{HV_X64_REGISTER_LSTAR, 0xc0000082},
	{HV_X64_REGISTER_CSTAR, 0xc0000083},
	{HV_X64_REGISTER_SFMASK, 0xc0000084},
	{HV_X64_REGISTER_MTRR_CAP, 0xfe},
	{HV_X64_REGISTER_MTRR_DEFAULT, 0x2ff},
	{HV_X64_REGISTER_TSC_AUX, 0xc0000103},
};

static const struct place *place_find(const struct place *places, size_t count, uint32_t name)
{
	for (size_t i = 0; i < count; i++)
		if (places[i].name == name)
			return &places[i];
	return NULL;
}
#define FIND(places, name) place_find(places, sizeof(places) / sizeof(places)[0], name)

static uint32_t msr_of(uint32_t name)
{
	for (size_t i = 0; i < sizeof msr_names / sizeof msr_names[0]; i++)
		if (msr_names[i].name == name)
			return msr_names[i].msr;
	return 0;
}

/* ---- segments and tables ------------------------------------------------------------------- */

/*
 * 128 bits: base in the low half; limit, selector and attributes in the high half. Attributes:
 * 3..0 type, 4 code or data, 6..5 DPL, 7 present, 12 available, 13 long, 14 default, 15
 * granularity.
 */
static void segment_pack(const struct kvm_segment *segment, uint64_t value[2])
{
	const uint32_t attributes = (segment->type & 15u) | (segment->s & 1u) << 4 |
				    (segment->dpl & 3u) << 5 | (segment->present & 1u) << 7 |
				    (segment->avl & 1u) << 12 | (segment->l & 1u) << 13 |
				    (segment->db & 1u) << 14 | (segment->g & 1u) << 15;

	value[0] = segment->base;
	value[1] = segment->limit | (uint64_t)segment->selector << 32 | (uint64_t)attributes << 48;
}

static void segment_unpack(const uint64_t value[2], struct kvm_segment *segment)
{
	const uint32_t attributes = (uint32_t)(value[1] >> 48);

	*segment = (struct kvm_segment){
		.base = value[0],
		.limit = (uint32_t)value[1],
		.selector = (uint16_t)(value[1] >> 32),
		.type = attributes & 15,
		.s = attributes >> 4 & 1,
		.dpl = attributes >> 5 & 3,
		.present = attributes >> 7 & 1,
		.avl = attributes >> 12 & 1,
		.l = attributes >> 13 & 1,
		.db = attributes >> 14 & 1,
		.g = attributes >> 15 & 1,
		.unusable = !(attributes >> 7 & 1),
	};
}

/* ---- reading and writing ------------------------------------------------------------------- */

static bool sregs_read(struct kvm_vp *vp, uint32_t name, uint64_t value[2])
{
	const struct place *plain = FIND(sregs_places, name);
	const struct place *segment = FIND(segment_places, name);
	const struct place *table = FIND(table_places, name);
	struct kvm_sregs sregs;
	const uint8_t *bytes = (const uint8_t *)&sregs;

	if ((!plain && !segment && !table) || ioctl(vp->fd, KVM_GET_SREGS, &sregs) < 0)
		return false;
	if (plain) {
		memcpy(value, bytes + plain->at, sizeof value[0]);
	} else if (segment) {
		struct kvm_segment copy;
		memcpy(&copy, bytes + segment->at, sizeof copy);
		segment_pack(&copy, value);
	} else {
		struct kvm_dtable copy;
		memcpy(&copy, bytes + table->at, sizeof copy);
		value[0] = (uint64_t)copy.limit << 48;
		value[1] = copy.base;
	}
	return true;
}

static bool sregs_write(struct kvm_vp *vp, uint32_t name, const uint64_t value[2])
{
	const struct place *plain = FIND(sregs_places, name);
	const struct place *segment = FIND(segment_places, name);
	const struct place *table = FIND(table_places, name);
	struct kvm_sregs sregs;
	uint8_t *bytes = (uint8_t *)&sregs;

	if ((!plain && !segment && !table) || ioctl(vp->fd, KVM_GET_SREGS, &sregs) < 0)
		return false;
	/* KVM does not look at all of what the processor would refuse at the next entry. */
	if (plain) {
		if ((name == HV_X64_REGISTER_CR0 && !vp_state_cr0_is_valid(value[0])) ||
			(name == HV_X64_REGISTER_CR8 && value[0] > CR8_MAX))
			return false;
		memcpy(bytes + plain->at, value, sizeof value[0]);
	} else if (segment) {
		struct kvm_segment copy;
		segment_unpack(value, &copy);
		if ((value[1] >> 48 & VP_STATE_SEGMENT_RESERVED) ||
			!vp_state_segment_is_valid(name, &copy, &sregs))
			return false;
		memcpy(bytes + segment->at, &copy, sizeof copy);
	} else {
		const struct kvm_dtable copy = {
			.base = value[1], .limit = (uint16_t)(value[0] >> 48)};
		if (!vp_state_table_is_valid(&copy))
			return false;
		memcpy(bytes + table->at, &copy, sizeof copy);
	}
	return ioctl(vp->fd, KVM_SET_SREGS, &sregs) == 0;
}

/* DR0..DR3, DR6, DR7. */
static uint64_t *debug_register(struct kvm_debugregs *registers, uint32_t name)
{
	if (name >= HV_X64_REGISTER_DR0 && name < HV_X64_REGISTER_DR0 + 4)
		return (uint64_t *)&registers->db[name - HV_X64_REGISTER_DR0];
	return (uint64_t *)(name == HV_X64_REGISTER_DR6 ? &registers->dr6 : &registers->dr7);
}

static bool is_debug_register(uint32_t name)
{
	return (name >= HV_X64_REGISTER_DR0 && name < HV_X64_REGISTER_DR0 + 4) ||
	       name == HV_X64_REGISTER_DR6 || name == HV_X64_REGISTER_DR7;
}

static bool is_xmm(uint32_t name)
{
	return name >= HV_X64_REGISTER_XMM0 && name < HV_X64_REGISTER_XMM0 + 16;
}

bool kvm_register_read(void *ctx, uint32_t index, uint32_t name, uint64_t value[2])
{
	struct backend_kvm *kvm = ctx;
	struct kvm_vp *vp = &kvm->vps[index];
	const struct place *place = FIND(regs_places, name);

	value[0] = value[1] = 0;
	if (place) {
		memcpy(value, (const uint8_t *)&vp->run->s.regs.regs + place->at, sizeof value[0]);
		return true;
	}
	if (is_xmm(name)) {
		struct kvm_xsave xsave;
		if (ioctl(vp->fd, KVM_GET_XSAVE, &xsave) < 0)
			return false;
		memcpy(value,
			xsave_bytes(&xsave) + FXSAVE_XMM_AT + (name - HV_X64_REGISTER_XMM0) * 16,
			16);
		return true;
	}
	if (is_debug_register(name)) {
		struct kvm_debugregs registers;
		if (ioctl(vp->fd, KVM_GET_DEBUGREGS, &registers) < 0)
			return false;
		value[0] = *debug_register(&registers, name);
		return true;
	}
	if (name == HV_X64_REGISTER_INITIAL_APIC_ID) {
		value[0] = kvm_apic_id(kvm, index);
		return true;
	}
	if (msr_of(name))
		return kvm_msr_get(vp->fd, msr_of(name), value);
	return sregs_read(vp, name, value);
}

/* RIP and RFLAGS: any value does for the others. */
static bool is_plain_valid(const struct kvm_vp *vp, uint32_t name, uint64_t value)
{
	struct kvm_sregs sregs;

	if (name == HV_X64_REGISTER_RFLAGS)
		return vp_state_rflags_are_valid(value);
	return name != HV_X64_REGISTER_RIP ||
	       (ioctl(vp->fd, KVM_GET_SREGS, &sregs) == 0 && vp_state_rip_is_valid(value, &sregs));
}

bool kvm_register_write(void *ctx, uint32_t index, uint32_t name, const uint64_t value[2])
{
	struct backend_kvm *kvm = ctx;
	struct kvm_vp *vp = &kvm->vps[index];
	const struct place *place = FIND(regs_places, name);

	if (is_xmm(name))
		return xmm_write(vp, value, (name - HV_X64_REGISTER_XMM0) * 2, 2);
	if (place) {
		if (!is_plain_valid(vp, name, value[0]))
			return false;
		memcpy((uint8_t *)&vp->run->s.regs.regs + place->at, value, sizeof value[0]);
		vp->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
		return true;
	}
	if (is_debug_register(name)) {
		struct kvm_debugregs registers;
		if (ioctl(vp->fd, KVM_GET_DEBUGREGS, &registers) < 0)
			return false;
		*debug_register(&registers, name) = value[0];
		return ioctl(vp->fd, KVM_SET_DEBUGREGS, &registers) == 0;
	}
	if (name == HV_X64_REGISTER_EFER) /* by this way, KVM checks it */
		return (value[0] & ~EFER_KNOWN) == 0 && kvm_msr_set(vp->fd, MSR_EFER, value[0]);
	if (msr_of(name))
		return kvm_msr_set(vp->fd, msr_of(name), value[0]);
	return sregs_write(vp, name, value);
}
