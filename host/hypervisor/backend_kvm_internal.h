// SPDX-License-Identifier: Apache-2.0
/*
 * Inside the KVM backend. For the files host/hypervisor/backend_kvm*.c alone.
 *
 *	backend_kvm.c		life: create, start, park, stop, destroy; what the loop calls
 *	backend_kvm_probe.c	can this machine run guests?
 *	backend_kvm_vm.c	VM and VPs as KVM objects: memory, filter, clocks, capabilities
 *	backend_kvm_cpuid.c	what CPUID says
 *	backend_kvm_vp.c	VP threads: run, kick, park, flush, idle
 *	backend_kvm_exits.c	the exit table; the hypercall page
 *	backend_kvm_interrupts.c  MSI routes, lines, doorbells
 *	backend_kvm_state.c	power-on state and entry
 *	backend_kvm_registers.c	registers by name, local APIC
 *
 * Threads: fields are grouped by who may touch them. Lock order: the partition's lock, then
 * backend_kvm.mutex; nothing of the partition is called with the mutex held.
 */
#ifndef HOST_HYPERVISOR_BACKEND_KVM_INTERNAL_H
#define HOST_HYPERVISOR_BACKEND_KVM_INTERNAL_H

#include "host/hypervisor/backend_kvm.h"

#include "host/limits.h"
#include "protocol/hypervisor.h"
#include "protocol/hypervisor_x86.h"

#include <linux/kvm.h>
#include <pthread.h>

/* What the thread of a VP does before it enters the guest again. */
#define KVM_VP_REQUEST_FLUSH	(1u << 0) /* forget all translations */
#define KVM_VP_REQUEST_IDLE	(1u << 1) /* halt until an interrupt is pending */
#define KVM_VP_REQUEST_AUTO_EOI (1u << 2) /* tell KVM which vectors are to end by themselves */

struct kvm_vp_state;

struct kvm_vp {
	struct backend_kvm *kvm;
	uint32_t index;
	int fd;
	struct kvm_run *run; /* shared with KVM; the VP's thread, while it runs */
	size_t run_bytes;
	struct kvm_vp_state *power_on; /* owned */
	pthread_t thread;

	/* the VP's thread alone */
	bool has_auto_eoi;  /* KVM has been told of SINTs */
	bool is_incomplete; /* KVM has yet to be told the outcome of the last exit */

	/* atomic */
	uint32_t is_in_guest; /* in KVM_RUN, or about to be; must be kicked to be heard */
	uint32_t requests;    /* KVM_VP_REQUEST_* */
	uint64_t exits[BACKEND_KVM_EXIT_COUNT];

	/* the partition's lock */
	uint64_t sints[HV_SINT_COUNT]; /* as last written; read without it, atomic */
};

/* An interrupt source of a VP, as an MSI route behind an eventfd. The partition's lock. */
struct kvm_route {
	int fd;		/* owned; -1: none yet */
	uint8_t vector; /* of the route, if there is one; else of the last interrupts */
	uint8_t streak; /* interrupts in a row that had this vector and no route */
	bool is_routed;
};

/* A connection whose signals come by ioeventfd. The loop thread alone. */
struct kvm_doorbell {
	int fd; /* owned */
	uint32_t connection_id;
};

struct kvm_stop_report {
	bool is_set, is_told;
	enum backend_kvm_stop stop;
	uint32_t vp;
	uint64_t detail;
};

struct backend_kvm {
	struct partition *partition; /* borrowed */
	struct backend_kvm_callbacks callbacks;
	struct partition_backend_ops ops;
	struct io_space ports, mmio;
	int device_fd, vm_fd, stop_fd;
	uint32_t vp_count;
	uint32_t thread_count; /* of VPs: all, once created */
	uint64_t tsc_offset;   /* guest TSC = host TSC + this */
	bool has_auto_eoi;

	/* mutex */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	uint32_t parked; /* VP threads that wait */
	bool is_quitting;
	struct kvm_stop_report report;

	uint32_t is_parking; /* atomic; written under the mutex */

	/* the partition's lock */
	struct kvm_route routes[LIMIT_VPS][HV_SINT_COUNT];
	unsigned route_fds;
	uint64_t interrupts_fd, interrupts_ioctl; /* atomic */

