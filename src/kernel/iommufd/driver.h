/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the core asks of the driver of an IOMMU: VT-d's (vtd.c), AMD's (amd.c), SMMUv3's (smmuv3.c), and that of the
 * mock hardware (mock/). A device names its driver by number, since the image holds no pointers to code. The core
 * has found the objects and checked what the uAPI says; a driver checks what its hardware can do.
 * An operation a driver lacks is NULL: -EOPNOTSUPP to the client.
 */
#ifndef SWTIO_KERNEL_IOMMUFD_DRIVER_H
#define SWTIO_KERNEL_IOMMUFD_DRIVER_H

#include "kernel/iommufd/private.h"

struct iommufd_viommu_ops;

/* A driver's structure in the client's memory. */
struct iommufd_user_data {
	uint32_t type, len;		/* len 0: none */
	uint64_t uptr;
};

/* Structures of a driver, one after the other, in the client's memory. */
struct iommufd_user_array {
	uint32_t type, entry_len, entry_num;
	uint64_t uptr;
	uint32_t done;			/* out: how many were carried out, in case of an error too */
};

struct iommufd_hw_info {
	uint32_t type;			/* in: IOMMU_HW_INFO_TYPE_DEFAULT or what is asked for */
	uint32_t len;			/* of data */
	uint32_t capabilities;		/* enum iommufd_hw_capabilities */
	uint8_t pasid_log2;
	uint8_t data[64];
};

#define RESERVED_MAX 2u
struct iommufd_driver {
	const char *name;
	bool snoops;			/* its HWPTs can keep DMA coherent whatever the device says */
	bool in_context;		/* its devices live in the context and do not hold it open */
	struct iommu_iova_range aperture;
	struct iommu_iova_range reserved[RESERVED_MAX];	/* of every device: messages; last 0: none */

	/* Can the device track dirty pages? */
	bool (*dirty_capable)(const struct iommufd_device *idev);
	/* hwpt->pt, and whatever else of it is the driver's; pgsizes and aperture if it
	 * has others than format and driver. -EOPNOTSUPP, -EINVAL, -ENOMEM. */
	int (*hwpt_init)(const struct iommufd_device *idev, struct iommufd_hwpt *hwpt,
			 uint32_t flags, const struct iommufd_user_data *data);
	void (*hwpt_free)(const struct iommufd_hwpt *hwpt);
	/* The IOMMU's caches forget [first, last] of what the HWPT maps. NULL: it has none. */
	void (*flush)(const struct iommufd_hwpt *hwpt, uint64_t first, uint64_t last);
	/* What requests go through from now on, with nothing in between; NULL blocks, and cannot
	 * fail. -EINVAL: the device cannot use it; -ENOENT, -ENOMEM. */
	int (*group_set)(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt);
	int (*pasid_set)(const struct iommufd_device *idev, uint32_t pasid,
			 const struct iommufd_hwpt *hwpt);
	/* 0, -EOPNOTSUPP no such type. */
	int (*hw_info)(const struct iommufd_device *idev, struct iommufd_hw_info *info);
	/* 0 or -EINVAL; the HWPT was made for dirty tracking. */
	int (*dirty_set)(const struct iommufd_hwpt *hwpt, bool enable);
	/* The answer to a group of page requests; code of enum iommufd_page_response_code. */
	void (*page_response)(const struct iommufd_pgfault *group, uint32_t code);

	/* A device's request was refused; inside its action. */
	void (*fault)(const struct iommufd_device *idev, const struct iommufd_dma_fault *fault);

	/* nested->stage1, over nested->parent itself: no vIOMMU. flags: PASID.
	 * -EOPNOTSUPP, -EINVAL, -EIO, -EFAULT, -ENOMEM. */
	int (*nested_init)(const struct iommufd_device *idev, struct iommufd_hwpt *nested,
			   uint32_t flags, const struct iommufd_user_data *data);
	void (*nested_free)(const struct iommufd_hwpt *nested);
	/* What the guest says its own caches must forget. */
	int (*nested_invalidate)(const struct iommufd_hwpt *nested, struct iommufd_user_array *array);

