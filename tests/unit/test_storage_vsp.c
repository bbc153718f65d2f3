// SPDX-License-Identifier: Apache-2.0
/*
 * The storage protocol machine, driven by scripted guests: every version, every
 * operation in every state, sub-channels, SRBs and their replies, hot plug, close.
 * Expected bytes are those of protocol/storage.md, written out.
 */
#include "tests/unit/storage_guest.h"

#include <errno.h>

static const struct storage_vsp_config plain = {0};
static const struct storage_vsp_config multi = {.max_sub_channels = 3};

/* ---- handshake ----------------------------------------------------------------------------- */

/* R-STOR-001, R-STOR-005, R-STOR-065. */
static void handshake_has_its_exact_bytes(void)
{
	struct guest *g = guest_create(&multi);
	CU_ASSERT_EQUAL(guest_control(g, 7, 0), 0);
	ASSERT_REPLY(g, 1);
	CU_ASSERT_EQUAL(guest_control(g, 9, 0x0600), 0);
	ASSERT_REPLY(g, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x06);
	CU_ASSERT_EQUAL(guest_control(g, 10, 0), 0);
	ASSERT_REPLY(g, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* sub-channels */ 3, 0, 0,
		0, /* flags */ 1, 0, 0, 0, /* 256 KiB */ 0, 0, 4, 0);
	CU_ASSERT_EQUAL(guest_control(g, 8, 0), 0);
	ASSERT_REPLY(g, 1);
	CU_ASSERT_EQUAL(storage_vsp_state(g->vsp), STORAGE_STATE_READY);
	guest_free(g);
}

/* R-STOR-003, R-STOR-006, R-STOR-008. */
static void each_version_is_spoken_in_its_size(void)
{
	static const struct {
		uint16_t version;
		size_t bytes;
		bool is_multi, enumerates;
	} rows[] = {
		{0x0602, 64, true, true},
		{0x0600, 64, true, true},
		{0x0501, 64, true, true},
		{0x0402, 48, false, true},
		{0x0200, 48, false, false},
	};
	for (unsigned i = 0; i < 5; i++) {
		struct guest *g = guest_create(&multi);
		const size_t bytes = rows[i].bytes;
		CU_ASSERT_EQUAL(guest_control_on(g, 0, 7, 0, bytes), 0);
		CU_ASSERT_EQUAL(guest_control_on(g, 0, 9, rows[i].version, bytes), 0);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 12), rows[i].version);
		CU_ASSERT_EQUAL(guest_control_on(g, 0, 10, 0, bytes), 0);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 16), rows[i].is_multi ? 3 : 0);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 20), rows[i].is_multi ? 1 : 0);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 24), 0x40000);
		CU_ASSERT_EQUAL(guest_control_on(g, 0, 8, 0, bytes), 0);
		guest_attach(g, 0, 0, 0, NULL);
		CU_ASSERT_EQUAL(g->notified, rows[i].enumerates ? 1 : 0);
		uint8_t packet[64];
		CU_ASSERT_EQUAL(
			storage_vsp_notification(g->vsp, packet), rows[i].enumerates ? bytes : 0);

		struct guest_srb srb = guest_transfer(false, 0, 20480, 1);
		guest_srb_on(g, 0, bytes, &srb);
		CU_ASSERT_EQUAL(guest_last(g)->bytes, bytes);
		CU_ASSERT_EQUAL(guest_last(g)->packet[12], bytes - 12);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x86);
		CU_ASSERT_EQUAL(guest_last(g)->packet[21], bytes == 48 ? 18 : 20);
		CU_ASSERT_EQUAL(guest_last(g)->packet[28], 0x70);
		CU_ASSERT_EQUAL(guest_last(g)->packet[40], 0x21);
		CU_ASSERT_EQUAL(guest_detach(g, 0, 0, 0), 1);
		guest_free(g);
	}
}

/* R-STOR-004. */
static void other_versions_are_refused_and_a_lower_one_taken(void)
{
	static const uint16_t refused[] = {
		0x0603, 0x0700, 0xFFFF, 0x0601, 0x0500, 0x0400, 0x0300, 0x0100, 0x0001, 0x0000};
	struct guest *g = guest_create(&plain);
	guest_control(g, 7, 0);
	for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		CU_ASSERT_EQUAL(guest_control(g, 9, refused[i]), 0xC0000059);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 12), refused[i]);
		CU_ASSERT_EQUAL(storage_vsp_state(g->vsp), STORAGE_STATE_QUERY_VERSION);
	}
	CU_ASSERT_EQUAL(guest_control(g, 9, 0x0600), 0);
	CU_ASSERT_EQUAL(storage_vsp_statistics(g->vsp)->rejects[STORAGE_REJECT_VERSION], 10);
	guest_free(g);

	const struct storage_vsp_config capped = {.version_max = 0x0600};
	g = guest_create(&capped);
	guest_control(g, 7, 0);
	CU_ASSERT_EQUAL(guest_control(g, 9, 0x0602), 0xC0000059);
	ASSERT_REPLY(g, 1, 0, 0, 0, 0, 0, 0, 0, 0x59, 0x00, 0x00, 0xC0, 0x02, 0x06);
	CU_ASSERT_EQUAL(guest_control(g, 9, 0x0600), 0);
	guest_free(g);
}

