// SPDX-License-Identifier: Apache-2.0
/* A worker and its guest: see guest.h. */
#include "tests/performance/guest.h"

#include "protocol/guid.h"
#include "protocol/hypervisor_x86.h"
#include "protocol/spin.h"
#include "tests/performance/measure.h"
#include "tests/performance/process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_PATIENCE_NS 10000000000ull
#define CONNECT_SLICE_NS    1000000000ull
#define LOOK_PAUSE_NS	    200000
#define STOP_PATIENCE_MS    5000u
#define SPIN_NS		    200000u /* as the worker does */
#define GUEST_OS_ID	    (HV_OS_ID_OPEN_SOURCE | 1)

static int complain(const char *what, int error)
{
	fprintf(stderr, "hvbench: %s: %s\n", what, strerror(-error));
	return -1;
}

/* ---- the worker ------------------------------------------------------------------------------ */

int guest_worker_start(struct guest_worker *worker, const struct sandbox *sandbox, unsigned number,
	const char *const options[])
{
	char program[PATH_MAX];
	const char *argv[GUEST_WORKER_OPTIONS_MAX + 8] = {
		program, "run", "--log", "warning", "--guest", worker->socket};
	unsigned count = 6;
	memset(worker, 0, sizeof *worker);
	if (process_find("vmwp", program, sizeof program) != 0) {
		fprintf(stderr, "hvbench: vmwp is missing beside hvbench: run make\n");
		return -1;
	}
	snprintf(worker->socket, sizeof worker->socket, "%.100s/w%u", sandbox->work, number);
	snprintf(worker->log, sizeof worker->log, "%.100s/w%u.log", sandbox->work, number);
	for (unsigned i = 0; i < GUEST_WORKER_OPTIONS_MAX && options[i] != NULL; i++)
		argv[count++] = options[i];
	argv[count] = NULL;
	const pid_t pid = process_start(argv, 1, worker->log);
	worker->pid = pid > 0 ? pid : 0;
	return pid > 0 ? 0 : -1;
}

void guest_worker_signal(const struct guest_worker *worker)
{
	if (worker->pid > 0)
		kill(worker->pid, SIGTERM);
}

void guest_worker_stop(struct guest_worker *worker)
{
	if (worker->pid > 0)
		process_stop(worker->pid, STOP_PATIENCE_MS);
	worker->pid = 0;
}

/* ---- connect --------------------------------------------------------------------------------- */

/*
 * The socket may not be there yet, the worker may still be parting from its last guest,
 * or may have failed, which is noticed.
 */
static int platform_connect(struct guest *guest, const struct guest_worker *worker)
{
	const struct timespec pause = {.tv_nsec = LOOK_PAUSE_NS};
	const uint64_t end = measure_now_ns() + CONNECT_PATIENCE_NS;
	int error = -ENOENT;
	do {
		if (access(worker->socket, F_OK) == 0)
			error = platform_loopback_connect(
				worker->socket, CONNECT_SLICE_NS, &guest->loopback);
		if (error == 0)
			return 0;
		guest->loopback = NULL;
		if (process_has_ended(worker->pid)) {
			process_complain("vmwp ended", worker->log);
			return -1;
		}
		nanosleep(&pause, NULL);
	} while (measure_now_ns() < end && (error == -ENOENT || error == -ECONNREFUSED ||
						   error == -EBUSY || error == -ETIMEDOUT));
	return complain("connecting to vmwp", error);
}

static int bus_connect(struct guest *guest)
{
	const struct vmbus_config config = {0};
	int error = winhv_init(&guest->hv, &platform_loopback_ops, guest->loopback,
		platform_loopback_vp_count(guest->loopback));
	if (error != 0)
		return complain("the partition's hypervisor", error);
	guest->is_hypercall_enabled = true;
	error = winhv_hypercall_enable(&guest->hv, GUEST_OS_ID);
	if (error != 0)
		return complain("hypercalls", error);
	if (guest->bus == NULL)
		guest->bus = malloc(sizeof *guest->bus);
	if (guest->bus == NULL)
		return complain("the bus", -ENOMEM);
	error = vmbus_init(guest->bus, &guest->hv, &config);
	if (error == 0)
		error = vmbus_connect(guest->bus, guest_deadline(guest));
	if (error != 0)
		return complain("connecting to VMBus", error);
	guest->is_connected = true;
	return 0;
}

