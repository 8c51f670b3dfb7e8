/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vDEVICEs: a device as the VM of a vIOMMU knows it, under the id the VM uses. One a device. It goes
 * when the client destroys it or when the device is unbound; then its id stays behind as a tombstone,
 * so that the client cannot take another object for it.
 */
#include "kernel/iommufd/driver.h"

int iommufd_ioctl_vdevice_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_vdevice_alloc *args = cmd->args;
	const struct iommufd_viommu *viommu = (const struct iommufd_viommu *)iommufd_find(
		cmd->ctx, args->viommu_id, IOMMUFD_VIOMMU);
	const struct iommufd_viommu_ops *ops;
	const struct iommufd_device *idev;
	struct iommufd_vdevice *vdev;
	struct iommufd_viommu *wv;
	struct iommufd_device *wi;
	int rc;

	if (!viommu)
		return -ENOENT;
	idev = (const struct iommufd_device *)iommufd_find(cmd->ctx, args->dev_id, IOMMUFD_DEVICE);
	if (!idev)
		return -ENOENT;
	if (viommu->driver != idev->group->driver)
		return -EINVAL;
	if (idev->leaving)
		return -ENOENT;
	/* A destroyer that was killed half way left its work to whoever needs the device next. */
	if (idev->vdevice && idev->vdevice->destroying)
		iommufd_vdevice_destroy(idev->vdevice);
	if (idev->vdevice || iommufd_viommu_device(viommu, args->virt_id))
		return -EEXIST;
	vdev = iommufd_object_new(cmd->ctx, sizeof(*vdev), IOMMUFD_VDEVICE);
	if (!vdev)
		return -ENOMEM;
	vdev->ctx = cmd->ctx;
	vdev->viommu = viommu;
	vdev->idev = idev;
	vdev->virt_id = args->virt_id;
	vdev->viommu_next = viommu->vdevices;
	ops = iommufd_viommu_ops(viommu);
	rc = ops->vdevice_init ? ops->vdevice_init(vdev) : 0;
	if (rc)
		return rc;
	args->out_vdevice_id = vdev->obj.id;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	wv = image_write(viommu);
	wv->vdevices = vdev;
	wv->obj.users++;
	wi = image_write(idev);
	wi->vdevice = vdev;
	wi->obj.users++;
	idtable_finalize(cmd->ctx->objects, &vdev->obj);
	return 0;
}

static void vdevice_unlink(const struct iommufd_vdevice *vdev)
{
	const struct iommufd_viommu_ops *ops = iommufd_viommu_ops(vdev->viommu);
	const struct iommufd_vdevice *const *link = &vdev->viommu->vdevices;
	struct iommufd_device *idev = image_write(vdev->idev);
	const struct iommufd_vdevice **slot;
	struct iommufd_vdevice *w;

	if (ops->vdevice_destroy)
		ops->vdevice_destroy(vdev);
	while (*link != vdev)
		link = &(*link)->viommu_next;
	slot = image_write(link);
	*slot = vdev->viommu_next;
	iommufd_users_add(&vdev->viommu->obj, -1);
	idev->vdevice = NULL;
	idev->obj.users--;
	w = image_write(vdev);
	w->idev = NULL;
	w->viommu = NULL;
	TRACE_STATE(LANE_IOMMUFD, "vDEVICE destroyed", A("vdevice", vdev->obj.id),
		    A("virt_id", vdev->virt_id));
}

void iommufd_vdevice_free(const struct iommufd_vdevice *vdev)
{
	image_free(vdev);
}

/*
 * Its id is gone. Unbinding may wait, and meanwhile the device can be unbound from iommufd, which
 * finishes this in our place; or we are killed, and then it is finished by the unbind of the device
 * or the next VDEVICE_ALLOC. The hold keeps the memory.
 */
void iommufd_vdevice_destroy(const struct iommufd_vdevice *vdev)
{
	const struct iommufd_ctx *ctx = vdev->ctx;
	struct iommufd_vdevice *w = image_write(vdev);
	bool held = !iommufd_hold(ctx, &vdev->obj);

	w->destroying = true;
	if (!mutant(MUTANT_VDEVICE_FORGETS_UNBIND))
		iommufd_vdevice_unbind(vdev);
	if (vdev->idev) {
		vdevice_unlink(vdev);
		w = image_write(vdev);
		w->obj.waits--;		/* the vDEVICE's own */
	}
	if (held)
		iommufd_drop(ctx, &vdev->obj);
	else if (!vdev->obj.waits)
		iommufd_vdevice_free(vdev);
}
