// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination, guest side: takes the host's requests apart and has those that matter
 * done by its owner, who may take long. The rest is answered here.
 *
 *	ic_guest <-> vss_ic <-> struct vss_ic_ops: whoever can freeze
 *
 *	begin:	start(); return IC_GUEST_LATER;
 *	later:	vss_ic_finish(&vss, true);
 *
 * One is under way at a time. What was frozen when the channel closes is the owner's to thaw
 * (R-VSS-010): it sees the end of the channel.
 *
 * Threads: none of its own; one owner. Rules: R-VSS-001 to R-VSS-003, R-VSS-005, R-VSS-007,
 * R-VSS-009, R-VSS-011 to R-VSS-014.
 */
#ifndef GUEST_IC_DAEMONS_VSS_IC_H
#define GUEST_IC_DAEMONS_VSS_IC_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/vss.h"

/* Who does it. Constant. */
struct vss_ic_ops {
	/*
	 * Begin VSS_HOT_BACKUP (can you freeze?), VSS_FREEZE or VSS_THAW. Returns how it went,
	 * IC_STATUS_*, or IC_GUEST_LATER; vss_ic_finish() follows then, not in the call.
	 */
	uint32_t (*begin)(void *ctx, uint8_t operation);
	/* Nobody waits for what was begun any more; finishing it is not needed. May be NULL. */
	void (*forget)(void *ctx);
};

struct vss_ic {
	struct ic_guest ic;
	const struct vss_ic_ops *ops; /* borrowed */
	void *ctx;		      /* borrowed; handed to ops */
	uint64_t ticket;
	uint8_t pending; /* operation that is under way; valid with is_pending */
	bool is_pending;
	/* Since init. */
	uint64_t operations[VSS_OPERATION_COUNT];
	uint64_t refused; /* no such operation, or a body that breaks a rule */
};

/* Ready for a channel to open. `vss` must not move afterwards. */
void vss_ic_init(struct vss_ic *vss, const struct vss_ic_ops *ops, void *ctx);

/* What was begun is done, or has failed. Nothing happens if nobody waits for it any more. */
void vss_ic_finish(struct vss_ic *vss, bool is_done);

/* The component's row. */
extern const struct ic_guest_service vss_ic_service;

#endif
