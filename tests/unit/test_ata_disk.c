// SPDX-License-Identifier: Apache-2.0
/* The ATA disk as a driver sees it. Source: ATA/ATAPI-6; Bus Master IDE 1.0; PCI 3.0. */
#include "host/machine/ata_disk.h"
#include "host/machine/ata_pci.h"
#include "tests/harness.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DATA, ERROR, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, STATUS };
#define READY	0x50u
#define REQUEST 0x58u
#define FAILED	0x51u

#define SECTORS 256u
#define MEMORY	(1ull << 20)
#define TABLE	0x1000u
#define BUFFER	0x4000u

struct fixture {
	struct ata_disk *disk;
	struct guest_memory memory;
	bool is_high;
	char path[32];
	int fd;
	sem_t line_rose, sync_begun, sync_may_end;
	int sync_result;
};

static void on_line(void *ctx, bool is_high)
{
	struct fixture *f = ctx;
	f->is_high = is_high;
	if (is_high)
		sem_post(&f->line_rose);
}

static int on_sync(void *ctx, int fd)
{
	struct fixture *f = ctx;
	CU_ASSERT(fd >= 0);
	sem_post(&f->sync_begun);
	sem_wait(&f->sync_may_end);
	return f->sync_result;
}

/* Byte i of sector n is n + i. */
static uint8_t pattern(uint64_t sector, unsigned i)
{
	return (uint8_t)(sector + i);
}

static void start(struct fixture *f, bool is_pio)
{
	char error[256];
	memset(f, 0, sizeof *f);
	sem_init(&f->line_rose, 0, 0);
	sem_init(&f->sync_begun, 0, 0);
	sem_init(&f->sync_may_end, 0, 0);
	snprintf(f->path, sizeof f->path, "/tmp/test_ata.XXXXXX");
	f->fd = mkstemp(f->path);
	CU_ASSERT_FATAL(f->fd >= 0);
	for (unsigned n = 0; n < SECTORS; n++) {
		uint8_t sector[512];
		for (unsigned i = 0; i < 512; i++)
			sector[i] = pattern(n, i);
		CU_ASSERT_EQUAL_FATAL(write(f->fd, sector, 512), 512);
	}
	CU_ASSERT_EQUAL_FATAL(guest_memory_init(&f->memory, MEMORY, 0), 0);
	const struct ata_disk_config config = {.path = f->path,
		.is_pio = is_pio,
		.memory = &f->memory,
		.line_set = on_line,
		.sync = on_sync,
		.ctx = f};
	CU_ASSERT_EQUAL_FATAL(ata_disk_create(&config, &f->disk, error, sizeof error), 0);
}

static void stop(struct fixture *f)
{
	ata_disk_destroy(f->disk);
	guest_memory_destroy(&f->memory);
	close(f->fd);
	unlink(f->path);
}

static uint8_t in(struct fixture *f, unsigned offset)
{
	return (uint8_t)ata_command_ops.read(f->disk, offset, 1);
}

static void out(struct fixture *f, unsigned offset, uint8_t value)
{
	ata_command_ops.write(f->disk, offset, 1, value);
}

static void command_28(struct fixture *f, uint8_t command, uint32_t lba, uint8_t count)
{
	out(f, COUNT, count);
	out(f, LBA_LOW, (uint8_t)lba);
	out(f, LBA_MID, (uint8_t)(lba >> 8));
	out(f, LBA_HIGH, (uint8_t)(lba >> 16));
	out(f, DEVICE, (uint8_t)(0xe0 | (lba >> 24 & 0xf)));
	out(f, STATUS, command);
}

static void command_48(struct fixture *f, uint8_t command, uint64_t lba, uint16_t count)
{
	out(f, DEVICE, 0xe0);
	out(f, COUNT, (uint8_t)(count >> 8));
	out(f, COUNT, (uint8_t)count);
	for (unsigned i = 0; i < 3; i++) {
		out(f, LBA_LOW + i, (uint8_t)(lba >> (24 + 8 * i)));
		out(f, LBA_LOW + i, (uint8_t)(lba >> (8 * i)));
	}
	out(f, STATUS, command);
}

