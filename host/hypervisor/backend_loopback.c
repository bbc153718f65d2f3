// SPDX-License-Identifier: Apache-2.0
/*
 * The loopback backend: guests come and go. See backend_loopback.h. What happens
 * while one is there is in loopback_link.c.
 */
#include "host/hypervisor/backend_loopback.h"

#include "host/hypervisor/loopback_link.h"
#include "host/hypervisor/socket_probe_linux.h"
#include "host/limits.h"
#include "protocol/loopback.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_PER_EVENT 4u
#define BACKLOG		  8

#define CPUID_POWER		      0x80000007u
#define CPUID_POWER_EDX_INVARIANT_TSC (1u << 8)

enum backend_state {
	BACKEND_EMPTY,	   /* memory is fresh, a guest may come */
	BACKEND_OCCUPIED,  /* link is up */
	BACKEND_RELEASING, /* guest gone, host still uses its memory */
	BACKEND_BROKEN,	   /* memory could not be replaced: no guest any more */
};

/* A connection that is not a guest: no hello yet, or waiting for the memory. */
struct stranger {
	int fd;
	bool has_greeted;
};

struct backend_loopback {
	struct partition *partition; /* borrowed, outlives the backend */
	struct backend_loopback_callbacks callbacks;
	enum backend_state state;
	bool is_stopping;
	struct loopback_link link; /* valid while OCCUPIED */
	int guest_fd;		   /* owned while OCCUPIED, else -1 */
	int listen_fd;		   /* owned, or -1 */
	char *path;		   /* owned, or NULL */
	dev_t path_dev;		   /* what we bound, so as to unlink nothing else */
	ino_t path_ino;
	struct stranger strangers[LIMIT_LOOPBACK_STRANGERS]; /* oldest first */
	unsigned stranger_count;
	struct backend_loopback_statistics statistics;
};

static const char *const gone_texts[LOOPBACK_GONE_REASON_COUNT] = {
#define LOOPBACK_GONE_TEXT(NAME, text) [LOOPBACK_GONE_##NAME] = (text),
	LOOPBACK_GONE_REASONS(LOOPBACK_GONE_TEXT)
#undef LOOPBACK_GONE_TEXT
};

const char *loopback_gone_reason_text(enum loopback_gone_reason reason)
{
	return reason < LOOPBACK_GONE_REASON_COUNT ? gone_texts[reason] : "unknown";
}

/* ---- descriptors that are watched ---------------------------------------------------------- */

static int watch(struct backend_loopback *backend, int fd)
{
	return backend->callbacks.watch(backend->callbacks.ctx, fd);
}

static void unwatch(struct backend_loopback *backend, int fd)
{
	backend->callbacks.unwatch(backend->callbacks.ctx, fd);
}

static void stranger_remove(struct backend_loopback *backend, unsigned at)
{
	unwatch(backend, backend->strangers[at].fd);
	backend->stranger_count--;
	memmove(&backend->strangers[at], &backend->strangers[at + 1],
		(backend->stranger_count - at) * sizeof backend->strangers[0]);
}

static void stranger_drop(struct backend_loopback *backend, unsigned at)
{
	const int fd = backend->strangers[at].fd;

	stranger_remove(backend, at);
	close(fd);
}

/* ---- welcome ------------------------------------------------------------------------------- */

