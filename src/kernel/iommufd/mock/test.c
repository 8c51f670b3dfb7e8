/* SPDX-License-Identifier: BSD-2-Clause */
/* IOMMU_TEST_CMD, and those of its operations that need no mock device. */
#include "kernel/iommufd/mock/mock.h"

#define MEMORY_LIMIT_MIN 12u

static int add_reserved(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_ioas *ioas =
		(const struct iommufd_ioas *)iommufd_find(cmd->ctx, args->id, IOMMUFD_IOAS);
	uint64_t last;

	if (!ioas)
		return -ENOENT;
	if (!args->add_reserved.length ||
	    __builtin_add_overflow(args->add_reserved.start, args->add_reserved.length - 1, &last))
		return -EINVAL;
	return iopt_reserve(ioas, args->add_reserved.start, last);
}

/* Every page of the range is pinned by exactly `refs` mappings: -EIO if not. */
static int check_refs(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	uint64_t length = args->check_refs.length, uptr = args->check_refs.uptr, end, run;

	(void)cmd;
	if (length % PHYS_PAGE || uptr % PHYS_PAGE || __builtin_add_overflow(uptr, length, &end))
		return -EINVAL;
	for (; length; uptr += PHYS_PAGE, length -= PHYS_PAGE) {
		uint64_t hpa = user_page(current_task(), uptr, PHYS_PAGE, false, &run);

		if (!hpa)
			return -EFAULT;
		if (iopt_pins_of(hpa) != args->check_refs.refs)
			return -EIO;
	}
	return 0;
}

/* A limit on scratch memory: nothing here needs scratch memory that grows with the request. */
static int memory_limit(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	(void)cmd;
	return args->memory_limit.limit < MEMORY_LIMIT_MIN ? -EINVAL : 0;
}

int iommufd_ioctl_test(struct iommufd_cmd *cmd)
{
	static mock_op *const ops[IOMMU_TEST_OP_END] = {
		[IOMMU_TEST_OP_ADD_RESERVED] = add_reserved,
		[IOMMU_TEST_OP_MOCK_DOMAIN] = mock_domain,
		[IOMMU_TEST_OP_MD_CHECK_MAP] = mock_check_map,
		[IOMMU_TEST_OP_MD_CHECK_REFS] = check_refs,
		[IOMMU_TEST_OP_CREATE_ACCESS] = mock_access_create,
		[IOMMU_TEST_OP_DESTROY_ACCESS_PAGES] = mock_access_unpin,
		[IOMMU_TEST_OP_ACCESS_PAGES] = mock_access_pages,
		[IOMMU_TEST_OP_ACCESS_RW] = mock_access_rw,
		[IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT] = memory_limit,
		[IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE] = mock_domain_replace,
		[IOMMU_TEST_OP_ACCESS_REPLACE_IOAS] = mock_access_replace,
		[IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS] = mock_domain,
		[IOMMU_TEST_OP_DIRTY] = mock_dirty,
		[IOMMU_TEST_OP_MD_CHECK_IOTLB] = mock_check_iotlb,
		[IOMMU_TEST_OP_TRIGGER_IOPF] = mock_trigger_iopf,
		[IOMMU_TEST_OP_DEV_CHECK_CACHE] = mock_dev_check_cache,
		[IOMMU_TEST_OP_TRIGGER_VEVENT] = mock_trigger_vevent,
		[IOMMU_TEST_OP_PASID_ATTACH] = mock_pasid_attach,
		[IOMMU_TEST_OP_PASID_REPLACE] = mock_pasid_replace,
		[IOMMU_TEST_OP_PASID_DETACH] = mock_pasid_detach,
		[IOMMU_TEST_OP_PASID_CHECK_HWPT] = mock_pasid_check_hwpt,
		[IOMMU_TEST_OP_DMABUF_GET] = mock_dmabuf_get,
		[IOMMU_TEST_OP_DMABUF_REVOKE] = mock_dmabuf_revoke,
	};
	struct iommu_test_cmd *args = cmd->args;

	if (args->op >= IOMMU_TEST_OP_END || !ops[args->op])
		return -EOPNOTSUPP;
	return ops[args->op](cmd, args);
}
