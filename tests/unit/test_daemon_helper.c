// SPDX-License-Identifier: Apache-2.0
/*
 * What a daemon does elsewhere than on its loop: its helper process, slow work in threads, and
 * the running of programs.
 */
#include "guest/ic_daemons/daemon.h"

#include "guest/ic_daemons/daemon_internal.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS	  500
#define TURNS_MAX 40u

/* ---- a component with a helper --------------------------------------------- */

struct thing {
	struct ic_guest ic;
	int kept; /* set in start(): the helper must know it */
	unsigned answers;
	ssize_t results[16];
	char replies[16][64];
	int fd;
};

static const struct ic_version_wire versions[] = {{1, 0}};
static const struct ic_guest_service service = {
	.name = "thing",
	.type = IC_TYPE_HEARTBEAT,
	.frameworks = {versions, 1},
	.messages = {versions, 1},
};

static int start(void *ctx, struct daemon *daemon)
{
	(void)daemon;
	((struct thing *)ctx)->kept = 42;
	return 0;
}

/* "die": the end; "open": a descriptor; "pid": the process; else the request and what start() set.
 */
static ssize_t serve(
	void *ctx, const void *request, size_t len, void *reply, size_t reply_max, int *fd)
{
	const struct thing *thing = ctx;
	char text[64] = {0};
	memcpy(text, request, len < 63 ? len : 63);
	if (strcmp(text, "die") == 0)
		_exit(9);
	if (strcmp(text, "no") == 0)
		return -ENOSPC;
	if (strcmp(text, "open") == 0)
		*fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (strcmp(text, "pid") == 0)
		return snprintf(reply, reply_max, "%d", (int)getpid()) + 1;
	return snprintf(reply, reply_max, "%s %d", text, thing->kept) + 1;
}

static const struct daemon_helper helper = {.serve = serve};

static void on_answer(void *ctx, ssize_t result, const void *reply, int fd)
{
	struct thing *thing = ctx;
	const unsigned i = thing->answers++ % 16;
	thing->results[i] = result;
	if (result > 0 && result <= 64)
		memcpy(thing->replies[i], reply, (size_t)result);
	if (fd >= 0)
		thing->fd = fd;
}

struct fixture {
	struct thing thing;
	struct daemon_component component;
	struct daemon *daemon;
};

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->thing.fd = -1;
	ic_guest_init(&f->thing.ic, &service, &f->thing);
	f->component = (struct daemon_component){
		.stem = "thing",
		.description = "A thing.",
		.interface_id = &guid_heartbeat,
		.ctx = &f->thing,
		.ic = &f->thing.ic,
		.helper = &helper,
		.start = start,
	};
	f->daemon = daemon_create(&f->component);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->daemon);
}

static int ask(struct fixture *f, const char *text)
{
	return daemon_helper_call(f->daemon, text, strlen(text), on_answer, &f->thing);
}

static void wait_for(struct fixture *f, unsigned answers)
{
	for (unsigned i = 0; f->thing.answers < answers && i < TURNS_MAX; i++)
		daemon_turn(f->daemon, WAIT_MS);
	CU_ASSERT_EQUAL_FATAL(f->thing.answers, answers);
}

static void helper_answers_in_order_from_another_process(void)
{
	static struct fixture f;
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, "one"), 0);
	CU_ASSERT_EQUAL(ask(&f, "pid"), 0);
	CU_ASSERT_EQUAL(ask(&f, "no"), 0);
	CU_ASSERT_EQUAL(f.thing.answers, 0);
	wait_for(&f, 3);
	CU_ASSERT_STRING_EQUAL(f.thing.replies[0], "one 42");
	CU_ASSERT_NOT_EQUAL(atoi(f.thing.replies[1]), getpid());
	CU_ASSERT_EQUAL(f.thing.results[2], -ENOSPC);
	CU_ASSERT_EQUAL(daemon_destroy(f.daemon), 0);
}

