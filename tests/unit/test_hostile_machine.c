// SPDX-License-Identifier: Apache-2.0
/*
 * The devices of a machine under a guest that does to their ports what no driver does: any
 * width, any value, any order, several VPs at once, and more output than anyone can show.
 */
#include "host/machine/ata_disk.h"
#include "host/machine/ata_pci.h"
#include "host/machine/cmos.h"
#include "host/machine/console.h"
#include "host/machine/debug_exit.h"
#include "host/machine/fw_cfg.h"
#include "host/machine/layout.h"
#include "host/machine/power.h"
#include "host/machine/synic_test_device.h"
#include "host/machine/uart_16550.h"
#include "tests/unit/partition_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define VPS	     2u
#define OUTPUT_BYTES (4 << 20)

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- output without end -------------------------------------------------------------------- */

struct flood {
	struct console *console;
	int wake_fd;
	bool is_over; /* atomic */
	unsigned writers;
};

static int on_poll_set(void *ctx, int fd, uint32_t events)
{
	struct flood *flood = ctx;

	if (flood->wake_fd < 0 && events == POLLIN)
		flood->wake_fd = fd; /* the first that is polled */
	return 0;
}

static size_t on_receive(void *ctx, const uint8_t *bytes, size_t count)
{
	(void)ctx;
	(void)bytes;
	return count;
}

static void on_quit(void *ctx)
{
	(void)ctx;
}

/* As fast as it can: this one is for many that are not so fast. */
static void *vp_writes(void *ctx)
{
	struct flood *flood = ctx;

	while (!__atomic_load_n(&flood->is_over, __ATOMIC_RELAXED))
		console_write(flood->console, 'x');
	return NULL;
}

/* A turn of the loop shows what fits in the ring once, for there is always more. */
static void output_without_end_does_not_hold_the_loop(void)
{
	struct flood flood = {.wake_fd = -1};
	char path[] = "/tmp/test_hostile.XXXXXX";
	const struct console_config config = {
		.input_fd = -1, .output_fd = mkstemp(path), .listen_fd = -1};
	const struct console_callbacks callbacks = {
		.poll_set = on_poll_set, .receive = on_receive, .quit = on_quit, .ctx = &flood};
	pthread_t vps[VPS];

	unlink(path);
	CU_ASSERT_EQUAL_FATAL(console_create(&config, &callbacks, &flood.console), 0);
	for (unsigned i = 0; i < VPS; i++)
		pthread_create(&vps[i], NULL, vp_writes, &flood);
	for (off_t before = 0, after = 0; after < OUTPUT_BYTES; before = after) {
		console_on_ready(flood.console, flood.wake_fd, POLLIN);
		after = lseek(config.output_fd, 0, SEEK_CUR);
		CU_ASSERT_TRUE(after - before <= 2 * (off_t)CONSOLE_RING_BYTES);
	}
	__atomic_store_n(&flood.is_over, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < VPS; i++)
		pthread_join(vps[i], NULL);
	console_destroy(flood.console);
	close(config.output_fd);
}

/* ---- any access to any port ---------------------------------------------------------------- */

#define DISK_SECTORS 64u

struct board {
	struct rig rig;
	struct io_space ports;
	struct uart_16550 uart;
	struct cmos cmos;
	struct power power;
	struct debug_exit debug_exit;
	struct fw_cfg fw_cfg;
	struct ata_pci pci;
	struct ata_disk *ata;
	struct synic_test_device *synic_test;
	char path[32];
	unsigned events;  /* atomic */
	bool is_high;	  /* of some line; any thread */
	bool is_over;	  /* atomic */
	uint32_t at_work; /* atomic */
};

static struct board board;

static void on_byte(void *ctx, uint8_t byte)
{
	(void)ctx;
	(void)byte;
}

static void on_event(void *ctx)
{
	__atomic_fetch_add(&((struct board *)ctx)->events, 1, __ATOMIC_RELAXED);
}

static void on_line(void *ctx, bool is_high)
{
	__atomic_store_n(&((struct board *)ctx)->is_high, is_high, __ATOMIC_RELAXED);
}

static void on_exit_value(void *ctx, uint32_t value)
{
	(void)value;
	on_event(ctx);
}

static void disk_make(void)
{
	char error[256];
	const struct ata_disk_config config = {.path = board.path,
		.memory = partition_memory(board.rig.partition),
		.line_set = on_line,
		.ctx = &board};

	strcpy(board.path, "/tmp/test_hostile.XXXXXX");
	const int fd = mkstemp(board.path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, DISK_SECTORS * 512), 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(ata_disk_create(&config, &board.ata, error, sizeof error), 0);
}