/* True if the data port gives these sectors. */
static bool sectors_read(struct fixture *f, uint64_t sector, unsigned count)
{
	bool is_right = true;
	for (unsigned i = 0; i < count * 512; i += 2) {
		const uint64_t word = ata_command_ops.read(f->disk, DATA, 2);
		const uint64_t n = sector + i / 512;
		is_right &= word == (pattern(n, i % 512) | (uint64_t)pattern(n, i % 512 + 1) << 8);
	}
	return is_right;
}

static uint8_t medium(struct fixture *f, uint64_t at)
{
	uint8_t byte = 0;
	CU_ASSERT_EQUAL(pread(f->fd, &byte, 1, (off_t)at), 1);
	return byte;
}

/* ---- PIO ----------------------------------------------------------------------------------- */

static void ata_has_a_disk_and_no_second_one(void)
{
	struct fixture f;
	start(&f, false);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	CU_ASSERT_EQUAL(in(&f, COUNT), 1); /* the signature of a disk */
	CU_ASSERT_EQUAL(in(&f, LBA_LOW), 1);
	CU_ASSERT_EQUAL(in(&f, LBA_MID), 0);
	CU_ASSERT_EQUAL(in(&f, LBA_HIGH), 0);
	out(&f, DEVICE, 0xb0);
	CU_ASSERT_EQUAL(in(&f, STATUS), 0);
	out(&f, COUNT, 0x55);
	CU_ASSERT_EQUAL(in(&f, COUNT), 0);
	out(&f, STATUS, 0xec);
	CU_ASSERT_FALSE(f.is_high);
	out(&f, DEVICE, 0xa0);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	stop(&f);
}

static void ata_identifies_itself(void)
{
	static const struct {
		unsigned word;
		uint16_t value;
	} expected[] = {
		{0, 0x0040},
		{27, 'V' << 8 | 'i'},
		{28, 'r' << 8 | 'i'},
		{47, 0x8010},
		{49, 0x0b00},
		{59, 0x0110},
		{60, 256},
		{61, 0},
		{63, 0x0007},
		{83, 0x7400},
		{100, 256},
		{103, 0},
	};
	struct fixture f;
	uint16_t words[256];
	start(&f, false);
	out(&f, STATUS, 0xec);
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(ata_control_ops.read(f.disk, 0, 1), REQUEST);
	CU_ASSERT(f.is_high); /* alternate status leaves it */
	CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
	CU_ASSERT_FALSE(f.is_high);
	for (unsigned i = 0; i < 256; i++)
		words[i] = (uint16_t)ata_command_ops.read(f.disk, DATA, 2);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		CU_ASSERT_EQUAL(words[expected[i].word], expected[i].value);
	CU_ASSERT_EQUAL(ata_command_ops.read(f.disk, DATA, 2), 0); /* behind the end */
	stop(&f);
}

static void ata_reads_by_pio_with_an_interrupt_for_each_block(void)
{
	struct fixture f;
	start(&f, false);
	command_28(&f, 0x20, 200, 3);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT(f.is_high);
		CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
		CU_ASSERT(sectors_read(&f, 200 + i, 1));
	}
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	CU_ASSERT_FALSE(f.is_high);
	command_48(&f, 0x29, 100, 20); /* multiple: 16 and 4 */
	CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
	CU_ASSERT(sectors_read(&f, 100, 16));
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
	CU_ASSERT(sectors_read(&f, 116, 4));
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	stop(&f);
}

static void ata_writes_by_pio(void)
{
	struct fixture f;
	start(&f, true);
	command_48(&f, 0x34, 7, 2);
	CU_ASSERT_FALSE(f.is_high); /* the first block is asked for by DRQ alone */
	CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
	for (unsigned i = 0; i < 128; i++)
		ata_command_ops.write(f.disk, DATA, 4, 0xddccbbaa);
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
	CU_ASSERT_EQUAL(medium(&f, 7 * 512), 0xaa);
	CU_ASSERT_EQUAL(medium(&f, 7 * 512 + 511), 0xdd);
	CU_ASSERT_EQUAL(medium(&f, 8 * 512), pattern(8, 0));
	for (unsigned i = 0; i < 256; i++)
		ata_command_ops.write(f.disk, DATA, 2, 0x1111);
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	CU_ASSERT_EQUAL(medium(&f, 8 * 512), 0x11);
	CU_ASSERT_EQUAL(medium(&f, 9 * 512), pattern(9, 0));
	stop(&f);
}

