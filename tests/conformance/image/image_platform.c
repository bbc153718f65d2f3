// SPDX-License-Identifier: Apache-2.0
/* winhv's platform for the tests in the bare-metal image. See image_platform.h. */
#include "tests/conformance/image/image_platform.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "protocol/spin.h"

#define POOL_PAGES_MAX	 8192u
#define POOL_PAGES_SPARE 256u /* for what the library allocates meanwhile */
#define FIRST_VECTOR	 32u
#define SLICE_100NS	 20000u /* another VP's interrupt may be missed by a VP that sleeps */

/* What a test may write, in the order in which it is put back. Shared: one for all VPs. */
static const struct {
	uint32_t first, step, count;
	bool is_shared;
} restored[] = {
	{HV_X64_MSR_STIMER0_CONFIG, 2, 4, false},
	{HV_X64_MSR_STIMER0_COUNT, 2, 4, false},
	{HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, 1, 2, false},
	{HV_X64_MSR_SINT0, 1, HV_SINT_COUNT, false},
	{HV_X64_MSR_SIEFP, 1, 1, false},
	{HV_X64_MSR_SIMP, 1, 1, false},
	{HV_X64_MSR_SCONTROL, 1, 1, false},
	{HV_X64_MSR_VP_ASSIST_PAGE, 1, 1, false},
	{HV_X64_MSR_TPR, 1, 1, false},
	{HV_X64_MSR_CRASH_P0, 1, 5, true},
	{HV_X64_MSR_REENLIGHTENMENT_CONTROL, 1, 3, true},
	{HV_X64_MSR_REFERENCE_TSC, 1, 1, true},
	{HV_X64_MSR_HYPERCALL, 1, 1, true},
	{HV_X64_MSR_GUEST_OS_ID, 1, 1, true},
};
#define RESTORED_MAX 64u

static struct {
	struct platform_bare pages;
	uint8_t *pool;
	size_t pool_bytes;
	uint64_t *bitmap;
	uint64_t saved[BARE_VPS_MAX][RESTORED_MAX];  /* by place in `restored` */
	uint64_t is_saved[BARE_VPS_MAX];	     /* bit: the test has written it */
	uint32_t sints[BARE_VPS_MAX][HV_SINT_COUNT]; /* vector and flags; 0: raises nothing */
} image;

/* ---- on a VP ------------------------------------------------------------------------------- */

struct request {
	enum { READ, WRITE, CALL } kind;
	int error;
	uint32_t msr;
	uint64_t value; /* of the register, or the result */
	uint64_t control, input, output;
	struct winhv_xmm *xmm;
};

static void call(void *ctx)
{
	struct request *request = ctx;
	struct bare_vp *vp = bare_vp();

	request->error = platform_bare_ops.hypercall(&vp->platform, vp->platform.vp,
		request->control, request->input, request->output, request->xmm, &request->value);
}

/* Fault: the call's own, or there is no code in the page, and it would run on into the next. */
static void call_or_fault(struct request *request)
{
	struct bare_vp *vp = bare_vp();
	const uint64_t outer = vp->try_rsp;
	const volatile uint16_t *code = vp->platform.hypercall_code;

	request->error = -VIRIDIAN_ENOTSUP;
	if (code && *code != 0 && !bare_try(call, request, NULL))
		request->error = -VIRIDIAN_ENOTSUP;
	vp->try_rsp = outer; /* a test runs in one, too */
}

static void serve(void *ctx)
{
	struct request *request = ctx;

	switch (request->kind) {
	case READ:
		request->error = bare_rdmsr(request->msr, &request->value);
		break;
	case WRITE:
		request->error = bare_wrmsr(request->msr, request->value);
		break;
	case CALL:
		call_or_fault(request);
		break;
	}
}

static int request_make(uint32_t vp, struct request *request)
{
	if (vp >= bare.vp_count)
		return -VIRIDIAN_EINVAL;
	bare_run_on(vp, serve, request);
	return request->error;
}

/* ---- registers ----------------------------------------------------------------------------- */