static void helper_passes_descriptors(void)
{
	static struct fixture f;
	char bytes[4] = "xxxx";
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, "open"), 0);
	wait_for(&f, 1);
	CU_ASSERT_TRUE_FATAL(f.thing.fd >= 0);
	CU_ASSERT_EQUAL(read(f.thing.fd, bytes, 4), 4);
	CU_ASSERT_EQUAL(memcmp(bytes, "\0\0\0\0", 4), 0);
	CU_ASSERT_EQUAL(fcntl(f.thing.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(f.thing.fd);
	daemon_destroy(f.daemon);
}

static void helper_calls_are_bounded(void)
{
	static struct fixture f;
	static char big[DAEMON_HELPER_BYTES_MAX + 1];
	begin(&f);
	CU_ASSERT_EQUAL(
		daemon_helper_call(f.daemon, big, sizeof big, on_answer, &f.thing), -EMSGSIZE);
	CU_ASSERT_EQUAL(daemon_helper_call(f.daemon, big, 0, on_answer, &f.thing), -EMSGSIZE);
	for (unsigned i = 0; i < DAEMON_HELPER_CALLS_MAX; i++)
		CU_ASSERT_EQUAL(ask(&f, "q"), 0);
	CU_ASSERT_EQUAL(ask(&f, "q"), -EAGAIN);
	wait_for(&f, DAEMON_HELPER_CALLS_MAX);
	memset(big, 'x', sizeof big);
	CU_ASSERT_EQUAL(
		daemon_helper_call(f.daemon, big, DAEMON_HELPER_BYTES_MAX, on_answer, &f.thing), 0);
	wait_for(&f, DAEMON_HELPER_CALLS_MAX + 1);
	daemon_destroy(f.daemon);
}

static void death_of_the_helper_ends_the_daemon_and_fails_its_calls(void)
{
	static struct fixture f;
	begin(&f);
	CU_ASSERT_EQUAL(ask(&f, "die"), 0);
	CU_ASSERT_EQUAL(ask(&f, "after"), 0);
	wait_for(&f, 2);
	CU_ASSERT_EQUAL(f.thing.results[0], -EPIPE);
	CU_ASSERT_EQUAL(f.thing.results[1], -EPIPE);
	CU_ASSERT_EQUAL(ask(&f, "more"), -ENOTCONN);
	CU_ASSERT_FALSE(daemon_turn(f.daemon, 0));
	CU_ASSERT_EQUAL(daemon_destroy(f.daemon), 1);
}

/* ---- work ------------------------------------------------------------------ */

struct job {
	int gate[2]; /* the work reads a byte from here: it ends when the test says so */
	char byte;
	unsigned done;
	pthread_t worker;
};

static void work(void *arg)
{
	struct job *job = arg;
	job->worker = pthread_self();
	if (read(job->gate[0], &job->byte, 1) != 1)
		job->byte = '?';
}

static void done(void *arg)
{
	((struct job *)arg)->done++;
}

static void work_runs_beside_the_loop_and_is_done_on_it(void)
{
	static struct fixture f;
	struct job job = {0};
	begin(&f);
	CU_ASSERT_EQUAL_FATAL(pipe(job.gate), 0);
	CU_ASSERT_EQUAL(daemon_work(f.daemon, work, done, &job), 0);
	CU_ASSERT_TRUE(daemon_turn(f.daemon, 0)); /* the loop goes on */
	CU_ASSERT_EQUAL(job.done, 0);
	CU_ASSERT_EQUAL(write(job.gate[1], "!", 1), 1);
	for (unsigned i = 0; job.done == 0 && i < TURNS_MAX; i++)
		daemon_turn(f.daemon, WAIT_MS);
	CU_ASSERT_EQUAL(job.done, 1);
	CU_ASSERT_EQUAL(job.byte, '!');
	CU_ASSERT_FALSE(pthread_equal(job.worker, pthread_self()));
	close(job.gate[0]);
	close(job.gate[1]);
	daemon_destroy(f.daemon);
}

static void work_is_bounded_and_waited_for_at_the_end(void)
{
	static struct fixture f;
	struct job jobs[DAEMON_WORK_MAX + 1] = {0};
	int gate[2];
	begin(&f);
	CU_ASSERT_EQUAL_FATAL(pipe(gate), 0);
	for (unsigned i = 0; i <= DAEMON_WORK_MAX; i++) {
		jobs[i].gate[0] = gate[0];
		CU_ASSERT_EQUAL(daemon_work(f.daemon, work, done, &jobs[i]),
			i < DAEMON_WORK_MAX ? 0 : -EAGAIN);
	}
	CU_ASSERT_EQUAL(write(gate[1], "!!!!!!!!", DAEMON_WORK_MAX), DAEMON_WORK_MAX);
	daemon_destroy(f.daemon);
	for (unsigned i = 0; i <= DAEMON_WORK_MAX; i++)
		CU_ASSERT_EQUAL(jobs[i].done, i < DAEMON_WORK_MAX);
	close(gate[0]);
	close(gate[1]);
}

/* ---- programs -------------------------------------------------------------- */

static void program_runs_without_a_shell_and_with_a_plain_environment(void)
{
	char output[256];
	const char *const echo[] = {"/bin/echo", "$HOME; `id`", NULL};
	CU_ASSERT_EQUAL(daemon_execute(echo, NULL, 10, output, sizeof output), 0);
	CU_ASSERT_STRING_EQUAL(output, "$HOME; `id`\n");
	const char *const env[] = {"/usr/bin/env", NULL};
	const char *const one[] = {"A=b", NULL};
	setenv("SECRET", "1", 1);
	CU_ASSERT_EQUAL(daemon_execute(env, one, 10, output, sizeof output), 0);
	CU_ASSERT_STRING_EQUAL(output, "A=b\n");
	CU_ASSERT_EQUAL(daemon_execute(env, NULL, 10, output, sizeof output), 0);
	CU_ASSERT_PTR_NULL(strstr(output, "SECRET"));
}

static void program_has_no_input_no_descriptors_and_default_signals(void)
{
	char output[256];
	const char *const cat[] = {"/bin/cat", NULL};
	CU_ASSERT_EQUAL(daemon_execute(cat, NULL, 10, output, sizeof output), 0);
	CU_ASSERT_STRING_EQUAL(output, "");
	const int leaked = dup(1); /* without close-on-exec */
	const char *const ls[] = {"/bin/ls", "/proc/self/fd", NULL};
	CU_ASSERT_EQUAL(daemon_execute(ls, NULL, 10, output, sizeof output), 0);
	CU_ASSERT_STRING_EQUAL(output, "0\n1\n2\n3\n"); /* 3 is the folder that it reads */
	close(leaked);
	signal(SIGTERM, SIG_IGN);
	const char *const kill_self[] = {"/bin/sh", "-c", "kill -TERM $$; echo alive", NULL};
	CU_ASSERT_EQUAL(daemon_execute(kill_self, NULL, 10, output, sizeof output), 128 + SIGTERM);
	signal(SIGTERM, SIG_DFL);
}

static void program_fails_with_its_status_or_why_it_cannot_run(void)
{
	char output[64];
	const char *const no[] = {"/bin/false", NULL};
	const char *const none[] = {"/nonexistent/program", NULL};
	const char *const relative[] = {"echo", NULL};
	CU_ASSERT_EQUAL(daemon_execute(no, NULL, 10, output, sizeof output), 1);
	CU_ASSERT_EQUAL(daemon_execute(none, NULL, 10, output, sizeof output), -ENOENT);
	CU_ASSERT_EQUAL(daemon_execute(relative, NULL, 10, output, sizeof output), -EINVAL);
}

/* SIGKILL is on its way: wait for its effect. */
static bool dies(const char *pid)
{
	struct pollfd fd = {.events = POLLIN};
	fd.fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	if (fd.fd < 0)
		return errno == ESRCH;
	const bool has_ended = poll(&fd, 1, WAIT_MS * 10) == 1;
	close(fd.fd);
	return has_ended;
}

static void program_that_takes_too_long_is_killed_with_its_children(void)
{
	char output[64];
	const char *const slow[] = {"/bin/sh", "-c", "sleep 100 & echo $!; wait", NULL};
	CU_ASSERT_EQUAL(daemon_execute(slow, NULL, 1, output, sizeof output), -ETIMEDOUT);
	CU_ASSERT_TRUE(atoi(output) > 0);
	CU_ASSERT_TRUE(dies(output));
}

static void output_of_a_program_is_bounded(void)
{
	char output[16];
	const char *const yes[] = {"/usr/bin/head", "-c", "1000000", "/dev/zero", NULL};
	memset(output, 'x', sizeof output);
	CU_ASSERT_EQUAL(daemon_execute(yes, NULL, 10, output, sizeof output), 0);
	CU_ASSERT_EQUAL(output[15], '\0');
	/* A child that outlives it does not keep us waiting. */
	const char *const background[] = {"/bin/sh", "-c", "sleep 30 & echo $!", NULL};
	CU_ASSERT_EQUAL(daemon_execute(background, NULL, 20, output, sizeof output), 0);
	kill((pid_t)atoi(output), SIGKILL);
}

/* ---- the sandbox ----------------------------------------------------------- */

/* In a child, for there is no way out. The first thing that is wrong, 0: nothing. */
static int sandbox_look(void)
{
	static const struct daemon_component component = {.stem = "thing", .open_files_max = 40};
	static struct daemon daemon = {.component = &component};
	const struct daemon_identity same = {0};
	struct rlimit files;
	if (daemon_sandbox_enter(&daemon, &same) != 0)
		return 1;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max != 40)
		return 2;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 3;
	if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EPERM)
		return 4;
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0); /* systemd's, D-Bus */
	if (fd < 0 || close(fd) != 0)
		return 5;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 6;
	if (mount("none", "/", NULL, MS_REMOUNT, NULL) == 0 || errno != EPERM)
		return 7;
	return 0;
}

static void sandbox_takes_sockets_files_and_privileges_away(void)
{
	int status = -1;
	fflush(NULL);
	const pid_t pid = fork();
	if (pid == 0)
		_exit(sandbox_look());
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

static const struct test tests[] = {
	TEST(helper_answers_in_order_from_another_process),
	TEST(helper_passes_descriptors),
	TEST(helper_calls_are_bounded),
	TEST(death_of_the_helper_ends_the_daemon_and_fails_its_calls),
	TEST(work_runs_beside_the_loop_and_is_done_on_it),
	TEST(work_is_bounded_and_waited_for_at_the_end),
	TEST(program_runs_without_a_shell_and_with_a_plain_environment),
	TEST(program_has_no_input_no_descriptors_and_default_signals),
	TEST(program_fails_with_its_status_or_why_it_cannot_run),
	TEST(program_that_takes_too_long_is_killed_with_its_children),
	TEST(output_of_a_program_is_bounded),
	TEST(sandbox_takes_sockets_files_and_privileges_away),
};
TEST_MAIN("daemon_helper", tests)
