/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.2, R6.6: sequences of system calls and the answers Linux gives, for any kernel. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio_type1.h"

#define ARGS(type, ...) \
	.args_len = sizeof(struct type), .args = &(const struct type){ __VA_ARGS__ }
#define SIZED(type, ...) ARGS(type, .size = sizeof(struct type), __VA_ARGS__)
#define OUT(type, member, gives) \
	.out_at = offsetof(struct type, member), .out_len = sizeof(((struct type *)0)->member), \
	.out = gives

#define CALL(text, number, error, type, ...) \
	{ .what = text, .cmd = number, .result = error, SIZED(type, __VA_ARGS__) }
#define GIVES(text, number, type, member, gives, ...) \
	{ .what = text, .cmd = number, OUT(type, member, gives), SIZED(type, __VA_ARGS__) }
/* An error that writes something back all the same. */
#define FAILS_GIVING(text, number, error, type, member, gives, ...) \
	{ .what = text, .cmd = number, .result = error, OUT(type, member, gives), \
	  SIZED(type, __VA_ARGS__) }
#define OTHER(text, number, error, type, ...) \
	{ .what = text, .cmd = number, .result = error, ARGS(type, __VA_ARGS__) }
#define PLAIN(text, number, error, arg) \
	{ .what = text, .cmd = number, .result = error, .value = arg }
#define RETURNS(text, number, arg, n) PLAIN(text, number, -(n), arg)

#define NEW_IOAS(id) GIVES("IOAS_ALLOC", IOMMU_IOAS_ALLOC, iommu_ioas_alloc, out_ioas_id, id)
#define RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)
#define MAP_AT(error, at, va, len) \
	CALL("fixed map at " #at " of " #len, IOMMU_IOAS_MAP, error, iommu_ioas_map, \
	     .flags = RW | IOMMU_IOAS_MAP_FIXED_IOVA, .ioas_id = 1, .user_va = va, .length = len, \
	     .iova = at)
#define MAP_TO(at, va, len) \
	GIVES("map of " #va ", " #len, IOMMU_IOAS_MAP, iommu_ioas_map, iova, at, .flags = RW, \
	      .ioas_id = 1, .user_va = va, .length = len)
#define MAP_ERR(error, va, len) \
	CALL("map of " #va ", " #len, IOMMU_IOAS_MAP, error, iommu_ioas_map, .flags = RW, \
	     .ioas_id = 1, .user_va = va, .length = len)
#define UNMAP_ERR(error, at, len) \
	CALL("unmap " #at ", " #len, IOMMU_IOAS_UNMAP, error, iommu_ioas_unmap, .ioas_id = 1, \
	     .iova = at, .length = len)
#define UNMAP_GIVES(bytes, at, len) \
	GIVES("unmap " #at ", " #len, IOMMU_IOAS_UNMAP, iommu_ioas_unmap, length, bytes, \
	      .ioas_id = 1, .iova = at, .length = len)
#define DESTROY(error, object) \
	CALL("destroy " #object, IOMMU_DESTROY, error, iommu_destroy, .id = object)

static const struct step numbering[] = {
	PLAIN("no pointer", IOMMU_DESTROY, EFAULT, 0),
	PLAIN("below the table, no pointer", _IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE - 1), ENOTTY, 0),
	PLAIN("below the type 1 calls", _IO(IOMMUFD_TYPE, 99), ENOTTY, 0),
	PLAIN("past the table, no pointer", _IO(IOMMUFD_TYPE, 0xa1), ENOTTY, 0),
	PLAIN("right number, wrong direction, no pointer",
	      _IOW(IOMMUFD_TYPE, IOMMUFD_CMD_DESTROY, int), EFAULT, 0),
	CALL("right number, wrong direction", _IOW(IOMMUFD_TYPE, IOMMUFD_CMD_DESTROY, int), ENOTTY,
	     iommu_destroy),
	DESTROY(ENOENT, 0),
	DESTROY(ENOENT, 1),
	PLAIN("dirty pages of type 1", _IO(VFIO_TYPE, VFIO_BASE + 17), ENOTTY, 0),
};

struct longer { __u32 size; __u8 bytes[124]; };

/* min_size - 1 is EINVAL, a byte too many E2BIG unless it is zero. */
#define EXTENDS(number, type, last) \
	OTHER(#type " below its minimum", number, EINVAL, longer, \
	      .size = offsetof(struct type, last) + sizeof(((struct type *)0)->last) - 1, \
	      .bytes[0] = 0), \
		OTHER(#type " with a non-zero tail", number, E2BIG, longer, \
		      .size = sizeof(struct type) + 1, .bytes[sizeof(struct type) - 4] = 0xff)

