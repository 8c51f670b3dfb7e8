/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.2: who holds whom, what can be destroyed when, and what is left when all is closed. */
#include "setup.h"

static int fd;

static int objects_up(void **state)
{
	int rc = host_up(state);

	fd = iommu_open();
	return rc;
}

static uint64_t live(void)
{
	return image_live(IMAGE_TYPE_IOMMUFD) + image_live(IMAGE_TYPE_IOMMUFD_OBJ) +
	       image_live(IMAGE_TYPE_IOMMUFD_GROUP) + image_live(IMAGE_TYPE_IOPT_AREA) +
	       image_live(IMAGE_TYPE_IOPT_PAGES) + image_live(IMAGE_TYPE_IOPT_TREE) +
	       image_live(IMAGE_TYPE_PT_PAGE) + image_live(IMAGE_TYPE_IDTABLE);
}

static long hwpt_alloc(uint32_t dev, uint32_t pt, uint32_t flags)
{
	struct iommu_hwpt_alloc args = {
		.size = sizeof(args), .flags = flags, .dev_id = dev, .pt_id = pt
	};
	long rc = sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args);

	return rc ? rc : args.out_hwpt_id;
}

static void ids_are_the_lowest_free(void **state)
{
	(void)state;
	assert_int_equal(ioas_alloc(fd), 1);
	assert_int_equal(ioas_alloc(fd), 2);
	assert_int_equal(ioas_alloc(fd), 3);
	assert_int_equal(destroy(fd, 2), 0);
	assert_int_equal(destroy(fd, 2), -ENOENT);
	assert_int_equal(ioas_alloc(fd), 2);
	assert_int_equal(ioas_alloc(fd), 4);
}

/* An attach to the IOAS makes a page table, shares it, and lets it go with its last device. */
static void automatic_page_table(void **state)
{
	const struct iommufd_device *a, *b;
	uint32_t ioas = ioas_alloc(fd), pt_a = ioas, pt_b = ioas;
	long dev;

	(void)state;
	dev = bind_device(fd, 2, &a);
	bind_device(fd, 3, &b);
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt_a), 0);
	assert_int_equal(attach_device(b, TLP_NO_PASID, &pt_b), 0);
	assert_int_equal(pt_a, pt_b);
	assert_int_equal(destroy(fd, ioas), -EBUSY);
	assert_int_equal(destroy(fd, pt_a), -EBUSY);
	assert_int_equal(destroy(fd, (uint32_t)dev), -EBUSY);
	detach_device(a, TLP_NO_PASID);
	assert_int_equal(destroy(fd, pt_a), -EBUSY);
	assert_int_equal(destroy(fd, (uint32_t)dev), -EBUSY);	/* VFIO holds it, attached or not */
	detach_device(b, TLP_NO_PASID);
	assert_int_equal(destroy(fd, pt_a), -ENOENT);
	assert_int_equal(destroy(fd, ioas), 0);
}

static void manual_page_table(void **state)
{
	const struct iommufd_device *a;
	uint32_t ioas = ioas_alloc(fd), pt = ioas, dev = (uint32_t)bind_device(fd, 2, &a);
	long hwpt = hwpt_alloc(dev, ioas, 0);

	(void)state;
	assert_true(hwpt > 0);
	assert_int_equal(destroy(fd, ioas), -EBUSY);
	/* It is never picked by an attach to the IOAS. */
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), 0);
	assert_int_not_equal(pt, hwpt);
	detach_device(a, TLP_NO_PASID);
	pt = (uint32_t)hwpt;
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), 0);
	assert_int_equal(destroy(fd, (uint32_t)hwpt), -EBUSY);
	detach_device(a, TLP_NO_PASID);
	assert_int_equal(destroy(fd, (uint32_t)hwpt), 0);
	assert_int_equal(destroy(fd, ioas), 0);
}

