// SPDX-License-Identifier: Apache-2.0
/*
 * The program vmbusctl over a recorded tree of sysfs: the formats of lsvmbus to the byte, the
 * long form, JSON, the live view of rings, and hostile trees. The program is a child.
 */
#include "guest/tools/vmbus_sysfs.h"
#include "guest/tools/vmbusctl_print.h"
#include "tests/harness.h"
#include "tests/sysfs_tree.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES	   TREE_DEVICES
#define HEARTBEAT  TREE_HEARTBEAT
#define CONTROLLER TREE_CONTROLLER
#define VIDEO	   TREE_VIDEO
#define ODD	   TREE_ODD

#define VMBUSCTL     (char *)(uintptr_t)tree_program("vmbusctl", "VMBUSCTL")
#define RUN(t, ...)  tree_run(t, (char *[]){VMBUSCTL, __VA_ARGS__, NULL})
#define LIST(t, ...) RUN(t, "list", "--sysfs", (t)->root, __VA_ARGS__)
#define says	     tree_says

/* ---- lsvmbus ---- */

static void the_plain_list_is_that_of_lsvmbus(void)
{
	struct tree *t = tree_load();
	CU_ASSERT_EQUAL(RUN(t, "list", "--sysfs", t->root), 0);
	CU_ASSERT_STRING_EQUAL(t->out, "VMBUS ID  1: [Heartbeat]\n"
				       "VMBUS ID  5: Synthetic SCSI Controller\n"
				       "VMBUS ID  7: Unknown\n"
				       "VMBUS ID 12: Synthetic framebuffer adapter\n");
	tree_free(t);
}

static void one_v_adds_class_and_sorted_channels(void)
{
	struct tree *t = tree_load();
	CU_ASSERT_EQUAL(LIST(t, "-v"), 0);
	CU_ASSERT_STRING_EQUAL(t->out,
		"VMBUS ID  1: Class_ID = {57164f39-9115-4e78-ab55-382f3bd5422d} - [Heartbeat]\n"
		"\tRel_ID=1, target_cpu=0\n\n"
		"VMBUS ID  5: Class_ID = {ba6163d9-04a1-4d29-b605-72e2ffb1dc7f} - "
		"Synthetic SCSI Controller\n"
		"\tRel_ID=5, target_cpu=0\n"
		"\tRel_ID=17, target_cpu=1\n"
		"\tRel_ID=18, target_cpu=3\n\n"
		"VMBUS ID  7: Class_ID = {01234567-89ab-cdef-0123-456789abcdef} - Unknown\n"
		"\tRel_ID=7, target_cpu=0\n\n"
		"VMBUS ID 12: Class_ID = {da0a7802-e377-4aac-8e77-0558eb1073f8} - "
		"Synthetic framebuffer adapter\n"
		"\tRel_ID=12, target_cpu=0\n\n");
	tree_free(t);
}

static void two_v_add_instance_and_path(void)
{
	struct tree *t = tree_load();
	char wanted[512];
	CU_ASSERT_EQUAL(LIST(t, "-vv"), 0);
	snprintf(wanted, sizeof wanted,
		"VMBUS ID 12: Class_ID = {da0a7802-e377-4aac-8e77-0558eb1073f8} - "
		"Synthetic framebuffer adapter\n"
		"\tDevice_ID = {" VIDEO "}\n"
		"\tSysfs path: %s/bus/vmbus/devices/" VIDEO "\n"
		"\tRel_ID=12, target_cpu=0\n\n",
		t->root);
	CU_ASSERT_TRUE(says(t, wanted));
	tree_free(t);
}

/* ---- everything ---- */

