// SPDX-License-Identifier: Apache-2.0
/*
 * hvconform image: a folder with the image and GRUB's configuration, made into an ISO 9660
 * file by grub-mkrescue. See image_iso_linux.h. The ISO is written beside its place and
 * moved there when it is whole.
 */
#include "tests/conformance/image_iso_linux.h"

#include "tests/conformance/conform_list.h"
#include "tests/conformance/report_linux.h"
#include "tests/conformance/run_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_BYTES	250u	    /* that an image takes */
#define HEADER_WITHIN	32768u	    /* of the file: where GRUB looks for it */
#define HEADER_MAGIC	0xe85250d6u /* multiboot 2 */
#define IMAGE_BYTES_MAX (16u << 20)
#define LOG_SHOWN_BYTES 2000

static const char usage[] =
	"usage: hvconform image --iso FILE [options]   a disk that boots the tests\n"
	"\n"
	"  --iso FILE       the ISO to write: for CD-ROM drives and USB sticks, BIOS and UEFI\n"
	"  --image FILE     the bare-metal image (default: conform.elf of the build)\n"
	"  --append WORDS   for the image, such as \"only=R-HCALL-* crash\"\n"
	"  --help\n"
	"\n"
	"It needs Debian's grub-common, grub-pc-bin, grub-efi-amd64-bin, mtools and xorriso. The\n"
	"report comes over COM1 (115200 baud), or in the crash registers where there is none.\n"
	"\n"
	"status: 0 written, 1 not, 2 wrong usage\n"
	"\n"
	"example: hvconform image --iso conform.iso --append 'only=R-SYNIC-*'\n";

struct iso {
	const char *iso, *image, *append;
	char folder[PATH_MAX]; /* scratch: root/boot/…, log; "" before it is made */
	char partial[PATH_MAX];
};

/* ---- what it needs --------------------------------------------------------------------------- */

static bool is_program(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (path = path != NULL ? path : "/usr/bin:/bin"; *path != '\0';) {
		const size_t length = strcspn(path, ":");
		if (length > 0 &&
			snprintf(file, sizeof file, "%.*s/%s", (int)length, path, name) <
				(int)sizeof file &&
			access(file, X_OK) == 0)
			return true;
		path += length;
		path += *path == ':';
	}
	return false;
}

/* True if all is there; else it is said which packages are missing. */
static bool tools_exist(void)
{
	static const struct {
		const char *program, *folder, *package;
	} tools[] = {
		{"grub-mkrescue", NULL, "grub-common"},
		{NULL, "/usr/lib/grub/i386-pc", "grub-pc-bin"},
		{NULL, "/usr/lib/grub/x86_64-efi", "grub-efi-amd64-bin"},
		{"mformat", NULL, "mtools"},
		{"xorriso", NULL, "xorriso"},
	};
	char missing[200] = "";

	for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
		const bool is_there = tools[i].program != NULL ? is_program(tools[i].program)
							       : access(tools[i].folder, R_OK) == 0;
		const size_t used = strlen(missing);
		if (!is_there)
			snprintf(missing + used, sizeof missing - used, " %s", tools[i].package);
	}
	if (missing[0] != '\0')
		fprintf(stderr, "hvconform: image: GRUB's tools are missing: apt install%s\n",
			missing);
	return missing[0] == '\0';
}

/* Words that GRUB's language and the image's command line both take as they are. */
static bool are_words_plain(const char *words)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789 -_.,:=*?/+@%";

	return words[strspn(words, plain)] == '\0';
}

static bool is_pattern(const struct conform_area *area, const char *pattern)
{
	for (size_t i = 0; i < *area->count; i++)
		if (conform_matches(pattern, area->tests[i].rule))
			return true;
	return false;
}

/* Of those in docs/conformance.md: the image takes no notice of others, and runs all tests. */
static bool is_word(const char *word)
{
	static const char *const words[] = {"attended", "crash", "self-check", "xapic"};
	static const char *const numbers[] = {"from=", "to=", "memory="};

	if (strncmp(word, "only=", 5) == 0) {
		bool is_found = is_pattern(&conform_image_checks, word + 5);
		for (size_t a = 0; a < conform_host_area_count && !is_found; a++)
			is_found = is_pattern(&conform_host_areas[a], word + 5);
		return is_found;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		const size_t length = strlen(numbers[i]);
		if (strncmp(word, numbers[i], length) == 0)
			return word[length] != '\0' &&
			       word[length + strspn(word + length, "0123456789")] == '\0';
	}
	return false;
}

/* The first that is none, in `copy`; or NULL. */
static const char *word_unknown(const char *words, char copy[WORDS_BYTES])
{
	char *rest = copy;

	snprintf(copy, WORDS_BYTES, "%s", words);
	for (const char *word; (word = strsep(&rest, " ")) != NULL;)
		if (word[0] != '\0' && !is_word(word))
			return word;
	return NULL;
}

/* ---- the folder ------------------------------------------------------------------------------ */

static int complain(const char *path)
{
	fprintf(stderr, "hvconform: %s: %s\n", path, strerror(errno));
	return 1;
}

