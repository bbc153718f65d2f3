// SPDX-License-Identifier: Apache-2.0
/*
 * VPs: the local APIC, starting the others, giving them work, and winhv on each.
 */
#include "guest/winhv/bare/bare_internal.h"

#include "protocol/hypervisor.h"
#include "protocol/spin.h"

#define APIC_PAGE	0xfee00000u
#define MSR_APIC_BASE	0x1bu
#define APIC_BASE_X2	(1ull << 10)
#define APIC_BASE_ON	(1ull << 11)
#define MSR_X2APIC	0x800u
#define APIC_ID		0x20u
#define APIC_TPR	0x80u
#define APIC_EOI	0xb0u
#define APIC_SPURIOUS	0xf0u
#define APIC_ISR	0x100u
#define APIC_IRR	0x200u
#define APIC_ICR_LOW	0x300u
#define APIC_LVT_TIMER	0x320u
#define APIC_LVT_LINT0	0x350u
#define APIC_LVT_ERROR	0x370u
#define APIC_LVT_MASK	0x10000u
#define APIC_ICR_HIGH	0x310u
#define APIC_ENABLED	0x100u
#define APIC_ICR_BUSY	(1u << 12)
#define IOAPIC_PAGE	0xfec00000u
#define IOAPIC_VERSION	0x01u
#define IOAPIC_PIN0	0x10u
#define IOAPIC_PINS_MAX 120u
#define COMMAND_INIT	0x4500u
#define COMMAND_SIPI	0x4600u
#define COMMAND_VECTOR	0x4000u

/* ---- local APIC ---------------------------------------------------------------------------- */

uint32_t bare_apic_read(uint32_t offset)
{
	uint64_t value;

	if (!bare.is_x2apic)
		return *(volatile uint32_t *)(uintptr_t)(APIC_PAGE + offset);
	return bare_rdmsr(MSR_X2APIC + offset / 16, &value) == 0 ? (uint32_t)value : 0;
}

void bare_apic_write(uint32_t offset, uint32_t value)
{
	if (bare.is_x2apic)
		(void)bare_wrmsr(MSR_X2APIC + offset / 16, value);
	else
		*(volatile uint32_t *)(uintptr_t)(APIC_PAGE + offset) = value;
}

void bare_apic_start(void)
{
	uint64_t base;

	if (bare.is_x2apic && bare_rdmsr(MSR_APIC_BASE, &base) == 0 && !(base & APIC_BASE_X2))
		(void)bare_wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2 | APIC_BASE_ON);
	bare_apic_write(APIC_SPURIOUS, APIC_ENABLED | BARE_VECTOR_SPURIOUS);
	bare_apic_write(APIC_TPR, 0);
}

void bare_apic_quiet(void)
{
	bare_apic_write(APIC_LVT_TIMER, APIC_LVT_MASK | BARE_VECTOR_SPURIOUS);
	for (uint32_t lvt = APIC_LVT_LINT0; lvt <= APIC_LVT_ERROR; lvt += 0x10)
		bare_apic_write(lvt, APIC_LVT_MASK | BARE_VECTOR_SPURIOUS);
	if (!bare.is_multiboot2)
		return;
	/* UEFI may have used the IOAPIC. */
	volatile uint32_t *const select = (volatile uint32_t *)(uintptr_t)IOAPIC_PAGE;
	volatile uint32_t *const window = (volatile uint32_t *)(uintptr_t)(IOAPIC_PAGE + 0x10);
	*select = IOAPIC_VERSION;
	const uint32_t version = *window;
	if (version == 0 || version == UINT32_MAX)
		return;
	for (uint32_t pin = 0; pin <= (version >> 16 & 0xff) && pin < IOAPIC_PINS_MAX; pin++) {
		*select = IOAPIC_PIN0 + 2 * pin;
		*window = APIC_LVT_MASK;
	}
}

uint32_t bare_apic_id(void)
{
	const uint32_t id = bare_apic_read(APIC_ID);

	return bare.is_x2apic ? id : id >> 24;
}

