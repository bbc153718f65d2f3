// SPDX-License-Identifier: Apache-2.0
/* kvpfs: operations on files. See kvpfs.h. */
#include "guest/tools/kvpfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VALUE_MAX (KVP_POOL_VALUE_BYTES - 1)

int kvpfs_errno(int error)
{
	return error == -EAGAIN ? EBUSY : -error; /* another program keeps the pool locked */
}

/* ---- values and attributes ---- */

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int fact_value(struct kvpfs *fs, const char *key, char value[KVP_POOL_VALUE_BYTES])
{
	for (uint32_t i = 0; i < KVP_AUTO_COUNT; i++) {
		if (strcmp(kvp_auto_key(i), key) != 0)
			continue;
		kvp_facts_refresh(&fs->facts, now_ms());
		const char *text = kvp_facts_value(&fs->facts, i);
		size_t length = strnlen(text, VALUE_MAX);
		memcpy(value, text, length);
		value[length] = '\0';
		return 0;
	}
	return -ENOENT;
}

int kvpfs_value(struct kvpfs *fs, unsigned pool, const char *key, char value[KVP_POOL_VALUE_BYTES])
{
	struct kvp_pool_record record;
	if (key[0] == '\0')
		return -ENOENT;
	if (pool == KVP_POOL_AUTO)
		return fact_value(fs, key, value);
	int error = kvp_pool_get(&fs->pools[pool], key, &record);
	if (error == 0)
		memcpy(value, record.value, sizeof record.value);
	return error;
}

/* Whoever may do something with the pool's file may do it with what is in it. */
static void attr_of_pool(struct kvpfs *fs, unsigned pool, struct stat *attr)
{
	struct stat state;
	memset(attr, 0, sizeof *attr);
	if (fs->pools[pool].file.fd >= 0 && fstat(fs->pools[pool].file.fd, &state) == 0) {
		attr->st_mode = state.st_mode & 0666;
		attr->st_uid = state.st_uid;
		attr->st_gid = state.st_gid;
		attr->st_mtim = attr->st_ctim = attr->st_atim = state.st_mtim;
	} else {
		attr->st_mode = 0444;
		attr->st_uid = geteuid();
		attr->st_gid = getegid();
	}
	if (!fs->may_write[pool])
		attr->st_mode &= 0444;
}

void kvpfs_attr_dir(struct kvpfs *fs, fuse_ino_t ino, struct stat *attr)
{
	if (ino == FUSE_ROOT_ID) {
		memset(attr, 0, sizeof *attr);
		attr->st_mode = 0444;
	} else {
		attr_of_pool(fs, (unsigned)(ino - KVPFS_INO_OF_POOL(0)), attr);
	}
	/* Who may read may look inside. */
	attr->st_mode |= S_IFDIR | (attr->st_mode & 0444) >> 2;
	attr->st_ino = ino;
	attr->st_nlink = 2;
}

void kvpfs_attr_file(struct kvpfs *fs, unsigned pool, uint64_t hash, size_t size, struct stat *attr)
{
	attr_of_pool(fs, pool, attr);
	attr->st_mode |= S_IFREG;
	attr->st_ino = hash;
	attr->st_nlink = 1;
	attr->st_size = (off_t)size;
	attr->st_blocks = 1;
	attr->st_blksize = KVP_POOL_VALUE_BYTES;
}

static int attr_get(struct kvpfs *fs, fuse_ino_t ino, struct stat *attr)
{
	char value[KVP_POOL_VALUE_BYTES];
	if (kvpfs_ino_is_dir(ino)) {
		kvpfs_attr_dir(fs, ino, attr);
		return 0;
	}
	const struct kvpfs_node *node = kvpfs_node_of(ino);
	int error = kvpfs_value(fs, node->pool, node->key, value);
	if (error == 0)
		kvpfs_attr_file(fs, node->pool, node->hash, strlen(value), attr);
	return error;
}

static void reply_attr(fuse_req_t req, struct kvpfs *fs, fuse_ino_t ino)
{
	struct stat attr;
	int error = attr_get(fs, ino, &attr);
	if (error != 0)
		fuse_reply_err(req, kvpfs_errno(error));
	else
		fuse_reply_attr(req, &attr, 0);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	reply_attr(req, fuse_req_userdata(req), ino);
}

/* ---- changes ---- */

/* There is no NUL in a value, so a hole cannot be. */
static int value_cut(struct kvpfs *fs, const struct kvpfs_node *node, off_t size)
{
	char value[KVP_POOL_VALUE_BYTES];
	if (!fs->may_write[node->pool])
		return -EROFS;
	if (size > (off_t)VALUE_MAX)
		return -EFBIG;
	int error = kvpfs_value(fs, node->pool, node->key, value);
	if (error != 0)
		return error;
	size_t length = strlen(value);
	if ((size_t)size > length)
		return -EINVAL;
	if ((size_t)size == length)
		return 0;
	value[size] = '\0';
	return kvp_pool_set(&fs->pools[node->pool], node->key, value);
}

