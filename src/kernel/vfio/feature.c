/* SPDX-License-Identifier: BSD-2-Clause */
/* VFIO_DEVICE_FEATURE: one table of what there is. Features of drivers we are not (migration, DMA
 * logging, bus mastering of CDX) are -ENOTTY, as in Linux for a plain vfio-pci device. */
#include "kernel/vfio/internal.h"

int vfio_feature_check(uint32_t flags, size_t len, uint32_t supported, size_t least)
{
	if (flags & (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET) & ~supported)
		return -EINVAL;
	if (flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	if (!(flags & (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET)) || len < least)
		return -EINVAL;
	return 1;
}

/* -- low power: the client gives up access until it says otherwise --------------------------- */

static void low_power_set(const struct vfio_device *vdev, bool on)
{
	struct vfio_device *w = image_write(vdev);

	w->low_power = on;
}

static int low_power_enter(const struct vfio_device *vdev)
{
	int rc = vfio_memory_lock(vdev, KLOCK_WRITE);

	if (rc)
		return rc;
	if (vdev->low_power)
		rc = -EINVAL;
	else if (pci_reset_blocked(vdev->pdev))
		rc = -EBUSY;
	if (!rc) {
		low_power_set(vdev, true);
		vfio_memory_off(vdev);
	}
	vfio_memory_unlock(vdev, KLOCK_WRITE);
	return rc;
}

void vfio_low_power_exit(const struct vfio_device *vdev)
{
	struct event_ref old = vdev->wakeup;

	if (!vdev->low_power || vfio_memory_lock(vdev, KLOCK_WRITE))
		return;
	low_power_set(vdev, false);
	memset(image_write(&vdev->wakeup), 0, sizeof(old));
	event_ref_put(&old);
	vfio_memory_update(vdev);
	vfio_memory_unlock(vdev, KLOCK_WRITE);
}

static long low_power_entry(const struct vfio_device *vdev, uint32_t flags, uint64_t data,
			    size_t len)
{
	int rc = vfio_feature_check(flags, len, VFIO_DEVICE_FEATURE_SET, 0);

	(void)data;
	return rc == 1 ? low_power_enter(vdev) : rc;
}

static long low_power_entry_wakeup(const struct vfio_device *vdev, uint32_t flags, uint64_t data,
				   size_t len)
{
	struct vfio_device_low_power_entry_with_wakeup entry;
	struct event_ref event, *w;
	int rc = vfio_feature_check(flags, len, VFIO_DEVICE_FEATURE_SET, sizeof(entry));

	if (rc != 1)
		return rc;
	if (copy_from_user(&entry, data, sizeof(entry)))
		return -EFAULT;
	if (entry.wakeup_eventfd < 0)
		return -EINVAL;
	rc = event_ref_get(entry.wakeup_eventfd, &event);
	if (rc)
		return rc;
	rc = low_power_enter(vdev);
	if (rc) {
		event_ref_put(&event);
		image_commit();
		return rc;
	}
	w = image_write(&vdev->wakeup);
	*w = event;
	return 0;
}

static long low_power_exit(const struct vfio_device *vdev, uint32_t flags, uint64_t data,
			   size_t len)
{
	int rc = vfio_feature_check(flags, len, VFIO_DEVICE_FEATURE_SET, 0);

	(void)data;
	if (rc == 1)
		vfio_low_power_exit(vdev);
	return rc == 1 ? 0 : rc;
}

/* Linux knows this one before it asks whether the driver can migrate. */
static long precopy(const struct vfio_device *vdev, uint32_t flags, uint64_t data, size_t len)
{
	(void)vdev, (void)flags, (void)data, (void)len;
	return -EINVAL;
}

/* -- the table --------------------------------------------------------------------------------- */

static const struct {
	uint32_t feature;
	bool extension;			/* unknown when the run is strictly Linux */
	long (*run)(const struct vfio_device *vdev, uint32_t flags, uint64_t data, size_t len);
} features[] = {
	{ VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, false, vfio_feature_token },
	{ VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, false, low_power_entry },
	{ VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, false, low_power_entry_wakeup },
	{ VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, false, low_power_exit },
	{ VFIO_DEVICE_FEATURE_DMA_BUF, false, vfio_feature_dma_buf },
	{ VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, false, precopy },
	{ VFIO_DEVICE_FEATURE_SWTIO_LAYOUT, true, vfio_feature_layout },
};

long vfio_feature(const struct vfio_file *vfile, uint64_t arg)
{
	const uint32_t known = VFIO_DEVICE_FEATURE_MASK | VFIO_DEVICE_FEATURE_GET |
			       VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PROBE;
	const uint32_t both = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	struct vfio_device_feature feature;

	if (copy_from_user(&feature, arg, sizeof(feature)))
		return -EFAULT;
	if (feature.argsz < sizeof(feature) || feature.flags & ~known)
		return -EINVAL;
	if (!(feature.flags & VFIO_DEVICE_FEATURE_PROBE) && (feature.flags & both) == both)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].feature == (feature.flags & VFIO_DEVICE_FEATURE_MASK) &&
		    (!features[i].extension || kernel_options()->extensions))
			return features[i].run(vfile->vdev, feature.flags, arg + sizeof(feature),
					       feature.argsz - sizeof(feature));
	return -ENOTTY;
}
