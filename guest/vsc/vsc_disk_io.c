// SPDX-License-Identifier: Apache-2.0
/*
 * Byte ranges over block requests. See vsc_disk_io.h.
 *
 * A job goes through stages; in each it transfers one span of blocks, in parts. A
 * write or erase:
 *
 *	lock -> read, patch, write the first block, if only a part of it is meant
 *	     -> the same for the last block
 *	     -> the whole blocks between them, straight from the data
 *	     -> UNMAP of these, if they are to be given up and it takes a command of its own
 *	     -> flush, if it must be durable and the device has no other way
 *	     -> unlock, done
 */
#include "guest/vsc/vsc_disk_io.h"

#include <string.h>

#define SAME_BYTES_MAX (8u << 20) /* WRITE SAME, where the device names no limit */

enum disk_stage {
	STAGE_HEAD_READ,
	STAGE_HEAD_WRITE,
	STAGE_TAIL_READ,
	STAGE_TAIL_WRITE,
	STAGE_MIDDLE,
	STAGE_UNMAP,
	STAGE_FLUSH,
	STAGE_END
};

void disk_io_init(struct disk_io *io, const struct winhv_pages *memory)
{
	memset(io, 0, sizeof *io);
	disk_arena_init(&io->arena, memory);
	for (unsigned i = DISK_JOBS; i-- > 0;) {
		io->pool[i].io = io;
		io->pool[i].next_free = io->free_jobs;
		io->free_jobs = &io->pool[i];
	}
}

void disk_attach(struct disk *disk, struct storage_vsc *vsc, struct storage_vsc_lun *lun)
{
	const struct storage_properties *p = &lun->properties;
	disk->vsc = vsc;
	disk->lun = lun;
	disk->block_bytes = p->block_bytes ? p->block_bytes : STORAGE_BLOCK_BYTES_MIN;
	disk->bytes = p->has_medium ? p->blocks * p->block_bytes : 0;
	disk->is_read_only = p->is_read_only;
	disk->has_no_unmap = false;
	disk->has_no_write_same = false;
}

/* ---- jobs ---------------------------------------------------------------- */

struct disk_job *disk_job_new(struct disk_io *io, struct disk *disk)
{
	struct disk_job *job = io->free_jobs;
	if (job == NULL)
		return NULL;
	io->free_jobs = job->next_free;
	io->jobs++;
	disk->jobs++;
	job->disk = disk;
	job->block_bytes = disk->block_bytes;
	job->can_fua = disk->lun != NULL && disk->lun->properties.can_fua;
	job->has_buffer = false;
	job->error = 0;
	job->is_durable = false;
	job->is_punch = false;
	job->is_locked = false;
	job->is_memory_lost = false;
	job->middle = DISK_MIDDLE_DATA;
	job->free_parts = (1u << DISK_PARTS) - 1;
	return job;
}

bool disk_job_buffer(struct disk_job *job, uint32_t pages)
{
	job->has_buffer = disk_arena_get(&job->io->arena, pages, &job->page);
	return job->has_buffer;
}

void disk_job_free(struct disk_job *job)
{
	struct disk_io *io = job->io;
	if (job->has_buffer && job->is_memory_lost)
		disk_arena_lose(&io->arena, job->page);
	else if (job->has_buffer)
		disk_arena_put(&io->arena, job->page);
	job->disk->jobs--;
	io->jobs--;
	job->next_free = io->free_jobs;
	io->free_jobs = job;
}

static void job_end(struct disk_job *job)
{
	if (job->is_locked) {
		job->is_locked = false;
		disk_range_unlock(&job->disk->lock, &job->range);
	}
	job->done(job);
}

/* ---- spans --------------------------------------------------------------- */

static void part_done(struct storage_vsc_request *request);

