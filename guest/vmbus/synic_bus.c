// SPDX-License-Identifier: Apache-2.0
/*
 * The bus over SynIC: connect, unload, and the loop that serves messages, events and
 * hot channels. See synic_bus.h and vmbus.h.
 *
 * Looking for work costs one look at the pending SINTs of each VP in use, one ring
 * index of each hot channel, and nothing else. Before the bus sleeps, it unmasks
 * every hot ring and looks once more (ring.md 6.1); the platform's wait does the
 * same with the SINTs. So no signal is lost.
 *
 * A VP other than the contact VP has an interrupt of its own, on which a wait
 * does not sleep; while channels use such VPs, waits are cut into slices.
 *
 * Sources: R-MSG-007 .. R-MSG-012, R-OPEN-017, R-RING-009, R-UNL-010.
 */
#include "guest/vmbus/synic_bus.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"

#define MESSAGES_PER_TURN  64u	  /* of one VP; more wait for the next turn */
#define STALE_MESSAGES_MAX 256u	  /* taken and thrown away before contact */
#define SLICE_100NS	   10000u /* 1 ms: longest wait that other VPs may have to bear */
/* 100 ms: when to look at the deadlines again, although a host that is slow in each hypercall
 * has left more to do. One hypercall is never cut short. */
#define TURN_100NS 1000000u

#define EVENT_WORDS (VMBUS_EVENT_FLAG_COUNT / 64)

static uint64_t now_of(const struct vmbus *bus)
{
	return winhv_time_100ns(bus->hv);
}

int synic_bus_may_block(const struct vmbus *bus)
{
	return bus->is_serving ? -VIRIDIAN_EBUSY : bus->failure;
}

/* ---- what the client asks for --------------------------------------------------------------- */

static int on_post(void *ctx, uint32_t connection_id, const void *payload, size_t bytes)
{
	struct vmbus *bus = ctx;
	uint16_t status = HV_STATUS_SUCCESS;

	if (now_of(bus) >= bus->client.now + TURN_100NS)
		return -VIRIDIAN_EAGAIN;
	const int error = winhv_post_message(
		bus->hv, connection_id, VMBUS_SYNIC_MESSAGE_TYPE, payload, bytes, &status);
	return error ? error : status;
}

static void on_offer(void *ctx, const struct vmbus_offer *offer)
{
	const struct vmbus_config *config = &((struct vmbus *)ctx)->config;
	if (config->on_offer)
		config->on_offer(config->ctx, offer);
}

static void on_offer_gone(void *ctx, const struct vmbus_offer *offer)
{
	const struct vmbus_config *config = &((struct vmbus *)ctx)->config;
	if (config->on_offer_gone)
		config->on_offer_gone(config->ctx, offer);
}

static void channel_rescind(struct vmbus *bus, struct vmbus_channel *channel)
{
	if (channel->is_rescinded)
		return;
	__atomic_store_n(&channel->is_rescinded, true, __ATOMIC_RELAXED); /* signals look at it */
	synic_channel_cool(bus, channel);
	if (channel->is_open && channel->config.on_rescind)
		channel->config.on_rescind(channel->config.ctx, channel);
}

static void on_rescinded(void *ctx, const struct vmbus_offer *offer)
{
	struct vmbus *bus = ctx;
	if (bus->by_flag[offer->relid])
		channel_rescind(bus, bus->by_flag[offer->relid]);
}

static const struct vmbus_client_ops client_ops = {
	.post = on_post,
	.offer = on_offer,
	.rescinded = on_rescinded,
	.offer_gone = on_offer_gone,
};

size_t vmbus_bytes(void)
{
	return sizeof(struct vmbus);
}

int vmbus_init(struct vmbus *bus, struct winhv *hv, const struct vmbus_config *config)
{
	const struct vmbus_client_config client_config = {
		.version_max = config->version_max,
		.version_min = config->version_min,
		.features = config->features & ~VMBUS_FEATURE_SERVER_MONITOR_PAGES,
		.contact_vp = config->contact_vp,
		.client_id = config->client_id,
	};

	if (config->contact_vp >= hv->vp_count || config->contact_vp >= WINHV_VP_MAX)
		return -VIRIDIAN_EINVAL;
	__builtin_memset(bus, 0, sizeof *bus);
	bus->hv = hv;
	bus->config = *config;
	if (bus->config.vector == 0)
		bus->config.vector = VMBUS_DEFAULT_VECTOR;
	vmbus_client_init(&bus->client, &client_ops, bus, &client_config);
	return 0;
}

