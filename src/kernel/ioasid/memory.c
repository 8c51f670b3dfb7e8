/* SPDX-License-Identifier: BSD-2-Clause */
/* Registered memory, and mappings: of client memory, of dma-bufs, and of a parent's addresses. */
#include "kernel/ioasid/internal.h"

/* -- registered memory ------------------------------------------------------------------------ */

static bool pages_shaped(uint64_t address, uint64_t size)
{
	return size && !((address | size) % PHYS_PAGE);
}

/* Pinned here and not by an HWPT: registering is what pins and counts. */
long ioasid_register(const struct ioasid_ctx *ctx, void *args)
{
	const struct ioasid_memory *memory = args;
	struct iopt_map map = { .ioas = ctx->registry, .iova = memory->vaddr, .len = memory->size,
				.address = memory->vaddr, .fixed = true, .prot = PT_R | PT_W };
	struct itree_span span;
	int rc;

	if (!pages_shaped(memory->vaddr, memory->size))
		return -EINVAL;
	rc = iopt_map_user(ctx->iommufd, &map);
	if (rc)
		return rc;
	itree_find(&ctx->registry->areas, map.iova, map.iova, &span);
	return iopt_pages_pin(image_write(((const struct iopt_area *)span.item)->pages));
}

static void unregister(const struct iopt_area *area)
{
	uint64_t bytes;

	iopt_pages_unpin(image_write(area->pages));
	iopt_unmap(area->ioas, area->start, area->last, &bytes);
}

long ioasid_unregister(const struct ioasid_ctx *ctx, void *args)
{
	const struct ioasid_memory *memory = args;
	const struct iopt_area *area;
	struct itree_span span;

	if (!pages_shaped(memory->vaddr, memory->size))
		return -EINVAL;
	if (!itree_find(&ctx->registry->areas, memory->vaddr, memory->vaddr, &span) ||
	    span.start != memory->vaddr || span.last - span.start != memory->size - 1)
		return -ENOENT;
	area = span.item;
	if (area->pages->task != current_task()->id)
		return -ENOENT;
	if (area->pages->users != 1)
		return -EBUSY;
	unregister(area);
	return 0;
}

void ioasid_unregister_all(const struct ioasid_ctx *ctx)
{
	struct itree_span span;

	while (itree_find(&ctx->registry->areas, 0, UINT64_MAX, &span))
		unregister(span.item);
}

/* The registered memory of this process that has all of the mapping, or NULL. */
static const struct iopt_area *registered(const struct ioasid_ctx *ctx, uint64_t vaddr,
					  uint64_t size)
{
	const struct iopt_area *area;
	struct itree_span span;

	if (!itree_find(&ctx->registry->areas, vaddr, vaddr, &span) ||
	    span.last - vaddr < size - 1)
		return NULL;
	area = span.item;
	return area->pages->task == current_task()->id ? area : NULL;
}

/* -- mappings --------------------------------------------------------------------------------- */

static int map_client(const struct ioasid_ctx *ctx, struct iopt_map *map)
{
	const struct iopt_area *area = registered(ctx, map->address, map->len);
	int rc;

	if (!area)
		return iopt_map_user(ctx->iommufd, map);
	rc = iopt_choose(map);
	return rc ? rc : iopt_insert(map, image_write(area->pages), map->address - area->start);
}

static int map_dmabuf(const struct ioasid_ctx *ctx, struct iopt_map *map, int fd)
{
	const struct iopt_file file = { .file = fd_file(fd) };

	if (!file.file)
		return -EBADF;
	if (!dmabuf_of_file(file.file))
		return -EBADFD;
	return iopt_map_file(ctx->iommufd, map, &file, map->address);
}

static int map_check(const struct ioasid *space, const struct ioasid_dma_map *args)
{
	const uint32_t known = IOASID_DMA_READ | IOASID_DMA_WRITE | IOASID_DMA_MAP_DMABUF;
	bool dmabuf = args->flags & IOASID_DMA_MAP_DMABUF;

	if (!space)
		return -ENOENT;
	if (args->flags & ~known || args->reserved || (args->dmabuf && !dmabuf) ||
	    !pages_shaped(args->iova | args->vaddr, args->size))
		return -EINVAL;
	return !space->ioas || (dmabuf && space->parent) ? -EINVAL : 0;
}

long ioasid_dma_map(const struct ioasid_ctx *ctx, void *args)
{
	const struct ioasid_dma_map *dma = args;
	const struct ioasid *space = ioasid_find(ctx, dma->ioasid);
	struct iopt_map map = { .iova = dma->iova, .len = dma->size, .address = dma->vaddr,
				.fixed = true };
	struct trace_call call;
	int rc = map_check(space, dma);

	if (rc)
		return rc;
	map.ioas = space->ioas;
	map.prot = (uint8_t)((dma->flags & IOASID_DMA_READ ? PT_R : 0) |
			     (dma->flags & IOASID_DMA_WRITE ? PT_W : 0));
	map.prot = map.prot ? map.prot : PT_R | PT_W;
	call = TRACE_CALL(LANE_IOASID, LANE_IOMMUFD, space->parent ? "IOAS_MAP child" : "IOAS_MAP",
			  A("ioas", space->ioas->obj.id), A("iova", dma->iova),
			  A("len", dma->size));
	if (space->parent)
		rc = iopt_child_map(&map, dma->vaddr);
	else if (dma->flags & IOASID_DMA_MAP_DMABUF)
		rc = map_dmabuf(ctx, &map, dma->dmabuf);
	else
		rc = map_client(ctx, &map);
	trace_return(&call, rc, NULL);
	return rc;
}

long ioasid_dma_unmap(const struct ioasid_ctx *ctx, void *args)
{
	struct ioasid_dma_unmap *dma = args;
	const struct ioasid *space = ioasid_find(ctx, dma->ioasid);
	struct trace_call call;
	uint64_t last, bytes;
	int rc;

	if (!space)
		return -ENOENT;
	if (dma->flags || !space->ioas || !pages_shaped(dma->iova, dma->size) ||
	    __builtin_add_overflow(dma->iova, dma->size - 1, &last))
		return -EINVAL;
	call = TRACE_CALL(LANE_IOASID, LANE_IOMMUFD, "IOAS_UNMAP", A("ioas", space->ioas->obj.id),
			  A("iova", dma->iova), A("len", dma->size));
	rc = iopt_unmap(space->ioas, dma->iova, last, &bytes);
	if (!rc && !bytes)
		rc = -ENOENT;
	trace_return(&call, rc, NULL);
	dma->size = bytes;
	return rc;
}
