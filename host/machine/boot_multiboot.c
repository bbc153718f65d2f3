// SPDX-License-Identifier: Apache-2.0
/*
 * Multiboot 1: a kernel with a header in its first 8 KiB, in an ELF file or in a flat one
 * whose header says where it goes; entered in 32-bit mode, with an information structure by
 * EBX. The initrd is its one module. The command line begins with the kernel's path, as
 * loaders of this kind have it.
 *
 * Source: Multiboot Specification 0.6.96.
 */
#include "host/machine/boot_internal.h"

#include "host/machine/layout.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct multiboot_header_wire {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum; /* the three make 0 */
} __attribute__((packed));

/* Behind the header, with HEADER_HAS_ADDRESSES. */
struct multiboot_addresses_wire {
	uint32_t header;   /* where the header itself is loaded */
	uint32_t load;	   /* first byte that is loaded */
	uint32_t load_end; /* 0: to the end of the file */
	uint32_t bss_end;  /* zeroed up to here; 0: nothing */
	uint32_t entry;
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_addresses_wire) == 20, "multiboot 3.1.1");

#define HEADER_MAGIC	     0x1badb002u
#define HEADER_PAGE_ALIGN    (1u << 0) /* modules on pages; always done */
#define HEADER_MEMORY_INFO   (1u << 1)
#define HEADER_MUST_KNOW     0xffffu
#define HEADER_HAS_ADDRESSES (1u << 16)
#define LOADER_MAGIC	     0x2badb002u

struct multiboot_info_wire {
	uint32_t flags;
	uint32_t memory_lower, memory_upper; /* KiB from 0 and from 1 MiB */
	uint32_t boot_device;
	uint32_t command_line;
	uint32_t module_count;
	uint32_t modules;
	uint32_t symbols[4];
	uint32_t map_bytes;
	uint32_t map;
	uint32_t drives_bytes, drives;
	uint32_t configuration;
	uint32_t loader_name;
	uint32_t apm;
	uint8_t video[44];
} __attribute__((packed));
_Static_assert(offsetof(struct multiboot_info_wire, map_bytes) == 44, "multiboot 3.3");
_Static_assert(offsetof(struct multiboot_info_wire, loader_name) == 64, "multiboot 3.3");
_Static_assert(sizeof(struct multiboot_info_wire) == 116, "multiboot 3.3");

#define INFO_MEMORY	  (1u << 0)
#define INFO_COMMAND_LINE (1u << 2)
#define INFO_MODULES	  (1u << 3)
#define INFO_MEMORY_MAP	  (1u << 6)
#define INFO_LOADER_NAME  (1u << 9)

struct multiboot_module_wire {
	uint32_t start, end;
	uint32_t text;
	uint32_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_module_wire) == 16, "multiboot 3.3");

struct multiboot_memory_wire {
	uint32_t bytes_behind; /* of the entry, without this field */
	uint64_t gpa, bytes;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_memory_wire) == 24, "multiboot 3.3");

/* All of it, as it lies at LAYOUT_BOOT_INFO. */
struct multiboot_all_wire {
	struct multiboot_info_wire info;
	struct multiboot_module_wire module;
	struct multiboot_memory_wire map[BOOT_RANGES_MAX];
	char loader_name[12];
	char module_text[8];
} __attribute__((packed));
#define ALL_AT(field) ((uint32_t)(LAYOUT_BOOT_INFO + offsetof(struct multiboot_all_wire, field)))

int boot_multiboot_find(const struct boot *boot)
{
	struct multiboot_header_wire header;

	for (size_t at = 0; at + sizeof header <= boot->head_bytes; at += 4) {
		memcpy(&header, boot->head + at, sizeof header);
		if (header.magic == HEADER_MAGIC &&
			header.magic + header.flags + header.checksum == 0)
			return (int)at;
	}
	return -1;
}

/* A segment and an entry from the address fields of a header at `at`. */
static int addresses_read(struct boot *boot, uint32_t at, struct boot_elf *out)
{
	const struct boot_file *file = &boot->kernel;
	struct multiboot_addresses_wire address;
	int error = boot_file_read(boot, file, at + sizeof(struct multiboot_header_wire), &address,
		sizeof address, "address fields of the multiboot header");
	if (error)
		return error;

	if (address.load > address.header || address.header - address.load > at)
		return boot_fail(boot, file, -ENOEXEC,
			"multiboot load_addr 0x%x with header_addr 0x%x begins before the file: "
			"the "
			"header is wrong",
			address.load, address.header);
	const uint64_t offset = at - (address.header - address.load);
	const uint64_t rest = file->bytes - offset;
	if (address.load_end != 0 &&
		(address.load_end <= address.load || address.load_end - address.load > rest))
		return boot_fail(boot, file, -ENOEXEC,
			"multiboot load_end_addr 0x%x with load_addr 0x%x ends past the file "
			"(0x%llx "
			"bytes): it is cut short or the header is wrong",
			address.load_end, address.load, (unsigned long long)file->bytes);
	const uint64_t bytes = address.load_end ? address.load_end - address.load : rest;
	const uint64_t end = address.load + bytes;
	if (address.bss_end != 0 && address.bss_end < end)
		return boot_fail(boot, file, -ENOEXEC,
			"multiboot bss_end_addr 0x%x is below load_end_addr 0x%llx: the header is "
			"wrong",
			address.bss_end, (unsigned long long)end);
	*out = (struct boot_elf){
		.is_flat = true,
		.segment_count = 1,
		.segments[0] =
			{
				.offset = offset,
				.vaddr = address.load,
				.paddr = address.load,
				.file_bytes = bytes,
				.memory_bytes = address.bss_end ? address.bss_end - address.load
								: bytes,
			},
		.entry = address.entry,
	};
	return 0;
}

