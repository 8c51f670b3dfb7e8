/* SPDX-License-Identifier: BSD-2-Clause */
/* Private memory: S-EPT tables, RAM leaves, and the shared half that the IOMMU also sees. */
#include "firmware/tdx/internal.h"

static uint64_t mem_sept_add(struct tdx_args *args)
{
	const struct sept_page *table;
	struct sept_target at;
	uint64_t status = sept_target(args, TD_INITIALIZED, 1, SEPT_TOP_LEVEL, &at);

	if (status)
		return status;
	if (at.ref.entry)
		return sept_refuse(args, &at.ref, TDX_EPT_ENTRY_STATE_INCORRECT);
	table = sept_page_new(args->r8, at.gpa, at.ref.level - 1);
	if (!table)
		return TDX_NO_MEMORY;
	status = pamt_take(args->r8, PHYS_PAGE, td_control_owner(at.td));
	if (status) {
		image_free(table);
		return status | TDX_R8;
	}
	phys_clear(args->r8, PHYS_PAGE, td_control_owner(at.td), true);
	sept_child_set(&at.ref, table);
	sept_write(at.td, &at.ref, args->r8 | SEPT_RWX);
	td_pages_add(at.td, 1);
	return TDX_SUCCESS;
}

static uint64_t mem_sept_remove(struct tdx_args *args)
{
	const struct sept_page *table;
	struct sept_target at;
	uint64_t status = sept_target(args, TD_INITIALIZED, 1, SEPT_TOP_LEVEL, &at);

	if (status)
		return status;
	if (!at.ref.entry)
		return sept_refuse(args, &at.ref, TDX_EPT_WALK_FAILED);
	table = sept_entry_leaf(at.ref.entry, at.ref.level) ?
		NULL :
		at.ref.table->slot[at.ref.index].child;
	if (!table || table->used)
		return sept_refuse(args, &at.ref, TDX_EPT_ENTRY_STATE_INCORRECT);
	sept_write(at.td, &at.ref, 0);
	sept_child_set(&at.ref, NULL);
	pamt_give(table->hpa, PHYS_PAGE, td_control_owner(at.td));
	td_pages_add(at.td, -1);
	args->rcx = table->hpa;
	image_free(table);
	return TDX_SUCCESS;
}

static uint64_t mem_page_add(struct tdx_args *args)
{
	uint8_t content[PHYS_PAGE];
	struct sept_target at;
	uint64_t status = sept_target(args, TD_INITIALIZED, 0, 0, &at);

	if (status)
		return status;
	if (at.td->state != TD_INITIALIZED)
		return tdx_invalid(TDX_RDX);
	if (at.ref.entry)
		return sept_refuse(args, &at.ref, TDX_EPT_ENTRY_STATE_INCORRECT);
	if (!tdx_buffer_ok(args->r9, PHYS_PAGE) || phys_read(args->r9, content, sizeof(content), 0))
		return tdx_invalid(TDX_R9);
	status = pamt_take(args->r8, PHYS_PAGE, td_owner(at.td));
	if (status)
		return status | TDX_R8;
	phys_write(args->r8, content, sizeof(content), td_owner(at.td));
	td_pages_add(at.td, 1);
	sept_leaf_set(at.td, &at.ref, args->r8, SEPT_MAPPED);
	return TDX_SUCCESS;
}

static uint64_t mem_page_aug(struct tdx_args *args)
{
	struct sept_target at;
	uint64_t status = sept_target(args, TD_FINALIZED, 0, 1, &at);
	uint64_t size;

	if (status)
		return status;
	if (at.ref.entry)
		return sept_refuse(args, &at.ref, TDX_EPT_ENTRY_STATE_INCORRECT);
	size = sept_level_size(at.ref.level);
	status = pamt_take(args->r8, size, td_owner(at.td));
	if (status)
		return status | TDX_R8;
	td_pages_add(at.td, (int64_t)(size / PHYS_PAGE));
	sept_leaf_set(at.td, &at.ref, args->r8, SEPT_PENDING);
	return TDX_SUCCESS;
}

static uint64_t mem_range_block(struct tdx_args *args)
{
	return sept_range_block(args, SEPT_PENDING, SEPT_MAPPED, SEPT_BLOCKED);
}

