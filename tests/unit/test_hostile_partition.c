// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that wants to break its hypervisor: overlays on top of each other, addresses that are
 * no memory, absurd timers, reports that never end, and several VPs at once that do all of it
 * while the loop thread serves, resets and tears down.
 */
#include "host/limits.h"
#include "tests/unit/partition_rig.h"

#include <pthread.h>
#include <sched.h>

#define VPS 4u

static struct rig rig;

/* ---- overlays ------------------------------------------------------------------------------ */

#define PLACE	  0x30000ull
#define ELSEWHERE 0x31000ull

static const struct {
	uint32_t vp, msr;
} overlays[] = {
	{0, HV_X64_MSR_HYPERCALL},
	{0, HV_X64_MSR_REFERENCE_TSC},
	{0, HV_X64_MSR_SIMP},
	{0, HV_X64_MSR_SIEFP},
	{0, HV_X64_MSR_VP_ASSIST_PAGE},
	{1, HV_X64_MSR_SIMP},
	{1, HV_X64_MSR_SIEFP},
	{1, HV_X64_MSR_VP_ASSIST_PAGE},
};
#define OVERLAYS (sizeof overlays / sizeof overlays[0])

static void page_fill(uint64_t gpa, uint8_t with)
{
	memset(rig_at(&rig, gpa), with, GUEST_PAGE_BYTES);
}

static bool page_is(uint64_t gpa, uint8_t with)
{
	const uint8_t *page = rig_at(&rig, gpa);

	for (size_t i = 0; i < GUEST_PAGE_BYTES; i++)
		if (page[i] != with)
			return false;
	return true;
}

static void open_full(void)
{
	rig_open_full(&rig, VPS, &rig_ops_full, NULL);
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
	page_fill(PLACE, 0xaa);
	page_fill(ELSEWHERE, 0xbb);
}

static void overlay_lay(size_t which, uint64_t gpa)
{
	rig_write(&rig, overlays[which].vp, overlays[which].msr, gpa | 1);
}

static void overlay_lift(size_t which)
{
	rig_write(&rig, overlays[which].vp, overlays[which].msr, 0);
}

/* Whatever the order in which overlays at one place go, it reappears when the last has gone. */
static void overlays_on_one_page_give_it_back_unchanged(void)
{
	for (size_t step = 1; step < OVERLAYS; step += 2) {
		open_full();
		for (size_t i = 0; i < OVERLAYS; i++)
			overlay_lay(i, PLACE);
		for (size_t i = 0; i < OVERLAYS; i++) {
			CU_ASSERT_FALSE(page_is(PLACE, 0xaa));
			overlay_lift((i * step + 3) % OVERLAYS);
		}
		CU_ASSERT_TRUE(page_is(PLACE, 0xaa));
		rig_close(&rig);
	}
}

static void overlays_that_move_from_one_page_to_another_leave_both_unchanged(void)
{
	open_full();
	for (unsigned round = 0; round < 3; round++)
		for (size_t i = 0; i < OVERLAYS; i++)
			overlay_lay(
				(i * 3 + round) % OVERLAYS, (i + round) % 2 ? PLACE : ELSEWHERE);
	partition_reset(rig.partition);
	CU_ASSERT_TRUE(page_is(PLACE, 0xaa));
	CU_ASSERT_TRUE(page_is(ELSEWHERE, 0xbb));
	rig_close(&rig);
}

/* The one below keeps its contents, and what is written to it meanwhile. */
static void covered_overlay_keeps_its_contents(void)
{
	open_full();
	rig_synic_on(&rig);
	rig_write(&rig, 0, HV_X64_MSR_SIMP, PLACE | 1);
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 2, 1, 0, "first", 5), 0);
	rig_write(&rig, 0, HV_X64_MSR_VP_ASSIST_PAGE, PLACE | 1);
	CU_ASSERT_TRUE(page_is(PLACE, 0));
	CU_ASSERT_EQUAL(synic_message_post(rig.partition, 0, 3, 1, 0, "second", 6), 0);
	CU_ASSERT_TRUE(page_is(PLACE, 0));

	rig_write(&rig, 0, HV_X64_MSR_SIMP, ELSEWHERE | 1);
	const uint8_t *page = rig_at(&rig, ELSEWHERE);
	CU_ASSERT_EQUAL(memcmp(page + 2 * HV_MESSAGE_BYTES + 16, "first", 5), 0);
	CU_ASSERT_EQUAL(memcmp(page + 3 * HV_MESSAGE_BYTES + 16, "second", 6), 0);
	CU_ASSERT_TRUE(page_is(PLACE, 0));
	rig_write(&rig, 0, HV_X64_MSR_VP_ASSIST_PAGE, 0);
	CU_ASSERT_TRUE(page_is(PLACE, 0xaa));
	rig_close(&rig);
}

