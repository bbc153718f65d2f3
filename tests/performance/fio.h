// SPDX-License-Identifier: Apache-2.0
/*
 * fio with io_uring as a reference: file and buffers registered, no random map, no
 * clock reading for each request, on processor 1.
 */
#ifndef TESTS_PERFORMANCE_FIO_H
#define TESTS_PERFORMANCE_FIO_H

#include "tests/performance/load.h"
#include "tests/performance/sandbox.h"

/* True if fio is installed. */
bool fio_is_there(void);
/* The rate (load_rate()), or -1 after a message. */
double fio_run(
	const struct sandbox *sandbox, const char *path, bool is_direct, const struct load *load);

#endif
