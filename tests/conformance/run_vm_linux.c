// SPDX-License-Identifier: Apache-2.0
/*
 * The targets "kvm" and "qemu": the bare-metal image in a virtual machine, whose report is
 * read from its serial port (docs/conformance.md, "The image's report"). A machine runs tests
 * until the last, until the image asks for a reset, or until it dies: by an end, by signal or
 * by silence. The test that ran then is charged with it, and the next one gets a new machine.
 */
#include "tests/conformance/conform_list.h"
#include "tests/conformance/conform_channel.h"
#include "tests/conformance/conform_timer.h"
#include "tests/conformance/run_linux.h"
#include "tests/conformance/target_vm_linux.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_VERSION 1u
#define WORDS_BYTES    250u   /* that an image takes */
#define HEAD_LIMIT_MS  60000u /* to load and begin */
#define END_LIMIT_MS   5000u
#define ARGUMENTS_MAX  48
#define MEMORY_MIB     "64"
#define VPS	       2u
/*
 * A SINT of a VP that our host has raised several times in a row is from then on raised by an
 * eventfd that KVM listens to, which stays until the partition goes (LIMIT_KVM_ROUTES): of those
 * that the tests raise so often, each VP's gets one in the course of a run.
 */
#define ROUTED_SINTS   (1u << VMBUS_SINT | 1u << TIMER_SINT | 1u << CONFORM_ANSWER_SINT)
#define ROUTE_EVENTFDS (VPS * (unsigned)__builtin_popcount(ROUTED_SINTS))

struct open {
	const struct conform_test *test;
	struct vm_descriptors count;
};

struct session {
	const struct run_config *config;
	struct run *run;
	struct conform_list list;
	struct vm vm;
	unsigned count;		      /* of tests in the list */
	unsigned next;		      /* number to go on with */
	bool is_ours;		      /* the host: its descriptors are counted */
	struct vm_descriptors before; /* the first test: what the host has open */
	struct open *open;	      /* and after each, `settled` of them */
	size_t settled;
	bool is_headed, is_over;   /* the image has begun; has said that it is done */
	bool is_running, is_ended; /* a test has begun; and has a verdict */
	struct run_result result;  /* of that test, until the machine is known to live */
	double began_ms;
	double moved_ms; /* when the report last went on */
};

/* What a target differs in: the words of its command line, the last of them NULL. */
typedef size_t command_fn(const struct run_config *config, const char *image, const char *words,
	char *arguments[ARGUMENTS_MAX]);

/* ---- the report ------------------------------------------------------------------------------ */

static void result_settle(struct session *session)
{
	if (session->is_running && session->is_ended) {
		if (session->is_ours)
			session->open[session->settled++] = (struct open){
				session->result.test, vm_descriptors(&session->vm)};
		run_add(session->config, session->run, &session->result);
	}
	session->is_running = session->is_ended = false;
}

/* How many `now` is above *before, which follows it upwards. */
static unsigned more_than(unsigned *before, unsigned now)
{
	const unsigned more = now > *before ? now - *before : 0;

	*before += more;
	return more;
}

/*
 * Descriptors that the host has lost. When they are counted, the next test may have begun and
 * have some open: what counts is the least number from a test to the end of the machine.
 */
static void leaks_charge(struct session *session)
{
	struct vm_descriptors least = {UINT_MAX, UINT_MAX}, before = session->before;
	unsigned allowed = ROUTE_EVENTFDS;

	for (size_t i = session->settled; i-- > 0;) {
		struct vm_descriptors *count = &session->open[i].count;
		if (count->eventfds > least.eventfds)
			count->eventfds = least.eventfds;
		if (count->others > least.others)
			count->others = least.others;
		least = *count;
	}
	for (size_t i = 0; before.others != 0 && i < session->settled; i++) {
		char evidence[CONFORM_EVIDENCE_BYTES];
		const unsigned others = more_than(&before.others, session->open[i].count.others);
		unsigned eventfds = more_than(&before.eventfds, session->open[i].count.eventfds);
		const unsigned kept = eventfds < allowed ? eventfds : allowed;
		allowed -= kept;
		eventfds -= kept;
		if (others == 0 && eventfds == 0)
			continue;
		snprintf(evidence, sizeof evidence,
			"the host has %u eventfds and %u other descriptors more than before it",
			eventfds, others);
		run_amend(session->run, session->open[i].test, RUN_FAILED, evidence);
	}
}

