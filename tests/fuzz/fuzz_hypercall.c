// SPDX-License-Identifier: Apache-2.0
/*
 * Everything that a guest can do to a partition, as a list of actions: registers,
 * memory, hypercalls, signals, resets, and meanwhile a host that posts messages and
 * sets event flags. The sanitizers watch; the target itself checks that what the
 * guest gets back is something that the specification has.
 *
 * An action is one byte, then its operands, little-endian; missing bytes are 0.
 * Addresses and registers are taken from small sets half of the time, so that calls
 * get past their first check.
 */
#include "host/hypervisor/hypercall.h"
#include "host/hypervisor/partition.h"
#include "host/limits.h"
#include "protocol/cursor.h"
#include "protocol/hypervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY	(1ull << 20)
#define VPS	2u
#define ACTIONS 256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum action {
	ACTION_HYPERCALL,
	ACTION_MSR_WRITE,
	ACTION_MSR_READ,
	ACTION_MEMORY,
	ACTION_POST,
	ACTION_EVENT,
	ACTION_SIGNAL,
	ACTION_CPUID,
	ACTION_RESET,
	ACTION_DISCARD,
	ACTION_START,	 /* OS id, hypercall page, SynIC: what a guest does first */
	ACTION_THREADS,	 /* from now on the backend has VP threads, or none */
	ACTION_DISPATCH, /* what they have left */
	ACTION_TIME,	 /* passes, and timers expire */
	ACTION_COUNT
};

struct fuzz {
	struct partition *partition;
	struct cursor in;
	unsigned reposts;
	uint64_t now_ns, deadline_ns;
	bool is_telling; /* partition_dispatch() is at work */
	bool has_threads;
};

static void must(bool condition)
{
	if (!condition)
		abort();
}

static uint64_t clock_ns(void *ctx)
{
	struct fuzz *fuzz = ctx;

	return fuzz->now_ns += 100;
}

static void interrupt_assert(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector)
{
	(void)ctx;
	(void)vector;
	must(vp < VPS && sint < HV_SINT_COUNT);
}

static void vector_assert(void *ctx, uint64_t vps, uint8_t vector)
{
	(void)ctx;
	must(vps != 0 && vps >> VPS == 0 && vector >= 16);
}

static void tlb_flush(void *ctx, uint32_t vp, uint64_t vps)
{
	(void)ctx;
	must(vp < VPS && vps != 0 && vps >> VPS == 0);
}

static uint64_t tsc_read(void *ctx)
{
	struct fuzz *fuzz = ctx;

	return (fuzz->now_ns += 100) * 2;
}

static uint64_t apic_read(void *ctx, uint32_t vp, enum partition_apic_register which)
{
	(void)ctx;
	must(vp < VPS && which <= PARTITION_APIC_TPR);
	return UINT64_MAX;
}

static void apic_write(void *ctx, uint32_t vp, enum partition_apic_register which, uint64_t value)
{
	(void)ctx;
	must(vp < VPS && which <= PARTITION_APIC_TPR);
	must(which != PARTITION_APIC_TPR || value <= 0xff);
}

static uint32_t apic_id(void *ctx, uint32_t vp)
{
	(void)ctx;
	must(vp < VPS);
	return vp * 3;
}

static void vp_idle(void *ctx, uint32_t vp)
{
	(void)ctx;
	must(vp < VPS);
}

static bool register_read(void *ctx, uint32_t vp, uint32_t name, uint64_t value[2])
{
	(void)ctx;
	must(vp < VPS);
	value[0] = name;
	return name % 2;
}

static bool register_write(void *ctx, uint32_t vp, uint32_t name, const uint64_t value[2])
{
	(void)ctx;
	must(vp < VPS);
	return (name ^ value[0]) % 2;
}

static void event_port_changed(void *ctx, uint32_t connection_id, bool is_there)
{
	(void)ctx;
	(void)is_there;
	must(connection_id == 0x2001);
}

static void timer_set(void *ctx, uint64_t deadline_ns)
{
	struct fuzz *fuzz = ctx;

	fuzz->deadline_ns = deadline_ns;
}

static void debug_data(void *ctx, const uint8_t *data, size_t bytes)
{
	unsigned sum = 0;

	(void)ctx;
	must(bytes > 0 && bytes <= 4096);
	for (size_t i = 0; i < bytes; i++)
		sum += data[i];
	must(sum <= 255 * 4096);
}

#define OPS                                                                                        \
	.name = "fuzz", .interrupt_assert = interrupt_assert, .has_xmm = true,                     \
	.vector_assert = vector_assert, .tlb_flush = tlb_flush, .apic_read = apic_read,            \
	.apic_write = apic_write, .apic_id = apic_id, .vp_idle = vp_idle,                          \
	.register_read = register_read, .register_write = register_write,                          \
	.event_port_changed = event_port_changed
static const struct partition_backend_ops ops = {OPS};
static const struct partition_backend_ops ops_threads = {
	OPS, .has_vp_threads = true, .tsc_read = tsc_read};

