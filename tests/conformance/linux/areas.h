// SPDX-License-Identifier: Apache-2.0
/* All areas of tests of a Linux guest, in the order in which they run: few boots are wanted. */
#ifndef TESTS_CONFORMANCE_LINUX_AREAS_H
#define TESTS_CONFORMANCE_LINUX_AREAS_H

#include "tests/conformance/conform.h"

extern const struct conform_area conform_linux_areas[];
extern const size_t conform_linux_area_count;

#endif
