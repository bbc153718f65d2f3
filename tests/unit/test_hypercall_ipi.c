// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls that name many VPs: interrupts and flushes, with masks and sets, in memory and in
 * registers. Rule ids are those of protocol/hypervisor.md.
 */
#include "tests/unit/partition_rig.h"

#include "host/hypervisor/hypercall.h"

static struct rig rig;

#define FAST	 (1ull << 16)
#define WORDS(n) ((uint64_t)(n) << 17)
#define REPS(n)	 ((uint64_t)(n) << 32)
#define START(n) ((uint64_t)(n) << 48)
#define DONE(n)	 ((uint64_t)(n) << 32)
#define FLUSH	 0x02ull
#define LIST	 0x03ull
#define IPI	 0x0bull
#define FLUSH_EX 0x13ull
#define LIST_EX	 0x14ull
#define IPI_EX	 0x15ull
#define SPARSE	 0ull
#define ALL	 1ull

static void open(uint32_t vps)
{
	rig_open_full(&rig, vps, &rig_ops_full, NULL);
	rig_hypercalls_on(&rig);
}

/* Input as 8-byte words, in memory. */
static void input(const uint64_t *words, size_t count)
{
	memset(rig_at(&rig, RIG_INPUT), 0, 4096);
	memcpy(rig_at(&rig, RIG_INPUT), words, count * sizeof *words);
}
#define INPUT(...)                                                                                 \
	input((const uint64_t[]){__VA_ARGS__},                                                     \
		sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static uint64_t call(uint64_t control)
{
	return rig_hypercall(&rig, control, RIG_INPUT, 0);
}

/* Input in registers. */
static uint64_t fast(uint64_t control, const uint64_t words[14])
{
	struct hypercall_registers registers = {
		.rcx = control | FAST, .rdx = words[0], .r8 = words[1]};

	memcpy(registers.xmm, words + 2, sizeof registers.xmm);
	CU_ASSERT_EQUAL(partition_hypercall(rig.partition, 1, &registers), PARTITION_FAULT_NONE);
	CU_ASSERT_EQUAL(registers.rdx, words[0]); /* R-HCALL-006 */
	CU_ASSERT_EQUAL(memcmp(registers.xmm, words + 2, sizeof registers.xmm), 0);
	return registers.rax;
}
#define FAST_CALL(control, ...) fast(control, (const uint64_t[14]){__VA_ARGS__})

/* ---- interrupts ---------------------------------------------------------------------------- */

/* R-CPUID-014. */
static void ipi_reaches_the_vps_of_its_mask(void)
{
	open(4);
	INPUT(0xfe, 0xa); /* vector, VPs 1 and 3 */
	CU_ASSERT_EQUAL(call(IPI), 0);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 1); /* R-HCALL-021 */
	CU_ASSERT_EQUAL(rig.direct_vps, 0xa);
	CU_ASSERT_EQUAL(rig.direct_vector, 0xfe);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x10, 0x1), 0);
	CU_ASSERT_EQUAL(rig.direct_vps, 0x1);
	CU_ASSERT_EQUAL(rig.direct_vector, 0x10);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0xff, UINT64_MAX), 0); /* R-HCALL-024 */
	CU_ASSERT_EQUAL(rig.direct_vps, 0xf);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0xff, 0), 0); /* nobody */
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0xff, 0x10), 0);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 3);
	rig_close(&rig);
}

static void ipi_checks_vector_and_vtl(void)
{
	open(2);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x0f, 1), 5); /* R-HCALL-020 */
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0, 1), 5);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x100, 1), 5);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0xffffffff, 1), 5);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x40 | 1ull << 32, 1), 5);    /* VTL 1: R-HCALL-028 */
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x40 | 0x20ull << 32, 1), 5); /* reserved bit */
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x40 | 1ull << 40, 1), 5);    /* reserved byte */
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x40 | 1ull << 63, 1), 5);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 0);
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x40 | 0x10ull << 32, 1), 0); /* VTL 0, said so */
	CU_ASSERT_EQUAL(call(IPI | WORDS(1)), 3);		     /* R-HCALL-005 */
	CU_ASSERT_EQUAL(call(IPI | REPS(1)), 3);
	rig_close(&rig);
}

