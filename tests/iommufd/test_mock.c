/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2. Mock hardware without the kernel's own selftests: every allocation of the calls they
 * exercise fails once, and then nothing has changed; accesses let go of what is unmapped; dirty
 * pages are told once; the mock is there only when asked for.
 */
#include "kernel/iommufd/mock/mock.h"
#include "setup.h"

#define BUFFER 0x40000ull
#define IOVA MOCK_APERTURE_START

static int fd;
static uint32_t ioas, other;
static uint64_t buffer;

#define TEST(...) CALL(fd, IOMMU_TEST_CMD, iommu_test_cmd, __VA_ARGS__)

static int up(void **state)
{
	host_up(state);
	host_options(false, true);
	fd = iommu_open();
	ioas = ioas_alloc(fd);
	other = ioas_alloc(fd);
	buffer = user_memory(BUFFER);
	return 0;
}

/* The calls of the kernel's iommufd_fail_nth, each with what an earlier one made. */
static struct iommu_test_cmd device, access_cmd;
static struct iommu_hwpt_alloc hwpt;

static long test_call(struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return sys_ioctl(task, fd, IOMMU_TEST_CMD, (uintptr_t)cmd);
}

static long act_device(void)
{
	device = (struct iommu_test_cmd){ .op = IOMMU_TEST_OP_MOCK_DOMAIN, .id = ioas };
	return test_call(&device);
}

static long act_map(void)
{
	return ioas_map(fd, ioas, buffer, BUFFER, IOVA);
}

static long act_hwpt(void)
{
	hwpt = (struct iommu_hwpt_alloc){ .size = sizeof(hwpt),
					  .flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
					  .dev_id = device.mock_domain.out_idev_id,
					  .pt_id = ioas };
	return sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&hwpt);
}

static long act_replace(void)
{
	return TEST(.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		    .id = device.mock_domain.out_stdev_id,
		    .mock_domain_replace = { .pt_id = other });
}

static long act_access(void)
{
	access_cmd = (struct iommu_test_cmd){
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = ioas,
		.create_access = { .flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES }
	};
	return test_call(&access_cmd);
}

static long act_pin(void)
{
	return TEST(.op = IOMMU_TEST_OP_ACCESS_PAGES,
		    .id = access_cmd.create_access.out_access_fd,
		    .access_pages = { .iova = IOVA + PHYS_PAGE, .length = 2 * PHYS_PAGE,
				      .uptr = buffer + PHYS_PAGE });
}

static long act_rw(void)
{
	static uint8_t data[3 * PHYS_PAGE];

	return TEST(.op = IOMMU_TEST_OP_ACCESS_RW,
		    .id = access_cmd.create_access.out_access_fd,
		    .access_rw = { .iova = IOVA + 5, .length = sizeof(data),
				   .uptr = (uintptr_t)data });
}

static long act_dmabuf(void)
{
	return TEST(.op = IOMMU_TEST_OP_DMABUF_GET, .dmabuf_get = { .length = PHYS_PAGE });
}

