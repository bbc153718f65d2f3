// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange, host side: reads and writes pairs in the guest's pools, and asks for
 * and sets the addresses of its adapters.
 *
 *	owner (kvp_provider.c on a VMBus, or a test)
 *	   |  kvp_vsp_start(job)		^  ops: send, failed; each job's done, item
 *	kvp_vsp		this file: jobs, one message at a time, answers checked
 *	   |
 *	ic_session	negotiation, deadlines; driven by ic_session_on_*() on `session`
 *
 * A sans-I/O state machine. A job is what somebody wants; it takes one message, or as many as a
 * pool has pairs. Jobs that wait take turns, a message each, so that nobody waits for somebody
 * else's long list. The owner keeps the memory of a job until done() says that it is over.
 *
 * The guest is hostile: each answer is checked before anything of it is believed, and what is
 * wrong is counted by its reason. It can lengthen a job, up to LIMIT_KVP_ITEMS pairs, and lie.
 *
 * Threads: none of its own; one owner. Rules: kvp.md.
 */
#ifndef HOST_VSP_KVP_VSP_H
#define HOST_VSP_KVP_VSP_H

#include "host/limits.h"
#include "host/vsp/ic_session.h"
#include "protocol/kvp.h"

/* How long a message waits for its answer: the guest's daemon has 30 seconds, and some. */
#define KVP_VSP_ANSWER_NS (5000000000ull + KVP_ANSWER_MS * 1000000ull)

enum kvp_job_kind {
	KVP_JOB_GET,  /* by GET, to which Linux gives an empty value: prefer KVP_JOB_FIND */
	KVP_JOB_FIND, /* by ENUMERATE, until the key is there */
	KVP_JOB_LIST, /* by ENUMERATE, from `index`, at most `count_max` pairs */
	KVP_JOB_SET,
	KVP_JOB_DELETE,
	KVP_JOB_GET_IP,
	KVP_JOB_SET_IP,
};

/* How a job ended. */
enum kvp_result {
	KVP_DONE,
	KVP_NOT_FOUND,	/* no such key in the pool */
	KVP_REFUSED,	/* by the guest, with `status` */
	KVP_NO_ANSWER,	/* by the deadline; the guest may do it yet */
	KVP_CLOSED,	/* the channel closed first; the guest may do it yet */
	KVP_BAD_ANSWER, /* the guest's answer breaks a rule: `reason` */
	KVP_UNSENT,	/* the message cannot be made, or the guest takes none: `reason` */
	KVP_TOO_MANY,	/* the pool has more than LIMIT_KVP_ITEMS pairs */
};

struct kvp_job {
	enum kvp_job_kind kind;
	uint8_t pool;	      /* enum kvp_pool; of pairs */
	uint32_t index;	      /* LIST: the first; then, the next to ask for */
	uint32_t count_max;   /* LIST: pairs to get before it is done, 1 or more */
	uint64_t patience_ns; /* give up so long after the last progress; 0: KVP_VSP_ANSWER_NS */
	struct kvp_item item; /* key, and pair of SET; of GET and FIND the pair that came */
	struct kvp_ip ip;     /* `adapter`, and all of SET_IP; what came of GET_IP */
	/*
	 * LIST: a pair came, or, with a reason that is not KVP_OK, one that cannot be shown. Must
	 * not start or cancel jobs.
	 */
	void (*item_came)(struct kvp_job *job, uint32_t index, const struct kvp_item *item,
		enum kvp_reason reason);
	/* It is over; the job is the owner's again, who may start one from here. */
	void (*done)(struct kvp_job *job, enum kvp_result result);
	void *ctx; /* the owner's */
	/* With done(). */
	uint32_t status;	/* of KVP_REFUSED */
	enum kvp_reason reason; /* of KVP_BAD_ANSWER, KVP_UNSENT */
	uint32_t count;		/* pairs that came */
	bool is_at_end;		/* LIST: the pool has no more */
	/* Of the machine. */
	struct kvp_job *next;
	uint64_t end_by_ns;
};

struct kvp_vsp_ops {
	struct ic_session_ops session;
	/* Versions are agreed: jobs may be started. May be NULL. */
	void (*ready)(void *ctx);
};

struct kvp_vsp {
	struct ic_session session; /* read it for status */
	const struct kvp_vsp_ops *ops;
	void *ctx;
	struct kvp_job *current; /* its message waits for the answer */
	struct kvp_job *first;	 /* of those that wait for their turn */
	struct kvp_job *last;
	unsigned jobs; /* all of them */
	bool is_pumping;
	/* Since init; they survive reopening. */
	uint64_t done;
	uint64_t refused;
	uint64_t unanswered;
	uint64_t bad[KVP_REASON_COUNT]; /* what was wrong with answers */
};

/* Closed. `ops` is borrowed, `ctx` handed to it. */
void kvp_vsp_init(struct kvp_vsp *vsp, const struct kvp_vsp_ops *ops, void *ctx);

/*
 * Begin a job. 0: done() follows, once, perhaps before this returns. Else nothing was done:
 * -ENOTCONN, the guest does not run the service, or has not agreed yet; -ENOBUFS, LIMIT_KVP_JOBS
 * are under way; -EINVAL, the pool is none that a host may do that to, or the key or the
 * value cannot be sent: job->reason.
 */
int kvp_vsp_start(struct kvp_vsp *vsp, struct kvp_job *job, uint64_t now_ns);

/*
 * The owner wants no more of a job that is under way: done() is not called. A message that
 * was sent may have its effect.
 */
void kvp_vsp_cancel(struct kvp_vsp *vsp, struct kvp_job *job);

/* "done", "not found", "refused", … */
const char *kvp_result_name(enum kvp_result result);

#endif