/* R-CPUID-014. */
static void ipi_to_a_set(void)
{
	open(64);
	INPUT(0x40, SPARSE, 1, 0x8000000000000001ull);
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(1)), 0);
	CU_ASSERT_EQUAL(rig.direct_vps, 0x8000000000000001ull);
	CU_ASSERT_EQUAL(rig.direct_vector, 0x40);
	INPUT(0x41, ALL, 0);
	CU_ASSERT_EQUAL(call(IPI_EX), 0);
	CU_ASSERT_EQUAL(rig.direct_vps, UINT64_MAX);
	/* Banks 0, 1 and 63; only the first has VPs. */
	INPUT(0x42, SPARSE, 0x8000000000000003ull, 0x6, 0xff, 0xff);
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(3)), 0);
	CU_ASSERT_EQUAL(rig.direct_vps, 0x6);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 3);
	INPUT(0x42, SPARSE, 0x2, 0xff); /* bank 1 alone */
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(1)), 0);
	INPUT(0x42, SPARSE, 0); /* an empty set */
	CU_ASSERT_EQUAL(call(IPI_EX), 0);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 3);
	rig_close(&rig);
}

static void set_needs_a_word_for_each_bank(void)
{
	open(2);
	INPUT(0x40, SPARSE, 1, 1, 1);
	CU_ASSERT_EQUAL(call(IPI_EX), 3); /* R-HCALL-019 */
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(2)), 3);
	INPUT(0x40, ALL, 1, 1);
	CU_ASSERT_EQUAL(call(IPI_EX), 3);
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(1)), 0);
	INPUT(0x40, ALL, 0);
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(1)), 3);
	INPUT(0x40, 2, 1, 1); /* R-HCALL-025 */
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(1)), 5);
	INPUT(0x0f, SPARSE, 1, 1);
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(1)), 5);
	/* 24 bytes and 510 words are more than a page. */
	CU_ASSERT_EQUAL(call(IPI_EX | WORDS(510)), 4);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 1);
	rig_close(&rig);
}

static void set_in_registers_packs_its_words_behind_the_header(void)
{
	open(4);
	/* RDX vector, R8 format, XMM0 mask and first bank: R-CPUID-018 */
	CU_ASSERT_EQUAL(FAST_CALL(IPI_EX | WORDS(1), 0x40, SPARSE, 1, 0x5), 0);
	CU_ASSERT_EQUAL(rig.direct_vps, 0x5);
	CU_ASSERT_EQUAL(FAST_CALL(IPI_EX, 0x40, ALL, 0), 0);
	CU_ASSERT_EQUAL(rig.direct_vps, 0xf);
	/* 11 words fill the registers, 12 do not fit. */
	CU_ASSERT_EQUAL(FAST_CALL(IPI_EX | WORDS(11), 0x40, SPARSE, 0x7ff, 0x2), 0);
	CU_ASSERT_EQUAL(rig.direct_vps, 0x2);
	CU_ASSERT_EQUAL(FAST_CALL(IPI_EX | WORDS(12), 0x40, SPARSE, 0xfff, 0x2), 3);
	rig_close(&rig);
}

/* ---- flushes ------------------------------------------------------------------------------- */

