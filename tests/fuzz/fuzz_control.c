// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the control socket's request line. Whatever comes in, one line of JSON goes
 * out that says either ok and a result, or an error in words; and what the worker is asked
 * to do is within the schema.
 */
#include "host/vmwp/control.h"
#include "host/vmwp/control_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static json_t *on_plain(void *ctx, struct control_error *error)
{
	(void)ctx;
	(void)error;
	return json_object();
}

static json_t *on_attach(void *ctx, const struct control_attach *what, struct control_error *error)
{
	(void)ctx;
	(void)error;
	size_t len = strlen(what->path);
	CHECK(len >= 1 && len <= CONTROL_PATH_MAX_BYTES);
	CHECK(what->controller <= CONTROL_CONTROLLER_MAX);
	CHECK(what->target <= CONTROL_TARGET_MAX && what->lun <= CONTROL_LUN_MAX);
	return json_pack("{s:s, s:i}", "path", what->path, "target", (int)what->target);
}

static json_t *on_detach(void *ctx, const struct control_detach *what, struct control_error *error)
{
	(void)ctx;
	CHECK(what->controller <= CONTROL_CONTROLLER_MAX);
	CHECK(what->target <= CONTROL_TARGET_MAX && what->lun <= CONTROL_LUN_MAX);
	control_error_set(error, "detach: nothing at target %u: see status", what->target);
	return NULL;
}

static json_t *on_power(void *ctx, const struct control_power *what, struct control_ticket *ticket,
	struct control_error *error)
{
	CHECK(what->timeout_s <= CONTROL_TIMEOUT_MAX_S);
	CHECK(what->reason == NULL || strlen(what->reason) <= CONTROL_REASON_MAX_BYTES);
	(void)error;
	if (what->is_forced)
		return json_object();
	*(struct control_ticket *)ctx = control_ticket_take(ticket);
	return NULL;
}

static json_t *on_time(
	void *ctx, bool is_sync, struct control_ticket *ticket, struct control_error *error)
{
	(void)is_sync;
	(void)error;
	*(struct control_ticket *)ctx = control_ticket_take(ticket);
	return NULL;
}

static json_t *on_backup(void *ctx, const struct control_backup *what,
	struct control_ticket *ticket, struct control_error *error)
{
	CHECK(what->timeout_s <= CONTROL_TIMEOUT_MAX_S && what->limit_s <= CONTROL_TIMEOUT_MAX_S);
	(void)error;
	if (what->action == CONTROL_BACKUP_STATUS)
		return json_object();
	*(struct control_ticket *)ctx = control_ticket_take(ticket);
	return NULL;
}

static json_t *on_kvp(void *ctx, const struct control_kvp *what, struct control_ticket *ticket,
	struct control_error *error)
{
	CHECK(what->pool < 4 && what->count <= CONTROL_KVP_PAGE_MAX);
	CHECK(what->timeout_s <= CONTROL_TIMEOUT_MAX_S);
	CHECK((what->key == NULL) == (what->action == CONTROL_KVP_LIST));
	(void)error;
	*(struct control_ticket *)ctx = control_ticket_take(ticket);
	return NULL;
}

static json_t *on_ip(void *ctx, const struct control_ip *what, struct control_ticket *ticket,
	struct control_error *error)
{
	CHECK(what->adapter != NULL && what->timeout_s <= CONTROL_TIMEOUT_MAX_S);
	(void)error;
	*(struct control_ticket *)ctx = control_ticket_take(ticket);
	return NULL;
}

static json_t *on_copy(void *ctx, const struct control_copy *what, struct control_ticket *ticket,
	struct control_error *error)
{
	CHECK(strlen(what->name) <= CONTROL_PATH_MAX_BYTES);
	CHECK(strlen(what->path) <= CONTROL_PATH_MAX_BYTES);
	(void)error;
	*(struct control_ticket *)ctx = control_ticket_take(ticket);
	return NULL;
}

static const struct control_ops ops = {
	.status = on_plain,
	.statistics = on_plain,
	.heartbeat = on_plain,
	.attach = on_attach,
	.detach = on_detach,
	.stop = on_plain,
	.services = on_plain,
	.power = on_power,
	.time = on_time,
	.copy = on_copy,
	.copy_cancel = on_plain,
	.copy_status = on_plain,
	.backup = on_backup,
	.kvp = on_kvp,
	.ip = on_ip,
};

/* Only printable characters, newlines and whole UTF-8 characters may reach a terminal. */
static void check_print(const json_t *value)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	CHECK(out != NULL);
	control_print(out, value);
	fclose(out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		CHECK(c == '\n' || (c >= 0x20 && c != 0x7F));
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_ticket kept = {0};
	struct control_ticket ticket = {0};
	const struct control_error late = {.text = "too late"};
	struct control_worker worker = {.ops = &ops, .ctx = &kept};
	char *answer = control_worker_handle_line(&worker, (const char *)data, size, &ticket);
	if (ticket.is_taken) {
		CHECK(answer == NULL);
		answer = control_ticket_answer(&kept, NULL, &late);
	}
	CHECK(answer != NULL && strchr(answer, '\n') == NULL);
	json_t *root = json_loads(answer, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json_is_object(root) && json_object_get(root, "id") != NULL);
	const json_t *result = json_object_get(root, "result");
	const char *error = json_string_value(json_object_get(root, "error"));
	if (json_is_true(json_object_get(root, "ok")))
		CHECK(result != NULL && error == NULL);
	else
		CHECK(result == NULL && error != NULL && error[0] != '\0');
	check_print(root);
	json_decref(root);
	free(answer);

	json_t *value = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	if (value != NULL)
		check_print(value);
	json_decref(value);
	return 0;
}
