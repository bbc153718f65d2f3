// SPDX-License-Identifier: Apache-2.0
/*
 * A partition on KVM with the guest of kvm_guest.h in it, and a loop to run it in: poll(2) over
 * what the backend watches, the partition's wake-ups and its timers.
 *
 *	if (!rig_create(&rig, 2)) return;	skipped, with the reason
 *	rig_command(&rig, 0, OP_WRMSR, ...);	fill the lists
 *	rig_run(&rig, 0x3);			until VPs 0 and 1 are through, or something stops
 *	CU_ASSERT_EQUAL(rig_result(&rig, 0, 0)->fault, 0);
 *	rig_destroy(&rig);
 */
#ifndef TESTS_KVM_KVM_RIG_H
#define TESTS_KVM_KVM_RIG_H

#include "host/hypervisor/backend_kvm.h"
#include "host/hypervisor/enlightenment.h"
#include "host/hypervisor/partition.h"
#include "protocol/hypervisor.h"
#include "protocol/hypervisor_x86.h"
#include "tests/harness.h"
#include "tests/kvm/kvm_guest.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RIG_FDS	       64u
#define RIG_SECONDS    30
#define RIG_CONNECTION 0x20u /* of VP 0; the other VPs have the next ones */

struct rig {
	struct partition *partition;
	struct backend_kvm *kvm;
	struct pollfd fds[RIG_FDS];
	unsigned fd_count;
	int wake_fd, timer_fd, done_fd;
	uint32_t done; /* VPs that are through; atomic */
	unsigned commands[GUEST_VPS];
	bool is_stopped;
	enum backend_kvm_stop stop;
	uint32_t stop_vp;
	uint64_t stop_detail;
	unsigned signals[GUEST_VPS]; /* on RIG_CONNECTION + n */
	void (*on_signal)(struct rig *rig, uint32_t vp);
	uint32_t port_writes; /* to ports of no one else; atomic */
	uint32_t port_last;
	uint32_t port_sum; /* of the values written, each times its place */
	uint32_t port_reads;
};

static inline uint64_t rig_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what the partition and the backend want ----------------------------------------------- */

static inline void rig_wake(void *ctx)
{
	const struct rig *rig = ctx;
	const uint64_t one = 1;

	(void)!write(rig->wake_fd, &one, sizeof one);
}

static inline void rig_timer_set(void *ctx, uint64_t deadline_ns)
{
	const struct rig *rig = ctx;
	struct itimerspec when = {0};

	if (deadline_ns != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(deadline_ns / 1000000000u);
		when.it_value.tv_nsec = (long)(deadline_ns % 1000000000u);
		if (deadline_ns == 0)
			when.it_value.tv_nsec = 1;
	}
	timerfd_settime(rig->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static inline int rig_watch(void *ctx, int fd)
{
	struct rig *rig = ctx;

	if (rig->fd_count == RIG_FDS)
		return -1;
	rig->fds[rig->fd_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	return 0;
}

static inline void rig_unwatch(void *ctx, int fd)
{
	struct rig *rig = ctx;

	for (unsigned i = 0; i < rig->fd_count; i++) {
		if (rig->fds[i].fd == fd) {
			rig->fds[i] = rig->fds[--rig->fd_count];
			return;
		}
	}
}

static inline void rig_on_stop(void *ctx, enum backend_kvm_stop stop, uint32_t vp, uint64_t detail)
{
	struct rig *rig = ctx;

	rig->is_stopped = true;
	rig->stop = stop;
	rig->stop_vp = vp;
	rig->stop_detail = detail;
}

static inline void rig_on_signal(void *ctx, uint32_t connection_id, uint16_t flag)
{
	struct rig *rig = ctx;

	(void)flag;
	rig->signals[connection_id - RIG_CONNECTION]++;
	if (rig->on_signal)
		rig->on_signal(rig, connection_id - RIG_CONNECTION);
}

static inline void rig_done_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct rig *rig = ctx;

	(void)offset;
	(void)bytes;
	__atomic_fetch_or(&rig->done, 1u << (value & 31), __ATOMIC_SEQ_CST);
	const uint64_t one = 1;
	(void)!write(rig->done_fd, &one, sizeof one);
}

static inline void rig_port_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct rig *rig = ctx;

	(void)offset;
	(void)bytes;
	__atomic_store_n(&rig->port_last, (uint32_t)value, __ATOMIC_RELAXED);
	const uint32_t place = __atomic_add_fetch(&rig->port_writes, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&rig->port_sum, (uint32_t)value * place, __ATOMIC_RELAXED);
}

static inline uint64_t rig_port_read(void *ctx, uint64_t offset, unsigned bytes)
{
	(void)ctx;
	(void)bytes;
	return 0xabcd0000u + offset;
}

/* Another value at each read. */
static inline uint64_t rig_counter_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct rig *rig = ctx;

	(void)offset;
	(void)bytes;
	return 0x100u + __atomic_fetch_add(&rig->port_reads, 1, __ATOMIC_RELAXED);
}

