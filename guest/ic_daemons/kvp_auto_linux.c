// SPDX-License-Identifier: Apache-2.0
/*
 * Pool 2: what this system says of itself. See kvp_auto_linux.h.
 */
#include "guest/ic_daemons/kvp_auto_linux.h"

#include "packaging/version.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The most that is read of a file of the system's. */
#define FILE_MAX 65536u

#define VALUE_BYTES sizeof((struct kvp_facts *)0)->values[0]

bool kvp_facts_init(struct kvp_facts *facts, const char *root)
{
	memset(facts, 0, sizeof *facts);
	facts->root = root != NULL ? root : "";
	facts->net_roots.root = root;
	if (root != NULL && (size_t)snprintf(facts->sysfs, sizeof facts->sysfs, "%s/sys", root) <
				    sizeof facts->sysfs)
		facts->net_roots.sysfs = facts->sysfs;
	facts->interfaces = calloc(NET_INTERFACES_MAX, sizeof *facts->interfaces);
	return facts->interfaces != NULL;
}

void kvp_facts_free(struct kvp_facts *facts)
{
	free(facts->interfaces);
	facts->interfaces = NULL;
}

const char *kvp_facts_value(const struct kvp_facts *facts, uint32_t index)
{
	return facts->values[index];
}

static void put(struct kvp_facts *facts, enum kvp_auto index, const char *text)
{
	snprintf(facts->values[index], VALUE_BYTES, "%s", text);
}

/* ---- Files. */

/* The file's text, to be freed; NULL: none, or no plain file. */
static char *file_read(const char *root, const char *path)
{
	char name[4096];
	if ((size_t)snprintf(name, sizeof name, "%s%s", root, path) >= sizeof name)
		return NULL;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = fd >= 0 ? malloc(FILE_MAX + 1) : NULL;
	size_t bytes = 0;
	ssize_t got = 1;
	while (text != NULL && got > 0 && bytes < FILE_MAX) {
		got = read(fd, text + bytes, FILE_MAX - bytes);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			bytes += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (text != NULL)
		text[bytes] = '\0';
	return text;
}

/*
 * The value of an assignment as a shell would have it, in place: no quotes, or one pair of them
 * around all of it; a backslash makes the next character plain.
 */
static void unquote(char *value)
{
	char quote = value[0] == '"' || value[0] == '\'' ? value[0] : '\0';
	const char *from = value + (quote != '\0');
	char *to = value;
	for (; *from != '\0' && *from != quote; from++) {
		if (*from == '\\' && quote != '\'' && from[1] != '\0')
			from++;
		*to++ = *from;
	}
	*to = '\0';
}

/* The value of `name` in a text of NAME=VALUE lines; the last counts. False: not there. */
static bool assignment_find(const char *text, const char *name, char *value, size_t bytes)
{
	size_t name_bytes = strlen(name);
	bool is_found = false;
	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		if (strncmp(line, name, name_bytes) == 0 && line[name_bytes] == '=') {
			const char *from = line + name_bytes + 1;
			snprintf(value, bytes, "%.*s", (int)(end - from), from);
			unquote(value);
			is_found = value[0] != '\0';
		}
		line = *end == '\n' ? end + 1 : NULL;
	}
	return is_found;
}

/* ---- The items. */

/* Does `line` of /etc/hosts name this host? Then its first name with a dot is the full one. */
static bool hosts_line_find(char *line, const char *host, char *full, size_t bytes)
{
	const char *whole = NULL;
	bool is_ours = false;
	char *rest = NULL;
	line[strcspn(line, "#")] = '\0';
	(void)strtok_r(line, " \t", &rest); /* the address */
	for (const char *name; (name = strtok_r(NULL, " \t", &rest)) != NULL;) {
		is_ours |= strcasecmp(name, host) == 0;
		if (whole == NULL && strchr(name, '.') != NULL)
			whole = name;
	}
	if (!is_ours || whole == NULL)
		return false;
	snprintf(full, bytes, "%s", whole);
	return true;
}

