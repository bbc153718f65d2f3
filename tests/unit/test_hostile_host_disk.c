// SPDX-License-Identifier: Apache-2.0
/*
 * vsc-disk against hosts that write to what they were lent, keep it, change a disk under
 * a request, never answer, or have much to be logged. The kernel is played by a pipe.
 */
#define FUSE_USE_VERSION 314
#define RIG_PAGES	 1200u

#include "tests/harness.h"
#include "tests/unit/storage_vsc_rig.h"

#include "guest/vsc/vsc_disk_fuse.h"
#include "guest/vsc/vsc_disk_log.h"
#include "guest/vsc/vsc_disk_ops.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- what the kernel asks ------------------------------------------------------------------ */

struct desk {
	struct disk_options options;
	struct disk_tree tree;
	struct disk_io *io;
	struct disk_fuse fuse;
	struct disk_file files[5]; /* ino 16 to 20, looked up three times each */
	uint8_t *memory;
	int pipe[2];
};

static ssize_t answer_drop(int fd, struct iovec *iov, int count, void *userdata)
{
	ssize_t bytes = 0;
	(void)fd;
	(void)userdata;
	for (int i = 0; i < count; i++)
		bytes += (ssize_t)iov[i].iov_len;
	return bytes;
}

static ssize_t never_read(int fd, void *buffer, size_t bytes, void *userdata)
{
	(void)fd;
	(void)buffer;
	(void)bytes;
	(void)userdata;
	return 0;
}

static void ask(struct desk *desk, uint32_t opcode, const void *body, size_t bytes)
{
	uint8_t request[512] = {0};
	const struct fuse_in_header header = {
		.len = (uint32_t)(sizeof header + bytes),
		.opcode = opcode,
		.unique = 2,
		.nodeid = FUSE_ROOT_ID,
	};
	memcpy(request, &header, sizeof header);
	memcpy(request + sizeof header, body, bytes);
	CU_ASSERT_EQUAL(write(desk->pipe[1], request, header.len), (ssize_t)header.len);
	CU_ASSERT_EQUAL(disk_fuse_take(&desk->fuse), 1);
}

static struct desk *desk_open(void)
{
	static const struct fuse_custom_io custom = {.writev = answer_drop, .read = never_read};
	const struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION, .minor = 31};
	char name[] = "test";
	char option[] = "-omax_read=1048576";
	char *argv[] = {name, option, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct desk *desk = calloc(1, sizeof *desk);
	const size_t bytes = (size_t)RIG_PAGES * 4096;
	if (desk == NULL || (desk->io = malloc(sizeof *desk->io)) == NULL ||
		(desk->memory = aligned_alloc(4096, bytes)) == NULL || pipe(desk->pipe) != 0)
		abort();
	memset(desk->memory, 0, bytes);
	const struct winhv_pages pages = {.va = desk->memory, .gpa = 0x100000, .bytes = bytes};
	disk_io_init(desk->io, &pages);
	disk_tree_init(&desk->tree);
	for (unsigned i = 0; i < 5; i++) {
		desk->files[i].ino = DISK_INO_FIRST + i;
		desk->files[i].lookups = 3;
		desk->files[i].next = i < 4 ? &desk->files[i + 1] : NULL;
	}
	desk->tree.files = desk->files;
	desk->options.queue_depth = 16;
	desk->fuse.options = &desk->options;
	desk->fuse.tree = &desk->tree;
	desk->fuse.io = desk->io;
	desk->fuse.fd = desk->pipe[0];
	desk->fuse.request = calloc(1, 2u << 20);
	desk->fuse.session = fuse_session_new(
		&args, disk_fuse_ops(), sizeof(struct fuse_lowlevel_ops), &desk->fuse);
	fuse_opt_free_args(&args);
	if (desk->fuse.session == NULL || desk->fuse.request == NULL ||
		fuse_session_custom_io(desk->fuse.session, &custom, desk->pipe[0]) != 0)
		abort();
	ask(desk, FUSE_INIT, &init, sizeof init);
	return desk;
}

static void desk_close(struct desk *desk)
{
	fuse_session_destroy(desk->fuse.session);
	close(desk->pipe[1]);
	free(desk->fuse.request);
	free(desk->memory);
	free(desk->io);
	free(desk);
}

