// SPDX-License-Identifier: Apache-2.0
/*
 * The processes that freeze: real ones, over file systems that do not exist (vss_world.h). Every
 * call that fails, every process that dies, and the watchdog: in the end nothing is frozen.
 */
#include "guest/ic_daemons/vss_hooks_linux.h"
#include "guest/ic_daemons/vss_show_linux.h"
#include "tests/unit/vss_world.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static int keeper_fd = -1;
static pid_t keeper_pid;
static struct vss_said said; /* the last */

static void start(const char *config)
{
	world_make(config);
	CU_ASSERT_EQUAL_FATAL(
		vss_keeper_start(&world_options, &world_ops, &keeper_fd, &keeper_pid), 0);
}

/* The next message of a kind, others passed over; false: none comes, or the keeper has gone. */
static bool hear(enum vss_said_kind kind)
{
	for (;;) {
		struct pollfd wait = {.fd = keeper_fd, .events = POLLIN};
		if (poll(&wait, 1, WORLD_WAIT_S * 1000) <= 0)
			return false;
		const ssize_t n = recv(keeper_fd, &said, sizeof said, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n != (ssize_t)sizeof said)
			return false;
		if (said.kind == kind)
			return true;
	}
}

static void ask(enum vss_ask what)
{
	const uint32_t number = what;
	CU_ASSERT_EQUAL(send(keeper_fd, &number, sizeof number, MSG_NOSIGNAL), sizeof number);
}

/* Ask, and hear the answer: is it yes? */
static bool answered(enum vss_ask what)
{
	ask(what);
	CU_ASSERT_TRUE_FATAL(hear(VSS_SAID_ANSWER));
	CU_ASSERT_EQUAL(said.ask, what);
	return said.is_ok != 0;
}

