/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mediated device: its parent driver has the first function, and lends its engine out job by
 * job. The client sees the engine's registers for a copy in region 0; where the engine's own say
 * "PASID", the parent writes the host's. While it is bound, the function cannot be.
 */
#include <linux/pci_regs.h>

#include "hardware/tlp.h"
#include "kernel/ioasid/ioasid.h"
#include "kernel/vfio/internal.h"
#include "kernel/vfio/mdev.h"
#include "swtio/uapi/ioasid.h"

#define ATTACHMENTS 8u
#define HOST_PASID_FIRST 0x8000u	/* the host's own part of the function's PASIDs */
#define PASID_LAST 0xfffffu

/* Registers of the engine that the client may use, 32 bits each half. */
enum { STATUS = 0x04, CONTROL = 0x08, OP = 0x0c, SRC = 0x10, DST = 0x18, LEN = 0x20, PASID = 0x38 };
#define REGISTERS 0x40u
#define OP_COPY 1u
#define STATUS_ERROR 2u

struct vfio_mdev {
	const struct pci_dev *parent;
	const struct file *ioasid;		/* NULL: not bound */
	const struct iommufd_device *idev;
	uint32_t label;
	struct { bool used; uint32_t user, ioasid; } attached[ATTACHMENTS];
	uint32_t reg[REGISTERS / 4];
};

static uint32_t host_of(unsigned int slot)
{
	return HOST_PASID_FIRST + slot;
}

/* The slot of a client's PASID; ATTACHMENTS: none. */
static unsigned int slot_of(const struct vfio_mdev *mdev, uint32_t user)
{
	unsigned int slot = 0;

	while (slot < ATTACHMENTS &&
	       !(mdev->attached[slot].used && mdev->attached[slot].user == user))
		slot++;
	return slot;
}

int vfio_mdev_open(const char *path, int flags, const struct file **file)
{
	const struct vfio_root *root = vfio_root();
	struct vfio_mdev *mdev;

	(void)flags;
	if (!kernel_options()->extensions || !root || !root->count)
		return -ENOENT;
	mdev = image_alloc(sizeof(*mdev), IMAGE_TYPE_VFIO_MDEV);
	if (!mdev)
		return -ENOMEM;
	mdev->parent = root->device[0]->pdev;
	*file = file_create(FILE_VFIO_MDEV, mdev, path);
	return *file ? 0 : -ENOMEM;
}

/* -- bind, attach, detach ---------------------------------------------------------------------- */

