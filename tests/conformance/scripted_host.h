// SPDX-License-Identifier: Apache-2.0
/*
 * A host for tests that judge the guest library: it answers as a host should, or as the test
 * tells it to, and looks at everything that the guest does. Bytes are written here by offset,
 * from the tables in protocol/; only the rings are those of protocol/ring.c, and tests may
 * write to them by hand.
 *
 *	guest_<area>.c: tests		   guest/ (vmbus, ic_daemons, vsc) of this process
 *	   |  this file				|
 *	struct scripted_host		   struct winhv
 *	   |	answers, packets, time		|
 *	platform_scripted + memory whose every allocation lies between pages that fault
 *
 * The clock moves only as the script says: waiting costs what is waited for, and `clock_step`
 * makes each look at it cost something. So a test of a deadline takes no time.
 *
 * Before a test, scripted_host_prepare() goes as far as the test needs. After it,
 * scripted_host_end() ends the connection and looks whether memory is missing: each page must be
 * back, or counted as abandoned.
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_SCRIPTED_HOST_H
#define TESTS_CONFORMANCE_SCRIPTED_HOST_H

#include "guest/vmbus/synic_bus.h"
#include "guest/winhv/platform_scripted.h"
#include "tests/bytes.h"
#include "tests/conformance/conform.h"

#define SCRIPTED_HOST_MEMORY_BYTES (4u << 20)
#define SCRIPTED_HOST_RELIDS	   12u
#define SCRIPTED_HOST_GPADLS	   64u
#define SCRIPTED_HOST_WRITES	   256u
#define SCRIPTED_HOST_RING_BYTES   8192u /* control page included: one data page */
#define SCRIPTED_HOST_SCRATCH	   65536u
#define SECOND			   10000000ull

/* What scripted_host_prepare() does; each includes those before it. */
enum guest_need {
	GUEST_BUS = 0x1,       /* hypercalls are on, a bus is set up; not connected */
	GUEST_CONNECTED = 0x3, /* at the newest version, with `offers` offers */
	GUEST_CHANNEL = 0x7,   /* and relid 1 is open, with rings of the smallest size */
};

struct scripted_host;

/* A WRMSR of the guest. */
struct scripted_write {
	uint32_t vp, msr;
	uint64_t value;
};

struct scripted_gpadl {
	uint32_t id, relid;
	uint64_t first_pfn;
	uint32_t pages;
	bool is_live, was_torn_down;
};

/* A channel as the host has it. */
struct scripted_channel {
	bool is_open;
	uint32_t open_id, gpadl_id, target_vp, downstream;
	uint32_t out_bytes, in_bytes; /* of the rings, as the guest sees them */
	uint8_t *rings;		      /* both, in guest memory; stays after the close */
	struct ring_reader in;	      /* the ring that the guest writes */
	struct ring_writer out;
	_Alignas(8) uint8_t scratch[2][SCRIPTED_HOST_SCRATCH];
	uint64_t packets; /* taken, as long as nobody else does (on_packet is NULL) */
};

struct scripted_host {
	struct conform_target target; /* first: tests get it, scripted_host_of() goes back */
	struct platform_scripted script;
	struct winhv_platform_ops ops;
	struct winhv hv;
	struct vmbus *bus;
	uint8_t *memory; /* the guest's */
	int memory_fd;

	/* set: how it answers */
	uint32_t version;      /* highest that it accepts */
	uint32_t version_last; /* lowest; 0: every one */
	uint32_t features;     /* that it knows */
	unsigned offers;       /* made on request: relids 1.. */
	bool is_silent[32];    /* by type of guest message: not answered */
	uint32_t status[32];   /* in the answer to that type: OPEN, GPADL_HEADER, MODIFY */
	bool is_copying;       /* the guest's rings are not mapped twice */
	uint64_t clock_step;   /* 100 ns for each look at the clock */
	uint8_t monitor_id[SCRIPTED_HOST_RELIDS];	/* 0xff: none */
	bool is_shared[SCRIPTED_HOST_RELIDS];		/* no dedicated interrupt */
	uint16_t subchannel[SCRIPTED_HOST_RELIDS];	/* of relid 1 */
	const uint8_t *interface[SCRIPTED_HOST_RELIDS]; /* 16 bytes; NULL: of no device */
	/* A control message, before it is answered. True: do not answer. */
	bool (*on_message)(struct scripted_host *h, const uint8_t *m, uint32_t bytes);
	/* OPEN has come, the rings are there, the result is not on its way. */
	void (*on_open)(struct scripted_host *h, uint32_t relid);
	/* A packet of the guest. */
	void (*on_packet)(struct scripted_host *h, uint32_t relid, const struct packet_view *view);
	/* The guest is about to sleep; its rings were served. */
	void (*on_wait)(struct scripted_host *h);
	/* WRMSR to EOM; what waits is not in the slot yet. */
	void (*on_eom)(struct scripted_host *h);
	void *ctx;     /* the test's */
	unsigned turn; /* likewise, 0 at first */

