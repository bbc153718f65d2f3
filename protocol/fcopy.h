// SPDX-License-Identifier: Apache-2.0
/*
 * File copy ("guest services"): the host sends one file into the guest, in fragments, one
 * request at a time. Rules: fcopy.md. Framing and negotiation: protocol/ic.h.
 *
 * Constants, layouts, the order of a copy (both ends go by it), and what a name may be.
 * Pure functions; no state but the caller's.
 */
#ifndef PROTOCOL_FCOPY_H
#define PROTOCOL_FCOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/ic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- numbers ------------------------------------------------------------------------------ */

#define FCOPY_NAME_UNITS     260u  /* UTF-16 units of a name or path, NUL included */
#define FCOPY_FRAGMENT_BYTES 6144u /* data of one request, at most */
#define FCOPY_HEADER_BYTES   36u
#define FCOPY_START_BYTES    1088u
#define FCOPY_WRITE_BYTES    6196u
#define FCOPY_WRITE_HEAD     52u /* of FCOPY_WRITE_BYTES, before the data */

/* UTF-8 of 259 units, without and with a NUL. */
#define FCOPY_TEXT_MAX_BYTES (3u * (FCOPY_NAME_UNITS - 1u))
#define FCOPY_TEXT_BYTES     (FCOPY_TEXT_MAX_BYTES + 1u)

/* What Linux keeps of a name or path when it makes UTF-8 of it; it cuts off the rest. */
#define FCOPY_LINUX_TEXT_MAX_BYTES 259u

/* No file of any system is larger: what is beyond is refused (R-FCOPY-019). */
#define FCOPY_SIZE_MAX_BYTES INT64_MAX

/*
 * How long a host of this tree waits for an answer. Linux 6.1 answers for a daemon that is
 * silent for 30 s; the end of a large file waits for the guest's disk.
 */
#define FCOPY_ANSWER_MS	  35000u
#define FCOPY_COMPLETE_MS 120000u
/* A guest of this tree gives a copy up if the host says nothing for so long. */
#define FCOPY_IDLE_MS 300000u

enum fcopy_operation {
	FCOPY_START = 0,
	FCOPY_WRITE = 1,
	FCOPY_COMPLETE = 2,
	FCOPY_CANCEL = 3,
};

enum fcopy_flag {
	FCOPY_FLAG_OVERWRITE = 1,
	FCOPY_FLAG_CREATE_PATH = 2,
};
#define FCOPY_FLAGS_KNOWN 3u

/* Besides those of ic.h that fcopy.md names: the path is not one that the guest allows. */
#define FCOPY_STATUS_ACCESS_DENIED 0x80070005u

/* --- wire --------------------------------------------------------------------------------- */

/* All of COMPLETE and CANCEL, and the head of the others. */
struct fcopy_header_wire {
	uint32_t operation;	 /* enum fcopy_operation */
	uint8_t service_id0[16]; /* 0 */
	uint8_t service_id1[16]; /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct fcopy_header_wire, FCOPY_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct fcopy_header_wire, operation, 0);
PROTOCOL_ASSERT_OFFSET(struct fcopy_header_wire, service_id0, 4);
PROTOCOL_ASSERT_OFFSET(struct fcopy_header_wire, service_id1, 20);

struct fcopy_start_wire {
	struct fcopy_header_wire header;
	uint16_t name[FCOPY_NAME_UNITS]; /* UTF-16, of the file */
	uint16_t path[FCOPY_NAME_UNITS]; /* of its directory */
	uint32_t flags;			 /* enum fcopy_flag */
	uint64_t size_bytes;		 /* of the file */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct fcopy_start_wire, FCOPY_START_BYTES);
PROTOCOL_ASSERT_OFFSET(struct fcopy_start_wire, name, 36);
PROTOCOL_ASSERT_OFFSET(struct fcopy_start_wire, path, 556);
PROTOCOL_ASSERT_OFFSET(struct fcopy_start_wire, flags, 1076);
PROTOCOL_ASSERT_OFFSET(struct fcopy_start_wire, size_bytes, 1080);

struct fcopy_write_wire {
	struct fcopy_header_wire header;
	uint32_t reserved; /* 0 */
	uint64_t offset;   /* in the file */
	uint32_t bytes;	   /* of data that count, at most FCOPY_FRAGMENT_BYTES */
	uint8_t data[FCOPY_FRAGMENT_BYTES];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct fcopy_write_wire, FCOPY_WRITE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct fcopy_write_wire, reserved, 36);
PROTOCOL_ASSERT_OFFSET(struct fcopy_write_wire, offset, 40);
PROTOCOL_ASSERT_OFFSET(struct fcopy_write_wire, bytes, 48);
PROTOCOL_ASSERT_OFFSET(struct fcopy_write_wire, data, FCOPY_WRITE_HEAD);

/* --- names -------------------------------------------------------------------------------- */

/* Is there a character that no name has: C0, DEL, C1 (in UTF-8), or a backslash? */
static inline bool fcopy_text_has_bad_character(const char *text)
{
	for (const uint8_t *at = (const uint8_t *)text; *at != 0; at++)
		if (*at < 0x20 || *at == 0x7F || *at == '\\' ||
			(*at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0))
			return true;
	return false;
}

/* May this UTF-8 text be a file's name? (R-FCOPY-009) */
static inline bool fcopy_name_is_good(const char *name)
{
	if (name[0] == '\0' || fcopy_text_has_bad_character(name))
		return false;
	if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
		return false;
	for (const char *at = name; *at != '\0'; at++)
		if (*at == '/')
			return false;
	return true;
}

/* May it be a directory's: absolute, nowhere ".."? (R-FCOPY-009) */
static inline bool fcopy_path_is_good(const char *path)
{
	if (path[0] != '/' || fcopy_text_has_bad_character(path))
		return false;
	for (const char *at = path; *at != '\0'; at++)
		if (at[0] == '/' && at[1] == '.' && at[2] == '.' && (at[3] == '/' || at[3] == '\0'))
			return false;
	return true;
}

/* --- order -------------------------------------------------------------------------------- */

/* How much of a file there is; both ends keep one. Zero: no copy. */
struct fcopy_progress {
	bool is_open;
	uint64_t size_bytes;
	uint64_t done_bytes; /* without a gap, from the start */
};

/*
 * May `bytes` be written at `offset`? They must be of the file, and begin no later than what
 * there is ends: a file has no gaps (R-FCOPY-008, R-FCOPY-013).
 */
static inline bool fcopy_progress_takes(
	const struct fcopy_progress *progress, uint64_t offset, uint32_t bytes)
{
	return progress->is_open && bytes <= FCOPY_FRAGMENT_BYTES &&
	       offset <= progress->done_bytes && bytes <= progress->size_bytes - offset;
}

static inline void fcopy_progress_add(
	struct fcopy_progress *progress, uint64_t offset, uint32_t bytes)
{
	if (offset + bytes > progress->done_bytes)
		progress->done_bytes = offset + bytes;
}

#ifdef __cplusplus
}
#endif

#endif
