/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.2: what is mapped is what the page tables say, whatever was done before; what fails changes
 * nothing; a revoked dma-buf is out of reach for good. */
#include <stdlib.h>

#include "setup.h"

#define UNITS 2048u		/* pages of I/O address space the model knows */
#define BASE 0x40000000ull
#define BUFFER (4ull << 20)

struct unit { uint32_t area; uint32_t page; bool write; };	/* area 0: free */

static struct unit model[2][UNITS];
static uint32_t areas, seed_state;
static uint64_t buffer;
static uint32_t ioas[2], hwpt[2];
static int fd;

static uint32_t chance(uint32_t n)
{
	seed_state = seed_state * 1664525u + 1013904223u;
	return (seed_state >> 8) % n;
}

static uint64_t page_hpa(uint64_t va)
{
	uint64_t run;

	return user_page(task, va, PHYS_PAGE, false, &run);
}

static const struct pt *hwpt_pt(uint32_t id)
{
	const struct iommufd_ctx *ctx = iommufd_ctx_of_file(task->fds[fd]);

	return &((const struct iommufd_hwpt *)iommufd_find(ctx, id, IOMMUFD_HWPT_PAGING))->pt;
}

/* Every page of the model against the table in hardware format. */
static void check_tables(unsigned int which)
{
	const struct pt *pt = hwpt_pt(hwpt[which]);

	for (uint32_t i = 0; i < UNITS; i++) {
		const struct unit *unit = &model[which][i];
		uint64_t iova = BASE + i * PHYS_PAGE;
		struct pt_leaf leaf;
		int rc = pt_walk(pt, iova, &leaf);

		if (!unit->area) {
			assert_int_equal(rc, -ENOENT);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(leaf.hpa + (iova - leaf.address),
				 page_hpa(buffer + unit->page * PHYS_PAGE));
		assert_int_equal(leaf.prot & (PT_R | PT_W), unit->write ? PT_R | PT_W : PT_R);
	}
}

static bool model_free(unsigned int which, uint32_t at, uint32_t count)
{
	for (uint32_t i = at; i < at + count; i++)
		if (i >= UNITS || model[which][i].area)
			return false;
	return true;
}

static void model_put(unsigned int which, uint32_t at, uint32_t count, uint32_t page, bool write)
{
	areas++;
	for (uint32_t i = 0; i < count; i++)
		model[which][at + i] = (struct unit){ areas, page + i, write };
}

static void random_map(void)
{
	unsigned int which = chance(2);
	uint32_t count = 1 + (chance(4) ? chance(16) : chance(600)), at = chance(UNITS - count);
	uint32_t page = chance((uint32_t)(BUFFER / PHYS_PAGE) - count);
	bool write = chance(3);
	long rc;

	if (!chance(3)) {		/* congruent, so that large leaves can be */
		at &= ~511u;
		page &= ~511u;
	}
	rc = CALL(fd, IOMMU_IOAS_MAP, iommu_ioas_map, .ioas_id = ioas[which],
		  .flags = IOMMU_IOAS_MAP_FIXED_IOVA | (write ? RW : IOMMU_IOAS_MAP_READABLE),
		  .user_va = buffer + page * PHYS_PAGE, .length = count * PHYS_PAGE,
		  .iova = BASE + at * PHYS_PAGE);
	assert_int_equal(rc, model_free(which, at, count) ? 0 : -EEXIST);
	if (!rc)
		model_put(which, at, count, page, write);
}

/* Whole areas from `at` on go; a cut at either end is -ENOENT, and stops there. */
static long model_unmap(unsigned int which, uint32_t at, uint32_t count)
{
	struct unit *unit = model[which];
	uint32_t end = at + count, bytes = 0;

	for (uint32_t i = at, stop; i < end; i = stop) {
		stop = i + 1;
		if (!unit[i].area)
			continue;
		if (i && unit[i - 1].area == unit[i].area)
			return -ENOENT;
		while (stop < UNITS && unit[stop].area == unit[i].area)
			stop++;
		if (stop > end)
			return -ENOENT;
		bytes += (stop - i) * PHYS_PAGE;
		memset(&unit[i], 0, (stop - i) * sizeof(*unit));
	}
	return bytes ? (long)bytes : -ENOENT;
}

static void random_unmap(void)
{
	unsigned int which = chance(2);
	uint32_t at = chance(UNITS), count = 1 + chance(UNITS - at), start = at;

	if (chance(2)) {		/* one area exactly */
		while (at < UNITS && (!model[which][at].area ||
				      (at && model[which][at - 1].area == model[which][at].area)))
			at++;
		if (at == UNITS)
			return;
		for (start = at; at < UNITS && model[which][at].area == model[which][start].area;
		     at++)
			;
		count = at - start;
	}
	assert_int_equal(ioas_unmap(fd, ioas[which], BASE + start * PHYS_PAGE, count * PHYS_PAGE),
			 model_unmap(which, start, count));
}

static void random_copy(void)
{
	unsigned int from = chance(2), to = chance(2);
	uint32_t count = 1 + chance(40), at = chance(UNITS - count), dst = chance(UNITS - count);
	long expected = 0, rc;

	for (uint32_t i = at; i < at + count && !expected; i++)
		if (!model[from][i].area)
			expected = -ENOENT;
	if (!expected && !model_free(to, dst, count))
		expected = -EEXIST;
	for (uint32_t i = at; i < at + count && !expected; i++)
		if (!model[from][i].write)
			expected = -EPERM;
	rc = CALL(fd, IOMMU_IOAS_COPY, iommu_ioas_copy, .flags = RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		  .src_ioas_id = ioas[from], .dst_ioas_id = ioas[to], .length = count * PHYS_PAGE,
		  .src_iova = BASE + at * PHYS_PAGE, .dst_iova = BASE + dst * PHYS_PAGE);
	assert_int_equal(rc, expected);
	for (uint32_t i = 0; i < count && !rc; i++) {
		const struct unit *source = &model[from][at + i];
		bool first = !i || source[-1].area != source->area;

		areas += first;
		model[to][dst + i] = (struct unit){ areas, source->page, true };
	}
}

static uint32_t hwpt_alloc(uint32_t dev, uint32_t pt)
{
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .dev_id = dev, .pt_id = pt };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), 0);
	return args.out_hwpt_id;
}

