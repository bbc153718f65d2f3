// SPDX-License-Identifier: Apache-2.0
/* Contact, versions, and what a guest makes of answers that are late, odd or many. */
#include "tests/conformance/linux/ic.h"

static int load(struct linux_guest *g)
{
	const int status = linux_do(
		g, "modprobe hv_vmbus; [ -d /sys/module/hv_vmbus ] && modprobe hv_utils");
	g->is_loaded = linux_do(g, "[ -d /sys/module/hv_vmbus ]") == 0;
	return status;
}

/* R-CONN-025, R-CONN-026: all are refused, one after the other; then one is not. */
static enum conform_verdict all_refused(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	uint32_t first = 0;
	uint32_t last = UINT32_MAX;
	unsigned tried = 0;

	g->version_max = 0;
	const int status = load(g);
	EXPECT(status >= 0, "modprobe does not come back");
	for (size_t i = g->from; i < g->post_count; i++) {
		EXPECT(g->posts[i].type == VMBUS_MESSAGE_INITIATE_CONTACT,
			"%s though no version was accepted", vmbus_message_name(g->posts[i].type));
		const uint32_t version = linux_word(&g->posts[i], 8);
		/* from the first again: a modprobe that tries a second system call */
		EXPECT(version < last || version == first, "version 0x%x is tried after 0x%x",
			version, last);
		if (first == 0)
			first = version;
		last = version;
		tried++;
	}
	EXPECT(tried >= 2, "%u versions were tried", tried);
	EXPECT(status != 0, "hv_vmbus is there though no version was accepted");
	g->version_max = VMBUS_VERSION_5_3;
	EXPECT(load(g) == 0, "hv_vmbus cannot be loaded after all versions were refused once");
	EXPECT(g->version == VMBUS_VERSION_5_3, "version 0x%x, not 5.3", g->version);
	return CONFORM_PASS;
}

static enum conform_verdict connects_at(struct conform_target *t, uint32_t version)
{
	struct linux_guest *g = linux_guest_of(t);

	g->version_max = version;
	EXPECT(load(g) == 0, "hv_vmbus does not load where 0x%x is the highest version", version);
	EXPECT(g->version == version, "version 0x%x, where 0x%x is the highest", g->version,
		version);
	const struct linux_post *post = linux_await(g, VMBUS_MESSAGE_REQUEST_OFFERS);
	EXPECT(post != NULL, "it does not ask for offers at 0x%x", version);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	TRY(channel != NULL && linux_ic_beat(channel, 7));
	return CONFORM_PASS;
}

