// SPDX-License-Identifier: Apache-2.0
/*
 * vmbusctl status over a made tree of sysfs, /proc and /run: which service is on, who serves it,
 * what to do if nobody does; and status files that lie. lsvmbus by its own name.
 */
#include "guest/tools/vmbusctl_status.h"
#include "tests/harness.h"
#include "tests/sysfs_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KVP   "242ff919-07db-4180-9c2e-b86cb68c8c55"
#define VSS   "2450ee40-33bf-4fbd-892e-9fb06e9214cf"
#define FCOPY "eb765408-105f-49b6-b4aa-c123b64d17d4"

static int status_run(struct tree *t, const char *option)
{
	char proc[512];
	char run[512];
	return tree_run(
		t, (char *[]){(char *)(uintptr_t)tree_program("vmbusctl", "VMBUSCTL"), "status",
			   "--sysfs", t->root, "--proc", tree_path(t, "proc", proc), "--run",
			   tree_path(t, "run", run), (char *)(uintptr_t)option, NULL});
}

static void device_add(struct tree *t, const char *name, const char *relid, const char *class_id,
	const char *driver)
{
	char path[256];
	char text[256];
	snprintf(path, sizeof path, TREE_DEVICES "/%s/id", name);
	tree_file(t, path, relid);
	snprintf(path, sizeof path, TREE_DEVICES "/%s/class_id", name);
	tree_file(t, path, class_id);
	snprintf(path, sizeof path, TREE_DEVICES "/%s/device_id", name);
	snprintf(text, sizeof text, "{%s}\n", name);
	tree_file(t, path, text);
	snprintf(path, sizeof path, TREE_DEVICES "/%s/driver", name);
	snprintf(text, sizeof text, "../../../bus/vmbus/drivers/%s", driver);
	if (driver[0] != '\0')
		tree_link(t, path, text);
}

/* A guest of Linux 6.12: KVP and VSS by hv_utils, file copy by UIO. */
static struct tree *guest_make(void)
{
	struct tree *t = tree_load();
	device_add(t, KVP, "20\n", "{a9a0f4e7-5a45-4d96-b827-8a841e8c03e6}\n", "hv_utils");
	device_add(t, VSS, "21\n", "{35fa2e29-ea23-4236-96ae-3a6ebacba440}\n", "hv_utils");
	device_add(t, FCOPY, "22\n", "{34d14be3-dee4-41c8-9ae7-6b174977c192}\n", "uio_hv_generic");
	tree_file(t, "class/misc/vmbus!hv_kvp/dev", "10:120\n");
	tree_file(t, "class/misc/vmbus!hv_vss/dev", "10:121\n");
	tree_file(t, TREE_DEVICES "/" FCOPY "/uio/uio3/name", "hv_uio\n");
	tree_folder(t, "proc");
	tree_folder(t, "run");
	return t;
}

static json_t *rows;
static const json_t *row(struct tree *t, const char *service)
{
	size_t i;
	json_t *each;
	json_decref(rows);
	rows = NULL;
	CU_ASSERT_EQUAL(status_run(t, "--json"), 0);
	rows = json_loads(t->out, JSON_REJECT_DUPLICATES, NULL);
	json_array_foreach(rows, i, each)
	{
		if (strcmp(json_string_value(json_object_get(each, "service")), service) == 0)
			return each;
	}
	return NULL;
}

static bool is(const json_t *object, const char *key, const char *text)
{
	const json_t *value = json_object_get(object, key);
	return text == NULL ? json_is_null(value)
			    : json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool has(const json_t *object, const char *key, const char *words)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL && strstr(text, words) != NULL;
}

static void rows_end(struct tree *t)
{
	json_decref(rows);
	rows = NULL;
	tree_free(t);
}

/* ---- verdicts ---- */

