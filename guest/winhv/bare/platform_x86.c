// SPDX-License-Identifier: Apache-2.0
/*
 * What winhv's bare platform asks of the machine: rings mapped twice, sleep, the SINTs'
 * interrupts, the clock's page. See platform_bare_x86.h and bare.h.
 *
 * A sleep is HLT with the APIC's timer set, at the vector that ends every sleep. Interrupts
 * are off from the last look at `pending` to the HLT, so that none is missed.
 * Sources: Intel SDM volume 3, "APIC timer"; TLFS, "Partition reference time enlightenment".
 */
#include "guest/winhv/bare/bare_internal.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "protocol/spin.h"

#define APIC_LVT_TIMER	   0x320u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE  0x3e0u
#define APIC_DIVIDE_BY_1   0x0bu
#define APIC_LVT_MASKED	   0x10000u
#define MS_100NS	   10000u

/* ---- rings --------------------------------------------------------------------------------- */

static uint64_t *bitmaps[BARE_VPS_MAX]; /* of each VP's slice */
static uint32_t tables_lock;

static uint64_t slice_of(const struct bare_vp *vp)
{
	return BARE_RINGS + (uint64_t)vp->index * BARE_RING_PAGES * BARE_PAGE_BYTES;
}

static bool is_used(const uint64_t *bitmap, size_t page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

static void mark(uint64_t *bitmap, size_t first, size_t count)
{
	for (size_t page = first; page < first + count; page++)
		bitmap[page / 64] ^= 1ull << page % 64;
}

/* Page tables are all VPs'. */
static void page_map(uint64_t va, uint64_t gpa)
{
	while (__atomic_exchange_n(&tables_lock, 1, __ATOMIC_ACQUIRE))
		spin_pause();
	bare_map(va, gpa, BARE_MAP_WRITE);
	__atomic_store_n(&tables_lock, 0, __ATOMIC_RELEASE);
}

static int ring_map(void *ctx, uint64_t gpa, size_t bytes, uint8_t **va)
{
	const struct bare_vp *vp = ctx;
	uint64_t *bitmap = bitmaps[vp->index];
	const size_t once = bytes / BARE_PAGE_BYTES, count = 2 * once - 1;
	size_t run = 0, page = 0;

	while (page < BARE_RING_PAGES && run < count) {
		run = is_used(bitmap, page) ? 0 : run + 1;
		page++;
	}
	if (run < count)
		return -VIRIDIAN_ENOMEM;
	const size_t first = page - count;
	const uint64_t begin = slice_of(vp) + first * BARE_PAGE_BYTES;
	mark(bitmap, first, count);
	for (size_t i = 0; i < count; i++) {
		const size_t source = i < once ? i : i - once + 1;
		page_map(begin + i * BARE_PAGE_BYTES, gpa + source * BARE_PAGE_BYTES);
	}
	*va = (uint8_t *)(uintptr_t)begin;
	return 0;
}

static void ring_unmap(void *ctx, uint8_t *va, size_t bytes)
{
	const struct bare_vp *vp = ctx;
	const size_t count = 2 * (bytes / BARE_PAGE_BYTES) - 1;
	const uint64_t begin = (uintptr_t)va;

	for (size_t i = 0; i < count; i++) {
		__atomic_store_n(bare_map_entry(begin + i * BARE_PAGE_BYTES), 0, __ATOMIC_SEQ_CST);
		bare_invlpg(begin + i * BARE_PAGE_BYTES);
	}
	mark(bitmaps[vp->index], (begin - slice_of(vp)) / BARE_PAGE_BYTES, count);
}

/* ---- sleep --------------------------------------------------------------------------------- */

/* Ticks of the APIC's timer in a second: what the hypervisor says, else counted over 1 ms. */
static uint64_t apic_timer_hz(void)
{
	static uint64_t known;
	uint64_t hz = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (hz > 0)
		return hz;
	if (bare_rdmsr(HV_X64_MSR_APIC_FREQUENCY, &hz) || hz == 0) {
		bare_apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
		const uint64_t begin = bare_time();
		while (bare_time() - begin < MS_100NS)
			spin_pause();
		hz = (uint64_t)(UINT32_MAX - bare_apic_read(APIC_TIMER_CURRENT)) * 1000;
		bare_apic_write(APIC_TIMER_INITIAL, 0);
	}
	if (hz < 1000000)
		hz = 1000000; /* no timer is that slow: one that does not count at all */
	__atomic_store_n(&known, hz, __ATOMIC_RELAXED);
	return hz;
}

static void timer_set(uint64_t time_100ns, uint64_t hz)
{
	const uint64_t limit = HV_TIME_PER_SECOND; /* who waits longer sleeps again */
	uint64_t ticks = time_100ns < limit ? time_100ns : limit;

	ticks = ticks * (hz / 1000) / MS_100NS + 1;
	bare_apic_write(APIC_LVT_TIMER, BARE_VECTOR_WAKE);
	bare_apic_write(APIC_TIMER_INITIAL, ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
}

static void idle(void *ctx, uint64_t deadline_100ns)
{
	struct bare_vp *vp = ctx;
	const uint64_t now = winhv_time_100ns(&vp->hv);

	if (deadline_100ns <= now)
		return;
	bare_apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | BARE_VECTOR_WAKE);
	bare_apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
	const uint64_t hz = apic_timer_hz();
	bare_interrupts_off();
	if (__atomic_load_n(&vp->platform.pending, __ATOMIC_SEQ_CST) == 0) {
		timer_set(deadline_100ns - now, hz);
		__asm__ volatile("sti\n	hlt" : : : "memory");
	}
	bare_interrupts_on();
	bare_apic_write(APIC_TIMER_INITIAL, 0);
	bare_apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | BARE_VECTOR_WAKE);
}

/* ---- interrupts ---------------------------------------------------------------------------- */

static uint8_t sint_of[256];

static void sint_interrupt(struct bare_frame *frame, void *ctx)
{
	const uint8_t *sint = ctx;

	(void)frame;
	platform_bare_interrupt(&bare_vp()->platform, 1u << *sint);
	bare_apic_eoi();
}

void bare_sint_set(unsigned sint, unsigned vector)
{
	sint_of[vector % 256] = (uint8_t)(sint % HV_SINT_COUNT);
	bare_vector_set(vector, sint_interrupt, &sint_of[vector % 256]);
}

/* ---- time ---------------------------------------------------------------------------------- */

static const struct hv_reference_tsc_page_wire *clock_page;

bool bare_clock_enable(void)
{
	uint64_t value;

	if (clock_page)
		return true;
	if (!(bare_winhv()->identity.privileges & HV_PRIVILEGE_ACCESS_REFERENCE_TSC) ||
		bare_rdmsr(HV_X64_MSR_REFERENCE_TSC, &value))
		return false;
	void *page = bare_pages(1);
	value = (value & ~HV_MSR_PAGE_ADDRESS_MASK) | (uintptr_t)page | HV_MSR_PAGE_ENABLE;
	if (bare_wrmsr(HV_X64_MSR_REFERENCE_TSC, value))
		return false;
	clock_page = page;
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		bare.vps[vp].platform.reference_tsc = page;
	return true;
}

void bare_platform_init(struct bare_vp *vp, uint64_t *bitmap)
{
	bitmaps[vp->index] = bitmap;
	vp->platform.idle = idle;
	vp->platform.idle_ctx = vp;
	vp->platform.ring_map = ring_map;
	vp->platform.ring_unmap = ring_unmap;
	vp->platform.map_ctx = vp;
	vp->platform.tsc_hz = bare.tsc_hz;
	vp->platform.reference_tsc = clock_page;
}
