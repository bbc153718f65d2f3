// SPDX-License-Identifier: Apache-2.0
/*
 * Kernels in ELF files, of 32 or 64 bits: headers, the PVH note, segments. Segments are
 * loaded at their physical addresses, and what the file has no bytes for is zeroed.
 *
 * Source: System V ABI, chapters 4 and 5; Xen, public/elfnote.h.
 */
#include "host/machine/boot_internal.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* XEN_ELFNOTE_PHYS32_ENTRY: where a PVH kernel begins, 4 or 8 bytes. */
#define NOTE_NAME	  "Xen"
#define NOTE_PHYS32_ENTRY 18u
#define NOTES_BYTES_MAX	  0x10000u

bool boot_is_elf(const struct boot *boot)
{
	return boot->head_bytes >= EI_NIDENT && memcmp(boot->head, ELFMAG, SELFMAG) == 0;
}

/* What both classes have, in the wider form. */
struct elf_header {
	uint16_t type, machine, program_bytes, program_count;
	uint64_t entry, program_offset;
};

struct program_header {
	uint32_t type;
	struct boot_segment segment;
	uint64_t align;
};

static int header_read(struct boot *boot, bool is_64, struct elf_header *out)
{
	if (is_64) {
		Elf64_Ehdr header;
		const int error = boot_file_read(
			boot, &boot->kernel, 0, &header, sizeof header, "ELF header");
		if (error)
			return error;
		*out = (struct elf_header){header.e_type, header.e_machine, header.e_phentsize,
			header.e_phnum, header.e_entry, header.e_phoff};
		return 0;
	}
	Elf32_Ehdr header;
	const int error = boot_file_read(
		boot, &boot->kernel, 0, &header, sizeof header, "ELF header");
	if (error)
		return error;
	*out = (struct elf_header){header.e_type, header.e_machine, header.e_phentsize,
		header.e_phnum, header.e_entry, header.e_phoff};
	return 0;
}

static int header_check(struct boot *boot, const struct elf_header *header, bool is_64)
{
	const struct boot_file *file = &boot->kernel;

	if (boot->head[EI_DATA] != ELFDATA2LSB ||
		(header->machine != EM_X86_64 && header->machine != EM_386))
		return boot_fail(boot, file, -ENOEXEC,
			"an ELF file for another processor (e_machine %u): give a kernel for "
			"x86-64",
			header->machine);
	if (header->type != ET_EXEC && header->type != ET_DYN)
		return boot_fail(boot, file, -ENOEXEC,
			"an ELF file that is no executable (e_type %u): give the linked kernel",
			header->type);
	if (header->program_bytes != (is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return boot_fail(boot, file, -ENOEXEC,
			"program headers of %u bytes (e_phentsize): the file is damaged",
			header->program_bytes);
	if (header->program_count == 0 || header->program_count > BOOT_SEGMENTS_MAX)
		return boot_fail(boot, file, -ENOEXEC,
			"%u program headers (e_phnum), of 1 to %u: give the linked kernel",
			header->program_count, BOOT_SEGMENTS_MAX);
	return 0;
}

static int program_header_read(struct boot *boot, const struct elf_header *header, bool is_64,
	unsigned index, struct program_header *out)
{
	const uint64_t offset = header->program_offset + (uint64_t)index * header->program_bytes;
	union {
		Elf64_Phdr wide;
		Elf32_Phdr narrow;
	} program;

	const int error = boot_file_read(
		boot, &boot->kernel, offset, &program, header->program_bytes, "program header");
	if (error)
		return error;
	if (is_64)
		*out = (struct program_header){program.wide.p_type,
			{index, program.wide.p_offset, program.wide.p_vaddr, program.wide.p_paddr,
				program.wide.p_filesz, program.wide.p_memsz},
			program.wide.p_align};
	else
		*out = (struct program_header){program.narrow.p_type,
			{index, program.narrow.p_offset, program.narrow.p_vaddr,
				program.narrow.p_paddr, program.narrow.p_filesz,
				program.narrow.p_memsz},
			program.narrow.p_align};
	return 0;
}

/* Look for the PVH entry among the notes; a note that does not fit ends the search. */
static void notes_search(const uint8_t *notes, uint64_t bytes, uint64_t align, struct boot_elf *elf)
{
	uint64_t at = 0;

	while (bytes - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note; /* the same in both classes */
		memcpy(&note, notes + at, sizeof note);
		const uint64_t name = at + sizeof note;
		const uint64_t data = (name + note.n_namesz + align - 1) & ~(align - 1);
		if (data > bytes || note.n_descsz > bytes - data)
			return;
		if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == sizeof NOTE_NAME &&
			memcmp(notes + name, NOTE_NAME, sizeof NOTE_NAME) == 0 &&
			(note.n_descsz == 4 || note.n_descsz == 8)) {
			elf->has_pvh_entry = true;
			elf->pvh_entry = 0;
			memcpy(&elf->pvh_entry, notes + data, note.n_descsz);
			return;
		}
		at = (data + note.n_descsz + align - 1) & ~(align - 1);
		if (at > bytes)
			return;
	}
}

static int notes_read(struct boot *boot, const struct program_header *program, struct boot_elf *elf)
{
	const uint64_t bytes = program->segment.file_bytes;

	if (bytes > NOTES_BYTES_MAX)
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"0x%llx bytes of notes (p_filesz), of at most 0x%x: the file is damaged",
			(unsigned long long)bytes, NOTES_BYTES_MAX);
	uint8_t *notes = malloc(bytes > 0 ? (size_t)bytes : 1);
	if (!notes)
		return boot_fail(boot, &boot->kernel, -ENOMEM, "out of memory");
	const int error = boot_file_read(
		boot, &boot->kernel, program->segment.offset, notes, (size_t)bytes, "notes");
	if (!error)
		notes_search(notes, bytes, program->align == 8 ? 8 : 4, elf);
	free(notes);
	return error;
}