/* ---- flush --------------------------------------------------------------------------------- */

#define BUSY 0x80u

/* The VP that asks goes on, and can be stopped, however long the medium takes. */
static void ata_is_busy_while_it_flushes(void)
{
	struct fixture f;
	start(&f, false);
	out(&f, STATUS, 0xea); /* FLUSH CACHE EXT */
	sem_wait(&f.sync_begun);
	CU_ASSERT_EQUAL(in(&f, STATUS), BUSY);
	CU_ASSERT_EQUAL(ata_control_ops.read(f.disk, 0, 1), BUSY);
	CU_ASSERT_FALSE(f.is_high);
	out(&f, STATUS, 0xec); /* not listened to */
	out(&f, COUNT, 0x77);
	CU_ASSERT_EQUAL(in(&f, STATUS), BUSY);
	sem_post(&f.sync_may_end);
	sem_wait(&f.line_rose);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	CU_ASSERT_EQUAL(in(&f, COUNT), 1);
	CU_ASSERT_FALSE(f.is_high);
	f.sync_result = -1;
	out(&f, STATUS, 0xe7); /* FLUSH CACHE */
	sem_post(&f.sync_may_end);
	sem_wait(&f.line_rose);
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	CU_ASSERT_EQUAL(in(&f, ERROR), 0x04);
	stop(&f);
}

static void ata_reset_ends_a_flush_for_the_guest(void)
{
	struct fixture f;
	start(&f, false);
	out(&f, STATUS, 0xe7);
	sem_wait(&f.sync_begun);
	ata_control_ops.write(f.disk, 0, 1, 0x04);
	ata_control_ops.write(f.disk, 0, 1, 0x00);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	out(&f, STATUS, 0xe7); /* anew, while the first is under way */
	CU_ASSERT_EQUAL(in(&f, STATUS), BUSY);
	sem_post(&f.sync_may_end);
	sem_wait(&f.sync_begun); /* that one was not this one */
	CU_ASSERT_EQUAL(in(&f, STATUS), BUSY);
	CU_ASSERT_FALSE(f.is_high);
	sem_post(&f.sync_may_end);
	sem_wait(&f.line_rose);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	out(&f, STATUS, 0xe7);
	sem_wait(&f.sync_begun);
	ata_disk_reset(f.disk);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	sem_post(&f.sync_may_end);
	stop(&f); /* waits for the thread */
}

/* ---- addresses and registers --------------------------------------------------------------- */

static void ata_addresses_by_cylinder_head_and_sector_too(void)
{
	struct fixture f;
	start(&f, false);
	out(&f, COUNT, 1);
	out(&f, LBA_LOW, 5); /* sector 5, cylinder 0, head 2: 2 * 63 + 4 */
	out(&f, LBA_MID, 0);
	out(&f, LBA_HIGH, 0);
	out(&f, DEVICE, 0xa2);
	out(&f, STATUS, 0x20);
	CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
	CU_ASSERT(sectors_read(&f, 130, 1));
	out(&f, LBA_LOW, 0); /* there is no sector 0 */
	out(&f, STATUS, 0x20);
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	stop(&f);
}

/* All six bytes of an address: a sparse image of 2 TiB and a little more. */
static void ata_addresses_by_48_bits(void)
{
	const uint64_t sector = (1ull << 32) + 0x01020304;
	const off_t at = (off_t)(sector * 512);
	char error[256];
	struct fixture f;
	uint8_t data[512];
	start(&f, true);
	ata_disk_destroy(f.disk);
	f.disk = NULL;
	for (unsigned i = 0; i < 512; i++)
		data[i] = pattern(sector, i);
	const struct ata_disk_config config = {.path = f.path,
		.is_pio = true,
		.memory = &f.memory,
		.line_set = on_line,
		.sync = on_sync,
		.ctx = &f};
	/* A file system that has no such files has no such disks. */
	if (ftruncate(f.fd, at + 512) == 0 && pwrite(f.fd, data, 512, at) == 512) {
		CU_ASSERT_EQUAL_FATAL(ata_disk_create(&config, &f.disk, error, sizeof error), 0);
		command_48(&f, 0x24, sector, 1);
		CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
		CU_ASSERT(sectors_read(&f, sector, 1));
		command_48(&f, 0x24, sector + 1, 1);
		CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	}
	stop(&f);
}