static int head_read(struct session *session, const char *line)
{
	unsigned version, tests;

	if (sscanf(line, "@conform %u tests=%u ", &version, &tests) != 2 ||
		version != REPORT_VERSION || tests != session->count) {
		fprintf(stderr,
			"hvconform: the image has other tests than this program; build both anew "
			"(it says: %s)\n",
			line);
		return -1;
	}
	session->is_headed = true;
	session->moved_ms = run_now_ms();
	if (session->is_ours)
		session->before = vm_descriptors(&session->vm);
	return 0;
}

/* @begin NUMBER RULE NAME */
static int begin_read(struct session *session, const char *line)
{
	char *rest;
	const char *area = NULL;
	const unsigned long number = strtoul(line, &rest, 10);
	const struct conform_test *test =
		number < session->count ? conform_list_at(&session->list, (unsigned)number, &area)
					: NULL;

	result_settle(session);
	if (test == NULL || *rest != ' ' ||
		strncmp(rest + 1, test->rule, strlen(test->rule)) != 0) {
		fprintf(stderr,
			"hvconform: the image runs a test that this program does not have; build "
			"both anew (it says: @begin %s)\n",
			line);
		return -1;
	}
	/* Each number once and upwards: `open` has room for that, and a run comes to its end. */
	if (number < session->next || !run_wants(session->config, session->run, test)) {
		fprintf(stderr,
			"hvconform: the image runs a test that it was not asked for, or again "
			"(it says: @begin %s)\n",
			line);
		return -1;
	}
	session->result = (struct run_result){.area = area, .test = test};
	session->is_running = true;
	session->next = (unsigned)number + 1;
	session->began_ms = session->moved_ms = run_now_ms();
	run_begins(session->config, session->run, test);
	return 0;
}

/* @end NUMBER VERDICT MS EVIDENCE */
static void end_read(struct session *session, const char *line)
{
	unsigned number;
	char verdict[16];
	int length = 0;
	struct run_result *result = &session->result;

	if (!session->is_running || session->is_ended ||
		sscanf(line, "%u %15s %lf%n", &number, verdict, &result->ms, &length) != 3 ||
		number + 1 != session->next)
		return;
	for (result->outcome = RUN_PASSED; result->outcome < RUN_DIED; result->outcome++)
		if (strcmp(verdict, run_outcome_name(result->outcome)) == 0)
			break;
	if (result->outcome == RUN_DIED)
		return;
	/* Neither "nan" nor "inf": JSON has no word for them. */
	if (!(result->ms >= 0 && result->ms < 1e9))
		result->ms = run_now_ms() - session->began_ms;
	line += length;
	snprintf(result->evidence, sizeof result->evidence, "%s", *line == ' ' ? line + 1 : line);
	session->is_ended = true;
	session->moved_ms = run_now_ms();
}

static int line_read(struct session *session, const char *line)
{
	unsigned next;

	/* Firmware may have written before it, without ending its line. */
	const char *head = session->is_headed ? NULL : strstr(line, "@conform ");
	if (head != NULL)
		return head_read(session, head);
	if (session->is_headed && strncmp(line, "@begin ", 7) == 0)
		return begin_read(session, line + 7);
	if (session->is_headed && strncmp(line, "@end ", 5) == 0) {
		end_read(session, line + 5);
	} else if (session->is_headed && sscanf(line, "@reset %u", &next) == 1) {
		result_settle(session);
		session->next = next < session->count ? next : session->count;
		session->is_over = true;
	} else if (session->is_headed && strncmp(line, "@total ", 7) == 0) {
		result_settle(session);
		session->next = session->count;
		session->is_over = true;
	} else if (line[0] != '\0') {
		snprintf(session->vm.last, sizeof session->vm.last, "%.*s",
			(int)sizeof session->vm.last - 1, line);
	}
	return 0;
}

/* ---- one machine ----------------------------------------------------------------------------- */

