// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a copy, in real directories: what comes to be and what does not, and programs
 * that exchange directories and links meanwhile. Each test runs with files that have no name
 * until they are complete, and with hidden names.
 */
#include "guest/ic_daemons/fcopy_config_linux.h"
#include "guest/ic_daemons/fcopy_file_linux.h"
#include "guest/ic_daemons/fcopy_path_linux.h"
#include "tests/harness.h"
#include "tests/temp_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char top[64];	 /* everything is below it */
	char root[80];	 /* allowed */
	char other[80];	 /* not allowed */
	char record[80]; /* in neither */
	struct fcopy_file_config config;
	struct fcopy_file file;
};

static void place_make(struct place *place, bool is_without_tmpfile)
{
	memset(place, 0, sizeof *place);
	CU_ASSERT_TRUE_FATAL(temp_folder_make(place->top, sizeof place->top));
	snprintf(place->root, sizeof place->root, "%s/root", place->top);
	snprintf(place->other, sizeof place->other, "%s/other", place->top);
	snprintf(place->record, sizeof place->record, "%s/record", place->top);
	CU_ASSERT_EQUAL(mkdir(place->root, 0755), 0);
	CU_ASSERT_EQUAL(mkdir(place->other, 0755), 0);
	fcopy_file_config_init(&place->config);
	CU_ASSERT_EQUAL(fcopy_file_root_add(&place->config, place->root), 0);
	place->config.record = strdup(place->record);
	place->config.is_without_tmpfile = is_without_tmpfile;
	fcopy_file_init(&place->file, &place->config);
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
	fcopy_file_drop(&place->file);
	CU_ASSERT_EQUAL(access(place->record, F_OK), -1);
	fcopy_file_config_free(&place->config);
	(void)nftw(place->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What is in a directory. */
static unsigned entries(const char *path)
{
	unsigned count = 0;
	DIR *dir = opendir(path);
	if (dir == NULL)
		return UINT_MAX;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

static const char *path_of(const char *folder, const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static void file_put(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
	fputs(text, stream);
	fclose(stream);
}

static bool file_is(const char *path, const char *text)
{
	char read_text[256] = "";
	FILE *stream = fopen(path, "r");
	if (stream == NULL)
		return false;
	const size_t n = fread(read_text, 1, sizeof read_text - 1, stream);
	fclose(stream);
	return n == strlen(text) && memcmp(read_text, text, n) == 0;
}

static uint32_t start(struct place *place, const char *below, const char *name, unsigned flags)
{
	const char *path = below[0] == '/' ? below : path_of(place->root, below);
	const struct fcopy_start what = {
		.name = name,
		.path = path,
		.overwrites = (flags & FCOPY_FLAG_OVERWRITE) != 0,
		.creates_path = (flags & FCOPY_FLAG_CREATE_PATH) != 0,
		.size_bytes = 5,
	};
	return fcopy_file_start(&place->file, &what);
}

static uint32_t write_text(struct place *place, const char *text)
{
	return fcopy_file_write(&place->file, place->file.end, (const uint8_t *)text, strlen(text));
}

/* All of a copy; the first failure. */
static uint32_t copy(struct place *place, const char *below, const char *name, unsigned flags)
{
	uint32_t status = start(place, below, name, flags);
	if (status == 0)
		status = write_text(place, "hello");
	return status == 0 ? fcopy_file_complete(&place->file) : status;
}

/* Run a test in both manners. */
static void both(void (*test)(struct place *place))
{
	for (unsigned i = 0; i < 2; i++) {
		struct place place;
		place_make(&place, i != 0);
		test(&place);
		place_remove(&place);
	}
}

/* --- what comes to be ---------------------------------------------------------------------- */

/* R-FCOPY-025, R-FCOPY-028. */
static void plain(struct place *place)
{
	struct stat st;
	const char *path = path_of(place->root, "f");
	CU_ASSERT_EQUAL(start(place, "", "f", 0), 0);
	CU_ASSERT_EQUAL(write_text(place, "hel"), 0);
	CU_ASSERT_EQUAL(write_text(place, "lo"), 0);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	CU_ASSERT_EQUAL(entries(place->root), place->config.is_without_tmpfile ? 1 : 0);
	CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), 0);
	CU_ASSERT_TRUE(file_is(path, "hello"));
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0744);
	CU_ASSERT_EQUAL(st.st_nlink, 1);
	CU_ASSERT_EQUAL(entries(place->root), 1);
	CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(write_text(place, "x"), IC_STATUS_FAIL);
	CU_ASSERT_TRUE(file_is(path, "hello"));
}

static void a_file_is_there_when_it_is_complete(void)
{
	both(plain);
}

static void modes(struct place *place)
{
	struct stat st;
	place->config.mode = 06600; /* what no parser lets through, either */
	CU_ASSERT_EQUAL(copy(place, "", "f", 0), 0);
	CU_ASSERT_EQUAL(stat(path_of(place->root, "f"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
}

static void no_mode_sets_the_user(void)
{
	both(modes);
}

/* What is under way is for nobody else to read, and takes no more room in the end than it has. */
static void under_way(struct place *place)
{
	struct stat st;
	const mode_t mask = umask(0);
	const struct fcopy_start what = {.name = "f", .path = place->root, .size_bytes = 1u << 20};
	CU_ASSERT_EQUAL(fcopy_file_start(&place->file, &what), 0);
	umask(mask);
	CU_ASSERT_EQUAL_FATAL(fstat(place->file.fd, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	const bool has_room_set_apart = st.st_blocks >= (1 << 20) / 512;
	CU_ASSERT_EQUAL(write_text(place, "hello"), 0);
	CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), 0);
	CU_ASSERT_EQUAL_FATAL(stat(path_of(place->root, "f"), &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 5);
	CU_ASSERT_TRUE(!has_room_set_apart || st.st_blocks < (1 << 20) / 512);
}

static void a_file_under_way_is_private_and_gives_back_room(void)
{
	both(under_way);
}

static void offsets(struct place *place)
{
	CU_ASSERT_EQUAL(start(place, "", "f", 0), 0);
	CU_ASSERT_EQUAL(write_text(place, "jello"), 0);
	CU_ASSERT_EQUAL(fcopy_file_write(&place->file, 0, (const uint8_t *)"h", 1), 0);
	CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), 0);
	CU_ASSERT_TRUE(file_is(path_of(place->root, "f"), "hello"));
}

static void bytes_go_where_they_belong(void)
{
	both(offsets);
}

/* R-FCOPY-003; a name that is taken meanwhile, too. */
static void existing(struct place *place)
{
	const char *path = path_of(place->root, "f");
	file_put(path, "old");
	CU_ASSERT_EQUAL(start(place, "", "f", 0), IC_STATUS_ALREADY_EXISTS);
	CU_ASSERT_EQUAL(copy(place, "", "f", FCOPY_FLAG_OVERWRITE), 0);
	CU_ASSERT_TRUE(file_is(path, "hello"));
	CU_ASSERT_EQUAL(entries(place->root), 1);
	CU_ASSERT_EQUAL(start(place, "", "g", 0), 0);
	CU_ASSERT_EQUAL(write_text(place, "hello"), 0);
	file_put(path_of(place->root, "g"), "mine");
	CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), IC_STATUS_ALREADY_EXISTS);
	CU_ASSERT_TRUE(file_is(path_of(place->root, "g"), "mine"));
	CU_ASSERT_EQUAL(entries(place->root), 2);
}

static void an_existing_file_is_replaced_if_that_was_asked_for(void)
{
	both(existing);
}

/* Whoever has the old file open goes on with it: it is not written into (R-FCOPY-026). */
static void open_file(struct place *place)
{
	const char *path = path_of(place->root, "f");
	file_put(path, "old");
	CU_ASSERT_EQUAL(link(path, path_of(place->other, "hard")), 0);
	CU_ASSERT_EQUAL(copy(place, "", "f", FCOPY_FLAG_OVERWRITE), 0);
	CU_ASSERT_TRUE(file_is(path_of(place->other, "hard"), "old"));
	CU_ASSERT_TRUE(file_is(path, "hello"));
}

static void nothing_that_exists_is_written_into(void)
{
	both(open_file);
}

/* R-FCOPY-004. */
static void directories(struct place *place)
{
	struct stat st;
	CU_ASSERT_EQUAL(start(place, "a/b", "f", 0), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(entries(place->root), 0);
	CU_ASSERT_EQUAL(copy(place, "a//b/./c/", "f", FCOPY_FLAG_CREATE_PATH), 0);
	CU_ASSERT_TRUE(file_is(path_of(place->root, "a/b/c/f"), "hello"));
	CU_ASSERT_EQUAL(stat(path_of(place->root, "a/b"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0755);
	CU_ASSERT_EQUAL(copy(place, "a/b/c", "g", FCOPY_FLAG_CREATE_PATH), 0);
	file_put(path_of(place->root, "plain"), "x");
	CU_ASSERT_EQUAL(start(place, "plain", "f", FCOPY_FLAG_CREATE_PATH), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(start(place, "plain/d", "f", FCOPY_FLAG_CREATE_PATH), IC_STATUS_FAIL);
}

static void a_missing_directory_is_made_if_that_was_asked_for(void)
{
	both(directories);
}

/* R-FCOPY-005, R-FCOPY-011. */
static void dropping(struct place *place)
{
	CU_ASSERT_EQUAL(start(place, "", "f", 0), 0);
	CU_ASSERT_EQUAL(write_text(place, "hello"), 0);
	fcopy_file_drop(&place->file);
	fcopy_file_drop(&place->file);
	CU_ASSERT_EQUAL(entries(place->root), 0);
	CU_ASSERT_EQUAL(start(place, "", "f", 0), 0);
	CU_ASSERT_EQUAL(start(place, "", "g", 0), 0);
	CU_ASSERT_EQUAL(write_text(place, "hello"), 0);
	CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), 0);
	CU_ASSERT_EQUAL(entries(place->root), 1);
	CU_ASSERT_TRUE(file_is(path_of(place->root, "g"), "hello"));
}

static void what_is_dropped_leaves_nothing(void)
{
	both(dropping);
}

/* --- where it may be ----------------------------------------------------------------------- */

/* R-FCOPY-027. */
static void elsewhere(struct place *place)
{
	CU_ASSERT_EQUAL(start(place, place->other, "f", 3), FCOPY_STATUS_ACCESS_DENIED);
	CU_ASSERT_EQUAL(start(place, place->top, "f", 3), FCOPY_STATUS_ACCESS_DENIED);
	CU_ASSERT_EQUAL(start(place, "/", "f", 3), FCOPY_STATUS_ACCESS_DENIED);
	char beside[100];
	snprintf(beside, sizeof beside, "%s2", place->root);
	CU_ASSERT_EQUAL(start(place, beside, "f", 3), FCOPY_STATUS_ACCESS_DENIED);
	CU_ASSERT_EQUAL(access(beside, F_OK), -1);
	CU_ASSERT_TRUE(strlen(place->file.reason) > 0);
	CU_ASSERT_EQUAL(entries(place->other), 0);
	CU_ASSERT_EQUAL(entries(place->top), 2);
}

static void only_what_is_below_a_root_is_allowed(void)
{
	both(elsewhere);
}

static void below_is_by_whole_components(void)
{
	CU_ASSERT_STRING_EQUAL(fcopy_path_below("/a", "/a/b"), "b");
	CU_ASSERT_STRING_EQUAL(fcopy_path_below("/a/", "//a//b/"), "b/");
	CU_ASSERT_STRING_EQUAL(fcopy_path_below("/a", "/a"), "");
	CU_ASSERT_STRING_EQUAL(fcopy_path_below("/", "/a/b"), "a/b");
	CU_ASSERT_STRING_EQUAL(fcopy_path_below("/./a/.", "/a/./b"), "./b");
	CU_ASSERT_PTR_NULL(fcopy_path_below("/a", "/ab"));
	CU_ASSERT_PTR_NULL(fcopy_path_below("/a", "/b"));
	CU_ASSERT_PTR_NULL(fcopy_path_below("/a/b", "/a/c/d"));
	CU_ASSERT_PTR_NULL(fcopy_path_below("/a/b", "/a"));
	CU_ASSERT_PTR_NULL(fcopy_path_below("/a", "/"));
}

/* R-FCOPY-026: links as the directory, on the way to it, as the file, as the root. */
static void links(struct place *place)
{
	const char *into = path_of(place->root, "into");
	CU_ASSERT_EQUAL(symlink(place->other, into), 0);
	CU_ASSERT_EQUAL(start(place, "into", "f", 3), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(start(place, "into/deep", "f", 3), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(mkdir(path_of(place->root, "real"), 0755), 0);
	CU_ASSERT_EQUAL(symlink("real", path_of(place->root, "near")), 0);
	CU_ASSERT_EQUAL(start(place, "near", "f", 3), IC_STATUS_FAIL);
	file_put(path_of(place->other, "victim"), "old");
	CU_ASSERT_EQUAL(symlink(path_of(place->other, "victim"), path_of(place->root, "f")), 0);
	CU_ASSERT_EQUAL(start(place, "", "f", 0), IC_STATUS_ALREADY_EXISTS);
	CU_ASSERT_EQUAL(start(place, "", "f", 3), IC_STATUS_FAIL);
	CU_ASSERT_TRUE(file_is(path_of(place->other, "victim"), "old"));
	CU_ASSERT_EQUAL(symlink("/nowhere/at/all", path_of(place->root, "dangling")), 0);
	CU_ASSERT_EQUAL(start(place, "", "dangling", 0), IC_STATUS_ALREADY_EXISTS);
	CU_ASSERT_EQUAL(entries(place->other), 1);
	fcopy_file_config_free(&place->config);
	CU_ASSERT_EQUAL(fcopy_file_root_add(&place->config, into), 0);
	place->config.record = strdup(place->record);
	CU_ASSERT_EQUAL(start(place, into, "f", 3), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(entries(place->other), 1);
	/* A root that lies behind a link. */
	char behind[128];
	CU_ASSERT_EQUAL(mkdir(path_of(place->other, "deep"), 0755), 0);
	snprintf(behind, sizeof behind, "%s/into/deep", place->root);
	fcopy_file_config_free(&place->config);
	CU_ASSERT_EQUAL(fcopy_file_root_add(&place->config, behind), 0);
	place->config.record = strdup(place->record);
	CU_ASSERT_EQUAL(start(place, behind, "f", 3), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(entries(path_of(place->other, "deep")), 0);
}

static void no_link_is_followed(void)
{
	both(links);
}

/* What is no regular file is not replaced. */
static void special(struct place *place)
{
	CU_ASSERT_EQUAL(mkfifo(path_of(place->root, "fifo"), 0600), 0);
	CU_ASSERT_EQUAL(mkdir(path_of(place->root, "dir"), 0755), 0);
	CU_ASSERT_EQUAL(start(place, "", "fifo", 3), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(start(place, "", "dir", 3), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(start(place, "", "g", 3), 0);
	CU_ASSERT_EQUAL(write_text(place, "hello"), 0);
	CU_ASSERT_EQUAL(mkfifo(path_of(place->root, "g"), 0600), 0);
	CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(entries(place->root), 3);
}

static void only_a_regular_file_is_replaced(void)
{
	both(special);
}

/* The directory is moved away, and another one, or a link, is put in its place. */
static void moved(struct place *place)
{
	for (unsigned i = 0; i < 2; i++) {
		const char *path = path_of(place->root, "d");
		const char *away = path_of(place->other, i == 0 ? "away" : "away2");
		CU_ASSERT_EQUAL(start(place, "d", "f", FCOPY_FLAG_CREATE_PATH), 0);
		CU_ASSERT_EQUAL(write_text(place, "hello"), 0);
		CU_ASSERT_EQUAL(rename(path, away), 0);
		CU_ASSERT_EQUAL(i == 0 ? mkdir(path, 0755) : symlink(away, path), 0);
		CU_ASSERT_EQUAL(fcopy_file_complete(&place->file), IC_STATUS_FAIL);
		CU_ASSERT_EQUAL(entries(away), 0);
		CU_ASSERT_EQUAL(i == 0 ? rmdir(path) : unlink(path), 0);
	}
}

static void a_directory_that_was_moved_gets_no_file(void)
{
	both(moved);
}

/* --- a program that exchanges a directory and a link all the time --------------------------- */

struct swapper {
	char directory[128];
	char link_path[128];
	atomic_bool is_over;
	unsigned long swaps;
};

static void *swap(void *arg)
{
	struct swapper *swapper = arg;
	while (!atomic_load(&swapper->is_over))
		swapper->swaps += renameat2(AT_FDCWD, swapper->directory, AT_FDCWD,
					  swapper->link_path, RENAME_EXCHANGE) == 0;
	return NULL;
}

/* R-FCOPY-026. Wherever the file goes, it is not where the link leads. */
static void race(struct place *place)
{
	struct swapper swapper = {0};
	pthread_t thread;
	unsigned copied = 0;
	unsigned refused = 0;
	snprintf(swapper.directory, sizeof swapper.directory, "%s/d", place->root);
	snprintf(swapper.link_path, sizeof swapper.link_path, "%s/l", place->root);
	CU_ASSERT_EQUAL_FATAL(mkdir(swapper.directory, 0755), 0);
	CU_ASSERT_EQUAL_FATAL(symlink(place->other, swapper.link_path), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, swap, &swapper), 0);
	for (unsigned i = 0; i < 100000 && (i < 500 || copied == 0 || refused == 0); i++) {
		const uint32_t status = copy(place, "d", "f", 3);
		copied += status == 0;
		refused += status != 0;
	}
	atomic_store(&swapper.is_over, true);
	pthread_join(thread, NULL);
	CU_ASSERT_TRUE(copied > 0);
	CU_ASSERT_TRUE(refused > 0);
	CU_ASSERT_TRUE(swapper.swaps > 0);
	CU_ASSERT_EQUAL(entries(place->other), 0);
}

static void a_race_of_links_leads_nowhere(void)
{
	both(race);
}

/* --- space, and the end of others ----------------------------------------------------------- */

/* R-FCOPY-006: more than any disk has. */
static void huge(struct place *place)
{
	const struct fcopy_start what = {
		.name = "f", .path = place->root, .size_bytes = 1ull << 60};
	CU_ASSERT_EQUAL(fcopy_file_start(&place->file, &what), IC_STATUS_DISK_FULL);
	CU_ASSERT_EQUAL(entries(place->root), 0);
}

static void a_full_disk_is_known_at_the_start(void)
{
	both(huge);
}

/* R-FCOPY-029. */
static void a_run_that_was_killed_leaves_nothing_for_long(void)
{
	struct place place;
	place_make(&place, true);
	CU_ASSERT_EQUAL(fcopy_file_clean(&place.config), 0);
	CU_ASSERT_EQUAL(start(&place, "", "f", 0), 0);
	CU_ASSERT_EQUAL(write_text(&place, "hel"), 0);
	CU_ASSERT_EQUAL(entries(place.root), 1);
	/* As killed: its descriptors are closed, nothing else. */
	close(place.file.fd);
	close(place.file.directory);
	fcopy_file_init(&place.file, &place.config);
	CU_ASSERT_EQUAL(fcopy_file_clean(&place.config), 1);
	CU_ASSERT_EQUAL(entries(place.root), 0);
	CU_ASSERT_EQUAL(fcopy_file_clean(&place.config), 0);
	CU_ASSERT_EQUAL(copy(&place, "", "f", 0), 0);
	/* A record that is none of ours removes nothing. */
	char text[256];
	snprintf(text, sizeof text, "%s\nf\n", place.root);
	file_put(place.record, text);
	CU_ASSERT_EQUAL(fcopy_file_clean(&place.config), 0);
	snprintf(text, sizeof text, "%s\n%s../f\n", place.root, FCOPY_FILE_HIDDEN_PREFIX);
	file_put(place.record, text);
	CU_ASSERT_EQUAL(fcopy_file_clean(&place.config), 0);
	snprintf(text, sizeof text, "%s\n%sx\n", place.other, FCOPY_FILE_HIDDEN_PREFIX);
	file_put(path_of(place.other, FCOPY_FILE_HIDDEN_PREFIX "x"), "");
	file_put(place.record, text);
	(void)fcopy_file_clean(&place.config);
	CU_ASSERT_EQUAL(entries(place.other), 1);
	CU_ASSERT_TRUE(file_is(path_of(place.root, "f"), "hello"));
	(void)unlink(place.record);
	place_remove(&place);
}

/* --- settings ------------------------------------------------------------------------------ */

static int settings(struct place *place, const char *text, char *why)
{
	const char *path = path_of(place->top, "conf");
	file_put(path, text);
	fcopy_file_config_free(&place->config);
	const int result = fcopy_config_read(&place->config, path, why, 256);
	(void)unlink(path);
	return result;
}

static void settings_are_read(void)
{
	struct place place;
	char why[256];
	place_make(&place, false);
	CU_ASSERT_EQUAL(settings(&place, "", why), 0);
	CU_ASSERT_EQUAL(place.config.root_count, 0);
	CU_ASSERT_EQUAL(place.config.mode, 0744);
	CU_ASSERT_EQUAL(
		settings(&place, "# all\n\n  root /srv/a b \r\nroot\t/x\nmode 0640\n# end", why),
		0);
	CU_ASSERT_EQUAL_FATAL(place.config.root_count, 2);
	CU_ASSERT_STRING_EQUAL(place.config.roots[0], "/srv/a b");
	CU_ASSERT_STRING_EQUAL(place.config.roots[1], "/x");
	CU_ASSERT_EQUAL(place.config.mode, 0640);
	CU_ASSERT_EQUAL(
		fcopy_config_read(&place.config, "/nowhere/at/all", why, sizeof why), -ENOENT);
	fcopy_file_config_free(&place.config);
	CU_ASSERT_EQUAL(fcopy_file_root_add(&place.config, place.root), 0);
	place_remove(&place);
}

static void wrong_settings_are_named(void)
{
	static const char *const wrong[] = {"root", "root a", "root /a/../b", "mode", "mode 4755",
		"mode 1000", "mode 8", "mode -1", "mode 0644x", "roots /a", "root /a\nfoo"};
	struct place place;
	char why[256];
	place_make(&place, false);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		CU_ASSERT_EQUAL(settings(&place, wrong[i], why), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(
			strstr(why, strchr(wrong[i], '\n') ? "conf:2: " : "conf:1: "));
	}
	static char many[FCOPY_CONFIG_LINE_BYTES + 200];
	for (unsigned i = 0; i <= FCOPY_FILE_ROOTS_MAX; i++)
		memcpy(many + 8 * (size_t)i, "root /a\n", 9);
	CU_ASSERT_EQUAL(settings(&place, many, why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "conf:17: "));
	memset(many, 'x', sizeof many - 1);
	CU_ASSERT_EQUAL(settings(&place, many, why), -EINVAL);
	place_remove(&place);
}

static const struct test tests[] = {
	TEST(a_file_is_there_when_it_is_complete),
	TEST(no_mode_sets_the_user),
	TEST(a_file_under_way_is_private_and_gives_back_room),
	TEST(bytes_go_where_they_belong),
	TEST(an_existing_file_is_replaced_if_that_was_asked_for),
	TEST(nothing_that_exists_is_written_into),
	TEST(a_missing_directory_is_made_if_that_was_asked_for),
	TEST(what_is_dropped_leaves_nothing),
	TEST(only_what_is_below_a_root_is_allowed),
	TEST(below_is_by_whole_components),
	TEST(no_link_is_followed),
	TEST(only_a_regular_file_is_replaced),
	TEST(a_directory_that_was_moved_gets_no_file),
	TEST(a_race_of_links_leads_nowhere),
	TEST(a_full_disk_is_known_at_the_start),
	TEST(a_run_that_was_killed_leaves_nothing_for_long),
	TEST(settings_are_read),
	TEST(wrong_settings_are_named),
};
TEST_MAIN("fcopy file", tests)
