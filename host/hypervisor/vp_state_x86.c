// SPDX-License-Identifier: Apache-2.0
/* Checks of register values. See vp_state_x86.h. */
#include "host/hypervisor/vp_state_x86.h"

#include "protocol/hypervisor.h"
#include "protocol/hypervisor_x86.h"

#define CR0_PE	  (1u << 0)
#define CR0_NW	  (1u << 29)
#define CR0_CD	  (1u << 30)
#define CR0_PG	  (1u << 31)
#define CR0_KNOWN 0xe005003full

#define RFLAGS_ONE   0x2u
#define RFLAGS_KNOWN 0x3d7fd7ull /* all but VM, which there is not in long mode */

#define SELECTOR_LOCAL 4u /* of the local table */

#define TYPE_LDT	 2u
#define TYPE_TSS_64_BUSY 11u
#define TYPE_ACCESSED	 1u
#define TYPE_READABLE	 2u /* of code; of data: writable */
#define TYPE_CONFORMING	 4u /* of code; of data: grows down */
#define TYPE_CODE	 8u
#define LIMIT_OF_PAGE	 0xfffu
#define LIMIT_BYTES_MAX	 0xfffffu

static bool is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* In pages, the low bits are ones; in bytes, the high bits are zeros. */
static bool limit_is_valid(const struct kvm_segment *segment)
{
	return segment->g ? (segment->limit & LIMIT_OF_PAGE) == LIMIT_OF_PAGE
			  : segment->limit <= LIMIT_BYTES_MAX;
}

static bool code_is_valid(const struct kvm_segment *segment, const struct kvm_sregs *rest)
{
	const unsigned type = segment->type;

	if (!segment->present || !segment->s || segment->base >> 32 || !limit_is_valid(segment) ||
		(type & (TYPE_CODE | TYPE_ACCESSED)) != (TYPE_CODE | TYPE_ACCESSED))
		return false;
	if (segment->l && segment->db)
		return false;
	return type & TYPE_CONFORMING ? segment->dpl <= rest->ss.dpl : segment->dpl == rest->ss.dpl;
}

static bool stack_is_valid(const struct kvm_segment *segment, const struct kvm_sregs *rest)
{
	const unsigned type = segment->type;
	const bool is_level_valid = rest->cs.type & TYPE_CONFORMING ? segment->dpl >= rest->cs.dpl
								    : segment->dpl == rest->cs.dpl;

	if (!is_level_valid)
		return false;
	return !segment->present ||
	       (segment->s && segment->base >> 32 == 0 && limit_is_valid(segment) &&
		       !(type & TYPE_CODE) && (type & TYPE_ACCESSED) && (type & TYPE_READABLE));
}

static bool data_is_valid(const struct kvm_segment *segment, bool has_long_base)
{
	const unsigned type = segment->type;

	if (has_long_base ? !is_canonical(segment->base)
			  : segment->present && segment->base >> 32 != 0)
		return false;
	return !segment->present ||
	       (segment->s && limit_is_valid(segment) && (type & TYPE_ACCESSED) &&
		       (!(type & TYPE_CODE) || (type & TYPE_READABLE)));
}

static bool system_is_valid(const struct kvm_segment *segment, unsigned type)
{
	return segment->present && !segment->s && segment->type == type &&
	       limit_is_valid(segment) && is_canonical(segment->base) &&
	       !(segment->selector & SELECTOR_LOCAL);
}

bool vp_state_segment_is_valid(
	uint32_t name, const struct kvm_segment *segment, const struct kvm_sregs *rest)
{
	switch (name) {
	case HV_X64_REGISTER_CS:
		return code_is_valid(segment, rest);
	case HV_X64_REGISTER_SS:
		return stack_is_valid(segment, rest);
	case HV_X64_REGISTER_LDTR:
		return !segment->present || system_is_valid(segment, TYPE_LDT);
	case HV_X64_REGISTER_TR:
		return system_is_valid(segment, TYPE_TSS_64_BUSY);
	default:
		return data_is_valid(
			segment, name == HV_X64_REGISTER_FS || name == HV_X64_REGISTER_GS);
	}
}

bool vp_state_table_is_valid(const struct kvm_dtable *table)
{
	return is_canonical(table->base);
}

bool vp_state_cr0_is_valid(uint64_t value)
{
	return (value & ~CR0_KNOWN) == 0 && (!(value & CR0_PG) || (value & CR0_PE)) &&
	       (!(value & CR0_NW) || (value & CR0_CD));
}

bool vp_state_rip_is_valid(uint64_t value, const struct kvm_sregs *rest)
{
	return rest->cs.l ? is_canonical(value) : value >> 32 == 0;
}

bool vp_state_rflags_are_valid(uint64_t value)
{
	return (value & ~RFLAGS_KNOWN) == 0 && (value & RFLAGS_ONE);
}
