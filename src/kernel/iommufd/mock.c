/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations of IOMMU_TEST_CMD that need no mock device: reserved ranges and counting pins. */
#include "kernel/iommufd/mock.h"
#include "kernel/iommufd/private.h"

#define MEMORY_LIMIT_MIN 12u

static int test_add_reserved(const struct iommufd_cmd *cmd, const struct iommu_test_cmd *args)
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
static int test_check_refs(const struct iommufd_cmd *cmd, const struct iommu_test_cmd *args)
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
static int test_memory_limit(const struct iommufd_cmd *cmd, const struct iommu_test_cmd *args)
{
	(void)cmd;
	return args->memory_limit.limit < MEMORY_LIMIT_MIN ? -EINVAL : 0;
}

int iommufd_ioctl_test(struct iommufd_cmd *cmd)
{
	static int (*const ops[])(const struct iommufd_cmd *, const struct iommu_test_cmd *) = {
		[IOMMU_TEST_OP_ADD_RESERVED] = test_add_reserved,
		[IOMMU_TEST_OP_MD_CHECK_REFS] = test_check_refs,
		[IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT] = test_memory_limit,
	};
	const struct iommu_test_cmd *args = cmd->args;

	if (args->op >= sizeof(ops) / sizeof(ops[0]) || !ops[args->op])
		return -EOPNOTSUPP;
	return ops[args->op](cmd, args);
}
