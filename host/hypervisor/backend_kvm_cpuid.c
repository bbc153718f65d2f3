// SPDX-License-Identifier: Apache-2.0
/*
 * What CPUID says to a guest on KVM: what the processor and KVM can do, the place of each VP
 * in a package of single-threaded cores, and the hypervisor leaves of the partition.
 *
 * Sources: Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E.
 */
#include "host/hypervisor/backend_kvm_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define ENTRIES_MAX 256u

#define LEAF_1_ECX_VMX		(1u << 5)
#define LEAF_1_ECX_X2APIC	(1u << 21)
#define LEAF_1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF_1_EDX_HTT		(1u << 28)
#define LEAF_EXT_1_ECX_LEGACY	(1u << 1) /* the cores of leaf 1 are cores, not threads */
#define LEAF_EXT_1_ECX_SVM	(1u << 2)
#define LEAF_B_SMT		(1u << 8)
#define LEAF_B_CORE		(2u << 8)

#define VENDOR_AMD_EBX	 0x68747541u /* "Auth" */
#define VENDOR_HYGON_EBX 0x6f677948u /* "Hygo" */

#define TABLE_BYTES (sizeof(struct kvm_cpuid2) + ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2))

static struct kvm_cpuid_entry2 *entry_find(
	struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];
		const bool has_subleaf = entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		if (entry->function == leaf && (!has_subleaf || entry->index == subleaf))
			return entry;
	}
	return NULL;
}

/* The entry, zeroed, made if there is none; NULL if the table is full. */
static struct kvm_cpuid_entry2 *entry_fresh(
	struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf, bool has_subleaf)
{
	struct kvm_cpuid_entry2 *entry = entry_find(table, leaf, subleaf);

	if (!entry) {
		if (table->nent == ENTRIES_MAX)
			return NULL;
		entry = &table->entries[table->nent++];
	}
	*entry = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = subleaf,
		.flags = has_subleaf ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
	};
	return entry;
}

/* KVM's own hypervisor leaves give way to the partition's. */
static void kvm_leaves_remove(struct kvm_cpuid2 *table)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function >> 16 != HV_CPUID_VENDOR_AND_MAX >> 16)
			table->entries[kept++] = table->entries[i];
	table->nent = kept;
}

/* Bits of an APIC id that tell the VPs apart. */
static uint32_t id_bits(uint32_t vps)
{
	uint32_t bits = 0;

	while ((1u << bits) < vps)
		bits++;
	return bits;
}

/* ---- topology ------------------------------------------------------------------------------ */

