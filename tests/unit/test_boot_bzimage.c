// SPDX-License-Identifier: Apache-2.0
/*
 * Loading a Linux bzImage: images are built byte by byte from the Linux/x86 boot protocol,
 * and what is left in guest memory is compared with it.
 */
#include "tests/unit/boot_fixture.h"

#define PAYLOAD_BYTES 0x800u
#define PAYLOAD_SEED  1u
#define INIT_SIZE     0x100000u

static void bzimage_open(struct boot_fixture *fixture)
{
	fixture_open(fixture);
	uint8_t *image = fixture->image;
	field_set(image, 0x1f1, 1, 1);			/* setup_sects */
	field_set(image, 0x1f4, 4, PAYLOAD_BYTES / 16); /* syssize */
	field_set(image, 0x1fa, 2, 0xfffd);		/* vid_mode: to be left alone */
	field_set(image, 0x1fe, 2, 0xaa55);		/* boot_flag */
	field_set(image, 0x200, 2, 0x6aeb);		/* jump; header ends at 0x26c */
	field_set(image, 0x202, 4, 0x53726448);		/* header */
	field_set(image, 0x206, 2, 0x020f);		/* version */
	field_set(image, 0x211, 1, 0x01);		/* loadflags: LOADED_HIGH */
	field_set(image, 0x214, 4, 0x100000);		/* code32_start */
	field_set(image, 0x22c, 4, 0x7fffffff);		/* initrd_addr_max */
	field_set(image, 0x230, 4, 0x200000);		/* kernel_alignment */
	field_set(image, 0x234, 1, 1);			/* relocatable_kernel */
	field_set(image, 0x236, 2, 0x003f);		/* xloadflags */
	field_set(image, 0x238, 4, 2047);		/* cmdline_size */
	field_set(image, 0x250, 8, 0x1122334455667788); /* setup_data: must not be believed */
	field_set(image, 0x258, 8, 0x1000000);		/* pref_address */
	field_set(image, 0x260, 4, INIT_SIZE);		/* init_size */
	field_set(image, 0x268, 4, 0xcafe);		/* kernel_info_offset */
	for (size_t i = 0; i < PAYLOAD_BYTES; i++)
		image[0x400 + i] = pattern(i, PAYLOAD_SEED);
	fixture->image_bytes = 0x400 + PAYLOAD_BYTES;
}

static void bzimage_is_entered_at_its_64_bit_entry(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(has_pattern(&fixture, 0x1000000, PAYLOAD_BYTES, PAYLOAD_SEED));
	CU_ASSERT_TRUE(fixture.entry.is_long_mode);
	CU_ASSERT_EQUAL(fixture.entry.rip, 0x1000200);
	CU_ASSERT_EQUAL(fixture.entry.rsi, 0x7000);
	CU_ASSERT_EQUAL(fixture.entry.cr3, 0x9000);
	CU_ASSERT_EQUAL(fixture.entry.gdt, 0x500);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x500 + 0x10, 8), 0x00af9b000000ffff);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x500 + 0x18, 8), 0x00cf93000000ffff);
	fixture_close(&fixture);
}