/* The place of a register in `restored`, RESTORED_MAX if it has none; *vp: whose it is. */
static unsigned place_of(uint32_t msr, uint32_t *vp)
{
	unsigned place = 0;

	for (size_t i = 0; i < sizeof restored / sizeof restored[0]; i++) {
		const uint32_t offset = msr - restored[i].first;
		if (offset % restored[i].step == 0 &&
			offset / restored[i].step < restored[i].count) {
			if (restored[i].is_shared)
				*vp = 0;
			return place + offset / restored[i].step;
		}
		place += restored[i].count;
	}
	return RESTORED_MAX;
}

static int register_read(void *ctx, uint32_t vp, uint32_t msr, uint64_t *value)
{
	struct request request = {.kind = READ, .msr = msr};
	const int error = request_make(vp, &request);

	(void)ctx;
	*value = error ? 0 : request.value;
	return error;
}

static int register_put(uint32_t vp, uint32_t msr, uint64_t value)
{
	struct request request = {.kind = WRITE, .msr = msr, .value = value};
	const bool is_sint = msr >= HV_X64_MSR_SINT0 && msr <= HV_X64_MSR_SINT15 &&
			     vp < bare.vp_count;
	uint32_t before = 0;

	/* Known before the first interrupt can come. */
	if (is_sint) {
		const bool is_silent = value & (HV_SINT_MASKED | HV_SINT_POLLING);
		uint32_t *sint = &image.sints[vp][msr - HV_X64_MSR_SINT0];
		before = *sint;
		__atomic_store_n(sint, is_silent ? 0 : (uint32_t)value, __ATOMIC_SEQ_CST);
	}
	const int error = request_make(vp, &request);
	if (error && is_sint)
		image.sints[vp][msr - HV_X64_MSR_SINT0] = before;
	return error;
}

static int register_write(void *ctx, uint32_t vp, uint32_t msr, uint64_t value)
{
	uint32_t owner = vp;
	const unsigned place = place_of(msr, &owner);

	if (place < RESTORED_MAX && vp < bare.vp_count &&
		!(image.is_saved[owner] & 1ull << place) &&
		register_read(ctx, vp, msr, &image.saved[owner][place]) == 0)
		image.is_saved[owner] |= 1ull << place;
	return register_put(vp, msr, value);
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

static int hypercall(void *ctx, uint32_t vp, uint64_t control, uint64_t input, uint64_t output,
	struct winhv_xmm *xmm, uint64_t *result)
{
	struct request request = {
		.kind = CALL, .control = control, .input = input, .output = output, .xmm = xmm};
	const int error = request_make(vp, &request);

	(void)ctx;
	*result = request.value;
	return error;
}

static int signal_event(void *ctx, uint32_t connection_id, uint16_t flag_number)
{
	uint64_t result;
	const int error = hypercall(ctx, 0,
		hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST,
		hv_signal_event_fast(connection_id, flag_number), 0, NULL, &result);

	return error ? error : hv_hypercall_result_status(result);
}

static void hypercall_page_set(void *ctx, const struct winhv_pages *code)
{
	(void)ctx;
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		platform_bare_ops.hypercall_page_set(&bare.vps[vp].platform, code);
}

/* ---- interrupts and time ------------------------------------------------------------------- */

static void interrupted(struct bare_frame *frame, void *ctx)
{
	struct bare_vp *vp = bare_vp();
	uint32_t raised = 0;
	bool is_auto = false;

	(void)ctx;
	for (unsigned i = 0; i < HV_SINT_COUNT; i++) {
		const uint32_t sint = __atomic_load_n(&image.sints[vp->index][i], __ATOMIC_SEQ_CST);
		if (sint == 0 || (sint & HV_SINT_VECTOR_MASK) != frame->vector)
			continue;
		raised |= 1u << i;
		is_auto = is_auto || (sint & HV_SINT_AUTO_EOI);
	}
	platform_bare_interrupt(&vp->platform, raised);
	if (!is_auto)
		bare_apic_eoi();
	if (vp->index != 0) /* the boot VP may sleep until this has happened */
		bare_apic_command(bare.vps[0].apic_id, 0x4000u | BARE_VECTOR_WAKE);
}

static uint64_t time_100ns(void *ctx)
{
	(void)ctx;
	return platform_bare_ops.time_100ns(&bare.vps[0].platform);
}

static int wait(void *ctx, uint32_t vp, uint64_t timeout_100ns, uint32_t *sints)
{
	const struct platform_bare *own = &bare.vps[0].platform;

	if (vp == 0)
		return platform_bare_ops.wait(&bare.vps[0].platform, 0, timeout_100ns, sints);
	*sints = 0;
	if (vp >= bare.vp_count)
		return -VIRIDIAN_EINVAL;
	uint32_t *pending = &bare.vps[vp].platform.pending;
	const uint64_t begin = time_100ns(ctx);
	for (;;) {
		*sints = __atomic_exchange_n(pending, 0, __ATOMIC_SEQ_CST);
		const uint64_t now = time_100ns(ctx);
		if (*sints != 0 || now - begin >= timeout_100ns)
			return 0;
		if (own->idle)
			own->idle(own->idle_ctx, now + SLICE_100NS);
		else
			spin_pause();
	}
}

static void wait_arm(void *ctx, uint32_t vp)
{
	(void)ctx;
	(void)vp;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)ctx;
	bare_cpuid(leaf, subleaf, out);
}

