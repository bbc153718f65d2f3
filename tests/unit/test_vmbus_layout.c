// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus control messages: layouts against golden bytes, and the integrity of the message
 * and version tables.
 *
 * The bytes are written out by hand from protocol/vmbus.md, or recorded from
 * unmodified Debian guests (Linux 6.1.176 and 6.12.117 cloud kernels): those are
 * marked "recorded". None is made by the code under test.
 */
#include "protocol/hypervisor.h"
#include "protocol/vmbus.h"
#include "tests/harness.h"

#include <string.h>

/* The value has exactly these bytes, and no others. */
#define ASSERT_BYTES(value, ...)                                                                   \
	do {                                                                                       \
		static const uint8_t expected_[] = {__VA_ARGS__};                                  \
		CU_ASSERT_EQUAL(sizeof(value), sizeof(expected_));                                 \
		CU_ASSERT_EQUAL(memcmp(&(value), expected_, sizeof(expected_)), 0);                \
	} while (0)

/* The first bytes of the value are these. */
#define ASSERT_PREFIX(value, ...)                                                                  \
	do {                                                                                       \
		static const uint8_t expected_[] = {__VA_ARGS__};                                  \
		CU_ASSERT_TRUE(sizeof(value) >= sizeof(expected_));                                \
		CU_ASSERT_EQUAL(memcmp(&(value), expected_, sizeof(expected_)), 0);                \
	} while (0)

/* A structure filled from the given bytes; the rest is zero. */
#define FROM_BYTES(value, ...)                                                                     \
	do {                                                                                       \
		static const uint8_t bytes_[] = {__VA_ARGS__};                                     \
		CU_ASSERT_TRUE_FATAL(sizeof(value) >= sizeof(bytes_));                             \
		memset(&(value), 0, sizeof(value));                                                \
		memcpy(&(value), bytes_, sizeof(bytes_));                                          \
	} while (0)

/* ---- headers alone ------------------------------------------------------------------------- */

static void request_offers_and_unload_are_eight_bytes(void)
{
	const struct vmbus_header_wire request = {.type = VMBUS_MESSAGE_REQUEST_OFFERS};
	ASSERT_BYTES(request, 3, 0, 0, 0, 0, 0, 0, 0);
	const struct vmbus_header_wire unload = {.type = VMBUS_MESSAGE_UNLOAD};
	ASSERT_BYTES(unload, 0x10, 0, 0, 0, 0, 0, 0, 0);
}

/* ---- contact ------------------------------------------------------------------------------- */

