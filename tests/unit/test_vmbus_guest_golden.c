// SPDX-License-Identifier: Apache-2.0
/*
 * Our VMBus client says what a real guest says: recorded sessions of unmodified Linux guests
 * (tests/data/vmbus_guest_*.txt) are replayed. The client gets the messages that the real
 * guest got, is asked to do what that guest did, with the same pages, and must post the same
 * bytes to the same connections: every field, every reserved zero, every size.
 *
 * What is taken from the recording, for it differs from run to run: page numbers, monitor
 * and interrupt page addresses, target VPs, and, where drivers loaded in parallel, the order of
 * GPADL ids. Order is compared for each channel, not across channels.
 *
 * Two differences are wanted. After a rescind the recorded guest releases the relid without
 * tearing its GPADLs down; ours tears them down first, which a host must answer (R-RESC-006).
 * And before UNLOAD ours closes what is open (R-UNL-010).
 *
 * Test programs run in the root of the tree.
 */
#include "tests/unit/vmbus_client_host.h"

#include "tests/harness.h"

#include <stdio.h>

#define LINES_MAX 256u
#define PFNS_MAX  8190u

struct line {
	char kind; /* '>' guest, '<' host, '*' left out */
	uint32_t connection_id;
	uint32_t skipped_posts, skipped_pfns;
	size_t bytes;
	uint8_t payload[240];
};

struct session {
	struct line lines[LINES_MAX];
	unsigned count;
	struct host *host;
	bool consumed[HOST_POSTS_MAX];
	unsigned compared;
	struct vmbus_client_channel channels[32]; /* by relid */
	struct vmbus_client_gpadl gpadls[32];	  /* buffers, in order of creation */
	unsigned gpadl_count;
	uint64_t pfns[32][PFNS_MAX];
	bool keeps_gpadl_order;
};

static bool line_parse(const char *text, struct line *line)
{
	char hex[500] = "";

	memset(line, 0, sizeof *line);
	line->kind = text[0];
	if (text[0] == '*')
		return sscanf(text, "* %u %u", &line->skipped_posts, &line->skipped_pfns) == 2;
	if (text[0] == '>' && sscanf(text, "> %u %499s", &line->connection_id, hex) != 2)
		return false;
	if (text[0] == '<' && sscanf(text, "< %499s", hex) != 1)
		return false;
	line->bytes = strlen(hex) / 2;
	for (size_t i = 0; i < line->bytes && i < sizeof line->payload; i++) {
		unsigned byte;
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		line->payload[i] = (uint8_t)byte;
	}
	return line->bytes >= 8 && line->bytes <= sizeof line->payload;
}

static struct session *session_read(const char *path)
{
	struct session *s = calloc(1, sizeof *s);
	FILE *file = fopen(path, "r");
	char text[1024];

	if (s == NULL || file == NULL) {
		CU_FAIL("recording is readable");
		free(s);
		return NULL;
	}
	while (fgets(text, sizeof text, file) != NULL) {
		if (text[0] == '#')
			continue;
		if (s->count == LINES_MAX || !line_parse(text, &s->lines[s->count++]))
			CU_FAIL("recording is well-formed");
	}
	fclose(file);
	return s;
}

/* The recorded message of a type whose u32 at `offset` is `value`, at or after line `from`. */
static const struct line *line_find(
	const struct session *s, unsigned from, uint32_t type, unsigned offset, uint32_t value)
{
	for (unsigned i = from; i < s->count; i++)
		if (s->lines[i].kind == '>' && get32(s->lines[i].payload) == type &&
			get32(s->lines[i].payload + offset) == value)
			return &s->lines[i];
	return NULL;
}

/* Our oldest post that was not compared and has these very bytes; marks it. */
static bool post_take(struct session *s, const struct line *expected)
{
	for (unsigned i = 0; s->host && i < s->host->post_count; i++) {
		const struct host_post *post = &s->host->posts[i];
		if (s->consumed[i] || post->bytes != expected->bytes ||
			post->connection_id != expected->connection_id ||
			memcmp(post->payload, expected->payload, expected->bytes) != 0)
			continue;
		s->consumed[i] = true;
		s->compared++;
		return true;
	}
	return false;
}

/* ---- doing what the recorded guest did ------------------------------------------------------ */

