// SPDX-License-Identifier: Apache-2.0
/* A folder of a test's own, for the test to remove. */
#ifndef TESTS_TEMP_FOLDER_H
#define TESTS_TEMP_FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMP_FOLDER_PARENT_MAX 30u /* characters: sockets lie in it, and their paths are short */

/*
 * In $TMPDIR, or in /tmp if there is none, or none short enough. False, with errno, if it cannot be
 * made.
 */
static inline bool temp_folder_make(char *path, size_t bytes)
{
	const char *parent = getenv("TMPDIR");
	if (parent == NULL || strlen(parent) > TEMP_FOLDER_PARENT_MAX)
		parent = "/tmp";
	snprintf(path, bytes, "%s/viridian-test.XXXXXX", parent);
	return mkdtemp(path) != NULL;
}

#endif
