// SPDX-License-Identifier: Apache-2.0
/*
 * Pool 2: what this Linux system says of itself, ten items in a fixed order (enum kvp_auto):
 *
 *	FullyQualifiedDomainName	host name, as /etc/hosts completes it
 *	IntegrationServicesVersion	of this package
 *	NetworkAddressIPv4, -IPv6	of all interfaces but loopback, separated by ';'
 *	OSBuildNumber			release of the kernel
 *	OSName				NAME of os-release
 *	OSVersion			of the kernel, as x.y.z: so Hyper-V's hosts know it
 *	OSMajorVersion, -Minor-		the first two parts of os-release's VERSION_ID
 *	ProcessorArchitecture		of the kernel
 *
 * Nothing is asked of the network: a name server that does not answer must not hold up a host.
 * Without os-release the system's name is "Linux" and the two parts are the kernel's.
 *
 * Threads: none of its own; a struct belongs to one owner. Rules: R-KVP-007.
 * Sources: os-release(5), hosts(5), uname(2).
 */
#ifndef GUEST_IC_DAEMONS_KVP_AUTO_LINUX_H
#define GUEST_IC_DAEMONS_KVP_AUTO_LINUX_H

#include "guest/ic_daemons/net_info_linux.h"
#include "protocol/kvp.h"

/* How long what was read counts, in milliseconds. */
#define KVP_FACTS_AGE_MS 1000u

struct kvp_facts {
	const char *root; /* before "/etc/…", "/sys/…"; "" is the system's own. Borrowed */
	struct net_info_roots net_roots;
	char sysfs[256]; /* "/sys" of another root */
	bool is_read;
	uint64_t read_ms;
	char values[KVP_AUTO_COUNT][2048];
	struct net_interface *interfaces; /* owned: NET_INTERFACES_MAX */
	size_t interface_count;
};

/* `root` NULL: the system's own. False: no memory. kvp_facts_free() in either case. */
bool kvp_facts_init(struct kvp_facts *facts, const char *root);
void kvp_facts_free(struct kvp_facts *facts);

/*
 * Read everything, unless that was done in the last KVP_FACTS_AGE_MS before `now_ms` (any clock
 * that does not jump). What cannot be read is empty, or of the kernel alone.
 */
void kvp_facts_refresh(struct kvp_facts *facts, uint64_t now_ms);

/* The value of an index below KVP_AUTO_COUNT, as last read. Its key: kvp_auto_key(). */
const char *kvp_facts_value(const struct kvp_facts *facts, uint32_t index);

/* Addresses of one family of all interfaces but loopback, as many as fit into `bytes`. */
void kvp_facts_addresses(const struct net_interface *list, size_t count, enum net_family family,
	char *text, size_t bytes);

#endif