/* A page that is no RAM, or where there is a hole: #GP, and all is as it was. */
static void overlay_outside_memory_faults_and_changes_nothing(void)
{
	static const uint64_t nowhere[] = {RIG_MEMORY, RIG_MEMORY + 0x1000, 0xfee00000, 0xfffff000,
		1ull << 32, 1ull << 40, 0x000ffffffffff000, 0xfffffffffffff000};

	open_full();
	for (size_t i = 0; i < OVERLAYS; i++) {
		if (overlays[i].msr == HV_X64_MSR_REFERENCE_TSC)
			continue; /* does not fault: there is just no page */
		overlay_lay(i, PLACE);
		for (size_t n = 0; n < sizeof nowhere / sizeof nowhere[0]; n++)
			CU_ASSERT_TRUE(rig_write_faults(
				&rig, overlays[i].vp, overlays[i].msr, nowhere[n] | 1));
		CU_ASSERT_EQUAL(rig_read(&rig, overlays[i].vp, overlays[i].msr), PLACE | 1);
		overlay_lift(i);
		CU_ASSERT_TRUE(page_is(PLACE, 0xaa));
	}
	rig_close(&rig);
}

/* ---- the hole between low and high memory -------------------------------------------------- */

static void hypercall_parameters_in_the_hole_are_refused(void)
{
	struct partition *partition;
	const struct partition_config config = {
		.memory_bytes = 2 * RIG_MEMORY,
		.memory_low_bytes = RIG_MEMORY,
		.vp_count = 1,
	};
	const uint64_t high_end = GUEST_MEMORY_HIGH_GPA + RIG_MEMORY;
	const uint64_t inputs[] = {RIG_MEMORY - 8, RIG_MEMORY, GUEST_MEMORY_HIGH_GPA - 8,
		GUEST_MEMORY_HIGH_GPA - 0x1000, high_end - 8, high_end, UINT64_MAX - 7,
		0x8000000000000000};
	uint64_t value;

	CU_ASSERT_EQUAL_FATAL(partition_create(&config, &partition), 0);
	partition_backend_set(partition, &rig_ops_full, &rig);
	partition_msr_write(partition, 0, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
	partition_msr_write(partition, 0, HV_X64_MSR_HYPERCALL, RIG_CODE | 1);
	for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
		struct hypercall_registers registers = {
			.rcx = HV_CALL_POST_MESSAGE, .rdx = inputs[i]};
		CU_ASSERT_EQUAL(partition_hypercall(partition, 0, &registers), 0);
		CU_ASSERT_EQUAL(registers.rax & 0xffff, HV_STATUS_INVALID_ALIGNMENT);
	}
	CU_ASSERT_EQUAL(partition_msr_write(partition, 0, HV_X64_MSR_SIMP, high_end | 1),
		PARTITION_FAULT_GP);
	CU_ASSERT_EQUAL(partition_msr_write(partition, 0, HV_X64_MSR_SIMP, (high_end - 0x1000) | 1),
		PARTITION_FAULT_NONE);
	CU_ASSERT_EQUAL(partition_msr_read(partition, 0, HV_X64_MSR_SIMP, &value), 0);
	partition_destroy(partition);
}

/* ---- what never ends ----------------------------------------------------------------------- */

static unsigned crashes_told;

/* Another VP reports a crash while this one is told. */
static void crash_again(void *ctx, const struct partition_crash *crash)
{
	(void)ctx;
	(void)crash;
	if (++crashes_told < 1000)
		rig_write(&rig, 1, HV_X64_MSR_CRASH_CTL, HV_CRASH_NOTIFY);
}

