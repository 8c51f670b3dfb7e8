/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware page tables, whatever the IOMMU; and what it says of itself. */
#include <string.h>

#include "kernel/iommufd/driver.h"

static const struct iommufd_device *device_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_device *)iommufd_find(cmd->ctx, id, IOMMUFD_DEVICE);
}

static const struct iommufd_hwpt *hwpt_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_hwpt *)iommufd_find(cmd->ctx, id, IOMMUFD_HWPT_PAGING);
}

const struct iommufd_driver *iommufd_driver(uint8_t id)
{
	static const struct iommufd_driver *const drivers[IOMMUFD_DRIVER_MAX] = {
		[IOMMUFD_DRIVER_VTD] = &iommufd_driver_vtd,
		[IOMMUFD_DRIVER_AMD] = &iommufd_driver_amd,
		[IOMMUFD_DRIVER_SMMUV3] = &iommufd_driver_smmuv3,
		[IOMMUFD_DRIVER_MOCK] = &iommufd_driver_mock,
	};

	return drivers[id];
}

int iommufd_user_data_copy(void *to, size_t size, size_t min, uint32_t type,
			   const struct iommufd_user_data *data)
{
	if (data->type != type || data->len < min || data->len > size)
		return -EINVAL;
	memset(to, 0, size);
	return copy_from_user(to, data->uptr, data->len);
}

int iommufd_user_data_reply(const struct iommufd_user_data *data, const void *from, size_t size,
			    size_t min, uint32_t type)
{
	if (data->type != type || data->len < min || data->len > size)
		return -EINVAL;
	return copy_to_user(data->uptr, from, data->len);
}

/* What the HWPT's tables can reach. */
struct iommu_iova_range iommufd_hwpt_aperture(const struct iommufd_hwpt *hwpt)
{
	struct iommu_iova_range range = hwpt->aperture;
	uint64_t highest = pt_page(&hwpt->pt) * (1ull << 9 * hwpt->pt.levels) - 1;

	range.last = range.last < highest ? range.last : highest;
	return range;
}

void iommufd_hwpt_flush(const struct iommufd_hwpt *hwpt, uint64_t first, uint64_t last)
{
	const struct iommufd_driver *driver = iommufd_driver(hwpt->driver);

	if (driver->flush)
		driver->flush(hwpt, first, last);
}

int iommufd_hwpt_new(const struct iommufd_device *idev, const struct iommufd_ioas *ioas,
		     uint32_t flags, const struct iommufd_user_data *data,
		     const struct iommufd_hwpt **result)
{
	const struct iommufd_driver *driver = iommufd_driver(idev->group->driver);
	struct iommufd_hwpt *hwpt;
	int rc;

	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING && !driver->dirty_capable(idev))
		return -EOPNOTSUPP;
	hwpt = iommufd_object_new(ioas->ctx, sizeof(*hwpt), IOMMUFD_HWPT_PAGING);
	if (!hwpt)
		return -ENOMEM;
	hwpt->ctx = ioas->ctx;
	hwpt->ioas = ioas;
	hwpt->driver = idev->group->driver;
	hwpt->nest_parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	hwpt->pasid = flags & IOMMU_HWPT_ALLOC_PASID;
	hwpt->dirty = flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	hwpt->aperture = driver->aperture;
	rc = driver->hwpt_init(idev, hwpt, flags, data);
	if (!hwpt->pgsizes)
		hwpt->pgsizes = pt_page_sizes((enum pt_format)hwpt->pt.format);
	*result = hwpt;
	return rc;
}

int iommufd_hwpt_create(const struct iommufd_device *idev, const struct iommufd_ioas *ioas,
			uint32_t flags, const struct iommufd_user_data *data,
			const struct iommufd_hwpt **hwpt)
{
	int rc = iommufd_hwpt_new(idev, ioas, flags, data, hwpt);

	return rc ? rc : iopt_add_hwpt(ioas, *hwpt);
}

