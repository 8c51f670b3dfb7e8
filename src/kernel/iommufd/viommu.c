/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vIOMMUs and vDEVICEs. The IOMMU here gives a guest no slice of its own, so that Linux would
 * refuse every type; the one type a machine has, an extension, stands for the trusted half that belongs
 * to a confidential VM.
 */
#include "hardware/platform.h"
#include "kernel/iommufd/private.h"
#include "kernel/kvm/kvm.h"
#include "kernel/vfio/vfio.h"

static const struct iommufd_device *device_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_device *)iommufd_find(cmd->ctx, id, IOMMUFD_DEVICE);
}

static const struct iommufd_viommu *viommu_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_viommu *)iommufd_find(cmd->ctx, id, IOMMUFD_VIOMMU);
}

static void users_add(const struct idobject *object, int n)
{
	struct idobject *w = image_write(object);

	w->users += (uint32_t)n;
}

static const uint32_t viommu_types[PLATFORMS] = {
	[PLATFORM_TDX] = IOMMU_VIOMMU_TYPE_TDX,
	[PLATFORM_SEV] = IOMMU_VIOMMU_TYPE_SEV,
	[PLATFORM_CCA] = IOMMU_VIOMMU_TYPE_CCA,
};

/* -- vIOMMU ----------------------------------------------------------------------------------- */

static int device_kvm(const struct iommufd_device *idev, const struct kvm **kvm)
{
	const struct vfio_device *vdev = vfio_device_of(idev->pdev);

	*kvm = vdev ? vfio_device_kvm(vdev) : NULL;
	if (!*kvm)
		return -ENODEV;
	return kvm_is_confidential(*kvm) ? 0 : -EINVAL;
}

int iommufd_ioctl_viommu_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_viommu_alloc *args = cmd->args;
	const struct iommufd_device *idev;
	const struct iommufd_hwpt *hwpt;
	struct iommufd_viommu *viommu;
	const struct kvm *kvm;
	int rc;

	if (args->flags || args->type == IOMMU_VIOMMU_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	idev = device_find(cmd, args->dev_id);
	if (!idev)
		return -ENOENT;
	if (args->type != viommu_types[machine_platform()] || !kernel_options()->extensions)
		return -EOPNOTSUPP;
	hwpt = (const struct iommufd_hwpt *)iommufd_find(cmd->ctx, args->hwpt_id,
							 IOMMUFD_HWPT_PAGING);
	if (!hwpt)
		return -ENOENT;
	if (!hwpt->nest_parent || args->data_len)
		return -EINVAL;
	rc = device_kvm(idev, &kvm);
	if (rc)
		return rc;
	viommu = iommufd_object_new(cmd->ctx, sizeof(*viommu), IOMMUFD_VIOMMU);
	if (!viommu)
		return -ENOMEM;
	viommu->ctx = cmd->ctx;
	viommu->type = args->type;
	viommu->hwpt = hwpt;
	viommu->kvm = kvm_file(kvm);
	args->out_viommu_id = viommu->obj.id;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	kvm_file_get(viommu->kvm);
	users_add(&hwpt->obj, 1);
	idtable_finalize(cmd->ctx->objects, &viommu->obj);
	return 0;
}

void iommufd_viommu_destroy(const struct idobject *object)
{
	const struct iommufd_viommu *viommu = (const struct iommufd_viommu *)object;
	const struct file *kvm = viommu->kvm;

	users_add(&viommu->hwpt->obj, -1);
	image_free(viommu);
	kvm_file_put(kvm);
}

/* -- vDEVICE ---------------------------------------------------------------------------------- */

static bool virt_id_taken(const struct iommufd_viommu *viommu, uint64_t virt_id)
{
	for (const struct iommufd_vdevice *vdev = viommu->vdevices; vdev; vdev = vdev->viommu_next)
		if (vdev->virt_id == virt_id)
			return true;
	return false;
}

int iommufd_ioctl_vdevice_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_vdevice_alloc *args = cmd->args;
	const struct iommufd_viommu *viommu = viommu_find(cmd, args->viommu_id);
	const struct iommufd_device *idev;
	struct iommufd_vdevice *vdev;
	struct iommufd_viommu *wv;
	struct iommufd_device *wi;

	if (!viommu)
		return -ENOENT;
	idev = device_find(cmd, args->dev_id);
	if (!idev || idev->leaving)
		return -ENOENT;
	/* A destroyer that was killed half way left its work to whoever needs the device next. */
	if (idev->vdevice && idev->vdevice->destroying)
		iommufd_vdevice_destroy(idev->vdevice);
	if (idev->vdevice || virt_id_taken(viommu, args->virt_id))
		return -EEXIST;
	vdev = iommufd_object_new(cmd->ctx, sizeof(*vdev), IOMMUFD_VDEVICE);
	if (!vdev)
		return -ENOMEM;
	vdev->ctx = cmd->ctx;
	vdev->viommu = viommu;
	vdev->idev = idev;
	vdev->virt_id = args->virt_id;
	vdev->viommu_next = viommu->vdevices;
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
	const struct iommufd_vdevice *const *link = &vdev->viommu->vdevices;
	struct iommufd_device *idev = image_write(vdev->idev);
	const struct iommufd_vdevice **slot;
	struct iommufd_vdevice *w;

	while (*link != vdev)
		link = &(*link)->viommu_next;
	slot = image_write(link);
	*slot = vdev->viommu_next;
	users_add(&vdev->viommu->obj, -1);
	idev->vdevice = NULL;
	idev->obj.users--;
	w = image_write(vdev);
	w->idev = NULL;
	w->viommu = NULL;
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
