/* SPDX-License-Identifier: BSD-2-Clause */
/* R5.0, R5.1: one GPA space by DMA mapping, for one device and then for two. */
#include "example.h"

#include "swtio/uapi/vfio_type1.h"

static int ioasid_fd, gpa_ioasid, device_fd, label1, device2_fd, label2;

/* The older way to a device, through its group, which is given the descriptor. */
static int device_of_group(void)
{
	char target[128], path[160];
	ssize_t n = readlink("/sys/bus/pci/devices/0000:01:00.1/iommu_group", target,
			     sizeof(target) - 1);
	int group, device;

	MUST(n > 0);
	target[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(target, '/'));
	group = open(path, O_RDWR | O_CLOEXEC);
	MUST(group >= 0 && !ioctl(group, VFIO_GROUP_SET_CONTAINER, &ioasid_fd));
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, "0000:01:00.1");
	MUST(device >= 0);
	close(group);
	return device;
}

static void one_device(void)
{
	/* Bind device to IOASID fd */
	device_fd = device_bind(DEV1, ioasid_fd, &label1);
	/* Attach device to IOASID */
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(gpa_ioasid > 0);
	MUST(!ioasid_attach(device_fd, gpa_ioasid));
	dma_faults(device_fd, NO_PASID, 0, 0x1000);
	/* Setup GPA mapping */
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
	dma_proves(device_fd, NO_PASID, 0x5000, gpa_to_hva(0x5000), 0x9000, gpa_to_hva(0x9000));
	SAY("one device: bytes at GPA 0x9000 are those of GPA 0x5000");
}

/* The reviewer's question: the second device shares the space. Right. */
static void two_devices(void)
{
	struct ioasid_info info;

	device2_fd = device_bind(DEV2, ioasid_fd, &label2);
	MUST(label1 != label2);
	MUST(!ioasid_attach(device2_fd, gpa_ioasid));
	dma_proves(device2_fd, NO_PASID, 0x6000, gpa_to_hva(0x6000), 0xa000, gpa_to_hva(0xa000));
	info = (struct ioasid_info){ .ioasid = gpa_ioasid };
	MUST(!ioctl(ioasid_fd, IOASID_GET_INFO, &info));
	MUST(info.kind == IOASID_KIND_DMA && info.attached == 2 && !info.children);
	SAY("two devices on one space, labels %d and %d", label1, label2);
}

static void what_is_refused(void)
{
	REFUSED(ENOENT, ioasid_attach(device_fd, 999));
	REFUSED(ENOENT, dma_map(ioasid_fd, 999, 0, HVA, PAGE, 0));
	REFUSED(EEXIST, dma_map(ioasid_fd, gpa_ioasid, 0x3000, HVA, PAGE, 0));
	REFUSED(EINVAL, dma_map(ioasid_fd, gpa_ioasid, GUEST_SIZE + 1, HVA, PAGE, 0));
	REFUSED(EINVAL, dma_map(ioasid_fd, gpa_ioasid, GUEST_SIZE, HVA, 0, 0));
	REFUSED(EFAULT, dma_map(ioasid_fd, gpa_ioasid, GUEST_SIZE, 0x7000, PAGE, 0));
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_FREE, gpa_ioasid));
	REFUSED(EINVAL, ioctl(device_fd, VFIO_BIND_IOASID_FD, ioasid_fd));
	REFUSED(ENOENT, dma_unmap(ioasid_fd, gpa_ioasid, 0x1000, PAGE));
	REFUSED(ENOTTY, ioctl(ioasid_fd, _IO(IOASID_TYPE, 99)));
}

/* A device that is closed is nobody's: its space can be freed once the other has left. */
static void closed_devices(void)
{
	close(device2_fd);
	REFUSED(EBADF, ioasid_attach(device2_fd, gpa_ioasid));
	MUST(!ioasid_detach(device_fd, gpa_ioasid));
	REFUSED(ENOENT, ioasid_detach(device_fd, gpa_ioasid));
	dma_faults(device_fd, NO_PASID, 0x5000, 0x9000);
}

/* The same device by its group: bound when it was opened, and with a label of its own. */
static void by_its_group(void)
{
	device2_fd = device_of_group();
	bus_master(device2_fd);
	label2 = ioctl(device2_fd, VFIO_BIND_IOASID_FD, ioasid_fd);
	MUST(label2 > 0);
	dma_faults(device2_fd, NO_PASID, 0x6000, 0xa000);
	MUST(!ioasid_attach(device2_fd, gpa_ioasid));
	dma_proves(device2_fd, NO_PASID, 0x6000, gpa_to_hva(0x6000), 0xa000, gpa_to_hva(0xa000));
	SAY("by its group, label %d", label2);
	close(device2_fd);
}

int main(void)
{
	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	MUST(ioctl(ioasid_fd, IOASID_CHECK_EXTENSION, IOASID_EXT_API) == IOASID_API_VERSION);
	guest_memory();
	one_device();
	two_devices();
	what_is_refused();
	closed_devices();
	by_its_group();
	MUST(!ioctl(ioasid_fd, IOASID_FREE, gpa_ioasid));
	return 0;
}
