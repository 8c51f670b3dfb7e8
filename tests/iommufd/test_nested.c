/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2: nested HWPTs, vIOMMUs and what hangs on them, with the mock IOMMU, as Linux 7.2 answers.
 * Beside what the kernel's selftests look at: what is left behind by calls that fail half way.
 */
#include <fcntl.h>
#include <poll.h>

#include "kernel/iommufd/mock/mock.h"
#include "setup.h"

static int fd;
static uint32_t ioas, stdev, device, parent, viommu;

static uint32_t nested_alloc_flags(uint32_t below, uint32_t flags, uint32_t fault, long expected)
{
	struct iommu_hwpt_selftest data = { .iotlb = 0xbadbeef };
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .dev_id = device, .pt_id = below,
					 .flags = flags, .fault_id = fault,
					 .data_type = IOMMU_HWPT_DATA_SELFTEST,
					 .data_len = sizeof(data), .data_uptr = (uintptr_t)&data };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), expected);
	return args.out_hwpt_id;
}

static uint32_t nested_alloc(uint32_t below)
{
	return nested_alloc_flags(below, 0, 0, 0);
}

static uint32_t viommu_alloc(void)
{
	struct iommu_viommu_alloc args = { .size = sizeof(args), .type = IOMMU_VIOMMU_TYPE_SELFTEST,
					   .dev_id = device, .hwpt_id = parent };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_VIOMMU_ALLOC, (uintptr_t)&args), 0);
	return args.out_viommu_id;
}

static int set_up(void **state)
{
	struct iommu_test_cmd mock = { .size = sizeof(mock), .op = IOMMU_TEST_OP_MOCK_DOMAIN };
	struct iommu_hwpt_alloc args = { .size = sizeof(args),
					 .flags = IOMMU_HWPT_ALLOC_NEST_PARENT };

	host_up(state);
	host_options(false, true);
	fd = iommu_open();
	mock.id = ioas = ioas_alloc(fd);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_TEST_CMD, (uintptr_t)&mock), 0);
	stdev = mock.mock_domain.out_stdev_id;
	args.dev_id = device = mock.mock_domain.out_idev_id;
	args.pt_id = ioas;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), 0);
	parent = args.out_hwpt_id;
	viommu = viommu_alloc();
	return 0;
}

/* Everything goes with the file: nothing may be left. */
static int tear_down(void **state)
{
	sys_close(task, fd);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_OBJ), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_EVENT), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_MMAP), 0);
	assert_int_equal(image_live(IMAGE_TYPE_MOCK), 0);
	return host_down(state);
}

static long test_op(uint32_t op, uint32_t id, uint32_t first, uint32_t second)
{
	struct iommu_test_cmd args = { .size = sizeof(args), .op = op, .id = id };

	args.check_iotlb.id = first;
	args.check_iotlb.iotlb = second;
	return sys_ioctl(task, fd, IOMMU_TEST_CMD, (uintptr_t)&args);
}

static long replace(uint32_t pt)
{
	return test_op(IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, stdev, pt, 0);
}

static long vdevice_alloc(uint64_t virt_id, uint32_t *id)
{
	struct iommu_vdevice_alloc args = { .size = sizeof(args), .viommu_id = viommu,
					    .dev_id = device, .virt_id = virt_id };
	long rc = sys_ioctl(task, fd, IOMMU_VDEVICE_ALLOC, (uintptr_t)&args);

	*id = args.out_vdevice_id;
	return rc;
}

/* -- invalidation ------------------------------------------------------------------------------ */

static long invalidate(uint32_t id, const void *entries, uint32_t len, uint32_t *num)
{
	struct iommu_hwpt_invalidate args = { .size = sizeof(args), .hwpt_id = id,
					      .data_uptr = (uintptr_t)entries,
					      .data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
					      .entry_len = len, .entry_num = *num };
	long rc = sys_ioctl(task, fd, IOMMU_HWPT_INVALIDATE, (uintptr_t)&args);

	*num = args.entry_num;
	return rc;
}