/* Bring a new controller into a state. */
static struct guest *guest_in(enum storage_state state, const struct storage_vsp_config *config)
{
	static const uint32_t steps[] = {7, 9, 10, 8};
	struct guest *g = guest_create(config);
	for (unsigned i = 0; i < (unsigned)state; i++)
		CU_ASSERT_EQUAL_FATAL(guest_control(g, steps[i], 0x0600), 0);
	CU_ASSERT_EQUAL_FATAL(storage_vsp_state(g->vsp), state);
	return g;
}

/* R-STOR-002, R-STOR-047. */
static void each_operation_is_legal_in_its_states_only(void)
{
	/* Bit n: legal in state n. 0xFF: not a guest's operation at all. */
	static const uint8_t legal[16] = {0xFF, 0xFF, 0xFF, 0x10, 0x10, 0x10, 0x10, 0x01, 0x08,
		0x02, 0x04, 0xFF, 0xFF, 0x18, 0xFF, 0xFF};
	for (unsigned state = 0; state < STORAGE_STATE_COUNT; state++) {
		for (unsigned operation = 0; operation < 16; operation++) {
			struct guest *g = guest_in((enum storage_state)state, &multi);
			const uint16_t word = operation == 9 ? 0x0501 : 1;
			const uint32_t status = guest_control(g, operation, word);
			uint32_t expected = 0;
			if (legal[operation] == 0xFF)
				expected = 0xC0000010;
			else if (!(legal[operation] & (1u << state)))
				expected = 0xC0000184;
			else if (operation == 3)
				expected = 0xC0000185; /* an SRB with no CDB */
			CU_ASSERT_EQUAL(status, expected);
			if (expected == 0xC0000184 || expected == 0xC0000010)
				CU_ASSERT_EQUAL(storage_vsp_state(g->vsp), state);
			guest_free(g);
		}
	}
}

/* R-STOR-002. */
static void a_refused_operation_leaves_the_handshake_whole(void)
{
	struct guest *g = guest_create(&plain);
	CU_ASSERT_EQUAL(guest_control(g, 8, 0), 0xC0000184);
	CU_ASSERT_EQUAL(guest_control(g, 10, 0), 0xC0000184);
	guest_handshake(g, 0x0600);
	CU_ASSERT_EQUAL(guest_control(g, 7, 0), 0xC0000184);
	CU_ASSERT_EQUAL(storage_vsp_state(g->vsp), STORAGE_STATE_READY);
	guest_free(g);
}

/* R-STOR-009. */
static void an_early_srb_touches_no_disk(void)
{
	struct guest *g = guest_create(&plain);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	struct guest_srb srb = guest_transfer(true, 0, 0, 1);
	guest_srb(g, &srb);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0xC0000184);
	CU_ASSERT_EQUAL(store->submitted, 0);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-STOR-007, R-STOR-062, R-STOR-072: never more payload than the request had. */
static void replies_are_as_long_as_their_requests(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	guest_attach(g, 0, 0, 0, NULL);
	for (size_t bytes = 0; bytes <= 80; bytes++) {
		const unsigned before = g->reply_count;
		uint8_t packet[80];
		struct guest_srb srb = guest_transfer(false, 0, 20480, 1);
		guest_srb_packet(packet, 64, &srb);
		memset(packet + 64, 0, 16);
		const uint64_t id = guest_send_on(g, 0, packet, bytes, 512);
		if (bytes < 12) {
			CU_ASSERT_EQUAL(g->reply_count, before);
			continue;
		}
		CU_ASSERT_EQUAL_FATAL(g->reply_count, before + 1);
		CU_ASSERT_EQUAL(guest_last(g)->id, id);
		CU_ASSERT_EQUAL(guest_last(g)->bytes, bytes < 64 ? bytes : 64);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), bytes < 48 ? 0xC000000D : 0xC0000185);
	}
	CU_ASSERT_EQUAL(storage_vsp_statistics(g->vsp)->rejects[STORAGE_REJECT_PACKET_SHORT], 12);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

static void short_control_packets_are_refused(void)
{
	struct guest *g = guest_create(&multi);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 7, 0, 12), 0);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 9, 0, 15), 0xC000000D);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 9, 0x0600, 16), 0);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 10, 0, 12), 0);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 13, 0, 12), 0xC000000D);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 8, 0, 12), 0);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 4, 0, 19), 0xC000000D);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 4, 0, 20), 0);
	guest_free(g);
}

/* ---- sub-channels -------------------------------------------------------------------------- */

