// SPDX-License-Identifier: Apache-2.0
/* What ends the guest: shutdown on request, a crash. */
#include "tests/conformance/linux/ic.h"

#include "protocol/shutdown.h"

#include <string.h>
#include <sys/socket.h>

#define HOLD_MS 3000u

static bool has_ended(struct linux_guest *g, void *ctx)
{
	(void)ctx;
	return g->has_ended;
}

/* R-IC-017, R-SHUT-002, R-SHUT-005, R-SHUT-007: it answers, then acts, whatever the reason. */
static enum conform_verdict ends(struct conform_target *t, uint32_t flags, bool is_restart)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_SHUTDOWN);
	static struct shutdown_wire body;
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	body = (struct shutdown_wire){.reason = 0xdeadbeef, .timeout_s = 0, .flags = flags};
	memset(body.text, 'x', sizeof body.text);
	linux_ic_request(g, &ic, IC_TYPE_SHUTDOWN, &body, sizeof body);
	TRY(linux_ic_ask(channel, &ic, &answer));
	EXPECT(answer.header.status == 0, "status 0x%x", answer.header.status);
	EXPECT(memcmp(answer.body, &body, sizeof body) == 0, "the answer has another body");
	(void)linux_until(g, has_ended, NULL);
	EXPECT(g->has_ended, "it answers with success and does not act");
	EXPECT(g->has_reset == is_restart, "%s", g->end);
	return CONFORM_PASS;
}
static enum conform_verdict power_off(struct conform_target *t)
{
	return ends(t, 0, false);
}
static enum conform_verdict power_off_forced(struct conform_target *t)
{
	return ends(t, 1, false);
}
static enum conform_verdict start_anew(struct conform_target *t)
{
	return ends(t, 2, true);
}

static bool hold_unload(struct linux_guest *g, const struct linux_post *post)
{
	(void)g;
	return post->type == VMBUS_MESSAGE_UNLOAD;
}

/* R-UNL-011: crashing, it says UNLOAD, waits for the answer, and goes on when it comes. */
static enum conform_verdict crash(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	TRY(linux_ic_open(g, IC_TYPE_HEARTBEAT) != NULL);
	g->on_post = hold_unload;
	(void)send(g->serial, "0 echo c >/proc/sysrq-trigger\n", 30, 0);
	TRY(linux_await(g, VMBUS_MESSAGE_UNLOAD) != NULL);
	const uint64_t until = linux_now_ms() + HOLD_MS;
	while (linux_now_ms() < until && !g->has_ended)
		linux_turn(g, 20);
	EXPECT(!g->has_ended, "it does not wait for UNLOAD_COMPLETE: %s", g->end);
	linux_send_words(g, VMBUS_MESSAGE_UNLOAD_COMPLETE, NULL, 0);
	(void)linux_until(g, has_ended, NULL);
	EXPECT(g->has_ended, "it does not go on after UNLOAD_COMPLETE");
	EXPECT(g->crashes > 0, "it says nothing by the crash registers");
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, LINUX_BUS | LINUX_LAST, 0, 0                                     \
	}
const struct conform_test linux_last_tests[] = {
	ROW("R-IC-017", "shutdown: it answers, then powers off", power_off),
	ROW("R-SHUT-002", "shutdown by force, for a reason that is none", power_off_forced),
	ROW("R-SHUT-005", "shutdown: it answers, then starts anew", start_anew),
	ROW("R-UNL-011", "a crash: UNLOAD, and its answer is waited for", crash),
};
const size_t linux_last_test_count = sizeof linux_last_tests / sizeof *linux_last_tests;
