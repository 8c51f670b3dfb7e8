/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual processors: only what their life asks of the host; entering one is KVM_RUN's business. */
#include "firmware/tdx/internal.h"

static const struct tdx_vp *vp_find(uint64_t tdvpr, const struct tdx_td **owner)
{
	for (const struct tdx_td *td = tdx_module()->tds; td; td = td->next)
		for (const struct tdx_vp *vp = td->vps; vp; vp = vp->next)
			if (vp->tdvpr == tdvpr) {
				*owner = td;
				return vp;
			}
	return NULL;
}

static uint64_t vp_create(struct tdx_args *args)
{
	uint64_t status;
	const struct tdx_td *td = td_get(args->rdx, TD_INITIALIZED, TD_INITIALIZED, &status);
	struct tdx_vp *vp;

	if (!td)
		return status | TDX_RDX;
	vp = tdx_alloc(sizeof(*vp));
	if (!vp)
		return TDX_NO_MEMORY;
	status = pamt_take(args->rcx, PHYS_PAGE, td_control_owner(td));
	if (status) {
		image_free(vp);
		return status | TDX_RCX;
	}
	vp->tdvpr = args->rcx;
	vp->next = td->vps;
	td_write(td)->vps = vp;
	td_pages_add(td, 1);
	return TDX_SUCCESS;
}

static uint64_t vp_addcx(struct tdx_args *args)
{
	const struct tdx_td *td = NULL;
	const struct tdx_vp *vp = vp_find(args->rdx, &td);
	uint64_t status;

	if (!vp)
		return TDX_PAGE_METADATA_INCORRECT | TDX_RDX;
	if (vp->ready)
		return tdx_invalid(TDX_RDX);
	status = pamt_take(args->rcx, PHYS_PAGE, td_control_owner(td));
	if (status)
		return status | TDX_RCX;
	vp_write(vp)->pages++;
	td_pages_add(td, 1);
	return TDX_SUCCESS;
}

static uint64_t vp_init(struct tdx_args *args)
{
	const struct tdx_td *td = NULL;
	const struct tdx_vp *vp = vp_find(args->rcx, &td);

	if (!vp)
		return TDX_PAGE_METADATA_INCORRECT | TDX_RCX;
	if (vp->ready || !vp->pages || td->state != TD_INITIALIZED)
		return tdx_invalid(TDX_RCX);
	vp_write(vp)->ready = true;
	return TDX_SUCCESS;
}

static uint64_t vp_flush(struct tdx_args *args)
{
	const struct tdx_td *td = NULL;
	const struct tdx_vp *vp = vp_find(args->rcx, &td);

	if (!vp)
		return TDX_PAGE_METADATA_INCORRECT | TDX_RCX;
	vp_write(vp)->flushed = true;
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_vp_leaves[] = {
	{ TDX_VP_CREATE, vp_create, { "tdvpr", "tdr" } },
	{ TDX_VP_ADDCX, vp_addcx, { "page", "tdvpr" } },
	{ TDX_VP_INIT, vp_init, { "tdvpr" } },
	{ TDX_VP_FLUSH, vp_flush, { "tdvpr" } },
	{ 0 }
};
