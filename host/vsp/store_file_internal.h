// SPDX-License-Identifier: Apache-2.0
/*
 * What store_file_linux.c (requests) and store_image_linux.c (opening, locking,
 * measuring) share.
 */
#ifndef HOST_VSP_STORE_FILE_INTERNAL_H
#define HOST_VSP_STORE_FILE_INTERNAL_H

#include "host/vsp/store.h"
#include "host/vsp/store_map_linux.h"

/* Zeros to write where the file system cannot make them; never touched, so no memory. */
#define STORE_FILE_ZEROES_BYTES (1u << 20)

/* A descriptor, and its place in the loop's table of registered files. */
struct store_file_handle {
	int fd;		/* -1: none */
	int registered; /* -1: not registered */
};

struct store_file {
	struct store base; /* first: store_ops get its address */
	struct store_loop *loop;
	/*
	 * Holds the lock, and nothing else: the kernel takes a ring of a dead process apart at
	 * leisure, with all descriptors that it knows; this one it closes at once.
	 */
	int lock_fd;
	struct store_file_handle buffered; /* always there */
	struct store_file_handle direct;   /* O_DIRECT, or fd -1 */
	uint32_t direct_memory_align;	   /* bytes; what `direct` asks of buffers … */
	uint32_t direct_offset_align;	   /* … and of offsets and lengths */
	bool is_block_device;
	bool is_in_memory;    /* tmpfs: a transfer is a copy, and cannot wait for a device */
	struct store_map map; /* if is_in_memory */
	bool can_punch;	      /* until the kernel says otherwise */
	bool can_zero;
	uint8_t *zeroes; /* STORE_FILE_ZEROES_BYTES, mapped read-only */
	char path[];
};

extern const struct store_ops store_file_ops;

/* Give a handle a place in the loop's table of files, if there is one. */
void store_file_register(struct store_loop *loop, struct store_file_handle *handle);
void store_file_unregister(struct store_loop *loop, struct store_file_handle *handle);

/* Map the image, which has `bytes` bytes, if it is in memory; anew if it is mapped. */
void store_file_map(struct store_file *file, uint64_t bytes);

/* Size of the file or device behind fd, in bytes. 0 or a negative errno. */
int store_image_size(int fd, uint64_t *bytes);

#endif
