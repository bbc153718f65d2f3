// SPDX-License-Identifier: Apache-2.0
/*
 * The program vmwpctl as a child of a test, whose control server answers it.
 */
#ifndef TESTS_UNIT_VMWPCTL_PROGRAM_H
#define TESTS_UNIT_VMWPCTL_PROGRAM_H

#include "tests/harness.h"
#include "tests/unit/control_server.h"

#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the program is: $VMWPCTL, or bin/ beside the folder of tests. */
static inline const char *program_path(void)
{
	static char program[4096 + 16];
	char path[4096];
	const char *given = getenv("VMWPCTL");
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (given != NULL)
		return given;
	if (n < 0)
		return NULL;
	path[n] = '\0';
	snprintf(program, sizeof program, "%s/bin/vmwpctl", dirname(dirname(dirname(path))));
	return access(program, X_OK) == 0 ? program : NULL;
}

/* Run `program arguments…`, serving meanwhile. Returns its exit status, output in `out`. */
static inline int run(struct server *server, char *const *argv, char *out, size_t size)
{
	int pipes[2];
	CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		if (argv[0] != NULL)
			execv(argv[0], argv);
		_exit(126);
	}
	close(pipes[1]);
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	size_t used = 0;
	ssize_t n = -1;
	while (n != 0) {
		/* Wakes for the server's clients, and in any case soon for the child's end. */
		loop_turn(&server->loop, 5);
		n = read(pipes[0], out + used, size - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	out[used] = '\0';
	close(pipes[0]);
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct program_case {
	const char *arguments[10]; /* "@": the socket */
	int status;
	const char *part; /* of the output */
};

static inline void run_cases(struct server *server, const struct program_case *cases, size_t count)
{
	const char *program = program_path();
	for (size_t i = 0; i < count; i++) {
		char *argv[12] = {(char *)program};
		for (size_t a = 0; cases[i].arguments[a] != NULL; a++)
			argv[a + 1] = strcmp(cases[i].arguments[a], "@") == 0
					      ? server->path
					      : (char *)cases[i].arguments[a];
		char out[8192];
		int status = run(server, argv, out, sizeof out);
		CU_ASSERT_EQUAL(status, cases[i].status);
		CU_ASSERT_PTR_NOT_NULL(strstr(out, cases[i].part));
		if (status != cases[i].status || strstr(out, cases[i].part) == NULL)
			printf("    case %zu: status %d, output <<%s>>\n", i, status, out);
	}
}

#endif
