// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic MSRs: one table of what there is, who may use it, and by which register
 * name the register hypercalls reach it. What is not in the table, or not offered
 * in CPUID, faults.
 *
 * Reserved bits are stored and read back (RsvdP), as the TLFS asks.
 */
#include "host/hypervisor/partition_internal.h"
#include "host/hypervisor/timers.h"

#include <string.h>

struct access {
	struct partition *partition;
	uint32_t vp;
	uint32_t index; /* of the MSR in its row */
};

struct msr_row {
	uint32_t msr;
	uint32_t count;
	uint32_t register_name; /* of the first; 0: none */
	uint32_t feature;	/* HV_FEATURE_* needed */
	uint64_t privilege;	/* HV_PRIVILEGE_* needed */
	const char *name;
	uint64_t (*read)(const struct access *access); /* NULL: write-only, reads fault */
	bool (*write)(
		const struct access *access, uint64_t value); /* NULL: read-only; false: #GP */
};

/* ---- the whole partition ------------------------------------------------------------------- */

static uint64_t guest_os_id_read(const struct access *access)
{
	return access->partition->guest_os_id;
}

static bool guest_os_id_write(const struct access *access, uint64_t value)
{
	return partition_hypercall_page_update(
		access->partition, value, access->partition->hypercall);
}

static uint64_t hypercall_read(const struct access *access)
{
	return access->partition->hypercall;
}

static bool hypercall_write(const struct access *access, uint64_t value)
{
	if (access->partition->hypercall & HV_MSR_HYPERCALL_LOCKED)
		return true; /* ignored until reset */
	return partition_hypercall_page_update(
		access->partition, access->partition->guest_os_id, value);
}

static uint64_t vp_index_read(const struct access *access)
{
	return access->vp;
}

static uint64_t zero_read(const struct access *access)
{
	(void)access;
	return 0;
}

static bool reset_write(const struct access *access, uint64_t value)
{
	if (value & HV_RESET_NOW)
		partition_reset_request(access->partition, access->vp);
	return true;
}

static uint64_t time_ref_count_read(const struct access *access)
{
	return partition_time(access->partition);
}

static uint64_t reference_tsc_read(const struct access *access)
{
	return access->partition->reference_tsc;
}

static bool reference_tsc_write(const struct access *access, uint64_t value)
{
	struct partition *partition = access->partition;
	struct overlay *page = &partition->reference_tsc_page;

	/* An address that is no memory does not fault; there is just no page to see. */
	partition->reference_tsc = value;
	if (!overlay_set(page, &partition->memory, value & HV_MSR_PAGE_ENABLE,
		    value & HV_MSR_PAGE_ADDRESS_MASK))
		overlay_set(page, &partition->memory, false, 0);
	if (page->is_on)
		reference_time_page_write(
			&partition->time, overlay_contents(page, &partition->memory));
	return true;
}

static uint64_t frequency_read(const struct access *access)
{
	const struct partition_config *config = &access->partition->config;

	return access->index == 0 ? config->tsc_hz : config->apic_hz;
}

static uint64_t crash_parameter_read(const struct access *access)
{
	return access->partition->crash[access->index];
}

static bool crash_parameter_write(const struct access *access, uint64_t value)
{
	access->partition->crash[access->index] = value;
	return true;
}

static uint64_t crash_control_read(const struct access *access)
{
	(void)access;
	return HV_CRASH_NOTIFY | HV_CRASH_MESSAGE; /* what may be reported */
}

static bool crash_control_write(const struct access *access, uint64_t value)
{
	struct partition *partition = access->partition;
	char text[HV_CRASH_MESSAGE_MAX];
	struct partition_crash crash = {.control = value};

	if (!(value & HV_CRASH_NOTIFY))
		return true;
	memcpy(crash.parameters, partition->crash, sizeof crash.parameters);
	const uint64_t bytes = crash.parameters[4];
	if ((value & HV_CRASH_MESSAGE) && bytes <= sizeof text &&
		guest_memory_read(&partition->memory, crash.parameters[3], text, (size_t)bytes) ==
			0) {
		crash.message = text;
		crash.message_bytes = (size_t)bytes;
	}
	partition->statistics.crashes++;
	if (partition->is_threaded)
		deferral_crash(partition, &crash);
	else if (partition->crash_fn)
		partition->crash_fn(partition->crash_ctx, &crash);
	return true;
}

