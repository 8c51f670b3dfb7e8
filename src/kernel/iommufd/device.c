/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that VFIO bound to a context, and what their DMA goes through. Devices of one group share
 * one page table, since the IOMMU cannot tell them apart. A bound device reaches nothing before it
 * is attached, nor after it is detached.
 */
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

bool iommufd_device_attached(const struct iommufd_device *idev)
{
	return idev->attached;
}

static void users_add(const struct idobject *object, int n)
{
	struct idobject *w = image_write(object);

	w->users += (uint32_t)n;
}

static const struct iommufd_driver *driver_of(const struct iommufd_group *group)
{
	return iommufd_driver(group->driver);
}

/* What interrupt messages take of the IOVAs of whoever a device of the group attaches to. */
static int msi_reserve(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	const struct iommu_iova_range *msi = &driver_of(group)->msi;

	return msi->last ? iopt_reserve(hwpt->ioas, msi->start, msi->last) : 0;
}

static void msi_unreserve(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	const struct iommu_iova_range *msi = &driver_of(group)->msi;

	if (msi->last)
		iopt_unreserve(hwpt->ioas, msi->start, msi->last);
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
	const struct iommufd_bind bind = { .driver = IOMMUFD_DRIVER_VTD, .group = pdev->group,
					   .pdev = pdev };
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

/* -- attaching -------------------------------------------------------------------------------- */

static void hwpt_put(const struct iommufd_hwpt *hwpt)
{
	users_add(&hwpt->obj, -1);
	if (hwpt->automatic && hwpt->obj.users == 1)
		iommufd_destroy_object(hwpt->ctx, &hwpt->obj);
}

static int group_attach(const struct iommufd_device *idev, const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_group *group = idev->group;
	struct iommufd_device *wi = image_write(idev);
	struct iommufd_group *wg = image_write(group);
	int rc;

	if (group->hwpt && group->hwpt != hwpt)
		return -EINVAL;
	rc = msi_reserve(group, hwpt);
	if (rc)
		return rc;
	if (!group->attached)
		rc = driver_of(group)->group_set(group, hwpt);
	if (rc)
		return rc;
	wg->hwpt = hwpt;
	wg->attached++;
	wi->attached = true;
	wi->obj.users++;
	users_add(&hwpt->obj, 1);
	return 0;
}

/* From one page table to the other, for the whole group, with nothing in between. */
static int group_replace(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_hwpt *old = group->hwpt;
	struct iommufd_group *wg = image_write(group);
	int rc = 0;

	if (old == hwpt)
		return 0;
	for (uint32_t i = 0; !rc && i < group->attached; i++)
		rc = msi_reserve(group, hwpt);
	if (!rc)
		rc = driver_of(group)->group_set(group, hwpt);
	if (rc)
		return rc;
	wg->hwpt = hwpt;
	users_add(&hwpt->obj, (int)group->attached);
	for (uint32_t i = 0; i < group->attached; i++)
		msi_unreserve(group, old);
	iommufd_hwpt_flush(old, 0, UINT64_MAX);
	for (uint32_t i = group->attached; i-- > 0;)
		hwpt_put(old);
	return 0;
}

static const struct iommufd_pasid *const *pasid_link(const struct iommufd_device *idev,
						     uint32_t pasid)
{
	const struct iommufd_pasid *const *link = &idev->pasids;

	while (*link && (*link)->pasid != pasid)
		link = &(*link)->next;
	return link;
}

static int pasid_attach(const struct iommufd_device *idev, uint32_t pasid,
			const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_pasid *const *link = pasid_link(idev, pasid);
	const struct iommufd_hwpt *old = *link ? (*link)->hwpt : NULL;
	struct iommufd_pasid *entry;
	struct iommufd_device *wi;
	int rc;

	if (!hwpt->pasid || !idev->group->hwpt || !idev->group->hwpt->pasid)
		return -EINVAL;
	if (old == hwpt)
		return 0;
	rc = msi_reserve(idev->group, hwpt);
	if (!rc)
		rc = driver_of(idev->group)->pasid_set(idev, pasid, hwpt);
	if (rc)
		return rc;
	users_add(&hwpt->obj, 1);
	if (old) {
		entry = image_write(*link);
		entry->hwpt = hwpt;
		msi_unreserve(idev->group, old);
		iommufd_hwpt_flush(old, 0, UINT64_MAX);
		hwpt_put(old);
		return 0;
	}
	entry = image_alloc(sizeof(*entry), IMAGE_TYPE_IOMMUFD_GROUP);
	if (!entry)
		return -ENOMEM;
	entry->pasid = pasid;
	entry->hwpt = hwpt;
	entry->next = idev->pasids;
	wi = image_write(idev);
	wi->pasids = entry;
	wi->obj.users++;
	return 0;
}

static int attach_hwpt(const struct iommufd_device *idev, uint32_t pasid,
		       const struct iommufd_hwpt *hwpt)
{
	if (hwpt->fault)
		return -ENODEV;		/* no device here makes page requests */
	if (pasid != TLP_NO_PASID)
		return pasid_attach(idev, pasid, hwpt);
	return idev->attached ? group_replace(idev->group, hwpt) : group_attach(idev, hwpt);
}

/* The first page table of the IOAS that was made this way and suits, or a new one. */
static int attach_ioas(const struct iommufd_device *idev, uint32_t pasid,
		       const struct iommufd_ioas *ioas, uint32_t *pt_id)
{
	const struct iommufd_user_data none = { .len = 0 };
	const struct iommufd_hwpt *hwpt;
	struct iommufd_hwpt *w;
	int rc;

	for (hwpt = ioas->hwpts; hwpt; hwpt = hwpt->ioas_next) {
		if (!hwpt->automatic || hwpt->driver != idev->group->driver)
			continue;
		rc = attach_hwpt(idev, pasid, hwpt);
		if (rc == -EINVAL)
			continue;
		if (!rc)
			*pt_id = hwpt->obj.id;
		return rc;
	}
	rc = iommufd_hwpt_create(idev, ioas, 0, &none, &hwpt);
	if (rc)
		return rc;
	rc = attach_hwpt(idev, pasid, hwpt);
	if (rc)
		return rc;
	w = image_write(hwpt);
	w->automatic = true;
	idtable_finalize(idev->ctx->objects, &hwpt->obj);
	*pt_id = hwpt->obj.id;
	return 0;
}

int iommufd_device_attach(const struct iommufd_device *idev, uint32_t pasid, uint32_t *pt_id)
{
	struct trace_call call =
		TRACE_CALL(LANE_VFIO, LANE_IOMMUFD, "attach", A("dev", idev->obj.id),
			   A("pasid", pasid), A("pt", *pt_id));
	const struct idobject *object = iommufd_find(idev->ctx, *pt_id, IOMMUFD_ANY);
	int rc;

	if (!object)
		rc = -ENOENT;
	else if (object->kind == IOMMUFD_HWPT_PAGING)
		rc = attach_hwpt(idev, pasid, (const struct iommufd_hwpt *)object);
	else if (object->kind == IOMMUFD_IOAS)
		rc = attach_ioas(idev, pasid, (const struct iommufd_ioas *)object, pt_id);
	else
		rc = -EINVAL;
	trace_arg_add(&call, "hwpt", rc ? 0 : *pt_id);
	trace_return(&call, rc, NULL);
	return rc;
}

static void pasid_detach(const struct iommufd_device *idev, uint32_t pasid)
{
	const struct iommufd_pasid *const *link = pasid_link(idev, pasid);
	const struct iommufd_pasid *entry = *link;
	const struct iommufd_pasid **slot;
	const struct iommufd_hwpt *hwpt;

	if (!entry)
		return;
	hwpt = entry->hwpt;
	driver_of(idev->group)->pasid_set(idev, pasid, NULL);
	iommufd_hwpt_flush(hwpt, 0, UINT64_MAX);
	slot = image_write(link);
	*slot = entry->next;
	image_free(entry);
	users_add(&idev->obj, -1);
	msi_unreserve(idev->group, hwpt);
	hwpt_put(hwpt);
}

void iommufd_device_detach(const struct iommufd_device *idev, uint32_t pasid)
{
	const struct iommufd_group *group = idev->group;
	const struct iommufd_hwpt *hwpt = group->hwpt;
	struct iommufd_device *wi;
	struct iommufd_group *wg;
	struct trace_call call;

	if (pasid == TLP_NO_PASID ? !idev->attached : !*pasid_link(idev, pasid))
		return;
	call = TRACE_CALL(LANE_VFIO, LANE_IOMMUFD, "detach", A("dev", idev->obj.id),
			  A("pasid", pasid));
	if (pasid != TLP_NO_PASID) {
		pasid_detach(idev, pasid);
		trace_return(&call, 0, NULL);
		return;
	}
	wi = image_write(idev);
	wg = image_write(group);
	wi->attached = false;
	wi->obj.users--;
	if (!--wg->attached) {
		driver_of(group)->group_set(group, NULL);
		iommufd_hwpt_flush(hwpt, 0, UINT64_MAX);
		wg->hwpt = NULL;
	}
	msi_unreserve(group, hwpt);
	hwpt_put(hwpt);
	trace_return(&call, 0, NULL);
}
