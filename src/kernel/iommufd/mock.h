/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IOMMU_TEST_CMD: the door through which the kernel's selftests look at what ioctls did. Present
 * only in a run with mock hardware, as in a kernel built for its tests. Numbers and layout are
 * those of Linux 7.2's iommufd_test.h.
 */
#ifndef SWTIO_KERNEL_IOMMUFD_MOCK_H
#define SWTIO_KERNEL_IOMMUFD_MOCK_H

#include "swtio/uapi/iommufd.h"

enum {
	IOMMU_TEST_OP_ADD_RESERVED = 1,
	IOMMU_TEST_OP_MD_CHECK_REFS = 4,
	IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT = 9,
};

struct iommu_test_cmd {
	__u32 size;
	__u32 op;
	__u32 id;
	__u32 __reserved;
	union {
		struct {
			__aligned_u64 start;
			__aligned_u64 length;
		} add_reserved;
		struct {
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 refs;
		} check_refs;
		struct {
			__u32 limit;
		} memory_limit;
		__u8 space[48];
	};
	__u32 last;
};
_Static_assert(sizeof(struct iommu_test_cmd) == 72, "as the selftests have it");

#define IOMMU_TEST_CMD _IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)

#endif
