/* SPDX-License-Identifier: BSD-2-Clause */
/* Private MMIO in the S-EPT: FREE, MMIO_PENDING, MMIO_MAPPED, MMIO_BLOCKED and back. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

static uint64_t mmio_map(struct tdx_args *args)
{
	const struct tdx_tdi *tdi;
	struct sept_target at;
	uint64_t status = sept_target(args, TD_INITIALIZED, 0, 1, &at);
	uint64_t size;
	uint32_t func_id;

	if (status)
		return status;
	if (at.ref.entry)
		return sept_refuse(args, &at.ref, TDX_EPT_ENTRY_STATE_INCORRECT);
	size = sept_level_size(at.ref.level);
	if (args->r8 % size || !phys_is_mmio(args->r8) || phys_owner(args->r8))
		return tdx_invalid(TDX_R8);
	status = mmiomt_check(args->r8, size, &func_id);
	if (status)
		return status | TDX_R8;
	tdi = tdi_of(func_id);
	if (!tdi || tdi->td != at.td)
		return TDX_MMIO_TDI_OWNER_MISMATCH | TDX_R8;
	if (tdi->stream->blocked)
		return TDX_IDE_STREAM_BLOCKED;
	mmiomt_mark(args->r8, size, MMIOMT_MAPPED, 0);
	tdi_write(tdi)->mmio_pages += size / PHYS_PAGE;
	sept_leaf_set(at.td, &at.ref, args->r8,
		      mutant(MUTANT_MMIO_SELF_ACCEPT) ? SEPT_MMIO_MAPPED : SEPT_MMIO_PENDING);
	return TDX_SUCCESS;
}

static uint64_t mmio_block(struct tdx_args *args)
{
	return sept_range_block(args, SEPT_MMIO_PENDING, SEPT_MMIO_MAPPED, SEPT_MMIO_BLOCKED);
}

/* CPU and IOMMU share these tables: were a leaf to go while the device may still be trusted, the
 * host could drop posted writes of the guest unseen. So STOP comes first, or the stream is dead. */
static uint64_t mmio_unmap(struct tdx_args *args)
{
	const struct tdx_tdi *tdi;
	struct sept_target at;
	uint64_t status = sept_target(args, TD_INITIALIZED, 0, 1, &at);
	uint64_t size, hpa;

	if (status)
		return status;
	if (sept_entry_state(at.ref.entry) != SEPT_MMIO_BLOCKED)
		return sept_refuse(args, &at.ref, TDX_GPA_RANGE_NOT_BLOCKED);
	if (!sept_tlb_tracked(at.td, &at.ref) || !sept_iotlb_tracked(at.td, &at.ref))
		return sept_refuse(args, &at.ref, TDX_TLB_TRACKING_NOT_DONE);
	size = sept_level_size(at.ref.level);
	hpa = sept_entry_hpa(at.ref.entry, at.ref.level);
	tdi = tdi_of((uint32_t)mmiomt_entry(hpa));
	if (!tdi)
		return sept_refuse(args, &at.ref, TDX_TDI_NOT_PRESENT);
	if (!tdi_is_unlocked(tdi) && !tdi->stream->blocked && !mutant(MUTANT_UNMAP_BEFORE_STOP))
		return sept_refuse(args, &at.ref, TDX_TDI_TDISP_INVALID_STATE);
	mmiomt_mark(hpa, size, 0, MMIOMT_MAPPED);
	tdi_write(tdi)->mmio_pages -= size / PHYS_PAGE;
	sept_leaf_set(at.td, &at.ref, 0, SEPT_FREE);
	args->r8 = hpa;
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_mmio_leaves[] = {
	{ TDX_MMIO_MAP, mmio_map, { "gpa", "tdr", "hpa" } },
	{ TDX_MMIO_BLOCK, mmio_block, { "gpa", "tdr" } },
	{ TDX_MMIO_UNMAP, mmio_unmap, { "gpa", "tdr" } },
	{ 0 }
};
