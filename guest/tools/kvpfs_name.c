// SPDX-License-Identifier: Apache-2.0
/* Keys as names of files. See kvpfs_name.h. */
#include "guest/tools/kvpfs_name.h"

#include "protocol/utf16.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char digits[] = "0123456789ABCDEF";

static bool is_dots(const char *text)
{
	return strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
}

size_t kvpfs_name_encode(const char *key, char name[KVPFS_NAME_BYTES])
{
	size_t at = 0;
	bool is_first_escaped = is_dots(key);
	for (size_t i = 0; i < KVPFS_KEY_BYTES - 1 && key[i] != '\0'; i++) {
		unsigned char byte = (unsigned char)key[i];
		if (byte == '%' || byte == '/' || (i == 0 && is_first_escaped)) {
			name[at++] = '%';
			name[at++] = digits[byte >> 4];
			name[at++] = digits[byte & 15];
		} else {
			name[at++] = (char)byte;
		}
	}
	name[at] = '\0';
	return at;
}

static int digit_value(char digit)
{
	const char *at = digit != '\0' ? strchr(digits, digit) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

/* The bytes of the name; -EINVAL: '%' without two digits. */
static int bytes_decode(const char *name, char key[KVPFS_KEY_BYTES])
{
	size_t at = 0;
	while (*name != '\0') {
		char byte = *name++;
		if (byte == '%') {
			int high = digit_value(name[0]);
			int low = high >= 0 ? digit_value(name[1]) : -1;
			if (low < 0)
				return -EINVAL;
			byte = (char)(high << 4 | low);
			name += 2;
		}
		if (at == KVPFS_KEY_BYTES - 1)
			return -ENAMETOOLONG;
		key[at++] = byte;
	}
	key[at] = '\0';
	return 0;
}

int kvpfs_name_decode(const char *name, char key[KVPFS_KEY_BYTES])
{
	char canonical[KVPFS_NAME_BYTES];
	int error = bytes_decode(name, key);
	if (error == 0) {
		(void)kvpfs_name_encode(key, canonical);
		if (key[0] == '\0' || strcmp(canonical, name) != 0)
			error = -EINVAL;
		else if (!utf16_is_utf8(key, KVPFS_KEY_BYTES))
			error = -EILSEQ;
	}
	if (error != 0)
		key[0] = '\0';
	return error;
}
