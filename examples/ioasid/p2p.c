/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R2.6: peer to peer. BAR2 of one device, exported as a dma-buf, is mapped into the space of the
 * other; iommufd asks the buffer's provider where it lies and whether it may be mapped. When the
 * provider takes it back, the mapping is emptied before the provider goes on.
 */
#include "example.h"

#define BAR2_OFFSET (2ull << 40)
#define WINDOW 0x100000000ull		/* where the space has the other device's BAR */

static int bar2_export(int device)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range range;
	} get = { .feature = { .argsz = sizeof(get),
			       .flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF },
		  .buf = { .region_index = 2, .open_flags = O_RDWR | O_CLOEXEC, .nr_ranges = 1 },
		  .range = { 0, 0x10000 } };
	int fd = ioctl(device, VFIO_DEVICE_FEATURE, &get);

	MUST(fd >= 0);
	return fd;
}

static int map_dmabuf(int ioasid_fd, uint32_t ioasid, int dmabuf, uint64_t offset, uint64_t size)
{
	struct ioasid_dma_map map = { .ioasid = ioasid, .flags = IOASID_DMA_MAP_DMABUF,
				      .iova = WINDOW, .vaddr = offset, .size = size,
				      .dmabuf = dmabuf };

	return ioctl(ioasid_fd, IOASID_DMA_MAP, &map);
}

int main(void)
{
	int ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	int label, device_fd1, device_fd2, gpa_ioasid, dmabuf;
	uint8_t bar[PAGE];
	uint16_t command = 4;

	MUST(ioasid_fd >= 0);
	guest_memory();
	device_fd1 = device_bind(DEV1, ioasid_fd, &label);
	device_fd2 = device_bind(DEV2, ioasid_fd, &label);
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
	MUST(!ioasid_attach(device_fd2, gpa_ioasid));
	dmabuf = bar2_export(device_fd1);

	REFUSED(EBADF, map_dmabuf(ioasid_fd, gpa_ioasid, 999, 0, PAGE));
	REFUSED(EBADFD, map_dmabuf(ioasid_fd, gpa_ioasid, ioasid_fd, 0, PAGE));
	REFUSED(EINVAL, map_dmabuf(ioasid_fd, gpa_ioasid, dmabuf, 0x10000, PAGE));
	REFUSED(ENOENT, map_dmabuf(ioasid_fd, 999, dmabuf, 0, PAGE));
	MUST(!map_dmabuf(ioasid_fd, gpa_ioasid, dmabuf, 0, 0x10000));

	/* dev2 writes into dev1's BAR, and reads it back */
	fill(gpa_to_hva(0x1000), PAGE, 3);
	MUST(dma_copy(device_fd2, NO_PASID, 0x1000, WINDOW + 0x2000, PAGE) == 0);
	MUST(pread(device_fd1, bar, PAGE, BAR2_OFFSET + 0x2000) == PAGE);
	MUST(!memcmp(bar, gpa_to_hva(0x1000), PAGE));
	MUST(dma_copy(device_fd2, NO_PASID, WINDOW + 0x2000, 0x5000, PAGE) == 0);
	MUST(!memcmp(gpa_to_hva(0x5000), gpa_to_hva(0x1000), PAGE));
	SAY("dev2 has written %d bytes into BAR2 of dev1, and read them back", (int)PAGE);

	/* The provider takes it back: memory decode off. What dev2 reaches there is nothing now. */
	MUST(pwrite(device_fd1, &command, 2, CONFIG_OFFSET + 4) == 2);
	dma_faults(device_fd2, NO_PASID, 0x1000, WINDOW + 0x2000);
	dma_proves(device_fd2, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x6000, gpa_to_hva(0x6000));
	REFUSED(ENODEV, map_dmabuf(ioasid_fd, gpa_ioasid, dmabuf, 0, PAGE));	/* taken back */
	MUST(!dma_unmap(ioasid_fd, gpa_ioasid, WINDOW, 0x10000));
	return 0;
}
