// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the recordings in tests/data/captures (format: README.md there): what real
 * guests said, in order, and what their host said between.
 */
#ifndef TESTS_UNIT_REPLAY_CAPTURE_H
#define TESTS_UNIT_REPLAY_CAPTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum capture_kind {
	CAPTURE_GUEST_MESSAGE,	 /* connection */
	CAPTURE_REFUSED_MESSAGE, /* connection, status */
	CAPTURE_HOST_MESSAGE,
	CAPTURE_LEFT_OUT, /* gpadl, pages: of GPADL_BODY messages */
	CAPTURE_PACKET,	  /* relid, offset, trailer */
};

struct capture_line {
	enum capture_kind kind;
	uint32_t connection;
	uint32_t status;
	uint32_t gpadl;
	uint32_t pages;
	uint32_t relid;
	uint32_t offset;
	uint8_t trailer[8];
	size_t count;
	uint8_t *bytes; /* owned by the capture */
};

struct capture {
	struct capture_line *lines;
	size_t count;
};

/* Digits, and "+N" for N zero bytes. Returns how many bytes; writes at most `room`. */
static inline size_t capture_bytes(const char *text, uint8_t *bytes, size_t room)
{
	size_t count = 0;
	for (unsigned value; *text != '+' && sscanf(text, "%2x", &value) == 1; text += 2) {
		if (count < room)
			bytes[count] = (uint8_t)value;
		count++;
	}
	size_t zeros = *text == '+' ? strtoul(text + 1, NULL, 10) : 0;
	for (; zeros > 0; zeros--, count++) {
		if (count < room)
			bytes[count] = 0;
	}
	return count;
}

/* The fields before the bytes: where those start in the text. */
static inline int capture_fields(const char *text, struct capture_line *line)
{
	char trailer[20] = "";
	int at = -1;
	switch (text[0]) {
	case 'g':
		line->kind = CAPTURE_GUEST_MESSAGE;
		sscanf(text, "g %u %n", &line->connection, &at);
		break;
	case 'r':
		line->kind = CAPTURE_REFUSED_MESSAGE;
		sscanf(text, "r %x %u %n", &line->status, &line->connection, &at);
		break;
	case 'h':
		line->kind = CAPTURE_HOST_MESSAGE;
		at = 2;
		break;
	case 's':
		line->kind = CAPTURE_LEFT_OUT;
		sscanf(text, "s %x %u%n", &line->gpadl, &line->pages, &at);
		break;
	case 'p':
		line->kind = CAPTURE_PACKET;
		sscanf(text, "p %u %u %16s %n", &line->relid, &line->offset, trailer, &at);
		capture_bytes(trailer, line->trailer, sizeof line->trailer);
		break;
	}
	return at;
}

static inline void capture_free(struct capture *capture)
{
	for (size_t i = 0; i < capture->count; i++)
		free(capture->lines[i].bytes);
	free(capture->lines);
	*capture = (struct capture){0};
}

/* 0, or -1 with the reason on stderr. */
static inline int capture_read(const char *path, struct capture *capture)
{
	static char text[1 << 17];
	*capture = (struct capture){0};
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		perror(path);
		return -1;
	}
	while (fgets(text, sizeof text, file) != NULL) {
		capture->lines = realloc(
			capture->lines, (capture->count + 1) * sizeof *capture->lines);
		struct capture_line *line = &capture->lines[capture->count++];
		*line = (struct capture_line){0};
		const int at = capture_fields(text, line);
		if (at < 0) {
			fprintf(stderr, "%s:%zu: not a line of a recording\n", path,
				capture->count);
			fclose(file);
			capture_free(capture);
			return -1;
		}
		line->count = capture_bytes(text + at, NULL, 0);
		line->bytes = malloc(line->count > 0 ? line->count : 1);
		capture_bytes(text + at, line->bytes, line->count);
	}
	fclose(file);
	return 0;
}

#endif
