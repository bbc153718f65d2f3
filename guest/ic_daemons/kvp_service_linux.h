// SPDX-License-Identifier: Apache-2.0
/*
 * What the key-value operations do in a Linux guest: pools 0, 1 and 3 are files
 * (kvp_pool_linux.h), pool 2 is what the system says of itself (kvp_auto_linux.h), addresses are
 * read from the kernel; setting them is the owner's affair.
 *
 *	kvp_ic, kvp_device_linux -> kvp_service_ops -> kvp_pool, kvp_auto, kvp_net; set_ip()
 *
 * Threads: none of its own; one owner. Rules: kvp.md.
 */
#ifndef GUEST_IC_DAEMONS_KVP_SERVICE_LINUX_H
#define GUEST_IC_DAEMONS_KVP_SERVICE_LINUX_H

#include "guest/ic_daemons/kvp_auto_linux.h"
#include "guest/ic_daemons/kvp_ic.h"
#include "guest/ic_daemons/kvp_net_linux.h"
#include "guest/ic_daemons/kvp_pool_linux.h"

struct kvp_service {
	int dir_fd;						 /* owned; -1 */
	struct kvp_pool_store pools[KVP_POOL_AUTO_EXTERNAL + 1]; /* KVP_POOL_AUTO is not used */
	struct kvp_facts facts;
	/* The owner's. May be called once it is set; each `ctx` is the owner's. */
	uint64_t (*now_ms)(void);
	/*
	 * Set the addresses of `interface`, which is there, as `request` says, whose values are
	 * judged. IC_STATUS_* or IC_GUEST_LATER. NULL: not supported.
	 */
	uint32_t (*set_ip)(void *ctx, const struct net_interface *interface,
		const struct net_request *request);
	/* Something went wrong, for people; `text` is borrowed. May be NULL. */
	void (*complain)(void *ctx, const char *text);
	void *ctx;
	/* Since init. */
	uint64_t reads;
	uint64_t changes;
	uint64_t failures; /* of the file system, not of the host */
	uint64_t cut;	   /* texts that are too long for a message, and were sent in part */
	struct net_request request;
};

/*
 * Open the pools of the folder `dir`, which is made (0755) if it is missing; `root` is as of
 * kvp_facts_init(). 0 or a negative errno; kvp_service_close() in either case.
 */
int kvp_service_open(struct kvp_service *service, const char *dir, const char *root);
void kvp_service_close(struct kvp_service *service);

/* The operations; their ctx is a struct kvp_service. */
extern const struct kvp_ops kvp_service_ops;

/*
 * A text of a file or of the system as a value of a message: what is no UTF-8 becomes U+FFFD, and
 * what is past `units` UTF-16 units is left out, at the end of a character. True: nothing was.
 */
bool kvp_text_fit(const char *from, size_t from_bytes, size_t units, char *to, size_t to_bytes);

#endif
