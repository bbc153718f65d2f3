// SPDX-License-Identifier: Apache-2.0
/* Command line of vmbusctl: one verb, its options, checked. Mistakes are reported here. */
#ifndef GUEST_TOOLS_VMBUSCTL_OPTIONS_H
#define GUEST_TOOLS_VMBUSCTL_OPTIONS_H

#include <stdbool.h>

struct vmbusctl_options {
	const char *root;     /* of sysfs */
	bool is_other_root;   /* root was given: not necessarily the running kernel's */
	unsigned verbosity;   /* -v */
	bool is_long;	      /* everything, for people */
	bool is_json;	      /* everything, for programs */
	bool is_monitor;      /* go on */
	unsigned interval_ms; /* between two looks at the rings; 0: no rings */
	unsigned count;	      /* looks, then end; 0: no end */
};

/* 0: go on. 1: --help was printed. -EINVAL: wrong usage, and one line about it on stderr. */
int vmbusctl_options_parse(struct vmbusctl_options *options, int argc, char **argv);

#endif