static const struct step extension[] = {
	EXTENDS(IOMMU_DESTROY, iommu_destroy, id),
	EXTENDS(IOMMU_IOAS_ALLOC, iommu_ioas_alloc, out_ioas_id),
	EXTENDS(IOMMU_IOAS_ALLOW_IOVAS, iommu_ioas_allow_iovas, allowed_iovas),
	EXTENDS(IOMMU_IOAS_COPY, iommu_ioas_copy, src_iova),
	EXTENDS(IOMMU_IOAS_IOVA_RANGES, iommu_ioas_iova_ranges, out_iova_alignment),
	EXTENDS(IOMMU_IOAS_MAP, iommu_ioas_map, iova),
	EXTENDS(IOMMU_IOAS_UNMAP, iommu_ioas_unmap, length),
	EXTENDS(IOMMU_OPTION, iommu_option, val64),
	EXTENDS(IOMMU_VFIO_IOAS, iommu_vfio_ioas, __reserved),
	EXTENDS(IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, __reserved),
	EXTENDS(IOMMU_GET_HW_INFO, iommu_hw_info, __reserved),
	EXTENDS(IOMMU_HWPT_SET_DIRTY_TRACKING, iommu_hwpt_set_dirty_tracking, __reserved),
	EXTENDS(IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap, data),
	EXTENDS(IOMMU_HWPT_INVALIDATE, iommu_hwpt_invalidate, __reserved),
	EXTENDS(IOMMU_FAULT_QUEUE_ALLOC, iommu_fault_alloc, out_fault_fd),
	EXTENDS(IOMMU_IOAS_MAP_FILE, iommu_ioas_map_file, iova),
	EXTENDS(IOMMU_VIOMMU_ALLOC, iommu_viommu_alloc, out_viommu_id),
	EXTENDS(IOMMU_VDEVICE_ALLOC, iommu_vdevice_alloc, virt_id),
	EXTENDS(IOMMU_IOAS_CHANGE_PROCESS, iommu_ioas_change_process, __reserved),
	EXTENDS(IOMMU_VEVENTQ_ALLOC, iommu_veventq_alloc, out_veventq_fd),
	EXTENDS(IOMMU_HW_QUEUE_ALLOC, iommu_hw_queue_alloc, length),
	OTHER("a longer structure of zeroes", IOMMU_DESTROY, ENOENT, longer,
	      .size = sizeof(struct longer)),
	OTHER("a shorter HWPT_ALLOC", IOMMU_HWPT_ALLOC, ENOENT, longer, .size = 24),
	OTHER("a shorter GET_HW_INFO", IOMMU_GET_HW_INFO, ENOENT, longer, .size = 32),
};

static const struct step options[] = {
	GIVES("RLIMIT_MODE get", IOMMU_OPTION, iommu_option, val64, 0, .op = IOMMU_OPTION_OP_GET,
	      .val64 = 1),
	CALL("RLIMIT_MODE set 1", IOMMU_OPTION, 0, iommu_option, .val64 = 1),
	CALL("RLIMIT_MODE set 2", IOMMU_OPTION, EINVAL, iommu_option, .val64 = 2),
	GIVES("RLIMIT_MODE kept", IOMMU_OPTION, iommu_option, val64, 1, .op = IOMMU_OPTION_OP_GET),
	CALL("RLIMIT_MODE set 0", IOMMU_OPTION, 0, iommu_option, .val64 = 0),
	CALL("HUGE_PAGES get of nothing", IOMMU_OPTION, ENOENT, iommu_option,
	     .option_id = IOMMU_OPTION_HUGE_PAGES, .op = IOMMU_OPTION_OP_GET),
	CALL("HUGE_PAGES set of nothing", IOMMU_OPTION, ENOENT, iommu_option,
	     .option_id = IOMMU_OPTION_HUGE_PAGES),
	CALL("unknown option", IOMMU_OPTION, EOPNOTSUPP, iommu_option, .option_id = 7),
	CALL("unknown operation", IOMMU_OPTION, EOPNOTSUPP, iommu_option, .op = 5),
	CALL("reserved", IOMMU_OPTION, EOPNOTSUPP, iommu_option, .__reserved = 1),
	CALL("RLIMIT_MODE of an object", IOMMU_OPTION, EOPNOTSUPP, iommu_option, .object_id = 3),
	NEW_IOAS(1),
	CALL("RLIMIT_MODE with an object there", IOMMU_OPTION, EBUSY, iommu_option, .val64 = 9),
	CALL("HUGE_PAGES of an unknown one, unknown operation", IOMMU_OPTION, ENOENT, iommu_option,
	     .option_id = IOMMU_OPTION_HUGE_PAGES, .object_id = 77, .op = 9),
	CALL("HUGE_PAGES, unknown operation", IOMMU_OPTION, EOPNOTSUPP, iommu_option,
	     .option_id = IOMMU_OPTION_HUGE_PAGES, .object_id = 1, .op = 9),
	CALL("HUGE_PAGES set 2", IOMMU_OPTION, EINVAL, iommu_option,
	     .option_id = IOMMU_OPTION_HUGE_PAGES, .object_id = 1, .val64 = 2),
	GIVES("HUGE_PAGES get", IOMMU_OPTION, iommu_option, val64, 1,
	      .option_id = IOMMU_OPTION_HUGE_PAGES, .object_id = 1, .op = IOMMU_OPTION_OP_GET),
};

