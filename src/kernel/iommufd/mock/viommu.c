/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nesting on the mock IOMMU: first stages whose cached translations are four numbers, and vIOMMUs
 * with a page to map, caches of devices, events and hardware queues.
 */
#include <string.h>

#include "kernel/iommufd/mock/mock.h"

#define MAP_LEN (2 * PHYS_PAGE)

/* -- first stages ------------------------------------------------------------------------------ */

int mock_nested_init(const struct iommufd_device *idev, struct iommufd_hwpt *nested, uint32_t flags,
		     const struct iommufd_user_data *data)
{
	struct iommu_hwpt_selftest config;
	struct mock_stage1 *stage1;
	int rc;

	(void)idev, (void)flags;
	if (data->type != IOMMU_HWPT_DATA_SELFTEST)
		return -EOPNOTSUPP;
	rc = iommufd_user_data_copy(&config, sizeof(config), sizeof(config.iotlb),
				    IOMMU_HWPT_DATA_SELFTEST, data);
	if (rc)
		return rc;
	stage1 = image_alloc(sizeof(*stage1), IMAGE_TYPE_MOCK);
	if (!stage1)
		return -ENOMEM;
	for (unsigned int i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++)
		stage1->iotlb[i] = config.iotlb;
	nested->stage1 = stage1;
	return 0;
}

void mock_nested_free(const struct iommufd_hwpt *nested)
{
	image_free(nested->stage1);
}

