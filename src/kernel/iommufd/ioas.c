/* SPDX-License-Identifier: BSD-2-Clause */
/* The IOAS ioctls: argument checks in Linux's order, then the work of iopt.c. */
#include "kernel/iommufd/private.h"

#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)
#define MAP_ACCESS (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)

static const struct iommufd_ioas *ioas_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_ioas *)iommufd_find(cmd->ctx, id, IOMMUFD_IOAS);
}

const struct iommufd_ioas *iommufd_ioas_create(const struct iommufd_ctx *ctx)
{
	struct iommufd_ioas *ioas = iommufd_object_new(ctx, sizeof(*ioas), IOMMUFD_IOAS);

	if (!ioas)
		return NULL;
	ioas->ctx = ctx;
	ioas->alignment = 1;
	return ioas;
}

void iommufd_ioas_destroy(const struct idobject *object)
{
	const struct iommufd_ioas *ioas = (const struct iommufd_ioas *)object;

	if (ioas->ctx->vfio_ioas == ioas) {
		struct iommufd_ctx *ctx = image_write(ioas->ctx);

		ctx->vfio_ioas = NULL;
	}
	iopt_destroy(ioas);
	if (ioas->parent)
		iopt_child_leave(ioas);
	image_free(ioas);
}

int iommufd_ioctl_ioas_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_ioas_alloc *args = cmd->args;
	const struct iommufd_ioas *ioas;

	if (args->flags)
		return -EOPNOTSUPP;
	ioas = iommufd_ioas_create(cmd->ctx);
	if (!ioas)
		return -ENOMEM;
	args->out_ioas_id = ioas->obj.id;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	idtable_finalize(cmd->ctx->objects, &ioas->obj);
	return 0;
}

/* -- ranges ----------------------------------------------------------------------------------- */

static int allowed_load(const struct itree *tree, const struct iommu_ioas_allow_iovas *args)
{
	for (uint32_t i = 0; i < args->num_iovas; i++) {
		struct iommu_iova_range range;
		struct itree_span span;
		int rc;

		if (copy_from_user(&range, args->allowed_iovas + i * sizeof(range), sizeof(range)))
			return -EFAULT;
		if (range.start >= range.last || itree_find(tree, range.start, range.last, &span))
			return -EINVAL;
		rc = itree_insert(tree, range.start, range.last, NULL);
		if (rc)
			return rc;
	}
	return 0;
}

int iommufd_ioctl_allow_iovas(struct iommufd_cmd *cmd)
{
	const struct iommu_ioas_allow_iovas *args = cmd->args;
	const struct iopt_reserved *taken;
	const struct iommufd_ioas *ioas;
	struct itree_span span;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	ioas = ioas_find(cmd, args->ioas_id);
	if (!ioas)
		return -ENOENT;
	/* The old list comes back with the rollback when the new one is no good. */
	itree_clear(&ioas->allowed);
	rc = allowed_load(&ioas->allowed, args);
	if (rc)
		return rc;
	for (taken = ioas->reserved; taken; taken = taken->next)
		if (itree_find(&ioas->allowed, taken->start, taken->last, &span))
			return -EADDRINUSE;
	return 0;
}

int iommufd_ioctl_iova_ranges(struct iommufd_cmd *cmd)
{
	struct iommu_ioas_iova_ranges *args = cmd->args;
	const struct iommufd_ioas *ioas;
	struct iommu_iova_range hole;
	struct iopt_holes holes;
	uint32_t room, count = 0;

	if (args->__reserved)
		return -EOPNOTSUPP;
	ioas = ioas_find(cmd, args->ioas_id);
	if (!ioas)
		return -ENOENT;
	room = args->num_iovas;
	holes = (struct iopt_holes){ .ioas = ioas };
	while (iopt_hole_next(&holes, &hole)) {
		if (count < room &&
		    copy_to_user(args->allowed_iovas + count * sizeof(hole), &hole, sizeof(hole)))
			return -EFAULT;
		count++;
	}
	args->num_iovas = count;
	args->out_iova_alignment = ioas->alignment;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	return count > room ? -EMSGSIZE : 0;
}

