// SPDX-License-Identifier: Apache-2.0
/*
 * An unmodified Linux in a virtual machine, and the host that we play for it.
 *
 *	connection.c, channel.c, …: const tables of struct conform_test
 *	   |
 *	ic.h, disk.h	  services and a disk as a host has them
 *	bus.c, channel.c  control messages, offers, rings: right, until a test makes them wrong
 *	guest.c		  the machine, its serial port, waiting
 *	   |
 *	host/machine	  KVM, SynIC, hypercalls: the real ones
 *
 * Why a bus of its own, and not the VMBus server with something between it and the guest: that
 * server is made so that it cannot say what a hostile host says, and it would have to be talked
 * out of its own state after each lie. This bus has no state but what the guest has told, answers
 * as a plain host does, and lets a test take any message for itself (struct linux_guest.on_post).
 *
 * A test is a struct conform_test whose `needs` are of enum linux_need, and whose target is the
 * first member of a struct linux_guest. What it finds, it finds as a host does: by messages, rings,
 * signals. The serial port is there to make the guest do something, to see whether it is alive,
 * and for what its kernel complains of.
 *
 * Threads: one, beside those of the machine's virtual processors.
 */
#ifndef TESTS_CONFORMANCE_LINUX_GUEST_H
#define TESTS_CONFORMANCE_LINUX_GUEST_H

#include "host/machine/machine.h"
#include "protocol/ring.h"
#include "protocol/vmbus.h"
#include "tests/conformance/conform.h"

#include <poll.h>

#define LINUX_CHANNELS_MAX 768u
#define LINUX_POSTS_MAX	   16384u
#define LINUX_GPADLS_MAX   64u
#define LINUX_POLLS_MAX	   96u
#define LINUX_TEXT_BYTES   (1u << 20)
#define LINUX_OUTPUT_BYTES 512u
#define LINUX_PATIENCE_MS                                                                          \
	8000u /* what must come has come by then, where processors are emulated                    \
	       */
#define LINUX_VP_COUNT	   2u
#define LINUX_MEMORY_BYTES (256ull << 20)

enum linux_need {
	LINUX_UNLOADED = 0, /* hv_vmbus is not loaded, nothing is offered */
	LINUX_BUS = 1,	    /* connected at 5.3, drivers loaded, nothing offered */
	LINUX_LAST = 2,	    /* the guest is not used again */
};

/* A message that the guest has posted. */
struct linux_post {
	uint32_t connection_id;
	uint32_t type; /* of its header; UINT32_MAX if it has none */
	size_t bytes;
	uint8_t payload[VMBUS_MESSAGE_BYTES_MAX];
};

struct linux_gpadl {
	uint32_t id; /* 0: free */
	uint32_t relid;
	uint32_t stream_bytes, got_bytes;
	bool is_created; /* answered with success */
	uint64_t *words; /* owned: the stream of ranges */
};

struct linux_guest;
struct linux_channel;

struct linux_channel {
	struct linux_guest *guest;
	struct vmbus_offer_channel_wire offer; /* relid 0: not in use */
	bool is_told, is_rescinded, is_released;
	bool is_open;
	unsigned opens, closes, releases;
	uint32_t target_vp;
	struct vmbus_open_channel_wire request; /* the last */
	struct guest_ring_mapping incoming, outgoing;
	struct ring_reader reader; /* guest to host */
	struct ring_writer writer; /* host to guest */
	unsigned signals;	   /* of the guest, since it was opened */
	/* The host's device: called while waiting, when there may be something in the ring. */
	void (*ready)(struct linux_channel *channel);
	void *device;
};

struct linux_guest {
	struct conform_target target; /* first: for EXPECT() and its kin */
	struct machine *machine;
	struct partition *partition;
	const struct guest_memory *memory;
	/* the machine's descriptors */
	struct pollfd polls[LINUX_POLLS_MAX];
	size_t poll_count;
	/* serial port */
	int serial; /* our end */
	int console_fd;
	char *text; /* all that it has said, NUL-terminated */
	size_t text_bytes;
	size_t seen; /* what came up to here was there before the test */
	unsigned commands;
	char release[64]; /* of its kernel */
	bool has_ended;
	bool has_reset;
	char end[96]; /* how */
	unsigned crashes;
	/* the bus */
	uint32_t version_max, version; /* the highest to accept; the one in force, 0: none */
	uint32_t selected;	       /* connection id to name at 5.0 and later; 0: 4 */
	bool wants_offers;	       /* has asked for them */
	bool is_mute;		       /* answer nothing */
	bool is_loaded;		       /* hv_vmbus is */
	uint32_t relid_next;
	uint32_t instance_next;
	struct linux_channel *channels; /* LINUX_CHANNELS_MAX */
	struct linux_gpadl gpadls[LINUX_GPADLS_MAX];
	struct linux_post *posts; /* since the boot, LINUX_POSTS_MAX */
	size_t post_count;
	size_t from; /* linux_await() looks at posts from here on */
	struct linux_outbox {
		uint16_t bytes;
		uint8_t payload[VMBUS_MESSAGE_BYTES_MAX];
	} * outbox;
	size_t outbox_first, outbox_count, outbox_size;
	/* A test's: true: this post is dealt with. Taken away after the test. */
	bool (*on_post)(struct linux_guest *guest, const struct linux_post *post);
	unsigned count; /* for its use, 0 at its start */
};

static inline struct linux_guest *linux_guest_of(struct conform_target *target)
{
	return (struct linux_guest *)(void *)target;
}

/* ---- the machine: guest.c -------------------------------------------------------------------- */

struct linux_guest_config {
	const char *kernel, *initrd; /* paths, borrowed for life */
	int console_fd;		     /* what the guest says is written there, too; -1: nowhere */
};

