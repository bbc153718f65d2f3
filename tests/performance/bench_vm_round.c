// SPDX-License-Identifier: Apache-2.0
/* One guest, from exec to its end, and its figures: see bench_vm.h. */
#include "tests/performance/bench_vm.h"

#include "tests/performance/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MS	     1000u /* of each depth */
#define TALKS	     5u
#define MEMORY	     "256M"
#define MEMORY_BYTES (256u << 20)
#define PROCESSORS   "2"

/*
 * What QEMU's documentation recommends for guests that know this interface. kvm=off: otherwise
 * Linux takes KVM's own interface where both are there.
 */
static const char qemu_processor[] =
	"host,kvm=off,hv-relaxed=on,hv-vapic=on,hv-time=on,hv-vpindex=on,hv-runtime=on,"
	"hv-synic=on,hv-stimer=on,hv-stimer-direct=on,hv-frequencies=on,hv-reset=on,"
	"hv-tlbflush=on,hv-ipi=on";

void vm_command_add(struct vm_command *command, const char *const arguments[])
{
	for (; *arguments != NULL && command->count + 1 < VM_ARGUMENTS; arguments++)
		command->arguments[command->count++] = *arguments;
}

void vm_command_qemu(struct vm_command *command, const struct vm_setup *setup, const char *machine)
{
	vm_command_add(command,
		(const char *const[]){setup->qemu, "-machine", machine, "-m", MEMORY, "-smp",
			PROCESSORS, "-cpu", qemu_processor, "-nodefaults", "-no-user-config",
			"-display", "none", "-no-reboot", "-chardev", "stdio,id=console,signal=off",
			"-serial", "chardev:console", NULL});
}

/*
 * What its options can do for a quick start: the firmware that does nothing but start the kernel,
 * and of the board no more than what vmbus-bridge needs, which its own quick board does not have.
 */
static const char qemu_quick_machine[] =
	"q35,accel=kvm,sata=off,smbus=off,hpet=off,vmport=off,usb=off,dump-guest-core=off";
static const char *const qemu_quick_options[] = {"-bios", "qboot.rom", "-object",
	"iothread,id=disk", "-device", "virtio-blk-pci,drive=image,iothread=disk", NULL};

struct paths {
	char socket[SANDBOX_PATH_BYTES + 32];
	char log[SANDBOX_PATH_BYTES + 32];
	char emulated[SANDBOX_PATH_BYTES + 80];
	char virtio[SANDBOX_PATH_BYTES + 128];
};

static bool is_qemu(enum vm_kind kind)
{
	return kind == VM_QEMU || kind == VM_QEMU_QUICK;
}

