// SPDX-License-Identifier: Apache-2.0
/*
 * Changes of a real interface in a network namespace of its own, by each back end: the files to
 * the byte, the D-Bus calls, the programs that run, and everything put back after a failure. What
 * is read of interfaces is compared with what iproute2 was told.
 */
#include "guest/ic_daemons/net_config_linux.h"
#include "guest/ic_daemons/net_info_linux.h"
#include "tests/harness.h"
#include "tests/net_bus_mock.h"
#include "tests/sysfs_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MARK "# Written by viridian-net-config; replaced when the host asks for a change.\n"
#define MAC  "00:15:5D:01:02:03"
#define GUID "f8615163-0001-1000-2000-00155d010203"

/* A directory that stands for the file system, and an interface. */
struct rig {
	char root[64];
	struct net_config_options options;
	char line[NET_CONFIG_LINE_MAX];
};

static bool shell(const char *format, ...)
{
	char command[4096];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(command, sizeof command, format, arguments);
	va_end(arguments);
	return system(command) == 0;
}

static void put(const struct rig *rig, const char *path, const char *text)
{
	char full[256];
	snprintf(full, sizeof full, "%s%s", rig->root, path);
	shell("mkdir -p $(dirname %s)", full);
	FILE *file = fopen(full, "w");
	fputs(text, file);
	fclose(file);
}

