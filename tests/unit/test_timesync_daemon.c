// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-timesync's component: what it asks of the kernel for recorded messages of a host, and when
 * it asks nothing. The clock is this file's.
 */
#include "guest/ic_daemons/time_others_linux.h"
#include "guest/ic_daemons/timesync_daemon_linux.h"
#include "tests/harness.h"
#include "tests/unit/ic_golden.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_PARENT_TIME 28u
#define AT_LEAP	       45u
#define SECOND	       10000000ll
#define MILLISECOND    10000ll

struct fixture {
	struct timesync_daemon timesync;
	struct daemon_component component;
	struct daemon *daemon;
	char proc[40];
	uint64_t now;	    /* what our clock says */
	const char *starts; /* a process that appears as the clock is read */
	unsigned calls;
	struct timex asked;
	int answer;
	struct golden_packet negotiate, sample, sync;
};

static int on_adjust(void *ctx, struct timex *timex)
{
	struct fixture *f = ctx;
	f->calls++;
	f->asked = *timex;
	return f->answer;
}

static void process_add(const struct fixture *f, const char *comm);

static uint64_t on_now(void *ctx)
{
	const struct fixture *f = ctx;
	if (f->starts != NULL)
		process_add(f, f->starts);
	return f->now;
}

static const struct time_clock_ops clock_ops = {.adjust = on_adjust, .now_100ns = on_now};

/* The host's messages, as recorded. */
static void messages_read(struct fixture *f)
{
	FILE *file = golden_open();
	struct golden_packet packet;
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	while (golden_read(file, &packet)) {
		if (strcmp(packet.device, "timesync") != 0 || strcmp(packet.direction, "h2g") != 0)
			continue;
		if (strcmp(packet.kind, "negotiate") == 0)
			f->negotiate = packet;
		else if (strcmp(packet.kind, "sample") == 0)
			f->sample = packet;
		else
			f->sync = packet;
	}
	fclose(file);
	CU_ASSERT_TRUE_FATAL(f->negotiate.len > 0 && f->sample.len > 0 && f->sync.len > 0);
}

static void give(struct fixture *f, const struct golden_packet *packet)
{
	uint8_t reply[256];
	size_t len = 0;
	CU_ASSERT_EQUAL(ic_guest_on_packet(&f->timesync.ic.ic, packet->bytes, packet->len, reply,
				sizeof reply, &len),
		IC_OK);
	CU_ASSERT_TRUE(len > 0);
}

/* Our clock is `off` behind what the message says. */
static void give_off(struct fixture *f, const struct golden_packet *packet, int64_t off)
{
	uint64_t parent;
	memcpy(&parent, packet->bytes + AT_PARENT_TIME, sizeof parent);
	f->now = parent - (uint64_t)off;
	give(f, packet);
}

/* Before the daemon starts. */
static void prepare(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	messages_read(f);
	snprintf(f->proc, sizeof f->proc, "/tmp/test_timesync.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->proc));
	timesync_daemon_init(&f->timesync, &f->component);
	time_clock_init(&f->timesync.clock, &clock_ops, f);
	f->timesync.proc = f->proc;
}

static void begin(struct fixture *f)
{
	f->daemon = daemon_create(&f->component);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->daemon);
	give(f, &f->negotiate);
}

static void end(struct fixture *f)
{
	char command[64];
	if (f->daemon != NULL)
		CU_ASSERT_EQUAL(daemon_destroy(f->daemon), 0);
	snprintf(command, sizeof command, "rm -rf %s", f->proc);
	CU_ASSERT_EQUAL(system(command), 0);
}

static void process_file(const struct fixture *f, const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, "%s/123/%s", f->proc, name);
	FILE *file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

/* As /proc has it: the second number of Uid counts, and bit 25 of CapEff, CAP_SYS_TIME. */
static void process_add_as(
	const struct fixture *f, const char *comm, unsigned uid, unsigned long long capabilities)
{
	char path[64];
	char status[256];
	snprintf(path, sizeof path, "%s/123", f->proc);
	CU_ASSERT_TRUE(mkdir(path, 0700) == 0 || errno == EEXIST);
	snprintf(status, sizeof status, "%s\n", comm);
	process_file(f, "comm", status);
	snprintf(status, sizeof status,
		"Name:\t%s\nUmask:\t0022\nPPid:\t1\nUid:\t0\t%u\t0\t0\nGid:\t1\t1\t1\t1\n"
		"CapPrm:\t0000000000000000\nCapEff:\t%016llx\nCapBnd:\t000001ffffffffff\n",
		comm, uid, capabilities);
	process_file(f, "status", status);
}

