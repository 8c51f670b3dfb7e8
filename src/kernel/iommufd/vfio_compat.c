/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFIO's type 1 container calls on /dev/iommu, on the one IOAS the client chose for them. They keep
 * the older rules: argsz, EINVAL for flags, unmap of nothing is success, and type 1 (not v2) may
 * cut mappings in two.
 */
#include <string.h>

#include "kernel/iommufd/driver.h"
#include "swtio/uapi/vfio_type1.h"

#define INFO_BYTES 24u			/* struct vfio_iommu_type1_info */
#define INFO_MIN 16u			/* without capabilities, as old clients have it */
#define AVAIL_BYTES 12u			/* capability with what may still be mapped */
#define CAP_BYTES 16u			/* the same with padding; a capability of ranges before them */

int iommufd_ioctl_vfio_ioas(struct iommufd_cmd *cmd)
{
	struct iommu_vfio_ioas *args = cmd->args;
	const struct iommufd_ioas *ioas;
	struct iommufd_ctx *ctx;

	if (args->__reserved)
		return -EOPNOTSUPP;
	switch (args->op) {
	case IOMMU_VFIO_IOAS_GET:
		if (!cmd->ctx->vfio_ioas)
			return -ENODEV;
		args->ioas_id = cmd->ctx->vfio_ioas->obj.id;
		return iommufd_respond(cmd, sizeof(*args));
	case IOMMU_VFIO_IOAS_SET:
		ioas = (const struct iommufd_ioas *)iommufd_find(cmd->ctx, args->ioas_id,
								 IOMMUFD_IOAS);
		if (!ioas)
			return -ENOENT;
		break;
	case IOMMU_VFIO_IOAS_CLEAR:
		ioas = NULL;
		break;
	default:
		return -EOPNOTSUPP;
	}
	ctx = image_write(cmd->ctx);
	ctx->vfio_ioas = ioas;
	return 0;
}

int iommufd_compat_create(const struct iommufd_ctx *ctx)
{
	const struct iommufd_ioas *ioas;
	struct iommufd_ctx *w;

	if (ctx->vfio_ioas)
		return 0;
	ioas = iommufd_ioas_create(ctx);
	if (!ioas)
		return -ENOMEM;
	w = image_write(ctx);
	w->vfio_ioas = ioas;
	idtable_finalize(ctx->objects, &ioas->obj);
	return 0;
}

void iommufd_compat_destroy(const struct iommufd_ctx *ctx)
{
	if (ctx->vfio_ioas && ctx->vfio_ioas->obj.users == 1)
		iommufd_destroy_object(ctx, &ctx->vfio_ioas->obj);
}

int iommufd_compat_id(const struct iommufd_ctx *ctx, uint32_t *id)
{
	if (!ctx->vfio_ioas)
		return -ENODEV;
	*id = ctx->vfio_ioas->obj.id;
	return 0;
}

static long vfio_version(const struct iommufd_ctx *ctx, uint64_t arg)
{
	(void)ctx, (void)arg;
	return VFIO_API_VERSION;
}

/* Does every HWPT see to it that DMA is coherent? */
static int coherent(const struct iommufd_ioas *ioas)
{
	for (const struct iommufd_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->ioas_next)
		if (!iommufd_driver(hwpt->driver)->snoops)
			return 0;
	return 1;
}

static long vfio_extension(const struct iommufd_ctx *ctx, uint64_t arg)
{
	switch (arg) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		return ctx->vfio_ioas ? coherent(ctx->vfio_ioas) : -ENODEV;
	default:
		return 0;
	}
}

static long vfio_set_iommu(const struct iommufd_ctx *ctx, uint64_t arg)
{
	if (arg != VFIO_TYPE1_IOMMU && arg != VFIO_TYPE1v2_IOMMU)
		return -EINVAL;
	if (!ctx->vfio_ioas)
		return -ENODEV;
	return arg == VFIO_TYPE1_IOMMU ? iopt_set_small_pages(ctx->vfio_ioas, true) : 0;
}

/* -- GET_INFO ---------------------------------------------------------------------------------- */

/* A client's structure, of which only what fits whole is filled in. */
struct info {
	uint64_t arg;
	uint32_t argsz;
};

static int piece_put(const struct info *info, uint32_t at, const void *piece, uint32_t len)
{
	if (info->argsz < at + len)
		return 0;
	return copy_to_user(info->arg + at, piece, len);
}

static int cap_header_put(const struct info *info, uint32_t at, uint16_t id, uint32_t next,
			  uint32_t value, uint32_t len)
{
	uint8_t bytes[CAP_BYTES] = { 0 };
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le16(&w, id);
	put_le16(&w, 1);
	put_le32(&w, next);
	put_le32(&w, value);
	return piece_put(info, at, bytes, len);
}

/* The ranges come first, as far as there is room; their header only if all of them fit. */
static int ranges_put(const struct info *info, const struct iommufd_ioas *ioas, uint32_t at,
		      uint32_t *total)
{
	struct iopt_holes holes = { .ioas = ioas };
	struct iommu_iova_range hole;
	uint32_t count = 0;
	int rc = 0;

	*total = at + CAP_BYTES;
	for (; !rc && iopt_hole_next(&holes, &hole); count++) {
		rc = piece_put(info, *total, &hole, sizeof(hole));
		*total += sizeof(hole);
	}
	if (rc || info->argsz < *total)
		return rc;
	return cap_header_put(info, at, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 0, count, CAP_BYTES);
}

