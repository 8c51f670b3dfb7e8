/* SPDX-License-Identifier: BSD-2-Clause */
/* An SNP guest's life: KVM_MEMORY_ENCRYPT_OP, its GHCB exits, and the teardown. */
#include <string.h>

#include "kernel/kvm/sev.h"
#include "swtio/uapi/ghcb.h"

uint64_t kvm_sev_gctx(const struct kvm *kvm)
{
	return kvm->type == KVM_X86_SNP_VM && kvm_sev(kvm)->state == SNP_RUNNABLE ?
		       kvm_sev(kvm)->gctx :
		       0;
}

uint16_t kvm_sev_asid(const struct kvm *kvm)
{
	return kvm->type == KVM_X86_SNP_VM ? kvm_sev(kvm)->asid : 0;
}

/* -- making ----------------------------------------------------------------------------------- */

static int snp_create(const struct kvm *kvm)
{
	struct kvm_sev *sev = image_alloc(sizeof(*sev), IMAGE_TYPE_KVM_TD);
	struct kvm *w = image_write(kvm);

	w->platform = sev;
	return sev ? 0 : -ENOMEM;
}

struct asids { uint64_t used; };

static int asid_seen(const void *object, void *arg)
{
	const struct kvm *kvm = object;
	struct asids *asids = arg;

	if (kvm->type == KVM_X86_SNP_VM && kvm->platform)
		asids->used |= 1ull << kvm_sev(kvm)->asid;
	return 0;
}

/* The lowest ASID no living guest has; 0: none left. */
static uint16_t asid_free(void)
{
	struct asids asids = { .used = 1 };

	image_each(IMAGE_TYPE_KVM, asid_seen, &asids);
	for (uint16_t asid = 1; asid <= RMP_ASID_MAX; asid++)
		if (!(asids.used >> asid & 1))
			return asid;
	return 0;
}

static void snp_state_set(const struct kvm *kvm, enum snp_state state)
{
	struct kvm_sev *w = image_write(kvm_sev(kvm));

	w->state = (uint8_t)state;
}

static long init2(const struct kvm *kvm, uint64_t data, enum sev_status *status)
{
	struct kvm_sev_init init;
	struct kvm_sev *w;
	uint16_t asid;
	int rc;

	if (kvm_sev(kvm)->state != SNP_NONE)
		return -EINVAL;
	if (copy_from_user(&init, data, sizeof(init)))
		return -EFAULT;
	if (init.flags || init.vmsa_features || init.ghcb_version > 2)
		return -EINVAL;
	rc = sev_host_init(LANE_KVM, status);
	if (rc)
		return rc;
	asid = asid_free();
	if (!asid)
		return -EBUSY;
	w = image_write(kvm_sev(kvm));
	w->asid = asid;
	w->state = SNP_INITIALIZED;
	return 0;
}

/* A context, an ASID for it, and the launch begins; the first command refused ends it. */
static enum sev_status launch_commands(const struct kvm *kvm)
{
	static const enum sev_command_id commands[] = { SEV_CMD_SNP_GCTX_CREATE,
							SEV_CMD_SNP_LAUNCH_START,
							SEV_CMD_SNP_ACTIVATE };
	const struct sev_command args = { .gctx = kvm_sev(kvm)->gctx, .asid = kvm_sev(kvm)->asid };
	enum sev_status status = SEV_SUCCESS;

	for (size_t i = 0; !status && i < sizeof(commands) / sizeof(commands[0]); i++)
		status = sev_host_command(LANE_KVM, commands[i], &args);
	return status;
}

static long launch_start(const struct kvm *kvm, uint64_t data, enum sev_status *status)
{
	struct kvm_sev_snp_launch_start start;
	struct kvm_sev *w;

	if (kvm_sev(kvm)->state != SNP_INITIALIZED)
		return -EINVAL;
	if (copy_from_user(&start, data, sizeof(start)))
		return -EFAULT;
	if (start.flags)
		return -EINVAL;
	w = image_write(kvm_sev(kvm));
	if (!w->gctx)
		w->gctx = sev_firmware_page(LANE_KVM);
	if (!w->gctx)
		return -ENOMEM;
	*status = launch_commands(kvm);
	if (*status)
		return sev_host_errno(*status);
	snp_state_set(kvm, SNP_LAUNCHED);
	return 0;
}

static long launch_update(const struct kvm *kvm, uint64_t data, enum sev_status *status)
{
	struct kvm_sev_snp_launch_update update;
	int rc;

	if (kvm_sev(kvm)->state != SNP_LAUNCHED)
		return -EINVAL;
	if (copy_from_user(&update, data, sizeof(update)))
		return -EFAULT;
	if (update.flags || update.pad0 || update.pad1 || !update.len || update.len % KVM_PAGE ||
	    update.gfn_start > RMP_VTOM / KVM_PAGE ||
	    update.len > RMP_VTOM - update.gfn_start * KVM_PAGE ||
	    (update.type != KVM_SEV_SNP_PAGE_TYPE_NORMAL &&
	     update.type != KVM_SEV_SNP_PAGE_TYPE_ZERO &&
	     update.type != KVM_SEV_SNP_PAGE_TYPE_UNMEASURED &&
	     update.type != KVM_SEV_SNP_PAGE_TYPE_SECRETS))
		return -EINVAL;
	rc = klock_acquire(&kvm->mmu_lock, KLOCK_MMU, KLOCK_WRITE);
	if (rc)
		return rc;
	rc = sev_launch_pages(kvm, &update, status);
	klock_release(&kvm->mmu_lock, KLOCK_WRITE);
	return rc;
}

