// SPDX-License-Identifier: Apache-2.0
/* Tests of the runner itself: see runner_checks.c. */
#ifndef TESTS_CONFORMANCE_RUNNER_CHECKS_H
#define TESTS_CONFORMANCE_RUNNER_CHECKS_H

#include "tests/conformance/conform.h"

extern const struct conform_area runner_checks;

#endif
