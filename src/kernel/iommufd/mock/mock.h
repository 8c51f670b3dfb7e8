/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mock hardware and IOMMU_TEST_CMD, the door through which the kernel's selftests make devices and
 * look at what ioctls did. Present only in a run with mock hardware, as in a kernel built for its
 * tests.
 *
 * A mock device is on no bus: a selftest object of the context owns it, and destroying that object
 * detaches and unbinds it. The mock IOMMU has page tables of 2 KiB pages (PT_MOCK).
 */
#ifndef SWTIO_KERNEL_IOMMUFD_MOCK_H
#define SWTIO_KERNEL_IOMMUFD_MOCK_H

#include "kernel/iommufd/driver.h"
#include "kernel/iommufd/mock/uapi.h"

/* A device without a bus. */
struct mock_dev {
	uint32_t flags;				/* MOCK_FLAGS_DEVICE_ */
	uint32_t cache[MOCK_DEV_CACHE_NUM];	/* what a vIOMMU invalidates */
	/* Through which vIOMMU it is attached, and its id there at that time. */
	const struct iommufd_viommu *viommu;
	uint64_t virt_id;
	/* PASID 1024 fails every second time it is set, for tests of what a failure leaves. */
	bool fail_1024;
};

/* Of a nested HWPT: what stands for cached translations. */
struct mock_stage1 {
	uint32_t iotlb[MOCK_NESTED_DOMAIN_IOTLB_NUM];
};

/* A vIOMMU's own. */
struct mock_slice {
	const void *memory;			/* what a client maps; NULL: no data was given */
	const struct iommufd_mmap *map;
	const struct iommufd_hw_queue *first;	/* hardware queue */
	bool taken[IOMMU_TEST_HW_QUEUE_MAX];
};

/* What a client destroys to take a mock device away. */
struct iommufd_selftest {
	struct idobject obj;
	const struct mock_dev *dev;
	const struct iommufd_device *idev;
};

/* NULL: no such selftest object. */
const struct iommufd_selftest *mock_selftest_find(const struct iommufd_ctx *ctx, uint32_t id);
/* A paging HWPT of the mock IOMMU: 0, -ENOENT, -EINVAL another's. */
int mock_hwpt_find(const struct iommufd_ctx *ctx, uint32_t id, const struct iommufd_hwpt **hwpt);

/* The operations: 0 or -errno; those that answer write args back themselves. */
typedef int mock_op(struct iommufd_cmd *cmd, struct iommu_test_cmd *args);
mock_op mock_domain, mock_domain_replace, mock_dev_check_cache, mock_pasid_attach,
	mock_pasid_replace, mock_pasid_detach, mock_pasid_check_hwpt;	/* device.c */
mock_op mock_access_create, mock_access_replace, mock_access_pages, mock_access_unpin,
	mock_access_rw;							/* access.c */
mock_op mock_dmabuf_get, mock_dmabuf_revoke;				/* dmabuf.c */
mock_op mock_check_map, mock_dirty;					/* domain.c */
mock_op mock_check_iotlb, mock_trigger_iopf, mock_trigger_vevent;	/* viommu.c */

/* For the driver's table; as driver.h has them. */
int mock_nested_init(const struct iommufd_device *idev, struct iommufd_hwpt *nested, uint32_t flags,
		     const struct iommufd_user_data *data);
void mock_nested_free(const struct iommufd_hwpt *nested);
int mock_nested_invalidate(const struct iommufd_hwpt *nested, struct iommufd_user_array *array);
const struct iommufd_viommu_ops *mock_viommu_ops(uint32_t type);

#endif
