/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables whatever their format: checks, and the way to the format's functions. */
#include "hardware/hardware.h"
#include "hardware/pt_ops.h"

#include <errno.h>

static const struct pt_ops *const formats[PT_FORMAT_MAX] = {
	[PT_VTD_SS] = &pt_vtd_ss_ops,
	[PT_EPT] = &pt_ept_ops,
	[PT_MOCK] = &pt_mock_ops,
	[PT_X86] = &pt_x86_ops,
	[PT_AMD_V1] = &pt_amd_v1_ops,
	[PT_ARM_S1] = &pt_arm_s1_ops,
	[PT_ARM_S2] = &pt_arm_s2_ops,
};

static const struct pt_ops *ops_of(const struct pt *pt)
{
	return formats[pt->format];
}

static uint64_t pt_span(const struct pt *pt)
{
	return 1ull << (ops_of(pt)->page_shift + 9 * pt->levels);
}

uint64_t pt_page(const struct pt *pt)
{
	return 1ull << ops_of(pt)->page_shift;
}

uint64_t pt_page_alloc(const struct pt *pt)
{
	const void *page = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_PT_PAGE);

	if (!page)
		return 0;
	/* Entries go through the log. This tells the image that the page is no longer zero, so that
	 * it is cleared before anybody has it next. */
	image_bulk_write(page, PHYS_PAGE);
	hw_set(&pt->pages, pt->pages + 1);
	return phys_of(page);
}

void pt_page_free(const struct pt *pt, uint64_t hpa)
{
	const void *page = phys_ram(hpa, PHYS_PAGE);

	/* A table whose bytes somebody overwrote may lead anywhere: free table pages only. */
	if (!page || image_typeof(page) != IMAGE_TYPE_PT_PAGE)
		return;
	image_bulk_free(page);
	hw_set(&pt->pages, pt->pages - 1);
}

int pt_init(const struct pt *pt, enum pt_format format, unsigned int levels)
{
	struct pt *new;
	uint64_t root;

	if ((unsigned int)format >= PT_FORMAT_MAX || levels < formats[format]->levels_min ||
	    levels > formats[format]->levels_max)
		return -EINVAL;
	new = image_write(pt);
	*new = (struct pt){ .format = (uint8_t)format,
			    .levels = (uint8_t)levels,
			    .leaf_level_max = formats[format]->leaf_level_max };
	root = pt_page_alloc(pt);
	if (!root)
		return -ENOMEM;
	hw_set(&pt->root, root);
	return 0;
}

void pt_destroy(const struct pt *pt)
{
	if (!pt->root)
		return;
	ops_of(pt)->destroy(pt);
	hw_set(&pt->root, 0);
}

int pt_map(const struct pt *pt, uint64_t address, uint64_t hpa, uint64_t len, uint8_t prot)
{
	if (!pt->root || !len || (address | hpa | len) % pt_page(pt) || address >= pt_span(pt) ||
	    len > pt_span(pt) - address || hpa >= PHYS_END || len > PHYS_END - hpa)
		return -EINVAL;
	return ops_of(pt)->map(pt, address, hpa, len, prot | (pt->tracks ? PT_TRACK : 0));
}

uint64_t pt_unmap(const struct pt *pt, uint64_t address, uint64_t len)
{
	uint64_t end = pt_span(pt);

	if (!pt->root || !len || (address | len) % pt_page(pt) || address >= end)
		return 0;
	if (len < end - address)
		end = address + len;
	return ops_of(pt)->unmap(pt, address, end - 1);
}

int pt_walk(const struct pt *pt, uint64_t address, struct pt_leaf *leaf)
{
	if (!pt->root)
		return -ENOENT;
	return pt_walk_root((enum pt_format)pt->format, pt->root, pt->levels, address, leaf);
}

int pt_walk_root(enum pt_format format, uint64_t root, unsigned int levels, uint64_t address,
		 struct pt_leaf *leaf)
{
	if (address >> (formats[format]->page_shift + 9 * levels))
		return -ENOENT;
	return formats[format]->walk(root, levels, address, leaf);
}

int pt_decode(enum pt_format format, uint64_t e, unsigned int level, unsigned int updates,
	      struct pt_entry *entry)
{
	return formats[format]->decode(e, level, updates, entry);
}

uint64_t pt_next_mapped(const struct pt *pt, uint64_t address)
{
	if (!pt->root || address >= pt_span(pt))
		return UINT64_MAX;
	return ops_of(pt)->next(pt, address);
}

uint64_t pt_page_sizes(enum pt_format format)
{
	uint64_t sizes = 0;

	for (unsigned int level = 0; level <= formats[format]->leaf_level_max; level++)
		sizes |= 1ull << (formats[format]->page_shift + 9 * level);
	return sizes;
}

void pt_dirty_read(const struct pt *pt, uint64_t first, uint64_t last, const struct pt_dirty *dirty)
{
	if (pt->root && first <= last && last < pt_span(pt))
		ops_of(pt)->dirty_read(pt, first, last, dirty);
}

void pt_mark(enum pt_format format, uint64_t root, unsigned int levels, uint64_t address, bool write)
{
	if (!(address >> (formats[format]->page_shift + 9 * levels)))
		formats[format]->mark(root, levels, address, write);
}
