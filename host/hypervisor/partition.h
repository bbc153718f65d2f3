// SPDX-License-Identifier: Apache-2.0
/*
 * A partition: guest memory, virtual processors, hypercalls, SynIC, timers, clocks.
 * What runs the VPs is a backend (struct partition_backend_ops): loopback, KVM, or a
 * test; all else is the same code over any.
 *
 *	VMBus server, VSPs
 *	   |  ports (guest → host)      ^  synic_message_post(), synic_event_set()
 *	partition: hypercall table, MSRs, SynIC, timers, clocks, memory
 *	   |  backend ops               ^  partition_hypercall(), _msr_read(), _msr_write()
 *	backend: loopback | kvm
 *
 * Threads: a partition belongs to the event loop that created it, and every function
 * here is called on that thread, but for those marked [any thread]: these take the
 * partition's lock. A backend with VP threads calls those of section "for backends" from
 * them. What such a call has to tell the rest of the host (a message posted, a signal, a
 * reset, a crash, a drained queue) is queued in the partition, partition_config.wake is
 * called, and partition_dispatch() tells it on the loop thread. Without VP threads it is
 * told at once.
 */
#ifndef HOST_HYPERVISOR_PARTITION_H
#define HOST_HYPERVISOR_PARTITION_H

#include "host/hypervisor/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct partition;
struct enlightenments;

enum partition_apic_register {
	PARTITION_APIC_EOI,
	PARTITION_APIC_ICR,
	PARTITION_APIC_TPR,
};

/*
 * What runs the VPs of a partition. Functions are called with the partition's lock held, on
 * the loop thread or a VP thread; they must not call back in. Those that may be NULL are
 * not needed, and what depends on them is then not offered to the guest.
 */
struct partition_backend_ops {
	const char *name;    /* "loopback", "kvm" */
	bool has_vp_threads; /* the partition is called from threads other than the loop's */
	/*
	 * What the hypercall page holds, to be called as a function; the rest of the page
	 * traps. NULL: code that returns HV_STATUS_INVALID_HYPERCALL_CODE, for guests that
	 * reach the hypervisor otherwise.
	 */
	const uint8_t *hypercall_code;
	size_t hypercall_code_bytes;
	/* struct hypercall_registers carries xmm both ways: XMM fast calls are offered. */
	bool has_xmm;
	/* SINT `sint` of VP `vp` is to be raised with `vector`; edge, cheap, may coalesce. */
	void (*interrupt_assert)(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector);
	/*
	 * The SINT register of a VP was written (or reset): for a backend that has routes to
	 * prepare, or that ends interrupts by itself (HV_SINT_AUTO_EOI). May be NULL.
	 */
	void (*sint_changed)(void *ctx, uint32_t vp, uint32_t sint, uint64_t value);
	/* Fixed, edge interrupt `vector` to each VP of the mask: IPIs, timers in direct mode. */
	void (*vector_assert)(void *ctx, uint64_t vps, uint8_t vector);
	/*
	 * All translations that the VPs of the mask may have cached are gone when it returns.
	 * The caller, `vp`, may be among them.
	 */
	void (*tlb_flush)(void *ctx, uint32_t vp, uint64_t vps);
	/*
	 * TSC as the guest reads it on any VP, now: constant rate tsc_hz, the same on all VPs,
	 * going on when VPs are reset. The partition's reference time then counts in it, and the
	 * reference TSC page is valid.
	 */
	uint64_t (*tsc_read)(void *ctx);
	/* ICR (64 bits: destination high), TPR (8 bits) and EOI of the VP's own APIC. */
	uint64_t (*apic_read)(void *ctx, uint32_t vp, enum partition_apic_register which);
	void (*apic_write)(
		void *ctx, uint32_t vp, enum partition_apic_register which, uint64_t value);
	uint32_t (*apic_id)(void *ctx, uint32_t vp);
	/* Time that the VP has run, guest and hypervisor, 100 ns units. */
	uint64_t (*run_time_100ns)(void *ctx, uint32_t vp);
	/* The guest has read GUEST_IDLE: the VP is to halt until an interrupt is pending. */
	void (*vp_idle)(void *ctx, uint32_t vp);
	/*
	 * Registers of the architecture by HV_X64_REGISTER_* name, of a VP that waits in this
	 * very call, on the VP's thread, without the lock. False: no such register, or no value
	 * that the processor could go on with.
	 */
	bool (*register_read)(void *ctx, uint32_t vp, uint32_t name, uint64_t value[2]);
	bool (*register_write)(void *ctx, uint32_t vp, uint32_t name, const uint64_t value[2]);
	/*
	 * An event port with connection id `connection_id` has come (is_there) or gone: signals
	 * to it with flag 0 may take a path of the backend's own, which ends in
	 * partition_signal() on the loop thread.
	 */
	void (*event_port_changed)(void *ctx, uint32_t connection_id, bool is_there);
	/*
	 * The guest has asked for a reset (MSR RESET). Return at once; the owner of the backend
	 * stops the VPs, calls partition_reset(), and starts them anew. NULL: the partition is
	 * reset on the spot.
	 */
	void (*reset_request)(void *ctx, uint32_t vp);
};

