/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching: what a bound device's requests go through, those without a PASID (of the whole group)
 * and those of each PASID. A replace leaves no moment in between, and one that fails leaves all as
 * it was.
 */
#include "kernel/iommufd/driver.h"

static const struct iommufd_driver *driver_of(const struct iommufd_group *group)
{
	return iommufd_driver(group->driver);
}

static const struct iommufd_pasid *const *pasid_link(const struct iommufd_device *idev,
						     uint32_t pasid)
{
	const struct iommufd_pasid *const *link = &idev->pasids;

	while (*link && (*link)->pasid != pasid)
		link = &(*link)->next;
	return link;
}

const struct iommufd_hwpt *iommufd_attached_hwpt(const struct iommufd_device *idev, uint32_t pasid)
{
	const struct iommufd_pasid *entry;

	if (pasid == TLP_NO_PASID)
		return idev->attached ? idev->group->hwpt : NULL;
	entry = *pasid_link(idev, pasid);
	return entry ? entry->hwpt : NULL;
}

bool iommufd_device_attached(const struct iommufd_device *idev)
{
	return idev->attached;
}

/* -- rules ------------------------------------------------------------------------------------- */

/* What messages take of the IOVAs of whoever a device of the group attaches to. */
static int messages_reserve(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	const struct iommu_iova_range *range = driver_of(group)->reserved;
	int rc = 0;

	for (unsigned int i = 0; !rc && i < RESERVED_MAX && range[i].last; i++)
		rc = iopt_reserve(hwpt->ioas, range[i].start, range[i].last);
	return rc;
}

static void messages_unreserve(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	const struct iommu_iova_range *range = driver_of(group)->reserved;

	for (unsigned int i = 0; i < RESERVED_MAX && range[i].last; i++)
		iopt_unreserve(hwpt->ioas, range[i].start, range[i].last);
}

/* Where PASIDs are in use, every HWPT of the group must have been made for that. */
static int pasid_compatible(const struct iommufd_group *group, uint32_t pasid,
			    const struct iommufd_hwpt *hwpt)
{
	if (pasid != TLP_NO_PASID)
		return hwpt->pasid && (!group->hwpt || group->hwpt->pasid) ? 0 : -EINVAL;
	for (const struct iommufd_device *idev = group->devices; idev; idev = idev->group_next)
		if (idev->pasids && !hwpt->pasid)
			return -EINVAL;
	return 0;
}

/* Does the device's IOMMU know this kind of page table at all? */
static int driver_compatible(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	return hwpt->driver == group->driver ? 0 : -EINVAL;
}

static int set(const struct iommufd_device *idev, uint32_t pasid, const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_group *group = idev->group;
	int rc = pasid_compatible(group, pasid, hwpt);

	if (!rc)
		rc = driver_compatible(group, hwpt);
	if (rc)
		return rc;
	if (pasid == TLP_NO_PASID)
		return driver_of(group)->group_set(group, hwpt);
	return driver_of(group)->pasid_set(idev, pasid, hwpt);
}

static void hwpt_put(const struct iommufd_hwpt *hwpt)
{
	iommufd_users_add(&hwpt->obj, -1);
	if (hwpt->automatic && hwpt->obj.users == 1)
		iommufd_destroy_object(hwpt->ctx, &hwpt->obj);
}

/* Nothing goes through `hwpt` on behalf of the group any more. */
static void left(const struct iommufd_group *group, uint32_t pasid, const struct iommufd_hwpt *hwpt)
{
	iommufd_fault_forget(hwpt, group, pasid);
	iommufd_hwpt_flush(hwpt, 0, UINT64_MAX);
}

/* -- requests without a PASID ------------------------------------------------------------------ */

static int group_attach(const struct iommufd_device *idev, const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_group *group = idev->group;
	struct iommufd_device *wi = image_write(idev);
	struct iommufd_group *wg = image_write(group);
	int rc;

	if (idev->attached)
		return -EBUSY;
	if (group->hwpt && group->hwpt != hwpt)
		return -EINVAL;
	rc = messages_reserve(group, hwpt);
	if (!rc && !group->attached)
		rc = set(idev, TLP_NO_PASID, hwpt);
	if (rc)
		return rc;
	wg->hwpt = hwpt;
	wg->attached++;
	wi->attached = true;
	wi->obj.users++;
	iommufd_users_add(&hwpt->obj, 1);
	return 0;
}

