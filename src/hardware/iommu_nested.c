/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two-dimensional walks: the first stage is in guest memory, and every address in it is a GPA,
 * which the second stage translates before it is read. With four levels each and nothing cached
 * that is (4 + 1) * 4 reads for the tables, and 4 for where the last one leads.
 */
#include "hardware/iommu_state.h"
#include "hardware/pt_ops.h"
#include "image/mutant.h"

#include <errno.h>

#define ENTRY sizeof(uint64_t)

static inline unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * level;
}

static inline uint32_t generation_of(const struct iommu *mmu, const struct iommu_nested *set)
{
	return mmu->generation[set->did] + mmu->generation[set->parent_did] + mmu->all_generation;
}

static inline uint64_t key_of(const struct iommu_nested *set, const struct iommu_stage1 *stage1)
{
	return KEY_STAGE1 | (uint64_t)stage1->tag << KEY_TAG_SHIFT | set->did;
}

/* -- setting up ------------------------------------------------------------------------------- */

struct tables_row {
	enum pt_format format;
	uint8_t levels_min, levels_max, pasid_levels_min, pasid_levels_max;
};

static const struct tables_row rows[] = {
	[IOMMU_TABLES_VTD] = { PT_X86, 4, 5, 2, 2 },
	[IOMMU_TABLES_SMMUV3] = { PT_ARM_S1, 3, 4, 1, 2 },
	[IOMMU_TABLES_AMD] = { PT_X86, 4, 5, 1, 3 },
};
#define PASID_BITS_MAX 20

static bool nested_legal(uint32_t pasid, const struct iommu_nested *set)
{
	const struct tables_row *row = &rows[set->tables];
	uint64_t align = set->tables == IOMMU_TABLES_SMMUV3 && set->pasid_levels ? 64 : PHYS_PAGE;

	if (!set->parent || !set->parent->root || set->did >= DIDS || set->parent_did >= DIDS ||
	    set->did == set->parent_did || set->root % align ||
	    set->no_pasid > IOMMU_NO_PASID_FAULT)
		return false;
	if (!(set->tables == IOMMU_TABLES_SMMUV3 && set->pasid_levels) &&
	    (set->levels < row->levels_min || set->levels > row->levels_max))
		return false;
	if (!set->pasid_levels)
		return true;
	if (set->tables == IOMMU_TABLES_SMMUV3 && set->pasid_levels == 2 && set->pasid_split != 6 &&
	    set->pasid_split != 10)
		return false;
	return pasid == TLP_NO_PASID && set->pasid_levels >= row->pasid_levels_min &&
	       set->pasid_levels <= row->pasid_levels_max && set->pasid_bits <= PASID_BITS_MAX;
}

int iommu_nested_set(uint16_t rid, uint32_t pasid, const struct iommu_nested *set)
{
	struct iommu_context context = { .mode = MODE_NESTED };
	struct iommu_nested_context *nested;
	int rc;

	if (set->tables > IOMMU_TABLES_AMD || !nested_legal(pasid, set))
		return -EINVAL;
	nested = image_alloc(sizeof(*nested), IMAGE_TYPE_IOMMU_DOMAIN);
	if (!nested)
		return -ENOMEM;
	nested->set = *set;
	nested->stage1 = (struct iommu_stage1){
		.root = set->root, .format = (uint8_t)rows[set->tables].format,
		.levels = set->levels, .updates = set->updates, .tag = set->asid };
	if (set->tables != IOMMU_TABLES_SMMUV3) {
		nested->stage1.updates = PT_UPDATE_ACCESSED | PT_UPDATE_DIRTY;
		nested->stage1.tag = pasid == TLP_NO_PASID ? 0 : pasid;	/* RID_PASID is 0 */
	}
	context.nested = nested;
	rc = iommu_context_store(rid, pasid, &context);
	if (rc)
		image_free(nested);
	return rc;
}

/* -- the second stage ------------------------------------------------------------------------- */

unsigned int iommu_stage2(const struct iommu *mmu, const struct iommu_nested *set, uint64_t gpa,
			  struct pt_leaf *leaf, uint64_t *reads)
{
	uint32_t generation = mmu->generation[set->parent_did] + mmu->all_generation;
	const struct tlb_entry *e = &mmu->stage2[tlb_hash(gpa >> 12, set->parent_did)];

