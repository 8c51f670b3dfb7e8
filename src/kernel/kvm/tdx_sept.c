/* SPDX-License-Identifier: BSD-2-Clause */
/* The secure EPT from the host's side: tables, RAM and MMIO leaves, by SEAMCALL. */
#include <string.h>

#include "kernel/kvm/tdx.h"

#define SEPT_TOP 3u			/* level of the entries in the root page */
#define SEPT_ADDRESS 0x000ffffffffff000ull
#define SEPT_TABLE 7ull			/* a non-leaf entry: everything below decides */

static unsigned int level_of(uint64_t size)
{
	return size >= PHYS_2M ? 1 : 0;
}

static uint64_t level_span(unsigned int level)
{
	return (uint64_t)PHYS_PAGE << (9 * level);
}

static bool refused_as(uint64_t status, uint64_t wanted)
{
	return tdx_class(status) == wanted;
}

/* -- tables ----------------------------------------------------------------------------------- */

static const struct sept_page *table_at(const struct kvm_tdx *td, uint64_t gpa, unsigned int level)
{
	for (const struct sept_page *page = td->sept; page; page = page->next)
		if (page->level == level && page->gpa == gpa)
			return page;
	return NULL;
}

/* In the list before the module has it: a page that was not taken is the host's and just freed. */
static const struct sept_page *table_new(const struct kvm_tdx *td, uint64_t gpa, unsigned int level)
{
	struct sept_page *page = image_alloc(sizeof(*page), IMAGE_TYPE_KVM_TD);
	struct kvm_tdx *w;

	if (!page)
		return NULL;
	page->hpa = tdx_page_alloc();
	if (!page->hpa) {
		image_free(page);
		return NULL;
	}
	page->gpa = gpa;
	page->level = (uint8_t)level;
	page->next = td->sept;
	w = image_write(td);
	w->sept = page;
	return page;
}

int tdx_sept_tables(const struct kvm *kvm, uint64_t gpa, unsigned int leaf_level, uint64_t *status)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);

	for (unsigned int level = SEPT_TOP; level > leaf_level; level--) {
		uint64_t start = gpa & ~(level_span(level) - 1);
		const struct sept_page *page = table_at(td, start, level);

		if (page && phys_owner(page->hpa))
			continue;
		if (!page)
			page = table_new(td, start, level);
		if (!page)
			return -ENOMEM;
		*status = kvm_tdx_call(TDX_MEM_SEPT_ADD, (struct tdx_args){
			.rcx = tdx_map(start, level), .rdx = td->tdr, .r8 = page->hpa }, NULL);
		if (*status)
			return tdx_host_errno(*status);
	}
	return 0;
}

/* -- leaves ----------------------------------------------------------------------------------- */

int tdx_private_map(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);
	bool mmio = phys_is_mmio(leaf->hpa);
	unsigned int level = level_of(leaf->size);
	uint64_t status = 0;
	int rc = tdx_sept_tables(kvm, leaf->address, level, &status);

	if (rc)
		return rc;
	status = kvm_tdx_call(mmio ? TDX_MMIO_MAP : TDX_MEM_PAGE_AUG, (struct tdx_args){
		.rcx = tdx_map(leaf->address, level), .rdx = td->tdr, .r8 = leaf->hpa }, NULL);
	/* It is there already: a fault that raced, or one whose process died behind the call. */
	if (refused_as(status, TDX_EPT_ENTRY_STATE_INCORRECT))
		return 0;
	/* Not this TD's, or not to be had now: for the client, a fault it has to solve. */
	if (mmio && status)
		return refused_as(status, TDX_OPERAND_BUSY) ? -EBUSY : -EFAULT;
	return tdx_host_errno(status);
}

/* One pass over the leaves of a range; the first refusal ends it. */
static uint64_t each_leaf(const struct kvm *kvm, uint64_t gpa, uint64_t end,
			  uint64_t (*fn)(const struct kvm *kvm, const struct pt_leaf *leaf))
{
	struct pt_leaf leaf;
	uint64_t status = 0;

	while (!status && kvm_mirror_next(kvm, &gpa, end, &leaf))
		status = fn(kvm, &leaf);
	return status;
}

