// SPDX-License-Identifier: Apache-2.0
/* Tests by number, and patterns. See conform_list.h. */
#include "tests/conformance/conform_list.h"

unsigned conform_list_count(const struct conform_list *list)
{
	size_t count = 0;

	for (size_t a = 0; a < list->area_count; a++)
		count += *list->areas[a].count;
	return (unsigned)count;
}

/* The one with this number among those that come last, or that do not; *left: what is left of it.
 */
static const struct conform_test *find(
	const struct conform_list *list, bool is_last, unsigned *left, const char **area)
{
	for (size_t a = 0; a < list->area_count; a++)
		for (size_t i = 0; i < *list->areas[a].count; i++) {
			const struct conform_test *test = &list->areas[a].tests[i];
			if (((test->needs & CONFORM_LAST) != 0) != is_last)
				continue;
			if ((*left)-- > 0)
				continue;
			if (area)
				*area = list->areas[a].name;
			return test;
		}
	return NULL;
}

const struct conform_test *conform_list_at(
	const struct conform_list *list, unsigned number, const char **area)
{
	unsigned left = number;
	const struct conform_test *test = find(list, false, &left, area);

	return test ? test : find(list, true, &left, area);
}

bool conform_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if (*pattern && (*pattern == '?' || *pattern == *text)) {
			pattern++;
			text++;
		} else if (star) { /* let it stand for one more */
			pattern = star;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