/* The text of a file, or "(none)". Valid until the next call. */
static const char *get(const struct rig *rig, const char *path)
{
	static char text[8192];
	char full[256];
	snprintf(full, sizeof full, "%s%s", rig->root, path);
	FILE *file = fopen(full, "r");
	if (!file)
		return "(none)";
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

/* A network namespace of our own, as its root. */
static bool enter_namespace(void)
{
	char map[32];
	unsigned user = geteuid();
	if (user == 0)
		return unshare(CLONE_NEWNET) == 0;
	snprintf(map, sizeof map, "0 %u 1", user);
	int fd = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? open("/proc/self/uid_map", O_WRONLY)
							    : -1;
	bool is_root = fd >= 0 && write(fd, map, strlen(map)) > 0;
	if (fd >= 0)
		close(fd);
	return is_root;
}

/* A namespace with a synthetic adapter "syn0" that has an old address; NULL: not possible here. */
static struct rig *rig_new(void)
{
	static bool is_inside;
	struct rig *rig = calloc(1, sizeof *rig);
	if (!is_inside && !enter_namespace())
		goto none;
	is_inside = true;
	shell("ip link del syn0 2>/dev/null");
	if (!shell("ip link add syn0 address " MAC " type veth peer name peer0 2>/dev/null &&"
		   "ip link set syn0 up && ip link set peer0 up && ip link set lo up &&"
		   "ip addr add 203.0.113.5/24 dev syn0 &&"
		   "ip route add default via 203.0.113.1 dev syn0 metric 50"))
		goto none;
	snprintf(rig->root, sizeof rig->root, "/tmp/test-net-XXXXXX");
	if (!mkdtemp(rig->root))
		goto none;
	put(rig, "/sys/class/net/syn0/device/class_id", "{f8615163-df3e-46c5-913f-f2d2f965ed0e}\n");
	put(rig, "/sys/class/net/syn0/device/device_id", "{" GUID "}\n");
	shell("mkdir -p %s/var/lib %s/etc/systemd", rig->root, rig->root);
	static char sysfs[80];
	snprintf(sysfs, sizeof sysfs, "%s/sys", rig->root);
	rig->options = (struct net_config_options){.root = rig->root,
		.sysfs = sysfs,
		.bus_address = "unix:path=/nonexistent",
		.settle_ms = 3000};
	return rig;
none:
	free(rig);
	test_skip("no network namespace with a veth pair can be made by this user");
	return NULL;
}

static void rig_free(struct rig *rig)
{
	shell("rm -rf %s", rig->root);
	free(rig);
}

/* Serve one request of this body; the answer's line. */
static const char *serve(struct rig *rig, const char *body)
{
	char text[NET_CONFIG_TEXT_MAX];
	int len = snprintf(
		text, sizeof text, "viridian-net-config 1\nadapter guid " GUID "\n%send\n", body);
	net_config_serve(&rig->options, text, (size_t)len, rig->line);
	return rig->line;
}

static bool has(const char *command, const char *text)
{
	return shell("%s | grep -qF '%s'", command, text);
}

#define STATIC4	    "ipv4 static\naddress 192.0.2.5/24\ngateway 192.0.2.1\n"
#define STATIC4_DNS STATIC4 "dns 192.0.2.53\n"

/* ---- reading ---- */

static void an_interface_is_read_as_iproute2_made_it(void)
{
	static struct net_interface list[NET_INTERFACES_MAX];
	struct rig *rig = rig_new();
	size_t count;
	if (!rig)
		return;
	shell("ip addr add 203.0.113.77/24 dev syn0 valid_lft 3600 preferred_lft 3600 &&"
	      "ip addr add 169.254.9.9/16 dev syn0 &&"
	      "ip addr add 2001:db8::5/64 dev syn0 nodad &&"
	      "ip addr add 2001:db8::6/128 dev syn0 valid_lft 3600 preferred_lft 600 nodad &&"
	      "ip route add default via 203.0.113.2 dev syn0 metric 10 &&"
	      "ip -6 route add default via fe80::1 dev syn0");
	put(rig, "/etc/resolv.conf",
		"# x\nsearch a\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"
		"nameserver odd;text\nnameserver fe80::1%eth0\n");
	struct net_info_roots roots = {rig->options.sysfs, rig->root};
	CU_ASSERT_EQUAL(net_info_read(&roots, list, NET_INTERFACES_MAX, &count), 0);
	struct guid guid;
	guid_parse(GUID, &guid);
	const struct net_interface *nic = net_info_find_guid(list, count, &guid);
	CU_ASSERT_PTR_NOT_NULL(nic);
	if (!nic)
		return;
	CU_ASSERT_STRING_EQUAL(nic->name, "syn0");
	CU_ASSERT_TRUE(nic->is_up && nic->has_mac && !nic->is_loopback);
	CU_ASSERT_PTR_EQUAL(net_info_find_mac(list, count, nic->mac), nic);

	static const struct {
		const char *text;
		enum net_origin origin;
	} expected[] = {{"203.0.113.5/24", NET_ORIGIN_STATIC}, {"203.0.113.77/24", NET_ORIGIN_DHCP},
		{"169.254.9.9/16", NET_ORIGIN_OTHER}, {"2001:db8::5/64", NET_ORIGIN_STATIC},
		{"2001:db8::6/128", NET_ORIGIN_DHCP}, {"fe80::", NET_ORIGIN_OTHER}};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		unsigned found = 0;
		enum net_family family = strchr(expected[i].text, ':') ? NET_IPV6 : NET_IPV4;
		const struct net_family_settings *all = &nic->families[family];
		for (uint32_t j = 0; j < all->address_count; j++) {
			char text[NET_PREFIX_TEXT_BYTES];
			net_prefix_format(family, &all->addresses[j], text);
			found += strncmp(text, expected[i].text, strlen(expected[i].text)) == 0 &&
				 all->addresses[j].origin == expected[i].origin;
		}
		CU_ASSERT_EQUAL(found, 1);
	}
	CU_ASSERT_TRUE(nic->families[NET_IPV4].dhcp);
	char text[NET_ADDRESS_TEXT_BYTES];
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].gateway_count, 2);
	CU_ASSERT_STRING_EQUAL(
		net_address_format(NET_IPV4, &nic->families[NET_IPV4].gateways[0], text),
		"203.0.113.2");
	CU_ASSERT_EQUAL(nic->families[NET_IPV6].gateway_count, 1);
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].dns_count, 1);
	CU_ASSERT_EQUAL(nic->families[NET_IPV6].dns_count, 2);
	rig_free(rig);
}

