/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of Intel's IOMMU: second-stage tables with a domain id each, for PCI functions. */
#include <string.h>

#include "hardware/platform.h"
#include "kernel/iommufd/driver.h"

/* VT-d 11.4.2 and 11.4.3 */
#define ECAP_DT (1ull << 2)		/* device TLBs: ATS */
#define ECAP_NEST (1ull << 26)
#define ECAP_PASID (1ull << 40)
#define ECAP_PSS_SHIFT 35		/* PASID bits supported, minus one */
#define ECAP_PSS_MASK 0x1full
#define ECAP_SSADS (1ull << 45)		/* accessed and dirty bits of the second stage */

static bool vtd_dirty_capable(const struct iommufd_device *idev)
{
	(void)idev;
	return iommu_ecap() & ECAP_SSADS;
}

static int vtd_hwpt_init(const struct iommufd_device *idev, struct iommufd_hwpt *hwpt,
			 uint32_t flags, const struct iommufd_user_data *data)
{
	const struct platform_tables *tables = platform_tables();
	int did;

	(void)idev;
	if (data->len)
		return -EOPNOTSUPP;
	/* Nesting proper needs a first stage; a vIOMMU of ours only needs the parent. */
	if (flags & IOMMU_HWPT_ALLOC_NEST_PARENT && !(iommu_ecap() & ECAP_NEST) &&
	    !kernel_options()->extensions)
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_PASID && !(iommu_ecap() & ECAP_PASID))
		return -EOPNOTSUPP;
	did = iommu_did_alloc();
	if (did < 0)
		return did;
	hwpt->did = (uint16_t)did;
	return pt_init(&hwpt->pt, (enum pt_format)tables->iommu, tables->iommu_levels);
}

static void vtd_hwpt_free(const struct iommufd_hwpt *hwpt)
{
	iommu_did_free(hwpt->did);
}

static void vtd_flush(const struct iommufd_hwpt *hwpt, uint64_t first, uint64_t last)
{
	iommu_iotlb_flush(hwpt->did, first, last);
}

static int vtd_dirty_set(const struct iommufd_hwpt *hwpt, bool enable)
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

static int vtd_group_set(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	return iommufd_functions_set(group, hwpt, context_set);
}

static int vtd_pasid_set(const struct iommufd_device *idev, uint32_t pasid,
			 const struct iommufd_hwpt *hwpt)
{
	return context_set(idev->pdev, pasid, hwpt);
}

static int vtd_hw_info(const struct iommufd_device *idev, struct iommufd_hw_info *info)
{
	const struct iommu_hw_info_vtd vtd = { .flags = IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17,
					       .cap_reg = iommu_cap(), .ecap_reg = iommu_ecap() };

	if (info->type != IOMMU_HW_INFO_TYPE_DEFAULT && info->type != IOMMU_HW_INFO_TYPE_INTEL_VTD)
		return -EOPNOTSUPP;
	info->type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	info->len = sizeof(vtd);
	memcpy(info->data, &vtd, sizeof(vtd));
	iommufd_function_info(idev->pdev, vtd.ecap_reg & ECAP_DT,
			      vtd.ecap_reg & ECAP_PASID ?
				      (vtd.ecap_reg >> ECAP_PSS_SHIFT & ECAP_PSS_MASK) + 1 : 0,
			      info);
	return 0;
}

/* -- first stages ------------------------------------------------------------------------------ */

int iommufd_vtd_stage1(const struct iommufd_hwpt *nested, const struct iommu_nested *stage1)
{
	struct iommu_nested *own = image_alloc(sizeof(*own), IMAGE_TYPE_BYTES);
	struct iommufd_hwpt *w = image_write(nested);
	int did = iommu_did_alloc();

	if (did < 0 || !own)
		return did < 0 ? did : -ENOMEM;
	*own = *stage1;
	own->parent = &nested->parent->pt;
	own->parent_did = nested->parent->did;
	own->did = (uint16_t)did;
	w->did = (uint16_t)did;
	w->stage1 = own;
	return 0;
}

