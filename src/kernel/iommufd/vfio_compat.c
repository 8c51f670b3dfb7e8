/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFIO's type 1 container calls on /dev/iommu, on the one IOAS the client chose for them. They keep
 * the older rules: argsz, EINVAL for flags, unmap of nothing is success, and type 1 (not v2) may
 * cut mappings in two.
 */
#include <string.h>

#include "kernel/iommufd/private.h"
#include "swtio/uapi/vfio_type1.h"

#define INFO_BYTES 24u			/* struct vfio_iommu_type1_info */
#define INFO_MIN 16u			/* without capabilities, as old clients have it */
#define CAP_HEADER 8u
#define RANGES_MAX 64u			/* of holes between reserved regions that are reported */

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

static long vfio_extension(const struct iommufd_ctx *ctx, uint64_t arg)
{
	switch (arg) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		return ctx->vfio_ioas ? 1 : -ENODEV;	/* this IOMMU always snoops */
	default:
		return 0;
	}
}

static long vfio_set_iommu(const struct iommufd_ctx *ctx, uint64_t arg)
{
	if (!ctx->vfio_ioas)
		return -ENODEV;
	if (arg == VFIO_TYPE1_IOMMU)
		return iopt_set_small_pages(ctx->vfio_ioas, true);
	return arg == VFIO_TYPE1v2_IOMMU ? 0 : -EINVAL;
}

/* -- GET_INFO: a capability is filled in when it fits, and linked when its place does ---------- */

static void cap_header(struct writer *w, uint16_t id)
{
	put_le16(w, id);
	put_le16(w, 1);
	put_le32(w, 0);
}

static void caps_fill(struct writer *w, const struct iommufd_ioas *ioas, uint32_t argsz,
		      uint32_t *total)
{
	const uint32_t avail = INFO_BYTES, ranges = avail + 16;
	struct iommu_iova_range hole;
	struct iopt_holes holes = { .ioas = ioas };
	struct writer next = writer_of(w->p + avail + 4, 4);
	uint32_t count = 0;
	uint8_t *place;

	cap_header(w, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	put_le32(w, UINT32_MAX);
	put_le32(w, 0);
	if (argsz >= ranges)
		put_le32(&next, ranges);
	cap_header(w, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	place = put_space(w, 8);
	for (; count < RANGES_MAX && iopt_hole_next(&holes, &hole); count++) {
		put_le64(w, hole.start);
		put_le64(w, hole.last);
	}
	next = writer_of(place, 4);
	put_le32(&next, count);
	*total = (uint32_t)w->at;
	/* What the client has no room for is left as it was. */
	if (argsz < avail + 12)
		w->at = INFO_BYTES;
	else if (argsz < *total)
		w->at = avail + 12;
}

static uint64_t pgsizes(const struct iommufd_ioas *ioas)
{
	uint64_t sizes = UINT64_MAX;

	for (const struct iommufd_hwpt *hwpt = ioas->hwpts; hwpt; hwpt = hwpt->ioas_next)
		sizes &= pt_page_sizes((enum pt_format)hwpt->pt.format);
	return sizes;
}

static long vfio_info(const struct iommufd_ctx *ctx, uint64_t arg)
{
	uint8_t buffer[INFO_BYTES + 16 + 16 + RANGES_MAX * 16];
	struct writer w = writer_of(buffer, sizeof(buffer)), head;
	const struct iommufd_ioas *ioas = ctx->vfio_ioas;
	uint32_t argsz, total, len;

	if (copy_from_user(&argsz, arg, sizeof(argsz)))
		return -EFAULT;
	if (argsz < INFO_MIN)
		return -EINVAL;
	if (!ioas)
		return -ENODEV;
	put_space(&w, INFO_BYTES);
	caps_fill(&w, ioas, argsz, &total);
	head = writer_of(buffer, INFO_BYTES);
	put_le32(&head, total);
	put_le32(&head, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
	put_le64(&head, ioas->hwpts ? pgsizes(ioas) : ~(uint64_t)(PHYS_PAGE - 1));
	put_le32(&head, argsz < total ? 0 : INFO_BYTES);
	len = argsz < w.at ? argsz : (uint32_t)w.at;
	return copy_to_user(arg, buffer, len);
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

static int unmap_range(const struct iommufd_ioas *ioas,
		       const struct vfio_iommu_type1_dma_unmap *args, uint64_t *last)
{
	if (args->flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		*last = UINT64_MAX;
		return args->iova || args->size ? -EINVAL : 0;
	}
	if (!args->size)
		return -EINVAL;
	if (__builtin_add_overflow(args->iova, args->size - 1, last))
		return -EOVERFLOW;
	return unmap_cutting(ioas, args->iova, *last);
}

/* How much was unmapped is told even when the range ended in a cut. */
static long vfio_unmap(const struct iommufd_ctx *ctx, uint64_t arg)
{
	struct vfio_iommu_type1_dma_unmap args;
	uint64_t last, bytes;
	int rc;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.argsz < sizeof(args) || args.flags & ~(uint32_t)VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	if (!ctx->vfio_ioas)
		return -ENODEV;
	rc = unmap_range(ctx->vfio_ioas, &args, &last);
	if (rc)
		return rc;
	rc = iopt_unmap(ctx->vfio_ioas, args.iova, last, &bytes);
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
