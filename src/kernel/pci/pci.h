/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI core: pci_dev objects over the bus, config access, DOE requests, IDE stream set-up, sysfs
 * attributes of a device. Config space is VFIO's to write for a client; IOMMUFD never does. */
#ifndef SWTIO_KERNEL_PCI_H
#define SWTIO_KERNEL_PCI_H

#include "hardware/function.h"
#include "hardware/platform.h"
#include "kernel/kernel.h"

struct pci_saved {			/* what a reset takes and the core puts back */
	uint16_t command, devctl, devctl2, vf_ctrl, vf_count;
	uint32_t bar[6], vf_bar[6], vf_page_size;
	uint8_t cache_line, latency, irq_line;
};

enum pci_msi { PCI_MSI_OFF, PCI_MSI_MSI, PCI_MSI_MSIX };

struct pci_dev {
	uint16_t rid;
	uint16_t group;			/* IOMMU group number */
	bool is_virtfn;
	bool is_bridge;
	bool reset_blocked;		/* bound and the policy says so */
	bool doe_pending;		/* an object was sent and its answer never collected */
	uint32_t doe_serial;		/* of the object sent last */
	uint16_t pf_rid;		/* of a VF; else own */
	uint16_t root_port;
	uint16_t cap_pcie, cap_pm, cap_msi, cap_msix;	/* found by enumeration; 0: none */
	uint16_t cap_doe, cap_ide, cap_sriov;
	bool pasid_on, requests_on;	/* what a driver of an IOMMU has enabled */
	uint8_t msi;			/* enum pci_msi */
	uint16_t msi_count;		/* vectors in use */
	struct pci_saved saved;
	const void *tsm;		/* struct pci_tsm, or NULL */
	const void *vfio;		/* struct vfio_device when the driver is vfio-pci */
	char driver_override[24];	/* the only driver that may have it; "": any */
	struct klock doe_lock; /* one exchange a mailbox; taken on the function that owns it */
};

int pci_power_on(void);			/* enumerates functions into pci_devs */
int pci_rescan(void); /* adds functions that were not there before; 0 or -ENOMEM */
const struct pci_dev *pci_dev_find(uint16_t rid);
const struct pci_dev *pci_dev_next(uint16_t *rid);
int pci_parse(const char *bdf, uint16_t *rid);		/* "0000:01:00.1"; 0 or -EINVAL */
void pci_name(uint16_t rid, char out[13]);

/* A BAR as it is now; NULL: the device has none there, or is gone. */
const struct function_bar *pci_bar(const struct pci_dev *pdev, unsigned int bar);
uint16_t pci_find_cap(uint16_t rid, uint8_t id);	/* offset, 0: none */
uint16_t pci_find_ext_cap(uint16_t rid, uint16_t id);
bool pci_is_tee(const struct pci_dev *pdev);		/* TEE-IO bit of the device capabilities */
/* Config write of an administrator (setpci, sysfs): by the policy of a bound device. 0, -EBUSY,
 * -EINVAL, -ENODEV. */
int pci_config_write_user(const struct pci_dev *pdev, unsigned int offset, unsigned int size,
			  uint32_t value);
/* Is this write one that a bound device must not see? PCIe 6.x 11.2.6, the causes of ERROR. */
bool pci_config_breaks_tdi(const struct pci_dev *pdev, unsigned int offset, unsigned int size,
			   uint32_t value);

/* One DOE exchange on function 0's (or the PF's) mailbox; `from` is the lane for the trace. Waits
 * at IMAGE_WAIT_DOE. rsp whole object. Bytes of the answer, or -EIO, -EBUSY, -EINVAL, -ENXIO no
 * mailbox. */
int pci_doe(const struct pci_dev *pdev, enum lane from, const uint8_t *req, size_t len,
	    uint8_t *rsp, size_t cap);
/* The end of an exchange whose caller died in pci_doe(): `serial` is pci_doe_serial() before that
 * call. As pci_doe(); -ENODATA it was never sent; -EIO its answer is lost. */
