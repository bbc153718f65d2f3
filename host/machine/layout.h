// SPDX-License-Identifier: Apache-2.0
/*
 * Where things are in a machine that runs on KVM: guest-physical addresses, ports, interrupt
 * lines. Boot loaders, ACPI tables (acpi.asl has the same numbers) and devices agree here.
 */
#ifndef HOST_MACHINE_LAYOUT_H
#define HOST_MACHINE_LAYOUT_H

/* ---- memory -------------------------------------------------------------------------------- */

#define LAYOUT_LOW_RAM_END 0xC0000000ull  /* RAM from 0 to here, or less */
#define LAYOUT_HIGH_RAM	   0x100000000ull /* the rest of RAM */

/* Windows of the VMBus for devices to come: video and vPCI. In the DSDT's _CRS. */
#define LAYOUT_VMBUS_MMIO	0xF8000000ull
#define LAYOUT_VMBUS_MMIO_BYTES 0x04000000ull
/* And one above all RAM that there can be: the last of what the processors can address. */
#define LAYOUT_VMBUS_HIGH_MMIO_BYTES 0x1000000000ull
#define LAYOUT_VMBUS_HIGH_MMIO(address_bits)                                                       \
	((1ull << (address_bits)) - LAYOUT_VMBUS_HIGH_MMIO_BYTES)

/* What the loaders put below 1 MiB; reserved in the memory map from LAYOUT_BIOS up. */
#define LAYOUT_GDT	    0x00000500ull
#define LAYOUT_ZERO_PAGE    0x00007000ull
#define LAYOUT_STACK	    0x00008ff0ull
#define LAYOUT_PAGE_TABLES  0x00009000ull /* 6 pages: PML4, PDPT, 4 PDs of 2 MiB pages */
#define LAYOUT_COMMAND_LINE 0x00020000ull /* 64 KiB */
#define LAYOUT_BOOT_INFO    0x00030000ull /* PVH start info, multiboot information */
#define LAYOUT_LOW_END	    0x0009fc00ull /* usable up to here */
#define LAYOUT_BIOS	    0x000E0000ull /* ACPI tables, and what follows; up to 1 MiB */
#define LAYOUT_BIOS_BYTES   0x00020000ull
#define LAYOUT_ACPI_INFO    0x000EE000ull /* what the DSDT reads */
#define LAYOUT_GENERATION   0x000EF000ull /* generation id of the machine, in a page of its own */
#define LAYOUT_RSDP	    0x000F0000ull /* where guests that search for it look */
#define LAYOUT_RESET_VECTOR 0x000FFFF0ull /* real-mode code that writes the reset register */
#define LAYOUT_KERNEL	    0x01000000ull

/* ---- ports --------------------------------------------------------------------------------- */

#define LAYOUT_PORT_COM1	  0x3f8
#define LAYOUT_PORT_CMOS	  0x70 /* index; data follows */
#define LAYOUT_PORT_SLEEP_CONTROL 0x600
#define LAYOUT_PORT_SLEEP_STATUS  0x601
#define LAYOUT_PORT_RESET	  0x604 /* write LAYOUT_RESET_VALUE */
#define LAYOUT_RESET_VALUE	  0x06
#define LAYOUT_PORT_DEBUG_EXIT	  0xf4	 /* --test-devices */
#define LAYOUT_PORT_SYNIC_TEST	  0x3000 /* --test-devices */
#define LAYOUT_PORT_FW_CFG	  0x510	 /* --test-devices: selector; data follows */
#define LAYOUT_PORT_ATA		  0x1f0	 /* --emulated-disk: command block, 8 ports */
#define LAYOUT_PORT_ATA_CONTROL	  0x3f6
#define LAYOUT_PORT_ATA_DMA	  0xc000 /* bus-master registers, 16 ports */
#define LAYOUT_PORT_PCI		  0xcf8	 /* --emulated-disk: configuration address and data */
/* 0xe4 and 0xe8 are written by the hypercall page: BACKEND_KVM_PORT_*. */

/* ---- interrupt lines (pins of the IOAPIC) --------------------------------------------------- */

#define LAYOUT_LINE_COM1  4
#define LAYOUT_LINE_EVENT 9 /* of the ACPI generic event device: a new generation id */
#define LAYOUT_LINE_ATA	  14

#define LAYOUT_LOCAL_APIC 0xFEE00000ull
#define LAYOUT_IOAPIC	  0xFEC00000ull

#endif
