/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the TSM core and a platform driver.
 *
 * A call into firmware or a device commits, and the process may die at any wait. Therefore a driver
 * works in numbered steps: before each the core writes the step's number into `link_phase` or
 * `tdi_phase` and commits. The number says what *may* be done; each step's undoing holds also when
 * it never happened. Zero says that nothing is.
 */
#ifndef SWTIO_KERNEL_TSM_INTERNAL_H
#define SWTIO_KERNEL_TSM_INTERNAL_H

#include "image/bytes.h"
#include "image/image.h"
#include "kernel/tsm/tsm.h"

#define TSM_RANGES 32u
#define TSM_CAUSE 80u

enum tsm_link { TSM_LINK_NONE, TSM_LINK_CONNECTING, TSM_LINK_CONNECTED, TSM_LINK_DISCONNECTING };
/* KEPT: unbound, and what the first steps made is left for the next bind. */
enum tsm_tdi { TSM_TDI_NONE, TSM_TDI_BINDING, TSM_TDI_BOUND, TSM_TDI_UNBINDING, TSM_TDI_KEPT };

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
	/* An unbind has left something, or was about to: above the step of tdi_phase there may be
	 * more to undo. */
	bool kept;
	uint16_t link_phase, tdi_phase;
	/* of the DSM's function only, while it has a link */
	uint8_t stream;			/* IDE stream id on the wire */
	bool stream_taken;
	bool session_lost;		/* the SPDM session died: only a new connect helps */
	bool was_reset;			/* ... by a reset, which also unlocked every TDI */
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
const void *tsm_platform(void);		/* the driver's object of the machine, or NULL */
void tsm_platform_set(const void *platform);

/* -- steps.c ---------------------------------------------------------------------------------- */

/* make: 0 or -errno. unmake: holds also when make did not happen, or happened half way; refused
 * while something stands on it. NULL: nothing to do. */
struct tsm_step {
	int (*make)(const struct pci_dev *pdev);
	int (*unmake)(const struct pci_dev *pdev);
	/* of a TDI: the cause, when the undoing is refused; NULL: that has quarantined it */
	const char *stuck;
	/* in place of unmake, in an unbind that leaves the steps before it; NULL: unmake */
	int (*rest)(const struct pci_dev *pdev);
};
/* kept: how many steps such an unbind leaves; 0: there is none. */
struct tsm_steps { const struct tsm_step *step; unsigned int count, kept; };
#define TSM_STEPS(table) { table, sizeof(table) / sizeof((table)[0]), 0 }

/* Down the driver's table from the top, and up from wherever that came to: 0 when all is undone. */
int tsm_link_make(const struct pci_dev *pdev);
int tsm_link_unmake(const struct pci_dev *pdev);
int tsm_tdi_make(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
int tsm_tdi_unmake(const struct pci_dev *pdev);
/* Up the table to where the next bind goes on: 0, or not, and then everything is to be undone. */
int tsm_tdi_rest(const struct pci_dev *pdev);
/* Steps of a link that are the same on every platform. */
int tsm_ide_make(const struct pci_dev *pdev);
int tsm_ide_unmake(const struct pci_dev *pdev);
int tsm_ide_enable(const struct pci_dev *pdev);
/* VFIO lets its private dma-bufs go, so that KVM unmaps them; pages that firmware kept at the
 * revoke are asked for once more, here where it can be said. 0, or -errno and quarantined. */
int tsm_mmio_let_go(const struct pci_dev *pdev, const struct tsm_tee *tee, const char *stuck);
/* The guest's mappings of it stay, as they were before it accepted them. 0 or -errno. */
int tsm_mmio_renew(const struct pci_dev *pdev, const struct tsm_tee *tee);
/* Nothing can be said to the device any more. What state the TDI is in only a reset settles: the
 * function is quarantined, unless one was the reason. */
void tsm_session_lost(const struct pci_dev *pdev);

/* -- exchange.c ------------------------------------------------------------------------------- */

#define TSM_BUSY_TRIES 64u		/* before BUSY is taken for an answer */
#define TSM_RELAY_ROUNDS 4096u		/* of one operation: broken firmware or devices must end */
/* What comes next in an operation between firmware and DSM. */
enum relay_state { RELAY_IDLE, RELAY_CALL, RELAY_EXCHANGE };
/* A message to the DSM; in the image, so that one whose sender died is not sent twice. */
struct tsm_exchange {
	bool sent;			/* ... as the mailbox's object after `serial` */
	uint32_t serial;
};
/* Sends the request, or goes on waiting for the answer to the one sent; again while the device is
 * busy. Bytes of the answer or -errno; either way the exchange is over. */
int tsm_exchange(const struct pci_tsm *tsm, const struct tsm_exchange *exchange,
		 const uint8_t *request, size_t len, uint8_t *answer, size_t max);
/* A wait between two tries; false when *tries is used up. */
bool tsm_wait(enum image_wait point, unsigned int *tries);

/* -- request.c -------------------------------------------------------------------------------- */

struct tsm_request_call {
	const struct pci_dev *pdev;
	struct reader in;		/* behind the operation */
	struct writer out;
	uint64_t status;		/* the firmware's */
};
struct tsm_request_row {
	enum tsm_request operation;
	enum tsm_scope scope;		/* asked for at least */
	int (*handle)(struct tsm_request_call *call);	/* 0 or -errno */
};
struct tsm_requests { const struct tsm_request_row *row; unsigned int count; };
#define TSM_REQUESTS(table) { table, sizeof(table) / sizeof((table)[0]) }
int tsm_answer(struct tsm_request_call *call, const void *bytes, size_t len);	/* 0, -EMSGSIZE */
int tsm_answer_state(struct tsm_request_call *call, uint64_t tdisp, uint64_t more);
ssize_t tsm_request(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
		    size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code);

/* -- a driver --------------------------------------------------------------------------------- */

struct pci_tsm_ops {
	const char *name;		/* "tdx" */
	const struct tsm_steps *link, *tdi;
	const struct tsm_requests *requests;
	/* Hang the driver's objects at link_driver and tdi_driver, however far they come: 0 or -errno.
	 * Free them with all they own, once every step is undone. */
	int (*link_alloc)(const struct pci_dev *pdev);
	void (*link_free)(const struct pci_dev *pdev);
	int (*tdi_alloc)(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
	void (*tdi_free)(const struct pci_dev *pdev);
	/* What was in flight when a caller died: before an unbind it is taken to its end, and how it
	 * ended the TDI's state will tell; before a disconnect it is given up. */
	void (*finish)(const struct pci_dev *pdev);
	void (*abandon)(const struct pci_dev *pdev);
};
extern const struct pci_tsm_ops tdx_tsm_ops, sev_tsm_ops, cca_tsm_ops;
const struct pci_tsm_ops *tsm_ops(void);

#endif
