/* SPDX-License-Identifier: BSD-2-Clause */
/* The secure EPT: its entries, the walk the CPU and the IOMMU do, and how leaves change. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

static unsigned int index_of(uint64_t gpa, unsigned int level)
{
	return (unsigned int)(gpa >> (12 + 9 * level)) % SEPT_ENTRIES;
}

/* Tables are donated RAM of the image: there is always a pointer. */
static uint64_t entry_load(uint64_t table, unsigned int index)
{
	const uint8_t *p = phys_ram(table + 8ull * index, 8);
	struct reader r;

	if (!p)
		return 0;
	r = reader_of(p, 8);
	return get_le64(&r);
}

const struct sept_page *sept_page_new(uint64_t hpa, uint64_t gpa, unsigned int level)
{
	struct sept_page *page = tdx_alloc(sizeof(*page));

	if (page) {
		page->hpa = hpa;
		page->gpa = gpa;
		page->level = (uint8_t)level;
	}
	return page;
}

uint64_t sept_entry(const struct sept_page *page, unsigned int index)
{
	return entry_load(page->hpa, index);
}

int sept_find(const struct tdx_td *td, uint64_t gpa, unsigned int level, struct sept_ref *ref)
{
	const struct sept_page *table = td->sept;

	for (;;) {
		*ref = (struct sept_ref){ .table = table, .level = table->level,
			.index = index_of(gpa, table->level) };
		ref->entry = entry_load(table->hpa, ref->index);
		if (table->level == level)
			return 0;
		if (!ref->entry || sept_entry_leaf(ref->entry, ref->level))
			return -ENOENT;
		table = table->slot[ref->index].child;
	}
}

int sept_find_leaf(const struct tdx_td *td, uint64_t gpa, struct sept_ref *ref)
{
	int rc = sept_find(td, gpa, 0, ref);

	return rc && ref->entry && sept_entry_leaf(ref->entry, ref->level) ? 0 : rc;
}

void sept_child_set(const struct sept_ref *ref, const struct sept_page *child)
{
	*(const struct sept_page **)image_write(&ref->table->slot[ref->index].child) = child;
}

void sept_write(const struct tdx_td *td, const struct sept_ref *ref, uint64_t entry)
{
	uint8_t bytes[8];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le64(&w, entry);
	phys_table_write(ref->table->hpa + 8ull * ref->index, bytes, sizeof(bytes),
			 td_control_owner(td));
	if (!entry != !ref->entry)
		*(uint16_t *)image_write(&ref->table->used) =
			(uint16_t)(ref->table->used + (entry ? 1 : -1));
}

static uint64_t leaf_entry(uint64_t hpa, enum sept_state state, unsigned int level)
{
	uint64_t entry = hpa | (uint64_t)state << SEPT_STATE_SHIFT | (level ? SEPT_LEAF : 0);

	if (state == SEPT_MAPPED)
		entry |= SEPT_RWX | SEPT_WB;
	else if (state == SEPT_MMIO_MAPPED)
		entry |= SEPT_RWX & ~4ull;	/* uncached; nothing is fetched from a device */
	return entry;
}

void sept_leaf_set(const struct tdx_td *td, const struct sept_ref *ref, uint64_t hpa,
		   enum sept_state state)
{
	uint64_t gpa = ref->table->gpa + ref->index * sept_level_size(ref->level);

	TRACE_STATE(LANE_FIRMWARE, "S-EPT", A("tdr", td->tdr), A("gpa", gpa),
		    A("hpa", hpa ? hpa : sept_entry_hpa(ref->entry, ref->level)),
		    A("level", ref->level), A("from", sept_entry_state(ref->entry)),
		    A("to", state));
	sept_write(td, ref, hpa ? leaf_entry(hpa, state, ref->level) : 0);
}

void sept_leaf_block(const struct tdx_td *td, const struct sept_ref *ref, enum sept_state state)
{
	*(uint64_t *)image_write(&ref->table->slot[ref->index].blocked) =
		tdx_module()->invalidations;
	*(uint32_t *)image_write(&ref->table->epoch[ref->index]) = td->epoch;
	sept_leaf_set(td, ref, sept_entry_hpa(ref->entry, ref->level), state);
}

bool sept_tlb_tracked(const struct tdx_td *td, const struct sept_ref *ref)
{
	return td->epoch > ref->table->epoch[ref->index] || mutant(MUTANT_SKIP_TRACK);
}

bool sept_iotlb_tracked(const struct tdx_td *td, const struct sept_ref *ref)
{
	return td->invalidated > ref->table->slot[ref->index].blocked;
}

