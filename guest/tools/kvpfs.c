// SPDX-License-Identifier: Apache-2.0
/* kvpfs: options, mount, loop. See kvpfs.h. */
#include "guest/tools/kvpfs.h"

#include "packaging/version.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char usage[] =
	"usage: kvpfs [options] MOUNTPOINT\n"
	"\n"
	"The key-value pools that this guest shares with its host, as files: a directory a\n"
	"pool, a file a key, whose content is the value.\n"
	"\n"
	"  external       what the host has set for the guest\n"
	"  guest          what the guest has set for the host; programs may write here\n"
	"  auto           what the guest says of itself\n"
	"  auto-external  what the host says of itself\n"
	"\n"
	"A key has up to 511 bytes of UTF-8, a value 2047 without NUL. What a name cannot hold\n"
	"is written %2F for '/', %25 for '%', %2E for the dot of \".\". Changes of the daemon are\n"
	"seen at once, and a write is in the pool when it returns. kvpfs stays in the foreground\n"
	"until SIGTERM, SIGINT, or until MOUNTPOINT is unmounted (fusermount3 -u).\n"
	"\n"
	"      --pools DIR     where the pools are (/var/lib/hyperv)\n"
	"      --writable      external and auto-external may be written too\n"
	"      --allow-other   let other users use the files, as the pools' modes permit\n"
	"  -V, --version\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 ended in order, 1 failure, 2 wrong usage.\n"
	"example: kvpfs /run/kvp & printf running >/run/kvp/guest/Backup.State\n";

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("kvpfs: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

enum option_key {
	OPTION_POOLS = 1000,
	OPTION_WRITABLE,
	OPTION_ALLOW_OTHER,
	OPTION_ROOT,
};

static const struct option long_options[] = {
	{"pools", required_argument, NULL, OPTION_POOLS},
	{"writable", no_argument, NULL, OPTION_WRITABLE},
	{"allow-other", no_argument, NULL, OPTION_ALLOW_OTHER},
	{"root", required_argument, NULL, OPTION_ROOT},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 0: go on; 1: all is said; negative: wrong usage, said. */
static int options_parse(struct kvpfs *fs, int argc, char **argv)
{
	int key;
	fs->pools_dir = KVP_POOL_DIR;
	while ((key = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		switch (key) {
		case OPTION_POOLS:
			fs->pools_dir = optarg;
			break;
		case OPTION_WRITABLE:
			fs->is_writable = true;
			break;
		case OPTION_ALLOW_OTHER:
			fs->allow_other = true;
			break;
		case OPTION_ROOT:
			fs->root = optarg;
			break;
		case 'V':
			version_print("kvpfs");
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default: /* getopt has said it */
			return -EINVAL;
		}
	}
	if (optind != argc - 1) {
		complain("give one directory to mount at (kvpfs --help)");
		return -EINVAL;
	}
	fs->mount_point = argv[optind];
	return 0;
}

/* ---- pools ---- */

/* Writable if that is wanted and permitted, else as it can be read. */
static int pool_open(struct kvpfs *fs, unsigned pool)
{
	bool is_wanted = pool == KVP_POOL_GUEST || fs->is_writable;
	int error = is_wanted ? kvp_pool_open(&fs->pools[pool], fs->dir_fd, pool, true) : -EROFS;
	fs->may_write[pool] = error == 0;
	if (error == 0)
		return 0;
	if (is_wanted)
		kvp_pool_close(&fs->pools[pool]);
	if (fs->is_writable)
		complain("%s/.kvp_pool_%u: %s; it is read-only here", fs->pools_dir, pool,
			strerror(-error));
	error = kvp_pool_open(&fs->pools[pool], fs->dir_fd, pool, false);
	if (error != 0)
		complain("%s/.kvp_pool_%u: %s", fs->pools_dir, pool,
			error == -EINVAL ? "not a regular file" : strerror(-error));
	return error;
}

static int pools_open(struct kvpfs *fs)
{
	for (unsigned pool = 0; pool < KVPFS_POOLS; pool++)
		fs->pools[pool].file.fd = fs->pools[pool].file.redo_fd = -1;
	if (!kvp_facts_init(&fs->facts, fs->root)) {
		complain("out of memory");
		return -ENOMEM;
	}
	fs->dir_fd = open(fs->pools_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs->dir_fd < 0) {
		complain("%s: %s; pools are there once a key-value daemon runs (vmic-kvp), or "
			 "give --pools DIR",
			fs->pools_dir, strerror(errno));
		return -errno;
	}
	int error = 0;
	for (unsigned pool = 0; error == 0 && pool < KVPFS_POOLS; pool++)
		if (pool != KVP_POOL_AUTO)
			error = pool_open(fs, pool);
	return error;
}

static void pools_close(struct kvpfs *fs)
{
	for (unsigned pool = 0; pool < KVPFS_POOLS; pool++)
		kvp_pool_close(&fs->pools[pool]);
	kvp_facts_free(&fs->facts);
	kvpfs_node_free_all(fs);
	if (fs->dir_fd >= 0)
		close(fs->dir_fd);
}

/* ---- mounting ---- */

/* What libfuse last had to say; told if mounting fails. */
static char fuse_words[256];

static void on_fuse_log(enum fuse_log_level level, const char *format, va_list args)
{
	(void)level;
	vsnprintf(fuse_words, sizeof fuse_words, format, args);
	fuse_words[strcspn(fuse_words, "\n")] = '\0';
}

/* Is the directory the root of a FUSE mount, such as another kvpfs? */
static bool is_mounted(const char *path, const struct stat *state)
{
	char above[PATH_MAX];
	struct stat parent;
	struct statfs system;
	const int n = snprintf(above, sizeof above, "%s/..", path);
	return n > 0 && (size_t)n < sizeof above && stat(above, &parent) == 0 &&
	       parent.st_dev != state->st_dev && statfs(path, &system) == 0 &&
	       system.f_type == FUSE_SUPER_MAGIC;
}

static bool mount_point_is_directory(const char *path)
{
	struct stat state;
	if (path == NULL)
		return false;
	if (stat(path, &state) == 0 && S_ISDIR(state.st_mode)) {
		if (!is_mounted(path, &state))
			return true;
		complain("%s: something is mounted there already; end it first: fusermount3 -u %s",
			path, path);
		return false;
	}
	if (errno == ENOTCONN)
		complain("%s: a mount of a program that has died is there; remove it: "
			 "fusermount3 -u %s",
			path, path);
	else
		complain("%s: no directory to mount at; make it first: mkdir %s", path, path);
	return false;
}

static struct fuse_session *session_mount(struct kvpfs *fs)
{
	char name[] = "kvpfs";
	char mount_options[128];
	snprintf(mount_options, sizeof mount_options,
		"-ofsname=kvpfs,subtype=viridian,default_permissions,nosuid,nodev,noexec%s",
		fs->allow_other ? ",allow_other" : "");
	char *argv[] = {name, mount_options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	fuse_set_log_func(on_fuse_log);
	struct fuse_session *session = fuse_session_new(&args, &kvpfs_ops, sizeof kvpfs_ops, fs);
	fuse_opt_free_args(&args);
	/* Absolute: what unmounts it may have another working directory. */
	char *path = realpath(fs->mount_point, NULL);
	if (session != NULL && path != NULL && fuse_session_mount(session, path) != 0) {
		fuse_session_destroy(session);
		session = NULL;
	}
	free(path);
	if (session == NULL)
		complain("%s: cannot mount: %s; run as root, or as a user who may use FUSE",
			fs->mount_point, fuse_words);
	return session;
}

static int serve(struct fuse_session *session)
{
	int result = fuse_set_signal_handlers(session);
	if (result == 0) {
		/* A signal ends it in order; its number is no failure. */
		result = fuse_session_loop(session);
		fuse_remove_signal_handlers(session);
	}
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return result >= 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct kvpfs fs = {.dir_fd = -1};
	int parsed = options_parse(&fs, argc, argv);
	if (parsed != 0)
		return parsed > 0 ? 0 : 2;
	int status = 1;
	if (mount_point_is_directory(fs.mount_point) && pools_open(&fs) == 0) {
		struct fuse_session *session = session_mount(&fs);
		if (session != NULL)
			status = serve(session);
	}
	pools_close(&fs);
	return status;
}
