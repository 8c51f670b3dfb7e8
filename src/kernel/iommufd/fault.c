/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fault queues: page requests of devices whose HWPT has one. A group of requests waits to be read;
 * what was read waits, under a cookie, for the client's response. What the client will never answer
 * is answered "invalid" in its place: when the device is attached elsewhere, or the queue goes.
 */
#include <poll.h>

#include "kernel/ioasid/ioasid.h"
#include "kernel/iommufd/driver.h"

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
	fault->read = idtable_create();
	if (!fault->read)
		return -ENOMEM;
	fault->ctx = cmd->ctx;
	fault->obj.users = 2;		/* the table and the file */
	fd = iommufd_queue_file(cmd->ctx, FILE_IOMMUFD_FAULT, fault, "[iommufd-pgfault]",
				&fault->file);
	if (fd < 0)
		return fd;
	args->out_fault_id = fault->obj.id;
	args->out_fault_fd = (uint32_t)fd;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	idtable_finalize(cmd->ctx->objects, &fault->obj);
	return 0;
}

/* -- groups of requests ------------------------------------------------------------------------ */

/* The group is in no list any more. */
static void answer(const struct iommufd_pgfault *group, uint32_t code)
{
	const struct iommufd_driver *driver = iommufd_driver(group->idev->group->driver);

	if (driver->page_response)
		driver->page_response(group, code);
	image_free(group);
}

static void unread_remove(const struct iommufd_fault *fault, const struct iommufd_pgfault *before,
			  const struct iommufd_pgfault *group)
{
	struct iommufd_fault *wf = image_write(fault);
	struct iommufd_pgfault *w;

	if (before) {
		w = image_write(before);
		w->next = group->next;
	} else {
		wf->first = group->next;
	}
	if (!group->next)
		wf->last = before;
	files_polled();
}

static bool came_through(const struct iommufd_pgfault *group, const struct iommufd_group *devices,
			 uint32_t attached)
{
	return !devices || (group->idev->group == devices && group->attached == attached);
}

/* Answers what came through an attachment; devices NULL: all there is. */
static void answer_all(const struct iommufd_fault *fault, const struct iommufd_group *devices,
		       uint32_t attached)
{
	const struct iommufd_pgfault *group, *before = NULL, *next;
	uint32_t cookie = 0;

	for (group = fault->first; group; group = next) {
		next = group->next;
		if (!came_through(group, devices, attached)) {
			before = group;
			continue;
		}
		unread_remove(fault, before, group);
		answer(group, IOMMUFD_PAGE_RESP_INVALID);
	}
	while ((group = (const struct iommufd_pgfault *)idtable_next(fault->read, &cookie))) {
		cookie++;
		if (!came_through(group, devices, attached))
			continue;
		idtable_remove(fault->read, group->obj.id);
		answer(group, IOMMUFD_PAGE_RESP_INVALID);
	}
}

void iommufd_fault_forget(const struct iommufd_hwpt *hwpt, const struct iommufd_group *group,
			  uint32_t attached)
{
	if (hwpt->fault)
		answer_all(hwpt->fault, group, attached);
}

void iommufd_fault_destroy(const struct idobject *object)
{
	const struct iommufd_fault *fault = (const struct iommufd_fault *)object;

	answer_all(fault, NULL, 0);
	idtable_destroy(fault->read);
	image_free(fault);
}

/* What the request's translation would have gone through. A guest whose first stage is attached
 * manages PASIDs by itself: what has no attachment of its own belongs to it. */
static const struct iommufd_hwpt *request_hwpt(const struct iommufd_device *idev,
					       const struct iommufd_request *request,
					       uint32_t *attached)
{
	const struct iommufd_hwpt *hwpt = NULL;

	*attached = TLP_NO_PASID;
	if (request->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID) {
		hwpt = iommufd_attached_hwpt(idev, request->pasid);
		if (hwpt) {
			*attached = request->pasid;
			return hwpt;
		}
		hwpt = iommufd_attached_hwpt(idev, TLP_NO_PASID);
		return hwpt && hwpt->obj.kind == IOMMUFD_HWPT_NESTED ? hwpt : NULL;
	}
	return iommufd_attached_hwpt(idev, TLP_NO_PASID);
}