/* -- mapping ---------------------------------------------------------------------------------- */

static uint8_t flags_prot(uint32_t flags)
{
	return (uint8_t)((flags & IOMMU_IOAS_MAP_READABLE ? PT_R : 0) |
			 (flags & IOMMU_IOAS_MAP_WRITEABLE ? PT_W : 0));
}

static int map_flags_check(uint32_t flags, uint64_t iova, uint64_t length)
{
	if (flags & ~(uint32_t)MAP_FLAGS)
		return -EOPNOTSUPP;
	if (iova == UINT64_MAX || length == UINT64_MAX)
		return -EOVERFLOW;
	return flags & MAP_ACCESS ? 0 : -EINVAL;
}

/* As in Linux what was done stays, even when the client cannot be told. */
static int respond_kept(const struct iommufd_cmd *cmd, size_t len)
{
	image_commit();
	return iommufd_respond(cmd, len);
}

int iommufd_ioctl_map(struct iommufd_cmd *cmd)
{
	struct iommu_ioas_map *args = cmd->args;
	struct iopt_map map;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	rc = map_flags_check(args->flags, args->iova, args->length);
	if (rc)
		return rc;
	map = (struct iopt_map){ .ioas = ioas_find(cmd, args->ioas_id), .iova = args->iova,
				 .len = args->length, .address = args->user_va,
				 .fixed = args->flags & IOMMU_IOAS_MAP_FIXED_IOVA,
				 .prot = flags_prot(args->flags) };
	if (!map.ioas)
		return -ENOENT;
	rc = iopt_map_user(cmd->ctx, &map);
	if (rc)
		return rc;
	args->iova = map.iova;
	return respond_kept(cmd, sizeof(*args));
}

/* One of our files, or in a real process whatever else the descriptor is. */
static int file_of(int fd, struct iopt_file *file)
{
	*file = (struct iopt_file){ .file = fd_file(fd) };
	if (file->file)
		return 0;
	return current_task()->pid ? client_memfd(fd, &file->memfd) : -EBADF;
}

int iommufd_ioctl_map_file(struct iommufd_cmd *cmd)
{
	struct iommu_ioas_map_file *args = cmd->args;
	struct iopt_file file;
	struct iopt_map map;
	int rc;

	rc = map_flags_check(args->flags, args->iova, args->length);
	if (rc)
		return rc;
	map = (struct iopt_map){ .ioas = ioas_find(cmd, args->ioas_id), .iova = args->iova,
				 .len = args->length, .address = args->start,
				 .fixed = args->flags & IOMMU_IOAS_MAP_FIXED_IOVA,
				 .prot = flags_prot(args->flags) };
	if (!map.ioas)
		return -ENOENT;
	if (!args->length)
		return -EINVAL;
	if (args->start > UINT64_MAX - args->length)
		return -EOVERFLOW;
	rc = file_of(args->fd, &file);
	if (rc)
		return rc;
	rc = iopt_map_file(cmd->ctx, &map, &file, args->start);
	if (rc)
		return rc;
	args->iova = map.iova;
	return respond_kept(cmd, sizeof(*args));
}

/* Every part of [first, last] of the source is mapped, and, to write through the copy, writable. */
static int copy_check(const struct iommufd_ioas *source, uint64_t first, uint64_t last, bool write,
		      bool *readonly)
{
	struct itree_span span;

	for (uint64_t at = first;; at = span.last + 1) {
		const struct iopt_area *area;

		if (!itree_find(&source->areas, at, last, &span) || span.start > at)
			return -ENOENT;
		area = span.item;
		*readonly |= write && !area->pages->writable;
		if (span.last >= last)
			return 0;
	}
}

