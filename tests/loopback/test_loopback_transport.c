// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback transport, both ends over real sockets, pipes and memfds: what guests
 * can do, how they come and go, and how host and guest notice each other's end.
 */
#include "tests/loopback/loopback_rig.h"

/* ---- a guest that behaves ------------------------------------------------------------------ */

static void body_everything(void)
{
	struct guest guest;
	struct winhv_message message;
	uint16_t status = 0xffff;
	uint64_t value;

	guest_start(&guest);
	struct winhv *hv = &guest.hv;
	CHECK(hv->identity.is_present);
	CHECK(memcmp(hv->identity.vendor, "Microsoft Hv", 13) == 0);
	CHECK(hv->identity.privileges & HV_PRIVILEGE_ACCESS_SYNIC);

	/* MSRs, good and bad. */
	CHECK(hv->ops->msr_read(hv->ctx, 1, HV_X64_MSR_VP_INDEX, &value) == 0 && value == 1);
	CHECK(hv->ops->msr_read(hv->ctx, 0, 0x400001ff, &value) == -VIRIDIAN_EINVAL);
	CHECK(hv->ops->msr_write(hv->ctx, 0, HV_X64_MSR_VP_INDEX, 0) == -VIRIDIAN_EINVAL);
	CHECK(hv->ops->msr_read(hv->ctx, 2, HV_X64_MSR_VP_INDEX, &value) == -VIRIDIAN_EINVAL);

	/* Host and guest have one clock. */
	const uint64_t before = winhv_time_100ns(hv);
	CHECK(hv->ops->msr_read(hv->ctx, 0, HV_X64_MSR_TIME_REF_COUNT, &value) == 0);
	const uint64_t after = winhv_time_100ns(hv);
	CHECK(before <= value + 10 && value <= after + 10);

	/* Hypercalls: fast, slow, rep, unknown. */
	CHECK(winhv_hypercall_fast(hv, HV_CALL_NOTIFY_LONG_SPIN_WAIT, 1, 0, &status) == 0);
	CHECK(status == HV_STATUS_SUCCESS);
	CHECK(winhv_hypercall_fast(hv, 0xbeef, 0, 0, &status) == 0 && status == 2);
	const struct hv_vp_registers_header_wire header = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = 1,
	};
	uint32_t names[600];
	struct hv_register_value_wire values[600];
	uint16_t done;
	for (unsigned i = 0; i < 600; i++)
		names[i] = i % 2 ? HV_REGISTER_VP_INDEX : HV_REGISTER_GUEST_OS_ID;
	CHECK(winhv_hypercall_rep(hv, HV_CALL_GET_VP_REGISTERS, &header, sizeof header, names,
		      sizeof names[0], 600, values, sizeof values[0], &done, &status) == 0);
	CHECK(status == 0 && done == 600); /* three pages of output */
	CHECK(values[598].low == OS_ID && values[599].low == 1);

	/* XMM, in and out. */
	struct winhv_xmm xmm = {.word = {HV_REGISTER_GUEST_OS_ID}};
	CHECK(hv->ops->hypercall(hv->ctx, 0,
		      hv_hypercall_input(HV_CALL_GET_VP_REGISTERS, 0, 1) | HV_HYPERCALL_FAST,
		      UINT64_MAX, HV_VP_INDEX_SELF, &xmm, &value) == 0);
	CHECK(hv_hypercall_result_status(value) == 0 && xmm.word[2] == OS_ID);

	/* Messages, both ways. */
	for (unsigned i = 0; i < 20; i++) {
		CHECK(winhv_post_message(hv, CONNECTION, 1 + i, &i, sizeof i, &status) == 0);
		CHECK(status == 0);
	}
	for (unsigned i = 0; i < 20; i++) {
		unsigned number;
		while (!winhv_message_take(hv, 0, SINT, &message))
			CHECK(guest_wait(&guest));
		memcpy(&number, message.payload, sizeof number);
		CHECK(message.type == 2 + i && number == i && message.bytes == sizeof number);
		CHECK(message.sender == CONNECTION);
	}

	/* Signals: bitmap, mailbox, unknown. */
	CHECK(winhv_signal_event(hv, CHANNEL, 0) == 0);
	while (!(value = winhv_events_take(hv, 0, SINT, 0)))
		CHECK(guest_wait(&guest));
	CHECK(value == 1u << 5);
	CHECK(winhv_signal_event(hv, 7, 1) == 0);
	CHECK(winhv_signal_event(hv, 7, 2) == 5);
	CHECK(winhv_signal_event(hv, 8, 0) == 0x12);
	guest_end(&guest);
}

