// SPDX-License-Identifier: Apache-2.0
/*
 * Slow work of a daemon, each in a thread of its own. See daemon.h.
 *
 * A thread that is done writes its job's address to a pipe, which the loop watches.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define END_MS	    10000
#define STACK_BYTES (256u << 10)

struct daemon_job {
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
	int done_fd;
	pthread_t thread;
};

static void *job_run(void *arg)
{
	struct daemon_job *job = arg;
	job->work(job->arg);
	/* A pipe takes all DAEMON_WORK_MAX of them, each in one piece. */
	while (write(job->done_fd, &job, sizeof job) < 0 && errno == EINTR)
		;
	return NULL;
}

static void on_done(void *ctx, uint32_t events)
{
	struct daemon *daemon = ctx;
	struct daemon_job *job;
	(void)events;
	if (read(daemon->work.pipe[0], &job, sizeof job) != (ssize_t)sizeof job)
		return;
	pthread_join(job->thread, NULL);
	daemon->work.running--;
	void (*done)(void *arg) = job->done;
	void *arg = job->arg;
	free(job);
	done(arg);
}

int daemon_work_init(struct daemon *daemon)
{
	if (pipe2(daemon->work.pipe, O_CLOEXEC) != 0) {
		daemon->work.pipe[0] = daemon->work.pipe[1] = -1;
		return -errno;
	}
	return daemon_watch_add(
		daemon, &daemon->work.watch, daemon->work.pipe[0], EPOLLIN, on_done, daemon);
}

int daemon_work(struct daemon *daemon, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	pthread_attr_t attributes;
	if (daemon->work.running >= DAEMON_WORK_MAX)
		return -EAGAIN;
	struct daemon_job *job = malloc(sizeof *job);
	if (job == NULL)
		return -ENOMEM;
	*job = (struct daemon_job){
		.work = work, .done = done, .arg = arg, .done_fd = daemon->work.pipe[1]};
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	const int error = pthread_create(&job->thread, &attributes, job_run, job);
	pthread_attr_destroy(&attributes);
	if (error != 0) {
		free(job);
		return -error;
	}
	daemon->work.running++;
	return 0;
}

void daemon_work_end(struct daemon *daemon)
{
	struct pollfd fd = {.fd = daemon->work.pipe[0], .events = POLLIN};
	const uint64_t deadline = daemon_now_ms() + END_MS;
	while (daemon->work.running > 0) {
		const uint64_t now = daemon_now_ms();
		if (now >= deadline || poll(&fd, 1, (int)(deadline - now)) == 0)
			break;
		on_done(daemon, EPOLLIN);
	}
	if (daemon->work.running > 0) {
		/* The pipe stays open: those threads still write to it. */
		daemon_log(LOG_WARNING, "%u operations do not end", daemon->work.running);
		return;
	}
	daemon_watch_remove(daemon, &daemon->work.watch);
	for (unsigned i = 0; i < 2; i++)
		if (daemon->work.pipe[i] >= 0)
			close(daemon->work.pipe[i]);
}
