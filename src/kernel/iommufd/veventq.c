/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event queues of vIOMMUs, one of each type: what hardware wants a guest to know. Events are
 * numbered, lost ones too. A full queue keeps what it has and says at its end, by a header without
 * event, that more was lost; the next event that is kept takes that header's place, since the gap
 * in the numbers says the same.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>

#include "kernel/iommufd/private.h"

#define DEPTH_MAX (1u << 19)

int iommufd_queue_file(const struct iommufd_ctx *ctx, enum file_type type, const void *queue,
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

static const struct iommufd_veventq *queue_of(const struct iommufd_viommu *viommu, uint32_t type)
{
	const struct iommufd_veventq *queue = viommu->veventqs;

	while (queue && queue->type != type)
		queue = queue->viommu_next;
	return queue;
}

static int queue_alloc(struct iommufd_cmd *cmd, struct iommu_veventq_alloc *args,
		       const struct iommufd_viommu *viommu)
{
	struct iommufd_viommu *w = image_write(viommu);
	struct iommufd_veventq *queue;
	int fd;

	queue = iommufd_object_new(cmd->ctx, sizeof(*queue), IOMMUFD_VEVENTQ);
	if (!queue)
		return -ENOMEM;
	queue->ctx = cmd->ctx;
	queue->obj.users = 2;		/* the table and the file */
	queue->viommu = viommu;
	queue->viommu_next = viommu->veventqs;
	queue->type = args->type;
	queue->depth = args->veventq_depth;
	fd = iommufd_queue_file(cmd->ctx, FILE_IOMMUFD_VEVENTQ, queue, "[iommufd-viommu-event]",
				&queue->file);
	if (fd < 0)
		return fd;
	args->out_veventq_id = queue->obj.id;
	args->out_veventq_fd = (uint32_t)fd;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	w->veventqs = queue;
	w->obj.users++;
	idtable_finalize(cmd->ctx->objects, &queue->obj);
	return 0;
}

int iommufd_ioctl_veventq_alloc(struct iommufd_cmd *cmd)
{
	struct iommu_veventq_alloc *args = cmd->args;
	const struct iommufd_viommu *viommu;

	if (args->flags || args->__reserved || args->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!args->veventq_depth || args->veventq_depth > DEPTH_MAX)
		return -EINVAL;
	viommu = (const struct iommufd_viommu *)iommufd_find(cmd->ctx, args->viommu_id,
							     IOMMUFD_VIOMMU);
	if (!viommu)
		return -ENOENT;
	return queue_of(viommu, args->type) ? -EEXIST : queue_alloc(cmd, args, viommu);
}

static void first_drop(const struct iommufd_veventq *queue)
{
	struct iommufd_veventq *w = image_write(queue);
	const struct iommufd_vevent *event = queue->first;

	w->first = event->next;
	if (!w->first)
		w->last = NULL;
	w->count--;
	image_free(event);
}

void iommufd_veventq_destroy(const struct idobject *object)
{
	const struct iommufd_veventq *queue = (const struct iommufd_veventq *)object;
	const struct iommufd_veventq *const *link = &queue->viommu->veventqs;
	const struct iommufd_veventq **slot;

	while (queue->first)
		first_drop(queue);
	while (*link != queue)
		link = &(*link)->viommu_next;
	slot = image_write(link);
	*slot = queue->viommu_next;
	iommufd_users_add(&queue->viommu->obj, -1);
	image_free(queue);
}

/* -- events ------------------------------------------------------------------------------------ */

static struct iommufd_vevent *event_new(const struct iommufd_veventq *queue, const void *data,
					uint32_t len)
{
	struct iommufd_vevent *event;

	if (queue->count == queue->depth)
		return NULL;
	event = image_alloc(sizeof(*event) + len, IMAGE_TYPE_IOMMUFD_EVENT);
	if (!event)
		return NULL;
	event->len = len;
	memcpy(event->data, data, len);
	return event;
}

int iommufd_viommu_report(const struct iommufd_viommu *viommu, uint32_t type, const void *data,
			  uint32_t len)
{
	const struct iommufd_veventq *queue = queue_of(viommu, type);
	struct iommufd_veventq *w = queue ? image_write(queue) : NULL;
	struct iommufd_vevent *event, *last;
	uint32_t sequence;

	if (!queue)
		return -EOPNOTSUPP;
	sequence = w->sequence;
	w->sequence = (sequence + 1) & INT_MAX;
	event = event_new(queue, data, len);
	w->lost = !event;
	if (!event) {
		w->lost_sequence = sequence;
		files_polled();
		return queue->count == queue->depth ? 0 : -ENOMEM;
	}
	event->sequence = sequence;
	if (w->last) {
		last = image_write(w->last);
		last->next = event;
	} else {
		w->first = event;
	}
	w->last = event;
	w->count++;
	files_polled();
	return 0;
}

/* -- the file ---------------------------------------------------------------------------------- */

/* One event, or the header that stands for lost ones, if it fits; bytes, or -EINVAL, -EFAULT. */
static ssize_t event_read(const struct iommufd_veventq *queue, uint64_t to, size_t room)
{
	const struct iommufd_vevent *event = queue->first;
	const struct iommufd_vevent_header header = {
		.flags = event ? 0 : IOMMU_VEVENTQ_FLAG_LOST_EVENTS,
		.sequence = event ? event->sequence : queue->lost_sequence };
	size_t size = sizeof(header) + (event ? event->len : 0);
	struct iommufd_veventq *w = image_write(queue);

	if (size > room)
		return -EINVAL;
	if (copy_to_user(to, &header, sizeof(header)) ||
	    (event && copy_to_user(to + sizeof(header), event->data, event->len)))
		return -EFAULT;
	if (event)
		first_drop(queue);
	else
		w->lost = false;
	files_polled();
	return (ssize_t)size;
}

static ssize_t veventq_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	const struct iommufd_veventq *queue = file->priv;
	ssize_t done = 0, n = 0;

	if (position)
		return -ESPIPE;
	if (len < sizeof(struct iommufd_vevent_header))
		return -EINVAL;
	while (n >= 0 && (queue->first || queue->lost)) {
		n = event_read(queue, to + (uint64_t)done, len - (size_t)done);
		done += n > 0 ? n : 0;
	}
	return done ? done : n;
}

static ssize_t veventq_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	(void)file, (void)from, (void)len;
	return position ? -ESPIPE : -EINVAL;
}

static unsigned int veventq_poll(const struct file *file)
{
	const struct iommufd_veventq *queue = file->priv;

	return queue->first || queue->lost ? POLLIN | POLLRDNORM : 0;
}

static void veventq_release(const struct file *file)
{
	const struct iommufd_veventq *queue = file->priv;
	const struct file *context = queue->ctx->file;

	iommufd_users_add(&queue->obj, -1);
	file_put(context);
}

const struct file_ops iommufd_veventq_file_ops = {
	.name = "iommufd veventq",
	.read = veventq_read,
	.write = veventq_write,
	.poll = veventq_poll,
	.release = veventq_release,
};