	if (tlb_holds(e, gpa >> 12, set->parent_did, generation)) {
		tlb_leaf(e, leaf);
		return 0;
	}
	if (pt_walk(set->parent, gpa, leaf))
		return FAULT_S2;
	*reads += leaf->reads;
	iommu_tlb_fill(e, gpa >> 12, set->parent_did, generation, leaf, 0);
	return 0;
}

/* A write below the first stage dirties the second's leaf. */
static void stage2_mark(const struct iommu *mmu, const struct iommu_nested *set, uint64_t gpa)
{
	if (mmu->tracks[set->parent_did])
		pt_mark((enum pt_format)set->parent->format, set->parent->root, set->parent->levels,
			gpa, true);
}

unsigned int iommu_guest_read(const struct iommu *mmu, const struct iommu_nested *set, uint64_t gpa,
			      void *to, uint64_t len, uint64_t *reads)
{
	struct pt_leaf leaf;

	if (iommu_stage2(mmu, set, gpa, &leaf, reads) || !(leaf.prot & PT_R) ||
	    phys_read(leaf.hpa + (gpa - leaf.address), to, len, 0))
		return FAULT_S2;
	++*reads;
	return 0;
}

/* -- paging-structure caches ------------------------------------------------------------------ */

static const struct structure_entry *structure_slot(const struct iommu *mmu, uint64_t key,
						    uint64_t prefix)
{
	return &mmu->structures[(prefix ^ prefix >> 9 ^ key ^ key >> KEY_LEVEL_SHIFT << 6 ^
				 key >> KEY_TAG_SHIFT) & (STRUCTURE_ENTRIES - 1)];
}

/* Where a walk is: at a table, before it reads the entry. */
struct walk {
	const struct iommu *mmu;
	const struct iommu_nested *set;
	const struct iommu_stage1 *stage1;
	uint64_t address, table;	/* HPA */
	uint64_t key, reads;
	uint32_t generation;
	unsigned int level;
	uint8_t prot;
	bool write, updatable;	/* updatable: the second stage lets the table be written */
};

static void structure_fill(const struct walk *w)
{
	uint64_t key = w->key | (uint64_t)w->level << KEY_LEVEL_SHIFT;
	uint64_t prefix = w->address >> level_shift(w->level + 1);
	struct structure_entry *e;

	if (w->mmu->uncached)
		return;
	e = image_write(structure_slot(w->mmu, key, prefix));
	e->prefix = prefix;
	e->key = key;
	e->table = w->table | (w->prot & TLB_PROT) | (w->updatable ? STRUCTURE_UPDATABLE : 0);
	e->generation = w->generation;
}

/* The lowest table on the way that is known. */
static bool structure_find(struct walk *w)
{
	for (unsigned int level = 0; level + 1 < w->stage1->levels; level++) {
		uint64_t key = w->key | (uint64_t)level << KEY_LEVEL_SHIFT;
		uint64_t prefix = w->address >> level_shift(level + 1);
		const struct structure_entry *e = structure_slot(w->mmu, key, prefix);

		if (e->key != key || e->prefix != prefix || e->generation != w->generation)
			continue;
		w->table = e->table & ~(uint64_t)(PHYS_PAGE - 1);
		w->prot = e->table & TLB_PROT;
		w->updatable = e->table & STRUCTURE_UPDATABLE;
		w->level = level;
		return true;
	}
	return false;
}

/* -- the first stage -------------------------------------------------------------------------- */

static unsigned int table_enter(struct walk *w, uint64_t gpa)
{
	struct pt_leaf leaf;

	if (iommu_stage2(w->mmu, w->set, gpa, &leaf, &w->reads) || !(leaf.prot & PT_R))
		return FAULT_S1_ACCESS;
	w->table = leaf.hpa + (gpa - leaf.address);
	w->updatable = leaf.prot & PT_W;
	if (w->updatable && w->stage1->updates)
		stage2_mark(w->mmu, w->set, gpa);	/* its accessed and dirty bits may change */
	return 0;
}

