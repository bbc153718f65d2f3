// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-heartbeat: the guest's daemon for heartbeats. See heartbeat_daemon_linux.h.
 */
#include "guest/ic_daemons/heartbeat_daemon_linux.h"

int main(int argc, char **argv)
{
	static struct heartbeat_daemon heartbeat;
	struct daemon_component component;
	heartbeat_daemon_init(&heartbeat, &component);
	return daemon_main(argc, argv, &component);
}
