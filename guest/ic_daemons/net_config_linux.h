// SPDX-License-Identifier: Apache-2.0
/*
 * Changing an interface's addresses at the host's wish (IP injection), by a small privileged
 * program that does nothing else:
 *
 *	vmic-kvp, unprivileged		net_config_call()
 *	    |  a socket: one request, one answer, both short strict text
 *	viridian-net-config, privileged	net_config_serve()
 *	    |
 *	systemd-networkd | NetworkManager | ifupdown | the kernel alone
 *
 * With systemd the program is started for each connection to NET_CONFIG_SOCKET, which only the
 * daemon's user can open. Where there is no such socket, a child of the daemon that has kept its
 * privileges calls net_config_serve() itself.
 *
 * A request names an adapter and, of each family that it sets, all of it: DHCP, or addresses,
 * gateways and name servers. A family that it does not set stays as it is. Name servers with
 * DHCP replace those that DHCP gives. A static IPv6 family takes no router advertisements.
 *
 * The request's text, one item a line, in this order, at most NET_CONFIG_TEXT_MAX bytes:
 *
 *	viridian-net-config 1
 *	adapter guid f8615163-df3e-46c5-913f-f2d2f965ed0e	or: adapter mac 00:15:5D:01:02:03
 *	ipv4 static						or: ipv4 dhcp
 *	address 192.0.2.5/24					any number, up to the bounds
 *	gateway 192.0.2.1
 *	dns 192.0.2.53
 *	ipv6 dhcp						likewise
 *	end
 *
 * The answer is one line: "ok BACKEND persistent" or "ok BACKEND until-reboot", or
 * "error REASON TEXT", printable ASCII only.
 *
 * Threads: none of its own; blocks for as long as the back end takes, a minute at most.
 * Rules: R-KVP-018.
 */
#ifndef GUEST_IC_DAEMONS_NET_CONFIG_LINUX_H
#define GUEST_IC_DAEMONS_NET_CONFIG_LINUX_H

#include "guest/ic_daemons/net_address.h"

#define NET_CONFIG_SOCKET     "/run/viridian/net-config.sock"
#define NET_CONFIG_TEXT_MAX   12288u
#define NET_CONFIG_ANSWER_MAX 200u
#define NET_CONFIG_LINE_MAX   256u

/* What is to be. */
struct net_request {
	bool has_guid; /* else by MAC */
	struct guid guid;
	uint8_t mac[NET_MAC_BYTES];
	bool sets[NET_FAMILY_COUNT];			       /* at least one */
	struct net_family_settings families[NET_FAMILY_COUNT]; /* of those that it sets */
};

enum net_config_result {
	NET_CONFIG_OK,
	NET_CONFIG_INVALID,	/* the request breaks a rule; nothing was done */
	NET_CONFIG_NO_ADAPTER,	/* no interface has that GUID or MAC */
	NET_CONFIG_FAILED,	/* the manager or the kernel refused; the old settings stand */
	NET_CONFIG_UNAVAILABLE, /* the privileged program cannot be reached */
	NET_CONFIG_RESULT_COUNT
};

/* How a request ended. */
struct net_config_answer {
	enum net_config_result result;
	bool is_persistent;		  /* survives a reboot; only if OK */
	char text[NET_CONFIG_ANSWER_MAX]; /* the back end if OK, else what was wrong, for people */
};

/*
 * Judge the values of a request: counts in bounds; addresses that an interface can have (no
 * multicast, loopback, unspecified, broadcast or network address, none twice); each gateway on a
 * link of an address of its family, or link-local for IPv6; name servers that can be reached
 * by unicast; with DHCP no addresses or gateways. Static needs an address. Returns NULL if all
 * is well, else what is wrong, a constant text for people.
 */
const char *net_config_check(const struct net_request *request);

/*
 * The request's text and a NUL; returns its length. NET_CONFIG_TEXT_MAX bytes suffice for every
 * request of which net_config_check() approves.
 */
size_t net_config_write(const struct net_request *request, char text[NET_CONFIG_TEXT_MAX]);

/*
 * Read a request's text, `len` bytes without a NUL. Returns NULL, or what is wrong with it (a
 * constant text for people). The values are not judged yet.
 */
const char *net_config_read(const char *text, size_t len, struct net_request *request);

/* The answer's line with its newline and a NUL; returns its length. */
size_t net_config_answer_write(
	const struct net_config_answer *answer, char line[NET_CONFIG_LINE_MAX]);

/* Read the bytes that the other side sent until it closed. What is no answer is UNAVAILABLE. */
void net_config_answer_read(const char *bytes, size_t len, struct net_config_answer *answer);

/*
 * Ask for a change at a Unix socket and wait for at most `timeout_ms`. A result in any case:
 * NET_CONFIG_INVALID without asking, if net_config_check() does not approve.
 */
void net_config_call(const char *socket_path, int timeout_ms, const struct net_request *request,
	struct net_config_answer *answer);

/* How to change things. All may be NULL or 0; a test sets them. */
struct net_config_options {
	const char *sysfs;	 /* in place of "/sys" */
	const char *root;	 /* before "/etc/…", "/run/…", "/sbin/…" and "/var/…" */
	const char *bus_address; /* in place of the system bus */
	const char *systemd_run; /* programs are run by this, out of our sandbox; NULL: by us */
	const char *back_end;	 /* its name; NULL: the one that is in charge of the interface */
	int settle_ms;		 /* wait for static addresses; 0: 10 seconds; negative: do not */
};

/* With privileges: change things. A result in any case. */
void net_config_apply(const struct net_config_options *options, const struct net_request *request,
	struct net_config_answer *answer);

/* With privileges: one request's text in, one answer's line out; returns its length. */
size_t net_config_serve(const struct net_config_options *options, const char *text, size_t len,
	char line[NET_CONFIG_LINE_MAX]);

#endif
