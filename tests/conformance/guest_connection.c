// SPDX-License-Identifier: Apache-2.0
/* Contact and versions, as a guest does them: vmbus.md, sections 3 to 5. */
#include "tests/conformance/guest_areas.h"

#include "protocol/hypervisor.h"

#include <string.h>

#define VERSIONS 11u

/* Newest first, as guests try them. */
static const uint32_t versions[VERSIONS] = {0x60000, 0x50003, 0x50002, 0x50001, 0x50000, 0x40001,
	0x40000, 0x30000, 0x20004, 0x10001, 0x0000d};

/* The n-th post of INITIATE_CONTACT. */
static const struct scripted_post *contact(const struct scripted_host *h, unsigned n)
{
	static const struct scripted_post none;

	for (unsigned i = 0; i < h->script.post_count && i < SCRIPTED_POSTS_MAX; i++)
		if (get32(h->script.posts[i].payload) == 14 && n-- == 0)
			return &h->script.posts[i];
	return &none;
}

static int connect_to(struct scripted_host *h)
{
	return vmbus_connect(h->bus, guest_deadline(h));
}

/* ---- which version, and where --------------------------------------------------------------- */

static enum conform_verdict from_the_top(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned best = 0; best < VERSIONS; best++) {
		h->script.post_count = 0;
		h->version = versions[best];
		TRY(guest_bus(t, NULL));
		const int error = connect_to(h);
		EXPECT(error == 0, "version 0x%x: connecting ends with %d", versions[best], error);
		EXPECT(host_posts(h, 14) == best + 1, "version 0x%x after %u contacts",
			versions[best], host_posts(h, 14));
		for (unsigned i = 0; i <= best; i++)
			EXPECT(get32(contact(h, i)->payload + 8) == versions[i],
				"contact %u asks for 0x%x", i, get32(contact(h, i)->payload + 8));
		EXPECT(vmbus_version(h->bus) == versions[best], "0x%x is in force, not 0x%x",
			vmbus_version(h->bus), versions[best]);
		EXPECT(vmbus_unload(h->bus, guest_deadline(h)) == 0, "unloading fails");
	}
	return CONFORM_PASS;
}

static enum conform_verdict connection_ids(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->version = 0x30000;
	EXPECT(connect_to(h) == 0, "connecting fails");
	for (unsigned i = 0; i < host_posts(h, 14); i++)
		EXPECT(contact(h, i)->connection_id == (versions[i] >= 0x50000 ? 4 : 1),
			"version 0x%x is asked for on connection %u", versions[i],
			contact(h, i)->connection_id);
	return CONFORM_PASS;
}

/* Connection 4 does not exist: at once, not after a pause. */
static enum conform_verdict no_connection_4(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t start = h->script.now_100ns;

	h->version = 0x40001;
	platform_scripted_post_status(&h->script, HV_STATUS_INVALID_CONNECTION_ID, 1);
	EXPECT(connect_to(h) == 0, "connecting fails");
	EXPECT(host_posts(h, 14) == 2, "it takes %u contacts", host_posts(h, 14));
	EXPECT(get32(contact(h, 1)->payload + 8) == 0x40001, "the second asks for 0x%x",
		get32(contact(h, 1)->payload + 8));
	EXPECT(contact(h, 1)->connection_id == 1, "the second goes to connection %u",
		contact(h, 1)->connection_id);
	EXPECT(h->script.now_100ns == start, "it waits %u us in between",
		(unsigned)((h->script.now_100ns - start) / 10));
	return CONFORM_PASS;
}

static enum conform_verdict nothing_in_common(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const unsigned pages = h->script.pages_used;

	h->version = 0;
	const int error = connect_to(h);
	EXPECT(error == -VIRIDIAN_ENOTSUP, "connecting ends with %d", error);
	EXPECT(host_posts(h, 14) == VERSIONS, "%u contacts", host_posts(h, 14));
	winhv_synic_disable(&h->hv, 0);
	EXPECT(h->script.pages_used == pages, "%u pages are kept", h->script.pages_used - pages);
	h->version = 0x60000;
	TRY(guest_bus(t, NULL));
	EXPECT(connect_to(h) == 0, "it cannot connect later");
	return CONFORM_PASS;
}

