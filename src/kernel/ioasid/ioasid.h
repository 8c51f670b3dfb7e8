/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/ioasid: what VFIO, KVM and IOMMUFD may ask of it. The calls are uapi/ioasid.h's. */
#ifndef SWTIO_KERNEL_IOASID_H
#define SWTIO_KERNEL_IOASID_H

#include "kernel/kernel.h"

struct ioasid_ctx;
struct iommufd_ctx;
struct iommufd_device;

const struct ioasid_ctx *ioasid_ctx_of_file(const struct file *file);	/* NULL: not /dev/ioasid */
/* Its IOMMUFD context, which devices are bound to. */
const struct iommufd_ctx *ioasid_iommufd(const struct ioasid_ctx *ctx);

/* As the VFIO calls say; pasid TLP_NO_PASID is the requests without one. */
int ioasid_device_attach(const struct ioasid_ctx *ctx, const struct iommufd_device *idev,
			 uint32_t pasid, uint32_t ioasid);
int ioasid_device_detach(const struct ioasid_ctx *ctx, const struct iommufd_device *idev,
			 uint32_t pasid, uint32_t ioasid);

/* A page request is in the queue of the context's IOMMUFD objects. */
void ioasid_fault_queued(const struct ioasid_ctx *ctx);

#endif