static void welcome(struct backend_loopback *backend, int fd, enum loopback_welcome_status status)
{
	struct loopback_welcome_wire wire = {
		.magic = LOOPBACK_MAGIC,
		.version = LOOPBACK_VERSION,
		.status = status,
	};

	(void)backend;
	(void)!send(fd, &wire, sizeof wire, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Make stranger `at`, who has said hello, the guest. */
static void guest_adopt(struct backend_loopback *backend, unsigned at)
{
	const int fd = backend->strangers[at].fd;

	stranger_remove(backend, at);
	int error = loopback_link_open(&backend->link, backend->partition, &backend->statistics);
	if (!error) {
		error = watch(backend, fd);
		if (!error) {
			error = watch(backend, loopback_link_bell_fd(&backend->link));
			if (error)
				unwatch(backend, fd);
		}
		if (!error) {
			error = loopback_link_welcome(&backend->link, fd);
			if (error) {
				unwatch(backend, loopback_link_bell_fd(&backend->link));
				unwatch(backend, fd);
			}
		}
		if (error)
			loopback_link_close(&backend->link);
	}
	if (error) {
		backend->statistics.failed_resources++;
		welcome(backend, fd, LOOPBACK_WELCOME_NO_RESOURCES);
		close(fd);
		return;
	}
	backend->guest_fd = fd;
	backend->state = BACKEND_OCCUPIED;
	backend->statistics.guests++;
	if (backend->callbacks.on_guest_attached)
		backend->callbacks.on_guest_attached(backend->callbacks.ctx);
}

/* Answer a stranger who has said hello. */
static void stranger_answer(struct backend_loopback *backend, unsigned at)
{
	const int fd = backend->strangers[at].fd;

	backend->strangers[at].has_greeted = true;
	if (backend->is_stopping) {
		welcome(backend, fd, LOOPBACK_WELCOME_STOPPING);
		stranger_drop(backend, at);
		return;
	}
	switch (backend->state) {
	case BACKEND_EMPTY:
		guest_adopt(backend, at);
		break;
	case BACKEND_OCCUPIED:
		backend->statistics.refused_busy++;
		welcome(backend, fd, LOOPBACK_WELCOME_BUSY);
		stranger_drop(backend, at);
		break;
	case BACKEND_RELEASING:
		break; /* answered by backend_loopback_release() */
	case BACKEND_BROKEN:
		backend->statistics.failed_resources++;
		welcome(backend, fd, LOOPBACK_WELCOME_NO_RESOURCES);
		stranger_drop(backend, at);
		break;
	}
}

static void strangers_answer(struct backend_loopback *backend)
{
	for (unsigned at = 0; at < backend->stranger_count;) {
		const unsigned before = backend->stranger_count;
		if (backend->strangers[at].has_greeted)
			stranger_answer(backend, at);
		if (backend->stranger_count == before)
			at++;
	}
}

/* A stranger speaks: hello, garbage, or good-bye. */
static void stranger_on_readable(struct backend_loopback *backend, unsigned at)
{
	struct loopback_hello_wire hello;
	uint8_t packet[sizeof hello + 1];
	const int fd = backend->strangers[at].fd;
	const ssize_t bytes = recv(fd, packet, sizeof packet, MSG_DONTWAIT);

	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (bytes <= 0) {
		stranger_drop(backend, at);
		return;
	}
	memcpy(&hello, packet, sizeof hello);
	if (bytes != sizeof hello || hello.magic != LOOPBACK_MAGIC ||
		backend->strangers[at].has_greeted) {
		backend->statistics.refused_garbage++;
		stranger_drop(backend, at);
		return;
	}
	if (hello.version != LOOPBACK_VERSION) {
		backend->statistics.refused_version++;
		welcome(backend, fd, LOOPBACK_WELCOME_BAD_VERSION);
		stranger_drop(backend, at);
		return;
	}
	stranger_answer(backend, at);
}

int backend_loopback_attach(struct backend_loopback *backend, int fd)
{
	if (backend->stranger_count == LIMIT_LOOPBACK_STRANGERS) {
		backend->statistics.refused_crowd++;
		stranger_drop(backend, 0);
	}
	const int error = watch(backend, fd);
	if (error) {
		close(fd);
		return error;
	}
	backend->strangers[backend->stranger_count++] = (struct stranger){.fd = fd};
	return 0;
}

/* ---- good-bye ------------------------------------------------------------------------------ */

static void guest_part(struct backend_loopback *backend, enum loopback_gone_reason reason)
{
	unwatch(backend, loopback_link_bell_fd(&backend->link));
	unwatch(backend, backend->guest_fd);
	close(backend->guest_fd);
	backend->guest_fd = -1;
	loopback_link_close(&backend->link);
	backend->state = BACKEND_RELEASING;
	backend->statistics.gone[reason]++;
	partition_reset(backend->partition);
	if (backend->callbacks.on_guest_gone)
		backend->callbacks.on_guest_gone(backend->callbacks.ctx, reason);
	else
		backend_loopback_release(backend);
}

static void guest_on_readable(struct backend_loopback *backend)
{
	uint8_t packet[1];
	const ssize_t bytes = recv(backend->guest_fd, packet, sizeof packet, MSG_DONTWAIT);

	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	guest_part(backend, bytes > 0 ? LOOPBACK_GONE_SPOKE : LOOPBACK_GONE_CLOSED);
}

void backend_loopback_release(struct backend_loopback *backend)
{
	if (backend->state != BACKEND_RELEASING)
		return;
	if (guest_memory_replace(partition_memory(backend->partition)) == 0)
		backend->state = BACKEND_EMPTY;
	else
		backend->state = BACKEND_BROKEN;
	strangers_answer(backend);
}

void backend_loopback_disconnect(struct backend_loopback *backend)
{
	if (backend->state == BACKEND_OCCUPIED)
		guest_part(backend, LOOPBACK_GONE_DISCONNECTED);
}

void backend_loopback_stop(struct backend_loopback *backend)
{
	backend->is_stopping = true;
	strangers_answer(backend);
}

/* ---- listening ----------------------------------------------------------------------------- */

static void listener_on_readable(struct backend_loopback *backend)
{
	for (unsigned i = 0; i < ACCEPTS_PER_EVENT; i++) {
		const int fd = accept4(
			backend->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		backend_loopback_attach(backend, fd);
	}
}

/* Make way for bind(): take away a socket that no one listens on. 0 or a negative errno. */
static int path_clear(const struct sockaddr_un *address)
{
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;

	const int probe = socket_probe(address, SOCK_SEQPACKET);
	if (probe != 0)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* A listening socket at `address`; *status tells which file it is. fd or a negative errno. */
static int listener_open(const struct sockaddr_un *address, struct stat *status)
{
	int error = path_clear(address);

	if (error)
		return error;
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	/* No one can connect before listen(), so no one slips in before the mode is set. */
	if (chmod(address->sun_path, 0600) < 0 || lstat(address->sun_path, status) < 0 ||
		listen(fd, BACKLOG) < 0) {
		error = -errno;
		unlink(address->sun_path);
		close(fd);
		return error;
	}
	return fd;
}

int backend_loopback_listen(struct backend_loopback *backend, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status = {0};

	if (backend->listen_fd >= 0)
		return -EALREADY;
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;

	const int fd = listener_open(&address, &status);
	int error = fd < 0 ? fd : watch(backend, fd);
	if (error) {
		if (fd >= 0) {
			unlink(path);
			close(fd);
		}
		free(copy);
		return error;
	}
	backend->path = copy;
	backend->path_dev = status.st_dev;
	backend->path_ino = status.st_ino;
	backend->listen_fd = fd;
	return 0;
}

static void listener_close(struct backend_loopback *backend)
{
	struct stat status;

	if (backend->listen_fd < 0)
		return;
	unwatch(backend, backend->listen_fd);
	if (lstat(backend->path, &status) == 0 && status.st_dev == backend->path_dev &&
		status.st_ino == backend->path_ino)
		unlink(backend->path);
	close(backend->listen_fd);
	free(backend->path);
	backend->listen_fd = -1;
	backend->path = NULL;
}

/* ---- for the loop -------------------------------------------------------------------------- */

void backend_loopback_on_readable(struct backend_loopback *backend, int fd)
{
	if (fd < 0)
		return;
	if (backend->state == BACKEND_OCCUPIED && fd == loopback_link_bell_fd(&backend->link)) {
		loopback_link_on_bell(&backend->link);
		return;
	}
	if (fd == backend->guest_fd) {
		guest_on_readable(backend);
		return;
	}
	if (fd == backend->listen_fd) {
		listener_on_readable(backend);
		return;
	}
	for (unsigned at = 0; at < backend->stranger_count; at++)
		if (backend->strangers[at].fd == fd) {
			stranger_on_readable(backend, at);
			return;
		}
}

bool backend_loopback_poll(struct backend_loopback *backend)
{
	return backend->state == BACKEND_OCCUPIED && loopback_link_poll(&backend->link);
}

bool backend_loopback_arm(struct backend_loopback *backend)
{
	return backend->state != BACKEND_OCCUPIED || loopback_link_arm(&backend->link);
}

void backend_loopback_disarm(struct backend_loopback *backend)
{
	if (backend->state == BACKEND_OCCUPIED)
		loopback_link_disarm(&backend->link);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void interrupt_assert(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector)
{
	struct backend_loopback *backend = ctx;

	(void)vector; /* the guest looks at SINTs: it has no interrupt descriptor table */
	if (backend->state == BACKEND_OCCUPIED)
		loopback_link_interrupt(&backend->link, vp, sint);
}

/* The guest is a process beside us: it reads the same TSC. */
static uint64_t tsc_read(void *ctx)
{
	(void)ctx;
	return __builtin_ia32_rdtsc();
}

static const struct partition_backend_ops partition_ops = {
	.name = "loopback",
	.interrupt_assert = interrupt_assert,
	.has_xmm = true,
};
static const struct partition_backend_ops partition_ops_with_tsc = {
	.name = "loopback",
	.interrupt_assert = interrupt_assert,
	.has_xmm = true,
	.tsc_read = tsc_read,
};

/* Constant rate on all processors, and through their idle states. */
static bool tsc_is_invariant(void)
{
	uint32_t eax, ebx, ecx, edx;

	return __get_cpuid(CPUID_POWER, &eax, &ebx, &ecx, &edx) &&
	       (edx & CPUID_POWER_EDX_INVARIANT_TSC);
}

int backend_loopback_create(struct partition *partition,
	const struct backend_loopback_callbacks *callbacks, struct backend_loopback **out)
{
	if (partition_vp_count(partition) > LOOPBACK_VP_MAX)
		return -EINVAL;

	struct backend_loopback *backend = calloc(1, sizeof *backend);
	if (!backend)
		return -ENOMEM;
	backend->partition = partition;
	backend->callbacks = *callbacks;
	backend->guest_fd = -1;
	backend->listen_fd = -1;
	partition_backend_set(
		partition, tsc_is_invariant() ? &partition_ops_with_tsc : &partition_ops, backend);
	*out = backend;
	return 0;
}

void backend_loopback_destroy(struct backend_loopback *backend)
{
	if (!backend)
		return;
	backend->is_stopping = true;
	while (backend->stranger_count > 0)
		stranger_drop(backend, 0);
	listener_close(backend);
	if (backend->state == BACKEND_OCCUPIED) {
		unwatch(backend, loopback_link_bell_fd(&backend->link));
		unwatch(backend, backend->guest_fd);
		close(backend->guest_fd);
		loopback_link_close(&backend->link);
	}
	partition_backend_set(backend->partition, NULL, NULL);
	free(backend);
}

bool backend_loopback_has_guest(const struct backend_loopback *backend)
{
	return backend->state == BACKEND_OCCUPIED;
}

void backend_loopback_statistics_get(
	const struct backend_loopback *backend, struct backend_loopback_statistics *out)
{
	*out = backend->statistics;
}