static bool ends(pid_t pid)
{
	int status;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void stop(void)
{
	close(keeper_fd);
	CU_ASSERT_TRUE(ends(keeper_pid));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	world_drop();
}

/* ---- a backup ------------------------------------------------------------------------------ */

static void all_are_frozen_in_order_and_thawed_the_other_way(void)
{
	start("");
	CU_ASSERT_TRUE(answered(VSS_ASK_CHECK));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	for (int i = 0; i < 3; i++) {
		atomic_store(&world->log_count, 0);
		CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
		CU_ASSERT_EQUAL(said.frozen, 4);
		CU_ASSERT_EQUAL(said.left_out, 0);
		CU_ASSERT_EQUAL(world_frozen(), 4);
		CU_ASSERT_TRUE(answered(VSS_ASK_CHECK));
		CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
		CU_ASSERT_TRUE(hear(VSS_SAID_IDLE));
		CU_ASSERT_STRING_EQUAL(world_story(), "freeze 4, freeze 3, freeze 2, freeze 1, "
						      "thaw 1, thaw 2, thaw 3, thaw 4");
	}
	stop();
}

/* R-VSS-003, R-VSS-019. */
static void thaw_succeeds_alone_and_freeze_not_twice(void)
{
	start("");
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_STRING_EQUAL(said.text, "frozen already");
	CU_ASSERT_EQUAL(world_frozen(), 4);
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	stop();
}

/* R-VSS-004, at each one of them. */
static void a_freeze_that_fails_in_part_thaws_what_it_froze(void)
{
	static const int order[] = {4, 3, 2, 1};
	static const char *const names[] = {"/loop", "/data", "/srv", "/"};
	start("");
	for (size_t i = 0; i < 4; i++) {
		char wanted[64];
		atomic_store(&world->log_count, 0);
		world->freeze_error[order[i]] = EIO;
		CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
		snprintf(
			wanted, sizeof wanted, "%s: cannot be frozen: %s", names[i], strerror(EIO));
		CU_ASSERT_STRING_EQUAL(said.text, wanted);
		CU_ASSERT_TRUE(hear(VSS_SAID_IDLE));
		CU_ASSERT_EQUAL(world_frozen(), 0);
		CU_ASSERT_EQUAL(atomic_load(&world->log_count), (int)i * 2);
		/* The last frozen is the first thawed. */
		for (size_t k = 0; k < i; k++) {
			int id = 0;
			CU_ASSERT_EQUAL(sscanf(world->log[i * 2 - 1 - k], "thaw %d", &id), 1);
			CU_ASSERT_EQUAL(id, order[k]);
		}
		world->freeze_error[order[i]] = 0;
		/* R-VSS-018 is about what was answered with success: this was not. */
		CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	}
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	stop();
}

static void one_that_cannot_be_frozen_is_left_out_unless_demanded(void)
{
	start("");
	world->freeze_error[3] = EOPNOTSUPP;
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_EQUAL(said.frozen, 3);
	CU_ASSERT_EQUAL(said.left_out, 1);
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	world_file(world->config, "freeze /data\n");
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_PTR_NOT_NULL(strstr(said.text, "/data: cannot be frozen"));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	stop();
}

/* fsfreeze(8) by the administrator: it is at rest, and theirs to thaw. */
static void what_somebody_else_froze_is_left_to_them(void)
{
	start("");
	atomic_store(&world->frozen[2], 1);
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_EQUAL(said.frozen, 4);
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_EQUAL(world_frozen(), 1);
	CU_ASSERT_EQUAL(atomic_exchange(&world->frozen[2], 0), 1);
	stop();
}

static void mounts_out_of_reach_are_left_out_but_others_are_a_failure(void)
{
	start("");
	/* One mount of it is covered, another is not. */
	world->open_error[2] = ESTALE;
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_EQUAL(said.frozen, 4);
	CU_ASSERT_EQUAL(atomic_load(&world->frozen[6]), 1);
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	world->open_error[6] = ESTALE;
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_EQUAL(said.frozen, 3);
	CU_ASSERT_EQUAL(said.left_out, 1);
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	world->open_error[3] = EACCES;
	atomic_store(&world->log_count, 0);
	CU_ASSERT_FALSE(answered(VSS_ASK_CHECK));
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_PTR_NOT_NULL(strstr(said.text, "/data: cannot be reached"));
	CU_ASSERT_EQUAL(atomic_load(&world->log_count), 0);
	stop();
}

static void a_broken_configuration_freezes_nothing(void)
{
	start("");
	world_file(world->config, "skip\n");
	CU_ASSERT_FALSE(answered(VSS_ASK_CHECK));
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_PTR_NOT_NULL(strstr(said.text, "line 1"));
	CU_ASSERT_TRUE(hear(VSS_SAID_IDLE));
	world_file(world->config, "");
	unlink(world->mountinfo);
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_PTR_NOT_NULL(strstr(said.text, "mountinfo"));
	CU_ASSERT_EQUAL(atomic_load(&world->log_count), 0);
	stop();
}

/* ---- hooks --------------------------------------------------------------------------------- */

static void programs_run_before_freezing_and_after_thawing(void)
{
	start("before /bin/true b\nafter /bin/true a\nskip /data\nskip /srv\nskip /loop\n");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_TRUE(answered(VSS_ASK_CHECK)); /* the programs are through by then */
	CU_ASSERT_STRING_EQUAL(world_story(), "b:fre 0, freeze 1, thaw 1, a:tha 0");
	stop();
}

static void a_program_that_fails_stops_the_freeze_and_is_made_up_for(void)
{
	start("before /bin/true b\nbefore /bin/true c\nafter /bin/true a\n");
	world->execute_status = 3;
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_PTR_NOT_NULL(strstr(said.text, "before it has failed"));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_STRING_EQUAL(world_story(), "b:fre 3, a:tha 3");
	stop();
}

static void programs_that_others_may_change_are_not_run(void)
{
	char config[256];
	char path[128];
	const char *what = "";
	start("");
	snprintf(path, sizeof path, "%s/program", world->folder);
	world_file(path, "#!/bin/sh\n");
	CU_ASSERT_FALSE(vss_hook_is_trusted(path, &what));
	CU_ASSERT_STRING_EQUAL(what, "it is no executable file");
	chmod(path, 0700);
	CU_ASSERT_TRUE(vss_hook_is_trusted(path, &what));
	chmod(path, 0720);
	CU_ASSERT_FALSE(vss_hook_is_trusted(path, &what));
	chmod(path, 0700);
	chmod(world->folder, 0777);
	CU_ASSERT_FALSE(vss_hook_is_trusted(path, &what));
	chmod(world->folder, 0720);
	CU_ASSERT_FALSE(vss_hook_is_trusted(path, &what));
	CU_ASSERT_FALSE(vss_hook_is_trusted("bin/true", &what));
	CU_ASSERT_FALSE(vss_hook_is_trusted("/nowhere", &what));
	snprintf(config, sizeof config, "before %s\n", path);
	world_file(world->config, config);
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_EQUAL(atomic_load(&world->log_count), 0);
	chmod(world->folder, 0700);
	unlink(path);
	stop();
}

static int scripts_seen;
static char scripts_story[256];

static int on_script(const char *const argv[], const char *const envp[], unsigned timeout_s,
	char *output, size_t output_max)
{
	(void)envp;
	(void)timeout_s;
	(void)output_max;
	output[0] = '\0';
	scripts_seen++;
	const size_t used = strlen(scripts_story);
	snprintf(scripts_story + used, sizeof scripts_story - used, "%s%s", strrchr(argv[0], '/'),
		argv[1]);
	return 0;
}

static void on_said(void *ctx, int priority, const char *text)
{
	(void)ctx;
	(void)priority;
	printf("    %s\n", text);
}

static void scripts_run_by_name_and_back(void)
{
	static const char *const names[] = {"20-b", "10_a", "x.bak", "30c~", ".hidden", "30-c"};
	char path[128];
	struct vss_config config;
	const struct vss_hooks_ops ops = {.execute = on_script, .say = on_said};
	world_make("");
	vss_config_init(&config);
	config.scripts = world->folder;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", world->folder, names[i]);
		world_file(path, "");
		chmod(path, 0700);
	}
	unlink(world->mountinfo);
	unlink(world->config);
	CU_ASSERT_EQUAL(vss_hooks_before(&config, &ops), 0);
	CU_ASSERT_EQUAL(vss_hooks_after(&config, &ops), 0);
	CU_ASSERT_STRING_EQUAL(
		scripts_story, "/10_afreeze/20-bfreeze/30-cfreeze/30-cthaw/20-bthaw/10_athaw");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", world->folder, names[i]);
		unlink(path);
	}
	world_drop();
}

