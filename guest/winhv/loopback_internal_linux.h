// SPDX-License-Identifier: Apache-2.0
/*
 * Inside the loopback platform: what platform_loopback_linux.c (life and requests),
 * loopback_join_linux.c (socket and welcome) and loopback_memory_linux.c (pages and
 * rings) share.
 */
#ifndef GUEST_WINHV_LOOPBACK_INTERNAL_LINUX_H
#define GUEST_WINHV_LOOPBACK_INTERNAL_LINUX_H

#include "guest/winhv/platform_loopback_linux.h"
#include "protocol/loopback.h"

#include <pthread.h>

struct loopback_vp {
	int interrupt_fd; /* owned; read end, opened by us */
	/* under lock: the mailbox */
	pthread_mutex_t lock;
	bool is_dead; /* a request was not answered: its mailbox is the host's for ever */
	/* the VP's thread */
	bool is_armed;
	bool is_rung; /* the host has written to the pipe, or is about to */
};

struct platform_loopback {
	int socket;    /* owned */
	int memory_fd; /* owned */
	int bell_fd;   /* owned; opened by us for reading and writing */
	uint8_t *memory;
	size_t memory_bytes;
	uint8_t *control;
	size_t control_bytes;
	uint32_t vp_count;
	uint64_t time_base_ns;
	uint64_t request_timeout_ns;
	bool is_gone; /* atomic: the host has hung up */

	/* page allocator: private, for the host must not be able to hand out pages */
	pthread_mutex_t pages_lock;
	uint64_t *pages_used; /* owned bitmap */
	size_t page_count;
	size_t page_hint; /* where the last search ended */

	struct platform_loopback_statistics statistics; /* atomic, relaxed */
	struct loopback_vp vps[LOOPBACK_VP_MAX];
};

uint64_t loopback_now_ns(void);

/* Say hello and take the welcome: fills all but locks. 0 or a negative errno, nothing held. */
int loopback_join(struct platform_loopback *loopback, int fd, uint64_t deadline_ns);

int loopback_pages_init(struct platform_loopback *loopback);
int loopback_pages_alloc(void *ctx, size_t bytes, struct winhv_pages *out);
void loopback_pages_free(void *ctx, const struct winhv_pages *pages);
int loopback_ring_map(void *ctx, const struct winhv_pages *pages, size_t offset, size_t bytes,
	void **control, uint8_t **data);
void loopback_ring_unmap(void *ctx, void *control, uint8_t *data, size_t data_bytes);

#endif
