/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O page tables of an IOAS: which IOVAs are free, taken by hardware or mapped, and keeping every
 * HWPT of the IOAS the same as its areas. A call that fails is undone by the log, page tables
 * included.
 */
#include "kernel/iommufd/access.h"

#define BATCH 256u		/* areas unmapped a commit */

static const struct iopt_reserved *reserved_touching(const struct iommufd_ioas *ioas,
						     uint64_t start, uint64_t last)
{
	for (const struct iopt_reserved *taken = ioas->reserved; taken; taken = taken->next)
		if (taken->start <= last && taken->last >= start)
			return taken;
	return NULL;
}

/* -- choosing an IOVA ------------------------------------------------------------------------- */

static int choose_fixed(const struct iopt_map *map)
{
	const struct iommufd_ioas *ioas = map->ioas;
	struct itree_span span;
	uint64_t last;

	if (map->iova & (ioas->alignment - 1))
		return -EINVAL;
	if (__builtin_add_overflow(map->iova, map->len - 1, &last))
		return -EOVERFLOW;
	if (reserved_touching(ioas, map->iova, last))
		return -EINVAL;
	return itree_find(&ioas->areas, map->iova, last, &span) ? -EEXIST : 0;
}

static uint64_t choice_alignment(const struct iopt_map *map)
{
	uint64_t align = map->len == 1 ? 1 : 1ull << (64 - __builtin_clzll(map->len - 1));

	/* Keeping what alignment the memory has lets large leaves be used. */
	if (map->address && align > (map->address & -map->address))
		align = map->address & -map->address;
	return align > PHYS_2M ? PHYS_2M : align;
}

/* The lowest fit in [first, last], going around what is reserved. */
static int choose_in(struct iopt_map *map, uint64_t first, uint64_t last, uint64_t align)
{
	const struct iopt_reserved *taken = map->ioas->reserved;
	uint64_t offset = map->address & (PHYS_PAGE - 1);

	/* As Linux does: the range is aligned before the runs in it are looked at. */
	if (__builtin_add_overflow(first, align - 1, &first))
		return -ENOSPC;
	first = (first & ~(align - 1)) | offset;
	for (; taken && first <= last; taken = taken->next) {
		if (taken->last < first)
			continue;
		if (taken->start > first &&
		    !itree_fit(&map->ioas->areas, first,
			       taken->start - 1 < last ? taken->start - 1 : last, map->len, align,
			       offset, &map->iova))
			return 0;
		if (taken->last == UINT64_MAX)
			return -ENOSPC;
		first = taken->last + 1;
	}
	if (first > last)
		return -ENOSPC;
	return itree_fit(&map->ioas->areas, first, last, map->len, align, offset, &map->iova);
}

/* The next run of allowed IOVAs: ranges that touch are one. */
static bool allowed_run(const struct iommufd_ioas *ioas, uint64_t at, uint64_t highest,
			struct itree_span *run)
{
	struct itree_span next;

	if (!itree_find(&ioas->allowed, at, highest, run))
		return false;
	while (run->last < highest &&
	       itree_find(&ioas->allowed, run->last + 1, run->last + 1, &next))
		run->last = next.last;
	return true;
}

static int choose_free(struct iopt_map *map)
{
	const struct iommufd_ioas *ioas = map->ioas;
	uint64_t align, at = 0, highest = UINT64_MAX - PHYS_PAGE;
	struct itree_span span;

	if (map->len >= UINT64_MAX / 2)
		return -EOVERFLOW;
	align = choice_alignment(map);
	if (align < ioas->alignment)
		return -EINVAL;
	if (!ioas->allowed.root)
		return choose_in(map, PHYS_PAGE, highest, align);
	while (allowed_run(ioas, at, highest, &span)) {
		uint64_t first = span.start < PHYS_PAGE ? PHYS_PAGE : span.start;

		if (!choose_in(map, first, span.last < highest ? span.last : highest, align))
			return 0;
		if (span.last >= highest)
			break;
		at = span.last + 1;
	}
	return -ENOSPC;
}

