// SPDX-License-Identifier: Apache-2.0
/*
 * Control requests: JSON, schema, dispatch. See control.h.
 */
#include "host/vmwp/control.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest piece of a client's text that is shown back to it. */
#define QUOTE_BYTES 64

static const char *const type_names[] = {
	[CONTROL_STRING] = "a string",
	[CONTROL_INTEGER] = "an integer",
	[CONTROL_BOOLEAN] = "true or false",
};

void control_error_set(struct control_error *error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(error->text, sizeof error->text, format, args);
	va_end(args);
}

/* A JSON string of text that may be cut within a character or hold foreign bytes. */
static json_t *text_to_json(const char *text)
{
	json_t *string = json_string(text);
	if (string != NULL)
		return string;
	char ascii[CONTROL_ERROR_BYTES];
	size_t i = 0;
	for (; i < sizeof ascii - 1 && text[i] != '\0'; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

/* --- requests ----------------------------------------------------------------------------- */

/* The parser recurses once a level, so the depth is bounded before it runs. */
static bool depth_is_bounded(const char *line, size_t len)
{
	unsigned depth = 0;
	bool is_string = false;
	for (size_t i = 0; i < len; i++) {
		char c = line[i];
		if (is_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				is_string = false;
		} else if (c == '"') {
			is_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > CONTROL_DEPTH_MAX)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

static json_t *parse(const char *line, size_t len, struct control_error *error)
{
	if (len > CONTROL_LINE_MAX_BYTES) {
		control_error_set(error, "request is longer than %u bytes: make it shorter",
			CONTROL_LINE_MAX_BYTES);
		return NULL;
	}
	if (!depth_is_bounded(line, len)) {
		control_error_set(error, "request is nested deeper than %u levels: make it flatter",
			CONTROL_DEPTH_MAX);
		return NULL;
	}
	json_error_t problem;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &problem);
	if (root == NULL) {
		control_error_set(error,
			"request is not JSON: %.160s (byte %d); send one object a line, as "
			"{\"id\":1,\"command\":\"help\"}",
			problem.text, problem.position);
		return NULL;
	}
	if (!json_is_object(root)) {
		control_error_set(error,
			"request is not a JSON object: send {\"id\":1,\"command\":\"help\"}");
		json_decref(root);
		return NULL;
	}
	return root;
}

/* Is the id one that is echoed? A missing id is. */
static bool id_is_good(const json_t *id, struct control_error *error)
{
	if (id == NULL || json_is_null(id) || json_is_integer(id))
		return true;
	if (json_is_string(id) && json_string_length(id) <= CONTROL_ID_MAX_BYTES)
		return true;
	control_error_set(error,
		"request's \"id\" is not good: give an integer, or a string of at most %u bytes",
		CONTROL_ID_MAX_BYTES);
	return false;
}

static bool keys_are_known(const json_t *root, struct control_error *error)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)root, key, value)
	{
		if (strcmp(key, "id") != 0 && strcmp(key, "command") != 0 &&
			strcmp(key, "arguments") != 0) {
			control_error_set(error,
				"request has an unknown member '%.*s': it may have \"id\", "
				"\"command\" and \"arguments\"",
				QUOTE_BYTES, key);
			return false;
		}
	}
	return true;
}

static const struct control_command *find_command(const struct control_command *table, size_t count,
	const json_t *root, struct control_error *error)
{
	const char *name = json_string_value(json_object_get(root, "command"));
	if (name == NULL) {
		control_error_set(error, "request has no \"command\" string: try \"help\"");
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	control_error_set(error, "command '%.*s' is not known: \"help\" lists those that are",
		QUOTE_BYTES, name);
	return NULL;
}

/* --- arguments ---------------------------------------------------------------------------- */

/* The names of a list, comma-separated, as many as fit. */
static void join(char *text, size_t size, const char *const *names)
{
	size_t used = 0;
	text[0] = '\0';
	for (; *names != NULL && used < size; names++) {
		int n = snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", *names);
		used += n > 0 ? (size_t)n : 0;
	}
}

static bool string_is_good(const struct control_command *command,
	const struct control_argument *argument, const json_t *value, struct control_error *error)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	if (len == 0 || len > (size_t)argument->maximum) {
		control_error_set(error, "%s: argument '%s' has %zu bytes: give 1 to %" PRId64,
			command->name, argument->name, len, argument->maximum);
		return false;
	}
	if (argument->choices == NULL)
		return true;
	for (const char *const *choice = argument->choices; *choice != NULL; choice++) {
		if (strcmp(*choice, text) == 0)
			return true;
	}
	char choices[128];
	join(choices, sizeof choices, argument->choices);
	control_error_set(error, "%s: argument '%s' is '%.*s': give one of: %s", command->name,
		argument->name, QUOTE_BYTES, text, choices);
	return false;
}

static bool value_is_good(const struct control_command *command,
	const struct control_argument *argument, const json_t *value, struct control_error *error)
{
	bool is_type = argument->type == CONTROL_STRING	   ? json_is_string(value)
		       : argument->type == CONTROL_INTEGER ? json_is_integer(value)
							   : json_is_boolean(value);
	if (!is_type) {
		control_error_set(error, "%s: argument '%s' has the wrong type: give %s",
			command->name, argument->name, type_names[argument->type]);
		return false;
	}
	if (argument->type == CONTROL_STRING)
		return string_is_good(command, argument, value, error);
	if (argument->type != CONTROL_INTEGER)
		return true;
	json_int_t number = json_integer_value(value);
	if (number >= argument->minimum && number <= argument->maximum)
		return true;
	control_error_set(error,
		"%s: argument '%s' is %" JSON_INTEGER_FORMAT ": give %" PRId64 " to %" PRId64,
		command->name, argument->name, number, argument->minimum, argument->maximum);
	return false;
}

