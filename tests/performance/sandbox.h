// SPDX-License-Identifier: Apache-2.0
/*
 * A place for a benchmark that starts programs, mounts file systems and writes large
 * files, and that may be interrupted at any moment: nothing of it is left behind.
 *
 *	supervisor		makes the folders; waits; ends and removes what is left
 *	    |
 *	benchmark		the body: everything else
 *	    |
 *	vmwp, vsc-disk, fio …
 *
 * The supervisor is the subreaper of all of them. However the body ends (by itself, by
 * Ctrl-C, by a crash), its descendants are ended by pid, mounts below the folders are
 * taken down, and the folders are removed.
 */
#ifndef TESTS_PERFORMANCE_SANDBOX_H
#define TESTS_PERFORMANCE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#define SANDBOX_PATH_BYTES 128u

struct sandbox {
	char work[SANDBOX_PATH_BYTES];	 /* short: sockets, logs, mount points */
	char memory[SANDBOX_PATH_BYTES]; /* on tmpfs; "" if there is none */
	char disk[SANDBOX_PATH_BYTES];	 /* where O_DIRECT reaches a disk; "" if nowhere */
};

/* Run `body` in a child; returns the exit status for the program. */
int sandbox_run(int (*body)(void *ctx, const struct sandbox *sandbox), void *ctx);

/*
 * A file of `bytes` in `folder` (memory or disk), filled with data that is not zero, and
 * written out. `path` (SANDBOX_PATH_BYTES + 64) gets its name. 0, or -1 after a message.
 */
int sandbox_file_make(const char *folder, const char *name, uint64_t bytes, char *path);

#endif
