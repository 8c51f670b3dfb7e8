/* SPDX-License-Identifier: BSD-2-Clause */
/* A TD's life: KVM_MEMORY_ENCRYPT_OP on a VM and its vCPUs, and the teardown. */
#include <string.h>

#include "kernel/kvm/tdx.h"

uint64_t kvm_tdx_tdr(const struct kvm *kvm)
{
	return kvm->type == KVM_X86_TDX_VM && kvm_tdx(kvm)->state ? kvm_tdx(kvm)->tdr : 0;
}

/* A call with its first result. */
uint64_t kvm_tdx_call(enum tdx_leaf leaf, struct tdx_args args, uint64_t *result)
{
	uint64_t status = tdx_host_call(LANE_KVM, leaf, &args);

	if (result)
		*result = args.rcx;
	return status;
}

/* -- making ----------------------------------------------------------------------------------- */

static int td_create(const struct kvm *kvm)
{
	struct kvm_tdx *td = image_alloc(sizeof(*td), IMAGE_TYPE_KVM_TD);
	struct kvm *w = image_write(kvm);

	w->platform = td;
	return td ? 0 : -ENOMEM;
}

struct hkids { uint64_t used; };

static int hkid_seen(const void *object, void *arg)
{
	const struct kvm *kvm = object;
	struct hkids *hkids = arg;

	if (kvm->type == KVM_X86_TDX_VM && kvm->platform)
		hkids->used |= 1ull << kvm_tdx(kvm)->hkid;
	return 0;
}

/* The lowest key id no living TD has; 0: none left. */
static uint8_t hkid_free(void)
{
	struct hkids hkids = { .used = 1 };

	image_each(IMAGE_TYPE_KVM, hkid_seen, &hkids);
	for (unsigned int id = 1; id <= TDX_HKID_MAX; id++)
		if (!(hkids.used >> id & 1))
			return (uint8_t)id;
	return 0;
}

static int pages_for_td(const struct kvm *kvm)
{
	struct kvm_tdx *td = image_write(kvm_tdx(kvm));

	td->hkid = hkid_free();
	if (!td->hkid)
		return -ENOSPC;
	td->tdr = tdx_page_alloc();
	for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++) {
		td->tdcs[i] = tdx_page_alloc();
		if (!td->tdcs[i])
			return -ENOMEM;
	}
	return td->tdr ? 0 : -ENOMEM;
}

uint64_t tdx_scratch_get(const struct kvm *kvm)
{
	struct kvm_tdx *w = image_write(kvm_tdx(kvm));

	if (!w->scratch)
		w->scratch = tdx_page_alloc();
	return w->scratch;
}

void tdx_scratch_put(const struct kvm *kvm)
{
	struct kvm_tdx *w = image_write(kvm_tdx(kvm));

	tdx_page_free(w->scratch);
	w->scratch = 0;
}

/* The SEAMCALLs of a new TD, in order; the first that is refused ends it. */
static uint64_t td_build(const struct kvm *kvm, uint64_t params)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);
	uint64_t status, number = 0, root = 0;
	struct kvm_tdx *w;

	status = kvm_tdx_call(TDX_MNG_CREATE, (struct tdx_args){ .rcx = td->tdr, .rdx = td->hkid },
			      &number);
	if (!status)
		status =
			kvm_tdx_call(TDX_MNG_KEY_CONFIG, (struct tdx_args){ .rcx = td->tdr }, NULL);
	for (unsigned int i = 0; !status && i < TDX_TDCS_PAGES; i++)
		status =
			kvm_tdx_call(TDX_MNG_ADDCX,
				     (struct tdx_args){ .rcx = td->tdcs[i], .rdx = td->tdr }, NULL);
	if (!status)
		status = kvm_tdx_call(TDX_MNG_INIT,
				      (struct tdx_args){ .rcx = td->tdr, .rdx = params }, &root);
	w = image_write(td);
	w->number = (uint32_t)number;
	w->sept_root = root;
	if (!status)
		w->state = TD_INITIALIZED;
	return status;
}

static long init_vm(const struct kvm *kvm, const struct kvm_tdx_cmd *cmd, uint64_t *status)
{
	struct kvm_tdx_init_vm init;
	struct writer params;
	uint64_t page;
	int rc;

	if (kvm_tdx(kvm)->state != TD_NONE || kvm_tdx(kvm)->hkid || cmd->flags)
		return -EINVAL;
	if (copy_from_user(&init, cmd->data, sizeof(init)))
		return -EFAULT;
	if (init.cpuid.padding || init.attributes || init.xfam & ~TDX_XFAM_SUPPORTED)
		return -EINVAL;
	if (init.cpuid.nent > TDX_CPUID_MAX)
		return -E2BIG;
	for (size_t i = 0; i < sizeof(init.reserved) / sizeof(init.reserved[0]); i++)
		if (init.reserved[i])
			return -EINVAL;
	rc = pages_for_td(kvm);
	page = rc ? 0 : tdx_scratch_get(kvm);
	if (!page)
		return rc ? rc : -ENOMEM;
	params = writer_of(image_bulk_write(phys_ram(page, PHYS_PAGE), PHYS_PAGE), PHYS_PAGE);
	put_le64(&params, init.attributes);
	put_space(&params, TDX_PARAMS_CONFIG_FLAGS - sizeof(uint64_t));
	put_le64(&params, kernel_options()->extensions ? TDX_CONFIG_CONNECT : 0);
	*status = td_build(kvm, page);
	tdx_scratch_put(kvm);
	if (*status) {
		kvm_tdx_destroy(kvm);
		return tdx_host_errno(*status);
	}
	return 0;
}

