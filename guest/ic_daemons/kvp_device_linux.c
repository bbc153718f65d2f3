// SPDX-License-Identifier: Apache-2.0
/*
 * Records of /dev/vmbus/hv_kvp. See kvp_device_linux.h.
 */
#include "guest/ic_daemons/kvp_device_linux.h"

#include <string.h>

const struct kvp_device_record_wire kvp_device_greeting = {
	.start.header = {.operation = KVP_DEVICE_REGISTER},
};

void kvp_device_init(struct kvp_device *device, const struct kvp_ops *ops, void *ctx)
{
	memset(device, 0, sizeof *device);
	device->ops = ops;
	device->ctx = ctx;
}

void kvp_device_reset(struct kvp_device *device)
{
	device->is_registered = false;
	device->is_pending = false;
}

static uint32_t refuse(struct kvp_device *device, enum kvp_reason reason)
{
	device->refused[reason]++;
	return reason == KVP_BAD_OPERATION ? IC_STATUS_NOT_SUPPORTED : IC_STATUS_INVALID_ARGUMENT;
}

/* ---- Texts. */

static enum kvp_reason key_read(const char field[512], char key[KVP_KEY_TEXT_BYTES])
{
	if (memchr(field, '\0', 512) == NULL)
		return KVP_BAD_END;
	if (!utf16_is_utf8(field, 512))
		return KVP_BAD_TEXT;
	if (field[0] == '\0')
		return KVP_EMPTY_KEY;
	memcpy(key, field, 512);
	return KVP_OK;
}

/* As much of a text as there is room for, at the end of a character; its size with the NUL. */
static uint32_t text_write(const char *from, size_t from_bytes, char *to, size_t to_bytes)
{
	size_t length = strnlen(from, from_bytes);
	if (length > to_bytes - 1) {
		length = to_bytes - 1;
		while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
			length--;
	}
	memset(to, 0, to_bytes);
	memcpy(to, from, length);
	return (uint32_t)length + 1;
}

/* The kernel makes UTF-16 of both afterwards, in fields of the same sizes. */
static void value_write(const struct kvp_item *item, struct kvp_device_value_wire *value)
{
	value->type = KVP_TYPE_STRING;
	value->key_bytes = text_write(item->key, sizeof item->key, value->key, sizeof value->key);
	value->value_bytes = text_write(
		item->value, sizeof item->value, value->value, sizeof value->value);
}

static bool to_wire(const char *from, size_t from_bytes, uint8_t *to, size_t to_bytes)
{
	return memchr(from, '\0', from_bytes) != NULL &&
	       utf16_from_utf8(from, from_bytes, UTF16_REFUSE, to, to_bytes, NULL) == UTF16_OK;
}

static bool from_wire(const uint8_t *from, size_t from_bytes, char *to, size_t to_bytes)
{
	return utf16_to_utf8(from, from_bytes, UTF16_REFUSE, to, to_bytes, NULL) == UTF16_OK;
}

/* The lists are those of the wire's text form, but for the encoding. */
static enum kvp_reason ip_read(const struct kvp_device_ip_wire *record, struct kvp_ip *ip)
{
	struct kvp_ip_text_wire wire;
	memset(&wire, 0, sizeof wire);
	wire.family = record->family;
	wire.dhcp = record->dhcp;
	if (!to_wire(record->adapter, sizeof record->adapter, wire.adapter, sizeof wire.adapter) ||
		!to_wire(record->addresses, sizeof record->addresses, wire.addresses,
			sizeof wire.addresses) ||
		!to_wire(record->subnets, sizeof record->subnets, wire.subnets,
			sizeof wire.subnets) ||
		!to_wire(record->gateways, sizeof record->gateways, wire.gateways,
			sizeof wire.gateways) ||
		!to_wire(record->dns, sizeof record->dns, wire.dns, sizeof wire.dns))
		return KVP_BAD_TEXT;
	enum kvp_reason reason = kvp_ip_text_decode(&wire, ip);
	return reason == KVP_OK && ip->unreadable != 0 ? KVP_BAD_ADDRESS : reason;
}

static enum kvp_reason ip_write(struct kvp_ip *ip, struct kvp_device_ip_wire *record)
{
	struct kvp_ip_text_wire wire;
	enum kvp_reason reason = kvp_ic_ip_text(ip, &wire);
	if (reason != KVP_OK)
		return reason;
	memset(record, 0, sizeof *record);
	record->family = wire.family;
	record->dhcp = wire.dhcp;
	if (!from_wire(
		    wire.adapter, sizeof wire.adapter, record->adapter, sizeof record->adapter) ||
		!from_wire(wire.addresses, sizeof wire.addresses, record->addresses,
			sizeof record->addresses) ||
		!from_wire(wire.subnets, sizeof wire.subnets, record->subnets,
			sizeof record->subnets) ||
		!from_wire(wire.gateways, sizeof wire.gateways, record->gateways,
			sizeof record->gateways) ||
		!from_wire(wire.dns, sizeof wire.dns, record->dns, sizeof record->dns))
		return KVP_NO_ROOM;
	return KVP_OK;
}

/* ---- Operations: each on device->record, whose answer it makes in place. */

