// SPDX-License-Identifier: Apache-2.0
/*
 * The key-value operations in a Linux guest. See kvp_service_linux.h.
 */
#include "guest/ic_daemons/kvp_service_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_UNITS   (KVP_KEY_BYTES / 2 - 1)
#define VALUE_UNITS (KVP_VALUE_BYTES / 2 - 1)

static bool is_file(unsigned pool)
{
	return pool <= KVP_POOL_AUTO_EXTERNAL && pool != KVP_POOL_AUTO;
}

int kvp_service_open(struct kvp_service *service, const char *dir, const char *root)
{
	memset(service, 0, sizeof *service);
	for (size_t i = 0; i <= KVP_POOL_AUTO_EXTERNAL; i++)
		service->pools[i].file.fd = service->pools[i].file.redo_fd = -1;
	service->dir_fd = -1;
	if (!kvp_facts_init(&service->facts, root))
		return -ENOMEM;
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return -errno;
	service->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (service->dir_fd < 0)
		return -errno;
	for (unsigned pool = 0; pool <= KVP_POOL_AUTO_EXTERNAL; pool++) {
		int ret = is_file(pool) ? kvp_pool_open(&service->pools[pool], service->dir_fd,
						  pool, true)
					: 0;
		if (ret != 0)
			return ret;
	}
	return 0;
}

void kvp_service_close(struct kvp_service *service)
{
	for (unsigned pool = 0; pool <= KVP_POOL_AUTO_EXTERNAL; pool++)
		kvp_pool_close(&service->pools[pool]);
	kvp_facts_free(&service->facts);
	if (service->dir_fd >= 0)
		close(service->dir_fd);
	service->dir_fd = -1;
}

/* ---- Texts. */

bool kvp_text_fit(const char *from, size_t from_bytes, size_t units, char *to, size_t to_bytes)
{
	uint8_t wide[2 * KVP_POOL_VALUE_BYTES + 2]; /* no byte makes more than one unit */
	size_t wide_bytes = 0;
	to[0] = '\0';
	from_bytes = strnlen(from, from_bytes);
	if (from_bytes > KVP_POOL_VALUE_BYTES)
		from_bytes = KVP_POOL_VALUE_BYTES;
	if (utf16_from_utf8(from, from_bytes, UTF16_REPLACE, wide, sizeof wide, &wide_bytes) !=
		UTF16_OK)
		return false;
	size_t count = wide_bytes / 2 - 1;
	bool is_whole = count <= units;
	if (!is_whole) {
		count = units;
		/* Not between the halves of a pair. */
		if (count > 0 && (wide[2 * count - 1] & 0xfc) == 0xd8)
			count--;
	}
	(void)utf16_to_utf8(wide, 2 * count, UTF16_REPLACE, to, to_bytes, NULL);
	return is_whole;
}

static void item_make(struct kvp_service *service, struct kvp_item *item, const char *key,
	size_t key_bytes, const char *value, size_t value_bytes)
{
	item->type = KVP_TYPE_STRING;
	item->number = 0;
	bool is_whole = kvp_text_fit(key, key_bytes, KEY_UNITS, item->key, sizeof item->key);
	is_whole &= kvp_text_fit(value, value_bytes, VALUE_UNITS, item->value, sizeof item->value);
	service->cut += !is_whole;
	service->reads++;
}

/* ---- Pairs. */

static uint32_t status_of(struct kvp_service *service, uint8_t pool, int ret)
{
	char text[160];
	switch (ret) {
	case 0:
		return IC_STATUS_SUCCESS;
	case -ENOENT:
		return IC_STATUS_NO_MORE_ITEMS;
	case -ENAMETOOLONG:
	case -EFBIG:
	case -EINVAL:
		return IC_STATUS_INVALID_ARGUMENT;
	default:
		break;
	}
	service->failures++;
	if (service->complain != NULL) {
		snprintf(text, sizeof text, "pool %u: %s", pool,
			ret == -EAGAIN ? "another program keeps the file locked" : strerror(-ret));
		service->complain(service->ctx, text);
	}
	return ret == -ENOSPC ? IC_STATUS_DISK_FULL : IC_STATUS_FAIL;
}