/* ---- the host is gone ----------------------------------------------------------------------- */

/* The platform failed for good: nothing more will come. */
static int bus_fail(struct vmbus *bus, int error)
{
	const bool was_serving = bus->is_serving;

	bus->failure = error;
	bus->is_serving = true;
	for (struct vmbus_channel *channel = bus->channels; channel; channel = channel->next_open)
		channel_rescind(bus, channel);
	vmbus_client_abort(&bus->client, error);
	bus->is_serving = was_serving;
	return error;
}

/* ---- serving -------------------------------------------------------------------------------- */

void synic_channel_heat(struct vmbus *bus, struct vmbus_channel *channel)
{
	if (channel->is_hot)
		return;
	channel->is_hot = true;
	channel->next_hot = bus->hot;
	bus->hot = channel;
	ring_reader_mask(&channel->in);
}

void synic_channel_cool(struct vmbus *bus, struct vmbus_channel *channel)
{
	struct vmbus_channel **link = &bus->hot;

	if (!channel->is_hot)
		return;
	while (*link != channel)
		link = &(*link)->next_hot;
	*link = channel->next_hot;
	channel->next_hot = NULL;
	channel->is_hot = false;
}

/* An event flag is a hint: a spurious one costs a look at the ring (R-MSG-010). */
static unsigned flag_serve(struct vmbus *bus, uint32_t flag)
{
	struct vmbus_channel *channel = bus->by_flag[flag];

	if (channel == NULL || channel->is_rescinded)
		return 0;
	channel->was_signalled = true;
	channel->signals_received++;
	if (channel->is_open)
		synic_channel_heat(bus, channel);
	return 1;
}

static unsigned bits_serve(struct vmbus *bus, unsigned word, uint64_t bits)
{
	unsigned done = 0;

	for (; bits; bits &= bits - 1)
		done += flag_serve(bus, word * 64 + (unsigned)__builtin_ctzll(bits));
	return done;
}

/* Versions without event flags for channels: flag 0 says that the interrupt page has bits. */
static unsigned interrupt_page_serve(struct vmbus *bus)
{
	unsigned done = 0;

	if (bus->interrupt_page == NULL)
		return 0;
	uint64_t *words = (uint64_t *)(void *)bus->interrupt_page;
	for (unsigned word = 0; word <= bus->flag_max / 64; word++)
		if (__atomic_load_n(&words[word], __ATOMIC_RELAXED))
			done += bits_serve(
				bus, word, __atomic_exchange_n(&words[word], 0, __ATOMIC_ACQ_REL));
	return done;
}

static unsigned events_serve(struct vmbus *bus, uint32_t vp)
{
	unsigned done = 0;

	if (!vmbus_client_has(&bus->client, VMBUS_CAP_EVENT_FLAGS))
		return (winhv_events_take(bus->hv, vp, VMBUS_SINT, 0) & 1)
			       ? interrupt_page_serve(bus)
			       : 0;
	for (unsigned word = 0; word <= bus->flag_max / 64; word++)
		done += bits_serve(bus, word, winhv_events_take(bus->hv, vp, VMBUS_SINT, word));
	return done;
}

static unsigned messages_serve(struct vmbus *bus, uint32_t vp)
{
	struct winhv_message message;
	uint64_t start = 0;
	unsigned done = 0;

	while (winhv_message_take(bus->hv, vp, VMBUS_SINT, &message)) {
		const uint64_t now = now_of(bus);
		vmbus_client_on_message(
			&bus->client, message.type, message.payload, message.bytes, now);
		if (done++ == 0)
			start = now;
		if (done == MESSAGES_PER_TURN || now - start >= TURN_100NS) {
			bus->pending_vps |= 1ull << vp;
			break;
		}
	}
	return done;
}

