// SPDX-License-Identifier: Apache-2.0
/*
 * What storage_vsp.c (packets) and storage_vsp_luns.c (addresses) share.
 */
#ifndef HOST_VSP_STORAGE_VSP_INTERNAL_H
#define HOST_VSP_STORAGE_VSP_INTERNAL_H

#include "host/vsp/storage_vsp.h"

/* A device at an address. Allocated by attach, freed when detached. */
struct storage_lun {
	struct scsi_nexus nexus;
	struct storage_address address;
	bool is_detaching;
	void (*done)(void *ctx, struct scsi_device *device);
	void *done_ctx;
};

struct storage_target {
	unsigned count;
	struct storage_lun *luns[STORAGE_LUNS_MAX]; /* owned */
};

struct storage_vsp {
	enum storage_state state;
	bool has_notification;
	const struct storage_version *version;
	const struct storage_vsp_ops *ops;
	void *ctx;
	size_t request_bytes; /* stride of the pools */
	struct storage_vsp_config config;
	struct storage_statistics statistics;
	struct scsi_commands commands;
	struct scsi_scratch scratch;
	unsigned target_count;
	unsigned lun_count;
	struct storage_target *targets[STORAGE_PATHS_MAX][STORAGE_TARGETS_MAX]; /* owned */
	struct storage_channel channels[]; /* 1 + config.max_sub_channels */
};

/* NULL if nothing is there, or if it is on its way out. */
static inline struct storage_lun *storage_lun_find(
	const struct storage_vsp *vsp, uint8_t path, uint8_t target, uint8_t lun)
{
	if (path >= STORAGE_PATHS_MAX || target >= STORAGE_TARGETS_MAX || lun >= STORAGE_LUNS_MAX)
		return NULL;
	const struct storage_target *t = vsp->targets[path][target];
	struct storage_lun *found = t ? t->luns[lun] : NULL;
	return found && !found->is_detaching ? found : NULL;
}

/* Answer REPORT LUNS for one path and target. */
void storage_luns_report(
	struct storage_vsp *vsp, uint8_t path, uint8_t target, struct scsi_request *scsi);
/* Raise a reset attention at one address, or everywhere. */
void storage_luns_reset(struct storage_vsp *vsp, const struct storage_address *only);
/* The last request to a detaching LUN has ended. */
void storage_lun_detached(struct storage_vsp *vsp, struct storage_lun *lun);
void storage_luns_destroy(struct storage_vsp *vsp);
/* Tell the guest to look again, if it can be told. */
void storage_vsp_luns_changed(struct storage_vsp *vsp);

#endif