static void entries_before_a_bad_one_are_carried_out(void **state)
{
	struct iommu_hwpt_invalidate_selftest entries[3] = { { 0, 1 }, { 2, 0 }, { 0, 2 } };
	struct iommu_viommu_invalidate_selftest caches[2] = { { 0, 0x99, 3 }, { 0, 0x98, 0 } };
	uint32_t nested = nested_alloc(parent), num = 3, vdev;

	(void)state;
	assert_int_equal(invalidate(nested, entries, sizeof(entries[0]), &num), -EOPNOTSUPP);
	assert_int_equal(num, 1);
	assert_int_equal(test_op(IOMMU_TEST_OP_MD_CHECK_IOTLB, nested, 1, 0), 0);
	assert_int_equal(test_op(IOMMU_TEST_OP_MD_CHECK_IOTLB, nested, 2, 0xbadbeef), 0);
	num = 1;
	assert_int_equal(invalidate(parent, entries, sizeof(entries[0]), &num), -EINVAL);
	assert_int_equal(num, 0);
	assert_int_equal(vdevice_alloc(0x99, &vdev), 0);
	num = 2;
	assert_int_equal(invalidate(viommu, caches, sizeof(caches[0]), &num), -EINVAL);
	assert_int_equal(num, 1);
	assert_int_equal(test_op(IOMMU_TEST_OP_DEV_CHECK_CACHE, device, 3, 0), 0);
	/* An entry that cannot be read: of a vIOMMU's none is carried out then. */
	caches[0].cache_id = 2;
	num = 2;
	assert_int_equal(invalidate(viommu, (void *)(uintptr_t)16, sizeof(caches[0]), &num), -EFAULT);
	assert_int_equal(num, 0);
}

/* -- vIOMMUs ----------------------------------------------------------------------------------- */

static void a_page_of_the_driver_holds_its_viommu(void **state)
{
	struct iommu_viommu_selftest data = { .in_data = 0xbeef };
	struct iommu_viommu_alloc args = { .size = sizeof(args), .type = IOMMU_VIOMMU_TYPE_SELFTEST,
					   .dev_id = device, .hwpt_id = parent,
					   .data_len = sizeof(data), .data_uptr = (uintptr_t)&data };
	uint64_t at, length;
	uint32_t word = 0;

	(void)state;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VIOMMU_ALLOC, (uintptr_t)&args), 0);
	assert_int_equal(data.out_data, 0xbeef);
	length = data.out_mmap_length;
	assert_int_equal(length, 8192);
	assert_true(data.out_mmap_offset >= 4096);
	assert_int_equal(sys_mmap(task, length, PROT_READ, MAP_SHARED, fd,
				  data.out_mmap_offset + 4096, &at), -ENXIO);
	assert_int_equal(sys_mmap(task, length / 2, PROT_READ, MAP_SHARED, fd,
				  data.out_mmap_offset, &at), -ENXIO);
	assert_int_equal(sys_mmap(task, length, PROT_READ, MAP_PRIVATE, fd, data.out_mmap_offset,
				  &at), -EINVAL);
	assert_int_equal(sys_mmap(task, length, PROT_READ | PROT_EXEC, MAP_SHARED, fd,
				  data.out_mmap_offset, &at), -EPERM);
	assert_int_equal(sys_mmap(task, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				  data.out_mmap_offset, &at), 0);
	assert_int_equal(sys_load(task, at, &word, sizeof(word)), 0);
	assert_int_equal(word, 0xbeef);
	assert_int_equal(destroy(fd, args.out_viommu_id), -EBUSY);
	assert_int_equal(sys_munmap(task, at, length), 0);
	assert_int_equal(destroy(fd, args.out_viommu_id), 0);
	assert_int_equal(sys_mmap(task, length, PROT_READ, MAP_SHARED, fd, data.out_mmap_offset,
				  &at), -ENXIO);
	/* Data of another size than the type has. */
	args.data_len = 7;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VIOMMU_ALLOC, (uintptr_t)&args), -EINVAL);
}

static void unbinding_leaves_a_tombstone(void **state)
{
	uint32_t vdev, other;

	(void)state;
	assert_int_equal(vdevice_alloc(0x99, &vdev), 0);
	assert_int_equal(vdevice_alloc(0x98, &other), -EEXIST);
	assert_int_equal(destroy(fd, viommu), -EBUSY);
	assert_int_equal(destroy(fd, stdev), 0);
	assert_int_equal(destroy(fd, vdev), -ENOENT);
	assert_int_equal(destroy(fd, viommu), 0);
	while ((other = ioas_alloc(fd)) < vdev)		/* fills the ids below */
		;
	assert_int_not_equal(other, vdev);
}

/* -- events ------------------------------------------------------------------------------------ */

static int veventq_alloc(uint32_t depth, uint32_t *id)
{
	struct iommu_veventq_alloc args = { .size = sizeof(args), .viommu_id = viommu,
					    .type = IOMMU_VEVENTQ_TYPE_SELFTEST,
					    .veventq_depth = depth };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_VEVENTQ_ALLOC, (uintptr_t)&args), 0);
	*id = args.out_veventq_id;
	return (int)args.out_veventq_fd;
}

