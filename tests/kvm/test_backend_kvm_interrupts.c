// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts of the KVM backend: SINTs by eventfd and by message, IPIs, timers, lines, the
 * local APIC's MSRs, halting, and flushes of other VPs. Skipped where KVM cannot run guests.
 */
#include "tests/kvm/kvm_rig.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#define SINT	     2u
#define VECTOR	     0xf3u
#define NO_EOI(rig_) rig_memory((rig_), GUEST_NO_EOI)

/* ---- SINTs --------------------------------------------------------------------------------- */

/* Each signal of a VP is answered with the next of its event flags. */
static void answer_with_event(struct rig *rig, uint32_t vp)
{
	CU_ASSERT_EQUAL(synic_event_set(rig->partition, vp, SINT, rig->signals[vp] - 1), 0);
}

/* A guest signals `rounds` times and waits for an interrupt after each. */
static void rounds_write(struct rig *rig, uint32_t vp, enum guest_op wait, unsigned rounds)
{
	rig_synic_enable(rig, vp, SINT, VECTOR);
	for (unsigned i = 1; i <= rounds; i++) {
		rig_signal(rig, vp);
		rig_command(rig, vp, wait, VECTOR, i, 0, 0);
	}
}

static void events_interrupt(enum guest_op wait)
{
	const unsigned rounds = 20;
	struct backend_kvm_statistics statistics;
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig.on_signal = answer_with_event;
	rig_hypercalls_enable(&rig, 0);
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	rounds_write(&rig, 0, wait, rounds);
	rounds_write(&rig, 1, wait, rounds);
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	for (uint32_t vp = 0; vp < 2; vp++) {
		CU_ASSERT_EQUAL(rig_interrupts(&rig, vp, VECTOR), rounds);
		CU_ASSERT_EQUAL(rig.signals[vp], rounds);
		/* Flags 0..19 of SINT 2. */
		CU_ASSERT_EQUAL(
			rig_load64(&rig, GUEST_SYNIC + vp * 0x2000 + 0x1000 + SINT * 256), 0xfffff);
	}
	backend_kvm_statistics_get(rig.kvm, &statistics);
	CU_ASSERT_EQUAL(statistics.exits[BACKEND_KVM_EXIT_SIGNAL], 0);
	CU_ASSERT_EQUAL(statistics.interrupts_fd + statistics.interrupts_ioctl, 2 * rounds);
	CU_ASSERT_EQUAL(statistics.interrupts_ioctl, 2 * 3); /* before there was a route */
	rig_destroy(&rig);
}

static void events_interrupt_halted_vps(void)
{
	events_interrupt(OP_HALT);
}

static void events_interrupt_running_vps(void)
{
	events_interrupt(OP_WATCH);
}

static void changed_vector_is_the_one_that_comes(void)
{
	const unsigned rounds = 8;
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig.on_signal = answer_with_event;
	rig_hypercalls_enable(&rig, 0);
	rounds_write(&rig, 0, OP_HALT, rounds);
	for (unsigned vector = 0x60; vector < 0x64; vector++) {
		rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_SINT0 + SINT, vector, 0, 0);
		for (unsigned i = 1; i <= rounds; i++) {
			rig_signal(&rig, 0);
			rig_command(&rig, 0, OP_HALT, vector, i, 0, 0);
		}
	}
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_interrupts(&rig, 0, VECTOR), rounds);
	for (unsigned vector = 0x60; vector < 0x64; vector++)
		CU_ASSERT_EQUAL(rig_interrupts(&rig, 0, vector), rounds);
	rig_destroy(&rig);
}

static void answer_with_message(struct rig *rig, uint32_t vp)
{
	const uint64_t payload = 0x1122334455667788ull;

	CU_ASSERT_EQUAL(
		synic_message_post(rig->partition, vp, SINT, 1, 7, &payload, sizeof payload), 0);
}

static void message_comes_with_its_interrupt(void)
{
	const uint64_t slot = GUEST_SYNIC + SINT * 256;
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig.on_signal = answer_with_message;
	rig_hypercalls_enable(&rig, 0);
	rig_synic_enable(&rig, 0, SINT, VECTOR);
	for (unsigned i = 1; i <= 6; i++) {
		rig_signal(&rig, 0);
		rig_command(&rig, 0, OP_HALT, VECTOR, i, 0, 0);
		rig_command(&rig, 0, OP_STORE, slot, 0, 0, 0);
		rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_EOM, 0, 0, 0);
	}
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_interrupts(&rig, 0, VECTOR), 6);
	CU_ASSERT_EQUAL(rig_load64(&rig, slot + 16), 0x1122334455667788ull);
	rig_destroy(&rig);
}

