// SPDX-License-Identifier: Apache-2.0
/*
 * The records of /dev/vmbus/hv_fcopy (Linux up to 6.9), where the kernel has done the
 * negotiation and made UTF-8 of names. Layouts as on the wire, but for that. See fcopy.md,
 * section 6.
 *
 * Pure functions over bytes. Threads: any.
 */
#ifndef GUEST_IC_DAEMONS_FCOPY_DEVICE_LINUX_H
#define GUEST_IC_DAEMONS_FCOPY_DEVICE_LINUX_H

#include "guest/ic_daemons/fcopy_ic.h"

#define FCOPY_DEVICE_PATH	"/dev/vmbus/hv_fcopy"
#define FCOPY_DEVICE_VERSION	1u
#define FCOPY_DEVICE_RECORD_MAX FCOPY_WRITE_BYTES
#define FCOPY_DEVICE_TEXT_BYTES (FCOPY_NAME_UNITS * 2u) /* of a name's field */

/* What a record is. */
enum fcopy_device_record {
	FCOPY_DEVICE_BAD,	    /* shorter than its operation, or not text: answer with fail */
	FCOPY_DEVICE_VERSION_REPLY, /* the kernel's greeting; no answer */
	FCOPY_DEVICE_REQUEST,
};

/* Name and path of a record of start, each with its NUL. */
struct fcopy_device_text {
	char name[FCOPY_DEVICE_TEXT_BYTES + 1];
	char path[FCOPY_DEVICE_TEXT_BYTES + 1];
};

/*
 * Decode one record of `len` bytes, private. Of FCOPY_DEVICE_REQUEST, *out is filled; its text
 * points into *text, its data into `record`. Of FCOPY_DEVICE_VERSION_REPLY, *version is.
 */
enum fcopy_device_record fcopy_device_decode(const uint8_t *record, size_t len,
	struct fcopy_device_text *text, struct fcopy_request *out, uint32_t *version);

#endif
