// SPDX-License-Identifier: Apache-2.0
/* The worker's virtual machine: see worker_kvm.h. */
#include "host/vmwp/worker.h"

#include "host/machine/debug_exit.h"
#include "host/machine/terminal.h"
#include "host/vmwp/worker_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERROR_BYTES	 1024u
#define DEBUG_LINE_BYTES 200
/* A message that names two paths of the longest kind. */
#define DISK_ERROR_BYTES (2u * PATH_MAX + 512u)

/* ---- the machine on the loop --------------------------------------------------------------- */

static void on_ready(void *ctx, int fd, uint32_t events)
{
	const struct worker *worker = ctx;
	machine_on_ready(worker->kvm.machine, fd, events);
}

static int poll_set(void *ctx, int fd, uint32_t events)
{
	struct worker *worker = ctx;
	if (events == 0) {
		loop_fd_remove(worker->loop, fd);
		return 0;
	}
	const int result = loop_fd_modify(worker->loop, fd, events);
	return result != -ENOENT ? result : loop_fd_add(worker->loop, fd, events, on_ready, worker);
}

static void boot_again(struct worker *worker)
{
	char error[ERROR_BYTES];
	if (worker->is_stopping || machine_boot(worker->kvm.machine, error, sizeof error) == 0)
		return;
	log_error("%s", error);
	worker_stop(worker, 1);
}

static void on_reset(void *ctx)
{
	struct worker *worker = ctx;
	if (worker->is_stopping)
		return; /* both at once: the end goes before */
	if (log_limit_take(&worker->kvm.reset_limit, loop_now_ns()))
		log_info("the guest reboots");
	if (worker->options->on_reboot == END_EXIT)
		worker_stop(worker, WORKER_EXIT_REBOOT);
	else
		worker_bus_reset(worker, boot_again);
}

/* What KVM said, and what makes it say so. */
static void failure_log(uint64_t detail)
{
	const uint32_t reason = (uint32_t)detail;
	const char *why = "";
	if (reason == KVM_EXIT_INTERNAL_ERROR)
		why = ": the guest ran an instruction that cannot be emulated, or code where there "
		      "is no memory";
	else if (reason == KVM_EXIT_FAIL_ENTRY)
		why = ": the processor refuses the state that the guest has put itself in";
	log_error("%s: exit reason %u, %u%s", backend_kvm_stop_text(BACKEND_KVM_STOP_FAILED),
		reason, (uint32_t)(detail >> 32), why);
}

static void on_end(void *ctx, enum backend_kvm_stop stop, uint64_t detail)
{
	struct worker *worker = ctx;
	int status = 1;
	switch (stop) {
	case BACKEND_KVM_STOP_POWER_OFF:
		log_info("the guest powered off");
		status = 0;
		break;
	case BACKEND_KVM_STOP_TRIPLE_FAULT:
		log_warning("triple fault: the guest's processor could not handle an exception");
		status = WORKER_EXIT_TRIPLE_FAULT;
		break;
	case BACKEND_KVM_STOP_DEBUG_EXIT:
		status = debug_exit_status(detail);
		log_info("the guest ended with %llu, exit status %d", (unsigned long long)detail,
			status);
		break;
	default:
		failure_log(detail);
		break;
	}
	worker_stop(worker, status);
}

static void on_quit(void *ctx)
{
	log_info("Ctrl-A x: shutting down");
	worker_stop(ctx, 0);
}

static void on_debug_data(void *ctx, const uint8_t *data, size_t bytes)
{
	struct worker *worker = ctx;
	if (log_limit_take(&worker->kvm.debug_limit, loop_now_ns()))
		log_info("guest: %.*s", bytes < DEBUG_LINE_BYTES ? (int)bytes : DEBUG_LINE_BYTES,
			(const char *)data);
}

/* ---- the serial port ----------------------------------------------------------------------- */

static int serial_file_open(struct worker *worker, const char *path)
{
	/* O_NONBLOCK: a FIFO that nobody reads must not make us wait. */
	worker->kvm.serial_fd = open(
		path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
	if (worker->kvm.serial_fd >= 0)
		return 0;
	if (errno == ENXIO)
		log_error("--serial file:%s: nobody reads this FIFO: start its reader first", path);
	else
		log_error("--serial file:%s: %s; give a file that can be written", path,
			strerror(errno));
	return -1;
}

static int serial_open(struct worker *worker, struct console_config *config)
{
	const struct options *options = worker->options;
	struct control_error error = {0};
	*config = (struct console_config){.input_fd = -1, .output_fd = -1, .listen_fd = -1};
	switch (options->serial) {
	case SERIAL_STDIO:
		config->input_fd = STDIN_FILENO;
		config->output_fd = STDOUT_FILENO;
		config->has_escape = terminal_raw(STDIN_FILENO);
		return 0;
	case SERIAL_FILE:
		if (serial_file_open(worker, options->serial_path) != 0)
			return -1;
		config->output_fd = worker->kvm.serial_fd;
		return 0;
	case SERIAL_SOCKET:
		switch (control_listener_open(
			&worker->kvm.serial_listener, options->serial_path, &error)) {
		case 0:
			break;
		case -EADDRINUSE:
			log_error("--serial: socket '%s': a running worker uses it; name another "
				  "path, or end that worker",
				options->serial_path);
			return -1;
		default:
			log_error("--serial: %s", error.text);
			return -1;
		}
		config->listen_fd = worker->kvm.serial_listener.fd;
		return 0;
	default:
		return 0;
	}
}

/*
 * Files that are not there, or not for us, are told of before anything is made; what is in them
 * is the loader's to judge.
 */
static int file_check(const char *option, const char *path)
{
	struct stat st;
	if (path == NULL)
		return 0;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		log_error("%s '%s': %s; give a file that this user can read", option, path,
			strerror(errno));
		return -1;
	}
	const bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	close(fd);
	if (!is_file)
		log_error("%s '%s': is no regular file; give a file", option, path);
	return is_file ? 0 : -1;
}

