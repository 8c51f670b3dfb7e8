/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices: attaching to a space, and who is attached to one. */
#include "kernel/ioasid/internal.h"

int ioasid_each_attached(const struct ioasid_ctx *ctx, const struct iommufd_hwpt *hwpt,
			 int (*fn)(const struct iommufd_device *idev, uint32_t pasid, void *arg),
			 void *arg)
{
	const struct idobject *object;
	uint32_t id = 0;
	int rc = 0;

	for (; !rc && (object = idtable_next(ctx->iommufd->objects, &id)); id++) {
		const struct iommufd_device *idev = (const struct iommufd_device *)object;

		if (object->kind != IOMMUFD_DEVICE)
			continue;
		if (iommufd_attached_hwpt(idev, TLP_NO_PASID) == hwpt)
			rc = fn(idev, TLP_NO_PASID, arg);
		for (const struct iommufd_pasid *p = idev->pasids; !rc && p; p = p->next)
			if (p->hwpt == hwpt)
				rc = fn(idev, p->pasid, arg);
	}
	return rc;
}

static int count_one(const struct iommufd_device *idev, uint32_t pasid, void *arg)
{
	uint32_t *count = arg;

	(void)idev, (void)pasid;
	++*count;
	return 0;
}

uint32_t ioasid_attached_count(const struct ioasid *space)
{
	uint32_t count = 0;

	if (space->hwpt)
		ioasid_each_attached(space->ctx, space->hwpt, count_one, &count);
	return count;
}

int ioasid_device_attach(const struct ioasid_ctx *ctx, const struct iommufd_device *idev,
			 uint32_t pasid, uint32_t ioasid)
{
	struct trace_call call = TRACE_CALL(LANE_VFIO, LANE_IOASID, "attach", A("ioasid", ioasid),
					    A("label", idev->obj.id), A("pasid", pasid));
	const struct ioasid *space = ioasid_find(ctx, ioasid);
	const struct iommufd_hwpt *hwpt;
	uint32_t pt_id;
	int rc = space ? ioasid_hwpt(space, idev, &hwpt) : -ENOENT;

	if (!rc) {
		pt_id = hwpt->obj.id;
		rc = iommufd_device_attach(idev, pasid, &pt_id);
	}
	trace_return(&call, rc, NULL);
	return rc;
}

int ioasid_device_detach(const struct ioasid_ctx *ctx, const struct iommufd_device *idev,
			 uint32_t pasid, uint32_t ioasid)
{
	struct trace_call call = TRACE_CALL(LANE_VFIO, LANE_IOASID, "detach", A("ioasid", ioasid),
					    A("label", idev->obj.id), A("pasid", pasid));
	const struct ioasid *space = ioasid_find(ctx, ioasid);
	int rc = -ENOENT;

	if (space && space->hwpt && iommufd_attached_hwpt(idev, pasid) == space->hwpt) {
		iommufd_device_detach(idev, pasid);
		rc = 0;
	}
	trace_return(&call, rc, NULL);
	return rc;
}