/* Accessed and dirty bits, where the second stage lets them be written. */
static unsigned int entry_update(const struct walk *w, uint64_t at, uint64_t old, uint64_t new)
{
	if (old == new)
		return 0;
	return w->updatable && !phys_write(at, &new, ENTRY, 0) ? 0 : FAULT_S1_UPDATE;
}

static unsigned int entry_read(struct walk *w, uint64_t *at, uint64_t *e)
{
	*at = w->table + (w->address >> level_shift(w->level) & (PT_ENTRIES - 1)) * ENTRY;
	w->reads++;
	return phys_read(*at, e, ENTRY, 0) ? FAULT_S1_ACCESS : 0;
}

static unsigned int denied(const struct walk *w, uint8_t prot)
{
	if (w->write)
		return prot & PT_W ? 0 : FAULT_S1_WRITE;
	return prot & PT_R ? 0 : FAULT_S1_READ;
}

/* One table further, or to the leaf. */
static unsigned int walk_step(struct walk *w, struct pt_entry *entry)
{
	uint64_t at, e, new;
	unsigned int reason = entry_read(w, &at, &e);

	if (reason)
		return reason;
	switch (pt_decode((enum pt_format)w->stage1->format, e, w->level, w->stage1->updates,
			  entry)) {
	case 0:
		break;
	case -ENOENT:
		return FAULT_S1_ABSENT;
	case -EACCES:
		return FAULT_S1_UNTOUCHED;
	default:
		return FAULT_S1_RESERVED;
	}
	w->prot &= entry->prot;
	reason = entry->leaf ? denied(w, w->prot) : 0;
	if (reason)
		return reason;
	new = w->write ? entry->written : entry->accessed;
	/* Not known to be clean any more: what is cached of it must not let a write pass unseen. */
	if (entry->leaf && !w->write && entry->written != entry->accessed)
		w->prot &= (uint8_t)~PT_W;
	return entry_update(w, at, e, new);
}

static unsigned int walk_stage1(struct walk *w, struct pt_entry *entry)
{
	unsigned int reason;

	if (!structure_find(w)) {
		w->level = w->stage1->levels - 1u;
		w->prot = 0xff;
		reason = table_enter(w, w->stage1->root);
		if (reason)
			return reason;
	}
	for (;;) {
		reason = walk_step(w, entry);
		if (reason || entry->leaf)
			return reason;
		reason = table_enter(w, entry->address);
		if (reason)
			return reason;
		w->level--;
		structure_fill(w);
	}
}