static int iotlb_forget(const struct mock_stage1 *stage1,
			const struct iommu_hwpt_invalidate_selftest *entry)
{
	struct mock_stage1 *w = image_write(stage1);

	if (entry->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (entry->iotlb_id >= MOCK_NESTED_DOMAIN_IOTLB_NUM)
		return -EINVAL;
	if (entry->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(w->iotlb, 0, sizeof(w->iotlb));
	else
		w->iotlb[entry->iotlb_id] = 0;
	return 0;
}

int mock_nested_invalidate(const struct iommufd_hwpt *nested, struct iommufd_user_array *array)
{
	if (array->type != IOMMU_HWPT_INVALIDATE_DATA_SELFTEST)
		return -EINVAL;
	for (; array->done < array->entry_num; array->done++) {
		struct iommu_hwpt_invalidate_selftest entry;
		int rc = iommufd_user_array_copy(&entry, sizeof(entry), sizeof(entry), array->type,
						 array, array->done);

		if (!rc)
			rc = iotlb_forget(nested->stage1, &entry);
		if (rc)
			return rc;
	}
	return 0;
}

int mock_check_iotlb(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_hwpt *nested =
		(const struct iommufd_hwpt *)iommufd_find(cmd->ctx, args->id, IOMMUFD_HWPT_NESTED);
	const struct mock_stage1 *stage1 = nested ? nested->stage1 : NULL;

	if (!nested)
		return -ENOENT;
	if (nested->driver != IOMMUFD_DRIVER_MOCK ||
	    args->check_iotlb.id >= MOCK_NESTED_DOMAIN_IOTLB_NUM ||
	    stage1->iotlb[args->check_iotlb.id] != args->check_iotlb.iotlb)
		return -EINVAL;
	return 0;
}

/* -- vIOMMUs ----------------------------------------------------------------------------------- */

static int slice_map(struct iommufd_viommu *viommu, struct mock_slice *slice,
		     struct iommu_viommu_selftest *config)
{
	uint8_t *memory = image_bulk_alloc(MAP_LEN, IMAGE_TYPE_MOCK);

	if (!memory)
		return -ENOMEM;
	slice->memory = memory;
	slice->map = iommufd_mmap_new(viommu->ctx, &viommu->obj, memory, MAP_LEN);
	if (!slice->map)
		return -ENOMEM;
	memcpy(image_bulk_write(memory, sizeof(config->in_data)), &config->in_data,
	       sizeof(config->in_data));
	config->out_data = config->in_data;
	config->out_mmap_offset = slice->map->offset;
	config->out_mmap_length = slice->map->len;
	return 0;
}

static int viommu_init(const struct iommufd_device *idev, struct iommufd_viommu *viommu,
		       const struct iommufd_user_data *data)
{
	const size_t both_numbers = offsetof(struct iommu_viommu_selftest, out_mmap_offset);
	struct mock_slice *slice = image_alloc(sizeof(*slice), IMAGE_TYPE_MOCK);
	struct iommu_viommu_selftest config;
	int rc;

	(void)idev;
	if (!slice)
		return -ENOMEM;
	viommu->slice = slice;
	if (!data->len)
		return 0;
	rc = iommufd_user_data_copy(&config, sizeof(config), both_numbers,
				    IOMMU_VIOMMU_TYPE_SELFTEST, data);
	if (!rc)
		rc = slice_map(viommu, slice, &config);
	return rc ? rc : iommufd_user_data_reply(data, &config, sizeof(config), both_numbers,
						 IOMMU_VIOMMU_TYPE_SELFTEST);
}

static void viommu_destroy(const struct iommufd_viommu *viommu)
{
	const struct mock_slice *slice = viommu->slice;

	if (slice->map)
		iommufd_mmap_free(viommu->ctx, slice->map);
	if (slice->memory)
		image_bulk_free(slice->memory);
	image_free(slice);
}

static int cache_forget(const struct iommufd_viommu *viommu,
			const struct iommu_viommu_invalidate_selftest *entry)
{
	const struct iommufd_device *idev;
	struct mock_dev *dev;

	if (entry->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (entry->cache_id >= MOCK_DEV_CACHE_NUM)
		return -EINVAL;
	idev = iommufd_viommu_device(viommu, entry->vdev_id);
	if (!idev)
		return -EINVAL;
	dev = image_write(idev->mock);
	if (entry->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(dev->cache, 0, sizeof(dev->cache));
	else
		dev->cache[entry->cache_id] = 0;
	return 0;
}

static int viommu_invalidate(const struct iommufd_viommu *viommu, struct iommufd_user_array *array)
{
	const uint32_t type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST;
	int rc;

	/* No entries: a question whether the type is known. */
	if (!array->entry_num)
		return array->type == type ? 0 : -EINVAL;
	rc = iommufd_user_array_check(array, sizeof(struct iommu_viommu_invalidate_selftest), type);
	for (; !rc && array->done < array->entry_num; array->done++) {
		struct iommu_viommu_invalidate_selftest entry;

		rc = copy_struct_from_user(&entry, sizeof(entry),
					   array->uptr + (uint64_t)array->entry_len * array->done,
					   array->entry_len);
		if (!rc)
			rc = cache_forget(viommu, &entry);
		if (rc)
			break;
	}
	return rc;
}

/* Queues are made in the order of their numbers; the second leans on the first. */
static int hw_queue_init(struct iommufd_hw_queue *queue, uint64_t hpa)
{
	struct mock_slice *slice = image_write((const struct mock_slice *)queue->viommu->slice);

	(void)hpa;
	if (queue->index >= IOMMU_TEST_HW_QUEUE_MAX)
		return -EINVAL;
	if (slice->taken[queue->index])
		return -EEXIST;
	if (queue->index && !slice->first)
		return -EIO;
	if (queue->index) {
		queue->below = slice->first;
		iommufd_users_add(&queue->below->obj, 1);
	} else {
		slice->first = queue;
	}
	slice->taken[queue->index] = true;
	return 0;
}

/* Whichever goes, Linux's mock driver forgets the first: it never notes a queue's number. */
static void hw_queue_destroy(const struct iommufd_hw_queue *queue)
{
	struct mock_slice *slice = image_write((const struct mock_slice *)queue->viommu->slice);

	slice->first = NULL;
	slice->taken[0] = false;
}

const struct iommufd_viommu_ops *mock_viommu_ops(uint32_t type)
{
	static const struct iommufd_viommu_ops ops = {
		.init = viommu_init,
		.destroy = viommu_destroy,
		.nested_init = mock_nested_init,
		.invalidate = viommu_invalidate,
		.hw_queue_type = IOMMU_HW_QUEUE_TYPE_SELFTEST,
		.hw_queue_init = hw_queue_init,
		.hw_queue_destroy = hw_queue_destroy,
	};

	return type == IOMMU_VIOMMU_TYPE_SELFTEST ? &ops : NULL;
}

/* -- what a device would do -------------------------------------------------------------------- */

static const struct iommufd_device *mock_device(const struct iommufd_ctx *ctx, uint32_t id)
{
	const struct iommufd_device *idev =
		(const struct iommufd_device *)iommufd_find(ctx, id, IOMMUFD_DEVICE);

	return idev && idev->mock ? idev : NULL;
}

int mock_trigger_iopf(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_device *idev = mock_device(cmd->ctx, args->trigger_iopf.dev_id);
	const struct iommufd_request request = {
		.flags = IOMMU_PGFAULT_FLAGS_LAST_PAGE |
			 (args->trigger_iopf.pasid ? IOMMU_PGFAULT_FLAGS_PASID_VALID : 0u),
		.pasid = args->trigger_iopf.pasid, .grpid = args->trigger_iopf.grpid,
		.perm = args->trigger_iopf.perm, .addr = args->trigger_iopf.addr };

	if (!idev)
		return -ENOENT;
	iommufd_page_request(idev, &request, 1);	/* a refusal is the device's affair */
	return 0;
}

int mock_trigger_vevent(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct iommufd_device *idev = mock_device(cmd->ctx, args->trigger_vevent.dev_id);
	struct iommu_viommu_event_selftest event;

	if (!idev || !idev->mock->viommu || !idev->mock->virt_id)
		return -ENOENT;
	event.virt_id = (uint32_t)idev->mock->virt_id;
	return iommufd_viommu_report(idev->mock->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, &event,
				     sizeof(event));
}
