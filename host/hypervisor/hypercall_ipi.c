// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls that act on many VPs: interrupts and flushes, with a mask of VPs or, in the
 * ...Ex calls, a set. See hypercall.h.
 *
 * A flush always flushes everything, of every address space: that is more than was asked for,
 * and what backends can do. So the addresses and their ranges need not be looked at.
 */
#include "host/hypervisor/hypercall_handlers.h"
#include "host/hypervisor/partition_internal.h"

#include <string.h>

/* ---- what is offered: what is recommended -------------------------------------------------- */

static bool recommends(const struct partition *partition, uint32_t what)
{
	return (partition->promises.recommendations & what) == what;
}

bool hypercall_ipi_is_offered(const struct partition *partition)
{
	return recommends(partition, HV_RECOMMEND_CLUSTER_IPI);
}

bool hypercall_ipi_ex_is_offered(const struct partition *partition)
{
	return recommends(partition, HV_RECOMMEND_CLUSTER_IPI | HV_RECOMMEND_EX_PROCESSOR_MASKS);
}

bool hypercall_flush_is_offered(const struct partition *partition)
{
	return recommends(partition, HV_RECOMMEND_REMOTE_FLUSH);
}

bool hypercall_flush_ex_is_offered(const struct partition *partition)
{
	return recommends(partition, HV_RECOMMEND_REMOTE_FLUSH | HV_RECOMMEND_EX_PROCESSOR_MASKS);
}

/* ---- which VPs ----------------------------------------------------------------------------- */

static uint64_t all_vps(const struct partition *partition)
{
	return partition->vp_count == 64 ? UINT64_MAX : (1ull << partition->vp_count) - 1;
}

/* The VPs of a set, which has a word for each bank named. VPs that do not exist are left out. */
static uint16_t set_vps(
	const struct hypercall_context *call, const struct hv_vp_set_wire *set, uint64_t *vps)
{
	_Static_assert(LIMIT_VPS <= 64, "VPs are in bank 0");

	if (call->variable_words != __builtin_popcountll(set->bank_mask))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	switch (set->format) {
	case HV_VP_SET_FORMAT_SPARSE:
		*vps = 0;
		if (set->bank_mask & 1)
			memcpy(vps, call->variable, sizeof *vps);
		break;
	case HV_VP_SET_FORMAT_ALL:
		*vps = UINT64_MAX;
		break;
	default:
		return HV_STATUS_INVALID_PARAMETER;
	}
	*vps &= all_vps(call->partition);
	return HV_STATUS_SUCCESS;
}

/* ---- interrupts ---------------------------------------------------------------------------- */

static bool ipi_is_valid(uint32_t vector, uint8_t vtl, const uint8_t reserved[3])
{
	return vector >= HV_IPI_VECTOR_MIN && vector <= HV_IPI_VECTOR_MAX &&
	       (vtl & ~HV_VTL_USE_TARGET) == 0 && (reserved[0] | reserved[1] | reserved[2]) == 0;
}

static uint16_t ipi(const struct hypercall_context *call, uint64_t vps, uint32_t vector)
{
	const struct partition *partition = call->partition;

	if (vps != 0)
		partition->backend->vector_assert(partition->backend_ctx, vps, (uint8_t)vector);
	return HV_STATUS_SUCCESS;
}

uint16_t hypercall_send_ipi(const struct hypercall_context *call, uint8_t *output)
{
	struct hv_send_ipi_wire wire;

	(void)output;
	memcpy(&wire, call->header, sizeof wire);
	if (!ipi_is_valid(wire.vector, wire.vtl, wire.reserved))
		return HV_STATUS_INVALID_PARAMETER;
	return ipi(call, wire.processor_mask & all_vps(call->partition), wire.vector);
}

uint16_t hypercall_send_ipi_ex(const struct hypercall_context *call, uint8_t *output)
{
	struct hv_send_ipi_ex_wire wire;
	uint64_t vps;

	(void)output;
	memcpy(&wire, call->header, sizeof wire);
	const uint16_t status = set_vps(call, &wire.processors, &vps);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!ipi_is_valid(wire.vector, wire.vtl, wire.reserved))
		return HV_STATUS_INVALID_PARAMETER;
	return ipi(call, vps, wire.vector);
}

/* ---- flushes ------------------------------------------------------------------------------- */

static bool flush_flags_are_valid(const struct partition *partition, uint64_t flags, bool is_list)
{
	uint64_t known = HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES;

	if (!is_list)
		known |= HV_FLUSH_NON_GLOBAL_ONLY;
	else if (partition->promises.features & HV_FEATURE_EXTENDED_GVA_RANGES)
		known |= HV_FLUSH_EXTENDED_RANGE_FORMAT;
	return (flags & ~known) == 0;
}

static uint16_t flush(const struct hypercall_context *call, uint64_t vps)
{
	const struct partition *partition = call->partition;

	if (vps != 0)
		partition->backend->tlb_flush(partition->backend_ctx, call->vp, vps);
	return HV_STATUS_SUCCESS;
}

static uint16_t flush_mask(const struct hypercall_context *call, bool is_list)
{
	const uint64_t all = all_vps(call->partition);
	struct hv_flush_wire wire;

	memcpy(&wire, call->header, sizeof wire);
	if (!flush_flags_are_valid(call->partition, wire.flags, is_list))
		return HV_STATUS_INVALID_PARAMETER;
	/* QUIRK: Windows Server 2012 means all VPs when it names none. */
	if ((wire.flags & HV_FLUSH_ALL_PROCESSORS) || wire.processor_mask == 0)
		return flush(call, all);
	return flush(call, wire.processor_mask & all);
}

static uint16_t flush_set(const struct hypercall_context *call, bool is_list)
{
	struct hv_flush_ex_wire wire;
	uint64_t vps;

	memcpy(&wire, call->header, sizeof wire);
	const uint16_t status = set_vps(call, &wire.processors, &vps);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!flush_flags_are_valid(call->partition, wire.flags, is_list))
		return HV_STATUS_INVALID_PARAMETER;
	if (wire.flags & HV_FLUSH_ALL_PROCESSORS)
		vps = all_vps(call->partition);
	return flush(call, vps);
}

uint16_t hypercall_flush_space(const struct hypercall_context *call, uint8_t *output)
{
	(void)output;
	return flush_mask(call, false);
}

uint16_t hypercall_flush_space_ex(const struct hypercall_context *call, uint8_t *output)
{
	(void)output;
	return flush_set(call, false);
}

uint16_t hypercall_flush_list(const struct hypercall_context *call)
{
	return flush_mask(call, true);
}

uint16_t hypercall_flush_list_ex(const struct hypercall_context *call)
{
	return flush_set(call, true);
}
