// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-shutdown's component. See shutdown_daemon_linux.h.
 */
#include "guest/ic_daemons/shutdown_daemon_linux.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SHOWN_BYTES 256u
#define HOOK_TIMEOUT_S	 30u
#define HOOK_SAID_BYTES	 512u

/* What the daemon asks its helper for. */
struct request {
	uint32_t action;
	uint32_t is_forced;
	uint32_t is_process;		     /* the machine is this daemon: no act */
	char message[TEXT_SHOWN_BYTES + 96]; /* ended by NUL */
};

void shutdown_order_describe(const struct shutdown_order *order, char *out, size_t bytes)
{
	char text[TEXT_SHOWN_BYTES];
	size_t len = 0;
	for (; len < sizeof text - 1 && order->text[len] != '\0'; len++) {
		const char c = order->text[len];
		text[len] = c >= ' ' && c < 0x7F ? c : '?';
	}
	text[len] = '\0';
	snprintf(out, bytes, "the host asks for %s%s%s%s%s", shutdown_act_name(order->action),
		order->is_forced ? ", forced" : "",
		(order->reason & SHUTDOWN_REASON_PLANNED) != 0 ? " (planned)" : "",
		len > 0 ? ": " : "", text);
}

/* ---- the helper ---------------------------------------------------------- */

