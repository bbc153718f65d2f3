// SPDX-License-Identifier: Apache-2.0
/* The KVM backend with real guests in it. Skipped where KVM cannot run guests. */
#include "tests/kvm/kvm_rig.h"

#define SIGNAL_FAST (HV_CALL_SIGNAL_EVENT | HV_HYPERCALL_FAST)

static void guest_runs_and_ends(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	const unsigned read = rig_command(&rig, 0, OP_IN, RIG_PORT + 4, 0, 0, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, read)->result, 0xabcd0004u);
	rig_destroy(&rig);
}

static void hypercalls_go_and_come_back(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	const unsigned unknown = rig_command(&rig, 0, OP_HYPERCALL, 0xbeef, 0, 0, 1);
	const unsigned spin = rig_command(&rig, 0, OP_HYPERCALL,
		HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST, 1, 0, 1);
	const unsigned nobody = rig_command(&rig, 0, OP_HYPERCALL, SIGNAL_FAST, 0x77, 0, 1);
	const unsigned known =
		rig_command(&rig, 0, OP_HYPERCALL, SIGNAL_FAST, RIG_CONNECTION, 0, 100);
	const unsigned flag = rig_command(
		&rig, 0, OP_HYPERCALL, SIGNAL_FAST, RIG_CONNECTION | 3ull << 32, 0, 1);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, unknown)->result, 2);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, spin)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, nobody)->result, 0x12);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, known)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, flag)->result, 0);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_SIGNAL), 1);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_HYPERCALL), 3);
	struct backend_kvm_statistics statistics;
	backend_kvm_statistics_get(rig.kvm, &statistics);
	CU_ASSERT_EQUAL(statistics.doorbells, 100);
	rig_destroy(&rig);
}

static const struct test tests[] = {
	TEST(guest_runs_and_ends),
	TEST(hypercalls_go_and_come_back),
};
TEST_MAIN("backend_kvm", tests)
