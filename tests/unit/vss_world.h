// SPDX-License-Identifier: Apache-2.0
/*
 * Four file systems that do not exist, for tests of the processes that freeze: what is done to
 * them is seen by all processes of the test, and each call can be made to fail or to wait.
 *
 *	/ on 8:1, /srv on 8:2 (also bound at /bound), /data on 0:9 (btrfs), /loop on 7:0
 *
 * They are frozen in the order /loop, /data, /srv, /.
 */
#ifndef TESTS_UNIT_VSS_WORLD_H
#define TESTS_UNIT_VSS_WORLD_H

#include "guest/ic_daemons/vss_keeper_linux.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORLD_FDS    256
#define WORLD_LOG    256
#define WORLD_WAIT_S 20

struct world {
	atomic_int frozen[8];	     /* by the id of the mount that stands for a file system */
	atomic_int owner[WORLD_FDS]; /* of a descriptor */
	atomic_int freezer;	     /* process that froze last */
	atomic_int log_count;
	char log[WORLD_LOG][40]; /* "freeze 4" */
	/* By mount: */
	int open_error[8];
	int freeze_error[8];
	int thaw_error[8];
	int waits_at;	  /* freezing this one waits for `go`, once */
	bool thaw_waits;  /* as the kernel does it: a thaw waits while that one is being frozen */
	int thaw_lets_go; /* the next thaw posts `go`, and waits for this one and its freezer's end
			   */
	atomic_int inside[8]; /* being frozen */
	int execute_status;
	sem_t go;
	sem_t waiting; /* posted when it does */
	sem_t locked;  /* what such a thaw waits for */
	sem_t changed; /* posted at each freeze and thaw */
	char folder[64];
	char mountinfo[96];
	char config[96];
};

static struct world *world;

static void world_log(const char *what, int id)
{
	const int at = atomic_fetch_add(&world->log_count, 1);
	if (at < WORLD_LOG)
		snprintf(world->log[at], sizeof world->log[at], "%s %d", what, id);
}

static int world_open(const struct vss_mount *mount)
{
	if (world->open_error[mount->id] != 0)
		return -world->open_error[mount->id];
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		atomic_store(&world->owner[fd], (int)mount->id);
	return fd;
}

static int world_freeze(void *ctx, int fd)
{
	const int id = atomic_load(&world->owner[fd]);
	(void)ctx;
	atomic_store(&world->freezer, getpid());
	if (world->waits_at == id) {
		world->waits_at = 0;
		atomic_store(&world->inside[id], 1);
		sem_post(&world->waiting);
		while (sem_wait(&world->go) != 0)
			;
		atomic_store(&world->inside[id], 0);
	}
	if (world->freeze_error[id] != 0)
		return -world->freeze_error[id];
	if (atomic_exchange(&world->frozen[id], 1) != 0)
		return -EBUSY;
	world_log("freeze", id);
	sem_post(&world->changed);
	return 0;
}

/* With nothing more to freeze, the freezer sleeps until it may end. */
static void world_freezer_ends(void)
{
	char path[32], state = 'R';
	const int id = world->thaw_lets_go;
	world->thaw_lets_go = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", atomic_load(&world->freezer));
	sem_post(&world->go);
	while (atomic_load(&world->frozen[id]) == 0 || state != 'S') {
		FILE *stat = fopen(path, "r");
		if (stat == NULL)
			return;
		if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
			state = 'R';
		fclose(stat);
	}
}

static int world_thaw(void *ctx, int fd)
{
	const int id = atomic_load(&world->owner[fd]);
	(void)ctx;
	if (world->thaw_lets_go != 0)
		world_freezer_ends();
	while (world->thaw_waits && atomic_load(&world->inside[id]) &&
		sem_wait(&world->locked) != 0)
		;
	if (world->thaw_error[id] != 0)
		return -world->thaw_error[id];
	if (atomic_exchange(&world->frozen[id], 0) == 0)
		return -EINVAL;
	world_log("thaw", id);
	sem_post(&world->changed);
	return 0;
}

