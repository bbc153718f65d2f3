// SPDX-License-Identifier: Apache-2.0
/* --services: see options.h. */
#include "host/vmwp/options_internal.h"

#include <stdio.h>
#include <string.h>

const char *const options_service_names[OPTIONS_SERVICE_COUNT] = {
	[OPTIONS_SERVICE_HEARTBEAT] = "heartbeat",
	[OPTIONS_SERVICE_SHUTDOWN] = "shutdown",
	[OPTIONS_SERVICE_TIME] = "time",
	[OPTIONS_SERVICE_COPY] = "copy",
	[OPTIONS_SERVICE_BACKUP] = "backup",
	[OPTIONS_SERVICE_KVP] = "kvp",
};

static int complain(const char *word, size_t bytes)
{
	char names[128] = "";
	for (unsigned i = 0; i < OPTIONS_SERVICE_COUNT; i++) {
		const size_t used = strlen(names);
		snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
			options_service_names[i]);
	}
	return options_complain("--services: \"%.*s\" is not known: use all, none, or names of "
				"%s, joined by commas",
		(int)bytes, word, names);
}

int options_services_parse(const char *text, struct options *options)
{
	unsigned services = 0;
	if (strcmp(text, "none") == 0 || strcmp(text, "all") == 0) {
		options->services = text[0] == 'a' ? (1u << OPTIONS_SERVICE_COUNT) - 1 : 0;
		return 0;
	}
	for (const char *word = text;;) {
		const size_t bytes = strcspn(word, ",");
		unsigned i = 0;
		while (i < OPTIONS_SERVICE_COUNT &&
			(strlen(options_service_names[i]) != bytes ||
				strncmp(options_service_names[i], word, bytes) != 0))
			i++;
		if (i == OPTIONS_SERVICE_COUNT)
			return complain(word, bytes);
		services |= 1u << i;
		if (word[bytes] == '\0')
			break;
		word += bytes + 1;
	}
	options->services = services;
	return 0;
}