static int group_replace(const struct iommufd_device *idev, const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_group *group = idev->group;
	const struct iommufd_hwpt *old = group->hwpt;
	struct iommufd_group *wg = image_write(group);
	int rc = 0;

	if (!idev->attached)
		return -EINVAL;
	if (old == hwpt)
		return 0;
	for (uint32_t i = 0; !rc && i < group->attached; i++)
		rc = messages_reserve(group, hwpt);
	if (!rc)
		rc = set(idev, TLP_NO_PASID, hwpt);
	if (rc)
		return rc;
	wg->hwpt = hwpt;
	iommufd_users_add(&hwpt->obj, (int)group->attached);
	for (uint32_t i = 0; i < group->attached; i++)
		messages_unreserve(group, old);
	left(group, TLP_NO_PASID, old);
	for (uint32_t i = group->attached; i-- > 0;)
		hwpt_put(old);
	return 0;
}

static void group_detach(const struct iommufd_device *idev)
{
	const struct iommufd_group *group = idev->group;
	const struct iommufd_hwpt *hwpt = group->hwpt;
	struct iommufd_device *wi = image_write(idev);
	struct iommufd_group *wg = image_write(group);

	wi->attached = false;
	wi->obj.users--;
	if (!--wg->attached) {
		driver_of(group)->group_set(group, NULL);
		left(group, TLP_NO_PASID, hwpt);
		wg->hwpt = NULL;
	}
	messages_unreserve(group, hwpt);
	hwpt_put(hwpt);
}

/* -- requests with one ------------------------------------------------------------------------- */

static int pasid_attach(const struct iommufd_device *idev, uint32_t pasid,
			const struct iommufd_hwpt *hwpt)
{
	struct iommufd_device *wi = image_write(idev);
	struct iommufd_pasid *entry;
	int rc;

	if (*pasid_link(idev, pasid))
		return -EBUSY;
	rc = set(idev, pasid, hwpt);
	if (rc)
		return rc;
	entry = image_alloc(sizeof(*entry), IMAGE_TYPE_IOMMUFD_GROUP);
	if (!entry)
		return -ENOMEM;
	entry->pasid = pasid;
	entry->hwpt = hwpt;
	entry->next = idev->pasids;
	wi->pasids = entry;
	wi->obj.users++;
	iommufd_users_add(&hwpt->obj, 1);
	return 0;
}

static int pasid_replace(const struct iommufd_device *idev, uint32_t pasid,
			 const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_pasid *entry = *pasid_link(idev, pasid);
	const struct iommufd_hwpt *old;
	struct iommufd_pasid *w;
	int rc;

	if (!entry)
		return -EINVAL;
	old = entry->hwpt;
	if (old == hwpt)
		return 0;
	rc = set(idev, pasid, hwpt);
	if (rc)
		return rc;
	w = image_write(entry);
	w->hwpt = hwpt;
	iommufd_users_add(&hwpt->obj, 1);
	left(idev->group, pasid, old);
	hwpt_put(old);
	return 0;
}

static void pasid_detach(const struct iommufd_device *idev, uint32_t pasid)
{
	const struct iommufd_pasid *const *link = pasid_link(idev, pasid);
	const struct iommufd_pasid *entry = *link;
	const struct iommufd_hwpt *hwpt = entry->hwpt;
	const struct iommufd_pasid **slot;

	driver_of(idev->group)->pasid_set(idev, pasid, NULL);
	left(idev->group, pasid, hwpt);
	slot = image_write(link);
	*slot = entry->next;
	image_free(entry);
	iommufd_users_add(&idev->obj, -1);
	hwpt_put(hwpt);
}

/* -- to what ----------------------------------------------------------------------------------- */