static uint64_t mem_track(struct tdx_args *args)
{
	uint64_t status;
	const struct tdx_td *td = td_get(args->rcx, TD_INITIALIZED, TD_FINALIZED, &status);

	if (!td)
		return status | TDX_RCX;
	/* vCPUs run only inside KVM_RUN, which holds the kernel's lock: none is in the guest now,
	 * so the new epoch is complete as soon as it starts. */
	td_write(td)->epoch++;
	return TDX_SUCCESS;
}

static bool td_has_trusted_dma(const struct tdx_td *td)
{
	for (const struct tdx_dmar *dmar = tdx_module()->dmars; dmar; dmar = dmar->next)
		if (dmar->level == TDX_DMAR_PASID && dmar->tdr == td->tdr &&
		    dmar->state != DMAR_PENDING)
			return true;
	return false;
}

static uint64_t mem_page_remove(struct tdx_args *args)
{
	struct sept_target at;
	uint64_t status = sept_target(args, TD_INITIALIZED, 0, 1, &at);
	uint64_t size, hpa;

	if (status)
		return status;
	if (sept_entry_state(at.ref.entry) != SEPT_BLOCKED)
		return sept_refuse(args, &at.ref, TDX_GPA_RANGE_NOT_BLOCKED);
	if (!sept_tlb_tracked(at.td, &at.ref) ||
	    (td_has_trusted_dma(at.td) && !sept_iotlb_tracked(at.td, &at.ref)))
		return sept_refuse(args, &at.ref, TDX_TLB_TRACKING_NOT_DONE);
	size = sept_level_size(at.ref.level);
	hpa = sept_entry_hpa(at.ref.entry, at.ref.level);
	sept_leaf_set(at.td, &at.ref, 0, SEPT_FREE);
	pamt_give(hpa, size, td_owner(at.td));
	td_pages_add(at.td, -(int64_t)(size / PHYS_PAGE));
	args->rcx = hpa;
	return TDX_SUCCESS;
}

/* The host says which of its tables the IOMMU shall walk for shared GPAs. Whatever it says, such a
 * walk ends with the host's own rights. */
static uint64_t mem_shared_sept_wr(struct tdx_args *args)
{
	uint64_t gpa = args->rcx & ~7ull;
	uint64_t table = args->r8 & SEPT_HPA;
	struct sept_ref ref;
	const struct tdx_td *td;
	uint64_t status;

	if ((args->rcx & 7) != SEPT_TOP_LEVEL || !(gpa & TDX_SHARED_BIT) ||
	    gpa >= TDX_SHARED_BIT * 2 || gpa % sept_level_size(SEPT_TOP_LEVEL))
		return tdx_invalid(TDX_RCX);
	td = td_get(args->rdx, TD_INITIALIZED, TD_FINALIZED, &status);
	if (!td)
		return status | TDX_RDX;
	if (args->r8 && (args->r8 != (table | SEPT_RWX) || !tdx_buffer_ok(table, PHYS_PAGE)))
		return tdx_invalid(TDX_R8);
	sept_find(td, gpa, SEPT_TOP_LEVEL, &ref);
	sept_write(td, &ref, args->r8);
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_mem_leaves[] = {
	{ TDX_MEM_SEPT_ADD, mem_sept_add, { "gpa", "tdr", "page" } },
	{ TDX_MEM_SEPT_REMOVE, mem_sept_remove, { "gpa", "tdr" } },
	{ TDX_MEM_PAGE_ADD, mem_page_add, { "gpa", "tdr", "hpa" } },
	{ TDX_MEM_PAGE_AUG, mem_page_aug, { "gpa", "tdr", "hpa" } },
	{ TDX_MEM_RANGE_BLOCK, mem_range_block, { "gpa", "tdr" } },
	{ TDX_MEM_TRACK, mem_track, { "tdr" } },
	{ TDX_MEM_PAGE_REMOVE, mem_page_remove, { "gpa", "tdr" } },
	{ TDX_MEM_SHARED_SEPT_WR, mem_shared_sept_wr, { "gpa", "tdr", "entry" } },
	{ 0 }
};
