// SPDX-License-Identifier: Apache-2.0
/* The host's half of the integration components. See ic.h. */
#include "tests/conformance/linux/ic.h"

#include "protocol/heartbeat.h"

#include <string.h>

static const struct ic_version_wire framework_versions[] = {{1, 0}, {3, 0}};

static const struct service {
	uint16_t type;
	const struct guid *interface;
	uint16_t count;
	struct ic_version_wire versions[4];
} services[] = {
	{IC_TYPE_HEARTBEAT, &guid_heartbeat, 2, {{1, 0}, {3, 0}}},
	{IC_TYPE_SHUTDOWN, &guid_shutdown, 4, {{1, 0}, {3, 0}, {3, 1}, {3, 2}}},
	{IC_TYPE_TIMESYNC, &guid_timesync, 3, {{1, 0}, {3, 0}, {4, 0}}},
	{IC_TYPE_VSS, &guid_vss, 4, {{1, 0}, {3, 0}, {4, 0}, {5, 0}}},
};

static const struct service *service_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof services / sizeof *services; i++)
		if (services[i].type == type)
			return &services[i];
	return NULL;
}

const struct guid *linux_ic_interface(uint16_t type)
{
	return service_of(type)->interface;
}

void linux_ic_request(struct linux_guest *g, struct linux_ic *ic, uint16_t type, const void *body,
	uint16_t body_bytes)
{
	const struct packet_pipe_wire pipe = {
		.type = PACKET_PIPE_DATA, .length = IC_HEADER_BYTES + body_bytes};
	const struct service *service = service_of(type);
	const struct ic_header_wire header = {
		.framework = {3, 0},
		.type = type,
		.message = service != NULL ? service->versions[service->count - 1]
					   : (struct ic_version_wire){1, 0},
		.body_bytes = body_bytes,
		.transaction_id = (uint8_t)++g->instance_next,
		.flags = IC_FLAGS_REQUEST,
	};

	*ic = (struct linux_ic){.bytes = IC_OVERHEAD_BYTES + body_bytes,
		.id = UINT64_C(0x7000000000) + g->instance_next};
	memcpy(ic->payload, &pipe, sizeof pipe);
	memcpy(ic->payload + sizeof pipe, &header, sizeof header);
	if (body_bytes > 0)
		memcpy(ic->payload + IC_OVERHEAD_BYTES, body, body_bytes);
}

void linux_ic_negotiation(struct linux_guest *g, struct linux_ic *ic,
	const struct ic_version_wire *frameworks, uint16_t framework_count,
	const struct ic_version_wire *messages, uint16_t message_count)
{
	uint8_t body[IC_NEGOTIATE_BYTES + 32 * IC_VERSION_BYTES] = {0};
	const struct ic_negotiate_wire counts = {framework_count, message_count, 0};
	const size_t first = framework_count * sizeof *frameworks;
	const size_t second = message_count * sizeof *messages;

	memcpy(body, &counts, sizeof counts);
	memcpy(body + sizeof counts, frameworks, first);
	memcpy(body + sizeof counts + first, messages, second);
	linux_ic_request(
		g, ic, IC_TYPE_NEGOTIATE, body, (uint16_t)(sizeof counts + first + second));
	linux_ic_header(ic)->framework = linux_ic_header(ic)->message = (struct ic_version_wire){
		0, 0};
}

bool linux_ic_send(struct linux_channel *channel, const struct linux_ic *ic)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = ic->bytes,
		.transaction_id = ic->id,
	};
	return linux_packet(channel, &header, ic->payload);
}

