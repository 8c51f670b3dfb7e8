/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPU files and KVM_RUN. A vCPU lives as long as its VM; closing its file only drops the VM. */
#include <fcntl.h>
#include <string.h>

#include "kernel/kvm/internal.h"

#define RUN_BYTES (3 * KVM_PAGE)	/* kvm_run, and the two pages Linux maps after it */
#define SAME_FAULT_MAX 64u	/* EPT violations at one address that mapping does not cure */

long kvm_create_vcpu(const struct kvm *kvm, uint64_t id)
{
	const struct kvm_platform *platform = kvm_platform(kvm);
	const struct file *file;
	const struct kvm_vcpu **slot;
	struct kvm_vcpu *vcpu;
	char name[40];
	int rc;

	if (id >= KVM_VCPUS)
		return -EINVAL;
	if (kvm->vcpus[id])
		return -EEXIST;
	vcpu = image_alloc(sizeof(*vcpu), IMAGE_TYPE_KVM_VCPU);
	if (!vcpu)
		return -ENOMEM;
	vcpu->kvm = kvm;
	vcpu->id = (uint32_t)id;
	vcpu->hw.vm = kvm->number;
	vcpu->hw.ept = &kvm->ept;
	vcpu->hw.gpa_bits = KVM_GPA_BITS;
	rc = platform->vcpu_create ? platform->vcpu_create(vcpu) : 0;
	if (rc)
		return rc;
	snprintf(name, sizeof(name), "anon_inode:kvm-vcpu:%u", vcpu->id);
	file = file_create(FILE_KVM_VCPU, vcpu, name);
	if (!file)
		return -ENOMEM;
	vcpu->file = file;
	vcpu->run = image_bulk_alloc(RUN_BYTES, IMAGE_TYPE_KVM_VCPU);
	if (!vcpu->run)
		return -ENOMEM;
	slot = image_write(&kvm->vcpus[id]);
	*slot = vcpu;
	file_get(kvm->file);
	return fd_install(file, O_CLOEXEC);
}

static int kvm_vcpu_mmap(const struct file *file, struct mmap_request *request)
{
	const struct kvm_vcpu *vcpu = file->priv;

	if (request->offset > RUN_BYTES || request->len > RUN_BYTES - request->offset)
		return -EINVAL;
	request->memory = (const uint8_t *)vcpu->run + request->offset;
	return 0;
}

static void kvm_vcpu_release(const struct file *file)
{
	const struct kvm_vcpu *vcpu = file->priv;
	const struct kvm *kvm;
	struct kvm_vcpu *w;
	struct file *f;

	if (!vcpu)
		return;			/* a second run, after a kill in the VM's own release */
	kvm = vcpu->kvm;
	w = image_write(vcpu);
	w->file = NULL;
	f = image_write(file);
	f->priv = NULL;
	file_put(kvm->file);
}

void kvm_vcpus_destroy(const struct kvm *kvm)
{
	for (unsigned int i = 0; i < KVM_VCPUS; i++) {
		const struct kvm_vcpu *vcpu = kvm->vcpus[i];
		const struct kvm_vcpu **slot;

		if (!vcpu)
			continue;
		slot = image_write(&kvm->vcpus[i]);
		*slot = NULL;
		image_bulk_free(vcpu->run);
		image_free(vcpu);
	}
}

/* -- the client's page ------------------------------------------------------------------------ */

/* The client may write its page at any time: one copy is taken, one is put back. */
static struct kvm_run run_read(const struct kvm_vcpu *vcpu)
{
	struct kvm_run run;

	memcpy(&run, vcpu->run, sizeof(run));
	return run;
}

static void run_exit(const struct kvm_vcpu *vcpu, uint32_t reason, const struct kvm_run *exit)
{
	struct kvm_run *run = image_bulk_write(vcpu->run, sizeof(*run));

	memcpy(run->padding, exit->padding, sizeof(run->padding));
	run->exit_reason = reason;
	run->ready_for_interrupt_injection = 1;
	run->flags = 0;
}

static void set_pending(const struct kvm_vcpu *vcpu, enum kvm_pending pending)
{
	struct kvm_vcpu *w = image_write(vcpu);

	w->pending = (uint8_t)pending;
}

int kvm_exit_ask(const struct kvm_vcpu *vcpu, uint32_t reason, const struct kvm_run *run,
		 enum kvm_pending pending)
{
	run_exit(vcpu, reason, run);
	set_pending(vcpu, pending);
	return 0;
}

