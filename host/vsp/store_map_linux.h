// SPDX-License-Identifier: Apache-2.0
/*
 * The contents of an image on tmpfs, mapped: a transfer is then one copy by this
 * processor, without a system call and without the kernel's page by page walk.
 *
 * Only pages that are known to be there are touched. A page that is not would be
 * made, even for reading, and there may be no memory for it; the map says no, and
 * read() or write() does it. What is known is a hint and may be wrong at any time:
 * somebody may cut the file short. The fault that follows (SIGBUS) ends the copy
 * with a no as well.
 *
 * A handler for SIGBUS is put in place, once in the life of the process, with the
 * first map. A SIGBUS that no copy has caused is left to the handler before it.
 *
 * Threads: a map belongs to its store; different threads may have maps.
 */
#ifndef HOST_VSP_STORE_MAP_LINUX_H
#define HOST_VSP_STORE_MAP_LINUX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct store_map {
	uint8_t *base;	   /* owned; NULL: there is no map, everything is answered by no */
	uint64_t bytes;	   /* of the file, when it was mapped */
	uint64_t *present; /* owned; a bit for each page */
	bool is_writable;
	bool is_changed; /* by copies, which leave the file's time of change alone */
};

/*
 * Map `fd`, `bytes` long, and learn where it has data. Failure leaves an empty map, which is no
 * error: transfers merely take longer.
 */
void store_map_open(struct store_map *map, int fd, uint64_t bytes, bool is_writable);
void store_map_close(struct store_map *map, int fd);

/*
 * Copy between the pieces, which add up to `bytes`, and the file from `offset` on. False: not
 * possible, an undefined part has been copied; do it by read() or write().
 */
bool store_map_copy(struct store_map *map, bool is_write, const struct iovec *iov, unsigned count,
	uint64_t offset, uint64_t bytes);

/* A range was written, or freed, by other means. Ranges may reach past the map. */
void store_map_note(struct store_map *map, uint64_t offset, uint64_t bytes);
void store_map_forget(struct store_map *map, uint64_t offset, uint64_t bytes);

/* Give the file the time of its last change, if copies have changed it. */
void store_map_stamp(struct store_map *map, int fd);

#endif
