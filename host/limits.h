// SPDX-License-Identifier: Apache-2.0
/*
 * Everything that a guest can make the host hold, with its bound: one list, so that
 * it can be reviewed, summed and tested at the bound and one past it. Limits are for
 * each partition unless said otherwise. What a wire format bounds by itself is in
 * protocol/ (2047 channels, 8190 pages in a GPADL).
 */
#ifndef HOST_LIMITS_H
#define HOST_LIMITS_H

/*
 * VMBus server (host/vmbus): GPADLs alive at once, in progress or complete. Two for each
 * channel of a full bus.
 */
#define LIMIT_GPADLS 4096u
/*
 * VMBus server: words of all range streams alive at once: one for each page and each
 * range. 1 Mi words describe 4 GiB and take 8 MiB of host memory; a network
 * adapter with its largest buffers takes 8 Ki, a channel with 128-page rings 129.
 */
#define LIMIT_GPADL_WORDS (1024u * 1024u)
/*
 * VMBus server: offers of the host's providers, plus offers that were taken back and whose
 * relid the guest still holds. The former alone are at most 2047.
 */
#define LIMIT_SERVER_CHANNELS 4096u
/*
 * VMBus server: bytes of messages that wait for the guest to empty its message slot.
 * Enough for an offer, a rescind, an open result and a modify response of each channel
 * and an answer for each GPADL, which is all that can wait at once, since requests are
 * refused while anything waits.
 */
#define LIMIT_SERVER_QUEUE_BYTES (640u * 1024u)

/* Hypervisor: virtual processors; one 64-bit mask holds them all. */
#define LIMIT_VPS 64u
/* Hypervisor: memory, the least that holds SynIC pages and rings, and 1 TiB. */
#define LIMIT_MEMORY_BYTES_MIN (1ull << 20)
#define LIMIT_MEMORY_BYTES_MAX (1ull << 40)
/*
 * Hypervisor: mmaps that rings take, one for each run of neighbouring pages. The kernel
 * allows a process 65530 in all (vm.max_map_count); a guest that scatters its rings must
 * not use them up.
 */
#define LIMIT_RING_RUNS 32768u
/* Hypervisor: message ports and event ports, each: all channels, and the bus's own. */
#define LIMIT_PORTS 2304u
/*
 * Hypervisor: messages of 256 bytes waiting behind one message slot. Whoever meets the
 * bound is told when the queue has drained; the guest pays by not being answered.
 */
#define LIMIT_SYNIC_QUEUE 64u
/*
 * Hypervisor: posts of VP threads that wait for the loop thread, of 256 bytes. The guest is
 * told to try later beyond that, which costs it milliseconds; one that sets up a channel
 * with the largest rings posts some 300 in a row.
 */
#define LIMIT_DEFERRED_POSTS 512u
/* Hypervisor: crash reports that wait likewise, with a page of text each. */
#define LIMIT_DEFERRED_CRASHES 4u
/* Hypervisor: bytes of debug output that wait likewise. */
#define LIMIT_DEFERRED_DEBUG_BYTES 65536u
/*
 * Hypervisor: ticks of one periodic synthetic timer are at least this far apart, in units of
 * 100 ns, and this many that came late are made up for; the guest pays nothing for a tick.
 */
#define LIMIT_TIMER_SPACING_100NS 1000u
#define LIMIT_TIMER_CATCH_UP	  8u
/* Hypervisor: observers of a reset, one for each module that holds guest state. */
#define LIMIT_RESET_OBSERVERS 8u
/*
 * KVM: SINTs with an eventfd of their own; what is beyond takes a system call more. Two for
 * each VP, and some.
 */
#define LIMIT_KVM_ROUTES 160u
/*
 * KVM: connections with an eventfd of their own; signals to others cost an exit. A guest that
 * opens all its channels must leave descriptors (of 1024, usually) for disks and clients.
 */
#define LIMIT_KVM_DOORBELLS 512u
/*
 * Key-value pairs: jobs under way, those of control clients and the worker's own; and pairs of
 * a pool that are asked for, which costs the guest a message each and the host nothing to keep.
 */
#define LIMIT_KVP_JOBS	16u
#define LIMIT_KVP_ITEMS 16384u
/* File store: the largest image on tmpfs that is mapped, and the extents looked for in it. */
#define LIMIT_STORE_MAP_BYTES	(1ull << 40)
#define LIMIT_STORE_MAP_EXTENTS 65536u
/* Loopback: connections that have not said hello; a fifth pushes out the oldest. */
#define LIMIT_LOOPBACK_STRANGERS 4u

#endif
