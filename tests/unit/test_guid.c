// SPDX-License-Identifier: Apache-2.0
/*
 * GUIDs: wire form against bytes of real offers, text form, names, and the
 * integrity of the interface table.
 */
#include "protocol/errors.h"
#include "protocol/guid.h"
#include "tests/harness.h"

#include <string.h>

static struct guid guid_of(const char *text)
{
	struct guid id;
	memset(&id, 0xee, sizeof(id));
	CU_ASSERT_EQUAL_FATAL(guid_parse(text, &id), 0);
	return id;
}

/* The SCSI interface id as it stands in an OFFER_CHANNEL that Linux 6.1 took as a SCSI controller.
 */
static void guid_wire_form_swaps_the_first_three_groups(void)
{
	static const uint8_t scsi[16] = {0xd9, 0x63, 0x61, 0xba, 0xa1, 0x04, 0x29, 0x4d, 0xb6, 0x05,
		0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f};
	static const uint8_t network[16] = {0x63, 0x51, 0x61, 0xf8, 0x3e, 0xdf, 0xc5, 0x46, 0x91,
		0x3f, 0xf2, 0xd2, 0xf9, 0x65, 0xed, 0x0e};
	CU_ASSERT_EQUAL(memcmp(guid_storage.bytes, scsi, 16), 0);
	CU_ASSERT_EQUAL(memcmp(guid_network.bytes, network, 16), 0);
	const struct guid parsed = guid_of("ba6163d9-04a1-4d29-b605-72e2ffb1dc7f");
	CU_ASSERT_EQUAL(memcmp(parsed.bytes, scsi, 16), 0);
}

static void guid_formats_lower_case_and_ends_the_text(void)
{
	char text[GUID_TEXT_BYTES];
	memset(text, 'x', sizeof(text));
	CU_ASSERT_PTR_EQUAL(guid_format(&guid_storage, text), text);
	CU_ASSERT_STRING_EQUAL(text, "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f");
	CU_ASSERT_EQUAL(text[GUID_TEXT_CHARS], '\0');
	CU_ASSERT_STRING_EQUAL(
		guid_format(&guid_zero, text), "00000000-0000-0000-0000-000000000000");
}

static void guid_parses_either_case_and_braces(void)
{
	const struct guid expected = guid_of("f912ad6d-2b17-48ea-bd65-f927a61c7684");
	const struct guid upper = guid_of("F912AD6D-2B17-48EA-BD65-F927A61C7684");
	const struct guid braced = guid_of("{f912Ad6d-2b17-48ea-bd65-f927a61c7684}");
	CU_ASSERT_TRUE(guid_equal(&expected, &guid_keyboard));
	CU_ASSERT_TRUE(guid_equal(&upper, &expected));
	CU_ASSERT_TRUE(guid_equal(&braced, &expected));
}

static void guid_refuses_malformed_text_and_leaves_the_result_alone(void)
{
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"f912ad6d",
		"f912ad6d-2b17-48ea-bd65-f927a61c768",	 /* one digit short */
		"f912ad6d-2b17-48ea-bd65-f927a61c76844", /* one too many */
		"f912ad6d-2b17-48ea-bd65-f927a61c7684 ", /* trailing space */
		" f912ad6d-2b17-48ea-bd65-f927a61c7684", /* leading space */
		"f912ad6d-2b17-48ea-bd65-f927a61c768g",	 /* no digit */
		"f912ad6d-2b17-48ea-bd65_f927a61c7684",	 /* no hyphen */
		"f912ad6d2b1748eabd65f927a61c7684",	 /* no hyphens at all */
		"f912ad6-d2b17-48ea-bd65-f927a61c7684",	 /* hyphen in the wrong place */
		"{f912ad6d-2b17-48ea-bd65-f927a61c7684", /* brace not closed */
		"f912ad6d-2b17-48ea-bd65-f927a61c7684}", /* brace not opened */
		"{f912ad6d-2b17-48ea-bd65-f927a61c7684}}",
		"f912ad6d-2b17-48ea-bd65-f927a61c76\xc3\xa4",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct guid id = guid_mouse;
		CU_ASSERT_EQUAL(guid_parse(bad[i], &id), -VIRIDIAN_EINVAL);
		CU_ASSERT_TRUE(guid_equal(&id, &guid_mouse));
	}
}

