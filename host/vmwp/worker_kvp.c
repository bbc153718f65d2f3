// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs by command, and the host's own. See worker_kvp.h.
 */
#include "host/vmwp/worker_kvp.h"

#include "host/vmwp/worker.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define NS_PER_SECOND 1000000000ull

static const char *const type_names[] = {
	[KVP_TYPE_STRING] = "string",
	[KVP_TYPE_EXPAND_STRING] = "expand",
	[KVP_TYPE_U32] = "u32",
	[KVP_TYPE_U64] = "u64",
};

static const char *const origin_names[] = {
	[KVP_ORIGIN_UNKNOWN] = "unknown",
	[KVP_ORIGIN_OTHER] = "other",
	[KVP_ORIGIN_STATIC] = "static",
};

/* ---- what the host says of itself, and of the machine ---------------------------------------- */

struct self {
	struct utsname host;
	const struct options *options;
};

/* Of the digits of a release, as 6 and 1 of "6.1.0"; false: there are none. */
static bool release_part(const char *release, unsigned part, char *text, size_t size)
{
	for (; part > 0; part--) {
		release = strchr(release, '.');
		if (release == NULL)
			return false;
		release++;
	}
	size_t digits = strspn(release, "0123456789");
	if (digits == 0 || digits >= size)
		return false;
	memcpy(text, release, digits);
	text[digits] = '\0';
	return true;
}

/* A host that was given no name is "(none)". */
static bool host_name(const struct self *self, char *text, size_t size)
{
	return self->host.nodename[0] != '\0' && self->host.nodename[0] != '(' &&
	       snprintf(text, size, "%s", self->host.nodename) > 0;
}

static bool host_name_qualified(const struct self *self, char *text, size_t size)
{
	if (!host_name(self, text, size))
		return false;
	bool is_whole = strchr(self->host.nodename, '.') != NULL ||
			self->host.domainname[0] == '\0' || self->host.domainname[0] == '(';
	return snprintf(text, size, "%s%s%s", self->host.nodename, is_whole ? "" : ".",
		       is_whole ? "" : self->host.domainname) > 0;
}

static bool host_os_major(const struct self *self, char *text, size_t size)
{
	return release_part(self->host.release, 0, text, size);
}

static bool host_os_minor(const struct self *self, char *text, size_t size)
{
	return release_part(self->host.release, 1, text, size);
}

/* As Windows numbers them: 9 is x86-64. */
static bool host_processor(const struct self *self, char *text, size_t size)
{
	return strcmp(self->host.machine, "x86_64") == 0 && snprintf(text, size, "9") > 0;
}

static bool machine_name(const struct self *self, char *text, size_t size)
{
	return self->options->name != NULL && snprintf(text, size, "%s", self->options->name) > 0;
}