/* ---- time ------------------------------------------------------------------------------------ */

/* R-VSS-015, R-VSS-018. */
static void the_watchdog_thaws_and_the_next_thaw_says_so(void)
{
	start("watchdog-seconds 1\n");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(hear(VSS_SAID_EXPIRED));
	CU_ASSERT_TRUE(said.milliseconds >= 900);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_TRUE(hear(VSS_SAID_IDLE));
	CU_ASSERT_FALSE(answered(VSS_ASK_THAW));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	/* One that is forgotten by a new freeze. */
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(hear(VSS_SAID_EXPIRED));
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	stop();
}

/* A writer that does not let go: the others are thawed, and the late one as soon as it is frozen.
 * R-IC-043, R-VSS-015.
 */
static void the_watchdog_thaws_while_a_freeze_waits(void)
{
	start("watchdog-seconds 1\n");
	world->waits_at = 2;
	ask(VSS_ASK_FREEZE);
	CU_ASSERT_TRUE(world_wait(&world->waiting));
	CU_ASSERT_EQUAL(world_frozen(), 2);
	CU_ASSERT_TRUE(hear(VSS_SAID_ANSWER));
	CU_ASSERT_FALSE(said.is_ok);
	CU_ASSERT_PTR_NOT_NULL(strstr(said.text, "/srv: some program keeps it from freezing"));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_FALSE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_FALSE(answered(VSS_ASK_THAW));
	CU_ASSERT_STRING_EQUAL(said.text, "/srv: still about to freeze");
	sem_post(&world->go);
	CU_ASSERT_TRUE(hear(VSS_SAID_IDLE));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_STRING_EQUAL(
		world_story(), "freeze 4, freeze 3, thaw 3, thaw 4, freeze 2, thaw 2");
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	stop();
}

