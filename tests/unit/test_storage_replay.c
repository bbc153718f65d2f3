// SPDX-License-Identifier: Apache-2.0
/*
 * Whole storage sessions of real Linux guests, replayed: every packet is accepted
 * as the guest meant it.
 */
#include "tests/unit/storage_guest.h"

#include <stdio.h>

#define PACKET_MAX 1024u

struct session {
	struct guest *guest;
	unsigned primary; /* relid */
	unsigned sub;
	unsigned begins, srbs, absent, refused, subs;
	unsigned opcodes[256];
	uint64_t data_bytes;
};

static size_t hex_read(const char *text, uint8_t *bytes)
{
	size_t count = 0;
	unsigned value;
	while (count < PACKET_MAX && sscanf(text + count * 2, "%2x", &value) == 1)
		bytes[count++] = (uint8_t)value;
	return count;
}

static uint16_t u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)u16(p) | (uint32_t)u16(p + 2) << 16;
}

/* Which of our channels a packet of this relid belongs to; opens and closes as the guest did. */
static unsigned channel_of(struct session *s, unsigned relid, uint32_t operation)
{
	if (operation == 7) {
		if (s->begins++ != 0) {
			if (s->guest->channels[1].core)
				guest_close(s->guest, 1);
			guest_close(s->guest, 0);
			guest_open(s->guest, 0);
		}
		s->primary = relid;
		s->sub = 0;
	}
	if (relid == s->primary)
		return 0;
	if (s->sub != relid) {
		s->sub = relid;
		s->subs++;
		guest_open(s->guest, 1);
	}
	return 1;
}

/* The reply to an SRB must be what the guest's driver takes as success. */
static void check_srb(struct session *s, const uint8_t *packet, const struct guest_reply *reply)
{
	const uint8_t *cdb = packet + 28;
	s->srbs++;
	s->opcodes[cdb[0]]++;
	CU_ASSERT_EQUAL(reply->bytes, 64);
	if (cdb[0] == 0x5A && cdb[3] != 0) {
		/* A subpage that no such disk has. */
		s->refused++;
		CU_ASSERT_EQUAL(reply->packet[14], 0x86);
		return;
	}
	CU_ASSERT_EQUAL(guest_u32(reply, 8), 0);
	CU_ASSERT_EQUAL(reply->packet[14], 0x01);
	CU_ASSERT_EQUAL(reply->packet[15], 0x00);
	CU_ASSERT(guest_u32(reply, 24) <= u32(packet + 24));
	if (cdb[0] == 0x28 || cdb[0] == 0x2A || cdb[0] == 0x42) {
		CU_ASSERT_EQUAL(guest_u32(reply, 24), u32(packet + 24));
		s->data_bytes += guest_u32(reply, 24);
	}
	if (cdb[0] == 0x12 && s->guest->data[0] == 0x7F)
		s->absent++;
}

static void packet_replay(struct session *s, unsigned relid, const uint8_t *bytes, size_t count)
{
	const size_t offset = u16(bytes + 2) * 8u;
	const bool is_direct = u16(bytes) == 9;
	CU_ASSERT_FATAL(offset >= 16 && offset + 12 <= count && count == u16(bytes + 4) * 8u);
	const uint8_t *packet = bytes + offset;
	const uint32_t data = is_direct ? u32(bytes + 24) : 0;
	CU_ASSERT(!is_direct || u32(bytes + 20) == 1);
	CU_ASSERT_FATAL(data <= GUEST_DATA_MAX);
	const unsigned channel = channel_of(s, relid, u32(packet));
	const unsigned before = s->guest->reply_count;
	if (packet[0] == 3 && packet[28] == 0x42)
		/* One descriptor: LBA 2048, 8 blocks, as recorded. */
		memcpy(s->guest->data,
			"\x00\x16\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00"
			"\x00\x00\x00\x08\x00\x00\x00\x00",
			24);
	else if (packet[0] == 3 && packet[22] == 1)
		memset(s->guest->data, 0, data);
	const uint64_t id = guest_send_on(s->guest, channel, packet, count - offset, data);
	CU_ASSERT_EQUAL_FATAL(s->guest->reply_count, before + 1);
	const struct guest_reply *reply = guest_last(s->guest);
	CU_ASSERT_EQUAL(reply->id, id);
	CU_ASSERT_EQUAL(reply->channel, channel);
	CU_ASSERT_EQUAL(guest_u32(reply, 0), 1);
	if (packet[0] == 3)
		check_srb(s, packet, reply);
	else if (packet[0] != 9)
		CU_ASSERT_EQUAL(guest_u32(reply, 8), 0);
	s->guest->reply_count = 0;
}

