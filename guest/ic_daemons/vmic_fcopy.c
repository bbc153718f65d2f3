// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-fcopy: the guest's service for files that the host copies into it. All of it is in
 * fcopy_service_linux.h.
 */
#include "guest/ic_daemons/fcopy_service_linux.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
	static struct fcopy_service service;
	if (fcopy_service_init(&service) != 0)
		return EXIT_FAILURE;
	return daemon_main(argc, argv, &service.component);
}
