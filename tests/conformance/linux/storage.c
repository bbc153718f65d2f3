// SPDX-License-Identifier: Apache-2.0
/* The SCSI controller's driver: how it begins, what it asks for, and answers that lie. */
#include "tests/conformance/linux/disk.h"
#include "tests/conformance/linux/ic.h"

#include <string.h>

/* ---- beginning ------------------------------------------------------------------------------- */

static bool operations_keep(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	if (disk->kept_count < LINUX_DISK_PACKETS)
		disk->kept[disk->kept_count++] = *packet;
	return false;
}

/* R-STOR-049, R-STOR-050, R-STOR-051, R-STOR-052: what every packet owes is judged in disk.c. */
static enum conform_verdict begins(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);

	disk->on_packet = operations_keep;
	TRY(linux_disk_is_up(g, disk));
	static const uint32_t wanted[] = {STORAGE_OP_BEGIN_INITIALIZATION,
		STORAGE_OP_QUERY_PROTOCOL_VERSION, STORAGE_OP_QUERY_PROPERTIES,
		STORAGE_OP_END_INITIALIZATION};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		EXPECT(disk->kept[i].wire.header.operation == wanted[i],
			"packet %zu is operation %u, not %u", i,
			disk->kept[i].wire.header.operation, wanted[i]);
	TRY(linux_disk_reads(g, 100));
	EXPECT(disk->faults == 0, "%s", disk->fault);
	return CONFORM_PASS;
}

/* R-STOR-049 */
static enum conform_verdict versions_down(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);

	disk->version_max = STORAGE_VERSION_5_1;
	TRY(linux_disk_is_up(g, disk));
	EXPECT(disk->version == STORAGE_VERSION_5_1, "version 0x%x", disk->version);
	TRY(linux_disk_reads(g, 101));
	return CONFORM_PASS;
}

static bool properties_fail(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	(void)operations_keep(disk, packet);
	if (packet->wire.header.operation != STORAGE_OP_QUERY_PROPERTIES)
		return false;
	disk->count++;
	packet->wire.header.operation = STORAGE_OP_COMPLETE_IO;
	packet->wire.header.status = STORAGE_STATUS_INVALID_PARAMETER;
	linux_disk_complete(disk, packet->id, packet->payload, 64);
	return true;
}

static bool has_counted(struct linux_guest *g, void *ctx)
{
	(void)g;
	return ((struct linux_disk *)ctx)->count > 0;
}

/* R-STOR-049: a failure is the end of it. */
static enum conform_verdict stops_on_failure(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);

	disk->on_packet = properties_fail;
	linux_offer_tell(g, disk->channel);
	EXPECT(linux_until(g, has_counted, disk), "no QUERY_PROPERTIES");
	TRY(linux_closed(g, disk->channel));
	EXPECT(disk->kept_count == 3, "%zu packets, though the third was refused",
		disk->kept_count);
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* ---- requests -------------------------------------------------------------------------------- */

#define MIB_BLOCKS 2048u

/* Reads from the second MiB on are kept while count is 1; before that is a partition table. */
static bool reads_keep(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	const uint8_t *cdb = packet->wire.srb.cdb_or_sense;

	if (packet->wire.header.operation != STORAGE_OP_EXECUTE_SRB || cdb[0] != 0x28 ||
		disk->count == 0 || disk->kept_count == LINUX_DISK_PACKETS ||
		((unsigned)cdb[4] << 8 | cdb[5]) < MIB_BLOCKS)
		return false;
	disk->kept[disk->kept_count++] = *packet;
	return true;
}

static bool has_kept_three(struct linux_guest *g, void *ctx)
{
	(void)g;
	return ((struct linux_disk *)ctx)->kept_count >= 3;
}