uint64_t sept_operand(uint64_t operand, unsigned int first, unsigned int last, uint64_t *gpa,
		      unsigned int *level)
{
	*level = (unsigned int)operand & 7;
	*gpa = operand & ~7ull;
	if (*level < first || *level > last || *gpa >= TDX_SHARED_BIT ||
	    *gpa % sept_level_size(*level))
		return tdx_invalid(TDX_RCX);
	return TDX_SUCCESS;
}

uint64_t sept_refuse(struct tdx_args *args, const struct sept_ref *ref, uint64_t status)
{
	args->rcx = ref->entry;
	args->rdx = ref->level | (uint64_t)sept_entry_state(ref->entry) << 8;
	return status | TDX_RCX;
}

uint64_t sept_target(struct tdx_args *args, enum td_state state, unsigned int first,
		     unsigned int last, struct sept_target *target)
{
	unsigned int level;
	uint64_t status = sept_operand(args->rcx, first, last, &target->gpa, &level);

	if (status)
		return status;
	target->td = td_get(args->rdx, state, TD_FINALIZED, &status);
	if (!target->td)
		return status | TDX_RDX;
	if (sept_find(target->td, target->gpa, level, &target->ref))
		return sept_refuse(args, &target->ref, TDX_EPT_WALK_FAILED);
	return TDX_SUCCESS;
}

uint64_t sept_range_block(struct tdx_args *args, enum sept_state pending, enum sept_state mapped,
			  enum sept_state blocked)
{
	struct sept_target at;
	uint64_t status = sept_target(args, TD_INITIALIZED, 0, 1, &at);
	enum sept_state state;

	if (status)
		return status;
	state = sept_entry_state(at.ref.entry);
	if (!sept_entry_leaf(at.ref.entry, at.ref.level) || (state != pending && state != mapped))
		return sept_refuse(args, &at.ref, TDX_EPT_ENTRY_STATE_INCORRECT);
	sept_leaf_block(at.td, &at.ref, blocked);
	return TDX_SUCCESS;
}

bool sept_private_write(const struct tdx_td *td, uint64_t gpa, const void *from, size_t len)
{
	struct sept_ref ref;
	uint64_t size;

	if (gpa >= TDX_SHARED_BIT || sept_find_leaf(td, gpa, &ref) ||
	    sept_entry_state(ref.entry) != SEPT_MAPPED)
		return false;
	size = sept_level_size(ref.level);
	if (gpa % size + len > size)
		return false;
	return !phys_write(sept_entry_hpa(ref.entry, ref.level) + gpa % size, from, len,
			   td_owner(td));
}

/* The host's half of the tables: its own memory, its own entries. */
static int shared_walk(uint64_t top, uint64_t gpa, struct pt_leaf *leaf)
{
	uint64_t span = sept_level_size(SEPT_TOP_LEVEL);
	uint64_t entry = entry_load(top, index_of(gpa, SEPT_TOP_LEVEL));
	int rc;

	if (!(entry & SEPT_RWX))
		return -ENOENT;
	rc = pt_walk_root(PT_EPT, entry & SEPT_HPA, SEPT_TOP_LEVEL, gpa % span, leaf);
	if (rc)
		return rc;
	leaf->address += gpa - gpa % span;
	leaf->reads++;
	return 0;
}

/* What the CPU and the trusted IOMMU do: reads the tables, believes nothing else. */
int tdx_trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner)
{
	uint32_t control = root < PHYS_END ? phys_owner(root) : 0;
	uint64_t table = root, entry;
	unsigned int level = SEPT_TOP_LEVEL;

	if (control <= TDX_OWNER_MODULE || control % 2 == 0 || gpa >= TDX_SHARED_BIT * 2)
		return -ENOENT;
	if (gpa & TDX_SHARED_BIT) {
		*owner = 0;
		return shared_walk(root, gpa, leaf);
	}
	for (;; level--, table = entry & SEPT_HPA) {
		entry = entry_load(table, index_of(gpa, level));
		if (!(entry & SEPT_RWX))
			return -ENOENT;
		if (sept_entry_leaf(entry, level))
			break;
	}
	leaf->size = sept_level_size(level);
	leaf->address = gpa & ~(leaf->size - 1);
	leaf->hpa = sept_entry_hpa(entry, level);
	leaf->reads = (uint8_t)(SEPT_TOP_LEVEL - level + 1);
	leaf->prot = (uint8_t)(entry & SEPT_RWX);
	if (sept_entry_state(entry) == SEPT_MMIO_MAPPED)
		leaf->prot |= PT_UC;
	*owner = control - 1;
	return 0;
}
