// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench scale: many partitions, and many channels. What a partition (a worker and its
 * guest, which has a disk open and is idle) takes of memory, time and processor when there are
 * 1 to 256 of them; and what a worker takes when its guest has 1 to 512 channels open
 * (more than 256 are spread over two workers, as one offers four controllers of 64).
 *
 * Each figure is compared with the same for one; wake-ups and processor time of idle
 * workers with fixed figures. One pass, for it is long: the means of many are steady.
 */
#include "tests/performance/bench.h"
#include "tests/performance/guest.h"
#include "tests/performance/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define PARTITIONS_MAX	    256u
#define CHANNELS_EACH	    64u /* of a controller */
#define CONTROLLERS_EACH    4u	/* of a worker */
#define CHANNEL_WORKERS_MAX 2u
#define RING_BYTES	    (16u << 10)
#define KIB_EACH	    6144u /* of free memory wanted for a partition, ours included */
#define FDS_EACH	    8u
#define TIME_LIMIT_NS	    60000000000ull
#define SETTLE_NS	    300000000
#define IDLE_WAKE_UPS	    1.0	   /* a second */
#define IDLE_PROCESSOR_US   1000.0 /* in a second */

enum scale_figure { MEMORY, CONNECT, PROCESSOR, WAKE_UPS, IDLE_PROCESSOR, FIGURES };

struct scale_figures {
	double value[FIGURES];
};

static const struct {
	const char *name, *unit, *reference;
	double fixed; /* reference; 0: the figure for one */
} figures[FIGURES] = {
	[MEMORY] = {"memory", "KiB each", "one", 0},
	[CONNECT] = {"connect", "us each", "one", 0},
	[PROCESSOR] = {"connect-cpu", "us each", "one", 0},
	[WAKE_UPS] = {"idle-wake-ups", "/s each", "one a second", IDLE_WAKE_UPS},
	[IDLE_PROCESSOR] = {"idle-cpu", "us/s each", "1 ms a second", IDLE_PROCESSOR_US},
};

static const unsigned partition_steps[] = {1, 4, 16, 64, 256};
static const unsigned channel_steps[] = {1, 8, 64, 256, 512};
#define STEPS 5u

struct scale_member {
	struct guest_worker worker;
	struct guest guest;
};

struct scale {
	const struct sandbox *sandbox;
	struct report *report;
	uint64_t limit_ns; /* measure_now_ns() after which no step begins */
	unsigned workers;  /* ever started */
	struct scale_member members[PARTITIONS_MAX];
};

/* ---- rows ---------------------------------------------------------------------------------------
 */

struct scale_row {
	struct measure_case c;
	double value, reference;
	char name[64];
};

static double row_value(void *ctx)
{
	return ((const struct scale_row *)ctx)->value;
}

static double row_reference(void *ctx)
{
	return ((const struct scale_row *)ctx)->reference;
}

static struct scale_row *row_make(const char *what, unsigned count, enum scale_figure figure)
{
	static struct scale_row rows[2 * STEPS * FIGURES];
	static unsigned used;
	struct scale_row *row = &rows[used++];
	snprintf(row->name, sizeof row->name, "scale/%s-%u/%s", what, count, figures[figure].name);
	row->c = (struct measure_case){
		.name = row->name,
		.unit = figures[figure].unit,
		.reference = figures[figure].reference,
		.kind = MEASURE_SHOWN,
		.measure_subject = row_value,
		.measure_reference = row_reference,
		.ctx = row,
	};
	return row;
}

static void step_report(const struct scale *scale, const char *what, unsigned count,
	const struct scale_figures *got, const struct scale_figures *one)
{
	for (unsigned i = 0; i < FIGURES; i++) {
		struct scale_row *row = row_make(what, count, i);
		row->value = got->value[i];
		row->reference = figures[i].fixed > 0 ? figures[i].fixed : one->value[i];
		report_case(scale->report, &row->c);
	}
}

static void step_without(const struct scale *scale, const char *what, unsigned count,
	enum measure_verdict verdict, const char *why)
{
	for (unsigned i = 0; i < FIGURES; i++)
		report_without(scale->report, &row_make(what, count, i)->c, verdict, why);
}

