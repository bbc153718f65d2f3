// SPDX-License-Identifier: Apache-2.0
/* The command line of vmwp run: what it takes, and what it says about each mistake. */
#include "host/vmwp/options.h"
#include "protocol/vmbus.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 32u

static char complaint[1024];

/* Parse a command line of words separated by spaces; stderr goes to `complaint`. */
static int parse(const char *line, struct options *out)
{
	static char text[512];
	char *words[WORDS_MAX] = {"run"};
	int count = 1;
	snprintf(text, sizeof text, "%s", line);
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		words[count++] = word;
	FILE *file = tmpfile();
	fflush(stderr);
	const int saved = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	const int result = options_parse(count, words, out);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	complaint[fread(complaint, 1, sizeof complaint - 1, file)] = '\0';
	fclose(file);
	return result;
}

static void options_have_the_documented_defaults(void)
{
	struct options o;
	CU_ASSERT_EQUAL(parse("--guest g.sock", &o), 0);
	CU_ASSERT_STRING_EQUAL(o.guest_socket, "g.sock");
	CU_ASSERT_PTR_NULL(o.control_socket);
	CU_ASSERT_EQUAL(o.memory_bytes, 64u << 20);
	CU_ASSERT_EQUAL(o.vp_count, 1);
	CU_ASSERT_EQUAL(o.channels_max, 4);
	CU_ASSERT_EQUAL(o.heartbeat_period_ms, 2000);
	CU_ASSERT_EQUAL(o.spin_ns, 200000);
	CU_ASSERT_EQUAL(o.disk_count, 0);
	CU_ASSERT_FALSE(o.is_once);
	CU_ASSERT_EQUAL(o.backend, BACKEND_LOOPBACK);
	CU_ASSERT_EQUAL(o.on_crash, END_GO_ON);
}

static void options_take_disks_with_and_without_addresses(void)
{
	struct options o;
	CU_ASSERT_EQUAL(parse("--guest g --disk a.img,ro,block=4096 --dvd b.iso,target=0 "
			      "--ram-disk 1M,controller=2,target=5,lun=7 --disk c.img,direct",
				&o),
		0);
	CU_ASSERT_EQUAL_FATAL(o.disk_count, 4);
	CU_ASSERT_STRING_EQUAL(o.disks[0].path, "a.img");
	CU_ASSERT(o.disks[0].is_read_only);
	CU_ASSERT_EQUAL(o.disks[0].block_bytes, 4096);
	CU_ASSERT_EQUAL(o.disks[0].target, 1); /* 0 was asked for by the DVD */
	CU_ASSERT_EQUAL(o.disks[1].kind, DISK_DVD);
	CU_ASSERT(o.disks[1].is_read_only);
	CU_ASSERT_EQUAL(o.disks[1].target, 0);
	CU_ASSERT_EQUAL(o.disks[2].ram_bytes, 1u << 20);
	CU_ASSERT_EQUAL(o.disks[2].controller, 2);
	CU_ASSERT_EQUAL(o.disks[2].target, 5);
	CU_ASSERT_EQUAL(o.disks[2].lun, 7);
	CU_ASSERT(o.disks[3].is_direct);
	CU_ASSERT_EQUAL(o.disks[3].target, 2);
}

static void disks_of_a_virtual_machine_are_logical_units_of_one_target(void)
{
	struct options o;
	CU_ASSERT_EQUAL(parse("--kernel k --disk a --disk b --disk c,target=0,lun=1 --ram-disk 1M "
			      "--disk d,target=2 --disk e,controller=1",
				&o),
		0);
	static const unsigned luns[] = {0, 2, 1, 3, 0, 0};
	CU_ASSERT_EQUAL_FATAL(o.disk_count, 6);
	for (unsigned i = 0; i < o.disk_count; i++) {
		CU_ASSERT_EQUAL(o.disks[i].target, i == 4 ? 2 : 0);
		CU_ASSERT_EQUAL(o.disks[i].lun, luns[i]);
	}
}

