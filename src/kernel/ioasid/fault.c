/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page requests to the client: groups go from IOMMUFD's queue into a ring in memory shared with it.
 * What the client writes there is never believed: a tail that makes no sense means a full ring. A
 * cookie is the queue's id of a group and a serial number, so that a late answer meets nobody.
 */
#include "kernel/ioasid/internal.h"
#include "kernel/vfio/mdev.h"

#define ENTRIES_MAX 4096u

static struct ioasid_fault_ring *ring_write(const struct ioasid_ctx *ctx, size_t at, size_t len)
{
	const uint8_t *ring = ctx->ring;

	image_bulk_write(ring + at, len);
	return image_bulk_write(ring, sizeof(struct ioasid_fault_ring));
}

static uint32_t ring_room(const struct ioasid_ctx *ctx)
{
	const struct ioasid_fault_ring *ring = ctx->ring;
	uint32_t used = ctx->head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	return used <= ctx->entries ? ctx->entries - used : 0;
}

static const struct ioasid *space_of(const struct ioasid_ctx *ctx,
				     const struct iommufd_pgfault *group)
{
	return ioasid_of_hwpt(ctx, iommufd_attached_hwpt(group->idev, group->attached));
}

static struct ioasid_fault record_of(const struct ioasid_ctx *ctx,
				     const struct iommufd_pgfault *group, uint32_t i)
{
	const struct iommufd_request *request = &group->requests[i];
	const struct ioasid *space = space_of(ctx, group);
	struct ioasid_fault record = { .ioasid = space ? space->obj.id : IOASID_INVALID,
				       .label = group->idev->obj.id, .addr = request->addr,
				       .group = request->grpid,
				       .cookie = (uint64_t)ctx->serial << 32 | group->obj.id };

	uint32_t pasid = request->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID ? request->pasid
									  : TLP_NO_PASID;

	/* A mediated device's PASIDs are the host's: its client knows others. */
	vfio_mdev_user_pasid(group->idev->pdev, pasid, &pasid);
	if (pasid != TLP_NO_PASID) {
		record.flags |= IOASID_FAULT_PASID;
		record.pasid = pasid;
	}
	if (request->flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE)
		record.flags |= IOASID_FAULT_LAST;
	record.perm = (request->perm & IOMMU_PGFAULT_PERM_READ ? IOASID_DMA_READ : 0) |
		      (request->perm & IOMMU_PGFAULT_PERM_WRITE ? IOASID_DMA_WRITE : 0);
	return record;
}

static void group_publish(const struct ioasid_ctx *ctx, const struct iommufd_pgfault *group)
{
	struct ioasid_ctx *w = image_write(ctx);
	struct iommufd_pgfault *wg = image_write(group);

	wg->serial = ++w->serial;
	for (uint32_t i = 0; i < group->count; i++) {
		size_t at = sizeof(struct ioasid_fault_ring) +
			    w->head % w->entries * sizeof(struct ioasid_fault);
		struct ioasid_fault_ring *ring = ring_write(ctx, at, sizeof(struct ioasid_fault));

		ring->fault[w->head % w->entries] = record_of(ctx, group, i);
		w->head++;
		__atomic_store_n(&ring->head, w->head, __ATOMIC_RELEASE);
	}
	TRACE_EVENT(LANE_IOMMUFD, LANE_IOASID, "fault", A("label", group->idev->obj.id),
		    A("address", group->requests[0].addr), A("serial", w->serial));
	event_signal(&ctx->event);
}

/* As many groups as have room. */
static void ring_fill(const struct ioasid_ctx *ctx)
{
	const struct iommufd_pgfault *group;

	while (ctx->fault->first && ctx->fault->first->count <= ring_room(ctx)) {
		group = iommufd_fault_take(ctx->fault);
		if (!group)
			return;
		group_publish(ctx, group);
	}
}

