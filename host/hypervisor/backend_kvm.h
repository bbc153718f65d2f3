// SPDX-License-Identifier: Apache-2.0
/*
 * The KVM backend: VT-x or AMD-V runs the VPs, one thread each; local APICs and IOAPIC are
 * the kernel's; everything of the Hyper-V interface is ours (partition.h). The kernel's own
 * Hyper-V emulation takes no part.
 *
 *	KVM_RUN -> exit table -> io_space | partition_hypercall() | partition_msr_*()
 *	hypercall page: SignalEvent on a connection -> OUT -> ioeventfd -> the loop, no exit;
 *			all else -> OUT -> exit -> partition_hypercall()
 *	partition -> interrupt_assert -> irqfd (MSI route of that VP and SINT)
 *
 * Threads: functions are called on the loop thread unless marked [any thread].
 */
#ifndef HOST_HYPERVISOR_BACKEND_KVM_H
#define HOST_HYPERVISOR_BACKEND_KVM_H

#include "host/hypervisor/io_space.h"
#include "host/hypervisor/partition.h"

#define BACKEND_KVM_IOAPIC_PINS 24u

/*
 * Ports that the hypercall page writes to, 32 bits wide. Only OUT instructions at the right
 * place in a page are taken for hypercalls; a device may have the same ports all the same.
 */
#define BACKEND_KVM_PORT_HYPERCALL 0xe4
#define BACKEND_KVM_PORT_SIGNAL	   0xe8

struct backend_kvm;

/*
 * Can this machine run guests? Opens /dev/kvm, looks for every capability that is needed, and
 * runs a tiny guest through port, MSR and interrupt exits and the start of a second VP. It does
 * so in a child process (fork), which ends in bounded time even if KVM hangs. Returns 0, or
 * -errno with one sentence for each thing that is missing, joined by "; ", in `why` ("" if
 * none). Takes some 10 ms; on a KVM that hangs, up to 10 s.
 */
int backend_kvm_probe(char *why, size_t why_bytes);

/* Why the VPs have stopped by themselves. X(NAME, text) */
#define BACKEND_KVM_STOPS(X)                                                                       \
	X(RESET, "the guest asked for a reset")                                                    \
	X(POWER_OFF, "the guest powered off")                                                      \
	X(TRIPLE_FAULT, "triple fault")                                                            \
	X(DEBUG_EXIT, "the guest ended the test")                                                  \
	X(FAILED, "KVM could not go on")

enum backend_kvm_stop {
#define BACKEND_KVM_STOP_ENUM(NAME, text) BACKEND_KVM_STOP_##NAME,
	BACKEND_KVM_STOPS(BACKEND_KVM_STOP_ENUM)
#undef BACKEND_KVM_STOP_ENUM
		BACKEND_KVM_STOP_COUNT
};

const char *backend_kvm_stop_text(enum backend_kvm_stop stop);

struct backend_kvm_callbacks {
	/* Poll `fd` for POLLIN, level-like; call backend_kvm_on_readable() for it. 0 or -errno. */
	int (*watch)(void *ctx, int fd);
	void (*unwatch)(void *ctx, int fd);
	/*
	 * The VPs are to stop, and told to park; `detail` is DEBUG_EXIT's value or FAILED's KVM
	 * exit reason (low 32 bits) and KVM's further reason or an errno (high 32 bits). On the
	 * loop thread, at most once for each backend_kvm_start(), and not after it has called
	 * backend_kvm_start() again.
	 */
	void (*on_stop)(void *ctx, enum backend_kvm_stop stop, uint32_t vp, uint64_t detail);
	void *ctx;
};

/*
 * Make the VM around the partition's memory, with VPs parked. Sets itself as the
 * partition's backend. `error` gets one line for a person. 0 or a negative errno.
 */
int backend_kvm_create(struct partition *partition, const struct backend_kvm_callbacks *callbacks,
	struct backend_kvm **out, char *error, size_t error_bytes);
/* Stops VPs that still run. */
void backend_kvm_destroy(struct backend_kvm *backend);

/* Hz of the guest's TSC and of its APIC timer: for partition_config, before the partition. */
int backend_kvm_frequencies(uint64_t *tsc_hz, uint64_t *apic_hz);

/* Where devices are added before the start. */
struct io_space *backend_kvm_ports(struct backend_kvm *backend);
struct io_space *backend_kvm_mmio(struct backend_kvm *backend);

/* Drive pin `pin` of the IOAPIC (0..23). [any thread] */
void backend_kvm_line_set(struct backend_kvm *backend, unsigned pin, bool is_high);

/* Where VP 0 begins. The others wait for INIT and SIPI. */
struct vp_entry {
	bool is_long_mode; /* else 32-bit protected mode, flat segments, paging off */
	uint64_t rip, rsp, rsi, rax, rbx;
	uint64_t cr3; /* long mode: page tables in guest memory */
	uint64_t gdt; /* GPA of a GDT with 0x10 code, 0x18 data (flat); its 32 bytes are there */
};

/* Set all VPs to their state after power-on, VP 0 at `entry`. VPs must be parked. */
int backend_kvm_vps_reset(struct backend_kvm *backend, const struct vp_entry *entry);
/* Let all VPs run. 0 or a negative errno. */
int backend_kvm_start(struct backend_kvm *backend);
/*
 * Kick and park all VPs; returns when none runs guest code or an exit any more. 0, or
 * -ETIMEDOUT after two seconds, with the VPs that did not come to rest left behind.
 */
int backend_kvm_park(struct backend_kvm *backend);
/* Stop for the reason given, as if the guest had asked for it. [any thread] (devices) */
void backend_kvm_stop(
	struct backend_kvm *backend, uint32_t vp, enum backend_kvm_stop stop, uint64_t detail);

/* A watched descriptor is readable. Unknown ones are ignored. */
void backend_kvm_on_readable(struct backend_kvm *backend, int fd);

/* Exits to user space, by what they were for. X(NAME, text) */
#define BACKEND_KVM_EXITS(X)                                                                       \
	X(HYPERCALL, "hypercall")                                                                  \
	X(SIGNAL, "signal without ioeventfd")                                                      \
	X(MSR_READ, "MSR read")                                                                    \
	X(MSR_WRITE, "MSR write")                                                                  \
	X(PORT_IN, "port in")                                                                      \
	X(PORT_OUT, "port out")                                                                    \
	X(MMIO, "MMIO")                                                                            \
	X(HALT, "halt")                                                                            \
	X(INTERRUPTED, "kick")                                                                     \
	X(OTHER, "other")

enum backend_kvm_exit {
#define BACKEND_KVM_EXIT_ENUM(NAME, text) BACKEND_KVM_EXIT_##NAME,
	BACKEND_KVM_EXITS(BACKEND_KVM_EXIT_ENUM)
#undef BACKEND_KVM_EXIT_ENUM
		BACKEND_KVM_EXIT_COUNT
};

const char *backend_kvm_exit_text(enum backend_kvm_exit exit);

struct backend_kvm_statistics {
	uint64_t exits[BACKEND_KVM_EXIT_COUNT]; /* all VPs */
	uint64_t doorbells;			/* signals that came by ioeventfd */
	uint64_t interrupts_fd;			/* written to an irqfd */
	uint64_t interrupts_ioctl;		/* by KVM_SIGNAL_MSI */
};
void backend_kvm_statistics_get(struct backend_kvm *backend, struct backend_kvm_statistics *out);

#endif