/* R-CONN-025: it stops at the first that is supported, and works with it. */
#define AT_VERSION(name)                                                                           \
	static enum conform_verdict at_##name(struct conform_target *t)                            \
	{                                                                                          \
		return connects_at(t, VMBUS_VERSION_##name);                                       \
	}
AT_VERSION(5_3)
AT_VERSION(5_2)
AT_VERSION(5_0)
AT_VERSION(4_1)
AT_VERSION(4_0)
AT_VERSION(3_0)
AT_VERSION(2_4)

/* R-CONN-024: contacts of 5.0 and later go to connection 4, older ones to 1. */
static enum conform_verdict contact_connection(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->version_max = VMBUS_VERSION_2_4;
	EXPECT(load(g) == 0, "hv_vmbus does not load");
	for (size_t i = g->from; i < g->post_count; i++) {
		const struct linux_post *post = &g->posts[i];
		if (post->type != VMBUS_MESSAGE_INITIATE_CONTACT)
			continue;
		const bool is_new = linux_word(post, 8) >= VMBUS_VERSION_5_0;
		EXPECT(post->connection_id == (is_new ? VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT
						      : VMBUS_CONNECTION_MESSAGE),
			"a contact for 0x%x on connection %u", linux_word(post, 8),
			post->connection_id);
	}
	return CONFORM_PASS;
}

/* R-CONN-024: a host without connection 4 is one of before 5.0. */
static enum conform_verdict no_connection_4(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	linux_multi_client_set(g, false);
	EXPECT(load(g) == 0, "hv_vmbus does not load");
	EXPECT(g->version == VMBUS_VERSION_4_1, "version 0x%x, not 4.1", g->version);
	return CONFORM_PASS;
}

/* R-CONN-023, its other side: from 5.0 on messages go to the connection that the answer names. */
static enum conform_verdict named_connection(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->selected = VMBUS_CONNECTION_MESSAGE;
	EXPECT(load(g) == 0, "hv_vmbus does not load");
	const struct linux_post *post = linux_await(g, VMBUS_MESSAGE_REQUEST_OFFERS);
	TRY(post != NULL);
	EXPECT(post->connection_id == VMBUS_CONNECTION_MESSAGE,
		"the answer names connection 1, REQUEST_OFFERS comes on %u", post->connection_id);
	return CONFORM_PASS;
}

static bool failing_state(struct linux_guest *g, const struct linux_post *post)
{
	if (post->type != VMBUS_MESSAGE_INITIATE_CONTACT)
		return false;
	linux_send_version(g, 1, VMBUS_CONNECTION_FAILED, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT);
	return true;
}

/* R-CONN-027 */
static enum conform_verdict failed_state(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = failing_state;
	const int status = load(g);
	EXPECT(linux_posts(g, g->from, VMBUS_MESSAGE_REQUEST_OFFERS, UINT32_MAX) == 0,
		"supported = 1 with state 2 (failed) is taken for a connection: it asks for "
		"offers");
	EXPECT(status != 0, "hv_vmbus loads though the connection has failed");
	return CONFORM_PASS;
}

static bool long_response(struct linux_guest *g, const struct linux_post *post)
{
	static const uint32_t words[58] = {
		VMBUS_MESSAGE_VERSION_RESPONSE, 0, 1, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT, 0};
	if (post->type != VMBUS_MESSAGE_INITIATE_CONTACT)
		return false;
	g->version = linux_word(post, 8);
	linux_send(g, words, g->count > 0 ? sizeof words : 40);
	return true;
}

/* R-CONN-030 */
static enum conform_verdict longer_responses(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = long_response;
	g->count = 1;
	EXPECT(load(g) == 0, "hv_vmbus does not load when the response has 232 bytes");
	TRY(linux_await(g, VMBUS_MESSAGE_REQUEST_OFFERS) != NULL);
	return CONFORM_PASS;
}

static bool short_response(struct linux_guest *g, const struct linux_post *post)
{
	if (post->type != VMBUS_MESSAGE_INITIATE_CONTACT || g->count++ > 0)
		return false;
	linux_send_words(g, VMBUS_MESSAGE_VERSION_RESPONSE, (const uint32_t[]){1}, 1);
	linux_send_version(g, 0, 0, 0);
	return true;
}

/* R-MSG-007: a VERSION_RESPONSE of 12 bytes is none; the refusal behind it counts. */
static enum conform_verdict short_version_response(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = short_response;
	EXPECT(load(g) == 0, "hv_vmbus does not load");
	EXPECT(g->version < VMBUS_VERSION_5_3, "a response of 12 bytes was taken for a yes");
	return CONFORM_PASS;
}

static bool withhold_contact(struct linux_guest *g, const struct linux_post *post)
{
	return post->type == VMBUS_MESSAGE_INITIATE_CONTACT && g->count == 0;
}

/* R-ROB-003: a host that says nothing for 5 s stops the driver, and nothing else. */
static enum conform_verdict silent_host(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = withhold_contact;
	TRY(linux_do(g, "modprobe hv_vmbus & sleep 5") == 0);
	const struct linux_post *post = linux_await(g, VMBUS_MESSAGE_INITIATE_CONTACT);
	TRY(post != NULL);
	g->count = 1;
	g->version = linux_word(post, 8);
	linux_send_version(g, 1, 0, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT);
	TRY(linux_await(g, VMBUS_MESSAGE_REQUEST_OFFERS) != NULL);
	EXPECT(linux_do(g, "wait") == 0, "modprobe does not come back");
	g->is_loaded = true;
	return CONFORM_PASS;
}

static bool twice(struct linux_guest *g, const struct linux_post *post)
{
	if (post->type != VMBUS_MESSAGE_INITIATE_CONTACT)
		return false;
	g->version = linux_word(post, 8);
	linux_send_version(g, 1, 0, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT);
	linux_send_version(g, 0, 0, 0);
	linux_send_version(g, 1, 0, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT);
	return true;
}

/* R-CONN-028: the answers behind the first find no contact outstanding. */
static enum conform_verdict answered_thrice(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	g->on_post = twice;
	EXPECT(load(g) == 0, "hv_vmbus does not load");
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	TRY(channel != NULL && linux_ic_beat(channel, 1));
	return CONFORM_PASS;
}

/* Messages whose reserved fields and padding are known: all that a guest like this one posts. */
static bool is_clean(const struct linux_post *post)
{
	if (linux_word(post, 4) != 0)
		return false;
	if (post->type == VMBUS_MESSAGE_INITIATE_CONTACT &&
		linux_word(post, 8) >= VMBUS_VERSION_5_0)
		return linux_word(post, 20) == 0 && (linux_word(post, 16) & 0xffffff00) == 0 &&
		       (linux_word(post, 16) & 0xff) == VMBUS_SINT;
	if (post->type == VMBUS_MESSAGE_OPEN_CHANNEL)
		for (size_t at = 28; at < 148; at += 4)
			if (linux_word(post, at) != 0)
				return false;
	return true;
}

/* R-ROB-011 */
static enum conform_verdict padding(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	EXPECT(load(g) == 0, "hv_vmbus does not load");
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	TRY(channel != NULL);
	for (size_t i = g->from; i < g->post_count; i++)
		EXPECT(is_clean(&g->posts[i]), "%s has bits in reserved fields",
			vmbus_message_name(g->posts[i].type));
	return CONFORM_PASS;
}

/* R-UNL-010 and what it stands on: from 6.x on unloading says UNLOAD; a later contact works. */
static enum conform_verdict loaded_again(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	EXPECT(load(g) == 0, "hv_vmbus does not load");
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	TRY(channel != NULL);
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	EXPECT(linux_do(g, "rmmod hv_utils hv_vmbus") == 0, "the drivers cannot be unloaded");
	const bool has_said = linux_posts(g, g->from, VMBUS_MESSAGE_UNLOAD, UINT32_MAX) > 0;
	linux_bus_forget(g);
	EXPECT(load(g) == 0, "hv_vmbus cannot be loaded a second time");
	channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	TRY(channel != NULL && linux_ic_beat(channel, 1));
	EXPECT(has_said, "rmmod hv_vmbus takes its memory back without UNLOAD");
	return CONFORM_PASS;
}

const struct conform_test linux_connection_tests[] = {
	{"R-CONN-025", "versions are tried from the highest down", all_refused, 0, 0, 0},
	{"R-CONN-025", "it connects at 5.3", at_5_3, 0, 0, 0},
	{"R-CONN-025", "it connects at 5.2", at_5_2, 0, 0, 0},
	{"R-CONN-025", "it connects at 5.0", at_5_0, 0, 0, 0},
	{"R-CONN-025", "it connects at 4.1", at_4_1, 0, 0, 0},
	{"R-CONN-025", "it connects at 4.0", at_4_0, 0, 0, 0},
	{"R-CONN-025", "it connects at 3.0", at_3_0, 0, 0, 0},
	{"R-CONN-025", "it connects at 2.4", at_2_4, 0, 0, 0},
	{"R-CONN-024", "contacts of 5.0 and later are on connection 4", contact_connection, 0, 0,
		0},
	{"R-CONN-024", "without connection 4 it goes on with 4.1", no_connection_4, 0, 0, 0},
	{"R-CONN-023", "it posts to the connection that the answer names", named_connection, 0, 0,
		0},
	{"R-CONN-027", "supported with a failed state is a failure", failed_state, 0, 0, 0},
	{"R-CONN-030", "a longer response is taken", longer_responses, 0, 0, 0},
	{"R-MSG-007", "a VERSION_RESPONSE of 12 bytes is dropped", short_version_response, 0, 0, 0},
	{"R-CONN-028", "second and third answers are dropped", answered_thrice, 0, 0, 0},
	{"R-ROB-011", "reserved fields are zero", padding, 0, 0, 0},
	{"R-UNL-010", "it says UNLOAD before it takes its memory back", loaded_again, 0, 0, 0},
	{"R-ROB-003", "a host silent for 5 s stops nothing but the driver", silent_host, 0, 0, 0},
};
const size_t linux_connection_test_count = sizeof linux_connection_tests /
					   sizeof *linux_connection_tests;