/* As Linux on a VT-d with PASIDs and dirty bits, and without first stage. */
static void hwpt_flags(void **state)
{
	const struct iommufd_device *a;
	uint32_t ioas = ioas_alloc(fd), dev = (uint32_t)bind_device(fd, 2, &a);
	struct iommu_fault_alloc fault = { .size = sizeof(fault) };
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .dev_id = dev };

	(void)state;
	assert_int_equal(hwpt_alloc(dev, 99, 0), -EINVAL);
	assert_int_equal(hwpt_alloc(dev, dev, 0), -EINVAL);
	assert_int_equal(hwpt_alloc(99, ioas, 0), -ENOENT);
	for (uint32_t flags = 1; flags < 32; flags++) {
		long expected = flags & 0x11			    ? -EOPNOTSUPP
				: flags & IOMMU_HWPT_FAULT_ID_VALID ? -ENOENT
								    : 0;
		long rc = hwpt_alloc(dev, ioas, flags);

		assert_int_equal(rc < 0 ? rc : 0, expected);
	}
	host_options(true, false); /* a vIOMMU of ours can stand on a parent without first stage */
	args.pt_id = (uint32_t)hwpt_alloc(dev, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), -EOPNOTSUPP);
	args.data_type = IOMMU_HWPT_DATA_VTD_S1;
	args.data_len = sizeof(struct iommu_hwpt_vtd_s1);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), -EFAULT);
	/* A fault queue is held by the page table that uses it, and by its file. */
	assert_int_equal(sys_ioctl(task, fd, IOMMU_FAULT_QUEUE_ALLOC, (uintptr_t)&fault), 0);
	args = (struct iommu_hwpt_alloc){ .size = sizeof(args),
					  .dev_id = dev,
					  .pt_id = ioas,
					  .flags = IOMMU_HWPT_FAULT_ID_VALID,
					  .fault_id = fault.out_fault_id };
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), 0);
	sys_close(task, (int)fault.out_fault_fd);
	assert_int_equal(destroy(fd, fault.out_fault_id), -EBUSY);
	assert_int_equal(attach_device(a, TLP_NO_PASID, &args.out_hwpt_id),
			 -ENODEV); /* no page requests */
	assert_int_equal(destroy(fd, args.out_hwpt_id), 0);
	assert_int_equal(destroy(fd, fault.out_fault_id), 0);
}

static void hw_info(void **state)
{
	const struct iommufd_device *a;
	uint8_t buffer[40];
	struct iommu_hw_info args = { .size = sizeof(args),
				      .dev_id = (uint32_t)bind_device(fd, 2, &a),
				      .data_len = sizeof(buffer),
				      .data_uptr = (uintptr_t)buffer };
	struct reader r = reader_of(buffer, sizeof(buffer));

	(void)state;
	memset(buffer, 0xee, sizeof(buffer));
	assert_int_equal(sys_ioctl(task, fd, IOMMU_GET_HW_INFO, (uintptr_t)&args), 0);
	assert_int_equal(args.data_len, 24);
	assert_int_equal(args.out_data_type, IOMMU_HW_INFO_TYPE_INTEL_VTD);
	assert_int_equal(args.out_capabilities,
			 IOMMU_HW_CAP_DIRTY_TRACKING | IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED);
	assert_int_equal(get_le32(&r), IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17);
	assert_int_equal(get_le32(&r), 0);
	assert_true(get_le64(&r) == iommu_cap());
	assert_true(get_le64(&r) == iommu_ecap());
	assert_int_equal(get_le64(&r), 0);	/* the rest of the client's buffer is cleared */
	assert_int_equal(get_le64(&r), 0);
	args.data_len = 4;
	buffer[4] = 0x77;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_GET_HW_INFO, (uintptr_t)&args), 0);
	assert_int_equal(buffer[4], 0x77);
	args.data_uptr = 8;
	args.data_len = 24;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_GET_HW_INFO, (uintptr_t)&args), -EFAULT);
	args.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE;
	args.in_data_type = IOMMU_HW_INFO_TYPE_AMD;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_GET_HW_INFO, (uintptr_t)&args), -EOPNOTSUPP);
}

/* Devices 0 and 1 cannot be told apart by the IOMMU. */
static void a_group_shares_one_table(void **state)
{
	const struct iommufd_device *a, *b;
	uint32_t one = ioas_alloc(fd), two = ioas_alloc(fd), pt_a = one, pt_b = two;
	uint64_t memory = user_memory(0x2000);

	(void)state;
	bind_device(fd, 0, &a);
	assert_int_equal(ioas_map(fd, one, memory, 0x1000, 0x1000), 0);
	assert_int_equal(ioas_map(fd, two, memory + 0x1000, 0x1000, 0x1000), 0);
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt_a), 0);
	assert_int_not_equal(dma_target(1, 0x1000, false), 0);	/* whoever has it */
	bind_device(fd, 1, &b);
	assert_int_not_equal(dma_target(0, 0x1000, false), 0);
	assert_int_equal(attach_device(b, TLP_NO_PASID, &pt_b), -EINVAL);
	pt_b = one;
	assert_int_equal(attach_device(b, TLP_NO_PASID, &pt_b), 0);
	assert_int_equal(pt_b, pt_a);
	/* To replace it for one is to replace it for both, with nothing in between. */
	pt_b = two;
	assert_int_equal(attach_device(b, TLP_NO_PASID, &pt_b), 0);
	assert_int_equal(dma_target(0, 0x1000, false), dma_target(1, 0x1000, false));
	assert_int_equal(destroy(fd, pt_a), -ENOENT);
	assert_int_equal(destroy(fd, one), 0);
	detach_device(a, TLP_NO_PASID);
	assert_int_not_equal(dma_target(0, 0x1000, false), 0);
	detach_device(b, TLP_NO_PASID);
	assert_int_equal(dma_target(0, 0x1000, false), 0);
	assert_int_equal(destroy(fd, two), 0);
}