static uint16_t on_message(
	void *ctx, uint32_t connection_id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	struct fuzz *fuzz = ctx;

	must(!fuzz->has_threads || fuzz->is_telling);
	must(connection_id == 1 && bytes <= HV_MESSAGE_PAYLOAD_MAX);
	must(type != 0 && !(type & HV_MESSAGE_TYPE_HYPERVISOR));
	return synic_message_post(fuzz->partition, 0, 2, type, 1, payload, bytes) == 0
		       ? HV_STATUS_SUCCESS
		       : HV_STATUS_INSUFFICIENT_BUFFERS;
}

static void on_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	struct fuzz *fuzz = ctx;

	must(connection_id == 0x2001 && flag < 4);
	(void)synic_event_set(fuzz->partition, 1, 2, flag);
}

static void on_drained(void *ctx, uint32_t vp, uint32_t sint)
{
	struct fuzz *fuzz = ctx;

	if (fuzz->reposts > 0) {
		fuzz->reposts--;
		(void)synic_message_post(fuzz->partition, vp, sint, 1, 0, "again", 5);
	}
}

static void on_crash(void *ctx, const struct partition_crash *crash)
{
	(void)ctx;
	must(crash->message_bytes <= HV_CRASH_MESSAGE_MAX);
	unsigned sum = 0;
	for (size_t i = 0; i < crash->message_bytes; i++)
		sum += (uint8_t)crash->message[i];
	must(sum <= 255 * HV_CRASH_MESSAGE_MAX);
}

static uint64_t take_address(struct fuzz *fuzz)
{
	const uint8_t kind = cursor_u8(&fuzz->in);

	if (kind & 0x80)
		return cursor_u64(&fuzz->in);
	/* A page, and an offset that is often aligned and often near the end. */
	return ((uint64_t)(kind & 0x0f) << 12) + (kind & 0x40 ? 4096 - cursor_u8(&fuzz->in) : 0) +
	       (kind & 0x20 ? 0x100000 - 0x8000 : 0);
}

static uint32_t take_msr(struct fuzz *fuzz)
{
	return cursor_u16(&fuzz->in) % 0x210 + 0x40000000u;
}

static void do_hypercall(struct fuzz *fuzz)
{
	struct hypercall_registers registers = {.rax = UINT64_MAX};
	size_t rows;
	const struct hypercall_row *table = hypercall_table(&rows);
	const uint8_t kind = cursor_u8(&fuzz->in);
	const uint32_t vp = kind >> 7;

	registers.rcx = cursor_u64(&fuzz->in);
	if (kind & 0x40) { /* a call that exists, with a shape that is small */
		registers.rcx &= HV_HYPERCALL_FAST | 3ull << 17 | 3ull << 32 | 1ull << 48;
		registers.rcx |= table[kind % rows].code;
	}
	registers.rdx = take_address(fuzz);
	registers.r8 = take_address(fuzz);
	if (registers.rcx & HV_HYPERCALL_FAST)
		cursor_bytes(&fuzz->in, registers.xmm, sizeof registers.xmm);

	const struct hypercall_registers before = registers;
	const enum partition_fault fault = partition_hypercall(fuzz->partition, vp, &registers);
	must(fault == PARTITION_FAULT_NONE || fault == PARTITION_FAULT_UD);
	must(registers.rcx == before.rcx);
	if (fault != PARTITION_FAULT_NONE) {
		must(memcmp(&registers, &before, sizeof before) == 0);
		return;
	}
	const uint16_t reps = hv_hypercall_result_reps(registers.rax);
	must(registers.rax == hv_hypercall_result((uint16_t)registers.rax, reps));
	must(strcmp(hv_status_name((uint16_t)registers.rax), "unknown") != 0);
	must(reps <= (registers.rcx >> 32 & 0xfff));
	if (!(registers.rcx & HV_HYPERCALL_FAST)) {
		must(registers.rdx == before.rdx && registers.r8 == before.r8);
		must(memcmp(registers.xmm, before.xmm, sizeof before.xmm) == 0);
	}
}

static void do_start(struct fuzz *fuzz)
{
	struct partition *p = fuzz->partition;

	partition_msr_write(p, 0, HV_X64_MSR_GUEST_OS_ID, 1);
	partition_msr_write(p, 0, HV_X64_MSR_HYPERCALL, 0xf001);
	for (uint32_t vp = 0; vp < VPS; vp++) {
		partition_msr_write(p, vp, HV_X64_MSR_SIMP, 0x8001 + vp * 0x2000);
		partition_msr_write(p, vp, HV_X64_MSR_SIEFP, 0x9001 + vp * 0x2000);
		partition_msr_write(p, vp, HV_X64_MSR_SINT0 + 2, 0x40);
	}
}

