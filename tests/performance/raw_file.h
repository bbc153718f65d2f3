// SPDX-License-Identifier: Apache-2.0
/*
 * Raw io_uring on a file: the reference for a disk over an image, and the client of
 * disks that are files. One thread, the file and the buffers registered, completions
 * taken by the submitting thread, one system call for each batch.
 */
#ifndef TESTS_PERFORMANCE_RAW_FILE_H
#define TESTS_PERFORMANCE_RAW_FILE_H

#include "tests/performance/load.h"

/* The rate (load_rate()), or -1 after a message. */
double raw_file_run(const char *path, bool is_direct, const struct load *load);

#endif
