/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses to an IOAS: see access.h. */
#include "kernel/iommufd/access.h"

static const struct iommufd_access_ops *const owner_ops[IOMMUFD_ACCESS_OWNERS] = {
	[IOMMUFD_ACCESS_MOCK] = &iommufd_mock_access_ops,
};

static void tell(const struct iommufd_access *access, uint64_t iova, uint64_t last)
{
	const struct iommufd_access_ops *ops = owner_ops[access->kind];

	if (ops && ops->unmap)
		ops->unmap(access->owner, iova, last);
}

void iommufd_access_notify(const struct iommufd_ioas *ioas, uint64_t iova, uint64_t last)
{
	for (const struct iommufd_access *access = ioas->accesses; access;
	     access = access->ioas_next)
		tell(access, iova, last);
}

/* -- life ------------------------------------------------------------------------------------- */

struct iommufd_access *iommufd_access_create(const struct iommufd_ctx *ctx,
					     enum iommufd_access_owner kind, const void *owner,
					     bool pins)
{
	struct iommufd_access *access =
		iommufd_object_new(ctx, sizeof(*access), IOMMUFD_ACCESS);

	if (!access)
		return NULL;
	access->obj.users = 2;		/* the table and the owner */
	access->ctx = ctx;
	access->kind = (uint8_t)kind;
	access->owner = owner;
	access->pins = pins;
	if (kind != IOMMUFD_ACCESS_INTERNAL)
		file_get(ctx->file);
	return access;
}

void iommufd_access_end(const struct iommufd_access *access)
{
	const struct file *file =
		access->kind == IOMMUFD_ACCESS_INTERNAL ? NULL : access->ctx->file;

	iommufd_access_change(access, NULL);
	idtable_remove(access->ctx->objects, access->obj.id);
	image_free(access);
	if (file)
		file_put(file);
}

static void leave(const struct iommufd_access *access, const struct iommufd_ioas *ioas)
{
	const struct iommufd_access *const *link = &ioas->accesses;
	const struct iommufd_access **slot;
	struct iommufd_ioas *w;

	while (*link != access)
		link = &(*link)->ioas_next;
	slot = image_write(link);
	*slot = access->ioas_next;
	w = image_write(ioas);
	w->obj.users--;
	iopt_alignment_update(ioas);
}

int iommufd_access_change(const struct iommufd_access *access, const struct iommufd_ioas *ioas)
{
	struct iommufd_access *w = image_write(access);
	struct iommufd_ioas *wi;

	if (ioas == access->ioas)
		return 0;
	if (access->ioas) {
		tell(access, 0, UINT64_MAX);
		leave(access, access->ioas);
	}
	w->ioas = ioas;
	if (!ioas)
		return 0;
	wi = image_write(ioas);
	w->ioas_next = ioas->accesses;
	wi->accesses = access;
	wi->obj.users++;
	return iopt_alignment_update(ioas);
}

/* -- areas without a hole between them --------------------------------------------------------- */

struct walk {
	const struct iommufd_access *access;
	uint64_t at, last;
	const struct iopt_area *area;	/* that `at` is in */
	uint64_t end;			/* last byte of the area that is in the walk */
};

static int walk_start(struct walk *walk, const struct iommufd_access *access, uint64_t iova,
		      uint64_t len)
{
	*walk = (struct walk){ .access = access, .at = iova };
	if (!len)
		return -EINVAL;
	if (__builtin_add_overflow(iova, len - 1, &walk->last))
		return -EOVERFLOW;
	return access->ioas ? 0 : -ENOENT;
}

/* 1 an area, 0 the end, -ENOENT a hole. */
static int walk_next(struct walk *walk)
{
	struct itree_span span;

	if (walk->area) {
		if (walk->end == walk->last)
			return 0;
		walk->at = walk->end + 1;
	}
	if (!itree_find(&walk->access->ioas->areas, walk->at, walk->at, &span))
		return -ENOENT;
	walk->area = span.item;
	walk->end = span.last < walk->last ? span.last : walk->last;
	return 1;
}

static uint64_t walk_offset(const struct walk *walk)
{
	return walk->area->offset + (walk->at - walk->area->start);
}

/* -- pinning ---------------------------------------------------------------------------------- */

/* Pages are whole: each area begins with one, and those that follow each other meet at its edge. */
static bool pages_whole(const struct walk *walk)
{
	uint64_t past = walk->area->offset + (walk->area->last - walk->area->start) + 1;

	return !(walk_offset(walk) % PHYS_PAGE) &&
	       (walk->end == walk->last || !(past % PHYS_PAGE));
}

static void area_count(const struct iopt_area *area, int pins)
{
	struct iopt_area *w = image_write(area);

	w->accesses += (uint32_t)pins;
}

/* What no access gets at: 0, -EINVAL no memory of its own, -EPERM. */
static int area_refuses(const struct iopt_area *area, bool write)
{
	if (!area->pages)
		return -EINVAL;
	if (!(area->prot & (write ? PT_W : PT_R)))
		return -EPERM;
	return area->pages->source == IOPT_DMABUF ? -EINVAL : 0;
}

int iommufd_access_pin(const struct iommufd_access *access, uint64_t iova, uint64_t len, bool write)
{
	struct walk walk;
	int rc = walk_start(&walk, access, iova, len);

	while (!rc && (rc = walk_next(&walk)) == 1) {
		const struct iopt_pages *pages = walk.area->pages;

		rc = pages && !pages_whole(&walk) ? -EINVAL : area_refuses(walk.area, write);
		if (!rc)
			rc = iopt_pages_pin(image_write(pages));
		if (!rc)
			area_count(walk.area, 1);
	}
	return rc;
}

void iommufd_access_unpin(const struct iommufd_access *access, uint64_t iova, uint64_t len)
{
	struct walk walk;
	int rc = walk_start(&walk, access, iova, len);

	while (!rc && walk_next(&walk) == 1) {
		area_count(walk.area, -1);
		iopt_pages_unpin(image_write(walk.area->pages));
	}
}

uint64_t iommufd_access_hpa(const struct iommufd_access *access, uint64_t iova, uint64_t *run)
{
	struct walk walk;

	if (walk_start(&walk, access, iova, 1) || walk_next(&walk) != 1)
		return 0;
	return iopt_pages_hpa(walk.area->pages, walk_offset(&walk), run);
}

/* -- reading and writing ----------------------------------------------------------------------- */

int iommufd_access_rw(const struct iommufd_access *access, uint64_t iova, void *data, uint64_t len,
		      unsigned int how)
{
	struct walk walk;
	uint8_t *at = data;
	int rc = walk_start(&walk, access, iova, len);

	while (!rc && (rc = walk_next(&walk)) == 1) {
		const struct iopt_pages *pages = walk.area->pages;
		uint64_t n = walk.end - walk.at + 1;

		rc = area_refuses(walk.area, how & IOPT_WRITE);
		if (!rc)
			rc = iopt_pages_rw(pages, walk_offset(&walk), at, n, how);
		at += n;
	}
	return rc;
}
