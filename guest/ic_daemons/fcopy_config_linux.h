// SPDX-License-Identifier: Apache-2.0
/*
 * /etc/viridian/fcopy.conf: where the host may copy files to, and their mode.
 *
 *	# one setting a line
 *	root /var/lib/viridian/fcopy
 *	root /srv/incoming
 *	mode 0644
 *
 * Threads: any.
 */
#ifndef GUEST_IC_DAEMONS_FCOPY_CONFIG_LINUX_H
#define GUEST_IC_DAEMONS_FCOPY_CONFIG_LINUX_H

#include "guest/ic_daemons/fcopy_file_linux.h"

#define FCOPY_CONFIG_PATH	"/etc/viridian/fcopy.conf"
#define FCOPY_CONFIG_LINE_BYTES 4608u
#define FCOPY_CONFIG_LINES_MAX	1000u

/* Without a word of the administrator: a directory of the service's own. */
#define FCOPY_CONFIG_ROOT   "/var/lib/viridian/fcopy"
#define FCOPY_CONFIG_RECORD "/var/lib/viridian/fcopy-state/partial"

/*
 * Add what the file at `path` says. 0; -ENOENT: there is none; or another negative errno, with
 * the reason in `why` (`size` bytes), file and line included.
 */
int fcopy_config_read(struct fcopy_file_config *config, const char *path, char *why, size_t size);

/* An octal mode up to 0777: 0, or -EINVAL. */
int fcopy_config_mode(const char *text, mode_t *mode);

#endif
