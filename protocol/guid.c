// SPDX-License-Identifier: Apache-2.0
/*
 * GUIDs: comparison, text form, and the tables of protocol/guid.h.
 *
 * Freestanding; pure functions over constant tables; call from any thread.
 */
#include "protocol/guid.h"

#include "protocol/errors.h"

#define GUID_DEFINE(NAME, name, text, a, b, c, d, e)                                               \
	const struct guid guid_##name = GUID_INIT(a, b, c, d, e);
GUID_INTERFACES(GUID_DEFINE)
#undef GUID_DEFINE

#define GUID_DEFINE(NAME, name, a, b, c, d, e)                                                     \
	const struct guid guid_##name##_instance = GUID_INIT(a, b, c, d, e);
GUID_INSTANCES(GUID_DEFINE)
#undef GUID_DEFINE

const struct guid guid_zero = GUID_INIT(0, 0, 0, 0, 0);
const struct guid guid_vsock_template = GUID_INIT(0, 0xfacb, 0x11e6, 0xbd58, 0x64006a7986d3);

const struct guid_interface_info guid_interface_table[GUID_INTERFACE_COUNT] = {
#define GUID_ROW(NAME, name, text, a, b, c, d, e)                                                  \
	[GUID_INTERFACE_##NAME] = {.id = GUID_INIT(a, b, c, d, e), .stem = #name, .title = (text)},
	GUID_INTERFACES(GUID_ROW)
#undef GUID_ROW
};

static const struct guid *const instance_table[GUID_INTERFACE_COUNT] = {
#define GUID_ROW(NAME, name, a, b, c, d, e) [GUID_INTERFACE_##NAME] = &guid_##name##_instance,
	GUID_INSTANCES(GUID_ROW)
#undef GUID_ROW
};

/* Wire byte of each pair of digits, in the order of the text. */
static const uint8_t text_order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

/* A hyphen stands in the text before the byte pairs 4, 6, 8 and 10. */
static bool hyphen_precedes(unsigned pair)
{
	return pair == 4 || pair == 6 || pair == 8 || pair == 10;
}

bool guid_equal(const struct guid *a, const struct guid *b)
{
	return __builtin_memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int guid_compare(const struct guid *a, const struct guid *b)
{
	for (unsigned i = 0; i < sizeof(text_order); i++) {
		const uint8_t left = a->bytes[text_order[i]];
		const uint8_t right = b->bytes[text_order[i]];
		if (left != right)
			return left < right ? -1 : 1;
	}
	return 0;
}

bool guid_is_zero(const struct guid *id)
{
	return guid_equal(id, &guid_zero);
}

/* Value of a hexadecimal digit, or -1. */
static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int guid_parse(const char *text, struct guid *id)
{
	struct guid parsed;
	const bool has_brace = *text == '{';

	if (has_brace)
		text++;
	for (unsigned i = 0; i < sizeof(text_order); i++) {
		if (hyphen_precedes(i) && *text++ != '-')
			return -VIRIDIAN_EINVAL;
		const int high = digit_value(text[0]);
		if (high < 0)
			return -VIRIDIAN_EINVAL;
		const int low = digit_value(text[1]);
		if (low < 0)
			return -VIRIDIAN_EINVAL;
		parsed.bytes[text_order[i]] = (uint8_t)(high * 16 + low);
		text += 2;
	}
	if (has_brace && *text++ != '}')
		return -VIRIDIAN_EINVAL;
	if (*text != '\0')
		return -VIRIDIAN_EINVAL;
	*id = parsed;
	return 0;
}

char *guid_format(const struct guid *id, char text[GUID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	char *out = text;

	for (unsigned i = 0; i < sizeof(text_order); i++) {
		if (hyphen_precedes(i))
			*out++ = '-';
		*out++ = digits[id->bytes[text_order[i]] >> 4];
		*out++ = digits[id->bytes[text_order[i]] & 0xf];
	}
	*out = '\0';
	return text;
}

const struct guid *guid_interface_instance(enum guid_interface which)
{
	return (unsigned)which < GUID_INTERFACE_COUNT ? instance_table[which] : NULL;
}

const struct guid_interface_info *guid_interface_find(const struct guid *id)
{
	for (unsigned i = 0; i < GUID_INTERFACE_COUNT; i++) {
		if (guid_equal(&guid_interface_table[i].id, id))
			return &guid_interface_table[i];
	}
	return NULL;
}

static bool text_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct guid_interface_info *guid_interface_by_stem(const char *stem)
{
	for (unsigned i = 0; i < GUID_INTERFACE_COUNT; i++) {
		if (text_equal(guid_interface_table[i].stem, stem))
			return &guid_interface_table[i];
	}
	return NULL;
}

const char *guid_interface_name(const struct guid *id)
{
	const struct guid_interface_info *row = guid_interface_find(id);
	if (row)
		return row->stem;
	return guid_vsock_to_port(id, NULL) ? "vsock" : NULL;
}

struct guid guid_vsock_from_port(uint32_t port)
{
	struct guid id = guid_vsock_template;
	__builtin_memcpy(id.bytes, &port, sizeof(port));
	return id;
}

bool guid_vsock_to_port(const struct guid *id, uint32_t *port)
{
	const size_t skip = sizeof(*port);
	if (__builtin_memcmp(id->bytes + skip, guid_vsock_template.bytes + skip,
		    sizeof(id->bytes) - skip) != 0)
		return false;
	if (port)
		__builtin_memcpy(port, id->bytes, sizeof(*port));
	return true;
}
