// SPDX-License-Identifier: Apache-2.0
/*
 * File copy's two machines with the test as the owner of both: a file that is made up as it is
 * read and checked as it is written, so that it may be larger than any disk.
 */
#ifndef TESTS_UNIT_FCOPY_RIG_H
#define TESTS_UNIT_FCOPY_RIG_H

#include "guest/ic_daemons/fcopy_ic.h"
#include "host/vsp/fcopy_vsp.h"
#include "tests/harness.h"
#include "tests/unit/ic_session_rig.h"

#include <errno.h>

#define GIB (1024ull * 1024 * 1024)

/* Which byte the file has there. */
static inline uint8_t byte_at(uint64_t offset)
{
	return (uint8_t)(offset * 131 + (offset >> 13) * 7 + (offset >> 32) * 3);
}

struct fixture {
	struct session_rig rig;
	struct fcopy_vsp vsp;
	struct fcopy_ic guest;
	/* Source. */
	unsigned reads;
	uint64_t read_offset; /* the last */
	uint32_t read_bytes;
	bool reads_late; /* each read is put off once */
	bool is_late;
	uint64_t fail_at; /* a read at or behind it fails */
	int fail_with;
	bool is_zero; /* do not make bytes up: large files */
	/* How it ended. */
	unsigned dones;
	struct fcopy_end end;
	bool starts_again;
	int again;
	/* Sink. */
	unsigned starts, writes, completes, cancels, drops;
	char name[FCOPY_TEXT_BYTES];
	char path[FCOPY_TEXT_BYTES];
	bool overwrites, creates_path;
	uint64_t size;
	uint64_t end_of_data;
	bool is_wrong;
	uint32_t answer_start, answer_write, answer_complete;
	unsigned replies;
	uint32_t reply;
};

/* --- source and owner ---------------------------------------------------------------------- */

static inline int on_read(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes)
{
	struct fixture *f = ctx;
	f->reads++;
	if (f->reads_late && !f->is_late) {
		f->is_late = true;
		return -EAGAIN;
	}
	f->is_late = false;
	f->read_offset = offset;
	f->read_bytes = bytes;
	if (f->fail_with != 0 && offset + bytes >= f->fail_at)
		return f->fail_with;
	for (uint32_t i = 0; i < bytes && !f->is_zero; i++)
		to[i] = byte_at(offset + i);
	return 0;
}

static const struct fcopy_vsp_request plain = {.name = "a.txt", .path = "/data/", .size_bytes = 3};

static inline void on_done(void *ctx, const struct fcopy_end *end)
{
	struct fixture *f = ctx;
	f->dones++;
	f->end = *end;
	if (f->starts_again) {
		f->starts_again = false;
		f->again = fcopy_vsp_start(&f->vsp, &plain, f->rig.now);
	}
}

static const struct fcopy_vsp_ops vsp_ops = {
	.session = {.send = rig_send, .failed = rig_failed},
	.read = on_read,
	.done = on_done,
};

/* --- sink ---------------------------------------------------------------------------------- */

static inline uint32_t sink_start(void *ctx, const struct fcopy_start *start)
{
	struct fixture *f = ctx;
	f->starts++;
	strcpy(f->name, start->name);
	strcpy(f->path, start->path);
	f->overwrites = start->overwrites;
	f->creates_path = start->creates_path;
	f->size = start->size_bytes;
	f->end_of_data = 0;
	return f->answer_start;
}

static inline uint32_t sink_write(void *ctx, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
	struct fixture *f = ctx;
	f->writes++;
	for (uint32_t i = 0; i < bytes && !f->is_zero; i++)
		f->is_wrong = f->is_wrong || data[i] != byte_at(offset + i);
	f->is_wrong = f->is_wrong || offset > f->end_of_data || bytes > 6144 ||
		      offset + bytes > f->size;
	if (offset + bytes > f->end_of_data)
		f->end_of_data = offset + bytes;
	return f->answer_write;
}

static inline uint32_t sink_complete(void *ctx)
{
	struct fixture *f = ctx;
	f->completes++;
	f->is_wrong = f->is_wrong || f->end_of_data != f->size;
	return f->answer_complete;
}

static inline uint32_t sink_cancel(void *ctx)
{
	((struct fixture *)ctx)->cancels++;
	return IC_STATUS_SUCCESS;
}

