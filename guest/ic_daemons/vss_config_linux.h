// SPDX-License-Identifier: Apache-2.0
/*
 * The administrator's wishes for backups: /etc/viridian/vss.conf. One wish a line, words
 * separated by spaces, \NNN for odd characters as in fstab, # begins a comment:
 *
 *	skip /scratch            # file systems that are not frozen, by mount point
 *	skip type reiserfs       # or by type
 *	freeze /srv/odd          # that are, whatever their type
 *	freeze type bcachefs
 *	before /usr/local/sbin/flush-db --all    # run before freezing; absolute path, no shell
 *	after /usr/local/sbin/resume-db          # run after thawing
 *	scripts /etc/viridian/vss.d              # each run with "freeze" before, "thaw" after
 *	hook-seconds 30          # each of these may take so long
 *	watchdog-seconds 60      # thaw by itself after so long
 *
 * Owns its memory. Threads: none; one owner.
 */
#ifndef GUEST_IC_DAEMONS_VSS_CONFIG_LINUX_H
#define GUEST_IC_DAEMONS_VSS_CONFIG_LINUX_H

#include <stdbool.h>
#include <stddef.h>

#define VSS_CONFIG_PATH		    "/etc/viridian/vss.conf"
#define VSS_CONFIG_SCRIPTS	    "/etc/viridian/vss.d"
#define VSS_CONFIG_BYTES_MAX	    65536u
#define VSS_CONFIG_RULES_MAX	    256u
#define VSS_CONFIG_HOOKS_MAX	    32u
#define VSS_CONFIG_ARGUMENTS_MAX    16u /* of a hook, its path included */
#define VSS_CONFIG_HOOK_SECONDS	    30u
#define VSS_CONFIG_WATCHDOG_SECONDS 60u
#define VSS_CONFIG_SECONDS_MAX	    3600u

struct vss_rule {
	const char *name; /* a mount point, or a type */
	bool is_type;
	bool is_skip; /* else freeze */
};

struct vss_hook {
	const char *argv[VSS_CONFIG_ARGUMENTS_MAX + 1];
	bool is_before; /* else after */
};

struct vss_config {
	struct vss_rule rules[VSS_CONFIG_RULES_MAX];
	size_t rule_count;
	struct vss_hook hooks[VSS_CONFIG_HOOKS_MAX];
	size_t hook_count;
	const char *scripts; /* a folder, which need not exist */
	unsigned hook_seconds;
	unsigned watchdog_seconds;
	char *text;
};

/* The defaults: no rules, no hooks. */
void vss_config_init(struct vss_config *config);

/*
 * Read `text` (malloc'ed, `len` bytes and one of room; taken over). 0, or -EINVAL with one line for
 * a person in `error`, which names the line; *config is to be freed then too.
 */
int vss_config_parse(
	struct vss_config *config, char *text, size_t len, char *error, size_t error_bytes);

/*
 * Read a file. One that does not exist is the defaults, unless `is_demanded`. A file that others
 * than root (or this user) may write is refused. 0, or a negative errno with one line in `error`.
 */
int vss_config_read(struct vss_config *config, const char *path, bool is_demanded, char *error,
	size_t error_bytes);

void vss_config_free(struct vss_config *config);

#endif