static void bzimage_zero_page_has_the_header_and_what_the_loader_says(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_zero(&fixture, 0x7000, 0x70));		  /* screen_info: none */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7070, 8), 0xf0000); /* acpi_rsdp_addr */
	CU_ASSERT(is_zero(&fixture, 0x70c0, 12));		  /* no halves above 4 GiB */
	CU_ASSERT(is_zero(&fixture, 0x71c0, 32));		  /* efi_info: none */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x71fa, 2), 0xfffd);  /* as in the file */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x71fe, 2), 0xaa55);  /* as in the file */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7202, 4), 0x53726448);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7210, 1), 0xff);	    /* type_of_loader */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7214, 4), 0x1000000); /* code32_start */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7218, 4), 0);	    /* ramdisk_image */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x721c, 4), 0);	    /* ramdisk_size */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7228, 4), 0x20000);   /* cmd_line_ptr */
	CU_ASSERT_STRING_EQUAL((char *)guest_at(&fixture, 0x20000), "quiet");
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7250, 8), 0);	 /* setup_data */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7268, 4), 0xcafe); /* the header's last field */
	CU_ASSERT(is_zero(&fixture, 0x726c, 0x2d0 - 0x26c));	 /* and nothing behind it */
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x71e8, 1), 3);	 /* e820_entries */
	static const uint64_t map[3][3] = {
		{0, 0x9fc00, 1},
		{0x9fc00, 0x60400, 2},
		{0x100000, BOOT_RAM - 0x100000, 1},
	};
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(guest_get(&fixture, 0x72d0 + 20 * i, 8), map[i][0]);
		CU_ASSERT_EQUAL(guest_get(&fixture, 0x72d8 + 20 * i, 8), map[i][1]);
		CU_ASSERT_EQUAL(guest_get(&fixture, 0x72e0 + 20 * i, 4), map[i][2]);
	}
	CU_ASSERT(is_zero(&fixture, 0x72d0 + 60, 0x1000 - 0x2d0 - 60));
	fixture_close(&fixture);
}

/* Walk as a processor does. */
static void bzimage_runs_with_4_gib_mapped_to_themselves(void)
{
	static const uint64_t addresses[] = {
		0, 0x7000, 0x1000200, 0x40000000, 0xfee00020, 0xffffffff};
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		const uint64_t va = addresses[i];
		const uint64_t pml4e = guest_get(&fixture, fixture.entry.cr3 + (va >> 39) * 8, 8);
		CU_ASSERT_EQUAL_FATAL(pml4e & 0xfff, 3);
		const uint64_t pdpte = guest_get(
			&fixture, (pml4e & ~0xfffull) + (va >> 30 & 511) * 8, 8);
		CU_ASSERT_EQUAL_FATAL(pdpte & 0xfff, 3);
		const uint64_t pde = guest_get(
			&fixture, (pdpte & ~0xfffull) + (va >> 21 & 511) * 8, 8);
		CU_ASSERT_EQUAL(pde & 0xfff, 0x83);
		CU_ASSERT_EQUAL((pde & ~0xfffull) + (va & 0x1fffff), va);
	}
	CU_ASSERT(is_zero(&fixture, 0xf000, 0x11000)); /* nothing behind the six pages */
	fixture_close(&fixture);
}

/* Load with an initrd of `bytes` bytes; returns where it is, or 0 if it is refused. */
static uint64_t initrd_place(struct boot_fixture *fixture, size_t bytes)
{
	initrd_add(fixture, bytes);
	if (fixture_load(fixture) != 0)
		return 0;
	const uint64_t gpa = guest_get(fixture, 0x7218, 4);
	CU_ASSERT_EQUAL(guest_get(fixture, 0x721c, 4), bytes);
	CU_ASSERT(has_pattern(fixture, gpa, bytes, INITRD_SEED));
	CU_ASSERT(has_pattern(fixture, guest_get(fixture, 0x7214, 4), PAYLOAD_BYTES, PAYLOAD_SEED));
	return gpa;
}

static void bzimage_initrd_lies_at_the_end_of_memory(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	CU_ASSERT_EQUAL(initrd_place(&fixture, 5000), BOOT_RAM - 0x2000);
	fixture_close(&fixture);
}

static void bzimage_initrd_stays_below_initrd_addr_max(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x22c, 4, 0x2ffffff);
	CU_ASSERT_EQUAL(initrd_place(&fixture, 5000), 0x2ffe000);
	fixture_close(&fixture);
}

static void bzimage_initrd_goes_below_a_kernel_that_is_in_the_way(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x258, 8, BOOT_RAM - 0x200000);
	field_set(fixture.image, 0x260, 4, 0x200000);
	CU_ASSERT_EQUAL(initrd_place(&fixture, 4096), BOOT_RAM - 0x201000);
	fixture_close(&fixture);
}

