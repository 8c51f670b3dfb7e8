/* SPDX-License-Identifier: BSD-2-Clause */
/* The test process opens a device through VFIO and IOMMUFD, as a VMM would. */
#ifndef SWTIO_TESTS_KVM_DEVICE_H
#define SWTIO_TESTS_KVM_DEVICE_H

#include "rig.h"

#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"
#include "swtio/uapi/tsm.h"
#include "swtio/uapi/vfio.h"

#define PF 0x0100
#define VF 0x0101
#define BAR_GPA 0x100000000ull	/* BAR n of the device: at this, and 256 MiB more for each n */
#define CONFIG (7ull << 40)

struct dev {
	int iommu, vfio, group;		/* descriptors; group: KVM's VFIO device */
	uint32_t devid, ioas, hwpt, viommu, vdevice;
};

static inline int sysfs_text(const struct rig *rig, const char *path, const char *text)
{
	int fd = sys_open(rig->task, path, O_WRONLY);
	long rc;

	if (fd < 0)
		return fd;
	rc = sys_write(rig->task, fd, text, strlen(text));
	sys_close(rig->task, fd);
	return rc < 0 ? (int)rc : 0;
}

static inline void dev_memory(const struct rig *rig, const struct dev *dev, bool on)
{
	uint16_t command = on ? 6 : 4;

	assert_int_equal(sys_pwrite(rig->task, dev->vfio, &command, 2, CONFIG + 4), 2);
}

/* vfioN bound to a context of its own and known to the VM; memory decode on. */
static inline void dev_open(struct rig *rig, struct dev *dev, const char *path)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	int32_t fd;
	struct kvm_device_attr attr = { .group = KVM_DEV_VFIO_FILE, .attr = KVM_DEV_VFIO_FILE_ADD,
					.addr = (uint64_t)(uintptr_t)&fd };

	dev->iommu = rig_ok(sys_open(rig->task, "/dev/iommu", O_RDWR));
	dev->vfio = rig_ok(sys_open(rig->task, path, O_RDWR));
	rig_ok(rig_ioctl(rig, rig->vm, KVM_CREATE_DEVICE, &create));
	dev->group = (int)create.fd;
	fd = dev->vfio;
	rig_ok(rig_ioctl(rig, dev->group, KVM_SET_DEVICE_ATTR, &attr));
	bind.iommufd = dev->iommu;
	rig_ok(rig_ioctl(rig, dev->vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	dev->devid = bind.out_devid;
	dev_memory(rig, dev, true);
}

static inline void dev_vdevice(const struct rig *rig, struct dev *dev)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt),
					 .flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
					 .dev_id = dev->devid };
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu), .type = IOMMU_VIOMMU_TYPE_TDX,
					     .dev_id = dev->devid };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice),
					       .dev_id = dev->devid,
					       .virt_id = 8 };

	rig_ok(rig_ioctl(rig, dev->iommu, IOMMU_IOAS_ALLOC, &ioas));
	hwpt.pt_id = ioas.out_ioas_id;
	rig_ok(rig_ioctl(rig, dev->iommu, IOMMU_HWPT_ALLOC, &hwpt));
	viommu.hwpt_id = hwpt.out_hwpt_id;
	rig_ok(rig_ioctl(rig, dev->iommu, IOMMU_VIOMMU_ALLOC, &viommu));
	vdevice.viommu_id = viommu.out_viommu_id;
	rig_ok(rig_ioctl(rig, dev->iommu, IOMMU_VDEVICE_ALLOC, &vdevice));
	dev->vdevice = vdevice.out_vdevice_id;
}

static inline long dev_tsm(const struct rig *rig, const struct dev *dev, uint32_t type)
{
	struct iommu_vdevice_tsm_op op = { .size = sizeof(op),
					   .type = type,
					   .vdevice_id = dev->vdevice };

	return rig_ioctl(rig, dev->iommu, IOMMU_VDEVICE_TSM_OP, &op);
}

/* A dma-buf of one range of a BAR; a descriptor or -errno. */
static inline long dev_dmabuf(const struct rig *rig, const struct dev *dev, uint32_t bar,
			      uint32_t kind, uint64_t offset, uint64_t len)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range range;
	} arg = {
		.feature = { .argsz = sizeof(arg),
			     .flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF },
		.buf = { .region_index = bar,
			 .open_flags = O_RDWR | O_CLOEXEC,
			 .flags = kind,
			 .nr_ranges = 1 },
		.range = { offset, len },
	};

	return rig_ioctl(rig, dev->vfio, VFIO_DEVICE_FEATURE, &arg);
}

static inline long slot_dmabuf(const struct rig *rig, uint32_t slot, bool is_private, uint64_t gpa,
			       uint64_t size, int fd, uint64_t offset)
{
	return rig_region2(rig, slot, KVM_MEM_DMABUF | (is_private ? KVM_MEM_DMABUF_PRIVATE : 0),
			   gpa, size, 0, fd, offset);
}

#endif
