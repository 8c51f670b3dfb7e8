/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFIO groups and containers, and the type 1 ioctls, which /dev/iommu answers too for clients that
 * know containers only.
 * Numbers, names and layouts are those of Linux 7.2's linux/vfio.h.
 *
 * argsz is the client's size of a structure: too small is EINVAL, larger is fine; unknown flags are
 * EINVAL. ENODEV until an IOAS was chosen with IOMMU_VFIO_IOAS.
 */
#ifndef SWTIO_UAPI_VFIO_TYPE1_H
#define SWTIO_UAPI_VFIO_TYPE1_H

#include <linux/ioctl.h>
#include <linux/types.h>

#ifndef VFIO_API_VERSION
#define VFIO_API_VERSION 0
#define VFIO_TYPE (';')
#define VFIO_BASE 100
#endif

#define VFIO_TYPE1_IOMMU 1
#define VFIO_TYPE1v2_IOMMU 3
#define VFIO_DMA_CC_IOMMU 4
#define VFIO_UNMAP_ALL 9

#define VFIO_GET_API_VERSION _IO(VFIO_TYPE, VFIO_BASE + 0)
#define VFIO_CHECK_EXTENSION _IO(VFIO_TYPE, VFIO_BASE + 1)
#define VFIO_SET_IOMMU _IO(VFIO_TYPE, VFIO_BASE + 2)

/* On /dev/vfio/GROUP. */
struct vfio_group_status {
	__u32 argsz;
	__u32 flags;
#define VFIO_GROUP_FLAGS_VIABLE (1 << 0)
#define VFIO_GROUP_FLAGS_CONTAINER_SET (1 << 1)
};
#define VFIO_GROUP_GET_STATUS _IO(VFIO_TYPE, VFIO_BASE + 3)
#define VFIO_GROUP_SET_CONTAINER _IO(VFIO_TYPE, VFIO_BASE + 4)
#define VFIO_GROUP_UNSET_CONTAINER _IO(VFIO_TYPE, VFIO_BASE + 5)
#define VFIO_GROUP_GET_DEVICE_FD _IO(VFIO_TYPE, VFIO_BASE + 6)

struct vfio_iommu_type1_info {
	__u32 argsz;
	__u32 flags;
#define VFIO_IOMMU_INFO_PGSIZES (1 << 0)
#define VFIO_IOMMU_INFO_CAPS (1 << 1)
	__aligned_u64 iova_pgsizes;
	__u32 cap_offset;
	__u32 pad;
};
#define VFIO_IOMMU_GET_INFO _IO(VFIO_TYPE, VFIO_BASE + 12)

/* Capabilities that may follow it, chained by offset: each has an id u16, a version u16 and the
 * next one's offset u32; then its own members. */
#define VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE 1	/* count u32, u32 0, then {start u64, last u64} */
#define VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION 2	/* u32 0, page sizes u64, largest bitmap u64 */
#define VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL 3	/* mappings left u32 */

struct vfio_iommu_type1_dma_map {
	__u32 argsz;
	__u32 flags;
#define VFIO_DMA_MAP_FLAG_READ (1 << 0)
#define VFIO_DMA_MAP_FLAG_WRITE (1 << 1)
#define VFIO_DMA_MAP_FLAG_VADDR (1 << 2)
	__u64 vaddr;
	__u64 iova;
	__u64 size;
};
#define VFIO_IOMMU_MAP_DMA _IO(VFIO_TYPE, VFIO_BASE + 13)

struct vfio_iommu_type1_dma_unmap {
	__u32 argsz;
	__u32 flags;
#define VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP (1 << 0)
#define VFIO_DMA_UNMAP_FLAG_ALL (1 << 1)
#define VFIO_DMA_UNMAP_FLAG_VADDR (1 << 2)
	__u64 iova;
	__u64 size;
	__u8 data[];
};
#define VFIO_IOMMU_UNMAP_DMA _IO(VFIO_TYPE, VFIO_BASE + 14)

/* One bit a page, set where the page may have been written to; follows an unmap with GET_DIRTY_BITMAP. */
struct vfio_bitmap {
	__u64 pgsize;
	__u64 size;			/* bytes */
	__u64 *data;
};

/* One flag; GET_BITMAP is followed by what is asked for. Of the type 1 driver's v2 containers only. */
struct vfio_iommu_type1_dirty_bitmap {
	__u32 argsz;
	__u32 flags;
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_START (1 << 0)
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP (1 << 1)
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP (1 << 2)
	__u8 data[];
};

struct vfio_iommu_type1_dirty_bitmap_get {
	__u64 iova;
	__u64 size;
	struct vfio_bitmap bitmap;
};
#define VFIO_IOMMU_DIRTY_PAGES _IO(VFIO_TYPE, VFIO_BASE + 17)

#endif