	/* seen */
	struct scripted_write writes[SCRIPTED_HOST_WRITES]; /* but those to EOM */
	unsigned write_count;
	uint64_t post_times[SCRIPTED_POSTS_MAX]; /* of script.posts */
	unsigned tails;			       /* bytes other than 0 behind the payload of posts */
	uint32_t vp;			       /* to which control messages go */
	uint64_t interrupt_page, monitor_page; /* of the contact; 0: none */
	struct scripted_gpadl gpadls[SCRIPTED_HOST_GPADLS];
	unsigned gpadl_count;
	uint32_t pending_words; /* of the page list that is under way, its last entry */
	struct scripted_channel channels[SCRIPTED_HOST_RELIDS];

	/* the guest's side */
	struct vmbus_channel guest[SCRIPTED_HOST_RELIDS];
	unsigned ready[SCRIPTED_HOST_RELIDS], rescinded[SCRIPTED_HOST_RELIDS];
	unsigned offered, gone;
	unsigned pages_of_dead; /* of guests that ended without a word */
};

/* ---- life ----------------------------------------------------------------------------------- */

/* NULL: no memory. Free with scripted_host_free(). */
struct scripted_host *scripted_host_create(void);
void scripted_host_free(struct scripted_host *h);

static inline struct scripted_host *scripted_host_of(struct conform_target *t)
{
	return (struct scripted_host *)(void *)t;
}

/* As far as `needs` (enum guest_need) says. False: the evidence says why. */
bool scripted_host_prepare(struct conform_target *t, uint32_t needs);
/* What every test must leave in order; sets the evidence. Turns everything off. */
bool scripted_host_end(struct conform_target *t);

/* ---- the guest ------------------------------------------------------------------------------ */

/* Set up a bus, with these versions and features; scripted_host_prepare() may have done it. */
bool guest_bus(struct conform_target *t, const struct vmbus_config *config);
/* The same, connected at most at this version (and the host knows no higher). */
bool guest_connect(struct conform_target *t, uint32_t version);
/* Open h->guest[relid] with rings of the smallest size. */
int guest_open(struct scripted_host *h, uint32_t relid);
bool guest_opens(struct conform_target *t, uint32_t relid);
/* A time 10 seconds from now. */
uint64_t guest_deadline(const struct scripted_host *h);
/* Serve the bus until nothing is left to do. */
void guest_serve(struct scripted_host *h);
/* Open this relid, pass a packet each way, close: nothing has befallen the bus. */
bool guest_goes_on(struct conform_target *t, uint32_t relid);
/* So many messages were refused for this reason. */
static inline uint64_t guest_refused(const struct scripted_host *h, enum vmbus_rejection reason)
{
	return h->bus->client.statistics.rejections[reason];
}

/* ---- control messages ----------------------------------------------------------------------- */

/* A message of SINT 2 to the VP of the connection. */
void host_say(struct scripted_host *h, const uint8_t *bytes, size_t count);
/* A header of this type and `count` words. */
void host_say_words(
	struct scripted_host *h, uint32_t type, unsigned count, uint32_t a, uint32_t b, uint32_t c);
/* OFFER_CHANNEL of a relid as the settings have it, in 196 bytes. */
void host_offer_bytes(const struct scripted_host *h, uint32_t relid, uint8_t m[196]);
void host_offer(struct scripted_host *h, uint32_t relid);
void host_rescind(struct scripted_host *h, uint32_t relid);
void host_version(struct scripted_host *h, size_t bytes, uint8_t supported, uint8_t state,
	uint32_t selected, uint32_t features);
/* Answer like the host that the settings describe. */
void host_answer(struct scripted_host *h, const uint8_t *m, uint32_t bytes);

/* Posts of a type so far (as long as there were not more than 128 posts in all). */
unsigned host_posts(const struct scripted_host *h, uint32_t type);
/* The last one: its payload, and all of it. An empty one if there was none. */
const struct scripted_post *host_last(const struct scripted_host *h, uint32_t type);
/* The number of the first post of that type, UINT32_MAX if there is none: for their order. */
unsigned host_first(const struct scripted_host *h, uint32_t type);

/* ---- rings ---------------------------------------------------------------------------------- */

/* Word (enum ring_word) of the control page; is_in: of the ring that the guest reads. */
uint32_t *host_word(struct scripted_host *h, uint32_t relid, bool is_in, unsigned word);
/* The data of that ring. */
uint8_t *host_data(struct scripted_host *h, uint32_t relid, bool is_in);
/* A packet into the guest's incoming ring; publish and signal. False: no room. */
bool host_send(struct scripted_host *h, uint32_t relid, uint16_t type, uint16_t flags, uint64_t id,
	const void *payload, uint32_t bytes);
/* By hand: `count` bytes at the guest's incoming `in`, of which so many are published. */
void host_send_raw(struct scripted_host *h, uint32_t relid, const uint8_t *bytes, uint32_t count,
	uint32_t published);
void host_event(struct scripted_host *h, uint32_t relid);
/* Take what the guest has written; on_packet gets it. Signals if that is due. */
void host_serve(struct scripted_host *h, uint32_t relid);

#endif
