/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client says of a guest's tables, and what it says that the guest changed in them. */
#include "kernel/ioasid/internal.h"

#define PASID_BITS_MAX 20u

static const struct format_row {
	enum iommu_tables tables;
	uint8_t widths[2];			/* of page tables, in bits */
	uint8_t pasid_levels_min, pasid_levels_max;
	uint32_t flags;				/* IOASID_TABLE_* of page tables */
} formats[] = {
	[IOASID_FORMAT_VTD] = { IOMMU_TABLES_VTD, { 48, 57 }, 2, 2, 0 },
	[IOASID_FORMAT_SMMUV3] = { IOMMU_TABLES_SMMUV3, { 39, 48 }, 1, 2,
				   IOASID_TABLE_ACCESSED | IOASID_TABLE_DIRTY },
	[IOASID_FORMAT_AMD] = { IOMMU_TABLES_AMD, { 48, 57 }, 1, 3, 0 },
};

unsigned int ioasid_table_formats(void)
{
	unsigned int bits = 0;

	for (unsigned int i = 1; i < sizeof(formats) / sizeof(formats[0]); i++)
		bits |= 1u << i;
	return bits;
}

/* The format's own tables of PASIDs; a context descriptor says the width of its page table. */
static int pasids_check(const struct ioasid_table *table, const struct format_row *row,
			struct iommu_nested *stage1)
{
	const uint32_t ways = IOASID_TABLE_BYPASS | IOASID_TABLE_NO_PASID_FAULTS;
	bool split = table->format == IOASID_FORMAT_SMMUV3 && table->pasid_levels == 2;

	if (table->flags & ~ways || (table->flags & ways) == ways || table->asid)
		return -EINVAL;
	if (table->pasid_levels < row->pasid_levels_min ||
	    table->pasid_levels > row->pasid_levels_max || table->pasid_bits > PASID_BITS_MAX)
		return -EINVAL;
	if (split ? table->pasid_split != 6 && table->pasid_split != 10 : table->pasid_split)
		return -EINVAL;
	stage1->pasid_levels = (uint8_t)table->pasid_levels;
	stage1->pasid_bits = (uint8_t)table->pasid_bits;
	stage1->pasid_split = (uint8_t)table->pasid_split;
	stage1->no_pasid = IOMMU_NO_PASID_ENTRY0;
	if (table->flags & ways)
		stage1->no_pasid = table->flags & IOASID_TABLE_BYPASS ? IOMMU_NO_PASID_BYPASS
								      : IOMMU_NO_PASID_FAULT;
	return 0;
}

static int pgtable_check(const struct ioasid_table *table, const struct format_row *row,
			 struct iommu_nested *stage1)
{
	if (table->flags & ~row->flags || table->pasid_bits || table->pasid_levels ||
	    table->pasid_split || table->asid > UINT16_MAX)
		return -EINVAL;
	if (table->asid && table->format != IOASID_FORMAT_SMMUV3)
		return -EINVAL;
	stage1->asid = (uint16_t)table->asid;
	if (table->flags & IOASID_TABLE_ACCESSED)
		stage1->updates |= PT_UPDATE_ACCESSED;
	if (table->flags & IOASID_TABLE_DIRTY)
		stage1->updates |= PT_UPDATE_DIRTY;
	return 0;
}

int ioasid_table_check(const struct ioasid_table *table, bool pasids, struct iommu_nested *stage1)
{
	unsigned int width = table->addr_width ? table->addr_width : 48;
	const struct format_row *row;

	if (!table->format || table->format >= sizeof(formats) / sizeof(formats[0]) ||
	    table->addr % PHYS_PAGE || table->addr >> 52)
		return -EINVAL;
	row = &formats[table->format];
	if (width != row->widths[0] && width != row->widths[1])
		return -EINVAL;
	*stage1 = (struct iommu_nested){ .root = table->addr, .tables = (uint8_t)row->tables,
					 .levels = (uint8_t)((width - 12) / 9) };
	return pasids ? pasids_check(table, row, stage1) : pgtable_check(table, row, stage1);
}

/* -- invalidation ----------------------------------------------------------------------------- */

struct flush {
	uint32_t tag;
	uint64_t first, last;
	bool leaf, table;
};

static int flush_pasid_table(const struct iommufd_device *idev, uint32_t pasid, void *arg)
{
	const struct flush *flush = arg;

	(void)pasid;
	iommu_pasid_flush(idev->pdev->rid,
			  flush->tag == IOMMU_ANY ? IOMMU_ALL_PASIDS : flush->tag);
	return 0;
}

/* A page table that a device finds through the guest's PASID table is cached in that one's name. */
static int flush_found_there(const struct iommufd_device *idev, uint32_t pasid, void *arg)
{
	const struct iommufd_hwpt *whole = iommufd_attached_hwpt(idev, TLP_NO_PASID);
	const struct flush *flush = arg;
	const struct iommu_nested *stage1 =
		whole && whole->obj.kind == IOMMUFD_HWPT_NESTED ? whole->stage1 : NULL;

	if (pasid != TLP_NO_PASID && stage1 && stage1->pasid_levels)
		iommu_nested_flush(whole->did, pasid, flush->first, flush->last, flush->leaf);
	return 0;
}

static int flags_check(const struct ioasid *space, const struct ioasid_invalidate *inv)
{
	const uint32_t known = IOASID_INV_LEAF | IOASID_INV_PASID | IOASID_INV_PASID_TABLE;
	bool pasids = space->kind == IOASID_KIND_PASID_TABLE;

	if (inv->flags & ~known || inv->reserved ||
	    (inv->pasid && !(inv->flags & IOASID_INV_PASID)) || inv->pasid >> PASID_BITS_MAX)
		return -EINVAL;
	if (inv->flags & (IOASID_INV_PASID | IOASID_INV_PASID_TABLE) && !pasids)
		return -EINVAL;
	return inv->flags & IOASID_INV_PASID_TABLE && (inv->size || inv->addr) ? -EINVAL : 0;
}

long ioasid_invalidate(const struct ioasid_ctx *ctx, void *args)
{
	const struct ioasid_invalidate *inv = args;
	const struct ioasid *space = ioasid_find(ctx, inv->ioasid);
	struct flush flush = { .tag = inv->flags & IOASID_INV_PASID ? inv->pasid : IOMMU_ANY,
			       .first = inv->addr, .last = UINT64_MAX,
			       .leaf = inv->flags & IOASID_INV_LEAF };

	if (!space)
		return -ENOENT;
	if (!space->format || flags_check(space, inv) || (!inv->size && inv->addr) ||
	    (inv->size && __builtin_add_overflow(inv->addr, inv->size - 1, &flush.last)))
		return -EINVAL;
	if (!space->hwpt)
		return 0;		/* never attached: nobody has looked */
	TRACE_EVENT(LANE_IOASID, LANE_IOMMUFD, "HWPT_INVALIDATE", A("hwpt", space->hwpt->obj.id),
		    A("first", flush.first), A("last", flush.last), A("tag", flush.tag));
	if (inv->flags & IOASID_INV_PASID_TABLE) {
		ioasid_each_attached(ctx, space->hwpt, flush_pasid_table, &flush);
		return 0;
	}
	iommu_nested_flush(space->hwpt->did, flush.tag, flush.first, flush.last, flush.leaf);
	ioasid_each_attached(ctx, space->hwpt, flush_found_there, &flush);
	return 0;
}
