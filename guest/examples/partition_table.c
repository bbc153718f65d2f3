// SPDX-License-Identifier: Apache-2.0
/*
 * A program that runs alone in a virtual machine and prints its disk's partition table, MBR
 * or GPT, on COM1: an example of the bare-metal library (README.md).
 *
 *	partition_table.c: finds a disk, reads blocks, prints
 *	   |	      |  where the host has no VMBus disk
 *	   |	   ata_pio.c
 *	storage client (guest/vsc) on bus client (guest/vmbus)
 *	   |
 *	winhv on bare metal (guest/winhv/bare)
 */
#include "guest/examples/ata_pio.h"
#include "guest/vmbus/synic_bus.h"
#include "guest/vsc/storage_controller.h"
#include "guest/winhv/bare/bare.h"
#include "protocol/guid.h"
#include "protocol/hypervisor.h"

#include <string.h>

#define GUEST_OS_ID    (HV_OS_ID_OPEN_SOURCE | 1ull << HV_OS_ID_VERSION_SHIFT)
#define PATIENCE_100NS (20 * HV_TIME_PER_SECOND)
#define READ_MS	       10000u
#define COUNT	       8u /* of LUNs, and of requests at once */

#define TYPE_PROTECTIVE 0xeeu /* the whole disk belongs to a GPT */
#define LOGICALS_MAX	60u
#define GPT_ENTRIES_MAX 1024u
#define GPT_ENTRY_BYTES 128u
#define BLOCK_BYTES_MAX 4096u

static struct vmbus bus;
static struct storage_controller controller;
static struct storage_vsc_slot slots[COUNT];
static struct storage_vsc_lun luns[COUNT];
static struct winhv_pages buffer;    /* one page, for the host to write to */
static struct storage_vsc_lun *disk; /* NULL: the disk is the ATA one */
static uint64_t block_count, block_bytes;

/* ---- the disk ------------------------------------------------------------------------------ */

static uint64_t deadline(void)
{
	return winhv_time_100ns(bare_winhv()) + PATIENCE_100NS;
}

/* Connect the VMBus and open the first disk of its first storage controller. What failed, or NULL.
 */
static const char *vmbus_disk_open(void)
{
	static const struct vmbus_config bus_config = {0};
	static const struct storage_controller_config config = {
		.slots = slots, .slot_count = COUNT, .luns = luns, .lun_count = COUNT};
	struct winhv *hv = bare_winhv();

	if (bare_hypercall_enable(GUEST_OS_ID))
		return "no hypervisor with the interface Hv#1";
	bare_clock_enable();
	bare_sint_set(VMBUS_SINT, VMBUS_DEFAULT_VECTOR);
	if (vmbus_init(&bus, hv, &bus_config) || vmbus_connect(&bus, deadline()))
		return "no VMBus";
	const struct vmbus_offer *offer = vmbus_offer_find(&bus, &guid_storage, 0);
	if (offer == NULL)
		return "the VMBus offers no storage controller";
	if (storage_controller_open(&controller, &bus, hv, offer->relid, &config, deadline()) ||
		storage_controller_scan(&controller, deadline()))
		return "the storage controller does not answer";
	for (unsigned i = 0; i < COUNT && disk == NULL; i++)
		if (luns[i].state == STORAGE_VSC_LUN_PRESENT && luns[i].properties.has_medium)
			disk = &luns[i];
	if (disk == NULL)
		return "the storage controller has no disk";
	block_count = disk->properties.blocks;
	block_bytes = disk->properties.block_bytes;
	return winhv_pages_alloc(hv, BLOCK_BYTES_MAX, &buffer) ? "no memory" : NULL;
}

static void vmbus_disk_close(void)
{
	if (controller.is_open)
		(void)storage_controller_close(&controller, deadline());
	if (vmbus_version(&bus) != 0)
		(void)vmbus_unload(&bus, deadline());
	winhv_shutdown(bare_winhv());
}

static bool block_read(uint64_t lba, uint8_t block[BLOCK_BYTES_MAX])
{
	if (lba >= block_count)
		return false;
	if (disk == NULL)
		return ata_pio_read(lba, block);
	if (storage_controller_read(&controller, disk, lba, 1, &buffer, 0, READ_MS))
		return false;
	memcpy(block, buffer.va, block_bytes);
	return true;
}

