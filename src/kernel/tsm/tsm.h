/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TSM core (host TSM lane): one interface, a platform driver behind it. Locks: tsm_rwsem, then
 * the DSM's lock, held across firmware and DOE waits as Linux holds them.
 */
#ifndef SWTIO_KERNEL_TSM_H
#define SWTIO_KERNEL_TSM_H

#include "kernel/pci/pci.h"

struct kvm;
struct pci_tsm;				/* per function, tsm.c */

enum tsm_scope {
	TSM_SCOPE_INFO,
	TSM_SCOPE_STATE_CHANGE,
	TSM_SCOPE_DEBUG_READ,
	TSM_SCOPE_DEBUG_WRITE
};

/* Guest requests: one generic RPC. The first u32 of `in` is the operation; these are ours, common
 * to all platforms; scope INFO for the reading ones. */
enum tsm_request { TSM_REQUEST_REPORT = 1, TSM_REQUEST_MEASUREMENTS, TSM_REQUEST_CERTIFICATES,
	TSM_REQUEST_START, TSM_REQUEST_STATE,
	TSM_REQUEST_MESSAGE,		/* sealed, to the firmware: what follows the operation */
	TSM_REQUEST_STOP,
	TSM_REQUEST_OBJECT = 16 };	/* u32 object: what the host keeps for the guest to compare */

int tsm_power_on(void);			/* registers tsm0 with the platform's driver */
int pci_tsm_connect(const struct pci_dev *pdev, const char *tsm_name);
int pci_tsm_disconnect(const struct pci_dev *pdev, const char *tsm_name);
/* LOCKED and reported, or nothing changed. 0 (also when bound to this VM already), -EINVAL no VM
 * or not connected, -EBUSY bound to another VM, -EIO quarantined, or the driver's error. Holds a
 * reference on the VM's file while bound. Tells VFIO VFIO_TSM_UNBIND and _UNBOUND when it fails
 * half way; _BINDING before and _BOUND after it are the caller's to tell. */
int pci_tsm_bind(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
/* Idempotent; cannot fail. Also takes down what a bind left whose caller died: call it whatever
 * the bind came to. Tells VFIO VFIO_TSM_UNBIND once the TDI is stopped and VFIO_TSM_UNBOUND at
 * the end; no lock after KLOCK_DSM may be held. A quarantined function stays with VFIO as it was
 * at UNBIND, until pci_tsm_reset_done(). Commits, as all of these. */
void pci_tsm_unbind(const struct pci_dev *pdev);
/* An unbind of which the vDEVICE stays. Where private MMIO is always mapped it stops the TDI and takes
 * trusted DMA away, tells VFIO VFIO_TSM_KEPT alone, and answers true: ownership, the TDI and its
 * mappings wait for the next bind of this VM, or for pci_tsm_unbind(). Else it is that, and false. */
bool pci_tsm_rest(const struct pci_dev *pdev);
/* The residue: bytes of out not used, or of in when there is no out; or -EINVAL scope or
 * request, -ENXIO not bound, -EPERM START asks for STATE_CHANGE, -EMSGSIZE out too small, or the
 * firmware's error. *tsm_code, the firmware's status, is always written. */
ssize_t pci_tsm_guest_req(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
			  size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code);
bool pci_tsm_bound(const struct pci_dev *pdev);
bool pci_tsm_kept(const struct pci_dev *pdev);	/* unbound, and what it stood on is there */
/* bound, or on the way there or back, or kept, or stuck */
bool pci_tsm_busy(const struct pci_dev *pdev);
const struct pci_dev *pci_tsm_dsm_dev(const struct pci_dev *pdev);	/* NULL: no context */
bool pci_tsm_connected(const struct pci_dev *pdev);
const struct kvm *pci_tsm_kvm(const struct pci_dev *pdev);
void pci_tsm_destroy(const struct pci_dev *pdev);	/* device removal */

/* The PCI core's word, for each function, after a reset that brought the device back to
 * CONFIG_UNLOCKED (hot reset, power): a link is broken from then on, and what a quarantine left
 * undone is undone, and the quarantine ends. Takes the locks of unbind when there is one. */
void pci_tsm_reset_done(const struct pci_dev *pdev);

/* The layout the TDISP report gave at bind, for VFIO's shared and private dma-bufs (R2.3). */
/* Every memory BAR whole, ascending, in pages: TEE memory, or what stays shared. */
struct tsm_range { uint8_t bar; bool tee; uint64_t offset, len; };
/* count or -errno */
int pci_tsm_layout(const struct pci_dev *pdev, struct tsm_range *ranges, unsigned int max);

/* Quarantine: not assignable until a reset; the cause is kept. */
bool pci_tsm_quarantined(const struct pci_dev *pdev, const char **cause);

#endif