static long launch_finish(const struct kvm *kvm, uint64_t data, enum sev_status *status)
{
	const struct sev_command args = { .gctx = kvm_sev(kvm)->gctx };
	struct kvm_sev_snp_launch_finish finish;

	if (kvm_sev(kvm)->state != SNP_LAUNCHED)
		return -EINVAL;
	if (copy_from_user(&finish, data, sizeof(finish)))
		return -EFAULT;
	if (finish.flags || finish.id_block_en || finish.auth_key_en)
		return -EINVAL;
	*status = sev_host_command(LANE_KVM, SEV_CMD_SNP_LAUNCH_FINISH, &args);
	if (*status)
		return sev_host_errno(*status);
	snp_state_set(kvm, SNP_RUNNABLE);
	return 0;
}

static const struct {
	uint32_t id;
	long (*handle)(const struct kvm *kvm, uint64_t data, enum sev_status *status);
} commands[] = {
	{ KVM_SEV_INIT2, init2 },
	{ KVM_SEV_SNP_LAUNCH_START, launch_start },
	{ KVM_SEV_SNP_LAUNCH_UPDATE, launch_update },
	{ KVM_SEV_SNP_LAUNCH_FINISH, launch_finish },
};

static long snp_vm_op(const struct kvm *kvm, uint64_t arg)
{
	enum sev_status status = SEV_SUCCESS;
	struct kvm_sev_cmd cmd;
	long rc = -EINVAL;

	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].id == cmd.id)
			rc = commands[i].handle(kvm, cmd.data, &status);
	cmd.error = status;
	if (copy_to_user(arg, &cmd, sizeof(cmd)))
		rc = -EFAULT;
	/* The PSP's word goes back with the error, so what was done so far must stay. */
	image_commit();
	return rc;
}

/* -- vCPUs and exits -------------------------------------------------------------------------- */

static int snp_vcpu_create(const struct kvm_vcpu *vcpu)
{
	const struct kvm_sev *sev = kvm_sev(vcpu->kvm);
	struct kvm_vcpu *w;

	if (sev->state == SNP_NONE || sev->state == SNP_RUNNABLE)
		return -EINVAL;
	w = image_write(vcpu);
	w->hw.tee_owner = RMP_OWNER(sev->asid);
	w->hw.tee_root = vcpu->kvm->mirror.root;
	return 0;
}

static int snp_run_check(const struct kvm_vcpu *vcpu)
{
	return kvm_sev(vcpu->kvm)->state == SNP_RUNNABLE ? 0 : -EINVAL;
}

static int exit_ends(const struct kvm_vcpu *vcpu, uint64_t ret)
{
	struct cpu_exit_info *exit = image_write(&vcpu->hw.exit);

	exit->ret[0] = ret;
	return 1;
}

static int exit_tio(const struct kvm_vcpu *vcpu)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	struct kvm_run run = { .snp_tio = { .nr = exit->fn, .ret = GHCB_RET_UNSUPPORTED } };

	memcpy(run.snp_tio.args, exit->args, sizeof(run.snp_tio.args));
	return kvm_exit_ask(vcpu, KVM_EXIT_SNP_TIO, &run, KVM_PENDING_VMCALL);
}

static int exit_psc(const struct kvm_vcpu *vcpu)
{
	uint64_t gpa = vcpu->hw.exit.args[0], len = vcpu->hw.exit.args[1], end;

	if (!(vcpu->kvm->hypercall_exits >> KVM_HC_MAP_GPA_RANGE & 1))
		return exit_ends(vcpu, GHCB_RET_UNSUPPORTED);
	if (!len || (gpa | len) & (KVM_PAGE - 1) ||
	    __builtin_add_overflow(gpa & ~RMP_VTOM, len, &end) || end > RMP_VTOM)
		return exit_ends(vcpu, GHCB_RET_INVALID);
	return kvm_exit_map_gpa(vcpu, gpa & ~RMP_VTOM, len, !(gpa & RMP_VTOM));
}

static int snp_vmgexit(const struct kvm_vcpu *vcpu)
{
	static const struct { uint64_t code; int (*handle)(const struct kvm_vcpu *vcpu); } exits[] = {
		{ GHCB_EXIT_PSC, exit_psc },
		{ GHCB_EXIT_TIO_GUEST_REQUEST, exit_tio },
		{ GHCB_EXIT_TIO_OP, exit_tio },
	};

	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		if (exits[i].code == vcpu->hw.exit.fn)
			return exits[i].handle(vcpu);
	return exit_ends(vcpu, GHCB_RET_UNSUPPORTED);
}

static uint64_t snp_answer(const struct kvm_run *run)
{
	return run->snp_tio.ret;
}

/* -- teardown: every part may have been done by a process that died --------------------------- */

static void snp_destroy(const struct kvm *kvm)
{
	const struct kvm_sev *sev = kvm_sev(kvm);
	const struct sev_command args = { .gctx = sev->gctx };
	struct kvm_sev *w;

	if (sev->gctx)		/* refused when there is no guest of it yet */
		sev_host_command(LANE_KVM, SEV_CMD_SNP_DECOMMISSION, &args);
	if (sev->state != SNP_NONE)
		sev_rmp_reclaim(kvm);
	if (sev->gctx)
		sev_firmware_page_free(LANE_KVM, sev->gctx);
	w = image_write(sev);
	memset(w, 0, sizeof(*w));
}

const struct kvm_platform kvm_sev_platform = {
	.name = "sev",
	.create = snp_create,
	.destroy = snp_destroy,
	.vm_op = snp_vm_op,
	.vcpu_create = snp_vcpu_create,
	.run_check = snp_run_check,
	.private_map = sev_private_map,
	.private_unmap = sev_private_unmap,
	.vmcall = snp_vmgexit,
	.vmcall_answer = snp_answer,
	.fill_mmio = true,
	.private_memory = true,
	.shared_bit = RMP_VTOM,
};
