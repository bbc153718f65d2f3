// SPDX-License-Identifier: Apache-2.0
/*
 * Loading a PVH kernel from ELF files of both classes: built byte by byte from the System V
 * ABI and Xen's start_info.h.
 */
#include "tests/unit/boot_fixture.h"

/* The image: header, three program headers, the note at 0x400, two payloads from 0x1000. */
#define NOTE_OFFSET 0x400u
#define TEXT_OFFSET 0x1000u
#define TEXT_BYTES  0x900u
#define TEXT_SEED   1u
#define DATA_OFFSET 0x2000u
#define DATA_BYTES  0x123u
#define DATA_MEMORY 0x5000u /* in memory: the rest is zeroed */
#define DATA_SEED   2u
#define TEXT_GPA    0x1000000u
#define DATA_GPA    0x1200000u
#define ENTRY	    0x1000040u

static void patterns_write(struct boot_fixture *fixture)
{
	for (size_t i = 0; i < TEXT_BYTES; i++)
		fixture->image[TEXT_OFFSET + i] = pattern(i, TEXT_SEED);
	for (size_t i = 0; i < DATA_BYTES; i++)
		fixture->image[DATA_OFFSET + i] = pattern(i, DATA_SEED);
	fixture->image_bytes = DATA_OFFSET + DATA_BYTES;
}

/* A note "Xen" of `type`, behind one that is not; returns the bytes of both. */
static size_t notes_write(uint8_t *at, uint32_t type, unsigned width, uint64_t value)
{
	field_set(at, 0, 4, 4); /* n_namesz */
	field_set(at, 4, 4, 5); /* n_descsz, padded to 8 */
	field_set(at, 8, 4, 18);
	memcpy(at + 12, "GNU", 4);
	field_set(at, 16, 8, 0x1111111111);
	field_set(at, 24, 4, 4);
	field_set(at, 28, 4, width);
	field_set(at, 32, 4, type);
	memcpy(at + 36, "Xen", 4);
	field_set(at, 40, width, value);
	return 40 + width;
}

struct program {
	uint64_t type, offset, vaddr, paddr, file_bytes, memory_bytes;
};

static const struct program text = {
	1, TEXT_OFFSET, 0xffffffff81000000, TEXT_GPA, TEXT_BYTES, TEXT_BYTES};
static const struct program data = {
	1, DATA_OFFSET, 0xffffffff81200000, DATA_GPA, DATA_BYTES, DATA_MEMORY};

static void program_64_write(uint8_t *at, const struct program *program)
{
	field_set(at, 0, 4, program->type);
	field_set(at, 8, 8, program->offset);
	field_set(at, 16, 8, program->vaddr);
	field_set(at, 24, 8, program->paddr);
	field_set(at, 32, 8, program->file_bytes);
	field_set(at, 40, 8, program->memory_bytes);
	field_set(at, 48, 8, 4);
}

static void program_32_write(uint8_t *at, const struct program *program)
{
	field_set(at, 0, 4, program->type);
	field_set(at, 4, 4, program->offset);
	field_set(at, 8, 4, program->vaddr);
	field_set(at, 12, 4, program->paddr);
	field_set(at, 16, 4, program->file_bytes);
	field_set(at, 20, 4, program->memory_bytes);
	field_set(at, 28, 4, 4);
}

static void pvh_64_open(struct boot_fixture *fixture)
{
	fixture_open(fixture);
	uint8_t *image = fixture->image;
	field_set(image, 0, 4, 0x464c457f);  /* \x7f ELF */
	field_set(image, 4, 1, 2);	     /* EI_CLASS */
	field_set(image, 5, 2, 0x0101);	     /* EI_DATA: little-endian; EI_VERSION */
	field_set(image, 16, 2, 2);	     /* e_type: ET_EXEC */
	field_set(image, 18, 2, 62);	     /* e_machine: EM_X86_64 */
	field_set(image, 24, 8, 0xdeadbeef); /* e_entry: not PVH's */
	field_set(image, 32, 8, 64);	     /* e_phoff */
	field_set(image, 54, 2, 56);	     /* e_phentsize */
	field_set(image, 56, 2, 3);	     /* e_phnum */
	const size_t bytes = notes_write(image + NOTE_OFFSET, 18, 8, ENTRY);
	const struct program notes = {4, NOTE_OFFSET, 0, 0, bytes, bytes};
	program_64_write(image + 64, &text);
	program_64_write(image + 64 + 56, &notes);
	program_64_write(image + 64 + 112, &data);
	patterns_write(fixture);
}

