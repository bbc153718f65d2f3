// SPDX-License-Identifier: Apache-2.0
/*
 * Samples for another time service. See time_shm_linux.h.
 */
#include "guest/ic_daemons/time_shm_linux.h"

#include "protocol/timesync.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

/* log2 of what a sample is good to, in seconds: some 10 µs. */
#define PRECISION (-16)

#define PER_SECOND 10000000u

static int attach(struct time_shm *shm, int id)
{
	struct shmid_ds info;
	if (shmctl(id, IPC_STAT, &info) != 0)
		return -errno;
	/* Root's is chronyd's or ours; one of another user is a trap. */
	if ((info.shm_perm.uid != 0 && info.shm_perm.uid != geteuid()) ||
		(info.shm_perm.mode & (S_IWGRP | S_IWOTH)) != 0)
		return -EPERM;
	if (info.shm_segsz < sizeof *shm->segment)
		return -EINVAL;
	void *at = shmat(id, NULL, 0);
	if (at == (void *)-1)
		return -errno;
	shm->segment = at;
	return 0;
}

int time_shm_open(struct time_shm *shm, int key_base, unsigned unit)
{
	memset(shm, 0, sizeof *shm);
	if (unit > TIME_SHM_UNIT_MAX)
		return -EINVAL;
	shm->unit = unit;
	const int id = shmget(
		(key_t)(key_base + (int)unit), sizeof *shm->segment, IPC_CREAT | 0600);
	if (id < 0)
		return -errno;
	const int error = attach(shm, id);
	if (error == 0)
		__atomic_store_n(&shm->segment->valid, 0, __ATOMIC_RELEASE);
	return error;
}

static void split(uint64_t at_100ns, time_t *s, int *us, unsigned *ns)
{
	const uint64_t since =
		at_100ns > TIMESYNC_UNIX_EPOCH_100NS ? at_100ns - TIMESYNC_UNIX_EPOCH_100NS : 0;
	*s = (time_t)(since / PER_SECOND);
	*ns = (unsigned)(since % PER_SECOND) * 100u;
	*us = (int)(*ns / 1000u);
}

void time_shm_write(struct time_shm *shm, uint64_t clock_100ns, uint64_t receive_100ns, int leap)
{
	struct time_shm_segment *at = shm->segment;
	if (at == NULL)
		return;
	/* The reader takes the count before and after: it must have changed if the rest may have.
	 */
	__atomic_store_n(&at->valid, 0, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&at->count, 1, __ATOMIC_SEQ_CST);
	at->mode = 1;
	at->leap = leap;
	at->precision = PRECISION;
	at->samples = 0;
	split(clock_100ns, &at->clock_s, &at->clock_us, &at->clock_ns);
	split(receive_100ns, &at->receive_s, &at->receive_us, &at->receive_ns);
	__atomic_fetch_add(&at->count, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&at->valid, 1, __ATOMIC_SEQ_CST);
	shm->written++;
}

void time_shm_close(struct time_shm *shm)
{
	if (shm->segment == NULL)
		return;
	__atomic_store_n(&shm->segment->valid, 0, __ATOMIC_SEQ_CST);
	shmdt(shm->segment);
	shm->segment = NULL;
}