static void more_than_the_protocol_can_say_is_left_out(void)
{
	static struct net_interface list[NET_INTERFACES_MAX];
	struct rig *rig = rig_new();
	size_t count;
	if (!rig)
		return;
	shell("for i in $(seq 1 80); do echo addr add 198.51.100.$i/24 dev syn0;"
	      "echo route add default via 203.0.113.$((i + 100)) dev syn0 metric $((100 + i));"
	      "done | ip -batch -");
	CU_ASSERT_EQUAL(net_info_read(NULL, list, NET_INTERFACES_MAX, &count), 0);
	const struct net_interface *nic = net_info_find_name(list, count, "syn0");
	CU_ASSERT_PTR_NOT_NULL(nic);
	if (!nic)
		return;
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].address_count, NET_ADDRESSES_MAX);
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].gateway_count, NET_GATEWAYS_MAX);
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].gateways[4].bytes[3], 104);
	CU_ASSERT_EQUAL(net_info_read(NULL, list, 1, &count), 0);
	CU_ASSERT_EQUAL(count, 1);
	rig_free(rig);
}

static void servers_and_clients_are_known_from_managers_files(void)
{
	static struct net_interface list[NET_INTERFACES_MAX];
	struct rig *rig = rig_new();
	size_t count;
	char path[64];
	if (!rig)
		return;
	struct net_info_roots roots = {rig->options.sysfs, rig->root};
	put(rig, "/etc/resolv.conf", "nameserver 127.0.0.53\n");
	put(rig, "/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.9\n");
	net_info_read(&roots, list, NET_INTERFACES_MAX, &count);
	const struct net_interface *nic = net_info_find_name(list, count, "syn0");
	CU_ASSERT_PTR_NOT_NULL(nic);
	if (!nic)
		return;
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].dns_count, 1);
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].dns[0].bytes[3], 9);
	CU_ASSERT_FALSE(nic->families[NET_IPV4].dhcp);

	snprintf(path, sizeof path, "/run/systemd/netif/links/%d", nic->index);
	put(rig, path, "OPER_STATE=routable\nDNS=192.0.2.7:53#name [2001:db8::7]:53 192.0.2.8\n");
	put(rig, "/run/dhclient.syn0.pid", "1\n");
	net_info_read(&roots, list, NET_INTERFACES_MAX, &count);
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].dns_count, 2);
	CU_ASSERT_EQUAL(nic->families[NET_IPV4].dns[0].bytes[3], 7);
	CU_ASSERT_EQUAL(nic->families[NET_IPV6].dns_count, 1);
	CU_ASSERT_TRUE(nic->families[NET_IPV4].dhcp);
	CU_ASSERT_FALSE(nic->families[NET_IPV6].dhcp);
	rig_free(rig);
}

/* ---- the kernel alone ---- */

static void the_kernel_alone_takes_addresses_until_reboot(void)
{
	struct rig *rig = rig_new();
	if (!rig)
		return;
	put(rig, "/etc/resolv.conf", "nameserver 203.0.113.9\n");
	CU_ASSERT_STRING_EQUAL(serve(rig, STATIC4_DNS "ipv6 static\naddress 2001:db8::5/64\n"
						      "gateway fe80::1\n"),
		"ok kernel until-reboot\n");
	CU_ASSERT_TRUE(has("ip -4 addr show syn0", "inet 192.0.2.5/24 brd 192.0.2.255"));
	CU_ASSERT_FALSE(has("ip -4 addr show syn0", "203.0.113"));
	CU_ASSERT_TRUE(has("ip route", "default via 192.0.2.1 dev syn0 proto static metric 100"));
	CU_ASSERT_FALSE(has("ip route", "203.0.113"));
	CU_ASSERT_TRUE(has("ip -6 route", "default via fe80::1 dev syn0"));
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/resolv.conf"), MARK "nameserver 192.0.2.53\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/var/lib/viridian-net-config/etc_resolv.conf"),
		"nameserver 203.0.113.9\n");
	CU_ASSERT_STRING_EQUAL(serve(rig, "ipv4 dhcp\n"),
		"error failed no manager of networks runs that could do DHCP\n");
	CU_ASSERT_TRUE(has("ip -4 addr show syn0", "inet 192.0.2.5/24"));
	rig_free(rig);
}

