/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM: memory, one vCPU, and its exits. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>

#include "swtio/uapi/kvm.h"
#include "vmm/internal.h"

#define RUN_SIZE 4096u

static int64_t vcpu_create(const struct vmm_call *call)
{
	const struct vmm_platform *platform = vmm_platform(call->vmm);
	struct vmm *vmm = call->vmm;
	long rc = call->sys->ioctl(call->sys->ctx, vmm->vm, KVM_CREATE_VCPU, NULL);

	if (rc < 0)
		return rc;
	vmm->vcpu = (int)rc;
	rc = platform && platform->vcpu_create ? platform->vcpu_create(call) : 0;
	if (rc)
		return rc;
	return call->sys->mmap(call->sys->ctx, RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		vmm->vcpu, 0, &vmm->run_address);
}

/* vm-create [type=tdx|sev|cca|plain]: the VM, its vCPU, and the KVM side of VFIO. */
static int64_t vm_create(const struct vmm_call *call)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_VFIO };
	const char *type = vmm_text(call, "type");
	const struct vmm_platform *platform = vmm_platform_find(type ? type : "tdx");
	struct vmm *vmm = call->vmm;
	long rc;

	if (!platform && strcmp(type, "plain"))
		return -EDOM;
	vmm->kvm = call->sys->open(call->sys->ctx, "/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vmm->kvm < 0)
		return vmm->kvm;
	vmm->vm_type = platform ? platform->vm_type : KVM_X86_DEFAULT_VM;
	rc = call->sys->ioctl(call->sys->ctx, vmm->kvm, KVM_CREATE_VM,
			      (void *)(uintptr_t)vmm->vm_type);
	if (rc < 0)
		return rc;
	vmm->vm = (int)rc;
	rc = platform && platform->create ? platform->create(call) : 0;
	if (!rc)
		rc = vcpu_create(call);
	if (!rc)
		rc = vmm_ioctl(call, vmm->vm, KVM_CREATE_DEVICE, &device);
	if (!rc)
		vmm->vfio_dev = (int)device.fd;
	return rc;
}

/* The part of RAM from `from` on stays shared; what is below belongs to the guest alone. */
static int64_t ram_attributes(const struct vmm_call *call, uint64_t from)
{
	struct kvm_memory_attributes attributes = { .address = 0, .size = from,
						    .attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE };

	return from ? vmm_ioctl(call, call->vmm->vm, KVM_SET_MEMORY_ATTRIBUTES, &attributes) : 0;
}

/* ram size= shared=: guest memory from GPA 0; the last `shared` bytes are shared with the host. */
static int64_t vm_ram(const struct vmm_call *call)
{
	struct kvm_create_guest_memfd gmem = { .size = vmm_arg_or(call, "size", 256ull << 20) };
	uint64_t shared = vmm_arg_or(call, "shared", 32ull << 20);
	struct kvm_userspace_memory_region2 region = { .memory_size = gmem.size };
	struct vmm *vmm = call->vmm;
	long rc;

	if (shared > gmem.size)
		return -EDOM;
	vmm->ram = call->sys->memfd(call->sys->ctx, "ram", gmem.size);
	if (vmm->ram < 0)
		return vmm->ram;
	rc = call->sys->mmap(call->sys->ctx, gmem.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		vmm->ram, 0, &vmm->ram_address);
	if (rc)
		return rc;
	vmm->ram_size = gmem.size;
	vmm->ram_private = gmem.size - shared;
	region.userspace_addr = vmm->ram_address;
	if (vmm_platform(vmm)) {
		rc = vmm_ioctl(call, vmm->vm, KVM_CREATE_GUEST_MEMFD, &gmem);
		if (rc < 0)
			return rc;
		vmm->guest_memfd = (int)rc;
		region.guest_memfd = (uint32_t)rc;
		region.flags = KVM_MEM_GUEST_MEMFD;
	}
	vmm->slot[0] = (struct vmm_slot){ .used = true, .len = gmem.size };
	rc = vmm_ioctl(call, vmm->vm, KVM_SET_USER_MEMORY_REGION2, &region);
	return rc || !vmm_platform(vmm) ? rc : ram_attributes(call, gmem.size - shared);
}

