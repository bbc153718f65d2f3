// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination as a component of a daemon. See vss_agent_linux.h.
 */
#include "guest/ic_daemons/vss_agent_linux.h"

#include "guest/ic_daemons/vss_device_linux.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STOP_MS 10000 /* for the keeper to thaw at the end */

/* ---- questions -------------------------------------------------------------------------- */

static void question_drop(struct vss_agent *agent, size_t at)
{
	agent->question_count--;
	memmove(&agent->questions[at], &agent->questions[at + 1],
		(agent->question_count - at) * sizeof agent->questions[0]);
}

/* The keeper is asked; false: it cannot be. */
static bool ask(struct vss_agent *agent, enum vss_asker asker, enum vss_ask what)
{
	const uint32_t number = what;
	if (agent->keeper < 0 || agent->question_count == VSS_AGENT_QUESTIONS_MAX)
		return false;
	if (send(agent->keeper, &number, sizeof number, MSG_DONTWAIT | MSG_NOSIGNAL) !=
		(ssize_t)sizeof number)
		return false;
	/* Nothing may be said from now on until the keeper's last word. */
	if (what == VSS_ASK_FREEZE && !agent->is_quiet) {
		agent->is_quiet = true;
		daemon_quiet(agent->daemon, true);
	}
	agent->questions[agent->question_count].asker = asker;
	agent->questions[agent->question_count++].ask = what;
	return true;
}

static uint32_t begin(struct vss_agent *agent, enum vss_asker asker, uint8_t operation)
{
	enum vss_ask what;
	switch (operation) {
	case VSS_HOT_BACKUP:
		what = VSS_ASK_CHECK;
		break;
	case VSS_FREEZE:
		what = VSS_ASK_FREEZE;
		break;
	case VSS_THAW:
		what = VSS_ASK_THAW;
		break;
	default:
		agent->refused++;
		return IC_STATUS_FAIL;
	}
	return ask(agent, asker, what) ? IC_GUEST_LATER : IC_STATUS_FAIL;
}

static void forget(struct vss_agent *agent, enum vss_asker asker)
{
	for (size_t i = 0; i < agent->question_count; i++) {
		if (agent->questions[i].asker == asker)
			agent->questions[i].asker = VSS_ASKER_NOBODY;
	}
}

static uint32_t on_channel(void *ctx, uint8_t operation)
{
	return begin(ctx, VSS_ASKER_CHANNEL, operation);
}

static void on_channel_forget(void *ctx)
{
	forget(ctx, VSS_ASKER_CHANNEL);
}

static const struct vss_ic_ops channel_ops = {.begin = on_channel, .forget = on_channel_forget};

/* ---- the kernel's device ---------------------------------------------------------------- */

static void device_reply(struct vss_agent *agent, uint32_t status)
{
	const struct vss_device_record_wire record = vss_device_answer(status);
	(void)daemon_reply(agent->daemon, &record, sizeof record);
}

static void on_record(void *ctx, struct daemon *daemon, const uint8_t *record, size_t len)
{
	struct vss_agent *agent = ctx;
	uint8_t operation = 0;
	(void)daemon;
	switch (vss_device_read(record, len, &operation)) {
	case VSS_DEVICE_WELCOME:
		daemon_log(LOG_DEBUG, "the kernel knows us");
		return;
	case VSS_DEVICE_BAD:
		daemon_log(
			LOG_WARNING, "the kernel sent a record of %zu bytes: not understood", len);
		return;
	case VSS_DEVICE_REQUEST:
		break;
	}
	const uint32_t status = begin(agent, VSS_ASKER_DEVICE, operation);
	if (status != IC_GUEST_LATER)
		device_reply(agent, status);
}

static void on_device_close(void *ctx)
{
	forget(ctx, VSS_ASKER_DEVICE);
}

const struct daemon_device vss_agent_device = {
	.path = VSS_DEVICE_PATH,
	.record_bytes_max = VSS_DEVICE_RECORD_BYTES,
	.greeting = &vss_device_greeting,
	.greeting_bytes = sizeof vss_device_greeting,
	.on_record = on_record,
	.on_close = on_device_close,
};

