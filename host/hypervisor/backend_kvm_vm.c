// SPDX-License-Identifier: Apache-2.0
/*
 * The VM as KVM has it: memory slots over the partition's memory, local APICs and IOAPIC, the
 * filter that brings synthetic MSRs to us, VPs with their CPUID, and one TSC for all.
 *
 * Source: Documentation/virt/kvm/api.rst of Linux (facts of the interface).
 */
#include "host/hypervisor/backend_kvm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

/* Four pages that VT-x needs in the guest's address space, below the local APICs. */
#define IDENTITY_MAP_GPA 0xfffbc000ull
#define TSS_GPA		 0xfffbd000u

#define FILTER_MSRS (HV_X64_MSR_LAST + 1u - HV_X64_MSR_FIRST)

/* KVM's own clock for the timers of local APICs, 1 ns. */
#define APIC_HZ 1000000000u

static int cap_enable(int fd, uint32_t cap, uint64_t argument)
{
	struct kvm_enable_cap enable = {.cap = cap, .args = {argument}};

	return ioctl(fd, KVM_ENABLE_CAP, &enable) < 0 ? -errno : 0;
}

static bool has_cap(int fd, int cap)
{
	return ioctl(fd, KVM_CHECK_EXTENSION, cap) > 0;
}

static int memory_set(struct backend_kvm *kvm)
{
	const struct guest_memory *memory = partition_memory(kvm->partition);

	for (unsigned i = 0; i < memory->region_count; i++) {
		const struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = memory->regions[i].gpa,
			.memory_size = memory->regions[i].bytes,
			.userspace_addr = (uintptr_t)memory->regions[i].host,
		};
		if (ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return -errno;
		/*
		 * A boot touches most pages once, and each first touch is an exit that KVM
		 * serves: with 2 MiB pages a third of them is left. Where the kernel allows
		 * none for shared memory (shmem_enabled), this changes nothing.
		 */
		(void)madvise(memory->regions[i].host, memory->regions[i].bytes, MADV_HUGEPAGE);
	}
	return 0;
}

/* All synthetic MSRs cause exits; all others are KVM's. */
static int filter_set(struct backend_kvm *kvm)
{
	uint8_t denied[FILTER_MSRS / 8] = {0};
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] =
			{
				.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
				.base = HV_X64_MSR_FIRST,
				.nmsrs = FILTER_MSRS,
				.bitmap = denied,
			},
	};
	const int error = cap_enable(
		kvm->vm_fd, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER);

	if (error)
		return error;
	return ioctl(kvm->vm_fd, KVM_X86_SET_MSR_FILTER, &filter) < 0 ? -errno : 0;
}

/* ---- clocks -------------------------------------------------------------------------------- */

uint64_t kvm_tsc_read(void *ctx)
{
	const struct backend_kvm *kvm = ctx;

	return __rdtsc() + kvm->tsc_offset;
}

/* KVM trusts the host's TSCs only if they are constant and agree with each other. */
static bool is_tsc_stable(struct backend_kvm *kvm)
{
	struct kvm_clock_data clock = {0};

	/* Setting the clock makes KVM look at all VPs. */
	return ioctl(kvm->vm_fd, KVM_SET_CLOCK, &clock) == 0 &&
	       ioctl(kvm->vm_fd, KVM_GET_CLOCK, &clock) == 0 &&
	       (clock.flags & KVM_CLOCK_TSC_STABLE);
}

bool kvm_tsc_align(struct backend_kvm *kvm)
{
	const uint64_t offset = kvm->tsc_offset;
	const struct kvm_device_attr attribute = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	for (uint32_t i = 0; i < kvm->vp_count; i++)
		if (ioctl(kvm->vps[i].fd, KVM_SET_DEVICE_ATTR, &attribute) < 0)
			return false;
	return true;
}

int backend_kvm_frequencies(uint64_t *tsc_hz, uint64_t *apic_hz)
{
	int error = 0;
	int vm = -1;
	int vp = -1;
	const int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (device < 0)
		return -errno;
	vm = ioctl(device, KVM_CREATE_VM, 0);
	if (vm >= 0)
		vp = ioctl(vm, KVM_CREATE_VCPU, 0);
	const int khz = vp >= 0 ? ioctl(vp, KVM_GET_TSC_KHZ, 0) : -1;
	if (khz < 0)
		error = -errno;
	else if (khz == 0)
		error = -ENODEV;
	if (vp >= 0)
		close(vp);
	if (vm >= 0)
		close(vm);
	close(device);
	if (!error) {
		*tsc_hz = (uint64_t)khz * 1000u;
		*apic_hz = APIC_HZ;
	}
	return error;
}

