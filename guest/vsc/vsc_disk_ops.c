// SPDX-License-Identifier: Apache-2.0
/*
 * The FUSE operations of vsc-disk: one directory, one file for each disk. Files behave
 * like block devices: their size is fixed, O_TRUNC changes nothing, a write past the end
 * finds no space, fsync makes everything that was written durable.
 *
 * Names and attributes live for no time in the kernel, so that a disk that comes or goes
 * is seen at the next look.
 */
#define FUSE_USE_VERSION 314

#include "guest/vsc/vsc_disk_ops.h"

#include "guest/vsc/vsc_disk_fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct disk_fuse *fuse_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Ours are errno values; what means "the disk is out of reach" is EIO to everybody. */
static int errno_of(int error)
{
	switch (error) {
	case 0:
	case -VIRIDIAN_EINVAL:
	case -VIRIDIAN_EROFS:
	case -VIRIDIAN_ENOTSUP:
	case -VIRIDIAN_ETIMEDOUT:
		return -error;
	case -VIRIDIAN_ENOENT:
		return ENOMEDIUM;
	default:
		return EIO;
	}
}

/* ---- attributes ---------------------------------------------------------- */

static void directory_attr(const struct disk_fuse *fuse, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_ino = FUSE_ROOT_ID;
	st->st_mode = S_IFDIR | (fuse->options->allow_other ? 0555 : 0500);
	st->st_nlink = 2;
	st->st_uid = getuid();
	st->st_gid = getgid();
	clock_gettime(CLOCK_REALTIME, &st->st_mtim);
	st->st_ctim = st->st_mtim;
	st->st_atim = st->st_mtim;
}

static void file_attr(const struct disk_fuse *fuse, const struct disk_file *file, struct stat *st)
{
	const mode_t read_bits = fuse->options->allow_other ? 0444 : 0400;
	const mode_t write_bits = fuse->options->allow_other ? 0222 : 0200;
	memset(st, 0, sizeof *st);
	st->st_ino = file->ino;
	st->st_mode = S_IFREG | read_bits;
	if (!file->disk.is_read_only)
		st->st_mode |= write_bits;
	st->st_nlink = file->is_gone ? 0 : 1;
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_size = (off_t)file->disk.bytes;
	st->st_blocks = (blkcnt_t)(file->disk.bytes / 512);
	st->st_blksize = (blksize_t)file->disk.block_bytes;
	st->st_mtim = file->since;
	st->st_ctim = file->since;
	st->st_atim = file->since;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct disk_fuse *fuse = userdata;
	const unsigned background =
		fuse->options->queue_depth < DISK_JOBS ? fuse->options->queue_depth : DISK_JOBS;
	conn->max_write = DISK_TRANSFER_MAX;
	conn->max_read = DISK_TRANSFER_MAX;
	conn->max_readahead = DISK_TRANSFER_MAX;
	conn->max_background = background;
	conn->congestion_threshold = background - background / 4;
	conn->want |= conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO);
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct disk_fuse *fuse = fuse_of(req);
	struct disk_file *file = parent == FUSE_ROOT_ID ? disk_tree_by_name(fuse->tree, name)
							: NULL;
	struct fuse_entry_param entry;
	if (file == NULL) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	memset(&entry, 0, sizeof entry);
	entry.ino = file->ino;
	entry.generation = 1;
	file_attr(fuse, file, &entry.attr);
	file->lookups++;
	if (fuse_reply_entry(req, &entry) != 0) {
		file->lookups--;
		disk_tree_settle(fuse->tree, file);
	}
}

