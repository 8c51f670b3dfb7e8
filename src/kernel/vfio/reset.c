/* SPDX-License-Identifier: BSD-2-Clause */
/* VFIO_DEVICE_RESET and hot reset. Both take away what others have of the BARs first, and give back
 * what may be given after. */
#include "kernel/vfio/internal.h"

#define AFFECTED_MAX 256u

int vfio_reset_locked(const struct vfio_device *vdev)
{
	int rc;

	/* A refusal must not cost anybody a mapping. */
	if (!pci_reset_allowed(vdev->pdev))
		return -EBUSY;
	vfio_memory_off(vdev);
	rc = pci_reset_function(vdev->pdev);
	vfio_memory_update(vdev);
	return rc;
}

long vfio_reset(const struct vfio_file *vfile, uint64_t arg)
{
	const struct vfio_device *vdev = vfile->vdev;
	long rc;

	(void)arg;
	if (!pci_can_flr(vdev->pdev))
		return -EINVAL;
	rc = vfio_memory_lock(vdev, KLOCK_WRITE);
	if (rc)
		return rc;
	rc = vfio_reset_locked(vdev);
	vfio_memory_unlock(vdev, KLOCK_WRITE);
	return rc;
}

/* -- hot reset --------------------------------------------------------------------------------- */

struct affected {
	uint32_t count;
	const struct pci_dev *dev[AFFECTED_MAX];
};

static int affected_find(const struct vfio_device *vdev, struct affected *affected)
{
	const struct pci_dev *port = pci_dev_find(vdev->pdev->root_port), *pdev;
	uint16_t rid = 0;

	affected->count = 0;
	if (!port || !port->is_bridge)
		return -ENODEV;
	for (; (pdev = pci_dev_next(&rid)); rid++) {
		if (pdev->root_port == port->rid && pdev != port && function_find(rid) &&
		    affected->count < AFFECTED_MAX)
			affected->dev[affected->count++] = pdev;
		if (rid == UINT16_MAX)
			break;
	}
	return 0;
}

/* Who has it, seen from one iommufd: its id there, 0 when free for the taking, -1 somebody else. */
static int32_t devid_for(const struct iommufd_ctx *ctx, const struct pci_dev *pdev)
{
	const struct vfio_device *vdev = pdev->vfio;

	if (!vdev)
		return VFIO_PCI_DEVID_NOT_OWNED;
	if (!vdev->opener || !vdev->opener->idev)
		return VFIO_PCI_DEVID_OWNED;
	if (iommufd_device_ctx(vdev->opener->idev) != ctx)
		return VFIO_PCI_DEVID_NOT_OWNED;
	return (int32_t)iommufd_device_id(vdev->opener->idev);
}

/* Who opened the node learns whose the others are; through a group, in which group each is. */
static bool dependents(const struct vfio_file *vfile, const struct affected *affected,
		       struct vfio_pci_dependent_device *out)
{
	const struct iommufd_ctx *ctx = iommufd_device_ctx(vfile->idev);
	bool owned = true;

	for (uint32_t i = 0; i < affected->count; i++) {
		const struct pci_dev *pdev = affected->dev[i];
		int32_t devid = devid_for(ctx, pdev);

		owned = owned && devid != VFIO_PCI_DEVID_NOT_OWNED;
		out[i] = (struct vfio_pci_dependent_device){
			.devid = vfile->group ? pdev->group : (uint32_t)devid,
			.bus = (uint8_t)(pdev->rid >> 8),
			.devfn = (uint8_t)pdev->rid
		};
	}
	return owned;
}

long vfio_hot_reset_info(const struct vfio_file *vfile, uint64_t arg)
{
	struct vfio_pci_dependent_device out[AFFECTED_MAX];
	struct vfio_pci_hot_reset_info info;
	struct affected affected;
	bool owned;
	int rc;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info))
		return -EINVAL;
	rc = affected_find(vfile->vdev, &affected);
	if (rc)
		return rc;
	owned = dependents(vfile, &affected, out);
	info.flags = 0;
	info.count = affected.count;
	if (info.argsz < sizeof(info) + affected.count * sizeof(out[0]))
		return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : -ENOSPC;
	if (!vfile->group)
		info.flags = VFIO_PCI_HOT_RESET_FLAG_DEV_ID |
			     (owned ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED : 0u);
	if (copy_to_user(arg + sizeof(info), out, affected.count * sizeof(out[0])))
		return -EFAULT;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* In order of the bus, so that two hot resets meet at the first device. */
