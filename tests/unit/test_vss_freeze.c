// SPDX-License-Identifier: Apache-2.0
/*
 * The board of what is frozen, with calls that fail as the kernel's do: what counts as thawed, what
 * is thawed again, and when freezing ends. And the mount that is opened is the one that was meant.
 */
#include "guest/ic_daemons/vss_freeze_linux.h"
#include "guest/ic_daemons/vss_mounts_linux.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct calls {
	struct vss_board *board;
	unsigned freezes, thaws;
	int freeze_result, thaw_result;
	int last_fd;
};

static int on_freeze(void *ctx, int fd)
{
	struct calls *calls = ctx;
	calls->last_fd = fd;
	if (++calls->freezes == 3)
		atomic_store(&calls->board->is_cancelled, true);
	return calls->freeze_result;
}

static int on_thaw(void *ctx, int fd)
{
	struct calls *calls = ctx;
	calls->last_fd = fd;
	calls->thaws++;
	return calls->thaw_result;
}

static struct vss_freeze_ops ops_of(struct calls *calls)
{
	return (struct vss_freeze_ops){.freeze = on_freeze, .thaw = on_thaw, .ctx = calls};
}

/* Somebody else's thaw came first. */
static void what_is_not_frozen_any_more_counts_as_thawed(void)
{
	struct calls calls = {.board = vss_board_create(1), .thaw_result = -EINVAL};
	const struct vss_freeze_ops ops = ops_of(&calls);
	atomic_store(&calls.board->slots[0].state, VSS_SLOT_FROZEN);
	CU_ASSERT_EQUAL(vss_thaw_all(calls.board, &ops), 0);
	CU_ASSERT_EQUAL(vss_board_count(calls.board, VSS_SLOT_THAWED), 1);
	CU_ASSERT_EQUAL(vss_thaw_all(calls.board, &ops), 0);
	CU_ASSERT_EQUAL(calls.thaws, 1);
	atomic_store(&calls.board->slots[0].state, VSS_SLOT_FROZEN);
	calls.thaw_result = -EIO;
	CU_ASSERT_EQUAL(vss_thaw_all(calls.board, &ops), 1);
	CU_ASSERT_EQUAL(vss_board_count(calls.board, VSS_SLOT_FROZEN), 1);
	vss_board_destroy(calls.board);
}

/* It may have frozen, and its process have died before it could say so. */
static void what_was_being_frozen_is_thawed_and_stays_its_process_matter(void)
{
	struct calls calls = {.board = vss_board_create(3)};
	const struct vss_freeze_ops ops = ops_of(&calls);
	atomic_store(&calls.board->slots[0].state, VSS_SLOT_OTHERS);
	atomic_store(&calls.board->slots[1].state, VSS_SLOT_TRYING);
	/* While its process is at it, the kernel would let us wait. */
	CU_ASSERT_EQUAL(vss_thaw_all(calls.board, &ops), 0);
	CU_ASSERT_EQUAL(calls.thaws, 0);
	atomic_store(&calls.board->is_done, true);
	CU_ASSERT_EQUAL(vss_thaw_all(calls.board, &ops), 0);
	CU_ASSERT_EQUAL(calls.thaws, 1);
	CU_ASSERT_EQUAL(vss_board_count(calls.board, VSS_SLOT_TRYING), 1);
	CU_ASSERT_EQUAL(vss_thaw_all(calls.board, &ops), 0);
	CU_ASSERT_EQUAL(calls.thaws, 2);
	vss_board_destroy(calls.board);
}

static void an_interrupted_freeze_is_tried_again_until_it_is_cancelled(void)
{
	struct calls calls = {.board = vss_board_create(2), .freeze_result = -EINTR};
	const struct vss_freeze_ops ops = ops_of(&calls);
	CU_ASSERT_FALSE(vss_freeze_all(calls.board, &ops));
	CU_ASSERT_EQUAL(calls.freezes, 3);
	CU_ASSERT_EQUAL(atomic_load(&calls.board->slots[0].error), EINTR);
	CU_ASSERT_EQUAL(vss_board_count(calls.board, VSS_SLOT_WAITING), 1);
	vss_board_destroy(calls.board);
}

/* Each call is noted; that of descriptor `at` gives `result`, as often as it is to. */
struct script {
	struct vss_board *board;
	int frozen[8], thawed[8];
	unsigned freezes, thaws;
	int at, result;
	unsigned times;
	bool cancels;
};

static int script_freeze(void *ctx, int fd)
{
	struct script *script = ctx;
	if (script->freezes < 8)
		script->frozen[script->freezes] = fd;
	script->freezes++;
	if (script->cancels)
		atomic_store(&script->board->is_cancelled, true);
	return fd == script->at ? script->result : 0;
}