static void options_take_the_largest_and_smallest_values(void)
{
	struct options o;
	CU_ASSERT_EQUAL(parse("--guest g --memory 1M --vps 64 --channels 64 --spin 0 --heartbeat 0 "
			      "--max-version 0.13 --disk a,target=63,lun=254,controller=3 "
			      "--test-devices",
				&o),
		0);
	CU_ASSERT_EQUAL(o.version_max, VMBUS_VERSION_0_13);
	CU_ASSERT_EQUAL(o.disks[0].lun, 254);
	CU_ASSERT(o.has_test_devices);
	CU_ASSERT_EQUAL(parse("--guest g --memory 64G --max-version 6.0", &o), 0);
	CU_ASSERT_EQUAL(o.memory_bytes, 64ull << 30);
	CU_ASSERT_EQUAL(o.version_max, VMBUS_VERSION_6_0);
}

static void options_for_kvm_have_the_documented_defaults(void)
{
	struct options o;
	struct enlightenments fast;
	const char *unknown;
	size_t bytes;
	CU_ASSERT_EQUAL(enlightenments_parse("fast", &fast, &unknown, &bytes), 0);
	CU_ASSERT_EQUAL(parse("--kernel vmlinuz", &o), 0);
	CU_ASSERT_EQUAL(o.backend, BACKEND_KVM);
	CU_ASSERT_EQUAL(o.spin_ns, 20000);
	CU_ASSERT_STRING_EQUAL(o.kernel, "vmlinuz");
	CU_ASSERT_PTR_NULL(o.initrd);
	CU_ASSERT_PTR_NULL(o.command_line);
	CU_ASSERT_EQUAL(o.memory_bytes, 512u << 20);
	CU_ASSERT_EQUAL(o.serial, SERIAL_STDIO);
	CU_ASSERT_EQUAL(o.on_reboot, END_GO_ON);
	CU_ASSERT_EQUAL(o.on_crash, END_EXIT);
	CU_ASSERT_EQUAL(o.enlightenments.privileges, fast.privileges);
	CU_ASSERT_EQUAL(o.enlightenments.recommendations, fast.recommendations);
	CU_ASSERT_FALSE(o.has_test_devices);
	CU_ASSERT_PTR_NULL(o.emulated_disk);
}

static void options_for_kvm_are_taken(void)
{
	struct options o;
	struct enlightenments all;
	const char *unknown;
	size_t bytes;
	CU_ASSERT_EQUAL(enlightenments_parse("all", &all, &unknown, &bytes), 0);
	CU_ASSERT_EQUAL(parse("--kernel k --initrd i --append quiet --serial socket:s --memory 1G "
			      "--enlightenments all --on-reboot exit --on-crash report "
			      "--test-devices --emulated-disk e,,1,pio",
				&o),
		0);
	CU_ASSERT_STRING_EQUAL(o.initrd, "i");
	CU_ASSERT_STRING_EQUAL(o.command_line, "quiet");
	CU_ASSERT_EQUAL(o.serial, SERIAL_SOCKET);
	CU_ASSERT_STRING_EQUAL(o.serial_path, "s");
	CU_ASSERT_EQUAL(o.memory_bytes, 1u << 30);
	CU_ASSERT_EQUAL(o.enlightenments.privileges, all.privileges);
	CU_ASSERT_EQUAL(o.on_reboot, END_EXIT);
	CU_ASSERT_EQUAL(o.on_crash, END_GO_ON);
	CU_ASSERT(o.has_test_devices);
	CU_ASSERT_STRING_EQUAL(o.emulated_disk, "e,1");
	CU_ASSERT(o.is_emulated_disk_pio);
	CU_ASSERT_EQUAL(
		parse("--backend kvm --kernel k --serial file:a/b --emulated-disk d", &o), 0);
	CU_ASSERT_EQUAL(o.serial, SERIAL_FILE);
	CU_ASSERT_STRING_EQUAL(o.serial_path, "a/b");
	CU_ASSERT_FALSE(o.is_emulated_disk_pio);
}

static void options_take_a_comma_in_a_path_that_is_written_twice(void)
{
	struct options o;
	CU_ASSERT_EQUAL(parse("--guest g --disk a,,b.img,ro --disk ,,x --dvd c.iso", &o), 0);
	CU_ASSERT_EQUAL_FATAL(o.disk_count, 3);
	CU_ASSERT_STRING_EQUAL(o.disks[0].path, "a,b.img");
	CU_ASSERT(o.disks[0].is_read_only);
	CU_ASSERT_STRING_EQUAL(o.disks[1].path, ",x");
	CU_ASSERT_FALSE(o.disks[1].is_read_only);
	CU_ASSERT_STRING_EQUAL(o.disks[2].path, "c.iso");
}

