// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses as the protocol has them, to and from what this system has: which interface a
 * host means, what of it to tell, and what to ask for.
 *
 * Pure functions. Rules: R-KVP-010, R-KVP-018, R-KVP-028.
 */
#ifndef GUEST_IC_DAEMONS_KVP_NET_LINUX_H
#define GUEST_IC_DAEMONS_KVP_NET_LINUX_H

#include "guest/ic_daemons/net_config_linux.h"
#include "guest/ic_daemons/net_info_linux.h"
#include "protocol/kvp.h"

/*
 * The interface that `adapter` names: by its MAC, with colons, or the GUID of its VMBus instance,
 * with or without braces. Of several with one MAC (a synthetic adapter and the function that
 * carries its traffic) the first that has addresses, or the first. NULL: none has that.
 */
const struct net_interface *kvp_net_find(
	const struct net_interface *list, size_t count, const char *adapter);

/* Everything of `ip` but the adapter, from what the interface has. */
void kvp_net_describe(const struct net_interface *interface, struct kvp_ip *ip);

/*
 * What a host asks for, as a request. DHCP concerns IPv4 alone, and then the addresses and
 * gateways that come with it do not count; a family without addresses stays as it is. NULL if
 * that can be asked for; else what is wrong, a constant text for people. The values are
 * judged by net_config_check(), too.
 */
const char *kvp_net_request(const struct kvp_ip *ip, struct net_request *request);

#endif
