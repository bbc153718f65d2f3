// SPDX-License-Identifier: Apache-2.0
/*
 * Linux bzImage, entered at its 64-bit entry point. The file is a real-mode part, which is
 * not used but for its header, and the protected-mode part, which unpacks the kernel.
 *
 * Source: Linux, Documentation/x86/boot.rst (The Linux/x86 Boot Protocol), zero-page.rst.
 */
#include "host/machine/boot_internal.h"

#include "host/machine/layout.h"

#include <errno.h>
#include <string.h>

/* The setup header: from 0x1f1 of the file and of the zero page. */
struct bzimage_header_wire {
	uint8_t setup_sects; /* of 512 bytes, behind the first; 0 means 4 */
	uint16_t root_flags;
	uint32_t syssize; /* of the protected-mode part, in 16-byte units */
	uint8_t obsolete[6];
	uint16_t boot_flag;
	uint8_t jump;
	uint8_t header_end; /* from 0x202 */
	uint32_t magic;
	uint16_t version;
	uint8_t obsolete_2[8];
	uint8_t type_of_loader;
	uint8_t loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start;
	uint32_t ramdisk_image;
	uint32_t ramdisk_size;
	uint32_t bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver;
	uint8_t ext_loader_type;
	uint32_t cmd_line_ptr;
	uint32_t initrd_addr_max;
	uint32_t kernel_alignment;
	uint8_t relocatable_kernel;
	uint8_t min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size; /* without the end */
	uint32_t hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset;
	uint32_t payload_length;
	uint64_t setup_data;
	uint64_t pref_address;
	uint32_t init_size;
} __attribute__((packed));
#define HEADER_OFFSET	 0x1f1u
#define HEADER_AT(field) (HEADER_OFFSET + offsetof(struct bzimage_header_wire, field))
_Static_assert(HEADER_AT(boot_flag) == 0x1fe, "boot protocol");
_Static_assert(HEADER_AT(magic) == 0x202, "boot protocol");
_Static_assert(HEADER_AT(type_of_loader) == 0x210, "boot protocol");
_Static_assert(HEADER_AT(ramdisk_image) == 0x218, "boot protocol");
_Static_assert(HEADER_AT(cmd_line_ptr) == 0x228, "boot protocol");
_Static_assert(HEADER_AT(xloadflags) == 0x236, "boot protocol");
_Static_assert(HEADER_AT(pref_address) == 0x258, "boot protocol");
_Static_assert(HEADER_AT(init_size) == 0x260, "boot protocol");

#define HEADER_MAGIC	    0x53726448u /* "HdrS" */
#define BOOT_FLAG	    0xaa55u
#define VERSION_MIN	    0x20cu /* xloadflags; Linux 3.8 */
#define LOADED_HIGH	    0x01u
#define XLF_KERNEL_64	    0x0001u
#define TYPE_OF_LOADER_NONE 0xffu /* a loader without a number */
#define ENTRY_64	    0x200u
/* The header may grow up to here in the zero page. */
#define HEADER_LIMIT 0x290u

struct e820_entry_wire {
	uint64_t gpa, bytes;
	uint32_t type;
} __attribute__((packed));

struct zero_page_wire {
	uint8_t screen_info[0x70];
	uint64_t acpi_rsdp_addr;
	uint8_t other[0x170];
	uint8_t e820_entries;
	uint8_t other_2[8];
	struct bzimage_header_wire header;
	uint8_t header_rest[HEADER_LIMIT - 0x264];
	uint8_t other_3[0x40];
	struct e820_entry_wire e820[128];
	uint8_t other_4[0x330];
} __attribute__((packed));
_Static_assert(offsetof(struct zero_page_wire, acpi_rsdp_addr) == 0x70, "zero page");
_Static_assert(offsetof(struct zero_page_wire, e820_entries) == 0x1e8, "zero page");
_Static_assert(offsetof(struct zero_page_wire, header) == HEADER_OFFSET, "zero page");
_Static_assert(offsetof(struct zero_page_wire, e820) == 0x2d0, "zero page");
_Static_assert(sizeof(struct zero_page_wire) == 4096, "zero page");

