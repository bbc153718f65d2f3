// SPDX-License-Identifier: Apache-2.0
/*
 * The store seam: what a LUN keeps its blocks in.
 *
 *	scsi_disk.c, scsi_dvd.c
 *	   |  store_submit(read | write | flush | discard | write zeroes)
 *	   v                                         ^ request->done(), once
 *	store_file_linux.c (image, block device, ISO over io_uring) | store_ram.c
 *
 * A request names bytes of the store and pieces of memory: guest memory, checked
 * and mapped by the caller, so that data moves between the guest and the store
 * with no copy in between. Nothing is allocated for a request: the caller owns it
 * and the store keeps its state inside.
 *
 * Durability: a write with `fua` is on stable storage when it completes; a flush
 * makes every write, discard and write-zeroes durable that completed before the
 * flush was submitted. Requests in flight at the same time have no order.
 *
 * Threads: a store belongs to one event loop; every call in both directions is
 * made there.
 */
#ifndef HOST_VSP_STORE_H
#define HOST_VSP_STORE_H

#include "host/completion.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct io_uring;
struct io_uring_sqe;
struct store;

enum store_op {
	STORE_READ,
	STORE_WRITE,
	STORE_FLUSH,	    /* no range */
	STORE_DISCARD,	    /* advisory: contents become undefined, space may be freed */
	STORE_WRITE_ZEROES, /* reads back as zeros; `may_unmap` allows to free the space */
	STORE_OP_COUNT,
};

/* Bytes of one request, a multiple of the block size, at most. */
#define STORE_REQUEST_BYTES_MAX (8u << 20)

/*
 * One request. The caller fills the first part and keeps the whole in place until
 * done(); `iov` covers exactly `bytes` for reads and writes, and the store may
 * change its entries. offset + bytes ≤ capacity and both are multiples of the block
 * size: the caller has checked.
 */
struct store_request {
	enum store_op op;
	bool fua;	/* STORE_WRITE, STORE_WRITE_ZEROES: durable at completion */
	bool may_unmap; /* STORE_WRITE_ZEROES */
	unsigned iov_count;
	struct iovec *iov;
	uint64_t offset; /* bytes */
	uint64_t bytes;
	/*
	 * Called once, perhaps before store_submit() returns: 0, or a negative errno (-EIO,
	 * -ENOSPC, -EBUSY: try again later, -ECANCELED …) with an undefined part moved.
	 */
	void (*done)(struct store_request *request, int result);

	/* The store's own while the request is in flight. */
	struct store *store;
	struct loop_completion completion;
	uint64_t progress_bytes;
	unsigned phase;
};

struct store_ops {
	const char *name; /* "file", "ram" */
	void (*submit)(struct store *store, struct store_request *request);
	/*
	 * Best effort: hurry the request to its done(), with -ECANCELED if it had no effect yet.
	 * Does nothing if the request is not in flight. NULL: requests cannot be hurried.
	 */
	void (*cancel)(struct store *store, struct store_request *request);
	/* Learn the present size. Returns 0 or a negative errno; NULL: the size never changes. */
	int (*refresh)(struct store *store);
	/* No request is in flight (a done() may be running). Release everything, the store too. */
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	const char *name;	 /* for messages; owned by the store */
	uint64_t capacity_bytes; /* multiple of block_bytes */
	uint32_t block_bytes;	 /* 512, 1024, 2048 or 4096 */
	uint32_t physical_bytes; /* preferred alignment, ≥ block_bytes, power of two */
	bool is_read_only;
	bool has_write_cache;  /* writes without fua need a flush to be durable */
	bool can_discard;      /* discard frees space */
	bool rotates;	       /* on a rotating disk */
	const uint8_t *memory; /* the contents, if they are in memory; only to be prefetched */
};

static inline void store_submit(struct store *store, struct store_request *request)
{
	store->ops->submit(store, request);
}

static inline void store_close(struct store *store)
{
	store->ops->close(store);
}

/* ---- RAM store ----------------------------------------------------------------------------- */

/*
 * A store in memory, zeroed, gone with the process. Completes inside store_submit().
 * bytes: multiple of block_bytes, > 0. Returns 0, -EINVAL or -ENOMEM.
 */
int store_ram_create(uint64_t bytes, uint32_t block_bytes, bool is_read_only, struct store **out);

/* The bytes of a RAM store, for tests and benchmarks. */
uint8_t *store_ram_bytes(struct store *store);

/* ---- file store ---------------------------------------------------------------------------- */

#define STORE_LOOP_FILES_MAX 64u /* registered descriptors; further ones work, slower */

/*
 * How file stores reach the event loop: its io_uring, and a source of submission
 * queue entries. The loop submits once a turn, and gives each completion to the
 * struct loop_completion whose address is the entry's user data. One for each loop;
 * it outlives the stores on it.
 */
struct store_loop {
	struct io_uring *ring;
	/* An entry, to be filled by an io_uring_prep_*(); NULL if the kernel takes none now. */
	struct io_uring_sqe *(*sqe)(void *ctx);
	void *ctx;

	/* The stores' own: the table of registered files. Zero at first. */
	bool files_tried;
	bool files_registered;
	uint64_t files_used;
};

struct store_file_options {
	const char *path;     /* regular file or block device */
	uint32_t block_bytes; /* 0: 512, or what the device needs; DVDs: always 2048 */
	bool is_read_only;
	bool is_direct;	   /* O_DIRECT: past the host's page cache */
	bool is_dvd;	   /* ISO image: read-only, 2048-byte blocks */
	bool ignores_lock; /* do not lock: the caller vouches for it */
};

/*
 * Open and lock an image. On failure a negative errno, and in `error` one line that
 * says what was attempted, on what, and what to do (always terminated; may be cut).
 * The lock is exclusive for a writable store and shared for a read-only one; it goes
 * with the store or the process, however that ends.
 *
 * Writes reach the host's page cache, or with is_direct the device's; a flush and a
 * write with fua reach stable storage (fdatasync, RWF_DSYNC). Discards punch holes.
 */
int store_file_open(const struct store_file_options *options, struct store_loop *loop,
	struct store **out, char *error, size_t error_bytes);

#endif