/* Not the one that contacts go to. */
static bool return_another_id(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 14)
		return false;
	host_version(h, 20, 1, 0, 0x77, 0);
	return true;
}

static enum conform_verdict posts_to_returned_id(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->is_silent[14] = true;
	h->version = 0;
	(void)vmbus_connect(h->bus, h->script.now_100ns + 1);
	h->script.post_count = 0;
	h->is_silent[14] = false;
	h->version = 0x60000;
	h->on_message = return_another_id;
	EXPECT(connect_to(h) == 0, "connecting fails");
	EXPECT(host_last(h, 3)->connection_id == 0x77, "REQUEST_OFFERS goes to connection %u",
		host_last(h, 3)->connection_id);
	TRY(guest_goes_on(t, 2));
	EXPECT(host_last(h, 5)->connection_id == 0x77, "OPEN goes to connection %u",
		host_last(h, 5)->connection_id);
	return CONFORM_PASS;
}

/* ---- what is in the messages ---------------------------------------------------------------- */

static enum conform_verdict padding_is_zero(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < VERSIONS; i++) {
		h->script.post_count = 0;
		h->version = versions[i];
		TRY(guest_bus(t, NULL));
		EXPECT(connect_to(h) == 0, "connecting at 0x%x fails", versions[i]);
		TRY(guest_goes_on(t, 2));
		for (unsigned n = 0; n < h->script.post_count; n++)
			EXPECT(get32(h->script.posts[n].payload + 4) == 0,
				"message %u: the second word of the header is 0x%x",
				get32(h->script.posts[n].payload),
				get32(h->script.posts[n].payload + 4));
		const uint8_t *m = host_last(h, 14)->payload;
		EXPECT(versions[i] < 0x50000 || (get16(m + 18) == 0 && m[17] <= 2),
			"0x%x: SINT, VTL and padding are 0x%x", versions[i], get32(m + 16));
		EXPECT(versions[i] == 0x60000 || versions[i] < 0x50000 || get32(m + 20) == 0,
			"0x%x asks for features 0x%x", versions[i], get32(m + 20));
		EXPECT(vmbus_unload(h->bus, guest_deadline(h)) == 0, "unloading fails");
	}
	return CONFORM_PASS;
}

/* ---- answers that say no -------------------------------------------------------------------- */

static bool say_failed_state(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 14)
		return false;
	h->vp = 0;
	host_version(h, get32(m + 8) >= 0x60000 ? 20 : 16, 1, (uint8_t)h->turn,
		get32(m + 8) >= 0x50000 ? 4 : get32(m + 8), 0);
	return true;
}

static enum conform_verdict failed_state(struct conform_target *t)
{
	static const uint8_t states[] = {1, 2, 3, 128, 255};
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < VERSIONS * sizeof states; i++) {
		const struct vmbus_config config = {.version_max = versions[i / sizeof states]};
		const bool is_known = config.version_max >= 0x20004;
		TRY(guest_bus(t, &config));
		h->version = config.version_max;
		h->turn = states[i % sizeof states];
		h->on_message = say_failed_state;
		const int error = connect_to(h);
		h->on_message = NULL;
		EXPECT(error == (is_known ? -VIRIDIAN_EIO : 0),
			"version 0x%x, state %u: connecting ends with %d", config.version_max,
			h->turn, error);
		EXPECT(vmbus_unload(h->bus, guest_deadline(h)) == 0, "unloading fails");
	}
	return CONFORM_PASS;
}

static bool refuse_at_vp_0(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 14 || get32(m + 8) <= 0x40000)
		return false;
	h->vp = 0;
	host_version(h, 16, 0, 0, 0, 0);
	return true;
}

