// SPDX-License-Identifier: Apache-2.0
/*
 * Values that a VP could not go on with. Source: Intel SDM volume 3, "Checks on guest segment
 * registers", "… descriptor-table registers", "… RIP and RFLAGS"; "Control registers".
 */
#include "host/hypervisor/vp_state_x86.h"
#include "protocol/hypervisor.h"
#include "protocol/hypervisor_x86.h"
#include "tests/harness.h"

#include <string.h>

static const struct kvm_segment code = {
	.limit = 0xffffffff, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
static const struct kvm_segment data = {
	.limit = 0xffffffff, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
static const struct kvm_segment task = {
	.base = 0xfffffe0000003000, .limit = 0x206f, .selector = 0x40, .type = 11, .present = 1};
static const struct kvm_segment local = {.limit = 0xff, .selector = 0x50, .type = 2, .present = 1};
static const struct kvm_segment none = {.unusable = 1};

static bool is_valid(uint32_t name, const struct kvm_segment *segment)
{
	const struct kvm_sregs rest = {.cs = code, .ss = data};
	return vp_state_segment_is_valid(name, segment, &rest);
}

static void segments_that_systems_use_are_valid(void)
{
	static const uint32_t plain[] = {HV_X64_REGISTER_DS, HV_X64_REGISTER_ES, HV_X64_REGISTER_FS,
		HV_X64_REGISTER_GS, HV_X64_REGISTER_SS};
	struct kvm_segment segment;

	CU_ASSERT(is_valid(HV_X64_REGISTER_CS, &code));
	CU_ASSERT(is_valid(HV_X64_REGISTER_TR, &task));
	CU_ASSERT(is_valid(HV_X64_REGISTER_LDTR, &local));
	CU_ASSERT(is_valid(HV_X64_REGISTER_LDTR, &none));
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		CU_ASSERT(is_valid(plain[i], &data));
		CU_ASSERT(is_valid(plain[i], &none));
	}
	segment = none; /* 64-bit systems give FS and GS a base alone */
	segment.base = 0xffff888012340000;
	CU_ASSERT(is_valid(HV_X64_REGISTER_GS, &segment));
	segment = code; /* 32-bit code */
	segment.l = 0;
	segment.db = 1;
	CU_ASSERT(is_valid(HV_X64_REGISTER_CS, &segment));
	segment = data; /* 64 KiB in bytes */
	segment.limit = 0xffff;
	segment.g = 0;
	CU_ASSERT(is_valid(HV_X64_REGISTER_DS, &segment));
}

/* One field of a valid segment is something else. */
#define INVALID(NAME, from, field, value)                                                          \
	do {                                                                                       \
		struct kvm_segment changed = from;                                                 \
		changed.field = value;                                                             \
		CU_ASSERT_FALSE(is_valid(HV_X64_REGISTER_##NAME, &changed));                       \
	} while (0)

static void code_that_could_not_run_is_refused(void)
{
	INVALID(CS, code, present, 0);
	INVALID(CS, code, s, 0);
	INVALID(CS, code, type, 3);  /* data */
	INVALID(CS, code, type, 10); /* not accessed */
	INVALID(CS, code, db, 1);    /* and long */
	INVALID(CS, code, dpl, 3);   /* that of SS is 0 */
	INVALID(CS, code, base, 1ull << 32);
	INVALID(CS, code, g, 0);	  /* the limit is no number of bytes */
	INVALID(CS, code, limit, 0x1000); /* nor of pages */
	INVALID(CS, code, type, 0);
}

static void data_that_could_not_be_reached_is_refused(void)
{
	INVALID(SS, data, type, 1); /* read-only */
	INVALID(SS, data, type, 2); /* not accessed */
	INVALID(SS, data, type, 11);
	INVALID(SS, data, dpl, 3); /* that of CS is 0 */
	INVALID(SS, none, dpl, 3);
	INVALID(SS, data, s, 0);
	INVALID(SS, data, base, 1ull << 32);
	INVALID(SS, data, limit, 0xffff0000);
	INVALID(DS, data, s, 0);
	INVALID(DS, data, type, 2);
	INVALID(DS, data, type, 9); /* code that cannot be read */
	INVALID(ES, data, base, 1ull << 32);
	INVALID(ES, data, g, 0);
	INVALID(FS, data, base, 1ull << 47); /* not canonical */
	INVALID(GS, none, base, 1ull << 63);
}

static void system_segments_must_be_what_they_are_for(void)
{
	INVALID(TR, task, present, 0);
	INVALID(TR, task, s, 1);
	INVALID(TR, task, type, 9); /* not busy */
	INVALID(TR, task, type, 3); /* 16 bits */
	INVALID(TR, task, selector, 0x44);
	INVALID(TR, task, base, 1ull << 47);
	INVALID(TR, task, g, 1);
	INVALID(LDTR, local, type, 11);
	INVALID(LDTR, local, s, 1);
	INVALID(LDTR, local, selector, 0x54);
	INVALID(LDTR, local, base, 1ull << 47);
	INVALID(LDTR, local, limit, 0x100000);
}

/* Conforming code runs at the level of whoever calls it. */
static void conforming_code_may_be_of_a_higher_level(void)
{
	struct kvm_segment conforming = code;
	struct kvm_segment user_stack = data;
	struct kvm_sregs rest = {.cs = code, .ss = data};

	conforming.type = 15;
	user_stack.dpl = rest.ss.dpl = 3;
	CU_ASSERT(vp_state_segment_is_valid(HV_X64_REGISTER_CS, &conforming, &rest));
	rest.ss.dpl = 0;
	conforming.dpl = 1;
	CU_ASSERT_FALSE(vp_state_segment_is_valid(HV_X64_REGISTER_CS, &conforming, &rest));
	rest.cs = conforming;
	CU_ASSERT(vp_state_segment_is_valid(HV_X64_REGISTER_SS, &user_stack, &rest));
	CU_ASSERT_FALSE(vp_state_segment_is_valid(HV_X64_REGISTER_SS, &data, &rest));
}

static void tables_need_canonical_bases(void)
{
	const struct kvm_dtable good = {.base = 0xfffffe0000000000, .limit = 0xfff};
	const struct kvm_dtable bad = {.base = 0x0000800000000000, .limit = 0xfff};

	CU_ASSERT(vp_state_table_is_valid(&good));
	CU_ASSERT_FALSE(vp_state_table_is_valid(&bad));
}

static void plain_registers_are_checked(void)
{
	struct kvm_sregs rest = {.cs = code};

	CU_ASSERT(vp_state_cr0_is_valid(0x80050033));
	CU_ASSERT_FALSE(vp_state_cr0_is_valid(0x80050032)); /* paging without protection */
	CU_ASSERT_FALSE(vp_state_cr0_is_valid(0xa0050033)); /* NW without CD */
	CU_ASSERT_FALSE(vp_state_cr0_is_valid(0x180050033ull));
	CU_ASSERT_FALSE(vp_state_cr0_is_valid(0x80050073)); /* bit 6 */
	CU_ASSERT(vp_state_rip_is_valid(0xffffffff81000000, &rest));
	CU_ASSERT(vp_state_rip_is_valid(0x00007fffffffffff, &rest));
	CU_ASSERT_FALSE(vp_state_rip_is_valid(0x0000800000000000, &rest));
	rest.cs.l = 0;
	CU_ASSERT(vp_state_rip_is_valid(0xffffffff, &rest));
	CU_ASSERT_FALSE(vp_state_rip_is_valid(0x100000000ull, &rest));
	CU_ASSERT(vp_state_rflags_are_valid(0x246));
	CU_ASSERT(vp_state_rflags_are_valid(0x3d7fd7));
	CU_ASSERT_FALSE(vp_state_rflags_are_valid(0x244)); /* bit 1 is one */
	CU_ASSERT_FALSE(vp_state_rflags_are_valid(0x8002));
	CU_ASSERT_FALSE(vp_state_rflags_are_valid(0x20002)); /* VM */
	CU_ASSERT_FALSE(vp_state_rflags_are_valid(0x100000002ull));
}

static const struct test tests[] = {
	TEST(segments_that_systems_use_are_valid),
	TEST(code_that_could_not_run_is_refused),
	TEST(data_that_could_not_be_reached_is_refused),
	TEST(system_segments_must_be_what_they_are_for),
	TEST(conforming_code_may_be_of_a_higher_level),
	TEST(tables_need_canonical_bases),
	TEST(plain_registers_are_checked),
};
TEST_MAIN("vp_state_x86", tests)