static int maps_up(void **state)
{
	int rc = host_up(state);

	memset(model, 0, sizeof(model));
	areas = 0;
	seed_state = 7;
	fd = iommu_open();
	buffer = user_memory(BUFFER);
	ioas[0] = ioas_alloc(fd);
	ioas[1] = ioas_alloc(fd);
	return rc;
}

static void r6_2_random_against_model(void **state)
{
	const struct iommufd_device *idev;
	long dev = bind_device(fd, 2, &idev);

	(void)state;
	assert_true(dev > 0);
	hwpt[0] = hwpt_alloc((uint32_t)dev, ioas[0]);
	for (unsigned int step = 0; step < 3000; step++) {
		static void (*const acts[])(void) = { random_map, random_map, random_copy,
						      random_unmap };

		acts[chance(4)]();
		if (step == 1500)	/* one that is filled with what is there already */
			hwpt[1] = hwpt_alloc((uint32_t)dev, ioas[1]);
		if (step % 50 == 0) {
			check_tables(0);
			if (step >= 1500)
				check_tables(1);
		}
	}
	assert_int_equal(destroy(fd, hwpt[0]), 0);
	assert_int_equal(destroy(fd, hwpt[1]), 0);
	assert_int_equal(image_live(IMAGE_TYPE_PT_PAGE), 0);
	unbind_device(idev);
	sys_close(task, fd);
	assert_int_equal(image_live(IMAGE_TYPE_IOPT_AREA) + image_live(IMAGE_TYPE_IOPT_PAGES), 0);
}

/* -- failing calls ---------------------------------------------------------------------------- */

