// SPDX-License-Identifier: Apache-2.0
/*
 * One file of a key-value pool. See kvp_pool_file_linux.h.
 */
#include "guest/ic_daemons/kvp_pool_file_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* A write inside one of these is whole or not at all; pages are multiples of it. */
#define UNIT_BYTES 4096

#define NO_CUT UINT32_MAX

_Static_assert(sizeof(struct kvp_pool_record) == KVP_POOL_RECORD_BYTES, "no padding");
_Static_assert(KVP_POOL_RECORD_BYTES < UNIT_BYTES, "a record has one boundary inside at most");

/* What .kvp_pool_<n>.redo holds while a change is under way. Of this machine alone. */
struct redo {
	char magic[8];
	uint32_t at;
	uint32_t records; /* in the file before */
	uint32_t cut_to;
	uint32_t reserved;
	uint64_t check;
	struct kvp_pool_record old;
	struct kvp_pool_record new;
};

static const char redo_magic[8] = "KVPREDO1";

static void name_make(const struct kvp_pool_file *file, const char *suffix, char name[32])
{
	snprintf(name, 32, ".kvp_pool_%u%s", file->pool, suffix);
}

/* Open a regular file of the folder, made if it is missing and `flags` say so. */
static int regular_open(
	const struct kvp_pool_file *file, const char *suffix, int flags, mode_t mode)
{
	char name[32];
	struct stat state;
	name_make(file, suffix, name);
	int fd = openat(file->dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
	if (fd < 0)
		return errno == ELOOP ? -EINVAL : -errno;
	/* A second name may be that of somebody else's file. */
	if (fstat(fd, &state) != 0 || !S_ISREG(state.st_mode) || state.st_nlink > 1) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static int file_reopen(struct kvp_pool_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = regular_open(file, "", file->is_writable ? O_RDWR | O_CREAT : O_RDONLY, 0644);
	return file->fd < 0 ? file->fd : 0;
}

/* Where it cannot be kept, for the folder is another user's, a change goes without. */
static bool redo_open(struct kvp_pool_file *file)
{
	struct stat state;
	if (file->redo_fd >= 0)
		return true;
	int fd = regular_open(file, ".redo", O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return false;
	/* Root leaves it to the pool's owner. */
	if (geteuid() == 0 && fstat(file->fd, &state) == 0)
		(void)!fchown(fd, state.st_uid, state.st_gid);
	file->redo_fd = fd;
	return true;
}

int kvp_pool_file_open(struct kvp_pool_file *file, int dir_fd, unsigned pool, bool is_writable)
{
	*file = (struct kvp_pool_file){
		.dir_fd = dir_fd,
		.fd = -1,
		.redo_fd = -1,
		.pool = pool,
		.is_writable = is_writable,
		.lock_wait_ms = KVP_POOL_LOCK_WAIT_MS,
		.write_at = pwrite,
		.cut_at = ftruncate,
	};
	int ret = file_reopen(file);
	/* Now, while there may be privileges that are given up later. */
	if (ret == 0 && is_writable)
		(void)redo_open(file);
	return ret;
}

void kvp_pool_file_close(struct kvp_pool_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->redo_fd >= 0)
		close(file->redo_fd);
	file->fd = -1;
	file->redo_fd = -1;
}

/* ---- Bytes. */

static int write_all(
	struct kvp_pool_file *file, int fd, const void *bytes, size_t count, off_t offset)
{
	const char *from = bytes;
	while (count > 0) {
		ssize_t written = file->write_at(fd, from, count, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		from += written;
		offset += written;
		count -= (size_t)written;
	}
	return 0;
}

static ssize_t read_all(int fd, void *bytes, size_t count, off_t offset)
{
	char *to = bytes;
	size_t done = 0;
	while (done < count) {
		ssize_t got = pread(fd, to + done, count - done, offset + (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static off_t offset_of(uint32_t record)
{
	return (off_t)record * KVP_POOL_RECORD_BYTES;
}

int kvp_pool_file_read(const struct kvp_pool_file *file, uint32_t first,
	struct kvp_pool_record *out, uint32_t count)
{
	ssize_t got = read_all(file->fd, out, (size_t)count * sizeof *out, offset_of(first));
	return got < 0 ? (int)got : (int)((size_t)got / sizeof *out);
}

int kvp_pool_file_cut(struct kvp_pool_file *file, uint32_t records)
{
	return file->cut_at(file->fd, offset_of(records)) == 0 ? 0 : -errno;
}

/* ---- Changes that take more than one write. */

static uint64_t redo_check(const struct redo *redo)
{
	struct redo copy = *redo;
	copy.check = 0;
	const unsigned char *bytes = (const unsigned char *)&copy;
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */
	for (size_t i = 0; i < sizeof copy; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

static int redo_write(struct kvp_pool_file *file, struct redo *redo)
{
	if (!redo_open(file))
		return 0;
	redo->check = redo_check(redo);
	return write_all(file, file->redo_fd, redo, sizeof *redo, 0);
}

static void redo_clear(struct kvp_pool_file *file)
{
	if (file->redo_fd >= 0)
		(void)!file->cut_at(file->redo_fd, 0);
}

/* The bytes of *new from `from` to `to`, the last included, go to record `at`. */
static int piece_write(struct kvp_pool_file *file, uint32_t at,
	const struct kvp_pool_record *new_record, size_t from, size_t to)
{
	return write_all(file, file->fd, (const char *)new_record + from, to - from + 1,
		offset_of(at) + (off_t)from);
}

/*
 * Bytes first..last change and lie in two units: take away the text's first byte, then write
 * what lies in the second unit, and then, with the first byte, what lies in the first.
 */
static int crossing_write(struct kvp_pool_file *file, uint32_t at,
	const struct kvp_pool_record *new_record, size_t first, size_t last)
{
	size_t guard = first < KVP_POOL_KEY_BYTES ? 0 : KVP_POOL_KEY_BYTES;
	off_t end = offset_of(at) + (off_t)last;
	size_t boundary = (size_t)(end / UNIT_BYTES * UNIT_BYTES - offset_of(at));
	int ret = write_all(file, file->fd, "", 1, offset_of(at) + (off_t)guard);
	if (ret == 0)
		ret = piece_write(file, at, new_record, boundary, last);
	if (ret == 0)
		ret = piece_write(file, at, new_record, guard, boundary - 1);
	return ret;
}

/* The bytes that differ are first..last; false: none do. */
static bool span_find(const struct redo *redo, size_t *first, size_t *last)
{
	const char *old = (const char *)&redo->old;
	const char *new = (const char *)&redo->new;
	*first = 0;
	*last = KVP_POOL_RECORD_BYTES - 1;
	while (*first < KVP_POOL_RECORD_BYTES && old[*first] == new[*first])
		++*first;
	if (*first == KVP_POOL_RECORD_BYTES)
		return false;
	while (old[*last] == new[*last])
		--*last;
	return true;
}

static bool is_one_unit(uint32_t at, size_t first, size_t last)
{
	return (offset_of(at) + (off_t)first) / UNIT_BYTES ==
	       (offset_of(at) + (off_t)last) / UNIT_BYTES;
}

static int change_make(
	struct kvp_pool_file *file, const struct redo *redo, size_t first, size_t last)
{
	int ret = is_one_unit(redo->at, first, last)
			  ? piece_write(file, redo->at, &redo->new, first, last)
			  : crossing_write(file, redo->at, &redo->new, first, last);
	if (ret == 0 && redo->cut_to != NO_CUT)
		ret = kvp_pool_file_cut(file, redo->cut_to);
	return ret;
}

int kvp_pool_file_replace(struct kvp_pool_file *file, uint32_t at,
	const struct kvp_pool_record *old, const struct kvp_pool_record *new_record,
	uint32_t records, uint32_t cut_to)
{
	struct redo redo = {.at = at, .records = records, .cut_to = cut_to};
	size_t first, last;
	memcpy(redo.magic, redo_magic, sizeof redo.magic);
	redo.old = *old;
	redo.new = *new_record;
	if (!span_find(&redo, &first, &last))
		return cut_to == NO_CUT ? 0 : kvp_pool_file_cut(file, cut_to);
	if (cut_to == NO_CUT && is_one_unit(at, first, last))
		return change_make(file, &redo, first, last);
	int ret = redo_write(file, &redo);
	if (ret == 0)
		ret = change_make(file, &redo, first, last);
	if (ret != 0) /* no space, or the like: as it was */
		(void)write_all(file, file->fd, old, sizeof *old, offset_of(at));
	redo_clear(file);
	return ret;
}

/*
 * First an empty record, so that the file never ends inside one: who appends without looking
 * would add to the wrong place. What a truncated file has after its last whole record goes.
 */
int kvp_pool_file_append(
	struct kvp_pool_file *file, uint32_t records, const struct kvp_pool_record *record)
{
	const struct kvp_pool_record empty = {0};
	struct stat state;
	if (fstat(file->fd, &state) != 0)
		return -errno;
	int ret = state.st_size > offset_of(records) ? kvp_pool_file_cut(file, records) : 0;
	if (ret == 0)
		ret = kvp_pool_file_cut(file, records + 1);
	if (ret == 0)
		ret = kvp_pool_file_replace(file, records, &empty, record, records + 1, NO_CUT);
	if (ret != 0)
		(void)kvp_pool_file_cut(file, records);
	return ret;
}

/* ---- What a killed process left. */

/* Nobody else has changed record `at` since: each byte is the old, the new, or the guard. */
static bool redo_is_current(const struct kvp_pool_file *file, const struct redo *redo)
{
	struct kvp_pool_record now;
	struct stat state;
	if (fstat(file->fd, &state) != 0 || redo->at >= redo->records ||
		redo->records > KVP_POOL_RECORDS_MAX ||
		(redo->cut_to != NO_CUT && redo->cut_to > redo->records))
		return false;
	if (state.st_size / KVP_POOL_RECORD_BYTES != redo->records)
		return false;
	if (kvp_pool_file_read(file, redo->at, &now, 1) != 1)
		return false;
	const char *n = (const char *)&now;
	const char *o = (const char *)&redo->old;
	const char *w = (const char *)&redo->new;
	for (size_t i = 0; i < sizeof now; i++)
		if (n[i] != o[i] && n[i] != w[i] && !(n[i] == 0 && i == 0) &&
			!(n[i] == 0 && i == KVP_POOL_KEY_BYTES))
			return false;
	return true;
}

static void redo_finish(struct kvp_pool_file *file)
{
	struct redo redo;
	if (!redo_open(file))
		return;
	if (read_all(file->redo_fd, &redo, sizeof redo, 0) == sizeof redo &&
		memcmp(redo.magic, redo_magic, sizeof redo.magic) == 0 &&
		redo.check == redo_check(&redo) && redo_is_current(file, &redo)) {
		file->repairs++;
		if (change_make(file, &redo, 0, KVP_POOL_RECORD_BYTES - 1) != 0)
			return;
	}
	redo_clear(file);
}

/* Is there something to finish? */
static bool redo_is_there(const struct kvp_pool_file *file)
{
	char name[32];
	struct stat state;
	name_make(file, ".redo", name);
	return fstatat(file->dir_fd, name, &state, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(state.st_mode) && state.st_size > 0;
}

/* ---- Locks. */

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int record_lock(int fd, short type)
{
	/* Of the open file, not of the process: it stands against the process's kind too. */
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
	return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : -errno;
}

static int both_lock(int fd, bool is_exclusive, int wait_ms)
{
	uint64_t end = now_ms() + (uint64_t)wait_ms;
	const struct timespec pause = {.tv_nsec = 1000000};
	for (;;) {
		int ret = record_lock(fd, is_exclusive ? F_WRLCK : F_RDLCK);
		if (ret == 0) {
			if (flock(fd, (is_exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
				return 0;
			ret = -errno;
			(void)record_lock(fd, F_UNLCK);
		}
		if (ret != -EAGAIN && ret != -EACCES && ret != -EINTR)
			return ret;
		if (now_ms() >= end)
			return -EAGAIN;
		nanosleep(&pause, NULL);
	}
}

static void both_unlock(int fd)
{
	(void)flock(fd, LOCK_UN);
	(void)record_lock(fd, F_UNLCK);
}

/* Is the open file the one that has the name? */
static bool is_same(const struct kvp_pool_file *file, struct stat *state)
{
	char name[32];
	struct stat named;
	name_make(file, "", name);
	return fstat(file->fd, state) == 0 &&
	       fstatat(file->dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_ino == state->st_ino && named.st_dev == state->st_dev;
}

int kvp_pool_file_lock(struct kvp_pool_file *file, bool is_exclusive, struct stat *state)
{
	if (is_exclusive && !file->is_writable)
		return -EROFS;
	for (int attempt = 0; attempt < 4; attempt++) {
		int ret = file->fd < 0 ? file_reopen(file) : 0;
		if (ret == 0)
			ret = both_lock(file->fd, is_exclusive, file->lock_wait_ms);
		if (ret != 0)
			return ret;
		if (!is_same(file, state)) {
			both_unlock(file->fd);
			ret = file_reopen(file);
			if (ret != 0)
				return ret;
			continue;
		}
		if (!file->is_writable || !redo_is_there(file))
			return 0;
		if (is_exclusive) {
			redo_finish(file);
			return fstat(file->fd, state) == 0 ? 0 : -errno;
		}
		both_unlock(file->fd);
		is_exclusive = true;
	}
	return -EAGAIN;
}

bool kvp_pool_file_unlock(struct kvp_pool_file *file, bool is_changed, struct stat *state)
{
	bool is_marked = false;
	if (is_changed) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
		clock_gettime(CLOCK_REALTIME, &times[1]);
		is_marked = futimens(file->fd, times) == 0 && fstat(file->fd, state) == 0;
	}
	both_unlock(file->fd);
	return is_marked;
}
