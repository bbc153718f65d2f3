// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench doorbell: waking the peer. The subject is what the product does: spin for the
 * adaptive budget (protocol/spin.h) with the ring's interrupt mask set, then arm the
 * ring, look once more, and sleep on an eventfd; the writer rings only if the ring's
 * signalling rule says so. References: the same rings with nothing but spinning, and a
 * bare eventfd.
 */
#include "tests/performance/bench.h"

#include "protocol/packet.h"
#include "protocol/ring.h"
#include "protocol/spin.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA_BYTES    (64u * 1024)
#define SPIN_NS	      50000u
#define TRIPS	      20000u
#define SLEEPY_TRIPS  60u
#define SLEEPY_GAP_NS 400000u
#define LOST_AFTER_MS 2000
#define SATURATED     2000000u
#define IDLE_NS	      100000000u

/* One end of a pair of rings: sends on one, waits on the other. */
struct end {
	struct ring_writer writer;
	struct ring_reader reader;
	struct spin_policy spin;
	int my_bell, peer_bell;
	uint64_t rings;	 /* eventfd writes */
	uint64_t sleeps; /* eventfd waits */
	uint64_t lost;	 /* waits that ended by time-out with data in the ring */
};

struct doorbell_bench {
	struct bench_pair there, back;
	int bells[2];
	uint64_t soak;
};

static const struct packet_header header = {
	.type = PACKET_TYPE_INBAND,
	.payload_bytes = 64,
};
static const uint8_t payload[64];

static void end_send(struct end *end)
{
	if (ring_send(&end->writer, &header, NULL, payload) != RING_OK)
		return;
	if (ring_flush(&end->writer)) {
		end->rings++;
		eventfd_write(end->peer_bell, 1);
	}
}

/* Take one packet if there is one. */
static bool end_take(struct end *end)
{
	struct packet_view view;
	if (ring_peek(&end->reader, &view) != RING_OK)
		return false;
	ring_release(&end->reader, &view);
	if (ring_read_flush(&end->reader))
		eventfd_write(end->peer_bell, 1);
	return true;
}

static void end_sleep(struct end *end)
{
	struct pollfd fd = {.fd = end->my_bell, .events = POLLIN};
	const uint64_t start = measure_now_ns();
	end->sleeps++;
	if (poll(&fd, 1, LOST_AFTER_MS) == 0) {
		struct packet_view view;
		end->lost += ring_peek(&end->reader, &view) == RING_OK;
	} else {
		eventfd_t value;
		eventfd_read(end->my_bell, &value);
	}
	spin_after_sleep(&end->spin, measure_now_ns() - start);
}

/* Wait for one packet the product's way. */
static void end_receive(struct end *end)
{
	for (;;) {
		const uint64_t start = end->spin.current > 0 ? measure_now_ns() : 0;
		do {
			for (unsigned i = 0; i < 64; i++) {
				if (end_take(end))
					return;
				spin_pause();
			}
		} while (end->spin.current > 0 && measure_now_ns() - start < end->spin.current);
		ring_read_flush(&end->reader);
		if (!ring_reader_arm(&end->reader))
			end_sleep(end);
		ring_reader_mask(&end->reader);
	}
}

static void end_receive_spinning(struct end *end)
{
	while (!end_take(end))
		spin_pause();
}

static void ends_open(struct doorbell_bench *b, struct end *a, struct end *z)
{
	*a = (struct end){.my_bell = b->bells[0], .peer_bell = b->bells[1]};
	*z = (struct end){.my_bell = b->bells[1], .peer_bell = b->bells[0]};
	spin_init(&a->spin, SPIN_NS);
	spin_init(&z->spin, SPIN_NS);
	bench_ring_open(&b->there, &a->writer, &z->reader);
	bench_ring_open(&b->back, &z->writer, &a->reader);
	ring_reader_mask(&a->reader);
	ring_reader_mask(&z->reader);
}

/* ---- ping-pong: mean round trip in ns ---------------------------------------------------- */

static double ping_pong(struct doorbell_bench *b, unsigned trips, uint64_t gap_ns,
	void (*receive)(struct end *end), void (*receive_answer)(struct end *end))
{
	struct end a;
	struct end z;
	ends_open(b, &a, &z);
	const pid_t child = bench_fork(&b->there);
	if (child == 0) {
		bench_child_ready(&b->there);
		for (unsigned i = 0; i < trips; i++) {
			receive(&z);
			end_send(&z);
		}
		_exit(z.lost == 0 ? 0 : 1);
	}
	if (child < 0 || !bench_child_wait_ready(&b->there))
		return -1;
	uint64_t total = 0;
	const uint64_t began = measure_now_ns();
	for (unsigned i = 0; i < trips; i++) {
		uint64_t start = 0;
		if (gap_ns > 0) {
			/* A gap longer than the spin budget: the peer has gone to sleep by then. */
			const uint64_t start_gap = measure_now_ns();
			while (measure_now_ns() - start_gap < gap_ns)
				spin_pause();
			start = measure_now_ns();
		}
		end_send(&a);
		receive_answer(&a);
		if (gap_ns > 0)
			total += measure_now_ns() - start;
	}
	/* Without gaps, by one look at the clock, as the reference: each costs some 20 ns. */
	if (gap_ns == 0)
		total = measure_now_ns() - began;
	return bench_child_join(child) && a.lost == 0 ? (double)total / trips : -1;
}