static long finalize(const struct kvm *kvm, const struct kvm_tdx_cmd *cmd, uint64_t *status)
{
	struct kvm_tdx *w;

	if (cmd->flags || kvm_tdx(kvm)->state != TD_INITIALIZED)
		return -EINVAL;
	*status =
		kvm_tdx_call(TDX_MR_FINALIZE, (struct tdx_args){ .rcx = kvm_tdx(kvm)->tdr }, NULL);
	if (*status)
		return tdx_host_errno(*status);
	w = image_write(kvm_tdx(kvm));
	w->state = TD_RUNNABLE;
	return 0;
}

static long capabilities(const struct kvm *kvm, const struct kvm_tdx_cmd *cmd, uint64_t *status)
{
	struct kvm_tdx_capabilities caps = { .supported_xfam = TDX_XFAM_SUPPORTED };
	uint32_t nent;

	(void)kvm;
	(void)status;
	if (cmd->flags)
		return -EINVAL;
	if (copy_from_user(&nent, cmd->data + offsetof(struct kvm_tdx_capabilities, cpuid.nent),
			   sizeof(nent)))
		return -EFAULT;
	/* No CPUID bit is configurable: the guest of this model does not look at them. */
	return copy_to_user(cmd->data, &caps, sizeof(caps)) ? -EFAULT : 0;
}

/* -- vCPUs ------------------------------------------------------------------------------------ */

static int td_vcpu_create(const struct kvm_vcpu *vcpu)
{
	const struct kvm_tdx *td = kvm_tdx(vcpu->kvm);
	struct kvm_tdx_vcpu *tv;
	struct kvm_vcpu *w;

	if (td->state != TD_INITIALIZED)
		return -EIO;
	tv = image_alloc(sizeof(*tv), IMAGE_TYPE_KVM_TD);
	if (!tv)
		return -ENOMEM;
	w = image_write(vcpu);
	w->platform = tv;
	w->hw.tdr = td->tdr;
	w->hw.tee_owner = 2 * td->number;
	w->hw.tee_root = td->sept_root;
	return 0;
}

static long init_vcpu(const struct kvm_vcpu *vcpu, const struct kvm_tdx_cmd *cmd, uint64_t *status)
{
	const struct kvm_tdx_vcpu *tv = vcpu->platform;
	uint64_t tdr = kvm_tdx(vcpu->kvm)->tdr;
	struct kvm_tdx_vcpu *w;

	if (cmd->flags || tv->initialized || tv->tdvpr ||
	    kvm_tdx(vcpu->kvm)->state != TD_INITIALIZED)
		return -EINVAL;
	w = image_write(tv);
	w->tdvpr = tdx_page_alloc();
	w->tdcx = tdx_page_alloc();
	if (!w->tdvpr || !w->tdcx)
		return -ENOMEM;
	*status = kvm_tdx_call(TDX_VP_CREATE, (struct tdx_args){ .rcx = tv->tdvpr, .rdx = tdr },
			       NULL);
	if (!*status)
		*status =
			kvm_tdx_call(TDX_VP_ADDCX,
				     (struct tdx_args){ .rcx = tv->tdcx, .rdx = tv->tdvpr }, NULL);
	if (!*status)
		*status =
			kvm_tdx_call(TDX_VP_INIT,
				     (struct tdx_args){ .rcx = tv->tdvpr, .rdx = cmd->data }, NULL);
	if (*status)
		return tdx_host_errno(*status);
	w = image_write(tv);
	w->initialized = true;
	return 0;
}

static int td_run_check(const struct kvm_vcpu *vcpu)
{
	const struct kvm_tdx_vcpu *tv = vcpu->platform;

	return kvm_tdx(vcpu->kvm)->state == TD_RUNNABLE && tv->initialized ? 0 : -EINVAL;
}

/* -- KVM_MEMORY_ENCRYPT_OP -------------------------------------------------------------------- */

static int command_read(struct kvm_tdx_cmd *cmd, uint64_t arg)
{
	if (copy_from_user(cmd, arg, sizeof(*cmd)))
		return -EFAULT;
	return cmd->hw_error ? -EINVAL : 0;
}

/* The firmware's word goes back with the error, so what was done so far must stay: commit. */
static long command_end(long rc, uint64_t status, struct kvm_tdx_cmd *cmd, uint64_t arg)
{
	cmd->hw_error = status;
	if (copy_to_user(arg, cmd, sizeof(*cmd)))
		rc = -EFAULT;
	image_commit();
	return rc;
}

