// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination as a component of a daemon: requests of the host, by the kernel's device
 * or by the channel, become questions to the keeper, whose answers become the responses.
 *
 *	kernel's device -> vss_device_linux --+
 *	                                      +-- vss_agent -- keeper (its own process)
 *	channel -> ic_guest -> vss_ic --------+
 *
 * From the question to freeze until the keeper says that nothing is frozen, the daemon is quiet:
 * daemon_quiet(). When the transport is gone, what is frozen is thawed (R-VSS-010).
 *
 * Threads: the daemon's loop.
 */
#ifndef GUEST_IC_DAEMONS_VSS_AGENT_LINUX_H
#define GUEST_IC_DAEMONS_VSS_AGENT_LINUX_H

#include "guest/ic_daemons/daemon.h"
#include "guest/ic_daemons/vss_ic.h"
#include "guest/ic_daemons/vss_keeper_linux.h"

#define VSS_AGENT_QUESTIONS_MAX 8u /* with the keeper at a time */

enum vss_asker {
	VSS_ASKER_NOBODY, /* any more */
	VSS_ASKER_CHANNEL,
	VSS_ASKER_DEVICE,
};

struct vss_agent {
	struct vss_ic ic;
	struct vss_keeper_options options;
	const struct vss_keeper_ops *ops; /* NULL: vss_keeper_system */
	struct daemon *daemon;
	int keeper; /* socket; -1: none */
	pid_t keeper_pid;
	struct daemon_watch watch;
	struct {
		enum vss_asker asker;
		enum vss_ask ask;
	} questions[VSS_AGENT_QUESTIONS_MAX]; /* oldest first */
	size_t question_count;
	bool is_quiet;
	bool is_frozen;
	/* Since the start; for the status file. */
	uint64_t freezes;
	uint64_t thaws;
	uint64_t refused;
	uint64_t expired;
	uint32_t file_systems; /* of the last freeze */
	uint32_t left_out;
	uint64_t freezing_ms;
	uint64_t frozen_ms;
	char problem[VSS_KEEPER_TEXT_BYTES]; /* the last */
};

/* Before daemon_main(); options and ops may be set afterwards. */
void vss_agent_init(struct vss_agent *agent);

/* The calls of struct daemon_component; ctx is the agent. */
int vss_agent_start(void *ctx, struct daemon *daemon);
int vss_agent_ready(void *ctx, struct daemon *daemon);
void vss_agent_on_transport(void *ctx, enum daemon_transport transport);
void vss_agent_stop(void *ctx, struct daemon *daemon);
void vss_agent_status(void *ctx, json_t *object);

extern const struct daemon_device vss_agent_device;

#endif