static void command_make(struct vm_command *command, const struct vm_setup *setup,
	enum vm_kind kind, const struct paths *paths)
{
	static const char *const words[] = {
		"console=ttyS0 quiet panic=-1 bench.disk=vmbus",
		"console=ttyS0 quiet panic=-1 bench.disk=ata",
		"console=ttyS0 quiet panic=-1 bench.disk=none",
		"console=ttyS0 quiet panic=-1 bench.disk=virtio",
	};
	static const char *const enlightenments[VM_KIND_COUNT] = {[VM_FAST] = "fast",
		[VM_ALL] = "all",
		[VM_ATA_DMA] = "fast",
		[VM_ATA_PIO] = "fast",
#define VARIANT(KIND, name, wanted) [VM_##KIND] = (wanted),
		VM_VARIANTS(VARIANT)
#undef VARIANT
	};
	*command = (struct vm_command){0};
	if (is_qemu(kind)) {
		const bool is_quick = kind == VM_QEMU_QUICK;
		vm_command_qemu(command, setup, is_quick ? qemu_quick_machine : VM_QEMU_MACHINE);
		vm_command_add(command, (const char *const[]){"-device", "vmbus-bridge", "-kernel",
						setup->kernel, "-initrd", setup->initrd, "-append",
						words[is_quick ? 3 : 2], NULL});
		if (is_quick) {
			vm_command_add(
				command, (const char *const[]){"-drive", paths->virtio, NULL});
			vm_command_add(command, qemu_quick_options);
		}
		return;
	}
	const bool is_ata = kind == VM_ATA_DMA || kind == VM_ATA_PIO;
	vm_command_add(
		command, (const char *const[]){setup->vmwp, "run", "--backend", "kvm", "--kernel",
				 setup->kernel, "--initrd", setup->initrd, "--append",
				 words[is_ata], "--memory", MEMORY, "--vps", PROCESSORS, "--serial",
				 "stdio", "--control", paths->socket, "--enlightenments",
				 enlightenments[kind], is_ata ? "--emulated-disk" : "--disk",
				 is_ata ? paths->emulated : setup->image, NULL});
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What has been counted so far. */
struct counts {
	struct vm_statistics statistics;
	double vm_exits;
};

/* socket: the worker's; NULL: it is QEMU, which says nothing by itself. */
static bool counts_get(const struct vm_machine *machine, const char *socket, struct counts *out)
{
	out->vm_exits = vm_traces_get(&machine->traces, VM_TRACE_EXITS);
	if (socket != NULL)
		return vm_statistics_get(socket, &out->statistics);
	for (unsigned i = 0; i < VM_STATISTIC_COUNT; i++)
		out->statistics.of[i] = VM_ABSENT;
	out->statistics.of[VM_STATISTIC_EXITS] = vm_traces_get(
		&machine->traces, VM_TRACE_USER_EXITS);
	return true;
}

struct reads {
	double count, ns;
	struct counts counts; /* from one answer of the guest to the next */
};

/* Have the guest read at `depth`; 0 ms: only the talk. */
static bool reads_run(struct vm_machine *machine, const char *socket, unsigned depth, unsigned ms,
	struct reads *out)
{
	char command[64];
	struct counts before;
	snprintf(command, sizeof command, "read %u %u\n", depth, ms);
	if (!counts_get(machine, socket, &before) || !vm_machine_tell(machine, command) ||
		!vm_machine_await(machine, "@done") ||
		sscanf(strstr(machine->line, "@done"), "@done %lf %lf", &out->count, &out->ns) !=
			2 ||
		!counts_get(machine, socket, &out->counts))
		return false;
	for (unsigned i = 0; i < VM_STATISTIC_COUNT; i++)
		out->counts.statistics.of[i] -= before.statistics.of[i];
	out->counts.vm_exits -= before.vm_exits;
	return true;
}

static int double_compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;
	return (x > y) - (x < y);
}

/* What the talk alone costs: of several, the one in the middle of each count. */
static bool talk_run(
	struct vm_machine *machine, const char *socket, unsigned depth, struct counts *out)
{
	struct reads talks[TALKS];
	double values[TALKS];
	for (unsigned i = 0; i < TALKS; i++)
		if (!reads_run(machine, socket, depth, 0, &talks[i]))
			return false;
	for (unsigned n = 0; n < VM_STATISTIC_COUNT; n++) {
		for (unsigned i = 0; i < TALKS; i++)
			values[i] = talks[i].counts.statistics.of[n];
		qsort(values, TALKS, sizeof values[0], double_compare);
		out->statistics.of[n] = values[TALKS / 2];
	}
	for (unsigned i = 0; i < TALKS; i++)
		values[i] = talks[i].counts.vm_exits;
	qsort(values, TALKS, sizeof values[0], double_compare);
	out->vm_exits = values[TALKS / 2];
	return true;
}

/* For each read, without what the talk costs. */
static double each(double count, double talk, double reads)
{
	return count > talk ? (count - talk) / reads : isnan(count) ? VM_ABSENT : 0;
}

static bool depth_measure(struct vm_machine *machine, const char *socket, unsigned depth,
	enum vm_figure first, double figures[VM_FIGURE_COUNT])
{
	struct counts talk;
	struct reads reads;
	/* The first run warms up. */
	if (!reads_run(machine, socket, depth, READ_MS / 10, &reads) ||
		!talk_run(machine, socket, depth, &talk) ||
		!reads_run(machine, socket, depth, READ_MS, &reads) || reads.count < 1)
		return false;
	static const enum vm_statistic statistics[] = {
		VM_STATISTIC_EXITS, VM_STATISTIC_INTERRUPTS, VM_STATISTIC_DOORBELLS};
	for (unsigned i = 0; i < 3; i++)
		figures[first + i] = each(reads.counts.statistics.of[statistics[i]],
			talk.statistics.of[statistics[i]], reads.count);
	figures[first + 3] = each(reads.counts.vm_exits, talk.vm_exits, reads.count);
	figures[first + 4] = reads.count * 1e9 / reads.ns;
	return true;
}

