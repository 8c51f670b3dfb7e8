/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second stages of a VM, filled at guest accesses and emptied when what is behind them changes.
 * Shared pages are in `ept`. Private ones are in tables only the platform may write; `mirror` says
 * what is there. A leaf enters the mirror before the platform is asked to map it and leaves it
 * after the platform unmapped it, so that after a kill the mirror holds all that may be mapped.
 */
#include <string.h>

#include "kernel/kvm/internal.h"

/* -- what is behind a page -------------------------------------------------------------------- */

struct backing {
	uint64_t hpa;
	uint64_t run;		/* contiguous bytes from there */
	bool mmio;		/* not RAM: mapped uncached (R4.6) */
	bool writable;
};

static int backing_user(const struct kvm_slot *slot, uint64_t offset, bool write, struct backing *b)
{
	const struct task *task = task_find(slot->task);
	bool writable = !(slot->flags & KVM_MEM_READONLY);

	if (!task || (write && !writable))
		return -EFAULT;
	b->hpa = user_page(task, slot->userspace_addr + offset, slot->size - offset, writable,
			   &b->run);
	b->writable = writable;
	return b->hpa ? 0 : -EFAULT;
}

static int backing_gmem(const struct kvm_slot *slot, uint64_t offset, struct backing *b)
{
	b->hpa = gmem_page(slot, slot->gpa + offset);
	if (!b->hpa)
		return -EFAULT;
	b->run = slot->size - offset;
	b->writable = true;
	return 0;
}

static int backing_dmabuf(const struct kvm_slot *slot, uint64_t offset, struct backing *b)
{
	unsigned int order;
	int rc = dmabuf_pfn(slot->dmabuf, slot->offset + offset, &b->hpa, &b->run, &order);

	b->writable = true;
	return rc ? -EFAULT : 0;
}

/* Which memory a page of a slot is made of for this kind of access; -EFAULT: the other kind. */
static int backing_of(const struct kvm_slot *slot, uint64_t gpa, bool write, bool is_private,
		      struct backing *b)
{
	bool gmem_only = slot->kind == KVM_SLOT_GMEM && slot->gmem &&
		slot->gmem->flags & GUEST_MEMFD_FLAG_INIT_SHARED;
	uint64_t offset = gpa - slot->gpa;
	int rc;

	memset(b, 0, sizeof(*b));
	if (slot->kind == KVM_SLOT_DMABUF)
		rc = is_private == slot->is_private ? backing_dmabuf(slot, offset, b) : -EFAULT;
	else if (is_private != kvm_gpa_private(slot->kvm, gpa))
		rc = -EFAULT;
	else if (is_private || gmem_only)
		rc = slot->kind == KVM_SLOT_GMEM ? backing_gmem(slot, offset, b) : -EFAULT;
	else
		rc = backing_user(slot, offset, write, b);
	if (rc)
		return rc;
	if (b->run > slot->size - offset)
		b->run = slot->size - offset;
	b->mmio = phys_is_mmio(b->hpa);
	return 0;
}

/* The largest leaf: everything about it must be the same over its whole length. RAM that a TEE takes
 * goes in by 4 KiB unless the guest accepts 2 MiB at once: a part of a larger leaf cannot be made
 * shared again, and the guest that asked for one knows it. */
static uint64_t leaf_size(const struct kvm_slot *slot, uint64_t gpa, uint64_t len, bool is_private,
			  struct backing *b)
{
	uint64_t start = gpa & ~(PHYS_2M - 1), back = gpa - start;
	struct backing whole;

	if ((is_private && !b->mmio && len < PHYS_2M) || start < slot->gpa ||
	    start + PHYS_2M > slot->gpa + slot->size)
		return KVM_PAGE;
	if (slot->kind != KVM_SLOT_DMABUF &&
	    (kvm_gpa_private(slot->kvm, start) != is_private ||
	     kvm_attribute_run(slot->kvm, start, PHYS_2M) < PHYS_2M))
		return KVM_PAGE;
	if (backing_of(slot, start, false, is_private, &whole) || whole.run < PHYS_2M ||
	    whole.hpa & (PHYS_2M - 1) || whole.hpa + back != b->hpa)
		return KVM_PAGE;
	return PHYS_2M;
}

/* -- filling ---------------------------------------------------------------------------------- */

