// SPDX-License-Identifier: Apache-2.0
/*
 * Commands by which a guest would keep the host busy, alive or dead: what each may cost, and
 * that it ends soon when its channel closes.
 */
#include "tests/harness.h"
#include "tests/unit/scsi_fixture.h"

#include <sys/mman.h>

#define DESCRIPTORS_MAX 4095u
#define DISK_BLOCKS	20480u

/* The parameter list of an UNMAP whose `count` descriptors all free [lba, lba + blocks). */
static uint32_t unmap_list_fill(uint8_t *list, unsigned count, uint64_t lba, uint32_t blocks)
{
	const uint32_t bytes = 8 + count * 16;
	memset(list, 0, bytes);
	scsi_put16(list, (uint16_t)(bytes - 2));
	scsi_put16(list + 2, (uint16_t)(bytes - 8));
	for (unsigned i = 0; i < count; i++) {
		scsi_put64(list + 8 + i * 16, lba);
		scsi_put32(list + 16 + i * 16, blocks);
	}
	return bytes;
}

static void unmap_start(struct fixture *f, unsigned count, uint64_t lba, uint32_t blocks)
{
	const uint32_t bytes = unmap_list_fill(f->data, count, lba, blocks);
	uint8_t cdb[16] = {SCSI_OP_UNMAP};
	scsi_put16(cdb + 7, (uint16_t)bytes);
	fixture_start(f, cdb, 10, STORAGE_DATA_OUT, bytes);
}

/* R-STOR-086. */
static void an_unmap_frees_no_more_blocks_than_there_are(void)
{
	struct fixture *f = fixture_disk();
	unmap_start(f, DESCRIPTORS_MAX, 0, DISK_BLOCKS);
	CU_ASSERT_EQUAL(f->done_count, 1);
	CU_ASSERT_EQUAL(f->request.srb_status, STORAGE_SRB_SUCCESS);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 1);
	/* Every block once, in as many pieces as a list has, is what a guest may ask for. */
	unmap_start(f, 2, DISK_BLOCKS / 2, DISK_BLOCKS / 2);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 3);
	/* What is not done is checked all the same. */
	unmap_list_fill(f->data, 3, 0, DISK_BLOCKS);
	scsi_put64(f->data + 8 + 2 * 16, 1);
	const uint8_t cdb[16] = {SCSI_OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 8 + 3 * 16};
	fixture_start(f, cdb, 10, STORAGE_DATA_OUT, 8 + 3 * 16);
	CU_ASSERT_EQUAL(f->request.srb_status, STORAGE_SRB_INVALID_REQUEST);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 4);
	fixture_free(f);
}

static void a_hurried_command_takes_no_further_step(void)
{
	struct fixture *f = fixture_disk();
	f->store->holds = true;
	unmap_start(f, DESCRIPTORS_MAX, 0, 1);
	CU_ASSERT_EQUAL_FATAL(f->store->held_count, 1);
	scsi_request_hurry(&f->request);
	CU_ASSERT_EQUAL(f->done_count, 0); /* the store still has it */
	store_script_release(f->store, 0);
	CU_ASSERT_EQUAL(f->done_count, 1);
	CU_ASSERT_EQUAL(f->request.srb_status, STORAGE_SRB_ABORTED);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 1);
	CU_ASSERT_EQUAL(f->nexus.outstanding, 0);

	/* The next command in the same request is not hurried. */
	f->store->holds = false;
	unmap_start(f, 3, 0, 1);
	CU_ASSERT_EQUAL(f->request.srb_status, STORAGE_SRB_SUCCESS);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 4);
	fixture_free(f);
}

static unsigned second_done;

static void on_second_done(struct scsi_request *request)
{
	CU_ASSERT_EQUAL(request->srb_status, STORAGE_SRB_ABORTED);
	second_done++;
}

