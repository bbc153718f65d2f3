// SPDX-License-Identifier: Apache-2.0
/* The tables of tests, one for each host_<area>.c; conform_areas.c makes one list of them. */
#ifndef TESTS_CONFORMANCE_CONFORM_AREAS_H
#define TESTS_CONFORMANCE_CONFORM_AREAS_H

#include "tests/conformance/conform_channel.h"

/* X(area): conform_<area>_tests[] in host_<area>.c, in the order in which they run. */
#define CONFORM_AREAS(X)                                                                           \
	X(cpuid)                                                                                   \
	X(promise)                                                                                 \
	X(register)                                                                                \
	X(msr)                                                                                     \
	X(crash)                                                                                   \
	X(hypercall)                                                                               \
	X(calls)                                                                                   \
	X(processor)                                                                               \
	X(synic)                                                                                   \
	X(port)                                                                                    \
	X(timer)                                                                                   \
	X(expiry)                                                                                  \
	X(clock)                                                                                   \
	X(ipi)                                                                                     \
	X(flush)                                                                                   \
	X(hostile)                                                                                 \
	X(connection)                                                                              \
	X(offer)                                                                                   \
	X(unload)                                                                                  \
	X(gpadl)                                                                                   \
	X(channel)                                                                                 \
	X(signal)                                                                                  \
	X(reserved)                                                                                \
	X(subchannel)                                                                              \
	X(ring)                                                                                    \
	X(echo)                                                                                    \
	X(flow)                                                                                    \
	X(lies)                                                                                    \
	X(monitor)                                                                                 \
	X(ic)                                                                                      \
	X(storage)                                                                                 \
	X(scsi)

#define CONFORM_DECLARE(area)                                                                      \
	extern const struct conform_test conform_##area##_tests[];                                 \
	extern const size_t conform_##area##_test_count;
CONFORM_AREAS(CONFORM_DECLARE)
#undef CONFORM_DECLARE

#endif