/* ---- SynIC --------------------------------------------------------------------------------- */

static const struct synic *synic_of(const struct access *access)
{
	return &access->partition->vps[access->vp].synic;
}

static uint64_t scontrol_read(const struct access *access)
{
	return synic_of(access)->scontrol;
}

static bool scontrol_write(const struct access *access, uint64_t value)
{
	return synic_scontrol_write(access->partition, access->vp, value);
}

static uint64_t sversion_read(const struct access *access)
{
	(void)access;
	return HV_SVERSION_VALUE;
}

static uint64_t siefp_read(const struct access *access)
{
	return synic_of(access)->siefp;
}

static bool siefp_write(const struct access *access, uint64_t value)
{
	return synic_page_write(access->partition, access->vp, false, value);
}

static uint64_t simp_read(const struct access *access)
{
	return synic_of(access)->simp;
}

static bool simp_write(const struct access *access, uint64_t value)
{
	return synic_page_write(access->partition, access->vp, true, value);
}

static bool eom_write(const struct access *access, uint64_t value)
{
	(void)value;
	synic_service(access->partition, access->vp);
	return true;
}

static uint64_t sint_read(const struct access *access)
{
	return synic_of(access)->sints[access->index].value;
}

static bool sint_write(const struct access *access, uint64_t value)
{
	return synic_sint_write(access->partition, access->vp, access->index, value);
}

/* ---- timers -------------------------------------------------------------------------------- */

/* STIMER0_CONFIG, STIMER0_COUNT, STIMER1_CONFIG, ... */
static uint64_t stimer_read(const struct access *access)
{
	const struct stimer *timer = &access->partition->vps[access->vp].timers[access->index / 2];

	return access->index % 2 == 0 ? timer->config : timer->count;
}

static bool stimer_write(const struct access *access, uint64_t value)
{
	return access->index % 2 == 0 ? timers_config_write(access->partition, access->vp,
						access->index / 2, value)
				      : timers_count_write(access->partition, access->vp,
						access->index / 2, value);
}

/* ---- the VP and its APIC ------------------------------------------------------------------- */

static uint64_t run_time_read(const struct access *access)
{
	return access->partition->backend->run_time_100ns(
		access->partition->backend_ctx, access->vp);
}

static uint64_t guest_idle_read(const struct access *access)
{
	access->partition->backend->vp_idle(access->partition->backend_ctx, access->vp);
	return 0;
}

static uint64_t apic_read(const struct access *access, enum partition_apic_register which)
{
	return access->partition->backend->apic_read(
		access->partition->backend_ctx, access->vp, which);
}

static void apic_write(
	const struct access *access, enum partition_apic_register which, uint64_t value)
{
	access->partition->backend->apic_write(
		access->partition->backend_ctx, access->vp, which, value);
}

static bool eoi_write(const struct access *access, uint64_t value)
{
	apic_write(access, PARTITION_APIC_EOI, (uint32_t)value);
	synic_service(access->partition, access->vp); /* R-SYNIC-006 */
	return true;
}

static uint64_t icr_read(const struct access *access)
{
	return apic_read(access, PARTITION_APIC_ICR);
}

static bool icr_write(const struct access *access, uint64_t value)
{
	apic_write(access, PARTITION_APIC_ICR, value);
	return true;
}

static uint64_t tpr_read(const struct access *access)
{
	return apic_read(access, PARTITION_APIC_TPR) & HV_TPR_MASK;
}

static bool tpr_write(const struct access *access, uint64_t value)
{
	apic_write(access, PARTITION_APIC_TPR, value & HV_TPR_MASK);
	return true;
}

static uint64_t assist_read(const struct access *access)
{
	return access->partition->vps[access->vp].assist;
}

static bool assist_write(const struct access *access, uint64_t value)
{
	struct partition_vp *vp = &access->partition->vps[access->vp];

	/* The page stays zero: "no EOI required" is never set, which is always right. */
	if (!overlay_set(&vp->assist_page, &access->partition->memory, value & HV_MSR_PAGE_ENABLE,
		    value & HV_MSR_PAGE_ADDRESS_MASK))
		return false;
	vp->assist = value;
	return true;
}

