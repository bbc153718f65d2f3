// SPDX-License-Identifier: Apache-2.0
/* Rounds that outlive the machine that ran them: see bench_vm.h. */
#include "tests/performance/bench_vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A round in the file: raw, as only this very program reads it. */
struct record {
	char magic[16];
	uint64_t bytes; /* of this: another build has others */
	struct vm_figures round;
};

static const char magic[16] = "hvbench vm 1";

unsigned vm_kept_read(const char *path, struct vm_figures *rounds, unsigned most)
{
	static struct record record;
	unsigned count = 0;
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return 0;
	while (count < most && fread(&record, sizeof record, 1, file) == 1 &&
		memcmp(record.magic, magic, sizeof magic) == 0 && record.bytes == sizeof record)
		rounds[count++] = record.round;
	fclose(file);
	return count;
}

void vm_kept_add(const char *path, const struct vm_figures *round)
{
	static struct record record;
	FILE *file = fopen(path, "ab");
	memcpy(record.magic, magic, sizeof magic);
	record.bytes = sizeof record;
	record.round = *round;
	const bool is_kept = file != NULL && fwrite(&record, sizeof record, 1, file) == 1 &&
			     fflush(file) == 0 && fsync(fileno(file)) == 0;
	if (!is_kept)
		fprintf(stderr, "hvbench: %s: %s; the round is not kept\n", path, strerror(errno));
	if (file != NULL)
		fclose(file);
}
