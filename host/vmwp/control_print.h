// SPDX-License-Identifier: Apache-2.0
/*
 * JSON for people: members as aligned lines, arrays of objects as tables. Only printable
 * characters reach the output, whatever the strings hold, so a name that a guest chose
 * cannot command a terminal.
 */
#ifndef HOST_VMWP_CONTROL_PRINT_H
#define HOST_VMWP_CONTROL_PRINT_H

#include <jansson.h>
#include <stdio.h>

/* Print `value` and a final newline. Borrowed; nothing is kept. */
void control_print(FILE *out, const json_t *value);

#endif
