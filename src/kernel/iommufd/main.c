/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/iommu: the file, its table of ioctls and the rule by which their structures may grow.
 *
 * Order of checks, which clients rely on: a number outside the table goes to the VFIO type 1 calls;
 * then the size is read (EFAULT), then a hole or a wrong number is ENOTTY, a size below the minimum
 * EINVAL, a non-zero tail E2BIG, an unreadable structure EFAULT.
 */
#include <stddef.h>
#include <string.h>

#include "kernel/iommufd/mock/mock.h"
#include "kernel/iommufd/table.h"

#define ARGS_MAX 128u

static const struct row rows[] = {
	ROW(IOMMU_DESTROY, "DESTROY", iommu_destroy, id, iommufd_ioctl_destroy, NEED_NOTHING,
	    T(iommu_destroy, id, "id")),
	ROW(IOMMU_IOAS_ALLOC, "IOAS_ALLOC", iommu_ioas_alloc, out_ioas_id, iommufd_ioctl_ioas_alloc,
	    NEED_NOTHING, T(iommu_ioas_alloc, out_ioas_id, "ioas")),
	ROW(IOMMU_IOAS_ALLOW_IOVAS, "IOAS_ALLOW_IOVAS", iommu_ioas_allow_iovas, allowed_iovas,
	    iommufd_ioctl_allow_iovas, NEED_NOTHING, T(iommu_ioas_allow_iovas, ioas_id, "ioas"),
	    T(iommu_ioas_allow_iovas, num_iovas, "ranges")),
	ROW(IOMMU_IOAS_COPY, "IOAS_COPY", iommu_ioas_copy, src_iova, iommufd_ioctl_copy,
	    NEED_NOTHING, T(iommu_ioas_copy, dst_ioas_id, "ioas"),
	    T(iommu_ioas_copy, dst_iova, "iova"), T(iommu_ioas_copy, length, "len")),
	ROW(IOMMU_IOAS_IOVA_RANGES, "IOAS_IOVA_RANGES", iommu_ioas_iova_ranges, out_iova_alignment,
	    iommufd_ioctl_iova_ranges, NEED_NOTHING, T(iommu_ioas_iova_ranges, ioas_id, "ioas"),
	    T(iommu_ioas_iova_ranges, num_iovas, "ranges")),
	ROW(IOMMU_IOAS_MAP, "IOAS_MAP", iommu_ioas_map, iova, iommufd_ioctl_map, NEED_NOTHING,
	    T(iommu_ioas_map, ioas_id, "ioas"), T(iommu_ioas_map, iova, "iova"),
	    T(iommu_ioas_map, length, "len")),
	ROW(IOMMU_IOAS_UNMAP, "IOAS_UNMAP", iommu_ioas_unmap, length, iommufd_ioctl_unmap,
	    NEED_NOTHING, T(iommu_ioas_unmap, ioas_id, "ioas"), T(iommu_ioas_unmap, iova, "iova"),
	    T(iommu_ioas_unmap, length, "len")),
	ROW(IOMMU_OPTION, "OPTION", iommu_option, val64, iommufd_ioctl_option, NEED_NOTHING,
	    T(iommu_option, option_id, "option"), T(iommu_option, op, "op"),
	    T(iommu_option, val64, "value")),
	ROW(IOMMU_VFIO_IOAS, "VFIO_IOAS", iommu_vfio_ioas, __reserved, iommufd_ioctl_vfio_ioas,
	    NEED_NOTHING, T(iommu_vfio_ioas, op, "op"), T(iommu_vfio_ioas, ioas_id, "ioas")),
	ROW(IOMMU_HWPT_ALLOC, "HWPT_ALLOC", iommu_hwpt_alloc, __reserved, iommufd_ioctl_hwpt_alloc,
	    NEED_NOTHING, T(iommu_hwpt_alloc, dev_id, "dev"), T(iommu_hwpt_alloc, pt_id, "pt"),
	    T(iommu_hwpt_alloc, out_hwpt_id, "hwpt")),
	ROW(IOMMU_GET_HW_INFO, "GET_HW_INFO", iommu_hw_info, __reserved, iommufd_ioctl_hw_info,
	    NEED_NOTHING, T(iommu_hw_info, dev_id, "dev"), T(iommu_hw_info, out_data_type, "type")),
	ROW(IOMMU_HWPT_SET_DIRTY_TRACKING, "HWPT_SET_DIRTY_TRACKING", iommu_hwpt_set_dirty_tracking,
	    __reserved, iommufd_ioctl_set_dirty, NEED_NOTHING,
	    T(iommu_hwpt_set_dirty_tracking, hwpt_id, "hwpt")),
	ROW(IOMMU_HWPT_GET_DIRTY_BITMAP, "HWPT_GET_DIRTY_BITMAP", iommu_hwpt_get_dirty_bitmap, data,
	    iommufd_ioctl_get_dirty, NEED_NOTHING, T(iommu_hwpt_get_dirty_bitmap, hwpt_id, "hwpt")),
	ROW(IOMMU_HWPT_INVALIDATE, "HWPT_INVALIDATE", iommu_hwpt_invalidate, __reserved,
	    iommufd_ioctl_invalidate, NEED_NOTHING, T(iommu_hwpt_invalidate, hwpt_id, "hwpt")),
	ROW(IOMMU_FAULT_QUEUE_ALLOC, "FAULT_QUEUE_ALLOC", iommu_fault_alloc, out_fault_fd,
	    iommufd_ioctl_fault_alloc, NEED_NOTHING, T(iommu_fault_alloc, out_fault_id, "fault")),
	ROW(IOMMU_IOAS_MAP_FILE, "IOAS_MAP_FILE", iommu_ioas_map_file, iova, iommufd_ioctl_map_file,
	    NEED_NOTHING, T(iommu_ioas_map_file, ioas_id, "ioas"),
	    T(iommu_ioas_map_file, iova, "iova"), T(iommu_ioas_map_file, length, "len")),
	ROW(IOMMU_VIOMMU_ALLOC, "VIOMMU_ALLOC", iommu_viommu_alloc, out_viommu_id,
	    iommufd_ioctl_viommu_alloc, NEED_NOTHING, T(iommu_viommu_alloc, dev_id, "dev"),
	    T(iommu_viommu_alloc, hwpt_id, "hwpt"), T(iommu_viommu_alloc, out_viommu_id, "viommu")),
	ROW(IOMMU_VDEVICE_ALLOC, "VDEVICE_ALLOC", iommu_vdevice_alloc, virt_id,
	    iommufd_ioctl_vdevice_alloc, NEED_NOTHING, T(iommu_vdevice_alloc, dev_id, "dev"),
	    T(iommu_vdevice_alloc, virt_id, "virt_id"),
	    T(iommu_vdevice_alloc, out_vdevice_id, "vdevice")),
	ROW(IOMMU_IOAS_CHANGE_PROCESS, "IOAS_CHANGE_PROCESS", iommu_ioas_change_process, __reserved,
	    iommufd_ioctl_change_process, NEED_NOTHING),
	ROW(IOMMU_VEVENTQ_ALLOC, "VEVENTQ_ALLOC", iommu_veventq_alloc, out_veventq_fd,
	    iommufd_ioctl_veventq_alloc, NEED_NOTHING, T(iommu_veventq_alloc, viommu_id, "viommu"),
	    T(iommu_veventq_alloc, out_veventq_id, "veventq")),
	ROW(IOMMU_HW_QUEUE_ALLOC, "HW_QUEUE_ALLOC", iommu_hw_queue_alloc, length,
	    iommufd_ioctl_hw_queue_alloc, NEED_NOTHING,
	    T(iommu_hw_queue_alloc, viommu_id, "viommu")),
	/* the TSM's: places, filled in by the facade that was chosen (tsm_uapi.c) */
	[IOMMUFD_CMD_VDEVICE_TSM_OP - IOMMUFD_CMD_BASE] = { .need = NEED_EXTENSIONS },
	[IOMMUFD_CMD_VDEVICE_TSM_REQ - IOMMUFD_CMD_BASE] = { .need = NEED_EXTENSIONS },
	ROW(IOMMU_TEST_CMD, "TEST_CMD", iommu_test_cmd, last, iommufd_ioctl_test, NEED_MOCK,
	    T(iommu_test_cmd, op, "op"), T(iommu_test_cmd, id, "id")),
};

