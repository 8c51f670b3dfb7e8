/* SPDX-License-Identifier: BSD-2-Clause */
/* Read-only views of the module for invariants, tests and people. */
#include "firmware/tdx/internal.h"

static void view_fill(const struct tdx_tdi *tdi, struct tdx_tdi_view *view)
{
	const struct tdx_dmar *dmar = dmar_leaf(tdi->func_id);

	*view = (struct tdx_tdi_view){
		.func_id = tdi->func_id,
		.tdr = tdi->td->tdr,
		.owner = td_owner(tdi->td),
		.mmio_pages = tdi->mmio_pages,
		.dmar = dmar ? dmar->state : DMAR_FREE,
		.bind_session = tdi->bind_session,
		.start_authorised = tdi->authorised,
		.tdisp_state = tdi->tdisp_state,
		.stream = tdi->stream->id,
	};
}

/* People name a TDI by its requester id, whatever else the host put into its FUNCTION_ID. */
int tdx_tdi_view(uint32_t func_id, struct tdx_tdi_view *view)
{
	const struct tdx_tdi *tdi = tdx_module() ? tdx_module()->tdis : NULL;

	while (tdi && (uint16_t)tdi->func_id != (uint16_t)func_id)
		tdi = tdi->next;
	if (!tdi)
		return -ENOENT;
	view_fill(tdi, view);
	return 0;
}

int tdx_tdi_each(int (*fn)(const struct tdx_tdi_view *view, void *arg), void *arg)
{
	const struct tdx_tdi *tdi = tdx_module() ? tdx_module()->tdis : NULL;
	int rc = 0;

	for (; tdi && !rc; tdi = tdi->next) {
		struct tdx_tdi_view view;

		view_fill(tdi, &view);
		rc = fn(&view, arg);
	}
	return rc;
}

enum sept_state tdx_sept_state(uint64_t tdr, uint64_t gpa, uint64_t *hpa, unsigned int *level)
{
	const struct tdx_td *td = td_find(tdr);
	struct sept_ref ref;

	*hpa = 0;
	*level = 0;
	if (!td || !td->sept || gpa >= TDX_SHARED_BIT || sept_find_leaf(td, gpa, &ref) ||
	    !ref.entry)
		return SEPT_FREE;
	*hpa = sept_entry_hpa(ref.entry, ref.level);
	*level = ref.level;
	return sept_entry_state(ref.entry);
}

struct mmio_visit {
	const struct tdx_td *td;
	int (*fn)(uint64_t tdr, uint64_t gpa, uint64_t hpa, unsigned int level,
		  enum sept_state state, void *arg);
	void *arg;
};

static int mmio_table_each(const struct mmio_visit *visit, const struct sept_page *table)
{
	int rc = 0;

	for (unsigned int i = 0; i < SEPT_ENTRIES && !rc && table->used; i++) {
		uint64_t entry = sept_entry(table, i);
		enum sept_state state = sept_entry_state(entry);

		if (!entry)
			continue;
		if (!sept_entry_leaf(entry, table->level))
			rc = table->slot[i].child ? mmio_table_each(visit, table->slot[i].child)
						  : 0;
		else if (state >= SEPT_MMIO_PENDING)
			rc = visit->fn(visit->td->tdr,
				       table->gpa + i * sept_level_size(table->level),
				       sept_entry_hpa(entry, table->level), table->level, state,
				       visit->arg);
	}
	return rc;
}

int tdx_sept_mmio_each(int (*fn)(uint64_t tdr, uint64_t gpa, uint64_t hpa, unsigned int level,
				 enum sept_state state, void *arg), void *arg)
{
	const struct tdx_td *td = tdx_module() ? tdx_module()->tds : NULL;
	int rc = 0;

	for (; td && !rc; td = td->next) {
		struct mmio_visit visit = { .td = td, .fn = fn, .arg = arg };

		rc = td->sept ? mmio_table_each(&visit, td->sept) : 0;
	}
	return rc;
}
