// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback platform: this process (or thread) is the guest of a host process
 * that shares memory with it. Wire and rules: protocol/loopback.h.
 *
 *	struct platform_loopback *loopback;
 *	platform_loopback_connect("/run/viridian/p1", PLATFORM_LOOPBACK_TIMEOUT_NS, &loopback);
 *	winhv_init(&hv, &platform_loopback_ops, loopback, platform_loopback_vp_count(loopback));
 *
 * Callers with a poll loop of their own: winhv_wait_arm(), look at the rings again,
 * poll() the descriptors below with their own, then winhv_wait() with time-out 0,
 * which collects the interrupt, empties the pipe and notices that the host has gone.
 *
 * The host is not trusted: what it says in its welcome is checked, memory is sealed
 * against being cut off, no descriptor is used in a way that can block, and a host
 * that does not answer a hypercall in time makes that VP dead, not hung.
 *
 * Threads: as winhv.h says; one thread for each VP.
 */
#ifndef GUEST_WINHV_PLATFORM_LOOPBACK_LINUX_H
#define GUEST_WINHV_PLATFORM_LOOPBACK_LINUX_H

#include "guest/winhv/winhv.h"

struct platform_loopback;

extern const struct winhv_platform_ops platform_loopback_ops;

#define PLATFORM_LOOPBACK_TIMEOUT_NS 5000000000ull

/*
 * Connect to the socket of a host and become its guest, within `timeout_ns`; a host that
 * is just starting (no socket yet, or no one listening) is waited for. Returns 0;
 * -ETIMEDOUT; -EBUSY (it has a guest already); -ENOTSUP (another transport version);
 * -ENODEV (it is stopping, or hung up); -ENOMEM (it could not take a guest); -EPROTO (its
 * welcome is invalid); or another negative errno.
 */
int platform_loopback_connect(
	const char *path, uint64_t timeout_ns, struct platform_loopback **out);

/* The same over a connected SEQPACKET socket; owns and closes fd, also on failure. */
int platform_loopback_attach(int fd, uint64_t timeout_ns, struct platform_loopback **out);

/* Part with the host and unmap everything. All winhv over it must be shut down. */
void platform_loopback_destroy(struct platform_loopback *loopback);

uint32_t platform_loopback_vp_count(const struct platform_loopback *loopback);

/* Time to wait for the answer to a hypercall, an MSR access or a CPUID. */
void platform_loopback_request_timeout_set(struct platform_loopback *loopback, uint64_t timeout_ns);

/* To poll for POLLIN: readable when VP `vp` was interrupted while armed. */
int platform_loopback_interrupt_fd(const struct platform_loopback *loopback, uint32_t vp);
/* To poll for POLLIN: readable when the host has gone. */
int platform_loopback_host_fd(const struct platform_loopback *loopback);
bool platform_loopback_is_gone(const struct platform_loopback *loopback);

struct platform_loopback_statistics {
	uint64_t requests;  /* through mailboxes */
	uint64_t doorbells; /* requests and signals that found the host asleep and cost a write */
	uint64_t sleeps;    /* waits that entered the OS */
};
void platform_loopback_statistics_get(
	const struct platform_loopback *loopback, struct platform_loopback_statistics *out);

#endif