int iopt_choose(struct iopt_map *map)
{
	int rc;

	if (!map->len || map->len & (map->ioas->alignment - 1))
		return -EINVAL;
	rc = map->fixed ? choose_fixed(map) : choose_free(map);
	if (rc)
		return rc;
	if (map->readonly)
		return -EPERM;
	return (map->address & (PHYS_PAGE - 1) & (map->ioas->alignment - 1)) ? -EINVAL : 0;
}

/* -- areas ------------------------------------------------------------------------------------ */

static int area_pin(const struct iopt_area *area)
{
	return area->pages ? iopt_pages_pin(image_write(area->pages)) : 0;
}

static void area_unpin(const struct iopt_area *area)
{
	if (area->pages)
		iopt_pages_unpin(image_write(area->pages));
}

/* Copied together with its neighbours, an area can be smaller than a page of the table. */
static bool misfit(const struct iopt_area *area, const struct iommufd_hwpt *hwpt)
{
	return (area->start | (area->last + 1)) & ((hwpt->pgsizes & -hwpt->pgsizes) - 1);
}

static int area_fill_all(const struct iopt_area *area, struct iopt_pages *pages)
{
	int rc;

	if (!area->ioas->hwpts)
		return 0;
	rc = pages ? iopt_pages_pin(pages) : 0;
	for (const struct iommufd_hwpt *hwpt = area->ioas->hwpts; !rc && hwpt;
	     hwpt = hwpt->ioas_next)
		rc = misfit(area, hwpt) ? -ENXIO :
					  iopt_area_fill(area, &hwpt->pt, area->ioas->small_pages);
	return rc ? rc : iopt_merge_children(area->ioas, area->start, area->last);
}

static struct iopt_area *area_new(const struct iommufd_ioas *ioas, struct iopt_pages *pages,
				  uint64_t start, uint64_t last)
{
	struct iopt_area *area = pages && !pages->users
					 ? &pages->first
					 : image_alloc(sizeof(*area), IMAGE_TYPE_IOPT_AREA);

	if (!area)
		return NULL;
	area->ioas = ioas;
	area->start = start;
	area->last = last;
	area->pages = pages;
	if (pages)
		iopt_pages_link(pages, area);
	return itree_insert(&ioas->areas, start, last, area) ? NULL : area;
}

int iopt_insert(const struct iopt_map *map, struct iopt_pages *pages, uint64_t offset)
{
	struct iopt_area *area = area_new(map->ioas, pages, map->iova, map->iova + map->len - 1);

	if (!area)
		return -ENOMEM;
	area->offset = offset;
	area->prot = map->prot;
	return area_fill_all(area, pages);
}

int iopt_map_user(const struct iommufd_ctx *ctx, struct iopt_map *map)
{
	uint64_t offset = map->address & (PHYS_PAGE - 1), end;
	struct iopt_pages *pages;
	int rc;

	if (__builtin_add_overflow(map->address, map->len, &end))
		return -EOVERFLOW;
	rc = iopt_choose(map);
	if (rc)
		return rc;
	pages = iopt_pages_user(ctx, map->address - offset, offset + map->len, map->prot & PT_W,
				map->mmio);
	return pages ? iopt_insert(map, pages, offset) : -ENOMEM;
}

int iopt_map_file(const struct iommufd_ctx *ctx, struct iopt_map *map, const struct iopt_file *file,
		  uint64_t start)
{
	uint64_t offset = start & (PHYS_PAGE - 1);
	struct iopt_pages *pages;
	int rc;

	if (map->len > UINT64_MAX - PHYS_PAGE - offset)
		return -EINVAL;
	rc = iopt_pages_file(ctx, file, start - offset, offset + map->len, map->prot & PT_W,
			     &pages);
	if (rc)
		return rc;
	rc = iopt_choose(map);
	return rc ? rc : iopt_insert(map, pages, offset);
}

/* The tree lets go of an area. */
static void area_free(const void *item, void *arg)
{
	const struct iopt_area *area = item;
	bool apart = !area->pages || area != &area->pages->first;
	uint64_t *bytes = arg;

	*bytes += area->last - area->start + 1;
	if (area->pages)
		iopt_pages_leave(area, area->ioas->hwpts);
	if (apart)
		image_free(area);
}

