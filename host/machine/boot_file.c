// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the boot loader, and where in guest memory they go. Every range is claimed before
 * it is written; data go from the file straight to guest memory.
 */
#include "host/machine/boot_internal.h"

#include "host/machine/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int boot_file_open(struct boot *boot, struct boot_file *file)
{
	struct stat st;

	/* O_NONBLOCK: a FIFO must not make us wait. */
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		return boot_fail(boot, file, -errno, "cannot open: %s", strerror(errno));
	if (fstat(file->fd, &st) < 0)
		return boot_fail(boot, file, -errno, "cannot stat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return boot_fail(boot, file, -EINVAL, "no regular file: give the path of one");
	if (st.st_size == 0)
		return boot_fail(boot, file, -EINVAL, "the file is empty");
	file->bytes = (uint64_t)st.st_size;
	return 0;
}

void boot_file_close(struct boot_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

int boot_file_read(struct boot *boot, const struct boot_file *file, uint64_t offset, void *dst,
	size_t bytes, const char *what)
{
	uint8_t *at = dst;

	if (offset > file->bytes || bytes > file->bytes - offset)
		return boot_fail(boot, file, -ENOEXEC,
			"%s at offset 0x%llx, 0x%zx bytes, reaches past the end (0x%llx bytes): "
			"the "
			"file is cut short or damaged",
			what, (unsigned long long)offset, bytes, (unsigned long long)file->bytes);
	while (bytes > 0) {
		const ssize_t got = pread(file->fd, at, bytes, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return boot_fail(
				boot, file, -errno, "cannot read %s: %s", what, strerror(errno));
		if (got == 0)
			return boot_fail(
				boot, file, -EIO, "became shorter while it was read: try again");
		at += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}

int boot_file_load(struct boot *boot, const struct boot_file *file, uint64_t offset, uint64_t gpa,
	uint64_t bytes, const char *what)
{
	void *at = guest_memory_at(boot->memory, gpa, bytes);

	if (!at)
		return boot_fail(boot, file, -EFAULT, "%s: 0x%llx is no memory", what,
			(unsigned long long)gpa);
	return boot_file_read(boot, file, offset, at, (size_t)bytes, what);
}

static const struct boot_claim *overlap_find(const struct boot *boot, uint64_t gpa, uint64_t bytes)
{
	for (unsigned i = 0; i < boot->claim_count; i++) {
		const struct boot_claim *claim = &boot->claims[i];
		if (gpa < claim->gpa + claim->bytes && claim->gpa < gpa + bytes)
			return claim;
	}
	return NULL;
}

int boot_claim(struct boot *boot, uint64_t gpa, uint64_t bytes, const char *what)
{
	const uint64_t end = boot->config->low_bytes;
	const unsigned long long from = gpa, size = bytes;

	if (gpa < BOOT_LOAD_MIN)
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"%s is to lie at 0x%llx, below 1 MiB, which is the loader's: link it "
			"higher",
			what, from);
	if (gpa > end || bytes > end - gpa)
		return boot_fail(boot, &boot->kernel, -ENOMEM,
			"%s needs 0x%llx bytes at 0x%llx, but memory there ends at 0x%llx: give "
			"the "
			"machine more memory, unless the file is damaged",
			what, size, from, (unsigned long long)end);
	const struct boot_claim *other = overlap_find(boot, gpa, bytes);
	if (other)
		return boot_fail(boot, &boot->kernel, -ENOEXEC,
			"%s, 0x%llx bytes at 0x%llx, overlaps 0x%llx bytes at 0x%llx: the file is "
			"damaged",
			what, size, from, (unsigned long long)other->bytes,
			(unsigned long long)other->gpa);
	if (boot->claim_count == BOOT_CLAIMS_MAX)
		return boot_fail(boot, &boot->kernel, -ENOEXEC, "%s is one too many", what);
	boot->claims[boot->claim_count++] = (struct boot_claim){gpa, bytes};
	return 0;
}

int boot_initrd_load(struct boot *boot, uint64_t end)
{
	const uint64_t bytes = boot->initrd.bytes;

	if (boot->initrd.fd < 0)
		return 0;
	if (end > boot->config->low_bytes)
		end = boot->config->low_bytes;

	/* From the top down: below each claim that is in the way. */
	uint64_t gpa;
	for (;;) {
		if (end < BOOT_LOAD_MIN || bytes > end - BOOT_LOAD_MIN)
			return boot_fail(boot, &boot->initrd, -ENOMEM,
				"%llu bytes find no room beside the kernel in 0x%llx bytes of "
				"memory: "
				"give the machine more, or a smaller initrd",
				(unsigned long long)bytes,
				(unsigned long long)boot->config->low_bytes);
		gpa = (end - bytes) & ~(uint64_t)(GUEST_PAGE_BYTES - 1);
		const struct boot_claim *other = overlap_find(boot, gpa, bytes);
		if (!other)
			break;
		end = other->gpa;
	}
	const int error = boot_claim(boot, gpa, bytes, "initrd");
	if (error)
		return error;
	boot->initrd_gpa = gpa;
	return boot_file_load(boot, &boot->initrd, 0, gpa, bytes, "initrd");
}
