/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/vfio/GROUP: the older way to a device, through its IOMMU group. A group is given to a
 * container (the type 1 driver's, or an iommufd that plays one), and its devices are then opened
 * through it. While it is open its devices' own nodes cannot be bound, and the other way round.
 */
#include <fcntl.h>

#include "kernel/ioasid/ioasid.h"
#include "kernel/vfio/internal.h"
#include "swtio/uapi/vfio_type1.h"

#define DEVICE_NAME_MAX 4096u
#define TOKEN_ARG "vf_token="

const struct vfio_group *vfio_group_find(uint16_t number)
{
	const struct vfio_root *root = vfio_root();
	const struct vfio_group *group = root ? root->groups : NULL;

	while (group && group->number != number)
		group = group->next;
	return group;
}

static bool has_iommu(const struct vfio_group *group)
{
	return group->container || group->iommufd;
}

/* A device of the group, present and bound to vfio-pci: the first from *rid on. */
static const struct vfio_device *device_next(uint16_t number, uint16_t *rid)
{
	const struct pci_dev *pdev;

	for (; (pdev = pci_dev_next(rid)); ++*rid) {
		if (pdev->group == number && pdev->vfio && function_find(pdev->rid))
			return pdev->vfio;
		if (*rid == UINT16_MAX)
			break;
	}
	return NULL;
}

static bool opened_by_node(uint16_t number)
{
	const struct vfio_device *vdev;

	for (uint16_t rid = 0; (vdev = device_next(number, &rid)); rid++)
		if (vdev->opener && !vdev->opener->group)
			return true;
	return false;
}

/* -- open, release ----------------------------------------------------------------------------- */

static struct vfio_group *group_new(uint16_t number)
{
	struct vfio_group *group = image_alloc(sizeof(*group), IMAGE_TYPE_VFIO_GROUP);
	struct vfio_root *root;

	if (!group)
		return NULL;
	root = image_write(vfio_root());
	group->number = number;
	group->next = root->groups;
	root->groups = group;
	return group;
}

static void group_free_unused(const struct vfio_group *group)
{
	const struct vfio_group *const *link = &vfio_root()->groups;
	const struct vfio_group **slot;

	if (group->file || group->users)
		return;
	while (*link != group)
		link = &(*link)->next;
	slot = image_write(link);
	*slot = group->next;
	image_free(group);
}

static void iommu_unset(const struct vfio_group *group)
{
	const struct file *container = group->container, *iommufd = group->iommufd;
	struct vfio_group *w = image_write(group);

	w->container = w->iommufd = NULL;
	if (container) {
		vfio_container_groups(container, -1);
		file_put(container);
	}
	if (iommufd)
		file_put(iommufd);
}

void vfio_group_user_put(const struct vfio_group *group)
{
	struct vfio_group *w = image_write(group);

	w->users--;
	if (!w->file && !w->users && has_iommu(group))
		iommu_unset(group);
	group_free_unused(group);
}

int vfio_group_open(const char *path, int flags, const struct file **file)
{
	const struct vfio_group *group;
	struct vfio_group *w;
	unsigned int number;
	char again[24];
	uint16_t rid = 0;

	(void)flags;
	if (sscanf(path, "/dev/vfio/%u", &number) != 1 || number > UINT16_MAX)
		return -ENOENT;
	snprintf(again, sizeof(again), "/dev/vfio/%u", number);
	if (strcmp(again, path) || !device_next((uint16_t)number, &rid))
		return -ENOENT;
	group = vfio_group_find((uint16_t)number);
	if (opened_by_node((uint16_t)number) || (group && group->file))
		return -EBUSY;
	if (!group)
		group = group_new((uint16_t)number);
	*file = group ? file_create(FILE_VFIO_GROUP, group, path) : NULL;
	if (!*file)
		return -ENOMEM;
	w = image_write(group);
	w->file = *file;
	return 0;
}

static void group_release(const struct file *file)
{
	const struct vfio_group *group = file->priv;
	struct vfio_group *w = image_write(group);

	/* Devices opened through it hold the group; what they stand on goes with the last. */
	w->file = NULL;
	if (!group->users && has_iommu(group))
		iommu_unset(group);
	group_free_unused(group);
}

/* -- ioctls ------------------------------------------------------------------------------------ */

static long group_status(const struct vfio_group *group, uint64_t arg)
{
	struct vfio_group_status status;
	const struct vfio_device *vdev;
	bool owned = false;

	if (copy_from_user(&status, arg, sizeof(status)))
		return -EFAULT;
	if (status.argsz < sizeof(status))
		return -EINVAL;
	for (uint16_t rid = 0; (vdev = device_next(group->number, &rid)); rid++)
		owned = owned || vdev->opener;
	status.flags = 0;
	if (has_iommu(group))
		status.flags = VFIO_GROUP_FLAGS_CONTAINER_SET | VFIO_GROUP_FLAGS_VIABLE;
	else if (!owned)
		status.flags = VFIO_GROUP_FLAGS_VIABLE;
	return copy_to_user(arg, &status, sizeof(status)) ? -EFAULT : 0;
}

static long group_set_container(const struct vfio_group *group, uint64_t arg)
{
	const struct file *file;
	struct vfio_group *w;
	int32_t fd;
	int rc;

	if (copy_from_user(&fd, arg, sizeof(fd)))
		return -EFAULT;
	file = fd_file(fd);
	if (!file && !fd_is_open(fd))
		return -EBADF;
	if (has_iommu(group))
		return -EINVAL;
	if (!file)
		return -EBADFD;
	w = image_write(group);
	if (file->type == FILE_VFIO_CONTAINER) {
		vfio_container_groups(file, 1);
		w->container = file;
	} else if (iommufd_ctx_of_file(file)) {
		rc = iommufd_compat_create(iommufd_ctx_of_file(file));
		if (rc)
			return rc;
		w->iommufd = file;
	} else if (ioasid_ctx_of_file(file)) {
		w->iommufd = file;
	} else {
		return -EBADFD;
	}
	file_get(file);
	return 0;
}

static long group_unset_container(const struct vfio_group *group, uint64_t arg)
{
	(void)arg;
	if (!has_iommu(group))
		return -EINVAL;
	if (group->container && group->users)
		return -EBUSY;
	iommu_unset(group);
	return 0;
}

/* -- GET_DEVICE_FD ----------------------------------------------------------------------------- */

/* The string is in memory of the client: up to its end, a byte at a time where a page ends. */
static int name_read(uint64_t arg, char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (copy_from_user(&name[i], arg + i, 1))
			return -EFAULT;
		if (!name[i])
			return 0;
	}
	return -EINVAL;
}