static void pvh_32_open(struct boot_fixture *fixture)
{
	fixture_open(fixture);
	uint8_t *image = fixture->image;
	field_set(image, 0, 4, 0x464c457f); /* \x7f ELF */
	field_set(image, 4, 1, 1);	    /* EI_CLASS */
	field_set(image, 5, 2, 0x0101);	    /* EI_DATA: little-endian; EI_VERSION */
	field_set(image, 16, 2, 2);	    /* e_type: ET_EXEC */
	field_set(image, 18, 2, 3);	    /* e_machine: EM_386 */
	field_set(image, 28, 4, 52);
	field_set(image, 42, 2, 32);
	field_set(image, 44, 2, 3);
	const size_t bytes = notes_write(image + NOTE_OFFSET, 18, 4, ENTRY);
	const struct program notes = {4, NOTE_OFFSET, 0, 0, bytes, bytes};
	program_32_write(image + 52, &text);
	program_32_write(image + 52 + 32, &notes);
	program_32_write(image + 52 + 64, &data);
	patterns_write(fixture);
}

static void check_loaded(struct boot_fixture *fixture)
{
	CU_ASSERT(has_pattern(fixture, TEXT_GPA, TEXT_BYTES, TEXT_SEED));
	CU_ASSERT(has_pattern(fixture, DATA_GPA, DATA_BYTES, DATA_SEED));
	CU_ASSERT(is_zero(fixture, DATA_GPA + DATA_BYTES, DATA_MEMORY - DATA_BYTES));
}

static void pvh_kernel_is_entered_in_32_bit_mode_with_its_start_info(void)
{
	static void (*const opens[])(struct boot_fixture * fixture) = {pvh_64_open, pvh_32_open};

	for (unsigned i = 0; i < 2; i++) {
		struct boot_fixture fixture;
		opens[i](&fixture);
		CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
		check_loaded(&fixture);
		CU_ASSERT_FALSE(fixture.entry.is_long_mode);
		CU_ASSERT_EQUAL(fixture.entry.rip, ENTRY);
		CU_ASSERT_EQUAL(fixture.entry.rbx, 0x30000);
		CU_ASSERT_EQUAL(fixture.entry.gdt, 0x500);
		CU_ASSERT_EQUAL(guest_get(&fixture, 0x510, 8), 0x00cf9b000000ffff);
		CU_ASSERT_EQUAL(guest_get(&fixture, 0x518, 8), 0x00cf93000000ffff);
		fixture_close(&fixture);
	}
}

static void pvh_start_info_names_memory_command_line_initrd_and_rsdp(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	initrd_add(&fixture, 5000);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	const uint64_t info = fixture.entry.rbx;
	CU_ASSERT_EQUAL(guest_get(&fixture, info, 4), 0x336ec578);
	CU_ASSERT_EQUAL(guest_get(&fixture, info + 4, 4), 1);	     /* version */
	CU_ASSERT_EQUAL(guest_get(&fixture, info + 8, 4), 0);	     /* flags */
	CU_ASSERT_EQUAL_FATAL(guest_get(&fixture, info + 12, 4), 1); /* nr_modules */
	const uint64_t module = guest_get(&fixture, info + 16, 8);   /* modlist_paddr */
	CU_ASSERT_STRING_EQUAL(
		(char *)guest_at(&fixture, guest_get(&fixture, info + 24, 8)), "quiet");
	CU_ASSERT_EQUAL(guest_get(&fixture, info + 32, 8), 0xf0000); /* rsdp_paddr */
	const uint64_t map = guest_get(&fixture, info + 40, 8);	     /* memmap_paddr */
	CU_ASSERT_EQUAL_FATAL(guest_get(&fixture, info + 48, 4), 3); /* memmap_entries */
	CU_ASSERT_EQUAL(guest_get(&fixture, module, 8), BOOT_RAM - 0x2000);
	CU_ASSERT_EQUAL(guest_get(&fixture, module + 8, 8), 5000);
	CU_ASSERT(has_pattern(&fixture, BOOT_RAM - 0x2000, 5000, INITRD_SEED));
	CU_ASSERT_EQUAL(guest_get(&fixture, map, 8), 0);
	CU_ASSERT_EQUAL(guest_get(&fixture, map + 8, 8), 0x9fc00);
	CU_ASSERT_EQUAL(guest_get(&fixture, map + 16, 4), 1);
	CU_ASSERT_EQUAL(guest_get(&fixture, map + 24, 8), 0x9fc00);
	CU_ASSERT_EQUAL(guest_get(&fixture, map + 40, 4), 2);
	CU_ASSERT_EQUAL(guest_get(&fixture, map + 48, 8), 0x100000);
	CU_ASSERT_EQUAL(guest_get(&fixture, map + 56, 8), BOOT_RAM - 0x100000);
	CU_ASSERT_EQUAL(guest_get(&fixture, map + 64, 4), 1);
	fixture_close(&fixture);
}

