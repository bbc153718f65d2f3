// SPDX-License-Identifier: Apache-2.0
/*
 * Giving devices to drivers: over the recorded tree, with a kernel that is played by the test (what
 * a write to driver_override, bind, unbind, new_id and drivers_probe does), and the program
 * vmbusctl where nothing plays it. Facts: Documentation/ABI/testing/sysfs-bus-vmbus; probes of
 * uio_hv_generic as Linux 6.1 and 6.12 answer them.
 */
#include "guest/tools/vmbus_bind.h"
#include "guest/tools/vmbus_use.h"
#include "tests/harness.h"
#include "tests/sysfs_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES	 TREE_DEVICES
#define DRIVERS	 TREE_DRIVERS
#define UIO	 "uio_hv_generic"
#define LOG_MAX	 16u
#define PROBE_NO (-524) /* the kernel's ENOTSUPP: a probe without monitored notification */

/* ---- a kernel ---- */

struct kernel {
	struct tree *t;
	int probe_error;  /* of uio_hv_generic */
	int write_error;  /* of everything: no permission */
	bool is_stubborn; /* unbind succeeds and does nothing */
	bool is_going;	  /* the device vanishes when it is bound */
	char log[LOG_MAX][256];
	size_t count;
};

static void driver_set(const struct kernel *k, const char *device, const char *driver)
{
	char path[512];
	char target[300];
	char link[400];
	snprintf(link, sizeof link, DEVICES "/%s/driver", device);
	unlink(tree_path(k->t, link, path));
	snprintf(target, sizeof target, "../../../bus/vmbus/drivers/%s", driver);
	if (driver[0] != '\0')
		tree_link(k->t, link, target);
}

static int driver_probe(struct kernel *k, const char *device, const char *driver)
{
	char path[512];
	char class_id[300];
	if (strcmp(driver, UIO) == 0 && k->probe_error != 0)
		return k->probe_error;
	if (k->is_going) {
		snprintf(class_id, sizeof class_id, DEVICES "/%s/class_id", device);
		unlink(tree_path(k->t, class_id, path));
		return -ENODEV;
	}
	driver_set(k, device, driver);
	return 0;
}

static int kernel_write(void *ctx, const char *path, const char *text)
{
	struct kernel *k = ctx;
	char driver[256];
	const char *file = strrchr(path, '/') + 1;
	const char *below = path + strlen(k->t->root) + strlen("/bus/vmbus/");
	CU_ASSERT_EQUAL_FATAL(strncmp(path, k->t->root, strlen(k->t->root)), 0);
	CU_ASSERT_TRUE_FATAL(k->count < LOG_MAX);
	snprintf(k->log[k->count++], sizeof k->log[0], "%s %.*s", below, (int)strcspn(text, "\n"),
		text);
	if (k->write_error != 0)
		return k->write_error;
	if (strcmp(file, "driver_override") == 0)
		return access(path, F_OK) == 0 ? 0 : -ENOENT;
	if (strcmp(file, "drivers_probe") == 0)
		return driver_probe(k, text, "hv_utils");
	CU_ASSERT_EQUAL_FATAL(sscanf(below, "drivers/%255[^/]", driver), 1);
	if (strcmp(file, "new_id") == 0)
		return 0;
	if (strcmp(file, "bind") == 0)
		return driver_probe(k, text, driver);
	CU_ASSERT_STRING_EQUAL(file, "unbind");
	if (!k->is_stubborn)
		driver_set(k, text, "");
	return 0;
}

static bool wrote(const struct kernel *k, size_t i, const char *what)
{
	return i < k->count && strcmp(k->log[i], what) == 0;
}

static void kernel_start(struct kernel *k)
{
	*k = (struct kernel){.t = tree_load()};
	tree_file(k->t, DRIVERS "/hv_utils/bind", "");
	tree_file(k->t, DRIVERS "/" UIO "/bind", "");
	tree_file(k->t, "proc/self/mountinfo", "21 1 0:5 / /proc rw - proc proc rw\n");
}

static int ask(
	struct kernel *k, bool is_bind, struct vmbus_bind request, char why[VMBUS_BIND_WHY_BYTES])
{
	char proc[512];
	k->count = 0;
	request.root = k->t->root;
	request.proc = tree_path(k->t, "proc", proc);
	request.write = kernel_write;
	request.write_ctx = k;
	return is_bind ? vmbus_bind(&request, why) : vmbus_unbind(&request, why);
}
#define BIND(k, why, ...)   ask(k, true, (struct vmbus_bind){__VA_ARGS__}, why)
#define UNBIND(k, why, ...) ask(k, false, (struct vmbus_bind){__VA_ARGS__}, why)