static void lost_events_are_numbered(void **state)
{
	const uint8_t expected[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0x99, 0, 0, 0,
				     1, 0, 0, 0, 2, 0, 0, 0 };
	uint32_t queue, vdev, nested = nested_alloc(viommu);
	int events = veventq_alloc(1, &queue);
	uint8_t buffer[64] = { 0 };

	(void)state;
	assert_int_equal(replace(nested), -ENOENT);	/* its VM does not know the device yet */
	assert_int_equal(vdevice_alloc(0x99, &vdev), 0);
	assert_int_equal(test_op(IOMMU_TEST_OP_TRIGGER_VEVENT, 0, device, 0), -ENOENT);
	assert_int_equal(replace(nested), 0);
	assert_int_equal(sys_poll(task, events), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(test_op(IOMMU_TEST_OP_TRIGGER_VEVENT, 0, device, 0), 0);
	assert_int_equal(sys_poll(task, events), POLLIN | POLLRDNORM);
	assert_int_equal(sys_pread(task, events, buffer, 64, 1), -ESPIPE);
	assert_int_equal(sys_read(task, events, buffer, 11), -EINVAL);
	assert_int_equal(sys_read(task, events, buffer, 64), 20);
	assert_memory_equal(buffer, expected, 20);
	assert_int_equal(sys_read(task, events, buffer, 64), 0);
	/* The next one that is kept takes the place of the header. */
	for (int i = 0; i < 2; i++)
		test_op(IOMMU_TEST_OP_TRIGGER_VEVENT, 0, device, 0);
	assert_int_equal(sys_read(task, events, buffer, 12), 12);
	assert_int_equal(buffer[4], 3);
	assert_int_equal(test_op(IOMMU_TEST_OP_TRIGGER_VEVENT, 0, device, 0), 0);
	assert_int_equal(sys_read(task, events, buffer, 64), 12);
	assert_int_equal(buffer[4], 5);
	assert_int_equal(destroy(fd, queue), -EBUSY);
	assert_int_equal(sys_close(task, events), 0);
	assert_int_equal(destroy(fd, queue), 0);
	assert_int_equal(test_op(IOMMU_TEST_OP_TRIGGER_VEVENT, 0, device, 0), -EOPNOTSUPP);
}

/* -- faults ------------------------------------------------------------------------------------ */

static long page_request(uint32_t pasid, uint32_t grpid)
{
	struct iommu_test_cmd args = { .size = sizeof(args), .op = IOMMU_TEST_OP_TRIGGER_IOPF };

	args.trigger_iopf.dev_id = device;
	args.trigger_iopf.pasid = pasid;
	args.trigger_iopf.grpid = grpid;
	args.trigger_iopf.perm = IOMMU_PGFAULT_PERM_READ;
	args.trigger_iopf.addr = 0xdead000;
	return sys_ioctl(task, fd, IOMMU_TEST_CMD, (uintptr_t)&args);
}

static void faults_wait_for_their_answers(void **state)
{
	struct iommu_fault_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_hwpt_pgfault faults[3] = { 0 };
	struct iommu_hwpt_page_response answers[2];
	const size_t size = sizeof(faults[0]);
	uint32_t nested, plain = nested_alloc(parent);
	int queue;

	(void)state;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_FAULT_QUEUE_ALLOC, (uintptr_t)&alloc), 0);
	queue = (int)alloc.out_fault_fd;
	nested_alloc_flags(parent, IOMMU_HWPT_FAULT_ID_VALID, 999, -ENOENT);
	nested = nested_alloc_flags(parent, IOMMU_HWPT_FAULT_ID_VALID, alloc.out_fault_id, 0);
	assert_int_equal(page_request(0, 1), 0);	/* nobody takes it */
	assert_int_equal(replace(nested), 0);
	assert_int_equal(sys_poll(task, queue), POLLOUT);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(page_request(i, 7 + i), 0);
	assert_int_equal(sys_poll(task, queue), POLLOUT | POLLIN | POLLRDNORM);
	assert_int_equal(sys_read(task, queue, faults, size - 1), -ESPIPE);
	assert_int_equal(sys_read(task, queue, (void *)(uintptr_t)16, size), -EFAULT);
	assert_int_equal(sys_read(task, queue, faults, 2 * size), 2 * size);
	assert_int_equal(faults[0].flags, IOMMU_PGFAULT_FLAGS_LAST_PAGE);
	assert_int_equal(faults[0].dev_id, device);
	assert_int_equal(faults[0].grpid, 7);
	assert_int_equal(faults[0].cookie, 1);
	assert_int_equal(faults[1].flags,
			 IOMMU_PGFAULT_FLAGS_LAST_PAGE | IOMMU_PGFAULT_FLAGS_PASID_VALID);
	assert_int_equal(faults[1].pasid, 1);
	assert_int_equal(faults[1].cookie, 2);
	answers[0] = (struct iommu_hwpt_page_response){ faults[1].cookie, 2 };
	assert_int_equal(sys_write(task, queue, answers, sizeof(answers[0])), -EINVAL);
	answers[0].code = IOMMUFD_PAGE_RESP_SUCCESS;
	answers[1] = (struct iommu_hwpt_page_response){ 77, IOMMUFD_PAGE_RESP_INVALID };
	assert_int_equal(sys_write(task, queue, answers, sizeof(answers)), sizeof(answers[0]));
	assert_int_equal(sys_write(task, queue, answers, sizeof(answers[0])), -EINVAL);
	/* What was not answered is, when the device goes through something else. */
	assert_int_equal(replace(plain), 0);
	answers[0].cookie = faults[0].cookie;
	assert_int_equal(sys_write(task, queue, answers, sizeof(answers[0])), -EINVAL);
	assert_int_equal(sys_read(task, queue, faults, size), 0);
	assert_int_equal(destroy(fd, alloc.out_fault_id), -EBUSY);
	assert_int_equal(sys_close(task, queue), 0);
	assert_int_equal(destroy(fd, alloc.out_fault_id), -EBUSY);
	assert_int_equal(destroy(fd, nested), 0);
	assert_int_equal(destroy(fd, alloc.out_fault_id), 0);
}