static long act_map(uint32_t dev)
{
	(void)dev;
	return ioas_map(fd, ioas[0], buffer, 1 << 20, BASE + (8 << 20));
}

static long act_copy(uint32_t dev)
{
	(void)dev;
	return CALL(fd, IOMMU_IOAS_COPY, iommu_ioas_copy, .flags = RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		    .src_ioas_id = ioas[0], .dst_ioas_id = ioas[0], .length = 0x3000,
		    .src_iova = BASE, .dst_iova = BASE + (16 << 20));
}

static long act_hwpt(uint32_t dev)
{
	return CALL(fd, IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, .dev_id = dev, .pt_id = ioas[0]);
}

static long act_ioas(uint32_t dev)
{
	(void)dev;
	return CALL(fd, IOMMU_IOAS_ALLOC, iommu_ioas_alloc, .flags = 0);
}

static long act_fault_queue(uint32_t dev)
{
	(void)dev;
	return CALL(fd, IOMMU_FAULT_QUEUE_ALLOC, iommu_fault_alloc, .flags = 0);
}

/* Allocation n fails, for every n: the call says ENOMEM and nothing changed, not even a table. */
static void no_memory_changes_nothing(void **state)
{
	static long (*const acts[])(uint32_t dev) = { act_map, act_copy, act_hwpt, act_ioas,
						      act_fault_queue };
	const struct iommufd_device *idev;
	uint32_t dev = (uint32_t)bind_device(fd, 2, &idev), pt = ioas[0];

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(
			ioas_map(fd, ioas[0], buffer + i * 0x5000, 0x1000, BASE + i * 0x1000), 0);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	for (unsigned int act = 0; act < sizeof(acts) / sizeof(acts[0]); act++)
		for (uint64_t n = 1;; n++) {
			uint64_t before = image_hash();
			long rc;

			image_fail_nth(n);
			rc = acts[act](dev);
			if (image_fail_left()) {
				image_fail_nth(0);
				assert_int_equal(rc, 0);
				assert_true(n > 1);
				break;
			}
			assert_int_equal(rc, -ENOMEM);
			assert_int_equal(image_hash(), before);
		}
}

static void refused_calls_change_nothing(void **state)
{
	const struct iommufd_device *idev;
	uint32_t pt = ioas[0];
	uint64_t before;

	(void)state;
	bind_device(fd, 2, &idev);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x2000, BASE), 0);
	before = image_hash();
	/* The last page of what is to be mapped is not there. */
	assert_int_equal(ioas_map(fd, ioas[0], buffer + BUFFER - 0x2000, 0x3000, BASE + 0x10000),
			 -EFAULT);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, BASE + 0x1000), -EEXIST);
	assert_int_equal(ioas_unmap(fd, ioas[0], BASE, 0x1000), -ENOENT);
	assert_int_equal(destroy(fd, ioas[0]), -EBUSY);
	assert_int_equal(image_hash(), before);
	/* An answer that cannot be written takes the object back, but not a mapping. */
	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_ALLOC, 8), -EFAULT);
	assert_int_equal(image_hash(), before);
}

/* -- leaves, alignment, reserved -------------------------------------------------------------- */

static uint64_t leaf_size(uint32_t id, uint64_t iova)
{
	struct pt_leaf leaf;

	assert_int_equal(pt_walk(hwpt_pt(id), iova, &leaf), 0);
	return leaf.size;
}

static void large_leaves_unless_forbidden(void **state)
{
	const struct iommufd_device *idev;
	long dev = bind_device(fd, 2, &idev);

	(void)state;
	assert_int_equal(CALL(fd, IOMMU_OPTION, iommu_option, .option_id = IOMMU_OPTION_HUGE_PAGES,
			      .object_id = ioas[1], .val64 = 0), 0);
	hwpt[0] = hwpt_alloc((uint32_t)dev, ioas[0]);
	hwpt[1] = hwpt_alloc((uint32_t)dev, ioas[1]);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(ioas_map(fd, ioas[i], buffer, BUFFER, BASE), 0);
	assert_int_equal(leaf_size(hwpt[0], BASE), PHYS_2M);
	assert_int_equal(leaf_size(hwpt[1], BASE), PHYS_PAGE);
	assert_int_equal(CALL(fd, IOMMU_OPTION, iommu_option, .option_id = IOMMU_OPTION_HUGE_PAGES,
			      .object_id = ioas[0], .val64 = 0), -EINVAL);
}

