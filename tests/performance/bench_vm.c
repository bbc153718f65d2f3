// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench vm: virtual machines on our host, beside QEMU with its own enlightenments and
 * beside an emulated disk, all in the same rounds. Counts come first, because they are
 * the same on every machine; times depend on what an exit costs here.
 *
 * A guest that has booted gives many figures. So all rounds are run first, and the cases
 * of the report then take theirs out of what has been kept.
 */
#include "tests/performance/bench_vm.h"

#include "tests/performance/bench.h"
#include "tests/performance/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_BYTES   (64u << 20)
#define CASES_MAX     (VM_CALLS_MAX * 3u)
#define EXITS_NOTABLE 0.1 /* below that it is the talk */
#define CALL_EMPTY    "exit/port-out"
#define CALL_NOTHING  "nothing"

/* ---- cases of booted guests ---------------------------------------------------------------- */

/* A figure of a kind of guest; VM_KIND_COUNT: the number 1. */
struct figure_of {
	enum vm_kind kind;
	enum vm_figure figure;
};
#define ONE                                                                                        \
	{                                                                                          \
		VM_KIND_COUNT, VM_FIGURE_COUNT                                                     \
	}
#define OF(KIND, FIGURE)                                                                           \
	{                                                                                          \
		VM_##KIND, VM_FIGURE_##FIGURE                                                      \
	}
#define SHOWN(NAME, UNIT, WHAT)                                                                    \
	{                                                                                          \
		.name = NAME, .unit = UNIT, .reference = WHAT, .kind = MEASURE_SHOWN               \
	}
#define LEAST(NAME, UNIT, WHAT, GOAL)                                                              \
	{                                                                                          \
		.name = NAME, .unit = UNIT, .reference = WHAT, .kind = MEASURE_AT_LEAST,           \
		.goal = GOAL                                                                       \
	}
#define MOST(NAME, UNIT, WHAT, GOAL)                                                               \
	{                                                                                          \
		.name = NAME, .unit = UNIT, .reference = WHAT, .kind = MEASURE_AT_MOST,            \
		.goal = GOAL                                                                       \
	}

