// SPDX-License-Identifier: Apache-2.0
/*
 * The files that stand for disks: how long one lives whose disk has gone, and under which names it
 * is found. Under the sanitizer also that nothing is used after it was freed.
 */
#include "guest/vsc/vsc_disk_tree.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

struct world {
	struct disk_tree tree;
	struct disk_controller controller;
	struct storage_controller *storage;
	struct storage_vsc_lun lun;
};

static struct disk_file *world_make(struct world *world)
{
	memset(world, 0, sizeof *world);
	disk_tree_init(&world->tree);
	world->storage = calloc(1, sizeof *world->storage);
	if (world->storage == NULL)
		abort();
	world->controller.controller = world->storage;
	world->controller.number = 2;
	world->lun = (struct storage_vsc_lun){.state = STORAGE_VSC_LUN_PRESENT,
		.target = 3,
		.lun = 4,
		.properties = {.has_medium = true, .blocks = 100, .block_bytes = 512}};
	disk_tree_on_lun(&world->tree, &world->controller, STORAGE_VSC_LUN_ADDED, &world->lun);
	struct disk_file *file = disk_tree_by_name(&world->tree, "disk-c2-t3-l4");
	if (file == NULL)
		abort();
	CU_ASSERT_EQUAL(file->disk.bytes, 51200);
	CU_ASSERT_EQUAL(world->tree.live, 1);
	return file;
}

static void lun_goes(struct world *world)
{
	disk_tree_on_lun(&world->tree, &world->controller, STORAGE_VSC_LUN_REMOVED, &world->lun);
	CU_ASSERT_PTR_NULL(disk_tree_by_name(&world->tree, "disk-c2-t3-l4"));
	CU_ASSERT_EQUAL(world->tree.live, 0);
}

static void world_end(struct world *world)
{
	disk_tree_clear(&world->tree);
	free(world->storage);
}

/* Each of what can hold a file, alone. */
static void a_file_lives_as_long_as_somebody_has_it(void)
{
	for (unsigned holder = 0; holder < 3; holder++) {
		struct world world;
		struct disk_file *file = world_make(&world);
		const uint64_t ino = file->ino;
		if (holder == 0)
			file->lookups = 2;
		else if (holder == 1)
			file->opens = 1;
		else
			file->disk.jobs = 1;
		lun_goes(&world);
		CU_ASSERT_PTR_EQUAL_FATAL(disk_tree_by_ino(&world.tree, ino), file);
		CU_ASSERT_TRUE(file->is_gone);
		CU_ASSERT_PTR_NULL(file->disk.lun);
		CU_ASSERT_PTR_NULL(disk_tree_next(&world.tree, 0));
		disk_tree_settle(&world.tree, file);
		CU_ASSERT_PTR_EQUAL_FATAL(disk_tree_by_ino(&world.tree, ino), file);
		file->lookups = file->opens = 0;
		file->disk.jobs = 0;
		disk_tree_settle(&world.tree, file);
		CU_ASSERT_PTR_NULL(disk_tree_by_ino(&world.tree, ino));
		CU_ASSERT_PTR_NULL(world.tree.files);
		world_end(&world);
	}
}

static void a_disk_that_comes_back_is_another_file(void)
{
	struct world world;
	struct disk_file *first = world_make(&world);
	const uint64_t ino = first->ino;
	first->opens = 1;
	lun_goes(&world);
	disk_tree_on_lun(&world.tree, &world.controller, STORAGE_VSC_LUN_ADDED, &world.lun);
	const struct disk_file *second = disk_tree_by_name(&world.tree, "disk-c2-t3-l4");
	CU_ASSERT_TRUE(second != NULL && second->ino > ino);
	CU_ASSERT_PTR_EQUAL(disk_tree_next(&world.tree, 0), second);
	CU_ASSERT_EQUAL(world.tree.live, 1);
	world_end(&world);
}

static const struct test tests[] = {
	TEST(a_file_lives_as_long_as_somebody_has_it),
	TEST(a_disk_that_comes_back_is_another_file),
};

TEST_MAIN("vsc_disk_tree", tests)
