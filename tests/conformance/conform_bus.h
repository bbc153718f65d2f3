// SPDX-License-Identifier: Apache-2.0
/*
 * Control messages for conformance tests: whatever bytes a test likes to post, and what
 * came back, in order. Not a client: guest/vmbus refuses to say what is wrong, and that
 * is what most tests must say.
 *
 * Functions that return false have set the evidence. All wait CONFORM_PATIENCE at most.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_BUS_H
#define TESTS_CONFORMANCE_CONFORM_BUS_H

#include "tests/conformance/conform.h"

/* Before and after a test: forget everything; end the connection if there may be one. */
void conform_bus_begin(struct conform_target *t);
void conform_bus_end(struct conform_target *t);
/* Does connection 1 take messages? Changes no state of the host. */
bool conform_bus_exists(struct conform_target *t);

/*
 * Post `bytes` on a connection. What waits for us is taken in meanwhile, and a host that has no
 * room yet is asked again. Returns the status.
 */
uint16_t conform_bus_post_to(
	struct conform_target *t, uint32_t connection, const void *message, size_t bytes);
/* On the connection's own id; any status but success fails. */
bool conform_bus_post(struct conform_target *t, const void *message, size_t bytes);
/* A message that is nothing but its header: REQUEST_OFFERS, UNLOAD, … */
bool conform_bus_post_type(struct conform_target *t, uint32_t type);
/* A message that has a relid behind its header and nothing else. */
bool conform_bus_post_relid(struct conform_target *t, uint32_t type, uint32_t relid);

/* The next message, of any type; false when none comes. */
bool conform_bus_receive(struct conform_target *t, struct winhv_message *out);
/* The next message must be this one, with exactly these bytes, which are copied to `out`. */
bool conform_bus_expect(struct conform_target *t, uint32_t type, void *out, size_t bytes);
/*
 * Nothing has come and nothing will, of what was posted so far: a request that is always
 * answered is the next one to be answered. While connected that is a GPADL of no channel
 * (R-GPADL-009), else contacts, of which the first is refused (R-CONN-002); it stays disconnected.
 * Where the GPADL is not answered within the patience, a contact of the same version tells whether
 * the host still does anything; it begins a new connection, and a test that then fails later on is
 * skipped.
 */
bool conform_bus_quiet(struct conform_target *t, const char *after);

/*
 * INITIATE_CONTACT that a host of that version takes: no monitor pages, message VP 0, an interrupt
 * page below 2.4. To be changed as wanted, and posted.
 */
struct vmbus_initiate_contact_wire conform_contact(
	struct conform_target *t, uint32_t version, uint32_t features);
/* Contact, VERSION_RESPONSE with success. */
bool conform_bus_contact(struct conform_target *t, uint32_t version, uint32_t features);
/* The highest version that the host takes. */
bool conform_bus_connect(struct conform_target *t);
/* That, then REQUEST_OFFERS and all offers. */
bool conform_bus_offers(struct conform_target *t);
/* REQUEST_OFFERS and all offers of the contact in force. */
bool conform_bus_request_offers(struct conform_target *t);
/* The first offer of an interface with this subchannel index, or NULL. */
const struct vmbus_offer_channel_wire *conform_offer(
	const struct conform_target *t, const struct guid *interface_id);
/* UNLOAD and its answer, if the version has one. */
bool conform_bus_unload(struct conform_target *t);

/* ---- GPADLs ---------------------------------------------------------------------------------- */

/* An id that this test has not used. */
uint32_t conform_gpadl_id(struct conform_target *t);
/*
 * GPADL_HEADER with the first words (27 at most), then GPADL_BODY with up to `per_body` each, for
 * `count` words. range_bytes and ranges are what the header says.
 */
bool conform_gpadl_send(struct conform_target *t, uint32_t relid, uint32_t id, uint16_t range_bytes,
	uint16_t ranges, const uint64_t *words, unsigned count, unsigned per_body);
/* One GPADL_BODY. */
bool conform_gpadl_body(
	struct conform_target *t, uint32_t id, const uint64_t *words, unsigned count);
/* GPADL_CREATED is next, with these ids; its status goes to *status. */
bool conform_gpadl_created(struct conform_target *t, uint32_t relid, uint32_t id, uint32_t *status);
/* One range of whole, consecutive pages (30 at most); CREATED with success. */
bool conform_gpadl_make(
	struct conform_target *t, uint32_t relid, uint32_t id, const struct winhv_pages *pages);
bool conform_gpadl_teardown(struct conform_target *t, uint32_t relid, uint32_t id);
/* GPADL_TORNDOWN is next, with this id. */
bool conform_gpadl_torndown(struct conform_target *t, uint32_t id);

#endif