bool linux_ic_receive(struct linux_channel *channel, struct linux_ic_answer *answer)
{
	struct conform_target *t = &channel->guest->target;

	memset(answer, 0, sizeof *answer);
	if (!linux_receive(channel, &answer->view, answer->payload, sizeof answer->payload))
		return false;
	if (answer->view.payload_bytes < IC_OVERHEAD_BYTES)
		return conform_no(t, "an answer of %u bytes", answer->view.payload_bytes);
	memcpy(&answer->header, answer->payload + PACKET_PIPE_HEADER_BYTES, sizeof answer->header);
	answer->body = answer->payload + IC_OVERHEAD_BYTES;
	return true;
}

bool linux_ic_ask(
	struct linux_channel *channel, const struct linux_ic *ic, struct linux_ic_answer *answer)
{
	if (!linux_ic_send(channel, ic) || !linux_ic_receive(channel, answer))
		return false;
	return answer->view.transaction_id == ic->id ||
	       conform_no(&channel->guest->target, "an answer to 0x%llx, not to 0x%llx",
		       (unsigned long long)answer->view.transaction_id, (unsigned long long)ic->id);
}

static void negotiation_of(struct linux_guest *g, struct linux_ic *ic, uint16_t type)
{
	const struct service *service = service_of(type);
	linux_ic_negotiation(g, ic, framework_versions, 2, service->versions, service->count);
}

bool linux_ic_agree(struct linux_channel *channel, uint16_t type, struct linux_ic_answer *answer)
{
	struct linux_ic ic;

	negotiation_of(channel->guest, &ic, type);
	return linux_ic_ask(channel, &ic, answer);
}

bool linux_ic_is_dropped(struct linux_channel *channel, const struct linux_ic *ic)
{
	struct linux_ic fence;
	struct linux_ic_answer answer;

	/* every service answers a negotiation, whatever it makes of the lists */
	negotiation_of(channel->guest, &fence, IC_TYPE_HEARTBEAT);
	if (!linux_ic_send(channel, ic) || !linux_taken(channel) ||
		!linux_ic_send(channel, &fence) || !linux_ic_receive(channel, &answer))
		return false;
	return answer.view.transaction_id == fence.id ||
	       conform_no(&channel->guest->target,
		       "it was answered: type %u, flags %u, status 0x%x, %u bytes",
		       answer.header.type, answer.header.flags, answer.header.status,
		       answer.view.payload_bytes);
}

struct linux_channel *linux_ic_open(struct linux_guest *g, uint16_t type)
{
	struct linux_ic_answer answer;
	struct linux_channel *channel = linux_offer(g, service_of(type)->interface);

	if (channel == NULL || !linux_opened(g, channel) || !linux_ic_agree(channel, type, &answer))
		return NULL;
	return channel;
}

bool linux_ic_beat(struct linux_channel *channel, uint64_t sequence)
{
	struct linux_ic ic;
	struct linux_ic_answer answer;
	const struct heartbeat_v3_wire body = {.sequence = sequence};
	uint64_t came;

	linux_ic_request(channel->guest, &ic, IC_TYPE_HEARTBEAT, &body, sizeof body);
	if (!linux_ic_ask(channel, &ic, &answer))
		return false;
	memcpy(&came, answer.body, sizeof came);
	return came == sequence + 1 ||
	       conform_no(&channel->guest->target, "heartbeat 0x%llx was answered by 0x%llx",
		       (unsigned long long)sequence, (unsigned long long)came);
}

/* Linux has one of each: a second one would share, and free, the first one's memory. */
static bool is_offered(const struct linux_guest *g, const struct guid *interface)
{
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++)
		if (g->channels[i].offer.relid != 0 && !g->channels[i].is_released &&
			guid_equal(&g->channels[i].offer.interface_id, interface))
			return true;
	return false;
}

bool linux_ic_works(struct linux_guest *g)
{
	const struct service *service = services;

	while (service < services + sizeof services / sizeof *services - 1 &&
		is_offered(g, service->interface))
		service++;
	struct linux_channel *channel = linux_ic_open(g, service->type);
	if (channel == NULL)
		return false;
	linux_rescind(g, channel);
	return linux_released(g, channel);
}
