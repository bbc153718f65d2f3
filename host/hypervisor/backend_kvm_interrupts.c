// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts into the guest, and signals out of it.
 *
 * In: a SINT that is raised again and again with one vector gets an MSI route and an eventfd
 * that KVM listens to; from then on raising it is one write. Other interrupts are one ioctl.
 * A route is made at the ROUTE_AFTER-th interrupt in a row with the same vector, so that a
 * guest which keeps changing vectors cannot make the host rebuild KVM's table all the time.
 *
 * Out: each event port has an eventfd that KVM signals when the hypercall page writes the
 * port's connection id to BACKEND_KVM_PORT_SIGNAL.
 */
#include "host/hypervisor/backend_kvm_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROUTE_AFTER 4u
/* GSIs: first the pins of the IOAPIC, then the SINTs of VP 0, VP 1 and so on. */
#define GSI_SINTS    BACKEND_KVM_IOAPIC_PINS
#define ROUTES_MAX   (GSI_SINTS + LIMIT_VPS * HV_SINT_COUNT)
#define MSI_ADDRESS  0xfee00000u
#define MSI_ID_SHIFT 12u

static uint32_t gsi_of(uint32_t vp, uint32_t sint)
{
	return GSI_SINTS + vp * HV_SINT_COUNT + sint;
}

uint32_t kvm_apic_id(void *ctx, uint32_t vp)
{
	(void)ctx;
	return vp;
}

/* ---- to the guest -------------------------------------------------------------------------- */

static unsigned sint_routes_list(
	const struct backend_kvm *kvm, struct kvm_irq_routing_entry *entries, unsigned count)
{
	for (uint32_t vp = 0; vp < kvm->vp_count; vp++) {
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++) {
			if (!kvm->routes[vp][sint].is_routed)
				continue;
			entries[count++] = (struct kvm_irq_routing_entry){
				.gsi = gsi_of(vp, sint),
				.type = KVM_IRQ_ROUTING_MSI,
				.u.msi.address_lo = MSI_ADDRESS | kvm_apic_id(NULL, vp)
									  << MSI_ID_SHIFT,
				.u.msi.data = kvm->routes[vp][sint].vector,
			};
		}
	}
	return count;
}

int kvm_routing_set(struct backend_kvm *kvm)
{
	struct kvm_irq_routing *routing = calloc(
		1, sizeof *routing + ROUTES_MAX * sizeof routing->entries[0]);
	unsigned count = 0;

	if (!routing)
		return -ENOMEM;
	/* The pins of the IOAPIC alone: guests that do not know of PICs must not hear them. */
	for (uint32_t pin = 0; pin < BACKEND_KVM_IOAPIC_PINS; pin++)
		routing->entries[count++] = (struct kvm_irq_routing_entry){
			.gsi = pin,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = {.irqchip = KVM_IRQCHIP_IOAPIC, .pin = pin},
		};
	routing->nr = sint_routes_list(kvm, routing->entries, count);
	const int error = ioctl(kvm->vm_fd, KVM_SET_GSI_ROUTING, routing) < 0 ? -errno : 0;
	free(routing);
	return error;
}

static void msi_send(struct backend_kvm *kvm, uint32_t vp, uint8_t vector)
{
	const struct kvm_msi msi = {
		.address_lo = MSI_ADDRESS | kvm_apic_id(NULL, vp) << MSI_ID_SHIFT,
		.data = vector,
	};

	__atomic_fetch_add(&kvm->interrupts_ioctl, 1, __ATOMIC_RELAXED);
	/* A VP that has its APIC off does not take it: that is lost on hardware, too. */
	(void)ioctl(kvm->vm_fd, KVM_SIGNAL_MSI, &msi);
}

/* An eventfd that raises the GSI of (vp, sint). */
static bool route_fd_make(
	struct backend_kvm *kvm, struct kvm_route *route, uint32_t vp, uint32_t sint)
{
	if (kvm->route_fds == LIMIT_KVM_ROUTES)
		return false;
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return false;
	const struct kvm_irqfd assign = {.fd = (uint32_t)fd, .gsi = gsi_of(vp, sint)};
	if (ioctl(kvm->vm_fd, KVM_IRQFD, &assign) < 0) {
		close(fd);
		return false;
	}
	route->fd = fd;
	kvm->route_fds++;
	return true;
}

static bool route_make(struct backend_kvm *kvm, struct kvm_route *route, uint32_t vp, uint32_t sint)
{
	route->streak = 0;
	route->is_routed = true;
	if (kvm_routing_set(kvm) < 0 || (route->fd < 0 && !route_fd_make(kvm, route, vp, sint))) {
		route->is_routed = false;
		return false;
	}
	return true;
}

void kvm_interrupt_assert(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector)
{
	struct backend_kvm *kvm = ctx;
	struct kvm_route *route = &kvm->routes[vp][sint];
	const uint64_t one = 1;

	if (route->vector != vector) {
		/* The old route stays in KVM's table until the next is made; nobody uses it. */
		route->is_routed = false;
		route->streak = 0;
		route->vector = vector;
	}
	if (!route->is_routed) {
		if (++route->streak < ROUTE_AFTER || !route_make(kvm, route, vp, sint)) {
			msi_send(kvm, vp, vector);
			return;
		}
	}
	__atomic_fetch_add(&kvm->interrupts_fd, 1, __ATOMIC_RELAXED);
	if (write(route->fd, &one, sizeof one) != (ssize_t)sizeof one)
		msi_send(kvm, vp, vector);
}

/*
 * Interrupts of a SINT with AutoEOI end as they are delivered. Only the local APIC can do that:
 * KVM does it for the SINTs of its own SynIC, which otherwise takes no part, so these are told
 * which vectors to treat so.
 */
