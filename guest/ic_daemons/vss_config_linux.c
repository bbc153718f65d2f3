// SPDX-License-Identifier: Apache-2.0
/*
 * The administrator's wishes for backups. See vss_config_linux.h.
 */
#include "guest/ic_daemons/vss_config_linux.h"

#include "guest/ic_daemons/vss_mounts_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MAX (VSS_CONFIG_ARGUMENTS_MAX + 1u)

/* One line, cut into words. */
struct words {
	char *at[WORDS_MAX];
	size_t count;
};

void vss_config_init(struct vss_config *config)
{
	*config = (struct vss_config){
		.scripts = VSS_CONFIG_SCRIPTS,
		.hook_seconds = VSS_CONFIG_HOOK_SECONDS,
		.watchdog_seconds = VSS_CONFIG_WATCHDOG_SECONDS,
	};
}

/* ---- keywords; each returns NULL, or what is wrong ------------------------------------------ */

static const char *rule_add(struct vss_config *config, const struct words *words)
{
	const bool is_type = words->count == 3 && strcmp(words->at[1], "type") == 0;
	if (words->count != 2 && !is_type)
		return "give a mount point, or \"type\" and a type";
	const char *name = words->at[is_type ? 2 : 1];
	if (!is_type && name[0] != '/')
		return "a mount point begins with /";
	if (config->rule_count == VSS_CONFIG_RULES_MAX)
		return "too many rules: 256 at most";
	config->rules[config->rule_count++] = (struct vss_rule){
		.name = name, .is_type = is_type, .is_skip = words->at[0][0] == 's'};
	return NULL;
}

static const char *hook_add(struct vss_config *config, const struct words *words)
{
	if (words->count < 2 || words->at[1][0] != '/')
		return "give the absolute path of a program, and its arguments";
	if (config->hook_count == VSS_CONFIG_HOOKS_MAX)
		return "too many programs: 32 at most";
	struct vss_hook *hook = &config->hooks[config->hook_count++];
	*hook = (struct vss_hook){.is_before = words->at[0][0] == 'b'};
	for (size_t i = 1; i < words->count; i++)
		hook->argv[i - 1] = words->at[i];
	return NULL;
}

static const char *scripts_set(struct vss_config *config, const struct words *words)
{
	if (words->count != 2 || words->at[1][0] != '/')
		return "give the absolute path of a folder";
	config->scripts = words->at[1];
	return NULL;
}

static const char *seconds_set(struct vss_config *config, const struct words *words)
{
	char *end;
	errno = 0;
	const unsigned long seconds = words->count == 2 ? strtoul(words->at[1], &end, 10) : 0;
	if (words->count != 2 || errno != 0 || *end != '\0' || words->at[1][0] == '-' ||
		seconds == 0 || seconds > VSS_CONFIG_SECONDS_MAX)
		return "give a number of seconds, 1 to 3600";
	if (words->at[0][0] == 'h')
		config->hook_seconds = (unsigned)seconds;
	else
		config->watchdog_seconds = (unsigned)seconds;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*take)(struct vss_config *config, const struct words *words);
} keywords[] = {
	{"after", hook_add},
	{"before", hook_add},
	{"freeze", rule_add},
	{"hook-seconds", seconds_set},
	{"scripts", scripts_set},
	{"skip", rule_add},
	{"watchdog-seconds", seconds_set},
};

static const char *line_take(struct vss_config *config, const struct words *words)
{
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		if (strcmp(keywords[i].name, words->at[0]) == 0)
			return keywords[i].take(config, words);
	}
	return "no such word: use skip, freeze, before, after, scripts, hook-seconds or "
	       "watchdog-seconds";
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* False: too many words. */
static bool words_cut(char *line, struct words *words)
{
	words->count = 0;
	for (char *at = line + strspn(line, " \t\r"); *at != '\0' && *at != '#';
		at += strspn(at, " \t\r")) {
		if (words->count == WORDS_MAX)
			return false;
		words->at[words->count++] = at;
		at += strcspn(at, " \t\r");
		if (*at == '\0')
			break;
		*at++ = '\0';
	}
	for (size_t i = 0; i < words->count; i++)
		vss_unescape(words->at[i]);
	return true;
}

int vss_config_parse(
	struct vss_config *config, char *text, size_t len, char *error, size_t error_bytes)
{
	unsigned number = 1;
	config->text = text;
	text[len] = '\0';
	if (memchr(text, '\0', len) != NULL) {
		snprintf(error, error_bytes, "it holds a byte of zero: is it a text file?");
		return -EINVAL;
	}
	for (char *line = text; line != NULL; number++) {
		struct words words;
		char *end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		const char *problem = "too many words: 17 at most";
		if (words_cut(line, &words))
			problem = words.count > 0 ? line_take(config, &words) : NULL;
		if (problem != NULL) {
			snprintf(error, error_bytes, "line %u, \"%.40s\": %s", number,
				words.count > 0 ? words.at[0] : "", problem);
			return -EINVAL;
		}
		line = end;
	}
	return 0;
}

/* The whole of an open file, malloc'ed, with a byte of room; NULL with errno set. */
static char *file_read(int fd, size_t *len)
{
	char *text = malloc(VSS_CONFIG_BYTES_MAX + 2);
	*len = 0;
	while (text != NULL) {
		const ssize_t n = read(fd, text + *len, VSS_CONFIG_BYTES_MAX + 1 - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return text;
		if (n > 0)
			*len += (size_t)n;
		if (n > 0 && *len <= VSS_CONFIG_BYTES_MAX)
			continue;
		const int problem = n < 0 ? errno : EFBIG;
		free(text);
		errno = problem;
		return NULL;
	}
	return text;
}

/* What it says is done with privileges: nobody else may say it. */
static bool is_trusted(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int vss_config_read(struct vss_config *config, const char *path, bool is_demanded, char *error,
	size_t error_bytes)
{
	char problem[256];
	size_t len = 0;
	vss_config_init(config);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && !is_demanded)
		return 0;
	if (fd < 0) {
		const int result = -errno;
		snprintf(error, error_bytes, "cannot read '%s': %s", path, strerror(-result));
		return result;
	}
	if (!is_trusted(fd)) {
		close(fd);
		snprintf(error, error_bytes,
			"'%s' is not a file that only root may write: chown root, chmod go-w",
			path);
		return -EPERM;
	}
	char *text = file_read(fd, &len);
	const int result = -errno;
	close(fd);
	if (text == NULL) {
		snprintf(error, error_bytes, "cannot read '%s': %s", path, strerror(-result));
		return result;
	}
	if (vss_config_parse(config, text, len, problem, sizeof problem) == 0)
		return 0;
	snprintf(error, error_bytes, "'%s', %s", path, problem);
	vss_config_free(config);
	return -EINVAL;
}

void vss_config_free(struct vss_config *config)
{
	free(config->text);
	vss_config_init(config);
}