static void process_add(const struct fixture *f, const char *comm)
{
	process_add_as(f, comm, 105, 0x2000400);
}

/* ---- what the kernel is asked for ------------------------------------------- */

/* R-TIME-115. The numbers are those of adjtimex(2): ADJ_SETOFFSET 0x100, ADJ_NANO 0x2000. */
static void clock_that_is_an_hour_behind_is_set_by_the_first_sync(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	give_off(&f, &f.sync, 3600 * SECOND);
	CU_ASSERT_EQUAL(f.calls, 1);
	CU_ASSERT_EQUAL(f.asked.modes, 0x2100);
	CU_ASSERT_EQUAL(f.asked.time.tv_sec, 3600);
	CU_ASSERT_EQUAL(f.asked.time.tv_usec, 0);
	CU_ASSERT_EQUAL(f.timesync.clock.steps, 1);
	end(&f);
}

/* R-TIME-118. -1.25 s is -2 s and 750,000,000 ns: the kernel wants the latter positive. */
static void clock_that_is_ahead_is_set_back_and_said_so(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	give_off(&f, &f.sync, -(SECOND + SECOND / 4));
	CU_ASSERT_EQUAL(f.calls, 1);
	CU_ASSERT_EQUAL(f.asked.modes, 0x2100);
	CU_ASSERT_EQUAL(f.asked.time.tv_sec, -2);
	CU_ASSERT_EQUAL(f.asked.time.tv_usec, 750000000);
	CU_ASSERT_EQUAL(f.timesync.policy.backward_steps, 1);
	end(&f);
}

/*
 * R-TIME-116: 5 ms by the kernel's loop. OFFSET 1, MAXERROR 4, ESTERROR 8, STATUS 0x10, TIMECONST
 * 0x20, NANO 0x2000; status PLL 1; errors in microseconds.
 */
static void clock_that_is_a_little_off_is_slewed(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	give_off(&f, &f.sample, -5 * MILLISECOND);
	CU_ASSERT_EQUAL(f.calls, 1);
	CU_ASSERT_EQUAL(f.asked.modes, 0x203d);
	CU_ASSERT_EQUAL(f.asked.offset, -5000000);
	CU_ASSERT_EQUAL(f.asked.constant, 2);
	CU_ASSERT_EQUAL(f.asked.status, 1);
	CU_ASSERT_EQUAL(f.asked.esterror, 5000);
	CU_ASSERT_EQUAL(f.asked.maxerror, 5000);
	CU_ASSERT_EQUAL(f.asked.time.tv_sec, 0);
	CU_ASSERT_EQUAL(f.timesync.clock.slews, 1);
	end(&f);
}

/* R-TIME-117: STA_INS is 0x10, STA_DEL 0x20. */
static void leap_seconds_are_passed_to_the_kernel(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	f.sample.bytes[AT_LEAP] = 1;
	give_off(&f, &f.sample, 5 * MILLISECOND);
	CU_ASSERT_EQUAL(f.asked.status, 0x11);
	f.sample.bytes[AT_LEAP] = 2;
	give_off(&f, &f.sample, 5 * MILLISECOND);
	CU_ASSERT_EQUAL(f.asked.status, 0x21);
	end(&f);
}

static void step_threshold_is_an_option(void)
{
	static struct fixture f;
	prepare(&f);
	f.timesync.config.step_100ns = 20 * (uint64_t)MILLISECOND;
	begin(&f);
	give_off(&f, &f.sync, 0); /* the first is more eager */
	CU_ASSERT_EQUAL(f.calls, 0);
	give_off(&f, &f.sync, 19 * MILLISECOND);
	CU_ASSERT_EQUAL(f.asked.modes & 0x100, 0);
	give_off(&f, &f.sync, 21 * MILLISECOND);
	CU_ASSERT_EQUAL(f.asked.modes, 0x2100);
	end(&f);
}

static int stderr_fd;
static bool was_announced;

/* What has been said of it by now? */
static int adjust_after_the_word(void *ctx, struct timex *timex)
{
	char text[4096];
	const ssize_t len = pread(stderr_fd, text, sizeof text - 1, 0);
	(void)ctx;
	(void)timex;
	text[len > 0 ? len : 0] = '\0';
	was_announced = strstr(text, "BACK") != NULL;
	return 0;
}