int iommufd_page_request(const struct iommufd_device *idev, const struct iommufd_request *requests,
			 uint32_t count)
{
	uint32_t attached;
	const struct iommufd_hwpt *hwpt = request_hwpt(idev, &requests[count - 1], &attached);
	struct iommufd_pgfault *group;
	struct iommufd_fault *fault;

	if (!hwpt || !hwpt->fault)
		return -ENODEV;
	group = image_alloc(sizeof(*group) + count * sizeof(*requests), IMAGE_TYPE_IOMMUFD_EVENT);
	if (!group)
		return -ENOMEM;
	group->idev = idev;
	group->attached = attached;
	group->count = count;
	memcpy(group->requests, requests, count * sizeof(*requests));
	fault = image_write(hwpt->fault);
	if (fault->last) {
		struct iommufd_pgfault *last = image_write(fault->last);

		last->next = group;
	} else {
		fault->first = group;
	}
	fault->last = group;
	if (fault->ring)
		ioasid_fault_queued(fault->ring);
	files_polled();
	return 0;
}

/* -- the file ---------------------------------------------------------------------------------- */

static int group_copy(const struct iommufd_pgfault *group, uint32_t cookie, uint64_t to)
{
	for (uint32_t i = 0; i < group->count; i++) {
		const struct iommufd_request *request = &group->requests[i];
		const struct iommu_hwpt_pgfault record = {
			.flags = request->flags, .dev_id = group->idev->obj.id,
			.pasid = request->pasid, .grpid = request->grpid, .perm = request->perm,
			.addr = request->addr, .cookie = cookie };

		if (copy_to_user(to + i * sizeof(record), &record, sizeof(record)))
			return -EFAULT;
	}
	return 0;
}

static void group_taken(const struct iommufd_fault *fault, uint32_t cookie)
{
	struct iommufd_pgfault *group = image_write(fault->first);

	unread_remove(fault, NULL, group);
	group->next = NULL;
	group->obj.id = cookie;
	idtable_finalize(fault->read, &group->obj);
}

const struct iommufd_pgfault *iommufd_fault_take(const struct iommufd_fault *fault)
{
	const struct iommufd_pgfault *group = fault->first;
	uint32_t cookie;

	if (!group || idtable_reserve(fault->read, &cookie))
		return NULL;
	group_taken(fault, cookie);
	return group;
}

int iommufd_fault_answer(const struct iommufd_fault *fault, uint32_t cookie, uint32_t code)
{
	const struct iommufd_pgfault *group =
		(const struct iommufd_pgfault *)idtable_find(fault->read, cookie);

	if (!group)
		return -ENOENT;
	idtable_remove(fault->read, cookie);
	answer(group, code);
	return 0;
}

/* Takes the first group out of the list and gives it its cookie. */
static int group_read(const struct iommufd_fault *fault, uint64_t to)
{
	uint32_t cookie;
	int rc = idtable_reserve(fault->read, &cookie);

	if (rc)
		return rc;
	rc = group_copy(fault->first, cookie, to);
	if (rc) {
		idtable_abort(fault->read, cookie);
		return rc;
	}
	group_taken(fault, cookie);
	return 0;
}

static ssize_t fault_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	const struct iommufd_fault *fault = file->priv;
	size_t done = 0;
	int rc = 0;

	if (position || len % sizeof(struct iommu_hwpt_pgfault))
		return -ESPIPE;
	while (!rc && fault->first) {
		size_t size = fault->first->count * sizeof(struct iommu_hwpt_pgfault);

		if (size > len - done) {
			rc = -EINVAL;
			break;
		}
		rc = group_read(fault, to + done);
		if (!rc)
			done += size;
	}
	return done ? (ssize_t)done : rc;
}

static int response_take(const struct iommufd_fault *fault, uint64_t from)
{
	struct iommu_hwpt_page_response response;

	if (copy_from_user(&response, from, sizeof(response)))
		return -EFAULT;
	if (response.code != IOMMUFD_PAGE_RESP_SUCCESS && response.code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	return iommufd_fault_answer(fault, response.cookie, response.code) ? -EINVAL : 0;
}

static ssize_t fault_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	const size_t size = sizeof(struct iommu_hwpt_page_response);
	size_t done = 0;
	int rc = 0;

	if (position || len % size)
		return -ESPIPE;
	while (!rc && done < len) {
		rc = response_take(file->priv, from + done);
		if (!rc)
			done += size;
	}
	return done ? (ssize_t)done : rc;
}

static unsigned int fault_poll(const struct file *file)
{
	const struct iommufd_fault *fault = file->priv;

	return POLLOUT | (fault->first ? POLLIN | POLLRDNORM : 0u);
}

static void fault_release(const struct file *file)
{
	const struct iommufd_fault *fault = file->priv;
	const struct file *context = fault->ctx->file;

	iommufd_users_add(&fault->obj, -1);
	file_put(context);
}

const struct file_ops iommufd_fault_file_ops = {
	.name = "iommufd fault queue",
	.read = fault_read,
	.write = fault_write,
	.poll = fault_poll,
	.release = fault_release,
};
