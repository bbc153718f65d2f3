// SPDX-License-Identifier: Apache-2.0
/* The list of all areas of the guest's side. See guest_areas.h. */
#include "tests/conformance/guest_areas.h"

const struct conform_area conform_guest_areas[] = {
#define GUEST_AREA(area) {"library-" #area, guest_##area##_tests, &guest_##area##_test_count},
	GUEST_AREAS(GUEST_AREA)
#undef GUEST_AREA
};
const size_t conform_guest_area_count = sizeof conform_guest_areas / sizeof conform_guest_areas[0];
