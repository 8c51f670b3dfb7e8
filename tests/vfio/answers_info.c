/* SPDX-License-Identifier: BSD-2-Clause */
/* Before BIND and at it; what the device says of itself. */
#include "answers.h"

void ask_unbound(void)
{
	static const unsigned int numbers[] = {
		VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT, VFIO_DEVICE_GET_INFO,
		VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_SET_IRQS,
		VFIO_DEVICE_RESET, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, VFIO_DEVICE_PCI_HOT_RESET,
		VFIO_DEVICE_IOEVENTFD, VFIO_DEVICE_FEATURE, 0x3b40, 0x3bff, 0x12345678,
	};
	uint32_t word;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		say(ioctl(dev, numbers[i], NULL), "unbound ioctl %#x", numbers[i]);
	say(pread(dev, &word, 4, CONFIG_AT), "unbound pread");
	say(pwrite(dev, &word, 4, CONFIG_AT), "unbound pwrite");
	say(mmap(NULL, 4096, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED ? -1 : 0, "unbound mmap");
	say(lseek(dev, 0, SEEK_CUR), "lseek");
}

void ask_bind(void)
{
	struct { struct vfio_device_bind_iommufd b; uint32_t tail[2]; } big = {
		.b = { .argsz = sizeof(big), .iommufd = iommufd }, .tail = { 0, 1 }
	};
	struct vfio_device_bind_iommufd bind = { .argsz = 12, .iommufd = iommufd };
	int null = open("/dev/null", O_RDWR), other;

	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, NULL), "bind NULL");
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind argsz 12");
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &big), "bind tail not zero");
	bind.argsz = sizeof(bind);
	bind.flags = 2;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind flags 2");
	bind.flags = 0;
	bind.iommufd = -1;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind iommufd -1");
	bind.iommufd = 9999;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind iommufd not open");
	bind.iommufd = null;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind iommufd /dev/null");
	bind.iommufd = iommufd;
	bind.flags = VFIO_DEVICE_BIND_FLAG_TOKEN;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind token NULL");
	other = open(group, O_RDWR);
	say(other < 0 ? -1 : 0, "open group");
	bind.flags = 0;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind with the group open");
	say(open(group, O_RDWR) < 0 ? -1 : 0, "open group again");
	close(other);
	bind.argsz = 16;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind argsz 16");
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind again");
	other = open(node, O_RDWR);
	say(other < 0 ? -1 : 0, "open node again");
	say(bind_to(other, iommufd), "bind the second open");
	close(other);
	say(open(group, O_RDWR) < 0 ? -1 : 0, "open group of a bound device");
	close(null);
}

void ask_info(void)
{
	struct vfio_device_info info = { .argsz = 12 };

	say(ioctl(dev, VFIO_DEVICE_GET_INFO, NULL), "info NULL");
	say(ioctl(dev, VFIO_DEVICE_GET_INFO, &info), "info argsz 12");
	info.argsz = 16;
	info.cap_offset = 0xdead;
	say(ioctl(dev, VFIO_DEVICE_GET_INFO, &info), "info argsz 16");
	say(info.cap_offset, "  cap_offset untouched");
	info.argsz = sizeof(info);
	say(ioctl(dev, VFIO_DEVICE_GET_INFO, &info), "info");
	say(info.flags & 3, "  flags of reset and PCI");
	say(info.num_regions, "  regions");
	say(info.num_irqs, "  irqs");
}

void ask_regions(void)
{
	struct vfio_region_info info = { .argsz = 28 };

	say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, NULL), "region NULL");
	say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info), "region argsz 28");
	for (unsigned int index = 0; index < 11; index++) {
		info = (struct vfio_region_info){ .argsz = sizeof(info), .index = index };
		say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info), "region %u", index);
		if (index < 7)
			continue;
		say(info.flags, "  flags");
		say((long)(info.offset >> 40), "  offset >> 40");
		say(info.cap_offset, "  cap_offset");
	}
}

/* The MSI-X table's BAR: what the capability says, by argsz. */
void ask_msix_region(void)
{
	struct { struct vfio_region_info r; uint32_t cap[2]; } info;
	unsigned int at = 0, pos;
	uint8_t id = 0, next = 0;
	uint32_t table;

	pread(dev, &next, 1, CONFIG_AT + 0x34);
	for (pos = next; pos; pos = next) {
		pread(dev, &id, 1, CONFIG_AT + pos);
		pread(dev, &next, 1, CONFIG_AT + pos + 1);
		if (id == 0x11)
			at = pos;
	}
	pread(dev, &table, 4, CONFIG_AT + at + 4);
	for (uint32_t argsz = sizeof(info.r); argsz <= sizeof(info); argsz += 8) {
		memset(&info, 0, sizeof(info));
		info.r.argsz = argsz;
		info.r.index = table & 7;
		say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info), "MSI-X region argsz %u", argsz);
		say(info.r.argsz, "  argsz");
		say(info.r.flags, "  flags");
		say(info.r.cap_offset, "  cap_offset");
		say(info.cap[0], "  id, version");
	}
}

void ask_irqs(void)
{
	struct vfio_irq_info info = { .argsz = 12 };

	say(ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, NULL), "irq NULL");
	say(ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, &info), "irq argsz 12");
	for (unsigned int index = 0; index < 7; index++) {
		info = (struct vfio_irq_info){ .argsz = sizeof(info), .index = index };
		say(ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, &info), "irq %u", index);
		say(info.flags, "  flags");
		if (index > 2)
			say(info.count, "  count");
	}
}
