// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls to ports: messages and signals. See hypercall.h.
 */
#include "host/hypervisor/hypercall_handlers.h"
#include "host/hypervisor/partition_internal.h"

#include <string.h>

uint16_t hypercall_post_message(const struct hypercall_context *call, uint8_t *output)
{
	struct partition *partition = call->partition;
	struct hv_post_message_wire wire;

	(void)output;
	memcpy(&wire, call->header, sizeof wire);
	const struct port *port = port_table_find(&partition->message_ports, wire.connection_id);
	if (!port)
		return port_table_find(&partition->event_ports, wire.connection_id)
			       ? HV_STATUS_INVALID_PORT_ID
			       : HV_STATUS_INVALID_CONNECTION_ID;
	if (wire.reserved != 0 || wire.message_type == HV_MESSAGE_TYPE_NONE ||
		(wire.message_type & HV_MESSAGE_TYPE_HYPERVISOR) ||
		wire.payload_size > HV_MESSAGE_PAYLOAD_MAX)
		return HV_STATUS_INVALID_PARAMETER;

	const uint16_t status =
		partition->is_threaded
			? deferral_post(partition, wire.connection_id, wire.message_type,
				  wire.payload, wire.payload_size)
			: port->fn.message(port->ctx, wire.connection_id, wire.message_type,
				  wire.payload, wire.payload_size);
	if (status == HV_STATUS_SUCCESS)
		partition->statistics.messages_posted++;
	return status;
}

uint16_t hypercall_signal_event(const struct hypercall_context *call, uint8_t *output)
{
	struct hv_signal_event_wire wire;

	(void)output;
	memcpy(&wire, call->header, sizeof wire);
	if (wire.reserved != 0)
		return HV_STATUS_INVALID_PARAMETER;
	return partition_signal_locked(call->partition, wire.connection_id, wire.flag_number);
}
