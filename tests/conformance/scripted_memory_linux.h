// SPDX-License-Identifier: Apache-2.0
/*
 * Memory of a guest under test: a memfd of which every allocation has a page before it and one
 * behind it that fault, and rings that are mapped twice the same way.
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_SCRIPTED_MEMORY_LINUX_H
#define TESTS_CONFORMANCE_SCRIPTED_MEMORY_LINUX_H

#include "tests/conformance/scripted_host.h"

/* SCRIPTED_HOST_MEMORY_BYTES in h->memory, h->memory_fd. False: said in errno. */
bool scripted_memory_create(struct scripted_host *h);
void scripted_memory_free(struct scripted_host *h);
/* The operations of h->ops that hand out memory; h->script is their ctx. */
void scripted_memory_ops(struct winhv_platform_ops *ops, bool is_copying);

#endif