static const struct row {
	struct measure_case c;
	struct figure_of subject, reference;
} rows[] = {
	/* counts */
	{MOST("vm/read-1/exits", "exits", "one read of 4 KiB", 1), OF(FAST, READ1_EXITS), ONE},
	{MOST("vm/read-32/exits", "exits", "one read, 32 at a time", 0.1), OF(FAST, READ32_EXITS),
		ONE},
	{SHOWN("vm/read-1/interrupts", "interrupts", "one read"), OF(FAST, READ1_INTERRUPTS), ONE},
	{SHOWN("vm/read-32/interrupts", "interrupts", "one read"), OF(FAST, READ32_INTERRUPTS),
		ONE},
	{SHOWN("vm/read-1/doorbells", "doorbells", "one read"), OF(FAST, READ1_DOORBELLS), ONE},
	{SHOWN("vm/read-32/doorbells", "doorbells", "one read"), OF(FAST, READ32_DOORBELLS), ONE},
	{SHOWN("vm/read-1/exits-dma", "exits", "one read, emulated disk with DMA"),
		OF(ATA_DMA, READ1_EXITS), ONE},
	{SHOWN("vm/read-32/exits-dma", "exits", "one read, emulated disk with DMA"),
		OF(ATA_DMA, READ32_EXITS), ONE},
	{SHOWN("vm/read-1/exits-pio", "exits", "one read, emulated disk without"),
		OF(ATA_PIO, READ1_EXITS), ONE},
	{SHOWN("vm/read-32/exits-pio", "exits", "one read, emulated disk without"),
		OF(ATA_PIO, READ32_EXITS), ONE},
	{SHOWN("vm/read-1/all-exits", "VM exits", "emulated disk with DMA; in the kernel too"),
		OF(FAST, READ1_VM_EXITS), OF(ATA_DMA, READ1_VM_EXITS)},
	{SHOWN("vm/read-32/all-exits", "VM exits", "emulated disk with DMA; in the kernel too"),
		OF(FAST, READ32_VM_EXITS), OF(ATA_DMA, READ32_VM_EXITS)},
	{SHOWN("vm/read-1/exits-virtio", "exits", "one read, virtio-blk on QEMU"),
		OF(QEMU_QUICK, READ1_EXITS), ONE},
	{SHOWN("vm/read-32/exits-virtio", "exits", "one read, virtio-blk on QEMU"),
		OF(QEMU_QUICK, READ32_EXITS), ONE},
	{SHOWN("vm/read-1/all-exits-virtio", "VM exits", "virtio-blk on QEMU; in the kernel too"),
		OF(FAST, READ1_VM_EXITS), OF(QEMU_QUICK, READ1_VM_EXITS)},
	{SHOWN("vm/read-32/all-exits-virtio", "VM exits", "virtio-blk on QEMU; in the kernel too"),
		OF(FAST, READ32_VM_EXITS), OF(QEMU_QUICK, READ32_VM_EXITS)},
	{SHOWN("vm/boot/exits-quick", "exits", "QEMU, quick start; to user space"),
		OF(FAST, BOOT_USER_EXITS), OF(QEMU_QUICK, BOOT_USER_EXITS)},
	{SHOWN("vm/boot/exits", "exits", "QEMU; to user space"), OF(FAST, BOOT_USER_EXITS),
		OF(QEMU, BOOT_USER_EXITS)},
	{SHOWN("vm/boot/all-exits", "VM exits", "QEMU; in the kernel too"), OF(FAST, BOOT_VM_EXITS),
		OF(QEMU, BOOT_VM_EXITS)},
	{SHOWN("vm/boot/interrupts", "interrupts", "QEMU; injected"), OF(FAST, BOOT_INJECTED),
		OF(QEMU, BOOT_INJECTED)},
	/* all against fast */
	{SHOWN("vm/all/boot-exits", "exits", "fast"), OF(ALL, BOOT_EXITS), OF(FAST, BOOT_EXITS)},
	{SHOWN("vm/all/boot-msrs", "exits", "fast; MSRs"), OF(ALL, BOOT_MSRS), OF(FAST, BOOT_MSRS)},
	{SHOWN("vm/all/boot-hypercalls", "exits", "fast; hypercalls"), OF(ALL, BOOT_HYPERCALLS),
		OF(FAST, BOOT_HYPERCALLS)},
	{SHOWN("vm/all/boot-ports", "exits", "fast; ports"), OF(ALL, BOOT_PORTS),
		OF(FAST, BOOT_PORTS)},
	{SHOWN("vm/all/boot-interrupts", "interrupts", "fast; injected by the worker"),
		OF(ALL, BOOT_INTERRUPTS), OF(FAST, BOOT_INTERRUPTS)},
	{SHOWN("vm/all/boot-injected", "interrupts", "fast; injected"), OF(ALL, BOOT_INJECTED),
		OF(FAST, BOOT_INJECTED)},
	{SHOWN("vm/all/read-1-exits", "exits", "one read"), OF(ALL, READ1_EXITS), ONE},
	{SHOWN("vm/all/read-32-exits", "exits", "one read"), OF(ALL, READ32_EXITS), ONE},
	{SHOWN("vm/all/read-1-rate", "IOPS", "fast"), OF(ALL, READ1_IOPS), OF(FAST, READ1_IOPS)},
	{SHOWN("vm/all/read-32-rate", "IOPS", "fast"), OF(ALL, READ32_IOPS), OF(FAST, READ32_IOPS)},
	{SHOWN("vm/all/version", "ms", "fast"), OF(ALL, VERSION_MS), OF(FAST, VERSION_MS)},
/* what fast has left out, and would cost; and what it has, and saves */
#define VARIANT(KIND, NAME, enlightenments)                                                        \
	{SHOWN(NAME "/boot", "exits", "fast"), OF(KIND, BOOT_EXITS), OF(FAST, BOOT_EXITS)},        \
		{SHOWN(NAME "/read-1", "exits", "one read"), OF(KIND, READ1_EXITS), ONE},          \
		{SHOWN(NAME "/read-32", "exits", "one read"), OF(KIND, READ32_EXITS), ONE},
	VM_VARIANTS(VARIANT)
#undef VARIANT
	/* times, rates, memory */
	{MOST("vm/time/version", "ms", "QEMU; exec to \"Vmbus version\"", 0.5),
		OF(FAST, VERSION_MS), OF(QEMU, VERSION_MS)},
	{SHOWN("vm/time/init", "ms", "QEMU; exec to /init"), OF(FAST, INIT_MS), OF(QEMU, INIT_MS)},
	{SHOWN("vm/time/version-quick", "ms", "QEMU, quick start; exec to \"Vmbus version\""),
		OF(FAST, VERSION_MS), OF(QEMU_QUICK, VERSION_MS)},
	{SHOWN("vm/time/init-quick", "ms", "QEMU, quick start; exec to /init"), OF(FAST, INIT_MS),
		OF(QEMU_QUICK, INIT_MS)},
	{SHOWN("vm/rate/1-virtio", "IOPS", "virtio-blk on QEMU"), OF(FAST, READ1_IOPS),
		OF(QEMU_QUICK, READ1_IOPS)},
	{SHOWN("vm/rate/32-virtio", "IOPS", "virtio-blk on QEMU"), OF(FAST, READ32_IOPS),
		OF(QEMU_QUICK, READ32_IOPS)},
	{LEAST("vm/rate/32-pio", "IOPS", "emulated disk without DMA", 10), OF(FAST, READ32_IOPS),
		OF(ATA_PIO, READ32_IOPS)},
	{LEAST("vm/rate/32-dma", "IOPS", "emulated disk with DMA", 3), OF(FAST, READ32_IOPS),
		OF(ATA_DMA, READ32_IOPS)},
	{SHOWN("vm/rate/1-pio", "IOPS", "emulated disk without DMA"), OF(FAST, READ1_IOPS),
		OF(ATA_PIO, READ1_IOPS)},
	{SHOWN("vm/rate/1-dma", "IOPS", "emulated disk with DMA"), OF(FAST, READ1_IOPS),
		OF(ATA_DMA, READ1_IOPS)},
	{MOST("vm/memory/beyond-ram", "MiB", "1 MiB; memory that is not the guest's", 8),
		OF(FAST, MEMORY_MIB), ONE},
	{SHOWN("vm/memory/beside-qemu", "MiB", "QEMU; memory that is not the guest's"),
		OF(FAST, MEMORY_MIB), OF(QEMU, MEMORY_MIB)},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* ---- what is kept -------------------------------------------------------------------------- */

/* A case that plays its rounds back. */
struct replay {
	struct measure_case c;
	char name[VM_CALL_NAME + 24];
	double subjects[MEASURE_ROUNDS_MAX], references[MEASURE_ROUNDS_MAX];
	unsigned subject_next, reference_next;
};

struct bench_vm {
	struct vm_setup setup;
	unsigned rounds;
	bool is_wanted[VM_KIND_COUNT], has_failed[VM_KIND_COUNT];
	bool wants_calls, have_calls_failed;
	bool has_traces;
	struct vm_figures figures[MEASURE_ROUNDS_MAX];
	struct replay replays[ROWS + CASES_MAX];
	unsigned replay_count;
};

static double subject_play(void *ctx)
{
	struct replay *replay = ctx;
	return replay->subjects[replay->subject_next++ % MEASURE_ROUNDS_MAX];
}

static double reference_play(void *ctx)
{
	struct replay *replay = ctx;
	return replay->references[replay->reference_next++ % MEASURE_ROUNDS_MAX];
}

static struct replay *replay_add(struct bench_vm *bench, const struct measure_case *c)
{
	struct replay *replay = &bench->replays[bench->replay_count++];
	replay->c = *c;
	snprintf(replay->name, sizeof replay->name, "%s", c->name);
	replay->c.name = replay->name;
	replay->c.measure_subject = subject_play;
	replay->c.measure_reference = reference_play;
	replay->c.ctx = replay;
	return replay;
}

/* Report it, or say why it cannot be. */
static void replay_report(
	struct bench_vm *bench, struct report *report, struct replay *replay, bool has_failed)
{
	bool is_whole = true;
	for (unsigned i = 0; i < bench->rounds; i++)
		is_whole &= !isnan(replay->subjects[i]) && replay->references[i] > 0;
	if (is_whole)
		report_case(report, &replay->c);
	else if (has_failed)
		report_without(report, &replay->c, VERDICT_FAILED,
			"a guest did not come so far: its last words are on standard error");
	else if (bench->setup.qemu[0] == '\0')
		report_without(
			report, &replay->c, VERDICT_ABSENT, "qemu-system-x86_64 is not installed");
	else if (!bench->has_traces)
		report_without(report, &replay->c, VERDICT_ABSENT,
			"KVM's tracepoints cannot be counted: that needs root and tracefs at "
			"/sys/kernel/tracing");
	else
		report_without(
			report, &replay->c, VERDICT_ABSENT, "the one or the other did not say it");
}

/* ---- rounds -------------------------------------------------------------------------------- */

/* Variants of fast only if the name says so: each is one boot more in every round. */
static bool is_asked(const struct report *report, const struct row *row)
{
	return report->only == NULL ? row->subject.kind <= VM_QEMU_QUICK
				    : strncmp(row->c.name, report->only, strlen(report->only)) == 0;
}

/* Can names that start so be asked for? */
static bool is_begun(const struct report *report, const char *start)
{
	const size_t most = report->only != NULL ? strlen(report->only) : 0;
	const size_t bytes = strlen(start);
	return strncmp(start, report->only != NULL ? report->only : "",
		       bytes < most ? bytes : most) == 0;
}

static void wants_find(struct bench_vm *bench, const struct report *report)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!is_asked(report, &rows[i]))
			continue;
		bench->is_wanted[rows[i].subject.kind] = true;
		if (rows[i].reference.kind < VM_KIND_COUNT)
			bench->is_wanted[rows[i].reference.kind] = true;
	}
	bench->wants_calls = bench->setup.calls[0] != '\0' &&
			     (is_begun(report, "vm/exits") || is_begun(report, "vm/cost"));
}

