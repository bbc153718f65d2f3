// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the boot loader share: files that are read with checks, ranges of guest
 * memory that are claimed before they are written, and one loader for each kernel format.
 */
#ifndef HOST_MACHINE_BOOT_INTERNAL_H
#define HOST_MACHINE_BOOT_INTERNAL_H

#include "host/machine/boot.h"

/* Kernels and initrds are loaded from here up; what lies below is the loader's. */
#define BOOT_LOAD_MIN 0x100000ull
/* Program headers of an ELF file: Linux has five. */
#define BOOT_SEGMENTS_MAX 64u
/* Claims: the segments, the initrd. */
#define BOOT_CLAIMS_MAX (BOOT_SEGMENTS_MAX + 1u)
/* What is read of a kernel to recognise it: multiboot headers are in the first 8 KiB. */
#define BOOT_HEAD_BYTES 8192u

struct boot_file {
	const char *role; /* "kernel": how messages call it */
	const char *path; /* borrowed */
	int fd;
	uint64_t bytes;
};

struct boot_claim {
	uint64_t gpa, bytes;
};

struct boot {
	const struct boot_config *config;
	struct guest_memory *memory;
	struct boot_file kernel;
	struct boot_file initrd; /* fd -1: none */
	uint8_t head[BOOT_HEAD_BYTES];
	size_t head_bytes;
	struct boot_claim claims[BOOT_CLAIMS_MAX];
	unsigned claim_count;
	uint64_t initrd_gpa; /* after boot_initrd_load() */
	char *error;
	size_t error_bytes;
};

/* ---- boot.c -------------------------------------------------------------------------------- */

/* Say what is wrong with `file` (NULL: with the configuration); returns `code`. */
int boot_fail(struct boot *boot, const struct boot_file *file, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* What the guest is told of its memory. */
struct boot_range {
	uint64_t gpa, bytes;
	bool is_ram; /* else reserved */
};
#define BOOT_RANGES_MAX 4u
unsigned boot_memory_map(const struct boot *boot, struct boot_range ranges[BOOT_RANGES_MAX]);

/* Types of memory in an e820 map, in PVH's and in multiboot's. */
enum { BOOT_E820_RAM = 1, BOOT_E820_RESERVED = 2 };

/* Host pointer to a structure of layout.h below 1 MiB; these are there and zero. */
void *boot_low(const struct boot *boot, uint64_t gpa);

/*
 * Write the command line, after `prefix` and a space unless that is NULL. `max` is what the
 * kernel takes, without the end.
 */
int boot_command_line_write(struct boot *boot, const char *prefix, uint64_t max);

/* Write the GDT that vp_entry asks for. */
void boot_gdt_write(const struct boot *boot, bool is_long_mode);

/* ---- boot_file.c --------------------------------------------------------------------------- */

/* Open a regular file. 0 or a negative errno, reported. */
int boot_file_open(struct boot *boot, struct boot_file *file);
void boot_file_close(struct boot_file *file);

/* Read exactly `bytes` at `offset`; `what` names them when the file is too short. */
int boot_file_read(struct boot *boot, const struct boot_file *file, uint64_t offset, void *dst,
	size_t bytes, const char *what);

/* The same, straight into guest memory at `gpa`, which must be claimed. */
int boot_file_load(struct boot *boot, const struct boot_file *file, uint64_t offset, uint64_t gpa,
	uint64_t bytes, const char *what);

/*
 * Keep [gpa, gpa + bytes) for `what` of the kernel: it must be RAM between BOOT_LOAD_MIN and
 * the end of low RAM, and overlap no earlier claim. bytes > 0.
 */
int boot_claim(struct boot *boot, uint64_t gpa, uint64_t bytes, const char *what);

/*
 * Load the initrd, if there is one, on the highest page below `end` that is free; all claims
 * of the kernel come first.
 */
int boot_initrd_load(struct boot *boot, uint64_t end);

/* ---- formats: each loads the kernel it knows, and the initrd -------------------------------- */

bool boot_is_bzimage(const struct boot *boot);
int boot_bzimage_load(struct boot *boot, struct vp_entry *entry);

struct boot_segment {
	unsigned index; /* of its program header */
	uint64_t offset, vaddr, paddr, file_bytes, memory_bytes;
};

struct boot_elf {
	bool is_flat;		/* no ELF file: the one segment is from a multiboot header */
	unsigned segment_count; /* loadable ones that are not empty */
	struct boot_segment segments[BOOT_SEGMENTS_MAX];
	uint64_t entry;
	bool has_pvh_entry;
	uint64_t pvh_entry;
};

bool boot_is_elf(const struct boot *boot);
/* Read and check the headers and notes. */
int boot_elf_parse(struct boot *boot, struct boot_elf *elf);
/* Claim and load all segments. */
int boot_elf_load(struct boot *boot, const struct boot_elf *elf);
/* Does `gpa` lie in a segment as loaded? */
bool boot_elf_holds(const struct boot_elf *elf, uint64_t gpa);

int boot_pvh_load(struct boot *boot, const struct boot_elf *elf, struct vp_entry *entry);

/* Offset of the multiboot header in the head, or -1. */
int boot_multiboot_find(const struct boot *boot);
/* `elf` is NULL for a file of no ELF format. */
int boot_multiboot_load(struct boot *boot, const struct boot_elf *elf, struct vp_entry *entry);

#endif