/* Fields behind vp_count may be 0: then what their comments say holds. */
struct partition_config {
	uint64_t memory_bytes; /* page multiple, LIMIT_MEMORY_BYTES_MIN.._MAX */
	uint32_t vp_count;     /* 1..LIMIT_VPS */
	/* RAM from 0 to here, the rest from 4 GiB up. 0: all from 0. Page multiple, ≤ 4 GiB. */
	uint64_t memory_low_bytes;
	/* What is promised and recommended in CPUID; see enlightenment.h. NULL: all that works. */
	const struct enlightenments *enlightenments;
	/* A steady clock in ns, any origin; NULL: CLOCK_MONOTONIC. */
	uint64_t (*clock_ns)(void *ctx);
	void *clock_ctx;
	/* What the frequency MSRs say, in Hz. Offered to the guest only if both are known. */
	uint64_t tsc_hz, apic_hz;
	/*
	 * partition_timers_run() is wanted at this reading of clock_ns, UINT64_MAX: not at all.
	 * [any thread], lock held: re-arm a timerfd, no more. NULL: no synthetic timers.
	 */
	void (*timer_set)(void *ctx, uint64_t deadline_ns);
	/* partition_dispatch() is wanted. [any thread]: write an eventfd. NULL without VP threads.
	 */
	void (*wake)(void *ctx);
	void *driver_ctx; /* of timer_set and wake */
	/* What the guest says by HvCallPostDebugData; NULL: not offered. Loop thread. */
	void (*debug_data)(void *ctx, const uint8_t *data, size_t bytes);
	void *debug_ctx;
};

/* Create a partition with zeroed memory. 0, -EINVAL, -ENOMEM or another negative errno. */
int partition_create(const struct partition_config *config, struct partition **out);
/* Its backend and its VP threads must be gone. Calls nothing of the config. */
void partition_destroy(struct partition *partition);
/*
 * Give it a backend (`ops` and `ctx` are borrowed), or take it away (NULL), while no VP runs.
 * Event ports that there are already are told to the new one, and taken from the old. What
 * waits to be told is dropped. Reference time goes on.
 */
void partition_backend_set(
	struct partition *partition, const struct partition_backend_ops *ops, void *ctx);

struct guest_memory *partition_memory(struct partition *partition);
uint32_t partition_vp_count(const struct partition *partition);
/*
 * Reference time: 100 ns units since the partition was created; what the guest's clock says.
 * [any thread]
 */
uint64_t partition_time_100ns(struct partition *partition);

/* Expire the synthetic timers that are due, and set the next deadline. */
void partition_timers_run(struct partition *partition);
/*
 * Tell what VP threads have left to be told. Calls ports and observers. A port that refuses
 * a message (HV_STATUS_INSUFFICIENT_BUFFERS) gets it again at the next call, first; other
 * statuses the guest, which was told that the message was accepted, does not see.
 */
