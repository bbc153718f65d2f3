// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs of the worker against a guest that will not have them, and clients that do not
 * wait: the bus is a stand-in, the guest is the test, and so is the control socket.
 */
#include "guest/ic_daemons/kvp_ic.h"
#include "host/vmwp/worker.h"
#include "tests/harness.h"
#include "tests/unit/bus_stand_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FLAPS 200u

/* --- what the worker stands on ------------------------------------------------------------- */

static unsigned answers;
static char last_error[sizeof((struct control_error *)NULL)->text];

void control_socket_answer(struct control_socket *control, struct control_ticket *ticket,
	json_t *result, const struct control_error *error)
{
	(void)control;
	answers++;
	snprintf(last_error, sizeof last_error, "%s", result == NULL ? error->text : "");
	json_decref(result);
	json_decref(ticket->id);
	ticket->id = NULL;
}

const char *worker_service_why_not(const struct ic_provider *provider, int error)
{
	(void)provider;
	return strerror(-error);
}

/* --- fixture ------------------------------------------------------------------------------- */

struct fixture {
	struct vmbus_bus bus;
	struct kvp_ic guest;
	uint32_t status; /* of the guest's answers to SET */
};

static struct worker worker;
static const struct options options; /* no name, no id */

static uint32_t guest_get(void *ctx, uint8_t pool, const char *key, struct kvp_item *out)
{
	(void)ctx;
	(void)pool;
	(void)key;
	(void)out;
	return IC_STATUS_NO_MORE_ITEMS;
}

static uint32_t guest_set(void *ctx, uint8_t pool, const struct kvp_item *item)
{
	(void)pool;
	(void)item;
	return ((struct fixture *)ctx)->status;
}

static const struct kvp_ops guest_ops = {.get = guest_get, .set = guest_set};

static uint64_t loop_now(void *ctx)
{
	(void)ctx;
	return 1000000000;
}

static void loop_timer(void *ctx, uint64_t deadline_ns)
{
	(void)ctx;
	(void)deadline_ns;
}

static void open_channel(struct fixture *f)
{
	static const uint8_t user_data[VMBUS_USER_DATA_BYTES];
	struct bus_channel *channel = &f->bus.channel;
	ring_pair_open(&channel->rings);
	channel->failure = NULL;
	kvp_ic_init(&f->guest, &guest_ops, f);
	channel->offer.ops->open(channel->offer.ctx, channel, user_data);
}

static void start(struct fixture *f)
{
	const struct ic_provider_loop loop = {.now_ns = loop_now, .timer_set = loop_timer};
	memset(f, 0, sizeof *f);
	memset(&worker, 0, sizeof worker);
	worker.bus = &f->bus;
	worker.options = &options;
	worker.services.slots[OPTIONS_SERVICE_KVP].is_offered = true;
	CU_ASSERT_EQUAL_FATAL(worker_kvp_add(&worker, &loop), 0);
	open_channel(f);
	answers = 0;
}

static void stop(void)
{
	ic_provider_remove(&worker.services.kvp.kvp.provider);
}

/* The guest takes one packet, answers it, and the host takes that. False: there was none. */
static bool guest_serves(struct fixture *f)
{
	static uint64_t buffer[IC_PAYLOAD_MAX_BYTES / 8 + 1];
	struct bus_channel *channel = &f->bus.channel;
	struct packet_view view;
	size_t len = 0;
	if (!far_receive(&channel->rings, buffer, sizeof buffer, &view))
		return false;
	(void)ic_guest_on_packet(
		&f->guest.ic, view.payload, view.payload_bytes, buffer, sizeof buffer, &len);
	CU_ASSERT_EQUAL(
		far_send(&channel->rings, PACKET_TYPE_INBAND, view.transaction_id, buffer, len),
		RING_OK);
	return channel->offer.ops->ready(channel->offer.ctx, channel);
}

/* A client asks, and would wait. */
static bool ask(uint64_t connection, struct control_error *error)
{
	const struct control_kvp what = {.action = CONTROL_KVP_GET,
		.pool = KVP_POOL_GUEST,
		.key = "k",
		.type = KVP_TYPE_STRING,
		.is_direct = true,
		.timeout_s = 3600};
	struct control_ticket ticket = {.connection = connection, .serial = connection};
	json_t *answer = worker_kvp_command(&worker, &what, &ticket, error);
	CU_ASSERT_PTR_NULL(answer);
	return ticket.is_taken;
}

/* --- tests --------------------------------------------------------------------------------- */

/* R-KVP-025: they are told at each opening, and a guest may open as often as it likes. */
static void guest_that_refuses_the_hosts_pairs_does_not_fill_the_log(void)
{
	static struct fixture f;
	char line[256];
	unsigned lines = 0;
	FILE *log = tmpfile();
	CU_ASSERT_PTR_NOT_NULL_FATAL(log);
	const int standard_error = dup(STDERR_FILENO);
	fflush(stderr);
	CU_ASSERT_TRUE_FATAL(dup2(fileno(log), STDERR_FILENO) >= 0);
	start(&f);
	f.status = IC_STATUS_FAIL;
	for (unsigned i = 0; i < FLAPS; i++) {
		while (guest_serves(&f))
			;
		bus_close(&f.bus);
		open_channel(&f);
	}
	stop();
	fflush(stderr);
	CU_ASSERT_TRUE_FATAL(dup2(standard_error, STDERR_FILENO) >= 0);
	close(standard_error);
	rewind(log);
	while (fgets(line, sizeof line, log) != NULL)
		lines++;
	fclose(log);
	CU_ASSERT_TRUE(lines >= 1);
	CU_ASSERT_TRUE(lines < 50);
}

static void requests_of_clients_that_have_gone_make_room(void)
{
	static struct fixture f;
	struct control_error error = {0};
	start(&f);
	while (guest_serves(&f))
		;
	const struct kvp_vsp *vsp = &worker.services.kvp.kvp.vsp;
	CU_ASSERT_EQUAL(vsp->jobs, 0);
	/* The guest is silent from now on. */
	for (uint64_t i = 1; i <= CONTROL_CLIENTS_MAX; i++)
		CU_ASSERT_TRUE(ask(i, &error));
	CU_ASSERT_EQUAL(vsp->jobs, CONTROL_CLIENTS_MAX);
	CU_ASSERT_FALSE(ask(100, &error));
	CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "too many requests"));
	/* The first's message is with the guest, the third's waits. */
	worker_kvp_client_gone(&worker, 1);
	worker_kvp_client_gone(&worker, 3);
	worker_kvp_client_gone(&worker, 3);
	worker_kvp_client_gone(&worker, 55);
	CU_ASSERT_EQUAL(vsp->jobs, CONTROL_CLIENTS_MAX - 2);
	CU_ASSERT_TRUE(ask(101, &error));
	CU_ASSERT_TRUE(ask(102, &error));
	CU_ASSERT_FALSE(ask(103, &error));
	answers = 0;
	while (guest_serves(&f))
		;
	CU_ASSERT_EQUAL(answers, CONTROL_CLIENTS_MAX);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "no pair of that key"));
	CU_ASSERT_EQUAL(vsp->jobs, 0);
	stop();
}

static const struct test tests[] = {
	TEST(guest_that_refuses_the_hosts_pairs_does_not_fill_the_log),
	TEST(requests_of_clients_that_have_gone_make_room),
};
TEST_MAIN("worker_kvp", tests)
