/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.2: dirty tracking on real tables: VT-d's second stage, whose bits hardware sets (VT-d 3.7.2). */
#include "setup.h"

#define IOVA 0x40000000ull
#define PAGE 0x1000ull
#define PAGES 8u
#define DEVICE 2u

static int fd;
static uint32_t ioas, device, hwpt;
static const struct iommufd_device *idev;

static uint32_t hwpt_alloc(uint32_t flags)
{
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .dev_id = device, .pt_id = ioas,
					 .flags = flags };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), 0);
	return args.out_hwpt_id;
}

static int set_up(void **state)
{
	host_up(state);
	fd = iommu_open();
	ioas = ioas_alloc(fd);
	device = (uint32_t)bind_device(fd, DEVICE, &idev);
	assert_int_equal(ioas_map(fd, ioas, user_memory(PAGES * PAGE), PAGES * PAGE, IOVA), 0);
	hwpt = hwpt_alloc(IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &hwpt), 0);
	return 0;
}

static int tear_down(void **state)
{
	unbind_device(idev);
	sys_close(task, fd);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_OBJ), 0);
	return host_down(state);
}

static long tracking(uint32_t id, uint32_t flags)
{
	return CALL(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, iommu_hwpt_set_dirty_tracking, .hwpt_id = id,
		    .flags = flags);
}

/* The bits of the pages from IOVA on, a bit a page. */
static uint64_t bitmap(uint32_t flags)
{
	uint64_t bits = 0;

	assert_int_equal(CALL(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap,
			      .hwpt_id = hwpt, .flags = flags, .iova = IOVA,
			      .length = PAGES * PAGE, .page_size = PAGE,
			      .data = (uintptr_t)&bits), 0);
	return bits;
}

static bool dma(unsigned int page, bool write)
{
	return dma_target(DEVICE, IOVA + page * PAGE, write);
}

static void only_writes_make_dirty(void **state)
{
	(void)state;
	assert_true(dma(0, true));		/* before anybody asked */
	assert_int_equal(bitmap(0), 0);
	assert_int_equal(tracking(hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE), 0);
	assert_true(dma(1, false));
	assert_int_equal(bitmap(0), 0);
	assert_true(dma(1, true));		/* cached from the read, and noted all the same */
	assert_true(dma(5, true));
	assert_int_equal(bitmap(IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR), 1 << 1 | 1 << 5);
	assert_int_equal(bitmap(0), 1 << 1 | 1 << 5);
	assert_int_equal(bitmap(0), 0);
	assert_true(dma(5, true));		/* what was cached as dirty is not any more */
	assert_int_equal(bitmap(0), 1 << 5);
	assert_true(dma(6, true));
	assert_int_equal(tracking(hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE), 0);
	assert_int_equal(bitmap(0), 0);		/* enabling begins anew */
	assert_int_equal(tracking(hwpt, 0), 0);
	assert_true(dma(7, true));
	assert_int_equal(bitmap(0), 0);
}

static void refused_writes_do_not(void **state)
{
	const uint64_t at = IOVA + PAGES * PAGE;
	uint64_t bits = 0;

	(void)state;
	assert_int_equal(CALL(fd, IOMMU_IOAS_MAP, iommu_ioas_map,
			      .flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA,
			      .ioas_id = ioas, .user_va = user_memory(PAGE), .length = PAGE,
			      .iova = at), 0);
	assert_int_equal(tracking(hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE), 0);
	assert_false(dma(PAGES, true));
	assert_true(dma(PAGES, false));
	assert_false(dma(PAGES, true));
	assert_int_equal(CALL(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap,
			      .hwpt_id = hwpt, .iova = at, .length = PAGE, .page_size = PAGE,
			      .data = (uintptr_t)&bits), 0);
	assert_int_equal(bits, 0);
}

static void only_where_it_was_asked_for(void **state)
{
	uint32_t plain = hwpt_alloc(0);

	(void)state;
	assert_int_equal(tracking(plain, IOMMU_HWPT_DIRTY_TRACKING_ENABLE), -EOPNOTSUPP);
	assert_int_equal(tracking(ioas, IOMMU_HWPT_DIRTY_TRACKING_ENABLE), -ENOENT);
	assert_int_equal(tracking(hwpt, 2), -EOPNOTSUPP);
	assert_int_equal(tracking(hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE), 0);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &plain), 0);
	assert_true(dma(2, true));
	assert_int_equal(bitmap(0), 0);
}

/* A large leaf is dirty as a whole. */
static void large_leaves(void **state)
{
	const uint64_t at = 0x80000000ull, size = 2ull << 20;
	uint64_t bits[8] = { 0 }, memory = user_memory(2 * size);

	(void)state;
	memory = (memory + size - 1) & ~(size - 1);
	assert_int_equal(ioas_map(fd, ioas, memory, size, at), 0);
	assert_int_equal(tracking(hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE), 0);
	assert_true(dma_target(DEVICE, at + 3 * PAGE, true));
	assert_int_equal(CALL(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap,
			      .hwpt_id = hwpt, .iova = at, .length = size, .page_size = PAGE,
			      .data = (uintptr_t)bits), 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_true(bits[i] == UINT64_MAX);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_writes_make_dirty),
		CASE(refused_writes_do_not),
		CASE(only_where_it_was_asked_for),
		CASE(large_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
