/* SPDX-License-Identifier: BSD-2-Clause */
/* IOMMUFD: what VFIO, the TSM core and KVM may ask of it. It never touches PCI config space. */
#ifndef SWTIO_KERNEL_IOMMUFD_H
#define SWTIO_KERNEL_IOMMUFD_H

#include "kernel/kernel.h"

struct iommufd_ctx;
struct iommufd_device;
struct pci_dev;
struct kvm;

const struct iommufd_ctx *iommufd_ctx_of_file(const struct file *file);	/* NULL: not /dev/iommu */

/* VFIO binds a device: takes DMA ownership (all of the device's DMA blocked until attach) and a
 * reference on the context's file. 0, -EBUSY, -EPERM, -ENOMEM. */
int iommufd_device_bind(const struct iommufd_ctx *ctx, const struct pci_dev *pdev,
			const struct iommufd_device **idev, uint32_t *id);
/* Its vDEVICE goes first and leaves a tombstone. Cannot fail; what was cut short is finished. */
void iommufd_device_unbind(const struct iommufd_device *idev);
/* Or replace, with nothing in between. pasid TLP_NO_PASID is the requests without one. *pt_id: an
 * HWPT or an IOAS; out: the HWPT. -ENOENT, -EINVAL, -EADDRINUSE, -ENODEV, -ENOMEM. */
int iommufd_device_attach(const struct iommufd_device *idev, uint32_t pasid, uint32_t *pt_id);
void iommufd_device_detach(const struct iommufd_device *idev, uint32_t pasid);
bool iommufd_device_attached(const struct iommufd_device *idev);
const struct iommufd_ctx *iommufd_device_ctx(const struct iommufd_device *idev);
uint32_t iommufd_device_id(const struct iommufd_device *idev);

/* The IOAS that the type 1 calls work on: made when there is none (0, -ENOMEM); its id (-ENODEV). */
int iommufd_compat_create(const struct iommufd_ctx *ctx);
void iommufd_compat_destroy(const struct iommufd_ctx *ctx);	/* unless it is in use */
int iommufd_compat_id(const struct iommufd_ctx *ctx, uint32_t *id);
/* The calls of a container of the type 1 driver on that IOAS; v2 is the type's variant. */
long iommufd_type1_ioctl(const struct iommufd_ctx *ctx, bool v2, unsigned int cmd, uint64_t arg);

/* Hardware refused a request of the device: what of it the guest that translates must hear. */
struct iommufd_dma_fault { uint64_t address; uint32_t pasid; unsigned int reason; bool write; };
void iommufd_dma_refused(const struct pci_dev *pdev, const struct iommufd_dma_fault *fault);

/* Inspection: has this device a vdevice in some context? */
bool iommufd_vdevice_exists(const struct pci_dev *pdev);

/* Bind or unbind of the device's vDEVICE, asked of VFIO: as IOMMU_VDEVICE_TSM_OP; -ENODEV: it has
 * none. */
int iommufd_device_tsm(const struct iommufd_device *idev, bool bind);

/* TSM driver's word during unbind: take down trusted DMA (callback of chart step 43). */
int iommufd_trusted_dma_disable(const struct pci_dev *pdev);
/* The device left its bound state by itself (surprise removal, PF reset): forget the bind. */
void iommufd_tsm_gone(const struct pci_dev *pdev);

/* Has anybody a page of [hpa, +len) pinned? */
bool iommufd_pinned(uint64_t hpa, uint64_t len);

#endif