static void what_the_kernel_serves_itself_is_on(void)
{
	struct tree *t = guest_make();
	const json_t *heartbeat = row(t, "heartbeat");
	CU_ASSERT_TRUE(is(heartbeat, "state", "on"));
	CU_ASSERT_TRUE(is(heartbeat, "driver", "hv_utils"));
	CU_ASSERT_TRUE(is(heartbeat, "served_by", "hv_utils"));
	CU_ASSERT_TRUE(is(heartbeat, "pid", NULL));
	CU_ASSERT_TRUE(is(heartbeat, "advice", NULL));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(heartbeat, "relid")), 1);
	CU_ASSERT_EQUAL(json_array_size(rows), 6);
	rows_end(t);
}

static void what_the_host_does_not_offer_is_absent(void)
{
	struct tree *t = guest_make();
	const json_t *shutdown = row(t, "shutdown");
	CU_ASSERT_TRUE(is(shutdown, "state", "absent"));
	CU_ASSERT_TRUE(is(shutdown, "driver", NULL));
	CU_ASSERT_TRUE(has(shutdown, "advice", "the host does not offer it"));
	rows_end(t);
}

static void a_service_without_its_daemon_is_off_and_says_what_to_start(void)
{
	struct tree *t = guest_make();
	const json_t *kvp = row(t, "kvp");
	CU_ASSERT_TRUE(is(kvp, "state", "off"));
	CU_ASSERT_TRUE(is(kvp, "device", "/dev/vmbus/hv_kvp"));
	CU_ASSERT_TRUE(is(kvp, "served_by", NULL));
	CU_ASSERT_TRUE(
		is(kvp, "advice", "no daemon serves it: systemctl start viridian-kvp.service"));
	const json_t *fcopy = row(t, "fcopy");
	CU_ASSERT_TRUE(is(fcopy, "device", "/dev/uio3"));
	CU_ASSERT_TRUE(has(fcopy, "advice", "systemctl start viridian-fcopy.service"));
	rows_end(t);
}

static void a_device_without_driver_or_with_a_strange_one_says_what_to_bind(void)
{
	struct tree *t = guest_make();
	char path[512];
	unlink(tree_path(t, TREE_DEVICES "/" KVP "/driver", path));
	CU_ASSERT_TRUE(has(row(t, "kvp"), "advice", "modprobe hv_utils, or vmbusctl bind kvp"));
	tree_link(t, TREE_DEVICES "/" KVP "/driver", "x/od\033d");
	CU_ASSERT_TRUE(is(row(t, "kvp"), "advice", "od\\x1bd has it: vmbusctl bind kvp hv_utils"));
	unlink(tree_path(t, "class/misc/vmbus!hv_vss/dev", path));
	CU_ASSERT_EQUAL(rmdir(tree_path(t, "class/misc/vmbus!hv_vss", path)), 0);
	CU_ASSERT_TRUE(has(row(t, "vss"), "advice", "hv_utils has made no device file"));
	rows_end(t);
}

/* As guest/ic_daemons/daemon_status.c writes it. */
#define SERVING                                                                                    \
	"{\"stem\": \"kvp\", \"program\": \"vmic-kvp\", \"version\": \"0.4.0\", \"pid\": 512, "    \
	"\"state\": \"serving\", \"transport\": \"uio\", \"transports\": {\"uio\": \"chosen\"}, "  \
	"\"connections\": 1, \"framework_version\": \"3.0\", \"message_version\": \"4.0\", "       \
	"\"requests\": 9, \"late\": 0, \"late_voids\": 0, \"rejections\": {\"too-short\": 1}, "    \
	"\"last_contact\": \"2024-05-06T07:08:09Z\", \"last_contact_age_s\": 3.5, "                \
	"\"written\": \"2024-05-06T07:08:09Z\", "                                                  \
	"\"service\": {\"gets\": 7, \"counts\": {\"sets_refused\": 2}}}"

