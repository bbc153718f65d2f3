// SPDX-License-Identifier: Apache-2.0
/*
 * The administrator's hv_set_ifconfig: when it is used, what it gets, and what comes of its
 * failure.
 */
#include "guest/ic_daemons/net_backend_linux.h"
#include "guest/ic_daemons/net_run_linux.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT "usr/libexec/hypervkvpd/hv_set_ifconfig"

struct rig {
	char root[64];
	struct net_interface nic;
	struct net_change change;
};

static bool rig_up(struct rig *rig)
{
	char command[256];
	if (geteuid() != 0) {
		test_skip("the script must belong to root: run as root");
		return false;
	}
	memset(rig, 0, sizeof *rig);
	snprintf(rig->root, sizeof rig->root, "/tmp/viridian-net-script.XXXXXX");
	if (mkdtemp(rig->root) == NULL)
		abort();
	snprintf(command, sizeof command,
		"cd %s && umask 022 && mkdir -p usr/libexec/hypervkvpd usr/sbin "
		"var/lib/viridian-net-config",
		rig->root);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
	strcpy(rig->nic.name, "eth0");
	memcpy(rig->nic.mac, (const uint8_t[]){0, 0x15, 0x5d, 1, 2, 0xfe}, 6);
	static const struct net_config_options options;
	rig->change.options = &options;
	rig->change.root = rig->root;
	rig->change.files.root = rig->root;
	rig->change.nic = &rig->nic;
	return true;
}

static void rig_down(struct rig *rig)
{
	char command[128];
	net_files_free(&rig->change.files);
	snprintf(command, sizeof command, "rm -r %s", rig->root);
	CU_ASSERT_EQUAL(system(command), 0);
}

static void script_write(struct rig *rig, const char *path, const char *text, mode_t mode)
{
	char full[160];
	snprintf(full, sizeof full, "%s/%s", rig->root, path);
	FILE *file = fopen(full, "w");
	CU_ASSERT_FATAL(file != NULL);
	fputs(text, file);
	fclose(file);
	CU_ASSERT_EQUAL(chmod(full, mode), 0);
}

static void text_read(const struct rig *rig, const char *path, char text[4096])
{
	char full[160];
	snprintf(full, sizeof full, "%s/%s", rig->root, path);
	FILE *file = fopen(full, "r");
	size_t bytes = file != NULL ? fread(text, 1, 4095, file) : 0;
	text[bytes] = '\0';
	if (file != NULL)
		fclose(file);
}

/* Two of everything. */
static void wanted_make(struct rig *rig)
{
	rig->change.wanted[NET_IPV4] = (struct net_family_settings){
		.address_count = 2,
		.gateway_count = 2,
		.dns_count = 1,
		.addresses = {{{{192, 0, 2, 5}}, 24, 0}, {{{198, 51, 100, 5}}, 20, 0}},
		.gateways = {{{192, 0, 2, 1}}, {{192, 0, 2, 2}}},
		.dns = {{{192, 0, 2, 53}}},
	};
	rig->change.wanted[NET_IPV6] = (struct net_family_settings){
		.address_count = 2,
		.gateway_count = 1,
		.dns_count = 1,
		.addresses = {{{{0x20, 1, 0x0d, 0xb8, [15] = 5}}, 64, 0},
			{{{0x20, 1, 0x0d, 0xb8, [15] = 6}}, 48, 0}},
		.gateways = {{{0xfe, 0x80, [15] = 1}}},
		.dns = {{{0x20, 1, 0x0d, 0xb8, [15] = 0x35}}},
	};
}

