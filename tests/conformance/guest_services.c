// SPDX-License-Identifier: Apache-2.0
/* Shutdown, time, backup, file copy and key-value pairs, guest side: shutdown.md to kvp.md. */
#include "tests/conformance/guest_ic.h"
#include "tests/unit/kvp_guest.h"

#include "guest/ic_daemons/fcopy_ic.h"
#include "guest/ic_daemons/shutdown_ic.h"
#include "guest/ic_daemons/timesync_ic.h"
#include "guest/ic_daemons/vss_ic.h"

#include <string.h>

#define OK_STATUS   0u
#define FAIL_STATUS 0x80004005u

/* Send a body of `bytes`; true if it is answered with the status. */
static bool answered(struct conform_target *t, struct ic_stage *stage, uint16_t type,
	const uint8_t *body, uint16_t bytes, uint32_t status)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint32_t length = ic_request(stage, type, bytes);

	memcpy(stage->message + IC_AT_BODY, body, bytes);
	if (ic_say(h, stage, length) != 1)
		return conform_no(t, "it is not answered");
	return ic_status(stage) == status ||
	       conform_no(t, "it is answered with status 0x%x", ic_status(stage));
}

/* ---- shutdown: reason, timeout, flags, text of 2048 bytes ----------------------------------- */

static struct shutdown_ic shutdown_guest;

static struct ic_stage *shutdown_stage(struct conform_target *t, unsigned actions)
{
	shutdown_ic_init(&shutdown_guest, actions);
	return ic_stage_agreed(t, &shutdown_guest.ic, &guid_shutdown, 3, 3, 0);
}

static enum conform_verdict shutdown_flags_alone(struct conform_target *t)
{
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0) | SHUTDOWN_IC_CAN(1));
	static uint8_t body[2060];
	struct shutdown_order order;

	TRY(stage != NULL);
	put32(body, 0xffffffff);     /* any reason */
	put32(body + 4, 0xffffffff); /* and any time */
	for (unsigned flags = 0; flags < 4; flags++) {
		put32(body + 8, flags);
		TRY(answered(t, stage, 3, body, sizeof body, OK_STATUS));
		EXPECT(shutdown_ic_take(&shutdown_guest, &order), "flags %u: no order", flags);
		EXPECT(order.is_forced == (flags & 1) && order.action == (flags & 2 ? 1u : 0u),
			"flags %u: action %u", flags, (unsigned)order.action);
	}
	return CONFORM_PASS;
}

static enum conform_verdict shutdown_unknown_flags(struct conform_target *t)
{
	static const uint32_t flags[] = {4, 5, 6, 8, 16, 0x80000000, 0xffffffff, 0x10002};
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0) | SHUTDOWN_IC_CAN(1));
	static uint8_t body[2060];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		put32(body + 8, flags[i]);
		TRY(answered(t, stage, 3, body, sizeof body, FAIL_STATUS));
	}
	EXPECT(!shutdown_guest.has_order, "it is going to act");
	return CONFORM_PASS;
}

static enum conform_verdict shutdown_text(struct conform_target *t)
{
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0));
	static uint8_t body[2060];
	struct shutdown_order order;

	TRY(stage != NULL);
	memset(body + 12, 0xfe, 2048); /* no NUL, and no text of any kind */
	TRY(answered(t, stage, 3, body, sizeof body, OK_STATUS));
	EXPECT(memcmp(stage->answer + IC_AT_BODY, body, sizeof body) == 0, "the body has changed");
	EXPECT(shutdown_ic_take(&shutdown_guest, &order), "no order");
	EXPECT(strlen(order.text) == 2048, "the text has %zu bytes", strlen(order.text));
	return CONFORM_PASS;
}

static enum conform_verdict shutdown_last_counts(struct conform_target *t)
{
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0) | SHUTDOWN_IC_CAN(1));
	static uint8_t body[2060];
	struct shutdown_order order;

	TRY(stage != NULL);
	TRY(answered(t, stage, 3, body, sizeof body, OK_STATUS));
	put32(body + 8, 3);
	TRY(answered(t, stage, 3, body, sizeof body, OK_STATUS));
	EXPECT(shutdown_ic_take(&shutdown_guest, &order) && order.action == 1 && order.is_forced,
		"the first order is in force");
	EXPECT(!shutdown_ic_take(&shutdown_guest, &order), "there is a second order");
	return CONFORM_PASS;
}

