// SPDX-License-Identifier: Apache-2.0
/*
 * What a VP reads and writes of itself through a backend: registers of the processor, APIC,
 * run time, idle, assist page; APIC ids; debug output. Rule ids are those of
 * protocol/hypervisor.md.
 */
#include "tests/unit/partition_rig.h"

#include "host/hypervisor/hypercall.h"
#include "host/limits.h"

#include <pthread.h>
#include <time.h>

static struct rig rig;

#define FAST	   (1ull << 16)
#define REPS(n)	   ((uint64_t)(n) << 32)
#define DONE(n)	   ((uint64_t)(n) << 32)
#define GET	   0x50ull
#define SET	   0x51ull
#define POST_DEBUG 0x69ull
#define GET_DEBUG  0x6aull
#define NEW_DEBUG  0x6bull
#define APIC_IDS   0x9aull
#define SELF_VP	   0xfffffffeu
#define RAX	   0x20000u
#define RIP	   0x20010u

static void open(uint32_t vps)
{
	rig_open_full(&rig, vps, &rig_ops_full, NULL);
	rig_hypercalls_on(&rig);
}

static uint64_t call(uint64_t control)
{
	return rig_hypercall(&rig, control, RIG_INPUT, RIG_OUTPUT);
}

static uint64_t out(unsigned word)
{
	uint64_t value;

	memcpy(&value, (uint8_t *)rig_at(&rig, RIG_OUTPUT) + 8 * word, sizeof value);
	return value;
}

/* SELF, VP, VTL 0; then bytes. */
static void input(uint32_t vp, const void *bytes, size_t count)
{
	uint8_t *at = rig_at(&rig, RIG_INPUT);

	memset(at, 0, 4096);
	memset(at, 0xff, 8);
	memcpy(at + 8, &vp, 4);
	memcpy(at + 16, bytes, count);
}

/* ---- registers of the processor ------------------------------------------------------------ */

static void own_processor_registers_come_from_the_backend(void)
{
	static const uint32_t names[] = {RAX, 0x90003, RAX};

	open(2);
	input(SELF_VP, names, sizeof names);
	CU_ASSERT_EQUAL(call(GET | REPS(3)), DONE(3));
	CU_ASSERT_EQUAL(out(0), 0xabc0);
	CU_ASSERT_EQUAL(out(1), 0);
	CU_ASSERT_EQUAL(out(2), 0);
	CU_ASSERT_EQUAL(out(4), 0xabc0);
	input(0, names, sizeof names);
	CU_ASSERT_EQUAL(call(GET | REPS(1)), DONE(1));
	rig_close(&rig);
}

static void other_vps_do_not_wait_in_this_call(void)
{
	const uint32_t names[] = {RAX, 0x90003};
	const uint32_t element[8] = {RAX};

	open(2);
	input(1, names, sizeof names);
	CU_ASSERT_EQUAL(call(GET | REPS(2)), 0x15); /* R-HCALL-030 */
	input(1, names + 1, sizeof names[1]);	    /* synthetic ones can be read */
	CU_ASSERT_EQUAL(call(GET | REPS(1)), DONE(1));
	CU_ASSERT_EQUAL(out(0), 1);
	input(1, element, sizeof element);
	CU_ASSERT_EQUAL(call(SET | REPS(1)), 0x15);
	rig_close(&rig);
}

static void registers_that_the_backend_lacks_are_refused(void)
{
	const uint32_t names[] = {RAX, RIP};
	const uint32_t wrong[8] = {RIP};
	const uint32_t right[8] = {RAX, 0, 0, 0, 0x77};

	open(1);
	input(SELF_VP, names, sizeof names);
	CU_ASSERT_EQUAL(call(GET | REPS(2)), DONE(1) | 5);
	input(SELF_VP, wrong, sizeof wrong);
	CU_ASSERT_EQUAL(call(SET | REPS(1)), 0x50);
	input(SELF_VP, right, sizeof right);
	CU_ASSERT_EQUAL(call(SET | REPS(1)), DONE(1));
	CU_ASSERT_EQUAL(rig.apic[0], 0x77);
	rig_close(&rig);
}

static void *time_ask(void *ctx)
{
	return (void *)(uintptr_t)partition_time_100ns(ctx);
}