/* The entry of an ELF file may be meant in virtual addresses. */
static uint64_t entry_physical(const struct boot_elf *elf)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct boot_segment *segment = &elf->segments[i];
		if (elf->entry >= segment->vaddr &&
			elf->entry - segment->vaddr < segment->memory_bytes)
			return segment->paddr + (elf->entry - segment->vaddr);
	}
	return elf->entry;
}

static void info_write(const struct boot *boot)
{
	struct multiboot_all_wire all = {
		.info =
			{
				.flags = INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES |
					 INFO_MEMORY_MAP | INFO_LOADER_NAME,
				.memory_lower = (uint32_t)(LAYOUT_LOW_END >> 10),
				.memory_upper =
					(uint32_t)((boot->config->low_bytes - BOOT_LOAD_MIN) >> 10),
				.command_line = (uint32_t)LAYOUT_COMMAND_LINE,
				.modules = ALL_AT(module),
				.map = ALL_AT(map),
				.loader_name = ALL_AT(loader_name),
			},
		.loader_name = "viridian",
		.module_text = "initrd",
	};
	struct boot_range ranges[BOOT_RANGES_MAX];
	const unsigned count = boot_memory_map(boot, ranges);

	for (unsigned i = 0; i < count; i++)
		all.map[i] = (struct multiboot_memory_wire){
			.bytes_behind = sizeof *all.map - sizeof all.map->bytes_behind,
			.gpa = ranges[i].gpa,
			.bytes = ranges[i].bytes,
			.type = ranges[i].is_ram ? BOOT_E820_RAM : BOOT_E820_RESERVED,
		};
	all.info.map_bytes = (uint32_t)(count * sizeof *all.map);
	if (boot->initrd.fd >= 0) {
		all.info.module_count = 1;
		all.module = (struct multiboot_module_wire){
			.start = (uint32_t)boot->initrd_gpa,
			.end = (uint32_t)(boot->initrd_gpa + boot->initrd.bytes),
			.text = ALL_AT(module_text),
		};
	}
	memcpy(boot_low(boot, LAYOUT_BOOT_INFO), &all, sizeof all);
}

/*
 * The first word is the kernel's name, as programs know it of argv[0]: the words of --append are to
 * be argv[1] and so on, whatever the file's folder is called.
 */
static int command_line_write(struct boot *boot)
{
	const char *path = boot->kernel.path;
	const char *last = strrchr(path, '/');
	char name[NAME_MAX + 1];

	snprintf(name, sizeof name, "%s", last ? last + 1 : path);
	for (char *c = name; *c != '\0'; c++)
		if (*c == ' ' || *c == '\t')
			*c = '_';
	return boot_command_line_write(boot, name, UINT64_MAX);
}

int boot_multiboot_load(struct boot *boot, const struct boot_elf *elf, struct vp_entry *entry)
{
	const struct boot_file *file = &boot->kernel;
	const int at = boot_multiboot_find(boot);
	struct multiboot_header_wire header;

	memcpy(&header, boot->head + at, sizeof header);
	if ((header.flags & HEADER_MUST_KNOW & ~(HEADER_PAGE_ALIGN | HEADER_MEMORY_INFO)) != 0)
		return boot_fail(boot, file, -ENOEXEC,
			"the multiboot header asks for what is not here (flags 0x%x; bit 2 is a "
			"video "
			"mode): build it without",
			header.flags);
	struct boot_elf flat = {0};
	if (header.flags & HEADER_HAS_ADDRESSES) {
		const int error = addresses_read(boot, (uint32_t)at, &flat);
		if (error)
			return error;
		elf = &flat;
	} else if (!elf) {
		return boot_fail(boot, file, -ENOEXEC,
			"a multiboot header without address fields (flags 0x%x) in a file that is "
			"no ELF: give the ELF file",
			header.flags);
	}
	const uint64_t rip = entry_physical(elf);
	if (!boot_elf_holds(elf, rip))
		return boot_fail(boot, file, -ENOEXEC,
			"the multiboot entry 0x%llx is not in what is loaded: the file is damaged",
			(unsigned long long)rip);
	int error = boot_elf_load(boot, elf);
	if (!error)
		error = command_line_write(boot);
	if (!error)
		error = boot_initrd_load(boot, boot->config->low_bytes);
	if (error)
		return error;

	info_write(boot);
	boot_gdt_write(boot, false);
	*entry = (struct vp_entry){
		.rip = rip,
		.rsp = LAYOUT_STACK,
		.rax = LOADER_MAGIC,
		.rbx = LAYOUT_BOOT_INFO,
		.gdt = LAYOUT_GDT,
	};
	return 0;
}
