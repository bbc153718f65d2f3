// SPDX-License-Identifier: Apache-2.0
/*
 * A firmware configuration device with the few items that test kernels ask for: signature,
 * interface version, RAM size, VP count. A 16-bit selector is written at the first port; the
 * bytes of the item are read at the second one, one after the other, little-endian; behind
 * the end are zeros.
 *
 * Threads: any; one lock.
 */
#ifndef HOST_MACHINE_FW_CFG_H
#define HOST_MACHINE_FW_CFG_H

#include "host/hypervisor/io_space.h"

#include <pthread.h>
#include <stdint.h>

#define FW_CFG_PORTS 2u

#define FW_CFG_SIGNATURE 0x0000u
#define FW_CFG_ID	 0x0001u
#define FW_CFG_RAM_SIZE	 0x0003u
#define FW_CFG_NB_CPUS	 0x0005u
#define FW_CFG_MAX_CPUS	 0x000fu

struct fw_cfg {
	pthread_mutex_t lock;
	uint64_t ram_bytes;
	uint32_t vp_count;
	uint16_t selector;
	uint32_t offset; /* into the item */
};

extern const struct io_device_ops fw_cfg_ops; /* ctx: a struct fw_cfg */

void fw_cfg_init(struct fw_cfg *fw_cfg, uint64_t ram_bytes, uint32_t vp_count);
void fw_cfg_destroy(struct fw_cfg *fw_cfg);

#endif