/* Everything that would be found wrong later, where KVM does not let it come so far. */
static int inputs_check(struct worker *worker, const struct machine_config *config)
{
	char error[DISK_ERROR_BYTES];
	const struct options *options = worker->options;
	if (machine_files_check(config, error, sizeof error) != 0) {
		log_error("%s", error);
		return -1;
	}
	for (unsigned i = 0; i < options->disk_count; i++) {
		if (worker_disk_check(worker, &options->disks[i], error, sizeof error) != 0) {
			log_error("%s", error);
			return -1;
		}
	}
	return 0;
}

/* ---- the seam ------------------------------------------------------------------------------ */

static int kvm_create(struct worker *worker)
{
	char error[ERROR_BYTES];
	const struct options *options = worker->options;
	const struct machine_callbacks callbacks = {
		.poll_set = poll_set,
		.on_reset = on_reset,
		.on_end = on_end,
		.on_quit = on_quit,
		.on_debug_data = on_debug_data,
		.ctx = worker,
	};
	struct machine_config config = {
		.kernel = options->kernel,
		.initrd = options->initrd,
		.command_line = options->command_line,
		.memory_bytes = options->memory_bytes,
		.vp_count = options->vp_count,
		.enlightenments = &options->enlightenments,
		.has_test_devices = options->has_test_devices,
		.emulated_disk = options->emulated_disk,
		.is_emulated_disk_pio = options->is_emulated_disk_pio,
	};
	worker->kvm.serial_fd = worker->kvm.serial_listener.fd = -1;
	if (file_check("--kernel", options->kernel) != 0 ||
		file_check("--initrd", options->initrd) != 0 ||
		serial_open(worker, &config.console) != 0)
		return -1;
	if (backend_kvm_probe(error, sizeof error) != 0) {
		/* What the user can put right without another machine goes before. */
		if (inputs_check(worker, &config) != 0)
			return -1;
		log_error(
			"this machine cannot run guests on KVM: %s; a loopback partition (--guest "
			"SOCKET) needs no KVM",
			error);
		return -1;
	}
	if (machine_create(&config, &callbacks, &worker->kvm.machine, error, sizeof error) != 0) {
		log_error("%s", error);
		return -1;
	}
	worker->partition = machine_partition(worker->kvm.machine);
	return 0;
}

static int kvm_start(struct worker *worker)
{
	char error[ERROR_BYTES];
	const struct options *options = worker->options;
	/* Now that there is something to write: a start that fails leaves the last one's output. */
	if (worker->kvm.serial_fd >= 0)
		(void)!ftruncate(worker->kvm.serial_fd, 0); /* but for FIFOs and terminals */
	if (machine_boot(worker->kvm.machine, error, sizeof error) != 0) {
		log_error("%s", error);
		return -1;
	}
	log_info("started: %s, %u virtual processor%s, %llu MiB, %u disk%s", options->kernel,
		options->vp_count, options->vp_count == 1 ? "" : "s",
		(unsigned long long)(options->memory_bytes >> 20), options->disk_count,
		options->disk_count == 1 ? "" : "s");
	return 0;
}

static void kvm_stop(struct worker *worker)
{
	if (machine_stop(worker->kvm.machine) != 0)
		log_warning("virtual processors did not come to rest; their memory stays until "
			    "the process has ended");
	worker_bus_reset(worker, NULL);
}

static void kvm_destroy(struct worker *worker)
{
	machine_destroy(worker->kvm.machine);
	if (worker->kvm.serial_fd >= 0)
		close(worker->kvm.serial_fd);
	if (worker->kvm.serial_listener.fd >= 0)
		control_listener_close(&worker->kvm.serial_listener);
	terminal_restore();
}

static void kvm_status(const struct worker *worker, json_t *object)
{
	struct machine_statistics s;
	machine_statistics_get(worker->kvm.machine, &s);
	json_object_set_new(object, "kernel", json_string(worker->options->kernel));
	json_object_set_new(object, "boots", json_integer((json_int_t)s.boots));
}

static void kvm_statistics(const struct worker *worker, json_t *object)
{
	struct machine_statistics s;
	uint64_t total = 0;
	machine_statistics_get(worker->kvm.machine, &s);
	json_t *exits = json_object();
	for (unsigned i = 0; i < BACKEND_KVM_EXIT_COUNT; i++) {
		total += s.backend.exits[i];
		json_object_set_new(exits, backend_kvm_exit_text(i),
			json_integer((json_int_t)s.backend.exits[i]));
	}
	json_object_set_new(object, "exits", exits);
	json_object_set_new(object, "backend",
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "exits", (json_int_t)total, "doorbells",
			(json_int_t)s.backend.doorbells, "interrupts_fd",
			(json_int_t)s.backend.interrupts_fd, "interrupts_ioctl",
			(json_int_t)s.backend.interrupts_ioctl, "unclaimed_accesses",
			(json_int_t)s.unclaimed));
	json_object_set_new(object, "console",
		json_pack("{s:I, s:I, s:I}", "written", (json_int_t)s.console.written, "lost",
			(json_int_t)s.console.lost, "received", (json_int_t)s.console.received));
}

const struct worker_backend worker_backend_kvm = {
	.name = "kvm",
	.create = kvm_create,
	.start = kvm_start,
	.stop = kvm_stop,
	.destroy = kvm_destroy,
	.status = kvm_status,
	.statistics = kvm_statistics,
};
