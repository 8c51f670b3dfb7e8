/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The algorithms on page tables, compiled once a format: a pt_<format>.c includes the format's
 * primitives (pt_fmt_<format>.h), defines PT_OPS as the name of the table of functions, and
 * includes this. No include guard: it is a body, not an interface.
 *
 * Where a format has hardware ignore ten bits of an entry that points to a table (FMT_COUNT_SHIFT),
 * they count the entries present in it, so that a table that became empty is known at once; where
 * not, the table is looked through. Levels count from 0, where leaves are the format's smallest
 * (4 KiB, unless it says otherwise).
 */
#include "hardware/hardware.h"
#include "hardware/pt_ops.h"

#include <errno.h>

#ifdef FMT_COUNT_SHIFT
#define COUNT_ONE (1ull << FMT_COUNT_SHIFT)
#else
#define COUNT_ONE 0ull
#endif
#define LEAF_LEVEL_MAX 2u	/* 1 GiB */
#ifndef FMT_PAGE_SHIFT
#define FMT_PAGE_SHIFT 12u
#endif
#define FMT_PAGE (1ull << FMT_PAGE_SHIFT)

static inline unsigned int level_shift(unsigned int level)
{
	return FMT_PAGE_SHIFT + 9 * level;
}

static inline unsigned int level_index(uint64_t address, unsigned int level)
{
	return (unsigned int)(address >> level_shift(level)) & (PT_ENTRIES - 1);
}

static inline const uint64_t *table_at(uint64_t hpa)
{
	return phys_ram(hpa, PHYS_PAGE);
}

static void entry_set(const uint64_t *slot, uint64_t e)
{
	*(uint64_t *)image_log(slot, sizeof(*slot)) = e;
}

/* Entries present in the table that e points to. */
static unsigned int count_of(uint64_t e)
{
#ifdef FMT_COUNT_SHIFT
	return (unsigned int)(e >> FMT_COUNT_SHIFT) & 0x3ffu;
#else
	const uint64_t *table = table_at(e & FMT_ADDRESS);
	unsigned int count = 0;

	for (unsigned int i = 0; table && i < PT_ENTRIES; i++)
		count += fmt_present(table[i]);
	return count;
#endif
}

static void count_add(const uint64_t *parent, int change)
{
	if (parent && COUNT_ONE != 0)
		entry_set(parent, *parent + (uint64_t)(int64_t)change * COUNT_ONE);
}

/* -- map ------------------------------------------------------------------------------------- */

struct map_job {
	const struct pt *pt;
	uint64_t address, hpa, end;
	uint8_t prot;
};

/* The level of the largest leaf that fits at the job's place. */
static unsigned int leaf_level(const struct map_job *job)
{
	unsigned int level = job->pt->leaf_level_max;

	for (; level; level--) {
		uint64_t size = 1ull << level_shift(level);

		if (!((job->address | job->hpa) & (size - 1)) && job->end - job->address >= size)
			break;
	}
	return level;
}

/* The table at `level` over the job's address, made when missing. `*parent` points to it. */
static int table_get(const struct map_job *job, unsigned int level, const uint64_t **table,
		     const uint64_t **parent)
{
	*table = table_at(job->pt->root);
	*parent = NULL;
	for (unsigned int at = job->pt->levels - 1u; at > level; at--) {
		const uint64_t *slot = *table + level_index(job->address, at);

		if (!fmt_present(*slot)) {
			uint64_t page = pt_page_alloc(job->pt);

			if (!page)
				return -ENOMEM;
			entry_set(slot, fmt_table(page, at));
			count_add(*parent, 1);
		} else if (fmt_is_leaf(*slot, at)) {
			return -EADDRINUSE;
		}
		*parent = slot;
		*table = table_at(*slot & FMT_ADDRESS);
		if (!*table)
			return -EADDRINUSE;
	}
	return 0;
}

