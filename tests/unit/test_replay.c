// SPDX-License-Identifier: Apache-2.0
/*
 * Replay: every control message and every packet of twenty recorded sessions of real
 * Linux guests goes through our host: hypercalls, SynIC, server, bus, rings. Each is
 * accepted as the guest meant it, and what we answer is what that guest needed to go on.
 *
 * The devices are those of the recording host, by a provider that takes packets and compares
 * them. Relids are translated, for that host numbered its devices in another order. A
 * packet is put into guest memory as the guest did it: bytes and trailer at its place in the
 * ring, then the write index.
 *
 * What the recording host said is matched one to one with what ours says, byte for byte, but
 * for relid and connection id of offers. What it did on its own (rescind, hot add) is done
 * to our host before.
 */
#include "tests/unit/replay_rig.h"

/* ---- our host's devices ---- */

/* Same interface, instance and subchannel index. */
static bool same_offer(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a + 8, b + 8, 32) == 0 && memcmp(a + 180, b + 180, 2) == 0;
}

static struct device *device_alive(struct replay *r, const uint8_t *offer)
{
	for (unsigned i = 0; i < r->device_count; i++) {
		if (r->devices[i].channel != NULL && same_offer(r->devices[i].offer, offer))
			return &r->devices[i];
	}
	return NULL;
}

static struct device *device_add(struct replay *r, const uint8_t *bytes)
{
	struct device *d = &r->devices[r->device_count];
	struct bus_offer offer = {
		.flags = (uint16_t)(bytes[56] | bytes[57] << 8),
		.mmio_mib = (uint16_t)(bytes[58] | bytes[59] << 8),
		.subchannel_index = (uint16_t)(bytes[180] | bytes[181] << 8),
		.ops = &provider_ops,
		.ctx = d,
	};
	memcpy(offer.interface_id.bytes, bytes + 8, 16);
	memcpy(offer.instance_id.bytes, bytes + 24, 16);
	memcpy(offer.user_data, bytes + 60, sizeof offer.user_data);
	*d = (struct device){.replay = r};
	memcpy(d->offer, bytes, OFFER_BYTES);
	CU_ASSERT_TRUE_FATAL(r->device_count < DEVICES);
	EXPECT(r, bus_offer_add(r->bus, &offer, &d->channel) == 0);
	r->device_count++;
	return d;
}

static void device_remove(struct device *d)
{
	struct bus_channel *channel = d->channel;
	d->channel = NULL;
	bus_offer_remove(channel);
}

static struct device *device_of(struct replay *r, uint32_t recorded_relid)
{
	if (recorded_relid >= 2048 || r->device_of[recorded_relid] == 0)
		return NULL;
	return &r->devices[r->device_of[recorded_relid] - 1];
}

/* Before REQUEST_OFFERS: have the devices that the recording host goes on to offer. */
static void devices_prepare(struct replay *r)
{
	bool is_wanted[DEVICES] = {false};
	for (size_t i = r->at + 1; i < r->capture.count; i++) {
		const struct capture_line *line = &r->capture.lines[i];
		if (line->kind != CAPTURE_HOST_MESSAGE)
			continue;
		if (u32_at(line->bytes, 0) != VMBUS_MESSAGE_OFFER_CHANNEL)
			break;
		struct device *d = device_alive(r, line->bytes);
		if (d == NULL)
			d = device_add(r, line->bytes);
		is_wanted[d - r->devices] = true;
	}
	for (unsigned i = 0; i < r->device_count; i++) {
		if (r->devices[i].channel != NULL && !is_wanted[i])
			device_remove(&r->devices[i]);
	}
}

/* The recording host's answer to a request for a connection decides ours. */
static bool on_connect_request(
	void *ctx, const struct guid *endpoint_id, const struct guid *service_id)
{
	struct replay *r = ctx;
	for (size_t i = r->at + 1; i < r->capture.count; i++) {
		const struct capture_line *line = &r->capture.lines[i];
		if (line->kind != CAPTURE_HOST_MESSAGE)
			continue;
		if (u32_at(line->bytes, 0) == VMBUS_MESSAGE_TL_CONNECT_RESULT)
			return false;
		if (u32_at(line->bytes, 0) == VMBUS_MESSAGE_OFFER_CHANNEL)
			return memcmp(line->bytes + 8, service_id, 16) == 0 &&
			       memcmp(line->bytes + 24, endpoint_id, 16) == 0;
	}
	return false;
}

