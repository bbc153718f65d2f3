// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration files that are replaced, kept and put back, in a real directory: R-KVP-018's
 * lasting side. What fails must leave everything as it was.
 */
#include "guest/ic_daemons/net_file_linux.h"

#include "tests/harness.h"
#include "tests/temp_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char root[64];
	struct net_files files;
};

static void place_make(struct place *place)
{
	char path[128];
	memset(place, 0, sizeof *place);
	CU_ASSERT_TRUE_FATAL(temp_folder_make(place->root, sizeof place->root));
	static const char *const folders[] = {"/etc", "/var", "/var/lib"};
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", place->root, folders[i]);
		CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
	}
	place->files.root = place->root;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static void place_remove(struct place *place)
{
	net_files_free(&place->files);
	(void)nftw(place->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *whole(const struct place *place, const char *path)
{
	static char paths[4][256];
	static unsigned next;
	char *out = paths[next++ % 4];
	snprintf(out, sizeof paths[0], "%s%s", place->root, path);
	return out;
}

static void put(const struct place *place, const char *path, const char *text, mode_t mode)
{
	FILE *stream = fopen(whole(place, path), "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
	fputs(text, stream);
	fclose(stream);
	CU_ASSERT_EQUAL(chmod(whole(place, path), mode), 0);
}

static bool is(const struct place *place, const char *path, const char *text)
{
	size_t len = 0;
	char *found = net_file_read(place->root, path, &len);
	const bool is_same = found != NULL && len == strlen(text) && strcmp(found, text) == 0;
	free(found);
	return is_same;
}

static int replace(struct place *place, const char *path, const char *text)
{
	return net_files_write(&place->files, path, text, strlen(text));
}

static mode_t mode_of(const struct place *place, const char *path)
{
	struct stat st = {0};
	CU_ASSERT_EQUAL(stat(whole(place, path), &st), 0);
	return st.st_mode & 07777;
}

static unsigned entries(const struct place *place, const char *path)
{
	unsigned count = 0;
	DIR *dir = opendir(whole(place, path));
	if (dir == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

static void a_file_that_is_replaced_keeps_its_mode(void)
{
	struct place place;
	place_make(&place);
	put(&place, "/etc/secret", "old", 0600);
	CU_ASSERT_EQUAL(replace(&place, "/etc/secret", "new"), 0);
	CU_ASSERT_TRUE(is(&place, "/etc/secret", "new"));
	CU_ASSERT_EQUAL(mode_of(&place, "/etc/secret"), 0600);
	CU_ASSERT_EQUAL(replace(&place, "/etc/plain", "new"), 0);
	CU_ASSERT_EQUAL(mode_of(&place, "/etc/plain"), 0644);
	CU_ASSERT_EQUAL(entries(&place, "/etc"), 2);
	place_remove(&place);
}

static void a_file_that_changed_twice_goes_back_to_its_first_state(void)
{
	struct place place;
	place_make(&place);
	put(&place, "/etc/a", "first", 0640);
	CU_ASSERT_EQUAL(replace(&place, "/etc/a", "second"), 0);
	CU_ASSERT_EQUAL(replace(&place, "/etc/b", "new"), 0);
	CU_ASSERT_EQUAL(replace(&place, "/etc/a", "third"), 0);
	CU_ASSERT_EQUAL(net_files_remove(&place.files, "/etc/a"), 0);
	CU_ASSERT_FALSE(is(&place, "/etc/a", "third"));
	CU_ASSERT_EQUAL(net_files_undo(&place.files), 0);
	CU_ASSERT_TRUE(is(&place, "/etc/a", "first"));
	CU_ASSERT_EQUAL(mode_of(&place, "/etc/a"), 0640);
	CU_ASSERT_EQUAL(access(whole(&place, "/etc/b"), F_OK), -1); /* it was new */
	CU_ASSERT_EQUAL(entries(&place, "/etc"), 1);
	place_remove(&place);
}

static void what_cannot_be_put_back_does_not_keep_the_rest_from_it(void)
{
	struct place place;
	place_make(&place);
	put(&place, "/etc/a", "first", 0644);
	put(&place, "/etc/b", "first", 0644);
	put(&place, "/etc/c", "first", 0644);
	CU_ASSERT_EQUAL(replace(&place, "/etc/a", "second"), 0);
	CU_ASSERT_EQUAL(replace(&place, "/etc/b", "second"), 0);
	CU_ASSERT_EQUAL(replace(&place, "/etc/c", "second"), 0);
	/* A directory has taken the place of one: nothing is renamed over it. */
	CU_ASSERT_EQUAL(unlink(whole(&place, "/etc/b")), 0);
	CU_ASSERT_EQUAL(mkdir(whole(&place, "/etc/b"), 0755), 0);
	CU_ASSERT_EQUAL(net_files_undo(&place.files), -EISDIR);
	CU_ASSERT_TRUE(is(&place, "/etc/a", "first"));
	CU_ASSERT_TRUE(is(&place, "/etc/c", "first"));
	CU_ASSERT_EQUAL(entries(&place, "/etc"), 3); /* no file that was in the making */
	place_remove(&place);
}

static void a_file_that_finds_no_place_leaves_nothing_beside_it(void)
{
	struct place place;
	place_make(&place);
	CU_ASSERT_EQUAL(mkdir(whole(&place, "/etc/taken"), 0755), 0);
	CU_ASSERT_TRUE(replace(&place, "/etc/taken", "text") != 0);
	CU_ASSERT_EQUAL(entries(&place, "/etc"), 1);
	CU_ASSERT_EQUAL(place.files.count, 0);
	place_remove(&place);
}

static void what_somebody_else_wrote_is_kept_and_ours_is_not(void)
{
	static const char kept[] = "/var/lib/viridian-net-config/etc_a";
	static const char ours[] = NET_FILE_MARK "ours\n";
	struct place place;
	place_make(&place);
	put(&place, "/etc/a", "the administrator's", 0600);
	CU_ASSERT_EQUAL(replace(&place, "/etc/a", ours), 0);
	CU_ASSERT_TRUE(is(&place, kept, "the administrator's"));
	CU_ASSERT_EQUAL(mode_of(&place, kept), 0600);
	CU_ASSERT_EQUAL(replace(&place, "/etc/a", NET_FILE_MARK "ours again\n"), 0);
	CU_ASSERT_TRUE(is(&place, kept, "the administrator's"));
	CU_ASSERT_EQUAL(net_file_keep(place.root, "/etc/a"), 0);
	CU_ASSERT_TRUE(is(&place, kept, "the administrator's"));
	put(&place, "/etc/a", "his second", 0644);
	CU_ASSERT_EQUAL(replace(&place, "/etc/a", ours), 0);
	CU_ASSERT_TRUE(is(&place, kept, "his second"));
	place_remove(&place);
}

static void a_link_is_neither_read_nor_replaced(void)
{
	struct place place;
	place_make(&place);
	put(&place, "/etc/other", "other's", 0644);
	CU_ASSERT_EQUAL(symlink("other", whole(&place, "/etc/link")), 0);
	size_t len;
	CU_ASSERT_PTR_NULL(net_file_read(place.root, "/etc/link", &len));
	CU_ASSERT_EQUAL(errno, ELOOP);
	CU_ASSERT_EQUAL(replace(&place, "/etc/link", "text"), -ELOOP);
	CU_ASSERT_EQUAL(net_files_remove(&place.files, "/etc/link"), -ELOOP);
	CU_ASSERT_TRUE(is(&place, "/etc/other", "other's"));
	struct stat st;
	CU_ASSERT_EQUAL(lstat(whole(&place, "/etc/link"), &st), 0);
	CU_ASSERT_TRUE(S_ISLNK(st.st_mode));
	place_remove(&place);
}

static void changes_and_sizes_are_bounded(void)
{
	struct place place;
	char path[32];
	place_make(&place);
	for (unsigned i = 0; i < NET_FILES_MAX; i++) {
		snprintf(path, sizeof path, "/etc/f%u", i);
		CU_ASSERT_EQUAL(replace(&place, path, "x"), 0);
	}
	CU_ASSERT_EQUAL(replace(&place, "/etc/more", "x"), -EMFILE);
	CU_ASSERT_EQUAL(access(whole(&place, "/etc/more"), F_OK), -1);
	CU_ASSERT_EQUAL(net_files_undo(&place.files), 0);
	CU_ASSERT_EQUAL(entries(&place, "/etc"), 0);
	put(&place, "/etc/large", "x", 0644);
	CU_ASSERT_EQUAL(truncate(whole(&place, "/etc/large"), NET_FILE_BYTES_MAX + 1), 0);
	size_t len;
	CU_ASSERT_PTR_NULL(net_file_read(place.root, "/etc/large", &len));
	CU_ASSERT_EQUAL(errno, EFBIG);
	place_remove(&place);
}

static const struct test tests[] = {
	TEST(a_file_that_is_replaced_keeps_its_mode),
	TEST(a_file_that_changed_twice_goes_back_to_its_first_state),
	TEST(what_cannot_be_put_back_does_not_keep_the_rest_from_it),
	TEST(a_file_that_finds_no_place_leaves_nothing_beside_it),
	TEST(what_somebody_else_wrote_is_kept_and_ours_is_not),
	TEST(a_link_is_neither_read_nor_replaced),
	TEST(changes_and_sizes_are_bounded),
};

TEST_MAIN("net_file", tests)