struct ranges { struct iommu_iova_range range[4]; uint32_t count; uint64_t alignment; };

static struct ranges iova_ranges(uint32_t id)
{
	struct ranges ranges = { .count = 0 };
	struct iommu_ioas_iova_ranges args = { .size = sizeof(args), .ioas_id = id, .num_iovas = 4,
					       .allowed_iovas = (uintptr_t)ranges.range };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_IOVA_RANGES, (uintptr_t)&args), 0);
	ranges.count = args.num_iovas;
	ranges.alignment = args.out_iova_alignment;
	return ranges;
}

/* As seen on Linux with a VT-d of 48 bits; ours says five levels, 57 bits. */
static void device_narrows_the_space(void **state)
{
	const struct iommufd_device *idev;
	uint32_t pt = ioas[0];
	struct ranges ranges;
	uint64_t last = (1ull << 57) - 1;

	(void)state;
	bind_device(fd, 2, &idev);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, 0xfee00000), 0);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), -EADDRINUSE);
	assert_int_equal(ioas_unmap(fd, ioas[0], 0xfee00000, 0x1000), 0x1000);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x800, 0x800), 0);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), -EADDRINUSE);
	assert_int_equal(ioas_unmap(fd, ioas[0], 0x800, 0x800), 0x800);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, last + 1), 0);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), -EADDRINUSE);
	assert_int_equal(ioas_unmap(fd, ioas[0], 0, UINT64_MAX), 0x1000);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	ranges = iova_ranges(ioas[0]);
	assert_int_equal(ranges.count, 2);
	assert_int_equal(ranges.range[0].start, 0);
	assert_int_equal(ranges.range[0].last, 0xfedfffff);
	assert_int_equal(ranges.range[1].start, 0xfef00000);
	assert_int_equal(ranges.range[1].last, last);
	assert_int_equal(ranges.alignment, 4096);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, 0xfee01000), -EINVAL);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, last + 1), -EINVAL);
	assert_int_equal(ioas_map(fd, ioas[0], buffer + 8, 0x1000, 0x200000), -EINVAL);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x800, 0x200000), -EINVAL);
	assert_int_equal(ioas_map(fd, ioas[0], 0x1000, 0x1000, 0x200000), -EFAULT);
	assert_int_equal(CALL(fd, IOMMU_IOAS_ALLOW_IOVAS, iommu_ioas_allow_iovas,
			      .ioas_id = ioas[0], .num_iovas = 1,
			      .allowed_iovas = (uintptr_t) &
					       (struct iommu_iova_range){ 0xfed00000, 0xfeefffff }),
			 -EADDRINUSE);
	detach_device(idev, TLP_NO_PASID);
	ranges = iova_ranges(ioas[0]);
	assert_int_equal(ranges.count, 1);
	assert_int_equal(ranges.range[0].last, UINT64_MAX);
	assert_int_equal(ranges.alignment, 1);
}

static void bound_device_reaches_only_what_is_mapped(void **state)
{
	const struct iommufd_device *idev;
	uint32_t pt = ioas[0];

	(void)state;
	bind_device(fd, 2, &idev);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, BASE), 0);
	assert_int_equal(dma_target(2, BASE, false), 0);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(dma_target(2, BASE + 5, false), page_hpa(buffer) + 5);
	assert_int_equal(dma_target(3, BASE, false), 0);
	assert_int_equal(dma_target(2, BASE + 0x1000, false), 0);
	assert_int_equal(ioas_unmap(fd, ioas[0], BASE, 0x1000), 0x1000);
	assert_int_equal(dma_target(2, BASE, false), 0);	/* not from the IOTLB either */
	assert_int_equal(ioas_map(fd, ioas[0], buffer + 0x3000, 0x1000, BASE), 0);
	assert_int_equal(dma_target(2, BASE, false), page_hpa(buffer + 0x3000));
	detach_device(idev, TLP_NO_PASID);
	assert_int_equal(dma_target(2, BASE, false), 0);
}

