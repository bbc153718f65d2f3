// SPDX-License-Identifier: Apache-2.0
/*
 * Between net_info_linux.c (rtnetlink) and net_info_files_linux.c (sysfs, managers' files).
 */
#ifndef GUEST_IC_DAEMONS_NET_INFO_INTERNAL_LINUX_H
#define GUEST_IC_DAEMONS_NET_INFO_INTERNAL_LINUX_H

#include "guest/ic_daemons/net_info_linux.h"

/* Add what files say of `nic`, whose name and index are known. `roots` may be NULL. */
void net_info_read_files(const struct net_info_roots *roots, struct net_interface *nic);

#endif