static void hook_run(
	const struct shutdown_daemon *shutdown, const char *hook, const struct request *request)
{
	char action[64];
	char forced[64];
	char output[HOOK_SAID_BYTES];
	const char *const argv[] = {
		hook, shutdown_act_name((enum shutdown_action)request->action), NULL};
	const char *const envp[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", action, forced, NULL};
	snprintf(action, sizeof action, "VIRIDIAN_ACTION=%s", argv[1]);
	snprintf(forced, sizeof forced, "VIRIDIAN_FORCED=%u", request->is_forced != 0);
	const int status = daemon_execute(
		argv, envp, shutdown->hook_timeout_s, output, sizeof output);
	if (status < 0)
		daemon_log(LOG_WARNING, "%s: %s", hook,
			status == -ETIMEDOUT ? "took too long and was ended" : strerror(-status));
	else if (status != 0)
		daemon_log(LOG_WARNING, "%s ended with status %d: %s", hook, status, output);
}

/* As shutdown_order_describe() makes it: all users' terminals will show it. */
static bool message_is_good(const char message[sizeof((struct request *)0)->message])
{
	const char *end = memchr(message, '\0', sizeof((struct request *)0)->message);
	for (const char *c = message; end != NULL && c < end; c++)
		if (*c < ' ' || *c >= 0x7F)
			return false;
	return end != NULL;
}

/* A hook cannot stop it: the host was promised. Who asks is judged anew: it is less trusted. */
static ssize_t serve(
	void *ctx, const void *bytes, size_t len, void *reply, size_t reply_max, int *fd)
{
	const struct shutdown_daemon *shutdown = ctx;
	struct request request;
	char *how = reply;
	(void)fd;
	if (len != sizeof request || reply_max < TEXT_SHOWN_BYTES)
		return -EINVAL;
	memcpy(&request, bytes, sizeof request);
	if (request.action >= SHUTDOWN_ACTION_COUNT || !message_is_good(request.message))
		return -EINVAL;
	if ((shutdown->allowed & SHUTDOWN_IC_CAN(request.action)) == 0)
		return -EPERM;
	for (unsigned i = 0; i < shutdown->hook_count; i++)
		hook_run(shutdown, shutdown->hooks[i], &request);
	if (request.is_process) {
		snprintf(how, TEXT_SHOWN_BYTES, "the end of this process");
		return (ssize_t)strlen(how) + 1;
	}
	const int error = shutdown_act(&shutdown->act, (enum shutdown_action)request.action,
		request.message, how, TEXT_SHOWN_BYTES);
	if (error != 0) {
		daemon_log(LOG_ERR, "cannot %s: %s",
			shutdown_act_name((enum shutdown_action)request.action), how);
		return error;
	}
	return (ssize_t)strlen(how) + 1;
}

/* Root without its privileges is still root to logind and init, which do the work. */
static const int helper_capabilities[] = {CAP_SYS_BOOT, -1};
static const struct daemon_helper helper = {.capabilities = helper_capabilities, .serve = serve};

/* ---- component ----------------------------------------------------------- */

static void on_done(void *ctx, ssize_t result, const void *reply, int fd)
{
	struct shutdown_daemon *shutdown = ctx;
	if (fd >= 0)
		close(fd);
	shutdown->is_acting = false;
	if (result > 0) {
		shutdown->done++;
		snprintf(shutdown->last, sizeof shutdown->last, "%s by %.100s",
			shutdown->act.is_dry_run ? "would be done" : "begun", (const char *)reply);
	} else {
		shutdown->failed++;
		snprintf(shutdown->last, sizeof shutdown->last, "failed: %s",
			strerror((int)-result));
	}
	daemon_log(result > 0 ? LOG_NOTICE : LOG_ERR, "%s", shutdown->last);
	daemon_status_touch(shutdown->daemon);
	if (daemon_transport_now(shutdown->daemon) == DAEMON_TRANSPORT_LOOPBACK)
		daemon_quit(shutdown->daemon, 0);
}

static void order_pass(struct shutdown_daemon *shutdown, const struct shutdown_order *order)
{
	struct request request = {
		.action = (uint32_t)order->action,
		.is_forced = order->is_forced,
		.is_process = daemon_transport_now(shutdown->daemon) == DAEMON_TRANSPORT_LOOPBACK,
	};
	shutdown_order_describe(order, request.message, sizeof request.message);
	daemon_log(LOG_NOTICE, "%s", request.message);
	const int error = daemon_helper_call(
		shutdown->daemon, &request, sizeof request, on_done, shutdown);
	if (error != 0)
		on_done(shutdown, error, NULL, -1);
	else
		shutdown->is_acting = true;
}

/* The answer to the host is on its way by now (R-IC-017). */
static void on_turn(void *ctx, struct daemon *daemon)
{
	struct shutdown_daemon *shutdown = ctx;
	struct shutdown_order order;
	(void)daemon;
	if (!shutdown->is_acting && shutdown_ic_take(&shutdown->ic, &order))
		order_pass(shutdown, &order);
}

static int start(void *ctx, struct daemon *daemon)
{
	struct shutdown_daemon *shutdown = ctx;
	shutdown->daemon = daemon;
	for (unsigned i = 0; i < shutdown->hook_count; i++) {
		if (shutdown->hooks[i][0] == '/' && access(shutdown->hooks[i], X_OK) == 0)
			continue;
		daemon_log(LOG_ERR, "--run %s: %s", shutdown->hooks[i],
			shutdown->hooks[i][0] == '/' ? strerror(errno) : "give an absolute path");
		return -EINVAL;
	}
	shutdown->ic.actions = shutdown->allowed;
	if (!shutdown_act_can_hibernate(shutdown->act.root))
		shutdown->ic.actions &= ~SHUTDOWN_IC_CAN(SHUTDOWN_HIBERNATE);
	return 0;
}

static void status(void *ctx, json_t *object)
{
	const struct shutdown_daemon *shutdown = ctx;
	json_t *can = json_array();
	for (unsigned i = 0; i < SHUTDOWN_ACTION_COUNT; i++)
		if ((shutdown->ic.actions & SHUTDOWN_IC_CAN(i)) != 0)
			json_array_append_new(
				can, json_string(shutdown_act_name((enum shutdown_action)i)));
	json_object_set_new(object, "can", can);
	json_object_set_new(object, "accepted", json_integer((json_int_t)shutdown->ic.accepted));
	json_object_set_new(object, "refused", json_integer((json_int_t)shutdown->ic.refused));
	json_object_set_new(object, "done", json_integer((json_int_t)shutdown->done));
	json_object_set_new(object, "failed", json_integer((json_int_t)shutdown->failed));
	json_object_set_new(object, "last",
		shutdown->last[0] != '\0' ? json_string(shutdown->last) : json_null());
}

/* ---- options ------------------------------------------------------------- */

enum key { KEY_ALLOW = 0x2000, KEY_RUN, KEY_RUN_TIMEOUT, KEY_DRY_RUN, KEY_NO_LOGIND };

static const struct argp_option option_rows[] = {
	{"allow", KEY_ALLOW, "LIST", 0,
		"what the host may ask for: poweroff, restart, hibernate, with commas (default: "
		"all)",
		0},
	{"run", KEY_RUN, "PROGRAM", 0,
		"run this first, with the action as its argument; may be given 8 times", 0},
	{"run-timeout", KEY_RUN_TIMEOUT, "SECONDS", 0, "the longest that one may take (30)", 0},
	{"no-logind", KEY_NO_LOGIND, NULL, 0, "use the programs of /sbin alone", 0},
	{"dry-run", KEY_DRY_RUN, NULL, 0, "run what --run says, and then do nothing", 0},
	{0},
};

/* False: a word that is none. */
static bool allow_parse(const char *list, unsigned *out)
{
	static const char *const words[SHUTDOWN_ACTION_COUNT] = {
		[SHUTDOWN_POWER_OFF] = "poweroff",
		[SHUTDOWN_RESTART] = "restart",
		[SHUTDOWN_HIBERNATE] = "hibernate",
	};
	unsigned allowed = 0;
	for (;;) {
		const size_t len = strcspn(list, ",");
		unsigned i = 0;
		while (i < SHUTDOWN_ACTION_COUNT &&
			(strlen(words[i]) != len || strncmp(words[i], list, len) != 0))
			i++;
		if (i == SHUTDOWN_ACTION_COUNT)
			return false;
		allowed |= SHUTDOWN_IC_CAN(i);
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	*out = allowed;
	return true;
}

static error_t option_take(int key, char *value, struct argp_state *state)
{
	struct shutdown_daemon *shutdown = state->input;
	char *end;
	unsigned long seconds;
	switch (key) {
	case KEY_ALLOW:
		if (!allow_parse(value, &shutdown->allowed))
			argp_error(state,
				"--allow: \"%s\" is not a list of poweroff, restart, hibernate",
				value);
		return 0;
	case KEY_RUN:
		if (shutdown->hook_count == SHUTDOWN_HOOKS_MAX)
			argp_error(state, "--run: at most %u", SHUTDOWN_HOOKS_MAX);
		else
			shutdown->hooks[shutdown->hook_count++] = value;
		return 0;
	case KEY_RUN_TIMEOUT:
		seconds = strtoul(value, &end, 10);
		if (end == value || *end != '\0' || seconds < 1 || seconds > 3600)
			argp_error(state, "--run-timeout: \"%s\" is not a number from 1 to 3600",
				value);
		shutdown->hook_timeout_s = (unsigned)seconds;
		return 0;
	case KEY_DRY_RUN:
		shutdown->act.is_dry_run = true;
		return 0;
	case KEY_NO_LOGIND:
		shutdown->act.has_no_logind = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp options = {.options = option_rows, .parser = option_take};

void shutdown_daemon_init(struct shutdown_daemon *shutdown, struct daemon_component *component)
{
	memset(shutdown, 0, sizeof *shutdown);
	shutdown->act.root = "";
	shutdown->hook_timeout_s = HOOK_TIMEOUT_S;
	shutdown->allowed = SHUTDOWN_IC_CAN(SHUTDOWN_POWER_OFF) |
			    SHUTDOWN_IC_CAN(SHUTDOWN_RESTART) | SHUTDOWN_IC_CAN(SHUTDOWN_HIBERNATE);
	shutdown_ic_init(&shutdown->ic, shutdown->allowed);
	*component = (struct daemon_component){
		.stem = "shutdown",
		.description =
			"Powers off, restarts or hibernates this machine when its host asks.",
		.interface_id = &guid_shutdown,
		.ctx = shutdown,
		.ic = &shutdown->ic.ic,
		.options = &options,
		.helper = &helper,
		.start = start,
		.on_turn = on_turn,
		.status = status,
	};
}