static enum conform_verdict refusals_at_vp_0(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_config config = {.contact_vp = 1};

	TRY(guest_bus(t, &config));
	h->on_message = refuse_at_vp_0;
	const int error = connect_to(h);
	EXPECT(error == 0, "connecting ends with %d", error);
	EXPECT(vmbus_version(h->bus) == 0x40000, "at version 0x%x", vmbus_version(h->bus));
	EXPECT(h->vp == 1, "the contact asks for messages at VP %u", h->vp);
	return CONFORM_PASS;
}

/* ---- answers that nobody asked for ---------------------------------------------------------- */

static enum conform_verdict unasked_responses(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 10; i++) {
		host_version(h, 16, 0, 0, 0, 0);
		host_version(h, 16, 1, 0, versions[i], 0);
		host_version(h, 20, 1, 0, 4, 0xff);
	}
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE) == 30,
		"of 30 responses %u are dropped",
		(unsigned)guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE));
	EXPECT(vmbus_version(h->bus) == 0x60000, "the version has become 0x%x",
		vmbus_version(h->bus));
	TRY(guest_goes_on(t, 2));
	EXPECT(host_last(h, 5)->connection_id == 4, "posts go to connection %u",
		host_last(h, 5)->connection_id);
	return CONFORM_PASS;
}

/* Each message of a host, to a guest that has not made contact. */
static enum conform_verdict before_contact(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	uint8_t m[196];

	EXPECT(connect_to(h) == 0 && vmbus_unload(h->bus, guest_deadline(h)) == 0,
		"connecting or unloading fails");
	h->script.post_count = 0;
	h->offered = 0;
	host_offer_bytes(h, 1, m);
	for (uint32_t type = 0; type < 30; type++) {
		put32(m, type);
		host_say(h, m, sizeof m);
	}
	guest_serve(h);
	EXPECT(h->offered == 0, "an offer is taken");
	EXPECT(h->script.post_count == 0, "message %u is posted",
		get32(h->script.posts[0].payload));
	TRY(guest_connect(t, 0x50003));
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static bool too_early(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 14)
		return false;
	host_offer(h, 1);
	host_rescind(h, 1);
	host_say_words(h, 4, 0, 0, 0, 0);
	host_say_words(h, 6, 3, 1, 1, 0);
	host_say_words(h, 10, 3, 1, 0xe1e10, 0);
	host_say_words(h, 12, 1, 0xe1e10, 0, 0);
	host_say_words(h, 17, 0, 0, 0, 0);
	host_say_words(h, 24, 2, 1, 0, 0);
	return false;
}

static enum conform_verdict during_contact(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->on_message = too_early;
	EXPECT(connect_to(h) == 0, "connecting fails");
	EXPECT(h->offered == 3, "%u offers are taken, not 3", h->offered);
	EXPECT(h->bus->client.statistics.messages_rejected == 8, "of 8 messages %u are dropped",
		(unsigned)h->bus->client.statistics.messages_rejected);
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

/* ---- features ------------------------------------------------------------------------------- */

static bool grant_all(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 14)
		return false;
	host_version(h, 40, 1, 0, 4, 0xffffffff);
	return true;
}

static enum conform_verdict unasked_features(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_config config = {.features = VMBUS_FEATURE_CLIENT_ID};

	TRY(guest_bus(t, &config));
	h->on_message = grant_all;
	EXPECT(connect_to(h) == 0, "connecting fails");
	EXPECT(vmbus_features(h->bus) == VMBUS_FEATURE_CLIENT_ID, "features 0x%x are in force",
		vmbus_features(h->bus));
	TRY(guest_goes_on(t, 2));
	EXPECT(host_last(h, 5)->bytes == 148, "OPEN has %u bytes", host_last(h, 5)->bytes);
	return CONFORM_PASS;
}

static bool grant_short(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) != 14)
		return false;
	host_version(h, h->turn, 1, 0, 4, 0);
	return true;
}

