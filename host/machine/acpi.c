// SPDX-License-Identifier: Apache-2.0
/*
 * ACPI tables. See acpi.h.
 *
 * The machine is hardware-reduced: no fixed ACPI hardware, no legacy interrupt controllers,
 * no FACS. It powers off by the sleep control register and resets by the reset register;
 * there is no PM timer, since guests take the time from the hypervisor. Both RSDT and XSDT
 * are there, for small kernels know only the former.
 */
#include "host/machine/acpi.h"

#include "host/limits.h"
#include "host/machine/layout.h"

#include <stdbool.h>
#include <string.h>

struct acpi_header_wire {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_header_wire) == 36, "ACPI 5.2.6");

struct acpi_rsdp_wire {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_rsdp_wire) == 36, "ACPI 5.2.5.3");

/* Generic address structure of an I/O port. */
struct acpi_address_wire {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_address_wire) == 12, "ACPI 5.2.3.2");

struct acpi_fadt_wire {
	struct acpi_header_wire header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t fixed_hardware[65]; /* zero: this and the other two, for want of such hardware */
	uint16_t boot_flags;
	uint8_t reserved;
	uint32_t flags;
	struct acpi_address_wire reset;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_version;
	uint64_t facs_64;
	uint64_t dsdt_64;
	uint8_t fixed_hardware_64[96];
	struct acpi_address_wire sleep_control;
	struct acpi_address_wire sleep_status;
	uint64_t hypervisor_id;
} __attribute__((packed));
_Static_assert(offsetof(struct acpi_fadt_wire, boot_flags) == 109, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt_wire, reset) == 116, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt_wire, dsdt_64) == 140, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt_wire, sleep_control) == 244, "ACPI 5.2.9");
_Static_assert(sizeof(struct acpi_fadt_wire) == 276, "ACPI 5.2.9");

#define FADT_REVISION	     6u
#define FADT_MINOR	     5u
#define FADT_BOOT_NO_VGA     (1u << 2)
#define FADT_WBINVD	     (1u << 0)
#define FADT_NO_POWER_BUTTON (1u << 4) /* as fixed hardware */
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_RESET_REGISTER  (1u << 10)
#define FADT_HW_REDUCED	     (1u << 20)

struct acpi_madt_wire {
	struct acpi_header_wire header;
	uint32_t local_apic;
	uint32_t flags; /* bit 0: legacy interrupt controllers; there are none */
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_wire) == 44, "ACPI 5.2.12");

struct acpi_madt_local_apic_wire {
	uint8_t type, length;
	uint8_t processor_uid;
	uint8_t apic_id;
	uint32_t flags; /* bit 0: enabled */
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_local_apic_wire) == 8, "ACPI 5.2.12.2");

struct acpi_madt_ioapic_wire {
	uint8_t type, length;
	uint8_t ioapic_id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_ioapic_wire) == 12, "ACPI 5.2.12.3");

struct acpi_madt_nmi_wire {
	uint8_t type, length;
	uint8_t processor_uid; /* 0xff: all */
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_nmi_wire) == 6, "ACPI 5.2.12.7");

enum { MADT_LOCAL_APIC = 0, MADT_IOAPIC = 1, MADT_LOCAL_APIC_NMI = 4 };

/* The operation region INFO of acpi.asl. */
struct acpi_info_wire {
	uint64_t high_mmio;
	uint64_t high_mmio_bytes;
	uint64_t has_pci;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_info_wire) == 24, "acpi.asl");

#define OEM_ID	     "VIRIDN"
#define OEM_TABLE_ID "VIRIDIAN"
#define CREATOR_ID   "VRDN"

/* Tables one after another from LAYOUT_BIOS on, each 16-byte aligned. */
struct builder {
	uint8_t *bios;
	uint32_t used;
};

static uint8_t checksum(const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	uint8_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum = (uint8_t)(sum + at[i]);
	return (uint8_t)-sum;
}

/* Copy a table with its checksum into place; returns its address. */
static uint32_t table_place(struct builder *builder, const void *table, size_t bytes)
{
	uint8_t *at = builder->bios + builder->used;
	const uint32_t gpa = (uint32_t)LAYOUT_BIOS + builder->used;

	memcpy(at, table, bytes);
	const size_t sum = offsetof(struct acpi_header_wire, checksum);
	at[sum] = 0;
	at[sum] = checksum(at, bytes);
	builder->used += (uint32_t)((bytes + 15) & ~(size_t)15);
	return gpa;
}

static struct acpi_header_wire header_make(const char *signature, uint8_t revision, size_t bytes)
{
	struct acpi_header_wire header = {
		.length = (uint32_t)bytes,
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};
	memcpy(header.signature, signature, sizeof header.signature);
	memcpy(header.oem_id, OEM_ID, sizeof header.oem_id);
	memcpy(header.oem_table_id, OEM_TABLE_ID, sizeof header.oem_table_id);
	memcpy(header.creator_id, CREATOR_ID, sizeof header.creator_id);
	return header;
}