static int map_shared(const struct kvm *kvm, uint64_t gpa, uint64_t size, const struct backing *b)
{
	uint8_t prot = PT_R | (b->writable ? PT_W : 0) | (b->mmio ? PT_UC : PT_X);
	uint64_t start = gpa & ~(size - 1), hpa = b->hpa & ~(size - 1);
	int rc = pt_map(&kvm->ept, start, hpa, size, prot);

	/* Some pages of the 2 MiB are mapped one by one already: so is this one, then. */
	if (rc == -EADDRINUSE && size > KVM_PAGE)
		rc = pt_map(&kvm->ept, gpa, b->hpa, KVM_PAGE, prot);
	if (rc && rc != -EADDRINUSE)
		return rc;
	return kvm_platform(kvm)->shared_mapped ? kvm_platform(kvm)->shared_mapped(kvm, gpa) : 0;
}

static struct pt_leaf leaf_of(uint64_t gpa, uint64_t hpa, uint64_t size, bool mmio)
{
	return (struct pt_leaf){ .address = gpa, .hpa = hpa, .size = size,
				 .prot = PT_R | PT_W | (mmio ? PT_UC : PT_X) };
}

int kvm_mirror_add(const struct kvm *kvm, uint64_t gpa, uint64_t hpa, uint64_t size, bool mmio)
{
	return pt_map(&kvm->mirror, gpa, hpa, size, leaf_of(gpa, hpa, size, mmio).prot);
}

static int map_private(const struct kvm *kvm, uint64_t gpa, uint64_t size, const struct backing *b)
{
	uint64_t start = gpa & ~(size - 1), at = gpa;
	struct pt_leaf leaf;
	int rc;

	/* A leaf that is there was left by a fault that did not come to its end: ask again. */
	if (!kvm_mirror_next(kvm, &at, gpa + 1, &leaf)) {
		leaf = leaf_of(start, b->hpa & ~(size - 1), size, b->mmio);
		rc = kvm_mirror_add(kvm, leaf.address, leaf.hpa, leaf.size, b->mmio);
		if (rc == -EADDRINUSE) {
			leaf = leaf_of(gpa, b->hpa, KVM_PAGE, b->mmio);
			rc = kvm_mirror_add(kvm, leaf.address, leaf.hpa, leaf.size, b->mmio);
		}
		if (rc)
			return rc;
	}
	rc = kvm_platform(kvm)->private_map(kvm, &leaf);
	if (rc)
		pt_unmap(&kvm->mirror, leaf.address, leaf.size);
	return rc;
}

int kvm_fault(const struct kvm *kvm, uint64_t gpa, uint64_t len, bool write, bool is_private)
{
	uint64_t page = gpa & ~(KVM_PAGE - 1), size;
	const struct kvm_slot *slot = kvm_slot_at(kvm, page, is_private);
	struct backing b;
	int rc;

	if (!slot)
		return is_private ? -EFAULT : KVM_FAULT_NO_SLOT;
	rc = backing_of(slot, page, write, is_private, &b);
	if (rc)
		return rc;
	size = leaf_size(slot, page, len, is_private, &b);
	rc = klock_acquire(&kvm->mmu_lock, KLOCK_MMU, KLOCK_WRITE);
	if (rc)
		return rc;
	rc = is_private ? map_private(kvm, page, size, &b) : map_shared(kvm, page, size, &b);
	klock_release(&kvm->mmu_lock, KLOCK_WRITE);
	return rc ? rc : KVM_FAULT_MAPPED;
}

void kvm_fill_private(const struct kvm *kvm, uint64_t gpa, uint64_t end)
{
	struct pt_leaf leaf;

	while (gpa < end && kvm_fault(kvm, gpa, KVM_PAGE, true, true) == KVM_FAULT_MAPPED) {
		uint64_t at = gpa;

		gpa = kvm_mirror_next(kvm, &at, end, &leaf) ? at : end;
	}
}

/* -- emptying --------------------------------------------------------------------------------- */

bool kvm_mirror_next(const struct kvm *kvm, uint64_t *gpa, uint64_t end, struct pt_leaf *leaf)
{
	uint64_t at = pt_next_mapped(&kvm->mirror, *gpa);

	if (at >= end || pt_walk(&kvm->mirror, at, leaf))
		return false;
	leaf->address &= ~(leaf->size - 1);
	leaf->hpa &= ~(leaf->size - 1);
	*gpa = leaf->address + leaf->size;
	return true;
}

static int zap_shared_locked(const struct kvm *kvm, uint64_t gpa, uint64_t len)
{
	const struct kvm_platform *platform = kvm_platform(kvm);
	int rc = platform->shared_unmapping ? platform->shared_unmapping(kvm, gpa, len) : 0;

	if (!rc && pt_unmap(&kvm->ept, gpa, len) && platform->shared_unmapped)
		platform->shared_unmapped(kvm);
	return rc;
}

