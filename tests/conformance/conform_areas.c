// SPDX-License-Identifier: Apache-2.0
/* The list of all areas. See conform_areas.h. */
#include "tests/conformance/conform_areas.h"

const struct conform_area conform_host_areas[] = {
#define CONFORM_AREA(area) {#area, conform_##area##_tests, &conform_##area##_test_count},
	CONFORM_AREAS(CONFORM_AREA)
#undef CONFORM_AREA
};
const size_t conform_host_area_count = sizeof conform_host_areas / sizeof conform_host_areas[0];