/* ---- which device ---- */

static void a_device_is_named_by_class_relid_or_instance(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	static const char *const names[] = {"heartbeat", "1", TREE_HEARTBEAT,
		("{" TREE_HEARTBEAT "}"), "FD149E91-82E0-4A7D-AFA6-2A4166CBD7C0"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		kernel_start(&k);
		CU_ASSERT_EQUAL(UNBIND(&k, why, .device = names[i]), 0);
		CU_ASSERT_STRING_EQUAL(why, "relid 1: taken from hv_utils");
		CU_ASSERT_TRUE(wrote(&k, 0, "drivers/hv_utils/unbind " TREE_HEARTBEAT));
		tree_free(k.t);
	}
}

static void a_device_that_is_not_there_or_not_one_is_refused(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	static const char *const names[] = {"kvp", "2", "", "1x", "storage\033[2J"};
	kernel_start(&k);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		CU_ASSERT_EQUAL(BIND(&k, why, .device = names[i], .driver = UIO), -ENODEV);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "there is no device"));
		CU_ASSERT_PTR_NULL(strchr(why, '\033'));
		CU_ASSERT_EQUAL(k.count, 0);
	}
	tree_file(k.t, DEVICES "/second/id", "30\n");
	tree_file(k.t, DEVICES "/second/class_id", "{57164f39-9115-4e78-ab55-382f3bd5422d}\n");
	tree_file(k.t, DEVICES "/second/device_id", "{" TREE_ODD "}\n");
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "heartbeat", .driver = UIO), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "several devices of class heartbeat"));
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "1 or 30"));
	CU_ASSERT_EQUAL(k.count, 0);
	tree_free(k.t);
}

/* ---- bind ---- */

static void a_device_changes_hands_by_driver_override(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	kernel_start(&k);
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "heartbeat", .driver = UIO), 0);
	CU_ASSERT_STRING_EQUAL(why, "relid 1: bound to uio_hv_generic");
	CU_ASSERT_EQUAL(k.count, 3);
	CU_ASSERT_TRUE(wrote(&k, 0, "drivers/hv_utils/unbind " TREE_HEARTBEAT));
	CU_ASSERT_TRUE(wrote(&k, 1, "devices/" TREE_HEARTBEAT "/driver_override " UIO));
	CU_ASSERT_TRUE(wrote(&k, 2, "drivers/" UIO "/bind " TREE_HEARTBEAT));
	/* again: nothing to do */
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "heartbeat", .driver = UIO), 0);
	CU_ASSERT_EQUAL(k.count, 0);
	/* and back to whom the kernel chooses */
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "heartbeat"), 0);
	CU_ASSERT_STRING_EQUAL(why, "relid 1: bound to hv_utils");
	CU_ASSERT_TRUE(wrote(&k, 0, "drivers/" UIO "/unbind " TREE_HEARTBEAT));
	CU_ASSERT_TRUE(wrote(&k, 1, "devices/" TREE_HEARTBEAT "/driver_override "));
	CU_ASSERT_TRUE(wrote(&k, 2, "drivers_probe " TREE_HEARTBEAT));
	tree_free(k.t);
}

static void an_old_kernel_is_given_the_class(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	char path[512];
	kernel_start(&k);
	unlink(tree_path(k.t, DEVICES "/" TREE_ODD "/driver_override", path));
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "7", .driver = UIO), 0);
	CU_ASSERT_TRUE(wrote(&k, 1, "drivers/" UIO "/new_id 01234567-89ab-cdef-0123-456789abcdef"));
	CU_ASSERT_TRUE(wrote(&k, 2, "drivers/" UIO "/bind " TREE_ODD));
	tree_free(k.t);
}

static void if_free_leaves_a_device_that_has_a_driver(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	kernel_start(&k);
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "heartbeat", .driver = UIO, .is_if_free = true), 0);
	CU_ASSERT_STRING_EQUAL(why, "relid 1: left to hv_utils");
	CU_ASSERT_EQUAL(k.count, 0);
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "7", .driver = UIO, .is_if_free = true), 0);
	CU_ASSERT_STRING_EQUAL(why, "relid 7: bound to uio_hv_generic");
	tree_free(k.t);
}