/* The machine is no more, and should be: whose doing was it? */
static int charge(struct session *session, const char *how)
{
	if (!session->is_running) {
		fprintf(stderr, "hvconform: no test could be run: %.*s\n", (int)strcspn(how, ";"),
			how);
		vm_log_print(&session->vm);
		fprintf(stderr,
			"Where KVM cannot be used, `make conformance HOST=%s` has a machine where "
			"it can.\n",
			session->config->target);
		return -1;
	}
	struct run_result *result = &session->result;
	result->outcome = RUN_DIED;
	result->ms = run_now_ms() - session->began_ms;
	snprintf(result->evidence, sizeof result->evidence, "%s", how);
	run_add(session->config, session->run, result);
	session->is_running = false;
	return 0;
}

/* The next line. Lines that are no report do not keep a machine alive. */
static enum vm_event line_await(struct session *session, char line[VM_LINE_BYTES])
{
	const double limit = session->is_headed ? session->config->limit_ms : HEAD_LIMIT_MS;
	const double left = session->moved_ms + limit - run_now_ms();

	return left > 0 ? vm_line(&session->vm, (unsigned)left + 1, line) : VM_SILENT;
}

static int machine_run(struct session *session, char *arguments[])
{
	char line[VM_LINE_BYTES], how[CONFORM_EVIDENCE_BYTES];
	enum vm_event event = VM_LINE;
	int result = 0;

	session->is_headed = session->is_over = session->is_running = session->is_ended = false;
	session->before = (struct vm_descriptors){0};
	session->settled = 0;
	if (vm_start(&session->vm, arguments) != 0)
		return -1;
	session->run->hosts++;
	session->moved_ms = run_now_ms();
	while (event == VM_LINE && result == 0 && !session->is_over) {
		event = line_await(session, line);
		if (event == VM_LINE)
			result = line_read(session, line);
	}
	const bool is_awaited = event == VM_OVER || session->is_over;
	vm_end(&session->vm, is_awaited && result == 0 ? END_LIMIT_MS : 0, how, sizeof how);
	if (result == 0 && session->is_over)
		leaks_charge(session);
	if (result != 0 || session->is_over || event == VM_STOPPED)
		return result;
	return charge(session, how);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Words for tests from..to, and the patterns. False: they are too many. */
static bool words_make(const struct session *session, unsigned from, unsigned to, char *words)
{
	const struct run_config *config = session->config;
	int used = snprintf(words, WORDS_BYTES, "attended memory=%s from=%u to=%u%s", MEMORY_MIB,
		from, to, config->is_self_check ? " self-check" : "");

	for (size_t i = 0; i < config->pattern_count; i++) {
		if (used >= (int)WORDS_BYTES || i == CONFORM_IMAGE_PATTERNS_MAX)
			return false;
		used += snprintf(
			words + used, WORDS_BYTES - (size_t)used, " only=%s", config->patterns[i]);
	}
	return used < (int)WORDS_BYTES;
}

/* The first number from `at` on that is wanted, or whose test has no result to be kept. */
static unsigned wanted_from(const struct session *session, unsigned at)
{
	while (at < session->count && !run_wants(session->config, session->run,
					      conform_list_at(&session->list, at, NULL)))
		at++;
	return at;
}

/* Behind `from`, the first that has a result already: a machine is to stop before it. */
static unsigned wanted_to(const struct session *session, unsigned from)
{
	const struct run *run = session->run;

	for (unsigned at = from; at < session->count; at++) {
		const struct conform_test *test = conform_list_at(&session->list, at, NULL);
		for (size_t i = 0; i < run->count; i++)
			if (run->results[i].test == test)
				return at;
	}
	return session->count;
}

static int machines_run(struct session *session, const char *image, command_fn *command)
{
	char words[WORDS_BYTES];
	char *arguments[ARGUMENTS_MAX];

	while (!run_is_stopped()) {
		const unsigned from = wanted_from(session, session->next);
		if (from == session->count)
			return 0;
		const unsigned to = wanted_to(session, from);
		if (!words_make(session, from, to, words)) {
			fprintf(stderr, "hvconform: the patterns are too many or too long for an "
					"image: give fewer --only\n");
			return -1;
		}
		arguments[command(session->config, image, words, arguments)] = NULL;
		session->next = from;
		if (machine_run(session, arguments) != 0)
			return -1;
		if (session->is_over && session->next == session->count)
			session->next = to;
		if (session->next <= from && !run_is_stopped()) {
			fprintf(stderr, "hvconform: the image does not get on\n");
			return -1;
		}
	}
	return 0;
}

const char *run_image_find(char path[PATH_MAX])
{
	static const char *const places[] = {"../bare/conform.elf", "../lib/viridian/conform.elf"};
	char self[PATH_MAX];
	const ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);

	if (bytes <= 0)
		return NULL;
	self[bytes] = '\0';
	const char *folder = dirname(self);
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		char place[PATH_MAX + 32];
		snprintf(place, sizeof place, "%s/%s", folder, places[i]);
		if (realpath(place, path) != NULL)
			return path;
	}
	return NULL;
}