	/* What its vIOMMUs of a type can do; NULL: there is no such type. */
	const struct iommufd_viommu_ops *(*viommu_ops)(uint32_t type);
};

struct iommufd_viommu_ops {
	/* viommu->slice. data->len 0: none given. Answers go back into the client's structure. */
	int (*init)(const struct iommufd_device *idev, struct iommufd_viommu *viommu,
		    const struct iommufd_user_data *data);
	void (*destroy)(const struct iommufd_viommu *viommu);
	/* As the driver's, through nested->viommu. */
	int (*nested_init)(const struct iommufd_device *idev, struct iommufd_hwpt *nested,
			   uint32_t flags, const struct iommufd_user_data *data);
	int (*invalidate)(const struct iommufd_viommu *viommu, struct iommufd_user_array *array);
	int (*vdevice_init)(const struct iommufd_vdevice *vdev);	/* NULL: nothing to do */
	void (*vdevice_destroy)(const struct iommufd_vdevice *vdev);
	uint32_t hw_queue_type;				/* 0: none */
	/* Memory is at hpa, all of it in one run. May set queue->below, and holds it then. */
	int (*hw_queue_init)(struct iommufd_hw_queue *queue, uint64_t hpa);
	void (*hw_queue_destroy)(const struct iommufd_hw_queue *queue);
};

extern const struct iommufd_driver iommufd_driver_vtd, iommufd_driver_amd, iommufd_driver_smmuv3,
	iommufd_driver_mock;
const struct iommufd_driver *iommufd_driver(uint8_t id);	/* enum iommufd_driver_id */

const struct iommufd_viommu_ops *iommufd_viommu_ops(const struct iommufd_viommu *viommu);

/* For drivers of IOMMUs above PCI functions (functions.c). */
typedef int iommufd_context_set(const struct pci_dev *pdev, uint32_t pasid,
				const struct iommufd_hwpt *hwpt);
/* Every function of the group, bound or not: it could be any of them. To the first error. */
int iommufd_functions_set(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt,
			  iommufd_context_set *set);
/* info->capabilities and pasid_log2, of a function below an IOMMU that has ATS, and this many bits
 * of PASIDs. */
void iommufd_function_info(const struct pci_dev *pdev, bool ats, unsigned int pasid_bits,
			   struct iommufd_hw_info *info);

void iommufd_function_page_response(const struct iommufd_pgfault *group, uint32_t code);

/* For drivers whose HWPTs are second-stage tables under a domain id (domain.c): 0, -ENOSPC, -ENOMEM. */
int iommufd_domain_init(struct iommufd_hwpt *hwpt);
void iommufd_domain_free(const struct iommufd_hwpt *hwpt);
void iommufd_domain_flush(const struct iommufd_hwpt *hwpt, uint64_t first, uint64_t last);
int iommufd_domain_dirty_set(const struct iommufd_hwpt *hwpt, bool enable);
int iommufd_domain_group_set(const struct iommufd_group *group, const struct iommufd_hwpt *hwpt);
int iommufd_domain_pasid_set(const struct iommufd_device *idev, uint32_t pasid,
			     const struct iommufd_hwpt *hwpt);

/* The extension rule of such structures: 0; -EINVAL another type, shorter than min or longer than
 * size; -EFAULT. What the client did not give is zero. */
int iommufd_user_data_copy(void *to, size_t size, size_t min, uint32_t type,
			   const struct iommufd_user_data *data);
/* Back to the client, no more of it than it has: 0, -EINVAL as above, -EFAULT. */
int iommufd_user_data_reply(const struct iommufd_user_data *data, const void *from, size_t size,
			    size_t min, uint32_t type);
/* For a driver that reads all entries before it carries out the first, as copy_struct_from_user():
 * 0; -EINVAL of another type, or none; -EFAULT, -E2BIG. */
int iommufd_user_array_check(const struct iommufd_user_array *array, size_t size, uint32_t type);
/* Entry `index` of an array, by the rule of iommufd_user_data_copy(). */
int iommufd_user_array_copy(void *to, size_t size, size_t min, uint32_t type,
			    const struct iommufd_user_array *array, uint32_t index);

#endif
