// SPDX-License-Identifier: Apache-2.0
/*
 * A file that the host copies into this guest: written where nobody sees it, and put in its
 * place when all of it is on the disk.
 *
 *	fcopy_job_linux (a thread at a time), or a test
 *	      |
 *	fcopy_file	directories one by one, without links; O_TMPFILE, or a hidden name
 *
 * Attackers: the host, which names any path; and programs in the guest, which exchange
 * directories and links meanwhile. So: only below the administrator's directories; each step
 * of the path is opened from the one before, must be a directory and no link, and is held
 * open; nothing that exists is opened or written; a file appears by link or rename in the
 * directory that is held, after a look that this is still the one that the path names.
 *
 * Every function may block for as long as the file system does. Threads: one at a time.
 * Rules: R-FCOPY-003 to 006, 025 to 029.
 */
#ifndef GUEST_IC_DAEMONS_FCOPY_FILE_LINUX_H
#define GUEST_IC_DAEMONS_FCOPY_FILE_LINUX_H

#include "guest/ic_daemons/fcopy_ic.h"

#include <limits.h>
#include <sys/types.h>

#define FCOPY_FILE_ROOTS_MAX	16u
#define FCOPY_FILE_MODE_DEFAULT 0744u
#define FCOPY_FILE_REASON_BYTES 320u

/* Of files that have a name before they are complete; 16 hexadecimal digits follow. */
#define FCOPY_FILE_HIDDEN_PREFIX ".viridian-fcopy-"

struct fcopy_file_config {
	char *roots[FCOPY_FILE_ROOTS_MAX]; /* owned; absolute, by fcopy_file_root_add() */
	unsigned root_count;
	mode_t mode;
	/*
	 * Where it is noted which hidden file there is, for who starts after a kill. In a directory
	 * that the host cannot write. NULL: it is not noted.
	 */
	char *record;		   /* owned */
	bool is_without_tmpfile;   /* for tests, and where there is no /proc */
	uint64_t write_back_bytes; /* wait for the disk each time so much is new; 0: never */
};

/* No roots, default mode, no record. */
void fcopy_file_config_init(struct fcopy_file_config *config);
void fcopy_file_config_free(struct fcopy_file_config *config);
/* 0; -EINVAL: not absolute, or with ".."; -E2BIG: too many; -ENOMEM. It need not exist. */
int fcopy_file_root_add(struct fcopy_file_config *config, const char *path);

struct fcopy_file {
	const struct fcopy_file_config *config; /* borrowed, constant */
	int fd;					/* -1: no copy */
	int directory;				/* the target's, held open (O_PATH); or -1 */
	bool overwrites;
	bool is_hidden; /* it has the name `hidden`; else none */
	char name[NAME_MAX + 1];
	char hidden[sizeof FCOPY_FILE_HIDDEN_PREFIX + 16];
	char path[FCOPY_TEXT_BYTES];	      /* of the directory, as the host said */
	uint64_t unsynced_at;		      /* what is before is on its way to the disk */
	uint64_t end;			      /* highest byte written */
	char reason[FCOPY_FILE_REASON_BYTES]; /* of the last failure, for people */
};

void fcopy_file_init(struct fcopy_file *file, const struct fcopy_file_config *config);

/*
 * Each returns IC_STATUS_* or FCOPY_STATUS_ACCESS_DENIED; on failure the reason is set, and
 * nothing is left of the file. A start first drops what there is.
 */
uint32_t fcopy_file_start(struct fcopy_file *file, const struct fcopy_start *start);
uint32_t fcopy_file_write(
	struct fcopy_file *file, uint64_t offset, const uint8_t *data, size_t bytes);
uint32_t fcopy_file_complete(struct fcopy_file *file);

/* Remove what there is. */
void fcopy_file_drop(struct fcopy_file *file);

/*
 * Remove what a run before this one left behind, by the record. 1: something was; 0: nothing;
 * or a negative errno.
 */
int fcopy_file_clean(const struct fcopy_file_config *config);

#endif
