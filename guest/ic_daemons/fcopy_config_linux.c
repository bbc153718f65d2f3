// SPDX-License-Identifier: Apache-2.0
/*
 * Settings of file copy. See fcopy_config_linux.h.
 */
#include "guest/ic_daemons/fcopy_config_linux.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

int fcopy_config_mode(const char *text, mode_t *mode)
{
	char *end;
	if (text[0] < '0' || text[0] > '7')
		return -EINVAL;
	errno = 0;
	const unsigned long number = strtoul(text, &end, 8);
	if (*end != '\0' || errno != 0 || number > 0777)
		return -EINVAL;
	*mode = (mode_t)number;
	return 0;
}

/* One line, blanks and comments removed. NULL, or what is wrong with it. */
static const char *line_take(struct fcopy_file_config *config, char *line)
{
	char *value = line + strcspn(line, BLANKS);
	if (*value != '\0')
		*value++ = '\0';
	value += strspn(value, BLANKS);
	if (strcmp(line, "mode") == 0)
		return fcopy_config_mode(value, &config->mode) == 0
			       ? NULL
			       : "mode: give an octal number up to 0777";
	if (strcmp(line, "root") != 0)
		return "no such setting: use root DIRECTORY or mode OCTAL";
	switch (fcopy_file_root_add(config, value)) {
	case 0:
		return NULL;
	case -E2BIG:
		return "root: there are too many";
	case -ENOMEM:
		return "out of memory";
	default:
		return "root: give an absolute path without \"..\"";
	}
}

int fcopy_config_read(struct fcopy_file_config *config, const char *path, char *why, size_t size)
{
	char line[FCOPY_CONFIG_LINE_BYTES];
	int result = 0;
	FILE *stream = fopen(path, "re");
	if (stream == NULL) {
		result = -errno;
		snprintf(why, size, "%s: %s", path, strerror(-result));
		return result;
	}
	for (unsigned number = 1; result == 0 && fgets(line, sizeof line, stream) != NULL;
		number++) {
		const char *wrong = NULL;
		if (strchr(line, '\n') == NULL && !feof(stream))
			wrong = "the line is too long";
		else if (number > FCOPY_CONFIG_LINES_MAX)
			wrong = "the file has too many lines";
		char *text = line + strspn(line, BLANKS);
		for (size_t end = strlen(text); end > 0 && strchr(BLANKS, text[end - 1]) != NULL;)
			text[--end] = '\0';
		if (wrong == NULL && text[0] != '\0' && text[0] != '#')
			wrong = line_take(config, text);
		if (wrong != NULL) {
			snprintf(why, size, "%s:%u: %s", path, number, wrong);
			result = -EINVAL;
		}
	}
	if (result == 0 && ferror(stream) != 0) {
		snprintf(why, size, "%s: cannot be read", path);
		result = -EIO;
	}
	fclose(stream);
	return result;
}