/* R-CPUID-013. */
static void flush_reaches_the_vps_of_its_mask(void)
{
	open(4);
	INPUT(0x1000, 0, 0x6);
	CU_ASSERT_EQUAL(call(FLUSH), 0);
	CU_ASSERT_EQUAL(rig.flushes, 1);
	CU_ASSERT_EQUAL(rig.flushed_vps, 0x6);
	CU_ASSERT_EQUAL(rig.flush_caller, 0);
	CU_ASSERT_EQUAL(FAST_CALL(FLUSH, 0x1000, 2, 0xff), 0); /* all address spaces */
	CU_ASSERT_EQUAL(rig.flushed_vps, 0xf);
	CU_ASSERT_EQUAL(rig.flush_caller, 1);
	CU_ASSERT_EQUAL(FAST_CALL(FLUSH, 0x1000, 1, 0x1), 0); /* all VPs */
	CU_ASSERT_EQUAL(rig.flushed_vps, 0xf);
	rig.flushed_vps = 0;
	CU_ASSERT_EQUAL(FAST_CALL(FLUSH, 0x1000, 0, 0), 0); /* R-HCALL-026 */
	CU_ASSERT_EQUAL(rig.flushed_vps, 0xf);
	CU_ASSERT_EQUAL(FAST_CALL(FLUSH, 0x1000, 4, 0x2), 0); /* non-global */
	CU_ASSERT_EQUAL(rig.flushes, 5);
	CU_ASSERT_EQUAL(FAST_CALL(FLUSH, 0x1000, 0, 0xf0), 0); /* no such VPs */
	CU_ASSERT_EQUAL(rig.flushes, 5);
	rig_close(&rig);
}

static void flush_flags_are_checked(void)
{
	open(2);
	for (unsigned bit = 0; bit < 64; bit++) {
		const uint64_t flag = 1ull << bit;
		INPUT(0, flag, 1);
		CU_ASSERT_EQUAL(call(FLUSH), bit <= 2 ? 0 : 5); /* R-HCALL-018 */
		/* R-HCALL-027, R-CPUID-020 */
		CU_ASSERT_EQUAL(call(LIST | REPS(1)), bit <= 1 || bit == 3 ? DONE(1) : 5);
		INPUT(0, flag, SPARSE, 1, 1);
		CU_ASSERT_EQUAL(call(FLUSH_EX | WORDS(1)), bit <= 2 ? 0 : 5);
		CU_ASSERT_EQUAL(
			call(LIST_EX | WORDS(1) | REPS(1)), bit <= 1 || bit == 3 ? DONE(1) : 5);
	}
	rig_close(&rig);
}

static void list_is_flushed_once_and_done_as_a_whole(void)
{
	open(2);
	INPUT(0x1000, 0, 0x2, 0x7000, 0xfffffffffffff000ull, 0x123ull); /* R-HCALL-017 */
	CU_ASSERT_EQUAL(call(LIST | REPS(3)), DONE(3));
	CU_ASSERT_EQUAL(rig.flushes, 1); /* R-HCALL-029 */
	CU_ASSERT_EQUAL(rig.flushed_vps, 0x2);
	CU_ASSERT_EQUAL(call(LIST | REPS(3) | START(2)), DONE(3)); /* R-HCALL-013 */
	INPUT(0x1000, 0x10, 0x2);
	CU_ASSERT_EQUAL(call(LIST | REPS(3) | START(2)), DONE(2) | 5); /* R-HCALL-014 */
	CU_ASSERT_EQUAL(call(LIST), 3);
	CU_ASSERT_EQUAL(call(LIST | REPS(3) | START(3)), 3);
	/* 24 bytes and 509 ranges fill a page. */
	INPUT(0x1000, 0, 0x2);
	CU_ASSERT_EQUAL(call(LIST | REPS(509)), DONE(509));
	CU_ASSERT_EQUAL(call(LIST | REPS(510)), 4);
	rig_close(&rig);
}