static void the_daemon_that_runs_is_named_with_what_it_says(void)
{
	struct tree *t = guest_make();
	tree_file(t, "proc/512/comm", "vmic-kvp\n");
	tree_file(t, "run/kvp.json", SERVING);
	const json_t *kvp = row(t, "kvp");
	CU_ASSERT_TRUE(is(kvp, "state", "on"));
	CU_ASSERT_TRUE(is(kvp, "served_by", "vmic-kvp"));
	CU_ASSERT_TRUE(is(kvp, "advice", NULL));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(kvp, "pid")), 512);
	CU_ASSERT_TRUE(is(json_object_get(kvp, "daemon"), "message_version", "4.0"));
	CU_ASSERT_EQUAL(status_run(t, NULL), 0);
	CU_ASSERT_TRUE(tree_says(t, "\nkvp        on  relid 20, hv_utils, /dev/vmbus/hv_kvp, "
				    "vmic-kvp (pid 512)\n"
				    "               transport uio, version 4.0, framework 3.0, "
				    "requests 9,\n"
				    "               last contact 2024-05-06T07:08:09Z ("));
	CU_ASSERT_TRUE(tree_says(t, "gets 7, sets refused 2"));
	CU_ASSERT_TRUE(tree_says(t, "too-short 1\n"));
	CU_ASSERT_TRUE(tree_says(t, "heartbeat  on  relid 1, hv_utils, which serves it itself\n"));
	CU_ASSERT_TRUE(tree_says(t, "shutdown   off the host does not offer it"));
	CU_ASSERT_TRUE(tree_says(t, "\nvss        off relid 21, hv_utils, /dev/vmbus/hv_vss\n"
				    "               no daemon serves it: "));
	rows_end(t);
}

static void a_daemon_that_reaches_no_device_is_off_and_says_why(void)
{
	struct tree *t = guest_make();
	tree_file(t, "proc/512/comm", "vmic-kvp\n");
	tree_file(t, "run/kvp.json",
		"{\"pid\": 512, \"state\": \"waiting\", \"transports\": "
		"{\"device\": \"/dev/vmbus/hv_kvp: Device or resource busy\", \"uio\": 7}}");
	CU_ASSERT_TRUE(is(row(t, "kvp"), "state", "off"));
	CU_ASSERT_TRUE(is(row(t, "kvp"), "advice",
		"vmic-kvp reaches no device; device: /dev/vmbus/hv_kvp: Device or resource busy"));
	rows_end(t);
}

static void a_daemon_that_has_died_is_off_whatever_its_file_says(void)
{
	struct tree *t = guest_make();
	tree_file(t, "run/kvp.json", "{\"pid\": 512, \"state\": \"serving\"}");
	CU_ASSERT_TRUE(has(row(t, "kvp"), "advice", "vmic-kvp has ended: journalctl -u"));
	CU_ASSERT_TRUE(is(row(t, "kvp"), "pid", NULL));
	/* its number belongs to somebody else by now */
	tree_file(t, "proc/512/comm", "bash\n");
	CU_ASSERT_TRUE(is(row(t, "kvp"), "state", "off"));
	rows_end(t);
}

static void the_kernels_own_daemons_count(void)
{
	struct tree *t = guest_make();
	tree_file(t, "proc/77/comm", "hv_vss_daemon\n");
	tree_file(t, "proc/78/comm", "hv_fcopy_uio_da\n");
	const json_t *vss = row(t, "vss");
	CU_ASSERT_TRUE(is(vss, "state", "on"));
	CU_ASSERT_TRUE(is(vss, "served_by", "hv_vss_daemon"));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(vss, "pid")), 77);
	CU_ASSERT_TRUE(is(row(t, "fcopy"), "served_by", "hv_fcopy_daemon"));
	CU_ASSERT_TRUE(is(row(t, "kvp"), "state", "off"));
	rows_end(t);
}

/* ---- malice ---- */

static void status_files_that_are_none_are_not_believed(void)
{
	struct tree *t = guest_make();
	char path[512];
	static char big[70000];
	static const char *const texts[] = {"", "[]", "{", "7", "{\"pid\": \"512\"}",
		"{\"pid\": -1}", "{\"pid\": 99999999999}", "{\"pid\": 0}", "{\"pid\": 512.0}"};
	tree_file(t, "proc/512/comm", "vmic-kvp\n");
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		tree_file(t, "run/kvp.json", texts[i]);
		CU_ASSERT_TRUE(is(row(t, "kvp"), "state", "off"));
	}
	snprintf(big, sizeof big, "{\"pid\": 512}%60000s%9000s", "", "");
	tree_file(t, "run/kvp.json", big);
	CU_ASSERT_TRUE(is(row(t, "kvp"), "state", "off"));
	tree_file(t, "elsewhere", "{\"pid\": 512}");
	unlink(tree_path(t, "run/kvp.json", path));
	tree_link(t, "run/kvp.json", "../elsewhere");
	CU_ASSERT_TRUE(is(row(t, "kvp"), "state", "off"));
	unlink(tree_path(t, "run/kvp.json", path));
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	CU_ASSERT_TRUE(is(row(t, "kvp"), "state", "off"));
	rows_end(t);
}