/* ---- the guest's hardware ---- */

static uint16_t post(struct replay *r, uint32_t connection, const uint8_t *bytes, size_t count)
{
	const uint32_t header[4] = {connection, 0, 1, (uint32_t)count};
	uint8_t *input = memory_at(r, INPUT_PAGE);
	memset(input, 0, 256);
	memcpy(input, header, sizeof header);
	memcpy(input + 16, bytes, count);
	struct hypercall_registers registers = {.rcx = 0x5c, .rdx = INPUT_PAGE};
	EXPECT(r, partition_hypercall(r->partition, 0, &registers) == PARTITION_FAULT_NONE);
	return (uint16_t)registers.rax;
}

static void pool_add(struct replay *r, const uint8_t *slot)
{
	for (unsigned i = 0; i < POOL; i++) {
		if (r->pool[i].count == 0) {
			r->pool[i].count = slot[4];
			memcpy(r->pool[i].bytes, slot + 16, sizeof r->pool[i].bytes);
			return;
		}
	}
	CU_FAIL("our host says more than the recorded one");
}

/* Empty the message slots as a guest does. */
static void listen_all(struct replay *r)
{
	for (uint32_t vp = 0; vp < VPS; vp++) {
		uint8_t *slot = memory_at(r, SIMP(vp)) + 2 * 256;
		while (u32_at(slot, 0) != 0) {
			pool_add(r, slot);
			u32_put(slot, 0, 0);
			if (slot[5] & 1)
				partition_msr_write(r->partition, vp, HV_X64_MSR_EOM, 0);
		}
	}
}

static void run(struct replay *r)
{
	do {
		while (vmbus_bus_poll(r->bus))
			;
	} while (!vmbus_bus_arm(r->bus));
	listen_all(r);
}

/* ---- what the guest keeps in mind ---- */

static struct gpadl *gpadl_find(struct replay *r, uint32_t id)
{
	for (unsigned i = 0; i < GPADLS; i++) {
		if (r->gpadls[i].id == id)
			return &r->gpadls[i];
	}
	return NULL;
}

/* The same, where the recording says that there is one. */
static struct gpadl *gpadl_known(struct replay *r, uint32_t id)
{
	struct gpadl *g = gpadl_find(r, id);
	if (g == NULL) {
		fprintf(stderr, "%s, line %zu: no GPADL 0x%x\n", r->name, r->at + 1, id);
		abort();
	}
	return g;
}

/* Page numbers of one range, from a header (one range, as Linux sends) or a body. */
static void gpadl_note(struct replay *r, const struct capture_line *line)
{
	const bool is_header = u32_at(line->bytes, 0) == VMBUS_MESSAGE_GPADL_HEADER;
	const size_t first = is_header ? 28 : 16;
	const uint32_t id = u32_at(line->bytes, 12);
	const bool is_new = is_header && gpadl_find(r, id) == NULL;
	struct gpadl *g = gpadl_known(r, is_new ? 0 : id);
	if (is_header) {
		g->id = id;
		g->total = (u32_at(line->bytes, 20) + 4095) / 4096;
		g->count = 0;
		free(g->gpns);
		g->gpns = calloc(g->total, sizeof *g->gpns);
	}
	for (size_t at = first; at + 8 <= line->count && g->count < g->total; at += 8)
		memcpy(&g->gpns[g->count++], line->bytes + at, 8);
}

/* A page of the guest's rings. */
static uint8_t *ring_page(struct replay *r, const struct gpadl *g, unsigned page)
{
	return memory_at(r, g->gpns[page] << 12);
}

/* Before OPEN: both control pages as the guest had them (in, out, mask, pending 0; features 1). */
static void rings_prepare(struct replay *r, struct device *d, const uint8_t *open)
{
	d->ring = gpadl_known(r, u32_at(open, 16));
	d->downstream = u32_at(open, 24);
	d->in = 0;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *control = ring_page(r, d->ring, i * d->downstream);
		memset(control, 0, 4096);
		u32_put(control, 64, 1);
	}
}

/* ---- lines ---- */

