/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested HWPTs: a guest's first stage, in the guest's own format and memory, over a nesting parent
 * or through a vIOMMU. The kernel does not look into the guest's tables; the guest says, through
 * HWPT_INVALIDATE, what hardware that has looked must forget.
 */
#include <string.h>

#include "kernel/iommufd/driver.h"

#define INVALIDATE_MAX (1u << 19)	/* entries a call: a bound on time in the kernel */

int iommufd_user_array_copy(void *to, size_t size, size_t min, uint32_t type,
			    const struct iommufd_user_array *array, uint32_t index)
{
	const struct iommufd_user_data entry = {
		array->type, array->entry_len, array->uptr + (uint64_t)array->entry_len * index };

	return iommufd_user_data_copy(to, size, min, type, &entry);
}

int iommufd_user_array_check(const struct iommufd_user_array *array, size_t size, uint32_t type)
{
	uint8_t entry[64];
	int rc = array->type != type || !array->entry_num || size > sizeof(entry) ? -EINVAL : 0;

	for (uint32_t i = 0; !rc && i < array->entry_num; i++)
		rc = copy_struct_from_user(entry, size, array->uptr + (uint64_t)array->entry_len * i,
					   array->entry_len);
	return rc;
}

static int below_check(const struct iommufd_device *idev, const struct idobject *below)
{
	const struct iommufd_hwpt *parent = (const struct iommufd_hwpt *)below;
	const struct iommufd_viommu *viommu = (const struct iommufd_viommu *)below;

	if (below->kind == IOMMUFD_VIOMMU)
		return viommu->driver == idev->group->driver ? 0 : -EINVAL;
	if (parent->automatic || !parent->nest_parent || parent->driver != idev->group->driver)
		return -EINVAL;
	return 0;
}

struct iommufd_hwpt *iommufd_nested_new(const struct iommufd_device *idev,
					const struct iommufd_hwpt *parent)
{
	struct iommufd_hwpt *nested =
		iommufd_object_new(idev->ctx, sizeof(*nested), IOMMUFD_HWPT_NESTED);

	if (!nested)
		return NULL;
	nested->ctx = idev->ctx;
	nested->driver = idev->group->driver;
	nested->parent = parent;
	nested->ioas = parent->ioas;
	return nested;
}

int iommufd_nested_create(const struct iommufd_device *idev, const struct idobject *below,
			  uint32_t flags, const struct iommufd_user_data *data,
			  const struct iommufd_hwpt **result)
{
	const struct iommufd_viommu *viommu =
		below->kind == IOMMUFD_VIOMMU ? (const struct iommufd_viommu *)below : NULL;
	int (*init)(const struct iommufd_device *, struct iommufd_hwpt *, uint32_t,
		    const struct iommufd_user_data *) =
		viommu ? iommufd_viommu_ops(viommu)->nested_init
		       : iommufd_driver(idev->group->driver)->nested_init;
	struct iommufd_hwpt *nested;
	int rc;

	if (viommu && below_check(idev, below))
		return -EINVAL;
	if (flags & ~(uint32_t)(IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID) ||
	    !data->len || !init)
		return -EOPNOTSUPP;
	rc = below_check(idev, below);
	if (rc)
		return rc;
	nested = iommufd_nested_new(idev, viommu ? viommu->hwpt : (const struct iommufd_hwpt *)below);
	if (!nested)
		return -ENOMEM;
	nested->viommu = viommu;
	nested->pasid = flags & IOMMU_HWPT_ALLOC_PASID;
	iommufd_users_add(below, 1);
	*result = nested;
	return init(idev, nested, flags & ~(uint32_t)IOMMU_HWPT_FAULT_ID_VALID, data);
}

void iommufd_nested_destroy(const struct idobject *object)
{
	const struct iommufd_hwpt *nested = (const struct iommufd_hwpt *)object;

	if (nested->fault)
		iommufd_users_add(&nested->fault->obj, -1);
	iommufd_driver(nested->driver)->nested_free(nested);
	iommufd_users_add(nested->viommu ? &nested->viommu->obj : &nested->parent->obj, -1);
	image_free(nested);
}

/* -- invalidation ----------------------------------------------------------------------------- */

static int invalidate_by_kind(const struct idobject *object, struct iommufd_user_array *array)
{
	const struct iommufd_hwpt *nested = (const struct iommufd_hwpt *)object;
	const struct iommufd_viommu *viommu = (const struct iommufd_viommu *)object;
	const struct iommufd_viommu_ops *ops;

	if (object->kind == IOMMUFD_HWPT_NESTED) {
		const struct iommufd_driver *driver = iommufd_driver(nested->driver);

		return driver->nested_invalidate ? driver->nested_invalidate(nested, array)
						 : -EOPNOTSUPP;
	}
	if (object->kind != IOMMUFD_VIOMMU)
		return -EINVAL;
	ops = iommufd_viommu_ops(viommu);
	return ops->invalidate ? ops->invalidate(viommu, array) : -EOPNOTSUPP;
}

static int invalidate(const struct iommufd_cmd *cmd, const struct iommu_hwpt_invalidate *args,
		      uint32_t *done)
{
	struct iommufd_user_array array = { .type = args->data_type, .entry_len = args->entry_len,
					    .entry_num = args->entry_num,
					    .uptr = args->data_uptr };
	const struct idobject *object;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->entry_num && (!args->data_uptr || !args->entry_len ||
				args->entry_len > PHYS_PAGE || args->entry_num > INVALIDATE_MAX))
		return -EINVAL;
	object = iommufd_find(cmd->ctx, args->hwpt_id, IOMMUFD_ANY);
	if (!object)
		return -ENOENT;
	rc = invalidate_by_kind(object, &array);
	*done = array.done;
	return rc;
}

/* Entries that were carried out before a bad one stay so: what was forgotten cannot come back. */
int iommufd_ioctl_invalidate(struct iommufd_cmd *cmd)
{
	struct iommu_hwpt_invalidate *args = cmd->args;
	uint32_t done = 0;
	int rc = invalidate(cmd, args, &done);

	image_commit();
	args->entry_num = done;
	return iommufd_respond(cmd, sizeof(*args)) ? -EFAULT : rc;
}