static struct acpi_address_wire port_make(uint16_t port)
{
	return (struct acpi_address_wire){
		.space = 1, .bit_width = 8, .access_size = 1, .address = port};
}

static uint32_t fadt_place(struct builder *builder, uint32_t dsdt)
{
	const struct acpi_fadt_wire fadt = {
		.header = header_make("FACP", FADT_REVISION, sizeof fadt),
		.dsdt = dsdt,
		.boot_flags = FADT_BOOT_NO_VGA,
		.flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
			 FADT_RESET_REGISTER | FADT_HW_REDUCED,
		.reset = port_make(LAYOUT_PORT_RESET),
		.reset_value = LAYOUT_RESET_VALUE,
		.minor_version = FADT_MINOR,
		.dsdt_64 = dsdt,
		.sleep_control = port_make(LAYOUT_PORT_SLEEP_CONTROL),
		.sleep_status = port_make(LAYOUT_PORT_SLEEP_STATUS),
	};
	return table_place(builder, &fadt, sizeof fadt);
}

static uint32_t madt_place(struct builder *builder, uint32_t vp_count)
{
	struct {
		struct acpi_madt_wire madt;
		struct acpi_madt_ioapic_wire ioapic;
		struct acpi_madt_nmi_wire nmi;
		struct acpi_madt_local_apic_wire local[LIMIT_VPS];
	} __attribute__((packed)) table = {
		.madt.local_apic = (uint32_t)LAYOUT_LOCAL_APIC,
		.ioapic =
			{
				.type = MADT_IOAPIC,
				.length = sizeof table.ioapic,
				.address = (uint32_t)LAYOUT_IOAPIC,
			},
		/* LINT 1 of every local APIC is the NMI. */
		.nmi =
			{
				.type = MADT_LOCAL_APIC_NMI,
				.length = sizeof table.nmi,
				.processor_uid = 0xff,
				.lint = 1,
			},
	};
	const size_t bytes = offsetof(__typeof__(table), local) + vp_count * sizeof *table.local;

	for (uint32_t vp = 0; vp < vp_count; vp++)
		table.local[vp] = (struct acpi_madt_local_apic_wire){
			.type = MADT_LOCAL_APIC,
			.length = sizeof *table.local,
			.processor_uid = (uint8_t)vp,
			.apic_id = (uint8_t)vp,
			.flags = 1,
		};
	table.madt.header = header_make("APIC", 5, bytes);
	return table_place(builder, &table, bytes);
}

static void rsdp_write(uint8_t *bios, uint32_t rsdt, uint32_t xsdt)
{
	struct acpi_rsdp_wire rsdp = {
		.revision = 2, .rsdt = rsdt, .length = sizeof rsdp, .xsdt = xsdt};

	memcpy(rsdp.signature, "RSD PTR ", sizeof rsdp.signature);
	memcpy(rsdp.oem_id, OEM_ID, sizeof rsdp.oem_id);
	rsdp.checksum = checksum(&rsdp, offsetof(struct acpi_rsdp_wire, length));
	rsdp.extended_checksum = checksum(&rsdp, sizeof rsdp);
	memcpy(bios + (LAYOUT_RSDP - LAYOUT_BIOS), &rsdp, sizeof rsdp);
}

void acpi_build(const struct acpi_config *config, uint8_t *bios)
{
	struct builder builder = {.bios = bios};
	const uint32_t dsdt = table_place(&builder, acpi_dsdt, acpi_dsdt_bytes);
	const uint32_t fadt = fadt_place(&builder, dsdt);
	const uint32_t madt = madt_place(&builder, config->vp_count);

	const struct {
		struct acpi_header_wire header;
		uint32_t tables[2];
	} __attribute__((packed)) rsdt = {header_make("RSDT", 1, sizeof rsdt), {fadt, madt}};
	const struct {
		struct acpi_header_wire header;
		uint64_t tables[2];
	} __attribute__((packed)) xsdt = {header_make("XSDT", 1, sizeof xsdt), {fadt, madt}};
	const uint32_t rsdt_gpa = table_place(&builder, &rsdt, sizeof rsdt);
	const uint32_t xsdt_gpa = table_place(&builder, &xsdt, sizeof xsdt);
	rsdp_write(bios, rsdt_gpa, xsdt_gpa);

	const struct acpi_info_wire info = {
		config->high_mmio, config->high_mmio_bytes, config->has_pci};
	memcpy(bios + (LAYOUT_ACPI_INFO - LAYOUT_BIOS), &info, sizeof info);
}