static void crash_reports_without_end_do_not_hold_the_loop(void)
{
	crashes_told = 0;
	rig_open_full(&rig, VPS, &rig_ops_threaded, NULL);
	partition_crash_observer_set(rig.partition, crash_again, NULL);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, HV_CRASH_NOTIFY);
	const unsigned wakes = rig.wakes;
	partition_dispatch(rig.partition);
	CU_ASSERT_EQUAL(crashes_told, 1);
	CU_ASSERT_EQUAL(rig.wakes, wakes + 1);
	partition_dispatch(rig.partition);
	CU_ASSERT_EQUAL(crashes_told, 2);
	rig_close(&rig);
}

static unsigned drains_told;

/* The guest empties its slot as fast as the host fills it, by way of another VP. */
static void drained_again(void *ctx, uint32_t vp, uint32_t sint)
{
	uint32_t *type = rig_at(&rig, RIG_SIMP + sint * HV_MESSAGE_BYTES);

	(void)ctx;
	if (++drains_told == 1000)
		return;
	for (unsigned i = 0; i < 2; i++)
		synic_message_post(rig.partition, vp, sint, 1, 0, "x", 1);
	for (unsigned i = 0; i < 2; i++) {
		*type = 0;
		rig_write(&rig, vp, HV_X64_MSR_EOM, 0);
	}
}

static void queues_that_drain_without_end_do_not_hold_the_loop(void)
{
	drains_told = 0;
	rig_open_full(&rig, VPS, &rig_ops_threaded, NULL);
	rig_synic_on(&rig);
	synic_drained_observer_set(rig.partition, drained_again, NULL);
	uint32_t *type = rig_at(&rig, RIG_SIMP + 2 * HV_MESSAGE_BYTES);
	for (unsigned i = 0; i < 2; i++)
		synic_message_post(rig.partition, 0, 2, 1, 0, "x", 1);
	for (unsigned i = 0; i < 2; i++) {
		*type = 0;
		rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	}
	const unsigned wakes = rig.wakes;
	partition_dispatch(rig.partition);
	CU_ASSERT_TRUE(drains_told >= 1 && drains_told < 100);
	CU_ASSERT_TRUE(rig.wakes > wakes);
	rig_close(&rig);
}

/* ---- timers -------------------------------------------------------------------------------- */

/*
 * R-ROB-004: all timers of all VPs as fast as they can: a turn costs one interrupt for each, no
 * more.
 */
static void timers_of_all_vps_with_period_one_have_a_bounded_turn(void)
{
	rig_open_full(&rig, LIMIT_VPS, &rig_ops_full, NULL);
	for (uint32_t vp = 0; vp < LIMIT_VPS; vp++) {
		for (uint32_t i = 0; i < HV_STIMER_COUNT; i++) {
			rig_write(&rig, vp, HV_X64_MSR_STIMER0_CONFIG + 2 * i,
				HV_STIMER_ENABLED | HV_STIMER_PERIODIC | HV_STIMER_DIRECT_MODE |
					0x50ull << HV_STIMER_VECTOR_SHIFT);
			rig_write(&rig, vp, HV_X64_MSR_STIMER0_CONFIG + 2 * i + 1, 1);
		}
	}
	for (unsigned turn = 0; turn < 100; turn++) {
		const unsigned before = rig.direct_interrupts;
		rig.now_ns += 1000000000;
		partition_timers_run(rig.partition);
		CU_ASSERT_TRUE(rig.direct_interrupts - before <= LIMIT_VPS * HV_STIMER_COUNT);
		CU_ASSERT_TRUE(rig.deadline_ns >= rig.now_ns + LIMIT_TIMER_SPACING_100NS * 100);
	}
	rig_close(&rig);
}