/*
 * A disk that is stuck: the kernel keeps whoever would thaw it waiting, too. The others are thawed
 * all the same.
 */
static void the_watchdog_does_not_wait_for_a_disk_that_is_stuck(void)
{
	start("watchdog-seconds 1\n");
	world->waits_at = 2;
	world->thaw_waits = true;
	ask(VSS_ASK_FREEZE);
	CU_ASSERT_TRUE(world_wait(&world->waiting));
	CU_ASSERT_EQUAL(world_frozen(), 2);
	CU_ASSERT_TRUE(hear(VSS_SAID_ANSWER));
	CU_ASSERT_FALSE(said.is_ok);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_FALSE(answered(VSS_ASK_THAW));
	sem_post(&world->locked);
	sem_post(&world->go);
	CU_ASSERT_TRUE(hear(VSS_SAID_IDLE));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	stop();
}

static void thaw_while_freezing_ends_both(void)
{
	start("");
	world->waits_at = 3;
	ask(VSS_ASK_FREEZE);
	CU_ASSERT_TRUE(world_wait(&world->waiting));
	ask(VSS_ASK_THAW);
	CU_ASSERT_TRUE(world_comes_to(0));
	sem_post(&world->go);
	CU_ASSERT_TRUE(hear(VSS_SAID_ANSWER));
	CU_ASSERT_EQUAL(said.ask, VSS_ASK_FREEZE);
	CU_ASSERT_FALSE(said.is_ok);
	CU_ASSERT_TRUE(hear(VSS_SAID_ANSWER));
	CU_ASSERT_EQUAL(said.ask, VSS_ASK_THAW);
	CU_ASSERT_TRUE(said.is_ok);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	stop();
}

static void one_that_cannot_be_thawed_is_said(void)
{
	start("");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	world->thaw_error[3] = EIO;
	ask(VSS_ASK_THAW);
	CU_ASSERT_TRUE(hear(VSS_SAID_LOG));
	CU_ASSERT_PTR_NOT_NULL(strstr(said.text, "/data: cannot be thawed"));
	CU_ASSERT_TRUE(hear(VSS_SAID_ANSWER));
	CU_ASSERT_FALSE(said.is_ok);
	CU_ASSERT_EQUAL(world_frozen(), 1);
	atomic_store(&world->frozen[3], 0);
	stop();
}

/* ---- deaths -----------------------------------------------------------------------------------
 */

/* R-VSS-010: by the end of the socket alone, a minute before the watchdog would. */
static void the_daemon_dies_while_frozen(void)
{
	start("after /bin/true a\n");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	const time_t began = time(NULL);
	close(keeper_fd);
	CU_ASSERT_TRUE(ends(keeper_pid));
	CU_ASSERT_TRUE(time(NULL) - began < 40);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_STRING_EQUAL(world->log[8], "a:tha 0");
	world_drop();
}

static void the_daemon_dies_while_freezing(void)
{
	start("");
	world->waits_at = 2;
	ask(VSS_ASK_FREEZE);
	CU_ASSERT_TRUE(world_wait(&world->waiting));
	close(keeper_fd);
	CU_ASSERT_TRUE(world_comes_to(0));
	sem_post(&world->go);
	CU_ASSERT_TRUE(ends(keeper_pid));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	world_drop();
}

/* The last freezes while the others are thawed. */
static void the_daemon_dies_while_freezing_ends(void)
{
	start("");
	world->waits_at = 2;
	ask(VSS_ASK_FREEZE);
	CU_ASSERT_TRUE(world_wait(&world->waiting));
	world->thaw_lets_go = 2;
	close(keeper_fd);
	CU_ASSERT_TRUE(ends(keeper_pid));
	CU_ASSERT_EQUAL(world->thaw_lets_go, 0);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	world_drop();
}

static void the_freezer_dies_while_frozen(void)
{
	start("");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_NOT_EQUAL(atomic_load(&world->freezer), keeper_pid);
	CU_ASSERT_EQUAL(kill(atomic_load(&world->freezer), SIGKILL), 0);
	CU_ASSERT_TRUE(hear(VSS_SAID_EXPIRED));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_FALSE(answered(VSS_ASK_THAW));
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	stop();
}