static void ata_refuses_what_is_beyond_its_end_or_unknown(void)
{
	struct fixture f;
	start(&f, true);
	command_28(&f, 0x20, 255, 1);
	CU_ASSERT_EQUAL(in(&f, STATUS), REQUEST);
	command_28(&f, 0x20, 255, 2);
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	CU_ASSERT_EQUAL(in(&f, ERROR), 0x10); /* IDNF */
	command_28(&f, 0x20, 256, 1);
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	command_28(&f, 0x20, 1, 0); /* 256 sectors */
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	command_48(&f, 0x24, 0xffffffffffff, 0);
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	command_28(&f, 0xc8, 0, 1); /* DMA, which is not offered */
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	CU_ASSERT_EQUAL(in(&f, ERROR), 0x04); /* aborted */
	out(&f, STATUS, 0xa1);		      /* IDENTIFY PACKET DEVICE */
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	CU_ASSERT(in(&f, ERROR) == 0x04);
	out(&f, COUNT, 3); /* no power of two */
	out(&f, STATUS, 0xc6);
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	out(&f, COUNT, 32); /* more than 16 */
	out(&f, STATUS, 0xc6);
	CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
	stop(&f);
}

static void ata_shows_high_bytes_and_masks_its_interrupt_as_control_says(void)
{
	struct fixture f;
	start(&f, false);
	out(&f, LBA_LOW, 0x12);
	out(&f, LBA_LOW, 0x34);
	CU_ASSERT_EQUAL(in(&f, LBA_LOW), 0x34);
	ata_control_ops.write(f.disk, 0, 1, 0x80);
	CU_ASSERT_EQUAL(in(&f, LBA_LOW), 0x12);
	ata_control_ops.write(f.disk, 0, 1, 0x02);
	out(&f, STATUS, 0xec);
	CU_ASSERT_FALSE(f.is_high);
	ata_control_ops.write(f.disk, 0, 1, 0x00);
	CU_ASSERT(f.is_high);
	ata_control_ops.write(f.disk, 0, 1, 0x04); /* soft reset, and out of it */
	ata_control_ops.write(f.disk, 0, 1, 0x00);
	CU_ASSERT_FALSE(f.is_high);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	CU_ASSERT_EQUAL(in(&f, LBA_LOW), 1);
	stop(&f);
}

/* ---- DMA ----------------------------------------------------------------------------------- */

static void region(struct fixture *f, unsigned i, uint32_t gpa, uint16_t bytes, bool is_last)
{
	uint8_t entry[8];
	const uint16_t flags = is_last ? 0x8000 : 0;
	memcpy(entry, &gpa, 4);
	memcpy(entry + 4, &bytes, 2);
	memcpy(entry + 6, &flags, 2);
	CU_ASSERT_EQUAL(guest_memory_write(&f->memory, TABLE + i * 8, entry, 8), 0);
}

static void dma_out(struct fixture *f, unsigned offset, unsigned bytes, uint32_t value)
{
	ata_dma_ops.write(f->disk, offset, bytes, value);
}

static uint8_t dma_status(struct fixture *f)
{
	return (uint8_t)ata_dma_ops.read(f->disk, 2, 1);
}

static uint8_t guest_byte(struct fixture *f, uint64_t gpa)
{
	return *(uint8_t *)guest_memory_at(&f->memory, gpa, 1);
}