static void leaf_1_set(const struct backend_kvm *kvm, uint32_t vp, struct kvm_cpuid_entry2 *entry)
{
	uint32_t hypervisor[4];

	partition_cpuid(kvm->partition, vp, 1, 0, hypervisor);
	entry->ebx = (entry->ebx & 0xffffu) | (1u << id_bits(kvm->vp_count)) << 16 |
		     kvm_apic_id(NULL, vp) << 24;
	entry->ecx = (entry->ecx & ~LEAF_1_ECX_VMX) | LEAF_1_ECX_X2APIC | hypervisor[2];
	if (ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		entry->ecx |= LEAF_1_ECX_TSC_DEADLINE;
	entry->edx = kvm->vp_count > 1 ? entry->edx | LEAF_1_EDX_HTT : entry->edx & ~LEAF_1_EDX_HTT;
}

/* Leaves 0xb and 0x1f: levels of the topology, by x2APIC id. */
static bool leaf_levels_set(
	const struct backend_kvm *kvm, uint32_t vp, struct kvm_cpuid2 *table, uint32_t leaf)
{
	struct kvm_cpuid_entry2 *smt = entry_fresh(table, leaf, 0, true);
	struct kvm_cpuid_entry2 *core = entry_fresh(table, leaf, 1, true);
	struct kvm_cpuid_entry2 *end = entry_fresh(table, leaf, 2, true);

	if (!smt || !core || !end)
		return false;
	smt->ebx = 1;
	smt->ecx = LEAF_B_SMT;
	core->eax = id_bits(kvm->vp_count);
	core->ebx = kvm->vp_count;
	core->ecx = LEAF_B_CORE | 1;
	end->ecx = 2;
	smt->edx = core->edx = end->edx = kvm_apic_id(NULL, vp);
	return true;
}

/* Which VPs share a cache: the third level all, those below none. EAX of leaves 4, 0x8000001d. */
static void leaf_cache_set(const struct backend_kvm *kvm, struct kvm_cpuid_entry2 *entry)
{
	const uint32_t level = entry->eax >> 5 & 7;
	const uint32_t ids = 1u << id_bits(kvm->vp_count);

	if ((entry->eax & 0x1f) == 0)
		return; /* no more caches */
	entry->eax &= 0x3fff;
	if (level >= 3)
		entry->eax |= (ids - 1) << 14;
	if (entry->function == 4)
		entry->eax |= (ids > 64 ? 63 : ids - 1) << 26;
}

static void entry_set(
	const struct backend_kvm *kvm, uint32_t vp, struct kvm_cpuid_entry2 *entry, bool is_amd)
{
	const uint32_t vps = kvm->vp_count;

	switch (entry->function) {
	case 1:
		leaf_1_set(kvm, vp, entry);
		break;
	case 4:
	case 0x8000001d:
		leaf_cache_set(kvm, entry);
		break;
	case 0x80000001: /* a guest cannot be a hypervisor itself */
		entry->ecx &= ~(LEAF_EXT_1_ECX_SVM | LEAF_EXT_1_ECX_LEGACY);
		if (vps > 1 && is_amd)
			entry->ecx |= LEAF_EXT_1_ECX_LEGACY;
		break;
	case 0x80000008:
		if (is_amd)
			entry->ecx = (entry->ecx & ~0xf0ffu) | id_bits(vps) << 12 | (vps - 1);
		break;
	case 0x8000000a:
		entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
		break;
	case 0x8000001e:
		entry->eax = kvm_apic_id(NULL, vp);
		entry->ebx = vp & 0xffu;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

/* ---- the whole ----------------------------------------------------------------------------- */

static bool levels_set(const struct backend_kvm *kvm, uint32_t vp, struct kvm_cpuid2 *table)
{
	struct kvm_cpuid_entry2 *first = entry_find(table, 0, 0);

	if (!first)
		return false;
	if (first->eax < 0xb)
		first->eax = 0xb;
	return leaf_levels_set(kvm, vp, table, 0xb) &&
	       (first->eax < 0x1f || leaf_levels_set(kvm, vp, table, 0x1f));
}

static bool hypervisor_leaves_add(
	const struct backend_kvm *kvm, uint32_t vp, struct kvm_cpuid2 *table)
{
	uint32_t last = HV_CPUID_VENDOR_AND_MAX;

	for (uint32_t leaf = HV_CPUID_VENDOR_AND_MAX; leaf <= last; leaf++) {
		uint32_t values[4];
		struct kvm_cpuid_entry2 *entry = entry_fresh(table, leaf, 0, false);
		if (!entry)
			return false;
		partition_cpuid(kvm->partition, vp, leaf, 0, values);
		if (leaf == HV_CPUID_VENDOR_AND_MAX)
			last = values[0];
		entry->eax = values[0];
		entry->ebx = values[1];
		entry->ecx = values[2];
		entry->edx = values[3];
	}
	return true;
}

int kvm_cpuid_set(struct backend_kvm *kvm, uint32_t vp)
{
	struct kvm_cpuid2 *table = calloc(1, TABLE_BYTES);

	if (!table)
		return -ENOMEM;
	table->nent = ENTRIES_MAX;
	int error = ioctl(kvm->device_fd, KVM_GET_SUPPORTED_CPUID, table) < 0 ? -errno : 0;
	if (!error) {
		const struct kvm_cpuid_entry2 *vendor = entry_find(table, 0, 0);
		const bool is_amd = vendor && (vendor->ebx == VENDOR_AMD_EBX ||
						      vendor->ebx == VENDOR_HYGON_EBX);
		kvm_leaves_remove(table);
		for (uint32_t i = 0; i < table->nent; i++)
			entry_set(kvm, vp, &table->entries[i], is_amd);
		if (!levels_set(kvm, vp, table) || !hypervisor_leaves_add(kvm, vp, table))
			error = -E2BIG;
		else if (ioctl(kvm->vps[vp].fd, KVM_SET_CPUID2, table) < 0)
			error = -errno;
	}
	free(table);
	return error;
}
