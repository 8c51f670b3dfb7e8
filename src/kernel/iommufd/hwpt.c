/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware page tables: VT-d second stage, a domain id each; and what the IOMMU says of itself. */
#include "kernel/iommufd/private.h"

/* VT-d 11.4.2 and 11.4.3 */
#define CAP_SAGAW_5_LEVEL (1ull << 11)
#define ECAP_DT (1ull << 2)		/* device TLBs: ATS */
#define ECAP_NEST (1ull << 26)
#define ECAP_PASID (1ull << 40)
#define ECAP_PSS_SHIFT 35		/* PASID bits supported, minus one */
#define ECAP_PSS_MASK 0x1full
#define ECAP_SSADS (1ull << 45)		/* accessed and dirty bits of the second stage */

#define INVALIDATE_MAX (1u << 19)	/* entries a call: a bound on time in the kernel */

static const struct iommufd_device *device_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_device *)iommufd_find(cmd->ctx, id, IOMMUFD_DEVICE);
}

static const struct iommufd_hwpt *hwpt_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_hwpt *)iommufd_find(cmd->ctx, id, IOMMUFD_HWPT_PAGING);
}

int iommufd_hwpt_create(const struct iommufd_ioas *ioas, uint32_t flags,
			const struct iommufd_hwpt **result)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	/* Nesting proper needs a first stage; a vIOMMU of ours only needs the parent. */
	if (flags & IOMMU_HWPT_ALLOC_NEST_PARENT && !(iommu_ecap() & ECAP_NEST) &&
	    !kernel_options()->extensions)
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING && !(iommu_ecap() & ECAP_SSADS))
		return -EOPNOTSUPP;
	if (flags & IOMMU_HWPT_ALLOC_PASID && !(iommu_ecap() & ECAP_PASID))
		return -EOPNOTSUPP;
	hwpt = iommufd_object_new(ioas->ctx, sizeof(*hwpt), IOMMUFD_HWPT_PAGING);
	if (!hwpt)
		return -ENOMEM;
	hwpt->ctx = ioas->ctx;
	hwpt->ioas = ioas;
	hwpt->nest_parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	hwpt->pasid = flags & IOMMU_HWPT_ALLOC_PASID;
	rc = iommu_did_alloc();
	if (rc < 0)
		return rc;
	hwpt->did = (uint16_t)rc;
	rc = pt_init(&hwpt->pt, PT_VTD_SS, iommu_cap() & CAP_SAGAW_5_LEVEL ? 5 : 4);
	*result = hwpt;
	return rc ? rc : iopt_add_hwpt(ioas, hwpt);
}

void iommufd_hwpt_destroy(const struct idobject *object)
{
	const struct iommufd_hwpt *hwpt = (const struct iommufd_hwpt *)object;

	if (hwpt->fault) {
		struct idobject *fault = image_write(&hwpt->fault->obj);

		fault->users--;
	}
	iommu_iotlb_flush(hwpt->did, 0, UINT64_MAX);
	iopt_remove_hwpt(hwpt->ioas, hwpt);
	pt_destroy(&hwpt->pt);
	iommu_did_free(hwpt->did);
	image_free(hwpt);
}

/* -- HWPT_ALLOC ------------------------------------------------------------------------------- */

static int alloc_paging(const struct iommu_hwpt_alloc *args, const struct iommufd_ioas *ioas,
			const struct iommufd_hwpt **hwpt)
{
	const uint32_t known = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			       IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;

	if (args->flags & ~known)
		return -EOPNOTSUPP;
	if (args->flags & IOMMU_HWPT_FAULT_ID_VALID && args->flags & IOMMU_HWPT_ALLOC_NEST_PARENT)
		return -EOPNOTSUPP;
	if (args->data_len)
		return -EOPNOTSUPP;
	return iommufd_hwpt_create(ioas, args->flags, hwpt);
}

/* A guest's own first stage over a parent. This IOMMU walks the second stage only. */
static int alloc_nested(const struct iommu_hwpt_alloc *args, const struct iommufd_hwpt *parent)
{
	if (args->flags & ~(uint32_t)(IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID) ||
	    !args->data_len)
		return -EOPNOTSUPP;
	if (parent->automatic || !parent->nest_parent)
		return -EINVAL;
	return -EOPNOTSUPP;
}

static int attach_fault(const struct iommufd_cmd *cmd, const struct iommufd_hwpt *hwpt,
			uint32_t fault_id)
{
	const struct iommufd_fault *fault =
		(const struct iommufd_fault *)iommufd_find(cmd->ctx, fault_id, IOMMUFD_FAULT);
	struct iommufd_hwpt *w;
	struct idobject *users;

	if (!fault)
		return -ENOENT;
	w = image_write(hwpt);
	w->fault = fault;
	users = image_write(&fault->obj);
	users->users++;
	return 0;
}

