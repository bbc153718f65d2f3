// SPDX-License-Identifier: Apache-2.0
/*
 * PCI configuration space with no more than guests need to find the ATA disk: a host bridge
 * at 0:0.0 and an IDE controller of the PIIX3 kind at 0:1.0, in native mode, with its ranges
 * where layout.h has them. Guests may write address registers to learn sizes; the ranges
 * themselves do not move.
 *
 * Threads: any; one lock.
 *
 * Sources: PCI Local Bus Specification 3.0, sections 3.2.2.3 and 6; PCI IDE Controller
 * Specification 1.0; Intel 82371SB (PIIX3) data sheet.
 */
#ifndef HOST_MACHINE_ATA_PCI_H
#define HOST_MACHINE_ATA_PCI_H

#include "host/hypervisor/io_space.h"

#include <pthread.h>
#include <stdint.h>

#define ATA_PCI_PORTS	     8u /* address, data */
#define ATA_PCI_DEVICES	     2u
#define ATA_PCI_CONFIG_BYTES 256u

struct ata_pci {
	pthread_mutex_t lock;
	uint32_t address;
	uint8_t config[ATA_PCI_DEVICES][ATA_PCI_CONFIG_BYTES];
	uint8_t writable[ATA_PCI_DEVICES][ATA_PCI_CONFIG_BYTES]; /* bits that are */
};

extern const struct io_device_ops ata_pci_ops; /* ctx: a struct ata_pci */

void ata_pci_init(struct ata_pci *pci);
void ata_pci_destroy(struct ata_pci *pci);
void ata_pci_reset(struct ata_pci *pci);

#endif
