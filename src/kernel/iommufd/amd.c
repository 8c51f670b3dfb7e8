/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of AMD's IOMMU on a host that runs SEV-SNP guests. SNP wants host tables of version 1,
 * which know no PASIDs. What Linux 7.2 has of nesting ends at a vIOMMU, of any type, that can do
 * nothing.
 */
#include <string.h>

#include "kernel/iommufd/driver.h"

static bool amd_dirty_capable(const struct iommufd_device *idev)
{
	(void)idev;
	return iommu_efr(0) & IOMMU_EFR_HD;
}

static int amd_hwpt_init(const struct iommufd_device *idev, struct iommufd_hwpt *hwpt,
			 uint32_t flags, const struct iommufd_user_data *data)
{
	(void)idev;
	return data->len || flags & IOMMU_HWPT_ALLOC_PASID ? -EOPNOTSUPP : iommufd_domain_init(hwpt);
}

static int amd_hw_info(const struct iommufd_device *idev, struct iommufd_hw_info *info)
{
	const struct iommu_hw_info_amd amd = { .efr = iommu_efr(0), .efr2 = iommu_efr(1) };

	if (info->type != IOMMU_HW_INFO_TYPE_DEFAULT && info->type != IOMMU_HW_INFO_TYPE_AMD)
		return -EOPNOTSUPP;
	info->type = IOMMU_HW_INFO_TYPE_AMD;
	info->len = sizeof(amd);
	memcpy(info->data, &amd, sizeof(amd));
	iommufd_function_info(idev->pdev, true, 0, info);
	return 0;
}

static int viommu_init(const struct iommufd_device *idev, struct iommufd_viommu *viommu,
		       const struct iommufd_user_data *data)
{
	(void)idev, (void)viommu, (void)data;
	return 0;
}

static const struct iommufd_viommu_ops *amd_viommu_ops(uint32_t type)
{
	static const struct iommufd_viommu_ops ops = { .init = viommu_init };

	(void)type;
	return &ops;
}

const struct iommufd_driver iommufd_driver_amd = {
	.name = "AMD",
	.snoops = true,
	.aperture = { 0, UINT64_MAX },
	/* Interrupt messages, and those of HyperTransport. */
	.reserved = { { 0xfee00000, 0xfeefffff }, { 0xfd00000000, 0xffffffffff } },
	.dirty_capable = amd_dirty_capable,
	.hwpt_init = amd_hwpt_init,
	.hwpt_free = iommufd_domain_free,
	.flush = iommufd_domain_flush,
	.group_set = iommufd_domain_group_set,
	.pasid_set = iommufd_domain_pasid_set,
	.hw_info = amd_hw_info,
	.dirty_set = iommufd_domain_dirty_set,
	.page_response = iommufd_function_page_response,
	.viommu_ops = amd_viommu_ops,
};
