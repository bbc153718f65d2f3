// SPDX-License-Identifier: Apache-2.0
/*
 * A model of one VMBus connection, walked exhaustively: the real server and the real
 * client, joined by two queues, with every choice of the world around them as a move.
 *
 *	model_channel.c		scenarios, seeded defects, closing line
 *	model_channel_walk.c	breadth first over all states; traces; progress
 *	model_channel_moves.c	which moves are possible, and doing one
 *	model_channel_host.c	the server's sources, its devices, defects of the host
 *	model_channel_guest.c	the client's sources, its user, defects of the guest
 *	model_channel_monitor.c	what must hold of each message and in each state
 *
 * The whole state is one struct world, plain data at a fixed address: pointers in it point
 * into it or at constants, so that a copy of its bytes, put back, is the state again. Two
 * states are the same if their canonical forms are: what cannot matter any more (counters,
 * slot numbers, the clock itself) is left out of that.
 *
 * Moves are of two kinds. The machinery has to make its moves some time (deliver a message,
 * answer an open); users, hosts and the clock may make theirs at any time, or never. From
 * every state the machinery alone must come to rest, in a state on which both ends agree.
 *
 * One thread; everything is static.
 */
#ifndef TESTS_MODEL_MODEL_CHANNEL_H
#define TESTS_MODEL_MODEL_CHANNEL_H

#include "tests/model/model_channel_small.h"

#include "guest/vmbus/client.h"
#include "host/vmbus/server_internal.h"

enum {
	MODEL_CHANNELS = 2, /* a primary and a subchannel */
	MODEL_BUFFERS = 1,  /* GPADLs beside the rings */
	MODEL_LOANS = MODEL_CHANNELS + MODEL_BUFFERS,
	MODEL_DEVICES = 4,
	MODEL_TO_HOST = 6,  /* room of the queues */
	MODEL_TO_GUEST = 2, /* the slot, and one behind it */
	MODEL_ARENA = 13,   /* GPADL page lists alive */
	MODEL_ARENA_WORDS = 36,
	MODEL_RING_PAGES = 4,
	MODEL_BUFFER_PAGES = 30, /* a GPADL of two messages */
	MODEL_RANGE_PAGES = 64,	 /* from one range of pages to the next */
	MODEL_GPADL_IDS = 16,	 /* used in one run, at most */
};

/* What is broken on purpose. */
enum model_defect {
	MODEL_SOUND,
	MODEL_RESCIND_LOST,	  /* the host forgets to say that it took an offer back */
	MODEL_OPEN_AFTER_RESCIND, /* the host answers an open after the rescind */
	MODEL_TORNDOWN_LOST,	  /* the host forgets a teardown that had to wait */
	MODEL_RELID_REUSED,	  /* the host reuses a relid that was not released */
	MODEL_UNLOAD_EARLY,	  /* the host confirms an unload while devices are busy */
	MODEL_WAIT_NOT_ENDED,	  /* the guest goes on waiting for a rescinded channel */
	MODEL_PAGES_FREED_EARLY,  /* the guest takes its rings back with CLOSE */
	MODEL_RELEASE_LOST,	  /* the guest forgets to release when a GPADL was the last user */
	MODEL_RELEASE_TWICE,	  /* the guest releases a relid twice */
	MODEL_DEFECT_COUNT,
};

/* How often the world may do each thing in one run. */
enum model_budget {
	MODEL_CONNECTS,
	MODEL_OPENS,
	MODEL_CREATES, /* of buffers */
	MODEL_MODIFIES,
	MODEL_UNLOADS,
	MODEL_CRASHES, /* the guest's client forgets everything and starts anew */
	MODEL_HASTY,   /* requests with a deadline */
	MODEL_TIMES,   /* deadlines that pass */
	MODEL_OFFERS,  /* beside those that are there at the start */
	MODEL_REMOVES,
	MODEL_REFUSALS, /* opens that a device refuses */
	MODEL_HOLDS,	/* devices that take hold of a buffer */
	MODEL_RESETS,	/* of the virtual machine */
	MODEL_BUDGET_COUNT,
};