static void the_long_list_has_state_driver_rings_and_channels(void)
{
	struct tree *t = tree_load();
	CU_ASSERT_EQUAL(LIST(t, "--long"), 0);
	CU_ASSERT_TRUE(says(t, CONTROLLER ": storage, SCSI controller\n"));
	CU_ASSERT_TRUE(says(t, "relid 5, open, driver hv_storvsc, NUMA node 0, monitor id 2\n"));
	CU_ASSERT_TRUE(says(t, "in  ring: read index 4096, write index 4192, 96 bytes to read, "
			       "126880 free, interrupt mask 1\n"));
	CU_ASSERT_TRUE(says(t, "out ring: read index 66048, write index 66048, 0 bytes to read, "
			       "126976 free, interrupt mask 0\n"));
	CU_ASSERT_TRUE(says(t, "\n     18        2        3        0   126976        0        0"
			       "        0        4         17       16\n"));
	CU_ASSERT_TRUE(says(t, "relid 12, closed, driver none, NUMA node -1, monitor id none\n"));
	/* what is not readable is unknown */
	CU_ASSERT_TRUE(says(t, "\n     12        0        0        -        -        -        -"
			       "        0        -          0        0\n"));
	tree_free(t);
}

static const json_t *find(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *device = json_array_get(list, i);
		if (strcmp(json_string_value(json_object_get(device, "name")), name) == 0)
			return device;
	}
	return NULL;
}

static json_int_t number(const json_t *object, const char *key)
{
	CU_ASSERT_TRUE(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static void json_has_everything(void)
{
	struct tree *t = tree_load();
	CU_ASSERT_EQUAL(LIST(t, "--json"), 0);
	json_t *list = json_loads(t->out, JSON_REJECT_DUPLICATES, NULL);
	CU_ASSERT_EQUAL_FATAL(json_array_size(list), 4);
	const json_t *storage = find(list, CONTROLLER);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(storage, "class")), "storage");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(storage, "driver")), "hv_storvsc");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(storage, "channel_state")), "open");
	CU_ASSERT_EQUAL(number(storage, "relid"), 5);
	CU_ASSERT_EQUAL(number(storage, "state"), 3);
	CU_ASSERT_EQUAL(number(storage, "vendor"), 0x1414);
	CU_ASSERT_EQUAL(number(storage, "in_write_index"), 4192);
	const json_t *channels = json_object_get(storage, "channels");
	CU_ASSERT_EQUAL_FATAL(json_array_size(channels), 3);
	const json_t *last = json_array_get(channels, 2);
	CU_ASSERT_EQUAL(number(last, "relid"), 18);
	CU_ASSERT_EQUAL(number(last, "subchannel_id"), 2);
	CU_ASSERT_EQUAL(number(last, "cpu"), 3);
	CU_ASSERT_EQUAL(number(last, "latency"), 1000);
	CU_ASSERT_EQUAL(number(last, "events"), 16);
	const json_t *video = find(list, VIDEO);
	CU_ASSERT_TRUE(json_is_null(json_object_get(video, "driver")));
	CU_ASSERT_TRUE(json_is_null(json_object_get(video, "monitor_id")));
	CU_ASSERT_TRUE(json_is_null(json_object_get(video, "in_read_index")));
	CU_ASSERT_EQUAL(number(video, "numa_node"), -1);
	const json_t *odd = find(list, ODD);
	CU_ASSERT_TRUE(json_is_null(json_object_get(odd, "class")));
	json_decref(list);
	tree_free(t);
}

/* ---- live ---- */

/* Put other contents in place of a file in one step: a reader sees the old or the new. */
static void tree_replace(const struct tree *t, const char *path, const char *text)
{
	char new[512];
	char old[512];
	tree_file(t, "new", text);
	CU_ASSERT_EQUAL(rename(tree_path(t, "new", new), tree_path(t, path, old)), 0);
}

/* Read lines until one begins and ends so. */
static bool line_comes(FILE *in, const char *begin, const char *end)
{
	char line[4096];
	while (fgets(line, sizeof line, in) != NULL) {
		const size_t length = strlen(line);
		if (strncmp(line, begin, strlen(begin)) == 0 && length >= strlen(end) &&
			strcmp(line + length - strlen(end), end) == 0)
			return true;
	}
	return false;
}