int guest_connect(struct guest *guest, const struct guest_worker *worker)
{
	memset(guest, 0, sizeof *guest);
	if (platform_connect(guest, worker) != 0)
		return -1;
	if (bus_connect(guest) == 0)
		return 0;
	guest_disconnect(guest);
	return -1;
}

void guest_disconnect(struct guest *guest)
{
	for (unsigned i = 0; i < GUEST_CONTROLLERS_MAX; i++) {
		if (guest->controllers[i] != NULL)
			(void)storage_controller_close(
				&guest->controllers[i]->controller, guest_deadline(guest));
		free(guest->controllers[i]);
		guest->controllers[i] = NULL;
	}
	if (guest->data.bytes != 0)
		winhv_pages_free(&guest->hv, &guest->data);
	guest->data = (struct winhv_pages){0};
	if (guest->is_connected)
		(void)vmbus_unload(guest->bus, guest_deadline(guest));
	guest->is_connected = false;
	if (guest->is_hypercall_enabled)
		winhv_shutdown(&guest->hv);
	guest->is_hypercall_enabled = false;
	free(guest->bus);
	guest->bus = NULL;
	platform_loopback_destroy(guest->loopback);
	guest->loopback = NULL;
}

/* ---- storage --------------------------------------------------------------------------------- */

/* Until every channel that was asked for, or granted, is open. */
static int sub_channels_wait(struct guest *guest, struct storage_controller *controller)
{
	const uint64_t deadline = guest_deadline(guest);
	while (controller->sub_channels_open < controller->vsc.sub_channels_granted) {
		const int error = storage_controller_poll(controller, 10000);
		if (error != 0)
			return complain("subchannels", error);
		if (winhv_time_100ns(&guest->hv) > deadline)
			return complain("subchannels", -ETIMEDOUT);
	}
	return 0;
}

int guest_controller_open(
	struct guest *guest, unsigned index, unsigned channels, uint32_t ring_bytes)
{
	const struct vmbus_offer *offer = vmbus_offer_find(guest->bus, &guid_storage, index);
	if (offer == NULL)
		return complain("the storage controller's offer", -ENODEV);
	struct guest_controller *own = calloc(1, sizeof *own);
	if (own == NULL)
		return complain("a storage controller", -ENOMEM);
	const struct storage_controller_config config = {
		.sub_channels = (uint16_t)(channels - 1),
		.target_count = 1,
		.ring_out_bytes = ring_bytes,
		.ring_in_bytes = ring_bytes,
		.slots = own->slots,
		.slot_count = GUEST_SLOTS,
		.luns = own->luns,
		.lun_count = sizeof own->luns / sizeof *own->luns,
	};
	const int error = storage_controller_open(&own->controller, guest->bus, &guest->hv,
		offer->relid, &config, guest_deadline(guest));
	if (error != 0) {
		free(own);
		return complain("opening a storage controller", error);
	}
	guest->controllers[index] = own;
	return sub_channels_wait(guest, &own->controller);
}

struct storage_vsc_lun *guest_lun_find(struct guest *guest, unsigned index)
{
	struct storage_controller *controller = &guest->controllers[index]->controller;
	const int error = storage_controller_scan(controller, guest_deadline(guest));
	struct storage_vsc_lun *lun = storage_vsc_lun_find(&controller->vsc, 0, 0, 0);
	if (error != 0 || lun == NULL)
		complain("finding the disk", error != 0 ? error : -ENODEV);
	return error == 0 ? lun : NULL;
}

/* ---- a load ---------------------------------------------------------------------------------- */

struct guest_run {
	struct guest *guest;
	struct storage_vsc_lun *lun;
	struct load load; /* cut into what the host takes */
	struct storage_vsc *vsc;
	struct load_cursor cursor;
	unsigned block_shift;
	uint64_t submitted, done;
	uint32_t in_flight;
	bool is_over;
	int error;
	struct storage_vsc_request requests[GUEST_SLOTS];
};

