// SPDX-License-Identifier: Apache-2.0
/*
 * Disks as byte ranges: reads and writes at any offset, punched holes, zeroed ranges,
 * flushes, made of the block requests of a storage client.
 *
 *	vsc_disk_fuse.c
 *	   |  disk_read(job) …                      ^ job->done(job)
 *	vsc_disk_io.c      splits, rounds to blocks, reads-modifies-writes under a lock
 *	   |  storage_vsc_submit()
 *	storage_vsc.h
 *
 * A job is one operation. Its memory is a buffer of the arena, taken before it
 * starts, so that a job that has started never waits for memory. Data moves between
 * these pages and the host with no copy; only the partial blocks at the two ends of an
 * unaligned write are put together by hand.
 *
 * Submitted requests are published by storage_vsc_flush(), once a turn of the
 * caller's loop. One thread. Jobs come from a fixed pool.
 */
#ifndef GUEST_VSC_VSC_DISK_IO_H
#define GUEST_VSC_VSC_DISK_IO_H

#include "guest/vsc/storage_vsc.h"
#include "guest/vsc/vsc_disk_arena.h"
#include "guest/vsc/vsc_disk_range.h"

#include <stdbool.h>
#include <stdint.h>

#define DISK_JOBS	  512u
#define DISK_PARTS	  8u	     /* requests of one job in flight */
#define DISK_TRANSFER_MAX (1u << 20) /* bytes of one read or write */
#define DISK_EDGE_PAGES	  2u	     /* partial blocks at both ends */
#define DISK_ZERO_PAGES	  16u	     /* zeros, or parameter lists */
#define DISK_ERASE_PAGES  (DISK_EDGE_PAGES + DISK_ZERO_PAGES)

struct disk_io;
struct disk_job;

/* One disk. The caller fills it by disk_attach() and keeps it until it is idle. */
struct disk {
	struct storage_vsc *vsc;
	struct storage_vsc_lun *lun; /* NULL: it has gone */
	uint64_t bytes;
	uint32_t block_bytes;
	bool is_read_only;
	bool has_no_unmap, has_no_write_same; /* promised, then refused */
	uint32_t jobs;			      /* under way */
	struct disk_range_lock lock;
	uint64_t partial_writes; /* with blocks read, modified, written */
};

enum disk_middle {		/* how an erased range of whole blocks is erased */
	DISK_MIDDLE_DATA,	/* not erased: a plain write */
	DISK_MIDDLE_SAME_UNMAP, /* WRITE SAME that may unmap */
	DISK_MIDDLE_SAME,
	DISK_MIDDLE_ZEROS, /* WRITE of zeros */
};

struct disk_job {
	/* The caller's, set before it starts. */
	struct disk *disk;
	uint64_t offset; /* bytes; the range lies inside the disk */
	uint64_t bytes;
	uint32_t page;	 /* first one of its buffer in the arena, if has_buffer */
	bool has_buffer; /* disk_job_free() gives it back */
	bool is_durable; /* write: on stable storage at the end */
	/* Called once, at the end; error 0 or a negative VIRIDIAN_E*. Not before the call that
	 * started the job has returned, unless nothing could be submitted. */
	void (*done)(struct disk_job *job);
	void *owner;
	int error;

	/* The job's own. */
	struct disk_io *io;
	struct disk_job *next_free;
	uint32_t block_bytes; /* of the disk as the job was made: the host may change it since */
	bool can_fua;	      /* likewise */
	struct disk_range range;
	void (*step)(struct disk_job *job); /* when all parts of the span have ended */
	uint8_t stage;
	uint8_t middle; /* enum disk_middle */
	bool is_punch;	/* erase: give the blocks up if the device can */
	bool is_locked;
	bool is_memory_lost;
	uint32_t head_bytes, tail_bytes; /* of partial blocks */
	uint32_t data_page, edge_page;	 /* in the arena */
	/* The span being transferred. */
	uint8_t op, flags;
	bool is_fixed; /* every part uses the same memory */
	uint32_t chunk_blocks;
	uint32_t free_parts; /* bit n: parts[n] is idle */
	uint64_t lba, blocks_left;
	size_t at; /* byte in the arena's memory */
	struct storage_vsc_request parts[DISK_PARTS];
};

struct disk_io {
	struct disk_arena arena;
	struct disk_job *free_jobs;
	uint32_t jobs; /* in use */
	struct disk_job pool[DISK_JOBS];
};

void disk_io_init(struct disk_io *io, const struct winhv_pages *memory);

/* (Re)read what a LUN is. The disk was zeroed before the first time. */
void disk_attach(struct disk *disk, struct storage_vsc *vsc, struct storage_vsc_lun *lun);

/* A job from the pool with done, owner and memory unset, or NULL. */
struct disk_job *disk_job_new(struct disk_io *io, struct disk *disk);
/* Take a buffer of that many pages for it; false: there is none. */
bool disk_job_buffer(struct disk_job *job, uint32_t pages);
/* Hand a buffer to it. */
static inline void disk_job_give(struct disk_job *job, uint32_t page)
{
	job->page = page;
	job->has_buffer = true;
}
void disk_job_free(struct disk_job *job);

/* Pages that a read of this range needs. */
static inline uint32_t disk_read_pages(const struct disk *disk, uint64_t offset, uint64_t bytes)
{
	const uint64_t mask = disk->block_bytes - 1;
	const uint64_t covered = ((offset + bytes + mask) & ~mask) - (offset & ~mask);
	return (uint32_t)((covered + WINHV_PAGE_BYTES - 1) / WINHV_PAGE_BYTES);
}

/*
 * Pages that a write of `bytes` needs: edges first (used if it begins or ends inside a block),
 * then its data.
 */
static inline uint32_t disk_write_pages(uint64_t bytes)
{
	return DISK_EDGE_PAGES + (uint32_t)((bytes + WINHV_PAGE_BYTES - 1) / WINHV_PAGE_BYTES);
}

/* Start a job whose offset and bytes are set; bytes ≤ DISK_TRANSFER_MAX but for erasing. */
void disk_read(struct disk_job *job);  /* pages: disk_read_pages(); data by disk_job_data() */
void disk_write(struct disk_job *job); /* pages: disk_write_pages(); data from the third on */
void disk_flush(struct disk_job *job); /* pages: none */
/*
 * The range reads back as zeros. is_punch: and the device gives up its space; this ends with
 * -VIRIDIAN_ENOTSUP on a device that does not promise both. Pages: DISK_ERASE_PAGES.
 */
void disk_erase(struct disk_job *job, bool is_punch);

/* Where the data of a finished read are. */
static inline uint8_t *disk_job_data(const struct disk_job *job)
{
	return disk_arena_at(&job->io->arena, job->page) + job->offset % job->block_bytes;
}

#endif
