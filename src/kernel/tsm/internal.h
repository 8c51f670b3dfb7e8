/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the TSM core and a platform driver.
 *
 * A call into firmware or a device commits, and the process may die at any wait. Therefore a driver
 * works in numbered steps: before each it writes the step's number into `link_phase` or
 * `tdi_phase`, which the firmware's gate commits. The number says what *may* be done; each step's
 * undoing holds also when it never happened. Zero says that nothing is.
 */
#ifndef SWTIO_KERNEL_TSM_INTERNAL_H
#define SWTIO_KERNEL_TSM_INTERNAL_H

#include "kernel/tsm/tsm.h"

#define TSM_RANGES 32u
#define TSM_CAUSE 80u

enum tsm_link { TSM_LINK_NONE, TSM_LINK_CONNECTING, TSM_LINK_CONNECTED, TSM_LINK_DISCONNECTING };
enum tsm_tdi { TSM_TDI_NONE, TSM_TDI_BINDING, TSM_TDI_BOUND, TSM_TDI_UNBINDING };

/* One a function; written under tsm_rwsem or the DSM's lock. */
struct pci_tsm {
	const struct pci_dev *pdev;
	/* function 0, whose mailbox is the DSM's; itself for that one */
	const struct pci_dev *dsm;
	struct klock lock;		/* the DSM's: one operation at a time */
	uint8_t link;			/* enum tsm_link; of the DSM's function only */
	uint8_t tdi;			/* enum tsm_tdi */
	/* an unbind that could not wait for the lock: its holder does it */
	bool unbind_wanted;
	/* quarantined: VFIO was not told that all is shared again */
	bool vfio_waits;
	uint16_t link_phase, tdi_phase;
	const struct kvm *kvm;		/* a reference on its file while tdi is not NONE */
	uint32_t tdi_id;
	uint32_t range_count;
	struct tsm_range ranges[TSM_RANGES];
	char cause[TSM_CAUSE];		/* quarantined: why; "" otherwise */
	const void *link_driver;	/* the driver's objects */
	const void *tdi_driver;
};

const struct pci_tsm *pci_tsm_of(const struct pci_dev *pdev);		/* NULL: none */
const struct pci_tsm *pci_tsm_dsm(const struct pci_tsm *tsm);		/* of its DSM's function */
void pci_tsm_quarantine(const struct pci_dev *pdev, const char *cause);	/* keeps the first cause */
/* report.c: checks the TDISP report and turns it into the context's layout; 0 or -EPROTO. */
int tsm_report_layout(const struct pci_dev *pdev, const uint8_t *report, size_t len);
/* tee.c: the pages of the function's memory BARs that are neither MSI-X table nor PBA; 0 or -errno */
#define TSM_TEE_SPANS 16u
struct tsm_span { uint64_t hpa, len; };
struct tsm_tee { uint32_t count; struct tsm_span span[TSM_TEE_SPANS]; };
int tsm_tee_spans(const struct pci_dev *pdev, struct tsm_tee *tee);
const struct pci_tsm_ops *tsm_ops(void);
const void *tsm_platform(void);		/* the driver's object of the machine, or NULL */
void tsm_platform_set(const void *platform);

#endif
