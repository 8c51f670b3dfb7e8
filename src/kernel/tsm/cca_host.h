/* SPDX-License-Identifier: BSD-2-Clause */
/* How the host calls the RMM: shared by the TSM driver and KVM's Realm part. */
#ifndef SWTIO_KERNEL_TSM_CCA_HOST_H
#define SWTIO_KERNEL_TSM_CCA_HOST_H

#include "firmware/cca/cca.h"
#include "firmware/cca/operands.h"
#include "kernel/kernel.h"

/* One RMI command, again while it is BUSY (IMAGE_WAIT_BUSY). Commits. */
uint64_t cca_host_call(enum lane from, enum rmi_command command, struct smc_args *args);
int cca_host_errno(uint64_t result);	/* 0 for success */

/* The host's memory to the RMM and back. 0 or -errno; what is not delegated is given back already. */
int cca_delegate(enum lane from, uint64_t hpa, uint64_t len);
int cca_undelegate(enum lane from, uint64_t hpa, uint64_t len);
/* A delegated granule of the host's own making, unless there is one, and its end. *granule is part of
 * an object, and written before the RMM is asked: a process that dies there leaves no page that nobody
 * knows of. 0, -ENOMEM, or -errno. Freeing one that the RMM still uses loses it. */
int cca_granule_make(enum lane from, const uint64_t *granule);
void cca_granule_free(enum lane from, uint64_t hpa, uint64_t len);

/* cca_tdi.c: the VDEV that has registered a page of device memory; 0: none. */
uint64_t cca_vdev_of(uint64_t hpa, uint64_t *pdev);

#endif