/* R-KVP-036: IPv4 is done, IPv6 fails, and the answer is a failure. */
static void what_the_kernel_refuses_is_put_back(void)
{
	struct rig *rig = rig_new();
	if (!rig)
		return;
	put(rig, "/etc/resolv.conf", "nameserver 203.0.113.9\n");
	shell("ip link set syn0 down; ip link set syn0 mtu 1000; ip link set syn0 up;"
	      "ip route add default via 203.0.113.1 dev syn0 metric 50");
	/* An MTU below 1280 turns IPv6 off: its address is refused after IPv4 is done. */
	const char *line = serve(rig, STATIC4_DNS "ipv6 static\naddress 2001:db8::5/64\n");
	CU_ASSERT_EQUAL(strncmp(line, "error failed the kernel refused: ", 33), 0);
	CU_ASSERT_TRUE(has("ip -4 addr show syn0", "inet 203.0.113.5/24"));
	CU_ASSERT_TRUE(has("ip route", "default via 203.0.113.1 dev syn0 proto static metric 50"));
	CU_ASSERT_FALSE(has("ip -4 addr show syn0", "192.0.2.5"));
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/resolv.conf"), "nameserver 203.0.113.9\n");
	rig_free(rig);
}

static void an_adapter_that_is_not_there_is_no_adapter(void)
{
	struct rig *rig = rig_new();
	if (!rig)
		return;
	shell("rm -r %s/sys", rig->root);
	CU_ASSERT_STRING_EQUAL(
		serve(rig, STATIC4), "error no-adapter no interface has that GUID or MAC\n");
	put(rig, "/sys/class/net/syn0/device/class_id", "{ba6163d9-04a1-4d29-b605-72e2ffb1dc7f}\n");
	put(rig, "/sys/class/net/syn0/device/device_id", "{" GUID "}\n");
	CU_ASSERT_STRING_EQUAL(
		serve(rig, STATIC4), "error no-adapter no interface has that GUID or MAC\n");
	CU_ASSERT_STRING_EQUAL(serve(rig, "ipv4 static\naddress 192.0.2.5/24;id\n"),
		"error invalid an address is malformed, or one too many\n");
	rig_free(rig);
}

static void a_name_with_metacharacters_is_not_touched(void)
{
	struct rig *rig = rig_new();
	if (!rig)
		return;
	shell("ip link set syn0 down && ip link set syn0 name 'a;$(id)'");
	shell("mkdir -p '%s/sys/class/net/a;$(id)' && mv %s/sys/class/net/syn0/device "
	      "'%s/sys/class/net/a;$(id)/'",
		rig->root, rig->root, rig->root);
	CU_ASSERT_STRING_EQUAL(
		serve(rig, STATIC4), "error no-adapter no interface has that GUID or MAC\n");
	shell("ip link del 'a;$(id)'");
	rig_free(rig);
}

/* ---- the program at its socket ---- */

/* As systemd does: one process for the connection, which is its input and its output. */
static pid_t serve_socket(const struct rig *rig, int listener, const char *program)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	int fd = accept(listener, NULL, NULL);
	int null = open("/dev/null", O_WRONLY);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execl(program, program, "--root", rig->root, "--sysfs", rig->options.sysfs, "--bus",
		rig->options.bus_address, (char *)NULL);
	_exit(127);
}

static void the_program_does_what_is_asked_at_its_socket(void)
{
	static struct net_request request;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct net_config_answer answer;
	const char *program = tree_program("viridian-net-config", "VIRIDIAN_NET_CONFIG");
	struct rig *rig = program ? rig_new() : NULL;
	if (!program)
		test_skip("there is no viridian-net-config");
	if (!rig)
		return;
	request = (struct net_request){.has_guid = true, .sets = {true}};
	guid_parse(GUID, &request.guid);
	request.families[NET_IPV4].address_count = 1;
	net_prefix_parse(NET_IPV4, "192.0.2.5/24", &request.families[NET_IPV4].addresses[0]);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", rig->root);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
	CU_ASSERT_EQUAL(listen(listener, 1), 0);
	pid_t child = serve_socket(rig, listener, program);
	net_config_call(at.sun_path, 20000, &request, &answer);
	CU_ASSERT_EQUAL(answer.result, NET_CONFIG_OK);
	CU_ASSERT_STRING_EQUAL(answer.text, "kernel");
	CU_ASSERT_FALSE(answer.is_persistent);
	CU_ASSERT_TRUE(has("ip -4 addr show syn0", "inet 192.0.2.5/24"));
	waitpid(child, NULL, 0);

	/* Nobody answers. */
	net_config_call(at.sun_path, 100, &request, &answer);
	CU_ASSERT_EQUAL(answer.result, NET_CONFIG_UNAVAILABLE);
	close(listener);
	rig_free(rig);
}

