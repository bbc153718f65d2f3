// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: kernels of all three formats. Byte 0 of the input says what machine it is; the
 * rest is the kernel's file. Whatever it holds, the loader writes to no memory but the guest's,
 * and either begins inside what was loaded or says in one line why not.
 */
#include "host/machine/boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define MEMORY_BYTES (24u << 20)
#define RAM_BYTES    (20u << 20) /* of it, what the loader is told of */
#define CANARY	     0x5au

struct bench {
	struct guest_memory memory;
	int kernel_fd, initrd_fd;
	char kernel_path[32], initrd_path[32];
	char *long_line;
};

static int file_create(char path[32])
{
	const int fd = memfd_create("fuzz_boot", MFD_CLOEXEC);
	CHECK(fd >= 0);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void file_fill(int fd, const void *bytes, size_t count)
{
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, count, 0) == (ssize_t)count);
}

static void bench_open(struct bench *bench)
{
	static const char initrd[5000] = "070701";

	CHECK(guest_memory_init(&bench->memory, MEMORY_BYTES, MEMORY_BYTES) == 0);
	memset(guest_memory_at(&bench->memory, RAM_BYTES, MEMORY_BYTES - RAM_BYTES), CANARY,
		MEMORY_BYTES - RAM_BYTES);
	bench->kernel_fd = file_create(bench->kernel_path);
	bench->initrd_fd = file_create(bench->initrd_path);
	file_fill(bench->initrd_fd, initrd, sizeof initrd);
	bench->long_line = malloc(BOOT_COMMAND_LINE_BYTES);
	CHECK(bench->long_line != NULL);
	memset(bench->long_line, 'x', BOOT_COMMAND_LINE_BYTES - 1);
	bench->long_line[BOOT_COMMAND_LINE_BYTES - 1] = '\0';
}

static void check_canary(const struct bench *bench)
{
	const uint8_t *at = guest_memory_at(&bench->memory, RAM_BYTES, MEMORY_BYTES - RAM_BYTES);
	CHECK(at[0] == CANARY && memcmp(at, at + 1, MEMORY_BYTES - RAM_BYTES - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bench bench;
	struct vp_entry entry;
	char error[512];

	if (size < 1)
		return 0;
	if (!bench.long_line)
		bench_open(&bench);
	file_fill(bench.kernel_fd, data + 1, size - 1);
	const struct boot_config config = {
		.kernel = bench.kernel_path,
		.initrd = data[0] & 1 ? bench.initrd_path : NULL,
		.command_line = data[0] & 2 ? bench.long_line : "quiet",
		.vp_count = 2,
		.low_bytes = data[0] & 4 ? 2u << 20 : RAM_BYTES,
	};
	memset(error, 0, sizeof error);
	const int result = boot_load(&config, &bench.memory, &entry, error, sizeof error);
	check_canary(&bench);
	if (result == 0) {
		CHECK(entry.rip >= 1u << 20 && entry.rip < config.low_bytes);
		CHECK(error[0] == '\0');
	} else {
		CHECK(result < 0 && error[0] != '\0' && strchr(error, '\n') == NULL);
	}
	return 0;
}