/* In capital letters, as Hyper-V writes it. */
static bool machine_id(const struct self *self, char *text, size_t size)
{
	char id[GUID_TEXT_BYTES];
	if (guid_is_zero(&self->options->id))
		return false;
	guid_format(&self->options->id, id);
	for (char *c = id; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	return snprintf(text, size, "%s", id) > 0;
}

/* Keys as Hyper-V has them (R-KVP-025). False: this host does not know the value. */
static const struct fact {
	const char *key;
	bool (*value)(const struct self *self, char *text, size_t size);
} facts[] = {
	{"HostName", host_name},
	{"HostingSystemOsMajor", host_os_major},
	{"HostingSystemOsMinor", host_os_minor},
	{"HostingSystemProcessorArchitecture", host_processor},
	{"PhysicalHostName", host_name},
	{"PhysicalHostNameFullyQualified", host_name_qualified},
	{"VirtualMachineId", machine_id},
	{"VirtualMachineName", machine_name},
};
#define FACTS (sizeof facts / sizeof *facts)

static void publish_next(struct worker_kvp *kvp)
{
	struct self self = {.options = kvp->options};
	const bool is_known = uname(&self.host) == 0;
	while (is_known && kvp->publish_next < FACTS) {
		const struct fact *fact = &facts[kvp->publish_next++];
		struct kvp_item *item = &kvp->publish.item;
		if (!fact->value(&self, item->value, sizeof item->value))
			continue;
		snprintf(item->key, sizeof item->key, "%s", fact->key);
		if (kvp_provider_start(&kvp->kvp, &kvp->publish) == 0)
			return;
		kvp->publish_failures++;
	}
	kvp->is_publishing = false;
	if (kvp->publish_failures > 0 && log_limit_take(&kvp->publish_limit, loop_now_ns()))
		log_warning("kvp: %u of the host's own pairs did not reach the guest",
			kvp->publish_failures);
}

/* A guest that takes none, or has gone, is not asked to take the others. */
static void publish_done(struct kvp_job *job, enum kvp_result result)
{
	struct worker_kvp *kvp = job->ctx;
	if (result != KVP_DONE)
		kvp->publish_failures++;
	if (result == KVP_CLOSED || result == KVP_NO_ANSWER || result == KVP_UNSENT)
		kvp->publish_next = FACTS;
	publish_next(kvp);
}

static void on_ready(void *ctx)
{
	struct worker *worker = ctx;
	struct worker_kvp *kvp = &worker->services.kvp;
	if (kvp->is_publishing)
		return;
	kvp->is_publishing = true;
	kvp->publish_next = 0;
	kvp->publish_failures = 0;
	kvp->publish = (struct kvp_job){
		.kind = KVP_JOB_SET,
		.pool = KVP_POOL_AUTO_EXTERNAL,
		.item.type = KVP_TYPE_STRING,
		.done = publish_done,
		.ctx = kvp,
	};
	publish_next(kvp);
}

int worker_kvp_add(struct worker *worker, const struct ic_provider_loop *loop)
{
	const struct kvp_provider_config config = {.loop = *loop, .ready = on_ready, .ctx = worker};
	worker->services.kvp.options = worker->options;
	return kvp_provider_add(&worker->services.kvp.kvp, worker->bus, &config);
}

void worker_kvp_describe(const struct worker_kvp *kvp, char *text, size_t size)
{
	const struct kvp_vsp *vsp = &kvp->kvp.vsp;
	snprintf(text, size, "under way %u, done %llu, refused %llu, unanswered %llu", vsp->jobs,
		(unsigned long long)vsp->done, (unsigned long long)vsp->refused,
		(unsigned long long)vsp->unanswered);
}

/* ---- answers -------------------------------------------------------------------------------- */

static json_t *item_json(const struct kvp_item *item)
{
	return json_pack("{s:s, s:s, s:s}", "key", item->key, "value", item->value, "type",
		type_names[item->type]);
}

static void list_item(
	struct kvp_job *job, uint32_t index, const struct kvp_item *item, enum kvp_reason reason)
{
	struct worker_kvp_request *request = job->ctx;
	json_t *object = reason == KVP_OK ? item_json(item)
					  : json_pack("{s:s, s:s}", "key", item->key, "error",
						    kvp_reason_name(reason));
	json_object_set_new(object, "index", json_integer(index));
	json_array_append_new(request->items, object);
}

static json_t *addresses_json(const struct kvp_address *at, uint16_t count, bool has_prefix)
{
	json_t *list = json_array();
	for (uint16_t i = 0; i < count; i++) {
		char text[KVP_ADDRESS_TEXT_BYTES];
		kvp_address_format(&at[i], text);
		json_t *entry = json_string(text);
		if (has_prefix)
			entry = json_pack("{s:o, s:o, s:s}", "address", entry, "prefix",
				at[i].prefix == KVP_PREFIX_UNKNOWN ? json_null()
								   : json_integer(at[i].prefix),
				"origin", origin_names[at[i].origin]);
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *ip_json(const struct kvp_ip *ip)
{
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:i}", "adapter", ip->adapter, "dhcp",
		ip->is_dhcp, "addresses", addresses_json(ip->addresses, ip->address_count, true),
		"gateways", addresses_json(ip->gateways, ip->gateway_count, false), "dns",
		addresses_json(ip->dns, ip->dns_count, false), "unreadable", ip->unreadable);
}

static json_t *success_json(struct worker_kvp_request *request)
{
	const struct kvp_job *job = &request->job;
	switch (job->kind) {
	case KVP_JOB_GET:
	case KVP_JOB_FIND:
		return item_json(&job->item);
	case KVP_JOB_LIST:
		return json_pack("{s:O, s:o}", "items", request->items, "next",
			job->is_at_end ? json_null() : json_integer(job->index));
	case KVP_JOB_GET_IP:
		return ip_json(&job->ip);
	default:
		return json_object();
	}
}

static const char *name_of(const struct kvp_job *job)
{
	static const char *const names[] = {
		[KVP_JOB_GET] = "kvp get",
		[KVP_JOB_FIND] = "kvp get",
		[KVP_JOB_LIST] = "kvp list",
		[KVP_JOB_SET] = "kvp set",
		[KVP_JOB_DELETE] = "kvp delete",
		[KVP_JOB_GET_IP] = "ip get",
		[KVP_JOB_SET_IP] = "ip set",
	};
	return names[job->kind];
}

/* What a refusal may come from. */
static const char *refusal_advice(const struct kvp_job *job)
{
	switch (job->kind) {
	case KVP_JOB_GET_IP:
		return "has it an adapter of that address?";
	case KVP_JOB_SET_IP:
		return "has it an adapter of that GUID, and a back end that sets addresses?";
	default:
		return "its daemon may say why";
	}
}

static void failure_say(
	const struct kvp_job *job, enum kvp_result result, struct control_error *error)
{
	const char *name = name_of(job);
	switch (result) {
	case KVP_NOT_FOUND:
		control_error_set(error, "%s: pool %s has no pair of that key", name,
			kvp_pool_name(job->pool));
		break;
	case KVP_REFUSED:
		control_error_set(error, "%s: the guest refuses, with status 0x%08x: %s", name,
			job->status, refusal_advice(job));
		break;
	case KVP_NO_ANSWER:
		control_error_set(error,
			"%s: the guest gave no answer; it may do it yet: see \"services\", and "
			"whether its daemon runs",
			name);
		break;
	case KVP_CLOSED:
		control_error_set(error, "%s: the guest left before it answered", name);
		break;
	case KVP_BAD_ANSWER:
		control_error_set(error, "%s: the guest's answer breaks a rule: %s", name,
			kvp_reason_name(job->reason));
		break;
	case KVP_UNSENT:
		control_error_set(error, "%s: %s", name,
			job->reason != KVP_OK
				? kvp_reason_name(job->reason)
				: "the guest answers nothing at present: try again later");
		break;
	case KVP_TOO_MANY:
		control_error_set(error,
			"%s: pool %s has more than %u pairs: they are not looked through", name,
			kvp_pool_name(job->pool), LIMIT_KVP_ITEMS);
		break;
	case KVP_DONE:
		break;
	}
}

static void request_free(struct worker_kvp_request *request)
{
	json_decref(request->items);
	request->items = NULL;
	request->is_used = false;
}

static void request_done(struct kvp_job *job, enum kvp_result result)
{
	struct worker_kvp_request *request = job->ctx;
	struct control_error error = {0};
	json_t *answer = NULL;
	bool is_bound = result == KVP_TOO_MANY && job->kind == KVP_JOB_LIST;
	if (is_bound)
		job->is_at_end = true; /* as far as is looked */
	if (result == KVP_DONE || is_bound)
		answer = success_json(request);
	if (is_bound)
		json_object_set_new(answer, "is_cut", json_true());
	else
		failure_say(job, result, request->early != NULL ? request->early : &error);
	struct control_ticket ticket = request->ticket;
	request_free(request);
	if (request->early == NULL)
		control_socket_answer(request->worker->control, &ticket, answer, &error);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* A request that is not used; NULL with *error set: none, or the service is not offered. */
static struct worker_kvp_request *request_take(
	struct worker *worker, const char *name, struct control_error *error)
{
	struct worker_kvp *kvp = &worker->services.kvp;
	if (!worker->services.slots[OPTIONS_SERVICE_KVP].is_offered) {
		control_error_set(error,
			"%s: the worker does not offer the service to its guest (--services)",
			name);
		return NULL;
	}
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct worker_kvp_request *request = &kvp->requests[i];
		if (request->is_used)
			continue;
		request->worker = worker;
		request->job = (struct kvp_job){
			.item_came = list_item, .done = request_done, .ctx = request};
		return request;
	}
	control_error_set(error, "%s: too many requests are under way: try again later", name);
	return NULL;
}

static const char *start_advice(const struct worker *worker, const struct kvp_job *job, int error)
{
	const struct ic_provider *provider = &worker->services.kvp.kvp.provider;
	if (error == -EINVAL)
		return kvp_reason_name(job->reason);
	if (error == -ENOBUFS)
		return "too many requests are under way: try again later";
	if (provider->ic->state == IC_HOST_NEGOTIATING)
		return "the guest has not agreed on a version yet: its daemon may not run (Linux: "
		       "hv_kvp_daemon or vmic-kvp)";
	return worker_service_why_not(provider, error);
}

/* Start the job, and keep the ticket; or say in *error why not. */
static void request_start(struct worker_kvp_request *request, unsigned timeout_s,
	struct control_ticket *ticket, struct control_error *error)
{
	struct worker *worker = request->worker;
	struct kvp_job *job = &request->job;
	job->patience_ns = timeout_s * NS_PER_SECOND;
	request->items = job->kind == KVP_JOB_LIST ? json_array() : NULL;
	request->is_used = true;
	/* What fails at once is answered at once. */
	request->early = error;
	int result = kvp_provider_start(&worker->services.kvp.kvp, job);
	request->early = NULL;
	if (result != 0) {
		request_free(request);
		control_error_set(error, "%s: %s", name_of(job), start_advice(worker, job, result));
	} else if (request->is_used) {
		request->ticket = control_ticket_take(ticket);
		request->ticket.is_taken = true;
	}
}

static bool item_take(
	struct kvp_item *item, const struct control_kvp *what, struct control_error *error)
{
	const char *value = what->value != NULL ? what->value : "";
	bool is_number = what->type == KVP_TYPE_U32 || what->type == KVP_TYPE_U64;
	item->type = what->type;
	if (what->key != NULL)
		snprintf(item->key, sizeof item->key, "%s", what->key);
	snprintf(item->value, sizeof item->value, "%s", value);
	if (!is_number || what->action != CONTROL_KVP_SET)
		return true;
	if (kvp_number_parse(
		    value, what->type == KVP_TYPE_U32 ? UINT32_MAX : UINT64_MAX, &item->number))
		return true;
	control_error_set(error, "kvp set: the value is not a number that fits in a %s",
		type_names[what->type]);
	return false;
}

json_t *worker_kvp_command(void *ctx, const struct control_kvp *what, struct control_ticket *ticket,
	struct control_error *error)
{
	static const enum kvp_job_kind kinds[] = {
		[CONTROL_KVP_DELETE] = KVP_JOB_DELETE,
		[CONTROL_KVP_GET] = KVP_JOB_FIND,
		[CONTROL_KVP_LIST] = KVP_JOB_LIST,
		[CONTROL_KVP_SET] = KVP_JOB_SET,
	};
	struct worker_kvp_request *request = request_take(ctx, "kvp", error);
	if (request == NULL || !item_take(&request->job.item, what, error))
		return NULL;
	struct kvp_job *job = &request->job;
	job->kind = what->is_direct ? KVP_JOB_GET : kinds[what->action];
	job->pool = what->pool;
	job->index = what->index;
	job->count_max = what->count != 0 ? what->count : CONTROL_KVP_PAGE_MAX;
	request_start(request, what->timeout_s, ticket, error);
	return NULL;
}

/* Read a list joined by commas, with prefixes or without. */
static bool addresses_take(const char *text, bool has_prefix, struct kvp_address *at, uint16_t max,
	uint16_t *count, struct control_error *error)
{
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, ",");
		const char *slash = memchr(text, '/', length);
		size_t of_address = slash != NULL ? (size_t)(slash - text) : length;
		struct kvp_address address;
		bool is_good = (slash != NULL) == has_prefix &&
			       kvp_address_parse(text, of_address, &address);
		if (is_good && has_prefix)
			address.prefix = kvp_prefix_parse(
				slash + 1, length - of_address - 1, address.family);
		if (!is_good || (has_prefix && address.prefix == KVP_PREFIX_UNKNOWN)) {
			control_error_set(error, "ip set: '%.*s' is not %s", (int)length, text,
				has_prefix ? "an address and its prefix" : "an address");
			return false;
		}
		if (*count == max) {
			control_error_set(error, "ip set: more than %u addresses of a kind", max);
			return false;
		}
		address.origin = has_prefix ? KVP_ORIGIN_STATIC : KVP_ORIGIN_UNKNOWN;
		at[(*count)++] = address;
		text += length + (text[length] == ',' ? 1 : 0);
	}
	return true;
}

