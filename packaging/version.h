// SPDX-License-Identifier: Apache-2.0
/*
 * The version of this build, and how programs tell it. Its one source is the first line of
 * packaging/debian/changelog, from which the Makefile makes what is declared here.
 */
#ifndef PACKAGING_VERSION_H
#define PACKAGING_VERSION_H

#include <stdio.h>

extern const char viridian_version[]; /* "0.4.0" */

/* What --version of every program prints: one line, "vmwp (Viridian) 0.4.0". */
static inline void version_print(const char *program)
{
	printf("%s (Viridian) %s\n", program, viridian_version);
}

#endif
