// SPDX-License-Identifier: Apache-2.0
/* A machine that runs on KVM: see machine.h. */
#include "host/machine/machine.h"

#include "host/machine/ata_disk.h"
#include "host/machine/ata_pci.h"
#include "host/machine/cmos.h"
#include "host/machine/debug_exit.h"
#include "host/machine/fw_cfg.h"
#include "host/machine/layout.h"
#include "host/machine/power.h"
#include "host/machine/synic_test_device.h"
#include "host/machine/uart_16550.h"

#include <cpuid.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000u

struct machine {
	struct machine_config config;
	struct machine_callbacks callbacks;
	struct boot_config boot;
	struct partition *partition; /* owned, as all below */
	struct backend_kvm *backend;
	struct console *console;
	int wake_fd, timer_fd;
	struct uart_16550 uart;
	struct cmos cmos;
	struct power power;
	struct debug_exit debug_exit;
	struct fw_cfg fw_cfg;
	struct synic_test_device *synic_test; /* NULL without test devices */
	struct ata_disk *ata;		      /* NULL without an emulated disk */
	struct ata_pci ata_pci;
	bool is_stuck; /* VPs did not come to rest */
	uint64_t boots;
};

/* ---- devices call, on VP threads ----------------------------------------------------------- */

static void on_transmit(void *ctx, uint8_t byte)
{
	const struct machine *machine = ctx;
	console_write(machine->console, byte);
}

static void on_uart_room(void *ctx)
{
	const struct machine *machine = ctx;
	console_room(machine->console);
}

static void on_uart_line(void *ctx, bool is_high)
{
	const struct machine *machine = ctx;
	backend_kvm_line_set(machine->backend, LAYOUT_LINE_COM1, is_high);
}

static void on_ata_line(void *ctx, bool is_high)
{
	const struct machine *machine = ctx;
	backend_kvm_line_set(machine->backend, LAYOUT_LINE_ATA, is_high);
}

static void on_power_off(void *ctx)
{
	const struct machine *machine = ctx;
	backend_kvm_stop(machine->backend, 0, BACKEND_KVM_STOP_POWER_OFF, 0);
}

static void on_reset_register(void *ctx)
{
	const struct machine *machine = ctx;
	backend_kvm_stop(machine->backend, 0, BACKEND_KVM_STOP_RESET, 0);
}

static void on_debug_exit(void *ctx, uint32_t value)
{
	const struct machine *machine = ctx;
	backend_kvm_stop(machine->backend, 0, BACKEND_KVM_STOP_DEBUG_EXIT, value);
}

/* [any thread] */
static void on_wake(void *ctx)
{
	const struct machine *machine = ctx;
	const uint64_t one = 1;
	(void)!write(machine->wake_fd, &one, sizeof one);
}