static uint32_t auto_get(struct kvp_service *service, uint32_t index, struct kvp_item *out)
{
	const char *key = kvp_auto_key(index);
	if (key == NULL)
		return IC_STATUS_NO_MORE_ITEMS;
	kvp_facts_refresh(&service->facts, service->now_ms());
	const char *value = kvp_facts_value(&service->facts, index);
	item_make(service, out, key, strlen(key), value, strlen(value));
	return IC_STATUS_SUCCESS;
}

static uint32_t get(void *ctx, uint8_t pool, const char *key, struct kvp_item *out)
{
	struct kvp_service *service = ctx;
	struct kvp_pool_record record;
	uint32_t index = 0;
	if (!is_file(pool)) {
		while (index < KVP_AUTO_COUNT && strcmp(kvp_auto_key(index), key) != 0)
			index++;
		return auto_get(service, index, out);
	}
	int ret = kvp_pool_get(&service->pools[pool], key, &record);
	if (ret == 0)
		item_make(service, out, record.key, sizeof record.key, record.value,
			sizeof record.value);
	return status_of(service, pool, ret);
}

static uint32_t enumerate(void *ctx, uint8_t pool, uint32_t index, struct kvp_item *out)
{
	struct kvp_service *service = ctx;
	struct kvp_pool_record record;
	if (!is_file(pool))
		return auto_get(service, index, out);
	int ret = kvp_pool_at(&service->pools[pool], index, &record);
	if (ret == 0)
		item_make(service, out, record.key, sizeof record.key, record.value,
			sizeof record.value);
	return status_of(service, pool, ret);
}

/* What the system says of itself is not for others to change (R-KVP-019). */
static uint32_t set(void *ctx, uint8_t pool, const struct kvp_item *item)
{
	struct kvp_service *service = ctx;
	if (!is_file(pool))
		return IC_STATUS_INVALID_ARGUMENT;
	int ret = kvp_pool_set(&service->pools[pool], item->key, item->value);
	service->changes += ret == 0;
	return status_of(service, pool, ret);
}

static uint32_t remove_key(void *ctx, uint8_t pool, const char *key)
{
	struct kvp_service *service = ctx;
	if (!is_file(pool))
		return IC_STATUS_INVALID_ARGUMENT;
	int ret = kvp_pool_delete(&service->pools[pool], key);
	service->changes += ret == 0;
	/* A key that is longer than any in a file is absent. */
	return status_of(service, pool, ret == -ENAMETOOLONG ? -ENOENT : ret);
}

/* ---- Addresses. */

static const struct net_interface *interface_find(struct kvp_service *service, const char *adapter)
{
	service->facts.is_read = false; /* as it is now */
	kvp_facts_refresh(&service->facts, service->now_ms());
	return kvp_net_find(service->facts.interfaces, service->facts.interface_count, adapter);
}

static uint32_t ip_get(void *ctx, struct kvp_ip *ip)
{
	struct kvp_service *service = ctx;
	const struct net_interface *interface = interface_find(service, ip->adapter);
	if (interface == NULL)
		return IC_STATUS_NOT_FOUND;
	kvp_net_describe(interface, ip);
	service->reads++;
	return IC_STATUS_SUCCESS;
}

static uint32_t ip_set(void *ctx, const struct kvp_ip *ip)
{
	struct kvp_service *service = ctx;
	char text[160];
	if (service->set_ip == NULL)
		return IC_STATUS_NOT_SUPPORTED;
	const char *wrong = kvp_net_request(ip, &service->request);
	if (wrong != NULL) {
		snprintf(text, sizeof text, "addresses are not set: %s", wrong);
		if (service->complain != NULL)
			service->complain(service->ctx, text);
		return IC_STATUS_INVALID_ARGUMENT;
	}
	const struct net_interface *interface = interface_find(service, ip->adapter);
	if (interface == NULL)
		return IC_STATUS_NOT_FOUND;
	return service->set_ip(service->ctx, interface, &service->request);
}

const struct kvp_ops kvp_service_ops = {
	.get = get,
	.set = set,
	.remove = remove_key,
	.enumerate = enumerate,
	.ip_get = ip_get,
	.ip_set = ip_set,
};
