// SPDX-License-Identifier: Apache-2.0
/*
 * PVH: a kernel in an ELF file with a 32-bit entry point in a note, which finds an
 * hvm_start_info by EBX. An uncompressed Linux has one, and starts without unpacking.
 *
 * Source: Xen, docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h (version 1).
 */
#include "host/machine/boot_internal.h"

#include "host/machine/layout.h"

#include <errno.h>
#include <string.h>

struct pvh_start_info_wire {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memory_map;
	uint32_t memory_map_entries;
	uint32_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct pvh_start_info_wire) == 56, "start_info.h");

struct pvh_module_wire {
	uint64_t gpa, bytes;
	uint64_t command_line;
	uint64_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct pvh_module_wire) == 32, "start_info.h");

struct pvh_memory_wire {
	uint64_t gpa, bytes;
	uint32_t type;
	uint32_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct pvh_memory_wire) == 24, "start_info.h");

#define START_INFO_MAGIC   0x336ec578u
#define START_INFO_VERSION 1u

/* All of it, as it lies at LAYOUT_BOOT_INFO. */
struct pvh_info_wire {
	struct pvh_start_info_wire start;
	struct pvh_module_wire module;
	struct pvh_memory_wire map[BOOT_RANGES_MAX];
} __attribute__((packed));

static void start_info_write(const struct boot *boot)
{
	struct pvh_info_wire info = {
		.start =
			{
				.magic = START_INFO_MAGIC,
				.version = START_INFO_VERSION,
				.command_line = LAYOUT_COMMAND_LINE,
				.rsdp = LAYOUT_RSDP,
				.memory_map = LAYOUT_BOOT_INFO +
					      offsetof(struct pvh_info_wire, map),
			},
	};
	struct boot_range ranges[BOOT_RANGES_MAX];

	info.start.memory_map_entries = boot_memory_map(boot, ranges);
	for (unsigned i = 0; i < info.start.memory_map_entries; i++)
		info.map[i] = (struct pvh_memory_wire){
			.gpa = ranges[i].gpa,
			.bytes = ranges[i].bytes,
			.type = ranges[i].is_ram ? BOOT_E820_RAM : BOOT_E820_RESERVED,
		};
	if (boot->initrd.fd >= 0) {
		info.start.module_count = 1;
		info.start.modules = LAYOUT_BOOT_INFO + offsetof(struct pvh_info_wire, module);
		info.module = (struct pvh_module_wire){
			.gpa = boot->initrd_gpa, .bytes = boot->initrd.bytes};
	}
	memcpy(boot_low(boot, LAYOUT_BOOT_INFO), &info, sizeof info);
}

int boot_pvh_load(struct boot *boot, const struct boot_elf *elf, struct vp_entry *entry)
{
	if (!boot_elf_holds(elf, elf->pvh_entry))
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"the PVH entry 0x%llx (XEN_ELFNOTE_PHYS32_ENTRY) is in no segment: the "
			"file "
			"is damaged",
			(unsigned long long)elf->pvh_entry);
	int error = boot_elf_load(boot, elf);
	if (!error)
		error = boot_command_line_write(boot, NULL, UINT64_MAX);
	if (!error)
		error = boot_initrd_load(boot, boot->config->low_bytes);
	if (error)
		return error;

	start_info_write(boot);
	boot_gdt_write(boot, false);
	*entry = (struct vp_entry){
		.rip = elf->pvh_entry,
		.rsp = LAYOUT_STACK,
		.rbx = LAYOUT_BOOT_INFO,
		.gdt = LAYOUT_GDT,
	};
	return 0;
}