/* Out of the page tables and the IOTLB first: only then may pages be let go. */
static void unmap_tables(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last)
{
	iopt_unmerge_children(ioas, first, last);
	for (const struct iommufd_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->ioas_next) {
		pt_unmap(&hwpt->pt, first, last - first + 1);
		iommufd_hwpt_flush(hwpt, first, last);
	}
}

/* Removes the areas of [first, last], whose ends are ends of areas; returns how many bytes. */
static uint64_t unmap_areas(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last)
{
	uint64_t bytes = 0;

	unmap_tables(ioas, first, last);
	itree_remove_range(&ioas->areas, first, last, area_free, &bytes);
	return bytes;
}

/* The end of as many areas from `first` on as one commit takes: the journal stays in the caches. */
static uint64_t batch_last(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last)
{
	struct itree_span span;

	if (!itree_find_nth(&ioas->areas, first, last, BATCH - 1, &span) || span.last > last)
		return last;
	return span.last;
}

/* The first area of [first, last] that hardware keeps mapped. */
static bool locked_find(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last,
			struct itree_span *span)
{
	while (ioas->locks && itree_find(&ioas->areas, first, last, span)) {
		if (((const struct iopt_area *)span->item)->locks)
			return true;
		if (span->last >= last)
			break;
		first = span->last + 1;
	}
	return false;
}

/* Has accesses let go of the areas of [first, *last], which then ends before one that does not. */
static int release_accesses(const struct iommufd_ioas *ioas, uint64_t first, uint64_t *last)
{
	struct itree_span span;

	for (uint64_t at = first; itree_find(&ioas->areas, at, *last, &span); at = span.last + 1) {
		const struct iopt_area *area = span.item;

		if (area->accesses)
			iommufd_access_notify(ioas, span.start, span.last);
		if (area->accesses) {
			*last = span.start - 1;
			return -EDEADLK;
		}
		if (span.last >= *last)
			break;
	}
	return 0;
}

int iopt_unmap(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last, uint64_t *bytes)
{
	struct itree_span low, high, locked;
	int rc = 0, stuck;

	*bytes = 0;
	if (!itree_find(&ioas->areas, first, last, &low))
		return 0;
	if (locked_find(ioas, first, last, &locked)) {
		rc = -EBUSY;
		last = locked.start - 1;
		if (locked.start <= low.start)
			return rc;
	}
	if (low.start < first)
		return -ENOENT;
	itree_find_below(&ioas->areas, last, &high);
	if (high.last > last) {
		rc = -ENOENT;
		if (high.start == low.start)
			return rc;
		itree_find_below(&ioas->areas, high.start - 1, &high);
	}
	do {
		last = batch_last(ioas, low.start, high.last);
		stuck = ioas->accesses ? release_accesses(ioas, low.start, &last) : 0;
		if (!stuck || last > low.start)
			*bytes += unmap_areas(ioas, low.start, last);
		image_commit();
		if (stuck)
			return stuck;
	} while (last < high.last && itree_find(&ioas->areas, last, high.last, &low));
	return rc;
}

int iopt_cut(const struct iommufd_ioas *ioas, uint64_t iova)
{
	struct iopt_area *upper, *lower;
	const struct iopt_area *area;
	struct iopt_pages *pages;
	struct itree_span span;

	if (!itree_find(&ioas->areas, iova, iova, &span) || span.start == iova)
		return 0;
	area = span.item;
	if (area->locks)
		return -EBUSY;
	if (!ioas->small_pages)
		return -EINVAL;
	if (iova & (ioas->alignment - 1))
		return -EINVAL;
	if (area->pages->source == IOPT_DMABUF)
		return -EOPNOTSUPP;
	itree_remove(&ioas->areas, area->start);
	if (itree_insert(&ioas->areas, area->start, iova - 1, area))
		return -ENOMEM;
	pages = image_write(area->pages);
	upper = area_new(ioas, pages, iova, area->last);
	if (!upper)
		return -ENOMEM;
	upper->offset = area->offset + (iova - area->start);
	upper->prot = area->prot;
	lower = image_write(area);
	lower->last = iova - 1;
	return ioas->hwpts ? iopt_pages_pin(pages) : 0;
}