/* ---- answers ---------------------------------------------------------------------------- */

static void note(struct vss_agent *agent, const struct vss_said *said)
{
	switch (said->ask) {
	case VSS_ASK_FREEZE:
		if (!said->is_ok)
			break;
		agent->freezes++;
		agent->is_frozen = true;
		agent->file_systems = said->frozen;
		agent->left_out = said->left_out;
		agent->freezing_ms = said->milliseconds;
		daemon_log(LOG_NOTICE, "froze %u file system%s in %llu ms, left out %u",
			said->frozen, said->frozen == 1 ? "" : "s",
			(unsigned long long)said->milliseconds, said->left_out);
		return;
	case VSS_ASK_THAW:
		if (!said->is_ok)
			break;
		agent->thaws++;
		if (agent->is_frozen) {
			agent->frozen_ms = said->milliseconds;
			daemon_log(LOG_NOTICE, "thawed, after %llu ms",
				(unsigned long long)said->milliseconds);
		}
		agent->is_frozen = false;
		return;
	default:
		if (said->is_ok)
			return;
		break;
	}
	agent->refused++;
	snprintf(agent->problem, sizeof agent->problem, "%s", said->text);
	daemon_log(LOG_ERR, "%s: %s",
		said->ask == VSS_ASK_FREEZE ? "freeze"
		: said->ask == VSS_ASK_THAW ? "thaw"
					    : "check",
		said->text);
}

static void on_answer(struct vss_agent *agent, const struct vss_said *said)
{
	size_t at = 0;
	while (at < agent->question_count && agent->questions[at].ask != (enum vss_ask)said->ask)
		at++;
	if (at == agent->question_count)
		return;
	const enum vss_asker asker = agent->questions[at].asker;
	question_drop(agent, at);
	note(agent, said);
	if (asker == VSS_ASKER_CHANNEL)
		vss_ic_finish(&agent->ic, said->is_ok != 0);
	else if (asker == VSS_ASKER_DEVICE)
		device_reply(agent, said->is_ok ? IC_STATUS_SUCCESS : IC_STATUS_FAIL);
	daemon_status_touch(agent->daemon);
}

static void quiet_end(struct vss_agent *agent)
{
	agent->is_frozen = false;
	if (!agent->is_quiet)
		return;
	agent->is_quiet = false;
	daemon_quiet(agent->daemon, false);
	daemon_status_touch(agent->daemon);
}

static void on_said(struct vss_agent *agent, struct vss_said *said)
{
	said->text[sizeof said->text - 1] = '\0';
	switch (said->kind) {
	case VSS_SAID_ANSWER:
		on_answer(agent, said);
		return;
	case VSS_SAID_LOG:
		daemon_log(said->priority, "%s", said->text);
		return;
	case VSS_SAID_EXPIRED:
		agent->expired++;
		agent->frozen_ms = said->milliseconds;
		snprintf(agent->problem, sizeof agent->problem, "%s", said->text);
		daemon_log(LOG_ERR, "%s, after %llu ms; the host's copy is not consistent",
			said->text, (unsigned long long)said->milliseconds);
		return;
	case VSS_SAID_IDLE:
		quiet_end(agent);
		return;
	default:
		return;
	}
}

/* It thaws by itself then; a new daemon has a new one. */
static void on_keeper_lost(struct vss_agent *agent)
{
	daemon_watch_remove(agent->daemon, &agent->watch);
	close(agent->keeper);
	agent->keeper = -1;
	quiet_end(agent);
	for (; agent->question_count > 0; question_drop(agent, 0)) {
		if (agent->questions[0].asker == VSS_ASKER_CHANNEL)
			vss_ic_finish(&agent->ic, false);
		else if (agent->questions[0].asker == VSS_ASKER_DEVICE)
			device_reply(agent, IC_STATUS_FAIL);
	}
	daemon_log(LOG_CRIT, "the process that freezes has died: ending, to be started again");
	daemon_quit(agent->daemon, 1);
}

