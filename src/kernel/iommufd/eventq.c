/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues that are read through a descriptor of their own: page faults of HWPTs and events of
 * vIOMMUs. Nothing in this hardware produces either yet, so they are always empty; what reading,
 * writing and polling an empty queue answers is Linux's.
 */
#include <fcntl.h>
#include <poll.h>

#include "kernel/iommufd/private.h"

#define VEVENTQ_DEPTH_MAX (1u << 19)

/* The file of a new queue: installed as a descriptor, holding the context's file. */
static int queue_file(const struct iommufd_ctx *ctx, enum file_type type, const void *queue,
		      const char *name, const struct file **file)
{
	int fd;

	*file = file_create(type, queue, name);
	if (!*file)
		return -ENOMEM;
	fd = fd_install(*file, O_CLOEXEC);
	if (fd >= 0)
		file_get(ctx->file);
	return fd;
}

int iommufd_ioctl_fault_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_fault_alloc *args = cmd->args;
	struct iommufd_fault *fault;
	int fd;

	if (args->flags)
		return -EOPNOTSUPP;
	fault = iommufd_object_new(cmd->ctx, sizeof(*fault), IOMMUFD_FAULT);
	if (!fault)
		return -ENOMEM;
	fault->ctx = cmd->ctx;
	fault->obj.users = 2;		/* the table and the file */
	fd = queue_file(cmd->ctx, FILE_IOMMUFD_FAULT, fault, "[iommufd-pgfault]", &fault->file);
	if (fd < 0)
		return fd;
	args->out_fault_id = fault->obj.id;
	args->out_fault_fd = (uint32_t)fd;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	idtable_finalize(cmd->ctx->objects, &fault->obj);
	return 0;
}

void iommufd_fault_destroy(const struct idobject *object)
{
	image_free(object);
}

int iommufd_ioctl_veventq_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_veventq_alloc *args = cmd->args;
	const struct iommufd_viommu *viommu;
	struct iommufd_eventq *queue;
	struct iommufd_viommu *w;
	int fd;

	if (args->flags || args->__reserved || args->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!args->veventq_depth || args->veventq_depth > VEVENTQ_DEPTH_MAX)
		return -EINVAL;
	viommu = (const struct iommufd_viommu *)iommufd_find(cmd->ctx, args->viommu_id,
							     IOMMUFD_VIOMMU);
	if (!viommu)
		return -ENOENT;
	for (const struct iommufd_eventq *other = viommu->veventqs; other;
	     other = other->viommu_next)
		if (other->type == args->type)
			return -EEXIST;
	queue = iommufd_object_new(cmd->ctx, sizeof(*queue), IOMMUFD_VEVENTQ);
	if (!queue)
		return -ENOMEM;
	queue->ctx = cmd->ctx;
	queue->obj.users = 2;
	queue->viommu = viommu;
	queue->viommu_next = viommu->veventqs;
	queue->type = args->type;
	queue->depth = args->veventq_depth;
	fd = queue_file(cmd->ctx, FILE_IOMMUFD_VEVENTQ, queue, "[iommufd-viommu-event]",
			&queue->file);
	if (fd < 0)
		return fd;
	args->out_veventq_id = queue->obj.id;
	args->out_veventq_fd = (uint32_t)fd;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	w = image_write(viommu);
	w->veventqs = queue;
	w->obj.users++;
	idtable_finalize(cmd->ctx->objects, &queue->obj);
	return 0;
}

void iommufd_veventq_destroy(const struct idobject *object)
{
	const struct iommufd_eventq *queue = (const struct iommufd_eventq *)object;
	const struct iommufd_eventq *const *link = &queue->viommu->veventqs;
	struct iommufd_viommu *viommu = image_write(queue->viommu);
	const struct iommufd_eventq **slot;

	while (*link != queue)
		link = &(*link)->viommu_next;
	slot = image_write(link);
	*slot = queue->viommu_next;
	viommu->obj.users--;
	image_free(queue);
}

int iommufd_ioctl_hw_queue_alloc(struct iommufd_cmd *cmd)
{
	const struct iommu_hw_queue_alloc *args = cmd->args;
	uint64_t last;

	if (args->flags || args->type == IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!args->length)
		return -EINVAL;
	if (__builtin_add_overflow(args->nesting_parent_iova, args->length - 1, &last))
		return -EOVERFLOW;
	if (!iommufd_find(cmd->ctx, args->viommu_id, IOMMUFD_VIOMMU))
		return -ENOENT;
	return -EOPNOTSUPP;		/* no vIOMMU here has queues in hardware */
}

/* -- the files -------------------------------------------------------------------------------- */

static ssize_t fault_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	(void)file, (void)to;
	return position || len % sizeof(struct iommu_hwpt_pgfault) ? -ESPIPE : 0;
}

static ssize_t fault_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	struct iommu_hwpt_page_response response;

	(void)file;
	if (position || len % sizeof(response))
		return -ESPIPE;
	if (!len)
		return 0;
	if (copy_from_user(&response, from, sizeof(response)))
		return -EFAULT;
	return -EINVAL;			/* a bad code, or a cookie nobody was given */
}

static unsigned int fault_poll(const struct file *file)
{
	(void)file;
	return POLLOUT | POLLWRNORM;
}

static void queue_release(const struct file *file)
{
	struct idobject *object = image_write((const struct idobject *)file->priv);
	const struct iommufd_ctx *ctx = file->type == FILE_IOMMUFD_FAULT ?
						((const struct iommufd_fault *)file->priv)->ctx :
						((const struct iommufd_eventq *)file->priv)->ctx;

	object->users--;
	file_put(ctx->file);
}

const struct file_ops iommufd_fault_file_ops = {
	.name = "iommufd fault queue",
	.read = fault_read,
	.write = fault_write,
	.poll = fault_poll,
	.release = queue_release,
};

static ssize_t veventq_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	(void)file, (void)to;
	if (position)
		return -ESPIPE;
	return len < sizeof(struct iommufd_vevent_header) ? -EINVAL : 0;
}

static unsigned int veventq_poll(const struct file *file)
{
	(void)file;
	return 0;
}

const struct file_ops iommufd_veventq_file_ops = {
	.name = "iommufd veventq",
	.read = veventq_read,
	.poll = veventq_poll,
	.release = queue_release,
};
