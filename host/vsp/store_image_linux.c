// SPDX-License-Identifier: Apache-2.0
/*
 * Opening an image for a file store: what it is, how large, who else uses it; and
 * errors that say what to do.
 */
#include "host/vsp/store_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DISK_BLOCK_BYTES 512u
#define DVD_BLOCK_BYTES	 2048u
#define BLOCK_BYTES_MAX	 4096u

struct opening {
	const struct store_file_options *options;
	bool is_read_only;
	struct store_file *file;
	char *error;
	size_t error_bytes;
};

/* Put `image 'PATH': TEXT` into the caller's buffer; returns `result`. */
static int __attribute__((format(printf, 3, 4)))
fail(struct opening *opening, int result, const char *format, ...)
{
	if (opening->error_bytes == 0)
		return result;
	int used = snprintf(
		opening->error, opening->error_bytes, "image '%s': ", opening->options->path);
	if (used < 0 || (size_t)used >= opening->error_bytes)
		return result;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(opening->error + used, opening->error_bytes - (size_t)used, format, arguments);
	va_end(arguments);
	return result;
}

/* ---- the descriptor ------------------------------------------------------------------------ */

static int fail_open(struct opening *opening, int error)
{
	const char *how = opening->is_read_only ? "reading" : "writing";
	switch (error) {
	case ENOENT:
		if (opening->is_read_only)
			return fail(opening, -error, "does not exist; check the path");
		return fail(opening, -error,
			"does not exist; check the path, or make it with 'truncate -s 10G %s'",
			opening->options->path);
	case EACCES:
	case EPERM:
		return fail(opening, -error, "no permission to open it for %s; %s", how,
			opening->is_read_only ? "make it readable for this user"
					      : "make it writable, or attach it read-only");
	case EROFS:
		return fail(opening, -error,
			"is on a read-only file system; attach it read-only, or move it");
	case EBUSY:
		return fail(opening, -error,
			"the device is in use (mounted, or part of something); unmount it first");
	case EISDIR:
		return fail(
			opening, -error, "is a directory; give an image file or a block device");
	default:
		return fail(opening, -error, "cannot open it for %s: %s", how, strerror(error));
	}
}

static int open_lock(struct opening *opening)
{
	struct stat st;
	const char *path = opening->options->path;
	int flags = (opening->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY;
	if (stat(path, &st) < 0)
		return fail_open(opening, errno);
	if (S_ISDIR(st.st_mode))
		return fail_open(opening, EISDIR);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return fail(opening, -EINVAL,
			"is neither a regular file nor a block device; give an image or a device");
	if (S_ISBLK(st.st_mode) && !opening->is_read_only)
		flags |= O_EXCL; /* not while it is mounted */
	/* O_NONBLOCK: if the path has become a FIFO meanwhile, do not wait for its other end. */
	const int fd = open(path, flags | O_NONBLOCK);
	if (fd < 0)
		return fail_open(opening, errno);
	opening->file->lock_fd = fd;
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) ||
		fcntl(fd, F_SETFL, 0) < 0)
		return fail(opening, -EINVAL, "has changed while it was being opened; try again");
	opening->file->is_block_device = S_ISBLK(st.st_mode);
	return 0;
}

/*
 * Lock the whole file for this open file description: nobody else may write, and if
 * we write nobody else may use it. Locks of other programs that lock image files by
 * byte ranges (QEMU does) meet ours.
 */
