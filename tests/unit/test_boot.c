// SPDX-License-Identifier: Apache-2.0
/*
 * What the boot loader does for every format: configuration and files that cannot be used,
 * the first MiB of memory, memory above 4 GiB, the generation id.
 */
#include "tests/unit/boot_fixture.h"

#include <errno.h>
#include <sys/stat.h>

/* The smallest kernel: a flat multiboot file at 1 MiB. */
static void kernel_open(struct boot_fixture *fixture)
{
	static const uint32_t header[] = {0x1badb002, 0x10000, 0u - 0x1badb002u - 0x10000, 0x100000,
		0x100000, 0, 0, 0x100000};

	fixture_open(fixture);
	memcpy(fixture->image, header, sizeof header);
	fixture->image_bytes = 64;
}

static void machine_that_cannot_be_is_refused(void)
{
	static const struct {
		struct boot_config config;
		const char *words;
	} cases[] = {
		{{.vp_count = 0, .low_bytes = BOOT_RAM}, "virtual processors: 0"},
		{{.vp_count = 65, .low_bytes = BOOT_RAM}, "virtual processors: 65"},
		{{.vp_count = 1, .low_bytes = 0x1ff000}, "give at least 2 MiB"},
		{{.vp_count = 1, .low_bytes = BOOT_RAM - 1}, "in whole pages"},
		{{.vp_count = 1, .low_bytes = 0xc0001000}, "cannot be booted in"},
		{{.vp_count = 1, .low_bytes = BOOT_RAM + 4096}, "the partition has not"},
		{{.vp_count = 1, .low_bytes = BOOT_RAM, .high_bytes = 1}, "in whole pages"},
		{{.vp_count = 1, .low_bytes = BOOT_RAM, .high_bytes = 4096},
			"the partition has not"},
		{{.vp_count = 1, .low_bytes = BOOT_RAM, .high_bytes = 0xfffffffffffff000},
			"the partition has not"},
		{{.vp_count = 1, .low_bytes = BOOT_RAM, .high_mmio = 0xfffff000}, "VMBus window"},
		{{.vp_count = 1, .low_bytes = BOOT_RAM, .high_mmio = 0xffffffff00000000},
			"VMBus window"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct boot_fixture fixture;
		kernel_open(&fixture);
		fixture.config = cases[i].config;
		CU_ASSERT(is_refused(&fixture, cases[i].words));
		fixture_close(&fixture);
	}
}

static void machine_may_have_64_vps(void)
{
	struct boot_fixture fixture;

	kernel_open(&fixture);
	fixture.config.vp_count = 64;
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	fixture_close(&fixture);
}

static void files_that_cannot_be_read_are_named(void)
{
	char folder[] = "/tmp/viridian-test-XXXXXX", fifo[64];
	struct boot_fixture fixture;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(fifo, sizeof fifo, "%s/fifo", folder);
	CU_ASSERT_EQUAL_FATAL(mkfifo(fifo, 0600), 0);
	kernel_open(&fixture);
	fixture.config.kernel = "/nowhere/vmlinuz";
	CU_ASSERT(is_refused(&fixture, "kernel '/nowhere/vmlinuz': cannot open: No such file"));
	fixture.config.kernel = "/dev/null";
	CU_ASSERT(is_refused(&fixture, "kernel '/dev/null': no regular file"));
	fixture.config.kernel = folder;
	CU_ASSERT(is_refused(&fixture, "no regular file"));
	fixture.config.kernel = fifo; /* and does not wait for a writer */
	CU_ASSERT(is_refused(&fixture, "no regular file"));
	fixture.config.kernel = NULL;
	fixture.config.initrd = "/nowhere/initrd.img";
	CU_ASSERT(is_refused(&fixture, "initrd '/nowhere/initrd.img': cannot open"));
	fixture.image_bytes = 0;
	fixture.config.initrd = NULL;
	CU_ASSERT(is_refused(&fixture, "the file is empty"));
	fixture_close(&fixture);
	unlink(fifo);
	rmdir(folder);
}

static void files_of_no_known_format_are_refused(void)
{
	static const struct {
		const char *bytes, *words;
	} cases[] = {
		{"#!/bin/sh and so on", "no bzImage, no ELF file, and no multiboot header"},
		{"M", "no bzImage"},
		{"\x7f"
		 "ELF",
			"no bzImage"},
		{"\x1f\x8b\x08 is gzip", "compressed with gzip: unpack it first"},
		{"\xfd"
		 "7zXZ",
			"compressed with xz"},
		{"\x28\xb5\x2f\xfd", "compressed with zstd"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct boot_fixture fixture;
		fixture_open(&fixture);
		fixture.image_bytes = strlen(cases[i].bytes);
		memcpy(fixture.image, cases[i].bytes, fixture.image_bytes);
		CU_ASSERT(is_refused(&fixture, cases[i].words));
		fixture_close(&fixture);
	}
}

static void long_path_is_cut_in_the_message(void)
{
	char path[1000];
	char error[64];
	struct boot_fixture fixture;

	kernel_open(&fixture);
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	fixture.config.kernel = path;
	memset(error, 'e', sizeof error);
	CU_ASSERT_EQUAL(boot_load(&fixture.config, &fixture.memory, &fixture.entry, error, 60),
		-ENAMETOOLONG);
	CU_ASSERT_EQUAL(strlen(error), 59);
	CU_ASSERT_EQUAL(error[60], 'e');
	fixture_close(&fixture);
}

static void first_mib_is_as_after_power_on_but_for_the_layout(void)
{
	struct boot_fixture fixture;

	kernel_open(&fixture);
	memset(guest_at(&fixture, 0), 0xa5, 1u << 20);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT(is_zero(&fixture, 0, 0x500)); /* interrupt vectors, BIOS data area */
	CU_ASSERT(is_zero(&fixture, 0x520, 0x20000 - 0x520));
	CU_ASSERT(is_zero(&fixture, 0x31000, 0xe0000 - 0x31000));
	fixture_close(&fixture);
}

/* mov dx, 0x604; mov al, 6; out dx, al; hlt: from where a processor begins after a reset. */
static void reset_vector_writes_the_reset_register(void)
{
	static const uint8_t code[] = {0xba, 0x04, 0x06, 0xb0, 0x06, 0xee, 0xf4};
	struct boot_fixture fixture;

	kernel_open(&fixture);
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(memcmp(guest_at(&fixture, 0xffff0), code, sizeof code), 0);
	fixture_close(&fixture);
}

static void memory_above_4_gib_is_in_the_map(void)
{
	struct boot_fixture fixture;

	kernel_open(&fixture);
	guest_memory_destroy(&fixture.memory);
	CU_ASSERT_EQUAL_FATAL(guest_memory_init(&fixture.memory, 2 * BOOT_RAM, BOOT_RAM), 0);
	fixture.config.high_bytes = BOOT_RAM;
	fixture.config.high_mmio = 0xf000000000;
	CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
	CU_ASSERT_EQUAL(guest_get(&fixture, 0x30000 + 44, 4), 4 * 24);
	const uint64_t entry = guest_get(&fixture, 0x30000 + 48, 4) + 3 * 24;
	CU_ASSERT_EQUAL(guest_get(&fixture, entry + 4, 8), 0x100000000);
	CU_ASSERT_EQUAL(guest_get(&fixture, entry + 12, 8), BOOT_RAM);
	CU_ASSERT_EQUAL(guest_get(&fixture, entry + 20, 4), 1);
	CU_ASSERT(is_zero(&fixture, 0x100000000, BOOT_RAM)); /* nothing is loaded there */
	fixture_close(&fixture);
}

static void generation_id_stays_until_it_is_set(void)
{
	uint8_t other[BOOT_GENERATION_BYTES];
	struct boot_fixture fixture;

	kernel_open(&fixture);
	CU_ASSERT_EQUAL(boot_generation_create(fixture.config.generation), 0);
	CU_ASSERT_EQUAL(boot_generation_create(other), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(other, fixture.config.generation, sizeof other), 0);
	for (unsigned i = 0; i < 2; i++) { /* also after a reset */
		CU_ASSERT_EQUAL(fixture_load(&fixture), 0);
		CU_ASSERT_EQUAL(memcmp(guest_at(&fixture, 0xef000), fixture.config.generation,
					sizeof other),
			0);
		memset(guest_at(&fixture, 0xef000), 0xa5, sizeof other);
	}
	boot_generation_set(&fixture.memory, other);
	CU_ASSERT_EQUAL(memcmp(guest_at(&fixture, 0xef000), other, sizeof other), 0);
	CU_ASSERT(is_zero(&fixture, 0xef010, 0xff0)); /* a page of its own */
	fixture_close(&fixture);
}

static const struct test tests[] = {
	TEST(machine_that_cannot_be_is_refused),
	TEST(machine_may_have_64_vps),
	TEST(files_that_cannot_be_read_are_named),
	TEST(files_of_no_known_format_are_refused),
	TEST(long_path_is_cut_in_the_message),
	TEST(first_mib_is_as_after_power_on_but_for_the_layout),
	TEST(reset_vector_writes_the_reset_register),
	TEST(memory_above_4_gib_is_in_the_map),
	TEST(generation_id_stays_until_it_is_set),
};

TEST_MAIN("boot", tests)
