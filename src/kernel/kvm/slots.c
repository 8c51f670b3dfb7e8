/* SPDX-License-Identifier: BSD-2-Clause */
/* Memslots and memory attributes: what guest-physical memory is made of. The second stages are
 * filled from them lazily (mmu.c). */
#include <string.h>

#include "kernel/kvm/internal.h"

/* -- look-ups --------------------------------------------------------------------------------- */

static const struct kvm_slot *slot_by_id(const struct kvm *kvm, uint32_t id)
{
	for (const struct kvm_slot *slot = kvm->slots; slot; slot = slot->next)
		if (slot->id == id)
			return slot;
	return NULL;
}

const struct kvm_slot *kvm_slot_at(const struct kvm *kvm, uint64_t gpa, bool is_private)
{
	const struct kvm_slot *other = NULL;

	for (const struct kvm_slot *slot = kvm->slots; slot; slot = slot->next) {
		if (gpa < slot->gpa || gpa - slot->gpa >= slot->size)
			continue;
		if (slot->kind != KVM_SLOT_DMABUF || slot->is_private == is_private)
			return slot;
		other = slot;
	}
	return other;
}

/* While private MMIO is always mapped, the BAR is shared too whenever it is not bound: the two kinds
 * of dma-buf lie in different halves of the guest's addresses. */
static bool may_share(const struct kvm_slot *slot, uint32_t flags)
{
	return kernel_options()->sept == SEPT_ALWAYS_MAPPED && slot->flags & flags & KVM_MEM_DMABUF &&
		(slot->flags ^ flags) & KVM_MEM_DMABUF_PRIVATE;
}

static bool slot_overlaps(const struct kvm *kvm, uint64_t gpa, uint64_t size, uint32_t flags,
			  const struct kvm_slot *except)
{
	for (const struct kvm_slot *slot = kvm->slots; slot; slot = slot->next)
		if (slot != except && gpa < slot->gpa + slot->size && slot->gpa < gpa + size &&
		    !may_share(slot, flags))
			return true;
	return false;
}

/* -- linking and dropping --------------------------------------------------------------------- */

static void slot_link(const struct kvm *kvm, struct kvm_slot *slot)
{
	struct kvm *w = image_write(kvm);

	slot->next = kvm->slots;
	w->slots = slot;
}

static void slot_unlink(const struct kvm *kvm, const struct kvm_slot *slot)
{
	const struct kvm_slot *const *at = &kvm->slots;
	const struct kvm_slot **w;

	while (*at != slot)
		at = &(*at)->next;
	w = image_write(at);
	*w = slot->next;
}

/* Frees a slot that maps nothing any more. The buffer's release may commit, so it is let go
 * last. */
static void slot_free(const struct kvm *kvm, const struct kvm_slot *slot)
{
	const struct dmabuf *buf = slot->dmabuf;

	slot_unlink(kvm, slot);
	if (buf)
		dmabuf_detach(buf, DMABUF_IMPORTER_KVM, slot);
	image_free(slot);
	if (buf)
		file_put(buf->file);
}

int kvm_slot_zap(const struct kvm_slot *slot)
{
	if (slot->kind != KVM_SLOT_DMABUF)
		return kvm_zap(slot->kvm, slot->gpa, slot->size);
	return slot->is_private ? kvm_zap_private(slot->kvm, slot->gpa, slot->size) :
				  kvm_zap_shared(slot->kvm, slot->gpa, slot->size);
}

/* Everything the slot maps goes first: a refusal leaves the slot as it was. */
static int slot_drop(const struct kvm *kvm, const struct kvm_slot *slot)
{
	int rc = kvm_slot_zap(slot);

	if (!rc)
		slot_free(kvm, slot);
	return rc;
}

void kvm_slots_destroy(const struct kvm *kvm)
{
	while (kvm->slots) {
		kvm_slot_zap(kvm->slots);
		slot_free(kvm, kvm->slots);
	}
	while (kvm->private_ranges) {
		const struct kvm_range *range = kvm->private_ranges;
		struct kvm *w = image_write(kvm);

		w->private_ranges = range->next;
		image_free(range);
	}
}

/* -- backing ---------------------------------------------------------------------------------- */

