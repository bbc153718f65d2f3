// SPDX-License-Identifier: Apache-2.0
/* --name and --id: what the machine is called. See options.h. */
#include "host/vmwp/options_internal.h"
#include "protocol/utf16.h"

#include <string.h>

#define NAME_BYTES 255u

int options_name_parse(const char *text, struct options *options)
{
	if (text[0] == '\0' || strlen(text) > NAME_BYTES)
		return options_complain(
			"--name: a name has 1 to %u bytes; this has %zu", NAME_BYTES, strlen(text));
	if (!utf16_is_utf8(text, NAME_BYTES + 1))
		return options_complain("--name: the name is not UTF-8");
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return options_complain(
				"--name: a control character, 0x%02x, is in the name",
				(unsigned char)*c);
	options->name = text;
	return 0;
}

int options_id_parse(const char *text, struct options *options)
{
	if (guid_parse(text, &options->id) == 0 && !guid_is_zero(&options->id))
		return 0;
	return options_complain("--id: \"%s\" is not a GUID, such as "
				"5a1c3e0f-9d6b-4c58-8f27-0b9f1e6d4a32, or is of zeros",
		text);
}
