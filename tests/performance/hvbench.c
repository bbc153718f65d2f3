// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench: enlightened I/O, measured beside references of the same run. One verb a
 * topic; the table of verbs below is the whole front.
 */
#include "packaging/version.h"
#include "tests/performance/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help_text[] =
	"usage: hvbench VERB [options]\n"
	"\n"
	"  ring       what a packet costs, beside a bare queue and memcpy\n"
	"  doorbell   waking a peer: awake, asleep, saturated, idle\n"
	"  storage    disks through channels and through FUSE, beside raw io_uring, fio, libfuse\n"
	"  scale      1 to 256 partitions, 1 to 512 channels: memory, time, processor, wake-ups\n"
	"  vm         virtual machines: exits, boot, reads, calls; beside QEMU and emulated disks\n"
	"\n"
	"  --json[=FILE]    results for machines, in place of the table or beside it\n"
	"  --html FILE      results with plots\n"
	"  --rounds N       rounds of each case, 5 to 101 (default 9; vm: 5)\n"
	"  --only NAME      only cases whose names start so, such as storage/fuse\n"
	"  --count N        N packets or requests of each case, once; nothing is judged: for\n"
	"                   tools that count, as valgrind --tool=callgrind --trace-children=yes\n"
	"  --soak N         doorbell: packets of the lost-wake-up soak (default 10000000)\n"
	"  --kernel FILE, --initrd FILE\n"
	"                   vm: those of tests/performance/vm_guest/guest, which is run otherwise\n"
	"  --keep FILE      vm: keep rounds there, and do not run again those that are there\n"
	"  --version, --help\n"
	"\n"
	"Ratios come first: subject / reference, medians of interleaved rounds.\n"
	"example: hvbench ring --rounds 15 --html ring.html\n";

struct options {
	bool is_json;
	const char *only;
	const char *html;
	const char *json;
	unsigned rounds;
	uint64_t soak;
	struct bench_vm_options vm;
};

static void ring_verb(
	struct report *report, const struct options *options, const struct sandbox *sandbox)
{
	(void)options;
	(void)sandbox;
	bench_ring(report);
}

static void doorbell_verb(
	struct report *report, const struct options *options, const struct sandbox *sandbox)
{
	(void)sandbox;
	bench_doorbell(report, options->soak);
}

static void storage_verb(
	struct report *report, const struct options *options, const struct sandbox *sandbox)
{
	(void)options;
	bench_storage(report, sandbox);
}

static void scale_verb(
	struct report *report, const struct options *options, const struct sandbox *sandbox)
{
	(void)options;
	bench_scale(report, sandbox);
}

static void vm_verb(
	struct report *report, const struct options *options, const struct sandbox *sandbox)
{
	bench_vm(report, sandbox, &options->vm);
}

struct verb {
	const char *name;
	void (*run)(struct report *report, const struct options *options,
		const struct sandbox *sandbox);
	bool has_sandbox; /* else that argument is NULL */
	unsigned rounds;  /* where --rounds does not say */
};

static const struct verb verbs[] = {
	{"ring", ring_verb, false, 9},
	{"doorbell", doorbell_verb, false, 9},
	{"storage", storage_verb, true, 9},
	{"scale", scale_verb, true, 9},
	{"vm", vm_verb, true, 5},
};

struct job {
	const struct verb *verb;
	const struct options *options;
};

/* The exit status. */
static int job_run(void *ctx, const struct sandbox *sandbox)
{
	static struct report report;
	const struct job *job = ctx;
	const unsigned rounds = job->options->rounds;
	report_begin(&report, rounds != 0 ? rounds : job->verb->rounds, job->options->is_json);
	report.only = job->options->only;
	report.json_path = job->options->json;
	job->verb->run(&report, job->options, sandbox);
	return report_end(&report, job->options->html);
}

static int number_parse(
	const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	char *end;
	if (text == NULL) /* never, of an option that takes a value; analyzers cannot know */
		return -1;
	*out = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out >= least && *out <= most)
		return 0;
	fprintf(stderr, "hvbench: %s: \"%s\" is not a number from %llu to %llu\n", option, text,
		(unsigned long long)least, (unsigned long long)most);
	return -1;
}

/* What getopt_long did not take, in one line. */
static int option_complain(int key, char *const *argv)
{
	const char *text = argv[optind - 1];
	if (key == ':')
		fprintf(stderr, "hvbench: %s needs a value; see hvbench --help\n", text);
	else
		fprintf(stderr, "hvbench: \"%s\" is not an option; see hvbench --help\n", text);
	return -1;
}

/* Found now rather than after minutes of measuring. */
static int file_check(const char *option, const char *path)
{
	const bool is_new = access(path, F_OK) != 0;
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) {
		fprintf(stderr, "hvbench: %s: %s; give %s a file that can be written\n", path,
			strerror(errno), option);
		return -1;
	}
	close(fd);
	if (is_new)
		unlink(path);
	return 0;
}

/* 0: go on; 1: help was printed; -1: a mistake was reported. */
static int options_parse(int argc, char **argv, struct options *out)
{
	static const struct option long_options[] = {
		{"json", optional_argument, NULL, 'j'},
		{"html", required_argument, NULL, 'h'},
		{"rounds", required_argument, NULL, 'r'},
		{"only", required_argument, NULL, 'o'},
		{"soak", required_argument, NULL, 's'},
		{"count", required_argument, NULL, 'c'},
		{"kernel", required_argument, NULL, 'k'},
		{"initrd", required_argument, NULL, 'i'},
		{"keep", required_argument, NULL, 'K'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, '?' + 256},
		{NULL, 0, NULL, 0},
	};
	*out = (struct options){.soak = 10000000};
	uint64_t number;
	opterr = 0;
	for (int key; (key = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
		switch (key) {
		case 'j':
			out->is_json = optarg == NULL;
			out->json = optarg;
			break;
		case 'h':
			out->html = optarg;
			break;
		case 'r':
			if (number_parse("--rounds", optarg, 5, MEASURE_ROUNDS_MAX, &number) != 0)
				return -1;
			out->rounds = (unsigned)number;
			break;
		case 'o':
			out->only = optarg;
			break;
		case 'k':
			out->vm.kernel = optarg;
			break;
		case 'i':
			out->vm.initrd = optarg;
			break;
		case 'K':
			out->vm.kept = optarg;
			break;
		case 's':
			if (number_parse("--soak", optarg, 1000, 1000000000000, &out->soak) != 0)
				return -1;
			break;
		case 'c':
			if (number_parse("--count", optarg, 1, 1000000000, &number) != 0)
				return -1;
			measure_count_set(number);
			break;
		case 'V':
			version_print("hvbench");
			return 1;
		case '?' + 256:
			fputs(help_text, stdout);
			return 1;
		default:
			return option_complain(key, argv);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;
	const int parsed = options_parse(argc, argv, &options);
	if (parsed != 0)
		return parsed > 0 ? 0 : 2;
	if (optind + 1 != argc) {
		fputs("hvbench: give one verb, such as ring; see hvbench --help\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(argv[optind], verbs[i].name) != 0)
			continue;
		if (options.html != NULL && file_check("--html", options.html) != 0)
			return 1;
		if (options.json != NULL && file_check("--json", options.json) != 0)
			return 1;
		struct job job = {&verbs[i], &options};
		return verbs[i].has_sandbox ? sandbox_run(job_run, &job) : job_run(&job, NULL);
	}
	fprintf(stderr, "hvbench: \"%s\" is not a verb; see hvbench --help\n", argv[optind]);
	return 2;
}