static void kind_run(struct bench_vm *bench, unsigned round, enum vm_kind kind)
{
	if (!bench->is_wanted[kind] || bench->has_failed[kind] ||
		((kind == VM_QEMU || kind == VM_QEMU_QUICK) && bench->setup.qemu[0] == '\0'))
		return;
	/* A machine that is itself emulated may lose a guest: once is no failure yet. */
	for (unsigned attempt = 1; attempt <= 2; attempt++) {
		if (vm_round(&bench->setup, kind, bench->figures[round].of[kind]))
			return;
		fprintf(stderr, "hvbench: that was attempt %u of 2\n", attempt);
	}
	bench->has_failed[kind] = true;
}

static void calls_run(struct bench_vm *bench, unsigned round, bool is_qemu)
{
	if (!bench->wants_calls || bench->have_calls_failed ||
		(is_qemu && bench->setup.qemu[0] == '\0'))
		return;
	struct vm_calls *calls = is_qemu ? &bench->figures[round].qemu
					 : &bench->figures[round].ours;
	for (unsigned attempt = 1; attempt <= 2; attempt++) {
		if (vm_calls_run(&bench->setup, is_qemu, calls))
			return;
		fprintf(stderr, "hvbench: that was attempt %u of 2\n", attempt);
	}
	bench->have_calls_failed = true;
}

