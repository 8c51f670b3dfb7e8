/* SPDX-License-Identifier: BSD-2-Clause */
/* The VFIO device of a VM: how user space tells which VFIO files belong to it. */
#include <fcntl.h>
#include <string.h>

#include "kernel/kvm/internal.h"
#include "kernel/vfio/vfio.h"

long kvm_create_device(const struct kvm *kvm, uint64_t arg)
{
	struct kvm_create_device create;
	const struct file *file;
	struct kvm_device *device;
	struct kvm *w;
	int fd;

	if (copy_from_user(&create, arg, sizeof(create)))
		return -EFAULT;
	if (create.type != KVM_DEV_TYPE_VFIO)
		return -ENODEV;
	if (create.flags & KVM_CREATE_DEVICE_TEST)
		return 0;
	if (kvm->device)
		return -EBUSY;
	device = image_alloc(sizeof(*device), IMAGE_TYPE_KVM_DEVICE);
	if (!device)
		return -ENOMEM;
	file = file_create(FILE_KVM_DEVICE, device, "anon_inode:kvm-vfio");
	if (!file)
		return -ENOMEM;
	device->kvm = kvm;
	device->file = file;
	w = image_write(kvm);
	w->device = device;
	file_get(kvm->file);
	fd = fd_install(file, O_CLOEXEC);
	if (fd < 0)
		return fd;
	create.fd = (uint32_t)fd;
	return copy_to_user(arg, &create, sizeof(create)) ? -EFAULT : 0;
}

static int file_add(const struct kvm_device *device, const struct file *file)
{
	struct kvm_vfio_file *entry;
	struct kvm_device *w;

	if (!vfio_device_of_file(file))
		return -EINVAL;
	for (const struct kvm_vfio_file *at = device->files; at; at = at->next)
		if (at->file == file)
			return -EEXIST;
	entry = image_alloc(sizeof(*entry), IMAGE_TYPE_KVM_DEVICE);
	if (!entry)
		return -ENOMEM;
	entry->file = file;
	entry->next = device->files;
	w = image_write(device);
	w->files = entry;
	file_get(file);
	return vfio_device_set_kvm(file, device->kvm);
}

/* The file's release may commit: it is let go of last. */
static void entry_drop(const struct kvm_vfio_file *const *at)
{
	const struct kvm_vfio_file *entry = *at;
	const struct file *file = entry->file;
	const struct kvm_vfio_file **w = image_write(at);

	*w = entry->next;
	image_free(entry);
	vfio_device_set_kvm(file, NULL);
	file_put(file);
}

static int file_del(const struct kvm_device *device, const struct file *file)
{
	for (const struct kvm_vfio_file *const *at = &device->files; *at; at = &(*at)->next) {
		if ((*at)->file != file)
			continue;
		entry_drop(at);
		return 0;
	}
	return -ENOENT;
}

static bool has_attr(const struct kvm_device_attr *attr)
{
	return attr->group == KVM_DEV_VFIO_FILE &&
		(attr->attr == KVM_DEV_VFIO_FILE_ADD || attr->attr == KVM_DEV_VFIO_FILE_DEL);
}

static long kvm_device_ioctl_run(const struct file *file, unsigned int cmd, uint64_t arg)
{
	const struct kvm_device *device = file->priv;
	struct kvm_device_attr attr;
	const struct file *target;
	int32_t fd;

	if (cmd != KVM_SET_DEVICE_ATTR && cmd != KVM_HAS_DEVICE_ATTR)
		return -ENOTTY;
	if (copy_from_user(&attr, arg, sizeof(attr)))
		return -EFAULT;
	if (!has_attr(&attr))
		return -ENXIO;
	if (cmd == KVM_HAS_DEVICE_ATTR)
		return 0;
	if (copy_from_user(&fd, attr.addr, sizeof(fd)))
		return -EFAULT;
	target = fd_file(fd);
	if (!target)
		return -EBADF;
	return attr.attr == KVM_DEV_VFIO_FILE_ADD ? file_add(device, target) :
						    file_del(device, target);
}

static void kvm_device_release(const struct file *file)
{
	const struct kvm_device *device = file->priv;
	const struct kvm *kvm;
	struct file *f;
	struct kvm *w;

	if (!device)
		return;			/* a second run, after a kill in the VM's own release */
	kvm = device->kvm;
	while (device->files)
		entry_drop(&device->files);
	w = image_write(kvm);
	w->device = NULL;
	image_free(device);
	f = image_write(file);
	f->priv = NULL;
	file_put(kvm->file);
}

static long kvm_device_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	return kvm_ioctl_traced(kvm_device_ioctl_run, file, cmd, arg);
}

const struct file_ops kvm_device_file_ops = {
	.name = "kvm-vfio",
	.ioctl = kvm_device_ioctl,
	.release = kvm_device_release,
};