static int bind_gmem(const struct kvm *kvm, struct kvm_slot *slot, int fd)
{
	const struct file *file = fd_file(fd);
	const struct gmem *gmem;
	uint64_t end;

	if (!file)
		return -EBADF;
	gmem = gmem_of_file(file);
	if (!gmem || gmem->kvm != kvm)
		return -EINVAL;
	if (__builtin_add_overflow(slot->offset, slot->size, &end) || end > gmem->size)
		return -EINVAL;
	for (const struct kvm_slot *other = kvm->slots; other; other = other->next)
		if (other->gmem == gmem && slot->offset < other->offset + other->size &&
		    other->offset < end)
			return -EINVAL;
	slot->kind = KVM_SLOT_GMEM;
	slot->gmem = gmem;
	return 0;
}

/* R2.4: KVM asks the buffer what it is, whose it is, and trusts no word of user space. */
static int check_provider(const struct kvm *kvm, const struct dmabuf *buf,
			  const struct kvm_slot *slot)
{
	struct dmabuf_provider provider;
	uint64_t end;
	int rc = dmabuf_provider(buf, &provider);

	if (rc)
		return rc;
	if (slot->is_private != (provider.kind == DMABUF_PRIVATE))
		return -EINVAL;
	if (provider.kvm != kvm && (provider.kvm || slot->is_private))
		return -EPERM;
	if (__builtin_add_overflow(slot->offset, slot->size, &end) || end > buf->size)
		return -EINVAL;
	return 0;
}

static int bind_dmabuf(const struct kvm *kvm, struct kvm_slot *slot, int fd)
{
	const struct file *file = fd_file(fd);
	const struct dmabuf *buf;
	int rc;

	if (!file)
		return -EBADF;
	buf = dmabuf_of_file(file);
	if (!buf)
		return -EINVAL;
	rc = check_provider(kvm, buf, slot);
	if (rc)
		return rc;
	file_get(file);
	slot->kind = KVM_SLOT_DMABUF;
	slot->dmabuf = buf;
	return 0;
}

/* -- KVM_SET_USER_MEMORY_REGION, ..2 ---------------------------------------------------------- */

static int check_flags(const struct kvm *kvm, uint32_t flags)
{
	uint32_t valid = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_GUEST_MEMFD;

	if (!kvm_is_confidential(kvm))
		valid |= KVM_MEM_READONLY;
	if (flags & KVM_MEM_GUEST_MEMFD)
		valid = KVM_MEM_GUEST_MEMFD;
	else if (kernel_options()->extensions && flags & KVM_MEM_DMABUF)
		valid = KVM_MEM_DMABUF | (kvm_is_confidential(kvm) ? KVM_MEM_DMABUF_PRIVATE : 0);
	return flags & ~valid ? -EINVAL : 0;
}

static int check_region(const struct kvm *kvm, const struct kvm_userspace_memory_region2 *region)
{
	uint64_t end, bits = region->memory_size | region->guest_phys_addr | region->userspace_addr;
	int rc = check_flags(kvm, region->flags);

	if (rc)
		return rc;
	if (region->flags & (KVM_MEM_GUEST_MEMFD | KVM_MEM_DMABUF))
		bits |= region->guest_memfd_offset;
	if (bits & (KVM_PAGE - 1) || region->slot >= KVM_SLOTS ||
	    region->memory_size > KVM_SLOT_MAX)
		return -EINVAL;
	if (__builtin_add_overflow(region->guest_phys_addr, region->memory_size, &end))
		return -EINVAL;
	if (region->flags & KVM_MEM_DMABUF)
		return region->userspace_addr ? -EINVAL : 0;
	if (__builtin_add_overflow(region->userspace_addr, region->memory_size, &end) ||
	    end > 1ull << 47)
		return -EINVAL;
	return 0;
}

/* Private MMIO that the guest names to its firmware before it touches it must be there by then; and
 * where it is always mapped it is from here on. */
static bool slot_fills(const struct kvm *kvm)
{
	return kvm_platform(kvm)->fill_mmio ||
		(kvm->type == KVM_X86_TDX_VM && kernel_options()->sept == SEPT_ALWAYS_MAPPED);
}

