/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device and its iommufd: BIND, ATTACH, DETACH, and the way back. The way back may be cut short
 * by a kill and is then run again, so every step looks at what there still is to undo.
 */
#include "kernel/ioasid/ioasid.h"
#include "kernel/vfio/internal.h"

#define PASID_LAST 0xfffffu		/* 20 bits, PCIe 6.x 6.20 */

/* -- close ------------------------------------------------------------------------------------- */

static void pasid_forget(const struct vfio_file *vfile, uint32_t pasid)
{
	const struct vfio_pasid *before = NULL, *at = vfile->pasids;

	for (; at && at->pasid != pasid; at = at->next)
		before = at;
	if (!at)
		return;
	if (before) {
		struct vfio_pasid *w = image_write(before);

		w->next = at->next;
	} else {
		struct vfio_file *w = image_write(vfile);

		w->pasids = at->next;
	}
	image_free(at);
}

static int pasid_remember(const struct vfio_file *vfile, uint32_t pasid)
{
	struct vfio_pasid *new;
	struct vfio_file *w;

	for (const struct vfio_pasid *at = vfile->pasids; at; at = at->next)
		if (at->pasid == pasid)
			return 0;
	new = image_alloc(sizeof(*new), IMAGE_TYPE_BYTES);
	if (!new)
		return -ENOMEM;
	new->pasid = pasid;
	new->next = vfile->pasids;
	w = image_write(vfile);
	w->pasids = new;
	return 0;
}

/* The binding to a TVM ends before anything it stands on: the TDI is stopped, the secure mappings
 * go, then the host's own take-down can begin. */
static void tsm_unbind(const struct vfio_device *vdev)
{
	if (vdev->tsm_state == VFIO_SHARED && !pci_tsm_busy(vdev->pdev))
		return;
	pci_tsm_unbind(vdev->pdev);
	iommufd_tsm_gone(vdev->pdev);
	/* What the firmware still holds stays out of reach until a reset ends the quarantine. */
	if (!pci_tsm_busy(vdev->pdev))
		vfio_tsm_event(vdev->pdev, VFIO_TSM_UNBOUND);
}

static void dmabufs_gone(const struct vfio_device *vdev)
{
	vfio_dmabuf_hold(vdev, NULL);
	while (vdev->dmabufs) {
		const struct dmabuf *buf = vdev->dmabufs;
		struct vfio_device *w;

		vfio_dmabuf_hold(vdev, buf);
		dmabuf_revoke(buf);
		if (vdev->dmabufs == buf) {
			w = image_write(vdev);
			w->dmabufs = buf->next;
			dmabuf_exporter_gone(buf);
		}
		vfio_dmabuf_hold(vdev, NULL);
	}
}

static void device_close(const struct vfio_device *vdev)
{
	bool inside = mutant(MUTANT_UNBIND_IN_MEMORY_LOCK);
	int rc;

	if (!inside)
		tsm_unbind(vdev);
	vfio_low_power_exit(vdev);
	rc = vfio_memory_lock(vdev, KLOCK_WRITE);
	if (inside)
		tsm_unbind(vdev);
	vfio_memory_off(vdev);
	((struct vfio_device *)image_write(vdev))->mapped = 0;
	dmabufs_gone(vdev);
	vfio_device_disable(vdev);
	if (!rc)
		vfio_memory_unlock(vdev, KLOCK_WRITE);
}

static void iommufd_close(const struct vfio_file *vfile)
{
	struct vfio_file *w;

	while (vfile->pasids) {
		iommufd_device_detach(vfile->idev, vfile->pasids->pasid);
		pasid_forget(vfile, vfile->pasids->pasid);
	}
	if (iommufd_device_attached(vfile->idev))
		iommufd_device_detach(vfile->idev, TLP_NO_PASID);
	iommufd_device_unbind(vfile->idev);
	w = image_write(vfile);
	w->idev = NULL;
}