static void a_probe_that_fails_is_told_and_undone(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	kernel_start(&k);
	k.probe_error = PROBE_NO;
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "heartbeat", .driver = UIO), PROBE_NO);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "only devices with a monitor id"));
	CU_ASSERT_EQUAL(k.count, 5);
	CU_ASSERT_TRUE(wrote(&k, 3, "devices/" TREE_HEARTBEAT "/driver_override "));
	CU_ASSERT_TRUE(wrote(&k, 4, "drivers/hv_utils/bind " TREE_HEARTBEAT));
	CU_ASSERT_EQUAL(UNBIND(&k, why, .device = "heartbeat"), 0);
	CU_ASSERT_STRING_EQUAL(why, "relid 1: taken from hv_utils");
	tree_free(k.t);
}

static void what_the_kernel_refuses_is_told(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	kernel_start(&k);
	k.write_error = -EACCES;
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "heartbeat", .driver = UIO), -EACCES);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "run it as root"));
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "7", .driver = UIO), -EACCES);
	k.write_error = 0;
	k.is_stubborn = true;
	CU_ASSERT_EQUAL(UNBIND(&k, why, .device = "heartbeat"), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "hv_utils has it still"));
	k.is_going = true;
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "7", .driver = UIO), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "the host took it away"));
	tree_free(k.t);
}

static void only_names_of_drivers_that_are_there_are_used(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	static const char *const names[] = {"", ".", "..", "../drivers/hv_utils", "a/b", "a\nb"};
	kernel_start(&k);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		CU_ASSERT_EQUAL(BIND(&k, why, .device = "7", .driver = names[i]), -EINVAL);
		CU_ASSERT_EQUAL(k.count, 0);
	}
	CU_ASSERT_EQUAL(BIND(&k, why, .device = "7", .driver = "hv_nothing"), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "modprobe hv_nothing"));
	CU_ASSERT_EQUAL(k.count, 0);
	tree_free(k.t);
}

/* ---- what is in use ---- */

#define DISK                                                                                       \
	"../../devices/LNXSYSTM:00/VMBUS:00/" TREE_CONTROLLER "/host0/target0:0:0/0:0:0:0/block/"  \
	"sda"

static void disk_add(const struct kernel *k)
{
	tree_file(k->t,
		"devices/LNXSYSTM:00/VMBUS:00/" TREE_CONTROLLER
		"/host0/target0:0:0/0:0:0:0/block/sda/dev",
		"8:0\n");
	tree_file(k->t,
		"devices/LNXSYSTM:00/VMBUS:00/" TREE_CONTROLLER
		"/host0/target0:0:0/0:0:0:0/block/sda/sda1/dev",
		"8:1\n");
	tree_link(k->t, "class/block/sda", DISK);
	tree_link(k->t, "class/block/sda1", DISK "/sda1");
	tree_link(k->t, "class/block/loop0", "../../devices/virtual/block/loop0");
}

static void refused(struct kernel *k, const char *words)
{
	char why[VMBUS_BIND_WHY_BYTES];
	CU_ASSERT_EQUAL(UNBIND(k, why, .device = "storage"), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, words));
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "--force"));
	CU_ASSERT_EQUAL(k->count, 0);
	CU_ASSERT_EQUAL(BIND(k, why, .device = "storage", .driver = UIO), -EBUSY);
	CU_ASSERT_EQUAL(BIND(k, why, .device = "storage"), -EBUSY);
	CU_ASSERT_EQUAL(k->count, 0);
}

static void a_mounted_disk_is_not_taken(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	kernel_start(&k);
	disk_add(&k);
	tree_file(k.t, "proc/self/mountinfo",
		"21 1 0:5 / /proc rw - proc proc rw\n"
		"25 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/root rw\n");
	refused(&k, "hv_storvsc would lose its disks, and sda1 is mounted on /");
	/* a file system with a device number of its own, such as btrfs */
	tree_file(k.t, "proc/self/mountinfo", "25 1 0:31 / /mnt\\040x rw - btrfs /dev/sda1 rw\n");
	refused(&k, "sda1 is mounted on /mnt");
	/* somebody else's disk is none of its business */
	tree_file(k.t, "proc/self/mountinfo", "25 1 8:16 / / rw - ext4 /dev/sdb rw\n");
	CU_ASSERT_EQUAL(UNBIND(&k, why, .device = "storage"), 0);
	tree_free(k.t);
}