static void absurd_timers_neither_fire_twice_nor_never_end(void)
{
	static const uint64_t counts[] = {1, 2, 0x7fffffffffffffff, 0x8000000000000000,
		UINT64_MAX - 1, UINT64_MAX, UINT64_MAX / 100, UINT64_MAX / 100 + 1};
	static const uint64_t modes[] = {0, HV_STIMER_PERIODIC, HV_STIMER_LAZY,
		HV_STIMER_PERIODIC | HV_STIMER_LAZY, HV_STIMER_AUTO_ENABLE};

	rig_open_full(&rig, 1, &rig_ops_full, NULL);
	rig_synic_on(&rig);
	for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
			for (unsigned direct = 0; direct < 2; direct++) {
				const uint64_t bits = HV_STIMER_ENABLED | modes[m] |
						      (direct ? HV_STIMER_DIRECT_MODE : 0) |
						      2ull << HV_STIMER_SINT_SHIFT |
						      UINT64_MAX << 20;
				rig_write(&rig, 0, HV_X64_MSR_STIMER0_CONFIG, bits);
				rig_write(&rig, 0, HV_X64_MSR_STIMER0_CONFIG + 1, counts[c]);
				for (unsigned i = 0; i < 5; i++) {
					rig.now_ns += i * 1000000007;
					partition_timers_run(rig.partition);
				}
				rig_write(&rig, 0, HV_X64_MSR_STIMER0_CONFIG, 0);
				CU_ASSERT_EQUAL(rig.deadline_ns, UINT64_MAX);
			}
		}
	}
	rig_close(&rig);
}

/* ---- everything at once -------------------------------------------------------------------- */

#define TURNS	    2000u
#define STORM_POSTS 0x40000ull

struct storm_vp {
	pthread_t thread;
	uint32_t index;
	uint64_t random;
};

static bool is_over; /* atomic */

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t any_value(uint64_t *state)
{
	const uint64_t r = next(state);

	switch (r & 7) {
	case 0:
		return r;
	case 1:
		return 1ull << (r >> 8 & 63);
	case 2:
		return UINT64_MAX - (r >> 8 & 1);
	case 3:
		return r >> 8 & 0x3ff;
	case 4: /* a SINT */
		return (r >> 8 & 0xff) | (r >> 16 & 7) << 16;
	case 5: /* a timer */
		return (r >> 8 & 0x1fff) | (r >> 24 & 15) << 16;
	default: /* one of a few pages, on or off */
		return 0x10000 + (r >> 8 & 7) * 0x1000 + (r >> 16 & 1);
	}
}

static void storm_msr(struct storm_vp *vp)
{
	static const uint32_t msrs[] = {HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_HYPERCALL,
		HV_X64_MSR_REFERENCE_TSC, HV_X64_MSR_VP_ASSIST_PAGE, HV_X64_MSR_EOI, HV_X64_MSR_ICR,
		HV_X64_MSR_TPR, HV_X64_MSR_CRASH_CTL, HV_X64_MSR_RESET};
	const uint64_t r = next(&vp->random);
	uint32_t msr;
	uint64_t value;

	switch (r & 3) {
	case 0:
		msr = msrs[(r >> 8) % (sizeof msrs / sizeof msrs[0])];
		break;
	case 1:
		msr = HV_X64_MSR_SCONTROL + (r >> 8 & 31);
		break;
	case 2:
		msr = HV_X64_MSR_STIMER0_CONFIG + (r >> 8 & 7);
		break;
	default:
		msr = HV_X64_MSR_CRASH_P0 + (r >> 8 & 7);
		break;
	}
	if (r >> 40 & 1)
		(void)partition_msr_read(rig.partition, vp->index, msr, &value);
	else
		(void)partition_msr_write(rig.partition, vp->index, msr, any_value(&vp->random));
}

static void storm_hypercall(struct storm_vp *vp)
{
	static const uint16_t codes[] = {HV_CALL_POST_MESSAGE, HV_CALL_SIGNAL_EVENT,
		HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST,
		HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI,
		HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, HV_CALL_GET_VP_REGISTERS,
		HV_CALL_SET_VP_REGISTERS, HV_CALL_POST_DEBUG_DATA,
		HV_CALL_GET_VP_INDEX_FROM_APIC_ID, HV_CALL_EXT_QUERY_CAPABILITIES};
	const uint64_t r = next(&vp->random);
	struct hypercall_registers registers = {
		.rcx = codes[r % (sizeof codes / sizeof codes[0])] | (r >> 20 & 1) << 16 |
		       (r >> 24 & 7) << 17 | (r >> 32 & 31) << 32 | (r >> 44 & 3) << 48,
		.rdx = r >> 60 & 1 ? any_value(&vp->random) : RIG_INPUT + vp->index * 0x1000,
		.r8 = r >> 61 & 1 ? any_value(&vp->random) : RIG_OUTPUT + vp->index * 0x1000,
	};

	for (size_t i = 0; i < 12; i++)
		registers.xmm[i] = any_value(&vp->random);
	if (r >> 62 & 1) { /* more often a signal or an id that there is */
		registers.rcx = HV_CALL_SIGNAL_EVENT | 1u << 16;
		registers.rdx = (r >> 8 & 15) | (r >> 16 & 0x7f) << 32;
	}
	if (r >> 63) {
		registers.rcx = HV_CALL_POST_MESSAGE;
		registers.rdx = STORM_POSTS + (r >> 8 & 15) * sizeof(struct hv_post_message_wire);
	}
	(void)partition_hypercall(rig.partition, vp->index, &registers);
}