static double adaptive_awake(void *ctx)
{
	return ping_pong(ctx, TRIPS, 0, end_receive, end_receive);
}

static double spinning_awake(void *ctx)
{
	return ping_pong(ctx, TRIPS, 0, end_receive_spinning, end_receive_spinning);
}

/* Waking a peer that sleeps; the answer is awaited by spinning, so that one wake-up counts. */
static double adaptive_asleep(void *ctx)
{
	return ping_pong(ctx, SLEEPY_TRIPS, SLEEPY_GAP_NS, end_receive, end_receive_spinning);
}

/* The same through nothing but an eventfd, answered by a flag. */
static double eventfd_asleep(void *ctx)
{
	struct doorbell_bench *b = ctx;
	uint32_t *answer = &b->there.shared->flags[0];
	eventfd_t value;
	__atomic_store_n(answer, 0, __ATOMIC_RELEASE);
	const pid_t child = bench_fork(&b->there);
	if (child == 0) {
		bench_child_ready(&b->there);
		for (unsigned i = 0; i < SLEEPY_TRIPS; i++) {
			struct pollfd fd = {.fd = b->bells[1], .events = POLLIN};
			poll(&fd, 1, -1);
			eventfd_read(b->bells[1], &value);
			__atomic_store_n(answer, i + 1, __ATOMIC_RELEASE);
		}
		_exit(0);
	}
	if (child < 0 || !bench_child_wait_ready(&b->there))
		return -1;
	uint64_t total = 0;
	for (unsigned i = 0; i < SLEEPY_TRIPS; i++) {
		const uint64_t start_gap = measure_now_ns();
		while (measure_now_ns() - start_gap < SLEEPY_GAP_NS)
			spin_pause();
		const uint64_t start = measure_now_ns();
		eventfd_write(b->bells[1], 1);
		while (__atomic_load_n(answer, __ATOMIC_ACQUIRE) != i + 1)
			spin_pause();
		total += measure_now_ns() - start;
	}
	return bench_child_join(child) ? (double)total / SLEEPY_TRIPS : -1;
}

/* ---- ring ping-pong beside a bare queue that spins ------------------------------------------- */

static double bare_ping_pong(void *ctx)
{
	struct doorbell_bench *b = ctx;
	struct bare_producer there, back;
	struct bare_consumer here, over;
	uint8_t buffer[64];
	uint64_t length;
	bench_bare_open(&b->there, &there, &over);
	bench_bare_open(&b->back, &back, &here);
	const pid_t child = bench_fork(&b->there);
	if (child == 0) {
		bench_child_ready(&b->there);
		for (unsigned i = 0; i < TRIPS; i++) {
			while (!bare_receive(&over, buffer, sizeof buffer, &length))
				spin_pause();
			bare_send(&back, payload, sizeof payload);
		}
		_exit(0);
	}
	if (child < 0 || !bench_child_wait_ready(&b->there))
		return -1;
	const uint64_t start = measure_now_ns();
	for (unsigned i = 0; i < TRIPS; i++) {
		bare_send(&there, payload, sizeof payload);
		while (!bare_receive(&here, buffer, sizeof buffer, &length))
			spin_pause();
	}
	const double mean = (double)(measure_now_ns() - start) / TRIPS;
	return bench_child_join(child) ? mean : -1;
}

/* ---- saturated, idle, soak ----------------------------------------------------------------- */

/*
 * One-way stream of `count` packets with the adaptive reader; the writer waits for space the
 * ring's way. Returns the eventfd writes of the writer, or -1 if a wake-up was lost.
 */
