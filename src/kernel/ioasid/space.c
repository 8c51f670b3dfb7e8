/* SPDX-License-Identifier: BSD-2-Clause */
/* Spaces: allocation by kind, binding of a guest's table, and the IOMMUFD objects behind them. */
#include "kernel/ioasid/internal.h"
#include "kernel/iommufd/driver.h"

const struct ioasid *ioasid_find(const struct ioasid_ctx *ctx, uint32_t id)
{
	return (const struct ioasid *)idtable_find(ctx->spaces, id);
}

const struct ioasid *ioasid_of_hwpt(const struct ioasid_ctx *ctx, const struct iommufd_hwpt *hwpt)
{
	const struct ioasid *space;
	uint32_t id = 0;

	for (; (space = (const struct ioasid *)idtable_next(ctx->spaces, &id)); id++)
		if (hwpt && space->hwpt == hwpt)
			return space;
	return NULL;
}

/* -- IOMMUFD's objects ------------------------------------------------------------------------ */

static void traced(const char *name, const struct ioasid *space, const char *key, uint32_t id)
{
	struct trace_call call = TRACE_CALL(LANE_IOASID, LANE_IOMMUFD, name,
					    A("ioasid", space->obj.id));

	trace_arg_add(&call, key, id);
	trace_return(&call, 0, NULL);
}

static int hwpt_paging(const struct ioasid *space, const struct iommufd_device *idev,
		       const struct iommufd_hwpt **hwpt)
{
	const struct iommufd_user_data none = { .len = 0 };
	uint32_t flags = IOMMU_HWPT_ALLOC_PASID;

	if (!space->parent)
		flags |= IOMMU_HWPT_ALLOC_NEST_PARENT;
	return iommufd_hwpt_create(idev, space->ioas, flags, &none, hwpt);
}

static int hwpt_table(const struct ioasid *space, const struct iommufd_device *idev,
		      const struct iommufd_hwpt **hwpt)
{
	const struct iommufd_hwpt *below = space->parent->hwpt;
	struct iommufd_hwpt *nested = iommufd_nested_new(idev, below);

	if (!nested)
		return -ENOMEM;
	nested->pasid = true;
	iommufd_users_add(&below->obj, 1);
	*hwpt = nested;
	return iommufd_vtd_stage1(nested, &space->stage1);
}

int ioasid_hwpt(const struct ioasid *space, const struct iommufd_device *idev,
		const struct iommufd_hwpt **result)
{
	const struct iommufd_hwpt *hwpt = space->hwpt;
	struct iommufd_hwpt *w;
	struct ioasid *ws;
	int rc = 0;

	*result = hwpt;
	if (hwpt)
		return 0;
	if (space->parent)
		rc = ioasid_hwpt(space->parent, idev, &hwpt);
	if (!rc)
		rc = space->ioas ? hwpt_paging(space, idev, &hwpt) : hwpt_table(space, idev, &hwpt);
	if (rc)
		return rc;
	if (space->parent) {
		w = image_write(hwpt);
		w->fault = space->ctx->fault;
		iommufd_users_add(&space->ctx->fault->obj, 1);
	}
	idtable_finalize(hwpt->ctx->objects, &hwpt->obj);
	traced(space->ioas ? "HWPT_ALLOC" : "HWPT_ALLOC nested", space, "hwpt", hwpt->obj.id);
	ws = image_write(space);
	ws->hwpt = hwpt;
	*result = hwpt;
	return 0;
}

static void hwpt_drop(const struct ioasid *space)
{
	const struct iommufd_hwpt *hwpt = space->hwpt;
	struct ioasid *w;

	if (!hwpt)
		return;
	traced("DESTROY", space, "id", hwpt->obj.id);
	w = image_write(space);
	w->hwpt = NULL;
	iommufd_destroy_object(hwpt->ctx, &hwpt->obj);
}

static void ioas_drop(const struct ioasid *space)
{
	const struct iommufd_ioas *ioas = space->ioas;
	struct ioasid *w;

	if (!ioas)
		return;
	traced("DESTROY", space, "id", ioas->obj.id);
	w = image_write(space);
	w->ioas = NULL;
	iommufd_destroy_object(ioas->ctx, &ioas->obj);
}

/* -- allocation ------------------------------------------------------------------------------- */

static struct ioasid *space_new(const struct ioasid_ctx *ctx, const struct ioasid *parent)
{
	struct ioasid *space = image_alloc(sizeof(*space), IMAGE_TYPE_IOASID), *w;

	if (!space || idtable_reserve(ctx->spaces, &space->obj.id))
		return NULL;
	space->obj.users = space->obj.waits = 1;
	space->ctx = ctx;
	space->parent = parent;
	if (parent) {
		w = image_write(parent);
		w->children++;
	}
	return space;
}

/* Its IOAS, which for a child leads into the parent's. */
static long space_mapped(struct ioasid *space, enum ioasid_kind kind)
{
	const struct iommufd_ioas *ioas =
		space->parent ? iopt_child_create(space->parent->ioas)
			      : iommufd_ioas_create(space->ctx->iommufd);

	if (!ioas)
		return -ENOMEM;
	idtable_finalize(ioas->ctx->objects, &ioas->obj);
	space->ioas = ioas;
	space->kind = (uint8_t)kind;
	traced(space->parent ? "IOAS_ALLOC child" : "IOAS_ALLOC", space, "ioas", ioas->obj.id);
	idtable_finalize(space->ctx->spaces, &space->obj);
	return (long)space->obj.id;
}

long ioasid_alloc(const struct ioasid_ctx *ctx, void *args)
{
	struct ioasid *space = space_new(ctx, NULL);

	(void)args;
	return space ? space_mapped(space, IOASID_KIND_DMA) : -ENOMEM;
}