static void initiate_contact_puts_sint_where_the_interrupt_page_was(void)
{
	const struct vmbus_initiate_contact_wire contact = {
		.header.type = VMBUS_MESSAGE_INITIATE_CONTACT,
		.version = VMBUS_VERSION_5_3,
		.target.sint = VMBUS_SINT,
	};
	ASSERT_PREFIX(contact, 0x0e, 0, 0, 0, 0, 0, 0, 0, 3, 0, 5, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void initiate_contact_6_0_carries_features_and_monitor_pages(void)
{
	const struct vmbus_initiate_contact_wire contact = {
		.header.type = VMBUS_MESSAGE_INITIATE_CONTACT,
		.version = VMBUS_VERSION_6_0,
		.target_vp = 1,
		.target = {.sint = VMBUS_SINT,
			.features = VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS |
				    VMBUS_FEATURE_INTERRUPT_REDIRECTION |
				    VMBUS_FEATURE_MODIFY_CONNECTION | VMBUS_FEATURE_PAUSE_RESUME},
		.parent_to_child_page_gpa = 0x101000,
		.child_to_parent_page_gpa = 0x102000,
	};
	ASSERT_PREFIX(contact, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0x27,
		0, 0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0, 0x20, 0x10, 0, 0, 0, 0, 0);
}

static void initiate_contact_2_4_carries_the_interrupt_page(void)
{
	const struct vmbus_initiate_contact_wire contact = {
		.header.type = VMBUS_MESSAGE_INITIATE_CONTACT,
		.version = VMBUS_VERSION_2_4,
		.interrupt_page_gpa = 0x100000,
		.parent_to_child_page_gpa = 0x101000,
		.child_to_parent_page_gpa = 0x102000,
	};
	ASSERT_PREFIX(contact, 0x0e, 0, 0, 0, 0, 0, 0, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0,
		0, 0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0, 0x20, 0x10, 0, 0, 0, 0, 0);
}

/* Recorded: Linux 6.1.176, all devices, 5.3, posted on connection 4. */
static void recorded_contact_5_3_reads_as_meant(void)
{
	struct vmbus_initiate_contact_wire contact;
	FROM_BYTES(contact, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x05, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xe0,
		0x63, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0xd0, 0x63, 0x05, 0x00, 0x00, 0x00, 0x00);
	CU_ASSERT_EQUAL(contact.header.type, VMBUS_MESSAGE_INITIATE_CONTACT);
	CU_ASSERT_EQUAL(contact.version, VMBUS_VERSION_5_3);
	CU_ASSERT_EQUAL(contact.target_vp, 0);
	CU_ASSERT_EQUAL(contact.target.sint, VMBUS_SINT);
	CU_ASSERT_EQUAL(contact.target.vtl, VMBUS_VTL);
	CU_ASSERT_EQUAL(contact.target.features, 0);
	CU_ASSERT_EQUAL(contact.parent_to_child_page_gpa, 0x0563e000);
	CU_ASSERT_EQUAL(contact.child_to_parent_page_gpa, 0x0563d000);
}

/* Recorded: Linux 6.12.117, a host that has only 4.1; the fall-back, on connection 1. */
static void recorded_contact_4_1_names_the_interrupt_page(void)
{
	struct vmbus_initiate_contact_wire contact;
	FROM_BYTES(contact, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x04, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x78, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x70,
		0x78, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x60, 0x78, 0x05, 0x00, 0x00, 0x00, 0x00);
	CU_ASSERT_EQUAL(contact.version, VMBUS_VERSION_4_1);
	CU_ASSERT_EQUAL(contact.interrupt_page_gpa, 0x05788000);
	CU_ASSERT_EQUAL(contact.parent_to_child_page_gpa, 0x05787000);
	CU_ASSERT_EQUAL(contact.child_to_parent_page_gpa, 0x05786000);
}

static void version_response_has_three_sizes(void)
{
	struct vmbus_version_response_wire refused = {
		.header.type = VMBUS_MESSAGE_VERSION_RESPONSE};
	ASSERT_PREFIX(refused, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

	struct vmbus_version_response_wire response = refused;
	response.supported = 1;
	response.selected = VMBUS_VERSION_4_0;
	ASSERT_PREFIX(response, 0x0f, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0);
	response.selected = VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT;
	ASSERT_PREFIX(response, 0x0f, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0);

	response.features = 0x27;
	ASSERT_PREFIX(response, 0x0f, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0x27, 0, 0, 0);

	response.features = 0x47;
	response.child_to_parent_page_gpa = 0xff000;
	ASSERT_BYTES(response, 0x0f, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0x47, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x0f, 0, 0, 0, 0, 0);
}

/* ---- offers -------------------------------------------------------------------------------- */

/* Written by hand: a SCSI controller of relid 5, signalled by connection 0x2005. */
static void offer_channel_reads_field_by_field(void)
{
	uint8_t bytes[196] = {[0] = 1,
		/* interface, instance */
		[8] = 0xd9,
		0x63,
		0x61,
		0xba,
		0xa1,
		0x04,
		0x29,
		0x4d,
		0xb6,
		0x05,
		0x72,
		0xe2,
		0xff,
		0xb1,
		0xdc,
		0x7f,
		0x10,
		0x11,
		0x12,
		0x13,
		0x14,
		0x15,
		0x16,
		0x17,
		0x18,
		0x19,
		0x1a,
		0x1b,
		0x1c,
		0x1d,
		0x1e,
		0x1f,
		/* flags 0x2011, 8 MiB, user data */
		[56] = 0x11,
		0x20,
		0x08,
		0x00,
		0xaa,
		[179] = 0xbb,
		/* subchannel 3, optional 0x0102 MiB, relid 5, monitor 9 allocated */
		[180] = 3,
		0,
		2,
		1,
		5,
		0,
		0,
		0,
		9,
		1,
		/* dedicated, connection id */
		[190] = 1,
		0,
		0x05,
		0x20,
		0,
		0};
	struct vmbus_offer_channel_wire offer;
	memcpy(&offer, bytes, sizeof(offer));
	CU_ASSERT_EQUAL(offer.header.type, VMBUS_MESSAGE_OFFER_CHANNEL);
	CU_ASSERT_TRUE(guid_equal(&offer.interface_id, &guid_storage));
	CU_ASSERT_EQUAL(offer.instance_id.bytes[0], 0x10);
	CU_ASSERT_EQUAL(offer.flags, VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE |
					     VMBUS_OFFER_NAMED_PIPE | VMBUS_OFFER_TLNPI_PROVIDER);
	CU_ASSERT_EQUAL(offer.mmio_megabytes, 8);
	CU_ASSERT_EQUAL(offer.user_data[0], 0xaa);
	CU_ASSERT_EQUAL(offer.user_data[119], 0xbb);
	CU_ASSERT_EQUAL(offer.subchannel_index, 3);
	CU_ASSERT_EQUAL(offer.mmio_megabytes_optional, 0x0102);
	CU_ASSERT_EQUAL(offer.relid, 5);
	CU_ASSERT_EQUAL(offer.monitor_id, 9);
	CU_ASSERT_EQUAL(offer.monitor_flags, VMBUS_OFFER_MONITOR_ALLOCATED);
	CU_ASSERT_EQUAL(offer.interrupt_flags, VMBUS_OFFER_DEDICATED_INTERRUPT);
	CU_ASSERT_EQUAL(offer.connection_id, 0x2005);
	CU_ASSERT_EQUAL(offer.connection_id, vmbus_channel_connection_id(5, VMBUS_SINT, VMBUS_VTL));
}

static void rescind_and_release_name_the_relid(void)
{
	const struct vmbus_rescind_channel_offer_wire rescind = {
		.header.type = VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER, .relid = 5};
	ASSERT_BYTES(rescind, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0);
	const struct vmbus_rel_id_released_wire released = {
		.header.type = VMBUS_MESSAGE_REL_ID_RELEASED, .relid = 5};
	ASSERT_BYTES(released, 0x0d, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0);
}

/* ---- GPADLs -------------------------------------------------------------------------------- */

static void gpadl_header_of_two_pages(void)
{
	const struct {
		struct vmbus_gpadl_header_wire header;
		struct vmbus_gpadl_range_wire range;
		uint64_t pages[2];
	} PROTOCOL_PACKED message = {
		.header = {.header.type = VMBUS_MESSAGE_GPADL_HEADER,
			.relid = 5,
			.gpadl_id = 0xe1e10,
			.range_bytes = 24,
			.range_count = 1},
		.range = {.byte_count = 8192},
		.pages = {0x12345, 0x12346},
	};
	ASSERT_BYTES(message, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x10, 0x1e, 0x0e, 0, 0x18, 0, 1,
		0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0x45, 0x23, 1, 0, 0, 0, 0, 0, 0x46, 0x23, 1, 0, 0, 0,
		0, 0);
}

/* Recorded: Linux 6.1.176, all devices, the ring of the SCSI controller: 64 pages. */
static void recorded_gpadl_header_is_full(void)
{
	static const uint8_t recorded[28] = {0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07,
		0x00, 0x00, 0x00, 0x10, 0x1e, 0x0e, 0x00, 0x08, 0x02, 0x01, 0x00, 0x00, 0x00, 0x04,
		0x00, 0x00, 0x00, 0x00, 0x00};
	struct vmbus_gpadl_header_wire header;
	struct vmbus_gpadl_range_wire range;
	memcpy(&header, recorded, sizeof(header));
	memcpy(&range, recorded + sizeof(header), sizeof(range));
	CU_ASSERT_EQUAL(header.relid, 7);
	CU_ASSERT_EQUAL(header.gpadl_id, 0xe1e10);
	CU_ASSERT_EQUAL(header.range_bytes, 8 * (1 + 64));
	CU_ASSERT_EQUAL(header.range_count, 1);
	CU_ASSERT_EQUAL(range.byte_count, 64 * VMBUS_PAGE_BYTES);
	CU_ASSERT_EQUAL(range.byte_offset, 0);
	/* It had 236 bytes: the range and 26 pages, as many as fit. */
	CU_ASSERT_EQUAL(sizeof(header) + 8 * VMBUS_GPADL_HEADER_U64_MAX, 236);
	CU_ASSERT_TRUE(236 + 8 > VMBUS_MESSAGE_BYTES_MAX);
	CU_ASSERT_EQUAL(sizeof(struct vmbus_gpadl_body_wire) + 8 * VMBUS_GPADL_BODY_U64_MAX, 240);
}

static void gpadl_body_of_one_page(void)
{
	const struct {
		struct vmbus_gpadl_body_wire body;
		uint64_t page;
	} PROTOCOL_PACKED message = {
		.body = {.header.type = VMBUS_MESSAGE_GPADL_BODY, .gpadl_id = 0xe1e10},
		.page = 1,
	};
	ASSERT_BYTES(message, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x1e, 0x0e, 0, 1, 0, 0, 0,
		0, 0, 0, 0);
}

static void gpadl_answers_name_channel_and_id(void)
{
	struct vmbus_gpadl_created_wire created = {
		.header.type = VMBUS_MESSAGE_GPADL_CREATED, .relid = 5, .gpadl_id = 0xe1e10};
	ASSERT_BYTES(
		created, 0x0a, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x10, 0x1e, 0x0e, 0, 0, 0, 0, 0);
	created.status = VMBUS_STATUS_FAILURE;
	ASSERT_BYTES(created, 0x0a, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x10, 0x1e, 0x0e, 0, 0xff,
		0xff, 0, 0x80);
	const struct vmbus_gpadl_teardown_wire teardown = {
		.header.type = VMBUS_MESSAGE_GPADL_TEARDOWN, .relid = 5, .gpadl_id = 0xe1e10};
	ASSERT_BYTES(teardown, 0x0b, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x10, 0x1e, 0x0e, 0);
	const struct vmbus_gpadl_torndown_wire torndown = {
		.header.type = VMBUS_MESSAGE_GPADL_TORNDOWN, .gpadl_id = 0xe1e10};
	ASSERT_BYTES(torndown, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x1e, 0x0e, 0);
}

/* ---- channels ------------------------------------------------------------------------------ */

/* Recorded: Linux 6.1.176, two VPs, the first sub-channel of a SCSI controller (148 bytes). */
static void recorded_open_names_ring_and_vp(void)
{
	struct vmbus_open_channel_wire open;
	FROM_BYTES(open, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
		0x03, 0x00, 0x00, 0x00, 0x11, 0x1e, 0x0e, 0x00, 0x01, 0x00, 0x00, 0x00, 0x20, 0x00,
		0x00, 0x00);
	CU_ASSERT_EQUAL(open.header.type, VMBUS_MESSAGE_OPEN_CHANNEL);
	CU_ASSERT_EQUAL(open.relid, 3);
	CU_ASSERT_EQUAL(open.open_id, 3);
	CU_ASSERT_EQUAL(open.ring_gpadl_id, 0xe1e11);
	CU_ASSERT_EQUAL(open.target_vp, 1);
	CU_ASSERT_EQUAL(open.downstream_page_offset, 32);
	CU_ASSERT_EQUAL(offsetof(struct vmbus_open_channel_wire, connection_id), 148);
}

static void open_result_and_close(void)
{
	const struct vmbus_open_channel_result_wire result = {
		.header.type = VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, .relid = 5, .open_id = 5};
	ASSERT_BYTES(result, 6, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0);
	const struct vmbus_close_channel_wire close = {
		.header.type = VMBUS_MESSAGE_CLOSE_CHANNEL, .relid = 5};
	ASSERT_BYTES(close, 7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0);
}

static void modify_messages(void)
{
	const struct vmbus_modify_channel_wire modify = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL, .relid = 5, .target_vp = 3};
	ASSERT_BYTES(modify, 0x16, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0);
	const struct vmbus_modify_channel_response_wire response = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, .relid = 5};
	ASSERT_BYTES(response, 0x18, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0);
	const struct vmbus_modify_connection_response_wire failed = {
		.header.type = VMBUS_MESSAGE_MODIFY_CONNECTION_RESPONSE,
		.connection_state = VMBUS_CONNECTION_FAILED};
	ASSERT_BYTES(failed, 0x1a, 0, 0, 0, 0, 0, 0, 0, 2);
	/* Recorded: Linux 6.12.117, two VPs, channel 1 to VP 1. */
	struct vmbus_modify_channel_wire recorded;
	FROM_BYTES(recorded, 0x16, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
		0x01, 0x00, 0x00, 0x00);
	CU_ASSERT_EQUAL(recorded.relid, 1);
	CU_ASSERT_EQUAL(recorded.target_vp, 1);
}

/* Recorded: Linux 6.1.176, connect() to port 5000 of the host; the 40-byte form, at 5.3. */
static void recorded_tl_connect_names_endpoint_and_service(void)
{
	struct vmbus_tl_connect_request_wire request;
	FROM_BYTES(request, 0x15, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6a, 0x33, 0x28, 0x04,
		0xcb, 0xfa, 0xe6, 0x11, 0xbd, 0x58, 0x64, 0x00, 0x6a, 0x79, 0x86, 0xd3, 0x88, 0x13,
		0x00, 0x00, 0xcb, 0xfa, 0xe6, 0x11, 0xbd, 0x58, 0x64, 0x00, 0x6a, 0x79, 0x86, 0xd3);
	uint32_t port = 0;
	CU_ASSERT_TRUE(guid_vsock_to_port(&request.service_id, &port));
	CU_ASSERT_EQUAL(port, 5000);
	CU_ASSERT_TRUE(guid_vsock_to_port(&request.endpoint_id, &port));
	CU_ASSERT_EQUAL(port, 0x0428336a);
	const struct vmbus_message_info *row = vmbus_message_find(VMBUS_MESSAGE_TL_CONNECT_REQUEST);
	CU_ASSERT_EQUAL(vmbus_message_min_bytes(row, VMBUS_VERSION_5_3, 0), 40);
}

static void monitor_pending_word_is_found_by_id(void)
{
	static const struct {
		uint32_t id;
		uint32_t offset;
	} expected[] = {{0, 0x08}, {31, 0x08}, {32, 0x10}, {95, 0x18}, {96, 0x20}, {127, 0x20}};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		CU_ASSERT_EQUAL(vmbus_monitor_pending_offset(expected[i].id), expected[i].offset);
	}
	CU_ASSERT_EQUAL(offsetof(struct vmbus_monitor_page_wire, trigger_group[3].pending), 0x20);
}

