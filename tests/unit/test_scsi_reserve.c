// SPDX-License-Identifier: Apache-2.0
/*
 * Persistent reservations: two controllers that share a disk.
 */
#include "host/vsp/scsi_internal.h"
#include "tests/unit/scsi_fixture.h"

struct pair {
	struct fixture *a;
	struct fixture *b; /* shares a's device */
};

static struct pair pair_make(void)
{
	struct pair p = {fixture_disk(), calloc(1, sizeof *p.b)};
	p.b->store = p.a->store;
	p.b->device = p.a->device;
	p.b->data = malloc(FIXTURE_DATA_MAX + 64);
	scsi_commands_init(&p.b->commands);
	CU_ASSERT_EQUAL_FATAL(scsi_scratch_init(&p.b->scratch), 0);
	CU_ASSERT_EQUAL_FATAL(scsi_nexus_attach(&p.b->nexus, p.b->device, 2), 0);
	return p;
}

static void pair_free(struct pair *p)
{
	scsi_nexus_detach(&p->b->nexus);
	scsi_scratch_destroy(&p->b->scratch);
	free(p->b->data);
	free(p->b);
	fixture_free(p->a);
}

/* PERSISTENT RESERVE OUT. */
static void pr_out(
	struct fixture *f, uint8_t action, uint8_t type, uint64_t key, uint64_t service_key)
{
	memset(f->data, 0, 24);
	scsi_put64(f->data, key);
	scsi_put64(f->data + 8, service_key);
	RUN_OUT(f, 24, 0x5F, action, type, 0, 0, 0, 0, 0, 24);
}

static void pr_in(struct fixture *f, uint8_t action)
{
	RUN_IN(f, 255, 0x5E, action, 0, 0, 0, 0, 0, 0, 255);
}

#define ASSERT_CONFLICT(f)                                                                         \
	do {                                                                                       \
		CU_ASSERT_EQUAL((f)->request.scsi_status, 0x18);                                   \
		CU_ASSERT_EQUAL((f)->request.srb_status, 0x04);                                    \
		CU_ASSERT_EQUAL((f)->request.sense_bytes, 0);                                      \
		CU_ASSERT_EQUAL((f)->request.moved_bytes, 0);                                      \
	} while (0)

static void write_block(struct fixture *f)
{
	RUN_OUT(f, 512, 0x2A, 0, 0, 0, 0, 0, 0, 0, 1);
}

static void read_block(struct fixture *f)
{
	RUN_IN(f, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1);
}

static void capabilities_have_their_exact_bytes(void)
{
	struct fixture *f = fixture_disk();
	pr_in(f, 2);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0x08, 0x00, 0x80, 0xEA, 0x01, 0x00, 0x00);
	pr_in(f, 0);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0, 0, 0, 0, 0, 0, 0, 0);
	pr_in(f, 4);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 254, 0x5E, 0, 0, 0, 0, 0, 0, 0, 255);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 255, 0x5E, 0, 0, 0, 0, 0, 0, 0, 7);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_free(f);
}

/* R-STOR-043: what each type of reservation leaves to others. */
static void each_type_excludes_what_it_says(void)
{
	static const struct {
		uint8_t type;
		bool stranger_reads, registrant_reads, registrant_writes;
	} rows[] = {
		{1, true, true, false},
		{3, false, false, false},
		{5, true, true, true},
		{6, false, true, true},
		{7, true, true, true},
		{8, false, true, true},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pair p = pair_make();
		pr_out(p.a, 0, 0, 0, 0xAAAA);
		ASSERT_GOOD(p.a, 24);
		pr_out(p.a, 1, rows[i].type, 0xAAAA, 0);
		ASSERT_GOOD(p.a, 24);
		write_block(p.a);
		ASSERT_GOOD(p.a, 512);
		write_block(p.b);
		ASSERT_CONFLICT(p.b);
		read_block(p.b);
		CU_ASSERT_EQUAL(p.b->request.scsi_status, rows[i].stranger_reads ? 0 : 0x18);
		RUN_NONE(p.b, 0x35);
		ASSERT_CONFLICT(p.b);
		RUN_IN(p.b, 36, 0x12, 0, 0, 0, 36);
		ASSERT_GOOD(p.b, 36);
		RUN_NONE(p.b, 0x00);
		ASSERT_GOOD(p.b, 0);
		pr_out(p.b, 0, 0, 0, 0xBBBB);
		ASSERT_GOOD(p.b, 24);
		read_block(p.b);
		CU_ASSERT_EQUAL(p.b->request.scsi_status, rows[i].registrant_reads ? 0 : 0x18);
		write_block(p.b);
		CU_ASSERT_EQUAL(p.b->request.scsi_status, rows[i].registrant_writes ? 0 : 0x18);
		pair_free(&p);
	}
}