static void *storm_vp(void *ctx)
{
	struct storm_vp *vp = ctx;

	for (unsigned i = 0; !__atomic_load_n(&is_over, __ATOMIC_SEQ_CST); i++) {
		if (i % 64 == 0) {
			partition_msr_write(
				rig.partition, vp->index, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
			partition_msr_write(
				rig.partition, vp->index, HV_X64_MSR_HYPERCALL, RIG_CODE | 1);
			partition_msr_write(rig.partition, vp->index, HV_X64_MSR_SCONTROL, 1);
			partition_msr_write(
				rig.partition, vp->index, HV_X64_MSR_SINT0 + 2, RIG_VECTOR);
			partition_msr_write(rig.partition, vp->index, HV_X64_MSR_SIMP,
				RIG_SIMP + (vp->random & 0x3000) + 1);
			partition_msr_write(rig.partition, vp->index, HV_X64_MSR_SIEFP,
				RIG_SIMP + (vp->random >> 16 & 0x3000) + 1);
		}
		if (next(&vp->random) & 1)
			storm_msr(vp);
		else
			storm_hypercall(vp);
	}
	return NULL;
}

static uint16_t storm_message(
	void *ctx, uint32_t id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	uint64_t *random = ctx;

	(void)id;
	if (next(random) % 8 == 0)
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	(void)synic_message_post(rig.partition, (uint32_t)(next(random) % VPS),
		(uint32_t)(next(random) % HV_SINT_COUNT), type, 0, payload, bytes);
	return HV_STATUS_SUCCESS;
}

static void storm_event(void *ctx, uint32_t id, uint16_t flag)
{
	uint64_t *random = ctx;

	(void)synic_event_set(rig.partition, (uint32_t)(next(random) % VPS),
		next(random) & 1 ? 2 : (uint32_t)(next(random) % HV_SINT_COUNT), id + flag);
	if (next(random) % 16 == 0) /* gone while it is told */
		partition_event_port_remove(rig.partition, id);
}

static void storm_drained(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)ctx;
	(void)synic_message_post(rig.partition, vp, sint, 1, 0, "more", 4);
}

static void storm_crash(void *ctx, const struct partition_crash *crash)
{
	unsigned *sum = ctx;

	for (size_t i = 0; i < crash->message_bytes; i++)
		*sum += (uint8_t)crash->message[i];
}

/* A backend whose functions take no notes: they are called on several threads. */
static void storm_interrupt(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector)
{
	(void)ctx;
	(void)vp;
	(void)sint;
	if (vector < HV_SINT_MIN_VECTOR)
		abort();
}

static void storm_vectors(void *ctx, uint64_t vps, uint8_t vector)
{
	(void)ctx;
	if (vector < HV_SINT_MIN_VECTOR || vps == 0 || vps >> VPS != 0)
		abort();
}

static void storm_flush(void *ctx, uint32_t vp, uint64_t vps)
{
	(void)ctx;
	if (vp >= VPS || vps == 0 || vps >> VPS != 0)
		abort();
}

static uint64_t storm_clock(void *ctx)
{
	return __atomic_add_fetch((uint64_t *)ctx, 5000, __ATOMIC_RELAXED);
}

static void storm_timer_set(void *ctx, uint64_t deadline)
{
	(void)ctx;
	(void)deadline;
}