static void relid_bounds(void)
{
	CU_ASSERT_FALSE(vmbus_relid_is_valid(0));
	CU_ASSERT_TRUE(vmbus_relid_is_valid(1));
	CU_ASSERT_TRUE(vmbus_relid_is_valid(2047));
	CU_ASSERT_FALSE(vmbus_relid_is_valid(2048));
	CU_ASSERT_FALSE(vmbus_relid_is_valid(0xffffffff));
}

/* ---- tables -------------------------------------------------------------------------------- */

static void message_table_is_sorted_and_complete(void)
{
	for (uint32_t type = 1; type <= VMBUS_MESSAGE_TYPE_MAX; type++) {
		const struct vmbus_message_info *row = vmbus_message_find(type);
		CU_ASSERT_PTR_NOT_NULL_FATAL(row);
		CU_ASSERT_EQUAL(row->type, type);
		CU_ASSERT_TRUE(strlen(row->name) > 3);
		CU_ASSERT_TRUE(row->min_bytes >= VMBUS_HEADER_BYTES);
		CU_ASSERT_TRUE(row->min_bytes <= VMBUS_MESSAGE_BYTES_MAX);
		CU_ASSERT_TRUE(
			row->version == VMBUS_VERSION_ANY || vmbus_version_find(row->version));
		for (uint32_t other = 1; other < type; other++) {
			CU_ASSERT_STRING_NOT_EQUAL(row->name, vmbus_message_name(other));
		}
	}
	CU_ASSERT_PTR_NULL(vmbus_message_find(0));
	CU_ASSERT_PTR_NULL(vmbus_message_find(30));
	CU_ASSERT_PTR_NULL(vmbus_message_find(0xffffffff));
	CU_ASSERT_STRING_EQUAL(vmbus_message_name(1), "OFFER_CHANNEL");
	CU_ASSERT_STRING_EQUAL(vmbus_message_name(29), "RESUME");
	CU_ASSERT_STRING_EQUAL(vmbus_message_name(30), "unknown");
	CU_ASSERT_STRING_EQUAL(vmbus_message_name(0), "unknown");
}

