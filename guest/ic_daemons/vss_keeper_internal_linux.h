// SPDX-License-Identifier: Apache-2.0
/*
 * What vss_keeper_linux.c (its behaviour) and vss_keeper_start_linux.c (its beginning, and what it
 * gathers before it freezes) share.
 */
#ifndef GUEST_IC_DAEMONS_VSS_KEEPER_INTERNAL_LINUX_H
#define GUEST_IC_DAEMONS_VSS_KEEPER_INTERNAL_LINUX_H

#include "guest/ic_daemons/vss_hooks_linux.h"
#include "guest/ic_daemons/vss_keeper_linux.h"

enum keeper_state {
	KEEPER_IDLE,
	KEEPER_FREEZING,
	KEEPER_FROZEN,
	KEEPER_STRAGGLING, /* given up, but the freezer's last call has not returned */
};

struct keeper {
	const struct vss_keeper_options *options;
	const struct vss_keeper_ops *ops;
	int socket; /* the daemon's */
	int timer;
	enum keeper_state state;
	bool is_freeze_asked; /* and not answered */
	bool is_thaw_asked;   /* while freezing */
	bool has_expired;     /* thawed before it was asked for, since the last freeze */
	bool are_hooks_due;
	uint64_t since_ms; /* that freezing began, or all is frozen */
	uint64_t milliseconds;
	uint32_t frozen;
	uint32_t left_out;
	/* of the backup under way */
	struct vss_config config;
	struct vss_mounts mounts;
	struct vss_board *board;
	size_t *names; /* mount of each slot */
	pid_t freezer;
	int life; /* the freezer lives as long as this is open */
	int done; /* what it says; its end */
};

void keeper_run(struct keeper *keeper);

/* False with the reason in `problem`. */
bool keeper_config_load(struct keeper *keeper, char *problem, size_t problem_bytes);
/* Decide what to freeze, and open it: mounts, board, names. Likewise. */
bool keeper_list_make(struct keeper *keeper, char *problem, size_t problem_bytes);
void keeper_list_drop(struct keeper *keeper);

/* 0 or a negative errno. */
int keeper_freezer_fork(struct keeper *keeper);

#endif