/* x86 addresses are signed; those of Arm's lower table are not. */
static bool canonical(const struct iommu_stage1 *stage1, uint64_t address)
{
	unsigned int unused = 64 - (12 + 9 * stage1->levels);

	if (stage1->format == PT_ARM_S1)
		return !(address >> (64 - unused));
	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

/* The whole of both stages; the leaf is the smaller of the two. */
static unsigned int walk_nested(struct walk *w, struct pt_leaf *leaf)
{
	struct pt_entry entry;
	struct pt_leaf last;
	uint64_t gpa, size = 0;
	unsigned int reason;

	if (!canonical(w->stage1, w->address))
		return FAULT_NOT_CANONICAL;
	reason = walk_stage1(w, &entry);
	if (reason)
		return reason;
	size = 1ull << level_shift(w->level);
	gpa = entry.address | (w->address & (size - 1));
	if (w->write)
		stage2_mark(w->mmu, w->set, gpa);
	reason = iommu_stage2(w->mmu, w->set, gpa, &last, &w->reads);
	if (reason)
		return reason;
	if (w->mmu->tracks[w->set->parent_did] && !w->write)
		last.prot &= (uint8_t)~PT_W;
	size = size < last.size ? size : last.size;
	leaf->address = w->address & ~(size - 1);
	leaf->hpa = (last.hpa + (gpa - last.address)) & ~(size - 1);
	leaf->size = size;
	if (mutant(MUTANT_WALK_SKIPS_STAGE2))
		last.prot |= PT_R | PT_W;
	leaf->prot = w->prot & (last.prot | (PT_X | PT_UC | PT_SNOOP));
	leaf->reads = (uint8_t)w->reads;
	return last.prot & (w->write ? PT_W : PT_R) ? 0 : FAULT_S2;
}

static unsigned int bypass(const struct iommu *mmu, const struct iommu_nested *set,
			   const struct tlp *tlp, struct pt_leaf *leaf)
{
	bool write = tlp->type != TLP_MEM_READ;
	uint64_t reads = 0;
	unsigned int reason;

	if (write)
		stage2_mark(mmu, set, tlp->address);
	reason = iommu_stage2(mmu, set, tlp->address, leaf, &reads);
	iommu_statistics.misses++;
	iommu_statistics.walk_reads += reads;
	return reason || leaf->prot & (write ? PT_W : PT_R) ? reason : FAULT_S2;
}

unsigned int iommu_translate_nested(const struct iommu *mmu, const struct tlp *tlp,
				    const struct iommu_nested_context *context,
				    struct pt_leaf *leaf)
{
	const struct iommu_nested *set = &context->set;
	bool write = tlp->type != TLP_MEM_READ;
	const struct iommu_stage1 *stage1;
	const struct tlb_entry *slot;
	unsigned int reason = iommu_pasid_find(mmu, tlp, context, &stage1);
	uint32_t generation;
	struct walk w;
	uint64_t key;

	if (reason)
		return reason;
	if (stage1->bypass)
		return bypass(mmu, set, tlp, leaf);
	key = key_of(set, stage1);
	generation = generation_of(mmu, set);
	slot = tlb_slot(mmu, tlp->address >> 12, key);
	if (tlb_holds(slot, tlp->address >> 12, key, generation) &&
	    slot->hpa & (write ? PT_W : PT_R)) {
		iommu_statistics.hits++;
		tlb_leaf(slot, leaf);
		return 0;
	}
	iommu_statistics.misses++;
	w = (struct walk){ .mmu = mmu, .set = set, .stage1 = stage1, .address = tlp->address,
			   .key = key, .generation = generation, .write = write };
	reason = walk_nested(&w, leaf);
	iommu_statistics.walk_reads += w.reads;
	if (!reason)
		iommu_tlb_fill(slot, tlp->address >> 12, key, generation, leaf, 0);
	return reason;
}

/* -- invalidation ----------------------------------------------------------------------------- */

static bool key_matches(uint64_t key, uint16_t did, uint32_t tag)
{
	uint64_t mask = tag == IOMMU_ANY ? 0xffff : (1ull << (KEY_TAG_SHIFT + 20)) - 1;
	uint64_t want = did | (tag == IOMMU_ANY ? 0 : (uint64_t)tag << KEY_TAG_SHIFT);

	return key & KEY_STAGE1 && (key & mask) == want;
}

static void structures_flush(const struct iommu *mmu, uint16_t did, uint32_t tag, uint64_t first,
			     uint64_t last)
{
	for (unsigned int i = 0; i < STRUCTURE_ENTRIES; i++) {
		const struct structure_entry *e = &mmu->structures[i];
		unsigned int shift = level_shift((unsigned int)(e->key >> KEY_LEVEL_SHIFT) + 1);

		if (key_matches(e->key, did, tag) && e->prefix >= first >> shift &&
		    e->prefix <= last >> shift)
			hw_set(&e->key, 0);
	}
}

void iommu_nested_flush(uint16_t did, uint32_t tag, uint64_t first, uint64_t last, bool leaf_only)
{
	const struct iommu *mmu = iommu();

	if (!mmu || did >= DIDS || first > last)
		return;
	if (tag == IOMMU_ANY && !first && last == UINT64_MAX && !leaf_only) {
		iommu_iotlb_flush(did, first, last);
		return;
	}
	for (unsigned int i = 0; i < TLB_ENTRIES; i++) {
		const struct tlb_entry *e = &mmu->tlb[i];
		uint64_t size = TLB_SIZE(e->hpa), start = e->page << 12 & ~(size - 1);

		if (key_matches(e->key, did, tag) && start <= last && start + (size - 1) >= first)
			hw_set(&e->key, 0);
	}
	if (!leaf_only && !mutant(MUTANT_FLUSH_KEEPS_TABLES))
		structures_flush(mmu, did, tag, first, last);
	tlp_drain();
}