static bool kvm_has(int cap)
{
	const int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	const bool has = device >= 0 && ioctl(device, KVM_CHECK_EXTENSION, cap) > 0;

	if (device >= 0)
		close(device);
	return has;
}

/* In service: the register of vectors 0xe0..0xff. */
#define ISR_7	   0xfee00170u
#define VECTOR_BIT (1u << (VECTOR - 0xe0u))

/* Interrupts of a SINT whose handler never writes EOI; returns whether the first is in service. */
static bool is_in_service_afterwards(struct rig *rig, uint64_t sint_value, unsigned rounds)
{
	unsigned isr = 0;

	rig->on_signal = answer_with_event;
	NO_EOI(rig)[VECTOR] = 1;
	rig_hypercalls_enable(rig, 0);
	rig_synic_enable(rig, 0, SINT, sint_value);
	for (unsigned i = 1; i <= rounds; i++) {
		rig_signal(rig, 0);
		rig_command(rig, 0, OP_HALT, VECTOR, i, 0, 0);
		isr = rig_command(rig, 0, OP_LOAD, ISR_7, 0, 0, 0);
	}
	rig_run(rig, 1);
	CU_ASSERT_FALSE(rig->is_stopped);
	CU_ASSERT_EQUAL(rig_interrupts(rig, 0, VECTOR), rounds);
	return rig_result(rig, 0, isr)->result & VECTOR_BIT;
}

static void auto_eoi_ends_interrupts_by_itself(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	if (!kvm_has(KVM_CAP_HYPERV_SYNIC2)) {
		test_skip("KVM has no SynIC of its own, which AutoEOI needs");
		rig_destroy(&rig);
		return;
	}
	CU_ASSERT_FALSE(is_in_service_afterwards(&rig, VECTOR | HV_SINT_AUTO_EOI, 6));
	rig_destroy(&rig);
}

static void without_auto_eoi_the_guest_ends_them(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	CU_ASSERT_TRUE(is_in_service_afterwards(&rig, VECTOR, 1));
	rig_destroy(&rig);
}

/* ---- other interrupts ---------------------------------------------------------------------- */

static void pulse_line_4(struct rig *rig, uint32_t vp)
{
	if (rig->signals[vp] <= 4) {
		answer_with_event(rig, vp);
		return;
	}
	backend_kvm_line_set(rig->kvm, 4, true);
	backend_kvm_line_set(rig->kvm, 4, false);
}

static void line_goes_through_the_ioapic_beside_routes(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig.on_signal = pulse_line_4;
	rig_hypercalls_enable(&rig, 0);
	rig_command(&rig, 0, OP_STORE, 0xfec00000, 0x18, 0, 0); /* pin 4: vector 0x44 */
	rig_command(&rig, 0, OP_STORE, 0xfec00010, 0x44, 0, 0);
	rig_command(&rig, 0, OP_STORE, 0xfec00000, 0x19, 0, 0); /* to APIC 0 */
	rig_command(&rig, 0, OP_STORE, 0xfec00010, 0, 0, 0);
	rounds_write(&rig, 0, OP_HALT, 4); /* makes the route of the SINT */
	for (unsigned i = 1; i <= 3; i++) {
		rig_signal(&rig, 0);
		rig_command(&rig, 0, OP_HALT, 0x44, i, 0, 0);
	}
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_interrupts(&rig, 0, 0x44), 3);
	CU_ASSERT_EQUAL(rig_interrupts(&rig, 0, VECTOR), 4);
	rig_destroy(&rig);
}

static void direct_timer_ticks_in_a_halted_vp(void)
{
	const uint64_t config = HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC | HV_STIMER_DIRECT_MODE |
				0x51ull << HV_STIMER_VECTOR_SHIFT;
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_STIMER0_CONFIG, config, 0, 0);
	rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_STIMER0_COUNT, 50000, 0, 0); /* 5 ms */
	rig_command(&rig, 0, OP_HALT, 0x51, 5, 0, 0);
	const unsigned time = rig_command(&rig, 0, OP_RDMSR, HV_X64_MSR_VP_RUNTIME, 0, 0, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_TRUE(rig_interrupts(&rig, 0, 0x51) >= 5);
	CU_ASSERT_TRUE(rig_result(&rig, 0, time)->result > 0);
	rig_destroy(&rig);
}

