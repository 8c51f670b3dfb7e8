/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.1, R6.2, R2.5: a real device behind VT-d, driven by a plain client: its page requests through the fault
 * queue of an HWPT, and its writes in the dirty bitmap. Skipped where the device is not our engine.
 */
#include <poll.h>
#include <sys/mman.h>

#include "client.h"

#include "device/engine.h"

#define PAGE 4096ull
#define IOVA 0x100000ull
#define PAGES 8u
#define CONFIG_AT ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

struct rig {
	int fd, dev, queue;
	uint32_t id, ioas, fault, hwpt;
	uint8_t *memory;
};

static uint32_t reg_get(const struct rig *rig, off_t at)
{
	uint32_t value = UINT32_MAX;

	return pread(rig->dev, &value, sizeof(value), at) == sizeof(value) ? value : UINT32_MAX;
}

static void reg_set(const struct rig *rig, off_t at, uint64_t value, size_t size)
{
	if (pwrite(rig->dev, &value, size, at) != (ssize_t)size)
		printf("# register %lx: %s\n", (long)at, strerror(errno));
}

/* Fills a page at the IOVA by DMA; the engine's state then. */
static uint32_t fill(const struct rig *rig, uint64_t iova)
{
	reg_set(rig, ENGINE_OP, ENGINE_FILL, 4);
	reg_set(rig, ENGINE_SRC, 7, 8);
	reg_set(rig, ENGINE_DST, iova, 8);
	reg_set(rig, ENGINE_LEN, PAGE, 4);
	reg_set(rig, ENGINE_VECTOR, UINT32_MAX, 4);
	reg_set(rig, ENGINE_PASID, UINT32_MAX, 4);
	reg_set(rig, ENGINE_CONTROL, 1, 4);
	return reg_get(rig, ENGINE_STATUS);
}

static int map(const struct rig *rig, unsigned int page, unsigned int pages)
{
	struct iommu_ioas_map args = { .size = sizeof(args), .ioas_id = rig->ioas,
				       .flags = IOMMU_IOAS_MAP_FIXED_IOVA |
						IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE,
				       .user_va = (uintptr_t)rig->memory + page * PAGE,
				       .length = pages * PAGE, .iova = IOVA + page * PAGE };

	return ioctl(rig->fd, IOMMU_IOAS_MAP, &args);
}

static int attach(const struct rig *rig, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt args = { .argsz = sizeof(args), .pt_id = pt };

	return ioctl(rig->dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &args);
}

static int detach(const struct rig *rig)
{
	struct vfio_device_detach_iommufd_pt args = { .argsz = sizeof(args) };

	return ioctl(rig->dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &args);
}

static uint32_t hwpt_alloc(const struct rig *rig, uint32_t flags)
{
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .flags = flags, .dev_id = rig->id,
					 .pt_id = rig->ioas, .fault_id = rig->fault };

	return ioctl(rig->fd, IOMMU_HWPT_ALLOC, &args) ? 0 : args.out_hwpt_id;
}

