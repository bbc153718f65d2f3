// SPDX-License-Identifier: Apache-2.0
/*
 * Reference time from another clock. See time_reference.h.
 */
#include "guest/ic_daemons/time_reference.h"

#define SENSIBLE_MAX (1ull << 62)

static int64_t least(const struct time_reference *reference)
{
	int64_t smallest = reference->distances[0];
	for (unsigned i = 1; i < reference->count; i++)
		if (reference->distances[i] < smallest)
			smallest = reference->distances[i];
	return smallest;
}

uint64_t time_reference_since(
	struct time_reference *reference, uint64_t own_100ns, uint64_t message_100ns)
{
	if (own_100ns >= SENSIBLE_MAX || message_100ns >= SENSIBLE_MAX)
		return 0;
	const int64_t distance = (int64_t)own_100ns - (int64_t)message_100ns;
	if (reference->count > 0) {
		const int64_t jump = distance - least(reference);
		if (jump > TIME_REFERENCE_JUMP_100NS || jump < -TIME_REFERENCE_JUMP_100NS)
			reference->count = reference->next = 0;
	}
	reference->distances[reference->next] = distance;
	reference->next = (reference->next + 1) % TIME_REFERENCE_KEPT;
	if (reference->count < TIME_REFERENCE_KEPT)
		reference->count++;
	/* Up to `distance`, which is among them: so at least the message's. */
	return (uint64_t)((int64_t)own_100ns - least(reference));
}
