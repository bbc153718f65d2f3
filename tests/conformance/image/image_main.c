// SPDX-License-Identifier: Apache-2.0
/*
 * The conformance suite as a bare-metal image: the tests of the host's side, one after the
 * other, in one partition that is put back after each.
 *
 *	boot (guest/winhv/bare) -> bare_main(): words of the command line, the loop
 *	  image_platform.h  winhv on all VPs
 *	  image_report.h    lines over the UART
 *	  conform_list.h    tests by number
 *
 * Words (docs/conformance.md; image_iso_linux.c checks them): only=PATTERN (again for more),
 * from=N, to=N (numbers of tests), memory=MIB (where guest-physical memory ends), self-check,
 * attended, crash.
 *
 * Threads: the boot VP; the others do what they are asked to.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_list.h"
#include "tests/conformance/image/image_platform.h"
#include "tests/conformance/image/image_report.h"

static struct {
	struct conform_list list;
	char words[BARE_COMMAND_LINE_MAX];
	const char *patterns[CONFORM_IMAGE_PATTERNS_MAX];
	unsigned pattern_count;
	unsigned from, to; /* numbers; `to` is the first that is not run */
	uint64_t memory_bytes;
	struct image_report report;
	struct conform_target target;
	struct winhv hv;
} suite;

/* ---- the command line ---------------------------------------------------------------------- */

static const char *value_of(const char *word, const char *name)
{
	while (*name && *word == *name) {
		word++;
		name++;
	}
	return *name ? NULL : word;
}

static unsigned number_of(const char *digits)
{
	unsigned number = 0;

	while (*digits >= '0' && *digits <= '9' && number < 100000000u)
		number = number * 10 + (unsigned)(*digits++ - '0');
	return number;
}

static void word_take(const char *word)
{
	const char *value;

	if ((value = value_of(word, "only=")) != NULL) {
		if (suite.pattern_count < CONFORM_IMAGE_PATTERNS_MAX)
			suite.patterns[suite.pattern_count++] = value;
	} else if ((value = value_of(word, "from=")) != NULL) {
		suite.from = number_of(value);
	} else if ((value = value_of(word, "to=")) != NULL) {
		suite.to = number_of(value);
	} else if ((value = value_of(word, "memory=")) != NULL) {
		suite.memory_bytes = (uint64_t)number_of(value) << 20;
	} else if (value_of(word, "self-check") != NULL) {
		suite.list = (struct conform_list){&conform_image_checks, 1};
	}
}

static void words_read(void)
{
	char *at = suite.words;

	suite.list = (struct conform_list){conform_host_areas, conform_host_area_count};
	suite.to = UINT32_MAX;
	__builtin_memcpy(suite.words, bare.command_line, sizeof suite.words);
	while (*at) {
		char *word = at;
		while (*at && *at != ' ')
			at++;
		if (*at)
			*at++ = 0;
		word_take(word);
	}
	const unsigned count = conform_list_count(&suite.list);
	if (suite.to > count)
		suite.to = count;
}

static bool is_chosen(const struct conform_test *test)
{
	for (unsigned i = 0; i < suite.pattern_count; i++)
		if (conform_matches(suite.patterns[i], test->rule))
			return true;
	return suite.pattern_count == 0;
}

/* ---- running ------------------------------------------------------------------------------- */

struct job {
	const struct conform_test *test;
	enum conform_verdict verdict;
};

static void job_run(void *ctx)
{
	struct job *job = ctx;

	job->verdict = conform_run(&suite.target, job->test);
}

static void end(void *ctx)
{
	(void)ctx;
	conform_end(&suite.target);
}

/* Returns why the machine must be reset now, or NULL. */
static const char *test_run(unsigned number, const struct conform_test *test)
{
	struct job job = {test, CONFORM_FAIL};
	struct bare_fault fault;

	image_report_begin(&suite.report, number, test);
	image_platform_begin();
	suite.target = (struct conform_target){.hv = &suite.hv,
		.memory_bytes = suite.memory_bytes,
		.machine = &image_machine,
		.format = bare_format};
	const uint64_t begin = bare_time();
	if (winhv_init(&suite.hv, &image_platform_ops, NULL, bare.vp_count) != 0) {
		conform_note(&suite.target, "winhv cannot start");
	} else if (!bare_try(job_run, &job, &fault)) {
		conform_note(&suite.target,
			"the test itself ended: exception %u at 0x%lx, address 0x%lx", fault.vector,
			fault.rip, fault.address);
		job.verdict = CONFORM_FAIL;
		(void)bare_try(end, NULL, NULL);
	}
	image_report_end(&suite.report, number, test, job.verdict, bare_time() - begin,
		suite.target.evidence);
	return image_platform_end();
}

int bare_main(void)
{
	words_read();
	image_platform_init();
	image_report_head(&suite.report, conform_list_count(&suite.list), suite.from);
	for (unsigned number = suite.from; number < suite.to; number++)
		suite.report.total += is_chosen(conform_list_at(&suite.list, number, NULL));
	for (unsigned number = suite.from; number < suite.to; number++) {
		const struct conform_test *test = conform_list_at(&suite.list, number, NULL);
		if (!is_chosen(test))
			continue;
		const char *why = test_run(number, test);
		/* Whoever reads the report starts the next machine; there may be nobody. */
		if (why && number + 1 < suite.to && bare_option("attended", NULL)) {
			image_report_reset(number + 1, why);
			return suite.report.failed > 0;
		}
	}
	image_report_total(&suite.report);
	return suite.report.failed > 0;
}
