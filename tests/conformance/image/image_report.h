// SPDX-License-Identifier: Apache-2.0
/*
 * What the bare-metal image says of its tests: lines over the UART, each beginning with "@"
 * (docs/conformance.md, "The image's report"), and, where there is no UART, the totals by the
 * hypervisor's crash registers.
 *
 * Threads: the boot VP.
 */
#ifndef TESTS_CONFORMANCE_IMAGE_IMAGE_REPORT_H
#define TESTS_CONFORMANCE_IMAGE_IMAGE_REPORT_H

#include "tests/conformance/conform.h"

#define IMAGE_REPORT_VERSION 1u

/* P0: these four letters, the version, and whether this is the end. */
#define IMAGE_CRASH_MAGIC 0x48564346ull /* "HVCF" */
#define IMAGE_CRASH_DONE  1u
#define IMAGE_CRASH_NONE  0xffffu /* no test has failed, or none runs */

struct image_report {
	unsigned passed, failed, skipped;
	unsigned total; /* tests that are chosen */
	bool is_by_crash;
	bool is_first_known; /* of those that failed */
	unsigned first;
	char first_rule[16];
};

/* The head: how many tests the image has, and the number of the first that may run. */
void image_report_head(struct image_report *report, unsigned tests, unsigned from);
void image_report_begin(
	struct image_report *report, unsigned number, const struct conform_test *test);
void image_report_end(struct image_report *report, unsigned number, const struct conform_test *test,
	enum conform_verdict verdict, uint64_t time_100ns, const char *evidence);
/* The machine must be reset; `next`: the number to go on with. */
void image_report_reset(unsigned next, const char *why);
/* The totals. By the crash registers it may not return: the host is told of a crash. */
void image_report_total(struct image_report *report);

#endif
