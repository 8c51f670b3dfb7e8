/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2: what Linux 7.2's driver of AMD's IOMMU answers on a host with SNP: registers, host tables of
 * version 1, nesting that ends at the vIOMMU, and the IOVAs that messages take.
 */
#include "setup.h"

#include "hardware/platform.h"

#define DEVICE 2u

static int fd;
static uint32_t ioas, device, parent;
static const struct iommufd_device *idev;

static int set_up(void **state)
{
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .flags = IOMMU_HWPT_ALLOC_NEST_PARENT };

	host_up(state);
	machine_platform_set(PLATFORM_SEV);
	fd = iommu_open();
	ioas = ioas_alloc(fd);
	device = (uint32_t)bind_device(fd, DEVICE, &idev);
	args.dev_id = device;
	args.pt_id = ioas;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), 0);
	parent = args.out_hwpt_id;
	return 0;
}

static int tear_down(void **state)
{
	unbind_device(idev);
	sys_close(task, fd);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_OBJ), 0);
	return host_down(state);
}

static void hw_info_is_the_registers(void **state)
{
	static const struct { uint32_t flags, type; long rc; } asked[] = {
		{ 0, 0, 0 },
		{ IOMMU_HW_INFO_FLAG_INPUT_TYPE, IOMMU_HW_INFO_TYPE_AMD, 0 },
		{ IOMMU_HW_INFO_FLAG_INPUT_TYPE, IOMMU_HW_INFO_TYPE_INTEL_VTD, -EOPNOTSUPP },
		{ IOMMU_HW_INFO_FLAG_INPUT_TYPE, IOMMU_HW_INFO_TYPE_ARM_SMMUV3, -EOPNOTSUPP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct iommu_hw_info_amd info = { 0 };
		struct iommu_hw_info args = { .size = sizeof(args), .flags = asked[i].flags,
			.dev_id = device, .data_len = sizeof(info), .data_uptr = (uintptr_t)&info,
			.in_data_type = asked[i].type };

		assert_int_equal(sys_ioctl(task, fd, IOMMU_GET_HW_INFO, (uintptr_t)&args), asked[i].rc);
		if (asked[i].rc)
			continue;
		assert_int_equal(args.out_data_type, 4);
		assert_int_equal(args.data_len, 16);
		assert_int_equal(args.out_max_pasid_log2, 0);
		assert_true(args.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING);
		assert_true(info.efr >> 63);	/* SNP */
		assert_int_equal(info.efr >> 10 & 3, 1);	/* host tables of 5 levels */
	}
}

static void tables_of_version_1_know_no_pasids(void **state)
{
	static const struct { uint32_t flags; long rc; } asked[] = {
		{ 0, 0 },
		{ IOMMU_HWPT_ALLOC_NEST_PARENT, 0 },
		{ IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0 },
		{ IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0 },
		{ IOMMU_HWPT_ALLOC_PASID, -EOPNOTSUPP },
		{ IOMMU_HWPT_ALLOC_PASID | IOMMU_HWPT_ALLOC_DIRTY_TRACKING, -EOPNOTSUPP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		assert_int_equal(CALL(fd, IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, .flags = asked[i].flags,
				      .dev_id = device, .pt_id = ioas), asked[i].rc);
}

static long nested(uint32_t over, uint32_t type)
{
	uint64_t dte[4] = { 0 };

	return CALL(fd, IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, .dev_id = device, .pt_id = over,
		    .data_type = type, .data_len = type ? sizeof(dte) : 0,
		    .data_uptr = type ? (uintptr_t)dte : 0);
}

static void nesting_ends_at_the_viommu(void **state)
{
	static const uint32_t types[] = { IOMMU_VIOMMU_TYPE_ARM_SMMUV3, 4, 77 };

	(void)state;
	assert_int_equal(CALL(fd, IOMMU_VIOMMU_ALLOC, iommu_viommu_alloc, .dev_id = device,
			      .hwpt_id = parent), -EOPNOTSUPP);
	assert_int_equal(nested(parent, IOMMU_HWPT_DATA_AMD_GUEST), -EOPNOTSUPP);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct iommu_viommu_alloc args = { .size = sizeof(args), .type = types[i],
						   .dev_id = device, .hwpt_id = parent };
		uint64_t command[2] = { 0 };

		assert_int_equal(sys_ioctl(task, fd, IOMMU_VIOMMU_ALLOC, (uintptr_t)&args), 0);
		assert_int_equal(nested(args.out_viommu_id, IOMMU_HWPT_DATA_AMD_GUEST), -EOPNOTSUPP);
		assert_int_equal(nested(args.out_viommu_id, IOMMU_HWPT_DATA_VTD_S1), -EOPNOTSUPP);
		assert_int_equal(CALL(fd, IOMMU_HWPT_INVALIDATE, iommu_hwpt_invalidate,
				      .hwpt_id = args.out_viommu_id, .entry_len = sizeof(command),
				      .entry_num = 1, .data_uptr = (uintptr_t)command), -EOPNOTSUPP);
		assert_int_equal(destroy(fd, args.out_viommu_id), 0);
	}
}

static void messages_take_their_iovas(void **state)
{
	uint64_t memory = user_memory(PHYS_PAGE);
	struct iommu_iova_range ranges[8] = { 0 };	/* answers that valgrind does not see being written */
	struct iommu_ioas_iova_ranges args = { .size = sizeof(args), .ioas_id = ioas, .num_iovas = 8,
					       .allowed_iovas = (uintptr_t)ranges };
	uint32_t id = ioas;

	(void)state;
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &id), 0);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_IOVA_RANGES, (uintptr_t)&args), 0);
	assert_int_equal(args.num_iovas, 3);
	assert_int_equal(ranges[0].last, 0xfedfffff);
	assert_int_equal(ranges[1].start, 0xfef00000);
	assert_int_equal(ranges[1].last, 0xfcffffffffull);
	assert_int_equal(ranges[2].start, 0x10000000000ull);
	assert_int_equal(ioas_map(fd, ioas, memory, PHYS_PAGE, 0xfee00000), -EINVAL);
	assert_int_equal(ioas_map(fd, ioas, memory, PHYS_PAGE, 0xfffffff000), -EINVAL);
	assert_int_equal(ioas_map(fd, ioas, memory, PHYS_PAGE, 0x10000000000ull), 0);
	assert_int_not_equal(dma_target(DEVICE, 0x10000000000ull, true), 0);
	detach_device(idev, TLP_NO_PASID);
	args.num_iovas = 8;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_IOVA_RANGES, (uintptr_t)&args), 0);
	assert_int_equal(args.num_iovas, 1);	/* the parent reserves nothing: nobody uses it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hw_info_is_the_registers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tables_of_version_1_know_no_pasids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nesting_ends_at_the_viommu, set_up, tear_down),
		cmocka_unit_test_setup_teardown(messages_take_their_iovas, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