/* ---- time: v4: parent, reference, flags, leap, stratum -------------------------------------- */

#define DAY_2026 133800000000000000ull

static struct timesync_ic timesync_guest;
static struct timesync_sample last_sample;
static unsigned sample_count;
static uint64_t reference_now;

static uint64_t reference(void *ctx)
{
	(void)ctx;
	return reference_now;
}

static void sample(void *ctx, const struct timesync_sample *got)
{
	(void)ctx;
	last_sample = *got;
	sample_count++;
}

static struct ic_stage *timesync_stage(struct conform_target *t, uint16_t version)
{
	static const struct timesync_ic_ops ops = {.reference_100ns = reference, .sample = sample};

	reference_now = 5000 * SECOND;
	timesync_ic_init(&timesync_guest, &ops, NULL);
	return ic_stage_agreed(t, &timesync_guest.ic, &guid_timesync, 3, version, 0);
}

static void time_body(uint8_t body[24], uint64_t parent, uint64_t at, uint8_t flag)
{
	memset(body, 0, 24);
	put64(body, parent);
	put64(body + 8, at);
	body[16] = flag;
}

static enum conform_verdict time_is_brought_to_now(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	time_body(body, DAY_2026, 4990 * SECOND, 1);
	TRY(answered(t, stage, 4, body, 24, OK_STATUS));
	EXPECT(sample_count == 1 && last_sample.utc_100ns == DAY_2026 + 10 * SECOND,
		"the time is off by %lld",
		(long long)(last_sample.utc_100ns - DAY_2026 - 10 * SECOND));
	EXPECT(last_sample.is_sync, "SYNC is not passed on");
	return CONFORM_PASS;
}

static enum conform_verdict time_as_it_stands(struct conform_target *t)
{
	static const uint64_t references[] = {0, 5001 * SECOND, UINT64_MAX, 1ull << 63};
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 4; i++) {
		time_body(body, DAY_2026, references[i], 1);
		TRY(answered(t, stage, 4, body, 24, OK_STATUS));
		EXPECT(last_sample.utc_100ns == DAY_2026, "case %u: the time is moved", i);
	}
	return CONFORM_PASS;
}

static enum conform_verdict time_is_none(struct conform_target *t)
{
	static const uint64_t times[] = {
		0, 1, 116444735999999999ull, (1ull << 62) + 1, 1ull << 63, UINT64_MAX};
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++) {
		time_body(body, times[i], 4990 * SECOND, 1);
		TRY(answered(t, stage, 4, body, 24, 0x80070057));
	}
	EXPECT(sample_count == 0, "a time that is none is used");
	return CONFORM_PASS;
}

static enum conform_verdict time_is_stale(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	time_body(body, DAY_2026, 4400 * SECOND, 1); /* 600 s: just not */
	TRY(answered(t, stage, 4, body, 24, OK_STATUS));
	EXPECT(sample_count == 1, "600 s is too old");
	time_body(body, DAY_2026, 4400 * SECOND - 1, 1);
	TRY(answered(t, stage, 4, body, 24, OK_STATUS));
	time_body(body, 1ull << 62, 1, 1);
	TRY(answered(t, stage, 4, body, 24, OK_STATUS));
	EXPECT(sample_count == 1, "a stale message is used");
	return CONFORM_PASS;
}

static enum conform_verdict time_flags(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	for (unsigned value = 0; value < 256; value++) {
		const unsigned before = sample_count;
		time_body(body, DAY_2026, 4990 * SECOND, (uint8_t)value);
		TRY(answered(t, stage, 4, body, 24, OK_STATUS));
		EXPECT(sample_count - before == ((value & 3) != 0), "flags 0x%x: used %u times",
			value, sample_count - before);
		EXPECT(!(value & 3) || last_sample.is_sync == (value & 1), "flags 0x%x: wrong kind",
			value);
	}
	return CONFORM_PASS;
}

