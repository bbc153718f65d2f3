// SPDX-License-Identifier: Apache-2.0
/*
 * Names of hypercalls and of their status codes, for logs and tests.
 *
 * Freestanding; pure functions; call from any thread.
 */
#include "protocol/hypervisor.h"

const char *hv_status_name(uint16_t status)
{
	switch (status) {
#define STATUS_CASE(value, NAME)                                                                   \
	case HV_STATUS_##NAME:                                                                     \
		return #NAME;
		HV_STATUSES(STATUS_CASE)
#undef STATUS_CASE
	default:
		return "unknown";
	}
}

const char *hv_call_name(uint16_t code)
{
	switch (code) {
#define CALL_CASE(value, NAME, text)                                                               \
	case HV_CALL_##NAME:                                                                       \
		return "HvCall" #text;
		HV_CALLS(CALL_CASE)
#undef CALL_CASE
	default:
		return "unknown";
	}
}