/* R-TIME-118. */
static void step_back_is_announced_before_it_is_made(void)
{
	static struct fixture f;
	const struct time_clock_ops ops = {
		.adjust = adjust_after_the_word, .now_100ns = clock_ops.now_100ns};
	prepare(&f);
	begin(&f);
	f.timesync.clock.ops = &ops;
	stderr_fd = memfd_create("stderr", MFD_CLOEXEC);
	fflush(stderr);
	const int saved = dup(STDERR_FILENO);
	CU_ASSERT_TRUE_FATAL(stderr_fd >= 0 && dup2(stderr_fd, STDERR_FILENO) >= 0);
	was_announced = false;
	give_off(&f, &f.sync, -3600 * SECOND);
	(void)dup2(saved, STDERR_FILENO);
	close(saved);
	close(stderr_fd);
	CU_ASSERT_EQUAL(f.timesync.clock.steps, 1);
	CU_ASSERT_TRUE(was_announced);
	end(&f);
}

static void refusal_of_the_kernel_is_counted(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	f.answer = -EPERM;
	give_off(&f, &f.sync, 3600 * SECOND);
	CU_ASSERT_EQUAL(f.timesync.clock.steps, 0);
	CU_ASSERT_EQUAL(f.timesync.clock.failures, 1);
	CU_ASSERT_EQUAL(f.timesync.clock.last_error, EPERM);
	end(&f);
}

/* ---- when nothing is asked --------------------------------------------------- */

static void nothing_is_set_if_it_is_told_so_or_is_but_a_process(void)
{
	static struct fixture f;
	prepare(&f);
	f.timesync.set = TIMESYNC_SET_NEVER;
	begin(&f);
	give_off(&f, &f.sync, 3600 * SECOND);
	CU_ASSERT_EQUAL(f.timesync.not_set, 1);
	end(&f);
	prepare(&f);
	f.timesync.set = TIMESYNC_SET_ALWAYS;
	begin(&f);
	f.component.on_transport(f.component.ctx, DAEMON_TRANSPORT_LOOPBACK);
	give_off(&f, &f.sync, 3600 * SECOND);
	CU_ASSERT_EQUAL(f.calls, 0);
	CU_ASSERT_EQUAL(f.timesync.not_set, 1);
	CU_ASSERT_EQUAL(f.timesync.policy.offset_100ns, 3600 * SECOND);
	end(&f);
}

static void clock_of_another_keeper_is_left_alone(void)
{
	static struct fixture f;
	prepare(&f);
	process_add(&f, "chronyd");
	begin(&f);
	CU_ASSERT_STRING_EQUAL(f.timesync.other, "chrony");
	give_off(&f, &f.sync, 3600 * SECOND);
	CU_ASSERT_EQUAL(f.calls, 0);
	CU_ASSERT_EQUAL(f.timesync.not_set, 1);
	f.timesync.set = TIMESYNC_SET_ALWAYS;
	give_off(&f, &f.sync, 3600 * SECOND);
	CU_ASSERT_EQUAL(f.calls, 1);
	end(&f);
}

/*
 * To go through all processes takes milliseconds, by which the clock would be taken to be wrong:
 * so it is read first, and who has come since is found.
 */
static void clock_is_read_before_others_are_looked_for(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	f.timesync.looked_ms = daemon_now_ms() - 60000;
	f.starts = "chronyd";
	give_off(&f, &f.sync, 3600 * SECOND);
	CU_ASSERT_STRING_EQUAL(f.timesync.other, "chrony");
	CU_ASSERT_EQUAL(f.calls, 0);
	CU_ASSERT_EQUAL(f.timesync.policy.offset_100ns, 3600 * SECOND);
	end(&f);
}

static void keepers_are_known_by_their_processes(void)
{
	static struct fixture f;
	prepare(&f);
	CU_ASSERT_PTR_NULL(time_others_find(f.proc));
	CU_ASSERT_PTR_NULL(time_others_find("/nonexistent"));
	process_add(&f, "chronyd-not");
	CU_ASSERT_PTR_NULL(time_others_find(f.proc));
	process_add(&f, "systemd-timesyn"); /* as much as the kernel keeps of the name */
	CU_ASSERT_STRING_EQUAL(time_others_find(f.proc), "systemd-timesyncd");
	end(&f);
}

