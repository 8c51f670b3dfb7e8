/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU's PASID translation: what a guest's ENQCMD has as its PASID goes to the device as the
 * host's. Only a mediated device has a PASID of the host's that differs; a physical one is not to
 * be reached this way.
 */
#include "kernel/ioasid/ioasid.h"
#include "kernel/kvm/internal.h"
#include "kernel/vfio/mdev.h"
#include "swtio/uapi/ioasid.h"

#define PASID_LAST 0xfffffu

static const struct kvm_pasid *const *link_of(const struct kvm *kvm, uint32_t guest)
{
	const struct kvm_pasid *const *link = &kvm->pasids;

	while (*link && (*link)->guest != guest)
		link = &(*link)->next;
	return link;
}

static int pasid_read(uint64_t arg, struct kvm_ioasid_pasid *pasid)
{
	if (!kernel_options()->extensions)
		return -ENOTTY;
	if (copy_from_user(pasid, arg, sizeof(*pasid)))
		return -EFAULT;
	return pasid->guest_pasid > PASID_LAST || pasid->reserved ? -EINVAL : 0;
}

long kvm_map_pasid(const struct kvm *kvm, uint64_t arg)
{
	struct kvm_ioasid_pasid pasid;
	const struct file *file;
	struct kvm_pasid *new;
	struct kvm *w;
	uint32_t host;
	int rc = pasid_read(arg, &pasid);

	if (rc)
		return rc;
	file = fd_file(pasid.ioasid_fd);
	if (!file)
		return -EBADF;
	if (!ioasid_ctx_of_file(file))
		return -EBADFD;
	host = vfio_mdev_host_pasid(ioasid_ctx_of_file(file), pasid.ioasid, pasid.guest_pasid);
	if (!host)
		return -ENOENT;
	if (*link_of(kvm, pasid.guest_pasid))
		return -EEXIST;
	new = image_alloc(sizeof(*new), IMAGE_TYPE_KVM_SLOT);
	if (!new)
		return -ENOMEM;
	new->guest = pasid.guest_pasid;
	new->host = host;
	new->next = kvm->pasids;
	w = image_write(kvm);
	w->pasids = new;
	return 0;
}

static void pasid_free(const struct kvm_pasid *const *link)
{
	const struct kvm_pasid *gone = *link;
	const struct kvm_pasid **slot = image_write(link);

	*slot = gone->next;
	image_free(gone);
}

long kvm_unmap_pasid(const struct kvm *kvm, uint64_t arg)
{
	struct kvm_ioasid_pasid pasid;
	int rc = pasid_read(arg, &pasid);
	const struct kvm_pasid *const *link;

	if (rc)
		return rc;
	link = link_of(kvm, pasid.guest_pasid);
	if (!*link)
		return -ENOENT;
	pasid_free(link);
	return 0;
}

/* The guest's instruction: without a translation it faults, and nothing is submitted. */
long kvm_enqcmd(const struct kvm *kvm, uint64_t arg)
{
	const struct kvm_pasid *pasid;
	struct kvm_enqcmd enqcmd;
	struct vfio_mdev_copy copy;

	if (!kernel_options()->extensions)
		return -ENOTTY;
	if (copy_from_user(&enqcmd, arg, sizeof(enqcmd)))
		return -EFAULT;
	pasid = *link_of(kvm, enqcmd.guest_pasid);
	if (!pasid)
		return -ENOENT;
	copy = (struct vfio_mdev_copy){ enqcmd.src, enqcmd.dst, enqcmd.len };
	return vfio_mdev_submit(fd_file(enqcmd.device_fd), pasid->host, &copy);
}

void kvm_pasids_destroy(const struct kvm *kvm)
{
	while (kvm->pasids)
		pasid_free(&kvm->pasids);
}
