// SPDX-License-Identifier: Apache-2.0
/*
 * From the entry point to bare_main(), and the end of it all. See bare.h.
 */
#include "guest/winhv/bare/bare_internal.h"

#include "protocol/hypervisor.h"
#include "protocol/spin.h"

#define PORT_DEBUG_EXIT 0xf4u
#define PORT_KEYBOARD	0x64u
#define PORT_PIC1_MASK	0x21u
#define PORT_PIC2_MASK	0xa1u
#define MSR_APIC_BASE	0x1bu
#define APIC_BASE_X2	(1ull << 10)

struct bare bare;

/* Without a hypervisor its MSRs may well be there, and read as 0. */
static bool has_hypervisor(void)
{
	uint32_t leaf[4];

	bare_cpuid(1, 0, leaf);
	if (!(leaf[2] & HV_CPUID_1_ECX_HYPERVISOR_PRESENT))
		return false;
	bare_cpuid(HV_CPUID_INTERFACE, 0, leaf);
	return leaf[0] == HV_CPUID_INTERFACE_HV1;
}

/* Of a processor: with others time would stand still, or each deadline be over at once. */
static bool is_plausible(uint64_t hz)
{
	return hz >= 100000000u && hz <= 100000000000u;
}

/*
 * The TSC's frequency: what the hypervisor says, else counted over 20 ms of its reference
 * clock; else, or if that cannot be, a guess that only makes times in reports wrong.
 */
static uint64_t tsc_hz(void)
{
	const uint64_t span = HV_TIME_PER_SECOND / 50, guess = 2000000000;
	uint64_t hz, first, last;

	if (!has_hypervisor())
		return guess;
	if (bare_rdmsr(HV_X64_MSR_TSC_FREQUENCY, &hz) == 0 && is_plausible(hz))
		return hz;
	if (bare_rdmsr(HV_X64_MSR_TIME_REF_COUNT, &first) == 0) {
		const uint64_t begin = bare_tsc();
		do {
			spin_pause();
			if (bare_rdmsr(HV_X64_MSR_TIME_REF_COUNT, &last) ||
				bare_tsc() - begin > guess) /* the clock stands still */
				return guess;
		} while (last - first < span);
		hz = (bare_tsc() - begin) * (HV_TIME_PER_SECOND / span);
		return is_plausible(hz) ? hz : guess;
	}
	return guess;
}

void bare_start(uint32_t boot, uint32_t information)
{
	bare.tsc_begin = bare_tsc();
	bare.vp_count = 1;
	/* Firmware leaves the old interrupt controllers on, at vectors of exceptions. */
	bare_out8(PORT_PIC1_MASK, 0xff);
	bare_out8(PORT_PIC2_MASK, 0xff);
	bare_tables_init();
	bare_tables_load(0);
	bare_uart_init();
	bare_machine_read(boot, information);
	bare_acpi_read();

	uint32_t leaf[4];
	bare_cpuid(1, 0, leaf);
	/* Firmware may have chosen x2APIC mode, which cannot be left. */
	uint64_t apic_base;
	bare.is_x2apic = (leaf[2] & 1u << 21) && !bare_option("xapic", NULL);
	if (bare_rdmsr(MSR_APIC_BASE, &apic_base) == 0 && (apic_base & APIC_BASE_X2))
		bare.is_x2apic = true;
	bare_apic_start();
	bare_apic_quiet();
	bare.vps[0].apic_id = bare_apic_id();
	bare.vps[0].is_online = true;
	bare.tsc_hz = tsc_hz();
	bare_vp_init(&bare.vps[0]);
	bare_interrupts_on();
	bare_vps_start();
	bare_exit(bare_main());
}

void bare_reset(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = {0, 0};

	bare_interrupts_off();
	if (bare.reset_port)
		bare_out8(bare.reset_port, (uint8_t)bare.reset_value);
	bare_out8(PORT_KEYBOARD, 0xfe);
	__asm__ volatile("lidt	%0\n	ud2" : : "m"(nothing));
	for (;;)
		__asm__ volatile("hlt");
}

void bare_exit(int status)
{
	bare_interrupts_off();
	bare_out32(PORT_DEBUG_EXIT, (uint32_t)status);
	/* Still here: the port is not there. */
	if (bare.sleep_port && bare.is_sleep_word)
		bare_out16(bare.sleep_port, bare.sleep_value);
	else if (bare.sleep_port)
		bare_out8(bare.sleep_port, (uint8_t)bare.sleep_value);
	bare_printf("bare: neither the debug exit port nor ACPI ends this machine: reset\n");
	bare_reset();
}

/* ---- processor and time -------------------------------------------------------------------- */

void bare_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	platform_bare_ops.cpuid(NULL, leaf, subleaf, out);
}

int bare_rdmsr(uint32_t msr, uint64_t *value)
{
	struct bare_vp *vp = bare_vp();

	return platform_bare_ops.msr_read(&vp->platform, vp->platform.vp, msr, value);
}

int bare_wrmsr(uint32_t msr, uint64_t value)
{
	struct bare_vp *vp = bare_vp();

	return platform_bare_ops.msr_write(&vp->platform, vp->platform.vp, msr, value);
}

uint64_t bare_time(void)
{
	const uint64_t tsc = bare_tsc();

	return tsc / bare.tsc_hz * HV_TIME_PER_SECOND +
	       tsc % bare.tsc_hz * HV_TIME_PER_SECOND / bare.tsc_hz;
}

bool bare_wait(bool (*condition)(void *ctx), void *ctx, uint64_t limit_100ns)
{
	const uint64_t begin = bare_time();

	while (!condition(ctx)) {
		if (bare_time() - begin > limit_100ns)
			return condition(ctx);
		bare_interrupts_on();
		spin_pause();
	}
	return true;
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

void bare_pause(uint64_t time_100ns)
{
	(void)bare_wait(never, NULL, time_100ns);
}