static void pvh_without_an_initrd_has_no_module(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_zero(&fixture, fixture.entry.rbx + 12, 12));
	fixture_close(&fixture);
}

static void elf_loads_again_over_what_a_guest_left(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	memset(guest_at(&fixture, 0), 0xa5, BOOT_RAM);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	check_loaded(&fixture);
	/* What no format promises is left alone. */
	CU_ASSERT_EQUAL(guest_get(&fixture, DATA_GPA + DATA_MEMORY, 1), 0xa5);
	CU_ASSERT_EQUAL(guest_get(&fixture, TEXT_GPA - 1, 1), 0xa5);
	fixture_close(&fixture);
}

static void elf_with_damaged_fields_is_refused(void)
{
	static const struct damage damages[] = {
		{4, 1, 3, "class 3 (EI_CLASS)"},
		{5, 1, 2, "another processor"},
		{18, 2, 183, "e_machine 183"},
		{16, 2, 1, "e_type 1"},
		{54, 2, 55, "55 bytes (e_phentsize)"},
		{54, 2, 0, "0 bytes (e_phentsize)"},
		{56, 2, 0, "0 program headers (e_phnum)"},
		{56, 2, 65, "65 program headers (e_phnum)"},
		{56, 2, 0xffff, "65535 program headers (e_phnum)"},
		{32, 8, 0x2100, "program header at offset 0x2100"},
		{32, 8, 0xfffffffffffffff8, "program header at offset 0xfffffffffffffff8"},
		/* the first segment */
		{64 + 8, 8, 0xffffffffffffff00, "segment 0 (p_offset, p_filesz) at offset 0xf"},
		{64 + 32, 8, 0xfffffffffffff000, "p_filesz"},
		{64 + 32, 8, TEXT_BYTES + 1, "(p_filesz) for 0x900 in memory (p_memsz)"},
		{64 + 40, 8, TEXT_BYTES - 1, "(p_filesz) for 0x8ff in memory (p_memsz)"},
		{64 + 40, 8, 0x7fffffffff, "needs 0x7fffffffff bytes at 0x1000000"},
		{64 + 40, 8, 0xfffffffffffffff0, "needs 0xfffffffffffffff0 bytes"},
		{64 + 24, 8, BOOT_RAM - TEXT_BYTES + 1, "in no segment"},
		{64 + 24, 8, DATA_GPA + DATA_MEMORY - 1, "in no segment"},
		{64 + 40, 8, DATA_GPA - TEXT_GPA + 1, "overlaps"},
		/* the last segment */
		{176 + 24, 8, 0xffe00, "at 0xffe00, below 1 MiB"},
		{176 + 24, 8, 0xfffffffffffffff0, "needs 0x5000 bytes at 0xfffffffffffffff0"},
		{176 + 24, 8, BOOT_RAM - DATA_MEMORY + 1, "give the machine more memory"},
		{176 + 24, 8, TEXT_GPA + TEXT_BYTES - 1,
			"segment 2 (p_paddr, p_memsz), 0x5000 bytes at 0x10008ff, overlaps 0x900 "
			"bytes at 0x1000000"},
		/* the notes */
		{120 + 8, 8, 0xffffffff, "notes at offset 0xffffffff"},
		{120 + 32, 8, 0x10001, "0x10001 bytes of notes (p_filesz)"},
		{120 + 32, 8, 0xffffffffffffffff, "bytes of notes (p_filesz)"},
		{120 + 32, 8, 47, "neither a PVH note"},
		{120 + 32, 8, 39, "neither a PVH note"},
		{120 + 32, 8, 36, "neither a PVH note"},
		{NOTE_OFFSET + 0, 4, 0xffffffff, "neither a PVH note"},
		{NOTE_OFFSET + 4, 4, 0xffffffff, "neither a PVH note"},
		{NOTE_OFFSET + 28, 4, 9, "neither a PVH note"},
		{NOTE_OFFSET + 28, 4, 2, "neither a PVH note"},
		{NOTE_OFFSET + 32, 4, 17, "neither a PVH note"},
		{NOTE_OFFSET + 36, 1, 'Y', "neither a PVH note"},
		{NOTE_OFFSET + 40, 8, TEXT_GPA + TEXT_BYTES, "entry 0x1000900"},
		{NOTE_OFFSET + 40, 8, 0x100000000 + ENTRY, "entry 0x101000040"},
	};
	check_damages(pvh_64_open, damages, sizeof damages / sizeof *damages);
}

