// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback transport against peers that do not keep to its rules: guests that talk
 * garbage, scribble and flood; hosts whose welcome is not to be trusted.
 */
#include "tests/loopback/loopback_rig.h"

/* ---- hostile guests ------------------------------------------------------------------------ */

static void garbage_instead_of_hello_is_dropped(void)
{
	struct host host;
	struct loopback_welcome_wire welcome;
	struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};
	uint8_t longer[100] = {0};
	struct backend_loopback_statistics statistics;

	host_open(&host, 1);
	host_listen(&host);
	CU_ASSERT_EQUAL(raw_exchange(&host, "GET / HTTP/1.0\r\n\r\n", 18, &welcome), 0);
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, 15, &welcome), 0);
	memcpy(longer, &hello, sizeof hello);
	CU_ASSERT_EQUAL(raw_exchange(&host, longer, 17, &welcome), 0);
	CU_ASSERT_EQUAL(raw_exchange(&host, longer, sizeof longer, &welcome), 0);
	hello.magic++;
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, sizeof hello, &welcome), 0);
	hello.magic--;
	hello.version++;
	CU_ASSERT_EQUAL(raw_exchange(&host, &hello, sizeof hello, &welcome), 48);
	CU_ASSERT_EQUAL(welcome.status, LOOPBACK_WELCOME_BAD_VERSION);
	CU_ASSERT_EQUAL(welcome.version, LOOPBACK_VERSION);
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.refused_garbage, 5);
	CU_ASSERT_EQUAL(statistics.refused_version, 1);
	CU_ASSERT_EQUAL(host.attached, 0);
	/* And a good guest is still welcome. */
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_joins)), 0);
	host_close(&host);
}

static void guest_that_speaks_after_hello_is_dropped(void)
{
	struct host host;
	int ends[2];
	const struct loopback_hello_wire hello = {LOOPBACK_MAGIC, LOOPBACK_VERSION, 0};

	host_open(&host, 1);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	backend_loopback_attach(host.backend, ends[0]);
	CU_ASSERT_EQUAL(send(ends[1], &hello, sizeof hello, 0), (ssize_t)sizeof hello);
	host_run_until(&host, &host.attached, 1);
	CU_ASSERT_EQUAL(send(ends[1], "more", 4, 0), 4);
	host_run_until(&host, &host.gone, 1);
	CU_ASSERT_EQUAL(host.last_reason, LOOPBACK_GONE_SPOKE);
	close(ends[1]);
	host_close(&host);
}

static void silent_strangers_are_pushed_out_by_later_ones(void)
{
	struct host host;
	int silent[LIMIT_LOOPBACK_STRANGERS + 1];
	struct backend_loopback_statistics statistics;
	uint8_t byte;

	host_open(&host, 1);
	host_listen(&host);
	for (unsigned i = 0; i < LIMIT_LOOPBACK_STRANGERS; i++)
		silent[i] = raw_connect();
	for (unsigned i = 0; i < 10; i++)
		host_turn(&host, 0);
	CU_ASSERT_EQUAL(recv(silent[0], &byte, 1, MSG_DONTWAIT), -1); /* at the bound: stays */
	silent[LIMIT_LOOPBACK_STRANGERS] = raw_connect();
	for (unsigned i = 0; i < 10; i++)
		host_turn(&host, 0);
	CU_ASSERT_EQUAL(recv(silent[0], &byte, 1, MSG_DONTWAIT), 0); /* one past: the oldest */
	CU_ASSERT_EQUAL(recv(silent[1], &byte, 1, MSG_DONTWAIT), -1);
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.refused_crowd, 1);
	CU_ASSERT_EQUAL(host_run_until_exit(&host, guest_fork(body_joins)), 0);
	for (unsigned i = 0; i <= LIMIT_LOOPBACK_STRANGERS; i++)
		close(silent[i]);
	host_close(&host);
}

