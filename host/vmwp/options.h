// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of `vmwp run`, parsed and checked before anything is opened. Every
 * mistake gets one line on stderr that names the option, the value and what to write.
 */
#ifndef HOST_VMWP_OPTIONS_H
#define HOST_VMWP_OPTIONS_H

#include "host/vmwp/log.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_DISKS_MAX	64u
#define OPTIONS_CONTROLLERS_MAX 4u

enum disk_kind {
	DISK_FILE, /* raw image or block device */
	DISK_DVD,  /* ISO image, read-only */
	DISK_RAM,  /* memory, for measurements */
};

struct disk_options {
	enum disk_kind kind;
	const char *path;     /* borrowed; NULL for DISK_RAM */
	uint64_t ram_bytes;   /* DISK_RAM */
	unsigned controller;  /* 0..OPTIONS_CONTROLLERS_MAX-1 */
	unsigned target;      /* 0..63 */
	unsigned lun;	      /* 0..254 */
	uint32_t block_bytes; /* 512 or 4096 */
	bool has_address;     /* controller, target, lun were given */
	bool is_read_only;
	bool is_direct; /* O_DIRECT */
};

struct options {
	const char *guest_socket;   /* --guest: where a loopback guest connects */
	const char *control_socket; /* --control, or NULL */
	uint64_t memory_bytes;
	uint32_t vp_count;
	uint32_t version_max;  /* VMBUS_VERSION_*, 0: all */
	uint32_t feature_mask; /* 0: the default set */
	unsigned channels_max; /* storage channels for each controller */
	uint64_t spin_ns;
	uint64_t heartbeat_period_ms; /* 0: no heartbeat component */
	bool is_once;		      /* end when the first guest has gone */
	enum log_level log_level;
	unsigned disk_count;
	struct disk_options disks[OPTIONS_DISKS_MAX];
};

/*
 * Parse one disk argument, "PATH[,key=value|flag...]" (SIZE for DISK_RAM), in place. `what`
 * names the option in messages. 0, or -1 after one line on stderr.
 */
int options_disk_parse(const char *what, enum disk_kind kind, char *text, struct disk_options *out);

/* 0: go on; 1: --help was printed; -1: a mistake was reported. argv[0] is the verb. */
int options_parse(int argc, char **argv, struct options *out);

/* "64M", "1G", "512K", "4096": bytes. -1 if it is no size. */
int options_size_parse(const char *text, uint64_t *bytes);

#endif
