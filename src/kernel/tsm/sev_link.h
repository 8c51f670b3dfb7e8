/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of the SEV-TIO driver, and the relay between PSP and DSM. */
#ifndef SWTIO_KERNEL_TSM_SEV_LINK_H
#define SWTIO_KERNEL_TSM_SEV_LINK_H

#include "kernel/kernel.h"
#include "kernel/tsm/internal.h"
#include "kernel/tsm/sev_host.h"
#include "spdm/pcisig.h"

#define SEV_MESSAGE_SIZE 8192u		/* a DOE object */
#define SEV_BLOB_MAX 65536u

enum sev_buffer_id { SEV_REQUEST, SEV_RESPONSE, SEV_SCRATCH, SEV_OUTPUT, SEV_BUFFERS };

struct sev_buffer {
	uint32_t count;			/* of pages */
	uint64_t page[SEV_SLA_PAGES];
};

/* One command between PSP and DSM. It is all in the image, so that when the process dies with a
 * message in flight, the next one takes the command to its end before it decides anything. */
struct sev_relay {
	uint8_t state;			/* enum relay_state: what comes next */
	uint16_t id;			/* enum sev_command_id */
	uint16_t status;		/* IDLE: how it ended */
	struct tsm_exchange exchange;
	struct sev_command args;
};

struct sev_link {			/* one a DSM */
	uint64_t dev_ctx;
	bool stuck;			/* the PSP waits for an answer that will never come: FORCE */
	const uint8_t *lists;		/* a page of scatter addresses for each buffer */
	const uint8_t *message;		/* the guest's message, and the answer: a page each */
	struct sev_buffer buffer[SEV_BUFFERS];
	struct sev_relay relay;
};

struct sev_tdi_binding {		/* one a bound function */
	uint64_t tdi_ctx;
	uint64_t gctx;
	uint16_t asid, guest_rid;
	uint32_t report_len;
	const uint8_t *report;		/* SEV_BLOB_MAX */
};

/* of the function's DSM; NULL: none */
const struct sev_link *sev_link_of(const struct pci_tsm *tsm);

/* -- sev_relay.c -- */
/* At least so many bytes of buffer; 0 or -ENOMEM. */
int sev_buffer_grow(const struct sev_link *link, enum sev_buffer_id id, uint32_t bytes);
struct sev_spdm_ctrl sev_link_buffers(const struct sev_link *link);	/* as commands name them */
void sev_buffers_free(const struct sev_link *link);
/* Runs a command that may talk to the device. */
enum sev_status sev_relay_run(const struct pci_tsm *tsm, enum sev_command_id id,
			      const struct sev_command *args);
/* What a dead caller left in flight is taken to its end. */
void sev_relay_finish(const struct pci_tsm *tsm);
/* ... or given up: the next command must be one with FORCE. */
void sev_relay_abandon(const struct pci_tsm *tsm);
/* The data object the last command left in the output buffer; bytes, or -EPROTO, -EMSGSIZE. */
ssize_t sev_output_read(const struct sev_link *link, uint8_t *out, size_t cap);

/* -- sev_tdi.c, sev_request.c: what the driver is made of -- */
extern const struct tsm_steps sev_tdi_steps;
extern const struct tsm_requests sev_requests;
int sev_tdi_alloc(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
void sev_tdi_free(const struct pci_dev *pdev);
void sev_tdi_finish(const struct pci_dev *pdev);
/* Contexts of a bound function's commands. */
struct sev_command sev_tdi_args(const struct pci_dev *pdev);

#endif
