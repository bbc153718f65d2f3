// SPDX-License-Identifier: Apache-2.0
/*
 * Small tables for the model of the VMBus connection: the sources of both ends are compiled
 * once more with these bounds, so that a state of both is a few kilobytes. First include of
 * every file of the model; nothing but table sizes differs from the product.
 */
#ifndef TESTS_MODEL_MODEL_CHANNEL_SMALL_H
#define TESTS_MODEL_MODEL_CHANNEL_SMALL_H

#include "protocol/vmbus.h"

#undef VMBUS_RELID_MAX
#undef VMBUS_RELID_COUNT
#define VMBUS_RELID_MAX	  5u
#define VMBUS_RELID_COUNT 6u

#define HOST_LIMITS_H		 /* in place of host/limits.h */
#define LIMIT_GPADLS		 12u
#define LIMIT_GPADL_WORDS	 512u
#define LIMIT_SERVER_CHANNELS	 6u
#define LIMIT_SERVER_QUEUE_BYTES 1792u

#endif