/* [any thread]; deadlines are of CLOCK_MONOTONIC, and 0 would disarm. */
static void on_timer_set(void *ctx, uint64_t deadline_ns)
{
	const struct machine *machine = ctx;
	struct itimerspec timer = {0};
	if (deadline_ns != UINT64_MAX) {
		timer.it_value.tv_sec = (time_t)(deadline_ns / NS_PER_SECOND);
		timer.it_value.tv_nsec = (long)(deadline_ns % NS_PER_SECOND);
		if (deadline_ns == 0)
			timer.it_value.tv_nsec = 1;
	}
	timerfd_settime(machine->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* ---- the loop calls ------------------------------------------------------------------------ */

static int backend_watch(void *ctx, int fd)
{
	const struct machine *machine = ctx;
	return machine->callbacks.poll_set(machine->callbacks.ctx, fd, POLLIN);
}

static void backend_unwatch(void *ctx, int fd)
{
	const struct machine *machine = ctx;
	machine->callbacks.poll_set(machine->callbacks.ctx, fd, 0);
}

int machine_stop(struct machine *machine)
{
	if (machine->synic_test)
		synic_test_device_release(machine->synic_test);
	const int result = backend_kvm_park(machine->backend);
	machine->is_stuck = result != 0;
	return result;
}

static void on_backend_stop(void *ctx, enum backend_kvm_stop stop, uint32_t vp, uint64_t detail)
{
	struct machine *machine = ctx;
	const struct machine_callbacks *callbacks = &machine->callbacks;
	(void)vp;
	const int result = machine_stop(machine);
	partition_dispatch(machine->partition);
	if (result != 0 || stop != BACKEND_KVM_STOP_RESET) {
		callbacks->on_end(
			callbacks->ctx, result != 0 ? BACKEND_KVM_STOP_FAILED : stop, detail);
		return;
	}
	partition_reset(machine->partition);
	callbacks->on_reset(callbacks->ctx);
}

static size_t on_console_input(void *ctx, const uint8_t *bytes, size_t count)
{
	struct machine *machine = ctx;
	return uart_16550_receive(&machine->uart, bytes, count);
}

static void on_console_quit(void *ctx)
{
	const struct machine *machine = ctx;
	machine->callbacks.on_quit(machine->callbacks.ctx);
}

static int on_console_poll(void *ctx, int fd, uint32_t events)
{
	const struct machine *machine = ctx;
	return machine->callbacks.poll_set(machine->callbacks.ctx, fd, events);
}

void machine_on_ready(struct machine *machine, int fd, uint32_t events)
{
	uint64_t count;
	if (fd == machine->wake_fd) {
		(void)!read(fd, &count, sizeof count);
		partition_dispatch(machine->partition);
		if (machine->synic_test)
			synic_test_device_run(machine->synic_test);
	} else if (fd == machine->timer_fd) {
		(void)!read(fd, &count, sizeof count);
		partition_timers_run(machine->partition);
	} else if (!console_on_ready(machine->console, fd, events)) {
		backend_kvm_on_readable(machine->backend, fd);
	}
}

/* ---- start --------------------------------------------------------------------------------- */

static int fail(int error, char *text, size_t text_bytes, const char *what)
{
	snprintf(text, text_bytes, "%s: %s", what, strerror(-error));
	return error;
}

/* How many bits of address the guest's processors have: those of the host's. */
static unsigned address_bits(void)
{
	unsigned eax = 0;
	unsigned ebx = 0;
	unsigned ecx = 0;
	unsigned edx = 0;
	const unsigned bits = __get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx) ? eax & 0xff : 36;
	return bits < 36 || bits > 52 ? 36 : bits;
}

static int step_boot_config(struct machine *machine, char *error, size_t error_bytes)
{
	const struct machine_config *config = &machine->config;
	const uint64_t low = config->memory_bytes < LAYOUT_LOW_RAM_END ? config->memory_bytes
								       : LAYOUT_LOW_RAM_END;
	const uint64_t high_mmio = LAYOUT_VMBUS_HIGH_MMIO(address_bits());
	machine->boot = (struct boot_config){
		.kernel = config->kernel,
		.initrd = config->initrd,
		.command_line = config->command_line,
		.vp_count = config->vp_count,
		.low_bytes = low,
		.high_bytes = config->memory_bytes - low,
		.has_pci = config->emulated_disk != NULL,
	};
	const uint64_t ram_end = LAYOUT_HIGH_RAM + machine->boot.high_bytes;
	if (high_mmio >= ram_end && high_mmio < ram_end + UINT64_MAX / 2)
		machine->boot.high_mmio = high_mmio;
	if (ram_end > 1ull << address_bits()) {
		snprintf(error, error_bytes,
			"%llu MiB of memory: the processors of this machine address %u bits; try a "
			"smaller --memory",
			(unsigned long long)(config->memory_bytes >> 20), address_bits());
		return -EINVAL;
	}
	const int result = boot_generation_create(machine->boot.generation);
	return result == 0 ? 0 : fail(result, error, error_bytes, "random numbers");
}

static int step_descriptors(struct machine *machine, char *error, size_t error_bytes)
{
	const struct machine_callbacks *callbacks = &machine->callbacks;
	machine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	machine->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (machine->wake_fd < 0 || machine->timer_fd < 0)
		return fail(-errno, error, error_bytes, "eventfd and timerfd");
	int result = callbacks->poll_set(callbacks->ctx, machine->wake_fd, POLLIN);
	if (result == 0)
		result = callbacks->poll_set(callbacks->ctx, machine->timer_fd, POLLIN);
	return result == 0 ? 0 : fail(result, error, error_bytes, "eventfd and timerfd");
}

static int step_partition(struct machine *machine, char *error, size_t error_bytes)
{
	struct partition_config config = {
		.memory_bytes = machine->config.memory_bytes,
		.memory_low_bytes = machine->boot.low_bytes,
		.vp_count = machine->config.vp_count,
		.enlightenments = machine->config.enlightenments,
		.timer_set = on_timer_set,
		.wake = on_wake,
		.driver_ctx = machine,
		.debug_data = machine->callbacks.on_debug_data,
		.debug_ctx = machine->callbacks.ctx,
	};
	int result = backend_kvm_frequencies(&config.tsc_hz, &config.apic_hz);
	if (result != 0)
		return fail(result, error, error_bytes, "clock frequencies of /dev/kvm");
	result = partition_create(&config, &machine->partition);
	if (result != 0)
		snprintf(error, error_bytes, "partition with %llu MiB: %s; try a smaller --memory",
			(unsigned long long)(config.memory_bytes >> 20), strerror(-result));
	return result;
}

static int step_backend(struct machine *machine, char *error, size_t error_bytes)
{
	const struct backend_kvm_callbacks callbacks = {
		.watch = backend_watch,
		.unwatch = backend_unwatch,
		.on_stop = on_backend_stop,
		.ctx = machine,
	};
	return backend_kvm_create(
		machine->partition, &callbacks, &machine->backend, error, error_bytes);
}

static int step_console(struct machine *machine, char *error, size_t error_bytes)
{
	const struct console_callbacks callbacks = {
		.poll_set = on_console_poll,
		.receive = on_console_input,
		.quit = on_console_quit,
		.ctx = machine,
	};
	const struct uart_16550_callbacks uart = {
		.transmit = on_transmit,
		.room = on_uart_room,
		.line_set = on_uart_line,
		.ctx = machine,
	};
	const int result = console_create(&machine->config.console, &callbacks, &machine->console);
	if (result != 0)
		return fail(result, error, error_bytes, "console");
	uart_16550_init(&machine->uart, &uart);
	return 0;
}

static int ranges_add(struct machine *machine, const struct io_range *ranges, size_t count,
	char *error, size_t error_bytes)
{
	struct io_space *ports = backend_kvm_ports(machine->backend);
	for (size_t i = 0; i < count; i++) {
		const int result = io_space_add(
			ports, ranges[i].base, ranges[i].bytes, ranges[i].ops, ranges[i].ctx);
		if (result != 0)
			return fail(result, error, error_bytes, ranges[i].ops->name);
	}
	return 0;
}

static int step_devices(struct machine *machine, char *error, size_t error_bytes)
{
	cmos_init(&machine->cmos, NULL, NULL);
	machine->power = (struct power){
		.off = on_power_off, .reset = on_reset_register, .ctx = machine};
	const struct io_range ranges[] = {
		{LAYOUT_PORT_COM1, UART_16550_PORTS, &uart_16550_ops, &machine->uart},
		{LAYOUT_PORT_CMOS, CMOS_PORTS, &cmos_ops, &machine->cmos},
		{LAYOUT_PORT_SLEEP_CONTROL, POWER_SLEEP_PORTS, &power_sleep_ops, &machine->power},
		{LAYOUT_PORT_RESET, POWER_RESET_PORTS, &power_reset_ops, &machine->power},
	};
	return ranges_add(machine, ranges, sizeof ranges / sizeof *ranges, error, error_bytes);
}

static int step_test_devices(struct machine *machine, char *error, size_t error_bytes)
{
	if (!machine->config.has_test_devices)
		return 0;
	const int result = synic_test_device_create(
		machine->partition, on_wake, machine, &machine->synic_test);
	if (result != 0)
		return fail(result, error, error_bytes, "SynIC test device");
	machine->debug_exit = (struct debug_exit){.ended = on_debug_exit, .ctx = machine};
	fw_cfg_init(&machine->fw_cfg, machine->config.memory_bytes, machine->config.vp_count);
	const struct io_range ranges[] = {
		{LAYOUT_PORT_DEBUG_EXIT, DEBUG_EXIT_PORTS, &debug_exit_ops, &machine->debug_exit},
		{LAYOUT_PORT_FW_CFG, FW_CFG_PORTS, &fw_cfg_ops, &machine->fw_cfg},
		{LAYOUT_PORT_SYNIC_TEST, SYNIC_TEST_PORTS, &synic_test_device_ops,
			machine->synic_test},
	};
	return ranges_add(machine, ranges, sizeof ranges / sizeof *ranges, error, error_bytes);
}

static int step_emulated_disk(struct machine *machine, char *error, size_t error_bytes)
{
	const struct ata_disk_config config = {
		.path = machine->config.emulated_disk,
		.is_pio = machine->config.is_emulated_disk_pio,
		.memory = partition_memory(machine->partition),
		.line_set = on_ata_line,
		.ctx = machine,
	};
	if (config.path == NULL)
		return 0;
	const int result = ata_disk_create(&config, &machine->ata, error, error_bytes);
	if (result != 0)
		return result;
	ata_pci_init(&machine->ata_pci);
	const struct io_range ranges[] = {
		{LAYOUT_PORT_ATA, ATA_COMMAND_PORTS, &ata_command_ops, machine->ata},
		{LAYOUT_PORT_ATA_CONTROL, ATA_CONTROL_PORTS, &ata_control_ops, machine->ata},
		{LAYOUT_PORT_ATA_DMA, ATA_DMA_PORTS, &ata_dma_ops, machine->ata},
		{LAYOUT_PORT_PCI, ATA_PCI_PORTS, &ata_pci_ops, &machine->ata_pci},
	};
	return ranges_add(machine, ranges, sizeof ranges / sizeof *ranges, error, error_bytes);
}

static int (*const steps[])(struct machine *machine, char *error, size_t error_bytes) = {
	step_boot_config,
	step_descriptors,
	step_partition,
	step_backend,
	step_console,
	step_devices,
	step_test_devices,
	step_emulated_disk,
};

int machine_create(const struct machine_config *config, const struct machine_callbacks *callbacks,
	struct machine **out, char *error, size_t error_bytes)
{
	int result = 0;
	struct machine *machine = calloc(1, sizeof *machine);
	if (!machine)
		return fail(-ENOMEM, error, error_bytes, "machine");
	machine->config = *config;
	machine->callbacks = *callbacks;
	machine->wake_fd = machine->timer_fd = -1;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && result == 0; i++)
		result = steps[i](machine, error, error_bytes);
	if (result != 0) {
		machine_destroy(machine);
		return result;
	}
	*out = machine;
	return 0;
}