static bool has_any_failed(const struct bench_vm *bench)
{
	bool has_failed = bench->have_calls_failed;
	for (unsigned kind = 0; kind < VM_KIND_COUNT; kind++)
		has_failed |= bench->has_failed[kind];
	return has_failed;
}

/* kept: a file, or NULL. */
static void rounds_run(struct bench_vm *bench, const char *kept)
{
	const unsigned done = kept != NULL ? vm_kept_read(kept, bench->figures, bench->rounds) : 0;
	for (unsigned round = done; round < bench->rounds; round++) {
		const uint64_t start = measure_now_ns();
		for (unsigned i = 0; i < VM_KIND_COUNT; i++)
			kind_run(bench, round, round % 2 == 0 ? i : VM_KIND_COUNT - 1 - i);
		calls_run(bench, round, round % 2 != 0);
		calls_run(bench, round, round % 2 == 0);
		fprintf(stderr, "hvbench: round %u of %u took %.0f s\n", round + 1, bench->rounds,
			(double)(measure_now_ns() - start) / 1e9);
		if (kept != NULL && !has_any_failed(bench))
			vm_kept_add(kept, &bench->figures[round]);
	}
}

/* ---- the report ---------------------------------------------------------------------------- */

static double figure_get(const struct bench_vm *bench, unsigned round, struct figure_of which)
{
	return which.kind == VM_KIND_COUNT ? 1 : bench->figures[round].of[which.kind][which.figure];
}

static void row_report(struct bench_vm *bench, struct report *report, const struct row *row)
{
	struct replay *replay = replay_add(bench, &row->c);
	for (unsigned i = 0; i < bench->rounds; i++) {
		replay->subjects[i] = figure_get(bench, i, row->subject);
		replay->references[i] = figure_get(bench, i, row->reference);
	}
	replay_report(bench, report, replay,
		bench->has_failed[row->subject.kind] ||
			(row->reference.kind < VM_KIND_COUNT &&
				bench->has_failed[row->reference.kind]));
}

