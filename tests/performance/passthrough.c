// SPDX-License-Identifier: Apache-2.0
/* A pass-through file of libfuse: see passthrough.h. */
#define FUSE_USE_VERSION 312
#include "tests/performance/passthrough.h"

#include "tests/performance/process.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_INO  2u
#define FILE_NAME "disk"
#define TIMEOUT_S 3600.0

/* Of one read; given twice, as the library demands. */
#define REQUEST_BYTES_MAX  (1u << 20)
#define REQUEST_BYTES_TEXT "1048576"

struct passthrough {
	int fd;
	off_t bytes;
};

static void attributes_get(fuse_req_t req, fuse_ino_t ino, struct stat *st)
{
	const struct passthrough *fs = fuse_req_userdata(req);
	memset(st, 0, sizeof *st);
	st->st_ino = ino;
	st->st_nlink = 1;
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_mode = ino == FILE_INO ? S_IFREG | 0600 : S_IFDIR | 0700;
	st->st_size = ino == FILE_INO ? fs->bytes : 0;
}

static void pass_init(void *ctx, struct fuse_conn_info *conn)
{
	(void)ctx;
	conn->max_read = REQUEST_BYTES_MAX;
	conn->want |= conn->capable & (FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
					      FUSE_CAP_SPLICE_MOVE | FUSE_CAP_ASYNC_DIO);
}

static void pass_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {
		.ino = FILE_INO, .attr_timeout = TIMEOUT_S, .entry_timeout = TIMEOUT_S};
	if (parent != FUSE_ROOT_ID || strcmp(name, FILE_NAME) != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	attributes_get(req, FILE_INO, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void pass_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat st;
	(void)info;
	attributes_get(req, ino, &st);
	fuse_reply_attr(req, &st, TIMEOUT_S);
}

static void pass_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	if (ino != FILE_INO) {
		fuse_reply_err(req, EISDIR);
		return;
	}
	info->direct_io = 1;
	fuse_reply_open(req, info);
}

static void pass_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	const struct passthrough *fs = fuse_req_userdata(req);
	struct fuse_bufvec from = FUSE_BUFVEC_INIT(size);
	(void)ino;
	(void)info;
	from.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	from.buf[0].fd = fs->fd;
	from.buf[0].pos = offset;
	fuse_reply_data(req, &from, FUSE_BUF_SPLICE_MOVE);
}

static void pass_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *from, off_t offset,
	struct fuse_file_info *info)
{
	const struct passthrough *fs = fuse_req_userdata(req);
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(fuse_buf_size(from));
	(void)ino;
	(void)info;
	to.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	to.buf[0].fd = fs->fd;
	to.buf[0].pos = offset;
	const ssize_t written = fuse_buf_copy(&to, from, 0);
	if (written < 0)
		fuse_reply_err(req, (int)-written);
	else
		fuse_reply_write(req, (size_t)written);
}

static void pass_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *info)
{
	const struct passthrough *fs = fuse_req_userdata(req);
	(void)ino;
	(void)datasync;
	(void)info;
	fuse_reply_err(req, fdatasync(fs->fd) == 0 ? 0 : errno);
}

static const struct fuse_lowlevel_ops ops = {
	.init = pass_init,
	.lookup = pass_lookup,
	.getattr = pass_getattr,
	.open = pass_open,
	.read = pass_read,
	.write_buf = pass_write_buf,
	.fsync = pass_fsync,
};

/* In the child, to its end: the exit status. */
static int serve(const char *path, bool is_direct, const char *mount_point)
{
	struct stat st;
	struct passthrough fs = {.fd = open(path, O_RDWR | O_CLOEXEC | (is_direct ? O_DIRECT : 0))};
	if (fs.fd < 0 || fstat(fs.fd, &st) != 0)
		return 1;
	fs.bytes = st.st_size;
	char *argv[] = {"hvbench", "-o", "max_read=" REQUEST_BYTES_TEXT, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *session = fuse_session_new(&args, &ops, sizeof ops, &fs);
	if (session == NULL || fuse_set_signal_handlers(session) != 0 ||
		fuse_session_mount(session, mount_point) != 0)
		return 1;
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	const int result = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return result == 0 ? 0 : 1;
}

pid_t passthrough_start(const char *path, bool is_direct, const char *mount_point)
{
	const pid_t child = process_fork(PROCESS_ANYWHERE);
	if (child == 0)
		_exit(serve(path, is_direct, mount_point));
	if (child < 0)
		fprintf(stderr, "hvbench: fork: %s\n", strerror(errno));
	return child;
}
