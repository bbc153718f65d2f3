// SPDX-License-Identifier: Apache-2.0
/*
 * The target "linux": boots the guest, plays the tests against it, one after the other, and boots
 * it anew when a test has left it unusable. A boot is a process of its own:
 *
 *	run_linux_guest(): what is wanted, verdicts, how many boots
 *	   | fork                 ^ struct report, one for each test
 *	child: a machine, tests from the n-th on, until the guest or the list ends
 *
 * Verdicts of the runner's: died, if the guest is not there any more or its shell does not answer;
 * failed, if its kernel has complained (an oops, a warning) though the test found nothing wrong.
 */
#include "tests/conformance/linux/disk.h"
#include "tests/conformance/linux/guest.h"
#include "tests/conformance/run_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TESTS_MAX     512u
#define SILENCE_MS    240000 /* of a child, before it is ended: a boot and a test fit in */
#define BOOTS_IN_VAIN 3u

struct list {
	const struct conform_area *areas[TESTS_MAX];
	const struct conform_test *tests[TESTS_MAX];
	size_t count;
};

enum report_kind {
	REPORT_BEGINS,
	REPORT_RESULT,
	REPORT_NO_GUEST, /* it could not be booted: evidence */
	REPORT_BOOTED,	 /* evidence: the kernel's release */
};

struct report {
	enum report_kind kind;
	size_t index;
	enum run_outcome outcome;
	double ms;
	char evidence[CONFORM_EVIDENCE_BYTES];
};

/* ---- in the child ---------------------------------------------------------------------------- */

static void tell(int fd, const struct report *report)
{
	if (write(fd, report, sizeof *report) != (ssize_t)sizeof *report)
		_exit(1);
}

static bool unload(struct linux_guest *g)
{
	/* what a test has left loading or unloading comes to its end first */
	if (!linux_clear(g) ||
		linux_do(g, "wait; for m in hv_utils hv_storvsc hv_vmbus; do rmmod $m 2>/dev/null; "
			    "done; [ ! -d /sys/module/hv_vmbus ]") != 0)
		return conform_no(&g->target, "hv_vmbus cannot be unloaded");
	linux_bus_forget(g);
	g->is_loaded = false;
	return true;
}

static bool load(struct linux_guest *g)
{
	if (g->is_loaded && g->version != VMBUS_VERSION_5_3 && !unload(g))
		return false;
	if (linux_do(g, "modprobe -a hv_vmbus hv_utils hv_storvsc sd_mod") != 0)
		return conform_no(&g->target, "the drivers cannot be loaded");
	g->is_loaded = true;
	return g->version == VMBUS_VERSION_5_3 && g->wants_offers
		       ? true
		       : conform_no(&g->target, "it does not connect at 5.3");
}

static bool prepare(struct linux_guest *g, const struct conform_test *test)
{
	if (test->needs & LINUX_BUS)
		return load(g);
	return !g->is_loaded || unload(g);
}

/* What is left to be said of a guest after a test. False: it cannot be used for another. */
static bool judge(struct linux_guest *g, const struct conform_test *test, struct report *report)
{
	char line[CONFORM_EVIDENCE_BYTES];
	char found[CONFORM_EVIDENCE_BYTES];

	memcpy(found, g->target.evidence, sizeof found);
	bool is_alive = !g->has_ended;
	if (is_alive && !(test->needs & LINUX_LAST)) {
		is_alive = linux_do(g, "true") == 0;
		if (!is_alive)
			memcpy(found, g->target.evidence, sizeof found);
	}
	const char *complaint = linux_complaint(g, line);
	if (!is_alive && !(test->needs & LINUX_LAST)) {
		report->outcome = RUN_DIED;
		snprintf(report->evidence, sizeof report->evidence, "%s",
			complaint != NULL ? complaint
			: g->has_ended	  ? g->end
					  : found);
	} else if (complaint != NULL && !(test->needs & LINUX_LAST)) {
		report->outcome = RUN_FAILED;
		snprintf(report->evidence, sizeof report->evidence, "%s", complaint);
	}
	/* after an oops or a warning nothing can be relied on */
	return is_alive && complaint == NULL && !(test->needs & LINUX_LAST);
}

static bool settle(struct linux_guest *g)
{
	(void)linux_disk_remove(g);
	if (!linux_clear(g))
		return false;
	g->is_loaded = linux_do(g, "[ -d /sys/module/hv_vmbus ]") == 0;
	return !g->has_ended;
}

