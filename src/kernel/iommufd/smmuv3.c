/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of Arm's SMMUv3, for PCI functions: stage 1 tables for whoever maps, stage 2 tables as
 * nesting parents. A guest's first stage is words 0 and 1 of a stream table entry, attached through
 * a vIOMMU: the guest's commands name its own stream ids, and the events it gets do, too.
 */
#include <string.h>

#include "hardware/smmu.h"
#include "kernel/iommufd/driver.h"

#define LEVELS 4u			/* 48 bits, either stage */
#define SSID_BITS(idr1) ((idr1) >> 6 & 0x1f)
#define IDR0_ATS (1u << 10)
#define BATCH 63u			/* commands that Linux hands to hardware at a time */

/* STE fields that are a guest's own (5.2): V, Config, S1Fmt, S1ContextPtr, S1CDMax; S1DSS, S1CIR,
 * S1COR, S1CSH, S1STALLD, EATS. */
#define STE0_GUEST 0xf80fffffffffffffull
#define STE1_GUEST 0x00000000380000ffull
#define STE1_EATS (3ull << 28)
#define EATS_ABORT (0ull << 28)
#define EATS_FULL (1ull << 28)

/* -- paging HWPTs ------------------------------------------------------------------------------- */

static bool smmu_dirty_capable(const struct iommufd_device *idev)
{
	(void)idev;
	return true;
}

static int smmu_hwpt_init(const struct iommufd_device *idev, struct iommufd_hwpt *hwpt,
			  uint32_t flags, const struct iommufd_user_data *data)
{
	bool stage2 = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	int did, rc;

	(void)idev;
	flags &= ~(uint32_t)IOMMU_HWPT_FAULT_ID_VALID;
	/* A parent is nothing but a parent. */
	if (data->len || (stage2 && flags != IOMMU_HWPT_ALLOC_NEST_PARENT))
		return -EOPNOTSUPP;
	did = iommu_did_alloc();
	if (did < 0)
		return did;
	hwpt->did = (uint16_t)did;
	rc = pt_init(&hwpt->pt, stage2 ? PT_ARM_S2 : PT_ARM_S1, LEVELS);
	hwpt->pt.tracks = hwpt->dirty;
	iommu_tracking_set(hwpt->did, hwpt->dirty);
	return rc;
}

/* Hardware tracks from the start, where the HWPT was made for it. */
static int smmu_dirty_set(const struct iommufd_hwpt *hwpt, bool enable)
{
	(void)hwpt, (void)enable;
	return 0;
}