static void a_hurried_command_that_waits_for_scratch_memory_does_not_start(void)
{
	static const uint8_t verify[16] = {SCSI_OP_VERIFY_10, 2, 0, 0, 0, 0, 0, 0, 8};
	struct fixture *f = fixture_disk();
	f->store->holds = true;
	fixture_start(f, verify, 10, STORAGE_DATA_OUT, 8 * 512);
	struct iovec iov = {f->data, 8 * 512};
	struct scsi_request second = {
		.nexus = &f->nexus,
		.scratch = &f->scratch,
		.commands = &f->commands,
		.iov = &iov,
		.iov_count = 1,
		.data_bytes = 8 * 512,
		.direction = STORAGE_DATA_OUT,
		.cdb_length = 10,
		.done = on_second_done,
	};
	memcpy(second.cdb, verify, sizeof second.cdb);
	second_done = 0;
	scsi_execute(&second);
	CU_ASSERT_PTR_EQUAL_FATAL(f->scratch.waiting, &second);
	scsi_request_hurry(&f->request);
	scsi_request_hurry(&second);
	f->store->holds = false;
	store_script_release(f->store, 0);
	CU_ASSERT_EQUAL(f->done_count, 1);
	CU_ASSERT_EQUAL(second_done, 1);
	CU_ASSERT_EQUAL(f->store->submitted, 1);
	CU_ASSERT_PTR_NULL(f->scratch.owner);
	fixture_free(f);
}

/* Pages of [at, at + bytes) that take memory. */
static unsigned resident(const uint8_t *at, size_t bytes)
{
	unsigned char pages[1024];
	unsigned count = 0;
	CU_ASSERT_FATAL(bytes / 4096 <= sizeof pages);
	CU_ASSERT_EQUAL_FATAL(mincore((void *)(uintptr_t)at, bytes, pages), 0);
	for (size_t i = 0; i < bytes / 4096; i++)
		count += pages[i] & 1;
	return count;
}

static void ram_done(struct store_request *request, int result)
{
	(void)request;
	CU_ASSERT_EQUAL(result, 0);
}

static void a_ram_disk_gives_discarded_memory_back(void)
{
	enum { BYTES = 4 << 20, FIRST = 512, LENGTH = BYTES - 1024 };
	struct store *store;
	CU_ASSERT_EQUAL_FATAL(store_ram_create(BYTES, 512, false, &store), 0);
	uint8_t *bytes = store_ram_bytes(store);
	CU_ASSERT_EQUAL_FATAL((uintptr_t)bytes % 4096, 0);
	memset(bytes, 0xAB, BYTES);
	CU_ASSERT_EQUAL(resident(bytes, BYTES), BYTES / 4096);
	struct store_request request = {
		.op = STORE_DISCARD, .offset = FIRST, .bytes = LENGTH, .done = ram_done};
	store_submit(store, &request);
	CU_ASSERT_EQUAL(resident(bytes + 4096, BYTES - 2 * 4096), 0);
	size_t wrong = 0;
	for (size_t i = 0; i < BYTES; i++)
		wrong += bytes[i] != (i >= FIRST && i < FIRST + LENGTH ? 0 : 0xAB);
	CU_ASSERT_EQUAL(wrong, 0);

	/* A piece within one page. */
	memset(bytes, 0xAB, 8192);
	request.offset = 1024;
	request.bytes = 512;
	store_submit(store, &request);
	wrong = 0;
	for (size_t i = 0; i < 8192; i++)
		wrong += bytes[i] != (i >= 1024 && i < 1536 ? 0 : 0xAB);
	CU_ASSERT_EQUAL(wrong, 0);
	store_close(store);
}

static const struct test tests[] = {
	TEST(an_unmap_frees_no_more_blocks_than_there_are),
	TEST(a_hurried_command_takes_no_further_step),
	TEST(a_hurried_command_that_waits_for_scratch_memory_does_not_start),
	TEST(a_ram_disk_gives_discarded_memory_back),
};
TEST_MAIN("hostile_guest", tests)
