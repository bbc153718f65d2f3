// SPDX-License-Identifier: Apache-2.0
/*
 * Debug hypercalls: text from the guest goes to partition_config.debug_data; nobody
 * answers it. See hypercall.h.
 */
#include "host/hypervisor/hypercall_handlers.h"
#include "host/hypervisor/partition_internal.h"

#include <string.h>

uint16_t hypercall_post_debug_data(const struct hypercall_context *call, uint8_t *output)
{
	struct partition *partition = call->partition;
	const struct partition_config *config = &partition->config;
	struct hv_post_debug_data_wire wire;

	memcpy(&wire, call->header, sizeof wire);
	if (wire.options != 0)
		return HV_STATUS_INVALID_PARAMETER;
	if (wire.count > call->data_bytes)
		return HV_STATUS_INVALID_ALIGNMENT; /* the data would cross the page */

	uint32_t taken = wire.count;
	if (partition->is_threaded)
		taken = deferral_debug(partition, call->data, wire.count);
	else if (wire.count > 0)
		config->debug_data(config->debug_ctx, call->data, wire.count);
	if (taken == 0 && wire.count > 0)
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	const struct hv_post_debug_data_output_wire result = {.pending_count = wire.count - taken};
	memcpy(output, &result, sizeof result);
	return HV_STATUS_SUCCESS;
}

uint16_t hypercall_retrieve_debug_data(const struct hypercall_context *call, uint8_t *output)
{
	(void)call;
	(void)output;
	return HV_STATUS_NO_DATA;
}

uint16_t hypercall_reset_debug_session(const struct hypercall_context *call, uint8_t *output)
{
	struct hv_reset_debug_session_wire wire;

	(void)output;
	memcpy(&wire, call->header, sizeof wire);
	return wire.options == 0 ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}