static void what_a_daemon_says_cannot_reach_the_terminal(void)
{
	struct tree *t = guest_make();
	tree_file(t, "proc/512/comm", "vmic-kvp\n");
	tree_file(t, "run/kvp.json",
		"{\"pid\": 512, \"service\": {\"a\\u001b[2J\": \"b\\nc\\u009b\", "
		"\"d\": {\"e\": \"\\u0007\"}}, \"last_contact\": \"\\u001b\"}");
	CU_ASSERT_EQUAL(status_run(t, NULL), 0);
	for (const char *c = t->out; *c != '\0'; c++)
		CU_ASSERT_TRUE_FATAL(*c == '\n' || (*c >= ' ' && *c < 0x7f));
	CU_ASSERT_TRUE(tree_says(t, "a\\x1b[2J b\\x0ac\\xc2\\x9b, e \\x07"));
	rows_end(t);
}

/* ---- by another name ---- */

static void by_the_name_of_lsvmbus_no_verb_is_needed(void)
{
	struct tree *t = tree_load();
	char link[512];
	char plain[4096];
	const char *program = tree_program("vmbusctl", "VMBUSCTL");
	CU_ASSERT_PTR_NOT_NULL_FATAL(program);
	char *real = realpath(program, NULL);
	tree_link(t, "bin/lsvmbus", real);
	free(real);
	tree_path(t, "bin/lsvmbus", link);
	CU_ASSERT_EQUAL(tree_run(t, (char *[]){link, "-vv", "--sysfs", t->root, NULL}), 0);
	snprintf(plain, sizeof plain, "%.4000s", t->out);
	CU_ASSERT_TRUE(tree_says(t, "\tDevice_ID = {" TREE_VIDEO "}\n"));
	CU_ASSERT_EQUAL(tree_run(t, (char *[]){(char *)(uintptr_t)program, "lsvmbus", "-v", "-v",
					    "--sysfs", t->root, NULL}),
		0);
	CU_ASSERT_STRING_EQUAL(t->out, plain);
	CU_ASSERT_EQUAL(tree_run(t, (char *[]){link, "--sysfs", t->root, NULL}), 0);
	CU_ASSERT_TRUE(tree_says(t, "VMBUS ID  1: [Heartbeat]\n"));
	CU_ASSERT_EQUAL(tree_run(t, (char *[]){link, "--json", NULL}), 2);
	CU_ASSERT_EQUAL(tree_run(t, (char *[]){link, "list", NULL}), 2);
	CU_ASSERT_EQUAL(tree_run(t, (char *[]){link, "-h", NULL}), 0);
	tree_free(t);
}

static const struct test tests[] = {
	TEST(what_the_kernel_serves_itself_is_on),
	TEST(what_the_host_does_not_offer_is_absent),
	TEST(a_service_without_its_daemon_is_off_and_says_what_to_start),
	TEST(a_device_without_driver_or_with_a_strange_one_says_what_to_bind),
	TEST(the_daemon_that_runs_is_named_with_what_it_says),
	TEST(a_daemon_that_reaches_no_device_is_off_and_says_why),
	TEST(a_daemon_that_has_died_is_off_whatever_its_file_says),
	TEST(the_kernels_own_daemons_count),
	TEST(status_files_that_are_none_are_not_believed),
	TEST(what_a_daemon_says_cannot_reach_the_terminal),
	TEST(by_the_name_of_lsvmbus_no_verb_is_needed),
};
TEST_MAIN("vmbusctl_status", tests)
