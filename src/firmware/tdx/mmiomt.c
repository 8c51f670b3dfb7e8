/* SPDX-License-Identifier: BSD-2-Clause */
/* Which TDI owns a page of MMIO: one table a 2 MiB region, in a page of the host's. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

static const struct tdx_mmiomt *table_of(uint64_t hpa)
{
	const struct tdx_mmiomt *table = tdx_module() ? tdx_module()->mmiomts : NULL;

	while (table && table->region != (hpa & ~(PHYS_2M - 1)))
		table = table->next;
	return table;
}

static uint64_t slot_hpa(const struct tdx_mmiomt *table, uint64_t hpa)
{
	return table->page + hpa % PHYS_2M / PHYS_PAGE * 8;
}

static uint64_t slot_load(const struct tdx_mmiomt *table, uint64_t hpa)
{
	uint8_t bytes[8];
	struct reader r = reader_of(bytes, sizeof(bytes));

	if (phys_read(slot_hpa(table, hpa), bytes, sizeof(bytes), TDX_OWNER_MODULE))
		return 0;
	return get_le64(&r);
}

static void slot_store(const struct tdx_mmiomt *table, uint64_t hpa, uint64_t value)
{
	uint8_t bytes[8];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le64(&w, value);
	phys_table_write(slot_hpa(table, hpa), bytes, sizeof(bytes), TDX_OWNER_MODULE);
}

uint64_t mmiomt_entry(uint64_t hpa)
{
	const struct tdx_mmiomt *table = table_of(hpa);

	return table ? slot_load(table, hpa) : 0;
}

uint32_t tdx_mmio_owner(uint64_t hpa)
{
	return (uint32_t)mmiomt_entry(hpa);
}

uint64_t mmiomt_check(uint64_t hpa, uint64_t len, uint32_t *func_id)
{
	*func_id = (uint32_t)mmiomt_entry(hpa);
	for (uint64_t at = hpa; at < hpa + len; at += PHYS_PAGE) {
		uint64_t entry = mmiomt_entry(at);

		if (!(entry & MMIOMT_OWNED))
			return TDX_MMIO_NOT_SET;
		if (entry & MMIOMT_MAPPED)
			return TDX_MMIO_ALREADY_MAPPED;
		if ((uint32_t)entry != *func_id)
			return TDX_MMIO_TDI_OWNER_MISMATCH;
	}
	return TDX_SUCCESS;
}

void mmiomt_mark(uint64_t hpa, uint64_t len, uint64_t set, uint64_t clear)
{
	const struct tdx_mmiomt *table = table_of(hpa);

	for (uint64_t at = hpa; at < hpa + len; at += PHYS_PAGE)
		slot_store(table, at, (slot_load(table, at) & ~clear) | set);
}

static uint64_t mmiomt_add(struct tdx_args *args)
{
	struct tdx_mmiomt *table;
	uint64_t status;

	if (args->rcx % PHYS_2M || !phys_is_mmio(args->rcx))
		return tdx_invalid(TDX_RCX);
	if (table_of(args->rcx))
		return TDX_PAGE_METADATA_INCORRECT | TDX_RCX;
	table = tdx_alloc(sizeof(*table));
	if (!table)
		return TDX_NO_MEMORY;
	status = pamt_take(args->rdx, PHYS_PAGE, TDX_OWNER_MODULE);
	if (status) {
		image_free(table);
		return status | TDX_RDX;
	}
	phys_clear(args->rdx, PHYS_PAGE, TDX_OWNER_MODULE, true);
	table->region = args->rcx;
	table->page = args->rdx;
	table->next = tdx_module()->mmiomts;
	tdx_module_write()->mmiomts = table;
	return TDX_SUCCESS;
}

static uint64_t set_operand(uint64_t operand, uint64_t *hpa, uint64_t *len)
{
	*hpa = operand & ~7ull;
	*len = sept_level_size((unsigned int)operand & 7);
	return (operand & 7) > 1 || *hpa % *len || !phys_is_mmio(*hpa) ? tdx_invalid(TDX_RCX)
								       : TDX_SUCCESS;
}

static void owner_trace(uint64_t hpa, uint64_t len, uint32_t from, uint32_t to)
{
	TRACE_STATE(LANE_FIRMWARE, "MMIOMT", A("hpa", hpa), A("pages", len / PHYS_PAGE),
		    A("from", from), A("to", to));
}

/* How much from hpa on, at most len, is of the TDI that owns the first page. */
static uint64_t owned_run(const struct tdx_mmiomt *table, uint64_t hpa, uint64_t len)
{
	uint32_t func_id = (uint32_t)slot_load(table, hpa);
	uint64_t run = PHYS_PAGE;

	while (run < len && (uint32_t)slot_load(table, hpa + run) == func_id)
		run += PHYS_PAGE;
	return run;
}

