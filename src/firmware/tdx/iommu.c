/* SPDX-License-Identifier: BSD-2-Clause */
/* The trusted IOMMU: set-up, and its invalidation queue. */
#include "firmware/tdx/internal.h"

const struct tdx_iommu *iommu_of(uint64_t id)
{
	const struct tdx_iommu *iommu = tdx_module()->iommus;

	while (iommu && iommu->id != id)
		iommu = iommu->next;
	return iommu;
}

static uint64_t iommu_setup(struct tdx_args *args)
{
	struct tdx_iommu *iommu;
	uint64_t status;

	if (!args->rcx || args->rcx % PHYS_PAGE)
		return tdx_invalid(TDX_RCX);
	for (const struct tdx_iommu *other = tdx_module()->iommus; other; other = other->next)
		if (other->vtbar == args->rcx)
			return TDX_OPERAND_BUSY | TDX_RCX;
	iommu = tdx_alloc(sizeof(*iommu));
	if (!iommu)
		return TDX_NO_MEMORY;
	status = tdx_list_take(args->rdx, 1, &iommu->page);
	if (status) {
		image_free(iommu);
		return status | TDX_RDX;
	}
	iommu->vtbar = args->rcx;
	iommu->id = tdx_module_write()->next_iommu++;
	iommu->next = tdx_module()->iommus;
	tdx_module_write()->iommus = iommu;
	args->rcx = iommu->id;
	return TDX_SUCCESS;
}

static uint64_t iommu_clear(struct tdx_args *args)
{
	const struct tdx_iommu *iommu = iommu_of(args->rcx);
	const struct tdx_iommu *const *link = &tdx_module()->iommus;

	if (!iommu)
		return tdx_invalid(TDX_RCX);
	if (dmar_any(iommu->id))
		return TDX_DMAR_HAS_CHILDREN | TDX_RCX;
	while (*link != iommu)
		link = &(*link)->next;
	link_set(link, iommu->next);
	tdx_list_give(&iommu->page, 1);
	image_free(iommu);
	return TDX_SUCCESS;
}

static uint64_t iq_inv_request(struct tdx_args *args)
{
	const struct tdx_iommu *iommu = iommu_of(args->rcx);
	struct tdx_iommu *writable;

	if (!iommu)
		return tdx_invalid(TDX_RCX);
	if (args->rdx > TDX_INV_DMAR)
		return tdx_invalid(TDX_RDX);
	if (args->rdx == TDX_INV_IOTLB ? !td_find(args->r8) : !dmar_index_ok(args->r8))
		return tdx_invalid(TDX_R8);
	if (iommu->tail - iommu->head == TDX_QUEUE)
		return TDX_OPERAND_BUSY | TDX_RCX;
	writable = image_write(iommu);
	writable->queue[writable->tail++ % TDX_QUEUE] =
		(struct tdx_request){ .seq = ++tdx_module_write()->invalidations,
				      .type = (uint32_t)args->rdx,
				      .target = args->r8 };
	return TDX_SUCCESS;
}

static void iotlb_invalidate(uint64_t tdr, uint64_t seq)
{
	const struct tdx_td *td = td_find(tdr);

	for (const struct tdx_tdi *tdi = tdx_module()->tdis; td && tdi; tdi = tdi->next)
		if (tdi->td == td)
			iommu_trusted_flush((uint16_t)tdi->func_id);
	if (td)
		td_write(td)->invalidated = seq;
}

static uint64_t iq_inv_process(struct tdx_args *args)
{
	const struct tdx_iommu *iommu = iommu_of(args->rcx);
	struct tdx_request request;

	if (!iommu)
		return tdx_invalid(TDX_RCX);
	if (iommu->head == iommu->tail)
		return TDX_SUCCESS;
	request = iommu->queue[iommu->head % TDX_QUEUE];
	iommu_write(iommu)->head++;
	if (request.type == TDX_INV_IOTLB)
		iotlb_invalidate(request.target, request.seq);
	else
		dmar_invalidate(request.target, request.seq);
	return iommu->head == iommu->tail ? TDX_SUCCESS : TDX_IQ_INV_PENDING;
}

const struct tdx_leaf_row tdx_iommu_leaves[] = {
	{ TDX_IOMMU_SETUP, iommu_setup, { "vtbar" } },
	{ TDX_IOMMU_CLEAR, iommu_clear, { "iommu" } },
	{ TDX_IQ_INV_REQUEST, iq_inv_request, { "iommu", "type", "target" } },
	{ TDX_IQ_INV_PROCESS, iq_inv_process, { "iommu" } },
	{ 0 }
};