static int smmu_hw_info(const struct iommufd_device *idev, struct iommufd_hw_info *info)
{
	struct iommu_hw_info_arm_smmuv3 smmu = { .aidr = smmu_aidr() };

	if (info->type != IOMMU_HW_INFO_TYPE_DEFAULT && info->type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		return -EOPNOTSUPP;
	for (unsigned int i = 0; i < SMMU_IDRS; i++)
		smmu.idr[i] = smmu_idr(i);
	info->type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3;
	info->len = sizeof(smmu);
	memcpy(info->data, &smmu, sizeof(smmu));
	iommufd_function_info(idev->pdev, smmu.idr[0] & IDR0_ATS, SSID_BITS(smmu.idr[1]), info);
	return 0;
}

/* -- attaching ---------------------------------------------------------------------------------- */

static int context_set(const struct pci_dev *pdev, uint32_t pasid, const struct iommufd_hwpt *hwpt)
{
	if (hwpt && (pasid != TLP_NO_PASID || hwpt->obj.kind == IOMMUFD_HWPT_NESTED))
		pci_pasid_enable(pdev);
	if (hwpt && hwpt->obj.kind == IOMMUFD_HWPT_NESTED)
		return smmu_nested_set(pdev->rid, hwpt->stage1);
	return iommu_context_set(pdev->rid, pasid, hwpt ? IOMMU_SECOND_STAGE : IOMMU_BLOCK,
				 hwpt ? &hwpt->pt : NULL, hwpt ? hwpt->did : 0);
}

/* What a guest translates, it invalidates by its stream id: it must have one. */
static int vsid_check(const struct iommufd_group *group, const struct iommufd_hwpt *nested)
{
	const struct smmu_nested *stage1 = nested->stage1;
	unsigned int config = SMMU_STE_CONFIG(stage1->ste[0]);

	if (config == SMMU_ABORT || config == SMMU_BYPASS)
		return 0;
	for (const struct iommufd_device *idev = group->devices; idev; idev = idev->group_next)
		if (!iommufd_viommu_vdevice(nested->viommu, idev))
			return -ENOENT;
	return 0;
}

/* One table of contexts a stream: the host's PASIDs and a guest's table exclude each other. */
static bool pasids_used(const struct iommufd_group *group)
{
	for (const struct iommufd_device *idev = group->devices; idev; idev = idev->group_next)
		if (idev->pasids)
			return true;
	return false;
}

static int smmu_group_set(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt)
{
	bool nested = hwpt && hwpt->obj.kind == IOMMUFD_HWPT_NESTED;
	int rc = 0;

	if (hwpt && (nested || hwpt->pt.format == PT_ARM_S2) && pasids_used(group))
		return -EBUSY;
	if (nested)
		rc = vsid_check(group, hwpt);
	return rc ? rc : iommufd_functions_set(group, hwpt, context_set);
}

static int smmu_pasid_set(const struct iommufd_device *idev, uint32_t pasid,
			  const struct iommufd_hwpt *hwpt)
{
	return context_set(idev->pdev, pasid, hwpt);
}

/* -- vIOMMUs ------------------------------------------------------------------------------------ */

/* A guest's own part of the caches: its VMID, for what is cached of first stages. */
struct smmu_slice {
	uint16_t vmid;
};

static int viommu_init(const struct iommufd_device *idev, struct iommufd_viommu *viommu,
		       const struct iommufd_user_data *data)
{
	struct smmu_slice *slice;
	int vmid;

	(void)idev, (void)data;
	if (viommu->hwpt->driver != IOMMUFD_DRIVER_SMMUV3)
		return -EINVAL;
	vmid = iommu_did_alloc();
	if (vmid < 0)
		return vmid;
	slice = image_alloc(sizeof(*slice), IMAGE_TYPE_BYTES);
	if (!slice)
		return -ENOMEM;
	slice->vmid = (uint16_t)vmid;
	viommu->slice = slice;
	return 0;
}

static void viommu_destroy(const struct iommufd_viommu *viommu)
{
	const struct smmu_slice *slice = viommu->slice;

	iommu_iotlb_flush(slice->vmid, 0, UINT64_MAX);
	iommu_did_free(slice->vmid);
	image_free(slice);
}

/* -EIO is for what the guest wrote, and nothing else. */
static int ste_check(uint64_t ste[2])
{
	unsigned int config = SMMU_STE_CONFIG(ste[0]);
	uint64_t eats = ste[1] & STE1_EATS;

	if (!(ste[0] & SMMU_STE_V)) {
		ste[0] = ste[1] = 0;
		return 0;
	}
	if (ste[0] & ~STE0_GUEST || ste[1] & ~STE1_GUEST)
		return -EIO;
	if (config != SMMU_ABORT && config != SMMU_BYPASS && config != SMMU_STAGE1)
		return -EIO;
	ste[1] &= ~STE1_EATS;
	return eats == EATS_ABORT || eats == EATS_FULL ? 0 : -EIO;
}

static int nested_init(const struct iommufd_device *idev, struct iommufd_hwpt *nested,
		       uint32_t flags, const struct iommufd_user_data *data)
{
	const struct smmu_slice *slice = nested->viommu->slice;
	struct iommu_hwpt_arm_smmuv3 given;
	struct smmu_nested *stage1;
	int rc;

	(void)idev;
	if (flags)
		return -EOPNOTSUPP;
	rc = iommufd_user_data_copy(&given, sizeof(given), sizeof(given),
				    IOMMU_HWPT_DATA_ARM_SMMUV3, data);
	if (rc)
		return rc;
	stage1 = image_alloc(sizeof(*stage1), IMAGE_TYPE_BYTES);
	if (!stage1)
		return -ENOMEM;
	nested->stage1 = stage1;
	nested->did = slice->vmid;
	*stage1 = (struct smmu_nested){ .ste = { le64toh(given.ste[0]), le64toh(given.ste[1]) },
					.parent = &nested->parent->pt,
					.parent_vmid = nested->parent->did, .vmid = slice->vmid };
	return ste_check(stage1->ste);
}

static void nested_free(const struct iommufd_hwpt *nested)
{
	image_free(nested->stage1);
}

/* -- invalidation ------------------------------------------------------------------------------- */

/* The guest's VMID and stream ids become those it really has. */
static int command_convert(const struct iommufd_viommu *viommu, uint64_t cmd[2])
{
	const struct smmu_slice *slice = viommu->slice;
	const struct iommufd_device *idev;

	switch (SMMU_CMD_OPCODE(cmd[0])) {
	case SMMU_TLBI_NSNH_ALL:
		cmd[0] = SMMU_TLBI_NH_ALL;
		cmd[1] = 0;
		/* fallthrough */
	case SMMU_TLBI_NH_VA:
	case SMMU_TLBI_NH_VAA:
	case SMMU_TLBI_NH_ALL:
	case SMMU_TLBI_NH_ASID:
		cmd[0] = (cmd[0] & ~SMMU_CMD_VMID) | (uint64_t)slice->vmid << SMMU_CMD_VMID_SHIFT;
		return 0;
	case SMMU_ATC_INV:
	case SMMU_CFGI_CD:
	case SMMU_CFGI_CD_ALL:
		idev = iommufd_viommu_device(viommu, cmd[0] >> SMMU_CMD_SID_SHIFT);
		if (!idev)
			return -EIO;
		cmd[0] = (cmd[0] & ~SMMU_CMD_SID) |
			 (uint64_t)idev->pdev->rid << SMMU_CMD_SID_SHIFT;
		return 0;
	default:
		return -EIO;
	}
}

static int command_get(const struct iommufd_viommu *viommu, const struct iommufd_user_array *array,
		       uint32_t index, uint64_t cmd[2])
{
	struct iommu_viommu_arm_smmuv3_invalidate given;
	int rc = copy_struct_from_user(&given, sizeof(given),
				       array->uptr + (uint64_t)array->entry_len * index,
				       array->entry_len);

	cmd[0] = le64toh(given.cmd[0]);
	cmd[1] = le64toh(given.cmd[1]);
	return rc ? rc : command_convert(viommu, cmd);
}

/* As Linux: a batch goes to hardware as a whole. A bad command keeps those before it in its batch
 * from it, though they count as done. */
static int invalidate(const struct iommufd_viommu *viommu, struct iommufd_user_array *array)
{
	uint64_t batch[BATCH][2];
	uint32_t pending = 0;
	int rc = iommufd_user_array_check(array, sizeof(struct iommu_viommu_arm_smmuv3_invalidate),
					  IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3);

	while (!rc && array->done < array->entry_num) {
		rc = command_get(viommu, array, array->done, batch[pending]);
		if (rc)
			break;
		array->done++;
		if (++pending < BATCH && array->done < array->entry_num)
			continue;
		for (uint32_t i = 0; !rc && i < pending; i++)
			rc = smmu_command(batch[i]);
		pending = 0;
	}
	return rc;
}

/* -- events ------------------------------------------------------------------------------------- */

/* The guest hears of what its own stage refused, under the stream id it knows. */
static void smmu_fault(const struct iommufd_device *idev, const struct iommufd_dma_fault *fault)
{
	const struct iommufd_hwpt *hwpt = iommufd_attached_hwpt(idev, TLP_NO_PASID);
	const struct iommufd_viommu *viommu = hwpt ? hwpt->viommu : NULL;
	const struct iommufd_vdevice *vdev = viommu ? iommufd_viommu_vdevice(viommu, idev) : NULL;
	struct iommu_vevent_arm_smmuv3 record;
	uint64_t event[SMMU_EVENT_WORDS];
	struct smmu_fault seen;

	if (!vdev)
		return;
	seen = (struct smmu_fault){ .sid = (uint32_t)vdev->virt_id, .pasid = fault->pasid,
				    .address = fault->address, .write = fault->write,
				    .reason = fault->reason };
	if (!smmu_event(&seen, event) || event[1] & SMMU_EVENT_STAGE2)
		return;
	for (unsigned int i = 0; i < SMMU_EVENT_WORDS; i++)
		record.evt[i] = htole64(event[i]);
	iommufd_viommu_report(viommu, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, &record, sizeof(record));
}

static const struct iommufd_viommu_ops *smmu_viommu_ops(uint32_t type)
{
	static const struct iommufd_viommu_ops ops = {
		.init = viommu_init,
		.destroy = viommu_destroy,
		.nested_init = nested_init,
		.invalidate = invalidate,
	};

	return type == IOMMU_VIOMMU_TYPE_ARM_SMMUV3 ? &ops : NULL;
}

const struct iommufd_driver iommufd_driver_smmuv3 = {
	.name = "SMMUv3",
	.snoops = true,
	.aperture = { 0, UINT64_MAX },
	/* Where Linux maps the doorbell of the interrupt controller (platform_msi()). */
	.reserved = { { 0x08000000, 0x080fffff } },
	.dirty_capable = smmu_dirty_capable,
	.hwpt_init = smmu_hwpt_init,
	.hwpt_free = iommufd_domain_free,
	.flush = iommufd_domain_flush,
	.group_set = smmu_group_set,
	.pasid_set = smmu_pasid_set,
	.hw_info = smmu_hw_info,
	.dirty_set = smmu_dirty_set,
	.fault = smmu_fault,
	.nested_free = nested_free,
	.viommu_ops = smmu_viommu_ops,
};