static int slot_create(const struct kvm *kvm, const struct kvm_userspace_memory_region2 *region)
{
	uint64_t limit = kvm_platform(kvm)->shared_bit ? kvm_platform(kvm)->shared_bit :
							 1ull << KVM_GPA_BITS;
	struct kvm_slot *slot;
	int rc = 0;

	if (slot_overlaps(kvm, region->guest_phys_addr, region->memory_size, region->flags, NULL))
		return -EEXIST;
	if (region->guest_phys_addr + region->memory_size > limit)
		return -EINVAL;
	slot = image_alloc(sizeof(*slot), IMAGE_TYPE_KVM_SLOT);
	if (!slot)
		return -ENOMEM;
	slot->kvm = kvm;
	slot->id = region->slot;
	slot->flags = region->flags;
	slot->gpa = region->guest_phys_addr;
	slot->size = region->memory_size;
	slot->userspace_addr = region->userspace_addr;
	slot->offset = region->guest_memfd_offset;
	slot->task = current_task()->id;
	slot->is_private = region->flags & KVM_MEM_DMABUF_PRIVATE;
	if (region->flags & KVM_MEM_GUEST_MEMFD)
		rc = bind_gmem(kvm, slot, (int)region->guest_memfd);
	else if (region->flags & KVM_MEM_DMABUF)
		rc = bind_dmabuf(kvm, slot, (int)region->guest_memfd);
	if (rc)
		return rc;
	slot_link(kvm, slot);
	if (!slot->dmabuf)
		return 0;
	/* May wait for the reservation, thus commit: the slot is whole by now, and undone by
	 * hand. */
	rc = dmabuf_attach(slot->dmabuf, DMABUF_IMPORTER_KVM, slot);
	if (rc) {
		slot_free(kvm, slot);
		return rc;
	}
	if (slot->is_private && slot_fills(kvm))
		kvm_fill_private(kvm, slot->gpa, slot->gpa + slot->size);
	return 0;
}

/* What Linux lets an existing slot do: go, move, change its flags; never what backs it. */
static int slot_change(const struct kvm *kvm, const struct kvm_slot *slot,
		       const struct kvm_userspace_memory_region2 *region)
{
	struct kvm_slot *w;
	int rc;

	if ((region->flags | slot->flags) & (KVM_MEM_GUEST_MEMFD | KVM_MEM_DMABUF))
		return -EINVAL;
	if (region->userspace_addr != slot->userspace_addr || region->memory_size != slot->size ||
	    (region->flags ^ slot->flags) & KVM_MEM_READONLY)
		return -EINVAL;
	if (region->guest_phys_addr != slot->gpa) {
		if (slot_overlaps(kvm, region->guest_phys_addr, region->memory_size, region->flags,
				  slot))
			return -EEXIST;
		rc = kvm_zap(kvm, slot->gpa, slot->size);
		if (rc)
			return rc;
	}
	w = image_write(slot);
	w->gpa = region->guest_phys_addr;
	w->flags = region->flags;
	return 0;
}

static int set_region_locked(const struct kvm *kvm,
			     const struct kvm_userspace_memory_region2 *region)
{
	const struct kvm_slot *slot = slot_by_id(kvm, region->slot);

	if (!region->memory_size)
		return slot ? slot_drop(kvm, slot) : -EINVAL;
	return slot ? slot_change(kvm, slot, region) : slot_create(kvm, region);
}

