/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/vfio/vfio. On a kernel whose iommufd provides it, it is /dev/iommu by another name; with the
 * type 1 driver it is a container, which has an iommufd context of its own behind it.
 */
#include "kernel/vfio/internal.h"
#include "swtio/uapi/vfio_type1.h"

struct vfio_container {
	const struct file *iommufd;	/* the one reference on it */
	uint32_t groups;
	bool set;			/* SET_IOMMU succeeded */
	bool v2;
};

int vfio_container_open(const char *path, int flags, const struct file **file)
{
	struct vfio_container *container;
	int rc;

	if (!kernel_options()->type1)
		return iommufd_open(path, flags, file);
	container = image_alloc(sizeof(*container), IMAGE_TYPE_VFIO_GROUP);
	if (!container)
		return -ENOMEM;
	rc = iommufd_open("type 1 container", flags, &container->iommufd);
	if (rc)
		return rc;
	*file = file_create(FILE_VFIO_CONTAINER, container, path);
	return *file ? 0 : -ENOMEM;
}

static const struct iommufd_ctx *context_of(const struct vfio_container *container)
{
	return iommufd_ctx_of_file(container->iommufd);
}

const struct file *vfio_container_iommufd(const struct file *file)
{
	const struct vfio_container *container = file->priv;

	return container->set ? container->iommufd : NULL;
}

/* Without groups a container is as new: its mappings go with the last. */
void vfio_container_groups(const struct file *file, int n)
{
	struct vfio_container *container = image_write((const struct vfio_container *)file->priv);

	container->groups += (uint32_t)n;
	if (!container->groups && container->set) {
		container->set = false;
		iommufd_compat_destroy(context_of(container));
	}
}

/* VFIO_CHECK_EXTENSION: each known one is the type 1 driver's. DMA_CC needs a domain to ask. */
static long extension(const struct vfio_container *container, uint64_t arg)
{
	switch (arg) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		return container->set;
	default:
		return 0;
	}
}

static long set_iommu(const struct vfio_container *container, uint64_t arg)
{
	struct vfio_container *w;
	int rc;

	if (!container->groups || container->set)
		return -EINVAL;
	if (arg != VFIO_TYPE1_IOMMU && arg != VFIO_TYPE1v2_IOMMU)
		return -ENODEV;
	rc = iommufd_compat_create(context_of(container));
	if (rc)
		return rc;
	w = image_write(container);
	w->set = true;
	w->v2 = arg == VFIO_TYPE1v2_IOMMU;
	return 0;
}

static long container_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	const struct vfio_container *container = file->priv;
	struct trace_call call;
	long rc;

	switch (cmd) {
	case VFIO_GET_API_VERSION: return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION: return extension(container, arg);
	case VFIO_SET_IOMMU:
		call = TRACE_CALL((enum lane)current_task()->lane, LANE_VFIO, "VFIO_SET_IOMMU",
				  A("type", arg));
		rc = set_iommu(container, arg);
		trace_return(&call, rc, NULL);
		return rc;
	default:
		return container->set ? iommufd_type1_ioctl(context_of(container), container->v2,
							    cmd, arg)
				      : -EINVAL;
	}
}

static void container_release(const struct file *file)
{
	const struct vfio_container *container = file->priv;
	const struct file *iommufd = container->iommufd;

	image_free(container);
	file_put(iommufd);
}

const struct file_ops vfio_container_file_ops = {
	.name = "vfio-container",
	.ioctl = container_ioctl,
	.release = container_release,
};
