/* SPDX-License-Identifier: BSD-2-Clause */
/* The mock IOMMU's driver, and the operations that look into its page tables. */
#include <string.h>

#include "kernel/iommufd/mock/mock.h"

#define PASID_RESERVED 1024u
#define PGSIZES_DEFAULT 0x1ffffff800ull	/* every power of two from 2 KiB to 64 GiB */
#define PGSIZES_HUGE 0x101000ull
#define DIRTY_PIECE 512u		/* bytes of a bitmap looked at at a time */

/* -- the driver ------------------------------------------------------------------------------- */

static bool dirty_capable(const struct iommufd_device *idev)
{
	return !(idev->mock->flags & MOCK_FLAGS_DEVICE_NO_DIRTY);
}

static int hwpt_init(const struct iommufd_device *idev, struct iommufd_hwpt *hwpt, uint32_t flags,
		     const struct iommufd_user_data *data)
{
	struct iommu_hwpt_selftest config = { 0 };
	bool huge;
	int rc;

	(void)idev, (void)flags;
	if (data->len && data->type != IOMMU_HWPT_DATA_SELFTEST)
		return -EOPNOTSUPP;
	if (data->len) {
		rc = iommufd_user_data_copy(&config, sizeof(config), sizeof(config.iotlb),
					    IOMMU_HWPT_DATA_SELFTEST, data);
		if (rc)
			return rc;
	}
	if (config.pagetable_type > MOCK_IOMMUPT_HUGE)
		return -EOPNOTSUPP;
	huge = config.pagetable_type == MOCK_IOMMUPT_HUGE;
	hwpt->pgsizes = huge ? PGSIZES_HUGE : PGSIZES_DEFAULT;
	if (huge)
		hwpt->aperture = (struct iommu_iova_range){ 0, UINT64_MAX };
	rc = pt_init(&hwpt->pt, PT_MOCK, 3);
	hwpt->pt.leaf_level_max = huge ? 1 : 0;
	return rc;
}

static void hwpt_free(const struct iommufd_hwpt *hwpt)
{
	(void)hwpt;
}

/* A mock device makes no requests: what it could reach is in its group and its list of PASIDs. */
static int usable(const struct iommufd_device *idev, const struct iommufd_hwpt *hwpt)
{
	return hwpt && hwpt->dirty && !dirty_capable(idev) ? -EINVAL : 0;
}

/* Events of the device, and what its VM invalidates, go by the id it has in the vIOMMU now. */
static int viommu_set(const struct iommufd_device *idev, const struct iommufd_hwpt *hwpt)
{
	const struct iommufd_viommu *viommu = hwpt ? hwpt->viommu : NULL;
	const struct iommufd_vdevice *vdev = viommu ? iommufd_viommu_vdevice(viommu, idev) : NULL;
	struct mock_dev *dev;

	if (viommu && !vdev)
		return -ENOENT;
	if (viommu == idev->mock->viommu)
		return 0;
	dev = image_write(idev->mock);
	dev->viommu = viommu;
	dev->virt_id = vdev ? vdev->virt_id : 0;
	return 0;
}

static int group_set(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	int rc = group->devices ? usable(group->devices, hwpt) : 0;

	return rc || !group->devices ? rc : viommu_set(group->devices, hwpt);
}

static int pasid_set(const struct iommufd_device *idev, uint32_t pasid,
		     const struct iommufd_hwpt *hwpt)
{
	struct mock_dev *dev;

	if (hwpt && (!(idev->mock->flags & MOCK_FLAGS_DEVICE_PASID) || pasid >> MOCK_PASID_WIDTH))
		return -EINVAL;
	if (pasid != PASID_RESERVED)
		return 0;
	dev = image_write(idev->mock);
	dev->fail_1024 = hwpt && !dev->fail_1024;
	return hwpt && !dev->fail_1024 ? -ENOMEM : 0;
}

