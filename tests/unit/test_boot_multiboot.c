// SPDX-License-Identifier: Apache-2.0
/*
 * Loading a multiboot 1 kernel, as an ELF file and as a flat one: built byte by byte from the
 * Multiboot Specification 0.6.96.
 */
#include "tests/unit/boot_fixture.h"

#define SEED 1u

/* Header at `at`: flags, and the sum that makes it one. */
static void header_write(uint8_t *at, uint32_t flags)
{
	field_set(at, 0, 4, 0x1badb002);
	field_set(at, 4, 4, flags);
	field_set(at, 8, 4, 0u - 0x1badb002u - flags);
}

/*
 * An ELF file of 32 bits: one segment, 0x400 bytes at offset 0x1000 for 0x4000 bytes at
 * 0x400000, with the header at its start.
 */
static void elf_open(struct boot_fixture *fixture)
{
	fixture_open(fixture);
	uint8_t *image = fixture->image;
	field_set(image, 0, 4, 0x464c457f);  /* \x7f ELF */
	field_set(image, 4, 1, 1);	     /* EI_CLASS */
	field_set(image, 5, 2, 0x0101);	     /* EI_DATA: little-endian; EI_VERSION */
	field_set(image, 16, 2, 2);	     /* e_type: ET_EXEC */
	field_set(image, 18, 2, 3);	     /* e_machine: EM_386 */
	field_set(image, 24, 4, 0x400010);   /* e_entry */
	field_set(image, 28, 4, 52);	     /* e_phoff */
	field_set(image, 42, 2, 32);	     /* e_phentsize */
	field_set(image, 44, 2, 1);	     /* e_phnum */
	field_set(image, 52, 4, 1);	     /* p_type: PT_LOAD */
	field_set(image, 56, 4, 0x1000);     /* p_offset */
	field_set(image, 60, 4, 0xc0400000); /* p_vaddr */
	field_set(image, 64, 4, 0x400000);   /* p_paddr */
	field_set(image, 68, 4, 0x400);	     /* p_filesz */
	field_set(image, 72, 4, 0x4000);     /* p_memsz */
	for (size_t i = 0; i < 0x400; i++)
		image[0x1000 + i] = pattern(i, SEED);
	header_write(image + 0x1000, 0);
	fixture->image_bytes = 0x1400;
}

/*
 * A flat file: the header at 0x80, loaded from 0x200020 on, which is 0x20 of the file, up to
 * 0x400 of it, zeroed up to 0x201000.
 */
static void flat_open(struct boot_fixture *fixture)
{
	fixture_open(fixture);
	uint8_t *image = fixture->image;
	for (size_t i = 0; i < 0x500; i++)
		image[i] = pattern(i, SEED);
	header_write(image + 0x80, 1u << 16 | 3);
	field_set(image, 0x8c, 4, 0x200080); /* header_addr */
	field_set(image, 0x90, 4, 0x200020); /* load_addr */
	field_set(image, 0x94, 4, 0x200400); /* load_end_addr */
	field_set(image, 0x98, 4, 0x201000); /* bss_end_addr */
	field_set(image, 0x9c, 4, 0x2000a0); /* entry_addr */
	fixture->image_bytes = 0x500;
}

/* The bytes of the image from `offset` on are at `gpa`. */
static bool is_copied(struct boot_fixture *fixture, uint64_t gpa, size_t offset, size_t bytes)
{
	return memcmp(guest_at(fixture, gpa), fixture->image + offset, bytes) == 0;
}

static void check_entry(const struct boot_fixture *fixture, uint64_t rip)
{
	CU_ASSERT_FALSE(fixture->entry.is_long_mode);
	CU_ASSERT_EQUAL(fixture->entry.rip, rip);
	CU_ASSERT_EQUAL(fixture->entry.rax, 0x2badb002);
	CU_ASSERT_EQUAL(fixture->entry.rbx, 0x30000);
	CU_ASSERT_EQUAL(fixture->entry.gdt, 0x500);
}

static void multiboot_elf_is_loaded_and_entered_in_32_bit_mode(void)
{
	struct boot_fixture fixture;

	elf_open(&fixture);
	memset(guest_at(&fixture, 0x400000), 0xa5, 0x5000);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_copied(&fixture, 0x400000, 0x1000, 0x400));
	CU_ASSERT(is_zero(&fixture, 0x400400, 0x3c00));
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x404000, 1), 0xa5);
	check_entry(&fixture, 0x400010);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x510, 8), 0x00cf9b000000ffff);
	fixture_close(&fixture);
}

static void multiboot_entry_in_virtual_addresses_is_translated(void)
{
	struct boot_fixture fixture;

	elf_open(&fixture);
	field_set(fixture.image, 24, 4, 0xc0400020);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	check_entry(&fixture, 0x400020);
	fixture_close(&fixture);
}

