// SPDX-License-Identifier: Apache-2.0
/*
 * What every CUnit test program shares: a table of tests, one main, one closing line.
 *
 *	static void ring_wraps(void) { CU_ASSERT_EQUAL(...); }
 *	static const struct test tests[] = {
 *		TEST(ring_wraps),
 *	};
 *	TEST_MAIN("ring", tests)
 *
 * The program runs all tests, or those whose names contain argv[1]; it closes with
 * "N passed, N failed, N skipped" and exits 0 only if none failed. TAP=1 in the
 * environment prints TAP; REPORT=dir writes JUnit XML there.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <CUnit/CUnit.h>
#include <stddef.h>

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(function)                                                                             \
	{                                                                                          \
		.name = #function, .run = function                                                 \
	}

/* Run the table. Returns the exit status of the program. */
int test_main(const char *suite, const struct test *tests, size_t count, int argc, char **argv);

/* Call at the start of a test that cannot run here, then return: counted, with its reason. */
void test_skip(const char *reason);

#define TEST_MAIN(suite, tests)                                                                    \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return test_main(suite, tests, sizeof tests / sizeof *tests, argc, argv);          \
	}

#endif
