/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PASID tables in guest memory: which page table a request's PASID has. VT-d scalable mode (VT-d
 * 9.5, 9.6), SMMUv3 context descriptors (SMMUv3 5.4), AMD GCR3 tables (AMD IOMMU 2.2.6.2).
 */
#include "hardware/iommu_state.h"

#define FIELD(value, low, bits) ((value) >> (low) & ((1ull << (bits)) - 1))
#define PAGE_OF(value) ((value) & 0x000ffffffffff000ull)

/* VT-d: a directory entry serves 64 PASIDs; a table entry is 64 bytes. */
#define VTD_PRESENT 1ull
#define VTD_PGTT(e) FIELD((e)[0], 6, 3)
enum { VTD_FIRST_STAGE = 1, VTD_PASS_THROUGH = 4 };
#define VTD_FSPM(e) FIELD((e)[2], 2, 2)		/* 0: 4 levels, 1: 5 */

/* SMMUv3: a first-level descriptor, and a context descriptor of 64 bytes. */
#define CD_L1_VALID 1ull
#define CD_T0SZ(e) FIELD((e)[0], 0, 6)
#define CD_TG0(e) FIELD((e)[0], 6, 2)		/* 0: 4 KiB */
#define CD_EPD0 (1ull << 14)
#define CD_VALID (1ull << 31)
#define CD_AA64 (1ull << 41)
#define CD_HD (1ull << 42)
#define CD_HA (1ull << 43)
#define CD_ASID(e) FIELD((e)[0], 48, 16)
#define CD_TTB0(e) ((e)[1] & 0x000ffffffffffff0ull)

#define GCR3_VALID 1ull

struct fetch {
	const struct iommu *mmu;
	const struct iommu_nested *set;
	uint32_t pasid;
};

static unsigned int entry_read(const struct fetch *f, uint64_t gpa, uint64_t *to,
			       unsigned int words)
{
	return iommu_guest_read(f->mmu, f->set, gpa, to, words * sizeof(*to),
				&iommu_statistics.pasid_reads);
}

static unsigned int fetch_vtd(const struct fetch *f, struct iommu_stage1 *stage1)
{
	uint64_t directory, e[8];

	if (entry_read(f, f->set->root + (uint64_t)(f->pasid >> 6) * 8, &directory, 1))
		return FAULT_DIRECTORY_ACCESS;
	if (!(directory & VTD_PRESENT))
		return FAULT_DIRECTORY_ABSENT;
	if (entry_read(f, PAGE_OF(directory) + (f->pasid & 63) * sizeof(e), e, 8))
		return FAULT_PASID_ACCESS;
	if (!(e[0] & VTD_PRESENT))
		return FAULT_PASID_ABSENT;
	stage1->bypass = VTD_PGTT(e) == VTD_PASS_THROUGH;
	if ((VTD_PGTT(e) != VTD_FIRST_STAGE && !stage1->bypass) || VTD_FSPM(e) > 1)
		return FAULT_PASID_INVALID;
	stage1->root = PAGE_OF(e[2]);
	stage1->levels = (uint8_t)(4 + VTD_FSPM(e));
	return 0;
}

static unsigned int fetch_smmuv3(const struct fetch *f, struct iommu_stage1 *stage1)
{
	uint64_t table = f->set->root, index = f->pasid, e[8];
	unsigned int bits;

	if (f->set->pasid_levels == 2) {
		uint64_t l1;

		if (entry_read(f, table + (index >> f->set->pasid_split) * 8, &l1, 1))
			return FAULT_DIRECTORY_ACCESS;
		if (!(l1 & CD_L1_VALID))
			return FAULT_DIRECTORY_ABSENT;
		table = PAGE_OF(l1);
		index &= (1ull << f->set->pasid_split) - 1;
	}
	if (entry_read(f, table + index * sizeof(e), e, 8))
		return FAULT_PASID_ACCESS;
	if (!(e[0] & CD_VALID))
		return FAULT_PASID_ABSENT;
	bits = 64 - (unsigned int)CD_T0SZ(e);
	if (!(e[0] & CD_AA64) || CD_TG0(e) || e[0] & CD_EPD0 || (bits != 39 && bits != 48) ||
	    CD_TTB0(e) % PHYS_PAGE)
		return FAULT_PASID_INVALID;
	stage1->root = CD_TTB0(e);
	stage1->levels = (uint8_t)((bits - 12) / 9);
	stage1->tag = (uint32_t)CD_ASID(e);
	stage1->updates = (uint8_t)((e[0] & CD_HA ? PT_UPDATE_ACCESSED : 0) |
				    (e[0] & CD_HD && e[0] & CD_HA ? PT_UPDATE_DIRTY : 0));
	return 0;
}

