// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback backend: the guest of a partition is another process, or another
 * thread, that maps the same memory. Wire and rules: protocol/loopback.h.
 *
 *	event loop -> backend_loopback_{on_readable, poll, arm, disarm}
 *		-> partition_hypercall(), partition_msr_*(), partition_signal()
 *	partition -> interrupt_assert -> bit in the control page, byte in a pipe
 *
 * One guest at a time. When it has gone (closed its socket, died, or sent something
 * that it may not), the partition is reset and on_guest_gone is called. Once the
 * host has let go of guest memory (no ring mapped, no I/O under way) it calls
 * backend_loopback_release(): memory, control region and pipes are made anew, so
 * that a guest which only closed its socket, and still has everything mapped, cannot
 * reach the next one. Who connects meanwhile waits for that.
 *
 * Replacing memory costs one memfd, and nothing for pages that no one touched;
 * zeroing it would have to write them all and would leave the old guest a window.
 *
 * Threads: the loop thread, for everything.
 */
#ifndef HOST_HYPERVISOR_BACKEND_LOOPBACK_H
#define HOST_HYPERVISOR_BACKEND_LOOPBACK_H

#include "host/hypervisor/partition.h"

struct backend_loopback;

/* X(NAME, text) */
#define LOOPBACK_GONE_REASONS(X)                                                                   \
	X(CLOSED, "guest closed its socket or died")                                               \
	X(SPOKE, "guest sent a packet after hello")                                                \
	X(DISCONNECTED, "host disconnected the guest")

enum loopback_gone_reason {
#define LOOPBACK_GONE_ENUM(NAME, text) LOOPBACK_GONE_##NAME,
	LOOPBACK_GONE_REASONS(LOOPBACK_GONE_ENUM)
#undef LOOPBACK_GONE_ENUM
		LOOPBACK_GONE_REASON_COUNT
};

const char *loopback_gone_reason_text(enum loopback_gone_reason reason);

/* All optional but watch and unwatch. Called last, so they may call back in. */
struct backend_loopback_callbacks {
	/* Poll `fd` for POLLIN, level-like; call backend_loopback_on_readable() for it. 0 or
	 * -errno. */
	int (*watch)(void *ctx, int fd);
	/* Stop; the descriptor is closed right after. */
	void (*unwatch)(void *ctx, int fd);
	void (*on_guest_attached)(void *ctx);
	/*
	 * The partition was reset already. Valid replies: backend_loopback_release(), here or
	 * later. Without this callback it is done at once.
	 */
	void (*on_guest_gone)(void *ctx, enum loopback_gone_reason reason);
	void *ctx;
};

/*
 * Attach a loopback backend to a partition. Without listen or attach no guest can come.
 * Returns 0, -EINVAL (more VPs than LOOPBACK_VP_MAX) or -ENOMEM.
 */
int backend_loopback_create(struct partition *partition,
	const struct backend_loopback_callbacks *callbacks, struct backend_loopback **out);

/* Part with the guest (it sees end of file), unlink the socket. Rings must be unmapped. */
void backend_loopback_destroy(struct backend_loopback *backend);

/*
 * Listen on a Unix SEQPACKET socket at `path`, mode 0600. A socket that no one listens on
 * any more is replaced. Returns 0; -EADDRINUSE if a server answers there; -EEXIST if
 * something that is no socket is there; -ENAMETOOLONG; or another negative errno.
 */
int backend_loopback_listen(struct backend_loopback *backend, const char *path);

/*
 * Take over a connected SEQPACKET socket (one end of a socketpair), as if it had been
 * accepted: for a guest in the same process, or a parent that hands one in. The backend
 * owns and closes fd, also on failure. Returns 0 or a negative errno.
 */
int backend_loopback_attach(struct backend_loopback *backend, int fd);

/* A watched descriptor is readable or in error. Unknown descriptors are ignored. */
void backend_loopback_on_readable(struct backend_loopback *backend, int fd);

/*
 * For loop sources. poll: serve each mailbox and each signal at most once; true if there
 * was any work. arm: true if the loop may sleep. disarm: the loop is awake again.
 */
bool backend_loopback_poll(struct backend_loopback *backend);
bool backend_loopback_arm(struct backend_loopback *backend);
void backend_loopback_disarm(struct backend_loopback *backend);

/* The host has let go of the memory of the guest that has gone; the next one may come. */
void backend_loopback_release(struct backend_loopback *backend);
/* Part with the present guest, if any; then as if it had gone. */
void backend_loopback_disconnect(struct backend_loopback *backend);
/* Answer newcomers with LOOPBACK_WELCOME_STOPPING from now on. */
void backend_loopback_stop(struct backend_loopback *backend);

bool backend_loopback_has_guest(const struct backend_loopback *backend);

struct backend_loopback_statistics {
	uint64_t guests; /* welcomed */
	uint64_t gone[LOOPBACK_GONE_REASON_COUNT];
	uint64_t refused_busy;	   /* newcomers while there is a guest */
	uint64_t refused_version;  /* with another transport version */
	uint64_t refused_garbage;  /* first packet was no hello, or more came after it */
	uint64_t refused_crowd;	   /* pushed out by LIMIT_LOOPBACK_STRANGERS */
	uint64_t failed_resources; /* no memory or descriptors to welcome one */
	uint64_t requests;	   /* mailboxes served */
	uint64_t requests_invalid; /* bit set without a request, or of an unknown kind */
	uint64_t signals;	   /* bits taken from the bitmap */
	uint64_t doorbells;	   /* wake-ups of the host */
	uint64_t interrupts;	   /* asserted */
	uint64_t wakeups;	   /* of these, how many found the VP asleep and cost a write */
};
void backend_loopback_statistics_get(
	const struct backend_loopback *backend, struct backend_loopback_statistics *out);

#endif
