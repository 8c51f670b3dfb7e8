/* SPDX-License-Identifier: BSD-2-Clause */
/* How the host calls the TDX module: shared by the TSM driver and KVM's TDX part. */
#ifndef SWTIO_KERNEL_TSM_TDX_HOST_H
#define SWTIO_KERNEL_TSM_TDX_HOST_H

#include "firmware/tdx/operands.h"
#include "firmware/tdx/tdx.h"

/* One SEAMCALL, again while it is BUSY (IMAGE_WAIT_BUSY) or wants to go on (IMAGE_WAIT_RESUMABLE).
 * Commits. Not for the leaves that talk to a device. */
uint64_t tdx_host_call(enum lane from, enum tdx_leaf leaf, struct tdx_args *args);
/* A wait between two tries; false when *tries is used up. */
bool tdx_host_wait(uint64_t status, unsigned int *tries);
int tdx_host_errno(uint64_t status);	/* 0 for success */

uint64_t tdx_page_alloc(void);		/* HPA of a zeroed page, 0: no memory */
/* one the module has given back; one it still owns is lost */
void tdx_page_free(uint64_t hpa);

/* The trusted IOMMU: set up once a link exists. Its id, or -ENODEV. */
int tdx_host_iommu(void);
/* A request to the trusted IOMMU's queue, and its completion. A TDX status. */
uint64_t tdx_host_invalidate(enum lane from, enum tdx_inv what, uint64_t operand);

#endif