static int rig_make(struct rig *rig)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct iommu_fault_alloc fault = { .size = sizeof(fault) };

	rig->fd = bind.iommufd = iommu_open();
	rig->dev = open("/dev/vfio/devices/vfio0", O_RDWR | O_CLOEXEC);
	CHECK(rig->fd >= 0 && rig->dev >= 0 && !ioctl(rig->dev, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	rig->id = bind.out_devid;
	rig->ioas = ioas_alloc(rig->fd);
	CHECK(rig->ioas && !ioctl(rig->fd, IOMMU_FAULT_QUEUE_ALLOC, &fault));
	rig->fault = fault.out_fault_id;
	rig->queue = (int)fault.out_fault_fd;
	rig->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	CHECK(rig->memory != MAP_FAILED);
	reg_set(rig, CONFIG_AT + 4, 6, 2);		/* memory decode, bus master */
	return 0;
}

static bool queued(const struct rig *rig)
{
	struct pollfd poll_for = { .fd = rig->queue, .events = POLLIN };

	return poll(&poll_for, 1, 0) == 1 && poll_for.revents & POLLIN;
}

static int respond(const struct rig *rig, uint32_t cookie, uint32_t code)
{
	const struct iommu_hwpt_page_response response = { .cookie = cookie, .code = code };

	return write(rig->queue, &response, sizeof(response)) == sizeof(response) ? 0 : -1;
}

static int a_page_that_is_asked_for(void)
{
	struct iommu_hwpt_pgfault record = { 0 };
	struct rig rig;

	CHECK(!rig_make(&rig));
	rig.hwpt = hwpt_alloc(&rig, IOMMU_HWPT_FAULT_ID_VALID);
	CHECK(rig.hwpt && !attach(&rig, rig.hwpt));
	CHECK(fill(&rig, IOVA) == ENGINE_STATUS_BUSY && queued(&rig));
	CHECK(read(rig.queue, &record, sizeof(record)) == sizeof(record));
	CHECK(record.dev_id == rig.id && record.addr == IOVA);
	CHECK(record.flags == IOMMU_PGFAULT_FLAGS_LAST_PAGE);
	CHECK(record.perm & IOMMU_PGFAULT_PERM_WRITE && !queued(&rig));
	CHECK(respond(&rig, record.cookie + 1, IOMMUFD_PAGE_RESP_SUCCESS) && errno == EINVAL);
	CHECK(!map(&rig, 0, 1) && !respond(&rig, record.cookie, IOMMUFD_PAGE_RESP_SUCCESS));
	CHECK(reg_get(&rig, ENGINE_STATUS) == 0 && reg_get(&rig, ENGINE_DONE) == PAGE);
	CHECK(rig.memory[0] || rig.memory[1] || rig.memory[2]);
	CHECK(respond(&rig, record.cookie, IOMMUFD_PAGE_RESP_SUCCESS) && errno == EINVAL);
	/* No is an answer as well. */
	CHECK(fill(&rig, IOVA + PAGE) == ENGINE_STATUS_BUSY);
	CHECK(read(rig.queue, &record, sizeof(record)) == sizeof(record));
	CHECK(!respond(&rig, record.cookie, IOMMUFD_PAGE_RESP_INVALID));
	CHECK(reg_get(&rig, ENGINE_STATUS) & ENGINE_STATUS_ERROR);
	return 0;
}

/* What nobody will answer is answered: by the detach; and who holds what. */
static int taken_down_in_the_middle(void)
{
	struct iommu_hwpt_pgfault record = { 0 };
	struct rig rig;

	CHECK(!rig_make(&rig));
	rig.hwpt = hwpt_alloc(&rig, IOMMU_HWPT_FAULT_ID_VALID);
	CHECK(rig.hwpt && !attach(&rig, rig.hwpt));
	CHECK(fill(&rig, IOVA) == ENGINE_STATUS_BUSY);
	CHECK(read(rig.queue, &record, sizeof(record)) == sizeof(record));
	CHECK(destroy(rig.fd, rig.hwpt) && errno == EBUSY);
	CHECK(destroy(rig.fd, rig.fault) && errno == EBUSY);
	CHECK(!detach(&rig));
	CHECK(reg_get(&rig, ENGINE_STATUS) & ENGINE_STATUS_ERROR);
	CHECK(respond(&rig, record.cookie, IOMMUFD_PAGE_RESP_SUCCESS) && errno == EINVAL);
	CHECK(destroy(rig.fd, rig.fault) && errno == EBUSY);
	CHECK(!destroy(rig.fd, rig.hwpt));
	CHECK(destroy(rig.fd, rig.fault) && errno == EBUSY);	/* its file is open */
	CHECK(!close(rig.queue) && !destroy(rig.fd, rig.fault));
	return 0;
}

static uint64_t dirty_bits(const struct rig *rig, uint32_t flags)
{
	uint64_t bits = 0;
	struct iommu_hwpt_get_dirty_bitmap args = { .size = sizeof(args), .hwpt_id = rig->hwpt,
						    .flags = flags, .iova = IOVA,
						    .length = PAGES * PAGE, .page_size = PAGE,
						    .data = (uintptr_t)&bits };

	return ioctl(rig->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &args) ? UINT64_MAX : bits;
}

static int what_it_wrote_is_dirty(void)
{
	struct iommu_hw_info info = { .size = sizeof(info) };
	struct iommu_hwpt_set_dirty_tracking track = {
		.size = sizeof(track), .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE };
	struct rig rig;

	CHECK(!rig_make(&rig));
	info.dev_id = rig.id;
	CHECK(!ioctl(rig.fd, IOMMU_GET_HW_INFO, &info));
	CHECK(info.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING);
	rig.hwpt = track.hwpt_id = hwpt_alloc(&rig, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	CHECK(rig.hwpt && !attach(&rig, rig.hwpt) && !map(&rig, 0, PAGES));
	CHECK(fill(&rig, IOVA) == 0 && dirty_bits(&rig, 0) == 0);
	CHECK(!ioctl(rig.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &track));
	CHECK(fill(&rig, IOVA + 2 * PAGE) == 0 && fill(&rig, IOVA + 5 * PAGE) == 0);
	CHECK(dirty_bits(&rig, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) == (1 << 2 | 1 << 5));
	CHECK(dirty_bits(&rig, 0) == (1 << 2 | 1 << 5) && dirty_bits(&rig, 0) == 0);
	CHECK(fill(&rig, IOVA + 5 * PAGE) == 0 && dirty_bits(&rig, 0) == 1 << 5);
	return 0;
}

/* -- BAR memory for DMA, as Linux 7.2 has it: a dma-buf of one range for each fragment ---------- */

/* A dma-buf of BAR2 with up to two ranges, or -1. */
static int dma_buf(const struct rig *rig, uint32_t count,
		   const struct vfio_region_dma_range *ranges)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buffer;
		struct vfio_region_dma_range ranges[2];
	} args = { .feature = { .flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF },
		   .buffer = { .region_index = VFIO_PCI_BAR2_REGION_INDEX,
			       .open_flags = O_RDWR | O_CLOEXEC, .nr_ranges = count } };

	args.feature.argsz = sizeof(args);
	memcpy(args.ranges, ranges, count * sizeof(*ranges));
	return ioctl(rig->dev, VFIO_DEVICE_FEATURE, &args);
}

