/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups, and the container that iommufd plays. */
#include "answers.h"

static void ask_container(int container)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .size = 4096 };
	uint8_t info[1024] = { 24 };

	Q(ioctl(container, VFIO_GET_API_VERSION));
	for (unsigned long i = 0; i < 12; i++)
		say(ioctl(container, VFIO_CHECK_EXTENSION, i), "extension %lu", i);
	Q(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	Q(ioctl(container, VFIO_IOMMU_GET_INFO, info));
	Q(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	Q(ioctl(container, 0x3b40, 0));
}

/* By names that are nearly its own; then what it says through its group. */
static void ask_group_device(int g)
{
	char name[80];

	snprintf(name, sizeof(name), "%s x", bdf);
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name));
	snprintf(name, sizeof(name), "%s vf_token=1", bdf);
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name));
	snprintf(name, sizeof(name), "%s0", bdf);
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name));
	snprintf(name, sizeof(name), "%s  ", bdf);
	dev = ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name);
	say(dev < 0 ? -1 : 0, "get device");
	say(fcntl(dev, F_GETFD), "close on exec");
	Q(bind_to(dev, iommufd));
	Q(attach(12, 0, 1, 0));
	Q(detach(12, 0, 0));
	ask_info();
	ask_reset();
}

void ask_group(void)
{
	struct vfio_group_status status = { .argsz = 4 };
	int g = open(group, O_RDWR), container = open("/dev/vfio/vfio", O_RDWR), fd = -1, null;

	null = open("/dev/null", O_RDWR);
	say(g < 0 ? -1 : 0, "group open");
	say(container < 0 ? -1 : 0, "container open");
	ask_container(container);
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, NULL));
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	status.argsz = sizeof(status);
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	Q(ioctl(g, 0x3b40, NULL));
	Q(ioctl(g, VFIO_DEVICE_GET_INFO, NULL));
	Q(ioctl(g, VFIO_GROUP_UNSET_CONTAINER));
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, bdf));
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, NULL));
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, "0000:ff:1f.7"));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, NULL));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &fd));
	fd = 9999;
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &fd));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &null));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &container));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &container));
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	ask_container(container);
	ask_group_device(g);
	Q(ioctl(g, VFIO_GROUP_UNSET_CONTAINER));
	Q(close(g));
	g = open(group, O_RDWR);
	say(g < 0 ? -1 : 0, "group open while its device is");
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	Q(close(dev));
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	close(g);
	g = open(group, O_RDWR);
	say(g < 0 ? -1 : 0, "group open after all");
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	close(g);
	close(container);
	close(null);
}
