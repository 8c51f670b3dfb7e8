/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mediated device: a share of a function's DMA engine, told apart by PASIDs that the host chose.
 * What the client calls a PASID, or no PASID at all, is one of the host's on the wire.
 */
#ifndef SWTIO_KERNEL_VFIO_MDEV_H
#define SWTIO_KERNEL_VFIO_MDEV_H

#include "kernel/kernel.h"

struct ioasid_ctx;
struct pci_dev;

#define VFIO_MDEV_PATH "/dev/vfio/devices/mdev0"
int vfio_mdev_open(const char *path, int flags, const struct file **file);

/* The host's PASID for a guest's, of a mediated device attached with it to the space: > 0, or 0. */
uint32_t vfio_mdev_host_pasid(const struct ioasid_ctx *ctx, uint32_t ioasid, uint32_t user);
/* What the client calls a PASID of the host's on this function: TLP_NO_PASID for no PASID at all,
 * and false, *user untouched, when it is nobody's: the function is no parent. */
bool vfio_mdev_user_pasid(const struct pci_dev *parent, uint32_t host, uint32_t *user);
/* A copy put to the device's portal with a PASID of the host's, as ENQCMD does. The engine's
 * status, -EINVAL not a mediated device or not bound. */
struct vfio_mdev_copy { uint64_t src, dst; uint32_t len; };
long vfio_mdev_submit(const struct file *file, uint32_t host, const struct vfio_mdev_copy *copy);

#endif
