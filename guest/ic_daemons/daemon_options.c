// SPDX-License-Identifier: Apache-2.0
/*
 * The options that all daemons have. See daemon_internal.h.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include "packaging/version.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_DIR "/run/viridian"

enum key {
	KEY_TRANSPORT = 0x1000,
	KEY_LOOPBACK,
	KEY_DEVICE,
	KEY_WAIT,
	KEY_USER,
	KEY_STATUS_DIR,
	KEY_NO_SANDBOX,
	KEY_SYSFS,
	KEY_DEV,
};

static const struct argp_option options_of_all[] = {
	{NULL, 0, NULL, 0, "How the host is reached:", 10},
	{"transport", KEY_TRANSPORT, "KIND", 0,
		"auto (default), device (of the kernel), uio, or loopback", 10},
	{"loopback", KEY_LOOPBACK, "SOCKET", 0,
		"be the guest of this loopback partition (vmwp run --guest SOCKET)", 10},
	{"device", KEY_DEVICE, "PATH", 0, "the kernel's device is this one", 10},
	{"wait", KEY_WAIT, NULL, 0,
		"wait for a device that is not there, instead of ending with status 0", 10},
	{"sysfs", KEY_SYSFS, "DIR", OPTION_HIDDEN, NULL, 10},
	{"dev", KEY_DEV, "DIR", OPTION_HIDDEN, NULL, 10},
	{NULL, 0, NULL, 0, "How it runs (in the foreground):", 20},
	{"user", KEY_USER, "NAME", 0, "become this user when everything is open", 20},
	{"status-dir", KEY_STATUS_DIR, "DIR", 0,
		"keep the status file there (default " STATUS_DIR
		", with --loopback none; empty: none)",
		20},
	{"no-sandbox", KEY_NO_SANDBOX, NULL, 0,
		"keep all privileges and system calls, to look for a fault", 20},
	{"verbose", 'v', NULL, 0, "say more", 20},
	{"version", 'V', NULL, 0, "print the version", -1},
	{0},
};

struct parse {
	struct daemon_options *options;
	const struct daemon_component *component;
	struct argp_child children[2];
};

static int transport_parse(const char *text, enum daemon_transport *out)
{
	*out = DAEMON_TRANSPORT_NONE;
	if (strcmp(text, "auto") == 0)
		return 0;
	for (unsigned i = 1; i < DAEMON_TRANSPORTS; i++)
		if (strcmp(text, daemon_transport_name((enum daemon_transport)i)) == 0)
			*out = (enum daemon_transport)i;
	return *out != DAEMON_TRANSPORT_NONE ? 0 : -EINVAL;
}

static void combination_check(const struct parse *parse, struct argp_state *state)
{
	const struct daemon_options *options = parse->options;
	if (options->forced == DAEMON_TRANSPORT_LOOPBACK && options->loopback == NULL)
		argp_error(state, "--transport loopback needs --loopback SOCKET");
	if (options->loopback != NULL && options->forced != DAEMON_TRANSPORT_NONE &&
		options->forced != DAEMON_TRANSPORT_LOOPBACK)
		argp_error(state, "--loopback goes with --transport loopback alone");
	if ((options->forced == DAEMON_TRANSPORT_DEVICE || options->device != NULL) &&
		parse->component->device == NULL)
		argp_error(state, "the kernel has no device for %s", parse->component->stem);
}

static error_t option_take(int key, char *value, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct daemon_options *options = parse->options;
	switch (key) {
	case ARGP_KEY_INIT:
		if (parse->component->options != NULL)
			state->child_inputs[0] = parse->component->ctx;
		return 0;
	case KEY_TRANSPORT:
		if (transport_parse(value, &options->forced) != 0)
			argp_error(state,
				"--transport: \"%s\" is not auto, device, uio or loopback", value);
		return 0;
	case KEY_LOOPBACK:
		options->loopback = value;
		return 0;
	case KEY_DEVICE:
		options->device = value;
		return 0;
	case KEY_WAIT:
		options->waits = true;
		return 0;
	case KEY_SYSFS:
		options->sysfs_root = value;
		return 0;
	case KEY_DEV:
		options->dev_root = value;
		return 0;
	case KEY_USER:
		options->user = value;
		return 0;
	case KEY_STATUS_DIR:
		options->status_dir = value;
		return 0;
	case KEY_NO_SANDBOX:
		options->has_sandbox = false;
		return 0;
	case 'v':
		options->is_verbose = true;
		return 0;
	case 'V':
		version_print(state->name);
		exit(0);
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not an option", value);
		return 0;
	case ARGP_KEY_END:
		combination_check(parse, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void daemon_options_default(struct daemon_options *options)
{
	*options = (struct daemon_options){
		.sysfs_root = "/sys",
		.dev_root = "/dev",
		.has_sandbox = true,
	};
}

int daemon_options_parse(struct daemon_options *options, const struct daemon_component *component,
	int argc, char **argv)
{
	char doc[2048];
	struct parse parse = {.options = options, .component = component};
	if (component->options != NULL)
		parse.children[0] = (struct argp_child){.argp = component->options};
	snprintf(doc, sizeof doc, "%s%s%s%s", component->description,
		component->documentation != NULL ? "\n\n" : "",
		component->documentation != NULL ? component->documentation : "",
		"\vExit status: 0 stopped, or there is nothing to serve on this machine; 1 "
		"failure; "
		"2 wrong usage.");
	const struct argp argp = {
		.options = options_of_all,
		.parser = option_take,
		.doc = doc,
		.children = component->options != NULL ? parse.children : NULL,
	};
	daemon_options_default(options);
	argp_err_exit_status = 2;
	if (argp_parse(&argp, argc, argv, 0, NULL, &parse) != 0)
		return 3;
	/* The service's file is not for one who tries a daemon by hand, as root. */
	if (options->status_dir == NULL)
		options->status_dir = options->loopback != NULL ? "" : STATUS_DIR;
	return 0;
}