int pci_doe_resume(const struct pci_dev *pdev, enum lane from, uint32_t serial, const uint8_t *req,
		   uint8_t *rsp, size_t cap);
uint32_t pci_doe_serial(const struct pci_dev *pdev);

/* Selective stream between the endpoint and its root port: registers only, not keys. */
int pci_ide_setup(const struct pci_dev *pdev, uint8_t stream_id); /* associations, no enable */
int pci_ide_enable(const struct pci_dev *pdev, uint8_t stream_id);	/* 0, -ENXIO not secure */
void pci_ide_disable(const struct pci_dev *pdev, uint8_t stream_id);
int pci_ide_stream_alloc(const struct pci_dev *pdev);			/* id, or -ENXIO, -EBUSY */
void pci_ide_stream_free(const struct pci_dev *pdev, uint8_t stream_id);

/* Message interrupts: vector n is a write of n to the address (the remapping is not modelled: the
 * requester's id says whose it is). 0, -EINVAL, -ENOSPC more vectors than the device has. */
static inline uint32_t pci_msi_address(void)
{
	return (uint32_t)platform_msi()->first;
}
int pci_msi_enable(const struct pci_dev *pdev, enum pci_msi mode, unsigned int count);
void pci_msi_disable(const struct pci_dev *pdev);
unsigned int pci_msi_vectors(const struct pci_dev *pdev, enum pci_msi mode);	/* what it has */
/* The pages of a BAR that hold the MSI-X table or PBA: [*first, *end) in bytes; false: none. */
bool pci_msix_pages(const struct pci_dev *pdev, unsigned int bar, uint64_t *first, uint64_t *end);

/* The bytes of the table alone; an empty range when it is in another BAR. */
void pci_msix_table(const struct pci_dev *pdev, unsigned int bar, uint64_t *first, uint64_t *end);

/* Attributes under /sys/bus/pci/, /sys/class/tsm/ and /sys/kernel/iommu_groups/: bytes of text, or
 * -ENOENT, -EACCES (write-only), -EISDIR (a directory, or a link to one). A write acts and gives 0
 * or the attribute's -errno. */
int pci_sysfs_read(const char *path, char *text, size_t len);
int pci_sysfs_write(const char *path, const char *text, size_t len);
int pci_sysfs_pwrite(const char *path, const char *data, size_t len, uint64_t offset);
/* Names in a directory, one a line; -ENOENT, -ENOTDIR, -ENOSPC. */
int pci_sysfs_list(const char *path, char *text, size_t len);
/* Where a symbolic link points, as Linux prints it; -EINVAL not a link, -ENOENT. */
int pci_sysfs_link(const char *path, char *text, size_t len);

/* Another number whenever names or links may have come or gone. */
uint64_t pci_sysfs_version(void);

/* PASIDs, and translation and page requests, of a function (a VF's are its PF's, but for
 * translation requests). They stay on over resets. 0, -ENODEV it has none. */
int pci_pasid_enable(const struct pci_dev *pdev);
int pci_page_requests_enable(const struct pci_dev *pdev);

/* The registers that a reset, or the way back from D3hot, takes. */
void pci_state_save(const struct pci_dev *pdev);
void pci_state_restore(const struct pci_dev *pdev);
/* FLR and friends, by policy of a bound device: 0, -EBUSY (blocked), -ENOTTY. */
int pci_reset_function(const struct pci_dev *pdev);
int pci_reset_bus(const struct pci_dev *pdev);
/* A binding that the policy keeps as it is. What is quarantined may be reset: its way out. */
bool pci_reset_blocked(const struct pci_dev *pdev);
/* Neither it nor what is reset with it is so kept. */
bool pci_reset_allowed(const struct pci_dev *pdev);
bool pci_can_flr(const struct pci_dev *pdev);
/* An uncorrectable error was reported: the driver is told, then the slot is reset, by policy. */
int pci_error_recover(const struct pci_dev *pdev);

#endif
