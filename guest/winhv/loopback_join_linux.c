// SPDX-License-Identifier: Apache-2.0
/*
 * Joining a loopback host: hello, welcome, and the check of everything in it. See
 * protocol/loopback.h.
 */
#include "guest/winhv/loopback_internal_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX		 (3u + LOOPBACK_VP_MAX)
#define MEMORY_BYTES_MAX (1ull << 40)

uint64_t loopback_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The welcome as it came: bytes and descriptors, all of them ours to close. */
struct welcome {
	struct loopback_welcome_wire wire;
	int fds[FDS_MAX];
	unsigned fd_count;
};

static void fds_close(struct welcome *welcome)
{
	for (unsigned i = 0; i < welcome->fd_count; i++)
		if (welcome->fds[i] >= 0)
			close(welcome->fds[i]);
	welcome->fd_count = 0;
}

static int readable_wait(int fd, uint64_t deadline_ns)
{
	for (;;) {
		const uint64_t now = loopback_now_ns();
		const uint64_t left = now < deadline_ns ? deadline_ns - now : 0;
		const struct timespec timeout = {
			.tv_sec = (time_t)(left / 1000000000u),
			.tv_nsec = (long)(left % 1000000000u),
		};
		struct pollfd poll = {.fd = fd, .events = POLLIN};
		const int ready = ppoll(&poll, 1, &timeout, NULL);
		if (ready > 0)
			return 0;
		if (ready == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int welcome_receive(int fd, struct welcome *welcome)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof welcome->fds)];
	uint8_t packet[sizeof welcome->wire + 1];
	struct iovec iov = {.iov_base = packet, .iov_len = sizeof packet};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control,
	};

	const ssize_t bytes = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (bytes < 0)
		return errno == ECONNRESET ? -ENODEV : -errno;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
		header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count && welcome->fd_count < FDS_MAX; i++)
			memcpy(&welcome->fds[welcome->fd_count++],
				CMSG_DATA(header) + i * sizeof(int), sizeof(int));
	}
	if (bytes == 0)
		return -ENODEV;
	if (bytes != sizeof welcome->wire || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return -EPROTO;
	memcpy(&welcome->wire, packet, sizeof welcome->wire);
	return 0;
}

static int welcome_check(const struct welcome *welcome)
{
	const struct loopback_welcome_wire *wire = &welcome->wire;

	if (wire->magic != LOOPBACK_MAGIC)
		return -EPROTO;
	switch (wire->status) {
	case LOOPBACK_WELCOME_OK:
		break;
	case LOOPBACK_WELCOME_BUSY:
		return -EBUSY;
	case LOOPBACK_WELCOME_BAD_VERSION:
		return -ENOTSUP;
	case LOOPBACK_WELCOME_STOPPING:
		return -ENODEV;
	case LOOPBACK_WELCOME_NO_RESOURCES:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
	if (wire->version != LOOPBACK_VERSION)
		return -ENOTSUP;
	if (wire->vp_count == 0 || wire->vp_count > LOOPBACK_VP_MAX ||
		welcome->fd_count != 3 + wire->vp_count ||
		wire->control_bytes != LOOPBACK_CONTROL_BYTES(wire->vp_count) ||
		wire->memory_bytes == 0 || wire->memory_bytes % LOOPBACK_PAGE_BYTES != 0 ||
		wire->memory_bytes > MEMORY_BYTES_MAX)
		return -EPROTO;
	return 0;
}

/*
 * Map a memfd that can never shrink under us. Not one of huge pages: they can be taken out of
 * the file, and where none is left to replace one, an access is a SIGBUS.
 */
static int memfd_map(int fd, uint64_t bytes, uint8_t **out)
{
	struct stat status;
	struct statfs fs;
	const int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &status) < 0 ||
		!S_ISREG(status.st_mode) || status.st_size < 0 || (uint64_t)status.st_size < bytes)
		return -EPROTO;
	if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
		return -EPROTO;
	void *map = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*out = map;
	return 0;
}

/* Open a pipe end afresh, so that no one else holds its open file. fd or a negative errno. */
static int pipe_reopen(int fd, int mode)
{
	struct stat status;
	char path[32];

	if (fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))
		return -EPROTO;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	const int own = open(path, mode | O_NONBLOCK | O_CLOEXEC);
	return own < 0 ? -errno : own;
}

static int welcome_adopt(struct platform_loopback *loopback, struct welcome *welcome)
{
	const struct loopback_welcome_wire *wire = &welcome->wire;

	loopback->vp_count = wire->vp_count;
	loopback->memory_bytes = (size_t)wire->memory_bytes;
	loopback->control_bytes = (size_t)wire->control_bytes;
	int error = memfd_map(welcome->fds[0], wire->memory_bytes, &loopback->memory);
	if (error)
		return error;
	error = memfd_map(welcome->fds[1], wire->control_bytes, &loopback->control);
	if (error)
		return error;
	loopback->bell_fd = pipe_reopen(welcome->fds[2], O_RDWR);
	if (loopback->bell_fd < 0)
		return loopback->bell_fd;
	for (uint32_t vp = 0; vp < wire->vp_count; vp++) {
		loopback->vps[vp].interrupt_fd = pipe_reopen(welcome->fds[3 + vp], O_RDONLY);
		if (loopback->vps[vp].interrupt_fd < 0)
			return loopback->vps[vp].interrupt_fd;
	}
	loopback->memory_fd = welcome->fds[0];
	welcome->fds[0] = -1;

	const uint64_t now = loopback_now_ns();
	loopback->time_base_ns = wire->time_base_ns < now ? wire->time_base_ns : now;
	return 0;
}

int loopback_join(struct platform_loopback *loopback, int fd, uint64_t deadline_ns)
{
	const struct loopback_hello_wire hello = {
		.magic = LOOPBACK_MAGIC,
		.version = LOOPBACK_VERSION,
	};
	struct welcome welcome = {.fd_count = 0};

	if (send(fd, &hello, sizeof hello, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof hello)
		return errno == EPIPE || errno == ECONNRESET ? -ENODEV : -errno;
	int error = readable_wait(fd, deadline_ns);
	if (error)
		return error;
	error = welcome_receive(fd, &welcome);
	if (!error)
		error = welcome_check(&welcome);
	if (!error)
		error = welcome_adopt(loopback, &welcome);
	fds_close(&welcome);
	return error;
}
