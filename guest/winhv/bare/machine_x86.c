// SPDX-License-Identifier: Apache-2.0
/*
 * What the machine is: the loader's memory map and command line, and what ACPI says of
 * processors, power-off and reset. The tables are the firmware's or the host's: lengths
 * are bounded before they are used.
 */
#include "guest/winhv/bare/bare_internal.h"

#define MULTIBOOT_HAS_MEMORY  0x01u
#define MULTIBOOT_HAS_COMMAND 0x04u
#define MULTIBOOT_HAS_MAP     0x40u
#define PVH_MAGIC	      0x336ec578u
#define TAG_END		      0u
#define TAG_COMMAND	      1u
#define TAG_MAP		      6u
#define TAG_RSDP_1	      14u
#define TAG_RSDP_2	      15u
#define TAGS_BYTES_MAX	      0x100000u
#define RSDP_BYTES	      36u
#define LOW_LIMIT	      0xa0000u
#define RAM_USABLE	      1u
#define ACPI_TABLE_MAX	      0x100000u
#define APICS_LISTED_MAX      4096u

struct multiboot_information {
	uint32_t flags, mem_lower, mem_upper, boot_device, command_line, mods_count, mods_addr;
	uint32_t syms[4], map_bytes, map;
} __attribute__((packed));

struct multiboot_range {
	uint32_t size; /* of the rest */
	uint64_t base, bytes;
	uint32_t type;
} __attribute__((packed));

struct pvh_start_information {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, map;
	uint32_t map_count, reserved;
} __attribute__((packed));

struct pvh_range {
	uint64_t base, bytes;
	uint32_t type, reserved;
} __attribute__((packed));

/* Multiboot 2: all tags begin so, 8-byte aligned. */
struct multiboot2_tag {
	uint32_t type, size;
} __attribute__((packed));

struct multiboot2_range {
	uint64_t base, bytes;
	uint32_t type, reserved;
} __attribute__((packed));

static const void *at(uint64_t gpa)
{
	return (const void *)(uintptr_t)gpa;
}

/* ---- the loader ---------------------------------------------------------------------------- */

/*
 * The bump allocator gets the largest range that is left below 4 GiB, without the image and
 * what is below it; the trampoline a page below 640 KiB.
 */
static void range_add(uint64_t base, uint64_t bytes, uint32_t type)
{
	const uint64_t page = BARE_PAGE_BYTES, image = (uint64_t)(uintptr_t)bare_image_end;
	uint64_t end = base + bytes;

	if (type != RAM_USABLE || end < base)
		return;
	bare.ram_bytes += bytes;
	if (end > 1ull << 32)
		end = 1ull << 32;
	const uint64_t low = (end < LOW_LIMIT ? end : LOW_LIMIT) & ~(page - 1);
	if (base <= BARE_TRAMPOLINE && low >= BARE_TRAMPOLINE + page)
		bare.trampoline = BARE_TRAMPOLINE;
	else if (!bare.trampoline && low >= 2 * page && base <= low - page)
		bare.trampoline = low - page;

	const uint64_t first = ((base > image ? base : image) + page - 1) & ~(page - 1);
	const uint64_t limit = end & ~(page - 1);
	if (limit > first && limit - first > bare.limit - bare.free) {
		bare.free = first;
		bare.limit = limit;
	}
}

static void command_line_set(uint64_t gpa)
{
	const char *text = at(gpa);
	size_t i = 0;

	while (gpa && text[i] && i < sizeof bare.command_line - 1) {
		bare.command_line[i] = text[i];
		i++;
	}
	bare.command_line[i] = 0;
}

static void multiboot_read(uint32_t gpa)
{
	const struct multiboot_information *information = at(gpa);

	if (information->flags & MULTIBOOT_HAS_COMMAND)
		command_line_set(information->command_line);
	if (information->flags & MULTIBOOT_HAS_MAP) {
		uint64_t offset = 0;
		while (offset + sizeof(struct multiboot_range) <= information->map_bytes) {
			struct multiboot_range range;
			__builtin_memcpy(&range, at(information->map + offset), sizeof range);
			range_add(range.base, range.bytes, range.type);
			offset += (uint64_t)range.size + sizeof range.size;
		}
	} else if (information->flags & MULTIBOOT_HAS_MEMORY) {
		range_add(0x100000, (uint64_t)information->mem_upper * 1024, RAM_USABLE);
	}
}

