// SPDX-License-Identifier: Apache-2.0
/*
 * A file without us: the reference for a disk over an image, and the client of disks
 * that are files. One thread. By io_uring: the file and the buffers registered,
 * completions taken by the submitting thread, one system call for each batch. Or by
 * pread and pwrite, which on tmpfs are faster than io_uring for small requests, since
 * the kernel gives io_uring's to threads of its own.
 */
#ifndef TESTS_PERFORMANCE_RAW_FILE_H
#define TESTS_PERFORMANCE_RAW_FILE_H

#include "tests/performance/load.h"

/* The rate (load_rate()) by io_uring, or -1 after a message. */
double raw_file_run(const char *path, bool is_direct, const struct load *load);
/* The better rate of the two ways, through the page cache. */
double raw_file_best(const char *path, const struct load *load);

#endif