static void options_name_each_mistake_and_what_to_write(void)
{
	static const struct {
		const char *line;
		const char *says; /* part of the one line on stderr */
	} mistakes[] = {
		{"", "what to host? Give --kernel FILE"},
		{"--backend loopback", "--guest SOCKET is missing"},
		{"--backend kvm", "--kernel FILE is missing"},
		{"--backend xen", "--backend: \"xen\" is not known: use kvm or loopback"},
		{"--backend kvm --guest g", "--guest: a guest on KVM needs no socket"},
		{"--kernel k --guest g", "--guest: a guest on KVM needs no socket"},
		{"--kernel k --backend loopback",
			"--backend loopback: a loopback partition boots no kernel"},
		{"--kernel k --once", "--once: for loopback partitions only"},
		{"--kernel k --memory 1M", "--memory: a virtual machine has 8M to 64G"},
		{"--kernel k --memory 65G", "a virtual machine has 8M to 64G"},
		{"--kernel k --memory lots", "--memory: \"lots\" is not a size"},
		{"--kernel k --serial tty",
			"--serial: \"tty\" is not known: use stdio, socket:PATH"},
		{"--kernel k --serial file:", "--serial: \"file:\""},
		{"--kernel k --serial stdio:x", "--serial: \"stdio:x\""},
		{"--kernel k --control c --serial socket:c", "are the same path \"c\""},
		{"--kernel k --enlightenments fast,warp",
			"--enlightenments: \"warp\" is not known"},
		{"--kernel k --on-reboot stop",
			"--on-reboot: \"stop\" is not known: use exit or reset"},
		{"--kernel k --on-crash stop",
			"--on-crash: \"stop\" is not known: use exit or report"},
		{"--kernel k --emulated-disk ,pio", "--emulated-disk: a path is missing"},
		{"--kernel k --emulated-disk d,dma", "\"dma\" is not known: use pio"},
		{"--guest g --initrd i", "--initrd: a loopback partition has none"},
		{"--guest g --append x", "--append: a loopback partition has none"},
		{"--guest g --serial none", "--serial: a loopback partition has none"},
		{"--guest g --enlightenments all",
			"--enlightenments: a loopback partition has none"},
		{"--guest g stray", "\"stray\" is not an option"},
		{"--guest g --vps 0", "--vps: \"0\" is not a number from 1 to 64"},
		{"--guest g --vps 65", "from 1 to 64"},
		{"--guest g --vps 2x", "\"2x\""},
		{"--guest g --vps -1", "\"-1\""},
		{"--guest g --memory 1K", "--memory: \"1K\""},
		{"--guest g --memory 512K", "--memory: a loopback partition has 1M to 64G"},
		{"--guest g --memory 65G", "has 1M to 64G"},
		{"--guest g --memory 4100K", ""},
		{"--guest g --memory 1048577", "--memory"},
		{"--guest g --memory 99999999999999999999", "--memory"},
		{"--guest g --max-version 5.4", "5.3 or 6.0"},
		{"--guest g --max-version five", "five"},
		{"--guest g --log loud", "use error, warning, info or debug"},
		{"--guest g --disk ,ro", "a path is missing"},
		{"--guest g --disk a,rw", "\"rw\" is not known"},
		{"--guest g --disk a,block=1024", "use 512 or 4096"},
		{"--guest g --disk a,target=64", "from 0 to 63"},
		{"--guest g --disk a,lun=255", "from 0 to 254"},
		{"--guest g --disk a,controller=4", "from 0 to 3"},
		{"--guest g --disk a,target=", "\"\""},
		{"--guest g --disk a,target=1 --disk b,target=1", "taken twice"},
		{"--guest g --ram-disk 1000", "is not a size from 4K"},
		{"--guest g --ram-disk 0", "is not a size"},
		{"--guest g --channels 0", "--channels"},
		{"--guest g --name \x01", "--name: a control character, 0x01, is in the name"},
		{"--guest g --name \x80", "--name: the name is not UTF-8"},
		{"--guest g --id 5a1c3e0f", "--id: \"5a1c3e0f\" is not a GUID"},
		{"--guest g --id 00000000-0000-0000-0000-000000000000", "or is of zeros"},
		{"--guest", "--guest needs a value"},
		{"--gest g", "\"--gest\" is not an option"},
	};
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct options o;
		const int result = parse(mistakes[i].line, &o);
		const bool is_fine = mistakes[i].says[0] == '\0';
		if (result != (is_fine ? 0 : -1) || strstr(complaint, mistakes[i].says) == NULL) {
			printf("    %s -> %d: %s\n", mistakes[i].line, result, complaint);
			CU_FAIL("the mistake was not reported as expected");
		}
	}
}

