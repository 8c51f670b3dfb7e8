/* SPDX-License-Identifier: BSD-2-Clause */
/* Trusted DMA-remapping tables: root, context, PASID directory, PASID entry, one object each. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

#define INDEX_RID 0x00000000ffff0000ull
#define INDEX_BUS 0x00000000ff000000ull
#define INDEX_IOMMU 0xff00ull
#define INDEX_PASID 0x000fffff00000000ull

/* What of an index names an entry of each level. Requests without PASID use PASID 0. */
static const uint64_t level_mask[TDX_DMAR_LEVELS] = {
	[TDX_DMAR_ROOT] = 0xff | INDEX_IOMMU | INDEX_BUS,
	[TDX_DMAR_CONTEXT] = 0xff | INDEX_IOMMU | INDEX_RID,
	[TDX_DMAR_PASID_DIR] = 0xff | INDEX_IOMMU | INDEX_RID | (INDEX_PASID & ~(0x3full << 32)),
	[TDX_DMAR_PASID] = 0xff | INDEX_IOMMU | INDEX_RID | INDEX_PASID,
};

static const struct tdx_dmar *dmar_find(uint64_t index)
{
	const struct tdx_dmar *dmar = tdx_module()->dmars;
	unsigned int level = index & 0xff;

	while (dmar && dmar->index != (index & level_mask[level]))
		dmar = dmar->next;
	return dmar;
}

/* PASIDs other than 0 would need a trusted translation a PASID, which the hardware has not. */
bool dmar_index_ok(uint64_t index)
{
	return (index & 0xff) < TDX_DMAR_LEVELS && !(index & INDEX_PASID) && !(index >> 52) &&
	       iommu_of(index >> 8 & 0xff);
}

bool dmar_any(uint64_t iommu)
{
	for (const struct tdx_dmar *dmar = tdx_module()->dmars; dmar; dmar = dmar->next)
		if ((dmar->index >> 8 & 0xff) == iommu)
			return true;
	return false;
}

const struct tdx_dmar *dmar_leaf(uint32_t func_id)
{
	const struct tdx_dmar *dmar = tdx_module()->dmars;

	while (dmar && (dmar->level != TDX_DMAR_PASID || dmar->func_id != func_id))
		dmar = dmar->next;
	return dmar;
}

void dmar_state_set(const struct tdx_dmar *dmar, enum dmar_state state)
{
	TRACE_STATE(LANE_FIRMWARE, "DMAR", A("rid", dmar->index >> 16 & 0xffff),
		    A("level", dmar->level), A("func", dmar->func_id), A("from", dmar->state),
		    A("to", state));
	dmar_write(dmar)->state = (uint8_t)state;
}

static uint64_t leaf_check(const struct tdx_args *args)
{
	const struct tdx_tdi *tdi = tdi_of(args->r9);

	if (!tdi || (uint16_t)tdi->func_id != (uint16_t)(args->rcx >> 16))
		return TDX_TDI_NOT_PRESENT | TDX_R9;
	if (tdi->td->tdr != args->rdx)
		return tdx_invalid(TDX_RDX);
	return TDX_SUCCESS;
}

static uint64_t dmar_parent(uint64_t index, const struct tdx_dmar **parent)
{
	*parent = NULL;
	if ((index & 0xff) == TDX_DMAR_ROOT)
		return TDX_SUCCESS;
	*parent = dmar_find(index - 1);
	return *parent && (*parent)->state == DMAR_PRESENT ? TDX_SUCCESS
							   : TDX_DMAR_INVALID_STATE | TDX_RCX;
}

static uint64_t dmar_add(struct tdx_args *args)
{
	unsigned int level = args->rcx & 0xff;
	const struct tdx_dmar *parent;
	struct tdx_dmar *dmar;
	uint64_t status;

	if (!dmar_index_ok(args->rcx))
		return tdx_invalid(TDX_RCX);
	if (dmar_find(args->rcx))
		return TDX_DMAR_INVALID_STATE | TDX_RCX;
	status = dmar_parent(args->rcx, &parent);
	if (!status && level == TDX_DMAR_PASID)
		status = leaf_check(args);
	if (status)
		return status;
	dmar = tdx_alloc(sizeof(*dmar));
	if (!dmar)
		return TDX_NO_MEMORY;
	if (level != TDX_DMAR_PASID) {
		status = pamt_take(args->r8, PHYS_PAGE, TDX_OWNER_MODULE);
		if (status) {
			image_free(dmar);
			return status | TDX_R8;
		}
		dmar->page = args->r8;
	} else {
		dmar->tdr = args->rdx;
		dmar->func_id = (uint32_t)args->r9;
	}
	dmar->index = args->rcx & level_mask[level];
	dmar->level = (uint8_t)level;
	dmar->parent = parent;
	if (parent)
		dmar_write(parent)->children++;
	dmar->next = tdx_module()->dmars;
	tdx_module_write()->dmars = dmar;
	dmar_state_set(dmar, level == TDX_DMAR_PASID && !mutant(MUTANT_DMAR_SELF_ACCEPT) ?
				     DMAR_PENDING :
				     DMAR_PRESENT);
	return TDX_SUCCESS;
}