void bare_apic_eoi(void)
{
	bare_apic_write(APIC_EOI, 0);
}

void bare_apic_command(uint32_t apic_id, uint32_t low)
{
	if (bare.is_x2apic) {
		__asm__ volatile("mfence" : : : "memory"); /* the MSR orders nothing */
		(void)bare_wrmsr(MSR_X2APIC + APIC_ICR_LOW / 16, (uint64_t)apic_id << 32 | low);
		return;
	}
	bare_apic_write(APIC_ICR_HIGH, apic_id << 24);
	bare_apic_write(APIC_ICR_LOW, low);
	while (bare_apic_read(APIC_ICR_LOW) & APIC_ICR_BUSY)
		spin_pause();
}

static bool apic_bit(uint32_t offset, unsigned vector)
{
	return bare_apic_read(offset + vector / 32 * 16) >> vector % 32 & 1;
}

bool bare_apic_is_requested(unsigned vector)
{
	return apic_bit(APIC_IRR, vector);
}

bool bare_apic_is_in_service(unsigned vector)
{
	return apic_bit(APIC_ISR, vector);
}

/* ---- winhv --------------------------------------------------------------------------------- */

static size_t boot_pool_pages(void)
{
	const size_t quarter = (size_t)((bare.limit - bare.free) / BARE_PAGE_BYTES / 4);

	if (quarter < BARE_VP_POOL_PAGES)
		return BARE_VP_POOL_PAGES;
	return quarter < BARE_BOOT_POOL_PAGES ? quarter : BARE_BOOT_POOL_PAGES;
}

void bare_vp_init(struct bare_vp *vp)
{
	const size_t pages = vp->index == 0 ? boot_pool_pages() : BARE_VP_POOL_PAGES;
	uint64_t *bitmap = bare_pages(1); /* half for the pool, half for the rings' addresses */
	const uint8_t *stack = bare_pages(BARE_STACK_PAGES);
	const struct winhv *first = &bare.vps[0].hv;

	bare_tables_stack(
		vp->index, (uint64_t)(uintptr_t)stack + BARE_STACK_PAGES * BARE_PAGE_BYTES);
	if (platform_bare_init(&vp->platform, bare_pages_raw(pages), pages * BARE_PAGE_BYTES,
		    bitmap, BARE_PAGE_BYTES / 2))
		return;
	vp->platform.vp = vp->index;
	bare_platform_init(vp, bitmap + BARE_PAGE_BYTES / 2 / sizeof *bitmap);
	if (winhv_init(&vp->hv, &platform_bare_ops, &vp->platform, bare.vp_count))
		bare_printf("bare: VP %u: no memory for winhv\n", vp->index);
	vp->hv.vp = vp->index;
	/* The hypercall page is the partition's: one that is on already serves this VP too. */
	if (first->code.va)
		platform_bare_ops.hypercall_page_set(&vp->platform, &first->code);
}

int bare_hypercall_enable(uint64_t guest_os_id)
{
	struct winhv *hv = &bare.vps[0].hv;
	const int error = winhv_hypercall_enable(hv, guest_os_id);

	for (uint32_t vp = 1; vp < bare.vp_count && !error; vp++)
		platform_bare_ops.hypercall_page_set(&bare.vps[vp].platform, &hv->code);
	return error;
}

/* ---- start --------------------------------------------------------------------------------- */

static void wake(struct bare_frame *frame, void *ctx)
{
	(void)frame;
	(void)ctx;
	bare_apic_eoi();
}

static void idle_loop(struct bare_vp *vp)
{
	for (;;) {
		bare_interrupts_off();
		void (*work)(void *ctx) = __atomic_load_n(&vp->work, __ATOMIC_ACQUIRE);
		if (!work) {
			__asm__ volatile("sti\n	hlt" : : : "memory");
			continue;
		}
		bare_interrupts_on();
		work(vp->work_ctx);
		__atomic_store_n(&vp->work, NULL, __ATOMIC_RELEASE);
	}
}

static uint32_t starting; /* index of the VP that comes up next */