static void options_choose_services(void)
{
	static const struct {
		const char *text;
		unsigned services; /* heartbeat 1, shutdown 2, time 4, backup 8, copy 16, kvp 32 */
	} cases[] = {
		{"--guest g", 63},
		{"--guest g --services all", 63},
		{"--guest g --services none", 0},
		{"--guest g --services time", 4},
		{"--guest g --services shutdown,heartbeat,shutdown", 3},
		{"--guest g --services kvp,backup,copy", 56},
		{"--guest g --heartbeat 0", 62},
		{"--guest g --time-sync 0", 59},
		{"--guest g --services heartbeat,time --heartbeat 0", 4},
	};
	struct options o;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CU_ASSERT_EQUAL(parse(cases[i].text, &o), 0);
		CU_ASSERT_EQUAL(o.services, cases[i].services);
	}
	CU_ASSERT_EQUAL(parse("--guest g --time-sync 3600000", &o), 0);
	CU_ASSERT_EQUAL(o.time_period_ms, 3600000);
	static const char *const wrong[] = {"--guest g --services kvps",
		"--guest g --services time,", "--guest g --services ,",
		"--guest g --services all,time", "--guest g --services tim",
		"--guest g --time-sync 3600001"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CU_ASSERT_EQUAL(parse(wrong[i], &o), -1);
}

static void options_refuse_one_disk_more_than_the_limit(void)
{
	struct options o = {0};
	char *argv[3 + 2 * (OPTIONS_DISKS_MAX + 1)] = {"run", "--guest", "g"};
	int argc = 3;
	char path[] = "a";
	for (unsigned i = 0; i < OPTIONS_DISKS_MAX; i++) {
		argv[argc++] = "--disk";
		argv[argc++] = path;
	}
	CU_ASSERT_EQUAL(options_parse(argc, argv, &o), 0);
	CU_ASSERT_EQUAL(o.disk_count, OPTIONS_DISKS_MAX);
	CU_ASSERT_EQUAL(o.disks[63].target, 63);
}

static void sizes_have_binary_suffixes_and_do_not_wrap(void)
{
	uint64_t bytes;
	CU_ASSERT_EQUAL(options_size_parse("4096", &bytes), 0);
	CU_ASSERT_EQUAL(bytes, 4096);
	CU_ASSERT_EQUAL(options_size_parse("3g", &bytes), 0);
	CU_ASSERT_EQUAL(bytes, 3ull << 30);
	CU_ASSERT_EQUAL(options_size_parse("16777215T", &bytes), 0);
	CU_ASSERT_EQUAL(options_size_parse("16777216T", &bytes), -1);
	CU_ASSERT_EQUAL(options_size_parse("1MiB", &bytes), -1);
	CU_ASSERT_EQUAL(options_size_parse("", &bytes), -1);
	CU_ASSERT_EQUAL(options_size_parse("-1", &bytes), -1);
}

static const struct test tests[] = {
	TEST(options_have_the_documented_defaults),
	TEST(options_for_kvm_have_the_documented_defaults),
	TEST(options_for_kvm_are_taken),
	TEST(options_take_a_comma_in_a_path_that_is_written_twice),
	TEST(options_take_disks_with_and_without_addresses),
	TEST(disks_of_a_virtual_machine_are_logical_units_of_one_target),
	TEST(options_take_the_largest_and_smallest_values),
	TEST(options_name_each_mistake_and_what_to_write),
	TEST(options_choose_services),
	TEST(options_refuse_one_disk_more_than_the_limit),
	TEST(sizes_have_binary_suffixes_and_do_not_wrap),
};
TEST_MAIN("options", tests)