static void multiboot_flat_file_goes_where_its_header_says(void)
{
	struct boot_fixture fixture;

	flat_open(&fixture);
	memset(guest_at(&fixture, 0x200000), 0xa5, 0x2000);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_copied(&fixture, 0x200020, 0x20, 0x3e0));
	CU_ASSERT(is_zero(&fixture, 0x200400, 0xc00));
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x20001f, 1), 0xa5);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x201000, 1), 0xa5);
	check_entry(&fixture, 0x2000a0);

	field_set(fixture.image, 0x94, 4, 0); /* to the end of the file, */
	field_set(fixture.image, 0x98, 4, 0); /* no BSS */
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_copied(&fixture, 0x200020, 0x20, 0x4e0));
	fixture_close(&fixture);
}

static void multiboot_information_names_memory_command_line_and_module(void)
{
	struct boot_fixture fixture;

	elf_open(&fixture);
	initrd_add(&fixture, 5000);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	const uint64_t info = fixture.entry.rbx;
	/* flags: memory, command line, modules, memory map, loader name */
	CU_ASSERT_EQUAL(guest_get(&fixture, info, 4), 0x24d);
	CU_ASSERT_EQUAL(guest_get(&fixture, info + 4, 4), 639);	      /* mem_lower */
	CU_ASSERT_EQUAL(guest_get(&fixture, info + 8, 4), 63 * 1024); /* mem_upper */
	char line[64];
	snprintf(line, sizeof line, "%s quiet", strrchr(fixture.kernel_path, '/') + 1);
	CU_ASSERT_STRING_EQUAL((char *)guest_at(&fixture, guest_get(&fixture, info + 16, 4)), line);
	CU_ASSERT_EQUAL_FATAL(guest_get(&fixture, info + 20, 4), 1); /* mods_count */
	const uint64_t module = guest_get(&fixture, info + 24, 4);   /* mods_addr */
	CU_ASSERT_EQUAL(guest_get(&fixture, module, 4), BOOT_RAM - 0x2000);
	CU_ASSERT_EQUAL(guest_get(&fixture, module + 4, 4), BOOT_RAM - 0x2000 + 5000);
	CU_ASSERT_STRING_EQUAL(
		(char *)guest_at(&fixture, guest_get(&fixture, module + 8, 4)), "initrd");
	CU_ASSERT(has_pattern(&fixture, BOOT_RAM - 0x2000, 5000, INITRD_SEED));
	CU_ASSERT_EQUAL(guest_get(&fixture, info + 44, 4), 3 * 24); /* mmap_length */
	const uint64_t map = guest_get(&fixture, info + 48, 4);	    /* mmap_addr */
	static const uint64_t entries[3][3] = {
		{0, 0x9fc00, 1},
		{0x9fc00, 0x60400, 2},
		{0x100000, BOOT_RAM - 0x100000, 1},
	};
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(guest_get(&fixture, map + 24 * i, 4), 20);
		CU_ASSERT_EQUAL(guest_get(&fixture, map + 24 * i + 4, 8), entries[i][0]);
		CU_ASSERT_EQUAL(guest_get(&fixture, map + 24 * i + 12, 8), entries[i][1]);
		CU_ASSERT_EQUAL(guest_get(&fixture, map + 24 * i + 20, 4), entries[i][2]);
	}
	CU_ASSERT_STRING_EQUAL(
		(char *)guest_at(&fixture, guest_get(&fixture, info + 64, 4)), "viridian");
	CU_ASSERT(is_zero(&fixture, info + 28, 16)); /* no symbols */
	CU_ASSERT(is_zero(&fixture, info + 68, 48)); /* no APM, no video */
	fixture_close(&fixture);
}

/* Move the header of the flat file to `at`. */
static void header_move(struct boot_fixture *fixture, size_t at)
{
	flat_open(fixture);
	uint8_t header[32];
	memcpy(header, fixture->image + 0x80, sizeof header);
	memset(fixture->image + 0x80, 0, sizeof header);
	memcpy(fixture->image + at, header, sizeof header);
	field_set(fixture->image, at + 12, 4, 0x200000 + at);
	field_set(fixture->image, at + 20, 4, 0);
	field_set(fixture->image, at + 24, 4, 0);
	fixture->image_bytes = IMAGE_BYTES;
}

static void multiboot_header_is_looked_for_in_the_first_8_kib(void)
{
	struct boot_fixture fixture;

	header_move(&fixture, 8192 - 32);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_copied(&fixture, 0x200020, 0x20, IMAGE_BYTES - 0x20));
	fixture_close(&fixture);
	header_move(&fixture, 8192 - 8); /* not whole in them */
	CU_ASSERT(is_refused(&fixture, "no multiboot header in the first 8 KiB"));
	fixture_close(&fixture);
	header_move(&fixture, 0x82); /* not on four bytes */
	CU_ASSERT(is_refused(&fixture, "no multiboot header in the first 8 KiB"));
	fixture_close(&fixture);
}

static void multiboot_header_with_a_wrong_sum_is_none(void)
{
	struct boot_fixture fixture;

	elf_open(&fixture);
	field_set(fixture.image, 0x1008, 4, 0u - 0x1badb002u + 1);
	CU_ASSERT(is_refused(&fixture, "neither a PVH note"));
	fixture_close(&fixture);
}