/* ---- VPs ----------------------------------------------------------------------------------- */

static int vp_create(struct backend_kvm *kvm, uint32_t index)
{
	struct kvm_vp *vp = &kvm->vps[index];
	const int run_bytes = ioctl(kvm->device_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (run_bytes < (int)sizeof *vp->run)
		return -ENODEV;
	vp->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (vp->fd < 0)
		return -errno;
	void *run = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vp->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	vp->run = run;
	vp->run_bytes = (size_t)run_bytes;
	vp->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	/* MSRs of KVM's own interface, which CPUID does not offer, are to fault. */
	if (has_cap(kvm->vm_fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID))
		cap_enable(vp->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1);
	return 0;
}

static int vps_create(struct backend_kvm *kvm)
{
	int error = 0;

	for (uint32_t i = 0; i < kvm->vp_count && !error; i++)
		error = vp_create(kvm, i);
	return error;
}

/* ---- the VM -------------------------------------------------------------------------------- */

static int irqchip_create(struct backend_kvm *kvm)
{
	if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return -errno;
	return kvm_routing_set(kvm);
}

static int vt_x_pages_set(struct backend_kvm *kvm)
{
	const uint64_t gpa = IDENTITY_MAP_GPA;

	if (ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &gpa) < 0 ||
		ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_GPA) < 0)
		return -errno;
	return 0;
}

static int x2apic_set(struct backend_kvm *kvm)
{
	return cap_enable(kvm->vm_fd, KVM_CAP_X2APIC_API,
		KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
}

static int vm_open(struct backend_kvm *kvm)
{
	kvm->device_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->device_fd < 0)
		return -errno;
	kvm->vm_fd = ioctl(kvm->device_fd, KVM_CREATE_VM, 0);
	if (kvm->vm_fd < 0)
		return -errno;
	kvm->has_auto_eoi = has_cap(kvm->vm_fd, KVM_CAP_HYPERV_SYNIC2);
	if (!has_cap(kvm->vm_fd, KVM_CAP_HYPERV_VAPIC)) {
		kvm->ops.apic_read = NULL;
		kvm->ops.apic_write = NULL;
	}
	const int max = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	return max > 0 && kvm->vp_count > (uint32_t)max ? -E2BIG : 0;
}

static int clocks_set(struct backend_kvm *kvm)
{
	kvm->tsc_offset = 0 - __rdtsc();
	if (!kvm_tsc_align(kvm) || !is_tsc_stable(kvm))
		kvm->ops.tsc_read = NULL;
	return 0;
}

int kvm_vm_create(struct backend_kvm *kvm, char *error, size_t error_bytes)
{
	static const struct {
		const char *what;
		int (*step)(struct backend_kvm *kvm);
	} steps[] = {
		{"cannot make a virtual machine on /dev/kvm", vm_open},
		{"cannot give the guest its memory", memory_set},
		{"cannot reserve the pages that VT-x needs", vt_x_pages_set},
		{"cannot make interrupt controllers", irqchip_create},
		{"cannot use x2APIC ids", x2apic_set},
		{"cannot filter MSRs", filter_set},
		{"cannot make virtual processors", vps_create},
		{"cannot set the clock of the guest", clocks_set},
	};

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		const int result = steps[i].step(kvm);
		if (result == 0)
			continue;
		snprintf(error, error_bytes, "KVM: %s: %s", steps[i].what, strerror(-result));
		return result;
	}
	return 0;
}

void kvm_vm_destroy(struct backend_kvm *kvm)
{
	for (uint32_t i = 0; i < kvm->vp_count; i++) {
		if (kvm->vps[i].run)
			munmap(kvm->vps[i].run, kvm->vps[i].run_bytes);
		if (kvm->vps[i].fd >= 0)
			close(kvm->vps[i].fd);
	}
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	if (kvm->device_fd >= 0)
		close(kvm->device_fd);
}
