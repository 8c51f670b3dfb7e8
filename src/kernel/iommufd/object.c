/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of a context: made by reserve, set up, finalize; destroyed when nothing uses them. */
#include "kernel/iommufd/private.h"

struct kind_ops {
	const char *name;
	void (*destroy)(const struct idobject *object);	/* its id is gone; cannot fail */
};

static void vdevice_destroy(const struct idobject *object)
{
	iommufd_vdevice_destroy((const struct iommufd_vdevice *)object);
}

/* A device has no row: its driver holds it, and only unbinding destroys it. */
static const struct kind_ops kinds[IOMMUFD_KIND_MAX] = {
	[IOMMUFD_HWPT_PAGING] = { "hwpt", iommufd_hwpt_destroy },
	[IOMMUFD_IOAS] = { "ioas", iommufd_ioas_destroy },
	[IOMMUFD_FAULT] = { "fault queue", iommufd_fault_destroy },
	[IOMMUFD_VIOMMU] = { "viommu", iommufd_viommu_destroy },
	[IOMMUFD_VDEVICE] = { "vdevice", vdevice_destroy },
	[IOMMUFD_VEVENTQ] = { "veventq", iommufd_veventq_destroy },
	[IOMMUFD_HWPT_NESTED] = { "nested hwpt", iommufd_nested_destroy },
	[IOMMUFD_HW_QUEUE] = { "hardware queue", iommufd_hw_queue_destroy },
	[IOMMUFD_ACCESS] = { "access", NULL },
	[IOMMUFD_SELFTEST] = { "selftest", iommufd_selftest_destroy },
};

void iommufd_users_add(const struct idobject *object, int n)
{
	struct idobject *w = image_write(object);

	w->users += (uint32_t)n;
}

const struct idobject *iommufd_find(const struct iommufd_ctx *ctx, uint32_t id,
				    enum iommufd_kind kind)
{
	const struct idobject *object = idtable_find(ctx->objects, id);

	return object && (kind == IOMMUFD_ANY || object->kind == kind) ? object : NULL;
}

void *iommufd_object_new(const struct iommufd_ctx *ctx, size_t size, enum iommufd_kind kind)
{
	struct idobject *object = image_alloc(size, IMAGE_TYPE_IOMMUFD_OBJ);

	if (!object || idtable_reserve(ctx->objects, &object->id))
		return NULL;
	object->kind = (uint16_t)kind;
	object->users = 1;
	object->waits = 1;
	return object;
}

void iommufd_destroy_object(const struct iommufd_ctx *ctx, const struct idobject *object)
{
	idtable_remove(ctx->objects, object->id);
	kinds[object->kind].destroy(object);
}

/* -- holds ------------------------------------------------------------------------------------ */

static bool hold_alive(const struct iommufd_hold *hold)
{
	const struct task *task = task_find(hold->task);

	return !hold->task || (task && !task->dying);
}

static void hold_release(const struct iommufd_hold *hold)
{
	struct iommufd_hold *slot = image_write(hold);
	const struct idobject *held = slot->object;
	struct idobject *object = image_write(held);

	slot->object = NULL;
	object->users--;
	object->waits--;
	if (held->kind == IOMMUFD_VDEVICE && !held->waits)
		iommufd_vdevice_free((const struct iommufd_vdevice *)held);
}

static void holds_reap(const struct iommufd_ctx *ctx)
{
	for (unsigned int i = 0; i < IOMMUFD_HOLDS; i++)
		if (ctx->holds[i].object && !hold_alive(&ctx->holds[i]))
			hold_release(&ctx->holds[i]);
}

void iommufd_drop_all(const struct iommufd_ctx *ctx)
{
	for (unsigned int i = 0; i < IOMMUFD_HOLDS; i++)
		if (ctx->holds[i].object)
			hold_release(&ctx->holds[i]);
}

int iommufd_hold(const struct iommufd_ctx *ctx, const struct idobject *object)
{
	holds_reap(ctx);
	for (unsigned int i = 0; i < IOMMUFD_HOLDS; i++) {
		struct iommufd_hold *slot;
		struct idobject *w;

		if (ctx->holds[i].object)
			continue;
		slot = image_write(&ctx->holds[i]);
		slot->task = current_task() ? current_task()->id : 0;
		slot->object = object;
		w = image_write(object);
		w->users++;
		w->waits++;
		return 0;
	}
	return -EAGAIN;
}

void iommufd_drop(const struct iommufd_ctx *ctx, const struct idobject *object)
{
	uint32_t task = current_task() ? current_task()->id : 0;
	const struct iommufd_hold *any = NULL;

	for (unsigned int i = IOMMUFD_HOLDS; i-- > 0;) {
		if (ctx->holds[i].object != object)
			continue;
		any = &ctx->holds[i];
		if (any->task == task)
			break;
	}
	if (any)
		hold_release(any);
}

int iommufd_ioctl_destroy(struct iommufd_cmd *cmd)
{
	const struct iommu_destroy *args = cmd->args;
	const struct idobject *object;

	holds_reap(cmd->ctx);
	object = iommufd_find(cmd->ctx, args->id, IOMMUFD_ANY);
	if (!object)
		return -ENOENT;
	if (object->users != 1 || !kinds[object->kind].destroy)
		return -EBUSY;
	iommufd_destroy_object(cmd->ctx, object);
	return 0;
}