/* Else any user could stop the clock's keeping by the name of a process. */
static void a_name_alone_makes_no_keeper(void)
{
	static struct fixture f;
	prepare(&f);
	process_add_as(&f, "chronyd", 105, 0); /* as chronyd -x, or in a container */
	CU_ASSERT_PTR_NULL(time_others_find(f.proc));
	process_add_as(&f, "chronyd", 1000, 0);
	CU_ASSERT_PTR_NULL(time_others_find(f.proc));
	process_add_as(&f, "chronyd", 1000, 0x1ffffffffff); /* in a user namespace of his own */
	CU_ASSERT_PTR_NULL(time_others_find(f.proc));
	process_add_as(&f, "chronyd", 100105, 0x1ffffffffff);
	CU_ASSERT_PTR_NULL(time_others_find(f.proc));
	process_add_as(&f, "chronyd", 0, 0x1ffffffffff);
	CU_ASSERT_STRING_EQUAL(time_others_find(f.proc), "chrony");
	process_add_as(&f, "chronyd", 61200, 0x2000000);
	CU_ASSERT_STRING_EQUAL(time_others_find(f.proc), "chrony");
	process_file(&f, "status", "Name:\tchronyd\n");
	CU_ASSERT_PTR_NULL(time_others_find(f.proc));
	end(&f);
}

/* ---- the reference clock ------------------------------------------------------ */

static int test_key(void)
{
	return 0x76690000 + (getpid() & 0x7fff);
}

static void segment_remove(int key)
{
	const int id = shmget(key, 0, 0);
	if (id >= 0)
		(void)shmctl(id, IPC_RMID, NULL);
}

/* As ntpd's driver 28 reads it; the offsets are those of a machine of 64 bits. */
static void sample_is_offered_in_shared_memory(void)
{
	static struct fixture f;
	prepare(&f);
	begin(&f);
	CU_ASSERT_EQUAL_FATAL(time_shm_open(&f.timesync.shm, test_key(), 0), 0);
	const int id = shmget(test_key(), 0, 0);
	struct shmid_ds info;
	CU_ASSERT_EQUAL(shmctl(id, IPC_STAT, &info), 0);
	CU_ASSERT_EQUAL(info.shm_perm.mode & 0777, 0600);
	CU_ASSERT_TRUE(info.shm_segsz >= 96);
	const uint8_t *reader = shmat(id, NULL, SHM_RDONLY);
	CU_ASSERT_NOT_EQUAL_FATAL(reader, (const void *)-1);
	/* 2025-01-01 00:00:00.2500001 by the host, 0.5 s before by us. */
	const uint64_t host = 133801632000000000ull + 2500001;
	time_shm_write(&f.timesync.shm, host, host - SECOND / 2, 1);
	int64_t seconds;
	int32_t words[24];
	memcpy(words, reader, sizeof words);
	CU_ASSERT_EQUAL(words[0], 1);	  /* mode */
	CU_ASSERT_EQUAL(words[1] % 2, 0); /* count: not in the middle of writing */
	memcpy(&seconds, reader + 8, 8);
	CU_ASSERT_EQUAL(seconds, 1735689600);
	CU_ASSERT_EQUAL(words[4], 250000); /* microseconds */
	memcpy(&seconds, reader + 24, 8);
	CU_ASSERT_EQUAL(seconds, 1735689599);
	CU_ASSERT_EQUAL(words[8], 750000);
	CU_ASSERT_EQUAL(words[9], 1);	       /* leap: insert */
	CU_ASSERT_EQUAL(words[12], 1);	       /* valid */
	CU_ASSERT_EQUAL(words[13], 250000100); /* nanoseconds */
	CU_ASSERT_EQUAL(words[14], 750000100);
	/* At the end nobody shall go by it any more. */
	CU_ASSERT_EQUAL(daemon_destroy(f.daemon), 0);
	f.daemon = NULL;
	memcpy(words, reader, sizeof words);
	CU_ASSERT_EQUAL(words[12], 0);
	(void)shmdt(reader);
	segment_remove(test_key());
	end(&f);
}

static void segment_that_others_can_write_is_not_used(void)
{
	static const int modes[] = {0666, 0620, 0602};
	struct time_shm shm;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		const int id = shmget(test_key() + 1, 4096, IPC_CREAT | IPC_EXCL | modes[i]);
		CU_ASSERT_TRUE_FATAL(id >= 0);
		CU_ASSERT_EQUAL(time_shm_open(&shm, test_key(), 1), -EPERM);
		CU_ASSERT_PTR_NULL(shm.segment);
		time_shm_write(&shm, 1, 1, 0); /* nothing */
		time_shm_close(&shm);
		segment_remove(test_key() + 1);
	}
	CU_ASSERT_EQUAL(time_shm_open(&shm, test_key(), TIME_SHM_UNIT_MAX + 1), -EINVAL);
}