static const uint32_t naming_relid[] = {VMBUS_MESSAGE_OPEN_CHANNEL, VMBUS_MESSAGE_CLOSE_CHANNEL,
	VMBUS_MESSAGE_GPADL_HEADER, VMBUS_MESSAGE_GPADL_TEARDOWN, VMBUS_MESSAGE_REL_ID_RELEASED,
	VMBUS_MESSAGE_MODIFY_CHANNEL, VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER,
	VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, VMBUS_MESSAGE_GPADL_CREATED,
	VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE};

static bool names_relid(uint32_t type)
{
	for (unsigned i = 0; i < sizeof naming_relid / sizeof *naming_relid; i++) {
		if (naming_relid[i] == type)
			return true;
	}
	return false;
}

static void guest_message(struct replay *r, const struct capture_line *line, uint16_t status)
{
	uint8_t bytes[240];
	CU_ASSERT_TRUE_FATAL(line->count >= 8 && line->count <= sizeof bytes);
	memcpy(bytes, line->bytes, line->count);
	const uint32_t type = u32_at(bytes, 0);
	struct device *d = NULL;
	r->messages++;
	if (!r->is_connected && type != VMBUS_MESSAGE_INITIATE_CONTACT)
		r->after_unload++; /* too late: dropped, and the guest expects no answer */
	else if (names_relid(type)) {
		d = device_of(r, u32_at(bytes, 8));
		EXPECT(r, d != NULL && !d->is_deferred);
		if (d == NULL)
			return;
	}
	if (d != NULL) {
		const uint32_t relid = u32_at(d->offer, 184); /* ours */
		u32_put(bytes, 8, relid);
	}
	if (type == VMBUS_MESSAGE_REQUEST_OFFERS)
		devices_prepare(r);
	if (type == VMBUS_MESSAGE_GPADL_HEADER || type == VMBUS_MESSAGE_GPADL_BODY)
		gpadl_note(r, line);
	if (type == VMBUS_MESSAGE_OPEN_CHANNEL && d != NULL)
		rings_prepare(r, d, bytes);
	if (type == VMBUS_MESSAGE_GPADL_TEARDOWN)
		gpadl_known(r, u32_at(bytes, 12))->id = 0;
	if (type == VMBUS_MESSAGE_UNLOAD)
		r->is_connected = false;
	EXPECT(r, post(r, line->connection, bytes, line->count) == status);
	if (type == VMBUS_MESSAGE_INITIATE_CONTACT) {
		struct vmbus_bus_statistics statistics;
		vmbus_bus_statistics_get(r->bus, &statistics);
		r->is_connected = statistics.version != 0;
		memset(r->device_of, 0, sizeof r->device_of);
	}
	listen_all(r);
}

/* Bodies that were left out of the recording: their pages, which nobody looks at. */
static void left_out(struct replay *r, const struct capture_line *line)
{
	for (uint32_t left = line->pages; left > 0;) {
		uint8_t bytes[240] = {VMBUS_MESSAGE_GPADL_BODY};
		const uint32_t now = left < 28 ? left : 28;
		u32_put(bytes, 12, line->gpadl);
		for (uint32_t i = 0; i < now; i++)
			u32_put(bytes, 16 + 8 * i, 0x100 + i);
		EXPECT(r, post(r, 1, bytes, 16 + 8 * now) == 0);
		left -= now;
	}
	gpadl_known(r, line->gpadl)->total -= line->pages;
	listen_all(r);
}

/* Take the message out of the pool. */
static bool pool_take(struct replay *r, const uint8_t *bytes, size_t count)
{
	for (unsigned i = 0; i < POOL; i++) {
		struct message *m = &r->pool[i];
		if (m->count == count && memcmp(m->bytes, bytes, count) == 0) {
			m->count = 0;
			return true;
		}
	}
	return false;
}

/* An offer with these GUIDs that our host has made: learn its relid. */
static bool pool_take_offer(struct replay *r, const uint8_t *recorded, uint32_t *relid)
{
	for (unsigned i = 0; i < POOL; i++) {
		struct message *m = &r->pool[i];
		if (m->count != OFFER_BYTES || m->bytes[0] != VMBUS_MESSAGE_OFFER_CHANNEL ||
			!same_offer(m->bytes, recorded))
			continue;
		*relid = u32_at(m->bytes, 184);
		uint8_t expected[OFFER_BYTES];
		memcpy(expected, recorded, sizeof expected);
		u32_put(expected, 184, *relid);
		u32_put(expected, 192, 0x2000 | *relid);
		EXPECT(r, memcmp(m->bytes, expected, sizeof expected) == 0);
		m->count = 0;
		return true;
	}
	return false;
}