static bool is_multiboot2(const uint8_t *bytes, size_t count)
{
	uint32_t word;

	for (size_t at = 0; at + sizeof word <= count && at < HEADER_WITHIN; at += 8) {
		memcpy(&word, bytes + at, sizeof word);
		if (word == HEADER_MAGIC)
			return true;
	}
	return false;
}

/* The whole file; NULL after an error, which has been said. The caller frees it. */
static uint8_t *image_read(const char *path, size_t *bytes)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat state;

	if (fd < 0 || fstat(fd, &state) != 0) {
		complain(path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	uint8_t *data = NULL;
	if (S_ISREG(state.st_mode) && state.st_size > 0 && state.st_size <= IMAGE_BYTES_MAX)
		data = malloc((size_t)state.st_size);
	*bytes = 0;
	for (ssize_t got = 1; data != NULL && got > 0 && *bytes < (size_t)state.st_size;) {
		got = read(fd, data + *bytes, (size_t)state.st_size - *bytes);
		*bytes += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	if (data == NULL || !is_multiboot2(data, *bytes)) {
		fprintf(stderr,
			"hvconform: %s: no multiboot 2 kernel; give one of build/bare/*.elf\n",
			path);
		free(data);
		return NULL;
	}
	return data;
}

static int file_write(const char *folder, const char *name, const void *data, size_t bytes)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return complain(folder);
	}
	FILE *file = fopen(path, "wxe");
	if (file == NULL)
		return complain(path);
	const bool is_written = fwrite(data, 1, bytes, file) == bytes;
	if (fclose(file) != 0 || !is_written)
		return complain(path);
	return 0;
}

/* Each word in quotes: GRUB would take R-RING-* for names of files. */
static int configuration_write(const struct iso *iso)
{
	char text[4 * WORDS_BYTES + 200];
	char words[WORDS_BYTES];
	char *rest = words;
	size_t used = (size_t)snprintf(text, sizeof text,
		"serial --unit=0 --speed=115200\n"
		"terminal_output serial console\n"
		"echo GRUB loads the image\n"
		"multiboot2 /boot/image.elf");

	snprintf(words, sizeof words, "%s", iso->append);
	for (const char *word; (word = strsep(&rest, " ")) != NULL;)
		if (word[0] != '\0')
			used += (size_t)snprintf(text + used, sizeof text - used, " '%s'", word);
	used += (size_t)snprintf(text + used, sizeof text - used, "\nboot\n");
	return file_write(iso->folder, "root/boot/grub/grub.cfg", text, used);
}

static int folder_make(struct iso *iso)
{
	const char *base = getenv("TMPDIR");
	char path[PATH_MAX];
	size_t bytes;

	uint8_t *data = image_read(iso->image, &bytes);
	if (data == NULL)
		return 1;
	if (snprintf(iso->folder, sizeof iso->folder, "%s/hvconform.XXXXXX",
		    base != NULL && base[0] != '\0' ? base : "/tmp") >= PATH_MAX - 64)
		iso->folder[0] = '\0';
	if (mkdtemp(iso->folder) == NULL) {
		fprintf(stderr, "hvconform: %s: %s; set TMPDIR to a folder to write in\n",
			iso->folder, strerror(errno));
		iso->folder[0] = '\0';
		free(data);
		return 1;
	}
	int status = 0;
	static const char *const folders[] = {"root", "root/boot", "root/boot/grub"};
	for (size_t i = 0; status == 0 && i < sizeof folders / sizeof folders[0]; i++) {
		if (snprintf(path, sizeof path, "%s/%s", iso->folder, folders[i]) >=
				(int)sizeof path ||
			mkdir(path, 0755) != 0)
			status = complain(path);
	}
	if (status == 0)
		status = file_write(iso->folder, "root/boot/image.elf", data, bytes);
	free(data);
	return status != 0 ? status : configuration_write(iso);
}

static int entry_remove(const char *path, const struct stat *state, int type, struct FTW *walk)
{
	(void)state;
	(void)type;
	(void)walk;
	return remove(path);
}

/* ---- the ISO --------------------------------------------------------------------------------- */

static void log_show(const char *path)
{
	char text[LOG_SHOWN_BYTES];
	FILE *log = fopen(path, "re");

	if (log == NULL)
		return;
	if (fseek(log, -LOG_SHOWN_BYTES, SEEK_END) != 0)
		rewind(log);
	const size_t bytes = fread(text, 1, sizeof text, log);
	fclose(log);
	fwrite(text, 1, bytes, stderr);
}