static void guest_process_uses_everything(void)
{
	struct host host;

	host_open(&host, 2);
	host_listen(&host);
	host.echoes_messages = true;
	host.answers_signals = true;
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_everything)), 0);
	host_run_until(&host, &host.gone, 1);
	CU_ASSERT_EQUAL(host.attached, 1);
	CU_ASSERT_EQUAL(host.last_reason, LOOPBACK_GONE_CLOSED);
	CU_ASSERT_EQUAL(host.messages, 20);
	CU_ASSERT_EQUAL(host.events, 2);
	host_close(&host);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void body_waits(void)
{
	struct guest guest;
	uint32_t sints;

	guest_start(&guest);
	struct winhv *hv = &guest.hv;

	/* Time-out. */
	const uint64_t start = winhv_time_100ns(hv);
	CHECK(winhv_wait(hv, 0, HV_TIME_PER_SECOND / 50, &sints) == 0 && sints == 0);
	CHECK(winhv_time_100ns(hv) - start >= HV_TIME_PER_SECOND / 50);

	/* A loop of one's own: arm, poll() the descriptors, collect. */
	for (unsigned i = 0; i < 100; i++) {
		struct pollfd polls[] = {
			{.fd = platform_loopback_interrupt_fd(guest.loopback, 0), .events = POLLIN},
			{.fd = platform_loopback_host_fd(guest.loopback), .events = POLLIN},
		};
		winhv_wait_arm(hv, 0);
		CHECK(winhv_signal_event(hv, CHANNEL, 0) == 0);
		CHECK(poll(polls, 2, 10000) == 1 && polls[0].revents == POLLIN);
		CHECK(winhv_wait(hv, 0, 0, &sints) == 0);
		CHECK(winhv_events_take(hv, 0, SINT, 0) == 1u << 5);
		/* The pipe was emptied, at the latest by one more turn. */
		winhv_wait_arm(hv, 0);
		winhv_wait_disarm(hv, 0);
		CHECK(poll(polls, 1, 0) == 0);
	}
	/* Armed, then taken back: the interrupt is not lost. */
	winhv_wait_arm(hv, 0);
	winhv_wait_disarm(hv, 0);
	CHECK(winhv_signal_event(hv, CHANNEL, 0) == 0);
	CHECK(guest_wait(&guest));
	CHECK(winhv_events_take(hv, 0, SINT, 0) == 1u << 5);
	guest_end(&guest);
}

static void guest_waits_by_itself_or_in_a_loop_of_its_own(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	host.answers_signals = true;
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_waits)), 0);
	host_close(&host);
}

/* ---- guests that come and go --------------------------------------------------------------- */

/* Post and signal without end, to be killed in the middle of it. */
static void body_runs_for_ever(void)
{
	struct guest guest;
	struct winhv_message message;
	uint16_t status;

	guest_start(&guest);
	for (;;) {
		CHECK(winhv_post_message(&guest.hv, CONNECTION, 1, "x", 1, &status) == 0);
		(void)winhv_signal_event(&guest.hv, CHANNEL, 0);
		winhv_message_take(&guest.hv, 0, SINT, &message);
	}
}

