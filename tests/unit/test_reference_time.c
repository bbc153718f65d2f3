// SPDX-License-Identifier: Apache-2.0
/*
 * Reference time: scale and offset, page against register, and a page that is read while it
 * is written. Rule ids are those of protocol/hypervisor.md.
 */
#include "tests/unit/partition_rig.h"

#include "host/hypervisor/reference_time.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rig rig;

/* What a guest computes from the page, as section 8 of the document says. */
static uint64_t page_time(const uint8_t *page, uint64_t tsc)
{
	uint64_t scale, offset;

	memcpy(&scale, page + 8, 8);
	memcpy(&offset, page + 16, 8);
	return (uint64_t)((unsigned __int128)tsc * scale >> 64) + offset;
}

static uint32_t page_sequence(const uint8_t *page)
{
	uint32_t sequence;

	memcpy(&sequence, page, 4);
	return sequence;
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

static void scale_is_the_quotient_rounded_down(void)
{
	/* 10^7 × 2^64 / f, in arbitrary precision. */
	CU_ASSERT_EQUAL(reference_time_scale(2500000000u), 73786976294838206ull);
	CU_ASSERT_EQUAL(reference_time_scale(20000000), 1ull << 63);
	CU_ASSERT_EQUAL(reference_time_scale(10000001), 18446742229035328712ull);
	CU_ASSERT_EQUAL(reference_time_scale(10000000), 0); /* would be 2^64 */
	CU_ASSERT_EQUAL(reference_time_scale(0), 0);
	CU_ASSERT_EQUAL(reference_time_scale(UINT64_MAX), 10000000);
}

static void time_goes_on_where_it_was_whatever_the_tsc_reads(void)
{
	static const uint64_t tscs[] = {0, 1, 123456789, 1ull << 40, UINT64_MAX - 2500000000u};

	for (size_t i = 0; i < sizeof tscs / sizeof tscs[0]; i++) {
		struct reference_time time = {0};
		CU_ASSERT_TRUE(reference_time_use_tsc(&time, 2500000000u, tscs[i], 5000));
		CU_ASSERT_EQUAL(reference_time_of_tsc(&time, tscs[i]), 5000);
		/* A second later, within the rounding of two readings. */
		const uint64_t then = reference_time_of_tsc(&time, tscs[i] + 2500000000u);
		CU_ASSERT_TRUE(then >= 10004999 && then <= 10005001);
	}
}

static void tsc_keeps_to_the_microsecond_for_a_year(void) /* R-TIME-008 */
{
	struct reference_time time = {0};
	const uint64_t year = 365ull * 86400;

	CU_ASSERT_TRUE(reference_time_use_tsc(&time, 2893438000u, 0, 0));
	const uint64_t then = reference_time_of_tsc(&time, year * 2893438000u);
	CU_ASSERT_TRUE(then <= year * 10000000 && then + 10 >= year * 10000000);
}

static void slow_tsc_is_not_counted(void)
{
	struct reference_time time = {.start_ns = 77};

	CU_ASSERT_FALSE(reference_time_use_tsc(&time, 9999999, 0, 0));
	CU_ASSERT_FALSE(time.counts_tsc);
	CU_ASSERT_EQUAL(time.start_ns, 77);
}

static void clock_counts_in_units_of_100_ns(void)
{
	struct reference_time time;

	reference_time_use_clock(&time, 1000, 3);
	CU_ASSERT_EQUAL(reference_time_of_clock(&time, 1000), 3);
	CU_ASSERT_EQUAL(reference_time_of_clock(&time, 1099), 3);
	CU_ASSERT_EQUAL(reference_time_of_clock(&time, 1100), 4);
}

/* ---- page ---------------------------------------------------------------------------------- */

static void sequence_is_new_each_time_and_never_0_or_all_ones(void)
{
	_Alignas(8) uint8_t page[4096] = {0};
	struct reference_time time = {0};

	reference_time_use_tsc(&time, 2500000000u, 0, 0);
	reference_time_page_write(&time, page);
	CU_ASSERT_EQUAL(page_sequence(page), 1);
	reference_time_page_write(&time, page);
	CU_ASSERT_EQUAL(page_sequence(page), 2); /* R-TIME-003 */
	time.sequence = UINT32_MAX - 2;
	reference_time_page_write(&time, page);
	CU_ASSERT_EQUAL(page_sequence(page), UINT32_MAX - 1);
	reference_time_page_write(&time, page);
	CU_ASSERT_EQUAL(page_sequence(page), 1);
	reference_time_use_clock(&time, 0, 0);
	reference_time_page_write(&time, page);
	CU_ASSERT_EQUAL(page_sequence(page), 0); /* R-TIME-004 */
}

#define WRITES 200000u

struct reading {
	uint8_t *page;
	unsigned torn, valid; /* read after it has ended */
	bool is_over;	      /* atomic */
};

/* A guest that reads by the protocol: pairs of scale and offset belong together. */
static void *page_reader(void *arg)
{
	struct reading *reading = arg;
	const uint32_t *sequence = (const uint32_t *)(const void *)reading->page;
	const uint64_t *numbers = (const uint64_t *)(const void *)(reading->page + 8);

	while (!__atomic_load_n(&reading->is_over, __ATOMIC_RELAXED)) {
		const uint32_t before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
		const uint64_t scale = __atomic_load_n(&numbers[0], __ATOMIC_ACQUIRE);
		const uint64_t offset = __atomic_load_n(&numbers[1], __ATOMIC_ACQUIRE);
		const uint32_t after = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
		if (before == 0 || before != after)
			continue;
		reading->valid++;
		reading->torn += offset != ~scale;
	}
	return NULL;
}

static void concurrent_reader_never_takes_a_torn_page(void)
{
	_Alignas(8) static uint8_t page[4096];
	struct reading reading = {.page = page};
	struct reference_time time = {.counts_tsc = true};
	pthread_t reader;

	memset(page, 0, sizeof page);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, page_reader, &reading), 0);
	for (uint64_t i = 1; i <= WRITES; i++) {
		time.scale = i;
		time.offset = ~i;
		reference_time_page_write(&time, page);
	}
	__atomic_store_n(&reading.is_over, true, __ATOMIC_RELAXED);
	pthread_join(reader, NULL);
	CU_ASSERT_EQUAL(reading.torn, 0);
}