void partition_dispatch(struct partition *partition);

/*
 * Reset: as after power-on, but memory keeps its contents. SynIC off, hypercall
 * page off, queued messages dropped, on_reset observers called last. Ports stay.
 */
void partition_reset(struct partition *partition);
typedef void (*partition_reset_fn)(void *ctx);
/* 0, or -ENOSPC (LIMIT_RESET_OBSERVERS). Called in the order of adding. */
int partition_reset_observer_add(struct partition *partition, partition_reset_fn fn, void *ctx);
void partition_reset_observer_remove(struct partition *partition, partition_reset_fn fn, void *ctx);

/* What a guest said as it crashed (MSRs CRASH_P0..P4 and CRASH_CTL). */
struct partition_crash {
	uint64_t parameters[5];
	uint64_t control;    /* HV_CRASH_*, as written to CRASH_CTL */
	const char *message; /* not NUL-terminated, any bytes; valid during the call; or NULL */
	size_t message_bytes;
};
/*
 * Called at each CRASH_CTL write with HV_CRASH_NOTIFY; of those that VP threads leave to be
 * told, up to LIMIT_DEFERRED_CRASHES at a time. One observer.
 */
typedef void (*partition_crash_fn)(void *ctx, const struct partition_crash *crash);
void partition_crash_observer_set(struct partition *partition, partition_crash_fn fn, void *ctx);

/* Counters since creation. */
struct partition_statistics {
	uint64_t hypercalls;	     /* all, refused ones included */
	uint64_t hypercalls_refused; /* by the checks of hypercall.h, before any handler */
	uint64_t msr_faults;
	uint64_t messages_posted;  /* by the guest, accepted */
	uint64_t messages_sent;	   /* to the guest, written to a slot */
	uint64_t messages_queued;  /* of these, how many had to wait */
	uint64_t messages_lost;	   /* to the guest, refused because the queue was full */
	uint64_t events_signalled; /* by the guest, to a port */
	uint64_t signals_unknown;  /* by the guest, to no port */
	uint64_t events_set;	   /* to the guest, flag 0 -> 1 */
	uint64_t events_coalesced; /* to the guest, flag was set */
	uint64_t interrupts;
	uint64_t resets;
	uint64_t crashes;
	uint64_t timer_expirations; /* synthetic timers, messages and direct */
	uint64_t timer_ticks_lost;  /* of periodic ones, that came too late to be told apart */
	uint64_t posts_refused;	    /* by the guest, because the queue to the loop was full */
};
void partition_statistics_get(const struct partition *partition, struct partition_statistics *out);

/* ---- ports: what the guest reaches by connection id ---------------------------------------- */

/*
 * A guest posted a message (HvCallPostMessage). `payload` is a private copy of
 * `bytes` (0..240) bytes. Returns the HV_STATUS_* that the guest sees:
 * HV_STATUS_SUCCESS, or HV_STATUS_INSUFFICIENT_BUFFERS to make it try later.
 */
typedef uint16_t (*partition_message_fn)(void *ctx, uint32_t connection_id, uint32_t message_type,
	const uint8_t *payload, size_t bytes);
/* A guest signalled (HvCallSignalEvent). Never called for ids without a port. */
typedef void (*partition_event_fn)(void *ctx, uint32_t connection_id, uint16_t flag_number);

/* Returns 0, -EEXIST (id in use), -ENOSPC (LIMIT_PORTS), -EINVAL (id ≥ 2^24), -ENOMEM. */
int partition_message_port_add(
	struct partition *partition, uint32_t connection_id, partition_message_fn fn, void *ctx);
int partition_event_port_add(struct partition *partition, uint32_t connection_id,
	uint16_t flag_count, partition_event_fn fn, void *ctx);
