// SPDX-License-Identifier: Apache-2.0
/* The RAM store: what is written is read back, in pieces; it completes at once. */
#include "host/vsp/store.h"
#include "tests/harness.h"

#include <errno.h>
#include <string.h>

static unsigned done_count;
static int done_result;

static void on_done(struct store_request *request, int result)
{
	(void)request;
	done_count++;
	done_result = result;
}

static void run(struct store *store, enum store_op op, uint64_t offset, struct iovec *iov,
	unsigned count, uint64_t bytes)
{
	struct store_request request = {.op = op,
		.iov = iov,
		.iov_count = count,
		.offset = offset,
		.bytes = bytes,
		.done = on_done};
	done_count = 0;
	store_submit(store, &request);
	CU_ASSERT_EQUAL(done_count, 1);
	CU_ASSERT_EQUAL(done_result, 0);
}

static void scattered_writes_are_read_back_gathered(void)
{
	struct store *store;
	CU_ASSERT_EQUAL_FATAL(store_ram_create(64 << 10, 512, false, &store), 0);
	uint8_t data[2048];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 13 + i / 256);
	struct iovec out[3] = {{data, 100}, {data + 100, 1}, {data + 101, sizeof data - 101}};
	run(store, STORE_WRITE, 1024, out, 3, sizeof data);
	CU_ASSERT_EQUAL(memcmp(store_ram_bytes(store) + 1024, data, sizeof data), 0);
	uint8_t back[2048] = {0};
	struct iovec in[2] = {{back, 777}, {back + 777, sizeof back - 777}};
	run(store, STORE_READ, 1024, in, 2, sizeof back);
	CU_ASSERT_EQUAL(memcmp(back, data, sizeof data), 0);
	run(store, STORE_FLUSH, 0, NULL, 0, 0);
	run(store, STORE_DISCARD, 1024, NULL, 0, 512);
	run(store, STORE_WRITE_ZEROES, 2048, NULL, 0, 512);
	CU_ASSERT_EQUAL(store_ram_bytes(store)[1024], 0);
	CU_ASSERT_EQUAL(store_ram_bytes(store)[1536], data[512]);
	CU_ASSERT_EQUAL(store_ram_bytes(store)[2048], 0);
	CU_ASSERT_EQUAL(store_ram_bytes(store)[2560], data[1536]);
	store_close(store);
}

/* R-STOR-087: whole pages, which go back to the system, and the parts of pages around them. */
static void a_range_that_is_cleared_is_zero_up_to_its_ends(void)
{
	struct store *store;
	CU_ASSERT_EQUAL_FATAL(store_ram_create(64 << 10, 512, false, &store), 0);
	uint8_t *bytes = store_ram_bytes(store);
	memset(bytes, 0xa5, 64 << 10);
	const size_t from = 4096 - 512;
	const size_t end = 4 * 4096 + 1024;
	run(store, STORE_WRITE_ZEROES, from, NULL, 0, end - from);
	for (size_t i = 0; i < 64 << 10; i++)
		CU_ASSERT_EQUAL_FATAL(bytes[i], i >= from && i < end ? 0 : 0xa5);
	store_close(store);
}

static void sizes_are_checked(void)
{
	struct store *store;
	CU_ASSERT_EQUAL(store_ram_create(0, 512, false, &store), -EINVAL);
	CU_ASSERT_EQUAL(store_ram_create(513, 512, false, &store), -EINVAL);
	CU_ASSERT_EQUAL(store_ram_create(4096, 0, false, &store), -EINVAL);
	CU_ASSERT_EQUAL(store_ram_create(4096, 2048, true, &store), 0);
	CU_ASSERT(store->is_read_only);
	CU_ASSERT(!store->can_discard);
	CU_ASSERT_EQUAL(store->block_bytes, 2048);
	CU_ASSERT_EQUAL(store->capacity_bytes, 4096);
	store_close(store);
}

static const struct test tests[] = {
	TEST(scattered_writes_are_read_back_gathered),
	TEST(a_range_that_is_cleared_is_zero_up_to_its_ends),
	TEST(sizes_are_checked),
};
TEST_MAIN("store_ram", tests)
