// SPDX-License-Identifier: Apache-2.0
/*
 * Keys as names of files, and back.
 */
#include "guest/tools/kvpfs_name.h"
#include "tests/harness.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *key, *name;
} pairs[] = {
	{"a key", "a key"},
	{"path/to", "path%2Fto"},
	{"100%", "100%25"},
	{".", "%2E"},
	{"..", "%2E."},
	{"...", "..."},
	{".hidden", ".hidden"},
	{"caf\xc3\xa9", "caf\xc3\xa9"},
	{"\n", "\n"},
	{"%41", "%2541"},
};

static void names_and_keys_are_one_to_one(void)
{
	char name[KVPFS_NAME_BYTES];
	char key[KVPFS_KEY_BYTES];
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		CU_ASSERT_EQUAL(kvpfs_name_encode(pairs[i].key, name), strlen(pairs[i].name));
		CU_ASSERT_STRING_EQUAL(name, pairs[i].name);
		CU_ASSERT_EQUAL(kvpfs_name_decode(pairs[i].name, key), 0);
		CU_ASSERT_STRING_EQUAL(key, pairs[i].key);
	}
}

static void other_spellings_are_no_names(void)
{
	static const char *const bad[] = {
		"%", "%2", "%2f", "%41", "%00", "a%", "%2E%2E", "%2Ehidden", "%zz", "", "."};
	char key[KVPFS_KEY_BYTES];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		strcpy(key, "x");
		CU_ASSERT_EQUAL(kvpfs_name_decode(bad[i], key), -EINVAL);
		CU_ASSERT_STRING_EQUAL(key, "");
	}
	CU_ASSERT_EQUAL(kvpfs_name_decode("\xff", key), -EILSEQ);
	CU_ASSERT_EQUAL(kvpfs_name_decode("\xed\xa0\x80", key), -EILSEQ); /* half a pair */
}

static void longest_key_has_a_name(void)
{
	char key[KVPFS_KEY_BYTES + 1];
	char back[KVPFS_KEY_BYTES];
	char name[KVPFS_NAME_BYTES];
	memset(key, '/', sizeof key);
	key[511] = '\0';
	CU_ASSERT_EQUAL(kvpfs_name_encode(key, name), 1533);
	CU_ASSERT_EQUAL(kvpfs_name_decode(name, back), 0);
	CU_ASSERT_STRING_EQUAL(back, key);
	memset(key, 'k', sizeof key);
	key[512] = '\0';
	CU_ASSERT_EQUAL(kvpfs_name_decode(key, back), -ENAMETOOLONG);
	key[511] = '\0';
	CU_ASSERT_EQUAL(kvpfs_name_decode(key, back), 0);
}

static const struct test tests[] = {
	TEST(names_and_keys_are_one_to_one),
	TEST(other_spellings_are_no_names),
	TEST(longest_key_has_a_name),
};

TEST_MAIN("kvpfs_name", tests)
