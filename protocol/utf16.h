// SPDX-License-Identifier: Apache-2.0
/*
 * UTF-16LE, as messages carry text, to and from UTF-8, as programs hold it.
 *
 * On the wire a text is a field of fixed size, sometimes with a size beside it: in bytes, the
 * ending NUL included. In a program it is a NUL-ended string in a buffer of the caller. Nothing is
 * cut short: text that does not fit is refused.
 *
 * Pure functions over bytes, freestanding, any alignment. Bytes given in must be private. At most
 * `bytes` of the input and `capacity` of the output are touched.
 *
 * Sources: RFC 2781 (UTF-16), RFC 3629 (UTF-8: shortest form, no surrogates, up to U+10FFFF).
 */
#ifndef PROTOCOL_UTF16_H
#define PROTOCOL_UTF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A buffer of so many bytes holds any text of `units` UTF-16 units as UTF-8, with its NUL. */
#define UTF16_UTF8_BYTES(units) (3u * (units) + 1u)

/* What is done with a surrogate without its partner, or with bytes that are no UTF-8. */
enum utf16_policy {
	UTF16_REFUSE,  /* UTF16_INVALID */
	UTF16_REPLACE, /* U+FFFD in its place */
};

enum utf16_result {
	UTF16_OK,
	UTF16_INVALID,	/* not UTF-16, or not UTF-8 */
	UTF16_NO_ROOM,	/* the text and its NUL are larger than the output */
	UTF16_ODD_SIZE, /* half a unit at the end */
};

/*
 * The UTF-16LE text in the `bytes` at `from`, up to its first NUL or to the end of them, as UTF-8
 * with a NUL at `to`. `*length`, unless NULL, receives the bytes of UTF-8 without the NUL. On
 * failure `to` holds the empty string (if capacity is not 0) and *length is 0.
 */
enum utf16_result utf16_to_utf8(const void *from, size_t bytes, enum utf16_policy policy, char *to,
	size_t capacity, size_t *length);

/*
 * The UTF-8 text in the `length` bytes at `from`, up to its first NUL or to the end of them, as
 * UTF-16LE with a NUL at `to`. `*bytes`, unless NULL, receives the size as the wire wants it: NUL
 * included. Bytes behind the NUL are not touched. On failure `to` holds the empty string (if
 * capacity is 2 or more) and *bytes is 0.
 */
enum utf16_result utf16_from_utf8(const char *from, size_t length, enum utf16_policy policy,
	void *to, size_t capacity, size_t *bytes);

/* Is there a NUL unit within the first `bytes` (an odd last byte is not looked at)? */
bool utf16_has_nul(const void *from, size_t bytes);

/* Is the NUL-ended text valid UTF-8? Reads at most `capacity` bytes; false without a NUL in them.
 */
bool utf16_is_utf8(const char *text, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
