/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The type 1 driver's calls on the IOAS of its container. Beside the same calls on /dev/iommu
 * (vfio_compat.c) it maps BARs that the client has mapped, never splits, and has errors of its own:
 * a v2 unmap that would cut a mapping is EINVAL, a v1 unmap takes the whole of it, or nothing when it
 * begins inside.
 */
#include "hardware/platform.h"
#include "kernel/iommufd/private.h"
#include "swtio/uapi/vfio_type1.h"

#define INFO_BYTES 24u			/* struct vfio_iommu_type1_info */
#define INFO_MIN 16u			/* without capabilities, as old clients have it */
#define RANGES_MAX 64u
#define MAPPINGS_MAX 65535u		/* the driver's dma_entry_limit */
#define BITMAP_MAX (1ull << 28)		/* bytes of the largest dirty bitmap */
#define CAPS_MAX (24u + 12u + 16u + RANGES_MAX * 16u)

/* -- GET_INFO ---------------------------------------------------------------------------------- */

static uint32_t mappings_left(const struct iommufd_ioas *ioas)
{
	return ioas->areas.count < MAPPINGS_MAX ? MAPPINGS_MAX - (uint32_t)ioas->areas.count : 0;
}

/* `next`: where the one after it begins, counted from the structure; 0: it is the last. */
static void cap_header(struct writer *w, uint16_t id, uint32_t next)
{
	put_le16(w, id);
	put_le16(w, 1);
	put_le32(w, next);
}

static void caps_put(struct writer *w, const struct iommufd_ioas *ioas)
{
	struct iopt_holes holes = { .ioas = ioas };
	struct iommu_iova_range hole;
	struct writer counter;
	uint32_t count = 0;

	cap_header(w, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, INFO_BYTES + 32);
	put_le32(w, 0);
	put_le32(w, 0);
	put_le64(w, PHYS_PAGE);
	put_le64(w, BITMAP_MAX);
	cap_header(w, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, INFO_BYTES + 48);
	put_le32(w, mappings_left(ioas));
	put_le32(w, 0);
	cap_header(w, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 0);
	counter = writer_of(put_space(w, 8), 4);
	for (; count < RANGES_MAX && iopt_hole_next(&holes, &hole); count++) {
		put_le64(w, hole.start);
		put_le64(w, hole.last);
	}
	put_le32(&counter, count);
}

static long type1_info(const struct iommufd_ioas *ioas, bool v2, uint64_t arg)
{
	uint8_t caps[CAPS_MAX + 16], bytes[INFO_BYTES];
	struct writer c = writer_of(caps, sizeof(caps)), w = writer_of(bytes, sizeof(bytes));
	uint32_t argsz, total;
	bool fits;

	(void)v2;
	if (copy_from_user(&argsz, arg, sizeof(argsz)))
		return -EFAULT;
	if (argsz < INFO_MIN)
		return -EINVAL;
	caps_put(&c, ioas);
	total = INFO_BYTES + (uint32_t)c.at;
	fits = argsz >= total;
	put_le32(&w, fits ? argsz : total);
	put_le32(&w, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
	put_le64(&w, ioas->hwpts ? pt_page_sizes((enum pt_format)platform_tables()->iommu) : ~(uint64_t)(PHYS_PAGE - 1));
	put_le32(&w, fits ? INFO_BYTES : 0);
	put_le32(&w, 0);
	if (fits && copy_to_user(arg + INFO_BYTES, caps, c.at))
		return -EFAULT;
	return copy_to_user(arg, bytes, argsz < INFO_BYTES ? INFO_MIN : INFO_BYTES) ? -EFAULT : 0;
}

/* -- MAP_DMA, UNMAP_DMA ------------------------------------------------------------------------ */

static long type1_map(const struct iommufd_ioas *ioas, bool v2, uint64_t arg)
{
	const uint32_t known = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	struct vfio_iommu_type1_dma_map args;
	struct iopt_map map;
	uint64_t last;

	(void)v2;
	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.argsz < sizeof(args) || !(args.flags & known) || args.flags & ~known || !args.size)
		return -EINVAL;
	if (__builtin_add_overflow(args.iova, args.size - 1, &last) ||
	    __builtin_add_overflow(args.vaddr, args.size - 1, &last))
		return -EOVERFLOW;
	if ((args.iova | args.vaddr | args.size) & (PHYS_PAGE - 1))
		return -EINVAL;
	map = (struct iopt_map){
		.ioas = ioas,
		.iova = args.iova,
		.len = args.size,
		.address = args.vaddr,
		.fixed = true,
		.mmio = true,
		.prot = (uint8_t)((args.flags & VFIO_DMA_MAP_FLAG_READ ? PT_R : 0) |
				  (args.flags & VFIO_DMA_MAP_FLAG_WRITE ? PT_W : 0))
	};
	if (!mappings_left(ioas))
		return -ENOSPC;
	return iopt_map_user(ioas->ctx, &map);
}

