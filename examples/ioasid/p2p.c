/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R2.6: peer to peer. BAR2 of one device, exported as a dma-buf, is mapped into the space of the
 * other; iommufd asks the buffer's provider where it lies and whether it may be mapped. When the
 * provider takes it back, what is in flight arrives and the mapping is emptied, and only then does
 * the provider go on.
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

/* One page of the BAR, read as its driver would. */
static void bar2_read(int device, uint64_t offset, void *page)
{
	MUST(pread(device, page, PAGE, BAR2_OFFSET + offset) == PAGE);
}

/*
 * Dev2 is in the middle of a job when dev1's memory decode goes off: three pages, a page a step.
 * The first has arrived, the second has passed the IOMMU and is on its way (a read of dev2 would
 * push it), the third is not sent yet.
 */
static void revoked_in_flight(int device_fd1, int device_fd2)
{
	const uint16_t decode_off = 4, decode_on = 6;
	uint8_t bar[PAGE], zero[PAGE] = { 0 };

	fill(gpa_to_hva(0x1000), 3 * PAGE, 9);
	reg_set(device_fd2, STEP, PAGE, 4);
	MUST(dma_copy(device_fd2, NO_PASID, 0x1000, WINDOW + 0x4000, 3 * PAGE) == STATUS_BUSY);
	reg_set(device_fd2, CONTROL, CONTROL_STEP, 4);
	bar2_read(device_fd1, 0x4000, bar);
	MUST(!memcmp(bar, gpa_to_hva(0x1000), PAGE));
	bar2_read(device_fd1, 0x5000, bar);
	MUST(!memcmp(bar, zero, PAGE));

	/* The provider takes it back; then it has its BAR for itself, and looks. */
	MUST(pwrite(device_fd1, &decode_off, 2, CONFIG_OFFSET + 4) == 2);
	reg_set(device_fd2, CONTROL, CONTROL_STEP, 4);
	MUST(reg_get(device_fd2, STATUS) == STATUS_ERROR);
	MUST(pwrite(device_fd1, &decode_on, 2, CONFIG_OFFSET + 4) == 2);
	bar2_read(device_fd1, 0x5000, bar);
	MUST(!memcmp(bar, gpa_to_hva(0x2000), PAGE));
	bar2_read(device_fd1, 0x6000, bar);
	MUST(!memcmp(bar, zero, PAGE));
	reg_set(device_fd2, STEP, 0, 4);
	SAY("revoked in flight: the page on its way has arrived, the next one reached nothing");
}

int main(void)
{
	int ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	int label, device_fd1, device_fd2, gpa_ioasid, dmabuf;
	const uint16_t decode_off = 4;
	uint8_t bar[PAGE];

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
	bar2_read(device_fd1, 0x2000, bar);
	MUST(!memcmp(bar, gpa_to_hva(0x1000), PAGE));
	MUST(dma_copy(device_fd2, NO_PASID, WINDOW + 0x2000, 0x5000, PAGE) == 0);
	MUST(!memcmp(gpa_to_hva(0x5000), gpa_to_hva(0x1000), PAGE));
	SAY("dev2 has written %d bytes into BAR2 of dev1, and read them back", (int)PAGE);

	revoked_in_flight(device_fd1, device_fd2);
	/* What dev2 reaches there is nothing now, and only a new mapping would change that. */
	dma_faults(device_fd2, NO_PASID, 0x1000, WINDOW + 0x2000);
	dma_proves(device_fd2, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x6000, gpa_to_hva(0x6000));
	REFUSED(EEXIST, map_dmabuf(ioasid_fd, gpa_ioasid, dmabuf, 0, PAGE));
	MUST(pwrite(device_fd1, &decode_off, 2, CONFIG_OFFSET + 4) == 2);
	REFUSED(ENODEV, map_dmabuf(ioasid_fd, gpa_ioasid, dmabuf, 0, PAGE));	/* taken back */
	MUST(!dma_unmap(ioasid_fd, gpa_ioasid, WINDOW, 0x10000));
	return 0;
}
