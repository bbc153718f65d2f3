// SPDX-License-Identifier: Apache-2.0
/*
 * Pools of key-value pairs in files. See kvp_pool_linux.h.
 */
#include "guest/ic_daemons/kvp_pool_linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Times of files are ticks of a clock: two changes in one look alike. Longer than a tick. */
#define TICK_NS 20000000ll

#define READ_RECORDS 64u

#define NOWHERE UINT32_MAX

int kvp_pool_open(struct kvp_pool_store *pool, int dir_fd, unsigned number, bool is_writable)
{
	memset(pool, 0, sizeof *pool);
	int ret = kvp_pool_file_open(&pool->file, dir_fd, number, is_writable);
	return ret == -ENOENT && !is_writable ? 0 : ret;
}

void kvp_pool_close(struct kvp_pool_store *pool)
{
	kvp_pool_file_close(&pool->file);
	free(pool->hashes);
	pool->hashes = NULL;
	pool->capacity = 0;
	pool->is_read = false;
}

/* ---- What is known of the file. */

/* Of a key's bytes; never 0 but for an empty one. */
static uint64_t key_hash(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */
	size_t bytes = strnlen(key, KVP_POOL_KEY_BYTES - 1);
	if (bytes == 0)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3ull;
	return hash == 0 ? 1 : hash;
}

static int hashes_reserve(struct kvp_pool_store *pool, uint32_t count)
{
	if (count <= pool->capacity)
		return 0;
	uint32_t capacity = pool->capacity == 0 ? 64 : pool->capacity;
	while (capacity < count)
		capacity *= 2;
	uint64_t *hashes = reallocarray(pool->hashes, capacity, sizeof *hashes);
	if (!hashes)
		return -ENOMEM;
	pool->hashes = hashes;
	pool->capacity = capacity;
	return 0;
}

static bool is_known(const struct kvp_pool_store *pool, const struct stat *state)
{
	const struct stat *known = &pool->state;
	return pool->is_read && !pool->is_doubtful && known->st_ino == state->st_ino &&
	       known->st_dev == state->st_dev && known->st_size == state->st_size &&
	       known->st_mtim.tv_sec == state->st_mtim.tv_sec &&
	       known->st_mtim.tv_nsec == state->st_mtim.tv_nsec;
}

static bool is_recent(const struct stat *state)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age_s = (int64_t)now.tv_sec - (int64_t)state->st_mtim.tv_sec;
	if (age_s < 0 || age_s > 1)
		return age_s < 0;
	return age_s * 1000000000 + now.tv_nsec - state->st_mtim.tv_nsec < TICK_NS;
}

static int records_hash(struct kvp_pool_store *pool, uint32_t records)
{
	struct kvp_pool_record *block = malloc(READ_RECORDS * sizeof *block);
	int ret = block ? hashes_reserve(pool, records) : -ENOMEM;
	pool->records = 0;
	pool->empty = 0;
	while (ret == 0 && pool->records < records) {
		uint32_t want = records - pool->records;
		int got = kvp_pool_file_read(&pool->file, pool->records, block,
			want < READ_RECORDS ? want : READ_RECORDS);
		if (got <= 0) { /* shorter by now: somebody does not lock */
			ret = got;
			break;
		}
		for (int i = 0; i < got; i++) {
			uint64_t hash = key_hash(block[i].key);
			pool->empty += hash == 0;
			pool->hashes[pool->records++] = hash;
		}
	}
	free(block);
	return ret;
}

static int reload(struct kvp_pool_store *pool, const struct stat *state)
{
	uint64_t records = (uint64_t)state->st_size / KVP_POOL_RECORD_BYTES;
	pool->is_read = false;
	pool->ignored = 0;
	if (records > KVP_POOL_RECORDS_MAX) {
		pool->ignored = records - KVP_POOL_RECORDS_MAX;
		records = KVP_POOL_RECORDS_MAX;
	}
	int ret = records_hash(pool, (uint32_t)records);
	if (ret != 0)
		return ret;
	pool->state = *state;
	pool->is_doubtful = is_recent(state);
	pool->is_read = true;
	pool->reloads++;
	return 0;
}

/* Lock and know the file. On failure nothing is locked. */
static int begin(struct kvp_pool_store *pool, bool is_exclusive)
{
	struct stat state;
	int ret = kvp_pool_file_lock(&pool->file, is_exclusive, &state);
	if (ret != 0)
		return ret;
	if (!is_known(pool, &state))
		ret = reload(pool, &state);
	if (ret != 0)
		(void)kvp_pool_file_unlock(&pool->file, false, NULL);
	return ret;
}

