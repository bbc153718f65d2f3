// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a copy, behind the daemon's back: what may wait for a disk is done in a thread,
 * one piece of work at a time, while the next fragments are gathered.
 *
 *	fcopy_ic	asks, is answered now or later
 *	      |
 *	fcopy_job	this file: two buffers, one piece of work under way
 *	      |  daemon_work()
 *	fcopy_file	writes
 *
 * A fragment that fits in the buffer is answered at once; an error of the disk is the answer to
 * a later one, or to complete. A dropped copy's work is let run, and its end ignored.
 *
 * Threads: the loop's, but for fcopy_file, which belongs to the work while there is some.
 */
#ifndef GUEST_IC_DAEMONS_FCOPY_JOB_LINUX_H
#define GUEST_IC_DAEMONS_FCOPY_JOB_LINUX_H

#include "guest/ic_daemons/daemon.h"
#include "guest/ic_daemons/fcopy_file_linux.h"
#include "guest/ic_daemons/fcopy_ic.h"

#define FCOPY_JOB_BUFFER_BYTES	   (1024u * 1024u)
#define FCOPY_JOB_WRITE_BACK_BYTES (16u * 1024u * 1024u)

/* Bytes of the file that go to it in one piece. */
struct fcopy_job_buffer {
	uint64_t offset;
	size_t bytes;
	uint8_t *at; /* owned */
};

/* A start that outlives the call. */
struct fcopy_job_text {
	struct fcopy_start start; /* without its text */
	char name[FCOPY_TEXT_BYTES];
	char path[FCOPY_TEXT_BYTES];
};

enum fcopy_job_kind {
	FCOPY_JOB_NONE,
	FCOPY_JOB_START,
	FCOPY_JOB_WRITE,    /* of the buffer that is not being filled */
	FCOPY_JOB_COMPLETE, /* with the buffer that is */
	FCOPY_JOB_DROP,
};

struct fcopy_job {
	struct daemon *daemon; /* borrowed */
	struct fcopy_ic *ic;   /* borrowed */
	struct fcopy_file file;
	struct fcopy_job_buffer buffers[2];
	unsigned filling; /* index of the one that takes fragments */
	/* Work. */
	enum fcopy_job_kind running;
	bool is_ended;		     /* by fcopy_job_end() */
	bool is_void;		     /* nobody wants to know how it ends */
	bool wants_drop;	     /* then */
	uint32_t work_status;	     /* of the thread's */
	struct fcopy_job_text start; /* the thread's, while it starts */
	/* What is asked, and answered later: one of START, WRITE, COMPLETE, DROP (cancel). */
	enum fcopy_job_kind asked;
	struct fcopy_job_text asked_start;
	uint64_t offset; /* of a fragment that found no room */
	uint32_t bytes;
	uint8_t data[FCOPY_FRAGMENT_BYTES];
	uint32_t status; /* IC_STATUS_SUCCESS, or how a write has failed since start */
	struct daemon_timer idle;
	struct daemon_timer retry; /* no thread was to be had */
	uint64_t log_since_ms;
	unsigned log_lines; /* since then */
	/* The last copy, for status. */
	struct fcopy_job_text last;
	char last_end[FCOPY_FILE_REASON_BYTES]; /* "", "copied", or why not */
};

/* `config` is borrowed. 0 or -ENOMEM. */
int fcopy_job_init(
	struct fcopy_job *job, const struct fcopy_file_config *config, struct fcopy_ic *ic);
/* Before any request. */
void fcopy_job_attach(struct fcopy_job *job, struct daemon *daemon);
/* The last call: remove what there is of a file and free, now or when the work has come back. */
void fcopy_job_end(struct fcopy_job *job);

/* For fcopy_ic_init() and a struct of the owner's, whose reply alone is missing. `ctx`: the job. */
uint32_t fcopy_job_start(void *ctx, const struct fcopy_start *start);
uint32_t fcopy_job_write(void *ctx, uint64_t offset, const uint8_t *data, uint32_t bytes);
uint32_t fcopy_job_complete(void *ctx);
uint32_t fcopy_job_cancel(void *ctx);
void fcopy_job_drop(void *ctx);

#endif