static int parent_check(const struct ioasid *parent)
{
	if (!parent)
		return -ENOENT;
	return parent->kind == IOASID_KIND_DMA ? 0 : -EINVAL;
}

long ioasid_alloc_nested(const struct ioasid_ctx *ctx, void *args)
{
	const uint64_t *id = args;
	const struct ioasid *parent = *id <= UINT32_MAX ? ioasid_find(ctx, (uint32_t)*id) : NULL;
	int rc = parent_check(parent);
	struct ioasid *space;

	if (rc)
		return rc;
	space = space_new(ctx, parent);
	return space ? space_mapped(space, IOASID_KIND_NESTED) : -ENOMEM;
}

static long alloc_table(const struct ioasid_ctx *ctx, const struct ioasid_table *table, bool pasids)
{
	const struct ioasid *parent = ioasid_find(ctx, table->ioasid);
	struct iommu_nested stage1;
	int rc = parent_check(parent);
	struct ioasid *space;

	if (!rc)
		rc = ioasid_table_check(table, pasids, &stage1);
	if (rc)
		return rc;
	space = space_new(ctx, parent);
	if (!space)
		return -ENOMEM;
	space->kind = pasids ? IOASID_KIND_PASID_TABLE : IOASID_KIND_PGTABLE;
	space->format = (uint8_t)table->format;
	space->stage1 = stage1;
	idtable_finalize(ctx->spaces, &space->obj);
	return (long)space->obj.id;
}

long ioasid_alloc_table(const struct ioasid_ctx *ctx, void *args)
{
	return alloc_table(ctx, args, false);
}

long ioasid_alloc_pasid_table(const struct ioasid_ctx *ctx, void *args)
{
	return alloc_table(ctx, args, true);
}

/* -- binding a table later -------------------------------------------------------------------- */

static int attachment_move(const struct iommufd_device *idev, uint32_t pasid, void *arg)
{
	const struct iommufd_hwpt *to = arg;
	uint32_t pt_id = to->obj.id;

	return iommufd_device_attach(idev, pasid, &pt_id);
}

struct first_device { const struct iommufd_device *idev; };

static int attachment_first(const struct iommufd_device *idev, uint32_t pasid, void *arg)
{
	struct first_device *first = arg;

	(void)pasid;
	first->idev = idev;
	return 1;
}

/* From the empty page table that stood in for it to the guest's own, device by device. */
static int table_take_over(const struct ioasid *space)
{
	const struct iommufd_hwpt *old = space->hwpt, *hwpt;
	const struct iommufd_ioas *ioas = space->ioas;
	struct first_device first = { NULL };
	struct ioasid *w = image_write(space);
	int rc = 0;

	w->ioas = NULL;
	w->hwpt = NULL;
	if (old)
		ioasid_each_attached(space->ctx, old, attachment_first, &first);
	if (first.idev) {
		rc = ioasid_hwpt(space, first.idev, &hwpt);
		/* the HWPT is in the image, and const here only because a look-up says so */
		if (!rc)
			rc = ioasid_each_attached(space->ctx, old, attachment_move,
						  image_write(hwpt));
	}
	if (rc)
		return rc;
	if (old)
		iommufd_destroy_object(old->ctx, &old->obj);
	iommufd_destroy_object(ioas->ctx, &ioas->obj);
	return 0;
}

static long bind_table(const struct ioasid_ctx *ctx, const struct ioasid_table *table, bool pasids)
{
	const struct ioasid *space = ioasid_find(ctx, table->ioasid);
	struct iommu_nested stage1;
	struct ioasid *w;
	int rc;

	if (!space)
		return -ENOENT;
	if (!space->parent)
		return -EINVAL;
	if (space->kind != IOASID_KIND_NESTED || space->ioas->areas.root)
		return -EBUSY;
	rc = ioasid_table_check(table, pasids, &stage1);
	if (rc)
		return rc;
	w = image_write(space);
	w->kind = pasids ? IOASID_KIND_PASID_TABLE : IOASID_KIND_PGTABLE;
	w->format = (uint8_t)table->format;
	w->stage1 = stage1;
	return table_take_over(space);
}

long ioasid_bind_table(const struct ioasid_ctx *ctx, void *args)
{
	return bind_table(ctx, args, false);
}

long ioasid_bind_pasid_table(const struct ioasid_ctx *ctx, void *args)
{
	return bind_table(ctx, args, true);
}

/* -- the end ---------------------------------------------------------------------------------- */

static void space_free(const struct ioasid *space)
{
	idtable_remove(space->ctx->spaces, space->obj.id);
	hwpt_drop(space);
	ioas_drop(space);
	if (space->parent) {
		struct ioasid *parent = image_write(space->parent);

		parent->children--;
	}
	image_free(space);
}

long ioasid_free(const struct ioasid_ctx *ctx, void *args)
{
	const uint64_t *id = args;
	const struct ioasid *space = *id <= UINT32_MAX ? ioasid_find(ctx, (uint32_t)*id) : NULL;

	if (!space)
		return -ENOENT;
	if (space->children || ioasid_attached_count(space))
		return -EBUSY;
	space_free(space);
	return 0;
}

/* No device is bound any more: each holds the file. Children first. */
void ioasid_free_all(const struct ioasid_ctx *ctx)
{
	for (int children = 1; children >= 0; children--) {
		const struct ioasid *space;
		uint32_t id = 0;

		for (; (space = (const struct ioasid *)idtable_next(ctx->spaces, &id)); id++)
			if (!space->children)
				space_free(space);
	}
}
