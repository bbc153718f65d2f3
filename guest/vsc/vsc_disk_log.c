// SPDX-License-Identifier: Apache-2.0
/* Lines for people. See vsc_disk_log.h. */
#include "guest/vsc/vsc_disk_log.h"

#include <stdarg.h>
#include <stdio.h>

void disk_log(const char *format, ...)
{
	char line[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* a name may come from a host: no terminal escapes */
	fprintf(stderr, "vsc-disk: %s\n", line);
}
