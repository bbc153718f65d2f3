// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback partition: how a process (or thread) that plays the guest
 * reaches a host that has no hypervisor under it.
 *
 *	guest process                               host process
 *	  winhv (loopback platform)                   loopback backend
 *	     |---- Unix SEQPACKET socket: hello, welcome + descriptors ----|
 *	     |---- memory memfd: guest-physical address space, offset = GPA|
 *	     |---- control memfd: mailboxes, doorbells, pending SINTs -----|
 *	     |---- pipes: one host doorbell, one interrupt for each VP ----|
 *
 * A hypercall, an MSR access or a CPUID is a mailbox slot of the VP's control
 * page. A signal (HvSignalEvent on a channel's connection) takes no mailbox: it
 * is a bit of the doorbell bitmap. An interrupt is a bit of the VP's
 * sint_pending word. A doorbell or interrupt costs a write to a pipe only when
 * the other side has said that it sleeps (struct loopback_bell_wire).
 *
 * Pipes and not eventfds, because the two ends of a pipe are two open files: an
 * eventfd has one, whose O_NONBLOCK the peer can clear before it fills the
 * counter, and the next write blocks for ever. The guest opens its ends afresh
 * (/proc/self/fd) for the same reason, the doorbell for reading as well, so that
 * a write after the host has gone raises no SIGPIPE.
 *
 * This transport is Viridian's own; nothing of it exists on Hyper-V. Everything
 * in the control region is hostile to the side that reads it. The host seals
 * both memfds against shrinking and growing before it sends them.
 */
#ifndef PROTOCOL_LOOPBACK_H
#define PROTOCOL_LOOPBACK_H

#include "protocol/assert.h"

#include <stdint.h>

#define LOOPBACK_MAGIC	 0x444c4f4f50524956ull /* "VIRPOOLD", little-endian */
#define LOOPBACK_VERSION 1u

#define LOOPBACK_PAGE_BYTES 4096u
#define LOOPBACK_VP_MAX	    64u

/* Connection ids LOOPBACK_SIGNAL_BASE + n, n < LOOPBACK_SIGNAL_COUNT, with flag
 * number 0 are signalled by bit n of the bitmap; all others by mailbox. */
#define LOOPBACK_SIGNAL_BASE  0x2000u
#define LOOPBACK_SIGNAL_COUNT 4096u

/* guest → host, first packet on the socket, 16 bytes, no descriptors */
struct loopback_hello_wire {
	uint64_t magic;	   /* LOOPBACK_MAGIC */
	uint32_t version;  /* LOOPBACK_VERSION */
	uint32_t reserved; /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct loopback_hello_wire, 16);

enum loopback_welcome_status {
	LOOPBACK_WELCOME_OK = 0,
	LOOPBACK_WELCOME_BUSY = 1,	  /* the partition already has a guest */
	LOOPBACK_WELCOME_BAD_VERSION = 2, /* host speaks another transport version */
	LOOPBACK_WELCOME_STOPPING = 3,	  /* the worker is shutting down */
	LOOPBACK_WELCOME_NO_RESOURCES = 4 /* no memory or descriptors for a guest */
};

/*
 * host → guest, the answer, 48 bytes. With status OK it carries, by SCM_RIGHTS
 * and in this order: memory memfd, control memfd, write end of the host's doorbell
 * pipe, then the read ends of vp_count interrupt pipes. The memory is all zeros.
 * Any later packet or end of file on the socket means that the partition has ended.
 * The guest closes the socket to end; it sends nothing after hello.
 */
struct loopback_welcome_wire {
	uint64_t magic;		/* LOOPBACK_MAGIC */
	uint32_t version;	/* LOOPBACK_VERSION */
	uint32_t status;	/* enum loopback_welcome_status */
	uint64_t memory_bytes;	/* multiple of the page size */
	uint64_t control_bytes; /* LOOPBACK_CONTROL_BYTES(vp_count) */
	uint32_t vp_count;	/* 1..LOOPBACK_VP_MAX */
	uint32_t reserved0;	/* 0 */
	uint64_t time_base_ns;	/* CLOCK_MONOTONIC when partition reference time was 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct loopback_welcome_wire, 48);
PROTOCOL_ASSERT_OFFSET(struct loopback_welcome_wire, memory_bytes, 16);
PROTOCOL_ASSERT_OFFSET(struct loopback_welcome_wire, version, 8);
PROTOCOL_ASSERT_OFFSET(struct loopback_welcome_wire, status, 12);
PROTOCOL_ASSERT_OFFSET(struct loopback_welcome_wire, control_bytes, 24);
PROTOCOL_ASSERT_OFFSET(struct loopback_welcome_wire, vp_count, 32);
PROTOCOL_ASSERT_OFFSET(struct loopback_welcome_wire, time_base_ns, 40);

/*
 * A bell joins a flag in shared memory with a pipe.
 *
 * Ringer: publish the work; load `sleeping`; if it is not 0, exchange it with 0 and,
 * if the exchange returned non-zero, write one byte to the pipe (never blocking: a
 * full pipe wakes as well).
 * Sleeper: store 1 to `sleeping`; look for work again; if there is some, store 0 and
 * go on, else poll the pipe. After waking, or if `sleeping` was already 0 when it
 * went to store 0, read the pipe empty. A spurious wake-up is always allowed.
 *
 * All these accesses are sequentially consistent; the work is published by an atomic
 * or, which with `sleeping` and the second look makes the two sides' order total.
 * No wake-up is lost: if the second look came before the work, then the store of 1
 * came before the work, too, and so before the ringer's load, which sees it.
 */
struct loopback_bell_wire {
	uint32_t sleeping;
	uint32_t reserved[15]; /* a cache line of its own */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct loopback_bell_wire, 64);

/* First page of the control region, shared by all VPs. */
struct loopback_host_wire {
	struct loopback_bell_wire bell; /* rung by the guest, slept on by the host */
	uint64_t mailbox_pending;	/* bit n: VP n has a request in its mailbox */
	uint64_t reserved0[7];
	uint64_t signal_summary; /* bit n: signal[n] may be non-zero */
	uint64_t reserved1[7];
	uint64_t signal[LOOPBACK_SIGNAL_COUNT / 64];
	uint8_t reserved2[4096 - 64 - 64 - 64 - LOOPBACK_SIGNAL_COUNT / 8];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct loopback_host_wire, 4096);
PROTOCOL_ASSERT_OFFSET(struct loopback_host_wire, mailbox_pending, 64);
PROTOCOL_ASSERT_OFFSET(struct loopback_host_wire, signal_summary, 128);
PROTOCOL_ASSERT_OFFSET(struct loopback_host_wire, signal, 192);

enum loopback_request_kind {
	LOOPBACK_REQUEST_HYPERCALL = 1, /* rcx rdx r8 xmm → rax, rdx, r8, xmm */
	LOOPBACK_REQUEST_RDMSR = 2,	/* rcx = index → rax = value, fault */
	LOOPBACK_REQUEST_WRMSR = 3,	/* rcx = index, rdx = value → fault */
	LOOPBACK_REQUEST_CPUID = 4,	/* rcx = leaf, rdx = subleaf → xmm[0] = eax | ebx << 32,
					   xmm[1] = ecx | edx << 32 */
};

enum loopback_request_state {
	LOOPBACK_STATE_IDLE = 0,
	LOOPBACK_STATE_REQUESTED = 1, /* written by the guest, release */
	LOOPBACK_STATE_DONE = 2,      /* written by the host, release; then futex wake */
};

enum loopback_fault {
	LOOPBACK_FAULT_NONE = 0,
	LOOPBACK_FAULT_GP = 1, /* #GP: bad MSR index or value */
	LOOPBACK_FAULT_UD = 2, /* #UD: hypercall while the interface is disabled */
};

/*
 * One page for each VP, at control offset (1 + VP index) * 4096.
 *
 * Mailbox: the guest fills the request, stores state = REQUESTED (release), sets
 * its bit of mailbox_pending, and rings the host bell. It then spins and finally
 * waits with FUTEX_WAIT (shared) on `state` until it is DONE, takes the answer,
 * stores IDLE. The host takes one copy of the request, acts on the copy, fills
 * the answer, stores DONE, and wakes the futex if `futex_waiting` is set. A
 * request that is answered late (deadline passed) leaves the VP dead: the guest
 * must not use the mailbox again.
 */
struct loopback_vp_wire {
	/* interrupts, host → guest */
	struct loopback_bell_wire bell; /* rung by the host, slept on by the VP */
	uint32_t sint_pending;		/* bit n: SINT n was asserted; exchange with 0 */
	uint32_t reserved0[15];
	/* mailbox */
	uint32_t state; /* enum loopback_request_state */
	uint32_t futex_waiting;
	uint32_t kind;	/* enum loopback_request_kind */
	uint32_t fault; /* enum loopback_fault */
	uint64_t rax;
	uint64_t rcx; /* hypercall: input value */
	uint64_t rdx; /* hypercall: input GPA, or first fast parameter */
	uint64_t r8;  /* hypercall: output GPA, or second fast parameter */
	uint64_t xmm[12];
	uint8_t reserved1[4096 - 64 - 64 - 16 - 32 - 96];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct loopback_vp_wire, 4096);
PROTOCOL_ASSERT_OFFSET(struct loopback_vp_wire, sint_pending, 64);
PROTOCOL_ASSERT_OFFSET(struct loopback_vp_wire, state, 128);
PROTOCOL_ASSERT_OFFSET(struct loopback_vp_wire, futex_waiting, 132);
PROTOCOL_ASSERT_OFFSET(struct loopback_vp_wire, kind, 136);
PROTOCOL_ASSERT_OFFSET(struct loopback_vp_wire, fault, 140);
PROTOCOL_ASSERT_OFFSET(struct loopback_vp_wire, rax, 144);
PROTOCOL_ASSERT_OFFSET(struct loopback_vp_wire, xmm, 176);

#define LOOPBACK_CONTROL_BYTES(vp_count) ((1ull + (vp_count)) * LOOPBACK_PAGE_BYTES)

#endif
