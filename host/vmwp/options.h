// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of `vmwp run`, parsed and checked before anything is opened. Every
 * mistake gets one line on stderr that names the option, the value and what to write.
 */
#ifndef HOST_VMWP_OPTIONS_H
#define HOST_VMWP_OPTIONS_H

#include "host/hypervisor/enlightenment.h"
#include "host/vmwp/log.h"
#include "protocol/guid.h"

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

/* Integration services, bits of options.services. */
enum options_service {
	OPTIONS_SERVICE_HEARTBEAT,
	OPTIONS_SERVICE_SHUTDOWN,
	OPTIONS_SERVICE_TIME,
	OPTIONS_SERVICE_BACKUP,
	OPTIONS_SERVICE_COPY,
	OPTIONS_SERVICE_KVP,
	OPTIONS_SERVICE_COUNT,
};
extern const char *const options_service_names[OPTIONS_SERVICE_COUNT];

enum backend_kind {
	BACKEND_UNSET, /* never behind options_parse() */
	BACKEND_LOOPBACK,
	BACKEND_KVM,
};

enum serial_kind {
	SERIAL_UNSET, /* never behind options_parse() */
	SERIAL_STDIO,
	SERIAL_SOCKET,
	SERIAL_FILE,
	SERIAL_NONE,
};

/* What a guest's end of its own accord does to the worker. */
enum end_action {
	END_UNSET, /* never behind options_parse() */
	END_EXIT,
	END_GO_ON, /* --on-reboot reset, --on-crash report */
};

struct options {
	enum backend_kind backend;
	const char *guest_socket;   /* --guest: where a loopback guest connects; or NULL */
	const char *control_socket; /* --control, or NULL */
	uint64_t memory_bytes;
	uint32_t vp_count;
	uint32_t version_max;  /* VMBUS_VERSION_*, 0: all */
	uint32_t feature_mask; /* 0: the default set */
	unsigned channels_max; /* storage channels for each controller */
	uint64_t spin_ns;
	const char *name;	      /* what the guest is told of itself, in UTF-8; or NULL */
	struct guid id;		      /* likewise; of zeros: nothing is told */
	unsigned services;	      /* 1 << enum options_service: what is offered */
	uint64_t heartbeat_period_ms; /* 0: its service is not offered; likewise time */
	uint64_t time_period_ms;
	bool is_once; /* end when the first guest has gone */
	enum log_level log_level;
	unsigned disk_count;
	struct disk_options disks[OPTIONS_DISKS_MAX];
	/* with BACKEND_KVM; else NULL or false */
	const char *kernel;
	const char *initrd;	  /* or NULL */
	const char *command_line; /* or NULL */
	enum serial_kind serial;
	const char *serial_path; /* of SERIAL_SOCKET and SERIAL_FILE */
	struct enlightenments enlightenments;
	bool has_enlightenments; /* they were given */
	enum end_action on_reboot;
	enum end_action on_crash;  /* with any backend */
	bool has_test_devices;	   /* likewise */
	const char *emulated_disk; /* or NULL */
	bool is_emulated_disk_pio;
};

/*
 * Parse one disk argument, "PATH[,key=value|flag...]" (SIZE for DISK_RAM), in place; ",,"
 * stands for a comma of the path. `what` names the option in messages. 0, or -1 after one
 * line on stderr.
 */
int options_disk_parse(const char *what, enum disk_kind kind, char *text, struct disk_options *out);

/* 0: go on; 1: --help was printed; -1: a mistake was reported. argv[0] is the verb. */
int options_parse(int argc, char **argv, struct options *out);

/* "64M", "1G", "512K", "4096": bytes. -1 if it is no size. */
int options_size_parse(const char *text, uint64_t *bytes);

#endif