/* R-STOR-013, R-STOR-014, R-STOR-068. */
static void sub_channels_are_offered_up_to_the_maximum(void)
{
	struct guest *g = guest_in(STORAGE_STATE_END_INITIALIZATION, &multi);
	CU_ASSERT_EQUAL(guest_control(g, 13, 2), 0); /* before END: legal */
	CU_ASSERT_EQUAL(g->sub_channels, 2);
	guest_control(g, 8, 0);
	CU_ASSERT_EQUAL(guest_control(g, 13, 3), 0);
	CU_ASSERT_EQUAL(g->sub_channels, 3);
	ASSERT_REPLY(g, 1);
	g->sub_channels = 0;
	CU_ASSERT_EQUAL(guest_control(g, 13, 4), 0xC000000D);
	CU_ASSERT_EQUAL(guest_control(g, 13, 0xFFFF), 0xC000000D);
	CU_ASSERT_EQUAL(guest_control(g, 13, 0), 0);
	CU_ASSERT_EQUAL(g->sub_channels, 0);
	g->sub_channels_result = -ENOSPC;
	CU_ASSERT_EQUAL(guest_control(g, 13, 1), 0xC0000001);
	guest_free(g);

	g = guest_in(STORAGE_STATE_READY, &plain); /* not offered */
	CU_ASSERT_EQUAL(guest_control(g, 13, 1), 0xC0000184);
	guest_free(g);
	g = guest_create(&multi); /* nor below 5.1 */
	guest_handshake(g, 0x0402);
	CU_ASSERT_EQUAL(guest_control(g, 13, 1), 0xC0000184);
	guest_free(g);
}

/* R-STOR-015, R-STOR-016. */
static void sub_channels_hold_their_packets_until_ready(void)
{
	struct guest *g = guest_in(STORAGE_STATE_END_INITIALIZATION, &multi);
	guest_attach(g, 0, 0, 0, NULL);
	guest_open(g, 1);
	struct guest_srb srb = guest_transfer(false, 0, 0, 1);
	CU_ASSERT(!storage_channel_can_take(g->channels[1].core));
	CU_ASSERT_EQUAL(guest_srb_on(g, 1, 64, &srb), 0);
	CU_ASSERT_EQUAL(g->channels[1].resumed, 0);
	guest_control(g, 8, 0);
	CU_ASSERT_EQUAL(g->channels[1].resumed, 1);
	const uint64_t id = guest_srb_on(g, 1, 64, &srb);
	CU_ASSERT_EQUAL(guest_last(g)->channel, 1);
	CU_ASSERT_EQUAL(guest_last(g)->id, id);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	/* Control operations belong to the primary. */
	static const uint32_t control[] = {4, 5, 6, 7, 8, 9, 10, 13};
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(guest_control_on(g, 1, control[i], 1, 64), 0xC0000184);
	guest_close(g, 1);
	CU_ASSERT_EQUAL(g->channels[1].idle, 1);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-STOR-005. */
static void there_are_only_the_configured_channels(void)
{
	struct guest *g = guest_create(&multi);
	CU_ASSERT_PTR_NULL(storage_channel_open(g->vsp, 4, g));
	CU_ASSERT_PTR_NULL(storage_channel_open(g->vsp, 0, g)); /* already open */
	guest_free(g);
	struct storage_vsp *vsp;
	const struct storage_vsp_config wrong[] = {
		{.max_sub_channels = 64},
		{.requests = 1025},
		{.max_transfer_bytes = 4095},
		{.max_transfer_bytes = (8u << 20) + 4096},
		{.version_max = 0x0100},
		{.is_ide = true, .ide_channel = 2},
	};
	for (unsigned i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(storage_vsp_create(&wrong[i], &guest_ops, NULL, &vsp), -EINVAL);
}

/* ---- SRBs ---------------------------------------------------------------------------------- */

/* R-STOR-027, R-STOR-065. */
static void a_good_read_has_its_exact_reply(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	memset(store->bytes + 0x800 * 512, 0x5A, 4096);
	struct guest_srb srb = guest_transfer(false, 0, 0x800, 8);
	guest_srb(g, &srb);
	ASSERT_REPLY(g, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x34, 0, 0x01, 0x00, 0, 0, 0, 0, 0x10,
		0x14, 0, 0, 0x00, 0x10, 0, 0);
	CU_ASSERT_EQUAL(g->data[0], 0x5A);
	CU_ASSERT_EQUAL(g->data[4095], 0x5A);
	CU_ASSERT_EQUAL(g->data[4096], 0);
	const struct storage_statistics *s = storage_vsp_statistics(g->vsp);
	CU_ASSERT_EQUAL(s->commands, 1);
	CU_ASSERT_EQUAL(s->bytes_in, 4096);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-STOR-026, R-STOR-027. */
static void a_failed_read_has_its_exact_reply(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	guest_attach(g, 0, 0, 0, NULL);
	struct guest_srb srb = guest_transfer(false, 0, 0x5000, 1);
	guest_srb(g, &srb);
	ASSERT_REPLY(g, 1, 0, 0, 0, 0, 0, 0, 0, 0x85, 0x01, 0x00, 0xC0, 0x34, 0, 0x86, 0x02, 0, 0,
		0, 0, 0x10, 0x14, 0, 0, 0, 0, 0, 0, 0x70, 0, 5, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0x21);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-STOR-028, R-STOR-029. */
static void an_absent_lun_has_its_exact_replies(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	guest_attach(g, 0, 0, 0, NULL);
	const struct guest_srb nowhere[] = {
		{.lun = 1}, {.target = 1}, {.path = 1}, {.path = 8}, {.target = 64}, {.lun = 255}};
	for (unsigned i = 0; i < 6; i++) {
		struct guest_srb srb = guest_transfer(false, nowhere[i].lun, 0, 1);
		srb.path = nowhere[i].path;
		srb.target = nowhere[i].target;
		guest_srb(g, &srb);
		ASSERT_REPLY(g, 1, 0, 0, 0, 0, 0, 0, 0, 0xC0, 0x00, 0x00, 0xC0, 0x34, 0, 0x20, 0x02,
			0, 0, 0, 0, 0x10, 0x14);
		struct guest_srb inquiry = {.path = srb.path,
			.target = srb.target,
			.lun = srb.lun,
			.cdb_length = 6,
			.sense_length = 20,
			.direction = 1,
			.data_length = 104,
			.cdb = {0x12, 0, 0, 0, 104}};
		memset(g->data, 0xEE, 104);
		guest_srb(g, &inquiry);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x01);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 24), 104);
		CU_ASSERT_EQUAL(g->data[0], 0x7F);
		CU_ASSERT_EQUAL(g->data[8], srb.lun == 0 ? 'M' : 0);
		inquiry.cdb[1] = 1;
		guest_srb(g, &inquiry);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x86);
		CU_ASSERT_EQUAL(guest_last(g)->packet[40], 0x24);
	}
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* Ask REPORT LUNS of an address; returns the bytes moved. */
static uint32_t report_luns(struct guest *g, uint8_t path, uint8_t target, uint32_t allocation)
{
	struct guest_srb srb = {.path = path,
		.target = target,
		.cdb_length = 12,
		.sense_length = 20,
		.direction = 1,
		.data_length = 4096,
		.cdb = {0xA0}};
	srb.cdb[8] = (uint8_t)(allocation >> 8);
	srb.cdb[9] = (uint8_t)allocation;
	memset(g->data, 0xEE, 4096);
	guest_srb(g, &srb);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x01);
	CU_ASSERT_EQUAL(guest_last(g)->packet[15], 0x00);
	return guest_u32(guest_last(g), 24);
}

