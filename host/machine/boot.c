// SPDX-License-Identifier: Apache-2.0
/*
 * Boot loader. See boot.h. Here: which format a kernel has, and what all formats share: the
 * first MiB, the memory map, the command line, the segments of VP 0.
 */
#include "host/machine/boot_internal.h"

#include "host/limits.h"
#include "host/machine/acpi.h"
#include "host/machine/layout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LOW_BYTES_MIN (2ull << 20)

/*
 * For kernels that restart by jumping to the reset vector, as Linux does on hardware-reduced
 * ACPI without EFI: mov dx, port; mov al, value; out dx, al; hlt.
 */
static const uint8_t reset_code[] = {
	0xba,
	LAYOUT_PORT_RESET & 0xff,
	LAYOUT_PORT_RESET >> 8,
	0xb0,
	LAYOUT_RESET_VALUE,
	0xee,
	0xf4,
};

int boot_fail(struct boot *boot, const struct boot_file *file, int code, const char *format, ...)
{
	va_list arguments;
	size_t used = 0;

	if (file) {
		const int len = snprintf(
			boot->error, boot->error_bytes, "%s '%s': ", file->role, file->path);
		used = len < 0 ? 0 : (size_t)len;
	}
	if (used < boot->error_bytes) {
		va_start(arguments, format);
		vsnprintf(boot->error + used, boot->error_bytes - used, format, arguments);
		va_end(arguments);
	}
	return code;
}

unsigned boot_memory_map(const struct boot *boot, struct boot_range ranges[BOOT_RANGES_MAX])
{
	const struct boot_config *config = boot->config;
	unsigned count = 0;

	ranges[count++] = (struct boot_range){0, LAYOUT_LOW_END, true};
	ranges[count++] = (struct boot_range){
		LAYOUT_LOW_END, BOOT_LOAD_MIN - LAYOUT_LOW_END, false};
	ranges[count++] = (struct boot_range){
		BOOT_LOAD_MIN, config->low_bytes - BOOT_LOAD_MIN, true};
	if (config->high_bytes > 0)
		ranges[count++] = (struct boot_range){LAYOUT_HIGH_RAM, config->high_bytes, true};
	return count;
}

void *boot_low(const struct boot *boot, uint64_t gpa)
{
	return guest_memory_at(boot->memory, gpa, BOOT_LOAD_MIN - gpa);
}

int boot_command_line_write(struct boot *boot, const char *prefix, uint64_t max)
{
	const char *line = boot->config->command_line ? boot->config->command_line : "";
	const size_t prefix_len = prefix ? strlen(prefix) + 1 : 0;
	const size_t len = prefix_len + strlen(line);
	char *at = boot_low(boot, LAYOUT_COMMAND_LINE);

	if (max > BOOT_COMMAND_LINE_BYTES - 1)
		max = BOOT_COMMAND_LINE_BYTES - 1;
	if (len > max)
		return boot_fail(boot, NULL, -E2BIG,
			"command line: %zu characters, but kernel '%s' takes %llu: shorten it", len,
			boot->kernel.path, (unsigned long long)max);
	if (prefix) {
		memcpy(at, prefix, prefix_len - 1);
		at[prefix_len - 1] = ' ';
	}
	memcpy(at + prefix_len, line, strlen(line) + 1);
	return 0;
}

void boot_gdt_write(const struct boot *boot, bool is_long_mode)
{
	const uint64_t code = is_long_mode ? 0x00af9b000000ffff : 0x00cf9b000000ffff;
	const uint64_t gdt[] = {0, 0, code, 0x00cf93000000ffff};

	memcpy(boot_low(boot, LAYOUT_GDT), gdt, sizeof gdt);
}

static int config_check(struct boot *boot)
{
	const struct boot_config *config = boot->config;
	const uint64_t low = config->low_bytes, high = config->high_bytes;

	if (config->vp_count == 0 || config->vp_count > LIMIT_VPS)
		return boot_fail(boot, NULL, -EINVAL, "virtual processors: %u is not 1 to %u",
			config->vp_count, LIMIT_VPS);
	if (low < LOW_BYTES_MIN || low > LAYOUT_LOW_RAM_END || low % GUEST_PAGE_BYTES != 0 ||
		high % GUEST_PAGE_BYTES != 0)
		return boot_fail(boot, NULL, -EINVAL,
			"memory: %llu bytes below 4 GiB and %llu above cannot be booted in: "
			"give at least 2 MiB, in whole pages",
			(unsigned long long)low, (unsigned long long)high);
	if (!guest_memory_at(boot->memory, 0, low) ||
		(high > 0 && !guest_memory_at(boot->memory, LAYOUT_HIGH_RAM, high)))
		return boot_fail(boot, NULL, -EINVAL,
			"memory: the partition has not the %llu bytes below 4 GiB and %llu above "
			"that the guest is to be told of",
			(unsigned long long)low, (unsigned long long)high);
	if (config->high_mmio != 0 &&
		(config->high_mmio < LAYOUT_HIGH_RAM + high ||
			config->high_mmio > UINT64_MAX - LAYOUT_VMBUS_HIGH_MMIO_BYTES))
		return boot_fail(boot, NULL, -EINVAL,
			"memory: %llu bytes above 4 GiB reach into the VMBus window at 0x%llx: "
			"give less",
			(unsigned long long)high, (unsigned long long)config->high_mmio);
	return 0;
}