static int alloc_by_kind(const struct iommufd_cmd *cmd, const struct iommu_hwpt_alloc *args,
			 const struct iommufd_hwpt **hwpt)
{
	const struct idobject *object = iommufd_find(cmd->ctx, args->pt_id, IOMMUFD_ANY);

	if (!object)
		return -EINVAL;
	if (object->kind == IOMMUFD_IOAS)
		return alloc_paging(args, (const struct iommufd_ioas *)object, hwpt);
	if (object->kind == IOMMUFD_HWPT_PAGING)
		return alloc_nested(args, (const struct iommufd_hwpt *)object);
	return object->kind == IOMMUFD_VIOMMU ? -EOPNOTSUPP : -EINVAL;
}

int iommufd_ioctl_hwpt_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_hwpt_alloc *args = cmd->args;
	const struct iommufd_hwpt *hwpt;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if ((args->data_type == IOMMU_HWPT_DATA_NONE) != !args->data_len)
		return -EINVAL;
	if (!device_find(cmd, args->dev_id))
		return -ENOENT;
	rc = alloc_by_kind(cmd, args, &hwpt);
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

static int hw_info_copy(const struct iommu_hw_info *args, const struct iommu_hw_info_vtd *info)
{
	size_t len = args->data_len < sizeof(*info) ? args->data_len : sizeof(*info);

	if (copy_to_user(args->data_uptr, info, len))
		return -EFAULT;
	return clear_user(args->data_uptr + len, args->data_len - len);
}

int iommufd_ioctl_hw_info(struct iommufd_cmd *cmd)
{
	struct iommu_hw_info *args = cmd->args;
	struct iommu_hw_info_vtd info = { .flags = IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17,
					  .cap_reg = iommu_cap(), .ecap_reg = iommu_ecap() };
	uint32_t type = IOMMU_HW_INFO_TYPE_DEFAULT;
	const struct iommufd_device *idev;
	const struct function *fn;
	int rc;

	if (args->flags & ~(uint32_t)IOMMU_HW_INFO_FLAG_INPUT_TYPE || args->__reserved[0] ||
	    args->__reserved[1] || args->__reserved[2])
		return -EOPNOTSUPP;
	if (args->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		type = args->in_data_type;
	idev = device_find(cmd, args->dev_id);
	if (!idev)
		return -ENOENT;
	if (type != IOMMU_HW_INFO_TYPE_DEFAULT && type != IOMMU_HW_INFO_TYPE_INTEL_VTD)
		return -EOPNOTSUPP;
	rc = hw_info_copy(args, &info);
	if (rc)
		return rc;
	args->data_len = sizeof(info);
	args->out_data_type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	args->out_capabilities = info.ecap_reg & ECAP_SSADS ? IOMMU_HW_CAP_DIRTY_TRACKING : 0;
	fn = function_find(idev->pdev->rid);
	if (!fn || !fn->cap_ats || !(info.ecap_reg & ECAP_DT))
		args->out_capabilities |= IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	args->out_max_pasid_log2 = 0;
	if (fn && fn->cap_pasid && info.ecap_reg & ECAP_PASID)
		args->out_max_pasid_log2 =
			(uint8_t)((info.ecap_reg >> ECAP_PSS_SHIFT & ECAP_PSS_MASK) + 1);
	return iommufd_respond(cmd, sizeof(*args));
}

/* -- dirty tracking --------------------------------------------------------------------------- */

int iommufd_ioctl_set_dirty(struct iommufd_cmd *cmd)
{
	const struct iommu_hwpt_set_dirty_tracking *args = cmd->args;

	if (args->flags & ~(uint32_t)IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	if (!hwpt_find(cmd, args->hwpt_id))
		return -ENOENT;
	return -EOPNOTSUPP;		/* no HWPT could be made with dirty tracking */
}

int iommufd_ioctl_get_dirty(struct iommufd_cmd *cmd)
{
	const struct iommu_hwpt_get_dirty_bitmap *args = cmd->args;
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
	return -EOPNOTSUPP;
}

/* -- invalidation ----------------------------------------------------------------------------- */

/* Only nested HWPTs and vIOMMUs whose guest has caches of its own can be invalidated. */
static int invalidate(const struct iommufd_cmd *cmd, const struct iommu_hwpt_invalidate *args)
{
	const struct idobject *object;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->entry_num && (!args->data_uptr || !args->entry_len ||
				args->entry_len > PHYS_PAGE || args->entry_num > INVALIDATE_MAX))
		return -EINVAL;
	object = iommufd_find(cmd->ctx, args->hwpt_id, IOMMUFD_ANY);
	if (!object)
		return -ENOENT;
	return object->kind == IOMMUFD_VIOMMU ? -EOPNOTSUPP : -EINVAL;
}

int iommufd_ioctl_invalidate(struct iommufd_cmd *cmd)
{
	struct iommu_hwpt_invalidate *args = cmd->args;
	int rc = invalidate(cmd, args);

	args->entry_num = 0;
	return iommufd_respond(cmd, sizeof(*args)) ? -EFAULT : rc;
}