/* Another thread that needs the partition's lock, while the backend is busy with a register. */
static bool another_can_ask_the_time(void)
{
	struct timespec until;
	pthread_t other;
	void *result;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&other, NULL, time_ask, rig.partition), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	if (pthread_timedjoin_np(other, &result, &until) == 0)
		return true;
	pthread_detach(other);
	return false;
}

static bool slow_register_read(void *ctx, uint32_t vp, uint32_t name, uint64_t value[2])
{
	CU_ASSERT(another_can_ask_the_time());
	return rig_register_read(ctx, vp, name, value);
}

static bool slow_register_write(void *ctx, uint32_t vp, uint32_t name, const uint64_t value[2])
{
	CU_ASSERT(another_can_ask_the_time());
	return rig_register_write(ctx, vp, name, value);
}

static void registers_of_one_vp_hold_nobody_up(void)
{
	static const struct partition_backend_ops ops = {
		.name = "slow",
		.has_vp_threads = true,
		.interrupt_assert = rig_interrupt,
		.register_read = slow_register_read,
		.register_write = slow_register_write,
	};
	static const uint32_t names[] = {RAX, RAX};
	const uint32_t elements[2][8] = {{RAX, 0, 0, 0, 0x77}, {RAX, 0, 0, 0, 0x78}};

	rig_open_full(&rig, 1, &ops, NULL);
	rig_hypercalls_on(&rig);
	input(SELF_VP, names, sizeof names);
	CU_ASSERT_EQUAL(call(GET | REPS(2)), DONE(2));
	input(SELF_VP, elements, sizeof elements);
	CU_ASSERT_EQUAL(call(SET | REPS(2)), DONE(2));
	CU_ASSERT_EQUAL(rig.apic[0], 0x78);
	rig_close(&rig);
}

/* ---- APIC ids ------------------------------------------------------------------------------ */

static void apic_ids_give_vp_indices(void)
{
	static const uint32_t ids[] = {4, 0, 2, 6, 3};
	uint32_t indices[4];

	open(4);
	input(0, ids, sizeof ids);
	CU_ASSERT_EQUAL(call(APIC_IDS | REPS(4)), DONE(4));
	memcpy(indices, rig_at(&rig, RIG_OUTPUT), sizeof indices);
	CU_ASSERT_EQUAL(indices[0], 2);
	CU_ASSERT_EQUAL(indices[1], 0);
	CU_ASSERT_EQUAL(indices[2], 1);
	CU_ASSERT_EQUAL(indices[3], 3);
	CU_ASSERT_EQUAL(call(APIC_IDS | REPS(5)), DONE(4) | 5); /* R-HCALL-031 */
	rig_close(&rig);
}

static void apic_id_header_is_checked(void)
{
	const uint32_t id = 0;
	uint8_t *at;

	open(1);
	at = rig_at(&rig, RIG_INPUT);
	input(0, &id, sizeof id);
	at[0] = 1;
	CU_ASSERT_EQUAL(call(APIC_IDS | REPS(1)), 6);
	input(0x11, &id, sizeof id); /* VTL 1 */
	CU_ASSERT_EQUAL(call(APIC_IDS | REPS(1)), 5);
	input(0x10, &id, sizeof id);
	CU_ASSERT_EQUAL(call(APIC_IDS | REPS(1)), DONE(1));
	at[15] = 1;
	CU_ASSERT_EQUAL(call(APIC_IDS | REPS(1)), 5);
	CU_ASSERT_EQUAL(call(APIC_IDS), 3);
	rig_close(&rig);
}

/* ---- registers that are MSRs --------------------------------------------------------------- */

static void apic_msrs_reach_the_apic(void)
{
	open(2);
	rig_write(&rig, 0, 0x40000071, 0x0100000000004040ull);
	CU_ASSERT_EQUAL(rig.apic[PARTITION_APIC_ICR], 0x0100000000004040ull);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, 0x40000071), 0x0100000000004040ull);
	rig_write(&rig, 0, 0x40000072, 0xfffffffffffff820ull); /* R-REG-022 */
	CU_ASSERT_EQUAL(rig.apic[PARTITION_APIC_TPR], 0x20);
	rig.apic[PARTITION_APIC_TPR] = 0xff30;
	CU_ASSERT_EQUAL(rig_read(&rig, 0, 0x40000072), 0x30);
	rig_write(&rig, 0, 0x40000070, 0x100000001ull);
	CU_ASSERT_EQUAL(rig.apic[PARTITION_APIC_EOI], 1);
	CU_ASSERT_TRUE(rig_read_faults(&rig, 0, 0x40000070)); /* R-REG-021 */
	rig_close(&rig);
}

