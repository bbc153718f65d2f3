// SPDX-License-Identifier: Apache-2.0
/*
 * What vmic-vss does besides serving. See vss_show_linux.h.
 */
#include "guest/ic_daemons/vss_show_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CELL_BYTES   128
#define THAW_WAIT_MS 10000u

/* Text for a terminal: no control characters, and not endless. */
static const char *cell(const char *text, char out[CELL_BYTES])
{
	size_t i = 0;
	for (; i < CELL_BYTES - 1 && text[i] != '\0'; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7F ? '?' : text[i];
	out[i] = '\0';
	if (text[i] != '\0')
		memcpy(out + CELL_BYTES - 4, "...", 4);
	return out;
}

static int plan_load(const struct vss_keeper_options *options, const struct vss_keeper_ops *ops,
	const struct vss_config *config, struct vss_mounts *mounts, struct vss_plan *plan)
{
	int error = vss_mounts_read(ops->mountinfo, mounts);
	if (error == 0) {
		error = vss_plan_make(mounts, config, options->below, ops->stack, plan);
		if (error != 0)
			vss_mounts_free(mounts);
	}
	if (error != 0)
		fprintf(stderr, "vmic-vss: %s: %s\n", ops->mountinfo, strerror(-error));
	return error;
}

static void row_print(FILE *out, const struct vss_mounts *mounts, const struct vss_plan *plan,
	size_t at, size_t position, int width)
{
	char point[CELL_BYTES];
	char type[CELL_BYTES];
	char other[CELL_BYTES];
	const struct vss_decision *decision = &plan->decisions[at];
	const bool is_frozen = vss_reason_is_frozen(decision->reason);
	if (is_frozen)
		fprintf(out, "%5zu  ", position);
	else
		fprintf(out, "%5s  ", "-");
	fprintf(out, "%-*s  %-10s  %-6s  %s", width, cell(mounts->at[at].point, point),
		cell(mounts->at[at].type, type), is_frozen ? "freeze" : "skip",
		vss_reason_text(decision->reason));
	if (decision->other != VSS_MOUNT_NONE)
		fprintf(out, " %s", cell(mounts->at[decision->other].point, other));
	fputc('\n', out);
}

static void table_print(FILE *out, const struct vss_mounts *mounts, const struct vss_plan *plan)
{
	int width = 5;
	for (size_t i = 0; i < mounts->count; i++) {
		const size_t len = strlen(mounts->at[i].point);
		if ((int)len > width)
			width = len < CELL_BYTES ? (int)len : CELL_BYTES - 1;
	}
	fprintf(out, "order  %-*s  %-10s  %-6s  %s\n", width, "mount", "type", "what", "why");
	for (size_t i = 0; i < plan->order_count; i++)
		row_print(out, mounts, plan, plan->order[i].mount, i + 1, width);
	for (size_t i = 0; i < mounts->count; i++) {
		if (!vss_reason_is_frozen(plan->decisions[i].reason))
			row_print(out, mounts, plan, i, 0, width);
	}
}

int vss_show_plan(
	FILE *out, const struct vss_keeper_options *options, const struct vss_keeper_ops *ops)
{
	struct vss_config config;
	struct vss_mounts mounts;
	struct vss_plan plan;
	char problem[VSS_KEEPER_TEXT_BYTES];
	if (vss_config_read(&config, options->config_path, options->is_config_demanded, problem,
		    sizeof problem) != 0) {
		fprintf(stderr, "vmic-vss: %s\n", problem);
		return 1;
	}
	int status = 1;
	if (plan_load(options, ops, &config, &mounts, &plan) == 0) {
		table_print(out, &mounts, &plan);
		if (mounts.malformed > 0)
			fprintf(out, "%zu lines of %s were not understood\n", mounts.malformed,
				ops->mountinfo);
		status = fflush(out) == 0 ? 0 : 1;
		vss_plan_free(&plan);
		vss_mounts_free(&mounts);
	}
	vss_config_free(&config);
	return status;
}

static int entry_thaw_here(const struct vss_keeper_ops *ops, const struct vss_mount *mount)
{
	const int fd = ops->open(mount);
	if (fd < 0)
		return fd;
	const int result = ops->freeze->thaw(ops->freeze->ctx, fd);
	close(fd);
	return result;
}

/* In a process of its own: one whose disk is stuck keeps it for ever, and must not keep us. */
static int entry_thaw(
	const struct vss_keeper_ops *ops, const struct vss_mount *mount, unsigned wait_ms)
{
	int pair[2];
	int result = -ETIMEDOUT;
	if (pipe2(pair, O_CLOEXEC) != 0)
		return entry_thaw_here(ops, mount);
	const pid_t pid = fork();
	if (pid == 0) {
		result = entry_thaw_here(ops, mount);
		_exit(write(pair[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
	}
	close(pair[1]);
	struct pollfd wait = {.fd = pair[0], .events = POLLIN};
	if (pid < 0)
		result = entry_thaw_here(ops, mount);
	else if (poll(&wait, 1, (int)wait_ms) > 0 &&
		 (read(pair[0], &result, sizeof result) != (ssize_t)sizeof result ||
			 waitpid(pid, NULL, 0) != pid))
		result = -EIO;
	close(pair[0]);
	return result;
}

static int results_print(
	FILE *out, const struct vss_mounts *mounts, const struct vss_plan *plan, const int *results)
{
	char point[CELL_BYTES];
	int status = 0;
	for (size_t i = 0; i < plan->order_count; i++) {
		const char *name = cell(mounts->at[plan->order[i].mount].point, point);
		if (results[i] == 0)
			fprintf(out, "%s: thawed\n", name);
		else if (results[i] == -EINVAL || results[i] == -EOPNOTSUPP)
			fprintf(out, "%s: was not frozen\n", name);
		else if (results[i] == -ETIMEDOUT)
			fprintf(out, "%s: does not answer\n", name);
		else
			fprintf(out, "%s: %s\n", name, strerror(-results[i]));
		if (results[i] != 0 && results[i] != -EINVAL && results[i] != -EOPNOTSUPP &&
			results[i] != -ESTALE)
			status = 1;
	}
	return fflush(out) == 0 ? status : 1;
}

int vss_show_thaw_all(
	FILE *out, const struct vss_keeper_options *options, const struct vss_keeper_ops *ops)
{
	struct vss_config config;
	struct vss_mounts mounts;
	struct vss_plan plan;
	int status = 1;
	vss_config_init(&config);
	if (plan_load(options, ops, &config, &mounts, &plan) != 0)
		return 1;
	int *results = calloc(plan.order_count + 1, sizeof *results);
	for (size_t i = plan.order_count; results != NULL && i-- > 0;)
		results[i] = entry_thaw(ops, &mounts.at[plan.order[i].mount],
			options->thaw_wait_ms != 0 ? options->thaw_wait_ms : THAW_WAIT_MS);
	if (results != NULL)
		status = results_print(out, &mounts, &plan, results);
	free(results);
	vss_plan_free(&plan);
	vss_mounts_free(&mounts);
	return status;
}