/* The mapping at an IOVA, if it does not begin (or, at_end, end) exactly there. */
static bool cuts(const struct iommufd_ioas *ioas, uint64_t iova, bool at_end, struct itree_span *span)
{
	return itree_find(&ioas->areas, iova, iova, span) &&
	       (at_end ? span->last : span->start) != iova;
}

static int unmap_range(const struct iommufd_ioas *ioas, bool v2,
		       const struct vfio_iommu_type1_dma_unmap *args, uint64_t *last)
{
	struct itree_span span;

	if (args->flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		*last = UINT64_MAX;
		return args->iova || args->size ? -EINVAL : 0;
	}
	if (!args->size || args->size & (PHYS_PAGE - 1))
		return -EINVAL;
	if (__builtin_add_overflow(args->iova, args->size - 1, last))
		return -EOVERFLOW;
	if (args->iova & (PHYS_PAGE - 1))
		return -EINVAL;
	if (v2 && (cuts(ioas, args->iova, false, &span) || cuts(ioas, *last, true, &span)))
		return -EINVAL;
	if (cuts(ioas, args->iova, false, &span))
		return -ENOENT;		/* v1: nothing to do */
	if (cuts(ioas, *last, true, &span))
		*last = span.last;
	return 0;
}

/* -- dirty pages -------------------------------------------------------------------------------- */

/* The driver has no bits to look at: what devices reach is dirty, all of it. */
static int dirty_put(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last,
		     const struct vfio_bitmap *bitmap)
{
	struct itree_span span;

	for (uint64_t at = first; itree_find(&ioas->areas, at, last, &span); at = span.last + 1) {
		uint64_t bit = (span.start - first) / PHYS_PAGE, end = (span.last - first) / PHYS_PAGE;

		while (bit <= end) {
			uint64_t slot = (uint64_t)(uintptr_t)bitmap->data + bit / 64 * 8, word;

			if (copy_from_user(&word, slot, sizeof(word)))
				return -EFAULT;
			do
				word |= 1ull << bit % 64;
			while (++bit <= end && bit % 64);
			if (copy_to_user(slot, &word, sizeof(word)))
				return -EFAULT;
		}
		if (span.last >= last)
			break;
	}
	return 0;
}

/* Room for the pages of `size` bytes, in whole words. */
static bool bitmap_fits(const struct vfio_bitmap *bitmap, uint64_t size)
{
	uint64_t pages = bitmap->pgsize ? size >> __builtin_ctzll(bitmap->pgsize) : 0;

	return pages && bitmap->size && bitmap->size <= BITMAP_MAX &&
	       bitmap->size >= (pages + 63) / 64 * 8;
}