static void forget(struct disk_fuse *fuse, uint64_t ino, uint64_t count)
{
	struct disk_file *file = disk_tree_by_ino(fuse->tree, ino);
	if (file == NULL)
		return;
	file->lookups -= count < file->lookups ? count : file->lookups;
	disk_tree_settle(fuse->tree, file);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	forget(fuse_of(req), ino, count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget(fuse_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void attr_reply(fuse_req_t req, fuse_ino_t ino)
{
	struct disk_fuse *fuse = fuse_of(req);
	struct disk_file *file = NULL;
	struct stat st;
	if (ino == FUSE_ROOT_ID) {
		directory_attr(fuse, &st);
	} else {
		file = disk_tree_by_ino(fuse->tree, ino);
		if (file == NULL) {
			fuse_reply_err(req, ENOENT);
			return;
		}
		file_attr(fuse, file, &st);
	}
	fuse_reply_attr(req, &st, 0);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)info;
	attr_reply(req, ino);
}

static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, struct fuse_file_info *info)
{
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			  FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME;
	const struct disk_file *file = disk_tree_by_ino(fuse_of(req)->tree, ino);
	(void)info;
	if (file == NULL || (to_set & ~(times | FUSE_SET_ATTR_SIZE)) != 0) {
		fuse_reply_err(req, EPERM);
		return;
	}
	/* Size 0 is what O_TRUNC asks for, which changes nothing on a disk. */
	if ((to_set & FUSE_SET_ATTR_SIZE) && st->st_size != 0 &&
		(uint64_t)st->st_size != file->disk.bytes) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	attr_reply(req, ino);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct disk_fuse *fuse = fuse_of(req);
	struct statvfs fs;
	(void)ino;
	memset(&fs, 0, sizeof fs);
	fs.f_bsize = 4096;
	fs.f_frsize = 4096;
	fs.f_namemax = DISK_NAME_BYTES - 1;
	for (const struct disk_file *file = disk_tree_next(fuse->tree, 0); file != NULL;
		file = disk_tree_next(fuse->tree, file->ino)) {
		fs.f_blocks += file->disk.bytes / 4096;
		fs.f_files++;
	}
	fuse_reply_statfs(req, &fs);
}

/* The cookie of an entry is its inode number; "." is 1 and ".." is 2. */
static void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	struct disk_fuse *fuse = fuse_of(req);
	char *buffer = malloc(size);
	size_t used = 0;
	(void)info;
	if (ino != FUSE_ROOT_ID || buffer == NULL) {
		fuse_reply_err(req, buffer == NULL ? ENOMEM : ENOTDIR);
		free(buffer);
		return;
	}
	for (off_t at = off;;) {
		const char *name;
		struct stat st = {0};
		if (at < 2) {
			name = at == 0 ? "." : "..";
			st.st_ino = FUSE_ROOT_ID;
			st.st_mode = S_IFDIR;
			at++;
		} else {
			const struct disk_file *file = disk_tree_next(fuse->tree, (uint64_t)at);
			if (file == NULL)
				break;
			name = file->name;
			st.st_ino = file->ino;
			st.st_mode = S_IFREG;
			at = (off_t)file->ino;
		}
		const size_t bytes = fuse_add_direntry(
			req, buffer + used, size - used, name, &st, at);
		if (bytes > size - used)
			break;
		used += bytes;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

/* ---- what a directory of disks does not do ------------------------------- */

/* Files come and go with disks: making, removing and renaming them is not permitted. */
static void refuse(fuse_req_t req)
{
	fuse_reply_err(req, EPERM);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)device;
	refuse(req);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	refuse(req);
}

/* Of a file or a directory. */
static void op_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned flags)
{
	(void)parent;
	(void)name;
	(void)to_parent;
	(void)to_name;
	(void)flags;
	refuse(req);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *info)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)info;
	refuse(req);
}

