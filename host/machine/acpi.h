// SPDX-License-Identifier: Apache-2.0
/*
 * ACPI tables of a machine: RSDP, RSDT, XSDT, FADT (hardware-reduced), MADT, built here, and
 * the DSDT, compiled from acpi.asl. They lie below 1 MiB, as layout.h says.
 *
 * Threads: any one, while no VP runs.
 *
 * Sources: ACPI 6.5, section 5.2.
 */
#ifndef HOST_MACHINE_ACPI_H
#define HOST_MACHINE_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one machine's tables say and another's do not. */
struct acpi_config {
	uint32_t vp_count;	  /* 1..LIMIT_VPS: a local APIC each, id = VP index */
	uint64_t high_mmio;	  /* window of the VMBus above RAM; */
	uint64_t high_mmio_bytes; /* 0: there is none */
	bool has_pci;		  /* a PCI root, with the ATA disk */
};

/*
 * Write the tables into `bios`, the LAYOUT_BIOS_BYTES bytes of guest memory at LAYOUT_BIOS,
 * which are zero. The RSDP is at LAYOUT_RSDP.
 */
void acpi_build(const struct acpi_config *config, uint8_t *bios);

/* The DSDT, as iasl made it from acpi.asl. */
extern const unsigned char acpi_dsdt[];
extern const size_t acpi_dsdt_bytes;

#endif
