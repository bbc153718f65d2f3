// SPDX-License-Identifier: Apache-2.0
/*
 * Is another program keeping this machine's clock? Two that pull at one clock make it worse than
 * either.
 *
 * Threads: none of its own. Sources: names of the processes of chrony, systemd-timesyncd, ntpsec,
 * OpenNTPD and linuxptp.
 */
#ifndef GUEST_IC_DAEMONS_TIME_OTHERS_LINUX_H
#define GUEST_IC_DAEMONS_TIME_OTHERS_LINUX_H

/*
 * Look through the processes below `proc` ("/proc") for one of a known name that can set the
 * clock and belongs to a service: an ordinary user can name a process as he likes. The name of
 * the first that is found, for people, constant; NULL: none, or they cannot be seen.
 */
const char *time_others_find(const char *proc);

#endif
