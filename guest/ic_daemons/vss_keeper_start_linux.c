// SPDX-License-Identifier: Apache-2.0
/*
 * How the keeper comes to be, and what it gathers before it freezes. See vss_keeper_linux.h.
 */
#include "guest/ic_daemons/vss_keeper_internal_linux.h"

#include "guest/ic_daemons/daemon.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Descriptors besides those of the file systems. */
#define FILES_SPARE 64u

const struct vss_keeper_ops vss_keeper_system = {
	.freeze = &vss_freeze_ioctl,
	.stack = &vss_stack_sysfs,
	.open = vss_mount_open,
	.execute = daemon_execute,
	.mountinfo = "/proc/self/mountinfo",
};

/* ---- gathering -------------------------------------------------------------------------- */

bool keeper_config_load(struct keeper *keeper, char *problem, size_t problem_bytes)
{
	vss_config_free(&keeper->config);
	return vss_config_read(&keeper->config, keeper->options->config_path,
		       keeper->options->is_config_demanded, problem, problem_bytes) == 0;
}

/* Any mount of the file system will do, as long as it is not covered. */
static int entry_open(const struct keeper *keeper, const struct vss_plan *plan, size_t *mount_at)
{
	const size_t first = *mount_at;
	int result = keeper->ops->open(&keeper->mounts.at[first]);
	for (size_t i = 0; i < keeper->mounts.count && result < 0; i++) {
		if (plan->decisions[i].reason != VSS_WHY_SAME || plan->decisions[i].other != first)
			continue;
		const int fd = keeper->ops->open(&keeper->mounts.at[i]);
		if (fd >= 0)
			*mount_at = i;
		if (fd >= 0 || fd != -ESTALE)
			result = fd;
	}
	return result;
}

static bool is_out_of_reach(int error)
{
	return error == -ESTALE || error == -ENOTDIR || error == -ENOENT || error == -ELOOP;
}

static bool list_open(
	struct keeper *keeper, const struct vss_plan *plan, char *problem, size_t problem_bytes)
{
	size_t slots = 0;
	for (size_t i = 0; i < plan->order_count; i++) {
		const struct vss_plan_entry *entry = &plan->order[i];
		size_t at = entry->mount;
		const int fd = entry_open(keeper, plan, &at);
		if (fd < 0 && (entry->is_demanded || !is_out_of_reach(fd))) {
			snprintf(problem, problem_bytes, "%s: cannot be reached: %s",
				keeper->mounts.at[at].point, strerror(-fd));
			return false;
		}
		if (fd < 0) {
			keeper->left_out++;
			continue;
		}
		keeper->names[slots] = at;
		keeper->board->slots[slots].fd = fd;
		keeper->board->slots[slots++].is_demanded = entry->is_demanded;
	}
	keeper->board->count = slots;
	return true;
}

bool keeper_list_make(struct keeper *keeper, char *problem, size_t problem_bytes)
{
	struct vss_plan plan;
	keeper->left_out = 0;
	int error = vss_mounts_read(keeper->ops->mountinfo, &keeper->mounts);
	if (error != 0) {
		snprintf(
			problem, problem_bytes, "%s: %s", keeper->ops->mountinfo, strerror(-error));
		return false;
	}
	error = vss_plan_make(&keeper->mounts, &keeper->config, keeper->options->below,
		keeper->ops->stack, &plan);
	if (error == 0) {
		keeper->board = vss_board_create(plan.order_count);
		keeper->names = calloc(plan.order_count + 1, sizeof *keeper->names);
	}
	if (error != 0 || keeper->board == NULL || keeper->names == NULL) {
		snprintf(problem, problem_bytes, "the list of file systems: out of memory");
		if (error == 0)
			vss_plan_free(&plan);
		keeper_list_drop(keeper);
		return false;
	}
	const bool is_made = list_open(keeper, &plan, problem, problem_bytes);
	vss_plan_free(&plan);
	if (!is_made)
		keeper_list_drop(keeper);
	return is_made;
}