static bool row_present(const struct row *row)
{
	const struct kernel_options *options = kernel_options();

	return row->handler &&
	       (row->need == NEED_NOTHING || (row->need == NEED_MOCK && options->mock) ||
		(row->need == NEED_EXTENSIONS && options->extensions));
}

static const struct row *row_at(unsigned int index)
{
	return rows[index].need == NEED_EXTENSIONS ? iommufd_tsm_row(IOMMUFD_CMD_BASE + index)
						   : &rows[index];
}

/* The number just past the table: where it ends depends on what this kernel was built with. */
static unsigned int table_end(void)
{
	unsigned int end = sizeof(rows) / sizeof(rows[0]);

	while (end && !row_present(row_at(end - 1)))
		end--;
	return IOMMUFD_CMD_BASE + end;
}

static const struct row *row_find(unsigned int number)
{
	const struct row *row = row_at(_IOC_NR(number) - IOMMUFD_CMD_BASE);

	return row_present(row) && row->number == number ? row : NULL;
}

int iommufd_respond(const struct iommufd_cmd *cmd, size_t len)
{
	return copy_to_user(cmd->user, cmd->args, len < cmd->user_size ? len : cmd->user_size);
}

static long call_native(const struct iommufd_ctx *ctx, const struct row *row, uint64_t arg,
			uint64_t *args)
{
	struct iommufd_cmd cmd = { .ctx = ctx, .user = arg, .args = args };
	int rc;

	if (copy_from_user(&cmd.user_size, arg, sizeof(cmd.user_size)))
		return -EFAULT;
	if (!row)
		return -ENOTTY;
	if (cmd.user_size < row->min_size)
		return -EINVAL;
	rc = copy_struct_from_user(args, row->size, arg, cmd.user_size);
	return rc ? rc : row->handler(&cmd);
}

