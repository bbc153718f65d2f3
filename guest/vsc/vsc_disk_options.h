// SPDX-License-Identifier: Apache-2.0
/* Command line of vsc-disk. */
#ifndef GUEST_VSC_VSC_DISK_OPTIONS_H
#define GUEST_VSC_VSC_DISK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct disk_options {
	const char *connect; /* socket of the partition */
	const char *mount_point;
	const char *json_status; /* file, or NULL */
	unsigned channels;	 /* of a controller, the primary included */
	unsigned queue_depth;	 /* requests in flight of a controller */
	uint32_t version_max;	 /* VMBUS_VERSION_*; 0: the highest */
	unsigned spin_us;
	unsigned wait_s;    /* for the host to be there */
	unsigned timeout_s; /* of a request */
	int ready_fd;	    /* -1: none */
	bool allow_other;
};

/*
 * Parse. Returns 0; 1 if --help was printed; -EINVAL after one line on stderr that says what
 * is wrong.
 */
int disk_options_parse(struct disk_options *options, int argc, char **argv);

#endif