static void eoi_looks_for_messages_that_wait(void)
{
	open(1);
	rig_synic_on(&rig);
	synic_message_post(rig.partition, 0, 2, 1, 0, "a", 1);
	synic_message_post(rig.partition, 0, 2, 2, 0, "b", 1);
	uint8_t *slot = (uint8_t *)rig_at(&rig, RIG_SIMP) + 512;
	memset(slot, 0, 4);
	rig_write(&rig, 0, 0x40000070, 0); /* R-SYNIC-006 */
	CU_ASSERT_EQUAL(slot[0], 2);
	rig_close(&rig);
}

static void assist_page_is_an_overlay_of_zeros(void)
{
	uint8_t zeros[4096] = {0};
	uint8_t *page;

	open(2);
	page = rig_at(&rig, 0x30000);
	memset(page, 0xee, 8192);
	rig_write(&rig, 0, 0x40000073, 0x30001);
	rig_write(&rig, 1, 0x40000073, 0x31fff);
	CU_ASSERT_EQUAL(rig_read(&rig, 1, 0x40000073), 0x31fff); /* R-REG-003 */
	CU_ASSERT_EQUAL(memcmp(page, zeros, 4096), 0);		 /* R-REG-015 */
	CU_ASSERT_EQUAL(memcmp(page + 4096, zeros, 4096), 0);
	page[100] = 5; /* its contents are the guest's, and move along */
	rig_write(&rig, 0, 0x40000073, 0x40001);
	CU_ASSERT_EQUAL(page[100], 0xee);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, 0x40000) + 100), 5);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 0, 0x40000073, RIG_MEMORY | 1)); /* R-REG-023 */
	CU_ASSERT_EQUAL(rig_read(&rig, 0, 0x40000073), 0x40001);
	partition_reset(rig.partition);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, 0x40000073), 0);
	CU_ASSERT_EQUAL(page[4096], 0xee);
	rig_close(&rig);
}

static void run_time_and_idle_ask_the_backend(void)
{
	open(3);
	CU_ASSERT_EQUAL(rig_read(&rig, 2, 0x40000010), 1002);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 2, 0x40000010, 0));
	CU_ASSERT_EQUAL(rig_read(&rig, 1, 0x400000f0), 0);
	CU_ASSERT_EQUAL(rig.idles, 1);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 1, 0x400000f0, 0));
	CU_ASSERT_EQUAL(rig.idles, 1);
	rig_close(&rig);
}

static void registers_that_act_on_the_caller_have_no_names(void)
{
	/* Idle, EOI, ICR, TPR: with a name one could ask for another VP. */
	static const uint32_t names[] = {0x250, 0x90010, 0x90011, 0x90012};

	open(1);
	for (unsigned i = 0; i < 4; i++) {
		input(SELF_VP, &names[i], sizeof names[i]);
		CU_ASSERT_EQUAL(call(GET | REPS(1)), 5);
	}
	CU_ASSERT_EQUAL(rig.idles, 0);
	rig_close(&rig);
}

static void backend_hears_of_sints(void)
{
	open(2);
	rig_write(&rig, 1, HV_X64_MSR_SINT0 + 3, 0x20053);
	CU_ASSERT_EQUAL(rig.sint_changes, 1);
	CU_ASSERT_EQUAL(rig.last_sint_value, 0x20053);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 1, HV_X64_MSR_SINT0 + 3, 1));
	CU_ASSERT_EQUAL(rig.sint_changes, 1);
	partition_reset(rig.partition);
	CU_ASSERT_EQUAL(rig.sint_changes, 1 + 2 * 16);
	CU_ASSERT_EQUAL(rig.last_sint_value, 0x10000);
	rig_close(&rig);
}

/* ---- debug output -------------------------------------------------------------------------- */