static int map_file(const struct rig *rig, int buffer, uint64_t len, uint64_t iova)
{
	struct iommu_ioas_map_file args = { .size = sizeof(args), .ioas_id = rig->ioas,
					    .flags = IOMMU_IOAS_MAP_FIXED_IOVA |
						     IOMMU_IOAS_MAP_WRITEABLE |
						     IOMMU_IOAS_MAP_READABLE,
					    .fd = buffer, .length = len, .iova = iova };

	return ioctl(rig->fd, IOMMU_IOAS_MAP_FILE, &args);
}

static int a_buffer_each_fragment(void)
{
	static const struct vfio_region_dma_range fragments[2] = { { PAGE, 2 * PAGE },
								  { 8 * PAGE, PAGE } };
	const off_t bar2 = (off_t)VFIO_PCI_BAR2_REGION_INDEX << 40;
	uint64_t word = 0;
	struct rig rig;
	int both, each[2];

	CHECK(!rig_make(&rig));
	rig.hwpt = hwpt_alloc(&rig, 0);
	CHECK(rig.hwpt && !attach(&rig, rig.hwpt));
	both = dma_buf(&rig, 2, fragments);
	CHECK(both >= 0 && map_file(&rig, both, 3 * PAGE, IOVA) && errno == EOPNOTSUPP);
	for (unsigned int i = 0; i < 2; i++) {
		each[i] = dma_buf(&rig, 1, &fragments[i]);
		CHECK(each[i] >= 0);
		CHECK(!map_file(&rig, each[i], fragments[i].length, IOVA + fragments[i].offset));
	}
	CHECK(fill(&rig, IOVA + 2 * PAGE) == 0 && fill(&rig, IOVA + 8 * PAGE) == 0);
	CHECK(pread(rig.dev, &word, 8, bar2 + 2 * (off_t)PAGE) == 8 && word);
	CHECK(pread(rig.dev, &word, 8, bar2 + 8 * (off_t)PAGE) == 8 && word);
	/* What lies between them is nobody's. */
	CHECK(fill(&rig, IOVA + 4 * PAGE) & ENGINE_STATUS_ERROR);
	return 0;
}

int main(void)
{
	static const struct client_test tests[] = {
		{ "R6.2 a page that is asked for", a_page_that_is_asked_for },
		{ "R6.2 taken down in the middle", taken_down_in_the_middle },
		{ "R6.2 what it wrote is dirty", what_it_wrote_is_dirty },
		{ "R2.5 a buffer for each fragment", a_buffer_each_fragment },
	};
	uint32_t id = 0;
	int fd = iommu_open(), dev = fd < 0 ? -1 : vfio_bound(fd);

	if (dev < 0 || pread(dev, &id, sizeof(id), CONFIG_AT) != sizeof(id) ||
	    id != (ENGINE_VENDOR | (uint32_t)ENGINE_DEVICE << 16)) {
		fprintf(stderr, "skipped: no engine of ours\n");
		return 77;
	}
	close(dev);
	close(fd);
	return client_main(tests, sizeof(tests) / sizeof(tests[0]));
}