static const struct io_device_ops rig_counter_ops = {.name = "counter", .read = rig_counter_read};
static const struct io_device_ops rig_done_ops = {.name = "done", .write = rig_done_write};
static const struct io_device_ops rig_port_ops = {
	.name = "test", .read = rig_port_read, .write = rig_port_write};
#define RIG_PORT    0x600u
#define RIG_COUNTER 0x610u
#define RIG_MMIO    0xd0000000ull

/* ---- the guest's memory -------------------------------------------------------------------- */

static inline uint8_t *rig_memory(struct rig *rig, uint64_t gpa)
{
	return guest_memory_at(partition_memory(rig->partition), gpa, 8);
}

static inline void rig_store64(struct rig *rig, uint64_t gpa, uint64_t value)
{
	memcpy(rig_memory(rig, gpa), &value, sizeof value);
}

static inline uint64_t rig_load64(struct rig *rig, uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, rig_memory(rig, gpa), sizeof value);
	return value;
}

static inline void rig_tables_write(struct rig *rig)
{
	rig_store64(rig, GUEST_TABLES, (GUEST_TABLES + 0x1000) | 3);
	for (uint64_t i = 0; i < 4; i++)
		rig_store64(rig, GUEST_TABLES + 0x1000 + 8 * i,
			(GUEST_TABLES + 0x2000 + 0x1000 * i) | 3);
	for (uint64_t i = 0; i < 2048; i++)
		rig_store64(rig, GUEST_TABLES + 0x2000 + 8 * i, i << 21 | 0x83);
	rig_store64(rig, GUEST_GDT + 0x10, 0x00af9b000000ffffull);
	rig_store64(rig, GUEST_GDT + 0x18, 0x00cf93000000ffffull);
	rig_store64(rig, GUEST_GDT_POINTER, 31 | (uint64_t)GUEST_GDT << 16);
	rig_store64(rig, GUEST_GDT_LONGER, 63 | (uint64_t)GUEST_GDT << 16);
	rig_store64(rig, GUEST_CR3_VALUE, GUEST_TABLES);
	rig_store64(rig, GUEST_IDT_POINTER, 0xfff | (uint64_t)GUEST_IDT << 16);
}

static inline size_t rig_distance(const uint8_t *from, const uint8_t *to)
{
	return (size_t)((uintptr_t)to - (uintptr_t)from);
}

/* Vector n: at GUEST_STUBS + 16 n; pushes what the common handler expects, and goes there. */
static inline void rig_stub_write(struct rig *rig, unsigned vector)
{
	const bool has_code = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
	const uint64_t at = GUEST_STUBS + 16ull * vector;
	const uint64_t handler = GUEST_CODE + rig_distance(guest_code, guest_vector);
	uint8_t *code = rig_memory(rig, at);
	unsigned n = 0;

	if (!has_code) {
		code[n++] = 0x6a; /* push 0 */
		code[n++] = 0;
	}
	code[n++] = 0x68; /* push imm32 */
	memcpy(code + n, &vector, 4);
	n += 4;
	code[n++] = 0xe9; /* jmp rel32 */
	const uint32_t distance = (uint32_t)(handler - (at + n + 4));
	memcpy(code + n, &distance, 4);
	/* A 64-bit interrupt gate. */
	rig_store64(rig, GUEST_IDT + 16ull * vector,
		(at & 0xffff) | 0x10ull << 16 | 0x8e00ull << 32 | (at >> 16 & 0xffff) << 48);
	rig_store64(rig, GUEST_IDT + 16ull * vector + 8, at >> 32);
}

