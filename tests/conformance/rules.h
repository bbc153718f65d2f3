// SPDX-License-Identifier: Apache-2.0
/*
 * The rules of the contract (protocol/, Markdown) as data, made at build time by tests/tools/rules:
 * what hvconform list and show print beside the tests.
 *
 * Threads: constant.
 */
#ifndef TESTS_CONFORMANCE_RULES_H
#define TESTS_CONFORMANCE_RULES_H

#include <stddef.h>

struct conform_rule {
	const char *id;	      /* "R-HCALL-002" */
	const char *side;     /* "host", "guest", "both" */
	const char *level;    /* "MUST", "SHOULD NOT", … */
	const char *versions; /* "all", "from 5.3", "below 2.4" */
	const char *place;    /* "protocol/hypervisor.md:380" */
	const char *text;     /* Markdown, one line */
};

extern const struct conform_rule conform_rules[];
extern const size_t conform_rule_count;

/* The rule, or NULL. */
const struct conform_rule *conform_rule_find(const char *id);

#endif