static int part_submit(struct disk_job *job, unsigned part)
{
	struct storage_vsc_request *request = &job->parts[part];
	struct disk *disk = job->disk;
	const uint32_t blocks = job->blocks_left < job->chunk_blocks ? (uint32_t)job->blocks_left
								     : job->chunk_blocks;
	size_t at = job->at;
	uint32_t bytes = blocks * job->block_bytes;
	request->lun = disk->lun;
	request->op = job->op;
	request->flags = job->flags;
	request->lba = job->lba;
	request->blocks = blocks;
	request->timeout_ms = 0;
	request->done = part_done;
	request->ctx = job;
	if (job->op == STORAGE_VSC_UNMAP) {
		bytes = STORAGE_UNMAP_LIST_BYTES;
		at += (size_t)part * 64;
		storage_unmap_list_put(job->io->arena.memory.va + at, job->lba, blocks);
	} else if (job->op == STORAGE_VSC_WRITE_SAME) {
		bytes = job->block_bytes;
	} else if (job->op == STORAGE_VSC_FLUSH) {
		bytes = 0;
		request->blocks = 0;
	}
	request->data = storage_vsc_data_at(&job->io->arena.memory, at, bytes);
	const int error = disk->lun != NULL ? storage_vsc_submit(disk->vsc, request)
					    : -VIRIDIAN_ENODEV;
	if (error != 0)
		return error;
	job->free_parts &= ~(1u << part);
	job->lba += blocks;
	job->blocks_left -= blocks;
	if (!job->is_fixed)
		job->at += bytes;
	return 0;
}

/* Submit what fits; when nothing is left and nothing is out, go on. */
static void span_pump(struct disk_job *job)
{
	while (job->blocks_left > 0 && job->error == 0 && job->free_parts != 0)
		job->error = part_submit(job, (unsigned)__builtin_ctz(job->free_parts));
	if (job->free_parts == (1u << DISK_PARTS) - 1)
		job->step(job);
}

static void part_done(struct storage_vsc_request *request)
{
	struct disk_job *job = request->ctx;
	job->free_parts |= 1u << (unsigned)(request - job->parts);
	if (request->is_memory_lost)
		job->is_memory_lost = true;
	if (request->result != 0 && job->error == 0)
		job->error = request->result;
	span_pump(job);
}

/* Transfer `blocks` blocks at `lba`, with memory from byte `at` of the arena on. */
static void span_start(struct disk_job *job, uint8_t op, uint64_t lba, uint64_t blocks, size_t at)
{
	job->op = op;
	job->flags = 0;
	job->lba = lba;
	job->blocks_left = blocks;
	job->at = at;
	job->is_fixed = false;
	job->chunk_blocks = job->disk->vsc->max_transfer_bytes / job->block_bytes;
	if (job->chunk_blocks == 0)
		job->chunk_blocks = 1;
}

static size_t page_at(uint32_t page)
{
	return (size_t)page * WINHV_PAGE_BYTES;
}

/* ---- read and flush ------------------------------------------------------ */

void disk_read(struct disk_job *job)
{
	const uint32_t block_bytes = job->block_bytes;
	const uint64_t first = job->offset / block_bytes;
	const uint64_t end = (job->offset + job->bytes + block_bytes - 1) / block_bytes;
	job->step = job_end;
	span_start(job, STORAGE_VSC_READ, first, end - first, page_at(job->page));
	span_pump(job);
}

void disk_flush(struct disk_job *job)
{
	job->step = job_end;
	span_start(job, STORAGE_VSC_FLUSH, 0, 1, 0);
	span_pump(job);
}

/* ---- write and erase ----------------------------------------------------- */

static const struct storage_properties *properties_of(const struct disk_job *job)
{
	static const struct storage_properties nothing;
	return job->disk->lun != NULL ? &job->disk->lun->properties : &nothing;
}

static bool is_erase(const struct disk_job *job)
{
	return job->middle != DISK_MIDDLE_DATA;
}

/*
 * UNMAP is advice: a block that it leaves alone keeps its data. So it may only follow
 * zeros, and only where an unmapped block reads as zeros.
 */
static bool can_unmap_zeros(const struct disk_job *job)
{
	const struct storage_properties *p = properties_of(job);
	return p->can_unmap && p->unmapped_is_zero && !job->disk->has_no_unmap;
}

static bool can_unmap_same(const struct disk_job *job)
{
	return properties_of(job)->can_unmap_same && !job->disk->has_no_write_same;
}

