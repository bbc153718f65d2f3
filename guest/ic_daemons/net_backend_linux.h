// SPDX-License-Identifier: Apache-2.0
/*
 * Between net_apply_linux.c, which carries out a change, and the back ends, each of which knows
 * one manager of networks:
 *
 *	net_script_linux.c	an administrator's own hv_set_ifconfig
 *	net_networkd_linux.c	a .network file, reloaded by D-Bus
 *	net_nm_linux.c		NetworkManager's profile of the device, by D-Bus
 *	net_ifupdown_linux.c	stanzas in /etc/network, ifdown and ifup
 *	net_kernel_linux.c	rtnetlink alone; lasts until something else changes it
 *
 * Privileged code. Everything that it writes is made from checked numbers: addresses are
 * formatted here, never copied from the request's text; an interface's name passes
 * net_name_is_valid() first. No shell runs.
 *
 * Threads: none of its own; one change at a time in a process.
 */
#ifndef GUEST_IC_DAEMONS_NET_BACKEND_LINUX_H
#define GUEST_IC_DAEMONS_NET_BACKEND_LINUX_H

#include "guest/ic_daemons/net_config_linux.h"
#include "guest/ic_daemons/net_file_linux.h"
#include "guest/ic_daemons/net_info_linux.h"

struct sd_bus;

/* How a family is to be configured, once what the request leaves open is filled in. */
enum net_mode {
	NET_MODE_AUTO, /* no address of its own: as the manager does by default */
	NET_MODE_DHCP,
	NET_MODE_STATIC,
};

/* One change, from start to end. */
struct net_change {
	const struct net_config_options *options; /* borrowed */
	const char *root;			  /* "" or before absolute paths; borrowed */
	const struct net_request *request;	  /* checked; borrowed */
	const struct net_interface *nic;	  /* as it was; its name is valid; borrowed */
	enum net_mode modes[NET_FAMILY_COUNT];
	/* Of both families: the request's, or what the interface has now. */
	struct net_family_settings wanted[NET_FAMILY_COUNT];
	struct sd_bus *bus;	/* the system's, or NULL; owned by net_apply_linux.c */
	struct net_files files; /* written so far */
	void *state;		/* the back end's own; it frees it in finish() */
	bool is_volatile;	/* a persistent back end could only do it until the next boot */
	bool has_begun; /* apply() has changed something; the back end sets it for its undo() */
	char error[NET_CONFIG_ANSWER_MAX]; /* for people, once something has failed */
};

struct net_backend {
	const char *name;
	bool is_persistent;
	/* Does this manager look after the interface? */
	bool (*is_in_charge)(struct net_change *change);
	/* Do it. 0, or a negative errno with change->error set; undo() follows then. */
	int (*apply)(struct net_change *change);
	/* Put everything back, as far as apply() has come; perhaps nowhere. */
	void (*undo)(struct net_change *change);
	/* Free change->state; always called, last. May be NULL. */
	void (*finish)(struct net_change *change);
};

extern const struct net_backend net_backend_script;
extern const struct net_backend net_backend_networkd;
extern const struct net_backend net_backend_nm;
extern const struct net_backend net_backend_ifupdown;
extern const struct net_backend net_backend_kernel;

/*
 * Put the static name servers of the families that the request sets into /etc/resolv.conf, if
 * there are any. 0 or a negative errno: -ELOOP if it is a symbolic link.
 */
int net_change_resolv_conf(struct net_change *change);

/* Set change->error; returns `error`, a negative errno. */
int net_change_failed(struct net_change *change, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
