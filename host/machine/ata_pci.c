// SPDX-License-Identifier: Apache-2.0
/* PCI configuration space around the ATA disk: see ata_pci.h. */
#include "host/machine/ata_pci.h"

#include "host/machine/layout.h"

#include <string.h>

enum {
	BRIDGE = 0,
	IDE = 1,
};

enum {
	CONFIG_VENDOR = 0x00,
	CONFIG_COMMAND = 0x04,
	CONFIG_REVISION = 0x08, /* class code above it */
	CONFIG_BAR0 = 0x10,
	CONFIG_INTERRUPT_LINE = 0x3c,
	CONFIG_INTERRUPT_PIN = 0x3d,
	CONFIG_IDE_TIMING = 0x40, /* bit 15 of each channel's: decoded at all */
};

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_OFFSET 0x000000fcu
#define DATA_PORT      4u
#define IS_IO	       1u
#define PIN_A	       1u

static void put(struct ata_pci *pci, unsigned device, unsigned offset, unsigned bytes,
	uint32_t value, uint32_t writable)
{
	for (unsigned i = 0; i < bytes; i++) {
		pci->config[device][offset + i] = (uint8_t)(value >> (8 * i));
		pci->writable[device][offset + i] = (uint8_t)(writable >> (8 * i));
	}
}

/* An I/O range: bits below its size cannot be written, and so tell it. */
static void bar_put(struct ata_pci *pci, unsigned number, uint32_t port, uint32_t bytes)
{
	put(pci, IDE, CONFIG_BAR0 + number * 4, 4, port | IS_IO, ~(bytes - 1));
}

static void configuration_reset(struct ata_pci *pci)
{
	memset(pci->config, 0, sizeof pci->config);
	memset(pci->writable, 0, sizeof pci->writable);
	pci->address = 0;
	put(pci, BRIDGE, CONFIG_VENDOR, 4, 0x12378086, 0); /* 82441FX */
	put(pci, BRIDGE, CONFIG_COMMAND, 2, 0x0002, 0x0004);
	put(pci, BRIDGE, CONFIG_REVISION, 4, 0x06000002, 0); /* host bridge */
	put(pci, IDE, CONFIG_VENDOR, 4, 0x70108086, 0);	     /* 82371SB, IDE */
	put(pci, IDE, CONFIG_COMMAND, 2, 0x0001, 0x0405);    /* I/O; bus master, no INTx */
	put(pci, IDE, CONFIG_REVISION, 4, 0x01018500, 0);    /* IDE, native, bus master */
	bar_put(pci, 0, LAYOUT_PORT_ATA, 8);
	bar_put(pci, 1, LAYOUT_PORT_ATA_CONTROL - 2, 4);
	bar_put(pci, 4, LAYOUT_PORT_ATA_DMA, 16);
	put(pci, IDE, CONFIG_INTERRUPT_LINE, 1, LAYOUT_LINE_ATA, 0xff);
	put(pci, IDE, CONFIG_INTERRUPT_PIN, 1, PIN_A, 0);
	put(pci, IDE, CONFIG_IDE_TIMING, 4, 0x00008000, 0xffffffff);
}

/* The byte that address register and data port point at; NULL: no such device. */
static uint8_t *config_at(struct ata_pci *pci, unsigned port, uint8_t **writable)
{
	const unsigned device = pci->address >> 11 & 0x1f;
	const unsigned offset = (pci->address & ADDRESS_OFFSET) + port - DATA_PORT;
	/* Bus 0 and function 0 alone. */
	if (!(pci->address & ADDRESS_ENABLE) || pci->address & 0x00ff0700 ||
		device >= ATA_PCI_DEVICES)
		return NULL;
	*writable = &pci->writable[device][offset];
	return &pci->config[device][offset];
}

static uint64_t pci_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct ata_pci *pci = ctx;
	uint64_t value = 0;
	uint8_t *writable;
	pthread_mutex_lock(&pci->lock);
	if (offset < DATA_PORT) {
		value = offset == 0 && bytes == 4 ? pci->address : UINT64_MAX;
	} else {
		for (unsigned i = 0; i < bytes; i++) {
			const uint8_t *at = config_at(pci, (unsigned)offset + i, &writable);
			value |= (uint64_t)(at ? *at : 0xff) << (8 * i);
		}
	}
	pthread_mutex_unlock(&pci->lock);
	return value;
}

static void pci_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct ata_pci *pci = ctx;
	uint8_t *writable;
	pthread_mutex_lock(&pci->lock);
	if (offset == 0 && bytes == 4)
		pci->address = (uint32_t)value;
	for (unsigned i = 0; i < bytes && offset >= DATA_PORT; i++) {
		uint8_t *at = config_at(pci, (unsigned)offset + i, &writable);
		if (at)
			*at = (uint8_t)((*at & ~*writable) | (value >> (8 * i) & *writable));
	}
	pthread_mutex_unlock(&pci->lock);
}

const struct io_device_ops ata_pci_ops = {
	.name = "PCI configuration",
	.read = pci_read,
	.write = pci_write,
};

void ata_pci_init(struct ata_pci *pci)
{
	memset(pci, 0, sizeof *pci);
	pthread_mutex_init(&pci->lock, NULL);
	configuration_reset(pci);
}

void ata_pci_destroy(struct ata_pci *pci)
{
	pthread_mutex_destroy(&pci->lock);
}

void ata_pci_reset(struct ata_pci *pci)
{
	pthread_mutex_lock(&pci->lock);
	configuration_reset(pci);
	pthread_mutex_unlock(&pci->lock);
}
