// SPDX-License-Identifier: Apache-2.0
/*
 * Between vmbus_devices.c (devices, packets, backup, file copy) and vmbus_devices_kvp.c (commands
 * about pairs and addresses).
 */
#ifndef TESTS_DEVICES_VMBUS_DEVICES_H
#define TESTS_DEVICES_VMBUS_DEVICES_H

#include "host/vsp/fcopy_vsp.h"
#include "host/vsp/kvp_vsp.h"
#include "host/vsp/vss_vsp.h"
#include "tests/devices/device_fs.h"
#include "tests/devices/hv_utils.h"

#include <stdio.h>

#define STEMS	       3u
#define LINE_BYTES     20000u
#define WORDS_MAX      8
#define TICK_MS	       20
#define TRANSCRIPT_MAX 100000u

enum stem {
	STEM_KVP,
	STEM_VSS,
	STEM_FCOPY,
};

/* A packet on its way; each direction has room for one, as the protocol has. */
struct mail {
	size_t len;
	uint8_t bytes[IC_PAYLOAD_MAX_BYTES];
};

struct channel {
	struct machine *machine;
	enum stem stem;
	struct ic_session *session;
	struct hv_utils utils;
	struct mail to_guest;
	struct mail to_host;
	bool is_raw; /* the daemon's next record is the answer to a command */
};

struct machine {
	struct device_fs *fs;
	FILE *transcript; /* or NULL */
	uint64_t noted;	  /* records */
	struct channel channels[STEMS];
	struct kvp_vsp kvp;
	struct vss_vsp vss;
	struct fcopy_vsp fcopy;
	struct kvp_job job;
	int source; /* the file that is copied, or -1 */
	char awaited[16];
	bool awaits_gone;
	bool is_busy; /* a command is not answered yet */
	bool is_over;
	char line[LINE_BYTES];
	size_t line_len;
	bool is_at_end; /* of the commands */
};

/* Nanoseconds of the clock that all of it runs by. */
uint64_t machine_now_ns(void);

/* The last line of a command's answer; the next may come then. */
void machine_answer(struct machine *machine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The commands kvp and ip. */
void machine_do_kvp(struct machine *machine, char **words, int count);
void machine_do_ip(struct machine *machine, char **words, int count);

#endif