	/* the loop thread */
	struct kvm_doorbell *doorbells; /* owned; sorted by fd */
	unsigned doorbell_count, doorbell_room;
	uint64_t doorbells_rung;

	struct kvm_irqchip *irqchips; /* owned: power-on state of PICs and IOAPIC */
	struct kvm_vp vps[];
};

/* ---- backend_kvm_vm.c ---- */
int kvm_vm_create(struct backend_kvm *kvm, char *error, size_t error_bytes);
void kvm_vm_destroy(struct backend_kvm *kvm);
/* Guest TSC of this moment, the same on all VPs. */
uint64_t kvm_tsc_read(void *ctx);
/* Give all VPs one TSC, 0 at the VM's creation. False: KVM cannot. */
bool kvm_tsc_align(struct backend_kvm *kvm);

/* ---- backend_kvm_cpuid.c ---- */
int kvm_cpuid_set(struct backend_kvm *kvm, uint32_t vp);

/* ---- backend_kvm_vp.c ---- */
int kvm_vp_threads_create(struct backend_kvm *kvm);
/* Tell all threads to end and wait for them: they must be parked. */
void kvm_vp_threads_join(struct backend_kvm *kvm);
/* Bring a VP out of the guest, if it is there. [any thread] */
void kvm_vp_kick(struct kvm_vp *vp);
/* Ask for work before the next entry. [any thread] */
void kvm_vp_request(struct kvm_vp *vp, uint32_t request);
/* On the VP's thread: let KVM finish the instruction that caused the last exit. */
void kvm_vp_complete(struct kvm_vp *vp);
void kvm_tlb_flush(void *ctx, uint32_t vp, uint64_t vps);
void kvm_vp_idle(void *ctx, uint32_t vp);
uint64_t kvm_run_time_100ns(void *ctx, uint32_t vp);

/* ---- backend_kvm_exits.c ---- */
extern const uint8_t kvm_hypercall_code[];
extern const size_t kvm_hypercall_code_bytes;
/* KVM_RUN has returned 0: do what the guest wants. On the VP's thread. */
void kvm_exit_dispatch(struct kvm_vp *vp);

/* ---- backend_kvm_interrupts.c ---- */
/* Routes of the IOAPIC's pins and of the SINTs that have one. */
int kvm_routing_set(struct backend_kvm *kvm);
void kvm_interrupt_assert(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector);
void kvm_sint_changed(void *ctx, uint32_t vp, uint32_t sint, uint64_t value);
void kvm_vector_assert(void *ctx, uint64_t vps, uint8_t vector);
uint32_t kvm_apic_id(void *ctx, uint32_t vp);
void kvm_event_port_changed(void *ctx, uint32_t connection_id, bool is_there);
/* The doorbell behind `fd` has rung; false: it is none. */
bool kvm_doorbell_ring(struct backend_kvm *kvm, int fd);
void kvm_interrupts_destroy(struct backend_kvm *kvm);

/* ---- backend_kvm_state.c ---- */
/* Remember what KVM made: the state after power-on. */
int kvm_state_save(struct backend_kvm *kvm);
void kvm_state_destroy(struct backend_kvm *kvm);

/* ---- backend_kvm_registers.c ---- */
/* By number, of the VP behind `vp_fd`: it must not run. False: KVM refuses. */
bool kvm_msr_get(int vp_fd, uint32_t index, uint64_t *value);
bool kvm_msr_set(int vp_fd, uint32_t index, uint64_t value);
bool kvm_register_read(void *ctx, uint32_t vp, uint32_t name, uint64_t value[2]);
bool kvm_register_write(void *ctx, uint32_t vp, uint32_t name, const uint64_t value[2]);
uint64_t kvm_apic_read(void *ctx, uint32_t vp, enum partition_apic_register which);
void kvm_apic_write(void *ctx, uint32_t vp, enum partition_apic_register which, uint64_t value);
/* XMM0..XMM5, low quadword first. */
bool kvm_xmm_read(struct kvm_vp *vp, uint64_t xmm[12]);
bool kvm_xmm_write(struct kvm_vp *vp, const uint64_t xmm[12]);

#endif
