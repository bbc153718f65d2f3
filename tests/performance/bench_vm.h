// SPDX-License-Identifier: Apache-2.0
/*
 * Inside hvbench vm: guests on our host and on QEMU, their consoles, and what can be
 * counted about them from outside.
 *
 *	bench_vm.c		which guests, rounds, and the table of cases
 *	bench_vm_round.c	one guest, from exec to its end, and its figures
 *	bench_vm_calls.c	the bare-metal kernel that makes one call after the other
 *	bench_vm_machine.c	a virtual machine as a child: console by lines, each with its time
 *	bench_vm_kept.c		rounds that outlive the machine
 *	bench_vm_count.c	exits and interrupts, by the kernel's tracepoints and the worker's
 *				statistics; memory
 *
 * Messages for people go to stderr from here. One thread.
 */
#ifndef TESTS_PERFORMANCE_BENCH_VM_H
#define TESTS_PERFORMANCE_BENCH_VM_H

#include "tests/performance/measure.h"
#include "tests/performance/sandbox.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VM_ABSENT NAN /* a figure that cannot be had */

/* ---- counting ------------------------------------------------------------------------------ */

/* Events of KVM, counted by its tracepoints for one process with all its threads. */
enum vm_trace {
	VM_TRACE_USER_EXITS, /* returns of KVM_RUN */
	VM_TRACE_EXITS,	     /* of the guest to KVM, those that KVM handles by itself included */
	VM_TRACE_INTERRUPTS, /* injected */
	VM_TRACE_COUNT
};

struct vm_traces {
	int fds[VM_TRACE_COUNT]; /* -1: cannot be counted */
};

/* Can they be read here? It needs root and tracefs. */
bool vm_traces_are_there(void);
/* Count for `pid` from its exec on. */
void vm_traces_open(struct vm_traces *traces, pid_t pid);
void vm_traces_close(struct vm_traces *traces);
/* VM_ABSENT if it cannot be counted. */
double vm_traces_get(const struct vm_traces *traces, enum vm_trace which);

/* Of the worker's own statistics. */
enum vm_statistic {
	VM_STATISTIC_EXITS, /* all, to user space */
	VM_STATISTIC_HYPERCALLS,
	VM_STATISTIC_MSRS,
	VM_STATISTIC_PORTS,
	VM_STATISTIC_INTERRUPTS, /* written to an irqfd, or by ioctl */
	VM_STATISTIC_DOORBELLS,
	VM_STATISTIC_COUNT
};

struct vm_statistics {
	double of[VM_STATISTIC_COUNT];
};

/* Ask the worker whose control socket this is. False after a message. */
bool vm_statistics_get(const char *socket, struct vm_statistics *out);

/*
 * Pss of a process in MiB without its guest's memory (a memfd whose name has "memory" in it,
 * or any mapping of `ram_bytes` or more) and without the pages of the disk image that it has
 * mapped, which are the file's. VM_ABSENT if it cannot be read.
 */
double vm_memory_beyond_ram(pid_t pid, uint64_t ram_bytes, const char *image);

/* ---- a machine ----------------------------------------------------------------------------- */

#define VM_LINE_MAX	512u
#define VM_PATIENCE_MS	90000u /* of silence */
#define VM_ARGUMENTS	64u
#define VM_ARGUMENT_MAX 256u

/* The command line of a VMM. */
struct vm_command {
	unsigned count;
	const char *arguments[VM_ARGUMENTS]; /* NULL behind the last */
};

struct vm_machine {
	pid_t pid;
	int to, from; /* its console */
	char log[SANDBOX_PATH_BYTES + 32];
	uint64_t exec_ns;
	uint64_t line_ns; /* when the last line was complete */
	struct vm_traces traces;
	char line[VM_LINE_MAX]; /* the last one */
	char waiting[VM_LINE_MAX];
	size_t waiting_bytes;
	uint64_t waiting_ns;
};

/* Start it, its console our pipe, its errors appended to the log. 0, or -1 after a message. */
int vm_machine_start(struct vm_machine *machine, const struct vm_command *command, const char *log);
/*
 * Read lines until one has `text` in it: true, and it is in `line`, its time in `line_ns`.
 * False, after a message, if the machine ended, was silent for VM_PATIENCE_MS in all, or said
 * "@failed".
 */
bool vm_machine_await(struct vm_machine *machine, const char *text);
/* Type `text` on its console. */
bool vm_machine_tell(struct vm_machine *machine, const char *text);
/* Wait for it to end by itself, then end it; reaps it. Its log stays. */
void vm_machine_stop(struct vm_machine *machine);

/* ---- rounds -------------------------------------------------------------------------------- */

/*
 * Our host with one thing more, or less, than fast, disk by VMBus: measured when asked for.
 * X(KIND, its name, --enlightenments)
 */
