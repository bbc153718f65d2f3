// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus connection, walked exhaustively over the real code of both ends: scenarios in
 * which everything must hold, and seeded defects each of which must be found. See
 * model_channel.h for what is walked and what must hold.
 *
 * Each scenario bounds how often the world does something; within that it is complete. It
 * prints the states and transitions walked. A defect prints the shortest way to what is
 * wrong with it.
 */
#include "tests/model/model_channel.h"

#include "tests/harness.h"

#include <stdio.h>

/* One thread: a sanitizer of threads sees nothing here, and takes twenty times as long. */
#if defined(__SANITIZE_THREAD__)
#define IS_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IS_THREAD_SANITIZED 1
#endif
#endif
#ifndef IS_THREAD_SANITIZED
#define IS_THREAD_SANITIZED 0
#endif

/* ---- what must hold ---- */

static void walk_is_good(const struct model_scenario *scenario)
{
	if (IS_THREAD_SANITIZED) {
		test_skip("one thread, which the other builds walk");
		return;
	}
	const struct model_result result = model_walk(scenario, MODEL_SOUND, true);
	printf("  %-46s %8zu states %9zu transitions %6zu at rest, %u deep\n", scenario->name,
		result.states, result.transitions, result.rests, result.depth);
	if (result.fault != NULL)
		printf("    -> %s\n", result.fault);
	CU_ASSERT_PTR_NULL(result.fault);
	/* a model that cannot move proves nothing */
	CU_ASSERT_TRUE(result.rests > 1);
}

#define SCENARIO(NAME, ...)                                                                        \
	static void NAME(void)                                                                     \
	{                                                                                          \
		static const struct model_scenario scenario = {.name = #NAME, __VA_ARGS__};        \
		walk_is_good(&scenario);                                                           \
	}

SCENARIO(subchannel_rescinded_and_offered_again_at_6_0, .features = VMBUS_SERVER_FEATURES_DEFAULT,
	.channels = 2, .is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {
		[MODEL_OPENS] = 2, [MODEL_REMOVES] = 2, [MODEL_OFFERS] = 1, [MODEL_CREATES] = 1})
SCENARIO(offered_again_and_again_at_5_3, .host_version = VMBUS_VERSION_5_3, .channels = 1,
	.is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_OPENS] = 2, [MODEL_REMOVES] = 3, [MODEL_OFFERS] = 3})
SCENARIO(unloaded_and_connected_again_at_5_3, .host_version = VMBUS_VERSION_5_3, .channels = 2,
	.is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {
		[MODEL_CONNECTS] = 1, [MODEL_OPENS] = 2, [MODEL_UNLOADS] = 1, [MODEL_REMOVES] = 1})
SCENARIO(interrupts_moved_and_opens_refused_at_5_3, .host_version = VMBUS_VERSION_5_3,
	.channels = 2, .is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {
		[MODEL_OPENS] = 2, [MODEL_MODIFIES] = 2, [MODEL_REFUSALS] = 1, [MODEL_REMOVES] = 1})
SCENARIO(interrupts_moved_without_answer_at_4_1, .host_version = VMBUS_VERSION_4_1, .channels = 2,
	.is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_MODIFIES] = 2,
		[MODEL_UNLOADS] = 1,
		[MODEL_REMOVES] = 1})
SCENARIO(everything_a_little_at_2_4, .host_version = VMBUS_VERSION_2_4, .channels = 1,
	.is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_UNLOADS] = 1,
		[MODEL_REMOVES] = 1,
		[MODEL_OFFERS] = 1,
		[MODEL_HOLDS] = 1})
SCENARIO(everything_a_little_at_0_13, .host_version = VMBUS_VERSION_0_13, .channels = 1,
	.is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_UNLOADS] = 1,
		[MODEL_REMOVES] = 1})
SCENARIO(devices_hold_buffers_at_6_0, .channels = 1, .is_connected = true,
	.host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 2,
		[MODEL_UNLOADS] = 1,
		[MODEL_REMOVES] = 1,
		[MODEL_HOLDS] = 2})
SCENARIO(devices_answer_at_once_at_5_3, .host_version = VMBUS_VERSION_5_3, .channels = 2,
	.is_prompt = true, .is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_UNLOADS] = 1,
		[MODEL_REMOVES] = 1})
SCENARIO(deadlines_pass_at_5_3, .host_version = VMBUS_VERSION_5_3, .channels = 1,
	.is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_MODIFIES] = 1,
		[MODEL_HASTY] = 2,
		[MODEL_TIMES] = 2,
		[MODEL_REMOVES] = 1})
SCENARIO(deadlines_pass_in_an_unload_at_6_0, .channels = 1, .is_connected = true,
	.host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_UNLOADS] = 1,
		[MODEL_HASTY] = 1,
		[MODEL_TIMES] = 2,
		[MODEL_REMOVES] = 1})
SCENARIO(contacts_time_out_from_6_0_to_5_3, .host_version = VMBUS_VERSION_5_3, .channels = 1,
	.host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 3,
		[MODEL_OPENS] = 1,
		[MODEL_UNLOADS] = 2,
		[MODEL_HASTY] = 2,
		[MODEL_TIMES] = 3,
		[MODEL_CRASHES] = 1})