void kvm_sint_changed(void *ctx, uint32_t vp, uint32_t sint, uint64_t value)
{
	struct backend_kvm *kvm = ctx;
	uint64_t *known = &kvm->vps[vp].sints[sint];
	const uint64_t told = *known & HV_SINT_AUTO_EOI ? *known : 0;
	const uint64_t wanted = value & HV_SINT_AUTO_EOI ? value : 0;

	__atomic_store_n(known, value, __ATOMIC_SEQ_CST);
	if (kvm->has_auto_eoi && told != wanted)
		kvm_vp_request(&kvm->vps[vp], KVM_VP_REQUEST_AUTO_EOI);
}

void kvm_vector_assert(void *ctx, uint64_t vps, uint8_t vector)
{
	struct backend_kvm *kvm = ctx;

	for (uint32_t vp = 0; vp < kvm->vp_count; vp++)
		if (vps >> vp & 1)
			msi_send(kvm, vp, vector);
}

void backend_kvm_line_set(struct backend_kvm *kvm, unsigned pin, bool is_high)
{
	const struct kvm_irq_level level = {.irq = pin, .level = is_high};

	if (pin < BACKEND_KVM_IOAPIC_PINS)
		(void)ioctl(kvm->vm_fd, KVM_IRQ_LINE, &level);
}

/* ---- from the guest ------------------------------------------------------------------------ */

static int ioeventfd_set(const struct backend_kvm *kvm, const struct kvm_doorbell *bell, bool on)
{
	const struct kvm_ioeventfd request = {
		.datamatch = bell->connection_id,
		.addr = BACKEND_KVM_PORT_SIGNAL,
		.len = 4,
		.fd = bell->fd,
		.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH |
			 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return ioctl(kvm->vm_fd, KVM_IOEVENTFD, &request) < 0 ? -errno : 0;
}

/* Number of doorbells whose descriptor is below `fd`. */
static unsigned doorbells_below(const struct backend_kvm *kvm, int fd)
{
	unsigned low = 0;
	unsigned high = kvm->doorbell_count;

	while (low < high) {
		const unsigned middle = low + (high - low) / 2;
		if (kvm->doorbells[middle].fd < fd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool doorbell_room_make(struct backend_kvm *kvm)
{
	if (kvm->doorbell_count < kvm->doorbell_room)
		return true;
	const unsigned room = kvm->doorbell_room ? 2 * kvm->doorbell_room : 16;
	struct kvm_doorbell *more = realloc(kvm->doorbells, room * sizeof *more);
	if (!more)
		return false;
	kvm->doorbells = more;
	kvm->doorbell_room = room;
	return true;
}

/* Without a doorbell, signals come by exits: slower, no less right. */
static void doorbell_add(struct backend_kvm *kvm, uint32_t connection_id)
{
	if (kvm->doorbell_count == LIMIT_KVM_DOORBELLS)
		return;
	const struct kvm_doorbell bell = {
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.connection_id = connection_id,
	};

	if (bell.fd < 0)
		return;
	if (!doorbell_room_make(kvm) || ioeventfd_set(kvm, &bell, true) < 0) {
		close(bell.fd);
		return;
	}
	if (kvm->callbacks.watch(kvm->callbacks.ctx, bell.fd) < 0) {
		ioeventfd_set(kvm, &bell, false);
		close(bell.fd);
		return;
	}
	const unsigned at = doorbells_below(kvm, bell.fd);
	memmove(&kvm->doorbells[at + 1], &kvm->doorbells[at],
		(kvm->doorbell_count - at) * sizeof bell);
	kvm->doorbells[at] = bell;
	kvm->doorbell_count++;
}

static void doorbell_remove(struct backend_kvm *kvm, unsigned at)
{
	const struct kvm_doorbell bell = kvm->doorbells[at];

	ioeventfd_set(kvm, &bell, false);
	kvm->callbacks.unwatch(kvm->callbacks.ctx, bell.fd);
	close(bell.fd);
	kvm->doorbell_count--;
	memmove(&kvm->doorbells[at], &kvm->doorbells[at + 1],
		(kvm->doorbell_count - at) * sizeof bell);
}

void kvm_event_port_changed(void *ctx, uint32_t connection_id, bool is_there)
{
	struct backend_kvm *kvm = ctx;

	if (is_there) {
		doorbell_add(kvm, connection_id);
		return;
	}
	for (unsigned i = 0; i < kvm->doorbell_count; i++) {
		if (kvm->doorbells[i].connection_id == connection_id) {
			doorbell_remove(kvm, i);
			return;
		}
	}
}

bool kvm_doorbell_ring(struct backend_kvm *kvm, int fd)
{
	const unsigned at = doorbells_below(kvm, fd);
	uint64_t rung = 0;

	if (at == kvm->doorbell_count || kvm->doorbells[at].fd != fd)
		return false;
	const uint32_t connection_id = kvm->doorbells[at].connection_id;
	if (read(fd, &rung, sizeof rung) != (ssize_t)sizeof rung)
		return true;
	kvm->doorbells_rung += rung;
	(void)partition_signal(kvm->partition, connection_id, 0);
	return true;
}

void kvm_interrupts_destroy(struct backend_kvm *kvm)
{
	while (kvm->doorbell_count > 0)
		doorbell_remove(kvm, kvm->doorbell_count - 1);
	free(kvm->doorbells);
	for (uint32_t vp = 0; vp < kvm->vp_count; vp++)
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
			if (kvm->routes[vp][sint].fd >= 0)
				close(kvm->routes[vp][sint].fd);
}
