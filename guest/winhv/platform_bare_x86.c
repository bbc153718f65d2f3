// SPDX-License-Identifier: Apache-2.0
/*
 * The bare platform. See platform_bare_x86.h. Freestanding; x86-64.
 */
#include "guest/winhv/platform_bare_x86.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "protocol/spin.h"

#define PAGE_ATTEMPTS 16u

/* ---- instructions -------------------------------------------------------------------------- */

/*
 * RDMSR and WRMSR may fault, so that they have names: where each is, and where to go
 * on if it faults. Both functions return 0, or 1 after a fault.
 */
__asm__("	.pushsection .text\n"
	"	.globl	winhv_bare_rdmsr, winhv_bare_rdmsr_at, winhv_bare_rdmsr_fault\n"
	"	.hidden	winhv_bare_rdmsr, winhv_bare_rdmsr_at, winhv_bare_rdmsr_fault\n"
	"	.type	winhv_bare_rdmsr, @function\n"
	"winhv_bare_rdmsr:\n"
	"	movl	%edi, %ecx\n"
	"winhv_bare_rdmsr_at:\n"
	"	rdmsr\n"
	"	movl	%eax, (%rsi)\n"
	"	movl	%edx, 4(%rsi)\n"
	"	xorl	%eax, %eax\n"
	"	ret\n"
	"winhv_bare_rdmsr_fault:\n"
	"	movl	$1, %eax\n"
	"	ret\n"
	"	.size	winhv_bare_rdmsr, . - winhv_bare_rdmsr\n"
	"	.globl	winhv_bare_wrmsr, winhv_bare_wrmsr_at, winhv_bare_wrmsr_fault\n"
	"	.hidden	winhv_bare_wrmsr, winhv_bare_wrmsr_at, winhv_bare_wrmsr_fault\n"
	"	.type	winhv_bare_wrmsr, @function\n"
	"winhv_bare_wrmsr:\n"
	"	movl	%edi, %ecx\n"
	"	movl	%esi, %eax\n"
	"	movq	%rsi, %rdx\n"
	"	shrq	$32, %rdx\n"
	"winhv_bare_wrmsr_at:\n"
	"	wrmsr\n"
	"	xorl	%eax, %eax\n"
	"	ret\n"
	"winhv_bare_wrmsr_fault:\n"
	"	movl	$1, %eax\n"
	"	ret\n"
	"	.size	winhv_bare_wrmsr, . - winhv_bare_wrmsr\n"
	"	.popsection");

int winhv_bare_rdmsr(uint32_t msr, uint64_t *value);
int winhv_bare_wrmsr(uint32_t msr, uint64_t value);
extern const char winhv_bare_rdmsr_at[], winhv_bare_rdmsr_fault[];
extern const char winhv_bare_wrmsr_at[], winhv_bare_wrmsr_fault[];

uintptr_t platform_bare_fixup(uintptr_t rip)
{
	if (rip == (uintptr_t)winhv_bare_rdmsr_at)
		return (uintptr_t)winhv_bare_rdmsr_fault;
	if (rip == (uintptr_t)winhv_bare_wrmsr_at)
		return (uintptr_t)winhv_bare_wrmsr_fault;
	return 0;
}

static void bare_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)ctx;
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

static int bare_msr_read(void *ctx, uint32_t vp, uint32_t msr, uint64_t *value)
{
	const struct platform_bare *bare = ctx;

	if (vp != bare->vp)
		return -VIRIDIAN_ENOTSUP;
	*value = 0;
	return winhv_bare_rdmsr(msr, value) ? -VIRIDIAN_EINVAL : 0;
}