/* As many leaves of one size as go into one table. */
static int map_run(struct map_job *job)
{
	unsigned int level = leaf_level(job), first = level_index(job->address, level), count;
	uint64_t size = 1ull << level_shift(level),
		 fit = (job->end - job->address) >> level_shift(level);
	const uint64_t *table, *parent;
	int rc = table_get(job, level, &table, &parent);
	uint64_t *slots;

	if (rc)
		return rc;
	count = PT_ENTRIES - first < fit ? PT_ENTRIES - first : (unsigned int)fit;
	for (unsigned int i = 0; i < count; i++)
		if (fmt_present(table[first + i]))
			return -EADDRINUSE;
	slots = image_log(table + first, count * sizeof(*slots));
	for (unsigned int i = 0; i < count; i++)
		slots[i] = fmt_leaf(job->hpa + i * size, level, job->prot);
	count_add(parent, (int)count);
	job->address += count * size;
	job->hpa += count * size;
	return 0;
}

/* Takes away tables over `address` that a map which failed left empty. */
static void prune(const struct pt *pt, const uint64_t *table, const uint64_t *parent,
		  unsigned int level, uint64_t address)
{
	const uint64_t *slot = table + level_index(address, level);

	if (!fmt_present(*slot) || fmt_is_leaf(*slot, level))
		return;
	if (level > 1)
		prune(pt, table_at(*slot & FMT_ADDRESS), slot, level - 1, address);
	if (count_of(*slot))
		return;
	pt_page_free(pt, *slot & FMT_ADDRESS);
	entry_set(slot, 0);
	count_add(parent, -1);
}

static uint64_t fmt_unmap(const struct pt *pt, uint64_t address, uint64_t last);

static int fmt_map(const struct pt *pt, uint64_t address, uint64_t hpa, uint64_t len, uint8_t prot)
{
	struct map_job job = { pt, address, hpa, address + len, prot };
	bool reaches = !((hpa + len - 1) & ~(FMT_ADDRESS | (FMT_PAGE - 1)));
	int rc = fmt_prot_legal(prot) && reaches ? 0 : -EINVAL;

	if (rc)
		return rc;
	while (job.address < job.end) {
		rc = map_run(&job);
		if (rc)
			break;
	}
	if (!rc)
		return 0;
	if (job.address > address)
		fmt_unmap(pt, address, job.address - 1);
	prune(pt, table_at(pt->root), NULL, pt->levels - 1u, job.address);
	return rc;
}

/* -- unmap ----------------------------------------------------------------------------------- */

/* Frees a table and all below it; bytes that were mapped there. */
static uint64_t table_drop(const struct pt *pt, uint64_t hpa, unsigned int level,
			   unsigned int count)
{
	const uint64_t *table = table_at(hpa);
	uint64_t bytes = 0;

	if (!level)
		bytes = (uint64_t)count * FMT_PAGE;
	for (unsigned int i = 0; level && table && i < PT_ENTRIES; i++) {
		if (!fmt_present(table[i]))
			continue;
		if (fmt_is_leaf(table[i], level))
			bytes += 1ull << level_shift(level);
		else
			bytes += table_drop(pt, table[i] & FMT_ADDRESS, level - 1,
					    count_of(table[i]));
	}
	pt_page_free(pt, hpa);
	return bytes;
}

/* Makes a large leaf a table of the next smaller ones; 0 or -ENOMEM. */
static int leaf_split(const struct pt *pt, const uint64_t *slot, unsigned int level)
{
	uint64_t old = *slot, size = 1ull << level_shift(level - 1), page = pt_page_alloc(pt);
	uint64_t hpa = old & FMT_ADDRESS & ~((1ull << level_shift(level)) - 1);
	uint8_t prot = fmt_leaf_prot(old) | (old & FMT_WRITABLE_CLEAN ? PT_W : 0);
	uint64_t *table;

	if (!page)
		return -ENOMEM;
	table = image_log(table_at(page), PHYS_PAGE);
	for (unsigned int i = 0; i < PT_ENTRIES; i++) {
		uint64_t e = fmt_leaf(hpa + i * size, level - 1, prot);

		if (fmt_is_dirty(old))
			e = fmt_written(e);
		else if (old & FMT_WRITABLE_CLEAN)
			e = fmt_cleaned(e);
		table[i] = e;
	}
	entry_set(slot, fmt_table(page, level) + PT_ENTRIES * COUNT_ONE);
	return 0;
}

