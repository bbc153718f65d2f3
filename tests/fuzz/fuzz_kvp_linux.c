// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: what a Linux guest's key-value daemon reads besides packets. The first byte says
 * what the rest is:
 *
 *	even	a record of /dev/vmbus/hv_kvp, after the registration; short ones end in zeros
 *	odd	the file of a pool and, in its last bytes, a key to change in it
 *
 * Broken invariants abort: a text without its NUL, or that is no Unicode, reaches an operation; an
 * index without a record; a change that cannot be found afterwards.
 */
#include "guest/ic_daemons/kvp_device_linux.h"
#include "guest/ic_daemons/kvp_pool_linux.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define FILE_1 ".kvp_pool_1"

/* ---- records ---- */

static uint32_t get(void *ctx, uint8_t pool, const char *key, struct kvp_item *out)
{
	(void)ctx;
	CHECK(pool < KVP_POOL_INTERNAL);
	CHECK(key[0] != '\0' && utf16_is_utf8(key, KVP_KEY_TEXT_BYTES));
	memset(out, 0, sizeof *out);
	memcpy(out->key, key, strlen(key) + 1);
	memset(out->value, 'v', sizeof out->value - 1);
	return IC_STATUS_SUCCESS;
}

static uint32_t set(void *ctx, uint8_t pool, const struct kvp_item *item)
{
	struct kvp_item same;
	CHECK(utf16_is_utf8(item->value, sizeof item->value));
	return get(ctx, pool, item->key, &same);
}

static uint32_t remove_key(void *ctx, uint8_t pool, const char *key)
{
	struct kvp_item same;
	return get(ctx, pool, key, &same);
}

static uint32_t enumerate(void *ctx, uint8_t pool, uint32_t index, struct kvp_item *out)
{
	return index % 2 == 0 ? get(ctx, pool, "key", out) : IC_STATUS_NO_MORE_ITEMS;
}

static uint32_t ip_get(void *ctx, struct kvp_ip *ip)
{
	(void)ctx;
	CHECK(utf16_is_utf8(ip->adapter, sizeof ip->adapter));
	ip->family = KVP_FAMILY_IPV6;
	for (; ip->address_count < KVP_ADDRESSES_MAX; ip->address_count++) {
		struct kvp_address *address = &ip->addresses[ip->address_count];
		address->family = KVP_FAMILY_IPV6;
		address->prefix = 64;
		memset(address->bytes, 0xab, sizeof address->bytes);
	}
	return IC_STATUS_SUCCESS;
}

static uint32_t ip_set(void *ctx, const struct kvp_ip *ip)
{
	(void)ctx;
	CHECK(utf16_is_utf8(ip->adapter, sizeof ip->adapter) && ip->unreadable == 0);
	CHECK(ip->address_count <= 2 * KVP_ADDRESSES_MAX);
	return IC_GUEST_LATER;
}

static const struct kvp_ops ops = {get, set, remove_key, enumerate, ip_get, ip_set};

static void record_try(const uint8_t *data, size_t size)
{
	static struct kvp_device device;
	struct kvp_device_record_wire record = kvp_device_greeting;
	kvp_device_init(&device, &ops, NULL);
	CHECK(!kvp_device_on_record(&device, &record, sizeof record));
	memset(&record, 0, sizeof record);
	memcpy(&record, data, size < sizeof record ? size : sizeof record);
	bool is_due = kvp_device_on_record(&device, &record, sizeof record);
	CHECK(is_due != device.is_pending);
	CHECK(kvp_device_finish(&device, IC_STATUS_FAIL) == !is_due);
}

/* ---- pools ---- */

static char folder[] = "/tmp/viridian-fuzz-kvp.XXXXXX";
static int folder_fd = -1;

static void folder_remove(void)
{
	(void)unlinkat(folder_fd, FILE_1, 0);
	(void)unlinkat(folder_fd, FILE_1 ".redo", 0);
	(void)rmdir(folder);
}

static void folder_make(void)
{
	if (folder_fd >= 0)
		return;
	CHECK(mkdtemp(folder) != NULL);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(folder_fd >= 0 && atexit(folder_remove) == 0);
}

/* Each index is a record with a key, which is found. */
static uint32_t pool_walk(struct kvp_pool_store *pool)
{
	struct kvp_pool_record record;
	struct kvp_pool_record found;
	uint32_t count = 0;
	CHECK(kvp_pool_count(pool, &count) == 0);
	for (uint32_t i = 0; i < count; i++) {
		CHECK(kvp_pool_at(pool, i, &record) == 0);
		CHECK(record.key[0] != '\0');
		CHECK(memchr(record.key, '\0', sizeof record.key) != NULL);
		CHECK(memchr(record.value, '\0', sizeof record.value) != NULL);
		CHECK(kvp_pool_get(pool, record.key, &found) == 0);
		CHECK(strcmp(record.key, found.key) == 0);
	}
	CHECK(kvp_pool_at(pool, count, &record) != 0);
	return count;
}

static void pool_try(const uint8_t *data, size_t size)
{
	struct kvp_pool_store pool;
	struct kvp_pool_record record;
	char key[17] = "k";
	memcpy(key + 1, data + (size < 15 ? 0 : size - 15), size < 15 ? size : 15);
	folder_make();
	int fd = openat(folder_fd, FILE_1, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	CHECK(kvp_pool_open(&pool, folder_fd, 1, true) == 0);
	uint32_t count = pool_walk(&pool);
	CHECK(kvp_pool_set(&pool, key, "value") == 0);
	CHECK(kvp_pool_get(&pool, key, &record) == 0 && strcmp(record.value, "value") == 0);
	CHECK(kvp_pool_rename(&pool, key, "another", false) == 0);
	CHECK(kvp_pool_delete(&pool, "another") == 0);
	CHECK(kvp_pool_get(&pool, "another", &record) != 0);
	CHECK(pool_walk(&pool) <= count);
	kvp_pool_close(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		record_try(data + 1, size - 1);
	else
		pool_try(data + 1, size - 1);
	return 0;
}
