/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFIO_DEVICE_IOEVENTFD: a doorbell rung by an eventfd. Arguments are judged as by Linux; but nothing
 * here waits for a client's eventfds, so there is room for none of them: ENOSPC, which Linux says
 * from the thousandth on, and on which a client rings the doorbell itself.
 */
#include "kernel/vfio/internal.h"

static bool in_table(const struct vfio_device *vdev, unsigned int bar, uint64_t at, uint64_t len)
{
	uint64_t first, end;

	pci_msix_table(vdev->pdev, bar, &first, &end);
	return at < end && first < at + len;
}

long vfio_ioeventfd(const struct vfio_file *vfile, uint64_t arg)
{
	const size_t least = offsetof(struct vfio_device_ioeventfd, reserved);
	struct vfio_device_ioeventfd event = { 0 };
	const struct function_bar *bar;
	uint64_t index, at;
	uint32_t len;

	if (copy_from_user(&event, arg, least))
		return -EFAULT;
	len = event.flags & VFIO_DEVICE_IOEVENTFD_SIZE_MASK;
	if (event.argsz < least || event.flags != len || !len || len & (len - 1) || event.fd < -1)
		return -EINVAL;
	index = event.offset >> VFIO_OFFSET_SHIFT;
	at = event.offset & VFIO_OFFSET_MASK;
	bar = pci_bar(vfile->vdev->pdev, (unsigned int)(index < FUNCTION_BARS ? index : UINT32_MAX));
	if (!bar || at > bar->size || len > bar->size - at ||
	    in_table(vfile->vdev, (unsigned int)index, at, len))
		return -EINVAL;
	return event.fd < 0 ? -ENODEV : -ENOSPC;
}
