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

enum tsm_scope { TSM_SCOPE_INFO, TSM_SCOPE_STATE_CHANGE, TSM_SCOPE_DEBUG_READ, TSM_SCOPE_DEBUG_WRITE };

/* Guest requests: one generic RPC. The first u32 of `in` is the operation; these are ours, common
 * to all platforms; scope INFO for the reading ones. */
enum tsm_request { TSM_REQUEST_REPORT = 1, TSM_REQUEST_MEASUREMENTS, TSM_REQUEST_CERTIFICATES,
	TSM_REQUEST_START, TSM_REQUEST_STATE };

struct pci_tsm_ops {			/* a platform driver: static table in its own file */
	const char *name;		/* "tdx" */
	int (*probe)(const struct pci_dev *pdev);
	void (*remove)(const struct pci_dev *pdev);
	int (*connect)(const struct pci_dev *pdev);
	void (*disconnect)(const struct pci_dev *pdev);
	int (*bind)(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
	void (*unbind)(const struct pci_dev *pdev);
	ssize_t (*guest_req)(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in, size_t in_len,
			     uint8_t *out, size_t out_len, uint64_t *tsm_code);
};
extern const struct pci_tsm_ops tdx_tsm_ops;

int tsm_power_on(void);			/* registers tsm0 with the platform's driver */
int pci_tsm_connect(const struct pci_dev *pdev, const char *tsm_name);
int pci_tsm_disconnect(const struct pci_dev *pdev, const char *tsm_name);
int pci_tsm_bind(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
void pci_tsm_unbind(const struct pci_dev *pdev);
ssize_t pci_tsm_guest_req(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in, size_t in_len,
			  uint8_t *out, size_t out_len, uint64_t *tsm_code);
bool pci_tsm_bound(const struct pci_dev *pdev);
bool pci_tsm_connected(const struct pci_dev *pdev);
const struct kvm *pci_tsm_kvm(const struct pci_dev *pdev);
void pci_tsm_destroy(const struct pci_dev *pdev);	/* device removal */

/* The layout the TDISP report gave at bind, for VFIO's shared and private dma-bufs (R2.3). */
struct tsm_range { uint8_t bar; bool tee; uint64_t offset, len; };
int pci_tsm_layout(const struct pci_dev *pdev, struct tsm_range *ranges, unsigned int max);	/* count or -errno */

/* Quarantine: not assignable until a reset; the cause is kept. */
bool pci_tsm_quarantined(const struct pci_dev *pdev, const char **cause);

#endif
