// SPDX-License-Identifier: Apache-2.0
/*
 * Can this machine's KVM run guests? First what it says of itself: every capability that the
 * backend needs. Then what it does: a guest of two VPs, in a child process that is killed if
 * it takes too long, so that a KVM which hangs leaves nothing behind.
 *
 *	VP 0, 64-bit: OUT -> WRMSR, RDMSR of a synthetic MSR -> OUT -> HLT, which an MSI ends
 *		whose handler does OUT -> INIT and SIPI to VP 1 -> OUT
 *	VP 1, real mode: a loop -> OUT
 *
 * The loop is there to be timed. A KVM without hardware virtualization below it (paravirtual:
 * PVM) takes all of the above, but carries out instructions of real mode and of early kernel
 * code one by one, thousands of times slower than the processor; a guest kernel started there
 * does not arrive within minutes. What its CPU time tells apart is a factor above 1000.
 */
#include "host/hypervisor/backend_kvm_internal.h"

#include "host/hypervisor/backend_kvm_probe_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The guest needs milliseconds. One that hangs computes, or waits on a busy machine. */
#define TRIAL_CPU_SECONDS 2
#define TRIAL_MS	  10000
#define KILL_MS		  1000

/* The loop may take so many times what it takes the host, and that much more. */
#define LOOP_FACTOR   20u
#define LOOP_SLACK_NS 20000000u
#define LOOP_ROUNDS   4 /* the fastest counts */

/* ---- capabilities -------------------------------------------------------------------------- */

static const struct {
	int cap;
	int bits; /* that must be set in what KVM says; 0: any positive number */
	const char *name;
	const char *what;
} capabilities[] = {
	{KVM_CAP_IRQCHIP, 0, "IRQCHIP", "interrupt controllers in the kernel"},
	{KVM_CAP_USER_MEMORY, 0, "USER_MEMORY", "guest memory from user space"},
	{KVM_CAP_SET_TSS_ADDR, 0, "SET_TSS_ADDR", "pages that VT-x needs"},
	{KVM_CAP_SET_IDENTITY_MAP_ADDR, 0, "SET_IDENTITY_MAP_ADDR", "pages that VT-x needs"},
	{KVM_CAP_EXT_CPUID, 0, "EXT_CPUID", "setting what CPUID says"},
	{KVM_CAP_MP_STATE, 0, "MP_STATE", "starting and halting processors"},
	{KVM_CAP_VCPU_EVENTS, 0, "VCPU_EVENTS", "raising exceptions"},
	{KVM_CAP_DEBUGREGS, 0, "DEBUGREGS", "resetting debug registers"},
	{KVM_CAP_XSAVE, 0, "XSAVE", "hypercalls with XMM registers"},
	{KVM_CAP_IRQ_ROUTING, 0, "IRQ_ROUTING", "interrupts by eventfd"},
	{KVM_CAP_IRQFD, 0, "IRQFD", "interrupts by eventfd"},
	{KVM_CAP_IOEVENTFD, 0, "IOEVENTFD", "signals by eventfd"},
	{KVM_CAP_SIGNAL_MSI, 0, "SIGNAL_MSI", "interrupts by message"},
	{KVM_CAP_GET_TSC_KHZ, 0, "GET_TSC_KHZ", "the frequency of the TSC"},
	{KVM_CAP_ADJUST_CLOCK, 0, "ADJUST_CLOCK", "knowing whether the TSC is stable"},
	{KVM_CAP_IMMEDIATE_EXIT, 0, "IMMEDIATE_EXIT", "stopping processors"},
	{KVM_CAP_SYNC_REGS, KVM_SYNC_X86_REGS, "SYNC_REGS", "registers of hypercalls"},
	{KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS, "X2APIC_API", "x2APIC ids"},
	{KVM_CAP_X86_USER_SPACE_MSR, 0, "X86_USER_SPACE_MSR", "synthetic MSRs (Linux 5.10 has it)"},
	{KVM_CAP_X86_MSR_FILTER, 0, "X86_MSR_FILTER", "synthetic MSRs (Linux 5.10 has it)"},
};

struct reasons {
	char *text;
	size_t bytes, used;
	bool has_any;
};

__attribute__((format(printf, 2, 3))) static void reason_add(
	struct reasons *reasons, const char *format, ...)
{
	va_list arguments;
	const size_t room = reasons->bytes - reasons->used;
	int written;