void keeper_list_drop(struct keeper *keeper)
{
	vss_board_destroy(keeper->board);
	keeper->board = NULL;
	free(keeper->names);
	keeper->names = NULL;
	vss_mounts_free(&keeper->mounts);
}

/* ---- processes -------------------------------------------------------------------------- */

/* Both outlive the signals that end the daemon: its end is theirs. */
static void signals_ignore(void)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;
	sigemptyset(&none);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		signal(numbers[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int keeper_freezer_fork(struct keeper *keeper)
{
	int life[2];
	int done[2];
	if (pipe2(life, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(done, O_CLOEXEC) != 0) {
		const int error = -errno;
		close(life[0]);
		close(life[1]);
		return error;
	}
	keeper->freezer = fork();
	if (keeper->freezer == 0) {
		close(keeper->socket);
		close(keeper->timer);
		close(life[1]);
		close(done[0]);
		(void)prctl(PR_SET_NAME, "vss-freezer");
		(void)mlockall(MCL_CURRENT);
		vss_freezer_run(keeper->board, keeper->ops->freeze, life[0], done[1]);
		_exit(0);
	}
	const int error = keeper->freezer < 0 ? -errno : 0;
	close(life[0]);
	close(done[1]);
	keeper->life = life[1];
	keeper->done = done[0];
	if (error != 0) {
		close(life[1]);
		close(done[0]);
		keeper->life = keeper->done = -1;
		keeper->freezer = 0;
	}
	return error;
}

/* Keep two privileges at most: to freeze, and to reach what others may not. */
static bool privileges_drop(void)
{
	static const unsigned kept[] = {CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH};
	bool has[sizeof kept / sizeof *kept];
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]) != 0;
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		if (has[i] && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept[i]))
			return false;
	}
	return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

static void limits_raise(void)
{
	struct rlimit files;
	struct rlimit memory = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	(void)setrlimit(RLIMIT_MEMLOCK, &memory);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (files.rlim_max < VSS_MOUNTS_MAX + FILES_SPARE) {
		const struct rlimit more = {.rlim_cur = VSS_MOUNTS_MAX + FILES_SPARE,
			.rlim_max = VSS_MOUNTS_MAX + FILES_SPARE};
		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

/* Everything but the standard three and the socket belongs to the daemon. */
static int descriptors_close(int socket_fd)
{
	const int kept = fcntl(socket_fd, F_DUPFD_CLOEXEC, 3);
	if (kept < 0)
		return -1;
	if (kept > 3)
		(void)syscall(SYS_close_range, 3u, (unsigned)kept - 1u, 0u);
	(void)syscall(SYS_close_range, (unsigned)kept + 1u, ~0u, 0u);
	return kept;
}

static _Noreturn void child(
	const struct vss_keeper_options *options, const struct vss_keeper_ops *ops, int socket_fd)
{
	static struct keeper keeper;
	signals_ignore();
	(void)prctl(PR_SET_NAME, "vss-keeper");
	limits_raise();
	const int kept = descriptors_close(socket_fd);
	keeper = (struct keeper){
		.options = options,
		.ops = ops,
		.socket = kept,
		.timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK),
		.life = -1,
		.done = -1,
	};
	vss_config_init(&keeper.config);
	if (kept < 0 || keeper.timer < 0 || !privileges_drop())
		_exit(1);
	keeper_run(&keeper);
	_exit(0);
}

int vss_keeper_start(const struct vss_keeper_options *options, const struct vss_keeper_ops *ops,
	int *fd, pid_t *pid)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	*pid = fork();
	if (*pid == 0) {
		close(pair[0]);
		child(options, ops, pair[1]);
	}
	const int error = *pid < 0 ? -errno : 0;
	close(pair[1]);
	if (error != 0 || fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) {
		close(pair[0]);
		return error != 0 ? error : -EIO;
	}
	*fd = pair[0];
	return 0;
}