static void host_offer(struct replay *r, const struct capture_line *line)
{
	const uint32_t recorded_relid = u32_at(line->bytes, 184);
	uint32_t relid = 0;
	EXPECT(r, line->count == OFFER_BYTES && recorded_relid < 2048);
	struct device *d = device_alive(r, line->bytes);
	const bool is_new = d == NULL;
	if (is_new)
		d = device_add(r, line->bytes);
	r->device_of[recorded_relid] = (uint16_t)(d - r->devices + 1);
	listen_all(r);
	if (pool_take_offer(r, line->bytes, &relid))
		u32_put(d->offer, 184, relid);
	else if (is_new)
		d->is_deferred = true;
	/* else: a closed subchannel offered anew without a rescind; ours is still there */
}

static void host_message(struct replay *r, const struct capture_line *line)
{
	uint8_t bytes[240];
	memcpy(bytes, line->bytes, line->count);
	const uint32_t type = u32_at(bytes, 0);
	if (type == VMBUS_MESSAGE_OFFER_CHANNEL) {
		host_offer(r, line);
		return;
	}
	if (type == VMBUS_MESSAGE_VERSION_RESPONSE && bytes[8] == 0)
		r->unsupported++;
	if (names_relid(type)) {
		struct device *d = device_of(r, u32_at(bytes, 8));
		EXPECT(r, d != NULL);
		if (d == NULL)
			return;
		u32_put(bytes, 8, u32_at(d->offer, 184));
		if (type == VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER && d->channel != NULL) {
			device_remove(d);
			listen_all(r);
		}
	}
	EXPECT(r, pool_take(r, bytes, line->count));
}

static void packet(struct replay *r, const struct capture_line *line)
{
	struct device *d = device_of(r, line->relid);
	EXPECT(r, d != NULL && d->channel != NULL && d->ring != NULL);
	if (d == NULL || d->channel == NULL || d->ring == NULL)
		return;
	const uint32_t size = (d->downstream - 1) * 4096;
	EXPECT(r, line->offset == d->in);
	for (uint32_t i = 0; i < line->count + 8; i++) {
		const uint32_t at = (line->offset + i) % size;
		ring_page(r, d->ring, 1 + at / 4096)[at % 4096] =
			i < line->count ? line->bytes[i] : line->trailer[i - line->count];
	}
	d->in = (line->offset + (uint32_t)line->count + 8) % size;
	u32_put(ring_page(r, d->ring, 0), 0, d->in);
	d->expected = line;
	d->arrived = 0;
	EXPECT(r, partition_signal(r->partition, 0x2000 | u32_at(d->offer, 184), 0) == 0);
	run(r);
	EXPECT(r, d->arrived == 1);
	EXPECT(r, u32_at(ring_page(r, d->ring, 0), 4) == d->in); /* all read, and said so */
	r->packets++;
}

/* ---- sessions ---- */

static void session_start(struct replay *r, uint32_t version_max, bool is_single_client)
{
	const struct partition_config partition = {.memory_bytes = MEMORY_BYTES, .vp_count = VPS};
	const struct vmbus_bus_config bus = {
		.version_max = version_max,
		.is_single_client = is_single_client,
		.connect_request = on_connect_request,
		.connect_ctx = r,
	};
	CU_ASSERT_EQUAL_FATAL(partition_create(&partition, &r->partition), 0);
	CU_ASSERT_EQUAL_FATAL(vmbus_bus_create(r->partition, &bus, &r->bus), 0);
	partition_msr_write(r->partition, 0, HV_X64_MSR_GUEST_OS_ID, UINT64_C(0x8100000000000001));
	partition_msr_write(r->partition, 0, HV_X64_MSR_HYPERCALL, CODE_PAGE | 1);
	for (uint32_t vp = 0; vp < VPS; vp++) {
		partition_msr_write(r->partition, vp, HV_X64_MSR_SIMP, SIMP(vp) | 1);
		partition_msr_write(r->partition, vp, HV_X64_MSR_SIEFP, SIEFP(vp) | 1);
		partition_msr_write(r->partition, vp, HV_X64_MSR_SINT0 + 2, 0xf3);
	}
}