static enum conform_verdict time_short_bodies(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	time_body(body, DAY_2026, 4990 * SECOND, 1);
	for (uint16_t bytes = 0; bytes < 19; bytes++) {
		const uint32_t length = ic_request(stage, 4, bytes);
		memcpy(stage->message + IC_AT_BODY, body, bytes);
		(void)ic_say(scripted_host_of(t), stage, length);
	}
	EXPECT(sample_count == 0, "a body of less than 19 bytes is used");
	TRY(answered(t, stage, 4, body, 22, OK_STATUS));
	EXPECT(sample_count == 1, "22 bytes will not do");
	return CONFORM_PASS;
}

/* ---- backup --------------------------------------------------------------------------------- */

static struct vss_ic vss_guest;
static unsigned vss_begun[VSS_OPERATION_COUNT], vss_forgotten;
static bool is_vss_slow;

static uint32_t vss_begin(void *ctx, uint8_t operation)
{
	(void)ctx;
	vss_begun[operation]++;
	return is_vss_slow ? IC_GUEST_LATER : IC_STATUS_SUCCESS;
}

static void vss_forget(void *ctx)
{
	(void)ctx;
	vss_forgotten++;
}

static struct ic_stage *vss_stage(struct conform_target *t)
{
	static const struct vss_ic_ops ops = {.begin = vss_begin, .forget = vss_forget};

	vss_ic_init(&vss_guest, &ops, NULL);
	return ic_stage_agreed(t, &vss_guest.ic, &guid_vss, 3, 5, 0);
}

static enum conform_verdict vss_luns(struct conform_target *t)
{
	static const struct {
		uint16_t bytes;
		uint32_t count, status;
	} rows[] = {{12, 0, OK_STATUS}, {20, 0, OK_STATUS}, {6260, 260, OK_STATUS},
		{44, 1, OK_STATUS}, {20, 1, FAIL_STATUS}, {44, 2, FAIL_STATUS},
		{6260, 261, FAIL_STATUS}, {6260, 0x0aaaaaab, FAIL_STATUS},
		{6260, 0x7fffffff, FAIL_STATUS}, {6260, 0xffffffff, FAIL_STATUS}};
	static uint8_t body[6260];
	struct ic_stage *stage = vss_stage(t);
	unsigned frozen = 0;

