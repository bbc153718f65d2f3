// SPDX-License-Identifier: Apache-2.0
/* vsc-disk without FUSE: command line, buffers, range lock, byte ranges over blocks. */
#define RIG_PAGES 1200u
#define RIG_SLOTS 64u

#include "tests/harness.h"
#include "tests/unit/storage_vsc_rig.h"

#include "guest/vsc/vsc_disk_io.h"
#include "guest/vsc/vsc_disk_options.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- buffers ------------------------------------------------------------- */

static void buffers_do_not_overlap_and_all_come_back(void)
{
	static struct disk_arena arena;
	static uint8_t used[RIG_PAGES];
	static uint32_t taken[RIG_PAGES];
	const struct winhv_pages memory = {.gpa = 0x100000, .bytes = (size_t)RIG_PAGES * 4096};
	disk_arena_init(&arena, &memory);
	CU_ASSERT(arena.small_count > 0 && arena.large_count > 0);
	uint32_t first = 0; /* one page more than a small one has */
	CU_ASSERT(disk_arena_get(&arena, DISK_SMALL_PAGES + 1, &first));
	CU_ASSERT(first >= arena.large_first);
	disk_arena_put(&arena, first);
	unsigned count = 0;
	for (unsigned round = 0; round < 2; round++) {
		const uint32_t pages = round == 0 ? DISK_SMALL_PAGES : DISK_LARGE_PAGES;
		const uint32_t limit = round == 0 ? arena.small_count : UINT32_MAX;
		uint32_t page;
		for (uint32_t n = 0; n < limit && disk_arena_get(&arena, pages, &page); n++) {
			for (uint32_t i = 0; i < pages; i++)
				CU_ASSERT(page + i < RIG_PAGES && used[page + i]++ == 0);
			taken[count++] = page;
		}
	}
	CU_ASSERT_EQUAL(count, arena.small_count + arena.large_count);
	uint32_t page;
	CU_ASSERT(!disk_arena_get(&arena, 1, &page));
	for (unsigned i = 0; i < count; i++)
		disk_arena_put(&arena, taken[i]);
	CU_ASSERT_EQUAL(arena.small_free, arena.small_count);
	CU_ASSERT_EQUAL(arena.large_free, arena.large_count);
	CU_ASSERT(disk_arena_get(&arena, 1, &page) && page == taken[arena.small_count - 1]);
}

/* ---- range lock ------------------------------------------------------------ */

static unsigned grants;

static void on_granted(struct disk_range *range)
{
	(void)range;
	grants++;
}

static struct disk_range range_of(uint64_t first, uint64_t end, bool is_exclusive)
{
	return (struct disk_range){
		.first = first, .end = end, .is_exclusive = is_exclusive, .granted = on_granted};
}

static void whole_blocks_are_written_side_by_side(void)
{
	struct disk_range_lock lock = {0};
	struct disk_range a = range_of(0, 10, false);
	struct disk_range b = range_of(5, 15, false);
	CU_ASSERT(disk_range_lock(&lock, &a));
	CU_ASSERT(disk_range_lock(&lock, &b));
	disk_range_unlock(&lock, &a);
	disk_range_unlock(&lock, &b);
	CU_ASSERT_PTR_NULL(lock.active.head);
}

static void a_partial_write_has_its_blocks_for_itself(void)
{
	struct disk_range_lock lock = {0};
	struct disk_range a = range_of(0, 10, false);
	struct disk_range b = range_of(9, 11, true);
	struct disk_range c = range_of(10, 20, false);
	struct disk_range d = range_of(20, 30, true);
	grants = 0;
	CU_ASSERT(disk_range_lock(&lock, &a));
	CU_ASSERT(!disk_range_lock(&lock, &b));
	CU_ASSERT(!disk_range_lock(&lock, &c)); /* not past the one that waits */
	CU_ASSERT(disk_range_lock(&lock, &d));
	disk_range_unlock(&lock, &a);
	CU_ASSERT_EQUAL(grants, 1);
	CU_ASSERT(b.is_active && !c.is_active);
	disk_range_unlock(&lock, &b);
	CU_ASSERT_EQUAL(grants, 2);
	disk_range_unlock(&lock, &c);
	disk_range_unlock(&lock, &d);
	CU_ASSERT_EQUAL(lock.exclusive, 0);
}