static uint64_t mmiomt_clear(const struct tdx_mmiomt *table, uint64_t hpa, uint64_t len)
{
	for (uint64_t at = hpa; at < hpa + len; at += PHYS_PAGE) {
		uint64_t entry = slot_load(table, at);

		if (!(entry & MMIOMT_OWNED))
			return TDX_MMIO_NOT_SET | TDX_RCX;
		if (entry & MMIOMT_MAPPED)
			return TDX_MMIO_STILL_MAPPED | TDX_RCX;
	}
	for (uint64_t at = hpa, run; at < hpa + len; at += run) {
		const struct tdx_tdi *tdi = tdi_of((uint32_t)slot_load(table, at));

		run = owned_run(table, at, hpa + len - at);
		owner_trace(at, run, tdi->func_id, 0);
		tdi_write(tdi)->owned_pages -= run / PHYS_PAGE;
		for (uint64_t page = at; page < at + run; page += PHYS_PAGE)
			slot_store(table, page, 0);
	}
	mmiomt_write(table)->owned = (uint16_t)(table->owned - len / PHYS_PAGE);
	return TDX_SUCCESS;
}

static uint64_t mmiomt_set(struct tdx_args *args)
{
	const struct tdx_mmiomt *table;
	const struct tdx_tdi *tdi;
	uint64_t hpa, len;
	uint64_t status = set_operand(args->rcx, &hpa, &len);

	if (status)
		return status;
	table = table_of(hpa);
	if (!table)
		return TDX_MMIO_NOT_SET | TDX_RCX;
	if (!args->rdx)
		return mmiomt_clear(table, hpa, len);
	tdi = tdi_of(args->rdx);
	if (!tdi)
		return TDX_TDI_NOT_PRESENT | TDX_RDX;
	for (uint64_t at = hpa; at < hpa + len; at += PHYS_PAGE)
		if (slot_load(table, at) & MMIOMT_OWNED && !mutant(MUTANT_MMIOMT_STEAL))
			return TDX_MMIO_ALREADY_OWNED | TDX_RCX;
	for (uint64_t at = hpa; at < hpa + len; at += PHYS_PAGE)
		slot_store(table, at, MMIOMT_OWNED | tdi->func_id);
	owner_trace(hpa, len, 0, tdi->func_id);
	mmiomt_write(table)->owned = (uint16_t)(table->owned + len / PHYS_PAGE);
	tdi_write(tdi)->owned_pages += len / PHYS_PAGE;
	return TDX_SUCCESS;
}

static uint64_t mmiomt_rd(struct tdx_args *args)
{
	uint64_t entry;

	if (!table_of(args->rcx))
		return TDX_MMIO_NOT_SET | TDX_RCX;
	entry = mmiomt_entry(args->rcx);
	args->rcx = (uint32_t)entry;
	args->rdx = entry & MMIOMT_MAPPED ? 1 : 0;
	return TDX_SUCCESS;
}

static uint64_t mmiomt_remove(struct tdx_args *args)
{
	const struct tdx_mmiomt *table = table_of(args->rcx);
	const struct tdx_mmiomt *const *link = &tdx_module()->mmiomts;

	if (!table || args->rcx % PHYS_2M)
		return TDX_MMIO_NOT_SET | TDX_RCX;
	if (table->owned)
		return TDX_TDI_HAS_OWNED_MMIO | TDX_RCX;
	while (*link != table)
		link = &(*link)->next;
	link_set(link, table->next);
	pamt_give(table->page, PHYS_PAGE, TDX_OWNER_MODULE);
	args->rcx = table->page;
	image_free(table);
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_mmiomt_leaves[] = {
	{ TDX_MMIOMT_ADD, mmiomt_add, { "hpa", "page" } },
	{ TDX_MMIOMT_SET, mmiomt_set, { "hpa", "func" } },
	{ TDX_MMIOMT_RD, mmiomt_rd, { "hpa" } },
	{ TDX_MMIOMT_REMOVE, mmiomt_remove, { "hpa" } },
	{ 0 }
};