static void storm_debug(void *ctx, const uint8_t *data, size_t bytes)
{
	(void)ctx;
	(void)data;
	(void)bytes;
}

/* One turn of the loop. */
static void storm_turn(uint64_t *random)
{
	const uint64_t r = next(random);
	const uint32_t id = (uint32_t)(r >> 8 & 15);

	switch (r & 7) {
	case 0:
		partition_event_port_remove(rig.partition, id);
		break;
	case 1:
		partition_event_port_add(
			rig.partition, id, (uint16_t)(r >> 16 & 127), storm_event, random);
		break;
	case 2:
		partition_message_port_remove(rig.partition, id);
		break;
	case 3:
		partition_message_port_add(rig.partition, id, storm_message, random);
		break;
	case 4:
		partition_timers_run(rig.partition);
		break;
	case 5:
		synic_message_discard(rig.partition, id % VPS, (uint32_t)(r >> 16 & 15));
		break;
	default:
		break;
	}
	partition_dispatch(rig.partition);
}

/* Has each kind of thing happened? */
static bool has_stormed(const struct partition_statistics *statistics)
{
	return statistics->messages_posted > 0 && statistics->messages_sent > 0 &&
	       statistics->events_set > 0 && statistics->resets > 0 && statistics->crashes > 0;
}

/* R-HYP-001. */
static void vps_that_do_everything_at_once_break_nothing(void)
{
	static const struct partition_backend_ops ops = {
		.name = "storm",
		.has_vp_threads = true,
		.has_xmm = true,
		.interrupt_assert = storm_interrupt,
		.vector_assert = storm_vectors,
		.tlb_flush = storm_flush,
		.apic_id = rig_apic_id,
		.run_time_100ns = rig_run_time,
	};
	uint64_t clock = 1, random = 4711;
	unsigned sum = 0;
	struct storm_vp vps[VPS];
	const struct partition_config config = {
		.memory_bytes = RIG_MEMORY,
		.vp_count = VPS,
		.clock_ns = storm_clock,
		.clock_ctx = &clock,
		.timer_set = storm_timer_set,
		.debug_data = storm_debug,
	};

	CU_ASSERT_EQUAL_FATAL(partition_create(&config, &rig.partition), 0);
	partition_backend_set(rig.partition, &ops, &rig);
	partition_crash_observer_set(rig.partition, storm_crash, &sum);
	synic_drained_observer_set(rig.partition, storm_drained, NULL);
	for (uint32_t i = 0; i < 16; i++) {
		const struct hv_post_message_wire post = {
			.connection_id = i, .message_type = 1, .payload_size = i * 17};
		memcpy(rig_at(&rig, STORM_POSTS + i * sizeof post), &post, sizeof post);
	}
	is_over = false;
	for (uint32_t i = 0; i < VPS; i++) {
		vps[i] = (struct storm_vp){.index = i, .random = 0x9e3779b97f4a7c15 * (i + 1)};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&vps[i].thread, NULL, storm_vp, &vps[i]), 0);
	}
	struct partition_statistics statistics = {0};
	for (unsigned turn = 0; turn < TURNS || (turn < 50 * TURNS && !has_stormed(&statistics));
		turn++) {
		storm_turn(&random);
		partition_statistics_get(rig.partition, &statistics);
		sched_yield();
	}
	__atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < VPS; i++)
		pthread_join(vps[i].thread, NULL);
	CU_ASSERT_TRUE(has_stormed(&statistics));
	partition_destroy(rig.partition);
}

static const struct test tests[] = {
	TEST(overlays_on_one_page_give_it_back_unchanged),
	TEST(overlays_that_move_from_one_page_to_another_leave_both_unchanged),
	TEST(covered_overlay_keeps_its_contents),
	TEST(overlay_outside_memory_faults_and_changes_nothing),
	TEST(hypercall_parameters_in_the_hole_are_refused),
	TEST(crash_reports_without_end_do_not_hold_the_loop),
	TEST(queues_that_drain_without_end_do_not_hold_the_loop),
	TEST(timers_of_all_vps_with_period_one_have_a_bounded_turn),
	TEST(absurd_timers_neither_fire_twice_nor_never_end),
	TEST(vps_that_do_everything_at_once_break_nothing),
};

TEST_MAIN("hostile partition", tests)
