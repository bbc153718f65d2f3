// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-fcopy's component in its frame, with the test as the kernel behind /dev/vmbus/hv_fcopy,
 * and as the host behind a channel: what is answered when, and what is left of files. Records
 * are put together from fcopy.md, section 6.
 */
#include "tests/unit/fcopy_service_rig.h"

/* --- the device ---------------------------------------------------------------------------- */

/* R-FCOPY-031. */
static void a_file_comes_through_the_kernels_device(void)
{
	static struct fixture f;
	opened(&f);
	CU_ASSERT_EQUAL(ask_start(&f, "grün.txt", f.root, 5), 0);
	CU_ASSERT_EQUAL(f.service.kernel_version, 1);
	CU_ASSERT_EQUAL(ask_write(&f, 0, "hello", 5), 0);
	CU_ASSERT_EQUAL(entries(&f), 0);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_COMPLETE), 0);
	CU_ASSERT_TRUE(file_is(&f, "grün.txt", (const uint8_t *)"hello", 5));
	json_t *status = json_object();
	f.service.component.status(&f.service, status);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(status, "copied")), 1);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(status, "last")), "copied");
	json_decref(status);
	closed(&f);
}

/* Several buffers' worth, some of it late. */
static void a_large_file_comes_through_both_buffers(void)
{
	static struct fixture f;
	static uint8_t data[5 * 1024 * 1024 + 77];
	const size_t bytes = sizeof data;
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 31 + i / 6144);
	opened(&f);
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, bytes), 0);
	for (size_t at = 0; at < bytes; at += 6144) {
		const size_t n = bytes - at < 6144 ? bytes - at : 6144;
		CU_ASSERT_EQUAL_FATAL(ask_write(&f, at, data + at, (uint32_t)n), 0);
	}
	/* Some bytes again, in the middle of what is written. */
	CU_ASSERT_EQUAL(ask_write(&f, 3000000, data + 3000000, 100), 0);
	CU_ASSERT_EQUAL(ask_write(&f, 10, data + 10, 6144), 0);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_COMPLETE), 0);
	CU_ASSERT_TRUE(file_is(&f, "f", data, bytes));
	closed(&f);
}

static void each_failure_has_its_status(void)
{
	static struct fixture f;
	char path[128];
	opened(&f);
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, 1), 0);
	CU_ASSERT_EQUAL(ask_write(&f, 0, "x", 1), 0);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_COMPLETE), 0);
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, 1), 0x80070050);
	CU_ASSERT_EQUAL(ask_start(&f, "g", "/etc", 1), 0x80070005);
	CU_ASSERT_EQUAL(ask_start(&f, "g", f.root, 1ull << 60), 0x80070070);
	snprintf(path, sizeof path, "%s/none", f.root);
	CU_ASSERT_EQUAL(ask_start(&f, "g", path, 1), 0x80004005);
	CU_ASSERT_EQUAL(ask_start(&f, "../g", f.root, 1), 0x80004005);
	CU_ASSERT_EQUAL(ask_write(&f, 0, "x", 1), 0x80004005);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_COMPLETE), 0x80004005);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_CANCEL), 0);
	CU_ASSERT_EQUAL(ask_plain(&f, 7), 0x80004005);
	CU_ASSERT_EQUAL(entries(&f), 1);
	closed(&f);
}

/* Records that no kernel makes: each is answered, none is believed. */
static void records_that_are_none_are_answered(void)
{
	static struct fixture f;
	static uint8_t record[6196];
	opened(&f);
	static const size_t lengths[] = {1, 3, 5, 35, 36, 1087};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		put(&f, record, lengths[i]); /* a start */
		CU_ASSERT_EQUAL(answer(&f), 0x80004005);
	}
	record[0] = FCOPY_WRITE;
	put(&f, record, 51);
	CU_ASSERT_EQUAL(answer(&f), 0x80004005);
	memset(record, 0, sizeof record);
	memset(record + 36, 'x', 520); /* a name without end */
	put(&f, record, 1088);
	CU_ASSERT_EQUAL(answer(&f), 0x80004005);
	memset(record + 36, 0, 520);
	record[36] = 0xFF; /* no UTF-8 */
	put(&f, record, 1088);
	CU_ASSERT_EQUAL(answer(&f), 0x80004005);
	CU_ASSERT_EQUAL(f.service.ic.starts, 0);
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, 0), 0);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_COMPLETE), 0);
	CU_ASSERT_TRUE(file_is(&f, "f", (const uint8_t *)"", 0));
	closed(&f);
}

/* A write that claims more than its record has: nothing behind it is read, the copy is over. */
static void a_record_that_claims_more_than_it_has_ends_the_copy(void)
{
	static struct fixture f;
	uint8_t record[52 + 10] = {FCOPY_WRITE};
	const uint32_t bytes = 6144;
	opened(&f);
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, 10000), 0);
	memcpy(record + 48, &bytes, sizeof bytes);
	put(&f, record, sizeof record);
	CU_ASSERT_EQUAL(answer(&f), 0x80004005);
	CU_ASSERT_EQUAL(ask_write(&f, 0, "hello", 5), 0x80004005);
	closed(&f);
}