static const struct step mapping[] = {
	NEW_IOAS(1),
	CALL("unknown flag", IOMMU_IOAS_MAP, EOPNOTSUPP, iommu_ioas_map, .flags = 8,
	     .length = UINT64_MAX),
	CALL("reserved", IOMMU_IOAS_MAP, EOPNOTSUPP, iommu_ioas_map, .__reserved = 1,
	     .length = UINT64_MAX),
	CALL("length of all ones", IOMMU_IOAS_MAP, EOVERFLOW, iommu_ioas_map, .length = UINT64_MAX),
	CALL("iova of all ones", IOMMU_IOAS_MAP, EOVERFLOW, iommu_ioas_map, .iova = UINT64_MAX),
	CALL("neither R nor W", IOMMU_IOAS_MAP, EINVAL, iommu_ioas_map, .length = 4096),
	CALL("unknown IOAS", IOMMU_IOAS_MAP, ENOENT, iommu_ioas_map, .flags = RW, .ioas_id = 9),
	MAP_ERR(EINVAL, CASE_VA, 0),
	MAP_ERR(EOVERFLOW, CASE_VA, 1ull << 63),
	MAP_ERR(EOVERFLOW, -4096ull, 4096),
	MAP_ERR(EOVERFLOW, -4096ull, 8192),
	MAP_TO(0x1000, CASE_VA, 4096),
	MAP_TO(0x2000, CASE_VA, 4096),
	MAP_TO(0x3000, CASE_VA + 4096, 8192),
	MAP_TO(0x100000, CASE_VA, 1ull << 20),
	MAP_TO(0x200000, CASE_VA, 2ull << 20),
	MAP_TO(0x400000, CASE_VA, 3ull << 20),
	MAP_TO(0x800000, CASE_VA, 16ull << 20),
	MAP_TO(0x5000, 0, 4096),
	MAP_TO(0x1800000, CASE_VA + 4096, 4ull << 20),
	MAP_AT(0, -4096ull, CASE_VA, 4096),
	MAP_AT(EOVERFLOW, -4096ull, CASE_VA, 8192),
	MAP_AT(EINVAL, 0, CASE_VA, 0),
	MAP_AT(0, 0, CASE_VA, 4096),
	MAP_AT(EEXIST, 0, CASE_VA, 4096),
	MAP_AT(EEXIST, 0x1fff, CASE_VA, 4096),
	UNMAP_ERR(EINVAL, 0, 0),
	UNMAP_ERR(ENOENT, 0, 1),
	UNMAP_ERR(EOVERFLOW, UINT64_MAX, 4096),
	UNMAP_ERR(EOVERFLOW, 0x1000, UINT64_MAX),
	UNMAP_ERR(EOVERFLOW, 0x2000, -4096ull),
	CALL("unmap in no IOAS", IOMMU_IOAS_UNMAP, ENOENT, iommu_ioas_unmap, .ioas_id = 9,
	     .length = UINT64_MAX),
	UNMAP_GIVES(0x1000, 0, 0x1000),
	UNMAP_ERR(ENOENT, 0, 0x1000),
	/* Cut at the end: what was whole before the cut is gone. */
	UNMAP_ERR(ENOENT, 0x1000, 0x2800),
	UNMAP_ERR(ENOENT, 0x1000, 0x2000),
	UNMAP_GIVES(0x2000, 0x1000, 0x4000),
	UNMAP_GIVES(0x1000, 0x5000, 0x1000),
	UNMAP_GIVES(0x1a01000, 0, UINT64_MAX),
	UNMAP_GIVES(0, 0, UINT64_MAX),
};