static int lock(struct opening *opening)
{
	const int fd = opening->file->lock_fd;
	const bool is_shared = opening->is_read_only;
	struct flock range = {
		.l_type = is_shared ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	if (opening->options->ignores_lock || fcntl(fd, F_OFD_SETLK, &range) == 0)
		return 0;
	int error = errno;
	if (error != EAGAIN && error != EACCES) {
		/* No byte-range locks here (some network file systems): lock the whole. */
		if (flock(fd, (is_shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
			return 0;
		error = errno;
	}
	if (error != EAGAIN && error != EACCES)
		return fail(opening, -error, "cannot lock it: %s", strerror(error));
	return fail(opening, -EBUSY,
		"is locked: another worker or program uses it, or this one already; %s",
		is_shared ? "stop it, or let it attach the image read-only too"
			  : "stop it, or attach the image read-only in both");
}

/* Open what lock_fd names again, whatever the path names by now. fd or a negative errno. */
static int open_again(struct opening *opening, int extra_flags)
{
	const int lock_fd = opening->file->lock_fd;
	const int flags = (opening->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | extra_flags;
	struct stat locked, opened;
	char link[32];
	snprintf(link, sizeof link, "/proc/self/fd/%d", lock_fd);
	int fd = open(link, flags);
	if (fd < 0 && errno == ENOENT) /* no /proc here */
		fd = open(opening->options->path, flags);
	if (fd < 0)
		return -errno;
	if (fstat(lock_fd, &locked) < 0 || fstat(fd, &opened) < 0 ||
		locked.st_dev != opened.st_dev || locked.st_ino != opened.st_ino) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static int open_buffered(struct opening *opening)
{
	const int fd = open_again(opening, 0);
	if (fd < 0)
		return fail_open(opening, -fd);
	struct statfs fs;
	opening->file->buffered.fd = fd;
	opening->file->is_in_memory = fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
	return 0;
}

/* ---- size and blocks ----------------------------------------------------------------------- */

int store_image_size(int fd, uint64_t *bytes)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, bytes) < 0 ? -errno : 0;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

static bool is_power_of_two(uint32_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* What a block device says about its blocks; left alone for files. */
static void device_blocks(int fd, uint32_t *logical, uint32_t *physical)
{
	int sector = 0;
	unsigned physical_sector = 0;
	if (ioctl(fd, BLKSSZGET, &sector) == 0 && sector > 0 && is_power_of_two((uint32_t)sector))
		*logical = (uint32_t)sector;
	if (ioctl(fd, BLKPBSZGET, &physical_sector) == 0 && is_power_of_two(physical_sector))
		*physical = physical_sector;
}

static int measure(struct opening *opening)
{
	struct store_file *file = opening->file;
	struct store *store = &file->base;
	const struct store_file_options *options = opening->options;
	struct stat st;
	uint32_t logical = DISK_BLOCK_BYTES;
	uint32_t physical = BLOCK_BYTES_MAX;
	uint64_t bytes = 0;

	int result = store_image_size(file->buffered.fd, &bytes);
	if (result < 0 || fstat(file->buffered.fd, &st) < 0)
		return fail(opening, result < 0 ? result : -errno, "cannot learn its size");
	if (file->is_block_device)
		device_blocks(file->buffered.fd, &logical, &physical);
	else if (st.st_blksize >= DISK_BLOCK_BYTES && st.st_blksize < BLOCK_BYTES_MAX)
		physical = DISK_BLOCK_BYTES;

	uint32_t block = options->is_dvd ? DVD_BLOCK_BYTES : options->block_bytes;
	if (block == 0)
		block = logical;
	if (!is_power_of_two(block) || block < DISK_BLOCK_BYTES || block > BLOCK_BYTES_MAX)
		return fail(opening, -EINVAL,
			"a sector size of %u bytes is not possible; use 512, 1024, 2048 or 4096",
			block);
	if (block < logical)
		return fail(opening, -EINVAL,
			"the device has sectors of %u bytes, %u were asked for; use %u", logical,
			block, logical);
	if (bytes == 0)
		return fail(opening, -EINVAL, "is empty; give it a size with 'truncate -s 10G %s'",
			options->path);
	if (bytes % block != 0)
		return fail(opening, -EINVAL,
			"its size of %llu bytes is not a multiple of the sector size %u: it is "
			"truncated or no image; fetch it again, or pad it with 'truncate -s %%%u "
			"%s'",
			(unsigned long long)bytes, block, block, options->path);
	store->capacity_bytes = bytes;
	store->block_bytes = block;
	store->physical_bytes = physical < block ? block : physical;
	return 0;
}

/* ---- O_DIRECT ------------------------------------------------------------------------------ */

static void direct_alignment(struct store_file *file)
{
	uint32_t logical = file->is_block_device ? DISK_BLOCK_BYTES : BLOCK_BYTES_MAX;
	uint32_t physical;
	if (file->is_block_device)
		device_blocks(file->buffered.fd, &logical, &physical);
	file->direct_memory_align = logical;
	file->direct_offset_align = logical;
#ifdef STATX_DIOALIGN
	struct statx st;
	if (statx(file->direct.fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
		(st.stx_mask & STATX_DIOALIGN) && is_power_of_two(st.stx_dio_mem_align) &&
		is_power_of_two(st.stx_dio_offset_align)) {
		file->direct_memory_align = st.stx_dio_mem_align;
		file->direct_offset_align = st.stx_dio_offset_align;
	}
#endif
}

static int open_direct(struct opening *opening)
{
	struct store_file *file = opening->file;
	if (!opening->options->is_direct)
		return 0;
	const int fd = open_again(opening, O_DIRECT);
	if (fd == -EINVAL)
		return fail(opening, fd,
			"its file system has no direct I/O; attach it without 'direct'");
	if (fd < 0)
		return fail(opening, fd, "cannot open it for direct I/O: %s", strerror(-fd));
	file->direct.fd = fd;
	direct_alignment(file);
	return 0;
}

/* ---- abilities ----------------------------------------------------------------------------- */

/* A number in a block device's queue directory, or -1. */
static long queue_value(int fd, const char *name)
{
	struct stat st;
	char path[128];
	long value = -1;
	if (fstat(fd, &st) < 0)
		return -1;
	/* A partition has no queue of its own: its disk is one level up. */
	for (int i = 0; i < 2 && value < 0; i++) {
		snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%squeue/%s", major(st.st_rdev),
			minor(st.st_rdev), i == 0 ? "" : "../", name);
		FILE *stream = fopen(path, "re");
		if (!stream)
			continue;
		if (fscanf(stream, "%ld", &value) != 1)
			value = -1;
		fclose(stream);
	}
	return value;
}

static void learn_abilities(struct opening *opening)
{
	struct store_file *file = opening->file;
	struct store *store = &file->base;
	const int fd = file->buffered.fd;
	store->is_read_only = opening->is_read_only;
	store->has_write_cache = true;
	if (file->is_block_device)
		store->rotates = queue_value(fd, "rotational") > 0;
	if (store->is_read_only)
		return;
	file->can_zero = true;
	if (file->is_block_device)
		file->can_punch = queue_value(fd, "discard_max_bytes") > 0;
	else
		/* A hole behind the end changes nothing, and shows if holes can be made. */
		file->can_punch = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  (off_t)store->capacity_bytes, store->block_bytes) == 0;
	store->can_discard = file->can_punch;
}

static int open_steps(struct opening *opening)
{
	int result = open_lock(opening);
	if (result == 0)
		result = lock(opening);
	if (result == 0)
		result = open_buffered(opening);
	if (result == 0)
		result = measure(opening);
	if (result == 0)
		result = open_direct(opening);
	if (result < 0)
		return result;
	struct store_file *file = opening->file;
	void *zeroes = mmap(
		NULL, STORE_FILE_ZEROES_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (zeroes == MAP_FAILED)
		return fail(opening, -ENOMEM, "not enough memory");
	file->zeroes = zeroes;
	learn_abilities(opening);
	store_file_map(file, file->base.capacity_bytes);
	return 0;
}

int store_file_open(const struct store_file_options *options, struct store_loop *loop,
	struct store **out, char *error, size_t error_bytes)
{
	struct opening opening = {
		.options = options,
		.is_read_only = options->is_read_only || options->is_dvd,
		.error = error,
		.error_bytes = error_bytes,
	};
	if (error_bytes)
		error[0] = '\0';
	const size_t path_bytes = strlen(options->path) + 1;
	struct store_file *file = calloc(1, sizeof *file + path_bytes);
	if (!file)
		return fail(&opening, -ENOMEM, "not enough memory");
	memcpy(file->path, options->path, path_bytes);
	file->base.ops = &store_file_ops;
	file->base.name = file->path;
	file->loop = loop;
	file->buffered = (struct store_file_handle){.fd = -1, .registered = -1};
	file->direct = file->buffered;
	file->lock_fd = -1;
	opening.file = file;
	const int result = open_steps(&opening);
	if (result < 0) {
		store_close(&file->base);
		return result;
	}
	store_file_register(loop, &file->buffered);
	if (file->direct.fd >= 0)
		store_file_register(loop, &file->direct);
	*out = &file->base;
	return 0;
}
