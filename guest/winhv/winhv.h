// SPDX-License-Identifier: Apache-2.0
/*
 * winhv: the hypervisor, as a library for the code of a partition. Hypercalls
 * (slow, fast, rep), MSRs, SynIC set-up, messages and event flags, reference
 * time, detection, and the only memory that is shared with the host.
 *
 *	guest/vmbus (client)          daemons, VSC front ends
 *	        \                        /
 *	         struct winhv  (this file; no libc, no threads, no allocation)
 *	                |
 *	  struct winhv_platform_ops: bare | loopback | scripted
 *
 * A platform is how code reaches its hypervisor: real instructions (bare), a host
 * process that shares memory (loopback), or a test's script (scripted). What a
 * platform lacks, winhv reports by -VIRIDIAN_ENOTSUP, never by pretending.
 *
 * Threads: one struct winhv belongs to one thread, except winhv_signal_event(),
 * winhv_time_100ns() and winhv_pages_*(), which platforms make thread-safe.
 */
#ifndef GUEST_WINHV_WINHV_H
#define GUEST_WINHV_WINHV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINHV_PAGE_BYTES 4096u

/* Memory that host and guest share: both addresses of one run of pages. */
struct winhv_pages {
	uint8_t *va;
	uint64_t gpa; /* page aligned */
	size_t bytes; /* page multiple */
};

struct winhv_xmm {
	uint64_t word[12]; /* XMM0..XMM5, low quadword first */
};

/*
 * One platform. `ctx` is the platform's own state. Functions return 0 or a negative
 * VIRIDIAN_E*; hypercall returns the 64-bit result value through *result.
 */
struct winhv_platform_ops {
	const char *name; /* "bare", "loopback", "scripted" */

