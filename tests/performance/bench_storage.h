// SPDX-License-Identifier: Apache-2.0
/* The parts of hvbench storage, and what they share. */
#ifndef TESTS_PERFORMANCE_BENCH_STORAGE_H
#define TESTS_PERFORMANCE_BENCH_STORAGE_H

#include "tests/performance/guest.h"
#include "tests/performance/load.h"
#include "tests/performance/report.h"
#include "tests/performance/sandbox.h"

#define BENCH_STORAGE_BYTES	  (64ull << 20) /* of each disk */
#define BENCH_STORAGE_ROWS_MAX	  64u
#define BENCH_STORAGE_PATH_BYTES  (SANDBOX_PATH_BYTES + 64)
#define BENCH_STORAGE_DURATION_NS 200000000ull

/* One case of a load, with the strings that the report needs. `bench` is the part's own. */
struct bench_storage_row {
	struct measure_case c;
	struct load load;
	void *bench;
	char name[64];
};

struct bench_storage_load {
	const char *name;
	struct load load;
};

/* 4 KiB random at depths 1, 32, 128, then 128 KiB and 1 MiB sequential; read and write. */
#define BENCH_STORAGE_LOADS 10u
extern const struct bench_storage_load bench_storage_loads[BENCH_STORAGE_LOADS];
enum bench_storage_load_index {
	BENCH_STORAGE_READ_1,
	BENCH_STORAGE_READ_32,
	BENCH_STORAGE_READ_128,
	BENCH_STORAGE_WRITE_1,
	BENCH_STORAGE_WRITE_32,
	BENCH_STORAGE_WRITE_128,
	BENCH_STORAGE_READ_128K,
	BENCH_STORAGE_WRITE_128K,
	BENCH_STORAGE_READ_1M,
	BENCH_STORAGE_WRITE_1M,
};

/* What a row is beside its load. */
struct bench_storage_kind {
	const char *section;   /* "storage/ram" */
	const char *suffix;    /* after the load's name, or "" */
	const char *reference; /* in words */
	double (*measure_subject)(void *row);
	double (*measure_reference)(void *row);
	void *bench;
};

/*
 * A row in static memory; goal 0: none, else at least. Its ctx is the row. NULL, never, if the
 * table is large enough for all parts.
 */
struct bench_storage_row *bench_storage_row_make(
	const struct bench_storage_kind *kind, enum bench_storage_load_index load, double goal);

/* Through FUSE. */
void bench_storage_fuse(struct report *report, const struct sandbox *sandbox);
/* An idle worker; connecting. */
void bench_storage_idle(struct report *report, const struct sandbox *sandbox);
void bench_storage_connect(struct report *report, const struct sandbox *sandbox);

#endif