static uint32_t get(struct kvp_device *device, uint8_t pool)
{
	char key[KVP_KEY_TEXT_BYTES];
	struct kvp_device_value_wire *value = &device->record.body.value;
	enum kvp_reason reason = key_read(value->key, key);
	if (reason != KVP_OK)
		return refuse(device, reason);
	uint32_t status = device->ops->get(device->ctx, pool, key, &device->item);
	if (status != IC_STATUS_SUCCESS)
		return status;
	/* QUIRK: Linux takes the value for the host from where an answer to ENUMERATE has it. */
	value_write(&device->item, &device->record.body.enumerate.value);
	return IC_STATUS_SUCCESS;
}

static uint32_t set(struct kvp_device *device, uint8_t pool)
{
	const struct kvp_device_value_wire *value = &device->record.body.value;
	struct kvp_item *item = &device->item;
	enum kvp_reason reason = key_read(value->key, item->key);
	if (reason == KVP_OK && memchr(value->value, '\0', sizeof value->value) == NULL)
		reason = KVP_BAD_END;
	if (reason == KVP_OK && !utf16_is_utf8(value->value, sizeof value->value))
		reason = KVP_BAD_TEXT;
	if (reason != KVP_OK)
		return refuse(device, reason);
	memcpy(item->value, value->value, sizeof value->value);
	item->type = KVP_TYPE_STRING; /* the kernel has written numbers as digits */
	item->number = 0;
	return device->ops->set(device->ctx, pool, item);
}

static uint32_t remove_key(struct kvp_device *device, uint8_t pool)
{
	enum kvp_reason reason = key_read(device->record.body.delete.key, device->item.key);
	if (reason != KVP_OK)
		return refuse(device, reason);
	return device->ops->remove(device->ctx, pool, device->item.key);
}

static uint32_t enumerate(struct kvp_device *device, uint8_t pool)
{
	uint32_t status = device->ops->enumerate(
		device->ctx, pool, device->record.body.enumerate.index, &device->item);
	if (status != IC_STATUS_SUCCESS)
		return status;
	value_write(&device->item, &device->record.body.enumerate.value);
	return IC_STATUS_SUCCESS;
}

static uint32_t ip_get(struct kvp_device *device)
{
	struct kvp_device_ip_wire *record = &device->record.body.ip;
	memset(&device->ip, 0, sizeof device->ip);
	if (memchr(record->adapter, '\0', sizeof record->adapter) == NULL)
		return refuse(device, KVP_BAD_END);
	if (!utf16_is_utf8(record->adapter, sizeof record->adapter))
		return refuse(device, KVP_BAD_TEXT);
	memcpy(device->ip.adapter, record->adapter, sizeof record->adapter);
	uint32_t status = device->ops->ip_get(device->ctx, &device->ip);
	if (status != IC_STATUS_SUCCESS)
		return status;
	enum kvp_reason reason = ip_write(&device->ip, record);
	return reason == KVP_OK ? IC_STATUS_SUCCESS : refuse(device, reason);
}

static uint32_t ip_set(struct kvp_device *device)
{
	enum kvp_reason reason = ip_read(&device->record.body.ip, &device->ip);
	if (reason != KVP_OK)
		return refuse(device, reason);
	return device->ops->ip_set(device->ctx, &device->ip);
}

static uint32_t operate(struct kvp_device *device, struct kvp_header_wire header)
{
	if (header.operation >= KVP_OPERATION_COUNT)
		return refuse(device, KVP_BAD_OPERATION);
	if (header.operation < KVP_OPERATION_GET_IP && header.pool >= KVP_POOL_INTERNAL)
		return refuse(device, KVP_BAD_POOL);
	device->operations[header.operation]++;
	switch (header.operation) {
	case KVP_OPERATION_GET:
		return get(device, header.pool);
	case KVP_OPERATION_SET:
		return set(device, header.pool);
	case KVP_OPERATION_DELETE:
		return remove_key(device, header.pool);
	case KVP_OPERATION_ENUMERATE:
		return enumerate(device, header.pool);
	case KVP_OPERATION_GET_IP:
		return ip_get(device);
	default:
		return ip_set(device);
	}
}

/* The kernel's version, for people. */
static void registered(struct kvp_device *device)
{
	size_t at = 0;
	const char *version = device->record.body.version;
	for (; at < sizeof device->version - 1 && version[at] > ' ' && version[at] < 127; at++)
		device->version[at] = version[at];
	device->version[at] = '\0';
	device->is_registered = true;
}

bool kvp_device_on_record(struct kvp_device *device, const void *bytes, size_t len)
{
	if (len != sizeof device->record) {
		device->refused[KVP_BAD_SIZE]++;
		return false;
	}
	/* The kernel has one request under way: it has given up the one before. */
	device->is_pending = false;
	memcpy(&device->record, bytes, sizeof device->record);
	struct kvp_header_wire header = device->record.start.header;
	if (!device->is_registered && header.operation == KVP_DEVICE_REGISTER) {
		registered(device);
		return false;
	}
	uint32_t status = operate(device, header);
	device->is_pending = status == IC_GUEST_LATER;
	device->record.start.status = status;
	return !device->is_pending;
}

bool kvp_device_finish(struct kvp_device *device, uint32_t status)
{
	if (!device->is_pending)
		return false;
	device->is_pending = false;
	device->record.start.status = status;
	return true;
}
