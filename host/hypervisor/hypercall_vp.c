// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls by which a VP asks about VPs, and about its hypervisor. See hypercall.h.
 */
#include "host/hypervisor/hypercall_handlers.h"
#include "host/hypervisor/partition_internal.h"

#include <string.h>

bool hypercall_spin_wait_is_offered(const struct partition *partition)
{
	return partition->promises.spin_attempts != HV_SPIN_NEVER_NOTIFY;
}

uint16_t hypercall_notify_long_spin_wait(const struct hypercall_context *call, uint8_t *output)
{
	(void)call;
	(void)output;
	return HV_STATUS_SUCCESS; /* by definition: the guest spins on, whatever we think of it */
}

/* ---- registers ----------------------------------------------------------------------------- */

/* HV_INPUT_VTL: there is only VTL 0. */
static bool vtl_is_valid(uint8_t vtl)
{
	return (vtl & ~HV_VTL_USE_TARGET) == 0;
}

/* The VP that a register call names. */
static uint16_t registers_target(const struct hypercall_context *call, uint32_t *target)
{
	static const uint8_t zeros[3];
	struct hv_vp_registers_header_wire wire;

	memcpy(&wire, call->header, sizeof wire);
	if (wire.partition_id != HV_PARTITION_ID_SELF)
		return HV_STATUS_ACCESS_DENIED; /* does not tell which other ids there are */
	if (!vtl_is_valid(wire.vtl) || memcmp(wire.reserved, zeros, sizeof zeros) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	*target = wire.vp_index == HV_VP_INDEX_SELF ? call->vp : wire.vp_index;
	return *target < call->partition->vp_count ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_VP_INDEX;
}

/* Registers of the processor, which the backend has: of a VP that waits in this call. */
static bool is_of_processor(uint32_t name)
{
	return (name >= HV_X64_REGISTER_PENDING_INTERRUPTION &&
		       name <= HV_X64_REGISTER_DELIVERABILITY) ||
	       (name >= HV_X64_REGISTER_RAX && name < HV_REGISTER_VP_RUNTIME);
}

/*
 * The backend's registers of a VP are that VP's alone, and it waits in this call: others need not
 * wait with it. Of a list, each takes KVM tens of microseconds.
 */
static bool processor_register_read(
	const struct hypercall_context *call, uint32_t name, uint64_t value[2])
{
	const struct partition *partition = call->partition;

	partition_unlock(partition);
	const bool result = partition->backend->register_read(
		partition->backend_ctx, call->vp, name, value);
	partition_lock(partition);
	return result;
}

static bool processor_register_write(
	const struct hypercall_context *call, uint32_t name, const uint64_t value[2])
{
	const struct partition *partition = call->partition;

	partition_unlock(partition);
	const bool result = partition->backend->register_write(
		partition->backend_ctx, call->vp, name, value);
	partition_lock(partition);
	return result;
}

uint16_t hypercall_get_vp_registers(
	const struct hypercall_context *call, const uint8_t *element, uint8_t *output)
{
	const struct partition_backend_ops *backend = call->partition->backend;
	uint32_t target;
	uint32_t name;
	uint64_t value[2] = {0, 0};
	uint16_t status = registers_target(call, &target);

	memcpy(&name, element, sizeof name);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!is_of_processor(name) || !backend || !backend->register_read)
		status = partition_register_read(call->partition, target, name, value);
	else if (target != call->vp)
		status = HV_STATUS_INVALID_VP_STATE;
	else if (!processor_register_read(call, name, value))
		status = HV_STATUS_INVALID_PARAMETER;
	memcpy(output, value, sizeof value);
	return status;
}

uint16_t hypercall_set_vp_registers(
	const struct hypercall_context *call, const uint8_t *element, uint8_t *output)
{
	static const uint8_t zeros[12];
	const struct partition_backend_ops *backend = call->partition->backend;
	uint32_t target;
	struct hv_set_register_wire wire;
	const uint16_t status = registers_target(call, &target);

	(void)output;
	memcpy(&wire, element, sizeof wire);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (memcmp(wire.reserved, zeros, sizeof zeros) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	const uint64_t value[2] = {wire.value.low, wire.value.high};
	if (!is_of_processor(wire.name) || !backend || !backend->register_write)
		return partition_register_write(call->partition, target, wire.name, value);
	if (target != call->vp)
		return HV_STATUS_INVALID_VP_STATE;
	return processor_register_write(call, wire.name, value) ? HV_STATUS_SUCCESS
								: HV_STATUS_INVALID_REGISTER_VALUE;
}

/* ---- which VP has an APIC id --------------------------------------------------------------- */

bool hypercall_apic_ids_are_offered(const struct partition *partition)
{
	return partition->backend && partition->backend->apic_id;
}

uint16_t hypercall_get_vp_index_from_apic_id(
	const struct hypercall_context *call, const uint8_t *element, uint8_t *output)
{
	static const uint8_t zeros[7];
	const struct partition *partition = call->partition;
	struct hv_get_vp_index_header_wire wire;
	uint32_t apic_id;

	memcpy(&wire, call->header, sizeof wire);
	memcpy(&apic_id, element, sizeof apic_id);
	if (wire.partition_id != HV_PARTITION_ID_SELF)
		return HV_STATUS_ACCESS_DENIED;
	if (!vtl_is_valid(wire.vtl) || memcmp(wire.reserved, zeros, sizeof zeros) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	for (uint32_t vp = 0; vp < partition->vp_count; vp++)
		if (partition->backend->apic_id(partition->backend_ctx, vp) == apic_id) {
			memcpy(output, &vp, sizeof vp);
			return HV_STATUS_SUCCESS;
		}
	return HV_STATUS_INVALID_PARAMETER;
}

/* ---- extended calls ------------------------------------------------------------------------ */

uint16_t hypercall_ext_query_capabilities(const struct hypercall_context *call, uint8_t *output)
{
	const uint64_t capabilities = 0; /* no extended call but this one */

	(void)call;
	memcpy(output, &capabilities, sizeof capabilities);
	return HV_STATUS_SUCCESS;
}