/* R-STOR-011: what a long read is cut into. */
static enum conform_verdict any_order(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);
	char output[LINUX_OUTPUT_BYTES];

	disk->on_packet = reads_keep;
	TRY(linux_disk_is_up(g, disk));
	TRY(linux_do(g, "echo 2048 >/sys/block/sda/queue/read_ahead_kb") == 0);
	disk->count = 1;
	TRY(linux_do(g, "dd if=/dev/sda of=/d bs=1M skip=1 count=1 2>/dev/null &") == 0);
	const bool has_three = linux_until(g, has_kept_three, disk);
	disk->count = 0;
	const size_t kept = disk->kept_count;
	while (disk->kept_count > 0)
		linux_disk_serve(disk, &disk->kept[--disk->kept_count]);
	NEED(has_three, "of a read of 1 MiB %zu requests are under way at a time", kept);
	TRY(linux_say(g, output,
		    "wait; for i in 0 64 128 192; do dd if=/d bs=4096 skip=$i count=1 "
		    "2>/dev/null | hexdump -v -n 1 -e '1/1 \"%%d\\n\"'; done") == 0);
	EXPECT(strcmp(output, "1 65 129 193") == 0, "its quarters begin with %s", output);
	return CONFORM_PASS;
}

static bool attention_once(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	static const uint8_t sense[18] = {0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29};

	if (packet->wire.header.operation != STORAGE_OP_EXECUTE_SRB ||
		packet->wire.srb.cdb_or_sense[0] != 0x28 || disk->count != 1)
		return false;
	disk->count = 2;
	packet->wire.header.operation = STORAGE_OP_COMPLETE_IO;
	packet->wire.srb.srb_status = STORAGE_SRB_ERROR | 0x80;
	packet->wire.srb.scsi_status = 2;
	packet->wire.srb.data_length = 0;
	packet->wire.srb.sense_length = sizeof sense;
	memcpy(packet->wire.srb.cdb_or_sense, sense, sizeof sense);
	linux_disk_complete(disk, packet->id, packet->payload, 64);
	return true;
}

/* R-STOR-090 */
static enum conform_verdict attention(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);

	disk->on_packet = attention_once;
	TRY(linux_disk_is_up(g, disk));
	disk->count = 1;
	TRY(linux_disk_reads(g, 500));
	EXPECT(disk->count == 2, "no read came");
	return CONFORM_PASS;
}

struct looks {
	struct linux_disk *disk;
	unsigned inquiries, luns, ready;
};

static bool has_looked(struct linux_guest *g, void *ctx)
{
	const struct looks *looks = ctx;
	(void)g;
	return looks->disk->commands[0x12] > looks->inquiries &&
	       looks->disk->commands[0xa0] > looks->luns &&
	       looks->disk->commands[0x00] > looks->ready;
}

static enum conform_verdict looks_again(struct conform_target *t, uint32_t operation)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);
	struct storage_srb_packet_wire wire = {.header.operation = operation};
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .payload_bytes = sizeof wire};

	TRY(linux_disk_is_up(g, disk));
	struct looks looks = {
		disk, disk->commands[0x12], disk->commands[0xa0], disk->commands[0x00]};
	TRY(linux_packet(disk->channel, &header, &wire));
	const bool has = linux_until(g, has_looked, &looks);
	EXPECT(has, "then came %u INQUIRY, %u REPORT LUNS, %u TEST UNIT READY",
		disk->commands[0x12] - looks.inquiries, disk->commands[0xa0] - looks.luns,
		disk->commands[0x00] - looks.ready);
	return CONFORM_PASS;
}
/* R-STOR-056 */
static enum conform_verdict enumerate(struct conform_target *t)
{
	return looks_again(t, STORAGE_OP_ENUMERATE_BUS);
}
static enum conform_verdict remove_device(struct conform_target *t)
{
	return looks_again(t, STORAGE_OP_REMOVE_DEVICE);
}

/* ---- answers that lie ------------------------------------------------------------------------ */

