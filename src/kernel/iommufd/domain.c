/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HWPTs as hardware's domains: the platform's second-stage tables under a domain id, with contexts of
 * functions that lead there. For drivers of IOMMUs that work so.
 */
#include "hardware/platform.h"
#include "kernel/iommufd/driver.h"

int iommufd_domain_init(struct iommufd_hwpt *hwpt)
{
	const struct platform_tables *tables = platform_tables();
	int did = iommu_did_alloc();

	if (did < 0)
		return did;
	hwpt->did = (uint16_t)did;
	return pt_init(&hwpt->pt, (enum pt_format)tables->iommu, tables->iommu_levels);
}

void iommufd_domain_free(const struct iommufd_hwpt *hwpt)
{
	iommu_did_free(hwpt->did);
}

void iommufd_domain_flush(const struct iommufd_hwpt *hwpt, uint64_t first, uint64_t last)
{
	iommu_iotlb_flush(hwpt->did, first, last);
}

int iommufd_domain_dirty_set(const struct iommufd_hwpt *hwpt, bool enable)
{
	iommu_tracking_set(hwpt->did, enable);
	return 0;
}

/* What the function needs to be told before it uses the HWPT. */
static int features_enable(const struct pci_dev *pdev, uint32_t pasid,
			   const struct iommufd_hwpt *hwpt)
{
	int rc = 0;

	if (hwpt->fault)
		rc = pci_page_requests_enable(pdev);
	if (!rc && hwpt->fault)
		rc = iommu_page_requests_enable(pdev->rid, true);
	if (!rc && (pasid != TLP_NO_PASID || hwpt->obj.kind == IOMMUFD_HWPT_NESTED))
		pci_pasid_enable(pdev);
	return rc;
}

static int context_set(const struct pci_dev *pdev, uint32_t pasid, const struct iommufd_hwpt *hwpt)
{
	int rc = hwpt ? features_enable(pdev, pasid, hwpt) : 0;

	if (rc)
		return rc;
	if (hwpt && hwpt->obj.kind == IOMMUFD_HWPT_NESTED)
		return iommu_nested_set(pdev->rid, pasid, hwpt->stage1);
	return iommu_context_set(pdev->rid, pasid, hwpt ? IOMMU_SECOND_STAGE : IOMMU_BLOCK,
				 hwpt ? &hwpt->pt : NULL, hwpt ? hwpt->did : 0);
}

int iommufd_domain_group_set(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	return iommufd_functions_set(group, hwpt, context_set);
}

int iommufd_domain_pasid_set(const struct iommufd_device *idev, uint32_t pasid,
			     const struct iommufd_hwpt *hwpt)
{
	return context_set(idev->pdev, pasid, hwpt);
}