	void (*cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
	/* -VIRIDIAN_EINVAL: #GP. -VIRIDIAN_ETIMEDOUT, -VIRIDIAN_ENODEV: the host is gone. */
	int (*msr_read)(void *ctx, uint32_t vp, uint32_t msr, uint64_t *value);
	int (*msr_write)(void *ctx, uint32_t vp, uint32_t msr, uint64_t value);
	/*
	 * Issue a hypercall on `vp`. Memory form: input and output are GPAs (0 = none), xmm
	 * is NULL. Fast form (bit 16 of control): input and output carry the two register
	 * parameters, xmm, if given, the XMM registers, in and out.
	 */
	int (*hypercall)(void *ctx, uint32_t vp, uint64_t control, uint64_t input, uint64_t output,
		struct winhv_xmm *xmm, uint64_t *result);
	/*
	 * The hypercall page is enabled at `code` (NULL: no longer). May be NULL itself, for
	 * platforms that reach the hypervisor without calling it.
	 */
	void (*hypercall_page_set)(void *ctx, const struct winhv_pages *code);
	/*
	 * HvCallSignalEvent, by the quickest way the platform has. Any thread.
	 * Returns the HV_STATUS_* or a negative VIRIDIAN_E*.
	 */
	int (*signal_event)(void *ctx, uint32_t connection_id, uint16_t flag_number);

	/* Contiguous zeroed pages (GPA-contiguous too); -VIRIDIAN_ENOMEM. Any thread. */
	int (*pages_alloc)(void *ctx, size_t bytes, struct winhv_pages *out);
	void (*pages_free)(void *ctx, const struct winhv_pages *pages);
	/*
	 * Map pages [data_offset, bytes) of `pages` a second time behind themselves, so that a
	 * ring is contiguous wherever it wraps: *mapping gets control page + data + data. NULL
	 * where there is no MMU to do it (the ring then copies at the wrap).
	 */
	int (*ring_map)(void *ctx, const struct winhv_pages *pages, size_t offset, size_t bytes,
		void **control, uint8_t **data);
	void (*ring_unmap)(void *ctx, void *control, uint8_t *data, size_t data_bytes);

	/*
	 * Sleep until an interrupt (SINT) for `vp` is pending or `timeout_100ns` has passed
	 * (UINT64_MAX: no limit). *sints gets the bits of the SINTs asserted since the last call.
	 * 0 with *sints = 0: time-out or a spurious wake-up. -VIRIDIAN_ENODEV: the host is gone.
	 * With timeout 0 it only collects, and enters the OS only to end a sleep that was armed
	 * before it (wait_arm). The VP is disarmed when it returns.
	 */
	int (*wait)(void *ctx, uint32_t vp, uint64_t timeout_100ns, uint32_t *sints);
	/*
	 * Two-step sleeping for callers that poll rings: arm says "I am about to sleep" to the
	 * host (then the caller looks at its rings again), disarm takes it back. wait() arms by
	 * itself when arm was not called.
	 */
	void (*wait_arm)(void *ctx, uint32_t vp);
	void (*wait_disarm)(void *ctx, uint32_t vp);

	/* Monotonic partition reference time in 100 ns. Any thread. */
	uint64_t (*time_100ns)(void *ctx);
	/* A full memory barrier and a spin hint are compiler built-ins; no op is needed. */
};

/* What CPUID says (TLFS 2.4). */
struct winhv_identity {
	bool is_present;       /* the interface signature is "Hv#1" */
	uint32_t max_leaf;     /* 0x40000005.. */
	uint8_t vendor[13];    /* "Microsoft Hv" or another, NUL-terminated */
	uint32_t build;	       /* leaf 2 eax */
	uint16_t major, minor; /* leaf 2 ebx */
	uint64_t privileges;   /* leaf 3 eax | ebx << 32: HV_PRIVILEGE_* */
	uint32_t features;     /* leaf 3 edx */
	uint32_t hints;	       /* leaf 4 eax */
	uint32_t vp_max;       /* leaf 5 eax */
};

struct winhv_synic_pages {
	struct winhv_pages messages; /* SIMP: 16 slots of 256 bytes */
	struct winhv_pages events;   /* SIEFP: 16 × 256 bytes of flags */
};

#define WINHV_VP_MAX 64u

struct winhv {
	const struct winhv_platform_ops *ops;
	void *ctx;
	struct winhv_identity identity;
	uint32_t vp;		      /* set after winhv_init(): the VP that calls; 0 at first */
	uint32_t vp_count;	      /* VPs whose SynIC this guest may use */
	struct winhv_pages hypercall; /* input page and output page */
	bool is_hypercall_lost;	      /* one was not answered: it may use them for ever */
	struct winhv_pages code;      /* hypercall page, where the platform needs one */
	struct winhv_synic_pages synic[WINHV_VP_MAX];
	uint64_t synic_enabled;	      /* bit n: SynIC of VP n is on */
	uint16_t sints[WINHV_VP_MAX]; /* bit n: SINT n was unmasked by us */
	uint64_t pages_abandoned;     /* could not be taken back from the hypervisor */
};

/*
 * Detect the hypervisor (identity) and allocate the hypercall pages. vp_count: VPs that
 * this guest will use, 1..WINHV_VP_MAX. `ops` and `ctx` are borrowed until
 * winhv_shutdown(). Returns 0, also when no hypervisor is there (identity.is_present says);
 * -VIRIDIAN_EINVAL, -VIRIDIAN_ENOMEM or the platform's error.
 */
int winhv_init(
	struct winhv *hv, const struct winhv_platform_ops *ops, void *ctx, uint32_t vp_count);
/*
 * Turn off every SynIC and the hypercall page, give back every page. The hypervisor has
 * stopped writing before a page goes back; if it cannot be told to, the page is abandoned.
 */
void winhv_shutdown(struct winhv *hv);

/*
 * Write the guest OS id (not 0), enable the hypercall page. -VIRIDIAN_ENODEV without a
 * hypervisor, -VIRIDIAN_ENOTSUP without the privilege, -VIRIDIAN_EPROTO if it does not stick.
 */
int winhv_hypercall_enable(struct winhv *hv, uint64_t guest_os_id);

/*
 * Hypercalls. Each returns 0 and the HV_STATUS_* in *status, or a negative VIRIDIAN_E* if
 * the hypercall could not be made at all. Input is copied to the shared input page;
 * rep calls are continued until all `reps` are done or one fails (*reps_done). Lists that
 * fill more than a page are cut. Errors: -VIRIDIAN_EINVAL (sizes), -VIRIDIAN_EPROTO (the
 * host counts repetitions wrongly, or does not get on), and the platform's.
 */
int winhv_hypercall(struct winhv *hv, uint16_t code, const void *input, size_t input_bytes,
	void *output, size_t output_bytes, uint16_t *status);
int winhv_hypercall_fast(
	struct winhv *hv, uint16_t code, uint64_t param1, uint64_t param2, uint16_t *status);
int winhv_hypercall_rep(struct winhv *hv, uint16_t code, const void *header, size_t header_bytes,
	const void *elements, size_t element_bytes, uint16_t reps, void *output,
	size_t output_element_bytes, uint16_t *reps_done, uint16_t *status);

/*
 * Any hypercall, in any form. The list is `header` (fixed part, then `varhead_u64` quadwords
 * of variable header), then `reps` elements. With is_fast it travels in registers: up to 16
 * bytes in two of them, up to 112 with XMM0..5, which the hypervisor must offer; output then
 * comes back behind the input, rounded up to 16 bytes, and needs some input.
 */
struct winhv_call {
	uint16_t code;
	bool is_fast;
	uint16_t varhead_u64;
	uint16_t reps; /* 0: a simple call */
	const void *header;
	size_t header_bytes; /* with the variable header; a multiple of 8 if elements follow */
	const void *elements;
	size_t element_bytes; /* of one; may be 0 */
	void *output;
	size_t output_bytes; /* of one element, for rep calls */
};

/*
 * Make it; rep calls are continued as by winhv_hypercall_rep(). *reps_done (may be NULL for
 * simple calls) and *status are set when 0 is returned. Errors: -VIRIDIAN_EINVAL (does not
 * fit, or a fast list with reps that do not fit), and as above.
 */
int winhv_call(
	struct winhv *hv, const struct winhv_call *call, uint16_t *reps_done, uint16_t *status);

/* HvCallPostMessage, ≤ 240 bytes. Returns and errors as above. */
int winhv_post_message(struct winhv *hv, uint32_t connection_id, uint32_t type, const void *payload,
	size_t bytes, uint16_t *status);
/* HvCallSignalEvent: returns the HV_STATUS_* (0: success), or the platform's error. */
int winhv_signal_event(struct winhv *hv, uint32_t connection_id, uint16_t flag_number);

/*
 * SynIC of one VP: allocate and enable message and event pages (the first time), unmask
 * `sint` with `vector`. Pages that the firmware left enabled are not used: ours replace
 * them. Errors: -VIRIDIAN_EINVAL, -VIRIDIAN_ENOTSUP, -VIRIDIAN_ENOMEM, the platform's.
 */
int winhv_synic_enable(struct winhv *hv, uint32_t vp, uint32_t sint, uint8_t vector);
void winhv_synic_disable(struct winhv *hv, uint32_t vp);

struct winhv_message {
	uint32_t type;
	uint8_t bytes; /* ≤ 240, checked */
	uint8_t flags;
	uint64_t sender;
	uint8_t payload[240];
};
/*
 * Take the message in the slot of (vp, sint), if any: copies it out, frees the slot, and
 * writes EOM if another waits. Returns true if *out holds a message. A size over 240 is
 * reported as a message with bytes = 0 and type unchanged (the slot is freed).
 */
bool winhv_message_take(struct winhv *hv, uint32_t vp, uint32_t sint, struct winhv_message *out);

/*
 * Take up to 64 event flags: atomically exchange word `word` (0..31) of (vp, sint) with 0.
 * Bit b stands for flag word * 64 + b.
 */
uint64_t winhv_events_take(struct winhv *hv, uint32_t vp, uint32_t sint, unsigned word);

/* The platform's wait, wait_arm and wait_disarm. */
int winhv_wait(struct winhv *hv, uint32_t vp, uint64_t timeout_100ns, uint32_t *sints);
void winhv_wait_arm(struct winhv *hv, uint32_t vp);
void winhv_wait_disarm(struct winhv *hv, uint32_t vp);

int winhv_pages_alloc(struct winhv *hv, size_t bytes, struct winhv_pages *out);
void winhv_pages_free(struct winhv *hv, const struct winhv_pages *pages);
/* Leave them for ever to a host that may still write to them: counted, and *pages is empty. */
void winhv_pages_abandon(struct winhv *hv, struct winhv_pages *pages);
uint64_t winhv_time_100ns(const struct winhv *hv);

#endif