/* What a firmware leaves below 1 MiB. */
static void low_memory_write(struct boot *boot)
{
	const struct boot_config *config = boot->config;

	memset(boot_low(boot, 0), 0, BOOT_LOAD_MIN);
	const struct acpi_config acpi = {
		.vp_count = config->vp_count,
		.high_mmio = config->high_mmio,
		.high_mmio_bytes = config->high_mmio ? LAYOUT_VMBUS_HIGH_MMIO_BYTES : 0,
		.has_pci = config->has_pci,
	};
	acpi_build(&acpi, boot_low(boot, LAYOUT_BIOS));
	boot_generation_set(boot->memory, config->generation);
	memcpy(boot_low(boot, LAYOUT_RESET_VECTOR), reset_code, sizeof reset_code);
}

/* Compressions that kernels come in, for the message only. X(text, bytes) */
#define COMPRESSIONS(X)                                                                            \
	X("gzip", "\x1f\x8b")                                                                      \
	X("xz", "\xfd"                                                                             \
		"7zXZ")                                                                            \
	X("zstd", "\x28\xb5\x2f\xfd")                                                              \
	X("lz4", "\x02\x21\x4c\x18")                                                               \
	X("bzip2", "BZh")

static int unknown_report(struct boot *boot)
{
#define COMPRESSION_CHECK(text, magic)                                                             \
	if (boot->head_bytes >= sizeof magic - 1 &&                                                \
		memcmp(boot->head, magic, sizeof magic - 1) == 0)                                  \
		return boot_fail(boot, &boot->kernel, -ENOEXEC,                                    \
			"compressed with " text ": unpack it first");
	COMPRESSIONS(COMPRESSION_CHECK)
#undef COMPRESSION_CHECK
	return boot_fail(boot, &boot->kernel, -ENOEXEC,
		"no bzImage, no ELF file, and no multiboot header in the first 8 KiB: give a "
		"vmlinuz or vmlinux for x86-64, or a multiboot 1 kernel");
}

/* Find out what the kernel is, and load it and the initrd. */
static int formats_load(struct boot *boot, struct vp_entry *entry)
{
	boot->head_bytes = boot->kernel.bytes < BOOT_HEAD_BYTES ? boot->kernel.bytes
								: BOOT_HEAD_BYTES;
	int error = boot_file_read(boot, &boot->kernel, 0, boot->head, boot->head_bytes, "start");
	if (error)
		return error;
	if (boot_is_bzimage(boot))
		return boot_bzimage_load(boot, entry);
	if (!boot_is_elf(boot)) {
		if (boot_multiboot_find(boot) < 0)
			return unknown_report(boot);
		return boot_multiboot_load(boot, NULL, entry);
	}

	struct boot_elf elf;
	error = boot_elf_parse(boot, &elf);
	if (error)
		return error;
	if (elf.has_pvh_entry)
		return boot_pvh_load(boot, &elf, entry);
	if (boot_multiboot_find(boot) >= 0)
		return boot_multiboot_load(boot, &elf, entry);
	return boot_fail(boot, &boot->kernel, -ENOEXEC,
		"an ELF file with neither a PVH note (XEN_ELFNOTE_PHYS32_ENTRY) nor a multiboot "
		"header: build Linux with CONFIG_PVH, or give its bzImage");
}

int boot_load(const struct boot_config *config, struct guest_memory *memory, struct vp_entry *entry,
	char *error, size_t error_bytes)
{
	struct boot *boot = calloc(1, sizeof *boot);

	if (!boot) {
		snprintf(error, error_bytes, "out of memory");
		return -ENOMEM;
	}
	*boot = (struct boot){
		.config = config,
		.memory = memory,
		.kernel = {.role = "kernel", .path = config->kernel, .fd = -1},
		.initrd = {.role = "initrd", .path = config->initrd, .fd = -1},
		.error = error,
		.error_bytes = error_bytes,
	};
	*entry = (struct vp_entry){0};
	int result = config_check(boot);
	if (!result)
		result = boot_file_open(boot, &boot->kernel);
	if (!result && config->initrd)
		result = boot_file_open(boot, &boot->initrd);
	if (!result) {
		low_memory_write(boot);
		result = formats_load(boot, entry);
	}
	boot_file_close(&boot->initrd);
	boot_file_close(&boot->kernel);
	free(boot);
	return result;
}

int boot_generation_create(uint8_t generation[BOOT_GENERATION_BYTES])
{
	const ssize_t got = getrandom(generation, BOOT_GENERATION_BYTES, 0);

	if (got < 0)
		return -errno;
	return got == (ssize_t)BOOT_GENERATION_BYTES ? 0 : -EIO;
}

void boot_generation_set(
	struct guest_memory *memory, const uint8_t generation[BOOT_GENERATION_BYTES])
{
	guest_memory_write(memory, LAYOUT_GENERATION, generation, BOOT_GENERATION_BYTES);
}