struct command_row {
	uint32_t id;
	/* of the VM, or of one of its vCPUs */
	long (*vm)(const struct kvm *kvm, const struct kvm_tdx_cmd *cmd, uint64_t *status);
	long (*vcpu)(const struct kvm_vcpu *vcpu, const struct kvm_tdx_cmd *cmd, uint64_t *status);
};
static const struct command_row commands[] = {
	{ KVM_TDX_CAPABILITIES, capabilities, NULL },
	{ KVM_TDX_INIT_VM, init_vm, NULL },
	{ KVM_TDX_FINALIZE_VM, finalize, NULL },
	{ KVM_TDX_INIT_VCPU, NULL, init_vcpu },
	{ KVM_TDX_INIT_MEM_REGION, NULL, tdx_init_mem_region },
};

/* vcpu: NULL for one of the VM's. */
static long command_run(const struct kvm *kvm, const struct kvm_vcpu *vcpu, uint64_t arg)
{
	struct kvm_tdx_cmd cmd;
	uint64_t status = 0;
	long rc = command_read(&cmd, arg);

	if (rc)
		return rc;
	rc = -EINVAL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (commands[i].id != cmd.id)
			continue;
		if (vcpu && commands[i].vcpu)
			rc = commands[i].vcpu(vcpu, &cmd, &status);
		else if (!vcpu && commands[i].vm)
			rc = commands[i].vm(kvm, &cmd, &status);
	}
	return command_end(rc, status, &cmd, arg);
}

static long td_vm_op(const struct kvm *kvm, uint64_t arg)
{
	return command_run(kvm, NULL, arg);
}

static long td_vcpu_op(const struct kvm_vcpu *vcpu, uint64_t arg)
{
	return command_run(vcpu->kvm, vcpu, arg);
}

/* -- teardown: every part may have been done by a process that died --------------------------- */

void tdx_reclaim(uint64_t hpa)
{
	if (phys_owner(hpa))
		kvm_tdx_call(TDX_PHYMEM_PAGE_RECLAIM, (struct tdx_args){ .rcx = hpa }, NULL);
}

static void td_end(const struct kvm *kvm, enum td_end end)
{
	struct kvm_tdx *w = image_write(kvm_tdx(kvm));

	w->end = (uint8_t)end;
	image_commit();
}

static void td_release_key(const struct kvm *kvm)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);

	for (unsigned int i = 0; i < KVM_VCPUS; i++) {
		const struct kvm_tdx_vcpu *tv = kvm->vcpus[i] ? kvm->vcpus[i]->platform : NULL;

		if (tv && phys_owner(tv->tdvpr))
			kvm_tdx_call(TDX_VP_FLUSH, (struct tdx_args){ .rcx = tv->tdvpr }, NULL);
	}
	kvm_tdx_call(TDX_MNG_VPFLUSHDONE, (struct tdx_args){ .rcx = td->tdr }, NULL);
	kvm_tdx_call(TDX_MNG_KEY_FREEID, (struct tdx_args){ .rcx = td->tdr }, NULL);
}

static void td_vcpu_reclaim(const struct kvm *kvm)
{
	for (unsigned int i = 0; i < KVM_VCPUS; i++) {
		const struct kvm_tdx_vcpu *tv = kvm->vcpus[i] ? kvm->vcpus[i]->platform : NULL;
		struct kvm_vcpu *w;

		if (!tv)
			continue;
		tdx_reclaim(tv->tdcx);
		tdx_reclaim(tv->tdvpr);
		tdx_page_free(tv->tdcx);
		tdx_page_free(tv->tdvpr);
		w = image_write(kvm->vcpus[i]);
		w->platform = NULL;
		image_free(tv);
	}
}

void kvm_tdx_destroy(const struct kvm *kvm)
{
	const struct kvm_tdx *td = kvm_tdx(kvm);
	struct kvm_tdx *w;

	if (td->tdr && phys_owner(td->tdr) && td->end == TD_ALIVE) {
		td_release_key(kvm);
		td_end(kvm, TD_KEYLESS);
	}
	tdx_sept_reclaim(kvm);
	td_vcpu_reclaim(kvm);
	for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++)
		tdx_reclaim(td->tdcs[i]);
	tdx_reclaim(td->tdr);
	w = image_write(td);
	for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++)
		tdx_page_free(w->tdcs[i]);
	tdx_page_free(w->tdr);
	tdx_page_free(w->scratch);
	memset(w, 0, sizeof(*w));
}

const struct kvm_platform kvm_tdx_platform = {
	.name = "tdx",
	.create = td_create,
	.destroy = kvm_tdx_destroy,
	.vm_op = td_vm_op,
	.vcpu_create = td_vcpu_create,
	.vcpu_op = td_vcpu_op,
	.run_check = td_run_check,
	.private_map = tdx_private_map,
	.private_unmap = tdx_private_unmap,
	.shared_mapped = tdx_shared_mapped,
	.shared_unmapping = tdx_shared_unmapping,
	.shared_unmapped = tdx_shared_unmapped,
	.vmcall = tdx_vmcall,
	.vmcall_answer = tdx_vmcall_answer,
	.private_memory = true,
	.shared_bit = TDX_SHARED_BIT,
};
