// SPDX-License-Identifier: Apache-2.0
/* The SynIC test device: what a test kernel asks for at its port, and what comes of it. */
#include "host/machine/synic_test_device.h"
#include "tests/unit/partition_rig.h"

#include <pthread.h>
#include <time.h>

#define COMMAND(sint, vp, command, id)                                                             \
	((uint64_t)(sint) | (uint64_t)(vp) << 8 | (uint64_t)(command) << 16 | (uint64_t)(id) << 24)
#define POST_MESSAGE 0x5cu
#define SIGNAL_FAST  0x1005du

struct fixture {
	struct rig rig;
	struct synic_test_device *device;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool is_woken;
};

static void on_wake(void *ctx)
{
	struct fixture *f = ctx;
	pthread_mutex_lock(&f->lock);
	f->is_woken = true;
	pthread_cond_signal(&f->woken);
	pthread_mutex_unlock(&f->lock);
}

static void start(struct fixture *f)
{
	rig_open(&f->rig, 2);
	rig_hypercalls_on(&f->rig);
	rig_synic_on(&f->rig);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->woken, NULL);
	f->is_woken = false;
	CU_ASSERT_EQUAL_FATAL(
		synic_test_device_create(f->rig.partition, on_wake, f, &f->device), 0);
}

static void stop(struct fixture *f)
{
	synic_test_device_destroy(f->device);
	pthread_cond_destroy(&f->woken);
	pthread_mutex_destroy(&f->lock);
	rig_close(&f->rig);
}

struct writer {
	struct fixture *f;
	uint64_t value;
	unsigned bytes;
};

static void *write_port(void *arg)
{
	const struct writer *writer = arg;
	synic_test_device_ops.write(writer->f->device, 0, writer->bytes, writer->value);
	return NULL;
}

/* A VP writes to the port, while this thread plays the loop. */
static void ask(struct fixture *f, uint64_t value)
{
	struct writer writer = {f, value, 4};
	pthread_t thread;
	pthread_create(&thread, NULL, write_port, &writer);
	pthread_mutex_lock(&f->lock);
	while (!f->is_woken)
		pthread_cond_wait(&f->woken, &f->lock);
	f->is_woken = false;
	pthread_mutex_unlock(&f->lock);
	synic_test_device_run(f->device);
	pthread_join(thread, NULL);
}

/* 240 bytes at most; the guest's input page. */
static uint64_t post(struct fixture *f, uint32_t connection, uint32_t type, uint64_t payload)
{
	uint8_t *input = rig_at(&f->rig, RIG_INPUT);
	const uint32_t bytes = 8;
	memset(input, 0, 256);
	memcpy(input, &connection, 4);
	memcpy(input + 8, &type, 4);
	memcpy(input + 12, &bytes, 4);
	memcpy(input + 16, &payload, 8);
	return rig_hypercall(&f->rig, POST_MESSAGE, RIG_INPUT, 0);
}

static void sint_rises_only_on_a_route_that_exists(void)
{
	struct fixture f;
	start(&f);
	rig_write(&f.rig, 1, HV_X64_MSR_SINT0 + 5, 0xb5);
	ask(&f, COMMAND(5, 1, 3, 0));
	CU_ASSERT_EQUAL(f.rig.interrupts, 0);
	ask(&f, COMMAND(5, 1, 1, 0));
	ask(&f, COMMAND(5, 1, 3, 0));
	CU_ASSERT_EQUAL(f.rig.interrupts, 1);
	CU_ASSERT_EQUAL(f.rig.last_vp, 1);
	CU_ASSERT_EQUAL(f.rig.last_sint, 5);
	CU_ASSERT_EQUAL(f.rig.last_vector, 0xb5);
	ask(&f, COMMAND(5, 1, 2, 0));
	ask(&f, COMMAND(5, 1, 3, 0));
	CU_ASSERT_EQUAL(f.rig.interrupts, 1);
	stop(&f);
}

static void message_comes_back_to_its_sint_and_waits_for_a_busy_slot(void)
{
	struct fixture f;
	start(&f);
	CU_ASSERT_EQUAL(post(&f, 0x10, 0x12345678, 1), HV_STATUS_INVALID_CONNECTION_ID);
	ask(&f, COMMAND(2, 0, 4, 0x10));
	CU_ASSERT_EQUAL(post(&f, 0x10, 0x12345678, 0x1122334455667788), 0);
	const uint8_t *slot = (uint8_t *)rig_at(&f.rig, RIG_SIMP) + 2 * 256;
	static const uint8_t first[24] = {
		0x78, 0x56, 0x34, 0x12,				/* type */
		8, 0, 0, 0,					/* size, flags */
		0, 0, 0, 0, 0, 0, 0, 0,				/* origin: none */
		0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* payload */
	};
	CU_ASSERT_EQUAL(memcmp(slot, first, sizeof first), 0);
	CU_ASSERT_EQUAL(f.rig.interrupts, 1);
	CU_ASSERT_EQUAL(post(&f, 0x10, 0x12345678, 2), 0);
	CU_ASSERT_EQUAL(slot[5], 1); /* pending */
	CU_ASSERT_EQUAL(slot[16], 0x88);
	CU_ASSERT_EQUAL(f.rig.interrupts, 1);
	memset(rig_at(&f.rig, RIG_SIMP + 2 * 256), 0, 4);
	rig_write(&f.rig, 0, HV_X64_MSR_EOM, 0);
	CU_ASSERT_EQUAL(slot[16], 2);
	CU_ASSERT_EQUAL(slot[5], 0);
	CU_ASSERT_EQUAL(f.rig.interrupts, 2);
	ask(&f, COMMAND(0, 0, 5, 0x10));
	CU_ASSERT_EQUAL(post(&f, 0x10, 0x12345678, 3), HV_STATUS_INVALID_CONNECTION_ID);
	stop(&f);
}