static void bzimage_initrd_without_room_is_refused(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x22c, 4, 0x101fff); /* two pages from 1 MiB on */
	CU_ASSERT_EQUAL(initrd_place(&fixture, 8192), 0x100000);
	close(fixture.initrd_fd);
	CU_ASSERT_EQUAL(initrd_place(&fixture, 8193), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(fixture.error, "initrd"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fixture.error, "8193 bytes find no room"));
	fixture_close(&fixture);
}

static void bzimage_command_line_may_be_as_long_as_cmdline_size(void)
{
	char line[65];
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x238, 4, 63);
	memset(line, 'x', 64);
	line[63] = '\0';
	fixture.config.command_line = line;
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_STRING_EQUAL((char *)guest_at(&fixture, 0x20000), line);
	line[63] = 'x';
	line[64] = '\0';
	CU_ASSERT(is_refused(&fixture, "command line: 64 characters"));
	fixture_close(&fixture);
}

static void bzimage_command_line_never_outgrows_its_place(void)
{
	char *line = malloc(BOOT_COMMAND_LINE_BYTES + 1);
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x238, 4, 0xffffffff);
	memset(line, 'x', BOOT_COMMAND_LINE_BYTES);
	line[BOOT_COMMAND_LINE_BYTES] = '\0';
	fixture.config.command_line = line;
	CU_ASSERT(is_refused(&fixture, "65536 characters"));
	line[BOOT_COMMAND_LINE_BYTES - 1] = '\0';
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x20000 + BOOT_COMMAND_LINE_BYTES - 1, 1), 0);
	fixture_close(&fixture);
	free(line);
}

static void bzimage_that_may_move_is_moved_into_memory(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x258, 8, 0x100000000);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(fixture.entry.rip, 0x1000200);
	field_set(fixture.image, 0x230, 4, 0x2000000); /* aligned to 32 MiB */
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(fixture.entry.rip, 0x2000200);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x7214, 4), 0x2000000);
	CU_ASSERT(has_pattern(&fixture, 0x2000000, PAYLOAD_BYTES, PAYLOAD_SEED));
	fixture_close(&fixture);
}

static void bzimage_that_may_not_move_is_refused_outside_memory(void)
{
	static const struct damage damages[] = {
		{0x258, 8, 0x100000000, "needs 0x100000 bytes at 0x100000000"},
		{0x258, 8, BOOT_RAM - INIT_SIZE + 1, "give the machine more memory"},
		{0x258, 8, 0xfffffffffffff000, "needs 0x100000 bytes at 0xfffffffffffff000"},
		{0x258, 8, 0x8000, "at 0x8000, below 1 MiB"},
	};
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
		struct boot_fixture fixture;
		bzimage_open(&fixture);
		field_set(fixture.image, 0x234, 1, 0);
		field_set(fixture.image, 0x258, 8, BOOT_RAM - INIT_SIZE);
		CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
		field_set(fixture.image, 0x258, 8, damages[i].value);
		CU_ASSERT(is_refused(&fixture, damages[i].words));
		fixture_close(&fixture);
	}
}

static void bzimage_with_damaged_fields_is_refused(void)
{
	static const struct damage damages[] = {
		{0x206, 2, 0x020b, "boot protocol 2.11 (version)"},
		{0x236, 2, 0x003e, "no 64-bit entry (xloadflags 0x3e)"},
		{0x211, 1, 0x00, "loadflags 0x0"},
		{0x230, 4, 0, "kernel_alignment 0x0"},
		{0x230, 4, 0x300000, "kernel_alignment 0x300000"},
		{0x230, 4, 0x80000000, "needs 0x100000 bytes at 0x80000000"},
		{0x1f4, 4, 0x20, "syssize 0x20"},
		{0x1f4, 4, PAYLOAD_BYTES / 16 + 1, "0x810 bytes of kernel are announced"},
		{0x1f4, 4, 0xffffffff, "0xffffffff0 bytes of kernel are announced"},
		{0x1f1, 1, 0xff, "begins at 0x20000 (setup_sects)"},
		{0x260, 4, 0xffffffff, "needs 0xffffffff bytes"},
		{0x201, 1, 0x61, "setup header ends at 0x263"},
	};
	check_damages(bzimage_open, damages, sizeof damages / sizeof *damages);
}

