// SPDX-License-Identifier: Apache-2.0
/* A tree of sysfs made of files. See sysfs_tree.h. */
#include "tests/sysfs_tree.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDED "tests/data/sysfs-vmbus.txt"

char *tree_path(const struct tree *t, const char *path, char out[512])
{
	snprintf(out, 512, "%s/%s", t->root, path);
	return out;
}

static void folders_make(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

void tree_file(const struct tree *t, const char *path, const char *text)
{
	char full[512];
	folders_make(tree_path(t, path, full));
	FILE *file = fopen(full, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

void tree_link(const struct tree *t, const char *path, const char *target)
{
	char full[512];
	folders_make(tree_path(t, path, full));
	CU_ASSERT_EQUAL(symlink(target, full), 0);
}

void tree_folder(const struct tree *t, const char *path)
{
	char full[512];
	folders_make(tree_path(t, path, full));
	mkdir(full, 0700);
}

struct tree *tree_make(void)
{
	struct tree *t = calloc(1, sizeof *t);
	snprintf(t->root, sizeof t->root, "/tmp/viridian-sysfs.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(t->root));
	return t;
}

struct tree *tree_load(void)
{
	struct tree *t = tree_make();
	char line[1024];
	FILE *file = fopen(RECORDED, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	while (fgets(line, sizeof line, file) != NULL) {
		char kind[8];
		char path[512];
		int at = 0;
		if (sscanf(line, "%7[^# ] %511s %n", kind, path, &at) != 2)
			continue;
		char *text = line + at;
		for (char *newline; (newline = strstr(text, "\\n")) != NULL;) {
			*newline = '\n';
			memmove(newline + 1, newline + 2, strlen(newline + 2) + 1);
		}
		if (strcmp(kind, "file") == 0) {
			tree_file(t, path, text);
		} else if (strcmp(kind, "link") == 0) {
			text[strcspn(text, "\n")] = '\0';
			tree_link(t, path, text);
		}
	}
	fclose(file);
	return t;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *position)
{
	(void)status;
	(void)kind;
	(void)position;
	return remove(path);
}

void tree_free(struct tree *t)
{
	CU_ASSERT_EQUAL(nftw(t->root, entry_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(t);
}

/* ---- programs ---- */

const char *tree_program(const char *name, const char *variable)
{
	static char program[4096 + 64];
	char path[4096];
	const char *given = getenv(variable);
	const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (given != NULL)
		return given;
	if (n < 0)
		return NULL;
	path[n] = '\0';
	snprintf(program, sizeof program, "%s/bin/%s", dirname(dirname(dirname(path))), name);
	return access(program, X_OK) == 0 ? program : NULL;
}

pid_t tree_start(char *const *argv, int *output)
{
	int pipes[2];
	CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
	const pid_t child = fork();
	if (child == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		if (argv[0] != NULL)
			execv(argv[0], argv);
		_exit(126);
	}
	close(pipes[1]);
	*output = pipes[0];
	return child;
}

int tree_end(pid_t child)
{
	int status = 0;
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tree_run(struct tree *t, char *const *argv)
{
	int output;
	size_t used = 0;
	ssize_t n;
	const pid_t child = tree_start(argv, &output);
	while ((n = read(output, t->out + used, sizeof t->out - 1 - used)) > 0)
		used += (size_t)n;
	t->out[used] = '\0';
	close(output);
	return tree_end(child);
}

bool tree_says(const struct tree *t, const char *words)
{
	return strstr(t->out, words) != NULL;
}