static uint64_t dmar_block(struct tdx_args *args)
{
	const struct tdx_dmar *dmar;

	if (!dmar_index_ok(args->rcx))
		return tdx_invalid(TDX_RCX);
	dmar = dmar_find(args->rcx);
	if (!dmar || dmar->state == DMAR_BLOCKED)
		return TDX_DMAR_INVALID_STATE | TDX_RCX;
	if (dmar->children)
		return TDX_DMAR_HAS_CHILDREN | TDX_RCX;
	if (dmar->level == TDX_DMAR_PASID) {
		if (!tdi_of(dmar->func_id))
			return TDX_TDI_NOT_PRESENT | TDX_RCX;
		iommu_trusted_set((uint16_t)dmar->func_id, 0, 0, false);
	}
	dmar_write(dmar)->blocked = tdx_module()->invalidations;
	dmar_write(dmar)->invalidated = false;
	dmar_state_set(dmar, DMAR_BLOCKED);
	return TDX_SUCCESS;
}

static uint64_t dmar_read(struct tdx_args *args)
{
	const struct tdx_dmar *dmar;

	if (!dmar_index_ok(args->rcx))
		return tdx_invalid(TDX_RCX);
	dmar = dmar_find(args->rcx);
	args->rcx = dmar ? dmar->state : DMAR_FREE;
	args->rdx = !dmar ? 0 : dmar->level == TDX_DMAR_PASID ? dmar->tdr : dmar->children;
	return TDX_SUCCESS;
}

static uint64_t dmar_remove(struct tdx_args *args)
{
	const struct tdx_dmar *const *link = &tdx_module()->dmars;
	const struct tdx_dmar *dmar;

	if (!dmar_index_ok(args->rcx))
		return tdx_invalid(TDX_RCX);
	dmar = dmar_find(args->rcx);
	if (!dmar || dmar->state != DMAR_BLOCKED)
		return TDX_DMAR_INVALID_STATE | TDX_RCX;
	if (!dmar->invalidated)
		return TDX_IQ_INV_PENDING | TDX_RCX;
	while (*link != dmar)
		link = &(*link)->next;
	link_set(link, dmar->next);
	dmar_state_set(dmar, DMAR_FREE);
	if (dmar->parent)
		dmar_write(dmar->parent)->children--;
	if (dmar->page)
		pamt_give(dmar->page, PHYS_PAGE, TDX_OWNER_MODULE);
	args->rcx = dmar->page;
	image_free(dmar);
	return TDX_SUCCESS;
}

/* Is `entry` the one `index` names, or below it? A lower level's mask is the longer one. */
static bool dmar_covers(uint64_t index, const struct tdx_dmar *entry)
{
	uint64_t mask = level_mask[index & 0xff] & ~0xffull;

	return entry->level >= (index & 0xff) && (entry->index & mask) == (index & mask);
}

void dmar_invalidate(uint64_t index, uint64_t seq)
{
	for (const struct tdx_dmar *dmar = tdx_module()->dmars; dmar; dmar = dmar->next) {
		if (!dmar_covers(index, dmar))
			continue;
		if (dmar->level == TDX_DMAR_PASID)
			iommu_trusted_flush((uint16_t)dmar->func_id);
		if (dmar->state == DMAR_BLOCKED && seq > dmar->blocked)
			dmar_write(dmar)->invalidated = true;
	}
}

const struct tdx_leaf_row tdx_dmar_leaves[] = {
	{ TDX_DMAR_ADD, dmar_add, { "index", "tdr", "page" } },
	{ TDX_DMAR_BLOCK, dmar_block, { "index" } },
	{ TDX_DMAR_READ, dmar_read, { "index" } },
	{ TDX_DMAR_REMOVE, dmar_remove, { "index" } },
	{ 0 }
};