/* Does each part begin in its page as the other space's alignment wants it? Asked before the first
 * of them is mapped, as what mapping says comes after it. */
static bool copy_aligned(const struct iopt_map *to, const struct iommufd_ioas *source,
			 uint64_t first, uint64_t last)
{
	struct itree_span span;

	for (uint64_t at = first; itree_find(&source->areas, at, last, &span); at = span.last + 1) {
		const struct iopt_area *area = span.item;

		if ((area->offset + (at - area->start)) & (PHYS_PAGE - 1) &
		    (to->ioas->alignment - 1))
			return false;
		if (span.last >= last)
			break;
	}
	return true;
}

static int copy_areas(const struct iopt_map *to, const struct iommufd_ioas *source, uint64_t first,
		      uint64_t last)
{
	struct iopt_map part = *to;
	struct itree_span span;

	for (uint64_t at = first;; at = span.last + 1) {
		const struct iopt_area *area;
		int rc;

		itree_find(&source->areas, at, last, &span);
		area = span.item;
		part.iova = to->iova + (at - first);
		part.len = (span.last < last ? span.last : last) - at + 1;
		rc = iopt_insert(&part, image_write(area->pages), area->offset + (at - area->start));
		if (rc)
			return rc;
		if (span.last >= last)
			return 0;
	}
}

int iommufd_ioctl_copy(struct iommufd_cmd *cmd)
{
	struct iommu_ioas_copy *args = cmd->args;
	const struct iommufd_ioas *source;
	const struct iopt_area *area;
	struct itree_span span;
	struct iopt_map map;
	bool readonly = false;
	uint64_t last;
	int rc;

	if (args->flags & ~(uint32_t)MAP_FLAGS)
		return -EOPNOTSUPP;
	if (args->length == UINT64_MAX || args->src_iova == UINT64_MAX ||
	    args->dst_iova == UINT64_MAX)
		return -EOVERFLOW;
	if (!(args->flags & MAP_ACCESS))
		return -EINVAL;
	source = ioas_find(cmd, args->src_ioas_id);
	if (!source)
		return -ENOENT;
	if (!args->length)
		return -EINVAL;
	if (__builtin_add_overflow(args->src_iova, args->length - 1, &last))
		return -EOVERFLOW;
	rc = copy_check(source, args->src_iova, last, args->flags & IOMMU_IOAS_MAP_WRITEABLE,
			&readonly);
	if (rc)
		return rc;
	map = (struct iopt_map){ .ioas = ioas_find(cmd, args->dst_ioas_id),
				 .iova = args->dst_iova,
				 .len = args->length,
				 .fixed = args->flags & IOMMU_IOAS_MAP_FIXED_IOVA,
				 .readonly = readonly,
				 .prot = flags_prot(args->flags) };
	if (!map.ioas)
		return -ENOENT;
	itree_find(&source->areas, args->src_iova, last, &span);
	area = span.item;
	map.address = area->pages->start + area->offset + (args->src_iova - area->start);
	rc = iopt_choose(&map);
	if (!rc && !copy_aligned(&map, source, args->src_iova, last))
		rc = -EINVAL;
	if (!rc)
		rc = copy_areas(&map, source, args->src_iova, last);
	if (rc)
		return rc;
	args->dst_iova = map.iova;
	return respond_kept(cmd, sizeof(*args));
}

int iommufd_ioctl_unmap(struct iommufd_cmd *cmd)
{
	struct iommu_ioas_unmap *args = cmd->args;
	const struct iommufd_ioas *ioas = ioas_find(cmd, args->ioas_id);
	uint64_t last, bytes = 0;
	int rc;

	if (!ioas)
		return -ENOENT;
	if (!args->iova && args->length == UINT64_MAX) {
		rc = iopt_unmap(ioas, 0, UINT64_MAX, &bytes);
	} else {
		if (args->iova == UINT64_MAX || args->length == UINT64_MAX)
			return -EOVERFLOW;
		if (!args->length)
			return -EINVAL;
		if (__builtin_add_overflow(args->iova, args->length - 1, &last))
			return -EOVERFLOW;
		rc = iopt_unmap(ioas, args->iova, last, &bytes);
		if (!rc && !bytes)
			rc = -ENOENT;
	}
	if (rc)
		return rc;
	args->length = bytes;
	return respond_kept(cmd, sizeof(*args));
}