static void do_msr(struct fuzz *fuzz, bool is_write)
{
	const uint32_t vp = cursor_u8(&fuzz->in) % (VPS + 1);
	const uint32_t msr = take_msr(fuzz);
	uint64_t value = 0;

	if (!is_write) {
		partition_msr_read(fuzz->partition, vp, msr, &value);
		return;
	}
	value = take_address(fuzz) | (cursor_u8(&fuzz->in) & 7u);
	if (partition_msr_write(fuzz->partition, vp, msr, value) == PARTITION_FAULT_NONE)
		must(vp < VPS);
}

static void do_memory(struct fuzz *fuzz)
{
	uint8_t bytes[64];
	const uint64_t gpa = take_address(fuzz);
	const size_t count = cursor_u8(&fuzz->in) % (sizeof bytes + 1);

	cursor_bytes(&fuzz->in, bytes, count);
	(void)guest_memory_write(partition_memory(fuzz->partition), gpa, bytes, count);
}

static void do_post(struct fuzz *fuzz)
{
	uint8_t payload[256] = {0x5a};
	const uint32_t vp = cursor_u8(&fuzz->in) % (VPS + 1);
	const uint32_t sint = cursor_u8(&fuzz->in) % (HV_SINT_COUNT + 1);
	const size_t bytes = cursor_u8(&fuzz->in);
	const int error = synic_message_post(fuzz->partition, vp, sint, 1, 0, payload, bytes);

	must(error == 0 || error == -EAGAIN || error == -EINVAL);
}

static void do_time(struct fuzz *fuzz)
{
	const uint8_t shift = cursor_u8(&fuzz->in) & 15;

	fuzz->now_ns += (uint64_t)cursor_u32(&fuzz->in) << shift;
	const uint64_t before = fuzz->now_ns;
	partition_timers_run(fuzz->partition);
	must(fuzz->deadline_ns >= before);
}

static void do_action(struct fuzz *fuzz, enum action action)
{
	uint32_t leaf[4];

	switch (action) {
	case ACTION_HYPERCALL:
		do_hypercall(fuzz);
		break;
	case ACTION_MSR_WRITE:
		do_msr(fuzz, true);
		break;
	case ACTION_MSR_READ:
		do_msr(fuzz, false);
		break;
	case ACTION_MEMORY:
		do_memory(fuzz);
		break;
	case ACTION_POST:
		do_post(fuzz);
		break;
	case ACTION_EVENT:
		(void)synic_event_set(fuzz->partition, cursor_u8(&fuzz->in) % (VPS + 1),
			cursor_u8(&fuzz->in) % (HV_SINT_COUNT + 1), cursor_u16(&fuzz->in));
		break;
	case ACTION_SIGNAL:
		(void)partition_signal(
			fuzz->partition, cursor_u32(&fuzz->in), cursor_u16(&fuzz->in));
		break;
	case ACTION_CPUID:
		partition_cpuid(fuzz->partition, 0, cursor_u32(&fuzz->in), 0, leaf);
		break;
	case ACTION_RESET:
		partition_reset(fuzz->partition);
		break;
	case ACTION_DISCARD:
		synic_message_discard(fuzz->partition, cursor_u8(&fuzz->in), cursor_u8(&fuzz->in));
		break;
	case ACTION_THREADS:
		fuzz->has_threads = !fuzz->has_threads;
		partition_backend_set(
			fuzz->partition, fuzz->has_threads ? &ops_threads : &ops, fuzz);
		break;
	case ACTION_DISPATCH:
		fuzz->is_telling = true;
		partition_dispatch(fuzz->partition);
		fuzz->is_telling = false;
		break;
	case ACTION_TIME:
		do_time(fuzz);
		break;
	case ACTION_START:
	case ACTION_COUNT:
		do_start(fuzz);
		break;
	}
}

/* R-HYP-001. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = {.in = cursor_over(data, size), .reposts = 16};
	const struct partition_config config = {
		.memory_bytes = MEMORY,
		.vp_count = VPS,
		.clock_ns = clock_ns,
		.clock_ctx = &fuzz,
		.tsc_hz = 2000000000u,
		.apic_hz = 1,
		.timer_set = timer_set,
		.driver_ctx = &fuzz,
		.debug_data = debug_data,
		.debug_ctx = &fuzz,
	};

	if (partition_create(&config, &fuzz.partition) != 0)
		return 0;
	partition_backend_set(fuzz.partition, &ops, &fuzz);
	partition_message_port_add(fuzz.partition, 1, on_message, &fuzz);
	partition_event_port_add(fuzz.partition, 0x2001, 4, on_event, &fuzz);
	synic_drained_observer_set(fuzz.partition, on_drained, &fuzz);
	partition_crash_observer_set(fuzz.partition, on_crash, &fuzz);
	for (unsigned i = 0; i < ACTIONS && cursor_left(&fuzz.in) > 0; i++)
		do_action(&fuzz, cursor_u8(&fuzz.in) % ACTION_COUNT);
	partition_destroy(fuzz.partition);
	return 0;
}
