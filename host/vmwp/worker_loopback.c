// SPDX-License-Identifier: Apache-2.0
/* The worker's loopback partition: see worker_loopback.h. */
#include "host/vmwp/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static void on_backend_fd(void *ctx, int fd, uint32_t events)
{
	const struct worker *worker = ctx;
	(void)events;
	backend_loopback_on_readable(worker->loopback.backend, fd);
}

static int backend_watch(void *ctx, int fd)
{
	struct worker *worker = ctx;
	return loop_fd_add(worker->loop, fd, POLLIN, on_backend_fd, worker);
}

static void backend_unwatch(void *ctx, int fd)
{
	const struct worker *worker = ctx;
	loop_fd_remove(worker->loop, fd);
}

static void on_guest_attached(void *ctx)
{
	struct worker *worker = ctx;
	worker->loopback.guests++;
	if (log_limit_take(&worker->loopback.connected_limit, loop_now_ns()))
		log_info("guest connected");
}

static void on_bus_reset_done(struct worker *worker)
{
	backend_loopback_release(worker->loopback.backend);
}

static void on_guest_gone(void *ctx, enum loopback_gone_reason reason)
{
	struct worker *worker = ctx;
	if (log_limit_take(&worker->loopback.gone_limit, loop_now_ns()))
		log_info("guest gone: %s", loopback_gone_reason_text(reason));
	worker_bus_reset(worker, on_bus_reset_done);
	if (worker->options->is_once || worker->services.ends_with_guest)
		worker_stop(worker, 0);
}

static bool source_poll(void *ctx)
{
	return backend_loopback_poll(((struct worker *)ctx)->loopback.backend);
}

static bool source_arm(void *ctx)
{
	return backend_loopback_arm(((struct worker *)ctx)->loopback.backend);
}

static void source_disarm(void *ctx)
{
	backend_loopback_disarm(((struct worker *)ctx)->loopback.backend);
}

static int loopback_create(struct worker *worker)
{
	struct worker_loopback *loopback = &worker->loopback;
	const struct partition_config config = {
		.memory_bytes = worker->options->memory_bytes,
		.vp_count = worker->options->vp_count,
	};
	const struct backend_loopback_callbacks callbacks = {
		.watch = backend_watch,
		.unwatch = backend_unwatch,
		.on_guest_attached = on_guest_attached,
		.on_guest_gone = on_guest_gone,
		.ctx = worker,
	};
	int result = partition_create(&config, &worker->partition);
	if (result == 0)
		result = backend_loopback_create(worker->partition, &callbacks, &loopback->backend);
	if (result != 0) {
		log_error("partition with %llu MiB: %s; try a smaller --memory",
			(unsigned long long)(config.memory_bytes >> 20), strerror(-result));
		return -1;
	}
	loopback->source = (struct loop_source){
		.poll = source_poll, .arm = source_arm, .disarm = source_disarm, .ctx = worker};
	loop_source_add(worker->loop, &loopback->source);
	return 0;
}

static int loopback_start(struct worker *worker)
{
	static const struct {
		int error;
		const char *advice;
	} table[] = {
		{EADDRINUSE, "another worker listens there: give another path"},
		{EEXIST, "something else than a socket is there: give another path"},
		{ENOENT, "make its folder first"},
		{ENOTDIR, "what should be its folder is a file: give another path"},
		{EACCES, "this user may not write there: give a path in a folder of its own"},
		{EPERM, "this user may not write there: give a path in a folder of its own"},
		{EROFS, "give a path in a folder that can be written, such as /run"},
	};
	const char *path = worker->options->guest_socket;
	const int result = backend_loopback_listen(worker->loopback.backend, path);
	if (result == 0) {
		log_info("ready: guest %s, %u disk%s", path, worker->options->disk_count,
			worker->options->disk_count == 1 ? "" : "s");
		return 0;
	}
	const char *advice = "give another path";
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (table[i].error == -result)
			advice = table[i].advice;
	}
	log_error("--guest %s: %s; %s", path, strerror(-result), advice);
	return -1;
}

static void loopback_stop(struct worker *worker)
{
	struct backend_loopback *backend = worker->loopback.backend;
	backend_loopback_stop(backend);
	if (backend_loopback_has_guest(backend))
		backend_loopback_disconnect(backend);
}

static void loopback_destroy(struct worker *worker)
{
	if (worker->loopback.backend != NULL) {
		loop_source_remove(worker->loop, &worker->loopback.source);
		backend_loopback_destroy(worker->loopback.backend);
	}
	if (worker->partition != NULL)
		partition_destroy(worker->partition);
}

static void loopback_status(const struct worker *worker, json_t *object)
{
	const struct worker_loopback *loopback = &worker->loopback;
	json_object_set_new(object, "guest_connected",
		json_boolean(backend_loopback_has_guest(loopback->backend)));
	json_object_set_new(object, "guests", json_integer((json_int_t)loopback->guests));
}

static void loopback_statistics(const struct worker *worker, json_t *object)
{
	struct backend_loopback_statistics s;
	backend_loopback_statistics_get(worker->loopback.backend, &s);
	json_object_set_new(object, "backend",
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)s.requests,
			"signals", (json_int_t)s.signals, "doorbells", (json_int_t)s.doorbells,
			"interrupts", (json_int_t)s.interrupts, "wakeups", (json_int_t)s.wakeups));
}

const struct worker_backend worker_backend_loopback = {
	.name = "loopback",
	.create = loopback_create,
	.start = loopback_start,
	.stop = loopback_stop,
	.destroy = loopback_destroy,
	.status = loopback_status,
	.statistics = loopback_statistics,
};