static void do_connect(struct session *s, unsigned at)
{
	struct vmbus_client_config config = {.version_max = 0x50003};
	const struct line *line = &s->lines[at];

	/* the page that is named to versions below 5.0 only */
	for (unsigned i = at; i < s->count; i++)
		if (s->lines[i].kind == '>' && get32(s->lines[i].payload) == 14 &&
			get32(s->lines[i].payload + 8) < 0x50000)
			config.interrupt_page_gpa = get64(s->lines[i].payload + 16);
	config.parent_to_child_page_gpa = get64(line->payload + 24);
	config.child_to_parent_page_gpa = get64(line->payload + 32);
	if (s->host == NULL)
		s->host = host_create(&config);
	else /* another kernel in the same machine */
		vmbus_client_init(&s->host->client, &host_ops, s->host, &config);
	memset(s->channels, 0, sizeof s->channels);
	CU_ASSERT_EQUAL(vmbus_client_connect(&s->host->client, s->host->now, UINT64_MAX), 0);
}

/* Page numbers of a GPADL from its header and the bodies behind it; 0 where left out. */
static uint32_t pfns_collect(struct session *s, unsigned at, uint64_t *pfns)
{
	const uint8_t *header = s->lines[at].payload;
	const uint32_t id = get32(header + 12), count = get16(header + 16) / 8 - 1;
	uint32_t n = 0;

	memset(pfns, 0, PFNS_MAX * sizeof *pfns);
	for (size_t i = 28; i < s->lines[at].bytes; i += 8)
		pfns[n++] = get64(header + i);
	for (unsigned i = at + 1; i < s->count && n < count; i++) {
		const struct line *line = &s->lines[i];
		if (line->kind == '*')
			n += line->skipped_pfns;
		if (line->kind != '>' || get32(line->payload) != 9 ||
			get32(line->payload + 12) != id)
			continue;
		for (size_t b = 16; b < line->bytes && n < count; b += 8)
			pfns[n++] = get64(line->payload + b);
	}
	CU_ASSERT_EQUAL(n, count);
	return count;
}

static void do_gpadl(struct session *s, unsigned at)
{
	const uint8_t *m = s->lines[at].payload;
	const uint32_t relid = get32(m + 8), id = get32(m + 12);
	struct vmbus_client *client = &s->host->client;
	uint64_t *pfns = s->pfns[s->gpadl_count % 32];
	const uint32_t pages = pfns_collect(s, at, pfns);
	const struct line *open = line_find(s, at, 5, 16, id);

	if (!s->keeps_gpadl_order)
		client->gpadl_id_next = id;
	if (open == NULL) {
		struct vmbus_client_gpadl *gpadl = &s->gpadls[s->gpadl_count++ % 32];
		CU_ASSERT_EQUAL(vmbus_client_gpadl_create(client, gpadl, relid, 0, pfns, pages,
					s->host->now, UINT64_MAX),
			0);
		return;
	}
	const struct vmbus_client_open how = {
		.first_pfn = pfns[0],
		.page_count = pages,
		.downstream_page = get32(open->payload + 24),
		.target_vp = get32(open->payload + 20),
		.user_data = open->payload + 28,
	};
	CU_ASSERT_EQUAL(vmbus_client_channel_open(client, &s->channels[relid % 32], relid, &how,
				s->host->now, UINT64_MAX),
		0);
}

static struct vmbus_client_gpadl *buffer_find(struct session *s, uint32_t id)
{
	for (unsigned i = 0; i < 32; i++)
		if (s->gpadls[i].id == id)
			return &s->gpadls[i];
	return NULL;
}

/* Before a release: what the recorded guest left standing. */
static void tear_down_rest(struct session *s, uint32_t relid)
{
	struct host *h = s->host;

	for (unsigned i = 0; i < 32; i++)
		if (s->gpadls[i].relid == relid && s->gpadls[i].state == VMBUS_CLIENT_GPADL_LIVE)
			vmbus_client_gpadl_teardown(&h->client, &s->gpadls[i], h->now, UINT64_MAX);
	for (unsigned i = 0; i < h->post_count; i++) {
		const struct host_post *post = &h->posts[i];
		if (s->consumed[i] || post_type(post) != 11 || get32(post->payload + 8) != relid)
			continue;
		s->consumed[i] = true;
		host_torndown(h, get32(post->payload + 12));
	}
}