static double call_get(const struct vm_calls *calls, const char *name, bool is_exits)
{
	const struct vm_call *call = vm_calls_find(calls, name);
	return call == NULL ? VM_ABSENT : is_exits ? call->exits : call->ns;
}

/* Calls of a round, ours or QEMU's. */
static const struct vm_calls *calls_of(const struct bench_vm *bench, unsigned round, bool is_qemu)
{
	return is_qemu ? &bench->figures[round].qemu : &bench->figures[round].ours;
}

/*
 * Exits of each call, ours or QEMU's. Those that the hypervisor does not have are left out, and
 * of QEMU's those that the kernel's KVM answers by itself.
 */
static void call_exits_report(struct bench_vm *bench, struct report *report, bool is_qemu)
{
	const struct vm_calls *calls = calls_of(bench, 0, is_qemu);
	for (unsigned n = 0; n < calls->count; n++) {
		const char *name = calls->of[n].name;
		if (isnan(calls->of[n].exits) || strcmp(name, CALL_NOTHING) == 0 ||
			(is_qemu && calls->of[n].exits < EXITS_NOTABLE))
			continue;
		char text[VM_CALL_NAME + 24];
		snprintf(text, sizeof text, "vm/exits%s/%s", is_qemu ? "-qemu" : "", name);
		struct replay *replay = replay_add(
			bench, &(struct measure_case){.name = text,
				       .unit = "exits",
				       .reference = is_qemu ? "one call of QEMU's" : "one call",
				       .kind = MEASURE_SHOWN});
		for (unsigned i = 0; i < bench->rounds; i++) {
			replay->subjects[i] = call_get(calls_of(bench, i, is_qemu), name, true);
			replay->references[i] = 1;
		}
		replay_report(bench, report, replay, bench->have_calls_failed);
	}
}

/* Times of each call, beside QEMU's, or, where it has none, beside an exit that does nothing. */
static void call_times_report(struct bench_vm *bench, struct report *report)
{
	const struct vm_calls *calls = calls_of(bench, 0, false);
	for (unsigned n = 0; n < calls->count; n++) {
		const char *name = calls->of[n].name;
		const bool is_both = !isnan(call_get(calls_of(bench, 0, true), name, false));
		if (isnan(calls->of[n].ns) || strcmp(name, CALL_NOTHING) == 0)
			continue;
		char text[VM_CALL_NAME + 24];
		snprintf(text, sizeof text, "vm/cost/%s", name);
		struct replay *replay = replay_add(bench,
			&(struct measure_case){.name = text,
				.unit = "ns",
				.reference = is_both ? "QEMU" : "an empty exit (" CALL_EMPTY ")",
				.kind = MEASURE_SHOWN});
		for (unsigned i = 0; i < bench->rounds; i++) {
			replay->subjects[i] = call_get(calls_of(bench, i, false), name, false);
			replay->references[i] = call_get(
				calls_of(bench, i, is_both), is_both ? name : CALL_EMPTY, false);
		}
		replay_report(bench, report, replay, bench->have_calls_failed);
	}
}

/* ---- what is needed ------------------------------------------------------------------------ */

/* A path that begins at the folder of this program. */
static bool beside(const char *rest, char path[PATH_MAX])
{
	char self[PATH_MAX];
	const ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
	if (bytes <= 0)
		return false;
	self[bytes] = '\0';
	*strrchr(self, '/') = '\0';
	const int length = snprintf(path, PATH_MAX, "%s/%s", self, rest);
	return length > 0 && length < PATH_MAX && access(path, R_OK) == 0;
}

/* Copy a file to `to`; 0, or -1 after a message. */
static int copy(const char *from, const char *to)
{
	struct stat status;
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool is_done = in >= 0 && out >= 0 && fstat(in, &status) == 0;
	for (off_t left = is_done ? status.st_size : 0; is_done && left > 0;) {
		const ssize_t sent = sendfile(out, in, NULL, (size_t)left);
		is_done = sent > 0;
		left -= sent;
	}
	if (!is_done)
		fprintf(stderr, "hvbench: copying %s to %s: %s\n", from, to, strerror(errno));
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return is_done ? 0 : -1;
}