void iommufd_hwpt_destroy(const struct idobject *object)
{
	const struct iommufd_hwpt *hwpt = (const struct iommufd_hwpt *)object;

	if (hwpt->fault)
		iommufd_users_add(&hwpt->fault->obj, -1);
	iommufd_hwpt_flush(hwpt, 0, UINT64_MAX);
	iopt_remove_hwpt(hwpt->ioas, hwpt);
	pt_destroy(&hwpt->pt);
	iommufd_driver(hwpt->driver)->hwpt_free(hwpt);
	image_free(hwpt);
}

/* -- HWPT_ALLOC ------------------------------------------------------------------------------- */

static int alloc_paging(const struct iommufd_device *idev, const struct iommufd_ioas *ioas,
			uint32_t flags, const struct iommufd_user_data *data,
			const struct iommufd_hwpt **hwpt)
{
	const uint32_t known = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			       IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;

	if (flags & ~known)
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_FAULT_ID_VALID && flags & IOMMU_HWPT_ALLOC_NEST_PARENT)
		return -EOPNOTSUPP;
	return iommufd_hwpt_create(idev, ioas, flags, data, hwpt);
}

static int attach_fault(const struct iommufd_cmd *cmd, const struct iommufd_hwpt *hwpt,
			uint32_t fault_id)
{
	const struct iommufd_fault *fault =
		(const struct iommufd_fault *)iommufd_find(cmd->ctx, fault_id, IOMMUFD_FAULT);
	struct iommufd_hwpt *w;

	if (!fault)
		return -ENOENT;
	w = image_write(hwpt);
	w->fault = fault;
	iommufd_users_add(&fault->obj, 1);
	return 0;
}

static int alloc_by_kind(const struct iommufd_cmd *cmd, const struct iommufd_device *idev,
			 const struct iommu_hwpt_alloc *args, const struct iommufd_hwpt **hwpt)
{
	const struct iommufd_user_data data = { args->data_type, args->data_len, args->data_uptr };
	const struct idobject *object = iommufd_find(cmd->ctx, args->pt_id, IOMMUFD_ANY);

	if (!object)
		return -EINVAL;
	if (object->kind == IOMMUFD_IOAS)
		return alloc_paging(idev, (const struct iommufd_ioas *)object, args->flags, &data,
				    hwpt);
	if (object->kind == IOMMUFD_HWPT_PAGING || object->kind == IOMMUFD_VIOMMU)
		return iommufd_nested_create(idev, object, args->flags, &data, hwpt);
	return -EINVAL;
}

int iommufd_ioctl_hwpt_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_hwpt_alloc *args = cmd->args;
	const struct iommufd_device *idev;
	const struct iommufd_hwpt *hwpt;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if ((args->data_type == IOMMU_HWPT_DATA_NONE) != !args->data_len)
		return -EINVAL;
	idev = device_find(cmd, args->dev_id);
	if (!idev)
		return -ENOENT;
	rc = alloc_by_kind(cmd, idev, args, &hwpt);
	if (rc)
		return rc;
	if (args->flags & IOMMU_HWPT_FAULT_ID_VALID)
		rc = attach_fault(cmd, hwpt, args->fault_id);
	args->out_hwpt_id = hwpt->obj.id;
	if (!rc)
		rc = iommufd_respond(cmd, sizeof(*args));
	if (rc)
		return rc;
	idtable_finalize(cmd->ctx->objects, &hwpt->obj);
	return 0;
}

/* -- what the hardware is ---------------------------------------------------------------------- */

static int hw_info_copy(const struct iommu_hw_info *args, const struct iommufd_hw_info *info)
{
	size_t len = args->data_len < info->len ? args->data_len : info->len;

	if (copy_to_user(args->data_uptr, info->data, len))
		return -EFAULT;
	return clear_user(args->data_uptr + len, args->data_len - len);
}

