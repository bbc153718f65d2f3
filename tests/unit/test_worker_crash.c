// SPDX-License-Identifier: Apache-2.0
/* What is said of a guest that has crashed. Source: TLFS, "Partition crash enlightenment". */
#include "host/vmwp/worker.h"
#include "host/vmwp/worker_crash.h"
#include "tests/unit/partition_rig.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define CRASH_P0  0x40000100u
#define CRASH_CTL 0x40000105u
#define NOTIFY	  (1ull << 63)
#define MESSAGE	  (1ull << 62)
#define TEXT_GPA  0x30000u

static struct rig rig;
static struct worker worker;
static struct options options;
static char said[4096];

/* Let the guest crash with these parameters, and read what the worker says. */
static void crash(const uint64_t parameters[5], uint64_t control)
{
	const int kept = dup(STDERR_FILENO);
	const int taken = memfd_create("log", MFD_CLOEXEC);

	worker = (struct worker){.options = &options, .partition = rig.partition};
	options = (struct options){.on_crash = END_GO_ON};
	worker_crash_watch(&worker);
	CU_ASSERT_FATAL(kept >= 0 && taken >= 0 && dup2(taken, STDERR_FILENO) >= 0);
	for (uint32_t i = 0; i < 5; i++)
		rig_write(&rig, 0, CRASH_P0 + i, parameters[i]);
	rig_write(&rig, 0, CRASH_CTL, control);
	dup2(kept, STDERR_FILENO);
	close(kept);
	const ssize_t bytes = pread(taken, said, sizeof said - 1, 0);
	close(taken);
	CU_ASSERT_FATAL(bytes > 0);
	said[bytes] = '\0';
}

static void crash_with_a_message_is_told_by_its_reason(void)
{
	static const char text[] = "[   29.94] sysrq: Trigger a crash\n"
				   "[   29.95] Kernel panic - not syncing: sysrq triggered crash\n"
				   "[   29.96] CPU: 1 PID: 160 Comm: bash\n";
	const uint64_t parameters[5] = {0, 0, 0, TEXT_GPA, sizeof text - 1};

	CU_ASSERT_EQUAL_FATAL(sizeof text - 1, 0x85);
	rig_open_full(&rig, 1, &rig_ops_full, NULL);
	memcpy(rig_at(&rig, TEXT_GPA), text, sizeof text);
	crash(parameters, NOTIFY | MESSAGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(said,
		"error: the guest has crashed: Kernel panic - not syncing: sysrq triggered "
		"crash\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "crash parameters: P0 0, P1 0, P2 0, P3 0x30000 (where "
					    "its message is), P4 0x85 (bytes of it)\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "  | [   29.94] sysrq: Trigger a crash\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "  | [   29.96] CPU: 1 PID: 160 Comm: bash\n"));
	rig_close(&rig);
}

static void crash_without_a_message_is_told_by_its_parameters(void)
{
	static const uint64_t parameters[5] = {0x1e, 0xc0000005, 0xfffff80000001234, 0, 0x10};

	rig_open_full(&rig, 1, &rig_ops_full, NULL);
	crash(parameters, NOTIFY);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "error: the guest has crashed, and left no message\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "crash parameters: P0 0x1e, P1 0xc0000005, "
					    "P2 0xfffff80000001234, P3 0, P4 0x10\n"));
	rig_close(&rig);
}

static void crash_without_a_known_reason_is_told_by_its_last_line(void)
{
	static const char text[] = "one\n\ntwo\n";
	const uint64_t parameters[5] = {0, 0, 0, TEXT_GPA, sizeof text - 1};

	rig_open_full(&rig, 1, &rig_ops_full, NULL);
	memcpy(rig_at(&rig, TEXT_GPA), text, sizeof text);
	crash(parameters, NOTIFY | MESSAGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "the guest has crashed: two\n"));
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(crash_with_a_message_is_told_by_its_reason),
	TEST(crash_without_a_message_is_told_by_its_parameters),
	TEST(crash_without_a_known_reason_is_told_by_its_last_line),
};
TEST_MAIN("worker_crash", tests)