/* ---- ifupdown ---- */

/* Programs that note how they are called; ifup gives the interface what the test says. */
static void put_ifupdown(struct rig *rig, const char *ifup)
{
	char text[1024];
	static const char *const programs[] = {"ifdown", "ifup"};
	for (int i = 0; i < 2; i++) {
		char path[32];
		snprintf(path, sizeof path, "/sbin/%s", programs[i]);
		snprintf(text, sizeof text, "#!/bin/sh\necho \"%s $*\" >>%s/log\nenv >%s/env\n%s\n",
			programs[i], rig->root, rig->root, i == 1 ? ifup : "");
		put(rig, path, text);
		shell("chmod 755 %s%s", rig->root, path);
	}
	put(rig, "/etc/network/interfaces",
		"auto lo syn0\niface lo inet loopback\niface syn0 inet dhcp\n\tmetric 5\n"
		"iface syn0 inet6 auto\n");
}

static void ifupdown_gets_stanzas_in_place_of_the_old(void)
{
	struct rig *rig = rig_new();
	if (!rig)
		return;
	put_ifupdown(rig,
		"ip addr replace 192.0.2.5/24 dev syn0; ip addr replace 192.0.2.6/24 dev syn0");
	put(rig, "/etc/network/interfaces.d/old", "iface syn0 inet static\n\taddress 1.2.3.4/8\n");
	CU_ASSERT_STRING_EQUAL(
		serve(rig, "ipv4 static\naddress 192.0.2.5/24\naddress 192.0.2.6/24\n"
			   "gateway 192.0.2.1\ndns 192.0.2.53\ndns 192.0.2.54\n"),
		"ok ifupdown persistent\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/network/interfaces.d/viridian-syn0-inet"),
		MARK "auto syn0\n"
		     "iface syn0 inet static\n"
		     "\taddress 192.0.2.5/24\n"
		     "\tgateway 192.0.2.1\n"
		     "\tdns-nameservers 192.0.2.53 192.0.2.54\n"
		     "iface syn0 inet static\n"
		     "\taddress 192.0.2.6/24\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/network/interfaces"),
		"auto lo syn0\niface lo inet loopback\niface syn0 inet6 auto\n\n"
		"source /etc/network/interfaces.d/*\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/network/interfaces.d/old"), "");
	CU_ASSERT_STRING_EQUAL(
		get(rig, "/var/lib/viridian-net-config/etc_network_interfaces.d_old"),
		"iface syn0 inet static\n\taddress 1.2.3.4/8\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/log"), "ifdown --force syn0\nifup --force syn0\n");
	CU_ASSERT_PTR_NULL(strstr(get(rig, "/env"), "HOME="));
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/resolv.conf"),
		MARK "nameserver 192.0.2.53\nnameserver 192.0.2.54\n");

	CU_ASSERT_STRING_EQUAL(serve(rig, "ipv6 dhcp\n"), "ok ifupdown persistent\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/network/interfaces.d/viridian-syn0-inet6"),
		MARK "auto syn0\niface syn0 inet6 dhcp\n");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(get(rig, "/etc/network/interfaces.d/viridian-syn0-inet"), "192.0.2.5/24"));
	CU_ASSERT_PTR_NULL(strstr(get(rig, "/etc/network/interfaces"), "inet6"));
	rig_free(rig);
}

static void programs_are_handed_to_systemd_run_where_that_is_asked_for(void)
{
	struct rig *rig = rig_new();
	if (!rig)
		return;
	char runner[96];
	put_ifupdown(rig, "ip addr add 192.0.2.5/24 dev syn0");
	put(rig, "/etc/network/interfaces", "auto syn0\niface syn0 inet dhcp\n");
	snprintf(runner, sizeof runner, "%s/systemd-run", rig->root);
	put(rig, "/systemd-run",
		"#!/bin/sh\n"
		"while [ \"${1#--}\" != \"$1\" ]; do words=\"$words $1\"; shift; done\n"
		"echo \"systemd-run$words\" >>\"${0%/*}/log\"\n"
		"exec \"$@\"\n");
	CU_ASSERT_EQUAL(chmod(runner, 0755), 0);
	rig->options.systemd_run = runner;
	CU_ASSERT_STRING_EQUAL(serve(rig, STATIC4), "ok ifupdown persistent\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(get(rig, "/log"),
		"systemd-run --quiet --wait --pipe --collect --property=KillMode=process"));
	CU_ASSERT_PTR_NOT_NULL(strstr(get(rig, "/log"), "\nifup --force syn0\n"));
	rig_free(rig);
}