/* One that was stopped, by a debugger perhaps, keeps nobody. */
static void the_freezer_is_stopped_while_frozen(void)
{
	start("");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_EQUAL(kill(atomic_load(&world->freezer), SIGSTOP), 0);
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	stop();
}

static void the_freezer_dies_while_freezing(void)
{
	start("");
	world->waits_at = 2;
	ask(VSS_ASK_FREEZE);
	CU_ASSERT_TRUE(world_wait(&world->waiting));
	CU_ASSERT_EQUAL(kill(atomic_load(&world->freezer), SIGKILL), 0);
	CU_ASSERT_TRUE(hear(VSS_SAID_ANSWER));
	CU_ASSERT_FALSE(said.is_ok);
	CU_ASSERT_TRUE(hear(VSS_SAID_IDLE));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	stop();
}

static void the_keeper_dies_while_frozen(void)
{
	start("");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	CU_ASSERT_EQUAL(kill(keeper_pid, SIGKILL), 0);
	CU_ASSERT_TRUE(world_comes_to(0));
	CU_ASSERT_FALSE(hear(VSS_SAID_IDLE));
	waitpid(keeper_pid, NULL, 0);
	close(keeper_fd);
	world_drop();
}

static void the_keeper_dies_while_freezing(void)
{
	start("");
	world->waits_at = 1;
	ask(VSS_ASK_FREEZE);
	CU_ASSERT_TRUE(world_wait(&world->waiting));
	CU_ASSERT_EQUAL(kill(keeper_pid, SIGKILL), 0);
	waitpid(keeper_pid, NULL, 0);
	CU_ASSERT_EQUAL(world_frozen(), 3);
	sem_post(&world->go);
	while (atomic_load(&world->log_count) < 8)
		CU_ASSERT_TRUE_FATAL(world_wait(&world->changed));
	CU_ASSERT_EQUAL(world_frozen(), 0);
	close(keeper_fd);
	world_drop();
}

/* The signals that end a daemon are not theirs: they thaw first, by the daemon's end. */
static void signals_do_not_end_them(void)
{
	start("");
	CU_ASSERT_TRUE(answered(VSS_ASK_FREEZE));
	for (int i = 0; i < 2; i++) {
		const pid_t pid = i == 0 ? keeper_pid : atomic_load(&world->freezer);
		kill(pid, SIGTERM);
		kill(pid, SIGINT);
		kill(pid, SIGHUP);
	}
	CU_ASSERT_TRUE(answered(VSS_ASK_CHECK));
	CU_ASSERT_EQUAL(world_frozen(), 4);
	CU_ASSERT_TRUE(answered(VSS_ASK_THAW));
	CU_ASSERT_PTR_NULL(strstr(said.text, "frozen until"));
	stop();
}

/* ---- what the daemon could send
 * ------------------------------------------------------------------ */

static void nonsense_from_the_daemon_is_nothing(void)
{
	const uint8_t bytes[64] = {2};
	start("");
	for (size_t len = 1; len < sizeof bytes; len++) {
		if (len != 4)
			CU_ASSERT_EQUAL(send(keeper_fd, bytes, len, 0), (ssize_t)len);
	}
	ask((enum vss_ask)0);
	ask((enum vss_ask)99);
	CU_ASSERT_TRUE(answered(VSS_ASK_CHECK));
	CU_ASSERT_EQUAL(atomic_load(&world->log_count), 0);
	stop();
}

/* ---- the other things that the program does
 * ------------------------------------------------------ */

static char *shown(int (*show)(FILE *out, const struct vss_keeper_options *options,
			   const struct vss_keeper_ops *ops),
	int status)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_EQUAL(show(out, &world_options, &world_ops), status);
	fclose(out);
	return text;
}

