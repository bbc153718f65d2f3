// SPDX-License-Identifier: Apache-2.0
/* kvpfs: operations on directories. See kvpfs.h. */
#include "guest/tools/kvpfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* As long as the kernel takes a name of a file system of this kind. */
#define NAME_MAX_KERNEL 1024u

/* An open directory: what was in it when it was opened. */
struct listing {
	uint32_t count;
	uint32_t capacity;
	struct listing_entry {
		uint64_t ino;
		mode_t type;
		char *name; /* owned */
	} * entries;
};

static bool is_pool(fuse_ino_t ino)
{
	return kvpfs_ino_is_dir(ino) && ino != FUSE_ROOT_ID;
}

static unsigned pool_of(fuse_ino_t ino)
{
	return (unsigned)(ino - KVPFS_INO_OF_POOL(0));
}

/* ---- lookup ---- */

/* Made or found: an entry for the kernel, whose node has one lookup more. */
static int entry_make(
	struct kvpfs *fs, unsigned pool, const char *key, struct fuse_entry_param *entry)
{
	char value[KVP_POOL_VALUE_BYTES];
	int error = kvpfs_value(fs, pool, key, value);
	if (error != 0)
		return error;
	struct kvpfs_node *node = kvpfs_node_get(fs, pool, key);
	if (node == NULL)
		return -ENOMEM;
	memset(entry, 0, sizeof *entry);
	entry->ino = kvpfs_node_ino(node);
	kvpfs_attr_file(fs, pool, node->hash, strlen(value), &entry->attr);
	return 0;
}

static int pool_lookup(struct kvpfs *fs, const char *name, struct fuse_entry_param *entry)
{
	for (uint8_t pool = 0; pool < KVPFS_POOLS; pool++) {
		if (strcmp(kvp_pool_name(pool), name) != 0)
			continue;
		memset(entry, 0, sizeof *entry);
		entry->ino = KVPFS_INO_OF_POOL(pool);
		kvpfs_attr_dir(fs, entry->ino, &entry->attr);
		return 0;
	}
	return -ENOENT;
}

void kvpfs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct kvpfs *fs = fuse_req_userdata(req);
	struct fuse_entry_param entry;
	char key[KVPFS_KEY_BYTES];
	int error = -ENOTDIR;
	if (parent == FUSE_ROOT_ID)
		error = pool_lookup(fs, name, &entry);
	else if (is_pool(parent)) {
		error = kvpfs_name_decode(name, key);
		/* No file can have such a name; whether one may be made, create says. */
		if (error == -EINVAL || error == -EILSEQ)
			error = -ENOENT;
		if (error == 0)
			error = entry_make(fs, pool_of(parent), key, &entry);
	}
	if (error != 0)
		fuse_reply_err(req, kvpfs_errno(error));
	else
		fuse_reply_entry(req, &entry);
}

/* ---- reading a directory ---- */

static void listing_free(struct listing *listing)
{
	for (uint32_t i = 0; i < listing->count; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	free(listing);
}

static bool listing_has(const struct listing *listing, uint64_t ino, const char *name)
{
	for (uint32_t i = 0; i < listing->count; i++)
		if (listing->entries[i].ino == ino && strcmp(listing->entries[i].name, name) == 0)
			return true;
	return false;
}

static int listing_add(struct listing *listing, uint64_t ino, mode_t type, const char *name)
{
	if (listing->count == listing->capacity) {
		uint32_t capacity = listing->capacity == 0 ? 64 : listing->capacity * 2;
		struct listing_entry *entries = reallocarray(
			listing->entries, capacity, sizeof *entries);
		if (entries == NULL)
			return -ENOMEM;
		listing->entries = entries;
		listing->capacity = capacity;
	}
	char *copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	struct listing_entry *entry = &listing->entries[listing->count++];
	entry->ino = ino;
	entry->type = type;
	entry->name = copy;
	return 0;
}

/* A key that is there twice has one file; one whose name is too long for the kernel has none. */
static int listing_add_key(struct listing *listing, unsigned pool, const char *key)
{
	char name[KVPFS_NAME_BYTES];
	uint64_t ino = kvpfs_hash(pool, key);
	if (kvpfs_name_encode(key, name) > NAME_MAX_KERNEL || listing_has(listing, ino, name))
		return 0;
	return listing_add(listing, ino, S_IFREG, name);
}

static int listing_fill(struct listing *listing, struct kvpfs *fs, fuse_ino_t ino)
{
	struct kvp_pool_record record;
	int error = listing_add(listing, ino, S_IFDIR, ".");
	if (error == 0)
		error = listing_add(listing, FUSE_ROOT_ID, S_IFDIR, "..");
	for (uint8_t pool = 0; error == 0 && ino == FUSE_ROOT_ID && pool < KVPFS_POOLS; pool++)
		error = listing_add(listing, KVPFS_INO_OF_POOL(pool), S_IFDIR, kvp_pool_name(pool));
	if (error != 0 || ino == FUSE_ROOT_ID)
		return error;
	unsigned pool = pool_of(ino);
	for (uint32_t i = 0; error == 0 && pool == KVP_POOL_AUTO && i < KVP_AUTO_COUNT; i++)
		error = listing_add_key(listing, pool, kvp_auto_key(i));
	for (uint32_t i = 0; error == 0 && pool != KVP_POOL_AUTO && i < KVP_POOL_RECORDS_MAX; i++) {
		error = kvp_pool_at(&fs->pools[pool], i, &record);
		if (error == -ENOENT)
			return 0;
		if (error == 0)
			error = listing_add_key(listing, pool, record.key);
	}
	return error;
}

void kvpfs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct listing *listing = calloc(1, sizeof *listing);
	int error = listing != NULL ? listing_fill(listing, fuse_req_userdata(req), ino) : -ENOMEM;
	if (error != 0) {
		if (listing != NULL)
			listing_free(listing);
		fuse_reply_err(req, kvpfs_errno(error));
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)listing;
	if (fuse_reply_open(req, fi) == -ENOENT) /* who asked has gone */
		listing_free(listing);
}