static struct disk_range_lock chain_lock;

static void on_granted_unlock(struct disk_range *range)
{
	grants++;
	disk_range_unlock(&chain_lock, range);
}

static void many_that_end_at_once_are_granted_one_after_the_other(void)
{
	static struct disk_range chain[500];
	memset(&chain_lock, 0, sizeof chain_lock);
	grants = 0;
	for (unsigned i = 0; i < 500; i++) {
		chain[i] = range_of(0, 1, true);
		chain[i].granted = on_granted_unlock;
		CU_ASSERT_EQUAL(disk_range_lock(&chain_lock, &chain[i]), i == 0);
	}
	disk_range_unlock(&chain_lock, &chain[0]);
	CU_ASSERT_EQUAL(grants, 499);
	CU_ASSERT_PTR_NULL(chain_lock.waiting.head);
	CU_ASSERT_PTR_NULL(chain_lock.active.head);
}

/* ---- a disk in memory behind the scripted host ------------------------------ */

#define BLOCKS 8192u
#define BYTES  ((size_t)BLOCKS * 512)

static uint8_t media[BYTES], model[BYTES];
static bool has_lbpws, has_lbprz, refuses_same, fails_writes, fails_once;
static unsigned same_commands, unmap_commands, write_commands, flush_commands;
static uint32_t random_state;

/* Answers that wait, to be sent in another order. */
static struct rig_answer held[RIG_SLOTS];
static unsigned held_channel[RIG_SLOTS], held_count;
static bool holds;

