// SPDX-License-Identifier: Apache-2.0
/*
 * JSON for people. See control_print.h.
 */
#include "host/vmwp/control_print.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define INDENT	    2
#define DEPTH_MAX   8
#define COLUMNS_MAX 32
#define CELL_BYTES  256

/*
 * Copy UTF-8 text, cut between characters if it is too long, with a question mark for
 * each control character: C0, DEL, and C1 (0xC2 0x80 to 0xC2 0x9F).
 */
static void visible_text(const char *from, char text[CELL_BYTES])
{
	size_t used = 0;
	size_t whole = 0; /* bytes of text that end with a whole character */
	for (; *from != '\0' && used < CELL_BYTES - 1; from++) {
		unsigned char c = (unsigned char)*from;
		unsigned char next = (unsigned char)from[1];
		bool is_c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;
		from += is_c1 ? 1 : 0;
		text[used++] = c < 0x20 || c == 0x7F || is_c1 ? '?' : (char)c;
		if ((from[1] & 0xC0) != 0x80)
			whole = used;
	}
	text[whole] = '\0';
}

/* Text of a scalar. */
static void cell_text(const json_t *value, char text[CELL_BYTES])
{
	const char *from = json_string_value(value);
	switch (value == NULL ? JSON_NULL : json_typeof(value)) {
	case JSON_INTEGER:
		snprintf(text, CELL_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	case JSON_REAL:
		snprintf(text, CELL_BYTES, "%.3f", json_real_value(value));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(text, CELL_BYTES, "%s", json_is_true(value) ? "yes" : "no");
		return;
	case JSON_STRING:
		break;
	default:
		snprintf(text, CELL_BYTES, "-");
		return;
	}
	if (*from == '\0')
		from = "-";
	visible_text(from, text);
}

/* A key as words. */
static void key_text(const char *key, char text[CELL_BYTES])
{
	json_t *string = json_string_nocheck(key);
	cell_text(string, text);
	json_decref(string);
	for (char *c = text; *c != '\0'; c++) {
		if (*c == '_')
			*c = ' ';
	}
}

static bool is_scalar(const json_t *value)
{
	return !json_is_object(value) && !json_is_array(value);
}

static bool is_table(const json_t *value)
{
	return json_array_size(value) > 0 && json_is_object(json_array_get(value, 0));
}

/* An array of scalars on one line, or a word for what does not fit in a cell. */
static void flat_text(const json_t *value, char text[CELL_BYTES])
{
	if (is_scalar(value)) {
		cell_text(value, text);
		return;
	}
	size_t used = 0;
	size_t count = json_array_size(value);
	snprintf(text, CELL_BYTES, "-");
	if (json_is_object(value) || is_table(value)) {
		snprintf(text, CELL_BYTES, "(%zu)",
			json_is_object(value) ? json_object_size(value) : count);
		return;
	}
	for (size_t i = 0; i < count && used < CELL_BYTES - 1; i++) {
		char part[CELL_BYTES];
		cell_text(json_array_get(value, i), part);
		int n = snprintf(text + used, CELL_BYTES - used, "%s%s", i > 0 ? ", " : "", part);
		used += n > 0 ? (size_t)n : 0;
	}
}

struct column {
	const char *key; /* borrowed from the rows */
	int width;
	bool is_number;
};

static size_t columns_find(const json_t *rows, struct column columns[COLUMNS_MAX])
{
	size_t count = 0;
	for (size_t r = 0; r < json_array_size(rows); r++) {
		const char *key;
		json_t *value;
		json_object_foreach(json_array_get(rows, r), key, value)
		{
			size_t c = 0;
			char text[CELL_BYTES];
			while (c < count && strcmp(columns[c].key, key) != 0)
				c++;
			if (c == COLUMNS_MAX)
				continue;
			if (c == count) {
				key_text(key, text);
				columns[count++] = (struct column){
					key, (int)strlen(text), json_is_number(value)};
			}
			flat_text(value, text);
			if ((int)strlen(text) > columns[c].width)
				columns[c].width = (int)strlen(text);
		}
	}
	return count;
}

static void print_cell(FILE *out, const struct column *column, const char *text, bool is_last)
{
	if (column->is_number)
		fprintf(out, "%*s", column->width, text);
	else if (is_last)
		fputs(text, out);
	else
		fprintf(out, "%-*s", column->width, text);
	fputs(is_last ? "\n" : "  ", out);
}

static void print_table(FILE *out, const json_t *rows, int indent)
{
	struct column columns[COLUMNS_MAX];
	size_t count = columns_find(rows, columns);
	char text[CELL_BYTES];
	fprintf(out, "%*s", indent, "");
	for (size_t c = 0; c < count; c++) {
		key_text(columns[c].key, text);
		print_cell(out, &columns[c], text, c + 1 == count);
	}
	for (size_t r = 0; r < json_array_size(rows); r++) {
		fprintf(out, "%*s", indent, "");
		for (size_t c = 0; c < count; c++) {
			flat_text(json_object_get(json_array_get(rows, r), columns[c].key), text);
			print_cell(out, &columns[c], text, c + 1 == count);
		}
	}
}

static int key_width(const json_t *object)
{
	int width = 0;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)object, key, value)
	{
		char text[CELL_BYTES];
		key_text(key, text);
		if ((int)strlen(text) > width)
			width = (int)strlen(text);
	}
	return width;
}

static void print_object(FILE *out, const json_t *object, int indent)
{
	int width = key_width(object);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)object, key, value)
	{
		char name[CELL_BYTES];
		key_text(key, name);
		if (json_is_object(value) && indent < DEPTH_MAX * INDENT) {
			fprintf(out, "%*s%s:\n", indent, "", name);
			print_object(out, value, indent + INDENT);
		} else if (is_table(value)) {
			fprintf(out, "%*s%s:\n", indent, "", name);
			print_table(out, value, indent + INDENT);
		} else {
			char text[CELL_BYTES];
			flat_text(value, text);
			fprintf(out, "%*s%-*s  %s\n", indent, "", width, name, text);
		}
	}
}

void control_print(FILE *out, const json_t *value)
{
	if (json_is_object(value)) {
		if (json_object_size(value) == 0)
			fputs("done\n", out);
		print_object(out, value, 0);
	} else if (is_table(value)) {
		print_table(out, value, 0);
	} else {
		char text[CELL_BYTES];
		flat_text(value, text);
		fprintf(out, "%s\n", text);
	}
}