static uint64_t unmap_pages(const uint64_t *table, unsigned int first, unsigned int last,
			    unsigned int *gone)
{
	uint64_t *slots = image_log(table + first, (last - first + 1) * sizeof(*slots));

	for (unsigned int i = 0; i <= last - first; i++) {
		*gone += fmt_present(slots[i]);
		slots[i] = 0;
	}
	return (uint64_t)*gone * FMT_PAGE;
}

/* Unmaps [address, last] of a table; *gone counts the entries it lost. */
static uint64_t unmap_table(const struct pt *pt, const uint64_t *table, unsigned int level,
			    uint64_t address, uint64_t last, unsigned int *gone)
{
	uint64_t size = 1ull << level_shift(level), bytes = 0;

	if (!level)
		return unmap_pages(table, level_index(address, 0), level_index(last, 0), gone);
	for (uint64_t next; address <= last; address = next) {
		const uint64_t *slot = table + level_index(address, level), *below;
		uint64_t to = address | (size - 1);
		bool whole = !(address & (size - 1)) && to <= last;
		unsigned int lost = 0;

		next = to + 1;
		to = to < last ? to : last;
		if (!fmt_present(*slot))
			continue;
		if (fmt_is_leaf(*slot, level) && (whole || leaf_split(pt, slot, level))) {
			bytes += size;
			whole = true;
		} else if (whole) {
			bytes += table_drop(pt, *slot & FMT_ADDRESS, level - 1, count_of(*slot));
		} else {
			below = table_at(*slot & FMT_ADDRESS);
			bytes += below ? unmap_table(pt, below, level - 1, address, to, &lost) : 0;
			count_add(slot, -(int)lost);
			whole = !count_of(*slot);
			if (whole)
				pt_page_free(pt, *slot & FMT_ADDRESS);
		}
		if (whole) {
			entry_set(slot, 0);
			++*gone;
		}
	}
	return bytes;
}

static uint64_t fmt_unmap(const struct pt *pt, uint64_t address, uint64_t last)
{
	unsigned int gone = 0;

	return unmap_table(pt, table_at(pt->root), pt->levels - 1u, address, last, &gone);
}

static void fmt_destroy(const struct pt *pt)
{
	table_drop(pt, pt->root, pt->levels - 1u, 0);
}

/* -- look-ups -------------------------------------------------------------------------------- */

static int fmt_walk(uint64_t root, unsigned int levels, uint64_t address, struct pt_leaf *leaf)
{
	uint8_t prot = 0xff;
	uint64_t table = root;

	for (unsigned int level = levels - 1;; level--) {
		const uint64_t *entries = table_at(table);
		uint64_t e, size = 1ull << level_shift(level);

		if (!entries)
			return -ENOENT;
		e = entries[level_index(address, level)];
		if (!fmt_present(e))
			return -ENOENT;
		if (fmt_is_leaf(e, level)) {
			if (level > LEAF_LEVEL_MAX)
				return -ENOENT;	/* the bit is reserved there */
			leaf->address = address & ~(size - 1);
			leaf->hpa = e & FMT_ADDRESS & ~(size - 1);
			leaf->size = size;
			leaf->prot = prot & fmt_leaf_prot(e);
			leaf->reads = (uint8_t)(levels - level);
			return 0;
		}
		prot &= fmt_table_prot(e);
		table = e & FMT_ADDRESS;
	}
}

/* An entry as a walker meets it that must trust nothing. */
static int fmt_decode(uint64_t e, unsigned int level, unsigned int updates, struct pt_entry *entry)
{
	if (!fmt_present(e))
		return -ENOENT;
	if (!fmt_legal(e, level))
		return -EPROTO;
	*entry = (struct pt_entry){ .address = e & FMT_ADDRESS, .accessed = e, .written = e };
	entry->leaf = fmt_is_leaf(e, level);
	if (!entry->leaf) {
		entry->prot = fmt_table_prot(e);
		if (updates & PT_UPDATE_ACCESSED && !FMT_NEEDS_ACCESSED)
			entry->accessed = entry->written = e | FMT_ACCESSED;
		return 0;
	}
	entry->address &= ~((1ull << level_shift(level)) - 1);
	entry->prot = fmt_leaf_prot(e);
	if (updates & PT_UPDATE_ACCESSED)
		entry->accessed = entry->written = e | FMT_ACCESSED;
	else if (FMT_NEEDS_ACCESSED && !(e & FMT_ACCESSED))
		return -EACCES;
	if (updates & PT_UPDATE_DIRTY) {
		entry->written = fmt_written(entry->accessed);
		entry->prot |= e & FMT_WRITABLE_CLEAN ? PT_W : 0;
	}
	return 0;
}