	TRY(stage != NULL);
	body[0] = VSS_FREEZE;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		put32(body + 16, rows[i].count);
		TRY(answered(t, stage, 5, body, rows[i].bytes, rows[i].status));
		frozen += rows[i].status == OK_STATUS;
		EXPECT(vss_begun[VSS_FREEZE] == frozen, "case %u: frozen %u times", i,
			vss_begun[VSS_FREEZE]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict vss_operations(struct conform_target *t)
{
	static uint8_t body[6260];
	struct ic_stage *stage = vss_stage(t);

	TRY(stage != NULL);
	for (unsigned operation = VSS_OPERATION_COUNT; operation < 256; operation++) {
		body[0] = (uint8_t)operation;
		TRY(answered(t, stage, 5, body, 6260, FAIL_STATUS));
	}
	body[0] = VSS_HOT_BACKUP;
	memset(body + 12, 0x3c, 4000);
	TRY(answered(t, stage, 5, body, 6260, OK_STATUS));
	EXPECT(get32(stage->answer + IC_AT_BODY + 8) == 5, "the check says 0x%x",
		get32(stage->answer + IC_AT_BODY + 8));
	EXPECT(memcmp(stage->answer + IC_AT_BODY + 12, body + 12, 6000) == 0,
		"the rest of the body has changed");
	return CONFORM_PASS;
}

static enum conform_verdict vss_short(struct conform_target *t)
{
	static uint8_t body[16];
	struct ic_stage *stage = vss_stage(t);
	struct scripted_host *h = scripted_host_of(t);

	TRY(stage != NULL);
	for (uint16_t bytes = 0; bytes < 8; bytes++)
		EXPECT(ic_say(h, stage, ic_request(stage, 5, bytes)) == 0, "%u bytes are answered",
			bytes);
	for (uint16_t bytes = 8; bytes < 12; bytes++) {
		body[0] = VSS_HOT_BACKUP;
		TRY(answered(t, stage, 5, body, bytes, FAIL_STATUS));
	}
	EXPECT(vss_begun[VSS_HOT_BACKUP] == 0, "it acts");
	return CONFORM_PASS;
}

/* A freeze that takes long, and what the host says meanwhile. */
static enum conform_verdict vss_meanwhile(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = vss_stage(t);

	TRY(stage != NULL);
	is_vss_slow = true;
	uint32_t length = ic_request(stage, 5, 12);
	stage->message[IC_AT_BODY] = VSS_FREEZE;
	EXPECT(ic_say(h, stage, length) == 0, "it answers before it has frozen");
	stage->message[IC_AT_BODY] = VSS_THAW;
	for (unsigned i = 0; i < 50; i++)
		EXPECT(ic_say(h, stage, length) == 0, "thaw is answered while freezing");
	EXPECT(vss_begun[VSS_THAW] == 0, "thaw is begun while freezing");
	is_vss_slow = false;
	const unsigned before = stage->answers;
	vss_ic_finish(&vss_guest, true);
	guest_serve(h);
	host_serve(h, 1);
	EXPECT(vss_begun[VSS_THAW] == 1, "of 50 thaws %u are done", vss_begun[VSS_THAW]);
	EXPECT(stage->answers == before + 2, "%u answers", stage->answers - before);
	return CONFORM_PASS;
}

static enum conform_verdict vss_void(struct conform_target *t)
{
	static const uint32_t fw[] = {0x30000}, ms[] = {0x50000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = vss_stage(t);

	TRY(stage != NULL);
	is_vss_slow = true;
	const uint32_t length = ic_request(stage, 5, 12);
	stage->message[IC_AT_BODY] = VSS_FREEZE;
	EXPECT(ic_say(h, stage, length) == 0, "it answers before it has frozen");
	EXPECT(ic_say(h, stage, ic_negotiation(stage, fw, 1, ms, 1)) == 1,
		"negotiation is not answered meanwhile");
	EXPECT(vss_forgotten == 1, "who freezes is not told");
	const unsigned before = stage->answers;
	vss_ic_finish(&vss_guest, true);
	host_serve(h, 1);
	EXPECT(stage->answers == before, "the answer of before comes after all");
	is_vss_slow = false;
	return CONFORM_PASS;
}

/* ---- file copy ------------------------------------------------------------------------------ */

static struct fcopy_ic fcopy_guest;
static unsigned fcopy_starts, fcopy_writes, fcopy_completes, fcopy_drops;

static uint32_t fcopy_start(void *ctx, const struct fcopy_start *start)
{
	(void)ctx;
	(void)start;
	fcopy_starts++;
	return OK_STATUS;
}

static uint32_t fcopy_write(void *ctx, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
	(void)ctx;
	(void)offset;
	(void)data;
	fcopy_writes += bytes > 0;
	return OK_STATUS;
}

static uint32_t fcopy_complete(void *ctx)
{
	(void)ctx;
	fcopy_completes++;
	return OK_STATUS;
}

static uint32_t fcopy_cancel(void *ctx)
{
	(void)ctx;
	return OK_STATUS;
}

static void fcopy_drop(void *ctx)
{
	(void)ctx;
	fcopy_drops++;
}

static struct ic_stage *fcopy_stage(struct conform_target *t)
{
	static const struct fcopy_ic_ops ops = {.start = fcopy_start,
		.write = fcopy_write,
		.complete = fcopy_complete,
		.cancel = fcopy_cancel,
		.drop = fcopy_drop};

	fcopy_ic_init(&fcopy_guest, &ops, NULL);
	return ic_stage_agreed(t, &fcopy_guest.ic, &guid_fcopy, 3, 1, 1);
}

static void text_put(uint8_t *at, const char *text)
{
	memset(at, 0, 520);
	for (unsigned i = 0; text[i] != '\0'; i++)
		put16(at + 2 * i, (uint8_t)text[i]);
}

/* START: name at 36, path at 556, flags at 1076, size at 1080. */
static void start_body(uint8_t body[1088], const char *name, const char *path, uint64_t size)
{
	memset(body, 0, 1088);
	text_put(body + 36, name);
	text_put(body + 556, path);
	put64(body + 1080, size);
}

/* WRITE: offset at 40, bytes at 48, data at 52. */
static bool write_of(struct conform_target *t, struct ic_stage *stage, uint64_t offset,
	uint32_t bytes, uint32_t status)
{
	static uint8_t body[6196];

	put32(body, 1);
	put64(body + 40, offset);
	put32(body + 48, bytes);
	return answered(t, stage, 7, body, sizeof body, status);
}

static enum conform_verdict fcopy_names(struct conform_target *t)
{
	static const char *const names[] = {"", ".", "..", "a/b", "/", "a\\b", "a\nb", "a\x7f"};
	static const char *const paths[] = {
		"", "tmp", "../tmp", "/tmp/..", "/../etc", "/a\\b", "/tmp/../etc", "/a\tb"};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 8; i++) {
		start_body(body, names[i], "/tmp", 10);
		TRY(answered(t, stage, 7, body, sizeof body, FAIL_STATUS));
		start_body(body, "file", paths[i], 10);
		TRY(answered(t, stage, 7, body, sizeof body, FAIL_STATUS));
	}
	EXPECT(fcopy_starts == 0, "one of them is begun");
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_texts(struct conform_target *t)
{
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned field = 36; field <= 556; field += 520) {
		start_body(body, "file", "/tmp", 10);
		for (unsigned i = 0; i < 260; i++)
			put16(body + field + 2 * i, i == 0 && field != 36 ? '/' : 'a'); /* no NUL */
		TRY(answered(t, stage, 7, body, sizeof body, FAIL_STATUS));
		start_body(body, "file", "/tmp", 10);
		put16(body + field + 2, 0xd800); /* half of a character */
		TRY(answered(t, stage, 7, body, sizeof body, FAIL_STATUS));
	}
	EXPECT(fcopy_starts == 0, "one of them is begun");
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_sizes(struct conform_target *t)
{
	static const uint64_t sizes[] = {1ull << 63, (1ull << 63) + 1, UINT64_MAX};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 3; i++) {
		start_body(body, "file", "/tmp", sizes[i]);
		TRY(answered(t, stage, 7, body, sizeof body, FAIL_STATUS));
	}
	EXPECT(fcopy_starts == 0, "one of them is begun");
	start_body(body, "file", "/tmp", (1ull << 63) - 1);
	TRY(answered(t, stage, 7, body, sizeof body, OK_STATUS));
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_bounds(struct conform_target *t)
{
	static const struct {
		uint64_t offset;
		uint32_t bytes;
	} rows[] = {{0, 6145}, {0, 0xffffffff}, {UINT64_MAX, 1}, {UINT64_MAX - 100, 200}, {101, 1},
		{1, 6144}, {10000, 1}, {0, 0x80000000}};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start_body(body, "file", "/tmp", 5000);
		TRY(answered(t, stage, 7, body, sizeof body, OK_STATUS));
		TRY(write_of(t, stage, 0, 100, OK_STATUS));
		fcopy_writes = 0;
		TRY(write_of(t, stage, rows[i].offset, rows[i].bytes, FAIL_STATUS));
		EXPECT(fcopy_writes == 0, "case %u is written", i);
		EXPECT(fcopy_drops == i + 1, "case %u: what there is of the file stays", i);
	}
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_order(struct conform_target *t)
{
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];
	static const uint8_t complete[36] = {2}, cancel[36] = {3}, unknown[36] = {4};

	TRY(stage != NULL);
	TRY(write_of(t, stage, 0, 10, FAIL_STATUS));
	TRY(answered(t, stage, 7, complete, 36, FAIL_STATUS));
	TRY(answered(t, stage, 7, cancel, 36, OK_STATUS));
	TRY(answered(t, stage, 7, unknown, 36, FAIL_STATUS));
	EXPECT(fcopy_writes == 0 && fcopy_completes == 0, "it acts without a start");
	start_body(body, "file", "/tmp", 20);
	TRY(answered(t, stage, 7, body, sizeof body, OK_STATUS));
	TRY(write_of(t, stage, 0, 10, OK_STATUS));
	TRY(write_of(t, stage, 0, 10, OK_STATUS)); /* again: the later counts */
	TRY(answered(t, stage, 7, body, sizeof body, OK_STATUS));
	EXPECT(fcopy_drops == 1, "a second start does not end the first copy");
	TRY(write_of(t, stage, 0, 10, OK_STATUS));
	TRY(answered(t, stage, 7, complete, 36, FAIL_STATUS)); /* 10 of 20 */
	EXPECT(fcopy_completes == 0, "a file that is not whole is completed");
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_short(struct conform_target *t)
{
	static const uint16_t starts[] = {4, 36, 556, 1076, 1087}, writes[] = {4, 36, 51, 52, 61};
	struct ic_stage *stage = fcopy_stage(t);
	static uint8_t body[1088];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 5; i++) {
		start_body(body, "file", "/tmp", 20);
		TRY(answered(t, stage, 7, body, starts[i], FAIL_STATUS));
		TRY(answered(t, stage, 7, body, sizeof body, OK_STATUS));
		memset(body, 0, 64);
		put32(body, 1);
		put32(body + 48, 10);
		TRY(answered(t, stage, 7, body, writes[i], FAIL_STATUS));
	}
	EXPECT(fcopy_writes == 0, "data that is not there is written");
	start_body(body, "file", "/tmp", 20);
	put32(body + 1076, 4); /* an unknown flag */
	TRY(answered(t, stage, 7, body, sizeof body, FAIL_STATUS));
	return CONFORM_PASS;
}

/* ---- key-value pairs ------------------------------------------------------------------------ */

static struct kvp_guest kvp_world;

static struct ic_stage *kvp_stage(struct conform_target *t)
{
	kvp_guest_init(&kvp_world);
	return ic_stage_agreed(t, &kvp_world.ic.ic, &guid_kvp, 3, 4, 0);
}

/* SET and GET: operation, pool, type at 4, sizes at 8 and 12, key at 16, value at 528. */
static void pair_body(
	uint8_t body[2580], uint8_t operation, uint8_t pool, const char *key, const char *value)
{
	memset(body, 0, 2580);
	body[0] = operation;
	body[1] = pool;
	put32(body + 4, 1); /* a string */
	put32(body + 8, (uint32_t)(2 * strlen(key) + 2));
	put32(body + 12, (uint32_t)(2 * strlen(value) + 2));
	text_put(body + 16, key);
	for (unsigned i = 0; value[i] != '\0'; i++)
		put16(body + 528 + 2 * i, (uint8_t)value[i]);
}

static bool is_refused(struct conform_target *t, struct ic_stage *stage, const uint8_t *body)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint32_t length = ic_request(stage, 2, 2580);

	memcpy(stage->message + IC_AT_BODY, body, 2580);
	if (ic_say(h, stage, length) != 1)
		return conform_no(t, "it is not answered");
	return ic_status(stage) >= 0x80000000 || conform_no(t, "it is taken");
}

static enum conform_verdict kvp_round_trip(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	pair_body(body, 1, 0, "key", "value");
	TRY(answered(t, stage, 2, body, 2580, OK_STATUS));
	pair_body(body, 0, 0, "key", "");
	TRY(answered(t, stage, 2, body, 2580, OK_STATUS));
	const uint8_t *answer = stage->answer + IC_AT_BODY;
	EXPECT(get32(answer + 12) == 12 && get16(answer + 528) == 'v' && get16(answer + 536) == 'e',
		"the value that was set is not got");
	pair_body(body, 0, 3, "key", "");
	TRY(is_refused(t, stage, body)); /* another pool */
	memset(body, 0, sizeof body);
	body[0] = 3; /* enumerate: index at 4 */
	put32(body + 4, 1);
	TRY(answered(t, stage, 2, body, 2580, 0x80070103));
	put32(body + 4, 0xffffffff);
	TRY(answered(t, stage, 2, body, 2580, 0x80070103));
	return CONFORM_PASS;
}

static enum conform_verdict kvp_numbers(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (unsigned operation = 6; operation < 256; operation += 7) {
		pair_body(body, (uint8_t)operation, 0, "key", "value");
		TRY(is_refused(t, stage, body));
	}
	for (unsigned pool = 4; pool < 256; pool += 7)
		for (uint8_t operation = 0; operation < 4; operation++) {
			pair_body(body, operation, (uint8_t)pool, "key", "value");
			TRY(is_refused(t, stage, body));
		}
	return CONFORM_PASS;
}

static enum conform_verdict kvp_sizes(struct conform_target *t)
{
	static const uint32_t key_sizes[] = {0, 1, 3, 7, 513, 514, 0x10000, 0x80000000, 0xffffffff};
	static const uint32_t value_sizes[] = {1, 3, 2049, 2050, 0x10000, 0x80000000, 0xffffffff};
	static const uint32_t types[] = {0, 3, 5, 6, 7, 9, 10, 12, 0x101, 0xffffffff};
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof key_sizes / sizeof key_sizes[0]; i++) {
		pair_body(body, 1, 0, "key", "value");
		put32(body + 8, key_sizes[i]);
		TRY(is_refused(t, stage, body));
	}
	for (unsigned i = 0; i < sizeof value_sizes / sizeof value_sizes[0]; i++) {
		pair_body(body, 1, 0, "key", "value");
		put32(body + 12, value_sizes[i]);
		TRY(is_refused(t, stage, body));
	}
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		pair_body(body, 1, 0, "key", "value");
		put32(body + 4, types[i]);
		TRY(is_refused(t, stage, body));
	}
	EXPECT(kvp_world.counts[0] == 0, "one of them is set");
	return CONFORM_PASS;
}