/* -- hardware queues --------------------------------------------------------------------------- */

static long queue_alloc(uint32_t index, uint64_t iova, uint64_t len, uint32_t *id)
{
	struct iommu_hw_queue_alloc args = { .size = sizeof(args), .viommu_id = viommu,
					     .type = IOMMU_HW_QUEUE_TYPE_SELFTEST, .index = index,
					     .nesting_parent_iova = iova, .length = len };
	long rc = sys_ioctl(task, fd, IOMMU_HW_QUEUE_ALLOC, (uintptr_t)&args);

	*id = args.out_hw_queue_id;
	return rc;
}

static void hardware_keeps_its_queue_mapped(void **state)
{
	const uint64_t iova = MOCK_APERTURE_START;
	uint64_t memory = user_memory(0x4000);
	uint32_t first, second, none;

	(void)state;
	assert_int_equal(queue_alloc(0, iova, 0x1000, &none), -ENOENT);
	assert_int_equal(ioas_map(fd, ioas, memory, 0x1000, iova), 0);
	assert_int_equal(ioas_map(fd, ioas, memory + 0x1000, 0x1000, iova + 0x1000), 0);
	assert_int_equal(ioas_map(fd, ioas, memory + 0x3000, 0x1000, iova + 0x2000), 0);
	assert_int_equal(queue_alloc(1, iova, 0x1000, &none), -EIO);
	assert_int_equal(queue_alloc(2, iova, 0x1000, &none), -EINVAL);
	assert_int_equal(queue_alloc(0, iova + 0x1000, 0x2000, &none), -EFAULT);
	assert_int_equal(queue_alloc(0, iova + 0x800, 0x1000, &first), 0);	/* two areas */
	assert_int_equal(queue_alloc(0, iova, 0x1000, &none), -EEXIST);
	assert_int_equal(queue_alloc(1, iova + 0x2800, 0x800, &second), 0);
	assert_int_equal(ioas_unmap(fd, ioas, iova, 0x3000), -EBUSY);
	assert_int_equal(destroy(fd, first), -EBUSY);
	assert_int_equal(destroy(fd, second), 0);
	assert_int_equal(ioas_unmap(fd, ioas, iova + 0x2000, 0x1000), 0x1000);
	assert_int_equal(ioas_unmap(fd, ioas, iova, 0x2000), -EBUSY);
	assert_int_equal(destroy(fd, first), 0);
	assert_int_equal(ioas_unmap(fd, ioas, iova, 0x2000), 0x2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(entries_before_a_bad_one_are_carried_out, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_page_of_the_driver_holds_its_viommu, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(unbinding_leaves_a_tombstone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lost_events_are_numbered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(faults_wait_for_their_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hardware_keeps_its_queue_mapped, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
