// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination, guest side. See vss_ic.h.
 */
#include "guest/ic_daemons/vss_ic.h"

#include <string.h>

static const struct ic_version_wire framework_versions[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire message_versions[] = {{4, 0}, {5, 0}, {6, 0}, {7, 0}};

/* R-VSS-009, R-VSS-013: the LUNs mean nothing here, but what is said of them must hold. */
static bool luns_are_there(const uint8_t *body, size_t body_bytes)
{
	const size_t at = offsetof(struct vss_snapshot_wire, lun_count);
	uint32_t count;
	if (body_bytes < at + sizeof count)
		return true;
	memcpy(&count, body + at, sizeof count);
	return count <= VSS_LUNS_MAX &&
	       count <= (body_bytes - offsetof(struct vss_snapshot_wire, luns)) / VSS_LUN_BYTES;
}

static void flags_put(uint8_t *body, uint32_t flags)
{
	memcpy(body + offsetof(struct vss_flags_wire, flags), &flags, sizeof flags);
}

static uint32_t refuse(struct vss_ic *vss)
{
	vss->refused++;
	return IC_STATUS_FAIL;
}

static uint32_t begin(struct vss_ic *vss, uint8_t operation, uint8_t *body)
{
	const uint32_t status = vss->ops->begin(vss->ctx, operation);
	if (status == IC_GUEST_LATER) {
		vss->ticket = ic_guest_ticket(&vss->ic);
		vss->pending = operation;
		vss->is_pending = true;
	} else if (status == IC_STATUS_SUCCESS && operation == VSS_HOT_BACKUP) {
		flags_put(body, VSS_FLAGS_NO_AUTO_RECOVERY);
	}
	return status;
}

/* The operation decides, whatever the version (R-VSS-011). */
static uint32_t handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	struct vss_ic *vss = ctx;
	const uint8_t operation = body[0]; /* at least body_min_bytes are there */
	(void)agreement;
	if (operation >= VSS_OPERATION_COUNT || body_bytes < vss_body_min_bytes(operation))
		return refuse(vss);
	vss->operations[operation]++;
	switch (operation) {
	case VSS_FREEZE:
		if (!luns_are_there(body, body_bytes))
			return refuse(vss);
		return begin(vss, operation, body);
	case VSS_HOT_BACKUP:
	case VSS_THAW:
		return begin(vss, operation, body);
	case VSS_GET_DM_INFO:
		flags_put(body, 0);
		return IC_STATUS_SUCCESS;
	case VSS_CREATE:
	case VSS_DELETE:
	case VSS_BACKUP_COMPLETE:
		return IC_STATUS_SUCCESS;
	default:
		return refuse(vss);
	}
}

static void forget(void *ctx)
{
	struct vss_ic *vss = ctx;
	vss->is_pending = false;
	if (vss->ops->forget != NULL)
		vss->ops->forget(vss->ctx);
}

const struct ic_guest_service vss_ic_service = {
	.name = "vss",
	.type = IC_TYPE_VSS,
	.body_min_bytes = VSS_HEADER_BYTES,
	.frameworks = {framework_versions, 2},
	.messages = {message_versions, 4},
	.handle = handle,
	.forget = forget,
};

void vss_ic_init(struct vss_ic *vss, const struct vss_ic_ops *ops, void *ctx)
{
	memset(vss, 0, sizeof *vss);
	vss->ops = ops;
	vss->ctx = ctx;
	ic_guest_init(&vss->ic, &vss_ic_service, vss);
}

void vss_ic_finish(struct vss_ic *vss, bool is_done)
{
	static const struct vss_flags_wire checked = {
		.header.operation = VSS_HOT_BACKUP, .flags = VSS_FLAGS_NO_AUTO_RECOVERY};
	if (!vss->is_pending)
		return;
	vss->is_pending = false;
	const bool has_flags = is_done && vss->pending == VSS_HOT_BACKUP;
	(void)ic_guest_finish(&vss->ic, vss->ticket, is_done ? IC_STATUS_SUCCESS : IC_STATUS_FAIL,
		has_flags ? &checked : NULL, has_flags ? sizeof checked : 0);
}
