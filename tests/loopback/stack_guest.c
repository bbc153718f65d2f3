// SPDX-License-Identifier: Apache-2.0
/* A guest in this process: see stack_guest.h. */
#include "tests/loopback/stack_guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GUEST_OS_ID 0x8100000000000000ull /* open source, of no vendor that the TLFS lists */

uint64_t stack_guest_deadline(const struct stack_guest *guest)
{
	return winhv_time_100ns(&guest->hv) + STACK_WAIT_NS / 100;
}

int stack_guest_connect(struct stack_guest *guest, const char *socket)
{
	const struct vmbus_config config = {0};
	memset(guest, 0, sizeof *guest);
	int result = platform_loopback_connect(socket, STACK_WAIT_NS, &guest->platform);
	if (result != 0)
		return result;
	result = winhv_init(&guest->hv, &platform_loopback_ops, guest->platform,
		platform_loopback_vp_count(guest->platform));
	if (result == 0)
		result = winhv_hypercall_enable(&guest->hv, GUEST_OS_ID);
	guest->bus = calloc(1, vmbus_bytes());
	if (guest->bus == NULL)
		result = -ENOMEM;
	if (result == 0)
		result = vmbus_init(guest->bus, &guest->hv, &config);
	if (result == 0)
		result = vmbus_connect(guest->bus, stack_guest_deadline(guest));
	if (result == 0)
		result = winhv_pages_alloc(&guest->hv, 1u << 20, &guest->pages);
	if (result != 0)
		stack_guest_vanish(guest);
	return result;
}

int stack_guest_open(struct stack_guest *guest, unsigned sub_channels)
{
	const struct storage_controller_config config = {
		.sub_channels = (uint16_t)sub_channels,
		.slots = guest->slots,
		.slot_count = STACK_SLOTS,
		.luns = guest->luns,
		.lun_count = sizeof guest->luns / sizeof *guest->luns,
	};
	const struct vmbus_offer *offer = vmbus_offer_find(guest->bus, &guid_storage, 0);
	if (offer == NULL)
		return -ENOENT;
	int result = storage_controller_open(&guest->controller, guest->bus, &guest->hv,
		offer->relid, &config, stack_guest_deadline(guest));
	guest->is_open = result == 0;
	if (result == 0)
		result = storage_controller_scan(&guest->controller, stack_guest_deadline(guest));
	return result;
}

struct storage_vsc_lun *stack_guest_lun(struct stack_guest *guest, unsigned target, unsigned lun)
{
	return storage_vsc_lun_find(&guest->controller.vsc, 0, target, lun);
}

int stack_guest_close(struct stack_guest *guest)
{
	if (!guest->is_open)
		return 0;
	guest->is_open = false;
	return storage_controller_close(&guest->controller, stack_guest_deadline(guest));
}

int stack_guest_leave(struct stack_guest *guest)
{
	const int closed = stack_guest_close(guest);
	const int unloaded = vmbus_unload(guest->bus, stack_guest_deadline(guest));
	stack_guest_vanish(guest);
	return closed != 0 ? closed : unloaded;
}

void stack_guest_vanish(struct stack_guest *guest)
{
	winhv_shutdown(&guest->hv);
	platform_loopback_destroy(guest->platform);
	free(guest->bus);
	guest->bus = NULL;
}
