// SPDX-License-Identifier: Apache-2.0
/*
 * vsc-disk as a guest. See vsc_disk_guest.h.
 */
#include "guest/vsc/vsc_disk_guest.h"

#include "guest/vsc/vsc_disk_log.h"
#include "protocol/hypervisor_x86.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECOND_100NS 10000000ull
#define OPEN_100NS   (10 * SECOND_100NS)
#define CLOSE_100NS  (5 * SECOND_100NS)

/* An open-source guest of no type of its own. */
#define GUEST_OS_ID (HV_OS_ID_OPEN_SOURCE | 1ull << HV_OS_ID_VERSION_SHIFT)

static uint64_t now_of(const struct disk_guest *guest)
{
	return winhv_time_100ns(&guest->hv);
}

/* ---- joining ------------------------------------------------------------- */

static int join_complain(const char *path, int error)
{
	struct stat st;
	if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		disk_log("%s: not a socket; give the one of: vmwp run --guest SOCKET", path);
		return error;
	}
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -ENOTSOCK:
		disk_log("%s: no host answers there; start one with: vmwp run --guest %s", path,
			path);
		break;
	case -ETIMEDOUT:
		disk_log("%s: the host does not answer; it may be stopped, or raise --wait", path);
		break;
	case -EBUSY:
		disk_log("%s: the partition has a guest already; end that one first", path);
		break;
	case -ENODEV:
		disk_log("%s: the host is stopping", path);
		break;
	case -EACCES:
	case -EPERM:
		disk_log("%s: no permission; run as the user who runs the host, or as root", path);
		break;
	case -ENAMETOOLONG:
		disk_log("%s: the path is too long for a socket (107 characters at most)", path);
		break;
	case -ENOTSUP:
	case -EPROTO:
	case -EPROTOTYPE:
		disk_log("%s: what answers there is not a host of this version; give the socket "
			 "of: vmwp run --guest SOCKET",
			path);
		break;
	default:
		disk_log("%s: cannot join the partition: %s", path, strerror(-error));
	}
	return error;
}

static void on_offer(void *ctx, const struct vmbus_offer *offer)
{
	struct disk_guest *guest = ctx;
	if (guid_equal(&offer->interface_id, &guid_storage) && offer->subchannel_index == 0)
		guest->are_offers_new = true;
}

static int bus_connect(struct disk_guest *guest)
{
	const struct vmbus_config config = {
		.version_max = guest->options->version_max,
		.on_offer = on_offer,
		.ctx = guest,
	};
	int error = winhv_init(&guest->hv, &platform_loopback_ops, guest->platform,
		platform_loopback_vp_count(guest->platform));
	if (error == 0)
		error = winhv_hypercall_enable(&guest->hv, GUEST_OS_ID);
	if (error != 0) {
		disk_log("%s: the host's hypervisor does not answer as one: %s",
			guest->options->connect, strerror(-error));
		return error;
	}
	guest->bus = calloc(1, vmbus_bytes());
	if (guest->bus == NULL) {
		disk_log("out of memory");
		return -ENOMEM;
	}
	error = vmbus_init(guest->bus, &guest->hv, &config);
	if (error == 0)
		error = vmbus_connect(guest->bus, now_of(guest) + OPEN_100NS);
	if (error == -ENOTSUP)
		disk_log("%s: the host speaks no VMBus version that is allowed here (see "
			 "--max-version)",
			guest->options->connect);
	else if (error != 0)
		disk_log("%s: cannot connect the VMBus: %s", guest->options->connect,
			strerror(-error));
	guest->is_bus_up = error == 0;
	return error;
}

/* As much as there is, leaving something for the rings of controllers that come later. */
static int arena_allocate(struct disk_guest *guest)
{
	int error = -ENOMEM;
	for (size_t bytes = DISK_ARENA_BYTES_MAX; bytes >= DISK_ARENA_BYTES_MIN;
		bytes -= bytes / 4) {
		bytes &= ~(size_t)(WINHV_PAGE_BYTES - 1);
		error = winhv_pages_alloc(&guest->hv, bytes, &guest->arena);
		if (error == 0)
			break;
	}
	if (error != 0) {
		disk_log("%s: the partition has too little memory; start its host with --memory "
			 "16M or more",
			guest->options->connect);
		return error;
	}
	return 0;
}

/* ---- controllers --------------------------------------------------------- */

static void on_lun(void *ctx, struct storage_controller *controller, enum storage_vsc_event event,
	struct storage_vsc_lun *lun)
{
	struct disk_controller *at = ctx;
	at->guest->on_lun(at->guest->ctx, at, event, lun);
	if (event == STORAGE_VSC_LUN_REMOVED)
		storage_vsc_lun_release(&controller->vsc, lun);
}

static void on_scan(void *ctx, struct storage_controller *controller, int error)
{
	struct disk_controller *at = ctx;
	(void)controller;
	if (error == 0)
		at->is_scanned = true;
	else if (error != -ECANCELED && error != -ENODEV)
		disk_log("controller %u: enumeration failed: %s", at->number, strerror(-error));
}