/* R-STOR-030, R-STOR-063. */
static void report_luns_lists_the_luns_of_its_target(void)
{
	static const uint8_t two[24] = {0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	for (uint8_t target = 0; target < 3; target++) {
		CU_ASSERT_EQUAL(report_luns(g, 0, target, 2040), 8);
		CU_ASSERT_EQUAL(memcmp(g->data, (uint8_t[8]){0}, 8), 0);
	}
	guest_attach(g, 0, 0, 5, NULL);
	guest_attach(g, 0, 0, 0, NULL);
	guest_attach(g, 0, 1, 7, NULL);
	guest_attach(g, 1, 0, 9, NULL);
	CU_ASSERT_EQUAL(report_luns(g, 0, 0, 4096), 24);
	CU_ASSERT_EQUAL(memcmp(g->data, two, 24), 0);
	CU_ASSERT_EQUAL(report_luns(g, 0, 1, 4096), 16);
	CU_ASSERT_EQUAL(g->data[9], 7);
	CU_ASSERT_EQUAL(report_luns(g, 0, 0, 20), 20);
	CU_ASSERT_EQUAL(memcmp(g->data, two, 20), 0);
	CU_ASSERT_EQUAL(g->data[20], 0xEE);
	CU_ASSERT_EQUAL(report_luns(g, 0, 0, 0), 0);
	/* whatever LUN it was sent to, there or not */
	for (unsigned lun = 0; lun < 256; lun += 5) {
		struct guest_srb srb = {.lun = (uint8_t)lun,
			.cdb_length = 12,
			.sense_length = 20,
			.direction = 1,
			.data_length = 24,
			.cdb = {0xA0, [9] = 24}};
		guest_srb(g, &srb);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x01);
		CU_ASSERT_EQUAL(memcmp(g->data, two, 24), 0);
	}
	guest_detach(g, 0, 0, 5);
	guest_detach(g, 0, 0, 0);
	guest_detach(g, 0, 1, 7);
	guest_detach(g, 1, 0, 9);
	guest_free(g);
}

/* R-STOR-071. */
static void contradictory_requests_move_nothing(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	const struct storage_statistics *s = storage_vsp_statistics(g->vsp);
	struct guest_srb srb = guest_transfer(false, 0, 0, 2);
	uint8_t packet[64];
	/* More data than the buffer has, and data without a buffer. */
	guest_srb_packet(packet, 64, &srb);
	guest_send_on(g, 0, packet, 64, 1023);
	CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x86);
	CU_ASSERT_EQUAL(guest_last(g)->packet[40], 0x24);
	guest_send_on(g, 0, packet, 64, 0);
	CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x86);
	CU_ASSERT_EQUAL(s->rejects[STORAGE_REJECT_DATA_LENGTH], 2);
	/* Page lists that the transport found wrong. */
	for (int data = STORAGE_DATA_INVALID; data <= STORAGE_DATA_OUTSIDE; data++) {
		struct storage_request *request = storage_request_begin(g->channels[0].core);
		request->data = (enum storage_data)data;
		storage_request_submit(request, 7, packet, 64);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x86);
		CU_ASSERT_EQUAL(guest_last(g)->packet[40], 0x24);
	}
	CU_ASSERT_EQUAL(s->rejects[STORAGE_REJECT_DATA_RANGES], 1);
	CU_ASSERT_EQUAL(s->rejects[STORAGE_REJECT_DATA_MEMORY], 1);
	/* CDBs of no length, or of too much. */
	for (unsigned length = 0; length < 256; length += 17) {
		srb.cdb_length = (uint8_t)length;
		guest_srb(g, &srb);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x86);
	}
	CU_ASSERT_EQUAL(s->rejects[STORAGE_REJECT_CDB_LENGTH], 16);
	CU_ASSERT_EQUAL(store->submitted, 0);
	/* A buffer longer than the data is used as far as the data goes. */
	srb = guest_transfer(false, 0, 0, 1);
	guest_srb_packet(packet, 64, &srb);
	guest_send_on(g, 0, packet, 64, 8192);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 24), 512);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-STOR-025: autosense is said exactly when sense bytes are there. */
