// SPDX-License-Identifier: Apache-2.0
/*
 * Records of Linux's device for backup coordination. See vss_device_linux.h.
 */
#include "guest/ic_daemons/vss_device_linux.h"

#include <string.h>

const struct vss_device_record_wire vss_device_greeting = {
	.operation_or_status = VSS_DEVICE_REGISTER};

enum vss_device_kind vss_device_read(const void *record, size_t len, uint8_t *operation)
{
	uint32_t first;
	if (len < sizeof first)
		return VSS_DEVICE_BAD;
	memcpy(&first, record, sizeof first);
	if (len == sizeof first)
		return first == VSS_DEVICE_REGISTER ? VSS_DEVICE_WELCOME : VSS_DEVICE_BAD;
	if (len != VSS_DEVICE_RECORD_BYTES)
		return VSS_DEVICE_BAD;
	*operation = (uint8_t)first;
	return VSS_DEVICE_REQUEST;
}

struct vss_device_record_wire vss_device_answer(uint32_t status)
{
	return (struct vss_device_record_wire){.operation_or_status = status};
}
