// SPDX-License-Identifier: Apache-2.0
/*
 * A SCSI device over a scripted store, and one request to it, whose data buffer is
 * in uneven pieces between guard bytes.
 */
#ifndef TESTS_UNIT_SCSI_FIXTURE_H
#define TESTS_UNIT_SCSI_FIXTURE_H

#include "host/vsp/scsi_device.h"
#include "protocol/storage.h"
#include "tests/harness.h"
#include "tests/unit/store_script.h"

#include <stdarg.h>
#include <stdlib.h>

#define FIXTURE_DATA_MAX (1u << 20)
#define FIXTURE_GUARD	 0xC5u
#define FIXTURE_PIECES	 8u

struct fixture {
	struct store_script *store; /* NULL: empty drive */
	struct scsi_device *device;
	struct scsi_nexus nexus;
	struct scsi_commands commands;
	struct scsi_scratch scratch;
	struct scsi_request request;
	struct iovec iov[FIXTURE_PIECES];
	unsigned done_count;
	uint8_t *data; /* what the command sees, then guard bytes */
	uint32_t data_bytes;
};

static inline void fixture_done(struct scsi_request *request)
{
	struct fixture *f =
		(struct fixture *)(void *)((uint8_t *)request - offsetof(struct fixture, request));
	f->done_count++;
}

static const uint8_t fixture_id[SCSI_DEVICE_ID_BYTES] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
	0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF};

static inline struct fixture *fixture_over(
	struct store_script *store, const struct scsi_device_config *config)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->store = store;
	f->data = malloc(FIXTURE_DATA_MAX + 64);
	scsi_commands_init(&f->commands);
	CU_ASSERT_EQUAL_FATAL(scsi_scratch_init(&f->scratch), 0);
	CU_ASSERT_EQUAL_FATAL(
		scsi_device_create(config, store ? &store->base : NULL, &f->device), 0);
	CU_ASSERT_EQUAL_FATAL(scsi_nexus_attach(&f->nexus, f->device, 1), 0);
	return f;
}

/* A disk of 20480 blocks of 512 bytes. */
static inline struct fixture *fixture_disk(void)
{
	struct scsi_device_config config = {.type = SCSI_DEVICE_DISK, .serial = "VIRIDIAN-0001"};
	memcpy(config.id, fixture_id, sizeof config.id);
	return fixture_over(store_script_create(20480 * 512, 512), &config);
}

static inline void fixture_free(struct fixture *f)
{
	scsi_nexus_detach(&f->nexus);
	scsi_device_destroy(f->device);
	scsi_scratch_destroy(&f->scratch);
	free(f->data);
	free(f);
}

/* Cut the data buffer into pieces: 7 bytes, 500 bytes, 4 KiB, the rest. */
static inline unsigned fixture_pieces(struct fixture *f)
{
	static const size_t sizes[] = {7, 500, 4096};
	unsigned count = 0;
	size_t at = 0;
	for (unsigned i = 0; i < 3 && at < f->data_bytes; i++, count++) {
		const size_t left = f->data_bytes - at;
		f->iov[count].iov_base = f->data + at;
		f->iov[count].iov_len = left < sizes[i] ? left : sizes[i];
		at += f->iov[count].iov_len;
	}
	if (at < f->data_bytes) {
		f->iov[count].iov_base = f->data + at;
		f->iov[count].iov_len = f->data_bytes - at;
		count++;
	}
	return count;
}

/* Start a command from a 16-byte CDB with `data_bytes` of f->data as its buffer. */
static inline void fixture_start(struct fixture *f, const uint8_t *cdb, unsigned cdb_length,
	uint8_t direction, uint32_t data_bytes)
{
	f->data_bytes = data_bytes;
	memset(f->data + data_bytes, FIXTURE_GUARD, 64);
	if (direction != STORAGE_DATA_OUT)
		memset(f->data, FIXTURE_GUARD, data_bytes);
	struct scsi_request *r = &f->request;
	r->nexus = &f->nexus;
	r->scratch = &f->scratch;
	r->commands = &f->commands;
	r->iov = f->iov;
	r->iov_count = fixture_pieces(f);
	r->data_bytes = data_bytes;
	r->direction = direction;
	r->cdb_length = (uint8_t)cdb_length;
	memcpy(r->cdb, cdb, 16);
	r->done = fixture_done;
	f->done_count = 0;
	scsi_execute(r);
}

static inline bool fixture_guard_is_whole(const struct fixture *f)
{
	for (unsigned i = 0; i < 64; i++)
		if (f->data[f->data_bytes + i] != FIXTURE_GUARD)
			return false;
	return true;
}

/* Run a command given as its CDB bytes; it must end at once. */
#define RUN(f, direction, data_bytes, ...)                                                         \
	do {                                                                                       \
		const uint8_t cdb_[16] = {__VA_ARGS__};                                            \
		fixture_start((f), cdb_, scsi_cdb_bytes(cdb_[0]), (direction), (data_bytes));      \
		CU_ASSERT_EQUAL((f)->done_count, 1);                                               \
		CU_ASSERT((fixture_guard_is_whole(f)));                                            \
	} while (0)

#define RUN_IN(f, data_bytes, ...)  RUN(f, STORAGE_DATA_IN, data_bytes, __VA_ARGS__)
#define RUN_OUT(f, data_bytes, ...) RUN(f, STORAGE_DATA_OUT, data_bytes, __VA_ARGS__)
#define RUN_NONE(f, ...)	    RUN(f, STORAGE_DATA_NONE, 0, __VA_ARGS__)

#define ASSERT_GOOD(f, moved)                                                                      \
	do {                                                                                       \
		CU_ASSERT_EQUAL((f)->request.scsi_status, 0x00);                                   \
		CU_ASSERT_EQUAL((f)->request.srb_status, 0x01);                                    \
		CU_ASSERT_EQUAL((f)->request.sense_bytes, 0);                                      \
		CU_ASSERT_EQUAL((f)->request.moved_bytes, (moved));                                \
	} while (0)

/* CHECK CONDITION, SRB status, and all of the fixed sense but the field pointer. */
#define ASSERT_SENSE(f, srb, key, asc, ascq)                                                       \
	do {                                                                                       \
		const uint8_t head_[15] = {                                                        \
			0x70, 0, (key), 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, (asc), (ascq), 0};           \
		CU_ASSERT_EQUAL((f)->request.scsi_status, 0x02);                                   \
		CU_ASSERT_EQUAL((f)->request.srb_status, (srb));                                   \
		CU_ASSERT_EQUAL((f)->request.sense_bytes, 18);                                     \
		CU_ASSERT_EQUAL((f)->request.moved_bytes, 0);                                      \
		CU_ASSERT_EQUAL(memcmp((f)->request.sense, head_, 15), 0);                         \
	} while (0)

/* The field pointer of ILLEGAL REQUEST sense: byte 15, and the field as 16 bits. */
#define ASSERT_FIELD(f, flags, field)                                                              \
	do {                                                                                       \
		CU_ASSERT_EQUAL((f)->request.sense[15], (flags));                                  \
		CU_ASSERT_EQUAL(scsi_get16((f)->request.sense + 16), (field));                     \
	} while (0)

/* The first bytes of the data buffer. */
#define ASSERT_DATA(f, ...)                                                                        \
	do {                                                                                       \
		const uint8_t expected_[] = {__VA_ARGS__};                                         \
		CU_ASSERT_EQUAL(memcmp((f)->data, expected_, sizeof expected_), 0);                \
	} while (0)

#endif
