// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-timesync: the guest's daemon for time synchronisation. See timesync_daemon_linux.h.
 */
#include "guest/ic_daemons/timesync_daemon_linux.h"

int main(int argc, char **argv)
{
	static struct timesync_daemon timesync;
	struct daemon_component component;
	timesync_daemon_init(&timesync, &component);
	return daemon_main(argc, argv, &component);
}
