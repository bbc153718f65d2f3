// SPDX-License-Identifier: Apache-2.0
/*
 * The first disk of a PC's first ATA controller, read by polling: for hosts that offer no
 * disk on the VMBus. Legacy ports 0x1f0 to 0x1f7, 28-bit addresses, one block at a time.
 *
 * Threads: one at a time. Source: ATA-5, "PIO data-in command protocol".
 */
#ifndef GUEST_EXAMPLES_ATA_PIO_H
#define GUEST_EXAMPLES_ATA_PIO_H

#include <stdbool.h>
#include <stdint.h>

#define ATA_PIO_BLOCK_BYTES 512u

/* True if a disk answers there; *blocks is its size, at most 2^28. */
bool ata_pio_find(uint64_t *blocks);
/* Read block `lba`, 512 bytes. False: an error, or no answer within 5 s. */
bool ata_pio_read(uint64_t lba, void *block);

#endif
