// SPDX-License-Identifier: Apache-2.0
/*
 * The whole stack, again and again and in great number: 10,000 times open and close, LUNs
 * that come and go under I/O, 64 partitions at once, and guests that vanish without a word
 * beside one that works. What is counted must not grow.
 */
#include "tests/harness.h"
#include "tests/loopback/stack_guest.h"
#include "tests/loopback/stack_host.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CYCLES	   10000u
#define PARTITIONS 64u

static struct stack_guest guest;

/* Write a pattern to a few blocks and read it back. */
static bool io_works(struct stack_guest *g, unsigned target, uint8_t seed)
{
	struct storage_vsc_lun *lun = stack_guest_lun(g, target, 0);
	if (lun == NULL)
		return false;
	memset(g->pages.va, seed, 65536);
	memset(g->pages.va + 65536, 0, 65536);
	return storage_controller_write(&g->controller, lun, seed, 128, &g->pages, 0, 10000) == 0 &&
	       storage_controller_read(&g->controller, lun, seed, 128, &g->pages, 65536, 10000) ==
		       0 &&
	       memcmp(g->pages.va, g->pages.va + 65536, 65536) == 0;
}

static void ten_thousand_open_and_close_cycles_leak_nothing(void)
{
	static struct vmbus_channel channel;
	struct stack_host host;
	const char *const options[] = {"--ram-disk", "1M", NULL};
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&host), 0);
	CU_ASSERT_EQUAL_FATAL(stack_host_start(&host, options), 0);
	CU_ASSERT_EQUAL_FATAL(stack_guest_connect(&guest, host.guest_socket), 0);
	const struct vmbus_offer *offer = vmbus_offer_find(guest.bus, &guid_storage, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(offer);
	if (offer == NULL)
		return;
	const struct vmbus_open_config config = {.ring_out_bytes = 16384, .ring_in_bytes = 16384};
	const uint32_t relid = offer->relid;
	unsigned long memory = 0;
	unsigned descriptors = 0;
	unsigned good = 0;
	for (unsigned i = 0; i < CYCLES; i++) {
		const int opened = vmbus_channel_open(
			guest.bus, relid, &channel, &config, stack_guest_deadline(&guest));
		const int closed = opened != 0 ? opened
					       : vmbus_channel_close(guest.bus, &channel,
							 stack_guest_deadline(&guest));
		good += closed == 0;
		if (i == 100) {
			memory = stack_host_private_kib(&host);
			descriptors = stack_host_descriptors(&host);
		}
	}
	CU_ASSERT_EQUAL(good, CYCLES);
	CU_ASSERT_EQUAL(stack_host_descriptors(&host), descriptors);
	/* Sanitizers keep freed memory for a while; a leak of one page a cycle would be 40 MB. */
	CU_ASSERT(stack_host_private_kib(&host) < memory + 16 * 1024);
	struct vmbus_statistics statistics;
	vmbus_statistics_get(guest.bus, &statistics);
	CU_ASSERT_EQUAL(statistics.pages_abandoned, 0);
	CU_ASSERT_EQUAL(statistics.messages_rejected, 0);
	CU_ASSERT_EQUAL(stack_guest_open(&guest, 0), 0);
	CU_ASSERT(io_works(&guest, 0, 7));
	CU_ASSERT_EQUAL(stack_guest_leave(&guest), 0);
	CU_ASSERT_EQUAL(stack_host_stop(&host), 0);
}

/* ---- LUNs that come and go under I/O
 * ------------------------------------------------------------- */

static unsigned completed, failed, in_flight;

static void on_done(struct storage_vsc_request *request)
{
	in_flight--;
	request->ctx = NULL; /* free for the next */
	completed += request->result == 0;
	failed += request->result != 0;
	CU_ASSERT_FALSE(request->is_memory_lost);
}

#define READS 32u
static struct storage_vsc_request requests[READS];