static void controller_free(struct disk_controller *at)
{
	free(at->controller);
	free(at->slots);
	free(at->luns);
	at->controller = NULL;
	at->slots = NULL;
	at->luns = NULL;
	at->is_open = false;
}

static int controller_allocate(struct disk_controller *at)
{
	at->controller = calloc(1, sizeof *at->controller);
	at->slots = calloc(at->guest->options->queue_depth, sizeof *at->slots);
	at->luns = calloc(DISK_LUNS_MAX, sizeof *at->luns);
	if (at->controller != NULL && at->slots != NULL && at->luns != NULL)
		return 0;
	controller_free(at);
	return -ENOMEM;
}

static int controller_open(struct disk_controller *at, const struct vmbus_offer *offer)
{
	struct disk_guest *guest = at->guest;
	const uint32_t relid = offer->relid;
	const struct storage_controller_config config = {
		.sub_channels = (uint16_t)(guest->options->channels - 1),
		.timeout_ms = guest->options->timeout_s * 1000,
		.slots = at->slots,
		.slot_count = guest->options->queue_depth,
		.luns = at->luns,
		.lun_count = DISK_LUNS_MAX,
		.on_lun = on_lun,
		.on_scan = on_scan,
		.ctx = at,
	};
	int error = storage_controller_open(
		at->controller, guest->bus, &guest->hv, relid, &config, now_of(guest) + OPEN_100NS);
	if (error == 0) {
		at->is_open = true;
		at->is_scanned = false;
		error = storage_vsc_rescan(&at->controller->vsc);
	}
	if (error == 0)
		return 0;
	disk_log("controller %u: cannot open it: %s", at->number, strerror(-error));
	at->failed_relid = relid;
	(void)storage_controller_close(at->controller, now_of(guest) + CLOSE_100NS);
	controller_free(at);
	return error;
}

static void controller_close(struct disk_controller *at)
{
	if (!at->is_open)
		return;
	at->is_open = false; /* its LUNs go, and it is not served, from here on */
	const int error = storage_controller_close(at->controller, now_of(at->guest) + CLOSE_100NS);
	if (error != 0 && !at->guest->is_host_gone)
		disk_log("controller %u: the host did not confirm the close: %s", at->number,
			strerror(-error));
	controller_free(at);
}

/* The row of an instance: its old one, or a free one; NULL if there is none. */
static struct disk_controller *controller_row(struct disk_guest *guest, const struct guid *instance)
{
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++) {
		struct disk_controller *at = &guest->controllers[i];
		if (at->is_known && guid_equal(&at->instance, instance))
			return at;
	}
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++) {
		struct disk_controller *at = &guest->controllers[i];
		if (at->is_known)
			continue;
		at->is_known = true;
		at->instance = *instance;
		at->number = i;
		at->guest = guest;
		return at;
	}
	return NULL;
}

/*
 * Open every SCSI controller that is offered and not open, or up to the first that does not
 * open: that may have taken its time, and the others have theirs at the next service.
 */
static void controllers_open(struct disk_guest *guest)
{
	guest->are_offers_new = false;
	for (const struct vmbus_offer *offer = vmbus_offer_next(guest->bus, 0); offer != NULL;) {
		const uint32_t relid = offer->relid;
		if (guid_equal(&offer->interface_id, &guid_storage) &&
			offer->subchannel_index == 0 && !offer->is_open && !offer->is_rescinded) {
			struct disk_controller *at = controller_row(guest, &offer->instance_id);
			if (at == NULL)
				disk_log("more than %u controllers: one is ignored",
					DISK_CONTROLLERS_MAX);
			else if (!at->is_open && at->failed_relid != relid &&
				 controller_allocate(at) == 0 && controller_open(at, offer) != 0) {
				guest->are_offers_new = true;
				return;
			}
		}
		offer = vmbus_offer_next(guest->bus, relid);
	}
}

static bool is_first_scan_over(const struct disk_guest *guest)
{
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++) {
		const struct disk_controller *at = &guest->controllers[i];
		if (at->is_open && !at->is_scanned && at->controller->vsc.scan.is_running)
			return false;
	}
	return true;
}

static int first_scan_wait(struct disk_guest *guest)
{
	const uint64_t deadline = now_of(guest) + OPEN_100NS;
	while ((guest->are_offers_new || !is_first_scan_over(guest)) && now_of(guest) < deadline) {
		const int done = vmbus_poll(guest->bus, SECOND_100NS / 10);
		if (done < 0) {
			disk_log("%s: the host went away", guest->options->connect);
			return done;
		}
		disk_guest_service(guest);
	}
	return 0;
}

/* ---- life ---------------------------------------------------------------- */