/* Hyper-V names an adapter to be set by its GUID in braces, in lower case (R-KVP-010). */
static bool ip_take(struct kvp_ip *ip, const struct control_ip *what, struct control_error *error)
{
	struct guid id;
	char text[GUID_TEXT_BYTES];
	if (guid_parse(what->adapter, &id) != 0) {
		control_error_set(
			error, "ip set: '%s' is not the GUID of an adapter", what->adapter);
		return false;
	}
	snprintf(ip->adapter, sizeof ip->adapter, "{%s}", guid_format(&id, text));
	ip->is_dhcp = what->is_dhcp;
	if (!addresses_take(what->addresses, true, ip->addresses, 2 * KVP_ADDRESSES_MAX,
		    &ip->address_count, error) ||
		!addresses_take(what->gateways, false, ip->gateways, 2 * KVP_GATEWAYS_MAX,
			&ip->gateway_count, error) ||
		!addresses_take(
			what->dns, false, ip->dns, 2 * KVP_ADDRESSES_MAX, &ip->dns_count, error))
		return false;
	for (uint16_t i = 0; i < ip->address_count; i++)
		ip->family |= ip->addresses[i].family;
	if (ip->family == KVP_FAMILY_NONE)
		ip->family = KVP_FAMILY_IPV4;
	return true;
}