/* Direction and size of each type, written out again: H from the host, G from the guest. */
static void message_table_has_the_directions_and_sizes_of_the_specification(void)
{
	static const char directions[] = "HHGHGHGGGHGHGGHGHGGHGGHHGHGHG";
	static const uint16_t sizes[] = {190, 12, 8, 8, 148, 20, 12, 20, 16, 20, 16, 12, 12, 40, 9,
		8, 8, 28, 20, 12, 40, 16, 44, 16, 24, 9, 8, 8, 8};
	CU_ASSERT_EQUAL(sizeof(directions) - 1, VMBUS_MESSAGE_TYPE_MAX);
	CU_ASSERT_EQUAL(sizeof(sizes) / sizeof(sizes[0]), VMBUS_MESSAGE_TYPE_MAX);
	for (uint32_t i = 0; i < VMBUS_MESSAGE_TYPE_MAX; i++) {
		const enum vmbus_direction direction = directions[i] == 'H' ? VMBUS_HOST_TO_GUEST
									    : VMBUS_GUEST_TO_HOST;
		CU_ASSERT_EQUAL(vmbus_message_table[i].direction, direction);
		CU_ASSERT_EQUAL(vmbus_message_table[i].min_bytes, sizes[i]);
	}
}

static bool is_allowed(uint32_t type, uint32_t version, uint32_t features)
{
	return vmbus_message_is_allowed(vmbus_message_find(type), version, features);
}

