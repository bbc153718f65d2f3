// SPDX-License-Identifier: Apache-2.0
/*
 * Boot loader: puts a kernel, its initrd, its command line and what it asks of a firmware
 * into guest memory, and says where VP 0 begins. No firmware runs.
 *
 *	kernel file -> by content: bzImage | PVH ELF | multiboot 1 -> guest memory, vp_entry
 *	acpi.asl, layout.h -> ACPI tables                          -> guest memory
 *
 * Memory: the first MiB is written whole (zeroed, then the structures of layout.h). Of the
 * rest only what the kernel's file format asks for is written: the file's bytes, the zeroed
 * ends of its segments, the initrd. All else is left as it is: zero at first, and after a
 * reset what the last kernel left there, as in a machine that is reset. No format promises
 * a kernel more.
 *
 * The files are hostile: whatever they say is checked against the file's size, the kind of
 * memory, and what was placed before.
 *
 * Threads: any one, while no VP runs.
 *
 *	struct boot_config config = {.kernel = "vmlinuz", .initrd = "initrd.img",
 *		.command_line = "console=ttyS0", .vp_count = 2, .low_bytes = 512u << 20};
 *	boot_generation_create(config.generation);
 *	if (boot_load(&config, memory, &entry, error, sizeof error) != 0) ...
 *
 * Sources: Linux, The Linux/x86 Boot Protocol; Xen, x86/HVM direct boot ABI (PVH); Multiboot
 * Specification 0.6.96; System V ABI (ELF).
 */
#ifndef HOST_MACHINE_BOOT_H
#define HOST_MACHINE_BOOT_H

#include "host/hypervisor/backend_kvm.h"
#include "host/hypervisor/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_GENERATION_BYTES 16u
/* The longest command line that has room, with its end, for any format. */
#define BOOT_COMMAND_LINE_BYTES 0x10000u

struct boot_config {
	const char *kernel;	  /* path; borrowed, as the next two */
	const char *initrd;	  /* path, or NULL: none */
	const char *command_line; /* NULL: empty */
	uint32_t vp_count;	  /* 1..LIMIT_VPS; local APIC id = VP index */
	/*
	 * RAM that the guest is told of: low_bytes from 0, high_bytes from LAYOUT_HIGH_RAM.
	 * Page multiples that guest memory has; low_bytes 2 MiB to LAYOUT_LOW_RAM_END.
	 */
	uint64_t low_bytes;
	uint64_t high_bytes;
	/*
	 * First address of the VMBus window above RAM, LAYOUT_VMBUS_HIGH_MMIO_BYTES long;
	 * 0: none. Usually LAYOUT_VMBUS_HIGH_MMIO(address bits of the guest's CPUID).
	 */
	uint64_t high_mmio;
	bool has_pci; /* tell of a PCI root, with the ATA disk */
	/* For the generation counter device; stays the same over a reset. */
	uint8_t generation[BOOT_GENERATION_BYTES];
};

/*
 * Load everything and fill in *entry. May be called again over the same memory, for a reset;
 * it reads the files again. Returns 0, or a negative errno with one line in `error` that
 * names the file, the field and what to do; guest memory is then half written.
 */
int boot_load(const struct boot_config *config, struct guest_memory *memory, struct vp_entry *entry,
	char *error, size_t error_bytes);

/* New random bits for boot_config.generation. 0 or a negative errno. */
int boot_generation_create(uint8_t generation[BOOT_GENERATION_BYTES]);

/*
 * Give a running guest the generation `generation` (keep it in the boot_config, too). The
 * caller then raises line LAYOUT_LINE_EVENT for a moment, to tell the guest. [any thread]
 */
void boot_generation_set(
	struct guest_memory *memory, const uint8_t generation[BOOT_GENERATION_BYTES]);

#endif