/* grub-mkrescue: the folder becomes the ISO, with what GRUB needs to start from either firmware. */
static int mkrescue_run(const struct iso *iso)
{
	/* GRUB's first steps look for all of the part_*. */
	static const char modules[] =
		"--install-modules=normal multiboot2 serial terminal boot echo part_acorn "
		"part_amiga part_apple part_bsd part_dfly part_dvh part_gpt part_msdos part_plan "
		"part_sun part_sunpc";
	char log[PATH_MAX], root[PATH_MAX];

	if (snprintf(log, sizeof log, "%s/log", iso->folder) >= (int)sizeof log ||
		snprintf(root, sizeof root, "%s/root", iso->folder) >= (int)sizeof root)
		return 1;
	const pid_t child = fork();
	if (child < 0)
		return complain("fork");
	if (child == 0) {
		const int fd = open(log, O_WRONLY | O_CREAT | O_EXCL, 0600);
		/* Its own scratch files go with ours; Ctrl-C is for hvconform. */
		(void)setpgid(0, 0);
		(void)setenv("TMPDIR", iso->folder, 1);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(127);
		execlp("grub-mkrescue", "grub-mkrescue", "-o", iso->partial, modules,
			"--fonts=", "--themes=", "--locales=", root, "-volid", "HVCONFORM",
			(char *)NULL);
		_exit(127);
	}
	int status = 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		if (run_is_stopped())
			kill(-child, SIGTERM);
	if (run_is_stopped()) {
		fprintf(stderr, "hvconform: image: stopped\n");
		return 1;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	fprintf(stderr, "hvconform: grub-mkrescue failed; its last words:\n");
	log_show(log);
	return 1;
}

/*
 * A file beside the place of the ISO, with a name that nobody can foresee, and the mode that it is
 * to have. What is there and no file, such as a disk, is not replaced.
 */
static int partial_make(struct iso *iso)
{
	struct stat state;

	if (stat(iso->iso, &state) == 0 && !S_ISREG(state.st_mode)) {
		fprintf(stderr,
			"hvconform: %s: no file; give the name of one, and copy it to a disk "
			"then\n",
			iso->iso);
		return 1;
	}
	if (snprintf(iso->partial, sizeof iso->partial, "%s%s.XXXXXX",
		    iso->iso[0] == '/' ? "" : "./", iso->iso) >= (int)sizeof iso->partial) {
		iso->partial[0] = '\0';
		errno = ENAMETOOLONG;
		return complain(iso->iso);
	}
	const int fd = mkostemp(iso->partial, O_CLOEXEC);
	if (fd < 0) {
		iso->partial[0] = '\0';
		return complain(iso->iso);
	}
	const mode_t mask = umask(0);
	(void)umask(mask);
	const int status = fchmod(fd, 0666 & ~mask) != 0 ? complain(iso->iso) : 0;
	close(fd);
	return status;
}

static int iso_make(struct iso *iso)
{
	run_stop_by_signals();
	int status = partial_make(iso);
	if (status == 0)
		status = folder_make(iso);
	if (status == 0)
		status = mkrescue_run(iso);
	if (status == 0 && rename(iso->partial, iso->iso) != 0)
		status = complain(iso->iso);
	if (status != 0 && iso->partial[0] != '\0')
		(void)unlink(iso->partial);
	if (iso->folder[0] != '\0')
		(void)nftw(iso->folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	if (status == 0)
		printf("%s: boot it, and read COM1 (115200 baud, 8N1)\n", iso->iso);
	return status;
}

/* ---- options --------------------------------------------------------------------------------- */

static int wrong(const char *what, const char *detail)
{
	fprintf(stderr, "hvconform: image: %s%s; see hvconform image --help\n", what, detail);
	return 2;
}

int image_iso(int argc, char **argv)
{
	enum { ISO, IMAGE, APPEND, HELP };
	static const struct option known[] = {
		{"iso", required_argument, NULL, ISO},
		{"image", required_argument, NULL, IMAGE},
		{"append", required_argument, NULL, APPEND},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	struct iso iso = {.append = ""};
	char path[PATH_MAX], copy[WORDS_BYTES];

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
		switch (option) {
		case ISO:
			iso.iso = optarg;
			break;
		case IMAGE:
			iso.image = optarg;
			break;
		case APPEND:
			iso.append = optarg;
			break;
		case HELP:
			fputs(usage, stdout);
			return 0;
		case ':':
			return wrong(argv[optind - 1], ": a value is missing");
		default:
			return wrong(argv[optind - 1], " is not an option");
		}
	}
	if (optind < argc)
		return wrong(argv[optind], " is too much");
	if (iso.iso == NULL || iso.iso[0] == '\0')
		return wrong("which file? Give --iso FILE", "");
	if (strlen(iso.append) >= WORDS_BYTES)
		return wrong("--append: more than 249 characters", "");
	if (!are_words_plain(iso.append))
		return wrong("--append: letters, digits, spaces and -_.,:=*?/+@% only, not ",
			iso.append);
	const char *unknown = iso.image == NULL ? word_unknown(iso.append, copy) : NULL;
	if (unknown != NULL)
		return wrong("--append: neither a word of the image nor a pattern of its tests: ",
			unknown);
	if (!report_is_writable(iso.iso))
		return 1;
	if (iso.image == NULL)
		iso.image = run_image_find(path);
	if (iso.image == NULL)
		return wrong(
			"no conform.elf beside this program: make bare, or give --image FILE", "");
	return tools_exist() ? iso_make(&iso) : 1;
}