static void status_shows_keys_holder_and_type(void)
{
	struct pair p = pair_make();
	pr_out(p.a, 0, 0, 0, 0x1122334455667788);
	pr_out(p.b, 0, 0, 0, 0xBB);
	pr_in(p.a, 0);
	ASSERT_GOOD(p.a, 24);
	ASSERT_DATA(p.a, 0, 0, 0, 2, 0, 0, 0, 16, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0,
		0, 0, 0, 0, 0, 0, 0xBB);
	pr_in(p.b, 1); /* nothing reserved: header alone */
	ASSERT_GOOD(p.b, 8);
	pr_out(p.a, 1, 5, 0x1122334455667788, 0);
	pr_in(p.b, 1);
	ASSERT_GOOD(p.b, 24);
	ASSERT_DATA(p.b, 0, 0, 0, 2, 0, 0, 0, 16, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0,
		0, 0, 0, 0, 0x05, 0, 0);
	pr_in(p.b, 3);
	ASSERT_GOOD(p.b, 8 + 2 * 24);
	CU_ASSERT_EQUAL(p.b->data[8 + 12], 1);
	CU_ASSERT_EQUAL(p.b->data[8 + 24 + 12], 0);
	pair_free(&p);
}

static void registering_needs_the_present_key(void)
{
	struct pair p = pair_make();
	pr_out(p.a, 0, 0, 0x99, 0xAA); /* not registered: the present key is 0 */
	ASSERT_CONFLICT(p.a);
	pr_out(p.a, 0, 0, 0, 0xAA);
	ASSERT_GOOD(p.a, 24);
	pr_out(p.a, 0, 0, 0, 0xAB);
	ASSERT_CONFLICT(p.a);
	pr_out(p.a, 6, 0, 0x99, 0xAC); /* and ignore existing key */
	ASSERT_GOOD(p.a, 24);
	pr_out(p.a, 1, 1, 0xAA, 0); /* the old key */
	ASSERT_CONFLICT(p.a);
	pr_out(p.a, 1, 1, 0xAC, 0);
	ASSERT_GOOD(p.a, 24);
	pr_out(p.b, 1, 1, 0, 0); /* not registered */
	ASSERT_CONFLICT(p.b);
	pr_out(p.a, 0, 0, 0xAC, 0); /* unregistering releases */
	ASSERT_GOOD(p.a, 24);
	write_block(p.b);
	ASSERT_GOOD(p.b, 512);
	pair_free(&p);
}

static void reserve_and_release(void)
{
	struct pair p = pair_make();
	pr_out(p.a, 0, 0, 0, 0xAA);
	pr_out(p.b, 0, 0, 0, 0xBB);
	pr_out(p.a, 1, 5, 0xAA, 0);
	pr_out(p.a, 1, 5, 0xAA, 0); /* again, the same */
	ASSERT_GOOD(p.a, 24);
	pr_out(p.a, 1, 6, 0xAA, 0); /* another type */
	ASSERT_CONFLICT(p.a);
	pr_out(p.b, 1, 5, 0xBB, 0);
	ASSERT_CONFLICT(p.b);
	pr_out(p.b, 2, 5, 0xBB, 0); /* not the holder: good, no effect */
	ASSERT_GOOD(p.b, 24);
	CU_ASSERT(p.a->device->is_reserved);
	pr_out(p.a, 2, 6, 0xAA, 0);
	ASSERT_SENSE(p.a, 0x06, 5, 0x24, 0x00);
	pr_out(p.a, 2, 5, 0xAA, 0);
	ASSERT_GOOD(p.a, 24);
	CU_ASSERT(!p.a->device->is_reserved);
	RUN_NONE(p.b, 0x00); /* the other registrant hears of it */
	ASSERT_SENSE(p.b, 0x04, 6, 0x2A, 0x04);
	RUN_NONE(p.a, 0x00);
	ASSERT_GOOD(p.a, 0);
	pair_free(&p);
}

static void preempting_takes_over_and_unregisters(void)
{
	for (unsigned action = 4; action <= 5; action++) {
		struct pair p = pair_make();
		pr_out(p.a, 0, 0, 0, 0xAA);
		pr_out(p.b, 0, 0, 0, 0xBB);
		pr_out(p.a, 1, 1, 0xAA, 0);
		pr_out(p.b, (uint8_t)action, 3, 0xBB, 0xCC); /* nobody's key */
		ASSERT_CONFLICT(p.b);
		pr_out(p.b, (uint8_t)action, 3, 0xBB, 0);
		ASSERT_SENSE(p.b, 0x06, 5, 0x26, 0x00);
		pr_out(p.b, (uint8_t)action, 3, 0xBB, 0xAA);
		ASSERT_GOOD(p.b, 24);
		write_block(p.b);
		ASSERT_GOOD(p.b, 512);
		read_block(p.a);
		ASSERT_SENSE(p.a, 0x04, 6, 0x2A, 0x05);
		read_block(p.a);
		ASSERT_CONFLICT(p.a);
		pair_free(&p);
	}
}