static uint32_t random_next(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

static uint8_t *guest_byte(struct rig *rig, const struct rig_packet *packet, uint32_t at)
{
	uint32_t offset;
	uint64_t gpn;
	memcpy(&offset, packet->extended + 12, 4);
	memcpy(&gpn, packet->extended + 16 + (offset + at) / 4096 * 8, 8);
	CU_ASSERT_FATAL(gpn < RIG_PAGES);
	return rig->memory + gpn * 4096 + (offset + at) % 4096;
}

static void media_command(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	const uint8_t *cdb = packet->payload + 28;
	const struct scsi_block_range range = scsi_block_range_get(cdb);
	uint32_t bytes;
	memcpy(&bytes, packet->payload + 24, 4);
	const uint64_t start = range.lba * 512;
	switch (cdb[0]) {
	case SCSI_OP_READ_10:
		CU_ASSERT_FATAL(start + bytes <= BYTES && bytes == range.count * 512);
		for (uint32_t i = 0; i < bytes; i++)
			*guest_byte(rig, packet, i) = media[start + i];
		break;
	case SCSI_OP_WRITE_10:
		write_commands++;
		CU_ASSERT_FATAL(start + bytes <= BYTES && bytes == range.count * 512);
		if (fails_writes && !(fails_once && write_commands > 1)) {
			rig_check(answer, SCSI_KEY_MEDIUM_ERROR, SCSI_ASC_WRITE_FAULT);
			break;
		}
		for (uint32_t i = 0; i < bytes; i++)
			media[start + i] = *guest_byte(rig, packet, i);
		break;
	case SCSI_OP_WRITE_SAME_16:
		same_commands++;
		if (refuses_same) {
			rig_check(answer, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPCODE);
			break;
		}
		CU_ASSERT_FATAL(start + (uint64_t)range.count * 512 <= BYTES && bytes == 512);
		for (uint64_t i = 0; i < (uint64_t)range.count * 512; i++)
			media[start + i] = *guest_byte(rig, packet, i % 512);
		break;
	case SCSI_OP_UNMAP:
		unmap_commands++;
		break; /* advice */
	case SCSI_OP_SYNCHRONIZE_CACHE_10:
		flush_commands++;
		break;
	default:
		break;
	}
}

static void on_packet(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	if (packet->payload[0] != STORAGE_OP_EXECUTE_SRB)
		return;
	if (packet->payload[28] == SCSI_OP_INQUIRY && packet->payload[30] == 0xB2 && has_lbpws)
		answer->data[5] |= SCSI_LBPWS;
	if (packet->payload[28] == SCSI_OP_SERVICE_ACTION_IN_16 && has_lbprz)
		answer->data[14] |= SCSI_CAPACITY_LBPRZ >> 8;
	media_command(rig, packet, answer);
	if (holds) {
		answer->is_held = true;
		held[held_count] = *answer;
		held_channel[held_count++] = packet->channel;
	}
}

/* Send the answers that wait, in any order. */
static void held_release(struct rig *rig)
{
	while (held_count > 0) {
		const unsigned which = random_next() % held_count;
		rig_send(rig, held_channel[which], held[which].type, held[which].id,
			held[which].payload, held[which].bytes);
		held_count--;
		held[which] = held[held_count];
		held_channel[which] = held_channel[held_count];
	}
}

static struct disk_io *io;
static struct disk disk;
static unsigned jobs_done;
static int last_error;

static struct rig *disk_rig(void)
{
	struct rig *rig = rig_new();
	const struct winhv_pages memory = {
		.va = rig->memory + 16 * 4096, .gpa = 16 * 4096, .bytes = (RIG_PAGES - 16) * 4096};
	rig->units[0].blocks = BLOCKS;
	rig->hook = on_packet;
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	io = malloc(sizeof *io);
	if (io == NULL)
		abort();
	disk_io_init(io, &memory);
	memset(&disk, 0, sizeof disk);
	disk_attach(&disk, &rig->vsc, rig_lun(rig, 0, 0));
	CU_ASSERT_EQUAL(disk.bytes, BYTES);
	for (size_t i = 0; i < BYTES; i++)
		media[i] = model[i] = (uint8_t)(i * 7 + i / 512);
	same_commands = unmap_commands = write_commands = flush_commands = 0;
	jobs_done = 0;
	return rig;
}

static void disk_rig_free(struct rig *rig)
{
	CU_ASSERT_EQUAL(io->jobs, 0);
	CU_ASSERT_EQUAL(disk.jobs, 0);
	CU_ASSERT_EQUAL(io->arena.small_free, io->arena.small_count);
	CU_ASSERT_EQUAL(io->arena.large_free, io->arena.large_count);
	CU_ASSERT_PTR_NULL(disk.lock.active.head);
	free(io);
	free(rig);
	has_lbpws = has_lbprz = refuses_same = fails_writes = fails_once = holds = false;
}

static void on_read(struct disk_job *job)
{
	last_error = job->error;
	if (job->error == 0)
		CU_ASSERT_EQUAL(memcmp(disk_job_data(job), model + job->offset, job->bytes), 0);
	jobs_done++;
	disk_job_free(job);
}

static void on_done(struct disk_job *job)
{
	last_error = job->error;
	jobs_done++;
	disk_job_free(job);
}

static struct disk_job *job_new(uint64_t offset, uint64_t bytes, void (*done)(struct disk_job *))
{
	struct disk_job *job = disk_job_new(io, &disk);
	if (job == NULL)
		abort();
	job->offset = offset;
	job->bytes = bytes;
	job->done = done;
	return job;
}

static bool read_start(uint64_t offset, uint64_t bytes)
{
	struct disk_job *job = job_new(offset, bytes, on_read);
	if (!disk_job_buffer(job, disk_read_pages(&disk, offset, bytes))) {
		disk_job_free(job);
		return false;
	}
	disk_read(job);
	return true;
}

static bool write_start(uint64_t offset, uint64_t bytes, bool is_durable)
{
	struct disk_job *job = job_new(offset, bytes, on_done);
	if (!disk_job_buffer(job, disk_write_pages(bytes))) {
		disk_job_free(job);
		return false;
	}
	uint8_t *data = disk_arena_at(&io->arena, job->page + DISK_EDGE_PAGES);
	for (uint64_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)random_next();
	if (!fails_writes)
		memcpy(model + offset, data, bytes);
	job->is_durable = is_durable;
	disk_write(job);
	return true;
}

static bool erase_start(uint64_t offset, uint64_t bytes, bool is_punch)
{
	struct disk_job *job = job_new(offset, bytes, on_done);
	if (!disk_job_buffer(job, DISK_ERASE_PAGES)) {
		disk_job_free(job);
		return false;
	}
	memset(model + offset, 0, bytes);
	disk_erase(job, is_punch);
	return true;
}

static void settle(struct rig *rig)
{
	do {
		storage_vsc_flush(&rig->vsc);
		rig_run(rig);
		held_release(rig);
		rig_run(rig);
	} while (held_count > 0);
}

/* ---- byte ranges over blocks -------------------------------------------------- */

static void any_range_is_read_written_and_erased_exactly(void)
{
	static const uint32_t lengths[] = {
		1, 2, 511, 512, 513, 1023, 1024, 4096, 4097, 70000, 300001, 1u << 20};
	for (unsigned variant = 0; variant < 4; variant++) {
		has_lbpws = variant == 1;
		has_lbprz = variant == 2;
		refuses_same = variant == 3;
		struct rig *rig = disk_rig();
		random_state = variant + 1;
		unsigned started = 0;
		for (unsigned i = 0; i < 600; i++) {
			const uint32_t length =
				lengths[random_next() % (sizeof lengths / sizeof lengths[0])];
			const uint64_t offset = random_next() % (BYTES - length);
			const unsigned what = random_next() % 4;
			if (what == 0)
				started += read_start(offset, length);
			else if (what == 1)
				started += erase_start(offset, length, has_lbpws || has_lbprz);
			else
				started += write_start(offset, length, false);
			settle(rig);
			CU_ASSERT_EQUAL(last_error, 0);
			CU_ASSERT_EQUAL(jobs_done, started);
		}
		CU_ASSERT_EQUAL(memcmp(media, model, BYTES), 0);
		CU_ASSERT(disk.partial_writes > 0);
		disk_rig_free(rig);
	}
}

static void neighbours_inside_one_block_do_not_disturb_each_other(void)
{
	struct rig *rig = disk_rig();
	holds = true;
	for (unsigned round = 0; round < 50; round++) {
		random_state = round + 1;
		uint64_t at = 1 + random_next() % 1000;
		unsigned started = 0;
		jobs_done = 0;
		/* disjoint pieces, touching, of any size, all at once */
		for (unsigned i = 0; i < 20; i++) {
			const uint64_t bytes = 1 + random_next() % 700;
			started += write_start(at, bytes, false);
			at += bytes;
		}
		settle(rig);
		CU_ASSERT_EQUAL(jobs_done, started);
		CU_ASSERT_EQUAL(memcmp(media, model, BYTES), 0);
	}
	disk_rig_free(rig);
}

static void whole_block_writes_read_nothing(void)
{
	struct rig *rig = disk_rig();
	const unsigned sent = rig->sent_count;
	CU_ASSERT(write_start(512 * 10, 512 * 4, false));
	settle(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent + 1);
	CU_ASSERT_EQUAL(disk.partial_writes, 0);
	disk_rig_free(rig);
}

static void transfers_are_split_at_what_the_host_takes(void)
{
	struct rig *rig = disk_rig();
	const unsigned sent = rig->sent_count;
	CU_ASSERT(write_start(0, 1u << 20, false));
	settle(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent + 4); /* 256 KiB each */
	CU_ASSERT_EQUAL(memcmp(media, model, BYTES), 0);
	disk_rig_free(rig);
}

static void a_punch_gives_up_space_only_where_zeros_are_sure(void)
{
	/* neither WRITE SAME with UNMAP nor zeros after UNMAP: refused */
	struct rig *rig = disk_rig();
	struct disk_job *job = job_new(0, 65536, on_done);
	CU_ASSERT(disk_job_buffer(job, DISK_ERASE_PAGES));
	disk_erase(job, true);
	CU_ASSERT_EQUAL(jobs_done, 1);
	CU_ASSERT_EQUAL(last_error, -VIRIDIAN_ENOTSUP);
	disk_rig_free(rig);
	/* WRITE SAME with UNMAP */
	has_lbpws = true;
	rig = disk_rig();
	CU_ASSERT(erase_start(0, 65536, true));
	settle(rig);
	CU_ASSERT_EQUAL(same_commands, 1);
	CU_ASSERT_EQUAL(unmap_commands, 0);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[29], SCSI_WRITE_SAME_UNMAP);
	disk_rig_free(rig);
	/* zeros, then UNMAP, which may be ignored */
	has_lbprz = true;
	rig = disk_rig();
	CU_ASSERT(erase_start(512, 65536, true));
	settle(rig);
	CU_ASSERT_EQUAL(same_commands, 1);
	CU_ASSERT_EQUAL(unmap_commands, 1);
	CU_ASSERT_EQUAL(memcmp(media, model, BYTES), 0);
	disk_rig_free(rig);
}

