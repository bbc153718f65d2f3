// SPDX-License-Identifier: Apache-2.0
/*
 * vmbusctl: looks at the VMBus of the Linux guest that it runs in, and gives its devices to
 * drivers. By the name of lsvmbus it is that program.
 *
 *	vmbusctl.c		main, a function a verb
 *	vmbusctl_options.c	command line
 *	vmbusctl_print.c	list: text and JSON
 *	vmbusctl_monitor.c	list --monitor, with libudev
 *	vmbusctl_status.c	status: the integration services
 *	vmbus_bind.c		bind, unbind
 *	vmbus_use.c		who uses a device
 *	vmbus_sysfs.c		what the kernel tells
 */
#include "guest/tools/vmbus_bind.h"
#include "guest/tools/vmbus_sysfs.h"
#include "guest/tools/vmbusctl_monitor.h"
#include "guest/tools/vmbusctl_options.h"
#include "guest/tools/vmbusctl_print.h"
#include "guest/tools/vmbusctl_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static int fail(const struct vmbusctl_options *options, int error)
{
	char root[4096];
	vmbus_text_safe(options->root, root, sizeof root);
	if (error == -ENOENT && !options->is_other_root)
		fprintf(stderr,
			"vmbusctl: this is no Hyper-V guest, or hv_vmbus is not loaded (there is "
			"no %s/%s)\n",
			root, VMBUS_SYSFS_DEVICES);
	else if (error == -ENOENT || error == -ENOTDIR)
		fprintf(stderr, "vmbusctl: '%s' is no sysfs tree with a VMBus (it has no %s)\n",
			root, VMBUS_SYSFS_DEVICES);
	else
		fprintf(stderr, "vmbusctl: cannot read '%s/%s': %s\n", root, VMBUS_SYSFS_DEVICES,
			strerror(-error));
	return EXIT_FAILURE;
}

static int flushed(void)
{
	if (fflush(stdout) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "vmbusctl: cannot write the list: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

static void json_print(json_t *out)
{
	json_dumpf(out, stdout, JSON_INDENT(2));
	putchar('\n');
}

static int list(const struct vmbusctl_options *options)
{
	struct vmbus_sysfs_list devices;
	const int error = vmbus_sysfs_read(options->root, &devices);
	if (error != 0)
		return fail(options, error);
	if (options->is_json) {
		json_t *out = vmbusctl_json_list(&devices, options->root);
		json_print(out);
		json_decref(out);
	} else if (options->is_long) {
		vmbusctl_print_long(stdout, &devices);
	} else {
		vmbusctl_print_plain(stdout, &devices, options->root, options->verbosity);
	}
	if (devices.odd_count > 0)
		fprintf(stderr, "vmbusctl: left out: %zu entries without relid and GUIDs\n",
			devices.odd_count);
	vmbus_sysfs_free(&devices);
	return flushed();
}

static int status(const struct vmbusctl_options *options)
{
	struct vmbus_sysfs_list devices;
	const int error = vmbus_sysfs_read(options->root, &devices);
	if (error != 0)
		return fail(options, error);
	const struct vmbusctl_status_paths paths = {options->root, options->proc, options->run};
	json_t *services = vmbusctl_status_read(&devices, &paths);
	if (options->is_json)
		json_print(services);
	else
		vmbusctl_status_print(stdout, services);
	json_decref(services);
	vmbus_sysfs_free(&devices);
	return flushed();
}

static int rebind(const struct vmbusctl_options *options)
{
	char why[VMBUS_BIND_WHY_BYTES];
	const bool is_bind = options->verb == VMBUSCTL_BIND;
	const struct vmbus_bind request = {
		.root = options->root,
		.proc = options->proc,
		.device = options->device,
		.driver = options->driver,
		.is_forced = options->is_forced,
		.is_if_free = options->is_if_free,
		.write = vmbus_bind_write_file,
	};
	const int error = is_bind ? vmbus_bind(&request, why) : vmbus_unbind(&request, why);
	if (error != 0 && why[0] == '\0')
		return fail(options, error);
	if (error != 0) {
		fprintf(stderr, "vmbusctl: %s: %s\n", is_bind ? "bind" : "unbind", why);
		return EXIT_FAILURE;
	}
	puts(why);
	return flushed();
}

static int monitor(const struct vmbusctl_options *options)
{
	const int error = vmbusctl_monitor(options);
	if (error == -ENOENT)
		return fail(options, error);
	return error != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct vmbusctl_options options;
	const int result = vmbusctl_options_parse(&options, argc, argv);
	if (result != 0)
		return result < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	switch (options.verb) {
	case VMBUSCTL_STATUS:
		return status(&options);
	case VMBUSCTL_BIND:
	case VMBUSCTL_UNBIND:
		return rebind(&options);
	case VMBUSCTL_LIST:
	case VMBUSCTL_LSVMBUS:
		break;
	}
	return options.is_monitor ? monitor(&options) : list(&options);
}
