// SPDX-License-Identifier: Apache-2.0
/* Ranges of devices: what is found, what overlaps, what no device answers. */
#include "host/hypervisor/io_space.h"

#include "tests/harness.h"

#include <errno.h>
#include <string.h>

struct device {
	uint64_t offset, value;
	unsigned bytes, reads, writes;
};

static uint64_t device_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct device *device = ctx;

	device->offset = offset;
	device->bytes = bytes;
	device->reads++;
	return 0x1122334455667788ull;
}

static void device_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct device *device = ctx;

	device->offset = offset;
	device->bytes = bytes;
	device->value = value;
	device->writes++;
}

static const struct io_device_ops ops = {
	.name = "device", .read = device_read, .write = device_write};
static const struct io_device_ops deaf_ops = {.name = "deaf"};

static void space_gives_a_device_its_offset_and_size(void)
{
	struct io_space space = {0};
	struct device low = {0};
	struct device high = {0};

	CU_ASSERT_EQUAL(io_space_add(&space, 0x3f8, 8, &ops, &high), 0);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x70, 2, &ops, &low), 0);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x3fd, 1), 0x88);
	CU_ASSERT_EQUAL(high.offset, 5);
	CU_ASSERT_EQUAL(high.bytes, 1);
	io_space_write(&space, 0x70, 2, 0xabcdef);
	CU_ASSERT_EQUAL(low.offset, 0);
	CU_ASSERT_EQUAL(low.bytes, 2);
	CU_ASSERT_EQUAL(low.value, 0xcdef);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x3f8, 8), 0x1122334455667788ull);
	CU_ASSERT_EQUAL(space.unclaimed, 0);
}

static void space_reads_ones_where_no_device_is(void)
{
	struct io_space space = {0};
	struct device device = {0};

	CU_ASSERT_EQUAL(io_space_read(&space, 0, 1), 0xff);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x100, 4, &ops, &device), 0);
	CU_ASSERT_EQUAL(io_space_read(&space, 0xff, 1), 0xff);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x104, 2), 0xffff);
	CU_ASSERT_EQUAL(io_space_read(&space, UINT64_MAX, 4), 0xffffffff);
	CU_ASSERT_EQUAL(io_space_read(&space, 0, 8), UINT64_MAX);
	io_space_write(&space, 0x104, 1, 1);
	CU_ASSERT_EQUAL(device.reads, 0);
	CU_ASSERT_EQUAL(device.writes, 0);
	CU_ASSERT_EQUAL(space.unclaimed, 6);
}

static void space_refuses_accesses_that_straddle_an_end(void)
{
	struct io_space space = {0};
	struct device device = {0};

	CU_ASSERT_EQUAL(io_space_add(&space, 0x100, 4, &ops, &device), 0);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x103, 2), 0xffff);
	CU_ASSERT_EQUAL(io_space_read(&space, 0xff, 2), 0xffff);
	io_space_write(&space, 0x102, 4, 0);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x100, 8), UINT64_MAX);
	CU_ASSERT_EQUAL(device.reads + device.writes, 0);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x100, 4), 0x55667788);
	CU_ASSERT_EQUAL(space.unclaimed, 4);
}

static void space_refuses_odd_sizes(void)
{
	struct io_space space = {0};
	struct device device = {0};

	CU_ASSERT_EQUAL(io_space_add(&space, 0, 16, &ops, &device), 0);
	CU_ASSERT_EQUAL(io_space_read(&space, 0, 3), 0xffffff);
	CU_ASSERT_EQUAL(io_space_read(&space, 0, 0), 0);
	io_space_write(&space, 0, 16, 0);
	CU_ASSERT_EQUAL(device.reads + device.writes, 0);
	CU_ASSERT_EQUAL(space.unclaimed, 3);
}

static void space_refuses_overlap_and_wrap(void)
{
	struct io_space space = {0};

	CU_ASSERT_EQUAL(io_space_add(&space, 0x100, 0x10, &ops, NULL), 0);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x100, 1, &ops, NULL), -EEXIST);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x10f, 1, &ops, NULL), -EEXIST);
	CU_ASSERT_EQUAL(io_space_add(&space, 0xf0, 0x11, &ops, NULL), -EEXIST);
	CU_ASSERT_EQUAL(io_space_add(&space, 0, UINT64_MAX, &ops, NULL), -EEXIST);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x110, 0, &ops, NULL), -EINVAL);
	CU_ASSERT_EQUAL(io_space_add(&space, UINT64_MAX, 2, &ops, NULL), -EINVAL);
	CU_ASSERT_EQUAL(io_space_add(&space, 0xf0, 0x10, &ops, NULL), 0);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x110, 1, &ops, NULL), 0);
	CU_ASSERT_EQUAL(io_space_add(&space, UINT64_MAX, 1, &ops, NULL), 0);
	CU_ASSERT_EQUAL(space.count, 4);
}

static void space_is_bounded(void)
{
	struct io_space space = {0};
	struct device device = {0};

	for (unsigned i = 0; i < IO_SPACE_RANGES_MAX; i++)
		CU_ASSERT_EQUAL(io_space_add(&space, (i * 37u % 64u) * 16u, 16, &ops, &device), 0);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x10000, 1, &ops, &device), -ENOSPC);
	CU_ASSERT_EQUAL(space.count, IO_SPACE_RANGES_MAX);
	for (unsigned i = 0; i < IO_SPACE_RANGES_MAX; i++) {
		CU_ASSERT_EQUAL(io_space_read(&space, i * 16u + 3, 1), 0x88);
		CU_ASSERT_EQUAL(device.offset, 3);
	}
}

static void space_forgets_what_was_removed(void)
{
	struct io_space space = {0};
	struct device first = {0};
	struct device second = {0};

	CU_ASSERT_EQUAL(io_space_add(&space, 0x10, 4, &ops, &first), 0);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x20, 4, &ops, &second), 0);
	io_space_remove(&space, 0x11); /* no range begins there */
	io_space_remove(&space, 0x0f);
	CU_ASSERT_EQUAL(space.count, 2);
	io_space_remove(&space, 0x10);
	CU_ASSERT_EQUAL(space.count, 1);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x10, 1), 0xff);
	CU_ASSERT_EQUAL(io_space_read(&space, 0x20, 1), 0x88);
	CU_ASSERT_EQUAL(io_space_add(&space, 0x0e, 4, &ops, &first), 0);
	io_space_remove(&space, 0x20);
	io_space_remove(&space, 0x0e);
	io_space_remove(&space, 0x0e);
	CU_ASSERT_EQUAL(space.count, 0);
	CU_ASSERT_EQUAL(first.reads, 0);
	CU_ASSERT_EQUAL(second.reads, 1);
}

static void device_without_handlers_reads_ones(void)
{
	struct io_space space = {0};

	CU_ASSERT_EQUAL(io_space_add(&space, 0, 8, &deaf_ops, NULL), 0);
	CU_ASSERT_EQUAL(io_space_read(&space, 0, 2), 0xffff);
	io_space_write(&space, 0, 2, 7);
	CU_ASSERT_EQUAL(space.unclaimed, 0);
}

static const struct test tests[] = {
	TEST(space_gives_a_device_its_offset_and_size),
	TEST(space_reads_ones_where_no_device_is),
	TEST(space_refuses_accesses_that_straddle_an_end),
	TEST(space_refuses_odd_sizes),
	TEST(space_refuses_overlap_and_wrap),
	TEST(space_is_bounded),
	TEST(space_forgets_what_was_removed),
	TEST(device_without_handlers_reads_ones),
};
TEST_MAIN("io_space", tests)