static void on_keeper(void *ctx, uint32_t events)
{
	struct vss_agent *agent = ctx;
	struct vss_said said;
	(void)events;
	while (agent->keeper >= 0) {
		const ssize_t n = recv(agent->keeper, &said, sizeof said, MSG_DONTWAIT);
		if (n == (ssize_t)sizeof said)
			on_said(agent, &said);
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		else
			on_keeper_lost(agent);
	}
}

/* ---- life ------------------------------------------------------------------------------- */

void vss_agent_init(struct vss_agent *agent)
{
	memset(agent, 0, sizeof *agent);
	agent->keeper = -1;
	agent->options.config_path = VSS_CONFIG_PATH;
	vss_ic_init(&agent->ic, &channel_ops, agent);
}

int vss_agent_start(void *ctx, struct daemon *daemon)
{
	struct vss_agent *agent = ctx;
	struct vss_config config;
	char problem[VSS_KEEPER_TEXT_BYTES];
	agent->daemon = daemon;
	/* Better now than at the first backup. */
	int error = vss_config_read(&config, agent->options.config_path,
		agent->options.is_config_demanded, problem, sizeof problem);
	if (error != 0) {
		daemon_log(LOG_ERR, "%s", problem);
		return error;
	}
	vss_config_free(&config);
	error = vss_keeper_start(&agent->options,
		agent->ops != NULL ? agent->ops : &vss_keeper_system, &agent->keeper,
		&agent->keeper_pid);
	if (error != 0)
		daemon_log(LOG_ERR, "no process to freeze with: %s", strerror(-error));
	return error;
}

int vss_agent_ready(void *ctx, struct daemon *daemon)
{
	struct vss_agent *agent = ctx;
	return daemon_watch_add(daemon, &agent->watch, agent->keeper, EPOLLIN, on_keeper, agent);
}

void vss_agent_on_transport(void *ctx, enum daemon_transport transport)
{
	struct vss_agent *agent = ctx;
	if (transport != DAEMON_TRANSPORT_NONE || !agent->is_quiet)
		return;
	if (!ask(agent, VSS_ASKER_NOBODY, VSS_ASK_THAW))
		daemon_quit(agent->daemon, 1); /* the keeper thaws when we are gone */
}

/* The keeper ends when it hears nothing more, and thaws first: wait for that. */
void vss_agent_stop(void *ctx, struct daemon *daemon)
{
	struct vss_agent *agent = ctx;
	struct vss_said said;
	if (agent->keeper < 0)
		return;
	daemon_watch_remove(daemon, &agent->watch);
	(void)shutdown(agent->keeper, SHUT_WR);
	const uint64_t deadline = daemon_now_ms() + STOP_MS;
	for (uint64_t now = daemon_now_ms(); now < deadline; now = daemon_now_ms()) {
		struct pollfd wait = {.fd = agent->keeper, .events = POLLIN};
		if (poll(&wait, 1, (int)(deadline - now)) <= 0)
			continue;
		const ssize_t n = recv(agent->keeper, &said, sizeof said, MSG_DONTWAIT);
		if (n == (ssize_t)sizeof said)
			on_said(agent, &said);
		else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
	}
	close(agent->keeper);
	agent->keeper = -1;
	quiet_end(agent);
}

void vss_agent_status(void *ctx, json_t *object)
{
	const struct vss_agent *agent = ctx;
	json_object_set_new(object, "frozen", json_boolean(agent->is_frozen));
	json_object_set_new(object, "freezes", json_integer((json_int_t)agent->freezes));
	json_object_set_new(object, "thaws", json_integer((json_int_t)agent->thaws));
	json_object_set_new(object, "refused", json_integer((json_int_t)agent->refused));
	json_object_set_new(object, "expired", json_integer((json_int_t)agent->expired));
	json_object_set_new(object, "file_systems", json_integer(agent->file_systems));
	json_object_set_new(object, "left_out", json_integer(agent->left_out));
	json_object_set_new(object, "freezing_ms", json_integer((json_int_t)agent->freezing_ms));
	json_object_set_new(object, "frozen_ms", json_integer((json_int_t)agent->frozen_ms));
	json_object_set_new(object, "last_problem",
		agent->problem[0] != '\0' ? json_string(agent->problem) : json_null());
}