static const struct control_argument *find_argument(
	const struct control_command *command, const char *name)
{
	for (size_t i = 0; i < command->argument_count; i++) {
		if (strcmp(command->arguments[i].name, name) == 0)
			return &command->arguments[i];
	}
	return NULL;
}

static bool arguments_are_good(
	const struct control_command *command, const json_t *arguments, struct control_error *error)
{
	if (!json_is_object(arguments)) {
		control_error_set(error, "%s: \"arguments\" is not an object: give {…}, or none",
			command->name);
		return false;
	}
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)arguments, key, value)
	{
		const struct control_argument *argument = find_argument(command, key);
		if (argument == NULL) {
			control_error_set(error,
				"%s: argument '%.*s' is not known: \"help\" lists those that are",
				command->name, QUOTE_BYTES, key);
			return false;
		}
		if (!value_is_good(command, argument, value, error))
			return false;
	}
	for (size_t i = 0; i < command->argument_count; i++) {
		const struct control_argument *argument = &command->arguments[i];
		if (argument->is_required && json_object_get(arguments, argument->name) == NULL) {
			control_error_set(error, "%s: argument '%s' is missing: give %s (%s)",
				command->name, argument->name, type_names[argument->type],
				argument->help);
			return false;
		}
	}
	return true;
}

/* --- answers ------------------------------------------------------------------------------ */

static json_t *run(const struct control_command *table, size_t count, void *ctx, const json_t *root,
	struct control_ticket *ticket, struct control_error *error)
{
	if (!keys_are_known(root, error))
		return NULL;
	const struct control_command *command = find_command(table, count, root, error);
	if (command == NULL)
		return NULL;
	json_t *given = json_object_get(root, "arguments");
	json_t *arguments = given != NULL ? json_incref(given) : json_object();
	if (arguments == NULL)
		return NULL;
	json_t *result = NULL;
	if (arguments_are_good(command, arguments, error)) {
		result = command->begin != NULL ? command->begin(ctx, arguments, ticket, error)
						: command->handle(ctx, arguments, error);
	}
	json_decref(arguments);
	return result;
}

/* Takes the references of `id` and `result`; either may be NULL. */
static char *answer(json_t *id, json_t *result, const struct control_error *error)
{
	json_t *root = json_object();
	bool is_good = root != NULL &&
		       json_object_set_new(root, "id", id != NULL ? id : json_null()) == 0 &&
		       json_object_set_new(root, "ok", json_boolean(result != NULL)) == 0;
	if (result != NULL)
		is_good = is_good && json_object_set_new(root, "result", result) == 0;
	else
		is_good = is_good &&
			  json_object_set_new(root, "error", text_to_json(error->text)) == 0;
	char *text = is_good ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	return text;
}

struct control_ticket control_ticket_take(struct control_ticket *ticket)
{
	struct control_ticket kept = *ticket;
	ticket->is_taken = true;
	ticket->id = NULL;
	kept.passed_fd = NULL;
	return kept;
}

char *control_ticket_answer(
	struct control_ticket *ticket, json_t *result, const struct control_error *error)
{
	json_t *id = ticket->id;
	ticket->id = NULL;
	return answer(id, result, error);
}

char *control_handle_line(const struct control_command *table, size_t count, void *ctx,
	const char *line, size_t len, struct control_ticket *ticket)
{
	struct control_error error = {{0}};
	json_t *root = parse(line, len, &error);
	json_t *result = NULL;
	ticket->is_taken = false;
	ticket->id = NULL;
	if (root != NULL && id_is_good(json_object_get(root, "id"), &error)) {
		ticket->id = json_incref(json_object_get(root, "id"));
		result = run(table, count, ctx, root, ticket, &error);
	}
	json_decref(root);
	if (ticket->is_taken)
		return NULL;
	json_t *id = ticket->id;
	ticket->id = NULL;
	if (result == NULL && error.text[0] == '\0')
		control_error_set(&error, "command failed for want of memory: try again later");
	return answer(id, result, &error);
}

static json_t *argument_describe(const struct control_argument *argument)
{
	json_t *row = json_pack("{s:s, s:s, s:b, s:s}", "name", argument->name, "type",
		type_names[argument->type], "required", argument->is_required, "help",
		argument->help);
	if (row == NULL)
		return NULL;
	if (argument->type == CONTROL_INTEGER) {
		json_object_set_new(row, "minimum", json_integer(argument->minimum));
		json_object_set_new(row, "maximum", json_integer(argument->maximum));
	}
	if (argument->choices != NULL) {
		json_t *choices = json_array();
		for (const char *const *choice = argument->choices; *choice != NULL; choice++)
			json_array_append_new(choices, json_string(*choice));
		json_object_set_new(row, "choices", choices);
	}
	return row;
}

json_t *control_table_describe(const struct control_command *table, size_t count)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *arguments = json_array();
		for (size_t a = 0; a < table[i].argument_count; a++)
			json_array_append_new(arguments, argument_describe(&table[i].arguments[a]));
		json_array_append_new(rows, json_pack("{s:s, s:s, s:o}", "command", table[i].name,
						    "help", table[i].help, "arguments", arguments));
	}
	return rows;
}
