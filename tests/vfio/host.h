/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine that is on, a task, and a device opened and bound, for the tests of this room. */
#ifndef SWTIO_TESTS_VFIO_HOST_H
#define SWTIO_TESTS_VFIO_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>

#include "device/device.h"
#include "device/engine.h"
#include "firmware/tdx/tdx.h"
#include "hardware/cpu.h"
#include "hardware/iommu.h"
#include "kernel/syscall.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/vfio.h"
#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio.h"

#define PF 0x0100			/* 0000:01:00.0, vfio0 */
#define VF 0x0101
#define PORT 0x0008			/* 0000:00:01.0 */
#define OFFSET(index) ((uint64_t)(index) << 40)
#define CONFIG OFFSET(VFIO_PCI_CONFIG_REGION_INDEX)
#define BAR0 OFFSET(0)
#define BAR2 OFFSET(2)

struct host {
	const struct task *vmm;
	int iommufd, dev;
	uint32_t devid, ioas;
};

static struct host host;

static inline long ioctl_(int fd, unsigned int cmd, void *arg)
{
	return sys_ioctl(host.vmm, fd, cmd, (uint64_t)(uintptr_t)arg);
}

static inline void options(struct kernel_options wanted)
{
	image_enter();
	assert_int_equal(kernel_options_set(&wanted), 0);
	image_leave();
}

static inline int boot(void **state)
{
	static int (*const rooms[])(void) = {
		phys_power_on,		function_power_on, iommu_power_on,  device_power_on,
		device_machine_default, tdx_power_on,	   kernel_power_on,
	};
	const struct image_opts opts = { .size = sizeof(opts), .seed = 1 };

	(void)state;
	assert_int_equal(image_create(&opts), 0);
	image_enter();
	assert_int_equal(trace_power_on(0), 0);
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		assert_int_equal(rooms[i](), 0);
	image_leave();
	options((struct kernel_options){ .extensions = true });
	image_enter();
	host = (struct host){ .vmm = task_create("vmm", 0), .iommufd = -1, .dev = -1 };
	image_leave();
	assert_non_null(host.vmm);
	return 0;
}

static inline int off(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static inline long bind_(int dev, int iommufd, uint32_t *devid)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	long rc = ioctl_(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (devid)
		*devid = bind.out_devid;
	return rc;
}

static inline uint32_t ioas_alloc(void)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	assert_int_equal(ioctl_(host.iommufd, IOMMU_IOAS_ALLOC, &alloc), 0);
	return alloc.out_ioas_id;
}

/* As a VMM has it: bound, attached to an IOAS. */
static inline int boot_bound(void **state)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	boot(state);
	host.iommufd = sys_open(host.vmm, "/dev/iommu", O_RDWR);
	assert_true(host.iommufd >= 0);
	host.dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	assert_true(host.dev >= 0);
	assert_int_equal(bind_(host.dev, host.iommufd, &host.devid), 0);
	host.ioas = ioas_alloc();
	attach.pt_id = host.ioas;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), 0);
	return 0;
}

static inline uint32_t config_get_(unsigned int offset, size_t size)
{
	uint32_t value = 0;

	assert_int_equal(sys_pread(host.vmm, host.dev, &value, size, CONFIG + offset), size);
	return value;
}

static inline ssize_t config_put_(unsigned int offset, size_t size, uint32_t value)
{
	return sys_pwrite(host.vmm, host.dev, &value, size, CONFIG + offset);
}

/* A dma-buf over ranges of a BAR: descriptor or -errno. */
static inline long dma_buf(uint32_t region, uint32_t kind, unsigned int count,
			   const uint64_t (*ranges)[2])
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range range[32];
	} arg = { .feature = { .argsz = sizeof(arg),
			       .flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF },
		  .buf = { .region_index = region,
			   .open_flags = O_RDWR | O_CLOEXEC,
			   .flags = kind,
			   .nr_ranges = count } };

	for (unsigned int i = 0; ranges && i < count && i < 32; i++)
		arg.range[i] = (struct vfio_region_dma_range){ ranges[i][0], ranges[i][1] };
	return ioctl_(host.dev, VFIO_DEVICE_FEATURE, &arg);
}

static inline long dma_buf_whole(uint32_t region, uint32_t kind)
{
	const uint64_t range[1][2] = { { 0, region == 2 ? ENGINE_BAR2_SIZE : ENGINE_BAR0_SIZE } };

	return dma_buf(region, kind, 1, range);
}

static inline const struct dmabuf *dmabuf_at(long fd)
{
	return dmabuf_of_file(host.vmm->fds[fd]);
}

static inline long feature_(uint32_t flags, void *arg, uint32_t argsz)
{
	struct vfio_device_feature *feature = arg;

	feature->argsz = argsz;
	feature->flags = flags;
	return ioctl_(host.dev, VFIO_DEVICE_FEATURE, arg);
}

/* The trace holds a call or event of this name, to this lane. */
static inline bool traced_(enum lane to, const char *name)
{
	for (uint64_t seq = trace_first(); seq < trace_next(); seq++) {
		const struct trace_event *event = trace_get(seq);

		if (event && event->to == to && !strcmp(event->name, name))
			return true;
	}
	return false;
}

#endif