static void ata_reads_by_dma_into_scattered_memory(void)
{
	struct fixture f;
	start(&f, false);
	region(&f, 0, BUFFER, 512, false);
	region(&f, 1, BUFFER + 0x3000, 1022, false);
	region(&f, 2, BUFFER + 0x8000, 2, true);
	dma_out(&f, 4, 4, TABLE);
	CU_ASSERT_EQUAL(ata_dma_ops.read(f.disk, 4, 4), TABLE);
	dma_out(&f, 0, 1, 0x08);
	command_48(&f, 0x25, 50, 3);
	CU_ASSERT_FALSE(f.is_high);
	CU_ASSERT_EQUAL(guest_byte(&f, BUFFER), 0);
	dma_out(&f, 0, 1, 0x09);
	CU_ASSERT(f.is_high);
	CU_ASSERT_EQUAL(dma_status(&f), 0x04); /* interrupt, not active */
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	CU_ASSERT_EQUAL(guest_byte(&f, BUFFER), pattern(50, 0));
	CU_ASSERT_EQUAL(guest_byte(&f, BUFFER + 511), pattern(50, 511));
	CU_ASSERT_EQUAL(guest_byte(&f, BUFFER + 512), 0);
	CU_ASSERT_EQUAL(guest_byte(&f, BUFFER + 0x3000), pattern(51, 0));
	CU_ASSERT_EQUAL(guest_byte(&f, BUFFER + 0x3000 + 1021), pattern(52, 509));
	CU_ASSERT_EQUAL(guest_byte(&f, BUFFER + 0x8001), pattern(52, 511));
	dma_out(&f, 0, 1, 0x08);
	dma_out(&f, 2, 1, 0x24); /* clears the interrupt, keeps what software noted */
	CU_ASSERT_EQUAL(dma_status(&f), 0x20);
	stop(&f);
}

static void ata_writes_by_dma_also_when_started_before_the_command(void)
{
	struct fixture f;
	start(&f, false);
	memset(guest_memory_at(&f.memory, BUFFER, 65536), 0x77, 65536);
	region(&f, 0, BUFFER, 0, true); /* 0 stands for 64 KiB */
	dma_out(&f, 4, 4, TABLE);
	dma_out(&f, 0, 1, 0x01);
	CU_ASSERT_EQUAL(dma_status(&f), 0x01);
	command_28(&f, 0xca, 10, 128);
	CU_ASSERT_EQUAL(dma_status(&f), 0x04);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	CU_ASSERT_EQUAL(medium(&f, 10 * 512 - 1), pattern(9, 511));
	CU_ASSERT_EQUAL(medium(&f, 10 * 512), 0x77);
	CU_ASSERT_EQUAL(medium(&f, 138 * 512 - 1), 0x77);
	CU_ASSERT_EQUAL(medium(&f, 138 * 512), pattern(138, 0));
	stop(&f);
}

static void ata_dma_with_a_bad_table_fails_the_command(void)
{
	static const struct {
		uint32_t table, gpa;
		uint16_t bytes;
	} bad[] = {
		{TABLE, MEMORY - 256, 512}, /* crosses the end of memory */
		{TABLE, 0xfffff000, 512},   /* outside of it */
		{TABLE, BUFFER, 256},	    /* too short for the command */
		{MEMORY, BUFFER, 512},	    /* the table itself is outside */
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct fixture f;
		start(&f, false);
		region(&f, 0, bad[i].gpa, bad[i].bytes, true);
		dma_out(&f, 4, 4, bad[i].table);
		command_28(&f, 0xc8, 0, 1);
		dma_out(&f, 0, 1, 0x09);
		CU_ASSERT(f.is_high);
		CU_ASSERT_EQUAL(dma_status(&f), 0x06); /* error, interrupt */
		CU_ASSERT_EQUAL(in(&f, STATUS), FAILED);
		stop(&f);
	}
}

static void ata_dma_the_wrong_way_moves_nothing(void)
{
	struct fixture f;
	start(&f, false);
	region(&f, 0, BUFFER, 512, true);
	dma_out(&f, 4, 4, TABLE);
	command_28(&f, 0xca, 0, 1);
	dma_out(&f, 0, 1, 0x09);
	CU_ASSERT_EQUAL(medium(&f, 0), pattern(0, 0));
	CU_ASSERT_EQUAL(dma_status(&f), 0x01); /* active for ever */
	dma_out(&f, 0, 1, 0x00);
	CU_ASSERT_EQUAL(dma_status(&f), 0x00);
	ata_disk_reset(f.disk);
	CU_ASSERT_EQUAL(in(&f, STATUS), READY);
	stop(&f);
}

static void ata_images_that_are_none_are_refused_in_one_line(void)
{
	struct fixture f;
	struct ata_disk *other;
	char error[256];
	start(&f, false);
	struct ata_disk_config config = {.path = f.path, .memory = &f.memory};
	CU_ASSERT_EQUAL(ata_disk_create(&config, &other, error, sizeof error), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "is locked"));
	config.path = "/nowhere/disk";
	CU_ASSERT_EQUAL(ata_disk_create(&config, &other, error, sizeof error), -ENOENT);
	config.path = "/dev/null";
	CU_ASSERT_EQUAL(ata_disk_create(&config, &other, error, sizeof error), -EINVAL);
	stop(&f);
}