/* Unknown ids are ignored, so that teardown paths need not know how far set-up got. */
void partition_message_port_remove(struct partition *partition, uint32_t connection_id);
void partition_event_port_remove(struct partition *partition, uint32_t connection_id);

/* ---- SynIC, host → guest: [any thread], but for the observer ------------------------------- */

/*
 * Queue a message (payload ≤ 240 bytes) for the slot of `sint` on `vp`, in order;
 * it is written at once if the slot is free, else when the guest frees it (EOM).
 * Returns 0; -EAGAIN if the queue (LIMIT_SYNIC_QUEUE) is full or there is no memory for
 * it; -EINVAL for a bad VP, SINT, size, or type 0. A disabled SynIC or message page keeps the
 * message queued until it is enabled, or partition_reset() drops it.
 */
int synic_message_post(struct partition *partition, uint32_t vp, uint32_t sint, uint32_t type,
	uint64_t port_id, const void *payload, size_t bytes);

/* True while messages for (vp, sint) wait behind a full slot: stop taking guest requests. */
bool synic_message_is_backlogged(const struct partition *partition, uint32_t vp, uint32_t sint);

/*
 * Called when a backlog of any (vp, sint) has drained to empty. One observer. It may post
 * again; it is never called from within itself, but again after it has returned.
 */
typedef void (*synic_drained_fn)(void *ctx, uint32_t vp, uint32_t sint);
void synic_drained_observer_set(struct partition *partition, synic_drained_fn fn, void *ctx);

/* Forget all messages queued, not yet in a slot, for (vp, sint). */
void synic_message_discard(struct partition *partition, uint32_t vp, uint32_t sint);

/*
 * Set event flag `flag` (0..2047) of `sint` on `vp`, and assert the interrupt only if
 * the flag was clear before. Honours masks. 0, -EINVAL (bad index), -ENXIO (SynIC,
 * event page or SINT not enabled; nothing set).
 */
int synic_event_set(struct partition *partition, uint32_t vp, uint32_t sint, uint32_t flag);

/*
 * Raise the interrupt of `sint` on `vp` alone, without message or flag. Honours masks. For test
 * devices. 0, or -EINVAL for a bad VP or SINT.
 */
int synic_interrupt_raise(struct partition *partition, uint32_t vp, uint32_t sint);

/* ---- for backends: [any thread] ------------------------------------------------------------ */

enum partition_fault {
	PARTITION_FAULT_NONE = 0,
	PARTITION_FAULT_GP,
	PARTITION_FAULT_UD,
};

/*
 * Registers of a hypercall, in and out (x64 convention; xmm, XMM0..XMM5 low quadword
 * first, for fast input and output). A fault changes none.
 */
struct hypercall_registers {
	uint64_t rax; /* result value */
	uint64_t rcx; /* input value */
	uint64_t rdx; /* input GPA, or first fast parameter */
	uint64_t r8;  /* output GPA, or second fast parameter */
	uint64_t xmm[12];
};

/* One hypercall of VP `vp`: decode, validate in TLFS order, dispatch, result in rax. */
enum partition_fault partition_hypercall(
	struct partition *partition, uint32_t vp, struct hypercall_registers *registers);
enum partition_fault partition_msr_read(
	struct partition *partition, uint32_t vp, uint32_t msr, uint64_t *value);
enum partition_fault partition_msr_write(
	struct partition *partition, uint32_t vp, uint32_t msr, uint64_t value);
/*
 * Hypervisor leaves 0x40000000..; leaf 1 gives the hypervisor-present bit (ECX bit 31)
 * alone; other leaves give zeros. registers: eax, ebx, ecx, edx.
 */
void partition_cpuid(struct partition *partition, uint32_t vp, uint32_t leaf, uint32_t subleaf,
	uint32_t registers[4]);
/*
 * HvSignalEvent's effect for backends with a signal path of their own. HV_STATUS_*. On the
 * loop thread the port is told at once, and must not be called from within a port.
 */
uint16_t partition_signal(struct partition *partition, uint32_t connection_id, uint16_t flag);

#endif
