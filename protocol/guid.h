// SPDX-License-Identifier: Apache-2.0
/*
 * GUIDs: the 16-byte names of device types (interfaces) and of devices
 * (instances), and the table of all interfaces that are known by name.
 *
 *	VMBus offers, hvsock services, KVP adapter names
 *	   |  compare, parse, format, name
 *	this module: no allocation, no state
 *
 * A GUID on the wire is 16 bytes: the first three groups of its text little-
 * endian (4, 2 and 2 bytes), the last eight bytes in the order of the text.
 * struct guid holds exactly those bytes, so it is copied to and from messages as
 * it is and compared with memcmp.
 *
 *	struct guid id;
 *	if (guid_parse("ba6163d9-04a1-4d29-b605-72e2ffb1dc7f", &id) == 0 &&
 *		guid_equal(&id, &guid_storage))
 *		…
 *
 * Threads: everything here is pure; call from anywhere.
 * Sources: device interface ids as observed in Linux 6.1/6.12 and in Microsoft's
 * UEFI firmware (mu_msvm); text form as in RFC 9562, section 4.
 */
#ifndef PROTOCOL_GUID_H
#define PROTOCOL_GUID_H

#include "protocol/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A GUID in its wire form. No padding and any alignment, so it nests in _wire structures. */
struct guid {
	uint8_t bytes[16];
};
PROTOCOL_ASSERT_SIZE(struct guid, 16);

#define GUID_TEXT_CHARS 36u /* without braces and without the final NUL */
#define GUID_TEXT_BYTES 37u /* buffer for guid_format() */

/*
 * Initialiser of a struct guid from the five groups of its text, each as a number:
 * GUID_INIT(0xba6163d9, 0x04a1, 0x4d29, 0xb605, 0x72e2ffb1dc7f).
 */
/* clang-format off */
#define GUID_INIT(a, b, c, d, e)                                                                   \
	{                                                                                          \
		{                                                                                  \
			(uint8_t)((uint32_t)(a)), (uint8_t)((uint32_t)(a) >> 8),                   \
			(uint8_t)((uint32_t)(a) >> 16), (uint8_t)((uint32_t)(a) >> 24),            \
			(uint8_t)((uint32_t)(b)), (uint8_t)((uint32_t)(b) >> 8),                   \
			(uint8_t)((uint32_t)(c)), (uint8_t)((uint32_t)(c) >> 8),                   \
			(uint8_t)((uint32_t)(d) >> 8), (uint8_t)((uint32_t)(d)),                   \
			(uint8_t)((uint64_t)(e) >> 40), (uint8_t)((uint64_t)(e) >> 32),            \
			(uint8_t)((uint64_t)(e) >> 24), (uint8_t)((uint64_t)(e) >> 16),            \
			(uint8_t)((uint64_t)(e) >> 8), (uint8_t)((uint64_t)(e))                    \
		}                                                                                  \
	}
/* clang-format on */

/*
 * Device interfaces: X(NAME, stem, title, five groups). Sorted by stem.
 * `stem` is the name that names the device's files, options and rows everywhere;
 * each row declares a constant `guid_<stem>`.
 */
