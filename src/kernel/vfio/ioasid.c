/* SPDX-License-Identifier: BSD-2-Clause */
/* A device and /dev/ioasid: BIND, ATTACH, DETACH as the proposal has them. An extension. */
#include "kernel/ioasid/ioasid.h"
#include "kernel/vfio/internal.h"
#include "swtio/uapi/ioasid.h"

#define PASID_LAST 0xfffffu

long vfio_ioasid_bind(const struct vfio_file *vfile, uint64_t arg)
{
	const struct vfio_group *group = vfio_group_find(vfile->vdev->pdev->group);
	const struct file *file = arg <= INT32_MAX ? fd_file((int)arg) : NULL;
	struct vfio_file *w;
	int rc;

	if (!file)
		return -EBADF;
	if (!ioasid_ctx_of_file(file))
		return -EBADFD;
	/* Opened through its group, which was given this descriptor, it is bound already. */
	if (vfile->group)
		return vfile->iommufd == file ? (long)vfile->devid : -EINVAL;
	if (group && group->file)
		return -EBUSY;
	if (vfile->bound || vfile->vdev->opener)
		return -EINVAL;
	rc = vfio_open_device(vfile, file);
	if (rc)
		return rc;
	w = image_write(vfile);
	w->bound = true;
	return (long)vfile->devid;
}

static int attach_read(const struct vfio_file *vfile, uint64_t arg,
		       struct vfio_ioasid_attach *attach, uint32_t *pasid)
{
	if (!vfile->iommufd || !ioasid_ctx_of_file(vfile->iommufd))
		return -EINVAL;
	if (copy_from_user(attach, arg, sizeof(*attach)))
		return -EFAULT;
	if (attach->flag & ~(uint32_t)IOASID_ATTACH_USER_PASID || attach->reserved)
		return -EINVAL;
	*pasid = attach->flag & IOASID_ATTACH_USER_PASID ? attach->user_pasid : TLP_NO_PASID;
	return *pasid != TLP_NO_PASID ? *pasid > PASID_LAST ? -EINVAL : 0
				      : attach->user_pasid ? -EINVAL : 0;
}

long vfio_ioasid_attach(const struct vfio_file *vfile, uint64_t arg)
{
	struct vfio_ioasid_attach attach;
	uint32_t pasid;
	int rc = attach_read(vfile, arg, &attach, &pasid);

	return rc ? rc : ioasid_device_attach(ioasid_ctx_of_file(vfile->iommufd), vfile->idev,
					      pasid, attach.ioasid);
}

long vfio_ioasid_detach(const struct vfio_file *vfile, uint64_t arg)
{
	struct vfio_ioasid_attach attach;
	uint32_t pasid;
	int rc = attach_read(vfile, arg, &attach, &pasid);

	return rc ? rc : ioasid_device_detach(ioasid_ctx_of_file(vfile->iommufd), vfile->idev,
					      pasid, attach.ioasid);
}
