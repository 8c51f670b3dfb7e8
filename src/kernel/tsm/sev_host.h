/* SPDX-License-Identifier: BSD-2-Clause */
/* How the host calls the PSP: shared by the TSM driver and KVM's SNP part. */
#ifndef SWTIO_KERNEL_TSM_SEV_HOST_H
#define SWTIO_KERNEL_TSM_SEV_HOST_H

#include "firmware/sev/operands.h"
#include "firmware/sev/sev.h"

/* SNP with TIO, and TIO itself, switched on once. 0 or -errno, *status: the PSP's word. */
int sev_host_init(enum lane from, enum sev_status *status);
/* One command, its buffer made anew each time: the same fields are the same bytes. Commits. */
enum sev_status sev_host_command(enum lane from, enum sev_command_id id,
				 const struct sev_command *args);
int sev_host_errno(enum sev_status status);		/* 0 for success */

/* A page the PSP may keep things in: RMPUPDATE to the firmware state. 0: no memory. */
uint64_t sev_firmware_page(enum lane from);
/* Back to the host. A context's page the PSP has let go of; any other is reclaimed. One that the PSP
 * keeps is lost. */
void sev_firmware_page_free(enum lane from, uint64_t hpa);
/* A page of the host's own, for what the PSP answers: zeroed; valid until the next command. */
uint64_t sev_host_page(void);

#endif
