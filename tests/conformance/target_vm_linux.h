// SPDX-License-Identifier: Apache-2.0
/*
 * A virtual machine of somebody's host, as a process: its serial port is the process's
 * standard output, which is read line by line; what the host itself says goes to a file.
 *
 *	run_vm_linux.c
 *	   | vm_start, vm_line until it ends, vm_end
 *	vmwp run --kernel IMAGE … | qemu-system-x86_64 -kernel IMAGE …
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_TARGET_VM_LINUX_H
#define TESTS_CONFORMANCE_TARGET_VM_LINUX_H

#include "tests/conformance/run_linux.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define VM_LINE_BYTES 512u

struct vm {
	pid_t pid; /* 0: not running */
	int fd;	   /* its serial port */
	char folder[RUN_FOLDER_BYTES];
	char log[112];
	char buffer[VM_LINE_BYTES];
	size_t used;
	char last[160]; /* what the guest said last that was no report */
};

/* Make the folder. 0 or -1 with a line on standard error. */
int vm_prepare(struct vm *vm);
/* Start it. 0 or -1 with a line on standard error. */
int vm_start(struct vm *vm, char *const arguments[]);

enum vm_event {
	VM_LINE,
	VM_SILENT,  /* no line within the time */
	VM_OVER,    /* the process has closed its serial port */
	VM_STOPPED, /* run_is_stopped() */
};
/* The next line, without its end; bytes that are no text are "?". Longer lines are cut. */
enum vm_event vm_line(struct vm *vm, unsigned limit_ms, char line[VM_LINE_BYTES]);

/*
 * It should end by now: give it this time, kill it then. *how: by what it ended, and the last
 * line of its host, or of the guest.
 */
void vm_end(struct vm *vm, unsigned limit_ms, char *how, size_t bytes);
struct vm_descriptors {
	unsigned eventfds, others;
};
/* What the process has open; others are 0 if that is not known. */
struct vm_descriptors vm_descriptors(const struct vm *vm);
/* What the host said, to standard error. */
void vm_log_print(const struct vm *vm);
/* End it, remove the folder. */
void vm_remove(struct vm *vm);

#endif
