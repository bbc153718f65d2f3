// SPDX-License-Identifier: Apache-2.0
/* The worker: putting the pieces together and taking them apart. See worker.h. */
#include "host/vmwp/worker.h"

#include "host/vmwp/control_loop.h"
#include "host/vmwp/worker_disk.h"
#include "host/vsp/test_provider.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LOOP_ENTRIES 256u
/* A message that names two paths of the longest kind. */
#define DISK_ERROR_BYTES (2u * PATH_MAX + 512u)
#define STOP_LIMIT_NS	 30000000000ull /* longest wait for I/O at the end */

/* ---- the bus on the loop ------------------------------------------------------------------- */

static void stop_if_finished(struct worker *worker)
{
	if (!worker->is_stopping || worker->is_bus_resetting || !worker_disks_are_idle(worker))
		return;
	loop_stop(worker->loop, worker->exit_status);
}

static void on_bus_reset_done(void *ctx)
{
	struct worker *worker = ctx;
	void (*done)(struct worker *) = worker->bus_reset_done;
	worker->is_bus_resetting = false;
	worker->bus_reset_done = NULL;
	if (done != NULL)
		done(worker);
	stop_if_finished(worker);
}

void worker_bus_reset(struct worker *worker, void (*done)(struct worker *worker))
{
	worker->is_bus_resetting = true;
	worker->bus_reset_done = done;
	vmbus_bus_reset(worker->bus, on_bus_reset_done, worker);
}

static bool source_bus_poll(void *ctx)
{
	return vmbus_bus_poll(((struct worker *)ctx)->bus);
}

/* The turn of the loop that this causes is what is wanted. */
static void on_bus_timer(void *ctx, uint64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
}

static bool source_bus_arm(void *ctx)
{
	struct worker *worker = ctx;
	const bool may_sleep = vmbus_bus_arm(worker->bus);
	/* arming may find a late packet, whose answer waits for room */
	const uint64_t interval_ns = vmbus_bus_poll_interval_ns(worker->bus);
	if (interval_ns != 0 && worker->bus_timer.deadline_ns == 0)
		loop_timer_set(worker->loop, &worker->bus_timer, loop_now_ns() + interval_ns);
	return may_sleep;
}

/* ---- start, one step after the other ------------------------------------------------------- */

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
	log_info("SIG%s: shutting down", sigabbrev_np((int)info.ssi_signo));
	worker_stop(worker, 0);
}

static int step_signals(struct worker *worker)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
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

static int step_backend(struct worker *worker)
{
	worker->has_backend = true;
	if (worker->backend->create(worker) != 0)
		return -1;
	worker_crash_watch(worker);
	return 0;
}

static int step_bus(struct worker *worker)
{
	const struct vmbus_bus_config config = {
		.version_max = worker->options->version_max,
		.feature_mask = worker->options->feature_mask,
	};
	int result = vmbus_bus_create(worker->partition, &config, &worker->bus);
	if (result == 0)
		result = worker_services_start(worker);
	if (result == 0 && worker->options->has_test_devices)
		result = test_provider_create(worker->bus, &worker->test_devices);
	if (result != 0) {
		log_error("VMBus: %s", strerror(-result));
		return result;
	}
	worker->bus_timer = (struct loop_timer){.fn = on_bus_timer, .ctx = worker};
	worker->bus_source = (struct loop_source){
		.poll = source_bus_poll, .arm = source_bus_arm, .ctx = worker};
	loop_source_add(worker->loop, &worker->bus_source);
	return 0;
}

static int step_disks(struct worker *worker)
{
	char error[DISK_ERROR_BYTES];
	for (unsigned i = 0; i < worker->options->disk_count; i++) {
		if (worker_attach(worker, &worker->options->disks[i], error, sizeof error) != 0) {
			log_error("%s", error);
			return -1;
		}
	}
	return 0;
}

static void on_client_gone(void *ctx, uint64_t connection)
{
	worker_backup_client_gone(ctx, connection);
	worker_copy_client_gone(ctx, connection);
	worker_kvp_client_gone(ctx, connection);
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
		    &error) == 0) {
		control_socket_gone_set(worker->control, on_client_gone, worker);
		return 0;
	}
	log_error("%s", error.text);
	return -1;
}

static int step_guest(struct worker *worker)
{
	return worker->backend->start(worker);
}

static int (*const steps[])(struct worker *worker) = {
	step_loop,
	step_signals,
	step_backend,
	step_bus,
	step_disks,
	step_control_socket,
	step_guest,
};

/* ---- end ----------------------------------------------------------------------------------- */

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
	worker_services_stop(worker);
	test_provider_remove(worker->test_devices);
	worker->backend->stop(worker);
	worker_disks_detach_all(worker, stop_if_finished);
	stop_if_finished(worker);
}

static void worker_destroy(struct worker *worker)
{
	control_socket_destroy(worker->control);
	worker->control = NULL;
	if (worker->bus != NULL) {
		loop_source_remove(worker->loop, &worker->bus_source);
		loop_timer_cancel(worker->loop, &worker->bus_timer);
		worker_services_stop(worker);
		test_provider_remove(worker->test_devices);
		worker_controllers_destroy(worker);
		vmbus_bus_destroy(worker->bus);
		test_provider_destroy(worker->test_devices);
	}
	if (worker->has_backend)
		worker->backend->destroy(worker);
	if (worker->signal_fd >= 0)
		close(worker->signal_fd);
	loop_destroy(worker->loop);
}

int worker_run(const struct options *options)
{
	static struct worker worker; /* one process, one partition */
	worker = (struct worker){
		.options = options,
		.backend = options->backend == BACKEND_KVM ? &worker_backend_kvm
							   : &worker_backend_loopback,
		.signal_fd = -1,
		.started_ns = loop_now_ns(),
	};
	log_init(options->log_level, "vmwp");
	int status = 0;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && status == 0; i++)
		status = steps[i](&worker) != 0 ? 1 : 0;
	if (status == 0)
		status = loop_run(worker.loop);
	worker_destroy(&worker);
	if (status == 0)
		log_info("ended in order");
	return status < 0 ? 1 : status;
}