static long dirty_get(const struct iommufd_ioas *ioas, uint64_t arg, uint32_t room)
{
	struct vfio_iommu_type1_dirty_bitmap_get get;
	struct itree_span span;
	uint64_t last;

	if (room < sizeof(get))
		return -EINVAL;
	if (copy_from_user(&get, arg, sizeof(get)))
		return -EFAULT;
	if (__builtin_add_overflow(get.iova, get.size, &last) || !bitmap_fits(&get.bitmap, get.size) ||
	    get.bitmap.pgsize != PHYS_PAGE || (get.iova | get.size) % PHYS_PAGE || !ioas->type1_tracks)
		return -EINVAL;
	last--;
	if (cuts(ioas, get.iova, false, &span) || cuts(ioas, last, true, &span))
		return -EINVAL;
	return dirty_put(ioas, get.iova, last, &get.bitmap);
}

static long type1_dirty(const struct iommufd_ioas *ioas, bool v2, uint64_t arg)
{
	struct vfio_iommu_type1_dirty_bitmap args;
	struct iommufd_ioas *w;

	if (!v2)
		return -EACCES;
	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.argsz < sizeof(args))
		return -EINVAL;
	switch (args.flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		w = image_write(ioas);
		w->type1_tracks = args.flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
		return 0;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		return dirty_get(ioas, arg + sizeof(args), args.argsz - (uint32_t)sizeof(args));
	default:
		return -EINVAL;
	}
}

/* What an unmap is asked of the pages it takes: 0, or why it is refused. */
static int unmap_bitmap(const struct iommufd_ioas *ioas, uint64_t arg,
			const struct vfio_iommu_type1_dma_unmap *args, struct vfio_bitmap *bitmap)
{
	if (args->flags & VFIO_DMA_UNMAP_FLAG_ALL || args->argsz < sizeof(*args) + sizeof(*bitmap))
		return -EINVAL;
	if (copy_from_user(bitmap, arg + sizeof(*args), sizeof(*bitmap)))
		return -EFAULT;
	return !bitmap_fits(bitmap, args->size) || bitmap->pgsize != PHYS_PAGE ||
			       !ioas->type1_tracks ?
		       -EINVAL :
		       0;
}

static long type1_unmap(const struct iommufd_ioas *ioas, bool v2, uint64_t arg)
{
	struct vfio_iommu_type1_dma_unmap args;
	const uint32_t known = VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	uint64_t last, bytes = 0;
	struct vfio_bitmap bitmap;
	bool dirty;
	int rc;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.argsz < sizeof(args) || args.flags & ~known)
		return -EINVAL;
	dirty = args.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	rc = dirty ? unmap_bitmap(ioas, arg, &args, &bitmap) : 0;
	if (!rc)
		rc = unmap_range(ioas, v2, &args, &last);
	if (!rc && dirty)
		rc = dirty_put(ioas, args.iova, last, &bitmap);
	if (!rc)
		rc = iopt_unmap(ioas, args.iova, last, &bytes);
	if (rc && rc != -ENOENT)
		return rc;
	args.size = bytes;
	return copy_to_user(arg, &args, sizeof(args)) ? -EFAULT : 0;
}

long iommufd_type1_ioctl(const struct iommufd_ctx *ctx, bool v2, unsigned int cmd, uint64_t arg)
{
	static const struct {
		unsigned int cmd;
		const char *name;
		long (*run)(const struct iommufd_ioas *ioas, bool v2, uint64_t arg);
	} rows[] = {
		{ VFIO_IOMMU_GET_INFO, "VFIO_IOMMU_GET_INFO", type1_info },
		{ VFIO_IOMMU_MAP_DMA, "VFIO_IOMMU_MAP_DMA", type1_map },
		{ VFIO_IOMMU_UNMAP_DMA, "VFIO_IOMMU_UNMAP_DMA", type1_unmap },
		{ VFIO_IOMMU_DIRTY_PAGES, "VFIO_IOMMU_DIRTY_PAGES", type1_dirty },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace_call call;
		long rc;

		if (rows[i].cmd != cmd)
			continue;
		call = TRACE_CALL0((enum lane)current_task()->lane, LANE_VFIO, rows[i].name);
		rc = rows[i].run(ctx->vfio_ioas, v2, arg);
		trace_return(&call, rc, NULL);
		return rc;
	}
	return -ENOTTY;
}
