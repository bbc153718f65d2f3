// SPDX-License-Identifier: Apache-2.0
/*
 * File copy, guest side: keeps the host to the order and the bounds of a copy, and has its
 * owner do the rest.
 *
 *	ic_guest (packets)		fcopy_device_linux (the kernel's records)
 *	      \				   /
 *	fcopy_ic	this file: names, order, bounds; UTF-16 to UTF-8
 *	      |
 *	struct fcopy_ic_ops	the file (fcopy_job_linux, or a test)
 *
 * Sans-I/O, freestanding. The host is hostile: what reaches the operations is a name without
 * separators, an absolute path without "..", fragments without gaps and within the size; the
 * file's end comes only when all of it is there.
 *
 * Threads: none of its own; one owner. Rules: R-FCOPY-001 to 019 but those of the host.
 */
#ifndef GUEST_IC_DAEMONS_FCOPY_IC_H
#define GUEST_IC_DAEMONS_FCOPY_IC_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/fcopy.h"

/* What is to be copied. Text is checked UTF-8, borrowed during the call. */
struct fcopy_start {
	const char *name;
	const char *path;
	bool overwrites;
	bool creates_path;
	uint64_t size_bytes;
};

/* One request, whichever way it came. */
struct fcopy_request {
	uint32_t operation; /* enum fcopy_operation, unchecked */
	struct fcopy_start start;
	uint32_t flags; /* of start, unchecked */
	uint64_t offset;
	uint32_t bytes;
	const uint8_t *data; /* `bytes` of it; borrowed during the call */
};

/*
 * What the owner does. Each but drop returns IC_STATUS_* or FCOPY_STATUS_*, or IC_GUEST_LATER:
 * then fcopy_ic_finish() follows, unless drop comes first. One is under way at a time. One that
 * fails has removed what there was of the file; complete, too, leaves nothing to remove.
 */
struct fcopy_ic_ops {
	uint32_t (*start)(void *ctx, const struct fcopy_start *start);
	uint32_t (*write)(void *ctx, uint64_t offset, const uint8_t *data, uint32_t bytes);
	uint32_t (*complete)(void *ctx);
	uint32_t (*cancel)(void *ctx); /* also without a copy */
	/*
	 * Remove what there is of the file, as soon as what is under way lets you, and do not
	 * finish that. The next start may come at once.
	 */
	void (*drop)(void *ctx);
	/* The answer to a request from the kernel's device that was to come later. */
	void (*reply)(void *ctx, uint32_t status);
};

struct fcopy_ic {
	struct ic_guest ic;
	const struct fcopy_ic_ops *ops; /* borrowed, constant */
	void *ctx;			/* borrowed; handed to ops */
	struct fcopy_progress progress;
	bool is_pending; /* an operation will be finished later */
	bool is_device;	 /* and was asked for by the kernel's device */
	uint64_t ticket;
	struct fcopy_request pending; /* numbers alone */
	/* Since init; they survive reopening. */
	uint64_t starts; /* that reached the owner */
	uint64_t completed;
	uint64_t cancelled; /* by the host, while there was a copy */
	uint64_t failed;    /* requests answered with a failure */
	uint64_t written_bytes;
	uint32_t last_status; /* of the last failure */
};

/* Ready for a channel to open. `fcopy` must not move afterwards. */
void fcopy_ic_init(struct fcopy_ic *fcopy, const struct fcopy_ic_ops *ops, void *ctx);

/* The channel, or the device, has closed, or the host was silent too long: drop the copy. */
void fcopy_ic_reset(struct fcopy_ic *fcopy);

/*
 * A request from the kernel's device. Returns the status of the answer, or IC_GUEST_LATER:
 * ops->reply follows.
 */
uint32_t fcopy_ic_request(struct fcopy_ic *fcopy, const struct fcopy_request *request);

/* The operation that was put off has ended with this status. */
void fcopy_ic_finish(struct fcopy_ic *fcopy, uint32_t status);

/* The component's row. */
extern const struct ic_guest_service fcopy_ic_service;

#endif