static void ifupdown_that_fails_leaves_the_old_files(void)
{
	static const char *const failures[] = {"echo 'no such device' >&2; exit 1", "exit 0"};
	static const char *const lines[] = {"error failed ifup syn0: no such device\n",
		"error failed the addresses did not appear; the old settings are back\n"};
	for (int i = 0; i < 2; i++) {
		struct rig *rig = rig_new();
		if (!rig)
			return;
		put_ifupdown(rig, failures[i]);
		rig->options.settle_ms = 200;
		CU_ASSERT_STRING_EQUAL(serve(rig, STATIC4), lines[i]);
		CU_ASSERT_STRING_EQUAL(get(rig, "/etc/network/interfaces"),
			"auto lo syn0\niface lo inet loopback\niface syn0 inet dhcp\n\tmetric 5\n"
			"iface syn0 inet6 auto\n");
		CU_ASSERT_STRING_EQUAL(
			get(rig, "/etc/network/interfaces.d/viridian-syn0-inet"), "(none)");
		CU_ASSERT_STRING_EQUAL(get(rig, "/log"),
			"ifdown --force syn0\nifup --force syn0\n"
			"ifdown --force syn0\nifup --force syn0\n");
		rig_free(rig);
	}
}

static void a_link_in_place_of_a_file_is_not_followed(void)
{
	struct rig *rig = rig_new();
	if (!rig)
		return;
	put_ifupdown(rig, "");
	put(rig, "/victim", "untouched");
	shell("mkdir -p %s/etc/network/interfaces.d && ln -s %s/victim "
	      "%s/etc/network/interfaces.d/viridian-syn0-inet",
		rig->root, rig->root, rig->root);
	CU_ASSERT_STRING_EQUAL(serve(rig, STATIC4),
		"error failed cannot write below /etc: Too many levels of symbolic links\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/victim"), "untouched");
	rig_free(rig);
}

/* ---- systemd-networkd ---- */

static struct rig *rig_with_bus(struct bus_mock *mock, const char *service)
{
	struct rig *rig = rig_new();
	if (!rig)
		return NULL;
	mock->service = service;
	snprintf(mock->directory, sizeof mock->directory, "%s", rig->root);
	rig->options.settle_ms = -1;
	return rig;
}

static const char *serve_by_bus(struct rig *rig, struct bus_mock *mock, const char *body)
{
	mock->calls[0] = '\0';
	bus_mock_start(mock);
	rig->options.bus_address = mock->address;
	serve(rig, body);
	bus_mock_stop(mock);
	return rig->line;
}

static void put_networkd(struct rig *rig, char reconfigure[64])
{
	static struct net_interface list[NET_INTERFACES_MAX];
	size_t count;
	char path[64];
	net_info_read(NULL, list, NET_INTERFACES_MAX, &count);
	int index = net_info_find_name(list, count, "syn0")->index;
	snprintf(path, sizeof path, "/run/systemd/netif/links/%d", index);
	put(rig, path, "ADMIN_STATE=configured\n");
	snprintf(reconfigure, 64, "/org/freedesktop/network1 ReconfigureLink %d\n", index);
}

