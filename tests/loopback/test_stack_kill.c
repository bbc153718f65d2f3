// SPDX-License-Identifier: Apache-2.0
/*
 * Sudden death in the middle of I/O, at 200 points each: of the guest, after which the host
 * lives and takes the next guest; and of the host, after which the guest ends in order. In
 * both cases the image must hold every write that a completed flush covered, and nothing
 * that was never written.
 *
 * The writer gives each 4 KiB block a number that grows with every write of that block. What
 * is known about each block is in memory shared with the checker: the last number issued, and
 * the last one that a completed flush covered. After the death, the block in the image must be
 * whole and carry a number between the two.
 */
#include "tests/harness.h"
#include "tests/loopback/stack_guest.h"
#include "tests/loopback/stack_host.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS	    200u
#define BLOCKS	    64u /* of 4 KiB */
#define BLOCK_BYTES 4096u
#define WORDS	    (BLOCK_BYTES / 8)
#define DEPTH	    8u

/* Shared between the writer and the test. */
struct ledger {
	uint64_t issued[BLOCKS];
	uint64_t completed[BLOCKS];
	uint64_t durable[BLOCKS];
	uint64_t progress; /* writes completed, all guests together */
	uint64_t refused;  /* requests that ended with an error */
};

static struct ledger *ledger;

/* ---- the guest that writes until it is killed -------------------------------------------------
 */

static struct stack_guest guest;
static struct storage_vsc_request requests[DEPTH];
static unsigned in_flight;

static void on_written(struct storage_vsc_request *request)
{
	const uint64_t block = request->lba / 8;
	in_flight--;
	if (request->result != 0) {
		ledger->refused++;
		return;
	}
	ledger->completed[block] = ledger->issued[block];
	__atomic_fetch_add(&ledger->progress, 1, __ATOMIC_RELEASE);
}

/* Write DEPTH different blocks at once, then flush: a round. */
static int round_run(struct storage_vsc_lun *lun, uint64_t round)
{
	uint64_t covered[BLOCKS];
	for (unsigned i = 0; i < DEPTH; i++) {
		const uint64_t block = (round * DEPTH + i * 7) % BLOCKS;
		uint64_t *words = (uint64_t *)(void *)(guest.pages.va + i * BLOCK_BYTES);
		const uint64_t number = ++ledger->issued[block];
		for (unsigned w = 0; w < WORDS; w++)
			words[w] = block << 48 | number;
		requests[i] = (struct storage_vsc_request){
			.lun = lun,
			.op = STORAGE_VSC_WRITE,
			.lba = block * 8,
			.blocks = 8,
			.data = storage_vsc_data_at(&guest.pages, i * BLOCK_BYTES, BLOCK_BYTES),
			.done = on_written,
		};
		if (storage_vsc_submit(&guest.controller.vsc, &requests[i]) != 0)
			return -1;
		in_flight++;
	}
	storage_vsc_flush(&guest.controller.vsc);
	while (in_flight > 0) {
		if (storage_controller_poll(&guest.controller, 10000000) != 0)
			return -1;
	}
	memcpy(covered, ledger->completed, sizeof covered);
	if (storage_controller_flush(&guest.controller, lun, 10000) != 0)
		return -1;
	memcpy(ledger->durable, covered, sizeof covered);
	return 0;
}

static void writer_child(const char *socket)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (stack_guest_connect(&guest, socket) != 0 || stack_guest_open(&guest, 1) != 0)
		_exit(2);
	struct storage_vsc_lun *lun = stack_guest_lun(&guest, 0, 0);
	if (lun == NULL)
		_exit(3);
	int result = 0;
	for (uint64_t round = 0; result == 0; round++)
		result = round_run(lun, round);
	/* The host has died: end as a program would. */
	stack_guest_close(&guest);
	stack_guest_vanish(&guest);
	_exit(0);
}

/* ---- the checker
 * ---------------------------------------------------------------------------------- */