/* ---- PCI ----------------------------------------------------------------------------------- */

static uint32_t config_in(struct ata_pci *pci, uint32_t address)
{
	ata_pci_ops.write(pci, 0, 4, 0x80000000u | address);
	return (uint32_t)ata_pci_ops.read(pci, 4, 4);
}

static void config_out(struct ata_pci *pci, uint32_t address, uint32_t value)
{
	ata_pci_ops.write(pci, 0, 4, 0x80000000u | address);
	ata_pci_ops.write(pci, 4, 4, value);
}

static void pci_shows_a_bridge_a_controller_and_nothing_else(void)
{
	struct ata_pci pci;
	ata_pci_init(&pci);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0000), 0x12378086);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0800), 0x70108086);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0808) >> 8, 0x010185); /* IDE, native, bus master */
	CU_ASSERT_EQUAL(config_in(&pci, 0x083c), 0x0000010e);	 /* pin A, line 14 */
	CU_ASSERT_EQUAL(config_in(&pci, 0x0900), 0xffffffff);	 /* function 1 */
	CU_ASSERT_EQUAL(config_in(&pci, 0x1000), 0xffffffff);	 /* device 2 */
	CU_ASSERT_EQUAL(config_in(&pci, 0x010000), 0xffffffff);	 /* bus 1 */
	ata_pci_ops.write(&pci, 0, 4, 0x00000800);		 /* not enabled */
	CU_ASSERT_EQUAL(ata_pci_ops.read(&pci, 4, 4), 0xffffffff);
	ata_pci_ops.write(&pci, 0, 4, 0x80000800);
	CU_ASSERT_EQUAL(ata_pci_ops.read(&pci, 6, 2), 0x7010); /* part of a register */
	CU_ASSERT_EQUAL(ata_pci_ops.read(&pci, 0, 4), 0x80000800);
	ata_pci_destroy(&pci);
}

static void pci_tells_sizes_and_keeps_what_is_fixed(void)
{
	struct ata_pci pci;
	ata_pci_init(&pci);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0810), 0x000001f1);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0814), 0x000003f5);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0820), 0x0000c001);
	config_out(&pci, 0x0810, 0xffffffff);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0810), 0xfffffff9); /* 8 ports */
	config_out(&pci, 0x0820, 0xffffffff);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0820), 0xfffffff1); /* 16 ports */
	config_out(&pci, 0x0824, 0xffffffff);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0824), 0); /* no such range */
	config_out(&pci, 0x0800, 0);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0800), 0x70108086);
	ata_pci_reset(&pci);
	CU_ASSERT_EQUAL(config_in(&pci, 0x0810), 0x000001f1);
	ata_pci_destroy(&pci);
}

static const struct test tests[] = {
	TEST(ata_has_a_disk_and_no_second_one),
	TEST(ata_identifies_itself),
	TEST(ata_reads_by_pio_with_an_interrupt_for_each_block),
	TEST(ata_writes_by_pio),
	TEST(ata_is_busy_while_it_flushes),
	TEST(ata_reset_ends_a_flush_for_the_guest),
	TEST(ata_addresses_by_cylinder_head_and_sector_too),
	TEST(ata_addresses_by_48_bits),
	TEST(ata_refuses_what_is_beyond_its_end_or_unknown),
	TEST(ata_shows_high_bytes_and_masks_its_interrupt_as_control_says),
	TEST(ata_reads_by_dma_into_scattered_memory),
	TEST(ata_writes_by_dma_also_when_started_before_the_command),
	TEST(ata_dma_with_a_bad_table_fails_the_command),
	TEST(ata_dma_the_wrong_way_moves_nothing),
	TEST(ata_images_that_are_none_are_refused_in_one_line),
	TEST(pci_shows_a_bridge_a_controller_and_nothing_else),
	TEST(pci_tells_sizes_and_keeps_what_is_fixed),
};
TEST_MAIN("ata_disk", tests)