static int vtd_nested_init(const struct iommufd_device *idev, struct iommufd_hwpt *nested,
			   uint32_t flags, const struct iommufd_user_data *data)
{
	struct iommu_nested stage1 = { .tables = IOMMU_TABLES_VTD };
	struct iommu_hwpt_vtd_s1 s1;
	int rc;

	(void)idev;
	if (flags & ~(uint32_t)IOMMU_HWPT_ALLOC_PASID || data->type != IOMMU_HWPT_DATA_VTD_S1)
		return -EOPNOTSUPP;
	rc = iommufd_user_data_copy(&s1, sizeof(s1), sizeof(s1), IOMMU_HWPT_DATA_VTD_S1, data);
	if (rc)
		return rc;
	/* The widths of VT-d 9.6's FSPM. Supervisor requests and extended flags it has not. */
	if (s1.flags & ~(uint64_t)IOMMU_VTD_S1_WPE || s1.__reserved || s1.pgtbl_addr % PHYS_PAGE ||
	    (s1.addr_width != 48 && s1.addr_width != 57))
		return -EINVAL;
	stage1.root = s1.pgtbl_addr;
	stage1.levels = (uint8_t)((s1.addr_width - 12) / 9);
	return iommufd_vtd_stage1(nested, &stage1);
}

/* As Linux: one entry after the other, to the first that is wrong. */
static int vtd_nested_invalidate(const struct iommufd_hwpt *nested,
				 struct iommufd_user_array *array)
{
	struct iommu_hwpt_vtd_s1_invalidate inv;

	if (array->type != IOMMU_HWPT_INVALIDATE_DATA_VTD_S1)
		return -EINVAL;
	for (uint32_t i = 0; i < array->entry_num; i++) {
		uint64_t last = UINT64_MAX;
		int rc = iommufd_user_array_copy(&inv, sizeof(inv), sizeof(inv),
						 IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, array, i);

		if (rc)
			return rc;
		if (inv.flags & ~(uint32_t)IOMMU_VTD_INV_FLAGS_LEAF || inv.__reserved)
			return -EOPNOTSUPP;
		if (inv.addr % PHYS_PAGE || (inv.npages == UINT64_MAX && inv.addr))
			return -EINVAL;
		if (inv.npages <= (UINT64_MAX - inv.addr) / PHYS_PAGE)
			last = inv.addr + inv.npages * PHYS_PAGE - 1;
		if (inv.npages)
			iommu_nested_flush(nested->did, IOMMU_ANY, inv.addr, last,
					   inv.flags & IOMMU_VTD_INV_FLAGS_LEAF);
		array->done++;
	}
	return 0;
}

static void vtd_nested_free(const struct iommufd_hwpt *nested)
{
	if (!nested->stage1)
		return;
	iommu_nested_flush(nested->did, IOMMU_ANY, 0, UINT64_MAX, false);
	iommu_did_free(nested->did);
	image_free(nested->stage1);
}

/* -- page requests ----------------------------------------------------------------------------- */

static void vtd_page_response(const struct iommufd_pgfault *group, uint32_t code)
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

const struct iommufd_driver iommufd_driver_vtd = {
	.name = "VT-d",
	.snoops = true,
	.aperture = { 0, UINT64_MAX },
	/* Interrupt messages: the root complex takes writes there, whatever the tables say. */
	.msi = { 0xfee00000, 0xfeefffff },
	.dirty_capable = vtd_dirty_capable,
	.hwpt_init = vtd_hwpt_init,
	.hwpt_free = vtd_hwpt_free,
	.flush = vtd_flush,
	.group_set = vtd_group_set,
	.pasid_set = vtd_pasid_set,
	.hw_info = vtd_hw_info,
	.dirty_set = vtd_dirty_set,
	.page_response = vtd_page_response,
	.nested_init = vtd_nested_init,
	.nested_free = vtd_nested_free,
	.nested_invalidate = vtd_nested_invalidate,
};