/* The best way to erase that this disk has. */
static uint8_t middle_choose(const struct disk_job *job)
{
	if (job->is_punch && can_unmap_same(job))
		return DISK_MIDDLE_SAME_UNMAP;
	return job->disk->has_no_write_same ? DISK_MIDDLE_ZEROS : DISK_MIDDLE_SAME;
}

/* The device refused WRITE SAME: remember it, do it otherwise. False: there is no other way. */
static bool middle_fall_back(struct disk_job *job)
{
	if ((job->error != -VIRIDIAN_ENOTSUP && job->error != -VIRIDIAN_EINVAL) ||
		job->middle == DISK_MIDDLE_ZEROS)
		return false;
	job->disk->has_no_write_same = true;
	if (job->is_punch && !can_unmap_zeros(job)) {
		job->error = -VIRIDIAN_ENOTSUP;
		return false;
	}
	job->error = 0;
	job->middle = DISK_MIDDLE_ZEROS;
	return true;
}

static void unmap_start(struct disk_job *job, uint64_t lba, uint64_t blocks)
{
	const uint32_t most = properties_of(job)->unmap_blocks_max;
	span_start(job, STORAGE_VSC_UNMAP, lba, blocks, page_at(job->data_page));
	job->is_fixed = true;
	job->chunk_blocks = most ? most : UINT32_MAX;
}

static void erase_start(struct disk_job *job, uint64_t lba, uint64_t blocks)
{
	const uint32_t block_bytes = job->block_bytes;
	const size_t zeros = page_at(job->data_page);
	const bool is_zeros = job->middle == DISK_MIDDLE_ZEROS;
	span_start(job, is_zeros ? STORAGE_VSC_WRITE : STORAGE_VSC_WRITE_SAME, lba, blocks, zeros);
	memset(job->io->arena.memory.va + zeros, 0, page_at(DISK_ZERO_PAGES));
	job->is_fixed = true;
	if (is_zeros) {
		const uint32_t most = (uint32_t)page_at(DISK_ZERO_PAGES) / block_bytes;
		if (job->chunk_blocks > most)
			job->chunk_blocks = most;
		return;
	}
	const uint64_t most = properties_of(job)->write_same_blocks_max;
	job->chunk_blocks = SAME_BYTES_MAX / block_bytes;
	if (most != 0 && most < job->chunk_blocks)
		job->chunk_blocks = (uint32_t)most;
	if (job->middle == DISK_MIDDLE_SAME_UNMAP)
		job->flags = STORAGE_VSC_MAY_UNMAP;
}

/* Put the new bytes of a partial block over the old ones. */
static void edge_patch(struct disk_job *job, bool is_head)
{
	uint8_t *memory = job->io->arena.memory.va;
	uint8_t *edge = memory + page_at(job->edge_page + (is_head ? 0 : 1));
	const uint8_t *data = memory + page_at(job->data_page);
	const uint32_t count = is_head ? job->head_bytes : job->tail_bytes;
	if (is_head)
		edge += job->offset % job->block_bytes;
	if (is_erase(job))
		memset(edge, 0, count);
	else
		memcpy(edge, is_head ? data : data + (job->bytes - count), count);
}

static void edge_start(struct disk_job *job, bool is_head, bool is_write)
{
	const uint64_t lba = is_head ? job->range.first : job->range.end - 1;
	if (is_write)
		edge_patch(job, is_head);
	span_start(job, is_write ? STORAGE_VSC_WRITE : STORAGE_VSC_READ, lba, 1,
		page_at(job->edge_page + (is_head ? 0 : 1)));
	if (is_write && job->is_durable && job->can_fua)
		job->flags = STORAGE_VSC_FUA;
}

static void middle_start(struct disk_job *job)
{
	const uint64_t first = job->range.first + (job->head_bytes != 0);
	const uint64_t blocks = job->range.end - (job->tail_bytes != 0) - first;
	if (job->stage == STAGE_UNMAP) {
		unmap_start(job, first, blocks);
		return;
	}
	if (is_erase(job)) {
		erase_start(job, first, blocks);
		return;
	}
	span_start(
		job, STORAGE_VSC_WRITE, first, blocks, page_at(job->data_page) + job->head_bytes);
	if (job->is_durable && job->can_fua)
		job->flags = STORAGE_VSC_FUA;
}

