// SPDX-License-Identifier: Apache-2.0
/*
 * Compile-time checks of wire layouts, for C11 and C++17 alike.
 *
 * Every structure whose name ends in _wire is followed by a check of its size
 * and of the offset of each field, so that a layout mistake cannot compile.
 */
#ifndef PROTOCOL_ASSERT_H
#define PROTOCOL_ASSERT_H

#include <stddef.h>

#ifdef __cplusplus
#define PROTOCOL_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define PROTOCOL_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#define PROTOCOL_ASSERT_SIZE(type, bytes)                                                          \
	PROTOCOL_STATIC_ASSERT(sizeof(type) == (bytes), #type " has the wrong size")

#define PROTOCOL_ASSERT_OFFSET(type, field, offset)                                                \
	PROTOCOL_STATIC_ASSERT(offsetof(type, field) == (offset), "misplaced: " #type "." #field)

/* Attribute of every wire structure: no padding, any alignment. */
#define PROTOCOL_PACKED __attribute__((packed))

#endif
