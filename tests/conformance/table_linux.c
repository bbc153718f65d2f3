// SPDX-License-Identifier: Apache-2.0
/*
 * hvconform table: what results of several targets say of each group of rules, then each failure
 * with its evidence. A group is the word in the middle of a rule's id; groups and failures are
 * in the order of the files. See report_linux.h.
 */
#include "tests/conformance/report_json_linux.h"
#include "tests/conformance/report_linux.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 64u
#define CELL_BYTES 48u

struct column {
	char name[NAME_BYTES];
	json_t *root, *tests;
};

struct table {
	struct column *columns;
	size_t count;
	json_t *groups; /* their names as keys, in the order of the rows */
	bool is_markdown;
};

struct counts {
	size_t passed, failed, skipped;
};

/* R-HCALL-002: HCALL. What is no rule is a group of its own. */
static const char *group_of(const json_t *test, char group[NAME_BYTES])
{
	const char *rule = result_text(test, "rule");

	if (strncmp(rule, "R-", 2) == 0)
		rule += 2;
	snprintf(group, NAME_BYTES, "%.*s", (int)strcspn(rule, "-"), rule);
	return group;
}

static bool is_failure(const json_t *test)
{
	const char *verdict = result_text(test, "verdict");

	return strcmp(verdict, "failed") == 0 || strcmp(verdict, "died") == 0;
}

/* ---- columns --------------------------------------------------------------------------------- */

static bool is_name_taken(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return true;
	return false;
}

/* The target; of Linux, which one. Two of one name are told apart by the names of their files. */
static void column_name(const struct table *table, struct column *column, const char *path)
{
	const char *target = result_text(column->root, "target");
	unsigned major, minor;
	char copy[PATH_MAX];

	snprintf(column->name, sizeof column->name, "%s", target);
	if (strcmp(target, "linux") == 0 &&
		sscanf(result_text(column->root, "host"), "Linux %u.%u", &major, &minor) == 2)
		snprintf(column->name, sizeof column->name, "Linux %u.%u", major, minor);
	if (!is_name_taken(table, column->name))
		return;
	snprintf(copy, sizeof copy, "%s", path);
	snprintf(column->name, sizeof column->name, "%s", basename(copy));
}

static int column_add(struct table *table, const char *path)
{
	struct column *column = &table->columns[table->count];
	char group[NAME_BYTES];
	json_t *test;
	size_t i;

	column->tests = results_load(path, &column->root);
	if (column->tests == NULL)
		return -1;
	column_name(table, column, path);
	table->count++;
	json_array_foreach(column->tests, i, test)
	{
		json_object_set_new(table->groups, group_of(test, group), json_true());
	}
	return 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Of one group, or of all (NULL). */
static struct counts count(const struct column *column, const char *group)
{
	struct counts counts = {0};
	char own[NAME_BYTES];
	json_t *test;
	size_t i;

	json_array_foreach(column->tests, i, test)
	{
		if (group != NULL && strcmp(group_of(test, own), group) != 0)
			continue;
		if (is_failure(test))
			counts.failed++;
		else if (strcmp(result_text(test, "verdict"), "skipped") == 0)
			counts.skipped++;
		else if (strcmp(result_text(test, "verdict"), "passed") == 0)
			counts.passed++;
	}
	return counts;
}

static const char *cell(const struct column *column, const char *group, char text[CELL_BYTES])
{
	const struct counts counts = count(column, group);

	if (counts.passed + counts.failed + counts.skipped == 0)
		snprintf(text, CELL_BYTES, "-");
	else
		snprintf(text, CELL_BYTES, "%zu/%zu/%zu", counts.passed, counts.failed,
			counts.skipped);
	return text;
}

static void put_word(const struct table *table, const char *word, bool is_first)
{
	if (table->is_markdown)
		printf("%s %s |", is_first ? "|" : "", word);
	else
		printf(is_first ? "%-12s" : " %12s", word);
}

static void put_row(const struct table *table, const char *name, const char *group)
{
	char text[CELL_BYTES];

	put_word(table, name, true);
	for (size_t i = 0; i < table->count; i++)
		put_word(table, cell(&table->columns[i], group, text), false);
	putchar('\n');
}

static void put_table(const struct table *table)
{
	const char *group;
	json_t *value;

	put_word(table, "rules", true);
	for (size_t i = 0; i < table->count; i++)
		put_word(table, table->columns[i].name, false);
	putchar('\n');
	if (table->is_markdown) {
		printf("|---|");
		for (size_t i = 0; i < table->count; i++)
			printf("---|");
		putchar('\n');
	}
	json_object_foreach(table->groups, group, value)
	{
		put_row(table, group, group);
	}
	put_row(table, "all", NULL);
	printf("%sTests passed/failed/skipped; -: there is none.\n",
		table->is_markdown ? "\n" : "");
	for (size_t i = 0; i < table->count; i++)
		if (json_is_false(json_object_get(table->columns[i].root, "complete")))
			printf("%s: the run did not come to its end.\n", table->columns[i].name);
}

/* ---- failures -------------------------------------------------------------------------------- */

/* One line, whatever a peer has said; in Markdown, none of it is markup. */
static void put_evidence(const struct table *table, const char *text)
{
	for (; *text != '\0'; text++) {
		const unsigned char byte = (unsigned char)*text;
		if (table->is_markdown && strchr("\\`*<>|", byte) != NULL)
			putchar('\\');
		putchar(byte < 0x20 || byte == 0x7f ? ' ' : byte);
	}
}

static void put_failure(const struct table *table, const struct column *column, const json_t *test)
{
	const char *rule = result_text(test, "rule"), *name = result_text(test, "name");
	const char *evidence = result_text(test, "evidence");
	const bool is_dead = strcmp(result_text(test, "verdict"), "died") == 0;

	if (table->is_markdown) {
		printf("| %s | %s | ", column->name, rule);
		put_evidence(table, name);
		printf(" | %s", is_dead ? "died: " : "");
		put_evidence(table, evidence);
		printf(" |\n");
		return;
	}
	printf("%s  %s %s: %s\n      ", is_dead ? "DIED" : "FAIL", column->name, rule, name);
	put_evidence(table, evidence);
	putchar('\n');
}

static void put_failures(const struct table *table)
{
	bool is_begun = false;
	json_t *test;
	size_t i;

	for (size_t c = 0; c < table->count; c++)
		json_array_foreach(table->columns[c].tests, i, test)
		{
			if (!is_failure(test))
				continue;
			if (!is_begun && table->is_markdown)
				printf("\n| target | rule | test | evidence "
				       "|\n|---|---|---|---|\n");
			is_begun = true;
			put_failure(table, &table->columns[c], test);
		}
}

int report_table(char *const *paths, size_t count_of_paths, bool is_markdown)
{
	struct table table = {
		.columns = calloc(count_of_paths, sizeof *table.columns),
		.groups = json_object(),
		.is_markdown = is_markdown,
	};
	int status = table.columns != NULL && table.groups != NULL ? 0 : 2;

	for (size_t i = 0; status == 0 && i < count_of_paths; i++)
		if (column_add(&table, paths[i]) != 0)
			status = 2;
	if (status == 0) {
		put_table(&table);
		put_failures(&table);
	}
	for (size_t i = 0; i < table.count; i++)
		json_decref(table.columns[i].root);
	json_decref(table.groups);
	free(table.columns);
	return status;
}
