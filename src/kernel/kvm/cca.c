/* SPDX-License-Identifier: BSD-2-Clause */
/* A Realm's life, and its end, of which every part may have been done by a process that died. */
#include <string.h>

#include "kernel/kvm/cca.h"

uint64_t kvm_cca_rd(const struct kvm *kvm)
{
	return kvm->type == KVM_VM_TYPE_ARM_REALM ? kvm_cca(kvm)->rd : 0;
}

uint64_t cca_call(enum rmi_command command, const struct smc_args *args, uint64_t *x1)
{
	struct smc_args call = *args;
	uint64_t result = cca_host_call(LANE_KVM, command, &call);

	if (x1)
		*x1 = call.x[1];
	return result;
}

static uint64_t call(enum rmi_command command, uint64_t x1, uint64_t x2, uint64_t x3)
{
	return cca_call(command, &(struct smc_args){ .x = { 0, x1, x2, x3 } }, NULL);
}

/* -- making ---------------------------------------------------------------------------------------- */

static int realm_create(const struct kvm *kvm)
{
	struct kvm_cca *realm = image_alloc(sizeof(*realm), IMAGE_TYPE_KVM_TD);
	struct kvm *w = image_write(kvm);

	w->platform = realm;
	if (!realm)
		return -ENOMEM;
	realm->params = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_CCA_PAGE);
	return realm->params ? 0 : -ENOMEM;
}

static int vcpu_create(const struct kvm_vcpu *vcpu)
{
	struct kvm_cca_vcpu *rv = image_alloc(sizeof(*rv), IMAGE_TYPE_KVM_TD);
	struct kvm_vcpu *w = image_write(vcpu);

	if (kvm_cca(vcpu->kvm)->active)
		return -EBUSY;
	w->platform = rv;
	if (!rv)
		return -ENOMEM;
	rv->run = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_CCA_PAGE);
	return rv->run ? 0 : -ENOMEM;
}

/* -- building: all at once, each part unless a process that died has made it ----------------- */

static int realm_build(const struct kvm_cca *realm)
{
	struct writer params;

	if (cca_granule_make(LANE_KVM, &realm->rd) || cca_granule_make(LANE_KVM, &realm->rtt))
		return -ENOMEM;
	if (granule_state(realm->rd) == GRANULE_RD)
		return 0;
	params = writer_of(image_bulk_write(realm->params, PHYS_PAGE), PHYS_PAGE);
	put_space(&params, REALM_PARAM_RTT_BASE);
	put_le64(&params, realm->rtt);
	return cca_host_errno(call(RMI_REALM_CREATE, realm->rd, phys_of(realm->params), 0));
}

static int rec_build(const struct kvm_cca *realm, const struct kvm_vcpu *vcpu)
{
	const struct kvm_cca_vcpu *rv = vcpu->platform;
	struct kvm_vcpu *w;
	uint64_t result = 0;

	if (cca_granule_make(LANE_KVM, &rv->rec))
		return -ENOMEM;
	if (granule_state(rv->rec) != GRANULE_REC)
		result = call(RMI_REC_CREATE, realm->rd, rv->rec, 0);
	if (result)
		return cca_host_errno(result);
	w = image_write(vcpu);
	w->hw.tdr = rv->rec;
	w->hw.tee_owner = GRANULE_DATA;
	w->hw.tee_root = realm->rtt;
	w->hw.ept = NULL;		/* the RTT has the unprotected half too */
	return 0;
}

static int activate(const struct kvm *kvm)
{
	const struct kvm_cca *realm = kvm_cca(kvm);
	int rc = realm_build(realm);
	struct kvm_cca *w;

	for (unsigned int i = 0; !rc && i < KVM_VCPUS; i++)
		if (kvm->vcpus[i])
			rc = rec_build(realm, kvm->vcpus[i]);
	if (!rc)
		rc = cca_host_errno(call(RMI_REALM_ACTIVATE, realm->rd, 0, 0));
	if (rc)
		return rc;
	w = image_write(realm);
	w->active = true;
	return 0;
}

static int run_check(const struct kvm_vcpu *vcpu)
{
	return kvm_cca(vcpu->kvm)->active ? 0 : -EINVAL;
}

static long vm_op(const struct kvm *kvm, uint64_t arg)
{
	struct kvm_arm_rmi_cmd cmd;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (cmd.id != KVM_ARM_RMI_REALM_ACTIVATE || cmd.pad || kvm_cca(kvm)->active)
		return -EINVAL;
	return activate(kvm);
}

/* -- teardown ---------------------------------------------------------------------------------------- */

static void recs_destroy(const struct kvm *kvm)
{
	for (unsigned int i = 0; i < KVM_VCPUS; i++) {
		const struct kvm_cca_vcpu *rv = kvm->vcpus[i] ? kvm->vcpus[i]->platform : NULL;
		struct kvm_vcpu *w;

		if (!rv)
			continue;
		if (rv->rec && granule_state(rv->rec) == GRANULE_REC)
			call(RMI_REC_DESTROY, rv->rec, 0, 0);
		cca_granule_free(LANE_KVM, rv->rec, PHYS_PAGE);
		image_bulk_free(rv->run);
		w = image_write(kvm->vcpus[i]);
		w->platform = NULL;
		image_free(rv);
	}
}

static void realm_destroy(const struct kvm *kvm)
{
	const struct kvm_cca *realm = kvm_cca(kvm);
	struct kvm_cca *w;

	if (!realm)
		return;
	if (realm->rd)
		cca_rtt_reclaim(kvm);
	recs_destroy(kvm);
	if (realm->rd && granule_state(realm->rd) == GRANULE_RD)
		call(RMI_REALM_DESTROY, realm->rd, 0, 0);
	cca_granule_free(LANE_KVM, realm->rtt, PHYS_PAGE);
	cca_granule_free(LANE_KVM, realm->rd, PHYS_PAGE);
	image_bulk_free(realm->params);
	w = image_write(realm);
	memset(w, 0, sizeof(*w));
}

const struct kvm_platform kvm_cca_platform = {
	.name = "cca",
	.create = realm_create,
	.destroy = realm_destroy,
	.vm_op = vm_op,
	.vcpu_create = vcpu_create,
	.run_check = run_check,
	.enter = cca_enter,
	.private_map = cca_private_map,
	.private_unmap = cca_private_unmap,
	.shared_mapped = cca_shared_mapped,
	.shared_unmapping = cca_shared_unmapping,
	.vmcall = cca_vmcall,
	.private_memory = true,
	.shared_bit = CCA_UNPROTECTED,
};