static void networkd_gets_one_file_and_a_reload(void)
{
	static struct bus_mock mock;
	char calls[256];
	char reconfigure[64];
	struct rig *rig = rig_with_bus(&mock, "org.freedesktop.network1");
	if (!rig)
		return;
	put_networkd(rig, reconfigure);
	snprintf(calls, sizeof calls, "/org/freedesktop/network1 Reload \n%s", reconfigure);
	CU_ASSERT_STRING_EQUAL(
		serve_by_bus(rig, &mock, STATIC4 "gateway 192.0.2.2\ndns 192.0.2.53\n"),
		"ok systemd-networkd persistent\n");
	CU_ASSERT_STRING_EQUAL(mock.calls, calls);
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/systemd/network/00-viridian-syn0.network"),
		MARK "[Match]\n"
		     "MACAddress=" MAC "\n"
		     "Driver=hv_netvsc\n"
		     "\n"
		     "[Network]\n"
		     "DHCP=no\n"
		     "Address=192.0.2.5/24\n"
		     "Gateway=192.0.2.1\n"
		     "Gateway=192.0.2.2\n"
		     "DNS=192.0.2.53\n");
	/* IPv4 stays as the interface has it: still the old address. */
	CU_ASSERT_STRING_EQUAL(serve_by_bus(rig, &mock, "ipv6 dhcp\ndns 2001:db8::53\n"),
		"ok systemd-networkd persistent\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/etc/systemd/network/00-viridian-syn0.network"),
		MARK "[Match]\n"
		     "MACAddress=" MAC "\n"
		     "Driver=hv_netvsc\n"
		     "\n"
		     "[Network]\n"
		     "DHCP=ipv6\n"
		     "IPv6AcceptRA=yes\n"
		     "Address=203.0.113.5/24\n"
		     "Gateway=203.0.113.1\n"
		     "DNS=2001:db8::53\n"
		     "\n[DHCPv6]\nUseDNS=no\n\n[IPv6AcceptRA]\nUseDNS=no\n");
	rig_free(rig);
}

static void networkd_that_refuses_keeps_its_old_file(void)
{
	static struct bus_mock mock;
	char reconfigure[64];
	struct rig *rig = rig_with_bus(&mock, "org.freedesktop.network1");
	if (!rig)
		return;
	put_networkd(rig, reconfigure);
	put(rig, "/etc/systemd/network/00-viridian-syn0.network", "[Match]\nName=old\n");
	mock.refuses = true;
	CU_ASSERT_STRING_EQUAL(serve_by_bus(rig, &mock, STATIC4),
		"error failed systemd-networkd does not take the new settings: "
		"not today;?$(reboot)\n");
	CU_ASSERT_STRING_EQUAL(
		get(rig, "/etc/systemd/network/00-viridian-syn0.network"), "[Match]\nName=old\n");
	CU_ASSERT_STRING_EQUAL(mock.calls, "/org/freedesktop/network1 Reload \n"
					   "/org/freedesktop/network1 Reload \n");
	mock.refuses = false;
	rig->options.settle_ms = 100;
	CU_ASSERT_STRING_EQUAL(serve_by_bus(rig, &mock, STATIC4),
		"error failed the addresses did not appear; the old settings are back\n");
	CU_ASSERT_STRING_EQUAL(
		get(rig, "/etc/systemd/network/00-viridian-syn0.network"), "[Match]\nName=old\n");
	rig_free(rig);
}

static void networkd_that_leaves_the_interface_alone_is_not_asked(void)
{
	static struct bus_mock mock;
	char path[64];
	struct rig *rig = rig_with_bus(&mock, "org.freedesktop.network1");
	if (!rig)
		return;
	put_networkd(rig, path);
	shell("sed -i s/configured/unmanaged/ %s/run/systemd/netif/links/*", rig->root);
	CU_ASSERT_STRING_EQUAL(serve_by_bus(rig, &mock, STATIC4), "ok kernel until-reboot\n");
	CU_ASSERT_STRING_EQUAL(mock.calls, "");
	rig_free(rig);
}

/* ---- NetworkManager ---- */