static void unload(struct session *s)
{
	const unsigned from = s->host->post_count;

	CU_ASSERT_EQUAL(vmbus_client_unload(&s->host->client, s->host->now, UINT64_MAX), 0);
	for (unsigned i = from; i < s->host->post_count; i++)
		s->consumed[i] = post_type(&s->host->posts[i]) == 7;
}

static void act(struct session *s, unsigned at)
{
	const uint8_t *m = s->lines[at].payload;
	const uint32_t relid = get32(m + 8);
	struct vmbus_client_channel *channel = &s->channels[relid % 32];
	struct vmbus_client *client = s->host ? &s->host->client : NULL;
	const uint64_t now = s->host ? s->host->now : 0;

	switch (get32(m)) {
	case 14:
		do_connect(s, at);
		break;
	case 8:
		do_gpadl(s, at);
		break;
	case 7:
		CU_ASSERT_EQUAL(vmbus_client_channel_close(client, channel, now, UINT64_MAX), 0);
		break;
	case 11:
		CU_ASSERT_PTR_NOT_NULL_FATAL(buffer_find(s, get32(m + 12)));
		CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(
					client, buffer_find(s, get32(m + 12)), now, UINT64_MAX),
			0);
		break;
	case 13:
		tear_down_rest(s, relid);
		break;
	case 16:
		unload(s);
		break;
	case 22:
		CU_ASSERT_EQUAL(vmbus_client_channel_modify(
					client, channel, get32(m + 12), now, UINT64_MAX),
			0);
		break;
	default: /* 3, 5 and 9 follow by themselves */
		break;
	}
}

/* Bodies that the recording left out. */
static void skip(struct session *s, uint32_t posts)
{
	for (unsigned i = 0; i < s->host->post_count && posts > 0; i++)
		if (!s->consumed[i] && post_type(&s->host->posts[i]) == 9 &&
			get64(s->host->posts[i].payload + 16) == 0) {
			s->consumed[i] = true;
			posts--;
		}
	CU_ASSERT_EQUAL(posts, 0);
}

static void replay(const char *path, bool keeps_gpadl_order, unsigned at_least)
{
	struct session *s = session_read(path);

	if (s == NULL)
		return;
	s->keeps_gpadl_order = keeps_gpadl_order;
	for (unsigned i = 0; i < s->count; i++) {
		const struct line *line = &s->lines[i];
		if (s->host == NULL && (line->kind != '>' || get32(line->payload) != 14))
			abort(); /* a session begins with contact */
		if (line->kind == '<') {
			host_send(s->host, line->payload, line->bytes);
		} else if (line->kind == '*') {
			skip(s, line->skipped_posts);
		} else if (!post_take(s, line)) {
			act(s, i);
			if (!post_take(s, line)) {
				fprintf(stderr, "%s: message %u (type %u) is not posted\n", path, i,
					get32(line->payload));
				CU_FAIL("the client posts the recorded message");
			}
		}
	}
	if (s->host == NULL)
		abort();
	for (unsigned i = 0; i < s->host->post_count; i++)
		if (!s->consumed[i]) {
			fprintf(stderr, "%s: the guest never sent type %u\n", path,
				post_type(&s->host->posts[i]));
			CU_FAIL("the client posts nothing else");
		}
	CU_ASSERT_TRUE(s->compared >= at_least);
	CU_ASSERT_EQUAL(s->host->client.statistics.messages_rejected, 0);
	CU_ASSERT_EQUAL(s->host->client.statistics.pages_abandoned, 0);
	free(s->host);
	free(s);
}

/* R-ROB-011. */
static void multichannel_session_is_byte_identical(void)
{
	replay("tests/data/vmbus_guest_multichannel.txt", true, 60);
}

/* R-ROB-011. */
static void fallback_to_4_1_is_byte_identical(void)
{
	replay("tests/data/vmbus_guest_fallback.txt", false, 60);
}

static void kexec_with_unload_and_second_contact_is_byte_identical(void)
{
	replay("tests/data/vmbus_guest_kexec.txt", false, 20);
}

static void rescinded_devices_are_given_back_as_recorded(void)
{
	replay("tests/data/vmbus_guest_rescind.txt", false, 50);
}

static const struct test tests[] = {
	TEST(multichannel_session_is_byte_identical),
	TEST(fallback_to_4_1_is_byte_identical),
	TEST(kexec_with_unload_and_second_contact_is_byte_identical),
	TEST(rescinded_devices_are_given_back_as_recorded),
};
TEST_MAIN("vmbus_guest_golden", tests)