static double stream(struct doorbell_bench *b, uint64_t count, bool naps)
{
	struct end a;
	struct end z;
	ends_open(b, &a, &z);
	const pid_t child = bench_fork(&b->there);
	if (child == 0) {
		bench_child_ready(&b->there);
		for (uint64_t i = 0; i < count && z.lost == 0; i++) {
			end_receive(&z);
			/* now and then a reader that sleeps at once, whatever the policy says */
			if (naps && (i * 2654435761u >> 16) % 512 == 0)
				z.spin.current = 0;
		}
		_exit(z.lost == 0 ? 0 : 1);
	}
	if (child < 0 || !bench_child_wait_ready(&b->there))
		return -1;
	uint64_t sent = 0;
	while (sent < count) {
		const enum ring_status status = ring_send(&a.writer, &header, NULL, payload);
		if (status == RING_OK) {
			sent++;
			if (ring_flush(&a.writer)) {
				a.rings++;
				eventfd_write(a.peer_bell, 1);
			}
			/* now and then a writer that pauses until the reader must be asleep */
			if (naps && (sent * 2246822519u >> 13) % 2048 == 0) {
				for (unsigned i = 0; i < 200; i++)
					spin_pause();
			}
		} else if (ring_writer_want(&a.writer, &header) == RING_FULL) {
			struct pollfd fd = {.fd = a.my_bell, .events = POLLIN};
			eventfd_t value;
			if (poll(&fd, 1, LOST_AFTER_MS) == 0)
				break;
			eventfd_read(a.my_bell, &value);
		}
	}
	if (sent < count || !bench_child_join(child))
		return -1;
	return (double)a.rings;
}

static double rings_per_thousand(void *ctx)
{
	const double rings = stream(ctx, SATURATED, false);
	return rings < 0 ? -1 : rings * 1000 / SATURATED;
}

static double eventfd_per_thousand(void *ctx)
{
	(void)ctx;
	return 1000; /* by construction: one write for each packet */
}

/* Wake-ups of a process that waits the product's way while nothing happens, but the last one. */
static double idle_wake_ups(void *ctx)
{
	struct doorbell_bench *b = ctx;
	struct end a;
	struct end z;
	ends_open(b, &a, &z);
	const pid_t child = bench_fork(&b->there);
	if (child == 0) {
		bench_child_ready(&b->there);
		end_receive(&z);
		b->there.shared->result = z.sleeps;
		_exit(z.lost == 0 ? 0 : 1);
	}
	if (child < 0 || !bench_child_wait_ready(&b->there))
		return -1;
	poll(NULL, 0, IDLE_NS / 1000000);
	end_send(&a);
	if (!bench_child_join(child) || b->there.shared->result == 0)
		return -1;
	return (double)(b->there.shared->result - 1);
}

static double timer_wake_ups(void *ctx)
{
	(void)ctx;
	return (double)IDLE_NS / 1e6; /* a poll each millisecond */
}

static double soak_lost(void *ctx)
{
	const struct doorbell_bench *b = ctx;
	return stream(ctx, b->soak, true) < 0 ? -1 : 0;
}

static double soak_packets(void *ctx)
{
	return (double)((struct doorbell_bench *)ctx)->soak;
}

void bench_doorbell(struct report *report, uint64_t soak)
{
	static struct doorbell_bench b;
	static const struct measure_case cases[] = {
		{"doorbell/ping-pong", "ns/trip", "bare queue, both spin", MEASURE_AT_MOST, 1.2,
			spinning_awake, bare_ping_pong, &b},
		{"doorbell/awake", "ns/trip", "same rings, both only spin", MEASURE_AT_MOST, 1.25,
			adaptive_awake, spinning_awake, &b},
		{"doorbell/asleep", "ns/trip", "a bare eventfd, answered by a flag",
			MEASURE_AT_MOST, 1.1, adaptive_asleep, eventfd_asleep, &b},
		{"doorbell/saturated", "rings/1000",
			"1000 by definition, a write for each packet: the count alone is judged",
			MEASURE_AT_MOST, 0.001, rings_per_thousand, eventfd_per_thousand, &b},
		{"doorbell/idle", "wake-ups",
			"by definition, a poll each millisecond: the count alone is judged",
			MEASURE_AT_MOST, 0, idle_wake_ups, timer_wake_ups, &b},
	};
	static const struct measure_case soak_case = {"doorbell/lost", "lost",
		"packets of the soak", MEASURE_AT_MOST, 0, soak_lost, soak_packets, &b};
	b.soak = soak;
	b.bells[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b.bells[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b.bells[0] < 0 || b.bells[1] < 0 || bench_pair_make(&b.there, DATA_BYTES) != 0 ||
		bench_pair_make(&b.back, DATA_BYTES) != 0) {
		fprintf(stderr, "hvbench: doorbells: %s\n", strerror(errno));
		return;
	}
	measure_pin(0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		report_case(report, &cases[i]);
	const unsigned rounds = report->rounds;
	report->rounds = 1; /* the soak is one long round */
	report_case(report, &soak_case);
	report->rounds = rounds;
	close(b.bells[0]);
	close(b.bells[1]);
	bench_pair_free(&b.there);
	bench_pair_free(&b.back);
}
