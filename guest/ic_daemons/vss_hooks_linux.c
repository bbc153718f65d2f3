// SPDX-License-Identifier: Apache-2.0
/*
 * The administrator's programs around a backup. See vss_hooks_linux.h.
 */
#include "guest/ic_daemons/vss_hooks_linux.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

struct scripts {
	char *names[VSS_HOOKS_SCRIPTS_MAX];
	size_t count;
};

/* ---- trust ---------------------------------------------------------------------------------- */

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* The program, and every folder on the way: none may be exchanged by others. */
bool vss_hook_is_trusted(const char *path, const char **what)
{
	char whole[PATH_MAX];
	struct stat st;
	if (path[0] != '/' || realpath(path, whole) == NULL || stat(whole, &st) != 0) {
		*what = "it does not exist";
		return false;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & S_IXUSR) == 0) {
		*what = "it is no executable file";
		return false;
	}
	*what = "others than root may change it";
	if (!is_ours(&st) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return false;
	for (char *slash = strrchr(whole, '/'); slash != NULL; slash = strrchr(whole, '/')) {
		*slash = '\0';
		if (stat(whole[0] != '\0' ? whole : "/", &st) != 0 || !is_ours(&st))
			return false;
		if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0)
			return false;
	}
	return true;
}

/* ---- running -------------------------------------------------------------------------------- */

static void say(const struct vss_hooks_ops *ops, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct vss_hooks_ops *ops, int priority, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ops->say(ops->ctx, priority, text);
}

static bool run(const struct vss_config *config, const struct vss_hooks_ops *ops,
	const char *const argv[], bool is_before)
{
	static const char *const freeze_environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "VIRIDIAN_VSS=freeze", NULL};
	static const char *const thaw_environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "VIRIDIAN_VSS=thaw", NULL};
	char output[VSS_HOOKS_OUTPUT_BYTES] = "";
	const char *what;
	if (!vss_hook_is_trusted(argv[0], &what)) {
		say(ops, LOG_ERR, "%s: not run: %s", argv[0], what);
		return false;
	}
	const int status = ops->execute(argv, is_before ? freeze_environment : thaw_environment,
		config->hook_seconds, output, sizeof output);
	output[strcspn(output, "\n")] = '\0';
	if (status == 0)
		return true;
	if (status == -ETIMEDOUT)
		say(ops, LOG_ERR, "%s: ended after %u seconds (hook-seconds)", argv[0],
			config->hook_seconds);
	else if (status < 0)
		say(ops, LOG_ERR, "%s: could not be run: %s", argv[0], strerror(-status));
	else
		say(ops, LOG_ERR, "%s: failed with status %d%s%s", argv[0], status,
			output[0] != '\0' ? ": " : "", output);
	return false;
}

static bool run_script(const struct vss_config *config, const struct vss_hooks_ops *ops,
	const char *name, bool is_before)
{
	char path[PATH_MAX];
	const char *const argv[] = {path, is_before ? "freeze" : "thaw", NULL};
	if (snprintf(path, sizeof path, "%s/%s", config->scripts, name) >= (int)sizeof path)
		return false;
	return run(config, ops, argv, is_before);
}

/* ---- the folder ------------------------------------------------------------------------- */

/* As run-parts: no editor's copies, no packages' leftovers. */
static int is_script_name(const struct dirent *entry)
{
	const char *name = entry->d_name;
	for (; *name != '\0'; name++) {
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
			return 0;
	}
	return 1;
}

static int names_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* False, after having said why: there are too many. A folder that is not there is empty. */
static bool scripts_list(
	const struct vss_config *config, const struct vss_hooks_ops *ops, struct scripts *out)
{
	struct dirent **entries;
	*out = (struct scripts){0};
	const int count = scandir(config->scripts, &entries, is_script_name, names_compare);
	if (count < 0)
		return true;
	for (int i = 0; i < count; i++) {
		if (out->count < VSS_HOOKS_SCRIPTS_MAX)
			out->names[out->count++] = strdup(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if ((size_t)count > VSS_HOOKS_SCRIPTS_MAX)
		say(ops, LOG_ERR, "%s: more than %u scripts", config->scripts,
			VSS_HOOKS_SCRIPTS_MAX);
	return (size_t)count <= VSS_HOOKS_SCRIPTS_MAX;
}

static void scripts_free(struct scripts *scripts)
{
	for (size_t i = 0; i < scripts->count; i++)
		free(scripts->names[i]);
}

int vss_hooks_before(const struct vss_config *config, const struct vss_hooks_ops *ops)
{
	struct scripts scripts;
	bool is_good = scripts_list(config, ops, &scripts);
	for (size_t i = 0; i < scripts.count && is_good; i++)
		is_good = scripts.names[i] != NULL &&
			  run_script(config, ops, scripts.names[i], true);
	scripts_free(&scripts);
	for (size_t i = 0; i < config->hook_count && is_good; i++) {
		if (config->hooks[i].is_before)
			is_good = run(config, ops, config->hooks[i].argv, true);
	}
	return is_good ? 0 : -ECANCELED;
}

size_t vss_hooks_after(const struct vss_config *config, const struct vss_hooks_ops *ops)
{
	struct scripts scripts;
	size_t failures = 0;
	for (size_t i = 0; i < config->hook_count; i++) {
		if (!config->hooks[i].is_before)
			failures += !run(config, ops, config->hooks[i].argv, false);
	}
	failures += !scripts_list(config, ops, &scripts);
	for (size_t i = scripts.count; i-- > 0;)
		failures += scripts.names[i] == NULL ||
			    !run_script(config, ops, scripts.names[i], false);
	scripts_free(&scripts);
	return failures;
}