/* What every HWPT can do; to the client a page is the smallest thing there is. */
static uint64_t pgsizes(const struct iommufd_ioas *ioas)
{
	uint64_t sizes = ~(uint64_t)(PHYS_PAGE - 1);

	if (!ioas->hwpts)
		return sizes;
	sizes = UINT64_MAX;
	for (const struct iommufd_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->ioas_next)
		sizes &= hwpt->pgsizes;
	return sizes % PHYS_PAGE ? (sizes & ~(uint64_t)(PHYS_PAGE - 1)) | PHYS_PAGE : sizes;
}

static long vfio_info(const struct iommufd_ctx *ctx, uint64_t arg)
{
	const uint32_t avail = INFO_BYTES, ranges = avail + CAP_BYTES;
	const struct iommufd_ioas *ioas = ctx->vfio_ioas;
	struct info info = { .arg = arg };
	uint8_t head[INFO_BYTES] = { 0 };
	struct writer w = writer_of(head, sizeof(head));
	uint32_t total;
	int rc;

	if (copy_from_user(&info.argsz, arg, sizeof(info.argsz)))
		return -EFAULT;
	if (info.argsz < INFO_MIN)
		return -EINVAL;
	if (!ioas)
		return -ENODEV;
	rc = cap_header_put(&info, avail, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
			    info.argsz >= ranges ? ranges : 0, UINT32_MAX, AVAIL_BYTES);
	if (!rc)
		rc = ranges_put(&info, ioas, ranges, &total);
	if (rc)
		return rc;
	put_le32(&w, total);
	put_le32(&w, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
	put_le64(&w, pgsizes(ioas));
	put_le32(&w, info.argsz < total ? 0 : INFO_BYTES);
	return copy_to_user(arg, head, info.argsz < INFO_BYTES ? info.argsz : INFO_BYTES);
}

/* -- mapping ---------------------------------------------------------------------------------- */

static long vfio_map(const struct iommufd_ctx *ctx, uint64_t arg)
{
	struct vfio_iommu_type1_dma_map args;
	struct iopt_map map;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.argsz < sizeof(args) ||
	    args.flags & ~(uint32_t)(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE))
		return -EINVAL;
	if (!ctx->vfio_ioas)
		return -ENODEV;
	map = (struct iopt_map){
		.ioas = ctx->vfio_ioas,
		.iova = args.iova,
		.len = args.size,
		.address = args.vaddr,
		.fixed = true,
		.prot = (uint8_t)((args.flags & VFIO_DMA_MAP_FLAG_READ ? PT_R : 0) |
				  (args.flags & VFIO_DMA_MAP_FLAG_WRITE ? PT_W : 0))
	};
	return iopt_map_user(ctx, &map);
}

/* Type 1 may unmap parts of what was mapped. */
static int unmap_cutting(const struct iommufd_ioas *ioas, uint64_t first, uint64_t last)
{
	int rc;

	if (!ioas->small_pages)
		return 0;
	rc = iopt_cut(ioas, first);
	if (!rc && last != UINT64_MAX)
		rc = iopt_cut(ioas, last + 1);
	return rc;
}

static int unmap_range(const struct iommufd_ioas *ioas, uint64_t iova, uint64_t size,
		       uint64_t *bytes)
{
	uint64_t last;

	if (!size)
		return -EINVAL;
	if (__builtin_add_overflow(iova, size - 1, &last))
		return -EOVERFLOW;
	return iopt_unmap(ioas, iova, last, bytes);
}

/* How much was unmapped is told even when the range ended in a cut, or made no sense. */
static long vfio_unmap(const struct iommufd_ctx *ctx, uint64_t arg)
{
	struct vfio_iommu_type1_dma_unmap args;
	uint64_t bytes = 0;
	int rc;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.argsz < sizeof(args) || args.flags & ~(uint32_t)VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	if (!ctx->vfio_ioas)
		return -ENODEV;
	if (args.flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		if (args.iova || args.size)
			return -EINVAL;
		rc = iopt_unmap(ctx->vfio_ioas, 0, UINT64_MAX, &bytes);
	} else {
		rc = unmap_cutting(ctx->vfio_ioas, args.iova, args.iova + args.size - 1);
		if (rc)
			return rc;
		rc = unmap_range(ctx->vfio_ioas, args.iova, args.size, &bytes);
	}
	args.size = bytes;
	return copy_to_user(arg, &args, sizeof(args)) ? -EFAULT : rc;
}

long iommufd_vfio_ioctl(const struct iommufd_ctx *ctx, unsigned int number, uint64_t arg)
{
	static const struct {
		unsigned int number;
		const char *name;
		long (*handler)(const struct iommufd_ctx *ctx, uint64_t arg);
	} rows[] = {
		{ VFIO_GET_API_VERSION, "VFIO_GET_API_VERSION", vfio_version },
		{ VFIO_CHECK_EXTENSION, "VFIO_CHECK_EXTENSION", vfio_extension },
		{ VFIO_SET_IOMMU, "VFIO_SET_IOMMU", vfio_set_iommu },
		{ VFIO_IOMMU_GET_INFO, "VFIO_IOMMU_GET_INFO", vfio_info },
		{ VFIO_IOMMU_MAP_DMA, "VFIO_IOMMU_MAP_DMA", vfio_map },
		{ VFIO_IOMMU_UNMAP_DMA, "VFIO_IOMMU_UNMAP_DMA", vfio_unmap },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace_call call;
		long rc;

		if (rows[i].number != number)
			continue;
		call = TRACE_CALL0((enum lane)current_task()->lane, LANE_IOMMUFD, rows[i].name);
		rc = rows[i].handler(ctx, arg);
		trace_return(&call, rc, NULL);
		return rc;
	}
	return -ENOTTY;
}