/* Messages and events of the VPs in `vps`. */
static unsigned vps_serve(struct vmbus *bus, uint64_t vps)
{
	unsigned done = 0;

	for (; vps; vps &= vps - 1) {
		const uint32_t vp = (uint32_t)__builtin_ctzll(vps);
		done += messages_serve(bus, vp);
		done += events_serve(bus, vp);
	}
	return done;
}

static unsigned hot_serve(struct vmbus *bus)
{
	unsigned done = 0;
	struct vmbus_channel *next;

	for (struct vmbus_channel *channel = bus->hot; channel; channel = next) {
		next = channel->next_hot;
		if (!channel->was_signalled && !vmbus_channel_has_data(channel))
			continue;
		channel->was_signalled = false;
		done++;
		if (channel->config.on_ready)
			channel->config.on_ready(channel->config.ctx, channel);
	}
	return done;
}

/* Sleep on a VP, or only collect what is asserted there (0). Either ends an arming of it. */
static int collect(struct vmbus *bus, uint32_t vp, uint64_t timeout_100ns)
{
	uint32_t sints = 0;
	const int error = winhv_wait(bus->hv, vp, timeout_100ns, &sints);

	if (error < 0)
		return error;
	if (sints & 1u << VMBUS_SINT)
		bus->pending_vps |= 1ull << vp;
	return 0;
}

/* One turn: everything that is pending. The number of things done, or a negative error. */
static int serve(struct vmbus *bus)
{
	unsigned done = 0;

	if (bus->failure)
		return bus->failure;
	for (uint64_t vps = bus->vps; vps; vps &= vps - 1) {
		const int error = collect(bus, (uint32_t)__builtin_ctzll(vps), 0);
		if (error < 0)
			return bus_fail(bus, error);
	}
	bus->is_serving = true;
	if (bus->pending_vps) {
		const uint64_t vps = bus->pending_vps;
		bus->pending_vps = 0;
		done += vps_serve(bus, vps);
	}
	if (bus->client.requests.first)
		vmbus_client_on_time(&bus->client, now_of(bus));
	done += hot_serve(bus);
	bus->is_serving = false;
	return (int)done;
}

/*
 * Put the hot channels to rest: flush, unmask, look again. False: data came, or is left; that
 * channel stays hot.
 */
static bool rest(struct vmbus *bus)
{
	struct vmbus_channel *next;

	for (struct vmbus_channel *channel = bus->hot; channel; channel = next) {
		next = channel->next_hot;
		if (channel->was_signalled || vmbus_channel_has_data(channel))
			return false;
		if (channel->config.target_vp == VMBUS_TARGET_VP_NONE)
			continue;
		vmbus_channel_flush(channel);
		if (channel->in.status == RING_OK && ring_reader_arm(&channel->in)) {
			channel->was_signalled = true; /* data, or a broken ring to tell of */
			return false;
		}
		synic_channel_cool(bus, channel);
	}
	return true;
}

/* Sleep until an interrupt, the client's next time, or `timeout_100ns`. 0 or an error. */
static int sleep_until_work(struct vmbus *bus, uint64_t timeout_100ns)
{
	const uint64_t next = vmbus_client_next_time(&bus->client);

	if (next != UINT64_MAX) {
		const uint64_t now = now_of(bus);
		const uint64_t left = next > now ? next - now : 0;
		if (left < timeout_100ns)
			timeout_100ns = left;
	}
	if ((bus->vps & (bus->vps - 1)) && timeout_100ns > SLICE_100NS)
		timeout_100ns = SLICE_100NS;
	if (timeout_100ns == 0 || !rest(bus))
		return 0;
	const int error = collect(bus, bus->config.contact_vp, timeout_100ns);
	return error < 0 ? bus_fail(bus, error) : 0;
}

int vmbus_poll(struct vmbus *bus, uint64_t timeout_100ns)
{
	if (bus->is_serving)
		return -VIRIDIAN_EBUSY;
	int done = serve(bus);
	if (done != 0 || timeout_100ns == 0)
		return done;

	const uint64_t start = now_of(bus);
	for (uint64_t spent = 0; done == 0 && spent < timeout_100ns;) {
		const int error = sleep_until_work(bus, timeout_100ns - spent);
		done = error ? error : serve(bus);
		if (timeout_100ns != UINT64_MAX)
			spent = now_of(bus) - start;
	}
	return done;
}