/* -- what the client answered ----------------------------------------------------------------- */

static void complete_pending(const struct kvm_vcpu *vcpu)
{
	enum kvm_pending pending = vcpu->pending;
	struct kvm_run run = run_read(vcpu);
	struct cpu_exit_info *exit;

	if (pending == KVM_PENDING_NONE)
		return;
	set_pending(vcpu, KVM_PENDING_NONE);
	exit = image_write(&vcpu->hw.exit);
	if (pending == KVM_PENDING_MMIO) {
		struct reader data = reader_of(run.mmio.data, sizeof(run.mmio.data));

		exit->reason = CPU_EXIT_MMIO;
		if (!exit->write)
			exit->data = get_le64(&data);
		return;
	}
	exit->ret[0] = pending == KVM_PENDING_VMCALL ?
			       kvm_platform(vcpu->kvm)->vmcall_answer(&run) :
			       run.hypercall.ret;
	exit->ret[1] = 0;
}

/* -- exits ---------------------------------------------------------------------------------------
 * Each answers 1 to go on in the guest, 0 or -errno to return to the client.
 */
static int exit_mmio(const struct kvm_vcpu *vcpu)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	struct kvm_run run = { .mmio = { .phys_addr = exit->gpa, .is_write = exit->write } };
	struct writer data = writer_of(run.mmio.data, sizeof(run.mmio.data));

	run.mmio.len = exit->len < sizeof(run.mmio.data) ? exit->len : sizeof(run.mmio.data);
	if (exit->write)
		put_le64(&data, exit->data);
	return kvm_exit_ask(vcpu, KVM_EXIT_MMIO, &run, KVM_PENDING_MMIO);
}

static int exit_memory_fault(const struct kvm_vcpu *vcpu, int error)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	struct kvm_run run = { .memory_fault = {
		.flags = exit->is_private ? KVM_MEMORY_EXIT_FLAG_PRIVATE : 0,
		.gpa = exit->gpa & ~(KVM_PAGE - 1), .size = KVM_PAGE } };

	run_exit(vcpu, KVM_EXIT_MEMORY_FAULT, &run);
	return error;
}

static int exit_internal_error(const struct kvm_vcpu *vcpu)
{
	struct kvm_run run = {
		.internal = { .suberror = 4, .ndata = 1, .data = { vcpu->hw.exit.reason } }
	};

	run_exit(vcpu, KVM_EXIT_INTERNAL_ERROR, &run);
	return 0;
}

static int exit_ept_violation(const struct kvm_vcpu *vcpu)
{
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	int rc = kvm_fault(vcpu->kvm, exit->gpa, exit->len, exit->write, exit->is_private);
	struct cpu_exit_info *w;

	if (rc == KVM_FAULT_NO_SLOT)
		return exit_mmio(vcpu);
	if (rc == -EFAULT)
		return exit_memory_fault(vcpu, rc);
	if (rc < 0)
		return rc;
	w = image_write(&vcpu->hw.exit);
	w->reason = CPU_EXIT_NONE;
	return 1;
}

static int exit_idle(const struct kvm_vcpu *vcpu)
{
	struct kvm_run run = { 0 };

	if (kvm_irqfds_deliver(vcpu->kvm, vcpu))
		return 1;
	run_exit(vcpu, KVM_EXIT_HLT, &run);
	return 0;
}

static int exit_shutdown(const struct kvm_vcpu *vcpu)
{
	struct kvm_run run = { 0 };

	run_exit(vcpu, KVM_EXIT_SHUTDOWN, &run);
	return 0;
}

int kvm_exit_map_gpa(const struct kvm_vcpu *vcpu, uint64_t gpa, uint64_t len, bool is_private)
{
	struct kvm_run run = { .hypercall = { .nr = KVM_HC_MAP_GPA_RANGE,
					      .args = { gpa, len / KVM_PAGE,
							is_private ? KVM_MAP_GPA_RANGE_ENCRYPTED :
								     KVM_MAP_GPA_RANGE_DECRYPTED } } };

	return kvm_exit_ask(vcpu, KVM_EXIT_HYPERCALL, &run, KVM_PENDING_HYPERCALL);
}

/* A call of an ordinary guest, which no one answers. */
static int exit_vmcall(const struct kvm_vcpu *vcpu)
{
	struct cpu_exit_info *exit;

	if (kvm_platform(vcpu->kvm)->vmcall)
		return kvm_platform(vcpu->kvm)->vmcall(vcpu);
	exit = image_write(&vcpu->hw.exit);
	exit->ret[0] = KVM_TDX_RET_UNSUPPORTED;
	return 1;
}