/* answers of these two versions look the same, and the host is not too late */
SCENARIO(contacts_are_called_off_from_5_3_to_5_2, .host_version = VMBUS_VERSION_5_2,
	.guest_version = VMBUS_VERSION_5_3, .channels = 1, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 3, [MODEL_OPENS] = 1, [MODEL_UNLOADS] = 3})
SCENARIO(guests_crash_at_5_3, .host_version = VMBUS_VERSION_5_3, .guest_version = VMBUS_VERSION_5_3,
	.channels = 2, .is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_CRASHES] = 1,
		[MODEL_REMOVES] = 1})
SCENARIO(machines_are_reset_at_6_0, .channels = 2, .is_connected = true, .host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_RESETS] = 1,
		[MODEL_REMOVES] = 1})
SCENARIO(posts_find_no_room_at_5_3, .host_version = VMBUS_VERSION_5_3, .channels = 1,
	.is_connected = true, .host_room = 1,
	.budgets = {[MODEL_OPENS] = 2,
		[MODEL_CREATES] = 1,
		[MODEL_HASTY] = 2,
		[MODEL_TIMES] = 2,
		[MODEL_UNLOADS] = 1,
		[MODEL_REMOVES] = 1})

/* ---- what must be found ---- */

/* A scenario in which every defect shows. */
static const struct model_scenario busy = {
	.name = "busy",
	.host_version = VMBUS_VERSION_5_3,
	.channels = 2,
	.is_connected = true,
	.host_room = MODEL_TO_HOST,
	.budgets = {[MODEL_CONNECTS] = 1,
		[MODEL_OPENS] = 2,
		[MODEL_UNLOADS] = 1,
		[MODEL_REMOVES] = 1,
		[MODEL_OFFERS] = 1,
		[MODEL_CREATES] = 1},
};

static void defect_is_found(const char *name, enum model_defect defect, const char *fault)
{
	printf("  %s\n", name);
	const struct model_result result = model_walk(&busy, defect, true);
	const char *found = result.fault != NULL ? result.fault : "not found";
	printf("    -> %s, after %zu states\n", found, result.states);
	CU_ASSERT_STRING_EQUAL(found, fault);
}

#define DEFECT(NAME, DEFECT, FAULT)                                                                \
	static void NAME(void)                                                                     \
	{                                                                                          \
		defect_is_found(#NAME, DEFECT, FAULT);                                             \
	}

DEFECT(finds_a_rescind_that_is_lost, MODEL_RESCIND_LOST,
	"the ends do not agree on whether a channel is open")
DEFECT(finds_an_open_answered_after_the_rescind, MODEL_OPEN_AFTER_RESCIND,
	"OPEN_CHANNEL_RESULT after RESCIND_CHANNEL_OFFER")
DEFECT(finds_a_teardown_that_is_never_confirmed, MODEL_TORNDOWN_LOST,
	"RESCIND_CHANNEL_OFFER before a GPADL_TORNDOWN that is due")
DEFECT(finds_a_relid_reused_before_its_release, MODEL_RELID_REUSED, "a relid has not one owner")
DEFECT(finds_an_unload_confirmed_too_early, MODEL_UNLOAD_EARLY,
	"UNLOAD_COMPLETE while memory of the guest is in use")
DEFECT(finds_a_guest_that_waits_for_a_rescinded_channel, MODEL_WAIT_NOT_ENDED,
	"the guest waits for ever")
DEFECT(finds_a_guest_that_takes_pages_back_too_early, MODEL_PAGES_FREED_EARLY,
	"the guest has pages back that are in a GPADL of the host")
DEFECT(finds_a_guest_that_forgets_to_release, MODEL_RELEASE_LOST,
	"a rescinded relid that nobody uses is not released")
DEFECT(finds_a_guest_that_releases_twice, MODEL_RELEASE_TWICE,
	"REL_ID_RELEASED for a relid that is not rescinded")

static const struct test tests[] = {
	TEST(subchannel_rescinded_and_offered_again_at_6_0),
	TEST(offered_again_and_again_at_5_3),
	TEST(unloaded_and_connected_again_at_5_3),
	TEST(interrupts_moved_and_opens_refused_at_5_3),
	TEST(interrupts_moved_without_answer_at_4_1),
	TEST(everything_a_little_at_2_4),
	TEST(everything_a_little_at_0_13),
	TEST(devices_hold_buffers_at_6_0),
	TEST(devices_answer_at_once_at_5_3),
	TEST(deadlines_pass_at_5_3),
	TEST(deadlines_pass_in_an_unload_at_6_0),
	TEST(contacts_time_out_from_6_0_to_5_3),
	TEST(contacts_are_called_off_from_5_3_to_5_2),
	TEST(guests_crash_at_5_3),
	TEST(machines_are_reset_at_6_0),
	TEST(posts_find_no_room_at_5_3),
	TEST(finds_a_rescind_that_is_lost),
	TEST(finds_an_open_answered_after_the_rescind),
	TEST(finds_a_teardown_that_is_never_confirmed),
	TEST(finds_a_relid_reused_before_its_release),
	TEST(finds_an_unload_confirmed_too_early),
	TEST(finds_a_guest_that_waits_for_a_rescinded_channel),
	TEST(finds_a_guest_that_takes_pages_back_too_early),
	TEST(finds_a_guest_that_forgets_to_release),
	TEST(finds_a_guest_that_releases_twice),
};
TEST_MAIN("model_channel", tests)
