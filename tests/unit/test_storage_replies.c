// SPDX-License-Identifier: Apache-2.0
/*
 * What the storage client reads from the replies of devices, with bytes laid out by SPC and SBC:
 * sizes that cannot be, lists that say more than there is. Each reply is exact on the heap, so that
 * the sanitizer sees what is read behind it. R-STOR-092, R-STOR-056.
 */
#include "tests/unit/storage_vsc_read.h"

#include "guest/vsc/storage_vsc_scsi.h"

static uint8_t *exact(const void *bytes, size_t count)
{
	uint8_t *copy = malloc(count);
	if (copy == NULL)
		abort();
	memcpy(copy, bytes, count);
	return copy;
}

static bool capacity(uint64_t last, uint32_t block_bytes, struct storage_properties *p)
{
	uint8_t bytes[32] = {0};
	memset(p, 0, sizeof *p);
	scsi_put64(bytes, last);
	scsi_put32(bytes + 8, block_bytes);
	uint8_t *reply = exact(bytes, sizeof bytes);
	const bool is_read = storage_capacity16_read(p, reply, sizeof bytes);
	free(reply);
	CU_ASSERT_EQUAL(p->has_medium, is_read);
	return is_read;
}

static void sizes_that_cannot_be_are_no_medium(void)
{
	static const uint32_t bad[] = {0, 1, 256, 511, 513, 520, 528, 768, 4104, UINT32_MAX};
	struct storage_properties p;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_FALSE(capacity(1000, bad[i], &p));
	for (uint32_t bytes = 512; bytes <= 4096; bytes *= 2) {
		CU_ASSERT_TRUE(capacity(1000, bytes, &p));
		CU_ASSERT_EQUAL(p.blocks, 1001);
		CU_ASSERT_EQUAL(p.block_bytes, bytes);
	}
	/* All bytes of it are below 2^63. */
	CU_ASSERT_TRUE(capacity(INT64_MAX / 512 - 1, 512, &p));
	CU_ASSERT_FALSE(capacity(INT64_MAX / 512, 512, &p));
	CU_ASSERT_FALSE(capacity(UINT64_MAX, 512, &p));
	CU_ASSERT_FALSE(capacity(UINT64_MAX / 512, 512, &p));
}

/* Mode data of `count` bytes; the header says `said` behind its first byte. */
static bool write_cache(uint8_t said, const uint8_t *pages, size_t count)
{
	uint8_t bytes[64] = {said};
	struct storage_properties p = {0};
	memcpy(bytes + 4, pages, count);
	uint8_t *reply = exact(bytes, 4 + count);
	CU_ASSERT_TRUE(storage_mode6_read(&p, reply, 4 + count));
	free(reply);
	return p.has_write_cache;
}

static void mode_pages_end_where_the_header_says(void)
{
	static const uint8_t caching[] = {0x08, 0x12, 0x04, 0, 0, 0};
	CU_ASSERT_FALSE(write_cache(3 + 6, caching, 6)); /* the page says 20 */
	static const uint8_t whole[20] = {0x08, 0x12, 0x04};
	CU_ASSERT_TRUE(write_cache(3 + 20, whole, sizeof whole));
	CU_ASSERT_FALSE(write_cache(3, whole, sizeof whole)); /* behind the end */
	CU_ASSERT_FALSE(write_cache(3 + 19, whole, sizeof whole));
	CU_ASSERT_TRUE(write_cache(255, whole, sizeof whole));
}

static void mode_page_longer_than_the_rest_ends_the_search(void)
{
	static const uint8_t first[] = {0x01, 0x20, 0, 0};
	CU_ASSERT_FALSE(write_cache(3 + 4, first, sizeof first));
	static const uint8_t two[] = {0x01, 0x02, 0, 0, 0x08, 0xFF, 0x04};
	CU_ASSERT_FALSE(write_cache(3 + 7, two, sizeof two));
}

static void other_id(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	if (packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
		packet->payload[28] == SCSI_OP_INQUIRY &&
		packet->payload[30] == SCSI_VPD_IDENTIFICATION && answer->has_data &&
		answer->data_bytes > 8)
		answer->data[answer->data_bytes - 1] ^= 1;
}

/* The same vendor, serial and size: the identification alone tells them apart. */
static void disk_of_another_identification_is_another_disk(void)
{
	struct rig *rig = rig_scanned();
	const unsigned added = rig->added, removed = rig->removed;
	CU_ASSERT_TRUE(disk(rig)->properties.id_bytes > 0);
	rig_later(rig, 1000);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->removed, removed);
	rig->hook = other_id;
	rig_later(rig, 1000);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_TRUE(rig->removed > removed);
	CU_ASSERT_EQUAL(rig->added - added, rig->removed - removed);
	free(rig);
}

static const struct test tests[] = {
	TEST(sizes_that_cannot_be_are_no_medium),
	TEST(mode_pages_end_where_the_header_says),
	TEST(mode_page_longer_than_the_rest_ends_the_search),
	TEST(disk_of_another_identification_is_another_disk),
};

TEST_MAIN("storage_replies", tests)