static long mdev_bind(const struct vfio_mdev *mdev, uint64_t arg)
{
	const struct file *file = arg <= INT32_MAX ? fd_file((int)arg) : NULL;
	const struct iommufd_device *idev;
	struct vfio_mdev *w;
	uint32_t label;
	int rc;

	if (mdev->ioasid)
		return -EINVAL;
	if (!file)
		return -EBADF;
	if (!ioasid_ctx_of_file(file))
		return -EBADFD;
	rc = iommufd_device_bind(ioasid_iommufd(ioasid_ctx_of_file(file)), mdev->parent, &idev,
				 &label);
	if (rc)
		return rc;
	config_write(mdev->parent->rid, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	w = image_write(mdev);
	w->ioasid = file;
	w->idev = idev;
	w->label = label;
	return (long)label;
}

static int attach_read(const struct vfio_mdev *mdev, uint64_t arg,
		       struct vfio_ioasid_attach *attach, uint32_t *user)
{
	if (!mdev->ioasid)
		return -EINVAL;
	if (copy_from_user(attach, arg, sizeof(*attach)))
		return -EFAULT;
	*user = attach->flag & IOASID_ATTACH_USER_PASID ? attach->user_pasid : TLP_NO_PASID;
	if (attach->flag & ~(uint32_t)IOASID_ATTACH_USER_PASID || attach->reserved ||
	    (*user == TLP_NO_PASID ? attach->user_pasid : *user > PASID_LAST))
		return -EINVAL;
	return 0;
}

static long mdev_attach(const struct vfio_mdev *mdev, uint64_t arg)
{
	struct vfio_ioasid_attach attach;
	struct vfio_mdev *w;
	unsigned int slot;
	uint32_t user;
	int rc = attach_read(mdev, arg, &attach, &user);

	if (rc)
		return rc;
	slot = slot_of(mdev, user);
	for (unsigned int i = 0; slot == ATTACHMENTS && i < ATTACHMENTS; i++)
		if (!mdev->attached[i].used)
			slot = i;
	if (slot == ATTACHMENTS)
		return -ENOSPC;
	rc = ioasid_device_attach(ioasid_ctx_of_file(mdev->ioasid), mdev->idev, host_of(slot),
				  attach.ioasid);
	if (rc)
		return rc;
	w = image_write(mdev);
	w->attached[slot].used = true;
	w->attached[slot].user = user;
	w->attached[slot].ioasid = attach.ioasid;
	return 0;
}

static long mdev_detach(const struct vfio_mdev *mdev, uint64_t arg)
{
	struct vfio_ioasid_attach attach;
	struct vfio_mdev *w;
	unsigned int slot;
	uint32_t user;
	int rc = attach_read(mdev, arg, &attach, &user);

	if (rc)
		return rc;
	slot = slot_of(mdev, user);
	if (slot == ATTACHMENTS)
		return -ENOENT;
	rc = ioasid_device_detach(ioasid_ctx_of_file(mdev->ioasid), mdev->idev, host_of(slot),
				  attach.ioasid);
	if (rc)
		return rc;
	w = image_write(mdev);
	w->attached[slot].used = false;
	return 0;
}

static long mdev_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	static const struct {
		unsigned int cmd;
		const char *name;
		long (*run)(const struct vfio_mdev *mdev, uint64_t arg);
	} calls[] = { { VFIO_BIND_IOASID_FD, "VFIO_BIND_IOASID_FD", mdev_bind },
		      { VFIO_ATTACH_IOASID, "VFIO_ATTACH_IOASID", mdev_attach },
		      { VFIO_DETACH_IOASID, "VFIO_DETACH_IOASID", mdev_detach } };
	struct trace_call call;
	long rc;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].cmd != cmd)
			continue;
		call = TRACE_CALL0((enum lane)current_task()->lane, LANE_VFIO, calls[i].name);
		rc = calls[i].run(file->priv, arg);
		trace_return(&call, rc, NULL);
		return rc;
	}
	return -ENOTTY;
}

/* -- PASIDs, from either side ------------------------------------------------------------------ */

struct pasid_search {
	const struct ioasid_ctx *ctx;
	const struct pci_dev *parent;
	uint32_t ioasid, user, host;
	bool found;
};

static int by_user(const void *object, void *arg)
{
	const struct vfio_mdev *mdev = object;
	struct pasid_search *search = arg;
	unsigned int slot = slot_of(mdev, search->user);

	if (!mdev->ioasid || ioasid_ctx_of_file(mdev->ioasid) != search->ctx ||
	    slot == ATTACHMENTS || mdev->attached[slot].ioasid != search->ioasid)
		return 0;
	search->host = host_of(slot);
	return 1;
}

uint32_t vfio_mdev_host_pasid(const struct ioasid_ctx *ctx, uint32_t ioasid, uint32_t user)
{
	struct pasid_search search = { .ctx = ctx, .ioasid = ioasid, .user = user };

	image_each(IMAGE_TYPE_VFIO_MDEV, by_user, &search);
	return search.host;
}

static int by_host(const void *object, void *arg)
{
	const struct vfio_mdev *mdev = object;
	struct pasid_search *search = arg;
	uint32_t slot = search->host - HOST_PASID_FIRST;

	if (!mdev->ioasid || mdev->parent != search->parent || slot >= ATTACHMENTS ||
	    !mdev->attached[slot].used)
		return 0;
	search->user = mdev->attached[slot].user;
	search->found = true;
	return 1;
}

