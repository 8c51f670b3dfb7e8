/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI core: pci_dev objects over the bus, config access, DOE requests, IDE stream set-up, sysfs
 * attributes of a device. Config space is VFIO's to write for a client; IOMMUFD never comes here. */
#ifndef SWTIO_KERNEL_PCI_H
#define SWTIO_KERNEL_PCI_H

#include "hardware/function.h"
#include "kernel/kernel.h"

struct pci_dev {
	uint16_t rid;
	uint16_t group;			/* IOMMU group number */
	bool is_virtfn;
	bool reset_blocked;		/* bound and the policy says so */
	const void *tsm;		/* struct pci_tsm, or NULL */
	const void *vfio;		/* struct vfio_device when the driver is vfio-pci */
	struct klock doe_lock;
};

int pci_power_on(void);			/* enumerates functions into pci_devs */
const struct pci_dev *pci_dev_find(uint16_t rid);
const struct pci_dev *pci_dev_next(uint16_t *rid);
int pci_parse(const char *bdf, uint16_t *rid);		/* "0000:01:00.1"; 0 or -EINVAL */
void pci_name(uint16_t rid, char out[13]);

/* One DOE exchange on function 0's (or the PF's) mailbox; `from` is the lane for the trace. Waits at
 * IMAGE_WAIT_DOE. rsp whole object. Bytes of the answer, or -EIO, -EBUSY, -EINVAL, -ENXIO no mailbox. */
int pci_doe(const struct pci_dev *pdev, enum lane from, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap);

/* Selective stream between the endpoint and its root port: registers only, not keys. */
int pci_ide_setup(const struct pci_dev *pdev, uint8_t stream_id);	/* associations, no enable */
int pci_ide_enable(const struct pci_dev *pdev, uint8_t stream_id);	/* 0, -ENXIO not secure */
void pci_ide_disable(const struct pci_dev *pdev, uint8_t stream_id);
int pci_ide_stream_alloc(const struct pci_dev *pdev);			/* id, or -ENXIO, -EBUSY */
void pci_ide_stream_free(const struct pci_dev *pdev, uint8_t stream_id);

/* Attributes under /sys/bus/pci/devices/BDF/ and /sys/class/tsm/: bytes of text, or -ENOENT, -EACCES
 * (write-only); a write acts and gives 0 or the attribute's -errno. */
int pci_sysfs_read(const char *path, char *text, size_t len);
int pci_sysfs_write(const char *path, const char *text, size_t len);

/* FLR and friends, by policy of a bound device: 0, -EBUSY (blocked), -ENOTTY. */
int pci_reset_function(const struct pci_dev *pdev);
int pci_reset_bus(const struct pci_dev *pdev);

#endif