void ioasid_fault_queued(const struct ioasid_ctx *ctx)
{
	const struct iommufd_pgfault *group;

	if (!ctx->ring) {
		group = iommufd_fault_take(ctx->fault);
		if (group)
			iommufd_fault_answer(ctx->fault, group->obj.id, IOASID_RESPONSE_INVALID);
		return;
	}
	ring_fill(ctx);
	if (ctx->fault->first)
		ring_write(ctx, 0, sizeof(struct ioasid_fault_ring))->overflows++;
}

/* -- calls ------------------------------------------------------------------------------------ */

long ioasid_fault_setup(const struct ioasid_ctx *ctx, void *args)
{
	const struct ioasid_fault_setup *setup = args;
	struct ioasid_ctx *w = image_write(ctx);
	struct ioasid_fault_ring *ring;
	uint64_t size;
	int rc;

	if (!setup->entries || setup->entries > ENTRIES_MAX ||
	    setup->entries & (setup->entries - 1))
		return -EINVAL;
	if (ctx->ring)
		return -EBUSY;
	if (setup->eventfd >= 0) {
		rc = event_ref_get(setup->eventfd, &w->event);
		if (rc)
			return rc;
	}
	size = sizeof(*ring) + setup->entries * sizeof(struct ioasid_fault);
	size = (size + PHYS_PAGE - 1) & ~(uint64_t)(PHYS_PAGE - 1);
	w->ring = image_bulk_alloc(size, IMAGE_TYPE_IOASID);
	if (!w->ring) {
		event_ref_put(&w->event);
		return -ENOMEM;
	}
	w->ring_size = size;
	w->entries = setup->entries;
	ring = ring_write(ctx, 0, sizeof(*ring));
	ring->entries = setup->entries;
	return 0;
}

int ioasid_mmap(const struct file *file, struct mmap_request *request)
{
	const struct ioasid_ctx *ctx = file->priv;

	if (!ctx->ring || request->offset || request->len > ctx->ring_size)
		return -EINVAL;
	request->memory = ctx->ring;
	return 0;
}

void ioasid_fault_gone(const struct ioasid_ctx *ctx)
{
	struct ioasid_ctx *w = image_write(ctx);

	event_ref_put(&w->event);
	if (w->ring)
		image_bulk_free(w->ring);
	w->ring = NULL;
}

/* All that were there when the call began: what the answers bring is not meant. */
static long answer_all(const struct ioasid *space, uint32_t code)
{
	const struct iommufd_fault *fault = space->ctx->fault;
	const struct iommufd_pgfault *group;
	uint32_t id = 0, serial = space->ctx->serial;
	long count = 0;

	for (; (group = (const struct iommufd_pgfault *)idtable_next(fault->read, &id)); id++) {
		if (space_of(space->ctx, group) != space ||
		    (int32_t)(group->serial - serial) > 0)
			continue;
		iommufd_fault_answer(fault, id, code);
		count++;
	}
	return count;
}

static long answer_one(const struct ioasid *space, uint64_t cookie, uint32_t code)
{
	const struct iommufd_fault *fault = space->ctx->fault;
	const struct iommufd_pgfault *group =
		(const struct iommufd_pgfault *)idtable_find(fault->read, (uint32_t)cookie);

	if (!group || group->serial != cookie >> 32)
		return -ENOENT;
	if (space_of(space->ctx, group) != space)
		return -EINVAL;
	return iommufd_fault_answer(fault, (uint32_t)cookie, code);
}

long ioasid_fault_respond(const struct ioasid_ctx *ctx, void *args)
{
	const struct ioasid_fault_response *response = args;
	const struct ioasid *space = ioasid_find(ctx, response->ioasid);
	bool all = response->flags & IOASID_RESPOND_ALL;
	long rc;

	if (!space)
		return -ENOENT;
	if (response->flags & ~(uint32_t)IOASID_RESPOND_ALL || response->reserved ||
	    response->code > IOASID_RESPONSE_INVALID || (all && response->cookie))
		return -EINVAL;
	rc = all ? answer_all(space, response->code)
		 : answer_one(space, response->cookie, response->code);
	if (rc >= 0 && ctx->ring)
		ring_fill(ctx);
	return rc;
}