static int (*const exits[])(const struct kvm_vcpu *vcpu) = {
	[CPU_EXIT_NONE] = exit_internal_error,
	[CPU_EXIT_IDLE] = exit_idle,
	[CPU_EXIT_EPT_VIOLATION] = exit_ept_violation,
	[CPU_EXIT_MMIO] = exit_mmio,
	[CPU_EXIT_VMCALL] = exit_vmcall,
	[CPU_EXIT_SHUTDOWN] = exit_shutdown,
};

static const char *const exit_names[] = {
	[CPU_EXIT_NONE] = "no exit", [CPU_EXIT_IDLE] = "HLT", [CPU_EXIT_EPT_VIOLATION] = "EPT violation",
	[CPU_EXIT_MMIO] = "MMIO", [CPU_EXIT_VMCALL] = "VMCALL", [CPU_EXIT_SHUTDOWN] = "shutdown",
};

/* -- KVM_RUN ---------------------------------------------------------------------------------- */

static int enter_guest(const struct kvm_vcpu *vcpu)
{
	const struct kvm_platform *platform = kvm_platform(vcpu->kvm);
	const struct cpu_exit_info *exit = &vcpu->hw.exit;
	int rc = platform->enter ? platform->enter(vcpu) : 0;
	struct trace_call call;

	if (rc)
		return rc;
	call = TRACE_CALL(LANE_KVM, LANE_GUEST, "enter", A("vcpu", vcpu->id));
	guest_run(&vcpu->hw);
	if (exit->reason == CPU_EXIT_EPT_VIOLATION || exit->reason == CPU_EXIT_MMIO)
		trace_arg_add(&call, "gpa", exit->gpa);
	trace_return(&call, 0, exit->reason < sizeof(exit_names) / sizeof(exit_names[0]) ?
				       exit_names[exit->reason] : NULL);
	return exit->reason < sizeof(exits) / sizeof(exits[0]) ? exits[exit->reason](vcpu) :
		exit_internal_error(vcpu);
}

static long run_vcpu(const struct kvm_vcpu *vcpu)
{
	const struct kvm_platform *platform = kvm_platform(vcpu->kvm);
	uint64_t last_gpa = UINT64_MAX;
	unsigned int same = 0;
	int rc = platform->run_check ? platform->run_check(vcpu) : 0;

	if (rc)
		return rc;
	if (run_read(vcpu).immediate_exit) {
		run_exit(vcpu, KVM_EXIT_INTR, &(struct kvm_run){ 0 });
		return -EINTR;
	}
	complete_pending(vcpu);
	kvm_irqfds_deliver(vcpu->kvm, vcpu);
	do {
		rc = enter_guest(vcpu);
		same = vcpu->hw.exit.reason == CPU_EXIT_NONE && vcpu->hw.exit.gpa == last_gpa ?
			       same + 1 :
			       0;
		last_gpa = vcpu->hw.exit.gpa;
		if (rc == 1 && same >= SAME_FAULT_MAX)
			rc = exit_internal_error(vcpu);
	} while (rc == 1);
	/* What the guest did stays done, also when the client is told of an error. */
	image_commit();
	return rc;
}

static long vcpu_encrypt_op(const struct kvm_vcpu *vcpu, uint64_t arg)
{
	const struct kvm_platform *platform = kvm_platform(vcpu->kvm);

	return platform->vcpu_op ? platform->vcpu_op(vcpu, arg) : -ENOTTY;
}

static long kvm_vcpu_ioctl_run(const struct file *file, unsigned int cmd, uint64_t arg)
{
	const struct kvm_vcpu *vcpu = file->priv;

	switch (cmd) {
	case KVM_RUN:
		return arg ? -EINVAL : run_vcpu(vcpu);
	case KVM_MEMORY_ENCRYPT_OP:
		return vcpu_encrypt_op(vcpu, arg);
	default:
		return -ENOTTY;
	}
}

static long kvm_vcpu_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	return kvm_ioctl_traced(kvm_vcpu_ioctl_run, file, cmd, arg);
}

const struct file_ops kvm_vcpu_file_ops = {
	.name = "kvm-vcpu",
	.ioctl = kvm_vcpu_ioctl,
	.mmap = kvm_vcpu_mmap,
	.release = kvm_vcpu_release,
};
