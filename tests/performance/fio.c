// SPDX-License-Identifier: Apache-2.0
/* fio as a child: see fio.h. */
#include "tests/performance/fio.h"

#include "tests/performance/process.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fio_is_there(void)
{
	char path[PATH_MAX];
	return process_find("fio", path, sizeof path) == 0;
}

static double rate_read(const char *text, const struct load *load)
{
	json_error_t error;
	/* Warnings may come before the report. */
	const char *start = strchr(text, '{');
	json_t *root = start != NULL ? json_loads(start, 0, &error) : NULL;
	const json_t *job = json_array_get(json_object_get(root, "jobs"), 0);
	const json_t *side = json_object_get(job, load->is_write ? "write" : "read");
	const double iops = json_number_value(json_object_get(side, "iops"));
	json_decref(root);
	return iops > 0 ? load_rate(load, (uint64_t)iops, 1000000000) : -1;
}

double fio_run(
	const struct sandbox *sandbox, const char *path, bool is_direct, const struct load *load)
{
	char program[PATH_MAX];
	char words[6][SANDBOX_PATH_BYTES + 96];
	char log[SANDBOX_PATH_BYTES + 16];
	if (process_find("fio", program, sizeof program) != 0) {
		fprintf(stderr, "hvbench: fio is missing: install the package fio\n");
		return -1;
	}
	snprintf(log, sizeof log, "%s/fio.log", sandbox->work);
	snprintf(words[0], sizeof *words, "--filename=%s", path);
	snprintf(words[1], sizeof *words, "--rw=%s%s", load->is_random ? "rand" : "",
		load->is_write ? "write" : "read");
	snprintf(words[2], sizeof *words, "--bs=%u", load->bytes);
	snprintf(words[3], sizeof *words, "--iodepth=%u", load->depth);
	snprintf(words[4], sizeof *words, "--runtime=%llums",
		(unsigned long long)(load->duration_ns / 1000000));
	snprintf(words[5], sizeof *words, "--size=%llu", (unsigned long long)load->span_bytes);
	const char *const argv[] = {program, "--name=hvbench", "--ioengine=io_uring", "--thread",
		"--fixedbufs", "--registerfiles", "--norandommap", "--gtod_reduce=1",
		"--time_based", "--output-format=json", "--eta=never",
		is_direct ? "--direct=1" : "--direct=0", words[0], words[1], words[2], words[3],
		words[4], words[5], NULL};
	char *text = process_output(argv, 1, log);
	if (text == NULL)
		return -1;
	const double rate = rate_read(text, load);
	free(text);
	if (rate < 0)
		fprintf(stderr, "hvbench: fio: its report could not be read\n");
	return rate;
}
