// SPDX-License-Identifier: Apache-2.0
/*
 * One ATA disk by polling. See ata_pio.h.
 */
#include "guest/examples/ata_pio.h"

#include "guest/winhv/bare/bare.h"

#define ATA_DATA    0x1f0u
#define ATA_COUNT   0x1f2u
#define ATA_LBA	    0x1f3u /* .. 0x1f5 */
#define ATA_DEVICE  0x1f6u
#define ATA_COMMAND 0x1f7u /* write; read: status */
#define ATA_CONTROL 0x3f6u

#define STATUS_ERROR	    0x01u
#define STATUS_DATA	    0x08u
#define STATUS_FAULT	    0x20u
#define STATUS_BUSY	    0x80u
#define STATUS_NOTHING	    0xffu /* no controller: nobody drives the bus */
#define DEVICE_LBA	    0xe0u
#define CONTROL_NO_IRQ	    0x02u
#define COMMAND_READ	    0x20u
#define COMMAND_IDENTIFY    0xecu
#define IDENTIFY_BLOCKS_LOW 60u /* words 60 and 61: blocks, for 28-bit addresses */
#define PATIENCE_100NS	    50000000u

static bool is_ready(void *ctx)
{
	(void)ctx;
	return !(bare_in8(ATA_COMMAND) & STATUS_BUSY);
}

/* Command, wait for its data, take them. */
static bool data_in(uint8_t command, uint64_t lba, uint16_t *words)
{
	if (bare_in8(ATA_COMMAND) == STATUS_NOTHING)
		return false;
	bare_out8(ATA_CONTROL, CONTROL_NO_IRQ);
	bare_out8(ATA_DEVICE, (uint8_t)(DEVICE_LBA | (lba >> 24 & 0xf)));
	if (!bare_wait(is_ready, NULL, PATIENCE_100NS))
		return false;
	bare_out8(ATA_COUNT, 1);
	for (unsigned byte = 0; byte < 3; byte++)
		bare_out8((uint16_t)(ATA_LBA + byte), (uint8_t)(lba >> 8 * byte));
	bare_out8(ATA_COMMAND, command);
	if (!bare_wait(is_ready, NULL, PATIENCE_100NS))
		return false;
	const uint8_t status = bare_in8(ATA_COMMAND);
	if ((status & (STATUS_ERROR | STATUS_FAULT)) || !(status & STATUS_DATA))
		return false;
	for (unsigned i = 0; i < ATA_PIO_BLOCK_BYTES / 2; i++)
		words[i] = bare_in16(ATA_DATA);
	return true;
}

bool ata_pio_find(uint64_t *blocks)
{
	uint16_t words[ATA_PIO_BLOCK_BYTES / 2];

	if (!data_in(COMMAND_IDENTIFY, 0, words))
		return false;
	*blocks = words[IDENTIFY_BLOCKS_LOW] | (uint32_t)words[IDENTIFY_BLOCKS_LOW + 1] << 16;
	return *blocks > 0;
}

bool ata_pio_read(uint64_t lba, void *block)
{
	uint16_t words[ATA_PIO_BLOCK_BYTES / 2];

	if (lba >= 1u << 28 || !data_in(COMMAND_READ, lba, words))
		return false;
	__builtin_memcpy(block, words, sizeof words);
	return true;
}
