// SPDX-License-Identifier: Apache-2.0
/*
 * Samples of the host's clock for another time service, in the shared memory that chrony and
 * ntpd read (chrony.conf: "refclock SHM 0 poll 3 refid HYPV").
 *
 *	timesync_daemon_linux -> time_shm_linux -> segment 0x4e545030 + unit <- chronyd
 *
 * The segment is for its owner alone (0600), and one that anybody else could write is not used:
 * whoever writes there sets the clock.
 *
 * Threads: none of its own; one owner. Sources: chrony.conf(5), "SHM"; ntpd's driver 28.
 */
#ifndef GUEST_IC_DAEMONS_TIME_SHM_LINUX_H
#define GUEST_IC_DAEMONS_TIME_SHM_LINUX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define TIME_SHM_KEY	  0x4e545030 /* "NTP0"; unit 1 is one more */
#define TIME_SHM_UNIT_MAX 255u

/* Of the segment, as those programs have it on a machine of this kind. */
struct time_shm_segment {
	int mode;  /* 1: count is odd or changes while it is written */
	int count; /* shared: atomic */
	time_t clock_s;
	int clock_us;
	time_t receive_s;
	int receive_us;
	int leap; /* 0 none, 1 insert, 2 delete, 3 not synchronised */
	int precision;
	int samples;
	int valid; /* shared: atomic; the reader clears it */
	unsigned clock_ns;
	unsigned receive_ns;
	int reserved[8];
};

struct time_shm {
	struct time_shm_segment *segment; /* NULL: none */
	unsigned unit;
	uint64_t written;
};

/*
 * Attach, or make, the segment of `unit`. 0; -EPERM: it exists and others may write to it, or own
 * it; or another negative errno. `key_base` is TIME_SHM_KEY but in tests.
 */
int time_shm_open(struct time_shm *shm, int key_base, unsigned unit);

/* One sample: the host's clock read `clock_100ns` when ours read `receive_100ns` (timesync.h). */
void time_shm_write(struct time_shm *shm, uint64_t clock_100ns, uint64_t receive_100ns, int leap);

/* Mark what is there as no longer valid, and let go. */
void time_shm_close(struct time_shm *shm);

#endif
