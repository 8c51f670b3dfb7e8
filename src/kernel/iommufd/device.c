/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that VFIO bound to a context. Devices of one group share one page table, since the IOMMU
 * cannot tell them apart. A bound device reaches nothing before it is attached (attach.c), nor after
 * it is detached.
 */
#include "hardware/platform.h"
#include "kernel/iommufd/driver.h"

static const struct iommufd_group *group_find(uint32_t number)
{
	const struct iommufd_root *root = iommufd_root();

	for (const struct iommufd_group *group = root ? root->groups : NULL; group;
	     group = group->next)
		if (group->number == number)
			return group;
	return NULL;
}

const struct iommufd_device *iommufd_device_of(const struct pci_dev *pdev)
{
	const struct iommufd_group *group = group_find(pdev->group);

	for (const struct iommufd_device *idev = group ? group->devices : NULL; idev;
	     idev = idev->group_next)
		if (idev->pdev == pdev)
			return idev;
	return NULL;
}

const struct iommufd_ctx *iommufd_device_ctx(const struct iommufd_device *idev)
{
	return idev->ctx;
}

uint32_t iommufd_device_id(const struct iommufd_device *idev)
{
	return idev->obj.id;
}

static const struct iommufd_driver *driver_of(const struct iommufd_group *group)
{
	return iommufd_driver(group->driver);
}

/* -- binding ---------------------------------------------------------------------------------- */

static struct iommufd_group *group_new(const struct iommufd_ctx *ctx,
				       const struct iommufd_bind *bind)
{
	struct iommufd_root *root = image_write(iommufd_root());
	struct iommufd_group *group = image_alloc(sizeof(*group), IMAGE_TYPE_IOMMUFD_GROUP);

	if (!group)
		return NULL;
	group->number = bind->group;
	group->driver = bind->driver;
	group->ctx = ctx;
	group->next = root->groups;
	root->groups = group;
	return group;
}

static void group_free(const struct iommufd_group *group)
{
	const struct iommufd_group *const *link = &iommufd_root()->groups;
	const struct iommufd_group **slot;

	while (*link != group)
		link = &(*link)->next;
	slot = image_write(link);
	*slot = group->next;
	image_free(group);
}

int iommufd_bind(const struct iommufd_ctx *ctx, const struct iommufd_bind *bind,
		 const struct iommufd_device **result)
{
	const struct iommufd_group *group = group_find(bind->group);
	struct iommufd_device *idev;
	struct iommufd_group *w;
	int rc;

	if (group && group->ctx != ctx)
		return -EPERM;
	idev = iommufd_object_new(ctx, sizeof(*idev), IOMMUFD_DEVICE);
	if (!idev)
		return -ENOMEM;
	if (!group)
		group = group_new(ctx, bind);
	if (!group)
		return -ENOMEM;
	idev->obj.users = 2;		/* the table and the driver */
	idev->ctx = ctx;
	idev->pdev = bind->pdev;
	idev->mock = bind->mock;
	idev->group = group;
	idev->group_next = group->devices;
	rc = group->hwpt ? 0 : driver_of(group)->group_set(group, NULL);
	if (rc)
		return rc;
	w = image_write(group);
	w->devices = idev;
	if (!driver_of(group)->in_context)
		file_get(ctx->file);
	*result = idev;
	return 0;
}

int iommufd_device_bind(const struct iommufd_ctx *ctx, const struct pci_dev *pdev,
			const struct iommufd_device **result, uint32_t *id)
{
	static const uint8_t drivers[PLATFORMS] = {
		[PLATFORM_TDX] = IOMMUFD_DRIVER_VTD, [PLATFORM_SEV] = IOMMUFD_DRIVER_AMD,
		[PLATFORM_CCA] = IOMMUFD_DRIVER_SMMUV3 };
	const struct iommufd_bind bind = { .driver = drivers[machine_platform()],
					   .group = pdev->group, .pdev = pdev };
	struct trace_call call =
		TRACE_CALL(LANE_VFIO, LANE_IOMMUFD, "bind device", A("rid", pdev->rid));
	const struct iommufd_group *group = group_find(pdev->group);
	int rc = -EBUSY;

	if ((group && group->ctx != ctx) || !iommufd_device_of(pdev))
		rc = iommufd_bind(ctx, &bind, result);
	if (!rc) {
		idtable_finalize(ctx->objects, &(*result)->obj);
		*id = (*result)->obj.id;
		trace_arg_add(&call, "dev", *id);
	}
	trace_return(&call, rc, NULL);
	return rc;
}

static void group_remove(const struct iommufd_device *idev)
{
	const struct iommufd_group *group = idev->group;
	const struct iommufd_device *const *link = &group->devices;
	const struct iommufd_device **slot;

	while (*link != idev)
		link = &(*link)->group_next;
	slot = image_write(link);
	*slot = idev->group_next;
	if (group->devices)
		return;
	driver_of(group)->group_set(group, NULL);
	group_free(group);
}

void iommufd_device_unbind(const struct iommufd_device *idev)
{
	struct trace_call call = TRACE_CALL(LANE_VFIO, LANE_IOMMUFD, "unbind device",
					    A("rid", idev->pdev ? idev->pdev->rid : 0),
					    A("dev", idev->obj.id));
	const struct file *file = driver_of(idev->group)->in_context ? NULL : idev->ctx->file;
	struct iommufd_device *w = image_write(idev);
	const struct iommufd_vdevice *vdev = idev->vdevice;

	w->leaving = true;
	if (vdev && !vdev->destroying) {
		struct iommufd_vdevice *wv = image_write(vdev);

		wv->destroying = true;
		idtable_tombstone(idev->ctx->objects, vdev->obj.id);
	}
	if (vdev)
		iommufd_vdevice_destroy(vdev);
	while (idev->pasids)
		iommufd_device_detach(idev, idev->pasids->pasid);
	iommufd_device_detach(idev, TLP_NO_PASID);
	group_remove(idev);
	idtable_remove(idev->ctx->objects, idev->obj.id);
	image_free(idev);
	trace_return(&call, 0, NULL);
	if (file)
		file_put(file);
}
