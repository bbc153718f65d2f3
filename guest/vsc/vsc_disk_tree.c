// SPDX-License-Identifier: Apache-2.0
/*
 * Files of vsc-disk. See vsc_disk_tree.h.
 */
#include "guest/vsc/vsc_disk_tree.h"

#include "guest/vsc/vsc_disk_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void disk_tree_init(struct disk_tree *tree)
{
	memset(tree, 0, sizeof *tree);
	tree->next_ino = DISK_INO_FIRST;
}

static void name_make(char name[DISK_NAME_BYTES], const struct disk_controller *controller,
	const struct storage_vsc_lun *lun)
{
	const char *kind = lun->properties.type == SCSI_TYPE_DVD ? "dvd" : "disk";
	if (lun->path == 0)
		snprintf(name, DISK_NAME_BYTES, "%s-c%u-t%u-l%u", kind, controller->number,
			lun->target, lun->lun);
	else
		snprintf(name, DISK_NAME_BYTES, "%s-c%u-p%u-t%u-l%u", kind, controller->number,
			lun->path, lun->target, lun->lun);
}

static void tell(struct disk_tree *tree, const struct disk_file *file, enum storage_vsc_event event)
{
	if (tree->on_change != NULL)
		tree->on_change(tree->ctx, file, event);
}

static void file_add(
	struct disk_tree *tree, struct disk_controller *controller, struct storage_vsc_lun *lun)
{
	struct disk_file *file = calloc(1, sizeof *file);
	if (file == NULL) {
		disk_log("out of memory: a disk is not shown");
		return;
	}
	name_make(file->name, controller, lun);
	file->ino = tree->next_ino++;
	clock_gettime(CLOCK_REALTIME, &file->since);
	disk_attach(&file->disk, &controller->controller->vsc, lun);
	lun->user = file;
	if (tree->last != NULL)
		tree->last->next = file;
	else
		tree->files = file;
	tree->last = file;
	tree->live++;
	tell(tree, file, STORAGE_VSC_LUN_ADDED);
}

static void file_remove(struct disk_tree *tree, struct disk_file *file)
{
	file->is_gone = true;
	file->disk.lun = NULL;
	tree->live--;
	tell(tree, file, STORAGE_VSC_LUN_REMOVED);
	disk_tree_settle(tree, file);
}

void disk_tree_on_lun(void *ctx, struct disk_controller *controller, enum storage_vsc_event event,
	struct storage_vsc_lun *lun)
{
	struct disk_tree *tree = ctx;
	struct disk_file *file = lun->user;
	if (event == STORAGE_VSC_LUN_ADDED) {
		file_add(tree, controller, lun);
	} else if (file == NULL) {
		return;
	} else if (event == STORAGE_VSC_LUN_CHANGED) {
		disk_attach(&file->disk, &controller->controller->vsc, lun);
		tell(tree, file, event);
	} else {
		lun->user = NULL;
		file_remove(tree, file);
	}
}

struct disk_file *disk_tree_by_name(struct disk_tree *tree, const char *name)
{
	for (struct disk_file *file = tree->files; file != NULL; file = file->next)
		if (!file->is_gone && strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

struct disk_file *disk_tree_by_ino(struct disk_tree *tree, uint64_t ino)
{
	for (struct disk_file *file = tree->files; file != NULL; file = file->next)
		if (file->ino == ino)
			return file;
	return NULL;
}

struct disk_file *disk_tree_next(struct disk_tree *tree, uint64_t ino)
{
	for (struct disk_file *file = tree->files; file != NULL; file = file->next)
		if (file->ino > ino && !file->is_gone)
			return file;
	return NULL;
}

static void file_free(struct disk_tree *tree, struct disk_file *file)
{
	struct disk_file *previous = NULL;
	for (struct disk_file *at = tree->files; at != file; at = at->next)
		previous = at;
	if (previous != NULL)
		previous->next = file->next;
	else
		tree->files = file->next;
	if (tree->last == file)
		tree->last = previous;
	free(file);
}

void disk_tree_settle(struct disk_tree *tree, struct disk_file *file)
{
	if (file->is_gone && file->lookups == 0 && file->opens == 0 && file->disk.jobs == 0)
		file_free(tree, file);
}

void disk_tree_clear(struct disk_tree *tree)
{
	while (tree->files != NULL)
		file_free(tree, tree->files);
}
