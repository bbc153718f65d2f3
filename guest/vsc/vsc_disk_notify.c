// SPDX-License-Identifier: Apache-2.0
/*
 * Notifications to the kernel. See vsc_disk_notify.h.
 */
#define FUSE_USE_VERSION 314

#include "guest/vsc/vsc_disk_notify.h"

#include <fuse_lowlevel.h>
#include <signal.h>
#include <string.h>

static void notice_make(struct fuse_session *session, const struct disk_notice *notice)
{
	switch (notice->event) {
	case STORAGE_VSC_LUN_ADDED:
		(void)fuse_lowlevel_notify_inval_entry(
			session, FUSE_ROOT_ID, notice->name, strlen(notice->name));
		break;
	case STORAGE_VSC_LUN_REMOVED:
		(void)fuse_lowlevel_notify_delete(
			session, FUSE_ROOT_ID, notice->ino, notice->name, strlen(notice->name));
		break;
	default:
		(void)fuse_lowlevel_notify_inval_inode(session, notice->ino, -1, 0);
	}
}

static void *notifier_run(void *ctx)
{
	struct disk_notifier *notifier = ctx;
	pthread_mutex_lock(&notifier->lock);
	for (;;) {
		while (notifier->count == 0 && !notifier->is_stopping)
			pthread_cond_wait(&notifier->wake, &notifier->lock);
		if (notifier->is_stopping)
			break;
		const struct disk_notice notice = notifier->queue[notifier->next];
		notifier->next = (notifier->next + 1) % DISK_NOTIFY_MAX;
		notifier->count--;
		notifier->is_busy = true;
		pthread_mutex_unlock(&notifier->lock);
		notice_make(notifier->session, &notice);
		pthread_mutex_lock(&notifier->lock);
		notifier->is_busy = false;
	}
	pthread_mutex_unlock(&notifier->lock);
	return NULL;
}

int disk_notify_start(struct disk_notifier *notifier, struct fuse_session *session)
{
	sigset_t all;
	sigset_t before;
	memset(notifier, 0, sizeof *notifier);
	notifier->session = session;
	pthread_mutex_init(&notifier->lock, NULL);
	pthread_cond_init(&notifier->wake, NULL);
	/* Signals are for the thread that serves. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	const int error = pthread_create(&notifier->thread, NULL, notifier_run, notifier);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	notifier->is_running = error == 0;
	return -error;
}

void disk_notify_change(void *ctx, const struct disk_file *file, enum storage_vsc_event event)
{
	struct disk_notifier *notifier = ctx;
	if (!notifier->is_running)
		return;
	pthread_mutex_lock(&notifier->lock);
	if (notifier->count == DISK_NOTIFY_MAX || notifier->is_stopping) {
		notifier->dropped++;
	} else {
		struct disk_notice *notice =
			&notifier->queue[(notifier->next + notifier->count) % DISK_NOTIFY_MAX];
		notice->event = event;
		notice->ino = file->ino;
		memcpy(notice->name, file->name, sizeof notice->name);
		notifier->count++;
		pthread_cond_signal(&notifier->wake);
	}
	pthread_mutex_unlock(&notifier->lock);
}

bool disk_notify_is_idle(struct disk_notifier *notifier)
{
	if (!notifier->is_running)
		return true;
	pthread_mutex_lock(&notifier->lock);
	notifier->is_stopping = true;
	const bool is_idle = !notifier->is_busy;
	pthread_cond_signal(&notifier->wake);
	pthread_mutex_unlock(&notifier->lock);
	return is_idle;
}

void disk_notify_stop(struct disk_notifier *notifier)
{
	if (!notifier->is_running)
		return;
	(void)disk_notify_is_idle(notifier);
	pthread_join(notifier->thread, NULL);
	notifier->is_running = false;
	pthread_cond_destroy(&notifier->wake);
	pthread_mutex_destroy(&notifier->lock);
}