static int change_hwpt(const struct iommufd_device *idev, uint32_t pasid, enum iommufd_how how,
		       const struct iommufd_hwpt *hwpt)
{
	static int (*const group[])(const struct iommufd_device *, const struct iommufd_hwpt *) = {
		[IOMMUFD_ATTACH] = group_attach, [IOMMUFD_REPLACE] = group_replace };
	static int (*const one[])(const struct iommufd_device *, uint32_t,
				  const struct iommufd_hwpt *) = {
		[IOMMUFD_ATTACH] = pasid_attach, [IOMMUFD_REPLACE] = pasid_replace };

	return pasid == TLP_NO_PASID ? group[how](idev, hwpt) : one[how](idev, pasid, hwpt);
}

/* The first page table of the IOAS that was made this way and suits, or a new one. */
static int change_ioas(const struct iommufd_device *idev, uint32_t pasid, enum iommufd_how how,
		       const struct iommufd_ioas *ioas, uint32_t *pt_id)
{
	const struct iommufd_user_data none = { .len = 0 };
	const struct iommufd_hwpt *hwpt;
	struct iommufd_hwpt *w;
	int rc;

	for (hwpt = ioas->hwpts; hwpt; hwpt = hwpt->ioas_next) {
		if (!hwpt->automatic)
			continue;
		rc = change_hwpt(idev, pasid, how, hwpt);
		if (rc == -EINVAL)
			continue;
		if (!rc)
			*pt_id = hwpt->obj.id;
		return rc;
	}
	/* A first attach comes before the tables are filled, a replace after it. */
	rc = iommufd_hwpt_new(idev, ioas, 0, &none, &hwpt);
	if (!rc && how == IOMMUFD_REPLACE)
		rc = iopt_add_hwpt(ioas, hwpt);
	if (!rc)
		rc = change_hwpt(idev, pasid, how, hwpt);
	if (!rc && how == IOMMUFD_ATTACH)
		rc = iopt_add_hwpt(ioas, hwpt);
	if (rc)
		return rc;
	w = image_write(hwpt);
	w->automatic = true;
	idtable_finalize(idev->ctx->objects, &hwpt->obj);
	*pt_id = hwpt->obj.id;
	return 0;
}

int iommufd_attach(const struct iommufd_device *idev, uint32_t pasid, enum iommufd_how how,
		   uint32_t *pt_id)
{
	const struct idobject *object = iommufd_find(idev->ctx, *pt_id, IOMMUFD_ANY);

	if (!object)
		return -ENOENT;
	if (object->kind == IOMMUFD_HWPT_PAGING || object->kind == IOMMUFD_HWPT_NESTED)
		return change_hwpt(idev, pasid, how, (const struct iommufd_hwpt *)object);
	if (object->kind == IOMMUFD_IOAS)
		return change_ioas(idev, pasid, how, (const struct iommufd_ioas *)object, pt_id);
	return -EINVAL;
}

int iommufd_device_attach(const struct iommufd_device *idev, uint32_t pasid, uint32_t *pt_id)
{
	struct trace_call call =
		TRACE_CALL(LANE_VFIO, LANE_IOMMUFD, "attach", A("dev", idev->obj.id),
			   A("pasid", pasid), A("pt", *pt_id));
	bool attached = iommufd_attached_hwpt(idev, pasid);
	int rc = iommufd_attach(idev, pasid, attached ? IOMMUFD_REPLACE : IOMMUFD_ATTACH, pt_id);

	trace_arg_add(&call, "hwpt", rc ? 0 : *pt_id);
	trace_return(&call, rc, NULL);
	return rc;
}

void iommufd_device_detach(const struct iommufd_device *idev, uint32_t pasid)
{
	struct trace_call call;

	if (!iommufd_attached_hwpt(idev, pasid))
		return;
	call = TRACE_CALL(LANE_VFIO, LANE_IOMMUFD, "detach", A("dev", idev->obj.id),
			  A("pasid", pasid));
	if (pasid == TLP_NO_PASID)
		group_detach(idev);
	else
		pasid_detach(idev, pasid);
	trace_return(&call, 0, NULL);
}
