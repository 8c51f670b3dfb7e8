/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nesting in software: an IOAS whose areas lead to addresses of another IOAS, its parent, instead
 * of to memory. The page tables of such a child hold the merge, child address -> memory, and what
 * each mapping may is what both sides allow. An area of a child has no pages: the parent has pinned
 * them, and a merge adds no pin. When the parent maps or unmaps, the children follow at once; a
 * hole in the parent is a hole in the child until it is filled.
 *
 * What a change of the parent touches is found by looking through the areas of its children: it is
 * the guest's memory that changes there, which is rare next to mappings of a child.
 */
#include "kernel/iommufd/private.h"

const struct iommufd_ioas *iopt_child_create(const struct iommufd_ioas *parent)
{
	const struct iommufd_ioas *child = iommufd_ioas_create(parent->ctx);
	struct iommufd_ioas *w;

	if (!child)
		return NULL;
	w = image_write(child);
	w->parent = parent;
	w->sibling = parent->children;
	w = image_write(parent);
	w->children = child;
	w->obj.users++;
	return child;
}

void iopt_child_leave(const struct iommufd_ioas *child)
{
	const struct iommufd_ioas *const *link = &child->parent->children;
	const struct iommufd_ioas **slot;

	while (*link != child)
		link = &(*link)->sibling;
	slot = image_write(link);
	*slot = child->sibling;
	iommufd_users_add(&child->parent->obj, -1);
}

/* What the parent has at its addresses [first, last], which are all of the child's area, goes into
 * a page table of the child. */
static int merge(const struct iopt_area *area, const struct pt *pt, uint64_t first, uint64_t last)
{
	const struct iommufd_ioas *parent = area->ioas->parent;
	struct itree_span span;

	if (!parent->hwpts)
		return 0;	/* nothing of it is pinned */
	for (uint64_t at = first; itree_find(&parent->areas, at, last, &span); at = span.last + 1) {
		const struct iopt_area *below = span.item;
		uint64_t from = at > span.start ? at : span.start;
		uint64_t to = last < span.last ? last : span.last;
		struct iopt_fill fill = { .pt = pt, .iova = area->start + (from - area->offset),
					  .prot = area->prot & below->prot,
					  .small = area->ioas->small_pages };
		int rc = fill.prot ? iopt_area_fill_part(below, from, to, &fill) : 0;

		if (rc)
			return rc;
		if (span.last >= last)
			break;
	}
	return 0;
}

int iopt_merge_area(const struct iopt_area *area, const struct pt *pt)
{
	return merge(area, pt, area->offset, area->offset + (area->last - area->start));
}

/* The part of a child's area that leads into [first, last]: false: none. */
static bool part(const struct iopt_area *area, uint64_t *first, uint64_t *last)
{
	uint64_t start = area->offset, end = area->offset + (area->last - area->start);

	*first = *first > start ? *first : start;
	*last = *last < end ? *last : end;
	return *first <= *last;
}

/* The next area of a child, by address; NULL at the end. `*at` goes from 0. */
static const struct iopt_area *area_next(const struct iommufd_ioas *child, uint64_t *at)
{
	struct itree_span span;

	if (*at == UINT64_MAX || !itree_find(&child->areas, *at, UINT64_MAX, &span))
		return NULL;
	*at = span.last == UINT64_MAX ? UINT64_MAX : span.last + 1;
	return span.item;
}

static int merge_child(const struct iommufd_ioas *child, uint64_t first, uint64_t last)
{
	const struct iopt_area *area;
	uint64_t at = 0;
	int rc = 0;

	while (!rc && (area = area_next(child, &at))) {
		uint64_t from = first, to = last;

		if (!part(area, &from, &to))
			continue;
		for (const struct iommufd_hwpt *hwpt = child->hwpts; !rc && hwpt;
		     hwpt = hwpt->ioas_next)
			rc = merge(area, &hwpt->pt, from, to);
	}
	return rc;
}

int iopt_merge_children(const struct iommufd_ioas *parent, uint64_t first, uint64_t last)
{
	int rc = 0;

	for (const struct iommufd_ioas *child = parent->children; !rc && child;
	     child = child->sibling)
		if (child->hwpts)
			rc = merge_child(child, first, last);
	return rc;
}

static void unmerge_child(const struct iommufd_ioas *child, uint64_t first, uint64_t last)
{
	const struct iopt_area *area;
	uint64_t at = 0;

	while ((area = area_next(child, &at))) {
		uint64_t from = first, to = last, iova;

		if (!part(area, &from, &to))
			continue;
		iova = area->start + (from - area->offset);
		for (const struct iommufd_hwpt *hwpt = child->hwpts; hwpt; hwpt = hwpt->ioas_next) {
			pt_unmap(&hwpt->pt, iova, to - from + 1);
			iommufd_hwpt_flush(hwpt, iova, iova + (to - from));
		}
	}
}

void iopt_unmerge_children(const struct iommufd_ioas *parent, uint64_t first, uint64_t last)
{
	if (mutant(MUTANT_MERGE_KEEPS))
		return;
	for (const struct iommufd_ioas *child = parent->children; child; child = child->sibling)
		if (child->hwpts)
			unmerge_child(child, first, last);
}

int iopt_child_map(struct iopt_map *map, uint64_t to)
{
	uint64_t last;
	int rc;

	if (__builtin_add_overflow(to, map->len - 1, &last))
		return -EOVERFLOW;
	map->address = to;
	rc = iopt_choose(map);
	return rc ? rc : iopt_insert(map, NULL, to);
}