int disk_guest_connect(struct disk_guest *guest, const struct disk_options *options)
{
	guest->options = options;
	/* At least a moment, for a host that is just starting to listen. */
	const uint64_t wait_ns = options->wait_s ? options->wait_s * 1000000000ull : 100000000ull;
	int error = platform_loopback_connect(options->connect, wait_ns, &guest->platform);
	if (error != 0)
		return join_complain(options->connect, error);
	error = bus_connect(guest);
	if (error == 0) {
		controllers_open(guest);
		error = arena_allocate(guest);
	}
	if (error == 0) {
		disk_services_open(&guest->services, guest->bus, &guest->hv, OPEN_100NS);
		error = first_scan_wait(guest);
	}
	if (error != 0)
		(void)disk_guest_disconnect(guest, false);
	return error;
}

int disk_guest_poll(struct disk_guest *guest)
{
	if (guest->is_host_gone)
		return -ENODEV;
	const int done = vmbus_poll(guest->bus, 0);
	if (done < 0)
		guest->is_host_gone = true;
	return done;
}

void disk_guest_flush(struct disk_guest *guest)
{
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++)
		if (guest->controllers[i].is_open)
			storage_vsc_flush(&guest->controllers[i].controller->vsc);
}

void disk_guest_service(struct disk_guest *guest)
{
	uint64_t earliest = vmbus_wake_time(guest->bus);
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++) {
		struct disk_controller *at = &guest->controllers[i];
		uint64_t next = UINT64_MAX;
		if (!at->is_open)
			continue;
		const int error = storage_controller_service(at->controller, &next);
		if (error != 0) {
			if (!guest->is_host_gone)
				disk_log("controller %u: %s", at->number,
					error == -ENODEV ? "the host took it away"
							 : strerror(-error));
			controller_close(at);
			guest->are_offers_new = true; /* it may have been offered again */
			continue;
		}
		if (next < earliest)
			earliest = next;
	}
	disk_services_serve(&guest->services, CLOSE_100NS);
	if (guest->are_offers_new && !guest->is_host_gone)
		controllers_open(guest);
	guest->next_time = earliest;
}

bool disk_guest_is_busy(const struct disk_guest *guest)
{
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++) {
		const struct disk_controller *at = &guest->controllers[i];
		if (at->is_open && at->controller->vsc.in_flight > 0)
			return true;
	}
	return false;
}

static int lun_flush(struct disk_controller *at, struct storage_vsc_lun *lun, uint64_t deadline)
{
	const uint64_t now = now_of(at->guest);
	const uint32_t left_ms = now < deadline ? (uint32_t)((deadline - now) / 10000) : 0;
	return left_ms > 0 ? storage_controller_flush(at->controller, lun, left_ms) : -ETIMEDOUT;
}

/* SYNCHRONIZE CACHE on every disk that can be written, in the time of one request. */
static int disks_flush(struct disk_guest *guest)
{
	const uint64_t deadline = now_of(guest) + guest->options->timeout_s * SECOND_100NS;
	int error = 0;
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++) {
		struct disk_controller *at = &guest->controllers[i];
		for (unsigned k = 0; at->is_open && k < DISK_LUNS_MAX; k++) {
			struct storage_vsc_lun *lun = &at->luns[k];
			if (lun->state != STORAGE_VSC_LUN_PRESENT || lun->properties.is_read_only ||
				!lun->properties.has_medium)
				continue;
			const int result = lun_flush(at, lun, deadline);
			/* What the host has just taken away cannot be flushed, and need not. */
			const bool is_gone = result == -ENODEV && at->controller->is_open;
			if (result != 0 && !is_gone && error == 0) {
				error = result;
				disk_log(
					"controller %u, target %u, LUN %u: the final flush failed: "
					"%s",
					at->number, lun->target, lun->lun, strerror(-result));
			}
			at->is_open = at->controller->is_open;
		}
	}
	return error;
}

void disk_guest_give_up(struct disk_guest *guest)
{
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++)
		controller_close(&guest->controllers[i]);
}

int disk_guest_disconnect(struct disk_guest *guest, bool with_flush)
{
	int error = 0;
	if (guest->is_bus_up) {
		if (with_flush && !guest->is_host_gone)
			error = disks_flush(guest);
		for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++)
			controller_close(&guest->controllers[i]);
		disk_services_close(&guest->services, CLOSE_100NS);
		const int unloaded = vmbus_unload(guest->bus, now_of(guest) + CLOSE_100NS);
		if (error == 0)
			error = unloaded;
		guest->is_bus_up = false;
	}
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++)
		controller_free(&guest->controllers[i]);
	if (guest->arena.bytes > 0)
		winhv_pages_free(&guest->hv, &guest->arena);
	guest->arena = (struct winhv_pages){0};
	free(guest->bus);
	guest->bus = NULL;
	if (guest->platform != NULL) {
		winhv_shutdown(&guest->hv);
		platform_loopback_destroy(guest->platform);
		guest->platform = NULL;
	}
	return error;
}