static void every_allocation_fails_once(void **state)
{
	static const struct { const char *name; long (*fn)(void); } acts[] = {
		{ "device", act_device },   { "map", act_map },	      { "hwpt", act_hwpt },
		{ "replace", act_replace }, { "access", act_access }, { "pin", act_pin },
		{ "rw", act_rw },	    { "dma-buf", act_dmabuf },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		for (uint64_t n = 1;; n++) {
			uint64_t before = image_hash();
			long rc;

			image_fail_nth(n);
			rc = acts[i].fn();
			if (image_fail_left()) {
				image_fail_nth(0);
				assert_true(rc >= 0);
				assert_true(n > 1);
				print_message("%s: %u allocations failed\n", acts[i].name,
					      (unsigned int)n - 1);
				break;
			}
			assert_int_equal(rc, -ENOMEM);
			assert_int_equal(image_hash(), before);
		}
}

static void accesses_let_go(void **state)
{
	struct iommu_test_cmd pin = { .op = IOMMU_TEST_OP_ACCESS_PAGES };

	(void)state;
	assert_int_equal(act_access(), 0);
	assert_int_equal(act_map(), 0);
	pin.id = access_cmd.create_access.out_access_fd;
	pin.access_pages.iova = IOVA;
	pin.access_pages.length = PHYS_PAGE;
	/* Not what is behind that address; nor what begins inside a page; nor beyond the map. */
	pin.access_pages.uptr = buffer + PHYS_PAGE;
	assert_int_equal(test_call(&pin), -EBADE);
	pin.access_pages.uptr = buffer;
	pin.access_pages.iova = IOVA + 1;
	assert_int_equal(test_call(&pin), -EINVAL);
	pin.access_pages.iova = IOVA + BUFFER - PHYS_PAGE;
	pin.access_pages.length = 2 * PHYS_PAGE;
	assert_int_equal(test_call(&pin), -ENOENT);
	pin.access_pages.iova = IOVA;
	pin.access_pages.length = PHYS_PAGE;
	assert_int_equal(test_call(&pin), 0);
	assert_int_equal(destroy(fd, ioas), -EBUSY);
	assert_int_equal(ioas_unmap(fd, ioas, IOVA, BUFFER), BUFFER);
	assert_int_equal(TEST(.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES, .id = pin.id,
			      .destroy_access_pages = {
				      .access_pages_id = pin.access_pages.out_access_pages_id }),
			 -ENOENT);
	assert_int_equal(sys_close(task, (int)pin.id), 0);
	assert_int_equal(destroy(fd, ioas), 0);
}

static long bitmap_get(uint64_t *bits, uint32_t flags)
{
	*bits = 0;
	return CALL(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap,
		    .hwpt_id = hwpt.out_hwpt_id, .flags = flags, .iova = IOVA,
		    .length = 32 * PHYS_PAGE, .page_size = PHYS_PAGE, .data = (uintptr_t)bits);
}

/* Pages of 2 KiB that a device wrote, seen in a bitmap of 4 KiB ones. */
static void dirty_pages_are_told_once(void **state)
{
	uint64_t wrote = 1ull << 3 | 1ull << 40 | 1ull << 41, bits;

	(void)state;
	assert_int_equal(act_device(), 0);
	assert_int_equal(act_map(), 0);
	assert_int_equal(act_hwpt(), 0);
	assert_int_equal(CALL(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, iommu_hwpt_set_dirty_tracking,
			      .hwpt_id = hwpt.out_hwpt_id,
			      .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE),
			 0);
	assert_int_equal(TEST(.op = IOMMU_TEST_OP_DIRTY, .id = hwpt.out_hwpt_id,
			      .dirty = { .iova = IOVA, .length = 64 * 2048, .page_size = 2048,
					 .uptr = (uintptr_t)&wrote }),
			 0);
	assert_int_equal(bitmap_get(&bits, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR), 0);
	assert_int_equal(bits, 1ull << 1 | 1ull << 20);
	assert_int_equal(bitmap_get(&bits, 0), 0);
	assert_int_equal(bits, 1ull << 1 | 1ull << 20);
	assert_int_equal(bitmap_get(&bits, 0), 0);
	assert_int_equal(bits, 0);
	/* The HWPT of the attach was not made for it. */
	assert_int_equal(CALL(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, iommu_hwpt_set_dirty_tracking,
			      .hwpt_id = device.mock_domain.out_hwpt_id),
			 -EOPNOTSUPP);
}

static void only_when_asked_for(void **state)
{
	(void)state;
	host_options(false, false);
	assert_int_equal(act_device(), -ENOTTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_allocation_fails_once, up, host_down),
		cmocka_unit_test_setup_teardown(accesses_let_go, up, host_down),
		cmocka_unit_test_setup_teardown(dirty_pages_are_told_once, up, host_down),
		cmocka_unit_test_setup_teardown(only_when_asked_for, up, host_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