static void script_gets_both_files(void)
{
	struct rig rig;
	char text[4096], expected[512];
	if (!rig_up(&rig))
		return;
	script_write(&rig, SCRIPT, "#!/bin/sh\necho \"$#\" \"$@\" >\"${0%/usr/*}/called\"\n", 0755);
	CU_ASSERT_TRUE(net_backend_script.is_in_charge(&rig.change));
	wanted_make(&rig);
	CU_ASSERT_EQUAL(net_backend_script.apply(&rig.change), 0);
	snprintf(expected, sizeof expected,
		"2 %s/var/lib/viridian-net-config/ifcfg-eth0 "
		"%s/var/lib/viridian-net-config/eth0.nmconnection\n",
		rig.root, rig.root);
	text_read(&rig, "called", text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	text_read(&rig, "var/lib/viridian-net-config/ifcfg-eth0", text);
	CU_ASSERT_STRING_EQUAL(strchr(text, '\n') + 1,
		"HWADDR=00:15:5D:01:02:FE\n"
		"DEVICE=eth0\n"
		"BOOTPROTO=none\n"
		"IPADDR0=192.0.2.5\n"
		"IPADDR1=198.51.100.5\n"
		"NETMASK0=255.255.255.0\n"
		"NETMASK1=255.255.240.0\n"
		"GATEWAY=192.0.2.1\n"
		"GATEWAY1=192.0.2.2\n"
		"IPV6ADDR=2001:0db8:0000:0000:0000:0000:0000:0005\n"
		"IPV6ADDR_1=2001:0db8:0000:0000:0000:0000:0000:0006\n"
		"IPV6NETMASK=64\n"
		"IPV6NETMASK_1=48\n"
		"IPV6_DEFAULTGW=fe80:0000:0000:0000:0000:0000:0000:0001\n"
		"DNS1=192.0.2.53\n"
		"DNS2=2001:db8::35\n");
	text_read(&rig, "var/lib/viridian-net-config/eth0.nmconnection", text);
	CU_ASSERT_STRING_EQUAL(strchr(text, '\n') + 1,
		"\n[connection]\ninterface-name=eth0\n"
		"\n[ethernet]\nmac-address=00:15:5D:01:02:FE\n"
		"\n[ipv4]\naddress1=192.0.2.5/24\naddress2=198.51.100.5/20\nmethod=manual\n"
		"gateway=192.0.2.1,192.0.2.2\ndns=192.0.2.53\n"
		"\n[ipv6]\naddress1=2001:db8::5/64\naddress2=2001:db8::6/48\nmethod=manual\n"
		"gateway=fe80::1\ndns=2001:db8::35\n");
	rig_down(&rig);
}

static void dhcp_is_said_as_such(void)
{
	struct rig rig;
	char text[4096];
	if (!rig_up(&rig))
		return;
	script_write(&rig, "usr/sbin/hv_set_ifconfig", "#!/bin/sh\n", 0755);
	CU_ASSERT_TRUE(net_backend_script.is_in_charge(&rig.change));
	rig.change.wanted[NET_IPV4].dhcp = true;
	CU_ASSERT_EQUAL(net_backend_script.apply(&rig.change), 0);
	text_read(&rig, "var/lib/viridian-net-config/ifcfg-eth0", text);
	CU_ASSERT_STRING_EQUAL(
		strchr(text, '\n') + 1, "HWADDR=00:15:5D:01:02:FE\nDEVICE=eth0\nBOOTPROTO=dhcp\n");
	text_read(&rig, "var/lib/viridian-net-config/eth0.nmconnection", text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"));
	rig_down(&rig);
}

static void failure_says_its_last_line_and_is_undone(void)
{
	struct rig rig;
	char text[4096];
	if (!rig_up(&rig))
		return;
	script_write(&rig, "var/lib/viridian-net-config/ifcfg-eth0", "of before\n", 0644);
	script_write(&rig, SCRIPT, "#!/bin/sh\necho no such device >&2\nexit 3\n", 0755);
	wanted_make(&rig);
	CU_ASSERT_EQUAL(net_backend_script.apply(&rig.change), -EIO);
	CU_ASSERT_STRING_EQUAL(rig.change.error, "hv_set_ifconfig failed (3): no such device");
	net_backend_script.undo(&rig.change);
	text_read(&rig, "var/lib/viridian-net-config/ifcfg-eth0", text);
	CU_ASSERT_STRING_EQUAL(text, "of before\n");
	text_read(&rig, "var/lib/viridian-net-config/eth0.nmconnection", text);
	CU_ASSERT_STRING_EQUAL(text, "");
	rig_down(&rig);
}

/* Is there a process of this number that is not merely waited for? */
static bool is_alive(long pid)
{
	char path[64], text[512] = "";
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	const size_t len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	const char *end = len > 0 ? strrchr(text, ')') : NULL;
	return end != NULL && end[1] == ' ' && end[2] != 'Z';
}

static void script_that_does_not_end_is_ended_with_its_children(void)
{
	struct rig rig;
	char path[160], output[64], text[4096];
	if (!rig_up(&rig))
		return;
	script_write(&rig, SCRIPT,
		"#!/bin/sh\nsleep 1000 &\necho $! >\"${0%/usr/*}/child\"\nwait\n", 0755);
	snprintf(path, sizeof path, "%s/" SCRIPT, rig.root);
	const char *const argv[] = {path, NULL};
	CU_ASSERT_EQUAL(net_run(NULL, argv, 1, false, output, sizeof output), -ETIMEDOUT);
	text_read(&rig, "child", text);
	const long child = strtol(text, NULL, 10);
	CU_ASSERT_TRUE_FATAL(child > 1);
	for (unsigned i = 0; i < 1000 && is_alive(child); i++)
		(void)poll(NULL, 0, 5);
	CU_ASSERT_FALSE(is_alive(child));
	if (is_alive(child))
		(void)kill((pid_t)child, SIGKILL);
	rig_down(&rig);
}

static void script_that_others_could_change_is_not_used(void)
{
	struct rig rig;
	char path[160];
	if (!rig_up(&rig))
		return;
	CU_ASSERT_FALSE(net_backend_script.is_in_charge(&rig.change)); /* none */
	script_write(&rig, SCRIPT, "#!/bin/sh\n", 0775);
	CU_ASSERT_FALSE(net_backend_script.is_in_charge(&rig.change));
	script_write(&rig, SCRIPT, "#!/bin/sh\n", 0757);
	CU_ASSERT_FALSE(net_backend_script.is_in_charge(&rig.change));
	script_write(&rig, SCRIPT, "#!/bin/sh\n", 0644);
	CU_ASSERT_FALSE(net_backend_script.is_in_charge(&rig.change));
	script_write(&rig, SCRIPT, "#!/bin/sh\n", 0755);
	CU_ASSERT_TRUE(net_backend_script.is_in_charge(&rig.change));
	snprintf(path, sizeof path, "%s/" SCRIPT, rig.root);
	CU_ASSERT_EQUAL(chown(path, 65534, 0), 0);
	CU_ASSERT_FALSE(net_backend_script.is_in_charge(&rig.change));
	CU_ASSERT_EQUAL(chown(path, 0, 0), 0);
	snprintf(path, sizeof path, "%s/usr/libexec/hypervkvpd", rig.root);
	CU_ASSERT_EQUAL(chmod(path, 0777), 0);
	CU_ASSERT_FALSE(net_backend_script.is_in_charge(&rig.change));
	rig_down(&rig);
}

static const struct test tests[] = {
	TEST(script_gets_both_files),
	TEST(dhcp_is_said_as_such),
	TEST(failure_says_its_last_line_and_is_undone),
	TEST(script_that_does_not_end_is_ended_with_its_children),
	TEST(script_that_others_could_change_is_not_used),
};

TEST_MAIN("net_script", tests)