	if (reasons->has_any && room > 2) {
		memcpy(reasons->text + reasons->used, "; ", 3);
		reasons->used += 2;
	}
	reasons->has_any = true;
	va_start(arguments, format);
	written = vsnprintf(
		reasons->text + reasons->used, reasons->bytes - reasons->used, format, arguments);
	va_end(arguments);
	if (written > 0)
		reasons->used += (size_t)written;
	if (reasons->used >= reasons->bytes)
		reasons->used = reasons->bytes - 1;
}

static void open_explain(struct reasons *reasons, int error)
{
	const char *advice = "";

	if (error == ENOENT)
		advice = " (load kvm-intel or kvm-amd; virtualization may be off in the firmware)";
	else if (error == EACCES)
		advice = " (run as a user of group kvm)";
	reason_add(reasons, "/dev/kvm cannot be opened: %s%s", strerror(error), advice);
}

static void capabilities_check(struct reasons *reasons, int device)
{
	const int version = ioctl(device, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION) {
		reason_add(reasons, "/dev/kvm has interface version %d, not %d", version,
			KVM_API_VERSION);
		return;
	}
	for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++) {
		const int has = ioctl(device, KVM_CHECK_EXTENSION, capabilities[i].cap);
		if (has <= 0 || (has & capabilities[i].bits) != capabilities[i].bits)
			reason_add(reasons, "KVM has no KVM_CAP_%s, needed for %s",
				capabilities[i].name, capabilities[i].what);
	}
}

/* ---- the trial, in the child --------------------------------------------------------------- */

/* What the guest got to: X(NAME, what does not work if it ends there). */
#define TRIAL_STEPS(X)                                                                             \
	X(SET_UP, "a virtual machine with two processors cannot be made")                          \
	X(PORT, "an OUT in 64-bit mode does not come out of it")                                   \
	X(MSR_WRITE, "the write of a filtered MSR does not come out of it")                        \
	X(MSR_READ, "the read of a filtered MSR does not come out of it")                          \
	X(MSR_VALUE, "the value of a filtered MSR does not go back into it")                       \
	X(INTERRUPT, "an interrupt does not come to a processor that halts")                       \
	X(START, "a processor cannot start another")                                               \
	X(REAL_MODE, "a processor does not run from its start in real mode")                       \
	X(SPEED, "its instructions are carried out one by one")                                    \
	X(DONE, "")

enum trial_step {
#define TRIAL_STEP_ENUM(NAME, text) TRIAL_##NAME,
	TRIAL_STEPS(TRIAL_STEP_ENUM)
#undef TRIAL_STEP_ENUM
		TRIAL_STEP_COUNT
};

/* Shared with the parent. */
struct trial {
	uint32_t step; /* that was begun last; atomic */
	uint64_t loop_ns, host_loop_ns;
};

struct machine {
	int device, vm, vps[2];
	struct kvm_run *runs[2];
	uint8_t *memory;
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool filter_set(int vm)
{
	uint8_t denied[0x200 / 8] = {0};
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR, .args = {KVM_MSR_EXIT_REASON_FILTER}};
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] = {.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.base = HV_X64_MSR_FIRST,
			.nmsrs = 0x200,
			.bitmap = denied},
	};

	return ioctl(vm, KVM_ENABLE_CAP, &cap) == 0 &&
	       ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter) == 0;
}

static bool vp_make(struct machine *machine, unsigned index)
{
	const int bytes = ioctl(machine->device, KVM_GET_VCPU_MMAP_SIZE, 0);

	machine->vps[index] = ioctl(machine->vm, KVM_CREATE_VCPU, (unsigned long)index);
	if (bytes <= 0 || machine->vps[index] < 0)
		return false;
	void *run = mmap(
		NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, machine->vps[index], 0);
	machine->runs[index] = run;
	return run != MAP_FAILED;
}

/* CPUID is what KVM supports: long mode must be in it. */
static bool cpuid_give(struct machine *machine)
{
	const uint32_t entries = 256;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + entries * sizeof cpuid->entries[0]);

	if (!cpuid)
		return false;
	cpuid->nent = entries;
	const bool ok = ioctl(machine->device, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
			ioctl(machine->vps[0], KVM_SET_CPUID2, cpuid) == 0 &&
			ioctl(machine->vps[1], KVM_SET_CPUID2, cpuid) == 0;
	free(cpuid);
	return ok;
}

