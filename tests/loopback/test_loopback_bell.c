// SPDX-License-Identifier: Apache-2.0
/*
 * The bells of the loopback transport: of a million signals and a million interrupts
 * that meet a peer on its way to sleep, none is lost.
 */
#include "tests/loopback/loopback_rig.h"

/* ---- no wake-up is lost -------------------------------------------------------------------- */

#define PINGS 1000000u

struct ping {
	int socket;
	unsigned pings;
	uint64_t last_ns; /* atomic: when the last answer came; 0: failed */
	unsigned sleeps, doorbells;
	bool is_done; /* atomic */
};

/* A guest in a thread: signal, wait for the event flag, and again. */
static void *ping_guest(void *arg)
{
	struct ping *ping = arg;
	struct guest guest;
	struct platform_loopback_statistics statistics;

	CHECK(platform_loopback_attach(ping->socket, 5 * SECOND_NS, &guest.loopback) == 0);
	CHECK(winhv_init(&guest.hv, &platform_loopback_ops, guest.loopback, 1) == 0);
	CHECK(winhv_hypercall_enable(&guest.hv, OS_ID) == 0);
	CHECK(winhv_synic_enable(&guest.hv, 0, SINT, VECTOR) == 0);
	for (unsigned i = 0; i < PINGS; i++) {
		CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0);
		/* Not at all, or up to as long as an answer takes: both sides meet at all offsets.
		 */
		unsigned spins = i % 4 == 0 ? 0 : (i * 2654435761u >> 16) % 2048;
		while (!winhv_events_take(&guest.hv, 0, SINT, 0)) {
			uint32_t sints;
			if (spins > 0) {
				spins--;
				continue;
			}
			/* Ten seconds without an answer: a wake-up was lost. */
			const uint64_t start = now_ns();
			CHECK(winhv_wait(&guest.hv, 0, 10 * HV_TIME_PER_SECOND, &sints) == 0);
			CHECK(now_ns() - start < 10 * SECOND_NS);
		}
		__atomic_store_n(&ping->pings, i + 1, __ATOMIC_RELAXED);
	}
	platform_loopback_statistics_get(guest.loopback, &statistics);
	ping->sleeps = (unsigned)statistics.sleeps;
	ping->doorbells = (unsigned)statistics.doorbells;
	guest_end(&guest);
	__atomic_store_n(&ping->is_done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void a_million_ping_pongs_lose_no_wake_up(void)
{
	struct host host;
	struct ping ping = {0};
	int ends[2];
	pthread_t guest;
	struct backend_loopback_statistics statistics;

	host_open(&host, 1);
	host.answers_signals = true;
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	CU_ASSERT_EQUAL(backend_loopback_attach(host.backend, ends[0]), 0);
	ping.socket = ends[1];
	const uint64_t start = now_ns();
	CU_ASSERT_EQUAL_FATAL(pthread_create(&guest, NULL, ping_guest, &ping), 0);
	unsigned overslept = 0;
	for (unsigned turn = 0; !__atomic_load_n(&ping.is_done, __ATOMIC_ACQUIRE); turn++) {
		const unsigned spins = turn % 4 == 0 ? 0 : (turn * 2654435761u >> 16) % 2048;
		for (unsigned i = 0; i < spins && !backend_loopback_poll(host.backend); i++)
			;
		/* A whole second without a bell, though the guest waits for an answer. */
		overslept += !host_turn(&host, 1000) && host.attached > 0 &&
			     !__atomic_load_n(&ping.is_done, __ATOMIC_ACQUIRE);
	}
	pthread_join(guest, NULL);
	CU_ASSERT_EQUAL(overslept, 0);
	CU_ASSERT_EQUAL(ping.pings, PINGS);
	CU_ASSERT_EQUAL(host.events, PINGS);
	backend_loopback_statistics_get(host.backend, &statistics);
	printf("    %.0f ns a round trip; guest slept %u times and rang %u times; host was rung "
	       "%llu times and rang %llu times\n",
		(double)(now_ns() - start) / PINGS, ping.sleeps, ping.doorbells,
		(unsigned long long)statistics.doorbells, (unsigned long long)statistics.wakeups);
	host_close(&host);
}

/* Several threads of a guest signal at once: no bit is lost. */
#define SIGNALLERS 3u
#define SIGNALS	   20000u

struct signaller {
	struct platform_loopback *loopback;
	uint32_t connection_id;
	const unsigned *served; /* by the host, atomic */
};

static void *signaller_run(void *arg)
{
	const struct signaller *signaller = arg;

	for (unsigned i = 1; i <= SIGNALS; i++) {
		CHECK(platform_loopback_ops.signal_event(
			      signaller->loopback, signaller->connection_id, 0) == 0);
		/* The next one only when this one was seen: each must be. */
		const uint64_t start = now_ns();
		while (__atomic_load_n(signaller->served, __ATOMIC_ACQUIRE) < i)
			CHECK(now_ns() - start < TOO_LONG_NS);
	}
	return NULL;
}

static void count_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	unsigned *counter = ctx;

	(void)connection_id;
	(void)flag;
	__atomic_fetch_add(counter, 1, __ATOMIC_RELEASE);
}

struct joiner {
	int socket;
	struct platform_loopback *loopback;
};

static void *joiner_run(void *arg)
{
	struct joiner *joiner = arg;

	CHECK(platform_loopback_attach(joiner->socket, 5 * SECOND_NS, &joiner->loopback) == 0);
	return NULL;
}

static void concurrent_signals_all_arrive(void)
{
	struct host host;
	struct joiner joiner = {0};
	struct signaller signallers[SIGNALLERS];
	unsigned served[SIGNALLERS] = {0};
	pthread_t threads[SIGNALLERS], join;
	int ends[2];

	host_open(&host, 1);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	backend_loopback_attach(host.backend, ends[0]);
	joiner.socket = ends[1];
	pthread_create(&join, NULL, joiner_run, &joiner);
	host_run_until(&host, &host.attached, 1);
	pthread_join(join, NULL);
	for (unsigned i = 0; i < SIGNALLERS; i++) {
		/* Two in one word of the bitmap, one in another. */
		const uint32_t id = LOOPBACK_SIGNAL_BASE + 64 + (i == 2 ? 1000 : i);
		CU_ASSERT_EQUAL(
			partition_event_port_add(host.partition, id, 1, count_event, &served[i]),
			0);
		signallers[i] = (struct signaller){joiner.loopback, id, &served[i]};
		pthread_create(&threads[i], NULL, signaller_run, &signallers[i]);
	}
	const uint64_t deadline = now_ns() + TOO_LONG_NS;
	for (bool is_done = false; !is_done && now_ns() < deadline;) {
		host_turn(&host, 100);
		is_done = true;
		for (unsigned i = 0; i < SIGNALLERS; i++)
			is_done &= served[i] == SIGNALS;
	}
	for (unsigned i = 0; i < SIGNALLERS; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(served[i], SIGNALS);
	}
	platform_loopback_destroy(joiner.loopback);
	host_close(&host);
}

static const struct test tests[] = {
	TEST(a_million_ping_pongs_lose_no_wake_up),
	TEST(concurrent_signals_all_arrive),
};

TEST_MAIN("loopback_bell", tests)
