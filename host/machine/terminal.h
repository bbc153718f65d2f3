// SPDX-License-Identifier: Apache-2.0
/*
 * The terminal that a console runs on: raw while the guest has it, and as it was before on
 * every way out of the process that a program can see: return, exit(), signals that end it.
 *
 * There is one terminal, so there is one state, for the signal handler's sake: a global.
 * Threads: one; the handler may run on any.
 */
#ifndef HOST_MACHINE_TERMINAL_H
#define HOST_MACHINE_TERMINAL_H

#include <stdbool.h>

/*
 * Make the terminal behind `fd` raw for input: no echo, no lines, no signals from keys.
 * Output keeps its translation of line ends, for the worker's own lines. Nothing, and
 * false, if `fd` is no terminal or the process is not in its foreground.
 */
bool terminal_raw(int fd);
/* As it was before. Safe in a signal handler; nothing if it was not changed. */
void terminal_restore(void);

#endif
