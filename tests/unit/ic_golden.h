// SPDX-License-Identifier: Apache-2.0
/*
 * Packets of real guests, from tests/data/ic.txt: pairs of a host's packet and the
 * guest's answer. Test programs run in the root of the tree.
 */
#ifndef TESTS_UNIT_IC_GOLDEN_H
#define TESTS_UNIT_IC_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define GOLDEN_DESCRIPTOR_BYTES 16u

struct golden_packet {
	char device[16];
	char direction[8];
	char kind[16];
	uint8_t bytes[2112]; /* payload: pipe header onwards, padding included */
	size_t len;
};

/* The next packet of the file; false at the end or at a line that is not one. */
static inline bool golden_read(FILE *file, struct golden_packet *out)
{
	char line[4400];
	do {
		if (fgets(line, sizeof line, file) == NULL)
			return false;
	} while (line[0] == '#');
	char hex[4300];
	if (sscanf(line, "%15s %7s %15s %4299s", out->device, out->direction, out->kind, hex) != 4)
		return false;
	size_t bytes = strlen(hex) / 2;
	if (bytes < GOLDEN_DESCRIPTOR_BYTES || bytes - GOLDEN_DESCRIPTOR_BYTES > sizeof out->bytes)
		return false;
	out->len = bytes - GOLDEN_DESCRIPTOR_BYTES;
	for (size_t i = 0; i < out->len; i++) {
		unsigned byte;
		if (sscanf(hex + 2 * (GOLDEN_DESCRIPTOR_BYTES + i), "%2x", &byte) != 1)
			return false;
		out->bytes[i] = (uint8_t)byte;
	}
	return true;
}

static inline FILE *golden_open(void)
{
	return fopen("tests/data/ic.txt", "r");
}

#endif