static void killed_guests_make_room_for_the_next(void)
{
	struct host host;
	uint64_t value;

	host_open(&host, 1);
	host_listen(&host);
	host.echoes_messages = true;
	for (unsigned round = 1; round <= 5; round++) {
		const unsigned messages = host.messages;
		const pid_t child = guest_fork(body_runs_for_ever);
		host_run_until(&host, &host.messages, messages + 100 * round);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		host_run_until(&host, &host.gone, round);
		/* The partition is as new. */
		partition_msr_read(host.partition, 0, HV_X64_MSR_GUEST_OS_ID, &value);
		CU_ASSERT_EQUAL(value, 0);
		CU_ASSERT_FALSE(backend_loopback_has_guest(host.backend));
		const uint64_t *memory = guest_memory_at(
			partition_memory(host.partition), 0, MEMORY);
		uint64_t any = 0;
		for (size_t i = 0; i < MEMORY / sizeof *memory; i++)
			any |= memory[i];
		CU_ASSERT_EQUAL(any, 0);
	}
	host.echoes_messages = true;
	host.answers_signals = true;
	CU_ASSERT_EQUAL(host.attached, 5);
	host_close(&host);
}

static void body_second_guest(void)
{
	struct platform_loopback *loopback;

	CHECK(platform_loopback_connect(path, 5 * SECOND_NS, &loopback) == -EBUSY);
}

static void body_holds(void)
{
	struct guest guest;

	guest_start(&guest);
	for (;;)
		pause();
}

static void second_guest_is_told_that_it_is_busy(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	const pid_t first = guest_fork(body_holds);
	host_run_until(&host, &host.attached, 1);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_second_guest)), 0);
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	host_run_until(&host, &host.gone, 1);
	struct backend_loopback_statistics statistics;
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.refused_busy, 1);
	host_close(&host);
}

static void next_guest_waits_until_the_host_has_let_go(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	host.holds_memory = true;
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_joins)), 0);
	host_run_until(&host, &host.gone, 1);

	const pid_t next = guest_fork(body_joins);
	for (unsigned i = 0; i < 20; i++)
		host_turn(&host, 10);
	CU_ASSERT_EQUAL(host.attached, 1);
	CU_ASSERT_EQUAL(waitpid(next, NULL, WNOHANG), 0);
	backend_loopback_release(host.backend);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, next), 0);
	CU_ASSERT_EQUAL(host.attached, 2);
	host_close(&host);
}

/* A guest that closed its socket but kept all mappings and descriptors of its life. */
static void stale_guest_cannot_touch_the_next(void)
{
	struct host host;
	struct raw_guest stale, next;

	host_open(&host, 1);
	raw_guest_join(&host, &stale);
	memcpy(guest_memory_at(partition_memory(host.partition), 0x8000, 16), "shared", 7);
	aliases_barrier();
	CU_ASSERT_STRING_EQUAL(stale.memory + 0x8000, "shared");
	close(stale.socket);
	host_run_until(&host, &host.gone, 1);

	raw_guest_join(&host, &next);
	CU_ASSERT_STRING_EQUAL(next.memory + 0x8000, "");
	memcpy(stale.memory + 0x8000, "stale", 6);
	aliases_barrier();
	CU_ASSERT_STRING_EQUAL(next.memory + 0x8000, "");
	memcpy(next.memory + 0x8000, "next", 5);
	aliases_barrier();
	CU_ASSERT_STRING_EQUAL(
		(char *)guest_memory_at(partition_memory(host.partition), 0x8000, 16), "next");
	/* A signal in the old control region, and the old doorbell. */
	stale.control[offsetof(struct loopback_host_wire, signal)] = 1u << 5;
	stale.control[offsetof(struct loopback_host_wire, signal_summary)] = 1;
	signal(SIGPIPE, SIG_IGN);
	CU_ASSERT_EQUAL(write(stale.fds[2], "", 1), -1);
	CU_ASSERT_EQUAL(errno, EPIPE);
	signal(SIGPIPE, SIG_DFL);
	CU_ASSERT_TRUE(backend_loopback_arm(host.backend));
	host_turn(&host, 0);
	CU_ASSERT_EQUAL(host.events, 0);
	raw_guest_unmap(&stale);
	raw_guest_part(&next);
	host_close(&host);
}