static int run_image(const struct run_config *config, struct run *run, bool is_ours,
	const char *host, command_fn *command)
{
	char path[PATH_MAX];
	const char *image = config->image != NULL ? config->image : run_image_find(path);
	struct session session = {
		.config = config,
		.run = run,
		.list = {config->areas, config->area_count},
		.is_ours = is_ours,
	};

	session.count = conform_list_count(&session.list);
	snprintf(run->host, sizeof run->host, "%s", host);
	if (image == NULL || access(image, R_OK) != 0) {
		fprintf(stderr,
			"hvconform: %s cannot be read: build it (make bare), or give --image "
			"FILE\n",
			image != NULL ? image : "conform.elf");
		return -1;
	}
	session.open = calloc(session.count + 1, sizeof *session.open);
	if (session.open == NULL) {
		perror("hvconform");
		return -1;
	}
	int result = vm_prepare(&session.vm);
	if (result == 0) {
		result = machines_run(&session, image, command);
		vm_remove(&session.vm);
	}
	free(session.open);
	return result;
}

/* ---- targets --------------------------------------------------------------------------------- */

static size_t arguments_put(char *arguments[], size_t at, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		arguments[at++] = (char *)(uintptr_t)words[i];
	return at;
}

#define PUT(...)                                                                                   \
	arguments_put(arguments, 0, (const char *const[]){__VA_ARGS__},                            \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static size_t kvm_command(const struct run_config *config, const char *image, const char *words,
	char *arguments[ARGUMENTS_MAX])
{
	static const char memory[] = MEMORY_MIB "M";

	return PUT(config->vmwp, "run", "--backend", "kvm", "--kernel", image, "--vps", "2",
		"--memory", memory, "--enlightenments", "all", "--ram-disk", "8M,target=0",
		"--ram-disk", "1M,target=1,lun=2,ro", "--heartbeat", "50", "--test-devices",
		"--on-reboot", "exit", "--serial", "stdio", "--append", words);
}

int run_kvm(const struct run_config *config, struct run *run)
{
	return run_image(config, run, true,
		"vmwp: --vps 2 --memory 64M --enlightenments all --ram-disk 8M,target=0 "
		"--ram-disk 1M,target=1,lun=2,ro --heartbeat 50 --test-devices",
		kvm_command);
}

/* All enlightenments that QEMU 7.2 has and a Linux 6.1 host gives on any processor. */
#define QEMU_CPU                                                                                   \
	"host,hv-relaxed,hv-vapic,hv-spinlocks=0xfff,hv-vpindex,hv-runtime,hv-crash,hv-time,"      \
	"hv-synic,hv-stimer,hv-stimer-direct,hv-tlbflush,hv-ipi,hv-frequencies,hv-reset,"          \
	"hv-reenlightenment,hv-xmm-input,hv-enforce-cpuid"

static size_t qemu_command(const struct run_config *config, const char *image, const char *words,
	char *arguments[ARGUMENTS_MAX])
{
	static const char cpu[] = QEMU_CPU;

	return PUT(config->qemu, "-accel", "kvm", "-cpu", cpu, "-smp", "2", "-m", MEMORY_MIB,
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-device",
		"vmbus-bridge", "-kernel", image, "-append", words);
}

int run_qemu(const struct run_config *config, struct run *run)
{
	return run_image(config, run, false,
		"qemu-system-x86_64 -smp 2 -m 64 -device vmbus-bridge -cpu " QEMU_CPU,
		qemu_command);
}
