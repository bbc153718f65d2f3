// SPDX-License-Identifier: Apache-2.0
/*
 * What a person types at a console: everything goes to the guest, but for what follows
 * Ctrl-A. Pure; the caller owns the one state.
 *
 *	Ctrl-A x	end		Ctrl-A h	help		Ctrl-A Ctrl-A	one Ctrl-A
 *
 * Any other key after Ctrl-A is swallowed with it.
 */
#ifndef HOST_MACHINE_CONSOLE_ESCAPE_H
#define HOST_MACHINE_CONSOLE_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#define CONSOLE_ESCAPE 0x01u /* Ctrl-A */

enum console_key {
	CONSOLE_KEY_GUEST, /* give the byte to the guest */
	CONSOLE_KEY_NONE,  /* part of an escape sequence */
	CONSOLE_KEY_QUIT,
	CONSOLE_KEY_HELP,
};

/* Zero *is_escaped at first. */
static inline enum console_key console_escape_next(bool *is_escaped, uint8_t byte)
{
	if (!*is_escaped) {
		*is_escaped = byte == CONSOLE_ESCAPE;
		return *is_escaped ? CONSOLE_KEY_NONE : CONSOLE_KEY_GUEST;
	}
	*is_escaped = false;
	switch (byte) {
	case CONSOLE_ESCAPE:
		return CONSOLE_KEY_GUEST;
	case 'x':
	case 'X':
		return CONSOLE_KEY_QUIT;
	case 'h':
	case 'H':
	case '?':
		return CONSOLE_KEY_HELP;
	default:
		return CONSOLE_KEY_NONE;
	}
}

#endif