static void rings_are_shown_again_with_what_was_added(void)
{
#define ROW "   17 storage "
	struct tree *t = tree_load();
	int output;
	char *const argv[] = {(char *)(uintptr_t)tree_program("vmbusctl", "VMBUSCTL"),
		(char[]){"list"}, (char[]){"--monitor"}, (char[]){"--interval"}, (char[]){"0.01"},
		(char[]){"--sysfs"}, t->root, NULL};
	const pid_t child = tree_start(argv, &output);
	FILE *in = fdopen(output, "r");
	CU_ASSERT_TRUE(line_comes(in, ROW, "         -         -\n")); /* the first look */
	CU_ASSERT_TRUE(line_comes(in, ROW, "        +0        +0\n"));
	tree_replace(t, DEVICES "/" CONTROLLER "/channels/17/interrupts", "1099\n");
	CU_ASSERT_TRUE(line_comes(in, ROW, "     +1000        +0\n"));
	/* a counter that has begun anew */
	tree_replace(t, DEVICES "/" CONTROLLER "/channels/17/events", "5\n");
	CU_ASSERT_TRUE(line_comes(in, ROW, "        +0         -\n"));
	kill(child, SIGTERM);
	(void)line_comes(in, "no such line", "");
	CU_ASSERT_EQUAL(tree_end(child), 0);
	fclose(in);
	tree_free(t);
}