static bool image_is_sound(const char *path)
{
	static uint64_t words[WORDS];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_sound = fd >= 0;
	for (uint64_t block = 0; block < BLOCKS && is_sound; block++) {
		if (pread(fd, words, sizeof words, (off_t)(block * BLOCK_BYTES)) != sizeof words)
			return false;
		uint64_t least = UINT64_MAX;
		uint64_t most = 0;
		for (unsigned w = 0; w < WORDS; w++) {
			const uint64_t number = words[w] & 0xffffffffffff;
			is_sound &= words[w] == 0 || words[w] >> 48 == block;
			least = number < least ? number : least;
			most = number > most ? number : most;
		}
		/* A block may be cut by the death in mid-write, but not below what is durable. */
		is_sound &= least >= ledger->durable[block] && most <= ledger->issued[block];
		if (!is_sound)
			printf("    block %llu: %llu to %llu, durable %llu, issued %llu\n",
				(unsigned long long)block, (unsigned long long)least,
				(unsigned long long)most,
				(unsigned long long)ledger->durable[block],
				(unsigned long long)ledger->issued[block]);
	}
	close(fd);
	return is_sound;
}

static bool progress_wait(uint64_t target, pid_t writer)
{
	while (__atomic_load_n(&ledger->progress, __ATOMIC_ACQUIRE) < target) {
		if (waitpid(writer, NULL, WNOHANG) == writer)
			return false; /* it ended early: a failure */
		sched_yield();
	}
	return true;
}

static bool image_make(const struct stack_host *host)
{
	const int fd = open(host->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	const bool is_made = fd >= 0 && ftruncate(fd, BLOCKS * BLOCK_BYTES) == 0;
	close(fd);
	return is_made;
}

static void ledger_make(void)
{
	ledger = mmap(
		NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_NOT_EQUAL_FATAL(ledger, MAP_FAILED);
}

static pid_t writer_start(const struct stack_host *host)
{
	fflush(NULL);
	const pid_t writer = fork();
	if (writer == 0)
		writer_child(host->guest_socket);
	return writer;
}

static void image_survives_the_guest_killed_at_200_points(void)
{
	struct stack_host host;
	ledger_make();
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&host), 0);
	CU_ASSERT_FATAL(image_make(&host));
	const char *const options[] = {"--disk", host.image, NULL};
	CU_ASSERT_EQUAL_FATAL(stack_host_start(&host, options), 0);
	unsigned sound = 0;
	unsigned descriptors = 0;
	srand(1);
	for (unsigned point = 0; point < POINTS; point++) {
		const pid_t writer = writer_start(&host);
		/* The first writes of a guest, or anywhere in its first hundreds. */
		const uint64_t target = ledger->progress + (uint64_t)rand() % 300;
		const bool is_writing = progress_wait(target, writer);
		CU_ASSERT(is_writing);
		if (!is_writing)
			break;
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
		/* The host answers and has let go of the guest's requests when the next one has
		 * connected; what it finished after the death is at most what was issued. */
		CU_ASSERT_PTR_NOT_NULL(stack_host_control(&host, "{\"command\":\"status\"}"));
		sound += image_is_sound(host.image);
		if (point == 20)
			descriptors = stack_host_descriptors(&host);
	}
	CU_ASSERT_EQUAL(sound, POINTS);
	CU_ASSERT(stack_host_descriptors(&host) <= descriptors + 8);
	CU_ASSERT_EQUAL(ledger->refused, 0);
	CU_ASSERT_EQUAL(stack_host_stop(&host), 0);
	munmap(ledger, sizeof *ledger);
}

static void image_survives_the_host_killed_at_200_points(void)
{
	struct stack_host host;
	ledger_make();
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&host), 0);
	CU_ASSERT_FATAL(image_make(&host));
	const char *const options[] = {"--disk", host.image, NULL};
	unsigned sound = 0;
	unsigned orderly = 0;
	srand(2);
	for (unsigned point = 0; point < POINTS; point++) {
		/* The sockets of the worker that was killed are stale, and are replaced. */
		CU_ASSERT_EQUAL_FATAL(stack_host_start(&host, options), 0);
		const pid_t writer = writer_start(&host);
		const uint64_t target = ledger->progress + (uint64_t)rand() % 300;
		const bool is_writing = progress_wait(target, writer);
		CU_ASSERT(is_writing);
		if (!is_writing)
			break;
		stack_host_kill(&host);
		int status = -1;
		waitpid(writer, &status, 0);
		orderly += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		sound += image_is_sound(host.image);
	}
	CU_ASSERT_EQUAL(sound, POINTS);
	CU_ASSERT_EQUAL(orderly, POINTS);
	stack_host_stop(&host);
	munmap(ledger, sizeof *ledger);
}

static const struct test tests[] = {
	TEST(image_survives_the_guest_killed_at_200_points),
	TEST(image_survives_the_host_killed_at_200_points),
};
TEST_MAIN("stack_kill", tests)
