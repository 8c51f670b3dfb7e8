/* SPDX-License-Identifier: BSD-2-Clause */
/* Features, and dma-bufs. */
#include "answers.h"

int feature(uint32_t flags, uint32_t len)
{
	struct feature f = { .f = { .argsz = (uint32_t)sizeof(f.f) + len, .flags = flags } };

	return ioctl(dev, VFIO_DEVICE_FEATURE, &f);
}


void ask_features(void)
{
	struct vfio_device_feature small = { .argsz = 4 };

	Q(ioctl(dev, VFIO_DEVICE_FEATURE, NULL));
	Q(ioctl(dev, VFIO_DEVICE_FEATURE, &small));
	Q(feature(0, 0));
	Q(feature(1u << 19 | GET | 11, 40));
	Q(feature(GET | SET | 3, 0));
	for (uint32_t n = 0; n < 16; n++) {
		say(feature(PROBE | n, 0), "feature %u PROBE", n);
		say(feature(PROBE | GET | n, 0), "feature %u PROBE GET", n);
		say(feature(PROBE | SET | n, 0), "feature %u PROBE SET", n);
		say(feature(PROBE | GET | SET | n, 0), "feature %u PROBE GET SET", n);
		say(feature(n, 48), "feature %u neither", n);
		say(feature(GET | n, 0), "feature %u GET, no data", n);
		if (n != 3 && n != 5)
			say(feature(SET | n, 0), "feature %u SET, no data", n);
	}
}

int dma_buf(uint32_t argsz, uint32_t region, uint32_t flags, uint32_t count, uint64_t offset,
		   uint64_t len)
{
	struct {
		struct vfio_device_feature f;
		uint32_t region, open_flags, flags, count;
		uint64_t offset, len, more[2];
	} f = { { argsz, GET | VFIO_DEVICE_FEATURE_DMA_BUF }, region, O_RDWR | O_CLOEXEC, flags, count,
		offset, len, { offset, len } };
	int fd = ioctl(dev, VFIO_DEVICE_FEATURE, &f);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

uint32_t a_bar(uint64_t *size)
{
	for (uint32_t i = 0; i < 6; i++) {
		struct vfio_region_info info = { .argsz = sizeof(info), .index = i };

		ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info);
		*size = info.size;
		if (info.flags & VFIO_REGION_INFO_FLAG_MMAP)
			return i;
	}
	return 6;
}

void ask_dma_buf(void)
{
	uint64_t size;
	uint32_t bar = a_bar(&size);

	Q(dma_buf(16, bar, 0, 1, 0, 4096));
	Q(dma_buf(24, bar, 0, 0, 0, 4096));
	Q(dma_buf(24, bar, 1, 1, 0, 4096));
	Q(dma_buf(64, VFIO_PCI_CONFIG_REGION_INDEX, 0, 1, 0, 4096));
	Q(dma_buf(64, VFIO_PCI_ROM_REGION_INDEX, 0, 1, 0, 4096));
	Q(dma_buf(64, 1000, 0, 1, 0, 4096));
	Q(dma_buf(64, bar, 0, 1, 0, 0));
	Q(dma_buf(64, bar, 0, 1, 1, 4096));
	Q(dma_buf(64, bar, 0, 1, 0, 4095));
	Q(dma_buf(64, bar, 0, 1, 0, size * 2));
	Q(dma_buf(64, bar, 0, 1, size, 4096));
	Q(dma_buf(64, bar, 0, 1, -4096ull, 8192));
	Q(dma_buf(64, bar, 0, 2, 0, 1ull << 62));
	Q(dma_buf(64, bar, 0, 1, 0, 4096));
}