static int all_lock(const struct affected *affected, uint32_t *locked)
{
	for (*locked = 0; *locked < affected->count; ++*locked) {
		const struct vfio_device *vdev = affected->dev[*locked]->vfio;

		if (vdev && klock_try(&vdev->memory_lock, KLOCK_MEMORY, KLOCK_WRITE))
			return -EBUSY;
	}
	return 0;
}

static void all_unlock(const struct affected *affected, uint32_t locked)
{
	while (locked--)
		if (affected->dev[locked]->vfio)
			vfio_memory_unlock(affected->dev[locked]->vfio, KLOCK_WRITE);
}

static bool any_bound(const struct affected *affected)
{
	for (uint32_t i = 0; i < affected->count; i++)
		if (pci_reset_blocked(affected->dev[i]))
			return true;
	return false;
}

static void all_memory(const struct affected *affected, void (*fn)(const struct vfio_device *vdev))
{
	for (uint32_t i = 0; i < affected->count; i++)
		if (affected->dev[i]->vfio)
			fn(affected->dev[i]->vfio);
}

/* The bus reset itself runs without the memory_locks, since it tells the TSM, whose locks come
 * first; what was revoked stays so until they are taken again. */
static int hot_reset_run(const struct vfio_device *vdev, const struct affected *affected)
{
	uint32_t locked;
	int rc = all_lock(affected, &locked);

	if (rc)
		goto unlock;
	rc = any_bound(affected) ? -EBUSY : 0;
	if (rc)
		goto unlock;
	all_memory(affected, vfio_memory_off);
	all_unlock(affected, locked);
	rc = pci_reset_bus(vdev->pdev);
	if (!all_lock(affected, &locked))
		all_memory(affected, vfio_memory_update);
unlock:
	all_unlock(affected, locked);
	return rc;
}

/* Groups prove ownership by their descriptors: a bit for each affected device that is in one. */
static int groups_own(const struct affected *affected, uint64_t fds, uint32_t count, bool *owned)
{
	if (count > affected->count)
		return -EINVAL;
	for (uint32_t n = 0; n < count; n++) {
		const struct file *file;
		int32_t fd;

		if (copy_from_user(&fd, fds + n * sizeof(fd), sizeof(fd)))
			return -EFAULT;
		file = fd_file(fd);
		if (!file && !fd_is_open(fd))
			return -EBADF;
		if (!file || file->type != FILE_VFIO_GROUP)
			return -EINVAL;
		for (uint32_t i = 0; i < affected->count; i++)
			if (vfio_group_find(affected->dev[i]->group) == file->priv)
				owned[i] = true;
	}
	return 0;
}

long vfio_hot_reset(const struct vfio_file *vfile, uint64_t arg)
{
	const struct iommufd_ctx *ctx = iommufd_device_ctx(vfile->idev);
	struct vfio_pci_hot_reset reset;
	bool owned[AFFECTED_MAX] = { false };
	struct affected affected;
	int rc;

	if (copy_from_user(&reset, arg, sizeof(reset)))
		return -EFAULT;
	/* No descriptors is the way of those who opened the node: their iommufd proves ownership. */
	if (reset.argsz < sizeof(reset) || reset.flags || !reset.count == !!vfile->group)
		return -EINVAL;
	rc = affected_find(vfile->vdev, &affected);
	if (!rc)
		rc = groups_own(&affected, arg + sizeof(reset), reset.count, owned);
	for (uint32_t i = 0; !rc && i < affected.count; i++)
		if (!owned[i] && (vfile->group ||
				  devid_for(ctx, affected.dev[i]) == VFIO_PCI_DEVID_NOT_OWNED))
			rc = -EINVAL;
	return rc ? rc : hot_reset_run(vfile->vdev, &affected);
}
