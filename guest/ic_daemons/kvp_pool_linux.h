// SPDX-License-Identifier: Apache-2.0
/*
 * A pool of key-value pairs in the files of the kernel's daemon (/var/lib/hyperv):
 *
 *	struct kvp_pool_store pool;
 *	kvp_pool_open(&pool, dir_fd, KVP_POOL_GUEST, true);
 *	kvp_pool_set(&pool, "Backup.State", "running");
 *	kvp_pool_close(&pool);
 *
 * Each call locks the file, looks whether others changed it since, and reads it again if so;
 * otherwise a key is found without reading more than its record. Other programs' files may
 * hold anything: a record whose key is empty counts as absent (and is used again), a text
 * without its NUL ends where its field ends, bytes after the last whole record are nothing.
 * Of a key that is there twice, the first counts, and deleting deletes both.
 *
 * The bounds are KVP_POOL_RECORDS_MAX, and those of the fields: a key of 511 bytes, a value
 * of 2,047. Keys and values are texts without NUL; UTF-8 by convention, which is not checked.
 *
 * Threads: none of its own; one owner. Other processes may use the same files.
 */
#ifndef GUEST_IC_DAEMONS_KVP_POOL_LINUX_H
#define GUEST_IC_DAEMONS_KVP_POOL_LINUX_H

#include "guest/ic_daemons/kvp_pool_file_linux.h"

#define KVP_POOL_DIR "/var/lib/hyperv"

struct kvp_pool_store {
	struct kvp_pool_file file;
	bool is_read;	   /* the fields below are of the file as `state` has it */
	bool is_doubtful;  /* it changed so lately that its time may not show the next change */
	struct stat state; /* when it was read, or changed by us */
	uint32_t records;  /* in the file */
	uint32_t empty;	   /* of those, without a key */
	uint64_t *hashes;  /* owned; one a record: of its key, 0 without a key */
	uint32_t capacity; /* of hashes */
	uint64_t ignored;  /* records past KVP_POOL_RECORDS_MAX, when the file was read last */
	uint64_t reloads;
};

/*
 * As kvp_pool_file_open(). 0 or a negative errno; a reader may open a pool that has no file
 * yet (it is empty then). kvp_pool_close() in either case.
 */
int kvp_pool_open(struct kvp_pool_store *pool, int dir_fd, unsigned number, bool is_writable);
void kvp_pool_close(struct kvp_pool_store *pool);

/*
 * Everything below returns 0 or a negative errno: -ENOENT: no such key (or index);
 * -ENAMETOOLONG, -EFBIG: key or value past its field; -EINVAL: the key is empty; -EROFS: opened
 * for reading; -ENOSPC: the pool or the disk is full; -EAGAIN: another program kept the file
 * locked; -ENOMEM; others from the file system. A failed change leaves the pool as it was.
 */

/* *out is always ended by NUL. */
int kvp_pool_get(struct kvp_pool_store *pool, const char *key, struct kvp_pool_record *out);

/* Add the key or change its value. */
int kvp_pool_set(struct kvp_pool_store *pool, const char *key, const char *value);

int kvp_pool_delete(struct kvp_pool_store *pool, const char *key);

/*
 * Give `key` the name `new_key`. is_exclusive: -EEXIST if that is there; otherwise it is
 * replaced, and a kill in the middle leaves both rather than none.
 */
int kvp_pool_rename(
	struct kvp_pool_store *pool, const char *key, const char *new_key, bool is_exclusive);

/* The record that is number `index`, from 0, of those with a key. */
int kvp_pool_at(struct kvp_pool_store *pool, uint32_t index, struct kvp_pool_record *out);

/* How many records have a key. */
int kvp_pool_count(struct kvp_pool_store *pool, uint32_t *count);

#endif
