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

static long type1_unmap(const struct iommufd_ioas *ioas, bool v2, uint64_t arg)
{
	struct vfio_iommu_type1_dma_unmap args;
	uint64_t last, bytes = 0;
	int rc;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.argsz < sizeof(args) || args.flags & ~(uint32_t)VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	rc = unmap_range(ioas, v2, &args, &last);
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
