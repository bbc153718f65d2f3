// SPDX-License-Identifier: Apache-2.0
/*
 * Exits to user space: one table, by KVM's exit reason. And the hypercall page, whose OUT
 * instructions are how hypercalls come here.
 *
 * The page (called as a function, 64-bit code):
 *
 *	00	mov eax, cs
 *	02	test al, 3		an OUT at CPL 3 would take #GP
 *	04	jnz ud
 *	06	cmp rcx, 0x1005d	fast SignalEvent, and nothing else in the input value?
 *	0d	jne slow
 *	0f	mov rax, rdx
 *	12	shr rax, 32		flag number and reserved bits 0?
 *	16	jnz slow
 *	18	mov eax, edx
 *	1a	out SIGNAL, eax		an ioeventfd takes it, if the connection has one
 *	1c	xor eax, eax		HV_STATUS_SUCCESS
 *	1e	ret
 *	1f slow: out HYPERCALL, eax	always an exit
 *	21	ret
 *	22 ud:	ud2
 *
 * If no ioeventfd takes a signal, the exit gives RAX its status and goes on at the RET. KVM
 * steps over an OUT when the VP runs on, but only if RIP is still there; where it emulates the
 * instruction, it has done so already.
 *
 * Source: TLFS, "Hypercall interface" (the page's contents are the hypervisor's choice).
 */
#include "host/hypervisor/backend_kvm_internal.h"
#include "host/hypervisor/hypercall.h"

#include <string.h>
#include <sys/ioctl.h>

#define SIGNAL_OUT_AT 0x1au
#define SIGNAL_RET_AT 0x1eu
#define SLOW_OUT_AT   0x1fu
#define OUT_BYTES     2u
#define PAGE_MASK     (GUEST_PAGE_BYTES - 1ull)

#define VECTOR_UD 6u

/* clang-format off */
const uint8_t kvm_hypercall_code[] = {
	0x8c, 0xc8,
	0xa8, 0x03,
	0x75, 0x1c,
	0x48, 0x81, 0xf9, 0x5d, 0x00, 0x01, 0x00,
	0x75, 0x10,
	0x48, 0x89, 0xd0,
	0x48, 0xc1, 0xe8, 0x20,
	0x75, 0x07,
	0x89, 0xd0,
	0xe7, BACKEND_KVM_PORT_SIGNAL,
	0x31, 0xc0,
	0xc3,
	0xe7, BACKEND_KVM_PORT_HYPERCALL,
	0xc3,
	0x0f, 0x0b,
};
/* clang-format on */
const size_t kvm_hypercall_code_bytes = sizeof kvm_hypercall_code;
_Static_assert(sizeof kvm_hypercall_code == 0x24, "hypercall page code");

static struct kvm_regs *registers(struct kvm_vp *vp)
{
	return &vp->run->s.regs.regs;
}

