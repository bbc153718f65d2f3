// SPDX-License-Identifier: Apache-2.0
/* Disks on the command line of `vmwp run`: see options.h. */
#include "host/vmwp/options_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *options_path_cut(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0'; from++) {
		if (*from == ',' && from[1] != ',') {
			char *rest = text + (from - text) + 1;
			*to = '\0';
			return rest;
		}
		if (*from == ',')
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return NULL;
}

static int disk_number(const char *what, const char *key, const char *value, uint64_t most,
	unsigned *out, struct disk_options *disk)
{
	char name[64];
	uint64_t number = 0;
	snprintf(name, sizeof name, "%s: %s", what, key);
	if (options_number_parse(name, value, 0, most, &number) != 0)
		return -1;
	*out = (unsigned)number;
	disk->has_address = true;
	return 0;
}

static int disk_word(const char *what, char *word, struct disk_options *disk)
{
	char *value = strchr(word, '=');
	if (value != NULL)
		*value++ = '\0';
	if (value == NULL && strcmp(word, "ro") == 0) {
		disk->is_read_only = true;
		return 0;
	}
	if (value == NULL && strcmp(word, "direct") == 0) {
		disk->is_direct = true;
		return 0;
	}
	if (value != NULL && strcmp(word, "controller") == 0)
		return disk_number(
			what, word, value, OPTIONS_CONTROLLERS_MAX - 1, &disk->controller, disk);
	if (value != NULL && strcmp(word, "target") == 0)
		return disk_number(what, word, value, 63, &disk->target, disk);
	if (value != NULL && strcmp(word, "lun") == 0)
		return disk_number(what, word, value, 254, &disk->lun, disk);
	if (value != NULL && strcmp(word, "block") == 0) {
		if (strcmp(value, "512") != 0 && strcmp(value, "4096") != 0)
			return options_complain("%s: block=%s: use 512 or 4096", what, value);
		disk->block_bytes = (uint32_t)strtoul(value, NULL, 10);
		return 0;
	}
	return options_complain(
		"%s: \"%s\" is not known: use ro, direct, block=, controller=, target= or lun=",
		what, word);
}

int options_disk_parse(const char *what, enum disk_kind kind, char *text, struct disk_options *out)
{
	*out = (struct disk_options){
		.kind = kind,
		.block_bytes = kind == DISK_DVD ? 2048 : 512,
		.is_read_only = kind == DISK_DVD,
	};
	char *rest = options_path_cut(text);
	if (text[0] == '\0')
		return options_complain("%s: a path is missing before the first comma", what);
	out->path = text;
	if (kind == DISK_RAM) {
		out->path = NULL;
		if (options_size_parse(text, &out->ram_bytes) != 0 || out->ram_bytes == 0 ||
			out->ram_bytes % 4096 != 0 || out->ram_bytes > 1ull << 36)
			return options_complain(
				"%s: \"%s\" is not a size from 4K to 64G, such as 256M", what,
				text);
	}
	while (rest != NULL) {
		char *word = rest;
		rest = strchr(word, ',');
		if (rest != NULL)
			*rest++ = '\0';
		if (disk_word(what, word, out) != 0)
			return -1;
	}
	return 0;
}

int options_disk_add(struct options *options, const char *what, enum disk_kind kind, char *text)
{
	if (options->disk_count == OPTIONS_DISKS_MAX)
		return options_complain("%s: more than %u disks; attach the rest with vmwpctl",
			what, OPTIONS_DISKS_MAX);
	struct disk_options *disk = &options->disks[options->disk_count];
	if (options_disk_parse(what, kind, text, disk) != 0)
		return -1;
	for (unsigned i = 0; i < options->disk_count; i++) {
		const struct disk_options *other = &options->disks[i];
		if (disk->has_address && other->has_address &&
			disk->controller == other->controller && disk->target == other->target &&
			disk->lun == other->lun)
			return options_complain(
				"%s: controller %u, target %u, lun %u is taken twice", what,
				disk->controller, disk->target, disk->lun);
	}
	options->disk_count++;
	return 0;
}

static bool is_taken(const struct options *options, const struct disk_options *by)
{
	for (unsigned i = 0; i < options->disk_count; i++) {
		const struct disk_options *other = &options->disks[i];
		if (other->has_address && other->controller == 0 && other->target == by->target &&
			(other->lun == by->lun || options->backend != BACKEND_KVM))
			return true;
	}
	return false;
}

void options_disks_place(struct options *options)
{
	_Static_assert(OPTIONS_DISKS_MAX <= 64, "targets and LUNs suffice");

	for (unsigned i = 0; i < options->disk_count; i++) {
		struct disk_options *disk = &options->disks[i];
		if (disk->has_address)
			continue;
		while (is_taken(options, disk)) {
			if (options->backend == BACKEND_KVM)
				disk->lun++;
			else
				disk->target++;
		}
		disk->has_address = true;
	}
}
