// SPDX-License-Identifier: Apache-2.0
/* A tree of sysfs (or of /proc) made of files in a folder of its own, for tests of what reads one.
 */
#ifndef TESTS_SYSFS_TREE_H
#define TESTS_SYSFS_TREE_H

#include <stdbool.h>
#include <sys/types.h>

#define TREE_DEVICES   "bus/vmbus/devices"
#define TREE_DRIVERS   "bus/vmbus/drivers"
#define TREE_OUT_BYTES 65536u

/* What tests/data/sysfs-vmbus.txt has. */
#define TREE_HEARTBEAT	"fd149e91-82e0-4a7d-afa6-2a4166cbd7c0"
#define TREE_CONTROLLER "eacaa002-b83d-4ba5-9f1e-9b5ebf4f5b31"
#define TREE_VIDEO	"5620e0c7-8062-4dce-aeb7-520c7ef76171"
#define TREE_ODD	"11111111-2222-3333-4444-555555555555"

struct tree {
	char root[64];
	char out[TREE_OUT_BYTES]; /* of the last tree_run(), standard output and error */
};

/* An empty one, and the recorded one. tree_free() removes it. */
struct tree *tree_make(void);
struct tree *tree_load(void);
void tree_free(struct tree *t);

/* "<root>/<path>" */
char *tree_path(const struct tree *t, const char *path, char out[512]);
/* Make (or write anew) a file, a link, a folder, and the folders above it. */
void tree_file(const struct tree *t, const char *path, const char *text);
void tree_link(const struct tree *t, const char *path, const char *target);
void tree_folder(const struct tree *t, const char *path);

/* A program beside the folder of tests, or what `variable` of the environment names. NULL: none. */
const char *tree_program(const char *name, const char *variable);
/* Run argv[0] (ended by NULL) to its end: its exit status, 128 + N after signal N. */
int tree_run(struct tree *t, char *const *argv);
/* The same in two halves: its output is read from *output, which is the caller's. */
pid_t tree_start(char *const *argv, int *output);
int tree_end(pid_t child);
bool tree_says(const struct tree *t, const char *words);

#endif