static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct kvpfs *fs = fuse_req_userdata(req);
	struct stat now;
	(void)fi;
	int error = attr_get(fs, ino, &now);
	/* Owner and mode are the pool file's; setting what they are is nothing. */
	if (error == 0 &&
		(((to_set & FUSE_SET_ATTR_MODE) && (attr->st_mode ^ now.st_mode) & 07777) ||
			((to_set & FUSE_SET_ATTR_UID) && attr->st_uid != now.st_uid) ||
			((to_set & FUSE_SET_ATTR_GID) && attr->st_gid != now.st_gid)))
		error = -EPERM;
	if (error == 0 && (to_set & FUSE_SET_ATTR_SIZE) && !kvpfs_ino_is_dir(ino))
		error = value_cut(fs, kvpfs_node_of(ino), attr->st_size);
	if (error != 0)
		fuse_reply_err(req, kvpfs_errno(error));
	else
		reply_attr(req, fs, ino);
}

static int value_write(struct kvpfs *fs, const struct kvpfs_node *node, const char *bytes,
	size_t count, off_t offset, bool is_append)
{
	char value[KVP_POOL_VALUE_BYTES];
	if (!fs->may_write[node->pool])
		return -EROFS;
	if (count > 0 && memchr(bytes, '\0', count) != NULL)
		return -EINVAL;
	int error = kvpfs_value(fs, node->pool, node->key, value);
	if (error != 0)
		return error;
	size_t length = strlen(value);
	if (is_append)
		offset = (off_t)length;
	if (offset < 0 || offset > (off_t)VALUE_MAX || count > VALUE_MAX - (size_t)offset)
		return -EFBIG;
	if ((size_t)offset > length)
		return -EINVAL;
	memcpy(value + offset, bytes, count);
	if ((size_t)offset + count > length)
		value[(size_t)offset + count] = '\0';
	return kvp_pool_set(&fs->pools[node->pool], node->key, value);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t count, off_t offset,
	struct fuse_file_info *fi)
{
	int error = value_write(fuse_req_userdata(req), kvpfs_node_of(ino), bytes, count, offset,
		(fi->flags & O_APPEND) != 0);
	if (error != 0)
		fuse_reply_err(req, kvpfs_errno(error));
	else
		fuse_reply_write(req, count);
}

/* ---- reading ---- */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct kvpfs *fs = fuse_req_userdata(req);
	const struct kvpfs_node *node = kvpfs_node_of(ino);
	char value[KVP_POOL_VALUE_BYTES];
	int error = kvpfs_value(fs, node->pool, node->key, value);
	if (error == 0 && (fi->flags & O_ACCMODE) != O_RDONLY && !fs->may_write[node->pool])
		error = -EROFS;
	if (error == 0 && (fi->flags & O_TRUNC) != 0 && value[0] != '\0')
		error = value_cut(fs, node, 0);
	fi->direct_io = 1;
	if (error != 0)
		fuse_reply_err(req, kvpfs_errno(error));
	else
		fuse_reply_open(req, fi);
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct kvpfs_node *node = kvpfs_node_of(ino);
	char value[KVP_POOL_VALUE_BYTES];
	(void)fi;
	int error = kvpfs_value(fuse_req_userdata(req), node->pool, node->key, value);
	if (error != 0) {
		fuse_reply_err(req, kvpfs_errno(error));
		return;
	}
	size_t length = strlen(value);
	size_t from = offset < (off_t)length ? (size_t)offset : length;
	fuse_reply_buf(req, value + from, length - from < size ? length - from : size);
}

/* ---- the rest ---- */

/* What was written is in the pool. */
static void op_done(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int is_data, struct fuse_file_info *fi)
{
	(void)is_data;
	op_done(req, ino, fi);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	if (!kvpfs_ino_is_dir(ino))
		kvpfs_node_forget(fuse_req_userdata(req), kvpfs_node_of(ino), lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		if (!kvpfs_ino_is_dir(forgets[i].ino))
			kvpfs_node_forget(fuse_req_userdata(req), kvpfs_node_of(forgets[i].ino),
				forgets[i].nlookup);
	fuse_reply_none(req);
}

const struct fuse_lowlevel_ops kvpfs_ops = {
	.lookup = kvpfs_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_done,
	.release = op_done,
	.fsync = op_fsync,
	.opendir = kvpfs_opendir,
	.readdir = kvpfs_readdir,
	.releasedir = kvpfs_releasedir,
	.create = kvpfs_create,
	.mkdir = kvpfs_mkdir,
	.rmdir = kvpfs_rmdir,
	.unlink = kvpfs_unlink,
	.rename = kvpfs_rename,
	.statfs = kvpfs_statfs,
};