/* A start that was under way when its copy was forgotten does not answer for the next. */
static void an_end_that_is_late_is_not_taken_for_anothers(void)
{
	static struct fixture f;
	uint8_t record[1088] = {0};
	char path[128];
	opened(&f);
	snprintf((char *)record + 36, 520, "f");
	snprintf((char *)record + 556, 520, "%s", f.root);
	put(&f, record, sizeof record);
	for (unsigned i = 0; i < TURNS_MAX && !f.service.ic.is_pending; i++)
		(void)daemon_turn(f.daemon, 1000);
	fcopy_ic_reset(&f.service.ic);
	snprintf(path, sizeof path, "%s/none", f.root);
	const struct fcopy_request next = {
		.operation = FCOPY_START, .start = {.name = "g", .path = path}};
	CU_ASSERT_EQUAL(fcopy_ic_request(&f.service.ic, &next), IC_GUEST_LATER);
	CU_ASSERT_EQUAL(answer(&f), 0x80004005);
	CU_ASSERT_EQUAL(entries(&f), 0);
	closed(&f);
}

/* Whatever the supervisor's: directories that the host makes are for others to enter. */
static void the_mask_of_modes_is_its_own(void)
{
	static struct fixture f;
	const mode_t mask = umask(077);
	opened(&f);
	CU_ASSERT_EQUAL(umask(mask), 022);
	closed(&f);
}

/* R-FCOPY-005: cancelled, started anew, closed, ended. */
static void nothing_is_left_of_a_copy_that_does_not_end(void)
{
	for (unsigned way = 0; way < 4; way++) {
		static struct fixture f;
		opened(&f);
		f.service.config.is_without_tmpfile = true;
		CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, 10), 0);
		CU_ASSERT_EQUAL(ask_write(&f, 0, "hello", 5), 0);
		CU_ASSERT_EQUAL(entries(&f), 1);
		if (way == 0)
			CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_CANCEL), 0);
		if (way == 1)
			CU_ASSERT_EQUAL(ask_start(&f, "..", f.root, 10), 0x80004005);
		if (way == 2) {
			close(f.kernel);
			f.kernel = -1;
		}
		for (unsigned i = 0; i < TURNS_MAX && way < 3 && entries(&f) > 0; i++)
			(void)daemon_turn(f.daemon, 1000);
		if (way < 3)
			CU_ASSERT_EQUAL(entries(&f), 0);
		daemon_destroy(f.daemon);
		CU_ASSERT_EQUAL(entries(&f), 0);
		if (f.kernel >= 0)
			close(f.kernel);
		(void)nftw(f.top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
}

/* R-FCOPY-029: what a run before has noted. */
static void a_leftover_is_removed_at_the_start(void)
{
	static struct fixture f;
	char path[256];
	opened(&f);
	snprintf(path, sizeof path, "%s/%s0123456789abcdef", f.root, FCOPY_FILE_HIDDEN_PREFIX);
	fclose(fopen(path, "w"));
	FILE *stream = fopen(f.record, "w");
	fprintf(stream, "%s\n%s0123456789abcdef\n", f.root, FCOPY_FILE_HIDDEN_PREFIX);
	fclose(stream);
	CU_ASSERT_EQUAL(entries(&f), 1);
	CU_ASSERT_EQUAL(f.service.component.ready(&f.service, f.daemon), 0);
	CU_ASSERT_EQUAL(entries(&f), 0);
	closed(&f);
}

/* R-FCOPY-030. Each fragment puts it off. */
static void a_copy_that_the_host_forgets_is_given_up(void)
{
	static struct fixture f;
	opened(&f);
	f.service.config.is_without_tmpfile = true;
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, 10), 0);
	f.service.job.idle.due_ms = 0;
	CU_ASSERT_EQUAL(ask_write(&f, 0, "hello", 5), 0);
	CU_ASSERT_TRUE(f.service.job.idle.due_ms > daemon_now_ms() + FCOPY_IDLE_MS / 2);
	CU_ASSERT_EQUAL(entries(&f), 1);
	f.service.job.idle.due_ms = 0;
	for (unsigned i = 0; i < TURNS_MAX && entries(&f) > 0; i++)
		(void)daemon_turn(f.daemon, 1000);
	CU_ASSERT_EQUAL(entries(&f), 0);
	CU_ASSERT_EQUAL(ask_write(&f, 5, "hello", 5), 0x80004005);
	closed(&f);
}

/* --- the channel --------------------------------------------------------------------------- */

struct host {
	uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	size_t len;
};

static void on_late(void *transport, const void *reply, size_t len)
{
	struct host *host = transport;
	memcpy(host->reply, reply, len);
	host->len = len;
}