int machine_files_check(const struct machine_config *config, char *error, size_t error_bytes)
{
	struct machine machine = {.config = *config};
	struct guest_memory memory;
	struct vp_entry entry;
	int result = step_boot_config(&machine, error, error_bytes);
	if (result != 0)
		return result;
	result = guest_memory_init(&memory, config->memory_bytes, machine.boot.low_bytes);
	if (result != 0)
		return fail(result, error, error_bytes, "memory");
	result = boot_load(&machine.boot, &memory, &entry, error, error_bytes);
	guest_memory_destroy(&memory);
	return result;
}

int machine_boot(struct machine *machine, char *error, size_t error_bytes)
{
	struct vp_entry entry = {0};
	int result = boot_load(
		&machine->boot, partition_memory(machine->partition), &entry, error, error_bytes);
	if (result != 0)
		return result;
	uart_16550_reset(&machine->uart);
	cmos_reset(&machine->cmos);
	if (machine->synic_test)
		synic_test_device_reset(machine->synic_test);
	if (machine->ata) {
		ata_disk_reset(machine->ata);
		ata_pci_reset(&machine->ata_pci);
	}
	result = backend_kvm_vps_reset(machine->backend, &entry);
	if (result == 0)
		result = backend_kvm_start(machine->backend);
	if (result != 0)
		return fail(result, error, error_bytes, "starting the virtual processors");
	machine->boots++;
	return 0;
}

