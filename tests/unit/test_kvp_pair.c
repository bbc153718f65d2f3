// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs: the host's machine and the guest's wired to each other, at each pair of
 * versions.
 */
#include "host/vsp/kvp_vsp.h"
#include "tests/harness.h"
#include "tests/unit/ic_session_rig.h"
#include "tests/unit/kvp_guest.h"

struct pair {
	struct session_rig rig;
	struct kvp_vsp vsp;
	struct kvp_guest guest;
	struct kvp_job job;
	unsigned dones;
	enum kvp_result result;
	unsigned items;
	struct kvp_item last;
};

static struct pair pair;

static const struct kvp_vsp_ops ops = {.session = {.send = rig_send, .failed = rig_failed}};

static void on_done(struct kvp_job *job, enum kvp_result result)
{
	struct pair *p = job->ctx;
	p->dones++;
	p->result = result;
}

static void on_item(
	struct kvp_job *job, uint32_t index, const struct kvp_item *item, enum kvp_reason reason)
{
	struct pair *p = job->ctx;
	CU_ASSERT_EQUAL(reason, KVP_OK);
	CU_ASSERT_EQUAL(index, p->items);
	p->items++;
	p->last = *item;
}

static struct pair *agreed(struct ic_version_list host, struct ic_version_list guest)
{
	static struct ic_component component;
	static struct ic_guest_service service;
	struct pair *p = &pair;
	memset(p, 0, sizeof *p);
	p->rig.now = 100 * RIG_SECOND;
	p->rig.session = &p->vsp.session;
	kvp_vsp_init(&p->vsp, &ops, p);
	kvp_guest_init(&p->guest);
	component = component_of(IC_TYPE_KVP, p->vsp.session.ic.component->frameworks, host);
	service = service_of(&kvp_ic_service, kvp_ic_service.frameworks, guest);
	p->vsp.session.ic.component = &component;
	p->guest.ic.ic.service = &service;
	ic_session_on_open(&p->vsp.session, p->rig.now);
	CU_ASSERT_TRUE(rig_guest_answers(&p->rig, &p->guest.ic.ic));
	return p;
}

static const struct ic_version_wire versions[] = {{1, 0}, {3, 0}, {4, 0}, {5, 0}};
#define ALL ((struct ic_version_list){versions, 4})

static struct kvp_job *job_of(struct pair *p, enum kvp_job_kind kind, uint8_t pool, const char *key)
{
	p->job = (struct kvp_job){.kind = kind,
		.pool = pool,
		.count_max = 1000,
		.item_came = on_item,
		.done = on_done,
		.ctx = p};
	p->job.item.type = KVP_TYPE_STRING;
	snprintf(p->job.item.key, sizeof p->job.item.key, "%s", key);
	return &p->job;
}

/* Start the job, and answer until it is over. */
static enum kvp_result carry_out(struct pair *p)
{
	unsigned dones = p->dones;
	p->items = 0;
	CU_ASSERT_EQUAL_FATAL(kvp_vsp_start(&p->vsp, &p->job, p->rig.now), 0);
	while (p->dones == dones)
		CU_ASSERT_TRUE_FATAL(rig_guest_answers(&p->rig, &p->guest.ic.ic));
	return p->result;
}

static enum kvp_result set(struct pair *p, uint8_t pool, const char *key, const char *value)
{
	struct kvp_job *job = job_of(p, KVP_JOB_SET, pool, key);
	snprintf(job->item.value, sizeof job->item.value, "%s", value);
	return carry_out(p);
}

