/* SPDX-License-Identifier: BSD-2-Clause */
/* Mock devices: making, attaching and destroying them. Each is an IOMMU group of its own. */
#include "kernel/iommufd/mock/mock.h"

const struct iommufd_selftest *mock_selftest_find(const struct iommufd_ctx *ctx, uint32_t id)
{
	return (const struct iommufd_selftest *)iommufd_find(ctx, id, IOMMUFD_SELFTEST);
}

static uint32_t group_unused(void)
{
	uint32_t highest = IOMMUFD_GROUP_MOCK;

	for (const struct iommufd_group *group = iommufd_root()->groups; group;
	     group = group->next)
		if (group->number > highest)
			highest = group->number;
	return highest + 1;
}

static int dev_create(const struct iommufd_ctx *ctx, uint32_t flags,
		      const struct iommufd_device **idev)
{
	struct iommufd_bind bind = { .driver = IOMMUFD_DRIVER_MOCK };
	struct mock_dev *dev;
	int rc;

	if (flags & ~(uint32_t)(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID))
		return -EINVAL;
	dev = image_alloc(sizeof(*dev), IMAGE_TYPE_MOCK);
	if (!dev)
		return -ENOMEM;
	dev->flags = flags;
	for (unsigned int i = 0; i < MOCK_DEV_CACHE_NUM; i++)
		dev->cache[i] = IOMMU_TEST_DEV_CACHE_DEFAULT;
	bind.mock = dev;
	bind.group = group_unused();
	rc = iommufd_bind(ctx, &bind, idev);
	if (!rc)
		idtable_finalize(ctx->objects, &(*idev)->obj);
	return rc;
}

int mock_domain(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	uint32_t pt_id = args->id, flags = 0;
	struct iommufd_selftest *selftest;
	int rc;

	if (args->op == IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS)
		flags = args->mock_domain.dev_flags;
	selftest = iommufd_object_new(cmd->ctx, sizeof(*selftest), IOMMUFD_SELFTEST);
	if (!selftest)
		return -ENOMEM;
	rc = dev_create(cmd->ctx, flags, &selftest->idev);
	if (rc)
		return rc;
	selftest->dev = selftest->idev->mock;
	rc = iommufd_device_attach(selftest->idev, TLP_NO_PASID, &pt_id);
	if (rc)
		return rc;
	args->mock_domain.out_hwpt_id = pt_id;
	args->mock_domain.out_stdev_id = selftest->obj.id;
	args->mock_domain.out_idev_id = selftest->idev->obj.id;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	idtable_finalize(cmd->ctx->objects, &selftest->obj);
	return 0;
}

void iommufd_selftest_destroy(const struct idobject *object)
{
	const struct iommufd_selftest *selftest = (const struct iommufd_selftest *)object;

	iommufd_device_unbind(selftest->idev);
	image_free(selftest->dev);
	image_free(selftest);
}

int mock_domain_replace(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_selftest *selftest = mock_selftest_find(cmd->ctx, args->id);
	uint32_t pt_id = args->mock_domain_replace.pt_id;
	int rc;

	if (!selftest)
		return -ENOENT;
	rc = iommufd_attach(selftest->idev, TLP_NO_PASID, IOMMUFD_REPLACE, &pt_id);
	if (rc)
		return rc;
	args->mock_domain_replace.pt_id = pt_id;
	return iommufd_respond(cmd, sizeof(*args));
}

int mock_dev_check_cache(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_device *idev =
		(const struct iommufd_device *)iommufd_find(cmd->ctx, args->id, IOMMUFD_DEVICE);

	if (!idev)
		return -ENOENT;
	if (!idev->mock || args->check_dev_cache.id >= MOCK_DEV_CACHE_NUM ||
	    idev->mock->cache[args->check_dev_cache.id] != args->check_dev_cache.cache)
		return -EINVAL;
	return 0;
}

/* -- address spaces by PASID ------------------------------------------------------------------- */

/* To a mock device PASID 0 is the requests without one, as the kernel has it. */
static uint32_t pasid_of(uint32_t pasid)
{
	return pasid ? pasid : TLP_NO_PASID;
}

static int pasid_change(struct iommufd_cmd *cmd, struct iommu_test_cmd *args, enum iommufd_how how)
{
	const struct iommufd_selftest *selftest = mock_selftest_find(cmd->ctx, args->id);
	uint32_t pt_id = args->pasid_attach.pt_id;
	int rc;

	if (!selftest)
		return -ENOENT;
	rc = iommufd_attach(selftest->idev, pasid_of(args->pasid_attach.pasid), how, &pt_id);
	/* What the failure changed in the device stays, as a failure of hardware would. */
	if (rc == -ENOMEM)
		image_commit();
	if (rc)
		return rc;
	args->pasid_attach.pt_id = pt_id;
	return iommufd_respond(cmd, sizeof(*args));
}

int mock_pasid_attach(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	return pasid_change(cmd, args, IOMMUFD_ATTACH);
}

int mock_pasid_replace(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	return pasid_change(cmd, args, IOMMUFD_REPLACE);
}

int mock_pasid_detach(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_selftest *selftest = mock_selftest_find(cmd->ctx, args->id);

	if (!selftest)
		return -ENOENT;
	iommufd_device_detach(selftest->idev, pasid_of(args->pasid_detach.pasid));
	return 0;
}

int mock_pasid_check_hwpt(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_selftest *selftest = mock_selftest_find(cmd->ctx, args->id);
	const struct idobject *object;
	const struct iommufd_hwpt *hwpt;

	if (!selftest)
		return -ENOENT;
	hwpt = iommufd_attached_hwpt(selftest->idev, pasid_of(args->pasid_check.pasid));
	if (!args->pasid_check.hwpt_id)
		return hwpt ? -EINVAL : 0;
	object = iommufd_find(cmd->ctx, args->pasid_check.hwpt_id, IOMMUFD_ANY);
	if (!object)
		return -ENOENT;
	return hwpt && &hwpt->obj == object ? 0 : -EINVAL;
}