void bare_ap_start(void)
{
	struct bare_vp *vp = &bare.vps[starting];

	bare_tables_load(starting);
	bare_apic_start();
	bare_vp_init(vp);
	__atomic_store_n(&vp->is_online, true, __ATOMIC_RELEASE);
	idle_loop(vp);
}

static bool is_online(void *ctx)
{
	return __atomic_load_n(&((struct bare_vp *)ctx)->is_online, __ATOMIC_ACQUIRE);
}

/* The boot VP is 0, wherever the table lists it. */
static void order(uint32_t boot_id)
{
	for (uint32_t i = 1; i < bare.vp_count; i++) {
		if (bare.vps[i].apic_id != boot_id)
			continue;
		bare.vps[i].apic_id = bare.vps[0].apic_id;
		bare.vps[0].apic_id = boot_id;
	}
}

uint32_t bare_vps_start(void)
{
	const size_t bytes = (uintptr_t)bare_trampoline_end - (uintptr_t)bare_trampoline_begin;
	const uint64_t second = HV_TIME_PER_SECOND;
	uint32_t online = 1;

	order(bare_apic_id());
	bare_vector_set(BARE_VECTOR_WAKE, wake, NULL);
	__builtin_memcpy((void *)(uintptr_t)bare.trampoline, bare_trampoline_begin, bytes);
	for (uint32_t i = 1; i < bare.vp_count; i++) {
		uint8_t *stack = bare_pages(BARE_STACK_PAGES);
		bare_ap_stack = (uint64_t)(uintptr_t)stack + BARE_STACK_PAGES * BARE_PAGE_BYTES;
		__atomic_store_n(&starting, i, __ATOMIC_SEQ_CST);
		bare_apic_command(bare.vps[i].apic_id, COMMAND_INIT);
		/* What real processors need; those of a hypervisor are ready at once. */
		bare_pause(bare.vps[0].hv.identity.is_present ? second / 1000 : second / 100);
		for (unsigned sipi = 0; sipi < 2 && !is_online(&bare.vps[i]); sipi++) {
			bare_apic_command(bare.vps[i].apic_id,
				COMMAND_SIPI | (uint32_t)(bare.trampoline / BARE_PAGE_BYTES));
			(void)bare_wait(
				is_online, &bare.vps[i], sipi == 0 ? 2 * second : 10 * second);
		}
		if (!is_online(&bare.vps[i])) {
			bare_printf(
				"bare: VP %u (APIC %u) does not start\n", i, bare.vps[i].apic_id);
			break;
		}
		online++;
	}
	bare.vp_count = online;
	return online;
}

/* ---- work ---------------------------------------------------------------------------------- */

static bool is_idle(void *ctx)
{
	return __atomic_load_n(&((struct bare_vp *)ctx)->work, __ATOMIC_ACQUIRE) == NULL;
}

void bare_run_begin(uint32_t vp, void (*fn)(void *ctx), void *ctx)
{
	struct bare_vp *other = &bare.vps[vp];

	bare_run_wait(vp);
	other->work_ctx = ctx;
	__atomic_store_n(&other->work, fn, __ATOMIC_SEQ_CST);
	bare_apic_command(other->apic_id, COMMAND_VECTOR | BARE_VECTOR_WAKE);
}

void bare_run_wait(uint32_t vp)
{
	while (!is_idle(&bare.vps[vp]))
		(void)bare_wait(is_idle, &bare.vps[vp], HV_TIME_PER_SECOND);
}

void bare_run_on(uint32_t vp, void (*fn)(void *ctx), void *ctx)
{
	if (&bare.vps[vp] == bare_vp()) {
		fn(ctx);
		return;
	}
	bare_run_begin(vp, fn, ctx);
	bare_run_wait(vp);
}

void bare_run_on_all(void (*fn)(void *ctx), void *ctx)
{
	const uint32_t own = bare_vp()->index;

	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		if (vp != own)
			bare_run_begin(vp, fn, ctx);
	fn(ctx);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		if (vp != own)
			bare_run_wait(vp);
}
