// SPDX-License-Identifier: Apache-2.0
/*
 * The way to a directory that the host names: below the administrator's directories, without
 * symbolic links, step by step. For fcopy_file_linux.c. Threads: any.
 */
#ifndef GUEST_IC_DAEMONS_FCOPY_PATH_LINUX_H
#define GUEST_IC_DAEMONS_FCOPY_PATH_LINUX_H

#include "guest/ic_daemons/fcopy_file_linux.h"

/*
 * Open the directory `path`, which fcopy_path_is_good() (O_PATH; the caller's to close). With
 * `creates`, what is missing below a root is made, with mode 0755 less the umask. Returns a
 * negative errno: -EPERM, it is not below a root; -ELOOP, a link is in the way; -ENOTDIR, a file
 * is; -ENOENT; others of the kernel, but for -EPERM, which is -EACCES then.
 */
int fcopy_path_open(const struct fcopy_file_config *config, const char *path, bool creates);

/*
 * What of `path` is below `root`, both good: the rest, without leading slashes; NULL if it is
 * elsewhere. "." and doubled slashes count for nothing.
 */
const char *fcopy_path_below(const char *root, const char *path);

#endif