static void registers_changed(struct kvm_vp *vp)
{
	vp->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

static void fail(struct kvm_vp *vp, uint64_t detail)
{
	backend_kvm_stop(
		vp->kvm, vp->index, BACKEND_KVM_STOP_FAILED, detail << 32 | vp->run->exit_reason);
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

/* Raise #UD at the OUT that was the last exit, as if it had not been carried out. */
static void fault_at_out(struct kvm_vp *vp, uint64_t rip)
{
	struct kvm_vcpu_events events;

	kvm_vp_complete(vp); /* steps over the OUT; setting RIP forgets exceptions */
	registers(vp)->rip = rip;
	if (ioctl(vp->fd, KVM_SET_REGS, registers(vp)) < 0 ||
		ioctl(vp->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
		return;
	events.exception.injected = 1;
	events.exception.nr = VECTOR_UD;
	events.exception.has_error_code = 0;
	ioctl(vp->fd, KVM_SET_VCPU_EVENTS, &events);
}

/* Hypercalls are for 64-bit code of the kernel. */
static bool may_call(struct kvm_vp *vp)
{
	struct kvm_sregs sregs;

	return ioctl(vp->fd, KVM_GET_SREGS, &sregs) == 0 && sregs.cs.l && sregs.ss.dpl == 0;
}

/* Only fast calls that may have parameters beyond RDX and R8 need the XMM registers. */
static bool needs_xmm(uint64_t input_value)
{
	size_t count;
	const struct hypercall_row *table = hypercall_table(&count);

	if (!(input_value & HV_HYPERCALL_FAST))
		return false;
	for (size_t i = 0; i < count; i++)
		if (table[i].code == (input_value & HV_HYPERCALL_CODE_MASK))
			return table[i].flags & HYPERCALL_XMM;
	return false;
}

static enum backend_kvm_exit hypercall(struct kvm_vp *vp)
{
	struct kvm_regs *regs = registers(vp);
	const uint64_t out_rip = (regs->rip & ~PAGE_MASK) | SLOW_OUT_AT;
	const bool has_xmm = needs_xmm(regs->rcx);
	struct hypercall_registers call = {
		.rax = regs->rax, .rcx = regs->rcx, .rdx = regs->rdx, .r8 = regs->r8};

	if (!may_call(vp) || (has_xmm && !kvm_xmm_read(vp, call.xmm))) {
		fault_at_out(vp, out_rip);
		return BACKEND_KVM_EXIT_HYPERCALL;
	}
	const struct hypercall_registers before = call;
	/* The one fault of hypercalls is #UD. */
	if (partition_hypercall(vp->kvm->partition, vp->index, &call) != PARTITION_FAULT_NONE) {
		fault_at_out(vp, out_rip);
		return BACKEND_KVM_EXIT_HYPERCALL;
	}
	/* The call may have set registers of its own VP: only what it returns is put back. */
	regs->rax = call.rax;
	if (call.rdx != before.rdx)
		regs->rdx = call.rdx;
	if (call.r8 != before.r8)
		regs->r8 = call.r8;
	registers_changed(vp);
	if (has_xmm && memcmp(call.xmm, before.xmm, sizeof call.xmm) != 0)
		kvm_xmm_write(vp, call.xmm);
	return BACKEND_KVM_EXIT_HYPERCALL;
}

/* A signal that no ioeventfd has taken. */
static enum backend_kvm_exit signal_by_exit(struct kvm_vp *vp)
{
	struct kvm_regs *regs = registers(vp);
	const uint64_t page_rip = regs->rip & ~PAGE_MASK;
	struct hypercall_registers call = {.rcx = regs->rcx, .rdx = regs->rdx, .r8 = regs->r8};

	if (!may_call(vp) ||
		partition_hypercall(vp->kvm->partition, vp->index, &call) != PARTITION_FAULT_NONE) {
		fault_at_out(vp, page_rip | SIGNAL_OUT_AT);
		return BACKEND_KVM_EXIT_SIGNAL;
	}
	regs->rax = call.rax;
	regs->rip = page_rip | SIGNAL_RET_AT;
	registers_changed(vp);
	return BACKEND_KVM_EXIT_SIGNAL;
}

/* ---- ports and memory ---------------------------------------------------------------------- */

/* True if the OUT is one of the hypercall page, for all that its address says. */
static bool is_page_out(struct kvm_vp *vp, uint16_t port, uint32_t offset)
{
	const struct kvm_run *run = vp->run;
	const uint64_t at = registers(vp)->rip & PAGE_MASK;

	return run->io.direction == KVM_EXIT_IO_OUT && run->io.port == port && run->io.size == 4 &&
	       run->io.count == 1 && (at == offset || at == offset + OUT_BYTES);
}

static enum backend_kvm_exit on_port(struct kvm_vp *vp)
{
	const struct kvm_run *run = vp->run;
	struct io_space *ports = &vp->kvm->ports;
	uint8_t *data = (uint8_t *)vp->run + run->io.data_offset;
	const unsigned bytes = run->io.size;
	const bool is_out = run->io.direction == KVM_EXIT_IO_OUT;

	if (is_page_out(vp, BACKEND_KVM_PORT_HYPERCALL, SLOW_OUT_AT))
		return hypercall(vp);
	if (is_page_out(vp, BACKEND_KVM_PORT_SIGNAL, SIGNAL_OUT_AT))
		return signal_by_exit(vp);
	for (uint32_t i = 0; i < run->io.count; i++, data += bytes) {
		uint64_t value = 0;
		if (is_out) {
			memcpy(&value, data, bytes);
			io_space_write(ports, run->io.port, bytes, value);
		} else {
			value = io_space_read(ports, run->io.port, bytes);
			memcpy(data, &value, bytes);
		}
	}
	return is_out ? BACKEND_KVM_EXIT_PORT_OUT : BACKEND_KVM_EXIT_PORT_IN;
}

static enum backend_kvm_exit on_mmio(struct kvm_vp *vp)
{
	struct kvm_run *run = vp->run;
	const unsigned bytes = run->mmio.len > 8 ? 8 : run->mmio.len;
	uint64_t value = 0;

	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, bytes);
		io_space_write(&vp->kvm->mmio, run->mmio.phys_addr, bytes, value);
	} else {
		value = io_space_read(&vp->kvm->mmio, run->mmio.phys_addr, bytes);
		memcpy(run->mmio.data, &value, bytes);
	}
	return BACKEND_KVM_EXIT_MMIO;
}

/* ---- MSRs ---------------------------------------------------------------------------------- */

static enum backend_kvm_exit on_msr_read(struct kvm_vp *vp)
{
	uint64_t value = 0;

	vp->run->msr.error = partition_msr_read(vp->kvm->partition, vp->index, vp->run->msr.index,
				     &value) != PARTITION_FAULT_NONE;
	vp->run->msr.data = value;
	return BACKEND_KVM_EXIT_MSR_READ;
}

static enum backend_kvm_exit on_msr_write(struct kvm_vp *vp)
{
	vp->run->msr.error = partition_msr_write(vp->kvm->partition, vp->index, vp->run->msr.index,
				     vp->run->msr.data) != PARTITION_FAULT_NONE;
	return BACKEND_KVM_EXIT_MSR_WRITE;
}

/* ---- the end ------------------------------------------------------------------------------- */

static enum backend_kvm_exit on_shutdown(struct kvm_vp *vp)
{
	backend_kvm_stop(vp->kvm, vp->index, BACKEND_KVM_STOP_TRIPLE_FAULT, 0);
	return BACKEND_KVM_EXIT_OTHER;
}

static enum backend_kvm_exit on_halt(struct kvm_vp *vp)
{
	(void)vp; /* KVM halts VPs by itself, having their APICs */
	return BACKEND_KVM_EXIT_HALT;
}

static enum backend_kvm_exit on_interrupted(struct kvm_vp *vp)
{
	(void)vp;
	return BACKEND_KVM_EXIT_INTERRUPTED;
}

static enum backend_kvm_exit on_internal_error(struct kvm_vp *vp)
{
	fail(vp, vp->run->internal.suberror);
	return BACKEND_KVM_EXIT_OTHER;
}

static enum backend_kvm_exit on_fail_entry(struct kvm_vp *vp)
{
	fail(vp, vp->run->fail_entry.hardware_entry_failure_reason);
	return BACKEND_KVM_EXIT_OTHER;
}

static enum backend_kvm_exit on_unknown(struct kvm_vp *vp)
{
	fail(vp, 0);
	return BACKEND_KVM_EXIT_OTHER;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct exit_row {
	/* Says what the exit is counted as. */
	enum backend_kvm_exit (*handle)(struct kvm_vp *vp);
	bool is_incomplete; /* KVM finishes the instruction at the next KVM_RUN */
} table[] = {
	[KVM_EXIT_IO] = {on_port, true},
	[KVM_EXIT_HLT] = {on_halt, false},
	[KVM_EXIT_MMIO] = {on_mmio, true},
	[KVM_EXIT_SHUTDOWN] = {on_shutdown, false},
	[KVM_EXIT_FAIL_ENTRY] = {on_fail_entry, false},
	[KVM_EXIT_INTR] = {on_interrupted, false},
	[KVM_EXIT_INTERNAL_ERROR] = {on_internal_error, false},
	[KVM_EXIT_X86_RDMSR] = {on_msr_read, true},
	[KVM_EXIT_X86_WRMSR] = {on_msr_write, true},
};

void kvm_exit_dispatch(struct kvm_vp *vp)
{
	static const struct exit_row unknown = {on_unknown, false};
	const uint32_t reason = vp->run->exit_reason;
	const struct exit_row *row = reason < sizeof table / sizeof table[0] && table[reason].handle
					     ? &table[reason]
					     : &unknown;

	vp->is_incomplete = row->is_incomplete;
	const enum backend_kvm_exit counted = row->handle(vp);
	__atomic_fetch_add(&vp->exits[counted], 1, __ATOMIC_RELAXED);
}