/* What follows the device's name: nothing, or " vf_token=UUID". 1: it is this device; 0: not. */
static int options_match(const struct vfio_device *vdev, const char *options)
{
	const size_t uuid_len = 36, arg_len = sizeof(TOKEN_ARG) - 1;
	uint8_t uuid[VFIO_TOKEN];
	bool token = false;
	int rc;

	if (*options && *options != ' ')
		return 0;
	while (*options) {
		if (*options == ' ') {
			options++;
			continue;
		}
		if (token || strncmp(options, TOKEN_ARG, arg_len))
			return -EINVAL;
		options += arg_len;
		if (strlen(options) < uuid_len || vfio_uuid_parse(options, uuid))
			return -EINVAL;
		options += uuid_len;
		token = true;
	}
	rc = vfio_token_check(vdev, token ? uuid : NULL);
	return rc ? rc : 1;
}

static int device_by_name(uint16_t number, const char *name, const struct vfio_device **out)
{
	const struct vfio_device *vdev;

	for (uint16_t rid = 0; (vdev = device_next(number, &rid)); rid++) {
		char bdf[13];
		int rc;

		pci_name(vdev->pdev->rid, bdf);
		if (strncmp(bdf, name, strlen(bdf)))
			continue;
		rc = options_match(vdev, name + strlen(bdf));
		if (!rc)
			continue;
		*out = vdev;
		return rc < 0 ? rc : 0;
	}
	return -ENODEV;
}