/* Boot it, and wait until it takes commands. 0, or -1 with the reason as the evidence. */
int linux_guest_start(struct linux_guest *guest, const struct linux_guest_config *config);
void linux_guest_stop(struct linux_guest *guest);

/* One turn: what has come from the guest, for at most `ms`. */
void linux_turn(struct linux_guest *guest, int ms);
/* Turn until it holds or LINUX_PATIENCE_MS have gone by, or the guest has ended. */
bool linux_until(
	struct linux_guest *guest, bool (*holds)(struct linux_guest *guest, void *ctx), void *ctx);
uint64_t linux_now_ms(void);

/*
 * Have the shell do something; its exit status, or -1 with evidence if it does not answer
 * (`what` in the evidence). linux_say() reads its output, too: LINUX_OUTPUT_BYTES, one line.
 */
int linux_do(struct linux_guest *guest, const char *command, ...)
	__attribute__((format(printf, 2, 3)));
int linux_say(struct linux_guest *guest, char output[LINUX_OUTPUT_BYTES], const char *command, ...)
	__attribute__((format(printf, 3, 4)));
/* What the kernel has complained of since the test began: an oops, a warning; NULL: nothing. */
const char *linux_complaint(struct linux_guest *guest, char line[CONFORM_EVIDENCE_BYTES]);

/* ---- control messages: bus.c ----------------------------------------------------------------- */

int linux_bus_start(struct linux_guest *guest);
void linux_bus_stop(struct linux_guest *guest);
/* Everything is forgotten, as at a reset of the machine. */
void linux_bus_forget(struct linux_guest *guest);
void linux_bus_flush(struct linux_guest *guest);

/* Queue a message to the guest, any bytes (240 at most), behind those that wait. */
void linux_send(struct linux_guest *guest, const void *payload, size_t bytes);
/* A header and up to four words. */
void linux_send_words(
	struct linux_guest *guest, uint32_t type, const uint32_t *words, size_t count);
void linux_send_version(
	struct linux_guest *guest, uint8_t supported, uint8_t state, uint32_t selected);
void linux_send_created(struct linux_guest *g, uint32_t relid, uint32_t gpadl, uint32_t status);
void linux_send_result(struct linux_guest *g, uint32_t relid, uint32_t open_id, uint32_t status);
/*
 * Write the slot of SINT 2 on VP 0 itself, with sizes and types that no hypervisor has, and raise
 * the interrupt. False with evidence if the slot does not become free.
 */
bool linux_slot(struct linux_guest *guest, uint32_t type, uint8_t payload_bytes, uint8_t flags,
	const void *payload, size_t bytes);

/* All that was sent has been taken out of the slot; false with evidence. */
bool linux_drained(struct linux_guest *guest);

/* The next post of this type, from guest->from on; NULL with evidence if none comes. */
const struct linux_post *linux_await(struct linux_guest *guest, uint32_t type);
/* How many there are of this type from post `from` on, whose first word after the header is
 * `word` (or any: UINT32_MAX). */
unsigned linux_posts(const struct linux_guest *guest, size_t from, uint32_t type, uint32_t word);
uint32_t linux_word(const struct linux_post *post, size_t offset);

/* Is there a connection 4, for INITIATE_CONTACT of 5.0 and later? */
void linux_multi_client_set(struct linux_guest *guest, bool is_there);

/* ---- offers and channels: bus.c, rings.c ----------------------------------------------------- */

/* A device with a relid and an instance that are new; not told to the guest yet. */
struct linux_channel *linux_offer_make(struct linux_guest *guest, const struct guid *type);
/* Tell it; and both. */
void linux_offer_tell(struct linux_guest *guest, struct linux_channel *channel);
struct linux_channel *linux_offer(struct linux_guest *guest, const struct guid *type);
/* An offer that is in no table of ours: what comes of it, comes of it. */
void linux_offer_raw(struct linux_guest *guest, const struct vmbus_offer_channel_wire *offer);
struct linux_channel *linux_channel_find(struct linux_guest *guest, uint32_t relid);
void linux_rescind(struct linux_guest *guest, struct linux_channel *channel);
bool linux_released(struct linux_guest *guest, struct linux_channel *channel);
/* Wait for the guest to open it; to close it. */
bool linux_opened(struct linux_guest *guest, struct linux_channel *channel);
bool linux_closed(struct linux_guest *guest, struct linux_channel *channel);
/* Rescind what there is, and see it released. False with evidence. */
bool linux_clear(struct linux_guest *guest);
/* The instance, as sysfs writes it. */
const char *linux_instance(const struct linux_channel *channel, char text[GUID_TEXT_BYTES]);

bool linux_rings_map(struct linux_channel *channel, const struct linux_gpadl *gpadl);
void linux_rings_unmap(struct linux_channel *channel);
void linux_event(struct linux_channel *channel);
/* Write a packet and signal if that is due, or not. */
bool linux_packet(
	struct linux_channel *channel, const struct packet_header *header, const void *payload);
bool linux_packet_quiet(
	struct linux_channel *channel, const struct packet_header *header, const void *payload);
/*
 * A packet with a descriptor and bytes of any kind: `bytes` of it, then a trailer, then the index
 * moves by `advance` (a multiple of 8 in a sound ring), and the event is raised.
 */
void linux_packet_raw(struct linux_channel *channel,
	const struct packet_descriptor_wire *descriptor, const void *payload, uint32_t bytes,
	uint32_t advance);
/* The next packet from the guest, copied, its payload `bytes` at most; false with evidence. */
bool linux_receive(
	struct linux_channel *channel, struct packet_view *view, void *payload, size_t bytes);
bool linux_has_packet(struct linux_channel *channel);
/* The guest has read all that was written; false with evidence. */
bool linux_taken(struct linux_channel *channel);

#endif