static int bare_msr_write(void *ctx, uint32_t vp, uint32_t msr, uint64_t value)
{
	const struct platform_bare *bare = ctx;

	if (vp != bare->vp)
		return -VIRIDIAN_ENOTSUP;
	return winhv_bare_wrmsr(msr, value) ? -VIRIDIAN_EINVAL : 0;
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

static void bare_hypercall_page_set(void *ctx, const struct winhv_pages *code)
{
	struct platform_bare *bare = ctx;

	__atomic_store_n(&bare->hypercall_code, code ? code->va : NULL, __ATOMIC_RELEASE);
}

/*
 * Call the page. The 128 bytes below the stack pointer belong to the compiler, and a
 * call writes there.
 */
static uint64_t call(const void *code, uint64_t control, uint64_t input, uint64_t output)
{
	uint64_t result;
	register uint64_t r8 __asm__("r8") = output;

	__asm__ volatile("leaq	-128(%%rsp), %%rsp\n"
			 "	call	*%[code]\n"
			 "	leaq	128(%%rsp), %%rsp"
			 : "=a"(result), "+c"(control), "+d"(input), "+r"(r8)
			 : [code] "r"(code)
			 : "r9", "r10", "r11", "cc", "memory");
	return result;
}

/* Compilers that were told to keep off XMM registers refuse to hear of them. */
#ifdef __SSE__
#define XMM_CHANGED , "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5"
#else
#define XMM_CHANGED
#endif

static uint64_t call_xmm(const void *code, uint64_t control, uint64_t *input, uint64_t *output,
	struct winhv_xmm *xmm)
{
	uint64_t result;
	register uint64_t r8 __asm__("r8") = *output;

	__asm__ volatile("movups	(%[xmm]), %%xmm0\n"
			 "	movups	16(%[xmm]), %%xmm1\n"
			 "	movups	32(%[xmm]), %%xmm2\n"
			 "	movups	48(%[xmm]), %%xmm3\n"
			 "	movups	64(%[xmm]), %%xmm4\n"
			 "	movups	80(%[xmm]), %%xmm5\n"
			 "	leaq	-128(%%rsp), %%rsp\n"
			 "	call	*%[code]\n"
			 "	leaq	128(%%rsp), %%rsp\n"
			 "	movups	%%xmm0, (%[xmm])\n"
			 "	movups	%%xmm1, 16(%[xmm])\n"
			 "	movups	%%xmm2, 32(%[xmm])\n"
			 "	movups	%%xmm3, 48(%[xmm])\n"
			 "	movups	%%xmm4, 64(%[xmm])\n"
			 "	movups	%%xmm5, 80(%[xmm])"
			 : "=&a"(result), "+c"(control), "+d"(*input), "+r"(r8)
			 : [code] "r"(code), [xmm] "r"(xmm->word)
			 : "r9", "r10", "r11", "cc", "memory" XMM_CHANGED);
	*output = r8;
	return result;
}

static int bare_hypercall(void *ctx, uint32_t vp, uint64_t control, uint64_t input, uint64_t output,
	struct winhv_xmm *xmm, uint64_t *result)
{
	struct platform_bare *bare = ctx;
	const void *code = __atomic_load_n(&bare->hypercall_code, __ATOMIC_ACQUIRE);

	if (!code)
		return -VIRIDIAN_ENODEV;
	if (vp != bare->vp)
		return -VIRIDIAN_ENOTSUP;
	*result = xmm ? call_xmm(code, control, &input, &output, xmm)
		      : call(code, control, input, output);
	return 0;
}

static int bare_signal_event(void *ctx, uint32_t connection_id, uint16_t flag_number)
{
	const struct platform_bare *bare = ctx;
	const void *code = __atomic_load_n(&bare->hypercall_code, __ATOMIC_ACQUIRE);

	if (!code)
		return -VIRIDIAN_ENODEV;
	return hv_hypercall_result_status(
		call(code, hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST,
			hv_signal_event_fast(connection_id, flag_number), 0));
}

/* ---- pages --------------------------------------------------------------------------------- */

int platform_bare_init(struct platform_bare *bare, void *pool, size_t pool_bytes, uint64_t *bitmap,
	size_t bitmap_bytes)
{
	const size_t pages = pool_bytes / WINHV_PAGE_BYTES;

	if (!pool || (uintptr_t)pool % WINHV_PAGE_BYTES != 0 || pages == 0 ||
		bitmap_bytes / sizeof *bitmap < (pages + 63) / 64)
		return -VIRIDIAN_EINVAL;
	__builtin_memset(bare, 0, sizeof *bare);
	__builtin_memset(bitmap, 0, (pages + 63) / 64 * sizeof *bitmap);
	bare->pool = pool;
	bare->bitmap = bitmap;
	bare->page_count = pages;
	return 0;
}

static void pages_lock(struct platform_bare *bare)
{
	while (__atomic_exchange_n(&bare->lock, 1, __ATOMIC_ACQUIRE))
		spin_pause();
}

static void pages_unlock(struct platform_bare *bare)
{
	__atomic_store_n(&bare->lock, 0, __ATOMIC_RELEASE);
}

static void pages_mark(struct platform_bare *bare, size_t first, size_t count, bool used)
{
	for (size_t page = first; page < first + count; page++) {
		const uint64_t bit = 1ull << page % 64;
		if (used)
			bare->bitmap[page / 64] |= bit;
		else
			bare->bitmap[page / 64] &= ~bit;
	}
}

static int bare_pages_alloc(void *ctx, size_t bytes, struct winhv_pages *out)
{
	struct platform_bare *bare = ctx;
	const size_t count = bytes / WINHV_PAGE_BYTES;
	size_t run = 0;
	size_t page = 0;

	if (bytes == 0 || bytes % WINHV_PAGE_BYTES != 0)
		return -VIRIDIAN_EINVAL;
	pages_lock(bare);
	while (page < bare->page_count && run < count) {
		run = bare->bitmap[page / 64] >> page % 64 & 1 ? 0 : run + 1;
		page++;
	}
	if (run == count)
		pages_mark(bare, page - count, count, true);
	pages_unlock(bare);
	if (run < count)
		return -VIRIDIAN_ENOMEM;

	out->va = bare->pool + (page - count) * WINHV_PAGE_BYTES;
	out->gpa = (uintptr_t)out->va;
	out->bytes = bytes;
	__builtin_memset(out->va, 0, bytes);
	return 0;
}

static void bare_pages_free(void *ctx, const struct winhv_pages *pages)
{
	struct platform_bare *bare = ctx;
	const size_t first = ((uintptr_t)pages->va - (uintptr_t)bare->pool) / WINHV_PAGE_BYTES;
	const size_t count = pages->bytes / WINHV_PAGE_BYTES;

	if ((uintptr_t)pages->va < (uintptr_t)bare->pool || first >= bare->page_count ||
		count > bare->page_count - first)
		return;
	pages_lock(bare);
	pages_mark(bare, first, count, false);
	pages_unlock(bare);
}

/* ---- rings --------------------------------------------------------------------------------- */

static int bare_ring_map(void *ctx, const struct winhv_pages *pages, size_t offset, size_t bytes,
	void **control, uint8_t **data)
{
	struct platform_bare *bare = ctx;
	uint8_t *va;

	if (!bare->ring_map)
		return -VIRIDIAN_ENOTSUP;
	if (offset % WINHV_PAGE_BYTES != 0 || bytes % WINHV_PAGE_BYTES != 0 ||
		bytes < (size_t)2 * WINHV_PAGE_BYTES || offset > pages->bytes ||
		bytes > pages->bytes - offset)
		return -VIRIDIAN_EINVAL;
	const int error = bare->ring_map(bare->map_ctx, pages->gpa + offset, bytes, &va);
	if (error)
		return error;
	*control = va;
	*data = va + WINHV_PAGE_BYTES;
	return 0;
}

static void bare_ring_unmap(void *ctx, void *control, uint8_t *data, size_t data_bytes)
{
	const struct platform_bare *bare = ctx;

	(void)data;
	if (bare->ring_unmap)
		bare->ring_unmap(bare->map_ctx, control, WINHV_PAGE_BYTES + data_bytes);
}

/* ---- interrupts and time ------------------------------------------------------------------- */

void platform_bare_interrupt(struct platform_bare *bare, uint32_t sints)
{
	__atomic_fetch_or(&bare->pending, sints, __ATOMIC_SEQ_CST);
}

static uint64_t tsc_read(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n	rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/*
 * Time by the page (TLFS, "Partition reference time enlightenment"). False: it is not valid
 * now, or changes faster than it can be read.
 */
static bool page_time(const struct hv_reference_tsc_page_wire *wire, uint64_t *time)
{
	const volatile struct hv_reference_tsc_page_wire *page = wire;

	for (unsigned attempt = 0; attempt < PAGE_ATTEMPTS; attempt++) {
		const uint32_t sequence = page->sequence;
		if (sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID)
			return false;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		const uint64_t scale = page->scale;
		const int64_t offset = page->offset;
		const uint64_t tsc = tsc_read();
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (page->sequence != sequence)
			continue;
		*time = (uint64_t)((unsigned __int128)tsc * scale >> 64) + (uint64_t)offset;
		return true;
	}
	return false;
}

static uint64_t bare_time_100ns(void *ctx)
{
	const struct platform_bare *bare = ctx;
	uint64_t time = 0;

	if (bare->reference_tsc && page_time(bare->reference_tsc, &time))
		return time;
	if (bare_msr_read(ctx, bare->vp, HV_X64_MSR_TIME_REF_COUNT, &time) == 0 ||
		bare->tsc_hz == 0)
		return time;
	const uint64_t tsc = tsc_read();
	return tsc / bare->tsc_hz * HV_TIME_PER_SECOND +
	       tsc % bare->tsc_hz * HV_TIME_PER_SECOND / bare->tsc_hz;
}

static int bare_wait(void *ctx, uint32_t vp, uint64_t timeout_100ns, uint32_t *sints)
{
	struct platform_bare *bare = ctx;

	*sints = 0;
	if (vp != bare->vp)
		return -VIRIDIAN_ENOTSUP;
	if (timeout_100ns > 0 && __atomic_load_n(&bare->pending, __ATOMIC_SEQ_CST) == 0) {
		const uint64_t now = bare_time_100ns(bare);
		const uint64_t deadline = timeout_100ns < UINT64_MAX - now ? now + timeout_100ns
									   : UINT64_MAX;
		do {
			if (bare->idle)
				bare->idle(bare->idle_ctx, deadline);
			else
				spin_pause();
		} while (__atomic_load_n(&bare->pending, __ATOMIC_SEQ_CST) == 0 &&
			 bare_time_100ns(bare) < deadline);
	}
	*sints = __atomic_exchange_n(&bare->pending, 0, __ATOMIC_SEQ_CST);
	return 0;
}

/* A processor is woken by the interrupt itself: there is nothing to tell the host. */
static void bare_wait_arm(void *ctx, uint32_t vp)
{
	(void)ctx;
	(void)vp;
}

const struct winhv_platform_ops platform_bare_ops = {
	.name = "bare",
	.cpuid = bare_cpuid,
	.msr_read = bare_msr_read,
	.msr_write = bare_msr_write,
	.hypercall = bare_hypercall,
	.hypercall_page_set = bare_hypercall_page_set,
	.signal_event = bare_signal_event,
	.pages_alloc = bare_pages_alloc,
	.pages_free = bare_pages_free,
	.ring_map = bare_ring_map,
	.ring_unmap = bare_ring_unmap,
	.wait = bare_wait,
	.wait_arm = bare_wait_arm,
	.wait_disarm = bare_wait_arm,
	.time_100ns = bare_time_100ns,
};