static void domain_name_read(struct kvp_facts *facts, const char *host)
{
	char *full = facts->values[KVP_AUTO_DOMAIN_NAME];
	put(facts, KVP_AUTO_DOMAIN_NAME, host);
	if (strchr(host, '.') != NULL)
		return;
	char *text = file_read(facts->root, "/etc/hosts");
	char *rest = NULL;
	for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		if (hosts_line_find(line, host, full, VALUE_BYTES))
			break;
	free(text);
}

/* "22.04.1": major 22, minor 04. Without a dot there is no minor. */
static void version_put(struct kvp_facts *facts, const char *version)
{
	size_t major = strcspn(version, ".");
	snprintf(facts->values[KVP_AUTO_OS_MAJOR], VALUE_BYTES, "%.*s", (int)major, version);
	const char *minor = version[major] == '.' ? version + major + 1 : "";
	snprintf(facts->values[KVP_AUTO_OS_MINOR], VALUE_BYTES, "%.*s", (int)strcspn(minor, "."),
		minor);
}

static void system_read(struct kvp_facts *facts, const struct utsname *kernel)
{
	char value[1024];
	char *text = file_read(facts->root, "/etc/os-release");
	if (text == NULL)
		text = file_read(facts->root, "/usr/lib/os-release");
	const char *source = text != NULL ? text : "";
	bool has_name = assignment_find(source, "NAME", value, sizeof value);
	put(facts, KVP_AUTO_OS_NAME, has_name ? value : kernel->sysname);
	snprintf(facts->values[KVP_AUTO_OS_VERSION], VALUE_BYTES, "%.*s",
		(int)strspn(kernel->release, "0123456789."), kernel->release);
	if (assignment_find(source, "VERSION_ID", value, sizeof value))
		version_put(facts, value);
	else
		version_put(facts, facts->values[KVP_AUTO_OS_VERSION]);
	free(text);
}

void kvp_facts_addresses(const struct net_interface *list, size_t count, enum net_family family,
	char *text, size_t bytes)
{
	char address[NET_ADDRESS_TEXT_BYTES];
	size_t at = 0;
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const struct net_family_settings *settings = &list[i].families[family];
		for (uint32_t j = 0; !list[i].is_loopback && j < settings->address_count; j++) {
			net_address_format(family, &settings->addresses[j].address, address);
			size_t length = strlen(address);
			if (at + length + 2 > bytes)
				return;
			at += (size_t)sprintf(text + at, "%s%s", at > 0 ? ";" : "", address);
		}
	}
}

void kvp_facts_refresh(struct kvp_facts *facts, uint64_t now_ms)
{
	struct utsname kernel;
	if (facts->is_read && now_ms - facts->read_ms < KVP_FACTS_AGE_MS)
		return;
	facts->is_read = true;
	facts->read_ms = now_ms;
	if (uname(&kernel) != 0)
		memset(&kernel, 0, sizeof kernel);
	if (net_info_read(&facts->net_roots, facts->interfaces, NET_INTERFACES_MAX,
		    &facts->interface_count) != 0)
		facts->interface_count = 0;
	/* As long as the field of the wire has characters. */
	kvp_facts_addresses(facts->interfaces, facts->interface_count, NET_IPV4,
		facts->values[KVP_AUTO_ADDRESS_IPV4], KVP_VALUE_BYTES / 2);
	kvp_facts_addresses(facts->interfaces, facts->interface_count, NET_IPV6,
		facts->values[KVP_AUTO_ADDRESS_IPV6], KVP_VALUE_BYTES / 2);
	domain_name_read(facts, kernel.nodename);
	put(facts, KVP_AUTO_SERVICES_VERSION, viridian_version);
	put(facts, KVP_AUTO_OS_BUILD, kernel.release);
	put(facts, KVP_AUTO_PROCESSOR, kernel.machine);
	system_read(facts, &kernel);
}