static void autosense_follows_room_and_flag(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	guest_attach(g, 0, 0, 0, NULL);
	static const struct {
		uint8_t room;
		uint32_t flags;
		uint8_t srb_status, sense_length, first, asc;
	} rows[] = {
		{20, 0, 0x86, 20, 0x70, 0x21},
		{18, 0, 0x86, 18, 0x70, 0x21},
		{255, 0, 0x86, 20, 0x70, 0x21},
		{8, 0, 0x86, 8, 0x70, 0x00},
		{0, 0, 0x06, 0, 0x00, 0x00},
		{20, 0x20, 0x06, 20, 0x00, 0x00},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guest_srb srb = guest_transfer(false, 0, 0x5000, 1);
		srb.sense_length = rows[i].room;
		srb.flags = rows[i].flags;
		guest_srb(g, &srb);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], rows[i].srb_status);
		CU_ASSERT_EQUAL(guest_last(g)->packet[21], rows[i].sense_length);
		CU_ASSERT_EQUAL(guest_last(g)->packet[28], rows[i].first);
		CU_ASSERT_EQUAL(guest_last(g)->packet[40], rows[i].asc);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 48), 0);
	}
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-STOR-024. */
static void ntstatus_follows_the_srb_status(void)
{
	static const struct {
		uint8_t srb;
		uint32_t status;
	} rows[] = {
		{0x01, 0},
		{0x81, 0},
		{0x05, 0x80000011},
		{0x20, 0xC00000C0},
		{0x21, 0xC00000C0},
		{0x08, 0xC00000C0},
		{0x11, 0xC00000C0},
		{0x09, 0xC00000B5},
		{0x0B, 0xC00000B5},
		{0x0A, 0xC000009D},
		{0x22, 0xC0000010},
		{0x15, 0xC0000010},
		{0x12, 0x80000005},
		{0x16, 0xC0000001},
		{0x02, 0xC0000120},
		{0x04, 0xC0000185},
		{0x84, 0xC0000185},
		{0x06, 0xC0000185},
		{0x3F, 0xC0000185},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CU_ASSERT_EQUAL(storage_srb_ntstatus(rows[i].srb), rows[i].status);
}

/* ---- many requests ------------------------------------------------------------------------- */

/* R-STOR-010, R-STOR-011. */
static void requests_complete_in_any_order_each_once(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	store->holds = true;
	uint64_t ids[256];
	for (unsigned i = 0; i < 256; i++) {
		struct guest_srb srb = guest_transfer(false, 0, i, 1);
		ids[i] = guest_srb(g, &srb);
		CU_ASSERT(ids[i] != 0);
	}
	const unsigned before = g->reply_count;
	unsigned order = 12345;
	while (store->held_count) {
		order = order * 1103515245 + 12345;
		store_script_release(store, order / 65536 % store->held_count);
	}
	CU_ASSERT_EQUAL(g->reply_count, before + 256);
	for (unsigned i = 0; i < 256; i++) {
		unsigned found = 0;
		for (unsigned r = before; r < g->reply_count; r++)
			found += g->replies[r].id == ids[i];
		CU_ASSERT_EQUAL(found, 1);
	}
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-PKT-014, R-STOR-070: at the bound, and one past it. */
static void requests_in_flight_are_bounded(void)
{
	const struct storage_vsp_config config = {.requests = 5};
	struct guest *g = guest_in(STORAGE_STATE_READY, &config);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	struct guest_srb srb = guest_transfer(false, 0, 0, 1);
	store->holds = true;
	for (unsigned i = 0; i < 5; i++)
		CU_ASSERT(guest_srb(g, &srb) != 0);
	CU_ASSERT(!storage_channel_can_take(g->channels[0].core));
	CU_ASSERT_EQUAL(guest_srb(g, &srb), 0);
	store_script_release(store, 2);
	CU_ASSERT(storage_channel_can_take(g->channels[0].core));
	CU_ASSERT(guest_srb(g, &srb) != 0);
	CU_ASSERT_EQUAL(guest_srb(g, &srb), 0);
	while (store->held_count)
		store_script_release(store, 0);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

static void packets_without_an_answer_give_their_request_back(void)
{
	const struct storage_vsp_config config = {.requests = 1};
	struct guest *g = guest_in(STORAGE_STATE_READY, &config);
	const unsigned before = g->reply_count;
	for (unsigned i = 0; i < 3; i++) {
		struct storage_request *request = storage_request_begin(g->channels[0].core);
		CU_ASSERT_PTR_NOT_NULL_FATAL(request);
		storage_request_reject(request, STORAGE_REJECT_COMPLETION);
	}
	CU_ASSERT_EQUAL(storage_vsp_statistics(g->vsp)->rejects[STORAGE_REJECT_COMPLETION], 3);
	guest_send_on(g, 0, "short", 5, 0);
	CU_ASSERT_EQUAL(g->reply_count, before);
	CU_ASSERT_EQUAL(guest_control(g, 5, 0), 0);
	guest_free(g);
}

/* ---- reset --------------------------------------------------------------------------------- */

/* TEST UNIT READY; its sense key, 0 if good. */
static uint8_t test_unit_ready(struct guest *g, uint8_t target, uint8_t lun)
{
	struct guest_srb srb = {
		.target = target, .lun = lun, .cdb_length = 6, .sense_length = 20, .direction = 2};
	guest_srb(g, &srb);
	return guest_last(g)->packet[30];
}

/* R-STOR-019, R-STOR-075. */
static void resets_are_reported_by_the_luns_that_they_reached(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	guest_attach(g, 0, 0, 0, NULL);
	guest_attach(g, 0, 1, 3, NULL);
	for (uint32_t operation = 5; operation <= 6; operation++) {
		CU_ASSERT_EQUAL(guest_control(g, operation, 0), 0);
		CU_ASSERT_EQUAL(test_unit_ready(g, 0, 0), 6);
		CU_ASSERT_EQUAL(guest_last(g)->packet[40], 0x29);
		CU_ASSERT_EQUAL(test_unit_ready(g, 0, 0), 0);
		CU_ASSERT_EQUAL(test_unit_ready(g, 1, 3), 6);
	}
	uint8_t packet[64] = {4, 0, 0, 0, 1};
	packet[18] = 1;
	packet[19] = 3;
	guest_send_on(g, 0, packet, 64, 0);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	CU_ASSERT_EQUAL(test_unit_ready(g, 0, 0), 0);
	CU_ASSERT_EQUAL(test_unit_ready(g, 1, 3), 6);
	packet[19] = 200; /* nothing there: nothing to do */
	guest_send_on(g, 0, packet, 64, 0);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	guest_detach(g, 0, 0, 0);
	guest_detach(g, 0, 1, 3);
	guest_free(g);
}

/* ---- hot plug ------------------------------------------------------------------------------ */

/* R-STOR-020, R-STOR-073, R-STOR-074. */
static void hot_plug_is_announced_when_ready(void)
{
	static const uint8_t enumerate[64] = {0x0B};
	struct guest *g = guest_in(STORAGE_STATE_END_INITIALIZATION, &plain);
	uint8_t packet[64];
	guest_attach(g, 0, 0, 0, NULL);
	CU_ASSERT_EQUAL(g->notified, 0);
	guest_control(g, 8, 0);
	CU_ASSERT(!storage_vsp_has_notification(g->vsp)); /* R-STOR-021 */
	guest_attach(g, 0, 0, 1, NULL);
	CU_ASSERT_EQUAL(g->notified, 1);
	memset(packet, 0xEE, sizeof packet);
	CU_ASSERT_EQUAL(storage_vsp_notification(g->vsp, packet), 64);
	CU_ASSERT_EQUAL(memcmp(packet, enumerate, 64), 0);
	CU_ASSERT_EQUAL(storage_vsp_notification(g->vsp, packet), 0);
	/* The target's other LUNs know that the list has changed; the new one is just there. */
	CU_ASSERT_EQUAL(test_unit_ready(g, 0, 0), 6);
	CU_ASSERT_EQUAL(guest_last(g)->packet[40], 0x3F);
	CU_ASSERT_EQUAL(guest_last(g)->packet[41], 0x0E);
	CU_ASSERT_EQUAL(test_unit_ready(g, 0, 0), 0);
	CU_ASSERT_EQUAL(test_unit_ready(g, 0, 1), 0);
	CU_ASSERT_EQUAL(guest_detach(g, 0, 0, 1), 1);
	CU_ASSERT_EQUAL(storage_vsp_notification(g->vsp, packet), 64);
	test_unit_ready(g, 0, 1);
	CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x20);
	CU_ASSERT_EQUAL(test_unit_ready(g, 0, 0), 6);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

/* R-STOR-073. */
static void a_detached_device_is_free_when_its_last_request_ends(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	unsigned gone = 0;
	store->holds = true;
	struct guest_srb srb = guest_transfer(true, 0, 0, 1);
	const uint64_t id = guest_srb(g, &srb);
	const struct storage_address address = {0, 0, 0};
	CU_ASSERT_EQUAL(storage_vsp_detach(g->vsp, address, guest_device_gone, &gone), 0);
	CU_ASSERT_EQUAL(gone, 0);
	CU_ASSERT_PTR_NULL(storage_vsp_device(g->vsp, address));
	CU_ASSERT_EQUAL(storage_vsp_detach(g->vsp, address, guest_device_gone, &gone), -ENOENT);
	test_unit_ready(g, 0, 0);
	CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x20);
	/* The place is taken until then. */
	struct scsi_device *other;
	const struct scsi_device_config config = {.type = SCSI_DEVICE_DISK};
	CU_ASSERT_EQUAL(
		scsi_device_create(&config, &store_script_create(4096, 512)->base, &other), 0);
	CU_ASSERT_EQUAL(storage_vsp_attach(g->vsp, address, other), -EEXIST);
	store_script_release(store, 0);
	CU_ASSERT_EQUAL(gone, 1);
	CU_ASSERT_EQUAL(guest_last(g)->id, id);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	CU_ASSERT_EQUAL(storage_vsp_attach(g->vsp, address, other), 0);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

struct visited {
	unsigned count;
	unsigned last;
};

static void visit(void *ctx, struct storage_address address, struct scsi_device *device)
{
	struct visited *v = ctx;
	const unsigned now = address.path * 65536u + address.target * 256u + address.lun;
	CU_ASSERT_PTR_NOT_NULL(device);
	CU_ASSERT(v->count == 0 || now > v->last);
	v->last = now;
	v->count++;
}

static void addresses_have_their_bounds(void)
{
	struct guest *g = guest_create(&plain);
	struct scsi_device *device;
	struct visited visited = {0};
	guest_attach(g, 0, 0, 0, &device);
	const struct storage_address wrong[] = {{8, 0, 0}, {0, 64, 0}, {0, 0, 255}};
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(storage_vsp_attach(g->vsp, wrong[i], device), -EINVAL);
	CU_ASSERT_EQUAL(
		storage_vsp_attach(g->vsp, (struct storage_address){0, 0, 0}, device), -EEXIST);
	for (uint8_t target = 1; target < 64; target++)
		guest_attach(g, target % 8, target, 254, NULL);
	/* 64 targets are in use: one more does not fit, another LUN on one of them does. */
	CU_ASSERT_EQUAL(
		storage_vsp_attach(g->vsp, (struct storage_address){7, 0, 0}, device), -ENOSPC);
	guest_attach(g, 7, 63, 0, NULL);
	storage_vsp_devices_visit(g->vsp, visit, &visited);
	CU_ASSERT_EQUAL(visited.count, 65);
	guest_detach(g, 7, 63, 0);
	for (uint8_t target = 1; target < 64; target++)
		CU_ASSERT_EQUAL(guest_detach(g, target % 8, target, 254), 1);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

static void a_target_takes_255_luns(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	for (unsigned lun = 0; lun < 255; lun++)
		guest_attach(g, 0, 63, (uint8_t)lun, NULL);
	CU_ASSERT_EQUAL(report_luns(g, 0, 63, 4096), 8 + 255 * 8);
	CU_ASSERT_EQUAL(g->data[8 + 254 * 8 + 1], 254);
	for (unsigned lun = 0; lun < 255; lun++)
		CU_ASSERT_EQUAL(guest_detach(g, 0, 63, (uint8_t)lun), 1);
	guest_free(g);
}

/* R-STOR-022. */
static void an_ide_channel_ignores_the_path(void)
{
	const struct storage_vsp_config ide = {.is_ide = true, .ide_channel = 1};
	struct guest *g = guest_in(STORAGE_STATE_READY, &ide);
	struct scsi_device *device;
	guest_attach(g, 1, 0, 0, &device);
	CU_ASSERT_EQUAL(
		storage_vsp_attach(g->vsp, (struct storage_address){0, 1, 0}, device), -EINVAL);
	CU_ASSERT_EQUAL(
		storage_vsp_attach(g->vsp, (struct storage_address){1, 1, 1}, device), -EINVAL);
	for (unsigned path = 0; path < 256; path += 7) {
		struct guest_srb srb = guest_transfer(false, 0, 0, 1);
		srb.path = (uint8_t)path;
		guest_srb(g, &srb);
		CU_ASSERT_EQUAL(guest_last(g)->packet[14], 0x01);
	}
	guest_detach(g, 1, 0, 0);
	guest_free(g);
}

/* ---- closing ------------------------------------------------------------------------------- */

static void closing_waits_for_the_last_request_and_sends_nothing(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	store->holds = true;
	struct guest_srb srb = guest_transfer(true, 0, 0, 1);
	guest_srb(g, &srb);
	guest_srb(g, &srb);
	const unsigned before = g->reply_count;
	guest_close(g, 0);
	CU_ASSERT_EQUAL(store->cancel_count, 2);
	CU_ASSERT_EQUAL(g->channels[0].idle, 0);
	CU_ASSERT_EQUAL(storage_vsp_state(g->vsp), STORAGE_STATE_BEGIN);
	CU_ASSERT_PTR_NULL(storage_channel_open(g->vsp, 0, &g->channels[0]));
	store_script_release(store, 0);
	CU_ASSERT_EQUAL(g->channels[0].idle, 0);
	store_script_release(store, 0);
	CU_ASSERT_EQUAL(g->channels[0].idle, 1);
	CU_ASSERT_EQUAL(g->reply_count, before);
	/* R-STOR-017: the whole handshake works again. */
	store->holds = false;
	guest_open(g, 0);
	guest_handshake(g, 0x0501);
	guest_srb(g, &srb);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

static void closing_the_primary_holds_the_sub_channels(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &multi);
	guest_open(g, 2);
	CU_ASSERT(storage_channel_can_take(g->channels[2].core));
	guest_close(g, 0);
	CU_ASSERT_EQUAL(g->channels[0].idle, 1);
	CU_ASSERT(!storage_channel_can_take(g->channels[2].core));
	guest_open(g, 0);
	guest_handshake(g, 0x0600);
	CU_ASSERT(storage_channel_can_take(g->channels[2].core));
	CU_ASSERT_EQUAL(g->channels[2].resumed, 1);
	guest_free(g);
}

static void it_describes_itself(void)
{
	struct guest *g = guest_in(STORAGE_STATE_READY, &plain);
	char text[128];
	CU_ASSERT(storage_vsp_describe(g->vsp, text, sizeof text) > 0);
	CU_ASSERT_STRING_EQUAL(
		text, "ready, version 6.0, 1 channels open, 0 LUNs, 0 requests in flight");
	CU_ASSERT_STRING_EQUAL(storage_operation_name(3), "EXECUTE_SRB");
	CU_ASSERT_STRING_EQUAL(storage_operation_name(99), "unknown");
	CU_ASSERT_STRING_EQUAL(storage_state_name(STORAGE_STATE_COUNT), "unknown");
	for (unsigned i = 0; i < STORAGE_REJECT_COUNT; i++)
		CU_ASSERT(strlen(storage_reject_text((enum storage_reject)i)) > 8);
	guest_free(g);
}

/* R-STOR-066. */
static void what_is_behind_the_body_means_nothing(void)
{
	static const uint32_t steps[] = {7, 9, 10, 8, 5, 4};
	struct guest *g = guest_create(&plain);
	struct store_script *store = guest_attach(g, 0, 0, 0, NULL);
	uint8_t packet[80];
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		memset(packet, 0xFF, sizeof packet);
		memset(packet, 0, 12);
		packet[0] = (uint8_t)steps[i];
		packet[4] = 1;
		if (steps[i] == 9) {
			packet[12] = 0;
			packet[13] = 6;
		}
		if (steps[i] == 4)
			memset(packet + 12, 0, 8); /* the address */
		guest_send_on(g, 0, packet, sizeof packet, 0);
		CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	}
	CU_ASSERT_EQUAL(storage_vsp_state(g->vsp), STORAGE_STATE_READY);
	struct guest_srb srb = guest_transfer(true, 0, 3, 1);
	memset(g->data, 0x3C, 512);
	for (unsigned i = 0; i < 2; i++) { /* the first reports the reset */
		guest_srb_packet(packet, 64, &srb);
		memset(packet + 64, 0xFF, 16);
		guest_send_on(g, 0, packet, sizeof packet, 512);
	}
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 8), 0);
	CU_ASSERT_EQUAL(store->submitted, 1);
	CU_ASSERT_EQUAL(store->bytes[3 * 512], 0x3C);
	guest_detach(g, 0, 0, 0);
	guest_free(g);
}

static const struct test tests[] = {
	TEST(handshake_has_its_exact_bytes),
	TEST(each_version_is_spoken_in_its_size),
	TEST(other_versions_are_refused_and_a_lower_one_taken),
	TEST(each_operation_is_legal_in_its_states_only),
	TEST(a_refused_operation_leaves_the_handshake_whole),
	TEST(an_early_srb_touches_no_disk),
	TEST(replies_are_as_long_as_their_requests),
	TEST(short_control_packets_are_refused),
	TEST(sub_channels_are_offered_up_to_the_maximum),
	TEST(sub_channels_hold_their_packets_until_ready),
	TEST(there_are_only_the_configured_channels),
	TEST(a_good_read_has_its_exact_reply),
	TEST(a_failed_read_has_its_exact_reply),
	TEST(an_absent_lun_has_its_exact_replies),
	TEST(report_luns_lists_the_luns_of_its_target),
	TEST(contradictory_requests_move_nothing),
	TEST(autosense_follows_room_and_flag),
	TEST(ntstatus_follows_the_srb_status),
	TEST(requests_complete_in_any_order_each_once),
	TEST(requests_in_flight_are_bounded),
	TEST(packets_without_an_answer_give_their_request_back),
	TEST(resets_are_reported_by_the_luns_that_they_reached),
	TEST(hot_plug_is_announced_when_ready),
	TEST(a_detached_device_is_free_when_its_last_request_ends),
	TEST(addresses_have_their_bounds),
	TEST(a_target_takes_255_luns),
	TEST(an_ide_channel_ignores_the_path),
	TEST(closing_waits_for_the_last_request_and_sends_nothing),
	TEST(closing_the_primary_holds_the_sub_channels),
	TEST(it_describes_itself),
	TEST(what_is_behind_the_body_means_nothing),
};
TEST_MAIN("storage_vsp", tests)