/* ---- members ------------------------------------------------------------------------------------
 */

/* A worker with a tiny disk on each controller. */
static bool member_start(
	struct scale *scale, struct scale_member *member, unsigned controllers, unsigned channels)
{
	char disks[CONTROLLERS_EACH][64];
	char count[16];
	const char *options[GUEST_WORKER_OPTIONS_MAX] = {"--memory", "32M", "--channels", count};
	unsigned used = 4;
	snprintf(count, sizeof count, "%u", channels);
	for (unsigned i = 0; i < controllers; i++) {
		snprintf(disks[i], sizeof *disks, "4K,controller=%u,target=0,lun=0", i);
		options[used++] = "--ram-disk";
		options[used++] = disks[i];
	}
	options[used] = NULL;
	return guest_worker_start(&member->worker, scale->sandbox, scale->workers++, options) == 0;
}

/* Open the controllers, read the first disk's LUN, and leave the rings at rest. */
static bool member_open(struct scale_member *member, unsigned controllers, unsigned channels)
{
	for (unsigned i = 0; i < controllers; i++) {
		if (guest_controller_open(&member->guest, i, channels, RING_BYTES) != 0)
			return false;
	}
	if (guest_lun_find(&member->guest, 0) == NULL)
		return false;
	return storage_controller_poll(&member->guest.controllers[0]->controller, 10000) == 0;
}

static void members_end(struct scale *scale, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		guest_disconnect(&scale->members[i].guest);
	/* All at once, then one after the other: their ends overlap. */
	for (unsigned i = 0; i < count; i++)
		guest_worker_signal(&scale->members[i].worker);
	for (unsigned i = 0; i < count; i++)
		guest_worker_stop(&scale->members[i].worker);
}

static double members_sum(const struct scale *scale, unsigned count, double (*get)(pid_t pid))
{
	double sum = 0;
	for (unsigned i = 0; i < count; i++) {
		const double value = get(scale->members[i].worker.pid);
		if (value < 0)
			return -1;
		sum += value;
	}
	return sum;
}

/* Memory, and what `count` idle workers do in a second; each for one of `divisor`. */
static void idle_measure(
	const struct scale *scale, unsigned count, unsigned divisor, struct scale_figures *out)
{
	const struct timespec settle = {.tv_nsec = SETTLE_NS};
	const struct timespec second = {.tv_sec = 1};
	nanosleep(&settle, NULL);
	const double sleeps = members_sum(scale, count, process_sleeps);
	const double cpu = members_sum(scale, count, process_cpu_ns);
	nanosleep(&second, NULL);
	const double sleeps_after = members_sum(scale, count, process_sleeps);
	const double cpu_after = members_sum(scale, count, process_cpu_ns);
	const double memory = members_sum(scale, count, process_private_kib);
	out->value[MEMORY] = memory / divisor;
	out->value[WAKE_UPS] = (sleeps_after - sleeps) / divisor;
	out->value[IDLE_PROCESSOR] = (cpu_after - cpu) / 1e3 / divisor;
}

/* ---- partitions ---------------------------------------------------------------------------------
 */

static double memory_available_kib(void)
{
	char line[128];
	double kib = 0;
	FILE *file = fopen("/proc/meminfo", "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "MemAvailable: %lf", &kib) == 1)
			break;
	}
	if (file != NULL)
		fclose(file);
	return kib;
}

/* Why a step cannot be made here, or NULL. */
static const char *step_obstacle(const struct scale *scale, unsigned count)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < count * FDS_EACH + 64)
		return "too few open files are allowed: raise ulimit -n";
	if (memory_available_kib() < (double)count * KIB_EACH)
		return "too little free memory";
	if (measure_now_ns() > scale->limit_ns)
		return "the smaller steps have taken a minute";
	return NULL;
}