static bool entry_give(struct machine *machine)
{
	struct kvm_sregs sregs;
	const struct kvm_regs regs = {.rip = PROBE_CODE, .rsp = PROBE_STACK, .rflags = 2};

	if (ioctl(machine->vps[0], KVM_GET_SREGS, &sregs) < 0)
		return false;
	sregs.cs = (struct kvm_segment){.limit = 0xffffffff,
		.selector = PROBE_CODE_SELECTOR,
		.type = 11,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = 1};
	sregs.ds = (struct kvm_segment){.limit = 0xffffffff,
		.selector = PROBE_CODE_SELECTOR + 8,
		.type = 3,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = 1};
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.gdt = (struct kvm_dtable){.base = PROBE_GDT, .limit = 31};
	sregs.idt = (struct kvm_dtable){.base = PROBE_IDT, .limit = 0xfff};
	sregs.cr3 = PROBE_TABLES;
	sregs.cr4 = 1u << 5;
	sregs.cr0 = 0x80000031u;
	sregs.efer = 0x500;
	return ioctl(machine->vps[0], KVM_SET_SREGS, &sregs) == 0 &&
	       ioctl(machine->vps[0], KVM_SET_REGS, &regs) == 0;
}

static bool machine_make(struct machine *machine)
{
	const uint64_t identity_map = 0xfffbc000u;

	machine->memory = mmap(
		NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (machine->memory == MAP_FAILED)
		return false;
	probe_guest_write(machine->memory);
	const struct kvm_userspace_memory_region memory = {
		.memory_size = PROBE_BYTES, .userspace_addr = (uintptr_t)machine->memory};
	machine->vm = ioctl(machine->device, KVM_CREATE_VM, 0);
	return machine->vm >= 0 && ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &memory) == 0 &&
	       ioctl(machine->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) == 0 &&
	       ioctl(machine->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul) == 0 &&
	       ioctl(machine->vm, KVM_CREATE_IRQCHIP, 0) == 0 && filter_set(machine->vm) &&
	       vp_make(machine, 0) && vp_make(machine, 1) && cpuid_give(machine) &&
	       entry_give(machine);
}

/* Run a VP to its next exit. */
static bool run(struct machine *machine, unsigned vp, uint32_t reason)
{
	int error;

	do {
		error = ioctl(machine->vps[vp], KVM_RUN, NULL) < 0 ? errno : 0;
	} while (error == EAGAIN || error == EINTR);
	return error == 0 && machine->runs[vp]->exit_reason == reason;
}

/* Run a VP to an OUT of one byte to port PROBE_PORT. */
static bool run_to_out(struct machine *machine, unsigned vp, uint8_t value)
{
	const struct kvm_run *exit = machine->runs[vp];

	return run(machine, vp, KVM_EXIT_IO) && exit->io.port == PROBE_PORT &&
	       ((const uint8_t *)exit)[exit->io.data_offset] == value;
}

static void step(struct trial *trial, enum trial_step step)
{
	__atomic_store_n(&trial->step, step, __ATOMIC_SEQ_CST);
}

/* The same loop on the host: the fastest of a few, as the first may find the processor cold. */
static uint64_t host_loop_ns(void)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < LOOP_ROUNDS; round++) {
		const uint64_t began = cpu_ns();
		for (uint32_t i = PROBE_LOOPS; i > 0; i--)
			__asm__ volatile("" ::: "memory");
		const uint64_t ns = cpu_ns() - began;
		if (ns < best)
			best = ns;
	}
	return best;
}

/* The loop in the guest. If this machine is a guest, too, it may lose its processor meanwhile. */
static void speed_try(struct trial *trial, struct machine *machine)
{
	trial->host_loop_ns = host_loop_ns();
	for (int round = 0; round < LOOP_ROUNDS; round++) {
		const uint64_t began = cpu_ns();
		if (!run_to_out(machine, 1, 6))
			return;
		const uint64_t ns = cpu_ns() - began;
		if (round == 0 || ns < trial->loop_ns)
			trial->loop_ns = ns;
		if (ns <= trial->host_loop_ns * LOOP_FACTOR + LOOP_SLACK_NS) {
			step(trial, TRIAL_DONE);
			return;
		}
	}
}