static void a_refused_write_same_is_remembered(void)
{
	refuses_same = true;
	struct rig *rig = disk_rig();
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT(erase_start(0, 200000, false));
		settle(rig);
		CU_ASSERT_EQUAL(last_error, 0);
	}
	CU_ASSERT_EQUAL(same_commands, 1);
	CU_ASSERT(write_commands > 0);
	CU_ASSERT_EQUAL(memcmp(media, model, BYTES), 0);
	disk_rig_free(rig);
}

static void durable_writes_use_fua_or_a_flush(void)
{
	struct rig *rig = disk_rig();
	CU_ASSERT(write_start(0, 4096, true));
	settle(rig);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[28], SCSI_OP_WRITE_10);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[29], SCSI_CDB_FUA);
	CU_ASSERT_EQUAL(flush_commands, 0);
	/* a part of a block at each end: three writes, all forced */
	const unsigned sent = rig->sent_count;
	unsigned forced = 0;
	CU_ASSERT(write_start(100, 4096, true));
	settle(rig);
	for (unsigned i = 0; i < rig->sent_count - sent; i++) {
		const uint8_t *cdb = rig_sent(rig, i)->payload + 28;
		forced += cdb[0] == SCSI_OP_WRITE_10 && cdb[1] == SCSI_CDB_FUA;
	}
	CU_ASSERT_EQUAL(forced, 3);
	CU_ASSERT_EQUAL(flush_commands, 0);
	disk.lun->properties.can_fua = false;
	CU_ASSERT(write_start(0, 4096, true));
	settle(rig);
	CU_ASSERT_EQUAL(flush_commands, 1);
	struct disk_job *job = job_new(0, 0, on_done);
	disk_flush(job);
	settle(rig);
	CU_ASSERT_EQUAL(flush_commands, 2);
	CU_ASSERT_EQUAL(last_error, 0);
	disk_rig_free(rig);
}