/* What the guest left while the host was on its way to sleep rang no bell. */
static void host_looks_once_more_before_it_sleeps(void)
{
	const uint32_t bit = CHANNEL - LOOPBACK_SIGNAL_BASE;
	struct host host;
	struct raw_guest guest;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	host_turn(&host, 0);
	CU_ASSERT_TRUE(backend_loopback_arm(host.backend));
	guest.control[offsetof(struct loopback_host_wire, signal) + bit / 8] |= 1u << bit % 8;
	guest.control[offsetof(struct loopback_host_wire, signal_summary) + bit / 512] |=
		1u << bit / 64 % 8;
	CU_ASSERT_FALSE(backend_loopback_arm(host.backend));
	CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
	CU_ASSERT_EQUAL(host.events, 1);
	guest.control[offsetof(struct loopback_host_wire, mailbox_pending)] = 1;
	CU_ASSERT_FALSE(backend_loopback_arm(host.backend));
	CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
	CU_ASSERT_TRUE(backend_loopback_arm(host.backend));
	raw_guest_part(&guest);
	host_close(&host);
}

/* ---- the end of the host ------------------------------------------------------------------- */

static void body_sees_the_host_go(void)
{
	struct guest guest;
	uint32_t sints;
	uint16_t status;
	int error;

	guest_start(&guest);
	CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0);
	do {
		error = winhv_wait(&guest.hv, 0, UINT64_MAX, &sints);
	} while (error == 0);
	CHECK(error == -VIRIDIAN_ENODEV);
	CHECK(platform_loopback_is_gone(guest.loopback));
	CHECK(winhv_post_message(&guest.hv, CONNECTION, 1, "x", 1, &status) == -VIRIDIAN_ENODEV);
	CHECK(winhv_signal_event(&guest.hv, 7, 0) == -VIRIDIAN_ENODEV);
	CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0); /* and no SIGPIPE */
	winhv_shutdown(&guest.hv);
	CHECK(guest.hv.pages_abandoned == 3); /* SIMP, SIEFP, hypercall page */
	platform_loopback_destroy(guest.loopback);
}

static void guest_notices_that_the_host_has_gone(void)
{
	struct host host;
	int status;

	host_open(&host, 1);
	host_listen(&host);
	const pid_t child = guest_fork(body_sees_the_host_go);
	host_run_until(&host, &host.events, 1);
	host_close(&host);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(access(path, F_OK), -1); /* the socket was unlinked */
}

static void host_can_disconnect_a_guest(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	const pid_t child = guest_fork(body_sees_the_host_go);
	host_run_until(&host, &host.events, 1);
	backend_loopback_stop(host.backend);
	backend_loopback_disconnect(host.backend);
	CU_ASSERT_EQUAL(host.last_reason, LOOPBACK_GONE_DISCONNECTED);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, child), 0);
	struct loopback_welcome_wire welcome;
	const struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, sizeof hello, &welcome), 48);
	CU_ASSERT_EQUAL(welcome.status, LOOPBACK_WELCOME_STOPPING);
	host_close(&host);
}

static void body_request_times_out(void)
{
	struct guest guest;
	uint64_t value;

	guest_start(&guest);
	platform_loopback_request_timeout_set(guest.loopback, 50000000);
	CHECK(winhv_signal_event(&guest.hv, CHANNEL, 0) == 0);
	/* The host serves nothing any more. */
	uint64_t start = now_ns();
	int error;
	do {
		error = guest.hv.ops->msr_read(guest.hv.ctx, 0, HV_X64_MSR_TIME_REF_COUNT, &value);
	} while (error == 0 && now_ns() - start < 10 * SECOND_NS);
	CHECK(error == -VIRIDIAN_ETIMEDOUT);
	/* The mailbox is dead, at once and for ever. */
	CHECK(guest.hv.ops->msr_read(guest.hv.ctx, 0, HV_X64_MSR_TIME_REF_COUNT, &value) ==
		-VIRIDIAN_ENODEV);
	/* That of the other VP would still work. */
	CHECK(guest.hv.ops->msr_read(guest.hv.ctx, 1, HV_X64_MSR_TIME_REF_COUNT, &value) ==
		-VIRIDIAN_ETIMEDOUT);
}