static void memory_of_a_guest_is_sealed(void)
{
	struct host host;
	struct raw_guest guest;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	CU_ASSERT_EQUAL(ftruncate(guest.fds[0], 0), -1);
	CU_ASSERT_EQUAL(ftruncate(guest.fds[1], 0), -1);
	CU_ASSERT_EQUAL(fcntl(guest.fds[0], F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	raw_guest_part(&guest);
	host_close(&host);
}

static void scribbled_control_region_harms_no_one(void)
{
	struct host host;
	struct raw_guest guest;
	struct backend_loopback_statistics statistics;
	uint8_t *mailbox;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	memset(guest.control, 0xff, 2 * 4096);
	/* All signals at once: each is taken once, and none has a port but ours. */
	CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
	CU_ASSERT_EQUAL(host.events, 1);
	CU_ASSERT_FALSE(backend_loopback_poll(host.backend));
	backend_loopback_statistics_get(host.backend, &statistics);
	CU_ASSERT_EQUAL(statistics.signals, LOOPBACK_SIGNAL_COUNT);
	CU_ASSERT_EQUAL(statistics.requests_invalid, 1); /* state was no REQUESTED; one VP */

	/* A request of an unknown kind is answered by a fault. */
	mailbox = guest.control + 4096;
	memset(mailbox + offsetof(struct loopback_vp_wire, state), 0, 200);
	mailbox[offsetof(struct loopback_vp_wire, state)] = LOOPBACK_STATE_REQUESTED;
	mailbox[offsetof(struct loopback_vp_wire, kind)] = 99;
	guest.control[offsetof(struct loopback_host_wire, mailbox_pending)] = 1;
	CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
	CU_ASSERT_EQUAL(mailbox[offsetof(struct loopback_vp_wire, state)], LOOPBACK_STATE_DONE);
	CU_ASSERT_EQUAL(mailbox[offsetof(struct loopback_vp_wire, fault)], LOOPBACK_FAULT_UD);
	raw_guest_part(&guest);
	host_close(&host);
}

static void guest_cannot_make_the_host_block_in_an_interrupt(void)
{
	struct host host;
	struct raw_guest guest;
	uint32_t *sleeping;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	partition_msr_write(host.partition, 0, HV_X64_MSR_SINT0 + SINT, VECTOR);
	partition_msr_write(host.partition, 0, HV_X64_MSR_SIEFP, 0x10001);
	/* Clear O_NONBLOCK of what we hold, never read, and ask to be woken each time. */
	CU_ASSERT_EQUAL(fcntl(guest.fds[3], F_SETFL, 0), 0);
	CU_ASSERT_EQUAL(fcntl(guest.fds[2], F_SETFL, 0), 0);
	sleeping = (uint32_t *)(void *)(guest.control + 4096);
	for (uint32_t i = 0; i < 100000; i++) {
		*sleeping = 1;
		uint64_t *flags = guest_memory_at(partition_memory(host.partition), 0x10200, 8);
		*flags = 0;
		CU_ASSERT_EQUAL_FATAL(synic_event_set(host.partition, 0, SINT, 1), 0);
	}
	/* And the host's own bell: full, and it still is emptied without blocking. */
	CU_ASSERT_EQUAL(write(guest.fds[2], guest.control, 4096), 4096);
	host_turn(&host, 0);
	raw_guest_part(&guest);
	host_run_until(&host, &host.gone, 1);
	host_close(&host);
}

/* R-ROB-004. */
static void flood_of_signals_is_bounded_work(void)
{
	struct host host;
	struct raw_guest guest;

	host_open(&host, 1);
	raw_guest_join(&host, &guest);
	/* However often the guest sets the bit, a poll calls the port once. */
	for (unsigned i = 1; i <= 1000; i++) {
		guest.control[offsetof(struct loopback_host_wire, signal)] |= 1u << 5;
		guest.control[offsetof(struct loopback_host_wire, signal_summary)] |= 1;
		CU_ASSERT_TRUE(backend_loopback_poll(host.backend));
		CU_ASSERT_EQUAL(host.events, i);
	}
	raw_guest_part(&guest);
	host_close(&host);
}

/* ---- hostile hosts ------------------------------------------------------------------------- */

/* What a hostile host may send as its welcome; all refused without harm. */
struct welcome_case {
	const char *name;
	struct loopback_welcome_wire wire;
	size_t wire_bytes;
	unsigned fd_count;
	bool has_plain_file; /* memory is a file that could be cut off */
	bool has_wrong_pipe; /* doorbell is no pipe */
	bool has_huge_pages; /* memory is of pages that can run out */
	int expected;
};

static struct loopback_welcome_wire good_welcome(void)
{
	return (struct loopback_welcome_wire){
		.magic = LOOPBACK_MAGIC,
		.version = LOOPBACK_VERSION,
		.memory_bytes = 16 * 4096,
		.control_bytes = 2 * 4096,
		.vp_count = 1,
	};
}

static int welcome_try(const struct welcome_case *c)
{
	int ends[2];
	int pipe_fds[2];
	int plain_pipe[2];
	const int memory = guest_memfd_create("test", 16 * 4096);
	const int control = guest_memfd_create("test", 2 * 4096);
	const int plain = memfd_create("test", MFD_CLOEXEC);
	struct platform_loopback *loopback = NULL;
	struct loopback_welcome_wire wire = c->wire;
	_Alignas(struct cmsghdr) uint8_t control_bytes[CMSG_SPACE(8 * sizeof(int))] = {0};
	struct iovec iov = {&wire, c->wire_bytes};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CU_ASSERT_EQUAL(pipe(pipe_fds), 0);
	CU_ASSERT_EQUAL(pipe(plain_pipe), 0);
	CU_ASSERT_EQUAL(ftruncate(plain, 16 * 4096), 0);
	if (c->has_huge_pages) {
		const int huge = memfd_create(
			"test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
		CU_ASSERT_FATAL(huge >= 0 && ftruncate(huge, 2 << 20) == 0 &&
				fcntl(huge, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
		dup2(huge, memory);
		close(huge);
	}
	const int fds[8] = {c->has_plain_file ? plain : memory, control,
		c->has_wrong_pipe ? control : pipe_fds[1], plain_pipe[0], memory, memory, memory,
		memory};
	if (c->fd_count > 0) {
		message.msg_control = control_bytes;
		message.msg_controllen = CMSG_SPACE(c->fd_count * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(c->fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, c->fd_count * sizeof(int));
	}
	CU_ASSERT_EQUAL(sendmsg(ends[0], &message, 0), (ssize_t)c->wire_bytes);
	const int error = platform_loopback_attach(ends[1], SECOND_NS, &loopback);
	if (error == 0)
		platform_loopback_destroy(loopback);
	const int ours[] = {memory, control, plain, pipe_fds[0], pipe_fds[1], plain_pipe[0],
		plain_pipe[1], ends[0]};
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		close(ours[i]);
	return error;
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void invalid_welcomes_are_refused(void)
{
	struct welcome_case cases[] = {
		{.name = "good", .fd_count = 4, .expected = 0},
		{.name = "magic", .fd_count = 4, .expected = -EPROTO},
		{.name = "version", .fd_count = 4, .expected = -ENOTSUP},
		{.name = "busy", .expected = -EBUSY},
		{.name = "bad version", .expected = -ENOTSUP},
		{.name = "stopping", .expected = -ENODEV},
		{.name = "no resources", .expected = -ENOMEM},
		{.name = "status", .fd_count = 4, .expected = -EPROTO},
		{.name = "short", .fd_count = 4, .wire_bytes = 47, .expected = -EPROTO},
		{.name = "no descriptors", .expected = -EPROTO},
		{.name = "too few", .fd_count = 3, .expected = -EPROTO},
		{.name = "too many", .fd_count = 8, .expected = -EPROTO},
		{.name = "no VP", .fd_count = 3, .expected = -EPROTO},
		{.name = "65 VPs", .fd_count = 4, .expected = -EPROTO},
		{.name = "no memory", .fd_count = 4, .expected = -EPROTO},
		{.name = "odd memory", .fd_count = 4, .expected = -EPROTO},
		{.name = "more memory than there is", .fd_count = 4, .expected = -EPROTO},
		{.name = "huge memory", .fd_count = 4, .expected = -EPROTO},
		{.name = "control size", .fd_count = 4, .expected = -EPROTO},
		{.name = "plain file", .fd_count = 4, .has_plain_file = true, .expected = -EPROTO},
		{.name = "no pipe", .fd_count = 4, .has_wrong_pipe = true, .expected = -EPROTO},
	};
	const unsigned before = open_descriptors();

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cases[i].wire = good_welcome();
		if (cases[i].wire_bytes == 0)
			cases[i].wire_bytes = sizeof cases[i].wire;
	}
	cases[1].wire.magic ^= 1;
	cases[2].wire.version = 2;
	cases[3].wire.status = LOOPBACK_WELCOME_BUSY;
	cases[4].wire.status = LOOPBACK_WELCOME_BAD_VERSION;
	cases[5].wire.status = LOOPBACK_WELCOME_STOPPING;
	cases[6].wire.status = LOOPBACK_WELCOME_NO_RESOURCES;
	cases[7].wire.status = 77;
	cases[12].wire.vp_count = 0;
	cases[13].wire.vp_count = 65;
	cases[14].wire.memory_bytes = 0;
	cases[15].wire.memory_bytes = 4097;
	cases[16].wire.memory_bytes = 17 * 4096;
	cases[17].wire.memory_bytes = UINT64_MAX & ~4095ull;
	cases[18].wire.control_bytes = 3 * 4096;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const int error = welcome_try(&cases[i]);
		if (error != cases[i].expected)
			printf("    welcome \"%s\" gave %d\n", cases[i].name, error);
		CU_ASSERT_EQUAL(error, cases[i].expected);
	}
	CU_ASSERT_EQUAL(open_descriptors(), before);
}

static void silent_host_is_given_up(void)
{
	int ends[2];
	struct platform_loopback *loopback;

	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CU_ASSERT_EQUAL(platform_loopback_attach(ends[1], 20000000, &loopback), -ETIMEDOUT);
	close(ends[0]);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	close(ends[0]);
	CU_ASSERT_EQUAL(platform_loopback_attach(ends[1], 20000000, &loopback), -ENODEV);
	CU_ASSERT_EQUAL(
		platform_loopback_connect("/nonexistent/socket", 20000000, &loopback), -ENOENT);
}

/* A guest of a host by hand: its control region, and the host's ends. */
struct raw_host {
	struct platform_loopback *guest;
	uint8_t *control;
	int socket;
	int interrupt_fd; /* write end of the VP's interrupt pipe */
};

static void raw_host_join(struct raw_host *host)
{
	int ends[2] = {-1, -1};
	int bell[2] = {-1, -1};
	int interrupt[2] = {-1, -1};
	const int memory = guest_memfd_create("test", 16 * 4096);
	const int control = guest_memfd_create("test", 2 * 4096);
	struct loopback_welcome_wire wire = good_welcome();
	_Alignas(struct cmsghdr) uint8_t space[CMSG_SPACE(4 * sizeof(int))] = {0};
	struct iovec iov = {&wire, sizeof wire};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof space};
	CU_ASSERT_FATAL(memory >= 0 && control >= 0 && pipe(bell) == 0 && pipe(interrupt) == 0 &&
			socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	const int fds[4] = {memory, control, bell[1], interrupt[0]};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(header), fds, sizeof fds);
	CU_ASSERT_EQUAL(sendmsg(ends[0], &message, 0), (ssize_t)sizeof wire);
	CU_ASSERT_EQUAL_FATAL(platform_loopback_attach(ends[1], SECOND_NS, &host->guest), 0);
	host->control = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, control, 0);
	CU_ASSERT_FATAL(host->control != MAP_FAILED);
	host->socket = ends[0];
	host->interrupt_fd = interrupt[1];
	close(memory);
	close(control);
	close(bell[0]);
	close(bell[1]);
	close(interrupt[0]);
}

static void raw_host_part(struct raw_host *host)
{
	platform_loopback_destroy(host->guest);
	munmap(host->control, 2 * 4096);
	close(host->socket);
}

static void interrupt_pipe_that_is_hung_up_is_the_end_not_a_storm(void)
{
	struct raw_host host;
	struct platform_loopback_statistics statistics;
	uint32_t sints;

	raw_host_join(&host);
	const struct winhv_platform_ops *ops = &platform_loopback_ops;
	CU_ASSERT_EQUAL(ops->wait(host.guest, 0, 1000, &sints), 0);
	close(host.interrupt_fd);
	CU_ASSERT_EQUAL(ops->wait(host.guest, 0, SECOND_NS, &sints), -VIRIDIAN_ENODEV);
	platform_loopback_statistics_get(host.guest, &statistics);
	CU_ASSERT_EQUAL(statistics.sleeps, 2);
	raw_host_part(&host);
	/* the same for a guest that sleeps on the descriptor by itself */
	raw_host_join(&host);
	close(host.interrupt_fd);
	ops->wait_arm(host.guest, 0);
	CU_ASSERT_EQUAL(ops->wait(host.guest, 0, 0, &sints), -VIRIDIAN_ENODEV);
	CU_ASSERT(platform_loopback_is_gone(host.guest));
	raw_host_part(&host);
}

static void memory_of_huge_pages_is_refused(void)
{
	struct welcome_case c = {.name = "huge pages",
		.wire = good_welcome(),
		.fd_count = 4,
		.wire_bytes = sizeof c.wire,
		.has_huge_pages = true};

	/* The host can take such a page out of the file, and perhaps leave none to replace it. */
	c.wire.memory_bytes = 2u << 20;
	CU_ASSERT_EQUAL(welcome_try(&c), -EPROTO);
}

static const struct test tests[] = {
	TEST(garbage_instead_of_hello_is_dropped),
	TEST(guest_that_speaks_after_hello_is_dropped),
	TEST(silent_strangers_are_pushed_out_by_later_ones),
	TEST(memory_of_a_guest_is_sealed),
	TEST(scribbled_control_region_harms_no_one),
	TEST(guest_cannot_make_the_host_block_in_an_interrupt),
	TEST(flood_of_signals_is_bounded_work),
	TEST(invalid_welcomes_are_refused),
	TEST(silent_host_is_given_up),
	TEST(interrupt_pipe_that_is_hung_up_is_the_end_not_a_storm),
	TEST(memory_of_huge_pages_is_refused),
};

TEST_MAIN("loopback_hostile", tests)