/* What is kept is copied: the allocator may give this memory out. */
static void tag_read(const struct multiboot2_tag *tag, uint64_t gpa)
{
	static uint8_t rsdp[RSDP_BYTES];
	const uint32_t bytes = tag->size - (uint32_t)sizeof *tag;
	uint32_t step;

	if (tag->type == TAG_COMMAND) {
		command_line_set(gpa);
	} else if (tag->type == TAG_RSDP_2 || (tag->type == TAG_RSDP_1 && !bare.rsdp)) {
		__builtin_memcpy(rsdp, at(gpa), bytes < sizeof rsdp ? bytes : sizeof rsdp);
		bare.rsdp = (uintptr_t)rsdp;
	} else if (tag->type == TAG_MAP && bytes >= 2 * sizeof step) {
		__builtin_memcpy(&step, at(gpa), sizeof step);
		struct multiboot2_range range;
		uint64_t offset = 2 * sizeof step;
		for (; step >= sizeof range && offset + step <= bytes; offset += step) {
			__builtin_memcpy(&range, at(gpa + offset), sizeof range);
			range_add(range.base, range.bytes, range.type);
		}
	}
}

static void multiboot2_read(uint32_t gpa)
{
	struct multiboot2_tag tag;
	uint32_t total, offset = 8;

	bare.is_multiboot2 = true;
	__builtin_memcpy(&total, at(gpa), sizeof total);
	if (total > TAGS_BYTES_MAX)
		total = TAGS_BYTES_MAX;
	while (offset + sizeof tag <= total) {
		__builtin_memcpy(&tag, at((uint64_t)gpa + offset), sizeof tag);
		if (tag.type == TAG_END || tag.size < sizeof tag || tag.size > total - offset)
			break;
		tag_read(&tag, (uint64_t)gpa + offset + sizeof tag);
		offset += (tag.size + 7) & ~7u;
	}
}

static void pvh_read(uint32_t gpa)
{
	const struct pvh_start_information *information = at(gpa);

	bare.is_pvh = true;
	if (information->magic != PVH_MAGIC)
		return;
	command_line_set(information->command_line);
	bare.rsdp = information->rsdp;
	for (uint32_t i = 0; information->version >= 1 && i < information->map_count; i++) {
		struct pvh_range range;
		__builtin_memcpy(&range, at(information->map + i * sizeof range), sizeof range);
		range_add(range.base, range.bytes, range.type);
	}
}

void bare_machine_read(uint32_t boot, uint32_t information)
{
	if (boot == BARE_BOOT_PVH)
		pvh_read(information);
	else if (boot == BARE_BOOT_MULTIBOOT2)
		multiboot2_read(information);
	else
		multiboot_read(information);
	if (bare.free == bare.limit) /* no map: what every machine has */
		range_add(0x100000, 15u << 20, RAM_USABLE);
	if (!bare.trampoline)
		bare.trampoline = BARE_TRAMPOLINE;
}

bool bare_option(const char *word, const char **value)
{
	const char *text = bare.command_line;

	while (*text) {
		size_t i = 0;
		while (word[i] && text[i] == word[i])
			i++;
		const bool is_pair = i > 0 && word[i - 1] == '=';
		if (!word[i] && (is_pair || text[i] == 0 || text[i] == ' ')) {
			if (value)
				*value = text + i;
			return true;
		}
		while (*text && *text != ' ')
			text++;
		while (*text == ' ')
			text++;
	}
	return false;
}

/* ---- ACPI ---------------------------------------------------------------------------------- */

static uint32_t read32(const uint8_t *bytes)
{
	uint32_t value;

	__builtin_memcpy(&value, bytes, sizeof value);
	return value;
}

static uint64_t read64(const uint8_t *bytes)
{
	uint64_t value;

	__builtin_memcpy(&value, bytes, sizeof value);
	return value;
}

static bool is_signature(const uint8_t *bytes, const char *signature)
{
	return __builtin_memcmp(bytes, signature, 4) == 0;
}

static uint64_t rsdp_find(void)
{
	for (uint64_t gpa = 0xe0000; gpa < 0x100000; gpa += 16)
		if (__builtin_memcmp(at(gpa), "RSD PTR ", 8) == 0)
			return gpa;
	return 0;
}

/* A table's bytes, or 0 if it cannot be one. */
static uint32_t table_bytes(const uint8_t *table)
{
	const uint32_t bytes = read32(table + 4);

	return bytes >= 36 && bytes <= ACPI_TABLE_MAX ? bytes : 0;
}