/* IOVAs are as finely placed as the coarsest user of the IOAS can; what is mapped must suit it. */
int iopt_alignment_update(const struct iommufd_ioas *ioas)
{
	uint64_t alignment = ioas->small_pages ? PHYS_PAGE : 1;
	struct iommufd_ioas *w = image_write(ioas);
	struct itree_span span;
	uint64_t at = 0;

	for (const struct iommufd_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->ioas_next)
		if ((hwpt->pgsizes & -hwpt->pgsizes) > alignment)
			alignment = hwpt->pgsizes & -hwpt->pgsizes;
	for (const struct iommufd_access *access = ioas->accesses; access;
	     access = access->ioas_next)
		if (access->pins)
			alignment = PHYS_PAGE;
	if (alignment > ioas->alignment)
		while (itree_find(&ioas->areas, at, UINT64_MAX, &span)) {
			const struct iopt_area *area = span.item;

			if ((area->start | (area->last + 1) | area->offset) & (alignment - 1))
				return -EADDRINUSE;
			if (__builtin_add_overflow(span.last, 1, &at))
				break;
		}
	w->alignment = alignment;
	return 0;
}

int iopt_set_small_pages(const struct iommufd_ioas *ioas, bool small)
{
	struct iommufd_ioas *w;

	if (small == ioas->small_pages)
		return 0;
	if (small && ioas->hwpts && ioas->areas.root)
		return -EINVAL;
	w = image_write(ioas);
	w->small_pages = small;
	return iopt_alignment_update(ioas);
}

void iopt_lock(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last, int by)
{
	struct iommufd_ioas *w = image_write(ioas);
	struct itree_span span;

	w->locks += (uint32_t)by;
	while (itree_find(&ioas->areas, first, last, &span)) {
		struct iopt_area *area = image_write((const struct iopt_area *)span.item);

		area->locks += (uint32_t)by;
		if (span.last >= last)
			break;
		first = span.last + 1;
	}
}

/* -- what hardware takes ---------------------------------------------------------------------- */

int iopt_reserve(const struct iommufd_ioas *ioas, uint64_t start, uint64_t last)
{
	const struct iopt_reserved *const *link = &ioas->reserved;
	const struct iopt_reserved **slot;
	struct iopt_reserved *taken;
	struct itree_span span;

	if (itree_find(&ioas->areas, start, last, &span) ||
	    itree_find(&ioas->allowed, start, last, &span))
		return -EADDRINUSE;
	while (*link &&
	       ((*link)->start < start || ((*link)->start == start && (*link)->last < last)))
		link = &(*link)->next;
	if (*link && (*link)->start == start && (*link)->last == last) {
		taken = image_write(*link);
		taken->refs++;
		return 0;
	}
	taken = image_alloc(sizeof(*taken), IMAGE_TYPE_IOPT_TREE);
	if (!taken)
		return -ENOMEM;
	taken->start = start;
	taken->last = last;
	taken->refs = 1;
	taken->next = *link;
	slot = image_write(link);
	*slot = taken;
	return 0;
}

void iopt_unreserve(const struct iommufd_ioas *ioas, uint64_t start, uint64_t last)
{
	for (const struct iopt_reserved *const *link = &ioas->reserved; *link;
	     link = &(*link)->next) {
		const struct iopt_reserved *taken = *link;
		const struct iopt_reserved **slot;
		struct iopt_reserved *w;

		if (taken->start != start || taken->last != last)
			continue;
		w = image_write(taken);
		if (--w->refs)
			return;
		slot = image_write(link);
		*slot = taken->next;
		image_free(taken);
		return;
	}
}