static void session_replay(struct session *s, const char *path)
{
	static char line[2 * PACKET_MAX + 64];
	uint8_t bytes[PACKET_MAX] = {0};
	FILE *file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	while (fgets(line, sizeof line, file)) {
		unsigned relid;
		int used;
		if (line[0] == '#' || sscanf(line, "%u %n", &relid, &used) != 1)
			continue;
		const size_t count = hex_read(line + used, bytes);
		packet_replay(s, relid, bytes, count);
	}
	fclose(file);
}

static struct session session_start(const struct storage_vsp_config *config)
{
	struct session s = {.guest = guest_create(config)};
	const struct scsi_device_config disk = {.type = SCSI_DEVICE_DISK, .serial = "RECORDER"};
	struct scsi_device *device;
	CU_ASSERT_EQUAL_FATAL(
		scsi_device_create(&disk, &store_script_create(32768 * 512, 512)->base, &device),
		0);
	CU_ASSERT_EQUAL_FATAL(
		storage_vsp_attach(s.guest->vsp, (struct storage_address){0, 0, 0}, device), 0);
	return s;
}

static void a_scan_with_io_is_accepted_as_meant(void)
{
	const struct storage_vsp_config config = {0};
	struct session s = session_start(&config);
	session_replay(&s, "tests/data/storage_session_scan_io.txt");
	CU_ASSERT_EQUAL(s.begins, 1);
	CU_ASSERT_EQUAL(s.srbs, 137);
	CU_ASSERT_EQUAL(s.opcodes[0xA0], 32);
	CU_ASSERT_EQUAL(s.opcodes[0x2A], 4);
	CU_ASSERT_EQUAL(s.opcodes[0x42], 1);
	CU_ASSERT_EQUAL(s.refused, 0);
	CU_ASSERT_EQUAL(s.absent, 60); /* 15 absent targets, 2 INQUIRYs each, scanned twice */
	CU_ASSERT_EQUAL(storage_vsp_version(s.guest->vsp)->version, 0x0602);
	CU_ASSERT_EQUAL(storage_vsp_statistics(s.guest->vsp)->failures, 0);
	guest_detach(s.guest, 0, 0, 0);
	guest_free(s.guest);
}

static void a_session_with_a_sub_channel_is_accepted_as_meant(void)
{
	const struct storage_vsp_config config = {.max_sub_channels = 1, .version_max = 0x0600};
	struct session s = session_start(&config);
	session_replay(&s, "tests/data/storage_session_multichannel.txt");
	CU_ASSERT_EQUAL(s.begins, 2);
	CU_ASSERT_EQUAL(s.srbs, 182);
	CU_ASSERT_EQUAL(s.subs, 2);
	CU_ASSERT_EQUAL(s.refused, 4);
	CU_ASSERT_EQUAL(s.guest->sub_channels, 1);
	CU_ASSERT_EQUAL(storage_vsp_version(s.guest->vsp)->version, 0x0600);
	guest_detach(s.guest, 0, 0, 0);
	guest_free(s.guest);
}

static const struct test tests[] = {
	TEST(a_scan_with_io_is_accepted_as_meant),
	TEST(a_session_with_a_sub_channel_is_accepted_as_meant),
};
TEST_MAIN("storage_replay", tests)
