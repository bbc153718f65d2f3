// SPDX-License-Identifier: Apache-2.0
/*
 * What a daemon gives up once it has what it needs: user, capabilities, the chance to gain any,
 * system calls, memory dumps. See daemon.h.
 *
 * It works from a full root, and equally from what systemd leaves a service (User=,
 * AmbientCapabilities=, NoNewPrivileges=): what is not there any more needs no giving up. A system
 * call outside of the list fails with EPERM.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES_DEFAULT 64u

/* Of every daemon: its loop, threads, files, the socket to systemd, shared memory. */
static const char *const base_calls[] = {"accept4", "access", "brk", "clock_getres",
	"clock_gettime", "clock_nanosleep", "clone", "clone3", "close", "close_range", "connect",
	"dup", "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait",
	"eventfd2", "exit", "exit_group", "faccessat", "faccessat2", "fcntl", "fdatasync", "fstat",
	"fstatfs", "fsync", "ftruncate", "futex", "getdents64", "getegid", "geteuid", "getgid",
	"getpid", "getppid", "getrandom", "getrlimit", "getsockname", "getsockopt", "gettid",
	"gettimeofday", "getuid", "lseek", "madvise", "membarrier", "memfd_create", "mmap",
	"mprotect", "mremap", "munmap", "nanosleep", "newfstatat", "open", "openat", "pipe2",
	"poll", "ppoll", "prctl", "pread64", "prlimit64", "pwrite64", "read", "readlink",
	"readlinkat", "readv", "recvfrom", "recvmsg", "rename", "renameat", "renameat2",
	"restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sched_getaffinity", "sched_yield", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"setsockopt", "shutdown", "sigaltstack", "signalfd4", "socketpair", "stat", "statfs",
	"statx", "sysinfo", "tgkill", "time", "timerfd_create", "timerfd_settime", "umask", "uname",
	"unlink", "unlinkat", "wait4", "waitid", "write", "writev", NULL};

int daemon_identity_find(const char *name, struct daemon_identity *out)
{
	*out = (struct daemon_identity){0};
	if (name == NULL)
		return 0;
	errno = 0;
	const struct passwd *entry = getpwnam(name);
	if (entry == NULL) {
		daemon_log(LOG_ERR, "--user %s: %s", name,
			errno != 0 ? strerror(errno) : "there is no such user");
		return errno != 0 ? -errno : -ENOENT;
	}
	*out = (struct daemon_identity){
		.uid = entry->pw_uid, .gid = entry->pw_gid, .is_given = true};
	return 0;
}

int daemon_privileges_keep(const int *capabilities, const struct daemon_identity *identity)
{
	bool has[64] = {false};
	if (capng_get_caps_process() != 0)
		return -EPERM;
	const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
	for (unsigned i = 0; capabilities != NULL && capabilities[i] >= 0 && i < 64; i++) {
		const unsigned number = (unsigned)capabilities[i];
		has[i] = capng_have_capability(CAPNG_PERMITTED, number) != 0;
		if (!has[i])
			daemon_log(LOG_WARNING,
				"it was started without the capability %s, which it needs",
				capng_capability_to_name(number));
	}
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned i = 0; capabilities != NULL && capabilities[i] >= 0 && i < 64; i++)
		if (has[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				(unsigned)capabilities[i]);
	/* No ambient ones: nothing is executed, and a helper's programs get the helper's user. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (identity->is_given && (identity->uid != geteuid() || identity->gid != getegid()))
		return capng_change_id((int)identity->uid, (int)identity->gid,
			       CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING) == 0
			       ? 0
			       : -EPERM;
	return capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) == 0 ? 0 : -EPERM;
}

static bool is_listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static int calls_allow(scmp_filter_ctx filter, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++) {
		const int number = seccomp_syscall_resolve_name(*names);
		if (number == __NR_SCMP_ERROR)
			continue; /* newer than the library: cannot be called by it either */
		const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		if (error != 0 && error != -EEXIST)
			return error;
	}
	return 0;
}

static int filter_load(const char *const *more)
{
	const struct scmp_arg_cmp unix_alone = {
		.arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_UNIX, .datum_b = 0};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (filter == NULL)
		return -ENOMEM;
	int error = calls_allow(filter, base_calls);
	if (error == 0)
		error = calls_allow(filter, more);
	if (error == 0 && !is_listed(more, "socket"))
		error = seccomp_rule_add_array(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &unix_alone);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

static void limits_set(unsigned files)
{
	const struct rlimit none = {0, 0};
	struct rlimit limit = {files, files};
	struct rlimit now;
	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < limit.rlim_max)
		limit.rlim_cur = limit.rlim_max = now.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int daemon_sandbox_enter(struct daemon *daemon, const struct daemon_identity *identity)
{
	const struct daemon_component *component = daemon->component;
	int error = daemon_privileges_keep(component->capabilities, identity);
	if (error != 0) {
		daemon_log(LOG_ERR, "cannot give up privileges; start as root, or without --user");
		return error;
	}
	limits_set(component->open_files_max != 0 ? component->open_files_max : FILES_DEFAULT);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		error = -errno;
		daemon_log(LOG_ERR, "no_new_privs: %s", strerror(-error));
		return error;
	}
	error = filter_load(component->system_calls);
	if (error != 0)
		daemon_log(LOG_ERR, "cannot filter system calls: %s; see --no-sandbox",
			strerror(-error));
	return error;
}