static unsigned int fetch_amd(const struct fetch *f, struct iommu_stage1 *stage1)
{
	uint64_t table = f->set->root, e = 0;

	for (unsigned int level = f->set->pasid_levels; level-- > 0;) {
		if (entry_read(f, table + FIELD(f->pasid, 9 * level, 9) * 8, &e, 1))
			return level ? FAULT_DIRECTORY_ACCESS : FAULT_PASID_ACCESS;
		if (!(e & GCR3_VALID))
			return level ? FAULT_DIRECTORY_ABSENT : FAULT_PASID_ABSENT;
		table = PAGE_OF(e);
	}
	stage1->root = table;
	return 0;
}

static const struct tables_ops {
	unsigned int (*fetch)(const struct fetch *f, struct iommu_stage1 *stage1);
	uint8_t context_reads;	/* root and context entry; stream table entry; device table entry */
	uint8_t host_reads;	/* without a table of the guest's: the host's PASID table */
} tables[] = {
	[IOMMU_TABLES_VTD] = { fetch_vtd, 2, 2 },
	[IOMMU_TABLES_SMMUV3] = { fetch_smmuv3, 1, 1 },
	[IOMMU_TABLES_AMD] = { fetch_amd, 1, 1 },
};

static unsigned int config_fetch(const struct iommu *mmu, const struct tlp *tlp,
				 const struct iommu_nested_context *context,
				 struct iommu_stage1 *stage1)
{
	const struct iommu_nested *set = &context->set;
	struct fetch f = { mmu, set, tlp->pasid == TLP_NO_PASID ? 0 : tlp->pasid };

	iommu_statistics.context_reads += tables[set->tables].context_reads;
	*stage1 = context->stage1;
	if (!set->pasid_levels) {
		iommu_statistics.pasid_reads += tables[set->tables].host_reads;
		return 0;
	}
	stage1->tag = f.pasid;
	if (tlp->pasid == TLP_NO_PASID && set->no_pasid == IOMMU_NO_PASID_FAULT)
		return set->tables == IOMMU_TABLES_SMMUV3 ? FAULT_NO_PASID : FAULT_NO_CONTEXT;
	if (tlp->pasid == TLP_NO_PASID && set->no_pasid == IOMMU_NO_PASID_BYPASS) {
		stage1->bypass = true;
		return 0;
	}
	if (f.pasid >> set->pasid_bits)
		return FAULT_PASID_BEYOND;
	return tables[set->tables].fetch(&f, stage1);
}

/* Where nothing is cached, what was fetched lives until the next fetch. */
unsigned int iommu_pasid_find(const struct iommu *mmu, const struct tlp *tlp,
			      const struct iommu_nested_context *context,
			      const struct iommu_stage1 **stage1)
{
	static struct iommu_stage1 fetched;	/* of this process, under the image's lock */
	uint64_t key = CONFIG_KEY(tlp->rid, tlp->pasid);
	uint32_t generation = mmu->all_generation;
	const struct config_entry *e =
		&mmu->configs[(tlp->rid ^ tlp->pasid * 7u) & (CONFIG_ENTRIES - 1)];
	struct config_entry *w;
	unsigned int reason;

	*stage1 = &e->stage1;
	if (__builtin_expect(e->key == key && e->generation == generation, 1))
		return 0;
	reason = config_fetch(mmu, tlp, context, &fetched);
	*stage1 = &fetched;
	if (reason || mmu->uncached)
		return reason;
	w = image_write(e);
	*w = (struct config_entry){ .key = key, .generation = generation, .stage1 = fetched };
	*stage1 = &e->stage1;
	return 0;
}

void iommu_pasid_flush(uint16_t rid, uint32_t pasid)
{
	const struct iommu *mmu = iommu();
	uint64_t mask = pasid == IOMMU_ALL_PASIDS ? 1ull << 63 | 0xffff : ~0ull;
	uint64_t want = CONFIG_KEY(rid, pasid) & mask;

	for (unsigned int i = 0; mmu && i < CONFIG_ENTRIES; i++)
		if ((mmu->configs[i].key & mask) == want)
			hw_set(&mmu->configs[i].key, 0);
}