static void a_disk_that_is_swapped_to_or_part_of_another_is_not_taken(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	kernel_start(&k);
	disk_add(&k);
	tree_file(k.t, "proc/swaps",
		"Filename Type Size Used Priority\n/dev/sda1 partition 9 0 -2\n");
	refused(&k, "sda1 is swap space");
	tree_file(k.t, "proc/swaps", "Filename Type Size Used Priority\n");
	tree_file(k.t,
		"devices/LNXSYSTM:00/VMBUS:00/" TREE_CONTROLLER
		"/host0/target0:0:0/0:0:0:0/block/sda/holders/dm-0",
		"");
	refused(&k, "sda is part of dm-0");
	CU_ASSERT_EQUAL(UNBIND(&k, why, .device = "storage", .is_forced = true), 0);
	CU_ASSERT_TRUE(wrote(&k, 0, "drivers/hv_storvsc/unbind " TREE_CONTROLLER));
	tree_free(k.t);
}

static void without_proc_nothing_is_taken(void)
{
	struct kernel k;
	char why[VMBUS_BIND_WHY_BYTES];
	char path[512];
	kernel_start(&k);
	disk_add(&k);
	unlink(tree_path(k.t, "proc/self/mountinfo", path));
	CU_ASSERT_EQUAL(UNBIND(&k, why, .device = "storage"), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot find out what uses it"));
	CU_ASSERT_EQUAL(k.count, 0);
	tree_free(k.t);
}

/* ---- the program ---- */

#define VMBUSCTL    (char *)(uintptr_t)tree_program("vmbusctl", "VMBUSCTL")
#define RUN(t, ...) tree_run(t, (char *[]){VMBUSCTL, __VA_ARGS__, "--sysfs", (t)->root, NULL})

static void the_program_writes_the_kernels_files_and_looks_after_it(void)
{
	struct kernel k;
	char path[512];
	char text[64] = "";
	kernel_start(&k);
	tree_file(k.t, DRIVERS "/hv_utils/unbind", "");
	/* nobody plays the kernel: what was asked for does not come true */
	CU_ASSERT_EQUAL(RUN(k.t, "unbind", "heartbeat"), 1);
	CU_ASSERT_TRUE(tree_says(k.t, "vmbusctl: unbind: hv_utils has it still"));
	FILE *file = fopen(tree_path(k.t, DRIVERS "/hv_utils/unbind", path), "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_PTR_NOT_NULL(fgets(text, sizeof text, file));
	fclose(file);
	CU_ASSERT_STRING_EQUAL(text, TREE_HEARTBEAT);
	CU_ASSERT_EQUAL(RUN(k.t, "bind", "7", UIO), 1);
	CU_ASSERT_TRUE(tree_says(k.t, "vmbusctl: bind: uio_hv_generic did not take it"));
	CU_ASSERT_EQUAL(RUN(k.t, "bind", "heartbeat", "hv_utils"), 0);
	CU_ASSERT_STRING_EQUAL(k.t->out, "relid 1: bound to hv_utils already\n");
	CU_ASSERT_EQUAL(RUN(k.t, "bind"), 2);
	CU_ASSERT_EQUAL(RUN(k.t, "bind", "1", "2", "3"), 2);
	CU_ASSERT_EQUAL(RUN(k.t, "unbind", "1", "hv_utils"), 2);
	CU_ASSERT_EQUAL(RUN(k.t, "unbind", "1", "--if-free"), 2);
	CU_ASSERT_EQUAL(RUN(k.t, "bind", "1", "--json"), 2);
	CU_ASSERT_EQUAL(RUN(k.t, "bind", "1", "--force", "--if-free"), 2);
	tree_free(k.t);
}

static const struct test tests[] = {
	TEST(a_device_is_named_by_class_relid_or_instance),
	TEST(a_device_that_is_not_there_or_not_one_is_refused),
	TEST(a_device_changes_hands_by_driver_override),
	TEST(an_old_kernel_is_given_the_class),
	TEST(if_free_leaves_a_device_that_has_a_driver),
	TEST(a_probe_that_fails_is_told_and_undone),
	TEST(what_the_kernel_refuses_is_told),
	TEST(only_names_of_drivers_that_are_there_are_used),
	TEST(a_mounted_disk_is_not_taken),
	TEST(a_disk_that_is_swapped_to_or_part_of_another_is_not_taken),
	TEST(without_proc_nothing_is_taken),
	TEST(the_program_writes_the_kernels_files_and_looks_after_it),
};
TEST_MAIN("vmbus_bind", tests)
