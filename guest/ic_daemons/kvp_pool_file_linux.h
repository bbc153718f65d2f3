// SPDX-License-Identifier: Apache-2.0
/*
 * One file of a key-value pool: its records, its locks, and changes that survive a kill.
 *
 *	kvp_pool_linux	keys and values
 *	      |
 *	kvp_pool_file	records by number, under a lock
 *	      |
 *	.kvp_pool_<n>	key[512], value[2048], again and again; nothing else
 *
 * The format is that of the kernel's own daemon, which other programs read and write too
 * (agents of cloud images append records to pool 1). So the file keeps its inode, and both
 * kinds of lock that are in use are taken: a record lock of fcntl (the kernel's daemon) and
 * flock (cloud-init). A lock is waited for at most lock_wait_ms, for whoever may
 * read the file can hold one for ever.
 *
 * A write that stays inside 4 KiB of a file is done by the kernel or not done, whatever
 * signal comes. A change that needs more than one such write is first put down in
 * .kvp_pool_<n>.redo, then made in an order in which a reader sees the old text, the new
 * text, or none (a key or value that begins with NUL), never a mixture. Who takes the lock
 * next finishes what a killed process began.
 *
 * Nothing is flushed to the disk: pools describe a machine that runs.
 *
 * Threads: none of its own; one owner for each struct.
 */
#ifndef GUEST_IC_DAEMONS_KVP_POOL_FILE_LINUX_H
#define GUEST_IC_DAEMONS_KVP_POOL_FILE_LINUX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define KVP_POOL_KEY_BYTES    512u /* NUL included */
#define KVP_POOL_VALUE_BYTES  2048u
#define KVP_POOL_RECORD_BYTES (KVP_POOL_KEY_BYTES + KVP_POOL_VALUE_BYTES)

/* The most records that are looked at and made: 20 MiB. The kernel's daemon has no bound. */
#define KVP_POOL_RECORDS_MAX 8192u

#define KVP_POOL_LOCK_WAIT_MS 2000

/* A record as it lies in the file: UTF-8, ended by NUL unless somebody broke it. */
struct kvp_pool_record {
	char key[KVP_POOL_KEY_BYTES];
	char value[KVP_POOL_VALUE_BYTES];
};

struct kvp_pool_file {
	int dir_fd;    /* borrowed: the folder */
	int fd;	       /* owned; -1: not open */
	int redo_fd;   /* owned; -1: not open yet */
	unsigned pool; /* the number in the name */
	bool is_writable;
	int lock_wait_ms;
	uint64_t repairs; /* changes finished or undone for a process that was killed */
	/* pwrite() and ftruncate(); a test puts others here. */
	ssize_t (*write_at)(int fd, const void *bytes, size_t count, off_t offset);
	int (*cut_at)(int fd, off_t length);
};

/*
 * Open pool `pool`'s file in the folder `dir_fd`, which stays borrowed; is_writable makes it
 * (mode 0644) if it is missing. 0 or a negative errno; -ENOENT for a reader: no such file yet,
 * and kvp_pool_file_lock() looks again. Never follows a symbolic link, and refuses what is no
 * regular file or has a second name (-EINVAL).
 */
int kvp_pool_file_open(struct kvp_pool_file *file, int dir_fd, unsigned pool, bool is_writable);

void kvp_pool_file_close(struct kvp_pool_file *file);

/*
 * Lock for reading or for changing, and finish what was left unfinished. The file under the
 * name may be another one by now: then that is opened. *state is the file's, from under the
 * lock. 0; -EAGAIN: others kept it locked; -EROFS; -ENOENT; another negative errno.
 */
int kvp_pool_file_lock(struct kvp_pool_file *file, bool is_exclusive, struct stat *state);

/*
 * Unlock. After a change, `is_changed` gives the file a time of its own, which is no tick of the
 * clock that other writers' times come from, and *state the result. True: from now on, who
 * compares with *state sees the next change of anybody. False: that time could not be set
 * (the file is another user's), or is_changed was false.
 */
bool kvp_pool_file_unlock(struct kvp_pool_file *file, bool is_changed, struct stat *state);

/* Read `count` records from record `first` on. The number read, or a negative errno. */
int kvp_pool_file_read(const struct kvp_pool_file *file, uint32_t first,
	struct kvp_pool_record *out, uint32_t count);

/*
 * Under the exclusive lock: make record `at`, which is *old now, *new; and then, if cut_to is
 * not UINT32_MAX, cut the file to that many records. `records` is the number in the file.
 */
int kvp_pool_file_replace(struct kvp_pool_file *file, uint32_t at,
	const struct kvp_pool_record *old, const struct kvp_pool_record *new_record,
	uint32_t records, uint32_t cut_to);

/* Under the exclusive lock: add a record after `records` of them. */
int kvp_pool_file_append(
	struct kvp_pool_file *file, uint32_t records, const struct kvp_pool_record *record);

/* Under the exclusive lock: leave `records` of them. */
int kvp_pool_file_cut(struct kvp_pool_file *file, uint32_t records);

#endif
