// SPDX-License-Identifier: Apache-2.0
/*
 * Commands of vmbus_devices about key-value pairs and addresses: each is one job of kvp_vsp.
 */
#include "tests/devices/vmbus_devices.h"

#include <stdlib.h>
#include <string.h>

static void item_came(
	struct kvp_job *job, uint32_t index, const struct kvp_item *item, enum kvp_reason reason)
{
	(void)job;
	if (reason == KVP_OK)
		printf("%u %s=%s\n", index, item->key, item->value);
	else
		printf("%u (%s)\n", index, kvp_reason_name(reason));
}

static void print_addresses(const char *word, const struct kvp_address *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char text[KVP_ADDRESS_TEXT_BYTES];
		kvp_address_format(&list[i], text);
		printf("%s %s", word, text);
		if (list[i].prefix != KVP_PREFIX_UNKNOWN)
			printf("/%u", list[i].prefix);
		putchar('\n');
	}
}

static void job_done(struct kvp_job *job, enum kvp_result result)
{
	struct machine *machine = job->ctx;
	if (result == KVP_REFUSED) {
		machine_answer(machine, "error refused 0x%08x", job->status);
		return;
	}
	if (result != KVP_DONE) {
		machine_answer(machine, "error %s: %s", kvp_result_name(result),
			kvp_reason_name(job->reason));
		return;
	}
	if (job->kind == KVP_JOB_GET || job->kind == KVP_JOB_FIND)
		printf("%s=%s\n", job->item.key, job->item.value);
	if (job->kind == KVP_JOB_GET_IP) {
		printf("family %u dhcp %u\n", job->ip.family, job->ip.is_dhcp);
		print_addresses("address", job->ip.addresses, job->ip.address_count);
		print_addresses("gateway", job->ip.gateways, job->ip.gateway_count);
		print_addresses("dns", job->ip.dns, job->ip.dns_count);
	}
	machine_answer(machine, "ok %u", job->count);
}

static void start_job(struct machine *machine, enum kvp_job_kind kind)
{
	struct kvp_job *job = &machine->job;
	job->kind = kind;
	job->count_max = LIMIT_KVP_ITEMS;
	job->item_came = item_came;
	job->done = job_done;
	job->ctx = machine;
	int error = kvp_vsp_start(&machine->kvp, job, machine_now_ns());
	if (error != 0)
		machine_answer(machine, "error not started: %s: %s", strerror(-error),
			kvp_reason_name(job->reason));
}

void machine_do_kvp(struct machine *machine, char **words, int count)
{
	static const char *const verbs[] = {"get", "find", "list", "set", "delete"};
	struct kvp_job *job = &machine->job;
	memset(job, 0, sizeof *job);
	for (unsigned i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (count < 3 || strcmp(words[1], verbs[i]) != 0)
			continue;
		job->pool = (uint8_t)atoi(words[2]);
		job->item.type = KVP_TYPE_STRING;
		if (count > 3)
			snprintf(job->item.key, sizeof job->item.key, "%s", words[3]);
		if (count > 4)
			snprintf(job->item.value, sizeof job->item.value, "%s", words[4]);
		start_job(machine, (enum kvp_job_kind)i);
		return;
	}
	machine_answer(machine, "error usage: kvp get|find|list|set|delete POOL [KEY [VALUE]]");
}

static bool take_address(const char *text, struct kvp_address *out, uint16_t *count)
{
	size_t len = strcspn(text, "/");
	if (!kvp_address_parse(text, len, out))
		return false;
	if (text[len] == '/')
		out->prefix = (uint8_t)atoi(text + len + 1);
	*count = 1;
	return true;
}

void machine_do_ip(struct machine *machine, char **words, int count)
{
	struct kvp_job *job = &machine->job;
	memset(job, 0, sizeof *job);
	if (count >= 3)
		snprintf(job->ip.adapter, sizeof job->ip.adapter, "%s", words[2]);
	if (count == 3 && strcmp(words[1], "get") == 0) {
		job->ip.family = KVP_FAMILY_BOTH;
		start_job(machine, KVP_JOB_GET_IP);
		return;
	}
	bool good = count >= 5 && strcmp(words[1], "set") == 0;
	if (good) {
		job->ip.family = strcmp(words[3], "v4") == 0 ? KVP_FAMILY_IPV4 : KVP_FAMILY_IPV6;
		job->ip.is_dhcp = strcmp(words[4], "dhcp") == 0;
	}
	if (good && count > 5)
		good = take_address(words[5], job->ip.addresses, &job->ip.address_count);
	if (good && count > 6)
		good = take_address(words[6], job->ip.gateways, &job->ip.gateway_count);
	if (good && count > 7)
		good = take_address(words[7], job->ip.dns, &job->ip.dns_count);
	if (good)
		start_job(machine, KVP_JOB_SET_IP);
	else
		machine_answer(machine,
			"error usage: ip get ADAPTER | ip set ADAPTER v4|v6 dhcp|static …");
}