/* clang-format off */
#define GUID_INTERFACES(X)                                                                         \
	X(AVMA1, avma1, "automatic VM activation, first form",                                     \
		0xf8e65716, 0x3cb3, 0x4a06, 0x9a60, 0x1889c5cccab5)                                \
	X(AVMA2, avma2, "automatic VM activation, second form",                                    \
		0x3375baf4, 0x9e15, 0x4b30, 0xb765, 0x67acb10d607b)                                \
	X(BALLOON, balloon, "dynamic memory",                                                      \
		0x525074dc, 0x8985, 0x46e2, 0x8057, 0xa307dc18a502)                                \
	X(FCOPY, fcopy, "guest services (file copy)",                                              \
		0x34d14be3, 0xdee4, 0x41c8, 0x9ae7, 0x6b174977c192)                                \
	X(FIBRE_CHANNEL, fibre_channel, "synthetic fibre channel adapter",                         \
		0x2f9bcc4a, 0x0069, 0x4af3, 0xb76b, 0x6fd0be528cda)                                \
	X(HEARTBEAT, heartbeat, "heartbeat",                                                       \
		0x57164f39, 0x9115, 0x4e78, 0xab55, 0x382f3bd5422d)                                \
	X(IDE, ide, "IDE accelerator",                                                             \
		0x32412632, 0x86cb, 0x44a2, 0x9b5c, 0x50d1417354f5)                                \
	X(KEYBOARD, keyboard, "synthetic keyboard",                                                \
		0xf912ad6d, 0x2b17, 0x48ea, 0xbd65, 0xf927a61c7684)                                \
	X(KVP, kvp, "key-value pair exchange",                                                     \
		0xa9a0f4e7, 0x5a45, 0x4d96, 0xb827, 0x8a841e8c03e6)                                \
	X(MOUSE, mouse, "synthetic mouse",                                                         \
		0xcfa8b69e, 0x5b4a, 0x4cc0, 0xb98b, 0x8ba1a1f3f95a)                                \
	X(NETWORK, network, "synthetic network adapter",                                           \
		0xf8615163, 0xdf3e, 0x46c5, 0x913f, 0xf2d2f965ed0e)                                \
	X(NETWORK_DIRECT, network_direct, "network direct (RDMA)",                                 \
		0x8c2eaf3d, 0x32a7, 0x4b09, 0xab99, 0xbd1f1c86b501)                                \
	X(RDV, rdv, "remote desktop virtualization",                                               \
		0x276aacf4, 0xac15, 0x426c, 0x98dd, 0x7521ad3f01fe)                                \
	X(SHUTDOWN, shutdown, "guest shutdown",                                                    \
		0x0e0b6031, 0x5213, 0x4934, 0x818b, 0x38d90ced39db)                                \
	X(STORAGE, storage, "SCSI controller",                                                     \
		0xba6163d9, 0x04a1, 0x4d29, 0xb605, 0x72e2ffb1dc7f)                                \
	X(TIMESYNC, timesync, "time synchronization",                                              \
		0x9527e630, 0xd0ae, 0x497b, 0xadce, 0xe80ab0175caf)                                \
	X(VIDEO, video, "synthetic video adapter",                                                 \
		0xda0a7802, 0xe377, 0x4aac, 0x8e77, 0x0558eb1073f8)                                \
	X(VMBFS, vmbfs, "VMBus file system (initial machine configuration)",                       \
		0xc376c1c3, 0xd276, 0x48d2, 0x90a9, 0xc04748072c60)                                \
	X(VPCI, vpci, "PCI pass-through",                                                          \
		0x44c4f61d, 0x4444, 0x4400, 0x9d52, 0x802e27ede19f)                                \
	X(VSS, vss, "volume snapshot (backup)",                                                    \
		0x35fa2e29, 0xea23, 0x4236, 0x96ae, 0x3a6ebacba440)
/* clang-format on */

/*
 * Instances that are the same in every virtual machine: X(NAME, stem, five groups),
 * declared as `guid_<stem>_instance`. `stem` is that of the interface. A device with
 * no row here has an instance id of its own in each machine (controllers, network
 * adapters, pass-through functions).
 */
/* clang-format off */
#define GUID_INSTANCES(X)                                                                          \
	X(BALLOON, balloon, 0x1eccfd72, 0x4b41, 0x45ef, 0xb73a, 0x4a6e44c12924)                    \
	X(FCOPY, fcopy, 0xeb765408, 0x105f, 0x49b6, 0xb4aa, 0xc123b64d17d4)                        \
	X(HEARTBEAT, heartbeat, 0xfd149e91, 0x82e0, 0x4a7d, 0xafa6, 0x2a4166cbd7c0)                \
	X(KEYBOARD, keyboard, 0xd34b2567, 0xb9b6, 0x42b9, 0x8778, 0x0a4ec0b955bf)                  \
	X(KVP, kvp, 0x242ff919, 0x07db, 0x4180, 0x9c2e, 0xb86cb68c8c55)                            \
	X(MOUSE, mouse, 0x58f75a6d, 0xd949, 0x4320, 0x99e1, 0xa2a2576d581c)                        \
	X(RDV, rdv, 0xf5bee29c, 0x1741, 0x4aad, 0xa4c2, 0x8fdedb46dcc2)                            \
	X(SHUTDOWN, shutdown, 0xb6650ff7, 0x33bc, 0x4840, 0x8048, 0xe0676786f393)                  \
	X(TIMESYNC, timesync, 0x2dd1ce17, 0x079e, 0x403c, 0xb352, 0xa1921ee207ee)                  \
	X(VIDEO, video, 0x5620e0c7, 0x8062, 0x4dce, 0xaeb7, 0x520c7ef76171)                        \
	X(VSS, vss, 0x2450ee40, 0x33bf, 0x4fbd, 0x892e, 0x9fb06e9214cf)
