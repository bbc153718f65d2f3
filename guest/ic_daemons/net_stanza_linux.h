// SPDX-License-Identifier: Apache-2.0
/*
 * Texts of /etc/network/interfaces and /etc/resolv.conf with some of their lines replaced.
 *
 * Threads: everything here is pure but for malloc(); call from anywhere.
 */
#ifndef GUEST_IC_DAEMONS_NET_STANZA_LINUX_H
#define GUEST_IC_DAEMONS_NET_STANZA_LINUX_H

#include "guest/ic_daemons/net_address.h"

/*
 * The text without the "iface NAME inet" (if ipv4) and "iface NAME inet6" (if ipv6) stanzas of
 * this interface; comments, blank lines and everything else stay. With `needs_source` a line that
 * reads interfaces.d is added where there is none. Returns a string for the caller to free() and
 * *out_len; NULL: no memory.
 */
char *net_stanza_remove(const char *text, size_t len, const char *name, bool ipv4, bool ipv6,
	bool needs_source, size_t *out_len);

/*
 * The text of resolv.conf, marked as ours, with the name servers of the families that are
 * replaced in place of its own of those families; everything else stays. Likewise.
 */
char *net_stanza_resolv_conf(const char *text, size_t len, const bool is_replaced[NET_FAMILY_COUNT],
	const struct net_family_settings wanted[NET_FAMILY_COUNT], size_t *out_len);

#endif
