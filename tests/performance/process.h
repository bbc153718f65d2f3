// SPDX-License-Identifier: Apache-2.0
/*
 * Programs that the benchmarks run as children, and what /proc says about them.
 *
 * A child dies with the benchmark (PR_SET_PDEATHSIG); whatever outlives that is ended
 * by sandbox.h. Messages for people go to stderr from here; callers only give up.
 *
 * Threads: the children live as long as the thread that started them.
 */
#ifndef TESTS_PERFORMANCE_PROCESS_H
#define TESTS_PERFORMANCE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_ANYWHERE (-1) /* any processor */

/*
 * Find a program: beside this one first, then by PATH. 0, or -ENOENT without a message
 * and with `path` empty.
 */
int process_find(const char *name, char *path, size_t bytes);

/* Fork with the death signal set and pinned to `processor`, or PROCESS_ANYWHERE; as fork(). */
pid_t process_fork(int processor);

/*
 * Start argv[0] (a path), argv ended by NULL, its standard input empty, its outputs
 * appended to `log_path`. The pid, or -1 after a message.
 */
pid_t process_start(const char *const argv[], int processor, const char *log_path);

/* True if the child has ended (and was reaped). */
bool process_has_ended(pid_t pid);

/*
 * SIGTERM, and after `patience_ms` SIGKILL; reaps it. True if it ended by itself with status 0.
 */
bool process_stop(pid_t pid, unsigned patience_ms);

/*
 * Run argv to its end and return what it wrote to its standard output, for free(). NULL
 * after a message, which quotes its standard error, if it could not run or failed.
 */
char *process_output(const char *const argv[], int processor, const char *log_path);

/* "hvbench: <what>: <last line of the log>" on stderr. */
void process_complain(const char *what, const char *log_path);

/* What the machine and we have used of the processors so far. */
struct process_load {
	double busy_ns; /* all processors, everybody, steal included */
	double own_ns;	/* this process and its children, living and reaped */
	uint64_t now_ns;
};
void process_load_get(struct process_load *out);
/* The part of all processors that others used between the two, 0..1. */
double process_others_share(const struct process_load *before, const struct process_load *after);

/*
 * Memory that the process alone has, in KiB: private pages of private mappings. Pages of shared
 * ones, such as those of an image on tmpfs, are the file's. Negative if it cannot be read.
 */
double process_private_kib(pid_t pid);
/* Times that its main thread has gone to sleep; negative if it cannot be read. */
double process_sleeps(pid_t pid);
/* Processor time of all its threads in ns; negative if it cannot be read. */
double process_cpu_ns(pid_t pid);

#endif
