// SPDX-License-Identifier: Apache-2.0
/*
 * Mounting, and taking requests. See vsc_disk_fuse.h; the operations are in
 * vsc_disk_ops.c.
 */
#define FUSE_USE_VERSION 314

#include "guest/vsc/vsc_disk_fuse.h"

#include "guest/vsc/vsc_disk_log.h"
#include "guest/vsc/vsc_disk_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FUSE_SUPER_MAGIC 0x65735546

/* Where data arrive: at most one transfer, and a bit, as the kernel asks for some slack. */
#define WINDOW_BYTES (DISK_TRANSFER_MAX + (size_t)WINHV_PAGE_BYTES)
_Static_assert(DISK_LARGE_PAGES >= DISK_EDGE_PAGES + WINDOW_BYTES / WINHV_PAGE_BYTES,
	"the window must fit into a buffer");

/* The part of a WRITE before its data; all other requests follow it in private memory. */
#define PRIVATE_BYTES (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))
#define REQUEST_BYTES (PRIVATE_BYTES + WINDOW_BYTES)

/* ---- mounting ------------------------------------------------------------ */

/* What libfuse last had to say; told if mounting fails. */
static char fuse_words[256];

static void on_fuse_log(enum fuse_log_level level, const char *format, va_list args)
{
	(void)level;
	vsnprintf(fuse_words, sizeof fuse_words, format, args);
	fuse_words[strcspn(fuse_words, "\n")] = '\0';
}

