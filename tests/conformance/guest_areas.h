// SPDX-License-Identifier: Apache-2.0
/*
 * The tables of tests of the guest's side, one for each guest_<area>.c; guest_areas.c makes one
 * list of them. Of a row's needs they use enum guest_need, and no privileges and features.
 */
#ifndef TESTS_CONFORMANCE_GUEST_AREAS_H
#define TESTS_CONFORMANCE_GUEST_AREAS_H

#include "tests/conformance/scripted_host.h"

/* X(area): guest_<area>_tests[] in guest_<area>.c, in the order in which they run. */
/* clang-format off */
#define GUEST_AREAS(X)                                                                             \
	X(synic) X(connection) X(offer) X(gpadl) X(channel) X(ring) X(flow) X(unload)              \
	X(ic) X(heartbeat) X(services) X(fcopy) X(kvp) X(storage) X(lun) X(srb) X(outage)
/* clang-format on */

#define GUEST_DECLARE(area)                                                                        \
	extern const struct conform_test guest_##area##_tests[];                                   \
	extern const size_t guest_##area##_test_count;
GUEST_AREAS(GUEST_DECLARE)
#undef GUEST_DECLARE

/* All areas of the guest's side, in the order in which they run. */
extern const struct conform_area conform_guest_areas[];
extern const size_t conform_guest_area_count;

#endif