void kvpfs_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct listing *listing = (const struct listing *)(uintptr_t)fi->fh;
	char *buffer = malloc(size);
	size_t used = 0;
	(void)ino;
	if (buffer == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (uint64_t i = (uint64_t)offset; i < listing->count; i++) {
		const struct listing_entry *entry = &listing->entries[i];
		const struct stat attr = {.st_ino = entry->ino, .st_mode = entry->type};
		size_t bytes = fuse_add_direntry(
			req, buffer + used, size - used, entry->name, &attr, (off_t)i + 1);
		if (bytes > size - used)
			break;
		used += bytes;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

void kvpfs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	listing_free((struct listing *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

/* ---- changes ---- */

/* May something be made or removed there, and of what key? */
static int change_check(
	const struct kvpfs *fs, fuse_ino_t parent, const char *name, char key[KVPFS_KEY_BYTES])
{
	if (!is_pool(parent))
		return -EPERM; /* the pools are what there is */
	if (!fs->may_write[pool_of(parent)])
		return -EROFS;
	return kvpfs_name_decode(name, key);
}

void kvpfs_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct kvpfs *fs = fuse_req_userdata(req);
	struct fuse_entry_param entry;
	struct kvp_pool_record record;
	char key[KVPFS_KEY_BYTES];
	(void)mode; /* is the pool's */
	int error = change_check(fs, parent, name, key);
	if (error == 0) {
		struct kvp_pool_store *pool = &fs->pools[pool_of(parent)];
		error = kvp_pool_get(pool, key, &record);
		if (error == 0 && (fi->flags & O_EXCL) != 0)
			error = -EEXIST;
		else if (error == -ENOENT || (error == 0 && (fi->flags & O_TRUNC) != 0))
			error = kvp_pool_set(pool, key, "");
	}
	if (error == 0)
		error = entry_make(fs, pool_of(parent), key, &entry);
	fi->direct_io = 1;
	if (error != 0)
		fuse_reply_err(req, kvpfs_errno(error));
	else
		fuse_reply_create(req, &entry, fi);
}

/* There are no directories but the pools, and no other kinds of file. */
void kvpfs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	fuse_reply_err(req, EPERM);
}

void kvpfs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

void kvpfs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct kvpfs *fs = fuse_req_userdata(req);
	char key[KVPFS_KEY_BYTES];
	int error = change_check(fs, parent, name, key);
	if (error == 0)
		error = kvp_pool_delete(&fs->pools[pool_of(parent)], key);
	if (error == 0)
		kvpfs_node_rename(fs, pool_of(parent), key, "");
	fuse_reply_err(req, kvpfs_errno(error));
}

void kvpfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	const char *new_name, unsigned flags)
{
	struct kvpfs *fs = fuse_req_userdata(req);
	char key[KVPFS_KEY_BYTES];
	char new_key[KVPFS_KEY_BYTES];
	int error = (flags & ~(unsigned)RENAME_NOREPLACE) != 0 ? -EINVAL : 0;
	if (error == 0)
		error = change_check(fs, parent, name, key);
	if (error == 0)
		error = change_check(fs, new_parent, new_name, new_key);
	if (error == 0 && parent != new_parent)
		error = -EXDEV; /* who asks copies, then */
	if (error == 0)
		error = kvp_pool_rename(
			&fs->pools[pool_of(parent)], key, new_key, (flags & RENAME_NOREPLACE) != 0);
	if (error == 0)
		kvpfs_node_rename(fs, pool_of(parent), key, new_key);
	fuse_reply_err(req, kvpfs_errno(error));
}

void kvpfs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct kvpfs *fs = fuse_req_userdata(req);
	struct statvfs state = {
		.f_bsize = KVP_POOL_VALUE_BYTES,
		.f_frsize = KVP_POOL_VALUE_BYTES,
		.f_namemax = KVPFS_KEY_BYTES - 1,
	};
	(void)ino;
	for (unsigned pool = 0; pool < KVPFS_POOLS; pool++) {
		uint32_t count = KVP_AUTO_COUNT;
		if (pool != KVP_POOL_AUTO && kvp_pool_count(&fs->pools[pool], &count) != 0)
			count = 0;
		state.f_files += count;
		state.f_blocks += count;
		if (fs->may_write[pool])
			state.f_ffree += KVP_POOL_RECORDS_MAX - count;
	}
	state.f_files += state.f_ffree;
	state.f_blocks += state.f_ffree;
	state.f_bfree = state.f_bavail = state.f_favail = state.f_ffree;
	fuse_reply_statfs(req, &state);
}
