/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware queues: memory of a guest that a vIOMMU's hardware reads by itself, by physical address.
 * As long as the queue lives the memory stays pinned, and its IOVAs cannot be unmapped.
 */
#include "kernel/iommufd/driver.h"

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
	rc = iopt_lock(viommu->hwpt->ioas, queue->iova, queue->len, &hpa);
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
	iopt_unlock(queue->viommu->hwpt->ioas, queue->iova, queue->len);
	iommufd_users_add(&queue->viommu->obj, -1);
	image_free(queue);
}