#define PAGE_PRESENT_WRITE 0x03u
#define PAGE_LARGE	   0x80u
#define TABLE_ENTRIES	   512u

bool boot_is_bzimage(const struct boot *boot)
{
	struct bzimage_header_wire header;

	if (boot->head_bytes < HEADER_OFFSET + sizeof header)
		return false;
	memcpy(&header, boot->head + HEADER_OFFSET, sizeof header);
	return header.magic == HEADER_MAGIC && header.boot_flag == BOOT_FLAG;
}

/* Where the protected-mode part is in the file, and where it goes. */
struct bzimage {
	struct bzimage_header_wire header;
	uint64_t offset, bytes;
	uint64_t gpa;
};

static int header_check(struct boot *boot, const struct bzimage_header_wire *header)
{
	const struct boot_file *file = &boot->kernel;

	if (header->version < VERSION_MIN)
		return boot_fail(boot, file, -ENOEXEC,
			"boot protocol %u.%02u (version): 2.12 is needed, which Linux 3.8 and "
			"later "
			"have",
			header->version >> 8, header->version & 0xff);
	if ((header->xloadflags & XLF_KERNEL_64) == 0)
		return boot_fail(boot, file, -ENOEXEC,
			"no 64-bit entry (xloadflags 0x%x): give a kernel for x86-64",
			header->xloadflags);
	if ((header->loadflags & LOADED_HIGH) == 0)
		return boot_fail(boot, file, -ENOEXEC,
			"loads below 1 MiB (loadflags 0x%x): give a bzImage, no zImage",
			header->loadflags);
	if (header->relocatable_kernel &&
		(header->kernel_alignment == 0 ||
			(header->kernel_alignment & (header->kernel_alignment - 1)) != 0))
		return boot_fail(boot, file, -ENOEXEC,
			"kernel_alignment 0x%x is no power of two: the file is damaged",
			header->kernel_alignment);
	return 0;
}

static int payload_find(struct boot *boot, struct bzimage *image)
{
	const struct boot_file *file = &boot->kernel;
	const struct bzimage_header_wire *header = &image->header;

	image->offset = (header->setup_sects == 0 ? 4 + 1 : header->setup_sects + 1) * 512ull;
	image->bytes = (uint64_t)header->syssize * 16;
	if (image->bytes <= ENTRY_64)
		return boot_fail(boot, file, -ENOEXEC,
			"syssize 0x%x leaves no room for a kernel: the file is damaged",
			header->syssize);
	if (image->offset >= file->bytes)
		return boot_fail(boot, file, -ENOEXEC,
			"the kernel begins at 0x%llx (setup_sects), the file ends at 0x%llx: it is "
			"cut short",
			(unsigned long long)image->offset, (unsigned long long)file->bytes);
	/* syssize is rounded up; behind the kernel there may be a signature. */
	const uint64_t rest = file->bytes - image->offset;
	if (rest + 15 < image->bytes)
		return boot_fail(boot, file, -ENOEXEC,
			"0x%llx bytes of kernel are announced (syssize), 0x%llx are there: the "
			"file "
			"is cut short",
			(unsigned long long)image->bytes, (unsigned long long)rest);
	if (image->bytes > rest)
		image->bytes = rest;
	return 0;
}

/* At the address it prefers, or as low as it can be, if it may be moved. */
static int payload_place(struct boot *boot, struct bzimage *image)
{
	const struct bzimage_header_wire *header = &image->header;
	const uint64_t bytes = header->init_size > image->bytes ? header->init_size : image->bytes;
	const uint64_t end = boot->config->low_bytes;

	image->gpa = header->pref_address;
	if (header->relocatable_kernel) {
		const uint64_t mask = header->kernel_alignment - 1ull;
		const bool fits = image->gpa >= BOOT_LOAD_MIN && image->gpa <= end &&
				  bytes <= end - image->gpa && (image->gpa & mask) == 0;
		if (!fits)
			image->gpa = (LAYOUT_KERNEL + mask) & ~mask;
	}
	return boot_claim(boot, image->gpa, bytes, "kernel (pref_address, init_size)");
}