int kvm_zap_shared(const struct kvm *kvm, uint64_t gpa, uint64_t len)
{
	int rc;

	if (pt_next_mapped(&kvm->ept, gpa) >= gpa + len)
		return 0;
	rc = klock_acquire(&kvm->mmu_lock, KLOCK_MMU, KLOCK_WRITE);
	if (rc)
		return rc;
	rc = zap_shared_locked(kvm, gpa, len);
	klock_release(&kvm->mmu_lock, KLOCK_WRITE);
	return rc;
}

/* Does a 2 MiB leaf of RAM reach over an end of the range? The rest of it would be lost with it. */
static bool leaf_cut(const struct kvm *kvm, uint64_t gpa, uint64_t end)
{
	struct pt_leaf leaf;
	uint64_t at = gpa;

	while (kvm_mirror_next(kvm, &at, end, &leaf))
		if (!phys_is_mmio(leaf.hpa) && (leaf.address < gpa || leaf.address + leaf.size > end))
			return true;
	return false;
}

int kvm_zap_private(const struct kvm *kvm, uint64_t gpa, uint64_t len)
{
	int rc;

	if (!kvm->mirror.root || pt_next_mapped(&kvm->mirror, gpa) >= gpa + len)
		return 0;
	if (leaf_cut(kvm, gpa, gpa + len))
		return -EBUSY;
	rc = klock_acquire(&kvm->mmu_lock, KLOCK_MMU, KLOCK_WRITE);
	if (rc)
		return rc;
	rc = kvm_platform(kvm)->private_unmap(kvm, gpa, gpa + len);
	klock_release(&kvm->mmu_lock, KLOCK_WRITE);
	return rc;
}

int kvm_zap(const struct kvm *kvm, uint64_t gpa, uint64_t len)
{
	int rc = kvm_zap_shared(kvm, gpa, len);

	return rc ? rc : kvm_zap_private(kvm, gpa, len);
}

int kvm_unmap_mmio(const struct kvm *kvm, uint64_t hpa, uint64_t len)
{
	struct pt_leaf leaf;
	uint64_t gpa = 0;
	int rc = 0;

	if (!kvm->mirror.root)
		return 0;
	while (!rc && kvm_mirror_next(kvm, &gpa, UINT64_MAX, &leaf))
		if (leaf.hpa < hpa + len && hpa < leaf.hpa + leaf.size)
			rc = kvm_zap_private(kvm, leaf.address, leaf.size);
	return rc;
}

/* Where a run of leaves ends that begins with this one and goes on in both address spaces. */
static uint64_t run_end(const struct kvm *kvm, const struct pt_leaf *first, uint64_t hpa_end)
{
	uint64_t end = first->address + first->size, at = end;
	struct pt_leaf leaf;

	while (first->hpa + (end - first->address) < hpa_end &&
	       kvm_mirror_next(kvm, &at, end + 1, &leaf) &&
	       leaf.hpa - first->hpa == leaf.address - first->address)
		end = at;
	return end;
}

int kvm_renew_mmio(const struct kvm *kvm, uint64_t hpa, uint64_t len)
{
	struct pt_leaf leaf;
	uint64_t gpa = 0;
	int rc = 0;

	while (!rc && kvm_mirror_next(kvm, &gpa, UINT64_MAX, &leaf)) {
		if (leaf.hpa >= hpa + len || hpa >= leaf.hpa + leaf.size)
			continue;
		gpa = run_end(kvm, &leaf, hpa + len);
		rc = kvm_zap_private(kvm, leaf.address, gpa - leaf.address);
		if (!rc)
			kvm_fill_private(kvm, leaf.address, gpa);
	}
	return rc;
}

bool kvm_shared_maps(const struct kvm *kvm, uint64_t hpa)
{
	uint64_t at = pt_next_mapped(&kvm->ept, 0);
	struct pt_leaf leaf;

	while (at != UINT64_MAX && !pt_walk(&kvm->ept, at, &leaf)) {
		uint64_t start = leaf.hpa & ~(leaf.size - 1);

		if (hpa >= start && hpa - start < leaf.size)
			return true;
		at = pt_next_mapped(&kvm->ept, leaf.address + leaf.size);
	}
	return false;
}

/* -- dma-buf importer ------------------------------------------------------------------------- */

static void kvm_dmabuf_invalidate(const void *importer, const struct dmabuf *buf)
{
	const struct kvm_slot *slot = importer;
	struct trace_call call =
		TRACE_CALL(LANE_VFIO, LANE_KVM, "invalidate mappings", A("gpa", slot->gpa),
			   A("len", slot->size), A("private", slot->is_private));
	int rc = 0;

	(void)buf;
	if (slot->is_private || !mutant(MUTANT_KEEP_SHARED_MAPPING))
		rc = kvm_slot_zap(slot);
	trace_return(&call, rc, NULL);
}

const struct dmabuf_importer_ops kvm_dmabuf_importer = { .invalidate = kvm_dmabuf_invalidate };