static void only_four_messages_are_allowed_while_disconnected(void)
{
	for (uint32_t type = 1; type <= VMBUS_MESSAGE_TYPE_MAX; type++) {
		const bool expected = type == VMBUS_MESSAGE_INITIATE_CONTACT ||
				      type == VMBUS_MESSAGE_VERSION_RESPONSE ||
				      type == VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL ||
				      type == VMBUS_MESSAGE_CLOSE_RESERVED_RESPONSE;
		CU_ASSERT_EQUAL(
			is_allowed(type, VMBUS_VERSION_ANY, VMBUS_FEATURES_KNOWN), expected);
	}
}

static void only_resume_unload_and_contact_reach_a_paused_host(void)
{
	for (uint32_t i = 0; i < VMBUS_MESSAGE_TYPE_MAX; i++) {
		const struct vmbus_message_info *row = &vmbus_message_table[i];
		if (row->direction != VMBUS_GUEST_TO_HOST)
			continue;
		const bool expected = row->type == VMBUS_MESSAGE_RESUME ||
				      row->type == VMBUS_MESSAGE_UNLOAD ||
				      row->type == VMBUS_MESSAGE_INITIATE_CONTACT;
		CU_ASSERT_EQUAL((row->allowed & VMBUS_ALLOWED_PAUSED) != 0, expected);
	}
}

