// SPDX-License-Identifier: Apache-2.0
/*
 * Packets of a real guest, from tests/data/kvp.txt: pairs of a host's packet and the guest's
 * answer. Test programs run in the root of the tree.
 */
#ifndef TESTS_UNIT_KVP_GOLDEN_H
#define TESTS_UNIT_KVP_GOLDEN_H

#include "tests/harness.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KVP_GOLDEN_DESCRIPTOR_BYTES 16u
#define KVP_GOLDEN_BODY_AT	    28u /* in the payload */

struct kvp_golden {
	uint8_t bytes[8192]; /* payload: pipe header onwards, padding included */
	size_t len;
};

/* The packet of that kind ("get", "enumerate_3", …) and direction ("h2g", "g2h"). */
static inline void kvp_golden(const char *kind, const char *direction, struct kvp_golden *out)
{
	static char line[20000];
	FILE *file = fopen("tests/data/kvp.txt", "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	const char *hex = NULL;
	char head[48];
	int head_len = snprintf(head, sizeof head, "%s %s ", kind, direction);
	while (hex == NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, head, (size_t)head_len) == 0)
			hex = line + head_len;
	fclose(file);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hex);
	static uint8_t packet[KVP_GOLDEN_DESCRIPTOR_BYTES + sizeof out->bytes];
	memset(packet, 0, sizeof packet);
	for (size_t i = 0; i < sizeof packet; i++) {
		unsigned byte;
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			break;
		packet[i] = (uint8_t)byte;
	}
	size_t words = (size_t)packet[4] | (size_t)packet[5] << 8; /* of the whole packet */
	out->len = 8 * words - KVP_GOLDEN_DESCRIPTOR_BYTES;
	CU_ASSERT_TRUE_FATAL(out->len <= sizeof out->bytes);
	memcpy(out->bytes, packet + KVP_GOLDEN_DESCRIPTOR_BYTES, sizeof out->bytes);
}

#endif