/* The context that a device opened now would be bound to; NULL: there is none yet. */
static const struct file *group_iommufd(const struct vfio_group *group)
{
	return group->container ? vfio_container_iommufd(group->container) : group->iommufd;
}

static int device_attach(const struct vfio_file *vfile, const struct file *iommufd)
{
	uint32_t id;
	int rc;

	if (ioasid_ctx_of_file(iommufd))
		return 0;		/* its client says to which space */
	rc = iommufd_compat_id(iommufd_ctx_of_file(iommufd), &id);
	return rc ? rc : iommufd_device_attach(vfile->idev, TLP_NO_PASID, &id);
}

static int device_open(const struct vfio_group *group, const struct vfio_device *vdev,
		       const struct file **file)
{
	const struct file *iommufd = group_iommufd(group);
	struct vfio_file *vfile;
	struct vfio_group *w;
	char path[32];
	int rc;

	if (!iommufd)
		return -EINVAL;
	/* Linux opens it again for whoever asks; here a second one is the first one's copy to make. */
	if (vdev->opener)
		return -EBUSY;
	vfile = image_alloc(sizeof(*vfile), IMAGE_TYPE_VFIO_FILE);
	if (!vfile)
		return -ENOMEM;
	snprintf(path, sizeof(path), "anon_inode:[vfio-device]");
	vfile->vdev = vdev;
	vfile->group = group;
	vfile->file = *file = file_create(FILE_VFIO_DEVICE, vfile, path);
	if (!*file)
		return -ENOMEM;
	w = image_write(group);
	w->users++;
	rc = vfio_open_device(vfile, iommufd);
	if (!rc)
		rc = device_attach(vfile, iommufd);
	if (!rc)
		((struct vfio_file *)image_write(vfile))->bound = true;
	return rc;
}

static long group_get_device(const struct vfio_group *group, uint64_t arg)
{
	const struct vfio_device *vdev;
	const struct file *file = NULL;
	char name[DEVICE_NAME_MAX];
	int rc = name_read(arg, name, sizeof(name));

	if (!rc)
		rc = device_by_name(group->number, name, &vdev);
	if (rc)
		return rc;
	if (!has_iommu(group))
		return -EINVAL;
	rc = device_open(group, vdev, &file);
	if (!rc)
		return fd_install(file, O_CLOEXEC);
	/* The device committed what it saw: what is half open goes the way of a close. */
	if (file && file_find(file->id))
		file_put(file);
	image_commit();
	return rc;
}

static const struct {
	unsigned int cmd;
	const char *name;
	long (*run)(const struct vfio_group *group, uint64_t arg);
} ioctls[] = {
	{ VFIO_GROUP_GET_STATUS, "VFIO_GROUP_GET_STATUS", group_status },
	{ VFIO_GROUP_SET_CONTAINER, "VFIO_GROUP_SET_CONTAINER", group_set_container },
	{ VFIO_GROUP_UNSET_CONTAINER, "VFIO_GROUP_UNSET_CONTAINER", group_unset_container },
	{ VFIO_GROUP_GET_DEVICE_FD, "VFIO_GROUP_GET_DEVICE_FD", group_get_device },
};

static long group_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	const struct vfio_group *group = file->priv;

	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++) {
		struct trace_call call;
		long rc;

		if (ioctls[i].cmd != cmd)
			continue;
		call = TRACE_CALL((enum lane)current_task()->lane, LANE_VFIO, ioctls[i].name,
				  A("group", group->number));
		rc = ioctls[i].run(group, arg);
		trace_return(&call, rc, NULL);
		return rc;
	}
	return -ENOTTY;
}

const struct file_ops vfio_group_file_ops = {
	.name = "vfio-group",
	.ioctl = group_ioctl,
	.release = group_release,
};
