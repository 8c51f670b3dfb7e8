/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that a driver lets clients map through /dev/iommu, at offsets it handed out. A mapping is
 * of all of it or nothing, and holds the object whose memory it is.
 */
#include <sys/mman.h>

#include "kernel/iommufd/private.h"

/* The first page is never handed out, so that an offset of 0 means none. */
#define OFFSET_MIN PHYS_PAGE

const struct iommufd_mmap *iommufd_mmap_new(const struct iommufd_ctx *ctx,
					    const struct idobject *owner, const void *memory,
					    uint64_t len)
{
	const struct iommufd_mmap *const *link = &ctx->mmaps;
	struct iommufd_mmap *map = image_alloc(sizeof(*map), IMAGE_TYPE_IOMMUFD_MMAP);
	const struct iommufd_mmap **slot;

	if (!map)
		return NULL;
	map->offset = OFFSET_MIN;
	for (; *link && (*link)->offset - map->offset < len; link = &(*link)->next)
		map->offset = (*link)->offset + (*link)->len;
	map->owner = owner;
	map->memory = memory;
	map->len = len;
	map->next = *link;
	slot = image_write(link);
	*slot = map;
	return map;
}

void iommufd_mmap_free(const struct iommufd_ctx *ctx, const struct iommufd_mmap *map)
{
	const struct iommufd_mmap *const *link = &ctx->mmaps;
	const struct iommufd_mmap **slot;

	while (*link != map)
		link = &(*link)->next;
	slot = image_write(link);
	*slot = map->next;
	image_free(map);
}

static const struct iommufd_mmap *map_at(const struct file *file, uint64_t offset, uint64_t len)
{
	const struct iommufd_ctx *ctx = file->priv;
	const struct iommufd_mmap *map = ctx->mmaps;

	while (map && (map->offset != offset || map->len != len))
		map = map->next;
	return map;
}

static void mappings_add(const struct iommufd_mmap *map, int n)
{
	struct iommufd_mmap *w = image_write(map);

	w->mappings += (uint32_t)n;
	iommufd_users_add(map->owner, n);
}

int iommufd_mmap(const struct file *file, struct mmap_request *request)
{
	const struct iommufd_mmap *map;

	if (request->len % PHYS_PAGE || !(request->flags & MAP_SHARED))
		return -EINVAL;
	if (request->prot & PROT_EXEC)
		return -EPERM;
	map = map_at(file, request->offset, request->len);
	if (!map)
		return -ENXIO;
	request->memory = map->memory;
	mappings_add(map, 1);
	return 0;
}

void iommufd_unmapped(const struct file *file, const struct vma *vma)
{
	const struct iommufd_mmap *map = map_at(file, vma->offset, vma->len);

	if (map && map->mappings)
		mappings_add(map, -1);
}

void iommufd_unmap_all(const struct iommufd_ctx *ctx)
{
	for (const struct iommufd_mmap *map = ctx->mmaps; map; map = map->next)
		mappings_add(map, -(int)map->mappings);
}
