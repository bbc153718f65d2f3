// SPDX-License-Identifier: Apache-2.0
/*
 * Replays files through a fuzz target without libFuzzer, so that the corpora are
 * part of every test run, under every compiler and sanitizer.
 *
 *	fuzz_ring FILE|FOLDER...
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int file_replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	static uint8_t data[1 << 20];
	const size_t size = fread(data, 1, sizeof data, file);
	fclose(file);
	/* An exact heap copy lets the address sanitizer see reads past the input. */
	uint8_t *copy = malloc(size > 0 ? size : 1);
	if (copy == NULL)
		return -1;
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	replayed++;
	return 0;
}

static int folder_replay(const char *path)
{
	DIR *folder = opendir(path);
	if (folder == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	int result = 0;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		char file[4096];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		result |= file_replay(file);
	}
	closedir(folder);
	return result;
}

int main(int argc, char **argv)
{
	int result = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) != 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			result = -1;
			continue;
		}
		result |= S_ISDIR(st.st_mode) ? folder_replay(argv[i]) : file_replay(argv[i]);
	}
	printf("%u passed, %u failed, 0 skipped\n", replayed, result != 0);
	return result != 0 || replayed == 0;
}