static bool play(struct linux_guest *g, const struct conform_test *test, struct report *report)
{
	static const enum run_outcome outcomes[] = {RUN_PASSED, RUN_FAILED, RUN_SKIPPED};
	char line[CONFORM_EVIDENCE_BYTES];

	if (g->console_fd >= 0)
		dprintf(g->console_fd, "\n==== %s: %s\n", test->rule, test->name);
	g->seen = g->text_bytes;
	g->from = g->post_count;
	g->count = 0;
	g->target.evidence[0] = '\0';
	report->outcome = outcomes[test->run(&g->target)];
	memcpy(report->evidence, report->outcome == RUN_PASSED ? "" : g->target.evidence,
		report->outcome == RUN_PASSED ? 1 : sizeof report->evidence);
	g->on_post = NULL;
	g->is_mute = false;
	g->selected = 0;
	g->version_max = VMBUS_VERSION_5_3;
	linux_multi_client_set(g, true);
	if (!judge(g, test, report))
		return false;
	/* what cannot be cleared away, a lost request of a disk, is not held against it; an oops is
	 */
	const bool is_settled = settle(g);
	const char *complaint = linux_complaint(g, line);
	if (is_settled)
		return judge(g, test, report);
	if (complaint != NULL) {
		report->outcome = g->has_ended ? RUN_DIED : RUN_FAILED;
		memcpy(report->evidence, line, sizeof report->evidence);
	}
	return false;
}

/* Tests from `first` on, until the guest cannot be used any more. */
static void child(
	const struct linux_guest_config *config, const struct list *list, size_t first, int fd)
{
	static struct linux_guest guest;
	struct report report = {.kind = REPORT_BOOTED, .index = first};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (linux_guest_start(&guest, config) != 0) {
		report.kind = REPORT_NO_GUEST;
		memcpy(report.evidence, guest.target.evidence, sizeof report.evidence);
		tell(fd, &report);
		_exit(0);
	}
	snprintf(report.evidence, sizeof report.evidence, "%s", guest.release);
	tell(fd, &report);
	for (size_t i = first; i < list->count; i++) {
		report = (struct report){.kind = REPORT_BEGINS, .index = i};
		tell(fd, &report);
		const double began = run_now_ms();
		report.kind = REPORT_RESULT;
		bool is_usable = prepare(&guest, list->tests[i]);
		if (is_usable) {
			is_usable = play(&guest, list->tests[i], &report);
		} else if (i > first) {
			break; /* it is the last test's doing: a new guest */
		} else {
			report.outcome = RUN_FAILED;
			memcpy(report.evidence, guest.target.evidence, sizeof report.evidence);
		}
		report.ms = run_now_ms() - began;
		tell(fd, &report);
		if (!is_usable)
			break;
	}
	_exit(0); /* the machine goes with the process */
}

/* ---- in the parent --------------------------------------------------------------------------- */

struct boot {
	size_t next;	 /* test to go on with */
	bool has_begun;	 /* that test, and no verdict came */
	bool has_booted; /* this time */
	int console_fd;	 /* -1: none is kept */
	char why[CONFORM_EVIDENCE_BYTES];
};

static void take(const struct run_config *config, struct run *run, const struct list *list,
	const struct report *report, struct boot *boot)
{
	struct run_result result = {
		.area = list->areas[report->index]->name,
		.test = list->tests[report->index],
		.outcome = report->outcome,
		.ms = report->ms,
	};
	char host[sizeof run->host];

	switch (report->kind) {
	case REPORT_BOOTED:
		boot->has_booted = true;
		snprintf(host, sizeof host, "Linux %s, %u processors, %s", report->evidence,
			LINUX_VP_COUNT, config->kernel);
		run_text_put(run->host, sizeof run->host, host); /* the guest says what it is */
		break;
	case REPORT_NO_GUEST:
		memcpy(boot->why, report->evidence, sizeof boot->why);
		break;
	case REPORT_BEGINS:
		boot->has_begun = true;
		run_begins(config, run, result.test);
		break;
	case REPORT_RESULT:
		memcpy(result.evidence, report->evidence, sizeof result.evidence);
		boot->has_begun = false;
		boot->next = report->index + 1;
		run_add(config, run, &result);
		break;
	}
}

