/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset, attaching, and calls that are nobody's. */
#include "answers.h"

void ask_reset(void)
{
	struct { struct vfio_pci_hot_reset_info i; struct vfio_pci_dependent_device d[32]; } info = {
		.i = { .argsz = 8 }
	};
	struct { struct vfio_pci_hot_reset h; int fd; } reset = { .h.argsz = 8, .fd = -1 };

	Q(ioctl(dev, VFIO_DEVICE_RESET, NULL));
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, NULL));
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	info.i.argsz = sizeof(info.i);
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	say(info.i.count, "  count");
	say(info.i.flags, "  flags");
	info.i.argsz = sizeof(info);
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	say(info.i.count, "  count");
	say(info.i.flags, "  flags");
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, NULL));
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset));
	reset.h.argsz = sizeof(reset.h);
	reset.h.flags = 1;
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset));
	reset.h.flags = 0;
	reset.h.count = 1;
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset));
}

int attach(uint32_t argsz, uint32_t flags, uint32_t pt, uint32_t pasid)
{
	struct vfio_device_attach_iommufd_pt a = { argsz, flags, pt, pasid };

	return ioctl(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a);
}

int detach(uint32_t argsz, uint32_t flags, uint32_t pasid)
{
	struct vfio_device_detach_iommufd_pt d = { argsz, flags, pasid };

	return ioctl(dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &d);
}

void ask_attach(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_destroy destroy = { .size = sizeof(destroy) };

	Q(ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas));
	Q(ioctl(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, NULL));
	Q(attach(8, 0, ioas.out_ioas_id, 0));
	Q(attach(12, 2, ioas.out_ioas_id, 0));
	Q(attach(12, 0, 0, 0));
	Q(attach(12, 0, 9999, 0));
	Q(attach(12, VFIO_DEVICE_ATTACH_PASID, ioas.out_ioas_id, 0));
	Q(attach(16, 0, ioas.out_ioas_id, 77));
	Q(attach(12, 0, ioas.out_ioas_id, 0));
	destroy.id = ioas.out_ioas_id;
	Q(ioctl(iommufd, IOMMU_DESTROY, &destroy));
	Q(detach(8, 0, 0));
	Q(detach(12, 2, 0));
	Q(detach(8, VFIO_DEVICE_DETACH_PASID, 0));
	Q(ioctl(dev, VFIO_DEVICE_RESET, NULL));
	Q(detach(12, 0, 0));
	Q(detach(12, 0, 0));
	Q(ioctl(iommufd, IOMMU_DESTROY, &destroy));
}

void ask_others(void)
{
	struct vfio_device_ioeventfd event = { .argsz = 8 };

	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, NULL));
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.argsz = sizeof(event);
	event.fd = -1;
	event.flags = 1u << 10;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.flags = 0;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.flags = 3;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.flags = 4;
	event.fd = -2;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.fd = -1;
	event.offset = 2;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.offset = CONFIG_AT;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	Q(ioctl(dev, 0x3b40, NULL));
	Q(ioctl(dev, 0x3bff, NULL));
	Q(ioctl(dev, VFIO_GROUP_GET_STATUS, NULL));
}
