// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-vss: has this machine's file systems at rest while its host copies the disks.
 *
 *	vmic-vss [OPTIONS]	the daemon; see daemon.h
 *	vmic-vss --dry-run	what it would freeze, in which order, and why not the rest
 *	vmic-vss --thaw-all	thaw everything, in an emergency
 */
#include "guest/ic_daemons/vss_agent_linux.h"
#include "guest/ic_daemons/vss_show_linux.h"

#include <stdlib.h>
#include <string.h>

enum {
	KEY_DRY_RUN = 0x1000,
	KEY_THAW_ALL,
	KEY_CONFIG,
	KEY_BELOW,
	KEY_WATCHDOG,
};

struct program {
	struct vss_agent agent; /* first: the component's ctx */
	bool is_dry_run;
	bool is_thaw_all;
};

static const struct argp_option options[] = {
	{"dry-run", KEY_DRY_RUN, NULL, 0, "Say what would be frozen, and end", 0},
	{"thaw-all", KEY_THAW_ALL, NULL, 0, "Thaw every file system, whoever froze it, and end", 0},
	{"config", KEY_CONFIG, "FILE", 0, "Read FILE in place of " VSS_CONFIG_PATH, 0},
	{"below", KEY_BELOW, "DIR", 0, "Freeze only what is mounted at or below DIR", 0},
	{"watchdog", KEY_WATCHDOG, "SECONDS", 0,
		"Thaw by itself after SECONDS, 1 to 3600 (60, or as configured)", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

/* As ExecStopPost= of a unit that ended in order there is nothing to make good. */
static bool is_needless(void)
{
	const char *result = getenv("SERVICE_RESULT");
	return result != NULL && strcmp(result, "success") == 0;
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct program *program = state->input;
	struct vss_keeper_options *keeper = &program->agent.options;
	char *end;
	switch (key) {
	case KEY_DRY_RUN:
		program->is_dry_run = true;
		return 0;
	case KEY_THAW_ALL:
		program->is_thaw_all = true;
		return 0;
	case KEY_CONFIG:
		keeper->config_path = value;
		keeper->is_config_demanded = true;
		return 0;
	case KEY_BELOW:
		if (value[0] != '/')
			argp_error(state, "--below: '%s' is not an absolute path", value);
		keeper->below = value;
		return 0;
	case KEY_WATCHDOG:
		keeper->watchdog_seconds = (unsigned)strtoul(value, &end, 10);
		if (*end != '\0' || value[0] < '0' || value[0] > '9' ||
			keeper->watchdog_seconds == 0 ||
			keeper->watchdog_seconds > VSS_CONFIG_SECONDS_MAX)
			argp_error(state, "--watchdog: '%s' is not a number from 1 to %u", value,
				VSS_CONFIG_SECONDS_MAX);
		return 0;
	case ARGP_KEY_END:
		if (program->is_thaw_all && is_needless())
			exit(0);
		if (program->is_thaw_all)
			exit(vss_show_thaw_all(stdout, keeper, &vss_keeper_system));
		if (program->is_dry_run)
			exit(vss_show_plan(stdout, keeper, &vss_keeper_system));
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {.options = options, .parser = on_option};

int main(int argc, char **argv)
{
	static struct program program;
	vss_agent_init(&program.agent);
	const struct daemon_component component = {
		.stem = "vss",
		.description = "Freeze this machine's file systems while its host copies the disks",
		.documentation = "What is frozen, and what is run before and after, is said "
				 "in " VSS_CONFIG_PATH ".",
		.interface_id = &guid_vss,
		.ctx = &program,
		.ic = &program.agent.ic.ic,
		.device = &vss_agent_device,
		.options = &parser,
		.start = vss_agent_start,
		.ready = vss_agent_ready,
		.on_transport = vss_agent_on_transport,
		.stop = vss_agent_stop,
		.status = vss_agent_status,
	};
	return daemon_main(argc, argv, &component);
}
