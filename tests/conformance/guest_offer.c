// SPDX-License-Identifier: Apache-2.0
/* Offers, rescinds and releases, as a guest takes them: vmbus.md, sections 6 and 10. */
#include "tests/conformance/guest_areas.h"

#include <string.h>

/* Let an offer with these bytes come. */
static void say_offer(struct scripted_host *h, const uint8_t m[196])
{
	host_say(h, m, 196);
	guest_serve(h);
}

static const struct vmbus_offer *offer_of(const struct scripted_host *h, uint32_t relid)
{
	return vmbus_client_offer(&h->bus->client, relid);
}

/* ---- offers that are none ------------------------------------------------------------------- */

static enum conform_verdict impossible_relids(struct conform_target *t)
{
	static const uint32_t relids[] = {0, 2048, 2049, 4096, 0x7fffffff, 0x80000001, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t posts = h->script.post_count;
	uint8_t m[196];

	for (unsigned i = 0; i < sizeof relids / sizeof relids[0]; i++) {
		host_offer_bytes(h, 9, m);
		put32(m + 184, relids[i]);
		say_offer(h, m);
		EXPECT(h->offered == 3, "relid 0x%x is taken", relids[i]);
		EXPECT(guest_refused(h, VMBUS_REJECTION_OFFER_FIELDS) == i + 1,
			"relid 0x%x is not refused", relids[i]);
	}
	EXPECT(h->script.post_count == posts, "an impossible relid is released");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict relid_in_use(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_offer before = *offer_of(h, 1);
	const uint64_t posts = h->script.post_count;
	uint8_t m[196];

	host_offer_bytes(h, 9, m); /* another device, on relids 1 and 2 */
	for (uint32_t relid = 1; relid <= 2; relid++) {
		put32(m + 184, relid);
		say_offer(h, m);
	}
	host_offer(h, 1); /* and the same one again */
	guest_serve(h);
	EXPECT(h->offered == 3, "a second offer of the relid is taken");
	EXPECT(guest_refused(h, VMBUS_REJECTION_OFFER_IN_USE) == 3, "it is not refused");
	EXPECT(guid_equal(&offer_of(h, 1)->instance_id, &before.instance_id),
		"the offer has another instance now");
	EXPECT(h->script.post_count == posts, "the relid of the first offer is released");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict short_offers(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	host_offer_bytes(h, 9, m);
	for (size_t bytes = 8; bytes < sizeof m; bytes++)
		host_say(h, m, bytes);
	guest_serve(h);
	EXPECT(h->offered == 3, "a short offer is taken");
	EXPECT(guest_refused(h, VMBUS_REJECTION_TOO_SMALL) == 188, "of 188 offers %u are too small",
		(unsigned)guest_refused(h, VMBUS_REJECTION_TOO_SMALL));
	host_say(h, m, sizeof m);
	guest_serve(h);
	EXPECT(h->offered == 4, "an offer of 196 bytes is refused");
	return CONFORM_PASS;
}

static enum conform_verdict short_offers_at_0_13(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	TRY(guest_connect(t, 0x0d));
	host_offer_bytes(h, 9, m);
	host_say(h, m, 189);
	guest_serve(h);
	EXPECT(h->offered == 3, "189 bytes are taken");
	host_say(h, m, 190);
	guest_serve(h);
	EXPECT(h->offered == 4, "190 bytes are refused");
	return CONFORM_PASS;
}

static enum conform_verdict same_device_twice(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	host_offer_bytes(h, 1, m);
	put32(m + 184, 9); /* relid */
	say_offer(h, m);
	EXPECT(h->offered == 3, "the same device is taken under a second relid");
	EXPECT(host_posts(h, 13) == 1 && get32(host_last(h, 13)->payload + 8) == 9,
		"relid 9 is not released");
	EXPECT(offer_of(h, 1) != NULL, "the first offer is gone");
	TRY(guest_goes_on(t, 1));
	return CONFORM_PASS;
}

static enum conform_verdict orphan(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	host_offer_bytes(h, 9, m);
	put16(m + 180, 1); /* subchannel 1 of a device that is not there */
	say_offer(h, m);
	EXPECT(h->offered == 3, "it is taken");
	EXPECT(guest_refused(h, VMBUS_REJECTION_OFFER_ORPHAN) == 1, "it is not refused");
	EXPECT(host_posts(h, 13) == 1, "its relid is released %u times", host_posts(h, 13));
	say_offer(h, m);
	EXPECT(host_posts(h, 13) == 2, "offered again, it is not released again");
	return CONFORM_PASS;
}

static enum conform_verdict subchannel_twice(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->subchannel[4] = 1;
	h->subchannel[5] = 1;
	host_offer(h, 4);
	guest_serve(h);
	TRY(guest_opens(t, 1));
	TRY(guest_opens(t, 4));
	host_offer(h, 5); /* the same index, while relid 4 is open */
	guest_serve(h);
	EXPECT(h->offered == 4, "a second subchannel 1 is taken while the first is open");
	EXPECT(get32(host_last(h, 13)->payload + 8) == 5, "its relid is not released");
	return CONFORM_PASS;
}

static enum conform_verdict monitor_ids(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_config config = {.wants_monitor_pages = true};
	static const uint8_t ids[] = {128, 129, 200, 254, 255};
	uint8_t m[196];

	TRY(guest_bus(t, &config));
	EXPECT(vmbus_connect(h->bus, guest_deadline(h)) == 0, "connecting fails");
	for (unsigned i = 0; i < sizeof ids; i++) {
		host_offer_bytes(h, 5 + i, m);
		m[188] = ids[i];
		m[189] = 1; /* "allocated" */
		say_offer(h, m);
		if (offer_of(h, 5 + i) == NULL)
			continue; /* refused: it is not used either */
		EXPECT(guest_open(h, 5 + i) == 0, "monitor id %u: it does not open", ids[i]);
		vmbus_channel_signal(&h->guest[5 + i]);
	}
	const uint8_t *page = platform_scripted_at(&h->script, h->monitor_page, 4096);
	for (uint32_t at = 0; at < 4096; at += 4)
		EXPECT(get32(page + at) == 0, "0x%x at offset %u for a monitor id past 127",
			get32(page + at), at);
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* All fields that mean nothing, or that a guest does not know, at their extremes. */
static enum conform_verdict odd_fields(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	host_offer_bytes(h, 4, m);
	memset(m + 40, 0xff, 16);   /* reserved */
	put16(m + 56, 0xffff);	    /* flags */
	put16(m + 58, 0xffff);	    /* MMIO */
	memset(m + 60, 0xff, 120);  /* user data */
	put16(m + 182, 0xffff);	    /* MMIO, optional */
	put16(m + 190, 0xffff);	    /* interrupt flags */
	put32(m + 192, 0xffffffff); /* connection id */
	say_offer(h, m);
	EXPECT(h->offered == 4, "an offer with unknown flags is refused");
	TRY(guest_goes_on(t, 4));
	return CONFORM_PASS;
}

/* ---- many offers ---------------------------------------------------------------------------- */

static enum conform_verdict hot_add(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	host_offer(h, 4);
	guest_serve(h);
	EXPECT(h->offered == 4, "an offer after the last is not taken");
	TRY(guest_goes_on(t, 4));
	return CONFORM_PASS;
}

static enum conform_verdict every_relid(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	for (uint32_t relid = 4; relid < 2048; relid++) {
		host_offer_bytes(h, relid, m);
		put32(m + 24, relid); /* another instance each */
		host_say(h, m, sizeof m);
		if (relid % 100 == 0)
			guest_serve(h);
	}
	guest_serve(h);
	EXPECT(h->offered == 2047, "of 2047 offers %u are taken", h->offered);
	for (uint32_t relid = 4; relid < 2048; relid++) {
		host_rescind(h, relid);
		if (relid % 100 == 0)
			guest_serve(h);
	}
	guest_serve(h);
	EXPECT(h->gone == 2044, "of 2044 rescinds %u end", h->gone);
	EXPECT(h->bus->client.relid_max == 3, "relids up to %u are kept", h->bus->client.relid_max);
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict offer_and_rescind(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->script.post_count = 0;
	for (unsigned i = 0; i < 100; i++) {
		host_offer(h, 4);
		host_rescind(h, 4);
	}
	guest_serve(h);
	EXPECT(h->offered == 103 && h->gone == 100, "of 100 offers %u came and %u went",
		h->offered - 3, h->gone);
	EXPECT(host_posts(h, 13) == 100, "%u releases", host_posts(h, 13));
	EXPECT(offer_of(h, 4) == NULL, "the offer is left");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* The host has no room for the releases, and goes on offering and rescinding. */
static enum conform_verdict no_room_for_releases(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->script.post_count = 0;
	for (unsigned i = 0; i < 100; i++) {
		platform_scripted_post_status(&h->script, 0x13, 1);
		host_offer(h, 4);
		host_rescind(h, 4);
		guest_serve(h);
	}
	while (h->script.status_count > 0)
		(void)vmbus_poll(h->bus, SECOND);
	(void)vmbus_poll(h->bus, SECOND);
	EXPECT(offer_of(h, 4) == NULL, "the offer is left");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* ---- rescind -------------------------------------------------------------------------------- */

static enum conform_verdict unknown_rescinds(struct conform_target *t)
{
	static const uint32_t relids[] = {0, 4, 2047, 2048, 0xffff, 0x80000001, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t posts = h->script.post_count;

	for (unsigned i = 0; i < sizeof relids / sizeof relids[0]; i++)
		host_rescind(h, relids[i]);
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNKNOWN_CHANNEL) == 7, "of 7 rescinds %u",
		(unsigned)guest_refused(h, VMBUS_REJECTION_UNKNOWN_CHANNEL));
	EXPECT(h->script.post_count == posts && h->gone == 0, "something is released");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict repeated_rescinds(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 20; i++)
		host_rescind(h, 1);
	guest_serve(h);
	EXPECT(h->rescinded[1] == 1, "the channel is told %u times", h->rescinded[1]);
	EXPECT(host_posts(h, 13) == 0, "the relid is released before the channel is closed");
	EXPECT(vmbus_channel_close(h->bus, &h->guest[1], guest_deadline(h)) == 0, "closing fails");
	for (unsigned i = 0; i < 20; i++)
		host_rescind(h, 1);
	guest_serve(h);
	EXPECT(host_posts(h, 13) == 1, "the relid is released %u times", host_posts(h, 13));
	EXPECT(h->gone == 1, "the offer ends %u times", h->gone);
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict released_last(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_gpadl gpadl = {0};
	struct winhv_pages pages;

	EXPECT(winhv_pages_alloc(&h->hv, 4096, &pages) == 0, "no pages");
	EXPECT(vmbus_gpadl_create(h->bus, 1, &pages, &gpadl, guest_deadline(h)) == 0, "no GPADL");
	h->script.post_count = 0;
	host_rescind(h, 1);
	guest_serve(h);
	EXPECT(vmbus_channel_close(h->bus, &h->guest[1], guest_deadline(h)) == 0, "closing fails");
	EXPECT(host_posts(h, 13) == 0, "it is released while it has a GPADL");
	EXPECT(vmbus_gpadl_teardown(h->bus, &gpadl, guest_deadline(h)) == 0, "no teardown");
	guest_serve(h);
	EXPECT(host_posts(h, 13) == 1, "it is released %u times", host_posts(h, 13));
	EXPECT(get32(platform_scripted_post(&h->script, 0)->payload) == 13,
		"message %u names the relid after the release",
		get32(platform_scripted_post(&h->script, 0)->payload));
	winhv_pages_free(&h->hv, &pages);
	return CONFORM_PASS;
}

/* Rescinded, released, offered again: no second release, which would end the new offer. */
static enum conform_verdict offered_again(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->script.post_count = 0;
	host_rescind(h, 2);
	guest_serve(h);
	host_offer(h, 2);
	guest_serve(h);
	EXPECT(host_posts(h, 13) == 1, "%u releases", host_posts(h, 13));
	TRY(guest_goes_on(t, 2));
	EXPECT(host_posts(h, 13) == 1, "the new offer is released");
	return CONFORM_PASS;
}

static enum conform_verdict primary_first(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->subchannel[4] = 1;
	h->subchannel[5] = 2;
	host_offer(h, 4);
	host_offer(h, 5);
	guest_serve(h);
	TRY(guest_opens(t, 4));
	host_rescind(h, 1);
	guest_serve(h);
	host_rescind(h, 4);
	host_rescind(h, 5);
	guest_serve(h);
	EXPECT(h->rescinded[1] == 1 && h->rescinded[4] == 1, "a channel is not told");
	EXPECT(vmbus_channel_close(h->bus, &h->guest[4], guest_deadline(h)) == 0 &&
			vmbus_channel_close(h->bus, &h->guest[1], guest_deadline(h)) == 0,
		"closing fails");
	guest_serve(h);
	EXPECT(host_posts(h, 13) == 3, "%u relids are released", host_posts(h, 13));
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* What is rescinded cannot be opened, and opening says so. */
static enum conform_verdict open_after_rescind(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	host_rescind(h, 2);
	guest_serve(h);
	h->script.post_count = 0;
	const int error = guest_open(h, 2);
	EXPECT(error == -VIRIDIAN_ENOENT || error == -VIRIDIAN_ENODEV, "opening ends with %d",
		error);
	EXPECT(h->script.post_count == 0, "message %u names the relid",
		get32(h->script.posts[0].payload));
	return CONFORM_PASS;
}

const struct conform_test guest_offer_tests[] = {
	{"R-OFFER-016", "a relid that is 0 or above 2047 is dropped", impossible_relids,
		GUEST_CONNECTED, 0, 0},
	{"R-OFFER-016", "a relid in use is dropped, and its channel stays", relid_in_use,
		GUEST_CONNECTED, 0, 0},
	{"R-OFFER-017", "fewer than 196 bytes are dropped", short_offers, GUEST_CONNECTED, 0, 0},
	{"R-OFFER-017", "at 0.13 190 bytes will do", short_offers_at_0_13, GUEST_BUS, 0, 0},
	{"R-OFFER-018", "a device that is there already is dropped", same_device_twice,
		GUEST_CONNECTED, 0, 0},
	{"R-OFFER-018", "a subchannel without a primary is dropped", orphan, GUEST_CONNECTED, 0, 0},
	{"R-OFFER-018", "a subchannel that is open already is dropped", subchannel_twice,
		GUEST_CONNECTED, 0, 0},
	{"R-ROB-010", "monitor ids above 127 are not used", monitor_ids, GUEST_BUS, 0, 0},
	{"R-ROB-010", "fields at their extremes do no harm", odd_fields, GUEST_CONNECTED, 0, 0},
	{"R-OFFER-019", "an offer after the last is taken", hot_add, GUEST_CONNECTED, 0, 0},
	{"R-OFFER-021", "2047 offers are taken and given up", every_relid, GUEST_CONNECTED, 0, 0},
	{"R-RESC-020", "offer and rescind back to back leave nothing", offer_and_rescind,
		GUEST_CONNECTED, 0, 0},
	{"R-OFFER-021", "without room for releases nothing piles up", no_room_for_releases,
		GUEST_CONNECTED, 0, 0},
	{"R-RESC-019", "rescinds of unknown relids are dropped", unknown_rescinds, GUEST_CONNECTED,
		0, 0},
	{"R-RESC-019", "repeated rescinds are dropped", repeated_rescinds, GUEST_CHANNEL, 0, 0},
	{"R-RESC-017", "the release is the last message of its relid", released_last, GUEST_CHANNEL,
		0, 0},
	{"R-RESC-014", "a relid that is offered again is not released again", offered_again,
		GUEST_CONNECTED, 0, 0},
	{"R-RESC-021", "a primary may be rescinded before its subchannels", primary_first,
		GUEST_CHANNEL, 0, 0},
	{"R-RESC-019", "what was rescinded is not opened", open_after_rescind, GUEST_CONNECTED, 0,
		0},
};
const size_t guest_offer_test_count = sizeof guest_offer_tests / sizeof guest_offer_tests[0];
