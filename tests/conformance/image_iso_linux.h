// SPDX-License-Identifier: Apache-2.0
/*
 * hvconform image: the bare-metal image as a disk to boot from, for hosts that this
 * program cannot start a machine on. GRUB loads it, from a BIOS or from UEFI.
 *
 *	hvconform.c -> image_iso() -> grub-mkrescue (GRUB's own tool)
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_IMAGE_ISO_LINUX_H
#define TESTS_CONFORMANCE_IMAGE_ISO_LINUX_H

/* The command with its options, argv[0] being "image". Returns the program's exit status. */
int image_iso(int argc, char **argv);

#endif