static void elf_with_nothing_to_load_is_refused(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	field_set(fixture.image, 64, 4, 2);
	field_set(fixture.image, 176 + 32, 8, 0);
	field_set(fixture.image, 176 + 40, 8, 0);
	CU_ASSERT(is_refused(&fixture, "nothing to load (no PT_LOAD)"));
	fixture_close(&fixture);
}

/* Linkers leave such segments behind; they are no overlap and no load below 1 MiB. */
static void elf_segment_without_memory_is_passed_over(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	static const struct program empty = {1, 0xffffffffff, 0, 0, 0, 0};
	field_set(fixture.image, 56, 2, 4);
	program_64_write(fixture.image + 64 + 168, &empty);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	check_loaded(&fixture);
	fixture_close(&fixture);
}

static void notes_of_a_segment_aligned_to_8_lie_on_8(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	uint8_t *image = fixture.image;
	field_set(image, 64 + 56 + 48, 8, 8);	 /* p_align */
	field_set(image, NOTE_OFFSET + 4, 4, 4); /* n_descsz: ends at 20, the next is at 24 */
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(fixture.entry.rip, ENTRY);
	field_set(image, 64 + 56 + 48, 8, 4);
	CU_ASSERT(fixture_load(&fixture) < 0); /* the next would be at 20 */
	fixture_close(&fixture);
}

static void elf_with_64_segments_is_loaded(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	uint8_t *image = fixture.image;
	memmove(image + 0xf00, image + NOTE_OFFSET, 0x100);
	const struct program notes = {4, 0xf00, 0, 0, 48, 48};
	program_64_write(image + 64, &notes);
	for (unsigned i = 0; i < 63; i++) {
		const struct program part = {1, TEXT_OFFSET, 0, TEXT_GPA + i * 0x100, 0x100, 0x100};
		program_64_write(image + 64 + 56 * (i + 1), &part);
	}
	field_set(image, 56, 2, 64);
	initrd_add(&fixture, 1);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(has_pattern(&fixture, TEXT_GPA + 62 * 0x100, 0x100, TEXT_SEED));
	fixture_close(&fixture);
}

static void elf_cut_short_anywhere_is_refused(void)
{
	struct boot_fixture fixture;

	pvh_64_open(&fixture);
	const size_t bytes = fixture.image_bytes;
	for (size_t i = 1; i < bytes; i += 11) {
		fixture.image_bytes = i;
		CU_ASSERT(fixture_load(&fixture) < 0);
	}
	fixture_close(&fixture);
}

static const struct test tests[] = {
	TEST(pvh_kernel_is_entered_in_32_bit_mode_with_its_start_info),
	TEST(pvh_start_info_names_memory_command_line_initrd_and_rsdp),
	TEST(pvh_without_an_initrd_has_no_module),
	TEST(elf_loads_again_over_what_a_guest_left),
	TEST(elf_with_damaged_fields_is_refused),
	TEST(elf_with_nothing_to_load_is_refused),
	TEST(elf_segment_without_memory_is_passed_over),
	TEST(notes_of_a_segment_aligned_to_8_lie_on_8),
	TEST(elf_with_64_segments_is_loaded),
	TEST(elf_cut_short_anywhere_is_refused),
};

TEST_MAIN("boot_elf", tests)