bool vmbus_arm(struct vmbus *bus)
{
	if (bus->is_serving || bus->failure || !rest(bus))
		return false;
	for (uint64_t vps = bus->vps; vps; vps &= vps - 1)
		winhv_wait_arm(bus->hv, (uint32_t)__builtin_ctzll(vps));
	/* What came before the arming may not ring: look at the pages themselves. */
	bus->is_serving = true;
	const unsigned done = vps_serve(bus, bus->vps);
	bus->is_serving = false;
	if (done == 0 && bus->pending_vps == 0)
		return true;
	for (uint64_t vps = bus->vps; vps; vps &= vps - 1)
		winhv_wait_disarm(bus->hv, (uint32_t)__builtin_ctzll(vps));
	return false;
}

uint64_t vmbus_wake_time(const struct vmbus *bus)
{
	return vmbus_client_next_time(&bus->client);
}

int synic_bus_wait(struct vmbus *bus, const int *result)
{
	while (*result == VMBUS_CLIENT_BUSY) {
		const int done = serve(bus);
		if (done < 0)
			return done;
		if (done == 0 && *result == VMBUS_CLIENT_BUSY)
			(void)sleep_until_work(bus, UINT64_MAX);
	}
	return *result;
}

/* ---- connect and unload --------------------------------------------------------------------- */

int synic_bus_vp_enable(struct vmbus *bus, uint32_t vp)
{
	if (vp >= bus->hv->vp_count || vp >= WINHV_VP_MAX)
		return -VIRIDIAN_EINVAL;
	if (bus->vps & 1ull << vp)
		return 0;
	const int error = winhv_synic_enable(bus->hv, vp, VMBUS_SINT, bus->config.vector);
	if (error == 0)
		bus->vps |= 1ull << vp;
	return error;
}

/* Messages and events of an earlier life of this VP, or of our own last contact. */
static void stale_drop(struct vmbus *bus, uint32_t vp, uint64_t deadline)
{
	struct winhv_message message;

	for (unsigned i = 0; i < STALE_MESSAGES_MAX && now_of(bus) < deadline; i++) {
		if (!winhv_message_take(bus->hv, vp, VMBUS_SINT, &message))
			break;
		if (bus->client.unanswered)
			vmbus_client_on_message(&bus->client, message.type, message.payload,
				message.bytes, now_of(bus));
	}
	for (unsigned word = 0; word < EVENT_WORDS; word++)
		(void)winhv_events_take(bus->hv, vp, VMBUS_SINT, word);
}

/* Pages that contact names to the host. */
static int shared_alloc(struct vmbus *bus)
{
	struct vmbus_client_config *config = &bus->client.config;
	const bool has_interrupt_page = !vmbus_version_has(
		bus->config.version_min, VMBUS_CAP_MULTI_CLIENT);
	size_t pages = bus->config.wants_monitor_pages ? 2 : 0;
	size_t at = 0;

	if (has_interrupt_page)
		pages++;
	if (pages == 0)
		return 0;
	const int error = winhv_pages_alloc(bus->hv, pages * WINHV_PAGE_BYTES, &bus->shared);
	if (error)
		return error;
	if (has_interrupt_page) {
		bus->interrupt_page = bus->shared.va;
		config->interrupt_page_gpa = bus->shared.gpa;
		at += WINHV_PAGE_BYTES;
	}
	if (bus->config.wants_monitor_pages) {
		config->parent_to_child_page_gpa = bus->shared.gpa + at;
		at += WINHV_PAGE_BYTES;
		config->child_to_parent_page_gpa = bus->shared.gpa + at;
		bus->monitor_page = bus->shared.va + at;
	}
	return 0;
}

static void shared_release(struct vmbus *bus)
{
	if (bus->client.are_pages_lent)
		bus->pages_abandoned += bus->shared.bytes / WINHV_PAGE_BYTES;
	else if (bus->shared.bytes)
		winhv_pages_free(bus->hv, &bus->shared);
	bus->shared = (struct winhv_pages){0};
	bus->interrupt_page = NULL;
	bus->monitor_page = NULL;
	bus->client.are_pages_lent = false;
	bus->client.config.interrupt_page_gpa = 0;
	bus->client.config.parent_to_child_page_gpa = 0;
	bus->client.config.child_to_parent_page_gpa = 0;
}

