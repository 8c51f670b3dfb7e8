/* SPDX-License-Identifier: BSD-2-Clause */
/* What drivers of IOMMUs above PCI functions have in common. */
#include "kernel/iommufd/driver.h"

int iommufd_functions_set(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt,
			  iommufd_context_set *set)
{
	const struct pci_dev *pdev;
	uint16_t rid = 0;
	int rc = 0;

	while (!rc && (pdev = pci_dev_next(&rid))) {
		if (pdev->group == group->number)
			rc = set(pdev, TLP_NO_PASID, hwpt);
		if (rid++ == UINT16_MAX)
			break;
	}
	return rc;
}

void iommufd_function_info(const struct pci_dev *pdev, bool ats, unsigned int pasid_bits,
			   struct iommufd_hw_info *info)
{
	const struct function *fn = function_find(pdev->rid);

	if (!fn || !fn->cap_ats || !ats)
		info->capabilities |= IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	if (fn && fn->cap_pasid)
		info->pasid_log2 = (uint8_t)pasid_bits;
}

void iommufd_dma_refused(const struct pci_dev *pdev, const struct iommufd_dma_fault *fault)
{
	const struct iommufd_device *idev = iommufd_device_of(pdev);
	const struct iommufd_driver *driver = idev ? iommufd_driver(idev->group->driver) : NULL;

	if (driver && driver->fault)
		driver->fault(idev, fault);
}