static void debug_input(uint32_t count, uint32_t options, const char *text)
{
	uint8_t *at = rig_at(&rig, RIG_INPUT);

	memset(at, 'x', 4096);
	memcpy(at, &count, 4);
	memcpy(at + 4, &options, 4);
	for (size_t i = 0; text[i] != '\0'; i++)
		at[8 + i] = (uint8_t)text[i];
}

static void debug_data_reaches_the_host(void)
{
	open(1);
	debug_input(5, 0, "hello");
	memset(rig_at(&rig, RIG_OUTPUT), 0xee, 8);
	CU_ASSERT_EQUAL(call(POST_DEBUG), 0);
	CU_ASSERT_STRING_EQUAL(rig.debug_text, "hello");
	CU_ASSERT_EQUAL(out(0), 0xeeeeeeee00000000ull); /* nothing pending; four bytes, no more */
	debug_input(0, 0, "");
	CU_ASSERT_EQUAL(call(POST_DEBUG), 0);
	CU_ASSERT_EQUAL(rig.debug_bytes, 5);
	debug_input(4088, 0, "");
	CU_ASSERT_EQUAL(call(POST_DEBUG), 0);
	CU_ASSERT_EQUAL(rig.debug_bytes, 5 + 4088);
	rig_close(&rig);
}

static void debug_data_stays_in_its_page(void)
{
	open(1);
	debug_input(4089, 0, "");
	CU_ASSERT_EQUAL(call(POST_DEBUG), 4); /* R-HCALL-032 */
	debug_input(UINT32_MAX, 0, "");
	CU_ASSERT_EQUAL(call(POST_DEBUG), 4);
	debug_input(1, 1, "");
	CU_ASSERT_EQUAL(call(POST_DEBUG), 5);
	CU_ASSERT_EQUAL(call(POST_DEBUG | FAST), 3); /* R-HCALL-012 */
	uint8_t *end = (uint8_t *)rig_at(&rig, RIG_INPUT) + 4096 - 16;
	memset(end, 0, 16);
	end[0] = 8;
	static const uint8_t text[] = {'t', 'h', 'e', ' ', 'e', 'n', 'd', '.'};
	memcpy(end + 8, text, sizeof text);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, POST_DEBUG, RIG_INPUT + 4096 - 16, RIG_OUTPUT), 0);
	CU_ASSERT_STRING_EQUAL(rig.debug_text, "the end.");
	rig_close(&rig);
}

static void nobody_answers_a_debugger(void)
{
	open(1);
	memset(rig_at(&rig, RIG_INPUT), 0, 16);
	CU_ASSERT_EQUAL(call(GET_DEBUG), 0x1b); /* R-HCALL-033 */
	CU_ASSERT_EQUAL(call(NEW_DEBUG), 0);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, NEW_DEBUG | FAST, 1, 0), 5);
	rig_close(&rig);
}

static void debug_output_that_nobody_wants_is_denied(void)
{
	uint32_t r[4];

	rig_open(&rig, 1);
	rig_hypercalls_on(&rig);
	partition_cpuid(rig.partition, 0, 0x40000003, 0, r);
	CU_ASSERT_EQUAL(r[1] >> 11 & 1, 0);
	CU_ASSERT_EQUAL(r[3] >> 1 & 1, 0);
	CU_ASSERT_EQUAL(call(POST_DEBUG), 6);
	CU_ASSERT_EQUAL(call(GET_DEBUG), 6);
	CU_ASSERT_EQUAL(call(NEW_DEBUG), 6);
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(own_processor_registers_come_from_the_backend),
	TEST(other_vps_do_not_wait_in_this_call),
	TEST(registers_that_the_backend_lacks_are_refused),
	TEST(registers_of_one_vp_hold_nobody_up),
	TEST(apic_ids_give_vp_indices),
	TEST(apic_id_header_is_checked),
	TEST(apic_msrs_reach_the_apic),
	TEST(eoi_looks_for_messages_that_wait),
	TEST(assist_page_is_an_overlay_of_zeros),
	TEST(run_time_and_idle_ask_the_backend),
	TEST(registers_that_act_on_the_caller_have_no_names),
	TEST(backend_hears_of_sints),
	TEST(debug_data_reaches_the_host),
	TEST(debug_data_stays_in_its_page),
	TEST(nobody_answers_a_debugger),
	TEST(debug_output_that_nobody_wants_is_denied),
};

TEST_MAIN("hypercall_vp", tests)
