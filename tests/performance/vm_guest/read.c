// SPDX-License-Identifier: Apache-2.0
/*
 * Random reads in a guest, told by the host over the console. Static, of libc alone, so
 * that it runs in any initramfs.
 *
 *	hvbench  -- "read DEPTH MILLISECONDS\n" -->  read DEVICE
 *	         <-- "@ready\n", "@done READS NANOSECONDS\n" --
 *
 * 4 KiB each, aligned, O_DIRECT, DEPTH of them at any time by the kernel's asynchronous
 * I/O; with 0 milliseconds none at all. "end" ends it. Between commands it sleeps on its
 * console, so that what the host counts from one answer to the next is the reads, and the
 * talk of an empty command.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	  4096u
#define DEPTH_MAX 256u

struct reader {
	int fd;
	uint64_t blocks; /* of the device */
	uint64_t random;
	aio_context_t context;
	uint8_t *data; /* BLOCK bytes a slot */
	struct iocb slots[DEPTH_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void slot_fill(struct reader *reader, unsigned slot)
{
	reader->random ^= reader->random << 13;
	reader->random ^= reader->random >> 7;
	reader->random ^= reader->random << 17;
	reader->slots[slot] = (struct iocb){
		.aio_data = slot,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)reader->fd,
		.aio_buf = (uintptr_t)(reader->data + (size_t)slot * BLOCK),
		.aio_nbytes = BLOCK,
		.aio_offset = (int64_t)(reader->random % reader->blocks * BLOCK),
	};
}

static bool submit(struct reader *reader, struct iocb **list, long count)
{
	for (long done = 0; done < count;) {
		const long taken = syscall(
			SYS_io_submit, reader->context, count - done, list + done);
		if (taken < 0 && errno != EINTR)
			return false;
		done += taken > 0 ? taken : 0;
	}
	return true;
}

/* Take what has completed, at least one. Their number, or -1 if one failed. */
static long reap(struct reader *reader, struct io_event *events, unsigned depth)
{
	long count;
	do
		count = syscall(SYS_io_getevents, reader->context, 1L, (long)depth, events, NULL);
	while (count < 0 && errno == EINTR);
	for (long i = 0; i < count; i++)
		if (events[i].res != BLOCK)
			return -1;
	return count;
}

/* Reads made, or -1. */
static int64_t read_for(struct reader *reader, unsigned depth, uint64_t ns)
{
	struct iocb *list[DEPTH_MAX];
	struct io_event events[DEPTH_MAX];
	const uint64_t end = now_ns() + ns;
	int64_t reads = 0;
	unsigned flying = 0;
	for (; flying < depth; flying++) {
		slot_fill(reader, flying);
		list[flying] = &reader->slots[flying];
	}
	if (!submit(reader, list, flying))
		return -1;
	while (flying > 0) {
		const long count = reap(reader, events, depth);
		if (count < 0)
			return -1;
		reads += count;
		if (now_ns() >= end) {
			flying -= (unsigned)count;
			continue;
		}
		for (long i = 0; i < count; i++) {
			slot_fill(reader, (unsigned)events[i].data);
			list[i] = &reader->slots[events[i].data];
		}
		if (!submit(reader, list, count))
			return -1;
	}
	return reads;
}

static bool reader_open(struct reader *reader, const char *path)
{
	uint64_t bytes = 0;
	reader->random = 88172645463325252u;
	reader->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (reader->fd < 0 || ioctl(reader->fd, BLKGETSIZE64, &bytes) != 0)
		return false;
	reader->blocks = bytes / BLOCK;
	reader->data = aligned_alloc(BLOCK, (size_t)DEPTH_MAX * BLOCK);
	return reader->blocks > 0 && reader->data != NULL &&
	       syscall(SYS_io_setup, DEPTH_MAX, &reader->context) == 0;
}

/* What is typed is not to be written back: every character costs exits. */
static void console_silence(void)
{
	struct termios settings;
	if (tcgetattr(STDIN_FILENO, &settings) != 0)
		return;
	settings.c_lflag &= (tcflag_t) ~(ECHO | ECHONL);
	tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

int main(int argc, char **argv)
{
	static struct reader reader;
	char line[128];
	unsigned depth;
	unsigned milliseconds;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2 || !reader_open(&reader, argv[1])) {
		printf("@failed %s: %s\n", argc == 2 ? argv[1] : "usage", strerror(errno));
		return 1;
	}
	console_silence();
	puts("@ready");
	while (fgets(line, sizeof line, stdin) != NULL && strncmp(line, "end", 3) != 0) {
		if (sscanf(line, "read %u %u", &depth, &milliseconds) != 2 || depth == 0 ||
			depth > DEPTH_MAX) {
			puts("@failed no such command");
			continue;
		}
		const uint64_t start = now_ns();
		const int64_t reads =
			milliseconds == 0 ? 0 : read_for(&reader, depth, milliseconds * 1000000ull);
		if (reads < 0)
			printf("@failed reading: %s\n", strerror(errno));
		else
			printf("@done %lld %llu\n", (long long)reads,
				(unsigned long long)(now_ns() - start));
	}
	return 0;
}
