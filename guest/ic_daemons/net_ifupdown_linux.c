// SPDX-License-Identifier: Apache-2.0
/*
 * Back end for ifupdown: one file of stanzas for each family of the interface that is set, other
 * stanzas of that interface and family are taken out of /etc/network/interfaces and
 * interfaces.d, then ifdown and ifup run.
 *
 * Sources: interfaces(5), ifup(8), resolv.conf(5) of Debian 12.
 */
#include "guest/ic_daemons/net_backend_linux.h"

#include "guest/ic_daemons/net_run_linux.h"
#include "guest/ic_daemons/net_stanza_linux.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAIN_FILE "/etc/network/interfaces"
#define DIRECTORY "/etc/network/interfaces.d"
#define STATIC_S  40u /* ifup; duplicate address detection takes some seconds */
#define DHCP_S	  20u /* then the client goes on in the background */

static const char *const family_words[NET_FAMILY_COUNT] = {"inet", "inet6"};

static bool can_run(const struct net_change *change, const char *program)
{
	char path[NET_FILE_PATH_MAX];
	int len = snprintf(path, sizeof path, "%s%s", change->root, program);
	return len > 0 && (size_t)len < sizeof path && access(path, X_OK) == 0;
}

static bool is_in_charge(struct net_change *change)
{
	size_t len;
	char *text = net_file_read(change->root, MAIN_FILE, &len);
	free(text);
	return text && can_run(change, "/sbin/ifup") && can_run(change, "/sbin/ifdown");
}

/* Names of files in the directory: no dots, for run-parts' rules. */
static void own_path(const struct net_change *change, enum net_family family, char path[128])
{
	snprintf(path, 128, DIRECTORY "/viridian-%s-%s", change->nic->name, family_words[family]);
	for (char *c = strrchr(path, '/'); *c != '\0'; c++)
		if (*c == '.')
			*c = '_';
}

static void print_stanzas(FILE *out, const struct net_change *change, enum net_family family)
{
	const struct net_family_settings *wanted = &change->wanted[family];
	char text[NET_PREFIX_TEXT_BYTES];
	const char *name = change->nic->name;

	fprintf(out, "%sauto %s\n", NET_FILE_MARK, name);
	if (change->modes[family] == NET_MODE_DHCP) {
		fprintf(out, "iface %s %s dhcp\n", name, family_words[family]);
		return;
	}
	for (uint32_t i = 0; i < wanted->address_count; i++) {
		fprintf(out, "iface %s %s static\n\taddress %s\n", name, family_words[family],
			net_prefix_format(family, &wanted->addresses[i], text));
		if (family == NET_IPV6)
			fprintf(out, "\taccept_ra 0\n");
		if (i > 0)
			continue;
		if (wanted->gateway_count > 0)
			fprintf(out, "\tgateway %s\n",
				net_address_format(family, &wanted->gateways[0], text));
		for (uint32_t j = 0; j < wanted->dns_count; j++)
			fprintf(out, "%s %s", j == 0 ? "\tdns-nameservers" : "",
				net_address_format(family, &wanted->dns[j], text));
		if (wanted->dns_count > 0)
			fprintf(out, "\n");
	}
}

static int write_own(struct net_change *change, enum net_family family)
{
	char path[128];
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	print_stanzas(out, change, family);
	int error = fclose(out) == 0 ? 0 : -ENOMEM;
	own_path(change, family, path);
	if (error == 0)
		error = net_files_write(&change->files, path, text, len);
	free(text);
	return error;
}

/* Take the interface's stanzas out of a file; the main one must name the directory, too. */
static int clear_file(struct net_change *change, const char *path, bool is_main)
{
	size_t len;
	char *text = net_file_read(change->root, path, &len);
	if (!text)
		return -errno;
	char *cleared = net_stanza_remove(text, len, change->nic->name,
		change->request->sets[NET_IPV4], change->request->sets[NET_IPV6], is_main, &len);
	int error = 0;
	if (!cleared)
		error = -ENOMEM;
	else if (strcmp(cleared, text) != 0)
		error = net_files_write(&change->files, path, cleared, len);
	free(cleared);
	free(text);
	return error;
}

static int clear_directory(struct net_change *change)
{
	char path[NET_FILE_PATH_MAX];
	int error = 0;
	snprintf(path, sizeof path, "%s" DIRECTORY, change->root);
	DIR *directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; error == 0 && (entry = readdir(directory));) {
		int len = snprintf(path, sizeof path, DIRECTORY "/%s", entry->d_name);
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, "viridian-", 9) == 0 ||
			len < 0 || (size_t)len >= sizeof path)
			continue;
		error = clear_file(change, path, false);
		if (error == -EINVAL || error == -ELOOP)
			error = 0; /* a directory, a link: somebody else's */
	}
	closedir(directory);
	return error;
}

/* Without resolvconf nobody reads dns-nameservers. A link as resolv.conf is another program's. */
static int write_resolv_conf(struct net_change *change)
{
	int error = can_run(change, "/sbin/resolvconf") ? 0 : net_change_resolv_conf(change);
	return error == -ELOOP ? 0 : error;
}

static int run(struct net_change *change, const char *program, unsigned timeout_s, bool may_go_on)
{
	char path[NET_FILE_PATH_MAX];
	char output[128];
	snprintf(path, sizeof path, "%s/sbin/%s", change->root, program);
	const char *const argv[] = {path, "--force", change->nic->name, NULL};
	int status = net_run(
		change->options->systemd_run, argv, timeout_s, may_go_on, output, sizeof output);
	if (status == 0 || (may_go_on && status == -ETIMEDOUT))
		return 0;
	return net_change_failed(change, status < 0 ? status : -EIO, "%s %s: %s", program,
		change->nic->name, status < 0 ? strerror(-status) : output);
}

static int apply(struct net_change *change)
{
	bool is_dhcp = false;
	int error = 0;
	for (enum net_family family = NET_IPV4; family < NET_FAMILY_COUNT; family++) {
		if (!change->request->sets[family])
			continue;
		is_dhcp = is_dhcp || change->wanted[family].dhcp;
		if (change->wanted[family].gateway_count > 1)
			return net_change_failed(
				change, -ENOTSUP, "ifupdown takes one gateway of a family");
		if (change->wanted[family].dhcp && change->wanted[family].dns_count > 0)
			return net_change_failed(
				change, -ENOTSUP, "ifupdown takes no name servers with DHCP");
	}
	change->has_begun = true;
	run(change, "ifdown", STATIC_S, false); /* it may never have been up */
	error = clear_file(change, MAIN_FILE, true);
	if (error == 0)
		error = clear_directory(change);
	for (enum net_family family = NET_IPV4; error == 0 && family < NET_FAMILY_COUNT; family++)
		if (change->request->sets[family])
			error = write_own(change, family);
	if (error == 0)
		error = write_resolv_conf(change);
	if (error != 0)
		return net_change_failed(
			change, error, "cannot write below /etc: %s", strerror(-error));
	return run(change, "ifup", is_dhcp ? DHCP_S : STATIC_S, is_dhcp);
}

static void undo(struct net_change *change)
{
	char why[NET_CONFIG_ANSWER_MAX];
	if (!change->has_begun)
		return;
	memcpy(why, change->error, sizeof why);
	run(change, "ifdown", STATIC_S, false);
	net_files_undo(&change->files);
	run(change, "ifup", DHCP_S, true);
	memcpy(change->error, why, sizeof why);
}

const struct net_backend net_backend_ifupdown = {
	.name = "ifupdown",
	.is_persistent = true,
	.is_in_charge = is_in_charge,
	.apply = apply,
	.undo = undo,
};