static void dry_run_says_what_and_why_and_does_nothing(void)
{
	world_make("skip /srv\n");
	char *text = shown(vss_show_plan, 0);
	CU_ASSERT_STRING_EQUAL(text,
		"order  mount   type        what    why\n"
		"    1  /loop   ext4        freeze  file system on a block device\n"
		"    2  /data   btrfs       freeze  file system with devices of its own\n"
		"    3  /       ext4        freeze  file system on a block device\n"
		"    -  /srv    xfs         skip    left out as configured\n"
		"    -  /proc   proc        skip    not on a disk\n"
		"    -  /bound  xfs         skip    left out as configured\n");
	free(text);
	CU_ASSERT_EQUAL(atomic_load(&world->log_count), 0);
	world_file(world->mountinfo, "1 0 8:1 / /a\\033[2J rw - ext4 d rw\nx\n");
	text = shown(vss_show_plan, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "/a?[2J"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "1 lines of"));
	free(text);
	world_file(world->config, "skip\n");
	text = shown(vss_show_plan, 1);
	free(text);
	world_drop();
}

static void thaw_all_thaws_what_anybody_froze(void)
{
	world_make("skip /srv\n");
	atomic_store(&world->frozen[1], 1);
	atomic_store(&world->frozen[2], 1);
	char *text = shown(vss_show_thaw_all, 0);
	CU_ASSERT_STRING_EQUAL(text, "/loop: was not frozen\n/data: was not frozen\n"
				     "/srv: thawed\n/: thawed\n");
	free(text);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	world->thaw_error[1] = EPERM;
	text = shown(vss_show_thaw_all, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "/: Operation not permitted"));
	free(text);
	world_drop();
}

/* As after a kill, with one process that no kill ends. */
static void thaw_all_goes_on_past_a_disk_that_is_stuck(void)
{
	world_make("");
	world->thaw_waits = true;
	atomic_store(&world->inside[2], 1);
	atomic_store(&world->frozen[1], 1);
	atomic_store(&world->frozen[4], 1);
	world_options.thaw_wait_ms = 200;
	char *text = shown(vss_show_thaw_all, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "/loop: thawed\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "/srv: does not answer\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "/: thawed\n"));
	free(text);
	CU_ASSERT_EQUAL(world_frozen(), 0);
	sem_post(&world->locked);
	world_drop();
}

static const struct test tests[] = {
	TEST(all_are_frozen_in_order_and_thawed_the_other_way),
	TEST(thaw_succeeds_alone_and_freeze_not_twice),
	TEST(a_freeze_that_fails_in_part_thaws_what_it_froze),
	TEST(one_that_cannot_be_frozen_is_left_out_unless_demanded),
	TEST(what_somebody_else_froze_is_left_to_them),
	TEST(mounts_out_of_reach_are_left_out_but_others_are_a_failure),
	TEST(a_broken_configuration_freezes_nothing),
	TEST(programs_run_before_freezing_and_after_thawing),
	TEST(a_program_that_fails_stops_the_freeze_and_is_made_up_for),
	TEST(programs_that_others_may_change_are_not_run),
	TEST(scripts_run_by_name_and_back),
	TEST(the_watchdog_thaws_and_the_next_thaw_says_so),
	TEST(the_watchdog_thaws_while_a_freeze_waits),
	TEST(the_watchdog_does_not_wait_for_a_disk_that_is_stuck),
	TEST(thaw_while_freezing_ends_both),
	TEST(one_that_cannot_be_thawed_is_said),
	TEST(the_daemon_dies_while_frozen),
	TEST(the_daemon_dies_while_freezing),
	TEST(the_daemon_dies_while_freezing_ends),
	TEST(the_freezer_dies_while_frozen),
	TEST(the_freezer_is_stopped_while_frozen),
	TEST(the_freezer_dies_while_freezing),
	TEST(the_keeper_dies_while_frozen),
	TEST(the_keeper_dies_while_freezing),
	TEST(signals_do_not_end_them),
	TEST(nonsense_from_the_daemon_is_nothing),
	TEST(dry_run_says_what_and_why_and_does_nothing),
	TEST(thaw_all_thaws_what_anybody_froze),
	TEST(thaw_all_goes_on_past_a_disk_that_is_stuck),
};
TEST_MAIN("vss_keeper", tests)