/* From `from` to `count` partitions. *ready: those that are to be ended. */
static bool partitions_grow(struct scale *scale, unsigned from, unsigned count, unsigned *ready,
	struct scale_figures *out)
{
	const uint64_t start = measure_now_ns();
	for (; *ready < count; ++*ready) {
		struct scale_member *member = &scale->members[*ready];
		if (!member_start(scale, member, 1, 1))
			return false;
		if (guest_connect(&member->guest, &member->worker) != 0 ||
			!member_open(member, 1, 1)) {
			++*ready;
			return false;
		}
	}
	out->value[CONNECT] = (double)(measure_now_ns() - start) / 1e3 / (count - from);
	out->value[PROCESSOR] = members_sum(scale, count, process_cpu_ns) / 1e3 / count;
	idle_measure(scale, count, count, out);
	return true;
}

static void partitions_measure(struct scale *scale)
{
	struct scale_figures one = {{0}};
	unsigned ready = 0;
	for (unsigned i = 0; i < STEPS; i++) {
		const unsigned count = partition_steps[i];
		struct scale_figures got;
		const char *obstacle = step_obstacle(scale, count);
		if (obstacle != NULL) {
			step_without(scale, "partitions", count, VERDICT_ABSENT, obstacle);
		} else if (partitions_grow(scale, ready, count, &ready, &got)) {
			one = i == 0 ? got : one;
			step_report(scale, "partitions", count, &got, &one);
		} else {
			step_without(scale, "partitions", count, VERDICT_FAILED,
				"a partition could not be set up (see above)");
			break;
		}
	}
	members_end(scale, ready);
}

/* ---- channels -----------------------------------------------------------------------------------
 */

/* As many workers as are needed, each connected; the clock runs while channels are opened. */
static bool channels_open(
	struct scale *scale, unsigned count, unsigned *ready, struct scale_figures *out)
{
	const unsigned each = count < CHANNELS_EACH ? count : CHANNELS_EACH;
	const unsigned all = count / each; /* controllers */
	const unsigned workers = (all + CONTROLLERS_EACH - 1) / CONTROLLERS_EACH;
	for (; *ready < workers; ++*ready) {
		struct scale_member *member = &scale->members[*ready];
		if (!member_start(scale, member, all / workers, each))
			return false;
		if (guest_connect(&member->guest, &member->worker) != 0) {
			++*ready;
			return false;
		}
	}
	const double cpu = members_sum(scale, workers, process_cpu_ns);
	const uint64_t start = measure_now_ns();
	for (unsigned i = 0; i < workers; i++) {
		if (!member_open(&scale->members[i], all / workers, each))
			return false;
	}
	out->value[CONNECT] = (double)(measure_now_ns() - start) / 1e3 / count;
	out->value[PROCESSOR] = (members_sum(scale, workers, process_cpu_ns) - cpu) / 1e3 / count;
	idle_measure(scale, workers, count, out);
	return true;
}

static void channels_measure(struct scale *scale)
{
	struct scale_figures one = {{0}};
	for (unsigned i = 0; i < STEPS; i++) {
		const unsigned count = channel_steps[i];
		struct scale_figures got;
		unsigned ready = 0;
		const char *obstacle = step_obstacle(scale, CHANNEL_WORKERS_MAX);
		if (obstacle != NULL) {
			step_without(scale, "channels", count, VERDICT_ABSENT, obstacle);
		} else if (channels_open(scale, count, &ready, &got)) {
			one = i == 0 ? got : one;
			step_report(scale, "channels", count, &got, &one);
		} else {
			step_without(scale, "channels", count, VERDICT_FAILED,
				"the channels could not be opened (see above)");
		}
		members_end(scale, ready);
	}
}

void bench_scale(struct report *report, const struct sandbox *sandbox)
{
	struct rlimit files;
	struct scale *scale = calloc(1, sizeof *scale);
	if (scale == NULL) {
		fprintf(stderr, "hvbench: memory is short\n");
		return;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	scale->sandbox = sandbox;
	scale->report = report;
	scale->limit_ns = measure_now_ns() + TIME_LIMIT_NS;
	const unsigned rounds = report->rounds;
	report->rounds = 1;
	measure_pin(0);
	if (report_wants(report, "scale/partitions"))
		partitions_measure(scale);
	if (report_wants(report, "scale/channels"))
		channels_measure(scale);
	report->rounds = rounds;
	free(scale);
}
