// SPDX-License-Identifier: Apache-2.0
/* The areas of tests of a Linux guest. See areas.h. */
#include "tests/conformance/linux/areas.h"

#define AREAS(X) X(connection) X(offer) X(channel) X(ring) X(ic) X(storage) X(hostile) X(last)

#define DECLARE(area)                                                                              \
	extern const struct conform_test linux_##area##_tests[];                                   \
	extern const size_t linux_##area##_test_count;
AREAS(DECLARE)

#define ROW(area) {"linux-" #area, linux_##area##_tests, &linux_##area##_test_count},
const struct conform_area conform_linux_areas[] = {AREAS(ROW)};
const size_t conform_linux_area_count = sizeof conform_linux_areas / sizeof *conform_linux_areas;
