// SPDX-License-Identifier: Apache-2.0
/* What options mean together, and the defaults that depend on others: see options.h. */
#include "host/vmwp/options_internal.h"

#include <string.h>
#include <sys/un.h>

#define MEMORY_DEFAULT_KVM	(512u << 20)
#define MEMORY_DEFAULT_LOOPBACK (64u << 20)
/* Below this no kernel with a machine around it can start. */
#define MEMORY_MIN_KVM	    (8u << 20)
#define MEMORY_MIN_LOOPBACK (1u << 20)
#define MEMORY_MAX	    (1ull << 36)

/* A path that will be a socket's name; NULL if it was not given. */
static int socket_check(const char *option, const char *path)
{
	struct sockaddr_un address;
	if (path == NULL || (path[0] != '\0' && strlen(path) < sizeof address.sun_path))
		return 0;
	if (path[0] == '\0')
		return options_complain("%s: the path is empty; name the socket to make", option);
	return options_complain("%s: \"%s\" is too long for a socket: %zu characters at most",
		option, path, sizeof address.sun_path - 1);
}

/* No two options name the same socket. */
static int sockets_check(const struct options *options)
{
	const char *serial = options->serial == SERIAL_SOCKET ? options->serial_path : NULL;
	const char *const names[] = {"--guest", "--control", "--serial"};
	const char *const paths[] = {options->guest_socket, options->control_socket, serial};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (socket_check(names[i], paths[i]) != 0)
			return -1;
		for (size_t j = 0; j < i; j++) {
			if (paths[i] != NULL && paths[j] != NULL && strcmp(paths[i], paths[j]) == 0)
				return options_complain(
					"%s and %s are the same path \"%s\": give each its own",
					names[j], names[i], paths[i]);
		}
	}
	return 0;
}

static int loopback_check(const struct options *options)
{
	const struct {
		const char *name;
		bool is_given;
	} others[] = {
		{"--initrd", options->initrd != NULL},
		{"--append", options->command_line != NULL},
		{"--serial", options->serial != SERIAL_UNSET},
		{"--enlightenments", options->has_enlightenments},
		{"--on-reboot", options->on_reboot != END_UNSET},
		{"--emulated-disk", options->emulated_disk != NULL},
	};
	if (options->kernel != NULL)
		return options_complain("--backend loopback: a loopback partition boots no kernel: "
					"give --guest SOCKET in place of --kernel");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (others[i].is_given)
			return options_complain("%s: a loopback partition has none; it needs "
						"--kernel, without --guest",
				others[i].name);
	}
	if (options->guest_socket == NULL)
		return options_complain(
			"--guest SOCKET is missing: the Unix socket that the guest connects to");
	return 0;
}

static int kvm_check(const struct options *options)
{
	if (options->guest_socket != NULL)
		return options_complain(
			"--guest: a guest on KVM needs no socket; give --kernel, or "
			"--guest, not both");
	if (options->is_once)
		return options_complain(
			"--once: for loopback partitions only; see --on-reboot exit");
	if (options->kernel == NULL)
		return options_complain(
			"--kernel FILE is missing: the kernel to boot, such as /boot/vmlinuz");
	return 0;
}

/* 0: not given. */
static int memory_check(const struct options *options)
{
	const bool is_kvm = options->backend == BACKEND_KVM;
	const uint64_t bytes = options->memory_bytes;
	if (bytes == 0 ||
		(bytes >= (is_kvm ? MEMORY_MIN_KVM : MEMORY_MIN_LOOPBACK) && bytes <= MEMORY_MAX))
		return 0;
	return options_complain(is_kvm ? "--memory: a virtual machine has 8M to 64G"
				       : "--memory: a loopback partition has 1M to 64G");
}

int options_check(struct options *options)
{
	const char *unknown;
	size_t bytes;
	if (options->backend == BACKEND_UNSET && options->kernel == NULL &&
		options->guest_socket == NULL)
		return options_complain(
			"what to host? Give --kernel FILE for a virtual machine, or "
			"--guest SOCKET for a loopback partition");
	if (options->backend == BACKEND_UNSET)
		options->backend = options->kernel != NULL ? BACKEND_KVM : BACKEND_LOOPBACK;
	const bool is_kvm = options->backend == BACKEND_KVM;
	if ((is_kvm ? kvm_check(options) : loopback_check(options)) != 0 ||
		memory_check(options) != 0 || sockets_check(options) != 0)
		return -1;
	if (options->memory_bytes == 0)
		options->memory_bytes = is_kvm ? MEMORY_DEFAULT_KVM : MEMORY_DEFAULT_LOOPBACK;
	if (options->serial == SERIAL_UNSET)
		options->serial = is_kvm ? SERIAL_STDIO : SERIAL_NONE;
	if (options->on_reboot == END_UNSET)
		options->on_reboot = END_GO_ON;
	if (options->on_crash == END_UNSET)
		options->on_crash = is_kvm ? END_EXIT : END_GO_ON;
	if (options->heartbeat_period_ms == 0)
		options->services &= ~(1u << OPTIONS_SERVICE_HEARTBEAT);
	if (options->time_period_ms == 0)
		options->services &= ~(1u << OPTIONS_SERVICE_TIME);
	if (is_kvm && !options->has_enlightenments)
		return enlightenments_parse("fast", &options->enlightenments, &unknown, &bytes);
	return 0;
}
