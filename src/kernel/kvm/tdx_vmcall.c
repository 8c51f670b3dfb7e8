/* SPDX-License-Identifier: BSD-2-Clause */
/* TDG.VP.VMCALL: what a TD's guest asks of the host, and what the client answers. */
#include <string.h>

#include "kernel/kvm/tdx.h"
#include "swtio/uapi/ghci.h"

static int vmcall_ends(const struct kvm_vcpu *vcpu, uint64_t status)
{
	struct cpu_exit_info *exit = image_write(&vcpu->hw.exit);

	exit->ret[0] = status;
	return 1;
}

static int vmcall_tdcm(const struct kvm_vcpu *vcpu)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	struct kvm_run run = { .tdx = { .nr = exit->fn,
					.unknown = { .ret = KVM_TDX_RET_UNSUPPORTED } } };

	memcpy(run.tdx.unknown.data, exit->args, 4 * sizeof(run.tdx.unknown.data[0]));
	return kvm_exit_ask(vcpu, KVM_EXIT_TDX, &run, KVM_PENDING_VMCALL);
}

/* The guest asks for a conversion, by the SHARED bit of the address: the client decides. */
static int vmcall_mapgpa(const struct kvm_vcpu *vcpu)
{
	uint64_t shared = kvm_platform(vcpu->kvm)->shared_bit, gpa = vcpu->hw.exit.args[0];
	uint64_t len = vcpu->hw.exit.args[1], end;

	if (!(vcpu->kvm->hypercall_exits >> KVM_HC_MAP_GPA_RANGE & 1))
		return vmcall_ends(vcpu, KVM_TDX_RET_UNSUPPORTED);
	if (!len || (gpa | len) & (KVM_PAGE - 1) ||
	    __builtin_add_overflow(gpa & ~shared, len, &end) || end > shared)
		return vmcall_ends(vcpu, KVM_TDX_RET_INVALID);
	return kvm_exit_map_gpa(vcpu, gpa & ~shared, len, !(gpa & shared));
}

int tdx_vmcall(const struct kvm_vcpu *vcpu)
{
	static const struct { uint64_t fn; int (*handle)(const struct kvm_vcpu *vcpu); } calls[] = {
		{ GHCI_VMCALL_TDCM, vmcall_tdcm },
		{ GHCI_VMCALL_MAPGPA, vmcall_mapgpa },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].fn == vcpu->hw.exit.fn)
			return calls[i].handle(vcpu);
	return vmcall_ends(vcpu, KVM_TDX_RET_UNSUPPORTED);
}

uint64_t tdx_vmcall_answer(const struct kvm_run *run)
{
	return run->tdx.unknown.ret;
}