static void board_make(void)
{
	const struct uart_16550_callbacks uart = {
		.transmit = on_byte, .room = on_event, .line_set = on_line, .ctx = &board};

	memset(&board, 0, sizeof board);
	rig_open_full(&board.rig, VPS, &rig_ops_threaded, NULL);
	uart_16550_init(&board.uart, &uart);
	cmos_init(&board.cmos, NULL, NULL);
	board.power = (struct power){.off = on_event, .reset = on_event, .ctx = &board};
	board.debug_exit = (struct debug_exit){.ended = on_exit_value, .ctx = &board};
	fw_cfg_init(&board.fw_cfg, 1 << 20, VPS);
	ata_pci_init(&board.pci);
	disk_make();
	CU_ASSERT_EQUAL_FATAL(
		synic_test_device_create(board.rig.partition, on_event, &board, &board.synic_test),
		0);
	const struct io_range ranges[] = {
		{LAYOUT_PORT_COM1, UART_16550_PORTS, &uart_16550_ops, &board.uart},
		{LAYOUT_PORT_CMOS, CMOS_PORTS, &cmos_ops, &board.cmos},
		{LAYOUT_PORT_SLEEP_CONTROL, POWER_SLEEP_PORTS, &power_sleep_ops, &board.power},
		{LAYOUT_PORT_RESET, POWER_RESET_PORTS, &power_reset_ops, &board.power},
		{LAYOUT_PORT_DEBUG_EXIT, DEBUG_EXIT_PORTS, &debug_exit_ops, &board.debug_exit},
		{LAYOUT_PORT_FW_CFG, FW_CFG_PORTS, &fw_cfg_ops, &board.fw_cfg},
		{LAYOUT_PORT_SYNIC_TEST, SYNIC_TEST_PORTS, &synic_test_device_ops,
			board.synic_test},
		{LAYOUT_PORT_ATA, ATA_COMMAND_PORTS, &ata_command_ops, board.ata},
		{LAYOUT_PORT_ATA_CONTROL, ATA_CONTROL_PORTS, &ata_control_ops, board.ata},
		{LAYOUT_PORT_ATA_DMA, ATA_DMA_PORTS, &ata_dma_ops, board.ata},
		{LAYOUT_PORT_PCI, ATA_PCI_PORTS, &ata_pci_ops, &board.pci},
	};
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		CU_ASSERT_EQUAL_FATAL(io_space_add(&board.ports, ranges[i].base, ranges[i].bytes,
					      ranges[i].ops, ranges[i].ctx),
			0);
}

static void board_break(void)
{
	synic_test_device_destroy(board.synic_test);
	ata_disk_destroy(board.ata);
	ata_pci_destroy(&board.pci);
	fw_cfg_destroy(&board.fw_cfg);
	cmos_destroy(&board.cmos);
	uart_16550_destroy(&board.uart);
	rig_close(&board.rig);
	unlink(board.path);
}

/* Any port in and just around a device, any width, a value that often means something. */
static void any_access(uint64_t *random)
{
	static const uint8_t commands[] = {0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40,
		0x42, 0x90, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xe5, 0xe7, 0xec, 0xef};
	const uint64_t r = next(random);
	const struct io_range *range = &board.ports.ranges[r % board.ports.count];
	uint64_t port = range->base + (r >> 8) % (range->bytes + 1) - (r >> 16 & 31 ? 0 : 1);
	const unsigned bytes = 1u << (r >> 24 & 3);
	uint64_t value = next(random);

	if (r >> 32 & 1)
		value &= 0xff;
	if (range->base == LAYOUT_PORT_ATA && r >> 33 & 1) {
		port = LAYOUT_PORT_ATA + (r >> 34 & 1 ? 0 : 7);
		value = commands[value % sizeof commands];
	}
	if (range->base == LAYOUT_PORT_ATA && port >= LAYOUT_PORT_ATA + 2 &&
		port <= LAYOUT_PORT_ATA + 6)
		value &= 0x4f;
	if (range->base == LAYOUT_PORT_ATA_DMA && port == LAYOUT_PORT_ATA_DMA + 4)
		value &= 0x1fffff;
	if (range->base == LAYOUT_PORT_SYNIC_TEST)
		value &= 0x070701ff;
	if (r >> 40 & 1)
		(void)io_space_read(&board.ports, port, bytes);
	else
		io_space_write(&board.ports, port, bytes, value);
}