static enum conform_verdict ids(struct conform_target *t, const uint64_t *ids, size_t count)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);
	const struct storage_srb_packet_wire wire = {
		.header.operation = STORAGE_OP_COMPLETE_IO, .srb.srb_status = STORAGE_SRB_SUCCESS};

	TRY(linux_disk_is_up(g, disk));
	for (size_t i = 0; i < count; i++)
		linux_disk_complete(disk, ids[i], &wire, sizeof wire);
	TRY(linux_disk_reads(g, 600));
	return CONFORM_PASS;
}
/* R-STOR-053: ids that it never gives; of requests that are over; of its own requests, which are.
 */
static enum conform_verdict unknown_ids(struct conform_target *t)
{
	static const uint64_t never[] = {0x10001, 0xffff, 0xffff888001000000, UINT64_MAX};
	return ids(t, never, sizeof never / sizeof *never);
}
static enum conform_verdict idle_ids(struct conform_target *t)
{
	static const uint64_t idle[] = {1, 2, 3, 77, 200};
	return ids(t, idle, sizeof idle / sizeof *idle);
}
static enum conform_verdict own_ids(struct conform_target *t)
{
	static const uint64_t own[] = {0xfffffffffffffffc, 0xfffffffffffffffd};
	return ids(t, own, sizeof own / sizeof *own);
}

static bool twice(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	struct linux_disk_packet copy = *packet;

	if (packet->wire.header.operation != STORAGE_OP_EXECUTE_SRB || disk->count == 0)
		return false;
	linux_disk_serve(disk, packet);
	linux_disk_serve(disk, &copy);
	return true;
}

/* R-STOR-053 */
static enum conform_verdict repeated_ids(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);

	disk->on_packet = twice;
	TRY(linux_disk_is_up(g, disk));
	disk->count = 1;
	for (unsigned i = 0; i < 4; i++)
		TRY(linux_disk_reads(g, 700 + i));
	return CONFORM_PASS;
}

/* R-STOR-055 */
static enum conform_verdict id_0(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);
	static const uint32_t operations[] = {STORAGE_OP_COMPLETE_IO, STORAGE_OP_FC_HBA_DATA};

	TRY(linux_disk_is_up(g, disk));
	for (size_t i = 0; i < 2; i++) {
		const struct storage_srb_packet_wire wire = {.header.operation = operations[i]};
		const struct packet_header header = {
			.type = PACKET_TYPE_INBAND, .payload_bytes = sizeof wire};
		TRY(linux_packet(disk->channel, &header, &wire));
		linux_disk_complete(disk, 0, &wire, sizeof wire);
	}
	TRY(linux_disk_reads(g, 800));
	return CONFORM_PASS;
}

/* Which lie a read is answered with. */
enum lie {
	LIE_DATA_LENGTH = 1,
	LIE_SENSE_LENGTH,
	LIE_STATUS,
	LIE_OPERATION,
	LIE_SHORT,
	LIE_LONG,
};

static bool read_lies(struct linux_disk *disk, struct linux_disk_packet *packet)
{
	uint8_t wire[200] = {0};
	struct storage_srb_packet_wire *answer = &packet->wire;
	uint32_t bytes = sizeof *answer;

	if (answer->header.operation != STORAGE_OP_EXECUTE_SRB ||
		answer->srb.cdb_or_sense[0] != 0x28 || disk->count == 0)
		return false;
	answer->header.operation = STORAGE_OP_COMPLETE_IO;
	answer->header.flags = 0;
	answer->srb.srb_status = STORAGE_SRB_SUCCESS;
	answer->srb.scsi_status = 0;
	switch ((enum lie)disk->count) {
	case LIE_DATA_LENGTH:
		answer->srb.data_length = 0xfffffff0;
		break;
	case LIE_SENSE_LENGTH:
		answer->srb.srb_status = STORAGE_SRB_ERROR | 0x80;
		answer->srb.scsi_status = 2;
		answer->srb.sense_length = 255;
		memset(answer->srb.cdb_or_sense, 0xff, sizeof answer->srb.cdb_or_sense);
		answer->srb.cdb_or_sense[0] = 0x70;
		break;
	case LIE_STATUS:
		answer->srb.srb_status = 0x3f;
		answer->srb.scsi_status = 0xfe;
		break;
	case LIE_OPERATION:
		answer->header.operation = 0xffffffff;
		break;
	case LIE_SHORT:
		bytes = 16;
		break;
	case LIE_LONG:
		bytes = sizeof wire;
		break;
	}
	disk->count = 0; /* one is enough; the next read is answered as it should be */
	memcpy(wire, answer, sizeof *answer);
	linux_disk_complete(disk, packet->id, wire, bytes);
	return true;
}