int iommufd_ioctl_hw_info(struct iommufd_cmd *cmd)
{
	struct iommufd_hw_info info = { .type = IOMMU_HW_INFO_TYPE_DEFAULT };
	struct iommu_hw_info *args = cmd->args;
	const struct iommufd_driver *driver;
	const struct iommufd_device *idev;
	int rc;

	if (args->flags & ~(uint32_t)IOMMU_HW_INFO_FLAG_INPUT_TYPE || args->__reserved[0] ||
	    args->__reserved[1] || args->__reserved[2])
		return -EOPNOTSUPP;
	if (args->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		info.type = args->in_data_type;
	idev = device_find(cmd, args->dev_id);
	if (!idev)
		return -ENOENT;
	driver = iommufd_driver(idev->group->driver);
	rc = driver->hw_info(idev, &info);
	if (!rc)
		rc = hw_info_copy(args, &info);
	if (rc)
		return rc;
	args->data_len = info.len;
	args->out_data_type = info.type;
	args->out_capabilities = info.capabilities;
	if (driver->dirty_capable(idev))
		args->out_capabilities |= IOMMU_HW_CAP_DIRTY_TRACKING;
	args->out_max_pasid_log2 = info.pasid_log2;
	return iommufd_respond(cmd, sizeof(*args));
}

/* -- dirty tracking --------------------------------------------------------------------------- */

int iommufd_ioctl_set_dirty(struct iommufd_cmd *cmd)
{
	const struct iommu_hwpt_set_dirty_tracking *args = cmd->args;
	const struct pt_dirty forget = { .clear = true };
	const struct iommufd_hwpt *hwpt;
	struct iommufd_hwpt *w;
	bool enable;
	int rc;

	if (args->flags & ~(uint32_t)IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	hwpt = hwpt_find(cmd, args->hwpt_id);
	if (!hwpt)
		return -ENOENT;
	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	enable = args->flags & IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
	if (enable) {
		pt_dirty_read(&hwpt->pt, 0, iommufd_hwpt_aperture(hwpt).last, &forget);
		iommufd_hwpt_flush(hwpt, 0, UINT64_MAX);
	}
	rc = iommufd_driver(hwpt->driver)->dirty_set(hwpt, enable);
	if (rc)
		return rc;
	w = image_write(hwpt);
	w->tracking = enable;
	return 0;
}

/* A client's bitmap, one bit a page_size, in which bits are set and none is cleared. */
struct bitmap {
	uint64_t iova, page_size;
	uint64_t uptr;
	uint64_t at;			/* the byte in `byte` */
	uint8_t byte;
	bool open;			/* `byte` is to be written back */
	bool lost;			/* the client cannot be reached: no more is told */
};

static void bitmap_close(struct bitmap *map)
{
	if (map->open)
		map->lost |= copy_to_user(map->uptr + map->at, &map->byte, 1) != 0;
	map->open = false;
}

static void bitmap_set(void *arg, uint64_t first, uint64_t last)
{
	struct bitmap *map = arg;
	uint64_t end = (last - map->iova) / map->page_size;

	for (uint64_t bit = (first - map->iova) / map->page_size; !map->lost && bit <= end; bit++) {
		if (!map->open || map->at != bit / 8) {
			bitmap_close(map);
			map->at = bit / 8;
			map->lost |= copy_from_user(&map->byte, map->uptr + map->at, 1) != 0;
			map->open = !map->lost;
		}
		map->byte |= (uint8_t)(1u << bit % 8);
	}
}

int iommufd_ioctl_get_dirty(struct iommufd_cmd *cmd)
{
	const struct iommu_hwpt_get_dirty_bitmap *args = cmd->args;
	struct bitmap map = { .iova = args->iova, .page_size = args->page_size, .uptr = args->data };
	struct pt_dirty dirty = { .fn = bitmap_set, .arg = &map };
	const struct iommufd_hwpt *hwpt;
	uint64_t last, mask;

	if (args->flags & ~(uint32_t)IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR || args->__reserved)
		return -EOPNOTSUPP;
	hwpt = hwpt_find(cmd, args->hwpt_id);
	if (!hwpt)
		return -ENOENT;
	if (__builtin_add_overflow(args->iova, args->length - 1, &last))
		return -EOVERFLOW;
	mask = (hwpt->ioas->alignment - 1) | (args->page_size - 1);
	if (!args->page_size || args->iova & mask || (last + 1) & mask)
		return -EINVAL;
	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	dirty.clear = !(args->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
	pt_dirty_read(&hwpt->pt, args->iova, last, &dirty);
	bitmap_close(&map);
	if (dirty.clear)
		iommufd_hwpt_flush(hwpt, args->iova, last);
	return 0;
}