bool iopt_hole_next(struct iopt_holes *holes, struct iommu_iova_range *hole)
{
	const struct iopt_reserved *taken = holes->ioas->reserved;
	uint64_t from = holes->from;

	if (holes->end)
		return false;
	for (; taken; taken = taken->next) {
		if (taken->last < from)
			continue;
		if (taken->start > from)
			break;
		if (taken->last == UINT64_MAX)
			return false;
		from = taken->last + 1;
	}
	hole->start = from;
	hole->last = taken ? taken->start - 1 : UINT64_MAX;
	holes->end = !taken || taken->last == UINT64_MAX;
	holes->from = taken ? taken->last + 1 : 0;
	return true;
}

/* -- HWPTs of an IOAS ------------------------------------------------------------------------- */

static int aperture_reserve(const struct iommufd_ioas *ioas, const struct iommufd_hwpt *hwpt)
{
	struct iommu_iova_range range = iommufd_hwpt_aperture(hwpt);
	int rc = range.start ? iopt_reserve(ioas, 0, range.start - 1) : 0;

	return rc ? rc : iopt_reserve(ioas, range.last + 1, UINT64_MAX);
}

static void aperture_unreserve(const struct iommufd_ioas *ioas, const struct iommufd_hwpt *hwpt)
{
	struct iommu_iova_range range = iommufd_hwpt_aperture(hwpt);

	if (range.start)
		iopt_unreserve(ioas, 0, range.start - 1);
	iopt_unreserve(ioas, range.last + 1, UINT64_MAX);
}

static int hwpt_fill(const struct iommufd_ioas *ioas, const struct iommufd_hwpt *hwpt)
{
	struct itree_span span;
	uint64_t at = 0;

	while (itree_find(&ioas->areas, at, UINT64_MAX, &span)) {
		const struct iopt_area *area = span.item;
		int rc = hwpt->ioas_next ? 0 : area_pin(area);

		if (!rc)
			rc = iopt_area_fill(area, &hwpt->pt, ioas->small_pages);
		if (rc)
			return rc;
		at = span.last + 1;
	}
	return 0;
}

int iopt_add_hwpt(const struct iommufd_ioas *ioas, const struct iommufd_hwpt *hwpt)
{
	struct iommufd_hwpt *link = image_write(hwpt);
	struct iommufd_ioas *w = image_write(ioas);
	int rc;

	link->ioas_next = ioas->hwpts;
	w->hwpts = hwpt;
	w->obj.users++;
	rc = iopt_alignment_update(ioas);
	if (!rc)
		rc = aperture_reserve(ioas, hwpt);
	if (!rc)
		rc = hwpt_fill(ioas, hwpt);
	return rc || hwpt->ioas_next ? rc : iopt_merge_children(ioas, 0, UINT64_MAX);
}

void iopt_remove_hwpt(const struct iommufd_ioas *ioas, const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_hwpt *const *link = &ioas->hwpts;
	const struct iommufd_hwpt **slot;
	struct iommufd_ioas *w = image_write(ioas);
	struct itree_span span;
	uint64_t at = 0;

	if (!ioas->hwpts->ioas_next)
		iopt_unmerge_children(ioas, 0, UINT64_MAX);
	while (*link != hwpt)
		link = &(*link)->ioas_next;
	slot = image_write(link);
	*slot = hwpt->ioas_next;
	aperture_unreserve(ioas, hwpt);
	w->obj.users--;
	iopt_alignment_update(ioas);
	if (ioas->hwpts)
		return;
	while (itree_find(&ioas->areas, at, UINT64_MAX, &span)) {
		const struct iopt_area *area = span.item;

		area_unpin(area);
		at = span.last + 1;
	}
}

void iopt_destroy(const struct iommufd_ioas *ioas)
{
	struct itree_span low, high;

	if (itree_find(&ioas->areas, 0, UINT64_MAX, &low)) {
		itree_find_below(&ioas->areas, UINT64_MAX, &high);
		unmap_areas(ioas, low.start, high.last);
	}
	itree_clear(&ioas->allowed);
	while (ioas->reserved) {
		const struct iopt_reserved *taken = ioas->reserved;
		struct iommufd_ioas *w = image_write(ioas);

		w->reserved = taken->next;
		image_free(taken);
	}
}
