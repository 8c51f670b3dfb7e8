/* SPDX-License-Identifier: BSD-2-Clause */
/* TDIs: their metadata, what keeps them and what they keep. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

#define FUNC_VALID 0x01ffffffull	/* bits a FUNCTION_ID has */

/* -- DEVIFMT --------------------------------------------------------------------------------- */
static const struct tdx_devif *devif_find(uint64_t func_id)
{
	const struct tdx_devif *devif = tdx_module()->devifs;

	while (devif && devif->func_id != func_id)
		devif = devif->next;
	return devif;
}

static uint64_t devifmt_add(struct tdx_args *args)
{
	struct tdx_devif *devif;
	uint64_t status;

	if (!args->rcx || (args->rcx & ~FUNC_VALID))
		return tdx_invalid(TDX_RCX);
	if (devif_find(args->rcx))
		return TDX_PAGE_METADATA_INCORRECT | TDX_RCX;
	devif = tdx_alloc(sizeof(*devif));
	if (!devif)
		return TDX_NO_MEMORY;
	status = pamt_take(args->rdx, PHYS_PAGE, TDX_OWNER_MODULE);
	if (status) {
		image_free(devif);
		return status | TDX_RDX;
	}
	devif->func_id = (uint32_t)args->rcx;
	devif->page = args->rdx;
	devif->next = tdx_module()->devifs;
	tdx_module_write()->devifs = devif;
	return TDX_SUCCESS;
}

static uint64_t devifmt_remove(struct tdx_args *args)
{
	const struct tdx_devif *devif = devif_find(args->rcx);
	const struct tdx_devif *const *link = &tdx_module()->devifs;

	if (!devif)
		return TDX_TDI_INVALID_METADATA | TDX_RCX;
	if (tdi_of(args->rcx))
		return TDX_TDI_ALREADY_EXISTS | TDX_RCX;
	while (*link != devif)
		link = &(*link)->next;
	link_set(link, devif->next);
	pamt_give(devif->page, PHYS_PAGE, TDX_OWNER_MODULE);
	args->rcx = devif->page;
	image_free(devif);
	return TDX_SUCCESS;
}

static uint64_t devifmt_rd(struct tdx_args *args)
{
	args->rcx = tdi_of(args->rcx) ? 2 : devif_find(args->rcx) ? 1 : 0;
	return TDX_SUCCESS;
}

/* -- the TDI itself -------------------------------------------------------------------------- */
const struct tdx_tdi *tdi_of(uint64_t func_id)
{
	const struct tdx_tdi *tdi = tdx_module()->tdis;

	while (tdi && tdi->func_id != func_id)
		tdi = tdi->next;
	return tdi;
}

bool tdi_is_unlocked(const struct tdx_tdi *tdi)
{
	return tdi->tdisp_state == TDISP_UNLOCKED && !tdi->uncertain;
}

/* What a bind gave ends with the lock: nonce, authorisation, the guest's right to accept. */
void tdi_state_set(const struct tdx_tdi *tdi, enum tdisp_state state)
{
	struct tdx_tdi *w = tdi_write(tdi);

	if (tdi->tdisp_state != state)
		TRACE_STATE(LANE_FIRMWARE, "TDI", A("func", tdi->func_id),
			    A("from", tdi->tdisp_state), A("to", state),
			    A("session", tdi->bind_session));
	w->tdisp_state = (uint8_t)state;
	w->uncertain = false;
	if (state == TDISP_UNLOCKED || state == TDISP_ERROR_STATE) {
		w->bound = w->authorised = false;
		w->range_count = 0;
	}
	if (state != TDISP_LOCKED)
		memset(w->nonce, 0, sizeof(w->nonce));
}

