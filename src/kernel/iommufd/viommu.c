/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vIOMMUs: a VM's share of the IOMMU above a device, over a nesting parent. What a type of vIOMMU
 * can do is its driver's; one type a machine, an extension, stands for the trusted half that belongs
 * to a confidential VM, and takes its VM from VFIO.
 */
#include "hardware/platform.h"
#include "kernel/iommufd/driver.h"
#include "kernel/kvm/kvm.h"
#include "kernel/vfio/vfio.h"

/* -- of confidential VMs ----------------------------------------------------------------------- */

static const uint32_t confidential_types[PLATFORMS] = {
	[PLATFORM_TDX] = IOMMU_VIOMMU_TYPE_TDX,
	[PLATFORM_SEV] = IOMMU_VIOMMU_TYPE_SEV,
	[PLATFORM_CCA] = IOMMU_VIOMMU_TYPE_CCA,
};

static int device_kvm(const struct iommufd_device *idev, const struct kvm **kvm)
{
	const struct vfio_device *vdev = idev->pdev ? vfio_device_of(idev->pdev) : NULL;

	*kvm = vdev ? vfio_device_kvm(vdev) : NULL;
	if (!*kvm)
		return -ENODEV;
	return kvm_is_confidential(*kvm) ? 0 : -EINVAL;
}

static int confidential_init(const struct iommufd_device *idev, struct iommufd_viommu *viommu,
			     const struct iommufd_user_data *data)
{
	const struct kvm *kvm;
	int rc = data->len ? -EINVAL : device_kvm(idev, &kvm);

	if (rc)
		return rc;
	viommu->kvm = kvm_file(kvm);
	kvm_file_get(viommu->kvm);
	return 0;
}

static const struct iommufd_viommu_ops confidential_ops = { .init = confidential_init };

/* -- of any ------------------------------------------------------------------------------------ */

static const struct iommufd_viommu_ops *type_ops(uint8_t driver_id, uint32_t type)
{
	const struct iommufd_driver *driver = iommufd_driver(driver_id);

	if (type == confidential_types[machine_platform()] && kernel_options()->extensions)
		return &confidential_ops;
	return driver->viommu_ops ? driver->viommu_ops(type) : NULL;
}

const struct iommufd_viommu_ops *iommufd_viommu_ops(const struct iommufd_viommu *viommu)
{
	return viommu->kvm ? &confidential_ops : type_ops(viommu->driver, viommu->type);
}

int iommufd_ioctl_viommu_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_viommu_alloc *args = cmd->args;
	const struct iommufd_user_data data = { args->type, args->data_len, args->data_uptr };
	const struct iommufd_viommu_ops *ops;
	const struct iommufd_device *idev;
	const struct iommufd_hwpt *hwpt;
	struct iommufd_viommu *viommu;
	int rc;

	if (args->flags || args->type == IOMMU_VIOMMU_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	idev = (const struct iommufd_device *)iommufd_find(cmd->ctx, args->dev_id, IOMMUFD_DEVICE);
	if (!idev)
		return -ENOENT;
	ops = type_ops(idev->group->driver, args->type);
	if (!ops)
		return -EOPNOTSUPP;
	hwpt = (const struct iommufd_hwpt *)iommufd_find(cmd->ctx, args->hwpt_id,
							 IOMMUFD_HWPT_PAGING);
	if (!hwpt)
		return -ENOENT;
	if (!hwpt->nest_parent)
		return -EINVAL;
	viommu = iommufd_object_new(cmd->ctx, sizeof(*viommu), IOMMUFD_VIOMMU);
	if (!viommu)
		return -ENOMEM;
	viommu->ctx = cmd->ctx;
	viommu->driver = idev->group->driver;
	viommu->type = args->type;
	viommu->hwpt = hwpt;
	iommufd_users_add(&hwpt->obj, 1);
	rc = ops->init(idev, viommu, &data);
	if (rc)
		return rc;
	args->out_viommu_id = viommu->obj.id;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	idtable_finalize(cmd->ctx->objects, &viommu->obj);
	return 0;
}

void iommufd_viommu_destroy(const struct idobject *object)
{
	const struct iommufd_viommu *viommu = (const struct iommufd_viommu *)object;
	const struct iommufd_viommu_ops *ops = iommufd_viommu_ops(viommu);
	const struct file *kvm = viommu->kvm;

	if (ops->destroy)
		ops->destroy(viommu);
	iommufd_users_add(&viommu->hwpt->obj, -1);
	image_free(viommu);
	if (kvm)
		kvm_file_put(kvm);
}

const struct iommufd_device *iommufd_viommu_device(const struct iommufd_viommu *viommu,
						   uint64_t virt_id)
{
	for (const struct iommufd_vdevice *vdev = viommu->vdevices; vdev; vdev = vdev->viommu_next)
		if (vdev->virt_id == virt_id)
			return vdev->idev;
	return NULL;
}

const struct iommufd_vdevice *iommufd_viommu_vdevice(const struct iommufd_viommu *viommu,
						     const struct iommufd_device *idev)
{
	for (const struct iommufd_vdevice *vdev = viommu->vdevices; vdev; vdev = vdev->viommu_next)
		if (vdev->idev == idev)
			return vdev;
	return NULL;
}