/* ---- open files ---------------------------------------------------------- */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct disk_fuse *fuse = fuse_of(req);
	struct disk_file *file = disk_tree_by_ino(fuse->tree, ino);
	int error = 0;
	if (file == NULL)
		error = ino == FUSE_ROOT_ID ? EISDIR : ENOENT;
	else if (file->is_gone)
		error = ENODEV;
	else if (file->disk.bytes == 0)
		error = ENOMEDIUM;
	else if (file->disk.is_read_only && (info->flags & O_ACCMODE) != O_RDONLY)
		error = EROFS;
	if (error != 0) {
		fuse_reply_err(req, error);
		return;
	}
	/*
	 * The answer is put together here because struct fuse_file_info has no member for
	 * parallel writes: they touch no size, so they need no lock of the kernel's.
	 */
	const struct fuse_open_out out = {
		.fh = (uint64_t)(uintptr_t)file,
		.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH,
	};
	file->opens++;
	if (fuse_reply_buf(req, (const char *)&out, sizeof out) != 0) {
		file->opens--;
		disk_tree_settle(fuse->tree, file);
	}
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct disk_fuse *fuse = fuse_of(req);
	struct disk_file *file = disk_tree_by_ino(fuse->tree, ino);
	(void)info;
	fuse_reply_err(req, 0);
	if (file == NULL)
		return;
	if (file->opens > 0)
		file->opens--;
	disk_tree_settle(fuse->tree, file);
}

static struct disk_file *file_of(const struct fuse_file_info *info)
{
	return (struct disk_file *)(uintptr_t)info->fh;
}

/* A job for this file, or NULL and the request was answered. */
static struct disk_job *job_begin(fuse_req_t req, struct disk_file *file, uint64_t offset,
	uint64_t bytes, void (*done)(struct disk_job *job))
{
	struct disk_fuse *fuse = fuse_of(req);
	struct disk_job *job = file->is_gone ? NULL : disk_job_new(fuse->io, &file->disk);
	if (job == NULL) {
		fuse_reply_err(req, EIO);
		return NULL;
	}
	job->offset = offset;
	job->bytes = bytes;
	job->done = done;
	job->owner = req;
	return job;
}

/* A buffer; if there is no other, then the window, which this request does not need. */
static void buffer_take(struct disk_fuse *fuse, struct disk_job *job, uint32_t pages)
{
	if (disk_job_buffer(job, pages))
		return;
	disk_job_give(job, fuse->window);
	fuse->has_window = false;
}

/*
 * The window holds the data of this write: it becomes the job's. Only if large buffers are
 * getting few is a short write moved to a small one, so that it does not hold a large one.
 */
static void window_use(struct disk_fuse *fuse, struct disk_job *job, size_t size)
{
	struct disk_arena *arena = &fuse->io->arena;
	const uint32_t pages = disk_write_pages(size);
	if (arena->large_free < arena->large_count / 4 && pages <= DISK_SMALL_PAGES &&
		arena->small_free > 0 && disk_job_buffer(job, pages)) {
		memcpy(disk_arena_at(arena, job->page + DISK_EDGE_PAGES),
			disk_arena_at(arena, fuse->window + DISK_EDGE_PAGES), size);
		return;
	}
	disk_job_give(job, fuse->window);
	fuse->has_window = false;
}

/* The request was answered, or will be: the job and perhaps its file can go. */
static void job_finish(struct disk_fuse *fuse, struct disk_job *job)
{
	struct disk_file *file = disk_file_of(job->disk);
	if (job->error != 0)
		file->errors++;
	fuse->answers++;
	disk_job_free(job);
	disk_tree_settle(fuse->tree, file);
}

static void status_done(struct disk_job *job)
{
	fuse_req_t req = job->owner;
	struct disk_fuse *fuse = fuse_of(req);
	fuse_reply_err(req, errno_of(job->error));
	job_finish(fuse, job);
}

static void read_done(struct disk_job *job)
{
	fuse_req_t req = job->owner;
	struct disk_fuse *fuse = fuse_of(req);
	if (job->error != 0)
		fuse_reply_err(req, errno_of(job->error));
	else
		fuse_reply_buf(req, (const char *)disk_job_data(job), job->bytes);
	job_finish(fuse, job);
}