static inline void sink_drop(void *ctx)
{
	((struct fixture *)ctx)->drops++;
}

static inline void sink_reply(void *ctx, uint32_t status)
{
	struct fixture *f = ctx;
	f->replies++;
	f->reply = status;
}

static const struct fcopy_ic_ops sink_ops = {
	.start = sink_start,
	.write = sink_write,
	.complete = sink_complete,
	.cancel = sink_cancel,
	.drop = sink_drop,
	.reply = sink_reply,
};

/* --- both ---------------------------------------------------------------------------------- */

static inline void opened(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->rig.now = 100 * RIG_SECOND;
	f->rig.session = &f->vsp.session;
	fcopy_vsp_init(&f->vsp, &vsp_ops, f);
	fcopy_ic_init(&f->guest, &sink_ops, f);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f->vsp.session), IC_SESSION_NEVER);
	ic_session_on_open(&f->vsp.session, f->rig.now);
}

static inline void agreed(struct fixture *f)
{
	opened(f);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	CU_ASSERT_EQUAL_FATAL(f->vsp.session.ic.state, IC_HOST_READY);
}

static inline int start(struct fixture *f, const struct fcopy_vsp_request *request)
{
	return fcopy_vsp_start(&f->vsp, request, f->rig.now);
}

static inline int start_sized(struct fixture *f, uint64_t size)
{
	struct fcopy_vsp_request request = plain;
	request.size_bytes = size;
	return start(f, &request);
}

static inline void guest_answers(struct fixture *f)
{
	(void)rig_guest_answers(&f->rig, &f->guest.ic);
}

/* Let both talk until the copy is over. */
static inline void talk(struct fixture *f)
{
	const unsigned dones = f->dones;
	while (f->dones == dones) {
		if (f->rig.sent_len > 0)
			guest_answers(f);
		else if (f->vsp.state == FCOPY_STATE_READING)
			fcopy_vsp_source_ready(&f->vsp, f->rig.now);
		else
			break;
	}
}

/* The guest answers what was sent with this status, and does nothing. */
static inline void answer_with(struct fixture *f, uint32_t status)
{
	uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	const size_t len = f->rig.sent_len;
	memcpy(reply, f->rig.sent, len);
	ic_response_mark(reply, status);
	f->rig.sent_len = 0;
	rig_give(&f->rig, reply, len);
}

static inline uint32_t sent_operation(const struct fixture *f)
{
	return get32(f->rig.sent + AT_BODY);
}

/* --- with the bytes of the document -------------------------------------------------------- */

/* "a.txt" to "/data/", 3 bytes "abc", overwriting and creating: as the notes write it out. */
static const uint8_t golden_head[3][AT_BODY + 4] = {
	{0x01, 0, 0, 0, 0x54, 0x04, 0, 0, 3, 0, 0, 0, 7, 0, 1, 0, 1, 0, 0x40, 0x04, 0, 0, 0, 0, 0,
		3, 0, 0, 0, 0, 0, 0},
	{0x01, 0, 0, 0, 0x48, 0x18, 0, 0, 3, 0, 0, 0, 7, 0, 1, 0, 1, 0, 0x34, 0x18, 0, 0, 0, 0, 0,
		3, 0, 0, 1, 0, 0, 0},
	{0x01, 0, 0, 0, 0x38, 0x00, 0, 0, 3, 0, 0, 0, 7, 0, 1, 0, 1, 0, 0x24, 0x00, 0, 0, 0, 0, 0,
		3, 0, 0, 2, 0, 0, 0},
};

static inline void golden(unsigned which, uint8_t *bytes, size_t *len)
{
	static const size_t lengths[3] = {1116, 6224, 64};
	static const uint8_t name[] = {'a', 0, '.', 0, 't', 0, 'x', 0, 't', 0};
	static const uint8_t path[] = {'/', 0, 'd', 0, 'a', 0, 't', 0, 'a', 0, '/', 0};
	*len = lengths[which];
	memset(bytes, 0, *len);
	memcpy(bytes, golden_head[which], sizeof golden_head[which]);
	if (which == 0) {
		memcpy(bytes + 64, name, sizeof name);
		memcpy(bytes + 584, path, sizeof path);
		bytes[1104] = 3;
		bytes[1108] = 3;
	} else if (which == 1) {
		bytes[76] = 3;
		memcpy(bytes + 80, "abc", 3);
	}
}

#endif