static enum conform_verdict survives_lie(struct conform_target *t, enum lie lie, bool goes_on)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_disk *disk = linux_disk_offer(g);

	disk->on_packet = read_lies;
	TRY(linux_disk_is_up(g, disk));
	disk->count = lie;
	/* in the background: what is answered so may never come back */
	TRY(linux_do(g, "dd if=/dev/sda of=/dev/null bs=4096 skip=900 count=1 2>/dev/null & "
			"usleep 500000") == 0);
	EXPECT(disk->count == 0, "no read came");
	if (goes_on)
		TRY(linux_disk_reads(g, 1000));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}
/* R-STOR-054 */
static enum conform_verdict long_data(struct conform_target *t)
{
	return survives_lie(t, LIE_DATA_LENGTH, true);
}
static enum conform_verdict long_sense(struct conform_target *t)
{
	return survives_lie(t, LIE_SENSE_LENGTH, true);
}
/* R-ROB-003 */
static enum conform_verdict odd_status(struct conform_target *t)
{
	return survives_lie(t, LIE_STATUS, false);
}
static enum conform_verdict odd_operation(struct conform_target *t)
{
	return survives_lie(t, LIE_OPERATION, false);
}
static enum conform_verdict short_completion(struct conform_target *t)
{
	return survives_lie(t, LIE_SHORT, false);
}
static enum conform_verdict long_completion(struct conform_target *t)
{
	return survives_lie(t, LIE_LONG, false);
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, LINUX_BUS, 0, 0                                                  \
	}
const struct conform_test linux_storage_tests[] = {
	ROW("R-STOR-049", "it begins in the order of the contract", begins),
	ROW("R-STOR-049", "a refused version is followed by the next lower one", versions_down),
	ROW("R-STOR-049", "another refusal is the end of it", stops_on_failure),
	ROW("R-STOR-011", "reads are completed from the last to the first", any_order),
	ROW("R-STOR-090", "a unit attention: the read is repeated", attention),
	ROW("R-STOR-056", "ENUMERATE_BUS: it looks again", enumerate),
	ROW("R-STOR-056", "REMOVE_DEVICE: it looks again", remove_device),
	ROW("R-STOR-053", "completions of ids that are never used", unknown_ids),
	ROW("R-STOR-053", "completions of ids that are not in use", idle_ids),
	ROW("R-STOR-053", "completions of the ids of its start and of its resets", own_ids),
	ROW("R-STOR-053", "every completion twice", repeated_ids),
	ROW("R-STOR-055", "completions of id 0", id_0),
	ROW("R-STOR-054", "a data length of 4 GiB", long_data),
	ROW("R-STOR-054", "a sense length of 255", long_sense),
	ROW("R-ROB-003", "statuses that there are not", odd_status),
	ROW("R-ROB-003", "an answer with an operation that there is not", odd_operation),
	ROW("R-ROB-003", "a completion of 16 bytes", short_completion),
	ROW("R-ROB-003", "a completion of 200 bytes", long_completion),
};
const size_t linux_storage_test_count = sizeof linux_storage_tests / sizeof *linux_storage_tests;