struct model_scenario {
	const char *name;
	uint32_t host_version; /* highest of each end; 0: all */
	uint32_t guest_version;
	uint32_t features;  /* asked for by the guest */
	unsigned channels;  /* offered at the start: 1, or 2 with a subchannel */
	bool is_prompt;	    /* devices answer within the call */
	bool is_connected;  /* begins after the connect, at rest */
	unsigned host_room; /* messages on their way to the host */
	uint8_t budgets[MODEL_BUDGET_COUNT];
};

/* ---- moves: number = kind * MODEL_MOVE_ARGUMENTS + argument ---- */

enum model_move {
	/* the machinery */
	MODEL_TO_GUEST_NEXT,
	MODEL_TO_HOST_NEXT,
	MODEL_RETRY,		    /* a pause of the client ends */
	MODEL_OPENED,		    /* device */
	MODEL_CLOSED,		    /* device */
	MODEL_LET_GO,		    /* device: of a buffer that is being torn down */
	MODEL_CHOICES,		    /* what follows nobody has to do */
	MODEL_HOLD = MODEL_CHOICES, /* device */
	MODEL_REFUSED,		    /* device */
	MODEL_OFFER,		    /* subchannel index */
	MODEL_REMOVE,		    /* device */
	MODEL_RESET,
	MODEL_TIME,
	MODEL_CONNECT, /* patient (0) or hasty (1) */
	MODEL_OPEN,    /* channel * 2 + is hasty */
	MODEL_CLOSE,   /* channel * 2 + is hasty */
	MODEL_CREATE,  /* is hasty */
	MODEL_TEARDOWN,
	MODEL_MODIFY, /* channel * 2 + is hasty */
	MODEL_UNLOAD, /* is hasty */
	MODEL_CRASH,
	MODEL_MOVE_COUNT,
};
#define MODEL_MOVE_ARGUMENTS 4u
#define MODEL_MOVES	     ((unsigned)MODEL_MOVE_COUNT * MODEL_MOVE_ARGUMENTS)

/* ---- state ---- */

struct model_message {
	uint8_t bytes;
	uint8_t tag; /* to the host: connection id; to the guest: contact that it belongs to */
	_Alignas(8) uint8_t payload[VMBUS_MESSAGE_BYTES_MAX];
};

/* What stands behind an offer of the host. */
struct model_device {
	vmbus_server_id id;
	uint8_t state; /* enum server_device_state, as the device sees it */
	uint8_t index; /* subchannel index */
	uint8_t relid;
	uint8_t range; /* of its rings, if not idle */
	bool is_used;  /* this row */
	bool is_removed;
	bool is_holding;
	uint32_t held; /* GPADL id */
};

/* What was said on one relid, in one connection. */
enum model_relid { MODEL_RELID_UNKNOWN, MODEL_RELID_OFFERED, MODEL_RELID_RESCINDED };

/* What the monitor remembers; all of it is part of the state. */
struct model_monitor {
	uint8_t host[VMBUS_RELID_COUNT];    /* enum model_relid: told by the host */
	uint8_t indices[VMBUS_RELID_COUNT]; /* subchannel index of what was offered */
	uint8_t guest[VMBUS_RELID_COUNT];   /* heard by the guest's user, not released */
	/* answers that the host owes: to OPEN and MODIFY by relid, and by GPADL id */
	uint8_t opens, modifies;
	uint8_t creating[MODEL_GPADL_IDS]; /* relid, or 0 */
	uint8_t tearing[MODEL_GPADL_IDS];
	bool is_contact_due; /* VERSION_RESPONSE */
	bool is_unload_due;  /* UNLOAD_COMPLETE */
	bool is_silent;	     /* nothing else may be said */
	uint8_t host_epoch;  /* contacts taken by the host */
	uint8_t guest_epoch; /* contacts posted */
	bool is_expired;     /* a deadline has passed */
	bool is_crashed;
	bool is_contact_abandoned; /* by its deadline, or by its user: the answer may come */
};

