// SPDX-License-Identifier: Apache-2.0
/*
 * Keys as names of files, and back. A key may be any text; of a name, '/' and the names "." and
 * ".." are not free. So '%', '/', and the first dot of those two are written as '%' and two
 * hexadecimal digits, upper case; nothing else is, so that a key has one name only.
 *
 *	a key		a%20key is refused: its name is "a key"
 *	path/to		path%2Fto
 *	100%		100%25
 *	..		%2E.
 *
 * Pure functions.
 */
#ifndef GUEST_TOOLS_KVPFS_NAME_H
#define GUEST_TOOLS_KVPFS_NAME_H

#include <stddef.h>

#define KVPFS_KEY_BYTES	 512u				  /* NUL included, likewise below */
#define KVPFS_NAME_BYTES (3u * (KVPFS_KEY_BYTES - 1) + 1) /* of the longest name */

/* The name of a key of at most 511 bytes. Returns its length. */
size_t kvpfs_name_encode(const char *key, char name[KVPFS_NAME_BYTES]);

/*
 * The key of a name. 0; -ENAMETOOLONG: longer than a key; -EINVAL: no name of a key, as it is
 * written otherwise; -EILSEQ: not UTF-8. On failure *key is empty.
 */
int kvpfs_name_decode(const char *name, char key[KVPFS_KEY_BYTES]);

#endif
