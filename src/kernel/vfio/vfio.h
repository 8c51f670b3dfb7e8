/* SPDX-License-Identifier: BSD-2-Clause */
/* VFIO for PCI: what the other rooms may ask of it. */
#ifndef SWTIO_KERNEL_VFIO_H
#define SWTIO_KERNEL_VFIO_H

#include "kernel/dmabuf/dmabuf.h"
#include "kernel/pci/pci.h"

struct vfio_device;
struct kvm;

#define VFIO_MAJOR 511u			/* of the device nodes; the minor is the N of vfioN */

int vfio_power_on(void); /* binds vfio-pci to every endpoint function: /dev/vfio/devices/vfioN */
/* VFs were enabled while vfio-pci has their PF: its token is asked for from now on. */
void vfio_sriov_enabled(const struct pci_dev *pdev);
int vfio_probe(const struct pci_dev *pdev);	/* one more endpoint (hot plug): 0 or -ENOMEM */
/* Lets go of a device: 0, or -EBUSY when a client has it open, which is asked to close it. */
int vfio_remove(const struct pci_dev *pdev);
const struct vfio_device *vfio_device_of(const struct pci_dev *pdev);
/* NULL: not a VFIO device file. */
const struct vfio_device *vfio_device_of_file(const struct file *file);
const struct pci_dev *vfio_device_pdev(const struct vfio_device *vdev);
uint32_t vfio_device_number(const struct vfio_device *vdev);

/* KVM's word: this device belongs to this VM (KVM_DEV_VFIO_FILE_ADD / DEL; NULL on DEL). The device
 * holds the VM's file from BIND_IOMMUFD, or from here when it is bound already, to its close. */
int vfio_device_set_kvm(const struct file *file, const struct kvm *kvm);
/* NULL: none. vdev may be NULL. */
const struct kvm *vfio_device_kvm(const struct vfio_device *vdev);

/* IOMMUFD's word around a TSM bind and unbind (R3.6). */
enum vfio_tsm_event {
	VFIO_TSM_BINDING, /* about to lock: host access to TEE pages must be gone: 0 or -EBUSY */
	VFIO_TSM_BOUND, /* locked: layout is known (pci_tsm_layout) */
	VFIO_TSM_UNBIND, /* the TDI is stopped: revoke private dma-bufs (waits for importers) */
	VFIO_TSM_UNBOUND, /* all is shared again: restore. Also ends a bind that failed */
	VFIO_TSM_KEPT /* in place of the last two: shared again, private dma-bufs stay */
};
int vfio_tsm_event(const struct pci_dev *pdev, enum vfio_tsm_event event);

/* The PCI core's and the dma-buf core's word. */
void vfio_device_interrupt(const struct vfio_device *vdev, uint32_t vector);
void vfio_device_error(const struct vfio_device *vdev);		/* signals the ERR eventfd */
/* Please let go: signals the REQ eventfd. */
void vfio_device_request(const struct vfio_device *vdev);
void vfio_dmabuf_forget(const struct dmabuf *buf);		/* its file is released */

#endif