static void guid_equality_looks_at_every_byte(void)
{
	for (unsigned i = 0; i < 16; i++) {
		struct guid other = guid_video;
		other.bytes[i] ^= 0x80;
		CU_ASSERT_FALSE(guid_equal(&other, &guid_video));
		CU_ASSERT_NOT_EQUAL(guid_compare(&other, &guid_video), 0);
		struct guid one = guid_zero;
		CU_ASSERT_TRUE(guid_is_zero(&one));
		one.bytes[i] = 1;
		CU_ASSERT_FALSE(guid_is_zero(&one));
	}
}

static void guid_order_is_that_of_the_text(void)
{
	static const char *const ascending[] = {
		"00000000-0000-0000-0000-000000000000",
		"00000000-0000-0000-0000-000000000001",
		"00000000-0000-0000-0100-000000000000",
		"00000000-0000-0001-0000-000000000000",
		"00000000-0001-0000-0000-000000000000",
		"00000001-0000-0000-0000-000000000000",
		"00000100-0000-0000-0000-000000000000",
		"01000000-0000-0000-0000-000000000000",
		"ff000000-0000-0000-0000-000000000000",
	};
	const size_t count = sizeof(ascending) / sizeof(ascending[0]);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			const struct guid a = guid_of(ascending[i]);
			const struct guid b = guid_of(ascending[j]);
			const int order = guid_compare(&a, &b);
			CU_ASSERT_EQUAL((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}

static void guid_table_round_trips_through_text_and_names(void)
{
	for (unsigned i = 0; i < GUID_INTERFACE_COUNT; i++) {
		const struct guid_interface_info *row = &guid_interface_table[i];
		char text[GUID_TEXT_BYTES];
		struct guid back;
		CU_ASSERT_EQUAL(guid_parse(guid_format(&row->id, text), &back), 0);
		CU_ASSERT_TRUE(guid_equal(&back, &row->id));
		CU_ASSERT_PTR_EQUAL(guid_interface_find(&row->id), row);
		CU_ASSERT_PTR_EQUAL(guid_interface_by_stem(row->stem), row);
		CU_ASSERT_STRING_EQUAL(guid_interface_name(&row->id), row->stem);
		CU_ASSERT_TRUE(strlen(row->title) > 0);
	}
}

/* R-FCOPY-012: every device, written out again from protocol/vmbus.md. */
static void guid_table_has_the_ids_of_the_specification(void)
{
	static const struct {
		const char *stem;
		const char *interface_id;
		const char *instance_id;
	} expected[] = {
		{"avma1", "f8e65716-3cb3-4a06-9a60-1889c5cccab5", NULL},
		{"avma2", "3375baf4-9e15-4b30-b765-67acb10d607b", NULL},
		{"balloon", "525074dc-8985-46e2-8057-a307dc18a502",
			"1eccfd72-4b41-45ef-b73a-4a6e44c12924"},
		{"fcopy", "34d14be3-dee4-41c8-9ae7-6b174977c192",
			"eb765408-105f-49b6-b4aa-c123b64d17d4"},
		{"fibre_channel", "2f9bcc4a-0069-4af3-b76b-6fd0be528cda", NULL},
		{"heartbeat", "57164f39-9115-4e78-ab55-382f3bd5422d",
			"fd149e91-82e0-4a7d-afa6-2a4166cbd7c0"},
		{"ide", "32412632-86cb-44a2-9b5c-50d1417354f5", NULL},
		{"keyboard", "f912ad6d-2b17-48ea-bd65-f927a61c7684",
			"d34b2567-b9b6-42b9-8778-0a4ec0b955bf"},
		{"kvp", "a9a0f4e7-5a45-4d96-b827-8a841e8c03e6",
			"242ff919-07db-4180-9c2e-b86cb68c8c55"},
		{"mouse", "cfa8b69e-5b4a-4cc0-b98b-8ba1a1f3f95a",
			"58f75a6d-d949-4320-99e1-a2a2576d581c"},
		{"network", "f8615163-df3e-46c5-913f-f2d2f965ed0e", NULL},
		{"network_direct", "8c2eaf3d-32a7-4b09-ab99-bd1f1c86b501", NULL},
		{"rdv", "276aacf4-ac15-426c-98dd-7521ad3f01fe",
			"f5bee29c-1741-4aad-a4c2-8fdedb46dcc2"},
		{"shutdown", "0e0b6031-5213-4934-818b-38d90ced39db",
			"b6650ff7-33bc-4840-8048-e0676786f393"},
		{"storage", "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f", NULL},
		{"timesync", "9527e630-d0ae-497b-adce-e80ab0175caf",
			"2dd1ce17-079e-403c-b352-a1921ee207ee"},
		{"video", "da0a7802-e377-4aac-8e77-0558eb1073f8",
			"5620e0c7-8062-4dce-aeb7-520c7ef76171"},
		{"vmbfs", "c376c1c3-d276-48d2-90a9-c04748072c60", NULL},
		{"vpci", "44c4f61d-4444-4400-9d52-802e27ede19f", NULL},
		{"vss", "35fa2e29-ea23-4236-96ae-3a6ebacba440",
			"2450ee40-33bf-4fbd-892e-9fb06e9214cf"},
	};
	CU_ASSERT_EQUAL(sizeof(expected) / sizeof(expected[0]), GUID_INTERFACE_COUNT);
	for (unsigned i = 0; i < GUID_INTERFACE_COUNT; i++) {
		char text[GUID_TEXT_BYTES];
		CU_ASSERT_STRING_EQUAL(guid_interface_table[i].stem, expected[i].stem);
		CU_ASSERT_STRING_EQUAL(
			guid_format(&guid_interface_table[i].id, text), expected[i].interface_id);
		const struct guid *instance = guid_interface_instance((enum guid_interface)i);
		CU_ASSERT_EQUAL(instance != NULL, expected[i].instance_id != NULL);
		if (instance && expected[i].instance_id)
			CU_ASSERT_STRING_EQUAL(
				guid_format(instance, text), expected[i].instance_id);
	}
}

static void guid_table_is_sorted_and_has_no_duplicates(void)
{
	for (unsigned i = 0; i < GUID_INTERFACE_COUNT; i++) {
		if (i > 0)
			CU_ASSERT_TRUE(strcmp(guid_interface_table[i - 1].stem,
					       guid_interface_table[i].stem) < 0);
		CU_ASSERT_FALSE(guid_is_zero(&guid_interface_table[i].id));
		for (unsigned j = 0; j < i; j++) {
			CU_ASSERT_FALSE(guid_equal(
				&guid_interface_table[i].id, &guid_interface_table[j].id));
		}
	}
}

static void guid_instances_belong_to_their_interfaces(void)
{
	/* The instance that the file copy daemon of Linux 6.12 insists on. */
	const struct guid fcopy = guid_of("eb765408-105f-49b6-b4aa-c123b64d17d4");
	CU_ASSERT_TRUE(guid_equal(&fcopy, &guid_fcopy_instance));
	CU_ASSERT_PTR_EQUAL(guid_interface_instance(GUID_INTERFACE_FCOPY), &guid_fcopy_instance);
	CU_ASSERT_PTR_EQUAL(guid_interface_instance(GUID_INTERFACE_VSS), &guid_vss_instance);
	CU_ASSERT_PTR_NULL(guid_interface_instance(GUID_INTERFACE_STORAGE));
	CU_ASSERT_PTR_NULL(guid_interface_instance(GUID_INTERFACE_NETWORK));
	CU_ASSERT_PTR_NULL(guid_interface_instance((enum guid_interface)GUID_INTERFACE_COUNT));
	unsigned fixed = 0;
	for (unsigned i = 0; i < GUID_INTERFACE_COUNT; i++) {
		const struct guid *instance = guid_interface_instance((enum guid_interface)i);
		if (!instance)
			continue;
		fixed++;
		CU_ASSERT_FALSE(guid_equal(instance, &guid_interface_table[i].id));
		for (unsigned j = 0; j < i; j++) {
			const struct guid *other = guid_interface_instance((enum guid_interface)j);
			CU_ASSERT_TRUE(!other || !guid_equal(instance, other));
		}
	}
	CU_ASSERT_EQUAL(fixed, 11);
}

static void guid_unknown_ids_and_stems_have_no_row(void)
{
	const struct guid nobody = guid_of("12345678-1234-5678-9abc-def012345678");
	CU_ASSERT_PTR_NULL(guid_interface_find(&nobody));
	CU_ASSERT_PTR_NULL(guid_interface_name(&nobody));
	CU_ASSERT_PTR_NULL(guid_interface_name(&guid_zero));
	CU_ASSERT_PTR_NULL(guid_interface_by_stem(""));
	CU_ASSERT_PTR_NULL(guid_interface_by_stem("storag"));
	CU_ASSERT_PTR_NULL(guid_interface_by_stem("storagee"));
	CU_ASSERT_PTR_NULL(guid_interface_by_stem("Storage"));
}

/*
 * Service id of port 5000 from a TL_CONNECT_REQUEST of Linux 6.1.176 (recorded from a Debian
 * cloud kernel that called connect() on AF_VSOCK).
 */
static void guid_vsock_port_is_the_first_group(void)
{
	static const uint8_t recorded[16] = {0x88, 0x13, 0x00, 0x00, 0xcb, 0xfa, 0xe6, 0x11, 0xbd,
		0x58, 0x64, 0x00, 0x6a, 0x79, 0x86, 0xd3};
	const struct guid service = guid_vsock_from_port(5000);
	CU_ASSERT_EQUAL(memcmp(service.bytes, recorded, 16), 0);
	uint32_t port = 0;
	CU_ASSERT_TRUE(guid_vsock_to_port(&service, &port));
	CU_ASSERT_EQUAL(port, 5000);
	CU_ASSERT_STRING_EQUAL(guid_interface_name(&service), "vsock");
	const struct guid last = guid_vsock_from_port(0xffffffff);
	CU_ASSERT_TRUE(guid_vsock_to_port(&last, &port));
	CU_ASSERT_EQUAL(port, 0xffffffff);
	CU_ASSERT_FALSE(guid_vsock_to_port(&guid_storage, &port));
	for (unsigned i = 4; i < 16; i++) {
		struct guid other = service;
		other.bytes[i] ^= 1;
		CU_ASSERT_FALSE(guid_vsock_to_port(&other, &port));
	}
	CU_ASSERT_EQUAL(port, 0xffffffff);
}

static const struct test tests[] = {
	TEST(guid_wire_form_swaps_the_first_three_groups),
	TEST(guid_formats_lower_case_and_ends_the_text),
	TEST(guid_parses_either_case_and_braces),
	TEST(guid_refuses_malformed_text_and_leaves_the_result_alone),
	TEST(guid_equality_looks_at_every_byte),
	TEST(guid_order_is_that_of_the_text),
	TEST(guid_table_round_trips_through_text_and_names),
	TEST(guid_table_has_the_ids_of_the_specification),
	TEST(guid_table_is_sorted_and_has_no_duplicates),
	TEST(guid_instances_belong_to_their_interfaces),
	TEST(guid_unknown_ids_and_stems_have_no_row),
	TEST(guid_vsock_port_is_the_first_group),
};

TEST_MAIN("guid", tests)
