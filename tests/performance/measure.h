// SPDX-License-Identifier: Apache-2.0
/*
 * How hvbench measures: each subject beside its reference, in the same run, round by
 * round, and judged by the ratio of the two.
 *
 * A machine that is shared or virtual changes its speed by the second, so figures
 * of different runs mean little. In each round the reference and the subject are
 * measured one after the other, in alternating order; a round gives one ratio. The
 * result is the median of the ratios. Their spread (half the distance between the
 * quartiles, relative to the median) says whether the machine was quiet enough to
 * judge at all: a goal that lies within the spread of the result is not judged.
 */
#ifndef TESTS_PERFORMANCE_MEASURE_H
#define TESTS_PERFORMANCE_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEASURE_ROUNDS_MAX 101u

enum measure_goal {
	MEASURE_AT_MOST,  /* ratio ≤ goal: a cost */
	MEASURE_AT_LEAST, /* ratio ≥ goal: a rate */
	MEASURE_SHOWN,	  /* no goal; shown for comparison */
};

struct measure_case {
	const char *name;      /* "ring/one-thread/copy/64" */
	const char *unit;      /* of value: "ns/packet", "IOPS", "MiB/s" */
	const char *reference; /* what it is compared with, in words */
	enum measure_goal kind;
	double goal; /* of subject / reference */
	/* One measurement in `unit`; negative: could not be measured (then `why` of the result). */
	double (*measure_subject)(void *ctx);
	double (*measure_reference)(void *ctx);
	void *ctx;
};

enum measure_verdict {
	VERDICT_MET,
	VERDICT_MISSED,
	VERDICT_TOO_NOISY, /* the goal lies inside the spread */
	VERDICT_SHOWN,	   /* there is no goal */
	VERDICT_ABSENT,	   /* what it needs is not on this machine */
	VERDICT_FAILED,	   /* a measurement failed */
};

struct measure_result {
	const struct measure_case *c;
	double value;		/* median of the subject */
	double reference_value; /* median of the reference */
	double ratio;		/* median of the rounds' ratios */
	double spread;		/* see above; 0.05 = 5 % */
	unsigned rounds;
	double ratios[MEASURE_ROUNDS_MAX];
	enum measure_verdict verdict;
	const char *why; /* one sentence where the verdict needs it, or NULL */
};

/* Measure one case over `rounds` (5..MEASURE_ROUNDS_MAX) rounds. */
void measure_run(const struct measure_case *c, unsigned rounds, struct measure_result *out);

/*
 * Count instead of measuring: every measurement does `count` packets or requests, once, and
 * nothing is judged. For tools that count instructions, under which time means nothing.
 */
void measure_count_set(uint64_t count);
/* That count, or `usual` if it was not set. */
uint64_t measure_count(uint64_t usual);

const char *measure_verdict_name(enum measure_verdict verdict);

/* Median of n > 0 values; sorts them in place. */
double measure_median(double *values, size_t n);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t measure_now_ns(void);

/*
 * Nanoseconds of processor time of the calling thread, for work that one thread does alone: what
 * other programs take of the processor meanwhile is not counted.
 */
uint64_t measure_thread_ns(void);

/* What the machine is, and how quiet. */
struct measure_machine {
	char processor[96];
	unsigned processors;
	char kernel[64];
	double line_round_trip_ns[3]; /* cache line between two threads: least, median, most */
	double loop_spread;	      /* of a fixed computation, as in measure_result.spread */
};
void measure_machine_get(struct measure_machine *out);

/* Run the calling thread on one processor; false if the system refuses. */
bool measure_pin(unsigned processor);
/* On any processor again. */
bool measure_unpin(void);

#endif