static void request_submit(struct guest_run *run, struct storage_vsc_request *request)
{
	request->lba = load_next(&run->load, &run->cursor) >> run->block_shift;
	const int error = storage_vsc_submit(run->vsc, request);
	if (error != 0) {
		run->error = error;
		return;
	}
	run->in_flight++;
	if (++run->submitted == run->load.requests)
		run->is_over = true;
}

static void request_done(struct storage_vsc_request *request)
{
	struct guest_run *run = request->ctx;
	run->in_flight--;
	run->done++;
	if (request->result != 0)
		run->error = request->result;
	if (!run->is_over && run->error == 0)
		request_submit(run, request);
}

static int data_get(struct guest *guest, size_t bytes)
{
	if (guest->data.bytes >= bytes)
		return 0;
	if (guest->data.bytes != 0)
		winhv_pages_free(&guest->hv, &guest->data);
	guest->data = (struct winhv_pages){0};
	const int error = winhv_pages_alloc(&guest->hv, bytes, &guest->data);
	if (error == 0)
		memset(guest->data.va, 0x5a, bytes);
	return error;
}

/* Poll for the product's time, then sleep. */
static int run_wait(struct guest_run *run, uint64_t end)
{
	struct storage_controller *controller = &run->guest->controllers[0]->controller;
	struct spin_policy spin;
	spin_init(&spin, SPIN_NS);
	uint64_t last_work = measure_now_ns();
	while (run->in_flight > 0) {
		int done = 0;
		for (unsigned i = 0; i < 64 && done == 0; i++) {
			done = vmbus_poll(run->guest->bus, 0);
			if (done == 0)
				spin_pause();
		}
		const uint64_t now = measure_now_ns();
		run->is_over |= now >= end;
		if (done == 0 && now - last_work >= spin.current) {
			done = storage_controller_poll(controller, 100000);
			last_work = measure_now_ns();
			spin_after_sleep(&spin, last_work - now);
		} else if (done > 0) {
			last_work = now;
		}
		if (done < 0)
			return done;
	}
	return run->error;
}

/* The same bytes in flight in requests that the host takes at once. */
static struct load load_cut(const struct load *load, uint32_t bytes_max)
{
	struct load cut = *load;
	while (cut.bytes > bytes_max) {
		cut.bytes /= 2;
		cut.depth *= 2;
		cut.requests *= 2;
	}
	return cut;
}

static int run_start(struct guest_run *run)
{
	const struct load *load = &run->load;
	struct guest *guest = run->guest;
	if (load->depth > GUEST_SLOTS)
		return -EINVAL;
	const int error = data_get(guest, (size_t)load->depth * load->bytes);
	if (error != 0)
		return error;
	for (uint32_t i = 0; i < load->depth; i++) {
		run->requests[i] = (struct storage_vsc_request){
			.lun = run->lun,
			.op = load->is_write ? STORAGE_VSC_WRITE : STORAGE_VSC_READ,
			.blocks = load->bytes >> run->block_shift,
			.data = storage_vsc_data_at(
				&guest->data, (size_t)i * load->bytes, load->bytes),
			.done = request_done,
			.ctx = run,
		};
	}
	return storage_controller_service(&guest->controllers[0]->controller, NULL);
}

double guest_run(struct guest *guest, struct storage_vsc_lun *lun, const struct load *load)
{
	static struct guest_run run;
	memset(&run, 0, sizeof run);
	run.guest = guest;
	run.lun = lun;
	run.vsc = &guest->controllers[0]->controller.vsc;
	const struct load limited = load_limit(load);
	run.load = load_cut(&limited, run.vsc->max_transfer_bytes);
	run.block_shift = (unsigned)__builtin_ctz(lun->properties.block_bytes);
	int error = run_start(&run);
	const uint64_t start = measure_now_ns();
	if (error == 0) {
		for (uint32_t i = 0; i < run.load.depth && !run.is_over; i++)
			request_submit(&run, &run.requests[i]);
		storage_vsc_flush(run.vsc);
		error = run_wait(&run, start + limited.duration_ns);
	}
	const uint64_t end = measure_now_ns();
	if (error == 0)
		return load_rate(&run.load, run.done, end - start);
	complain("a request through the channel", error);
	return -1;
}