static void madt_read(const uint8_t *table, uint32_t bytes)
{
	uint32_t count = 0, offset = 44;

	while (offset + 2 <= bytes && count < APICS_LISTED_MAX) {
		const uint8_t *entry = table + offset;
		const uint32_t size = entry[1];
		if (size < 2 || offset + size > bytes)
			break;
		offset += size;
		uint32_t id, flags;
		if (entry[0] == 0 && size >= 8) {
			id = entry[3];
			flags = read32(entry + 4);
		} else if (entry[0] == 9 && size >= 16) {
			id = read32(entry + 4);
			flags = read32(entry + 8);
		} else {
			continue;
		}
		if (!(flags & 1) || count == BARE_VPS_MAX)
			continue;
		bare.vps[count++].apic_id = id;
	}
	if (count > 0)
		bare.vp_count = count;
}

/* The type of sleep state S5: Name (_S5, Package {type, ...}), as compilers encode it. */
static uint8_t s5_type(const uint8_t *dsdt, uint32_t bytes)
{
	for (uint32_t i = 36; i + 12 < bytes; i++) {
		if (!is_signature(dsdt + i, "_S5_") || dsdt[i + 4] != 0x12)
			continue;
		uint32_t element = i + 5 + 1 + (dsdt[i + 5] >> 6) + 1;
		if (element + 1 >= bytes)
			break;
		if (dsdt[element] == 0x0a) /* a byte follows */
			element++;
		return dsdt[element] & 7;
	}
	return 5;
}

static void fadt_read(const uint8_t *table, uint32_t bytes)
{
	if (bytes < 116)
		return;
	const uint32_t flags = read32(table + 112);
	const uint8_t *dsdt = at(read32(table + 40));
	if (bytes >= 148 && !read32(table + 40))
		dsdt = at(read64(table + 140));
	const uint8_t type = dsdt && is_signature(dsdt, "DSDT") ? s5_type(dsdt, table_bytes(dsdt))
								: 5;

	if (bytes >= 129 && (flags & 1u << 10)) {
		bare.reset_port = (uint16_t)read64(table + 120);
		bare.reset_value = table[128];
	}
	if (bytes >= 268 && (flags & 1u << 20)) { /* hardware-reduced: sleep control */
		bare.sleep_port = (uint16_t)read64(table + 248);
		bare.sleep_value = (uint16_t)(type << 2 | 0x20);
	} else {
		bare.sleep_port = (uint16_t)read32(table + 64);
		bare.sleep_value = (uint16_t)(type << 10 | 0x2000);
		bare.is_sleep_word = true;
	}
}

void bare_acpi_read(void)
{
	if (!bare.rsdp)
		bare.rsdp = rsdp_find();
	if (!bare.rsdp || bare.rsdp >= 1ull << 32)
		return;
	const uint8_t *rsdp = at(bare.rsdp);
	const uint64_t xsdt = rsdp[15] >= 2 ? read64(rsdp + 24) : 0;
	const bool is_wide = xsdt && xsdt < 1ull << 32;
	const uint8_t *root = at(is_wide ? xsdt : read32(rsdp + 16));
	if (!root)
		return;
	const uint32_t bytes = table_bytes(root), step = is_wide ? 8 : 4;
	for (uint32_t offset = 36; offset + step <= bytes; offset += step) {
		const uint64_t gpa = is_wide ? read64(root + offset) : read32(root + offset);
		const uint8_t *table = at(gpa);
		if (!table || gpa >= 1ull << 32)
			continue;
		if (is_signature(table, "APIC"))
			madt_read(table, table_bytes(table));
		else if (is_signature(table, "FACP"))
			fadt_read(table, table_bytes(table));
	}
}

/* ---- pages --------------------------------------------------------------------------------- */

void *bare_pages_raw(size_t count)
{
	const uint64_t bytes = (uint64_t)count * BARE_PAGE_BYTES;
	const uint64_t page = __atomic_fetch_add(&bare.free, bytes, __ATOMIC_SEQ_CST);

	if (page + bytes > bare.limit) {
		bare_printf("bare: out of memory: %lu pages asked for\n", (unsigned long)count);
		bare_exit(1);
	}
	return (void *)(uintptr_t)page;
}

void *bare_pages(size_t count)
{
	return __builtin_memset(bare_pages_raw(count), 0, count * BARE_PAGE_BYTES);
}
