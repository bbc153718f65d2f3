// SPDX-License-Identifier: Apache-2.0
/*
 * Names for the places where a ring touches a shared word, for protocol/ring_access.h
 * and for those who stand in for it.
 */
#ifndef PROTOCOL_RING_SITE_H
#define PROTOCOL_RING_SITE_H

/* ring.md section 6 uses these names. */
enum ring_site {
	RING_SITE_OPEN,			/* loads and stores while opening */
	RING_SITE_WRITE_PUBLISH,	/* in := private in, full barrier */
	RING_SITE_WRITE_MASK,		/* load interrupt mask after publishing */
	RING_SITE_WRITE_EMPTY,		/* load out: was the ring empty? */
	RING_SITE_WRITE_SPACE,		/* load out: is there room now? */
	RING_SITE_WRITE_WANT,		/* pending := wanted bytes, full barrier */
	RING_SITE_WRITE_WANT_RECHECK,	/* load out after that */
	RING_SITE_WRITE_WANT_CLEAR,	/* pending := 0 */
	RING_SITE_READ_DATA,		/* load in: is there data? */
	RING_SITE_READ_PUBLISH,		/* out := private out, no barrier */
	RING_SITE_READ_PUBLISH_PENDING, /* load pending size after that, as a hint */
	RING_SITE_READ_FLUSH,		/* out := private out, full barrier */
	RING_SITE_READ_PENDING,		/* load pending size after that */
	RING_SITE_READ_PENDING_IN,	/* load in: how much room was and is there? */
	RING_SITE_READ_FEATURES,	/* load the writer's feature word */
	RING_SITE_READ_MASK,		/* mask := 1 */
	RING_SITE_READ_ARM,		/* mask := 0, full barrier */
	RING_SITE_READ_ARM_RECHECK,	/* load in after that */
	RING_SITE_COUNT
};

#endif