static uint64_t leaf_block(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	enum tdx_leaf call = phys_is_mmio(leaf->hpa) ? TDX_MMIO_BLOCK : TDX_MEM_RANGE_BLOCK;
	uint64_t status =
		kvm_tdx_call(call,
			     (struct tdx_args){ .rcx = tdx_map(leaf->address, level_of(leaf->size)),
						.rdx = kvm_tdx(kvm)->tdr },
			     NULL);

	/* Never mapped, or blocked already: the mirror holds what may be there. */
	return refused_as(status, TDX_EPT_ENTRY_STATE_INCORRECT) ||
			       refused_as(status, TDX_EPT_WALK_FAILED) ?
		       0 :
		       status;
}

static uint64_t leaf_remove(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	enum tdx_leaf call = phys_is_mmio(leaf->hpa) ? TDX_MMIO_UNMAP : TDX_MEM_PAGE_REMOVE;
	struct tdx_args args = { .rcx = tdx_map(leaf->address, level_of(leaf->size)),
				 .rdx = kvm_tdx(kvm)->tdr };
	uint64_t status = tdx_host_call(LANE_KVM, call, &args);
	/* In the mirror and not there: its process died between the two, or the module refused it. */
	bool free = ((refused_as(status, TDX_EPT_ENTRY_STATE_INCORRECT) ||
		      refused_as(status, TDX_GPA_RANGE_NOT_BLOCKED)) &&
		     (args.rdx >> 8 & 0xff) == SEPT_FREE) ||
		    refused_as(status, TDX_EPT_WALK_FAILED);

	if (status && !free)
		return status;
	pt_unmap(&kvm->mirror, leaf->address, leaf->size);
	return 0;
}

int tdx_private_unmap(const struct kvm *kvm, uint64_t gpa, uint64_t end)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);
	struct pt_leaf leaf;
	uint64_t at = gpa, status = 0;

	if (!td->tdr || !kvm_mirror_next(kvm, &at, end, &leaf))
		return 0;
	if (!mutant(MUTANT_SKIP_BLOCK)) {
		status = each_leaf(kvm, gpa, end, leaf_block);
		if (!status && !mutant(MUTANT_SKIP_TRACK))
			status = kvm_tdx_call(TDX_MEM_TRACK, (struct tdx_args){ .rcx = td->tdr },
					      NULL);
		if (!status)
			status = tdx_host_invalidate(LANE_KVM, TDX_INV_IOTLB, td->tdr);
	}
	if (!status)
		status = each_leaf(kvm, gpa, end, leaf_remove);
	return status ? -EBUSY : 0;
}

/* Trusted DMA walks the shared half too: the module is told of each 512 GiB table there, and
 * that it goes before it does. */
static int shared_table_set(const struct kvm *kvm, unsigned int part, uint64_t entry)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);
	struct kvm_tdx *w;
	uint64_t status;

	status = kvm_tdx_call(TDX_MEM_SHARED_SEPT_WR, (struct tdx_args){
		.rcx = tdx_map(((uint64_t)part * level_span(SEPT_TOP)) | TDX_SHARED_BIT, SEPT_TOP),
		.rdx = td->tdr, .r8 = entry }, NULL);
	if (status)
		return tdx_host_errno(status);
	w = image_write(td);
	w->shared_tables = (w->shared_tables & ~(1ull << part)) | (uint64_t)!!entry << part;
	return 0;
}

int tdx_shared_mapped(const struct kvm *kvm, uint64_t gpa)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);
	unsigned int part = (unsigned int)(gpa / level_span(SEPT_TOP));
	const uint64_t *root = phys_ram(kvm->ept.root, PHYS_PAGE);

	if (td->state == TD_NONE || part >= 64 || td->shared_tables >> part & 1 || !root)
		return 0;
	return shared_table_set(kvm, part, (root[part] & SEPT_ADDRESS) | SEPT_TABLE);
}

int tdx_shared_unmapping(const struct kvm *kvm, uint64_t gpa, uint64_t len)
{
	uint64_t parts = kvm_tdx(kvm)->state == TD_NONE ? 0 : kvm_tdx(kvm)->shared_tables;
	int rc = 0;

	for (unsigned int part = 0; !rc && parts >> part; part++) {
		uint64_t start = part * level_span(SEPT_TOP), end = start + level_span(SEPT_TOP);

		/* Does anything stay mapped in this part, before or behind what goes? */
		if (!(parts >> part & 1) || gpa >= end || gpa + len <= start ||
		    pt_next_mapped(&kvm->ept, start) < gpa ||
		    pt_next_mapped(&kvm->ept, gpa + len) < end)
			continue;
		rc = shared_table_set(kvm, part, 0);
	}
	return rc;
}