static void trace_args(const struct trace_call *call, const struct row *row, const void *args)
{
	for (unsigned int i = 0; row && i < TRACED && row->traced[i].key; i++) {
		struct reader r =
			reader_of((const uint8_t *)args + row->traced[i].at, row->traced[i].len);

		trace_arg_add(call, row->traced[i].key, get_le(&r, row->traced[i].len));
	}
}

static long iommufd_ioctl(const struct file *file, unsigned int number, uint64_t arg)
{
	uint64_t args[ARGS_MAX / sizeof(uint64_t)] = { 0 };
	const struct task *task = current_task();
	enum lane from = task ? (enum lane)task->lane : LANE_VMM;
	const struct iommufd_ctx *ctx = file->priv;
	const struct row *row;
	struct trace_call call;
	long rc;

	if (_IOC_NR(number) < IOMMUFD_CMD_BASE || _IOC_NR(number) >= table_end())
		return iommufd_vfio_ioctl(ctx, number, arg);
	row = row_find(number);
	call = TRACE_CALL0(from, LANE_IOMMUFD, row ? row->name : "ioctl");
	rc = call_native(ctx, row, arg, args);
	trace_args(&call, row, args);
	trace_return(&call, rc, NULL);
	return rc;
}

/* -- life of a context ------------------------------------------------------------------------ */

const struct iommufd_root *iommufd_root(void)
{
	return image_root(IMAGE_ROOT_IOMMUFD);
}

struct iommufd_ctx *iommufd_ctx_create(void)
{
	struct iommufd_ctx *ctx;
	struct iommufd_root *root;

	if (!iommufd_root()) {
		root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);
		if (!root)
			return NULL;
		image_root_set(IMAGE_ROOT_IOMMUFD, root);
	}
	ctx = image_alloc(sizeof(*ctx), IMAGE_TYPE_IOMMUFD);
	if (!ctx)
		return NULL;
	ctx->objects = idtable_create();
	return ctx->objects ? ctx : NULL;
}

int iommufd_open(const char *path, int flags, const struct file **file)
{
	struct iommufd_ctx *ctx = iommufd_ctx_create();

	(void)flags;
	if (!ctx)
		return -ENOMEM;
	ctx->file = file_create(FILE_IOMMUFD, ctx, path);
	if (!ctx->file)
		return -ENOMEM;
	*file = ctx->file;
	return 0;
}

const struct iommufd_ctx *iommufd_ctx_of_file(const struct file *file)
{
	return file->type == FILE_IOMMUFD ? file->priv : NULL;
}

/* No call can be running and no device is bound any more: each holds the file. What is left goes,
 * leaves first, since an object only others hold has more users than one. */
void iommufd_ctx_destroy(const struct iommufd_ctx *ctx)
{
	bool progress = true;

	iommufd_drop_all(ctx);
	iommufd_unmap_all(ctx);
	while (progress) {
		const struct idobject *object;
		uint32_t id = 0;

		progress = false;
		while ((object = idtable_next(ctx->objects, &id))) {
			id++;
			if (object->users != 1)
				continue;
			iommufd_destroy_object(ctx, object);
			progress = true;
		}
	}
	idtable_destroy(ctx->objects);
	image_free(ctx);
}

static void iommufd_release(const struct file *file)
{
	iommufd_ctx_destroy(file->priv);
}

const struct file_ops iommufd_file_ops = {
	.name = "iommufd",
	.ioctl = iommufd_ioctl,
	.mmap = iommufd_mmap,
	.unmapped = iommufd_unmapped,
	.release = iommufd_release,
};
