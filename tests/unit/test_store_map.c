// SPDX-License-Identifier: Apache-2.0
/*
 * A mapped image: what the map knows, what it refuses, and that a file which loses its
 * pages behind its back costs a copy and not the process. The files are memfds, which are
 * tmpfs without a mount.
 */
#include "host/vsp/store_map_linux.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	    4096u
#define PAGES	    200u /* more than three words of bits */
#define IMAGE_BYTES ((uint64_t)PAGE * PAGES)

static int file_make(uint64_t bytes)
{
	const int fd = memfd_create("viridian-test", MFD_CLOEXEC);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static uint64_t bytes_used(int fd)
{
	struct stat st;
	CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void page_put(int fd, unsigned page, uint8_t value)
{
	uint8_t data[PAGE];
	memset(data, value, sizeof data);
	CU_ASSERT_EQUAL(pwrite(fd, data, sizeof data, (off_t)page * PAGE), PAGE);
}

static bool copy_one(
	struct store_map *map, bool is_write, void *data, uint64_t offset, size_t bytes)
{
	const struct iovec iov = {data, bytes};
	return store_map_copy(map, is_write, &iov, 1, offset, bytes);
}

static void data_that_were_there_are_copied_both_ways(void)
{
	const int fd = file_make(IMAGE_BYTES);
	struct store_map map;
	uint8_t data[3 * PAGE];
	page_put(fd, 62, 0x11);
	page_put(fd, 63, 0x22);
	page_put(fd, 64, 0x33);
	store_map_open(&map, fd, IMAGE_BYTES, true);
	CU_ASSERT(copy_one(&map, false, data, 62 * PAGE, sizeof data));
	CU_ASSERT_EQUAL(data[0], 0x11);
	CU_ASSERT_EQUAL(data[PAGE], 0x22);
	CU_ASSERT_EQUAL(data[3 * PAGE - 1], 0x33);

	uint8_t head[512];
	uint8_t tail[1024];
	memset(head, 0x44, sizeof head);
	memset(tail, 0x55, sizeof tail);
	const struct iovec pieces[2] = {{head, sizeof head}, {tail, sizeof tail}};
	CU_ASSERT(store_map_copy(&map, true, pieces, 2, 63 * PAGE + 512, 1536));
	CU_ASSERT_EQUAL(pread(fd, data, PAGE, 63 * PAGE), PAGE);
	CU_ASSERT_EQUAL(data[511], 0x22);
	CU_ASSERT_EQUAL(data[512], 0x44);
	CU_ASSERT_EQUAL(data[1023], 0x44);
	CU_ASSERT_EQUAL(data[1024], 0x55);
	CU_ASSERT_EQUAL(data[2047], 0x55);
	CU_ASSERT_EQUAL(data[2048], 0x22);
	store_map_close(&map, fd);
	close(fd);
}

static void holes_are_refused_and_stay_holes(void)
{
	const int fd = file_make(IMAGE_BYTES);
	struct store_map map;
	uint8_t data[2 * PAGE];
	page_put(fd, 10, 1);
	store_map_open(&map, fd, IMAGE_BYTES, true);
	CU_ASSERT(!copy_one(&map, false, data, 9 * PAGE, PAGE));
	CU_ASSERT(!copy_one(&map, false, data, 10 * PAGE, 2 * PAGE));
	CU_ASSERT(!copy_one(&map, true, data, 11 * PAGE, 512));
	CU_ASSERT(!copy_one(&map, true, data, IMAGE_BYTES - 512, 512));
	CU_ASSERT_EQUAL(bytes_used(fd), PAGE);
	store_map_close(&map, fd);
	close(fd);
}

static void what_is_written_is_known_until_it_is_freed(void)
{
	const int fd = file_make(IMAGE_BYTES);
	struct store_map map;
	uint8_t data[PAGES / 2 * PAGE];
	memset(data, 7, sizeof data);
	store_map_open(&map, fd, IMAGE_BYTES, true);
	CU_ASSERT_EQUAL(pwrite(fd, data, sizeof data, 31 * PAGE), (ssize_t)sizeof data);
	store_map_note(&map, 31 * PAGE, sizeof data);
	CU_ASSERT(copy_one(&map, false, data, 31 * PAGE, sizeof data));
	CU_ASSERT(!copy_one(&map, false, data, 30 * PAGE, 2 * PAGE));
	CU_ASSERT(!copy_one(&map, false, data, (31 + PAGES / 2 - 1) * PAGE, 2 * PAGE));

	store_map_forget(&map, 64 * PAGE + 1, PAGE - 2);
	CU_ASSERT(copy_one(&map, false, data, 31 * PAGE, 33 * PAGE));
	CU_ASSERT(!copy_one(&map, false, data, 64 * PAGE, 512));
	CU_ASSERT(copy_one(&map, false, data, 65 * PAGE, 30 * PAGE));
	store_map_close(&map, fd);
	close(fd);
}

static void ranges_past_the_map_are_refused(void)
{
	const int fd = file_make(IMAGE_BYTES - 512);
	struct store_map map;
	uint8_t data[PAGE];
	page_put(fd, 5, 1);
	store_map_open(&map, fd, IMAGE_BYTES - 512, true);
	store_map_note(&map, 0, UINT64_MAX);
	CU_ASSERT(copy_one(&map, false, data, IMAGE_BYTES - 1024, 512));
	CU_ASSERT(!copy_one(&map, false, data, IMAGE_BYTES - 512, 512));
	CU_ASSERT(!copy_one(&map, false, data, UINT64_MAX - 511, 512));
	CU_ASSERT(!copy_one(&map, false, data, UINT64_MAX - 511, PAGE));
	store_map_forget(&map, UINT64_MAX - 511, PAGE);
	store_map_forget(&map, IMAGE_BYTES * 2, 1);
	CU_ASSERT(copy_one(&map, false, data, IMAGE_BYTES - 1024, 512));
	store_map_close(&map, fd);
	CU_ASSERT(!copy_one(&map, false, data, 0, 512));
	close(fd);
}

static void a_file_cut_short_ends_the_copy_not_the_process(void)
{
	const int fd = file_make(IMAGE_BYTES);
	struct store_map map;
	uint8_t data[4 * PAGE];
	for (unsigned i = 0; i < 8; i++)
		page_put(fd, i, (uint8_t)i);
	store_map_open(&map, fd, IMAGE_BYTES, true);
	CU_ASSERT_EQUAL(ftruncate(fd, 2 * PAGE), 0);
	for (unsigned i = 0; i < 3; i++) { /* the handler serves more than once */
		store_map_note(&map, 0, 8 * PAGE);
		CU_ASSERT(!copy_one(&map, false, data, 0, sizeof data));
		store_map_note(&map, 0, 8 * PAGE);
		CU_ASSERT(!copy_one(&map, true, data, 4 * PAGE, sizeof data));
	}
	/* what was found to be wrong is not tried again */
	store_map_note(&map, 0, 8 * PAGE);
	CU_ASSERT(!copy_one(&map, false, data, 0, sizeof data));
	CU_ASSERT(!copy_one(&map, false, data, 0, PAGE));
	store_map_note(&map, 0, PAGE);
	CU_ASSERT(copy_one(&map, false, data, 0, PAGE));
	store_map_close(&map, fd);
	close(fd);
}

static void a_bus_error_of_somebody_else_still_kills(void)
{
	const int fd = file_make(PAGE);
	struct store_map map;
	int status = 0;
	store_map_open(&map, fd, PAGE, true);
	const pid_t child = fork();
	if (child == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(20);
		uint8_t *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		if (other != MAP_FAILED && ftruncate(fd, 0) == 0)
			(void)*(volatile uint8_t *)other;
		_exit(0);
	}
	CU_ASSERT_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	CU_ASSERT(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0));
#else
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
#endif
	store_map_close(&map, fd);
	close(fd);
}

static void a_map_without_write_access_takes_no_writes(void)
{
	const int fd = file_make(IMAGE_BYTES);
	struct store_map map;
	uint8_t data[PAGE];
	page_put(fd, 0, 9);
	store_map_open(&map, fd, IMAGE_BYTES, false);
	CU_ASSERT(copy_one(&map, false, data, 0, PAGE));
	CU_ASSERT(!copy_one(&map, true, data, 0, PAGE));
	store_map_close(&map, fd);
	close(fd);
}

static void copies_into_the_file_change_its_time(void)
{
	const int fd = file_make(IMAGE_BYTES);
	const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct store_map map;
	struct stat st;
	uint8_t data[PAGE] = {0};
	page_put(fd, 0, 9);
	store_map_open(&map, fd, IMAGE_BYTES, true);
	CU_ASSERT(copy_one(&map, true, data, 0, PAGE)); /* the first fault would, by itself */
	store_map_stamp(&map, fd);
	CU_ASSERT_EQUAL(futimens(fd, past), 0);
	CU_ASSERT(copy_one(&map, false, data, 0, PAGE));
	store_map_stamp(&map, fd);
	CU_ASSERT_EQUAL(fstat(fd, &st), 0);
	CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 1000);
	CU_ASSERT(copy_one(&map, true, data, 0, PAGE));
	store_map_stamp(&map, fd);
	CU_ASSERT_EQUAL(fstat(fd, &st), 0);
	CU_ASSERT(st.st_mtim.tv_sec > 1000);
	store_map_close(&map, fd);
	close(fd);
}

static const struct test tests[] = {
	TEST(data_that_were_there_are_copied_both_ways),
	TEST(holes_are_refused_and_stay_holes),
	TEST(what_is_written_is_known_until_it_is_freed),
	TEST(ranges_past_the_map_are_refused),
	TEST(a_file_cut_short_ends_the_copy_not_the_process),
	TEST(a_bus_error_of_somebody_else_still_kills),
	TEST(a_map_without_write_access_takes_no_writes),
	TEST(copies_into_the_file_change_its_time),
};

TEST_MAIN("store_map", tests)
