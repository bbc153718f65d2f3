// SPDX-License-Identifier: Apache-2.0
/*
 * What the tests of the boot loader share: guest memory, files that exist in memory alone,
 * and little-endian fields to build images of.
 */
#ifndef TESTS_UNIT_BOOT_FIXTURE_H
#define TESTS_UNIT_BOOT_FIXTURE_H

#include "host/machine/boot.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BOOT_RAM    (64u << 20)
#define IMAGE_BYTES 0x4000u

struct boot_fixture {
	struct guest_memory memory;
	uint8_t image[IMAGE_BYTES]; /* the kernel */
	size_t image_bytes;
	int kernel_fd, initrd_fd; /* memfds; -1: none */
	char kernel_path[32], initrd_path[32];
	struct boot_config config;
	struct vp_entry entry;
	char error[512];
};

/* A field of `width` bytes at `offset` of `at`. */
static inline void field_set(uint8_t *at, size_t offset, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		at[offset + i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t field_get(const uint8_t *at, size_t offset, unsigned width)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < width; i++)
		value |= (uint64_t)at[offset + i] << 8 * i;
	return value;
}

static inline uint8_t *guest_at(struct boot_fixture *fixture, uint64_t gpa)
{
	uint8_t *at = guest_memory_at(&fixture->memory, gpa, 1);
	if (!at)
		abort();
	return at;
}

/* A field of guest memory. */
static inline uint64_t guest_get(struct boot_fixture *fixture, uint64_t gpa, unsigned width)
{
	return field_get(guest_at(fixture, gpa), 0, width);
}

/* Byte i of every payload and initrd: no two neighbours, and no two files, look alike. */
static inline uint8_t pattern(size_t i, unsigned seed)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + seed);
}

static inline bool has_pattern(
	struct boot_fixture *fixture, uint64_t gpa, size_t bytes, unsigned seed)
{
	const uint8_t *at = guest_memory_at(&fixture->memory, gpa, bytes);
	for (size_t i = 0; at && i < bytes; i++)
		if (at[i] != pattern(i, seed))
			return false;
	return at != NULL;
}

static inline bool is_zero(struct boot_fixture *fixture, uint64_t gpa, size_t bytes)
{
	const uint8_t *at = guest_memory_at(&fixture->memory, gpa, bytes);
	for (size_t i = 0; at && i < bytes; i++)
		if (at[i] != 0)
			return false;
	return at != NULL;
}

static inline int memory_file(char path[32], const void *bytes, size_t count)
{
	const int fd = memfd_create("boot", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, count) != (ssize_t)count)
		abort();
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static inline void fixture_open(struct boot_fixture *fixture)
{
	memset(fixture, 0, sizeof *fixture);
	fixture->kernel_fd = fixture->initrd_fd = -1;
	if (guest_memory_init(&fixture->memory, BOOT_RAM, BOOT_RAM) != 0)
		abort();
	fixture->config = (struct boot_config){
		.command_line = "quiet", .vp_count = 2, .low_bytes = BOOT_RAM};
}

static inline void fixture_close(struct boot_fixture *fixture)
{
	if (fixture->kernel_fd >= 0)
		close(fixture->kernel_fd);
	if (fixture->initrd_fd >= 0)
		close(fixture->initrd_fd);
	guest_memory_destroy(&fixture->memory);
}

#define INITRD_SEED 99u
static inline void initrd_add(struct boot_fixture *fixture, size_t bytes)
{
	uint8_t *initrd = malloc(bytes);
	if (!initrd)
		abort();
	for (size_t i = 0; i < bytes; i++)
		initrd[i] = pattern(i, INITRD_SEED);
	fixture->initrd_fd = memory_file(fixture->initrd_path, initrd, bytes);
	fixture->config.initrd = fixture->initrd_path;
	free(initrd);
}

/* Write the image to its file, and load. */
static inline int fixture_load(struct boot_fixture *fixture)
{
	if (fixture->kernel_fd >= 0)
		close(fixture->kernel_fd);
	fixture->kernel_fd = memory_file(
		fixture->kernel_path, fixture->image, fixture->image_bytes);
	if (!fixture->config.kernel)
		fixture->config.kernel = fixture->kernel_path;
	fixture->error[0] = '\0';
	return boot_load(&fixture->config, &fixture->memory, &fixture->entry, fixture->error,
		sizeof fixture->error);
}

/* Loading is refused with a line that has `words`. */
static inline bool is_refused(struct boot_fixture *fixture, const char *words)
{
	const int result = fixture_load(fixture);
	const bool is_right = result < 0 && strstr(fixture->error, words) != NULL &&
			      strchr(fixture->error, '\n') == NULL;
	if (!is_right)
		printf("result %d, \"%s\" without \"%s\"\n", result, fixture->error, words);
	return is_right;
}

/* One field of a good image, changed, and what is then said. */
struct damage {
	size_t offset;
	unsigned width;
	uint64_t value;
	const char *words;
};

static inline void check_damages(
	void (*open)(struct boot_fixture *fixture), const struct damage *damages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct boot_fixture fixture;
		open(&fixture);
		field_set(fixture.image, damages[i].offset, damages[i].width, damages[i].value);
		CU_ASSERT(is_refused(&fixture, damages[i].words));
		fixture_close(&fixture);
	}
}

#endif
