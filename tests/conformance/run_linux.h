// SPDX-License-Identifier: Apache-2.0
/*
 * What a run is, whatever its target: which tests it has, what came of them, and when it
 * is to stop. A target runs them and adds the results:
 *
 *	hvconform.c: options, table of targets
 *	   |  int run_TARGET(config, run)	run_loopback_linux.c, run_vm_linux.c, …
 *	run_wants() -> run_begins() -> (the test) -> run_add(), until run_is_stopped()
 *
 * A verdict is passed on by the test itself. Two more are the runner's: a test that does not
 * end has failed, and when its target dies, the test that was run last is charged with it and
 * the next one gets a new target.
 *
 * Threads: one. run_is_stopped() is set by signals.
 */
#ifndef TESTS_CONFORMANCE_RUN_LINUX_H
#define TESTS_CONFORMANCE_RUN_LINUX_H

#include "tests/conformance/conform.h"

#include <limits.h>

#define RUN_LIMIT_MS	 20000u /* for one test, unless config says otherwise */
#define RUN_FOLDER_BYTES 96u	/* of a folder's path, with room for a socket behind it */

enum run_outcome {
	RUN_PASSED,
	RUN_FAILED,
	RUN_SKIPPED,
	RUN_DIED, /* the target died or hung: a failure */
};

struct run_result {
	const char *area;
	const struct conform_test *test;
	enum run_outcome outcome;
	double ms;
	char evidence[CONFORM_EVIDENCE_BYTES];
};

struct run {
	const char *target;	    /* "loopback" */
	char host[512];		    /* how it was started */
	struct run_result *results; /* `count`, as they came; in order after run_end() */
	size_t count;
	size_t total;		     /* that the patterns choose, and others that were restored */
	size_t totals[RUN_DIED + 1]; /* by outcome */
	unsigned hosts;		     /* that were started */
	double seconds;
};

/*
 * Copy what a target or a file says, as one line of ASCII: ends of lines become " ", other bytes
 * "?", so that none of them is a command to a terminal, or an end of a line of TAP, or breaks XML.
 */
void run_text_put(char *to, size_t bytes, const char *from);

/* "passed", "failed", "skipped", "died". */
const char *run_outcome_name(enum run_outcome outcome);

struct run_config {
	const char *target; /* its name */
	bool is_self_check; /* the areas are of tests that misbehave */
	const char *vmwp;   /* path of the worker's program */
	const char *image;  /* of the bare-metal image; NULL: the one of the build */
	const char *qemu;   /* program */
	const char *kernel; /* of a Linux guest, and its initramfs */
	const char *initrd;
	const char *console;	     /* file for what that guest says; NULL: none */
	unsigned limit_ms;	     /* a test that takes longer has died */
	const char *const *patterns; /* of rules, as conform_matches(); none: all */
	size_t pattern_count;
	const struct conform_area *areas;
	size_t area_count;
	/* Before each test, and after each result, the last of run->results. May be NULL. */
	void (*on_begin)(const struct run *run, const struct conform_test *test);
	void (*on_result)(const struct run *run);
};

/* Room for all results. 0, or -1 with a line on standard error. Free with run_free(). */
int run_begin(const struct run_config *config, struct run *run);
/* Results in the order of the tables. */
void run_end(const struct run_config *config, struct run *run);
void run_free(struct run *run);

/* Is the test chosen, and has no result yet (from a run that was continued)? */
bool run_wants(
	const struct run_config *config, const struct run *run, const struct conform_test *test);
/* The test begins. */
void run_begins(
	const struct run_config *config, const struct run *run, const struct conform_test *test);
/* Copied, its evidence by run_text_put(); counted. */
void run_add(const struct run_config *config, struct run *run, const struct run_result *result);
/* What was found out later about a test that has a result. */
void run_amend(struct run *run, const struct conform_test *test, enum run_outcome outcome,
	const char *evidence);
/* A result of an earlier run, of a test that is chosen now or not: counted, told to nobody. */
void run_restore(const struct run_config *config, struct run *run, const struct run_result *result);

/* A folder in $TMPDIR or /tmp, for the caller to remove. 0, or -1 with a line on standard error. */
int run_folder_make(char folder[RUN_FOLDER_BYTES]);

/* From now on SIGINT, SIGTERM and SIGHUP stop a run after its test; a second one ends the program.
 */
void run_stop_by_signals(void);
bool run_is_stopped(void);

double run_now_ms(void);

/* Targets. Each runs the tests that run_wants(). 0; -1: could not (said on standard error). */
int run_loopback(const struct run_config *config, struct run *run);
int run_kvm(const struct run_config *config, struct run *run);
int run_qemu(const struct run_config *config, struct run *run);
int run_library(const struct run_config *config, struct run *run);
int run_linux_guest(const struct run_config *config, struct run *run);

/* The image of the build that hvconform is of, or the one that is installed with it; or NULL. */
const char *run_image_find(char path[PATH_MAX]);

#endif
