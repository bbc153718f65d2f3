// SPDX-License-Identifier: Apache-2.0
/* The worker: putting the pieces together and taking them apart. See worker.h. */
#include "host/vmwp/worker.h"

#include "host/vmwp/control_loop.h"
#include "host/vmwp/worker_disk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LOOP_ENTRIES  256u
#define STOP_LIMIT_NS 30000000000ull /* longest wait for I/O at the end */

/* ---- the loopback backend on the loop ------------------------------------------------------- */

static void on_backend_fd(void *ctx, int fd, uint32_t events)
{
	const struct worker *worker = ctx;
	(void)events;
	backend_loopback_on_readable(worker->backend, fd);
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
	worker->guests++;
	if (log_limit_take(&worker->connected_limit, loop_now_ns()))
		log_info("guest connected");
}

static void stop_if_finished(struct worker *worker)
{
	if (!worker->is_stopping || worker->is_bus_resetting || !worker_disks_are_idle(worker))
		return;
	loop_stop(worker->loop, worker->exit_status);
}

static void on_bus_reset_done(void *ctx)
{
	struct worker *worker = ctx;
	worker->is_bus_resetting = false;
	backend_loopback_release(worker->backend);
	stop_if_finished(worker);
}

static void on_guest_gone(void *ctx, enum loopback_gone_reason reason)
{
	struct worker *worker = ctx;
	if (log_limit_take(&worker->gone_limit, loop_now_ns()))
		log_info("guest gone: %s", loopback_gone_reason_text(reason));
	worker->is_bus_resetting = true;
	vmbus_bus_reset(worker->bus, on_bus_reset_done, worker);
	if (worker->options->is_once)
		worker_stop(worker, 0);
}

static bool source_backend_poll(void *ctx)
{
	return backend_loopback_poll(((struct worker *)ctx)->backend);
}

static bool source_backend_arm(void *ctx)
{
	return backend_loopback_arm(((struct worker *)ctx)->backend);
}

static void source_backend_disarm(void *ctx)
{
	backend_loopback_disarm(((struct worker *)ctx)->backend);
}

static bool source_bus_poll(void *ctx)
{
	return vmbus_bus_poll(((struct worker *)ctx)->bus);
}

static bool source_bus_arm(void *ctx)
{
	return vmbus_bus_arm(((struct worker *)ctx)->bus);
}

/* ---- heartbeat ---------------------------------------------------------------------------------
 */

static uint64_t heartbeat_now(void *ctx)
{
	(void)ctx;
	return loop_now_ns();
}

static void heartbeat_timer_set(void *ctx, uint64_t deadline_ns)
{
	struct worker *worker = ctx;
	if (deadline_ns == HEARTBEAT_VSP_NEVER)
		loop_timer_cancel(worker->loop, &worker->heartbeat_timer);
	else
		loop_timer_set(worker->loop, &worker->heartbeat_timer, deadline_ns);
}

static void on_heartbeat_timer(void *ctx, uint64_t now_ns)
{
	heartbeat_provider_on_time(&((struct worker *)ctx)->heartbeat, now_ns);
}

static void on_heartbeat_changed(
	void *ctx, enum heartbeat_contact contact, uint32_t application_state)
{
	struct worker *worker = ctx;
	if (!log_limit_take(&worker->heartbeat_limit, loop_now_ns()))
		return;
	log_line(contact == HEARTBEAT_LOST_CONTACT ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		"heartbeat: %s, application %s", heartbeat_contact_name(contact),
		heartbeat_application_name(application_state));
}

static int heartbeat_start(struct worker *worker)
{
	if (worker->options->heartbeat_period_ms == 0)
		return 0;
	worker->heartbeat_timer = (struct loop_timer){.fn = on_heartbeat_timer, .ctx = worker};
	const struct heartbeat_provider_config config = {
		.heartbeat.period_ns = worker->options->heartbeat_period_ms * 1000000,
		.now_ns = heartbeat_now,
		.timer_set = heartbeat_timer_set,
		.changed = on_heartbeat_changed,
		.ctx = worker,
	};
	const int result = heartbeat_provider_add(&worker->heartbeat, worker->bus, &config);
	worker->has_heartbeat = result == 0;
	return result;
}

/* ---- start, one step after the other
 * --------------------------------------------------------------- */

static int step_loop(struct worker *worker)
{
	const int result = loop_create(LOOP_ENTRIES, &worker->loop);
	if (result != 0) {
		log_error("io_uring: %s; the worker needs a kernel that lets it use io_uring "
			  "(sysctl kernel.io_uring_disabled, seccomp)",
			strerror(-result));
		return -1;
	}
	loop_spin_set(worker->loop, worker->options->spin_ns);
	worker_store_loop_init(worker);
	return 0;
}