json_t *worker_ip_command(void *ctx, const struct control_ip *what, struct control_ticket *ticket,
	struct control_error *error)
{
	struct worker_kvp_request *request = request_take(ctx, "ip", error);
	if (request == NULL)
		return NULL;
	struct kvp_job *job = &request->job;
	job->kind = what->is_set ? KVP_JOB_SET_IP : KVP_JOB_GET_IP;
	if (what->is_set) {
		if (!ip_take(&job->ip, what, error))
			return NULL;
	} else {
		job->ip.family = KVP_FAMILY_BOTH;
		snprintf(job->ip.adapter, sizeof job->ip.adapter, "%s", what->adapter);
	}
	request_start(request, what->timeout_s, ticket, error);
	return NULL;
}

/* Else a guest that never comes to the end of a pool could keep all of them. */
void worker_kvp_client_gone(struct worker *worker, uint64_t connection)
{
	struct worker_kvp *kvp = &worker->services.kvp;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct worker_kvp_request *request = &kvp->requests[i];
		if (!request->is_used || request->ticket.connection != connection)
			continue;
		struct control_ticket ticket = request->ticket;
		kvp_provider_cancel(&kvp->kvp, &request->job);
		request_free(request);
		control_socket_answer(worker->control, &ticket, NULL, &(struct control_error){0});
	}
}
