// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench storage: a disk through the VSC library, a channel and the worker's VSP, beside
 * raw io_uring on the same file (in memory also pread and pwrite), and beside fio. Guest and
 * worker have a processor each.
 *
 *	storage/ram	a store in memory: what the path itself costs
 *	storage/tmpfs	an image file on tmpfs
 *	storage/direct	an image file on a disk, opened O_DIRECT by both
 *	storage/fuse	bench_storage_fuse.c
 *	storage/idle	bench_storage_idle.c
 *	storage/connect	bench_storage_connect.c
 *
 * At depth 1 a request that is a copy of 4 KiB and little else is shown without a goal: the
 * way to another process and back cannot cost less than one.
 */
#include "tests/performance/bench_storage.h"

#include "tests/performance/bench.h"
#include "tests/performance/fio.h"
#include "tests/performance/raw_file.h"

#include <stdio.h>
#include <string.h>

#define OTHERS_MAX 0.1 /* of all processors; see report.h */
#define RAW_BEST   "raw io_uring or pread/pwrite, the faster"

#define SMALL(d, w)                                                                                \
	{                                                                                          \
		.bytes = 4096, .depth = (d), .is_write = (w), .is_random = true,                   \
		.span_bytes = BENCH_STORAGE_BYTES, .duration_ns = BENCH_STORAGE_DURATION_NS        \
	}
#define LARGE(b, d, w)                                                                             \
	{                                                                                          \
		.bytes = (b), .depth = (d), .is_write = (w), .span_bytes = BENCH_STORAGE_BYTES,    \
		.duration_ns = BENCH_STORAGE_DURATION_NS                                           \
	}

const struct bench_storage_load bench_storage_loads[BENCH_STORAGE_LOADS] = {
	{"rand-read-4k-d1", SMALL(1, false)},
	{"rand-read-4k-d32", SMALL(32, false)},
	{"rand-read-4k-d128", SMALL(128, false)},
	{"rand-write-4k-d1", SMALL(1, true)},
	{"rand-write-4k-d32", SMALL(32, true)},
	{"rand-write-4k-d128", SMALL(128, true)},
	{"seq-read-128k-d8", LARGE(128u << 10, 8, false)},
	{"seq-write-128k-d8", LARGE(128u << 10, 8, true)},
	{"seq-read-1m-d4", LARGE(1u << 20, 4, false)},
	{"seq-write-1m-d4", LARGE(1u << 20, 4, true)},
};

struct bench_storage_row *bench_storage_row_make(
	const struct bench_storage_kind *kind, enum bench_storage_load_index load, double goal)
{
	static struct bench_storage_row rows[BENCH_STORAGE_ROWS_MAX];
	static unsigned count;
	if (count == BENCH_STORAGE_ROWS_MAX)
		return NULL;
	struct bench_storage_row *row = &rows[count++];
	row->load = bench_storage_loads[load].load;
	row->bench = kind->bench;
	snprintf(row->name, sizeof row->name, "%s/%s%s", kind->section,
		bench_storage_loads[load].name, kind->suffix);
	row->c = (struct measure_case){
		.name = row->name,
		.unit = load_unit(&row->load),
		.reference = kind->reference,
		.kind = goal > 0 ? MEASURE_AT_LEAST : MEASURE_SHOWN,
		.goal = goal,
		.measure_subject = kind->measure_subject,
		.measure_reference = kind->measure_reference,
		.ctx = row,
	};
	return row;
}

/* ---- one worker with one disk -----------------------------------------------------------------
 */

struct storage_bench {
	const struct sandbox *sandbox;
	struct guest_worker worker;
	struct guest guest;
	struct storage_vsc_lun *lun;	      /* NULL: could not be set up */
	char image[BENCH_STORAGE_PATH_BYTES]; /* the subject's, or what stands for it */
	bool is_direct;
};

static double through_channel(void *ctx)
{
	const struct bench_storage_row *row = ctx;
	struct storage_bench *bench = row->bench;
	return guest_run(&bench->guest, bench->lun, &row->load);
}

static double raw(void *ctx)
{
	const struct bench_storage_row *row = ctx;
	const struct storage_bench *bench = row->bench;
	return bench->is_direct ? raw_file_run(bench->image, true, &row->load)
				: raw_file_best(bench->image, &row->load);
}

static double by_fio(void *ctx)
{
	const struct bench_storage_row *row = ctx;
	const struct storage_bench *bench = row->bench;
	return fio_run(bench->sandbox, bench->image, bench->is_direct, &row->load);
}

/*
 * Start the worker and find the disk, whose every block is written once, so that a store
 * in memory has its pages.
 */
static void bench_open(struct storage_bench *bench, const char *const options[])
{
	static unsigned number;
	const struct load fill = {
		.bytes = 1u << 20,
		.depth = 4,
		.is_write = true,
		.span_bytes = BENCH_STORAGE_BYTES,
		.duration_ns = 30000000000,
		.requests = BENCH_STORAGE_BYTES >> 20,
	};
	if (guest_worker_start(&bench->worker, bench->sandbox, number++, options) != 0 ||
		guest_connect(&bench->guest, &bench->worker) != 0)
		return;
	if (guest_controller_open(&bench->guest, 0, 1, 0) == 0)
		bench->lun = guest_lun_find(&bench->guest, 0);
	if (bench->lun != NULL && guest_run(&bench->guest, bench->lun, &fill) < 0)
		bench->lun = NULL;
}