static int script_thaw(void *ctx, int fd)
{
	struct script *script = ctx;
	if (script->thaws < 8)
		script->thawed[script->thaws] = fd;
	script->thaws++;
	if (fd == script->at && script->times > 0) {
		script->times--;
		return script->result;
	}
	return 0;
}

static struct vss_freeze_ops script_ops(struct script *script)
{
	script->board = vss_board_create(4);
	if (script->board == NULL)
		abort();
	for (int i = 0; i < 4; i++)
		script->board->slots[i].fd = 100 + i;
	return (struct vss_freeze_ops){.freeze = script_freeze, .thaw = script_thaw, .ctx = script};
}

static void script_end(struct script *script)
{
	for (size_t i = 0; i < script->board->count; i++)
		script->board->slots[i].fd = -1; /* none of ours */
	vss_board_destroy(script->board);
}

/* R-VSS-004: last to first, all of them. */
static void what_was_frozen_last_is_thawed_first(void)
{
	struct script script = {.at = -1};
	const struct vss_freeze_ops ops = script_ops(&script);
	CU_ASSERT_TRUE(vss_freeze_all(script.board, &ops));
	CU_ASSERT_EQUAL(vss_thaw_all(script.board, &ops), 0);
	CU_ASSERT_EQUAL(script.thaws, 4);
	for (int i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(script.frozen[i], 100 + i);
		CU_ASSERT_EQUAL(script.thawed[i], 103 - i);
	}
	script_end(&script);
}

/* R-VSS-003: a signal is no reason to leave it frozen. */
static void an_interrupted_thaw_is_tried_again(void)
{
	struct script script = {.at = 102, .times = 3};
	const struct vss_freeze_ops ops = script_ops(&script);
	CU_ASSERT_TRUE(vss_freeze_all(script.board, &ops));
	script.result = -EINTR;
	CU_ASSERT_EQUAL(vss_thaw_all(script.board, &ops), 0);
	CU_ASSERT_EQUAL(script.thaws, 7);
	CU_ASSERT_EQUAL(vss_board_count(script.board, VSS_SLOT_THAWED), 4);
	script_end(&script);
}

static void what_somebody_else_has_frozen_is_left_to_them(void)
{
	struct script script = {.at = 101, .result = -EBUSY};
	const struct vss_freeze_ops ops = script_ops(&script);
	CU_ASSERT_TRUE(vss_freeze_all(script.board, &ops));
	CU_ASSERT_EQUAL(vss_board_count(script.board, VSS_SLOT_OTHERS), 1);
	CU_ASSERT_EQUAL(vss_thaw_all(script.board, &ops), 0);
	CU_ASSERT_EQUAL(script.thaws, 3);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_NOT_EQUAL(script.thawed[i], 101);
	script_end(&script);
}

/* R-VSS-004. */
static void nothing_more_is_frozen_once_it_is_cancelled(void)
{
	struct script script = {.at = -1, .cancels = true};
	const struct vss_freeze_ops ops = script_ops(&script);
	CU_ASSERT_FALSE(vss_freeze_all(script.board, &ops));
	CU_ASSERT_EQUAL(script.freezes, 1);
	CU_ASSERT_EQUAL(vss_board_count(script.board, VSS_SLOT_WAITING), 3);
	script_end(&script);
}

/* Something was mounted over it since the table was read. */
static void a_mount_that_is_covered_is_not_opened(void)
{
	struct statx st;
	char root[] = "/";
	CU_ASSERT_EQUAL_FATAL(statx(AT_FDCWD, root, 0, STATX_MNT_ID, &st), 0);
	if ((st.stx_mask & STATX_MNT_ID) == 0)
		return;
	struct vss_mount mount = {.point = root, .id = (unsigned)st.stx_mnt_id};
	const int fd = vss_mount_open(&mount);
	CU_ASSERT_TRUE(fd >= 0);
	close(fd);
	mount.id++;
	CU_ASSERT_EQUAL(vss_mount_open(&mount), -ESTALE);
}

static const struct test tests[] = {
	TEST(what_is_not_frozen_any_more_counts_as_thawed),
	TEST(what_was_being_frozen_is_thawed_and_stays_its_process_matter),
	TEST(an_interrupted_freeze_is_tried_again_until_it_is_cancelled),
	TEST(what_was_frozen_last_is_thawed_first),
	TEST(an_interrupted_thaw_is_tried_again),
	TEST(what_somebody_else_has_frozen_is_left_to_them),
	TEST(nothing_more_is_frozen_once_it_is_cancelled),
	TEST(a_mount_that_is_covered_is_not_opened),
};

TEST_MAIN("vss_freeze", tests)