/* Whoever made it first could change it, whatever its mode. */
static void segment_of_another_user_is_not_used(void)
{
	struct time_shm shm;
	int status = -1;
	if (geteuid() != 0) {
		test_skip("only root can become another user");
		return;
	}
	const int key = test_key();
	const pid_t pid = fork();
	if (pid == 0)
		_exit(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0 &&
					shmget(key + 3, 4096, IPC_CREAT | IPC_EXCL | 0600) >= 0
				? 0
				: 1);
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL_FATAL(status, 0);
	CU_ASSERT_EQUAL(time_shm_open(&shm, key, 3), -EPERM);
	CU_ASSERT_PTR_NULL(shm.segment);
	time_shm_close(&shm);
	segment_remove(key + 3);
}

static void samples_go_there_though_another_keeps_the_clock(void)
{
	static struct fixture f;
	prepare(&f);
	process_add(&f, "chronyd");
	begin(&f);
	CU_ASSERT_EQUAL_FATAL(time_shm_open(&f.timesync.shm, test_key(), 2), 0);
	give_off(&f, &f.sample, 3 * MILLISECOND);
	CU_ASSERT_EQUAL(f.timesync.shm.written, 1);
	CU_ASSERT_EQUAL(f.calls, 0);
	end(&f);
	segment_remove(test_key() + 2);
}

/* ---- reference time ------------------------------------------------------------ */

static void quickest_of_the_last_messages_tells_the_distance(void)
{
	struct time_reference reference = {0};
	const uint64_t own = 5000 * (uint64_t)SECOND;
	/* Our clock is 1000 s ahead, messages take 2 ms, 0.1 ms, 7 ms; one comes every 5 s. */
	CU_ASSERT_EQUAL(time_reference_since(&reference, own + 20000, own - 1000 * SECOND),
		own - 1000 * SECOND);
	CU_ASSERT_EQUAL(
		time_reference_since(&reference, own + 5 * SECOND + 1000, own - 995 * SECOND),
		own - 995 * SECOND);
	CU_ASSERT_EQUAL(
		time_reference_since(&reference, own + 10 * SECOND + 70000, own - 990 * SECOND),
		own - 990 * SECOND + 69000);
	/* The quick one is forgotten after 16. */
	for (unsigned i = 0; i < TIME_REFERENCE_KEPT - 1; i++)
		CU_ASSERT_EQUAL(time_reference_since(
					&reference, own + 15 * SECOND + 70000, own - 985 * SECOND),
			own - 985 * SECOND + (i < 14 ? 69000 : 0));
}

static void reference_time_starts_again_when_the_clocks_jump(void)
{
	struct time_reference reference = {0};
	CU_ASSERT_EQUAL(time_reference_since(&reference, 100 * SECOND, 50 * SECOND), 50 * SECOND);
	CU_ASSERT_EQUAL(time_reference_since(&reference, 110 * SECOND, 90 * SECOND), 90 * SECOND);
	CU_ASSERT_EQUAL(reference.count, 1);
	CU_ASSERT_EQUAL(time_reference_since(&reference, 120 * SECOND, 10 * SECOND), 10 * SECOND);
	CU_ASSERT_EQUAL(reference.count, 1);
	CU_ASSERT_EQUAL(time_reference_since(&reference, 1, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(time_reference_since(&reference, UINT64_MAX, 1), 0);
	CU_ASSERT_EQUAL(reference.count, 1);
}

static const struct test tests[] = {
	TEST(clock_that_is_an_hour_behind_is_set_by_the_first_sync),
	TEST(clock_that_is_ahead_is_set_back_and_said_so),
	TEST(clock_that_is_a_little_off_is_slewed),
	TEST(leap_seconds_are_passed_to_the_kernel),
	TEST(step_threshold_is_an_option),
	TEST(step_back_is_announced_before_it_is_made),
	TEST(refusal_of_the_kernel_is_counted),
	TEST(nothing_is_set_if_it_is_told_so_or_is_but_a_process),
	TEST(clock_of_another_keeper_is_left_alone),
	TEST(clock_is_read_before_others_are_looked_for),
	TEST(keepers_are_known_by_their_processes),
	TEST(a_name_alone_makes_no_keeper),
	TEST(sample_is_offered_in_shared_memory),
	TEST(segment_that_others_can_write_is_not_used),
	TEST(segment_of_another_user_is_not_used),
	TEST(samples_go_there_though_another_keeps_the_clock),
	TEST(quickest_of_the_last_messages_tells_the_distance),
	TEST(reference_time_starts_again_when_the_clocks_jump),
};
TEST_MAIN("timesync_daemon", tests)