static bool read_submit(struct storage_vsc_lun *lun, unsigned i)
{
	requests[i] = (struct storage_vsc_request){
		.lun = lun,
		.op = STORAGE_VSC_READ,
		.blocks = 8,
		.lba = completed % 1024,
		.data = storage_vsc_data_at(&guest.pages, (size_t)i * 4096, 4096),
		.done = on_done,
		.ctx = &requests[i],
	};
	if (storage_vsc_submit(&guest.controller.vsc, &requests[i]) != 0) {
		requests[i].ctx = NULL;
		return false;
	}
	in_flight++;
	return true;
}

/* Keep READS reads in flight; the LUN is detached under them; every one must end, once. */
static void reads_run_until_gone(struct storage_vsc_lun *lun, const struct stack_host *host)
{
	unsigned submitted = 0;
	completed = failed = in_flight = 0;
	memset(requests, 0, sizeof requests);
	for (unsigned turn = 0; turn < 100000; turn++) {
		for (unsigned i = 0; i < READS; i++) {
			if (requests[i].ctx == NULL && stack_guest_lun(&guest, 1, 0) == lun)
				submitted += read_submit(lun, i);
		}
		storage_vsc_flush(&guest.controller.vsc);
		if (turn == 100)
			CU_ASSERT_PTR_NOT_NULL(stack_host_control(
				host, "{\"command\":\"detach\",\"arguments\":{\"target\":1}}"));
		if (storage_controller_poll(&guest.controller, 10000) != 0)
			break;
		if (in_flight == 0 && stack_guest_lun(&guest, 1, 0) == NULL)
			break;
	}
	CU_ASSERT_EQUAL(in_flight, 0);
	CU_ASSERT_EQUAL(completed + failed, submitted);
	CU_ASSERT(completed > 0);
	CU_ASSERT_PTR_NULL(stack_guest_lun(&guest, 1, 0));
}

static void lun_removed_under_io_ends_every_request_and_comes_back(void)
{
	struct stack_host host;
	char attach[256];
	uint8_t id[STORAGE_ID_BYTES] = {0};
	const char *const options[] = {"--ram-disk", "1M", NULL};
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&host), 0);
	const int fd = open(host.image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, 1 << 20), 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(stack_host_start(&host, options), 0);
	CU_ASSERT_EQUAL_FATAL(stack_guest_connect(&guest, host.guest_socket), 0);
	CU_ASSERT_EQUAL_FATAL(stack_guest_open(&guest, 2), 0);
	snprintf(attach, sizeof attach,
		"{\"command\":\"attach\",\"arguments\":{\"kind\":\"disk\",\"path\":\"%s\","
		"\"target\":1}}",
		host.image);
	for (unsigned i = 0; i < 20; i++) {
		const char *answer = stack_host_control(&host, attach);
		CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
		if (answer == NULL)
			return;
		CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":true"));
		struct storage_vsc_lun *lun = NULL;
		for (unsigned turn = 0; turn < 1000 && lun == NULL; turn++) {
			CU_ASSERT_EQUAL(storage_controller_poll(&guest.controller, 100000), 0);
			lun = stack_guest_lun(&guest, 1, 0);
		}
		CU_ASSERT_PTR_NOT_NULL_FATAL(lun);
		if (i == 0)
			memcpy(id, lun->properties.id, sizeof id);
		CU_ASSERT_EQUAL(memcmp(lun->properties.id, id, sizeof id), 0); /* R-STOR-039 */
		CU_ASSERT_NOT_EQUAL(
			memcmp(stack_guest_lun(&guest, 0, 0)->properties.id, id, sizeof id), 0);
		reads_run_until_gone(lun, &host);
	}
	CU_ASSERT(io_works(&guest, 0, 9)); /* the other disk never noticed */
	CU_ASSERT_EQUAL(stack_guest_leave(&guest), 0);
	CU_ASSERT_EQUAL(stack_host_stop(&host), 0);
}

/* ---- many at once
 * ---------------------------------------------------------------------------------- */

