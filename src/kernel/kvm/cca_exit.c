/* SPDX-License-Identifier: BSD-2-Clause */
/* Into a REC and out of it: what the Realm asks of the host, and what it is answered. */
#include <string.h>

#include "kernel/kvm/cca.h"

static const struct kvm_cca_vcpu *rec_of(const struct kvm_vcpu *vcpu)
{
	return vcpu->platform;
}

static struct kvm_cca_vcpu *rec_write(const struct kvm_vcpu *vcpu)
{
	return image_write(rec_of(vcpu));
}

/* -- entry -------------------------------------------------------------------------------------------- */

int cca_enter(const struct kvm_vcpu *vcpu)
{
	struct kvm_cca_vcpu *w = rec_write(vcpu);
	uint8_t *run = image_bulk_write(w->run, PHYS_PAGE);
	struct writer flags = writer_of(run + REC_ENTER_FLAGS, 8);
	struct writer gprs = writer_of(run + REC_ENTER_GPRS, 8 * REC_GPRS);
	struct smc_args args = { .x = { 0, w->rec, phys_of(w->run) } };
	struct kvm_run client;

	put_le64(&flags, w->reject);
	memcpy(&client, vcpu->run, sizeof(client));
	put_le64(&gprs, w->host_call ? client.hypercall.ret : 0);
	for (unsigned int i = 0; i < REC_GPRS - 1; i++)
		put_le64(&gprs, w->host_call ? client.hypercall.args[i] : 0);
	w->reject = 0;
	w->host_call = false;
	return cca_host_errno(cca_host_call(LANE_KVM, RMI_REC_ENTER, &args));
}

/* -- the Realm's memory --------------------------------------------------------------------------------- */

/* DMA of a device does not wait for a fault: what the Realm wants as RAM is there when it goes on. */
static int populate(const struct kvm *kvm, uint64_t base, uint64_t top)
{
	int rc = 0;

	for (uint64_t at = base, len; rc >= 0 && at < top; at += len) {
		len = at % PHYS_2M || top - at < PHYS_2M ? KVM_PAGE : PHYS_2M;
		rc = kvm_fault(kvm, at, len, true, true);
	}
	return rc < 0 ? rc : 0;
}

static int ripas_set(const struct kvm_vcpu *vcpu, uint64_t base, uint64_t top)
{
	const struct kvm *kvm = vcpu->kvm;
	int rc = klock_acquire(&kvm->mmu_lock, KLOCK_MMU, KLOCK_WRITE);
	uint64_t at = base;

	if (rc)
		return rc;
	while (!rc && at < top) {
		struct smc_args args = { .x = { 0, kvm_cca(kvm)->rd, rec_of(vcpu)->rec, at, top } };
		uint64_t reached, result = cca_call(RMI_RTT_SET_RIPAS, &args, &reached);

		if (!result)
			at = reached;
		else if (rmi_status(result) == RMI_ERROR_RTT)
			rc = cca_rtt_deepen(kvm, at, rmi_index(result));
		else
			rc = cca_host_errno(result);
	}
	klock_release(&kvm->mmu_lock, KLOCK_WRITE);
	return rc;
}

static bool converts(const struct kvm_vcpu *vcpu, uint64_t base, bool is_private)
{
	const struct kvm_slot *slot = kvm_slot_at(vcpu->kvm, base, is_private);

	return slot && slot->kind != KVM_SLOT_DMABUF &&
	       kvm_gpa_private(vcpu->kvm, base) != is_private &&
	       vcpu->kvm->hypercall_exits >> KVM_HC_MAP_GPA_RANGE & 1;
}

/* A conversion is the client's to decide: to RAM before the Realm has it, from RAM after. */
static int exit_ripas_change(const struct kvm_vcpu *vcpu)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	uint64_t base = exit->args[0], top = exit->args[1];
	bool ram = exit->args[2] == RIPAS_RAM;
	int rc;

	if (ram && converts(vcpu, base, true))
		return kvm_exit_map_gpa(vcpu, base, top - base, true);
	rc = ripas_set(vcpu, base, top);
	if (!rc && ram)
		rc = populate(vcpu->kvm, base, top);
	if (rc)
		rec_write(vcpu)->reject = REC_ENTER_RIPAS_REJECT;
	if (!rc && !ram && converts(vcpu, base, false))
		return kvm_exit_map_gpa(vcpu, base, top - base, false);
	return 1;
}

/* -- device memory ----------------------------------------------------------------------------------- */

/* Maps what the memslots have there; how far it came. */
static uint64_t device_map(const struct kvm *kvm, uint64_t base, uint64_t top)
{
	uint64_t at = base;

	while (at < top) {
		uint64_t next = at;
		struct pt_leaf leaf;

		if (!kvm_mirror_next(kvm, &next, at + 1, &leaf) &&
		    kvm_fault(kvm, at, KVM_PAGE, true, true) != KVM_FAULT_MAPPED)
			break;
		next = at;
		if (!kvm_mirror_next(kvm, &next, at + 1, &leaf))
			break;
		at = next;
	}
	return at < top ? at : top;
}

/* What the client has no private memory for, or the RMM does not find as the Realm says, is rejected. */
static int exit_validate_mapping(const struct kvm_vcpu *vcpu)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	uint64_t base = exit->args[0], pdev = 0, vdev = cca_vdev_of(exit->args[2], &pdev);
	uint64_t mapped = vdev ? device_map(vcpu->kvm, base, exit->args[1]) : base;
	struct smc_args args = { .x = { 0, kvm_cca(vcpu->kvm)->rd, rec_of(vcpu)->rec, pdev, vdev,
					base, mapped } };

	if (mapped == base || cca_call(RMI_RTT_DEV_VALIDATE, &args, NULL))
		rec_write(vcpu)->reject = REC_ENTER_DEV_MEM_REJECT;
	return 1;
}

/* -- calls --------------------------------------------------------------------------------------------- */

/* To the client, as the firmware call it is. */
static int exit_host_call(const struct kvm_vcpu *vcpu)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	struct kvm_run run = { .hypercall = { .nr = exit->data,
					      .ret = (uint64_t)SMCCC_RET_NOT_SUPPORTED } };

	memcpy(run.hypercall.args, exit->args, sizeof(run.hypercall.args));
	rec_write(vcpu)->host_call = true;
	return kvm_exit_ask(vcpu, KVM_EXIT_HYPERCALL, &run, KVM_PENDING_HYPERCALL);
}

int cca_vmcall(const struct kvm_vcpu *vcpu)
{
	switch (vcpu->hw.exit.fn) {
	case RMI_EXIT_RIPAS_CHANGE: return exit_ripas_change(vcpu);
	case RMI_EXIT_VDEV_VALIDATE_MAPPING: return exit_validate_mapping(vcpu);
	case RMI_EXIT_HOST_CALL: return exit_host_call(vcpu);
	default: return -EIO;
	}
}
