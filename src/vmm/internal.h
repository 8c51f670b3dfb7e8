/* SPDX-License-Identifier: BSD-2-Clause */
/* What the VMM's files share. */
#ifndef SWTIO_VMM_INTERNAL_H
#define SWTIO_VMM_INTERNAL_H

#include <errno.h>
#include <string.h>

#include "vmm/vmm.h"

/* One verb's world: state, system calls, arguments. */
struct vmm_call {
	struct vmm *vmm;
	const struct vmm_sys *sys;
	const struct vmm_args *args;
};

struct vmm_verb { const char *name; int64_t (*run)(const struct vmm_call *call); };
extern const struct vmm_verb vmm_vm_verbs[], vmm_iommu_verbs[], vmm_device_verbs[],
	vmm_dmabuf_verbs[], vmm_tsm_verbs[];

bool vmm_arg(const struct vmm_call *call, const char *key, uint64_t *value);
uint64_t vmm_arg_or(const struct vmm_call *call, const char *key, uint64_t otherwise);
const char *vmm_text(const struct vmm_call *call, const char *key);
struct vmm_device *vmm_device_of(const struct vmm_call *call);	/* dev=, default 0; NULL: no such number */
struct vmm_bar *vmm_bar_of(const struct vmm_call *call);	/* bar= of dev= */

static inline long vmm_ioctl(const struct vmm_call *call, int fd, unsigned int cmd, void *arg)
{
	return call->sys->ioctl(call->sys->ctx, fd, cmd, arg);
}

/* Closes *fd when it is open. */
int vmm_close(const struct vmm_call *call, int *fd);
/* Finds a free slot number, -ENOSPC when all are used. */
int vmm_slot_find(const struct vmm *vmm);
/* An access of the guest to MSI-X pages, which no slot covers. */
void vmm_msix_access(struct vmm *vmm, uint64_t gpa, void *data, uint32_t len, bool write);

#endif
