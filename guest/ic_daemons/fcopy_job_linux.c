// SPDX-License-Identifier: Apache-2.0
/*
 * The work of a copy. See fcopy_job_linux.h.
 */
#include "guest/ic_daemons/fcopy_job_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 50u
/* A host can fail as often as it likes; what it makes us say is bounded. */
#define LOG_PERIOD_MS 10000u
#define LOG_LINES     20u

static void pump(struct fcopy_job *job);
static void end_now(struct fcopy_job *job);

/* ---- in the thread ------------------------------------------------------------------------- */

static uint32_t buffer_write(struct fcopy_job *job, struct fcopy_job_buffer *buffer)
{
	const uint32_t status = fcopy_file_write(
		&job->file, buffer->offset, buffer->at, buffer->bytes);
	buffer->bytes = 0;
	return status;
}

static uint32_t file_start(struct fcopy_job *job)
{
	struct fcopy_start start = job->start.start;
	start.name = job->start.name;
	start.path = job->start.path;
	return fcopy_file_start(&job->file, &start);
}

static void on_work(void *arg)
{
	struct fcopy_job *job = arg;
	uint32_t status = IC_STATUS_SUCCESS;
	switch (job->running) {
	case FCOPY_JOB_START:
		status = file_start(job);
		break;
	case FCOPY_JOB_WRITE:
		status = buffer_write(job, &job->buffers[job->filling ^ 1u]);
		break;
	case FCOPY_JOB_COMPLETE:
		if (job->buffers[job->filling].bytes > 0)
			status = buffer_write(job, &job->buffers[job->filling]);
		if (status == IC_STATUS_SUCCESS)
			status = fcopy_file_complete(&job->file);
		break;
	case FCOPY_JOB_DROP:
	case FCOPY_JOB_NONE:
		fcopy_file_drop(&job->file);
		break;
	}
	job->work_status = status;
}

/* ---- on the loop --------------------------------------------------------------------------- */

static void on_idle(void *ctx)
{
	struct fcopy_job *job = ctx;
	if (job->ic->is_pending) {
		/* It is the host that waits, for our disk: it must have its answer. */
		daemon_timer_set(job->daemon, &job->idle, FCOPY_IDLE_MS, on_idle, job);
		return;
	}
	daemon_log(LOG_WARNING,
		"the host has sent nothing for %u s: the copy of \"%s\" is given up",
		FCOPY_IDLE_MS / 1000u, job->last.name);
	fcopy_ic_reset(job->ic);
}

static bool may_log(struct fcopy_job *job)
{
	const uint64_t now = daemon_now_ms();
	if (now - job->log_since_ms >= LOG_PERIOD_MS) {
		job->log_since_ms = now;
		job->log_lines = 0;
	}
	return job->log_lines++ < LOG_LINES;
}

static void note_end(struct fcopy_job *job, const char *end)
{
	daemon_timer_clear(job->daemon, &job->idle);
	snprintf(job->last_end, sizeof job->last_end, "%s", end);
	daemon_status_touch(job->daemon);
}

static void say_end(struct fcopy_job *job, uint32_t status)
{
	if (status == IC_STATUS_SUCCESS) {
		note_end(job, "copied");
		if (may_log(job))
			daemon_log(LOG_NOTICE, "copied \"%s\" to \"%s\", %llu bytes",
				job->last.name, job->last.path,
				(unsigned long long)job->last.start.size_bytes);
		return;
	}
	note_end(job, job->file.reason);
	if (may_log(job))
		daemon_log(LOG_WARNING, "\"%s\" is not copied to \"%s\": %s (status 0x%08x)",
			job->last.name, job->last.path, job->file.reason, status);
}

static void answer(struct fcopy_job *job, uint32_t status)
{
	job->asked = FCOPY_JOB_NONE;
	fcopy_ic_finish(job->ic, status);
}

static void on_write_done(struct fcopy_job *job)
{
	if (job->work_status == IC_STATUS_SUCCESS)
		return;
	job->status = job->work_status;
	job->buffers[job->filling].bytes = 0;
	say_end(job, job->status);
	if (job->asked == FCOPY_JOB_WRITE || job->asked == FCOPY_JOB_COMPLETE)
		answer(job, job->status);
}

static void on_done(void *arg)
{
	struct fcopy_job *job = arg;
	const enum fcopy_job_kind ran = job->running;
	const bool is_void = job->is_void;
	job->running = FCOPY_JOB_NONE;
	job->is_void = false;
	if (job->is_ended) {
		end_now(job);
		return;
	}
	switch (is_void ? FCOPY_JOB_NONE : ran) {
	case FCOPY_JOB_WRITE:
		on_write_done(job);
		break;
	case FCOPY_JOB_START:
		if (job->work_status != IC_STATUS_SUCCESS)
			say_end(job, job->work_status);
		answer(job, job->work_status);
		break;
	case FCOPY_JOB_COMPLETE:
		say_end(job, job->work_status);
		answer(job, job->work_status);
		break;
	case FCOPY_JOB_DROP:
		if (job->asked == FCOPY_JOB_DROP)
			answer(job, IC_STATUS_SUCCESS);
		break;
	case FCOPY_JOB_NONE:
		break;
	}
	pump(job);
}

static void submit(void *ctx)
{
	struct fcopy_job *job = ctx;
	if (daemon_work(job->daemon, on_work, on_done, job) != 0)
		daemon_timer_set(job->daemon, &job->retry, RETRY_MS, submit, job);
}

/* Give a thread something to do; if there is none to be had, a little later. */
static void run(struct fcopy_job *job, enum fcopy_job_kind kind)
{
	job->running = kind;
	submit(job);
}