bool vfio_mdev_user_pasid(const struct pci_dev *parent, uint32_t host, uint32_t *user)
{
	struct pasid_search search = { .parent = parent, .host = host };

	image_each(IMAGE_TYPE_VFIO_MDEV, by_host, &search);
	if (search.found)
		*user = search.user;
	return search.found;
}

/* -- the parent driver ------------------------------------------------------------------------- */

static bool parent_register(const struct vfio_mdev *mdev, bool write, unsigned int at, void *data,
			    size_t len)
{
	const struct function_bar *bar = pci_bar(mdev->parent, 0);
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ, .pasid = TLP_NO_PASID,
			   .len = len, .data = data };

	if (!bar)
		return false;
	tlp.address = bar->hpa + at;
	return tlp_mmio(&tlp) == TLP_SC;
}

static uint32_t job_run(const struct vfio_mdev *mdev, uint32_t host,
			const struct vfio_mdev_copy *copy)
{
	uint32_t op = OP_COPY, start = 1, len = copy->len, status = STATUS_ERROR;
	uint64_t src = copy->src, dst = copy->dst;

	if (parent_register(mdev, true, OP, &op, 4) && parent_register(mdev, true, SRC, &src, 8) &&
	    parent_register(mdev, true, DST, &dst, 8) &&
	    parent_register(mdev, true, LEN, &len, 4) &&
	    parent_register(mdev, true, PASID, &host, 4) &&
	    parent_register(mdev, true, CONTROL, &start, 4))
		parent_register(mdev, false, STATUS, &status, 4);
	return status;
}

long vfio_mdev_submit(const struct file *file, uint32_t host, const struct vfio_mdev_copy *copy)
{
	const struct vfio_mdev *mdev = file && file->type == FILE_VFIO_MDEV ? file->priv : NULL;

	return mdev && mdev->ioasid ? (long)job_run(mdev, host, copy) : -EINVAL;
}

static uint64_t reg64(const struct vfio_mdev *mdev, unsigned int at)
{
	return mdev->reg[at / 4] | (uint64_t)mdev->reg[at / 4 + 1] << 32;
}

static void doorbell(const struct vfio_mdev *mdev)
{
	const struct vfio_mdev_copy copy = { reg64(mdev, SRC), reg64(mdev, DST),
					     mdev->reg[LEN / 4] };
	unsigned int slot = slot_of(mdev, mdev->reg[PASID / 4]);
	uint32_t status = STATUS_ERROR, *w;

	if (mdev->ioasid && mdev->reg[OP / 4] == OP_COPY && slot < ATTACHMENTS)
		status = job_run(mdev, host_of(slot), &copy);
	w = image_write(&mdev->reg[STATUS / 4]);
	*w = status;
}

static ssize_t mdev_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	const struct vfio_mdev *mdev = file->priv;

	if (position >= REGISTERS || len > REGISTERS - position || (position | len) % 4)
		return -EINVAL;
	if (copy_from_user(image_log((const uint8_t *)mdev->reg + position, len), from, len))
		return -EFAULT;
	if (position <= CONTROL && position + len > CONTROL && mdev->reg[CONTROL / 4] & 1)
		doorbell(mdev);
	return (ssize_t)len;
}

static ssize_t mdev_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	const struct vfio_mdev *mdev = file->priv;

	if (position >= REGISTERS || len > REGISTERS - position || (position | len) % 4)
		return -EINVAL;
	return copy_to_user(to, (const uint8_t *)mdev->reg + position, len) ? -EFAULT
									   : (ssize_t)len;
}

static void mdev_release(const struct file *file)
{
	const struct vfio_mdev *mdev = file->priv;

	if (mdev->idev)
		iommufd_device_unbind(mdev->idev);
	image_free(mdev);
}

const struct file_ops vfio_mdev_file_ops = {
	.name = "vfio-mdev",
	.ioctl = mdev_ioctl,
	.read = mdev_read,
	.write = mdev_write,
	.release = mdev_release,
};