static void messages_appear_with_their_version_and_feature(void)
{
	CU_ASSERT_TRUE(is_allowed(VMBUS_MESSAGE_OPEN_CHANNEL, VMBUS_VERSION_0_13, 0));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_UNLOAD_COMPLETE, VMBUS_VERSION_0_13, 0));
	CU_ASSERT_TRUE(is_allowed(VMBUS_MESSAGE_UNLOAD_COMPLETE, VMBUS_VERSION_1_1, 0));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_TL_CONNECT_REQUEST, VMBUS_VERSION_3_0, 0));
	CU_ASSERT_TRUE(is_allowed(VMBUS_MESSAGE_TL_CONNECT_REQUEST, VMBUS_VERSION_4_0, 0));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_MODIFY_CHANNEL, VMBUS_VERSION_4_0, 0));
	CU_ASSERT_TRUE(is_allowed(VMBUS_MESSAGE_MODIFY_CHANNEL, VMBUS_VERSION_4_1, 0));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, VMBUS_VERSION_5_2, 0));
	CU_ASSERT_TRUE(is_allowed(VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, VMBUS_VERSION_5_3, 0));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_PAUSE, VMBUS_VERSION_6_0, 0));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_PAUSE, VMBUS_VERSION_6_0, 0xffffffdf));
	CU_ASSERT_TRUE(is_allowed(VMBUS_MESSAGE_PAUSE, VMBUS_VERSION_6_0, 0x20));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_PAUSE, VMBUS_VERSION_5_3, 0xffffffff));
	CU_ASSERT_TRUE(is_allowed(VMBUS_MESSAGE_MODIFY_CONNECTION, VMBUS_VERSION_6_0, 0x04));
	/* No such version: nothing is allowed. */
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_OPEN_CHANNEL, 0x00050004, 0));
	CU_ASSERT_FALSE(is_allowed(VMBUS_MESSAGE_OPEN_CHANNEL, 0xffffffff, 0xffffffff));
}

static size_t min_bytes(uint32_t type, uint32_t version, uint32_t features)
{
	return vmbus_message_min_bytes(vmbus_message_find(type), version, features);
}

static void minimum_sizes_follow_version_and_features(void)
{
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_OFFER_CHANNEL, VMBUS_VERSION_0_13, 0), 190);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_OFFER_CHANNEL, VMBUS_VERSION_1_1, 0), 196);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_OPEN_CHANNEL, VMBUS_VERSION_6_0, 0xfc), 148);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_OPEN_CHANNEL, VMBUS_VERSION_6_0, 0x01), 156);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_OPEN_CHANNEL, VMBUS_VERSION_6_0, 0x02), 156);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_OPEN_CHANNEL, VMBUS_VERSION_5_3, 0x03), 148);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_INITIATE_CONTACT, VMBUS_VERSION_6_0, 0xf7), 40);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_INITIATE_CONTACT, VMBUS_VERSION_6_0, 0x08), 56);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_INITIATE_CONTACT, VMBUS_VERSION_5_3, 0x08), 40);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_VERSION_RESPONSE, VMBUS_VERSION_4_0, 0), 9);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_VERSION_RESPONSE, VMBUS_VERSION_5_0, 0), 16);
	CU_ASSERT_EQUAL(min_bytes(VMBUS_MESSAGE_CLOSE_CHANNEL, VMBUS_VERSION_6_0, 0xff), 12);
}

static void version_table_is_newest_first_and_only_grows(void)
{
	static const uint32_t values[] = {0x00060000, 0x00050003, 0x00050002, 0x00050001,
		0x00050000, 0x00040001, 0x00040000, 0x00030000, 0x00020004, 0x00010001, 0x0000000d};
	CU_ASSERT_EQUAL(sizeof(values) / sizeof(values[0]), VMBUS_VERSION_COUNT);
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++) {
		const struct vmbus_version_info *row = &vmbus_version_table[i];
		CU_ASSERT_EQUAL(row->version, values[i]);
		CU_ASSERT_PTR_EQUAL(vmbus_version_find(values[i]), row);
		CU_ASSERT_TRUE(strlen(row->text) >= 3);
		CU_ASSERT_TRUE(strlen(row->host) > 0);
		const uint32_t older =
			i + 1 < VMBUS_VERSION_COUNT ? vmbus_version_table[i + 1].capabilities : 0;
		CU_ASSERT_EQUAL(row->capabilities, older | row->added);
		CU_ASSERT_EQUAL(older & row->added, 0);
	}
	CU_ASSERT_EQUAL(vmbus_version_table[0].capabilities, 0x1ffff);
}