static void write_done(struct disk_job *job)
{
	fuse_req_t req = job->owner;
	struct disk_fuse *fuse = fuse_of(req);
	if (job->error != 0)
		fuse_reply_err(req, errno_of(job->error));
	else
		fuse_reply_write(req, job->bytes);
	job_finish(fuse, job);
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	struct disk_file *file = file_of(info);
	const uint64_t offset = (uint64_t)off;
	(void)ino;
	if (size == 0 || offset >= file->disk.bytes) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	if (size > DISK_TRANSFER_MAX)
		size = DISK_TRANSFER_MAX;
	if (size > file->disk.bytes - offset)
		size = file->disk.bytes - offset;
	struct disk_job *job = job_begin(req, file, offset, size, read_done);
	if (job == NULL)
		return;
	file->reads++;
	buffer_take(fuse_of(req), job, disk_read_pages(&file->disk, offset, size));
	disk_read(job);
}

static void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *vector, off_t off,
	struct fuse_file_info *info)
{
	struct disk_fuse *fuse = fuse_of(req);
	struct disk_file *file = file_of(info);
	const uint64_t offset = (uint64_t)off;
	size_t size = vector->buf[0].size; /* the bytes are in the window */
	(void)ino;
	if (size > DISK_TRANSFER_MAX || offset >= file->disk.bytes) {
		fuse_reply_err(req, size > DISK_TRANSFER_MAX ? EINVAL : ENOSPC);
		return;
	}
	if (size > file->disk.bytes - offset)
		size = file->disk.bytes - offset;
	if (size == 0) {
		fuse_reply_write(req, 0);
		return;
	}
	struct disk_job *job = job_begin(req, file, offset, size, write_done);
	if (job == NULL)
		return;
	file->writes++;
	job->is_durable = (info->flags & O_DSYNC) != 0;
	window_use(fuse, job, size);
	disk_write(job);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int is_data_only, struct fuse_file_info *info)
{
	struct disk_file *file = file_of(info);
	(void)ino;
	(void)is_data_only;
	if (file->disk.is_read_only) {
		fuse_reply_err(req, 0);
		return;
	}
	struct disk_job *job = job_begin(req, file, 0, 0, status_done);
	if (job == NULL)
		return;
	file->flushes++;
	disk_flush(job);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
	struct fuse_file_info *info)
{
	struct disk_file *file = file_of(info);
	const uint64_t offset = (uint64_t)off;
	uint64_t bytes = (uint64_t)length;
	const int kind = mode & ~FALLOC_FL_KEEP_SIZE;
	(void)ino;
	if (kind != 0 && kind != FALLOC_FL_PUNCH_HOLE && kind != FALLOC_FL_ZERO_RANGE) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (offset >= file->disk.bytes || bytes > file->disk.bytes - offset) {
		/* Nothing can be made larger; a hole may reach past the end. */
		if (kind != FALLOC_FL_PUNCH_HOLE) {
			fuse_reply_err(req, ENOSPC);
			return;
		}
		bytes = offset < file->disk.bytes ? file->disk.bytes - offset : 0;
	}
	if (kind == 0 || bytes == 0) {
		fuse_reply_err(req, 0); /* every block is there already */
		return;
	}
	struct disk_job *job = job_begin(req, file, offset, bytes, status_done);
	if (job == NULL)
		return;
	file->erases++;
	buffer_take(fuse_of(req), job, DISK_ERASE_PAGES);
	disk_erase(job, kind == FALLOC_FL_PUNCH_HOLE);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.statfs = op_statfs,
	.readdir = op_readdir,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_remove,
	.rmdir = op_remove,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.create = op_create,
	.open = op_open,
	.release = op_release,
	.read = op_read,
	.write_buf = op_write_buf,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
};

const struct fuse_lowlevel_ops *disk_fuse_ops(void)
{
	return &ops;
}
