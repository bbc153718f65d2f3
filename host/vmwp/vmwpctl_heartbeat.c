// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl heartbeat: whether the guest answers; with --watch, a line now and at each change of what
 * it says. See vmwpctl_internal.h.
 *
 * The worker knows from one heartbeat to the next; to ask it more often than that shows nothing
 * more.
 */
#include "host/vmwp/vmwpctl_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_DEFAULT_S 1

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

static json_int_t count(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static int line_show(const struct arguments *arguments, const json_t *now)
{
	if (arguments->is_json) {
		json_dumpf(now, stdout, JSON_COMPACT);
	} else {
		char when[16] = "";
		struct tm parts;
		const time_t seconds = time(NULL);
		if (localtime_r(&seconds, &parts) != NULL)
			strftime(when, sizeof when, "%H:%M:%S", &parts);
		printf("%s  %s, application %s; answers %lld, missed %lld, contact lost %lld", when,
			member(now, "contact"), member(now, "application"),
			(long long)count(now, "answers"), (long long)count(now, "missed"),
			(long long)count(now, "lost_contacts"));
	}
	putchar('\n');
	return vmwpctl_flush();
}

/* What has happened in between counts, too, though all is again as it was. */
static bool is_same(const json_t *a, const json_t *b)
{
	return strcmp(member(a, "contact"), member(b, "contact")) == 0 &&
	       strcmp(member(a, "application"), member(b, "application")) == 0 &&
	       count(a, "lost_contacts") == count(b, "lost_contacts");
}

/* Until interrupted, or the worker can no longer be asked. */
static int watch(const struct arguments *arguments, long wait_s)
{
	const unsigned period_s = arguments->period_s != NUMBER_NOT_GIVEN
					  ? (unsigned)arguments->period_s
					  : PERIOD_DEFAULT_S;
	json_t *before = NULL;
	int status = EXIT_SUCCESS;
	while (status == EXIT_SUCCESS) {
		json_t *now = vmwpctl_ask(arguments, wait_s, "heartbeat", json_object());
		if (now == NULL) {
			status = EXIT_FAILURE;
		} else if (json_is_false(json_object_get(now, "offered"))) {
			fputs("vmwpctl: heartbeat: the worker does not offer the service to its "
			      "guest (--services)\n",
				stderr);
			status = EXIT_FAILURE;
		} else if (before == NULL || !is_same(before, now)) {
			status = line_show(arguments, now);
		}
		json_decref(before);
		before = now;
		if (status == EXIT_SUCCESS)
			sleep(period_s);
	}
	json_decref(before);
	return status;
}

int vmwpctl_heartbeat(const struct arguments *arguments)
{
	const long wait_s = arguments->timeout_s != NUMBER_NOT_GIVEN ? arguments->timeout_s
								     : TIMEOUT_DEFAULT_S;
	if (arguments->is_watching)
		return watch(arguments, wait_s);
	if (arguments->period_s != NUMBER_NOT_GIVEN)
		return vmwpctl_usage_error("heartbeat takes --period with --watch only");
	json_t *now = vmwpctl_ask(arguments, wait_s, "heartbeat", json_object());
	const int status = now != NULL ? vmwpctl_show_result(arguments, now) : EXIT_FAILURE;
	json_decref(now);
	return status;
}