int vmbus_connect(struct vmbus *bus, uint64_t deadline)
{
	int error = synic_bus_may_block(bus);

	if (error)
		return error;
	if (bus->client.state != VMBUS_CLIENT_DISCONNECTED)
		return -VIRIDIAN_EBUSY;
	/* Old versions, and refusals of any version, answer on VP 0 (R-CONN-014). */
	error = synic_bus_vp_enable(bus, 0);
	if (error == 0)
		error = synic_bus_vp_enable(bus, bus->config.contact_vp);
	if (error == 0)
		error = shared_alloc(bus);
	if (error)
		return error;
	stale_drop(bus, 0, deadline);
	stale_drop(bus, bus->config.contact_vp, deadline);
	bus->is_serving = true;
	error = vmbus_client_connect(&bus->client, now_of(bus), deadline);
	bus->is_serving = false;
	if (error == 0)
		error = synic_bus_wait(bus, &bus->client.result);
	if (error)
		shared_release(bus);
	return error;
}

/* A host that does not confirm an unload must be asked for each page list. */
static void give_back_all(struct vmbus *bus, uint64_t deadline)
{
	while (bus->channels)
		(void)vmbus_channel_close(bus, bus->channels, deadline);
	for (struct vmbus_client_gpadl *gpadl = bus->client.gpadls; gpadl;) {
		if (vmbus_client_gpadl_teardown(&bus->client, gpadl, now_of(bus), deadline) != 0) {
			gpadl = gpadl->next;
			continue;
		}
		(void)synic_bus_wait(bus, &gpadl->result);
		gpadl = bus->client.gpadls;
	}
}

int vmbus_unload(struct vmbus *bus, uint64_t deadline)
{
	if (bus->is_serving)
		return -VIRIDIAN_EBUSY;
	int error = bus->failure;
	if (error == 0 && vmbus_client_version(&bus->client) &&
		!vmbus_client_has(&bus->client, VMBUS_CAP_UNLOAD_RESPONSE))
		give_back_all(bus, deadline);
	for (struct vmbus_channel *channel = bus->channels; channel; channel = channel->next_open) {
		synic_channel_cool(bus, channel);
		channel->is_open = false;
		bus->by_flag[channel->event_flag] = NULL;
	}
	if (error == 0) {
		bus->is_serving = true;
		error = vmbus_client_unload(&bus->client, now_of(bus), deadline);
		bus->is_serving = false;
	}
	if (error == 0)
		error = synic_bus_wait(bus, &bus->client.result);
	while (bus->channels)
		synic_channel_dispose(bus, bus->channels);
	shared_release(bus);
	return error;
}

/* ---- queries -------------------------------------------------------------------------------- */

uint32_t vmbus_version(const struct vmbus *bus)
{
	return vmbus_client_version(&bus->client);
}

uint32_t vmbus_features(const struct vmbus *bus)
{
	return bus->client.features;
}

const struct vmbus_offer *vmbus_offer_find(
	const struct vmbus *bus, const struct guid *interface_id, unsigned index)
{
	return vmbus_client_offer_find(&bus->client, interface_id, index);
}

const struct vmbus_offer *vmbus_offer_next(const struct vmbus *bus, uint32_t after_relid)
{
	return vmbus_client_offer_next(&bus->client, after_relid);
}

const struct vmbus_offer *vmbus_offer_subchannel(
	const struct vmbus *bus, const struct vmbus_offer *primary, uint16_t subchannel_index)
{
	return vmbus_client_offer_subchannel(&bus->client, primary, subchannel_index);
}

void vmbus_statistics_get(const struct vmbus *bus, struct vmbus_statistics *out)
{
	const struct vmbus_client_statistics *from = &bus->client.statistics;

	*out = (struct vmbus_statistics){
		.messages_sent = from->messages_sent,
		.messages_received = from->messages_received,
		.messages_rejected = from->messages_rejected,
		.last_rejection =
			from->messages_rejected ? vmbus_rejection_name(from->last_rejection) : NULL,
		.pages_lent = from->pages_lent,
		.pages_abandoned = from->pages_abandoned + bus->pages_abandoned,
		.post_retries = from->post_retries,
	};
}