/* Is there anything to do in this stage? */
static bool stage_is_due(const struct disk_job *job, unsigned stage)
{
	switch (stage) {
	case STAGE_HEAD_READ:
	case STAGE_HEAD_WRITE:
		return job->head_bytes != 0;
	case STAGE_TAIL_READ:
	case STAGE_TAIL_WRITE:
		return job->tail_bytes != 0;
	case STAGE_UNMAP:
		if (!job->is_punch || job->middle == DISK_MIDDLE_SAME_UNMAP ||
			!can_unmap_zeros(job))
			return false;
		/* fall through */
	case STAGE_MIDDLE:
		return job->range.end - job->range.first >
		       (uint64_t)(job->head_bytes != 0) + (job->tail_bytes != 0);
	case STAGE_FLUSH:
		return job->is_durable && (is_erase(job) || !job->can_fua);
	default:
		return true;
	}
}

static void stage_start(struct disk_job *job)
{
	switch (job->stage) {
	case STAGE_HEAD_READ:
	case STAGE_HEAD_WRITE:
		edge_start(job, true, job->stage == STAGE_HEAD_WRITE);
		break;
	case STAGE_TAIL_READ:
	case STAGE_TAIL_WRITE:
		edge_start(job, false, job->stage == STAGE_TAIL_WRITE);
		break;
	case STAGE_MIDDLE:
	case STAGE_UNMAP:
		middle_start(job);
		break;
	case STAGE_FLUSH:
		span_start(job, STORAGE_VSC_FLUSH, 0, 1, 0);
		break;
	default:
		job_end(job);
		return;
	}
	span_pump(job);
}

static void stages_begin(struct disk_job *job)
{
	while (!stage_is_due(job, job->stage))
		job->stage++;
	stage_start(job);
}

static void stage_done(struct disk_job *job)
{
	if (job->stage == STAGE_MIDDLE && is_erase(job) && middle_fall_back(job)) {
		stage_start(job);
		return;
	}
	if (job->stage == STAGE_UNMAP && job->error == -VIRIDIAN_ENOTSUP) {
		job->disk->has_no_unmap = true;
		job->error = 0; /* the zeros are there */
	}
	job->stage = job->error != 0 ? STAGE_END : (uint8_t)(job->stage + 1);
	stages_begin(job);
}

static void on_granted(struct disk_range *range)
{
	struct disk_job *job =
		(struct disk_job *)(void *)((char *)range - offsetof(struct disk_job, range));
	stages_begin(job);
}

/* Split into head, whole blocks and tail; lock; begin. */
static void change_start(struct disk_job *job)
{
	const uint32_t block_bytes = job->block_bytes;
	const uint32_t into = (uint32_t)(job->offset % block_bytes);
	const uint64_t room = block_bytes - into;
	job->head_bytes = 0;
	if (into != 0 || job->bytes < block_bytes)
		job->head_bytes = (uint32_t)(job->bytes < room ? job->bytes : room);
	job->tail_bytes = (uint32_t)((job->bytes - job->head_bytes) % block_bytes);
	job->range = (struct disk_range){
		.first = job->offset / block_bytes,
		.end = (job->offset + job->bytes + block_bytes - 1) / block_bytes,
		.is_exclusive = job->head_bytes != 0 || job->tail_bytes != 0,
		.granted = on_granted,
	};
	if (job->range.is_exclusive)
		job->disk->partial_writes++;
	job->step = stage_done;
	job->stage = STAGE_HEAD_READ;
	job->is_locked = true;
	if (disk_range_lock(&job->disk->lock, &job->range))
		stages_begin(job);
}

void disk_write(struct disk_job *job)
{
	job->edge_page = job->page;
	job->data_page = job->page + DISK_EDGE_PAGES;
	change_start(job);
}

void disk_erase(struct disk_job *job, bool is_punch)
{
	job->edge_page = job->page;
	job->data_page = job->page + DISK_EDGE_PAGES;
	job->is_punch = is_punch;
	job->middle = middle_choose(job);
	if (is_punch && !can_unmap_same(job) && !can_unmap_zeros(job)) {
		job->error = -VIRIDIAN_ENOTSUP;
		job->done(job);
		return;
	}
	change_start(job);
}