static void errors_end_a_job_once_and_free_everything(void)
{
	struct rig *rig = disk_rig();
	fails_writes = true;
	CU_ASSERT(write_start(100, 1000000, false));
	settle(rig);
	CU_ASSERT_EQUAL(jobs_done, 1);
	CU_ASSERT_EQUAL(last_error, -VIRIDIAN_EIO);
	disk_rig_free(rig);
}

static void the_error_of_one_part_is_that_of_the_job(void)
{
	struct rig *rig = disk_rig();
	fails_writes = fails_once = true;
	CU_ASSERT(write_start(0, 1u << 20, false)); /* four parts */
	settle(rig);
	CU_ASSERT_EQUAL(write_commands, 4);
	CU_ASSERT_EQUAL(last_error, -VIRIDIAN_EIO);
	disk_rig_free(rig);
}

static void jobs_of_a_disk_that_goes_end_with_an_error(void)
{
	struct rig *rig = disk_rig();
	holds = true;
	unsigned started = 0;
	for (unsigned i = 0; i < 8; i++)
		started += write_start(100 + i * 3, 100000, false);
	storage_vsc_flush(&rig->vsc);
	(void)rig_host_run(rig, 0);
	disk.lun = NULL;
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ENODEV, false);
	CU_ASSERT(started > 1);
	CU_ASSERT_EQUAL(jobs_done, started);
	CU_ASSERT_EQUAL(last_error, -VIRIDIAN_ENODEV);
	held_count = 0;
	disk_rig_free(rig);
}