/* A request by packet; its status, when it has come. */
static uint32_t packet(struct fixture *f, struct host *host, const void *body, size_t bytes)
{
	static uint8_t request[IC_PAYLOAD_MAX_BYTES];
	const struct ic_header_wire header = {
		.framework = {3, 0},
		.type = IC_TYPE_FCOPY,
		.message = {1, 1},
		.body_bytes = (uint16_t)bytes,
		.flags = IC_FLAGS_REQUEST,
	};
	uint32_t status = UINT32_MAX;
	memcpy(request + IC_OVERHEAD_BYTES, body, bytes);
	const size_t len = ic_message_frame(request, sizeof request, &header);
	host->len = 0;
	(void)ic_guest_on_packet(
		&f->service.ic.ic, request, len, host->reply, sizeof host->reply, &host->len);
	for (unsigned i = 0; i < TURNS_MAX && host->len == 0; i++)
		(void)daemon_turn(f->daemon, 1000);
	CU_ASSERT_EQUAL_FATAL(host->len, len);
	memcpy(&status, host->reply + 20, sizeof status);
	return status;
}

/* Else the host's request would never be answered, nor any after it. */
static void a_host_that_waits_for_our_disk_is_not_given_up(void)
{
	static struct fixture f;
	static struct host host;
	static uint8_t request[IC_PAYLOAD_MAX_BYTES];
	const struct ic_header_wire header = {
		.framework = {3, 0},
		.type = IC_TYPE_FCOPY,
		.message = {1, 1},
		.body_bytes = sizeof(struct fcopy_start_wire),
		.flags = IC_FLAGS_REQUEST,
	};
	struct fcopy_start_wire start = {.name = {'f'}, .size_bytes = 3};
	opened(&f);
	for (size_t i = 0; f.root[i] != '\0'; i++)
		start.path[i] = (uint8_t)f.root[i];
	f.service.ic.ic.is_negotiated = true;
	ic_guest_attach(&f.service.ic.ic, on_late, &host);
	const size_t len = ic_message_frame(request, sizeof request, &header);
	memcpy(request + IC_OVERHEAD_BYTES, &start, sizeof start);
	host.len = 0;
	(void)ic_guest_on_packet(
		&f.service.ic.ic, request, len, host.reply, sizeof host.reply, &host.len);
	CU_ASSERT_EQUAL(host.len, 0);
	/* The time is over while the work is under way. */
	struct daemon_timer *idle = &f.service.job.idle;
	daemon_timer_clear(f.daemon, idle);
	idle->on_time(idle->ctx);
	CU_ASSERT_TRUE(idle->is_set);
	for (unsigned i = 0; i < TURNS_MAX && host.len == 0; i++)
		(void)daemon_turn(f.daemon, 10);
	CU_ASSERT_EQUAL(host.len, len);
	CU_ASSERT_FALSE(f.service.ic.ic.is_pending);
	closed(&f);
}

/* What the device asks for and what a channel asks for have the same end. */
static void a_file_comes_through_a_channel(void)
{
	static struct fixture f;
	static struct host host;
	static struct fcopy_write_wire write_body;
	const struct fcopy_header_wire complete = {.operation = FCOPY_COMPLETE};
	struct fcopy_start_wire start = {.name = {'f'}, .size_bytes = 3};
	opened(&f);
	for (size_t i = 0; f.root[i] != '\0'; i++)
		start.path[i] = (uint8_t)f.root[i];
	f.service.ic.ic.is_negotiated = true;
	ic_guest_attach(&f.service.ic.ic, on_late, &host);
	CU_ASSERT_EQUAL(packet(&f, &host, &start, sizeof start), 0);
	write_body.header.operation = FCOPY_WRITE;
	write_body.bytes = 3;
	memcpy(write_body.data, "abc", 3);
	CU_ASSERT_EQUAL(packet(&f, &host, &write_body, sizeof write_body), 0);
	CU_ASSERT_EQUAL(packet(&f, &host, &complete, sizeof complete), 0);
	CU_ASSERT_TRUE(file_is(&f, "f", (const uint8_t *)"abc", 3));
	closed(&f);
}

static const struct test tests[] = {
	TEST(a_file_comes_through_the_kernels_device),
	TEST(a_large_file_comes_through_both_buffers),
	TEST(each_failure_has_its_status),
	TEST(records_that_are_none_are_answered),
	TEST(a_record_that_claims_more_than_it_has_ends_the_copy),
	TEST(an_end_that_is_late_is_not_taken_for_anothers),
	TEST(the_mask_of_modes_is_its_own),
	TEST(nothing_is_left_of_a_copy_that_does_not_end),
	TEST(a_leftover_is_removed_at_the_start),
	TEST(a_copy_that_the_host_forgets_is_given_up),
	TEST(a_host_that_waits_for_our_disk_is_not_given_up),
	TEST(a_file_comes_through_a_channel),
};
TEST_MAIN("fcopy service", tests)