/* -- options ---------------------------------------------------------------------------------- */

static int option_rlimit_mode(struct iommufd_cmd *cmd, struct iommu_option *args)
{
	struct iommufd_ctx *ctx;

	if (args->object_id)
		return -EOPNOTSUPP;
	if (args->op == IOMMU_OPTION_OP_GET) {
		args->val64 = cmd->ctx->account == ACCOUNT_MM;
		return 0;
	}
	if (args->op != IOMMU_OPTION_OP_SET)
		return -EOPNOTSUPP;
	client_credentials(current_task());
	if (!current_task()->cap_sys_resource)
		return -EPERM;
	if (idtable_count(cmd->ctx->objects))
		return -EBUSY;
	if (args->val64 > 1)
		return -EINVAL;
	ctx = image_write(cmd->ctx);
	ctx->account = args->val64 ? ACCOUNT_MM : ACCOUNT_USER;
	return 0;
}

static int option_huge_pages(struct iommufd_cmd *cmd, struct iommu_option *args)
{
	const struct iommufd_ioas *ioas = ioas_find(cmd, args->object_id);

	if (!ioas)
		return -ENOENT;
	if (args->op == IOMMU_OPTION_OP_GET) {
		args->val64 = !ioas->small_pages;
		return 0;
	}
	if (args->op != IOMMU_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (args->val64 > 1)
		return -EINVAL;
	return iopt_set_small_pages(ioas, !args->val64);
}

int iommufd_ioctl_option(struct iommufd_cmd *cmd)
{
	static int (*const options[])(struct iommufd_cmd *, struct iommu_option *) = {
		[IOMMU_OPTION_RLIMIT_MODE] = option_rlimit_mode,
		[IOMMU_OPTION_HUGE_PAGES] = option_huge_pages,
	};
	struct iommu_option *args = cmd->args;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->option_id >= sizeof(options) / sizeof(options[0]))
		return -EOPNOTSUPP;
	rc = options[args->option_id](cmd, args);
	return rc ? rc : iommufd_respond(cmd, sizeof(*args));
}

/* Calls fn for every area of every IOAS of the context; stops at the first error. */
static int areas_each(const struct iommufd_ctx *ctx, int (*fn)(const struct iopt_area *area))
{
	const struct idobject *object;

	for (uint32_t id = 0; (object = idtable_next(ctx->objects, &id)); id++) {
		const struct iommufd_ioas *ioas = (const struct iommufd_ioas *)object;
		struct itree_span span;
		uint64_t at = 0;

		if (object->kind != IOMMUFD_IOAS)
			continue;
		while (itree_find(&ioas->areas, at, UINT64_MAX, &span)) {
			int rc = fn(span.item);

			if (rc)
				return rc;
			if (__builtin_add_overflow(span.last, 1, &at))
				break;
		}
	}
	return 0;
}

static int area_is_movable(const struct iopt_area *area)
{
	return area->pages->source == IOPT_FILE ? 0 : -EINVAL;
}

static int area_charge(const struct iopt_area *area)
{
	return iopt_pages_charge(area->pages, current_task());
}

int iommufd_ioctl_change_process(struct iommufd_cmd *cmd)
{
	const struct iommu_ioas_change_process *args = cmd->args;
	int rc;

	if (args->__reserved)
		return -EOPNOTSUPP;
	rc = areas_each(cmd->ctx, area_is_movable);
	return rc ? rc : areas_each(cmd->ctx, area_charge);
}
