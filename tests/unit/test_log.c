// SPDX-License-Identifier: Apache-2.0
/* What of a guest's words reaches the terminal of who runs it. Source: ECMA-48, Unicode 15 (3.9).
 */
#include "host/vmwp/log.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void expect(const char *said, const char *expected)
{
	const int kept = dup(STDERR_FILENO);
	const int taken = memfd_create("log", MFD_CLOEXEC);
	char text[256];
	CU_ASSERT_FATAL(kept >= 0 && taken >= 0 && dup2(taken, STDERR_FILENO) >= 0);
	log_line(LOG_LEVEL_INFO, "%s", said);
	dup2(kept, STDERR_FILENO);
	close(kept);
	const ssize_t bytes = pread(taken, text, sizeof text - 1, 0);
	close(taken);
	CU_ASSERT_FATAL(bytes > 0);
	text[bytes] = '\0';
	/* "<6>" in front, as the journal is said to listen */
	CU_ASSERT_NSTRING_EQUAL(text, "<6>", 3);
	CU_ASSERT_STRING_EQUAL(text + 3, expected);
}

static void log_lines_hold_no_control_characters(void)
{
	expect("\033[2Jname\n", "?[2Jname?\n");
	expect("del\177ete", "del?ete\n");
}

static void log_lines_hold_no_c1_controls_as_bytes_or_as_characters(void)
{
	expect("a\x9b"
	       "2Jb",
		"a?2Jb\n");
	expect("a\xc2\x9b"
	       "2Jb",
		"a??2Jb\n");
	expect("a\xe0\x82\x9b"
	       "b",
		"a???b\n"); /* the same, longer than it need be */
	expect("\x80\x9f\xa0\xff", "????\n");
	expect("\xc3", "?\n");
	expect("\xe2\x9b", "??\n"); /* cut off: its second byte alone would be CSI */
}

static void log_lines_keep_other_characters(void)
{
	expect("d\xc3\xbcnn.img", "d\xc3\xbcnn.img\n");
	expect("\xe2\x82\xac \xf0\x9f\x90\xa7", "\xe2\x82\xac \xf0\x9f\x90\xa7\n");
}

/* R-ROB-005. */
static void lines_of_one_kind_are_limited_and_the_rest_is_counted(void)
{
	struct log_limit limit = {0};
	const uint64_t second = 1000000000, start = 100 * second;
	unsigned lines = 0;
	for (unsigned i = 0; i < 1000000; i++)
		lines += log_limit_take(&limit, start + i);
	CU_ASSERT_EQUAL(lines, 10);
	CU_ASSERT_EQUAL(limit.dropped, 999990);
	CU_ASSERT_FALSE(log_limit_take(&limit, start + 10 * second - 1));
	CU_ASSERT_TRUE(log_limit_take(&limit, start + 10 * second));
	CU_ASSERT_EQUAL(limit.dropped, 999991);
}

static const struct test tests[] = {
	TEST(log_lines_hold_no_control_characters),
	TEST(log_lines_hold_no_c1_controls_as_bytes_or_as_characters),
	TEST(log_lines_keep_other_characters),
	TEST(lines_of_one_kind_are_limited_and_the_rest_is_counted),
};

int main(int argc, char **argv)
{
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init(LOG_LEVEL_INFO, "test");
	return test_main("log", tests, sizeof tests / sizeof tests[0], argc, argv);
}