#define CANNOT_TRACE 77
#define STEPS_MAX    100000u /* a sanitizer makes many of few */

/* The child that writes the page, for its parent to step through. */
static _Noreturn void page_write_traced(struct reference_time *time, uint8_t *page)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(CANNOT_TRACE);
	raise(SIGSTOP);
	reference_time_page_write(time, page);
	_exit(0);
}

/*
 * Between two stores to one line of the cache a reader on another processor hardly ever gets. So
 * the writer goes on by single instructions, and a look is taken after each.
 */
static void numbers_change_only_while_the_sequence_is_0(void)
{
	struct reference_time time = {.counts_tsc = true, .scale = 1, .offset = ~1ull};
	unsigned seen[3] = {0};
	unsigned others = 0, torn = 0;
	int status = 0;
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(page, MAP_FAILED);
	reference_time_page_write(&time, page);
	time.scale = 2;
	time.offset = ~2ull;
	const pid_t writer = fork();
	CU_ASSERT_TRUE_FATAL(writer >= 0);
	if (writer == 0)
		page_write_traced(&time, page);
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		if (waitpid(writer, &status, 0) != writer || !WIFSTOPPED(status))
			break;
		const uint32_t sequence = page_sequence(page);
		uint64_t numbers[2];
		memcpy(numbers, page + 8, sizeof numbers);
		others += sequence > 2;
		torn += sequence != 0 && (numbers[0] != sequence || numbers[1] != ~numbers[0]);
		seen[sequence % 3]++;
		ptrace(PTRACE_SINGLESTEP, writer, NULL, NULL);
	}
	if (WIFSTOPPED(status)) {
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
	}
	munmap(page, 4096);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_TRACE)
		return; /* not allowed here: nothing can be said */
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CU_ASSERT_TRUE(seen[1] > 0 && seen[0] > 0 && seen[2] > 0);
	CU_ASSERT_EQUAL(others, 0);
	CU_ASSERT_EQUAL(torn, 0);
}