static void a_long_request_is_read_as_the_kernel_wrote_it(void)
{
	struct desk *desk = desk_open();
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one one[4];
	} forget = {.head = {.count = 4}};
	for (unsigned i = 0; i < 4; i++)
		forget.one[i] = (struct fuse_forget_one){DISK_INO_FIRST + i, 1};
	/* everything the host can write says: forget the fifth file */
	const struct fuse_forget_one forged = {DISK_INO_FIRST + 4, 1};
	for (size_t at = 0; at + sizeof forged <= (size_t)RIG_PAGES * 4096; at += sizeof forged)
		memcpy(desk->memory + at, &forged, sizeof forged);
	ask(desk, FUSE_BATCH_FORGET, &forget, sizeof forget);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(desk->files[i].lookups, 2);
	CU_ASSERT_EQUAL(desk->files[4].lookups, 3);
	desk_close(desk);
}

static void memory_that_the_host_keeps_is_noticed_when_it_is_all(void)
{
	struct desk *desk = desk_open();
	struct disk_job *jobs[DISK_LARGE_MAX];
	unsigned count = 0;
	CU_ASSERT_FALSE(disk_fuse_is_starved(&desk->fuse));
	while ((jobs[count] = disk_job_new(desk->io, &desk->files[0].disk)) != NULL &&
		disk_job_buffer(jobs[count], DISK_LARGE_PAGES))
		count++;
	disk_job_free(jobs[count]);
	/* the window, too, went to a write */
	disk_arena_lose(&desk->io->arena, desk->fuse.window);
	desk->fuse.has_window = false;
	CU_ASSERT_FALSE(disk_fuse_has_room(&desk->fuse));
	while (count-- > 0) {
		CU_ASSERT_FALSE(disk_fuse_is_starved(&desk->fuse)); /* some may come back */
		jobs[count]->is_memory_lost = true;
		disk_job_free(jobs[count]);
	}
	CU_ASSERT(disk_fuse_is_starved(&desk->fuse));
	desk_close(desk);
}

/* ---- a disk that changes ------------------------------------------------------------------- */

static unsigned jobs_done;

static void on_done(struct disk_job *job)
{
	(void)job;
	jobs_done++;
}

static void hold_reads(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	answer->is_held = packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
			  packet->payload[28] == SCSI_OP_READ_10;
}

static void hold_writes(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	answer->is_held = packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
			  packet->payload[28] == SCSI_OP_WRITE_10;
}

static void a_new_medium_does_not_move_the_data_of_a_read_under_way(void)
{
	struct rig *rig = rig_new();
	static struct disk disk;
	struct disk_io *io = malloc(sizeof *io);
	if (io == NULL)
		abort();
	rig->units[1].block_bytes = 512;
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	const struct winhv_pages pages = {.va = rig->memory + 16 * 4096,
		.gpa = 16 * 4096,
		.bytes = (RIG_PAGES - 16) * 4096ul};
	disk_io_init(io, &pages);
	struct storage_vsc_lun *lun = storage_vsc_lun_find(&rig->vsc, 0, 2, 0);
	disk = (struct disk){0};
	disk_attach(&disk, &rig->vsc, lun);
	struct disk_job *job = disk_job_new(io, &disk);
	job->offset = 3584;
	job->bytes = DISK_SMALL_PAGES * 4096;
	job->done = on_done;
	const uint32_t need = disk_read_pages(&disk, job->offset, job->bytes);
	CU_ASSERT_EQUAL(need, DISK_SMALL_PAGES);
	CU_ASSERT(disk_job_buffer(job, need));
	jobs_done = 0;
	rig->hook = hold_reads;
	disk_read(job);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(jobs_done, 0);
	const struct rig_packet read = *rig_sent(rig, 0);
	struct rig_answer answer;
	rig->hook = NULL;
	rig_answer_make(rig, &read, &answer);
	/* another medium, with other blocks */
	rig->units[1].block_bytes = 4096;
	rig_later(rig, 1000);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->changed, 1);
	disk_attach(&disk, &rig->vsc, lun);
	CU_ASSERT_EQUAL(disk.block_bytes, 4096);
	rig_send(rig, 0, answer.type, answer.id, answer.payload, answer.bytes);
	rig_run(rig);
	CU_ASSERT_EQUAL(jobs_done, 1);
	const uint8_t *buffer = disk_arena_at(&io->arena, job->page);
	CU_ASSERT_EQUAL(job->error, 0);
	CU_ASSERT(disk_job_data(job) >= buffer);
	CU_ASSERT(disk_job_data(job) + job->bytes <= buffer + DISK_SMALL_PAGES * 4096);
	disk_job_free(job);
	free(io);
	free(rig);
}