static void the_live_view_in_json_is_an_object_a_line(void)
{
	struct tree *t = tree_load();
	CU_ASSERT_EQUAL(LIST(t, "--monitor", "--json", "--interval", "0.01", "--count", "2"), 0);
	unsigned present = 0;
	unsigned rings = 0;
	char *rest = NULL;
	for (char *line = strtok_r(t->out, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		json_t *row = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		const char *event = json_string_value(json_object_get(row, "event"));
		CU_ASSERT_PTR_NOT_NULL(event);
		if (event == NULL)
			break;
		present += strcmp(event, "present") == 0;
		if (strcmp(event, "rings") == 0) {
			rings++;
			CU_ASSERT_EQUAL(json_array_size(json_object_get(row, "devices")), 4);
		}
		json_decref(row);
	}
	CU_ASSERT_EQUAL(present, 4);
	CU_ASSERT_EQUAL(rings, 2);
	tree_free(t);
}

/* "vmbus:" and the 16 bytes in wire order, as the kernel's events have it. */
static void an_event_names_its_class_by_modalias(void)
{
	struct guid id;
	CU_ASSERT_TRUE(vmbus_sysfs_modalias("vmbus:d96361baa104294db60572e2ffb1dc7f", &id));
	CU_ASSERT_TRUE(guid_equal(&id, &guid_storage));
	CU_ASSERT_FALSE(vmbus_sysfs_modalias(NULL, &id));
	CU_ASSERT_FALSE(vmbus_sysfs_modalias("", &id));
	CU_ASSERT_FALSE(vmbus_sysfs_modalias("acpi:d96361baa104294db60572e2ffb1dc7f", &id));
	CU_ASSERT_FALSE(vmbus_sysfs_modalias("vmbus:d96361baa104294db60572e2ffb1dc7", &id));
	CU_ASSERT_FALSE(vmbus_sysfs_modalias("vmbus:d96361baa104294db60572e2ffb1dc7f0", &id));
	CU_ASSERT_FALSE(vmbus_sysfs_modalias("vmbus:d96361baa104294db60572e2ffb1dcxf", &id));
}

static void an_event_is_one_safe_line(void)
{
	char text[2048] = "";
	const struct vmbusctl_event event = {
		.action = "bind",
		.name = "a\033[2Jb",
		.class_id = &guid_heartbeat,
		.driver = "two\nlines",
	};
	const struct vmbusctl_event channel = {
		.action = "add", .name = CONTROLLER, .channel = "17"};
	FILE *out = fmemopen(text, sizeof text, "w");
	vmbusctl_print_event(out, &event, "12:00:00.000");
	vmbusctl_print_event(out, &channel, "12:00:00.001");
	fclose(out);
	CU_ASSERT_STRING_EQUAL(text, "12:00:00.000 bind    a\\x1b[2Jb heartbeat, driver "
				     "two\\x0alines\n"
				     "12:00:00.001 add     " CONTROLLER " channel 17\n");
}

/* ---- mistakes and malice ---- */

static void a_machine_without_vmbus_is_told_apart(void)
{
	struct tree *t = tree_make();
	if (access("/sys/" DEVICES, F_OK) != 0) {
		CU_ASSERT_EQUAL(RUN(t, "list"), 1);
		CU_ASSERT_TRUE(says(t, "this is no Hyper-V guest, or hv_vmbus is not loaded"));
		CU_ASSERT_EQUAL(RUN(t, "list", "--monitor"), 1);
		CU_ASSERT_TRUE(says(t, "this is no Hyper-V guest, or hv_vmbus is not loaded"));
	}
	CU_ASSERT_EQUAL(LIST(t, "-v"), 1);
	CU_ASSERT_TRUE(says(t, "is no sysfs tree with a VMBus"));
	CU_ASSERT_EQUAL(RUN(t, "list", "--sysfs", "/nonexistent"), 1);
	CU_ASSERT_EQUAL(LIST(t, "--monitor", "--interval", "1"), 1);
	tree_file(t, DEVICES, "not a folder");
	CU_ASSERT_EQUAL(LIST(t, "-v"), 1);
	tree_free(t);
}

static void a_bus_without_devices_is_an_empty_list(void)
{
	struct tree *t = tree_make();
	tree_folder(t, DEVICES);
	CU_ASSERT_EQUAL(RUN(t, "list", "--sysfs", t->root), 0);
	CU_ASSERT_STRING_EQUAL(t->out, "");
	CU_ASSERT_EQUAL(LIST(t, "--json"), 0);
	CU_ASSERT_STRING_EQUAL(t->out, "[]\n");
	CU_ASSERT_EQUAL(LIST(t, "-l"), 0);
	CU_ASSERT_TRUE(says(t, "no devices"));
	tree_free(t);
}

#define USAGE(...)                                                                                 \
	do {                                                                                       \
		CU_ASSERT_EQUAL(RUN(t, __VA_ARGS__), 2);                                           \
		CU_ASSERT_PTR_EQUAL(strchr(t->out, '\n'), t->out + strlen(t->out) - 1);            \
	} while (0)

static void wrong_usage_is_one_line_and_status_2(void)
{
	struct tree *t = tree_make();
	USAGE("--long");
	USAGE("lst");
	USAGE("list", "more");
	USAGE("list", "--bogus");
	USAGE("list", "-x");
	USAGE("list", "--json=yes");
	USAGE("list", "--sysfs");
	USAGE("list", "--sysfs", "");
	USAGE("list", "--json", "-v");
	USAGE("list", "--long", "-v");
	USAGE("list", "--monitor", "--long");
	USAGE("list", "--interval", "1");
	USAGE("list", "--monitor", "--interval", "0");
	USAGE("list", "--monitor", "--interval", "1s");
	USAGE("list", "--monitor", "--interval", "nan");
	USAGE("list", "--monitor", "--count", "1");
	USAGE("list", "--monitor", "--interval", "1", "--count", "0");
	USAGE("list", "--monitor", "--sysfs", "/sys");
	CU_ASSERT_EQUAL(RUN(t, "--help"), 0);
	CU_ASSERT_EQUAL(strncmp(t->out, "usage: vmbusctl list", 20), 0);
	tree_free(t);
}

static void what_a_host_names_cannot_reach_the_terminal(void)
{
	struct tree *t = tree_load();
	char path[512];
	tree_file(t, DEVICES "/bad\033]0;x\007/id", "3\n");
	tree_file(t, DEVICES "/bad\033]0;x\007/class_id", "{" HEARTBEAT "}\n");
	tree_file(t, DEVICES "/bad\033]0;x\007/device_id", "{" HEARTBEAT "}\n");
	tree_link(t, DEVICES "/bad\033]0;x\007/driver", "../dri\377ver\n\\");
	/* in place of a number: a FIFO, a folder, a page of digits, text */
	tree_file(t, DEVICES "/bad\033]0;x\007/channels/40/cpu", "zero\n");
	CU_ASSERT_EQUAL(
		mkfifo(tree_path(t, DEVICES "/bad\033]0;x\007/channels/40/events", path), 0600), 0);
	CU_ASSERT_EQUAL(
		mkdir(tree_path(t, DEVICES "/bad\033]0;x\007/channels/40/pending", path), 0700), 0);
	char digits[6000];
	memset(digits, '9', sizeof digits);
	digits[sizeof digits - 1] = '\0';
	tree_file(t, DEVICES "/bad\033]0;x\007/channels/40/interrupts", digits);
	tree_file(t, DEVICES "/bad\033]0;x\007/channels/-1/cpu", "0\n");
	tree_file(t, DEVICES "/bad\033]0;x\007/channel_vp_mapping", "4294967296:0\n:\nx:1\n41:7");
	static const char *const forms[] = {"-vv", "--long", "--json"};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		CU_ASSERT_EQUAL(LIST(t, (char *)(uintptr_t)forms[i]), 0);
		for (const char *c = t->out; *c != '\0'; c++)
			CU_ASSERT_TRUE_FATAL(*c == '\n' || *c == '\t' || (*c >= ' ' && *c < 0x7f));
	}
	json_t *list = json_loads(t->out, JSON_REJECT_DUPLICATES, NULL);
	const json_t *bad = find(list, "bad\\x1b]0;x\\x07");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(bad, "driver")), "dri\\xffver\\x0a\\x5c");
	const json_t *channels = json_object_get(bad, "channels");
	CU_ASSERT_EQUAL_FATAL(json_array_size(channels), 2);
	const json_t *channel = json_array_get(channels, 0);
	CU_ASSERT_EQUAL(number(channel, "relid"), 40);
	CU_ASSERT_TRUE(json_is_null(json_object_get(channel, "cpu")));
	CU_ASSERT_TRUE(json_is_null(json_object_get(channel, "pending")));
	CU_ASSERT_TRUE(json_is_null(json_object_get(channel, "interrupts")));
	CU_ASSERT_EQUAL(number(json_array_get(channels, 1), "cpu"), 7);
	json_decref(list);
	tree_free(t);
}