/* R-CPUID-013. */
static void flush_of_a_set(void)
{
	open(4);
	INPUT(0x1000, 0, SPARSE, 1, 0xc);
	CU_ASSERT_EQUAL(call(FLUSH_EX | WORDS(1)), 0);
	CU_ASSERT_EQUAL(rig.flushed_vps, 0xc);
	INPUT(0x1000, 0, ALL, 0);
	CU_ASSERT_EQUAL(call(FLUSH_EX), 0);
	CU_ASSERT_EQUAL(rig.flushed_vps, 0xf);
	INPUT(0x1000, 0, SPARSE, 1, 0x3, 0x5000, 0x6000);
	CU_ASSERT_EQUAL(call(LIST_EX | WORDS(1) | REPS(2)), DONE(2));
	CU_ASSERT_EQUAL(rig.flushed_vps, 0x3);
	INPUT(0x1000, 1, SPARSE, 0); /* R-HCALL-036: the flag says all */
	CU_ASSERT_EQUAL(call(FLUSH_EX), 0);
	CU_ASSERT_EQUAL(rig.flushed_vps, 0xf);
	CU_ASSERT_EQUAL(rig.flushes, 4);
	INPUT(0x1000, 0, SPARSE, 0); /* an empty set is empty here */
	CU_ASSERT_EQUAL(call(FLUSH_EX), 0);
	CU_ASSERT_EQUAL(rig.flushes, 4);
	INPUT(0x1000, 0, SPARSE, 3, 1);
	CU_ASSERT_EQUAL(call(FLUSH_EX | WORDS(1)), 3);
	CU_ASSERT_EQUAL(call(LIST_EX | WORDS(1) | REPS(1)), 3);
	rig_close(&rig);
}

static void flush_of_a_set_in_registers(void)
{
	open(4);
	/* RDX space, R8 flags, XMM0 format and mask, XMM1 banks. */
	CU_ASSERT_EQUAL(FAST_CALL(FLUSH_EX | WORDS(1), 0x1000, 0, SPARSE, 1, 0x9), 0);
	CU_ASSERT_EQUAL(rig.flushed_vps, 0x9);
	CU_ASSERT_EQUAL(
		FAST_CALL(LIST_EX | WORDS(1) | REPS(2), 0x1000, 0, SPARSE, 1, 0x6, 1, 2), DONE(2));
	CU_ASSERT_EQUAL(rig.flushed_vps, 0x6);
	CU_ASSERT_EQUAL(FAST_CALL(LIST | REPS(11), 0x1000, 0, 0x1), DONE(11));
	CU_ASSERT_EQUAL(FAST_CALL(LIST | REPS(12), 0x1000, 0, 0x1), 3);
	rig_close(&rig);
}

static void without_xmm_the_fast_forms_fault(void)
{
	static const uint64_t calls[] = {FLUSH, LIST | REPS(1), FLUSH_EX, IPI_EX};
	static const struct partition_backend_ops ops = {
		.name = "test",
		.interrupt_assert = rig_interrupt,
		.vector_assert = rig_vector_assert,
		.tlb_flush = rig_tlb_flush,
	};

	rig_open_full(&rig, 2, &ops, NULL);
	rig_hypercalls_on(&rig);
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		struct hypercall_registers registers = {.rcx = calls[i] | FAST};
		CU_ASSERT_EQUAL(
			partition_hypercall(rig.partition, 0, &registers), PARTITION_FAULT_UD);
	}
	CU_ASSERT_EQUAL(FAST_CALL(IPI, 0x40, 1), 0); /* 16 bytes: R-CPUID-018 */
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(ipi_reaches_the_vps_of_its_mask),
	TEST(ipi_checks_vector_and_vtl),
	TEST(ipi_to_a_set),
	TEST(set_needs_a_word_for_each_bank),
	TEST(set_in_registers_packs_its_words_behind_the_header),
	TEST(flush_reaches_the_vps_of_its_mask),
	TEST(flush_flags_are_checked),
	TEST(list_is_flushed_once_and_done_as_a_whole),
	TEST(flush_of_a_set),
	TEST(flush_of_a_set_in_registers),
	TEST(without_xmm_the_fast_forms_fault),
};

TEST_MAIN("hypercall_ipi", tests)
