// SPDX-License-Identifier: Apache-2.0
/* Firmware configuration: see fw_cfg.h. */
#include "host/machine/fw_cfg.h"

#include <string.h>

#define INTERFACE_VERSION 1u /* without DMA */
#define DATA_OFFSET	  1u

/* The item as a number of `*bytes` bytes; none: 0 bytes. */
static uint64_t item(const struct fw_cfg *fw_cfg, unsigned *bytes)
{
	switch (fw_cfg->selector) {
	case FW_CFG_SIGNATURE:
		*bytes = 4;
		return 0x554d4551; /* "QEMU" */
	case FW_CFG_ID:
		*bytes = 4;
		return INTERFACE_VERSION;
	case FW_CFG_RAM_SIZE:
		*bytes = 8;
		return fw_cfg->ram_bytes;
	case FW_CFG_NB_CPUS:
	case FW_CFG_MAX_CPUS:
		*bytes = 2;
		return fw_cfg->vp_count;
	default:
		*bytes = 0;
		return 0;
	}
}

static uint64_t fw_cfg_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct fw_cfg *fw_cfg = ctx;
	unsigned size = 0;
	uint8_t byte = 0;
	if (offset != DATA_OFFSET || bytes != 1)
		return 0; /* the selector cannot be read back */
	pthread_mutex_lock(&fw_cfg->lock);
	const uint64_t value = item(fw_cfg, &size);
	if (fw_cfg->offset < size)
		byte = (uint8_t)(value >> (8 * fw_cfg->offset++));
	pthread_mutex_unlock(&fw_cfg->lock);
	return byte;
}

static void fw_cfg_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct fw_cfg *fw_cfg = ctx;
	if (offset != 0 || bytes != 2)
		return; /* items are for reading */
	pthread_mutex_lock(&fw_cfg->lock);
	fw_cfg->selector = (uint16_t)value;
	fw_cfg->offset = 0;
	pthread_mutex_unlock(&fw_cfg->lock);
}

const struct io_device_ops fw_cfg_ops = {
	.name = "firmware configuration",
	.read = fw_cfg_read,
	.write = fw_cfg_write,
};

void fw_cfg_init(struct fw_cfg *fw_cfg, uint64_t ram_bytes, uint32_t vp_count)
{
	memset(fw_cfg, 0, sizeof *fw_cfg);
	pthread_mutex_init(&fw_cfg->lock, NULL);
	fw_cfg->ram_bytes = ram_bytes;
	fw_cfg->vp_count = vp_count;
}

void fw_cfg_destroy(struct fw_cfg *fw_cfg)
{
	pthread_mutex_destroy(&fw_cfg->lock);
}