/* kvm-add-device dev=, kvm-del-device dev=: which device is this VM's. */
static int64_t kvm_device(const struct vmm_call *call, uint64_t what)
{
	struct vmm_device *device = vmm_device_of(call);
	int fd = device ? device->fd : -1;
	struct kvm_device_attr attr = { .group = KVM_DEV_VFIO_FILE, .attr = what,
					.addr = (uint64_t)(uintptr_t)&fd };

	if (!device)
		return -EDOM;
	return vmm_ioctl(call, call->vmm->vfio_dev, KVM_SET_DEVICE_ATTR, &attr);
}

static int64_t kvm_add_device(const struct vmm_call *call)
{
	return kvm_device(call, KVM_DEV_VFIO_FILE_ADD);
}

static int64_t kvm_del_device(const struct vmm_call *call)
{
	return kvm_device(call, KVM_DEV_VFIO_FILE_DEL);
}

static int64_t vm_finalize(const struct vmm_call *call)
{
	const struct vmm_platform *platform = vmm_platform(call->vmm);

	return platform && platform->finalize ? platform->finalize(call) : 0;
}

/* -- the vCPU ---------------------------------------------------------------------------------- */

int vmm_run_load(const struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run)
{
	return sys->load(sys->ctx, vmm->run_address, run, offsetof(struct kvm_run, kvm_valid_regs));
}

int vmm_run_store(const struct vmm *vmm, const struct vmm_sys *sys, const struct kvm_run *run)
{
	return sys->store(
		sys->ctx, vmm->run_address, run, offsetof(struct kvm_run, kvm_valid_regs));
}

/* The BAR page an emulated access hits: pages no slot covers are the MSI-X table and PBA. */
static void mmio_emulate(struct vmm *vmm, struct kvm_run *run)
{
	vmm_msix_access(vmm, run->mmio.phys_addr & ~VMM_SHARED_BIT, run->mmio.data, run->mmio.len,
			run->mmio.is_write);
}

/* An exit that only this kind of VM has, or one the VMM has no answer to. */
static int exit_other(struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run, long rc)
{
	const struct vmm_platform *platform = vmm_platform(vmm);
	int answer = platform ? platform->exit(vmm, sys, run) : VMM_EXIT_OTHER;

	return rc && answer == VMM_EXIT_OTHER ? (int)rc : answer;
}

int vmm_run(struct vmm *vmm, const struct vmm_sys *sys)
{
	struct kvm_run run;
	long rc;

	if (vmm->vcpu < 0)
		return -EBADF;
	for (;;) {
		rc = sys->ioctl(sys->ctx, vmm->vcpu, KVM_RUN, NULL);
		if (rc && rc != -EFAULT)
			return (int)rc;
		if (vmm_run_load(vmm, sys, &run))
			return -EFAULT;
		switch (run.exit_reason) {
		case KVM_EXIT_MMIO:
			mmio_emulate(vmm, &run);
			if (vmm_run_store(vmm, sys, &run))
				return -EFAULT;
			break;
		case KVM_EXIT_HLT:
		case KVM_EXIT_INTR: return VMM_EXIT_IDLE;
		case KVM_EXIT_MEMORY_FAULT: return VMM_EXIT_MEMORY_FAULT;
		case KVM_EXIT_SHUTDOWN: return VMM_EXIT_SHUTDOWN;
		default: return exit_other(vmm, sys, &run, rc);
		}
	}
}

static int64_t vcpu_run(const struct vmm_call *call)
{
	return vmm_run(call->vmm, call->sys);
}

/* close what=kvm: the VM, its vCPU and all KVM descriptors, vCPU first as a VMM does. */
static int64_t kvm_close(const struct vmm_call *call)
{
	struct vmm *vmm = call->vmm;

	if (vmm->run_address)
		call->sys->munmap(call->sys->ctx, vmm->run_address, RUN_SIZE);
	vmm->run_address = 0;
	vmm_close(call, &vmm->vcpu);
	vmm_close(call, &vmm->vfio_dev);
	vmm_close(call, &vmm->vm);
	vmm_close(call, &vmm->guest_memfd);
	return vmm_close(call, &vmm->kvm);
}

const struct vmm_verb vmm_vm_verbs[] = {
	{ "vm-create", vm_create },
	{ "ram", vm_ram },
	{ "kvm-add-device", kvm_add_device },
	{ "kvm-del-device", kvm_del_device },
	{ "vm-finalize", vm_finalize },
	{ "run", vcpu_run },
	{ "close-kvm", kvm_close },
	{ NULL, NULL },
};