static void clear_removes_everything(void)
{
	struct pair p = pair_make();
	pr_out(p.a, 0, 0, 0, 0xAA);
	pr_out(p.b, 0, 0, 0, 0xBB);
	pr_out(p.a, 1, 8, 0xAA, 0);
	pr_out(p.b, 3, 0, 0xBB, 0);
	ASSERT_GOOD(p.b, 24);
	RUN_NONE(p.a, 0x00);
	ASSERT_SENSE(p.a, 0x04, 6, 0x2A, 0x03);
	pr_in(p.b, 0);
	ASSERT_GOOD(p.b, 8);
	write_block(p.a);
	ASSERT_GOOD(p.a, 512);
	pair_free(&p);
}

static void parameter_lists_are_checked(void)
{
	struct fixture *f = fixture_disk();
	memset(f->data, 0, 32);
	RUN_OUT(f, 23, 0x5F, 0, 0, 0, 0, 0, 0, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_OUT(f, 25, 0x5F, 0, 0, 0, 0, 0, 0, 0, 25);
	ASSERT_SENSE(f, 0x06, 5, 0x1A, 0x00);
	pr_out(f, 1, 0x11, 0, 0); /* scope */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	pr_out(f, 7, 0, 0, 0); /* register and move */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	memset(f->data, 0, 24);
	f->data[20] = 0x08; /* SPEC_I_PT */
	RUN_OUT(f, 24, 0x5F, 0, 0, 0, 0, 0, 0, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x26, 0x00);
	f->data[20] = 0x01; /* APTPL: not kept through power loss */
	RUN_OUT(f, 24, 0x5F, 0, 0, 0, 0, 0, 0, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x26, 0x00);
	pr_out(f, 6, 0, 0, 0xAA);
	pr_out(f, 1, 2, 0xAA, 0); /* type */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_free(f);
}

static void a_nexus_that_goes_takes_its_reservation_along(void)
{
	struct pair p = pair_make();
	pr_out(p.b, 0, 0, 0, 0xBB);
	pr_out(p.b, 1, 3, 0xBB, 0);
	read_block(p.a);
	ASSERT_CONFLICT(p.a);
	scsi_nexus_detach(&p.b->nexus);
	read_block(p.a);
	ASSERT_GOOD(p.a, 512);
	CU_ASSERT_EQUAL(scsi_nexus_attach(&p.b->nexus, p.a->device, 2), 0);
	pair_free(&p);
}

static void a_device_has_a_bounded_number_of_nexuses(void)
{
	struct fixture *f = fixture_disk();
	static struct scsi_nexus nexuses[SCSI_NEXUSES_MAX];
	for (unsigned i = 0; i + 1 < SCSI_NEXUSES_MAX; i++)
		CU_ASSERT_EQUAL(scsi_nexus_attach(&nexuses[i], f->device, i), 0);
	struct scsi_nexus more;
	CU_ASSERT_EQUAL(scsi_nexus_attach(&more, f->device, 99), -ENOSPC);
	for (unsigned i = 0; i + 1 < SCSI_NEXUSES_MAX; i++)
		scsi_nexus_detach(&nexuses[i]);
	fixture_free(f);
}

/* R-STOR-078. */
static void attentions_and_sense_are_each_controllers_own(void)
{
	struct pair p = pair_make();
	scsi_nexus_raise(&p.a->nexus, SCSI_ATTENTION_CAPACITY);
	RUN_NONE(p.b, 0x00);
	ASSERT_GOOD(p.b, 0);
	RUN_NONE(p.a, 0x00);
	ASSERT_SENSE(p.a, 0x04, 6, 0x2A, 0x09);
	RUN_NONE(p.b, 0xFF);
	ASSERT_SENSE(p.b, 0x06, 5, 0x20, 0x00);
	RUN_IN(p.a, 18, 0x03, 0, 0, 0, 18); /* its own sense was of the attention */
	ASSERT_DATA(p.a, 0x70, 0, 6, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0x2A);
	RUN_IN(p.b, 18, 0x03, 0, 0, 0, 18);
	ASSERT_DATA(p.b, 0x70, 0, 5, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0x20);
	pair_free(&p);
}

static const struct test tests[] = {
	TEST(capabilities_have_their_exact_bytes),
	TEST(each_type_excludes_what_it_says),
	TEST(status_shows_keys_holder_and_type),
	TEST(registering_needs_the_present_key),
	TEST(reserve_and_release),
	TEST(preempting_takes_over_and_unregisters),
	TEST(clear_removes_everything),
	TEST(parameter_lists_are_checked),
	TEST(a_nexus_that_goes_takes_its_reservation_along),
	TEST(a_device_has_a_bounded_number_of_nexuses),
	TEST(attentions_and_sense_are_each_controllers_own),
};
TEST_MAIN("scsi_reserve", tests)