static void entries_that_are_no_devices_are_left_out_and_said(void)
{
	struct tree *t = tree_load();
	tree_file(t, DEVICES "/no_relid/class_id", "{" HEARTBEAT "}\n");
	tree_file(t, DEVICES "/bad_class/id", "4\n");
	tree_file(t, DEVICES "/bad_class/class_id", "{57164f39}\n");
	tree_file(t, DEVICES "/a_file", "4\n");
	tree_link(t, DEVICES "/gone", "nowhere");
	CU_ASSERT_EQUAL(LIST(t, "-v"), 0);
	CU_ASSERT_TRUE(says(t, "left out: 3 entries"));
	CU_ASSERT_TRUE(says(t, "VMBUS ID 12: "));
	tree_free(t);
}

/* Each character that is none for a terminal takes four; what does not fit whole is left out. */
static void text_of_sysfs_is_safe_and_stays_in_its_buffer(void)
{
	static const char text[] = "a\x1b[2J\n\x7f\x9b\\z";
	char out[64];
	char whole[64];
	CU_ASSERT_STRING_EQUAL(
		vmbus_text_safe(text, whole, sizeof whole), "a\\x1b[2J\\x0a\\x7f\\x9b\\x5cz");
	for (size_t bytes = 1; bytes <= strlen(whole) + 1; bytes++) {
		memset(out, '#', sizeof out);
		(void)vmbus_text_safe(text, out, bytes);
		CU_ASSERT_TRUE(memchr(out, '\0', bytes) != NULL);
		CU_ASSERT_EQUAL(strncmp(whole, out, strlen(out)), 0);
		for (size_t i = bytes; i < sizeof out; i++)
			CU_ASSERT_EQUAL(out[i], '#');
	}
}

static const struct test tests[] = {
	TEST(the_plain_list_is_that_of_lsvmbus),
	TEST(one_v_adds_class_and_sorted_channels),
	TEST(two_v_add_instance_and_path),
	TEST(the_long_list_has_state_driver_rings_and_channels),
	TEST(json_has_everything),
	TEST(rings_are_shown_again_with_what_was_added),
	TEST(the_live_view_in_json_is_an_object_a_line),
	TEST(an_event_names_its_class_by_modalias),
	TEST(an_event_is_one_safe_line),
	TEST(a_machine_without_vmbus_is_told_apart),
	TEST(a_bus_without_devices_is_an_empty_list),
	TEST(wrong_usage_is_one_line_and_status_2),
	TEST(what_a_host_names_cannot_reach_the_terminal),
	TEST(entries_that_are_no_devices_are_left_out_and_said),
	TEST(text_of_sysfs_is_safe_and_stays_in_its_buffer),
};
TEST_MAIN("vmbusctl", tests)
