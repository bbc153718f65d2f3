// SPDX-License-Identifier: Apache-2.0
/*
 * What files say of an interface: its VMBus instance, its name servers, and whether a DHCP
 * client serves it. See net_info_linux.h. A file that is missing, long or strange says nothing.
 */
#include "guest/ic_daemons/net_info_internal_linux.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 65536 /* of a file, the rest is not read */
#define PATH_BYTES 512

/* Files of DHCP clients; N is the interface's index, I its name. */
static const struct dhcp_clue {
	enum net_family family;
	const char *before;
	bool by_index;
	const char *after;
} dhcp_clues[] = {
	{NET_IPV4, "/run/systemd/netif/leases/", true, ""},
	{NET_IPV4, "/run/dhclient.", false, ".pid"}, /* ifupdown */
	{NET_IPV6, "/run/dhclient6.", false, ".pid"},
	{NET_IPV4, "/run/NetworkManager/dhclient-", false, ".pid"},
	{NET_IPV6, "/run/NetworkManager/dhclient6-", false, ".pid"},
	{NET_IPV4, "/run/dhcpcd/", false, "-4.pid"},
	{NET_IPV6, "/run/dhcpcd/", false, "-6.pid"},
	{NET_IPV4, "/run/dhcpcd/", false, ".pid"},
	{NET_IPV4, "/run/udhcpc.", false, ".pid"},
};

/* The beginning of a regular file as a string; false if there is none. */
static bool read_text(const char *path, char *text, size_t capacity)
{
	struct stat status;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	bool good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	while (good && len + 1 < capacity) {
		ssize_t got = read(fd, text + len, capacity - 1 - len);
		if (got < 0)
			good = false;
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	close(fd);
	text[len] = '\0';
	return good;
}

/* The VMBus instance of the device behind an interface, if it is a synthetic adapter. */
static void read_guid(const char *sysfs, struct net_interface *nic)
{
	static const char *const files[] = {"class_id", "device_id"};
	struct guid ids[2];
	for (int i = 0; i < 2; i++) {
		char path[PATH_BYTES];
		char text[64];
		int len = snprintf(
			path, sizeof path, "%s/class/net/%s/device/%s", sysfs, nic->name, files[i]);
		if (len < 0 || (size_t)len >= sizeof path || !read_text(path, text, sizeof text))
			return;
		text[strcspn(text, "\n")] = '\0';
		if (guid_parse(text, &ids[i]) != 0)
			return;
	}
	nic->has_guid = guid_equal(&ids[0], &guid_network);
	if (nic->has_guid)
		nic->guid = ids[1];
}

/* One name server as managers write it: "192.0.2.1", "fe80::1%eth0", "[2001:db8::1]:53#name". */
static void add_server(struct net_interface *nic, const char *word, size_t len)
{
	char text[128];
	struct net_address address;
	if (len >= sizeof text)
		return;
	memcpy(text, word, len);
	text[len] = '\0';
	text[strcspn(text, "#%]")] = '\0';
	char *start = text[0] == '[' ? text + 1 : text;
	char *colon = strchr(start, ':');
	if (colon && strchr(start, '.') && strchr(colon + 1, ':') == NULL)
		*colon = '\0'; /* an IPv4 address with a port */
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		struct net_family_settings *settings = &nic->families[family];
		if (net_address_parse(family, start, &address) != 0)
			continue;
		for (uint32_t i = 0; i < settings->dns_count; i++)
			if (net_address_equal(&settings->dns[i], &address))
				return;
		if (settings->dns_count < NET_DNS_MAX)
			settings->dns[settings->dns_count++] = address;
	}
}

static void add_servers(struct net_interface *nic, const char *words)
{
	size_t left = strcspn(words, "\n");
	while (left > 0) {
		size_t len = 0;
		while (len < left && words[len] != ' ' && words[len] != '\t' && words[len] != '\r')
			len++;
		if (len > 0)
			add_server(nic, words, len);
		else
			len = 1;
		words += len;
		left -= len;
	}
}

/* Lines that begin with `key`. Returns whether the file is there. */
static bool read_servers(struct net_interface *nic, const char *root, const char *file,
	const char *key, char text[FILE_BYTES])
{
	char path[PATH_BYTES];
	int len = snprintf(path, sizeof path, "%s%s", root, file);
	if (len < 0 || (size_t)len >= sizeof path || !read_text(path, text, FILE_BYTES))
		return false;
	for (const char *line = text; *line != '\0';) {
		if (strncmp(line, key, strlen(key)) == 0)
			add_servers(nic, line + strlen(key));
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return true;
}

static uint32_t server_count(const struct net_interface *nic)
{
	return nic->families[NET_IPV4].dns_count + nic->families[NET_IPV6].dns_count;
}

/* Only systemd-resolved's own address, behind which are the real ones? */
static bool is_stub(const struct net_interface *nic)
{
	const struct net_family_settings *ipv4 = &nic->families[NET_IPV4];
	return server_count(nic) == 1 && ipv4->dns_count == 1 && ipv4->dns[0].bytes[0] == 127;
}

static void read_dns(const char *root, struct net_interface *nic)
{
	char text[FILE_BYTES];
	char file[64];
	snprintf(file, sizeof file, "/run/systemd/netif/links/%d", nic->index);
	read_servers(nic, root, file, "DNS=", text);
	snprintf(file, sizeof file, "/run/systemd/resolve/netif/%d", nic->index);
	read_servers(nic, root, file, "SERVERS=", text);
	if (server_count(nic) > 0)
		return;
	static const char key[] = "nameserver ";
	read_servers(nic, root, "/etc/resolv.conf", key, text);
	if (server_count(nic) > 0 && !is_stub(nic))
		return;
	struct net_interface real = *nic;
	real.families[NET_IPV4].dns_count = 0;
	if (read_servers(&real, root, "/run/systemd/resolve/resolv.conf", key, text))
		*nic = real;
}

static void read_dhcp(const char *root, struct net_interface *nic)
{
	for (size_t i = 0; i < sizeof dhcp_clues / sizeof dhcp_clues[0]; i++) {
		const struct dhcp_clue *clue = &dhcp_clues[i];
		char path[PATH_BYTES];
		char index[16];
		snprintf(index, sizeof index, "%d", nic->index);
		int len = snprintf(path, sizeof path, "%s%s%s%s", root, clue->before,
			clue->by_index ? index : nic->name, clue->after);
		if (len > 0 && (size_t)len < sizeof path && access(path, F_OK) == 0)
			nic->families[clue->family].dhcp = true;
	}
}

void net_info_read_files(const struct net_info_roots *roots, struct net_interface *nic)
{
	const char *root = roots && roots->root ? roots->root : "";
	if (nic->is_loopback)
		return;
	read_guid(roots && roots->sysfs ? roots->sysfs : "/sys", nic);
	read_dns(root, nic);
	read_dhcp(root, nic);
}