static void sixty_four_partitions_work_at_once(void)
{
	static struct stack_host hosts[PARTITIONS];
	static struct stack_guest *guests[PARTITIONS];
	const char *const options[] = {"--ram-disk", "1M", "--memory", "8M", NULL};
	unsigned connected = 0;
	unsigned good = 0;
	unsigned left = 0;
	unsigned stopped = 0;
	for (unsigned i = 0; i < PARTITIONS; i++) {
		CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&hosts[i]), 0);
		CU_ASSERT_EQUAL_FATAL(stack_host_start(&hosts[i], options), 0);
		guests[i] = calloc(1, sizeof *guests[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(guests[i]);
	}
	for (unsigned i = 0; i < PARTITIONS; i++)
		connected += stack_guest_connect(guests[i], hosts[i].guest_socket) == 0 &&
			     stack_guest_open(guests[i], 1) == 0;
	CU_ASSERT_EQUAL_FATAL(connected, PARTITIONS);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < PARTITIONS; i++)
			good += io_works(guests[i], 0, (uint8_t)(i + round));
	}
	CU_ASSERT_EQUAL(good, 4 * PARTITIONS);
	for (unsigned i = 0; i < PARTITIONS; i++) {
		left += stack_guest_leave(guests[i]) == 0;
		free(guests[i]);
		stopped += stack_host_stop(&hosts[i]) == 0;
	}
	CU_ASSERT_EQUAL(left, PARTITIONS);
	CU_ASSERT_EQUAL(stopped, PARTITIONS);
}

static unsigned log_lines(const struct stack_host *host)
{
	FILE *log = fopen(host->log, "r");
	unsigned lines = 0;
	if (log == NULL)
		return UINT_MAX;
	for (int c; (c = getc(log)) != EOF;)
		lines += c == '\n';
	fclose(log);
	return lines;
}

static void guests_that_vanish_leave_no_trace(void)
{
	struct stack_host host;
	const char *const options[] = {"--ram-disk", "1M", NULL};
	unsigned connected = 0;
	unsigned descriptors = 0;
	unsigned long memory = 0;
	CU_ASSERT_EQUAL_FATAL(stack_host_prepare(&host), 0);
	CU_ASSERT_EQUAL_FATAL(stack_host_start(&host, options), 0);
	const time_t began = time(NULL);
	for (unsigned i = 0; i < 300; i++) {
		if (stack_guest_connect(&guest, host.guest_socket) != 0)
			break;
		connected += stack_guest_open(&guest, i % 3) == 0;
		guest.is_open = false;
		stack_guest_vanish(&guest); /* with channels open and GPADLs alive */
		if (i == 20) {
			stack_host_control(&host, "{\"command\":\"status\"}");
			descriptors = stack_host_descriptors(&host);
			memory = stack_host_private_kib(&host);
		}
	}
	CU_ASSERT_EQUAL(connected, 300);
	/* R-ROB-005: ten lines in ten seconds of each thing that a guest can make the worker say.
	 */
	const unsigned windows = (unsigned)(time(NULL) - began) / 10 + 2;
	CU_ASSERT(log_lines(&host) <= 10 + windows * 30);
	CU_ASSERT_EQUAL_FATAL(stack_guest_connect(&guest, host.guest_socket), 0);
	CU_ASSERT_EQUAL(stack_guest_open(&guest, 0), 0);
	CU_ASSERT(io_works(&guest, 0, 3));
	CU_ASSERT(stack_host_descriptors(&host) <= descriptors + 8);
	CU_ASSERT(stack_host_private_kib(&host) < memory + 16 * 1024);
	CU_ASSERT_EQUAL(stack_guest_leave(&guest), 0);
	CU_ASSERT_EQUAL(stack_host_stop(&host), 0);
}

static const struct test tests[] = {
	TEST(ten_thousand_open_and_close_cycles_leak_nothing),
	TEST(lun_removed_under_io_ends_every_request_and_comes_back),
	TEST(sixty_four_partitions_work_at_once),
	TEST(guests_that_vanish_leave_no_trace),
};
TEST_MAIN("stack_cycles", tests)