/* ---- end ----------------------------------------------------------------------------------- */

static void descriptor_close(const struct machine *machine, int fd)
{
	if (fd < 0)
		return;
	machine->callbacks.poll_set(machine->callbacks.ctx, fd, 0);
	close(fd);
}

void machine_destroy(struct machine *machine)
{
	if (!machine)
		return;
	if (machine->backend)
		machine_stop(machine);
	if (machine->is_stuck)
		return;
	synic_test_device_destroy(machine->synic_test);
	if (machine->ata) {
		ata_disk_destroy(machine->ata);
		ata_pci_destroy(&machine->ata_pci);
	}
	if (machine->backend)
		backend_kvm_destroy(machine->backend);
	if (machine->console) {
		console_destroy(machine->console);
		uart_16550_destroy(&machine->uart);
	}
	if (machine->partition)
		partition_destroy(machine->partition);
	descriptor_close(machine, machine->wake_fd);
	descriptor_close(machine, machine->timer_fd);
	free(machine);
}

struct partition *machine_partition(struct machine *machine)
{
	return machine->partition;
}

void machine_statistics_get(struct machine *machine, struct machine_statistics *out)
{
	*out = (struct machine_statistics){.boots = machine->boots};
	backend_kvm_statistics_get(machine->backend, &out->backend);
	console_statistics_get(machine->console, &out->console);
	out->unclaimed =
		__atomic_load_n(&backend_kvm_ports(machine->backend)->unclaimed, __ATOMIC_RELAXED) +
		__atomic_load_n(&backend_kvm_mmio(machine->backend)->unclaimed, __ATOMIC_RELAXED);
}