static const struct step copying[] = {
	NEW_IOAS(1),
	NEW_IOAS(2),
	MAP_AT(0, 0x10000, CASE_VA, 0x2000),
	MAP_AT(0, 0x12000, CASE_VA + 0x8000, 0x1000),
	CALL("read-only source", IOMMU_IOAS_MAP, 0, iommu_ioas_map,
	     .flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA, .ioas_id = 1,
	     .user_va = CASE_VA, .length = 0x1000, .iova = 0x20000),
#define COPY(error, ...) \
	CALL("copy " #__VA_ARGS__, IOMMU_IOAS_COPY, error, iommu_ioas_copy, __VA_ARGS__)
	COPY(EOPNOTSUPP, .flags = 8, .length = UINT64_MAX),
	COPY(EOVERFLOW, .length = UINT64_MAX),
	COPY(EOVERFLOW, .src_iova = UINT64_MAX),
	COPY(EOVERFLOW, .dst_iova = UINT64_MAX),
	COPY(EINVAL, .length = 0x1000),
	COPY(ENOENT, .flags = RW),
	COPY(EINVAL, .flags = RW, .src_ioas_id = 1),
	COPY(EOVERFLOW, .flags = RW, .src_ioas_id = 1, .length = 0x1000, .src_iova = -2ull),
	COPY(ENOENT, .flags = RW, .src_ioas_id = 1, .dst_ioas_id = 2, .length = 0x1000,
	     .src_iova = 0xf000),
	COPY(ENOENT, .flags = RW, .src_ioas_id = 1, .dst_ioas_id = 2, .length = 0x4000,
	     .src_iova = 0x10000),
	COPY(ENOENT, .flags = RW, .src_ioas_id = 1, .dst_ioas_id = 9, .length = 0x1000,
	     .src_iova = 0x10000),
	COPY(EPERM, .flags = RW, .src_ioas_id = 1, .dst_ioas_id = 2, .length = 0x1000,
	     .src_iova = 0x20000),
	COPY(EEXIST, .flags = RW | IOMMU_IOAS_MAP_FIXED_IOVA, .src_ioas_id = 1, .dst_ioas_id = 1,
	     .length = 0x1000, .src_iova = 0x10000, .dst_iova = 0x12000),
	GIVES("copy of two areas", IOMMU_IOAS_COPY, iommu_ioas_copy, dst_iova, 0x4000, .flags = RW,
	      .src_ioas_id = 1, .dst_ioas_id = 2, .length = 0x3000, .src_iova = 0x10000),
	GIVES("unmap of both", IOMMU_IOAS_UNMAP, iommu_ioas_unmap, length, 0x3000, .ioas_id = 2,
	      .iova = 0, .length = UINT64_MAX),
	UNMAP_GIVES(0x4000, 0, UINT64_MAX),
};

static const struct iommu_iova_range two_ranges[2] = { { 0x1000, 0x1fff }, { 0x5000, 0x5001 } };
static const struct iommu_iova_range bad_ranges[][2] = {
	{ { 0x1000, 0x1fff }, { 0x5000, 0x4fff } },
	{ { 0x1000, 0x1fff }, { 0x5000, 0x5000 } },
	{ { 0x1000, 0x1fff }, { 0x1500, 0x5000 } },
};
static struct iommu_iova_range room[4];
#define PTR(p) ((uintptr_t)(p))

static struct step ranges[] = {
	NEW_IOAS(1),
	GIVES("ranges of a new IOAS", IOMMU_IOAS_IOVA_RANGES, iommu_ioas_iova_ranges,
	      out_iova_alignment, 1, .ioas_id = 1, .num_iovas = 4, .allowed_iovas = PTR(room)),
	FAILS_GIVING("ranges with no room", IOMMU_IOAS_IOVA_RANGES, EMSGSIZE,
		     iommu_ioas_iova_ranges, num_iovas, 1, .ioas_id = 1),
	CALL("ranges to nowhere", IOMMU_IOAS_IOVA_RANGES, EFAULT, iommu_ioas_iova_ranges,
	     .ioas_id = 1, .num_iovas = 1, .allowed_iovas = 8),
	CALL("ranges, reserved", IOMMU_IOAS_IOVA_RANGES, EOPNOTSUPP, iommu_ioas_iova_ranges,
	     .__reserved = 1),
	CALL("ranges of nothing", IOMMU_IOAS_IOVA_RANGES, ENOENT, iommu_ioas_iova_ranges,
	     .ioas_id = 9),
#define ALLOW(error, list, n) \
	CALL("allow " #list, IOMMU_IOAS_ALLOW_IOVAS, error, iommu_ioas_allow_iovas, .ioas_id = 1, \
	     .num_iovas = n, .allowed_iovas = PTR(list))
	CALL("allow, reserved", IOMMU_IOAS_ALLOW_IOVAS, EOPNOTSUPP, iommu_ioas_allow_iovas,
	     .__reserved = 1),
	CALL("allow in nothing", IOMMU_IOAS_ALLOW_IOVAS, ENOENT, iommu_ioas_allow_iovas,
	     .ioas_id = 9),
	ALLOW(EFAULT, 8, 1),
	ALLOW(EINVAL, bad_ranges[0], 2),
	ALLOW(EINVAL, bad_ranges[1], 2),
	ALLOW(EINVAL, bad_ranges[2], 2),
	ALLOW(0, two_ranges, 2),
	MAP_TO(0x1000, CASE_VA, 0x1000),
	MAP_ERR(ENOSPC, CASE_VA, 0x1000),
	ALLOW(EINVAL, bad_ranges[0], 2), /* the old list is still there */
	MAP_ERR(ENOSPC, CASE_VA, 0x1000),
	ALLOW(0, 0, 0),
	MAP_TO(0x2000, CASE_VA, 0x1000),
	UNMAP_GIVES(0x2000, 0, UINT64_MAX),
};

/* Each in the order of its checks, on a file without devices. */
static const struct step arguments[] = {
	CALL("IOAS_ALLOC flags", IOMMU_IOAS_ALLOC, EOPNOTSUPP, iommu_ioas_alloc, .flags = 1),
	CALL("HW_INFO flags", IOMMU_GET_HW_INFO, EOPNOTSUPP, iommu_hw_info, .flags = 2),
	CALL("HW_INFO reserved", IOMMU_GET_HW_INFO, EOPNOTSUPP, iommu_hw_info, .__reserved[1] = 1),
	CALL("HW_INFO no device, unknown type", IOMMU_GET_HW_INFO, ENOENT, iommu_hw_info,
	     .flags = 1, .in_data_type = 99),
	CALL("HWPT_ALLOC reserved", IOMMU_HWPT_ALLOC, EOPNOTSUPP, iommu_hwpt_alloc, .__reserved = 1,
	     .data_len = 5),
	CALL("HWPT_ALLOC type without data", IOMMU_HWPT_ALLOC, EINVAL, iommu_hwpt_alloc,
	     .data_type = 1),
	CALL("HWPT_ALLOC data without type", IOMMU_HWPT_ALLOC, EINVAL, iommu_hwpt_alloc,
	     .data_len = 5),
	CALL("HWPT_ALLOC no device, unknown flag", IOMMU_HWPT_ALLOC, ENOENT, iommu_hwpt_alloc,
	     .flags = 0x100),
	CALL("SET_DIRTY flags", IOMMU_HWPT_SET_DIRTY_TRACKING, EOPNOTSUPP,
	     iommu_hwpt_set_dirty_tracking, .flags = 2),
	CALL("SET_DIRTY", IOMMU_HWPT_SET_DIRTY_TRACKING, ENOENT, iommu_hwpt_set_dirty_tracking,
	     .hwpt_id = 9),
	CALL("GET_DIRTY reserved", IOMMU_HWPT_GET_DIRTY_BITMAP, EOPNOTSUPP,
	     iommu_hwpt_get_dirty_bitmap, .__reserved = 1),
	CALL("GET_DIRTY flags", IOMMU_HWPT_GET_DIRTY_BITMAP, EOPNOTSUPP,
	     iommu_hwpt_get_dirty_bitmap, .flags = 2),
	CALL("GET_DIRTY", IOMMU_HWPT_GET_DIRTY_BITMAP, ENOENT, iommu_hwpt_get_dirty_bitmap,
	     .hwpt_id = 9),
	FAILS_GIVING("INVALIDATE reserved", IOMMU_HWPT_INVALIDATE, EOPNOTSUPP,
		     iommu_hwpt_invalidate, entry_num, 0, .__reserved = 1, .entry_num = 7),
	FAILS_GIVING("INVALIDATE no array", IOMMU_HWPT_INVALIDATE, EINVAL, iommu_hwpt_invalidate,
		     entry_num, 0, .hwpt_id = 9, .entry_num = 7),
	FAILS_GIVING("INVALIDATE too many", IOMMU_HWPT_INVALIDATE, EINVAL, iommu_hwpt_invalidate,
		     entry_num, 0, .hwpt_id = 9, .entry_num = (1 << 19) + 1, .data_uptr = 8,
		     .entry_len = 8),
	FAILS_GIVING("INVALIDATE", IOMMU_HWPT_INVALIDATE, ENOENT, iommu_hwpt_invalidate, entry_num,
		     0, .hwpt_id = 9, .entry_num = 7, .data_uptr = 8, .entry_len = 8),
	CALL("FAULT_QUEUE flags", IOMMU_FAULT_QUEUE_ALLOC, EOPNOTSUPP, iommu_fault_alloc,
	     .flags = 1),
	CALL("VIOMMU type 0", IOMMU_VIOMMU_ALLOC, EOPNOTSUPP, iommu_viommu_alloc),
	CALL("VIOMMU flags", IOMMU_VIOMMU_ALLOC, EOPNOTSUPP, iommu_viommu_alloc, .type = 1,
	     .flags = 1),
	CALL("VIOMMU no device", IOMMU_VIOMMU_ALLOC, ENOENT, iommu_viommu_alloc, .type = 1),
	CALL("VDEVICE", IOMMU_VDEVICE_ALLOC, ENOENT, iommu_vdevice_alloc),
	CALL("VEVENTQ type 0", IOMMU_VEVENTQ_ALLOC, EOPNOTSUPP, iommu_veventq_alloc,
	     .veventq_depth = 0),
	CALL("VEVENTQ depth 0", IOMMU_VEVENTQ_ALLOC, EINVAL, iommu_veventq_alloc, .type = 1),
	CALL("VEVENTQ too deep", IOMMU_VEVENTQ_ALLOC, EINVAL, iommu_veventq_alloc, .type = 1,
	     .veventq_depth = (1 << 19) + 1),
	CALL("VEVENTQ", IOMMU_VEVENTQ_ALLOC, ENOENT, iommu_veventq_alloc, .type = 1,
	     .veventq_depth = 1),
	CALL("HW_QUEUE type 0", IOMMU_HW_QUEUE_ALLOC, EOPNOTSUPP, iommu_hw_queue_alloc),
	CALL("HW_QUEUE length 0", IOMMU_HW_QUEUE_ALLOC, EINVAL, iommu_hw_queue_alloc, .type = 1),
	CALL("HW_QUEUE overflow", IOMMU_HW_QUEUE_ALLOC, EOVERFLOW, iommu_hw_queue_alloc, .type = 1,
	     .nesting_parent_iova = UINT64_MAX, .length = 4096),
	CALL("HW_QUEUE", IOMMU_HW_QUEUE_ALLOC, ENOENT, iommu_hw_queue_alloc, .type = 1,
	     .length = 1),
	CALL("CHANGE_PROCESS reserved", IOMMU_IOAS_CHANGE_PROCESS, EOPNOTSUPP,
	     iommu_ioas_change_process, .__reserved = 1),
	CALL("CHANGE_PROCESS of nothing", IOMMU_IOAS_CHANGE_PROCESS, 0, iommu_ioas_change_process),
	NEW_IOAS(1),
	CALL("SET_DIRTY of an IOAS", IOMMU_HWPT_SET_DIRTY_TRACKING, ENOENT,
	     iommu_hwpt_set_dirty_tracking, .hwpt_id = 1),
	CALL("INVALIDATE of an IOAS", IOMMU_HWPT_INVALIDATE, EINVAL, iommu_hwpt_invalidate,
	     .hwpt_id = 1, .entry_num = 7, .data_uptr = 8, .entry_len = 8),
	CALL("MAP_FILE unknown flag", IOMMU_IOAS_MAP_FILE, EOPNOTSUPP, iommu_ioas_map_file,
	     .flags = 8),
	CALL("MAP_FILE neither R nor W", IOMMU_IOAS_MAP_FILE, EINVAL, iommu_ioas_map_file,
	     .fd = -1),
	CALL("MAP_FILE no IOAS", IOMMU_IOAS_MAP_FILE, ENOENT, iommu_ioas_map_file, .flags = RW,
	     .fd = -1),
	CALL("MAP_FILE length 0", IOMMU_IOAS_MAP_FILE, EINVAL, iommu_ioas_map_file, .flags = RW,
	     .ioas_id = 1, .fd = -1),
	CALL("MAP_FILE overflow", IOMMU_IOAS_MAP_FILE, EOVERFLOW, iommu_ioas_map_file, .flags = RW,
	     .ioas_id = 1, .fd = -1, .length = 4096, .start = UINT64_MAX),
	CALL("MAP_FILE no file", IOMMU_IOAS_MAP_FILE, EBADF, iommu_ioas_map_file, .flags = RW,
	     .ioas_id = 1, .fd = -1, .length = 4096),
	MAP_TO(0x1000, CASE_VA, 4096),
	CALL("CHANGE_PROCESS of user memory", IOMMU_IOAS_CHANGE_PROCESS, EINVAL,
	     iommu_ioas_change_process),
	DESTROY(0, 1),
	DESTROY(ENOENT, 1),
	NEW_IOAS(1),
};

static const struct step type1[] = {
	RETURNS("GET_API_VERSION", VFIO_GET_API_VERSION, 0, 0),
	RETURNS("CHECK_EXTENSION type 1", VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU, 1),
	RETURNS("CHECK_EXTENSION type 1 v2", VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU, 1),
	RETURNS("CHECK_EXTENSION unmap all", VFIO_CHECK_EXTENSION, VFIO_UNMAP_ALL, 1),
	RETURNS("CHECK_EXTENSION nesting", VFIO_CHECK_EXTENSION, 6, 0),
	RETURNS("CHECK_EXTENSION update vaddr", VFIO_CHECK_EXTENSION, 10, 0),
	PLAIN("CHECK_EXTENSION coherency", VFIO_CHECK_EXTENSION, ENODEV, VFIO_DMA_CC_IOMMU),
	PLAIN("SET_IOMMU", VFIO_SET_IOMMU, ENODEV, VFIO_TYPE1_IOMMU),
	PLAIN("SET_IOMMU v2", VFIO_SET_IOMMU, ENODEV, VFIO_TYPE1v2_IOMMU),
#define INFO(error, len) \
	OTHER("GET_INFO of " #len, VFIO_IOMMU_GET_INFO, error, vfio_iommu_type1_info, .argsz = len)
#define DMA_MAP(error, ...) \
	OTHER("MAP_DMA " #__VA_ARGS__, VFIO_IOMMU_MAP_DMA, error, vfio_iommu_type1_dma_map, \
	      .vaddr = CASE_VA, __VA_ARGS__)
#define DMA_UNMAP(error, gives, ...) \
	{ .what = "UNMAP_DMA " #__VA_ARGS__, .cmd = VFIO_IOMMU_UNMAP_DMA, .result = error, \
	  OUT(vfio_iommu_type1_dma_unmap, size, gives), \
	  ARGS(vfio_iommu_type1_dma_unmap, __VA_ARGS__) }
	INFO(EINVAL, 1),
	INFO(EINVAL, 15),
	INFO(ENODEV, 24),
	DMA_MAP(EINVAL, .argsz = 1),
	DMA_MAP(EINVAL, .argsz = 32, .flags = 1u << 31),
	DMA_MAP(ENODEV, .argsz = 32, .flags = 3, .size = 4096),
	DMA_UNMAP(EINVAL, 4096, .argsz = 1, .size = 4096),
	DMA_UNMAP(EINVAL, 4096, .argsz = 24, .size = 4096, .flags = 1u << 31),
	DMA_UNMAP(ENODEV, 4096, .argsz = 24, .size = 4096),
	CALL("VFIO_IOAS get", IOMMU_VFIO_IOAS, ENODEV, iommu_vfio_ioas, .op = IOMMU_VFIO_IOAS_GET),
	CALL("VFIO_IOAS set", IOMMU_VFIO_IOAS, ENOENT, iommu_vfio_ioas, .op = IOMMU_VFIO_IOAS_SET),
	CALL("VFIO_IOAS unknown", IOMMU_VFIO_IOAS, EOPNOTSUPP, iommu_vfio_ioas, .op = 3),
	CALL("VFIO_IOAS reserved", IOMMU_VFIO_IOAS, EOPNOTSUPP, iommu_vfio_ioas, .__reserved = 1),
	NEW_IOAS(1),
	CALL("VFIO_IOAS set", IOMMU_VFIO_IOAS, 0, iommu_vfio_ioas, .ioas_id = 1,
	     .op = IOMMU_VFIO_IOAS_SET),
	GIVES("VFIO_IOAS get", IOMMU_VFIO_IOAS, iommu_vfio_ioas, ioas_id, 1,
	      .op = IOMMU_VFIO_IOAS_GET),
	RETURNS("CHECK_EXTENSION coherency", VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU, 1),
	PLAIN("SET_IOMMU v2", VFIO_SET_IOMMU, 0, VFIO_TYPE1v2_IOMMU),
	PLAIN("SET_IOMMU other", VFIO_SET_IOMMU, EINVAL, 8),
	DMA_UNMAP(EINVAL, 4096, .argsz = 24, .size = 4096, .flags = VFIO_DMA_UNMAP_FLAG_ALL),
	DMA_UNMAP(EINVAL, 0, .argsz = 24, .flags = VFIO_DMA_UNMAP_FLAG_ALL, .iova = 1),
	DMA_UNMAP(0, 0, .argsz = 24, .flags = VFIO_DMA_UNMAP_FLAG_ALL),
	DMA_UNMAP(0, 0, .argsz = 24, .size = 4096),
	DMA_UNMAP(EINVAL, 0, .argsz = 24),
	DMA_UNMAP(EINVAL, 4096, .argsz = 24, .flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
		  .size = 4096),
	DMA_MAP(0, .argsz = 32, .size = 4096),
	DMA_MAP(EEXIST, .argsz = 32, .flags = 3, .size = 4096),
	DMA_MAP(EINVAL, .argsz = 32, .flags = 3),
	DMA_MAP(0, .argsz = 32, .flags = 3, .size = 8192, .iova = 0x10000),
	DMA_UNMAP(ENOENT, 0, .argsz = 24, .iova = 0x10000, .size = 4096), /* v2 does not cut */
	PLAIN("SET_IOMMU type 1", VFIO_SET_IOMMU, 0, VFIO_TYPE1_IOMMU),
	DMA_UNMAP(0, 0x1000, .argsz = 24, .iova = 0x10000, .size = 4096),
	DMA_UNMAP(EINVAL, 0x800, .argsz = 24, .iova = 0x11000, .size = 0x800),
	DMA_UNMAP(0, 0x2000, .argsz = 24, .flags = VFIO_DMA_UNMAP_FLAG_ALL),
	GIVES("type 1 means small pages", IOMMU_OPTION, iommu_option, val64, 0,
	      .option_id = IOMMU_OPTION_HUGE_PAGES, .object_id = 1, .op = IOMMU_OPTION_OP_GET),
	GIVES("and their alignment", IOMMU_IOAS_IOVA_RANGES, iommu_ioas_iova_ranges,
	      out_iova_alignment, 4096, .ioas_id = 1, .num_iovas = 4, .allowed_iovas = PTR(room)),
	CALL("VFIO_IOAS clear", IOMMU_VFIO_IOAS, 0, iommu_vfio_ioas, .op = IOMMU_VFIO_IOAS_CLEAR),
	CALL("VFIO_IOAS get", IOMMU_VFIO_IOAS, ENODEV, iommu_vfio_ioas, .op = IOMMU_VFIO_IOAS_GET),
	CALL("VFIO_IOAS set again", IOMMU_VFIO_IOAS, 0, iommu_vfio_ioas, .ioas_id = 1,
	     .op = IOMMU_VFIO_IOAS_SET),
	DESTROY(0, 1),
	CALL("VFIO_IOAS of a destroyed one", IOMMU_VFIO_IOAS, ENODEV, iommu_vfio_ioas,
	     .op = IOMMU_VFIO_IOAS_GET),
};

#define SEQUENCE(text, steps) { text, steps, sizeof(steps) / sizeof(steps[0]) }
const struct sequence sequences[] = {
	SEQUENCE("R6.2 numbers", numbering),
	SEQUENCE("R6.2 extension rule", extension),
	SEQUENCE("R6.2 options", options),
	SEQUENCE("R6.2 map and unmap", mapping),
	SEQUENCE("R6.2 copy", copying),
	SEQUENCE("R6.2 ranges", ranges),
	SEQUENCE("R6.2 arguments", arguments),
	SEQUENCE("R6.2 type 1", type1),
};
const unsigned int sequence_count = sizeof(sequences) / sizeof(sequences[0]);

static const char *step_run(const struct step *step, const struct client *client)
{
	static char why[200];
	uint8_t args[160];
	uint64_t out = 0;
	long rc;

	if (step->args)
		memcpy(args, step->args, step->args_len);
	rc = client->ioctl(client->ctx, step->cmd, step->args ? (uintptr_t)args : step->value);
	if (rc != -step->result) {
		snprintf(why, sizeof(why), "%s: %s instead of %s (%ld)", step->what,
			 rc < 0 ? strerrorname_np((int)-rc) : "success",
			 step->result > 0 ? strerrorname_np(step->result) : "success", rc);
		return why;
	}
	memcpy(&out, args + step->out_at, step->out_len);
	if (step->out_len && out != step->out) {
		snprintf(why, sizeof(why), "%s: gives %#llx instead of %#llx", step->what,
			 (unsigned long long)out, (unsigned long long)step->out);
		return why;
	}
	return NULL;
}

const char *sequence_run(const struct sequence *sequence, const struct client *client)
{
	const char *why = NULL;

	for (unsigned int i = 0; !why && i < sequence->count; i++)
		why = step_run(&sequence->steps[i], client);
	return why;
}
