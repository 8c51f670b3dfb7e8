/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of Intel's IOMMU: second-stage tables with a domain id each, for PCI functions. */
#include <string.h>

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
	(void)idev;
	if (data->len)
		return -EOPNOTSUPP;
	/* Nesting proper needs a first stage; a vIOMMU of ours only needs the parent. */
	if (flags & IOMMU_HWPT_ALLOC_NEST_PARENT && !(iommu_ecap() & ECAP_NEST) &&
	    !kernel_options()->extensions)
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_PASID && !(iommu_ecap() & ECAP_PASID))
		return -EOPNOTSUPP;
	return iommufd_domain_init(hwpt);
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

const struct iommufd_driver iommufd_driver_vtd = {
	.name = "VT-d",
	.snoops = true,
	.aperture = { 0, UINT64_MAX },
	/* Interrupt messages: the root complex takes writes there, whatever the tables say. */
	.reserved = { { 0xfee00000, 0xfeefffff } },
	.dirty_capable = vtd_dirty_capable,
	.hwpt_init = vtd_hwpt_init,
	.hwpt_free = iommufd_domain_free,
	.flush = iommufd_domain_flush,
	.group_set = iommufd_domain_group_set,
	.pasid_set = iommufd_domain_pasid_set,
	.hw_info = vtd_hw_info,
	.dirty_set = iommufd_domain_dirty_set,
	.page_response = iommufd_function_page_response,
	.nested_init = vtd_nested_init,
	.nested_free = vtd_nested_free,
	.nested_invalidate = vtd_nested_invalidate,
};
