// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client: the table of logical units, and the fixed parts of their packets.
 *
 * An entry is PRESENT while the host shows the unit, then GONE until the program has
 * released it and its last request has ended, then FREE. So a pointer that the
 * program holds is never that of another unit.
 */
#include "guest/vsc/storage_vsc_internal.h"

#include <string.h>

void storage_vsc_templates_build(struct storage_vsc *vsc, struct storage_vsc_lun *lun)
{
	static const uint32_t direction_flags[3] = {
		[STORAGE_DATA_OUT] = STORAGE_SRB_FLAG_DATA_OUT,
		[STORAGE_DATA_IN] = STORAGE_SRB_FLAG_DATA_IN,
		[STORAGE_DATA_NONE] = 0,
	};
	const bool is_tagged = lun->properties.is_tagged;
	const bool is_wide = vsc->packet_bytes == STORAGE_PACKET_BYTES_WIN8;
	for (uint8_t direction = 0; direction < 3; direction++) {
		struct storage_srb_packet_wire *packet = &lun->templates.packet[direction];
		memset(packet, 0, sizeof *packet);
		packet->header.operation = STORAGE_OP_EXECUTE_SRB;
		packet->header.flags = STORAGE_PACKET_COMPLETION_REQUESTED;
		packet->srb.length = is_wide ? STORAGE_SRB_BYTES_WIN8 : STORAGE_SRB_BYTES_WIN7;
		packet->srb.path = lun->path;
		packet->srb.target = lun->target;
		packet->srb.lun = lun->lun;
		packet->srb.sense_length = (uint8_t)vsc->sense_bytes;
		packet->srb.direction = direction;
		packet->srb.queue_tag = is_tagged ? STORAGE_QUEUE_TAG_ANY : STORAGE_QUEUE_TAG_NONE;
		packet->srb.queue_action = is_tagged ? STORAGE_QUEUE_SIMPLE : 0;
		packet->srb.srb_flags = STORAGE_SRB_FLAG_DISABLE_SYNC_TRANSFER |
					direction_flags[direction];
		if (is_tagged)
			packet->srb.srb_flags |= STORAGE_SRB_FLAG_QUEUE_ACTION_ENABLE |
						 STORAGE_SRB_FLAG_NO_QUEUE_FREEZE;
		packet->srb.timeout_s = 60;
	}
}

void storage_vsc_lun_settle(struct storage_vsc_lun *lun)
{
	if (lun->state == STORAGE_VSC_LUN_GONE && lun->is_released && lun->outstanding == 0)
		memset(lun, 0, sizeof *lun);
}

void storage_vsc_lun_release(struct storage_vsc *vsc, struct storage_vsc_lun *lun)
{
	(void)vsc;
	lun->is_released = true;
	storage_vsc_lun_settle(lun);
}

void storage_vsc_lun_remove(struct storage_vsc *vsc, struct storage_vsc_lun *lun)
{
	lun->state = STORAGE_VSC_LUN_GONE;
	lun->needs_reset = false;
	if (vsc->config.on_lun != NULL)
		vsc->config.on_lun(vsc->config.ctx, vsc, STORAGE_VSC_LUN_REMOVED, lun);
	else
		storage_vsc_lun_release(vsc, lun);
}

struct storage_vsc_lun *storage_vsc_lun_new(struct storage_vsc *vsc)
{
	for (uint32_t i = 0; i < vsc->config.lun_count; i++)
		if (vsc->config.luns[i].state == STORAGE_VSC_LUN_FREE)
			return &vsc->config.luns[i];
	return NULL;
}

struct storage_vsc_lun *storage_vsc_lun_find(
	struct storage_vsc *vsc, unsigned path, unsigned target, unsigned lun)
{
	for (uint32_t i = 0; i < vsc->config.lun_count; i++) {
		struct storage_vsc_lun *at = &vsc->config.luns[i];
		if (at->state == STORAGE_VSC_LUN_PRESENT && at->path == path &&
			at->target == target && at->lun == lun)
			return at;
	}
	return NULL;
}

int storage_vsc_lun_attach(struct storage_vsc *vsc, unsigned path, unsigned target, unsigned lun,
	const struct storage_properties *properties, struct storage_vsc_lun **out)
{
	if (vsc->state != STORAGE_VSC_READY)
		return -VIRIDIAN_ENODEV;
	if (path >= STORAGE_PATHS_MAX || target >= STORAGE_TARGETS_MAX || lun >= STORAGE_LUNS_MAX)
		return -VIRIDIAN_EINVAL;
	if (storage_vsc_lun_find(vsc, path, target, lun) != NULL)
		return -VIRIDIAN_EEXIST;
	struct storage_vsc_lun *at = storage_vsc_lun_new(vsc);
	if (at == NULL)
		return -VIRIDIAN_ENOMEM;
	memset(at, 0, sizeof *at);
	at->path = (uint8_t)path;
	at->target = (uint8_t)target;
	at->lun = (uint8_t)lun;
	at->properties = *properties;
	at->state = STORAGE_VSC_LUN_PRESENT;
	storage_vsc_templates_build(vsc, at);
	*out = at;
	return 0;
}
