/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transaction layer packets and their routing: root complex -> root port -> function, and upstream
 * through the IOMMU. PCIe 6.x 2.2 (TLPs), 6.33 (IDE), 11.2 (TDISP rules for T).
 */
#ifndef SWTIO_HARDWARE_TLP_H
#define SWTIO_HARDWARE_TLP_H

#include "image/image.h"

enum tlp_type { TLP_MEM_READ, TLP_MEM_WRITE, TLP_MSI, TLP_CFG_READ, TLP_CFG_WRITE };

/* Completion status; a posted write has one too, for the trace (posted writes are just dropped). */
enum tlp_status {
	TLP_SC,			/* successful completion */
	TLP_UR,			/* unsupported request */
	TLP_CA,			/* completer abort */
	TLP_BLOCKED,		/* the IOMMU refused it */
	TLP_INSECURE		/* dropped by IDE: stream not secure or wrong keys */
};
const char *tlp_status_name(enum tlp_status status);

#define TLP_NO_STREAM 0xffffu
#define TLP_NO_PASID 0xffffffffu

struct tlp {
	enum tlp_type type;
	uint16_t rid;		/* requester (upstream) or 0 (downstream) */
	bool t;			/* the T bit */
	uint16_t stream;	/* IDE stream id it travels on, or TLP_NO_STREAM */
	uint32_t pasid;
	uint64_t address;	/* HPA downstream; I/O virtual or guest-physical upstream */
	uint64_t len;
	union {
		void *data;		/* read: filled */
		const void *from;	/* write: source (data does as well) */
	};
};

/* Downstream: a CPU (or peer) access to MMIO at an HPA. The root port puts the TLP on its selective
 * stream when the address association matches. T=1 only from a TEE's private mapping. */
enum tlp_status tlp_mmio(struct tlp *tlp);

/* Upstream: a function's memory request. Through IDE, then the IOMMU (T=0: ordinary tables, T=1:
 * trusted tables), then memory or, for peer-to-peer, another function. */
enum tlp_status tlp_dma(struct tlp *tlp);

/* The longest run at tlp->address that translates contiguously, for bulk copies: *run bytes at *ram
 * (NULL for MMIO). Same checks as tlp_dma. `*run` is at most tlp->len. */
enum tlp_status tlp_dma_map(const struct tlp *tlp, uint64_t *run, const void **ram, uint64_t *hpa);

/* A translation request (PCIe 6.x 10.2): may the function make this request now? What it is told is
 * not kept: the function has no translation cache, and asks again. A refusal is no fault. *run: as
 * tlp_dma_map(), or of the first page that is refused. */
bool tlp_translates(const struct tlp *tlp, uint64_t *run);

/* Bulk DMA between a function's memory and its I/O addresses in one go; *done counts bytes moved
 * before a refusal, and a refused read leaves ones in the rest. `data` is any writable memory of
 * the process; in the image it is the caller who makes it so. */
enum tlp_status tlp_dma_copy(const struct tlp *tlp, uint64_t *done);

/*
 * A posted write of at most a page, as slow as writes are: when this returns it has passed the IOMMU
 * and is on its way, and tlp->data is the caller's again. It arrives before the function's next
 * write and before what completes a read of the function (PCIe 6.x 2.4.1); and no invalidation by
 * the IOMMU is done before it has arrived. *done: bytes that were sent. Writes to registers are not
 * slow.
 */
enum tlp_status tlp_dma_post(const struct tlp *tlp, uint64_t *done);
void tlp_arrive(uint16_t rid);		/* what this function has sent */
void tlp_drain(void);			/* what all have */

#endif
