// SPDX-License-Identifier: Apache-2.0
/* Command line of vmbusctl: one verb, its options, checked. Mistakes are reported here. */
#ifndef GUEST_TOOLS_VMBUSCTL_OPTIONS_H
#define GUEST_TOOLS_VMBUSCTL_OPTIONS_H

#include <stdbool.h>

enum vmbusctl_verb {
	VMBUSCTL_LIST,
	VMBUSCTL_STATUS,
	VMBUSCTL_BIND,
	VMBUSCTL_UNBIND,
	VMBUSCTL_LSVMBUS, /* list, as that program takes its options */
};

struct vmbusctl_options {
	enum vmbusctl_verb verb;
	const char *root;     /* of sysfs */
	bool is_other_root;   /* root was given: not necessarily the running kernel's */
	const char *proc;     /* of procfs */
	const char *run;      /* where the daemons leave their status */
	unsigned verbosity;   /* -v */
	bool is_long;	      /* everything, for people */
	bool is_json;	      /* everything, for programs */
	bool is_monitor;      /* go on */
	unsigned interval_ms; /* between two looks at the rings; 0: no rings */
	unsigned count;	      /* looks, then end; 0: no end */
	bool is_forced;	      /* take a device that is in use */
	bool is_if_free;      /* leave a device that has a driver */
	const char *device;   /* of bind and unbind */
	const char *driver;   /* of bind; NULL: the kernel's choice */
};

/*
 * 0: go on. 1: --help or --version was printed. -EINVAL: wrong usage, and one line about it on
 * stderr. Called as lsvmbus (argv[0]), no verb is needed.
 */
int vmbusctl_options_parse(struct vmbusctl_options *options, int argc, char **argv);

#endif
