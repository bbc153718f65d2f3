// SPDX-License-Identifier: Apache-2.0
/* Rounds that outlive the machine that ran them: see bench_vm.h. */
#include "tests/performance/bench_vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A round in the file: raw, as only this very program reads it. */
struct record {
	char build[32];
	struct vm_figures round;
};

static void build_get(char build[32])
{
	memset(build, 0, 32);
	snprintf(build, 32, "hvbench %s %s", __TIME__, "1");
}

unsigned vm_kept_read(const char *path, struct vm_figures *rounds, unsigned most)
{
	static struct record record;
	char build[32];
	unsigned count = 0;
	FILE *file = fopen(path, "rb");
	build_get(build);
	if (file == NULL)
		return 0;
	while (count < most && fread(&record, sizeof record, 1, file) == 1 &&
		memcmp(record.build, build, sizeof build) == 0)
		rounds[count++] = record.round;
	fclose(file);
	return count;
}

void vm_kept_add(const char *path, const struct vm_figures *round)
{
	static struct record record;
	FILE *file = fopen(path, "ab");
	build_get(record.build);
	record.round = *round;
	const bool is_kept = file != NULL && fwrite(&record, sizeof record, 1, file) == 1 &&
			     fflush(file) == 0 && fsync(fileno(file)) == 0;
	if (!is_kept)
		fprintf(stderr, "hvbench: %s: %s; the round is not kept\n", path, strerror(errno));
	if (file != NULL)
		fclose(file);
}