/* ---- partition tables: UEFI 2.10, chapter 5 ------------------------------------------------ */

static uint64_t number(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | at[bytes];
	return value;
}

/* An entry of an MBR: active flag, 3 bytes, type, 3 bytes, start, size. */
static void mbr_entry_print(unsigned index, uint64_t base, const uint8_t *entry)
{
	bare_printf("%u: start=%lu, size=%lu, type=%x%s\n", index, base + number(entry + 8, 4),
		number(entry + 12, 4), entry[4], entry[0] & 0x80 ? ", bootable" : "");
}

/* Logical partitions: a list of boot records, each with one partition and the next record. */
static bool logicals_print(uint64_t extended)
{
	static uint8_t block[BLOCK_BYTES_MAX];
	uint64_t record = extended;

	for (unsigned index = 5; index < 5 + LOGICALS_MAX; index++) {
		if (!block_read(record, block) || number(block + 510, 2) != 0xaa55)
			return false;
		if (block[446 + 4] != 0)
			mbr_entry_print(index, record, block + 446);
		if (number(block + 462 + 8, 4) == 0)
			break;
		record = extended + number(block + 462 + 8, 4);
	}
	return true;
}

static bool mbr_print(const uint8_t *mbr)
{
	bool is_whole = true;
	bare_printf("label: dos\n");
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *entry = mbr + 446 + 16 * i, type = entry[4];
		if (type != 0)
			mbr_entry_print(i + 1, 0, entry);
		if (type == 0x05 || type == 0x0f || type == 0x85)
			is_whole = is_whole && logicals_print(number(entry + 8, 4));
	}
	return is_whole;
}

static bool gpt_print(void)
{
	static uint8_t header[BLOCK_BYTES_MAX], block[BLOCK_BYTES_MAX];

	if (!block_read(1, header) || memcmp(header, "EFI PART", 8) != 0)
		return false;
	const uint64_t table = number(header + 72, 8), count = number(header + 80, 4);
	const uint64_t bytes = number(header + 84, 4);
	if (bytes < GPT_ENTRY_BYTES || bytes > block_bytes || block_bytes % bytes != 0)
		return false;
	bare_printf("label: gpt\n");
	for (uint64_t i = 0; i < count && i < GPT_ENTRIES_MAX; i++) {
		const uint8_t *entry = block + i * bytes % block_bytes;
		if (entry == block && !block_read(table + i * bytes / block_bytes, block))
			return false;
		struct guid type;
		char text[GUID_TEXT_BYTES];
		memcpy(&type, entry, sizeof type);
		const uint64_t first = number(entry + 32, 8), last = number(entry + 40, 8);
		if (number(entry, 8) != 0 || number(entry + 8, 8) != 0)
			bare_printf("%lu: start=%lu, size=%lu, type=%s\n", i + 1, first,
				last - first + 1, guid_format(&type, text));
	}
	return true;
}

int bare_main(void)
{
	static uint8_t mbr[BLOCK_BYTES_MAX];
	const char *reason = vmbus_disk_open();

	if (reason != NULL) {
		bare_printf("VMBus: %s; the boot disk is read by ATA\n", reason);
		disk = NULL;
		block_bytes = ATA_PIO_BLOCK_BYTES;
		if (!ata_pio_find(&block_count)) {
			bare_printf("ATA: no disk\n");
			return 1;
		}
	}
	bare_printf("disk: %s, %lu blocks of %lu bytes\n", disk ? "VMBus" : "ATA", block_count,
		block_bytes);
	bool is_good = block_read(0, mbr);
	if (is_good && number(mbr + 510, 2) != 0xaa55)
		bare_printf("label: none\n");
	else if (is_good)
		is_good = mbr[446 + 4] == TYPE_PROTECTIVE ? gpt_print() : mbr_print(mbr);
	bare_printf(is_good ? "end\n" : "the table cannot be read\n");
	vmbus_disk_close();
	return is_good ? 0 : 1;
}