static void run_operations(struct pair *p)
{
	CU_ASSERT_EQUAL(set(p, KVP_POOL_EXTERNAL, "k", "v"), KVP_DONE);
	CU_ASSERT_EQUAL(set(p, KVP_POOL_EXTERNAL, "k", "w"), KVP_DONE);
	CU_ASSERT_EQUAL(set(p, KVP_POOL_AUTO_EXTERNAL, "k", "other"), KVP_DONE);
	job_of(p, KVP_JOB_GET, KVP_POOL_EXTERNAL, "k");
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_STRING_EQUAL(p->job.item.value, "w");
	job_of(p, KVP_JOB_FIND, KVP_POOL_AUTO_EXTERNAL, "k");
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_STRING_EQUAL(p->job.item.value, "other");
	job_of(p, KVP_JOB_DELETE, KVP_POOL_EXTERNAL, "k");
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_EQUAL(carry_out(p), KVP_NOT_FOUND);
	job_of(p, KVP_JOB_GET, KVP_POOL_EXTERNAL, "k");
	CU_ASSERT_EQUAL(carry_out(p), KVP_NOT_FOUND);
	job_of(p, KVP_JOB_LIST, KVP_POOL_AUTO, "");
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_EQUAL(p->items, 10);
	CU_ASSERT_STRING_EQUAL(p->last.key, "ProcessorArchitecture");
	CU_ASSERT_STRING_EQUAL(p->last.value, "value 9");
	job_of(p, KVP_JOB_LIST, KVP_POOL_GUEST, "");
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_EQUAL(p->items, 0);
}

static struct kvp_address address_of(const char *text, uint8_t prefix)
{
	struct kvp_address address = {0};
	CU_ASSERT_TRUE(kvp_address_parse(text, strlen(text), &address));
	address.prefix = prefix;
	return address;
}

static void run_addresses(struct pair *p)
{
	struct kvp_job *job = job_of(p, KVP_JOB_SET_IP, 0, "");
	snprintf(job->ip.adapter, sizeof job->ip.adapter, "%s", p->guest.guid);
	job->ip.family = KVP_FAMILY_BOTH;
	job->ip.is_dhcp = true;
	job->ip.addresses[0] = address_of("192.0.2.5", 24);
	job->ip.addresses[1] = address_of("2001:db8::5", 64);
	job->ip.gateways[0] = address_of("192.0.2.1", KVP_PREFIX_UNKNOWN);
	job->ip.dns[0] = address_of("2001:db8::53", KVP_PREFIX_UNKNOWN);
	job->ip.address_count = 2;
	job->ip.gateway_count = 1;
	job->ip.dns_count = 1;
	const struct kvp_ip asked = job->ip;
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	job = job_of(p, KVP_JOB_GET_IP, 0, "");
	snprintf(job->ip.adapter, sizeof job->ip.adapter, "%s", p->guest.mac);
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_STRING_EQUAL(job->ip.adapter, p->guest.mac);
	CU_ASSERT_TRUE(job->ip.is_dhcp);
	CU_ASSERT_EQUAL(job->ip.address_count, 2);
	CU_ASSERT_EQUAL(job->ip.unreadable, 0);
	CU_ASSERT_EQUAL(memcmp(job->ip.addresses, asked.addresses, sizeof asked.addresses), 0);
	CU_ASSERT_EQUAL(memcmp(job->ip.gateways, asked.gateways, sizeof asked.gateways), 0);
	CU_ASSERT_EQUAL(memcmp(job->ip.dns, asked.dns, sizeof asked.dns), 0);
	job = job_of(p, KVP_JOB_GET_IP, 0, "");
	snprintf(job->ip.adapter, sizeof job->ip.adapter, "00:00:00:00:00:00");
	CU_ASSERT_EQUAL(carry_out(p), KVP_REFUSED);
	CU_ASSERT_EQUAL(job->status, IC_STATUS_NOT_FOUND);
}

/*
 * R-IC-004, R-KVP-003, R-KVP-005, R-KVP-006, R-KVP-007, R-KVP-009, R-KVP-011, R-KVP-022, R-KVP-028,
 * R-KVP-032, R-KVP-035.
 */