static enum conform_verdict kvp_endless_texts(struct conform_target *t)
{
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	pair_body(body, 1, 0, "key", "value");
	memset(body + 16, 'a', 512);
	put32(body + 8, 512);
	TRY(is_refused(t, stage, body));
	pair_body(body, 1, 0, "key", "value");
	memset(body + 528, 'a', 2048);
	put32(body + 12, 2048);
	TRY(is_refused(t, stage, body));
	pair_body(body, 1, 0, "key", "value");
	put32(body + 8, 6); /* the NUL is behind the size */
	TRY(is_refused(t, stage, body));
	EXPECT(kvp_world.counts[0] == 0, "one of them is set");
	return CONFORM_PASS;
}

static enum conform_verdict kvp_widths(struct conform_target *t)
{
	static const uint32_t rows[][2] = {{4, 0}, {4, 2}, {4, 8}, {11, 4}, {11, 0}, {11, 16}};
	struct ic_stage *stage = kvp_stage(t);
	static uint8_t body[2580];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 6; i++) {
		pair_body(body, 1, 0, "key", "");
		put32(body + 4, rows[i][0]);
		put32(body + 12, rows[i][1]);
		TRY(is_refused(t, stage, body));
	}
	put32(body + 12, 8);
	TRY(answered(t, stage, 2, body, 2580, OK_STATUS));
	return CONFORM_PASS;
}