void vfio_unbind(const struct vfio_file *vfile)
{
	const struct vfio_device *vdev = vfile->vdev;
	struct vfio_device *wd;
	struct vfio_file *w;

	if (vfile->idev) {
		device_close(vdev);
		iommufd_close(vfile);
	}
	vfio_token_use(vdev, false);
	if (vdev->kvm) {
		const struct file *file = kvm_file(vdev->kvm);

		wd = image_write(vdev);
		wd->kvm = NULL;
		kvm_file_put(file);
	}
	if (vfile->iommufd) {
		const struct file *file = vfile->iommufd;

		w = image_write(vfile);
		w->iommufd = NULL;
		file_put(file);
	}
	w = image_write(vfile);
	w->bound = false;
	wd = image_write(vdev);
	wd->opener = NULL;
	if (vfile->group) {
		const struct vfio_group *group = vfile->group;

		w->group = NULL;
		vfio_group_user_put(group);
	}
	image_commit();
}

/* -- BIND -------------------------------------------------------------------------------------- */

static int bind_read(uint64_t arg, struct vfio_device_bind_iommufd *bind)
{
	const size_t least = offsetof(struct vfio_device_bind_iommufd, token_uuid_ptr);
	uint32_t argsz;
	int rc;

	if (copy_from_user(&argsz, arg, sizeof(argsz)))
		return -EFAULT;
	if (argsz < least)
		return -EINVAL;
	rc = copy_struct_from_user(bind, sizeof(*bind), arg, argsz);
	if (rc)
		return rc;
	if (bind->iommufd < 0 || bind->flags & ~(uint32_t)VFIO_DEVICE_BIND_FLAG_TOKEN)
		return -EINVAL;
	return 0;
}

static int bind_token(const struct vfio_device *vdev, const struct vfio_device_bind_iommufd *bind)
{
	uint8_t uuid[VFIO_TOKEN];

	if (!(bind->flags & VFIO_DEVICE_BIND_FLAG_TOKEN))
		return vfio_token_check(vdev, NULL);
	if (copy_from_user(uuid, bind->token_uuid_ptr, sizeof(uuid)))
		return -EFAULT;
	return vfio_token_check(vdev, uuid);
}

/* In Linux's order. */
static int bind_check(const struct vfio_file *vfile, const struct vfio_device_bind_iommufd *bind)
{
	const struct vfio_group *group = vfio_group_find(vfile->vdev->pdev->group);
	const struct file *file;
	int rc;

	if (vfile->group)
		return -EINVAL;
	if (group && group->file)
		return -EBUSY;
	if (vfile->bound)
		return -EINVAL;
	rc = bind_token(vfile->vdev, bind);
	if (rc)
		return rc;
	file = fd_file(bind->iommufd);
	if (!file || !iommufd_ctx_of_file(file))
		return fd_is_open(bind->iommufd) ? -EBADFD : -EBADF;
	return vfile->vdev->opener ? -EINVAL : 0;
}

/* /dev/iommu's, or the one that a /dev/ioasid has inside. */
static const struct iommufd_ctx *context_of(const struct file *file)
{
	const struct ioasid_ctx *ioasid = ioasid_ctx_of_file(file);

	return ioasid ? ioasid_iommufd(ioasid) : iommufd_ctx_of_file(file);
}

/* From here on what is half made is on record: a kill runs release, and that vfio_unbind(). */
static int open_run(const struct vfio_file *vfile, const struct file *iommufd)
{
	const struct vfio_device *vdev = vfile->vdev;
	struct vfio_device *wd = image_write(vdev);
	struct vfio_file *w = image_write(vfile);
	const struct iommufd_device *idev;
	uint32_t devid;
	int rc;

	/* A device whose state is not known to the host is nobody's until a reset. */
	if (pci_tsm_quarantined(vdev->pdev, NULL))
		return -EIO;
	wd->opener = vfile;
	w->iommufd = iommufd;
	file_get(iommufd);
	if (vfile->kvm) {
		kvm_file_get(kvm_file(vfile->kvm));
		wd->kvm = vfile->kvm;
	}
	rc = iommufd_device_bind(context_of(iommufd), vdev->pdev, &idev, &devid);
	if (rc)
		return rc;
	w = image_write(vfile);
	w->idev = idev;
	w->devid = devid;
	rc = vfio_device_enable(vdev);
	if (!rc)
		vfio_token_use(vdev, true);
	return rc;
}

