/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/ioasid: the file and its table of calls. */
#include "hardware/platform.h"
#include "kernel/ioasid/internal.h"

#define ARGS_MAX 64u

static long check_extension(const struct ioasid_ctx *ctx, void *args)
{
	const uint64_t *extension = args;

	(void)ctx;
	switch (*extension) {
	case IOASID_EXT_API:
		return IOASID_API_VERSION;
	case IOASID_EXT_DMA_MAP:
	case IOASID_EXT_NESTING_SOFTWARE:
	case IOASID_EXT_FAULT:
	case IOASID_EXT_DMABUF:
		return 1;
	case IOASID_EXT_NESTING_HARDWARE:
	case IOASID_EXT_PASID_TABLE:
		return ioasid_table_formats();
	case IOASID_EXT_USER_PASID:
		return 20;
	default:
		return 0;
	}
}

static long get_info(const struct ioasid_ctx *ctx, void *args)
{
	struct ioasid_info *info = args;
	const struct ioasid *space = ioasid_find(ctx, info->ioasid);

	if (!space && info->ioasid != IOASID_INVALID)
		return -ENOENT;
	*info = (struct ioasid_info){ .ioasid = info->ioasid,
				      .page_sizes = pt_page_sizes((enum pt_format)platform_tables()->iommu),
				      .iova_last = (1ull << 57) - 1,
				      .locked_pages = current_task()->pinned_vm };
	if (!space)
		return 0;
	info->kind = space->kind;
	info->parent = space->parent ? space->parent->obj.id : IOASID_INVALID;
	info->format = space->format;
	info->children = space->children;
	info->attached = ioasid_attached_count(space);
	return 0;
}

static const struct ioasid_call {
	unsigned int cmd;
	const char *name;
	long (*run)(const struct ioasid_ctx *ctx, void *args);
} calls[] = {
	{ IOASID_CHECK_EXTENSION, "CHECK_EXTENSION", check_extension },
	{ IOASID_GET_INFO, "GET_INFO", get_info },
	{ IOASID_ALLOC_IOASID, "ALLOC_IOASID", ioasid_alloc },
	{ IOASID_ALLOC_IOASID_NESTED, "ALLOC_IOASID_NESTED", ioasid_alloc_nested },
	{ IOASID_ALLOC_IOASID_PGTABLE, "ALLOC_IOASID_PGTABLE", ioasid_alloc_table },
	{ IOASID_ALLOC_IOASID_PASID_TABLE, "ALLOC_IOASID_PASID_TABLE", ioasid_alloc_pasid_table },
	{ IOASID_BIND_PGTABLE, "BIND_PGTABLE", ioasid_bind_table },
	{ IOASID_BIND_PASID_TABLE, "BIND_PASID_TABLE", ioasid_bind_pasid_table },
	{ IOASID_FREE, "FREE", ioasid_free },
	{ IOASID_REGISTER_MEMORY, "REGISTER_MEMORY", ioasid_register },
	{ IOASID_UNREGISTER_MEMORY, "UNREGISTER_MEMORY", ioasid_unregister },
	{ IOASID_DMA_MAP, "DMA_MAP", ioasid_dma_map },
	{ IOASID_DMA_UNMAP, "DMA_UNMAP", ioasid_dma_unmap },
	{ IOASID_INVALIDATE_CACHE, "INVALIDATE_CACHE", ioasid_invalidate },
	{ IOASID_FAULT_SETUP, "FAULT_SETUP", ioasid_fault_setup },
	{ IOASID_FAULT_RESPOND, "FAULT_RESPOND", ioasid_fault_respond },
};

static const struct ioasid_call *call_find(unsigned int cmd)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].cmd == cmd)
			return &calls[i];
	return NULL;
}

/* A call without a structure takes its argument as a number. Every structure begins with the space,
 * or is the caller's memory. */
static long call_run(const struct ioasid_ctx *ctx, const struct ioasid_call *op, uint64_t arg,
		     uint64_t *args)
{
	size_t size = _IOC_SIZE(op->cmd);
	long rc;

	args[0] = arg;
	if (size && copy_from_user(args, arg, size))
		return -EFAULT;
	rc = op->run(ctx, args);
	if (rc >= 0 && _IOC_DIR(op->cmd) & _IOC_READ && copy_to_user(arg, args, size))
		return -EFAULT;
	return rc;
}

static long ioasid_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	const struct task *task = current_task();
	const struct ioasid_call *op = call_find(cmd);
	uint64_t args[ARGS_MAX / sizeof(uint64_t)] = { 0 };
	struct trace_call call =
		TRACE_CALL0(task ? (enum lane)task->lane : LANE_VMM, LANE_IOASID,
			    op ? op->name : "ioctl");
	long rc = op ? call_run(file->priv, op, arg, args) : -ENOTTY;

	if (op && op->cmd != IOASID_ALLOC_IOASID)
		trace_arg_add(&call, _IOC_SIZE(cmd) ? "ioasid" : "arg", (uint32_t)args[0]);
	trace_return(&call, rc, NULL);
	return rc;
}

/* -- life ------------------------------------------------------------------------------------- */

const struct ioasid_ctx *ioasid_ctx_of_file(const struct file *file)
{
	return file->type == FILE_IOASID ? file->priv : NULL;
}

const struct iommufd_ctx *ioasid_iommufd(const struct ioasid_ctx *ctx)
{
	return ctx->iommufd;
}

/* The queue of page requests, and the IOAS that only remembers registered memory. */
static int objects_create(struct ioasid_ctx *ctx)
{
	const struct iommufd_ioas *registry = iommufd_ioas_create(ctx->iommufd);
	struct iommufd_fault *fault =
		iommufd_object_new(ctx->iommufd, sizeof(*fault), IOMMUFD_FAULT);

	if (!registry || !fault)
		return -ENOMEM;
	fault->read = idtable_create();
	if (!fault->read)
		return -ENOMEM;
	fault->ctx = ctx->iommufd;
	fault->ring = ctx;
	ctx->registry = registry;
	ctx->fault = fault;
	idtable_finalize(ctx->iommufd->objects, &registry->obj);
	idtable_finalize(ctx->iommufd->objects, &fault->obj);
	return 0;
}

int ioasid_open(const char *path, int flags, const struct file **file)
{
	struct iommufd_ctx *iommufd;
	struct ioasid_ctx *ctx;

	(void)flags;
	if (!kernel_options()->extensions)
		return -ENOENT;
	ctx = image_alloc(sizeof(*ctx), IMAGE_TYPE_IOASID);
	iommufd = iommufd_ctx_create();
	if (!ctx || !iommufd)
		return -ENOMEM;
	ctx->spaces = idtable_create();
	ctx->file = ctx->spaces ? file_create(FILE_IOASID, ctx, path) : NULL;
	if (!ctx->file)
		return -ENOMEM;
	iommufd->file = ctx->file;
	ctx->iommufd = iommufd;
	*file = ctx->file;
	return objects_create(ctx);
}

static void ioasid_release(const struct file *file)
{
	const struct ioasid_ctx *ctx = file->priv;

	ioasid_free_all(ctx);
	ioasid_unregister_all(ctx);
	ioasid_fault_gone(ctx);
	iommufd_ctx_destroy(ctx->iommufd);
	idtable_destroy(ctx->spaces);
	image_free(ctx);
}

const struct file_ops ioasid_file_ops = {
	.name = "ioasid",
	.ioctl = ioasid_ioctl,
	.mmap = ioasid_mmap,
	.release = ioasid_release,
};