static void event_sets_the_flag_of_its_connection_once(void)
{
	struct fixture f;
	start(&f);
	ask(&f, COMMAND(2, 0, 6, 0x21));
	CU_ASSERT_EQUAL(rig_hypercall(&f.rig, SIGNAL_FAST, 0x21, 0), 0);
	const uint8_t *flags = (uint8_t *)rig_at(&f.rig, RIG_SIEFP) + 2 * 256;
	CU_ASSERT_EQUAL(flags[0x21 / 8], 1u << (0x21 % 8));
	CU_ASSERT_EQUAL(f.rig.interrupts, 1);
	CU_ASSERT_EQUAL(rig_hypercall(&f.rig, SIGNAL_FAST, 0x21, 0), 0);
	CU_ASSERT_EQUAL(f.rig.interrupts, 1);
	ask(&f, COMMAND(2, 0, 7, 0x21));
	CU_ASSERT_EQUAL(
		rig_hypercall(&f.rig, SIGNAL_FAST, 0x21, 0), HV_STATUS_INVALID_CONNECTION_ID);
	stop(&f);
}

static void nonsense_is_ignored(void)
{
	struct fixture f;
	start(&f);
	ask(&f, COMMAND(16, 0, 1, 0));	 /* no such SINT */
	ask(&f, COMMAND(2, 2, 4, 0x10)); /* no such VP */
	ask(&f, COMMAND(2, 0, 99, 0));	 /* no such command */
	ask(&f, COMMAND(2, 0, 5, 0x55)); /* no such connection */
	CU_ASSERT_EQUAL(post(&f, 0x10, 1, 1), HV_STATUS_INVALID_CONNECTION_ID);
	synic_test_device_ops.write(f.device, 0, 1, 0xff); /* the port takes 32 bits */
	synic_test_device_ops.write(f.device, 2, 2, 0xffff);
	CU_ASSERT_FALSE(f.is_woken);
	CU_ASSERT_EQUAL(synic_test_device_ops.read(f.device, 0, 4), 0);
	stop(&f);
}

static void connection_is_made_once_and_reset_forgets_it(void)
{
	struct fixture f;
	start(&f);
	ask(&f, COMMAND(2, 0, 4, 0x10));
	ask(&f, COMMAND(3, 1, 4, 0x10)); /* taken: stays as it is */
	CU_ASSERT_EQUAL(post(&f, 0x10, 7, 1), 0);
	CU_ASSERT_EQUAL(f.rig.last_sint, 2);
	synic_test_device_reset(f.device);
	CU_ASSERT_EQUAL(post(&f, 0x10, 7, 1), HV_STATUS_INVALID_CONNECTION_ID);
	ask(&f, COMMAND(2, 0, 4, 0x10));
	CU_ASSERT_EQUAL(post(&f, 0x10, 7, 1), 0);
	stop(&f);
}

/* A loop that is about to wait for the VPs does not leave them waiting for it. */
static void writer_waits_no_more_when_released(void)
{
	struct fixture f;
	struct timespec before;
	struct timespec after;
	start(&f);
	struct writer writer = {&f, COMMAND(2, 0, 4, 0x10), 4};
	pthread_t thread;
	clock_gettime(CLOCK_MONOTONIC, &before);
	pthread_create(&thread, NULL, write_port, &writer);
	pthread_mutex_lock(&f.lock);
	while (!f.is_woken)
		pthread_cond_wait(&f.woken, &f.lock);
	pthread_mutex_unlock(&f.lock);
	synic_test_device_release(f.device);
	pthread_join(thread, NULL);
	write_port(&writer); /* nor does it begin to */
	clock_gettime(CLOCK_MONOTONIC, &after);
	CU_ASSERT(after.tv_sec - before.tv_sec < 1);
	synic_test_device_reset(f.device);
	CU_ASSERT_EQUAL(post(&f, 0x10, 7, 1), HV_STATUS_INVALID_CONNECTION_ID);
	stop(&f);
}

static const struct test tests[] = {
	TEST(sint_rises_only_on_a_route_that_exists),
	TEST(message_comes_back_to_its_sint_and_waits_for_a_busy_slot),
	TEST(event_sets_the_flag_of_its_connection_once),
	TEST(nonsense_is_ignored),
	TEST(connection_is_made_once_and_reset_forgets_it),
	TEST(writer_waits_no_more_when_released),
};
TEST_MAIN("synic_test_device", tests)
