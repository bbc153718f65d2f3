// SPDX-License-Identifier: Apache-2.0
/*
 * Where the result of an asynchronous operation goes. The worker's event loop and
 * the stores meet in this one structure: a store embeds it and sets its address as
 * the user data of a submission queue entry; the loop calls it back.
 */
#ifndef HOST_COMPLETION_H
#define HOST_COMPLETION_H

#include <stdint.h>

/*
 * Where a CQE goes: embed it, and set it as the SQE's user data. `fn` runs once for
 * each CQE. The owner keeps it alive until then.
 */
struct loop_completion {
	void (*fn)(struct loop_completion *completion, int result, uint32_t flags);
};

#endif
