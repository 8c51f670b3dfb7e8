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

/* -- page requests ----------------------------------------------------------------------------- */

void iommufd_function_page_response(const struct iommufd_pgfault *group, uint32_t code)
{
	const struct iommufd_request *last = &group->requests[group->count - 1];

	iommu_page_response(group->idev->pdev->rid,
			    last->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID ? last->pasid
									  : TLP_NO_PASID,
			    (uint16_t)last->grpid, (enum iommu_response)code);
}

/* A function of the machine asks for one page at a time: each request is a group of its own. */
void kernel_page_request(const struct iommu_page_request *request)
{
	static const struct { uint8_t prot; uint32_t perm; } perms[] = {
		{ PT_R, IOMMU_PGFAULT_PERM_READ }, { PT_W, IOMMU_PGFAULT_PERM_WRITE },
		{ PT_X, IOMMU_PGFAULT_PERM_EXEC } };
	const struct pci_dev *pdev = pci_dev_find(request->rid);
	const struct iommufd_device *idev = pdev ? iommufd_device_of(pdev) : NULL;
	struct iommufd_request queued = { .grpid = request->group, .addr = request->address,
					  .flags = IOMMU_PGFAULT_FLAGS_LAST_PAGE };
	int rc;

	for (size_t i = 0; i < sizeof(perms) / sizeof(perms[0]); i++)
		queued.perm |= request->prot & perms[i].prot ? perms[i].perm : 0;
	if (request->pasid != TLP_NO_PASID) {
		queued.flags |= IOMMU_PGFAULT_FLAGS_PASID_VALID;
		queued.pasid = request->pasid;
	}
	rc = idev ? iommufd_page_request(idev, &queued, 1) : -ENODEV;
	TRACE_EVENT(LANE_HARDWARE, LANE_IOMMUFD, "page request", A("rid", request->rid),
		    A("pasid", request->pasid), A("address", request->address),
		    A("group", request->group), A("queued", !rc));
	if (rc)
		iommu_page_response(request->rid, request->pasid, request->group,
				    IOMMU_PAGE_INVALID);
}
