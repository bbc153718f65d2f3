// SPDX-License-Identifier: Apache-2.0
/* SynIC test device: see synic_test_device.h. */
#include "host/machine/synic_test_device.h"

#include "host/limits.h"
#include "protocol/hypervisor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define CONNECTIONS 256u /* ids have eight bits */

struct connection {
	struct synic_test_device *device;
	bool is_used;
	uint8_t vp, sint;
};

struct synic_test_device {
	struct partition *partition;
	void (*wake)(void *ctx);
	void *wake_ctx;

	/* loop thread */
	uint16_t routes[LIMIT_VPS]; /* a bit for each SINT */
	struct connection messages[CONNECTIONS];
	struct connection events[CONNECTIONS];

	/* under the lock: requests as they came, done up to `done`; each VP has at most one */
	pthread_mutex_t lock;
	pthread_cond_t progress;
	uint32_t requests[LIMIT_VPS];
	uint64_t asked, done;
	bool is_released;
};

/* ---- what it does, loop thread ------------------------------------------------------------- */

static uint16_t on_message(void *ctx, uint32_t connection_id, uint32_t message_type,
	const uint8_t *payload, size_t bytes)
{
	const struct connection *connection = ctx;
	(void)connection_id;
	const int result = synic_message_post(connection->device->partition, connection->vp,
		connection->sint, message_type, 0, payload, bytes);
	return result == 0 ? HV_STATUS_SUCCESS : HV_STATUS_INSUFFICIENT_BUFFERS;
}

static void on_event(void *ctx, uint32_t connection_id, uint16_t flag_number)
{
	const struct connection *connection = ctx;
	(void)flag_number;
	synic_event_set(
		connection->device->partition, connection->vp, connection->sint, connection_id);
}

static void message_connect(struct synic_test_device *device, uint8_t id, uint8_t vp, uint8_t sint)
{
	struct connection *connection = &device->messages[id];
	if (connection->is_used)
		return;
	*connection = (struct connection){.device = device, .vp = vp, .sint = sint};
	connection->is_used = partition_message_port_add(
				      device->partition, id, on_message, connection) == 0;
}

static void message_disconnect(struct synic_test_device *device, unsigned id)
{
	if (device->messages[id].is_used)
		partition_message_port_remove(device->partition, id);
	device->messages[id].is_used = false;
}

static void event_connect(struct synic_test_device *device, uint8_t id, uint8_t vp, uint8_t sint)
{
	struct connection *connection = &device->events[id];
	if (connection->is_used)
		return;
	*connection = (struct connection){.device = device, .vp = vp, .sint = sint};
	connection->is_used = partition_event_port_add(
				      device->partition, id, 1, on_event, connection) == 0;
}

static void event_disconnect(struct synic_test_device *device, unsigned id)
{
	if (device->events[id].is_used)
		partition_event_port_remove(device->partition, id);
	device->events[id].is_used = false;
}

static void obey(struct synic_test_device *device, uint32_t request)
{
	const uint8_t sint = (uint8_t)request;
	const uint8_t vp = (uint8_t)(request >> 8);
	const uint8_t id = (uint8_t)(request >> 24);
	if (sint >= HV_SINT_COUNT || vp >= partition_vp_count(device->partition))
		return;
	const uint16_t bit = (uint16_t)(1u << sint);
	switch (request >> 16 & 0xff) {
	case SYNIC_TEST_SINT_ROUTE_CREATE:
		device->routes[vp] |= bit;
		break;
	case SYNIC_TEST_SINT_ROUTE_DESTROY:
		device->routes[vp] &= (uint16_t)~bit;
		break;
	case SYNIC_TEST_SINT_ROUTE_SET_SINT:
		if (device->routes[vp] & bit)
			synic_interrupt_raise(device->partition, vp, sint);
		break;
	case SYNIC_TEST_MESSAGE_CONN_CREATE:
		message_connect(device, id, vp, sint);
		break;
	case SYNIC_TEST_MESSAGE_CONN_DESTROY:
		message_disconnect(device, id);
		break;
	case SYNIC_TEST_EVENT_CONN_CREATE:
		event_connect(device, id, vp, sint);
		break;
	case SYNIC_TEST_EVENT_CONN_DESTROY:
		event_disconnect(device, id);
		break;
	default:
		break;
	}
}

void synic_test_device_run(struct synic_test_device *device)
{
	pthread_mutex_lock(&device->lock);
	while (device->done < device->asked) {
		const uint32_t request = device->requests[device->done % LIMIT_VPS];
		pthread_mutex_unlock(&device->lock);
		obey(device, request);
		pthread_mutex_lock(&device->lock);
		device->done++;
	}
	pthread_cond_broadcast(&device->progress);
	pthread_mutex_unlock(&device->lock);
}

/* ---- its port, VP threads ------------------------------------------------------------------ */

static uint64_t test_read(void *ctx, uint64_t offset, unsigned bytes)
{
	(void)ctx;
	(void)offset;
	(void)bytes;
	return 0;
}

static void test_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct synic_test_device *device = ctx;
	struct timespec limit;
	if (offset != 0 || bytes != 4)
		return;
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += SYNIC_TEST_WAIT_MS / 1000;
	pthread_mutex_lock(&device->lock);
	if (!device->is_released && device->asked - device->done < LIMIT_VPS) {
		const uint64_t ours = device->asked++;
		device->requests[ours % LIMIT_VPS] = (uint32_t)value;
		device->wake(device->wake_ctx);
		while (device->done <= ours && !device->is_released) {
			if (pthread_cond_clockwait(
				    &device->progress, &device->lock, CLOCK_MONOTONIC, &limit) != 0)
				break;
		}
	}
	pthread_mutex_unlock(&device->lock);
}

const struct io_device_ops synic_test_device_ops = {
	.name = "SynIC test device",
	.read = test_read,
	.write = test_write,
};

/* ---- life ---------------------------------------------------------------------------------- */

int synic_test_device_create(struct partition *partition, void (*wake)(void *ctx), void *ctx,
	struct synic_test_device **out)
{
	struct synic_test_device *device = calloc(1, sizeof *device);
	if (!device)
		return -ENOMEM;
	device->partition = partition;
	device->wake = wake;
	device->wake_ctx = ctx;
	pthread_mutex_init(&device->lock, NULL);
	pthread_cond_init(&device->progress, NULL);
	*out = device;
	return 0;
}

static void disconnect_all(struct synic_test_device *device)
{
	for (unsigned id = 0; id < CONNECTIONS; id++) {
		message_disconnect(device, id);
		event_disconnect(device, id);
	}
	for (unsigned vp = 0; vp < LIMIT_VPS; vp++)
		device->routes[vp] = 0;
}

void synic_test_device_destroy(struct synic_test_device *device)
{
	if (!device)
		return;
	disconnect_all(device);
	pthread_cond_destroy(&device->progress);
	pthread_mutex_destroy(&device->lock);
	free(device);
}

void synic_test_device_reset(struct synic_test_device *device)
{
	disconnect_all(device);
	pthread_mutex_lock(&device->lock);
	device->done = device->asked;
	device->is_released = false;
	pthread_cond_broadcast(&device->progress);
	pthread_mutex_unlock(&device->lock);
}

void synic_test_device_release(struct synic_test_device *device)
{
	pthread_mutex_lock(&device->lock);
	device->is_released = true;
	pthread_cond_broadcast(&device->progress);
	pthread_mutex_unlock(&device->lock);
}
