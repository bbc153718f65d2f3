// SPDX-License-Identifier: Apache-2.0
/*
 * The reference for a disk through FUSE: a file system of libfuse's low-level API with
 * one file, "disk", whose reads and writes are passed to a file, spliced, without the
 * page cache. It does nothing else, so it shows what the transport costs.
 */
#ifndef TESTS_PERFORMANCE_PASSTHROUGH_H
#define TESTS_PERFORMANCE_PASSTHROUGH_H

#include "tests/performance/sandbox.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Fork it, serving `path` on the folder `mount_point`, which exists. is_direct: O_DIRECT on
 * `path`. The pid, or -1 after a message. End it with process_stop().
 */
pid_t passthrough_start(const char *path, bool is_direct, const char *mount_point);

#endif