static void host_that_hangs_makes_the_vp_dead_not_the_guest(void)
{
	struct host host;
	int status;

	host_open(&host, 2);
	host_listen(&host);
	const pid_t child = guest_fork(body_request_times_out);
	host_run_until(&host, &host.events, 1);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	host_run_until(&host, &host.gone, 1);
	host_close(&host);
}

/* ---- the socket's path --------------------------------------------------------------------- */

static void stale_socket_is_replaced_and_a_live_one_is_not(void)
{
	struct host first, second;
	struct stat status;
	char too_long[200];

	host_open(&first, 1);
	host_open(&second, 1);
	host_listen(&first);
	CU_ASSERT_EQUAL(stat(path, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, path), -EADDRINUSE);
	CU_ASSERT_EQUAL(backend_loopback_listen(first.backend, path), -EALREADY);

	/* A server that died leaves its socket behind. */
	const int dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s-stale", path);
	CU_ASSERT_EQUAL(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
	close(dead);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, address.sun_path), 0);

	/* What is no socket is left alone. */
	host_close(&second);
	CU_ASSERT_EQUAL(access(address.sun_path, F_OK), -1);
	const int file = open(address.sun_path, O_CREAT | O_WRONLY, 0600);
	host_open(&second, 1);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, address.sun_path), -EEXIST);
	close(file);
	unlink(address.sun_path);
	memset(too_long, 'x', sizeof too_long - 1);
	too_long[sizeof too_long - 1] = 0;
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, too_long), -ENAMETOOLONG);

	/* The socket of someone else at our path is not unlinked. */
	unlink(path);
	CU_ASSERT_EQUAL(backend_loopback_listen(second.backend, path), 0);
	host_close(&first);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	host_close(&second);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
}

/* ---- guest memory -------------------------------------------------------------------------- */

static void body_memory(void)
{
	struct guest guest;
	struct winhv_pages pages, rest, ring;
	void *control;
	uint8_t *data;

	guest_join(&guest);
	void *ctx = guest.loopback;
	const struct winhv_platform_ops *ops = &platform_loopback_ops;
	CHECK(ops->pages_alloc(ctx, 0, &pages) == -VIRIDIAN_EINVAL);
	CHECK(ops->pages_alloc(ctx, 4097, &pages) == -VIRIDIAN_EINVAL);
	CHECK(ops->pages_alloc(ctx, MEMORY, &pages) == -VIRIDIAN_ENOMEM);
	CHECK(ops->pages_alloc(ctx, MEMORY - 4096, &pages) == 0); /* all but page 0 */
	CHECK(pages.gpa == 4096);
	CHECK(ops->pages_alloc(ctx, 4096, &rest) == -VIRIDIAN_ENOMEM);
	memset(pages.va, 0xaa, pages.bytes);
	ops->pages_free(ctx, &pages);
	for (unsigned i = 0; i < 100; i++) { /* free in the middle, find again */
		CHECK(ops->pages_alloc(ctx, 3 * 4096, &pages) == 0);
		CHECK(pages.va[0] == 0 && pages.va[3 * 4096 - 1] == 0); /* zeroed */
		CHECK(ops->pages_alloc(ctx, 2 * 4096, &rest) == 0);
		CHECK(rest.gpa != pages.gpa);
		ops->pages_free(ctx, &pages);
		ops->pages_free(ctx, &rest);
	}
	const struct winhv_pages wild = {.gpa = 0, .bytes = 4096};
	const struct winhv_pages beyond = {.gpa = MEMORY - 4096, .bytes = 2 * 4096};
	ops->pages_free(ctx, &wild);
	ops->pages_free(ctx, &beyond);

	CHECK(ops->pages_alloc(ctx, 8 * 4096, &ring) == 0);
	CHECK(ops->ring_map(ctx, &ring, 4 * 4096, 4 * 4096, &control, &data) == 0);
	memcpy(data + 3 * 4096 - 3, "around", 6);
	aliases_barrier();
	CHECK(memcmp(data, "und", 3) == 0);
	CHECK(memcmp(ring.va + 5 * 4096, "und", 3) == 0);
	CHECK(memcmp(ring.va + 8 * 4096 - 3, "aro", 3) == 0);
	memcpy(control, "index", 5);
	aliases_barrier();
	CHECK(memcmp(ring.va + 4 * 4096, "index", 5) == 0);
	ops->ring_unmap(ctx, control, data, 3 * 4096);
	CHECK(ops->ring_map(ctx, &ring, 0, 4096, &control, &data) == -VIRIDIAN_EINVAL);
	CHECK(ops->ring_map(ctx, &ring, 4096, 8 * 4096, &control, &data) == -VIRIDIAN_EINVAL);
	CHECK(ops->ring_map(ctx, &ring, 1, 2 * 4096, &control, &data) == -VIRIDIAN_EINVAL);
	ops->pages_free(ctx, &ring);
	platform_loopback_destroy(guest.loopback);
}

