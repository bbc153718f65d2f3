// SPDX-License-Identifier: Apache-2.0
/*
 * A VMBus channel of the Linux guest that this runs in, opened from user space: the kernel's
 * driver uio_hv_generic has the device, maps both rings, and counts the host's interrupts.
 *
 *	ic_link (or any user of a ring pair)
 *	   |  in, out, uio_channel_signal()
 *	uio_channel_linux.c
 *	   |  mmap, read, write
 *	/dev/uioN <- uio_hv_generic <- VMBus
 *
 * Opening the device opens the channel, closing it closes it; the kernel zeroes the rings. The
 * channel's interrupt is masked by the kernel each time it comes, and by us never: the loop is
 *
 *	poll(channel.fd) -> uio_channel_collect() -> drain channel.in, flush
 *	                 -> uio_channel_arm(): true: more came, drain again; false: poll
 *
 * Signals to the host: where the offer has a monitor (always on Linux 6.1, whose driver refuses
 * others) by its bit in the monitor page, else by a write to the device, upon which Linux 6.12
 * issues the hypercall.
 *
 * The rings are mapped twice, back to back, so that no packet is ever in two pieces (ring.md);
 * where the kernel does not let us, scratch memory is used.
 *
 * Threads: one. Sources: behaviour of uio_hv_generic in Linux 6.1 and 6.12; R-RING-029.
 */
#ifndef GUEST_VMBUS_UIO_CHANNEL_LINUX_H
#define GUEST_VMBUS_UIO_CHANNEL_LINUX_H

#include "protocol/guid.h"
#include "protocol/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UIO_CHANNEL_NAME_BYTES 256u

struct uio_channel_config {
	const char *sysfs_root; /* NULL: "/sys" */
	const char *dev_root;	/* NULL: "/dev" */
	/*
	 * For tests, where a plain file stands for the device: what is read and written instead of
	 * it, and what is mapped as the monitor page; -1: the device. Stay the caller's.
	 */
	int event_fd;
	int monitor_fd;
};

/* Where a device of an interface was found in sysfs. */
struct uio_channel_place {
	char device[UIO_CHANNEL_NAME_BYTES]; /* name of its directory */
	char driver[UIO_CHANNEL_NAME_BYTES]; /* of the kernel, bound to it; empty: none */
	char uio[UIO_CHANNEL_NAME_BYTES];    /* "uio0"; empty: not by uio_hv_generic */
};

struct uio_channel {
	int fd;	      /* to poll for reading, and no more */
	int file;     /* the device */
	bool is_gone; /* the device was taken away, by the host or the administrator */
	struct ring_reader in;
	struct ring_writer out;
	bool is_double_mapped;
	bool is_monitored;
	uint32_t monitor_id;
	uint8_t *monitor_page; /* NULL: not is_monitored */
	uint64_t interrupts;   /* as the kernel counts */
	uint64_t signals;
	/* Mappings and scratch, owned. */
	void *out_map, *in_map;
	size_t out_map_bytes, in_map_bytes;
	uint8_t *scratch;
	uint32_t events; /* the kernel's counter, last seen */
};

/*
 * Find the first device of this interface. 0; -ENOSYS: there is no VMBus on this machine; -ENOENT:
 * no such device on it; or another negative errno.
 */
int uio_channel_find(
	const char *sysfs_root, const struct guid *interface_id, struct uio_channel_place *out);

/*
 * Open the channel of a place with a uio. 0; -ENODEV: the device is going; -EPROTO: what the kernel
 * says of its mappings makes no sense, or the rings are corrupt; or another negative errno.
 */
int uio_channel_open(struct uio_channel *channel, const struct uio_channel_config *config,
	const struct uio_channel_place *place);

/* Take the event count, after a poll. Sets is_gone if the device is going. */
void uio_channel_collect(struct uio_channel *channel);

/* Unmask; true: there is data already, or the ring is corrupt, drain again before polling. */
bool uio_channel_arm(struct uio_channel *channel);

/* Tell the host to look at its ring. */
void uio_channel_signal(struct uio_channel *channel);

/* Publish both rings, signal if that is due. */
void uio_channel_flush(struct uio_channel *channel);

/* Unmap and close. Closing a closed (or zeroed) channel with fd -1 is nothing. */
void uio_channel_close(struct uio_channel *channel);

#endif