static int hw_info(const struct iommufd_device *idev, struct iommufd_hw_info *info)
{
	const struct iommu_test_hw_info mock = { .test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL };

	if (info->type != IOMMU_HW_INFO_TYPE_DEFAULT && info->type != IOMMU_HW_INFO_TYPE_SELFTEST)
		return -EOPNOTSUPP;
	info->type = IOMMU_HW_INFO_TYPE_SELFTEST;
	info->len = sizeof(mock);
	memcpy(info->data, &mock, sizeof(mock));
	info->capabilities = IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	info->pasid_log2 = idev->mock->flags & MOCK_FLAGS_DEVICE_PASID ? MOCK_PASID_WIDTH : 0;
	return 0;
}

static int dirty_set(const struct iommufd_hwpt *hwpt, bool enable)
{
	(void)hwpt, (void)enable;	/* the test sets the bits itself */
	return 0;
}

const struct iommufd_driver iommufd_driver_mock = {
	.name = "mock",
	.in_context = true,
	.aperture = { MOCK_APERTURE_START, MOCK_APERTURE_LAST },
	.dirty_capable = dirty_capable,
	.hwpt_init = hwpt_init,
	.hwpt_free = hwpt_free,
	.group_set = group_set,
	.pasid_set = pasid_set,
	.hw_info = hw_info,
	.dirty_set = dirty_set,
	.nested_init = mock_nested_init,
	.nested_free = mock_nested_free,
	.nested_invalidate = mock_nested_invalidate,
	.viommu_ops = mock_viommu_ops,
};

/* -- looking in ------------------------------------------------------------------------------- */

int mock_hwpt_find(const struct iommufd_ctx *ctx, uint32_t id, const struct iommufd_hwpt **hwpt)
{
	*hwpt = (const struct iommufd_hwpt *)iommufd_find(ctx, id, IOMMUFD_HWPT_PAGING);
	if (!*hwpt)
		return -ENOENT;
	return (*hwpt)->driver == IOMMUFD_DRIVER_MOCK ? 0 : -EINVAL;
}

/* Every page of the IOVA range leads to the page behind the user address: -EINVAL if not. */
int mock_check_map(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	uint64_t iova = args->check_map.iova, left = args->check_map.length;
	uint64_t uptr = args->check_map.uptr, page, end, run;
	const struct iommufd_hwpt *hwpt;
	int rc = mock_hwpt_find(cmd->ctx, args->id, &hwpt);

	if (rc)
		return rc;
	page = hwpt->pgsizes & -hwpt->pgsizes;
	if ((iova | left | uptr) & (page - 1) || __builtin_add_overflow(uptr, left, &end))
		return -EINVAL;
	for (; left; left -= page, iova += page, uptr += page) {
		uint64_t hpa = user_page(current_task(), uptr, page, false, &run);
		struct pt_leaf leaf;

		if (!hpa)
			return uptr > UINT64_MAX - PHYS_PAGE ? -EOVERFLOW : -EFAULT;
		if (pt_walk(&hwpt->pt, iova, &leaf) || leaf.hpa + (iova - leaf.address) != hpa)
			return -EINVAL;
	}
	return 0;
}

/* Does to the page table what writes of a device would: one to each page whose bit is set. */
int mock_dirty(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	uint64_t iova = args->dirty.iova, page = args->dirty.page_size, bits, count = 0;
	const struct iommufd_hwpt *hwpt;
	uint8_t map[DIRTY_PIECE];
	int rc;

	if (!page || !args->dirty.length || iova % page || args->dirty.length % page ||
	    !args->dirty.uptr)
		return -EINVAL;
	rc = mock_hwpt_find(cmd->ctx, args->id, &hwpt);
	if (rc)
		return rc;
	if (!hwpt->tracking)
		return -EINVAL;
	bits = args->dirty.length / page;
	for (uint64_t bit = 0; bit < bits; bit++) {
		uint64_t at = bit / 8 % DIRTY_PIECE, left = (bits - bit + 7) / 8;

		if (!(bit % (8 * DIRTY_PIECE)) &&
		    copy_from_user(map, args->dirty.uptr + bit / 8,
				   left < DIRTY_PIECE ? left : DIRTY_PIECE))
			return -EFAULT;
		if (!(map[at] >> bit % 8 & 1))
			continue;
		pt_mark((enum pt_format)hwpt->pt.format, hwpt->pt.root, hwpt->pt.levels,
			iova + bit * page, true);
		count++;
	}
	args->dirty.out_nr_dirty = count;
	return iommufd_respond(cmd, sizeof(*args));
}
