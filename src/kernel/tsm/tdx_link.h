/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of the TDX driver, and the relay between module and DSM. */
#ifndef SWTIO_KERNEL_TSM_TDX_LINK_H
#define SWTIO_KERNEL_TSM_TDX_LINK_H

#include "kernel/kernel.h"
#include "kernel/tsm/internal.h"
#include "kernel/tsm/tdx_host.h"
#include "spdm/pcisig.h"

#define TDX_BLOB_PAGES 16u		/* device information or a report, 64 KiB */
#define TDX_BLOB_SIZE (TDX_BLOB_PAGES * PHYS_PAGE)
#define TDX_DMAR_RID_PASID 0u		/* requests without PASID */

/* One operation between module and DSM. It is all in the image, so that when the process dies
 * with a message in flight, the next one takes the operation to its end before it decides
 * anything. */
struct tdx_relay {
	uint8_t state;			/* enum relay_state: what comes next */
	uint32_t leaf;			/* enum tdx_leaf */
	uint32_t request_len;		/* RELAY_EXCHANGE: bytes for the device */
	struct tsm_exchange exchange;
	uint64_t response_len;		/* RELAY_CALL: bytes for the module, or TDX_MESSAGE_LOST */
	struct tdx_args args;
	uint64_t status;		/* RELAY_IDLE: how it ended */
};

struct tdx_link {			/* one a DSM */
	uint64_t spdm_id, stream_handle;
	bool stream_blocked;
	uint64_t spdm_pages[TDX_SPDM_PAGES], ide_pages[TDX_IDE_PAGES];
	const uint8_t *messages;	/* request and response, TDX_MESSAGE_SIZE each */
	const uint8_t *list;		/* a page for LIST operands */
	const uint8_t *blob;		/* TDX_BLOB_SIZE, for what the module hands out */
	const uint8_t *device_info;	/* TDX_BLOB_SIZE */
	uint32_t device_info_len;
	struct tdx_relay relay;
};

struct tdx_tdi {			/* one a bound function */
	uint64_t tdr;
	uint64_t pages[TDX_TDI_PAGES];
	uint64_t metadata_page;
	uint64_t loose_page;		/* given to a shared table, and not yet seen to be taken */
	uint64_t session;		/* of the bind */
	struct tsm_tee tee;		/* what may become TEE memory */
	const uint8_t *report;		/* TDX_BLOB_SIZE */
	uint32_t report_len;
};

/* of the function's DSM; NULL: none */
const struct tdx_link *tdx_link_of(const struct pci_tsm *tsm);
uint32_t tdx_func_id(const struct pci_dev *pdev);

/* -- tdx_relay.c -- */
/* Runs a leaf that talks to the device; a TDX status, results in *args. */
uint64_t tdx_relay_run(const struct pci_tsm *tsm, enum tdx_leaf leaf, struct tdx_args *args);
/* What a dead caller left in flight is taken to its end; the leaf's status, or TDX_SUCCESS. */
uint64_t tdx_relay_finish(const struct pci_tsm *tsm);
/* ... or given up, with the SPDM session. */
void tdx_relay_abandon(const struct pci_tsm *tsm);

/* Fills the link's LIST page; the operand. */
uint64_t tdx_list_of(const struct tdx_link *link, const uint64_t *hpas, unsigned int count);
uint64_t tdx_list_of_blob(const struct tdx_link *link, const uint8_t *blob);
/* All of them or none; 0 or -ENOMEM. */
int tdx_pages_alloc(const uint64_t *pages, unsigned int count);
void tdx_pages_free(const uint64_t *pages, unsigned int count);

/* -- tdx_tdi.c, tdx_request.c: what the driver is made of -- */
extern const struct tsm_steps tdx_tdi_steps;
extern const struct tsm_requests tdx_requests;
int tdx_tdi_alloc(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
void tdx_tdi_free(const struct pci_dev *pdev);
void tdx_tdi_finish(const struct pci_dev *pdev);

#endif