static int segment_check(struct boot *boot, const struct boot_segment *segment)
{
	if (segment->file_bytes > segment->memory_bytes)
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"segment %u has 0x%llx bytes in the file (p_filesz) for 0x%llx in memory "
			"(p_memsz): the file is damaged",
			segment->index, (unsigned long long)segment->file_bytes,
			(unsigned long long)segment->memory_bytes);
	return 0;
}

int boot_elf_parse(struct boot *boot, struct boot_elf *elf)
{
	const bool is_64 = boot->head[EI_CLASS] == ELFCLASS64;
	struct elf_header header = {0};

	*elf = (struct boot_elf){0};
	if (!is_64 && boot->head[EI_CLASS] != ELFCLASS32)
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"an ELF file of class %u (EI_CLASS): the file is damaged",
			boot->head[EI_CLASS]);
	int error = header_read(boot, is_64, &header);
	if (!error)
		error = header_check(boot, &header, is_64);
	elf->entry = header.entry;
	for (unsigned i = 0; i < header.program_count && !error; i++) {
		struct program_header program = {0};
		error = program_header_read(boot, &header, is_64, i, &program);
		if (error)
			break;
		if (program.type == PT_NOTE && !elf->has_pvh_entry)
			error = notes_read(boot, &program, elf);
		if (program.type != PT_LOAD || program.segment.memory_bytes == 0)
			continue;
		error = segment_check(boot, &program.segment);
		elf->segments[elf->segment_count++] = program.segment;
	}
	if (!error && elf->segment_count == 0)
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"an ELF file with nothing to load (no PT_LOAD): give the linked kernel");
	return error;
}

int boot_elf_load(struct boot *boot, const struct boot_elf *elf)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct boot_segment *segment = &elf->segments[i];
		char what[48] = "the image (load_addr, bss_end_addr)";
		if (!elf->is_flat)
			snprintf(
				what, sizeof what, "segment %u (p_paddr, p_memsz)", segment->index);
		const int error = boot_claim(boot, segment->paddr, segment->memory_bytes, what);
		if (error)
			return error;
	}
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct boot_segment *segment = &elf->segments[i];
		char what[48];
		snprintf(what, sizeof what, "segment %u (p_offset, p_filesz)", segment->index);
		const int error = boot_file_load(boot, &boot->kernel, segment->offset,
			segment->paddr, segment->file_bytes, what);
		if (error)
			return error;
		const uint64_t rest = segment->memory_bytes - segment->file_bytes;
		void *at = guest_memory_at(
			boot->memory, segment->paddr + segment->file_bytes, rest);
		memset(at, 0, (size_t)rest);
	}
	return 0;
}

bool boot_elf_holds(const struct boot_elf *elf, uint64_t gpa)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct boot_segment *segment = &elf->segments[i];
		if (gpa >= segment->paddr && gpa - segment->paddr < segment->memory_bytes)
			return true;
	}
	return false;
}
