// SPDX-License-Identifier: Apache-2.0
/*
 * Which devices a controller has, and where. See storage_vsp.h.
 */
#include "host/vsp/storage_vsp_internal.h"

#include <errno.h>
#include <stdlib.h>

static bool address_is_valid(const struct storage_vsp *vsp, struct storage_address address)
{
	if (vsp->config.is_ide)
		return address.path == vsp->config.ide_channel && address.target < 2 &&
		       address.lun == 0;
	return address.path < STORAGE_PATHS_MAX && address.target < STORAGE_TARGETS_MAX &&
	       address.lun < STORAGE_LUNS_MAX;
}

/* Other LUNs of the target report that the list has changed, if the guest may know it. */
static void target_raise(struct storage_vsp *vsp, const struct storage_target *target,
	const struct storage_lun *except)
{
	if (vsp->state != STORAGE_STATE_READY)
		return;
	for (unsigned i = 0; i < STORAGE_LUNS_MAX; i++)
		if (target->luns[i] && target->luns[i] != except)
			scsi_nexus_raise(&target->luns[i]->nexus, SCSI_ATTENTION_LUNS);
}

static void target_forget_if_empty(struct storage_vsp *vsp, struct storage_address address)
{
	struct storage_target **slot = &vsp->targets[address.path][address.target];
	if (!*slot || (*slot)->count != 0)
		return;
	free(*slot);
	*slot = NULL;
	vsp->target_count--;
}

int storage_vsp_attach(
	struct storage_vsp *vsp, struct storage_address address, struct scsi_device *device)
{
	if (!address_is_valid(vsp, address))
		return -EINVAL;
	struct storage_target **slot = &vsp->targets[address.path][address.target];
	if (*slot && (*slot)->luns[address.lun])
		return -EEXIST;
	if (!*slot) {
		if (vsp->target_count == STORAGE_TARGETS_MAX)
			return -ENOSPC;
		*slot = calloc(1, sizeof **slot);
		if (!*slot)
			return -ENOMEM;
		vsp->target_count++;
	}
	int result = -ENOMEM;
	struct storage_lun *lun = calloc(1, sizeof *lun);
	if (!lun)
		goto fail;
	result = scsi_nexus_attach(&lun->nexus, device, vsp->config.port);
	if (result < 0)
		goto fail;
	lun->address = address;
	(*slot)->luns[address.lun] = lun;
	(*slot)->count++;
	vsp->lun_count++;
	target_raise(vsp, *slot, lun);
	storage_vsp_luns_changed(vsp);
	return 0;
fail:
	free(lun);
	target_forget_if_empty(vsp, address);
	return result;
}

void storage_lun_detached(struct storage_vsp *vsp, struct storage_lun *lun)
{
	const struct storage_address address = lun->address;
	struct storage_target *target = vsp->targets[address.path][address.target];
	struct scsi_device *device = lun->nexus.device;
	void (*const done)(void *ctx, struct scsi_device *device) = lun->done;
	void *const done_ctx = lun->done_ctx;
	scsi_nexus_detach(&lun->nexus);
	target->luns[address.lun] = NULL;
	target->count--;
	free(lun);
	target_forget_if_empty(vsp, address);
	if (done)
		done(done_ctx, device);
}

int storage_vsp_detach(struct storage_vsp *vsp, struct storage_address address,
	void (*done)(void *ctx, struct scsi_device *device), void *ctx)
{
	struct storage_lun *lun = storage_lun_find(vsp, address.path, address.target, address.lun);
	if (!lun)
		return -ENOENT;
	lun->is_detaching = true;
	lun->done = done;
	lun->done_ctx = ctx;
	vsp->lun_count--;
	target_raise(vsp, vsp->targets[address.path][address.target], lun);
	storage_vsp_luns_changed(vsp);
	if (lun->nexus.outstanding == 0)
		storage_lun_detached(vsp, lun);
	return 0;
}

struct scsi_device *storage_vsp_device(struct storage_vsp *vsp, struct storage_address address)
{
	struct storage_lun *lun = storage_lun_find(vsp, address.path, address.target, address.lun);
	return lun ? lun->nexus.device : NULL;
}

void storage_vsp_devices_visit(struct storage_vsp *vsp,
	void (*fn)(void *ctx, struct storage_address address, struct scsi_device *device),
	void *ctx)
{
	for (unsigned i = 0; i < STORAGE_PATHS_MAX * STORAGE_TARGETS_MAX; i++) {
		const uint8_t path = (uint8_t)(i / STORAGE_TARGETS_MAX);
		const uint8_t target = (uint8_t)(i % STORAGE_TARGETS_MAX);
		for (unsigned lun = 0; vsp->targets[path][target] && lun < STORAGE_LUNS_MAX;
			lun++) {
			const struct storage_lun *found = storage_lun_find(
				vsp, path, target, (uint8_t)lun);
			if (found)
				fn(ctx, found->address, found->nexus.device);
		}
	}
}

void storage_luns_report(
	struct storage_vsp *vsp, uint8_t path, uint8_t target, struct scsi_request *scsi)
{
	uint8_t luns[STORAGE_LUNS_MAX];
	unsigned count = 0;
	for (unsigned lun = 0; lun < STORAGE_LUNS_MAX; lun++)
		if (storage_lun_find(vsp, path, target, (uint8_t)lun))
			luns[count++] = (uint8_t)lun;
	scsi_execute_report_luns(scsi, luns, count);
}

void storage_luns_reset(struct storage_vsp *vsp, const struct storage_address *only)
{
	for (unsigned i = 0; i < STORAGE_PATHS_MAX * STORAGE_TARGETS_MAX; i++) {
		const uint8_t path = (uint8_t)(i / STORAGE_TARGETS_MAX);
		const uint8_t target = (uint8_t)(i % STORAGE_TARGETS_MAX);
		struct storage_target *t = vsp->targets[path][target];
		if (!t || (only && (only->path != path || only->target != target)))
			continue;
		for (unsigned lun = 0; lun < STORAGE_LUNS_MAX; lun++)
			if (t->luns[lun] && (!only || only->lun == lun))
				scsi_nexus_reset(&t->luns[lun]->nexus);
	}
}

void storage_luns_destroy(struct storage_vsp *vsp)
{
	for (unsigned i = 0; i < STORAGE_PATHS_MAX; i++)
		for (unsigned j = 0; j < STORAGE_TARGETS_MAX; j++)
			free(vsp->targets[i][j]);
}