static void lost_memory_is_not_used_again(void)
{
	struct rig *rig = disk_rig();
	holds = true;
	CU_ASSERT(write_start(0, 4096, false));
	storage_vsc_flush(&rig->vsc);
	(void)rig_host_run(rig, 0);
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ENODEV, true);
	CU_ASSERT_EQUAL(jobs_done, 1);
	CU_ASSERT_EQUAL(io->arena.lost_pages, DISK_SMALL_PAGES);
	CU_ASSERT_EQUAL(io->arena.small_free, io->arena.small_count - 1);
	held_count = 0;
	free(io);
	free(rig);
	holds = false;
}

/* ---- command line -------------------------------------------------------------- */

static int parse(struct disk_options *options, const char *a, const char *b, const char *c,
	const char *d, const char *e)
{
	const char *words[] = {"vsc-disk", a, b, c, d, e, NULL};
	char *argv[7];
	int argc = 0;
	while (words[argc] != NULL) {
		argv[argc] = (char *)(uintptr_t)words[argc];
		argc++;
	}
	argv[argc] = NULL;
	/* its complaints are for people */
	fflush(stderr);
	const int saved = dup(STDERR_FILENO);
	const int nowhere = open("/dev/null", O_WRONLY);
	dup2(nowhere, STDERR_FILENO);
	const int result = disk_options_parse(options, argc, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(nowhere);
	return result;
}

static void command_line_is_checked(void)
{
	struct disk_options options;
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", NULL, NULL), 0);
	CU_ASSERT_STRING_EQUAL(options.connect, "s");
	CU_ASSERT_STRING_EQUAL(options.mount_point, "m");
	CU_ASSERT_EQUAL(options.channels, 4);
	CU_ASSERT_EQUAL(parse(&options, "m", NULL, NULL, NULL, NULL), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", NULL, NULL, NULL), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "n", NULL), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--bogus", NULL), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--channels", "0"), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--channels", "65"), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--channels", "64"), 0);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--channels", "4x"), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--queue-depth", "-1"), -22);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--max-version", "5.3"), 0);
	CU_ASSERT_EQUAL(options.version_max, 0x00050003);
	CU_ASSERT_EQUAL(parse(&options, "--connect", "s", "m", "--max-version", "5.9"), -22);
}

static const struct test tests[] = {
	TEST(buffers_do_not_overlap_and_all_come_back),
	TEST(whole_blocks_are_written_side_by_side),
	TEST(a_partial_write_has_its_blocks_for_itself),
	TEST(many_that_end_at_once_are_granted_one_after_the_other),
	TEST(any_range_is_read_written_and_erased_exactly),
	TEST(neighbours_inside_one_block_do_not_disturb_each_other),
	TEST(whole_block_writes_read_nothing),
	TEST(transfers_are_split_at_what_the_host_takes),
	TEST(a_punch_gives_up_space_only_where_zeros_are_sure),
	TEST(a_refused_write_same_is_remembered),
	TEST(durable_writes_use_fua_or_a_flush),
	TEST(errors_end_a_job_once_and_free_everything),
	TEST(the_error_of_one_part_is_that_of_the_job),
	TEST(jobs_of_a_disk_that_goes_end_with_an_error),
	TEST(lost_memory_is_not_used_again),
	TEST(command_line_is_checked),
};
TEST_MAIN("vsc_disk", tests)