static void collect(const struct run_config *config, struct run *run, const struct list *list,
	int fd, pid_t pid, struct boot *boot)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct report report;
	bool is_silent = false;

	while (!run_is_stopped()) {
		const int ready = poll(&wait, 1, SILENCE_MS);
		if (ready < 0 && errno == EINTR)
			continue;
		is_silent = ready == 0;
		if (ready <= 0 || read(fd, &report, sizeof report) != (ssize_t)sizeof report)
			break;
		take(config, run, list, &report, boot);
	}
	kill(pid, SIGKILL);
	int status = 0;
	waitpid(pid, &status, 0);
	if (!boot->has_begun || run_is_stopped())
		return;
	/* A test that the child gave back for a new guest has begun, too, and is tried again. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !is_silent) {
		boot->has_begun = false;
		return;
	}
	struct run_result result = {.area = list->areas[boot->next]->name,
		.test = list->tests[boot->next],
		.outcome = is_silent ? RUN_DIED : RUN_FAILED};
	snprintf(result.evidence, sizeof result.evidence, "%s",
		is_silent ? "neither the guest nor the test comes to an end"
			  : "the test itself ended");
	run_add(config, run, &result);
	boot->next++;
	boot->has_begun = false;
}

static int boot_once(const struct run_config *config, struct run *run, const struct list *list,
	struct boot *boot)
{
	int fds[2];
	const struct linux_guest_config guest = {config->kernel, config->initrd, boot->console_fd};

	fflush(NULL);
	if (pipe(fds) != 0) {
		perror("hvconform: pipe");
		return -1;
	}
	boot->has_booted = false;
	const pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child(&guest, list, boot->next, fds[1]);
	}
	close(fds[1]);
	if (pid > 0) {
		run->hosts++;
		collect(config, run, list, fds[0], pid, boot);
	} else {
		perror("hvconform: fork");
	}
	close(fds[0]);
	return pid < 0 ? -1 : 0;
}

/* What can be told before anything is started. */
static int is_possible(const struct run_config *config)
{
	char why[1024];
	const struct machine_config machine = {
		.kernel = config->kernel,
		.initrd = config->initrd,
		.command_line = "",
		.memory_bytes = LINUX_MEMORY_BYTES,
		.vp_count = LINUX_VP_COUNT,
		.console = {-1, -1, -1, false},
	};

	const char *const files[] = {config->kernel, config->initrd};
	for (size_t i = 0; i < 2; i++)
		if (access(files[i], R_OK) != 0) {
			fprintf(stderr, "hvconform: %s: %s; give a file that this user can read\n",
				files[i], strerror(errno));
			return -1;
		}
	if (machine_files_check(&machine, why, sizeof why) != 0) {
		fprintf(stderr, "hvconform: %s\n", why);
		return -1;
	}
	if (backend_kvm_probe(why, sizeof why) != 0) {
		fprintf(stderr,
			"hvconform: this machine cannot run guests on KVM: %s; "
			"make conformance GUEST=linux runs it where one can\n",
			why);
		return -1;
	}
	return 0;
}

/* Boots until each test has its verdict. */
static int boots(const struct run_config *config, struct run *run, const struct list *list,
	struct boot *boot)
{
	unsigned in_vain = 0;

	while (boot->next < list->count && !run_is_stopped()) {
		if (boot_once(config, run, list, boot) != 0)
			return -1;
		in_vain = boot->has_booted ? 0 : in_vain + 1;
		if (in_vain == BOOTS_IN_VAIN) {
			fprintf(stderr, "hvconform: %s\n",
				boot->why[0] != '\0' ? boot->why : "the guest does not boot");
			return -1;
		}
	}
	return 0;
}

int run_linux_guest(const struct run_config *config, struct run *run)
{
	static struct list list;
	struct boot boot = {.console_fd = -1};

	if (is_possible(config) != 0)
		return -1;
	list.count = 0;
	for (size_t a = 0; a < config->area_count; a++)
		for (size_t i = 0; i < *config->areas[a].count && list.count < TESTS_MAX; i++)
			if (run_wants(config, run, &config->areas[a].tests[i])) {
				list.areas[list.count] = &config->areas[a];
				list.tests[list.count++] = &config->areas[a].tests[i];
			}
	if (config->console != NULL) {
		boot.console_fd = open(
			config->console, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
		if (boot.console_fd < 0) {
			fprintf(stderr, "hvconform: --console %s: %s\n", config->console,
				strerror(errno));
			return -1;
		}
	}
	const int result = boots(config, run, &list, &boot);
	if (boot.console_fd >= 0)
		close(boot.console_fd);
	return result;
}