static uint64_t create_check(const struct tdx_args *args, const struct tdx_td **td,
			     const struct tdx_stream **stream)
{
	uint16_t rid = (uint16_t)args->rcx;
	uint64_t status = TDX_SUCCESS;

	if (!devif_find(args->rcx))
		return TDX_TDI_INVALID_METADATA | TDX_RCX;
	for (const struct tdx_tdi *tdi = tdx_module()->tdis; tdi; tdi = tdi->next)
		if ((uint16_t)tdi->func_id == rid)
			return TDX_TDI_ALREADY_EXISTS | TDX_RCX;
	*td = td_get(args->rdx, TD_INITIALIZED, TD_FINALIZED, &status);
	if (!*td)
		return status | TDX_RDX;
	if (!((*td)->config_flags & TDX_CONFIG_CONNECT))
		return tdx_invalid(TDX_RDX);
	*stream = stream_of(args->r8);
	if (!*stream)
		return tdx_invalid(TDX_R8);
	if ((*stream)->blocked)
		return TDX_IDE_STREAM_BLOCKED | TDX_R8;
	if (rid < (*stream)->rid_base || rid > (*stream)->rid_limit)
		return tdx_invalid(TDX_RCX);
	if (!(*stream)->keyed || !ide_secure((*stream)->root_port, (*stream)->id))
		return TDX_IDE_STREAM_INVALID_STATE | TDX_R8;
	return TDX_SUCCESS;
}

static uint64_t tdi_create(struct tdx_args *args)
{
	const struct tdx_stream *stream = NULL;
	const struct tdx_td *td = NULL;
	uint64_t status = create_check(args, &td, &stream);
	struct tdx_tdi *tdi;

	if (status)
		return status;
	tdi = tdx_alloc(sizeof(*tdi));
	if (!tdi)
		return TDX_NO_MEMORY;
	status = tdx_list_take(args->r9, TDX_TDI_PAGES, tdi->pages);
	if (status) {
		image_free(tdi);
		return status | TDX_R9;
	}
	tdi->func_id = (uint32_t)args->rcx;
	tdi->td = td;
	tdi->stream = stream;
	tdi->next = tdx_module()->tdis;
	tdx_module_write()->tdis = tdi;
	td_write(td)->tdis++;
	stream_write(stream)->tdis++;
	return TDX_SUCCESS;
}

static uint64_t remove_check(const struct tdx_tdi *tdi)
{
	if (!tdi)
		return TDX_TDI_NOT_PRESENT;
	if (tdi->stream->spdm->op.leaf && tdi->stream->spdm->op.key == tdi->func_id)
		return TDX_OPERAND_BUSY;
	if (!tdi_is_unlocked(tdi) && !tdi->stream->blocked &&
	    !mutant(MUTANT_UNBIND_WITHOUT_STOP) && !mutant(MUTANT_BIND_ERROR_FORGETS))
		return TDX_TDI_INVALID_STATE;
	if (dmar_leaf(tdi->func_id))
		return TDX_TDI_HAS_MAPPED_DMA;
	if (mutant(MUTANT_REMOVE_WITH_MMIO))
		return TDX_SUCCESS;
	if (tdi->mmio_pages)
		return TDX_TDI_HAS_MAPPED_MMIO;
	if (tdi->owned_pages)
		return TDX_TDI_HAS_OWNED_MMIO;
	return TDX_SUCCESS;
}

static uint64_t tdi_remove(struct tdx_args *args)
{
	const struct tdx_tdi *tdi = tdi_of(args->rcx);
	const struct tdx_tdi *const *link = &tdx_module()->tdis;
	uint64_t status = remove_check(tdi);

	if (status)
		return status | TDX_RCX;
	while (*link != tdi)
		link = &(*link)->next;
	link_set(link, tdi->next);
	td_write(tdi->td)->tdis--;
	stream_write(tdi->stream)->tdis--;
	tdx_list_give(tdi->pages, TDX_TDI_PAGES);
	image_free(tdi);
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_tdi_leaves[] = {
	{ TDX_DEVIFMT_ADD, devifmt_add, { "func", "page" } },
	{ TDX_DEVIFMT_REMOVE, devifmt_remove, { "func" } },
	{ TDX_DEVIFMT_RD, devifmt_rd, { "func" } },
	{ TDX_TDI_CREATE, tdi_create, { "func", "tdr", "stream" } },
	{ TDX_TDI_REMOVE, tdi_remove, { "func" } },
	{ 0 }
};