static void each_pair_of_versions_does_every_operation(void)
{
	for (unsigned host = 0; host < 4; host++) {
		for (unsigned guest = 0; guest < 4; guest++) {
			struct pair *p = agreed(
				(struct ic_version_list){versions, (uint16_t)(host + 1)},
				(struct ic_version_list){versions, (uint16_t)(guest + 1)});
			unsigned lower = host < guest ? host : guest;
			CU_ASSERT_EQUAL_FATAL(p->vsp.session.ic.state, IC_HOST_READY);
			CU_ASSERT_EQUAL(
				p->vsp.session.ic.agreement.message.major, versions[lower].major);
			run_operations(p);
			run_addresses(p);
			CU_ASSERT_EQUAL(ic_host_rejections(&p->vsp.session.ic), 0);
			CU_ASSERT_EQUAL(p->guest.ic.ic.rejections[IC_REJECT_BODY_CONTENT], 0);
		}
	}
}

/* The longest key and value, in one, two, three and four bytes of UTF-8 a letter. */
static void the_longest_texts_go_there_and_come_back(void)
{
	static const char *const letters[] = {"k", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	for (unsigned l = 0; l < 4; l++) {
		struct pair *p = agreed(ALL, ALL);
		struct kvp_job *job = job_of(p, KVP_JOB_SET, KVP_POOL_EXTERNAL, "");
		size_t bytes = strlen(letters[l]);
		unsigned units = l == 3 ? 2 : 1;
		for (unsigned i = 0; i < 255 / units; i++)
			memcpy(job->item.key + i * bytes, letters[l], bytes);
		for (unsigned i = 0; i < 1023 / units; i++)
			memcpy(job->item.value + i * bytes, letters[l], bytes);
		const struct kvp_item item = job->item;
		CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
		job_of(p, KVP_JOB_FIND, KVP_POOL_EXTERNAL, item.key);
		CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
		CU_ASSERT_STRING_EQUAL(p->job.item.key, item.key);
		CU_ASSERT_STRING_EQUAL(p->job.item.value, item.value);
	}
}

/* R-KVP-024. */
static void numbers_go_there_and_come_back(void)
{
	struct pair *p = agreed(ALL, ALL);
	struct kvp_job *job = job_of(p, KVP_JOB_SET, KVP_POOL_EXTERNAL, "n");
	job->item.type = KVP_TYPE_U64;
	job->item.number = UINT64_MAX;
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_STRING_EQUAL(p->guest.pairs[0][0].value, "18446744073709551615");
	job_of(p, KVP_JOB_GET, KVP_POOL_EXTERNAL, "n");
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_EQUAL(p->job.item.type, KVP_TYPE_U64);
	CU_ASSERT_EQUAL(p->job.item.number, UINT64_MAX);
}

/* R-KVP-033: a page after the other, as a client gets a pool. */
static void a_pool_comes_in_pages(void)
{
	struct pair *p = agreed(ALL, ALL);
	for (unsigned i = 0; i < 40; i++) {
		char key[16];
		snprintf(key, sizeof key, "key %u", i);
		CU_ASSERT_EQUAL(set(p, KVP_POOL_GUEST, key, "v"), KVP_DONE);
	}
	struct kvp_job *job = job_of(p, KVP_JOB_LIST, KVP_POOL_GUEST, "");
	job->count_max = 32;
	CU_ASSERT_EQUAL(carry_out(p), KVP_DONE);
	CU_ASSERT_EQUAL(job->count, 32);
	CU_ASSERT_FALSE(job->is_at_end);
	CU_ASSERT_EQUAL(job->index, 32);
	unsigned dones = p->dones;
	p->items = 32;
	CU_ASSERT_EQUAL(kvp_vsp_start(&p->vsp, job, p->rig.now), 0);
	while (p->dones == dones)
		CU_ASSERT_TRUE_FATAL(rig_guest_answers(&p->rig, &p->guest.ic.ic));
	CU_ASSERT_EQUAL(p->items, 40);
	CU_ASSERT_TRUE(job->is_at_end);
}

static const struct test tests[] = {
	TEST(each_pair_of_versions_does_every_operation),
	TEST(the_longest_texts_go_there_and_come_back),
	TEST(numbers_go_there_and_come_back),
	TEST(a_pool_comes_in_pages),
};

TEST_MAIN("kvp_pair", tests)
