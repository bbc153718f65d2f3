// SPDX-License-Identifier: Apache-2.0
/*
 * Freezing and thawing. See vss_freeze_linux.h.
 */
#include "guest/ic_daemons/vss_freeze_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- system calls --------------------------------------------------------------------------- */

static int ioctl_freeze(void *ctx, int fd)
{
	(void)ctx;
	return ioctl(fd, FIFREEZE, 0) == 0 ? 0 : -errno;
}

static int ioctl_thaw(void *ctx, int fd)
{
	(void)ctx;
	return ioctl(fd, FITHAW, 0) == 0 ? 0 : -errno;
}

const struct vss_freeze_ops vss_freeze_ioctl = {.freeze = ioctl_freeze, .thaw = ioctl_thaw};

/*
 * By O_PATH first: to open a device, a FIFO or a folder that something is to be mounted on would do
 * things.
 */
int vss_mount_open(const struct vss_mount *mount)
{
	char name[64];
	struct statx st;
	int result = -ESTALE;
	const int path = open(mount->point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path < 0)
		return -errno;
	if (statx(path, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &st) !=
		0) {
		result = -errno;
	} else if ((st.stx_mask & STATX_MNT_ID) != 0 && st.stx_mnt_id != mount->id) {
		result = -ESTALE;
	} else if (!S_ISDIR(st.stx_mode) && !S_ISREG(st.stx_mode)) {
		result = -ENOTDIR;
	} else {
		snprintf(name, sizeof name, "/proc/self/fd/%d", path);
		result = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (result < 0)
			result = -errno;
	}
	close(path);
	return result;
}

/* ---- the board -------------------------------------------------------------------------- */

struct vss_board *vss_board_create(size_t count)
{
	const size_t bytes = sizeof(struct vss_board) + count * sizeof(struct vss_slot);
	struct vss_board *board = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (board == MAP_FAILED)
		return NULL;
	board->count = count;
	board->bytes = bytes;
	for (size_t i = 0; i < count; i++)
		board->slots[i].fd = -1;
	return board;
}

void vss_board_destroy(struct vss_board *board)
{
	if (board == NULL)
		return;
	for (size_t i = 0; i < board->count; i++) {
		if (board->slots[i].fd >= 0)
			close(board->slots[i].fd);
	}
	munmap(board, board->bytes);
}

size_t vss_board_count(const struct vss_board *board, enum vss_slot_state state)
{
	size_t count = 0;
	for (size_t i = 0; i < board->count; i++)
		count += atomic_load(&board->slots[i].state) == (int)state;
	return count;
}

/* ---- thaw ------------------------------------------------------------------------------- */

/* True: it is not frozen by us any more. */
static bool thaw(struct vss_slot *slot, const struct vss_freeze_ops *ops)
{
	int result;
	do
		result = ops->thaw(ops->ctx, slot->fd);
	while (result == -EINTR);
	/* EINVAL: it was not frozen. */
	if (result != 0 && result != -EINVAL)
		return false;
	/* One that is being frozen is not over yet: its process has the last word. */
	int expected = VSS_SLOT_FROZEN;
	(void)atomic_compare_exchange_strong(&slot->state, &expected, VSS_SLOT_THAWED);
	return true;
}

static size_t thaw_those(
	struct vss_board *board, const struct vss_freeze_ops *ops, enum vss_slot_state state)
{
	size_t failures = 0;
	for (size_t i = board->count; i-- > 0;) {
		struct vss_slot *slot = &board->slots[i];
		if (atomic_load(&slot->state) == (int)state)
			failures += !thaw(slot, ops);
	}
	return failures;
}

/*
 * The kernel lets a thaw wait while that file system is being frozen, for ever if its disk is
 * stuck: then whatever is frozen besides would stay so. Whoever is freezing it sees to it.
 */
size_t vss_thaw_all(struct vss_board *board, const struct vss_freeze_ops *ops)
{
	size_t failures = thaw_those(board, ops, VSS_SLOT_FROZEN);
	if (atomic_load(&board->is_done))
		failures += thaw_those(board, ops, VSS_SLOT_TRYING);
	return failures;
}

/* ---- freeze ----------------------------------------------------------------------------- */

static int state_of(const struct vss_slot *slot, int result)
{
	switch (result) {
	case 0:
		return VSS_SLOT_FROZEN;
	case -EBUSY:
		return VSS_SLOT_OTHERS;
	case -EOPNOTSUPP:
	case -ENOTTY:
		return slot->is_demanded ? VSS_SLOT_FAILED : VSS_SLOT_CANNOT;
	default:
		return VSS_SLOT_FAILED;
	}
}

/* True: go on. */
static bool freeze(struct vss_board *board, struct vss_slot *slot, const struct vss_freeze_ops *ops)
{
	int result;
	atomic_store(&slot->state, VSS_SLOT_TRYING);
	do
		result = ops->freeze(ops->ctx, slot->fd);
	while (result == -EINTR && !atomic_load(&board->is_cancelled));
	const int state = state_of(slot, result);
	if (state == VSS_SLOT_FAILED)
		atomic_store(&slot->error, -result);
	atomic_store(&slot->state, state);
	return state != VSS_SLOT_FAILED;
}

bool vss_freeze_all(struct vss_board *board, const struct vss_freeze_ops *ops)
{
	for (size_t i = 0; i < board->count; i++) {
		if (atomic_load(&board->is_cancelled) || !freeze(board, &board->slots[i], ops))
			return false;
	}
	return true;
}

void vss_freezer_run(struct vss_board *board, const struct vss_freeze_ops *ops, int life, int done)
{
	const char byte = 0;
	struct pollfd wait = {.fd = life, .events = POLLIN};
	(void)vss_freeze_all(board, ops);
	atomic_store(&board->is_done, true);
	(void)!write(done, &byte, 1);
	while (poll(&wait, 1, -1) < 0 && errno == EINTR)
		;
	if (!atomic_load(&board->is_over))
		(void)vss_thaw_all(board, ops);
}