/* -- who pays ---------------------------------------------------------------------------------- */

static void task_limits(bool capable, uint64_t bytes)
{
	struct task *w;

	assert_int_equal(image_enter(), 0);
	w = image_write(task);
	w->cap_ipc_lock = capable;
	w->rlimit_memlock = bytes;
	image_leave();
}

static void memory_is_charged_once(void **state)
{
	const struct iommufd_device *idev;
	uint32_t pt = ioas[0];
	int second;

	(void)state;
	task_limits(false, 0x4000);
	bind_device(fd, 2, &idev);
	/* Nothing is pinned, so nothing is charged, before a page table needs it. */
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x3000, BASE), 0);
	assert_int_equal(task->pinned_vm, 0);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(task->pinned_vm, 3);
	assert_int_equal(task->locked_vm, 0);		/* per user, not per process */
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x2000, BASE + 0x10000), -ENOMEM);
	assert_int_equal(CALL(fd, IOMMU_IOAS_COPY, iommu_ioas_copy,
			      .flags = RW | IOMMU_IOAS_MAP_FIXED_IOVA, .src_ioas_id = ioas[0],
			      .dst_ioas_id = ioas[0], .length = 0x3000, .src_iova = BASE,
			      .dst_iova = BASE + 0x20000),
			 0);
	assert_int_equal(task->pinned_vm, 3);
	assert_int_equal(ioas_unmap(fd, ioas[0], BASE, 0x3000), 0x3000);
	assert_int_equal(task->pinned_vm, 3);		/* the copy still holds them */
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, BASE), 0);
	/* The user's other file shares the limit. */
	second = iommu_open();
	assert_int_equal(ioas_unmap(fd, ioas[0], 0, UINT64_MAX), 0x4000);
	assert_int_equal(task->pinned_vm, 0);
	detach_device(idev, TLP_NO_PASID);
	unbind_device(idev);
	assert_int_equal(CALL(second, IOMMU_OPTION, iommu_option, .val64 = 1), 0);
	fd = second;
	ioas[0] = pt = ioas_alloc(fd);
	bind_device(fd, 2, &idev);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x3000, BASE), 0);
	assert_int_equal(task->locked_vm, 3);
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x2000, BASE + 0x10000), -ENOMEM);
	detach_device(idev, TLP_NO_PASID);
	assert_int_equal(task->locked_vm + task->pinned_vm, 0);
}

static void change_process_moves_the_bill(void **state)
{
	const struct task *other;
	const struct iommufd_device *idev;
	int memfd = sys_memfd_create(task, "pages", 0), shared;
	uint32_t pt = ioas[0];

	(void)state;
	assert_int_equal(sys_ftruncate(task, memfd, 0x8000), 0);
	bind_device(fd, 2, &idev);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(CALL(fd, IOMMU_IOAS_MAP_FILE, iommu_ioas_map_file, .flags = RW,
			      .ioas_id = ioas[0], .fd = memfd, .length = 0x3000, .start = 0x1000),
			 0);
	assert_int_equal(task->pinned_vm, 3);
	assert_int_equal(image_enter(), 0);
	other = task_create("heir", 0);
	current_task_set(other);
	file_get(task->fds[fd]);
	shared = fd_install(task->fds[fd], 0);
	current_task_set(NULL);
	image_leave();
	assert_int_equal(sys_ioctl(other, shared, IOMMU_IOAS_CHANGE_PROCESS,
				   (uintptr_t)&(struct iommu_ioas_change_process){ .size = 8 }), 0);
	assert_int_equal(task->pinned_vm, 0);
	assert_int_equal(other->pinned_vm, 3);
	assert_int_equal(ioas_unmap(fd, ioas[0], 0, UINT64_MAX), 0x3000);
	assert_int_equal(other->pinned_vm, 0);
}