/* No message was refused but those that the recording shows as refused. */
static void session_end(struct replay *r)
{
	struct vmbus_bus_statistics statistics;
	vmbus_bus_statistics_get(r->bus, &statistics);
	const uint64_t unsupported = vmbus_bus_rejections(
		r->bus, VMBUS_REJECTION_UNSUPPORTED_VERSION);
	const uint64_t late = vmbus_bus_rejections(r->bus, VMBUS_REJECTION_NOT_NEGOTIATED);
	EXPECT(r, unsupported == r->unsupported);
	EXPECT(r, late == r->after_unload);
	EXPECT(r, statistics.messages_rejected == unsupported + late);
	for (unsigned i = 0; i < POOL; i++)
		EXPECT(r, r->pool[i].count == 0); /* we said no more than was needed */
	vmbus_bus_destroy(r->bus);
	partition_destroy(r->partition);
	for (unsigned i = 0; i < GPADLS; i++)
		free(r->gpadls[i].gpns);
	capture_free(&r->capture);
}

static void replay(const char *name, uint32_t version_max, bool is_single_client)
{
	static struct replay r;
	char path[256];
	r = (struct replay){.name = name};
	snprintf(path, sizeof path, "tests/data/captures/%s.txt", name);
	CU_ASSERT_EQUAL_FATAL(capture_read(path, &r.capture), 0);
	session_start(&r, version_max, is_single_client);
	for (r.at = 0; r.at < r.capture.count; r.at++) {
		const struct capture_line *line = &r.capture.lines[r.at];
		switch (line->kind) {
		case CAPTURE_GUEST_MESSAGE:
			guest_message(&r, line, HV_STATUS_SUCCESS);
			break;
		case CAPTURE_REFUSED_MESSAGE:
			guest_message(&r, line, (uint16_t)line->status);
			break;
		case CAPTURE_HOST_MESSAGE:
			host_message(&r, line);
			break;
		case CAPTURE_LEFT_OUT:
			left_out(&r, line);
			break;
		case CAPTURE_PACKET:
			packet(&r, line);
			break;
		}
	}
	printf("  %s: %u messages, %u packets\n", name, r.messages, r.packets);
	CU_ASSERT_TRUE(r.messages > 10 && r.packets > 80);
	session_end(&r);
}

#define SESSION(test, scenario, version, single)                                                   \
	static void linux_6_1_##test(void)                                                         \
	{                                                                                          \
		replay("linux-6.1.176-" scenario, version, single);                                \
	}                                                                                          \
	static void linux_6_12_##test(void)                                                        \
	{                                                                                          \
		replay("linux-6.12.117-" scenario, version, single);                               \
	}

SESSION(uses_all_devices, "all-devices", VMBUS_VERSION_5_3, false)
SESSION(opens_subchannels, "multichannel", VMBUS_VERSION_5_3, false)
SESSION(falls_back_to_4_1, "version-4.1-only", VMBUS_VERSION_4_1, false)
SESSION(falls_back_to_5_2, "version-5.2-only", VMBUS_VERSION_5_2, false)
SESSION(falls_back_without_connection_4, "version-4.0-refused-post-reboot", VMBUS_VERSION_4_0, true)
SESSION(loses_its_devices, "rescind", VMBUS_VERSION_5_3, false)
SESSION(loses_an_idle_disk, "rescind-scsi", VMBUS_VERSION_5_3, false)
SESSION(panics, "panic", VMBUS_VERSION_5_3, false)
SESSION(starts_another_kernel, "kexec", VMBUS_VERSION_5_3, false)
SESSION(unloads_its_drivers, "unload-rmmod", VMBUS_VERSION_5_3, false)

#define SESSION_TESTS(test) TEST(linux_6_1_##test), TEST(linux_6_12_##test)

static const struct test tests[] = {
	SESSION_TESTS(uses_all_devices),
	SESSION_TESTS(opens_subchannels),
	SESSION_TESTS(falls_back_to_4_1),
	SESSION_TESTS(falls_back_to_5_2),
	SESSION_TESTS(falls_back_without_connection_4),
	SESSION_TESTS(loses_its_devices),
	SESSION_TESTS(loses_an_idle_disk),
	SESSION_TESTS(panics),
	SESSION_TESTS(starts_another_kernel),
	SESSION_TESTS(unloads_its_drivers),
};
TEST_MAIN("replay", tests)