#define VM_VARIANTS(X)                                                                             \
	X(WITH_STIMER, "vm/with/stimer", "fast,stimer,stimer-direct")                              \
	X(WITH_CLUSTER_IPI, "vm/with/cluster-ipi", "fast,cluster-ipi")                             \
	X(WITH_TLB_FLUSH, "vm/with/tlb-flush", "fast,tlb-flush")                                   \
	X(WITH_APIC, "vm/with/apic-recommend", "fast,apic-recommend")                              \
	X(WITH_IDLE, "vm/with/guest-idle", "fast,guest-idle")                                      \
	X(WITH_SPIN_WAIT, "vm/with/spin-wait", "fast,spin-wait")                                   \
	X(WITHOUT_TSC, "vm/without/reference-tsc", "fast,-reference-tsc")

/* What is booted in a round. */
enum vm_kind {
	VM_FAST,       /* our host, --enlightenments fast, disk by VMBus */
	VM_ALL,	       /* our host, --enlightenments all, disk by VMBus */
	VM_ATA_DMA,    /* our host, fast, emulated disk with DMA */
	VM_ATA_PIO,    /* our host, fast, emulated disk without */
	VM_QEMU,       /* as most start it */
	VM_QEMU_QUICK, /* as quick as its options make it, disk by virtio-blk */
#define VM_VARIANT_ENUM(KIND, name, enlightenments) VM_##KIND,
	VM_VARIANTS(VM_VARIANT_ENUM)
#undef VM_VARIANT_ENUM
		VM_KIND_COUNT
};

/* X(NAME): figures of one boot. Counts are from exec to @ready, or for each read. */
#define VM_FIGURES(X)                                                                              \
	X(INIT_MS)                                                                                 \
	X(VERSION_MS)                                                                              \
	X(BOOT_USER_EXITS)                                                                         \
	X(BOOT_VM_EXITS)                                                                           \
	X(BOOT_INJECTED)                                                                           \
	X(BOOT_EXITS)                                                                              \
	X(BOOT_HYPERCALLS)                                                                         \
	X(BOOT_MSRS)                                                                               \
	X(BOOT_PORTS)                                                                              \
	X(BOOT_INTERRUPTS)                                                                         \
	X(READ1_EXITS)                                                                             \
	X(READ1_INTERRUPTS)                                                                        \
	X(READ1_DOORBELLS)                                                                         \
	X(READ1_VM_EXITS)                                                                          \
	X(READ1_IOPS)                                                                              \
	X(READ32_EXITS)                                                                            \
	X(READ32_INTERRUPTS)                                                                       \
	X(READ32_DOORBELLS)                                                                        \
	X(READ32_VM_EXITS)                                                                         \
	X(READ32_IOPS)                                                                             \
	X(MEMORY_MIB)

enum vm_figure {
#define VM_FIGURE_ENUM(NAME) VM_FIGURE_##NAME,
	VM_FIGURES(VM_FIGURE_ENUM)
#undef VM_FIGURE_ENUM
		VM_FIGURE_COUNT
};

/* What all rounds use. */
struct vm_setup {
	const struct sandbox *sandbox;
	char vmwp[PATH_MAX];
	char qemu[PATH_MAX];   /* "" if there is none */
	char kernel[PATH_MAX]; /* copies in memory, so that every boot reads them alike */
	char initrd[PATH_MAX];
	char calls[PATH_MAX]; /* the bare-metal kernel; "" if there is none */
	char image[SANDBOX_PATH_BYTES + 64];
};

/* Boot one guest, measure, end it. False after a message; figures are then VM_ABSENT. */
bool vm_round(const struct vm_setup *setup, enum vm_kind kind, double figures[VM_FIGURE_COUNT]);

/* Append to a command; NULL ends the list. */
void vm_command_add(struct vm_command *command, const char *const arguments[]);
/* The options of QEMU that every guest gets, on this machine: processor, console, memory. */
void vm_command_qemu(struct vm_command *command, const struct vm_setup *setup, const char *machine);
#define VM_QEMU_MACHINE "q35,accel=kvm"

/* ---- calls --------------------------------------------------------------------------------- */

#define VM_CALLS_MAX 64u
#define VM_CALL_NAME 40u

struct vm_call {
	char name[VM_CALL_NAME];
	double ns;    /* each; VM_ABSENT: this hypervisor does not have it */
	double exits; /* to user space, each; VM_ABSENT: cannot be counted */
};

struct vm_calls {
	unsigned count;
	struct vm_call of[VM_CALLS_MAX];
};

/* Run the bare-metal kernel on our host or on QEMU. False after a message. */
bool vm_calls_run(const struct vm_setup *setup, bool is_qemu, struct vm_calls *out);
/* The call of that name; NULL if there is none. */
const struct vm_call *vm_calls_find(const struct vm_calls *calls, const char *name);

/* ---- keeping rounds ------------------------------------------------------------------------ */

/* All that one round found. */
struct vm_figures {
	double of[VM_KIND_COUNT][VM_FIGURE_COUNT];
	struct vm_calls ours, qemu;
};

/*
 * A machine that is itself emulated may die in the middle of a long run. Rounds that were kept in
 * a file need not be run again: read up to `most` of them, return how many there were; add one,
 * and have it on the disk. A file of another build is taken for none.
 */
unsigned vm_kept_read(const char *path, struct vm_figures *rounds, unsigned most);
void vm_kept_add(const char *path, const struct vm_figures *round);

#endif