static uint64_t next_in(const uint64_t *table, unsigned int level, uint64_t base, uint64_t address)
{
	uint64_t size = 1ull << level_shift(level);

	for (unsigned int i = level_index(address, level); table && i < PT_ENTRIES; i++) {
		uint64_t start = base + i * size, found;

		if (!fmt_present(table[i]))
			continue;
		if (fmt_is_leaf(table[i], level))
			return start > address ? start : address;
		found = next_in(table_at(table[i] & FMT_ADDRESS), level - 1, start,
				start > address ? start : address);
		if (found != UINT64_MAX)
			return found;
	}
	return UINT64_MAX;
}

static uint64_t fmt_next(const struct pt *pt, uint64_t address)
{
	return next_in(table_at(pt->root), pt->levels - 1u, 0, address);
}

/* -- dirty bits ------------------------------------------------------------------------------- */

/* Hands the dirty leaves of [address, last] to fn, and clears their bits if asked to. */
static void dirty_in(const uint64_t *table, unsigned int level, uint64_t address, uint64_t last,
		     const struct pt_dirty *dirty)
{
	uint64_t size = 1ull << level_shift(level);

	for (uint64_t next; table && address <= last; address = next) {
		const uint64_t *slot = table + level_index(address, level);
		uint64_t to = address | (size - 1);

		next = to + 1;
		to = to < last ? to : last;
		if (!fmt_present(*slot))
			continue;
		if (!fmt_is_leaf(*slot, level)) {
			dirty_in(table_at(*slot & FMT_ADDRESS), level - 1, address, to, dirty);
		} else if (fmt_is_dirty(*slot)) {
			if (dirty->clear)
				entry_set(slot, fmt_cleaned(*slot));
			if (dirty->fn)
				dirty->fn(dirty->arg, address, to);
		}
	}
}

static void fmt_dirty_read(const struct pt *pt, uint64_t address, uint64_t last,
			   const struct pt_dirty *dirty)
{
	dirty_in(table_at(pt->root), pt->levels - 1u, address, last, dirty);
}

static void entry_mark(const uint64_t *slot, uint64_t e)
{
	if (*slot != e)
		entry_set(slot, e);
}

/* What hardware does to the entries on the way of a request. */
static void fmt_mark(uint64_t root, unsigned int levels, uint64_t address, bool write)
{
	const uint64_t accessed = FMT_NEEDS_ACCESSED ? 0 : FMT_ACCESSED;
	const uint64_t *table = table_at(root), *slot;

	for (unsigned int level = levels - 1; table; level--) {
		uint64_t e;

		slot = table + level_index(address, level);
		e = *slot;
		if (!fmt_present(e))
			return;
		if (fmt_is_leaf(e, level)) {
			if (write && !(fmt_leaf_prot(e) & PT_W) && !(e & FMT_WRITABLE_CLEAN))
				return;
			entry_mark(slot, (write && !fmt_is_dirty(e) ? fmt_written(e) : e) |
						 accessed);
			return;
		}
		entry_mark(slot, e | accessed);
		table = table_at(e & FMT_ADDRESS);
	}
}

const struct pt_ops PT_OPS = {
	.levels_min = FMT_LEVELS_MIN,
	.levels_max = FMT_LEVELS_MAX,
	.page_shift = FMT_PAGE_SHIFT,
	.leaf_level_max = LEAF_LEVEL_MAX,
	.map = fmt_map,
	.unmap = fmt_unmap,
	.walk = fmt_walk,
	.decode = fmt_decode,
	.next = fmt_next,
	.dirty_read = fmt_dirty_read,
	.mark = fmt_mark,
	.destroy = fmt_destroy,
};