static int mount_point_check(const char *path)
{
	struct stat st;
	struct statfs fs;
	if (stat(path, &st) != 0) {
		const int error = errno;
		if (error == ENOENT)
			disk_log("%s: no such mount point; make the directory first: mkdir %s",
				path, path);
		else if (error == ENOTCONN)
			disk_log("%s: a mount of a program that has died is there; remove it: "
				 "fusermount3 -u %s",
				path, path);
		else
			disk_log("%s: cannot use the mount point: %s", path, strerror(error));
		return -error;
	}
	if (!S_ISDIR(st.st_mode)) {
		disk_log("%s: the mount point is not a directory; give a directory", path);
		return -ENOTDIR;
	}
	if (statfs(path, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC && st.st_ino == FUSE_ROOT_ID) {
		disk_log(
			"%s: busy: a FUSE file system is mounted there; unmount it: fusermount3 -u "
			"%s",
			path, path);
		return -EBUSY;
	}
	return 0;
}

int disk_fuse_check(const struct disk_options *options)
{
	const int error = mount_point_check(options->mount_point);
	if (error != 0)
		return error;
	const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	const int reason = errno;
	if (reason == ENOENT || reason == ENODEV || reason == ENXIO)
		disk_log("/dev/fuse: this kernel offers no FUSE; load it: modprobe fuse");
	else
		disk_log("/dev/fuse: %s; run as root, or as a user who may use FUSE",
			strerror(reason));
	return -reason;
}

/*
 * What fusermount3 writes to our standard error goes into fuse_words instead.
 * Returns the descriptor of the standard error, for words_give_back(), or -1.
 */
static int words_take(int *taken)
{
	const int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	*taken = memfd_create("vsc-disk: fusermount3", MFD_CLOEXEC);
	if (kept >= 0 && *taken >= 0 && dup2(*taken, STDERR_FILENO) >= 0)
		return kept;
	if (kept >= 0)
		close(kept);
	return -1;
}

static void words_give_back(int kept, int taken)
{
	if (kept >= 0) {
		char words[sizeof fuse_words] = "";
		dup2(kept, STDERR_FILENO);
		close(kept);
		if (pread(taken, words, sizeof words - 1, 0) > 0)
			snprintf(fuse_words, sizeof fuse_words, "%.*s", (int)strcspn(words, "\n"),
				words);
	}
	if (taken >= 0)
		close(taken);
}

/* With auto_unmount the mount goes even if this process is killed; it needs fusermount3. */
static struct fuse_session *session_mount(struct disk_fuse *fuse, bool has_auto_unmount)
{
	char mount_options[160];
	snprintf(mount_options, sizeof mount_options,
		"-ofsname=vsc-disk,subtype=viridian,default_permissions,max_read=%u%s%s",
		DISK_TRANSFER_MAX, fuse->options->allow_other ? ",allow_other" : "",
		has_auto_unmount ? ",auto_unmount" : "");
	char name[] = "vsc-disk";
	char *argv[] = {name, mount_options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct fuse_session *session = fuse_session_new(
		&args, disk_fuse_ops(), sizeof(struct fuse_lowlevel_ops), fuse);
	fuse_opt_free_args(&args);
	if (session == NULL)
		return NULL;
	/* Absolute: what unmounts it after our death has another working directory. */
	char *path = realpath(fuse->options->mount_point, NULL);
	int taken;
	const int kept = words_take(&taken);
	const int error = fuse_session_mount(
		session, path != NULL ? path : fuse->options->mount_point);
	words_give_back(kept, taken);
	free(path);
	if (error == 0)
		return session;
	fuse_session_destroy(session);
	return NULL;
}

int disk_fuse_mount(struct disk_fuse *fuse, const struct disk_options *options,
	struct disk_tree *tree, struct disk_io *io)
{
	memset(fuse, 0, sizeof *fuse);
	fuse->options = options;
	fuse->tree = tree;
	fuse->io = io;
	fuse->fd = -1;
	fuse->request = malloc(REQUEST_BYTES + 1);
	if (fuse->request == NULL) {
		disk_log("out of memory");
		return -ENOMEM;
	}
	fuse_set_log_func(on_fuse_log);
	fuse->session = session_mount(fuse, true);
	if (fuse->session == NULL)
		fuse->session = session_mount(fuse, false);
	if (fuse->session == NULL) {
		disk_log("%s: cannot mount: %s; run as root, or with fusermount3 of the package "
			 "fuse3 on a directory of your own",
			options->mount_point, fuse_words);
		free(fuse->request);
		fuse->request = NULL;
		return -EIO;
	}
	fuse->is_mounted = true;
	fuse->fd = fuse_session_fd(fuse->session);
	const int flags = fcntl(fuse->fd, F_GETFL);
	if (flags < 0 || fcntl(fuse->fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
		disk_notify_start(&fuse->notifier, fuse->session) != 0) {
		disk_log("cannot start to serve: %s", strerror(errno));
		disk_fuse_unmount(fuse);
		return -EIO;
	}
	tree->on_change = disk_notify_change;
	tree->ctx = &fuse->notifier;
	return 0;
}

void disk_fuse_unmount(struct disk_fuse *fuse)
{
	if (!fuse->is_mounted)
		return;
	fuse->tree->on_change = NULL;
	fuse_session_unmount(fuse->session);
	disk_notify_stop(&fuse->notifier);
	fuse_session_destroy(fuse->session);
	fuse->session = NULL;
	fuse->is_mounted = false;
	fuse->fd = -1;
	free(fuse->request);
	fuse->request = NULL;
}

/* ---- requests ------------------------------------------------------------ */

bool disk_fuse_has_room(struct disk_fuse *fuse)
{
	if (fuse->io->free_jobs == NULL)
		return false;
	if (!fuse->has_window)
		fuse->has_window = disk_arena_get(
			&fuse->io->arena, DISK_LARGE_PAGES, &fuse->window);
	return fuse->has_window;
}

bool disk_fuse_is_starved(struct disk_fuse *fuse)
{
	return fuse->io->jobs == 0 && !disk_fuse_has_room(fuse);
}

static uint8_t *window_data(const struct disk_fuse *fuse)
{
	return disk_arena_at(&fuse->io->arena, fuse->window + DISK_EDGE_PAGES);
}

/* One read of /dev/fuse: bytes, 0 if there is nothing, or negative for good. */
static ssize_t request_read(struct disk_fuse *fuse)
{
	struct iovec iov[2] = {
		{fuse->request, PRIVATE_BYTES},
		{window_data(fuse), WINDOW_BYTES},
	};
	for (;;) {
		const ssize_t bytes = readv(fuse->fd, iov, 2);
		if (bytes >= 0)
			return bytes;
		if (errno == ENOENT || errno == EINTR)
			continue; /* the request was interrupted before we had it */
		if (errno == EAGAIN) {
			fuse->counters.dry++;
			return 0;
		}
		fuse->is_unmounted = true;
		return -errno;
	}
}

int disk_fuse_take(struct disk_fuse *fuse)
{
	if (fuse->is_unmounted || !disk_fuse_has_room(fuse)) {
		fuse->counters.stalls++;
		return 0;
	}
	const ssize_t bytes = request_read(fuse);
	if (bytes < (ssize_t)sizeof(struct fuse_in_header))
		return 0;
	uint32_t opcode;
	memcpy(&opcode, fuse->request + offsetof(struct fuse_in_header, opcode), sizeof opcode);
	/* What follows a header is private too, but for the data of a WRITE, which stay. */
	if (opcode != FUSE_WRITE && (size_t)bytes > PRIVATE_BYTES)
		memcpy(fuse->request + PRIVATE_BYTES, window_data(fuse),
			(size_t)bytes - PRIVATE_BYTES);
	fuse->request[bytes] = 0; /* names end, even if the host was quick to spoil their ends */
	const struct fuse_buf buf = {
		.size = (size_t)bytes,
		.mem = fuse->request,
	};
	fuse->counters.requests++;
	fuse_session_process_buf(fuse->session, &buf);
	if (fuse_session_exited(fuse->session))
		fuse->is_unmounted = true;
	return 1;
}