static void networkmanager_gets_the_profile_with_its_family_replaced(void)
{
	static struct bus_mock mock;
	struct rig *rig = rig_with_bus(&mock, "org.freedesktop.NetworkManager");
	if (!rig)
		return;
	put(rig, "/etc/profile", "[ipv4]\n");
	CU_ASSERT_STRING_EQUAL(
		serve_by_bus(rig, &mock, STATIC4_DNS), "ok NetworkManager persistent\n");
	CU_ASSERT_STRING_EQUAL(mock.calls,
		"/settings/1 Update [connection [id <Wired connection 1> "
		"timestamp <1234567890123>] "
		"ipv4 [route-metric <50> method <manual> "
		"address-data <[[address <192.0.2.5> prefix <00000018>]]> gateway <192.0.2.1> "
		"dns <[350200c0]>] ipv6 [method <ignore>]]\n"
		"/device/1 Reapply [] 0 00000000\n");
	CU_ASSERT_STRING_EQUAL(get(rig, "/var/lib/viridian-net-config/etc_profile"), "[ipv4]\n");
	CU_ASSERT_STRING_EQUAL(serve_by_bus(rig, &mock, "ipv6 dhcp\ndns 2001:db8::53\n"),
		"ok NetworkManager persistent\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(mock.calls,
		"ipv6 [method <auto> dns <[[20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 53]]> "
		"ignore-auto-dns <1>]]\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(mock.calls, "gateway <203.0.113.1>"));
	rig_free(rig);
}

static void networkmanager_that_refuses_gets_its_profile_back(void)
{
	static struct bus_mock mock;
	struct rig *rig = rig_with_bus(&mock, "org.freedesktop.NetworkManager");
	if (!rig)
		return;
	mock.refuses = true;
	const char *line = serve_by_bus(rig, &mock, STATIC4);
	CU_ASSERT_EQUAL(strncmp(line, "error failed NetworkManager does not take", 41), 0);
	const char *last = strstr(mock.calls + 1, "/settings/1 Update");
	CU_ASSERT_PTR_NOT_NULL(last);
	if (!last)
		return;
	CU_ASSERT_PTR_NOT_NULL(strstr(last, "address <203.0.113.5>"));
	CU_ASSERT_PTR_NULL(strstr(last, "192.0.2.5"));
	rig_free(rig);
}

static void a_device_without_a_profile_gets_one(void)
{
	static struct bus_mock mock;
	struct rig *rig = rig_with_bus(&mock, "org.freedesktop.NetworkManager");
	if (!rig)
		return;
	mock.is_idle = true;
	CU_ASSERT_STRING_EQUAL(serve_by_bus(rig, &mock, STATIC4), "ok NetworkManager persistent\n");
	CU_ASSERT_STRING_EQUAL(mock.calls,
		"/org/freedesktop/NetworkManager AddAndActivateConnection "
		"[connection [id <viridian-syn0> type <802-3-ethernet> interface-name <syn0>] "
		"ipv4 [method <manual> address-data <[[address <192.0.2.5> prefix <00000018>]]> "
		"gateway <192.0.2.1>] ipv6 [method <auto>]] /device/1 /\n");
	CU_ASSERT_STRING_EQUAL(serve_by_bus(rig, &mock, STATIC4 "gateway 192.0.2.2\n"),
		"error failed NetworkManager takes one gateway of a family\n");
	CU_ASSERT_STRING_EQUAL(mock.calls, "");
	rig_free(rig);
}

static const struct test tests[] = {
	TEST(an_interface_is_read_as_iproute2_made_it),
	TEST(more_than_the_protocol_can_say_is_left_out),
	TEST(servers_and_clients_are_known_from_managers_files),
	TEST(the_kernel_alone_takes_addresses_until_reboot),
	TEST(what_the_kernel_refuses_is_put_back),
	TEST(an_adapter_that_is_not_there_is_no_adapter),
	TEST(a_name_with_metacharacters_is_not_touched),
	TEST(the_program_does_what_is_asked_at_its_socket),
	TEST(ifupdown_gets_stanzas_in_place_of_the_old),
	TEST(programs_are_handed_to_systemd_run_where_that_is_asked_for),
	TEST(ifupdown_that_fails_leaves_the_old_files),
	TEST(a_link_in_place_of_a_file_is_not_followed),
	TEST(networkd_gets_one_file_and_a_reload),
	TEST(networkd_that_refuses_keeps_its_old_file),
	TEST(networkd_that_leaves_the_interface_alone_is_not_asked),
	TEST(networkmanager_gets_the_profile_with_its_family_replaced),
	TEST(networkmanager_that_refuses_gets_its_profile_back),
	TEST(a_device_without_a_profile_gets_one),
};
TEST_MAIN("net_apply", tests)