static void on_signal(void *ctx, int fd, uint32_t events)
{
	struct worker *worker = ctx;
	struct signalfd_siginfo info;
	(void)events;
	if (read(fd, &info, sizeof info) != sizeof info)
		return;
	if (worker->is_stopping) {
		log_warning("second signal: ending without waiting for I/O");
		loop_stop(worker->loop, 1);
		return;
	}
	log_info("%s: shutting down", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
	worker_stop(worker, 0);
}

static int step_signals(struct worker *worker)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	worker->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (worker->signal_fd < 0 ||
		loop_fd_add(worker->loop, worker->signal_fd, POLLIN, on_signal, worker) != 0) {
		log_error("signals: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static int step_partition(struct worker *worker)
{
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
		result = backend_loopback_create(worker->partition, &callbacks, &worker->backend);
	if (result != 0)
		log_error("partition with %llu MiB: %s; try a smaller --memory",
			(unsigned long long)(config.memory_bytes >> 20), strerror(-result));
	return result;
}

static int step_bus(struct worker *worker)
{
	const struct vmbus_bus_config config = {
		.version_max = worker->options->version_max,
		.feature_mask = worker->options->feature_mask,
	};
	int result = vmbus_bus_create(worker->partition, &config, &worker->bus);
	if (result == 0)
		result = heartbeat_start(worker);
	if (result != 0) {
		log_error("VMBus: %s", strerror(-result));
		return result;
	}
	worker->backend_source = (struct loop_source){.poll = source_backend_poll,
		.arm = source_backend_arm,
		.disarm = source_backend_disarm,
		.ctx = worker};
	worker->bus_source = (struct loop_source){
		.poll = source_bus_poll, .arm = source_bus_arm, .ctx = worker};
	loop_source_add(worker->loop, &worker->bus_source);
	loop_source_add(worker->loop, &worker->backend_source);
	return 0;
}

static int step_disks(struct worker *worker)
{
	char error[512];
	for (unsigned i = 0; i < worker->options->disk_count; i++) {
		if (worker_attach(worker, &worker->options->disks[i], error, sizeof error) != 0) {
			log_error("%s", error);
			return -1;
		}
	}
	return 0;
}

static int step_guest_socket(struct worker *worker)
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
	const int result = backend_loopback_listen(worker->backend, path);
	if (result == 0)
		return 0;
	const char *advice = "give another path";
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (table[i].error == -result)
			advice = table[i].advice;
	}
	log_error("--guest %s: %s; %s", path, strerror(-result), advice);
	return -1;
}

static int step_control_socket(struct worker *worker)
{
	struct control_error error = {0};
	if (worker->options->control_socket == NULL)
		return 0;
	const struct control_loop control_loop = control_loop_over(worker->loop);
	worker->control_worker = (struct control_worker){.ops = &worker_control_ops, .ctx = worker};
	if (control_socket_create(worker->options->control_socket, &control_loop,
		    control_worker_handle_line, &worker->control_worker, &worker->control,
		    &error) == 0)
		return 0;
	log_error("%s", error.text);
	return -1;
}

static int (*const steps[])(struct worker *worker) = {
	step_loop,
	step_signals,
	step_partition,
	step_bus,
	step_disks,
	step_guest_socket,
	step_control_socket,
};

/* ---- end
 * --------------------------------------------------------------------------------------------- */

static void on_stop_limit(void *ctx, uint64_t now_ns)
{
	const struct worker *worker = ctx;
	(void)now_ns;
	log_error("I/O did not end within 30 s; giving up");
	loop_stop(worker->loop, 1);
}

void worker_stop(struct worker *worker, int exit_status)
{
	if (worker->is_stopping)
		return;
	worker->is_stopping = true;
	worker->exit_status = exit_status;
	worker->stop_timer = (struct loop_timer){.fn = on_stop_limit, .ctx = worker};
	loop_timer_set(worker->loop, &worker->stop_timer, loop_now_ns() + STOP_LIMIT_NS);
	backend_loopback_stop(worker->backend);
	if (worker->has_heartbeat)
		heartbeat_provider_remove(&worker->heartbeat);
	worker->has_heartbeat = false;
	if (backend_loopback_has_guest(worker->backend))
		backend_loopback_disconnect(worker->backend);
	worker_disks_detach_all(worker, stop_if_finished);
	stop_if_finished(worker);
}

static void worker_destroy(struct worker *worker)
{
	control_socket_destroy(worker->control);
	if (worker->bus != NULL) {
		loop_source_remove(worker->loop, &worker->bus_source);
		loop_source_remove(worker->loop, &worker->backend_source);
		if (worker->has_heartbeat)
			heartbeat_provider_remove(&worker->heartbeat);
		worker_controllers_destroy(worker);
		vmbus_bus_destroy(worker->bus);
	}
	if (worker->backend != NULL)
		backend_loopback_destroy(worker->backend);
	if (worker->partition != NULL)
		partition_destroy(worker->partition);
	if (worker->signal_fd >= 0)
		close(worker->signal_fd);
	loop_destroy(worker->loop);
}

int worker_run(const struct options *options)
{
	static struct worker worker; /* one process, one partition */
	worker = (struct worker){
		.options = options,
		.signal_fd = -1,
		.started_ns = loop_now_ns(),
	};
	log_init(options->log_level, "vmwp");
	int status = 0;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && status == 0; i++)
		status = steps[i](&worker) != 0 ? 1 : 0;
	if (status == 0) {
		log_info("ready: guest %s, %u disk%s", options->guest_socket, options->disk_count,
			options->disk_count == 1 ? "" : "s");
		status = loop_run(worker.loop);
	}
	worker_destroy(&worker);
	if (status == 0)
		log_info("ended in order");
	return status < 0 ? 1 : status;
}
