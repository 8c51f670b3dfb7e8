/* SPDX-License-Identifier: BSD-2-Clause */
/* irqfd: an eventfd that raises a guest interrupt. Counts are taken when a vCPU is about to run. */
#include <string.h>

#include "kernel/core.h"
#include "kernel/kvm/internal.h"

static int irqfd_assign(const struct kvm *kvm, const struct kvm_irqfd *irqfd)
{
	struct irqfd *entry = image_alloc(sizeof(*entry), IMAGE_TYPE_KVM_DEVICE);
	struct kvm *w;
	int rc;

	if (!entry)
		return -ENOMEM;
	rc = event_ref_get((int)irqfd->fd, &entry->event);
	if (rc)
		return rc;
	for (const struct irqfd *at = kvm->irqfds; at; at = at->next)
		if (entry->event.file && at->event.file == entry->event.file)
			return -EBUSY;
	entry->gsi = irqfd->gsi;
	entry->next = kvm->irqfds;
	w = image_write(kvm);
	w->irqfds = entry;
	return 0;
}

static void irqfd_drop(const struct irqfd *const *at)
{
	const struct irqfd *entry = *at;
	const struct irqfd **link = image_write(at);
	struct event_ref event = entry->event;

	*link = entry->next;
	image_free(entry);
	event_ref_put(&event);
}

static int irqfd_deassign(const struct kvm *kvm, const struct kvm_irqfd *irqfd)
{
	const struct irqfd *const *at = &kvm->irqfds;
	struct event_ref event;
	int rc = event_ref_get((int)irqfd->fd, &event);

	if (rc)
		return rc;
	while (*at) {
		if ((*at)->gsi == irqfd->gsi && event.file && (*at)->event.file == event.file)
			irqfd_drop(at);
		else
			at = &(*at)->next;
	}
	event_ref_put(&event);
	return 0;
}

long kvm_irqfd_set(const struct kvm *kvm, uint64_t arg)
{
	struct kvm_irqfd irqfd;

	if (copy_from_user(&irqfd, arg, sizeof(irqfd)))
		return -EFAULT;
	if (irqfd.flags & ~(uint32_t)KVM_IRQFD_FLAG_DEASSIGN || irqfd.gsi >= KVM_GSIS)
		return -EINVAL;
	return irqfd.flags & KVM_IRQFD_FLAG_DEASSIGN ? irqfd_deassign(kvm, &irqfd) :
						       irqfd_assign(kvm, &irqfd);
}

bool kvm_irqfds_deliver(const struct kvm *kvm, const struct kvm_vcpu *vcpu)
{
	uint64_t raised = 0;

	for (const struct irqfd *at = kvm->irqfds; at; at = at->next) {
		const struct file *file = file_find(at->event.file);

		if (file && eventfd_take(file))
			raised |= 1ull << at->gsi;
	}
	if (raised) {
		struct vcpu_hw *hw = image_write(&vcpu->hw);

		hw->interrupts |= raised;
		TRACE_EVENT(LANE_KVM, LANE_GUEST, "interrupt", A("gsis", raised));
	}
	return raised;
}

void kvm_irqfds_destroy(const struct kvm *kvm)
{
	while (kvm->irqfds)
		irqfd_drop(&kvm->irqfds);
}