/* clang-format on */

enum guid_interface {
#define GUID_INTERFACE_ENUM(NAME, stem, title, a, b, c, d, e) GUID_INTERFACE_##NAME,
	GUID_INTERFACES(GUID_INTERFACE_ENUM)
#undef GUID_INTERFACE_ENUM
		GUID_INTERFACE_COUNT
};

#define GUID_DECLARE(NAME, stem, title, a, b, c, d, e) extern const struct guid guid_##stem;
GUID_INTERFACES(GUID_DECLARE)
#undef GUID_DECLARE

#define GUID_DECLARE(NAME, stem, a, b, c, d, e) extern const struct guid guid_##stem##_instance;
GUID_INSTANCES(GUID_DECLARE)
#undef GUID_DECLARE

/* All zeros: no GUID. */
extern const struct guid guid_zero;

/*
 * Service id of AF_VSOCK port 0 over hvsock: the port replaces the first group
 * (xxxxxxxx-facb-11e6-bd58-64006a7986d3).
 */
extern const struct guid guid_vsock_template;

/* A row of the interface table. Strings live for ever. */
struct guid_interface_info {
	struct guid id;
	const char *stem;  /* "storage" */
	const char *title; /* "SCSI controller" */
};

/* Rows in the order of enum guid_interface, which is alphabetical by stem. */
extern const struct guid_interface_info guid_interface_table[GUID_INTERFACE_COUNT];

/* True if both are the same GUID. */
bool guid_equal(const struct guid *a, const struct guid *b);

/*
 * Total order for sorting: negative, 0 or positive as a sorts before, with or after
 * b. It is the order of the text form (group by group as numbers), so that a sorted
 * list looks sorted.
 */
int guid_compare(const struct guid *a, const struct guid *b);

/* True if all 16 bytes are 0. */
bool guid_is_zero(const struct guid *id);

/*
 * Read the text form: 36 characters, hexadecimal digits of either case, with or
 * without one pair of braces, nothing before or after. Returns 0, or
 * -VIRIDIAN_EINVAL with *id untouched. `text` is a string ended by NUL.
 */
int guid_parse(const char *text, struct guid *id);

/*
 * Write the text form, lower case, no braces, NUL at the end: GUID_TEXT_BYTES bytes.
 * Returns `text`.
 */
char *guid_format(const struct guid *id, char text[GUID_TEXT_BYTES]);

/*
 * The instance id that a device of this interface has in every virtual machine, or NULL
 * if each machine has its own (or `which` is out of range).
 */
const struct guid *guid_interface_instance(enum guid_interface which);

/* Row of an interface id, or NULL if it has no name. */
const struct guid_interface_info *guid_interface_find(const struct guid *id);

/* Row of the interface with this stem ("storage"), or NULL. Exact match. */
const struct guid_interface_info *guid_interface_by_stem(const char *stem);

/* Stem of an interface id, "vsock" for a vsock service id, or NULL if it has no name. */
const char *guid_interface_name(const struct guid *id);

/* The hvsock service id of a vsock port. */
struct guid guid_vsock_from_port(uint32_t port);

/* True if `id` is a vsock service id; then *port (if not NULL) is its port. */
bool guid_vsock_to_port(const struct guid *id, uint32_t *port);

#ifdef __cplusplus
}
#endif

#endif