/* Stops at the step that fails. */
static void trial_run(struct trial *trial, int device)
{
	struct machine machine = {.device = device};
	const struct kvm_msi msi = {.address_lo = 0xfee00000u, .data = PROBE_VECTOR};

	if (!machine_make(&machine))
		return;
	step(trial, TRIAL_PORT);
	if (!run_to_out(&machine, 0, 1))
		return;
	step(trial, TRIAL_MSR_WRITE);
	if (!run(&machine, 0, KVM_EXIT_X86_WRMSR) ||
		machine.runs[0]->msr.index != HV_X64_MSR_GUEST_OS_ID)
		return;
	machine.runs[0]->msr.error = 0;
	step(trial, TRIAL_MSR_READ);
	if (!run(&machine, 0, KVM_EXIT_X86_RDMSR))
		return;
	machine.runs[0]->msr.error = 0;
	machine.runs[0]->msr.data = 2;
	step(trial, TRIAL_MSR_VALUE); /* goes out by port */
	if (!run_to_out(&machine, 0, 2))
		return;
	step(trial, TRIAL_INTERRUPT);
	if (ioctl(machine.vm, KVM_SIGNAL_MSI, &msi) <= 0 || !run_to_out(&machine, 0, 3))
		return;
	step(trial, TRIAL_START);
	if (!run_to_out(&machine, 0, 4))
		return;
	step(trial, TRIAL_REAL_MODE);
	if (!run_to_out(&machine, 1, 5))
		return;
	step(trial, TRIAL_SPEED);
	speed_try(trial, &machine);
}

/* ---- the trial, in the parent -------------------------------------------------------------- */

static bool child_ends(int pidfd, int milliseconds)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	int count;

	do {
		count = poll(&ended, 1, milliseconds);
	} while (count < 0 && errno == EINTR);
	return count > 0;
}

static void child_run(struct trial *trial, int device)
{
	const struct rlimit limit = {TRIAL_CPU_SECONDS, TRIAL_CPU_SECONDS + 1};
	const struct rlimit no_core = {0, 0};

	signal(SIGXCPU, SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_CPU, &limit);
	trial_run(trial, device);
	_exit(0);
}

/* Fork, and wait; false if the child had to be killed. */
static bool trial_in_child(struct trial *trial, int device)
{
	const pid_t child = fork();
	int status = 0;

	if (child < 0)
		return true; /* the step says how far it got: nowhere */
	if (child == 0)
		child_run(trial, device);
	const int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	const bool has_ended = pidfd >= 0 && child_ends(pidfd, TRIAL_MS);
	if (!has_ended)
		kill(child, SIGKILL);
	/* A process that KVM does not let go of is left to init. */
	if (pidfd < 0 || has_ended || child_ends(pidfd, KILL_MS))
		waitpid(child, &status, 0);
	if (pidfd >= 0)
		close(pidfd);
	return has_ended && !WIFSIGNALED(status);
}

static void trial_explain(struct reasons *reasons, const struct trial *trial, bool has_ended)
{
	static const char *const texts[TRIAL_STEP_COUNT] = {
#define TRIAL_STEP_TEXT(NAME, text) [TRIAL_##NAME] = (text),
		TRIAL_STEPS(TRIAL_STEP_TEXT)
#undef TRIAL_STEP_TEXT
	};
	const uint32_t last = trial->step < TRIAL_STEP_COUNT ? trial->step : TRIAL_SET_UP;

	if (last == TRIAL_SPEED && has_ended && trial->loop_ns > 0) {
		reason_add(reasons,
			"/dev/kvm opens but cannot run a guest: %s (a loop of real mode took %llu "
			"times as long as on the host; paravirtual KVMs are like that)",
			texts[last],
			(unsigned long long)(trial->loop_ns /
					     (trial->host_loop_ns ? trial->host_loop_ns : 1)));
		return;
	}
	reason_add(reasons, "/dev/kvm opens but cannot run a guest: %s%s", texts[last],
		has_ended ? "" : " (it hung, and was killed)");
}

static void guest_try(struct reasons *reasons, int device)
{
	struct trial *trial = mmap(
		NULL, sizeof *trial, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (trial == MAP_FAILED) {
		reason_add(reasons, "no memory to try /dev/kvm");
		return;
	}
	bool has_ended = trial_in_child(trial, device);
	if (!has_ended) { /* where this machine is a guest, too, one in a dozen hangs for once */
		memset(trial, 0, sizeof *trial);
		has_ended = trial_in_child(trial, device);
	}
	if (__atomic_load_n(&trial->step, __ATOMIC_SEQ_CST) != TRIAL_DONE)
		trial_explain(reasons, trial, has_ended);
	munmap(trial, sizeof *trial);
}

int backend_kvm_probe(char *why, size_t why_bytes)
{
	struct reasons reasons = {.text = why, .bytes = why_bytes};
	const int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	const int open_error = errno;

	if (why_bytes > 0)
		why[0] = 0;
	if (device < 0) {
		open_explain(&reasons, open_error);
		return -open_error;
	}
	capabilities_check(&reasons, device);
	if (!reasons.has_any)
		guest_try(&reasons, device);
	close(device);
	return reasons.has_any ? -ENODEV : 0;
}