/* An accepted 6.0 whose response has no room for its features, or for the connection id. */
static enum conform_verdict short_responses(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (h->turn = 10; h->turn < 20; h->turn++) {
		TRY(guest_bus(t, NULL));
		h->on_message = grant_short;
		const int error = connect_to(h);
		h->on_message = NULL;
		EXPECT(error == -VIRIDIAN_EPROTO, "%u bytes: connecting ends with %d", h->turn,
			error);
		EXPECT(host_last(h, 16)->bytes == 8, "%u bytes: the host is not left", h->turn);
	}
	TRY(guest_connect(t, 0x60000));
	return CONFORM_PASS;
}

static bool answer_long(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	uint8_t r[240];
	const uint32_t version = get32(m + 8);

	(void)bytes;
	if (get32(m) != 14)
		return false;
	memset(r, 0xee, sizeof r);
	memset(r, 0, 20);
	put32(r, 15);
	r[8] = version <= h->version;
	put32(r + 12, version >= 0x50000 ? 4 : version);
	host_say(h, r, sizeof r);
	return true;
}

static enum conform_verdict long_responses(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < VERSIONS; i++) {
		TRY(guest_bus(t, NULL));
		h->version = versions[i];
		h->on_message = answer_long;
		const int error = connect_to(h);
		EXPECT(error == 0, "0x%x: connecting ends with %d", versions[i], error);
		TRY(guest_goes_on(t, 2));
		h->on_message = NULL;
		EXPECT(vmbus_unload(h->bus, guest_deadline(h)) == 0, "unloading fails");
	}
	return CONFORM_PASS;
}

static bool answer_nonsense(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	static const uint8_t supported[] = {2, 3, 127, 128, 255, 1, 1};

	(void)bytes;
	if (get32(m) != 14)
		return false;
	host_version(h, 20, supported[h->turn], 0, h->turn >= 5 ? 0 : 4, 0);
	return true;
}

/* "Supported" neither 0 nor 1; connection id 0. */
static enum conform_verdict nonsense(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (h->turn = 0; h->turn < 7; h->turn++) {
		TRY(guest_bus(t, NULL));
		h->on_message = answer_nonsense;
		const int error = connect_to(h);
		EXPECT(error == -VIRIDIAN_EPROTO, "case %u: connecting ends with %d", h->turn,
			error);
	}
	h->on_message = NULL;
	TRY(guest_connect(t, 0x60000));
	return CONFORM_PASS;
}

/* ---- silence -------------------------------------------------------------------------------- */

static enum conform_verdict no_answer(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t start = h->script.now_100ns;

	h->is_silent[14] = true;
	const int error = connect_to(h);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "connecting ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 11 * SECOND, "it takes %u ms",
		(unsigned)((h->script.now_100ns - start) / 10000));
	return CONFORM_PASS;
}

static enum conform_verdict offers_never_end(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	const uint64_t start = h->script.now_100ns;

	h->is_silent[3] = true;
	const int error = connect_to(h);
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "connecting ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 12 * SECOND, "it takes %u ms",
		(unsigned)((h->script.now_100ns - start) / 10000));
	EXPECT(host_posts(h, 16) == 1, "the host is not told by UNLOAD");
	EXPECT(h->gone == h->offered, "of %u offers %u are ended", h->offered, h->gone);
	return CONFORM_PASS;
}

static enum conform_verdict resync_by_unload(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->is_silent[14] = true;
	EXPECT(connect_to(h) == -VIRIDIAN_ETIMEDOUT, "it connects without an answer");
	h->script.post_count = 0;
	h->is_silent[14] = false;
	EXPECT(connect_to(h) == 0, "it cannot connect later");
	EXPECT(host_first(h, 16) == 0, "the first post is not UNLOAD but message %u",
		get32(h->script.posts[0].payload));
	EXPECT(h->script.posts[0].connection_id == 4, "UNLOAD goes to connection %u",
		h->script.posts[0].connection_id);
	EXPECT(host_first(h, 14) == 1, "contact is post %u", host_first(h, 14));
	return CONFORM_PASS;
}

/* The answer to the contact that was given up comes, of all times, now. */
static bool late_answer(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	(void)bytes;
	if (get32(m) == 14 && get32(m + 8) == 0x50003) {
		host_version(h, 20, 1, 0, 5, 0); /* of 6.0 */
		host_version(h, 16, 1, 0, 4, 0); /* of 5.3 */
		return true;
	}
	return get32(m) == 16; /* not answered: it was lost */
}