int vfio_open_device(const struct vfio_file *vfile, const struct file *iommufd)
{
	int rc = open_run(vfile, iommufd);

	if (rc)
		vfio_unbind(vfile);
	return rc;
}

long vfio_bind(const struct vfio_file *vfile, uint64_t arg)
{
	struct vfio_device_bind_iommufd bind;
	struct vfio_file *w;
	int rc = bind_read(arg, &bind);

	if (!rc)
		rc = bind_check(vfile, &bind);
	if (!rc)
		rc = vfio_open_device(vfile, fd_file(bind.iommufd));
	if (rc)
		return rc;
	if (copy_to_user(arg + offsetof(struct vfio_device_bind_iommufd, out_devid),
			 &vfile->devid, sizeof(vfile->devid))) {
		vfio_unbind(vfile);
		return -EFAULT;
	}
	w = image_write(vfile);
	w->bound = true;
	return 0;
}

/* -- ATTACH, DETACH ---------------------------------------------------------------------------- */

long vfio_attach(const struct vfio_file *vfile, uint64_t arg)
{
	const size_t least = offsetof(struct vfio_device_attach_iommufd_pt, pasid);
	struct vfio_device_attach_iommufd_pt attach = { 0 };
	uint32_t pasid = TLP_NO_PASID;
	int rc;

	if (copy_from_user(&attach, arg, least))
		return -EFAULT;
	if (attach.argsz < least || attach.flags & ~(uint32_t)VFIO_DEVICE_ATTACH_PASID)
		return -EINVAL;
	if (attach.flags & VFIO_DEVICE_ATTACH_PASID) {
		if (attach.argsz < sizeof(attach))
			return -EINVAL;
		if (copy_from_user(&attach, arg, sizeof(attach)))
			return -EFAULT;
		if (attach.pasid > PASID_LAST)
			return -EINVAL;
		pasid = attach.pasid;
		rc = pasid_remember(vfile, pasid);
		if (rc)
			return rc;
	}
	rc = iommufd_device_attach(vfile->idev, pasid, &attach.pt_id);
	if (rc)
		return rc;
	if (!copy_to_user(arg + offsetof(struct vfio_device_attach_iommufd_pt, pt_id),
			  &attach.pt_id, sizeof(attach.pt_id)))
		return 0;
	iommufd_device_detach(vfile->idev, pasid);
	if (pasid != TLP_NO_PASID)
		pasid_forget(vfile, pasid);
	image_commit();
	return -EFAULT;
}

static bool pasid_attached(const struct vfio_file *vfile, uint32_t pasid)
{
	const struct vfio_pasid *at = vfile->pasids;

	while (at && at->pasid != pasid)
		at = at->next;
	return at;
}

long vfio_detach(const struct vfio_file *vfile, uint64_t arg)
{
	const size_t least = offsetof(struct vfio_device_detach_iommufd_pt, pasid);
	struct vfio_device_detach_iommufd_pt detach = { 0 };

	if (copy_from_user(&detach, arg, least))
		return -EFAULT;
	if (detach.argsz < least || detach.flags & ~(uint32_t)VFIO_DEVICE_DETACH_PASID)
		return -EINVAL;
	if (!(detach.flags & VFIO_DEVICE_DETACH_PASID)) {
		if (iommufd_device_attached(vfile->idev))
			iommufd_device_detach(vfile->idev, TLP_NO_PASID);
		return 0;
	}
	if (detach.argsz < sizeof(detach))
		return -EINVAL;
	if (copy_from_user(&detach, arg, sizeof(detach)))
		return -EFAULT;
	if (!pasid_attached(vfile, detach.pasid))
		return 0;
	iommufd_device_detach(vfile->idev, detach.pasid);
	pasid_forget(vfile, detach.pasid);
	return 0;
}
