// SPDX-License-Identifier: Apache-2.0
/*
 * The target "library": the guest library of this process, with a scripted host before it.
 *
 * Threads: one. A test runs in a process of its own, for a guest that crashes takes it along.
 */
#ifndef TESTS_CONFORMANCE_TARGET_LIBRARY_LINUX_H
#define TESTS_CONFORMANCE_TARGET_LIBRARY_LINUX_H

#include "tests/conformance/conform.h"

/* Run a test of guest_<area>.c. The evidence is in *target, which need not be set up before. */
enum conform_verdict library_run(const struct conform_test *test, struct conform_target *target);

#endif