/* After a change that failed, or that could not be marked, the file is read again. */
static int end(struct kvp_pool_store *pool, bool is_exclusive, int ret)
{
	bool is_marked = kvp_pool_file_unlock(&pool->file, is_exclusive && ret == 0, &pool->state);
	if (is_marked)
		pool->is_doubtful = false;
	else if (is_exclusive)
		pool->is_read = false;
	return ret;
}

/* ---- Records. */

static int record_read(const struct kvp_pool_store *pool, uint32_t at, struct kvp_pool_record *raw)
{
	int got = kvp_pool_file_read(&pool->file, at, raw, 1);
	return got == 1 ? 0 : got < 0 ? got : -EIO;
}

static void terminate(struct kvp_pool_record *record)
{
	record->key[KVP_POOL_KEY_BYTES - 1] = '\0';
	record->value[KVP_POOL_VALUE_BYTES - 1] = '\0';
}

/* The first record at or after `from` with this key, or NOWHERE; *raw as the file has it. */
static int find(const struct kvp_pool_store *pool, const char *key, uint32_t from, uint32_t *at,
	struct kvp_pool_record *raw)
{
	uint64_t hash = key_hash(key);
	for (uint32_t i = from; hash != 0 && i < pool->records; i++) {
		if (pool->hashes[i] != hash)
			continue;
		int ret = record_read(pool, i, raw);
		if (ret != 0)
			return ret;
		if (strncmp(raw->key, key, KVP_POOL_KEY_BYTES - 1) == 0) {
			*at = i;
			return 0;
		}
	}
	*at = NOWHERE;
	return 0;
}

static int key_check(const char *key)
{
	if (key[0] == '\0')
		return -EINVAL;
	return strnlen(key, KVP_POOL_KEY_BYTES) == KVP_POOL_KEY_BYTES ? -ENAMETOOLONG : 0;
}

int kvp_pool_get(struct kvp_pool_store *pool, const char *key, struct kvp_pool_record *out)
{
	uint32_t at;
	int ret = key_check(key);
	if (ret == 0)
		ret = begin(pool, false);
	if (ret != 0)
		return ret;
	ret = find(pool, key, 0, &at, out);
	terminate(out);
	return end(pool, false, ret == 0 && at == NOWHERE ? -ENOENT : ret);
}

int kvp_pool_at(struct kvp_pool_store *pool, uint32_t index, struct kvp_pool_record *out)
{
	int ret = begin(pool, false);
	if (ret != 0)
		return ret;
	uint32_t at = NOWHERE;
	if (index < pool->records - pool->empty) {
		at = index;
		if (pool->empty > 0)
			for (at = 0; pool->hashes[at] == 0 || index-- > 0; at++)
				;
	}
	ret = at == NOWHERE ? -ENOENT : record_read(pool, at, out);
	terminate(out);
	return end(pool, false, ret);
}

int kvp_pool_count(struct kvp_pool_store *pool, uint32_t *count)
{
	*count = 0;
	int ret = begin(pool, false);
	if (ret == -ENOENT)
		return 0;
	if (ret != 0)
		return ret;
	*count = pool->records - pool->empty;
	return end(pool, false, 0);
}

/* ---- Changes. */

static void record_make(struct kvp_pool_record *record, const char *key, const char *value)
{
	memset(record, 0, sizeof *record);
	memcpy(record->key, key, strnlen(key, KVP_POOL_KEY_BYTES - 1));
	memcpy(record->value, value, strnlen(value, KVP_POOL_VALUE_BYTES - 1));
}

/* A new record: where one without a key is, or at the end. */
static int add(struct kvp_pool_store *pool, const struct kvp_pool_record *record)
{
	struct kvp_pool_record raw;
	uint32_t at = 0;
	while (pool->empty > 0 && at < pool->records && pool->hashes[at] != 0)
		at++;
	if (pool->empty == 0 || at == pool->records) {
		if (pool->records == KVP_POOL_RECORDS_MAX)
			return -ENOSPC;
		int ret = hashes_reserve(pool, pool->records + 1);
		if (ret == 0)
			ret = kvp_pool_file_append(&pool->file, pool->records, record);
		if (ret == 0)
			pool->hashes[pool->records++] = key_hash(record->key);
		return ret;
	}
	int ret = record_read(pool, at, &raw);
	if (ret == 0)
		ret = kvp_pool_file_replace(
			&pool->file, at, &raw, record, pool->records, UINT32_MAX);
	if (ret == 0) {
		pool->hashes[at] = key_hash(record->key);
		pool->empty--;
	}
	return ret;
}

