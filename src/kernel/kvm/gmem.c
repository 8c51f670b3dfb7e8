/* SPDX-License-Identifier: BSD-2-Clause */
/* guest_memfd: memory of a VM that has no host mapping. One physically contiguous piece, sparse
 * until touched. */
#include <fcntl.h>
#include <string.h>

#include "kernel/kvm/internal.h"

const struct gmem *gmem_of_file(const struct file *file)
{
	return file && file->type == FILE_GUEST_MEMFD ? file->priv : NULL;
}

uint64_t gmem_page(const struct kvm_slot *slot, uint64_t gpa)
{
	return slot->gmem ? phys_of(slot->gmem->memory + slot->offset + (gpa - slot->gpa)) : 0;
}

uint64_t kvm_gmem_page(const struct file *file, uint64_t offset, uint64_t len, uint64_t *run)
{
	const struct gmem *gmem = gmem_of_file(file);
	uint64_t left;

	if (!gmem || offset >= gmem->size)
		return 0;
	left = gmem->size - offset;
	*run = len < left ? len : left;
	return phys_of(gmem->memory + offset);
}

long kvm_create_guest_memfd(const struct kvm *kvm, uint64_t arg)
{
	uint64_t valid = GUEST_MEMFD_FLAG_MMAP;
	struct kvm_create_guest_memfd create;
	const struct file *file;
	struct gmem *gmem;

	if (!kvm_is_confidential(kvm))
		valid |= GUEST_MEMFD_FLAG_INIT_SHARED;
	if (copy_from_user(&create, arg, sizeof(create)))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(create.reserved) / sizeof(create.reserved[0]); i++)
		if (create.reserved[i])
			return -EINVAL;
	if (create.flags & ~valid || !create.size || create.size >> 63 ||
	    create.size & (KVM_PAGE - 1))
		return -EINVAL;
	gmem = image_alloc(sizeof(*gmem), IMAGE_TYPE_GUEST_MEMFD);
	if (!gmem)
		return -ENOMEM;
	file = file_create(FILE_GUEST_MEMFD, gmem, "anon_inode:[kvm-gmem]");
	if (!file)
		return -ENOMEM;
	gmem->kvm = kvm;
	gmem->file = file;
	gmem->size = create.size;
	gmem->flags = create.flags;
	gmem->memory = image_bulk_alloc(create.size, IMAGE_TYPE_GUEST_MEMFD);
	if (!gmem->memory)
		return -ENOMEM;
	file_get(kvm->file);
	return fd_install(file, O_CLOEXEC);
}

static int guest_memfd_mmap(const struct file *file, struct mmap_request *request)
{
	const struct gmem *gmem = file->priv;

	if (!(gmem->flags & GUEST_MEMFD_FLAG_MMAP))
		return -ENODEV;
	/* Without INIT_SHARED every page is private: Linux maps it and delivers SIGBUS at a
	 * touch. */
	if (!(gmem->flags & GUEST_MEMFD_FLAG_INIT_SHARED))
		return -ENXIO;
	if (request->offset > gmem->size || request->len > gmem->size - request->offset)
		return -EINVAL;
	request->memory = gmem->memory + request->offset;
	return 0;
}

static void guest_memfd_release(const struct file *file)
{
	const struct gmem *gmem = file->priv;
	const struct kvm *kvm;
	struct file *f;

	if (!gmem)
		return;			/* a second run, after a kill in the VM's own release */
	kvm = gmem->kvm;
	for (const struct kvm_slot *slot = kvm->slots; slot; slot = slot->next) {
		struct kvm_slot *w;

		if (slot->gmem != gmem)
			continue;
		kvm_zap(kvm, slot->gpa, slot->size);
		w = image_write(slot);
		w->gmem = NULL;
	}
	image_bulk_free(gmem->memory);
	image_free(gmem);
	f = image_write(file);
	f->priv = NULL;
	file_put(kvm->file);
}

const struct file_ops guest_memfd_file_ops = {
	.name = "guest_memfd",
	.mmap = guest_memfd_mmap,
	.release = guest_memfd_release,
};
