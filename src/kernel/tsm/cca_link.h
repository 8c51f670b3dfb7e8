/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of the CCA driver: PDEVs and their stream, VDEVs, and who carries messages for them. */
#ifndef SWTIO_KERNEL_TSM_CCA_LINK_H
#define SWTIO_KERNEL_TSM_CCA_LINK_H

#include "hardware/phys.h"
#include "kernel/kernel.h"
#include "kernel/tsm/cca_host.h"
#include "kernel/tsm/internal.h"
#include "spdm/pcisig.h"

#define CCA_OBJECT_SIZE (64u << 10)

/* What the host keeps of a device for the Realm, which compares it with the RMM's digest. */
struct cca_object { const uint8_t *bytes; uint32_t len; };

enum worker_state {
	WORKER_IDLE,
	WORKER_CALL,			/* the RMM is next */
	WORKER_EXCHANGE,		/* the device is */
	WORKER_STREAM,			/* the stream's other end is */
	WORKER_FAILED			/* the RMM has ended the operation */
};

/* Who talks for one PDEV or VDEV. It is all in the image, so that when the process dies with a message
 * in flight, the next one takes the operation to its end before it decides anything. */
struct cca_worker {
	uint8_t state;			/* enum worker_state */
	bool is_vdev;
	struct tsm_exchange exchange;
	uint64_t rd, pdev, vdev;	/* granules */
	uint64_t status;		/* enum of COMM_STATUS: what the RMM is told */
	uint32_t request_len, response_len;
	const uint8_t *page;		/* COMMUNICATE's */
	const uint8_t *buffers;		/* request and response, COMM_BUFFER each */
};

enum { CCA_RP, CCA_EP, CCA_ENDS };

struct cca_link {			/* one a DSM */
	uint64_t pdev[CCA_ENDS];	/* granules: root port, endpoint */
	uint64_t stream;		/* the RMM's handle, 0: none */
	struct cca_worker worker[CCA_ENDS];
	struct cca_object object[OBJECTS];	/* certificate and VCA */
	const uint8_t *params;		/* a page for parameters */
};

struct cca_tdi {			/* one a bound function */
	uint64_t rd, vdev;		/* granules */
	uint64_t vdev_id;
	struct tsm_tee tee;		/* what may become TEE memory */
	struct cca_worker worker;
	struct cca_object object[OBJECTS];	/* measurements and report */
};

const struct cca_link *cca_link_of(const struct pci_tsm *tsm);	/* of its DSM; NULL: none */
const struct cca_tdi *cca_tdi_of(const struct pci_dev *pdev);

/* -- cca_relay.c -- */
int cca_worker_make(const struct cca_worker *worker);		/* its pages; 0 or -ENOMEM */
void cca_worker_free(const struct cca_worker *worker);
int cca_object_make(const struct cca_object *object);
/* Carries an operation to its end: 0, or -EIO when the RMM ended it. */
int cca_worker_run(const struct pci_tsm *tsm, const struct cca_worker *worker);
/* Both ends of a stream, in turns, each until the other one is next. */
int cca_workers_run(const struct pci_tsm *tsm);
/* What a dead caller left in flight is taken to its end, or given up. */
void cca_workers_finish(const struct pci_tsm *tsm, const struct cca_worker *worker);
void cca_workers_abandon(const struct pci_tsm *tsm, const struct cca_worker *worker);
/* A parameter page, zeroed; put at its offsets, then named by its address. */
uint8_t *cca_params(const struct cca_link *link);
void cca_param(uint8_t *page, unsigned int offset, uint64_t value);

/* -- cca.c -- */
/* One operation of the stream: the command, both ends, COMPLETE. 0 or -errno. */
int cca_stream_op(const struct pci_tsm *tsm, enum rmi_command command);

/* -- cca_tdi.c, cca_request.c: what the driver is made of -- */
extern const struct tsm_steps cca_tdi_steps;
extern const struct tsm_requests cca_requests;
int cca_tdi_alloc(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id);
void cca_tdi_free(const struct pci_dev *pdev);
void cca_tdi_finish(const struct pci_dev *pdev);
/* A command of the function's VDEV and its conversation; 0 or -errno. */
int cca_tdi_op(const struct pci_dev *pdev, enum rmi_command command, uint64_t *status);

#endif