/* The guest that vm_guest/guest makes, where the source tree is there. 0, or -1 after a message. */
static int guest_make(const char *log, char folder[PATH_MAX])
{
	static const char *const places[] = {"../../tests/performance/vm_guest/guest",
		"../../../tests/performance/vm_guest/guest"};
	char script[PATH_MAX];
	char built[PATH_MAX];
	if (!beside(places[0], script) && !beside(places[1], script)) {
		fputs("hvbench: no source tree here to make a guest from; give --kernel and "
		      "--initrd (of tests/performance/vm_guest/guest)\n",
			stderr);
		return -1;
	}
	if (beside("..", built))
		setenv("B", built, 1);
	char *text = process_output((const char *const[]){script, NULL}, PROCESS_ANYWHERE, log);
	if (text == NULL)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	snprintf(folder, PATH_MAX, "%s", text);
	free(text);
	return 0;
}

/* Kernel and initramfs, in memory if there is such a folder. 0, or -1 after a message. */
static int guest_get(
	struct vm_setup *setup, const char *kernel, const char *initrd, const char *log)
{
	char folder[PATH_MAX] = "";
	char path[PATH_MAX + 16];
	if ((kernel == NULL || initrd == NULL) && guest_make(log, folder) != 0)
		return -1;
	const char *const to = setup->sandbox->memory[0] != '\0' ? setup->sandbox->memory
								 : setup->sandbox->work;
	snprintf(setup->kernel, sizeof setup->kernel, "%s/kernel", to);
	snprintf(setup->initrd, sizeof setup->initrd, "%s/initrd", to);
	snprintf(path, sizeof path, "%s/vmlinux", folder);
	if (copy(kernel != NULL ? kernel : path, setup->kernel) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/initrd", folder);
	if (copy(initrd != NULL ? initrd : path, setup->initrd) != 0)
		return -1;
	return sandbox_file_make(to, "disk.img", IMAGE_BYTES, setup->image);
}

/* NULL, or why no virtual machine can be measured here. */
static const char *setup_make(struct bench_vm *bench, const struct sandbox *sandbox,
	const char *kernel, const char *initrd)
{
	struct vm_setup *setup = &bench->setup;
	char log[SANDBOX_PATH_BYTES + 32];
	setup->sandbox = sandbox;
	snprintf(log, sizeof log, "%s/setup.log", sandbox->work);
	if (process_find("vmwp", setup->vmwp, sizeof setup->vmwp) != 0)
		return "there is no vmwp beside this program";
	char *text = process_output(
		(const char *const[]){setup->vmwp, "probe", NULL}, PROCESS_ANYWHERE, log);
	free(text);
	if (text == NULL)
		return "KVM cannot be used here: make bench-vm measures in the rig";
	/* Running it once has its libraries in memory, which ours are. */
	if (process_find("qemu-system-x86_64", setup->qemu, sizeof setup->qemu) == 0)
		free(process_output((const char *const[]){setup->qemu, "--version", NULL},
			PROCESS_ANYWHERE, log));
	if (!beside("../bare/costs.elf", setup->calls) &&
		!beside("../../bare/costs.elf", setup->calls)) {
		fputs("hvbench: no bare-metal kernel costs.elf to measure calls with; run make "
		      "bare\n",
			stderr);
		setup->calls[0] = '\0';
	}
	bench->has_traces = vm_traces_are_there();
	return guest_get(setup, kernel, initrd, log) == 0 ? NULL : "there is no guest to boot";
}

void bench_vm(struct report *report, const struct sandbox *sandbox,
	const struct bench_vm_options *options)
{
	static struct bench_vm bench; /* the report keeps its cases */
	const char *why = setup_make(&bench, sandbox, options->kernel, options->initrd);
	if (why != NULL) {
		for (size_t i = 0; i < ROWS; i++)
			if (report->only != NULL || is_asked(report, &rows[i]))
				report_without(report, &rows[i].c, VERDICT_ABSENT, why);
		return;
	}
	signal(SIGPIPE, SIG_IGN); /* a machine may end while it is talked to */
	bench.rounds = measure_count(0) != 0 ? 1 : report->rounds;
	for (unsigned i = 0; i < bench.rounds; i++)
		for (unsigned kind = 0; kind < VM_KIND_COUNT; kind++)
			for (unsigned figure = 0; figure < VM_FIGURE_COUNT; figure++)
				bench.figures[i].of[kind][figure] = VM_ABSENT;
	wants_find(&bench, report);
	rounds_run(&bench, options->kept);
	for (size_t i = 0; i < ROWS; i++)
		if (report->only != NULL || is_asked(report, &rows[i]))
			row_report(&bench, report, &rows[i]);
	call_exits_report(&bench, report, false);
	call_exits_report(&bench, report, true);
	call_times_report(&bench, report);
}
