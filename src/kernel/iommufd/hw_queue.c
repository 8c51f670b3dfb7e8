/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware queues: memory of a guest that a vIOMMU's hardware reads by itself, by physical address.
 * As long as the queue lives the memory stays pinned, and its IOVAs cannot be unmapped.
 */
#include "kernel/iommufd/access.h"
#include "kernel/iommufd/driver.h"

/* Whole pages: the first byte of the first, and the last of the last. */
static uint64_t first_of(const struct iommufd_hw_queue *queue)
{
	return queue->iova & ~(uint64_t)(PHYS_PAGE - 1);
}

static uint64_t last_of(const struct iommufd_hw_queue *queue)
{
	return (queue->iova + (queue->len - 1)) | (PHYS_PAGE - 1);
}

/* *hpa: where the queue begins. -EFAULT: it is not in one run of memory. */
static int place_find(const struct iommufd_hw_queue *queue, uint64_t *hpa)
{
	uint64_t run, at = queue->iova, end = queue->iova + queue->len;

	*hpa = iommufd_access_hpa(queue->access, at, &run);
	while (run < end - at) {
		at += run;
		if (iommufd_access_hpa(queue->access, at, &run) != *hpa + (at - queue->iova))
			return -EFAULT;
	}
	return 0;
}

static int memory_pin(struct iommufd_hw_queue *queue, uint64_t *hpa)
{
	const struct iommufd_ioas *ioas = queue->viommu->hwpt->ioas;
	uint64_t first = first_of(queue), last = last_of(queue);
	struct iommufd_access *access =
		iommufd_access_create(queue->ctx, IOMMUFD_ACCESS_INTERNAL, queue, true);
	int rc;

	if (!access)
		return -ENOMEM;
	idtable_finalize(queue->ctx->objects, &access->obj);
	queue->access = access;
	rc = iommufd_access_change(access, ioas);
	if (!rc)
		rc = iommufd_access_pin(access, first, last - first + 1, false);
	if (!rc)
		rc = place_find(queue, hpa);
	if (!rc)
		iopt_lock(ioas, first, last, 1);
	return rc;
}

static void memory_unpin(const struct iommufd_hw_queue *queue)
{
	uint64_t first = first_of(queue), last = last_of(queue);

	iopt_lock(queue->viommu->hwpt->ioas, first, last, -1);
	iommufd_access_unpin(queue->access, first, last - first + 1);
	iommufd_access_end(queue->access);
}

int iommufd_ioctl_hw_queue_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_hw_queue_alloc *args = cmd->args;
	const struct iommufd_viommu_ops *ops;
	const struct iommufd_viommu *viommu;
	struct iommufd_hw_queue *queue;
	uint64_t last, hpa;
	int rc;

	if (args->flags || args->type == IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!args->length)
		return -EINVAL;
	if (__builtin_add_overflow(args->nesting_parent_iova, args->length - 1, &last))
		return -EOVERFLOW;
	viommu = (const struct iommufd_viommu *)iommufd_find(cmd->ctx, args->viommu_id,
							     IOMMUFD_VIOMMU);
	if (!viommu)
		return -ENOENT;
	ops = iommufd_viommu_ops(viommu);
	if (ops->hw_queue_type != args->type)
		return -EOPNOTSUPP;
	queue = iommufd_object_new(cmd->ctx, sizeof(*queue), IOMMUFD_HW_QUEUE);
	if (!queue)
		return -ENOMEM;
	queue->ctx = cmd->ctx;
	queue->viommu = viommu;
	queue->type = args->type;
	queue->index = args->index;
	queue->iova = args->nesting_parent_iova;
	queue->len = args->length;
	rc = memory_pin(queue, &hpa);
	if (!rc)
		rc = ops->hw_queue_init(queue, hpa);
	if (rc)
		return rc;
	iommufd_users_add(&viommu->obj, 1);
	args->out_hw_queue_id = queue->obj.id;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	idtable_finalize(cmd->ctx->objects, &queue->obj);
	return 0;
}

void iommufd_hw_queue_destroy(const struct idobject *object)
{
	const struct iommufd_hw_queue *queue = (const struct iommufd_hw_queue *)object;

	iommufd_viommu_ops(queue->viommu)->hw_queue_destroy(queue);
	if (queue->below)
		iommufd_users_add(&queue->below->obj, -1);
	memory_unpin(queue);
	iommufd_users_add(&queue->viommu->obj, -1);
	image_free(queue);
}