static void bzimage_cut_short_anywhere_is_refused(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	const size_t bytes = fixture.image_bytes;
	for (size_t i = 1; i < bytes - 15; i += 13) {
		fixture.image_bytes = i;
		CU_ASSERT(fixture_load(&fixture) < 0);
	}
	fixture.image_bytes = bytes - 15; /* syssize is in units of 16 */
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	fixture_close(&fixture);
}

static void bzimage_with_no_setup_sects_has_four(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x1f1, 1, 0);
	memmove(fixture.image + 0xa00, fixture.image + 0x400, PAYLOAD_BYTES);
	fixture.image_bytes = 0xa00 + PAYLOAD_BYTES;
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(has_pattern(&fixture, 0x1000000, PAYLOAD_BYTES, PAYLOAD_SEED));
	fixture_close(&fixture);
}

static void bzimage_signature_behind_the_kernel_is_not_loaded(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	memset(fixture.image + fixture.image_bytes, 0x77, 64);
	fixture.image_bytes += 64;
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_zero(&fixture, 0x1000000 + PAYLOAD_BYTES, 64));
	fixture_close(&fixture);
}

/* Of a longer header, only what has room before the e820 map of the zero page is taken. */
static void bzimage_header_never_outgrows_its_place(void)
{
	struct boot_fixture fixture;

	bzimage_open(&fixture);
	field_set(fixture.image, 0x201, 1, 0xff);
	memset(fixture.image + 0x26c, 0x77, 0x400 - 0x26c);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x728f, 1), 0x77);
	CU_ASSERT(is_zero(&fixture, 0x7290, 0x40));
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x72d0 + 8, 8), 0x9fc00);
	fixture_close(&fixture);
}

/* A reset: whatever the last guest wrote, what is loaded is the same. */
static void bzimage_loads_again_over_what_a_guest_left(void)
{
	struct boot_fixture fixture;
	uint8_t *before = malloc(1u << 20);

	bzimage_open(&fixture);
	initrd_add(&fixture, 5000);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	memcpy(before, guest_at(&fixture, 0), 1u << 20);
	const struct vp_entry entry = fixture.entry;
	memset(guest_at(&fixture, 0), 0xa5, BOOT_RAM);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(memcmp(before, guest_at(&fixture, 0), 1u << 20), 0);
	CU_ASSERT_EQUAL(entry.rip, fixture.entry.rip);
	CU_ASSERT(has_pattern(&fixture, 0x1000000, PAYLOAD_BYTES, PAYLOAD_SEED));
	CU_ASSERT(has_pattern(&fixture, BOOT_RAM - 0x2000, 5000, INITRD_SEED));
	fixture_close(&fixture);
	free(before);
}

static const struct test tests[] = {
	TEST(bzimage_is_entered_at_its_64_bit_entry),
	TEST(bzimage_zero_page_has_the_header_and_what_the_loader_says),
	TEST(bzimage_runs_with_4_gib_mapped_to_themselves),
	TEST(bzimage_initrd_lies_at_the_end_of_memory),
	TEST(bzimage_initrd_stays_below_initrd_addr_max),
	TEST(bzimage_initrd_goes_below_a_kernel_that_is_in_the_way),
	TEST(bzimage_initrd_without_room_is_refused),
	TEST(bzimage_command_line_may_be_as_long_as_cmdline_size),
	TEST(bzimage_command_line_never_outgrows_its_place),
	TEST(bzimage_that_may_move_is_moved_into_memory),
	TEST(bzimage_that_may_not_move_is_refused_outside_memory),
	TEST(bzimage_with_damaged_fields_is_refused),
	TEST(bzimage_cut_short_anywhere_is_refused),
	TEST(bzimage_with_no_setup_sects_has_four),
	TEST(bzimage_signature_behind_the_kernel_is_not_loaded),
	TEST(bzimage_header_never_outgrows_its_place),
	TEST(bzimage_loads_again_over_what_a_guest_left),
};

TEST_MAIN("boot_bzimage", tests)