_Static_assert(VM_FIGURE_READ1_IOPS == VM_FIGURE_READ1_EXITS + 4, "order of the figures");
_Static_assert(VM_FIGURE_READ32_IOPS == VM_FIGURE_READ32_EXITS + 4, "order of the figures");

/* ---- the whole ----------------------------------------------------------------------------- */

static double ms_since_exec(const struct vm_machine *machine)
{
	return (double)(machine->line_ns - machine->exec_ns) / 1e6;
}

static bool boot_measure(struct vm_machine *machine, enum vm_kind kind, const char *socket,
	double figures[VM_FIGURE_COUNT])
{
	struct vm_statistics statistics;
	if (!vm_machine_await(machine, "@init"))
		return false;
	figures[VM_FIGURE_INIT_MS] = ms_since_exec(machine);
	if (!vm_machine_await(machine, "Vmbus version"))
		return false;
	figures[VM_FIGURE_VERSION_MS] = ms_since_exec(machine);
	if (!vm_machine_await(machine, "@ready"))
		return false;
	figures[VM_FIGURE_BOOT_USER_EXITS] = vm_traces_get(&machine->traces, VM_TRACE_USER_EXITS);
	figures[VM_FIGURE_BOOT_VM_EXITS] = vm_traces_get(&machine->traces, VM_TRACE_EXITS);
	figures[VM_FIGURE_BOOT_INJECTED] = vm_traces_get(&machine->traces, VM_TRACE_INTERRUPTS);
	if (is_qemu(kind))
		return true;
	if (!vm_statistics_get(socket, &statistics))
		return false;
	figures[VM_FIGURE_BOOT_EXITS] = statistics.of[VM_STATISTIC_EXITS];
	figures[VM_FIGURE_BOOT_HYPERCALLS] = statistics.of[VM_STATISTIC_HYPERCALLS];
	figures[VM_FIGURE_BOOT_MSRS] = statistics.of[VM_STATISTIC_MSRS];
	figures[VM_FIGURE_BOOT_PORTS] = statistics.of[VM_STATISTIC_PORTS];
	figures[VM_FIGURE_BOOT_INTERRUPTS] = statistics.of[VM_STATISTIC_INTERRUPTS];
	return true;
}

bool vm_round(const struct vm_setup *setup, enum vm_kind kind, double figures[VM_FIGURE_COUNT])
{
	struct vm_machine machine;
	struct vm_command command;
	struct paths paths;
	for (unsigned i = 0; i < VM_FIGURE_COUNT; i++)
		figures[i] = VM_ABSENT;
	snprintf(paths.socket, sizeof paths.socket, "%s/control", setup->sandbox->work);
	snprintf(paths.log, sizeof paths.log, "%s/vm.log", setup->sandbox->work);
	snprintf(paths.virtio, sizeof paths.virtio,
		"file=%s,format=raw,if=none,id=image,aio=io_uring", setup->image);
	snprintf(paths.emulated, sizeof paths.emulated, "%s%s", setup->image,
		kind == VM_ATA_PIO ? ",pio" : "");
	command_make(&command, setup, kind, &paths);
	if (vm_machine_start(&machine, &command, paths.log) != 0)
		return false;
	bool is_done = boot_measure(&machine, kind, paths.socket, figures);
	const char *socket = is_qemu(kind) ? NULL : paths.socket;
	if (is_done && kind != VM_QEMU)
		is_done = depth_measure(&machine, socket, 1, VM_FIGURE_READ1_EXITS, figures) &&
			  depth_measure(&machine, socket, 32, VM_FIGURE_READ32_EXITS, figures);
	figures[VM_FIGURE_MEMORY_MIB] = vm_memory_beyond_ram(
		machine.pid, MEMORY_BYTES, setup->image);
	vm_machine_tell(&machine, "end\n");
	vm_machine_stop(&machine);
	return is_done;
}
