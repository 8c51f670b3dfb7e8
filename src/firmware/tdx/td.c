/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a TD: create, key, initialise, finalise, tear down, reclaim. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

const struct tdx_td *td_find(uint64_t tdr)
{
	const struct tdx_td *td = tdx_module() ? tdx_module()->tds : NULL;

	while (td && td->tdr != tdr)
		td = td->next;
	return td;
}

const struct tdx_td *td_of_number(uint32_t number)
{
	const struct tdx_td *td = tdx_module() ? tdx_module()->tds : NULL;

	while (td && td->number != number)
		td = td->next;
	return td;
}

const struct tdx_td *td_get(uint64_t tdr, enum td_state first, enum td_state last, uint64_t *status)
{
	const struct tdx_td *td = td_find(tdr);

	if (!td)
		*status = TDX_PAGE_METADATA_INCORRECT;
	else if (td->state < first)
		*status = TDX_TD_NOT_INITIALIZED;
	else if (td->state > last)
		*status = TDX_OPERAND_INVALID;
	else
		return td;
	return NULL;
}

void td_pages_add(const struct tdx_td *td, int64_t pages)
{
	td_write(td)->pages += (uint64_t)pages;
}

static void td_state_set(const struct tdx_td *td, enum td_state state)
{
	TRACE_STATE(LANE_FIRMWARE, "TD", A("tdr", td->tdr), A("from", td->state), A("to", state));
	td_write(td)->state = (uint8_t)state;
}

static bool hkid_used(uint64_t hkid)
{
	for (const struct tdx_td *td = tdx_module()->tds; td; td = td->next)
		if (td->hkid == hkid && td->state < TD_TEARDOWN)
			return true;
	return false;
}

static uint64_t mng_create(struct tdx_args *args)
{
	struct tdx_module *module;
	struct tdx_td *td;
	uint64_t status;

	if (!args->rdx || args->rdx > TDX_HKID_MAX)
		return tdx_invalid(TDX_RDX);
	if (hkid_used(args->rdx))
		return TDX_OPERAND_BUSY | TDX_RDX;
	td = tdx_alloc(sizeof(*td));
	if (!td)
		return TDX_NO_MEMORY;
	status = pamt_take(args->rcx, PHYS_PAGE, tdx_module()->next_td * 2 + 1);
	if (status) {
		image_free(td);
		return status | TDX_RCX;
	}
	module = tdx_module_write();
	td->tdr = args->rcx;
	td->number = module->next_td++;
	td->hkid = (uint8_t)args->rdx;
	td->epoch = 1;
	td->next = module->tds;
	module->tds = td;
	args->rcx = td->number;
	return TDX_SUCCESS;
}

static uint64_t mng_key_config(struct tdx_args *args)
{
	uint64_t status;
	const struct tdx_td *td = td_get(args->rcx, TD_CREATED, TD_CREATED, &status);

	if (!td)
		return status | TDX_RCX;
	td_state_set(td, TD_KEYED);
	return TDX_SUCCESS;
}

static uint64_t mng_addcx(struct tdx_args *args)
{
	uint64_t status;
	const struct tdx_td *td = td_get(args->rdx, TD_KEYED, TD_KEYED, &status);
	struct tdx_td *writable;

	if (!td)
		return status | TDX_RDX;
	if (td->tdcs_pages == TDX_TDCS_PAGES)
		return tdx_invalid(TDX_RDX);
	status = pamt_take(args->rcx, PHYS_PAGE, td_control_owner(td));
	if (status)
		return status | TDX_RCX;
	phys_clear(args->rcx, PHYS_PAGE, td_control_owner(td), true);
	writable = image_write(td);
	writable->tdcs[writable->tdcs_pages++] = args->rcx;
	writable->pages++;
	return TDX_SUCCESS;
}

static uint64_t mng_init(struct tdx_args *args)
{
	uint64_t status;
	const struct tdx_td *td = td_get(args->rcx, TD_KEYED, TD_KEYED, &status);
	const struct sept_page *sept;
	uint8_t params[TDX_PARAMS_CONFIG_FLAGS + 8];
	uint64_t attributes, flags;
	struct reader r;

	if (!td)
		return status | TDX_RCX;
	if (td->tdcs_pages < TDX_TDCS_PAGES)
		return TDX_TD_NOT_INITIALIZED | TDX_RCX;
	if (!tdx_buffer_ok(args->rdx, PHYS_PAGE) || phys_read(args->rdx, params, sizeof(params), 0))
		return tdx_invalid(TDX_RDX);
	r = reader_of(params, sizeof(params));
	attributes = get_le64(&r);
	get_bytes(&r, TDX_PARAMS_CONFIG_FLAGS - 8);
	flags = get_le64(&r);
	if (attributes || (flags & ~TDX_CONFIG_CONNECT))
		return tdx_invalid(TDX_RDX);
	sept = sept_page_new(td->tdcs[1], 0, SEPT_TOP_LEVEL);
	if (!sept)
		return TDX_NO_MEMORY;
	td_write(td)->attributes = attributes;
	td_write(td)->config_flags = flags;
	td_write(td)->sept = sept;
	td_state_set(td, TD_INITIALIZED);
	args->rcx = sept->hpa;
	return TDX_SUCCESS;
}

