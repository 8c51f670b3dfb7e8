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
	vmm_dmabuf_verbs[], vmm_tsm_verbs[], vmm_ioasid_verbs[], vmm_sev_verbs[];

bool vmm_arg(const struct vmm_call *call, const char *key, uint64_t *value);
uint64_t vmm_arg_or(const struct vmm_call *call, const char *key, uint64_t otherwise);
const char *vmm_text(const struct vmm_call *call, const char *key);
struct vmm_device *vmm_device_of(const struct vmm_call *call);	/* dev=, default 0; NULL: no such number */
struct vmm_bar *vmm_bar_of(const struct vmm_call *call);	/* bar= of dev= */

static inline long vmm_ioctl(const struct vmm_call *call, int fd, unsigned int cmd, void *arg)
{
	call->vmm->calls++;
	return call->sys->ioctl(call->sys->ctx, fd, cmd, arg);
}

/* What a VMM does for one platform's confidential VMs; a row of platforms[] (vmm.c). Results are 0
 * or -errno. */
struct kvm_run;
struct vmm_platform {
	const char *name;		/* vm-create type= */
	uint32_t vm_type, viommu_type;
	long (*create)(const struct vmm_call *call);		/* after KVM_CREATE_VM */
	long (*vcpu_create)(const struct vmm_call *call);	/* after KVM_CREATE_VCPU */
	long (*finalize)(const struct vmm_call *call);
	/* An exit of this platform's own: VMM_EXIT_GUEST when the guest asked for something and
	 * waits, with exit_op and the rest filled, VMM_EXIT_IDLE when it was answered here,
	 * VMM_EXIT_OTHER, or -errno. */
	int (*exit)(struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run);
	/* The answer to what the guest asked. */
	int (*answer)(const struct vmm_call *call, uint32_t error, const uint8_t *data,
		      uint32_t len);
	/* More of the guest's RAM into the IOAS than its memfd holds; may be NULL. */
	long (*ioas_map)(const struct vmm_call *call);
};
/* Of a file into the IOAS, each by a call of its own; empty ones are left out. */
struct vmm_piece { int fd; uint64_t start, length, iova; };
long vmm_map_pieces(const struct vmm_call *call, const struct vmm_piece *pieces, size_t n);

extern const struct vmm_platform vmm_tdx, vmm_sev, vmm_cca;
const struct vmm_platform *vmm_platform_find(const char *name);
const struct vmm_platform *vmm_platform(const struct vmm *vmm);	/* of its VM; NULL: ordinary */

/* The operations of a guest request, common to all platforms (the layout of the request's body). */
enum vmm_request {
	VMM_REQUEST_REPORT = 1,
	VMM_REQUEST_MEASUREMENTS,
	VMM_REQUEST_CERTIFICATES,
	VMM_REQUEST_START,
	VMM_REQUEST_STATE,
	VMM_REQUEST_MESSAGE,		/* to the firmware: what follows the operation */
	VMM_REQUEST_STOP,
	VMM_REQUEST_OBJECT = 16		/* what the host keeps, by the u32 that follows */
};
#define VMM_ANSWER_MAX 65520u
#define VMM_BODY_MAX 4096u
struct vmm_ask { enum vmm_request op; const uint8_t *body; uint32_t len; };
/* One guest request to the TSM (dev=), `body` behind the operation, the answer in out, VMM_ANSWER_MAX
 * bytes. Bytes of it, or -errno. */
int64_t vmm_tsm_request(const struct vmm_call *call, enum vmm_request op, const uint8_t *body,
			uint32_t len, uint8_t *out);

/* How bind and guest requests are asked for, by the proposal that is spoken: a row of uapi.c. */
struct vmm_uapi {
	const char *name;
	int64_t (*bind)(const struct vmm_call *call, const struct vmm_device *device, bool bind);
	/* The answer's length, or -errno. */
	int64_t (*request)(const struct vmm_call *call, const struct vmm_device *device,
			   const struct vmm_ask *ask, uint8_t *out, uint32_t len);
};
const struct vmm_uapi *vmm_uapi(const struct vmm *vmm);

#define VMM_SHARED_BIT (1ull << 47)	/* of a GPA */
int vmm_run_load(const struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run);
int vmm_run_store(const struct vmm *vmm, const struct vmm_sys *sys, const struct kvm_run *run);

static inline void vmm_put32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

/* Closes *fd when it is open. */
int vmm_close(const struct vmm_call *call, int *fd);
/* Finds a free slot number, -ENOSPC when all are used. */
int vmm_slot_find(const struct vmm *vmm);
/* An access of the guest to MSI-X pages, which no slot covers. */
void vmm_msix_access(struct vmm *vmm, uint64_t gpa, void *data, uint32_t len, bool write);

#endif