/* -- files ------------------------------------------------------------------------------------- */

static void memfd_pages(void **state)
{
	const struct iommufd_device *idev;
	int memfd = sys_memfd_create(task, "pages", 0);
	struct iommu_ioas_map_file map = { .size = sizeof(map),
					   .flags = RW,
					   .ioas_id = ioas[0],
					   .fd = memfd,
					   .start = 0x1000,
					   .length = 0x2000 };
	uint32_t pt = ioas[0];
	uint64_t run;

	(void)state;
	assert_int_equal(sys_ftruncate(task, memfd, 0x2800), 0);
	bind_device(fd, 2, &idev);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_MAP_FILE, (uintptr_t)&map), 0);
	assert_int_equal(dma_target(2, map.iova + 0x1000, true),
			 memfd_page(task->fds[memfd], 0x2000, 1, &run));
	map.length = 0x3000;		/* beyond the end */
	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_MAP_FILE, (uintptr_t)&map), -EINVAL);
	map.fd = fd;			/* not a memfd */
	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_MAP_FILE, (uintptr_t)&map), -EINVAL);
	/* The mapping holds the file. */
	sys_close(task, memfd);
	assert_int_equal(image_live(IMAGE_TYPE_MEMFD), 1);
	assert_int_equal(ioas_unmap(fd, ioas[0], 0, UINT64_MAX), 0x2000);
	assert_int_equal(image_live(IMAGE_TYPE_MEMFD), 0);
}

static int dmabuf_new(uint8_t kind, unsigned int ranges, const struct dmabuf **buf)
{
	struct dmabuf template = { .kind = kind, .range_count = ranges };
	int dmabuf_fd;

	for (unsigned int i = 0; i < ranges; i++) {
		template.range[i].hpa = PHYS_MMIO + i * 0x100000;
		template.range[i].len = 0x4000;
	}
	assert_int_equal(image_enter(), 0);
	*buf = dmabuf_create(&template);
	assert_non_null(*buf);
	current_task_set(task);
	dmabuf_fd = fd_install((*buf)->file, 0);
	current_task_set(NULL);
	image_leave();
	return dmabuf_fd;
}

static long map_dmabuf(int dmabuf_fd, uint64_t start, uint64_t len, uint64_t iova)
{
	return CALL(fd, IOMMU_IOAS_MAP_FILE, iommu_ioas_map_file,
		    .flags = RW | IOMMU_IOAS_MAP_FIXED_IOVA, .ioas_id = ioas[0], .fd = dmabuf_fd,
		    .start = start, .length = len, .iova = iova);
}

static void dmabuf_revoke_now(const struct dmabuf *buf, bool revoke)
{
	assert_int_equal(image_enter(), 0);
	if (revoke)
		dmabuf_revoke(buf);
	else
		dmabuf_restore(buf);
	image_leave();
}