static void guest_allocates_pages_and_maps_rings(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_memory)), 0);
	host_close(&host);
}

static void body_resets(void)
{
	struct guest guest;
	uint64_t value = 1;

	guest_start(&guest);
	CHECK(guest.hv.ops->msr_write(guest.hv.ctx, 0, HV_X64_MSR_RESET, 1) == 0);
	CHECK(guest.hv.ops->msr_read(guest.hv.ctx, 0, HV_X64_MSR_SIMP, &value) == 0 && value == 0);
	uint16_t status;
	CHECK(winhv_hypercall_fast(&guest.hv, HV_CALL_NOTIFY_LONG_SPIN_WAIT, 0, 0, &status) ==
		-VIRIDIAN_ENOTSUP); /* #UD */
	platform_loopback_destroy(guest.loopback);
}

static void guest_can_reset_its_partition_and_go_on(void)
{
	struct host host;

	host_open(&host, 1);
	host_listen(&host);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_resets)), 0);
	host_close(&host);
}

static uint64_t private_kib(void)
{
	char line[256];
	uint64_t total = 0;
	FILE *file = fopen("/proc/self/smaps_rollup", "r");

	while (file && fgets(line, sizeof line, file)) {
		unsigned long long kib;
		if (sscanf(line, "Private_Dirty: %llu", &kib) == 1 ||
			sscanf(line, "Private_Clean: %llu", &kib) == 1)
			total += kib;
	}
	if (file)
		fclose(file);
	return total;
}

static void idle_partition_costs_little_private_memory(void)
{
	struct host host;
	const uint64_t before = private_kib();

	if (before == 0) {
		test_skip("no /proc/self/smaps_rollup");
		return;
	}
	host_open(&host, 1);
	host_listen(&host);
	const pid_t child = guest_fork(body_holds);
	host_run_until(&host, &host.attached, 1);
	for (unsigned i = 0; i < 20; i++)
		host_turn(&host, 5);
	const uint64_t after = private_kib();
	CU_ASSERT_TRUE(after < before + 512);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	host_close(&host);
}

static const struct test tests[] = {
	TEST(host_looks_once_more_before_it_sleeps),
	TEST(guest_process_uses_everything),
	TEST(guest_waits_by_itself_or_in_a_loop_of_its_own),
	TEST(killed_guests_make_room_for_the_next),
	TEST(second_guest_is_told_that_it_is_busy),
	TEST(next_guest_waits_until_the_host_has_let_go),
	TEST(stale_guest_cannot_touch_the_next),
	TEST(guest_notices_that_the_host_has_gone),
	TEST(host_can_disconnect_a_guest),
	TEST(host_that_hangs_makes_the_vp_dead_not_the_guest),
	TEST(stale_socket_is_replaced_and_a_live_one_is_not),
	TEST(guest_allocates_pages_and_maps_rings),
	TEST(guest_can_reset_its_partition_and_go_on),
	TEST(idle_partition_costs_little_private_memory),
};

TEST_MAIN("loopback_transport", tests)
