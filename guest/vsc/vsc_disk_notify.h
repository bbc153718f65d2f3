// SPDX-License-Identifier: Apache-2.0
/*
 * Tells the kernel that names and sizes have changed. Such a notification can wait for
 * a lock that is held by somebody who waits for an answer of ours, so it must not be
 * made by the thread that gives answers: a thread of its own takes them from a queue.
 *
 * What it changes is the kernel's caches: a removed file that is open loses its link at
 * once. Nothing depends on it, for every name and size is handed out without a time to
 * live. What does not fit into the queue is dropped.
 */
#ifndef GUEST_VSC_VSC_DISK_NOTIFY_H
#define GUEST_VSC_VSC_DISK_NOTIFY_H

#include "guest/vsc/vsc_disk_tree.h"

#include <pthread.h>

struct fuse_session;

#define DISK_NOTIFY_MAX 256u

struct disk_notice {
	enum storage_vsc_event event;
	uint64_t ino;
	char name[DISK_NAME_BYTES];
};

struct disk_notifier {
	struct fuse_session *session; /* borrowed until disk_notify_stop() */
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	bool is_stopping;
	bool is_busy; /* a notification is being made */
	unsigned count, next;
	uint64_t dropped;
	struct disk_notice queue[DISK_NOTIFY_MAX];
};

/* 0 or a negative errno. */
int disk_notify_start(struct disk_notifier *notifier, struct fuse_session *session);
/* A disk_tree's on_change; ctx is the notifier. */
void disk_notify_change(void *ctx, const struct disk_file *file, enum storage_vsc_event event);
/* Take no more. True: the thread has nothing to do, disk_notify_stop() will not wait. */
bool disk_notify_is_idle(struct disk_notifier *notifier);
/* End the thread. The kernel must be able to answer it: serve the session until it is idle. */
void disk_notify_stop(struct disk_notifier *notifier);

#endif