static void ipi_hypercall_reaches_its_vps(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_hypercalls_enable(&rig, 0);
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	rig_command(&rig, 0, OP_AWAIT, GUEST_FLAGS, 1, 0, 0);
	const unsigned both = rig_command(&rig, 0, OP_HYPERCALL,
		HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI | HV_HYPERCALL_FAST, 0x52, 3, 1);
	rig_command(&rig, 0, OP_HALT, 0x52, 1, 0, 0);
	rig_command(&rig, 1, OP_STORE, GUEST_FLAGS, 1, 0, 0);
	rig_command(&rig, 1, OP_HALT, 0x52, 1, 0, 0);
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, both)->result, 0);
	CU_ASSERT_EQUAL(rig_interrupts(&rig, 0, 0x52), 1);
	CU_ASSERT_EQUAL(rig_interrupts(&rig, 1, 0x52), 1);
	rig_destroy(&rig);
}

static void apic_msrs_are_the_apics_registers(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	if (!kvm_has(KVM_CAP_HYPERV_VAPIC)) {
		test_skip("KVM has no APIC MSRs");
		rig_destroy(&rig);
		return;
	}
	NO_EOI(&rig)[0x52] = 1;
	rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_TPR, 0x20, 0, 0);
	const unsigned tpr = rig_command(&rig, 0, OP_RDMSR, HV_X64_MSR_TPR, 0, 0, 0);
	const unsigned tpr_memory = rig_command(&rig, 0, OP_LOAD, 0xfee00080, 0, 0, 0);
	rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_ICR, 0x52, 0, 0); /* to itself, APIC 0 */
	rig_command(&rig, 0, OP_HALT, 0x52, 1, 0, 0);
	const unsigned in_service = rig_command(&rig, 0, OP_LOAD, 0xfee00120, 0, 0, 0);
	rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_EOI, 0, 0, 0);
	const unsigned ended = rig_command(&rig, 0, OP_LOAD, 0xfee00120, 0, 0, 0);
	const unsigned icr = rig_command(&rig, 0, OP_RDMSR, HV_X64_MSR_ICR, 0, 0, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, tpr)->result, 0x20);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, tpr_memory)->result, 0x20);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, in_service)->result, 1u << 18);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, ended)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, icr)->result & 0xff, 0x52);
	rig_destroy(&rig);
}

/* ---- halting ------------------------------------------------------------------------------- */

/* VP 0 reads GUEST_IDLE; VP 1 sends it an interrupt some time after. */
static void idle_until_interrupt(bool interrupts_on)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	rig_command(&rig, 0, OP_AWAIT, GUEST_FLAGS, 1, 0, 0);
	rig_command(&rig, 0, OP_STORE, GUEST_FLAGS, 2, 0, 0);
	const unsigned idle = rig_command(
		&rig, 0, OP_IDLE, HV_X64_MSR_GUEST_IDLE, interrupts_on, 0, 0);
	rig_command(&rig, 1, OP_STORE, GUEST_FLAGS, 1, 0, 0);
	rig_command(&rig, 1, OP_AWAIT, GUEST_FLAGS, 2, 0, 0);
	rig_command(&rig, 1, OP_OUT, RIG_PORT, 0, 100, 0);
	rig_command(&rig, 1, OP_ICR, 0x52, 0, 0, 0);
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, idle)->fault, 0);
	CU_ASSERT_EQUAL(rig_interrupts(&rig, 0, 0x52), interrupts_on ? 1 : 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, idle)->second, interrupts_on ? 0 : 1u << 18);
	rig_destroy(&rig);
}

/* R-REG-016. */
static void idle_vp_wakes_with_interrupts_on(void)
{
	idle_until_interrupt(true);
}

/* R-REG-016. */
static void idle_vp_wakes_with_interrupts_off(void)
{
	idle_until_interrupt(false);
}