long kvm_set_region(const struct kvm *kvm, uint64_t arg, bool second)
{
	struct kvm_userspace_memory_region2 region = { 0 };
	int rc;

	if (copy_from_user(&region, arg,
			   second ? sizeof(region) : sizeof(struct kvm_userspace_memory_region)))
		return -EFAULT;
	if (!second && region.flags & ~(uint32_t)(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	rc = check_region(kvm, &region);
	if (rc)
		return rc;
	rc = klock_acquire(&kvm->slots_lock, KLOCK_KVM_SLOTS, KLOCK_WRITE);
	if (rc)
		return rc;
	rc = set_region_locked(kvm, &region);
	klock_release(&kvm->slots_lock, KLOCK_WRITE);
	return rc;
}

/* -- KVM_SET_MEMORY_ATTRIBUTES ---------------------------------------------------------------- */

bool kvm_gpa_private(const struct kvm *kvm, uint64_t gpa)
{
	for (const struct kvm_range *range = kvm->private_ranges; range; range = range->next)
		if (gpa >= range->gpa && gpa <= range->last)
			return true;
	return false;
}

uint64_t kvm_attribute_run(const struct kvm *kvm, uint64_t gpa, uint64_t len)
{
	for (const struct kvm_range *range = kvm->private_ranges; range; range = range->next) {
		uint64_t edge = gpa < range->gpa ? range->gpa : range->last + 1;

		if (gpa > range->last)
			continue;
		return edge - gpa < len ? edge - gpa : len;
	}
	return len;
}

static int range_insert(const struct kvm_range *const *at, uint64_t gpa, uint64_t last)
{
	struct kvm_range *range = image_alloc(sizeof(*range), IMAGE_TYPE_KVM_SLOT);
	const struct kvm_range **w;

	if (!range)
		return -ENOMEM;
	range->gpa = gpa;
	range->last = last;
	range->next = *at;
	w = image_write(at);
	*w = range;
	return 0;
}

/* Takes [gpa, last] out of the private ranges; a range around it becomes two. */
static int ranges_remove(const struct kvm *kvm, uint64_t gpa, uint64_t last)
{
	const struct kvm_range *const *at = &kvm->private_ranges;

	while (*at) {
		const struct kvm_range *range = *at;
		uint64_t end = range->last;
		struct kvm_range *w;
		const struct kvm_range **link;

		if (end < gpa || range->gpa > last) {
			at = &range->next;
			continue;
		}
		if (range->gpa >= gpa && end <= last) {
			link = image_write(at);
			*link = range->next;
			image_free(range);
			continue;
		}
		w = image_write(range);
		if (range->gpa >= gpa) {
			w->gpa = last + 1;
			return 0;
		}
		w->last = gpa - 1;
		if (end > last)
			return range_insert(&range->next, last + 1, end);
		at = &range->next;
	}
	return 0;
}

static int ranges_add(const struct kvm *kvm, uint64_t gpa, uint64_t last)
{
	const struct kvm_range *const *at = &kvm->private_ranges;
	int rc;

	/* Neighbours that touch are merged, so that the list stays as short as the memory map. */
	for (const struct kvm_range *range = kvm->private_ranges; range; range = range->next) {
		if (gpa && range->last == gpa - 1)
			gpa = range->gpa;
		if (range->gpa == last + 1)
			last = range->last;
	}
	rc = ranges_remove(kvm, gpa, last);
	if (rc)
		return rc;
	while (*at && (*at)->gpa < gpa)
		at = &(*at)->next;
	return range_insert(at, gpa, last);
}

static int set_attributes_locked(const struct kvm *kvm,
				 const struct kvm_memory_attributes *attributes)
{
	uint64_t last = attributes->address + attributes->size - 1;
	bool to_private = attributes->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE;
	int rc = 0;

	/* What was of the other kind goes; what is already of this kind stays mapped. */
	for (uint64_t gpa = attributes->address; !rc && gpa <= last;) {
		uint64_t run = kvm_attribute_run(kvm, gpa, last - gpa + 1);

		if (kvm_gpa_private(kvm, gpa) != to_private)
			rc = to_private ? kvm_zap_shared(kvm, gpa, run) :
					  kvm_zap_private(kvm, gpa, run);
		gpa += run;
	}
	if (rc)
		return rc;
	return to_private ? ranges_add(kvm, attributes->address, last) :
		ranges_remove(kvm, attributes->address, last);
}

long kvm_set_attributes(const struct kvm *kvm, uint64_t arg)
{
	uint64_t supported = kvm_is_confidential(kvm) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0, end;
	struct kvm_memory_attributes attributes;
	int rc;

	if (copy_from_user(&attributes, arg, sizeof(attributes)))
		return -EFAULT;
	if (attributes.flags || attributes.attributes & ~supported || !attributes.size ||
	    __builtin_add_overflow(attributes.address, attributes.size, &end) ||
	    (attributes.address | attributes.size) & (KVM_PAGE - 1))
		return -EINVAL;
	rc = klock_acquire(&kvm->slots_lock, KLOCK_KVM_SLOTS, KLOCK_WRITE);
	if (rc)
		return rc;
	rc = set_attributes_locked(kvm, &attributes);
	klock_release(&kvm->slots_lock, KLOCK_WRITE);
	return rc;
}
