// SPDX-License-Identifier: Apache-2.0
/*
 * kvpfs: the key-value pools of a guest as a file system: one directory a pool, one file a key,
 * whose content is the value.
 *
 *	kvpfs.c		options, mount, loop
 *	kvpfs_ops.c	operations on files	kvpfs_dir.c	on directories
 *	kvpfs_node.c	which files the kernel knows
 *	kvpfs_name.c	keys as names
 *	kvp_pool_linux.h, kvp_auto_linux.h
 *
 * Nothing is cached: each read and each look at a size asks the pool, whose files others
 * change. A write is in the pool when it returns.
 *
 * Threads: one, with one request at a time.
 */
#ifndef GUEST_TOOLS_KVPFS_H
#define GUEST_TOOLS_KVPFS_H

#define FUSE_USE_VERSION 314

#include "guest/ic_daemons/kvp_auto_linux.h"
#include "guest/ic_daemons/kvp_pool_linux.h"
#include "guest/tools/kvpfs_name.h"

#include <fuse_lowlevel.h>
#include <sys/stat.h>

#define KVPFS_POOLS 4u

/* A file that the kernel knows; its number there is the address. */
struct kvpfs_node {
	struct kvpfs_node *next;
	uint64_t lookups; /* that the kernel has not forgotten */
	uint64_t hash;	  /* of pool and key when it came to be: its inode number for people */
	unsigned pool;
	char key[KVPFS_KEY_BYTES]; /* "": removed */
};

struct kvpfs {
	const char *pools_dir;
	const char *mount_point;
	const char *root; /* of kvp_facts_init() */
	bool is_writable; /* all pools that are files */
	bool allow_other;
	int dir_fd;
	struct kvp_pool_store pools[KVPFS_POOLS]; /* of those that are files */
	bool may_write[KVPFS_POOLS];
	struct kvp_facts facts;
	struct kvpfs_node *nodes; /* owned, all of them */
};

/* The operations; their userdata is a struct kvpfs. */
extern const struct fuse_lowlevel_ops kvpfs_ops;

/* ---- kvpfs_node.c */

/* Inodes: 1 is the root, then the pools; files are addresses of nodes. */
#define KVPFS_INO_OF_POOL(pool) ((fuse_ino_t)(pool) + 2)
static inline bool kvpfs_ino_is_dir(fuse_ino_t ino)
{
	return ino < KVPFS_INO_OF_POOL(KVPFS_POOLS);
}
struct kvpfs_node *kvpfs_node_of(fuse_ino_t ino);
fuse_ino_t kvpfs_node_ino(const struct kvpfs_node *node);

/* What is shown as the inode number of a key that no node has. */
uint64_t kvpfs_hash(unsigned pool, const char *key);

/* The node of a key, made if need be, with one lookup more. NULL: no memory. */
struct kvpfs_node *kvpfs_node_get(struct kvpfs *fs, unsigned pool, const char *key);
void kvpfs_node_forget(struct kvpfs *fs, struct kvpfs_node *node, uint64_t lookups);
/* The key has another name, or ("") none. What had the new name has none any more. */
void kvpfs_node_rename(struct kvpfs *fs, unsigned pool, const char *key, const char *new_key);
void kvpfs_node_free_all(struct kvpfs *fs);

/* ---- kvpfs_ops.c: for kvpfs_dir.c */

/* The value of a key, NUL-ended. 0 or a negative errno. */
int kvpfs_value(struct kvpfs *fs, unsigned pool, const char *key, char value[KVP_POOL_VALUE_BYTES]);
/* Attributes of a directory, or of a key whose value has `size` bytes. */
void kvpfs_attr_dir(struct kvpfs *fs, fuse_ino_t ino, struct stat *attr);
void kvpfs_attr_file(
	struct kvpfs *fs, unsigned pool, uint64_t hash, size_t size, struct stat *attr);
/* The errno that a program gets. */
int kvpfs_errno(int error);

/* ---- kvpfs_dir.c: operations */

void kvpfs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void kvpfs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void kvpfs_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void kvpfs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void kvpfs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi);
void kvpfs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void kvpfs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void kvpfs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void kvpfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	const char *new_name, unsigned flags);
void kvpfs_statfs(fuse_req_t req, fuse_ino_t ino);

#endif