static uint64_t mr_finalize(struct tdx_args *args)
{
	uint64_t status;
	const struct tdx_td *td = td_get(args->rcx, TD_INITIALIZED, TD_INITIALIZED, &status);

	if (!td)
		return status | TDX_RCX;
	td_state_set(td, TD_FINALIZED);
	return TDX_SUCCESS;
}

static bool vps_flushed(const struct tdx_td *td)
{
	for (const struct tdx_vp *vp = td->vps; vp; vp = vp->next)
		if (vp->ready && !vp->flushed)
			return false;
	return true;
}

static uint64_t mng_vpflushdone(struct tdx_args *args)
{
	bool blind = mutant(MUTANT_TD_BEFORE_TDI);
	uint64_t status;
	const struct tdx_td *td = td_get(args->rcx, TD_CREATED, TD_FINALIZED, &status);

	if (!td)
		return status | TDX_RCX;
	if (td->tdis && !blind)
		return TDX_TD_HAS_TDIS | TDX_RCX;
	if (!vps_flushed(td) && !blind)
		return TDX_OPERAND_BUSY | TDX_RCX;
	td_state_set(td, TD_FLUSHED);
	return TDX_SUCCESS;
}

/* The shadows of the tables; the tables' pages are reclaimed one by one. */
static void sept_forget(const struct sept_page *page)
{
	if (!page)
		return;
	for (unsigned int i = 0; i < SEPT_ENTRIES && page->level; i++) {
		uint64_t entry = sept_entry(page, i);

		if (entry && !sept_entry_leaf(entry, page->level))
			sept_forget(page->slot[i].child);	/* NULL in the shared half */
	}
	image_free(page);
}

static uint64_t mng_key_freeid(struct tdx_args *args)
{
	uint64_t status;
	const struct tdx_td *td = td_get(args->rcx, TD_FLUSHED, TD_FLUSHED, &status);

	if (!td)
		return status | TDX_RCX;
	/* No walk finds anything from here on, whatever the host writes into its pages. */
	if (td->sept) {
		uint64_t root = td->sept->hpa;

		sept_forget(td->sept);
		phys_clear(root, PHYS_PAGE, td_control_owner(td), true);
		td_write(td)->sept = NULL;
	}
	td_state_set(td, TD_TEARDOWN);
	return TDX_SUCCESS;
}

static void td_destroy(const struct tdx_td *td)
{
	const struct tdx_td *const *link = &tdx_module()->tds;

	while (*link != td)
		link = &(*link)->next;
	link_set(link, td->next);
	for (const struct tdx_vp *vp = td->vps, *next; vp; vp = next) {
		next = vp->next;
		image_free(vp);
	}
	image_free(td);
}

static uint64_t phymem_page_reclaim(struct tdx_args *args)
{
	uint32_t owner =
		args->rcx < PHYS_END && args->rcx % PHYS_PAGE == 0 ? phys_owner(args->rcx) : 0;
	const struct tdx_td *td = td_of_number(owner / 2);

	if (owner <= TDX_OWNER_MODULE || !td || td->state != TD_TEARDOWN)
		return TDX_PAGE_METADATA_INCORRECT | TDX_RCX;
	if (args->rcx == td->tdr && td->pages)
		return TDX_TD_ASSOCIATED_PAGES_EXIST | TDX_RCX;
	pamt_give(args->rcx, PHYS_PAGE, owner);
	if (args->rcx == td->tdr)
		td_destroy(td);
	else
		td_pages_add(td, -1);
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_td_leaves[] = {
	{ TDX_MNG_CREATE, mng_create, { "tdr", "hkid" } },
	{ TDX_MNG_KEY_CONFIG, mng_key_config, { "tdr" } },
	{ TDX_MNG_ADDCX, mng_addcx, { "page", "tdr" } },
	{ TDX_MNG_INIT, mng_init, { "tdr" } },
	{ TDX_MR_FINALIZE, mr_finalize, { "tdr" } },
	{ TDX_MNG_VPFLUSHDONE, mng_vpflushdone, { "tdr" } },
	{ TDX_MNG_KEY_FREEID, mng_key_freeid, { "tdr" } },
	{ TDX_PHYMEM_PAGE_RECLAIM, phymem_page_reclaim, { "hpa" } },
	{ 0 }
};