void tdx_shared_unmapped(const struct kvm *kvm)
{
	if (kvm_tdx(kvm)->state != TD_NONE)
		tdx_host_invalidate(LANE_KVM, TDX_INV_IOTLB, kvm_tdx(kvm)->tdr);
}

/* -- teardown --------------------------------------------------------------------------------- */

void tdx_sept_reclaim(const struct kvm *kvm)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);
	struct pt_leaf leaf;
	uint64_t gpa = 0;

	while (kvm_mirror_next(kvm, &gpa, UINT64_MAX, &leaf)) {
		for (uint64_t at = 0; at < leaf.size && !phys_is_mmio(leaf.hpa); at += PHYS_PAGE)
			tdx_reclaim(leaf.hpa + at);
		pt_unmap(&kvm->mirror, leaf.address, leaf.size);
	}
	while (td->sept) {
		const struct sept_page *page = td->sept;
		struct kvm_tdx *w;

		tdx_reclaim(page->hpa);
		w = image_write(td);
		w->sept = page->next;
		tdx_page_free(page->hpa);
		image_free(page);
	}
}

/* -- memory the guest starts with ------------------------------------------------------------- */

static int add_page(const struct kvm *kvm, uint64_t gpa, uint64_t source, uint64_t bounce,
		    uint64_t *status)
{
	const struct kvm_slot *slot = kvm_slot_at(kvm, gpa, true);
	uint64_t hpa = slot && slot->kind == KVM_SLOT_GMEM && kvm_gpa_private(kvm, gpa) ?
			       gmem_page(slot, gpa) :
			       0;
	int rc;

	if (!hpa)
		return -EFAULT;
	if (copy_from_user(image_bulk_write(phys_ram(bounce, PHYS_PAGE), PHYS_PAGE), source,
			   PHYS_PAGE))
		return -EFAULT;
	rc = kvm_mirror_add(kvm, gpa, hpa, PHYS_PAGE, false);
	if (rc)
		return rc == -EADDRINUSE ? -EEXIST : rc;
	rc = tdx_sept_tables(kvm, gpa, 0, status);
	if (!rc) {
		*status = kvm_tdx_call(TDX_MEM_PAGE_ADD, (struct tdx_args){
			.rcx = gpa, .rdx = kvm_tdx(kvm)->tdr, .r8 = hpa, .r9 = bounce }, NULL);
		rc = tdx_host_errno(*status);
	}
	if (rc)
		pt_unmap(&kvm->mirror, gpa, PHYS_PAGE);
	return rc;
}

static long add_pages(const struct kvm *kvm, struct kvm_tdx_init_mem_region *region,
		      uint64_t *status)
{
	uint64_t bounce = tdx_scratch_get(kvm);
	int rc = bounce ? klock_acquire(&kvm->mmu_lock, KLOCK_MMU, KLOCK_WRITE) : -ENOMEM;

	if (rc)
		return rc;
	while (!rc && region->nr_pages) {
		rc = add_page(kvm, region->gpa, region->source_addr, bounce, status);
		if (rc)
			break;
		region->gpa += PHYS_PAGE;
		region->source_addr += PHYS_PAGE;
		region->nr_pages--;
	}
	klock_release(&kvm->mmu_lock, KLOCK_WRITE);
	tdx_scratch_put(kvm);
	return rc;
}

long tdx_init_mem_region(const struct kvm_vcpu *vcpu, const struct kvm_tdx_cmd *cmd,
			 uint64_t *status)
{
	const struct kvm_tdx_vcpu *tv = vcpu->platform;
	struct kvm_tdx_init_mem_region region;
	uint64_t end;
	long rc;

	if (!tv->initialized || kvm_tdx(vcpu->kvm)->state != TD_INITIALIZED ||
	    cmd->flags & ~(uint32_t)KVM_TDX_MEASURE_MEMORY_REGION)
		return -EINVAL;
	if (copy_from_user(&region, cmd->data, sizeof(region)))
		return -EFAULT;
	if ((region.source_addr | region.gpa) & (PHYS_PAGE - 1) || !region.nr_pages ||
	    region.nr_pages > TDX_SHARED_BIT / PHYS_PAGE ||
	    __builtin_add_overflow(region.gpa, region.nr_pages * PHYS_PAGE, &end) ||
	    end > TDX_SHARED_BIT)
		return -EINVAL;
	rc = add_pages(vcpu->kvm, &region, status);
	return copy_to_user(cmd->data, &region, sizeof(region)) ? -EFAULT : rc;
}