static void bench_close(struct storage_bench *bench)
{
	guest_disconnect(&bench->guest);
	guest_worker_stop(&bench->worker);
}

static void row_measure(
	struct report *report, const struct storage_bench *bench, struct bench_storage_row *row)
{
	if (row == NULL)
		return;
	if (bench->lun != NULL)
		report_case(report, &row->c);
	else
		report_without(report, &row->c, VERDICT_FAILED,
			"the disk could not be reached (see above)");
}

static void section_measure(struct report *report, const struct bench_storage_kind *kind,
	const double goals[BENCH_STORAGE_LOADS])
{
	for (unsigned i = 0; i < BENCH_STORAGE_LOADS; i++)
		row_measure(report, kind->bench, bench_storage_row_make(kind, i, goals[i]));
}

/* ---- the sections -----------------------------------------------------------------------------
 */

static void ram_measure(struct report *report, struct storage_bench *bench)
{
	static const double no_goals[BENCH_STORAGE_LOADS];
	static const char *const options[] = {"--ram-disk", "64M", NULL};
	struct bench_storage_kind kind = {
		"storage/ram", "", RAW_BEST ", file on tmpfs", through_channel, raw, bench};
	struct bench_storage_kind fio = {"storage/ram", "/fio", "fio, io_uring, file on tmpfs",
		through_channel, by_fio, bench};
	bench_open(bench, options);
	if (fio_is_there()) {
		row_measure(report, bench, bench_storage_row_make(&fio, BENCH_STORAGE_READ_32, 4));
		row_measure(report, bench, bench_storage_row_make(&fio, BENCH_STORAGE_WRITE_32, 0));
	} else {
		report_without(report, &bench_storage_row_make(&fio, BENCH_STORAGE_READ_32, 4)->c,
			VERDICT_ABSENT, "fio is not installed: install the package fio");
	}
	section_measure(report, &kind, no_goals);
	bench_close(bench);
}

static void image_measure(struct report *report, struct storage_bench *bench,
	const struct bench_storage_kind *kind, const double goals[BENCH_STORAGE_LOADS])
{
	char disk[BENCH_STORAGE_PATH_BYTES + 16];
	snprintf(disk, sizeof disk, "%s%s", bench->image, bench->is_direct ? ",direct" : "");
	const char *const options[] = {"--disk", disk, NULL};
	bench_open(bench, options);
	section_measure(report, kind, goals);
	bench_close(bench);
}

static void section_without(
	struct report *report, const struct bench_storage_kind *kind, const char *why)
{
	struct bench_storage_row *row = bench_storage_row_make(kind, BENCH_STORAGE_READ_32, 0);
	report_without(report, &row->c, VERDICT_ABSENT, why);
}

static void tmpfs_measure(struct report *report, const struct sandbox *sandbox)
{
	static struct storage_bench ram;
	static struct storage_bench file;
	static const double goals[BENCH_STORAGE_LOADS] = {0, .9, .9, 0, .9, .9, .9, .9, .95, .95};
	const struct bench_storage_kind kind = {
		"storage/tmpfs", "", RAW_BEST ", same file", through_channel, raw, &file};
	ram.sandbox = file.sandbox = sandbox;
	if (!report_wants(report, "storage/ram") && !report_wants(report, "storage/tmpfs"))
		return;
	if (sandbox->memory[0] == '\0' ||
		sandbox_file_make(sandbox->memory, "image", BENCH_STORAGE_BYTES, file.image) != 0) {
		section_without(report, &kind, "no tmpfs with room for an image");
		return;
	}
	memcpy(ram.image, file.image, sizeof ram.image);
	if (report_wants(report, "storage/ram"))
		ram_measure(report, &ram);
	if (report_wants(report, "storage/tmpfs"))
		image_measure(report, &file, &kind, goals);
}

static void direct_measure(struct report *report, const struct sandbox *sandbox)
{
	static struct storage_bench file;
	static const double goals[BENCH_STORAGE_LOADS] = {
		0, .95, .95, 0, .95, .95, .95, .95, .95, .95};
	const struct bench_storage_kind kind = {"storage/direct", "",
		"raw io_uring, same file, O_DIRECT", through_channel, raw, &file};
	file.sandbox = sandbox;
	file.is_direct = true;
	if (!report_wants(report, "storage/direct"))
		return;
	if (sandbox->disk[0] == '\0' ||
		sandbox_file_make(sandbox->disk, "image", BENCH_STORAGE_BYTES, file.image) != 0) {
		section_without(
			report, &kind, "no disk file system that takes O_DIRECT, with room");
		return;
	}
	image_measure(report, &file, &kind, goals);
	remove(file.image);
}

void bench_storage(struct report *report, const struct sandbox *sandbox)
{
	measure_pin(0);
	report->others_max = OTHERS_MAX;
	tmpfs_measure(report, sandbox);
	direct_measure(report, sandbox);
	if (report_wants(report, "storage/fuse"))
		bench_storage_fuse(report, sandbox);
	if (report_wants(report, "storage/idle"))
		bench_storage_idle(report, sandbox);
	if (report_wants(report, "storage/connect"))
		bench_storage_connect(report, sandbox);
}