static inline void rig_guest_write(struct rig *rig)
{
	rig_tables_write(rig);
	for (unsigned vector = 0; vector < 256; vector++)
		rig_stub_write(rig, vector);
	memcpy(rig_memory(rig, GUEST_CODE), guest_code, rig_distance(guest_code, guest_code_end));
	memcpy(rig_memory(rig, GUEST_TRAMPOLINE), guest_trampoline,
		rig_distance(guest_trampoline, guest_trampoline_end));
}

/* ---- life ---------------------------------------------------------------------------------- */

static inline void rig_destroy(struct rig *rig)
{
	backend_kvm_destroy(rig->kvm);
	partition_destroy(rig->partition);
	close(rig->wake_fd);
	close(rig->timer_fd);
	close(rig->done_fd);
}

static inline int rig_reset(struct rig *rig)
{
	const struct vp_entry entry = {
		.is_long_mode = true,
		.rip = GUEST_CODE,
		.rsp = GUEST_STACKS + 0x4000,
		.cr3 = GUEST_TABLES,
		.gdt = GUEST_GDT,
	};

	rig->is_stopped = false;
	rig->done = 0;
	return backend_kvm_vps_reset(rig->kvm, &entry);
}

/* Can KVM run guests here? If not, the test is skipped with the probe's reason. */
static inline bool rig_can_run(void)
{
	static char why[1000];
	static bool has_asked;

	if (!has_asked)
		backend_kvm_probe(why, sizeof why);
	has_asked = true;
	if (why[0])
		test_skip(why);
	return !why[0];
}

/* False: skipped, or failed and said so. */
static inline bool rig_create(struct rig *rig, uint32_t vps)
{
	struct partition_config config = {
		.memory_bytes = GUEST_BYTES,
		.vp_count = vps,
		.wake = rig_wake,
		.timer_set = rig_timer_set,
		.driver_ctx = rig,
	};
	const struct backend_kvm_callbacks callbacks = {
		.watch = rig_watch, .unwatch = rig_unwatch, .on_stop = rig_on_stop, .ctx = rig};
	char error[200] = "";

	*rig = (struct rig){0};
	if (!rig_can_run())
		return false;
	rig->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rig->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rig->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	CU_ASSERT_EQUAL(backend_kvm_frequencies(&config.tsc_hz, &config.apic_hz), 0);
	CU_ASSERT_EQUAL_FATAL(partition_create(&config, &rig->partition), 0);
	const int result = backend_kvm_create(
		rig->partition, &callbacks, &rig->kvm, error, sizeof error);
	if (result < 0)
		printf("    %s\n", error);
	CU_ASSERT_EQUAL_FATAL(result, 0);
	io_space_add(backend_kvm_ports(rig->kvm), GUEST_PORT_DONE, 4, &rig_done_ops, rig);
	io_space_add(backend_kvm_ports(rig->kvm), RIG_PORT, 8, &rig_port_ops, rig);
	io_space_add(backend_kvm_ports(rig->kvm), RIG_COUNTER, 4, &rig_counter_ops, rig);
	io_space_add(backend_kvm_mmio(rig->kvm), RIG_MMIO, 16, &rig_port_ops, rig);
	for (uint32_t vp = 0; vp < GUEST_VPS; vp++)
		CU_ASSERT_EQUAL(partition_event_port_add(rig->partition, RIG_CONNECTION + vp, 16,
					rig_on_signal, rig),
			0);
	rig_guest_write(rig);
	CU_ASSERT_EQUAL(rig_reset(rig), 0);
	return true;
}

/* ---- lists --------------------------------------------------------------------------------- */

static inline struct guest_command *rig_result(struct rig *rig, uint32_t vp, unsigned index)
{
	return (void *)rig_memory(rig, GUEST_LISTS + vp * 0x10000ull + index * 64ull);
}

/* Returns the index of the command. */
static inline unsigned rig_command(struct rig *rig, uint32_t vp, enum guest_op op, uint64_t a0,
	uint64_t a1, uint64_t a2, uint64_t a3)
{
	const unsigned index = rig->commands[vp]++;

	*rig_result(rig, vp, index) = (struct guest_command){.op = op, .a = {a0, a1, a2, a3}};
	return index;
}

static inline void rig_list_forget(struct rig *rig, uint32_t vp)
{
	memset(rig_memory(rig, GUEST_LISTS + vp * 0x10000ull), 0, 0x10000);
	rig->commands[vp] = 0;
}