static int world_execute(const char *const argv[], const char *const envp[], unsigned timeout_s,
	char *output, size_t output_max)
{
	char text[24];
	(void)timeout_s;
	snprintf(output, output_max, "words\n");
	snprintf(text, sizeof text, "%.15s:%.3s", argv[1] != NULL ? argv[1] : "", envp[1] + 13);
	world_log(text, world->execute_status);
	return world->execute_status;
}

static bool world_backing_file(
	void *ctx, unsigned major, unsigned minor, unsigned n, char *path, size_t size)
{
	(void)ctx;
	if (major != 7 || minor != 0 || n != 0)
		return false;
	snprintf(path, size, "/data/loop.img");
	return true;
}

static bool world_device(void *ctx, const char *path, unsigned *major, unsigned *minor)
{
	(void)ctx;
	(void)path;
	(void)major;
	(void)minor;
	return false;
}

static const struct vss_freeze_ops world_freeze_ops = {.freeze = world_freeze, .thaw = world_thaw};
static const struct vss_stack_ops world_stack = {
	.backing_file = world_backing_file, .device = world_device};
static struct vss_keeper_ops world_ops;
static struct vss_keeper_options world_options;

static inline void world_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
}

/* A new one; `config` is that of vss.conf. */
static inline void world_make(const char *config)
{
	world = mmap(
		NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(world, MAP_FAILED);
	sem_init(&world->go, 1, 0);
	sem_init(&world->waiting, 1, 0);
	sem_init(&world->locked, 1, 0);
	sem_init(&world->changed, 1, 0);
	snprintf(world->folder, sizeof world->folder, "/tmp/viridian-vss.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(world->folder));
	snprintf(world->mountinfo, sizeof world->mountinfo, "%s/mountinfo", world->folder);
	snprintf(world->config, sizeof world->config, "%s/vss.conf", world->folder);
	world_file(world->mountinfo, "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
				     "2 1 8:2 / /srv rw - xfs /dev/sda2 rw\n"
				     "3 1 0:9 / /data rw - btrfs /dev/sda3 rw\n"
				     "4 1 7:0 / /loop rw - ext4 /dev/loop0 rw\n"
				     "5 1 0:5 / /proc rw - proc proc rw\n"
				     "6 1 8:2 /x /bound rw - xfs /dev/sda2 rw\n");
	char whole[512];
	snprintf(whole, sizeof whole, "scripts %s/none\n%s", world->folder, config);
	world_file(world->config, whole);
	world_ops = (struct vss_keeper_ops){
		.freeze = &world_freeze_ops,
		.stack = &world_stack,
		.open = world_open,
		.execute = world_execute,
		.mountinfo = world->mountinfo,
	};
	world_options = (struct vss_keeper_options){
		.config_path = world->config, .is_config_demanded = true};
}

static inline void world_drop(void)
{
	unlink(world->mountinfo);
	unlink(world->config);
	rmdir(world->folder);
	munmap(world, sizeof *world);
}

static inline int world_frozen(void)
{
	int count = 0;
	for (int i = 0; i < 8; i++)
		count += atomic_load(&world->frozen[i]);
	return count;
}

/* Wait for a semaphore of the world's; false: it takes too long. */
static inline bool world_wait(sem_t *semaphore)
{
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WORLD_WAIT_S;
	int result;
	do
		result = sem_timedwait(semaphore, &end);
	while (result != 0 && errno == EINTR);
	return result == 0;
}

/* Until so many are frozen. */
static inline bool world_comes_to(int frozen)
{
	while (world_frozen() != frozen)
		if (!world_wait(&world->changed))
			return false;
	return true;
}

/* All that was done, joined by commas. */
static inline const char *world_story(void)
{
	static char text[WORLD_LOG * 42];
	size_t used = 0;
	text[0] = '\0';
	for (int i = 0; i < atomic_load(&world->log_count) && i < WORLD_LOG; i++)
		used += (size_t)snprintf(
			text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "", world->log[i]);
	return text;
}

#endif