static enum conform_verdict kvp_short(struct conform_target *t)
{
	static const struct {
		uint8_t operation;
		uint16_t least;
	} rows[] = {{0, 2576}, {1, 2576}, {2, 520}, {3, 2580}, {4, 7428}, {5, 7428}};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = kvp_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (uint16_t bytes = 2; bytes < rows[i].least; bytes = (uint16_t)(bytes * 2 + 1)) {
			const uint32_t length = ic_request(stage, 2, bytes);
			stage->message[IC_AT_BODY] = rows[i].operation;
			EXPECT(ic_say(h, stage, length) == 1 && ic_status(stage) >= 0x80000000,
				"operation %u with %u bytes is taken", rows[i].operation, bytes);
		}
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, 0, 0, 0                                                          \
	}

const struct conform_test guest_services_tests[] = {
	ROW("R-SHUT-005", "the flags decide, whatever the version", shutdown_flags_alone),
	ROW("R-SHUT-002", "neither reason nor time is a reason to refuse", shutdown_flags_alone),
	ROW("R-IC-018", "what it cannot do it refuses", shutdown_unknown_flags),
	ROW("R-IC-021", "the text may have any bytes and no end", shutdown_text),
	ROW("R-SHUT-007", "the body comes back as it was", shutdown_text),
	ROW("R-SHUT-008", "a further request takes the place of the one before",
		shutdown_last_counts),
	ROW("R-IC-025", "the time is brought to now by the reference time", time_is_brought_to_now),
	ROW("R-IC-026", "a reference time of 0 or in the future is not used", time_as_it_stands),
	ROW("R-TIME-113", "sums and differences of times do not wrap", time_as_it_stands),
	ROW("R-TIME-110", "a time of day that is none is refused", time_is_none),
	ROW("R-TIME-111", "a message more than 600 s old is not used", time_is_stale),
	ROW("R-TIME-103", "SYNC prevails, other bits are ignored", time_flags),
	ROW("R-TIME-112", "a probe is answered, and no more", time_flags),
	ROW("R-TIME-102", "a body with less than it needs is not used", time_short_bodies),
	ROW("R-VSS-009", "a count of LUNs that the body has no room for is refused", vss_luns),
	ROW("R-VSS-013", "a freeze without LUNs is taken", vss_luns),
	ROW("R-VSS-005", "bodies of 6260 bytes are taken", vss_luns),
	ROW("R-VSS-001", "the check is answered with flags 5", vss_operations),
	ROW("R-VSS-014", "the rest of the body comes back as it was", vss_operations),
	ROW("R-VSS-012", "short bodies are dropped, or answered by a failure", vss_short),
	ROW("R-VSS-002", "freeze is answered when it is done", vss_meanwhile),
	ROW("R-IC-041", "of what comes meanwhile the last is done, after it", vss_meanwhile),
	ROW("R-IC-042", "a negotiation makes the answer void", vss_void),
	ROW("R-FCOPY-009", "names and paths that lead elsewhere are refused", fcopy_names),
	ROW("R-FCOPY-010", "texts without an end, or that are none, are refused", fcopy_texts),
	ROW("R-FCOPY-019", "a size over 2^63 - 1 is refused", fcopy_sizes),
	ROW("R-FCOPY-008", "writes too long or past the end are refused", fcopy_bounds),
	ROW("R-FCOPY-005", "a write that fails removes the file", fcopy_bounds),
	ROW("R-FCOPY-001", "without a start nothing is written or completed", fcopy_order),
	ROW("R-FCOPY-011", "a second start ends the copy before it", fcopy_order),
	ROW("R-FCOPY-013", "a file that is not whole is not completed", fcopy_order),
	ROW("R-FCOPY-017", "bytes that it has already are taken again", fcopy_order),
	ROW("R-FCOPY-018", "cancel succeeds without a copy", fcopy_order),
	ROW("R-FCOPY-015", "short bodies and unknown flags are refused", fcopy_short),
	ROW("R-KVP-022", "what was set is got, in its pool", kvp_round_trip),
	ROW("R-KVP-003", "an index past the last is answered by no more items", kvp_round_trip),
	ROW("R-KVP-019", "unknown operations and pools are refused", kvp_numbers),
	ROW("R-KVP-014", "impossible sizes and types are refused", kvp_sizes),
	ROW("R-KVP-015", "texts without an end are refused", kvp_endless_texts),
	ROW("R-KVP-008", "numbers have their width", kvp_widths),
	ROW("R-KVP-034", "a short body is answered by a failure", kvp_short),
};
const size_t guest_services_test_count = sizeof guest_services_tests /
					 sizeof guest_services_tests[0];