/* Value and rest of the record become those of *record. */
static int change(struct kvp_pool_store *pool, uint32_t at, const struct kvp_pool_record *raw,
	const struct kvp_pool_record *record)
{
	int ret = kvp_pool_file_replace(&pool->file, at, raw, record, pool->records, UINT32_MAX);
	if (ret == 0)
		pool->hashes[at] = key_hash(record->key);
	return ret;
}

/* The last record takes the place of record `at`. */
static int take_out(struct kvp_pool_store *pool, uint32_t at, const struct kvp_pool_record *raw)
{
	struct kvp_pool_record last;
	uint32_t end_at = pool->records - 1;
	int ret;
	if (pool->ignored > 0) {
		/* Which is the last is not known here: leave a record without a key. */
		memset(&last, 0, sizeof last);
		ret = kvp_pool_file_replace(&pool->file, at, raw, &last, pool->records, UINT32_MAX);
		if (ret == 0) {
			pool->hashes[at] = 0;
			pool->empty++;
		}
		return ret;
	}
	if (at == end_at) {
		ret = kvp_pool_file_cut(&pool->file, end_at);
	} else {
		ret = record_read(pool, end_at, &last);
		if (ret == 0)
			ret = kvp_pool_file_replace(
				&pool->file, at, raw, &last, pool->records, end_at);
	}
	if (ret == 0) {
		pool->hashes[at] = pool->hashes[end_at];
		pool->records = end_at;
	}
	return ret;
}

static int set_locked(struct kvp_pool_store *pool, const char *key, const char *value)
{
	struct kvp_pool_record raw, record;
	uint32_t at;
	record_make(&record, key, value);
	int ret = find(pool, key, 0, &at, &raw);
	if (ret != 0)
		return ret;
	return at == NOWHERE ? add(pool, &record) : change(pool, at, &raw, &record);
}

static int delete_locked(struct kvp_pool_store *pool, const char *key)
{
	struct kvp_pool_record raw;
	uint32_t at;
	bool is_found = false;
	for (;;) {
		int ret = find(pool, key, 0, &at, &raw);
		if (ret != 0)
			return ret;
		if (at == NOWHERE)
			return is_found ? 0 : -ENOENT;
		is_found = true;
		ret = take_out(pool, at, &raw);
		if (ret != 0)
			return ret;
	}
}

int kvp_pool_set(struct kvp_pool_store *pool, const char *key, const char *value)
{
	int ret = key_check(key);
	if (ret != 0)
		return ret;
	if (strnlen(value, KVP_POOL_VALUE_BYTES) == KVP_POOL_VALUE_BYTES)
		return -EFBIG;
	ret = begin(pool, true);
	return ret == 0 ? end(pool, true, set_locked(pool, key, value)) : ret;
}

int kvp_pool_delete(struct kvp_pool_store *pool, const char *key)
{
	int ret = key_check(key);
	if (ret == 0)
		ret = begin(pool, true);
	return ret == 0 ? end(pool, true, delete_locked(pool, key)) : ret;
}

static int rename_locked(
	struct kvp_pool_store *pool, const char *key, const char *new_key, bool is_exclusive)
{
	struct kvp_pool_record raw, record, other;
	uint32_t at, other_at;
	int ret = find(pool, key, 0, &at, &raw);
	if (ret == 0)
		ret = find(pool, new_key, 0, &other_at, &other);
	if (ret != 0)
		return ret;
	if (at == NOWHERE)
		return -ENOENT;
	if (other_at != NOWHERE && is_exclusive)
		return -EEXIST;
	if (strcmp(key, new_key) == 0)
		return 0;
	record_make(&record, new_key, raw.value);
	if (other_at == NOWHERE)
		return change(pool, at, &raw, &record);
	ret = change(pool, other_at, &other, &record);
	return ret == 0 ? delete_locked(pool, key) : ret;
}

int kvp_pool_rename(
	struct kvp_pool_store *pool, const char *key, const char *new_key, bool is_exclusive)
{
	int ret = key_check(key);
	if (ret == 0)
		ret = key_check(new_key);
	if (ret == 0)
		ret = begin(pool, true);
	return ret == 0 ? end(pool, true, rename_locked(pool, key, new_key, is_exclusive)) : ret;
}