/* ---- the table ----------------------------------------------------------------------------- */

/* clang-format off */
#define P(name) HV_PRIVILEGE_##name
static const struct msr_row table[] = {
	{HV_X64_MSR_GUEST_OS_ID, 1, HV_REGISTER_GUEST_OS_ID, 0, P(ACCESS_HYPERCALL_MSRS),
		"GUEST_OS_ID", guest_os_id_read, guest_os_id_write},
	{HV_X64_MSR_HYPERCALL, 1, HV_X64_REGISTER_HYPERCALL, 0, P(ACCESS_HYPERCALL_MSRS),
		"HYPERCALL", hypercall_read, hypercall_write},
	{HV_X64_MSR_VP_INDEX, 1, HV_REGISTER_VP_INDEX, 0, P(ACCESS_VP_INDEX),
		"VP_INDEX", vp_index_read, NULL},
	{HV_X64_MSR_RESET, 1, 0, 0, P(ACCESS_RESET),
		"RESET", zero_read, reset_write},
	{HV_X64_MSR_VP_RUNTIME, 1, HV_REGISTER_VP_RUNTIME, 0, P(ACCESS_VP_RUNTIME),
		"VP_RUNTIME", run_time_read, NULL},
	{HV_X64_MSR_TIME_REF_COUNT, 1, HV_REGISTER_TIME_REF_COUNT, 0, P(ACCESS_REFERENCE_COUNTER),
		"TIME_REF_COUNT", time_ref_count_read, NULL},
	{HV_X64_MSR_REFERENCE_TSC, 1, HV_REGISTER_REFERENCE_TSC, 0, P(ACCESS_REFERENCE_TSC),
		"REFERENCE_TSC", reference_tsc_read, reference_tsc_write},
	{HV_X64_MSR_TSC_FREQUENCY, 2, HV_REGISTER_TSC_FREQUENCY, HV_FEATURE_FREQUENCIES,
		P(ACCESS_FREQUENCIES), "TSC_FREQUENCY, APIC_FREQUENCY", frequency_read, NULL},
	/* Of the VP that asks: no register name, by which one could ask for another. */
	{HV_X64_MSR_EOI, 1, 0, 0, P(ACCESS_INTERRUPT_CONTROL),
		"EOI", NULL, eoi_write},
	{HV_X64_MSR_ICR, 1, 0, 0, P(ACCESS_INTERRUPT_CONTROL),
		"ICR", icr_read, icr_write},
	{HV_X64_MSR_TPR, 1, 0, 0, P(ACCESS_INTERRUPT_CONTROL),
		"TPR", tpr_read, tpr_write},
	{HV_X64_MSR_VP_ASSIST_PAGE, 1, HV_REGISTER_VP_ASSIST_PAGE, 0,
		P(ACCESS_INTERRUPT_CONTROL), "VP_ASSIST_PAGE", assist_read, assist_write},
	{HV_X64_MSR_SCONTROL, 1, HV_REGISTER_SCONTROL, 0, P(ACCESS_SYNIC),
		"SCONTROL", scontrol_read, scontrol_write},
	{HV_X64_MSR_SVERSION, 1, HV_REGISTER_SVERSION, 0, P(ACCESS_SYNIC),
		"SVERSION", sversion_read, NULL},
	{HV_X64_MSR_SIEFP, 1, HV_REGISTER_SIEFP, 0, P(ACCESS_SYNIC),
		"SIEFP", siefp_read, siefp_write},
	{HV_X64_MSR_SIMP, 1, HV_REGISTER_SIMP, 0, P(ACCESS_SYNIC),
		"SIMP", simp_read, simp_write},
	{HV_X64_MSR_EOM, 1, HV_REGISTER_EOM, 0, P(ACCESS_SYNIC),
		"EOM", zero_read, eom_write},
	{HV_X64_MSR_SINT0, HV_SINT_COUNT, HV_REGISTER_SINT0, 0, P(ACCESS_SYNIC),
		"SINT0..15", sint_read, sint_write},
	{HV_X64_MSR_STIMER0_CONFIG, 2 * HV_STIMER_COUNT, HV_REGISTER_STIMER0_CONFIG, 0,
		P(ACCESS_SYNTHETIC_TIMERS), "STIMER0..3_CONFIG, _COUNT", stimer_read, stimer_write},
	{HV_X64_MSR_GUEST_IDLE, 1, 0, HV_FEATURE_GUEST_IDLE, P(ACCESS_GUEST_IDLE),
		"GUEST_IDLE", guest_idle_read, NULL},
	{HV_X64_MSR_CRASH_P0, 5, HV_REGISTER_CRASH_P0, HV_FEATURE_GUEST_CRASH_MSRS, 0,
		"CRASH_P0..4", crash_parameter_read, crash_parameter_write},
	{HV_X64_MSR_CRASH_CTL, 1, HV_REGISTER_CRASH_CTL, HV_FEATURE_GUEST_CRASH_MSRS, 0,
		"CRASH_CTL", crash_control_read, crash_control_write},
};
#undef P
/* clang-format on */

