/* SPDX-License-Identifier: BSD-2-Clause */
/* A TD, as its VMM makes and answers it: KVM_TDX_*, and TDG.VP.VMCALL<TDCM>. */
#include "swtio/uapi/ghci.h"
#include "swtio/uapi/kvm.h"
#include "swtio/uapi/tsm.h"
#include "vmm/internal.h"

static long td_op(const struct vmm_call *call, int fd, uint32_t id, void *data)
{
	struct kvm_tdx_cmd cmd = { .id = id, .data = (uint64_t)(uintptr_t)data };

	return vmm_ioctl(call, fd, KVM_MEMORY_ENCRYPT_OP, &cmd);
}

static long td_create(const struct vmm_call *call)
{
	struct { struct kvm_tdx_init_vm init; struct kvm_cpuid_entry2 entry[1]; } params = { 0 };

	return td_op(call, call->vmm->vm, KVM_TDX_INIT_VM, &params);
}

static long td_vcpu_create(const struct vmm_call *call)
{
	return td_op(call, call->vmm->vcpu, KVM_TDX_INIT_VCPU, NULL);
}

static long td_finalize(const struct vmm_call *call)
{
	return td_op(call, call->vmm->vm, KVM_TDX_FINALIZE_VM, NULL);
}

static int td_exit(struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run)
{
	uint8_t word[4];

	if (run->exit_reason != KVM_EXIT_TDX || run->tdx.nr != GHCI_VMCALL_TDCM)
		return VMM_EXIT_OTHER;
	vmm->exit_device = run->tdx.unknown.data[0];
	vmm->exit_gpa = run->tdx.unknown.data[1] & ~VMM_SHARED_BIT;
	vmm->exit_size = run->tdx.unknown.data[2];
	run->tdx.unknown.ret = KVM_TDX_RET_INVALID;
	if (vmm->exit_size >= TDCM_HEADER && vmm->exit_size <= TDCM_BUFFER_MAX &&
	    vmm->exit_gpa < vmm->ram_size && vmm->exit_size <= vmm->ram_size - vmm->exit_gpa &&
	    !sys->load(sys->ctx, vmm->ram_address + vmm->exit_gpa, word, sizeof(word)))
		run->tdx.unknown.ret = KVM_TDX_RET_SUCCESS;
	if (vmm_run_store(vmm, sys, run) || run->tdx.unknown.ret)
		return VMM_EXIT_IDLE;
	vmm->exit_op = word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 |
		       (uint32_t)word[3] << 24;
	vmm->exit_reason = VMM_EXIT_GUEST;
	return VMM_EXIT_GUEST;
}

/* Answers the guest: error, length, data, and only then the status the guest polls. */
static int td_answer(const struct vmm_call *call, uint32_t error, const uint8_t *data, uint32_t len)
{
	const struct vmm_sys *sys = call->sys;
	struct vmm *vmm = call->vmm;
	uint64_t at = vmm->ram_address + vmm->exit_gpa;
	uint8_t head[8], status[4];
	int rc;

	if (len > vmm->exit_size - TDCM_HEADER) {
		len = 0;
		error = ENOSPC;
	}
	vmm_put32(head, error);
	vmm_put32(head + 4, len);
	vmm_put32(status, TDCM_COMPLETED);
	rc = len ? sys->store(sys->ctx, at + TDCM_HEADER, data, len) : 0;
	if (!rc)
		rc = sys->store(sys->ctx, at + 8, head, sizeof(head));
	if (!rc)
		rc = sys->store(sys->ctx, at + 4, status, sizeof(status));
	return rc;
}

const struct vmm_platform vmm_tdx = {
	.name = "tdx",
	.vm_type = KVM_X86_TDX_VM,
	.viommu_type = IOMMU_VIOMMU_TYPE_TDX,
	.create = td_create,
	.vcpu_create = td_vcpu_create,
	.finalize = td_finalize,
	.exit = td_exit,
	.answer = td_answer,
};