static void multiboot_demands_that_are_not_met_are_refused(void)
{
	static const struct {
		uint32_t flags;
		bool is_met;
	} demands[] = {
		{1, true}, {2, true}, {3, true}, {4, false}, {0x8000, false}, {0x20000, true}};

	for (size_t i = 0; i < sizeof demands / sizeof *demands; i++) {
		struct boot_fixture fixture;
		elf_open(&fixture);
		header_write(fixture.image + 0x1000, demands[i].flags);
		if (demands[i].is_met) {
			CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
		} else {
			CU_ASSERT(is_refused(&fixture, "asks for what is not here"));
		}
		fixture_close(&fixture);
	}
}

static void multiboot_flat_file_without_addresses_is_refused(void)
{
	struct boot_fixture fixture;

	flat_open(&fixture);
	header_write(fixture.image + 0x80, 0);
	CU_ASSERT(is_refused(&fixture, "without address fields"));
	fixture_close(&fixture);
}

static void multiboot_with_damaged_addresses_is_refused(void)
{
	static const struct damage damages[] = {
		{0x8c, 4, 0x20001f, "load_addr 0x200020 with header_addr 0x20001f"},
		{0x8c, 4, 0x2000a4, "begins before the file"},
		{0x8c, 4, 0xffffffff, "begins before the file"},
		{0x90, 4, 0, "begins before the file"},
		{0x90, 4, 0x200081, "begins before the file"},
		{0x94, 4, 0x200020, "load_end_addr 0x200020"},
		{0x94, 4, 0x200001, "load_end_addr 0x200001"},
		{0x94, 4, 0x200501, "ends past the file"},
		{0x94, 4, 0xffffffff, "ends past the file"},
		{0x98, 4, 0x2003ff, "bss_end_addr 0x2003ff"},
		{0x98, 4, 0xffffffff,
			"image (load_addr, bss_end_addr) needs 0xffdfffdf bytes at 0x200020"},
		{0x98, 4, BOOT_RAM + 1, "give the machine more memory"},
		{0x9c, 4, 0x20001f, "entry 0x20001f"},
		{0x9c, 4, 0x201000, "entry 0x201000"},
		{0x9c, 4, 0, "entry 0x0"},
	};
	check_damages(flat_open, damages, sizeof damages / sizeof *damages);
}

static void multiboot_elf_with_damaged_fields_is_refused(void)
{
	static const struct damage damages[] = {
		{24, 4, 0x404000, "entry 0x404000"},
		{24, 4, 0, "entry 0x0"},
		{64, 4, 0xffffff00, "entry 0x400010"},
		{72, 4, 0xffffffff, "needs 0xffffffff bytes"},
		{68, 4, 0x401, "segment 0 (p_offset, p_filesz) at offset 0x1000"},
		{56, 4, 0xffffffff, "at offset 0xffffffff"},
	};
	check_damages(elf_open, damages, sizeof damages / sizeof *damages);
}

static void multiboot_cut_short_anywhere_is_refused(void)
{
	struct boot_fixture fixture;

	flat_open(&fixture);
	for (size_t i = 1; i < 0x400; i += 3) {
		fixture.image_bytes = i;
		CU_ASSERT(fixture_load(&fixture) < 0);
	}
	fixture_close(&fixture);
}

/* argv[0], and argv[1] is what was appended, whatever the folder is called. */
static void multiboot_command_line_begins_with_one_word(void)
{
	struct boot_fixture fixture;
	char folder[] = "/tmp/two words XXXXXX";
	char path[64];

	elf_open(&fixture);
	CU_ASSERT_EQUAL_FATAL(fixture_load(&fixture), 0); /* writes the file */
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/some test.elf", folder);
	CU_ASSERT_EQUAL_FATAL(symlink(fixture.kernel_path, path), 0);
	fixture.config.kernel = path;
	fixture.config.command_line = "direct";
	CU_ASSERT_EQUAL(boot_load(&fixture.config, &fixture.memory, &fixture.entry, fixture.error,
				sizeof fixture.error),
		0);
	const uint64_t line = guest_get(&fixture, fixture.entry.rbx + 16, 4);
	CU_ASSERT_STRING_EQUAL((char *)guest_at(&fixture, line), "some_test.elf direct");
	unlink(path);
	rmdir(folder);
	fixture_close(&fixture);
}

static const struct test tests[] = {
	TEST(multiboot_elf_is_loaded_and_entered_in_32_bit_mode),
	TEST(multiboot_entry_in_virtual_addresses_is_translated),
	TEST(multiboot_flat_file_goes_where_its_header_says),
	TEST(multiboot_information_names_memory_command_line_and_module),
	TEST(multiboot_command_line_begins_with_one_word),
	TEST(multiboot_header_is_looked_for_in_the_first_8_kib),
	TEST(multiboot_header_with_a_wrong_sum_is_none),
	TEST(multiboot_demands_that_are_not_met_are_refused),
	TEST(multiboot_flat_file_without_addresses_is_refused),
	TEST(multiboot_with_damaged_addresses_is_refused),
	TEST(multiboot_elf_with_damaged_fields_is_refused),
	TEST(multiboot_cut_short_anywhere_is_refused),
};

TEST_MAIN("boot_multiboot", tests)
