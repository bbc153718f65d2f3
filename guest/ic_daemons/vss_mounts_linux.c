// SPDX-License-Identifier: Apache-2.0
/*
 * The mount table of Linux. See vss_mounts_linux.h.
 */
#include "guest/ic_daemons/vss_mounts_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_STEP (64u << 10)

/* ---- text ----------------------------------------------------------------------------------- */

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

void vss_unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0';) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && is_octal(from[2]) &&
			is_octal(from[3]) && (from[1] != '0' || from[2] != '0' || from[3] != '0')) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static bool has_option(const char *options, const char *name)
{
	const size_t len = strlen(name);
	for (const char *at = options; *at != '\0'; at += *at == ',') {
		const size_t word = strcspn(at, ",");
		if (word == len && memcmp(at, name, len) == 0)
			return true;
		at += word;
	}
	return false;
}

bool vss_option_value(const char *options, const char *name, char *value, size_t size)
{
	const size_t len = strlen(name);
	for (const char *at = options; *at != '\0'; at += *at == ',') {
		const size_t word = strcspn(at, ",");
		if (word > len && memcmp(at, name, len) == 0 && at[len] == '=' &&
			word - len - 1 < size) {
			memcpy(value, at + len + 1, word - len - 1);
			value[word - len - 1] = '\0';
			return true;
		}
		at += word;
	}
	return false;
}

/* The next word of the line, NUL-terminated in place, or NULL. */
static char *word_take(char **line)
{
	char *word = *line;
	if (word == NULL || *word == '\0')
		return NULL;
	char *end = strchr(word, ' ');
	if (end != NULL)
		*end++ = '\0';
	*line = end;
	return word;
}

static bool number_take(const char **text, char end, unsigned *out)
{
	char *stop;
	errno = 0;
	if (**text < '0' || **text > '9')
		return false;
	const unsigned long value = strtoul(*text, &stop, 10);
	if (errno != 0 || *stop != end || value > UINT32_MAX)
		return false;
	*out = (unsigned)value;
	*text = end != '\0' ? stop + 1 : stop;
	return true;
}

static bool whole_number(const char *text, unsigned *out)
{
	return text != NULL && number_take(&text, '\0', out);
}

static bool device_take(const char *text, struct vss_mount *mount)
{
	return text != NULL && number_take(&text, ':', &mount->major) &&
	       number_take(&text, '\0', &mount->minor);
}

/* "36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/root rw,errors=continue" */
static bool line_parse(char *line, struct vss_mount *mount)
{
	if (!whole_number(word_take(&line), &mount->id) ||
		!whole_number(word_take(&line), &mount->parent) ||
		!device_take(word_take(&line), mount))
		return false;
	char *root = word_take(&line);
	char *point = word_take(&line);
	char *word = word_take(&line); /* options of the mount */
	if (word == NULL)
		return false;
	while (word != NULL && strcmp(word, "-") != 0)
		word = word_take(&line);
	char *type = word_take(&line);
	char *source = word_take(&line);
	char *super_options = word_take(&line);
	if (type == NULL || source == NULL || super_options == NULL)
		return false;
	mount->is_read_only = has_option(super_options, "ro");
	vss_unescape(root);
	vss_unescape(point);
	vss_unescape(type);
	vss_unescape(source);
	vss_unescape(super_options);
	mount->root = root;
	mount->point = point;
	mount->type = type;
	mount->source = source;
	mount->super_options = super_options;
	return point[0] == '/';
}

/* ---- the table ------------------------------------------------------------------------------ */

static size_t lines_count(const char *text)
{
	size_t count = 0;
	for (const char *at = text; *at != '\0'; count++) {
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return count;
}

int vss_mounts_parse(char *text, size_t len, struct vss_mounts *out)
{
	*out = (struct vss_mounts){.text = text};
	text[len] = '\0';
	const size_t lines = lines_count(text);
	int error = lines > VSS_MOUNTS_MAX ? -E2BIG : 0;
	if (error == 0) {
		out->at = calloc(lines + 1, sizeof *out->at);
		error = out->at == NULL ? -ENOMEM : 0;
	}
	if (error != 0) {
		vss_mounts_free(out);
		return error;
	}
	for (char *line = text; line != NULL && *line != '\0';) {
		char *end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		if (line_parse(line, &out->at[out->count]))
			out->count++;
		else
			out->malformed++;
		line = end;
	}
	return 0;
}

int vss_mounts_read(const char *path, struct vss_mounts *out)
{
	*out = (struct vss_mounts){0};
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char *text = NULL;
	size_t len = 0;
	int error = 0;
	for (;;) {
		char *larger = len < VSS_MOUNTS_TEXT_MAX ? realloc(text, len + READ_STEP + 1)
							 : NULL;
		if (larger == NULL) {
			error = len < VSS_MOUNTS_TEXT_MAX ? -ENOMEM : -E2BIG;
			break;
		}
		text = larger;
		const ssize_t n = read(fd, text + len, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (error == 0)
		return vss_mounts_parse(text, len, out);
	free(text);
	return error;
}

void vss_mounts_free(struct vss_mounts *mounts)
{
	free(mounts->at);
	free(mounts->text);
	*mounts = (struct vss_mounts){0};
}

bool vss_path_is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);
	while (len > 0 && folder[len - 1] == '/')
		len--;
	return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

size_t vss_mounts_of_path(const struct vss_mounts *mounts, const char *path)
{
	size_t best = VSS_MOUNT_NONE;
	size_t best_len = 0;
	if (path[0] != '/')
		return best;
	for (size_t i = 0; i < mounts->count; i++) {
		const size_t len = strlen(mounts->at[i].point);
		if ((best == VSS_MOUNT_NONE || len >= best_len) &&
			vss_path_is_below(path, mounts->at[i].point)) {
			best = i;
			best_len = len;
		}
	}
	return best;
}