static int pages_alloc(void *ctx, size_t bytes, struct winhv_pages *out)
{
	(void)ctx;
	return platform_bare_ops.pages_alloc(&image.pages, bytes, out);
}

static void pages_free(void *ctx, const struct winhv_pages *pages)
{
	(void)ctx;
	platform_bare_ops.pages_free(&image.pages, pages);
}

const struct winhv_platform_ops image_platform_ops = {
	.name = "image",
	.cpuid = cpuid,
	.msr_read = register_read,
	.msr_write = register_write,
	.hypercall = hypercall,
	.hypercall_page_set = hypercall_page_set,
	.signal_event = signal_event,
	.pages_alloc = pages_alloc,
	.pages_free = pages_free,
	.wait = wait,
	.wait_arm = wait_arm,
	.wait_disarm = wait_arm,
	.time_100ns = time_100ns,
};

void image_platform_init(void)
{
	uint64_t pages = (bare.limit - bare.free) / BARE_PAGE_BYTES;

	image.bitmap = bare_pages(1);
	pages = pages > POOL_PAGES_SPARE ? pages - POOL_PAGES_SPARE : 1;
	if (pages > POOL_PAGES_MAX)
		pages = POOL_PAGES_MAX;
	/* Not bare_pages(), which would clear all of it now: allocating clears. */
	image.pool = (uint8_t *)(uintptr_t)__atomic_fetch_add(
		&bare.free, pages * BARE_PAGE_BYTES, __ATOMIC_SEQ_CST);
	image.pool_bytes = pages * BARE_PAGE_BYTES;
	for (unsigned vector = FIRST_VECTOR; vector < BARE_VECTOR_SPURIOUS; vector++)
		if (vector != BARE_VECTOR_WAKE)
			bare_vector_set(vector, interrupted, NULL);
}

void image_platform_begin(void)
{
	(void)platform_bare_init(
		&image.pages, image.pool, image.pool_bytes, image.bitmap, BARE_PAGE_BYTES);
	hypercall_page_set(NULL, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++) {
		image.is_saved[vp] = 0;
		__atomic_store_n(&bare.vps[vp].platform.pending, 0, __ATOMIC_SEQ_CST);
	}
}

const char *image_platform_end(void)
{
	uint64_t value, os_id = 1;
	unsigned place = 0;

	/* Without a guest OS id some do not let HYPERCALL be written: its address would stay. */
	(void)register_read(NULL, 0, HV_X64_MSR_GUEST_OS_ID, &os_id);
	if (os_id == 0)
		(void)register_write(NULL, 0, HV_X64_MSR_GUEST_OS_ID, 1);
	for (size_t i = 0; i < sizeof restored / sizeof restored[0]; i++)
		for (uint32_t n = 0; n < restored[i].count; n++, place++)
			for (uint32_t vp = 0; vp < bare.vp_count; vp++)
				if (image.is_saved[vp] & 1ull << place)
					(void)register_put(vp,
						restored[i].first + n * restored[i].step,
						image.saved[vp][place]);
	if (register_read(NULL, 0, HV_X64_MSR_HYPERCALL, &value) == 0 &&
		(value & HV_MSR_HYPERCALL_LOCKED))
		return "the hypercall register is locked";
	return NULL;
}
