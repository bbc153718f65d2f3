// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-shutdown: the guest's daemon for shutdown, restart and hibernation. See
 * shutdown_daemon_linux.h.
 */
#include "guest/ic_daemons/shutdown_daemon_linux.h"

int main(int argc, char **argv)
{
	static struct shutdown_daemon shutdown;
	struct daemon_component component;
	shutdown_daemon_init(&shutdown, &component);
	return daemon_main(argc, argv, &component);
}