static void idle_vp_is_parked(void)
{
	struct rig rig;

	for (unsigned on = 0; on < 2; on++) {
		if (!rig_create(&rig, 1))
			return;
		rig_command(&rig, 0, OP_OUT, GUEST_PORT_DONE, 5, 1, 0);
		rig_command(&rig, 0, OP_IDLE, HV_X64_MSR_GUEST_IDLE, on, 0, 0);
		CU_ASSERT_EQUAL(backend_kvm_start(rig.kvm), 0);
		rig_wait(&rig, 1u << 5);
		CU_ASSERT_EQUAL(backend_kvm_park(rig.kvm), 0);
		rig_destroy(&rig);
	}
}

/* ---- flushing ------------------------------------------------------------------------------ */

#define FLUSHED_ADDRESS 0x40000000u /* the first page of the second GiB */
#define FLUSHED_TABLE	0x13000u

/* R-HCALL-016. */
static void flushed_vp_sees_the_new_page(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_store64(&rig, GUEST_TABLES + 0x3000, FLUSHED_TABLE | 3);
	rig_store64(&rig, FLUSHED_TABLE, GUEST_PAGE_A | 3);
	rig_store64(&rig, GUEST_PAGE_A, 0xaaaa);
	rig_store64(&rig, GUEST_PAGE_B, 0xbbbb);
	rig_store64(&rig, GUEST_INPUT, GUEST_TABLES); /* address space */
	rig_store64(&rig, GUEST_INPUT + 8, HV_FLUSH_ALL_ADDRESS_SPACES);
	rig_store64(&rig, GUEST_INPUT + 16, 3); /* VPs 0 and 1 */
	rig_hypercalls_enable(&rig, 0);
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	rig_command(&rig, 0, OP_AWAIT, GUEST_FLAGS, 1, 0, 0);
	rig_command(&rig, 0, OP_STORE, FLUSHED_TABLE, GUEST_PAGE_B | 3, 0, 0);
	const unsigned flush = rig_command(
		&rig, 0, OP_HYPERCALL, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, GUEST_INPUT, 0, 1);
	rig_command(&rig, 0, OP_STORE, GUEST_FLAGS, 2, 0, 0);
	const unsigned before = rig_command(&rig, 1, OP_LOAD, FLUSHED_ADDRESS, 0, 0, 0);
	rig_command(&rig, 1, OP_STORE, GUEST_FLAGS, 1, 0, 0);
	rig_command(&rig, 1, OP_AWAIT, GUEST_FLAGS, 2, 0, 0);
	const unsigned after = rig_command(&rig, 1, OP_LOAD, FLUSHED_ADDRESS, 0, 0, 0);
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, flush)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 1, before)->result, 0xaaaa);
	CU_ASSERT_EQUAL(rig_result(&rig, 1, after)->result, 0xbbbb);
	rig_destroy(&rig);
}

/* Both flush each other, and VP 1 also waits: nobody waits for ever. */
static void vps_that_flush_each_other_come_through(void)
{
	const unsigned rounds = 200;
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_store64(&rig, GUEST_INPUT + 8, HV_FLUSH_ALL_ADDRESS_SPACES | HV_FLUSH_ALL_PROCESSORS);
	rig_hypercalls_enable(&rig, 0);
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	const unsigned flush[2] = {
		rig_command(&rig, 0, OP_HYPERCALL, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, GUEST_INPUT,
			0, rounds),
		rig_command(&rig, 1, OP_HYPERCALL, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, GUEST_INPUT,
			0, rounds),
	};
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, flush[0])->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 1, flush[1])->result, 0);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_HYPERCALL), 2 * rounds);
	rig_destroy(&rig);
}

static const struct test tests[] = {
	TEST(events_interrupt_halted_vps),
	TEST(events_interrupt_running_vps),
	TEST(changed_vector_is_the_one_that_comes),
	TEST(message_comes_with_its_interrupt),
	TEST(auto_eoi_ends_interrupts_by_itself),
	TEST(without_auto_eoi_the_guest_ends_them),
	TEST(line_goes_through_the_ioapic_beside_routes),
	TEST(direct_timer_ticks_in_a_halted_vp),
	TEST(ipi_hypercall_reaches_its_vps),
	TEST(apic_msrs_are_the_apics_registers),
	TEST(idle_vp_wakes_with_interrupts_on),
	TEST(idle_vp_wakes_with_interrupts_off),
	TEST(idle_vp_is_parked),
	TEST(flushed_vp_sees_the_new_page),
	TEST(vps_that_flush_each_other_come_through),
};
TEST_MAIN("backend_kvm_interrupts", tests)
