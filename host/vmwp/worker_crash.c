// SPDX-License-Identifier: Apache-2.0
/* Crash reports: see worker_crash.h. */
#include "host/vmwp/worker_crash.h"

#include "host/vmwp/worker.h"
#include "protocol/hypervisor.h"

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

/* Of a line of the kernel's log, without its time. */
static const char *line_text(const char *line)
{
	const char *end = line[0] == '[' ? strchr(line, ']') : NULL;
	return end != NULL && end[1] == ' ' ? end + 2 : line;
}

/* The line that says why, as kernels put it; else the last one. */
static const char *reason_find(const char *text, size_t *bytes)
{
	const char *reason = text;
	for (const char *line = text; *line != '\0'; line += strspn(line, "\n")) {
		const size_t length = strcspn(line, "\n");
		reason = line;
		*bytes = length;
		if (memmem(line, length, "panic", 5) != NULL)
			break;
		line += length;
	}
	const char *begin = line_text(reason);
	*bytes -= (size_t)(begin - reason);
	return begin;
}

static void crash_print(const struct worker_crash *crash)
{
	const unsigned long long p[5] = {crash->parameters[0], crash->parameters[1],
		crash->parameters[2], crash->parameters[3], crash->parameters[4]};
	const bool has_message = crash->control & HV_CRASH_MESSAGE;
	size_t length = 0;
	const char *reason = reason_find(crash->text, &length);
	if (length > 0)
		log_error("the guest has crashed: %.*s", (int)length, reason);
	else
		log_error("the guest has crashed, and left no message");
	log_error("crash parameters: P0 %#llx, P1 %#llx, P2 %#llx, P3 %#llx%s, P4 %#llx%s", p[0],
		p[1], p[2], p[3], has_message ? " (where its message is)" : "", p[4],
		has_message ? " (bytes of it)" : "");
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