static void a_failing_replace_keeps_the_old_table(void **state)
{
	const struct iommufd_device *a;
	uint32_t one = ioas_alloc(fd), two = ioas_alloc(fd), pt = one;
	uint64_t memory = user_memory(0x1000), before;

	(void)state;
	bind_device(fd, 2, &a);
	assert_int_equal(ioas_map(fd, one, memory, 0x1000, 0x1000), 0);
	assert_int_equal(ioas_map(fd, two, memory, 0x1000, 0xfee00000), 0);
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), 0);
	before = dma_target(2, 0x1000, false);
	pt = two;
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), -EADDRINUSE);
	assert_int_equal(dma_target(2, 0x1000, false), before);
	assert_int_equal(destroy(fd, two), 0);
}

static void pasids_need_tables_for_them(void **state)
{
	const struct iommufd_device *a;
	uint32_t ioas = ioas_alloc(fd), dev = (uint32_t)bind_device(fd, 2, &a), pt = ioas;
	uint32_t plain = (uint32_t)hwpt_alloc(dev, ioas, 0);
	uint32_t with = (uint32_t)hwpt_alloc(dev, ioas, IOMMU_HWPT_ALLOC_PASID);

	(void)state;
	pt = with;
	assert_int_equal(attach_device(a, 5, &pt), 0);	/* whatever requests without one do */
	pt = plain;
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), -EINVAL);
	detach_device(a, 5);
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), 0);
	pt = with;
	assert_int_equal(attach_device(a, 5, &pt), -EINVAL);
	assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), 0);
	assert_int_equal(attach_device(a, 5, &pt), 0);
	pt = ioas;
	assert_int_equal(attach_device(a, 6, &pt), -EINVAL);
	pt = plain;
	assert_int_equal(attach_device(a, 6, &pt), -EINVAL);
	assert_int_equal(destroy(fd, with), -EBUSY);
	detach_device(a, 5);
	detach_device(a, 5);
	detach_device(a, TLP_NO_PASID);
	assert_int_equal(destroy(fd, with), 0);
}

static void a_device_has_one_owner(void **state)
{
	const struct iommufd_device *a, *b;
	int other = iommu_open();

	(void)state;
	assert_true(bind_device(fd, 0, &a) > 0);
	assert_int_equal(bind_device(fd, 0, &b), -EBUSY);
	assert_int_equal(bind_device(other, 1, &b), -EPERM);
	assert_true(bind_device(other, 2, &b) > 0);
	unbind_device(a);
	assert_true(bind_device(other, 1, &a) > 0);
}

/* R3.3: the order of closing does not matter. */
static void r3_3_closing_in_any_order(void **state)
{
	const uint64_t memory = user_memory(0x1000);

	(void)state;
	sys_close(task, fd);
	assert_int_equal(live(), 0);
	for (unsigned int order = 0; order < 2; order++) {
		const struct iommufd_device *a, *b;
		uint32_t ioas, pt;

		fd = iommu_open();
		ioas = pt = ioas_alloc(fd);
		bind_device(fd, 0, &a);
		bind_device(fd, 1, &b);
		assert_int_equal(attach_device(a, TLP_NO_PASID, &pt), 0);
		assert_int_equal(attach_device(b, TLP_NO_PASID, &pt), 0);
		assert_int_equal(ioas_map(fd, ioas, memory, 0x1000, 0x1000), 0);
		if (!order)
			assert_int_equal(sys_close(task, fd), 0);
		assert_int_not_equal(dma_target(0, 0x1000, false), 0);
		unbind_device(a);
		assert_int_not_equal(dma_target(1, 0x1000, false), 0);
		unbind_device(b);
		assert_int_equal(dma_target(1, 0x1000, false), 0);
		if (order)
			assert_int_equal(sys_close(task, fd), 0);
		assert_int_equal(live(), 0);
		assert_int_equal(task->pinned_vm, 0);
	}
}

#define T(test) cmocka_unit_test_setup_teardown(test, objects_up, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ids_are_the_lowest_free),
		T(automatic_page_table),
		T(manual_page_table),
		T(hwpt_flags),
		T(hw_info),
		T(a_group_shares_one_table),
		T(a_failing_replace_keeps_the_old_table),
		T(pasids_need_tables_for_them),
		T(a_device_has_one_owner),
		T(r3_3_closing_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