/* R4.2: a revoke takes the pages out of every page table; only a new mapping brings them back. */
static void r4_2_revoked_dmabuf_is_out_of_reach(void **state)
{
	const struct iommufd_device *idev;
	const struct dmabuf *buf;
	uint32_t pt = ioas[0], other = ioas[1];
	int dmabuf_fd = dmabuf_new(DMABUF_ORDINARY, 1, &buf);

	(void)state;
	bind_device(fd, 2, &idev);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(map_dmabuf(dmabuf_fd, 0, 0x5000, BASE), -EINVAL);
	assert_int_equal(map_dmabuf(dmabuf_fd, 0x1000, 0x2000, BASE), 0);
	assert_int_equal(dma_target(2, BASE + 0x10, true), PHYS_MMIO + 0x1010);
	assert_int_equal(task->pinned_vm, 0);
	dmabuf_revoke_now(buf, true);
	assert_int_equal(dma_target(2, BASE + 0x10, true), 0);
	assert_int_equal(map_dmabuf(dmabuf_fd, 0, 0x1000, BASE + 0x10000), -ENODEV);
	assert_int_equal(map_dmabuf(dmabuf_fd, 0, 0x1000, BASE), -ENODEV);
	dmabuf_revoke_now(buf, false);
	assert_int_equal(dma_target(2, BASE + 0x10, true), 0);
	/* Its IOVA stays taken, a new page table skips it, and unmapping it works. */
	assert_int_equal(ioas_map(fd, ioas[0], buffer, 0x1000, BASE), -EEXIST);
	hwpt[0] = hwpt_alloc(iommufd_device_id(idev), ioas[0]);
	assert_int_equal(pt_next_mapped(hwpt_pt(hwpt[0]), 0), UINT64_MAX);
	assert_int_equal(ioas_unmap(fd, ioas[0], BASE, 0x2000), 0x2000);
	assert_int_equal(map_dmabuf(dmabuf_fd, 0x1000, 0x2000, BASE), 0);
	assert_int_equal(dma_target(2, BASE + 0x10, true), PHYS_MMIO + 0x1010);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &other), 0);
}

/* R2.5, R6.5: many ranges only with extensions. R2.4: a private one never. */
static void r2_4_kinds_of_dmabuf(void **state)
{
	const struct iommufd_device *idev;
	const struct dmabuf *buf;
	uint32_t pt = ioas[0];
	int two = dmabuf_new(DMABUF_SHARED, 2, &buf), private = dmabuf_new(DMABUF_PRIVATE, 1, &buf);

	(void)state;
	bind_device(fd, 2, &idev);
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &pt), 0);
	assert_int_equal(map_dmabuf(two, 0, 0x8000, BASE), -EOPNOTSUPP);
	assert_int_equal(map_dmabuf(private, 0, 0x1000, BASE), -EACCES);
	host_options(true, false);
	assert_int_equal(map_dmabuf(two, 0, 0x8000, BASE), 0);
	assert_int_equal(dma_target(2, BASE + 0x3fff, false), PHYS_MMIO + 0x3fff);
	assert_int_equal(dma_target(2, BASE + 0x4000, false), PHYS_MMIO + 0x100000);
	assert_int_equal(map_dmabuf(private, 0, 0x1000, BASE + 0x10000), -EACCES);
}

/* The allocation of an IOVA and its unmapping do not get slow with many areas. */
static void many_areas(void **state)
{
	struct iommu_ioas_map map = { .size = sizeof(map),
				      .flags = RW,
				      .ioas_id = ioas[0],
				      .user_va = buffer,
				      .length = 0x1000 };

	(void)state;
	for (unsigned int i = 1; i <= 65536; i++) {
		assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_MAP, (uintptr_t)&map), 0);
		assert_int_equal(map.iova, i * 0x1000);
	}
	assert_int_equal(ioas_unmap(fd, ioas[0], 0x5000000, 0x1000), 0x1000);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_MAP, (uintptr_t)&map), 0);
	assert_int_equal(map.iova, 0x5000000);
	assert_int_equal(ioas_unmap(fd, ioas[0], 0, UINT64_MAX), 65536 * 0x1000l);
}

#define T(test) cmocka_unit_test_setup_teardown(test, maps_up, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(r6_2_random_against_model),
		T(no_memory_changes_nothing),
		T(refused_calls_change_nothing),
		T(large_leaves_unless_forbidden),
		T(device_narrows_the_space),
		T(bound_device_reaches_only_what_is_mapped),
		T(memory_is_charged_once),
		T(change_process_moves_the_bill),
		T(memfd_pages),
		T(r4_2_revoked_dmabuf_is_out_of_reach),
		T(r2_4_kinds_of_dmabuf),
		T(many_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
