// SPDX-License-Identifier: Apache-2.0
/* What the files that parse the command line share. For options*.c alone. */
#ifndef HOST_VMWP_OPTIONS_INTERNAL_H
#define HOST_VMWP_OPTIONS_INTERNAL_H

#include "host/vmwp/options.h"

/* One line on stderr. Returns -1. */
int options_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A decimal number in a range. 0, or -1 after a complaint about `what`. */
int options_number_parse(
	const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *out);

/*
 * Cut `text` at its first single comma; ",," before that becomes one comma, in place. Returns
 * what follows, or NULL.
 */
char *options_path_cut(char *text);

/* Take one more --disk, --dvd or --ram-disk. 0, or -1 after a complaint. */
int options_disk_add(struct options *options, const char *what, enum disk_kind kind, char *text);

/*
 * Give addresses to the disks that have none: the lowest target of controller 0 that nobody uses;
 * on KVM the lowest LUN of its target 0, because Linux looks for disks at targets 0 and 1 only.
 */
void options_disks_place(struct options *options);

/* Take --services. 0, or -1 after a complaint. */
int options_services_parse(const char *text, struct options *options);

/* Take --name and --id. 0, or -1 after a complaint. */
int options_name_parse(const char *text, struct options *options);
int options_id_parse(const char *text, struct options *options);

/* Check what only makes sense together, and set what follows from it. 0, or -1. */
int options_check(struct options *options);

#endif
