// SPDX-License-Identifier: Apache-2.0
/* Crash reports: see worker_crash.h. */
#include "host/vmwp/worker_crash.h"

#include "host/vmwp/worker.h"

#include <stdio.h>
#include <string.h>

/* Keep the end, which says most, if there is more than fits. */
static void text_keep(struct worker_crash *crash, const char *message, size_t bytes)
{
	size_t kept = 0;
	if (message == NULL)
		bytes = 0;
	if (bytes > WORKER_CRASH_TEXT_BYTES) {
		message += bytes - WORKER_CRASH_TEXT_BYTES;
		bytes = WORKER_CRASH_TEXT_BYTES;
	}
	for (size_t i = 0; i < bytes && message[i] != '\0'; i++) {
		const unsigned char c = (unsigned char)message[i];
		if (c == '\n' || (c >= ' ' && c < 0x7f))
			crash->text[kept++] = (char)c;
		else if (c == '\t')
			crash->text[kept++] = ' ';
		else if (c != '\r')
			crash->text[kept++] = '?';
	}
	while (kept > 0 && crash->text[kept - 1] == '\n')
		kept--;
	crash->text[kept] = '\0';
}

static void crash_print(const struct worker_crash *crash)
{
	log_error("the guest has crashed: %#llx %#llx %#llx %#llx %#llx",
		(unsigned long long)crash->parameters[0], (unsigned long long)crash->parameters[1],
		(unsigned long long)crash->parameters[2], (unsigned long long)crash->parameters[3],
		(unsigned long long)crash->parameters[4]);
	for (const char *line = crash->text; *line != '\0';) {
		const size_t bytes = strcspn(line, "\n");
		fprintf(stderr, "  | %.*s\n", (int)bytes, line);
		line += bytes;
		if (*line == '\n')
			line++;
	}
}

static void on_crash(void *ctx, const struct partition_crash *report)
{
	struct worker *worker = ctx;
	struct worker_crash *crash = &worker->crash;
	crash->count++;
	memcpy(crash->parameters, report->parameters, sizeof crash->parameters);
	crash->control = report->control;
	text_keep(crash, report->message, report->message_bytes);
	if (log_limit_take(&crash->limit, loop_now_ns()))
		crash_print(crash);
	if (worker->options->on_crash == END_EXIT)
		worker_stop(worker, WORKER_EXIT_CRASH);
}

void worker_crash_watch(struct worker *worker)
{
	partition_crash_observer_set(worker->partition, on_crash, worker);
}

json_t *worker_crash_json(const struct worker_crash *crash)
{
	if (crash->count == 0)
		return NULL;
	json_t *parameters = json_array();
	for (size_t i = 0; i < 5; i++) {
		char text[24];
		snprintf(text, sizeof text, "%#llx", (unsigned long long)crash->parameters[i]);
		json_array_append_new(parameters, json_string(text));
	}
	return json_pack("{s:I, s:o, s:s}", "count", (json_int_t)crash->count, "parameters",
		parameters, "text", crash->text);
}