static enum conform_verdict late_answers_told_apart(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->is_silent[14] = true;
	EXPECT(connect_to(h) == -VIRIDIAN_ETIMEDOUT, "it connects without an answer");
	h->is_silent[14] = false;
	h->bus->client.config.version_max = 0x50003;
	h->version = 0x50003;
	h->on_message = late_answer;
	const int error = connect_to(h);
	EXPECT(error == 0, "connecting ends with %d", error);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE) == 1,
		"the answer to 6.0 is not dropped");
	EXPECT(host_posts(h, 3) == 1, "offers are requested %u times", host_posts(h, 3));
	EXPECT(host_last(h, 3)->connection_id == 4, "on connection %u, of the late answer",
		host_last(h, 3)->connection_id);
	return CONFORM_PASS;
}

static enum conform_verdict all_offers_twice(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	for (unsigned i = 0; i < 100; i++)
		host_say_words(h, 4, 0, 0, 0, 0);
	guest_serve(h);
	EXPECT(guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE) == 100,
		"of 100 of them %u are dropped",
		(unsigned)guest_refused(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE));
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

const struct conform_test guest_connection_tests[] = {
	{"R-CONN-025", "versions are tried from the highest down, to the first that is taken",
		from_the_top, GUEST_BUS, 0, 0},
	{"R-CONN-024", "contact of 5.0 and later goes to connection 4, earlier to 1",
		connection_ids, GUEST_BUS, 0, 0},
	{"R-CONN-024", "without connection 4 it goes on at once below 5.0", no_connection_4,
		GUEST_BUS, 0, 0},
	{"R-CONN-026", "no version in common: it says so and keeps nothing", nothing_in_common,
		GUEST_BUS, 0, 0},
	{"R-CONN-025", "what follows goes to the connection that was returned",
		posts_to_returned_id, GUEST_BUS, 0, 0},
	{"R-ROB-011", "padding and reserved fields are 0, at each version", padding_is_zero,
		GUEST_BUS, 0, 0},
	{"R-CONN-027", "a state other than 0 is a failure from 2.4 on", failed_state, GUEST_BUS, 0,
		0},
	{"R-CONN-039", "refusals are taken at VP 0 too", refusals_at_vp_0, GUEST_BUS, 0, 0},
	{"R-CONN-028", "responses without a contact are dropped", unasked_responses,
		GUEST_CONNECTED, 0, 0},
	{"R-CONN-028", "nothing is taken before contact", before_contact, GUEST_BUS, 0, 0},
	{"R-CONN-028", "nothing but the response is taken during contact", during_contact,
		GUEST_BUS, 0, 0},
	{"R-CONN-029", "features that were not requested are not used", unasked_features, GUEST_BUS,
		0, 0},
	{"R-CONN-029", "a response too short for its version is refused", short_responses,
		GUEST_BUS, 0, 0},
	{"R-CONN-030", "responses of 240 bytes are taken, at each version", long_responses,
		GUEST_BUS, 0, 0},
	{"R-CONN-027", "responses that make no sense end the contact", nonsense, GUEST_BUS, 0, 0},
	{"R-CONN-026", "contact without an answer ends by its deadline", no_answer, GUEST_BUS, 0,
		0},
	{"R-CONN-026", "offers without an end end by the deadline", offers_never_end, GUEST_BUS, 0,
		0},
	{"R-CONN-040", "after a contact without an answer comes UNLOAD", resync_by_unload,
		GUEST_BUS, 0, 0},
	{"R-CONN-041", "a late answer of another version is told apart", late_answers_told_apart,
		GUEST_BUS, 0, 0},
	{"R-OFFER-019", "a second ALL_OFFERS_DELIVERED changes nothing", all_offers_twice,
		GUEST_CONNECTED, 0, 0},
};
const size_t guest_connection_test_count = sizeof guest_connection_tests /
					   sizeof guest_connection_tests[0];