static void unlisted_versions_do_not_exist(void)
{
	static const uint32_t values[] = {0, 0x0000000c, 0x0000000e, 0x00010000, 0x00020005,
		0x00050004, 0x00060001, 0x00070000, 0xffffffff};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		CU_ASSERT_PTR_NULL(vmbus_version_find(values[i]));
		CU_ASSERT_FALSE(vmbus_version_has(values[i], 0));
		CU_ASSERT_FALSE(vmbus_version_has(values[i], VMBUS_CAP_EVENT_FLAGS));
	}
}

static void capabilities_start_with_their_version(void)
{
	static const struct {
		uint32_t cap;
		uint32_t first;
	} expected[] = {
		{VMBUS_CAP_DEDICATED_INTERRUPT, VMBUS_VERSION_1_1},
		{VMBUS_CAP_UNLOAD_RESPONSE, VMBUS_VERSION_1_1},
		{VMBUS_CAP_EVENT_FLAGS, VMBUS_VERSION_2_4},
		{VMBUS_CAP_TARGET_VP, VMBUS_VERSION_2_4},
		{VMBUS_CAP_SUBCHANNELS, VMBUS_VERSION_2_4},
		{VMBUS_CAP_FAILURE_STATE, VMBUS_VERSION_2_4},
		{VMBUS_CAP_PENDING_SEND_SIZE, VMBUS_VERSION_2_4},
		{VMBUS_CAP_MESSAGE_VP, VMBUS_VERSION_3_0},
		{VMBUS_CAP_TL_CONNECT, VMBUS_VERSION_4_0},
		{VMBUS_CAP_RESERVED_CHANNELS, VMBUS_VERSION_4_0},
		{VMBUS_CAP_MODIFY_CHANNEL, VMBUS_VERSION_4_1},
		{VMBUS_CAP_TL_CONNECT_RESULT, VMBUS_VERSION_4_1},
		{VMBUS_CAP_MULTI_CLIENT, VMBUS_VERSION_5_0},
		{VMBUS_CAP_VTL, VMBUS_VERSION_5_1},
		{VMBUS_CAP_SILO, VMBUS_VERSION_5_2},
		{VMBUS_CAP_MODIFY_RESPONSE, VMBUS_VERSION_5_3},
		{VMBUS_CAP_FEATURES, VMBUS_VERSION_6_0},
	};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		for (unsigned j = 0; j < VMBUS_VERSION_COUNT; j++) {
			const uint32_t version = vmbus_version_table[j].version;
			CU_ASSERT_EQUAL(vmbus_version_has(version, expected[i].cap),
				version >= expected[i].first);
		}
	}
	CU_ASSERT_FALSE(
		vmbus_version_has(VMBUS_VERSION_5_0, VMBUS_CAP_MULTI_CLIENT | VMBUS_CAP_VTL));
}

static void rejections_have_names_and_texts(void)
{
	for (unsigned i = 0; i < VMBUS_REJECTION_COUNT; i++) {
		CU_ASSERT_TRUE(strlen(vmbus_rejection_name((enum vmbus_rejection)i)) > 3);
		CU_ASSERT_TRUE(strlen(vmbus_rejection_text((enum vmbus_rejection)i)) > 3);
	}
	CU_ASSERT_STRING_EQUAL(vmbus_rejection_name(VMBUS_REJECTION_NONE), "NONE");
	CU_ASSERT_STRING_EQUAL(
		vmbus_rejection_name(VMBUS_REJECTION_UNKNOWN_CHANNEL), "UNKNOWN_CHANNEL");
	CU_ASSERT_STRING_EQUAL(vmbus_rejection_name(VMBUS_REJECTION_COUNT), "unknown");
}

/* ---- the hypervisor calls under them ------------------------------------------------------- */

static void hypercall_words_have_their_fields(void)
{
	CU_ASSERT_EQUAL(hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 0), 0x5c);
	CU_ASSERT_EQUAL(hv_hypercall_input(HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX, 2, 3),
		0x0000000300040014ull);
	CU_ASSERT_EQUAL(HV_CALL_SIGNAL_EVENT | HV_HYPERCALL_FAST, 0x1005d);
	CU_ASSERT_EQUAL(hv_hypercall_result(HV_STATUS_INVALID_PARAMETER, 7), 0x0000000700000005ull);
	CU_ASSERT_EQUAL(hv_hypercall_result_status(0xffff0fff12340013ull), 0x13);
	CU_ASSERT_EQUAL(hv_hypercall_result_reps(0xfffff123ffff0000ull), 0x123);
	/* Recorded: the parameter of a Linux guest's signal of channel 7 is 07 20 00 00 00 00 00
	 * 00. */
	CU_ASSERT_EQUAL(hv_signal_event_fast(0x2007, 0), 0x2007);
	CU_ASSERT_EQUAL(hv_signal_event_fast(0x2007, 3), 0x0000000300002007ull);
	const uint64_t fields = HV_HYPERCALL_CODE_MASK | HV_HYPERCALL_FAST |
				HV_HYPERCALL_VARHEAD_MASK | HV_HYPERCALL_NESTED |
				HV_HYPERCALL_REP_COUNT_MASK | HV_HYPERCALL_REP_START_MASK;
	CU_ASSERT_EQUAL(fields ^ HV_HYPERCALL_RESERVED_MASK, 0xffffffffffffffffull);
	CU_ASSERT_EQUAL(fields & HV_HYPERCALL_RESERVED_MASK, 0);
}