static void *vp_accesses(void *ctx)
{
	uint64_t random = 0x9e3779b97f4a7c15 * *(const uint64_t *)ctx;

	for (unsigned i = 0; i < 30000; i++)
		any_access(&random);
	__atomic_fetch_sub(&board.at_work, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void any_access_by_several_vps_is_survived(void)
{
	static const uint64_t seeds[VPS] = {1, 2};
	static const uint8_t keys[64] = "typed";
	pthread_t vps[VPS];
	uint64_t random = 17;

	board_make();
	/* Tables of regions that are odd, too long, or no memory; before the VPs run. */
	uint64_t *memory = rig_at(&board.rig, 0);
	for (size_t i = 0; i < RIG_MEMORY / sizeof *memory; i++)
		memory[i] = next(&random) & 0x800f0ffe001fffff;
	board.at_work = VPS;
	for (unsigned i = 0; i < VPS; i++)
		pthread_create(&vps[i], NULL, vp_accesses, (void *)(uintptr_t)&seeds[i]);
	while (__atomic_load_n(&board.at_work, __ATOMIC_SEQ_CST) > 0) {
		partition_dispatch(board.rig.partition);
		synic_test_device_run(board.synic_test);
		uart_16550_receive(&board.uart, keys, next(&random) % sizeof keys);
		sched_yield();
	}
	for (unsigned i = 0; i < VPS; i++)
		pthread_join(vps[i], NULL);
	CU_ASSERT_TRUE(board.ports.unclaimed > 0);
	CU_ASSERT_TRUE(board.events > 0);
	board_break();
}

/* ---- the disk stays what it is ------------------------------------------------------------- */

static void out(uint64_t port, unsigned bytes, uint64_t value)
{
	io_space_write(&board.ports, port, bytes, value);
}

static void dma(uint8_t command, uint32_t table, uint8_t count, uint8_t direction)
{
	out(LAYOUT_PORT_ATA_DMA, 1, 0);
	out(LAYOUT_PORT_ATA_DMA + 4, 4, table);
	out(LAYOUT_PORT_ATA + 6, 1, 0x40);
	out(LAYOUT_PORT_ATA + 2, 1, count);
	for (unsigned i = 3; i < 6; i++)
		out(LAYOUT_PORT_ATA + i, 1, 0);
	out(LAYOUT_PORT_ATA + 7, 1, command);
	out(LAYOUT_PORT_ATA_DMA, 1, direction | 1);
}

/* Tables and regions outside memory, at its end, and around 4 GiB. */
static void dma_outside_memory_fails_and_moves_nothing(void)
{
	static const uint32_t nowhere[] = {
		RIG_MEMORY, RIG_MEMORY - 256, 0xc0000000, 0xfffffffc, 0xfffffe00, 0xfee00000};
	struct {
		uint32_t address;
		uint16_t bytes, flags;
	} region = {0, 512, 0x8000};
	uint8_t sector[512];

	board_make();
	for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
		region.address = nowhere[i];
		memcpy(rig_at(&board.rig, 0x1000), &region, sizeof region);
		dma(0xca, 0x1000, 1, 0);
		CU_ASSERT_TRUE(io_space_read(&board.ports, LAYOUT_PORT_ATA + 7, 1) & 1);
		dma(0xc8, 0x1000, 1, 8);
		CU_ASSERT_TRUE(io_space_read(&board.ports, LAYOUT_PORT_ATA + 7, 1) & 1);
		memset(rig_at(&board.rig, 0x2000), 0xee, 512);
		region.address = 0x2000;
		if (nowhere[i] == RIG_MEMORY - 256)
			continue; /* as a table it is in memory, and empty */
		memcpy(rig_at(&board.rig, 0x1000), &region, sizeof region);
		dma(0xca, nowhere[i], 1, 0);
		CU_ASSERT_TRUE(io_space_read(&board.ports, LAYOUT_PORT_ATA + 7, 1) & 1);
	}
	const int fd = open(board.path, O_RDONLY);
	CU_ASSERT_EQUAL(pread(fd, sector, sizeof sector, 0), 512);
	for (size_t i = 0; i < sizeof sector; i++)
		CU_ASSERT_EQUAL(sector[i], 0);
	close(fd);
	board_break();
}

static const struct test tests[] = {
	TEST(output_without_end_does_not_hold_the_loop),
	TEST(any_access_by_several_vps_is_survived),
	TEST(dma_outside_memory_fails_and_moves_nothing),
};

TEST_MAIN("hostile machine", tests)