static inline uint32_t rig_interrupts(struct rig *rig, uint32_t vp, unsigned vector)
{
	const uint32_t *at = (const void *)rig_memory(
		rig, GUEST_COUNTERS + vp * 0x1000ull + vector * 4ull);

	return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

/* ---- running ------------------------------------------------------------------------------- */

/* One turn of the loop. */
static inline void rig_turn(struct rig *rig, int timeout_ms)
{
	struct pollfd fds[RIG_FDS + 3];
	const unsigned count = rig->fd_count;
	uint64_t rung;

	memcpy(fds, rig->fds, count * sizeof fds[0]);
	fds[count] = (struct pollfd){.fd = rig->wake_fd, .events = POLLIN};
	fds[count + 1] = (struct pollfd){.fd = rig->timer_fd, .events = POLLIN};
	fds[count + 2] = (struct pollfd){.fd = rig->done_fd, .events = POLLIN};
	if (poll(fds, count + 3, timeout_ms) <= 0)
		return;
	for (unsigned i = 0; i < count; i++)
		if (fds[i].revents)
			backend_kvm_on_readable(rig->kvm, fds[i].fd);
	if (fds[count].revents && read(rig->wake_fd, &rung, sizeof rung) > 0)
		partition_dispatch(rig->partition);
	if (fds[count + 1].revents && read(rig->timer_fd, &rung, sizeof rung) > 0)
		partition_timers_run(rig->partition);
	if (fds[count + 2].revents)
		(void)!read(rig->done_fd, &rung, sizeof rung);
}

static inline bool rig_is_done(const struct rig *rig, uint32_t vps)
{
	return (__atomic_load_n(&rig->done, __ATOMIC_SEQ_CST) & vps) == vps;
}

/* Run until the VPs are through with their lists, or the backend reports a stop. */
static inline void rig_wait(struct rig *rig, uint32_t vps)
{
	const uint64_t deadline = rig_now_ns() + RIG_SECONDS * 1000000000ull;

	while (!rig->is_stopped && !rig_is_done(rig, vps) && rig_now_ns() < deadline)
		rig_turn(rig, 100);
}

static inline void rig_run(struct rig *rig, uint32_t vps)
{
	CU_ASSERT_EQUAL(backend_kvm_start(rig->kvm), 0);
	rig_wait(rig, vps);
	CU_ASSERT_EQUAL(backend_kvm_park(rig->kvm), 0);
	CU_ASSERT_TRUE(rig->is_stopped || rig_is_done(rig, vps));
	/* What was signalled last may still be on its way. */
	for (int i = 0; i < 4; i++)
		rig_turn(rig, 0);
}

/* The commands that open the hypercall page. */
static inline void rig_hypercalls_enable(struct rig *rig, uint32_t vp)
{
	rig_command(rig, vp, OP_WRMSR, HV_X64_MSR_GUEST_OS_ID, 0x8100000000010001ull, 0, 0);
	rig_command(rig, vp, OP_WRMSR, HV_X64_MSR_HYPERCALL, GUEST_HYPERCALLS | 1, 0, 0);
}

/* The commands that give the VP a SynIC with one SINT. */
static inline void rig_synic_enable(struct rig *rig, uint32_t vp, uint32_t sint, uint64_t value)
{
	const uint64_t pages = GUEST_SYNIC + vp * 0x2000ull;

	rig_command(rig, vp, OP_WRMSR, HV_X64_MSR_SIMP, pages | 1, 0, 0);
	rig_command(rig, vp, OP_WRMSR, HV_X64_MSR_SIEFP, (pages + 0x1000) | 1, 0, 0);
	rig_command(rig, vp, OP_WRMSR, HV_X64_MSR_SCONTROL, 1, 0, 0);
	rig_command(rig, vp, OP_WRMSR, HV_X64_MSR_SINT0 + sint, value, 0, 0);
}

#define RIG_SIGNAL (HV_CALL_SIGNAL_EVENT | HV_HYPERCALL_FAST)

/* The command that signals the connection of the VP. */
static inline unsigned rig_signal(struct rig *rig, uint32_t vp)
{
	return rig_command(rig, vp, OP_HYPERCALL, RIG_SIGNAL, RIG_CONNECTION + vp, 0, 1);
}

static inline uint64_t rig_exits(struct rig *rig, enum backend_kvm_exit exit)
{
	struct backend_kvm_statistics statistics;

	backend_kvm_statistics_get(rig->kvm, &statistics);
	return statistics.exits[exit];
}

#endif
