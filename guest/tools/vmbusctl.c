// SPDX-License-Identifier: Apache-2.0
/*
 * vmbusctl: looks at the VMBus of the Linux guest that it runs in.
 *
 *	vmbusctl.c		main
 *	vmbusctl_options.c	command line
 *	vmbusctl_print.c	text and JSON
 *	vmbusctl_monitor.c	--monitor, with libudev
 *	vmbus_sysfs.c		what the kernel tells
 */
#include "guest/tools/vmbus_sysfs.h"
#include "guest/tools/vmbusctl_monitor.h"
#include "guest/tools/vmbusctl_options.h"
#include "guest/tools/vmbusctl_print.h"

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

static int list(const struct vmbusctl_options *options)
{
	struct vmbus_sysfs_list devices;
	const int error = vmbus_sysfs_read(options->root, &devices);
	if (error != 0)
		return fail(options, error);
	if (options->is_json) {
		json_t *out = vmbusctl_json_list(&devices, options->root);
		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
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
	if (fflush(stdout) != 0) {
		fprintf(stderr, "vmbusctl: cannot write the list: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct vmbusctl_options options;
	const int result = vmbusctl_options_parse(&options, argc, argv);
	if (result != 0)
		return result < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	if (!options.is_monitor)
		return list(&options);
	const int error = vmbusctl_monitor(&options);
	if (error == -ENOENT)
		return fail(&options, error);
	return error != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