static void hypervisor_names_and_numbers(void)
{
	CU_ASSERT_EQUAL(HV_STATUS_INVALID_CONNECTION_ID, 0x12);
	CU_ASSERT_EQUAL(HV_STATUS_INSUFFICIENT_BUFFERS, 0x13);
	CU_ASSERT_EQUAL(HV_STATUS_INSUFFICIENT_BUFFER, 0x33);
	CU_ASSERT_STRING_EQUAL(hv_status_name(0), "SUCCESS");
	CU_ASSERT_STRING_EQUAL(hv_status_name(0x13), "INSUFFICIENT_BUFFERS");
	CU_ASSERT_STRING_EQUAL(hv_status_name(0x01), "unknown");
	CU_ASSERT_STRING_EQUAL(hv_call_name(0x5d), "HvCallSignalEvent");
	CU_ASSERT_STRING_EQUAL(hv_call_name(0xbeef), "unknown");
	/* "Microsoft Hv" and "Hv#1" */
	const uint32_t vendor[3] = {HV_CPUID_VENDOR_EBX, HV_CPUID_VENDOR_ECX, HV_CPUID_VENDOR_EDX};
	CU_ASSERT_EQUAL(memcmp(vendor, "Microsoft Hv", 12), 0);
	const uint32_t interface = HV_CPUID_INTERFACE_HV1;
	CU_ASSERT_EQUAL(memcmp(&interface, "Hv#1", 4), 0);
}

static void post_message_and_slot_have_their_bytes(void)
{
	const struct hv_post_message_wire post = {.connection_id = 1,
		.message_type = VMBUS_SYNIC_MESSAGE_TYPE,
		.payload_size = 8,
		.payload = {VMBUS_MESSAGE_REQUEST_OFFERS}};
	ASSERT_PREFIX(post, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0);
	const struct hv_message_wire slot = {.type = 1,
		.payload_size = 12,
		.flags = HV_MESSAGE_FLAG_PENDING,
		.origin = VMBUS_PORT_MESSAGE,
		.payload = {VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER, [8] = 5}};
	ASSERT_PREFIX(slot, 1, 0, 0, 0, 12, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
		5, 0, 0, 0, 0);
	/* SINT 2: its slot and its event flags begin at byte 512 of their pages. */
	CU_ASSERT_EQUAL(offsetof(struct hv_message_page_wire, slot[VMBUS_SINT]), 512);
	CU_ASSERT_EQUAL(offsetof(struct hv_event_flags_page_wire, flags[VMBUS_SINT]), 512);
}

static const struct test tests[] = {
	TEST(request_offers_and_unload_are_eight_bytes),
	TEST(initiate_contact_puts_sint_where_the_interrupt_page_was),
	TEST(initiate_contact_6_0_carries_features_and_monitor_pages),
	TEST(initiate_contact_2_4_carries_the_interrupt_page),
	TEST(recorded_contact_5_3_reads_as_meant),
	TEST(recorded_contact_4_1_names_the_interrupt_page),
	TEST(version_response_has_three_sizes),
	TEST(offer_channel_reads_field_by_field),
	TEST(rescind_and_release_name_the_relid),
	TEST(gpadl_header_of_two_pages),
	TEST(recorded_gpadl_header_is_full),
	TEST(gpadl_body_of_one_page),
	TEST(gpadl_answers_name_channel_and_id),
	TEST(recorded_open_names_ring_and_vp),
	TEST(open_result_and_close),
	TEST(modify_messages),
	TEST(recorded_tl_connect_names_endpoint_and_service),
	TEST(monitor_pending_word_is_found_by_id),
	TEST(relid_bounds),
	TEST(message_table_is_sorted_and_complete),
	TEST(message_table_has_the_directions_and_sizes_of_the_specification),
	TEST(only_four_messages_are_allowed_while_disconnected),
	TEST(only_resume_unload_and_contact_reach_a_paused_host),
	TEST(messages_appear_with_their_version_and_feature),
	TEST(minimum_sizes_follow_version_and_features),
	TEST(version_table_is_newest_first_and_only_grows),
	TEST(unlisted_versions_do_not_exist),
	TEST(capabilities_start_with_their_version),
	TEST(rejections_have_names_and_texts),
	TEST(hypercall_words_have_their_fields),
	TEST(hypervisor_names_and_numbers),
	TEST(post_message_and_slot_have_their_bytes),
};

TEST_MAIN("vmbus_layout", tests)