struct world {
	struct vmbus_server server;
	uint64_t arena[MODEL_ARENA][MODEL_ARENA_WORDS];
	uint16_t arena_used; /* bits */
	struct model_device devices[MODEL_DEVICES];

	struct vmbus_client client;
	struct vmbus_client_channel channels[MODEL_CHANNELS];
	struct vmbus_client_gpadl buffers[MODEL_BUFFERS];
	uint8_t ranges[MODEL_LOANS]; /* pages that the loan has, or had last */

	struct model_message to_guest[MODEL_TO_GUEST];
	struct model_message to_host[MODEL_TO_HOST];
	uint8_t to_guest_count, to_host_count;
	uint8_t budgets[MODEL_BUDGET_COUNT]; /* left */
	struct model_monitor monitor;
};

extern struct world world;
extern const struct model_scenario *model_scenario; /* in force */
extern enum model_defect model_defect;		    /* in force */
extern const char *model_fault; /* first thing that was wrong in this move, or NULL */

static inline void model_wrong(const char *fault)
{
	if (model_fault == NULL)
		model_fault = fault;
}

/* Canonical form: appended to a buffer of the walk. */
void model_put(uint64_t value);
void model_put_bytes(const void *bytes, size_t count);

static inline uint32_t model_u32(const struct model_message *m, unsigned at)
{
	uint32_t value;
	__builtin_memcpy(&value, m->payload + at, sizeof value);
	return value;
}

/* ---- host ---- */
void model_host_start(void);
/* False if the server does not take it now. */
bool model_host_message(const struct model_message *m);
/* The message slot has been emptied. */
void model_host_drained(void);
bool model_host_offer(unsigned index);
void model_host_remove(struct model_device *d);
void model_host_reset(void);
bool model_device_opened(struct model_device *d, int status);
bool model_device_closed(struct model_device *d);
bool model_device_hold(struct model_device *d);
bool model_device_let_go(struct model_device *d);
void model_host_put(void);

/* ---- guest ---- */
void model_guest_start(void);
void model_guest_message(const struct model_message *m);
bool model_guest_retry(void);
bool model_guest_time(void);
bool model_guest_connect(bool is_hasty);
bool model_guest_open(unsigned channel, bool is_hasty);
bool model_guest_close(unsigned channel, bool is_hasty);
bool model_guest_create(bool is_hasty);
bool model_guest_teardown(bool is_hasty);
bool model_guest_modify(unsigned channel, bool is_hasty);
bool model_guest_unload(bool is_hasty);
/* Loan n: the rings of channel n, or a buffer. */
struct vmbus_client_gpadl *model_loan(unsigned n);
void model_guest_put(void);

/* ---- moves ---- */
/* Make the first state of the scenario in force. */
void model_start(void);
/* Do a move. False: it is not possible here, and world is to be restored. */
bool model_move(unsigned move);
/* Say what the move would do in the present state. */
void model_move_print(unsigned move);

/* ---- monitor ---- */
void model_monitor_to_host(const struct model_message *m);  /* posted by the guest */
void model_monitor_taken(const struct model_message *m);    /* before the host acts on it */
void model_monitor_to_guest(const struct model_message *m); /* posted by the host */
void model_monitor_rejected(
	bool is_host, const struct model_message *m, enum vmbus_rejection reason);
/* Invariants of any state, and of those in which the machinery rests. */
void model_check(void);
void model_check_rest(void);
/* True if the guest has given up the pages of this range. */
bool model_range_is_lost(unsigned range);
/* The range that a page belongs to. */
unsigned model_range_of(uint64_t pfn);

/* ---- walk ---- */
struct model_result {
	const char *fault; /* NULL: all is well */
	size_t states, transitions, rests;
	unsigned depth;
};
/* Walk a scenario; if something is wrong and `want_trace`, print the shortest way there. */
struct model_result model_walk(
	const struct model_scenario *scenario, enum model_defect defect, bool want_trace);

#endif