/* A fragment goes to the buffer behind what is there. False: it does not fit. */
static bool gather(struct fcopy_job *job, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
	struct fcopy_job_buffer *buffer = &job->buffers[job->filling];
	if (buffer->bytes == 0)
		buffer->offset = offset;
	if (buffer->offset + buffer->bytes != offset ||
		bytes > FCOPY_JOB_BUFFER_BYTES - buffer->bytes)
		return false;
	memcpy(buffer->at + buffer->bytes, data, bytes);
	buffer->bytes += bytes;
	return true;
}

/* The buffer that was filled is written, the other one takes what comes. */
static void exchange(struct fcopy_job *job)
{
	job->filling ^= 1u;
	job->buffers[job->filling].bytes = 0;
	run(job, FCOPY_JOB_WRITE);
}

/* Whatever is to be done next, if nothing is under way. */
static void pump(struct fcopy_job *job)
{
	if (job->running != FCOPY_JOB_NONE)
		return;
	if (job->wants_drop) {
		job->wants_drop = false;
		run(job, FCOPY_JOB_DROP);
		return;
	}
	switch (job->asked) {
	case FCOPY_JOB_START:
		job->start = job->asked_start;
		job->buffers[0].bytes = job->buffers[1].bytes = 0;
		run(job, FCOPY_JOB_START);
		return;
	case FCOPY_JOB_COMPLETE:
	case FCOPY_JOB_DROP:
		run(job, job->asked);
		return;
	case FCOPY_JOB_WRITE:
		job->asked = FCOPY_JOB_NONE;
		exchange(job);
		(void)gather(job, job->offset, job->data, job->bytes);
		answer(job, IC_STATUS_SUCCESS);
		return;
	case FCOPY_JOB_NONE:
		return;
	}
}

static uint32_t ask(struct fcopy_job *job, enum fcopy_job_kind kind)
{
	job->asked = kind;
	pump(job);
	return IC_GUEST_LATER;
}

/* ---- operations ---------------------------------------------------------------------------- */

uint32_t fcopy_job_start(void *ctx, const struct fcopy_start *start)
{
	struct fcopy_job *job = ctx;
	struct fcopy_job_text *asked = &job->asked_start;
	asked->start = *start;
	snprintf(asked->name, sizeof asked->name, "%s", start->name);
	snprintf(asked->path, sizeof asked->path, "%s", start->path);
	job->last = *asked;
	job->last_end[0] = '\0';
	job->status = IC_STATUS_SUCCESS;
	daemon_timer_set(job->daemon, &job->idle, FCOPY_IDLE_MS, on_idle, job);
	if (may_log(job))
		daemon_log(LOG_INFO, "the host copies \"%s\" to \"%s\", %llu bytes", start->name,
			start->path, (unsigned long long)start->size_bytes);
	return ask(job, FCOPY_JOB_START);
}

uint32_t fcopy_job_write(void *ctx, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
	struct fcopy_job *job = ctx;
	if (job->status != IC_STATUS_SUCCESS)
		return job->status;
	daemon_timer_set(job->daemon, &job->idle, FCOPY_IDLE_MS, on_idle, job);
	if (gather(job, offset, data, bytes))
		return IC_STATUS_SUCCESS;
	if (job->running == FCOPY_JOB_NONE) {
		exchange(job);
		(void)gather(job, offset, data, bytes);
		return IC_STATUS_SUCCESS;
	}
	job->offset = offset;
	job->bytes = bytes;
	memcpy(job->data, data, bytes);
	job->asked = FCOPY_JOB_WRITE;
	return IC_GUEST_LATER;
}

uint32_t fcopy_job_complete(void *ctx)
{
	struct fcopy_job *job = ctx;
	if (job->status != IC_STATUS_SUCCESS)
		return job->status;
	return ask(job, FCOPY_JOB_COMPLETE);
}

/* Let go of everything that belongs to the copy. */
static void forget(struct fcopy_job *job)
{
	job->is_void = job->running != FCOPY_JOB_NONE;
	job->asked = FCOPY_JOB_NONE;
	job->status = IC_STATUS_SUCCESS;
	if (job->idle.is_set)
		note_end(job, "cancelled");
}

uint32_t fcopy_job_cancel(void *ctx)
{
	struct fcopy_job *job = ctx;
	forget(job);
	return ask(job, FCOPY_JOB_DROP);
}

void fcopy_job_drop(void *ctx)
{
	struct fcopy_job *job = ctx;
	forget(job);
	job->wants_drop = true;
	pump(job);
}

/* ---- life ---------------------------------------------------------------------------------- */

int fcopy_job_init(
	struct fcopy_job *job, const struct fcopy_file_config *config, struct fcopy_ic *ic)
{
	memset(job, 0, sizeof *job);
	job->ic = ic;
	fcopy_file_init(&job->file, config);
	for (unsigned i = 0; i < 2; i++) {
		job->buffers[i].at = malloc(FCOPY_JOB_BUFFER_BYTES);
		if (job->buffers[i].at == NULL) {
			fcopy_job_end(job);
			return -ENOMEM;
		}
	}
	return 0;
}

void fcopy_job_attach(struct fcopy_job *job, struct daemon *daemon)
{
	job->daemon = daemon;
}

static void end_now(struct fcopy_job *job)
{
	fcopy_file_drop(&job->file);
	for (unsigned i = 0; i < 2; i++) {
		free(job->buffers[i].at);
		job->buffers[i].at = NULL;
	}
}

void fcopy_job_end(struct fcopy_job *job)
{
	job->is_ended = true;
	if (job->running == FCOPY_JOB_NONE)
		end_now(job);
}