static unsigned flushes;

static void count_flushes(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	hold_writes(rig, packet, answer);
	flushes += packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
		   packet->payload[28] == SCSI_OP_SYNCHRONIZE_CACHE_10;
}

static void a_durable_write_is_flushed_if_it_went_out_without_fua(void)
{
	struct rig *rig = rig_new();
	static struct disk disk;
	struct disk_io *io = malloc(sizeof *io);
	if (io == NULL)
		abort();
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	const struct winhv_pages pages = {.va = rig->memory + 16 * 4096,
		.gpa = 16 * 4096,
		.bytes = (RIG_PAGES - 16) * 4096ul};
	disk_io_init(io, &pages);
	struct storage_vsc_lun *lun = storage_vsc_lun_find(&rig->vsc, 0, 0, 0);
	lun->properties.can_fua = false;
	disk = (struct disk){0};
	disk_attach(&disk, &rig->vsc, lun);
	struct disk_job *job = disk_job_new(io, &disk);
	job->bytes = 4096;
	job->is_durable = true;
	job->done = on_done;
	CU_ASSERT(disk_job_buffer(job, disk_write_pages(job->bytes)));
	jobs_done = 0;
	flushes = 0;
	rig->hook = count_flushes;
	disk_write(job);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	const struct rig_packet write = *rig_sent(rig, 0);
	struct rig_answer answer;
	rig_answer_make(rig, &write, &answer);
	/* the host says that the disk has FUA: too late for this write */
	lun->properties.can_fua = true;
	disk_attach(&disk, &rig->vsc, lun);
	rig_send(rig, 0, answer.type, answer.id, answer.payload, answer.bytes);
	rig_run(rig);
	CU_ASSERT_EQUAL(jobs_done, 1);
	CU_ASSERT_EQUAL(job->error, 0);
	CU_ASSERT_EQUAL(flushes, 1);
	disk_job_free(job);
	free(io);
	free(rig);
}

/* ---- log ------------------------------------------------------------------------------------- */

static void a_flood_of_events_does_not_flood_the_log(void)
{
	struct disk_log_limit limit = {0};
	const uint64_t start = 123456600;
	uint64_t left_out = 0;
	unsigned lines = 0;
	for (unsigned i = 0; i < 20000; i++)
		lines += disk_log_is_due(&limit, start + i / 1000, &left_out);
	CU_ASSERT_EQUAL(lines, 50);
	CU_ASSERT_EQUAL(left_out, 0);
	/* when time has passed, a line may come again, and says what is missing */
	CU_ASSERT(!disk_log_is_due(&limit, start + 199, &left_out));
	CU_ASSERT(disk_log_is_due(&limit, start + 200, &left_out));
	CU_ASSERT_EQUAL(left_out, 20000 - 50 + 1);
	CU_ASSERT(!disk_log_is_due(&limit, start + 200, &left_out));
	lines = 0;
	for (unsigned i = 0; i < 100; i++)
		lines += disk_log_is_due(&limit, start + 3600000, &left_out);
	CU_ASSERT_EQUAL(lines, 50);
}

static void a_log_line_holds_no_control_characters(void)
{
	const int kept = dup(STDERR_FILENO);
	const int taken = memfd_create("log", MFD_CLOEXEC);
	char text[256];
	CU_ASSERT_FATAL(kept >= 0 && taken >= 0 && dup2(taken, STDERR_FILENO) >= 0);
	disk_log("disk %s", "\033[2Jname\n");
	dup2(kept, STDERR_FILENO);
	close(kept);
	const ssize_t bytes = pread(taken, text, sizeof text - 1, 0);
	close(taken);
	CU_ASSERT_FATAL(bytes > 0);
	text[bytes] = '\0';
	CU_ASSERT_STRING_EQUAL(text, "vsc-disk: disk ?[2Jname?\n");
}

static const struct test tests[] = {
	TEST(a_long_request_is_read_as_the_kernel_wrote_it),
	TEST(memory_that_the_host_keeps_is_noticed_when_it_is_all),
	TEST(a_new_medium_does_not_move_the_data_of_a_read_under_way),
	TEST(a_durable_write_is_flushed_if_it_went_out_without_fua),
	TEST(a_flood_of_events_does_not_flood_the_log),
	TEST(a_log_line_holds_no_control_characters),
};
TEST_MAIN("hostile_host_disk", tests)
