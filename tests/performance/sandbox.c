// SPDX-License-Identifier: Apache-2.0
/* The supervisor of a benchmark: see sandbox.h. */
#include "tests/performance/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK_BYTES_MAX	 60u /* leaves room for the name of a socket */
#define MOUNTS_MAX	 64u
#define PATIENCE_ROUNDS	 60u /* of 50 ms, before SIGKILL */
#define FILE_CHUNK_BYTES (1u << 20)

/* ---- folders --------------------------------------------------------------------------------- */

static bool is_on_tmpfs(const char *path)
{
	struct statfs fs;
	return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static bool folder_make(const char *parent, char *path)
{
	const int length = snprintf(path, SANDBOX_PATH_BYTES, "%s/hvbench.XXXXXX", parent);
	if (length > 0 && (unsigned)length < SANDBOX_PATH_BYTES && mkdtemp(path) != NULL)
		return true;
	path[0] = '\0';
	return false;
}

static bool takes_direct(const char *folder)
{
	char path[SANDBOX_PATH_BYTES + 16];
	snprintf(path, sizeof path, "%s/direct", folder);
	const int fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	unlink(path);
	return fd >= 0;
}

/* 0, or -1 after a message. */
static int folders_make(struct sandbox *sandbox)
{
	const char *temporary = getenv("TMPDIR");
	if (temporary == NULL || temporary[0] != '/' || strlen(temporary) > WORK_BYTES_MAX)
		temporary = "/tmp";
	memset(sandbox, 0, sizeof *sandbox);
	if (!folder_make(temporary, sandbox->work)) {
		fprintf(stderr, "hvbench: a folder in %s: %s; set TMPDIR to a writable one\n",
			temporary, strerror(errno));
		return -1;
	}
	if (is_on_tmpfs("/dev/shm"))
		folder_make("/dev/shm", sandbox->memory);
	else if (is_on_tmpfs(temporary))
		folder_make(temporary, sandbox->memory);
	const char *const disks[] = {temporary, "/var/tmp", "."};
	for (size_t i = 0; i < sizeof disks / sizeof *disks && sandbox->disk[0] == '\0'; i++) {
		if (is_on_tmpfs(disks[i]) || !folder_make(disks[i], sandbox->disk))
			continue;
		if (takes_direct(sandbox->disk))
			break;
		rmdir(sandbox->disk);
		sandbox->disk[0] = '\0';
	}
	return 0;
}

int sandbox_file_make(const char *folder, const char *name, uint64_t bytes, char *path)
{
	struct statvfs fs;
	snprintf(path, SANDBOX_PATH_BYTES + 64, "%s/%s", folder, name);
	if (statvfs(folder, &fs) == 0 && fs.f_bavail * fs.f_frsize < bytes + bytes / 8) {
		fprintf(stderr, "hvbench: %s: an image of %llu MiB does not fit there\n", folder,
			(unsigned long long)(bytes >> 20));
		return -1;
	}
	uint64_t *chunk = malloc(FILE_CHUNK_BYTES);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool is_written = fd >= 0 && chunk != NULL;
	uint64_t x = 88172645463325252u;
	for (uint64_t at = 0; is_written && at < bytes; at += FILE_CHUNK_BYTES) {
		for (size_t i = 0; i < FILE_CHUNK_BYTES / sizeof x; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			chunk[i] = x;
		}
		const size_t part = bytes - at < FILE_CHUNK_BYTES ? (size_t)(bytes - at)
								  : FILE_CHUNK_BYTES;
		is_written = pwrite(fd, chunk, part, (off_t)at) == (ssize_t)part;
	}
	is_written = is_written && fsync(fd) == 0;
	if (is_written) /* pages in the cache would get in the way of O_DIRECT */
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!is_written)
		fprintf(stderr, "hvbench: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(chunk);
	return is_written ? 0 : -1;
}

/* ---- taking everything down ------------------------------------------------------------------ */

static pid_t parent_of(const char *pid)
{
	char path[64];
	char line[512];
	int parent = 0;
	snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	const char *end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
	if (end == NULL || sscanf(end, ") %*c %d", &parent) != 1)
		parent = 0;
	fclose(file);
	return parent;
}

/* Orphans of the benchmark are our children by now. */
static void children_signal(int number)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			parent_of(entry->d_name) == getpid())
			kill((pid_t)strtol(entry->d_name, NULL, 10), number);
	}
	if (proc != NULL)
		closedir(proc);
}

static void children_end(void)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	for (unsigned round = 0;; round++) {
		pid_t ended;
		while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (ended < 0)
			return;
		/* Once, for a second SIGTERM means haste to some; again for late orphans. */
		if (round == 0 || round == PATIENCE_ROUNDS / 2)
			children_signal(SIGTERM);
		else if (round > PATIENCE_ROUNDS)
			children_signal(SIGKILL);
		nanosleep(&pause, NULL);
	}
}

static void unmount(const char *path)
{
	if (umount2(path, MNT_DETACH) == 0)
		return;
	const pid_t child = fork();
	if (child == 0) {
		execlp("fusermount3", "fusermount3", "-u", "-z", "-q", path, (char *)NULL);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

/* Mounts below `folder`, the innermost first. */
static void mounts_end(const char *folder)
{
	char paths[MOUNTS_MAX][SANDBOX_PATH_BYTES * 2];
	unsigned count = 0;
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *mount;
	while (mounts != NULL && (mount = getmntent(mounts)) != NULL && count < MOUNTS_MAX) {
		if (strncmp(mount->mnt_dir, folder, strlen(folder)) == 0 &&
			strlen(mount->mnt_dir) < sizeof *paths)
			snprintf(paths[count++], sizeof *paths, "%s", mount->mnt_dir);
	}
	if (mounts != NULL)
		endmntent(mounts);
	while (count > 0)
		unmount(paths[--count]);
}

static int entry_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	remove(path);
	return 0;
}

static void folder_remove(const char *folder)
{
	if (folder[0] == '\0')
		return;
	mounts_end(folder);
	nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* ---- the supervisor -------------------------------------------------------------------------- */

/* Wait for the end of the body; a signal to us ends it. Returns the exit status. */
static int body_wait(pid_t body, const sigset_t *set)
{
	int status = 0;
	int number = 0;
	for (;;) {
		pid_t ended;
		while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
			if (ended != body)
				continue;
			if (WIFEXITED(status))
				return number != 0 ? 128 + number : WEXITSTATUS(status);
			number = number != 0 ? number : WTERMSIG(status);
			if (number != SIGINT && number != SIGTERM && number != SIGPIPE)
				fprintf(stderr, "hvbench: ended by signal %d (%s)\n", number,
					strsignal(number));
			return 128 + number;
		}
		const int got = sigwaitinfo(set, NULL);
		if (got == SIGINT || got == SIGTERM || got == SIGHUP) {
			number = got;
			kill(body, SIGTERM);
		}
	}
}

int sandbox_run(int (*body)(void *ctx, const struct sandbox *sandbox), void *ctx)
{
	struct sandbox sandbox;
	sigset_t set;
	sigset_t before;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	int status = 1;
	if (folders_make(&sandbox) == 0) {
		const pid_t supervisor = getpid();
		const pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (getppid() != supervisor)
				_exit(1);
			sigprocmask(SIG_SETMASK, &before, NULL);
			exit(body(ctx, &sandbox));
		}
		if (child > 0)
			status = body_wait(child, &set);
		else
			fprintf(stderr, "hvbench: fork: %s\n", strerror(errno));
		children_end();
	}
	folder_remove(sandbox.work);
	folder_remove(sandbox.memory);
	folder_remove(sandbox.disk);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