static int zero_page_write(struct boot *boot, const struct bzimage *image)
{
	struct zero_page_wire page = {.acpi_rsdp_addr = LAYOUT_RSDP};
	uint32_t end = 0x202u + image->header.header_end;

	if (end > HEADER_LIMIT)
		end = HEADER_LIMIT;
	if (end < HEADER_OFFSET + sizeof page.header)
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"the setup header ends at 0x%x, before init_size: the file is damaged",
			end);
	const int error = boot_file_read(boot, &boot->kernel, HEADER_OFFSET, &page.header,
		end - HEADER_OFFSET, "setup header");
	if (error)
		return error;

	struct boot_range ranges[BOOT_RANGES_MAX];
	const unsigned count = boot_memory_map(boot, ranges);
	for (unsigned i = 0; i < count; i++)
		page.e820[i] = (struct e820_entry_wire){ranges[i].gpa, ranges[i].bytes,
			ranges[i].is_ram ? BOOT_E820_RAM : BOOT_E820_RESERVED};
	page.e820_entries = (uint8_t)count;
	page.header.type_of_loader = TYPE_OF_LOADER_NONE;
	page.header.ext_loader_ver = 0;
	page.header.ext_loader_type = 0;
	page.header.code32_start = (uint32_t)image->gpa;
	page.header.cmd_line_ptr = (uint32_t)LAYOUT_COMMAND_LINE;
	page.header.ramdisk_image = (uint32_t)boot->initrd_gpa;
	page.header.ramdisk_size = boot->initrd.fd < 0 ? 0 : (uint32_t)boot->initrd.bytes;
	page.header.setup_data = 0;
	memcpy(boot_low(boot, LAYOUT_ZERO_PAGE), &page, sizeof page);
	return 0;
}

/* The first 4 GiB at their own addresses, in pages of 2 MiB. */
static void page_tables_write(const struct boot *boot)
{
	uint64_t *tables = boot_low(boot, LAYOUT_PAGE_TABLES);
	const uint64_t directories = LAYOUT_PAGE_TABLES + 2 * GUEST_PAGE_BYTES;

	tables[0] = (LAYOUT_PAGE_TABLES + GUEST_PAGE_BYTES) | PAGE_PRESENT_WRITE;
	for (uint64_t i = 0; i < 4; i++)
		tables[TABLE_ENTRIES + i] = (directories + i * GUEST_PAGE_BYTES) |
					    PAGE_PRESENT_WRITE;
	for (uint64_t i = 0; i < 4 * TABLE_ENTRIES; i++)
		tables[2 * TABLE_ENTRIES + i] = i << 21 | PAGE_LARGE | PAGE_PRESENT_WRITE;
}

int boot_bzimage_load(struct boot *boot, struct vp_entry *entry)
{
	struct bzimage image;

	memcpy(&image.header, boot->head + HEADER_OFFSET, sizeof image.header);
	int error = header_check(boot, &image.header);
	if (!error)
		error = payload_find(boot, &image);
	if (!error)
		error = payload_place(boot, &image);
	if (!error)
		error = boot_command_line_write(boot, NULL, image.header.cmdline_size);
	if (!error)
		error = boot_file_load(
			boot, &boot->kernel, image.offset, image.gpa, image.bytes, "kernel");
	if (!error)
		error = boot_initrd_load(boot, image.header.initrd_addr_max + 1ull);
	if (!error)
		error = zero_page_write(boot, &image);
	if (error)
		return error;

	page_tables_write(boot);
	boot_gdt_write(boot, true);
	*entry = (struct vp_entry){
		.is_long_mode = true,
		.rip = image.gpa + ENTRY_64,
		.rsp = LAYOUT_STACK,
		.rsi = LAYOUT_ZERO_PAGE,
		.cr3 = LAYOUT_PAGE_TABLES,
		.gdt = LAYOUT_GDT,
	};
	return 0;
}