/* ---- in a partition ------------------------------------------------------------------------ */

static void page_and_register_agree_on_every_vp(void)
{
	uint64_t last = 0;

	rig_open_full(&rig, 4, &rig_ops_with_tsc, NULL);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, 0x30001);
	const uint8_t *page = rig_at(&rig, 0x30000);
	CU_ASSERT_EQUAL(page_sequence(page), 1); /* R-TIME-005 */
	for (unsigned i = 0; i < 10000; i++) {
		rig.tsc += 1 + i * 977;
		const uint64_t time = rig_read(&rig, i % 4, HV_X64_MSR_TIME_REF_COUNT);
		CU_ASSERT_EQUAL(time, page_time(page, rig.tsc)); /* R-TIME-002 */
		CU_ASSERT_TRUE(time >= last);			 /* R-TIME-001 */
		last = time;
	}
	rig_close(&rig);
}

static void backend_with_a_tsc_takes_over_without_a_step(void)
{
	rig_open_full(&rig, 1, NULL, NULL);
	rig.now_ns += 500000;
	rig.tsc = 1ull << 50;
	CU_ASSERT_EQUAL(partition_time_100ns(rig.partition), 5000);
	partition_backend_set(rig.partition, &rig_ops_with_tsc, &rig);
	CU_ASSERT_EQUAL(partition_time_100ns(rig.partition), 5000);
	rig.now_ns += 1000000000; /* does not matter any more */
	CU_ASSERT_EQUAL(partition_time_100ns(rig.partition), 5000);
	rig.tsc += 250000;
	const uint64_t time = partition_time_100ns(rig.partition);
	CU_ASSERT_TRUE(time == 6000 || time == 5999);
	partition_backend_set(rig.partition, NULL, NULL);
	CU_ASSERT_EQUAL(partition_time_100ns(rig.partition), time);
	rig.now_ns += 100000;
	CU_ASSERT_EQUAL(partition_time_100ns(rig.partition), time + 1000);
	rig_close(&rig);
}

static void page_follows_the_backend(void)
{
	rig_open_full(&rig, 1, &rig_ops_full, NULL);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, 0x30001);
	const uint8_t *page = rig_at(&rig, 0x30000);
	CU_ASSERT_EQUAL(page_sequence(page), 0);
	rig.tsc = 12345;
	partition_backend_set(rig.partition, &rig_ops_with_tsc, &rig);
	CU_ASSERT_EQUAL(page_sequence(page), 1);
	CU_ASSERT_EQUAL(page_time(page, rig.tsc), partition_time_100ns(rig.partition));
	partition_backend_set(rig.partition, &rig_ops_full, &rig);
	CU_ASSERT_EQUAL(page_sequence(page), 0);
	rig_close(&rig);
}

static void time_goes_on_over_a_reset_and_the_page_is_off(void)
{
	rig_open_full(&rig, 1, &rig_ops_with_tsc, NULL);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, 0x30001);
	rig.tsc = 2500000000u;
	partition_reset(rig.partition);
	CU_ASSERT_EQUAL(page_sequence(rig_at(&rig, 0x30000)), 0);
	const uint64_t time = partition_time_100ns(rig.partition);
	CU_ASSERT_TRUE(time == 10000000 || time == 9999999);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, 0x30001);
	CU_ASSERT_EQUAL(page_sequence(rig_at(&rig, 0x30000)), 2);
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(scale_is_the_quotient_rounded_down),
	TEST(time_goes_on_where_it_was_whatever_the_tsc_reads),
	TEST(tsc_keeps_to_the_microsecond_for_a_year),
	TEST(slow_tsc_is_not_counted),
	TEST(clock_counts_in_units_of_100_ns),
	TEST(sequence_is_new_each_time_and_never_0_or_all_ones),
	TEST(concurrent_reader_never_takes_a_torn_page),
	TEST(numbers_change_only_while_the_sequence_is_0),
	TEST(page_and_register_agree_on_every_vp),
	TEST(backend_with_a_tsc_takes_over_without_a_step),
	TEST(page_follows_the_backend),
	TEST(time_goes_on_over_a_reset_and_the_page_is_off),
};

TEST_MAIN("reference_time", tests)