#define ROWS (sizeof table / sizeof table[0])

/* The row of an MSR or register name that is offered to the partition, or NULL. */
static const struct msr_row *row_find(
	const struct partition *partition, uint32_t msr, uint32_t name)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct msr_row *row = &table[i];
		const bool is_it = name ? row->register_name && name >= row->register_name &&
						   name - row->register_name < row->count
					: msr >= row->msr && msr - row->msr < row->count;
		if (!is_it)
			continue;
		const bool is_offered =
			(partition->promises.privileges & row->privilege) == row->privilege &&
			(partition->promises.features & row->feature) == row->feature;
		return is_offered ? row : NULL;
	}
	return NULL;
}

static bool read_locked(struct partition *partition, uint32_t vp, uint32_t msr, uint64_t *value)
{
	const struct msr_row *row = row_find(partition, msr, 0);

	if (vp >= partition->vp_count || !row || !row->read)
		return false;
	*value = row->read(&(struct access){partition, vp, msr - row->msr});
	return true;
}

static bool write_locked(struct partition *partition, uint32_t vp, uint32_t msr, uint64_t value)
{
	const struct msr_row *row = row_find(partition, msr, 0);

	return vp < partition->vp_count && row && row->write &&
	       row->write(&(struct access){partition, vp, msr - row->msr}, value);
}

enum partition_fault partition_msr_read(
	struct partition *partition, uint32_t vp, uint32_t msr, uint64_t *value)
{
	*value = 0;
	partition_lock(partition);
	const bool is_done = read_locked(partition, vp, msr, value);
	partition->statistics.msr_faults += !is_done;
	partition_unlock(partition);
	return is_done ? PARTITION_FAULT_NONE : PARTITION_FAULT_GP;
}

enum partition_fault partition_msr_write(
	struct partition *partition, uint32_t vp, uint32_t msr, uint64_t value)
{
	partition_lock(partition);
	const bool is_done = write_locked(partition, vp, msr, value);
	partition->statistics.msr_faults += !is_done;
	partition_unlock(partition);
	return is_done ? PARTITION_FAULT_NONE : PARTITION_FAULT_GP;
}

/* ---- by register name ---------------------------------------------------------------------- */

uint16_t partition_register_read(
	struct partition *partition, uint32_t vp, uint32_t name, uint64_t value[2])
{
	value[0] = 0;
	value[1] = 0;
	if (name == HV_REGISTER_HYPERVISOR_VERSION) {
		uint32_t leaf[4];
		partition_cpuid(partition, vp, HV_CPUID_VERSION, 0, leaf);
		memcpy(value, leaf, sizeof leaf);
		return HV_STATUS_SUCCESS;
	}

	const struct msr_row *row = name ? row_find(partition, 0, name) : NULL;
	if (!row || !row->read)
		return HV_STATUS_INVALID_PARAMETER;
	value[0] = row->read(&(struct access){partition, vp, name - row->register_name});
	return HV_STATUS_SUCCESS;
}

uint16_t partition_register_write(
	struct partition *partition, uint32_t vp, uint32_t name, const uint64_t value[2])
{
	const struct msr_row *row = name ? row_find(partition, 0, name) : NULL;

	if (!row || !row->write)
		return HV_STATUS_INVALID_PARAMETER;
	if (value[1] != 0 ||
		!row->write(&(struct access){partition, vp, name - row->register_name}, value[0]))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return HV_STATUS_SUCCESS;
}
